//! How the targets of an upstream are chosen, compiled.

use std::net::IpAddr;

use domain::id::ApplicationId;
use domain::traffic::{Algorithm, Balancing, HashOn};
use http::header::COOKIE;
use http::{HeaderMap, HeaderName};

use super::hash;

/// [`Balancing`], with nothing left to parse.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    pub(crate) algorithm: Algorithm,
    pub(crate) key: Option<Key>,
    /// In percent of the fair share; 0 for no bound.
    pub(crate) hash_load_max_percent: u32,
    pub(crate) slow_start_ms: u32,
    pub(crate) zone_healthy_min_percent: u8,
    pub(crate) panic_percent: u8,
}

/// Where the key of a call is.
#[derive(Debug, Clone)]
pub(crate) enum Key {
    Header(HeaderName),
    Cookie(Box<str>),
    ClientAddress,
    Application,
}

impl Rules {
    /// Compiles what keeps the rules: a key is there where it is needed, and its name is a token.
    pub(crate) fn new(balancing: &Balancing) -> Self {
        let name = || balancing.hash_name.as_deref().expect("the rules want a name");
        let key = balancing.hash_on.map(|on| match on {
            HashOn::Header => {
                Key::Header(HeaderName::from_bytes(name().as_bytes()).expect("the rules want a token"))
            }
            HashOn::Cookie => Key::Cookie(name().into()),
            HashOn::ClientAddress => Key::ClientAddress,
            HashOn::Application => Key::Application,
        });
        Self {
            algorithm: balancing.algorithm,
            key,
            hash_load_max_percent: balancing.hash_load_max_percent,
            slow_start_ms: balancing.slow_start_ms,
            zone_healthy_min_percent: balancing.zone_healthy_min_percent,
            panic_percent: balancing.panic_percent,
        }
    }

    /// The key of a call, if the algorithm has one and the call carries it.
    pub(crate) fn key(
        &self,
        headers: &HeaderMap,
        address: IpAddr,
        application: Option<ApplicationId>,
    ) -> Option<u64> {
        match self.key.as_ref()? {
            Key::Header(name) => headers.get(name).map(|value| hash::of(value.as_bytes())),
            Key::Cookie(name) => cookie(headers, name).map(hash::of),
            Key::ClientAddress => Some(match address {
                IpAddr::V4(address) => hash::of(&address.octets()),
                IpAddr::V6(address) => hash::of(&address.octets()),
            }),
            Key::Application => application.map(|id| hash::of(id.uuid().as_bytes())),
        }
    }
}

fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a [u8]> {
    headers
        .get_all(COOKIE)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b';'))
        .find_map(|pair| {
            let rest = pair.trim_ascii_start().strip_prefix(name.as_bytes())?;
            rest.strip_prefix(b"=")
        })
}
