//! Flags as features.

use std::collections::{BTreeMap, BTreeSet};

use eval::Definitions;
use eval::definition::{Buckets, Dialect, Flag, Gate, Outcome, Prerequisite, Rule};
use serde_json::{Map, Value as Json, json};

use super::json::is_equal;
use super::payload::Payload;
use crate::{Fault, Finding, Writing, part};

mod condition;

use condition::Conditions;

/// What stands for the rule's name where none decided.
pub const OTHERWISE: &str = "otherwise";

/// Writes flags as the payload that SDKs of GrowthBook evaluate by themselves.
///
/// The definitions compile. Whoever has attributes of the kind that the flags speak of gets the same value; letters beyond U+FFFF
/// are two in patterns of SDKs. What SDKs cannot compute is refused: parts
/// that are not put in order as GrowthBook does it, spans of time, networks, moments. Each flag that is left out is named with
/// the reason, and so is each that needs one.
pub fn write(definitions: &Definitions) -> Writing {
    let mut refused = BTreeMap::new();
    let mut conditions = Conditions::new(definitions);
    let mut features = Map::new();
    for (key, flag) in &definitions.flags {
        let mut writer = Writer {
            key,
            flag,
            definitions,
            conditions: &mut conditions,
        };
        match writer.feature() {
            Ok(feature) => {
                features.insert(key.clone(), feature);
            }
            Err(fault) => {
                refused.insert(key.as_str(), fault);
            }
        }
    }
    refuse_dependents(definitions, &mut refused);
    features.retain(|key, _| !refused.contains_key(key.as_str()));
    let payload = Payload {
        features,
        saved_groups: conditions.into_groups(),
        ..Payload::default()
    };
    let refused: Vec<Finding> = refused.into_iter().map(|(key, fault)| fault.of(key)).collect();
    Writing {
        document: payload.to_json().into(),
        refused,
    }
}

/// Refuses what needs what is refused.
fn refuse_dependents<'d>(definitions: &'d Definitions, refused: &mut BTreeMap<&'d str, Fault>) {
    loop {
        let mut more = BTreeMap::new();
        for (key, flag) in &definitions.flags {
            let mut needed = needed_by(flag);
            if let Some((place, needed)) = needed.find(|(_, one)| refused.contains_key(one.flag.as_str()))
                && flag.targeting.enabled
                && !refused.contains_key(key.as_str())
            {
                let at = format!("/flags/{}{place}", part(key));
                let detail = format!("It needs `{}`, which cannot be written.", needed.flag);
                more.insert(key.as_str(), Fault::new(at, "needs_refused", detail));
            }
        }
        if more.is_empty() {
            return;
        }
        refused.extend(more);
    }
}

/// What a flag and its rules need, and where that stands in it.
fn needed_by(flag: &Flag) -> impl Iterator<Item = (String, &Prerequisite)> {
    let targeting = &flag.targeting;
    let own = targeting.prerequisites.iter().enumerate();
    let own = own.map(|(place, one)| (format!("/prerequisites/{place}"), one));
    let of_rules = targeting.rules.iter().enumerate().flat_map(|(number, rule)| {
        let each = rule.requires.iter().enumerate();
        each.map(move |(place, one)| (format!("/rules/{number}/requires/{place}"), one))
    });
    own.chain(of_rules)
}

/// Writes one flag.
struct Writer<'a, 'd> {
    key: &'d str,
    flag: &'d Flag,
    definitions: &'d Definitions,
    conditions: &'a mut Conditions<'d>,
}

/// What a rule gives, and to which part of all.
struct Given<'a> {
    serve: Option<&'a str>,
    buckets: Option<&'a Buckets>,
    by: Option<&'a str>,
    or_by: &'a [String],
    /// The field of what is handed out in our order, if that is said.
    native: Option<&'static str>,
}

