//! Feature flags: what they are called, which values they can have, and who gets which.
//!
//! A flag belongs to an organization. Key, type and variants are the same everywhere; who gets which variant is said per
//! environment, in the words of [`eval::definition`].

mod audience;
mod comment;
mod export;
mod key;
mod proposal;
mod reference;
mod revision;
mod segment;
mod usage;

use std::collections::{BTreeMap, BTreeSet};

use eval::definition::Targeting;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;
use xxhash_rust::xxh3::xxh3_128_with_seed;

use crate::id::{AssignmentId, FeatureFlagId, OrganizationId};
use crate::{Name, Timestamp};

pub use audience::{
    AUDIENCE_MAX, AttributePlace, AttributeSource, Audience, AudienceFlag, AudienceSegment, SOURCES_MAX,
};
pub use comment::{FlagComment, FlagCommentSpec};
pub use export::{FlagExports, FlagLeftOut, FlagLeftOutCount, FlagProtocol};
pub use key::FlagKey;
pub use proposal::{FlagChangeRequest, FlagChangeRequestSpec, FlagChangeState, FlagDecision};
pub use reference::{CodePlace, CodePlaces, CodeReference, CodeScan, CodeScanned, FlagCodeReferences};
pub use revision::{FeatureFlagRevision, Revert, SegmentRevision};
pub use segment::{
    Segment, SegmentAnswer, SegmentFlag, SegmentPlace, SegmentPolicy, SegmentRoute, SegmentSegment,
    SegmentSpec, SegmentTrial, SegmentUses,
};
pub use usage::{FeatureFlagUse, FlagCount, FlagEvaluations, FlagStaleness};

/// The type of events that tell who was given which variant of a flag.
pub const EXPOSURE: &str = "flag_exposure";

/// What values a flag has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FlagType {
    /// `true` and `false`.
    #[default]
    Boolean,
    /// Texts.
    String,
    /// Numbers.
    Number,
    /// Any JSON.
    Json,
}

impl FlagType {
    /// Whether a value is of the type.
    pub fn has(self, value: &Value) -> bool {
        match self {
            Self::Boolean => value.is_boolean(),
            Self::String => value.is_string(),
            Self::Number => value.is_number(),
            Self::Json => true,
        }
    }

    /// Its name in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Boolean => "boolean",
            Self::String => "string",
            Self::Number => "number",
            Self::Json => "json",
        }
    }
}

/// The editable part of a [`FeatureFlag`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FeatureFlagSpec {
    /// Unique in the organization; what programs ask for. Cannot be changed.
    pub key: FlagKey,
    /// What people read; the key if empty.
    #[serde(default)]
    #[schema(max_length = 200)]
    pub title: String,
    /// What it switches, and until when it is needed.
    #[serde(default)]
    #[schema(max_length = 20000)]
    pub description: String,
    /// What values it has. Cannot be changed.
    #[serde(default)]
    pub r#type: FlagType,
    /// The values, by the names of the variants; `on` and `off` of a boolean flag if absent.
    #[serde(default = "on_and_off")]
    #[schema(value_type = Object)]
    pub variants: BTreeMap<String, Value>,
    /// Who gets which variant, by the environment's name. Where nothing is said, the flag is not there.
    #[serde(default)]
    pub environments: BTreeMap<Name, Targeting>,
    /// Whether keys of kind `client` may ask for it: everybody can read those. They are told values, never rules.
    #[serde(default = "yes")]
    pub client_side: bool,
    /// Words to find it by: at most 20.
    #[serde(default)]
    #[schema(max_items = 20)]
    pub tags: BTreeSet<Name>,
    /// Who answers for it: a person, a team, an address.
    #[serde(default)]
    #[schema(max_length = 200)]
    pub owner: String,
    /// When it is to be gone from the programs; it goes on to be answered after that. Never if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// The declarative folder that made it and may remove it (`gateline apply --prune`); by hand if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<Name>,
}

/// A feature flag: a switch whose state differs from one user to the next.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FeatureFlag {
    /// Its id.
    pub id: FeatureFlagId,
    /// The organization.
    pub organization_id: OrganizationId,
    /// The editable part.
    #[serde(flatten)]
    pub spec: FeatureFlagSpec,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Counts its changes; the ETag, and `flag_version` of what it gives.
    pub revision: i64,
}

impl FeatureFlag {
    /// What it is in an environment; `None` if it is not there.
    pub fn in_environment(&self, environment: &str) -> Option<eval::definition::Flag> {
        Some(self.with_targeting(self.spec.environments.get(environment)?))
    }

    /// What it is where that says who gets which variant.
    pub fn with_targeting(&self, targeting: &Targeting) -> eval::definition::Flag {
        eval::definition::Flag {
            version: self.version(),
            variants: self.spec.variants.clone(),
            targeting: targeting.clone(),
        }
    }

