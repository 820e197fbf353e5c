//! The redb file under the log: its tables, its transactions, and how it is opened again after an error.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::sync::{PoisonError, RwLock};

use redb::{Database, ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition};

const BATCHES: TableDefinition<u64, &[u8]> = TableDefinition::new("batches");
/// (beginning of the period, subscription) → calls. In this order, past periods are one range.
const QUOTA: TableDefinition<(i64, u128), u64> = TableDefinition::new("quota");
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
pub(super) fn prepare(database: &Database, node: u128) -> Result<Head, redb::Error> {
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

/// Commits a frame, and the counts of all batches that are not in the quota table yet if they are given.
pub(super) fn append(
    database: &Database,
    sequence: u64,
    frame: &[u8],
    counts: Option<&QuotaCounts>,
) -> Result<Appended, redb::Error> {
    let transaction = database.begin_write()?;
    {
        let mut meta = transaction.open_table(META)?;
        let mut batches = transaction.open_table(BATCHES)?;
        let next = meta.get(NEXT)?.map_or(1, |value| value.value());
        if next != sequence {
            let is_there = next == sequence + 1
                && batches
                    .get(sequence)?
                    .is_some_and(|stored| stored.value() == frame);
            drop((meta, batches));
            transaction.abort()?;
            let head = head(database)?;
            return Ok(if is_there {
                Appended::Already(head)
            } else {
                Appended::Other(head)
            });
        }
        batches.insert(sequence, frame)?;
        let bytes = meta.get(BYTES)?.map_or(0, |value| value.value()) + frame.len() as u64;
        meta.insert(NEXT, sequence + 1)?;
        meta.insert(BYTES, bytes)?;
        if let Some(counts) = counts {
            add_counts(&mut transaction.open_table(QUOTA)?, counts)?;
            meta.insert(QUOTA_THROUGH, sequence)?;
        }
    }
    crate::fault::point("log.before_commit");
    transaction.commit()?;
    crate::fault::point("log.after_commit");
    Ok(Appended::Done(head(database)?))
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
