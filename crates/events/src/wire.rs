//! How events are written: in the log, and on the way to the control plane.
//!
//! A [`Batch`] is a frame: CRC-32 over sequence number, form and body (4 bytes, little endian), the form (1
//! byte), the body. Callees, callers and error codes stand once per body and calls refer to them, so that a
//! call takes about 35 bytes instead of 200. Several batches travel as [`encode_batches`] writes them:
//! form (1 byte), sequence number of the first (8 bytes), then for each its length (4 bytes) and its frame, all
//! little endian.
//!
//! A batch has either calls or tracked events; those are in [`Section`]s. Who reads only one of the two finds none in
//! a batch of the other.
//!
//! Reading is bounded by the limits below and never panics, whatever the bytes; a form that this build does not
//! know is an error of its own, so that a newer node's records wait instead of getting lost.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};

use crate::call::Event;

mod body;
pub(crate) mod tracked;

pub use body::Encoder;
pub use tracked::{EVENT_BYTES_MAX, EventId, Marks, Origin, Section, Tracked};

/// The most events of one batch.
pub const EVENTS_MAX: usize = 8192;
/// The most bytes of one frame; [`EVENTS_MAX`] events that have nothing in common stay below it.
pub const FRAME_BYTES_MAX: usize = 4 << 20;
/// The most bytes that [`decode_batches`] takes.
pub const BATCHES_BYTES_MAX: usize = 16 << 20;
/// The most batches that [`decode_batches`] takes.
pub const BATCHES_MAX: usize = 4096;

const FORM_LOST: u8 = 0;
const FORM_CALLS: u8 = 1;
/// Like [`FORM_CALLS`], and which variants calls got behind it; written before there were targets.
const FORM_VARIANTS: u8 = 2;
/// Tracked events.
const FORM_TRACKED: u8 = 3;
/// Like [`FORM_CALLS`], and behind it which targets calls were sent to, and which variants they got.
const FORM_SIDES: u8 = 4;
const FORM_BATCHES: u8 = 1;
const HEAD_BYTES: usize = 5;

/// Why bytes cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// They are over a limit of this module.
    #[error("more than {limit} of them are not read at once")]
    TooLarge {
        /// The limit: bytes, events or batches.
        limit: usize,
    },
    /// They are of a form that this build does not know.
    #[error("form {form} is not known; a newer version wrote it")]
    UnknownForm {
        /// The form.
        form: u8,
    },
    /// They end too early or too late, or say something that cannot be.
    #[error("the bytes are malformed")]
    Malformed,
    /// They were changed since they were written.
    #[error("the checksum of batch {sequence} is wrong")]
    Checksum {
        /// The batch's sequence number.
        sequence: u64,
    },
}

/// Calls or tracked events of one commit of the log, still encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    sequence: u64,
    frame: Bytes,
    /// Places of tracked events that are passed over, in rising order.
    passed_over: Arc<[u32]>,
}

impl Batch {
    /// Encodes events; [`Encoder`] does the same without new memory each time.
    ///
    /// Events after the first [`EVENTS_MAX`] are left out, so callers pass no more.
    pub fn of(sequence: u64, events: &[Event]) -> Self {
        let mut encoder = Encoder::default();
        let frame = encoder.encode(sequence, events);
        Self::sealed(sequence, Bytes::copy_from_slice(frame))
    }

    /// Writes tracked events into as few batches as hold them, the first one with this sequence number.
    pub fn of_tracked(sequence: u64, sections: &[Section]) -> Vec<Self> {
        let frames = (sequence..).zip(tracked::frames(sections));
        let batches = frames.map(|(sequence, mut frame)| {
            seal(sequence, &mut frame);
            Self::sealed(sequence, frame.into())
        });
        batches.collect()
    }

    /// Stands for a batch that cannot be read any more, so that the sequence has no gap; as the first one after
    /// what a sink has, for all in between.
    pub fn lost(sequence: u64) -> Self {
        let mut frame = vec![0, 0, 0, 0, FORM_LOST];
        seal(sequence, &mut frame);
        Self::sealed(sequence, frame.into())
    }

    /// Takes a frame whose checksum is right for the sequence number.
    pub fn from_frame(sequence: u64, frame: Bytes) -> Result<Self, DecodeError> {
        if frame.len() > FRAME_BYTES_MAX {
            return Err(DecodeError::TooLarge {
                limit: FRAME_BYTES_MAX,
            });
        }
        let (stored, rest) = frame.split_first_chunk::<4>().ok_or(DecodeError::Malformed)?;
        if rest.is_empty() {
            return Err(DecodeError::Malformed);
        }
        if u32::from_le_bytes(*stored) != checksum(sequence, rest) {
            return Err(DecodeError::Checksum { sequence });
        }
        Ok(Self::sealed(sequence, frame))
    }

    /// Takes a frame that is known to be right.
    fn sealed(sequence: u64, frame: Bytes) -> Self {
        Self {
            sequence,
            frame,
            passed_over: Arc::default(),
        }
    }

