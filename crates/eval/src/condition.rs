//! Conditions, compiled so that asking takes no memory.

use std::cmp::Ordering;
use std::net::IpAddr;

use regex::{Regex, RegexBuilder};
use smallvec::SmallVec;

use crate::definition::{self, Op, Test};
use crate::flags::Gate;
use crate::problem::Problems;
use crate::semver::Release;
use crate::subject::{Known, Map, Names, Reads, Slot, Subject};
use crate::value::{Kind, Value};

mod element;
mod text;

use element::Element;

/// Conditions within conditions.
const DEPTH_MAX: usize = 16;
/// What a compiled regular expression may take; patterns of people take a hundredth.
const PATTERN_BYTES: usize = 1 << 20;

/// Digits of how many entries a list has.
const SIZE_DIGITS_MAX: usize = 10;

/// A compiled condition.
#[derive(Debug)]
pub(crate) enum Condition {
    All(Box<[Condition]>),
    Any(Box<[Condition]>),
    Not(Box<Condition>),
    /// The place of a segment among all.
    Segment(usize),
    /// From when on and until when it holds, in microseconds.
    During(i64, i64),
    Share(Box<Gate>),
    /// A list has an element that fits.
    Element(Box<(Slot, Element)>),
    /// The place of a test among all of the set.
    Test(u32),
    /// The places of several tests that all hold, which is what most conditions are: they lie side by side.
    Tests(SmallVec<[u32; 6]>),
}

/// What is wanted of an attribute.
#[derive(Debug)]
pub(crate) struct Tested {
    pub(crate) slot: Slot,
    check: Check,
}

impl Tested {
    fn fits(&self, subject: &Subject<'_>, names: &Names) -> bool {
        match subject.get(self.slot) {
            Some(known) => self.check.fits(known, subject, || names.reads(self.slot)),
            None => self.check.fits_nothing(),
        }
    }
}

/// The tests of a set. What is tested alike is there once: flags of a product ask for the same few things, and what many
/// have in common stays in the processor's cache.
#[derive(Debug, Default)]
pub(crate) struct Tests<'d> {
    all: Vec<Tested>,
    places: Map<&'d Test, u32>,
}

impl Tests<'_> {
    pub(crate) fn finish(self) -> Box<[Tested]> {
        self.all.into()
    }
}

/// What an attribute is compared with.
#[derive(Debug)]
pub(crate) enum Check {
    /// It is one of the texts with these numbers, in their order, or none of them.
    In(SmallVec<[u32; 6]>, bool),
    /// The same for texts in small letters.
    InSmall(Texts, bool),
    IsPresent,
    IsAbsent,
    StartsWith(Texts),
    EndsWith(Texts),
    Contains(Texts),
    Matches(Box<[Regex]>),
    Number(SmallVec<[f64; 2]>, Wanted),
    Modulo(Box<[Division]>),
    Moment(i64, Wanted),
    /// Whether the version may be short as well.
    Semver(SmallVec<[Release; 1]>, Wanted, bool),
    InNetwork(Box<[Network]>),
    HasAll(Texts),
    /// How many entries it has.
    Size(SmallVec<[u32; 2]>, Wanted),
    IsKind(SmallVec<[Kind; 2]>),
    /// Only a text fits, and what is wanted of it.
    OfText(Box<Check>),
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
    Plain(SmallVec<[Box<str>; 2]>),
    /// In small letters.
    Small(SmallVec<[Box<str>; 2]>),
}

impl Texts {
    fn new(values: &[String], ignore_case: bool) -> Self {
        match ignore_case {
            true => Self::Small(values.iter().map(|value| text::small(value)).collect()),
            false => Self::Plain(values.iter().map(|value| Box::from(value.as_str())).collect()),
        }
    }

    /// Whether one of them fits, as it is or in small letters.
    fn any(&self, plain: impl Fn(&str) -> bool, small: impl Fn(&str) -> bool) -> bool {
        match self {
            Self::Plain(values) => values.iter().any(|value| plain(value)),
            Self::Small(values) => values.iter().any(|value| small(value)),
        }
    }

    fn is(&self, text: &str) -> bool {
        self.any(|value| value == text, |value| text::is(text, value))
    }

