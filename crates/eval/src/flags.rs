//! Flags, compiled: a set is made once and asked by many at a time.

use std::collections::{BTreeMap, HashMap};

use crate::bucketing::{Bucketing, Shares};
use crate::condition::{Compiler, Condition, Set, moment};
use crate::definition::{self, Definitions};
use crate::problem::{Problem, Problems, part};
use crate::subject::{Names, Slot, Subject};
use crate::value::Value;

mod explain;

pub use explain::Step;

/// Parts of a percent that weights may have: three digits behind the point.
const PARTS: f64 = 1000.0;
/// How often other flags are asked for one, and other segments for one.
const ASKED_MAX: usize = 256;
/// How many parts are the whole.
const WHOLE: u32 = 100_000;

/// All flags of an environment, ready to be asked.
#[derive(Debug)]
pub struct Flags {
    names: Names,
    places: HashMap<Box<str>, Handle>,
    flags: Box<[Flag]>,
    segments: Box<[Condition]>,
}

/// A flag of a set, to ask for it without its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Handle(usize);

#[derive(Debug)]
struct Flag {
    key: Box<str>,
    version: u64,
    enabled: bool,
    variants: Box<[(Box<str>, serde_json::Value)]>,
    off: usize,
    prerequisites: Box<[(usize, Box<[usize]>)]>,
    overrides: Box<[Override]>,
    rules: Box<[Rule]>,
    otherwise: Outcome,
    bucketing: Bucketing,
}

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
    outcome: Outcome,
}

#[derive(Debug)]
struct Gate {
    bucketing: Bucketing,
    by: Slot,
    /// First and last hash of each part, the last one not in it.
    parts: Box<[(u64, u64)]>,
}

#[derive(Debug)]
enum Outcome {
    Serve(usize),
    Split(Shares, Slot),
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
}

impl Reason {
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
        }
    }
}

/// What a subject got.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evaluation<'s> {
    /// The variant's name.
    pub variant: &'s str,
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

/// What was decided: the variant's place, why, and the rule.
type Decision = (usize, Reason, Option<usize>);

impl Flags {
    /// Compiles definitions.
    ///
    /// # Errors
    /// All that is wrong with them.
    pub fn compile(definitions: &Definitions) -> Result<Self, Vec<Problem>> {
        let mut problems = Problems::default();
        let mut names = Names::default();
        let segments = segments(definitions, &mut names, &mut problems);
        let keys: HashMap<&str, usize> = (definitions.flags.keys().map(String::as_str)).zip(0..).collect();
        let segment_places = places(definitions.segments.keys());
        let mut flags = Vec::with_capacity(keys.len());
        for (key, source) in &definitions.flags {
            let mut maker = Maker {
                pointer: format!("/flags/{}", part(key)),
                source,
                definitions,
                keys: &keys,
                compiler: Compiler {
                    names: &mut names,
                    segments: &|key| segment_places.get(key).copied(),
                    problems: &mut problems,
                },
            };
            flags.push(maker.flag(key));
        }
        if problems.0.is_empty() {
            let needed: Vec<Vec<usize>> = flags.iter().map(Flag::needs).collect();
            let keys = definitions.flags.keys();
            let pointers: Vec<_> = keys
                .map(|key| format!("/flags/{}/prerequisites", part(key)))
                .collect();
            find_circles(&needed, &pointers, &mut problems);
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
            segments,
        })
    }

    /// The flag of a key.
    pub fn get(&self, key: &str) -> Option<Handle> {
        self.places.get(key).copied()
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
        let (variant, reason, rule) = self.decide(flag, subject);
        let (name, value) = &flag.variants[variant];
        Evaluation {
            variant: name,
            value,
            reason,
            rule,
            rule_name: rule.and_then(|rule| flag.rules[rule].name.as_deref()),
            by: match flag.outcome(rule) {
                Outcome::Split(_, by) if reason == Reason::Split => Some(self.names.name(*by)),
                _ => None,
            },
            version: flag.version,
        }
    }

    fn decide(&self, flag: &Flag, subject: &Subject<'_>) -> Decision {
        if !flag.enabled {
            return (flag.off, Reason::Disabled, None);
        }
        for (other, wanted) in &flag.prerequisites {
            let (found, ..) = self.decide(&self.flags[*other], subject);
            if !wanted.contains(&found) {
                return (flag.off, Reason::PrerequisiteFailed, None);
            }
        }
        if let Some(one) = flag.overrides.iter().find(|one| one.is_for(subject)) {
            return (one.variant, Reason::TargetingMatch, None);
        }
        let set = Set {
            names: &self.names,
            segments: &self.segments,
        };
        for (place, rule) in flag.rules.iter().enumerate() {
            if rule.fits(subject, &set) {
                return flag.give(&rule.outcome, subject, Reason::TargetingMatch, Some(place));
            }
        }
        let reason = match flag.rules.is_empty() && flag.overrides.is_empty() {
            true => Reason::Static,
            false => Reason::Default,
        };
        flag.give(&flag.otherwise, subject, reason, None)
    }
}

