//! Features as flags.

use std::collections::{BTreeMap, HashSet};

use eval::definition::{Flag, Prerequisite, Rule, Targeting};
use serde_json::Value as Json;

use super::json::{Fields, is_equal, is_truthy};
use super::payload::Payload;
use crate::declarable::is_variant;
use crate::kind::{VARIANTS_MAX, variant_name};
use crate::meta::tags;
use crate::named::leave_out_unnamed;
use crate::{Error, FLAGS_MAX, Fault, Meta, Reading, leave_out_what_does_not_compile, part, serve};

mod condition;
mod rule;
#[cfg(test)]
mod tests;

use condition::Conditions;

/// Fields that are sent encrypted.
const SECRETS: [&str; 4] = [
    "encryptedFeatures",
    "encryptedExperiments",
    "encryptedSavedGroups",
    "encryptedContextualBandits",
];

/// Reads a payload into flags: `{"features": {…}, "savedGroups": {…}}`.
///
/// Whoever has attributes of the kind that the features speak of gets the same value of the flag as of the feature. Attributes
/// are of one kind each: texts, numbers, booleans, or lists of texts; versions are those of Semantic Versioning. A unit is a
/// text, or a number other than 0.
///
/// # Errors
/// It is not of that shape, encrypted, or too large.
pub fn read(document: &Json) -> Result<Reading, Error> {
    let payload = payload_of(document)?;
    let mut reading = Reading::default();
    let mut conditions = Conditions::new(&payload.saved_groups);
    let values: BTreeMap<&str, Values> = payload
        .features
        .iter()
        .filter_map(|(key, feature)| Some((key.as_str(), Values::of(Fields::of(feature)?))))
        .collect();
    for (key, feature) in &payload.features {
        let mut reader = Reader {
            key,
            payload: &payload,
            values: &values,
            conditions: &mut conditions,
            notes: Vec::new(),
        };
        match reader.flag(feature) {
            Ok(flag) => {
                reading
                    .notes
                    .extend(reader.notes.into_iter().map(|fault| fault.of(key)));
                reading.definitions.flags.insert(key.clone(), flag);
                let place = format!("/features/{}", part(key));
                reading.flags.insert(key.clone(), meta_of(feature, place));
            }
            Err(fault) => reading.refused.push(fault.of(key)),
        }
    }
    for (place, experiment) in payload.experiments.iter().enumerate() {
        let key = experiment.get("key").and_then(Json::as_str).unwrap_or_default();
        let detail = "It changes pages by itself, and is no feature.";
        let fault = Fault::new(format!("/experiments/{place}"), "experiment_of_pages", detail);
        reading.refused.push(fault.of(key));
    }
    reading.definitions.segments = conditions.into_segments();
    finish(&mut reading);
    Ok(reading)
}

/// Tags stand in a feature or in its metadata.
fn meta_of(feature: &Json, place: String) -> Meta {
    let mut meta = Meta::of(feature, place);
    meta.tags
        .extend(feature.get("metadata").map(tags).unwrap_or_default());
    meta
}

fn payload_of(document: &Json) -> Result<Payload, Error> {
    let shape = |pointer: &str, detail: &str| Error::Shape {
        pointer: pointer.to_owned(),
        detail: detail.to_owned(),
    };
    if let Some(secret) = SECRETS.iter().find(|name| document.get(**name).is_some()) {
        return Err(shape(
            &format!("/{secret}"),
            "It is encrypted, and needs its key first.",
        ));
    }
    if !document.get("features").is_some_and(Json::is_object) {
        return Err(shape("/features", "There is no object with features."));
    }
    let payload = Payload::of(document);
    let flags = payload.features.len();
    match flags > FLAGS_MAX {
        true => Err(Error::TooMany { flags }),
        false => Ok(payload),
    }
}

/// Takes out what needs what could not be said, and segments that nothing names then.
fn finish(reading: &mut Reading) {
    let place = |key: &str| format!("/features/{}", part(key));
    let refused = leave_out_what_does_not_compile(&mut reading.definitions, place);
    reading.refused.extend(refused);
    let refused: HashSet<&str> = reading.refused.iter().map(|one| one.flag.as_str()).collect();
    reading.notes.retain(|note| !refused.contains(note.flag.as_str()));
    leave_out_unnamed(&mut reading.definitions);
}

/// The values that a feature can have, by the names that their variants get.
#[derive(Debug, Clone, Default)]
struct Values(Vec<(String, Json)>);

