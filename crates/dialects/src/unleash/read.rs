//! Features as flags.

use std::collections::{BTreeMap, HashMap, HashSet};

use eval::definition::{
    Buckets, Condition, Dialect, Flag, Outcome, Part, Prerequisite, Rule, Segment, Targeting,
};
use serde::Deserialize as _;

use super::answer::NONE;
use super::constraint;
use super::document::{Dependency, Document, Feature, SegmentSource, Strategy, VariantSource};
use super::payload;
use super::strategy::{self, Meant, Stickiness};
use crate::{Fault, Meta, Reading, leave_out_what_does_not_compile, serve};

/// Strategies of a feature, variants that it has everywhere, and rules that they become.
const STRATEGIES_MAX: usize = 200;
const VARIANTS_MAX: usize = 200;
const RULES_MAX: usize = 1000;

/// Reads features into flags.
///
/// A feature that clients could evaluate but we could not say exactly is refused. What is on for nobody, because a parent or a
/// segment is not there, becomes a flag that is so, and a note says why.
pub fn read(document: &Document) -> Reading {
    let mut reading = Reading::default();
    let segments = segments(document, &mut reading);
    let places = places(document);
    let mut features = BTreeMap::new();
    for (name, place) in &places {
        let pointer = format!("/features/{place}");
        let source = &document.features[*place];
        let feature = match Feature::deserialize(source) {
            Ok(feature) => feature,
            Err(error) => {
                let fault = Fault::new(&pointer, "shape", error.to_string());
                reading.refused.push(fault.of(name));
                continue;
            }
        };
        let mut maker = Maker {
            feature: &feature,
            pointer: &pointer,
            segments: &segments,
            variants: Variants::new(&feature),
            notes: Vec::new(),
        };
        match maker.flag() {
            Ok(flag) => {
                let notes = maker.notes.into_iter().map(|fault| fault.of(name));
                reading.notes.extend(notes);
                let parent = Parent {
                    theirs: maker.variants.theirs,
                    off: maker.variants.off,
                };
                reading.definitions.flags.insert((*name).to_owned(), flag);
                reading
                    .flags
                    .insert((*name).to_owned(), Meta::of(source, pointer));
                features.insert(*name, (feature, parent));
            }
            Err(fault) => reading.refused.push(fault.of(name)),
        }
    }
    join(&mut reading, &features, &places);
    let pointer = |key: &str| {
        places
            .get(key)
            .map_or_else(String::new, |place| format!("/features/{place}"))
    };
    let refused = leave_out_what_does_not_compile(&mut reading.definitions, pointer);
    reading.refused.extend(refused);
    let refused: HashSet<&str> = reading
        .refused
        .iter()
        .map(|finding| finding.flag.as_str())
        .collect();
    reading.notes.retain(|note| !refused.contains(note.flag.as_str()));
    reading
}

/// Where each feature stands; of two with one name, clients take the later one.
fn places(document: &Document) -> BTreeMap<&str, usize> {
    let names = document
        .features
        .iter()
        .map(|feature| feature["name"].as_str().unwrap_or_default());
    names.zip(0..).collect()
}

/// What became of segments, by their numbers.
type Segments = HashMap<i64, Result<String, Fault>>;

/// Puts the segments that can be said into the definitions.
fn segments(document: &Document, reading: &mut Reading) -> Segments {
    let mut all = Segments::new();
    for (place, source) in document.segments.iter().enumerate() {
        let pointer = format!("/segments/{place}");
        let Ok(source) = SegmentSource::deserialize(source) else {
            let Some(id) = source["id"].as_i64() else { continue };
            all.insert(
                id,
                Err(Fault::new(
                    pointer,
                    "shape",
                    "The segment is not of the shape that clients know.",
                )),
            );
            continue;
        };
        let mut conditions = Vec::new();
        let mut fault = None;
        for (number, one) in source.constraints.iter().flatten().enumerate() {
            match constraint::condition(one, &format!("{pointer}/constraints/{number}")) {
                Ok(said) => conditions.push(said.condition),
                Err(found) => fault = fault.or(Some(found)),
            }
        }
        let became = match fault {
            Some(fault) => Err(fault),
            None => {
                let name = source.name.filter(|name| !name.is_empty());
                let name = name.unwrap_or_else(|| format!("segment-{}", source.id));
                let key = free(&name, |key| reading.segments.contains_key(key));
                let when = all_of(conditions).unwrap_or(Condition::All { all: Vec::new() });
                let segments = &mut reading.definitions.segments;
                segments.insert(key.clone(), Segment { when });
                reading.segments.insert(
                    key.clone(),
                    Meta {
                        place: pointer,
                        ..Meta::default()
                    },
                );
                Ok(key)
            }
        };
        all.insert(source.id, became);
    }
    all
}

