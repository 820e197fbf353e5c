//! Organizations.

use control::Error;
use domain::identity::{Organization, OrganizationSpec};
use domain::{Code, Name};
use serde_json::{Value, json};

use crate::call::Call;
use crate::crud::{self, Filter, Nothing, Shown};
use crate::endpoint::Endpoint;
use crate::links::Links;
use crate::parameter::{Parameter, text};

/// `list_organizations`, `create_organization`, `read_organization`, `update_organization`, `delete_organization`.
pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        list(),
        create(),
        crud::read::<Organization>(),
        crud::update::<Organization>(),
        crud::delete::<Organization>(),
    ]
}

impl Shown for Organization {
    const COLLECTION: &'static str = "/api/v1/organizations";
    const TAG: &'static str = "organizations";
    const ONE: &'static str = "an organization";
    const MANY: &'static str = "organizations";
    const ABOUT: &'static str = "An organization is a tenant: it owns everything below and is isolated from others. The list has \
        those that the caller belongs to; whoever makes one becomes its owner.";
    const REFUSALS: &'static [Code] = &[Code::NameTaken];
    type Extra = Nothing;

    fn example() -> OrganizationSpec {
        OrganizationSpec {
            name: "acme".parse().expect("it is a name"),
            title: "ACME Inc.".to_owned(),
        }
    }

    fn patch_example() -> Value {
        json!({ "title": "ACME" })
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
        links
            .and("workspaces", "/api/v1/workspaces")
            .and("environments", "/api/v1/environments")
            .and("members", "/api/v1/memberships")
    }
}

/// Whoever is signed in sees the organizations they belong to, whichever the call is about.
fn list() -> Endpoint {
    crud::list::<Organization>().to(|call| async move {
        let asked = crud::list_query::<Organization>(&call, Vec::new())?;
        let listed = call.control().list_organizations(&call.caller, &asked).await?;
        crud::answer_listed(&call, listed, &asked).await
    })
}

fn create() -> Endpoint {
    crud::create::<Organization>().to(|call| async move {
        let made = call
            .control()
            .create_organization(&call.caller, call.json()?)
            .await?;
        crud::answer_made(&call, made).await
    })
}
