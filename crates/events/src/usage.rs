//! Counting calls by hour, operation, application and plan.

use std::collections::HashMap;

use domain::Timestamp;
use domain::id::{ApiId, ApplicationId, OperationId, OrganizationId, PlanId, SubscriptionId, VersionId};

use crate::call::Call;

/// What calls are counted by. Calls that matched no route belong to no API and are not in the usage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct UsageKey {
    /// The beginning of the hour in UTC in which the call began.
    pub hour: Timestamp,
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
    /// The subscription; absent when there is none.
    pub subscription: Option<SubscriptionId>,
    /// The plan; absent without a subscription.
    pub plan: Option<PlanId>,
}

/// Sums over the calls of one [`UsageKey`]; they fit a `BIGINT` (saturating).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UsageSums {
    /// All calls.
    pub calls: i64,
    /// Those that count for quota and bill.
    pub counted: i64,
    /// Those that the gateway answered itself with a status below 500.
    pub refused: i64,
    /// Answers of the upstream from 400 to 499.
    pub client_errors: i64,
    /// Answers from 500 on, the gateway's own included.
    pub server_errors: i64,
    /// Bytes of request bodies.
    pub bytes_in: i64,
    /// Bytes of answer bodies.
    pub bytes_out: i64,
    /// Sum of the latencies in microseconds.
    pub latency_us: i64,
}

/// One row to be added to the usage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HourlyUsage {
    /// What it is counted by.
    pub key: UsageKey,
    /// What is added.
    pub sums: UsageSums,
}

/// Counts calls, one after the other.
#[derive(Debug, Default)]
pub struct Fold {
    rows: HashMap<UsageKey, UsageSums>,
}

impl Fold {
    /// Adds a call.
    pub fn add(&mut self, call: &Call) {
        if let Some(key) = UsageKey::of(call) {
            self.rows.entry(key).or_default().add(call);
        }
    }

    /// The rows, in an order that does not depend on that of the calls.
    pub fn finish(self) -> Vec<HourlyUsage> {
        let rows = self.rows.into_iter();
        let mut rows: Vec<_> = rows.map(|(key, sums)| HourlyUsage { key, sums }).collect();
        // Two nodes that update the same rows in the same order cannot deadlock in PostgreSQL.
        rows.sort_unstable_by_key(|row| {
            let key = row.key;
            (
                key.hour,
                key.api,
                key.version,
                key.operation,
                key.application,
                key.subscription,
                key.plan,
            )
        });
        rows
    }
}

impl UsageKey {
    pub(crate) fn of(call: &Call) -> Option<Self> {
        let callee = call.callee?;
        let subscribed = call.caller.and_then(|caller| caller.subscribed);
        Some(Self {
            hour: call.started_at.hour(),
            provider: callee.organization,
            api: callee.api,
            version: callee.version,
            operation: callee.operation,
            consumer: call.caller.map(|caller| caller.organization),
            application: call.caller.map(|caller| caller.application),
            subscription: subscribed.map(|subscribed| subscribed.subscription),
            plan: subscribed.map(|subscribed| subscribed.plan),
        })
    }
}

impl UsageSums {
    fn add(&mut self, call: &Call) {
        let refused = call.refusal.is_some();
        self.calls += 1;
        self.counted += i64::from(call.counted);
        self.refused += i64::from(refused && call.status < 500);
        self.client_errors += i64::from(!refused && (400..500).contains(&call.status));
        self.server_errors += i64::from(call.status >= 500);
        self.bytes_in = add_clamped(self.bytes_in, call.bytes_in);
        self.bytes_out = add_clamped(self.bytes_out, call.bytes_out);
        self.latency_us = add_clamped(self.latency_us, call.latency_us);
    }
}

fn add_clamped(sum: i64, value: u64) -> i64 {
    sum.saturating_add(i64::try_from(value).unwrap_or(i64::MAX))
}

#[cfg(test)]
pub(crate) mod tests;