/// A name that is not taken.
fn free(name: &str, is_taken: impl Fn(&str) -> bool) -> String {
    let mut free = name.to_owned();
    let mut number = 2;
    while is_taken(&free) {
        free = format!("{name}-{number}");
        number += 1;
    }
    free
}

/// The conditions together; none if there is none.
fn all_of(mut all: Vec<Condition>) -> Option<Condition> {
    match all.len() {
        0 => None,
        1 => all.pop(),
        _ => Some(Condition::All { all }),
    }
}

/// The variants of a flag: what they are called with us, and with Unleash.
struct Variants {
    off: String,
    on: String,
    ours: BTreeMap<String, serde_json::Value>,
    /// Theirs by ours; what stands for no variant is called as clients call it.
    theirs: BTreeMap<String, String>,
}

impl Variants {
    fn new(feature: &Feature) -> Self {
        let strategies = feature.strategies.iter().flatten();
        let own = strategies.flat_map(|strategy| strategy.variants.iter().flatten());
        let names: HashSet<&str> = own
            .chain(feature.variants.iter().flatten())
            .map(|variant| variant.name.as_str())
            .collect();
        let off = free("off", |name| names.contains(name));
        let on = free("on", |name| names.contains(name));
        Self {
            ours: [(off.clone(), false.into())].into(),
            theirs: BTreeMap::new(),
            off,
            on,
        }
    }

    /// The variant of those for whom the feature is on without one.
    fn on(&mut self) -> String {
        self.ours.insert(self.on.clone(), true.into());
        self.theirs.insert(self.on.clone(), NONE.to_owned());
        self.on.clone()
    }

    /// What a variant is called with us: as with Unleash, but for those that have one name and do not carry the same.
    fn put(&mut self, variant: &VariantSource) -> String {
        let mut name = variant.name.clone();
        let mut number = 2;
        loop {
            let value = payload::value(&variant.name, &name, variant.payload.as_ref());
            match self.ours.get(&name) {
                Some(known) if *known != value => {}
                _ => {
                    self.ours.insert(name.clone(), value);
                    self.theirs.insert(name.clone(), variant.name.clone());
                    return name;
                }
            }
            name = format!("{}-{number}", variant.name);
            number += 1;
        }
    }
}

/// Makes one flag.
struct Maker<'a> {
    feature: &'a Feature,
    pointer: &'a str,
    segments: &'a Segments,
    variants: Variants,
    notes: Vec<Fault>,
}

