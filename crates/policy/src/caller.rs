//! Whose calls a limit counts together.

use std::net::IpAddr;

use domain::Code;
use http::HeaderName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::call::Call;
use crate::cells::hash;
use crate::kind::Fault;
use crate::verdict::Refusal;

/// Bits of an IPv6 address that tell clients apart, unless set: who has one has a network of 64.
pub(crate) const IPV6_PREFIX_DEFAULT: u8 = 64;

/// Whose calls are counted together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Per {
    /// Those of an application; of an address while the application is not known.
    #[default]
    Application,
    /// Those of an IPv4 address or an IPv6 network.
    Address,
    /// All calls.
    Route,
    /// Those with the same value in the header that `attribute` names; of an address if there is none.
    Header,
    /// Those with the same value of the query parameter that `attribute` names; of an address if there is none.
    Query,
    /// Those with the same value of the path parameter that `attribute` names; of an address if there is none.
    Path,
}

/// Finds the caller of a call.
#[derive(Debug)]
pub(crate) struct Counted {
    by: By,
    ipv6_bits: u32,
}

#[derive(Debug)]
enum By {
    Application,
    Address,
    Route,
    Header(HeaderName),
    Query(Box<str>),
    Path(Box<str>),
}

/// Whose calls were counted: the place of the name in [`NAMES`], and the caller's hash.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caller {
    pub(crate) name: usize,
    pub(crate) hash: u64,
}

/// What limits are called in answers.
pub(crate) const NAMES: [&str; 6] = ["application", "address", "route", "header", "query", "path"];
const APPLICATION: usize = 0;
const ADDRESS: usize = 1;
const ROUTE: usize = 2;
const HEADER: usize = 3;
const QUERY: usize = 4;
const PATH: usize = 5;
/// The kind of hash of an IPv6 network, which is no name of its own.
const IPV6: u8 = 6;

impl Counted {
    pub(crate) fn new(
        per: Per,
        attribute: Option<&str>,
        ipv6_prefix: u8,
        faults: &mut Vec<Fault>,
    ) -> Option<Self> {
        if !(1..=128).contains(&ipv6_prefix) {
            faults.push(Fault::new("/ipv6_prefix", "from 1 to 128"));
        }
        let mut fault = |detail| {
            faults.push(Fault::new("/attribute", detail));
            None
        };
        let by = match (per, attribute) {
            (Per::Application, None) => By::Application,
            (Per::Address, None) => By::Address,
            (Per::Route, None) => By::Route,
            (Per::Application | Per::Address | Per::Route, Some(_)) => {
                return fault("only `per: header`, `query` and `path` have one");
            }
            (_, None | Some("")) => return fault("which header or parameter is counted by?"),
            (Per::Header, Some(name)) => match name.parse() {
                Ok(name) => By::Header(name),
                Err(_) => return fault("this is not the name of a header"),
            },
            (Per::Query, Some(name)) => By::Query(name.into()),
            (Per::Path, Some(name)) => By::Path(name.into()),
        };
        Some(Self {
            by,
            ipv6_bits: u32::from(ipv6_prefix),
        })
    }

    /// Whether all calls are counted together.
    pub(crate) const fn is_one(&self) -> bool {
        matches!(self.by, By::Route)
    }

    /// Whose call it is; one that says so in several ways is refused, since the service may read another of them.
    pub(crate) fn find(&self, call: &Call<'_, '_>) -> Result<Caller, Refusal> {
        let found = match &self.by {
            By::Application => call.consumer.map(|consumer| {
                let id = consumer.application.id.uuid().into_bytes();
                (APPLICATION, hash(APPLICATION as u8, id))
            }),
            By::Address => None,
            By::Route => Some((ROUTE, hash(ROUTE as u8, []))),
            By::Header(name) => {
                let values = call.headers.get_all(name).iter();
                let hashes = values.map(|value| hash(HEADER as u8, value.as_bytes().iter().copied()));
                only(hashes)
                    .map_err(|Several| several("header", name.as_str()))?
                    .map(|hash| (HEADER, hash))
            }
            By::Query(name) => {
                let hashes = parameters(call.query, name).map(|value| hash(QUERY as u8, decoded(value)));
                only(hashes)
                    .map_err(|Several| several("query parameter", name))?
                    .map(|hash| (QUERY, hash))
            }
            By::Path(name) => {
                segment(call.template, call.path, name).map(|value| (PATH, hash(PATH as u8, decoded(value))))
            }
        };
        let (name, hash) = found.unwrap_or_else(|| {
            let (is_ipv6, bits) = network(call.address, self.ipv6_bits);
            let kind = if is_ipv6 { IPV6 } else { ADDRESS as u8 };
            (ADDRESS, hash(kind, bits.to_le_bytes()))
        });
        Ok(Caller { name, hash })
    }
}

/// Values that are not all the same.
#[derive(Debug, PartialEq, Eq)]
struct Several;

/// The one value that all are.
fn only(mut hashes: impl Iterator<Item = u64>) -> Result<Option<u64>, Several> {
    let first = hashes.next();
    if hashes.all(|hash| Some(hash) == first) {
        Ok(first)
    } else {
        Err(Several)
    }
}

fn several(what: &str, name: &str) -> Refusal {
    let detail =
        format!("The {what} `{name}` has several values; calls are counted by it, so it may have one.");
    Refusal::new(Code::ParameterInvalid, detail)
}

/// The bytes that a value stands for, so that nobody becomes somebody else by writing it in another way.
fn decoded(text: &[u8]) -> impl Iterator<Item = u8> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (first, after) = rest.split_first()?;
        let digit = |at: usize| char::from(*after.get(at)?).to_digit(16);
        rest = after;
        match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                rest = &after[2..];
                Some((high << 4 | low) as u8)
            }
            (b'+', ..) => Some(b' '),
            _ => Some(*first),
        }
    })
}

/// What counts as one address, and whether it is an IPv6 network.
pub(crate) fn network(address: IpAddr, ipv6_bits: u32) -> (bool, u128) {
    match address.to_canonical() {
        IpAddr::V4(address) => (false, u128::from(address.to_bits())),
        IpAddr::V6(address) => (true, address.to_bits() >> (128 - ipv6_bits.clamp(1, 128))),
    }
}

/// The values of a query parameter, as they are written; its name may be written in any way.
fn parameters<'q>(query: &'q str, name: &str) -> impl Iterator<Item = &'q [u8]> {
    let query = query.strip_prefix('?').unwrap_or(query);
    query.split('&').filter_map(move |pair| {
        let (found, value) = pair.split_once('=').unwrap_or((pair, ""));
        decoded(found.as_bytes())
            .eq(name.bytes())
            .then_some(value.as_bytes())
    })
}

/// The segment of a path that stands where a template has `{name}`, as it is written.
fn segment<'p>(template: &str, path: &'p str, name: &str) -> Option<&'p [u8]> {
    let is_it = |part: &str| {
        part.strip_prefix('{')
            .and_then(|part| part.strip_suffix('}'))
            .is_some_and(|part| part == name)
    };
    let mut parts = template.split('/').zip(path.split('/'));
    parts
        .find(|(part, _)| is_it(part))
        .map(|(_, value)| value.as_bytes())
}

#[cfg(test)]
mod tests;
