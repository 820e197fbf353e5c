//! The handshake of a WebSocket: RFC 6455 section 4.

use aws_lc_rs::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY};
use http::{HeaderMap, HeaderValue};

use crate::core::Ids;

/// What the key is hashed with: RFC 6455 section 1.3.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// A key for a client that needs none: HTTP/2 has another handshake.
pub(crate) fn key(ids: &Ids) -> HeaderValue {
    let mut nonce = [0; 16];
    nonce[..8].copy_from_slice(&ids.random().to_le_bytes());
    nonce[8..].copy_from_slice(&ids.random().to_le_bytes());
    HeaderValue::from_str(&STANDARD.encode(nonce)).expect("base 64 is visible ASCII")
}

/// Whether a client has what it takes to ask.
pub(crate) fn is_asked(headers: &HeaderMap) -> bool {
    headers.contains_key(SEC_WEBSOCKET_KEY)
}

/// What the upstream has to answer to a client.
pub(crate) fn accept(headers: &HeaderMap) -> Option<String> {
    let mut hash = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    hash.update(headers.get(SEC_WEBSOCKET_KEY)?.as_bytes());
    hash.update(GUID);
    Some(STANDARD.encode(hash.finish()))
}

/// Whether that is what it has answered; otherwise it may be a cache that knows nothing of WebSockets.
pub(crate) fn is_accepted(headers: &HeaderMap, expected: &str) -> bool {
    let accept = headers.get(SEC_WEBSOCKET_ACCEPT);
    accept.is_some_and(|accept| accept.as_bytes() == expected.as_bytes())
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::{accept, is_accepted, is_asked};

    #[test]
    fn the_example_of_the_standard() {
        let mut headers = HeaderMap::new();
        assert!(!is_asked(&headers) && accept(&headers).is_none());
        headers.insert("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==".parse().unwrap());
        let expected = accept(&headers).unwrap();
        assert_eq!(expected, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        headers.insert("sec-websocket-accept", expected.parse().unwrap());
        assert!(is_accepted(&headers, &expected) && !is_accepted(&headers, "other"));
    }
}
