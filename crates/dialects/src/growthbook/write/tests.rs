//! Flags as features: what becomes of them, and that everybody gets the same.

use eval::Flags;
use proptest::prelude::{prop_assert, prop_assert_eq, proptest};
use serde_json::{Map, Value as Json, json};

use super::{Payload, write};
use crate::Writing;
use crate::growthbook::tests::people;
use crate::growthbook::{Evaluator, User, read};

mod definitions;

fn flag(targeting: &Json) -> Json {
    let mut flag =
        json!({ "variants": { "off": false, "on": true }, "off": "off", "otherwise": { "serve": "off" } });
    for (name, value) in targeting.as_object().unwrap() {
        flag[name] = value.clone();
    }
    flag
}

fn written(flags: &Json) -> Writing {
    write(&serde_json::from_value(json!({ "flags": flags })).unwrap())
}

/// What cannot be said of a flag, where, and why.
const REFUSED: [(&str, &str, &str); 19] = [
    (
        r#"{"rules": [{"serve": "on", "when": {"not": {"share": {"key": "k", "by": "id", "dialect": "growthbook_v2", "parts": [[0, 50]]}}}}]}"#,
        "/rules/0/when/not/share",
        "share_unsaid",
    ),
    (
        r#"{"rules": [{"serve": "on", "when": {"attribute": "a", "op": "semver_gt", "values": ["2.1"], "short": true}}]}"#,
        "/rules/0/when/short",
        "version_unsaid",
    ),
    (
        r#"{"rules": [{"serve": "on", "when": {"element": "tags", "fits": {"all": [{"attribute": "tags", "op": "contains", "values": ["a"]}, {"attribute": "tags", "op": "contains", "values": ["b"]}]}}}]}"#,
        "/rules/0/when/fits",
        "element_unsaid",
    ),
    (
        r#"{"rules": [{"logic": {"var": "x"}}]}"#,
        "/rules/0/logic",
        "logic_unsaid",
    ),
    (
        r#"{"otherwise": {"split": {"on": 50, "off": 50}, "by": "id"}}"#,
        "/otherwise/split",
        "order_unknown",
    ),
    (
        r#"{"otherwise": {"rollout": {"serve": "on", "others": "off", "steps": [{"at": "2026-01-01T00:00:00Z", "percent": 100}]}, "by": "id"}}"#,
        "/otherwise/rollout",
        "order_unknown",
    ),
    (
        r#"{"rules": [{"gates": [{"key": "k", "by": "id", "dialect": "growthbook_v2", "parts": [[0, 50]]}], "split": {"on": 100}, "by": "id", "kept": [{"parts": [[0, 5]], "split": {"off": 100}}]}]}"#,
        "/rules/0/split",
        "order_unknown",
    ),
    (
        r#"{"otherwise": {"buckets": {"dialect": "unleash", "key": "k", "parts": [{"weight": 1, "serve": "on"}]}, "by": "id"}}"#,
        "/otherwise/buckets",
        "order_unknown",
    ),
    (
        r#"{"otherwise": {"buckets": {"dialect": "growthbook_v1", "key": "", "parts": [{"weight": 1000, "serve": "on"}]}, "by": "id"}}"#,
        "/otherwise/buckets/key",
        "key_empty",
    ),
    (
        r#"{"otherwise": {"buckets": {"dialect": "growthbook_v1", "key": "k", "parts": [{"weight": 1000, "serve": "on"}]}, "by": "id", "or_by": ["x"]}}"#,
        "/otherwise/buckets",
        "attribute_in_place",
    ),
    (
        r#"{"rules": [{"serve": "on", "from": "2026-01-01T00:00:00Z"}]}"#,
        "/rules/0",
        "window_unsaid",
    ),
    (
        r#"{"rules": [{"serve": "on", "gates": [{"key": "k", "by": "id", "parts": [[0, 50]]}]}]}"#,
        "/rules/0/gates/0",
        "order_unknown",
    ),
    (
        r#"{"rules": [{"serve": "on", "when": {"attribute": "ip", "op": "in_network", "values": ["10.0.0.0/8"]}}]}"#,
        "/rules/0/when/op",
        "operator_unsaid",
    ),
    (
        r#"{"rules": [{"serve": "on", "when": {"attribute": "n", "op": "modulo", "values": ["10|3"]}}]}"#,
        "/rules/0/when/op",
        "operator_unsaid",
    ),
    (
        r#"{"rules": [{"serve": "on", "when": {"all": [{"attribute": "at", "op": "before", "values": ["2026-01-01T00:00:00Z"]}]}}]}"#,
        "/rules/0/when/all/0/op",
        "operator_unsaid",
    ),
    (
        r#"{"rules": [{"serve": "on", "when": {"not": {"during": {"from": "2026-01-01T00:00:00Z"}}}}]}"#,
        "/rules/0/when/not/during",
        "window_unsaid",
    ),
    (
        r#"{"rules": [{"serve": "on", "when": {"attribute": "a", "op": "matches", "values": ["\\d"]}}]}"#,
        "/rules/0/when/values",
        "pattern_unsaid",
    ),
    (
        r#"{"rules": [{"serve": "on", "when": {"attribute": "a", "op": "semver_gt", "values": ["1.0.0-rc.1"]}}]}"#,
        "/rules/0/when/values",
        "version_unsaid",
    ),
    (
        r#"{"rules": [{"serve": "on", "when": {"attribute": "$or", "op": "in", "values": ["a"]}}]}"#,
        "/rules/0/when/attribute",
        "attribute_unsaid",
    ),
];

