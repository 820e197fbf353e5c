//! What is watched.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::analytics::{Dimension, DimensionFilter, Measure};
use crate::id::{AlertRuleId, OrganizationId};
use crate::{Name, Timestamp};

/// How bad it is.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum AlertSeverity {
    /// Good to know.
    Info,
    /// Somebody should look at it in working hours.
    #[default]
    Warning,
    /// Somebody should look at it now.
    Critical,
}

impl AlertSeverity {
    /// As it is written in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// Two spans of time in which an error budget must be spent too fast before it is told.
///
/// The long one says that it matters, the short one that it still goes on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BurnWindow {
    /// The long span in minutes: 5 to 43,200 (30 days); whole hours if it is more than 48 hours.
    #[schema(minimum = 5, maximum = 43_200)]
    pub long_minutes: u32,
    /// The short span in minutes: 1 up to the long one.
    #[schema(minimum = 1, maximum = 2_880)]
    pub short_minutes: u32,
    /// How many times faster than planned the budget is spent: more than 0, up to 1000.
    pub rate: f64,
}

impl BurnWindow {
    /// Those of the multi-window, multi-burn-rate alert of the Site Reliability Workbook (chapter 5) for an objective
    /// over 30 days: 2 % of the budget in an hour, 5 % in six, 10 % in three days.
    pub const USUAL: [Self; 3] = [
        Self {
            long_minutes: 60,
            short_minutes: 5,
            rate: 14.4,
        },
        Self {
            long_minutes: 360,
            short_minutes: 30,
            rate: 6.0,
        },
        Self {
            long_minutes: 4320,
            short_minutes: 360,
            rate: 1.0,
        },
    ];
}

/// Which values are unusual.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AnomalySide {
    /// Those that are too high and those that are too low.
    #[default]
    Both,
    /// Those that are too high.
    High,
    /// Those that are too low.
    Low,
}

/// What must not be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum AlertCondition {
    /// A measure is over or under a number.
    Threshold {
        /// What is measured.
        measure: Measure,
        /// Which calls; all if empty.
        #[serde(default)]
        #[schema(max_items = 20)]
        filters: Vec<DimensionFilter>,
        /// What calls are told apart by; each group has an alert of its own. At most 2.
        #[serde(default)]
        #[schema(max_items = 2)]
        by: Vec<Dimension>,
        /// The last so many minutes: 1 to 1440.
        #[schema(minimum = 1, maximum = 1440)]
        window_minutes: u32,
        /// It must not be more than this.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        over: Option<f64>,
        /// It must not be less than this.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        under: Option<f64>,
        /// Only if there were so many calls: one error of one call is a rate of 1.
        #[serde(default)]
        calls_min: u64,
    },
    /// The error budget of an objective for the share of calls without a server error is spent too fast.
    BurnRate {
        /// The share that must be without: 0.5 to 0.99999.
        #[schema(minimum = 0.5, maximum = 0.99999)]
        objective: f64,
        /// Which calls; all if empty.
        #[serde(default)]
        #[schema(max_items = 20)]
        filters: Vec<DimensionFilter>,
        /// When it is too fast; any of them is enough. 1 to 6; the usual three if absent.
        #[serde(default = "usual_windows")]
        #[schema(min_items = 1, max_items = 6)]
        windows: Vec<BurnWindow>,
    },
    /// The last hour is not as the weeks before let expect, by hour of the day and day of the week.
    Anomaly {
        /// What is measured.
        measure: Measure,
        /// Which calls; all if empty.
        #[serde(default)]
        #[schema(max_items = 20)]
        filters: Vec<DimensionFilter>,
        /// Which values are told.
        #[serde(default)]
        side: AnomalySide,
        /// How sure it must be: 0.9 to 0.9999. Of so many usual hours, this share is not told.
        #[serde(default = "usual_confidence")]
        #[schema(minimum = 0.9, maximum = 0.9999)]
        confidence: f64,
        /// Only if there were so many calls in the hour, or so many were expected.
        #[serde(default)]
        calls_min: u64,
    },
    /// A subscription has used so much of its plan's quota; each one has an alert of its own.
    Quota {
        /// Percent of the quota: 1 to 1000.
        #[schema(minimum = 1, maximum = 1000)]
        percent: u32,
        /// Only subscriptions of applications of one's own, instead of those that others have to one's products.
        #[serde(default)]
        own: bool,
    },
}

fn usual_windows() -> Vec<BurnWindow> {
    BurnWindow::USUAL.to_vec()
}

const fn usual_confidence() -> f64 {
    0.999
}

/// The editable part of an [`AlertRule`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AlertRuleSpec {
    /// Unique in the organization.
    pub name: Name,
    /// What people read.
    #[schema(max_length = 200)]
    pub title: String,
    /// What it means and what to do, for those who are told.
    #[serde(default)]
    #[schema(max_length = 20000)]
    pub description: String,
    /// What must not be.
    pub condition: AlertCondition,
    /// How bad it is.
    #[serde(default)]
    pub severity: AlertSeverity,
    /// It is told after it was so for so many minutes, and that it is over after it was not for as many: 0 to 1440.
    #[serde(default)]
    #[schema(maximum = 1440)]
    pub for_minutes: u32,
    /// Whom to tell: names of channels, at most 10. Nobody if empty; it is shown all the same.
    #[serde(default)]
    #[schema(max_items = 10)]
    pub channels: Vec<Name>,
    /// Tell again every so many minutes while it lasts: 5 to 10,080; once only if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 5, maximum = 10_080)]
    pub repeat_minutes: Option<u32>,
    /// Whether nothing is watched at present.
    #[serde(default)]
    pub paused: bool,
    /// The declarative folder that made it and may remove it (`gateline apply --prune`); by hand if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<Name>,
}

/// What is watched, and who is told when it is so.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AlertRule {
    /// Its id.
    pub id: AlertRuleId,
    /// The organization.
    pub organization_id: OrganizationId,
    /// The editable part.
    #[serde(flatten)]
    pub spec: AlertRuleSpec,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Counts its changes; the ETag.
    pub revision: i64,
}

/// What is shown beside a rule.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AlertRuleUse {
    /// When it was last looked at; absent if never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evaluated_at: Option<Timestamp>,
    /// Why it could not be judged then; absent if it could.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evaluation_error: Option<String>,
    /// Alerts of it that are firing.
    pub firing: i64,
}

/// What a condition finds for one group of calls.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Outlook {
    /// The values of what calls are told apart by, as `api` or `subscription`.
    pub labels: BTreeMap<String, String>,
    /// The value that is watched.
    pub value: f64,
    /// What it is held against: the number that must not be passed.
    pub limit: f64,
    /// Whether it is so.
    pub breached: bool,
    /// It in words.
    pub summary: String,
}

/// What a condition would find now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Preview {
    /// For each group; those that are so first. At most 100.
    pub found: Vec<Outlook>,
    /// Why it cannot be judged yet, as too few weeks for what is usual.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undecided: Option<String>,
}
