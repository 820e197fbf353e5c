//! Features as flags: what becomes of them, and that everybody gets the same.

use eval::Flags;
use proptest::prelude::{prop_assert, prop_assert_eq, proptest};
use serde_json::{Map, Value as Json, json};

use super::{Payload, read};
use crate::growthbook::tests::people;
use crate::growthbook::{Evaluator, User, sticky, write};
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
const REFUSED: [(&str, &str, &str); 18] = [
    (
        r#"{"condition": {"$and": [{"a": {"$type": "number"}}, {"a": "1"}]}}"#,
        "/condition/$and/1/a",
        "kinds_mixed",
    ),
    (
        r#"{"condition": {"tags": {"$elemMatch": {"$ne": "a", "$gt": "b"}}}}"#,
        "/condition/tags/$elemMatch/$gt",
        "operator_unsaid",
    ),
    (
        r#"{"condition": {"tags": {"$elemMatch": {"name": "a"}}}}"#,
        "/condition/tags/$elemMatch",
        "operator_unsaid",
    ),
    (
        r#"{"condition": {"tags": {"$size": {"$gt": "2"}}}}"#,
        "/condition/tags/$size/$gt",
        "operator_unsaid",
    ),
    (
        r#"{"condition": {"a": {"$type": "object"}}}"#,
        "/condition/a/$type",
        "value_unsaid",
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
fn what_all_rules_need_is_what_the_flag_needs() {
    let parent = json!([{ "id": "parent", "condition": { "value": true } }]);
    let needy = |more: &str| {
        let mut rule: Json = serde_json::from_str(more).unwrap();
        rule["parentConditions"] = parent.clone();
        rule
    };
    let rules = json!([
        needy(r#"{"condition": {"x": "a"}, "force": 1}"#),
        needy(r#"{"force": 2}"#)
    ]);
    let found = one(&json!({ "defaultValue": 0, "rules": rules }), &json!({}));
    let targeting = &found.definitions.flags["f"].targeting;
    assert_eq!(found.refused, []);
    assert_eq!(
        json!(targeting.prerequisites),
        json!([{ "flag": "parent", "variants": ["on"] }])
    );
    assert_eq!((targeting.off.as_str(), targeting.rules.len()), ("0", 2));
}

#[test]
fn what_only_some_rules_need_is_what_they_need() {
    let parent = |gate: bool| json!({ "id": "parent", "condition": { "value": true }, "gate": gate });
    let other = json!({ "id": "parent", "condition": { "value": false } });
    let rules = json!([
        { "force": 1, "parentConditions": [other] },
        { "force": 2, "parentConditions": [parent(false), parent(true)] },
        { "force": 3, "parentConditions": [parent(true), { "id": "none", "condition": { "value": null } }] },
        { "force": 4 },
    ]);
    let found = one(&json!({ "defaultValue": 0, "rules": rules }), &json!({}));
    assert_eq!(found.refused, []);
    let targeting = &found.definitions.flags["f"].targeting;
    assert_eq!(
        (targeting.off.as_str(), &*targeting.prerequisites),
        ("0", &[][..])
    );
    let [on, never] = [["on"].as_slice(), &[]].map(|names| json!({ "flag": "parent", "variants": names }));
    let wanted = json!([
        { "requires": [never], "serve": "1" },
        // The parent is never anything else, so that neither gate is ever in the way.
        { "requires": [on], "serve": "2" },
        { "serve": "3" },
        { "serve": "4" },
    ]);
    assert_eq!(json!(targeting.rules), wanted);
    let gated = json!({ "defaultValue": true, "rules": [
        { "force": false, "condition": { "country": "DE" } },
    ] });
    let rules = json!([{ "force": 1, "condition": { "x": "a" } }, { "force": 2, "parentConditions": [parent(true)] }]);
    let features = json!({ "f": { "defaultValue": 0, "rules": rules }, "parent": gated });
    let found = read(&json!({ "features": features })).unwrap();
    let wanted = json!([
        { "when": { "attribute": "x", "op": "in", "values": ["a"] }, "serve": "1" },
        { "requires": [{ "flag": "parent", "variants": ["off"] }], "serve": "null" },
        { "serve": "2" },
    ]);
    let targeting = &found.definitions.flags["f"].targeting;
    assert_eq!(json!(targeting.rules), wanted);
}

#[test]
fn experiments_keep_the_names_that_they_are_tracked_by() {
    let meta = |keys: &[&str]| keys.iter().map(|key| json!({ "key": key })).collect::<Vec<_>>();
    let experiment = |key: &str, values: &Json, keys: &[&str]| json!({ "id": "fr_1", "key": key, "seed": "s", "hashAttribute": "id", "variations": values, "meta": meta(keys) });
    let flag = |rules: Json| {
        let found = one(&json!({ "defaultValue": "red", "rules": rules }), &json!({}));
        assert_eq!(found.refused, []);
        found
    };
    let values = json!(["red", "blue"]);
    let found =
        flag(json!([experiment("colours", &values, &["0", "1"]), { "id": "fr_2", "force": "green" }]));
    let read_flag = &found.definitions.flags["f"];
    let names: Vec<_> = read_flag
        .targeting
        .rules
        .iter()
        .map(|rule| rule.name.as_deref())
        .collect();
    assert_eq!(names, [Some("colours"), Some("fr_2")]);
    assert_eq!(
        json!(read_flag.variants),
        json!({ "0": "red", "1": "blue", "green": "green" })
    );
    // What is written has both again, and reads as the same.
    let written = write(&found.definitions).document;
    let rule = &written["features"]["f"]["rules"][0];
    assert_eq!(
        (&rule["key"], &rule["meta"]),
        (&json!("colours"), &json!([{ "key": "0" }, { "key": "1" }]))
    );
    assert_eq!(read(&written).unwrap().definitions, found.definitions);
    // Names that say two things, or none, are not taken.
    let other = json!(["blue", "red"]);
    let found = flag(json!([
        experiment("", &values, &["0", "1"]),
        experiment("b", &other, &["0", ""])
    ]));
    let read_flag = &found.definitions.flags["f"];
    assert_eq!(read_flag.targeting.rules[0].name.as_deref(), Some("f"));
    assert_eq!(json!(read_flag.variants), json!({ "red": "red", "blue": "blue" }));
}

#[test]
fn what_needs_a_refused_feature_is_refused_as_well() {
    let gate = |id: &str| json!({ "parentConditions": [{ "id": id, "condition": { "value": true }, "gate": true }] });
    let found = read(&json!({ "features": {
        "a": { "defaultValue": true, "rules": [{ "force": true, "condition": { "x": { "$new": 1 } } }] },
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
