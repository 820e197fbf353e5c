//! Applications: the consumers' programs.

use control::Error;
use domain::consumer::{Application, ApplicationSpec};
use domain::{Code, Name};
use serde_json::{Value, json};

use crate::call::Call;
use crate::crud::{self, Filter, Nothing, Shown};
use crate::endpoint::Endpoint;
use crate::links::Links;
use crate::parameter::{Parameter, text};

/// `list_applications`, `create_application`, `read_application`, `update_application`, `delete_application`.
pub(super) fn endpoints() -> Vec<Endpoint> {
    crud::all::<Application>()
}

impl Shown for Application {
    const COLLECTION: &'static str = "/api/v1/applications";
    const TAG: &'static str = "consumers";
    const ONE: &'static str = "an application";
    const MANY: &'static str = "applications";
    const ABOUT: &'static str = "An application is a consumer's program: it has keys, and subscriptions to products of any organization.";
    const REFUSALS: &'static [Code] = &[Code::NameTaken];
    type Extra = Nothing;

    fn example() -> ApplicationSpec {
        ApplicationSpec {
            name: "pet-finder".parse().expect("it is a name"),
            title: "Pet Finder".to_owned(),
            description: "Finds pets nearby.".to_owned(),
            managed_by: None,
        }
    }

    fn patch_example() -> Value {
        json!({ "title": "Pet Finder 2" })
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
            .and("keys", format!("/api/v1/keys?filter[application]={}", self.id))
            .and(
                "subscriptions",
                format!("/api/v1/subscriptions?filter[application]={}", self.id),
            )
            .and("usage", format!("/api/v1/usage?filter[application]={}", self.id))
    }
}
