//! Long work that a call starts and others ask about.
//!
//! Its state is a row, so every node can answer; whoever watches on the node that does the work hears of each
//! step at once.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use domain::Code;
use domain::id::{WorkId, WorkspaceId};
use domain::work::{Work, WorkStatus};
use serde_json::Value;
use store::entity::{self, Condition};
use store::{Arg, Tx};
use tokio::sync::watch;

use crate::resource::{ListQuery, Listed};
use crate::{Caller, Control, Error};

/// Work that has not moved for this long is given up: the process that did it has died.
const SILENCE: Duration = Duration::from_secs(15 * 60);
/// Work is forgotten after this long.
pub(crate) const KEPT: Duration = Duration::from_secs(7 * 24 * 3600);

/// Who hears of which work on this node.
#[derive(Default)]
pub(crate) struct Watchers(Mutex<HashMap<WorkId, watch::Sender<Work>>>);

impl Watchers {
    fn subscribe(&self, work: &Work) -> watch::Receiver<Work> {
        let mut watchers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sender = watchers
            .entry(work.id)
            .or_insert_with(|| watch::Sender::new(work.clone()));
        sender.subscribe()
    }

    fn tell(&self, work: &Work) {
        let mut watchers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = watchers.get(&work.id) {
            sender.send_replace(work.clone());
        }
        if work.status != WorkStatus::Running {
            // The receivers keep the last state; dropping the sender tells them that it is the last.
            watchers.remove(&work.id);
        }
    }
}

impl Control {
    /// Begins a piece of work in the caller's organization, or in a workspace of it; `kind` is the operation's
    /// name.
    pub async fn start_work(
        &self,
        caller: &Caller,
        kind: &str,
        workspace: Option<WorkspaceId>,
    ) -> Result<Work, Error> {
        let now = self.now();
        let work = Work {
            id: WorkId::new(self.uuid()),
            organization_id: caller.organization()?,
            workspace_id: workspace,
            kind: kind.to_owned(),
            status: WorkStatus::Running,
            progress: 0,
            result: None,
            error: None,
            created_at: now,
            updated_at: now,
            revision: 1,
        };
        let mut tx = self.store().begin().await?;
        tx.insert(&work, &[]).await?;
        tx.commit().await?;
        Ok(work)
    }

    /// Notes how far a piece of work is (percent); the answer says whether to go on.
    pub async fn progress_work(&self, id: WorkId, progress: i64) -> Result<WorkStatus, Error> {
        let moved = |work: &mut Work| work.progress = progress.clamp(0, 100);
        Ok(self
            .move_work(id, moved)
            .await?
            .map_or(WorkStatus::Cancelled, |work| work.status))
    }

    /// Ends a piece of work: with what came out, or with the problem (RFC 9457) it failed with.
    pub async fn finish_work(&self, id: WorkId, outcome: Result<Value, Value>) -> Result<(), Error> {
        let moved = |work: &mut Work| match outcome {
            Ok(result) => {
                work.status = WorkStatus::Succeeded;
                work.progress = 100;
                work.result = Some(result);
            }
            Err(error) => {
                work.status = WorkStatus::Failed;
                work.error = Some(error);
            }
        };
        self.move_work(id, moved).await.map(drop)
    }

    /// Asks a piece of work to stop; it does at its next step.
    ///
    /// # Errors
    /// `conflict` if it has ended already.
    pub async fn cancel_work(&self, caller: &Caller, id: WorkId) -> Result<Work, Error> {
        let work = self.read_work(caller, id).await?;
        let organization = caller.organization()?;
        self.access()
            .check(caller, "cancel_operation", organization, work.workspace_id)?;
        let moved = self
            .move_work(id, |work| work.status = WorkStatus::Cancelled)
            .await?;
        moved.ok_or_else(|| Error::refused(Code::Conflict, "It has ended already."))
    }

    /// Reads a piece of work of the caller's organization.
    pub async fn read_work(&self, caller: &Caller, id: WorkId) -> Result<Work, Error> {
        let organization = caller.organization()?;
        self.access()
            .check(caller, "read_operation", organization, None)?;
        let conditions = [
            Condition::Is("id", Arg::text(id)),
            Condition::Is("organization_id", Arg::text(organization)),
        ];
        let found = entity::find::<Work>(&mut self.store(), &conditions).await?;
        found.ok_or_else(|| Error::not_found("operation"))
    }

    /// Lists the work of the caller's organization.
    pub async fn list_works(&self, caller: &Caller, query: &ListQuery) -> Result<Listed<Work>, Error> {
        let organization = caller.organization()?;
        self.access()
            .check(caller, "list_operations", organization, None)?;
        let mut conditions = vec![Condition::Is("organization_id", Arg::text(organization))];
        conditions.extend(query.conditions.iter().cloned());
        self.listed(&conditions, query).await
    }

    /// Hears of each step of a piece of work that this node does; ends with the sender. Work of another node
    /// shows only the state it has now: read again after a while.
    pub async fn watch_work(&self, caller: &Caller, id: WorkId) -> Result<watch::Receiver<Work>, Error> {
        let work = self.read_work(caller, id).await?;
        if work.status != WorkStatus::Running {
            return Ok(watch::channel(work).1);
        }
        let receiver = self.inner.works.subscribe(&work);
        // It may have ended between reading and subscribing; then nobody would tell.
        let work = self.read_work(caller, id).await?;
        if work.status != WorkStatus::Running {
            self.inner.works.tell(&work);
        }
        Ok(receiver)
    }

    /// Changes running work; `None` if it is not running any more.
    async fn move_work(&self, id: WorkId, change: impl FnOnce(&mut Work)) -> Result<Option<Work>, Error> {
        let mut tx = self.store().begin().await?;
        // Locked, because worker and canceller write at the same time.
        tx.lock(&format!("work:{id}")).await?;
        let Some(before) = entity::find_id::<Work>(&mut tx, id).await? else {
            return Ok(None);
        };
        if before.status != WorkStatus::Running {
            return Ok(None);
        }
        let mut after = before.clone();
        change(&mut after);
        after.updated_at = self.now();
        after.revision += 1;
        tx.update(&after, before.revision, &[]).await?;
        tx.commit().await?;
        self.inner.works.tell(&after);
        Ok(Some(after))
    }

    /// Gives up work that has not moved for long, and forgets what ended long ago.
    pub(crate) async fn tidy_works(&self, tx: &mut Tx) -> Result<(), Error> {
        let now = self.now();
        let running = [Condition::Is("status", Arg::text("running"))];
        for before in entity::all::<Work>(tx, &running).await? {
            if before.updated_at.after(SILENCE) > now {
                continue;
            }
            let detail = "The process that did it has stopped.";
            let after = Work {
                status: WorkStatus::Failed,
                error: Some(serde_json::json!({ "code": Code::Internal.as_str(), "detail": detail })),
                updated_at: now,
                revision: before.revision + 1,
                ..before.clone()
            };
            tx.update(&after, before.revision, &[]).await?;
        }
        let oldest = WorkId::new(uuid_of(now.before(KEPT)));
        store::work::remove_before(tx, oldest).await?;
        Ok(())
    }
}

/// The smallest UUIDv7 of a moment: ids sort by the time they were made.
fn uuid_of(moment: domain::Timestamp) -> uuid::Uuid {
    let millis = u128::try_from(moment.as_micros() / 1000).unwrap_or(0);
    uuid::Uuid::from_u128(millis << 80)
}

#[cfg(test)]
mod tests;
