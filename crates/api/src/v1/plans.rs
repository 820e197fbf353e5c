//! Plans: limits, quotas and price of one offer.

use control::Error;
use domain::offer::{Period, Plan, PlanSpec, Price, Quota, RateLimit, ServiceLevel, WhenStoreIsAway};
use domain::{Code, Name};
use serde_json::{Value, json};

use crate::call::Call;
use crate::crud::{self, Filter, Nothing, Shown};
use crate::endpoint::Endpoint;
use crate::links::Links;
use crate::parameter::{Parameter, text};

/// `list_plans`, `create_plan`, `read_plan`, `update_plan`, `delete_plan`.
pub(super) fn endpoints() -> Vec<Endpoint> {
    crud::all::<Plan>()
}

impl Shown for Plan {
    const COLLECTION: &'static str = "/api/v1/plans";
    const TAG: &'static str = "products";
    const ONE: &'static str = "a plan";
    const MANY: &'static str = "plans";
    const ABOUT: &'static str = "A plan is what subscriptions are made under: a limit per short window, a quota per calendar \
        period, a price. A change holds for every subscription at once.";
    const REFUSALS: &'static [Code] = &[Code::NameTaken];
    type Extra = Nothing;

    fn example() -> PlanSpec {
        PlanSpec {
            name: "starter".parse().expect("it is a name"),
            title: "Starter".to_owned(),
            description: "For trying out.".to_owned(),
            rate_limit: Some(RateLimit::new(100, 60, None)),
            quota: Some(Quota::new(10_000, Period::Month)),
            concurrent_calls_max: Some(20),
            tier_costs: None,
            when_store_is_away: WhenStoreIsAway::default(),
            service_level: Some(ServiceLevel {
                availability: Some(0.999),
                latency_p95_ms: Some(300),
            }),
            price: Some(Price {
                amount_minor: 900,
                currency: "EUR".to_owned(),
            }),
            keys_max: 10,
            managed_by: None,
        }
    }

    fn patch_example() -> Value {
        json!({ "quota": { "requests": 20000 }, "price": null })
    }

    fn filters() -> Vec<Filter> {
        vec![
            crud::search(),
            Filter {
                parameter: Parameter::query("filter[name]", "Only the one with this name.", text(63)),
                condition: |text| crud::is::<Name>("name", text),
            },
        ]
    }

    async fn parent(_: &Call) -> Result<(), Error> {
        Ok(())
    }

    fn links(&self, links: Links) -> Links {
        links.and(
            "subscriptions",
            format!("/api/v1/subscriptions?filter[plan]={}", self.id),
        )
    }
}
