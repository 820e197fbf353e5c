//! `gateline flags convert`: flags of another product as a file for `gateline flags apply`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use dialects::flagd::Fractional;
use dialects::{Finding, Meta, Reading, flagd, growthbook, launchdarkly, unleash};
use serde_json::{Map, Value, json};

use super::yaml;
use crate::output::Output;
use crate::{Error, Exit};

/// The most bytes of a file.
const BYTES_MAX: u64 = 64 << 20;
/// Where segments stand in another file than flags.
const WITH_SEGMENTS: &str =
    "segments are given beside flags of LaunchDarkly's API; other files have them inside";

/// Which file is converted.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The other product's file, as JSON.
    file: PathBuf,
    /// Which product it is of.
    #[arg(long, value_enum)]
    from: Product,
    /// The environment that the flags are for.
    #[arg(long)]
    environment: String,
    /// The environment in the file, where a file has several (LaunchDarkly's API); that of the flags if absent.
    #[arg(long)]
    source_environment: Option<String>,
    /// LaunchDarkly's segments of that environment, as its API answers at `/api/v2/segments/…`; without it, flags that
    /// name a segment are left out.
    #[arg(long, value_name = "FILE")]
    segments: Option<PathBuf>,
}

/// Another product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Product {
    /// What its clients get at `/api/client/features`.
    Unleash,
    /// What its SDKs get at `/api/features/…`.
    Growthbook,
    /// A file of flag definitions.
    Flagd,
    /// What its SDKs keep in a file, or what its API answers at `/api/v2/flags/…`.
    Launchdarkly,
}

/// Prints the flags as a file; what could not be said is told beside it.
pub(super) fn run(arguments: &Arguments, output: &Output) -> Result<Exit, Error> {
    let reading = read(arguments)?.declarable();
    for finding in &reading.notes {
        output.note(&said("note", finding));
    }
    for finding in &reading.refused {
        output.note(&said("left out", finding));
    }
    let file = declared(&reading, &arguments.environment);
    output.text(&match output.is_for_people() {
        true => yaml::write(&file)?,
        false => format!("{file:#}\n"),
    });
    let (read, refused) = (reading.definitions.flags.len(), reading.refused.len());
    output.note(&format!(
        "{read} flags, {refused} left out; `gateline flags apply` makes them"
    ));
    Ok(if refused == 0 { Exit::Done } else { Exit::Negative })
}

fn said(what: &str, finding: &Finding) -> String {
    let Finding {
        flag,
        pointer,
        code,
        detail,
    } = finding;
    format!("{what}: {flag} ({pointer}, {code}): {detail}")
}

fn read(arguments: &Arguments) -> Result<Reading, Error> {
    let path = &arguments.file;
    if let Some(segments) = arguments.segments.as_ref()
        && arguments.from != Product::Launchdarkly
    {
        return Err(wrong(segments, &WITH_SEGMENTS));
    }
    let text = text_of(path)?;
    let json = || serde_json::from_str::<Value>(&text).map_err(|error| wrong(path, &error));
    let failed = |error: dialects::Error| wrong(path, &error);
    match arguments.from {
        Product::Unleash => Ok(unleash::read(&unleash::Document::parse(&text).map_err(failed)?)),
        Product::Growthbook => growthbook::read(&json()?).map_err(failed),
        Product::Flagd => {
            let document = flagd::Document::parse(&text).map_err(failed)?;
            Ok(flagd::read(&document, Fractional::default()))
        }
        Product::Launchdarkly => launchdarkly_of(&json()?, arguments),
    }
}

fn launchdarkly_of(document: &Value, arguments: &Arguments) -> Result<Reading, Error> {
    let failed = |error: dialects::Error| wrong(&arguments.file, &error);
    let is_export = document.get("items").is_some();
    let Some(path) = &arguments.segments else {
        return match is_export {
            true => launchdarkly::read_export(document, None, source_environment(arguments)),
            false => launchdarkly::read(document),
        }
        .map_err(failed);
    };
    if !is_export {
        return Err(wrong(path, &WITH_SEGMENTS));
    }
    let segments: Value = serde_json::from_str(&text_of(path)?).map_err(|error| wrong(path, &error))?;
    if !segments.get("items").is_some_and(Value::is_array) {
        return Err(wrong(path, &"it has no list of segments under `items`"));
    }
    launchdarkly::read_export(document, Some(&segments), source_environment(arguments)).map_err(failed)
}

fn source_environment(arguments: &Arguments) -> &str {
    let environment = arguments.source_environment.as_ref();
    environment.unwrap_or(&arguments.environment)
}

fn text_of(path: &Path) -> Result<String, Error> {
    let failed = |source| Error::File {
        path: path.to_owned(),
        source,
    };
    if fs::metadata(path).map_err(failed)?.len() > BYTES_MAX {
        return Err(wrong(path, &format!("it has more than {BYTES_MAX} bytes")));
    }
    fs::read_to_string(path).map_err(failed)
}

fn wrong(path: &Path, reason: &impl ToString) -> Error {
    Error::Declared {
        path: path.to_owned(),
        line: None,
        reason: reason.to_string(),
    }
}

