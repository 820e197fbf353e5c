//! The durable log of a node (being filled in).

use std::path::Path;

use domain::id::{NodeId, SubscriptionId};
use tokio::sync::watch;

use crate::call::Event;
use crate::wire::Batch;

/// How the log is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogSettings {
    /// The most bytes of batches that no sink has committed yet.
    pub bytes_max: u64,
    /// Memory for pages of the file.
    pub cache_bytes: usize,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self {
            bytes_max: 1 << 30,
            cache_bytes: 4 << 20,
        }
    }
}

/// Why the log could not be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process has it open.
    #[error("another process uses the event log")]
    InUse,
    /// A newer version wrote it.
    #[error("the event log has format {found}, this version knows {known}")]
    Format {
        /// The file's format.
        found: u64,
        /// The format that this build reads and writes.
        known: u64,
    },
    /// It holds as much as it may; it takes records again when the sink has committed some.
    #[error("the event log is full: {bytes_max} bytes wait for their sink")]
    Full {
        /// The setting.
        bytes_max: u64,
    },
    /// The disk or the file is in trouble.
    #[error("reading or writing the event log")]
    Storage(#[source] Box<redb::Error>),
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

/// Figures of the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LogFigures {
    /// Sequence number of the newest batch; 0 before the first.
    pub last_sequence: u64,
    /// Batches that wait for their sink.
    pub batches: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Events committed since the start.
    pub events: u64,
    /// Events shed since the start because the log was nearly full; never counted ones.
    pub shed: u64,
    /// Batches found corrupt since the start.
    pub corrupt: u64,
    /// Failed commits since the start.
    pub failures: u64,
}

/// The durable log of a node.
#[derive(Debug)]
pub struct Log {
    node: NodeId,
    committed: watch::Sender<u64>,
}

impl Log {
    /// Opens the log, or makes a new one with a new node id.
    pub fn open(path: &Path, settings: LogSettings) -> Result<Self, Error> {
        let _ = (path, settings);
        Ok(Self {
            node: NodeId::new(uuid::Uuid::now_v7()),
            committed: watch::Sender::new(0),
        })
    }

    /// The id of the node, made with the log: whoever loses the file begins a new sequence under a new name.
    pub fn node(&self) -> NodeId {
        self.node
    }

    /// Commits events as the next batch, durably; answers its sequence number.
    pub fn append(&self, events: &[Event]) -> Result<u64, Error> {
        let _ = events;
        Ok(0)
    }

    /// Reads the batches after a sequence number, in order and without gaps.
    pub fn read_after(&self, sequence: u64, batches_max: usize) -> Result<Vec<Batch>, Error> {
        let _ = (sequence, batches_max);
        Ok(Vec::new())
    }

    /// Forgets the batches up to a sequence number, that one included.
    pub fn trim(&self, up_to: u64) -> Result<(), Error> {
        let _ = up_to;
        Ok(())
    }

    /// What counts for quotas, of all periods that are not long past; for the start of a node.
    pub fn quota_counts(&self) -> Result<Vec<QuotaCount>, Error> {
        Ok(Vec::new())
    }

    /// The sequence number of the newest batch, and a notice of each new one.
    pub fn committed(&self) -> watch::Receiver<u64> {
        self.committed.subscribe()
    }

    /// The figures.
    pub fn figures(&self) -> LogFigures {
        LogFigures::default()
    }
}