impl Maker<'_> {
    fn flag(&mut self) -> Result<Flag, Fault> {
        let mut rules = Vec::new();
        let strategies = self.feature.strategies.as_deref().unwrap_or_default();
        let variants = strategies.iter().map(|strategy| &strategy.variants);
        let variants = variants
            .chain([&self.feature.variants])
            .flatten()
            .flatten()
            .count();
        self.bound("/strategies", strategies.len(), STRATEGIES_MAX)?;
        self.bound("/variants", variants, VARIANTS_MAX)?;
        for (place, strategy) in strategies.iter().enumerate() {
            if strategy.disabled != Some(true) {
                let pointer = format!("{}/strategies/{place}", self.pointer);
                rules.extend(self.rules(strategy, &pointer)?);
                self.bound("/strategies", rules.len(), RULES_MAX)?;
            }
        }
        if strategies.is_empty() {
            let everybody = Meant::everybody(&self.feature.name);
            rules.extend(self.overrides(&everybody)?);
            let outcome = self.outcome_of_feature()?;
            rules.push(rule(None, &everybody, outcome));
        }
        Ok(Flag {
            version: 0,
            targeting: Targeting {
                enabled: self.feature.enabled,
                off: self.variants.off.clone(),
                prerequisites: Vec::new(),
                overrides: Vec::new(),
                otherwise: otherwise(&mut rules, &self.variants.off),
                rules,
            },
            variants: self.variants.ours.clone(),
        })
    }

    fn bound(&self, place: &str, count: usize, most: usize) -> Result<(), Fault> {
        match count <= most {
            true => Ok(()),
            false => {
                let detail = format!("There are {count}, and {most} are taken.");
                Err(Fault::new(
                    format!("{}{place}", self.pointer),
                    "too_large",
                    detail,
                ))
            }
        }
    }

    /// A strategy as rules; none if it is for nobody.
    fn rules(&mut self, source: &Strategy, pointer: &str) -> Result<Vec<Rule>, Fault> {
        let mut meant = strategy::meant(source, &self.feature.name, pointer)?;
        self.notes.append(&mut meant.notes);
        for (place, id) in source.segments.iter().flatten().enumerate() {
            let at = format!("{pointer}/segments/{place}");
            match self.segments.get(id) {
                Some(Ok(segment)) => meant.conditions.push(Condition::Segment {
                    segment: segment.clone(),
                }),
                Some(Err(fault)) => {
                    let detail = format!("The segment {id} could not be read: {}", fault.detail);
                    return Err(Fault::new(&fault.pointer, fault.code, detail));
                }
                None => {
                    let detail =
                        format!("There is no segment {id}, so the strategy is for nobody and was left out.");
                    self.notes.push(Fault::new(at, "segment_unknown", detail));
                    return Ok(Vec::new());
                }
            }
        }
        let own = source.variants.as_deref().filter(|own| !own.is_empty());
        let mut rules = Vec::new();
        let outcome = match own {
            Some(own) => self.outcome(own, &meant, &format!("{pointer}/variants"))?,
            None => {
                rules = self.overrides(&meant)?;
                self.outcome_of_feature()?
            }
        };
        rules.push(rule(source.title.as_deref(), &meant, outcome));
        Ok(rules)
    }

    /// Rules for those who get a variant of the feature whatever their place.
    fn overrides(&mut self, meant: &Meant) -> Result<Vec<Rule>, Fault> {
        let mut rules = Vec::new();
        for (place, variant) in self.feature.variants.iter().flatten().enumerate() {
            let mut any = Vec::new();
            for (number, one) in variant.overrides.iter().flatten().enumerate() {
                let at = format!("{}/variants/{place}/overrides/{number}/contextName", self.pointer);
                let name = constraint::attribute(&one.context_name, &at)?;
                any.push(constraint::is_one_of(&name, one.values.clone()));
            }
            if any.is_empty() {
                continue;
            }
            let serve = self.variants.put(variant);
            let mut conditions = meant.conditions.clone();
            conditions.push(Condition::Any { any });
            let meant = Meant {
                conditions,
                gate: meant.gate.clone(),
                ..Meant::everybody("")
            };
            rules.push(rule(None, &meant, crate::serve(&serve)));
        }
        Ok(rules)
    }

    fn outcome_of_feature(&mut self) -> Result<Outcome, Fault> {
        let variants = self.feature.variants.as_deref().unwrap_or_default();
        let pointer = format!("{}/variants", self.pointer);
        self.outcome(variants, &Meant::everybody(&self.feature.name), &pointer)
    }

    /// Variants by their weights, in the order of whoever is meant; on without one if they have none.
    fn outcome(
        &mut self,
        variants: &[VariantSource],
        meant: &Meant,
        pointer: &str,
    ) -> Result<Outcome, Fault> {
        let weighty: Vec<_> = variants.iter().filter(|variant| variant.weight > 0).collect();
        match &*weighty {
            [] => return Ok(serve(&self.variants.on())),
            [only] => return Ok(serve(&self.variants.put(only))),
            _ => {}
        }
        let stickiness = variants.first().and_then(|first| first.stickiness.as_deref());
        let at = format!("{pointer}/0/stickiness");
        let units = Stickiness::of(stickiness.or(meant.stickiness.as_deref()), &at)?.or_random();
        let parts = weighty.iter().map(|variant| Part {
            weight: variant.weight,
            serve: Some(self.variants.put(variant)),
        });
        Ok(Outcome {
            buckets: Some(Buckets {
                dialect: Dialect::Unleash,
                key: meant.group.clone(),
                parts: parts.collect(),
            }),
            by: Some(units.by),
            or_by: units.or_by,
            ..Outcome::default()
        })
    }
}

