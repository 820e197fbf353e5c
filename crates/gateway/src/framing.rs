//! Strict reading of HTTP/1 message framing, before hyper sees a byte.
//!
//! hyper and httparse are lenient in places: a bare LF ends a line, a message with both lengths is taken as
//! chunked. Where two parsers may disagree about where a message ends, a second request can be smuggled past
//! the first one's checks. So [`Scanner`] follows the bytes of a connection and lets only messages pass about
//! whose length nobody can disagree. It scans in place; nothing is copied or allocated.
//!
//! Sources: RFC 9112 sections 2.2, 3, 5, 6 and 7.1; RFC 9110 section 5.5.

use domain::Code;
use memchr::memchr;

/// What a client sent that is not forwarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Violation {
    #[error("The request line is not `METHOD target HTTP/1.1` with single spaces.")]
    RequestLine,
    #[error("A line of the head ends with a bare CR or LF.")]
    LineEnd,
    #[error("A header field is continued on another line.")]
    Folded,
    #[error("A header field's name has a character that is not allowed there, or a space before the colon.")]
    FieldName,
    #[error("A header field's value has a control character.")]
    FieldValue,
    #[error("The request needs exactly one `Host`.")]
    Host,
    #[error("Content-Length is not one decimal number.")]
    ContentLength,
    #[error("There are several Content-Length fields.")]
    ContentLengths,
    #[error("There are both Content-Length and Transfer-Encoding.")]
    BothLengths,
    #[error("Transfer-Encoding is not `chunked`, once.")]
    TransferEncoding,
    #[error("Transfer-Encoding does not exist in HTTP/1.0.")]
    OldTransferEncoding,
    #[error("A chunk's size line is malformed.")]
    ChunkSize,
    #[error("A chunk does not end where its size says.")]
    ChunkEnd,
    #[error("The trailer section is malformed or too large.")]
    Trailer,
    #[error("The request's head is larger than the limit, or has too many fields.")]
    HeadTooLarge,
}

impl Violation {
    /// The code of the answer.
    pub(crate) const fn code(self) -> Code {
        match self {
            Self::HeadTooLarge => Code::HeadersTooLarge,
            Self::ContentLength
            | Self::ContentLengths
            | Self::BothLengths
            | Self::TransferEncoding
            | Self::OldTransferEncoding
            | Self::ChunkSize
            | Self::ChunkEnd => Code::FramingAmbiguous,
            Self::RequestLine
            | Self::LineEnd
            | Self::Folded
            | Self::FieldName
            | Self::FieldValue
            | Self::Host
            | Self::Trailer => Code::MessageMalformed,
        }
    }
}

/// What scanning found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scanned {
    /// Bytes that may be passed on; what follows is a head that is not whole yet, or a violation.
    pub(crate) passed: usize,
    /// Heads among them.
    pub(crate) heads: u32,
    /// Why no more bytes of the connection may be passed on.
    pub(crate) violation: Option<Violation>,
    /// Whether the violation is in a body whose head was passed on in an earlier call.
    pub(crate) in_body: bool,
}

/// The largest heads that pass.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HeadLimits {
    pub(crate) bytes_max: usize,
    pub(crate) fields_max: usize,
}

/// The most bytes of a trailer section, or of a chunk's extensions.
const LINES_BYTES_MAX: usize = 8 * 1024;
/// The most digits of a chunk size: more could overflow somebody's counter.
const CHUNK_DIGITS_MAX: u8 = 15;
/// The most digits of a Content-Length, for the same reason.
const LENGTH_DIGITS_MAX: usize = 18;

/// Follows the messages of one connection.
#[derive(Debug)]
pub(crate) struct Scanner {
    state: State,
    limits: HeadLimits,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Head(Head),
    /// In a body of which so many bytes are left.
    Body(u64),
    Chunks(Chunks),
}

/// What is known of a head after its first lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Head {
    /// Where the next line begins.
    next: usize,
    begun: bool,
    is_old: bool,
    is_chunked: bool,
    length: Option<u64>,
    hosts: usize,
    fields: usize,
}

/// Where in a chunked body a reader is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chunks {
    Size { digits: u8, size: u64 },
    Extension { size: u64, bytes: usize },
    SizeLf { size: u64 },
    Data { left: u64 },
    DataCr,
    DataLf,
    Trailer { bytes: usize, line: usize },
    TrailerLf { bytes: usize, line: usize },
    End,
}

/// Where a chunk begins.
pub(crate) const CHUNK: Chunks = Chunks::Size { digits: 0, size: 0 };

impl Scanner {
    pub(crate) fn new(limits: HeadLimits) -> Self {
        Self {
            state: State::Head(Head::default()),
            limits,
        }
    }

