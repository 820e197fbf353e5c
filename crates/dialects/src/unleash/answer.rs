//! What Unleash's clients would say.

use eval::Evaluation;
use serde::Serialize;
use serde_json::Value;

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
    /// What somebody got of a flag whose variant of those for whom it is off is `off`, in Unleash's words.
    pub fn of(off: &str, found: &Evaluation<'_>) -> Self {
        let enabled = found.variant != off;
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

/// Those of a flag's variants that clients know by a name; without one, those that are on without a variant to them. That of
/// `off` is not to be among them.
pub fn known_as<'f>(
    variants: impl Iterator<Item = (&'f str, &'f Value)>,
    name: Option<&str>,
) -> impl Iterator<Item = &'f str> {
    let known = variants.filter(move |(ours, value)| {
        let theirs = payload::variant(ours, value).map(|(theirs, _)| theirs);
        theirs.as_deref() == name
    });
    known.map(|(ours, _)| ours)
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
