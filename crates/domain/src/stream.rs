//! Connections that pass without being read: TCP, and TLS by the host that a client names.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::id::{OrganizationId, StreamRouteId, UpstreamId, WorkspaceId};
use crate::{Name, Timestamp};

/// How long nothing may come either way unless a stream route says otherwise: an hour.
pub const IDLE_MS_DEFAULT: u32 = 3_600_000;

/// The editable part of a [`StreamRoute`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StreamRouteSpec {
    /// Unique in the organization.
    pub name: Name,
    /// The environment's name; each gateway node serves one.
    pub environment: Name,
    /// The port that clients connect to; with `hosts`, every port that speaks TLS if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    pub port: Option<u16>,
    /// The hosts that clients name in TLS (SNI): DNS names, or `*.example.com` for all below it. Without one, whatever
    /// comes to the port is taken that no other stream route takes.
    #[serde(default)]
    #[schema(max_items = 100)]
    pub hosts: Vec<String>,
    /// The service behind; its targets are `tcp://host:port`.
    pub upstream_id: UpstreamId,
    /// How long nothing may come either way, in milliseconds: 1000 to a day.
    #[serde(default = "idle_ms")]
    #[schema(minimum = 1000, maximum = 86_400_000)]
    pub idle_ms: u32,
    /// Connections that a node has open at a time; further ones are closed at once. 0 for no bound.
    #[serde(default)]
    #[schema(maximum = 1_000_000)]
    pub connections_max: u32,
    /// Off: the route is not in the snapshot.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// The declarative folder that made it and may remove it (`gateline apply --prune`); by hand if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<Name>,
}

const fn idle_ms() -> u32 {
    IDLE_MS_DEFAULT
}

const fn yes() -> bool {
    true
}

/// How connections that are not read find a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StreamRoute {
    /// Its id.
    pub id: StreamRouteId,
    /// The tenant it belongs to.
    pub organization_id: OrganizationId,
    /// The team it belongs to.
    pub workspace_id: WorkspaceId,
    /// The editable part.
    #[serde(flatten)]
    pub spec: StreamRouteSpec,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Counts its changes; the ETag.
    pub revision: i64,
}
