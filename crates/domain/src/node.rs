//! Gateway nodes, as the control plane knows them.

use crate::id::NodeId;
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
    /// Why it was rejected; empty otherwise.
    pub reason: String,
    /// When it was heard of last.
    pub seen_at: Timestamp,
}
