//! The head of a client's request, read strictly.
//!
//! Each line is looked at once, however the bytes arrive; nothing is copied. What another parser could read in
//! another way is refused: a bare LF, a folded field, two lengths. Sources: RFC 9112 sections 2.2, 3, 5 and 6.

use bytes::{Bytes, BytesMut};
use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, Method, Uri, Version};
use memchr::memchr;

use super::coming::{Coming, Sender};
use crate::framing::{HeadLimits, Violation, is_token, is_visible, length};
use crate::interim::is_continue;

/// Fields that the gateway adds before the head is needed no more.
const FIELDS_ADDED: usize = 4;

/// Reads the heads of one connection, one after the other.
#[derive(Debug)]
pub(crate) struct Reader {
    limits: HeadLimits,
    /// Where the next line begins.
    next: usize,
    line: Option<Line>,
    fields: Vec<Field>,
    facts: Facts,
}

/// Where the words of the request line are.
#[derive(Debug, Clone, Copy)]
struct Line {
    begins: usize,
    target: usize,
    target_ends: usize,
}

/// Where a field is.
#[derive(Debug, Clone, Copy)]
struct Field {
    begins: usize,
    colon: usize,
    value: usize,
    value_ends: usize,
}

/// What the lines say about the message and its connection.
#[derive(Debug, Clone, Copy, Default)]
struct Facts {
    is_old: bool,
    is_chunked: bool,
    length: Option<u64>,
    hosts: usize,
    closes: bool,
    keeps: bool,
    upgrades: bool,
    is_websocket: bool,
    expects: bool,
    takes_trailers: bool,
}

/// A request's head.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) version: Version,
    pub(super) body: Coming,
    /// Whether the client wants to send another request over the connection.
    pub(super) is_persistent: bool,
    /// Whether it waits for `100 Continue` before it sends the body.
    pub(super) expects: bool,
    pub(super) takes_trailers: bool,
    /// Whether it asks for a WebSocket: RFC 6455 section 4.1.
    pub(super) is_websocket: bool,
}

impl Reader {
    pub(crate) const fn new(limits: HeadLimits) -> Self {
        Self {
            limits,
            next: 0,
            line: None,
            fields: Vec::new(),
            facts: Facts {
                is_old: false,
                is_chunked: false,
                length: None,
                hosts: 0,
                closes: false,
                keeps: false,
                upgrades: false,
                is_websocket: false,
                expects: false,
                takes_trailers: false,
            },
        }
    }

    /// Looks at the lines of a head at the beginning of `bytes`; its length once it is whole.
    ///
    /// Called again with the same bytes and further ones, it goes on where it stopped.
    pub(crate) fn read(&mut self, bytes: &[u8]) -> Result<Option<usize>, Violation> {
        loop {
            let begins = self.next;
            let rest = &bytes[begins..];
            let line_end = memchr(b'\n', rest);
            if begins + line_end.unwrap_or(rest.len()) >= self.limits.bytes_max {
                return Err(Violation::HeadTooLarge);
            }
            let Some(line_end) = line_end else {
                return Ok(None);
            };
            let line = rest[..line_end].strip_suffix(b"\r").ok_or(Violation::LineEnd)?;
            self.next += line_end + 1;
            if self.line.is_some() && line.is_empty() {
                self.facts.check()?;
                return Ok(Some(self.next));
            } else if self.line.is_some() {
                let field = self.facts.field(line, begins)?;
                if self.fields.len() == self.limits.fields_max {
                    return Err(Violation::HeadTooLarge);
                }
                self.fields.push(field);
            } else if !(line.is_empty() && begins == 0) {
                // One empty line before a request is ignored: RFC 9112 section 2.2.
                self.line = Some(self.facts.request_line(line, begins)?);
            }
        }
    }

    /// Takes the head that was [read](Self::read) from the input; its fields go into `headers`, which is empty.
    pub(super) fn take(&mut self, input: &mut BytesMut, headers: &mut HeaderMap) -> Result<Head, Violation> {
        let bytes = input.split_to(self.next).freeze();
        let line = self.line.take().expect("a whole head has a request line");
        self.next = 0;
        let facts = std::mem::take(&mut self.facts);
        let method = Method::from_bytes(&bytes[line.begins..line.target - 1]);
        let uri = Uri::from_maybe_shared(bytes.slice(line.target..line.target_ends));
        headers.reserve(self.fields.len() + FIELDS_ADDED);
        for field in self.fields.drain(..) {
            let name = HeaderName::from_bytes(&bytes[field.begins..field.colon])
                .map_err(|_| Violation::FieldName)?;
            headers.append(name, value(&bytes, field)?);
        }
        let body = match (facts.is_chunked, facts.length) {
            (true, _) => Coming::chunks(Sender::Client),
            (false, length) => Coming::bytes(length.unwrap_or(0)),
        };
        Ok(Head {
            method: method.map_err(|_| Violation::RequestLine)?,
            uri: uri.map_err(|_| Violation::RequestLine)?,
            version: if facts.is_old {
                Version::HTTP_10
            } else {
                Version::HTTP_11
            },
            is_persistent: !facts.closes && (facts.keeps || !facts.is_old),
            expects: facts.expects && !facts.is_old && !body.is_done(),
            takes_trailers: facts.takes_trailers,
            is_websocket: facts.upgrades && facts.is_websocket && !facts.is_old && body.is_done(),
            body,
        })
    }
}

