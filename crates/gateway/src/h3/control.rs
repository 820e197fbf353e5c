//! The streams that a client opens for the connection itself: RFC 9114 section 6.2, RFC 9204 section 4.2.

use std::cell::Cell;
use std::collections::HashSet;

use bytes::{Buf as _, Bytes, BytesMut};
use quinn::RecvStream;

use super::frame::{self, Code, Fault, Frames, Next, take_number};

const CONTROL: u64 = 0x0;
const PUSH: u64 = 0x1;
const ENCODER: u64 = 0x2;
const DECODER: u64 = 0x3;

/// The most bytes of a frame on the control stream that is read.
const FRAME_BYTES_MAX: usize = 4 * 1024;
/// The most bytes of frames on the control stream; honest clients send few.
const CONTROL_BYTES_MAX: usize = 256 * 1024;
/// The most bytes that are taken at once.
const PIECE_BYTES: usize = 4 * 1024;

/// Which of the streams that may be there only once are there.
#[derive(Debug, Default)]
pub(super) struct Opened {
    streams: Cell<u8>,
}

impl Opened {
    /// Notes one; there may be no second.
    fn enter(&self, kind: u64) -> Result<(), Fault> {
        let bit = 1 << kind;
        if self.streams.get() & bit != 0 {
            return Err(Fault::Connection(Code::StreamCreationError));
        }
        self.streams.set(self.streams.get() | bit);
        Ok(())
    }
}

/// Reads a stream to its end, which for most of them is a fault.
pub(super) async fn read(mut recv: RecvStream, opened: &Opened) -> Result<(), Fault> {
    let mut rest = BytesMut::new();
    let kind = loop {
        let mut whole = &rest[..];
        if let Some(kind) = take_number(&mut whole) {
            let taken = rest.len() - whole.len();
            rest.advance(taken);
            break kind;
        }
        match piece(&mut recv).await? {
            Some(piece) => rest.extend_from_slice(&piece),
            // It never said what it is.
            None => return Ok(()),
        }
    };
    match kind {
        CONTROL => {
            opened.enter(CONTROL)?;
            control(&mut recv, rest.freeze()).await
        }
        ENCODER | DECODER => {
            opened.enter(kind)?;
            let mut instructions = Instructions {
                is_encoder: kind == ENCODER,
                is_in_number: false,
            };
            instructions.read(&rest)?;
            while let Some(piece) = piece(&mut recv).await? {
                instructions.read(&piece)?;
            }
            Err(Fault::Connection(Code::ClosedCriticalStream))
        }
        PUSH => Err(Fault::Connection(Code::StreamCreationError)),
        _ => {
            let _ = recv.stop(Code::StreamCreationError.number());
            Ok(())
        }
    }
}

/// The next piece of a stream; none at its end.
async fn piece(recv: &mut RecvStream) -> Result<Option<Bytes>, Fault> {
    match recv.read_chunk(PIECE_BYTES, true).await {
        Ok(chunk) => Ok(chunk.map(|chunk| chunk.bytes)),
        Err(quinn::ReadError::Reset(_)) => Err(Fault::Connection(Code::ClosedCriticalStream)),
        Err(_) => Err(Fault::Gone),
    }
}

async fn control(recv: &mut RecvStream, first: Bytes) -> Result<(), Fault> {
    let (mut frames, mut control, mut bytes) = (Frames::default(), Control::default(), 0);
    frames.push(first);
    loop {
        match frames.next() {
            Next::Start(kind, length) => control.start(kind, length)?,
            Next::Part(part) => control.part(frames.kind().unwrap_or_default(), &part)?,
            Next::More => {
                let next = piece(recv).await?;
                let next = next.ok_or(Fault::Connection(Code::ClosedCriticalStream))?;
                bytes += next.len();
                if bytes > CONTROL_BYTES_MAX {
                    return Err(Fault::Connection(Code::ExcessiveLoad));
                }
                frames.push(next);
            }
        }
    }
}

