//! Flags as they are written down: what is stored, sent to SDKs, and compiled into [`Flags`](crate::Flags).
//!
//! ```json
//! {"flags": {"new-checkout": {
//!     "variants": {"on": true, "off": false}, "off": "off", "enabled": true,
//!     "rules": [{"name": "staff", "when": {"attribute": "email", "op": "ends_with", "values": ["@acme.example"]}, "serve": "on"}],
//!     "otherwise": {"split": {"on": 10, "off": 90}, "by": "user_id"}}}}
//! ```

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// All flags of an environment, and the segments that they name.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definitions {
    /// Flags by their keys.
    #[serde(default)]
    pub flags: BTreeMap<String, Flag>,
    /// Segments by their keys.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub segments: BTreeMap<String, Segment>,
}

/// A flag in one environment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Flag {
    /// Which version of the flag this is; it grows with every change.
    #[serde(default)]
    pub version: u64,
    /// The values that it can have, by the variants' names.
    ///
    /// A split hands units out in the order of these names, byte by byte.
    pub variants: BTreeMap<String, serde_json::Value>,
    /// Who gets which of them.
    #[serde(flatten)]
    pub targeting: Targeting,
}

/// Who gets which variant of a flag in one environment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = FlagTargeting))]
#[serde(deny_unknown_fields)]
pub struct Targeting {
    /// Off: everybody gets the variant `off`, whatever the rules say.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// The variant of those for whom the flag is off.
    pub off: String,
    /// What other flags must give before this one is looked at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prerequisites: Vec<Prerequisite>,
    /// Variants of single units, for testers: they come before all rules.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<Override>,
    /// The first that fits says which variant it is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
    /// What those get whom no rule fits.
    pub otherwise: Outcome,
}

impl Targeting {
    /// What other flags must give, for all of it or for one of its rules.
    pub fn needed(&self) -> impl Iterator<Item = &Prerequisite> {
        let of_rules = self.rules.iter().flat_map(|rule| &rule.requires);
        self.prerequisites.iter().chain(of_rules)
    }
}

/// What another flag must give.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = FlagPrerequisite))]
#[serde(deny_unknown_fields)]
pub struct Prerequisite {
    /// The other flag's key.
    pub flag: String,
    /// One of these variants of it.
    pub variants: Vec<String>,
}

/// The variant of single units.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = FlagOverride))]
#[serde(deny_unknown_fields)]
pub struct Override {
    /// The attribute that says who it is.
    pub by: String,
    /// Its values.
    pub values: Vec<String>,
    /// The variant that they get.
    pub serve: String,
}

/// Who gets what.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = FlagRule))]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What it is called in answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whom it fits; everybody if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Condition>,
    /// From when on it holds (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Until when it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Which share of those whom it fits; all of these gates must be open.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gates: Vec<Gate>,
    /// What other flags must give; otherwise the rule is not for them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requires: Vec<Prerequisite>,
    /// The variant that they get.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serve: Option<String>,
    /// Percents of them by variant, of 100 together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<BTreeMap<String, f64>>,
    /// Parts of them by weight, put in order as another product does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buckets: Option<Buckets>,
    /// A share of them that grows by a schedule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<Rollout>,
    /// The attribute whose value decides which part of a split it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Attributes that decide in its place, the first of them that is there, if it is not known or empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub or_by: Vec<String>,
    /// `JSONLogic` over the attributes that gives the variant's name; the rule is not for whom it gives `null`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<Object>))]
    pub logic: Option<serde_json::Value>,
    /// Whether those whom the gates have let pass keep their variant when the split is changed; whoever changes it moves
    /// what it was to `kept`. It needs a split and a gate.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sticky: bool,
    /// Earlier splits of those who keep them: the first that has them decides before `split`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schema(max_items = 20))]
    pub kept: Vec<Kept>,
}

/// What those get whom no rule fits.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = FlagOutcome))]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// The variant that all of them get.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serve: Option<String>,
    /// Percents of them by variant, of 100 together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<BTreeMap<String, f64>>,
    /// Parts of them by weight, put in order as another product does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buckets: Option<Buckets>,
    /// A share of them that grows by a schedule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<Rollout>,
    /// The attribute whose value decides which part of a split it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Attributes that decide in its place, the first of them that is there, if it is not known or empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub or_by: Vec<String>,
}

