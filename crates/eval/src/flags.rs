//! Flags, compiled: a set is made once and asked by many at a time.

use smallvec::SmallVec;

use crate::bucketing::{Bucketing, Order, Shares};
use crate::condition::{Compiler, Condition, Set, Tested, Tests};
use crate::definition::Definitions;
use crate::problem::{Problem, Problems, part};
use crate::subject::{Map, Names, Slot, Subject};
use crate::value::Value;

mod explain;
mod kept;
mod make;
mod rollout;

pub use explain::Step;
pub(crate) use make::thousandths;

/// Parts of a percent that weights may have: three digits behind the point.
pub(crate) const PARTS: f64 = 1000.0;
/// The most earlier splits that are kept.
pub(crate) const KEPT_MAX: usize = 20;
/// How often other flags are asked for one, and other segments for one.
const ASKED_MAX: usize = 256;
/// How many parts are the whole.
const WHOLE: u32 = 100_000;

/// All flags of an environment, ready to be asked.
#[derive(Debug)]
pub struct Flags {
    names: Names,
    places: Map<Box<str>, Handle>,
    flags: Box<[Flag]>,
    pub(crate) tests: Box<[Tested]>,
    segments: Box<[Condition]>,
}

/// A flag of a set, to ask for it without its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Handle(usize);

impl Handle {
    /// Its place among the set's flags, in the order of their keys.
    pub const fn place(self) -> usize {
        self.0
    }
}

#[derive(Debug)]
struct Flag {
    key: Box<str>,
    version: u64,
    enabled: bool,
    variants: Box<[(Box<str>, serde_json::Value)]>,
    off: usize,
    prerequisites: Box<[Needed]>,
    overrides: Box<[Override]>,
    rules: SmallVec<[Rule; 1]>,
    otherwise: Outcome,
    bucketing: Bucketing,
}

/// The place of another flag, and the variants that it must give.
type Needed = (usize, Box<[usize]>);

#[derive(Debug)]
struct Override {
    by: Slot,
    values: Box<[Box<str>]>,
    variant: usize,
}

#[derive(Debug)]
struct Rule {
    name: Option<Box<str>>,
    when: Option<Condition>,
    /// From when on and until when it holds, in microseconds.
    window: (i64, i64),
    gates: Box<[Gate]>,
    requires: Box<[Needed]>,
    outcome: Outcome,
}

/// A share of all units.
#[derive(Debug)]
pub(crate) struct Gate {
    order: Order,
    by: Units,
    /// First and last place of each part, the last one not in it.
    parts: Box<[(u64, u64)]>,
}

#[derive(Debug)]
enum Outcome {
    Serve(usize),
    Split(Shares, Units),
    Buckets(Box<Buckets>),
    Rollout(Box<rollout::Rollout>),
    Kept(Box<kept::Kept>),
    #[cfg(feature = "logic")]
    Logic(Box<crate::logic::Logic>),
}

/// Parts of all units in an order.
#[derive(Debug)]
struct Buckets {
    order: Order,
    by: Units,
    /// Behind which place each part ends, and the variant that it gets, if it is for them.
    parts: Box<[(u64, Option<usize>)]>,
}

/// The attributes that say which unit it is.
#[derive(Debug)]
pub(crate) struct Units {
    first: Slot,
    /// Those that say it in its place.
    others: Box<[Slot]>,
    /// Whether an empty text is a unit.
    with_empty: bool,
}

/// Why a subject got its variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Everybody gets it.
    Static,
    /// A rule, or an override, is for them.
    TargetingMatch,
    /// They are in that part of a split.
    Split,
    /// No rule was for them.
    Default,
    /// The flag is off.
    Disabled,
    /// Another flag does not give what this one needs.
    PrerequisiteFailed,
    /// It is not known which part of a split they are in: the attribute that says so is missing.
    UnitMissing,
    /// Logic went wrong, or gave what is no variant.
    Error,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 8] = [
        Self::Static,
        Self::TargetingMatch,
        Self::Split,
        Self::Default,
        Self::Disabled,
        Self::PrerequisiteFailed,
        Self::UnitMissing,
        Self::Error,
    ];

    /// Its name in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Static => "static",
            Self::TargetingMatch => "targeting_match",
            Self::Split => "split",
            Self::Default => "default",
            Self::Disabled => "disabled",
            Self::PrerequisiteFailed => "prerequisite_failed",
            Self::UnitMissing => "unit_missing",
            Self::Error => "error",
        }
    }
}

