//! The durable log of a node: batches wait here until their sink has committed them.
//!
//! One redb file. An append is one transaction with one fsync, all or nothing. After an error of the disk the
//! file is closed and opened again before the next use, as redb asks for; whether a commit that reported an error
//! did happen is found out then.
//!
//! **Quotas** are what the quota table says and what the batches say that came after the last one in the table.
//! The table is brought up to date with each trim, which removes batches, and when much has gathered; so a load
//! of many keys touches a row a few times a second and not with every batch.
//!
//! **Why redb and not a plain file.** Measured with `cargo bench -p events` (2-vCPU virtual machine, local disk,
//! release build, the machine not quite idle): a batch of 750 calls of one key takes 0.32 ms and 207 µs of CPU,
//! an append to a plain file with the same content 0.24 ms and 117 µs; of 1000 keys 0.66 ms and 496 µs against
//! 0.40 ms and 248 µs. At one commit in 10 ms the difference is one to three percent of a core, for which we
//! get atomic quotas, torn writes noticed, trimming in place and no recovery of our own.
//!
//! **When it fills up.** From 80 % of [`LogSettings::bytes_max`] on, events that do not count for quota and bill
//! (refused calls) are shed and counted in [`LogFigures::shed`]. From 90 % on tracked events are refused: their
//! senders hear of it and can send them again, while a call has been made. At 100 % appends fail with [`Error::Full`]
//! until the sink has committed something; then the rings fill and [`WhenFull`](crate::WhenFull) decides. Nothing
//! that was committed is ever thrown away.
//!
//! **A commit that failed may have happened.** Who tries it again finds out. Who does not want it any more has it
//! taken away with the next commit, or at once with [`Log::settle`], before a sink gets to see it.
//!
//! **What is damaged** is not passed over in silence: a batch whose checksum is wrong is reported in the log
//! output and in [`LogFigures::corrupt`], and takes its place in the sequence as [`Batch::lost`].

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use domain::id::{NodeId, SubscriptionId};
use redb::Database;
use tokio::sync::watch;
use uuid::Uuid;

use self::counts::Pending;
use self::file::{Appended, File, Head, Written};
use self::hold::Holds;
use crate::call::Event;
use crate::wire::{
    BATCHES_BYTES_MAX, BATCHES_MAX, Batch, EVENTS_MAX, Encoder, FRAME_BYTES_MAX, Section, seal, tracked,
};

mod counts;
mod file;
mod hold;

pub use self::hold::Hold;

/// What [`LogSettings::bytes_max`] is unless set.
const BYTES_MAX: u64 = 1 << 30;
/// What [`LogSettings::cache_bytes`] is unless set.
const CACHE_BYTES: usize = 2 << 20;
/// Room in the answer of [`Log::read_after`] for what stands around the frames on the wire.
const WIRE_BYTES_SPARE: usize = 64 << 10;

/// How the log is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogSettings {
    /// The most bytes of batches that no sink has committed yet: [`Self::BYTES_MAX_LEAST`] or more.
    pub bytes_max: u64,
    /// Memory for pages of the file, in bytes.
    pub cache_bytes: usize,
}

impl LogSettings {
    /// The least that [`Self::bytes_max`] may be: a log that cannot hold the largest batch would never get over it.
    pub const BYTES_MAX_LEAST: u64 = FRAME_BYTES_MAX as u64;

    /// How far tracked events may fill it.
    const fn tracked_bytes_max(&self) -> u64 {
        self.bytes_max / 10 * 9
    }
}

impl Default for LogSettings {
    fn default() -> Self {
        Self {
            bytes_max: BYTES_MAX,
            cache_bytes: CACHE_BYTES,
        }
    }
}

/// Why the log could not be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process has it open.
    #[error("another process uses the event log {}", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// A newer version wrote it.
    #[error("the event log {} has format {found}, this version knows {known}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// The file's format.
        found: u64,
        /// The format that this build reads and writes.
        known: u64,
    },
    /// It holds as much as it may; it takes events again when the sink has committed some.
    #[error("the event log is full: {bytes_max} bytes wait for their sink")]
    Full {
        /// The setting.
        bytes_max: u64,
    },
    /// The disk or the file is in trouble.
    #[error("using the event log {}", path.display())]
    Storage {
        /// The file.
        path: PathBuf,
        /// What redb says.
        #[source]
        source: Box<redb::Error>,
    },
}

