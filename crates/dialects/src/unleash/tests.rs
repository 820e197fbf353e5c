use std::collections::BTreeMap;

use eval::Flags;
use proptest::prelude::{any, prop_assert, proptest};
use serde_json::{Value, json};

use super::{Answer, Document, read};
use crate::{Error, Reading};

/// What became of features.
fn reading(features: &Value) -> Reading {
    let document = json!({ "version": 2, "features": features, "segments": [
        { "id": 1, "name": "staff", "constraints": [
            { "contextName": "email", "operator": "STR_ENDS_WITH", "values": ["@acme.example"] },
        ] },
        { "id": 2, "constraints": [{ "contextName": "a", "operator": "SOUNDS_LIKE", "values": ["b"] }] },
    ] });
    read(&Document::parse(&document.to_string()).unwrap())
}

fn feature(strategy: &Value) -> Value {
    json!([{ "name": "f", "enabled": true, "strategies": [strategy] }])
}

fn constrained(constraint: &Value) -> Value {
    feature(&json!({ "name": "default", "constraints": [constraint] }))
}

/// The answer of a flag for somebody.
fn answer(reading: &Reading, key: &str, known: &[(&str, &str)]) -> Answer {
    let flags = Flags::compile(&reading.definitions).unwrap();
    let mut subject = flags.subject(0);
    for (name, value) in known {
        flags.put(&mut subject, name, *value);
    }
    let found = flags.evaluate(flags.get(key).unwrap(), &subject);
    Answer::of(&reading.definitions.flags[key].targeting.off, &found)
}

fn unsayable() -> Vec<(Value, &'static str, &'static str)> {
    let number = |value: &str| json!({ "contextName": "a", "operator": "NUM_GT", "value": value });
    vec![
        (json!([{ "name": "f" }]), "/features/0", "shape"),
        (
            feature(&json!({ "name": "moonPhase" })),
            "/features/0/strategies/0/name",
            "strategy_unknown",
        ),
        (
            feature(&json!({ "name": "flexibleRollout", "parameters": { "rollout": "many" } })),
            "/features/0/strategies/0/parameters/rollout",
            "value_invalid",
        ),
        (
            feature(
                &json!({ "name": "flexibleRollout", "parameters": { "rollout": 5, "stickiness": "user_id" } }),
            ),
            "/features/0/strategies/0/parameters/stickiness",
            "attribute_taken",
        ),
        (
            constrained(&json!({ "contextName": "a", "operator": "SOUNDS_LIKE", "values": ["b"] })),
            "/features/0/strategies/0/constraints/0/operator",
            "operator_unknown",
        ),
        (
            constrained(&number("many")),
            "/features/0/strategies/0/constraints/0",
            "value_invalid",
        ),
        (
            constrained(&json!({ "contextName": "a", "operator": "NUM_GT" })),
            "/features/0/strategies/0/constraints/0/value",
            "value_missing",
        ),
        (
            constrained(&json!({ "contextName": "a", "operator": "REGEX", "value": "(" })),
            "/features/0/strategies/0/constraints/0",
            "value_invalid",
        ),
        (
            constrained(&json!({ "contextName": "a", "operator": "SEMVER_EQ", "value": "v1.0.0" })),
            "/features/0/strategies/0/constraints/0/value",
            "value_invalid",
        ),
        (
            constrained(
                &json!({ "contextName": "born", "operator": "DATE_AFTER", "value": "2026-01-01T00:00:00Z" }),
            ),
            "/features/0/strategies/0/constraints/0/contextName",
            "operator_unsupported",
        ),
        (
            constrained(&json!({ "contextName": "currentTime", "operator": "DATE_AFTER", "value": "soon" })),
            "/features/0/strategies/0/constraints/0/value",
            "value_invalid",
        ),
        (
            feature(&json!({ "name": "default", "segments": [1, 2] })),
            "/segments/1/constraints/0/operator",
            "operator_unknown",
        ),
    ]
}

#[test]
fn what_cannot_be_said_is_refused_with_its_place() {
    for (features, pointer, code) in unsayable() {
        let found = reading(&features);
        assert_eq!(found.definitions.flags.len(), 0, "{features}");
        let found: Vec<_> = found
            .refused
            .iter()
            .map(|one| (&*one.flag, &*one.pointer, one.code))
            .collect();
        assert_eq!(found, [("f", pointer, code)], "{features}");
    }
}

