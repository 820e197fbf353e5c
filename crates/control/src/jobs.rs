//! What is done from time to time: removing what has expired.

use std::time::Duration;

use tokio::sync::watch;

use crate::resource::invitation;
use crate::{Control, Error, auth, idempotency, question};

/// How often.
const EVERY: Duration = Duration::from_secs(60);

/// Tidies up every minute until `stop` holds true or its sender is gone.
///
/// A failure is logged and tried again: nothing here is needed for anything else to be right.
pub async fn run(control: Control, mut stop: watch::Receiver<bool>) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            stopped = stop.wait_for(|stopped| *stopped) => {
                drop(stopped);
                return;
            }
        }
        if let Err(error) = tidy(&control).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "tidying up failed");
        }
    }
}

/// Removes expired sessions and links, kept answers, failures of long ago, and ended work.
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
    tx.forget_questions_before(now.before(question::KEPT)).await?;
    store::link::forget_resets(&mut tx, now).await?;
    control.tidy_works(&mut tx).await?;
    Ok(tx.commit().await?)
}
