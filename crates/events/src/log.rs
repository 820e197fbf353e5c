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
//! (refused calls) are shed and counted in [`LogFigures::shed`]. At 100 % appends fail with [`Error::Full`] until
//! the sink has committed something; then the rings fill and [`WhenFull`](crate::WhenFull) decides. Nothing that
//! was committed is ever thrown away.
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
use self::file::{Appended, File, Head};
use self::hold::Holds;
use crate::call::Event;
use crate::wire::{BATCHES_BYTES_MAX, BATCHES_MAX, Batch, EVENTS_MAX, Encoder, FRAME_BYTES_MAX};

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
    /// Events committed.
    pub events: u64,
    /// Events shed because the log was nearly full; never such that count.
    pub shed: u64,
    /// Batches that could not be read any more.
    pub corrupt: u64,
    /// Commits that failed.
    pub failures: u64,
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
            .with(|database| file::prepare(database, new_node))
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

    /// Commits at most [`EVENTS_MAX`] events as the next batch, durably; answers the newest sequence number.
    ///
    /// After an error the caller tries again with the same events, or gives them up: if the commit happened
    /// after all, the next try notices and writes nothing. If all events are shed, nothing is written.
    pub fn append(&self, events: &[Event]) -> Result<u64, Error> {
        debug_assert!(events.len() <= EVENTS_MAX, "callers split what is more");
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let result = self.append_kept(&mut writer, events);
        if result.is_err() {
            self.counters.failures.fetch_add(1, Ordering::Relaxed);
        }
        result
    }

    fn append_kept(&self, writer: &mut Writer, events: &[Event]) -> Result<u64, Error> {
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
        let kept: &[Event] = if shedding {
            kept.extend(events.iter().filter(|event| is_metered(event)));
            kept
        } else {
            events
        };
        let shed = (events.len() - kept.len()) as u64;
        if kept.is_empty() {
            self.counters.shed.fetch_add(shed, Ordering::Relaxed);
            return Ok(self.last_sequence());
        }
        *is_shedding = Some(shedding);
        let mut sequence = self.last_sequence() + 1;
        let head = loop {
            let frame = encoder.encode(sequence, kept);
            if bytes + frame.len() as u64 > self.settings.bytes_max {
                return Err(Error::Full {
                    bytes_max: self.settings.bytes_max,
                });
            }
            let mut gathered = self.take_pending(pending)?;
            gathered.add(kept);
            let counts = gathered.is_due(sequence).then(|| gathered.counts());
            match self.with(|database| file::append(database, sequence, frame, counts))? {
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
        self.counters
            .events
            .fetch_add(kept.len() as u64, Ordering::Relaxed);
        self.counters.shed.fetch_add(shed, Ordering::Relaxed);
        self.note(head);
        Ok(head.next - 1)
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
        self.note(head);
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
            shed: value(&self.counters.shed),
            corrupt: value(&self.counters.corrupt),
            failures: value(&self.counters.failures),
        }
    }

    fn last_sequence(&self) -> u64 {
        *self.committed.borrow()
    }

    fn note(&self, head: Head) {
        self.counters.bytes.store(head.bytes, Ordering::Relaxed);
        self.counters.batches.store(head.batches, Ordering::Relaxed);
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
mod tests;
