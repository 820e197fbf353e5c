//! Gateway nodes, as the control plane knows them.

use crate::id::{NodeId, OrganizationId, RouteId, UpstreamId};
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
    /// What it counted of the mirrors of routes; as told before if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mirrors: Option<NodeMirrors>,
    /// Which variants of feature flags it gave since it told so last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 10000)]
    pub flags: Vec<FlagGiven>,
}

/// The most variants that a node tells of at once.
pub const FLAGS_GIVEN_MAX: usize = 10_000;

/// How often a node gave a variant of a feature flag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FlagGiven {
    /// Whose flag it is.
    pub organization_id: OrganizationId,
    /// The flag's key.
    pub key: String,
    /// The variant's name.
    pub variant: String,
    /// How often.
    pub count: u64,
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

/// The most mirrors that a node tells of.
pub const MIRRORS_MAX: usize = 1_000;

/// What a node counted of the mirrors that it serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NodeMirrors {
    /// Since when it counts: its start.
    pub since: Timestamp,
    /// The routes with a mirror, up to [`MIRRORS_MAX`]; those with differences first if there are more.
    pub routes: Vec<RouteMirror>,
    /// Routes that are not told, because there are too many.
    #[serde(default)]
    pub left_out: u32,
}

/// What a node counted of a route's mirror.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteMirror {
    /// The route.
    pub route_id: RouteId,
    /// What was counted.
    pub figures: MirrorFigures,
}

/// What is counted of a mirror.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MirrorFigures {
    /// Copies that were sent.
    pub sent: u64,
    /// Those of them that got no whole answer.
    pub failed: u64,
    /// Calls that were not copied, because as many copies as may be were under way.
    pub no_room: u64,
    /// Calls that were not copied, because their body is too large.
    pub too_large: u64,
    /// Time from sending copies to the heads of their answers, together, in microseconds.
    pub sent_us: u64,
    /// Pairs of answers that were compared.
    pub compared: u64,
    /// Those of them that differ, in whatever way.
    pub different: u64,
    /// Those that differ in their status.
    pub different_status: u64,
    /// Those that differ in header fields.
    pub different_headers: u64,
    /// Those that differ in their body.
    pub different_body: u64,
    /// Those whose copy was answered later by more than is allowed.
    pub different_latency: u64,
    /// Time to the heads of the callers' answers that were compared, together, in microseconds.
    pub compared_own_us: u64,
    /// The same of the copies' answers.
    pub compared_mirror_us: u64,
}

impl MirrorFigures {
    /// Both together.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let sum = |figure: fn(&Self) -> u64| figure(self).saturating_add(figure(other));
        Self {
            sent: sum(|figures| figures.sent),
            failed: sum(|figures| figures.failed),
            no_room: sum(|figures| figures.no_room),
            too_large: sum(|figures| figures.too_large),
            sent_us: sum(|figures| figures.sent_us),
            compared: sum(|figures| figures.compared),
            different: sum(|figures| figures.different),
            different_status: sum(|figures| figures.different_status),
            different_headers: sum(|figures| figures.different_headers),
            different_body: sum(|figures| figures.different_body),
            different_latency: sum(|figures| figures.different_latency),
            compared_own_us: sum(|figures| figures.compared_own_us),
            compared_mirror_us: sum(|figures| figures.compared_mirror_us),
        }
    }
}

/// What the nodes counted of a route's mirror.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RouteMirrorReport {
    /// The route.
    pub route_id: RouteId,
    /// The upstream that gets the copies.
    pub upstream_id: UpstreamId,
    /// The sum over nodes that were heard of within the last two minutes.
    pub total: MirrorFigures,
    /// What each node counted, the one heard of last first; none serves it, or has told anything yet, if empty.
    pub nodes: Vec<MirrorView>,
}

/// What one node counted of a route's mirror.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MirrorView {
    /// The node.
    pub node_id: NodeId,
    /// The environment that it serves.
    pub environment: Name,
    /// When it was heard of last.
    pub seen_at: Timestamp,
    /// Whether it was heard of within the last two minutes; others are not in the sum.
    pub is_current: bool,
    /// Since when it counts: its start.
    pub since: Timestamp,
    /// When it told figures last; it tells them when one of its mirrors has counted something.
    pub reported_at: Timestamp,
    /// What it counted.
    pub figures: MirrorFigures,
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
