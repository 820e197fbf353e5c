//! Rules of features as rules of flags.

use eval::definition::{Buckets, Condition, Dialect, Gate, Part, Rule};
use serde_json::Value as Json;

use super::Reader;
use crate::Fault;
use crate::declarable::is_variant;
use crate::growthbook::bucketing::{self, Range};
use crate::growthbook::experiment;
use crate::growthbook::json::Fields;
use crate::growthbook::own_key;

/// How many places the versions of the hash know.
const PLACES: [(f64, Dialect, u32); 2] = [
    (1.0, Dialect::GrowthbookV1, 1000),
    (2.0, Dialect::GrowthbookV2, 10_000),
];

/// A version of the hash.
#[derive(Clone, Copy)]
struct Hash {
    dialect: Dialect,
    places: u32,
}

impl Hash {
    /// The version that something says; none if nobody knows it.
    fn of(fields: Fields<'_>, otherwise: f64) -> Option<Self> {
        let version = fields.number("hashVersion").filter(|version| *version != 0.0);
        let version = version.unwrap_or(otherwise);
        let found = PLACES.iter().find(|(number, ..)| *number == version);
        found.map(|(_, dialect, places)| Self {
            dialect: *dialect,
            places: *places,
        })
    }

    /// Where a place stands, from 0 to 1, as the hash says it.
    fn at(self, place: u32) -> f64 {
        f64::from(place) / f64::from(self.places)
    }

    /// The first place that does not stand before something.
    fn first(self, wanted: f64) -> u32 {
        let (mut from, mut to) = (0, self.places);
        while from < to {
            let middle = from.midpoint(to);
            match self.at(middle) < wanted {
                true => from = middle + 1,
                false => to = middle,
            }
        }
        from
    }

    /// All places from first to last in parts: from where to where, and the first of the ranges that they are in.
    fn split(self, ranges: &[Range]) -> Vec<(u32, u32, Option<usize>)> {
        let borders = ranges
            .iter()
            .flat_map(|(from, to)| [self.first(*from), self.first(*to)]);
        let mut borders: Vec<u32> = borders.chain([0, self.places]).collect();
        borders.sort_unstable();
        borders.dedup();
        let parts = borders.windows(2).map(|part| (part[0], part[1]));
        parts
            .map(|(from, to)| (from, to, bucketing::variation(self.at(from), ranges)))
            .collect()
    }

    /// The parts of all places that are in ranges, in percent.
    fn parts(self, ranges: &[Range]) -> Vec<(f64, f64)> {
        let percent = |place: u32| f64::from(place * (100_000 / self.places)) / 1000.0;
        let parts = self
            .split(ranges)
            .into_iter()
            .filter(|(_, _, range)| range.is_some());
        parts.map(|(from, to, _)| (percent(from), percent(to))).collect()
    }
}

impl Reader<'_, '_> {
    /// The rule that a rule becomes; none if it is for nobody.
    pub(super) fn rule(&mut self, rule: Fields<'_>, at: &str) -> Result<Option<Rule>, Fault> {
        if let Some(bandit) = ["contextualBanditRef", "contextualVariations"]
            .iter()
            .find(|name| rule.is(name))
        {
            let detail = "Weights that are learnt while it runs cannot be taken over.";
            return Err(Fault::new(format!("{at}/{bandit}"), "bandit", detail));
        }
        let Some(gates) = filters(rule, at)? else {
            return Ok(None);
        };
        match rule.0.get("force") {
            Some(value) => self.force(rule, value, gates, at),
            None => self.experiment(rule, gates, at),
        }
    }

    fn when(&mut self, rule: Fields<'_>, at: &str) -> Result<Option<Condition>, Fault> {
        let Some(condition) = rule.some("condition") else {
            return Ok(None);
        };
        let when = self.conditions.read(condition, &format!("{at}/condition"))?;
        Ok(Some(when).filter(|when| !matches!(when, Condition::All { all } if all.is_empty())))
    }

    fn name(rule: Fields<'_>) -> Option<String> {
        rule.text("id").map(str::to_owned)
    }

    /// What an experiment is tracked as, so that it goes on to be; what we write for a rule without such a name is read as it was.
    fn experiment_name(&self, rule: Fields<'_>) -> Option<String> {
        let key = rule.text("key").unwrap_or(self.key);
        let is_ours = rule.text("id").is_some_and(|id| key == own_key(self.key, id));
        match !is_ours && is_variant(key) {
            true => Some(key.to_owned()),
            false => Self::name(rule),
        }
    }

