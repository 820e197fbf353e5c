//! Schedules: whose time has come, what is made for it, and who is sent it.

use std::sync::Arc;
use std::time::Duration;

use domain::alert::AlertChannel;
use domain::id::ReportScheduleId;
use domain::notice::{Notice, NoticeKind};
use domain::report::{ReportSchedule, ReportScheduleUse, UnknownZone};
use domain::{Code, Timestamp};
use serde_json::{Value, json};
use store::entity::{self, Condition};
use store::notice::NewNotice;
use store::report::DueSchedule;
use store::{Arg, Tx};
use tokio::sync::{Notify, watch};

use super::{ReportQuery, Which};
use crate::jobs::Ticks;
use crate::{Caller, Control, Error, notice};

/// How often is looked whether a time has come.
const TICK: Duration = Duration::from_secs(1);
/// Schedules of a round; those that are left are taken in the next.
const SCHEDULES_MAX: usize = 20;
/// How long is waited after a report could not be made.
const RETRY: Duration = Duration::from_secs(10 * 60);
/// How long it may take to make a report.
const PATIENCE: Duration = Duration::from_secs(60);
/// Who changes a schedule when it is due has it sent all the same.
const CHANGED_AT_THE_TIME: Duration = Duration::from_secs(60);

/// Makes reports that are due until `stop` holds true or its sender is gone.
pub(crate) async fn make_due(control: &Control, stop: watch::Receiver<bool>, news: &Arc<Notify>) {
    let mut ticks = Ticks::new(Duration::ZERO, TICK, stop);
    while ticks.next().await {
        match round(control).await {
            Ok(true) => news.notify_one(),
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "it was not looked which reports are due"
                );
            }
        }
    }
}

/// Takes the schedules whose time has come; whether there is something to send.
pub(super) async fn round(control: &Control) -> Result<bool, Error> {
    let now = control.now();
    let due = store::report::due_schedules(&mut control.store(), now, SCHEDULES_MAX).await?;
    let mut has_news = false;
    for due in due {
        let done = match due.next_at {
            None => look(control, &due).await.map(|()| false),
            Some(at) => take(control, &due, (at, now)).await,
        };
        match done {
            Ok(is_new) => has_news |= is_new,
            // The others are not to wait for it.
            Err(error) => delay(control, &due.schedule, (&error, now)).await?,
        }
    }
    Ok(has_news)
}

/// Says why nothing has become of a schedule, which is tried again later.
async fn delay(
    control: &Control,
    schedule: &ReportSchedule,
    (error, now): (&Error, Timestamp),
) -> Result<(), Error> {
    tracing::warn!(schedule = %schedule.id, error = error as &dyn std::error::Error, "a report was not made");
    let mut tx = control.store().begin().await?;
    tx.delay_schedule(schedule.id, now.after(RETRY), &error.in_words())
        .await?;
    Ok(tx.commit().await?)
}

/// Finds out when a new or changed schedule is due.
async fn look(control: &Control, due: &DueSchedule) -> Result<(), Error> {
    let schedule = &due.schedule;
    let known = due.last_at.unwrap_or(schedule.created_at);
    let since = known.max(schedule.updated_at.before(CHANGED_AT_THE_TIME));
    let next = schedule.spec.next_after(since).map_err(unplannable)?;
    let mut tx = control.store().begin().await?;
    tx.plan_schedule(due, next, due.last_at, None).await?;
    Ok(tx.commit().await?)
}

/// Makes what is due and writes down to whom it is sent, in the transaction that says when it is due next.
async fn take(
    control: &Control,
    due: &DueSchedule,
    (at, now): (Timestamp, Timestamp),
) -> Result<bool, Error> {
    let schedule = &due.schedule;
    let made = tokio::time::timeout(PATIENCE, body(control, schedule, at)).await;
    let made = made.unwrap_or_else(|_| Err(Error::refused(Code::Overloaded, "It took too long.")));
    let mut tx = control.store().begin().await?;
    let body = match made {
        Ok(body) => body,
        Err(error) => {
            let next = schedule.spec.next_after(at).map_err(unplannable)?;
            if next > now {
                return Err(error);
            }
            // Nobody waits for what is followed by another.
            tx.plan_schedule(due, next, due.last_at, Some(&error.in_words()))
                .await?;
            tx.commit().await?;
            return Ok(false);
        }
    };
    // Of several that were missed, the last counts.
    let next = schedule.spec.next_after(at.max(now)).map_err(unplannable)?;
    if !tx.plan_schedule(due, next, Some(at), None).await? {
        return Ok(false);
    }
    let notices = notices(control, &mut tx, schedule, &body).await?;
    tx.add_notices(&notices, now).await?;
    tx.commit().await?;
    Ok(!notices.is_empty())
}

