//! What a client of HTTP/1 is answered: heads, and how they say where the body ends.

use bytes::BytesMut;
use http::response::Parts;
use http::{HeaderMap, Method, Response, StatusCode};
use hyper::body::Body as _;

use super::outgoing::{Coding, Outgoing};
use super::write_field;
use crate::body::AnswerBody;
use crate::core::Core;
use crate::handle::Tail;

/// Interim answers that wait for their client; further ones are left out.
const INTERIM_BYTES_MAX: usize = 64 * 1024;

/// What the answer to a request depends on.
pub(super) struct Asked {
    pub(super) method: Method,
    pub(super) is_old: bool,
    pub(super) is_persistent: bool,
    /// Whether only the end of the connection tells where the answer ends.
    pub(super) is_until_close: bool,
    pub(super) takes_trailers: bool,
}

/// Puts the head of an answer into the buffer, with what the body needs.
pub(super) fn begin(
    core: &Core,
    (response, tail): (Response<AnswerBody>, &Tail),
    asked: &mut Asked,
    outgoing: &mut Outgoing<AnswerBody>,
) {
    let (mut head, body) = response.into_parts();
    let has_none = asked.method == Method::HEAD || matches!(head.status.as_u16(), 204 | 304);
    let is_end = has_none || body.is_end_stream();
    let length = if has_none {
        Length::Unsaid
    } else if is_end {
        Length::Known(0)
    } else {
        body.size_hint().exact().map_or(Length::Unknown, Length::Known)
    };
    outgoing.set_buffer(core.spare.buffer());
    // A body that is not wanted is dropped here, and the call recorded.
    let body = (!is_end).then_some(body);
    outgoing.begin(body, |out| {
        write_head(out, (&head, tail), (length, asked), &core.clock.date())
    });
    core.spare.keep_headers(std::mem::take(&mut head.headers));
}

/// Writes the head that says that a WebSocket is spoken from now on, or that a tunnel is open.
pub(super) fn write_switch(
    out: &mut BytesMut,
    (status, headers): (StatusCode, &HeaderMap),
    tail: &Tail,
) -> Coding {
    write_status(out, status);
    if status == StatusCode::SWITCHING_PROTOCOLS {
        out.extend_from_slice(b"connection: upgrade\r\nupgrade: websocket\r\n");
    }
    for (name, value) in headers {
        let name = name.as_str();
        let is_ours = matches!(name, "connection" | "content-length" | "transfer-encoding");
        if !is_ours && !tail.replaces(name) {
            write_field(out, name, value);
        }
    }
    tail.each(|name, value| write_field(out, name.as_str(), value));
    out.extend_from_slice(b"\r\n");
    Coding::Plain
}

/// Writes an interim answer of an upstream, unless its client does not even take the ones before it.
pub(crate) fn say_interim(out: &mut BytesMut, status: StatusCode, headers: &HeaderMap) {
    if out.len() > INTERIM_BYTES_MAX {
        return;
    }
    write_status(out, status);
    for (name, value) in headers {
        if !matches!(name.as_str(), "content-length" | "transfer-encoding") {
            write_field(out, name.as_str(), value);
        }
    }
    out.extend_from_slice(b"\r\n");
}

fn write_status(out: &mut BytesMut, status: StatusCode) {
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(status.as_str().as_bytes());
    out.extend_from_slice(b" ");
    out.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// How long a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Length {
    /// There is none; what the head says is about the one that there could be.
    Unsaid,
    Known(u64),
    Unknown,
}

/// Writes a head, and decides whether the connection goes on.
fn write_head(
    out: &mut BytesMut,
    (head, tail): (&Parts, &Tail),
    (length, asked): (Length, &mut Asked),
    date: &[u8],
) -> Coding {
    write_status(out, head.status);
    let (mut has_date, mut has_length) = (false, false);
    for (name, value) in &head.headers {
        match name.as_str() {
            "connection" => asked.is_persistent &= !value.as_bytes().eq_ignore_ascii_case(b"close"),
            "transfer-encoding" => {}
            "content-length" => {
                // The same one said twice is said once.
                if length == Length::Unsaid && !has_length && head.status != StatusCode::NO_CONTENT {
                    write_field(out, "content-length", value);
                }
                has_length = true;
            }
            word if tail.replaces(word) => {}
            word => {
                has_date |= word == "date";
                write_field(out, word, value);
            }
        }
    }
    tail.each(|name, value| write_field(out, name.as_str(), value));
    if !has_date {
        out.extend_from_slice(b"date: ");
        out.extend_from_slice(date);
        out.extend_from_slice(b"\r\n");
    }
    let coding = match length {
        Length::Unknown if asked.is_old => {
            asked.is_persistent = false;
            asked.is_until_close = true;
            Coding::Plain
        }
        Length::Unknown => {
            out.extend_from_slice(b"transfer-encoding: chunked\r\n");
            Coding::Chunked {
                trailers: asked.takes_trailers,
            }
        }
        Length::Known(length) => {
            out.extend_from_slice(b"content-length: ");
            out.extend_from_slice(itoa::Buffer::new().format(length).as_bytes());
            out.extend_from_slice(b"\r\n");
            Coding::Plain
        }
        Length::Unsaid => Coding::Plain,
    };
    if !asked.is_persistent {
        out.extend_from_slice(b"connection: close\r\n");
    } else if asked.is_old {
        out.extend_from_slice(b"connection: keep-alive\r\n");
    }
    out.extend_from_slice(b"\r\n");
    coding
}