impl Values {
    fn of(feature: Fields<'_>) -> Self {
        let tracked = tracked(feature);
        let mut values = Self::default();
        values.put(feature.0.get("defaultValue").unwrap_or(&Json::Null), &tracked);
        for rule in feature.list("rules").unwrap_or_default() {
            let Some(rule) = Fields::of(rule) else { continue };
            if gates(rule).next().is_some() {
                values.put(&Json::Null, &tracked);
            }
            match rule.0.get("force") {
                Some(value) => values.put(value, &tracked),
                None => rule
                    .list("variations")
                    .unwrap_or_default()
                    .iter()
                    .for_each(|value| values.put(value, &tracked)),
            }
        }
        values
    }

    fn put(&mut self, value: &Json, tracked: &[Tracked<'_>]) {
        if self.0.len() > VARIANTS_MAX || self.name(value).is_some() {
            return;
        }
        let own = tracked.iter().find(|(_, other)| is_equal(value, other));
        let is_free = |name: &str| {
            self.0.iter().all(|(other, _)| other != name) && tracked.iter().all(|(other, _)| *other != name)
        };
        let name = own.map_or_else(
            || variant_name(value, self.0.len(), is_free),
            |(name, _)| (*name).to_owned(),
        );
        self.0.push((name, value.clone()));
    }

    fn name(&self, value: &Json) -> Option<&str> {
        let found = self.0.iter().find(|(_, other)| is_equal(value, other));
        found.map(|(name, _)| name.as_str())
    }
}

/// What experiments call a value, and the value.
type Tracked<'a> = (&'a str, &'a Json);

/// What experiments call values where that is one name for one value, so that who gets what is told under the same names.
fn tracked(feature: Fields<'_>) -> Vec<Tracked<'_>> {
    let mut all: Vec<Tracked<'_>> = Vec::new();
    let rules = feature.list("rules").unwrap_or_default().iter();
    for rule in rules
        .filter_map(Fields::of)
        .filter(|rule| !rule.0.contains_key("force"))
    {
        let (variations, meta) = (rule.list("variations"), rule.list("meta"));
        let each = variations
            .unwrap_or_default()
            .iter()
            .zip(meta.unwrap_or_default());
        for (value, meta) in each {
            let name = Fields::of(meta).and_then(|meta| meta.0.get("key")?.as_str());
            let Some(name) = name.filter(|name| is_variant(name)) else {
                continue;
            };
            let is_known = |(other, its): &Tracked<'_>| *other == name && is_equal(its, value);
            if !all.iter().any(is_known) {
                all.push((name, value));
            }
            if all.len() > VARIANTS_MAX {
                return Vec::new();
            }
        }
    }
    let is_alone = |(name, value): &Tracked<'_>| {
        let alike = |(other, its): &Tracked<'_>| other == name || is_equal(its, value);
        all.iter().filter(|one| alike(one)).count() == 1
    };
    all.iter().filter(|one| is_alone(one)).copied().collect()
}

/// How many prerequisites all rules begin with that decide about no more than them: whoever they do not fit is left with the
/// default, as with those of a flag of ours. So flags of ours are written.
fn shared(feature: Fields<'_>) -> usize {
    let mut rules = feature.list("rules").unwrap_or_default().iter().map(|rule| {
        let parents = Fields::of(rule).map(parents).unwrap_or_default();
        let plain = parents.iter().take_while(|parent| !is_gate(parent));
        plain.collect::<Vec<_>>()
    });
    let Some(first) = rules.next() else { return 0 };
    rules.fold(first.len(), |count, parents| {
        let alike = first.iter().zip(&parents).take_while(|(one, other)| one == other);
        alike.count().min(count)
    })
}

fn parents(rule: Fields<'_>) -> &[Json] {
    rule.list("parentConditions").unwrap_or_default()
}

/// Whether a prerequisite decides about the whole feature.
fn is_gate(parent: &Json) -> bool {
    parent.get("gate").is_some_and(is_truthy)
}

/// The prerequisites of a rule that decide about the whole feature.
fn gates(rule: Fields<'_>) -> impl Iterator<Item = &Json> {
    parents(rule).iter().filter(|parent| is_gate(parent))
}

/// What a flag needs.
#[derive(Default)]
struct Needed {
    of_flag: Vec<Prerequisite>,
    /// Whether whoever it does not fit gets `null`, and not the default.
    has_gates: bool,
}

/// Reads one feature.
struct Reader<'a, 'p> {
    key: &'a str,
    payload: &'p Payload,
    values: &'a BTreeMap<&'p str, Values>,
    conditions: &'a mut Conditions<'p>,
    notes: Vec<Fault>,
}

impl Reader<'_, '_> {
    fn flag(&mut self, feature: &Json) -> Result<Flag, Fault> {
        let pointer = format!("/features/{}", part(self.key));
        let Some(feature) = Fields::of(feature) else {
            return Err(Fault::new(pointer, "shape", "A feature is an object."));
        };
        if self.values[self.key].0.len() > VARIANTS_MAX {
            let detail = format!("It has more than {VARIANTS_MAX} values.");
            return Err(Fault::new(pointer, "too_many_values", detail));
        }
        let shared = shared(feature);
        let mut needed = Needed::default();
        let mut rules = Vec::new();
        for (place, rule) in feature.list("rules").unwrap_or_default().iter().enumerate() {
            let at = format!("{pointer}/rules/{place}");
            let Some(rule) = Fields::of(rule) else { continue };
            let requires = self.parents(rule, (place, shared), (&mut needed, &mut rules), &at)?;
            if let Some(rule) = self.rule(rule, &at)? {
                rules.push(Rule { requires, ..rule });
            }
        }
        let prerequisites = needed.of_flag;
        let default = feature.0.get("defaultValue").unwrap_or(&Json::Null);
        let off = if needed.has_gates { &Json::Null } else { default };
        Ok(Flag {
            version: 0,
            targeting: Targeting {
                enabled: true,
                off: self.variant(off),
                prerequisites,
                overrides: Vec::new(),
                rules,
                otherwise: serve(&self.variant(default)),
            },
            variants: self.values[self.key].0.iter().cloned().collect(),
        })
    }