/// Calls that count, of one subscription in one period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuotaCount {
    /// The subscription.
    pub subscription: SubscriptionId,
    /// Beginning of the period in seconds since 1970.
    pub period_start: i64,
    /// The calls.
    pub count: u64,
}

/// Figures of the log; the sums are since the start of the process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LogFigures {
    /// Sequence number of the newest batch; 0 before the first.
    pub last_sequence: u64,
    /// Batches that wait for their sink.
    pub batches: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Calls committed.
    pub events: u64,
    /// Tracked events committed.
    pub tracked: u64,
    /// Events shed because the log was nearly full; never such that count.
    pub shed: u64,
    /// Batches that could not be read any more.
    pub corrupt: u64,
    /// Commits that failed.
    pub failures: u64,
}

/// What one commit writes: calls and tracked events, each perhaps none.
#[derive(Debug, Clone, Copy, Default)]
pub struct Commit<'a> {
    /// At most [`EVENTS_MAX`] calls; they become the first batch.
    pub calls: &'a [Event],
    /// Tracked events; they become further batches.
    pub tracked: &'a [Section],
    /// When the tracked events came, in microseconds since 1970.
    pub at_us: i64,
    /// What tracked events were recognised by is forgotten up to this batch.
    pub unseen_through: u64,
}

/// What the tracked events of one commit are recognised by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The newest batch of the commit.
    pub sequence: u64,
    /// When they came, in microseconds since 1970.
    pub at_us: i64,
    /// A hash for each that has an id.
    pub hashes: Vec<u64>,
}

/// The durable log of a node.
pub struct Log {
    path: PathBuf,
    settings: LogSettings,
    node: NodeId,
    file: File,
    writer: Mutex<Writer>,
    committed: watch::Sender<u64>,
    holds: Holds,
    counters: Counters,
}

/// What an append needs and what need not be made anew each time.
#[derive(Default)]
struct Writer {
    encoder: Encoder,
    kept: Vec<Event>,
    /// Unknown at first and after an error; then it is read from the batches.
    pending: Option<Pending>,
    /// What the tries so far of the present append do; unknown before the first.
    is_shedding: Option<bool>,
}

#[derive(Default)]
struct Counters {
    batches: AtomicU64,
    bytes: AtomicU64,
    events: AtomicU64,
    tracked: AtomicU64,
    shed: AtomicU64,
    corrupt: AtomicU64,
    corrupt_reported: AtomicU64,
    failures: AtomicU64,
}

impl Log {
    /// Opens the log, or makes a new one with a new node id in an existing directory.
    pub fn open(path: &Path, settings: LogSettings) -> Result<Self, Error> {
        let file_path = path.to_owned();
        let open = move || open_database(&file_path, settings.cache_bytes);
        Self::open_with(path, settings, Box::new(open))
    }

    fn open_with(
        path: &Path,
        settings: LogSettings,
        open: Box<dyn Fn() -> Result<Database, redb::Error> + Send + Sync>,
    ) -> Result<Self, Error> {
        let file = File::new(open);
        let new_node = Uuid::now_v7().as_u128();
        let head = file
            .with(|database| file::prepare(database, new_node, random()))
            .map_err(|source| storage_error(path, source))?;
        if head.format != file::FORMAT_KNOWN {
            return Err(Error::Format {
                path: path.to_owned(),
                found: head.format,
                known: file::FORMAT_KNOWN,
            });
        }
        let log = Self {
            path: path.to_owned(),
            settings,
            node: NodeId::new(Uuid::from_u128(head.node)),
            file,
            writer: Mutex::default(),
            committed: watch::Sender::new(0),
            holds: Holds::default(),
            counters: Counters::default(),
        };
        log.note(head);
        Ok(log)
    }

    /// The id of the node, made with the log: a node that loses the file begins a new sequence as a new node.
    pub fn node(&self) -> NodeId {
        self.node
    }

    /// Commits at most [`EVENTS_MAX`] calls as the next batch, durably; answers the newest sequence number.
    ///
    /// As [`commit`](Self::commit) of calls alone.
    pub fn append(&self, events: &[Event]) -> Result<u64, Error> {
        self.commit(&Commit {
            calls: events,
            ..Commit::default()
        })
    }

