//! Clauses and segments as conditions and segments.

use std::collections::BTreeMap;

use eval::definition::{Condition, Dialect, Gate, Op, Segment, Test};
use serde::Deserialize as _;
use serde_json::{Map, Value as Json};

use super::document::{Clause, Members, SegmentRule, SegmentSource};
use super::names::{KEY, Names, Said, kinds};
use crate::growthbook::pattern;
use crate::kind::{Kind, Kinds};
use crate::named::named;
use crate::{Fault, part};

/// Segments within segments: each takes a few of the sixteen conditions that a flag may nest, but only in itself.
const DEPTH_MAX: usize = 16;
/// How often segments are asked for one.
const ASKED_MAX: usize = 200;
/// What all of a segment is, in parts.
const WHOLE: u32 = 100_000;
/// How many of them are a percent.
const PARTS: f64 = 1000.0;
/// The attribute that each context has.
const ANONYMOUS: &str = "anonymous";

/// Reads clauses, and the segments that they name.
#[derive(Debug)]
pub(super) struct Clauses<'d> {
    /// None if they are not part of what is read.
    sources: Option<&'d Map<String, Json>>,
    pub(super) names: Names,
    kinds: Kinds,
    segments: BTreeMap<String, Segment>,
    /// How often others are asked for each segment.
    asked: BTreeMap<String, usize>,
    /// The segments that led here.
    entered: Vec<String>,
}

const fn nobody() -> Condition {
    Condition::Any { any: Vec::new() }
}

fn not(condition: Condition) -> Condition {
    match condition {
        Condition::Not { not } => *not,
        not => Condition::Not { not: Box::new(not) },
    }
}

/// All of them hold.
pub(super) fn all(mut all: Vec<Condition>) -> Condition {
    match all.len() {
        1 => all.remove(0),
        _ => Condition::All { all },
    }
}

fn any(mut any: Vec<Condition>) -> Condition {
    match any.len() {
        1 => any.remove(0),
        _ => Condition::Any { any },
    }
}

fn test(attribute: &str, op: Op, values: Vec<String>) -> Condition {
    Condition::Attribute(Test {
        attribute: attribute.to_owned(),
        op,
        values,
        ignore_case: false,
        text_only: false,
        short: false,
    })
}

fn is_present(attribute: &str) -> Condition {
    test(attribute, Op::IsPresent, Vec::new())
}

impl<'d> Clauses<'d> {
    pub(super) fn new(sources: Option<&'d Map<String, Json>>) -> Self {
        Self {
            sources,
            names: Names::default(),
            kinds: Kinds::default(),
            segments: BTreeMap::new(),
            asked: BTreeMap::new(),
            entered: Vec::new(),
        }
    }

    pub(super) fn into_segments(self) -> BTreeMap<String, Segment> {
        self.segments
    }

    /// All of several clauses hold.
    pub(super) fn all(&mut self, clauses: &[Clause], at: &str) -> Result<Condition, Fault> {
        let each = clauses.iter().enumerate();
        let each = each.map(|(place, clause)| self.clause(clause, &format!("{at}/{place}")));
        Ok(all(each.collect::<Result<_, _>>()?))
    }

    fn clause(&mut self, clause: &Clause, at: &str) -> Result<Condition, Fault> {
        let said = Said {
            kind: clause.context_kind.as_deref(),
            attribute: &clause.attribute,
        };
        if clause.op == "segmentMatch" {
            let found = self.segment_match(clause, at)?;
            return Ok(if clause.negate { not(found) } else { found });
        }
        if clause.attribute == "kind" {
            return self.kind(clause, at);
        }
        let attribute = self.names.of(said, &format!("{at}/attribute"))?;
        if clause.attribute == ANONYMOUS {
            let key = self.names.of(Said::key(said.kind), at)?;
            return self.anonymous(clause, (&attribute, &key), at);
        }
        let found = self.compared(clause, &attribute, at)?;
        // Who does not have the attribute is never meant, also not by the opposite.
        Ok(match clause.negate {
            true => Condition::All {
                all: vec![is_present(&attribute), not(found)],
            },
            false => found,
        })
    }

