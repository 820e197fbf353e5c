//! Who may call an upstream at the moment: circuit breaker, bulkhead, adaptive limit.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use domain::traffic::Concurrency;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

mod breaker;
mod budget;
mod limit;

pub(crate) use self::breaker::{Breaker, Passed, State};
pub(crate) use self::budget::Budget;
pub(crate) use self::limit::Limit;

/// Bounds the calls of a node to an upstream.
///
/// The semaphore is taken without a lock and given back under a short one; only upstreams with a bound have one.
#[derive(Debug)]
pub(crate) struct Bulkhead {
    permits: Arc<Semaphore>,
    calls_max: usize,
    waiting: AtomicUsize,
    waiting_max: usize,
    wait: Duration,
}

impl Bulkhead {
    /// None if there is no bound.
    pub(crate) fn new(rules: &Concurrency) -> Option<Self> {
        (rules.calls_max > 0).then(|| Self {
            permits: Arc::new(Semaphore::new(rules.calls_max as usize)),
            calls_max: rules.calls_max as usize,
            waiting: AtomicUsize::new(0),
            waiting_max: rules.waiting_max as usize,
            wait: Duration::from_millis(u64::from(rules.wait_ms)),
        })
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Relaxed)
    }

    /// Takes a place, waiting for one if others may still wait; none if there is none in time.
    ///
    /// Calls that may take only a share of the places, in percent, do not wait: who waits gets what is free first.
    pub(crate) async fn enter(&self, share: u32) -> Option<OwnedSemaphorePermit> {
        if share < 100 {
            let taken = self.calls_max - self.permits.available_permits().min(self.calls_max);
            let most = (self.calls_max * share as usize / 100).max(1);
            let permit = Arc::clone(&self.permits).try_acquire_owned();
            return permit.ok().filter(|_| taken < most);
        }
        if let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() {
            return Some(permit);
        }
        let _waiting = Waiting::new(&self.waiting, self.waiting_max)?;
        let permit = Arc::clone(&self.permits).acquire_owned();
        tokio::time::timeout(self.wait, permit).await.ok()?.ok()
    }
}

/// Somebody who waits, counted.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    /// None if enough wait already.
    fn new(count: &'a AtomicUsize, max: usize) -> Option<Self> {
        let counted = count.fetch_update(Relaxed, Relaxed, |count| (count < max).then_some(count + 1));
        counted.is_ok().then_some(Self(count))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// What a call holds until its answer has ended.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) permit: Option<OwnedSemaphorePermit>,
    limit: Option<Rc<Limit>>,
}

impl Held {
    /// `limit` has begun a call already.
    pub(crate) const fn new(limit: Option<Rc<Limit>>) -> Self {
        Self { permit: None, limit }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(limit) = &self.limit {
            limit.end();
        }
    }
}
