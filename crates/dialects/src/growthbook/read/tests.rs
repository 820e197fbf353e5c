//! Features as flags: what becomes of them, and that everybody gets the same.

use eval::Flags;
use proptest::prelude::{prop_assert, prop_assert_eq, proptest};
use serde_json::{Map, Value as Json, json};

use super::{Payload, read};
use crate::growthbook::tests::people;
use crate::growthbook::{Evaluator, User, sticky};
use crate::{Error, FLAGS_MAX, Reading};

mod payloads;

/// Reads one feature with saved groups.
fn one(feature: &Json, groups: &Json) -> Reading {
    read(&json!({ "features": { "f": feature, "parent": { "defaultValue": true } }, "savedGroups": groups }))
        .unwrap()
}

fn ruled(rule: &Json) -> Json {
    json!({ "defaultValue": false, "rules": [rule] })
}

/// Rules that cannot be said, where, and why.
const REFUSED: [(&str, &str, &str); 16] = [
    (
        r#"{"condition": {"tags": {"$size": 2}}}"#,
        "/condition/tags/$size",
        "operator_unsaid",
    ),
    (
        r#"{"condition": {"a": {"$type": "string"}}}"#,
        "/condition/a/$type",
        "operator_unsaid",
    ),
    (
        r#"{"condition": {"a": {"$new": 1}}}"#,
        "/condition/a/$new",
        "operator_unsaid",
    ),
    (
        r#"{"condition": {"a": {"$lt": "2026"}}}"#,
        "/condition/a/$lt",
        "order_of_texts",
    ),
    (
        r#"{"condition": {"a": {"$vgt": "1.2"}}}"#,
        "/condition/a/$vgt",
        "version_unsaid",
    ),
    (
        r#"{"condition": {"a": {"$vgt": "1.2.3-a"}}}"#,
        "/condition/a/$vgt",
        "version_unsaid",
    ),
    (
        r#"{"condition": {"a": {"$regex": "(?=x)"}}}"#,
        "/condition/a/$regex",
        "pattern_invalid",
    ),
    (r#"{"condition": {"a": ["x"]}}"#, "/condition/a", "value_unsaid"),
    (
        r#"{"condition": {"a.0": "x"}}"#,
        "/condition/a.0",
        "element_of_list",
    ),
    (
        r#"{"condition": {"a": {"$in": [1, "1"]}}}"#,
        "/condition/a/$in",
        "kinds_mixed",
    ),
    (
        r#"{"condition": {"a": 1, "$not": {"a": "1"}}}"#,
        "/condition/$not/a",
        "kinds_mixed",
    ),
    (r#"{"condition": {"$or": null}}"#, "/condition/$or", "malformed"),
    (
        r#"{"condition": {"$savedGroup": {"id": "new"}}}"#,
        "/condition/$savedGroup",
        "group_unknown",
    ),
    (
        r#"{"parentConditions": [{"id": "parent"}]}"#,
        "/parentConditions/0",
        "prerequisite_of_rule",
    ),
    (
        r#"{"parentConditions": [{"id": "none", "condition": {"value": 1}, "gate": true}]}"#,
        "/parentConditions/0/id",
        "flag_unknown",
    ),
    (
        r#"{"variations": [1, 2], "contextualBanditRef": "b"}"#,
        "/contextualBanditRef",
        "bandit",
    ),
];

#[test]
fn what_cannot_be_said_is_refused_with_its_place() {
    for (rule, pointer, code) in REFUSED {
        let mut rule: Json = serde_json::from_str(rule).unwrap();
        if rule.get("condition").is_some() {
            rule["force"] = json!(true);
        }
        let found = one(&ruled(&rule), &json!({ "new": { "type": "new" } }));
        assert!(!found.definitions.flags.contains_key("f"), "{code}");
        let [finding] = found.refused.as_slice() else {
            panic!("{code}: {found:?}")
        };
        let pointer = format!("/features/f/rules/0{pointer}");
        assert_eq!((finding.pointer.as_str(), finding.code), (pointer.as_str(), code));
    }
    let circle = json!({ "a": { "type": "condition", "condition": { "$savedGroup": { "id": "a" } } } });
    let found = one(
        &ruled(&json!({ "force": 1, "condition": { "$savedGroup": { "id": "a" } } })),
        &circle,
    );
    assert_eq!(found.refused[0].code, "circular");
}

#[test]
fn what_needs_a_refused_feature_is_refused_as_well() {
    let gate = |id: &str| json!({ "parentConditions": [{ "id": id, "condition": { "value": true }, "gate": true }] });
    let found = read(&json!({ "features": {
        "a": { "defaultValue": true, "rules": [{ "force": true, "condition": { "x": { "$size": 1 } } }] },
        "b": { "defaultValue": true, "rules": [gate("a")] },
        "c": { "defaultValue": true, "rules": [gate("b")] },
        "d": { "defaultValue": true },
    }}))
    .unwrap();
    let refused: Vec<_> = found
        .refused
        .iter()
        .map(|one| (one.flag.as_str(), one.code))
        .collect();
    assert_eq!(
        refused,
        [
            ("a", "operator_unsaid"),
            ("b", "flag_unknown"),
            ("c", "flag_unknown")
        ]
    );
    assert_eq!(found.definitions.flags.keys().collect::<Vec<_>>(), ["d"]);
}

#[test]
fn documents_of_another_shape_are_errors() {
    for document in [
        json!({}),
        json!([]),
        json!({ "features": {}, "encryptedFeatures": "a.b" }),
    ] {
        assert!(matches!(read(&document), Err(Error::Shape { .. })), "{document}");
    }
    let features: Map<_, _> = (0..=FLAGS_MAX)
        .map(|number| (number.to_string(), json!({})))
        .collect();
    assert!(matches!(
        read(&json!({ "features": features })),
        Err(Error::TooMany { .. })
    ));
}

#[test]
fn variants_are_called_as_their_values_if_that_is_a_name() {
    let feature = json!({ "defaultValue": "Blue", "rules": [
        { "force": "red" }, { "force": 5 }, { "force": "5" }, { "force": null }, { "force": { "a": 1 } }, { "force": true },
    ] });
    let found = one(&feature, &json!({}));
    let names: Vec<_> = found.definitions.flags["f"]
        .variants
        .iter()
        .map(|(name, value)| (name.as_str(), value.clone()))
        .collect();
    let wanted = [
        ("5", json!(5)),
        ("null", json!(null)),
        ("on", json!(true)),
        ("red", json!("red")),
        ("value-1", json!("Blue")),
        ("value-4", json!("5")),
        ("value-6", json!({ "a": 1 })),
    ];
    assert_eq!(names, wanted);
}

proptest! {
    #[test]
    fn everybody_gets_the_same_of_the_flag_as_of_the_feature(source in payloads::payload(), people in proptest::collection::vec(people::known(), 6)) {
        let found = read(&source).unwrap();
        // Only an attribute that is a list here and a text there can be in the way.
        for finding in &found.refused {
            prop_assert!(["kinds_mixed", "flag_unknown"].contains(&finding.code), "{finding:?}");
        }
        let flags = Flags::compile(&found.definitions).unwrap();
        let payload = Payload::of(&source);
        for known in &people {
            let user = User::new(known.attributes());
            let mut evaluator = Evaluator::sticky(&payload, &user, sticky::Kept::new());
            for (key, value) in known.values(&flags) {
                prop_assert_eq!(&value, &evaluator.feature(&key).value, "{} {:?}", key, known);
            }
        }
    }
}
