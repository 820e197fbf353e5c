//! Tracked events on their way in: how much of them is in memory at a time, and where large calls are read.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::desk::Desk;

/// Bodies up to this size take no room, and are read where the call is answered: connections are bounded.
pub(crate) const SMALL_BYTES_MAX: usize = 16 << 10;
/// What larger bodies of a node may take together while they come and are read, in [`UNIT`].
const ROOM: usize = 1024;
/// In which steps room is taken, in bytes.
const UNIT: usize = 64 << 10;

/// Where events are read; all cores have the same one.
#[derive(Debug)]
pub(crate) struct Intray {
    room: Arc<Semaphore>,
    /// One large call is read at a time, on a thread that gives way.
    pub(crate) desk: Desk,
}

impl Default for Intray {
    fn default() -> Self {
        Self {
            room: Arc::new(Semaphore::new(ROOM)),
            desk: Desk::default(),
        }
    }
}

impl Intray {
    /// Room for a body that has not come yet.
    pub(crate) fn room(&self) -> Room {
        Room {
            all: Arc::clone(&self.room),
            taken: None,
            bytes: SMALL_BYTES_MAX,
        }
    }
}

/// The room that a body takes; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Room {
    all: Arc<Semaphore>,
    taken: Option<OwnedSemaphorePermit>,
    bytes: usize,
}

impl Room {
    /// Takes as much as a body of this size needs; whether there was so much.
    pub(crate) fn grow(&mut self, bytes: usize) -> bool {
        let missing = bytes.saturating_sub(self.bytes).div_ceil(UNIT);
        if missing == 0 {
            return true;
        }
        let units = u32::try_from(missing).unwrap_or(u32::MAX);
        let Ok(more) = Arc::clone(&self.all).try_acquire_many_owned(units) else {
            return false;
        };
        self.bytes += missing * UNIT;
        match &mut self.taken {
            Some(taken) => taken.merge(more),
            None => self.taken = Some(more),
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::{Intray, ROOM, SMALL_BYTES_MAX, UNIT};

    #[test]
    fn large_bodies_share_what_there_is() {
        let intray = Intray::default();
        let mut first = intray.room();
        assert!(first.grow(10) && first.grow(SMALL_BYTES_MAX));
        assert_eq!(intray.room.available_permits(), ROOM);
        assert!(first.grow(SMALL_BYTES_MAX + 1) && first.grow(SMALL_BYTES_MAX + UNIT));
        assert_eq!(intray.room.available_permits(), ROOM - 1);
        let mut second = intray.room();
        assert!(!second.grow(SMALL_BYTES_MAX + ROOM * UNIT));
        assert!(second.grow(SMALL_BYTES_MAX + (ROOM - 1) * UNIT));
        assert!(!first.grow(SMALL_BYTES_MAX + UNIT + 1));
        drop(second);
        assert!(first.grow(SMALL_BYTES_MAX + UNIT + 1));
        drop(first);
        assert_eq!(intray.room.available_permits(), ROOM);
    }
}
