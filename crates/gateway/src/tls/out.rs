//! TLS with upstreams: roots, names, client certificates.

use std::hash::{Hash, Hasher};
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use domain::traffic::{UpstreamProtocol, UpstreamTls};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, WebPkiServerVerifier};
use rustls::crypto::aws_lc_rs;
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::TlsConnector;

use super::{Error, certificates};
use crate::target::Invalid;

/// How a node calls upstreams that say nothing else.
#[derive(Clone)]
pub(crate) struct Outward {
    roots: Arc<RootCertStore>,
    /// For HTTP/1.1, HTTP/2, and whichever the upstream prefers.
    connectors: [TlsConnector; 3],
}

/// What an upstream says about TLS; told apart by that.
#[derive(Debug)]
pub(crate) struct Out {
    said: UpstreamTls,
    name: Option<ServerName<'static>>,
    roots: Option<Arc<RootCertStore>>,
    identity: Option<Arc<Identity>>,
}

/// A client certificate that is read again when its files change.
#[derive(Debug)]
pub(crate) struct Identity {
    chain: Box<Path>,
    key: Box<Path>,
    current: ArcSwap<(CertifiedKey, Stamp)>,
}

/// When both files were last written.
type Stamp = (Option<SystemTime>, Option<SystemTime>);

impl Outward {
    pub(crate) fn new(roots: Option<&Path>) -> Result<Self, Error> {
        let mut store = RootCertStore::empty();
        match roots {
            Some(path) => {
                for certificate in certificates(path)? {
                    store.add(certificate).map_err(Error::Certificate)?;
                }
            }
            None => store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        }
        let roots = Arc::new(store);
        let connector = |protocol| connector(&roots, None, protocol);
        Ok(Self {
            connectors: [
                connector(UpstreamProtocol::Http1)?,
                connector(UpstreamProtocol::Http2)?,
                connector(UpstreamProtocol::Auto)?,
            ],
            roots,
        })
    }

    /// What connects with TLS as an upstream wants it.
    pub(crate) fn connector(
        &self,
        out: Option<&Out>,
        protocol: UpstreamProtocol,
    ) -> Result<TlsConnector, Error> {
        match out {
            None => Ok(self.connectors[protocol as usize].clone()),
            Some(out) => connector(out.roots.as_ref().unwrap_or(&self.roots), Some(out), protocol),
        }
    }
}

fn connector(
    roots: &Arc<RootCertStore>,
    out: Option<&Out>,
    protocol: UpstreamProtocol,
) -> Result<TlsConnector, Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(Error::Certificate)?;
    let builder = if out.is_some_and(|out| out.said.danger.accept_any_certificate) {
        let inner = WebPkiServerVerifier::builder_with_provider(Arc::clone(roots), provider)
            .build()
            .map_err(|error| Error::Certificate(rustls::Error::General(error.to_string())))?;
        builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate(inner)))
    } else {
        builder.with_root_certificates(Arc::clone(roots))
    };
    let mut config = match out.and_then(|out| out.identity.as_ref()) {
        Some(identity) => builder.with_client_cert_resolver(Arc::clone(identity) as _),
        None => builder.with_no_client_auth(),
    };
    let (http1, http2) = (b"http/1.1".to_vec(), b"h2".to_vec());
    config.alpn_protocols = match protocol {
        UpstreamProtocol::Http1 => vec![http1],
        UpstreamProtocol::Http2 => vec![http2],
        UpstreamProtocol::Auto => vec![http2, http1],
    };
    Ok(TlsConnector::from(Arc::new(config)))
}

impl Out {
    /// None if nothing is said.
    pub(crate) fn parse(said: &UpstreamTls) -> Result<Option<Arc<Self>>, Invalid> {
        if *said == UpstreamTls::default() {
            return Ok(None);
        }
        let name = said.server_name.clone().map(ServerName::try_from);
        let roots = said.roots.as_deref().map(roots).transpose()?;
        let identity = said.client_certificate.as_ref().map(|files| {
            Identity::read(Path::new(&files.chain_file), Path::new(&files.key_file))
                .map_err(|error| Invalid::field("tls/client_certificate", crate::causes::chain(&error)))
        });
        Ok(Some(Arc::new(Self {
            name: name
                .transpose()
                .map_err(|error| Invalid::field("tls/server_name", error.to_string()))?,
            roots,
            identity: identity.transpose()?.map(Arc::new),
            said: said.clone(),
        })))
    }

    /// What the certificate has to be for, if it is not the target's host.
    pub(crate) const fn name(&self) -> Option<&ServerName<'static>> {
        self.name.as_ref()
    }

    pub(crate) fn identity(&self) -> Option<&Identity> {
        self.identity.as_deref()
    }
}

fn roots(pem: &str) -> Result<Arc<RootCertStore>, Invalid> {
    let store = pki::authorities(pem);
    store
        .map(Arc::new)
        .map_err(|error| Invalid::field("tls/roots", crate::causes::chain(&error)))
}

impl PartialEq for Out {
    fn eq(&self, other: &Self) -> bool {
        self.said == other.said
    }
}

impl Eq for Out {}

impl Hash for Out {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.said.hash(state);
    }
}

impl Identity {
    fn read(chain: &Path, key: &Path) -> Result<Self, Error> {
        let stamp = stamp(chain, key);
        Ok(Self {
            current: ArcSwap::from_pointee((certified(chain, key)?, stamp)),
            chain: chain.into(),
            key: key.into(),
        })
    }

    /// Reads the files again if they have changed; files that cannot be used leave the certificate as it is.
    pub(crate) fn look(&self) {
        let stamp = stamp(&self.chain, &self.key);
        if self.current.load().1 == stamp {
            return;
        }
        match certified(&self.chain, &self.key) {
            Ok(certified) => {
                tracing::info!(chain = %self.chain.display(), "a client certificate has changed");
                self.current.store(Arc::new((certified, stamp)));
            }
            Err(error) => {
                let error = crate::causes::chain(&error);
                tracing::warn!(%error, "a client certificate has changed and cannot be used");
            }
        }
    }
}

fn stamp(chain: &Path, key: &Path) -> Stamp {
    let written = |path: &Path| std::fs::metadata(path).and_then(|data| data.modified()).ok();
    (written(chain), written(key))
}

fn certified(chain: &Path, key: &Path) -> Result<CertifiedKey, Error> {
    let key_der = PrivateKeyDer::from_pem_file(key).map_err(|source| Error::Pem {
        path: key.to_owned(),
        source,
    })?;
    let provider = aws_lc_rs::default_provider();
    CertifiedKey::from_der(certificates(chain)?, key_der, &provider).map_err(Error::Certificate)
}

impl ResolvesClientCert for Identity {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let current = self.current.load();
        Some(Arc::new(current.0.clone()))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// Takes any certificate, but only from who has its key.
#[derive(Debug)]
struct AnyCertificate(Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