#[test]
fn what_cannot_be_said_is_refused_with_its_place() {
    for (targeting, pointer, code) in REFUSED {
        let targeting: Json = serde_json::from_str(targeting).unwrap();
        let found = written(&json!({ "f": flag(&targeting) }));
        let [finding] = found.refused.as_slice() else {
            panic!("{code}: {found:?}")
        };
        let pointer = format!("/flags/f{pointer}");
        assert_eq!((finding.pointer.as_str(), finding.code), (pointer.as_str(), code));
        assert_eq!(found.document["features"], json!({}));
    }
}

#[test]
fn what_needs_a_refused_flag_is_refused_as_well() {
    let needs = |key: &str| json!({ "prerequisites": [{ "flag": key, "variants": ["on"] }] });
    let found = written(&json!({
        "a": flag(&json!({ "otherwise": { "split": { "on": 50, "off": 50 }, "by": "id" } })),
        "b": flag(&needs("a")),
        "c": flag(&needs("b")),
        "d": flag(&needs("e")),
        "e": flag(&json!({})),
        "f": flag(&json!({ "rules": [{ "serve": "on" }, { "requires": needs("c")["prerequisites"], "serve": "on" }] })),
    }));
    let refused: Vec<_> = found
        .refused
        .iter()
        .map(|one| (one.flag.as_str(), one.code))
        .collect();
    assert_eq!(
        refused,
        [
            ("a", "order_unknown"),
            ("b", "needs_refused"),
            ("c", "needs_refused"),
            ("f", "needs_refused")
        ]
    );
    assert_eq!(found.refused[3].pointer, "/flags/f/rules/1/requires/0");
    assert_eq!(found.document["features"].as_object().unwrap().len(), 2);
}

#[test]
fn variants_of_one_value_cannot_be_told_apart() {
    let mut parent = flag(&json!({}));
    parent["variants"]["also-on"] = json!(true);
    let child = flag(&json!({ "prerequisites": [{ "flag": "parent", "variants": ["on"] }] }));
    let found = written(&json!({ "parent": parent, "child": child }));
    assert_eq!(found.refused[0].code, "values_alike");
}

#[test]
fn segments_that_lead_deep_or_to_many_are_refused() {
    let mut segments = Map::new();
    segments.insert(
        "s0".to_owned(),
        json!({ "when": { "attribute": "a", "op": "is_present" } }),
    );
    for place in 1..60 {
        let before = json!({ "segment": format!("s{}", place - 1) });
        segments.insert(format!("s{place}"), json!({ "when": { "all": [before] } }));
    }
    let flag = flag(&json!({ "rules": [{ "serve": "on", "when": { "segment": "s59" } }] }));
    let definitions = json!({ "flags": { "f": flag }, "segments": segments });
    let found = write(&serde_json::from_value(definitions).unwrap());
    assert_eq!(found.refused[0].code, "too_deep");
}

proptest! {
    #[test]
    fn everybody_gets_the_same_of_the_feature_as_of_the_flag(source in definitions::definitions(), people in proptest::collection::vec(people::known(), 6)) {
        let flags = Flags::compile(&source).unwrap();
        let found = write(&source);
        prop_assert_eq!(&found.refused, &[]);
        // As it is sent.
        let document: Json = serde_json::from_str(&found.document.to_string()).unwrap();
        let payload = Payload::of(&document);
        for known in &people {
            let user = User::new(known.attributes());
            let mut evaluator = Evaluator::new(&payload, &user);
            for (key, value) in known.values(&flags) {
                prop_assert_eq!(&value, &evaluator.feature(&key).value, "{} {:?}", key, known);
            }
        }
        // What is read again may be refused, but is never something else.
        let again = read(&document).unwrap();
        let again = Flags::compile(&again.definitions).unwrap();
        for known in &people {
            let values = known.values(&flags);
            for (key, value) in known.values(&again) {
                prop_assert!(values.contains(&(key, value)));
            }
        }
    }
}
