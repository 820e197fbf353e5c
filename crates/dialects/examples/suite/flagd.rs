//! Scenarios of flagd's testbed that are about evaluation, as the crate `open-feature-flagd` ships it.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};

use dialects::flagd::{Answer, Document, Fractional, put, read};
use eval::Flags;
use serde_json::{Map, Value, json};

use super::Score;
use super::feature::{Scenario, Step, scenarios};

/// When it is: long after 1970 and before 2101, between which the scenarios ask.
const NOW_MICROS: i64 = 1_795_341_600_000_000;
/// Features of providers that ask flagd over a network, and why nothing of them is evaluated.
const LEFT_OUT: [(&str, &str); 6] = [
    ("config", "options of a provider"),
    ("connection", "connections of a provider"),
    ("contextEnrichment", "what a provider adds to the context"),
    ("events", "events of a provider"),
    ("rpc-caching", "what a provider keeps"),
    ("sync-payload", "what a provider adds to the context"),
];

/// Runs all features under `flagd-testbed`.
pub(crate) fn run(folder: &Path) -> Result<Score, Box<dyn Error>> {
    let testbed = folder.join("flagd-testbed");
    let mut score = Score::default();
    let evaluator = Source::One(testbed.join("evaluator/flags/testkit-flags.json"));
    for feature in features(&testbed.join("evaluator/gherkin"))? {
        ask(&feature, &evaluator, &mut score)?;
    }
    let flags = Source::All(testbed.join("flags"));
    for feature in features(&testbed.join("gherkin"))? {
        ask(&feature, &flags, &mut score)?;
    }
    Ok(score)
}

fn features(folder: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        all.push(entry?.path());
    }
    all.retain(|path| path.extension().is_some_and(|extension| extension == "feature"));
    all.sort();
    Ok(all)
}

/// Where flags are read from.
enum Source {
    One(PathBuf),
    /// All files of a folder but those for selectors.
    All(PathBuf),
}

impl Source {
    /// The text of the document that a selector names.
    fn text(&self, selector: Option<&str>) -> Result<String, Box<dyn Error>> {
        let folder = match self {
            Self::One(path) => return Ok(std::fs::read_to_string(path)?),
            Self::All(folder) => folder,
        };
        if let Some(name) = selector.and_then(|selector| selector.strip_prefix("rawflags/")) {
            return Ok(std::fs::read_to_string(folder.join(name))?);
        }
        let mut all = json!({ "flags": {}, "$evaluators": {} });
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path
                .file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with("selector"))
            {
                continue;
            }
            let document: Value = serde_json::from_slice(&std::fs::read(path)?)?;
            for part in ["flags", "$evaluators"] {
                if let (Some(all), Some(more)) = (all[part].as_object_mut(), document[part].as_object()) {
                    all.extend(more.clone());
                }
            }
        }
        Ok(all.to_string())
    }
}

fn ask(feature: &Path, source: &Source, score: &mut Score) -> Result<(), Box<dyn Error>> {
    let name = feature
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let all = scenarios(&std::fs::read_to_string(feature)?);
    if let Some((_, why)) = LEFT_OUT.iter().find(|(left_out, _)| *left_out == name) {
        score
            .left_out
            .push(format!("{name}: {} scenarios: {why}", all.len()));
        return Ok(());
    }
    let (old, asked): (Vec<_>, Vec<_>) = all
        .into_iter()
        .partition(|scenario| scenario.tags.iter().any(|tag| tag == "@deprecated"));
    if !old.is_empty() {
        let detail = format!(
            "{name}: {} scenarios: deprecated, and said otherwise by others",
            old.len()
        );
        score.left_out.push(detail);
    }
    for scenario in asked {
        let mut round = Round::new(&scenario);
        let failed = scenario
            .steps
            .iter()
            .find_map(|step| round.step(step, source).err());
        score.case(failed.is_none(), || {
            format!(
                "{name}: {} {:?}: {}",
                scenario.name,
                scenario.tags,
                failed.unwrap_or_default()
            )
        });
    }
    Ok(())
}

/// A scenario while it is played.
struct Round {
    fractional: Fractional,
    selector: Option<String>,
    context: Map<String, Value>,
    flag: (String, String, Value),
    found: Option<Found>,
}

/// What was found.
struct Found {
    value: Value,
    variant: Option<String>,
    reason: &'static str,
    error: Option<&'static str>,
    metadata: Map<String, Value>,
}

impl Round {
    fn new(scenario: &Scenario) -> Self {
        let has = |tag: &str| scenario.tags.iter().any(|known| known == tag);
        Self {
            fractional: match (has("@fractional-v1"), has("@fractional-v3")) {
                (true, _) => Fractional::V1,
                (_, true) => Fractional::V3,
                _ => Fractional::V2,
            },
            selector: None,
            context: Map::new(),
            flag: (String::new(), String::new(), Value::Null),
            found: None,
        }
    }

    /// Plays a step; what does not hold is the error.
    fn step(&mut self, step: &Step, source: &Source) -> Result<(), String> {
        let text = step.text.as_str();
        let ignored = [
            "an evaluator",
            "a stable flagd provider",
            "a metadata flagd provider",
        ];
        if ignored.contains(&text) || text.starts_with("an option \"cache\"") {
            return Ok(());
        }
        if let Some([_, kind, value]) = quoted(text, ["an option ", " of type ", " with value "]) {
            debug_assert_eq!(kind, "String");
            self.selector = Some(value);
            return Ok(());
        }
        if let Some((kind, rest)) = text
            .strip_prefix("a ")
            .and_then(|rest| rest.split_once("-flag with key "))
        {
            let parts = quoted(rest, ["", " and a default value "]);
            let parts = parts.or_else(|| quoted(rest, ["", " and a fallback value "]));
            let [key, default] = parts.ok_or("a flag that is not understood")?;
            self.flag = (key, kind.to_owned(), typed(kind, &default)?);
            return Ok(());
        }
        if let Some(rest) = text.strip_prefix("a context containing ") {
            return self.know(rest);
        }
        if text == "the flag was evaluated with details" {
            self.found = Some(self.evaluate(source).map_err(|error| error.to_string())?);
            return Ok(());
        }
        self.check(step)
    }

