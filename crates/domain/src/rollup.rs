//! Calls summed up by minute, hour and day: what dashboards read.
//!
//! A [`Series`] is what calls have in common; a [`Rollup`] are the calls of one series in one span of time. What
//! is counted by is written down once per series, so a minute of a series takes little more than its numbers.
//!
//! The same calls are summed up at every [`Grain`] and [`Resolution`], since most questions look at few dimensions
//! and long times: they read the coarsest sums that can answer them.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::analytics::Dimension;
use crate::id::{ApiId, ApplicationId, OperationId, OrganizationId, PlanId, RouteId, TargetId, VersionId};
use crate::release::VariantName;
use crate::sketch::Sketch;
use crate::{Code, Timestamp};

/// How long the span of a [`Rollup`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Resolution {
    /// A minute.
    Minute,
    /// An hour in UTC.
    Hour,
    /// A day in UTC.
    Day,
}

impl Resolution {
    /// All, finer ones first; each is made of whole spans of the one before.
    pub const ALL: [Self; 3] = [Self::Minute, Self::Hour, Self::Day];

    /// The next that is coarser.
    pub const fn coarser(self) -> Option<Self> {
        match self {
            Self::Minute => Some(Self::Hour),
            Self::Hour => Some(Self::Day),
            Self::Day => None,
        }
    }

    /// The span in microseconds.
    pub const fn micros(self) -> i64 {
        match self {
            Self::Minute => 60_000_000,
            Self::Hour => crate::time::HOUR_MICROS,
            Self::Day => 24 * crate::time::HOUR_MICROS,
        }
    }

    /// The beginning of the span that a moment is in.
    pub fn begin(self, moment: Timestamp) -> Timestamp {
        let micros = moment.as_micros();
        Timestamp::from_micros(micros - micros.rem_euclid(self.micros()))
    }

    /// The first beginning of a span at or after a moment.
    pub fn end(self, moment: Timestamp) -> Timestamp {
        let begin = self.begin(moment);
        if begin == moment {
            begin
        } else {
            Timestamp::from_micros(begin.as_micros().saturating_add(self.micros()))
        }
    }
}

/// What the calls of a series have in common beside API and version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Grain {
    /// Status and code.
    Apis,
    /// Target, status and code.
    Targets,
    /// Operation, status and code.
    Operations,
    /// Consumer, application and plan: so many that only sums tell how their calls were answered.
    Applications,
    /// All that sums can be told apart by, but the target.
    Calls,
}

impl Grain {
    /// All, those with fewer series first.
    pub const ALL: [Self; 5] = [
        Self::Apis,
        Self::Targets,
        Self::Operations,
        Self::Applications,
        Self::Calls,
    ];

    /// As in the database and in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Apis => "apis",
            Self::Targets => "targets",
            Self::Operations => "operations",
            Self::Applications => "applications",
            Self::Calls => "calls",
        }
    }

    /// Whether its series can be told apart by a dimension.
    pub const fn has(self, dimension: Dimension) -> bool {
        match dimension {
            Dimension::Api | Dimension::Version => true,
            Dimension::Status | Dimension::StatusClass | Dimension::Code | Dimension::Side => {
                !matches!(self, Self::Applications)
            }
            Dimension::Target => matches!(self, Self::Targets),
            Dimension::Operation => matches!(self, Self::Operations | Self::Calls),
            Dimension::Consumer | Dimension::Application | Dimension::Plan => {
                matches!(self, Self::Applications | Self::Calls)
            }
            Dimension::Variant => matches!(self, Self::Calls),
        }
    }
}

/// The grains at which sums about some dimensions are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grains {
    /// Of calls to an organization's APIs.
    pub provided: Grain,
    /// Of calls that its applications made to those of others: those series name the consumer.
    pub consumed: Grain,
}

impl Grains {
    /// The coarsest whose series can be told apart by all of some dimensions; none if there are no such sums.
    ///
    /// Consumers are not told of targets, so these are no reason to look closer at what they called.
    pub fn of(dimensions: impl IntoIterator<Item = Dimension>) -> Option<Self> {
        let mut consumed = vec![Dimension::Consumer];
        let mut provided = Vec::new();
        for dimension in dimensions {
            provided.push(dimension);
            consumed.extend((dimension != Dimension::Target).then_some(dimension));
        }
        let first = |dimensions: &[Dimension]| {
            let mut grains = Grain::ALL.into_iter();
            grains.find(|grain| dimensions.iter().all(|dimension| grain.has(*dimension)))
        };
        Some(Self {
            provided: first(&provided)?,
            consumed: first(&consumed)?,
        })
    }
}

