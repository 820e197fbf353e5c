//! Reports: what happened in a time and what it means, as figures, courses over time, and tables.
//!
//! All reports have one form, so that whatever shows, prints or sends one can do that with all of them.

mod definition;
mod schedule;

pub use definition::{ReportDefinition, ReportDefinitionSpec, ReportPart};
pub use schedule::{
    ReportFormat, ReportInterval, ReportSchedule, ReportScheduleSpec, ReportScheduleUse, UnknownZone,
};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Timestamp;
use crate::analytics::{Granularity, TimeRange};
use crate::id::ReportDefinitionId;

macro_rules! reports {
    ($($(#[$doc:meta])* $name:ident = $word:literal, $title:literal, [$($parameter:literal),*], $about:literal;)*) => {
        /// Which built-in report.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ReportName {
            $($(#[$doc])* $name,)*
        }

        impl ReportName {
            /// All of them, in the order in which they are told.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// As it is written.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)*
                }
            }

            /// What people read.
            pub const fn title(self) -> &'static str {
                match self {
                    $(Self::$name => $title,)*
                }
            }

            /// The parameters that it looks at, beside the time zone.
            pub const fn parameters(self) -> &'static [&'static str] {
                match self {
                    $(Self::$name => &[$($parameter),*],)*
                }
            }

            /// Which questions it answers.
            pub const fn about(self) -> &'static str {
                match self {
                    $(Self::$name => $about,)*
                }
            }
        }
    };
}

reports! {
    /// Calls, their latency and who made them.
    Traffic = "traffic", "Traffic and latency", ["from", "to", "api", "application"],
        "How much is called, how fast the answers are, and what and who makes the difference.";
    /// What went wrong and why.
    Errors = "errors", "Errors and their causes", ["from", "to", "api", "application"],
        "What goes wrong, which side decided it, since when, and who is affected.";
    /// Hours that were not as the others.
    Anomalies = "anomalies", "Anomalies", ["from", "to", "api", "application"],
        "When traffic, errors or latency were far from what is usual at that time of the day and the week, and where.";
    /// How applications come and stay.
    Adoption = "adoption", "Adoption", ["from", "to", "api"],
        "How many of the applications that subscribed went on to call, how long that took, and where the others are.";
    /// How applications grow and fade.
    Consumers = "consumers", "Growth and churn", ["from", "to", "api"],
        "Which applications are new, grow, fade or have gone silent, and how much depends on the greatest.";
    /// Who still calls what ends.
    Versions = "versions", "Deprecated versions", ["from", "to", "api", "application"],
        "Who still calls versions and operations that are deprecated, and how much time is left.";
    /// Whether plans keep their word.
    ServiceLevels = "service_levels", "Service levels", ["from", "to", "api", "application"],
        "Whether each plan had the availability and latency that it promises, and for whom it did not.";
    /// How far quotas are used up.
    Quotas = "quotas", "Quotas", ["application"],
        "How far the quotas of this period are used up, and when they will be if calls go on as they do.";
    /// What calls cost.
    Costs = "costs", "Costs", ["from", "to", "api", "application", "monthly_cost", "cost_by"],
        "What a call costs, and which APIs, operations and consumers cause how much of it.";
    /// What comes.
    Forecast = "forecast", "Forecast", ["api", "application", "capacity"],
        "How many calls to expect in the next weeks, between which bounds, and when a capacity is reached.";
}

/// What costs are shared out by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CostBy {
    /// The time that calls took: servers are busy for so long.
    #[default]
    Time,
    /// The number of calls.
    Calls,
    /// The bytes that were sent.
    BytesOut,
}

impl std::str::FromStr for CostBy {
    type Err = UnknownCause;

    fn from_str(text: &str) -> Result<Self, UnknownCause> {
        Ok(match text {
            "time" => Self::Time,
            "calls" => Self::Calls,
            "bytes_out" => Self::BytesOut,
            _ => return Err(UnknownCause),
        })
    }
}

/// Says that costs are not shared out by something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("`time`, `calls` or `bytes_out` was expected")]
pub struct UnknownCause;

impl std::str::FromStr for ReportName {
    type Err = UnknownReport;

    fn from_str(text: &str) -> Result<Self, UnknownReport> {
        let known = Self::ALL.iter().find(|name| name.as_str() == text);
        known.copied().ok_or(UnknownReport)
    }
}

impl AsRef<str> for ReportName {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

/// Says that a text is not the name of a built-in report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no built-in report of this name")]
pub struct UnknownReport;

/// A report that there is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReportInfo {
    /// Its name.
    pub name: String,
    /// What people read.
    pub title: String,
    /// Which questions it answers.
    pub about: String,
    /// The parameters that it looks at, beside the time zone.
    pub parameters: Vec<String>,
    /// The definition of one of the organization's own; absent for a built-in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition_id: Option<ReportDefinitionId>,
}

