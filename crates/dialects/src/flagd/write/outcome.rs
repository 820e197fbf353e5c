//! What is given, in JSONLogic.

use std::collections::BTreeMap;

use eval::definition::{Buckets, Dialect, Outcome, Rollout, Rule, Span};
use serde_json::{Value, json};

use super::{WHOLE, Writer, conditions, pieces, thousandths, unit};
use crate::Fault;

impl Writer<'_> {
    /// What a rule gives those whom it is for.
    pub(super) fn rule(&self, rule: &Rule, place: &str) -> Result<Value, Fault> {
        let with = |split: Option<BTreeMap<String, f64>>| Outcome {
            serve: rule.serve.clone(),
            split,
            buckets: rule.buckets.clone(),
            rollout: rule.rollout.clone(),
            by: rule.by.clone(),
            or_by: rule.or_by.clone(),
        };
        let last = self.outcome(&with(rule.split.clone()), place)?;
        let Some(gate) = rule.gates.first().filter(|_| !rule.kept.is_empty()) else {
            return Ok(last);
        };
        let unit = unit(&gate.by, &gate.or_by, &self.pointer(&format!("{place}/gates/0")))?;
        let mut parts = Vec::new();
        for kept in &rule.kept {
            let mut fractions = vec![json!({ "cat": [gate.key, unit.text] })];
            fractions.extend(pieces(&kept.parts));
            let earlier = self.outcome(&with(Some(kept.split.clone())), place)?;
            parts.extend([json!({ "fractional": fractions }), earlier]);
        }
        parts.push(last);
        Ok(json!({ "if": parts }))
    }

    pub(super) fn outcome(&self, outcome: &Outcome, place: &str) -> Result<Value, Fault> {
        if let Some(name) = &outcome.serve {
            return Ok(self.variant(name));
        }
        let by = outcome.by.as_deref().unwrap_or_default();
        let unit = unit(by, &outcome.or_by, &self.pointer(&format!("{place}/by")))?;
        let weighed = |(name, percent): (&String, &f64)| json!([self.variant(name), thousandths(*percent)]);
        let spread = match (&outcome.split, &outcome.rollout, &outcome.buckets) {
            (Some(split), ..) => fractional(self.key, &unit.text, split.iter().map(weighed).collect()),
            (_, Some(rollout), _) => self.rollout(rollout, &unit.text, &format!("{place}/rollout"))?,
            (.., Some(buckets)) => {
                let parts = self.parts(buckets, &format!("{place}/buckets"))?;
                fractional(&buckets.key, &unit.text, parts)
            }
            _ => fractional(self.key, &unit.text, Vec::new()),
        };
        let off = self.variant(&self.flag.targeting.off);
        Ok(json!({ "if": [unit.is_known, spread, off] }))
    }

    /// The share of each step from its moment on.
    fn rollout(&self, rollout: &Rollout, text: &Value, place: &str) -> Result<Value, Fault> {
        if rollout.smooth {
            let detail = "flagd's shares do not grow all the time.";
            let at = self.pointer(&format!("{place}/smooth"));
            return Err(Fault::new(at, "rollout_unsayable", detail));
        }
        let share = |percent: f64| {
            let share = thousandths(percent);
            let shares: BTreeMap<_, _> = [(&rollout.serve, share), (&rollout.others, WHOLE - share)].into();
            let parts = shares.into_iter();
            let parts = parts.map(|(name, weight)| json!([self.variant(name), weight]));
            fractional(self.key, text, parts.collect())
        };
        let mut parts = Vec::new();
        // Of those that are behind, the last one holds.
        for (number, step) in rollout.steps.iter().enumerate().rev() {
            let since = Span {
                from: Some(step.at.clone()),
                until: None,
            };
            let at = self.pointer(&format!("{place}/steps/{number}/at"));
            parts.extend([conditions::during(&since, &at)?, share(step.percent)]);
        }
        parts.push(share(rollout.start));
        Ok(json!({ "if": parts }))
    }

    fn parts(&self, buckets: &Buckets, place: &str) -> Result<Vec<Value>, Fault> {
        let fault = |rest: &str, code, detail: &str| {
            Fault::new(self.pointer(&format!("{place}{rest}")), code, detail)
        };
        if buckets.dialect != Dialect::Native {
            return Err(fault(
                "/dialect",
                "dialect_unsayable",
                "flagd puts units in our order only.",
            ));
        }
        let weight: u64 = buckets.parts.iter().map(|part| u64::from(part.weight)).sum();
        if weight > i32::MAX as u64 {
            return Err(fault(
                "/parts",
                "weights_sum",
                "flagd's weights make at most 2147483647 together.",
            ));
        }
        let parts = buckets
            .parts
            .iter()
            .enumerate()
            .map(|(number, part)| match &part.serve {
                Some(serve) => Ok(json!([self.variant(serve), part.weight])),
                None => Err(fault(
                    &format!("/parts/{number}"),
                    "part_unsayable",
                    "With flagd each part has a variant.",
                )),
            });
        parts.collect()
    }
}

/// What a unit falls on of parts in the order of a key.
fn fractional(key: &str, text: &Value, parts: Vec<Value>) -> Value {
    let mut fractions = vec![json!({ "cat": [key, text] })];
    fractions.extend(parts);
    json!({ "fractional": fractions })
}
