//! Flags in the words of other products.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::FlagKey;
use crate::Name;
use crate::id::FeatureFlagId;

/// In whose words flags are given to programs that evaluate by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FlagProtocol {
    /// Those of clients of Unleash.
    Unleash,
    /// Those of SDKs of GrowthBook.
    Growthbook,
    /// Those of flagd, for providers of OpenFeature.
    Flagd,
}

impl FlagProtocol {
    /// Every protocol.
    pub const ALL: [Self; 3] = [Self::Unleash, Self::Growthbook, Self::Flagd];

    /// Its name in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unleash => "unleash",
            Self::Growthbook => "growthbook",
            Self::Flagd => "flagd",
        }
    }
}

/// A flag that is left out of what a product's programs are given, because they would give somebody another variant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FlagLeftOut {
    /// The flag's id.
    pub flag_id: FeatureFlagId,
    /// The flag's key.
    pub flag: FlagKey,
    /// The environment's name.
    pub environment: Name,
    /// Where it is left out.
    pub protocol: FlagProtocol,
    /// What in the flag cannot be said, as a JSON Pointer.
    #[schema(examples("/environments/production/otherwise/split"))]
    pub pointer: String,
    /// A stable name of the reason.
    pub code: String,
    /// The reason.
    pub detail: String,
}

/// How many flags of an environment a product's programs are not given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FlagLeftOutCount {
    /// The environment's name.
    pub environment: Name,
    /// Where they are left out.
    pub protocol: FlagProtocol,
    /// How many flags; never 0.
    pub flags: u32,
}

/// Which flags cannot be said in the words of other products.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FlagExports {
    /// How many there are, in the order of environments and protocols; whatever `limit` is.
    pub counts: Vec<FlagLeftOutCount>,
    /// In the order of environments, protocols and flags; what is not here is given to all, unless `limit` ends the list.
    pub left_out: Vec<FlagLeftOut>,
}
