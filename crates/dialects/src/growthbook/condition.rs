//! Conditions: an object whose fields must all fit, in the manner of MongoDB's queries.
//!
//! An operator or a kind of saved group that nobody knows yet leaves an answer open, and what is open fits nobody, under
//! `$not` as well: a new rule does not reach everybody by an old reader. What is not well formed (`{"$or": null}`) makes
//! the whole condition fit nobody.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use regex::Regex;
use serde_json::{Map, Value as Json};

use super::json::{at, is_equal, is_same, is_truthy, order};
use super::{pattern, version};

/// Saved groups within saved groups.
const GROUPS_DEEP_MAX: usize = 128;
/// Conditions within conditions.
const DEPTH_MAX: usize = 200;
/// Steps of one condition, through all saved groups: comparisons of two values.
const STEPS_MAX: usize = 20_000_000;
/// What looking at a part of a condition takes, in steps.
const STEPS_OF_A_PART: usize = 20;
/// Those that stand in the place of an attribute, and are none.
const OF_SUBJECTS: [&str; 4] = ["$or", "$nor", "$and", "$savedGroup"];
/// Who resolves groups that are kept elsewhere writes them here.
pub(super) const REMOTE_GROUPS: &str = "__gb_remoteGroupIds";

/// A condition that is not well formed, or takes too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

/// Whether something fits; none if that is open.
pub(super) type Answer = Result<Option<bool>, Malformed>;

/// Whether somebody fits a condition.
///
/// Both are objects: `{"country": {"$in": ["DE"]}}` and `{"country": "DE"}`.
pub fn fits(condition: &Json, attributes: &Json, groups: &Map<String, Json>) -> bool {
    Matcher::new(groups).condition(condition, attributes) == Ok(Some(true))
}

/// Looks at conditions.
#[derive(Debug)]
pub(super) struct Matcher<'g> {
    groups: &'g Map<String, Json>,
    /// The saved groups that led here.
    pub(super) entered: Vec<String>,
    depth: usize,
    steps: usize,
    /// By what was written, and whether capitals make no difference.
    patterns: BTreeMap<(String, bool), Option<Regex>>,
}

impl<'g> Matcher<'g> {
    pub(super) const fn new(groups: &'g Map<String, Json>) -> Self {
        Self {
            groups,
            entered: Vec::new(),
            depth: 0,
            steps: 0,
            patterns: BTreeMap::new(),
        }
    }

    /// Begins to look at a part of a condition.
    pub(super) fn descend(&mut self) -> Result<(), Malformed> {
        self.step(STEPS_OF_A_PART)?;
        self.depth += 1;
        match self.depth > DEPTH_MAX {
            true => Err(Malformed),
            false => Ok(()),
        }
    }

    /// Has looked at it.
    pub(super) const fn ascend(&mut self) {
        self.depth -= 1;
    }

    /// Counts what is looked at.
    pub(super) fn step(&mut self, steps: usize) -> Result<(), Malformed> {
        self.steps = self.steps.saturating_add(steps);
        match self.steps > STEPS_MAX {
            true => Err(Malformed),
            false => Ok(()),
        }
    }

    /// Notes that it leads through a saved group.
    pub(super) fn enter(&mut self, group: &str) -> Result<(), Malformed> {
        if self.entered.len() >= GROUPS_DEEP_MAX {
            return Err(Malformed);
        }
        self.entered.push(group.to_owned());
        Ok(())
    }

    pub(super) fn condition(&mut self, condition: &Json, subject: &Json) -> Answer {
        self.descend()?;
        let found = match condition {
            Json::Object(fields) => all(fields, |(key, wanted)| self.entry(key, wanted, subject)),
            Json::Null => Err(Malformed),
            _ => Ok(Some(false)),
        };
        self.ascend();
        found
    }

    /// One field of a condition.
    pub(super) fn entry(&mut self, key: &str, wanted: &Json, subject: &Json) -> Answer {
        match key {
            "$or" => self.one_of(wanted, subject),
            "$nor" => self.one_of(wanted, subject).map(not),
            "$and" => all(conditions(wanted)?, |one| self.condition(one, subject)),
            "$not" => self.condition(wanted, subject).map(not),
            "$savedGroup" => self.group(wanted, subject),
            path => self.value(wanted, &at(subject, path)),
        }
    }

    /// An empty list lets everybody pass.
    fn one_of(&mut self, wanted: &Json, subject: &Json) -> Answer {
        match conditions(wanted)? {
            [] if wanted.is_array() => Ok(Some(true)),
            list => any(list, |one| self.condition(one, subject)),
        }
    }

    /// What one value must be: operators, or something equal.
    fn value(&mut self, wanted: &Json, actual: &Json) -> Answer {
        self.descend()?;
        let found = match operators(wanted) {
            Some(operators) => all(operators, |(name, wanted)| self.operator(name, wanted, actual)),
            None => Ok(Some(is_equal(wanted, actual))),
        };
        self.ascend();
        found
    }

