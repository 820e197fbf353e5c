//! What is asked of every single call, and how long they are kept.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Timestamp;
use crate::analytics::{Dimension, DimensionFilter};
use crate::id::{ApplicationId, OrganizationId};
use crate::sketch::Sketch;
use crate::tracking::EventUnit;

/// How rows are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RowFormat {
    /// A JSON object per line; columns without a value are null.
    #[default]
    Ndjson,
    /// RFC 4180, with a line of names.
    Csv,
    /// One Parquet file.
    Parquet,
    /// Arrow's IPC stream.
    Arrow,
}

impl RowFormat {
    /// Every format.
    pub const ALL: [Self; 4] = [Self::Ndjson, Self::Csv, Self::Parquet, Self::Arrow];

    /// What it is called in HTTP.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Ndjson => "application/x-ndjson",
            Self::Csv => "text/csv; charset=utf-8",
            Self::Parquet => "application/vnd.apache.parquet",
            Self::Arrow => "application/vnd.apache.arrow.stream",
        }
    }
}

/// A question about single calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CallsQuery {
    /// One `SELECT`, or `EXPLAIN SELECT`, over `calls` (those of the organization's APIs), `calls_made` (those
    /// that its applications made) and `events` (its tracked events).
    #[schema(max_length = 32768)]
    pub sql: String,
    /// The most rows: 1 to 1,000,000; those after them are left out.
    #[serde(default = "rows_usual")]
    #[schema(minimum = 1, maximum = 1_000_000, default = 1000)]
    pub limit: u32,
    /// How the rows are written.
    #[serde(default)]
    pub format: RowFormat,
}

const fn rows_usual() -> u32 {
    1000
}

/// Which calls to sum up, and what sums are told apart by: what roll-ups are read for where they can tell it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SumsQuery {
    /// Who provides or consumes.
    pub organization: OrganizationId,
    /// From this moment on.
    pub from: Timestamp,
    /// Before this moment.
    pub to: Timestamp,
    /// When the spans begin, in their order, the first at or before `from`; without any, the time is one span.
    pub spans: Vec<Timestamp>,
    /// What sums are told apart by, beside the span.
    pub dimensions: Vec<Dimension>,
    /// What calls must fit; values are ids, and no names.
    pub filters: Vec<DimensionFilter>,
    /// Whether applications are told apart, whatever the dimensions.
    pub by_application: bool,
    /// Whether the spread of the latencies is wanted.
    pub has_latency: bool,
    /// The most sums; those after them are left out.
    pub sums_max: usize,
}

/// Sums of the calls of one span and group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallSums {
    /// Which of the spans.
    pub span: usize,
    /// A value for each of the dimensions; empty where there is none.
    pub dimensions: Vec<String>,
    /// The application's id, if it was wanted; empty for calls without a valid key.
    pub application: Option<String>,
    /// Calls, counted ones, refused ones, errors of clients and of servers, bytes in, bytes out, microseconds.
    pub sums: [i64; 8],
    /// The spread of the latencies, if it was wanted.
    pub latency: Option<Sketch>,
}

/// How long calls are kept, in whole days; without a number, for ever.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Retention {
    /// Calls of providers that are not named, and those that no route matched.
    pub days: Option<u32>,
    /// Calls of the APIs of these.
    pub days_of: Vec<(OrganizationId, Option<u32>)>,
}

/// Whose calls or events are to be forgotten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// The calls of an application.
    Application(ApplicationId),
    /// The tracked events of an organization that are about somebody.
    User(OrganizationId, EventUnit),
    /// The calls to the APIs of an organization, and its tracked events.
    Organization(OrganizationId),
}
