//! Where in programs flags are named.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::FlagKey;
use crate::Timestamp;
use crate::id::FeatureFlagId;

/// A line that names a flag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CodeReference {
    /// The flag's key.
    pub flag: FlagKey,
    /// The file, from the folder that was looked through.
    #[schema(max_length = 1000)]
    pub path: String,
    /// The line, from 1.
    pub line: u32,
}

/// What was found in a repository: all of it, in place of what was found there before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CodeScan {
    /// What the repository is called.
    #[schema(min_length = 1, max_length = 200)]
    pub repository: String,
    /// The commit that was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 200)]
    pub commit: Option<String>,
    /// The lines.
    #[schema(max_items = 10000)]
    pub references: Vec<CodeReference>,
}

/// A place in a repository.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub struct CodePlace {
    /// The file.
    pub path: String,
    /// The line, from 1.
    pub line: u32,
}

/// Where a repository names a flag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CodePlaces {
    /// What the repository is called.
    pub repository: String,
    /// The commit that was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// When it was told.
    pub at: Timestamp,
    /// The places, in their order.
    pub places: Vec<CodePlace>,
}

/// Where programs name a flag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FlagCodeReferences {
    /// The flag.
    pub flag_id: FeatureFlagId,
    /// The repositories that name it, by name.
    pub repositories: Vec<CodePlaces>,
}

/// What was kept of what was found in a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CodeScanned {
    /// What the repository is called.
    pub repository: String,
    /// How many flags it names.
    pub flags: u32,
    /// In how many places.
    pub references: u32,
}