impl<'a> Given<'a> {
    fn of_rule(rule: &'a Rule) -> Self {
        Self {
            serve: rule.serve.as_deref(),
            buckets: rule.buckets.as_ref(),
            by: rule.by.as_deref(),
            or_by: &rule.or_by,
            native: native(rule.split.is_some(), rule.rollout.is_some()),
        }
    }

    fn of_all(otherwise: &'a Outcome) -> Self {
        Self {
            serve: otherwise.serve.as_deref(),
            buckets: otherwise.buckets.as_ref(),
            by: otherwise.by.as_deref(),
            or_by: &otherwise.or_by,
            native: native(otherwise.split.is_some(), otherwise.rollout.is_some()),
        }
    }
}

impl Writer<'_, '_> {
    fn feature(&mut self) -> Result<Json, Fault> {
        let pointer = format!("/flags/{}", part(self.key));
        let targeting = &self.flag.targeting;
        let off = self.value(&targeting.off).clone();
        if !targeting.enabled {
            return Ok(json!({ "defaultValue": off }));
        }
        let parents = self.parents(&targeting.prerequisites, &format!("{pointer}/prerequisites"))?;
        let mut rules = Vec::new();
        for (place, one) in targeting.overrides.iter().enumerate() {
            let at = format!("{pointer}/overrides/{place}");
            let condition = condition::one_of(&one.by, "$in", &one.values, &at)?;
            rules.push(fields([
                ("condition", condition),
                ("force", self.value(&one.serve).clone()),
            ]));
        }
        for (place, rule) in targeting.rules.iter().enumerate() {
            rules.extend(self.rule(rule, place, &format!("{pointer}/rules/{place}"))?);
        }
        let otherwise = &targeting.otherwise;
        if let (Some(variant), []) = (&otherwise.serve, parents.as_slice()) {
            return Ok(json!({ "defaultValue": self.value(variant), "rules": rules }));
        }
        let at = format!("{pointer}/otherwise");
        rules.extend(self.given(&Given::of_all(otherwise), &own_key(self.key, OTHERWISE), &at)?);
        // Where prerequisites fail, no rule is left, and the default is what remains.
        for rule in rules.iter_mut().filter(|_| !parents.is_empty()) {
            let own = rule.entry("parentConditions").or_insert_with(|| json!([]));
            if let Json::Array(own) = own {
                own.splice(..0, parents.iter().cloned());
            }
        }
        Ok(json!({ "defaultValue": off, "rules": rules }))
    }

    fn value(&self, variant: &str) -> &Json {
        self.flag.variants.get(variant).unwrap_or(&Json::Null)
    }

    /// What other features must have for a rule.
    fn parents(&self, needed: &[Prerequisite], at: &str) -> Result<Vec<Json>, Fault> {
        let mut parents = Vec::new();
        for (place, needed) in needed.iter().enumerate() {
            let at = format!("{at}/{place}");
            let Some(other) = self.definitions.flags.get(&needed.flag) else {
                let detail = format!("There is no flag `{}`.", needed.flag);
                return Err(Fault::new(format!("{at}/flag"), "flag_unknown", detail));
            };
            let is_wanted = |name: &String| needed.variants.contains(name);
            let wanted: Vec<&Json> = pick(other, is_wanted);
            let unwanted: Vec<&Json> = pick(other, |name| !is_wanted(name));
            if wanted
                .iter()
                .any(|value| unwanted.iter().any(|other| is_equal(value, other)))
            {
                let detail =
                    "SDKs know other flags by their values, and two of its variants have the same one.";
                return Err(Fault::new(format!("{at}/variants"), "values_alike", detail));
            }
            let (whole, single): (Vec<&Json>, Vec<&Json>) = wanted
                .into_iter()
                .partition(|value| value.is_array() || value.is_object());
            if whole.iter().any(|value| may_be_operators(value)) {
                let detail = "A value whose fields all begin with `$` would be taken for a condition.";
                return Err(Fault::new(format!("{at}/variants"), "value_unsaid", detail));
            }
            let mut any: Vec<Json> = whole.iter().map(|value| json!({ "value": value })).collect();
            any.push(json!({ "value": { "$in": single } }));
            let condition = if any.len() == 1 {
                any.remove(0)
            } else {
                json!({ "$or": any })
            };
            parents.push(json!({ "id": needed.flag, "condition": condition }));
        }
        Ok(parents)
    }

