//! Events that come to one log and again to another: told where the events of all logs come together.
//!
//! A log tells what comes to it twice. What it hands over is looked at again here, in the transaction that counts it: an
//! id that came in by another log within the window is a duplicate. It is not counted, and its place in its batch is
//! written down, so that the lake leaves out the same event ([`Control::without_duplicates`]).
//!
//! Rows of hashes in the database are the truth, numbered under a lock; what a process has in memory is a copy of them, so
//! that several control planes tell alike. The time that matters is when events came in, not when they were counted: a
//! node may have been alone for hours.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::Timestamp;
use domain::id::NodeId;
use events::sink::SinkError;
use events::wire::DecodeError;
use events::{Batch, Recogniser};
use rustc_hash::FxHashMap;
use store::Tx;
use store::tracking::{EventDuplicates, EventIds};

use crate::secret::Purpose;
use crate::{Control, Error};

/// How late events of a node that was alone may be counted and are still told to be duplicates.
const LATE: Duration = Duration::from_secs(86_400);
/// How often it is looked whether batches are counted, and how many times.
const LOOK: Duration = Duration::from_millis(100);
const LOOKS_MAX: u32 = 50;
/// What is locked while ids are read and written.
const LOCK: &str = "event_ids";

/// By what events of several logs are recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdSettings {
    /// How long an id is known after an event with it came in; nothing is told if it is zero.
    pub window: Duration,
    /// The most ids that are known; the oldest are forgotten first.
    pub ids_max: usize,
}

impl Default for IdSettings {
    fn default() -> Self {
        Self {
            window: Duration::from_secs(3600),
            ids_max: 4_000_000,
        }
    }
}

/// A copy of what the database knows.
#[derive(Debug, Default)]
pub(crate) struct Known(Mutex<Ids>);

/// Ids in two generations, of which the older one is forgotten as a whole.
#[derive(Debug, Default)]
struct Ids {
    /// The newest row.
    number: u64,
    young: Generation,
    old: Generation,
}

#[derive(Debug, Default)]
struct Generation {
    /// The first row.
    first: u64,
    /// When that was counted.
    begun: Option<Timestamp>,
    /// The second in which the last event with an id came in.
    seconds: FxHashMap<u64, u32>,
}

impl Ids {
    /// Takes over a row; those that are known are passed over.
    fn add(&mut self, row: &EventIds, settings: IdSettings) {
        if row.number <= self.number {
            return;
        }
        self.number = row.number;
        let is_full = self.young.seconds.len() + row.ids.len() > settings.ids_max / 2;
        let kept = settings.window + LATE;
        let is_over = self
            .young
            .begun
            .is_none_or(|begun| begun.after(kept) <= row.counted_at);
        if is_full || is_over {
            self.old = std::mem::take(&mut self.young);
            self.young.first = row.number;
            self.young.begun = Some(row.counted_at);
        }
        for (hash, second) in &row.ids {
            let known = self.young.seconds.entry(*hash).or_insert(*second);
            *known = (*known).max(*second);
        }
    }

    /// The seconds in which events with an id came in, as far as they are known.
    fn seconds(&self, hash: u64) -> impl Iterator<Item = u32> {
        let generations = [&self.young, &self.old];
        generations
            .into_iter()
            .filter_map(move |generation| generation.seconds.get(&hash).copied())
    }

    /// The first row that is still known.
    const fn first(&self) -> u64 {
        if self.old.first > 0 {
            self.old.first
        } else {
            self.young.first
        }
    }
}

impl Known {
    fn lock(&self) -> MutexGuard<'_, Ids> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is known of the events of some batches once they are looked at.
#[derive(Debug, Default)]
pub(crate) struct Recognised {
    /// What was new; a row of the database.
    row: Option<EventIds>,
    pub(crate) duplicates: Vec<EventDuplicates>,
}

/// An event that its sender gave an id.
struct Named {
    /// The place of its batch.
    batch: usize,
    place: u32,
    hash: u64,
    second: u32,
}

impl Control {
    /// Tells which events of a node's new batches came in by another log before, and notes the others; in the
    /// transaction that counts them.
    pub(crate) async fn recognise(
        &self,
        tx: &mut Tx,
        node: NodeId,
        batches: &[Batch],
    ) -> Result<Recognised, SinkError> {
        let settings = self.settings().event_ids;
        if settings.window.is_zero() {
            return Ok(Recognised::default());
        }
        let named = self.with_ids(batches).map_err(|error| SinkError::Refused {
            reason: error.to_string(),
        })?;
        if named.is_empty() {
            return Ok(Recognised::default());
        }
        self.noted(tx, node, (batches, &named)).await.map_err(away)
    }

    async fn noted(
        &self,
        tx: &mut Tx,
        node: NodeId,
        (batches, named): (&[Batch], &[Named]),
    ) -> Result<Recognised, store::Error> {
        tx.lock(LOCK).await?;
        let newest = self.catch_up(tx).await?;
        let (ids, duplicates, first) = {
            let known = self.inner.event_ids.lock();
            let (ids, duplicates) = tell(&known, self.settings().event_ids.window, (batches, named));
            (ids, duplicates, known.first())
        };
        if self.settings().lake.is_some() {
            tx.add_event_duplicates(node, &duplicates).await?;
        }
        let row = (!ids.is_empty()).then(|| EventIds {
            number: newest + 1,
            counted_at: self.now(),
            ids,
        });
        if let Some(row) = &row {
            tx.add_event_ids(row).await?;
            tx.forget_event_ids(first).await?;
        }
        Ok(Recognised { row, duplicates })
    }

