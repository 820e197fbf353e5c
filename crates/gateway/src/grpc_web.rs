//! gRPC-Web into gRPC and back: what browsers can send and read.
//!
//! The messages are the same; what differs are the content type, trailers that become the last frame of the body,
//! and for `-text` a body in base 64. Source: gRPC-Web, "Protocol differences vs gRPC over HTTP2".

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{BufMut as _, Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, TE};
use http::{HeaderMap, HeaderValue};
use hyper::body::Frame;

const WEB: &[u8] = b"application/grpc-web";
const TEXT: &[u8] = b"application/grpc-web-text";
const GRPC: &[u8] = b"application/grpc";
/// Bytes before each message: a flag and a length.
const PREFIX_BYTES: usize = 5;
/// The flag of a frame that holds trailers.
const TRAILERS: u8 = 0x80;

/// How a client writes gRPC-Web.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Binary,
    /// In base 64.
    Text,
}

/// A body that should be base 64 is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotBase64;

/// How a call of gRPC-Web is written; none if it is no such call.
pub(crate) fn form(headers: &HeaderMap) -> Option<Form> {
    let kind = headers.get(CONTENT_TYPE)?.as_bytes();
    let is = |form: &[u8]| {
        let rest = kind.strip_prefix(form);
        rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
    };
    if is(TEXT) {
        return Some(Form::Text);
    }
    is(WEB).then_some(Form::Binary)
}

/// Makes the head of a call that of gRPC.
pub(crate) fn request_head(headers: &mut HeaderMap, form: Form) {
    change_type(headers, form.name(), GRPC);
    headers.remove(CONTENT_LENGTH);
    headers.insert(TE, HeaderValue::from_static("trailers"));
}

/// Makes the head of an answer that of gRPC-Web; whether it is an answer of gRPC at all.
pub(crate) fn answer_head(headers: &mut HeaderMap, form: Form) -> bool {
    let is_grpc = change_type(headers, GRPC, form.name());
    if is_grpc {
        headers.remove(CONTENT_LENGTH);
    }
    is_grpc
}

impl Form {
    const fn name(self) -> &'static [u8] {
        match self {
            Self::Binary => WEB,
            Self::Text => TEXT,
        }
    }
}

/// Replaces the beginning of the content type; whether it was the expected one.
fn change_type(headers: &mut HeaderMap, from: &[u8], to: &[u8]) -> bool {
    let rest = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.as_bytes().strip_prefix(from));
    let Some(rest) = rest else {
        return false;
    };
    let changed = HeaderValue::from_bytes(&[to, rest].concat()).expect("made of a value");
    headers.insert(CONTENT_TYPE, changed);
    true
}

/// Reads a request's body.
#[derive(Debug)]
pub(crate) struct Decoder {
    form: Form,
    /// Characters of a group of four that is not whole yet.
    kept: Vec<u8>,
}

impl Decoder {
    pub(crate) const fn new(form: Form) -> Self {
        Self {
            form,
            kept: Vec::new(),
        }
    }

    /// The next part of the body; empty if more has to come first.
    pub(crate) fn decode(&mut self, data: Bytes) -> Result<Bytes, NotBase64> {
        if self.form == Form::Binary {
            return Ok(data);
        }
        let mut text = std::mem::take(&mut self.kept);
        text.extend(data.iter().filter(|byte| !byte.is_ascii_whitespace()));
        let whole = text.len() / 4 * 4;
        self.kept = text.split_off(whole);
        let mut decoded = Vec::with_capacity(whole / 4 * 3);
        for part in parts(&text) {
            STANDARD.decode_vec(part, &mut decoded).map_err(|_| NotBase64)?;
        }
        Ok(decoded.into())
    }

    /// Whether the body may end here.
    pub(crate) const fn is_whole(&self) -> bool {
        self.kept.is_empty()
    }
}

/// Cuts base 64 behind each padded group of four: a stream may hold parts that were padded each by itself.
fn parts(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let padded = rest.chunks(4).position(|group| group.ends_with(b"="));
        let end = padded.map_or(rest.len(), |index| index * 4 + 4);
        let (part, after) = rest.split_at(end);
        rest = after;
        (!part.is_empty()).then_some(part)
    })
}

/// Writes an answer's body.
#[derive(Debug)]
pub(crate) struct Encoder {
    form: Form,
    /// Bytes that make no group of three yet.
    kept: Vec<u8>,
    /// What of the next message's prefix came.
    prefix: [u8; PREFIX_BYTES],
    prefix_bytes: usize,
    /// Bytes of the message that are still to come.
    left: usize,
}

impl Encoder {
    pub(crate) const fn new(form: Form) -> Self {
        Self {
            form,
            kept: Vec::new(),
            prefix: [0; PREFIX_BYTES],
            prefix_bytes: 0,
            left: 0,
        }
    }

    /// The next part of the body: trailers become data.
    pub(crate) fn encode(&mut self, frame: Frame<Bytes>) -> Frame<Bytes> {
        let data = match frame.into_data() {
            Ok(data) => data,
            Err(frame) => match frame.into_trailers() {
                Ok(trailers) => trailers_frame(&trailers),
                Err(frame) => return frame,
            },
        };
        if self.form == Form::Binary {
            return Frame::data(data);
        }
        let mut text = String::with_capacity(data.len() / 3 * 4 + 8);
        let mut rest = &data[..];
        while !rest.is_empty() {
            let (part, is_end) = self.part(rest);
            self.kept.extend_from_slice(&rest[..part]);
            // Whoever waits for this message gets all of it.
            let whole = if is_end {
                self.kept.len()
            } else {
                self.kept.len() / 3 * 3
            };
            STANDARD.encode_string(&self.kept[..whole], &mut text);
            self.kept.drain(..whole);
            rest = &rest[part..];
        }
        Frame::data(text.into())
    }

    /// How much of `bytes` belongs to the message that is under way, and whether it ends there.
    fn part(&mut self, bytes: &[u8]) -> (usize, bool) {
        let known = self.prefix_bytes;
        let of_prefix = (PREFIX_BYTES - known).min(bytes.len());
        self.prefix[known..known + of_prefix].copy_from_slice(&bytes[..of_prefix]);
        self.prefix_bytes += of_prefix;
        if self.prefix_bytes < PREFIX_BYTES {
            return (of_prefix, false);
        }
        if of_prefix > 0 {
            let [_, length @ ..] = self.prefix;
            self.left = u32::from_be_bytes(length) as usize;
        }
        let of_message = self.left.min(bytes.len() - of_prefix);
        self.left -= of_message;
        let is_end = self.left == 0;
        if is_end {
            self.prefix_bytes = 0;
        }
        (of_prefix + of_message, is_end)
    }
}

/// Trailers as the last frame of a body: names in lower case, a line each.
fn trailers_frame(trailers: &HeaderMap) -> Bytes {
    let mut lines = BytesMut::new();
    for (name, value) in trailers {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            lines.extend_from_slice(part);
        }
    }
    let mut frame = BytesMut::with_capacity(PREFIX_BYTES + lines.len());
    frame.put_u8(TRAILERS);
    frame.put_u32(u32::try_from(lines.len()).expect("trailers are bounded"));
    frame.extend_from_slice(&lines);
    frame.freeze()
}

#[cfg(test)]
mod tests;
