//! Counts limits together with other nodes, over Redis or Valkey.
//!
//! A thread of its own tells the store what this node has counted and takes back what all have, every so often.
//! Requests never wait for it: they see the counters, and whether the store has answered lately.

mod link;
mod store;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use domain::Name;
use policy::Standing;
use serde::{Deserialize, Serialize};
use tokio::runtime::Builder;
use tokio::sync::watch;

use crate::compile::Compiled;
use crate::core::Clock;
use crate::serve::drained;

pub(crate) use store::Identity;
use store::Store;

/// What is added to three rounds before the store counts as away.
const PATIENCE: Duration = Duration::from_millis(500);

/// Where nodes count limits together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LimitsStore {
    /// Redis or Valkey: `redis://host:6379/0`, or `rediss://` for TLS.
    pub url: String,
    /// A file with its password.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// Certificates (PEM) to trust for it instead of those of the system; only with `rediss://`.
    #[serde(default)]
    pub roots: Option<PathBuf>,
    /// How often nodes tell each other what they counted, in milliseconds: 50 to 10,000.
    #[serde(default = "sync_ms")]
    pub sync_ms: u32,
}

const fn sync_ms() -> u32 {
    500
}

/// The store cannot be used as it is set.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting is out of its range.
    #[error("gateway.limits_store.sync_ms: from 50 to 10000")]
    Interval,
    /// There are certificates to check a store with that shows none.
    #[error("gateway.limits_store.roots: only for `rediss://`")]
    Roots,
    /// The URL is none of a store.
    #[error("gateway.limits_store.url")]
    Url(#[source] redis::RedisError),
    /// A file cannot be read.
    #[error("{}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// What everybody may know of the store.
#[derive(Debug, Default)]
pub(crate) struct Together {
    /// 0 while the store answers; else how many nodes were there last.
    away_nodes: AtomicU32,
    pub(crate) nodes: AtomicU32,
    pub(crate) rounds: AtomicU64,
    pub(crate) failures: AtomicU64,
    pub(crate) told: AtomicU64,
    pub(crate) round_us: AtomicU64,
    /// Milliseconds from the node's beginning to the end of the last round that succeeded.
    pub(crate) heard_ms: AtomicU64,
}

impl Together {
    /// Nobody has been heard of yet.
    pub(crate) fn new() -> Arc<Self> {
        let together = Self::default();
        together.away_nodes.store(1, Ordering::Relaxed);
        Arc::new(together)
    }

    pub(crate) fn figures(&self, began: Instant) -> StoreFigures {
        let now_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        StoreFigures {
            is_up: self.standing() == Standing::Together,
            nodes: u64::from(self.nodes.load(Ordering::Relaxed)),
            rounds: self.rounds.load(Ordering::Acquire),
            failures: self.failures.load(Ordering::Relaxed),
            told: self.told.load(Ordering::Relaxed),
            round_us: self.round_us.load(Ordering::Relaxed),
            age_ms: now_ms.saturating_sub(self.heard_ms.load(Ordering::Relaxed)),
        }
    }

    /// Whether limits are counted together at the moment.
    pub(crate) fn standing(&self) -> Standing {
        match self.away_nodes.load(Ordering::Relaxed) {
            0 => Standing::Together,
            nodes => Standing::Away { nodes },
        }
    }
}

/// What metrics say of the store.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StoreFigures {
    pub(crate) is_up: bool,
    pub(crate) nodes: u64,
    pub(crate) rounds: u64,
    pub(crate) failures: u64,
    pub(crate) told: u64,
    pub(crate) round_us: u64,
    pub(crate) age_ms: u64,
}

/// What the thread needs.
pub(crate) struct Seed {
    pub(crate) settings: LimitsStore,
    pub(crate) environment: Name,
    pub(crate) identity: Identity,
    pub(crate) began: Instant,
    pub(crate) together: Arc<Together>,
    pub(crate) compiled: watch::Receiver<Option<Arc<Compiled>>>,
    pub(crate) draining: watch::Receiver<bool>,
}

impl Seed {
    /// Checks the settings and starts the thread; it ends when the node drains.
    pub(crate) fn spawn(self) -> Result<JoinHandle<()>, crate::start::Error> {
        if !(50..=10_000).contains(&self.settings.sync_ms) {
            return Err(Error::Interval.into());
        }
        let store = Store::new(&self.settings, &self.environment, self.identity.clone())?;
        thread::Builder::new()
            .name("gateway-limits".to_owned())
            .spawn(move || match Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime.block_on(self.run(store)),
                Err(error) => tracing::error!(%error, "limits are not counted together"),
            })
            .map_err(crate::start::Error::Thread)
    }

    async fn run(mut self, mut store: Store) {
        let every = Duration::from_millis(u64::from(self.settings.sync_ms));
        let clock = Clock::new(self.began);
        let mut stop = std::pin::pin!(drained(self.draining.clone()));
        let mut heard: Option<Instant> = None;
        let mut is_ending = false;
        while !is_ending {
            tokio::select! {
                () = tokio::time::sleep(every) => {}
                // What was counted last is told as well.
                () = &mut stop => is_ending = true,
            }
            clock.renew();
            let compiled = self.compiled.borrow_and_update().clone();
            let began = Instant::now();
            let since = heard.map_or(every, |heard| began - heard);
            match store.round(compiled.as_deref(), &clock, since).await {
                Ok(round) => {
                    if heard.is_none() || self.together.standing() != Standing::Together {
                        tracing::info!(nodes = round.nodes, "limits are counted together");
                    }
                    heard = Some(Instant::now());
                    self.note(began, round);
                }
                Err(error) => {
                    if self.together.failures.fetch_add(1, Ordering::Relaxed) == 0
                        || self.together.standing() == Standing::Together
                    {
                        tracing::warn!(error = %crate::causes::chain(&error), "the store of limits did not answer");
                    }
                    let is_away = heard.is_none_or(|heard| heard.elapsed() > 3 * every + PATIENCE);
                    if is_away {
                        let nodes = self.together.nodes.load(Ordering::Relaxed).max(1);
                        self.together.away_nodes.store(nodes, Ordering::Relaxed);
                    }
                }
            }
        }
    }

    fn note(&self, began: Instant, round: store::Round) {
        let together = &self.together;
        let micros = |duration: Duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        together.nodes.store(round.nodes.max(1), Ordering::Relaxed);
        together.told.fetch_add(round.told, Ordering::Relaxed);
        together
            .round_us
            .fetch_add(micros(began.elapsed()), Ordering::Relaxed);
        let now_ms = micros(self.began.elapsed()) / 1000;
        together.heard_ms.store(now_ms, Ordering::Relaxed);
        together.away_nodes.store(0, Ordering::Relaxed);
        together.rounds.fetch_add(1, Ordering::Release);
    }
}
