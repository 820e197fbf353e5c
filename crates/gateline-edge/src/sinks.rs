//! Where the events of a log go.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use domain::id::NodeId;
use events::sink::{self, LAKE_INTERVAL, ShipSettings, SinkError};
use events::{Batch, Hold, Log, Sink};
use gateway::feed::{self, HttpSink};

/// Where the events of a log go.
#[derive(Debug, Clone)]
pub(crate) enum Sinks {
    /// To a control plane, which counts the calls and keeps each of them, if it has a lake.
    Control(Arc<feed::Control>),
    /// Nowhere: nobody counts calls of a snapshot from a file.
    Nobody,
}

impl Sinks {
    /// Brings what is in the log there until `stop` is ready, and then what is left as far as it gets.
    pub(crate) async fn ship<F: Future<Output = ()>>(&self, log: &Arc<Log>, stop: impl Fn() -> F) {
        match self {
            Self::Control(control) => {
                let usage = HttpSink::usage(Arc::clone(control));
                let lake = HttpSink::lake(Arc::clone(control));
                sink::ship_both(log, usage, lake, LAKE_INTERVAL, stop).await;
            }
            Self::Nobody => {
                let settings = ShipSettings::default();
                sink::ship(Hold::new(log), Nobody::default(), settings, stop()).await;
            }
        }
    }
}

/// Takes records where no control plane counts them; the log has counted them for quotas by then.
#[derive(Debug, Default)]
struct Nobody {
    watermark: AtomicU64,
}

impl Sink for Nobody {
    async fn commit(&self, _: NodeId, batches: &[Batch]) -> Result<u64, SinkError> {
        let last = batches.last().map_or(0, Batch::sequence);
        Ok(self.watermark.fetch_max(last, Ordering::Relaxed).max(last))
    }
}
