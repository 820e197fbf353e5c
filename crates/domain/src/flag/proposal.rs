//! Changes of flags that wait for somebody's yes.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::FlagKey;
use crate::Timestamp;
use crate::id::{FeatureFlagId, FlagChangeRequestId, OrganizationId};

/// How far a proposed change is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FlagChangeState {
    /// It waits for somebody's yes.
    #[default]
    Open,
    /// Somebody has said yes; it can be applied.
    Approved,
    /// Somebody has said no.
    Rejected,
    /// The flag is as it was proposed.
    Applied,
    /// Its author has taken it back.
    Withdrawn,
}

impl FlagChangeState {
    /// Every state.
    pub const ALL: [Self; 5] = [
        Self::Open,
        Self::Approved,
        Self::Rejected,
        Self::Applied,
        Self::Withdrawn,
    ];

    /// The states in which something may still become of it.
    pub const PENDING: [Self; 2] = [Self::Open, Self::Approved];

    /// Its name in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Applied => "applied",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// Whether something may still become of it.
    pub const fn is_pending(self) -> bool {
        matches!(self, Self::Open | Self::Approved)
    }
}

/// A change of a flag as it is proposed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FlagChangeRequestSpec {
    /// What is to change in the flag's editable part (JSON Merge Patch, RFC 7396), as
    /// `{"environments": {"production": {"enabled": true}}}`.
    #[schema(value_type = Object)]
    pub patch: Map<String, Value>,
    /// What it is for.
    #[serde(default)]
    #[schema(max_length = 20000)]
    pub comment: String,
}

/// A change of a flag that was proposed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FlagChangeRequest {
    /// Its id.
    pub id: FlagChangeRequestId,
    /// The organization.
    pub organization_id: OrganizationId,
    /// The flag.
    pub flag_id: FeatureFlagId,
    /// The flag's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flag_key: Option<FlagKey>,
    /// How far it is.
    pub state: FlagChangeState,
    /// What is proposed.
    #[serde(flatten)]
    pub spec: FlagChangeRequestSpec,
    /// What it touches, as it was when it was proposed: fields of the flag, and of `environments` those that are named.
    #[schema(value_type = Object)]
    pub before: Map<String, Value>,
    /// The same as it is to be.
    #[schema(value_type = Object)]
    pub after: Map<String, Value>,
    /// The flag's revision when it was proposed.
    pub flag_revision: i64,
    /// Who proposes it: the id of a user or client.
    pub author: String,
    /// The author's name as it is now; absent if they do not belong to the organization any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author_name: Option<String>,
    /// Who said yes or no.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<String>,
    /// Their name as it is now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_by_name: Option<String>,
    /// When they said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_at: Option<Timestamp>,
    /// What they said.
    #[serde(default)]
    pub decision: String,
    /// The flag's revision that it has made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied_revision: Option<i64>,
    /// When it was proposed.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Counts its changes.
    pub revision: i64,
}

/// A yes or a no.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FlagDecision {
    /// Why.
    #[serde(default)]
    #[schema(max_length = 20000)]
    pub comment: String,
}
