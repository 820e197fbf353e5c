//! Stream routes: connections that pass without being read.

use control::Error;
use domain::id::{UpstreamId, WorkspaceId};
use domain::stream::{IDLE_MS_DEFAULT, StreamRoute, StreamRouteSpec};
use domain::{Code, Name};
use serde_json::{Value, json};

use super::workspace;
use crate::call::Call;
use crate::crud::{self, Filter, Nothing, Shown};
use crate::endpoint::Endpoint;
use crate::links::Links;
use crate::parameter::{Parameter, text};
use crate::schema::reference;

/// `list_stream_routes`, `create_stream_route`, `read_stream_route`, `update_stream_route`, `delete_stream_route`.
pub(super) fn endpoints() -> Vec<Endpoint> {
    crud::all::<StreamRoute>()
}

impl Shown for StreamRoute {
    const COLLECTION: &'static str = "/api/v1/stream-routes";
    const TAG: &'static str = "traffic";
    const ONE: &'static str = "a stream route";
    const MANY: &'static str = "stream routes";
    const ABOUT: &'static str = "A stream route passes connections on without reading them: TLS by the host that the client names, or whatever comes to a port. Policies, keys and usage are for routes: nobody reads what passes here. Its upstream has targets at `tcp://`.";
    const REFUSALS: &'static [Code] = &[Code::NameTaken, Code::HostTaken];
    type Extra = Nothing;

    fn example() -> StreamRouteSpec {
        StreamRouteSpec {
            name: "orders-db".parse().expect("it is a name"),
            environment: "sandbox".parse().expect("it is a name"),
            port: None,
            hosts: vec!["orders.db.example.com".to_owned()],
            upstream_id: "ups_01jd9zk5v8e7rbxq3m6t4n2w0c".parse().expect("it is an id"),
            idle_ms: IDLE_MS_DEFAULT,
            connections_max: 0,
            enabled: true,
            managed_by: None,
        }
    }

    fn patch_example() -> Value {
        json!({ "connections_max": 500 })
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
                    "filter[environment]",
                    "Only those of this environment.",
                    text(63),
                ),
                condition: |text| crud::is::<Name>("environment", text),
            },
            Filter {
                parameter: Parameter::query(
                    "filter[upstream]",
                    "Only those to this upstream.",
                    reference("UpstreamId"),
                ),
                condition: |text| crud::is::<UpstreamId>("upstream_id", text),
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
        links.and("upstream", format!("/api/v1/upstreams/{}", self.spec.upstream_id))
    }
}
