//! Subscriptions: who uses what under which plan.

use control::Error;
use control::resource::Condition;
use domain::Code;
use domain::consumer::{Subscription, SubscriptionSpec, SubscriptionState, SubscriptionTitles};
use domain::id::{ApplicationId, PlanId, ProductId};
use serde_json::{Value, json};

use crate::call::Call;
use crate::crud::{self, Filter, Shown};
use crate::endpoint::Endpoint;
use crate::links::Links;
use crate::parameter::{Parameter, one_of};
use crate::schema::reference;

/// `list_subscriptions`, `create_subscription`, `read_subscription`, `update_subscription`,
/// `delete_subscription`.
pub(super) fn endpoints() -> Vec<Endpoint> {
    crud::all::<Subscription>()
}

impl Shown for Subscription {
    const COLLECTION: &'static str = "/api/v1/subscriptions";
    const TAG: &'static str = "consumers";
    const ONE: &'static str = "a subscription";
    const MANY: &'static str = "subscriptions";
    const ABOUT: &'static str = "A subscription joins an application to a product under one of its plans. The consumer's \
        and the provider's organization see it; the provider suspends it, both cancel it. Only plan and state can be \
        changed.";
    const REFUSALS: &'static [Code] = &[Code::Conflict];
    type Extra = SubscriptionTitles;

    fn example() -> SubscriptionSpec {
        SubscriptionSpec {
            application_id: "app_01jd9zk5v8e7rbxq3m6t4n2w0c".parse().expect("it is an id"),
            product_id: "prd_01jd9zk5v8e7rbxq3m6t4n2w0c".parse().expect("it is an id"),
            plan_id: "pln_01jd9zk5v8e7rbxq3m6t4n2w0c".parse().expect("it is an id"),
            state: SubscriptionState::Active,
        }
    }

    fn patch_example() -> Value {
        json!({ "state": "suspended" })
    }

    fn filters() -> Vec<Filter> {
        vec![
            Filter {
                parameter: Parameter::query(
                    "filter[application]",
                    "Only those of this application.",
                    reference("ApplicationId"),
                ),
                condition: |text| crud::is::<ApplicationId>("application_id", text),
            },
            Filter {
                parameter: Parameter::query(
                    "filter[product]",
                    "Only those to this product.",
                    reference("ProductId"),
                ),
                condition: |text| crud::is::<ProductId>("product_id", text),
            },
            Filter {
                parameter: Parameter::query(
                    "filter[plan]",
                    "Only those under this plan.",
                    reference("PlanId"),
                ),
                condition: |text| crud::is::<PlanId>("plan_id", text),
            },
            Filter {
                parameter: Parameter::query(
                    "filter[state]",
                    "Only those in this state.",
                    one_of(&["active", "suspended", "cancelled"]),
                ),
                condition: state,
            },
        ]
    }

    async fn parent(_: &Call) -> Result<(), Error> {
        Ok(())
    }

    fn links(&self, links: Links) -> Links {
        links
            .and(
                "application",
                format!("/api/v1/applications/{}", self.spec.application_id),
            )
            .and(
                "product",
                format!("/api/v1/catalogue/products/{}", self.spec.product_id),
            )
            .and(
                "usage",
                format!("/api/v1/usage?filter[application]={}", self.spec.application_id),
            )
    }

    async fn extra(call: &Call, them: &[Self]) -> Result<Vec<SubscriptionTitles>, Error> {
        call.control().subscription_titles(them).await
    }
}

fn state(text: &str) -> Result<Condition, String> {
    match text {
        "active" | "suspended" | "cancelled" => crud::is::<String>("state", text),
        _ => Err("it is `active`, `suspended` or `cancelled`".to_owned()),
    }
}
