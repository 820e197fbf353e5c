//! Versions of an API and their operations.

use control::Error;
use control::resource::{Arg, Condition};
use domain::Code;
use domain::catalog::{Api, Operation, Stage, Version, VersionSpec};
use domain::id::{ApiId, VersionId};
use serde_json::{Value, json};

use crate::call::Call;
use crate::crud::{self, Filter, Nothing, Shown};
use crate::endpoint::Endpoint;
use crate::links::Links;
use crate::page;
use crate::parameter::{Parameter, text};

/// `list_versions`, `create_version`, `read_version`, `update_version`, `delete_version`, `list_version_operations`.
///
/// An import makes the version of a document; `create_version` makes an empty draft.
pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        list(),
        create(),
        crud::read::<Version>(),
        crud::update::<Version>(),
        crud::delete::<Version>(),
        operations(),
    ]
}

impl Shown for Version {
    const COLLECTION: &'static str = "/api/v1/versions";
    const TAG: &'static str = "apis";
    const ONE: &'static str = "a version";
    const MANY: &'static str = "the versions of an API";
    const ABOUT: &'static str = "A version is one contract of an API with a lifecycle stage. Drafts are not reachable; answers \
        of deprecated ones carry `Deprecation` and `Sunset`; retired ones are answered with 410 `api_retired`. It can be \
        removed once no route and no product uses it.";
    const REFUSALS: &'static [Code] = &[Code::NameTaken, Code::Conflict];
    type Extra = Nothing;

    fn example() -> VersionSpec {
        VersionSpec {
            name: "1.0.0".to_owned(),
            stage: Stage::Stable,
            sunset_at: None,
        }
    }

    fn patch_example() -> Value {
        json!({ "stage": "deprecated", "sunset_at": "2027-06-30T00:00:00Z" })
    }

    fn filters() -> Vec<Filter> {
        vec![Filter {
            parameter: Parameter::query("filter[name]", "Only the one with this name.", text(100)),
            condition: |text| crud::is::<String>("name", text),
        }]
    }

    async fn parent(call: &Call) -> Result<ApiId, Error> {
        call.id()
    }

    fn links(&self, links: Links) -> Links {
        let own = crud::path_of(self);
        let links = links
            .and("api", format!("/api/v1/apis/{}", self.api_id))
            .and("operations", format!("{own}/operations"))
            .and("routes", format!("/api/v1/routes?filter[version]={}", self.id));
        match self.contract_id {
            Some(_) => links
                .and("contract", format!("{own}/contract"))
                .and("contracts", format!("{own}/contracts")),
            None => links,
        }
    }
}

fn list() -> Endpoint {
    crud::list_at::<Version>("/api/v1/apis/{id}/versions", "list_versions")
        .takes_id::<ApiId>("The API's id.")
        .to(|call| async move {
            let api = call.control().read::<Api>(&call.caller, call.id()?).await?;
            crud::answer_list::<Version>(call, vec![Condition::Is("api_id", Arg::text(api.id))]).await
        })
}

fn create() -> Endpoint {
    crud::create_at::<Version>("/api/v1/apis/{id}/versions").takes_id::<ApiId>("The API's id.")
}

fn operations() -> Endpoint {
    Endpoint::get("/api/v1/versions/{id}/operations", "list_version_operations")
        .tag("apis")
        .says(
            "List the operations of a version",
            "Methods and paths of its contract, in the order of their paths.",
        )
        .takes_id::<VersionId>("The version's id.")
        .takes_all(Parameter::page(&[]))
        .takes(Parameter::query(
            "q",
            "Only operations in whose method, path, name or summary each of these words stands, whatever its case.",
            text(200),
        ))
        .answers_page_of::<Operation>("A page.")
        .to(|call| async move {
            let mut all = call.control().operations(&call.caller, call.id()?).await?;
            if let Some(q) = call.query("q") {
                let words: Vec<String> = q.split_whitespace().map(str::to_lowercase).collect();
                all.retain(|operation| has_all(operation, &words));
            }
            page::answer_all(&call, &all, |operation: &Operation| operation.id.to_string())
        })
}

/// Whether each of the words, in lower case, stands somewhere in the operation.
fn has_all(operation: &Operation, words: &[String]) -> bool {
    let Operation {
        method,
        path,
        name,
        summary,
        ..
    } = operation;
    let text = [method, path, name, summary].map(|part| part.to_lowercase());
    words
        .iter()
        .all(|word| text.iter().any(|part| part.contains(word.as_str())))
}
