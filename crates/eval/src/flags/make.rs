//! Makes sets of flags of what is written down, or tells all that is wrong with it.

use super::{ASKED_MAX, Flag, Needed, Outcome, Override, PARTS, Rule, WHOLE, places};
use crate::bucketing::Bucketing;
use crate::condition::{Compiler, Condition, Tests};
use crate::definition::{self, Definitions};
use crate::problem::{Problems, part};
use crate::subject::{Map, Names};

mod gate;
mod outcome;

use outcome::Said;

/// Compiles the segments; they may name each other, but not in circles.
pub(super) fn segments<'d>(
    definitions: &'d Definitions,
    (names, tests): (&mut Names, &mut Tests<'d>),
    problems: &mut Problems,
) -> Box<[Condition]> {
    let places = places(definitions.segments.keys());
    let mut compiler = Compiler {
        names,
        tests,
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
        let keys: Vec<_> = definitions.segments.keys().collect();
        let pointer = |place: usize, _| format!("/segments/{}/when", part(keys[place]));
        find_circles(&named, pointer, problems);
    }
    compiled.into()
}

/// Notes what leads back to itself, which would never end, and what leads to more than may be asked on the way: two
/// ways at each of thirty steps are a thousand million. The pointer is that of one of a place's ways.
pub(super) fn find_circles(
    ways: &[Vec<usize>],
    pointer: impl Fn(usize, usize) -> String,
    problems: &mut Problems,
) {
    let places = || (0..ways.len()).filter(|place| !ways[*place].is_empty());
    let mut are_endless = false;
    for place in places() {
        if let Some(way) = way_back(place, ways) {
            are_endless = true;
            let detail = "It leads back to itself, by itself or through others.".to_owned();
            problems.add(&pointer(place, way), "circular", detail);
        }
    }
    if are_endless {
        return;
    }
    for place in places() {
        if !is_near(place, ways) {
            let detail =
                format!("It leads to others more than {ASKED_MAX} times, by itself and through them.");
            problems.add(&pointer(place, 0), "too_deep", detail);
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

/// The first of a place's ways that leads back to it.
fn way_back(place: usize, ways: &[Vec<usize>]) -> Option<usize> {
    // What one way has led to need not be looked at by the next: it does not lead back.
    let mut seen = vec![false; ways.len()];
    ways[place].iter().position(|first| {
        let mut waiting = vec![*first];
        while let Some(next) = waiting.pop() {
            if next == place {
                return true;
            }
            if !std::mem::replace(&mut seen[next], true) {
                waiting.extend(&ways[next]);
            }
        }
        false
    })
}

/// Makes one flag.
pub(super) struct Maker<'a, 'd> {
    pub(super) pointer: String,
    pub(super) source: &'d definition::Flag,
    pub(super) definitions: &'d Definitions,
    pub(super) keys: &'a Map<&'d str, usize>,
    pub(super) compiler: Compiler<'a, 'd>,
}

impl<'d> Maker<'_, 'd> {
    pub(super) fn flag(&mut self, key: &str) -> Flag {
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
            prerequisites: self.needed(&source.targeting.prerequisites, "/prerequisites"),
            overrides: self.overrides(),
            rules: source
                .targeting
                .rules
                .iter()
                .enumerate()
                .map(|(place, rule)| self.rule(rule, place))
                .collect(),
            otherwise: self.otherwise(),
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

    /// What other flags must give.
    fn needed(&mut self, source: &[definition::Prerequisite], list: &str) -> Box<[Needed]> {
        let mut all = Vec::with_capacity(source.len());
        for (place, needed) in source.iter().enumerate() {
            let at = format!("{list}/{place}");
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

    fn rule(&mut self, rule: &'d definition::Rule, place: usize) -> Rule {
        let at = format!("/rules/{place}");
        let pointer = format!("{}{at}/when", self.pointer);
        let when = rule
            .when
            .as_ref()
            .map(|when| self.compiler.condition(when, &pointer));
        let window = self.compiler.span(
            rule.from.as_deref(),
            rule.until.as_deref(),
            &format!("{}{at}", self.pointer),
        );
        let gates = rule.gates.iter().enumerate();
        let outcome = self.outcome(&Said::from(rule), &at);
        Rule {
            name: rule.name.as_deref().map(Box::from),
            when,
            window,
            gates: gates
                .map(|(number, gate)| {
                    let pointer = format!("{}{at}/gates/{number}", self.pointer);
                    self.compiler.gate(gate, &pointer)
                })
                .collect(),
            requires: self.needed(&rule.requires, &format!("{at}/requires")),
            outcome: self.kept(rule, outcome, &at),
        }
    }

    fn otherwise(&mut self) -> Outcome {
        let outcome = &self.source.targeting.otherwise;
        let buckets = outcome.buckets.iter();
        let parts = buckets.flat_map(|buckets| &buckets.parts).enumerate();
        for (number, part) in parts {
            if part.serve.is_none() {
                let detail = "Nothing comes after `otherwise`, so each part has a variant.".to_owned();
                self.wrong(
                    &format!("/otherwise/buckets/parts/{number}"),
                    "outcome_invalid",
                    detail,
                );
            }
        }
        self.outcome(&Said::from(outcome), "/otherwise")
    }
}

/// A percentage in thousandths of a percent.
pub(crate) fn thousandths(percent: f64) -> Option<u32> {
    let parts = percent * PARTS;
    let whole = parts.round();
    let is_one = (0.0..=f64::from(WHOLE)).contains(&whole) && (parts - whole).abs() < 1e-6;
    is_one.then_some(whole as u32)
}
