//! From a gateway core to the pump: a bounded, lock-free ring per core.
//!
//! A core reserves a place before it works on a request and fills it when the request has ended. What happens
//! when there is no place is a setting, [`WhenFull`]. Neither step blocks, allocates or makes a system call,
//! except that the first record after a pause wakes the pump.

use std::ops::AddAssign;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
use std::sync::{Arc, OnceLock};
use std::thread::Thread;

use crossbeam_queue::ArrayQueue;

use crate::call::{Call, Event};

/// What to do with a call for whose record there is no place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenFull {
    /// Serve it; its record is lost and counted as lost.
    #[default]
    Serve,
    /// Refuse it, so that nothing is served that is not recorded.
    Refuse,
}

/// There is no place for another record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("usage records cannot be written as fast as they come")]
pub struct Overloaded;

/// The writing end of a ring; clones write into the same one. One per core, so that cores do not contend.
#[derive(Debug, Clone)]
pub struct Recorder {
    ring: Arc<Ring>,
}

/// A promise of a place in the ring, kept from the beginning of a request to its end.
///
/// Dropped without [`record`](Self::record) it gives the place back.
#[derive(Debug)]
pub struct Reservation {
    ring: Arc<Ring>,
}

/// The reading end of a ring.
#[derive(Debug)]
pub struct Drain {
    ring: Arc<Ring>,
}

/// Figures of a ring since its start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RingFigures {
    /// Records that wait for the pump.
    pub pending: u64,
    /// Calls under way that have a place.
    pub reserved: u64,
    /// Records that were lost because there was no place.
    pub lost: u64,
    /// Calls refused because there was no place.
    pub refused: u64,
}

impl AddAssign for RingFigures {
    fn add_assign(&mut self, other: Self) {
        self.pending += other.pending;
        self.reserved += other.reserved;
        self.lost += other.lost;
        self.refused += other.refused;
    }
}

#[derive(Debug)]
struct Ring {
    queue: ArrayQueue<Event>,
    when_full: WhenFull,
    reserved: AtomicU64,
    lost: AtomicU64,
    refused: AtomicU64,
    wake: Arc<Wake>,
}

/// How the writing ends wake the reader: a system call only if it sleeps.
#[derive(Debug, Default)]
pub(crate) struct Wake {
    sleeping: AtomicBool,
    reader: OnceLock<Thread>,
}

/// Makes a ring; for tests and for readers other than the [`Pump`](crate::Pump).
pub fn ring(capacity: usize, when_full: WhenFull) -> (Recorder, Drain) {
    ring_with(capacity, when_full, Arc::default())
}

pub(crate) fn ring_with(capacity: usize, when_full: WhenFull, wake: Arc<Wake>) -> (Recorder, Drain) {
    let ring = Arc::new(Ring {
        queue: ArrayQueue::new(capacity.max(1)),
        when_full,
        reserved: AtomicU64::new(0),
        lost: AtomicU64::new(0),
        refused: AtomicU64::new(0),
        wake,
    });
    (Recorder { ring: ring.clone() }, Drain { ring })
}

impl Recorder {
    /// Takes a place for the record of a call that begins.
    ///
    /// With [`WhenFull::Serve`] it never fails. With [`WhenFull::Refuse`], success means that
    /// [`Reservation::record`] will find its place.
    #[inline]
    pub fn reserve(&self) -> Result<Reservation, Overloaded> {
        let ring = &self.ring;
        // The own place is counted before the queue is looked at, and a record enters the queue before its
        // reservation ends: so no place can be promised twice, whoever else reserves at the same time.
        let reserved = ring.reserved.fetch_add(1, Ordering::AcqRel) + 1;
        let taken = reserved + ring.queue.len() as u64;
        if ring.when_full == WhenFull::Refuse && taken > ring.queue.capacity() as u64 {
            ring.reserved.fetch_sub(1, Ordering::AcqRel);
            ring.refused.fetch_add(1, Ordering::Relaxed);
            return Err(Overloaded);
        }
        Ok(Reservation { ring: ring.clone() })
    }

    /// The figures of the ring.
    pub fn figures(&self) -> RingFigures {
        self.ring.figures()
    }
}

impl Reservation {
    /// Fills the place.
    #[inline]
    pub fn record(self, call: Call) {
        if self.ring.queue.push(Event::Call(call)).is_err() {
            self.ring.lost.fetch_add(1, Ordering::Relaxed);
        }
        self.ring.wake.after_push();
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.ring.reserved.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Drain {
    /// Takes the oldest record.
    pub fn pop(&self) -> Option<Event> {
        self.ring.queue.pop()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.ring.queue.is_empty()
    }

    /// The figures of the ring.
    pub fn figures(&self) -> RingFigures {
        self.ring.figures()
    }
}

impl Ring {
    fn figures(&self) -> RingFigures {
        RingFigures {
            pending: self.queue.len() as u64,
            reserved: self.reserved.load(Ordering::Relaxed),
            lost: self.lost.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
        }
    }
}

impl Wake {
    /// Says which thread sleeps; once, before it does.
    pub(crate) fn register(&self, reader: Thread) {
        self.reader.set(reader).ok();
    }

    /// Announces that the reader is about to sleep; it must look at its rings once more before it does.
    pub(crate) fn announce_sleep(&self) {
        self.sleeping.store(true, Ordering::Relaxed);
        // Pairs with the fence in `after_push`: of "push, then look for a sleeper" and "announce sleep, then
        // look for records" at least one sees the other.
        fence(Ordering::SeqCst);
    }

    /// Ends what [`announce_sleep`](Self::announce_sleep) began.
    pub(crate) fn awake(&self) {
        self.sleeping.store(false, Ordering::Relaxed);
    }

    /// Wakes the reader whatever it does.
    pub(crate) fn force(&self) {
        if let Some(reader) = self.reader.get() {
            reader.unpark();
        }
    }

    #[inline]
    fn after_push(&self) {
        fence(Ordering::SeqCst);
        if self.sleeping.load(Ordering::Relaxed) && self.sleeping.swap(false, Ordering::AcqRel) {
            self.force();
        }
    }
}

#[cfg(test)]
mod tests;