    /// The same without the tracked events in these places, which are in rising order; others keep their ids.
    ///
    /// Only what [`tracked`](Self::tracked) says is another: the frame is as it was.
    #[must_use]
    pub fn passing_over(&self, places: &[u32]) -> Self {
        Self {
            passed_over: places.into(),
            ..self.clone()
        }
    }

    /// Its place in the node's sequence, from 1, without gaps.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The encoded form, checksum included.
    pub fn frame(&self) -> &Bytes {
        &self.frame
    }

    /// Whether it stands for a batch that cannot be read any more.
    pub fn is_lost(&self) -> bool {
        self.frame.get(4) == Some(&FORM_LOST)
    }

    /// Whether it has tracked events.
    pub fn is_tracked(&self) -> bool {
        self.frame.get(4) == Some(&FORM_TRACKED)
    }

    /// The calls; none of a batch that is lost or has tracked events.
    pub fn events(&self) -> Result<Vec<Event>, DecodeError> {
        match self.frame.get(4) {
            Some(&(FORM_LOST | FORM_TRACKED)) => Ok(Vec::new()),
            Some(&form @ (FORM_CALLS | FORM_VARIANTS | FORM_SIDES)) => {
                body::decode(&self.frame[HEAD_BYTES..], form)
            }
            Some(&form) => Err(DecodeError::UnknownForm { form }),
            None => Err(DecodeError::Malformed),
        }
    }

    /// The tracked events; none of a batch that is lost or has calls.
    pub fn tracked(&self) -> Result<Vec<Tracked<'_>>, DecodeError> {
        match self.frame.get(4) {
            Some(&(FORM_LOST | FORM_CALLS | FORM_VARIANTS | FORM_SIDES)) => Ok(Vec::new()),
            Some(&FORM_TRACKED) => {
                let mut events = tracked::decode(&self.frame[HEAD_BYTES..])?;
                let mut places = 0_u32..;
                if !self.passed_over.is_empty() {
                    events.retain(|_| {
                        let place = places.next().unwrap_or_default();
                        self.passed_over.binary_search(&place).is_err()
                    });
                }
                Ok(events)
            }
            Some(&form) => Err(DecodeError::UnknownForm { form }),
            None => Err(DecodeError::Malformed),
        }
    }
}

/// Writes consecutive batches as the body of `POST /internal/v1/nodes/{id}/events`.
///
/// An empty slice becomes an empty body. Callers keep within [`BATCHES_MAX`] and [`BATCHES_BYTES_MAX`], as
/// [`Log::read_after`](crate::Log::read_after) does.
pub fn encode_batches(batches: &[Batch]) -> Bytes {
    let Some(first) = batches.first() else {
        return Bytes::new();
    };
    let frames: usize = batches.iter().map(|batch| batch.frame.len() + 4).sum();
    let mut body = BytesMut::with_capacity(frames + 9);
    body.put_u8(FORM_BATCHES);
    body.put_u64_le(first.sequence);
    for batch in batches {
        body.put_u32_le(u32::try_from(batch.frame.len()).expect("frames are at most FRAME_BYTES_MAX long"));
        body.put_slice(&batch.frame);
    }
    body.freeze()
}

/// Reads what [`encode_batches`] wrote. Frames are checked, bodies are read by [`Batch::events`].
pub fn decode_batches(body: &Bytes) -> Result<Vec<Batch>, DecodeError> {
    if body.is_empty() {
        return Ok(Vec::new());
    }
    if body.len() > BATCHES_BYTES_MAX {
        return Err(DecodeError::TooLarge {
            limit: BATCHES_BYTES_MAX,
        });
    }
    if body[0] != FORM_BATCHES {
        return Err(DecodeError::UnknownForm { form: body[0] });
    }
    let mut rest = body.slice(1..);
    let mut sequence = u64::from_le_bytes(take(&mut rest)?);
    let mut batches = Vec::new();
    while !rest.is_empty() {
        if batches.len() == BATCHES_MAX {
            return Err(DecodeError::TooLarge { limit: BATCHES_MAX });
        }
        let length = u32::from_le_bytes(take(&mut rest)?) as usize;
        if length > rest.len() {
            return Err(DecodeError::Malformed);
        }
        batches.push(Batch::from_frame(sequence, rest.split_to(length))?);
        sequence = sequence.checked_add(1).ok_or(DecodeError::Malformed)?;
    }
    Ok(batches)
}

fn take<const N: usize>(rest: &mut Bytes) -> Result<[u8; N], DecodeError> {
    if rest.len() < N {
        return Err(DecodeError::Malformed);
    }
    let mut taken = [0; N];
    taken.copy_from_slice(&rest.split_to(N));
    Ok(taken)
}

/// Writes the checksum into the first four bytes of a frame.
pub(crate) fn seal(sequence: u64, frame: &mut [u8]) {
    let (place, rest) = frame.split_at_mut(4);
    place.copy_from_slice(&checksum(sequence, rest).to_le_bytes());
}

fn checksum(sequence: u64, rest: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&sequence.to_le_bytes());
    hasher.update(rest);
    hasher.finalize()
}

#[cfg(test)]
pub(crate) mod tests;
