//! A body on its way in, as it lies in the buffer that the connection is read into.

use bytes::{Buf as _, Bytes, BytesMut};
use hyper::body::{Frame, SizeHint};

use super::answer;
use crate::framing::{CHUNK, Chunks, Violation};

/// What is still to come of a body: RFC 9112 section 6.3.
#[derive(Debug)]
pub(super) enum Coming {
    Bytes(u64),
    Chunks {
        state: Chunks,
        trailer: BytesMut,
        who: Sender,
    },
    UntilClose,
    Done,
}

/// Who sends the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sender {
    Client,
    Upstream,
}

impl Coming {
    pub(super) const fn bytes(length: u64) -> Self {
        match length {
            0 => Self::Done,
            length => Self::Bytes(length),
        }
    }

    pub(super) fn chunks(who: Sender) -> Self {
        Self::Chunks {
            state: CHUNK,
            trailer: BytesMut::new(),
            who,
        }
    }

    pub(super) const fn is_done(&self) -> bool {
        matches!(self, Self::Done)
    }

    /// How much of it is left.
    pub(super) fn size_hint(&self) -> SizeHint {
        match self {
            Self::Bytes(left) => SizeHint::with_exact(*left),
            Self::Done => SizeHint::with_exact(0),
            _ => SizeHint::default(),
        }
    }

    /// Takes the next part from what was read; none if more has to be read first, or if it has ended.
    pub(super) fn take(&mut self, input: &mut BytesMut) -> Result<Option<Frame<Bytes>>, Violation> {
        let frame = match self {
            Self::Bytes(left) => {
                let data = part(input, left);
                if *left > 0 {
                    return Ok(data);
                }
                data
            }
            Self::UntilClose => {
                let mut left = u64::MAX;
                return Ok(part(input, &mut left));
            }
            Self::Chunks { state, trailer, who } => {
                let frame = chunk(input, state, trailer, *who)?;
                if *state != Chunks::End {
                    return Ok(frame);
                }
                frame
            }
            Self::Done => return Ok(None),
        };
        *self = Self::Done;
        Ok(frame)
    }
}

/// What there is of the next bytes of data; none if there is none.
fn part(input: &mut BytesMut, left: &mut u64) -> Option<Frame<Bytes>> {
    let length = usize::try_from(*left).map_or(input.len(), |left| left.min(input.len()));
    if length == 0 {
        return None;
    }
    *left -= length as u64;
    Some(Frame::data(input.split_to(length).freeze()))
}

/// Reads chunks up to the next data, or the trailer if there is one.
pub(super) fn chunk(
    input: &mut BytesMut,
    state: &mut Chunks,
    trailer: &mut BytesMut,
    who: Sender,
) -> Result<Option<Frame<Bytes>>, Violation> {
    while !input.is_empty() {
        if let Chunks::Data { left } = state {
            let data = part(input, left);
            if *left == 0 {
                *state = Chunks::DataCr;
            }
            return Ok(data);
        }
        let byte = match (*state, input.get_u8()) {
            // Some old services fill the size up with blanks.
            (Chunks::Size { digits: 1.., .. }, b' ' | b'\t') if who == Sender::Upstream => b';',
            (_, byte) => byte,
        };
        *state = state.next(byte)?;
        match state {
            Chunks::Trailer { bytes: 1.., .. } | Chunks::TrailerLf { bytes: 1.., .. } => {
                trailer.extend_from_slice(&[byte]);
            }
            Chunks::End if !trailer.is_empty() => {
                trailer.extend_from_slice(b"\n");
                let section = trailer.split().freeze();
                let fields = answer::trailers(&section).map_err(|_| Violation::Trailer)?;
                return Ok(Some(Frame::trailers(fields)));
            }
            Chunks::End => return Ok(None),
            _ => {}
        }
    }
    Ok(None)
}

/// Whether what there is of a chunked body may be the beginning of one.
pub(super) fn check_chunks(bytes: &[u8]) -> Result<(), Violation> {
    let (mut state, mut rest) = (CHUNK, bytes);
    while let [byte, after @ ..] = rest {
        if let Chunks::Data { left } = state {
            let length = usize::try_from(left).map_or(rest.len(), |left| left.min(rest.len()));
            rest = &rest[length..];
            state = match left - length as u64 {
                0 => Chunks::DataCr,
                left => Chunks::Data { left },
            };
            continue;
        }
        state = state.next(*byte)?;
        if state == Chunks::End {
            break;
        }
        rest = after;
    }
    Ok(())
}
