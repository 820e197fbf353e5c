//! Flags in the words of other products.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::FlagKey;
use crate::Name;

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

/// A flag that is left out of what a product's programs are given, because they would give somebody another variant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FlagLeftOut {
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

/// Which flags cannot be said in the words of other products.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FlagExports {
    /// In the order of environments, protocols and flags; what is not here is given to all.
    pub left_out: Vec<FlagLeftOut>,
}