fn rule(name: Option<&str>, meant: &Meant, outcome: Outcome) -> Rule {
    Rule {
        name: name.filter(|name| !name.is_empty()).map(str::to_owned),
        when: all_of(meant.conditions.clone()),
        gates: meant.gate.iter().cloned().collect(),
        serve: outcome.serve,
        split: outcome.split,
        buckets: outcome.buckets,
        by: outcome.by,
        or_by: outcome.or_by,
        ..Rule::default()
    }
}

/// What comes after the rules: the first of them that is for everybody, which none after it changes, or the variant `off`.
fn otherwise(rules: &mut Vec<Rule>, off: &str) -> Outcome {
    let is_for_all = |rule: &Rule| rule.when.is_none() && rule.gates.is_empty() && rule.name.is_none();
    let Some(place) = rules.iter().position(is_for_all) else {
        return serve(off);
    };
    let last = rules.swap_remove(place);
    rules.truncate(place);
    Outcome {
        serve: last.serve,
        split: last.split,
        buckets: last.buckets,
        rollout: last.rollout,
        by: last.by,
        or_by: last.or_by,
    }
}

/// What those who depend on a feature need of it.
struct Parent {
    /// The names of its variants: theirs by ours, but for `off`.
    theirs: BTreeMap<String, String>,
    off: String,
}

/// Features that could be said.
type Features<'a> = BTreeMap<&'a str, (Feature, Parent)>;

/// Joins flags with those that they depend on.
fn join(reading: &mut Reading, features: &Features<'_>, places: &BTreeMap<&str, usize>) {
    let mut refused: HashSet<&str> = HashSet::new();
    for (name, (feature, _)) in features {
        let pointer = format!("/features/{}/dependencies", places[name]);
        let parents = parents(feature, features, places, &pointer);
        let Some(flag) = reading.definitions.flags.get_mut(*name) else {
            continue;
        };
        match parents {
            Ok(prerequisites) => flag.targeting.prerequisites = prerequisites,
            Err(Missing::Read(fault)) => {
                reading.refused.push(fault.of(name));
                refused.insert(name);
            }
            Err(Missing::Never(fault)) => {
                flag.targeting.rules.clear();
                let nobody = serve(&flag.targeting.off);
                flag.targeting.otherwise = nobody;
                reading.notes.push(fault.of(name));
            }
        }
    }
    // Whoever has a parent that was refused has one that could not be read.
    reading
        .definitions
        .flags
        .retain(|name, _| !refused.contains(name.as_str()));
}

/// Why there is no way to a feature through its parents.
enum Missing {
    /// A parent could not be read.
    Read(Fault),
    /// Clients let nobody through.
    Never(Fault),
}

fn parents(
    feature: &Feature,
    features: &Features<'_>,
    places: &BTreeMap<&str, usize>,
    pointer: &str,
) -> Result<Vec<Prerequisite>, Missing> {
    let mut all = Vec::new();
    for (place, source) in feature.dependencies.iter().flatten().enumerate() {
        let at = format!("{pointer}/{place}/feature");
        let name = &source.feature;
        let Some((parent, known)) = features.get(name.as_str()) else {
            return Err(match places.contains_key(name.as_str()) {
                true => Missing::Read(Fault::new(
                    at,
                    "parent_refused",
                    format!("Its parent `{name}` could not be read."),
                )),
                false => Missing::Never(Fault::new(
                    at,
                    "parent_unknown",
                    format!("There is no feature `{name}`, so clients give it to nobody."),
                )),
            });
        };
        if parent
            .dependencies
            .as_ref()
            .is_some_and(|parents| !parents.is_empty())
        {
            let detail = format!("Its parent `{name}` has parents itself, so clients give it to nobody.");
            return Err(Missing::Never(Fault::new(at, "parent_has_parents", detail)));
        }
        all.push(prerequisite(source, known));
    }
    Ok(all)
}

/// What a parent must give.
fn prerequisite(source: &Dependency, parent: &Parent) -> Prerequisite {
    let wanted = source.variants.as_deref().unwrap_or_default();
    let is_wanted = |theirs: &String| wanted.is_empty() || wanted.contains(theirs);
    let fitting = parent.theirs.iter().filter(|(_, theirs)| is_wanted(theirs));
    Prerequisite {
        flag: source.feature.clone(),
        variants: match source.enabled {
            Some(false) => vec![parent.off.clone()],
            _ => fitting.map(|(ours, _)| ours.clone()).collect(),
        },
    }
}
