//! Where batches go from the log, and the loop that brings them there.

use std::future::Future;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use domain::id::NodeId;
use tokio::sync::watch;

use crate::log::{self, Hold, Log};
use crate::wire::{BATCHES_MAX, Batch};

/// Commits batches of a node exactly once.
pub trait Sink: Send + Sync {
    /// Commits consecutive batches in one transaction with the node's watermark; answers the watermark after it.
    ///
    /// Batches at or below the watermark are replays and are passed over. With an empty slice it only tells the
    /// watermark, 0 for a node that it does not know.
    fn commit(&self, node: NodeId, batches: &[Batch]) -> impl Future<Output = Result<u64, SinkError>> + Send;
}

impl<S: Sink> Sink for Arc<S> {
    fn commit(&self, node: NodeId, batches: &[Batch]) -> impl Future<Output = Result<u64, SinkError>> + Send {
        (**self).commit(node, batches)
    }
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
    /// It keeps no events at present; nothing is to wait for it.
    #[error("the sink keeps no events")]
    Unwanted,
}

/// How batches are brought to a sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShipSettings {
    /// What the sink is called in the log output.
    pub name: &'static str,
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
            name: "usage",
            interval: Duration::from_millis(200),
            batches_max: 256,
            backoff_min: Duration::from_millis(100),
            backoff_max: Duration::from_secs(10),
        }
    }
}

/// A sink that kept no events is asked after this time whether it does now.
const ASK_AGAIN: Duration = Duration::from_secs(60);

/// Brings what is in the log to the sink and lets it go, until `stop` is ready.
///
/// Then it tries to bring what is left, until there is nothing or the first failure; what did not get there
/// stays in the log. A commit under way is not cut off, so callers that cannot wait put a limit around this.
pub async fn ship<S: Sink>(hold: Hold, sink: S, settings: ShipSettings, stop: impl Future<Output = ()>) {
    let mut stop = pin!(stop);
    let mut shipper = Shipper {
        committed: hold.log().committed(),
        hold: Arc::new(hold),
        sink,
        settings,
        watermark: None,
    };
    let mut failures = 0_u32;
    let mut is_stopping = false;
    loop {
        let wait = match shipper.step().await {
            Ok(Step::More) => {
                failures = 0;
                continue;
            }
            Ok(Step::Done | Step::Unwanted) | Err(_) if is_stopping => return,
            Ok(step) => {
                if failures > 0 {
                    tracing::warn!(sink = settings.name, failures, "events reach their sink again");
                }
                failures = 0;
                matches!(step, Step::Unwanted).then_some(ASK_AGAIN)
            }
            Err(error) => {
                failures = failures.saturating_add(1);
                if failures == 1 {
                    tracing::error!(sink = settings.name, %error, waiting = shipper.hold.waiting(),
                        "events do not reach their sink; they are kept and sent again");
                }
                Some(settings.backoff(failures, jitter()))
            }
        };
        tokio::select! {
            biased;
            () = &mut stop => is_stopping = true,
            () = shipper.rest(wait) => {}
        }
    }
}

/// The least time between two commits of a lake: each is a file and a version of its table.
pub const LAKE_INTERVAL: Duration = Duration::from_secs(10);

/// Brings what is in the log to where it is counted and to where every call is kept, each at its own pace.
///
/// What both have leaves the log. It ends as [`ship`] does.
pub async fn ship_both<F: Future<Output = ()>>(
    log: &Arc<Log>,
    usage: impl Sink,
    lake: impl Sink,
    lake_interval: Duration,
    stop: impl Fn() -> F,
) {
    let (of_usage, of_lake) = (Hold::new(log), Hold::new(log));
    let seldom = ShipSettings::seldom("lake", lake_interval);
    tokio::join!(
        ship(of_usage, usage, ShipSettings::default(), stop()),
        ship(of_lake, lake, seldom, stop()),
    );
}

enum Step {
    More,
    Done,
    Unwanted,
}