    /// Of which kinds somebody is.
    fn kind(&mut self, clause: &Clause, at: &str) -> Result<Condition, Fault> {
        if clause.op != "in" {
            let detail = "Kinds of contexts can be said one by one only.";
            return Err(Fault::new(format!("{at}/op"), "operator_unsaid", detail));
        }
        let mut found = Vec::new();
        for kind in kinds(clause.values.iter().filter_map(Json::as_str)) {
            found.push(is_present(&self.names.of(Said::key(Some(kind)), at)?));
        }
        let found = any(found);
        Ok(if clause.negate { not(found) } else { found })
    }

    /// Every context is anonymous or not; who does not say it is not.
    fn anonymous(
        &mut self,
        clause: &Clause,
        (attribute, key): (&str, &str),
        at: &str,
    ) -> Result<Condition, Fault> {
        if clause.op != "in" {
            return Ok(if clause.negate { is_present(key) } else { nobody() });
        }
        self.kinds.put(attribute, Kind::Bool, at)?;
        let is = test(attribute, Op::In, vec!["true".to_owned()]);
        let mut parts = Vec::new();
        if clause.values.contains(&Json::Bool(true)) != clause.negate {
            parts.push(is.clone());
        }
        if clause.values.contains(&Json::Bool(false)) != clause.negate {
            parts.push(not(is));
        }
        Ok(Condition::All {
            all: vec![is_present(key), any(parts)],
        })
    }

    /// One of the values fits.
    fn compared(&mut self, clause: &Clause, attribute: &str, at: &str) -> Result<Condition, Fault> {
        let texts = |values: &[Json]| -> Vec<String> {
            let texts = values.iter().filter_map(Json::as_str);
            texts.map(str::to_owned).collect()
        };
        let of_texts = match clause.op.as_str() {
            "in" => return self.one_of(&clause.values, attribute, at),
            "startsWith" => Op::StartsWith,
            "endsWith" => Op::EndsWith,
            "contains" => Op::Contains,
            "matches" => Op::Matches,
            "lessThan" => return self.numbers(&clause.values, (attribute, Op::Lt), at),
            "lessThanOrEqual" => return self.numbers(&clause.values, (attribute, Op::Lte), at),
            "greaterThan" => return self.numbers(&clause.values, (attribute, Op::Gt), at),
            "greaterThanOrEqual" => return self.numbers(&clause.values, (attribute, Op::Gte), at),
            "before" => return moments(&clause.values, (attribute, Op::Before), at),
            "after" => return moments(&clause.values, (attribute, Op::After), at),
            "semVerEqual" => return self.versions(&clause.values, (attribute, Op::SemverEq), at),
            "semVerLessThan" => return self.versions(&clause.values, (attribute, Op::SemverLt), at),
            "semVerGreaterThan" => return self.versions(&clause.values, (attribute, Op::SemverGt), at),
            other => {
                let detail = format!("Nobody knows the operator `{other}`.");
                return Err(Fault::new(format!("{at}/op"), "operator_unknown", detail));
            }
        };
        self.kinds.put(attribute, Kind::TextOrTexts, at)?;
        let mut values = texts(&clause.values);
        if of_texts == Op::Matches {
            for (place, value) in values.iter_mut().enumerate() {
                if pattern::compile(value, false).is_none() {
                    let detail = format!("`{value}` is no regular expression that is found in linear time.");
                    return Err(Fault::new(
                        format!("{at}/values/{place}"),
                        "pattern_invalid",
                        detail,
                    ));
                }
                *value = pattern::translated(value);
            }
        }
        Ok(match values.is_empty() {
            true => nobody(),
            false => test(attribute, of_texts, values),
        })
    }

    fn one_of(&mut self, values: &[Json], attribute: &str, at: &str) -> Result<Condition, Fault> {
        let (mut op, mut said) = (Op::In, Vec::new());
        for value in values {
            let (kind, text) = match value {
                Json::String(text) => (Kind::TextOrTexts, text.clone()),
                Json::Number(number) => (Kind::Number, number.to_string()),
                Json::Bool(is) => (Kind::Bool, is.to_string()),
                // They are the same as nothing.
                Json::Null | Json::Array(_) | Json::Object(_) => continue,
            };
            self.kinds.put(attribute, kind, at)?;
            if kind == Kind::Number {
                op = Op::Eq;
            }
            said.push(text);
        }
        Ok(match said.is_empty() {
            true => nobody(),
            false => test(attribute, op, said),
        })
    }

