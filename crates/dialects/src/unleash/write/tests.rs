use std::collections::BTreeMap;

use eval::{Definitions, Flags};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{Just, Strategy, any, prop_assert_eq, proptest};
use serde_json::{Value, json};

use super::super::{Answer, Document, read};
use super::write;

fn definitions(flags: &Value) -> Definitions {
    serde_json::from_value(json!({ "flags": flags })).unwrap()
}

fn flag(rest: &Value) -> Value {
    let mut flag = json!({
        "variants": { "off": false, "on": true, "blue": "b", "red": { "a": 1 } },
        "off": "off",
        "otherwise": { "serve": "off" },
    });
    for (name, value) in rest.as_object().unwrap() {
        flag[name] = value.clone();
    }
    flag
}

#[test]
fn what_clients_would_do_otherwise_is_refused() {
    let gate = |rest: Value| {
        let mut gate = json!({ "key": "k", "by": "user_id", "dialect": "unleash", "parts": [[0, 50]] });
        for (name, value) in rest.as_object().unwrap() {
            gate[name] = value.clone();
        }
        json!({ "rules": [{ "gates": [gate], "serve": "on" }] })
    };
    let when = |when: Value| json!({ "rules": [{ "when": when, "serve": "on" }] });
    let test = |op: &str| when(json!({ "attribute": "a", "op": op, "values": ["2026-01-01T00:00:00Z"] }));
    let parts = |dialect: &str, key: &str, or_by: Value| {
        let parts = json!([{ "weight": 1, "serve": "blue" }, { "weight": 1, "serve": "red" }]);
        json!({ "otherwise": {
            "buckets": { "dialect": dialect, "key": key, "parts": parts }, "by": "user_id", "or_by": or_by,
        } })
    };
    let table = [
        (
            json!({ "otherwise": { "split": { "on": 10, "off": 90 }, "by": "user_id" } }),
            "/otherwise/split",
            "dialect_unsayable",
        ),
        (
            parts("native", "f", json!(["random"])),
            "/otherwise/buckets/dialect",
            "dialect_unsayable",
        ),
        (
            parts("unleash", "f", json!([])),
            "/otherwise/buckets",
            "units_unsayable",
        ),
        (
            gate(json!({ "dialect": "native" })),
            "/rules/0/gates/0",
            "gate_unsayable",
        ),
        (
            gate(json!({ "parts": [[10, 20]] })),
            "/rules/0/gates/0",
            "gate_unsayable",
        ),
        (
            gate(json!({ "or_by": ["random"] })),
            "/rules/0/gates/0",
            "units_unsayable",
        ),
        (test("after"), "/rules/0/when", "operator_unsayable"),
        (test("has_all"), "/rules/0/when", "operator_unsayable"),
        (test("modulo"), "/rules/0/when", "operator_unsayable"),
        (
            when(json!({ "attribute": "userId", "op": "is_present" })),
            "/rules/0/when",
            "attribute_taken",
        ),
        (
            json!({ "rules": [{ "logic": "on" }] }),
            "/rules/0/logic",
            "logic_unsayable",
        ),
    ];
    for (rest, pointer, code) in table {
        let written = write(&definitions(&json!({ "f": flag(&rest) })));
        let found: Vec<_> = written
            .refused
            .iter()
            .map(|one| (&*one.pointer, one.code))
            .collect();
        assert_eq!(found, [(&*format!("/flags/f{pointer}"), code)], "{rest}");
        assert_eq!(written.document["features"], json!([]));
    }
}

#[test]
fn shares_within_conditions_are_refused() {
    let share = json!({ "share": { "key": "k", "by": "user_id", "dialect": "unleash", "parts": [[0, 50]] } });
    let rest = json!({ "rules": [{ "when": share, "serve": "on" }] });
    let refused = write(&definitions(&json!({ "f": flag(&rest) }))).refused;
    let found: Vec<_> = refused.iter().map(|one| (&*one.pointer, one.code)).collect();
    assert_eq!(found, [("/flags/f/rules/0/when", "gate_unsayable")]);
}

#[test]
fn prerequisites_of_single_rules_are_refused() {
    let base = flag(&json!({}));
    let rest = json!({ "rules": [{ "requires": [{ "flag": "base", "variants": ["on"] }], "serve": "on" }] });
    let refused = write(&definitions(&json!({ "base": base, "f": flag(&rest) }))).refused;
    let found: Vec<_> = refused.iter().map(|one| (&*one.pointer, one.code)).collect();
    assert_eq!(found, [("/flags/f/rules/0/requires", "prerequisite_unsayable")]);
}

