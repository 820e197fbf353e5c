//! Alerts beside what every entity has: whose turn it is to look, and what is on its way to whom.

use std::collections::{BTreeMap, HashMap};

use domain::alert::{Alert, AlertChannel, AlertNotice, AlertRule, AlertRuleUse, NoticeKind, NoticeState};
use domain::id::{AlertChannelId, AlertId, AlertNoticeId, AlertRuleId, OrganizationId};
use domain::{Name, Timestamp};
use serde_json::Value;

use crate::entity::Read;
use crate::{Arg, Error, Tx};

/// Rows looked up with one statement.
const ROWS_MAX: usize = 200;

/// The written form of a group of calls, by which open alerts of a rule are told apart.
pub(crate) fn labels(labels: &BTreeMap<String, String>) -> String {
    let parts: Vec<_> = labels
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    parts.join("\n")
}

/// A notification that is to be sent.
#[derive(Debug, Clone, PartialEq)]
pub struct NewNotice {
    /// Its id.
    pub id: AlertNoticeId,
    /// The organization.
    pub organization: OrganizationId,
    /// The alert that it is about.
    pub alert: AlertId,
    /// The channel.
    pub channel: AlertChannelId,
    /// The channel's name.
    pub channel_name: Name,
    /// What it says.
    pub kind: NoticeKind,
    /// What is sent.
    pub body: Value,
}

/// A notification whose time has come.
#[derive(Debug, Clone, PartialEq)]
pub struct DueNotice {
    /// Its id.
    pub id: AlertNoticeId,
    /// How often it was tried before.
    pub attempts: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// What is sent.
    pub body: Value,
    /// The channel, and the number of its secret; none if it was removed.
    pub channel: Option<(AlertChannel, i64)>,
}

/// Finds rules that nobody has looked at since a moment, the longest waiting first.
pub async fn due_rules(read: &mut impl Read, before: Timestamp, limit: u32) -> Result<Vec<AlertRule>, Error> {
    let sql = format!(
        "SELECT body FROM alert_rules WHERE NOT paused AND (evaluated_at IS NULL OR evaluated_at <= $1)
         ORDER BY COALESCE(evaluated_at, 0), id LIMIT {limit}"
    );
    let rows = read.rows(&sql, &[Arg::time(before)]).await?;
    rows.iter().map(|row| row.read("body", "body")).collect()
}

/// Finds open alerts whose rules are paused or gone.
pub async fn orphans(read: &mut impl Read, limit: u32) -> Result<Vec<Alert>, Error> {
    let sql = format!(
        "SELECT a.body AS body FROM alerts a LEFT JOIN alert_rules r ON r.id = a.rule_id
         WHERE a.resolved_at IS NULL AND (r.id IS NULL OR r.paused) ORDER BY a.id LIMIT {limit}"
    );
    let rows = read.rows(&sql, &[]).await?;
    rows.iter().map(|row| row.read("body", "body")).collect()
}

/// Reads the open alerts of a rule.
pub async fn open(read: &mut impl Read, rule: AlertRuleId) -> Result<Vec<Alert>, Error> {
    let sql = "SELECT body FROM alerts WHERE rule_id = $1 AND resolved_at IS NULL ORDER BY id";
    let rows = read.rows(sql, &[Arg::text(rule)]).await?;
    rows.iter().map(|row| row.read("body", "body")).collect()
}

impl Tx {
    /// Takes the turn to look at a rule, unless somebody has since a moment.
    pub async fn claim_rule(
        &mut self,
        rule: AlertRuleId,
        before: Timestamp,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let sql = "UPDATE alert_rules SET evaluated_at = $1
                   WHERE id = $2 AND NOT paused AND (evaluated_at IS NULL OR evaluated_at <= $3)";
        let args = [Arg::time(now), Arg::text(rule), Arg::time(before)];
        Ok(self.execute(sql, &args).await? > 0)
    }

    /// Notes why a rule could not be judged, or that it could.
    pub async fn note_evaluation(&mut self, rule: AlertRuleId, error: Option<&str>) -> Result<(), Error> {
        let sql = "UPDATE alert_rules SET evaluation_error = $1 WHERE id = $2";
        self.execute(sql, &[Arg::text_or_null(error), Arg::text(rule)])
            .await?;
        Ok(())
    }

