//! Makes what rules give of what is written down.

use std::collections::BTreeMap;

use super::{Maker, thousandths};
use crate::bucketing::{Order, Shares};
use crate::condition::moment;
use crate::definition;
use crate::flags::kept::Kept;
use crate::flags::rollout::Rollout;
use crate::flags::{Buckets, Gate, KEPT_MAX, Outcome, PARTS, Units, WHOLE};
use crate::problem::part;

/// The most steps of a share that grows.
const STEPS_MAX: usize = 50;

/// What is said of an outcome: of a rule's, or of what those get whom none fits.
pub(super) struct Said<'a> {
    serve: Option<&'a str>,
    split: Option<&'a BTreeMap<String, f64>>,
    buckets: Option<&'a definition::Buckets>,
    rollout: Option<&'a definition::Rollout>,
    by: Option<&'a str>,
    or_by: &'a [String],
    logic: Option<&'a serde_json::Value>,
}

impl<'a> From<&'a definition::Rule> for Said<'a> {
    fn from(rule: &'a definition::Rule) -> Self {
        Self {
            serve: rule.serve.as_deref(),
            split: rule.split.as_ref(),
            buckets: rule.buckets.as_ref(),
            rollout: rule.rollout.as_ref(),
            by: rule.by.as_deref(),
            or_by: &rule.or_by,
            logic: rule.logic.as_ref(),
        }
    }
}

impl<'a> From<&'a definition::Outcome> for Said<'a> {
    fn from(outcome: &'a definition::Outcome) -> Self {
        Self {
            serve: outcome.serve.as_deref(),
            split: outcome.split.as_ref(),
            buckets: outcome.buckets.as_ref(),
            rollout: outcome.rollout.as_ref(),
            by: outcome.by.as_deref(),
            or_by: &outcome.or_by,
            logic: None,
        }
    }
}

impl Said<'_> {
    /// Whether something is said beside logic.
    const fn is_more_than_logic(&self) -> bool {
        self.serve.is_some()
            || self.split.is_some()
            || self.buckets.is_some()
            || self.rollout.is_some()
            || self.by.is_some()
            || !self.or_by.is_empty()
    }
}

impl Maker<'_, '_> {
    pub(super) fn outcome(&mut self, said: &Said<'_>, place: &str) -> Outcome {
        if let Some(logic) = said.logic {
            if said.is_more_than_logic() {
                let detail = "What `logic` gives is all that the rule gives.".to_owned();
                self.wrong(place, "outcome_invalid", detail);
            }
            return self.logic(logic, &format!("{place}/logic"));
        }
        match (said.serve, said.split, said.buckets, said.rollout, said.by) {
            (Some(name), None, None, None, None) if said.or_by.is_empty() => {
                Outcome::Serve(self.variant(name, &format!("{place}/serve")))
            }
            (None, Some(split), None, None, Some(by)) => {
                let by = self.compiler.units(by, said.or_by, true);
                match self.shares(split, &format!("{place}/split")) {
                    Some(shares) => Outcome::Split(shares, by),
                    None => Outcome::Serve(0),
                }
            }
            (None, None, Some(buckets), None, Some(by)) => {
                let is_native = buckets.dialect == definition::Dialect::Native;
                let by = self.compiler.units(by, said.or_by, is_native);
                self.buckets(buckets, by, &format!("{place}/buckets"))
            }
            (None, None, None, Some(rollout), Some(by)) => {
                let by = self.compiler.units(by, said.or_by, true);
                self.rollout(rollout, by, &format!("{place}/rollout"))
            }
            _ => {
                let detail = "It says either `serve`, or one of `split`, `rollout` and `buckets` with `by`."
                    .to_owned();
                self.wrong(place, "outcome_invalid", detail);
                Outcome::Serve(0)
            }
        }
    }

    /// A share that grows; the order of the variants is that of a split.
    fn rollout(&mut self, source: &definition::Rollout, by: Units, place: &str) -> Outcome {
        let serve = self.variant(&source.serve, &format!("{place}/serve"));
        let others = self.variant(&source.others, &format!("{place}/others"));
        if source.serve == source.others {
            let detail = "The share gets what all others get; nothing would ever change.".to_owned();
            self.wrong(&format!("{place}/others"), "outcome_invalid", detail);
        }
        let start = self.percent(source.start, &format!("{place}/start"));
        let count = source.steps.len();
        if !(1..=STEPS_MAX).contains(&count) {
            let detail = format!("There are {count} steps; it has 1 to {STEPS_MAX}.");
            self.wrong(&format!("{place}/steps"), "steps_count", detail);
        }
        let mut steps: Vec<(i64, u32)> = Vec::with_capacity(count);
        for (number, step) in source.steps.iter().enumerate() {
            let at = format!("{place}/steps/{number}");
            let percent = self.percent(step.percent, &format!("{at}/percent"));
            let Some(moment) = moment(&step.at) else {
                let detail = format!("`{}` is not a moment, as `2026-11-22T10:00:00Z`.", step.at);
                self.wrong(&format!("{at}/at"), "value_invalid", detail);
                continue;
            };
            if steps.last().is_some_and(|(before, _)| *before >= moment) {
                let detail = "It does not come after the step before it.".to_owned();
                self.wrong(&format!("{at}/at"), "out_of_range", detail);
            }
            steps.push((moment, percent));
        }
        Outcome::Rollout(Box::new(Rollout {
            by,
            serve,
            others,
            start,
            steps: steps.into(),
            is_smooth: source.smooth,
        }))
    }

