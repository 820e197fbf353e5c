//! The host that requests of a connection name, and what upstreams hear of both: it hardly ever changes.

use std::net::IpAddr;
use std::ops::Range;

use bytes::Bytes;
use http::header::HOST;
use http::{HeaderMap, HeaderValue, Uri};

use crate::place;
use crate::refusal::Cause;

/// What [`Named::lines`] take beside the host, which is in them twice.
const LINES_BYTES: usize = 256;

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
    pub(crate) lines: Bytes,
}

impl Named {
    /// Reads the host that a request names, on a connection from `address`.
    pub(crate) fn read(
        (uri, headers): (&Uri, &HeaderMap),
        address: (IpAddr, &HeaderValue),
        scheme: &str,
    ) -> Result<Self, Cause> {
        let host = place::host(uri, headers)?;
        let said = host.header.as_bytes();
        let mut lines = Lines(Vec::with_capacity(LINES_BYTES + 2 * said.len()));
        lines.add("x-forwarded-for", &[address.1.as_bytes()]);
        let (before, after) = match address.0 {
            IpAddr::V4(_) => (&b"for="[..], &b""[..]),
            IpAddr::V6(_) => (&b"for=\"["[..], &b"]\""[..]),
        };
        let forwarded = lines.add(
            "forwarded",
            &[
                before,
                address.1.as_bytes(),
                after,
                b";host=\"",
                // Nothing in it has to be escaped: it was read as a host.
                said,
                b"\";proto=",
                scheme.as_bytes(),
            ],
        );
        let header = lines.add("x-forwarded-host", &[said]);
        lines.add("x-forwarded-proto", &[scheme.as_bytes()]);
        lines.add("via", &[b"1.1 gateline"]);
        let lines = Bytes::from(lines.0);
        let value = |part: Range<usize>| {
            HeaderValue::from_maybe_shared(lines.slice(part)).expect("made of parts of values")
        };
        Ok(Self {
            name: host.name.into(),
            header: value(header),
            forwarded: value(forwarded),
            lines,
        })
    }

    /// Whether a request names the same host in the same way.
    pub(crate) fn fits(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        let mut fields = headers.get_all(HOST).iter();
        let said = match (uri.authority(), fields.next()) {
            (None, Some(field)) => field.as_bytes(),
            (Some(authority), None) => authority.as_str().as_bytes(),
            _ => return false,
        };
        said == self.header.as_bytes() && fields.next().is_none()
    }
}

/// Header fields as HTTP/1 has them.
struct Lines(Vec<u8>);

impl Lines {
    /// Adds a field whose value has these parts; says where that is.
    fn add(&mut self, name: &str, value: &[&[u8]]) -> Range<usize> {
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b": ");
        let begins = self.0.len();
        for part in value {
            self.0.extend_from_slice(part);
        }
        let ends = self.0.len();
        self.0.extend_from_slice(b"\r\n");
        begins..ends
    }
}