/// What was read as a file for `gateline flags apply`.
fn declared(reading: &Reading, environment: &str) -> Value {
    let flags = reading.definitions.flags.iter().map(|(key, flag)| {
        let variants = json!(flag.variants);
        let mut declared = for_people(reading.flags.get(key));
        declared.insert("type".to_owned(), type_of(&flag.variants).into());
        declared.insert("variants".to_owned(), variants);
        declared.insert("environments".to_owned(), json!({ environment: flag.targeting }));
        (key.clone(), Value::Object(declared))
    });
    let mut file = json!({ "flags": flags.collect::<Map<_, _>>() });
    let segments = reading.definitions.segments.iter().map(|(key, segment)| {
        let mut declared = for_people(reading.segments.get(key));
        // They have no others.
        declared.retain(|name, _| name == "title" || name == "description");
        declared.insert("when".to_owned(), json!(segment.when));
        (key.clone(), Value::Object(declared))
    });
    let segments: Map<_, _> = segments.collect();
    if !segments.is_empty() {
        file["segments"] = segments.into();
    }
    file
}

/// What is said beside who gets what, without what is so anyway.
fn for_people(meta: Option<&Meta>) -> Map<String, Value> {
    let Some(meta) = meta else { return Map::new() };
    let fields = [
        ("title", json!(meta.title)),
        ("description", json!(meta.description)),
        ("tags", json!(meta.tags)),
        ("client_side", json!(meta.client_side != Some(false))),
    ];
    let is_usual = |value: &Value| *value == "" || *value == json!([]) || *value == true;
    let said = fields.into_iter().filter(|(_, value)| !is_usual(value));
    said.map(|(name, value)| (name.to_owned(), value)).collect()
}

fn type_of(variants: &BTreeMap<String, Value>) -> &'static str {
    let all = |is: fn(&Value) -> bool| variants.values().all(is);
    match () {
        () if all(Value::is_boolean) => "boolean",
        () if all(Value::is_string) => "string",
        () if all(Value::is_number) => "number",
        () => "json",
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::{Value, json};

    use super::{Arguments, Product, declared, read, type_of};
    use crate::Error;

    #[test]
    fn segments_of_launchdarkly_stand_in_a_file_of_their_own() {
        let folder = tempfile::tempdir().unwrap();
        let written = |name: &str, what: &Value| {
            let path = folder.path().join(name);
            fs::write(&path, what.to_string()).unwrap();
            path
        };
        let clause = json!({ "op": "segmentMatch", "values": ["beta"] });
        let here = json!({ "on": true, "offVariation": 1, "fallthrough": { "variation": 1 }, "rules": [{ "variation": 0, "clauses": [clause] }] });
        let flag = json!({
            "key": "f", "name": "The one", "description": "Why.", "tags": ["Team A"], "environments": { "test": here },
            "clientSideAvailability": { "usingEnvironmentId": false, "usingMobileKey": true },
            "variations": [{ "value": true }, { "value": false }],
        });
        let arguments = |segments: Option<Value>, from: Product| Arguments {
            file: written("flags.json", &json!({ "items": [flag] })),
            from,
            environment: "test".to_owned(),
            source_environment: None,
            segments: segments.map(|segments| written("segments.json", &segments)),
        };
        let reading = read(&arguments(None, Product::Launchdarkly)).unwrap();
        assert_eq!(reading.refused[0].code, "segment_unknown");
        let segments =
            json!({ "items": [{ "key": "beta", "name": "Early", "tags": ["x"], "included": ["b"] }] });
        let reading = read(&arguments(Some(segments.clone()), Product::Launchdarkly)).unwrap();
        assert_eq!(reading.refused, []);
        let file = declared(&reading.declarable(), "test");
        let when = json!({ "attribute": "user_id", "op": "in", "values": ["b"] });
        assert_eq!(
            file["segments"]["beta"],
            json!({ "title": "Early", "when": when })
        );
        let mut flag = file["flags"]["f"].clone();
        flag.as_object_mut().unwrap().remove("environments");
        let expected = json!({
            "title": "The one", "description": "Why.", "tags": ["team-a"], "client_side": false,
            "type": "boolean", "variants": { "on": true, "off": false },
        });
        assert_eq!(flag, expected);
        for wrong in [
            arguments(Some(segments), Product::Flagd),
            arguments(Some(json!({})), Product::Launchdarkly),
        ] {
            let error = read(&wrong).unwrap_err();
            assert!(matches!(error, Error::Declared { path, .. } if path.ends_with("segments.json")));
        }
    }

    #[test]
    fn features_become_a_file_of_flags() {
        let text = json!({ "version": 2, "features": [{ "name": "new-checkout", "enabled": true, "strategies": [
            { "name": "flexibleRollout", "parameters": { "rollout": "10", "stickiness": "userId", "groupId": "g" } },
        ] }], "segments": [{ "id": 1, "name": "All of us", "constraints": [] }] });
        let document = dialects::unleash::Document::parse(&text.to_string()).unwrap();
        let file = declared(&dialects::unleash::read(&document).declarable(), "production");
        let flag = &file["flags"]["new-checkout"];
        assert_eq!(flag["type"], "boolean");
        assert_eq!(
            flag["environments"]["production"]["rules"][0]["gates"][0]["dialect"],
            "unleash"
        );
        assert_eq!(
            file["segments"],
            json!({ "All-of-us": { "title": "All of us", "when": { "all": [] } } })
        );
    }

    #[test]
    fn types_follow_from_values() {
        let cases = [
            (json!([true, false]), "boolean"),
            (json!(["a"]), "string"),
            (json!([1, 2.5]), "number"),
            (json!([true, "a"]), "json"),
        ];
        for (values, expected) in cases {
            let values = values.as_array().unwrap().iter().cloned();
            let variants = values
                .enumerate()
                .map(|(place, value)| (place.to_string(), value));
            assert_eq!(type_of(&variants.collect()), expected);
        }
    }
}
