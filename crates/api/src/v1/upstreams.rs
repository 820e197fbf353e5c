//! Upstreams: the services behind.

use control::Error;
use domain::id::{UpstreamId, WorkspaceId};
use domain::node::UpstreamHealthReport;
use domain::traffic::{Target, Upstream, UpstreamSpec};
use domain::{Code, Name};
use http::StatusCode;
use serde_json::{Value, json};

use super::workspace;
use crate::answer;
use crate::call::Call;
use crate::crud::{self, Filter, Nothing, Shown};
use crate::endpoint::Endpoint;
use crate::links::Links;
use crate::parameter::{Parameter, text};

/// `list_upstreams`, `create_upstream`, `read_upstream`, `update_upstream`, `delete_upstream`, `read_upstream_health`.
pub(super) fn endpoints() -> Vec<Endpoint> {
    let mut all = crud::all::<Upstream>();
    all.push(health());
    all
}

fn health() -> Endpoint {
    Endpoint::get("/api/v1/upstreams/{id}/health", "read_upstream_health")
        .tag("traffic")
        .says(
            "Read how an upstream's targets are",
            "What each gateway node says of them: whether calls go to a target, since when, and why not. Nodes tell changes \
             within seconds.",
        )
        .takes_id::<UpstreamId>("The upstream.")
        .answers::<UpstreamHealthReport>(200, "How its targets are.")
        .to(|call| async move {
            let report = call.control().upstream_health(&call.caller, call.id()?).await?;
            answer::json(StatusCode::OK, &report)
        })
}

impl Shown for Upstream {
    const COLLECTION: &'static str = "/api/v1/upstreams";
    const TAG: &'static str = "traffic";
    const ONE: &'static str = "an upstream";
    const MANY: &'static str = "upstreams";
    const ABOUT: &'static str = "An upstream is a service behind the gateway, with one or more addresses (targets). Routes send calls to it.";
    const REFUSALS: &'static [Code] = &[Code::NameTaken];
    type Extra = Nothing;

    fn example() -> UpstreamSpec {
        UpstreamSpec::new(
            "pet-store".parse().expect("it is a name"),
            vec![Target::new("http://127.0.0.1:9000/base")],
        )
    }

    fn patch_example() -> Value {
        json!({ "targets": [{ "url": "http://127.0.0.1:9001" }], "timeouts": { "answer_ms": 5000 } })
    }

    fn filters() -> Vec<Filter> {
        vec![
            crud::search(),
            Filter {
                parameter: Parameter::query("filter[name]", "Only the one with this name.", text(63)),
                condition: |text| crud::is::<Name>("name", text),
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
            .and("routes", format!("/api/v1/routes?filter[upstream]={}", self.id))
            .and(
                "stream_routes",
                format!("/api/v1/stream-routes?filter[upstream]={}", self.id),
            )
    }
}
