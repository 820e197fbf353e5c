//! Who was given a variation keeps it, while an experiment runs and its weights change.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::json::Fields;
use super::payload::Payload;
use super::user::User;

/// How many versions of an experiment may be blocked.
const VERSIONS_MAX: u32 = 10_000;

/// What one unit was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Assignments {
    /// The attribute that says which unit it is.
    pub attribute_name: String,
    /// Its value.
    pub attribute_value: String,
    /// The variation's key by experiment and version, as `experiment__0`.
    #[serde(default)]
    pub assignments: BTreeMap<String, String>,
}

impl Assignments {
    /// What they are kept under: `attribute||value`.
    pub fn key(&self) -> String {
        key(&self.attribute_name, &self.attribute_value)
    }
}

/// What the units of somebody were given, by their keys.
pub type Kept = BTreeMap<String, Assignments>;

/// Of what was kept, what belongs to somebody, by the attributes that the payload's experiments go by.
pub fn of_user(payload: &Payload, user: &User, kept: impl IntoIterator<Item = Assignments>) -> Kept {
    let keys: BTreeSet<String> = attributes(payload)
        .into_iter()
        .filter_map(|name| Some(key(name, &user.unit(name)?)))
        .collect();
    let mut found = Kept::new();
    for one in kept {
        if keys.contains(&one.key()) {
            found.insert(one.key(), one);
        }
    }
    found
}

/// The attributes that experiments go by.
fn attributes(payload: &Payload) -> BTreeSet<&str> {
    let features = payload.features.values().filter_map(Fields::of);
    let rules = features.flat_map(|feature| feature.list("rules").unwrap_or_default());
    let rules = rules
        .filter_map(Fields::of)
        .filter(|rule| rule.is("variations") || rule.is("contextualVariations"));
    let experiments = payload.experiments.iter().filter_map(Fields::of);
    let each = rules.chain(experiments).flat_map(|one| {
        let hash = one.text("hashAttribute").unwrap_or("id");
        std::iter::once(hash).chain(one.text("fallbackAttribute"))
    });
    each.collect()
}

fn key(attribute: &str, value: &str) -> String {
    format!("{attribute}||{value}")
}

/// What was kept of somebody for an experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// The place of the variation.
    Variation(usize),
    /// They were in a version of the experiment that may not go on.
    Blocked,
    /// Nothing.
    Nothing,
}

/// The name of a version of an experiment.
fn version_of(experiment: &str, version: f64) -> String {
    format!("{experiment}__{version}")
}

/// What was kept of somebody for an experiment.
pub(super) fn find(kept: &Kept, user: &User, key_of: &str, experiment: Fields<'_>) -> Found {
    let assignments = assignments(kept, user, experiment);
    let number = |name: &str| experiment.number(name).unwrap_or(0.0);
    let blocked = number("minBucketVersion").clamp(0.0, f64::from(VERSIONS_MAX)) as u32;
    let is_blocked = |version: u32| assignments.contains_key(version_of(key_of, version.into()).as_str());
    if (0..blocked).any(is_blocked) {
        return Found::Blocked;
    }
    let name = version_of(key_of, number("bucketVersion"));
    let Some(variation) = assignments.get(name.as_str()) else {
        return Found::Nothing;
    };
    let names = experiment.list("meta").unwrap_or_default();
    let place = names
        .iter()
        .position(|meta| meta.get("key").and_then(Json::as_str) == Some(variation));
    place.map_or(Found::Nothing, Found::Variation)
}

/// Those of the attribute that an experiment goes by come before those of the one it may go by instead.
fn assignments<'k>(kept: &'k Kept, user: &User, experiment: Fields<'_>) -> BTreeMap<&'k str, &'k str> {
    let attribute = |name: &str| experiment.text(name).unwrap_or("id");
    let mut found = BTreeMap::new();
    for name in [attribute("fallbackAttribute"), attribute("hashAttribute")] {
        let one = user.unit(name).and_then(|unit| kept.get(&key(name, &unit)));
        let all = one.into_iter().flat_map(|one| &one.assignments);
        found.extend(all.map(|(experiment, variation)| (experiment.as_str(), variation.as_str())));
    }
    found
}

/// Keeps what somebody was given.
pub(super) fn keep(
    kept: &mut Kept,
    (attribute, unit): (&str, &str),
    experiment: Fields<'_>,
    given: (&str, &str),
) {
    let (key_of, variation) = given;
    let one = kept.entry(key(attribute, unit)).or_insert_with(|| Assignments {
        attribute_name: attribute.to_owned(),
        attribute_value: unit.to_owned(),
        assignments: BTreeMap::new(),
    });
    let name = version_of(key_of, experiment.number("bucketVersion").unwrap_or(0.0));
    one.assignments.insert(name, variation.to_owned());
}
