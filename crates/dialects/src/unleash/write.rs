//! Flags as features, for Unleash's clients.
//!
//! A flag that they would evaluate otherwise than we do is refused: another hash, another order of units, a rule that is logic.
//! A context carries texts, so only for those is what is written the same.

use std::collections::{BTreeMap, BTreeSet};

use eval::Definitions;
use eval::definition::{
    Buckets, Condition, Dialect, Flag, Gate, Op, Outcome, Prerequisite, Rule, Span, Test,
};
use serde_json::{Value, json};

use super::answer::NONE;
use super::{RANDOM, SESSION, USER, payload};
use crate::{Fault, Finding, Writing, part};

mod conditions;

/// The weight of all variants together.
const WHOLE: u32 = 1000;

/// Writes flags as the document that clients get (`/api/client/features`).
pub fn write(definitions: &Definitions) -> Writing {
    let mut features = BTreeMap::new();
    let mut refused = Vec::new();
    for (key, flag) in &definitions.flags {
        match Writer::new(key, flag, definitions).feature() {
            Ok(feature) => {
                features.insert(key.as_str(), feature);
            }
            Err(fault) => refused.push(fault.of(key)),
        }
    }
    join(definitions, &mut features, &mut refused);
    let features: Vec<_> = features.into_values().collect();
    Writing {
        document: json!({ "version": 2, "features": features, "segments": [] }),
        refused,
    }
}

/// Adds parents, and takes out what has none of those that it needs.
fn join(definitions: &Definitions, features: &mut BTreeMap<&str, Value>, refused: &mut Vec<Finding>) {
    let written: BTreeSet<String> = features.keys().map(|key| (*key).to_owned()).collect();
    let mut wrong = Vec::new();
    for (key, feature) in features.iter_mut() {
        let needed = &definitions.flags[*key].targeting.prerequisites;
        let parents: Result<Vec<_>, _> = (needed.iter().enumerate())
            .map(|(place, one)| {
                let pointer = format!("/flags/{}/prerequisites/{place}", part(key));
                parent(one, definitions, &written)
                    .map_err(|detail| Fault::new(pointer, "prerequisite_unsayable", detail))
            })
            .collect();
        match parents {
            Ok(parents) if parents.is_empty() => {}
            Ok(parents) => feature["dependencies"] = parents.into(),
            Err(fault) => wrong.push(fault.of(key)),
        }
    }
    for finding in &wrong {
        features.remove(finding.flag.as_str());
    }
    refused.append(&mut wrong);
}

/// What must hold of another feature.
fn parent(
    source: &Prerequisite,
    definitions: &Definitions,
    written: &BTreeSet<String>,
) -> Result<Value, String> {
    let name = &source.flag;
    let Some(other) = definitions.flags.get(name).filter(|_| written.contains(name)) else {
        return Err(format!("The flag `{name}` cannot be written."));
    };
    if !other.targeting.prerequisites.is_empty() {
        return Err(format!(
            "The flag `{name}` has prerequisites itself, which clients do not follow."
        ));
    }
    let off = &other.targeting.off;
    let is_wanted = |name: &String| source.variants.contains(name);
    let (wanted, others): (Vec<_>, Vec<_>) = other
        .variants
        .iter()
        .filter(|(name, _)| *name != off)
        .partition(|(name, _)| is_wanted(name));
    if is_wanted(off) {
        return match wanted.is_empty() {
            true => Ok(json!({ "feature": name, "enabled": false })),
            false => {
                Err("Clients ask whether a parent is off, or for its variants, not for either.".to_owned())
            }
        };
    }
    if others.is_empty() {
        return Ok(json!({ "feature": name, "enabled": true }));
    }
    let theirs = |(ours, value): (&String, &Value)| {
        payload::variant(ours, value).map_or_else(|| NONE.to_owned(), |(name, _)| name)
    };
    let wanted: BTreeSet<_> = wanted.into_iter().map(theirs).collect();
    if wanted.is_empty() || others.into_iter().map(theirs).any(|name| wanted.contains(&name)) {
        return Err("Clients cannot tell these variants of the parent from its others.".to_owned());
    }
    Ok(json!({ "feature": name, "enabled": true, "variants": wanted }))
}

/// Writes one flag.
struct Writer<'a> {
    key: &'a str,
    flag: &'a Flag,
    definitions: &'a Definitions,
    /// For whom a rule before has decided that it is off.
    denied: Vec<Condition>,
    strategies: Vec<Value>,
    /// The variants of all strategies that have none of their own.
    variants: Option<Vec<Value>>,
    /// Whether a strategy is on without a variant.
    has_plain: bool,
}

impl<'a> Writer<'a> {
    const fn new(key: &'a str, flag: &'a Flag, definitions: &'a Definitions) -> Self {
        Self {
            key,
            flag,
            definitions,
            denied: Vec::new(),
            strategies: Vec::new(),
            variants: None,
            has_plain: false,
        }
    }

