//! How traffic flows: upstreams and their targets, routes, policies.

use crate::id::{ApiId, OperationId, OrganizationId, PolicyId, RouteId, UpstreamId, VersionId, WorkspaceId};
use crate::{Name, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The HTTP version spoken to an upstream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum UpstreamProtocol {
    /// HTTP/1.1.
    #[default]
    Http1,
    /// HTTP/2: by ALPN on TLS, with prior knowledge (h2c) otherwise.
    Http2,
}

/// One address of an upstream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// `http://` or `https://`, host, port and an optional base path: `http://127.0.0.1:9000/base`.
    #[schema(max_length = 2000)]
    pub url: String,
    /// Share of the traffic in relation to the other targets: 1 to 1000.
    #[serde(default = "one")]
    #[schema(minimum = 1, maximum = 1000)]
    pub weight: u32,
}

const fn one() -> u32 {
    1
}

/// How long parts of a call may take, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Timeouts {
    /// To open a connection, TLS included.
    #[schema(minimum = 1, maximum = 600_000)]
    pub connect_ms: u32,
    /// From the request sent to the head of the answer.
    #[schema(minimum = 1, maximum = 3_600_000)]
    pub answer_ms: u32,
    /// Between two pieces of a body, either way.
    #[schema(minimum = 1, maximum = 3_600_000)]
    pub idle_ms: u32,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect_ms: 2_000,
            answer_ms: 30_000,
            idle_ms: 60_000,
        }
    }
}

/// The editable part of an [`Upstream`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpstreamSpec {
    /// Unique in the organization.
    pub name: Name,
    /// Where it is: 1 to 64 addresses, taken in turn by weight.
    #[schema(min_items = 1, max_items = 64)]
    pub targets: Vec<Target>,
    /// What is spoken to it.
    #[serde(default)]
    pub protocol: UpstreamProtocol,
    /// How long to wait for it.
    #[serde(default)]
    pub timeouts: Timeouts,
    /// Idle connections kept per core: 0 to 1024.
    #[serde(default = "idle_connections")]
    #[schema(maximum = 1024)]
    pub idle_connections_max: u32,
    /// Send the client's `Host` on instead of the target's.
    #[serde(default)]
    pub preserve_host: bool,
    /// The declarative folder that made it and may remove it (`gateline apply --prune`); by hand if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<Name>,
}

const fn idle_connections() -> u32 {
    64
}

/// The service behind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Upstream {
    /// Its id.
    pub id: UpstreamId,
    /// The tenant it belongs to.
    pub organization_id: OrganizationId,
    /// The team it belongs to.
    pub workspace_id: WorkspaceId,
    /// The editable part.
    #[serde(flatten)]
    pub spec: UpstreamSpec,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Counts its changes; the ETag.
    pub revision: i64,
}

/// The editable part of a [`Route`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteSpec {
    /// The version that answers.
    pub version_id: VersionId,
    /// The service behind.
    pub upstream_id: UpstreamId,
    /// The environment's name; each gateway node serves one.
    pub environment: Name,
    /// The host to answer on, without port; any host if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 253)]
    pub host: Option<String>,
    /// What stands before the contract's paths: `/shop`, or `/` for none. Removed before forwarding.
    #[schema(max_length = 500)]
    pub base_path: String,
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
}