    /// Follows further bytes. What was not passed has to be offered again together with what comes after it.
    ///
    /// A message whose head is in `bytes` is passed as a whole, as far as it is there, or not at all.
    pub(crate) fn scan(&mut self, bytes: &[u8]) -> Scanned {
        let mut scanned = Scanned {
            passed: 0,
            heads: 0,
            violation: None,
            in_body: false,
        };
        let mut message = None;
        let mut place = 0;
        while place < bytes.len() {
            scanned.passed = place;
            match self.state {
                State::Head(head) => match self.head(head, &bytes[place..]) {
                    Ok(Some(length)) => {
                        scanned.heads += 1;
                        message = Some(place);
                        place += length;
                    }
                    Ok(None) => return scanned,
                    Err(violation) => {
                        return Scanned {
                            violation: Some(violation),
                            ..scanned
                        };
                    }
                },
                State::Body(left) => {
                    let length = left.min((bytes.len() - place) as u64);
                    place += usize::try_from(length).expect("within the slice");
                    self.state = if left == length {
                        State::Head(Head::default())
                    } else {
                        State::Body(left - length)
                    };
                }
                State::Chunks(chunks) => match self.chunks(chunks, &bytes[place..]) {
                    Ok(length) => place += length,
                    Err(violation) => {
                        let (violation, in_body) = (Some(violation), message.is_none());
                        scanned.heads -= u32::from(!in_body);
                        return Scanned {
                            passed: message.unwrap_or(place),
                            violation,
                            in_body,
                            ..scanned
                        };
                    }
                },
            }
        }
        Scanned {
            passed: place,
            ..scanned
        }
    }

    /// Reads a head's lines; its length once it is whole. Each line is read once, however the bytes arrive.
    fn head(&mut self, mut head: Head, bytes: &[u8]) -> Result<Option<usize>, Violation> {
        loop {
            let rest = &bytes[head.next..];
            let line_end = memchr(b'\n', rest);
            if head.next + line_end.unwrap_or(rest.len()) >= self.limits.bytes_max {
                return Err(Violation::HeadTooLarge);
            }
            let Some(line_end) = line_end else {
                self.state = State::Head(head);
                return Ok(None);
            };
            let line = rest[..line_end].strip_suffix(b"\r").ok_or(Violation::LineEnd)?;
            let is_first = head.next == 0;
            head.next += line_end + 1;
            if head.begun && line.is_empty() {
                self.state = head.body()?;
                return Ok(Some(head.next));
            } else if head.begun {
                head.field(line)?;
                if head.fields > self.limits.fields_max {
                    return Err(Violation::HeadTooLarge);
                }
            } else if !(line.is_empty() && is_first) {
                // One empty line before a request is ignored: RFC 9112 section 2.2.
                head.request_line(line)?;
            }
        }
    }

    /// Reads chunks to the end of `bytes` or of the body; what of `bytes` belongs to it.
    fn chunks(&mut self, mut chunks: Chunks, bytes: &[u8]) -> Result<usize, Violation> {
        let mut place = 0;
        while place < bytes.len() {
            if let Chunks::Data { left } = chunks {
                let length = left.min((bytes.len() - place) as u64);
                place += usize::try_from(length).expect("within the slice");
                chunks = if left == length {
                    Chunks::DataCr
                } else {
                    Chunks::Data { left: left - length }
                };
                continue;
            }
            chunks = chunks.next(bytes[place])?;
            place += 1;
            if chunks == Chunks::End {
                self.state = State::Head(Head::default());
                return Ok(place);
            }
        }
        self.state = State::Chunks(chunks);
        Ok(place)
    }
}

impl Head {
    fn request_line(&mut self, line: &[u8]) -> Result<(), Violation> {
        let mut parts = line.split(|byte| *byte == b' ');
        let (method, target, version) = (parts.next(), parts.next(), parts.next());
        let (Some(method), Some(target), Some(version), None) = (method, target, version, parts.next())
        else {
            return Err(Violation::RequestLine);
        };
        let visible = |byte: &u8| (0x21..0x7f).contains(byte);
        if method.is_empty() || !method.iter().all(|byte| is_token(*byte)) {
            return Err(Violation::RequestLine);
        }
        if target.is_empty() || !target.iter().all(visible) {
            return Err(Violation::RequestLine);
        }
        self.is_old = match version {
            b"HTTP/1.1" => false,
            b"HTTP/1.0" => true,
            _ => return Err(Violation::RequestLine),
        };
        self.begun = true;
        Ok(())
    }

