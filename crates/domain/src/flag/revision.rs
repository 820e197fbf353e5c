//! What flags and segments were: every change makes a revision.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{FeatureFlagSpec, SegmentSpec};
use crate::Timestamp;

/// What a flag was after one of its changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FeatureFlagRevision {
    /// Which one: 1 when it was made.
    pub revision: i64,
    /// When it became so.
    pub at: Timestamp,
    /// Who did it: the id of a user or client, or `system`; empty for what was so before changes were kept.
    pub actor: String,
    /// The name of the person or machine as it is now; absent if they do not belong to the organization any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor_name: Option<String>,
    /// The editable part as it was.
    pub spec: FeatureFlagSpec,
}

/// What a segment was after one of its changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SegmentRevision {
    /// Which one: 1 when it was made.
    pub revision: i64,
    /// When it became so.
    pub at: Timestamp,
    /// Who did it: the id of a user or client, or `system`; empty for what was so before changes were kept.
    pub actor: String,
    /// The name of the person or machine as it is now; absent if they do not belong to the organization any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor_name: Option<String>,
    /// The editable part as it was.
    pub spec: SegmentSpec,
}

/// Which state is to be again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Revert {
    /// The revision that it is to be as.
    pub revision: i64,
}
