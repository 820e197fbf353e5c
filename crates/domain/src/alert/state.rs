//! What was found, and how it goes on.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::AlertSeverity;
use crate::id::{AlertId, AlertRuleId, OrganizationId};
use crate::notice::NoticeKind;
use crate::{Name, Timestamp};

/// How far an alert is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertState {
    /// It is so, and not yet for as long as the rule wants.
    Pending,
    /// It is so.
    Firing,
    /// It is over.
    Resolved,
}

/// Why an alert is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertEnd {
    /// It is not so any more.
    Recovered,
    /// The rule was changed so that it is another question now, paused, or removed.
    RuleChanged,
}

/// Something that is so and must not be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Alert {
    /// Its id.
    pub id: AlertId,
    /// The organization.
    pub organization_id: OrganizationId,
    /// The rule, which may be gone by now.
    pub rule_id: AlertRuleId,
    /// The rule's name then.
    pub rule: Name,
    /// The rule's title then.
    pub title: String,
    /// How bad it is.
    pub severity: AlertSeverity,
    /// The group of calls that it is about, as `api` or `subscription`.
    pub labels: BTreeMap<String, String>,
    /// How far it is.
    pub state: AlertState,
    /// The value that was found last.
    pub value: f64,
    /// What it is held against.
    pub limit: f64,
    /// It in words, as it was found last.
    pub summary: String,
    /// Since when it is so.
    pub began_at: Timestamp,
    /// When it began to fire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fired_at: Option<Timestamp>,
    /// Since when it is not so any more, while that is not long enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovering_since: Option<Timestamp>,
    /// When it was over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved_at: Option<Timestamp>,
    /// Why it is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_by: Option<AlertEnd>,
    /// When its channels were last told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notified_at: Option<Timestamp>,
    /// Whether nobody is told at present because of a silence.
    pub silenced: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Counts its changes; the ETag.
    pub revision: i64,
}

/// What is seen at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// The moment.
    pub now: Timestamp,
    /// Whether it is so.
    pub is_breached: bool,
    /// For how long it must be so, or not be so any more.
    pub hold: Duration,
    /// Whether nobody is to be told.
    pub is_silenced: bool,
    /// How often to tell again.
    pub repeat: Option<Duration>,
}

/// What becomes of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It was never more than pending and is over: as if it had not been.
    Gone,
    /// Nobody has to be told.
    Quiet,
    /// Its channels are told.
    Tell(NoticeKind),
}

/// Moves an alert on to what is seen now.
///
/// It is told that something is over only to who was told that it began. What began in a silence is told when
/// that ends, if it still is so.
pub fn step(alert: &mut Alert, seen: Seen) -> Step {
    let long_enough = |since: Timestamp| seen.now >= since.after(seen.hold);
    let is_firing = alert.state == AlertState::Firing;
    if !seen.is_breached {
        if !is_firing {
            return Step::Gone;
        }
        let since = *alert.recovering_since.get_or_insert(seen.now);
        if !long_enough(since) {
            return Step::Quiet;
        }
        alert.end(AlertEnd::Recovered, seen.now);
        let was_told = alert.notified_at.is_some();
        return if was_told {
            Step::Tell(NoticeKind::Resolved)
        } else {
            Step::Quiet
        };
    }
    alert.recovering_since = None;
    if !is_firing && !long_enough(alert.began_at) {
        return Step::Quiet;
    }
    alert.state = AlertState::Firing;
    alert.fired_at.get_or_insert(seen.now);
    alert.silenced = seen.is_silenced;
    let kind = match alert.notified_at {
        None => NoticeKind::Firing,
        Some(last) if seen.repeat.is_some_and(|repeat| seen.now >= last.after(repeat)) => {
            NoticeKind::Repeated
        }
        Some(_) => return Step::Quiet,
    };
    if seen.is_silenced {
        return Step::Quiet;
    }
    alert.notified_at = Some(seen.now);
    Step::Tell(kind)
}

impl Alert {
    /// Says that it is over.
    pub fn end(&mut self, why: AlertEnd, now: Timestamp) {
        self.state = AlertState::Resolved;
        self.resolved_at = Some(now);
        self.ended_by = Some(why);
        self.recovering_since = None;
        self.silenced = false;
    }
}

#[cfg(test)]
mod tests;
