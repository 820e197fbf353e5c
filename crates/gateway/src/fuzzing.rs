//! Doors for the fuzz targets of `fuzz/`; there only when they are built.

mod forwarded;

use std::net::SocketAddr;

use bytes::Bytes;
use domain::traffic::ProxyVersion;
use http::HeaderMap;
use hyper::body::Frame;

use crate::framing::HeadLimits;
use crate::grpc;
use crate::grpc_web::{Decoder, Encoder, Form};
use crate::h1::foreign;
#[cfg(feature = "http3")]
use crate::h3;
use crate::place;
use crate::proxies::{self, Network, Says};
use crate::proxy_protocol;

pub use self::forwarded::downgrade;

const LIMITS: HeadLimits = HeadLimits {
    bytes_max: 16 * 1024,
    fields_max: 100,
};

/// Reads the requests that a client sends, whole and in pieces of the size that the first byte says.
///
/// Panics if that makes a difference.
pub fn request(bytes: &[u8]) {
    let Some((size, bytes)) = bytes.split_first() else {
        return;
    };
    let pieces = bytes.chunks(usize::from(*size).max(1));
    let read = foreign::requests(LIMITS, [bytes].into_iter());
    assert_eq!(
        foreign::requests(LIMITS, pieces),
        read,
        "where bytes are cut decides what they mean"
    );
    forwarded::check_all(&read);
}

/// Reads and writes gRPC-Web as text, in pieces of the size that the first byte says.
///
/// Panics if what was written is not what is read.
pub fn grpc_web(bytes: &[u8]) {
    let Some((size, bytes)) = bytes.split_first() else {
        return;
    };
    let _ = Decoder::new(Form::Text).decode(Bytes::copy_from_slice(bytes));
    let (mut encoder, mut decoder) = (Encoder::new(Form::Text), Decoder::new(Form::Text));
    let mut read = Vec::new();
    for piece in bytes.chunks(usize::from(*size).max(1)) {
        let text = encoder.encode(Frame::data(Bytes::copy_from_slice(piece)));
        let text = text
            .into_data()
            .unwrap_or_else(|_| unreachable!("data stays data"));
        read.extend_from_slice(&decoder.decode(text).expect("what was written"));
    }
    assert!(bytes.starts_with(&read), "the beginning of what was written");
}

/// The one message that a body of gRPC holds, if it is such a body.
///
/// Panics if it is written as another one.
pub fn grpc(body: &[u8]) -> Option<&[u8]> {
    let message = grpc::only_message(body).ok()?;
    assert_eq!(grpc::enveloped(0, message), body, "another body");
    Some(message)
}

/// Reads what an upstream sends: a head and chunks, whole and in pieces.
///
/// Panics if the pieces say something else.
pub fn answer(bytes: &[u8]) {
    let _ = foreign::head(bytes);
    let Some((size, bytes)) = bytes.split_first() else {
        return;
    };
    let pieces: Vec<&[u8]> = bytes.chunks(usize::from(*size).max(1)).collect();
    assert_eq!(foreign::dechunk(&pieces), foreign::dechunk(&[bytes]));
}

/// Reads the body of a client's request in chunks; panics if an independent reader sees another body.
pub fn chunked(bytes: &[u8]) {
    let Some((size, bytes)) = bytes.split_first() else {
        return;
    };
    let head = b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
    let whole = [head, bytes].concat();
    let read = foreign::requests(LIMITS, [&whole[..]].into_iter());
    let pieces = whole.chunks(usize::from(*size).max(1));
    assert_eq!(foreign::requests(LIMITS, pieces), read, "pieces");
    let body = read.bodies.first().expect("the head is right");
    match forwarded::naive_chunks(bytes) {
        Some((naive, rest)) if read.violation.is_none() || read.heads.len() > 1 => {
            assert_eq!(*body, naive, "another body");
            assert!(read.is_between || read.heads.len() > 1, "it did not end");
            let next = foreign::requests(LIMITS, [rest].into_iter());
            assert_eq!(read.heads[1..], next.heads, "what follows");
        }
        // Whoever reads leniently sees an end where there is none, or what was refused.
        Some((naive, _)) => assert!(naive.starts_with(body) || read.violation.is_some()),
        None => assert!(read.heads.len() == 1 && !read.is_between, "an end that is none"),
    }
}

