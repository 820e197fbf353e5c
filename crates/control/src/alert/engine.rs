//! Rounds: whose turn it is, what became of its alerts, and whom to tell.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use domain::Timestamp;
use domain::alert::{
    Alert, AlertChannel, AlertEnd, AlertRule, AlertSilence, AlertState, Outlook, Seen, Step, step,
};
use domain::id::AlertId;
use domain::notice::NoticeKind;
use serde_json::{Value, json};
use store::entity::{self, Condition};
use store::notice::NewNotice;
use store::{Arg, Tx};
use tokio::sync::{Notify, watch};

use super::judge::{self, Judged};
use super::{FOUND_MAX, anomaly};
use crate::counter::Counters;
use crate::jobs::Ticks;
use crate::{Control, Error, notice, report};

/// Rules of a round; those that are left are taken in the next.
const RULES_MAX: u32 = 1000;
/// How long it may take to judge a rule.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often is looked whether a turn has come.
const TICK: Duration = Duration::from_secs(1);
/// Alerts of rules that are gone, ended in one round.
const ORPHANS_MAX: u32 = 500;

/// Judges rules, makes reports that are due, and sends what has to be told, until `stop` holds true or its sender is gone.
pub async fn run(control: Control, stop: watch::Receiver<bool>) {
    let news = Arc::new(Notify::new());
    tokio::join!(
        judge_all(&control, stop.clone(), &news),
        report::make_due(&control, stop.clone(), &news),
        notice::run(&control, stop, &news)
    );
}

async fn judge_all(control: &Control, stop: watch::Receiver<bool>, news: &Notify) {
    let every = control.settings().alerts.every;
    let mut ticks = Ticks::new(Duration::ZERO, TICK.min(every), stop);
    let mut cache = anomaly::Cache::default();
    while ticks.next().await {
        match round(control, &mut cache).await {
            Ok(true) => news.notify_one(),
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "alerts were not looked for"
                );
            }
        }
    }
}

/// Judges the rules whose turn it is; whether there is something to tell.
pub(super) async fn round(control: &Control, cache: &mut anomaly::Cache) -> Result<bool, Error> {
    let now = control.now();
    let before = now.before(control.settings().alerts.every);
    let mut has_news = false;
    for rule in store::alert::due_rules(&mut control.store(), before, RULES_MAX).await? {
        let mut tx = control.store().begin().await?;
        let is_mine = tx.claim_rule(rule.id, before, now).await?;
        tx.commit().await?;
        if !is_mine {
            continue;
        }
        let asked = judge::judge(control, rule.organization_id, &rule.spec.condition, cache);
        let judged = match tokio::time::timeout(PATIENCE, asked).await {
            Ok(Ok(judged)) => judged,
            Ok(Err(error)) => {
                tracing::warn!(rule = %rule.id, error = &error as &dyn std::error::Error, "a rule was not judged");
                Judged::undecided(error.in_words())
            }
            Err(_) => Judged::undecided("It took too long.".to_owned()),
        };
        let counters = &control.inner.counters;
        Counters::count(match judged.undecided {
            None => &counters.alert_rules_judged,
            Some(_) => &counters.alert_rules_undecided,
        });
        has_news |= apply(control, &rule, judged, now).await?;
    }
    has_news |= end_orphans(control, now).await?;
    Ok(has_news)
}

/// Moves the alerts of a rule on; whether there is something to tell.
async fn apply(control: &Control, rule: &AlertRule, judged: Judged, now: Timestamp) -> Result<bool, Error> {
    let mut tx = control.store().begin().await?;
    tx.lock(&format!("alerts:{}", rule.id)).await?;
    let kept = entity::find_id::<AlertRule>(&mut tx, rule.id).await?;
    if kept.is_none_or(|kept| kept.revision != rule.revision) {
        // It was changed while it was judged: the next round asks what it says now.
        return Ok(false);
    }
    if let Some(why) = &judged.undecided {
        // Nobody knows: what was so is left as it is.
        tx.note_evaluation(rule.id, Some(why)).await?;
        tx.commit().await?;
        return Ok(false);
    }
    let mut open = store::alert::open(&mut tx, rule.id).await?;
    let first_new = open.len();
    let note = add_new(control, rule, (&judged.found, &mut open), now);
    tx.note_evaluation(rule.id, note.as_deref()).await?;
    let by_labels: BTreeMap<_, _> = judged
        .found
        .iter()
        .map(|outlook| (&outlook.labels, outlook))
        .collect();
    let teller = Teller::new(control, &mut tx, rule.organization_id).await?;
    let mut notices = Vec::new();
    for (place, alert) in open.iter_mut().enumerate() {
        let before = alert.clone();
        let outlook = by_labels.get(&alert.labels);
        if let Some(outlook) = outlook {
            alert.value = outlook.value;
            alert.limit = outlook.limit;
            alert.summary.clone_from(&outlook.summary);
        }
        let seen = Seen {
            now,
            is_breached: outlook.is_some_and(|outlook| outlook.breached),
            hold: minutes(rule.spec.for_minutes),
            is_silenced: teller.is_silenced(rule, now),
            repeat: rule.spec.repeat_minutes.map(minutes),
        };
        let step = step(alert, seen);
        if let Step::Tell(kind) = step {
            let mine = teller.notices(alert, Some(rule), kind);
            if mine.is_empty() {
                alert.notified_at = before.notified_at;
            }
            notices.extend(mine);
        }
        let before = (place < first_new).then_some(&before);
        match (step, before) {
            (Step::Gone, Some(before)) => tx.remove(before).await?,
            (Step::Gone, None) => {}
            (Step::Quiet | Step::Tell(_), before) => keep(&mut tx, alert, before, now).await?,
        }
    }
    tx.add_notices(&notices, now).await?;
    tx.commit().await?;
    Ok(!notices.is_empty())
}

