//! Products: bundles of API versions offered to consumers.

use control::Error;
use control::resource::{Arg, Condition};
use domain::id::{PlanId, VersionId, WorkspaceId};
use domain::offer::{Product, ProductSpec, Visibility};
use domain::{Code, Name};
use serde_json::{Value, json};

use super::workspace;
use crate::call::Call;
use crate::crud::{self, Filter, Nothing, Shown};
use crate::endpoint::Endpoint;
use crate::links::Links;
use crate::parameter::{Parameter, one_of, text};
use crate::schema::reference;

/// `list_products`, `create_product`, `read_product`, `update_product`, `delete_product`.
pub(super) fn endpoints() -> Vec<Endpoint> {
    crud::all::<Product>()
}

impl Shown for Product {
    const COLLECTION: &'static str = "/api/v1/products";
    const TAG: &'static str = "products";
    const ONE: &'static str = "a product";
    const MANY: &'static str = "products";
    const ABOUT: &'static str = "A product is a bundle of API versions that consumers subscribe to under one of its plans. \
        `public` ones are in everybody's catalogue.";
    const REFUSALS: &'static [Code] = &[Code::NameTaken, Code::InUse];
    type Extra = Nothing;

    fn example() -> ProductSpec {
        ProductSpec {
            name: "pet-store".parse().expect("it is a name"),
            title: "Pet Store".to_owned(),
            description: "Everything about pets.".to_owned(),
            version_ids: vec!["ver_01jd9zk5v8e7rbxq3m6t4n2w0c".parse().expect("it is an id")],
            plan_ids: vec!["pln_01jd9zk5v8e7rbxq3m6t4n2w0c".parse().expect("it is an id")],
            visibility: Visibility::Public,
            managed_by: None,
        }
    }

    fn patch_example() -> Value {
        json!({ "visibility": "private" })
    }

    fn filters() -> Vec<Filter> {
        vec![
            crud::search(),
            Filter {
                parameter: Parameter::query("filter[name]", "Only the one with this name.", text(63)),
                condition: |text| crud::is::<Name>("name", text),
            },
            Filter {
                parameter: Parameter::query(
                    "filter[visibility]",
                    "Only those.",
                    one_of(&["private", "public"]),
                ),
                condition: |text| match text {
                    "private" | "public" => crud::is::<String>("visibility", text),
                    _ => Err("it is `private` or `public`".to_owned()),
                },
            },
            Filter {
                parameter: Parameter::query(
                    "filter[version]",
                    "Only those with this version.",
                    reference("VersionId"),
                ),
                condition: |text| among::<VersionId>("product_versions", "version_id", text),
            },
            Filter {
                parameter: Parameter::query(
                    "filter[plan]",
                    "Only those under this plan.",
                    reference("PlanId"),
                ),
                condition: |text| among::<PlanId>("product_plans", "plan_id", text),
            },
            workspace::filter(),
        ]
    }

    fn parent_parameters() -> Vec<Parameter> {
        vec![workspace::parameter()]
    }

    async fn parent(call: &Call) -> Result<WorkspaceId, Error> {
        workspace::chosen(call).await
    }

    fn links(&self, links: Links) -> Links {
        let links = links.and(
            "subscriptions",
            format!("/api/v1/subscriptions?filter[product]={}", self.id),
        );
        match self.spec.visibility {
            Visibility::Public => links.and("catalogue", format!("/api/v1/catalogue/products/{}", self.id)),
            Visibility::Private => links,
        }
    }
}

/// Products that a table joins to this value.
fn among<T>(table: &'static str, by: &'static str, text: &str) -> Result<Condition, String>
where
    T: std::str::FromStr + std::fmt::Display,
    T::Err: std::fmt::Display,
{
    let value = text.parse::<T>().map_err(|error| error.to_string())?;
    Ok(Condition::Among {
        table,
        column: "product_id",
        by,
        value: Arg::text(value),
    })
}
