//! Conditions, compiled so that asking takes no memory.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::net::IpAddr;

use regex::{Regex, RegexBuilder};

use self::semver::Semver;
use crate::definition::{self, Op, Test};
use crate::problem::Problems;
use crate::subject::{Names, Slot, Subject};
use crate::value::Value;

mod semver;
mod text;

/// More values than these are looked up instead of compared one by one.
const COMPARED_MAX: usize = 8;
/// Conditions within conditions.
const DEPTH_MAX: usize = 16;
/// What a compiled regular expression may take; patterns of people take a hundredth.
const PATTERN_BYTES: usize = 1 << 20;

/// A compiled condition.
#[derive(Debug)]
pub(crate) enum Condition {
    All(Box<[Condition]>),
    Any(Box<[Condition]>),
    Not(Box<Condition>),
    /// The place of a segment among all.
    Segment(usize),
    Test(Slot, Check),
}

/// What an attribute is compared with.
#[derive(Debug)]
pub(crate) enum Check {
    In(Texts),
    NotIn(Texts),
    IsPresent,
    IsAbsent,
    StartsWith(Texts),
    EndsWith(Texts),
    Contains(Texts),
    Matches(Box<[Regex]>),
    Number(Box<[f64]>, Wanted),
    Moment(i64, Wanted),
    Semver(Box<[Box<str>]>, Wanted),
    InNetwork(Box<[(IpAddr, u8)]>),
    HasAll(Texts),
}

/// Which order of an attribute and the value is wanted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    less: bool,
    equal: bool,
    greater: bool,
}

impl Wanted {
    const EQUAL: Self = Self::of(false, true, false);
    const GREATER: Self = Self::of(false, false, true);
    const GREATER_OR_EQUAL: Self = Self::of(false, true, true);
    const LESS: Self = Self::of(true, false, false);
    const LESS_OR_EQUAL: Self = Self::of(true, true, false);

    const fn of(less: bool, equal: bool, greater: bool) -> Self {
        Self { less, equal, greater }
    }

    const fn is(self, order: Ordering) -> bool {
        match order {
            Ordering::Less => self.less,
            Ordering::Equal => self.equal,
            Ordering::Greater => self.greater,
        }
    }
}

/// Texts to compare with.
#[derive(Debug)]
pub(crate) enum Texts {
    Few(Box<[Box<str>]>),
    Many(HashSet<Box<str>>),
    /// In small letters.
    Small(Box<[Box<str>]>),
}

impl Texts {
    fn new(values: &[String], ignore_case: bool, are_looked_up: bool) -> Self {
        let all = values.iter().map(|value| Box::from(value.as_str()));
        match (ignore_case, are_looked_up && values.len() > COMPARED_MAX) {
            (true, _) => Self::Small(values.iter().map(|value| text::small(value)).collect()),
            (false, true) => Self::Many(all.collect()),
            (false, false) => Self::Few(all.collect()),
        }
    }

    fn has(&self, text: &str) -> bool {
        match self {
            Self::Few(values) => values.iter().any(|value| **value == *text),
            Self::Many(values) => values.contains(text),
            Self::Small(values) => values.iter().any(|value| text::is(text, value)),
        }
    }

    /// Whether one of them fits, with capitals or in small letters.
    fn any(&self, plain: impl Fn(&str) -> bool, small: impl Fn(&str) -> bool) -> bool {
        match self {
            Self::Few(values) => values.iter().any(|value| plain(value)),
            Self::Many(values) => values.iter().any(|value| plain(value)),
            Self::Small(values) => values.iter().any(|value| small(value)),
        }
    }

    fn all(&self, list: &[&str]) -> bool {
        match self {
            Self::Few(values) => values.iter().all(|value| list.contains(&&**value)),
            Self::Many(values) => values.iter().all(|value| list.contains(&&**value)),
            Self::Small(values) => values
                .iter()
                .all(|value| list.iter().any(|text| text::is(text, value))),
        }
    }
}

impl Condition {
    /// The places of the segments that it names.
    pub(crate) fn segments(&self) -> Vec<usize> {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(Self::segments).collect(),
            Self::Not(not) => not.segments(),
            Self::Segment(place) => vec![*place],
            Self::Test(..) => Vec::new(),
        }
    }

    /// Whether a subject fits; segments are those of the set.
    pub(crate) fn fits(&self, subject: &Subject<'_>, segments: &[Self]) -> bool {
        match self {
            Self::All(all) => all.iter().all(|one| one.fits(subject, segments)),
            Self::Any(any) => any.iter().any(|one| one.fits(subject, segments)),
            Self::Not(not) => !not.fits(subject, segments),
            Self::Segment(place) => segments[*place].fits(subject, segments),
            Self::Test(slot, check) => check.fits(subject.get(*slot)),
        }
    }
}