/// A share that grows by a schedule.
///
/// At each moment it is the split of that share: whoever has the variant keeps it as long as no step is smaller than the
/// one before, and nobody moves when a split of the same share takes its place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = FlagRollout))]
#[serde(deny_unknown_fields)]
pub struct Rollout {
    /// The variant that the share gets.
    pub serve: String,
    /// The variant that all others get.
    pub others: String,
    /// The share in percent before the first step.
    #[serde(default, skip_serializing_if = "is_nothing")]
    #[cfg_attr(feature = "schema", schema(minimum = 0, maximum = 100))]
    pub start: f64,
    /// What it is from some moments on, one after the other.
    #[cfg_attr(feature = "schema", schema(min_items = 1, max_items = 50))]
    pub steps: Vec<RolloutStep>,
    /// Whether it grows in a straight line from each step to the next; otherwise it is the same until then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub smooth: bool,
}

/// A step of a schedule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = FlagRolloutStep))]
#[serde(deny_unknown_fields)]
pub struct RolloutStep {
    /// Its moment (RFC 3339).
    pub at: String,
    /// The share in percent from then on.
    #[cfg_attr(feature = "schema", schema(minimum = 0, maximum = 100))]
    pub percent: f64,
}

/// An earlier split of a rule, and who keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = FlagKept))]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// Where in the order of the rule's first gate they stand, in percent: from, to.
    pub parts: Vec<(f64, f64)>,
    /// Percents of them by variant, of 100 together.
    pub split: BTreeMap<String, f64>,
}

/// A share of all units, the same for all that have the gate's key.
///
/// Of two gates with one key and parts that do not overlap, a unit passes one at most: that is how experiments exclude
/// each other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = FlagGate))]
#[serde(deny_unknown_fields)]
pub struct Gate {
    /// What units are put in order by: the name of a layer or of a holdout.
    pub key: String,
    /// The attribute that says which unit it is.
    pub by: String,
    /// Attributes that say it in its place, the first of them that is there, if it is not known or empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub or_by: Vec<String>,
    /// How units are put in order.
    #[serde(default, skip_serializing_if = "Dialect::is_native")]
    pub dialect: Dialect,
    /// The parts that pass, in percent: from, to.
    pub parts: Vec<(f64, f64)>,
}

/// Parts of all units in an order, so that a flag that was made elsewhere keeps giving everybody the same.
///
/// A split says less and does for what is made here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = FlagBuckets))]
#[serde(deny_unknown_fields)]
pub struct Buckets {
    /// How units are put in order.
    #[serde(default, skip_serializing_if = "Dialect::is_native")]
    pub dialect: Dialect,
    /// What units are put in order by, together with what they are.
    pub key: String,
    /// The parts, one behind the other.
    ///
    /// Their weights make 1,000 together with `growthbook_v1`, 10,000 with `growthbook_v2`, 100,000 with `launchdarkly`
    /// and anything but 0 with `native` and `unleash`.
    pub parts: Vec<Part>,
}

/// A part of all units.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = FlagPart))]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// How large it is, compared with the others.
    pub weight: u32,
    /// The variant that it gets; the rule is not for it if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serve: Option<String>,
}

/// How units are put in order: as we do, or as another product does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = FlagDialect))]
#[serde(rename_all = "snake_case")]
pub enum Dialect {
    /// As we do: MurmurHash3 of the key and the unit.
    #[default]
    Native,
    /// As Unleash: MurmurHash3 of `key:unit`, in hundred parts for a gate, in as many as the weights make together for
    /// variants.
    Unleash,
    /// As GrowthBook's first version: FNV-1a of the unit and the key, in 1,000 parts. A rule is not for whom it does not
    /// know.
    GrowthbookV1,
    /// As GrowthBook's second version: FNV-1a of FNV-1a of the key and the unit, in 10,000 parts. A rule is not for whom
    /// it does not know.
    GrowthbookV2,
    /// As `LaunchDarkly`: SHA-1 of `key.unit`, in 100,000 parts. Whom it does not know stands at the beginning.
    Launchdarkly,
}

impl Dialect {
    /// Whether it is ours.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde calls")]
    const fn is_native(&self) -> bool {
        matches!(self, Self::Native)
    }
}

