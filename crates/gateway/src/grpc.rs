//! What gRPC has its own words for: how a call ended, and where a message in a body ends.
//!
//! A client of gRPC looks for the end of a call in `grpc-status`; a problem it would only show as text. So the
//! gateway's own answers to it are "Trailers-Only": 200 with status and message in the head.
//! Source: gRPC over HTTP/2, sections "Requests" and "Responses".

use bytes::{BufMut as _, Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

use crate::body::AnswerBody;

const STATUS: HeaderName = HeaderName::from_static("grpc-status");
const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
/// Bytes before each message of a body: flags and a length.
const PREFIX_BYTES: usize = 5;

/// The content type of a call of gRPC or gRPC-Web; none if it is none.
pub(crate) fn content_type(headers: &HeaderMap) -> Option<&HeaderValue> {
    let value = headers.get(CONTENT_TYPE)?;
    let rest = value.as_bytes().strip_prefix(b"application/grpc")?;
    matches!(rest.first(), None | Some(b'+' | b';' | b'-')).then_some(value)
}

/// Makes an answer of ours one that a client of gRPC understands; `detail` is for people.
pub(crate) fn answer(
    response: Response<AnswerBody>,
    content_type: HeaderValue,
    detail: &str,
) -> Response<AnswerBody> {
    let (mut head, _) = response.into_parts();
    let status = status(head.status);
    head.status = StatusCode::OK;
    head.headers.remove(CONTENT_LENGTH);
    head.headers.insert(CONTENT_TYPE, content_type);
    head.headers.insert(STATUS, HeaderValue::from(status));
    head.headers.insert(MESSAGE, message(detail));
    Response::from_parts(head, AnswerBody::own(Bytes::new()))
}

/// The end of an answer of ours, behind its messages.
pub(crate) fn trailers(status: u16) -> HeaderMap {
    HeaderMap::from_iter([(STATUS, HeaderValue::from(status))])
}

/// An answer of ours that has nothing but its end; `detail` is for people.
pub(crate) fn failed(status: u16, detail: &str) -> Response<AnswerBody> {
    let mut response = Response::new(AnswerBody::own(Bytes::new()));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(STATUS, HeaderValue::from(status));
    headers.insert(MESSAGE, message(detail));
    response
}

/// A message as it stands in a body.
pub(crate) fn enveloped(flags: u8, message: &[u8]) -> Bytes {
    let mut bytes = BytesMut::with_capacity(PREFIX_BYTES + message.len());
    bytes.put_u8(flags);
    bytes.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    bytes.put_slice(message);
    bytes.freeze()
}

/// The one message that a body holds.
///
/// # Errors
/// It is another body: what people are told of it.
pub(crate) fn only_message(body: &[u8]) -> Result<&[u8], &'static str> {
    let Some((prefix, message)) = body.split_first_chunk::<PREFIX_BYTES>() else {
        return Err("the body is no message of gRPC: five bytes come before each");
    };
    let [flags, length @ ..] = *prefix;
    if flags != 0 {
        return Err("the message is compressed, which is not understood here");
    }
    if u32::from_be_bytes(length) as usize != message.len() {
        return Err("the body is not one message of the length that it says");
    }
    Ok(message)
}

/// The status of gRPC for one of HTTP.
///
/// Where gRPC's own table ("HTTP to gRPC Status Code Mapping") is for proxies that know nothing of gRPC, this one
/// says more: who is refused for a limit is told so.
const fn status(status: StatusCode) -> u16 {
    match status.as_u16() {
        401 => 16,                   // UNAUTHENTICATED
        403 => 7,                    // PERMISSION_DENIED
        404 | 405 | 410 | 501 => 12, // UNIMPLEMENTED
        408 | 504 => 4,              // DEADLINE_EXCEEDED
        409 => 10,                   // ABORTED
        413 | 429 | 431 => 8,        // RESOURCE_EXHAUSTED
        400 | 421 | 422 => 3,        // INVALID_ARGUMENT
        502 | 503 => 14,             // UNAVAILABLE
        _ => 13,                     // INTERNAL
    }
}

/// A text as `grpc-message`: percent-encoded but for visible ASCII and spaces.
fn message(text: &str) -> HeaderValue {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' '..=b'~' if byte != b'%' => encoded.push(char::from(byte)),
            _ => {
                encoded.push('%');
                for digit in [byte >> 4, byte & 15] {
                    encoded.push(char::from(b"0123456789ABCDEF"[usize::from(digit)]));
                }
            }
        }
    }
    HeaderValue::from_str(&encoded).expect("visible ASCII")
}

#[cfg(test)]
mod tests;