#[derive(Debug, thiserror::Error)]
enum StepError {
    #[error("{}", causes(.0))]
    Sink(#[from] SinkError),
    #[error("{}", causes(.0))]
    Log(#[from] log::Error),
}

struct Shipper<S> {
    hold: Arc<Hold>,
    sink: S,
    settings: ShipSettings,
    committed: watch::Receiver<u64>,
    /// What the sink has; unknown until it was asked, and after an error.
    watermark: Option<u64>,
}

impl<S: Sink> Shipper<S> {
    /// Brings one set of batches to the sink, or finds that there are none, or that it wants none.
    async fn step(&mut self) -> Result<Step, StepError> {
        match self.bring().await {
            Err(StepError::Sink(SinkError::Unwanted)) => {
                self.blocking(Hold::let_go).await?;
                Ok(Step::Unwanted)
            }
            other => other,
        }
    }

    async fn bring(&mut self) -> Result<Step, StepError> {
        let watermark = match self.watermark.take() {
            Some(watermark) => watermark,
            None => self.ask().await?,
        };
        let newest = *self.committed.borrow_and_update();
        let batches_max = self.settings.batches_max;
        let batches = self
            .blocking(move |hold| hold.log().read_after(watermark, batches_max))
            .await?;
        let Some(last) = batches.last().map(Batch::sequence) else {
            self.watermark = Some(watermark);
            return Ok(Step::Done);
        };
        crate::fault::point("ship.before_commit");
        let committed = self.sink.commit(self.node(), &batches).await?;
        crate::fault::point("ship.after_commit");
        if committed < last {
            let reason = format!("it has {committed} after it was given {last}");
            return Err(SinkError::Refused { reason }.into());
        }
        drop(batches);
        self.blocking(move |hold| hold.release(committed)).await?;
        self.watermark = Some(committed);
        Ok(if committed < newest {
            Step::More
        } else {
            Step::Done
        })
    }

    async fn ask(&mut self) -> Result<u64, StepError> {
        let watermark = self.sink.commit(self.node(), &[]).await?;
        let newest = *self.committed.borrow();
        if watermark > newest {
            tracing::error!(sink = self.settings.name, node = %self.node(), watermark, newest,
                "the sink has events that the event log has lost; the log goes on after them");
            self.blocking(move |hold| hold.log().advance(watermark)).await?;
        }
        self.blocking(move |hold| hold.release(watermark)).await?;
        Ok(watermark)
    }

    fn node(&self) -> NodeId {
        self.hold.log().node()
    }

    /// Waits out a failure, or for new batches and the rest of the interval.
    async fn rest(&mut self, wait: Option<Duration>) {
        if let Some(wait) = wait {
            tokio::time::sleep(wait).await;
            return;
        }
        // The log outlives the receiver, because this shipper holds both.
        self.committed.changed().await.ok();
        tokio::time::sleep(self.settings.interval).await;
    }

    /// Uses the log where it may wait for the disk.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Hold) -> Result<T, log::Error> + Send + 'static,
    ) -> Result<T, StepError> {
        let hold = Arc::clone(&self.hold);
        let result = tokio::task::spawn_blocking(move || work(&hold)).await;
        Ok(result.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))?)
    }
}

impl ShipSettings {
    /// For a sink of which each commit costs much, and whose batches are to be many.
    pub const fn seldom(name: &'static str, interval: Duration) -> Self {
        Self {
            name,
            interval,
            batches_max: BATCHES_MAX,
            backoff_min: Duration::from_secs(1),
            backoff_max: Duration::from_secs(30),
        }
    }

    /// The wait after some failures in a row, shortened by up to half, so that nodes do not come all at once.
    fn backoff(&self, failures: u32, jitter: f64) -> Duration {
        let doubled = self
            .backoff_min
            .saturating_mul(1 << failures.saturating_sub(1).min(16));
        doubled.min(self.backoff_max).mul_f64(1.0 - jitter / 2.0)
    }
}

/// A number from 0 to 1 that differs between nodes and calls.
fn jitter() -> f64 {
    let random = RandomState::new().build_hasher().finish();
    (random >> 11) as f64 / (1_u64 << 53) as f64
}

/// An error and its causes in one line.
pub(crate) fn causes(error: &dyn std::error::Error) -> String {
    std::iter::successors(error.source(), |cause| cause.source())
        .fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

#[cfg(test)]
mod tests;
