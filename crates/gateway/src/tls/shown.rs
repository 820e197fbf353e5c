//! What is shown to a client and asked of it: one rustls configuration for each way.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};

use ::aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::certificate::{ClientAuthMode, Facts};
use domain::debug::DebugKey;
use domain::id::SdkKeyId;
use http::HeaderValue;
use pki::SealKey;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::{NoServerSessionStorage, ProducesTickets, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{RootCertStore, ServerConfig};

use super::Error;
use crate::settings::Protocols;

/// What an ACME server asks for instead of HTTP: RFC 8737 section 6.2.
pub(crate) const ACME_TLS: &[u8] = b"acme-tls/1";

/// Opens sealed private keys and reads debug tokens; empty until the node knows the cluster's token.
#[derive(Clone, Default)]
pub struct Sealing(Arc<OnceLock<Trusted>>);

/// What follows from the cluster's token.
struct Trusted {
    seal: SealKey,
    debug: DebugKey,
    token: Box<str>,
}

impl Sealing {
    /// Tells the cluster's token; the first one told stays.
    pub fn trust(&self, cluster_token: &str) {
        self.0.get_or_init(|| Trusted {
            seal: SealKey::of(cluster_token),
            debug: DebugKey::of(cluster_token),
            token: cluster_token.into(),
        });
    }

    pub(super) fn key(&self) -> Option<&SealKey> {
        self.0.get().map(|trusted| &trusted.seal)
    }

    /// What features are encrypted with for the holder of an SDK key.
    pub(crate) fn payload_key(&self, key: SdkKeyId) -> Option<String> {
        let trusted = self.0.get()?;
        Some(flags::growthbook::payload_key(&trusted.token, key))
    }

    /// What reads debug tokens.
    pub(crate) fn debug(&self) -> Option<&DebugKey> {
        self.0.get().map(|trusted| &trusted.debug)
    }
}

impl std::fmt::Debug for Sealing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealing(…)")
    }
}

/// It is no setting: settings are the same whatever it knows.
impl PartialEq for Sealing {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// What a client is asked for. Two that are equal mean the same to whoever has answered one of them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Asks {
    pub(crate) mode: ClientAuthMode,
    /// Whether upstreams are told the certificate.
    pub(crate) forward: bool,
    /// SHA-256 of the authorities.
    authorities: [u8; 32],
}

impl Asks {
    /// What is asked for by authorities in PEM.
    pub(super) fn new(mode: ClientAuthMode, forward: bool, authorities: &str) -> Self {
        let digest = digest::digest(&digest::SHA256, authorities.as_bytes());
        Self {
            mode,
            forward,
            authorities: digest.as_ref().try_into().expect("SHA-256 has 32 bytes"),
        }
    }
}

/// A client's certificate, checked against the authorities that were asked for.
#[derive(Debug)]
pub(crate) struct ClientCertificate {
    /// For what routes ask of clients.
    pub(crate) facts: Facts,
    /// As `Client-Cert` says it (RFC 9440 section 2.1), if upstreams are told.
    pub(crate) header: Option<HeaderValue>,
}

impl ClientCertificate {
    /// Reads a checked certificate; `None` if it cannot be told what it says.
    pub(crate) fn read(der: &[u8], asks: &Asks) -> Option<Self> {
        let facts = pki::facts(der)?;
        let header = asks.forward.then(|| {
            let text = format!(":{}:", STANDARD.encode(der));
            HeaderValue::from_str(&text).expect("base 64 is visible ASCII")
        });
        Some(Self { facts, header })
    }
}

/// A certificate ready to be shown.
pub(crate) struct Shown {
    configs: [Arc<ServerConfig>; 3],
    #[cfg(feature = "http3")]
    quic: Arc<quinn::crypto::rustls::QuicServerConfig>,
    pub(crate) asks: Option<Arc<Asks>>,
}

impl std::fmt::Debug for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shown")
            .field("asks", &self.asks)
            .finish_non_exhaustive()
    }
}

impl Shown {
    pub(crate) fn config(&self, protocols: Protocols) -> &Arc<ServerConfig> {
        let place = match protocols {
            // Where nothing is spoken over TCP, nobody asks.
            Protocols::Http | Protocols::Http3 | Protocols::Tcp => 0,
            Protocols::Http1 => 1,
            Protocols::Http2 => 2,
        };
        &self.configs[place]
    }

