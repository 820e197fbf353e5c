//! What gRPC has its own words for: how a call ended, when it has to, and where a message in a body ends.
//!
//! A client of gRPC looks for the end of a call in `grpc-status`; a problem it would only show as text. So the
//! gateway's own answers to it are "Trailers-Only": 200 with status and message in the head.
//! Source: gRPC over HTTP/2, sections "Requests" and "Responses".

use std::time::{Duration, Instant};

use bytes::{BufMut as _, Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};

use crate::body::AnswerBody;

const STATUS: HeaderName = HeaderName::from_static("grpc-status");
const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
/// The most digits of a timeout.
const TIMEOUT_DIGITS: usize = 8;
const TIMEOUT_MOST: u64 = 99_999_999;
const DEADLINE_EXCEEDED: u16 = 4;
/// Bytes before each message of a body: flags and a length.
const PREFIX_BYTES: usize = 5;

/// The content type of a call of gRPC or gRPC-Web; none if it is none.
pub(crate) fn content_type(headers: &HeaderMap) -> Option<&HeaderValue> {
    let value = headers.get(CONTENT_TYPE)?;
    let rest = value.as_bytes().strip_prefix(b"application/grpc")?;
    matches!(rest.first(), None | Some(b'+' | b';' | b'-')).then_some(value)
}

/// A call, as far as whoever passes it on has to know.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call {
    /// When its client does not wait any more, and how many milliseconds it gave.
    due: Option<(Instant, u64)>,
}

impl Call {
    /// None if it is another request; its time runs since it `arrived`.
    pub(crate) fn of(method: &Method, headers: &HeaderMap, arrived: Instant) -> Option<Self> {
        if *method != Method::POST {
            return None;
        }
        content_type(headers)?;
        let given = headers.get(TIMEOUT).and_then(|value| timeout(value.as_bytes()));
        let due = given.and_then(|given| Some((arrived.checked_add(given)?, millis_up(given))));
        Some(Self { due })
    }

    /// What is left of the time that its client gave it.
    pub(crate) fn left(&self) -> Option<Duration> {
        let (due, _) = self.due?;
        Some(due.saturating_duration_since(Instant::now()))
    }

    /// Tells the service what is left, if some of it has been waited away.
    pub(crate) fn tell_left(&self, headers: &mut HeaderMap) {
        if let (Some(left), Some((_, given_ms))) = (self.left(), self.due)
            && millis_up(left) < given_ms
        {
            headers.insert(TIMEOUT, timeout_of(millis_up(left)));
        }
    }

    /// The status of HTTP that an answer stands for; none if it says nothing of the service.
    ///
    /// A call that fails before its first message ends in the head of an answer of 200 ("Trailers-Only").
    pub(crate) fn meaning(&self, status: StatusCode, headers: &HeaderMap) -> Option<StatusCode> {
        let ended = headers.get(STATUS).filter(|_| status == StatusCode::OK);
        match ended.and_then(|value| value.to_str().ok()?.parse().ok()) {
            None | Some(0) => Some(status),
            // Clients could make it late as they please.
            Some(DEADLINE_EXCEEDED) if self.due.is_some() => None,
            Some(ended) => Some(http_status(ended)),
        }
    }
}

/// Reads a timeout: up to eight digits and a unit.
fn timeout(text: &[u8]) -> Option<Duration> {
    let (unit, digits) = text.split_last()?;
    let is_number = (1..=TIMEOUT_DIGITS).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
    let number: u64 = std::str::from_utf8(digits)
        .ok()
        .filter(|_| is_number)?
        .parse()
        .ok()?;
    Some(match unit {
        b'H' => Duration::from_secs(number * 3600),
        b'M' => Duration::from_secs(number * 60),
        b'S' => Duration::from_secs(number),
        b'm' => Duration::from_millis(number),
        b'u' => Duration::from_micros(number),
        b'n' => Duration::from_nanos(number),
        _ => return None,
    })
}

/// A timeout as it is written; it is positive.
fn timeout_of(millis: u64) -> HeaderValue {
    let units = [("m", 1), ("S", 1_000), ("H", 3_600_000)];
    let (unit, number) = units
        .map(|(unit, length)| (unit, millis.max(1) / length))
        .into_iter()
        .find(|(_, number)| *number <= TIMEOUT_MOST)
        .unwrap_or(("H", TIMEOUT_MOST));
    HeaderValue::from_str(&format!("{number}{unit}")).expect("digits and a letter")
}

fn millis_up(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
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

/// The status of HTTP for one of gRPC: whose fault it is, and that of [`status`] turned round.
///
/// What is not implemented is what callers ask for that is not there, so it is 404 and no failure of the service.
fn http_status(status: u16) -> StatusCode {
    match status {
        1 | 3 | 9 | 11 => StatusCode::BAD_REQUEST,
        4 => StatusCode::GATEWAY_TIMEOUT,
        5 | 12 => StatusCode::NOT_FOUND,
        6 | 10 => StatusCode::CONFLICT,
        7 => StatusCode::FORBIDDEN,
        8 => StatusCode::TOO_MANY_REQUESTS,
        14 => StatusCode::SERVICE_UNAVAILABLE,
        16 => StatusCode::UNAUTHORIZED,
        // UNKNOWN, INTERNAL, DATA_LOSS, and what is no status.
        _ => StatusCode::INTERNAL_SERVER_ERROR,
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