    /// Commits calls and tracked events as the next batches, durably, all or nothing; answers the newest sequence
    /// number.
    ///
    /// After an error the caller tries again with the same calls, and with the same tracked events or without them:
    /// if the commit happened after all, the next try notices and writes nothing, and tracked events that are not
    /// wanted any more are taken away. If there is nothing to write, or all calls are shed, nothing is written.
    ///
    /// # Errors
    /// [`Error::Full`] for tracked events comes before anything is written, so they are not in the log then.
    pub fn commit(&self, commit: &Commit<'_>) -> Result<u64, Error> {
        debug_assert!(commit.calls.len() <= EVENTS_MAX, "callers split what is more");
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let result = self.commit_kept(&mut writer, commit);
        if result.is_err() {
            self.counters.failures.fetch_add(1, Ordering::Relaxed);
        }
        result
    }

    fn commit_kept(&self, writer: &mut Writer, commit: &Commit<'_>) -> Result<u64, Error> {
        let bytes = self.counters.bytes.load(Ordering::Relaxed);
        let Writer {
            encoder,
            kept,
            pending,
            is_shedding,
        } = writer;
        // Decided once for all tries, so that one that succeeded unnoticed is recognised by its bytes.
        let shedding = is_shedding
            .take()
            .unwrap_or(bytes >= self.settings.bytes_max / 5 * 4);
        kept.clear();
        let events = commit.calls;
        let kept: &[Event] = if shedding {
            kept.extend(events.iter().filter(|event| is_metered(event)));
            kept
        } else {
            events
        };
        let shed = (events.len() - kept.len()) as u64;
        let mut tracked = tracked::frames(commit.tracked);
        if kept.is_empty() && tracked.is_empty() {
            self.counters.shed.fetch_add(shed, Ordering::Relaxed);
            return Ok(self.last_sequence());
        }
        *is_shedding = Some(shedding);
        let tracked_bytes: usize = tracked.iter().map(Vec::len).sum();
        let seen = seen_row(commit);
        let mut sequence = self.last_sequence() + 1;
        let head = loop {
            let calls = (!kept.is_empty()).then(|| encoder.encode(sequence, kept));
            self.check_room(bytes, calls.map_or(0, <[u8]>::len), tracked_bytes)?;
            let first = sequence + u64::from(calls.is_some());
            (first..)
                .zip(&mut tracked)
                .for_each(|(sequence, frame)| seal(sequence, frame));
            let frames: Vec<&[u8]> = calls
                .into_iter()
                .chain(tracked.iter().map(Vec::as_slice))
                .collect();
            let mut gathered = self.take_pending(pending)?;
            gathered.add(kept);
            // Counts belong to calls, so that tracked events that are taken away again leave none behind.
            let is_due = calls.is_some() && gathered.is_due(sequence);
            let written = Written {
                frames: &frames,
                counts: is_due.then(|| gathered.counts()),
                seen: &seen,
                unseen_through: commit.unseen_through,
            };
            match self.with(|database| file::append(database, sequence, written))? {
                Appended::Done(head) => {
                    gathered.forget_through(head.quota_through);
                    *pending = Some(gathered);
                    break head;
                }
                Appended::Already(head) => break head,
                Appended::Other(head) => sequence = head.next,
            }
        };
        *is_shedding = None;
        let count = |counter: &AtomicU64, number| counter.fetch_add(number, Ordering::Relaxed);
        count(&self.counters.events, kept.len() as u64);
        count(
            &self.counters.tracked,
            commit.tracked.iter().map(|section| section.len() as u64).sum(),
        );
        count(&self.counters.shed, shed);
        self.note(head);
        Ok(head.next - 1)
    }

    /// Whether frames of these sizes may be written to a log that holds so many bytes.
    fn check_room(&self, bytes: u64, calls: usize, tracked: usize) -> Result<(), Error> {
        let all = bytes + (calls + tracked) as u64;
        let is_full = all > self.settings.bytes_max || tracked > 0 && all > self.settings.tracked_bytes_max();
        if is_full {
            return Err(Error::Full {
                bytes_max: self.settings.bytes_max,
            });
        }
        Ok(())
    }