    fn numbers(
        &mut self,
        values: &[Json],
        (attribute, op): (&str, Op),
        at: &str,
    ) -> Result<Condition, Fault> {
        self.kinds.put(attribute, Kind::Number, at)?;
        let numbers = values.iter().filter(|value| value.is_number());
        let each = numbers.map(|number| test(attribute, op, vec![number.to_string()]));
        Ok(any(each.collect()))
    }

    fn versions(
        &mut self,
        values: &[Json],
        (attribute, op): (&str, Op),
        at: &str,
    ) -> Result<Condition, Fault> {
        self.kinds.put(attribute, Kind::Text, at)?;
        let versions = values.iter().filter_map(Json::as_str).filter_map(version);
        let compared = versions.map(|version| {
            Condition::Attribute(Test {
                attribute: attribute.to_owned(),
                op,
                values: vec![version],
                ignore_case: false,
                text_only: false,
                short: true,
            })
        });
        Ok(any(compared.collect()))
    }

    /// One of the named segments has them.
    fn segment_match(&mut self, clause: &Clause, at: &str) -> Result<Condition, Fault> {
        let mut found = Vec::new();
        for (place, key) in clause.values.iter().enumerate() {
            let Some(key) = key.as_str() else { continue };
            let source = self.source(key, &format!("{at}/values/{place}"))?;
            self.segment(key, source, at)?;
            found.push(Condition::Segment {
                segment: key.to_owned(),
            });
        }
        Ok(any(found))
    }

