//! The head of an upstream's answer, and what it says about the body that follows.

use std::mem::MaybeUninit;

use bytes::{Bytes, BytesMut};
use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version};
use memchr::memchr_iter;

/// The largest head that is taken; the upstream is ours, so this only bounds what an accident costs.
pub(super) const HEAD_BYTES_MAX: usize = 256 * 1024;
const FIELDS_MAX: usize = 256;
/// Fields that are added on the way to the client.
const FIELDS_ADDED: usize = 6;

/// Why what an upstream sent is not an answer, or not one whose end is beyond doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Invalid {
    #[error("the head is not HTTP/1: {0}")]
    Head(#[from] httparse::Error),
    #[error("the head does not end")]
    Endless,
    #[error("the head is larger than {HEAD_BYTES_MAX} bytes")]
    TooLarge,
    #[error("Content-Length is not one decimal number")]
    ContentLength,
    #[error("Transfer-Encoding is not `chunked`, once")]
    TransferEncoding,
    #[error("there are both Content-Length and Transfer-Encoding")]
    BothLengths,
    #[error("it switches protocols without being asked")]
    Switching,
    #[error("interim answers do not end")]
    Interim,
    #[error("the status is out of range")]
    Status,
    #[error("the trailer section is malformed")]
    Trailer,
    #[error("the chunks are malformed")]
    Chunks,
}

/// An answer's head but for its fields.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) version: Version,
    pub(super) body: Length,
    /// Whether the connection may carry another exchange.
    pub(super) is_persistent: bool,
}

/// How the end of a body is found: RFC 9112 section 6.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Length {
    Bytes(u64),
    Chunked,
    UntilClose,
}

/// Where the head at the beginning of `bytes` ends; the first `searched` of them hold no end.
pub(super) fn head_end(bytes: &[u8], searched: usize) -> Option<usize> {
    // An end may have begun in what was searched before.
    let from = searched.saturating_sub(2);
    memchr_iter(b'\n', &bytes[from..]).find_map(|place| match &bytes[from + place + 1..] {
        [b'\n', ..] => Some(from + place + 2),
        [b'\r', b'\n', ..] => Some(from + place + 3),
        _ => None,
    })
}

/// Takes a head of `length` bytes from what was read; its fields replace those in `headers`.
pub(super) fn take(
    input: &mut BytesMut,
    length: usize,
    method: &Method,
    headers: &mut HeaderMap,
) -> Result<Answer, Invalid> {
    let head = input.split_to(length).freeze();
    let mut fields = [const { MaybeUninit::uninit() }; FIELDS_MAX];
    let mut parsed = httparse::Response::new(&mut []);
    let status = httparse::ParserConfig::default().parse_response_with_uninit_headers(
        &mut parsed,
        &head,
        &mut fields,
    )?;
    if status.is_partial() {
        return Err(Invalid::Endless);
    }
    let version = match parsed.version {
        Some(1) => Version::HTTP_11,
        _ => Version::HTTP_10,
    };
    let status = StatusCode::from_u16(parsed.code.unwrap_or_default()).map_err(|_| Invalid::Status)?;
    headers.clear();
    headers.reserve(parsed.headers.len() + FIELDS_ADDED);
    let mut framing = Framing::default();
    for field in parsed.headers.iter() {
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| httparse::Error::HeaderName)?;
        let value = value(&head, field.value)?;
        framing.note(&name, &value)?;
        headers.append(name, value);
    }
    let is_persistent = match version {
        Version::HTTP_11 => !framing.closes,
        _ => framing.keeps,
    };
    let body = framing.body(method, status, version)?;
    Ok(Answer {
        status,
        version,
        is_persistent: is_persistent && body != Length::UntilClose,
        body,
    })
}

/// A trailer section, from its first field to the empty line behind the last one.
pub(super) fn trailers(section: &Bytes) -> Result<HeaderMap, Invalid> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX / 4];
    let parsed = httparse::parse_headers(section, &mut fields).map_err(|_| Invalid::Trailer)?;
    let httparse::Status::Complete((_, fields)) = parsed else {
        return Err(Invalid::Trailer);
    };
    let mut trailers = HeaderMap::with_capacity(fields.len());
    for field in fields {
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| Invalid::Trailer)?;
        if is_trailer(&name) {
            trailers.append(name, value(section, field.value)?);
        }
    }
    Ok(trailers)
}

/// Whether a field may come after a body: none that says how to read the message (RFC 9110 section 6.5.1).
pub(super) fn is_trailer(name: &HeaderName) -> bool {
    !matches!(
        name.as_str(),
        "content-length"
            | "transfer-encoding"
            | "trailer"
            | "host"
            | "connection"
            | "content-encoding"
            | "content-type"
            | "content-range"
            | "authorization"
            | "set-cookie"
    )
}

/// A part of a message as a field's value, without copying it.
fn value(message: &Bytes, part: &[u8]) -> Result<HeaderValue, Invalid> {
    let part = if part.is_empty() {
        Bytes::new()
    } else {
        message.slice_ref(part)
    };
    HeaderValue::from_maybe_shared(part).map_err(|_| Invalid::Head(httparse::Error::HeaderValue))
}

/// What the fields of a head say about where the message ends.
#[derive(Debug, Default)]
struct Framing {
    length: Option<u64>,
    is_chunked: bool,
    closes: bool,
    keeps: bool,
}

impl Framing {
    fn note(&mut self, name: &HeaderName, value: &HeaderValue) -> Result<(), Invalid> {
        if *name == CONTENT_LENGTH {
            let number = crate::framing::length(value.as_bytes()).ok_or(Invalid::ContentLength)?;
            // The same thing said twice is an accident of many services, two things are not.
            if self.length.replace(number).is_some_and(|known| known != number) {
                return Err(Invalid::ContentLength);
            }
        } else if *name == TRANSFER_ENCODING {
            if self.is_chunked || !value.as_bytes().eq_ignore_ascii_case(b"chunked") {
                return Err(Invalid::TransferEncoding);
            }
            self.is_chunked = true;
        } else if *name == CONNECTION {
            for word in value.as_bytes().split(|byte| *byte == b',') {
                self.closes |= word.trim_ascii().eq_ignore_ascii_case(b"close");
                self.keeps |= word.trim_ascii().eq_ignore_ascii_case(b"keep-alive");
            }
        }
        Ok(())
    }

    fn body(&self, method: &Method, status: StatusCode, version: Version) -> Result<Length, Invalid> {
        let is_without =
            *method == Method::HEAD || status.is_informational() || matches!(status.as_u16(), 204 | 304);
        match (self.is_chunked, self.length) {
            _ if is_without => Ok(Length::Bytes(0)),
            (true, Some(_)) => Err(Invalid::BothLengths),
            (true, None) if version == Version::HTTP_10 => Err(Invalid::TransferEncoding),
            (true, None) => Ok(Length::Chunked),
            (false, Some(length)) => Ok(Length::Bytes(length)),
            (false, None) => Ok(Length::UntilClose),
        }
    }
}