/// What a client has said on its control stream.
#[derive(Debug, Default)]
struct Control {
    has_settings: bool,
    /// What of the frame is there, if it means something, and its length.
    frame: BytesMut,
    length: usize,
    max_push_id: u64,
    goaway: Option<u64>,
}

impl Control {
    fn start(&mut self, kind: u64, length: u64) -> Result<(), Fault> {
        let wrong = |code| Err(Fault::Connection(code));
        if !self.has_settings && kind != frame::SETTINGS {
            return wrong(Code::MissingSettings);
        }
        match kind {
            frame::SETTINGS if self.has_settings => return wrong(Code::FrameUnexpected),
            frame::SETTINGS => self.has_settings = true,
            frame::GOAWAY | frame::MAX_PUSH_ID | frame::CANCEL_PUSH => {}
            frame::DATA | frame::HEADERS | frame::PUSH_PROMISE => return wrong(Code::FrameUnexpected),
            kind if frame::is_of_http2(kind) => return wrong(Code::FrameUnexpected),
            _ => return Ok(()),
        }
        self.length = usize::try_from(length)
            .ok()
            .filter(|length| *length <= FRAME_BYTES_MAX)
            .ok_or(Fault::Connection(Code::ExcessiveLoad))?;
        self.frame.clear();
        if length == 0 { self.whole(kind) } else { Ok(()) }
    }

    fn part(&mut self, kind: u64, part: &[u8]) -> Result<(), Fault> {
        let is_known = matches!(
            kind,
            frame::SETTINGS | frame::GOAWAY | frame::MAX_PUSH_ID | frame::CANCEL_PUSH
        );
        if !is_known {
            return Ok(());
        }
        self.frame.extend_from_slice(part);
        if self.frame.len() < self.length {
            return Ok(());
        }
        self.whole(kind)
    }

    /// A frame has come to its end.
    fn whole(&mut self, kind: u64) -> Result<(), Fault> {
        let wrong = |code| Err(Fault::Connection(code));
        let mut rest = &self.frame[..];
        if kind == frame::SETTINGS {
            return settings(rest);
        }
        let (Some(id), true) = (take_number(&mut rest), rest.is_empty()) else {
            return wrong(Code::FrameError);
        };
        match kind {
            // Only down: RFC 9114 section 5.2.
            frame::GOAWAY if self.goaway.is_some_and(|before| id > before) => wrong(Code::IdError),
            frame::GOAWAY => {
                self.goaway = Some(id);
                Ok(())
            }
            // Only up: RFC 9114 section 7.2.7.
            frame::MAX_PUSH_ID if id < self.max_push_id => wrong(Code::IdError),
            frame::MAX_PUSH_ID => {
                self.max_push_id = id;
                Ok(())
            }
            // Nothing was pushed.
            _ => wrong(Code::IdError),
        }
    }
}

/// Checks settings; none of them changes what we send: RFC 9114 section 7.2.4.
fn settings(mut rest: &[u8]) -> Result<(), Fault> {
    let mut seen = HashSet::new();
    while !rest.is_empty() {
        let (Some(id), Some(_)) = (take_number(&mut rest), take_number(&mut rest)) else {
            return Err(Fault::Connection(Code::FrameError));
        };
        let is_of_http2 = matches!(id, 0x0 | 0x2..=0x5);
        if is_of_http2 || !seen.insert(id) {
            return Err(Fault::Connection(Code::SettingsError));
        }
    }
    Ok(())
}

/// What QPACK says beside the sections; there is no table that it could be about.
#[derive(Debug)]
struct Instructions {
    is_encoder: bool,
    /// In the bytes of a number that did not fit into the first one.
    is_in_number: bool,
}