    /// SDKs take a segment that they do not have for one without anybody in it. In a file that only means that it was not
    /// written down.
    fn source(&self, key: &str, at: &str) -> Result<&'d Json, Fault> {
        let detail = match self.sources.map(|sources| sources.get(key)) {
            Some(Some(source)) => return Ok(source),
            Some(None) => format!("There is no segment `{key}`."),
            None => format!("Who is in the segment `{key}` was not given."),
        };
        Err(Fault::new(at, "segment_unknown", detail))
    }

    fn segment(&mut self, key: &str, source: &Json, at: &str) -> Result<(), Fault> {
        if self.entered.iter().any(|entered| entered == key) {
            let detail = format!("The segment `{key}` leads back to itself.");
            return Err(Fault::new(at, "circular", detail));
        }
        if self.segments.contains_key(key) {
            return Ok(());
        }
        if self.entered.len() >= DEPTH_MAX {
            let detail = format!("Segments lead to each other more than {DEPTH_MAX} deep.");
            return Err(Fault::new(at, "too_deep", detail));
        }
        let pointer = format!("/segments/{}", part(key));
        let source = SegmentSource::deserialize(source)
            .map_err(|error| Fault::new(&pointer, "shape", error.to_string()))?;
        self.entered.push(key.to_owned());
        let when = self.members(key, &source, &pointer);
        self.entered.pop();
        let when = when?;
        let asked = named(&when)
            .iter()
            .map(|name| 1 + self.asked.get(*name).copied().unwrap_or(0))
            .sum();
        if asked > ASKED_MAX {
            let detail = "It leads to too many other segments.";
            return Err(Fault::new(pointer, "too_deep", detail));
        }
        self.asked.insert(key.to_owned(), asked);
        self.segments.insert(key.to_owned(), Segment { when });
        Ok(())
    }

    /// Who is included, or not excluded and meant by a rule.
    fn members(&mut self, key: &str, source: &SegmentSource, at: &str) -> Result<Condition, Fault> {
        if source.unbounded {
            let detail = "Who is in a big segment is kept elsewhere, and not in the document.";
            return Err(Fault::new(format!("{at}/unbounded"), "segment_unbounded", detail));
        }
        let lists = |contexts: &Option<Vec<Members>>, users: &Option<Vec<String>>| -> Vec<Members> {
            let users = users.iter().map(|values| Members {
                context_kind: None,
                values: values.clone(),
            });
            let all = contexts.iter().flatten().cloned().chain(users);
            all.filter(|members| !members.values.is_empty()).collect()
        };
        let mut found = self.listed(&lists(&source.included_contexts, &source.included), at)?;
        let mut by_rule = Vec::new();
        for (place, rule) in source.rules.iter().flatten().enumerate() {
            let order = source.salt.as_ref().map(|salt| format!("{key}.{salt}"));
            by_rule.extend(self.segment_rule(rule, order, &format!("{at}/rules/{place}"))?);
        }
        if !by_rule.is_empty() {
            let excluded = self.listed(&lists(&source.excluded_contexts, &source.excluded), at)?;
            let mut parts: Vec<Condition> = excluded.into_iter().map(not).collect();
            parts.push(any(by_rule));
            found.push(all(parts));
        }
        Ok(any(found))
    }

    fn listed(&mut self, lists: &[Members], at: &str) -> Result<Vec<Condition>, Fault> {
        let mut found = Vec::new();
        for members in lists {
            let key = self.names.of(Said::key(members.context_kind.as_deref()), at)?;
            self.kinds.put(&key, Kind::TextOrTexts, at)?;
            found.push(test(&key, Op::In, members.values.clone()));
        }
        Ok(found)
    }

    /// None if it is for nobody.
    fn segment_rule(
        &mut self,
        rule: &SegmentRule,
        order: Option<String>,
        at: &str,
    ) -> Result<Option<Condition>, Fault> {
        let clauses = self.all(&rule.clauses, &format!("{at}/clauses"));
        let weight = match rule.weight {
            Some(0) => return Ok(None),
            Some(weight) if weight < WHOLE => weight,
            _ => return clauses.map(Some),
        };
        let Some(order) = order else {
            let detail = "What puts units in order, the segment's salt, was not given.";
            return Err(Fault::new(format!("{at}/weight"), "segment_weighted", detail));
        };
        let kind = rule.rollout_context_kind.as_deref();
        let attribute = rule.bucket_by.as_deref().filter(|name| !name.is_empty());
        let said = Said {
            kind,
            attribute: attribute.unwrap_or(KEY),
        };
        let share = Gate {
            key: order,
            by: self.names.of(said, &format!("{at}/bucketBy"))?,
            or_by: Vec::new(),
            dialect: Dialect::Launchdarkly,
            parts: vec![(0.0, f64::from(weight) / PARTS)],
        };
        // Who is not of that kind is not in it; whoever is and lacks the attribute is at the beginning, and in it.
        let key = self.names.of(Said::key(kind), at)?;
        Ok(Some(Condition::All {
            all: vec![clauses?, is_present(&key), Condition::Share { share }],
        }))
    }
}

/// A version with all three numbers: `2.1` is `2.1.0`; none if it is no version, and fits nobody.
fn version(text: &str) -> Option<String> {
    let end = text.find(['-', '+']).unwrap_or(text.len());
    let (numbers, rest) = text.split_at(end);
    let count = numbers.split('.').count();
    let is_number = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|byte| byte.is_ascii_digit())
            && (part == "0" || !part.starts_with('0'))
    };
    let is_version = count <= 3 && numbers.split('.').all(is_number);
    is_version.then(|| format!("{numbers}{}{rest}", ".0".repeat(3 - count)))
}

/// Moments as texts or milliseconds.
fn moments(values: &[Json], (attribute, op): (&str, Op), at: &str) -> Result<Condition, Fault> {
    let mut found = Vec::new();
    for (place, value) in values.iter().enumerate() {
        let moment = match value {
            Json::String(text) => text.parse::<jiff::Timestamp>().ok(),
            Json::Number(millis) => {
                let millis = millis.as_f64().filter(|millis| millis.abs() < 1e15);
                millis.and_then(|millis| jiff::Timestamp::from_millisecond(millis as i64).ok())
            }
            _ => None,
        };
        let Some(moment) = moment else {
            let detail = format!("{value} is no moment, as `2026-11-22T10:00:00Z`.");
            return Err(Fault::new(
                format!("{at}/values/{place}"),
                "value_invalid",
                detail,
            ));
        };
        found.push(test(attribute, op, vec![moment.to_string()]));
    }
    Ok(any(found))
}
