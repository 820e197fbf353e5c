//! The host that requests of a connection name, and what upstreams hear of both: it hardly ever changes.

use std::fmt::Write as _;
use std::net::IpAddr;

use http::header::HOST;
use http::{HeaderMap, HeaderValue, Method, Uri};

use crate::place;
use crate::refusal::Cause;

/// A host with what follows from it on a connection.
#[derive(Debug)]
pub(crate) struct Named {
    /// In lower case, without port; empty if the client named none.
    pub(crate) name: Box<str>,
    /// As the client wrote it.
    pub(crate) header: HeaderValue,
    /// The element of `Forwarded` (RFC 7239).
    pub(crate) forwarded: HeaderValue,
    /// What an upstream with HTTP/1.1 hears of a client with HTTP/1.1 whom nobody speaks for.
    pub(crate) lines: Box<[u8]>,
}

impl Named {
    /// Reads the host that a request names, on a connection from `address`.
    pub(crate) fn read(
        (method, uri, headers): (&Method, &Uri, &HeaderMap),
        address: (IpAddr, &HeaderValue),
        scheme: &str,
    ) -> Result<Self, Cause> {
        let host = place::host(method, uri, headers)?;
        // A copy: the field is a part of the buffer that the head was read into.
        let header = HeaderValue::from_bytes(host.header.as_bytes()).expect("was a value before");
        let forwarded = forwarded(&header, address.0, scheme);
        let mut lines = Vec::with_capacity(256);
        for (name, value) in [
            ("x-forwarded-for", address.1.as_bytes()),
            ("forwarded", forwarded.as_bytes()),
            ("x-forwarded-host", header.as_bytes()),
            ("x-forwarded-proto", scheme.as_bytes()),
            ("via", b"1.1 gateline"),
        ] {
            for part in [name.as_bytes(), b": ", value, b"\r\n"] {
                lines.extend_from_slice(part);
            }
        }
        Ok(Self {
            name: host.name.into(),
            header,
            forwarded,
            lines: lines.into(),
        })
    }

    /// Whether a request names the same host in the same way.
    pub(crate) fn fits(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> bool {
        let mut fields = headers.get_all(HOST).iter();
        let said = match (uri.authority(), fields.next()) {
            (None, Some(field)) => field.as_bytes(),
            (Some(authority), None) => authority.as_str().as_bytes(),
            _ => return false,
        };
        said == self.header.as_bytes() && fields.next().is_none() && *method != Method::CONNECT
    }
}

fn forwarded(host: &HeaderValue, address: IpAddr, scheme: &str) -> HeaderValue {
    let mut text = String::from("for=");
    let _ = match address {
        IpAddr::V4(address) => write!(text, "{address}"),
        IpAddr::V6(address) => write!(text, "\"[{address}]\""),
    };
    if let Some(host) = host.to_str().ok().filter(|host| !host.contains(['"', '\\'])) {
        let _ = write!(text, ";host=\"{host}\"");
    }
    let _ = write!(text, ";proto={scheme}");
    HeaderValue::from_str(&text).expect("made of visible ASCII")
}