    /// A percentage in thousandths of a percent; 0 if it is none.
    fn percent(&mut self, percent: f64, place: &str) -> u32 {
        let found = thousandths(percent);
        if found.is_none() {
            let detail = format!("{percent} is not from 0 to 100 in steps of 0.001.");
            self.wrong(place, "out_of_range", detail);
        }
        found.unwrap_or(0)
    }

    /// The outcome of a rule, with what some keep of its earlier splits.
    pub(super) fn kept(&mut self, rule: &definition::Rule, outcome: Outcome, place: &str) -> Outcome {
        let gate = rule.gates.first();
        for (name, is_said) in [("sticky", rule.sticky), ("kept", !rule.kept.is_empty())] {
            if is_said && (gate.is_none() || rule.split.is_none()) {
                let detail = "It needs a `split`, and a gate that says who has been let pass: those keep what they have."
                    .to_owned();
                self.wrong(&format!("{place}/{name}"), "outcome_invalid", detail);
            }
        }
        if rule.kept.len() > KEPT_MAX {
            let detail = format!(
                "There are {} earlier splits; at most {KEPT_MAX} are kept.",
                rule.kept.len()
            );
            self.wrong(&format!("{place}/kept"), "kept_count", detail);
        }
        let (Outcome::Split(..), Some(gate), false) = (&outcome, gate, rule.kept.is_empty()) else {
            return outcome;
        };
        let mut earlier = Vec::with_capacity(rule.kept.len());
        for (number, kept) in rule.kept.iter().enumerate() {
            let at = format!("{place}/kept/{number}");
            let order = Order::of_gate(gate.dialect, &gate.key);
            let pointer = format!("{}{at}/parts", self.pointer);
            let parts = self.compiler.parts(&kept.parts, &order, &pointer);
            let shares = self.shares(&kept.split, &format!("{at}/split"));
            let by = self.compiler.units(&gate.by, &gate.or_by, order.is_native());
            earlier.extend(shares.map(|shares| (Gate { order, by, parts }, shares)));
        }
        match outcome {
            Outcome::Split(shares, by) => Outcome::Kept(Box::new(Kept {
                by,
                shares,
                earlier: earlier.into(),
            })),
            other => other,
        }
    }

    fn buckets(&mut self, source: &definition::Buckets, by: Units, place: &str) -> Outcome {
        let weight: u64 = source.parts.iter().map(|part| u64::from(part.weight)).sum();
        let weight = u32::try_from(weight).unwrap_or(0);
        let wanted = source.dialect.places();
        if weight == 0 || wanted.is_some_and(|wanted| wanted != weight) {
            let wanted = wanted.map_or_else(
                || "a number from 1 to 4294967295".to_owned(),
                |wanted| wanted.to_string(),
            );
            let detail = format!("The weights do not make {wanted} together.");
            self.wrong(&format!("{place}/parts"), "weights_sum", detail);
        }
        let order = Order::of_parts(source.dialect, &source.key, weight);
        let places = order.places();
        let mut sum = 0;
        let mut parts = Vec::with_capacity(source.parts.len());
        for (number, part) in source.parts.iter().enumerate() {
            sum += u64::from(part.weight);
            let variant = part.serve.as_ref();
            let variant = variant.map(|name| self.variant(name, &format!("{place}/parts/{number}/serve")));
            // `place * weight / places < sum`, solved for the place.
            let end = u128::from(sum) * u128::from(places);
            let end = end.div_ceil(u128::from(weight.max(1)));
            parts.push((u64::try_from(end).unwrap_or(u64::MAX), variant));
        }
        let parts = parts.into();
        Outcome::Buckets(Box::new(Buckets { order, by, parts }))
    }

    #[cfg(feature = "logic")]
    fn logic(&mut self, source: &serde_json::Value, place: &str) -> Outcome {
        match crate::logic::Logic::compile(source, self.compiler.names) {
            Ok(logic) => Outcome::Logic(Box::new(logic)),
            Err(refused) => {
                self.wrong(
                    &format!("{place}{}", refused.pointer),
                    refused.code,
                    refused.detail,
                );
                Outcome::Serve(0)
            }
        }
    }

    #[cfg(not(feature = "logic"))]
    fn logic(&mut self, _: &serde_json::Value, place: &str) -> Outcome {
        let detail = "This program was built without logic.".to_owned();
        self.wrong(place, "logic_unsupported", detail);
        Outcome::Serve(0)
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