    fn rule(&mut self, rule: &Rule, place: usize, at: &str) -> Result<Option<Map<String, Json>>, Fault> {
        if rule.from.is_some() || rule.until.is_some() {
            let detail = "SDKs do not know from when on and until when a rule holds.";
            return Err(Fault::new(at, "window_unsaid", detail));
        }
        if rule.logic.is_some() {
            let detail = "SDKs of GrowthBook do not know JSONLogic.";
            return Err(Fault::new(format!("{at}/logic"), "logic_unsaid", detail));
        }
        let name = match &rule.name {
            Some(name) => name.clone(),
            None => format!("#{}", place + 1),
        };
        let given = self.given(&Given::of_rule(rule), &experiment_key(self.key, rule, place), at)?;
        let Some(mut written) = given else {
            return Ok(None);
        };
        written.insert("id".to_owned(), name.into());
        let parents = self.parents(&rule.requires, &format!("{at}/requires"))?;
        if !parents.is_empty() {
            written.insert("parentConditions".to_owned(), parents.into());
        }
        if let Some(when) = &rule.when {
            let condition = self.conditions.write(when, &format!("{at}/when"))?;
            written.insert("condition".to_owned(), condition);
        }
        let mut filters = Vec::new();
        for (number, gate) in rule.gates.iter().enumerate() {
            filters.push(filter(gate, &format!("{at}/gates/{number}"))?);
        }
        if !filters.is_empty() {
            written.insert("filters".to_owned(), filters.into());
        }
        Ok(Some(written))
    }

    /// What is given; none if nobody gets anything.
    fn given(&self, given: &Given<'_>, key: &str, at: &str) -> Result<Option<Map<String, Json>>, Fault> {
        if let Some(field) = given.native {
            return Err(order_unknown(&format!("{at}/{field}")));
        }
        if let Some(variant) = given.serve {
            return Ok(Some(fields([("force", self.value(variant).clone())])));
        }
        let (Some(buckets), Some(by)) = (given.buckets, given.by) else {
            return Err(Fault::new(
                at,
                "outcome_invalid",
                "It says nothing that could be given.",
            ));
        };
        let at = format!("{at}/buckets");
        let (version, places) = hash_of(buckets.dialect).ok_or_else(|| order_unknown(&at))?;
        if !given.or_by.is_empty() {
            let detail = "Only SDKs that keep assignments know an attribute in the place of another.";
            return Err(Fault::new(at, "attribute_in_place", detail));
        }
        if buckets.key.is_empty() {
            let detail = "SDKs put units in order by another key if there is none.";
            return Err(Fault::new(format!("{at}/key"), "key_empty", detail));
        }
        let parts = ranges(buckets, places);
        let mut written = fields([
            ("seed", buckets.key.as_str().into()),
            ("hashAttribute", by.into()),
            ("hashVersion", version.into()),
        ]);
        match parts.as_slice() {
            [] => return Ok(None),
            // One variation alone is no experiment.
            [(variant, range)] => {
                written.insert("force".to_owned(), self.value(variant).clone());
                written.insert("range".to_owned(), range.clone());
            }
            parts => written.extend(self.variations(parts, key)),
        }
        Ok(Some(written))
    }

    fn variations(&self, parts: &[(&str, Json)], key: &str) -> Map<String, Json> {
        let mut names = BTreeSet::new();
        let mut meta = Vec::new();
        for (place, (variant, _)) in parts.iter().enumerate() {
            // What SDKs keep must say which part it is.
            let name = match names.insert(*variant) {
                true => (*variant).to_owned(),
                false => format!("{variant}#{place}"),
            };
            meta.push(json!({ "key": name }));
        }
        let values: Vec<&Json> = parts.iter().map(|(variant, _)| self.value(variant)).collect();
        let ranges: Vec<&Json> = parts.iter().map(|(_, range)| range).collect();
        fields([
            ("key", key.into()),
            ("variations", json!(values)),
            ("ranges", json!(ranges)),
            ("meta", meta.into()),
        ])
    }
}

