//! Conditions in JSONLogic, such that values of each kind are compared as we do.

use eval::Definitions;
use eval::definition::{Condition, Op, Span, Test};
use serde_json::{Value, json};

use super::attribute;
use crate::Fault;

/// Segments within segments.
const DEPTH_MAX: usize = 64;

/// What a condition is in JSONLogic.
pub(super) fn logic(
    condition: &Condition,
    definitions: &Definitions,
    pointer: &str,
    depth: usize,
) -> Result<Value, Fault> {
    if depth > DEPTH_MAX {
        return Err(Fault::new(pointer, "too_deep", "Its conditions lead too deep."));
    }
    let inner = |one: &Condition| logic(one, definitions, pointer, depth + 1);
    match condition {
        Condition::All { all } if all.is_empty() => Ok(true.into()),
        Condition::Any { any } if any.is_empty() => Ok(false.into()),
        Condition::All { all } => Ok(json!({ "and": all.iter().map(inner).collect::<Result<Vec<_>, _>>()? })),
        Condition::Any { any } => Ok(json!({ "or": any.iter().map(inner).collect::<Result<Vec<_>, _>>()? })),
        Condition::Not { not } => Ok(json!({ "!": [inner(not)?] })),
        Condition::Segment { segment } => match definitions.segments.get(segment) {
            Some(segment) => inner(&segment.when),
            None => Err(Fault::new(
                pointer,
                "segment_unknown",
                format!("There is no segment `{segment}`."),
            )),
        },
        Condition::During { during: span } => during(span, pointer),
        Condition::Share { share } => super::share(share, pointer),
        Condition::Element { .. } => {
            let detail = "JSONLogic cannot tell a text of a list from what else is in it.";
            Err(Fault::new(pointer, "operator_unsayable", detail))
        }
        Condition::Attribute(test) => compared(test, pointer),
    }
}

/// Whether the evaluation's moment lies in a span of time.
pub(super) fn during(span: &Span, pointer: &str) -> Result<Value, Fault> {
    let mut all = Vec::new();
    for (moment, operator) in [(&span.from, ">="), (&span.until, "<")] {
        let Some(text) = moment else { continue };
        let moment: Option<jiff::Timestamp> = text.trim().parse().ok();
        let Some(moment) = moment.filter(|moment| moment.subsec_nanosecond() == 0) else {
            let detail = format!("flagd counts seconds, and `{text}` lies between them.");
            return Err(Fault::new(pointer, "moment_unsayable", detail));
        };
        all.push(json!({ operator: [{ "var": ["$flagd.timestamp"] }, moment.as_second()] }));
    }
    Ok(json!({ "and": all }))
}

/// Whether it is a list that is not empty: no text, but something with a first entry.
///
/// There are engines that fail where `some` is asked of anything but a list.
pub(super) fn is_list(value: &Value) -> Value {
    let name = value["var"][0].as_str().unwrap_or_default();
    let first = json!({ "var": [format!("{name}.0"), null] });
    json!({ "and": [{ "!": [is_text(value)] }, { "!==": [first, null] }] })
}

/// Whether it is a list that has an entry for which something holds.
fn has(value: &Value, entry: &Value) -> Value {
    json!({ "and": [is_list(value), { "some": [value, entry] }] })
}

/// Whether a single value, as a text, is one of some.
pub(super) fn is_one_of(value: &Value, values: &[String]) -> Value {
    let (empty, others): (Vec<_>, Vec<_>) = values.iter().partition(|value| value.is_empty());
    // What is not known is an empty text as well, once it is a text.
    let others = json!({ "in": [{ "cat": [value] }, others] });
    match empty.is_empty() {
        true => others,
        false => json!({ "or": [{ "===": [value, ""] }, others] }),
    }
}

/// Whether it is a text: as one it stays what it is.
fn is_text(value: &Value) -> Value {
    json!({ "===": [{ "cat": [value] }, value] })
}

fn compared(test: &Test, pointer: &str) -> Result<Value, Fault> {
    let fault = |code, detail: &str| Err(Fault::new(pointer, code, detail));
    let value = attribute(&test.attribute, pointer)?;
    if test.ignore_case {
        return fault("operator_unsayable", "JSONLogic does not ignore capitals.");
    }
    if matches!(test.op, Op::StartsWith | Op::EndsWith | Op::Contains)
        && test.values.iter().any(String::is_empty)
    {
        return fault(
            "value_unsayable",
            "JSONLogic cannot tell what is empty from what is not there.",
        );
    }
    let is_there = json!({ "!==": [value, null] });
    let found = match test.op {
        Op::In | Op::NotIn if test.text_only => json!({ "in": [value, test.values] }),
        Op::In | Op::NotIn => {
            let single = json!({ "and": [{ "!": [is_list(&value)] }, is_one_of(&value, &test.values)] });
            let listed = has(&value, &json!({ "in": [{ "var": [""] }, test.values] }));
            json!({ "or": [single, listed] })
        }
        Op::StartsWith | Op::EndsWith | Op::Contains => affixed(test, &value),
        Op::IsPresent | Op::IsAbsent => match test.text_only {
            true => is_text(&value),
            false => is_there,
        },
        Op::HasAll if !test.text_only && !test.values.is_empty() => {
            let has = |text: &String| has(&value, &json!({ "===": [{ "var": [""] }, text] }));
            json!({ "and": test.values.iter().map(has).collect::<Vec<_>>() })
        }
        Op::HasAll => {
            return fault(
                "operator_unsayable",
                "JSONLogic cannot tell an empty list from none.",
            );
        }
        Op::SizeEq | Op::SizeGt | Op::SizeLt | Op::IsKind => {
            let detail = "JSONLogic does not count entries, and cannot tell what a value is.";
            return fault("operator_unsayable", detail);
        }
        Op::Matches | Op::InNetwork | Op::Before | Op::After => {
            return fault("operator_unsayable", "JSONLogic has no such comparison.");
        }
        _ => {
            let detail = "JSONLogic takes more for a number or a version than we do.";
            return fault("operator_unsayable", detail);
        }
    };
    Ok(match test.op {
        Op::NotIn | Op::IsAbsent => json!({ "!": [found] }),
        _ => found,
    })
}

/// Whether a value, or one of a list's texts, begins with, ends with or contains one of some texts.
fn affixed(test: &Test, value: &Value) -> Value {
    let one = |of: &Value, text: &String| match test.op {
        Op::StartsWith => json!({ "starts_with": [of, text] }),
        Op::EndsWith => json!({ "ends_with": [of, text] }),
        _ => json!({ "in": [text, of] }),
    };
    let any = |of: &Value| json!({ "or": test.values.iter().map(|text| one(of, text)).collect::<Vec<_>>() });
    if test.text_only {
        return json!({ "and": [is_text(value), any(value)] });
    }
    let single = json!({ "and": [{ "!": [is_list(value)] }, any(&json!({ "cat": [value] }))] });
    let listed = has(value, &any(&json!({ "var": [""] })));
    json!({ "or": [single, listed] })
}
