//! How traffic flows: upstreams and their targets, routes, policies.

use crate::flag::Audience;
use crate::id::{ApiId, OperationId, OrganizationId, PolicyId, RouteId, UpstreamId, VersionId};
use crate::release::{Importance, Mirror, Split};
use crate::routing::{Connect, FixedAnswer, Match, Redirect, Rewrite};
use crate::{Name, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use crate::upstream::{
    Algorithm, Balancing, CircuitBreaker, ClientCertificateFiles, Concurrency, Connections, Fallback, HashOn,
    HealthCheck, HealthCheckKind, Hedging, LastGood, OutlierDetection, ProxyVersion, Resolve, Retries,
    RetryOn, Target, Timeouts, Upstream, UpstreamDanger, UpstreamProtocol, UpstreamSpec, UpstreamTls,
};

/// The editable part of a [`Route`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteSpec {
    /// The version that answers; a route that redirects or answers itself belongs to its API by it.
    pub version_id: VersionId,
    /// The service behind; absent if the route splits its calls, redirects or answers itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream_id: Option<UpstreamId>,
    /// The environment's name; each gateway node serves one.
    pub environment: Name,
    /// The host to answer on, without port: a name, or `*.example.com` for all below it; any host if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 253)]
    pub host: Option<String>,
    /// What stands before the contract's paths: `/shop`, or `/` for none. Removed before forwarding.
    #[schema(max_length = 500)]
    pub base_path: String,
    /// Further conditions; a request that does not fit goes to the next route of the place, then to shorter base
    /// paths.
    #[serde(rename = "match", default)]
    pub matches: Match,
    /// Routes of one host and base path are tried in falling order; equal ones by their number of conditions, then
    /// the older first.
    #[serde(default)]
    pub priority: i32,
    /// Send calls to one of several upstreams instead of to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<Split>,
    /// Send clients elsewhere instead of forwarding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirect: Option<Redirect>,
    /// Answer instead of forwarding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<FixedAnswer>,
    /// Take the requests to open a tunnel (`CONNECT`) instead of calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect: Option<Connect>,
    /// Change path and host before forwarding; without it the base path is removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rewrite: Option<Rewrite>,
    /// Send copies of calls to another upstream besides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mirror: Option<Mirror>,
    /// How much its calls matter when an upstream has more to do than it may have.
    #[serde(default)]
    pub importance: Importance,
    /// The largest request body forwarded, in bytes.
    #[serde(default = "body_bytes_max")]
    pub body_bytes_max: u64,
    /// Off: the route is not in the snapshot.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// The declarative folder that made it and may remove it (`gateline apply --prune`); by hand if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<Name>,
}

impl RouteSpec {
    /// Whether calls go to a service behind.
    pub fn forwards(&self) -> bool {
        self.upstream_id.is_some() || self.split.is_some()
    }

    /// The services behind, with the JSON Pointers by which the route names them; the one of a mirror last.
    pub fn upstreams(&self) -> impl Iterator<Item = (String, UpstreamId)> + '_ {
        let one = self.upstream_id.map(|id| ("/upstream_id".to_owned(), id));
        let variants = self
            .split
            .iter()
            .flat_map(|split| split.variants.iter().enumerate());
        let variants = variants.map(|(index, variant)| {
            (
                format!("/split/variants/{index}/upstream_id"),
                variant.upstream_id,
            )
        });
        let mirror = self.mirror.as_ref();
        let mirror = mirror.map(|mirror| ("/mirror/upstream_id".to_owned(), mirror.upstream_id));
        one.into_iter().chain(variants).chain(mirror)
    }
}

/// The largest request body unless a route says otherwise: 10 MiB.
pub const BODY_BYTES_MAX_DEFAULT: u64 = 10 * 1024 * 1024;

const fn body_bytes_max() -> u64 {
    BODY_BYTES_MAX_DEFAULT
}

const fn yes() -> bool {
    true
}

/// How a request finds a version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Route {
    /// Its id.
    pub id: RouteId,
    /// The tenant it belongs to.
    pub organization_id: OrganizationId,
    /// The API that the version belongs to.
    pub api_id: ApiId,
    /// The editable part.
    #[serde(flatten)]
    pub spec: RouteSpec,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Counts its changes; the ETag.
    pub revision: i64,
}

/// The editable part of a [`Policy`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicySpec {
    /// The API whose calls it applies to.
    pub api_id: ApiId,
    /// Only this operation, if given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation_id: Option<OperationId>,
    /// Which policy: the name of a builtin, as `rate_limit`.
    #[schema(max_length = 63)]
    pub kind: String,
    /// Its configuration, valid against the policy's schema (`GET /api/v1/policies/kinds`).
    #[schema(value_type = Object)]
    pub config: serde_json::Value,
    /// Whom it is for, by feature flags and segments: for calls of all others it does nothing. Of the kinds that take one
    /// (`takes_audience`); all calls if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<Audience>,
    /// Policies of one phase run in rising order.
    #[serde(default)]
    pub position: i32,
    /// Off: it does not run.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// The declarative folder that made it and may remove it (`gateline apply --prune`); by hand if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<Name>,
}

/// One configured step of the request path.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Policy {
    /// Its id.
    pub id: PolicyId,
    /// The tenant it belongs to.
    pub organization_id: OrganizationId,
    /// The editable part.
    #[serde(flatten)]
    pub spec: PolicySpec,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Counts its changes; the ETag.
    pub revision: i64,
}

/// A kind of policy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PolicyKind {
    /// Its name, for `kind`.
    pub kind: String,
    /// What people read.
    pub title: String,
    /// What it does, in CommonMark.
    pub description: String,
    /// The JSON Schema (2020-12) of its configuration.
    #[schema(value_type = Object)]
    pub schema: serde_json::Value,
    /// Whether it can be for an `audience` only.
    pub takes_audience: bool,
}
