//! Plans: limits, quotas and prices.

use domain::Timestamp;
use domain::id::PlanId;
use domain::limit::COST_MAX;
use domain::offer::{
    Period, Plan, PlanSpec, Product, Quota, RateLimit, ServiceLevel, TierCosts, WhenStoreIsAway,
};
use store::entity::{self, Condition};
use store::{Arg, Tx};

use super::fault::{Faults, in_use};
use super::{New, Resource, currency, subscription};
use crate::{Caller, Error};

/// The longest window of a rate limit: a day.
const WINDOW_SECONDS_MAX: u32 = 86_400;
/// The most calls of a window, and at once.
const REQUESTS_MAX: u32 = 1_000_000_000;
/// The most calls of a period.
const QUOTA_MAX: u64 = 1_000_000_000_000_000;
/// The highest price in minor units.
const AMOUNT_MINOR_MAX: i64 = 1_000_000_000_000;
/// The most calls that a plan may allow at a time.
const CONCURRENT_MAX: u32 = 1_000_000;
/// The least and the greatest availability that can be promised.
const AVAILABILITY: (f64, f64) = (0.5, 0.99999);
/// The longest latency that can be promised: an hour.
const LATENCY_MS_MAX: u32 = 3_600_000;
/// The most keys that a plan may allow one application.
const KEYS_MAX: u32 = 100;

impl Resource for Plan {
    type Spec = PlanSpec;
    type Parent = ();
    const IN_SNAPSHOT: bool = true;

    fn new(new: New, (): &(), spec: PlanSpec) -> Self {
        Self {
            id: PlanId::new(new.uuid),
            organization_id: new.organization,
            spec,
            created_at: new.now,
            updated_at: new.now,
            revision: 1,
        }
    }

    fn spec(&self) -> &PlanSpec {
        &self.spec
    }

    fn with(&self, spec: PlanSpec, now: Timestamp) -> Self {
        Self {
            spec,
            updated_at: now,
            revision: self.revision + 1,
            ..self.clone()
        }
    }

    async fn check(&mut self, _: &mut Tx, _: &Caller, _: Option<&Self>) -> Result<(), Error> {
        let mut faults = Faults::default();
        faults.title("/title", &self.spec.title);
        faults.description("/description", &self.spec.description);
        if let Some(limit) = &self.spec.rate_limit {
            rate_limit(&mut faults, limit);
        }
        if let Some(quota) = &self.spec.quota {
            faults.range("/quota/requests", quota.requests, 1, QUOTA_MAX);
            for (field, why) in quota.over_limit.faults(false) {
                limit_fault(&mut faults, &format!("/quota/over_limit/{field}"), why);
            }
        }
        if let Some(most) = self.spec.concurrent_calls_max {
            faults.range("/concurrent_calls_max", most, 1, CONCURRENT_MAX);
        }
        if let Some(TierCosts {
            cheap,
            moderate,
            expensive,
        }) = self.spec.tier_costs
        {
            for (tier, cost) in [("cheap", cheap), ("moderate", moderate), ("expensive", expensive)] {
                faults.range(&format!("/tier_costs/{tier}"), cost, 0, COST_MAX);
            }
        }
        if let Some(level) = &self.spec.service_level {
            service_level(&mut faults, level);
        }
        if let Some(price) = &self.spec.price {
            faults.range("/price/amount_minor", price.amount_minor, 0, AMOUNT_MINOR_MAX);
            if !currency::is_known(&price.currency) {
                faults.add(
                    "/price/currency",
                    "currency_unknown",
                    "It is not the code of a currency in ISO 4217.",
                    "Write three capital letters, as `EUR`.",
                );
            }
        }
        faults.range("/keys_max", self.spec.keys_max, 1, KEYS_MAX);
        faults.finish()
    }

    async fn removable(&self, tx: &mut Tx, _: &Caller) -> Result<(), Error> {
        let offering = Condition::Among {
            table: "product_plans",
            column: "product_id",
            by: "plan_id",
            value: Arg::text(self.id),
        };
        let products = entity::all::<Product>(tx, &[offering]).await?;
        let mut users: Vec<_> = products
            .iter()
            .map(|product| format!("product `{}`", product.spec.name))
            .collect();
        let under = Condition::Is("plan_id", Arg::text(self.id));
        let live = subscription::live(tx, under.clone()).await?;
        users.extend(
            live.iter()
                .map(|subscription| format!("subscription {}", subscription.id)),
        );
        in_use(&users)?;
        subscription::forget_cancelled(tx, under).await
    }
}

/// Checks a limit that stands at `/rate_limit`.
pub(super) fn rate_limit(faults: &mut Faults, limit: &RateLimit) {
    faults.range("/rate_limit/requests", limit.requests, 1, REQUESTS_MAX);
    let window = limit.window_seconds;
    faults.range("/rate_limit/window_seconds", window, 1, WINDOW_SECONDS_MAX);
    if let Some(burst) = limit.burst {
        faults.range("/rate_limit/burst", burst, 1, REQUESTS_MAX);
    }
    // Single numbers are checked above, where their bounds are.
    let is_number = |place: &str| matches!(place, "/requests" | "/window_seconds");
    for (place, why) in limit.faults() {
        if !is_number(&place) && limit.burst != Some(0) {
            limit_fault(faults, &format!("/rate_limit{place}"), why);
        }
    }
}

fn service_level(faults: &mut Faults, level: &ServiceLevel) {
    if let Some(availability) = level.availability {
        let (min, max) = AVAILABILITY;
        faults.range("/service_level/availability", availability, min, max);
    }
    if let Some(latency) = level.latency_p95_ms {
        faults.range("/service_level/latency_p95_ms", latency, 1, LATENCY_MS_MAX);
    }
    if level.availability.is_none() && level.latency_p95_ms.is_none() {
        let detail = "It promises nothing.";
        let suggestion = "Say `availability`, `latency_p95_ms` or both, or leave it out.";
        faults.add("/service_level", "field_missing", detail, suggestion);
    }
}

fn limit_fault(faults: &mut Faults, pointer: &str, why: &str) {
    let detail = format!("This cannot hold: {why}.");
    faults.add(pointer, "limit_invalid", detail, "See the guide about limits.");
}

/// The name of the plan that is there from the start.
pub const FREE: &str = "free";

/// The plan that is there from the start: generous, so that nobody hits a limit while trying things.
pub fn free() -> PlanSpec {
    PlanSpec {
        name: FREE.parse().expect("a name"),
        title: "Free".to_owned(),
        description: "For trying things out.".to_owned(),
        rate_limit: Some(RateLimit::new(1000, 60, None)),
        quota: Some(Quota::new(1_000_000, Period::Month)),
        concurrent_calls_max: None,
        tier_costs: None,
        when_store_is_away: WhenStoreIsAway::default(),
        service_level: None,
        price: None,
        keys_max: 10,
        managed_by: None,
    }
}