    fn field(&mut self, line: &[u8]) -> Result<(), Violation> {
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
        let (name, value) = (&line[..colon], &line[colon + 1..]);
        // Without early exit, so that the compiler can look at many bytes at a time.
        let is_control = |byte: u8| (byte < b' ' && byte != b'\t') || byte == 0x7f;
        if value.iter().fold(false, |found, byte| found | is_control(*byte)) {
            let has_cr = value.contains(&b'\r');
            return Err(if has_cr {
                Violation::LineEnd
            } else {
                Violation::FieldValue
            });
        }
        self.fields += 1;
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => self.hosts += 1,
            14 if name.eq_ignore_ascii_case(b"content-length") => self.content_length(value.trim_ascii())?,
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                if self.is_chunked || !value.trim_ascii().eq_ignore_ascii_case(b"chunked") {
                    return Err(Violation::TransferEncoding);
                }
                self.is_chunked = true;
            }
            _ => {}
        }
        Ok(())
    }

    fn content_length(&mut self, value: &[u8]) -> Result<(), Violation> {
        if self.length.is_some() {
            return Err(Violation::ContentLengths);
        }
        self.length = Some(length(value).ok_or(Violation::ContentLength)?);
        Ok(())
    }

    /// What follows the head.
    fn body(&self) -> Result<State, Violation> {
        if self.hosts > 1 || (self.hosts == 0 && !self.is_old) {
            return Err(Violation::Host);
        }
        match (self.is_chunked, self.length) {
            (true, Some(_)) => Err(Violation::BothLengths),
            (true, None) if self.is_old => Err(Violation::OldTransferEncoding),
            (true, None) => Ok(State::Chunks(CHUNK)),
            (false, None | Some(0)) => Ok(State::Head(Self::default())),
            (false, Some(length)) => Ok(State::Body(length)),
        }
    }
}

impl Chunks {
    /// Reads a byte that is not of a chunk's data.
    pub(crate) fn next(self, byte: u8) -> Result<Self, Violation> {
        Ok(match (self, byte) {
            (Self::Size { digits: 1.., size }, b'\r') => Self::SizeLf { size },
            (Self::Size { digits: 1.., size }, b';') => Self::Extension { size, bytes: 0 },
            (Self::Size { digits, size }, byte) => {
                let digit = char::from(byte).to_digit(16).ok_or(Violation::ChunkSize)?;
                if digits == CHUNK_DIGITS_MAX {
                    return Err(Violation::ChunkSize);
                }
                Self::Size {
                    digits: digits + 1,
                    size: size << 4 | u64::from(digit),
                }
            }
            (Self::Extension { size, .. }, b'\r') => Self::SizeLf { size },
            (
                Self::Extension {
                    bytes: LINES_BYTES_MAX,
                    ..
                },
                _,
            ) => return Err(Violation::ChunkSize),
            (Self::Extension { size, bytes }, b'\t' | b' '..=b'~' | 0x80..) => Self::Extension {
                size,
                bytes: bytes + 1,
            },
            (Self::SizeLf { size: 0 }, b'\n') => Self::Trailer { bytes: 0, line: 0 },
            (Self::SizeLf { size }, b'\n') => Self::Data { left: size },
            (Self::DataCr, b'\r') => Self::DataLf,
            (Self::DataLf, b'\n') => CHUNK,
            (
                Self::Trailer {
                    bytes: LINES_BYTES_MAX,
                    ..
                },
                _,
            ) => return Err(Violation::Trailer),
            (Self::Trailer { line: 0, .. }, b' ' | b'\t' | b':') => return Err(Violation::Trailer),
            (Self::Trailer { bytes, line }, b'\r') => Self::TrailerLf { bytes, line },
            (Self::Trailer { bytes, line }, b'\t' | b' '..=b'~' | 0x80..) => Self::Trailer {
                bytes: bytes + 1,
                line: line + 1,
            },
            (Self::TrailerLf { line: 0, .. }, b'\n') => Self::End,
            (Self::TrailerLf { bytes, .. }, b'\n') => Self::Trailer { bytes, line: 0 },
            (Self::Trailer { .. } | Self::TrailerLf { .. }, _) => return Err(Violation::Trailer),
            (Self::DataCr | Self::DataLf, _) => return Err(Violation::ChunkEnd),
            (Self::Extension { .. } | Self::SizeLf { .. }, _) => return Err(Violation::ChunkSize),
            (Self::Data { .. } | Self::End, _) => unreachable!("not read byte by byte"),
        })
    }
}

/// The number that `Content-Length` says, if it is one: digits only, and few enough for every counter.
pub(crate) fn length(value: &[u8]) -> Option<u64> {
    let is_number = (1..=LENGTH_DIGITS_MAX).contains(&value.len()) && value.iter().all(u8::is_ascii_digit);
    is_number.then(|| {
        value
            .iter()
            .fold(0, |length, digit| length * 10 + u64::from(digit - b'0'))
    })
}

/// Whether a byte may stand in a method or a field's name: RFC 9110 section 5.6.2.
const fn is_token(byte: u8) -> bool {
    const TOKEN: [bool; 256] =
        bytes(b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
    TOKEN[byte as usize]
}

/// A set of bytes that is asked with one look.
pub(crate) const fn bytes(members: &[u8]) -> [bool; 256] {
    let mut table = [false; 256];
    let mut place = 0;
    while place < members.len() {
        table[members[place] as usize] = true;
        place += 1;
    }
    table
}

#[cfg(test)]
mod tests;
