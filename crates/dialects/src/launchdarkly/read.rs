//! Flags as flags.

use std::collections::{BTreeMap, HashSet};

use eval::definition::{
    Buckets, Condition, Dialect, Flag, Outcome, Override, Part, Prerequisite, Rule, Targeting,
};
use serde_json::{Map, Value as Json};

use super::clause::Clauses;
use super::document::{FlagSource, Given, Rollout, Target};
use super::names::{KEY, Said, is_user};
use crate::kind::{VARIANTS_MAX, variant_name};
use crate::named::leave_out_unnamed;
use crate::{Error, FLAGS_MAX, Fault, Meta, Reading, leave_out_what_does_not_compile, part};

/// What all weights of a roll-out make together.
const WHOLE: u32 = 100_000;

/// Reads what an SDK is sent, or keeps in a file: `{"flags": {…}, "segments": {…}, "flagValues": {…}}`.
///
/// A flag that names a segment that is not in it is refused.
///
/// # Errors
/// It is not of that shape, or too large.
pub fn read(document: &Json) -> Result<Reading, Error> {
    let empty = Map::new();
    let object = |name: &str| match document.get(name) {
        None | Some(Json::Null) => Ok(&empty),
        Some(Json::Object(object)) => Ok(object),
        Some(_) => Err(shape(&format!("/{name}"), "It is no object.")),
    };
    let (flags, values) = (object("flags")?, object("flagValues")?);
    if document.get("flags").is_none() && document.get("flagValues").is_none() {
        return Err(shape("/flags", "There is no object with flags."));
    }
    let mut sources = BTreeMap::new();
    for (key, flag) in flags {
        sources.insert(key.as_str(), FlagSource::read(flag, flag));
    }
    for (key, value) in values {
        // A value that everybody gets.
        sources.entry(key.as_str()).or_insert_with(|| {
            Ok(FlagSource {
                on: true,
                variations: vec![value.clone()],
                fallthrough: Given {
                    variation: Some(0),
                    rollout: None,
                },
                ..FlagSource::default()
            })
        });
    }
    read_sources(&sources, Some(object("segments")?), |key| {
        format!("/flags/{}", part(key))
    })
}

fn shape(pointer: &str, detail: &str) -> Error {
    Error::Shape {
        pointer: pointer.to_owned(),
        detail: detail.to_owned(),
    }
}

/// Flags by their keys; those that are not of the shape, with what is wrong.
pub(super) type Sources<'d> = BTreeMap<&'d str, Result<FlagSource, String>>;

/// Reads flags that stand at places of a document.
pub(super) fn read_sources(
    sources: &Sources<'_>,
    segments: Option<&Map<String, Json>>,
    place: impl Fn(&str) -> String,
) -> Result<Reading, Error> {
    if sources.len() > FLAGS_MAX {
        return Err(Error::TooMany { flags: sources.len() });
    }
    let mut reading = Reading::default();
    let mut clauses = Clauses::new(segments);
    let names = sources
        .iter()
        .filter_map(|(key, source)| Some((*key, Names::of(source.as_ref().ok()?)?)));
    let names: BTreeMap<&str, Names> = names.collect();
    for (key, source) in sources {
        let pointer = place(key);
        let source = match source {
            Ok(source) if source.deleted => continue,
            Ok(source) => source,
            Err(error) => {
                reading.refused.push(Fault::new(pointer, "shape", error).of(key));
                continue;
            }
        };
        let Some(own) = names.get(key) else {
            let detail = format!("It has more than {VARIANTS_MAX} variations.");
            reading
                .refused
                .push(Fault::new(pointer, "too_many_values", detail).of(key));
            continue;
        };
        let mut reader = Reader {
            key,
            source,
            own,
            sources,
            names: &names,
            clauses: &mut clauses,
            notes: Vec::new(),
        };
        match reader.flag(&pointer) {
            Ok(flag) => {
                reading
                    .notes
                    .extend(reader.notes.into_iter().map(|fault| fault.of(key)));
                reading.definitions.flags.insert((*key).to_owned(), flag);
                let meta = Meta {
                    place: pointer,
                    ..source.meta.clone()
                };
                reading.flags.insert((*key).to_owned(), meta);
            }
            Err(fault) => reading.refused.push(fault.of(key)),
        }
    }
    reading.definitions.segments = clauses.into_segments();
    let refused = leave_out_what_does_not_compile(&mut reading.definitions, place);
    reading.refused.extend(refused);
    let refused: HashSet<&str> = reading.refused.iter().map(|one| one.flag.as_str()).collect();
    reading.notes.retain(|note| !refused.contains(note.flag.as_str()));
    leave_out_unnamed(&mut reading.definitions);
    reading.segments = segments_of(&reading, segments);
    Ok(reading)
}