    /// Writes down notifications that are to be sent from a moment on.
    pub async fn add_notices(&mut self, notices: &[NewNotice], now: Timestamp) -> Result<(), Error> {
        const COLUMNS: usize = 11;
        for rows in notices.chunks(ROWS_MAX) {
            let args = rows.iter().flat_map(|notice| {
                [
                    Arg::text(notice.id),
                    Arg::text(notice.organization),
                    Arg::text(notice.alert),
                    Arg::text(notice.channel),
                    Arg::text(&notice.channel_name),
                    Arg::text(kind_name(notice.kind)),
                    Arg::text("waiting"),
                    Arg::int(0),
                    Arg::time(now),
                    Arg::Json(notice.body.clone()),
                    Arg::time(now),
                ]
            });
            let args: Vec<_> = args.collect();
            let sql = format!(
                "INSERT INTO alert_notices (id, organization_id, alert_id, channel_id, channel, kind, state, attempts,
                                            next_at, body, created_at)
                 VALUES {}",
                crate::db::places(rows.len(), COLUMNS, "")
            );
            self.execute(&sql, &args).await?;
        }
        Ok(())
    }

    /// Takes notifications whose time has come; they come again at `again`, unless it is told before what became of
    /// them.
    pub async fn claim_notices(
        &mut self,
        now: Timestamp,
        again: Timestamp,
        limit: u32,
    ) -> Result<Vec<DueNotice>, Error> {
        self.lock("alert_notices").await?;
        let sql = format!(
            "SELECT n.id AS id, n.attempts AS attempts, n.created_at AS created_at, n.body AS body,
                    c.body AS channel, c.secret AS secret
             FROM alert_notices n LEFT JOIN alert_channels c ON c.id = n.channel_id
             WHERE n.ended_at IS NULL AND n.next_at <= $1 ORDER BY n.next_at, n.id LIMIT {limit}"
        );
        let rows = self.fetch_all(&sql, &[Arg::time(now)]).await?;
        let mut due = Vec::with_capacity(rows.len());
        for row in &rows {
            let secret = row.int_or_null("secret")?;
            let channel = secret.map(|secret| Ok::<_, Error>((row.read("channel", "channel")?, secret)));
            let notice = DueNotice {
                id: row.parse("id")?,
                attempts: row.int("attempts")?,
                created_at: row.time("created_at")?,
                body: row.json("body")?,
                channel: channel.transpose()?,
            };
            let sql = "UPDATE alert_notices SET next_at = $1, attempts = attempts + 1 WHERE id = $2";
            self.execute(sql, &[Arg::time(again), Arg::text(notice.id)])
                .await?;
            due.push(notice);
        }
        Ok(due)
    }

    /// Says that a notification was received.
    pub async fn deliver_notice(&mut self, id: AlertNoticeId, now: Timestamp) -> Result<(), Error> {
        let sql = "UPDATE alert_notices SET state = 'delivered', error = NULL, ended_at = $1 WHERE id = $2";
        self.execute(sql, &[Arg::time(now), Arg::text(id)]).await?;
        Ok(())
    }

    /// Says that a notification was not received, and when it is tried again; never if absent.
    pub async fn fail_notice(
        &mut self,
        id: AlertNoticeId,
        error: &str,
        next: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(), Error> {
        match next {
            Some(next) => {
                let sql = "UPDATE alert_notices SET error = $1, next_at = $2 WHERE id = $3";
                self.execute(sql, &[Arg::text(error), Arg::time(next), Arg::text(id)])
                    .await?;
            }
            None => {
                let sql =
                    "UPDATE alert_notices SET state = 'failed', error = $1, ended_at = $2 WHERE id = $3";
                self.execute(sql, &[Arg::text(error), Arg::time(now), Arg::text(id)])
                    .await?;
            }
        }
        Ok(())
    }

    /// Counts up the number of a channel's secret, so that it has another one.
    pub async fn rotate_channel_secret(&mut self, channel: AlertChannelId) -> Result<(), Error> {
        let sql = "UPDATE alert_channels SET secret = secret + 1 WHERE id = $1";
        self.execute(sql, &[Arg::text(channel)]).await?;
        Ok(())
    }

    /// Forgets alerts that were over before a moment, with their notifications, and silences that had ended.
    pub async fn forget_alerts_before(&mut self, before: Timestamp) -> Result<(), Error> {
        let before = [Arg::time(before)];
        for sql in [
            "DELETE FROM alert_notices WHERE alert_id IN (SELECT id FROM alerts WHERE resolved_at < $1)",
            "DELETE FROM alerts WHERE resolved_at < $1",
            "DELETE FROM alert_silences WHERE ends_at < $1",
        ] {
            self.execute(sql, &before).await?;
        }
        Ok(())
    }
}

