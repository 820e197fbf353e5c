//! Version 1: a line of text.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use memchr::memchr;

use super::{Ends, Header, Invalid};

/// The longest line, its end included: section 2.1.
const BYTES_MAX: usize = 107;
const BEGIN: &[u8] = b"PROXY ";

pub(super) fn read(bytes: &[u8]) -> Result<Option<Header>, Invalid> {
    let known = bytes.len().min(BEGIN.len());
    if bytes[..known] != BEGIN[..known] {
        return Err(Invalid::None);
    }
    let bytes = &bytes[..bytes.len().min(BYTES_MAX)];
    let Some(end) = memchr(b'\n', bytes) else {
        return if bytes.len() == BYTES_MAX {
            Err(Invalid::Line)
        } else {
            Ok(None)
        };
    };
    let line = bytes[BEGIN.len()..end].strip_suffix(b"\r").ok_or(Invalid::Line)?;
    let line = std::str::from_utf8(line).map_err(|_| Invalid::Line)?;
    Ok(Some(Header {
        length: end + 1,
        ends: ends(line).ok_or(Invalid::Line)?,
    }))
}

/// Reads what stands behind `PROXY `; the inner nothing is for what cannot be said.
fn ends(line: &str) -> Option<Option<Ends>> {
    let (family, rest) = line.split_once(' ').unwrap_or((line, ""));
    if family == "UNKNOWN" {
        // Whatever follows is to be ignored.
        return Some(None);
    }
    let mut words = rest.split(' ');
    let mut word = || words.next();
    let address = |text: &str| match family {
        "TCP4" => parsed(text).map(IpAddr::V4),
        "TCP6" => parsed(text).map(IpAddr::V6),
        _ => None,
    };
    let (source, destination) = (address(word()?)?, address(word()?)?);
    let (from, to) = (port(word()?)?, port(word()?)?);
    if word().is_some() {
        return None;
    }
    Some(Some(Ends {
        source: SocketAddr::new(source, from),
        destination: SocketAddr::new(destination, to),
    }))
}

fn parsed<T: FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}

/// A number as one writes it: no sign, no zero in front.
fn port(text: &str) -> Option<u16> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if is_plain { text.parse().ok() } else { None }
}

pub(super) fn write(ends: Option<&Ends>) -> Box<[u8]> {
    let line = match ends {
        None => "PROXY UNKNOWN\r\n".to_owned(),
        Some(Ends { source, destination }) => {
            let family = if source.is_ipv4() { "TCP4" } else { "TCP6" };
            format!(
                "PROXY {family} {} {} {} {}\r\n",
                source.ip(),
                destination.ip(),
                source.port(),
                destination.port()
            )
        }
    };
    line.into_bytes().into()
}
