//! What people say about a flag.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Timestamp;
use crate::id::{FeatureFlagId, FlagCommentId, OrganizationId};

/// What is to be said about a flag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FlagCommentSpec {
    /// The text, in CommonMark if you like.
    #[schema(min_length = 1, max_length = 20000)]
    pub text: String,
}

/// What somebody has said about a flag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FlagComment {
    /// Its id.
    pub id: FlagCommentId,
    /// The organization.
    pub organization_id: OrganizationId,
    /// The flag.
    pub flag_id: FeatureFlagId,
    /// Who: the id of a user or client.
    pub author: String,
    /// The author's name as it is now; absent if they do not belong to the organization any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author_name: Option<String>,
    /// What they say.
    #[serde(flatten)]
    pub spec: FlagCommentSpec,
    /// When they said it.
    pub created_at: Timestamp,
    /// Always 1: what was said is not changed.
    pub revision: i64,
}
