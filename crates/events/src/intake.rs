//! From a call that records events to the pump: a queue of bounded size, in front of it what tells duplicates.
//!
//! Each call hands its sections over and waits until they are on the disk. The pump takes all that wait together
//! with what the rings hold, so that calls share a commit: the more of them there are, the more one commit takes.
//!
//! **What came twice.** Ids are noted when a call enters the queue, and calls leave it in order. So whoever sends
//! what another call has just sent is answered after it: either both are on the disk, or both fail. When a commit
//! fails, everything that waits fails with it, and its ids are taken back.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::Timestamp;
use tokio::sync::oneshot;

use crate::log::{self, Log};
use crate::ring::Wake;
use crate::seen::SeenIds;
use crate::wire::Section;

/// What [`IntakeSettings::bytes_max`] is at least: the events of the largest call.
const BYTES_MAX_LEAST: usize = 8 << 20;
/// Bytes of events of one commit, unless a single call has more.
const COMMIT_BYTES_MAX: usize = 4 << 20;

/// How tracked events are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IntakeSettings {
    /// The most bytes of events that wait for the disk: 8 MiB or more.
    pub bytes_max: usize,
    /// How long ids are known, so that an event that is sent again is not taken again.
    pub window: Duration,
    /// The most ids that are known, 16 bytes each; the oldest ones are forgotten first.
    pub ids_max: usize,
}

impl Default for IntakeSettings {
    fn default() -> Self {
        Self {
            bytes_max: 32 << 20,
            window: Duration::from_secs(3600),
            ids_max: 4_000_000,
        }
    }
}

/// Why events were not taken; then none of them are in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// More wait for the disk than may, or the log is full: try again in a moment.
    #[error("too many events wait")]
    Busy,
    /// The disk does not take them.
    #[error("the events could not be written")]
    Unwritten,
    /// The node is stopping.
    #[error("no more events are taken")]
    Closed,
}

/// How many events were taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Taken {
    /// On the disk now.
    pub accepted: u64,
    /// On the disk already, or twice in the same call.
    pub duplicates: u64,
}

/// Figures since the start of the process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct IntakeFigures {
    /// Events on the disk.
    pub accepted: u64,
    /// Events that came again.
    pub duplicates: u64,
    /// Events refused because too many waited.
    pub busy: u64,
    /// Events that could not be written.
    pub unwritten: u64,
    /// Bytes that wait for the disk.
    pub waiting_bytes: u64,
    /// Ids that are known.
    pub ids: u64,
}

/// Takes tracked events; clones share the queue.
#[derive(Clone)]
pub struct Intake {
    shared: Arc<Shared>,
}

struct Shared {
    log: Arc<Log>,
    wake: Arc<Wake>,
    settings: IntakeSettings,
    seen_key: u128,
    state: Mutex<State>,
}

struct State {
    waiting: Vec<Waiting>,
    /// Of those that wait and of those that are being written.
    bytes: usize,
    seen: SeenIds,
    figures: IntakeFigures,
    is_closed: bool,
}

/// A call that waits for its answer.
struct Call {
    bytes: usize,
    taken: Taken,
    tell: oneshot::Sender<Result<Taken, Refused>>,
}

/// A call in the queue.
struct Waiting {
    call: Call,
    sections: Vec<Section>,
    came_us: i64,
}

/// What one commit takes.
#[derive(Default)]
pub(crate) struct Group {
    calls: Vec<Call>,
    /// The events of all calls.
    pub(crate) sections: Vec<Section>,
    /// When the newest of them came.
    pub(crate) at_us: i64,
    /// See [`Commit::unseen_through`](log::Commit::unseen_through).
    pub(crate) unseen_through: u64,
}

impl Group {
    /// Whether there is nothing to write or to answer.
    pub(crate) fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }
}

impl Intake {
    /// Opens the queue before a log; [`Pump::start_with`](crate::Pump::start_with) empties it.
    ///
    /// # Errors
    /// Those of reading what came lately from the log.
    pub fn open(log: Arc<Log>, settings: IntakeSettings) -> Result<Self, log::Error> {
        let window_us = i64::try_from(settings.window.as_micros()).unwrap_or(i64::MAX);
        let mut seen = SeenIds::new(window_us, settings.ids_max);
        for commit in log.seen()? {
            seen.advance(commit.at_us);
            for hash in commit.hashes {
                seen.insert(hash);
            }
            seen.committed(commit.sequence);
        }
        let settings = IntakeSettings {
            bytes_max: settings.bytes_max.max(BYTES_MAX_LEAST),
            ..settings
        };
        Ok(Self {
            shared: Arc::new(Shared {
                seen_key: log.seen_key()?,
                log,
                wake: Arc::default(),
                settings,
                state: Mutex::new(State {
                    waiting: Vec::new(),
                    bytes: 0,
                    seen,
                    figures: IntakeFigures::default(),
                    is_closed: false,
                }),
            }),
        })
    }

    /// What ids are hashed with for [`Section::push`].
    pub fn seen_key(&self) -> u128 {
        self.shared.seen_key
    }