    fn are_in(&self, list: Value<'_>) -> bool {
        match self {
            Self::Plain(values) => values
                .iter()
                .all(|value| list.texts().any(|text| *text == **value)),
            Self::Small(values) => values
                .iter()
                .all(|value| list.texts().any(|text| text::is(text, value))),
        }
    }
}

/// What conditions of a set have in common.
pub(crate) struct Set<'s> {
    pub(crate) names: &'s Names,
    pub(crate) tests: &'s [Tested],
    pub(crate) segments: &'s [Condition],
}

impl Set<'_> {
    fn fits(&self, test: u32, subject: &Subject<'_>) -> bool {
        subject.fits(test, || self.tests[test as usize].fits(subject, self.names))
    }
}

impl Condition {
    fn all(parts: Box<[Self]>) -> Self {
        let tests = parts.iter().map(|part| match part {
            Self::Test(test) => Some(*test),
            _ => None,
        });
        match tests.collect() {
            Some(tests) => Self::Tests(tests),
            None => Self::All(parts),
        }
    }

    /// The places of the segments that it names.
    pub(crate) fn segments(&self) -> Vec<usize> {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(Self::segments).collect(),
            Self::Not(not) => not.segments(),
            Self::Segment(place) => vec![*place],
            Self::During(..) | Self::Share(_) | Self::Element(_) | Self::Test(_) | Self::Tests(_) => {
                Vec::new()
            }
        }
    }

    /// Whether a subject fits.
    pub(crate) fn fits(&self, subject: &Subject<'_>, set: &Set<'_>) -> bool {
        match self {
            Self::All(all) => all.iter().all(|one| one.fits(subject, set)),
            Self::Any(any) => any.iter().any(|one| one.fits(subject, set)),
            Self::Not(not) => !not.fits(subject, set),
            Self::Segment(place) => set.segments[*place].fits(subject, set),
            Self::During(from, until) => (*from..*until).contains(&subject.now_micros),
            Self::Share(gate) => gate.is_open(subject),
            Self::Element(list) => list.1.is_in(list.0, subject, set),
            Self::Test(test) => set.fits(*test, subject),
            Self::Tests(tests) => tests.iter().all(|test| set.fits(*test, subject)),
        }
    }
}

impl Check {
    fn fits_nothing(&self) -> bool {
        match self {
            Self::OfText(check) => check.fits_nothing(),
            check => matches!(
                check,
                Self::In(_, false) | Self::InSmall(_, false) | Self::IsAbsent
            ),
        }
    }

    fn fits<'n>(
        &self,
        known: &Known<'_>,
        subject: &Subject<'_>,
        reads: impl Fn() -> &'n Reads + Copy,
    ) -> bool {
        match self {
            Self::IsPresent => true,
            Self::IsAbsent => false,
            Self::In(numbers, wanted) => {
                let is_in = match known.value {
                    list if list.is_list() => {
                        let reads = reads();
                        list.texts().any(|text| has(numbers, reads.number_of(text)))
                    }
                    _ => has(numbers, known.text),
                };
                is_in == *wanted
            }
            Self::InSmall(values, wanted) => any(known, |text| values.is(text)) == *wanted,
            Self::StartsWith(values) => any(known, |text| {
                values.any(|value| text.starts_with(value), |value| text::begins(text, value))
            }),
            Self::EndsWith(values) => any(known, |text| {
                values.any(|value| text.ends_with(value), |value| text::ends(text, value))
            }),
            Self::Contains(values) => any(known, |text| {
                values.any(|value| text.contains(value), |value| text::contains(text, value))
            }),
            Self::Matches(patterns) => any(known, |text| {
                patterns.iter().any(|pattern| pattern.is_match(text))
            }),
            Self::Number(values, wanted) => known.number.is_some_and(|number| {
                let order = |value: &f64| number.partial_cmp(value);
                values
                    .iter()
                    .any(|value| order(value).is_some_and(|order| wanted.is(order)))
            }),
            Self::Modulo(divisions) => known
                .number
                .is_some_and(|number| divisions.iter().any(|division| division.fits(number))),
            Self::Moment(moment, wanted) => known.moment.is_some_and(|known| wanted.is(known.cmp(moment))),
            Self::Semver(values, wanted, short) => subject.version(known).is_some_and(|version| {
                let mut orders = values.iter().map(|value| version.compare(&value.as_version()));
                (*short || !version.is_short) && orders.any(|order| wanted.is(order))
            }),
            Self::InNetwork(networks) => any(known, |text| {
                let address = text.trim().parse().ok();
                address.is_some_and(|address| networks.iter().any(|network| network.has(address)))
            }),
            Self::Size(sizes, wanted) => known.value.entries().is_some_and(|entries| {
                let mut orders = sizes.iter().map(|size| entries.cmp(&(*size as usize)));
                orders.any(|order| wanted.is(order))
            }),
            Self::IsKind(kinds) => known.value.kind().is_some_and(|kind| kinds.contains(&kind)),
            Self::HasAll(values) => known.value.is_list() && values.are_in(known.value),
            Self::OfText(check) => match known.value {
                Value::Text(_) => check.fits(known, subject, reads),
                _ => check.fits_nothing(),
            },
        }
    }
}