    #[cfg(feature = "http3")]
    pub(crate) const fn quic(&self) -> &Arc<quinn::crypto::rustls::QuicServerConfig> {
        &self.quic
    }
}

/// What all configurations of a node are made with.
#[derive(Debug)]
pub(crate) struct Kit {
    pub(super) sealing: Sealing,
    provider: Arc<CryptoProvider>,
    /// By what is asked: a session that was opened without a certificate must not go on where one is asked for.
    tickets: Mutex<HashMap<Option<Asks>, Arc<dyn ProducesTickets>>>,
}

impl Kit {
    pub(crate) fn new(sealing: Sealing) -> Self {
        Self {
            sealing,
            provider: Arc::new(aws_lc_rs::default_provider()),
            tickets: Mutex::default(),
        }
    }

    /// Makes what is shown of a certificate with its key, and asked by authorities in PEM.
    pub(crate) fn show(
        &self,
        pair: Arc<CertifiedKey>,
        client: Option<(ClientAuthMode, bool, &str)>,
    ) -> Result<Shown, Error> {
        let asks = match client {
            None => None,
            Some((mode, forward, authorities)) => {
                let roots = pki::authorities(authorities).map_err(Error::Pki)?;
                let asks = Asks::new(mode, forward, authorities);
                Some((Arc::new(asks), Arc::new(roots)))
            }
        };
        let mut config = self.config(pair, asks.as_ref())?;
        config.ticketer = self.ticketer(asks.as_ref().map(|(asks, _)| (**asks).clone()))?;
        // Tickets do the same without memory.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        let with = |protocols: &[&[u8]]| {
            let mut config = config.clone();
            config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
            Arc::new(config)
        };
        Ok(Shown {
            configs: [with(&[b"h2", b"http/1.1"]), with(&[b"http/1.1"]), with(&[b"h2"])],
            #[cfg(feature = "http3")]
            quic: crate::h3::quic(with(&[b"h3"])),
            asks: asks.map(|(asks, _)| asks),
        })
    }

    /// Makes what is shown to an ACME server that checks a host.
    pub(super) fn challenge(&self, pair: Arc<CertifiedKey>) -> Result<Arc<ServerConfig>, Error> {
        let mut config = self.config(pair, None)?;
        config.alpn_protocols = vec![ACME_TLS.to_vec()];
        Ok(Arc::new(config))
    }

    /// Forgets the tickets of what nobody is asked for any more.
    pub(super) fn tidy(&self) {
        let mut tickets = self.tickets.lock().expect("nothing panics while holding it");
        tickets.retain(|_, ticketer| Arc::strong_count(ticketer) > 1);
    }

    fn config(
        &self,
        pair: Arc<CertifiedKey>,
        asks: Option<&(Arc<Asks>, Arc<RootCertStore>)>,
    ) -> Result<ServerConfig, Error> {
        let builder = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()
            .map_err(Error::Certificate)?;
        let builder = match asks {
            None => builder.with_no_client_auth(),
            Some((asks, roots)) => {
                let provider = Arc::clone(&self.provider);
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::clone(roots), provider);
                let verifier = match asks.mode {
                    ClientAuthMode::Optional => verifier.allow_unauthenticated(),
                    ClientAuthMode::Required => verifier,
                };
                builder.with_client_cert_verifier(verifier.build().map_err(Error::Verifier)?)
            }
        };
        Ok(builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(pair))))
    }

    /// Tickets that all cores and certificates share; their keys are changed every six hours.
    fn ticketer(&self, asks: Option<Asks>) -> Result<Arc<dyn ProducesTickets>, Error> {
        let mut tickets = self.tickets.lock().expect("nothing panics while holding it");
        if let Some(ticketer) = tickets.get(&asks) {
            return Ok(Arc::clone(ticketer));
        }
        let ticketer = aws_lc_rs::Ticketer::new().map_err(Error::Certificate)?;
        tickets.insert(asks, Arc::clone(&ticketer));
        Ok(ticketer)
    }
}