/// What calls have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Series {
    /// Which parts it has; the others are absent.
    pub grain: Grain,
    /// The provider's organization.
    pub provider: OrganizationId,
    /// The API.
    pub api: ApiId,
    /// Its version.
    pub version: VersionId,
    /// The operation; absent when none matched.
    pub operation: Option<OperationId>,
    /// The consumer's organization; absent without a valid key.
    pub consumer: Option<OrganizationId>,
    /// The application; absent without a valid key.
    pub application: Option<ApplicationId>,
    /// The plan; absent without a subscription.
    pub plan: Option<PlanId>,
    /// The target that was tried last; absent if none was.
    pub target: Option<TargetId>,
    /// The variant that they got, where their route splits calls.
    pub variant: Option<(RouteId, VariantName)>,
    /// The status of the answer; 499 if the client went away before there was one, 0 where that is left out.
    pub status: u16,
    /// Why the gateway itself answered; absent when the answer is the upstream's, or that is left out.
    pub code: Option<Code>,
}

impl Series {
    /// The series that its calls are in at another grain, which must not have more parts.
    #[must_use]
    pub const fn at(self, grain: Grain) -> Self {
        let mut series = Self { grain, ..self };
        if !grain.has(Dimension::Operation) {
            series.operation = None;
        }
        if !grain.has(Dimension::Application) {
            series.consumer = None;
            series.application = None;
            series.plan = None;
        }
        if !grain.has(Dimension::Target) {
            series.target = None;
        }
        if !grain.has(Dimension::Variant) {
            series.variant = None;
        }
        if !grain.has(Dimension::Status) {
            (series.status, series.code) = (0, None);
        }
        series
    }

    /// Its id: a hash of all that it is, so that everybody who meets it calls it the same (UUID version 8).
    pub fn id(&self) -> Uuid {
        fn field(hash: &mut Sha256, id: Option<Uuid>) {
            hash.update([u8::from(id.is_some())]);
            hash.update(id.unwrap_or_default().as_bytes());
        }
        let mut hash = Sha256::new();
        hash.update(self.grain.as_str());
        hash.update([0]);
        field(&mut hash, Some(self.provider.uuid()));
        field(&mut hash, Some(self.api.uuid()));
        field(&mut hash, Some(self.version.uuid()));
        field(&mut hash, self.operation.map(OperationId::uuid));
        field(&mut hash, self.consumer.map(OrganizationId::uuid));
        field(&mut hash, self.application.map(ApplicationId::uuid));
        field(&mut hash, self.plan.map(PlanId::uuid));
        field(&mut hash, self.variant.map(|(route, _)| route.uuid()));
        // Only there: other series are called as they were before there were targets.
        if self.grain.has(Dimension::Target) {
            field(&mut hash, self.target.map(TargetId::uuid));
        }
        hash.update(self.status.to_be_bytes());
        // Two texts of any length: what stands between them is in neither.
        hash.update(self.code.map_or("", Code::as_str));
        hash.update([0]);
        hash.update(self.variant.as_ref().map_or("", |(_, name)| name.as_str()));
        crate::id::hashed(hash)
    }
}

/// Sums over calls; they fit a `BIGINT` (saturating).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sums {
    /// All calls.
    pub calls: i64,
    /// Those that count for quota and bill.
    pub counted: i64,
    /// Those that the gateway refused.
    pub refused: i64,
    /// Those that the upstream or the client ended with a status of the class 4xx.
    pub client_errors: i64,
    /// Those that ended with a status of the class 5xx.
    pub server_errors: i64,
    /// Bytes of request bodies.
    pub bytes_in: i64,
    /// Bytes of answer bodies.
    pub bytes_out: i64,
    /// Sum of the latencies in microseconds.
    pub latency_us: i64,
}

impl Sums {
    /// What they are called in columns, in the order in which they are handed on.
    pub const NAMES: [&str; 8] = [
        "calls",
        "counted",
        "refused",
        "client_errors",
        "server_errors",
        "bytes_in",
        "bytes_out",
        "latency_us",
    ];

    /// They in the order of [`NAMES`](Self::NAMES).
    pub const fn values(&self) -> [i64; Self::NAMES.len()] {
        [
            self.calls,
            self.counted,
            self.refused,
            self.client_errors,
            self.server_errors,
            self.bytes_in,
            self.bytes_out,
            self.latency_us,
        ]
    }

    /// Adds others.
    pub const fn add(&mut self, other: &Self) {
        self.calls = self.calls.saturating_add(other.calls);
        self.counted = self.counted.saturating_add(other.counted);
        self.refused = self.refused.saturating_add(other.refused);
        self.client_errors = self.client_errors.saturating_add(other.client_errors);
        self.server_errors = self.server_errors.saturating_add(other.server_errors);
        self.bytes_in = self.bytes_in.saturating_add(other.bytes_in);
        self.bytes_out = self.bytes_out.saturating_add(other.bytes_out);
        self.latency_us = self.latency_us.saturating_add(other.latency_us);
    }
}

/// The calls of one series in one span of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollup {
    /// What they have in common.
    pub series: Series,
    /// When the span begins.
    pub begin: Timestamp,
    /// Their sums.
    pub sums: Sums,
    /// How their latencies are spread, in microseconds.
    pub latency: Sketch,
}

#[cfg(test)]
mod tests;