/// A field's value, without copying it.
fn value(head: &Bytes, field: Field) -> Result<HeaderValue, Violation> {
    if field.value == field.value_ends {
        return Ok(HeaderValue::from_static(""));
    }
    HeaderValue::from_maybe_shared(head.slice(field.value..field.value_ends))
        .map_err(|_| Violation::FieldValue)
}

impl Facts {
    fn request_line(&mut self, line: &[u8], begins: usize) -> Result<Line, Violation> {
        let first = memchr(b' ', line).ok_or(Violation::RequestLine)?;
        let (method, rest) = (&line[..first], &line[first + 1..]);
        let second = memchr(b' ', rest).ok_or(Violation::RequestLine)?;
        let (target, version) = (&rest[..second], &rest[second + 1..]);
        if method.is_empty() || !method.iter().all(|byte| is_token(*byte)) {
            return Err(Violation::RequestLine);
        }
        if target.is_empty() || !is_visible(target) {
            return Err(Violation::RequestLine);
        }
        self.is_old = match version {
            b"HTTP/1.1" => false,
            b"HTTP/1.0" => true,
            _ => return Err(Violation::RequestLine),
        };
        Ok(Line {
            begins,
            target: begins + first + 1,
            target_ends: begins + first + 1 + second,
        })
    }

    fn field(&mut self, line: &[u8], begins: usize) -> Result<Field, Violation> {
        if matches!(line[0], b' ' | b'\t') {
            return Err(Violation::Folded);
        }
        let colon = line
            .iter()
            .position(|byte| !is_token(*byte))
            .ok_or(Violation::FieldName)?;
        if colon == 0 || line[colon] != b':' {
            return Err(Violation::FieldName);
        }
        let (name, whole) = (&line[..colon], &line[colon + 1..]);
        // Without early exit, so that the compiler can look at many bytes at a time.
        let is_control = |byte: u8| (byte < b' ' && byte != b'\t') || byte == 0x7f;
        if whole.iter().fold(false, |found, byte| found | is_control(*byte)) {
            let has_cr = whole.contains(&b'\r');
            return Err(if has_cr {
                Violation::LineEnd
            } else {
                Violation::FieldValue
            });
        }
        let value = whole.trim_ascii_start();
        let start = line.len() - value.len();
        let value = value.trim_ascii_end();
        self.note(name, value)?;
        Ok(Field {
            begins,
            colon: begins + colon,
            value: begins + start,
            value_ends: begins + start + value.len(),
        })
    }

    /// Looks at the fields that concern the message or the connection.
    fn note(&mut self, name: &[u8], value: &[u8]) -> Result<(), Violation> {
        match name.len() {
            2 if name.eq_ignore_ascii_case(b"te") => self.takes_trailers |= has_word(value, b"trailers"),
            4 if name.eq_ignore_ascii_case(b"host") => self.hosts += 1,
            6 if name.eq_ignore_ascii_case(b"expect") => {
                self.expects = is_continue(value);
            }
            7 if name.eq_ignore_ascii_case(b"upgrade") => {
                self.is_websocket = value.eq_ignore_ascii_case(b"websocket");
            }
            10 if name.eq_ignore_ascii_case(b"connection") => {
                self.closes |= has_word(value, b"close");
                self.keeps |= has_word(value, b"keep-alive");
                self.upgrades |= has_word(value, b"upgrade");
            }
            14 if name.eq_ignore_ascii_case(b"content-length") => {
                if self.length.is_some() {
                    return Err(Violation::ContentLengths);
                }
                self.length = Some(length(value).ok_or(Violation::ContentLength)?);
            }
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                if self.is_chunked || !value.eq_ignore_ascii_case(b"chunked") {
                    return Err(Violation::TransferEncoding);
                }
                self.is_chunked = true;
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether nobody can be in doubt about where the message goes and where it ends.
    const fn check(&self) -> Result<(), Violation> {
        if self.hosts > 1 || (self.hosts == 0 && !self.is_old) {
            return Err(Violation::Host);
        }
        match (self.is_chunked, self.length) {
            (true, Some(_)) => Err(Violation::BothLengths),
            (true, None) if self.is_old => Err(Violation::OldTransferEncoding),
            _ => Ok(()),
        }
    }
}

/// Whether a list has a word, in whichever case.
fn has_word(list: &[u8], word: &[u8]) -> bool {
    list.split(|byte| *byte == b',').any(|element| {
        // Parameters, as in `trailers;q=0.5`, change nothing.
        let end = memchr(b';', element).unwrap_or(element.len());
        element[..end].trim_ascii().eq_ignore_ascii_case(word)
    })
}

#[cfg(test)]
mod tests;
