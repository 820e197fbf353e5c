//! Who a call comes from when it came through proxies that are trusted to say so.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use http::header::FORWARDED;
use http::{HeaderMap, HeaderName};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// The most hops of `Forwarded` that are looked at, from the last.
const HOPS_MAX: usize = 32;

/// Addresses that begin with the same bits: `10.0.0.0/8`, `2001:db8::/32`, or a single address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    /// As IPv6; IPv4 is mapped (RFC 4291 section 2.5.5.2).
    first: u128,
    /// From the left of the mapped address.
    bits: u32,
}

/// A text is no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a network such as 10.0.0.0/8 or 2001:db8::/32, nor an address")]
pub struct NotANetwork {
    text: String,
}

impl Network {
    /// Whether an address is in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        (mapped(address) ^ self.first) & mask(self.bits) == 0
    }
}

const fn mask(bits: u32) -> u128 {
    match bits {
        0 => 0,
        bits => u128::MAX << (128 - bits),
    }
}

fn mapped(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

impl FromStr for Network {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        let wrong = || NotANetwork {
            text: text.chars().take(64).collect(),
        };
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let (most, before) = if address.is_ipv4() { (32, 96) } else { (128, 0) };
        let bits = match bits {
            None => most,
            Some(bits) if bits.bytes().all(|byte| byte.is_ascii_digit()) => {
                bits.parse().map_err(|_| wrong())?
            }
            Some(_) => return Err(wrong()),
        };
        if bits > most {
            return Err(wrong());
        }
        let bits = before + bits;
        Ok(Self {
            first: mapped(address) & mask(bits),
            bits,
        })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = std::net::Ipv6Addr::from_bits(self.first);
        match address.to_ipv4_mapped() {
            Some(address) if self.bits >= 96 => write!(f, "{address}/{}", self.bits - 96),
            _ => write!(f, "{address}/{}", self.bits),
        }
    }
}

impl Serialize for Network {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for Network {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Network".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "Addresses that begin with the same bits: `10.0.0.0/8`, `2001:db8::/32`, or one address.",
        })
    }
}

/// The field by which trusted proxies say whom they speak for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Says {
    /// `X-Forwarded-For`.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// The address that a call came from: that of the first hop, seen from here, which is not trusted.
///
/// `peer` is where the connection came from. A trusted proxy's word is believed as far as it can be read;
/// where it cannot, the hop that wrote it is the best that is known.
pub(crate) fn client(peer: IpAddr, trusted: &[Network], says: Says, headers: &HeaderMap) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
    if !is_trusted(peer) {
        return peer;
    }
    let mut last = peer;
    let mut walk = |element: Option<IpAddr>| match element {
        None => true,
        Some(address) => {
            last = address.to_canonical();
            !is_trusted(address)
        }
    };
    match says {
        Says::XForwardedFor => {
            for field in headers.get_all(FORWARDED_FOR).iter().rev() {
                let text = field.to_str().unwrap_or_default();
                if text.rsplit(',').any(|element| walk(address(element))) {
                    break;
                }
            }
        }
        Says::Forwarded => {
            // Commas within quotes make reading from the right ambiguous.
            let mut hops = [None; HOPS_MAX];
            let mut count = 0;
            for field in headers.get_all(FORWARDED) {
                for element in pieces(field.to_str().unwrap_or_default(), ',') {
                    hops[count % HOPS_MAX] = node(element);
                    count += 1;
                }
            }
            let first = count.saturating_sub(HOPS_MAX);
            let _ = (first..count).rev().any(|index| walk(hops[index % HOPS_MAX]));
        }
    }
    last
}

/// The address of an element of `X-Forwarded-For`, with or without a port.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    if let Some(rest) = text.strip_prefix('[') {
        let (address, port) = rest.split_once(']')?;
        let is_port = port.is_empty() || port.strip_prefix(':').is_some_and(is_number);
        return address.parse().ok().filter(|_| is_port).map(IpAddr::V6);
    }
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    let (address, port) = text.rsplit_once(':')?;
    is_number(port)
        .then(|| address.parse().ok())
        .flatten()
        .map(IpAddr::V4)
}

fn is_number(text: &str) -> bool {
    (1..=5).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The address in the `for` of an element of `Forwarded`: RFC 7239 section 6.
fn node(element: &str) -> Option<IpAddr> {
    pieces(element, ';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        let value = value.trim();
        let value = value
            .strip_prefix('"')
            .and_then(|value| value.strip_suffix('"'))
            .unwrap_or(value);
        name.trim()
            .eq_ignore_ascii_case("for")
            .then(|| address(value))
            .flatten()
    })
}

/// Splits where a separator stands outside of quotes.
fn pieces(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    text.split(move |byte: char| {
        let is_end = byte == separator && !is_quoted;
        if byte == '"' && !is_escaped {
            is_quoted = !is_quoted;
        }
        is_escaped = byte == '\\' && is_quoted && !is_escaped;
        is_end
    })
}

#[cfg(test)]
mod tests;
