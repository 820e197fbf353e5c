//! Conditions as constraints: all of a strategy's must hold, so what holds in several ways takes several strategies.

use eval::Definitions;
use eval::definition::{Condition, Op, Span, Test};
use serde_json::{Value, json};

use super::super::{ATTRIBUTES, CURRENT_TIME, HOST, RANDOM};
use crate::Fault;

/// Strategies of a feature, and ways in which a condition can hold.
pub(super) const WAYS_MAX: usize = 100;
/// Segments within segments.
const DEPTH_MAX: usize = 64;

/// A pattern that is somewhere in everything that is there. Lists cannot say it: clients pass over empty values.
const ANYTHING: &str = "^";

/// Constraints that hold together.
type Way = Vec<Value>;

/// The ways in which a condition can hold.
pub(super) fn ways(
    condition: &Condition,
    definitions: &Definitions,
    pointer: &str,
) -> Result<Vec<Way>, Fault> {
    Reader { definitions, pointer }.ways(condition, true, 0)
}

/// What a field of the context is called with Unleash.
pub(super) fn field(attribute: &str, pointer: &str) -> Result<String, Fault> {
    if let Some((theirs, _)) = ATTRIBUTES.iter().find(|(_, ours)| *ours == attribute) {
        return Ok((*theirs).to_owned());
    }
    let is_taken = [RANDOM, HOST, CURRENT_TIME, "", "default"].contains(&attribute)
        || ATTRIBUTES.iter().any(|(theirs, _)| *theirs == attribute);
    match is_taken {
        true => {
            let detail = format!("With Unleash, `{attribute}` is something else.");
            Err(Fault::new(pointer, "attribute_taken", detail))
        }
        false => Ok(attribute.to_owned()),
    }
}

struct Reader<'a> {
    definitions: &'a Definitions,
    pointer: &'a str,
}