    /// The attributes that say which unit it is.
    fn units(&mut self, rule: Fields<'_>, at: &str) -> (String, Vec<String>) {
        let first = rule.text("hashAttribute").unwrap_or("id");
        let other = rule
            .text("fallbackAttribute")
            .filter(|_| !rule.is("disableStickyBucketing"));
        if other.is_some() {
            let detail = "Who keeps what they were given elsewhere (sticky buckets) is put in order anew.";
            self.notes
                .push(Fault::new(format!("{at}/fallbackAttribute"), "sticky", detail));
        }
        (first.to_owned(), other.map(str::to_owned).into_iter().collect())
    }

    fn force(
        &mut self,
        rule: Fields<'_>,
        value: &Json,
        mut gates: Vec<Gate>,
        at: &str,
    ) -> Result<Option<Rule>, Fault> {
        let range = match (rule.some("range"), rule.0.get("coverage")) {
            (Some(range), _) => Some(bucketing::read_range(range).unwrap_or((0.0, 0.0))),
            (None, Some(coverage)) => Some((0.0, coverage.as_f64().unwrap_or(0.0))),
            (None, None) => None,
        };
        if let Some(range) = range {
            let Some(hash) = Hash::of(rule, 1.0) else {
                return Ok(None);
            };
            let (by, or_by) = self.units(rule, at);
            gates.push(Gate {
                key: rule.text("seed").unwrap_or(self.key).to_owned(),
                by,
                or_by,
                dialect: hash.dialect,
                parts: hash.parts(&[range]),
            });
        }
        Ok(Some(Rule {
            name: Self::name(rule),
            when: self.when(rule, at)?,
            gates,
            serve: Some(self.variant(value)),
            ..Rule::default()
        }))
    }

    fn experiment(
        &mut self,
        rule: Fields<'_>,
        mut gates: Vec<Gate>,
        at: &str,
    ) -> Result<Option<Rule>, Fault> {
        let variations = rule.list("variations").unwrap_or_default();
        let Some(hash) = Hash::of(rule, 1.0).filter(|_| variations.len() > 1) else {
            return Ok(None);
        };
        let (by, or_by) = self.units(rule, at);
        if !rule.0.contains_key("filters")
            && let Some([name, from, to]) = rule.list("namespace")
        {
            let namespace = Hash::of(Fields(&serde_json::Map::new()), 1.0).unwrap_or(hash);
            let range = (from.as_f64().unwrap_or(0.0), to.as_f64().unwrap_or(0.0));
            gates.push(Gate {
                key: format!("__{}", name.as_str().unwrap_or_default()),
                by: by.clone(),
                or_by: or_by.clone(),
                dialect: namespace.dialect,
                parts: namespace.parts(&[range]),
            });
        }
        let key = rule.text("key").unwrap_or(self.key);
        Ok(Some(Rule {
            name: self.experiment_name(rule),
            when: self.when(rule, at)?,
            gates,
            buckets: Some(Buckets {
                dialect: hash.dialect,
                key: rule.text("seed").unwrap_or(key).to_owned(),
                parts: self.parts(rule, hash),
            }),
            by: Some(by),
            or_by,
            ..Rule::default()
        }))
    }

    /// What each place gets; those with a variation that only passes, and those without one, go on with the next rule.
    fn parts(&self, rule: Fields<'_>, hash: Hash) -> Vec<Part> {
        let ranges = experiment::ranges(rule);
        let variations = rule.list("variations").unwrap_or_default();
        let meta = rule.list("meta").unwrap_or_default();
        let passes = |place: usize| {
            meta.get(place)
                .and_then(Fields::of)
                .is_some_and(|meta| meta.is("passthrough"))
        };
        let mut parts: Vec<Part> = Vec::new();
        for (from, to, place) in hash.split(&ranges) {
            let variation = place
                .filter(|place| !passes(*place))
                .and_then(|place| variations.get(place));
            let serve = variation.map(|value| self.variant(value));
            match parts.last_mut() {
                Some(part) if part.serve == serve => part.weight += to - from,
                _ => parts.push(Part {
                    weight: to - from,
                    serve,
                }),
            }
        }
        parts
    }
}

/// The gates that filters become; none if they let nobody pass.
fn filters(rule: Fields<'_>, at: &str) -> Result<Option<Vec<Gate>>, Fault> {
    let mut gates = Vec::new();
    for (place, filter) in rule.list("filters").unwrap_or_default().iter().enumerate() {
        let Some(filter) = Fields::of(filter) else {
            let detail = "A filter is an object.";
            return Err(Fault::new(format!("{at}/filters/{place}"), "shape", detail));
        };
        let Some(hash) = Hash::of(filter, 2.0) else {
            return Ok(None);
        };
        let ranges = bucketing::read_ranges(filter.list("ranges").unwrap_or_default());
        gates.push(Gate {
            key: filter.text("seed").unwrap_or_default().to_owned(),
            by: filter.text("attribute").unwrap_or("id").to_owned(),
            or_by: Vec::new(),
            dialect: hash.dialect,
            parts: hash.parts(&ranges),
        });
    }
    Ok(Some(gates))
}
