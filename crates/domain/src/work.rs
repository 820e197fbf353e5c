//! Long work that a call starts and others ask about (`/api/v1/operations`).

use crate::Timestamp;
use crate::id::{OrganizationId, WorkId, WorkspaceId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How far a piece of work is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WorkStatus {
    /// Waiting or under way.
    Running,
    /// Done; `result` is there.
    Succeeded,
    /// Given up; `error` is there.
    Failed,
    /// Stopped on request.
    Cancelled,
}

/// A piece of long work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Work {
    /// Its id.
    pub id: WorkId,
    /// The tenant it belongs to.
    pub organization_id: OrganizationId,
    /// The workspace that it is about, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace_id: Option<WorkspaceId>,
    /// What it does: the operation's name in the API.
    pub kind: String,
    /// How far it is.
    pub status: WorkStatus,
    /// Percent done: 0 to 100.
    pub progress: i64,
    /// What came out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub result: Option<serde_json::Value>,
    /// Why it failed: a problem (RFC 9457).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub error: Option<serde_json::Value>,
    /// When it was started.
    pub created_at: Timestamp,
    /// When it last moved.
    pub updated_at: Timestamp,
    /// Counts its changes; the ETag.
    pub revision: i64,
}
