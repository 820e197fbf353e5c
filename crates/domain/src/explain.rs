//! Where a request would go, and why.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Name;
use crate::id::{ApiId, OperationId, PolicyId, RouteId, UpstreamId};

/// A request that is asked about; nothing is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExplainSpec {
    /// The environment's name; `sandbox` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<Name>,
    /// Its method.
    #[serde(default = "get")]
    #[schema(max_length = 20)]
    pub method: String,
    /// Its URL, as a client would write it: `https://api.example.com/shop/pets?page=2`.
    #[schema(max_length = 8000)]
    pub url: String,
    /// Its header fields, cookies among them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 100)]
    pub headers: Vec<HeaderLine>,
    /// The certificate (PEM) that the client shows, as if the host's authorities had signed it; none if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 65536)]
    pub client_certificate: Option<String>,
}

fn get() -> String {
    "GET".to_owned()
}

/// A header field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HeaderLine {
    /// Its name.
    #[schema(max_length = 200)]
    pub name: String,
    /// Its value.
    #[schema(max_length = 8000)]
    pub value: String,
}

/// Where a request would go, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Explanation {
    /// The environment it was looked for in.
    pub environment: Name,
    /// What becomes of the request.
    pub outcome: Outcome,
    /// The same in words, with what one needs to know.
    pub detail: String,
    /// The routes in the order in which they were tried; the last one takes the request if it fits.
    pub tried: Vec<TriedRoute>,
    /// The route that takes it, if it is yours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route_id: Option<RouteId>,
    /// The API that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_id: Option<ApiId>,
    /// The operation of the API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<ExplainedOperation>,
    /// The status of the answer, if the gateway gives it itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Where the client is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// The service behind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream_id: Option<UpstreamId>,
    /// The URL that is called there, at its first target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream_url: Option<String>,
    /// The `Host` that is sent there, if the route says one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream_host: Option<String>,
    /// The policies that run, in their order; the plan's limits come before those that decide, its quota last.
    pub policies: Vec<ExplainedPolicy>,
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is forwarded, if the policies let it pass.
    Forwarded,
    /// It opens a tunnel, if the policies let it pass.
    Tunnel,
    /// The route opens tunnels to other ports: 405.
    ConnectRefused,
    /// The client is sent elsewhere.
    Redirected,
    /// The route answers.
    Answered,
    /// The version is not served any more: 410.
    Retired,
    /// The route's version has no operation with this path: 404.
    OperationNotFound,
    /// The path has other methods: 405.
    MethodNotAllowed,
    /// No route takes it: 404.
    RouteNotFound,
    /// A route of another organization takes it; no more is told.
    OtherOrganization,
}

/// A route that was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TriedRoute {
    /// The route; absent if it is another organization's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route_id: Option<RouteId>,
    /// Its host; any if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Its base path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_path: Option<String>,
    /// Its priority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<i32>,
    /// Whether it takes the request.
    pub fits: bool,
    /// JSON Pointer in the route to the condition that does not hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missed: Option<String>,
}

/// An operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ExplainedOperation {
    /// Its id.
    pub id: OperationId,
    /// Its method.
    pub method: String,
    /// Its path template.
    pub path: String,
}

/// A policy that runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ExplainedPolicy {
    /// The policy; absent for one that every route has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<PolicyId>,
    /// Which one.
    pub kind: String,
    /// Whether it is for an audience only: who calls may decide about that.
    #[serde(default)]
    pub for_audience: bool,
}
