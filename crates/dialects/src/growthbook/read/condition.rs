//! Conditions and saved groups as conditions and segments.

use std::collections::BTreeMap;

use eval::definition::{Condition, Op, Segment, Test};
use serde_json::{Map, Value as Json};

use crate::growthbook::condition::{REMOTE_GROUPS, operators, reference_to};
use crate::growthbook::pattern;
use crate::kind::{Kind, Kinds};
use crate::named::named;
use crate::{Fault, part};

mod operator;

/// Conditions within conditions that a flag may have.
const DEPTH_MAX: usize = 16;
/// How often segments are asked for one.
const ASKED_MAX: usize = 200;

/// Reads conditions, and the saved groups that they name.
#[derive(Debug)]
pub(super) struct Conditions<'p> {
    groups: &'p Map<String, Json>,
    kinds: Kinds,
    segments: BTreeMap<String, Segment>,
    /// How often others are asked for each segment.
    asked: BTreeMap<String, usize>,
    /// The segments of lists, by their ids and the attributes that they are looked for in.
    listed: BTreeMap<(String, String), String>,
    /// The groups that led here.
    entered: Vec<String>,
}

/// Holds for everybody.
const fn everybody() -> Condition {
    Condition::All { all: Vec::new() }
}

/// Holds for nobody.
const fn nobody() -> Condition {
    Condition::Any { any: Vec::new() }
}

fn not(condition: Condition) -> Condition {
    match condition {
        Condition::Not { not } => *not,
        Condition::All { all } if all.is_empty() => nobody(),
        Condition::Any { any } if any.is_empty() => everybody(),
        not => Condition::Not { not: Box::new(not) },
    }
}

