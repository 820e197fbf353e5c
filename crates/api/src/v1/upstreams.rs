//! Upstreams: the services behind.

use control::Error;
use domain::id::WorkspaceId;
use domain::traffic::{Target, Upstream, UpstreamSpec};
use domain::{Code, Name};
use serde_json::{Value, json};

use super::workspace;
use crate::call::Call;
use crate::crud::{self, Filter, Nothing, Shown};
use crate::endpoint::Endpoint;
use crate::links::Links;
use crate::parameter::{Parameter, text};

/// `list_upstreams`, `create_upstream`, `read_upstream`, `update_upstream`, `delete_upstream`.
pub(super) fn endpoints() -> Vec<Endpoint> {
    crud::all::<Upstream>()
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
