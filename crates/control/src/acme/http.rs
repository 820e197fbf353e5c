//! How ACME servers are called.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Limited;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use instant_acme::{BodyWrapper, BytesResponse, HttpClient};
use rustls::{ClientConfig, RootCertStore};

/// How long one call may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// The most bytes of an answer.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// Why an ACME server cannot be called.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The authorities that it is to be checked against.
    #[error("the authorities of the server cannot be used")]
    Authorities(#[from] pki::Error),
    /// TLS cannot be set up.
    #[error("TLS cannot be set up")]
    Tls(#[from] rustls::Error),
}

/// A client of one ACME server.
pub(super) struct Client(legacy::Client<HttpsConnector<HttpConnector>, BodyWrapper<Bytes>>);

impl Client {
    /// One that checks the server against these authorities (PEM) or those of the web.
    pub(super) fn new(authorities: Option<&str>) -> Result<Self, Error> {
        let roots = match authorities {
            Some(authorities) => pki::authorities(authorities)?,
            None => RootCertStore {
                roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
            },
        };
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(config)
            .https_only()
            .enable_http1()
            .build();
        Ok(Self(
            legacy::Client::builder(TokioExecutor::new()).build(connector),
        ))
    }
}

impl HttpClient for Client {
    fn request(
        &self,
        request: http::Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, instant_acme::Error>> + Send>> {
        let call = self.0.request(request);
        Box::pin(async move {
            let other = |error: Box<dyn std::error::Error + Send + Sync>| instant_acme::Error::Other(error);
            let response = match tokio::time::timeout(PATIENCE, call).await {
                Ok(response) => response.map_err(|error| other(error.into()))?,
                Err(late) => return Err(other(late.into())),
            };
            Ok(response.map(|body| Limited::new(body, ANSWER_BYTES_MAX)).into())
        })
    }
}
