//! The log of this process, and the one beside it.
//!
//! A log belongs to one process. When sockets are handed over, the process before still drains and writes to its own,
//! so there are two files that take turns. What is left in the other one is brought to the control plane as soon as
//! nobody has it; what either has counted for quotas counts.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use events::Log;
use events::log::{Error, LogSettings, QuotaCount};
use gateway::Inheritance;

use crate::sinks::Sinks;

const FILES: [&str; 2] = ["log.redb", "log-2.redb"];
/// How often the other log is tried while the process before has it.
const LOOK: Duration = Duration::from_millis(500);
/// How long to wait before what is left in it is sent again.
const PAUSE: Duration = Duration::from_secs(5);

/// Both logs of a node.
pub(crate) struct Logs {
    /// This process's.
    pub(crate) own: Arc<Log>,
    settings: LogSettings,
    beside: PathBuf,
    /// What was counted in the other one; unknown while the process before has it.
    counted_beside: Arc<Mutex<Option<Vec<QuotaCount>>>>,
}

impl Logs {
    /// Opens the one that is free.
    pub(crate) fn open(home: &Path, settings: LogSettings, before: &Inheritance) -> Result<Self, Error> {
        let [first, second] = FILES.map(|name| home.join(name));
        let (own, beside) = match Log::open(&first, settings) {
            Err(Error::InUse { .. }) if before.is_some() => (Log::open(&second, settings)?, first),
            own => (own?, second),
        };
        Ok(Self {
            own: Arc::new(own),
            settings,
            beside,
            counted_beside: Arc::default(),
        })
    }

    /// What was counted for quotas before the start.
    pub(crate) fn counts(&self, before: &Inheritance) -> Result<Vec<QuotaCount>, Error> {
        if before.is_some() {
            // The process before has counted on what was in both.
            return Ok(before.counts.clone());
        }
        if self.beside.exists() {
            let beside = Log::open(&self.beside, self.settings)?.quota_counts()?;
            *self
                .counted_beside
                .lock()
                .expect("nothing panics while holding it") = Some(beside);
        }
        self.counted()
            .map_err(|Draining| unreachable!("nobody else has it"))?
    }

    /// What was counted for quotas until now, in both.
    pub(crate) fn counted(&self) -> Result<Result<Vec<QuotaCount>, Error>, Draining> {
        let beside = self
            .counted_beside
            .lock()
            .expect("nothing panics while holding it");
        let beside = match &*beside {
            Some(counts) => counts.clone(),
            None if self.beside.exists() => return Err(Draining),
            None => Vec::new(),
        };
        Ok(self.own.quota_counts().map(|own| sum(own, beside)))
    }

    /// Brings what is left in the other log to its sinks, once nobody else has it.
    pub(crate) async fn empty_beside(self: Arc<Self>, sinks: Sinks) {
        while self.beside.exists() {
            let log = match Log::open(&self.beside, self.settings) {
                Ok(log) => Arc::new(log),
                Err(Error::InUse { .. }) => {
                    tokio::time::sleep(LOOK).await;
                    continue;
                }
                Err(error) => return tracing::error!(%error, "the log of the process before"),
            };
            match log.quota_counts() {
                Ok(counts) => {
                    *self
                        .counted_beside
                        .lock()
                        .expect("nothing panics while holding it") = Some(counts);
                }
                Err(error) => return tracing::error!(%error, "the log of the process before"),
            }
            sinks.ship(&log, || std::future::ready(())).await;
            if log.figures().batches == 0 {
                return;
            }
            // Not held meanwhile: the next process may want it.
            drop(log);
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// The process before still has its log, so what it has counted is not known yet.
#[derive(Debug, thiserror::Error)]
#[error("the process before this one still drains")]
pub(crate) struct Draining;

fn sum(own: Vec<QuotaCount>, beside: Vec<QuotaCount>) -> Vec<QuotaCount> {
    let mut all: BTreeMap<(String, i64), QuotaCount> = BTreeMap::new();
    for count in own.into_iter().chain(beside) {
        let key = (count.subscription.to_string(), count.period_start);
        all.entry(key)
            .and_modify(|known| known.count += count.count)
            .or_insert(count);
    }
    all.into_values().collect()
}
