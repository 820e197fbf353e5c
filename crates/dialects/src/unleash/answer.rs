//! What Unleash's clients would say.

use eval::Evaluation;
use eval::definition::Flag;
use serde::Serialize;

use super::document::Payload;
use super::payload;

/// What a client says of a feature: `isEnabled` and `getVariant` at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Whether the feature is on.
    pub enabled: bool,
    /// Its variant.
    pub variant: Variant,
}

/// What `getVariant` gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Variant {
    /// Its name; `disabled` if there is none.
    pub name: String,
    /// What it carries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<Payload>,
    /// Whether it is one.
    pub enabled: bool,
    /// Whether the feature is on.
    pub feature_enabled: bool,
}

impl Answer {
    /// What somebody got of a flag, in Unleash's words.
    pub fn of(flag: &Flag, found: &Evaluation<'_>) -> Self {
        let enabled = found.variant != flag.targeting.off;
        let variant = match enabled {
            true => payload::variant(found.variant, found.value),
            false => None,
        };
        let variant = variant.map_or_else(
            || Variant::none(enabled),
            |(name, payload)| Variant {
                name,
                payload,
                enabled: true,
                feature_enabled: true,
            },
        );
        Self { enabled, variant }
    }

    /// What a client says of a feature that is not there.
    pub fn unknown() -> Self {
        Self {
            enabled: false,
            variant: Variant::none(false),
        }
    }
}

/// The variants of a flag, but for that of `off`, that clients know by a name; without one, those that are on without a
/// variant to them.
pub fn known_as<'f>(flag: &'f Flag, name: Option<&str>) -> impl Iterator<Item = &'f str> {
    let others = flag
        .variants
        .iter()
        .filter(|(ours, _)| **ours != flag.targeting.off);
    let known = others.filter(move |(ours, value)| {
        let theirs = payload::variant(ours, value).map(|(theirs, _)| theirs);
        theirs.as_deref() == name
    });
    known.map(|(ours, _)| ours.as_str())
}

impl Variant {
    /// No variant.
    fn none(feature_enabled: bool) -> Self {
        Self {
            name: NONE.to_owned(),
            payload: None,
            enabled: false,
            feature_enabled,
        }
    }
}

/// What Unleash calls the variant of a feature that has none.
pub(super) const NONE: &str = "disabled";
