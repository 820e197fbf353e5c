//! The redb file under the log: its tables, its transactions, and how it is opened again after an error.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::sync::{PoisonError, RwLock};

use redb::{Database, ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition};

const BATCHES: TableDefinition<u64, &[u8]> = TableDefinition::new("batches");
/// (beginning of the period, subscription) → calls. In this order, past periods are one range.
const QUOTA: TableDefinition<(i64, u128), u64> = TableDefinition::new("quota");
/// Newest batch of a commit → when it was made and what its events are recognised by, 8 bytes each.
const SEEN: TableDefinition<u64, &[u8]> = TableDefinition::new("seen");
/// What the hashes in [`SEEN`] are keyed with.
const SEEN_KEY: TableDefinition<(), u128> = TableDefinition::new("seen_key");
const META: TableDefinition<&str, u64> = TableDefinition::new("meta");
const NODE: TableDefinition<(), u128> = TableDefinition::new("node");

const FORMAT: &str = "format";
const NEXT: &str = "next";
const BYTES: &str = "bytes";
const QUOTA_THROUGH: &str = "quota_through";

/// The format of the tables above.
pub(super) const FORMAT_KNOWN: u64 = 1;
/// Counts of periods that began this long before the newest one are forgotten: two months and a spare day.
pub(super) const QUOTA_SECONDS_KEPT: i64 = 63 * 24 * 3600;

/// Calls by beginning of the period and subscription.
pub(super) type QuotaCounts = HashMap<(i64, u128), u64>;

type Opener = Box<dyn Fn() -> Result<Database, redb::Error> + Send + Sync>;

/// A database that is opened again after an error, as redb asks for.
pub(super) struct File {
    open: Opener,
    database: RwLock<Option<Database>>,
}

/// What the meta tables say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) format: u64,
    pub(super) node: u128,
    pub(super) next: u64,
    pub(super) bytes: u64,
    pub(super) batches: u64,
    /// The newest batch whose calls are in the quota table; those after it are counted from the batches.
    pub(super) quota_through: u64,
}

/// How an append ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Appended {
    /// It is on the disk.
    Done(Head),
    /// It is there since an attempt that seemed to fail; nothing was written.
    Already(Head),
    /// The sequence number is not the next one; nothing was written.
    Other(Head),
}

/// What one commit writes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Written<'a> {
    /// Frames of consecutive batches; one at least.
    pub(super) frames: &'a [&'a [u8]],
    /// The counts of all batches that are not in the quota table yet, the first frame included, if they are due.
    pub(super) counts: Option<&'a QuotaCounts>,
    /// What the events of these batches are recognised by; nothing if empty.
    pub(super) seen: &'a [u8],
    /// What was noted so up to this batch is forgotten.
    pub(super) unseen_through: u64,
}

impl File {
    pub(super) fn new(open: Opener) -> Self {
        Self {
            open,
            database: RwLock::new(None),
        }
    }

    /// Works on the database, opening it first if need be; an error closes it.
    pub(super) fn with<T>(
        &self,
        work: impl FnOnce(&Database) -> Result<T, redb::Error>,
    ) -> Result<T, redb::Error> {
        self.open_if_closed()?;
        let result = {
            let guard = self.database.read().unwrap_or_else(PoisonError::into_inner);
            match guard.as_ref() {
                Some(database) => work(database),
                // Another thread met an error in between; the caller tries again as after one of its own.
                None => Err(redb::Error::PreviousIo),
            }
        };
        if result.is_err() {
            *self.database.write().unwrap_or_else(PoisonError::into_inner) = None;
        }
        result
    }

    fn open_if_closed(&self) -> Result<(), redb::Error> {
        if self
            .database
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .is_some()
        {
            return Ok(());
        }
        let mut guard = self.database.write().unwrap_or_else(PoisonError::into_inner);
        if guard.is_none() {
            *guard = Some((self.open)()?);
        }
        Ok(())
    }
}

/// Reads the meta tables, and makes them for `node` if the file is new.
pub(super) fn prepare(database: &Database, node: u128, seen_key: u128) -> Result<Head, redb::Error> {
    let transaction = database.begin_write()?;
    {
        let mut meta = transaction.open_table(META)?;
        if meta.get(FORMAT)?.is_none() {
            meta.insert(FORMAT, FORMAT_KNOWN)?;
            meta.insert(NEXT, 1)?;
            meta.insert(BYTES, 0)?;
            transaction.open_table(NODE)?.insert((), node)?;
            transaction.open_table(BATCHES)?;
            transaction.open_table(QUOTA)?;
        }
        // Files of older builds have neither.
        transaction.open_table(SEEN)?;
        let mut key = transaction.open_table(SEEN_KEY)?;
        if key.get(())?.is_none() {
            key.insert((), seen_key)?;
        }
    }
    transaction.commit()?;
    head(database)
}

