//! Cases of `@unleash/client-specification`: what clients say of features for a context.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;

use dialects::unleash::{ATTRIBUTES, Answer, Document, RANDOM, read};
use eval::Flags;
use serde::Deserialize;
use serde_json::Value;

use super::Score;

#[derive(Deserialize)]
struct Specification {
    name: String,
    state: Value,
    #[serde(default)]
    tests: Vec<Case>,
    #[serde(default, rename = "variantTests")]
    variant_tests: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Case {
    description: String,
    context: Context,
    toggle_name: String,
    expected_result: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Context {
    #[serde(default)]
    properties: BTreeMap<String, Option<String>>,
    current_time: Option<String>,
    #[serde(flatten)]
    fields: BTreeMap<String, String>,
}

/// Runs all specifications that the index in a folder names.
pub(crate) fn run(folder: &Path) -> Result<Score, Box<dyn Error>> {
    let index: Vec<String> = serde_json::from_slice(&std::fs::read(folder.join("index.json"))?)?;
    let mut score = Score::default();
    for file in index {
        let specification: Specification = serde_json::from_slice(&std::fs::read(folder.join(&file))?)?;
        ask(&specification, &mut score).map_err(|error| format!("{file}: {error}"))?;
    }
    Ok(score)
}

fn ask(specification: &Specification, score: &mut Score) -> Result<(), Box<dyn Error>> {
    let document = Document::parse(&specification.state.to_string())?;
    let reading = read(&document);
    let flags = Flags::compile(&reading.definitions).map_err(|problems| format!("{problems:?}"))?;
    let answer = |case: &Case, random: f64| {
        let (Some(flag), Some(source)) = (
            flags.get(&case.toggle_name),
            reading.definitions.flags.get(&case.toggle_name),
        ) else {
            return Ok(Answer::unknown());
        };
        let now = case
            .context
            .current_time
            .as_deref()
            .unwrap_or("2026-11-22T10:00:00Z");
        let mut subject = flags.subject(now.parse::<jiff::Timestamp>()?.as_microsecond());
        flags.put(&mut subject, RANDOM, random);
        for (name, value) in &case.context.fields {
            let name = ATTRIBUTES
                .iter()
                .find(|(theirs, _)| theirs == name)
                .map_or(&**name, |(_, ours)| ours);
            flags.put(&mut subject, name, value.as_str());
        }
        for (name, value) in &case.context.properties {
            if let Some(value) = value {
                flags.put(&mut subject, name, value.as_str());
            }
        }
        Ok::<_, Box<dyn Error>>(Answer::of(&source.targeting.off, &flags.evaluate(flag, &subject)))
    };
    let name = &specification.name;
    // Whatever the random number is, the answer has to be the one that is expected.
    for random in [1.0, 4711.0, 10_000.0] {
        let mut round = Score::default();
        for case in &specification.tests {
            let found = Value::Bool(answer(case, random)?.enabled);
            round.case(found == case.expected_result, || {
                format!(
                    "{name}: {}: {found}, not {}",
                    case.description, case.expected_result
                )
            });
        }
        for case in &specification.variant_tests {
            let found = serde_json::to_value(answer(case, random)?.variant)?;
            round.case(found == case.expected_result, || {
                format!(
                    "{name}: {}: {found}, not {}",
                    case.description, case.expected_result
                )
            });
        }
        if random > 9999.0 || !round.failed.is_empty() {
            score.passed += round.passed;
            score.failed.extend(round.failed);
            break;
        }
    }
    Ok(())
}
