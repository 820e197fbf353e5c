//! Certificates that the gateway shows, and what clients have to show.

pub mod dn;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::id::{CertificateId, OrganizationId, WorkspaceId};
use crate::{Name, Timestamp};

/// What a certificate (X.509) says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Facts {
    /// Whom it is for (RFC 4514), as `CN=api.example.com,O=Example`.
    pub subject: String,
    /// The common name of the subject, the most exact one if there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub common_name: Option<String>,
    /// Who has signed it.
    pub issuer: String,
    /// Its number, in hexadecimal with colons.
    pub serial: String,
    /// The alternative names with their kinds: `dns:api.example.com` (in lower case), `ip:10.0.0.1`, `uri:…`,
    /// `email:…`.
    pub names: Vec<String>,
    /// SHA-256 of the certificate, in hexadecimal.
    pub fingerprint_sha256: String,
    /// SHA-256 of the public key (SubjectPublicKeyInfo), in hexadecimal.
    pub public_key_sha256: String,
    /// From when on it holds.
    pub not_before: Timestamp,
    /// Until when it holds.
    pub not_after: Timestamp,
}

/// Whether clients have to show a certificate.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuthMode {
    /// They may; routes can ask for more.
    Optional,
    /// Without one, the TLS handshake fails.
    #[default]
    Required,
}

/// What clients of some hosts have to show.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClientAuth {
    /// Whether they have to.
    #[serde(default)]
    pub mode: ClientAuthMode,
    /// The authorities (PEM) that may have signed their certificates.
    #[schema(max_length = 262144)]
    pub authorities: String,
    /// Tell upstreams the certificate as `Client-Cert` (RFC 9440).
    #[serde(default)]
    pub forward: bool,
}

/// A certificate that was made elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Pem {
    /// The certificates in PEM, the host's own first.
    #[schema(max_length = 262144)]
    pub chain: String,
    /// The private key in PEM. Only written, never read: leave it out to keep the one that is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 65536, write_only)]
    pub private_key: Option<String>,
}

/// How an ACME server checks that a host is ours.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AcmeChallenge {
    /// It asks port 80 of the host over HTTP.
    #[default]
    #[serde(rename = "http_01")]
    Http01,
    /// It opens a TLS connection to port 443 of the host.
    #[serde(rename = "tls_alpn_01")]
    TlsAlpn01,
}

/// A certificate that is ordered from an ACME server (RFC 8555) and renewed in time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Acme {
    /// The server's directory, as `https://acme-v02.api.letsencrypt.org/directory`.
    #[schema(max_length = 2000)]
    pub directory_url: String,
    /// Where the server may write to: mail addresses.
    #[serde(default)]
    #[schema(max_items = 10)]
    pub contacts: Vec<String>,
    /// How the server checks that the hosts are ours.
    #[serde(default)]
    pub challenge: AcmeChallenge,
    /// You agree to the server's terms of service; without that nothing is ordered.
    pub terms_agreed: bool,
    /// Authorities (PEM) that the server itself is checked against, instead of those of the web.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 262144)]
    pub authorities: Option<String>,
}

/// The editable part of a [`Certificate`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CertificateSpec {
    /// Unique in the organization.
    pub name: Name,
    /// The environment's name; each gateway node serves one.
    pub environment: Name,
    /// The hosts it is shown for: DNS names, `*.` for any one label in front.
    #[schema(min_items = 1, max_items = 100)]
    pub hosts: Vec<String>,
    /// Made elsewhere; either this or `acme`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pem: Option<Pem>,
    /// Ordered from an ACME server; either this or `pem`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acme: Option<Acme>,
    /// What clients of these hosts have to show; nothing if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_auth: Option<ClientAuth>,
    /// The declarative folder that made it and may remove it (`gateline apply --prune`); by hand if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<Name>,
}

/// How a certificate is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CertificateState {
    /// It is being ordered; the hosts are not served with it yet.
    #[default]
    Pending,
    /// It is shown to clients.
    Valid,
    /// It ends within two weeks.
    Expiring,
    /// It has ended: clients refuse it.
    Expired,
    /// It could not be ordered; tried again at `order.next_at`.
    Failed,
}

/// How ordering from an ACME server goes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OrderState {
    /// When the next attempt or renewal is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_at: Option<Timestamp>,
    /// Attempts that failed since the last one that did not.
    #[serde(default)]
    pub failures: u32,
    /// Why the last one failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What the gateway shows to clients of some hosts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Certificate {
    /// Its id.
    pub id: CertificateId,
    /// The tenant it belongs to.
    pub organization_id: OrganizationId,
    /// The team it belongs to.
    pub workspace_id: WorkspaceId,
    /// The editable part.
    #[serde(flatten)]
    pub spec: CertificateSpec,
    /// What the certificate says of itself; absent until there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facts: Option<Facts>,
    /// How ordering goes, for certificates that are ordered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<OrderState>,
    /// What is to be kept apart from it, on its way there.
    #[serde(skip)]
    pub sealed: Option<Vec<u8>>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Counts its changes; the ETag.
    pub revision: i64,
}

/// Two weeks, in microseconds.
const EXPIRING_MICROS: i64 = 14 * 86_400 * 1_000_000;

impl Certificate {
    /// How it is at a moment.
    pub fn state(&self, now: Timestamp) -> CertificateState {
        let Some(facts) = &self.facts else {
            let failed = self.order.as_ref().is_some_and(|order| order.error.is_some());
            return if failed {
                CertificateState::Failed
            } else {
                CertificateState::Pending
            };
        };
        let rest = facts.not_after.as_micros() - now.as_micros();
        match rest {
            ..=0 => CertificateState::Expired,
            1..=EXPIRING_MICROS => CertificateState::Expiring,
            _ => CertificateState::Valid,
        }
    }
}
