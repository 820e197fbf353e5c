//! Applications: the consumers' programs.

use control::Error;
use domain::consumer::{Application, ApplicationSpec};
use domain::id::ApplicationId;
use domain::work::Work;
use domain::{Code, Name};
use serde_json::{Value, json};

use crate::call::Call;
use crate::crud::{self, Filter, Nothing, Shown};
use crate::endpoint::Endpoint;
use crate::links::Links;
use crate::parameter::{Parameter, text};
use crate::v1::operations;

/// `list_applications`, `create_application`, `read_application`, `update_application`, `delete_application`,
/// `erase_calls`.
pub(super) fn endpoints() -> Vec<Endpoint> {
    let mut all = crud::all::<Application>();
    all.push(erase_calls());
    all
}

fn erase_calls() -> Endpoint {
    Endpoint::post("/api/v1/applications/{id}/erase-calls", "erase_calls")
        .tag("consumers")
        .says(
            "Erase an application's calls",
            "Removes every single call of the application, at whoever's APIs, in the background. Nobody is answered with \
             them from then on; their bytes are gone a day later. Sums for usage, bills and analytics stay.",
        )
        .takes_id::<ApplicationId>("The application's id.")
        .not_idempotent()
        .answers_shown::<Work, Nothing>(202, "The work, which goes on.")
        .with_headers(&["Location"])
        .refuses(&[Code::LakeOff])
        .to(|call| async move {
            let work = call.control().erase_calls(&call.caller, call.id()?).await?;
            operations::answer_begun(&work)
        })
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
