//! Alerts beside what every entity has: whose turn it is to look, and what is on its way to whom.

use std::collections::{BTreeMap, HashMap};

use domain::Timestamp;
use domain::alert::{Alert, AlertRule, AlertRuleUse};
use domain::id::{AlertChannelId, AlertRuleId};

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
            "DELETE FROM notices WHERE about_id IN (SELECT id FROM alerts WHERE resolved_at < $1)",
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