/// What is said of the segments that were read.
fn segments_of(reading: &Reading, sources: Option<&Map<String, Json>>) -> BTreeMap<String, Meta> {
    let each = reading.definitions.segments.keys().filter_map(|key| {
        let source = sources?.get(key)?;
        let place = format!("/segments/{}", part(key));
        Some((key.clone(), Meta::with_name(source, place)))
    });
    each.collect()
}

/// What a flag's variations are called.
struct Names {
    /// In their order.
    all: Vec<String>,
    /// The name of `null`, if it gives that while it is off.
    null: Option<String>,
}

impl Names {
    /// None if there are too many.
    fn of(source: &FlagSource) -> Option<Self> {
        if source.variations.len() > VARIANTS_MAX {
            return None;
        }
        let mut all: Vec<String> = Vec::new();
        for (place, value) in source.variations.iter().enumerate() {
            let is_free = |name: &str| all.iter().all(|one| one != name);
            let said = source.names.get(place).and_then(Option::as_deref);
            let said = said.filter(|name| variant_name(&Json::from(*name), place, is_free) == **name);
            let name = said.map_or_else(|| variant_name(value, place, is_free), str::to_owned);
            all.push(name);
        }
        let is_free = |name: &str| all.iter().all(|one| one != name);
        let null = source.off_variation.is_none();
        let null = null.then(|| variant_name(&Json::Null, all.len(), is_free));
        Some(Self { all, null })
    }
}

/// Reads one flag.
struct Reader<'a, 'd> {
    key: &'a str,
    source: &'a FlagSource,
    own: &'a Names,
    sources: &'a Sources<'d>,
    names: &'a BTreeMap<&'d str, Names>,
    clauses: &'a mut Clauses<'d>,
    notes: Vec<Fault>,
}

impl Reader<'_, '_> {
    fn flag(&mut self, at: &str) -> Result<Flag, Fault> {
        let source = self.source;
        let Names { all, null } = self.own;
        let off = match source.off_variation {
            Some(place) => self.variant(place, &format!("{at}/offVariation"))?,
            None => null.clone().unwrap_or_default(),
        };
        let values = source
            .variations
            .iter()
            .cloned()
            .chain(null.as_ref().map(|_| Json::Null));
        let mut rules = Vec::new();
        for (place, rule) in source.rules.iter().flatten().enumerate() {
            let at = format!("{at}/rules/{place}");
            let when = self.clauses.all(&rule.clauses, &format!("{at}/clauses"))?;
            let Outcome {
                serve, buckets, by, ..
            } = self.given(&rule.given, &at)?;
            rules.push(Rule {
                name: rule.id.clone().filter(|id| !id.is_empty()),
                when: Some(when).filter(|when| !matches!(when, Condition::All { all } if all.is_empty())),
                serve,
                buckets,
                by,
                ..Rule::default()
            });
        }
        Ok(Flag {
            version: 0,
            targeting: Targeting {
                enabled: source.on,
                off,
                prerequisites: self.prerequisites(at)?,
                overrides: self.overrides(at)?,
                rules,
                otherwise: self.given(&source.fallthrough, &format!("{at}/fallthrough"))?,
            },
            variants: all.iter().chain(null).cloned().zip(values).collect(),
        })
    }

    /// The name of a variation of this flag.
    fn variant(&self, place: usize, at: &str) -> Result<String, Fault> {
        self.own.all.get(place).cloned().ok_or_else(|| {
            let detail = format!("There is no variation {place}.");
            Fault::new(at, "variant_unknown", detail)
        })
    }

    fn prerequisites(&mut self, at: &str) -> Result<Vec<Prerequisite>, Fault> {
        let mut all = Vec::new();
        for (place, needed) in self.source.prerequisites.iter().flatten().enumerate() {
            let at = format!("{at}/prerequisites/{place}");
            let key = needed.key.as_str();
            let (Some(Ok(other)), Some(names)) = (self.sources.get(key), self.names.get(key)) else {
                let detail = format!("There is no flag `{key}`.");
                return Err(Fault::new(format!("{at}/key"), "flag_unknown", detail));
            };
            let Some(name) = names.all.get(needed.variation) else {
                let detail = format!("The flag `{key}` has no variation {}.", needed.variation);
                return Err(Fault::new(format!("{at}/variation"), "variant_unknown", detail));
            };
            let mut variants = vec![name.clone()];
            if !other.on && other.off_variation == Some(needed.variation) {
                // A flag that is off is never what is needed, whatever it gives.
                variants.clear();
                let detail = format!(
                    "`{}` is off, so this flag is off for everybody, also when it is on again.",
                    needed.key
                );
                self.notes.push(Fault::new(at, "prerequisite_off", detail));
            }
            all.push(Prerequisite {
                flag: needed.key.clone(),
                variants,
            });
        }
        Ok(all)
    }