/// Whether a text of the value fits: its own, or one of a list's.
fn any(known: &Known<'_>, fits: impl Fn(&str) -> bool) -> bool {
    match known.value {
        list if list.is_list() => list.texts().any(fits),
        single => single.with_text(fits).unwrap_or(false),
    }
}

/// Whether a number is among others, which are in their order; 0 never is.
fn has(numbers: &[u32], number: u32) -> bool {
    match numbers.len() {
        0..=8 => numbers.contains(&number),
        _ => numbers.binary_search(&number).is_ok(),
    }
}

/// Microseconds since 1970 of a moment.
pub(crate) fn moment(text: &str) -> Option<i64> {
    let moment: jiff::Timestamp = text.trim().parse().ok()?;
    Some(moment.as_microsecond())
}

/// What is left of a number.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Division {
    by: f64,
    leaves: f64,
}

impl Division {
    fn read(text: &str) -> Option<Self> {
        let number = |text| Value::Text(text).number();
        let (by, leaves) = text.split_once('|')?;
        let (by, leaves) = (number(by)?, number(leaves)?);
        (0.0 <= leaves && leaves < by).then_some(Self { by, leaves })
    }

    fn fits(&self, number: f64) -> bool {
        // As every port computes it, so that all are off by the same where fractions are.
        let rest = number % self.by;
        let rest = if rest < 0.0 { rest + self.by } else { rest };
        rest == self.leaves
    }
}

/// Addresses that begin with the same bits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    /// Reads `10.0.0.0/8`, or one address.
    fn read(text: &str) -> Option<Self> {
        let (address, bits) = text
            .split_once('/')
            .map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.parse().ok()?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let bits: u8 = match bits {
            Some(bits) => bits.parse().ok().filter(|bits| *bits <= width)?,
            None => width,
        };
        // `::ffff:10.0.0.0/104` is 10.0.0.0/8, written as IPv6.
        let plain = address.to_canonical();
        Some(match bits.checked_sub(96) {
            Some(bits) if address.is_ipv6() && plain.is_ipv4() => Self { address: plain, bits },
            _ => Self { address, bits },
        })
    }

    fn has(self, address: IpAddr) -> bool {
        let (network, address, width) = match (self.address, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                (network.to_bits().into(), address.to_bits().into(), 32)
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => (network.to_bits(), address.to_bits(), 128),
            _ => return false,
        };
        let first = |number: u128| number.checked_shr(width - u32::from(self.bits)).unwrap_or(0);
        first(network) == first(address)
    }
}

/// What conditions are compiled with.
pub(crate) struct Compiler<'a, 'd> {
    pub(crate) names: &'a mut Names,
    pub(crate) tests: &'a mut Tests<'d>,
    /// The places of the segments, by their keys.
    pub(crate) segments: &'a dyn Fn(&str) -> Option<usize>,
    pub(crate) problems: &'a mut Problems,
}

