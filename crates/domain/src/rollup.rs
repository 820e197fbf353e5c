//! Calls summed up by minute and hour: what dashboards read.
//!
//! A [`Series`] is all that calls have in common; a [`Rollup`] are the calls of one series in one span of time. What
//! is counted by is written down once per series, so a minute of a series takes little more than its numbers.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::id::{ApiId, ApplicationId, OperationId, OrganizationId, PlanId, RouteId, VersionId};
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
}

impl Resolution {
    /// Both, the finer one first.
    pub const ALL: [Self; 2] = [Self::Minute, Self::Hour];

    /// The span in microseconds.
    pub const fn micros(self) -> i64 {
        match self {
            Self::Minute => 60_000_000,
            Self::Hour => crate::time::HOUR_MICROS,
        }
    }

    /// The beginning of the span that a moment is in.
    pub fn begin(self, moment: Timestamp) -> Timestamp {
        let micros = moment.as_micros();
        Timestamp::from_micros(micros - micros.rem_euclid(self.micros()))
    }
}

/// What calls have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Series {
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
    /// The variant that they got, where their route splits calls.
    pub variant: Option<(RouteId, VariantName)>,
    /// The status of the answer; 499 if the client went away before there was one.
    pub status: u16,
    /// Why the gateway itself answered; absent when the answer is the upstream's.
    pub code: Option<Code>,
}

impl Series {
    /// Its id: a hash of all that it is, so that everybody who meets it calls it the same (UUID version 8).
    pub fn id(&self) -> Uuid {
        fn field(hash: &mut Sha256, id: Option<Uuid>) {
            hash.update([u8::from(id.is_some())]);
            hash.update(id.unwrap_or_default().as_bytes());
        }
        let mut hash = Sha256::new();
        field(&mut hash, Some(self.provider.uuid()));
        field(&mut hash, Some(self.api.uuid()));
        field(&mut hash, Some(self.version.uuid()));
        field(&mut hash, self.operation.map(OperationId::uuid));
        field(&mut hash, self.consumer.map(OrganizationId::uuid));
        field(&mut hash, self.application.map(ApplicationId::uuid));
        field(&mut hash, self.plan.map(PlanId::uuid));
        field(&mut hash, self.variant.map(|(route, _)| route.uuid()));
        hash.update(self.status.to_be_bytes());
        // Two texts of any length: what stands between them is in neither.
        hash.update(self.code.map_or("", Code::as_str));
        hash.update([0]);
        hash.update(self.variant.as_ref().map_or("", |(_, name)| name.as_str()));
        let digest = hash.finalize();
        let (head, _) = digest.split_first_chunk().expect("SHA-256 has 32 bytes");
        uuid::Builder::from_custom_bytes(*head).into_uuid()
    }
}

/// Sums over calls; they fit a `BIGINT` (saturating).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sums {
    /// All calls.
    pub calls: i64,
    /// Those that count for quota and bill.
    pub counted: i64,
    /// Bytes of request bodies.
    pub bytes_in: i64,
    /// Bytes of answer bodies.
    pub bytes_out: i64,
    /// Sum of the latencies in microseconds.
    pub latency_us: i64,
}

impl Sums {
    /// Adds others.
    pub const fn add(&mut self, other: &Self) {
        self.calls = self.calls.saturating_add(other.calls);
        self.counted = self.counted.saturating_add(other.counted);
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
