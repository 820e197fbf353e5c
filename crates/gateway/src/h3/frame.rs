//! Frames of HTTP/3: RFC 9114 section 7.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use quinn::VarInt;

/// Why a stream or a connection ends: RFC 9114 section 8.1, RFC 9204 section 6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    NoError = 0x100,
    GeneralProtocolError = 0x101,
    InternalError = 0x102,
    StreamCreationError = 0x103,
    ClosedCriticalStream = 0x104,
    FrameUnexpected = 0x105,
    FrameError = 0x106,
    ExcessiveLoad = 0x107,
    IdError = 0x108,
    SettingsError = 0x109,
    MissingSettings = 0x10a,
    RequestRejected = 0x10b,
    RequestCancelled = 0x10c,
    RequestIncomplete = 0x10d,
    MessageError = 0x10e,
    ConnectError = 0x10f,
    DecompressionFailed = 0x200,
    EncoderStreamError = 0x201,
    DecoderStreamError = 0x202,
}

impl Code {
    pub(super) fn number(self) -> VarInt {
        VarInt::from_u32(self as u32)
    }
}

/// What ends because of what a client did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The stream.
    Stream(Code),
    /// The connection with all its streams.
    Connection(Code),
    /// The client has ended it.
    Gone,
}

pub(super) const DATA: u64 = 0x0;
pub(super) const HEADERS: u64 = 0x1;
pub(super) const CANCEL_PUSH: u64 = 0x3;
pub(super) const SETTINGS: u64 = 0x4;
pub(super) const PUSH_PROMISE: u64 = 0x5;
pub(super) const GOAWAY: u64 = 0x7;
pub(super) const MAX_PUSH_ID: u64 = 0xd;

/// Whether a type was one of HTTP/2, and means nothing but a mistake here: RFC 9114 section 7.2.8.
pub(super) const fn is_of_http2(kind: u64) -> bool {
    matches!(kind, 0x2 | 0x6 | 0x8 | 0x9)
}

/// Writes a number of variable length: RFC 9000 section 16.
pub(super) fn write_number(out: &mut BytesMut, number: u64) {
    match number {
        0..0x40 => out.put_u8(number as u8),
        0x40..0x4000 => out.put_u16(number as u16 | 0x4000),
        0x4000..0x4000_0000 => out.put_u32(number as u32 | 0x8000_0000),
        _ => out.put_u64(number | 0xc000_0000_0000_0000),
    }
}

/// Writes the beginning of a frame.
pub(super) fn write_start(out: &mut BytesMut, kind: u64, length: usize) {
    write_number(out, kind);
    write_number(out, length as u64);
}

/// How many bytes [`write_number`] writes.
pub(super) const fn number_length(number: u64) -> usize {
    match number {
        0..0x40 => 1,
        0x40..0x4000 => 2,
        0x4000..0x4000_0000 => 4,
        _ => 8,
    }
}

/// How many bytes a number has that begins so.
const fn number_bytes(first: u8) -> usize {
    1 << (first >> 6)
}

/// Takes a number from the front; none while it is not whole.
pub(super) fn take_number(bytes: &mut impl bytes::Buf) -> Option<u64> {
    let length = number_bytes(*bytes.chunk().first()?);
    if bytes.remaining() < length {
        return None;
    }
    let first = u64::from(bytes.get_u8() & 0x3f);
    Some((1..length).fold(first, |number, _| number << 8 | u64::from(bytes.get_u8())))
}

/// Puts frames together from the pieces of a stream.
#[derive(Debug, Default)]
pub(super) struct Frames {
    piece: Bytes,
    state: State,
}

#[derive(Debug)]
enum State {
    /// In the type and length of the next frame.
    Start([u8; 16], usize),
    /// In a frame of which so much is left.
    In { kind: u64, left: u64 },
}

impl Default for State {
    fn default() -> Self {
        Self::Start([0; 16], 0)
    }
}

/// What is next in a stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// A frame begins: its type and length.
    Start(u64, u64),
    /// A part of the frame, which is not empty.
    Part(Bytes),
    /// Another piece is needed.
    More,
}