#[test]
fn what_lists_values_and_short_versions_are_is_refused() {
    let test = |op: &str, value: &str| json!({ "attribute": "a", "op": op, "values": [value] });
    let element = json!({ "element": "a", "fits": test("in", "x") });
    let mut short = test("semver_gt", "2.1");
    short["short"] = json!(true);
    for when in [test("size_gt", "1"), test("is_kind", "list"), element, short] {
        let rest = json!({ "rules": [{ "when": when, "serve": "on" }] });
        let refused = write(&definitions(&json!({ "f": flag(&rest) }))).refused;
        let found: Vec<_> = refused.iter().map(|one| (&*one.pointer, one.code)).collect();
        assert_eq!(found, [("/flags/f/rules/0/when", "operator_unsayable")]);
    }
}

#[test]
fn a_share_that_grows_is_refused() {
    let steps = json!([{ "at": "2026-01-01T00:00:00Z", "percent": 100 }]);
    let rollout = json!({ "serve": "on", "others": "off", "steps": steps });
    let rest = json!({ "otherwise": { "rollout": rollout, "by": "user_id" } });
    let refused = write(&definitions(&json!({ "f": flag(&rest) }))).refused;
    let found: Vec<_> = refused.iter().map(|one| (&*one.pointer, one.code)).collect();
    assert_eq!(found, [("/flags/f/otherwise/rollout", "dialect_unsayable")]);
}

#[test]
fn lists_that_clients_do_not_agree_on_are_refused() {
    let table = [
        ("in", "1", true),
        ("in", " 1", false),
        ("not_in", "1\n", false),
        ("contains", "", false),
        ("ends_with", "a b", true),
        ("matches", " ", true),
    ];
    for (op, value, is_said) in table {
        let when = json!({ "attribute": "a", "op": op, "values": ["2", value] });
        let rest = json!({ "rules": [{ "when": when, "serve": "on" }] });
        let written = write(&definitions(&json!({ "f": flag(&rest) })));
        let codes: Vec<_> = written.refused.iter().map(|one| one.code).collect();
        let expected: &[&str] = if is_said { &[] } else { &["value_unsayable"] };
        assert_eq!(codes, expected, "{op} `{value}`");
    }
}

#[test]
fn parents_are_those_that_clients_can_ask() {
    let needs = |flag: &str, variants: &[&str]| json!([{ "flag": flag, "variants": variants }]);
    let child = |prerequisites: Value| {
        flag(&json!({ "prerequisites": prerequisites, "otherwise": { "serve": "on" } }))
    };
    let written = write(&definitions(&json!({
        "parent": flag(&json!({ "rules": [{ "when": { "attribute": "a", "op": "in", "values": ["1"] }, "serve": "blue" }] })),
        "native": flag(&json!({ "otherwise": { "split": { "on": 100 }, "by": "user_id" } })),
        "on": child(needs("parent", &["on", "blue", "red"])),
        "off": child(needs("parent", &["off"])),
        "some": child(needs("parent", &["on", "blue"])),
        "either": child(needs("parent", &["off", "blue"])),
        "unsayable": child(needs("native", &["on"])),
        "grandchild": child(needs("on", &["on"])),
    })));
    let refused: Vec<_> = written.refused.iter().map(|one| (&*one.flag, one.code)).collect();
    let expected = [
        ("native", "dialect_unsayable"),
        ("either", "prerequisite_unsayable"),
        ("grandchild", "prerequisite_unsayable"),
        ("unsayable", "prerequisite_unsayable"),
    ];
    assert_eq!(refused, expected);
    let features = written.document["features"].as_array().unwrap();
    let of = |name: &str| &features.iter().find(|feature| feature["name"] == name).unwrap()["dependencies"];
    assert_eq!(*of("on"), json!([{ "feature": "parent", "enabled": true }]));
    assert_eq!(*of("off"), json!([{ "feature": "parent", "enabled": false }]));
    assert_eq!(
        *of("some"),
        json!([{ "feature": "parent", "enabled": true, "variants": ["blue", "disabled"] }])
    );
}