    /// Hands events over and waits until they are on the disk; `now` is when they came.
    ///
    /// # Errors
    /// As [`Refused`] says; nothing was taken then. Whoever stops waiting does not know: the events may be written.
    pub async fn submit(&self, sections: Vec<Section>, now: Timestamp) -> Result<Taken, Refused> {
        let answer = self.enqueue(sections, now)?;
        // The pump answers everybody; one that has ended has closed the queue.
        answer.await.unwrap_or(Err(Refused::Closed))
    }

    /// Hands events over and does not wait: what becomes of them is in the figures.
    ///
    /// # Errors
    /// `Busy` and `Closed`, as [`submit`](Self::submit).
    pub fn offer(&self, sections: Vec<Section>, now: Timestamp) -> Result<(), Refused> {
        self.enqueue(sections, now).map(drop)
    }

    fn enqueue(
        &self,
        mut sections: Vec<Section>,
        now: Timestamp,
    ) -> Result<oneshot::Receiver<Result<Taken, Refused>>, Refused> {
        let bytes: usize = sections.iter().map(Section::byte_len).sum();
        let events: usize = sections.iter().map(Section::len).sum();
        let mut state = self.shared.state();
        if state.is_closed {
            return Err(Refused::Closed);
        }
        let has_room = state.bytes + bytes <= self.shared.settings.bytes_max
            && self.shared.log.has_room((state.bytes + bytes) as u64);
        if !has_room {
            state.figures.busy += events as u64;
            return Err(Refused::Busy);
        }
        state.seen.advance(now.as_micros());
        let seen = &mut state.seen;
        for section in &mut sections {
            let mut is_new = section
                .hashes()
                .iter()
                .map(|hash| *hash == 0 || seen.insert(*hash));
            // Most calls bring only what is new, and then nothing moves.
            if let Some(first) = is_new.position(|is_new| !is_new) {
                let after: Vec<bool> = is_new.collect();
                section.retain(|place| place < first || place > first && after[place - first - 1]);
            }
        }
        sections.retain(|section| !section.is_empty());
        let accepted = sections.iter().map(Section::len).sum::<usize>();
        let taken = Taken {
            accepted: accepted as u64,
            duplicates: (events - accepted) as u64,
        };
        let (tell, answer) = oneshot::channel();
        state.bytes += bytes;
        state.waiting.push(Waiting {
            call: Call { bytes, taken, tell },
            sections,
            came_us: now.as_micros(),
        });
        drop(state);
        self.shared.wake.force();
        Ok(answer)
    }

    /// What wakes the pump.
    pub(crate) fn wake(&self) -> Arc<Wake> {
        self.shared.wake.clone()
    }

    /// Whether a call waits.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.shared.state().waiting.is_empty()
    }

    /// Takes what waits, as much as belongs into one commit.
    pub(crate) fn take(&self) -> Group {
        let mut state = self.shared.state();
        if state.waiting.is_empty() {
            return Group::default();
        }
        let mut bytes = 0;
        let fits = state.waiting.iter().take_while(|waiting| {
            bytes += waiting.call.bytes;
            bytes <= COMMIT_BYTES_MAX
        });
        let count = fits.count().max(1);
        let mut group = Group {
            unseen_through: state.seen.forgotten_through(),
            ..Group::default()
        };
        for waiting in state.waiting.drain(..count) {
            group.at_us = waiting.came_us;
            group.calls.push(waiting.call);
            group.sections.extend(waiting.sections);
        }
        group
    }

    /// Tells the calls of a group that their events are in the log up to this batch.
    pub(crate) fn succeed(&self, group: Group, sequence: u64) {
        let mut state = self.shared.state();
        if !group.sections.is_empty() {
            state.seen.committed(sequence);
        }
        for Call { bytes, taken, .. } in &group.calls {
            state.bytes -= bytes;
            state.figures.accepted += taken.accepted;
            state.figures.duplicates += taken.duplicates;
        }
        drop(state);
        for call in group.calls {
            // Nobody may wait any more.
            let _ = call.tell.send(Ok(call.taken));
        }
    }

    /// Tells the calls of a group, and all that wait, that nothing of them is in the log.
    pub(crate) fn fail(&self, group: Group, why: Refused) {
        let mut state = self.shared.state();
        let waiting = std::mem::take(&mut state.waiting);
        let mut calls = group.calls;
        let mut sections = group.sections;
        for waiting in waiting {
            calls.push(waiting.call);
            sections.extend(waiting.sections);
        }
        for hash in sections
            .iter()
            .flat_map(Section::hashes)
            .filter(|hash| **hash != 0)
        {
            state.seen.remove(*hash);
        }
        for Call { bytes, taken, .. } in &calls {
            state.bytes -= bytes;
            let events = taken.accepted + taken.duplicates;
            match why {
                Refused::Busy => state.figures.busy += events,
                Refused::Unwritten | Refused::Closed => state.figures.unwritten += events,
            }
        }
        drop(state);
        for call in calls {
            // Nobody may wait any more.
            let _ = call.tell.send(Err(why));
        }
    }

    /// Takes nothing more from now on.
    pub(crate) fn close(&self) {
        self.shared.state().is_closed = true;
    }

    /// The figures.
    pub fn figures(&self) -> IntakeFigures {
        let state = self.shared.state();
        IntakeFigures {
            waiting_bytes: state.bytes as u64,
            ids: state.seen.len() as u64,
            ..state.figures
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Intake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Intake")
            .field("figures", &self.figures())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