    /// The name of a value of this feature.
    fn variant(&self, value: &Json) -> String {
        let name = self.values[self.key].name(value);
        name.expect("all values of a feature have names").to_owned()
    }

    /// What other features must give for a rule. Those that all rules begin with are the flag's, and so are gates that come
    /// before all else: whoever does not fit one gets `null`, and no rule is looked at. A gate that comes later is a rule
    /// that gives `null`.
    fn parents(
        &self,
        rule: Fields<'_>,
        (number, shared): (usize, usize),
        (needed, rules): (&mut Needed, &mut Vec<Rule>),
        at: &str,
    ) -> Result<Vec<Prerequisite>, Fault> {
        let mut requires = Vec::new();
        for (place, parent) in parents(rule).iter().enumerate() {
            if place < shared && number > 0 {
                continue;
            }
            let at = format!("{at}/parentConditions/{place}");
            let Some(one) = self.prerequisite(parent, &at)? else {
                continue;
            };
            let is_first = shared == 0 && rules.is_empty() && requires.is_empty();
            if place < shared {
                needed.of_flag.push(one);
            } else if !is_gate(parent) {
                requires.push(one);
            } else if is_first {
                needed.has_gates = true;
                needed.of_flag.push(one);
            } else if let Some(opposite) = self.opposite(&one) {
                rules.push(Rule {
                    requires: requires.iter().cloned().chain([opposite]).collect(),
                    serve: Some(self.variant(&Json::Null)),
                    ..Rule::default()
                });
            }
        }
        Ok(requires)
    }

    /// What another feature gives to those who are not meant; none if it gives that to nobody.
    fn opposite(&self, needed: &Prerequisite) -> Option<Prerequisite> {
        let names = self.values[needed.flag.as_str()].0.iter().map(|(name, _)| name);
        let others: Vec<String> = names
            .filter(|name| !needed.variants.contains(name))
            .cloned()
            .collect();
        (!others.is_empty()).then(|| Prerequisite {
            flag: needed.flag.clone(),
            variants: others,
        })
    }

    /// None if everything fits.
    fn prerequisite(&self, parent: &Json, at: &str) -> Result<Option<Prerequisite>, Fault> {
        let Some(condition) = parent.get("condition").filter(|condition| is_truthy(condition)) else {
            return Ok(None);
        };
        let groups = &self.payload.saved_groups;
        let fits = |value: &Json| super::fits(condition, &serde_json::json!({ "value": value }), groups);
        let flag = parent.get("id").and_then(Json::as_str).unwrap_or_default();
        let Some(values) = self.values.get(flag) else {
            // What is not there has the value `null`.
            return match fits(&Json::Null) {
                true => Ok(None),
                false => {
                    let detail = format!("There is no feature `{flag}`.");
                    Err(Fault::new(format!("{at}/id"), "flag_unknown", detail))
                }
            };
        };
        let variants = values.0.iter().filter(|(_, value)| fits(value));
        Ok(Some(Prerequisite {
            flag: flag.to_owned(),
            variants: variants.map(|(name, _)| name.clone()).collect(),
        }))
    }
}
