//! Asks a second target when the first one takes long; who answers first is heard.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

use super::{Answered, Exchange};
use crate::balance::Choice;
use crate::body::RequestBody;
use crate::refusal::Cause;

/// A target that loses has failed if nothing has come from it for so many times as long as a first one may take.
const SILENT_MAX: u32 = 4;

/// An exchange that has ended, and how.
type Ended<'a> = (Exchange<'a>, Result<Answered, Cause>);

/// Where an exchange has been sent.
#[derive(Debug, Default)]
pub(super) struct Asked {
    targets: RefCell<Vec<Rc<Choice>>>,
    /// Since when the last one has had it, while nothing is known of how that ends.
    since: Cell<Option<Instant>>,
}

impl Asked {
    /// Notes that a target is asked.
    pub(super) fn begin(&self, choice: &Rc<Choice>) {
        self.targets.borrow_mut().push(Rc::clone(choice));
        self.since.set(Some(Instant::now()));
    }

    /// Notes that it has answered or failed.
    pub(super) fn end(&self) {
        self.since.set(None);
    }

    fn last(&self) -> Option<Rc<Choice>> {
        self.targets.borrow().last().cloned()
    }
}

/// Runs an exchange without a body, and another one like it if there is no answer after a while.
///
/// The loser is dropped: its connection is closed, and its target has taken at least as long as was waited. The second
/// one costs a retry of the budget. A failure of one is told only if the other one fails as well.
pub(super) async fn hedged(mut first: Exchange<'_>, after: Duration) -> Ended<'_> {
    let (one, other) = (Rc::<Asked>::default(), Rc::<Asked>::default());
    first.asked = Some(Rc::clone(&one));
    let mut second = first.twin();
    let conn = first.conn;
    let mut first = Box::pin(run(first));
    if let Ok(ended) = tokio::time::timeout(after, first.as_mut()).await {
        return ended;
    }
    if !second.balancer.may_retry(second.now_ms()) {
        return first.await;
    }
    conn.core().figures.upstream_hedges.add(1);
    second.tried.clone_from(&one.targets.borrow());
    second.asked = Some(Rc::clone(&other));
    let second = Box::pin(run(second));
    let ended = race(first, second).await;
    let lost = [one, other].into_iter().find(|asked| asked.since.get().is_some());
    if let Some(lost) = lost {
        ended.0.outran(&lost, after);
    }
    ended
}

impl Exchange<'_> {
    /// Notes of another exchange's target that it was too slow.
    fn outran(&self, lost: &Asked, after: Duration) {
        let (Some(since), Some(choice)) = (lost.since.get(), lost.last()) else {
            return;
        };
        let answered = self.asked.as_ref().and_then(|asked| asked.last());
        if answered.is_some_and(|answered| Rc::ptr_eq(&answered, &choice)) {
            // There is but one, and it does answer.
            return;
        }
        let (waited, now_ms) = (since.elapsed(), self.now_ms());
        let load = &choice.pool.load;
        if self.upstream.measures {
            let waited_us = u64::try_from(waited.as_micros()).unwrap_or(u64::MAX);
            load.outlasted(waited_us, now_ms);
            if let Some(limit) = &self.balancer.limit {
                limit.failed(waited_us, now_ms);
            }
        }
        let is_silent = load.silent(waited, now_ms) >= after * SILENT_MAX;
        if is_silent && !choice.pool.is_full() {
            self.note(&choice, true);
        }
    }
}

async fn run(mut exchange: Exchange<'_>) -> Ended<'_> {
    let answered = exchange.run(RequestBody::empty()).await;
    if let Some(asked) = &exchange.asked {
        asked.end();
    }
    (exchange, answered)
}

/// The first of two that succeeds, or the last failure.
async fn race<'a, F, S>(mut first: Pin<Box<F>>, mut second: Pin<Box<S>>) -> Ended<'a>
where
    F: Future<Output = Ended<'a>>,
    S: Future<Output = Ended<'a>>,
{
    let (mut first_failed, mut second_failed) = (None, None);
    std::future::poll_fn(|context| {
        if first_failed.is_none()
            && let Poll::Ready(ended) = first.as_mut().poll(context)
        {
            if ended.1.is_ok() || second_failed.is_some() {
                return Poll::Ready(ended);
            }
            first_failed = Some(ended);
        }
        if second_failed.is_none()
            && let Poll::Ready(ended) = second.as_mut().poll(context)
        {
            if ended.1.is_ok() || first_failed.is_some() {
                return Poll::Ready(ended);
            }
            second_failed = Some(ended);
        }
        Poll::Pending
    })
    .await
}