impl Instructions {
    fn read(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        for byte in bytes {
            if self.is_in_number {
                self.is_in_number = byte & 0x80 != 0;
                continue;
            }
            match (self.is_encoder, byte) {
                // A capacity of nothing: RFC 9204 section 4.3.1.
                (true, 0b0010_0000) => {}
                // A stream was given up: section 4.4.2.
                (false, 0b0100_0000..=0b0111_1111) => self.is_in_number = byte & 0x3f == 0x3f,
                (true, _) => return Err(Fault::Connection(Code::EncoderStreamError)),
                (false, _) => return Err(Fault::Connection(Code::DecoderStreamError)),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Control, Instructions};
    use crate::h3::frame::{CANCEL_PUSH, Code, DATA, Fault, GOAWAY, MAX_PUSH_ID, SETTINGS};

    fn said(frames: &[(u64, &[u8])]) -> Result<(), Fault> {
        let mut control = Control::default();
        for (kind, bytes) in frames {
            control.start(*kind, bytes.len() as u64)?;
            for part in bytes.chunks(1) {
                control.part(*kind, part)?;
            }
        }
        Ok(())
    }

    #[test]
    fn what_clients_may_say_is_taken() {
        let honest: &[(u64, &[u8])] = &[
            (SETTINGS, b"\x01\0\x06\x40\x64\x07\0\x21\x01"),
            (0x21, b"grease"),
            (MAX_PUSH_ID, b"\x01"),
            (MAX_PUSH_ID, b"\x05"),
            (GOAWAY, b"\x05"),
            (GOAWAY, b"\x05"),
        ];
        assert_eq!(said(honest), Ok(()));
        assert_eq!(said(&[(SETTINGS, b"")]), Ok(()));
    }

    #[test]
    fn what_they_may_not_ends_the_connection() {
        const NONE: (u64, &[u8]) = (SETTINGS, b"");
        type Frames<'a> = &'a [(u64, &'a [u8])];
        let cases: &[(Frames<'_>, Code)] = &[
            (&[(GOAWAY, b"\0")], Code::MissingSettings),
            (&[NONE, NONE], Code::FrameUnexpected),
            (&[NONE, (DATA, b"")], Code::FrameUnexpected),
            (&[NONE, (0x6, b"")], Code::FrameUnexpected),
            (&[(SETTINGS, b"\x02\0")], Code::SettingsError),
            (&[(SETTINGS, b"\x21\0\x21\0")], Code::SettingsError),
            (&[(SETTINGS, b"\x21")], Code::FrameError),
            (&[(SETTINGS, &[0; 5000])], Code::ExcessiveLoad),
            (&[NONE, (GOAWAY, b"")], Code::FrameError),
            (&[NONE, (GOAWAY, b"\x01\x01")], Code::FrameError),
            (&[NONE, (GOAWAY, b"\x01"), (GOAWAY, b"\x02")], Code::IdError),
            (
                &[NONE, (MAX_PUSH_ID, b"\x02"), (MAX_PUSH_ID, b"\x01")],
                Code::IdError,
            ),
            (&[NONE, (CANCEL_PUSH, b"\0")], Code::IdError),
        ];
        for (frames, code) in cases {
            assert_eq!(said(frames), Err(Fault::Connection(*code)), "{frames:?}");
        }
    }

    #[test]
    fn nobody_fills_a_table_that_is_not_there() {
        let read = |is_encoder, bytes: &[u8]| {
            let mut instructions = Instructions {
                is_encoder,
                is_in_number: false,
            };
            bytes.chunks(1).try_for_each(|byte| instructions.read(byte))
        };
        assert_eq!(read(true, b"\x20\x20"), Ok(()));
        assert_eq!(read(false, b"\x40\x7f\xff\x01\x44"), Ok(()));
        let encoder = Err(Fault::Connection(Code::EncoderStreamError));
        for bytes in [&b"\x21"[..], b"\x3f", b"\xc0\0", b"\x41a\x01b", b"\0"] {
            assert_eq!(read(true, bytes), encoder, "{bytes:?}");
        }
        let decoder = Err(Fault::Connection(Code::DecoderStreamError));
        assert_eq!(read(false, b"\x80"), decoder);
        assert_eq!(read(false, b"\x01"), decoder);
    }
}