    fn operator(&mut self, name: &str, wanted: &Json, actual: &Json) -> Answer {
        // Lists are the only ones that take long.
        self.step(size(wanted).saturating_mul(size(actual)))?;
        let ordered = |fits: fn(Ordering) -> bool| order(actual, wanted).is_some_and(fits);
        let versions = |fits: fn(Ordering) -> bool| version::order(actual, wanted).is_some_and(fits);
        let decided = match name {
            "$eq" => is_same(actual, wanted),
            "$ne" => !is_same(actual, wanted),
            "$lt" => ordered(Ordering::is_lt),
            "$lte" => ordered(Ordering::is_le),
            "$gt" => ordered(Ordering::is_gt),
            "$gte" => ordered(Ordering::is_ge),
            "$veq" => versions(Ordering::is_eq),
            "$vne" => !versions(Ordering::is_eq),
            "$vlt" => versions(Ordering::is_lt),
            "$vlte" => versions(Ordering::is_le),
            "$vgt" => versions(Ordering::is_gt),
            "$vgte" => versions(Ordering::is_ge),
            "$exists" => is_truthy(wanted) != actual.is_null(),
            "$type" => wanted.as_str() == Some(type_of(actual)),
            "$in" => wanted.as_array().is_some_and(|list| is_in(actual, list, false)),
            "$nin" => wanted.as_array().is_some_and(|list| !is_in(actual, list, false)),
            "$ini" => wanted.as_array().is_some_and(|list| is_in(actual, list, true)),
            "$nini" => wanted.as_array().is_some_and(|list| !is_in(actual, list, true)),
            "$regex" => self.is_match(actual, wanted, false),
            "$regexi" => self.is_match(actual, wanted, true),
            "$notRegex" => !self.is_match(actual, wanted, false),
            "$notRegexi" => !self.is_match(actual, wanted, true),
            _ => return self.open_operator(name, wanted, actual),
        };
        Ok(Some(decided))
    }

    /// Those that lead to further conditions, or are not known.
    fn open_operator(&mut self, name: &str, wanted: &Json, actual: &Json) -> Answer {
        match name {
            "$not" => self.value(wanted, actual).map(not),
            "$size" => match actual {
                Json::Array(items) => self.value(wanted, &Json::from(items.len())),
                _ => Ok(Some(false)),
            },
            "$all" => self.has_all(wanted, actual, false),
            "$alli" => self.has_all(wanted, actual, true),
            "$elemMatch" => self.one_element(wanted, actual),
            "$inGroup" => self
                .members(wanted, actual)
                .map(|found| found.map(|found| found == Some(true))),
            "$notInGroup" => self
                .members(wanted, actual)
                .map(|found| found.map(|found| found == Some(false))),
            "$and" | "$or" | "$nor" | "$savedGroup" | "$savedGroups" => Ok(Some(false)),
            _ => Ok(None),
        }
    }

    fn is_match(&mut self, actual: &Json, wanted: &Json, ignores_case: bool) -> bool {
        let (Json::String(actual), Json::String(wanted)) = (actual, wanted) else {
            return false;
        };
        let key = (wanted.clone(), ignores_case);
        let compiled = self.patterns.entry(key);
        let pattern = compiled.or_insert_with(|| pattern::compile(wanted, ignores_case));
        pattern.as_ref().is_some_and(|pattern| pattern.is_match(actual))
    }

    fn has_all(&mut self, wanted: &Json, actual: &Json, ignores_case: bool) -> Answer {
        let (Json::Array(wanted), Json::Array(actual)) = (wanted, actual) else {
            return Ok(Some(false));
        };
        all(wanted, |wanted| {
            any(actual, |actual| match (wanted, actual) {
                (Json::String(_), Json::String(_)) if ignores_case => {
                    self.step(1)?;
                    Ok(Some(is_same_member(actual, wanted, true)))
                }
                _ => self.value(wanted, actual),
            })
        })
    }

    /// Operators look at elements themselves, conditions at their fields.
    fn one_element(&mut self, wanted: &Json, actual: &Json) -> Answer {
        let (Json::Object(fields), Json::Array(elements)) = (wanted, actual) else {
            return Ok(Some(false));
        };
        let is_of_elements =
            operators(wanted).is_some() && !fields.keys().any(|key| OF_SUBJECTS.contains(&key.as_str()));
        let there = elements.iter().filter(|element| !element.is_null());
        any(there, |element| match is_of_elements {
            true => self.value(wanted, element),
            false => self.condition(wanted, element),
        })
    }