/// Whom something fits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = FlagCondition))]
#[serde(untagged, deny_unknown_fields)]
pub enum Condition {
    /// All of them hold.
    All {
        /// The conditions; none holds for everybody.
        #[cfg_attr(feature = "schema", schema(no_recursion))]
        all: Vec<Condition>,
    },
    /// One of them holds at least.
    Any {
        /// The conditions; none holds for nobody.
        #[cfg_attr(feature = "schema", schema(no_recursion))]
        any: Vec<Condition>,
    },
    /// It does not hold.
    Not {
        /// The condition.
        #[cfg_attr(feature = "schema", schema(no_recursion))]
        not: Box<Condition>,
    },
    /// The subject is in a segment.
    Segment {
        /// The segment's key.
        segment: String,
    },
    /// The evaluation's moment lies in a span of time.
    During {
        /// Which one.
        during: Span,
    },
    /// The subject is in a share of all units.
    Share {
        /// Which one.
        share: Gate,
    },
    /// An element of a list fits: something holds where the attribute is that element.
    Element {
        /// The attribute that is a list.
        element: String,
        /// What holds; it compares the same attribute by `in`, `not_in`, `starts_with`, `ends_with`, `contains` and
        /// `matches`, joined by `all`, `any` and `not`.
        #[cfg_attr(feature = "schema", schema(no_recursion))]
        fits: Box<Condition>,
    },
    /// An attribute has a value.
    Attribute(Test),
}

/// A span of time; it has a beginning or an end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = FlagSpan))]
#[serde(deny_unknown_fields)]
pub struct Span {
    /// Its first moment (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The first moment after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}

/// What an attribute's value must be.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = FlagTest))]
#[serde(deny_unknown_fields)]
pub struct Test {
    /// The attribute's name.
    pub attribute: String,
    /// How it is compared.
    pub op: Op,
    /// With what; one of these must do, if there may be several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
    /// Whether capitals make no difference.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ignore_case: bool,
    /// Whether only a text is compared: a number, a boolean or a list is as if it were not there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub text_only: bool,
    /// Whether versions may leave out their last numbers, which are 0 then: `2` and `2.0` are `2.0.0`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub short: bool,
}

/// How an attribute is compared. An attribute that is not there, or is of another kind, fits none of them but
/// `not_in` and `is_absent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = FlagOperator))]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// It is one of the values; of a list, one of its texts.
    In,
    /// It is none of the values.
    NotIn,
    /// It is there.
    IsPresent,
    /// It is not there.
    IsAbsent,
    /// It begins with one of the values.
    StartsWith,
    /// It ends with one of them.
    EndsWith,
    /// It contains one of them.
    Contains,
    /// One of the regular expressions matches a part of it.
    Matches,
    /// It is a number equal to one of the values.
    Eq,
    /// It is a number greater than the value.
    Gt,
    /// It is a number greater than the value, or equal.
    Gte,
    /// It is a number less than the value.
    Lt,
    /// It is a number less than the value, or equal.
    Lte,
    /// It is a number that leaves a remainder when it is divided: `10|3`. The remainder is never negative.
    Modulo,
    /// It is a moment (RFC 3339, or milliseconds since 1970) before the value.
    Before,
    /// It is a moment after the value.
    After,
    /// It is a version (Semantic Versioning 2.0) equal to one of the values, but for build metadata.
    SemverEq,
    /// It is a version after the value.
    SemverGt,
    /// It is a version after the value, or equal.
    SemverGte,
    /// It is a version before the value.
    SemverLt,
    /// It is a version before the value, or equal.
    SemverLte,
    /// It is an IP address in one of the networks, `10.0.0.0/8`, or equal to one of the addresses.
    InNetwork,
    /// It is a list that has all of the values.
    HasAll,
    /// It is a list with as many entries as one of the values says.
    SizeEq,
    /// It is a list with more entries than the value says.
    SizeGt,
    /// It is a list with fewer entries than the value says.
    SizeLt,
    /// It is of one of the kinds `text`, `number`, `boolean` and `list`.
    IsKind,
}

impl Op {
    /// Whether it compares versions.
    pub const fn is_of_versions(self) -> bool {
        matches!(
            self,
            Self::SemverEq | Self::SemverGt | Self::SemverGte | Self::SemverLt | Self::SemverLte
        )
    }
}

/// Subjects that flags speak of together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Segment {
    /// Who is in it.
    pub when: Condition,
}

const fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde calls")]
fn is_nothing(percent: &f64) -> bool {
    *percent == 0.0
}
