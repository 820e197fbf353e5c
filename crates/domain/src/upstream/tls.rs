//! TLS with targets.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How targets at `https://` are called.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct UpstreamTls {
    /// The name that is asked for (SNI) and that their certificates have to be for, if not the URL's host.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 253)]
    pub server_name: Option<String>,
    /// Certificates (PEM) that theirs are checked against, instead of the node's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 65_536)]
    pub roots: Option<String>,
    /// What the gateway shows to them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_certificate: Option<ClientCertificateFiles>,
    /// What makes it less secure.
    pub danger: UpstreamDanger,
}

/// A client certificate in files on each gateway node; read again when they change.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClientCertificateFiles {
    /// The chain in PEM, the certificate itself first: an absolute path.
    #[schema(max_length = 1000)]
    pub chain_file: String,
    /// Its private key in PEM: an absolute path.
    #[schema(max_length = 1000)]
    pub key_file: String,
}

/// What makes TLS with targets less secure.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct UpstreamDanger {
    /// Take any certificate: whoever is on the way can read and change every call.
    pub accept_any_certificate: bool,
}