impl Frames {
    /// Adds a piece, when [`Next::More`] was said.
    pub(super) fn push(&mut self, piece: Bytes) {
        debug_assert!(self.piece.is_empty(), "the piece before was read");
        self.piece = piece;
    }

    /// Whether the stream may end here.
    pub(super) const fn is_between(&self) -> bool {
        matches!(self.state, State::Start(_, 0) | State::In { left: 0, .. }) && self.piece.is_empty()
    }

    /// What is next.
    pub(super) fn next(&mut self) -> Next {
        loop {
            match &mut self.state {
                State::In { left: 0, .. } => self.state = State::default(),
                _ if self.piece.is_empty() => return Next::More,
                State::In { left, .. } => {
                    let length =
                        usize::try_from(*left).map_or(self.piece.len(), |left| left.min(self.piece.len()));
                    *left -= length as u64;
                    return Next::Part(self.piece.split_to(length));
                }
                State::Start(start, length) => {
                    start[*length] = self.piece.get_u8();
                    *length += 1;
                    let mut bytes = &start[..*length];
                    if let Some(kind) = take_number(&mut bytes)
                        && let Some(left) = take_number(&mut bytes)
                    {
                        self.state = State::In { kind, left };
                        return Next::Start(kind, left);
                    }
                }
            }
        }
    }

    /// The type of the frame that a part belongs to.
    pub(super) const fn kind(&self) -> Option<u64> {
        match self.state {
            State::In { kind, .. } => Some(kind),
            State::Start(..) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::{Bytes, BytesMut};

    use super::{Frames, Next, number_length, take_number, write_number, write_start};

    #[test]
    fn numbers_have_the_lengths_of_the_rfc() {
        // RFC 9000 appendix A.1.
        for (bytes, number) in [
            (
                &[0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c][..],
                151_288_809_941_952_652,
            ),
            (&[0x9d, 0x7f, 0x3e, 0x7d], 494_878_333),
            (&[0x7b, 0xbd], 15_293),
            (&[0x25], 37),
        ] {
            let mut written = BytesMut::new();
            write_number(&mut written, number);
            assert_eq!(&written[..], bytes);
            assert_eq!(number_length(number), bytes.len());
            let mut rest = bytes;
            assert_eq!(take_number(&mut rest), Some(number));
            assert_eq!(take_number(&mut &bytes[..bytes.len() - 1]), None);
        }
        assert_eq!(
            take_number(&mut &[0x40, 0x25][..]),
            Some(37),
            "longer than it needs to be"
        );
    }

    #[test]
    fn frames_come_in_any_pieces() {
        let mut stream = BytesMut::new();
        write_start(&mut stream, 1, 3);
        stream.extend_from_slice(b"abc");
        write_start(&mut stream, 0x4021, 0);
        write_start(&mut stream, 0, 1);
        stream.extend_from_slice(b"d");
        for size in 1..=stream.len() {
            let (mut frames, mut found) = (Frames::default(), Vec::new());
            for piece in stream.chunks(size) {
                frames.push(Bytes::copy_from_slice(piece));
                loop {
                    match frames.next() {
                        Next::More => break,
                        Next::Start(kind, length) => found.push(format!("{kind} {length}")),
                        Next::Part(part) => {
                            assert!(frames.kind().is_some());
                            match found.last_mut() {
                                Some(last) if !last.contains(' ') => {
                                    last.push_str(std::str::from_utf8(&part).unwrap());
                                }
                                _ => found.push(String::from_utf8(part.to_vec()).unwrap()),
                            }
                        }
                    }
                }
            }
            assert_eq!(found, ["1 3", "abc", "16417 0", "0 1", "d"], "{size}");
            assert!(frames.is_between());
        }
        let mut frames = Frames::default();
        frames.push(Bytes::from_static(b"\x01\x03ab"));
        assert_eq!(frames.next(), Next::Start(1, 3));
        assert_eq!(frames.next(), Next::Part(Bytes::from_static(b"ab")));
        assert_eq!(frames.next(), Next::More);
        assert!(!frames.is_between());
    }
}