    fn know(&mut self, text: &str) -> Result<(), String> {
        if let Some([key, kind, value]) = quoted(text, ["a key ", ", with type ", " and with value "]) {
            self.context.insert(key, typed(&kind, &value)?);
        } else if let Some([value]) = quoted(text, ["a targeting key with value "]) {
            self.context.insert("targetingKey".to_owned(), value.into());
        } else if let Some([outer, inner, value]) = quoted(
            text,
            [
                "a nested property with outer key ",
                " and inner key ",
                ", with value ",
            ],
        ) {
            self.context.insert(outer, json!({ inner: value }));
        } else {
            return Err(format!("a context that is not understood: {text}"));
        }
        Ok(())
    }

    fn evaluate(&self, source: &Source) -> Result<Found, Box<dyn Error>> {
        let document = Document::parse(&source.text(self.selector.as_deref())?)?;
        let reading = read(&document, self.fractional);
        let flags = Flags::compile(&reading.definitions).map_err(|problems| format!("{problems:?}"))?;
        let (key, kind, default) = &self.flag;
        let mut subject = flags.subject(NOW_MICROS);
        put(&flags, &mut subject, &self.context);
        let mut answer = match flags.get(key) {
            Some(flag) => Answer::of(&flags.evaluate(flag, &subject)),
            None if reading.refused.iter().any(|refused| refused.flag == *key) => Answer::unreadable(),
            None => Answer::unknown(),
        };
        if answer.value.is_some_and(|value| !is(kind, value)) {
            answer = Answer {
                value: None,
                variant: None,
                reason: "ERROR",
                error: Some("TYPE_MISMATCH"),
            };
        }
        Ok(Found {
            value: answer.value.unwrap_or(default).clone(),
            variant: answer.variant.map(str::to_owned),
            reason: answer.reason,
            error: answer.error,
            metadata: document.metadata(key),
        })
    }

    fn check(&self, step: &Step) -> Result<(), String> {
        let found = self
            .found
            .as_ref()
            .ok_or_else(|| format!("not understood: {}", step.text))?;
        let is = |holds: bool, found: &dyn std::fmt::Debug| match holds {
            true => Ok(()),
            false => Err(format!("{}, not {found:?}", step.text)),
        };
        let text = step.text.as_str();
        if let Some([expected]) = quoted(text, ["the resolved details value should be "]) {
            let expected = typed(&self.flag.1, &expected)?;
            return is(are_equal(&found.value, &expected), &found.value);
        }
        if let Some([expected]) = quoted(text, ["the reason should be "]) {
            return is(found.reason == expected, &found.reason);
        }
        if let Some([expected]) = quoted(text, ["the error-code should be "]) {
            return is(found.error.unwrap_or_default() == expected, &found.error);
        }
        if let Some([expected]) = quoted(text, ["the variant should be "]) {
            return is(found.variant.as_deref() == Some(&*expected), &found.variant);
        }
        if text == "the resolved metadata is empty" {
            return is(found.metadata.is_empty(), &found.metadata);
        }
        if text == "the resolved metadata should contain" {
            let mut expected = BTreeMap::new();
            for row in step.table.iter().skip(1) {
                let [key, kind, value] = row.as_slice() else {
                    return Err("a table that is not understood".to_owned());
                };
                expected.insert(key.as_str(), typed(kind, value)?);
            }
            let holds = !expected.is_empty()
                && expected.iter().all(|(key, value)| {
                    found
                        .metadata
                        .get(*key)
                        .is_some_and(|known| are_equal(known, value))
                });
            return is(holds, &found.metadata);
        }
        Err(format!("not understood: {text}"))
    }
}

/// What stands in quotes behind each of some words, if the text is made of these.
fn quoted<const N: usize>(text: &str, words: [&str; N]) -> Option<[String; N]> {
    let mut rest = text;
    let mut all = [const { String::new() }; N];
    for (place, word) in words.iter().enumerate() {
        rest = rest.strip_prefix(word)?.strip_prefix('"')?;
        // What is quoted may have quotes in it: it ends where the next words begin, or at the end.
        let end = match words.get(place + 1) {
            Some(next) => rest.find(&format!("\"{next}\""))?,
            None => rest.len().checked_sub(1).filter(|_| rest.ends_with('"'))?,
        };
        all[place] = rest[..end].replace("\\\"", "\"");
        rest = &rest[end + 1..];
    }
    rest.is_empty().then_some(all)
}

/// A text as a value of a kind.
fn typed(kind: &str, text: &str) -> Result<Value, String> {
    match kind {
        "String" => Ok(text.into()),
        // Read to the last digit, which the reader of JSON does not do.
        "Float" => text
            .parse::<f64>()
            .map(Value::from)
            .map_err(|error| format!("{text}: {error}")),
        _ => serde_json::from_str(text).map_err(|error| format!("{text}: {error}")),
    }
}

fn is(kind: &str, value: &Value) -> bool {
    match kind {
        "Boolean" => value.is_boolean(),
        "String" => value.is_string(),
        "Integer" | "Float" => value.is_number(),
        _ => value.is_object(),
    }
}

/// Whether values are the same; 1 and 1.0 are.
fn are_equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one.as_f64() == other.as_f64(),
        _ => one == other,
    }
}
