//! The certificates of a snapshot, by host.

use std::collections::HashMap;
use std::sync::Arc;

use domain::certificate::ClientAuthMode;
use domain::id::CertificateId;
use domain::snapshot::{self, Snapshot};
use rustls::ServerConfig;

use super::Error;
use super::shown::{Asks, Kit, Shown};

/// Why a certificate of a snapshot cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// The node does not know the cluster's token, so it cannot open private keys.
    #[error("its private key is sealed and this node has no cluster token")]
    NoToken,
    /// A certificate, its key or its authorities.
    #[error(transparent)]
    Tls(#[from] Error),
    /// Two certificates are for one host.
    #[error("`{host}` has another certificate already")]
    Twice {
        /// The host.
        host: String,
    },
}

/// What a host has.
#[derive(Debug)]
enum Entry {
    Shown(Arc<Shown>),
    /// Nothing to show at the moment; what it asks of clients holds all the same.
    Unshown(Arc<Asks>),
}

impl Entry {
    const fn shown(&self) -> Option<&Arc<Shown>> {
        match self {
            Self::Shown(shown) => Some(shown),
            Self::Unshown(_) => None,
        }
    }

    fn asks(&self) -> Option<&Arc<Asks>> {
        match self {
            Self::Shown(shown) => shown.asks.as_ref(),
            Self::Unshown(asks) => Some(asks),
        }
    }
}

/// What is shown to whom.
#[derive(Debug, Default)]
pub(crate) struct Shelf {
    exact: HashMap<Box<str>, Entry>,
    /// By what follows `*.`.
    wildcards: HashMap<Box<str>, Entry>,
    kept: HashMap<CertificateId, (i64, Arc<Shown>)>,
    /// For ACME servers that open TLS connections, by host.
    challenges: HashMap<Box<str>, Arc<ServerConfig>>,
    /// For ACME servers that ask over HTTP, by token: host and answer.
    answers: HashMap<Box<str>, (Box<str>, Arc<str>)>,
    /// Whether any host asks for certificates of clients.
    asks: bool,
}

impl Shelf {
    /// Reads the certificates of a snapshot; those that have not changed are taken from `previous`.
    pub(crate) fn compile(
        snapshot: &Snapshot,
        kit: &Kit,
        previous: Option<&Self>,
    ) -> Result<Self, (String, Unusable)> {
        let mut shelf = Self::default();
        for certificate in &snapshot.certificates {
            shelf
                .add(certificate, kit, previous)
                .map_err(|why| (certificate.id.to_string(), why))?;
        }
        for unshown in &snapshot.unshown {
            let auth = &unshown.client_auth;
            let asks = Arc::new(Asks::new(auth.mode, auth.forward, &auth.authorities));
            for host in &unshown.hosts {
                shelf
                    .put(host, Entry::Unshown(Arc::clone(&asks)))
                    .map_err(|why| (unshown.id.to_string(), why))?;
            }
        }
        for challenge in &snapshot.challenges {
            match challenge {
                snapshot::Challenge::Http {
                    host,
                    token,
                    key_authorization,
                } => {
                    let answer = (host.as_str().into(), key_authorization.as_str().into());
                    shelf.answers.insert(token.as_str().into(), answer);
                }
                snapshot::Challenge::TlsAlpn {
                    host,
                    chain,
                    sealed_key,
                } => {
                    let config = open(kit, host, sealed_key)
                        .and_then(|key| Ok(kit.challenge(pki::read_proof(chain, &key).map_err(Error::Pki)?)?))
                        .map_err(|why| (format!("the challenge of {host}"), why))?;
                    shelf.challenges.insert(host.as_str().into(), config);
                }
            }
        }
        kit.tidy();
        Ok(shelf)
    }

    /// What is shown for a host in lower case: its own certificate, or that of all hosts beside it.
    pub(crate) fn find(&self, host: &str) -> Option<&Arc<Shown>> {
        let exact = self.exact.get(host).and_then(Entry::shown);
        exact.or_else(|| self.wildcard(host)?.shown())
    }

    fn wildcard(&self, host: &str) -> Option<&Entry> {
        let (_, parent) = host.split_once('.')?;
        self.wildcards.get(parent)
    }

    fn entry(&self, host: &str) -> Option<&Entry> {
        self.exact.get(host).or_else(|| self.wildcard(host))
    }

    /// Whether any host asks for certificates of clients.
    pub(crate) const fn asks(&self) -> bool {
        self.asks
    }

    /// What is asked for on a host that has a certificate, be it one that cannot be shown at the moment.
    pub(crate) fn asked(&self, host: &str) -> Option<Option<&Arc<Asks>>> {
        self.entry(host).map(Entry::asks)
    }

    /// Whether a host that has nothing to show at the moment also serves clients without a certificate.
    pub(crate) fn is_optional_and_unshown(&self, host: &str) -> bool {
        matches!(self.entry(host), Some(Entry::Unshown(asks)) if asks.mode == ClientAuthMode::Optional)
    }

    /// Whether a host lets nobody in without a certificate.
    pub(crate) fn requires(&self, host: &str) -> bool {
        let asks = self.asked(host).flatten();
        asks.is_some_and(|asks| asks.mode == ClientAuthMode::Required)
    }

    /// What is shown to an ACME server that checks a host.
    pub(crate) fn challenge(&self, host: &str) -> Option<&Arc<ServerConfig>> {
        self.challenges.get(host)
    }

    /// What an ACME server is answered at a path; nothing if it is none of its paths.
    pub(crate) fn answer(&self, host: &str, path: &str) -> Option<Arc<str>> {
        if self.answers.is_empty() {
            return None;
        }
        let token = path.strip_prefix("/.well-known/acme-challenge/")?;
        let (of, answer) = self.answers.get(token)?;
        (**of == *host).then(|| Arc::clone(answer))
    }

    fn add(
        &mut self,
        certificate: &snapshot::Certificate,
        kit: &Kit,
        previous: Option<&Self>,
    ) -> Result<(), Unusable> {
        let before = previous.and_then(|previous| previous.kept.get(&certificate.id));
        let shown = match before {
            Some((revision, shown)) if *revision == certificate.revision => Arc::clone(shown),
            _ => {
                let id = certificate.id.to_string();
                let key = open(kit, &id, &certificate.sealed_key)?;
                let pair = pki::read(&certificate.chain, &key).map_err(Error::Pki)?;
                let client = certificate.client_auth.as_ref();
                let client = client.map(|auth| (auth.mode, auth.forward, auth.authorities.as_str()));
                Arc::new(kit.show(pair, client)?)
            }
        };
        for host in &certificate.hosts {
            self.put(host, Entry::Shown(Arc::clone(&shown)))?;
        }
        self.kept.insert(certificate.id, (certificate.revision, shown));
        Ok(())
    }

    fn put(&mut self, host: &str, entry: Entry) -> Result<(), Unusable> {
        self.asks |= entry.asks().is_some();
        let (place, name) = match host.strip_prefix("*.") {
            Some(parent) => (&mut self.wildcards, parent),
            None => (&mut self.exact, host),
        };
        match place.insert(name.into(), entry) {
            Some(_) => Err(Unusable::Twice {
                host: host.to_owned(),
            }),
            None => Ok(()),
        }
    }
}

/// Opens a private key.
fn open(kit: &Kit, context: &str, sealed_key: &str) -> Result<String, Unusable> {
    let seal = kit.sealing.key().ok_or(Unusable::NoToken)?;
    Ok(seal.open(context, sealed_key).map_err(Error::Pki)?)
}