    fn feature(mut self) -> Result<Value, Fault> {
        let pointer = format!("/flags/{}", part(self.key));
        let targeting = &self.flag.targeting;
        for (place, one) in targeting.overrides.iter().enumerate() {
            let rule = Rule {
                when: Some(Condition::Attribute(Test {
                    attribute: one.by.clone(),
                    op: Op::In,
                    values: one.values.clone(),
                    ignore_case: false,
                    text_only: false,
                    short: false,
                })),
                serve: Some(one.serve.clone()),
                ..Rule::default()
            };
            self.rule(&rule, &format!("{pointer}/overrides/{place}"))?;
        }
        for (place, rule) in targeting.rules.iter().enumerate() {
            self.rule(rule, &format!("{pointer}/rules/{place}"))?;
        }
        let Outcome {
            serve,
            split,
            buckets,
            rollout,
            by,
            or_by,
        } = targeting.otherwise.clone();
        let last = Rule {
            serve,
            split,
            buckets,
            rollout,
            by,
            or_by,
            ..Rule::default()
        };
        self.rule(&last, &format!("{pointer}/otherwise"))?;
        if self.variants.is_some() && self.has_plain {
            let detail = "Clients give the feature's variants to each strategy that has none of its own.";
            return Err(Fault::new(pointer, "variants_mixed", detail));
        }
        if self.strategies.is_empty() {
            // Without a strategy, a feature is on for everybody.
            let nobody =
                json!({ "contextName": "userId", "operator": "IN", "values": [], "inverted": false });
            self.strategies
                .push(json!({ "name": "default", "parameters": {}, "constraints": [nobody] }));
        }
        Ok(json!({
            "name": self.key,
            "type": "release",
            "enabled": targeting.enabled,
            "project": "default",
            "stale": false,
            "impressionData": false,
            "strategies": self.strategies,
            "variants": self.variants.unwrap_or_default(),
        }))
    }

    /// Adds the strategies of a rule; one for each way in which its condition can hold.
    fn rule(&mut self, rule: &Rule, pointer: &str) -> Result<(), Fault> {
        if !rule.requires.is_empty() {
            let detail = "Clients ask for parents of a whole feature, and not of one of its strategies.";
            let at = format!("{pointer}/requires");
            return Err(Fault::new(at, "prerequisite_unsayable", detail));
        }
        let mut all = self.denied.clone();
        let mut own: Vec<_> = rule.when.iter().cloned().collect();
        if rule.from.is_some() || rule.until.is_some() {
            let (from, until) = (rule.from.clone(), rule.until.clone());
            own.push(Condition::During {
                during: Span { from, until },
            });
        }
        if rule.serve.as_ref() == Some(&self.flag.targeting.off) {
            return self.deny(rule, own, pointer);
        }
        let strategy = self.strategy(rule, pointer)?;
        all.extend(own);
        let ways = conditions::ways(
            &Condition::All { all },
            self.definitions,
            &format!("{pointer}/when"),
        )?;
        for constraints in ways {
            let mut one = strategy.clone();
            one["constraints"] = constraints.into();
            self.strategies.push(one);
        }
        let most = conditions::WAYS_MAX;
        match self.strategies.len() > most {
            true => Err(Fault::new(
                pointer,
                "too_large",
                format!("It takes more than {most} strategies."),
            )),
            false => Ok(()),
        }
    }

    /// Keeps those whom a rule turns away from all that come after it.
    fn deny(&mut self, rule: &Rule, own: Vec<Condition>, pointer: &str) -> Result<(), Fault> {
        if !rule.gates.is_empty() {
            let detail = "Clients cannot turn a share of all away.";
            return Err(Fault::new(format!("{pointer}/gates"), "gate_unsayable", detail));
        }
        let not = Box::new(Condition::All { all: own });
        self.denied.push(Condition::Not { not });
        Ok(())
    }