/// The number of a channel's secret.
pub async fn channel_secret(read: &mut impl Read, channel: AlertChannelId) -> Result<i64, Error> {
    let sql = "SELECT secret FROM alert_channels WHERE id = $1";
    let row = read.row(sql, &[Arg::text(channel)]).await?;
    row.map_or(Ok(0), |row| row.int("secret"))
}

/// Says of rules when they were looked at, and how many of their alerts are firing.
pub async fn uses(
    read: &mut impl Read,
    rules: &[AlertRuleId],
) -> Result<HashMap<AlertRuleId, AlertRuleUse>, Error> {
    let mut uses = HashMap::with_capacity(rules.len());
    for rules in rules.chunks(ROWS_MAX) {
        let places: Vec<_> = (1..=rules.len()).map(|place| format!("${place}")).collect();
        let sql = format!(
            "SELECT r.id AS id, r.evaluated_at AS evaluated_at, r.evaluation_error AS evaluation_error,
                    (SELECT COUNT(*) FROM alerts a WHERE a.rule_id = r.id AND a.state = 'firing') AS firing
             FROM alert_rules r WHERE r.id IN ({})",
            places.join(", ")
        );
        let args: Vec<_> = rules.iter().map(Arg::text).collect();
        for row in read.rows(&sql, &args).await? {
            let found = AlertRuleUse {
                evaluated_at: row.time_or_null("evaluated_at")?,
                evaluation_error: row.text_or_null("evaluation_error")?,
                firing: row.int("firing")?,
            };
            uses.insert(row.parse("id")?, found);
        }
    }
    Ok(uses)
}

/// Reads the notifications of an alert, the newest first.
pub async fn notices(read: &mut impl Read, alert: AlertId, limit: u32) -> Result<Vec<AlertNotice>, Error> {
    let sql = format!(
        "SELECT id, channel, kind, state, attempts, error, created_at, ended_at FROM alert_notices
         WHERE alert_id = $1 ORDER BY id DESC LIMIT {limit}"
    );
    let rows = read.rows(&sql, &[Arg::text(alert)]).await?;
    rows.iter()
        .map(|row| {
            let corrupt = |what| Error::Corrupt {
                what,
                source: "it is none of those that there are".into(),
            };
            Ok(AlertNotice {
                id: row.parse("id")?,
                channel: row.parse("channel")?,
                kind: kind(&row.text("kind")?).ok_or_else(|| corrupt("kind"))?,
                state: match row.text("state")?.as_str() {
                    "waiting" => NoticeState::Waiting,
                    "delivered" => NoticeState::Delivered,
                    "failed" => NoticeState::Failed,
                    _ => return Err(corrupt("state")),
                },
                attempts: row.int("attempts")?,
                error: row.text_or_null("error")?,
                created_at: row.time("created_at")?,
                ended_at: row.time_or_null("ended_at")?,
            })
        })
        .collect()
}

const fn kind_name(kind: NoticeKind) -> &'static str {
    match kind {
        NoticeKind::Firing => "firing",
        NoticeKind::Repeated => "repeated",
        NoticeKind::Resolved => "resolved",
    }
}

fn kind(name: &str) -> Option<NoticeKind> {
    [NoticeKind::Firing, NoticeKind::Repeated, NoticeKind::Resolved]
        .into_iter()
        .find(|kind| kind_name(*kind) == name)
}