/// What a subject got.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evaluation<'s> {
    /// The variant's name.
    pub variant: &'s str,
    /// Its place among the flag's variants, in the order of their names.
    pub place: usize,
    /// Its value.
    pub value: &'s serde_json::Value,
    /// Why.
    pub reason: Reason,
    /// Which rule it was, from 0.
    pub rule: Option<usize>,
    /// What that rule is called.
    pub rule_name: Option<&'s str>,
    /// The attribute that says which unit it is, if that decided.
    pub by: Option<&'s str>,
    /// The flag's version.
    pub version: u64,
}

/// What a subject gets of an outcome.
#[derive(Debug, Clone, Copy)]
struct Given {
    /// The variant's place.
    variant: usize,
    reason: Reason,
    /// The attribute that said which unit it is.
    by: Option<Slot>,
}

impl Given {
    const fn new(variant: usize, reason: Reason) -> Self {
        let by = None;
        Self { variant, reason, by }
    }
}

impl Flags {
    /// Compiles definitions.
    ///
    /// # Errors
    /// All that is wrong with them.
    pub fn compile(definitions: &Definitions) -> Result<Self, Vec<Problem>> {
        let mut problems = Problems::default();
        let mut names = Names::default();
        let mut tests = Tests::default();
        let segments = make::segments(definitions, (&mut names, &mut tests), &mut problems);
        let keys: Map<&str, usize> = (definitions.flags.keys().map(String::as_str)).zip(0..).collect();
        let segment_places = places(definitions.segments.keys());
        let mut flags = Vec::with_capacity(keys.len());
        for (key, source) in &definitions.flags {
            let mut maker = make::Maker {
                pointer: format!("/flags/{}", part(key)),
                source,
                definitions,
                keys: &keys,
                compiler: Compiler {
                    names: &mut names,
                    tests: &mut tests,
                    segments: &|key| segment_places.get(key).copied(),
                    problems: &mut problems,
                },
            };
            flags.push(maker.flag(key));
        }
        if problems.0.is_empty() {
            let needed: Vec<Vec<usize>> = flags.iter().map(|flag| flag.needs().collect()).collect();
            let pointer = |place: usize, way| {
                let flag = &flags[place];
                format!("/flags/{}{}", part(&flag.key), flag.way(way))
            };
            make::find_circles(&needed, pointer, &mut problems);
        }
        if !problems.0.is_empty() {
            return Err(problems.0);
        }
        Ok(Self {
            names,
            places: flags
                .iter()
                .map(|flag| flag.key.clone())
                .zip((0..).map(Handle))
                .collect(),
            flags: flags.into(),
            tests: tests.finish(),
            segments,
        })
    }

    /// The flag of a key.
    pub fn get(&self, key: &str) -> Option<Handle> {
        self.places.get(key).copied()
    }

    /// The key of a flag.
    pub fn key(&self, flag: Handle) -> &str {
        &self.flags[flag.0].key
    }

    /// Its variants, their names and values, in the order of their names.
    pub fn variants(&self, flag: Handle) -> impl Iterator<Item = (&str, &serde_json::Value)> + Clone {
        let variants = self.flags[flag.0].variants.iter();
        variants.map(|(name, value)| (&**name, value))
    }

    /// The name of the variant of those for whom it is off.
    pub fn off(&self, flag: Handle) -> &str {
        let flag = &self.flags[flag.0];
        &flag.variants[flag.off].0
    }