    /// A strategy without its constraints.
    fn strategy(&mut self, rule: &Rule, pointer: &str) -> Result<Value, Fault> {
        let gate = gate(&rule.gates, pointer)?;
        let mut strategy = match &gate {
            Some((gate, stickiness, percent)) => rollout(&gate.key, stickiness, *percent),
            None => json!({ "name": "default", "parameters": {} }),
        };
        if let Some(name) = &rule.name {
            strategy["title"] = name.as_str().into();
        }
        match (&rule.serve, &rule.buckets, &rule.by) {
            (Some(serve), None, None) => match self.variant(serve, WHOLE, "default") {
                Some(variant) => strategy["variants"] = json!([variant]),
                None => self.has_plain = true,
            },
            (None, Some(buckets), Some(by)) => {
                let at = format!("{pointer}/buckets");
                let (stickiness, variants) = self.parts(buckets, by, &rule.or_by, &at)?;
                match &gate {
                    None if buckets.key.is_empty() => {
                        let detail = "An empty key is the feature's name to clients.";
                        return Err(Fault::new(format!("{at}/key"), "key_unsayable", detail));
                    }
                    None => {
                        let title = strategy["title"].take();
                        strategy = rollout(&buckets.key, &stickiness, 100);
                        strategy["parameters"]["stickiness"] = "default".into();
                        strategy["variants"] = variants.into();
                        if !title.is_null() {
                            strategy["title"] = title;
                        }
                    }
                    Some((gate, ..)) if gate.key == buckets.key => strategy["variants"] = variants.into(),
                    Some(_)
                        if buckets.key == self.key
                            && self.variants.as_ref().is_none_or(|known| *known == variants) =>
                    {
                        self.variants = Some(variants);
                    }
                    Some(_) => {
                        let detail = "With Unleash a roll-out and its variants have one key, or these that of the feature.";
                        return Err(Fault::new(format!("{at}/key"), "key_unsayable", detail));
                    }
                }
            }
            (None, None, _) if rule.logic.is_some() => {
                return Err(Fault::new(
                    format!("{pointer}/logic"),
                    "logic_unsayable",
                    "Unleash has no logic.",
                ));
            }
            _ => {
                let detail = "Unleash puts units in another order: use `buckets` with the dialect `unleash`.";
                let field = if rule.rollout.is_some() {
                    "rollout"
                } else {
                    "split"
                };
                return Err(Fault::new(
                    format!("{pointer}/{field}"),
                    "dialect_unsayable",
                    detail,
                ));
            }
        }
        Ok(strategy)
    }

    /// Variants in their order, and what they stick to.
    fn parts(
        &self,
        buckets: &Buckets,
        by: &str,
        or_by: &[String],
        pointer: &str,
    ) -> Result<(String, Vec<Value>), Fault> {
        if buckets.dialect != Dialect::Unleash {
            let detail = "Unleash puts units in another order: use the dialect `unleash`.";
            return Err(Fault::new(
                format!("{pointer}/dialect"),
                "dialect_unsayable",
                detail,
            ));
        }
        let stickiness = match (by, or_by) {
            (RANDOM, []) => "random".to_owned(),
            (USER, [session, random]) if session == SESSION && random == RANDOM => "default".to_owned(),
            (field, [random]) if random == RANDOM => conditions::field(field, pointer)?,
            _ => {
                let detail =
                    "Clients take a random number for those whom they do not know: use `or_by: [random]`.";
                return Err(Fault::new(pointer, "units_unsayable", detail));
            }
        };
        let mut variants = Vec::new();
        for (place, one) in buckets.parts.iter().enumerate() {
            let serve = one
                .serve
                .as_ref()
                .filter(|name| **name != self.flag.targeting.off);
            let variant = serve.and_then(|name| self.variant(name, one.weight, &stickiness));
            variants.push(variant.ok_or_else(|| {
                let detail = "With Unleash each part has a variant of its own.";
                Fault::new(format!("{pointer}/parts/{place}"), "part_unsayable", detail)
            })?);
        }
        Ok((stickiness, variants))
    }

    /// A variant; none if it stands for on without one.
    fn variant(&self, name: &str, weight: u32, stickiness: &str) -> Option<Value> {
        let (theirs, payload) = payload::variant(name, self.flag.variants.get(name)?)?;
        let mut variant = json!({ "name": theirs, "weight": weight, "stickiness": stickiness });
        if let Some(payload) = payload {
            variant["payload"] = json!(payload);
        }
        Some(variant)
    }
}

fn rollout(group: &str, stickiness: &str, percent: u32) -> Value {
    json!({ "name": "flexibleRollout", "parameters": {
        "rollout": percent.to_string(), "stickiness": stickiness, "groupId": group,
    } })
}

/// The one gate of a rule, what it sticks to, and its percentage.
fn gate<'r>(gates: &'r [Gate], pointer: &str) -> Result<Option<(&'r Gate, String, u32)>, Fault> {
    let one = match gates {
        [] => return Ok(None),
        [one] => one,
        _ => {
            let detail = "A strategy has one roll-out.";
            return Err(Fault::new(format!("{pointer}/gates"), "gate_unsayable", detail));
        }
    };
    let at = format!("{pointer}/gates/0");
    let stickiness = match (&*one.by, &*one.or_by) {
        (RANDOM, []) => "random".to_owned(),
        (USER, [session, random]) if session == SESSION && random == RANDOM => "default".to_owned(),
        (field, []) => conditions::field(field, &at)?,
        _ => {
            let detail = "Clients tell units apart by one field, or by user, session and a random number.";
            return Err(Fault::new(at, "units_unsayable", detail));
        }
    };
    // An empty key is one that Unleash takes for the feature's name.
    match (&*one.parts, one.dialect) {
        ([(from, to)], Dialect::Unleash) if *from == 0.0 && !one.key.is_empty() => {
            Ok(Some((one, stickiness, *to as u32)))
        }
        _ => {
            let detail = "A roll-out is the dialect `unleash`, a key, and a part that begins with 0.";
            Err(Fault::new(at, "gate_unsayable", detail))
        }
    }
}

#[cfg(test)]
mod tests;