    /// Single units: those of all kinds in their order, in which a user's stand elsewhere.
    fn overrides(&mut self, at: &str) -> Result<Vec<Override>, Fault> {
        let source = self.source;
        let targets = source.targets.as_deref().unwrap_or_default();
        let contexts = source.context_targets.as_deref().unwrap_or_default();
        let mut all = Vec::new();
        if contexts.is_empty() {
            for (place, target) in targets.iter().enumerate() {
                all.extend(self.target(target, &format!("{at}/targets/{place}"))?);
            }
        }
        for (place, target) in contexts.iter().enumerate() {
            let at = format!("{at}/contextTargets/{place}");
            let found = match is_user(target.context_kind.as_deref()) {
                true => targets.iter().find(|user| user.variation == target.variation),
                false => Some(target),
            };
            if let Some(target) = found {
                all.extend(self.target(target, &at)?);
            }
        }
        Ok(all)
    }

    fn target(&mut self, target: &Target, at: &str) -> Result<Option<Override>, Fault> {
        if target.values.is_empty() {
            return Ok(None);
        }
        Ok(Some(Override {
            by: self
                .clauses
                .names
                .of(Said::key(target.context_kind.as_deref()), at)?,
            values: target.values.clone(),
            serve: self.variant(target.variation, &format!("{at}/variation"))?,
        }))
    }

    fn given(&mut self, given: &Given, at: &str) -> Result<Outcome, Fault> {
        if let Some(place) = given.variation {
            return Ok(Outcome {
                serve: Some(self.variant(place, &format!("{at}/variation"))?),
                ..Outcome::default()
            });
        }
        match &given.rollout {
            Some(rollout) => self.rollout(rollout, &format!("{at}/rollout")),
            None => {
                let detail = "It gives neither a variation nor parts of all.";
                Err(Fault::new(at, "outcome_invalid", detail))
            }
        }
    }

    fn rollout(&mut self, rollout: &Rollout, at: &str) -> Result<Outcome, Fault> {
        if rollout
            .experiment_allocation
            .as_ref()
            .is_some_and(|allocation| !allocation.is_null())
        {
            let detail =
                "What an experiment puts units in order by is not exported; read what SDKs are sent.";
            return Err(Fault::new(
                format!("{at}/experimentAllocation"),
                "experiment_unsaid",
                detail,
            ));
        }
        let is_experiment = rollout.kind.as_deref() == Some("experiment");
        let attribute = rollout
            .bucket_by
            .as_deref()
            .filter(|name| !name.is_empty() && !is_experiment);
        let said = Said {
            kind: rollout.context_kind.as_deref(),
            attribute: attribute.unwrap_or(KEY),
        };
        let key = match rollout.seed {
            // A seed of 0 is none in some SDKs and one in others.
            Some(0) => {
                let detail = "SDKs do not agree about a seed of 0.";
                return Err(Fault::new(format!("{at}/seed"), "seed_ambiguous", detail));
            }
            Some(seed) => seed.to_string(),
            None => format!("{}.{}", self.key, self.source.salt.as_deref().unwrap_or_default()),
        };
        Ok(Outcome {
            buckets: Some(Buckets {
                dialect: Dialect::Launchdarkly,
                key,
                parts: self.parts(rollout, at)?,
            }),
            by: Some(self.clauses.names.of(said, &format!("{at}/bucketBy"))?),
            ..Outcome::default()
        })
    }

    /// The parts of all; the last one has what is left.
    fn parts(&self, rollout: &Rollout, at: &str) -> Result<Vec<Part>, Fault> {
        let mut left = WHOLE;
        let mut parts = Vec::new();
        for (place, part) in rollout.variations.iter().enumerate() {
            let weight = part.weight.min(left);
            left -= weight;
            let serve = self.variant(part.variation, &format!("{at}/variations/{place}/variation"))?;
            parts.push(Part {
                weight,
                serve: Some(serve),
            });
        }
        match parts.last_mut() {
            Some(last) => last.weight += left,
            None => {
                let detail = "There are no parts.";
                return Err(Fault::new(format!("{at}/variations"), "outcome_invalid", detail));
            }
        }
        Ok(parts)
    }
}