    /// All flags in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Handle)> {
        self.flags.iter().map(|flag| &*flag.key).zip((0..).map(Handle))
    }

    /// Names of the attributes that flags read, in no order.
    pub fn attributes(&self) -> impl Iterator<Item = &str> {
        self.names.iter()
    }

    /// Somebody of whom nothing is known yet, at a moment in microseconds since 1970.
    pub fn subject<'a>(&self, now_micros: i64) -> Subject<'a> {
        Subject::new(self.names.len(), now_micros)
    }

    /// Notes what is known of a subject; what no flag reads is left out.
    pub fn put<'a>(&self, subject: &mut Subject<'a>, name: &str, value: impl Into<Value<'a>>) {
        if let Some(slot) = self.names.get(name) {
            subject.put(slot, value.into(), self.names.reads(slot));
        }
    }

    /// What a subject of this set gets of a flag. It takes no memory, and always comes to an end.
    pub fn evaluate(&self, flag: Handle, subject: &Subject<'_>) -> Evaluation<'_> {
        let flag = &self.flags[flag.0];
        let (given, rule) = self.decide(flag, subject);
        let (name, value) = &flag.variants[given.variant];
        Evaluation {
            variant: name,
            place: given.variant,
            value,
            reason: given.reason,
            rule,
            rule_name: rule.and_then(|rule| flag.rules[rule].name.as_deref()),
            by: given.by.map(|by| self.names.name(by)),
            version: flag.version,
        }
    }

    fn set(&self) -> Set<'_> {
        Set {
            names: &self.names,
            tests: &self.tests,
            segments: &self.segments,
        }
    }

    /// Whether other flags give what they must.
    fn are_met(&self, needed: &[Needed], subject: &Subject<'_>) -> bool {
        needed.iter().all(|(other, wanted)| {
            let (found, _) = self.decide(&self.flags[*other], subject);
            wanted.contains(&found.variant)
        })
    }

    /// What a subject gets, and by which rule.
    fn decide(&self, flag: &Flag, subject: &Subject<'_>) -> (Given, Option<usize>) {
        if !flag.enabled {
            return (Given::new(flag.off, Reason::Disabled), None);
        }
        if !self.are_met(&flag.prerequisites, subject) {
            return (Given::new(flag.off, Reason::PrerequisiteFailed), None);
        }
        if let Some(one) = flag.overrides.iter().find(|one| one.is_for(subject)) {
            return (Given::new(one.variant, Reason::TargetingMatch), None);
        }
        let set = self.set();
        for (place, rule) in flag.rules.iter().enumerate() {
            if rule.fits(subject, &set)
                && self.are_met(&rule.requires, subject)
                && let Some(given) = flag.give(&rule.outcome, subject, Reason::TargetingMatch)
            {
                return (given, Some(place));
            }
        }
        let reason = match flag.rules.is_empty() && flag.overrides.is_empty() {
            true => Reason::Static,
            false => Reason::Default,
        };
        let given = flag.give(&flag.otherwise, subject, reason);
        (given.unwrap_or(Given::new(flag.off, Reason::UnitMissing)), None)
    }
}

impl Flag {
    /// The places of the flags that it is asked after: its own prerequisites, then those of its rules.
    fn needs(&self) -> impl Iterator<Item = usize> {
        let of_rules = self.rules.iter().flat_map(|rule| &rule.requires);
        self.prerequisites.iter().chain(of_rules).map(|(other, _)| *other)
    }

    /// Where one of them stands, as a JSON Pointer into the flag's definition.
    fn way(&self, way: usize) -> String {
        let Some(mut way) = way.checked_sub(self.prerequisites.len()) else {
            return "/prerequisites".to_owned();
        };
        let is_in = |rule: &Rule| match way.checked_sub(rule.requires.len()) {
            Some(rest) => {
                way = rest;
                false
            }
            None => true,
        };
        let place = self.rules.iter().position(is_in).unwrap_or_default();
        format!("/rules/{place}/requires")
    }