impl<'d> Compiler<'_, 'd> {
    /// Compiles a condition; what is wrong is noted under the pointer, and the rest is of no use then.
    pub(crate) fn condition(&mut self, source: &'d definition::Condition, pointer: &str) -> Condition {
        self.nested(source, pointer, 0)
    }

    fn nested(&mut self, source: &'d definition::Condition, pointer: &str, depth: usize) -> Condition {
        if depth > DEPTH_MAX {
            self.problems.add(
                pointer,
                "too_deep",
                format!("Conditions are nested more than {DEPTH_MAX} deep."),
            );
            return Condition::All(Box::default());
        }
        let mut parts = |all: &'d [definition::Condition], name: &str| -> Box<[Condition]> {
            let parts = all.iter().enumerate();
            parts
                .map(|(place, one)| self.nested(one, &format!("{pointer}/{name}/{place}"), depth + 1))
                .collect()
        };
        match source {
            definition::Condition::All { all } => Condition::all(parts(all, "all")),
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
            definition::Condition::During { during } => {
                let (from, until) = self.span(
                    during.from.as_deref(),
                    during.until.as_deref(),
                    &format!("{pointer}/during"),
                );
                if during.from.is_none() && during.until.is_none() {
                    let detail = "It says `from`, `until` or both.".to_owned();
                    self.problems
                        .add(&format!("{pointer}/during"), "value_invalid", detail);
                }
                Condition::During(from, until)
            }
            definition::Condition::Share { share } => {
                Condition::Share(Box::new(self.gate(share, &format!("{pointer}/share"))))
            }
            definition::Condition::Element { element, fits } => self.element(element, fits, pointer, depth),
            definition::Condition::Attribute(test) => Condition::Test(self.test(test, pointer)),
        }
    }

    /// The place of a test; what is wrong with it is noted wherever it stands.
    fn test(&mut self, test: &'d Test, pointer: &str) -> u32 {
        if let Some(place) = self.tests.places.get(test) {
            return *place;
        }
        let faults = self.problems.0.len();
        let slot = self.names.slot(&test.attribute);
        let check = self.check(test, pointer, slot);
        let check = match test.text_only {
            true => Check::OfText(Box::new(check)),
            false => check,
        };
        let place = u32::try_from(self.tests.all.len()).expect("fewer tests than numbers");
        self.tests.all.push(Tested { slot, check });
        if self.problems.0.len() == faults {
            self.tests.places.insert(test, place);
        }
        place
    }

    /// Reads a span of time, in microseconds since 1970; without a beginning or end it goes on for ever.
    pub(crate) fn span(&mut self, from: Option<&str>, until: Option<&str>, pointer: &str) -> (i64, i64) {
        let mut read = |text: Option<&str>, name: &str, otherwise: i64| {
            let Some(text) = text else { return otherwise };
            moment(text).unwrap_or_else(|| {
                let detail = format!("`{text}` is not a moment, as `2026-11-22T10:00:00Z`.");
                self.problems
                    .add(&format!("{pointer}/{name}"), "value_invalid", detail);
                otherwise
            })
        };
        let (from, until) = (read(from, "from", i64::MIN), read(until, "until", i64::MAX));
        if from >= until {
            let detail = "It ends before it begins.".to_owned();
            self.problems
                .add(&format!("{pointer}/until"), "out_of_range", detail);
        }
        (from, until)
    }

    fn check(&mut self, test: &Test, pointer: &str, slot: Slot) -> Check {
        self.count(test, pointer);
        if test.short && !test.op.is_of_versions() {
            let detail = "Only versions can be short.".to_owned();
            self.problems
                .add(&format!("{pointer}/short"), "value_invalid", detail);
        }
        let texts = || Texts::new(&test.values, test.ignore_case);
        match test.op {
            Op::In | Op::NotIn if test.ignore_case => Check::InSmall(texts(), test.op == Op::In),
            Op::In | Op::NotIn => {
                let reads = self.names.reads_mut(slot);
                let mut numbers: SmallVec<_> =
                    test.values.iter().map(|value| reads.number_for(value)).collect();
                numbers.sort_unstable();
                Check::In(numbers, test.op == Op::In)
            }
            Op::IsPresent => Check::IsPresent,
            Op::IsAbsent => Check::IsAbsent,
            Op::StartsWith => Check::StartsWith(texts()),
            Op::EndsWith => Check::EndsWith(texts()),
            Op::Contains => Check::Contains(texts()),
            Op::HasAll => Check::HasAll(texts()),
            Op::Matches => Check::Matches(self.patterns(test, pointer).into()),
            Op::InNetwork => {
                let what = "an address or a network, as `10.0.0.0/8`";
                Check::InNetwork(self.each(test, pointer, what, Network::read).into())
            }
            Op::Eq => self.numbers(test, pointer, slot, Wanted::EQUAL),
            Op::Gt => self.numbers(test, pointer, slot, Wanted::GREATER),
            Op::Gte => self.numbers(test, pointer, slot, Wanted::GREATER_OR_EQUAL),
            Op::Lt => self.numbers(test, pointer, slot, Wanted::LESS),
            Op::Lte => self.numbers(test, pointer, slot, Wanted::LESS_OR_EQUAL),
            Op::SizeEq => self.sizes(test, pointer, Wanted::EQUAL),
            Op::SizeGt => self.sizes(test, pointer, Wanted::GREATER),
            Op::SizeLt => self.sizes(test, pointer, Wanted::LESS),
            Op::IsKind => {
                let what = "one of `text`, `number`, `boolean` and `list`";
                Check::IsKind(self.each(test, pointer, what, Kind::read).into())
            }
            Op::Modulo => {
                self.names.reads_mut(slot).numbers = true;
                let what = "a divisor and a lesser remainder, as `10|3`";
                Check::Modulo(self.each(test, pointer, what, Division::read).into())
            }
            Op::Before => self.moment(test, pointer, slot, Wanted::LESS),
            Op::After => self.moment(test, pointer, slot, Wanted::GREATER),
            Op::SemverEq => self.versions(test, pointer, slot, Wanted::EQUAL),
            Op::SemverGt => self.versions(test, pointer, slot, Wanted::GREATER),
            Op::SemverGte => self.versions(test, pointer, slot, Wanted::GREATER_OR_EQUAL),
            Op::SemverLt => self.versions(test, pointer, slot, Wanted::LESS),
            Op::SemverLte => self.versions(test, pointer, slot, Wanted::LESS_OR_EQUAL),
        }
    }

    /// Notes a number of values that the comparison cannot have.
    fn count(&mut self, test: &Test, pointer: &str) {
        let (least, most) = match test.op {
            Op::IsPresent | Op::IsAbsent => (0, 0),
            Op::Gt | Op::Gte | Op::Lt | Op::Lte | Op::Before | Op::After => (1, 1),
            Op::SemverGt | Op::SemverGte | Op::SemverLt | Op::SemverLte => (1, 1),
            Op::SizeGt | Op::SizeLt => (1, 1),
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
    ) -> Vec<T> {
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
        all
    }

    fn patterns(&mut self, test: &Test, pointer: &str) -> Vec<Regex> {
        self.each(test, pointer, "a regular expression", |value| {
            let mut pattern = RegexBuilder::new(value);
            pattern
                .case_insensitive(test.ignore_case)
                .size_limit(PATTERN_BYTES);
            pattern.build().ok()
        })
    }

    fn numbers(&mut self, test: &Test, pointer: &str, slot: Slot, wanted: Wanted) -> Check {
        self.names.reads_mut(slot).numbers = true;
        let numbers = self.each(test, pointer, "a number", |value| Value::Text(value).number());
        Check::Number(numbers.into(), wanted)
    }

    fn sizes(&mut self, test: &Test, pointer: &str, wanted: Wanted) -> Check {
        let size = |text: &str| {
            let is_whole = text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse()
                .ok()
                .filter(|_: &u32| is_whole && text.len() <= SIZE_DIGITS_MAX)
        };
        Check::Size(
            self.each(test, pointer, "a whole number, as `2`", size).into(),
            wanted,
        )
    }

    fn moment(&mut self, test: &Test, pointer: &str, slot: Slot, wanted: Wanted) -> Check {
        self.names.reads_mut(slot).moments = true;
        let moments = self.each(test, pointer, "a moment, as `2026-11-22T10:00:00Z`", moment);
        Check::Moment(moments.first().copied().unwrap_or(0), wanted)
    }

    fn versions(&mut self, test: &Test, pointer: &str, slot: Slot, wanted: Wanted) -> Check {
        self.names.reads_mut(slot).versions = true;
        let versions = match test.short {
            true => self.each(test, pointer, "a version, as `2.1`", Release::read_short),
            false => self.each(test, pointer, "a version, as `2.1.0`", Release::read),
        };
        Check::Semver(versions.into(), wanted, test.short)
    }
}

#[cfg(test)]
mod tests;