impl Reader<'_> {
    fn fault(&self, code: &'static str, detail: impl Into<String>) -> Fault {
        Fault::new(self.pointer, code, detail)
    }

    /// The ways in which a condition holds, or does not.
    fn ways(&self, condition: &Condition, wanted: bool, depth: usize) -> Result<Vec<Way>, Fault> {
        if depth > DEPTH_MAX {
            return Err(self.fault("too_deep", "Its conditions lead too deep."));
        }
        match (condition, wanted) {
            (Condition::All { all }, true) | (Condition::Any { any: all }, false) => {
                let mut ways = vec![Way::new()];
                for one in all {
                    let more = self.ways(one, wanted, depth + 1)?;
                    if ways.len() * more.len() > WAYS_MAX {
                        let detail = format!("It holds in more than {WAYS_MAX} ways.");
                        return Err(self.fault("too_large", detail));
                    }
                    let joined = ways.iter().flat_map(|way| {
                        let with = |other: &Way| way.iter().chain(other).cloned().collect();
                        more.iter().map(with)
                    });
                    ways = joined.collect();
                }
                Ok(ways)
            }
            (Condition::Any { any: all }, true) | (Condition::All { all }, false) => {
                let mut ways = Vec::new();
                for one in all {
                    ways.extend(self.ways(one, wanted, depth + 1)?);
                    if ways.len() > WAYS_MAX {
                        let detail = format!("It holds in more than {WAYS_MAX} ways.");
                        return Err(self.fault("too_large", detail));
                    }
                }
                Ok(ways)
            }
            (Condition::Not { not }, wanted) => self.ways(not, !wanted, depth + 1),
            (Condition::Segment { segment }, wanted) => match self.definitions.segments.get(segment) {
                Some(segment) => self.ways(&segment.when, wanted, depth + 1),
                None => Err(self.fault("segment_unknown", format!("There is no segment `{segment}`."))),
            },
            (Condition::During { during }, wanted) => self.during(during, wanted),
            (Condition::Share { .. }, _) => {
                let detail = "Clients know shares of all for a whole strategy, and not for its constraints.";
                Err(self.fault("gate_unsayable", detail))
            }
            (Condition::Element { .. }, _) => {
                Err(self.fault("operator_unsayable", "A context has no lists."))
            }
            (Condition::Attribute(test), wanted) => self.test(test, wanted),
        }
    }

    fn during(&self, span: &Span, wanted: bool) -> Result<Vec<Way>, Fault> {
        let mut bounds = Vec::new();
        if let Some(from) = &span.from {
            // Theirs begins behind a moment.
            let before =
                moment(from).and_then(|from| from.checked_sub(jiff::SignedDuration::from_micros(1)).ok());
            let before =
                before.ok_or_else(|| self.fault("value_invalid", format!("`{from}` is not a moment.")))?;
            bounds.push(constraint(
                CURRENT_TIME,
                "DATE_AFTER",
                !wanted,
                json!({ "value": before.to_string() }),
            ));
        }
        if let Some(until) = &span.until {
            let until = moment(until)
                .ok_or_else(|| self.fault("value_invalid", format!("`{until}` is not a moment.")))?;
            bounds.push(constraint(
                CURRENT_TIME,
                "DATE_BEFORE",
                !wanted,
                json!({ "value": until.to_string() }),
            ));
        }
        Ok(match wanted {
            true => vec![bounds],
            false => bounds.into_iter().map(|bound| vec![bound]).collect(),
        })
    }

    fn test(&self, test: &Test, wanted: bool) -> Result<Vec<Way>, Fault> {
        let name = field(&test.attribute, self.pointer)?;
        let several = |operator: &str| {
            let values = json!({ "values": test.values, "caseInsensitive": test.ignore_case });
            Ok(vec![vec![constraint(&name, operator, !wanted, values)]])
        };
        // One of several values is a constraint for each.
        let said = |value: &String| json!({ "value": value, "caseInsensitive": test.ignore_case });
        let each = |operator: &str| {
            let each = test
                .values
                .iter()
                .map(|value| constraint(&name, operator, !wanted, said(value)));
            Ok(match wanted {
                true => each.map(|one| vec![one]).collect(),
                false => vec![each.collect()],
            })
        };
        let unknown = |detail: &str| Err(self.fault("operator_unsayable", detail));
        if let Some(value) = disputed(test) {
            let detail =
                format!("Some clients take blanks around values off, and pass over empty ones: `{value}`.");
            return Err(self.fault("value_unsayable", detail));
        }
        match test.op {
            Op::In | Op::NotIn | Op::HasAll if test.ignore_case => {
                unknown("Clients do not ignore capitals in lists.")
            }
            Op::In => several("IN"),
            Op::NotIn => several("NOT_IN"),
            Op::StartsWith => several("STR_STARTS_WITH"),
            Op::EndsWith => several("STR_ENDS_WITH"),
            Op::Contains => several("STR_CONTAINS"),
            Op::IsPresent | Op::IsAbsent => {
                let inverted = wanted == (test.op == Op::IsAbsent);
                Ok(vec![vec![constraint(
                    &name,
                    "REGEX",
                    inverted,
                    json!({ "value": ANYTHING }),
                )]])
            }
            Op::InNetwork => several("IN_CIDR"),
            Op::Eq => each("NUM_EQ"),
            Op::Gt => each("NUM_GT"),
            Op::Gte => each("NUM_GTE"),
            Op::Lt => each("NUM_LT"),
            Op::Lte => each("NUM_LTE"),
            op if op.is_of_versions() && test.short => unknown("Clients want all numbers of a version."),
            op if op.is_of_versions() && !test.values.iter().map(String::as_str).all(begins_with_digit) => {
                let detail = "A version with a `v` in front is none to clients.";
                Err(self.fault("value_invalid", detail))
            }
            Op::SemverEq => each("SEMVER_EQ"),
            Op::SemverGt => each("SEMVER_GT"),
            Op::SemverGte => each("SEMVER_GTE"),
            Op::SemverLt => each("SEMVER_LT"),
            Op::SemverLte => each("SEMVER_LTE"),
            Op::Matches => each("REGEX"),
            Op::Before | Op::After => {
                unknown("Clients compare moments with the current time only: use `during`.")
            }
            Op::HasAll | Op::SizeEq | Op::SizeGt | Op::SizeLt => unknown("A context has no lists."),
            Op::IsKind => unknown("All that a context has is a text."),
            Op::Modulo => unknown("Clients do not divide."),
        }
    }
}

fn begins_with_digit(value: &str) -> bool {
    value.starts_with(|first: char| first.is_ascii_digit())
}

/// A value of a list that not all clients compare as it is.
fn disputed(test: &Test) -> Option<&String> {
    let is_list = matches!(
        test.op,
        Op::In | Op::NotIn | Op::StartsWith | Op::EndsWith | Op::Contains
    );
    let mut values = test.values.iter().filter(|_| is_list);
    values.find(|value| value.is_empty() || value.trim() != *value)
}

fn moment(text: &str) -> Option<jiff::Timestamp> {
    text.trim().parse().ok()
}

fn constraint(name: &str, operator: &str, inverted: bool, said: Value) -> Value {
    let mut all = said;
    all["contextName"] = name.into();
    all["operator"] = operator.into();
    all["inverted"] = inverted.into();
    all
}
