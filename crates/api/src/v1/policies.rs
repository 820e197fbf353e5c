//! Policies: the configured steps of the request path, and which kinds there are.

use control::Error;
use domain::Code;
use domain::id::ApiId;
use domain::traffic::{Policy, PolicyKind, PolicySpec};
use http::StatusCode;
use serde_json::{Value, json};

use crate::answer;
use crate::call::Call;
use crate::crud::{self, Filter, Nothing, Shown};
use crate::endpoint::Endpoint;
use crate::links::Links;
use crate::parameter::{Parameter, text};
use crate::schema::reference;

/// `list_policies`, `create_policy`, `read_policy`, `update_policy`, `delete_policy`, `list_policy_kinds`.
pub(super) fn endpoints() -> Vec<Endpoint> {
    let mut all = crud::all::<Policy>();
    all.push(kinds());
    all
}

impl Shown for Policy {
    const COLLECTION: &'static str = "/api/v1/policies";
    const TAG: &'static str = "traffic";
    const ONE: &'static str = "a policy";
    const MANY: &'static str = "policies";
    const ABOUT: &'static str = "A policy is one configured step of the request path of an API or of one of its operations. \
        Its configuration is compiled before it is saved, with the code that the gateway runs.";
    const REFUSALS: &'static [Code] = &[Code::PolicyInvalid];
    type Extra = Nothing;

    fn example() -> PolicySpec {
        PolicySpec {
            api_id: "api_01jd9zk5v8e7rbxq3m6t4n2w0c".parse().expect("it is an id"),
            operation_id: None,
            kind: "rate_limit".to_owned(),
            config: json!({ "requests": 10, "window_seconds": 1, "per": "address" }),
            audience: None,
            position: 0,
            enabled: true,
            managed_by: None,
        }
    }

    fn patch_example() -> Value {
        json!({ "config": { "requests": 20 } })
    }

    fn filters() -> Vec<Filter> {
        vec![
            Filter {
                parameter: Parameter::query("filter[api]", "Only those of this API.", reference("ApiId")),
                condition: |text| crud::is::<ApiId>("api_id", text),
            },
            Filter {
                parameter: Parameter::query("filter[kind]", "Only those of this kind.", text(63)),
                condition: |text| crud::is::<String>("kind", text),
            },
        ]
    }

    async fn parent(_: &Call) -> Result<(), Error> {
        Ok(())
    }

    fn links(&self, links: Links) -> Links {
        links
            .and("api", format!("/api/v1/apis/{}", self.spec.api_id))
            .and("kinds", "/api/v1/policies/kinds")
    }
}

fn kinds() -> Endpoint {
    let mut endpoint = Endpoint::get("/api/v1/policies/kinds", "list_policy_kinds")
        .tag("traffic")
        .says(
            "List the kinds of policies",
            "With the JSON Schema of each one's configuration.",
        );
    let kind = endpoint.schemas.add::<PolicyKind>();
    let all = json!({ "type": "array", "items": kind });
    endpoint
        .answers_with(200, "All kinds.", vec![("application/json", all)])
        .to(|call| async move { answer::json(StatusCode::OK, &call.control().policy_kinds(&call.caller)?) })
}