    /// What a subject gets of an outcome; `None` if it is not for them.
    fn give(&self, outcome: &Outcome, subject: &Subject<'_>, served: Reason) -> Option<Given> {
        match outcome {
            Outcome::Serve(variant) => Some(Given::new(*variant, served)),
            Outcome::Split(shares, by) => Some(self.spread(by, subject, |hash| shares.place(hash))),
            Outcome::Rollout(rollout) => {
                let variant = |hash| rollout.variant(hash, subject.now_micros);
                Some(self.spread(&rollout.by, subject, variant))
            }
            Outcome::Kept(kept) => {
                let variant = |hash| kept.shares(subject).place(hash);
                Some(self.spread(&kept.by, subject, variant))
            }
            Outcome::Buckets(buckets) => {
                let place = buckets.by.of(subject, |unit| buckets.order.of(unit));
                match place {
                    Some((place, by)) => Some(Given {
                        variant: buckets.at(place)?,
                        reason: Reason::Split,
                        by: Some(by),
                    }),
                    None if buckets.order.leaves_nobody() => None,
                    None => {
                        let place = buckets.order.of_nobody();
                        let variant = place.map_or(Some(self.off), |place| buckets.at(place))?;
                        Some(Given::new(variant, Reason::UnitMissing))
                    }
                }
            }
            #[cfg(feature = "logic")]
            Outcome::Logic(logic) => match logic.variant(&self.key, subject, &self.variants) {
                Ok(variant) => Some(Given::new(variant?, served)),
                Err(_) => Some(Given::new(self.off, Reason::Error)),
            },
        }
    }

    /// What a unit gets of what is handed out by the flag's own hash.
    fn spread(&self, by: &Units, subject: &Subject<'_>, variant: impl Fn(u32) -> usize) -> Given {
        match by.of(subject, |unit| self.bucketing.of(unit.as_bytes())) {
            None => Given::new(self.off, Reason::UnitMissing),
            Some((hash, by)) => Given {
                variant: variant(hash),
                reason: Reason::Split,
                by: Some(by),
            },
        }
    }
}

impl Outcome {
    fn units(&self) -> Option<&Units> {
        match self {
            Self::Serve(_) => None,
            Self::Split(_, by) => Some(by),
            Self::Buckets(buckets) => Some(&buckets.by),
            Self::Rollout(rollout) => Some(&rollout.by),
            Self::Kept(kept) => Some(&kept.by),
            #[cfg(feature = "logic")]
            Self::Logic(_) => None,
        }
    }
}

impl Buckets {
    /// The variant of a place, if it has one.
    fn at(&self, place: u32) -> Option<usize> {
        let part = self.parts.iter().find(|(end, _)| u64::from(place) < *end);
        part.and_then(|(_, variant)| *variant)
    }
}

impl Units {
    /// Hands the unit on, and tells the attribute that says which it is; `None` if it is not known.
    fn of<T>(&self, subject: &Subject<'_>, then: impl Fn(&str) -> T) -> Option<(T, Slot)> {
        let known = |slot: Slot| {
            let value = subject.get(slot)?.value;
            let found = value.with_text(|unit| (self.with_empty || !unit.is_empty()).then(|| then(unit)));
            Some((found.flatten()?, slot))
        };
        known(self.first).or_else(|| self.others.iter().find_map(|slot| known(*slot)))
    }
}

impl Override {
    fn is_for(&self, subject: &Subject<'_>) -> bool {
        let is_one = |text: &str| self.values.iter().any(|value| **value == *text);
        let known = subject.get(self.by);
        known.and_then(|known| known.value.with_text(is_one)) == Some(true)
    }
}

impl Rule {
    fn fits(&self, subject: &Subject<'_>, set: &Set<'_>) -> bool {
        let (from, until) = self.window;
        (from..until).contains(&subject.now_micros)
            && self.when.as_ref().is_none_or(|when| when.fits(subject, set))
            && self.gates.iter().all(|gate| gate.is_open(subject))
    }
}

impl Gate {
    /// Whether a subject is in it.
    pub(crate) fn is_open(&self, subject: &Subject<'_>) -> bool {
        self.place(subject).is_some_and(|place| self.has(place))
    }

    /// Whether a place is in one of the parts.
    fn has(&self, place: u32) -> bool {
        let place = u64::from(place);
        self.parts.iter().any(|(from, to)| (*from..*to).contains(&place))
    }

    /// Where a subject stands among all units, if it is known who it is.
    fn place(&self, subject: &Subject<'_>) -> Option<u32> {
        let found = self.by.of(subject, |unit| self.order.of(unit));
        found.map(|(place, _)| place).or(self.order.of_nobody())
    }
}

fn places<'k>(keys: impl Iterator<Item = &'k String>) -> Map<&'k str, usize> {
    keys.map(String::as_str).zip(0..).collect()
}

#[cfg(test)]
mod tests;