    /// Its version in answers and definitions: its revision.
    pub const fn version(&self) -> u64 {
        self.revision.unsigned_abs()
    }
}

/// Whom a flag is asked about.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FlagQuestion {
    /// What is known of them, as `user_id` and `country`: texts, numbers, booleans and lists of texts.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub attributes: Map<String, Value>,
}

/// Whom flags are asked about.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FlagsQuestion {
    /// What is known of them, as `user_id` and `country`: texts, numbers, booleans and lists of texts.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub attributes: Map<String, Value>,
    /// The keys of the flags; all if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_items = 1000)]
    pub flags: Option<Vec<String>>,
}

/// What somebody gets of several flags.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FlagsEvaluation {
    /// What they get of each.
    pub flags: Vec<FlagAnswer>,
}

/// What somebody gets of several flags, and why.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FlagAssignments {
    /// What they get of each, with every step on the way there.
    pub assignments: Vec<FlagExplanation>,
}

/// All flags of an environment, for SDKs that evaluate by themselves.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FlagDefinitions {
    /// The environment's name.
    pub environment: String,
    /// By their keys: `type`, `version`, `variants`, and who gets which as in a flag's `environments`.
    #[schema(value_type = Object)]
    pub flags: Map<String, Value>,
    /// By their keys: `when`, who is in it.
    #[schema(value_type = Object)]
    pub segments: Map<String, Value>,
}

/// Whom a flag is asked about, and where.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FlagTrial {
    /// The environment's name.
    pub environment: Name,
    /// What is known of them, as `user_id` and `country`: texts, numbers, booleans and lists of texts.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub attributes: Map<String, Value>,
    /// When it is asked; now if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

/// What somebody gets of a flag.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FlagEvaluation {
    /// The flag's key.
    pub key: String,
    /// The value of a boolean flag; of others, whether the variant is another than that of `off`.
    pub enabled: bool,
    /// The variant.
    pub variant: String,
    /// Its value.
    pub value: Value,
    /// Why: `static`, `targeting_match`, `split`, `default`, `disabled`, `prerequisite_failed`, `unit_missing`.
    pub reason: String,
    /// The rule that was for them: its name, or its place from 1 as `#2`; `null` if none was.
    #[schema(required = true)]
    pub rule: Option<String>,
    /// The flag's revision.
    pub flag_version: u64,
    /// The same for the same unit, flag, environment and variant; `null` unless the variant depends on a unit.
    #[schema(required = true)]
    pub assignment_id: Option<AssignmentId>,
}

/// What somebody gets of one of several flags.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FlagAnswer {
    /// What they get.
    #[serde(flatten)]
    pub evaluation: FlagEvaluation,
    /// The attribute whose value says which part of a split they are in: that of the unit in an exposure. It is not there
    /// unless a split decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// What somebody would get of one of all flags of an environment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FlagTried {
    /// The flag's id.
    pub id: FeatureFlagId,
    /// What they would get.
    #[serde(flatten)]
    pub evaluation: FlagEvaluation,
    /// The attribute whose value says which part of a split they are in; `null` unless a split decided.
    #[schema(required = true)]
    pub by: Option<String>,
}

/// What somebody gets of a flag, and every step on the way there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FlagExplanation {
    /// What they get.
    #[serde(flatten)]
    pub evaluation: FlagEvaluation,
    /// What was looked at, in this order; what comes after the step that decided was not.
    pub steps: Vec<FlagStep>,
}

/// One step of an evaluation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FlagStep {
    /// JSON Pointer (RFC 6901) to what was looked at, in the flag's part for the environment.
    pub pointer: String,
    /// Whether it holds: the flag is on, the prerequisite is met, the condition fits, the gate is open.
    pub holds: bool,
    /// In words.
    pub detail: String,
}

/// The assignments of units to a variant of a flag.
///
/// Their ids tell them apart and prove nothing: whoever may choose units can find two with the same id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Assignments(u64);

impl Assignments {
    /// To the variant of a flag, in (organization, environment).
    pub fn new((organization, environment): (OrganizationId, &str), flag: &str, variant: &str) -> Self {
        let mut hash = Sha256::new_with_prefix(organization.uuid().as_bytes());
        for part in [environment, flag, variant] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        let digest = hash.finalize();
        let (seed, _) = digest.split_first_chunk().expect("SHA-256 has 32 bytes");
        Self(u64::from_le_bytes(*seed))
    }

    /// The id of a unit's assignment: always the same.
    pub fn id(self, unit: &str) -> AssignmentId {
        let hash = xxh3_128_with_seed(unit.as_bytes(), self.0);
        AssignmentId::new(uuid::Builder::from_custom_bytes(hash.to_be_bytes()).into_uuid())
    }
}

fn on_and_off() -> BTreeMap<String, Value> {
    [
        ("on".to_owned(), Value::Bool(true)),
        ("off".to_owned(), Value::Bool(false)),
    ]
    .into()
}

const fn yes() -> bool {
    true
}
