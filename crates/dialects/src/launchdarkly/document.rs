//! What SDKs are sent.

use serde::Deserialize;
use serde_json::Value as Json;

use crate::Meta;

/// A flag. What is `null` is as if it were not there.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct FlagSource {
    pub(super) on: bool,
    pub(super) deleted: bool,
    pub(super) salt: Option<String>,
    pub(super) variations: Vec<Json>,
    /// Names that people gave to variations, in an export.
    #[serde(skip)]
    pub(super) names: Vec<Option<String>>,
    /// What is said of it for people, and whether pages may see it.
    #[serde(skip)]
    pub(super) meta: Meta,
    pub(super) off_variation: Option<usize>,
    pub(super) fallthrough: Given,
    pub(super) targets: Option<Vec<Target>>,
    pub(super) context_targets: Option<Vec<Target>>,
    pub(super) rules: Option<Vec<RuleSource>>,
    pub(super) prerequisites: Option<Vec<Needed>>,
}

impl FlagSource {
    /// Reads a flag as SDKs are sent it; `whole` is what says its name and who may see it.
    pub(super) fn read(source: &Json, whole: &Json) -> Result<Self, String> {
        let mut read = Self::deserialize(source).map_err(|error| error.to_string())?;
        read.meta = Meta::with_name(whole, String::new());
        let pages = whole.get("clientSideAvailability");
        let pages = pages.and_then(|pages| pages.get("usingEnvironmentId"));
        let pages = pages.or_else(|| whole.get("clientSide"));
        read.meta.client_side = pages.and_then(Json::as_bool);
        Ok(read)
    }
}

/// Keys that get a variation.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Target {
    pub(super) context_kind: Option<String>,
    #[serde(default)]
    pub(super) values: Vec<String>,
    pub(super) variation: usize,
}

/// A rule.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct RuleSource {
    #[serde(alias = "_id")]
    pub(super) id: Option<String>,
    #[serde(default)]
    pub(super) clauses: Vec<Clause>,
    #[serde(flatten)]
    pub(super) given: Given,
}

/// What a rule gives.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Given {
    pub(super) variation: Option<usize>,
    pub(super) rollout: Option<Rollout>,
}

/// Parts of all units.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Rollout {
    pub(super) kind: Option<String>,
    pub(super) context_kind: Option<String>,
    pub(super) bucket_by: Option<String>,
    pub(super) seed: Option<i64>,
    #[serde(default)]
    pub(super) variations: Vec<Weighted>,
    /// Of an export: an experiment, whose seed is not exported.
    pub(super) experiment_allocation: Option<Json>,
}

/// A part of all units.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Weighted {
    pub(super) variation: usize,
    pub(super) weight: u32,
}

/// A condition about one attribute.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Clause {
    pub(super) context_kind: Option<String>,
    #[serde(default)]
    pub(super) attribute: String,
    pub(super) op: String,
    #[serde(default)]
    pub(super) values: Vec<Json>,
    #[serde(default)]
    pub(super) negate: bool,
}

/// Another flag that is needed.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Needed {
    pub(super) key: String,
    pub(super) variation: usize,
}

/// A segment.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct SegmentSource {
    pub(super) salt: Option<String>,
    pub(super) included: Option<Vec<String>>,
    pub(super) excluded: Option<Vec<String>>,
    pub(super) included_contexts: Option<Vec<Members>>,
    pub(super) excluded_contexts: Option<Vec<Members>>,
    pub(super) rules: Option<Vec<SegmentRule>>,
    pub(super) unbounded: bool,
}

/// Keys of contexts of one kind.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Members {
    pub(super) context_kind: Option<String>,
    #[serde(default)]
    pub(super) values: Vec<String>,
}

/// Who is in a segment by a rule.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SegmentRule {
    #[serde(default)]
    pub(super) clauses: Vec<Clause>,
    /// The share of them, of 100,000 parts.
    pub(super) weight: Option<u32>,
    pub(super) bucket_by: Option<String>,
    pub(super) rollout_context_kind: Option<String>,
}