fn fields<const N: usize>(fields: [(&str, Json); N]) -> Map<String, Json> {
    let each = fields.into_iter().map(|(name, value)| (name.to_owned(), value));
    each.collect()
}

fn pick(flag: &Flag, is_wanted: impl Fn(&String) -> bool) -> Vec<&Json> {
    let found = flag.variants.iter().filter(|(name, _)| is_wanted(name));
    found.map(|(_, value)| value).collect()
}

fn may_be_operators(value: &Json) -> bool {
    super::condition::operators(value).is_some()
}

/// What SDKs of GrowthBook track a rule of a flag as, at its place from 0: by its name, if its parts are put in order as
/// GrowthBook does it, since it may have come from there; else with the flag's key, since others may have the same name.
pub fn experiment_key(flag: &str, rule: &Rule, place: usize) -> String {
    let dialect = rule.buckets.as_ref().map(|buckets| buckets.dialect);
    let is_theirs = dialect.is_some_and(|dialect| hash_of(dialect).is_some());
    match &rule.name {
        Some(name) if is_theirs && !name.starts_with('#') => name.clone(),
        Some(name) => own_key(flag, name),
        None => own_key(flag, &format!("#{}", place + 1)),
    }
}

/// What the experiment of a rule is called that has no name of its own among all flags.
pub fn own_key(flag: &str, rule: &str) -> String {
    format!("{flag}:{rule}")
}

/// The version of GrowthBook's hash that a dialect is, and how many places it knows.
const fn hash_of(dialect: Dialect) -> Option<(u32, u32)> {
    match dialect {
        Dialect::GrowthbookV1 => Some((1, 1000)),
        Dialect::GrowthbookV2 => Some((2, 10_000)),
        Dialect::Native | Dialect::Unleash | Dialect::Launchdarkly => None,
    }
}

fn native(is_split: bool, is_rollout: bool) -> Option<&'static str> {
    match (is_split, is_rollout) {
        (true, _) => Some("split"),
        (_, true) => Some("rollout"),
        _ => None,
    }
}

fn order_unknown(at: &str) -> Fault {
    let detail = "SDKs of GrowthBook put units in order by `growthbook_v1` and `growthbook_v2` only.";
    Fault::new(at, "order_unknown", detail)
}

/// The variants of parts, and from where to where each goes.
fn ranges(buckets: &Buckets, places: u32) -> Vec<(&str, Json)> {
    let mut from = 0_u32;
    let mut ranges = Vec::new();
    for part in &buckets.parts {
        let to = from.saturating_add(part.weight);
        if let Some(variant) = part.serve.as_deref().filter(|_| part.weight > 0) {
            ranges.push((variant, json!([place_of(from, places), place_of(to, places)])));
        }
        from = to;
    }
    ranges
}

/// Where a place stands, as the hash says it.
fn place_of(place: u32, places: u32) -> f64 {
    f64::from(place) / f64::from(places)
}

fn filter(gate: &Gate, at: &str) -> Result<Json, Fault> {
    let (version, places) = hash_of(gate.dialect).ok_or_else(|| order_unknown(at))?;
    if !gate.or_by.is_empty() {
        let detail = "SDKs know one attribute for each filter.";
        return Err(Fault::new(format!("{at}/or_by"), "attribute_in_place", detail));
    }
    let place = |percent: f64| place_of((percent * f64::from(places) / 100.0).round() as u32, places);
    let ranges: Vec<_> = gate
        .parts
        .iter()
        .map(|(from, to)| json!([place(*from), place(*to)]))
        .collect();
    Ok(json!({ "seed": gate.key, "attribute": gate.by, "hashVersion": version, "ranges": ranges }))
}

#[cfg(test)]
mod tests;