    /// Whether tracked events of so many bytes would be taken at present.
    pub fn has_room(&self, bytes: u64) -> bool {
        self.counters.bytes.load(Ordering::Relaxed) + bytes <= self.settings.tracked_bytes_max()
    }

    /// Takes away what a commit that failed may have left, after the caller has given it up.
    pub fn settle(&self) -> Result<(), Error> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        writer.pending = None;
        let from = self.last_sequence() + 1;
        let head = self.with(|database| file::cut(database, from))?;
        self.note_size(head);
        Ok(())
    }

    /// What the hashes are keyed with, so that nobody outside can choose ids that are taken for those of others.
    pub fn seen_key(&self) -> Result<u128, Error> {
        self.with(file::seen_key)
    }

    /// What tracked events are recognised by, from the oldest commit on; for the start of a node.
    pub fn seen(&self) -> Result<Vec<Seen>, Error> {
        let mut all = Vec::new();
        self.with(|database| {
            file::each_seen(database, |sequence, row| all.extend(read_seen(sequence, row)))
        })?;
        Ok(all)
    }

    /// Takes what is not in the quota table yet; whoever does not put it back lets it be read anew.
    fn take_pending(&self, pending: &mut Option<Pending>) -> Result<Pending, Error> {
        match pending.take() {
            Some(pending) => Ok(pending),
            None => self.with(counts::read_pending),
        }
    }

    /// Reads the batches after a sequence number, in order and without gaps, as many as fit one message of
    /// [`encode_batches`](crate::wire::encode_batches) and at most `batches_max`.
    ///
    /// What is damaged is there as [`Batch::lost`], and what was trimmed already as one such batch at the beginning.
    pub fn read_after(&self, sequence: u64, batches_max: usize) -> Result<Vec<Batch>, Error> {
        let last = self.last_sequence();
        if last <= sequence {
            return Ok(Vec::new());
        }
        let batches_max = batches_max.clamp(1, BATCHES_MAX) as u64;
        let bytes_max = BATCHES_BYTES_MAX - WIRE_BYTES_SPARE;
        let kept = self.with(file::first)?.unwrap_or(last + 1);
        let trimmed = (kept > sequence + 1).then(|| kept.min(last + 1) - 1);
        let first = trimmed.unwrap_or(sequence) + 1;
        let end = last.min(first.saturating_add(batches_max - 1));
        let frames = self.with(|database| file::read(database, first..=end, bytes_max))?;
        // Only what stands before a frame that was read is known to be missing, the rest may not have fit.
        let end = frames.last().map_or(end, |(newest, _)| *newest);
        let mut frames = frames.into_iter().peekable();
        let batches = (first..=end).map(|wanted| {
            let frame = frames.next_if(|(found, _)| *found == wanted);
            frame
                .and_then(|(_, frame)| Batch::from_frame(wanted, Bytes::from(frame)).ok())
                .unwrap_or_else(|| self.lost(wanted))
        });
        Ok(trimmed.map(Batch::lost).into_iter().chain(batches).collect())
    }

    fn lost(&self, sequence: u64) -> Batch {
        let reported = self
            .counters
            .corrupt_reported
            .fetch_max(sequence, Ordering::Relaxed);
        if sequence > reported {
            self.counters.corrupt.fetch_add(1, Ordering::Relaxed);
            tracing::error!(node = %self.node, sequence, path = %self.path.display(),
                "a batch of the event log is damaged or gone; what it held is not counted");
        }
        Batch::lost(sequence)
    }

    /// Forgets the batches up to a sequence number, that one included.
    fn trim(&self, up_to: u64) -> Result<(), Error> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let mut pending = self.take_pending(&mut writer.pending)?;
        let head = self.with(|database| file::trim(database, up_to, pending.counts()))?;
        crate::fault::point("log.after_trim");
        pending.forget_through(head.quota_through);
        writer.pending = Some(pending);
        // What a commit left that seemed to fail is nobody's business until it is tried again.
        self.note_size(head);
        Ok(())
    }

    /// Goes on after a sequence number that the sink has seen already, though this log has not.
    ///
    /// That happens when the disk has lost what it had said to be written. Without this, new batches would have
    /// numbers that the sink takes for replays.
    pub fn advance(&self, sequence: u64) -> Result<(), Error> {
        let _writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let head = self.with(|database| file::advance(database, sequence.saturating_add(1)))?;
        self.note(head);
        Ok(())
    }

    /// What counts for quotas, of all periods that are not long past; for the start of a node.
    pub fn quota_counts(&self) -> Result<Vec<QuotaCount>, Error> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let pending = self.take_pending(&mut writer.pending)?;
        let stored = self.with(file::quota_counts)?;
        let read = |((period_start, subscription), count)| QuotaCount {
            subscription: SubscriptionId::new(Uuid::from_u128(subscription)),
            period_start,
            count,
        };
        let counts = pending.on_top_of(stored).into_iter().map(read).collect();
        writer.pending = Some(pending);
        Ok(counts)
    }

    /// The sequence number of the newest batch, and a notice of each new one.
    pub fn committed(&self) -> watch::Receiver<u64> {
        self.committed.subscribe()
    }

    /// The figures.
    pub fn figures(&self) -> LogFigures {
        let value = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        LogFigures {
            last_sequence: self.last_sequence(),
            batches: value(&self.counters.batches),
            bytes: value(&self.counters.bytes),
            events: value(&self.counters.events),
            tracked: value(&self.counters.tracked),
            shed: value(&self.counters.shed),
            corrupt: value(&self.counters.corrupt),
            failures: value(&self.counters.failures),
        }
    }

    fn last_sequence(&self) -> u64 {
        *self.committed.borrow()
    }

    fn note_size(&self, head: Head) {
        self.counters.bytes.store(head.bytes, Ordering::Relaxed);
        self.counters.batches.store(head.batches, Ordering::Relaxed);
    }

    fn note(&self, head: Head) {
        self.note_size(head);
        self.committed.send_if_modified(|newest| {
            let is_new = head.next - 1 > *newest;
            *newest = (*newest).max(head.next - 1);
            is_new
        });
    }

    fn with<T>(&self, work: impl FnOnce(&Database) -> Result<T, redb::Error>) -> Result<T, Error> {
        self.file
            .with(work)
            .map_err(|source| storage_error(&self.path, source))
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log")
            .field("path", &self.path)
            .field("node", &self.node)
            .finish_non_exhaustive()
    }
}

