//! APIs, and importing them.

use control::Error;
use control::resource::Condition;
use domain::Code;
use domain::Name;
use domain::catalog::{Api, ApiSpec};
use domain::id::WorkspaceId;
use serde_json::{Value, json};

use super::{imports, workspace};
use crate::call::Call;
use crate::crud::{self, Filter, Nothing, Shown};
use crate::endpoint::Endpoint;
use crate::links::Links;
use crate::parameter::{Parameter, text};

/// `list_apis`, `create_api`, `read_api`, `update_api`, `delete_api`, `import_api`.
pub(super) fn endpoints() -> Vec<Endpoint> {
    let mut all = crud::all::<Api>();
    all.push(imports::import());
    all
}

impl Shown for Api {
    const COLLECTION: &'static str = "/api/v1/apis";
    const TAG: &'static str = "apis";
    const ONE: &'static str = "an API";
    const MANY: &'static str = "APIs";
    const ABOUT: &'static str = "An API is a named interface; it has one version per contract. `POST /api/v1/apis/import` \
        makes API, version, upstream and route of a document in one step. An API can be removed once no product and \
        no route uses its versions.";
    const REFUSALS: &'static [Code] = &[Code::NameTaken];
    type Extra = Nothing;

    fn example() -> ApiSpec {
        ApiSpec {
            name: "pet-store".parse().expect("it is a name"),
            title: "Pet Store".to_owned(),
            description: "Pets, orders and *opening hours*.".to_owned(),
            tags: vec!["pets".to_owned()],
            managed_by: None,
        }
    }

    fn patch_example() -> Value {
        json!({ "title": "The Pet Store", "tags": ["pets", "shop"] })
    }

    fn filters() -> Vec<Filter> {
        vec![
            crud::search(),
            Filter {
                parameter: Parameter::query("filter[name]", "Only the one with this name.", text(63)),
                condition: |text| crud::is::<Name>("name", text),
            },
            Filter {
                parameter: Parameter::query("filter[tag]", "Only those with this tag.", text(50)),
                condition: |text| Ok(Condition::Tagged(text.to_owned())),
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
        links
            .and("versions", format!("/api/v1/apis/{}/versions", self.id))
            .and("routes", format!("/api/v1/routes?filter[api]={}", self.id))
            .and("policies", format!("/api/v1/policies?filter[api]={}", self.id))
            .and("usage", format!("/api/v1/usage?filter[api]={}", self.id))
    }
}
