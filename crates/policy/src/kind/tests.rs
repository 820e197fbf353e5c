use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use crate::{Fault, kind, kinds};

/// The examples stand beside the crates.
fn examples() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/policies")
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Example {
    kind: String,
    config: Value,
}

#[test]
fn every_policy_is_complete() {
    for kind in kinds() {
        let path = examples().join(format!("{}.yaml", kind.name));
        let text =
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert!(
            text.starts_with("# "),
            "{} begins with what it does",
            path.display()
        );
        let example: Example = contracts::data(&text, &contracts::Limits::default())
            .map(|value| serde_json::from_value(value).unwrap())
            .unwrap_or_else(|error| panic!("{}: {error:?}", path.display()));
        assert_eq!(example.kind, kind.name);
        let faults = kind.validate(&example.config).err();
        assert_eq!(faults, None, "{}", path.display());
        assert!(
            !kind.title.is_empty() && kind.description.ends_with('.'),
            "{kind:?}"
        );
        let schema = kind.schema();
        assert_eq!(schema["additionalProperties"], json!(false), "{schema}");
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            assert!(
                property["description"].is_string(),
                "{}.{name} says what it is for",
                kind.name
            );
        }
    }
    let files = std::fs::read_dir(examples())
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let files: BTreeSet<_> = files
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    let names: BTreeSet<_> = kinds().iter().map(|kind| kind.name.to_owned()).collect();
    assert_eq!(files, names);
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn faults_point_to_their_place() {
    let table = [
        ("key_auth", json!({ "heder": "X" }), "/heder"),
        ("key_auth", json!({ "header": "a b" }), "/header"),
        (
            "rate_limit",
            json!({ "requests": 0, "window_seconds": 1 }),
            "/requests",
        ),
        (
            "rate_limit",
            json!({ "requests": "x", "window_seconds": 1 }),
            "/requests",
        ),
        ("rate_limit", json!({ "requests": 1 }), ""),
        (
            "rate_limit",
            json!({ "requests": 1, "window_seconds": 1, "per": "planet" }),
            "/per",
        ),
        (
            "rate_limit",
            json!({ "requests": 1, "window_seconds": 1, "only_statuses": ["401", "6xx"] }),
            "/only_statuses/1",
        ),
        (
            "rate_limit",
            json!({ "requests": 1, "window_seconds": 1, "over_limit": { "mode": "enforce", "from_percent": 50 } }),
            "/over_limit/from_percent",
        ),
        ("call_cost", json!({}), ""),
        ("call_cost", json!({ "units": 1, "tier": "cheap" }), ""),
        ("call_cost", json!({ "units": 1_000_001 }), "/units"),
        ("call_cost", json!({ "expression": "1 +" }), "/expression"),
        ("call_cost", json!({ "expression": "body" }), "/expression"),
        ("concurrency_limit", json!({ "calls_max": 0 }), "/calls_max"),
        (
            "concurrency_limit",
            json!({ "calls_max": 1, "over_limit": { "mode": "slow_down" } }),
            "/over_limit/mode",
        ),
        ("bandwidth_limit", json!({}), ""),
        (
            "bandwidth_limit",
            json!({ "answer_bytes_per_second": 10 }),
            "/answer_bytes_per_second",
        ),
        (
            "bandwidth_limit",
            json!({ "answer_bytes_per_second": 1024, "burst_bytes": 0 }),
            "/burst_bytes",
        ),
        ("body_limit", json!({ "bytes": -1 }), "/bytes"),
        (
            "headers",
            json!({ "request": { "set": { "Host": "x" } } }),
            "/request/set/Host",
        ),
        (
            "headers",
            json!({ "request": { "set": { "X-A": "1", "x-a": "2" } } }),
            "/request/set/x-a",
        ),
        (
            "headers",
            json!({ "response": { "remove": ["ok", "not ok"] } }),
            "/response/remove/1",
        ),
        (
            "headers",
            json!({ "response": { "set": { "X": "a\nb" } } }),
            "/response/set/X",
        ),
        // What the gateway writes after all policies.
        (
            "headers",
            json!({ "request": { "set": { "X-Request-ID": "1" } } }),
            "/request/set/X-Request-ID",
        ),
        (
            "headers",
            json!({ "request": { "remove": ["x-a", "X-Forwarded-For"] } }),
            "/request/remove/1",
        ),
        (
            "headers",
            json!({ "request": { "set": { "x-forwarded-host": "a" } } }),
            "/request/set/x-forwarded-host",
        ),
        (
            "headers",
            json!({ "request": { "set": { "x-forwarded-proto": "https" } } }),
            "/request/set/x-forwarded-proto",
        ),
        (
            "headers",
            json!({ "request": { "set": { "forwarded": "for=1.2.3.4" } } }),
            "/request/set/forwarded",
        ),
        (
            "headers",
            json!({ "response": { "remove": ["x-request-id"] } }),
            "/response/remove/0",
        ),
        (
            "feature_flags",
            json!({ "flags": [{ "key": "a" }, { "key": "b", "header": "X-Request-ID" }] }),
            "/flags/1/header",
        ),
        ("cors", json!({ "origins": [] }), "/origins"),
        ("cors", json!({ "origins": ["https://a.example/"] }), "/origins/0"),
        (
            "cors",
            json!({ "origins": ["*"], "credentials": true }),
            "/credentials",
        ),
        (
            "cors",
            json!({ "origins": ["*"], "expose": ["a b"] }),
            "/expose/0",
        ),
        ("cors", json!([]), ""),
    ];
    for (name, config, pointer) in table {
        let faults = kind(name).unwrap().validate(&config).err().unwrap_or_default();
        let pointers: Vec<_> = faults
            .iter()
            .map(|Fault { pointer, .. }| pointer.as_str())
            .collect();
        assert_eq!(pointers, [pointer], "{name} {config}: {faults:?}");
    }
    assert!(kind("nonsense").is_none());
}

#[test]
fn fields_that_are_written_after_it_stop_no_node() {
    let table = [
        json!({ "request": { "set": { "x-request-id": "1", "x-forwarded-for": "1.2.3.4" } } }),
        json!({ "response": { "set": { "x-request-id": "1" } } }),
    ];
    for config in table {
        let headers = kind("headers").unwrap();
        assert!(headers.validate(&config).is_err(), "{config}");
        assert!(headers.compile(&config, None).is_ok(), "{config}");
    }
    // What these mean is said by policies, or by services to clients.
    let fine = json!({ "request": { "set": { "traceparent": "a" }, "remove": ["x-forwarded-port"] },
                       "response": { "set": { "x-forwarded-for": "a" } } });
    assert!(kind("headers").unwrap().validate(&fine).is_ok());
}