/// All of them hold.
fn all(mut all: Vec<Condition>) -> Condition {
    match all.len() {
        1 => all.remove(0),
        _ => Condition::All { all },
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

impl<'p> Conditions<'p> {
    pub(super) fn new(groups: &'p Map<String, Json>) -> Self {
        Self {
            groups,
            kinds: Kinds::default(),
            segments: BTreeMap::new(),
            asked: BTreeMap::new(),
            listed: BTreeMap::new(),
            entered: Vec::new(),
        }
    }

    pub(super) fn into_segments(self) -> BTreeMap<String, Segment> {
        self.segments
    }

    /// Reads a condition.
    pub(super) fn read(&mut self, condition: &Json, at: &str) -> Result<Condition, Fault> {
        let read = self.condition(condition, at)?;
        if depth(&read) > DEPTH_MAX {
            let detail = format!("Conditions are nested more than {DEPTH_MAX} deep.");
            return Err(Fault::new(at, "too_deep", detail));
        }
        Ok(read)
    }

    fn condition(&mut self, condition: &Json, at: &str) -> Result<Condition, Fault> {
        let Some(fields) = condition.as_object() else {
            return Err(malformed(at));
        };
        let mut parts = Vec::new();
        for (key, wanted) in fields {
            let at = format!("{at}/{}", part(key));
            parts.push(match key.as_str() {
                "$and" => all(self.list(wanted, &at)?),
                "$or" => self.one_of(wanted, &at)?,
                "$nor" => not(self.one_of(wanted, &at)?),
                "$not" => not(self.condition(wanted, &at)?),
                "$savedGroup" => self.group(wanted, &at)?,
                path => self.value(path, wanted, &at)?,
            });
        }
        Ok(all(parts))
    }

    fn list(&mut self, list: &Json, at: &str) -> Result<Vec<Condition>, Fault> {
        let list = list.as_array().ok_or_else(|| malformed(at))?;
        let each = list.iter().enumerate();
        each.map(|(place, one)| self.condition(one, &format!("{at}/{place}")))
            .collect()
    }

    /// An empty list holds for everybody.
    fn one_of(&mut self, list: &Json, at: &str) -> Result<Condition, Fault> {
        let mut any = self.list(list, at)?;
        Ok(match any.len() {
            0 => everybody(),
            1 => any.remove(0),
            _ => Condition::Any { any },
        })
    }

    /// What the value of an attribute must be.
    fn value(&mut self, attribute: &str, wanted: &Json, at: &str) -> Result<Condition, Fault> {
        let leads_into_list = attribute
            .split('.')
            .skip(1)
            .any(|part| part == "length" || part.bytes().all(|byte| byte.is_ascii_digit()));
        if leads_into_list {
            let detail = "Single elements of lists cannot be looked at.";
            return Err(Fault::new(at, "element_of_list", detail));
        }
        let Some(operators) = operators(wanted) else {
            if wanted.is_array() || wanted.is_object() {
                let detail = "Whole lists and objects cannot be compared.";
                return Err(Fault::new(at, "value_unsaid", detail));
            }
            return self.equals(attribute, wanted, at);
        };
        let mut parts = Vec::new();
        for (name, wanted) in operators {
            let at = format!("{at}/{name}");
            parts.push(self.operator(attribute, (name, wanted), &at)?);
        }
        Ok(all(parts))
    }

    /// Whether somebody is in a saved group, as a segment.
    fn group(&mut self, reference: &Json, at: &str) -> Result<Condition, Fault> {
        let Some((id, attribute)) = reference_to(reference) else {
            return Ok(nobody());
        };
        let Some(Json::Object(group)) = self.groups.get(id) else {
            return Ok(nobody());
        };
        let own = group.get("attributeKey").and_then(Json::as_str);
        match (group.get("type").and_then(Json::as_str), attribute.or(own)) {
            (Some("list"), Some(attribute)) => match group.get("values") {
                Some(Json::Array(values)) => self.listed(id, (attribute, own), values),
                _ => Ok(nobody()),
            },
            (Some("condition"), _) => match group.get("condition") {
                Some(condition @ Json::Object(_)) => self.conditional(id, condition, at),
                _ => Ok(nobody()),
            },
            (Some("remote"), _) if attribute.is_some() && attribute != own => Ok(nobody()),
            (Some("remote"), _) => {
                self.kinds.put(REMOTE_GROUPS, Kind::Texts, at)?;
                Ok(test(REMOTE_GROUPS, Op::In, vec![id.to_owned()]))
            }
            (Some("list") | None, _) => Ok(nobody()),
            (Some(other), _) => {
                let detail = format!("Nobody knows saved groups of the type `{other}`.");
                Err(Fault::new(at, "group_unknown", detail))
            }
        }
    }

    /// The segment of a list, looked for in an attribute.
    fn listed(
        &mut self,
        id: &str,
        (attribute, own): (&str, Option<&str>),
        values: &[Json],
    ) -> Result<Condition, Fault> {
        let known = (id.to_owned(), attribute.to_owned());
        if let Some(segment) = self.listed.get(&known).cloned() {
            return Ok(Condition::Segment { segment });
        }
        let key = match own == Some(attribute) {
            true => id.to_owned(),
            false => format!("{id}.{attribute}"),
        };
        let at = format!("/savedGroups/{}/values", part(id));
        let when = self.members(attribute, values, false, &at)?;
        self.listed.insert(known, key.clone());
        self.put(key, when, &at)
    }

    /// The segment of a condition.
    fn conditional(&mut self, id: &str, condition: &Json, at: &str) -> Result<Condition, Fault> {
        if self.entered.iter().any(|entered| entered == id) {
            let detail = format!("The saved group `{id}` leads back to itself.");
            return Err(Fault::new(at, "circular", detail));
        }
        if self.asked.contains_key(id) {
            return Ok(Condition::Segment {
                segment: id.to_owned(),
            });
        }
        if self.entered.len() >= DEPTH_MAX {
            let detail = format!("Saved groups lead to each other more than {DEPTH_MAX} deep.");
            return Err(Fault::new(at, "too_deep", detail));
        }
        let at = format!("/savedGroups/{}/condition", part(id));
        self.entered.push(id.to_owned());
        let when = self.read(condition, &at);
        self.entered.pop();
        self.put(id.to_owned(), when?, &at)
    }

    fn put(&mut self, key: String, when: Condition, at: &str) -> Result<Condition, Fault> {
        let asked = named(&when)
            .iter()
            .map(|name| 1 + self.asked.get(*name).copied().unwrap_or(0))
            .sum();
        let known = self.segments.get(&key);
        if asked > ASKED_MAX || known.is_some_and(|known| known.when != when) {
            let detail = "It leads to too many others, or there are two of its name.";
            return Err(Fault::new(at, "group_unsaid", detail));
        }
        self.asked.insert(key.clone(), asked);
        self.segments.insert(key.clone(), Segment { when });
        Ok(Condition::Segment { segment: key })
    }
}

fn malformed(at: &str) -> Fault {
    Fault::new(at, "malformed", "It is no condition, and fits nobody.")
}

/// How deep conditions are nested, as the compiler counts.
fn depth(condition: &Condition) -> usize {
    let deepest = |parts: &[Condition]| parts.iter().map(|one| 1 + depth(one)).max().unwrap_or(0);
    match condition {
        Condition::All { all } => deepest(all),
        Condition::Any { any } => deepest(any),
        Condition::Not { not } => 1 + depth(not),
        Condition::Element { fits, .. } => 1 + depth(fits),
        _ => 0,
    }
}

/// A pattern as ours say it.
fn pattern_of(pattern: &str, ignores_case: bool, at: &str) -> Result<String, Fault> {
    match pattern::compile(pattern, ignores_case) {
        Some(_) => Ok(pattern::translated(pattern)),
        None => {
            let detail = format!("`{pattern}` is no regular expression that is found in linear time.");
            Err(Fault::new(at, "pattern_invalid", detail))
        }
    }
}
