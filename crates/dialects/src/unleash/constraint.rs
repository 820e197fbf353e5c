//! Constraints as conditions.

use eval::definition::{Condition, Op, Span, Test};
use serde_json::Value;

use super::document::Constraint;
use super::{ATTRIBUTES, CURRENT_TIME, HOST, RANDOM};
use crate::{Fault, problem_of};

/// What a constraint is in our words, and what was left out of it.
pub(super) struct Said {
    pub(super) condition: Condition,
    pub(super) left_out: Option<Fault>,
}

/// Says a constraint in our words.
pub(super) fn condition(source: &Constraint, pointer: &str) -> Result<Said, Fault> {
    let mut left_out = None;
    let condition = match &*source.operator {
        "DATE_AFTER" | "DATE_BEFORE" => moment(source, pointer)?,
        "IN_CIDR" => {
            let (networks, others) = networks(source.values.iter().flatten().map(String::as_str));
            if !others.is_empty() {
                let detail = format!("Clients pass over what is no network: {}.", others.join(", "));
                left_out = Some(Fault::new(format!("{pointer}/values"), "network_invalid", detail));
            }
            in_networks(attribute(&source.context_name, pointer)?, networks)
        }
        _ => {
            let test = test(source, pointer)?;
            match test.op {
                // What begins with none of no texts fits nobody.
                Op::StartsWith | Op::EndsWith | Op::Contains if test.values.is_empty() => {
                    Condition::Any { any: Vec::new() }
                }
                _ => Condition::Attribute(test),
            }
        }
    };
    if let Some(problem) = problem_of(&condition) {
        return Err(Fault::new(pointer, problem.code, problem.detail));
    }
    let condition = match source.inverted {
        Some(true) => Condition::Not {
            not: Box::new(condition),
        },
        _ => condition,
    };
    Ok(Said { condition, left_out })
}

/// What a field of the context is called with us.
pub(super) fn attribute(name: &str, pointer: &str) -> Result<String, Fault> {
    if let Some((_, ours)) = ATTRIBUTES.iter().find(|(theirs, _)| *theirs == name) {
        return Ok((*ours).to_owned());
    }
    let is_taken =
        [RANDOM, HOST, CURRENT_TIME].contains(&name) || ATTRIBUTES.iter().any(|(_, ours)| *ours == name);
    if is_taken {
        let detail = format!("`{name}` is what a field of the context is called with us.");
        return Err(Fault::new(pointer, "attribute_taken", detail));
    }
    Ok(name.to_owned())
}

fn test(source: &Constraint, pointer: &str) -> Result<Test, Fault> {
    let (op, has_several) = match &*source.operator {
        "IN" => (Op::In, true),
        "NOT_IN" => (Op::NotIn, true),
        "STR_STARTS_WITH" => (Op::StartsWith, true),
        "STR_ENDS_WITH" => (Op::EndsWith, true),
        "STR_CONTAINS" => (Op::Contains, true),
        "NUM_EQ" => (Op::Eq, false),
        "NUM_GT" => (Op::Gt, false),
        "NUM_GTE" => (Op::Gte, false),
        "NUM_LT" => (Op::Lt, false),
        "NUM_LTE" => (Op::Lte, false),
        "SEMVER_EQ" => (Op::SemverEq, false),
        "SEMVER_GT" => (Op::SemverGt, false),
        "SEMVER_GTE" => (Op::SemverGte, false),
        "SEMVER_LT" => (Op::SemverLt, false),
        "SEMVER_LTE" => (Op::SemverLte, false),
        "REGEX" => (Op::Matches, false),
        other => {
            let detail = format!("`{other}` is no operator that clients know.");
            return Err(Fault::new(
                format!("{pointer}/operator"),
                "operator_unknown",
                detail,
            ));
        }
    };
    let values = match has_several {
        true => source.values.clone().unwrap_or_default(),
        false => vec![value(source, pointer)?],
    };
    if matches!(
        op,
        Op::SemverEq | Op::SemverGt | Op::SemverGte | Op::SemverLt | Op::SemverLte
    ) && !values[0].starts_with(|first: char| first.is_ascii_digit())
    {
        let detail = format!("`{}` is no version to clients.", values[0]);
        return Err(Fault::new(format!("{pointer}/value"), "value_invalid", detail));
    }
    // Capitals make a difference in lists, whatever else is said.
    let is_text = matches!(op, Op::StartsWith | Op::EndsWith | Op::Contains | Op::Matches);
    Ok(Test {
        attribute: attribute(&source.context_name, pointer)?,
        op,
        values,
        ignore_case: is_text && source.case_insensitive == Some(true),
        text_only: false,
        short: false,
    })
}

fn value(source: &Constraint, pointer: &str) -> Result<String, Fault> {
    match &source.value {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(Value::Number(number)) => Ok(number.to_string()),
        _ => Err(Fault::new(
            format!("{pointer}/value"),
            "value_missing",
            "The operator needs a `value`.",
        )),
    }
}

/// The evaluation's moment is after or before one.
fn moment(source: &Constraint, pointer: &str) -> Result<Condition, Fault> {
    if source.context_name != CURRENT_TIME {
        let detail = "Clients compare moments with the current time only.";
        return Err(Fault::new(
            format!("{pointer}/contextName"),
            "operator_unsupported",
            detail,
        ));
    }
    let text = value(source, pointer)?;
    let Ok(moment) = text.trim().parse::<jiff::Timestamp>() else {
        let detail = format!("`{text}` is not a moment, as `2026-11-22T10:00:00Z`.");
        return Err(Fault::new(format!("{pointer}/value"), "value_invalid", detail));
    };
    let during = match &*source.operator {
        "DATE_AFTER" => Span {
            // Ours begins with its first moment, theirs with the one behind it.
            from: moment
                .checked_add(jiff::SignedDuration::from_micros(1))
                .ok()
                .map(|from| from.to_string()),
            until: None,
        },
        _ => Span {
            from: None,
            until: Some(moment.to_string()),
        },
    };
    Ok(Condition::During { during })
}

/// An attribute has one of some values.
pub(super) fn is_one_of(attribute: &str, values: Vec<String>) -> Condition {
    Condition::Attribute(Test {
        attribute: attribute.to_owned(),
        op: Op::In,
        values,
        ignore_case: false,
        text_only: false,
        short: false,
    })
}

/// An attribute is an address in one of some networks.
pub(super) fn in_networks(attribute: String, values: Vec<String>) -> Condition {
    if values.is_empty() {
        return Condition::Any { any: Vec::new() };
    }
    Condition::Attribute(Test {
        attribute,
        op: Op::InNetwork,
        values,
        ignore_case: false,
        text_only: false,
        short: false,
    })
}

/// What are networks or addresses, and what is not.
pub(super) fn networks<'s>(values: impl Iterator<Item = &'s str>) -> (Vec<String>, Vec<String>) {
    let is_one = |value: &String| problem_of(&in_networks(String::new(), vec![value.clone()])).is_none();
    values.map(str::to_owned).partition(is_one)
}