/// Conditions that clients know.
fn condition() -> impl Strategy<Value = Value> {
    let attribute = || proptest::sample::select(vec!["user_id", "plan", "version", "remote_address"]);
    let text = || proptest::sample::select(vec!["1", "2.5", "gold", "go", "1.2.3", "10.0.0.1"]);
    let texts = (
        attribute(),
        proptest::sample::select(vec!["in", "not_in"]),
        vec(text(), 0..3),
    );
    let texts = texts
        .prop_map(|(attribute, op, values)| json!({ "attribute": attribute, "op": op, "values": values }));
    let affixes = proptest::sample::select(vec!["starts_with", "ends_with", "contains"]);
    let affixes = (attribute(), affixes, vec(text(), 1..3), any::<bool>()).prop_map(|(attribute, op, values, ignore_case)| {
        json!({ "attribute": attribute, "op": op, "values": values, "ignore_case": ignore_case })
    });
    let single = proptest::sample::select(vec![
        ("eq", "1"),
        ("gt", "1"),
        ("gte", "2.5"),
        ("lt", "2"),
        ("lte", "2.5"),
        ("semver_eq", "1.2.3"),
        ("semver_gt", "1.0.0"),
        ("semver_lte", "1.2.3"),
        ("matches", "^g|5$"),
        ("in_network", "10.0.0.0/8"),
    ]);
    let single = (attribute(), single)
        .prop_map(|(attribute, (op, value))| json!({ "attribute": attribute, "op": op, "values": [value] }));
    let present = (attribute(), any::<bool>()).prop_map(|(attribute, is)| {
        json!({ "attribute": attribute, "op": if is { "is_present" } else { "is_absent" } })
    });
    let during =
        Just(json!({ "during": { "from": "1970-01-01T00:00:05Z", "until": "1970-01-01T00:00:09Z" } }));
    let one = proptest::prop_oneof![4 => texts, 3 => affixes, 4 => single, 1 => present, 1 => during];
    one.prop_recursive(2, 5, 3, |inner| {
        proptest::prop_oneof![
            vec(inner.clone(), 0..3).prop_map(|all| json!({ "all": all })),
            vec(inner.clone(), 0..3).prop_map(|any| json!({ "any": any })),
            inner.prop_map(|not| json!({ "not": not })),
        ]
    })
}

fn outcome() -> impl Strategy<Value = Value> {
    let serve =
        proptest::sample::select(vec!["off", "on", "blue", "red"]).prop_map(|name| json!({ "serve": name }));
    let parts = (vec(0..4_u32, 2), any::<bool>(), any::<bool>()).prop_map(|(weights, is_own, is_custom)| {
        let parts: Vec<_> = (weights.iter().zip(["red", "blue"]))
            .map(|(weight, serve)| json!({ "weight": weight + 1, "serve": serve }))
            .collect();
        let (by, or_by) = match is_custom {
            true => ("plan", vec!["random"]),
            false => ("user_id", vec!["session_id", "random"]),
        };
        let key = if is_own { "f" } else { "k" };
        json!({ "buckets": { "dialect": "unleash", "key": key, "parts": parts }, "by": by, "or_by": or_by })
    });
    proptest::prop_oneof![3 => serve, 2 => parts]
}

fn rule() -> impl Strategy<Value = Value> {
    let gate = (0..=100_u32, any::<bool>()).prop_map(|(percent, is_user)| {
        let or_by = if is_user { json!([]) } else { json!(["session_id", "random"]) };
        json!([{ "key": "k", "by": "user_id", "or_by": or_by, "dialect": "unleash", "parts": [[0, percent]] }])
    });
    (option::of(condition()), option::of(gate), outcome()).prop_map(|(when, gates, outcome)| {
        let mut rule = outcome;
        if let Some(when) = when {
            rule["when"] = when;
        }
        if let Some(gates) = gates {
            rule["gates"] = gates;
        }
        rule
    })
}

fn subject() -> impl Strategy<Value = BTreeMap<&'static str, &'static str>> {
    let value = proptest::sample::select(vec![
        "1",
        "2",
        "2.5",
        "gold",
        "GO",
        "",
        "1.2.3",
        "1.0.0-rc.1",
        "10.9.8.7",
    ]);
    let name = proptest::sample::select(vec!["user_id", "session_id", "plan", "version", "remote_address"]);
    proptest::collection::btree_map(name, value, 0..5)
}

proptest! {
    /// What is written and read again gives everybody the same.
    #[test]
    fn what_is_written_says_the_same(
        (rules, otherwise) in (vec(rule(), 0..4), outcome()),
        (subjects, random) in (vec(subject(), 1..6), 0..10_000_u32),
        (now, has_override) in (0..12_i64, any::<bool>()),
    ) {
        let mut source = flag(&json!({ "rules": rules, "otherwise": otherwise }));
        if has_override {
            source["overrides"] = json!([{ "by": "user_id", "values": ["1"], "serve": "red" }]);
        }
        let before = definitions(&json!({ "f": source }));
        let written = write(&before);
        let document = Document::parse(&written.document.to_string()).unwrap();
        let reading = read(&document);
        prop_assert_eq!(&reading.refused, &vec![]);
        prop_assert_eq!(&reading.notes, &vec![]);
        if !written.refused.is_empty() {
            return Ok(());
        }
        let sets = [&before, &reading.definitions].map(|set| (set, Flags::compile(set).unwrap()));
        for known in subjects {
            let [ours, theirs] = sets.each_ref().map(|(set, flags)| {
                let mut subject = flags.subject(now * 1_000_000);
                flags.put(&mut subject, "random", f64::from(random));
                for (name, value) in &known {
                    flags.put(&mut subject, name, *value);
                }
                Answer::of(&set.flags["f"].targeting.off, &flags.evaluate(flags.get("f").unwrap(), &subject))
            });
            prop_assert_eq!(ours, theirs, "{:?} {}", known, written.document);
        }
    }
}
