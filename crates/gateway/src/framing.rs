//! What a client may not send over HTTP/1, and how chunks are read.
//!
//! Where two parsers may disagree about where a message ends, a second request can be smuggled past the first one's
//! checks. So only messages pass about whose length nobody can disagree: `h1/request.rs` reads heads, [`Chunks`]
//! what is between the data of a body. Sources: RFC 9112 sections 2.2, 3, 5, 6 and 7.1; RFC 9110 section 5.5.

use domain::Code;

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
pub(crate) const fn is_token(byte: u8) -> bool {
    const TOKEN: [bool; 256] =
        bytes(b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
    TOKEN[byte as usize]
}

/// Whether all of it is visible ASCII, as targets of requests are: RFC 3986.
pub(crate) fn is_visible(text: &[u8]) -> bool {
    // Without early exit, so that the compiler can look at many bytes at a time.
    text.iter()
        .fold(true, |all, byte| all & (0x21..0x7f).contains(byte))
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