    /// Whether somebody is in a saved group: `{"id": "grp", "attributeKey": "id"}`.
    fn group(&mut self, reference: &Json, subject: &Json) -> Answer {
        let Some((id, attribute)) = reference_to(reference) else {
            return Ok(Some(false));
        };
        self.step(1)?;
        if self.entered.iter().any(|entered| entered == id) {
            return Ok(Some(false));
        }
        let Some(Json::Object(group)) = self.groups.get(id) else {
            return Ok(Some(false));
        };
        let own = group.get("attributeKey").and_then(Json::as_str);
        match group.get("type").and_then(Json::as_str) {
            Some("list") => {
                let (Some(key), Some(Json::Array(values))) = (attribute.or(own), group.get("values")) else {
                    return Ok(Some(false));
                };
                self.step(values.len())?;
                Ok(Some(is_in(&at(subject, key), values, false)))
            }
            Some("condition") => {
                let Some(condition @ Json::Object(_)) = group.get("condition") else {
                    return Ok(Some(false));
                };
                self.enter(id)?;
                let found = self.condition(condition, subject);
                self.entered.pop();
                found
            }
            Some("remote") if attribute.is_some() && attribute != own => Ok(Some(false)),
            Some("remote") => {
                let ids = subject.get(REMOTE_GROUPS).and_then(Json::as_array);
                Ok(Some(ids.is_some_and(|ids| ids.iter().any(|one| one == id))))
            }
            Some(_) => Ok(None),
            None => Ok(Some(false)),
        }
    }

    /// Whether a value is in a saved list. None within if there is no list that it could be in or not; a list that
    /// is not there is an empty one.
    fn members(&mut self, id: &Json, actual: &Json) -> Result<Option<Option<bool>>, Malformed> {
        let Some(id) = id.as_str() else {
            return Ok(Some(None));
        };
        let values = match self.groups.get(id) {
            None => return Ok(Some(Some(false))),
            Some(Json::Array(values)) => values,
            Some(Json::Object(group)) => {
                match (group.get("type").and_then(Json::as_str), group.get("values")) {
                    (Some("list"), Some(Json::Array(values))) => values,
                    (Some("list" | "condition") | None, _) => return Ok(Some(None)),
                    (Some(_), _) => return Ok(None),
                }
            }
            Some(_) => return Ok(Some(None)),
        };
        self.step(values.len().saturating_mul(size(actual)))?;
        Ok(Some(Some(is_in(actual, values, false))))
    }
}

/// A saved group's id, and the attribute that it is asked about instead of its own.
pub(super) fn reference_to(reference: &Json) -> Option<(&str, Option<&str>)> {
    let id = reference.get("id")?.as_str()?;
    match reference.get("attributeKey") {
        None => Some((id, None)),
        Some(Json::String(attribute)) => Some((id, Some(attribute))),
        Some(_) => None,
    }
}

/// The operators of a value's condition; none if it is something to be equal to.
pub(super) fn operators(wanted: &Json) -> Option<&Map<String, Json>> {
    let fields = wanted.as_object()?;
    fields.keys().all(|key| key.starts_with('$')).then_some(fields)
}

fn conditions(list: &Json) -> Result<&[Json], Malformed> {
    match list {
        Json::Array(list) => Ok(list),
        _ => Err(Malformed),
    }
}

fn not(answer: Option<bool>) -> Option<bool> {
    answer.map(|is| !is)
}

/// All must fit: one that does not decides, wherever an open one is.
fn all<T>(items: impl IntoIterator<Item = T>, mut fits: impl FnMut(T) -> Answer) -> Answer {
    let mut found = Some(true);
    for item in items {
        match fits(item)? {
            Some(true) => {}
            Some(false) => return Ok(Some(false)),
            None => found = None,
        }
    }
    Ok(found)
}

/// One must fit: one that does decides, wherever an open one is.
fn any<T>(items: impl IntoIterator<Item = T>, mut fits: impl FnMut(T) -> Answer) -> Answer {
    let mut found = Some(false);
    for item in items {
        match fits(item)? {
            Some(true) => return Ok(Some(true)),
            Some(false) => {}
            None => found = None,
        }
    }
    Ok(found)
}

fn size(value: &Json) -> usize {
    value.as_array().map_or(1, Vec::len)
}

/// Whether a value, or one of a list's, is among others.
fn is_in(actual: &Json, list: &[Json], ignores_case: bool) -> bool {
    let is_one = |value: &Json| list.iter().any(|one| is_same_member(value, one, ignores_case));
    match actual {
        Json::Array(items) => items.iter().any(is_one),
        single => is_one(single),
    }
}

fn is_same_member(one: &Json, other: &Json, ignores_case: bool) -> bool {
    match (one, other) {
        (Json::String(one), Json::String(other)) if ignores_case => {
            one.to_lowercase() == other.to_lowercase()
        }
        _ => is_same(one, other),
    }
}

const fn type_of(value: &Json) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "boolean",
        Json::Number(_) => "number",
        Json::String(_) => "string",
        Json::Array(_) => "array",
        Json::Object(_) => "object",
    }
}