/// A commit's time and hashes as they stand in the file; empty without hashes.
fn seen_row(commit: &Commit<'_>) -> Vec<u8> {
    let mut row = commit.at_us.to_le_bytes().to_vec();
    let hashes = commit.tracked.iter().flat_map(Section::hashes);
    let hashes = hashes.filter(|hash| **hash != 0);
    row.extend(hashes.flat_map(|hash| hash.to_le_bytes()));
    if row.len() == size_of::<i64>() {
        row.clear();
    }
    row
}

fn read_seen(sequence: u64, row: &[u8]) -> Option<Seen> {
    let (at_us, hashes) = row.split_first_chunk()?;
    let (hashes, _) = hashes.as_chunks();
    Some(Seen {
        sequence,
        at_us: i64::from_le_bytes(*at_us),
        hashes: hashes.iter().map(|hash| u64::from_le_bytes(*hash)).collect(),
    })
}

/// The random bits of two UUIDs, 90 at least; the others of each tell its time and place.
fn random() -> u128 {
    let half = || u128::from(Uuid::now_v7().as_u64_pair().1 << 2);
    half() << 62 ^ half()
}

fn is_metered(event: &Event) -> bool {
    let Event::Call(call) = event;
    call.counted
}

fn open_database(path: &Path, cache_bytes: usize) -> Result<Database, redb::Error> {
    let is_new = !path.exists();
    let database = Database::builder().set_cache_size(cache_bytes).create(path)?;
    if is_new && let Some(directory) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        // Without this a power failure may take the file's name away, though not its content.
        std::fs::File::open(directory)?.sync_all()?;
    }
    Ok(database)
}

fn storage_error(path: &Path, source: redb::Error) -> Error {
    let path = path.to_owned();
    match source {
        redb::Error::DatabaseAlreadyOpen => Error::InUse { path },
        source => Error::Storage {
            path,
            source: Box::new(source),
        },
    }
}

#[cfg(test)]
pub(crate) mod tests;
