//! JSONLogic that says what our rules say, as rules.
//!
//! Only what gives everybody the same in both: JSONLogic compares values of different kinds in its own way, so our comparisons
//! are of texts only, and numbers, which are 0 in JSONLogic where nothing is known, stay logic.

use std::collections::BTreeMap;

use eval::definition::{Buckets, Condition, Dialect, Op, Outcome, Part, Rule, Test};
use serde_json::{Map, Value};

use super::read::rule_of;
use super::{TARGETING_KEY, USER};
use crate::serve;

/// What logic says as rules; `None` if only logic says it.
pub(super) fn rules(logic: &Value, flag: &str, variants: &BTreeMap<String, Value>) -> Option<Vec<Rule>> {
    let reader = Reader { flag, variants };
    let mut rules = Vec::new();
    reader.branch(logic, &mut rules)?;
    Some(rules)
}

struct Reader<'a> {
    flag: &'a str,
    variants: &'a BTreeMap<String, Value>,
}

/// The one operator of an object, and its arguments.
fn operator(value: &Value) -> Option<(&str, &[Value])> {
    let fields: &Map<String, Value> = value.as_object()?;
    let (name, arguments) = fields.iter().next().filter(|_| fields.len() == 1)?;
    let arguments = arguments
        .as_array()
        .map_or(std::slice::from_ref(arguments), Vec::as_slice);
    Some((name, arguments))
}

impl Reader<'_> {
    /// Adds the rules of what comes in the place of an answer.
    fn branch(&self, value: &Value, rules: &mut Vec<Rule>) -> Option<()> {
        let Some(("if" | "?:", parts)) = operator(value) else {
            // Nothing at the end is what comes after all rules.
            if !value.is_null() {
                rules.push(rule_of(self.leaf(value)?, None));
            }
            return Some(());
        };
        let (pairs, rest) = parts.as_chunks::<2>();
        for [when, then] in pairs {
            rules.push(rule_of(self.leaf(then)?, Some(condition(when)?)));
        }
        match rest {
            [otherwise] => self.branch(otherwise, rules),
            _ => Some(()),
        }
    }

    /// An answer that is always one: a variant, or a part of all units.
    fn leaf(&self, value: &Value) -> Option<Outcome> {
        match value {
            Value::Object(_) => self.fraction(value),
            value => Some(serve(&self.variant(value)?)),
        }
    }

    fn variant(&self, value: &Value) -> Option<String> {
        let name = match value {
            Value::String(name) => name.clone(),
            Value::Bool(is) => is.to_string(),
            _ => return None,
        };
        self.variants.contains_key(&name).then_some(name)
    }

    /// A fraction of all units, which are told apart by the flag's key and theirs.
    fn fraction(&self, value: &Value) -> Option<Outcome> {
        let ("fractional", parts) = operator(value)? else {
            return None;
        };
        let parts: Vec<_> = parts.iter().map(|part| self.part(part)).collect::<Option<_>>()?;
        let weight: u64 = parts.iter().map(|part| u64::from(part.weight)).sum();
        let is_whole = (1..=i32::MAX as u64).contains(&weight);
        is_whole.then(|| Outcome {
            buckets: Some(Buckets {
                dialect: Dialect::Native,
                key: self.flag.to_owned(),
                parts,
            }),
            by: Some(TARGETING_KEY.to_owned()),
            or_by: vec![USER.to_owned()],
            ..Outcome::default()
        })
    }

    fn part(&self, value: &Value) -> Option<Part> {
        let (variant, weight) = match value.as_array()?.as_slice() {
            [variant] => (variant, 1),
            [variant, weight] => (variant, u32::try_from(weight.as_u64()?).ok()?),
            _ => return None,
        };
        let serve = Some(self.variant(variant)?);
        Some(Part { weight, serve })
    }
}

/// What logic says of an attribute as a condition.
fn condition(value: &Value) -> Option<Condition> {
    let (name, arguments) = operator(value)?;
    match (name, arguments) {
        ("and", [_, ..]) => Some(Condition::All {
            all: arguments.iter().map(condition).collect::<Option<_>>()?,
        }),
        ("or", [_, ..]) => Some(Condition::Any {
            any: arguments.iter().map(condition).collect::<Option<_>>()?,
        }),
        ("!", [one]) => Some(not(condition(one)?)),
        ("!!", [one]) => condition(one),
        ("==", [one, other]) => equal(one, other, is_only_itself),
        ("!=", [one, other]) => equal(one, other, is_only_itself).map(not),
        ("===", [one, other]) => equal(one, other, |_| true),
        ("!==", [one, other]) => equal(one, other, |_| true).map(not),
        ("starts_with", [attribute, Value::String(text)]) => {
            test(attribute, Op::StartsWith, vec![text.clone()])
        }
        ("ends_with", [attribute, Value::String(text)]) => test(attribute, Op::EndsWith, vec![text.clone()]),
        ("in", [attribute, Value::Array(values)]) => {
            let texts = values.iter().map(|value| value.as_str().map(str::to_owned));
            test(attribute, Op::In, texts.collect::<Option<_>>()?)
        }
        ("in", [Value::String(text), attribute]) => {
            let contains = test(attribute, Op::Contains, vec![text.clone()])?;
            let Condition::Attribute(Test { attribute, .. }) = &contains else {
                return None;
            };
            let has = Condition::Attribute(Test {
                attribute: attribute.clone(),
                op: Op::HasAll,
                values: vec![text.clone()],
                ignore_case: false,
                text_only: false,
                short: false,
            });
            Some(Condition::Any {
                any: vec![contains, has],
            })
        }
        _ => None,
    }
}

fn not(condition: Condition) -> Condition {
    Condition::Not {
        not: Box::new(condition),
    }
}

fn equal(one: &Value, other: &Value, is_sayable: impl Fn(&str) -> bool) -> Option<Condition> {
    let (attribute, text) = match (one, other) {
        (attribute, Value::String(text)) | (Value::String(text), attribute) => (attribute, text),
        _ => return None,
    };
    is_sayable(text).then(|| test(attribute, Op::In, vec![text.clone()]))?
}

/// Whether no value of another kind is loosely equal to a text: it is no number, and not empty, which is one.
fn is_only_itself(text: &str) -> bool {
    let text = text.trim();
    let first = text.trim_start_matches(['+', '-', '.']).chars().next();
    let is_number = first.is_none_or(|first| first.is_ascii_digit()) || text.parse::<f64>().is_ok();
    // What a list or an object is as a text is left out as well.
    let is_other = ["true", "false", "null"].contains(&text) || text.starts_with('[') || text.contains(',');
    !is_number && !is_other
}

/// A comparison of an attribute, if it is a text.
fn test(attribute: &Value, op: Op, values: Vec<String>) -> Option<Condition> {
    let ("var", [Value::String(attribute)]) = operator(attribute)? else {
        return None;
    };
    // `user_id` may stand for the key, and flagd's own are no attributes.
    let is_plain = !attribute.is_empty() && attribute != TARGETING_KEY && !attribute.starts_with("$flagd");
    is_plain.then(|| {
        Condition::Attribute(Test {
            attribute: attribute.clone(),
            op,
            values,
            ignore_case: false,
            text_only: true,
            short: false,
        })
    })
}