#[test]
fn who_depends_on_what_was_refused_is_refused() {
    let found = reading(&json!([
        { "name": "parent", "enabled": true, "strategies": [{ "name": "moonPhase" }] },
        { "name": "child", "enabled": true, "dependencies": [{ "feature": "parent" }], "strategies": [] },
        { "name": "other", "enabled": true, "strategies": [] },
    ]));
    let keys: Vec<_> = found.definitions.flags.keys().collect();
    assert_eq!(keys, ["other"]);
    let refused: BTreeMap<_, _> = found.refused.iter().map(|one| (&*one.flag, one.code)).collect();
    assert_eq!(
        refused,
        [("child", "parent_refused"), ("parent", "strategy_unknown")].into()
    );
}

#[test]
fn what_is_on_for_nobody_says_why() {
    let found = reading(&json!([
        { "name": "grandchild", "enabled": true, "dependencies": [{ "feature": "child" }], "strategies": [] },
        { "name": "child", "enabled": true, "dependencies": [{ "feature": "parent" }], "strategies": [] },
        { "name": "orphan", "enabled": true, "dependencies": [{ "feature": "gone" }], "strategies": [] },
        { "name": "parent", "enabled": true, "strategies": [] },
        { "name": "strategies", "enabled": true, "strategies": [{ "name": "default", "segments": [7] }] },
        { "name": "networks", "enabled": true, "strategies": [{ "name": "default", "constraints": [
            { "contextName": "remoteAddress", "operator": "IN_CIDR", "values": ["10.0.0.0/8", "home"] },
        ] }] },
    ]));
    assert_eq!(found.refused, []);
    let notes: BTreeMap<_, _> = found
        .notes
        .iter()
        .map(|one| (&*one.flag, (&*one.pointer, one.code)))
        .collect();
    let expected = [
        (
            "grandchild",
            ("/features/0/dependencies/0/feature", "parent_has_parents"),
        ),
        (
            "networks",
            ("/features/5/strategies/0/constraints/0/values", "network_invalid"),
        ),
        ("orphan", ("/features/2/dependencies/0/feature", "parent_unknown")),
        (
            "strategies",
            ("/features/4/strategies/0/segments/0", "segment_unknown"),
        ),
    ];
    assert_eq!(notes, expected.into());
    for (key, expected) in [
        ("grandchild", false),
        ("child", true),
        ("orphan", false),
        ("parent", true),
        ("strategies", false),
        ("networks", false),
    ] {
        assert_eq!(answer(&found, key, &[]).enabled, expected, "{key}");
    }
    assert!(answer(&found, "networks", &[("remote_address", "10.1.2.3")]).enabled);
}

#[test]
fn names_and_payloads_come_back_as_they_were() {
    let payloads = [
        Value::Null,
        json!({ "type": "string", "value": "a" }),
        json!({ "type": "number", "value": "1.20" }),
        json!({ "type": "number", "value": "12" }),
        json!({ "type": "json", "value": "{\"a\":[1]}" }),
        json!({ "type": "json", "value": "true" }),
        json!({ "type": "json", "value": "{\"unleash\":{}}" }),
        json!({ "type": "csv", "value": "a,b" }),
    ];
    // Of one name, so that all but the first have another one with us.
    let strategies = payloads.iter().enumerate().map(|(place, payload)| {
        let mut variant = json!({ "name": "off", "weight": 1 });
        if !payload.is_null() {
            variant["payload"] = payload.clone();
        }
        json!({ "name": "userWithId", "parameters": { "userIds": place.to_string() }, "variants": [variant] })
    });
    let found =
        reading(&json!([{ "name": "f", "enabled": true, "strategies": strategies.collect::<Vec<_>>() }]));
    assert_eq!((&found.refused, &found.notes), (&vec![], &vec![]));
    for (place, payload) in payloads.iter().enumerate() {
        let answer = answer(&found, "f", &[("user_id", &place.to_string())]);
        let mut expected = json!({ "name": "off", "enabled": true, "feature_enabled": true });
        if !payload.is_null() {
            expected["payload"] = payload.clone();
        }
        assert_eq!(serde_json::to_value(&answer.variant).unwrap(), expected);
    }
    assert!(!answer(&found, "f", &[("user_id", "nobody")]).enabled);
    let exact = json!({ "unleash": { "name": "off", "payload": { "type": "string", "value": "a" } } });
    assert_eq!(found.definitions.flags["f"].variants["off-3"], exact);
}

