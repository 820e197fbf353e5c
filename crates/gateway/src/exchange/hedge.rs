//! Asks a second target when the first one takes long; who answers first is heard.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use super::{Answered, Exchange};
use crate::body::RequestBody;
use crate::refusal::Cause;

/// An exchange that has ended, and how.
type Ended<'a> = (Exchange<'a>, Result<Answered, Cause>);

/// Runs an exchange without a body, and another one like it if there is no answer after a while.
///
/// The loser is dropped: its connection is closed. The second one costs a retry of the budget. A failure of one is
/// told only if the other one fails as well.
pub(super) async fn hedged(mut first: Exchange<'_>, after: Duration) -> Ended<'_> {
    let asked = Rc::new(RefCell::new(Vec::new()));
    first.asked = Some(Rc::clone(&asked));
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
    second.tried.clone_from(&asked.borrow());
    let second = Box::pin(run(second));
    race(first, second).await
}

async fn run(mut exchange: Exchange<'_>) -> Ended<'_> {
    let answered = exchange.run(RequestBody::empty()).await;
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