pub(super) fn head(database: &Database) -> Result<Head, redb::Error> {
    let transaction = database.begin_read()?;
    let meta = transaction.open_table(META)?;
    let number = |name| meta.get(name).map(|found| found.map_or(0, |value| value.value()));
    let node = transaction
        .open_table(NODE)?
        .get(())?
        .map_or(0, |value| value.value());
    Ok(Head {
        format: number(FORMAT)?,
        node,
        next: number(NEXT)?,
        bytes: number(BYTES)?,
        batches: transaction.open_table(BATCHES)?.len()?,
        quota_through: number(QUOTA_THROUGH)?,
    })
}

/// Commits batches from a sequence number on, with what belongs to them.
///
/// What is found at and after that number stems from a commit that was reported as failed: nobody else writes. If it
/// is the same, nothing is written; if it goes on with what is not wanted any more, that is taken away.
pub(super) fn append(
    database: &Database,
    sequence: u64,
    written: Written<'_>,
) -> Result<Appended, redb::Error> {
    let transaction = database.begin_write()?;
    let count = written.frames.len() as u64;
    {
        let mut meta = transaction.open_table(META)?;
        let mut batches = transaction.open_table(BATCHES)?;
        let next = meta.get(NEXT)?.map_or(1, |value| value.value());
        if next != sequence {
            let mut are_there = next >= sequence + count;
            for (sequence, frame) in (sequence..).zip(written.frames) {
                are_there = are_there
                    && batches
                        .get(sequence)?
                        .is_some_and(|stored| stored.value() == *frame);
            }
            drop((meta, batches));
            transaction.abort()?;
            return if are_there {
                cut(database, sequence + count).map(Appended::Already)
            } else {
                cut(database, sequence).map(Appended::Other)
            };
        }
        let mut bytes = meta.get(BYTES)?.map_or(0, |value| value.value());
        for (sequence, frame) in (sequence..).zip(written.frames) {
            batches.insert(sequence, *frame)?;
            bytes += frame.len() as u64;
        }
        meta.insert(NEXT, sequence + count)?;
        meta.insert(BYTES, bytes)?;
        if let Some(counts) = written.counts {
            add_counts(&mut transaction.open_table(QUOTA)?, counts)?;
            // The first frame is the only one that may have calls.
            meta.insert(QUOTA_THROUGH, sequence)?;
        }
        if !written.seen.is_empty() {
            let mut seen = transaction.open_table(SEEN)?;
            seen.insert(sequence + count - 1, written.seen)?;
            seen.retain_in(..=written.unseen_through, |_, _| false)?;
        }
    }
    crate::fault::point("log.before_commit");
    transaction.commit()?;
    crate::fault::point("log.after_commit");
    Ok(Appended::Done(head(database)?))
}

/// Takes the batches from a sequence number on away, which nobody was told of.
pub(super) fn cut(database: &Database, from: u64) -> Result<Head, redb::Error> {
    let before = head(database)?;
    if before.next <= from {
        return Ok(before);
    }
    let transaction = database.begin_write()?;
    {
        let mut removed = 0;
        transaction.open_table(BATCHES)?.retain_in(from.., |_, frame| {
            removed += frame.len() as u64;
            false
        })?;
        transaction.open_table(SEEN)?.retain_in(from.., |_, _| false)?;
        let mut meta = transaction.open_table(META)?;
        meta.insert(NEXT, from)?;
        meta.insert(BYTES, before.bytes.saturating_sub(removed))?;
        meta.insert(QUOTA_THROUGH, before.quota_through.min(from.saturating_sub(1)))?;
    }
    transaction.commit()?;
    head(database)
}

/// What the hashes of the events are keyed with.
pub(super) fn seen_key(database: &Database) -> Result<u128, redb::Error> {
    let transaction = database.begin_read()?;
    let key = transaction
        .open_table(SEEN_KEY)?
        .get(())?
        .map_or(0, |value| value.value());
    Ok(key)
}