#[test]
fn deltas_change_what_they_name() {
    let mut document =
        Document::parse(r#"{"version": 2, "features": [{"name": "a", "enabled": false}]}"#).unwrap();
    let events = json!({ "events": [
        { "eventId": 2, "type": "feature-updated", "feature": { "name": "a", "enabled": true } },
        { "eventId": 3, "type": "feature-updated", "feature": { "name": "b", "enabled": true } },
        { "eventId": 4, "type": "segment-updated", "segment": { "id": 1, "constraints": [] } },
        { "eventId": 5, "type": "segment-removed", "segmentId": 1 },
        { "eventId": 6, "type": "feature-removed", "featureName": "b", "project": "default" },
    ] });
    document.apply(&events.to_string()).unwrap();
    let expected = Document::parse(r#"{"features": [{"name": "a", "enabled": true}]}"#).unwrap();
    assert_eq!(document, expected);
    let wrong = json!({ "events": [
        { "eventId": 7, "type": "feature-removed", "featureName": "a", "project": "default" },
        { "eventId": 8, "type": "feature-painted" },
    ] });
    let refused = document.apply(&wrong.to_string()).unwrap_err();
    assert!(matches!(refused, Error::Shape { pointer, .. } if pointer == "/events/1"));
    assert_eq!(document, expected);
}

#[test]
fn a_feature_is_bounded() {
    let variant = |name: usize| json!({ "name": name.to_string(), "weight": 1 });
    let variants: Vec<_> = (0..201).map(variant).collect();
    let strategies = vec![json!({ "name": "default" }); 201];
    let with_overrides = |place: usize| {
        let mut variant = variant(place);
        variant["overrides"] = json!([{ "contextName": "userId", "values": ["1"] }]);
        variant
    };
    let overridden: Vec<_> = (0..100).map(with_overrides).collect();
    let table = [
        (json!({ "variants": variants }), "/features/0/variants"),
        (json!({ "strategies": strategies }), "/features/0/strategies"),
        (
            json!({ "strategies": strategies[..20], "variants": overridden }),
            "/features/0/strategies",
        ),
    ];
    for (mut feature, pointer) in table {
        feature["name"] = "f".into();
        feature["enabled"] = true.into();
        let found = reading(&json!([feature]));
        assert_eq!(
            (&*found.refused[0].pointer, found.refused[0].code),
            (pointer, "too_large")
        );
    }
}

#[test]
fn too_many_features_are_refused() {
    let features = vec![json!({}); crate::FLAGS_MAX + 1];
    let text = json!({ "features": features }).to_string();
    assert!(matches!(
        Document::parse(&text),
        Err(Error::TooMany { flags: 10_001 })
    ));
}

proptest! {
    /// Whom a roll-out has reached stays reached when it goes on.
    #[test]
    fn roll_outs_only_grow(group in "[a-z]{0,8}", user in "[a-z0-9]{1,8}", from in 0..=100_u32, more in 0..=100_u32) {
        let to = (from + more).min(100);
        let at = |percent: u32| {
            let found = reading(&feature(&json!({ "name": "flexibleRollout", "parameters": {
                "rollout": percent.to_string(), "stickiness": "userId", "groupId": group,
            } })));
            answer(&found, "f", &[("user_id", &user)]).enabled
        };
        prop_assert!(at(to) || !at(from));
        prop_assert!(at(100));
        prop_assert!(!at(0));
    }

    /// Whatever comes, what is read compiles.
    #[test]
    fn nothing_makes_it_panic(text in any::<String>(), operator in "[A-Z_]{0,14}", value in any::<String>()) {
        if let Ok(document) = Document::parse(&text) {
            prop_assert!(Flags::compile(&read(&document).definitions).is_ok());
        }
        let found = reading(&constrained(&json!({ "contextName": value, "operator": operator, "value": value, "values": [value] })));
        prop_assert!(Flags::compile(&found.definitions).is_ok());
    }
}
