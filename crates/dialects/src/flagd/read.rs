//! flagd's flags as ours.

use eval::Definitions;
use eval::definition::{Flag, Outcome, Rule, Targeting};
use serde::Deserialize as _;
use serde_json::{Map, Value};

use super::document::{self, Document, State};
use super::{Fractional, targeting};
use crate::{Fault, Meta, Reading, leave_out_what_does_not_compile, part, serve};

/// References within what is referred to.
const REFERENCES_MAX: usize = 16;
/// Values that targeting may have, with what it refers to put in.
const VALUES_MAX: usize = 100_000;

/// Reads flags into ours.
pub fn read(document: &Document, fractional: Fractional) -> Reading {
    let mut reading = Reading::default();
    for (key, source) in &document.flags {
        match flag(key, source, document, fractional) {
            Ok(flag) => {
                reading.definitions.flags.insert(key.clone(), flag);
                let place = format!("/flags/{}", part(key));
                let meta = Meta {
                    place,
                    ..Meta::default()
                };
                reading.flags.insert(key.clone(), meta);
            }
            Err(fault) => reading.refused.push(fault.of(key)),
        }
    }
    let pointer = |key: &str| format!("/flags/{}", part(key));
    let refused = leave_out_what_does_not_compile(&mut reading.definitions, pointer);
    reading.refused.extend(refused);
    reading
}

fn flag(key: &str, source: &Value, document: &Document, fractional: Fractional) -> Result<Flag, Fault> {
    let pointer = format!("/flags/{}", part(key));
    let source = document::Flag::deserialize(source)
        .map_err(|error| Fault::new(&pointer, "shape", error.to_string()))?;
    let mut variants: std::collections::BTreeMap<String, Value> = source.variants.into_iter().collect();
    let default = match source.default_variant {
        Some(name) if variants.contains_key(&name) => Some(name),
        Some(name) => {
            let detail = format!("The flag has no variant `{name}`.");
            return Err(Fault::new(
                format!("{pointer}/defaultVariant"),
                "variant_unknown",
                detail,
            ));
        }
        None => None,
    };
    let enabled = source.state == State::Enabled;
    let mut none = || {
        let mut name = "none".to_owned();
        while variants.contains_key(&name) {
            name.push('-');
        }
        variants.insert(name.clone(), Value::Null);
        name
    };
    let off = match &default {
        Some(default) if enabled => default.clone(),
        _ => none(),
    };
    let default = default.unwrap_or_else(|| off.clone());
    let targeting = source
        .targeting
        .filter(|targeting| *targeting != Value::Object(Map::new()));
    let rules = match targeting {
        None | Some(Value::Null) => Vec::new(),
        Some(source) => {
            let at = format!("{pointer}/targeting");
            let mut expansion = Expansion {
                evaluators: &document.evaluators,
                fractional,
                left: VALUES_MAX,
            };
            let logic = expansion.value(&source, &at, 0)?;
            targeting::rules(&logic, key, &variants).unwrap_or_else(|| vec![rule_of_logic(logic)])
        }
    };
    let flag = Flag {
        version: 0,
        variants,
        targeting: Targeting {
            enabled,
            off,
            prerequisites: Vec::new(),
            overrides: Vec::new(),
            rules,
            otherwise: serve(&default),
        },
    };
    compiles(key, flag, &pointer)
}

/// The rule that is logic.
pub(super) fn rule_of_logic(logic: Value) -> Rule {
    Rule {
        logic: Some(logic),
        ..Rule::default()
    }
}

/// The flag, unless our compiler has something against it; then the place of it is told in flagd's words.
fn compiles(key: &str, flag: Flag, pointer: &str) -> Result<Flag, Fault> {
    let definitions = Definitions {
        flags: [(key.to_owned(), flag.clone())].into(),
        ..Definitions::default()
    };
    let Err(problems) = eval::Flags::compile(&definitions) else {
        return Ok(flag);
    };
    let Some(problem) = problems.into_iter().next() else {
        return Ok(flag);
    };
    let ours = format!("/flags/{}/rules/0/logic", part(key));
    let rest = problem.pointer.strip_prefix(&ours);
    let pointer = rest.map_or_else(|| pointer.to_owned(), |rest| format!("{pointer}/targeting{rest}"));
    Err(Fault::new(pointer, problem.code, problem.detail))
}

/// Puts in what logic refers to, and calls fractions by their version.
struct Expansion<'a> {
    evaluators: &'a Map<String, Value>,
    fractional: Fractional,
    left: usize,
}

impl Expansion<'_> {
    fn value(&mut self, source: &Value, pointer: &str, references: usize) -> Result<Value, Fault> {
        self.left = self.left.checked_sub(1).ok_or_else(|| {
            let detail = format!("With what it refers to, targeting has more than {VALUES_MAX} values.");
            Fault::new(pointer, "too_large", detail)
        })?;
        match source {
            Value::Array(all) => {
                let all = all.iter().enumerate();
                let all = all.map(|(place, one)| self.value(one, &format!("{pointer}/{place}"), references));
                Ok(Value::Array(all.collect::<Result<_, _>>()?))
            }
            Value::Object(fields) => match fields.get("$ref") {
                Some(Value::String(name)) if fields.len() == 1 => self.reference(name, pointer, references),
                _ => {
                    let each = fields.iter().map(|(name, value)| {
                        let at = format!("{pointer}/{}", part(name));
                        Ok((self.name(name).to_owned(), self.value(value, &at, references)?))
                    });
                    Ok(Value::Object(each.collect::<Result<_, Fault>>()?))
                }
            },
            plain => Ok(plain.clone()),
        }
    }

    fn reference(&mut self, name: &str, pointer: &str, references: usize) -> Result<Value, Fault> {
        let at = format!("{pointer}/$ref");
        let Some(evaluator) = self.evaluators.get(name) else {
            let detail = format!("There is no evaluator `{name}`.");
            return Err(Fault::new(at, "evaluator_unknown", detail));
        };
        if references >= REFERENCES_MAX {
            let detail = format!("References lead further than {REFERENCES_MAX} times, or in a circle.");
            return Err(Fault::new(at, "too_deep", detail));
        }
        self.value(evaluator, pointer, references + 1)
    }

    fn name<'n>(&self, name: &'n str) -> &'n str {
        match (name, self.fractional) {
            ("fractional", Fractional::V1) => "fractional_v1",
            ("fractional", Fractional::V3) => "fractional_v3",
            _ => name,
        }
    }
}

/// An outcome as that of a rule.
pub(super) fn rule_of(outcome: Outcome, when: Option<eval::definition::Condition>) -> Rule {
    Rule {
        when,
        serve: outcome.serve,
        buckets: outcome.buckets,
        by: outcome.by,
        or_by: outcome.or_by,
        ..Rule::default()
    }
}
