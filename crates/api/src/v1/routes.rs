//! Routes: where versions are reachable.

use control::Error;
use domain::explain::{ExplainSpec, Explanation, HeaderLine};
use domain::finding::Finding;
use domain::id::{ApiId, RouteId, UpstreamId, VersionId};
use domain::node::RouteMirrorReport;
use domain::release::Importance;
use domain::routing::{FieldKind, FieldMatch, Match};
use domain::traffic::{BODY_BYTES_MAX_DEFAULT, Route, RouteSpec};
use domain::{Code, Name};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::answer;
use crate::call::Call;
use crate::crud::{self, Filter, Shown};
use crate::endpoint::Endpoint;
use crate::links::Links;
use crate::parameter::{Parameter, text};
use crate::schema::reference;

/// `list_routes`, `create_route`, `read_route`, `update_route`, `delete_route`, `explain_route`,
/// `read_route_mirror`.
pub(super) fn endpoints() -> Vec<Endpoint> {
    let mut all = crud::all::<Route>();
    all.push(explain());
    all.push(mirror());
    all
}

fn mirror() -> Endpoint {
    Endpoint::get("/api/v1/routes/{id}/mirror", "read_route_mirror")
        .tag("traffic")
        .says(
            "Read what a route's mirror has found",
            "How many copies were sent, compared and different, by node and together. Nodes tell their figures every few \
             seconds while something is counted, and begin again with 0 when they are restarted. `not_found` if the route \
             has no `mirror`.",
        )
        .takes_id::<RouteId>("The route.")
        .answers::<RouteMirrorReport>(200, "What its mirror has found.")
        .to(|call| async move {
            let report = call.control().route_mirror(&call.caller, call.id()?).await?;
            answer::json(StatusCode::OK, &report)
        })
}

fn explain() -> Endpoint {
    let example = ExplainSpec {
        environment: Some("sandbox".parse().expect("it is a name")),
        method: "GET".to_owned(),
        url: "https://api.example.com/pet-store/pets/7".to_owned(),
        headers: vec![HeaderLine {
            name: "x-preview".to_owned(),
            value: "1".to_owned(),
        }],
        client_certificate: None,
    };
    Endpoint::post("/api/v1/routes/explain", "explain_route")
        .tag("traffic")
        .says(
            "Explain where a request would go",
            "Finds the route with the code that gateways run, and tells every route that was tried with the condition \
             that did not hold, the operation, the URL that the upstream is called with, and the policies that run. \
             Nothing is sent. Of other organizations' routes it tells only that there is one.",
        )
        .not_idempotent()
        .body(&example)
        .answers::<Explanation>(200, "Where it would go.")
        .refuses(&[Code::RequestInvalid, Code::Conflict, Code::PolicyInvalid])
        .to(|call| async move {
            let explanation = call.control().explain_route(&call.caller, &call.json()?).await?;
            answer::json(StatusCode::OK, &explanation)
        })
}

/// What is shown beside a route.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub(crate) struct RouteExtra {
    /// Where the version is reachable from outside.
    #[schema(format = "uri")]
    url: String,
    /// What is worth knowing of it, though it is valid.
    #[serde(default)]
    findings: Vec<Finding>,
}

impl Shown for Route {
    const COLLECTION: &'static str = "/api/v1/routes";
    const TAG: &'static str = "traffic";
    const ONE: &'static str = "a route";
    const MANY: &'static str = "routes";
    const ABOUT: &'static str = "A route makes a version reachable: in one environment, on one host or any, below one base \
        path. Several routes may share host and base path if their conditions (`match`) differ; the first that fits takes the \
        call, in falling `priority`. Gateways hear of it within a second. A base path without a host cannot begin with `health`, `metrics` or \
        `.well-known`.";
    const REFUSALS: &'static [Code] = &[Code::RouteTaken, Code::RouteUnreachable, Code::HostTaken];
    type Extra = RouteExtra;

    fn example() -> RouteSpec {
        RouteSpec {
            version_id: "ver_01jd9zk5v8e7rbxq3m6t4n2w0c".parse().expect("it is an id"),
            upstream_id: Some("ups_01jd9zk5v8e7rbxq3m6t4n2w0c".parse().expect("it is an id")),
            environment: "sandbox".parse().expect("it is a name"),
            host: None,
            base_path: "/pet-store".to_owned(),
            matches: Match {
                headers: vec![FieldMatch {
                    name: "x-preview".to_owned(),
                    kind: FieldKind::Present,
                    value: None,
                    not: false,
                }],
                ..Match::default()
            },
            priority: 0,
            split: None,
            redirect: None,
            answer: None,
            rewrite: None,
            connect: None,
            mirror: None,
            importance: Importance::default(),
            body_bytes_max: BODY_BYTES_MAX_DEFAULT,
            enabled: true,
            managed_by: None,
        }
    }

    fn patch_example() -> Value {
        json!({ "enabled": false })
    }

    fn filters() -> Vec<Filter> {
        vec![
            Filter {
                parameter: Parameter::query("filter[api]", "Only those of this API.", reference("ApiId")),
                condition: |text| crud::is::<ApiId>("api_id", text),
            },
            Filter {
                parameter: Parameter::query(
                    "filter[version]",
                    "Only those of this version.",
                    reference("VersionId"),
                ),
                condition: |text| crud::is::<VersionId>("version_id", text),
            },
            Filter {
                parameter: Parameter::query(
                    "filter[upstream]",
                    "Only those to this upstream, among others or alone.",
                    reference("UpstreamId"),
                ),
                condition: crud::mentions::<UpstreamId>,
            },
            Filter {
                parameter: Parameter::query(
                    "filter[environment]",
                    "Only those of this environment, by name.",
                    text(63),
                ),
                condition: |text| crud::is::<Name>("environment", text),
            },
        ]
    }

    async fn parent(_: &Call) -> Result<(), Error> {
        Ok(())
    }

    fn links(&self, links: Links) -> Links {
        let links = links
            .and("api", format!("/api/v1/apis/{}", self.api_id))
            .and("version", format!("/api/v1/versions/{}", self.spec.version_id));
        let links = match self.spec.mirror {
            Some(_) => links.and("mirror", format!("/api/v1/routes/{}/mirror", self.id)),
            None => links,
        };
        match self.spec.upstream_id {
            Some(upstream) => links.and("upstream", format!("/api/v1/upstreams/{upstream}")),
            None => links,
        }
    }

    async fn extra(call: &Call, them: &[Self]) -> Result<Vec<RouteExtra>, Error> {
        let mut extras = Vec::with_capacity(them.len());
        for route in them {
            extras.push(RouteExtra {
                url: call.control().route_url(route),
                findings: call.control().remarks(route).await?,
            });
        }
        Ok(extras)
    }
}