    /// Takes over what other transactions have noted; answers the newest row's number.
    async fn catch_up(&self, tx: &mut Tx) -> Result<u64, store::Error> {
        let newest = store::tracking::newest_event_ids(tx).await?;
        loop {
            let number = {
                let mut known = self.inner.event_ids.lock();
                if known.number > newest {
                    // The database was put back to an earlier state.
                    *known = Ids::default();
                }
                known.number
            };
            match store::tracking::event_ids_after(tx, number).await? {
                Some(row) => self.inner.event_ids.lock().add(&row, self.settings().event_ids),
                None => return Ok(newest),
            }
        }
    }

    /// Takes over what was noted and is committed.
    pub(crate) fn remember(&self, recognised: &Recognised) {
        if let Some(row) = &recognised.row {
            let mut known = self.inner.event_ids.lock();
            // Whoever has not seen what came before reads both.
            if known.number + 1 == row.number {
                known.add(row, self.settings().event_ids);
            }
        }
    }

    fn with_ids(&self, batches: &[Batch]) -> Result<Vec<Named>, DecodeError> {
        let mac = self.secrets().mac(Purpose::EventIds, b"");
        let (key, _) = mac.split_first_chunk().expect("a MAC has 32 bytes");
        let recogniser = Recogniser::new(*key);
        let mut named = Vec::new();
        for (batch, it) in batches.iter().enumerate() {
            for (place, event) in (0..).zip(it.tracked()?) {
                if let Some(hash) = recogniser.hash(&event) {
                    named.push(Named {
                        batch,
                        place,
                        hash,
                        second: second(event.received_at),
                    });
                }
            }
        }
        Ok(named)
    }

    /// Batches of a node as the lake keeps them, without the events that were told to be duplicates; waits a while until
    /// they are counted, since it is told then.
    ///
    /// # Errors
    /// [`SinkError::Unavailable`] if they are not, or the database is away.
    pub(crate) async fn without_duplicates(
        &self,
        node: NodeId,
        batches: &[Batch],
    ) -> Result<Vec<Batch>, SinkError> {
        let (Some(first), Some(last)) = (batches.first(), batches.last()) else {
            return Ok(Vec::new());
        };
        let (first, last) = (first.sequence(), last.sequence());
        for _ in 0..LOOKS_MAX {
            let counted = store::usage::watermark(&mut self.store(), node).await;
            if counted.map_err(away)?.is_some_and(|counted| counted >= last) {
                let found = store::tracking::event_duplicates(&mut self.store(), node, (first, last)).await;
                return Ok(left(batches, &found.map_err(away)?));
            }
            tokio::time::sleep(LOOK).await;
        }
        let error = Error::Internal(format!("batch {last} is not counted yet"), None);
        Err(SinkError::Unavailable(error.into()))
    }

    /// Forgets the duplicates of batches that the lake has.
    pub(crate) async fn forget_duplicates(&self, node: NodeId, through: u64) -> Result<(), Error> {
        let mut tx = self.store().begin().await?;
        tx.forget_event_duplicates(node, through).await?;
        Ok(tx.commit().await?)
    }
}

/// Batches without their duplicates, which are in the order of the batches.
pub(crate) fn left(batches: &[Batch], duplicates: &[EventDuplicates]) -> Vec<Batch> {
    let each = batches.iter().map(|batch| {
        match duplicates.binary_search_by_key(&batch.sequence(), |found| found.sequence) {
            Ok(found) => batch.passing_over(&duplicates[found].places),
            Err(_) => batch.clone(),
        }
    });
    each.collect()
}

/// Tells what is new from what came before.
fn tell(
    known: &Ids,
    window: Duration,
    (batches, named): (&[Batch], &[Named]),
) -> (Vec<(u64, u32)>, Vec<EventDuplicates>) {
    let window = window.as_secs();
    let is_near = |one: u32, other: u32| u64::from(one.abs_diff(other)) < window;
    let mut new: FxHashMap<u64, u32> = FxHashMap::default();
    let mut ids = Vec::with_capacity(named.len());
    let mut duplicates: Vec<EventDuplicates> = Vec::new();
    for it in named {
        let here = new.get(&it.hash).copied();
        let came_before = known
            .seconds(it.hash)
            .chain(here)
            .any(|second| is_near(second, it.second));
        if !came_before {
            new.insert(it.hash, it.second);
            ids.push((it.hash, it.second));
            continue;
        }
        let sequence = batches[it.batch].sequence();
        match duplicates.last_mut().filter(|last| last.sequence == sequence) {
            Some(last) => last.places.push(it.place),
            None => duplicates.push(EventDuplicates {
                sequence,
                places: vec![it.place],
            }),
        }
    }
    (ids, duplicates)
}

fn second(moment: Timestamp) -> u32 {
    u32::try_from(moment.as_seconds().max(0)).unwrap_or(u32::MAX)
}

fn away(error: store::Error) -> SinkError {
    SinkError::Unavailable(Box::new(error))
}

#[cfg(test)]
mod tests;
