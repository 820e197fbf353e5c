//! Questions about calls, and their answers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Timestamp;
use crate::rollup::{Grain, Resolution};

/// What is measured. Times are in microseconds, rates are parts of 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// All calls, refused ones included.
    Calls,
    /// Calls that count for quota and bill.
    Counted,
    /// Calls that the gateway refused (401, 403, 429, …).
    Refused,
    /// Answers from 400 to 499 of the upstream, and calls whose client went away (499).
    ClientErrors,
    /// Answers from 500 on, the gateway's own included.
    ServerErrors,
    /// Server errors per call.
    ErrorRate,
    /// Bytes of request bodies.
    BytesIn,
    /// Bytes of answer bodies.
    BytesOut,
    /// The time of all calls together, each from the request's head to the answer's end.
    LatencyTotalUs,
    /// Mean time from the request's head to the answer's end.
    LatencyMeanUs,
    /// The time that half of the calls did not exceed; percentiles are at most 1.6 % off.
    LatencyP50Us,
    /// The time that 90 % of the calls did not exceed.
    LatencyP90Us,
    /// The time that 95 % of the calls did not exceed.
    LatencyP95Us,
    /// The time that 99 % of the calls did not exceed.
    LatencyP99Us,
    /// Different applications that called.
    Applications,
}

impl Measure {
    /// Whether there is nothing of it when there are no calls; of the others, nothing can be said then.
    pub const fn is_counted(self) -> bool {
        !matches!(self, Self::ErrorRate | Self::LatencyMeanUs) && self.percentile().is_none()
    }

    /// The share of the calls that a percentile is about.
    pub const fn percentile(self) -> Option<f64> {
        Some(match self {
            Self::LatencyP50Us => 0.5,
            Self::LatencyP90Us => 0.9,
            Self::LatencyP95Us => 0.95,
            Self::LatencyP99Us => 0.99,
            _ => return None,
        })
    }
}

/// What rows are told apart by, and what they can be filtered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Dimension {
    /// The API's id.
    Api,
    /// The version's id.
    Version,
    /// The operation's id; empty for calls that matched none.
    Operation,
    /// The id of the consumer's organization; empty for calls without a valid key.
    Consumer,
    /// The application's id; empty for calls without a valid key.
    Application,
    /// The plan's id; empty for calls without a subscription.
    Plan,
    /// The route's id, `/`, the variant's name; empty for calls that got none, and for who does not provide the API.
    Variant,
    /// The id of the upstream's target that was tried last; empty if none was, and for who does not provide the API.
    ///
    /// A target is what stands in the upstream: a name that stands for several addresses is one. It is told apart
    /// together with API, version and what says how the answer was; together with others where the lake keeps calls.
    Target,
    /// The status of the answer, as `404`.
    Status,
    /// The first digit of the status, as `4xx`.
    StatusClass,
    /// The error code with which the gateway answered; empty for answers of the upstream.
    Code,
    /// Who decided the answer: `gateway`, `upstream`, or `client` if it went away.
    Side,
}

/// How long the spans are that rows are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Granularity {
    /// A minute.
    Minute,
    /// An hour.
    Hour,
    /// A day of the time zone.
    Day,
    /// A week of the time zone, from Monday.
    Week,
    /// A month of the time zone.
    Month,
}

/// Values that a dimension must have, or must not have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DimensionFilter {
    /// The dimension.
    pub dimension: Dimension,
    /// The values as rows have them, or names of APIs and applications; an empty one stands for "none". 1 to 100.
    pub values: Vec<String>,
    /// Leave out what has one of the values, instead of everything else.
    #[serde(default)]
    pub exclude: bool,
}

/// The groups that are told one by one; the rest is summed up as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Top {
    /// How many groups: 1 to 100.
    pub count: u32,
    /// The measure by which they are the greatest, over the whole time; one of those that are asked for.
    pub by: Measure,
}

/// A question about calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AnalyticsQuery {
    /// What is measured: 1 to 15 measures.
    pub measures: Vec<Measure>,
    /// What rows are told apart by: at most 4 dimensions.
    #[serde(default)]
    pub dimensions: Vec<Dimension>,
    /// What calls must fit, all of it: at most 20.
    #[serde(default)]
    pub filters: Vec<DimensionFilter>,
    /// From this moment on, rounded down to what is summed up together.
    pub from: Timestamp,
    /// Before this moment, rounded up to what is summed up together; now if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
    /// How long the spans of time are; one row per group for the whole time if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub granularity: Option<Granularity>,
    /// The time zone of days, weeks and months, as the IANA data base calls it; `UTC` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// Compare with the time just before, as long as this one.
    #[serde(default)]
    pub compare: bool,
    /// Only the greatest groups; all if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top: Option<Top>,
}

/// A span of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TimeRange {
    /// Its first moment.
    pub from: Timestamp,
    /// The first moment after it.
    pub to: Timestamp,
}

/// A row of an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AnalyticsRow {
    /// When its span begins; absent when there is no granularity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<Timestamp>,
    /// The value of each dimension; empty in the row of the others.
    pub dimensions: BTreeMap<Dimension, String>,
    /// Whether it sums up the groups that are not among the greatest.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub others: bool,
    /// The value of each measure; absent where there is none, as the percentile of no calls.
    pub values: BTreeMap<Measure, f64>,
    /// The same for the time before, if that was asked for: the span as far from its beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<BTreeMap<Measure, f64>>,
}

/// What can tell about calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SourceKind {
    /// Sums that are kept as calls come in.
    Rollups,
    /// The calls themselves, in the lake.
    Calls,
}

/// What was read to answer for a part of the time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AnalyticsSource {
    /// What was read.
    pub kind: SourceKind,
    /// How long the spans are that the roll-ups sum up; absent for single calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolution: Option<Resolution>,
    /// How finely the roll-ups tell calls to one's own APIs apart; absent for single calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provided: Option<Grain>,
    /// How finely they tell apart the calls of one's own applications to the APIs of others; absent for single calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consumed: Option<Grain>,
    /// The part of the time.
    pub period: TimeRange,
}

/// The answer to a question about calls.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AnalyticsAnswer {
    /// The time that it is about.
    pub period: TimeRange,
    /// The time it is compared with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<TimeRange>,
    /// What the time was rounded to: minutes or hours.
    pub resolution: Resolution,
    /// What was read to answer, in the order of time; first for the time it is compared with.
    pub sources: Vec<AnalyticsSource>,
    /// The rows, in the order of time; those of one time with the greatest first, and the others last.
    ///
    /// Spans without calls have no row.
    pub rows: Vec<AnalyticsRow>,
    /// What the ids in the rows are called; what was removed is not in it.
    pub names: BTreeMap<String, String>,
}