impl Flag {
    /// What a rule gives, or what those get whom none fits.
    fn outcome(&self, rule: Option<usize>) -> &Outcome {
        rule.map_or(&self.otherwise, |rule| &self.rules[rule].outcome)
    }

    /// The places of the flags that it is asked after.
    fn needs(&self) -> Vec<usize> {
        self.prerequisites.iter().map(|(other, _)| *other).collect()
    }

    fn give(
        &self,
        outcome: &Outcome,
        subject: &Subject<'_>,
        served: Reason,
        rule: Option<usize>,
    ) -> Decision {
        match outcome {
            Outcome::Serve(variant) => (*variant, served, rule),
            Outcome::Split(shares, by) => match hash(&self.bucketing, subject, *by) {
                Some(hash) => (shares.place(hash), Reason::Split, rule),
                None => (self.off, Reason::UnitMissing, rule),
            },
        }
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
    fn is_open(&self, subject: &Subject<'_>) -> bool {
        let hash = hash(&self.bucketing, subject, self.by);
        let is_in = |hash: u32| {
            self.parts
                .iter()
                .any(|(from, to)| (*from..*to).contains(&u64::from(hash)))
        };
        hash.is_some_and(is_in)
    }
}

/// Where a subject is among all units, if it is known who it is.
fn hash(bucketing: &Bucketing, subject: &Subject<'_>, by: Slot) -> Option<u32> {
    let unit = subject.get(by)?.value;
    unit.with_text(|unit| bucketing.of(unit.as_bytes()))
}

fn places<'k>(keys: impl Iterator<Item = &'k String>) -> HashMap<&'k str, usize> {
    keys.map(String::as_str).zip(0..).collect()
}

/// Compiles the segments; they may name each other, but not in circles.
fn segments(definitions: &Definitions, names: &mut Names, problems: &mut Problems) -> Box<[Condition]> {
    let places = places(definitions.segments.keys());
    let mut compiler = Compiler {
        names,
        segments: &|key| places.get(key).copied(),
        problems,
    };
    let compiled: Vec<_> = definitions
        .segments
        .iter()
        .map(|(key, segment)| compiler.condition(&segment.when, &format!("/segments/{}/when", part(key))))
        .collect();
    // One that is not there has the place of another until it is told.
    if problems.0.is_empty() {
        let named: Vec<Vec<usize>> = compiled.iter().map(Condition::segments).collect();
        let keys = definitions.segments.keys();
        let pointers: Vec<_> = keys.map(|key| format!("/segments/{}/when", part(key))).collect();
        find_circles(&named, &pointers, problems);
    }
    compiled.into()
}

/// Notes what leads back to itself, which would never end, and what leads to more than may be asked on the way: two
/// ways at each of thirty steps are a thousand million.
fn find_circles(ways: &[Vec<usize>], pointers: &[String], problems: &mut Problems) {
    let places = || {
        ways.iter()
            .zip(pointers)
            .enumerate()
            .filter(|(_, (ways, _))| !ways.is_empty())
    };
    let mut are_endless = false;
    for (place, (_, pointer)) in places() {
        if leads_back(place, ways) {
            are_endless = true;
            let detail = "It leads back to itself, by itself or through others.".to_owned();
            problems.add(pointer, "circular", detail);
        }
    }
    if are_endless {
        return;
    }
    for (place, (_, pointer)) in places() {
        if !is_near(place, ways) {
            let detail =
                format!("It leads to others more than {ASKED_MAX} times, by itself and through them.");
            problems.add(pointer, "too_deep", detail);
        }
    }
}

