//! Gateway nodes, as the control plane knows them.

use crate::id::{NodeId, UpstreamId};
use crate::recent::Remembered;
use crate::{Name, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a node made of the newest snapshot it received.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NodeState {
    /// It runs on it.
    Applied,
    /// It could not compile it and keeps the one before.
    Rejected,
}

/// What a node says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NodeStatus {
    /// The environment it serves.
    pub environment: Name,
    /// The revision of the snapshot it speaks of.
    pub revision: i64,
    /// What it made of it.
    pub state: NodeState,
    /// Why it was rejected; empty otherwise.
    #[serde(default)]
    pub reason: String,
    /// How it sees the targets of upstreams; as told before if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<NodeHealth>,
}

/// How a node sees the targets of the upstreams that it serves.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NodeHealth {
    /// The upstreams, those with targets that calls do not go to first.
    pub upstreams: Vec<UpstreamHealth>,
    /// Targets that are not told, because there are too many.
    #[serde(default)]
    pub left_out: u32,
}

/// How a node sees the targets of one upstream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpstreamHealth {
    /// The upstream.
    pub upstream_id: UpstreamId,
    /// Its circuit breaker; absent if it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub circuit: Option<CircuitState>,
    /// Its targets.
    pub targets: Vec<TargetHealth>,
}

/// Whether calls of an upstream are let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CircuitState {
    /// They are.
    Closed,
    /// They are refused, because most of them failed.
    Open,
    /// Some are, to find out whether it is well again.
    HalfOpen,
}

/// How a node sees one target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TargetHealth {
    /// Its address.
    pub target: String,
    /// How it is.
    pub state: TargetState,
    /// Why, in words; empty if nothing is wrong with it.
    #[serde(default)]
    pub reason: String,
    /// Since when; absent if since the node began to serve it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
}

/// How a target is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TargetState {
    /// Calls go to it.
    Healthy,
    /// Its checks fail; calls go elsewhere.
    Unhealthy,
    /// Its calls failed too often; it is left out for a while.
    Ejected,
}

/// How the nodes see the targets of an upstream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UpstreamHealthReport {
    /// The upstream.
    pub upstream_id: UpstreamId,
    /// What each node says of it, the one heard of last first; none serves it, or has said anything yet, if empty.
    pub nodes: Vec<NodeView>,
}

/// How one node sees the targets of an upstream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NodeView {
    /// The node.
    pub node_id: NodeId,
    /// The environment that it serves.
    pub environment: Name,
    /// When it was heard of last.
    pub seen_at: Timestamp,
    /// Whether it was heard of within the last two minutes; what others said may be long over.
    pub is_current: bool,
    /// The upstream's circuit breaker there; absent if it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub circuit: Option<CircuitState>,
    /// Its targets.
    pub targets: Vec<TargetHealth>,
}

/// What the control plane asks its nodes: what they remember of the calls with a request id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeQuestion {
    /// Tells questions apart.
    pub id: String,
    /// The request's id as its client was told it.
    pub request_id: String,
}

/// What a node answers to a question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeAnswer {
    /// The question's id.
    pub question: String,
    /// The calls that it remembers.
    pub calls: Vec<Remembered>,
}

/// A gateway node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Node {
    /// Its id.
    pub id: NodeId,
    /// The environment it serves.
    pub environment: Name,
    /// The revision of the snapshot it spoke of last.
    pub revision: i64,
    /// What it made of it.
    pub state: NodeState,
    /// Why it was rejected, for administrators of the organization that the installation began with: it may name what
    /// is another tenant's. For others a sentence that names nothing; empty if it was not rejected.
    pub reason: String,
    /// When it was heard of last.
    pub seen_at: Timestamp,
}