impl Check {
    fn fits(&self, value: Option<Value<'_>>) -> bool {
        let Some(value) = value else {
            return matches!(self, Self::NotIn(_) | Self::IsAbsent);
        };
        let texts = |then: &dyn Fn(&str) -> bool| match value {
            Value::List(list) => list.iter().any(|text| then(text)),
            single => single.with_text(then).unwrap_or(false),
        };
        match self {
            Self::IsPresent => true,
            Self::IsAbsent => false,
            Self::In(values) => texts(&|text| values.has(text)),
            Self::NotIn(values) => !texts(&|text| values.has(text)),
            Self::StartsWith(values) => {
                texts(&|text| values.any(|value| text.starts_with(value), |value| text::begins(text, value)))
            }
            Self::EndsWith(values) => {
                texts(&|text| values.any(|value| text.ends_with(value), |value| text::ends(text, value)))
            }
            Self::Contains(values) => {
                texts(&|text| values.any(|value| text.contains(value), |value| text::contains(text, value)))
            }
            Self::Matches(patterns) => texts(&|text| patterns.iter().any(|pattern| pattern.is_match(text))),
            Self::Number(values, wanted) => {
                let number = value.number();
                let fits = |number: f64, value: &f64| {
                    number.partial_cmp(value).is_some_and(|order| wanted.is(order))
                };
                number.is_some_and(|number| values.iter().any(|value| fits(number, value)))
            }
            Self::Moment(moment, wanted) => micros(value).is_some_and(|micros| wanted.is(micros.cmp(moment))),
            Self::Semver(values, wanted) => {
                let Value::Text(text) = value else { return false };
                let Some(version) = Semver::read(text) else {
                    return false;
                };
                let others = values.iter().filter_map(|value| Semver::read(value));
                others.into_iter().any(|other| wanted.is(version.compare(&other)))
            }
            Self::InNetwork(networks) => {
                let is_in = |text: &str| {
                    let address = text.trim().parse().ok();
                    address.is_some_and(|address| networks.iter().any(|network| contains(*network, address)))
                };
                texts(&is_in)
            }
            Self::HasAll(values) => match value {
                Value::List(list) => values.all(list),
                _ => false,
            },
        }
    }
}

/// Microseconds since 1970 of a moment.
pub(crate) fn moment(text: &str) -> Option<i64> {
    let moment: jiff::Timestamp = text.trim().parse().ok()?;
    Some(moment.as_microsecond())
}

fn micros(value: Value<'_>) -> Option<i64> {
    match value {
        Value::Text(text) => moment(text),
        Value::Number(millis) if millis.abs() < 1e15 => Some((millis * 1e3) as i64),
        _ => None,
    }
}

fn contains((network, bits): (IpAddr, u8), address: IpAddr) -> bool {
    fn number(address: IpAddr) -> (u128, u8) {
        match address.to_canonical() {
            IpAddr::V4(address) => (u128::from(address.to_bits()), 32),
            IpAddr::V6(address) => (address.to_bits(), 128),
        }
    }
    let ((network, width), (address, other)) = (number(network), number(address));
    let rest = u32::from(width.saturating_sub(bits));
    width == other && network.checked_shr(rest).unwrap_or(0) == address.checked_shr(rest).unwrap_or(0)
}

fn network(text: &str) -> Option<(IpAddr, u8)> {
    let (address, bits) = text
        .split_once('/')
        .map_or((text, None), |(address, bits)| (address, Some(bits)));
    let address: IpAddr = address.parse().ok()?;
    let width = if address.is_ipv4() { 32 } else { 128 };
    let bits = match bits {
        Some(bits) => bits.parse().ok().filter(|bits| *bits <= width)?,
        None => width,
    };
    Some((address, bits))
}

/// What conditions are compiled with.
pub(crate) struct Compiler<'a> {
    pub(crate) names: &'a mut Names,
    /// The places of the segments, by their keys.
    pub(crate) segments: &'a dyn Fn(&str) -> Option<usize>,
    pub(crate) problems: &'a mut Problems,
}