/// Adds alerts of groups that have none yet; answers what the rule has to say of those that there is no room for.
fn add_new(
    control: &Control,
    rule: &AlertRule,
    (found, open): (&[Outlook], &mut Vec<Alert>),
    now: Timestamp,
) -> Option<String> {
    let breached = found.iter().filter(|outlook| outlook.breached);
    let is_known = |outlook: &Outlook| open.iter().any(|alert| alert.labels == outlook.labels);
    let new: Vec<_> = breached.clone().filter(|outlook| !is_known(outlook)).collect();
    let room = FOUND_MAX.saturating_sub(open.len());
    let is_too_many = new.len() > room;
    let made = new.into_iter().take(room);
    open.extend(made.map(|outlook| new_alert(control, rule, outlook, now)));
    is_too_many.then(|| {
        format!(
            "{} groups are concerned; alerts are made of {FOUND_MAX}.",
            breached.count()
        )
    })
}

/// Writes an alert if it is not as it was.
async fn keep(tx: &mut Tx, alert: &mut Alert, before: Option<&Alert>, now: Timestamp) -> Result<(), Error> {
    match before {
        None => tx.insert(alert, &[]).await?,
        Some(before) if before == alert => {}
        Some(before) => {
            alert.updated_at = now;
            alert.revision = before.revision + 1;
            tx.update(alert, before.revision, &[]).await?;
        }
    }
    Ok(())
}

/// Ends the alerts of rules that are paused or gone; whether there is something to tell.
async fn end_orphans(control: &Control, now: Timestamp) -> Result<bool, Error> {
    let orphans = store::alert::orphans(&mut control.store(), ORPHANS_MAX).await?;
    let mut has_news = false;
    for mut alert in orphans {
        let mut tx = control.store().begin().await?;
        tx.lock(&format!("alerts:{}", alert.rule_id)).await?;
        let before = alert.clone();
        let rule = entity::find_id::<AlertRule>(&mut tx, alert.rule_id).await?;
        if alert.state == AlertState::Pending {
            tx.remove(&before).await?;
        } else {
            let was_told = alert.notified_at.is_some();
            alert.end(AlertEnd::RuleChanged, now);
            keep(&mut tx, &mut alert, Some(&before), now).await?;
            if was_told {
                let teller = Teller::new(control, &mut tx, alert.organization_id).await?;
                let notices = teller.notices(&alert, rule.as_ref(), NoticeKind::Resolved);
                has_news |= !notices.is_empty();
                tx.add_notices(&notices, now).await?;
            }
        }
        match tx.commit().await {
            // Somebody else has ended it.
            Err(store::Error::Stale) => {}
            other => other?,
        }
    }
    Ok(has_news)
}

fn new_alert(control: &Control, rule: &AlertRule, outlook: &Outlook, now: Timestamp) -> Alert {
    Alert {
        id: AlertId::new(control.uuid()),
        organization_id: rule.organization_id,
        rule_id: rule.id,
        rule: rule.spec.name.clone(),
        title: rule.spec.title.clone(),
        severity: rule.spec.severity,
        labels: outlook.labels.clone(),
        state: AlertState::Pending,
        value: outlook.value,
        limit: outlook.limit,
        summary: outlook.summary.clone(),
        began_at: now,
        fired_at: None,
        recovering_since: None,
        resolved_at: None,
        ended_by: None,
        notified_at: None,
        silenced: false,
        created_at: now,
        updated_at: now,
        revision: 1,
    }
}

fn minutes(number: u32) -> Duration {
    Duration::from_secs(60) * number
}

/// Knows who is told in an organization, and when nobody is.
struct Teller<'a> {
    control: &'a Control,
    channels: Vec<AlertChannel>,
    silences: Vec<AlertSilence>,
}

impl<'a> Teller<'a> {
    async fn new(
        control: &'a Control,
        tx: &mut Tx,
        organization: domain::id::OrganizationId,
    ) -> Result<Self, Error> {
        let of = [Condition::Is("organization_id", Arg::text(organization))];
        Ok(Self {
            control,
            channels: entity::all(tx, &of).await?,
            silences: entity::all(tx, &of).await?,
        })
    }

    fn is_silenced(&self, rule: &AlertRule, now: Timestamp) -> bool {
        self.silences
            .iter()
            .any(|silence| silence.covers(&rule.spec.name, now))
    }

    /// A notification for each channel of the rule; of one that is gone, nobody knows whom to tell.
    fn notices(&self, alert: &Alert, rule: Option<&AlertRule>, kind: NoticeKind) -> Vec<NewNotice> {
        let Some(rule) = rule else { return Vec::new() };
        let named = self
            .channels
            .iter()
            .filter(|channel| rule.spec.channels.contains(&channel.spec.name));
        let body = body(self.control, alert, &rule.spec.description, kind);
        notice::for_channels(self.control, named, (&alert.id.to_string(), kind, &body))
    }
}

/// What is sent, as Standard Webhooks has it: `type`, `timestamp`, `data`.
pub(super) fn body(control: &Control, alert: &Alert, description: &str, kind: NoticeKind) -> Value {
    json!({
        "type": kind.event(),
        "timestamp": control.now(),
        "data": {
            "alert": alert,
            "description": description,
            "url": control.console_url(&format!("alerts/{}", alert.id)),
        },
    })
}
