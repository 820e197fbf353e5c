//! How flags are used: what they gave, and which of them nobody needs any more.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::id::FeatureFlagId;
use crate::{Name, Timestamp};

/// Why nobody may need a flag any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FlagStaleness {
    /// Its date is past.
    Expired,
    /// It is older than 30 days and was evaluated in no environment during the last 30.
    NeverEvaluated,
    /// It is older than 30 days, and everybody everywhere got the same variant during the last 30.
    OneVariant,
}

/// What is shown beside a flag.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FeatureFlagUse {
    /// When it was last evaluated, in any environment, as far as that is kept. Absent if it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_evaluated_at: Option<Timestamp>,
    /// Why nobody may need it any more; absent if somebody may. Of evaluations it is told once they are counted for 30
    /// days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stale: Option<FlagStaleness>,
}

/// Evaluations of a flag on one day that gave one variant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FlagCount {
    /// When the day begins, in UTC.
    pub day: Timestamp,
    /// The environment's name.
    pub environment: Name,
    /// The variant.
    pub variant: String,
    /// How many.
    pub count: i64,
    /// When the last of them was.
    pub last_at: Timestamp,
}

/// How often which variants of a flag were given; days without any are left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FlagEvaluations {
    /// The flag.
    pub flag_id: FeatureFlagId,
    /// From the day of this moment on.
    pub from: Timestamp,
    /// Days that begin before this moment.
    pub to: Timestamp,
    /// By day, environment and variant.
    pub counts: Vec<FlagCount>,
}