impl Compiler<'_> {
    /// Compiles a condition; what is wrong is noted under the pointer, and the rest is of no use then.
    pub(crate) fn condition(&mut self, source: &definition::Condition, pointer: &str) -> Condition {
        self.nested(source, pointer, 0)
    }

    fn nested(&mut self, source: &definition::Condition, pointer: &str, depth: usize) -> Condition {
        if depth > DEPTH_MAX {
            self.problems.add(
                pointer,
                "too_deep",
                format!("Conditions are nested more than {DEPTH_MAX} deep."),
            );
            return Condition::All(Box::default());
        }
        let mut parts = |all: &[definition::Condition], name: &str| {
            let parts = all.iter().enumerate();
            parts
                .map(|(place, one)| self.nested(one, &format!("{pointer}/{name}/{place}"), depth + 1))
                .collect()
        };
        match source {
            definition::Condition::All { all } => Condition::All(parts(all, "all")),
            definition::Condition::Any { any } => Condition::Any(parts(any, "any")),
            definition::Condition::Not { not } => {
                Condition::Not(Box::new(self.nested(not, &format!("{pointer}/not"), depth + 1)))
            }
            definition::Condition::Segment { segment } => {
                let place = (self.segments)(segment);
                if place.is_none() {
                    let detail = format!("There is no segment `{segment}`.");
                    self.problems
                        .add(&format!("{pointer}/segment"), "segment_unknown", detail);
                }
                Condition::Segment(place.unwrap_or(0))
            }
            definition::Condition::Attribute(test) => {
                let slot = self.names.slot(&test.attribute);
                Condition::Test(slot, self.check(test, pointer))
            }
        }
    }

    fn check(&mut self, test: &Test, pointer: &str) -> Check {
        let values = &test.values;
        self.count(test, pointer);
        let texts = |are_looked_up| Texts::new(values, test.ignore_case, are_looked_up);
        match test.op {
            Op::In => Check::In(texts(true)),
            Op::NotIn => Check::NotIn(texts(true)),
            Op::IsPresent => Check::IsPresent,
            Op::IsAbsent => Check::IsAbsent,
            Op::StartsWith => Check::StartsWith(texts(false)),
            Op::EndsWith => Check::EndsWith(texts(false)),
            Op::Contains => Check::Contains(texts(false)),
            Op::HasAll => Check::HasAll(texts(false)),
            Op::Matches => Check::Matches(self.each(test, pointer, "a regular expression", |value| {
                RegexBuilder::new(value)
                    .case_insensitive(test.ignore_case)
                    .size_limit(PATTERN_BYTES)
                    .build()
                    .ok()
            })),
            Op::Eq => Check::Number(self.numbers(test, pointer), Wanted::EQUAL),
            Op::Gt => Check::Number(self.numbers(test, pointer), Wanted::GREATER),
            Op::Gte => Check::Number(self.numbers(test, pointer), Wanted::GREATER_OR_EQUAL),
            Op::Lt => Check::Number(self.numbers(test, pointer), Wanted::LESS),
            Op::Lte => Check::Number(self.numbers(test, pointer), Wanted::LESS_OR_EQUAL),
            Op::Before => Check::Moment(self.moment(test, pointer), Wanted::LESS),
            Op::After => Check::Moment(self.moment(test, pointer), Wanted::GREATER),
            Op::SemverEq => Check::Semver(self.versions(test, pointer), Wanted::EQUAL),
            Op::SemverGt => Check::Semver(self.versions(test, pointer), Wanted::GREATER),
            Op::SemverGte => Check::Semver(self.versions(test, pointer), Wanted::GREATER_OR_EQUAL),
            Op::SemverLt => Check::Semver(self.versions(test, pointer), Wanted::LESS),
            Op::SemverLte => Check::Semver(self.versions(test, pointer), Wanted::LESS_OR_EQUAL),
            Op::InNetwork => Check::InNetwork(self.each(
                test,
                pointer,
                "an address or a network, as `10.0.0.0/8`",
                network,
            )),
        }
    }

    /// Notes a number of values that the comparison cannot have.
    fn count(&mut self, test: &Test, pointer: &str) {
        let (least, most) = match test.op {
            Op::IsPresent | Op::IsAbsent => (0, 0),
            Op::Gt | Op::Gte | Op::Lt | Op::Lte | Op::Before | Op::After => (1, 1),
            Op::SemverGt | Op::SemverGte | Op::SemverLt | Op::SemverLte => (1, 1),
            // An empty list is a list from which the last value was taken.
            Op::In | Op::NotIn | Op::HasAll => (0, usize::MAX),
            _ => (1, usize::MAX),
        };
        if !(least..=most).contains(&test.values.len()) {
            let wanted = match (least, most) {
                (0, 0) => "no values",
                (1, 1) => "one value",
                _ => "at least one value",
            };
            let detail = format!(
                "This comparison needs {wanted}, and there are {}.",
                test.values.len()
            );
            self.problems
                .add(&format!("{pointer}/values"), "values_count", detail);
        }
    }

    fn each<T>(
        &mut self,
        test: &Test,
        pointer: &str,
        what: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Box<[T]> {
        let mut all = Vec::with_capacity(test.values.len());
        for (place, value) in test.values.iter().enumerate() {
            match read(value) {
                Some(value) => all.push(value),
                None => {
                    let detail = format!("`{value}` is not {what}.");
                    self.problems
                        .add(&format!("{pointer}/values/{place}"), "value_invalid", detail);
                }
            }
        }
        all.into()
    }

    fn numbers(&mut self, test: &Test, pointer: &str) -> Box<[f64]> {
        self.each(test, pointer, "a number", |value| Value::Text(value).number())
    }

    fn moment(&mut self, test: &Test, pointer: &str) -> i64 {
        let moments = self.each(test, pointer, "a moment, as `2026-11-22T10:00:00Z`", moment);
        moments.first().copied().unwrap_or(0)
    }

    fn versions(&mut self, test: &Test, pointer: &str) -> Box<[Box<str>]> {
        self.each(test, pointer, "a version, as `2.1.0`", |value| {
            Semver::read(value).map(|_| Box::from(value))
        })
    }
}

#[cfg(test)]
mod tests;