/// Whether all that a place leads to is asked in so many steps as may be; each way to the same counts.
fn is_near(place: usize, ways: &[Vec<usize>]) -> bool {
    let mut waiting = ways[place].clone();
    for _ in 0..=ASKED_MAX {
        let Some(next) = waiting.pop() else { return true };
        waiting.extend(&ways[next]);
    }
    false
}

/// Whether a way leads from a place back to it.
fn leads_back(place: usize, ways: &[Vec<usize>]) -> bool {
    let mut seen = vec![false; ways.len()];
    let mut waiting = ways[place].clone();
    while let Some(next) = waiting.pop() {
        if next == place {
            return true;
        }
        if !std::mem::replace(&mut seen[next], true) {
            waiting.extend(&ways[next]);
        }
    }
    false
}

/// Makes one flag.
struct Maker<'a> {
    pointer: String,
    source: &'a definition::Flag,
    definitions: &'a Definitions,
    keys: &'a HashMap<&'a str, usize>,
    compiler: Compiler<'a>,
}

impl Maker<'_> {
    fn flag(&mut self, key: &str) -> Flag {
        let source = self.source;
        if source.variants.is_empty() {
            self.wrong(
                "/variants",
                "variants_missing",
                "A flag has at least one variant.".to_owned(),
            );
        }
        let variants = source
            .variants
            .iter()
            .map(|(name, value)| (Box::from(name.as_str()), value.clone()));
        Flag {
            key: key.into(),
            version: source.version,
            enabled: source.targeting.enabled,
            off: self.variant(&source.targeting.off, "/off"),
            prerequisites: self.prerequisites(),
            overrides: self.overrides(),
            rules: source
                .targeting
                .rules
                .iter()
                .enumerate()
                .map(|(place, rule)| self.rule(rule, place))
                .collect(),
            otherwise: {
                let definition::Outcome { serve, split, by } = &source.targeting.otherwise;
                self.outcome(serve.as_deref(), split.as_ref(), by.as_deref(), "/otherwise")
            },
            bucketing: Bucketing::new(key),
            variants: variants.collect(),
        }
    }

    fn wrong(&mut self, place: &str, code: &'static str, detail: String) {
        let pointer = format!("{}{place}", self.pointer);
        self.compiler.problems.add(&pointer, code, detail);
    }

    fn variant(&mut self, name: &str, place: &str) -> usize {
        let found = self.source.variants.keys().position(|key| key == name);
        if found.is_none() {
            self.wrong(
                place,
                "variant_unknown",
                format!("The flag has no variant `{name}`."),
            );
        }
        found.unwrap_or(0)
    }

    fn prerequisites(&mut self) -> Box<[(usize, Box<[usize]>)]> {
        let mut all = Vec::new();
        for (place, needed) in self.source.targeting.prerequisites.iter().enumerate() {
            let at = format!("/prerequisites/{place}");
            let (Some(flag), Some(other)) = (
                self.keys.get(&*needed.flag),
                self.definitions.flags.get(&needed.flag),
            ) else {
                self.wrong(
                    &format!("{at}/flag"),
                    "flag_unknown",
                    format!("There is no flag `{}`.", needed.flag),
                );
                continue;
            };
            let mut variants = Vec::new();
            for (number, name) in needed.variants.iter().enumerate() {
                match other.variants.keys().position(|key| key == name) {
                    Some(variant) => variants.push(variant),
                    None => {
                        let detail = format!("The flag `{}` has no variant `{name}`.", needed.flag);
                        self.wrong(&format!("{at}/variants/{number}"), "variant_unknown", detail);
                    }
                }
            }
            all.push((*flag, variants.into()));
        }
        all.into()
    }

    fn overrides(&mut self) -> Box<[Override]> {
        let mut all = Vec::new();
        for (place, one) in self.source.targeting.overrides.iter().enumerate() {
            let variant = self.variant(&one.serve, &format!("/overrides/{place}/serve"));
            let values = one.values.iter().map(|value| Box::from(value.as_str()));
            all.push(Override {
                by: self.compiler.names.slot(&one.by),
                values: values.collect(),
                variant,
            });
        }
        all.into()
    }

    fn rule(&mut self, rule: &definition::Rule, place: usize) -> Rule {
        let at = format!("/rules/{place}");
        let pointer = format!("{}{at}/when", self.pointer);
        let when = rule
            .when
            .as_ref()
            .map(|when| self.compiler.condition(when, &pointer));
        let from = self.moment(rule.from.as_deref(), &format!("{at}/from"), i64::MIN);
        let until = self.moment(rule.until.as_deref(), &format!("{at}/until"), i64::MAX);
        if from >= until {
            let detail = "It ends before it begins.".to_owned();
            self.wrong(&format!("{at}/until"), "out_of_range", detail);
        }
        let gates = rule.gates.iter().enumerate();
        Rule {
            name: rule.name.as_deref().map(Box::from),
            when,
            window: (from, until),
            gates: gates
                .map(|(number, gate)| self.gate(gate, &format!("{at}/gates/{number}")))
                .collect(),
            outcome: self.outcome(
                rule.serve.as_deref(),
                rule.split.as_ref(),
                rule.by.as_deref(),
                &at,
            ),
        }
    }

    fn moment(&mut self, text: Option<&str>, place: &str, otherwise: i64) -> i64 {
        let Some(text) = text else { return otherwise };
        moment(text).unwrap_or_else(|| {
            self.wrong(
                place,
                "value_invalid",
                format!("`{text}` is not a moment, as `2026-11-22T10:00:00Z`."),
            );
            otherwise
        })
    }

    fn gate(&mut self, gate: &definition::Gate, place: &str) -> Gate {
        let mut parts = Vec::new();
        for (number, (from, to)) in gate.parts.iter().enumerate() {
            match (thousandths(*from), thousandths(*to)) {
                (Some(from), Some(to)) if from <= to => parts.push((first_hash(from), first_hash(to))),
                _ => {
                    let detail = format!("From {from} to {to} is no part of 0 to 100 in steps of 0.001.");
                    self.wrong(&format!("{place}/parts/{number}"), "out_of_range", detail);
                }
            }
        }
        Gate {
            bucketing: Bucketing::new(&gate.key),
            by: self.compiler.names.slot(&gate.by),
            parts: parts.into(),
        }
    }

    fn outcome(
        &mut self,
        serve: Option<&str>,
        split: Option<&BTreeMap<String, f64>>,
        by: Option<&str>,
        place: &str,
    ) -> Outcome {
        match (serve, split, by) {
            (Some(name), None, None) => Outcome::Serve(self.variant(name, &format!("{place}/serve"))),
            (None, Some(split), Some(by)) => {
                let by = self.compiler.names.slot(by);
                match self.shares(split, &format!("{place}/split")) {
                    Some(shares) => Outcome::Split(shares, by),
                    None => Outcome::Serve(0),
                }
            }
            _ => {
                let detail = "It says either `serve`, or `split` with `by`.".to_owned();
                self.wrong(place, "outcome_invalid", detail);
                Outcome::Serve(0)
            }
        }
    }

    /// The shares of all variants, in the order of their names.
    fn shares(&mut self, split: &BTreeMap<String, f64>, place: &str) -> Option<Shares> {
        let mut weights = vec![0; self.source.variants.len()];
        for (name, percent) in split {
            let at = format!("{place}/{}", part(name));
            let variant = self.variant(name, &at);
            match thousandths(*percent) {
                Some(weight) => *weights.get_mut(variant)? = weight,
                None => {
                    let detail = format!("{percent} is not from 0 to 100 in steps of 0.001.");
                    self.wrong(&at, "out_of_range", detail);
                    return None;
                }
            }
        }
        let sum: u64 = weights.iter().copied().map(u64::from).sum();
        if sum != u64::from(WHOLE) {
            let detail = format!("The shares add up to {}, not to 100.", sum as f64 / PARTS);
            self.wrong(place, "weights_sum", detail);
            return None;
        }
        Shares::new(&weights)
    }
}

/// A percentage in thousandths of a percent.
fn thousandths(percent: f64) -> Option<u32> {
    let parts = percent * PARTS;
    let whole = parts.round();
    let is_one = (0.0..=f64::from(WHOLE)).contains(&whole) && (parts - whole).abs() < 1e-6;
    is_one.then_some(whole as u32)
}

/// The first hash that is not below a share of all.
fn first_hash(thousandths: u32) -> u64 {
    (u64::from(thousandths) << 32).div_ceil(u64::from(WHOLE))
}

#[cfg(test)]
mod tests;