/// A zone that was whole hours from UTC when the schedule was saved need not stay so.
fn unplannable(error: UnknownZone) -> Error {
    Error::refused(Code::RequestInvalid, format!("`time_zone`: {error}."))
}

/// What is sent, as Standard Webhooks has it: `type`, `timestamp`, `data`.
async fn body(control: &Control, schedule: &ReportSchedule, at: Timestamp) -> Result<Value, Error> {
    let spec = &schedule.spec;
    let period = spec.period_before(at).map_err(unplannable)?;
    let which = Which::find(&mut control.store(), schedule.organization_id, &spec.report).await?;
    let which = which.ok_or_else(|| Error::not_found("report"))?;
    let has_period = which.parameters().contains(&"from");
    let query = ReportQuery {
        from: has_period.then_some(period.from),
        to: has_period.then_some(period.to),
        ..ReportQuery::from(spec)
    };
    let made = control.report_of(schedule.organization_id, &which, &query);
    Ok(json!({
        "type": NoticeKind::Report.event(),
        "timestamp": control.now(),
        "data": {
            "schedule": spec.name,
            "title": spec.title,
            "format": spec.format,
            "report": made.await?,
            "url": control.console_url(&format!("reports/{}", spec.report)),
        },
    }))
}

/// A notification for each channel of a schedule that there is.
async fn notices(
    control: &Control,
    tx: &mut Tx,
    schedule: &ReportSchedule,
    body: &Value,
) -> Result<Vec<NewNotice>, Error> {
    let of = [Condition::Is(
        "organization_id",
        Arg::text(schedule.organization_id),
    )];
    let channels: Vec<AlertChannel> = entity::all(tx, &of).await?;
    let named = channels
        .iter()
        .filter(|channel| schedule.spec.channels.contains(&channel.spec.name));
    let about = (&*schedule.id.to_string(), NoticeKind::Report, body);
    Ok(notice::for_channels(control, named, about))
}

impl Control {
    /// Says of schedules when they were and will be made; callers pass schedules that they may see.
    pub async fn report_schedule_uses(
        &self,
        schedules: &[ReportScheduleId],
    ) -> Result<std::collections::HashMap<ReportScheduleId, ReportScheduleUse>, Error> {
        Ok(store::report::schedule_uses(&mut self.store(), schedules).await?)
    }

    /// Makes a schedule's report about the last time that is over, sends it to its channels, and tells the newest
    /// notifications.
    pub async fn send_report(&self, caller: &Caller, id: ReportScheduleId) -> Result<Vec<Notice>, Error> {
        let schedule = self.read::<ReportSchedule>(caller, id).await?;
        let mut tx = self.begin(caller).await?;
        self.authorize(&mut tx, caller, "send_report", &schedule).await?;
        let now = self.now();
        let body = body(self, &schedule, now).await?;
        let notices = notices(self, &mut tx, &schedule, &body).await?;
        tx.add_notices(&notices, now).await?;
        tx.commit().await?;
        self.notices_of(id).await
    }

    /// Tells to whom a schedule's reports were sent and what became of it, the newest first.
    pub async fn report_notices(&self, caller: &Caller, id: ReportScheduleId) -> Result<Vec<Notice>, Error> {
        let schedule = self.read::<ReportSchedule>(caller, id).await?;
        self.authorize(&mut self.store(), caller, "list_report_notices", &schedule)
            .await?;
        self.notices_of(id).await
    }

    async fn notices_of(&self, id: ReportScheduleId) -> Result<Vec<Notice>, Error> {
        let store = &mut self.store();
        Ok(store::notice::notices(store, &id.to_string(), notice::TOLD_MAX).await?)
    }
}

#[cfg(test)]
mod tests;