/// Reads what proxies say of a client; panics if an address is believed that nobody trusted has said.
pub fn proxies(bytes: &[u8]) {
    let peer = [10, 0, 0, 1].into();
    let mut headers = HeaderMap::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        if let Ok(value) = http::HeaderValue::from_bytes(line) {
            headers.append("x-forwarded-for", value.clone());
            headers.append("forwarded", value);
        }
    }
    let nobody: [Network; 0] = [];
    let some: [Network; 2] = ["10.0.0.0/8", "2001:db8::/32"].map(|text| text.parse().expect("a network"));
    for says in [Says::XForwardedFor, Says::Forwarded] {
        assert_eq!(proxies::client(peer, &nobody, says, &headers), peer);
        let found = proxies::client(peer, &some, says, &headers);
        let same = proxies::client(peer, &some, says, &headers);
        assert_eq!(found, same);
        // Everything behind the first that is not trusted is hearsay: appending it changes nothing.
        if !some.iter().any(|network| network.contains(found)) {
            for name in ["x-forwarded-for", "forwarded"] {
                let values: Vec<_> = headers.get_all(name).iter().cloned().collect();
                headers.insert(name, http::HeaderValue::from_static("for=192.0.2.9, 192.0.2.9"));
                for value in values {
                    headers.append(name, value);
                }
            }
            let still = proxies::client(peer, &some, says, &headers);
            assert!(still == found || says == Says::Forwarded, "hearsay was believed");
        }
    }
}

/// Reads a PROXY header, whole and cut anywhere.
///
/// Panics if a part of it is taken for something else than the beginning, or if what is written of it reads otherwise.
pub fn proxy(bytes: &[u8]) {
    let Ok(Some(header)) = proxy_protocol::read(bytes) else {
        return;
    };
    for cut in 0..header.length {
        assert_eq!(proxy_protocol::read(&bytes[..cut]), Ok(None), "cut at {cut}");
    }
    let Some(ends) = header.ends else { return };
    for version in [ProxyVersion::V1, ProxyVersion::V2] {
        let again = proxy_protocol::read(&proxy_protocol::write(version, Some(&ends)));
        let again = again
            .expect("what was written")
            .expect("all of it")
            .ends
            .expect("both ends");
        let canonical = |address: SocketAddr| (address.ip().to_canonical(), address.port());
        assert_eq!(canonical(again.source), canonical(ends.source));
        assert_eq!(canonical(again.destination), canonical(ends.destination));
    }
}

/// Reads what a client sends over HTTP/3: frames of a stream, heads in them, and what QPACK says; whole and in pieces.
///
/// Panics if the pieces say something else, or if a head passes with what no head may have.
#[cfg(feature = "http3")]
pub fn http3(bytes: &[u8]) {
    let Some((size, bytes)) = bytes.split_first() else {
        return;
    };
    let pieces = bytes.chunks(usize::from(*size).max(1));
    let found = h3::foreign::read(LIMITS, pieces);
    assert_eq!(found, h3::foreign::read(LIMITS, [bytes].into_iter()));
    for (name, value) in found.iter().flat_map(|head| &head.1) {
        assert!(
            !matches!(name.as_str(), "connection" | "transfer-encoding" | "upgrade"),
            "{name}"
        );
        assert!(
            !value
                .as_bytes()
                .iter()
                .any(|byte| matches!(byte, 0 | b'\r' | b'\n')),
            "{name}"
        );
    }
}

/// Reads a path; panics if one with a dot segment passes.
pub fn path(bytes: &[u8]) {
    let Ok(path) = std::str::from_utf8(bytes) else {
        return;
    };
    if place::check_path(path).is_ok() {
        let decoded = path.replace("%2e", ".").replace("%2E", ".").replace("%2f", "/");
        let decoded = decoded
            .replace("%2F", "/")
            .replace("%5c", "/")
            .replace("%5C", "/")
            .replace('\\', "/");
        assert!(
            !decoded.split('/').any(|segment| matches!(segment, "." | "..")),
            "{path}"
        );
    }
}
