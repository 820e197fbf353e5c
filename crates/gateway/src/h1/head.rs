//! The head of a request as it is written to an upstream.

use bytes::BytesMut;
use http::{HeaderMap, HeaderValue, Method};

use super::outgoing::Coding;
use super::write_field;
use crate::forward::{APPLICATION, Added, Kept};

/// A request to an upstream but for its body.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Head<'a> {
    pub(crate) method: &'a Method,
    /// The parts of the target in their order; together a path with its query.
    pub(crate) target: [&'a str; 3],
    pub(crate) host: &'a HeaderValue,
    /// Whether it asks for a WebSocket.
    pub(crate) is_websocket: bool,
    /// What the client said.
    pub(crate) headers: &'a HeaderMap,
    /// What we say.
    pub(crate) added: &'a Added<'a>,
}

impl Head<'_> {
    /// Writes the head; `length` is the body's, if it is known.
    pub(super) fn write(&self, out: &mut BytesMut, length: Option<u64>) -> Coding {
        out.extend_from_slice(self.method.as_str().as_bytes());
        out.extend_from_slice(b" ");
        let begins = out.len();
        for part in self.target {
            out.extend_from_slice(part.as_bytes());
        }
        if self.target[0].is_empty() && self.target[1].is_empty() {
            out.truncate(begins);
            out.extend_from_slice(b"/");
            out.extend_from_slice(self.target[2].as_bytes());
        }
        out.extend_from_slice(b" HTTP/1.1\r\n");
        write_field(out, "host", self.host);
        let mut has_lists = false;
        let mut had_length = false;
        for (name, value) in self.headers {
            match name.as_str() {
                "host" | "transfer-encoding" => {}
                "content-length" => had_length = true,
                "te" => {
                    // It concerns this connection only: RFC 9110 section 10.1.4.
                    write_field(out, "te", value);
                    if !self.is_websocket {
                        out.extend_from_slice(b"connection: te\r\n");
                    }
                }
                word => match self.added.kept(word) {
                    Kept::AsItIs => write_field(out, word, value),
                    Kept::Before => has_lists = true,
                    Kept::Not => {}
                },
            }
        }
        match self.added.lines().filter(|_| !has_lists) {
            Some(lines) => out.extend_from_slice(lines),
            None => self.added.each_of_connection(|name, value, is_list| {
                out.extend_from_slice(name.as_str().as_bytes());
                out.extend_from_slice(b": ");
                if is_list && has_lists {
                    for before in self.headers.get_all(name) {
                        out.extend_from_slice(before.as_bytes());
                        out.extend_from_slice(b", ");
                    }
                }
                out.extend_from_slice(value.as_bytes());
                out.extend_from_slice(b"\r\n");
            }),
        }
        if let Some(id) = self.added.application() {
            write_field(out, APPLICATION.as_str(), id.encoded());
        }
        self.added
            .each_of_call(|name, value| write_field(out, name.as_str(), value));
        if self.is_websocket {
            out.extend_from_slice(b"connection: upgrade\r\nupgrade: websocket\r\n");
        }
        match length {
            None => out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
            Some(0) if !had_length && !has_content(self.method) => {}
            Some(length) => {
                out.extend_from_slice(b"content-length: ");
                out.extend_from_slice(itoa::Buffer::new().format(length).as_bytes());
                out.extend_from_slice(b"\r\n");
            }
        }
        out.extend_from_slice(b"\r\n");
        match length {
            Some(_) => Coding::Plain,
            None => Coding::Chunked { trailers: true },
        }
    }
}

/// Whether a request of this method says the length of its body even if there is none: RFC 9110 section 8.6.
fn has_content(method: &Method) -> bool {
    matches!(*method, Method::POST | Method::PUT | Method::PATCH)
}