/// The reports that there are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reports {
    /// They.
    pub data: Vec<ReportInfo>,
}

/// A report about a time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Report {
    /// Its name.
    pub name: String,
    /// What people read.
    pub title: String,
    /// Which questions it answers.
    pub about: String,
    /// The time that it is about.
    pub period: TimeRange,
    /// The time zone of its days, weeks and months, as the IANA data base calls it.
    pub time_zone: String,
    /// When it was made.
    pub made_at: Timestamp,
    /// Its parts, in the order in which they are read.
    pub sections: Vec<ReportSection>,
}

/// A part of a report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReportSection {
    /// Its name, unique in the report.
    pub name: String,
    /// What people read.
    pub title: String,
    /// How to read it.
    pub text: String,
    /// What it tells.
    pub content: ReportContent,
}

/// What a part tells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ReportContent {
    /// Single numbers.
    Figures {
        /// They.
        figures: Vec<ReportFigure>,
    },
    /// Numbers over time.
    Course {
        /// How long each span of time is.
        per: Granularity,
        /// When the spans begin.
        at: Vec<Timestamp>,
        /// What the numbers are.
        unit: ReportUnit,
        /// The lines: each has a number, or none, for every span.
        lines: Vec<ReportLine>,
    },
    /// Rows, the most important first.
    Table {
        /// What stands where.
        columns: Vec<ReportColumn>,
        /// Each has a cell for every column.
        rows: Vec<ReportRow>,
        /// How many rows there are beyond these.
        left_out: u64,
        /// What is said when there is none.
        nothing: String,
    },
}

/// What a number is, or that a cell is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReportUnit {
    /// No number: a text.
    Text,
    /// No number: a moment (RFC 3339).
    Moment,
    /// How many.
    Count,
    /// A part of 1.
    Share,
    /// How much it has changed, as a part of what it was: 0.5 is half as much again.
    Change,
    /// Microseconds.
    Microseconds,
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
    /// An amount of money, in the currency in which the costs were said.
    Amount,
}

/// A number that stands for itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReportFigure {
    /// Its name, unique in its part.
    pub name: String,
    /// What people read.
    pub title: String,
    /// What it is.
    pub unit: ReportUnit,
    /// It.
    pub value: ReportCell,
    /// The same for the time just before, as long as this one; absent if that says nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<f64>,
}

/// A number over time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReportLine {
    /// Its name, unique in its part.
    pub name: String,
    /// What people read.
    pub title: String,
    /// Whether it is expected, and has not happened yet.
    pub expected: bool,
    /// The numbers.
    pub values: Vec<ReportCell>,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReportColumn {
    /// Its name, unique in the table.
    pub name: String,
    /// What people read.
    pub title: String,
    /// What its cells are.
    pub unit: ReportUnit,
}

/// A row of a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReportRow {
    /// A cell for every column.
    pub cells: Vec<ReportCell>,
}

/// A cell: a text, a number, or nothing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReportCell {
    /// The number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<f64>,
    /// The text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The id of what the text names, or the error code that it explains.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

impl From<f64> for ReportCell {
    fn from(number: f64) -> Self {
        Self::from(Some(number))
    }
}

impl From<Option<f64>> for ReportCell {
    /// What is no number, as a share of nothing, is nothing.
    fn from(number: Option<f64>) -> Self {
        Self {
            number: number.filter(|number| number.is_finite()),
            ..Self::default()
        }
    }
}

impl From<i64> for ReportCell {
    #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53")]
    fn from(number: i64) -> Self {
        Self::from(number as f64)
    }
}

impl From<&str> for ReportCell {
    fn from(text: &str) -> Self {
        Self {
            text: (!text.is_empty()).then(|| text.to_owned()),
            ..Self::default()
        }
    }
}

impl From<String> for ReportCell {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<Timestamp> for ReportCell {
    fn from(moment: Timestamp) -> Self {
        Self::from(Some(moment))
    }
}

impl From<Option<Timestamp>> for ReportCell {
    fn from(moment: Option<Timestamp>) -> Self {
        Self {
            text: moment.map(|moment| moment.to_string()),
            ..Self::default()
        }
    }
}

impl ReportCell {
    /// What something is called, or its id if it has no name any more.
    pub fn named(id: &str, name: Option<&str>) -> Self {
        Self {
            number: None,
            text: Some(name.unwrap_or(id).to_owned()),
            id: Some(id.to_owned()),
        }
    }
}
