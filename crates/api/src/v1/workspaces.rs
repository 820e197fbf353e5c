//! Workspaces.

use control::Error;
use domain::identity::{Workspace, WorkspaceSpec};
use domain::{Code, Name};
use serde_json::{Value, json};

use crate::call::Call;
use crate::crud::{self, Filter, Nothing, Shown};
use crate::endpoint::Endpoint;
use crate::links::Links;
use crate::parameter::{Parameter, text};

/// `list_workspaces`, `create_workspace`, `read_workspace`, `update_workspace`, `delete_workspace`.
pub(super) fn endpoints() -> Vec<Endpoint> {
    crud::all::<Workspace>()
}

impl Shown for Workspace {
    const COLLECTION: &'static str = "/api/v1/workspaces";
    const TAG: &'static str = "organizations";
    const ONE: &'static str = "a workspace";
    const MANY: &'static str = "workspaces";
    const ABOUT: &'static str =
        "A workspace is a team's area in an organization; people can have roles in one workspace only.";
    const REFUSALS: &'static [Code] = &[Code::NameTaken];
    type Extra = Nothing;

    fn example() -> WorkspaceSpec {
        WorkspaceSpec {
            name: "payments".parse().expect("it is a name"),
            title: "Payments".to_owned(),
        }
    }

    fn patch_example() -> Value {
        json!({ "title": "Payments and invoices" })
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
            .and("apis", format!("/api/v1/apis?filter[workspace]={}", self.id))
            .and(
                "products",
                format!("/api/v1/products?filter[workspace]={}", self.id),
            )
    }
}