/// Hands out what events were recognised by, from the oldest commit on.
pub(super) fn each_seen(database: &Database, mut take: impl FnMut(u64, &[u8])) -> Result<(), redb::Error> {
    let transaction = database.begin_read()?;
    for entry in transaction.open_table(SEEN)?.iter()? {
        let (sequence, seen) = entry?;
        take(sequence.value(), seen.value());
    }
    Ok(())
}

fn add_counts(
    quota: &mut redb::Table<'_, (i64, u128), u64>,
    counts: &QuotaCounts,
) -> Result<(), redb::Error> {
    let newest_before = quota.last()?.map_or(i64::MIN, |(key, _)| key.value().0);
    let newest = counts
        .keys()
        .map(|(period, _)| *period)
        .fold(newest_before, i64::max);
    let oldest_kept = newest.saturating_sub(QUOTA_SECONDS_KEPT);
    for (key, count) in counts.iter().filter(|((period, _), _)| *period >= oldest_kept) {
        let sum = quota
            .get(key)?
            .map_or(0, |value| value.value())
            .saturating_add(*count);
        quota.insert(key, sum)?;
    }
    if newest != newest_before {
        quota.retain_in(..(oldest_kept, 0), |_, _| false)?;
    }
    Ok(())
}

/// Lets the next batch have a higher number.
pub(super) fn advance(database: &Database, next: u64) -> Result<Head, redb::Error> {
    let transaction = database.begin_write()?;
    {
        let mut meta = transaction.open_table(META)?;
        let before = meta.get(NEXT)?.map_or(1, |value| value.value());
        meta.insert(NEXT, before.max(next))?;
    }
    transaction.commit()?;
    head(database)
}

/// The sequence number of the oldest frame that is there.
pub(super) fn first(database: &Database) -> Result<Option<u64>, redb::Error> {
    let transaction = database.begin_read()?;
    let batches = transaction.open_table(BATCHES)?;
    Ok(batches.first()?.map(|(sequence, _)| sequence.value()))
}

/// Frames of a range of sequence numbers that are there, until `bytes_max` is reached; at least one.
pub(super) fn read(
    database: &Database,
    range: RangeInclusive<u64>,
    bytes_max: usize,
) -> Result<Vec<(u64, Vec<u8>)>, redb::Error> {
    let transaction = database.begin_read()?;
    let batches = transaction.open_table(BATCHES)?;
    let mut found = Vec::new();
    let mut bytes = 0;
    for entry in batches.range(range)? {
        let (sequence, frame) = entry?;
        bytes += frame.value().len();
        if bytes > bytes_max && !found.is_empty() {
            break;
        }
        found.push((sequence.value(), frame.value().to_vec()));
    }
    Ok(found)
}

/// Hands out the frames after a sequence number, one at a time.
pub(super) fn each_after(
    database: &Database,
    sequence: u64,
    mut take: impl FnMut(u64, &[u8]),
) -> Result<(), redb::Error> {
    let transaction = database.begin_read()?;
    let batches = transaction.open_table(BATCHES)?;
    for entry in batches.range(sequence.saturating_add(1)..)? {
        let (sequence, frame) = entry?;
        take(sequence.value(), frame.value());
    }
    Ok(())
}

/// Removes batches, after the counts of all batches that are not in the quota table yet were added to it.
pub(super) fn trim(database: &Database, up_to: u64, counts: &QuotaCounts) -> Result<Head, redb::Error> {
    let transaction = database.begin_write()?;
    {
        let mut removed = 0;
        let mut batches = transaction.open_table(BATCHES)?;
        batches.retain_in(..=up_to, |_, frame| {
            removed += frame.len() as u64;
            false
        })?;
        let mut meta = transaction.open_table(META)?;
        let bytes = meta
            .get(BYTES)?
            .map_or(0, |value| value.value())
            .saturating_sub(removed);
        let newest = meta.get(NEXT)?.map_or(1, |value| value.value()) - 1;
        meta.insert(BYTES, bytes)?;
        meta.insert(QUOTA_THROUGH, newest)?;
        add_counts(&mut transaction.open_table(QUOTA)?, counts)?;
    }
    transaction.commit()?;
    head(database)
}

/// The quota table.
pub(super) fn quota_counts(database: &Database) -> Result<QuotaCounts, redb::Error> {
    let transaction = database.begin_read()?;
    let quota = transaction.open_table(QUOTA)?;
    let mut counts = QuotaCounts::new();
    for entry in quota.iter()? {
        let (key, count) = entry?;
        counts.insert(key.value(), count.value());
    }
    Ok(counts)
}
