//! How alerts are kept.

use domain::alert::{Alert, AlertChannel, AlertRule, AlertSilence, AlertState};
use domain::id::{AlertChannelId, AlertId, AlertRuleId, AlertSilenceId};

use super::entity;
use crate::Arg;

entity!(AlertRule, AlertRuleId, "alert_rules", "alert_rule", name: true, |it| [
    "name" = Arg::text(&it.spec.name),
    "paused" = Arg::Bool(it.spec.paused),
]);
entity!(AlertChannel, AlertChannelId, "alert_channels", "alert_channel", name: true, |it| [
    "name" = Arg::text(&it.spec.name),
]);
entity!(AlertSilence, AlertSilenceId, "alert_silences", "alert_silence", name: false, |it| [
    "ends_at" = Arg::time(it.spec.ends_at),
]);
entity!(Alert, AlertId, "alerts", "alert", name: false, |it| [
    "rule_id" = Arg::text(it.rule_id),
    "labels" = Arg::text(crate::alert::labels(&it.labels)),
    "state" = Arg::text(match it.state {
        AlertState::Pending => "pending",
        AlertState::Firing => "firing",
        AlertState::Resolved => "resolved",
    }),
    "severity" = Arg::text(it.severity.as_str()),
    "resolved_at" = Arg::time_or_null(it.resolved_at),
]);
