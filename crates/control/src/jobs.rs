//! What is done from time to time: when ([`Ticks`]), and removing what has expired.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, Interval, MissedTickBehavior};

use crate::resource::invitation;
use crate::{Control, Error, auth, idempotency, question};

/// How often.
const EVERY: Duration = Duration::from_secs(60);

/// Tidies up every minute until `stop` holds true or its sender is gone.
///
/// A failure is logged and tried again: nothing here is needed for anything else to be right.
pub async fn run(control: Control, stop: watch::Receiver<bool>) {
    let mut ticks = Ticks::new(Duration::ZERO, EVERY, stop);
    while ticks.next().await {
        if let Err(error) = tidy(&control).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "tidying up failed");
        }
    }
}

/// The moments at which something is done again and again, until it is to stop.
#[derive(Debug)]
pub(crate) struct Ticks {
    interval: Interval,
    stop: watch::Receiver<bool>,
}

impl Ticks {
    /// The first after some time, and each as long after the one before; until `stop` holds true or its sender is gone.
    pub(crate) fn new(first: Duration, every: Duration, stop: watch::Receiver<bool>) -> Self {
        let mut interval = tokio::time::interval_at(Instant::now() + first, every);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { interval, stop }
    }

    /// Waits for the next; false if it is to stop.
    pub(crate) async fn next(&mut self) -> bool {
        tokio::select! {
            _ = self.interval.tick() => true,
            stopped = self.stop.wait_for(|stopped| *stopped) => {
                drop(stopped);
                false
            }
        }
    }
}

/// Removes expired sessions and links, kept answers, failures and counts of long ago, and ended work.
pub async fn tidy(control: &Control) -> Result<(), Error> {
    let now = control.now();
    let mut tx = control.store().begin().await?;
    store::session::remove_expired(&mut tx, now).await?;
    store::idempotency::remove_before(&mut tx, now.before(idempotency::KEPT)).await?;
    store::failure::forget_before(&mut tx, now.before(auth::FAILURE_MEMORY)).await?;
    store::link::forget_invitations_before(&mut tx, now.before(invitation::KEPT)).await?;
    tx.forget_key_uses().await?;
    tx.forget_first_calls().await?;
    crate::analytics::forget_old(&mut tx, now).await?;
    crate::alert::forget_old(&mut tx, now).await?;
    crate::flag::usage::forget_old(&mut tx, now).await?;
    tx.forget_questions_before(now.before(question::KEPT)).await?;
    store::link::forget_resets(&mut tx, now).await?;
    control.tidy_works(&mut tx).await?;
    Ok(tx.commit().await?)
}
