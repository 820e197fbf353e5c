use eval::{Flags, Value};
use proptest::prelude::{prop_assert, prop_assert_eq, proptest};
use serde_json::{Value as Json, json};

use super::{read, read_export};
use crate::{Error, Reading};

mod documents;

/// What somebody gets of a flag.
fn asked(reading: &Reading, key: &str, known: &Json) -> Json {
    let flags = Flags::compile(&reading.definitions).unwrap();
    let mut subject = flags.subject(0);
    for (name, value) in known.as_object().unwrap() {
        if let Some(value) = Value::of(value) {
            flags.put(&mut subject, name, value);
        }
    }
    flags.evaluate(flags.get(key).unwrap(), &subject).value.clone()
}

/// A boolean flag that is on.
fn flag(more: &Json) -> Json {
    let mut flag = json!({ "on": true, "variations": [true, false], "offVariation": 1, "fallthrough": { "variation": 1 } });
    for (name, value) in more.as_object().unwrap() {
        flag[name] = value.clone();
    }
    flag
}

fn one(more: &Json, segments: &Json) -> Reading {
    read(&json!({ "flags": { "hashKey": flag(more) }, "segments": segments })).unwrap()
}

fn rule(clause: &Json) -> Json {
    json!({ "rules": [{ "clauses": [clause], "variation": 0 }] })
}

/// Where the tests of LaunchDarkly's SDKs say that keys stand with the flag `hashKey`, the salt `saltyA`, and the seed.
const BUCKETS: [(&str, Option<u32>, f64); 6] = [
    ("userKeyA", None, 0.421_575_87),
    ("userKeyB", None, 0.670_848_5),
    ("userKeyC", None, 0.103_431_06),
    ("userKeyA", Some(61), 0.098_012_07),
    ("userKeyB", Some(61), 0.144_833_66),
    ("userKeyC", Some(61), 0.924_264_1),
];

#[test]
fn units_stand_where_launchdarkly_puts_them() {
    for (user, seed, bucket) in BUCKETS {
        let place = (bucket * 100_000.0) as u32;
        let weights = [place, 1, 99_999 - place];
        let parts = [0, 1, 2].map(|part| json!({ "variation": part, "weight": weights[part] }));
        let rollout = json!({ "variations": parts, "seed": seed });
        let more =
            json!({ "salt": "saltyA", "variations": ["a", "b", "c"], "fallthrough": { "rollout": rollout } });
        let known = json!({ "user_id": user });
        assert_eq!(
            asked(&one(&more, &json!({})), "hashKey", &known),
            json!("b"),
            "{user} {seed:?}"
        );
    }
}

#[test]
fn segments_have_the_share_that_launchdarkly_gives_them() {
    let named = rule(&json!({ "op": "segmentMatch", "values": ["hashKey"] }));
    for (user, _, bucket) in BUCKETS.iter().filter(|(_, seed, _)| seed.is_none()) {
        let place = (bucket * 100_000.0) as u32;
        for (weight, is_meant) in [(place, false), (place + 1, true)] {
            let segments =
                json!({ "hashKey": { "salt": "saltyA", "rules": [{ "clauses": [], "weight": weight }] } });
            let reading = one(&named, &segments);
            assert_eq!(reading.refused, []);
            let found = asked(&reading, "hashKey", &json!({ "user_id": user }));
            assert_eq!(found, json!(is_meant), "{user} {weight}");
        }
    }
    let plan = json!({ "attribute": "plan", "contextKind": "org", "op": "in", "values": ["gold"] });
    let share =
        json!({ "clauses": [plan], "weight": 1, "bucketBy": "/address/city", "rolloutContextKind": "org" });
    let reading = one(&named, &json!({ "hashKey": { "salt": "s", "rules": [share] } }));
    let table = [
        (json!({ "org.key": "o", "org.plan": "gold" }), true),
        (
            json!({ "org.key": "o", "org.plan": "gold", "org.address.city": "X" }),
            false,
        ),
        (json!({ "org.key": "o" }), false),
        (json!({ "user_id": "u", "org.plan": "gold" }), false),
    ];
    for (known, is_meant) in table {
        assert_eq!(asked(&reading, "hashKey", &known), json!(is_meant), "{known}");
    }
}

#[test]
fn what_weights_leave_goes_to_the_last_part_and_who_is_unknown_to_the_first() {
    let parts = [
        json!({ "variation": 0, "weight": 1 }),
        json!({ "variation": 1, "weight": 2 }),
    ];
    let more =
        json!({ "salt": "s", "fallthrough": { "rollout": { "variations": parts, "bucketBy": "device" } } });
    let reading = one(&more, &json!({}));
    assert_eq!(
        asked(&reading, "hashKey", &json!({ "device": "x" })),
        json!(false)
    );
    assert_eq!(
        asked(&reading, "hashKey", &json!({ "user_id": "x" })),
        json!(true)
    );
}

/// Clauses, what is known of somebody, and whether they are meant.
const CLAUSES: [(&str, &str, bool); 25] = [
    (
        r#"{"attribute": "key", "op": "in", "values": ["a"]}"#,
        r#"{"user_id": "a"}"#,
        true,
    ),
    (
        r#"{"attribute": "country", "op": "in", "values": ["DE", "FR"]}"#,
        r#"{"country": "FR"}"#,
        true,
    ),
    (
        r#"{"attribute": "country", "op": "in", "values": ["DE"], "negate": true}"#,
        r#"{"country": "FR"}"#,
        true,
    ),
    (
        r#"{"attribute": "country", "op": "in", "values": ["DE"], "negate": true}"#,
        "{}",
        false,
    ),
    (
        r#"{"attribute": "tags", "op": "in", "values": ["b"]}"#,
        r#"{"tags": ["a", "b"]}"#,
        true,
    ),
    (
        r#"{"attribute": "email", "op": "endsWith", "values": ["@a.example"]}"#,
        r#"{"email": "x@a.example"}"#,
        true,
    ),
    (
        r#"{"attribute": "email", "op": "startsWith", "values": ["x", "y"]}"#,
        r#"{"email": "y@"}"#,
        true,
    ),
    (
        r#"{"attribute": "email", "op": "contains", "values": ["@"], "negate": true}"#,
        r#"{"email": "y@"}"#,
        false,
    ),
    (
        r#"{"attribute": "email", "op": "matches", "values": ["^\\d+$"]}"#,
        r#"{"email": "12"}"#,
        true,
    ),
    (
        r#"{"attribute": "age", "op": "lessThan", "values": [18]}"#,
        r#"{"age": 17.5}"#,
        true,
    ),
    (
        r#"{"attribute": "age", "op": "greaterThanOrEqual", "values": [50, 18]}"#,
        r#"{"age": 20}"#,
        true,
    ),
    (
        r#"{"attribute": "at", "op": "before", "values": [1000]}"#,
        r#"{"at": "1970-01-01T00:00:00.5Z"}"#,
        true,
    ),
    (
        r#"{"attribute": "at", "op": "after", "values": ["1970-01-01T00:00:01Z"]}"#,
        r#"{"at": 500}"#,
        false,
    ),
    (
        r#"{"attribute": "v", "op": "semVerEqual", "values": ["2"]}"#,
        r#"{"v": "2.0.0"}"#,
        true,
    ),
    (
        r#"{"attribute": "v", "op": "semVerLessThan", "values": ["2.1"]}"#,
        r#"{"v": "2.0.9"}"#,
        true,
    ),
    (
        r#"{"attribute": "v", "op": "semVerGreaterThan", "values": ["none"]}"#,
        r#"{"v": "2.0.9"}"#,
        false,
    ),
    (
        r#"{"attribute": "/address/city", "contextKind": "user", "op": "in", "values": ["B"]}"#,
        r#"{"address.city": "B"}"#,
        true,
    ),
    (
        r#"{"attribute": "plan", "contextKind": "org", "op": "in", "values": ["pro"]}"#,
        r#"{"org.plan": "pro"}"#,
        true,
    ),
    (
        r#"{"attribute": "kind", "op": "in", "values": ["org"]}"#,
        r#"{"org.key": "x"}"#,
        true,
    ),
    (
        r#"{"attribute": "kind", "op": "in", "values": ["org"], "negate": true}"#,
        r#"{"user_id": "x"}"#,
        true,
    ),
    (
        r#"{"attribute": "anonymous", "op": "in", "values": [false]}"#,
        r#"{"user_id": "x"}"#,
        true,
    ),
    (
        r#"{"attribute": "anonymous", "op": "in", "values": [true], "negate": true}"#,
        "{}",
        false,
    ),
    (
        r#"{"attribute": "", "op": "segmentMatch", "values": ["none", "beta"]}"#,
        r#"{"user_id": "b"}"#,
        true,
    ),
    (
        r#"{"attribute": "", "op": "segmentMatch", "values": ["beta"]}"#,
        r#"{"user_id": "c", "country": "DE"}"#,
        false,
    ),
    (
        r#"{"attribute": "", "op": "segmentMatch", "values": ["beta"], "negate": true}"#,
        r#"{"user_id": "d"}"#,
        true,
    ),
];

#[test]
fn clauses_mean_whom_they_mean_there() {
    let clause = json!({ "attribute": "country", "op": "in", "values": ["DE"] });
    let segments = json!({ "none": {}, "beta": { "included": ["b"], "excluded": ["c"], "rules": [{ "clauses": [clause] }] } });
    for (clause, known, is_meant) in CLAUSES {
        let [clause, known]: [Json; 2] = [clause, known].map(|text| serde_json::from_str(text).unwrap());
        let reading = one(&rule(&clause), &segments);
        assert_eq!(reading.refused, []);
        assert_eq!(
            asked(&reading, "hashKey", &known),
            json!(is_meant),
            "{clause} {known}"
        );
    }
}

#[test]
fn targets_come_in_the_order_of_contexts() {
    let more = json!({
        "variations": ["a", "b", "c"],
        "targets": [{ "variation": 0, "values": ["u"] }],
        "contextTargets": [
            { "contextKind": "org", "variation": 1, "values": ["o"] },
            { "contextKind": "user", "variation": 0, "values": [] },
        ],
    });
    let reading = one(&more, &json!({}));
    let known = |known: Json| asked(&reading, "hashKey", &known);
    assert_eq!(known(json!({ "user_id": "u", "org.key": "o" })), json!("b"));
    assert_eq!(known(json!({ "user_id": "u" })), json!("a"));
    assert_eq!(known(json!({ "user_id": "x" })), json!("b"));
}

#[test]
fn prerequisites_need_a_flag_that_is_on() {
    let needs = |key: &str, variation: usize| json!({ "prerequisites": [{ "key": key, "variation": variation }], "fallthrough": { "variation": 0 } });
    let reading = read(&json!({ "flags": {
        "on": flag(&json!({ "fallthrough": { "variation": 0 } })),
        "off": flag(&json!({ "on": false })),
        "has": flag(&needs("on", 0)),
        "has-not": flag(&needs("on", 1)),
        "is-off": flag(&needs("off", 1)),
        "gone": flag(&needs("none", 0)),
        "deleted": { "deleted": true },
    }}))
    .unwrap();
    let known = json!({});
    let values = ["has", "has-not", "is-off"].map(|key| asked(&reading, key, &known));
    assert_eq!(values, [json!(true), json!(false), json!(false)]);
    assert_eq!(
        (reading.notes[0].flag.as_str(), reading.notes[0].code),
        ("is-off", "prerequisite_off")
    );
    let refused: Vec<_> = reading
        .refused
        .iter()
        .map(|one| (one.flag.as_str(), one.code))
        .collect();
    assert_eq!(refused, [("gone", "flag_unknown")]);
}

#[test]
fn flags_without_a_variation_for_off_give_null() {
    let reading = one(&json!({ "on": false, "offVariation": null }), &json!({}));
    assert_eq!(asked(&reading, "hashKey", &json!({})), json!(null));
}

/// What cannot be said of a flag, where, and why.
const REFUSED: [(&str, &str, &str); 12] = [
    (
        r#"{"rules": [{"clauses": [{"attribute": "a", "op": "new", "values": []}], "variation": 0}]}"#,
        "/rules/0/clauses/0/op",
        "operator_unknown",
    ),
    (
        r#"{"rules": [{"clauses": [{"attribute": "a", "op": "in", "values": ["1", 1]}], "variation": 0}]}"#,
        "/rules/0/clauses/0",
        "kinds_mixed",
    ),
    (
        r#"{"rules": [{"clauses": [{"attribute": "a", "op": "matches", "values": ["("]}], "variation": 0}]}"#,
        "/rules/0/clauses/0/values/0",
        "pattern_invalid",
    ),
    (
        r#"{"rules": [{"clauses": [{"attribute": "a", "op": "before", "values": ["soon"]}], "variation": 0}]}"#,
        "/rules/0/clauses/0/values/0",
        "value_invalid",
    ),
    (
        r#"{"rules": [{"clauses": [{"attribute": "", "op": "in", "values": ["a"]}], "variation": 0}]}"#,
        "/rules/0/clauses/0/attribute",
        "attribute_invalid",
    ),
    (
        r#"{"rules": [{"clauses": [{"attribute": "org.plan", "op": "in", "values": ["a"]}, {"attribute": "plan", "contextKind": "org", "op": "in", "values": ["a"]}], "variation": 0}]}"#,
        "/rules/0/clauses/1/attribute",
        "attribute_ambiguous",
    ),
    (
        r#"{"rules": [{"clauses": [], "variation": 7}]}"#,
        "/rules/0/variation",
        "variant_unknown",
    ),
    (r#"{"rules": [{"clauses": []}]}"#, "/rules/0", "outcome_invalid"),
    (
        r#"{"fallthrough": {"rollout": {"variations": []}}}"#,
        "/fallthrough/rollout/variations",
        "outcome_invalid",
    ),
    (
        r#"{"fallthrough": {"rollout": {"seed": 0, "variations": [{"variation": 0, "weight": 100000}]}}}"#,
        "/fallthrough/rollout/seed",
        "seed_ambiguous",
    ),
    (r#"{"offVariation": 9}"#, "/offVariation", "variant_unknown"),
    (r#"{"variations": "x"}"#, "", "shape"),
];

#[test]
fn what_cannot_be_said_is_refused_with_its_place() {
    for (more, pointer, code) in REFUSED {
        let reading = one(&serde_json::from_str(more).unwrap(), &json!({}));
        let [finding] = reading.refused.as_slice() else {
            panic!("{code}: {reading:?}")
        };
        let pointer = format!("/flags/hashKey{pointer}");
        assert_eq!((finding.pointer.as_str(), finding.code), (pointer.as_str(), code));
    }
    let named = rule(&json!({ "op": "segmentMatch", "values": ["s"] }));
    let table = [
        (
            json!({ "s": { "unbounded": true } }),
            "/segments/s/unbounded",
            "segment_unbounded",
        ),
        (
            json!({ "s": { "rules": [{ "weight": 5 }] } }),
            "/segments/s/rules/0/weight",
            "segment_weighted",
        ),
        (json!({ "s": 7 }), "/segments/s", "shape"),
        (
            json!({ "other": {} }),
            "/flags/hashKey/rules/0/clauses/0/values/0",
            "segment_unknown",
        ),
    ];
    for (segments, pointer, code) in table {
        let reading = one(&named, &segments);
        assert_eq!(
            (reading.refused[0].pointer.as_str(), reading.refused[0].code),
            (pointer, code)
        );
    }
    let circle = json!({ "s": { "rules": [{ "clauses": [{ "op": "segmentMatch", "values": ["s"] }] }] } });
    assert_eq!(one(&named, &circle).refused[0].code, "circular");
}

#[test]
fn files_may_have_values_alone() {
    let reading = read(&json!({ "flagValues": { "colour": "red" } })).unwrap();
    assert_eq!(asked(&reading, "colour", &json!({})), json!("red"));
    for document in [json!({}), json!({ "flags": [] })] {
        assert!(matches!(read(&document), Err(Error::Shape { .. })), "{document}");
    }
}

#[test]
fn exports_are_read_for_one_environment() {
    let here = |on: bool| {
        json!({ "on": on, "salt": "s", "offVariation": 1, "fallthrough": { "variation": 0 }, "rules": [
        { "_id": "r", "variation": 1, "clauses": [{ "_id": "c", "attribute": "", "op": "segmentMatch", "values": ["beta"], "negate": false }] },
    ] })
    };
    let flags = json!({ "items": [
        { "key": "f", "variations": [{ "value": { "a": 1 }, "name": "Big one" }, { "value": 2 }], "environments": { "test": here(true), "production": here(false) } },
        { "key": "old", "archived": true, "variations": [], "environments": { "test": {}, "production": {} } },
    ] });
    let segments = json!({ "items": [{ "key": "beta", "included": ["b"] }] });
    let reading = read_export(&flags, Some(&segments), "test").unwrap();
    assert_eq!(reading.refused, []);
    assert_eq!(
        reading.definitions.flags["f"].variants.keys().collect::<Vec<_>>(),
        ["2", "big-one"]
    );
    assert_eq!(
        asked(&reading, "f", &json!({ "user_id": "a" })),
        json!({ "a": 1 })
    );
    assert_eq!(asked(&reading, "f", &json!({ "user_id": "b" })), json!(2));
    let production = read_export(&flags, Some(&segments), "production").unwrap();
    assert_eq!(asked(&production, "f", &json!({ "user_id": "a" })), json!(2));
    assert!(matches!(
        read_export(&flags, Some(&segments), "none"),
        Err(Error::Shape { .. })
    ));
    let mut running = flags.clone();
    let allocation = json!({ "rollout": { "experimentAllocation": {}, "variations": [{ "variation": 0, "weight": 100_000 }] } });
    running["items"][0]["environments"]["test"]["fallthrough"] = allocation;
    let reading = read_export(&running, Some(&segments), "test").unwrap();
    let pointer = "/items/0/environments/test/fallthrough/rollout/experimentAllocation";
    assert_eq!(
        (reading.refused[0].pointer.as_str(), reading.refused[0].code),
        (pointer, "experiment_unsaid")
    );
}

#[test]
fn who_is_in_segments_that_were_not_given_is_not_guessed() {
    let clause = |negate| json!({ "op": "segmentMatch", "values": ["beta"], "negate": negate });
    let flag = |key: &str, clauses: Json| {
        json!({ "key": key, "variations": [{ "value": true }, { "value": false }], "environments": { "test": {
            "on": true, "offVariation": 1, "fallthrough": { "variation": 1 }, "rules": [{ "variation": 0, "clauses": clauses }],
        } } })
    };
    let items = [
        flag("a", json!([clause(false)])),
        flag("b", json!([])),
        flag("c", json!([clause(true)])),
    ];
    let flags = json!({ "items": items });
    let empty = json!({ "items": [] });
    for segments in [None, Some(&empty)] {
        let reading = read_export(&flags, segments, "test").unwrap();
        assert_eq!(reading.definitions.flags.keys().collect::<Vec<_>>(), ["b"]);
        let refused = reading.refused.iter();
        let refused: Vec<_> = refused.map(|one| (one.flag.as_str(), one.code)).collect();
        assert_eq!(refused, [("a", "segment_unknown"), ("c", "segment_unknown")]);
        let pointer = "/items/0/environments/test/rules/0/clauses/0/values/0";
        assert_eq!(reading.refused[0].pointer, pointer);
    }
}

#[test]
fn versions_may_leave_out_their_last_numbers() {
    let clause = json!({ "attribute": "v", "op": "semVerGreaterThan", "values": ["2.1"] });
    let reading = one(&rule(&clause), &json!({}));
    assert_eq!((&reading.notes, &reading.refused), (&vec![], &vec![]));
    for (version, is_meant) in [
        ("2.1", false),
        ("2.1.1", true),
        ("3", true),
        ("2", false),
        ("3-rc", true),
    ] {
        let found = asked(&reading, "hashKey", &json!({ "v": version }));
        assert_eq!(found, json!(is_meant), "{version}");
    }
}

#[test]
fn who_may_see_a_flag_is_kept() {
    let cases = [
        (json!({}), None),
        (json!({ "clientSide": true }), Some(true)),
        (json!({ "clientSide": false }), Some(false)),
        (
            json!({ "clientSide": true, "clientSideAvailability": { "usingEnvironmentId": false } }),
            Some(false),
        ),
        (
            json!({ "clientSideAvailability": { "usingEnvironmentId": true, "usingMobileKey": false } }),
            Some(true),
        ),
    ];
    for (more, client_side) in cases {
        let reading = one(&more, &json!({}));
        assert_eq!(reading.flags["hashKey"].client_side, client_side, "{more}");
    }
}

proptest! {
    #[test]
    fn everybody_gets_a_variation_of_what_is_read(document in documents::document(), people in proptest::collection::vec(documents::person(), 4)) {
        let reading = read(&document).unwrap();
        prop_assert_eq!(&reading.refused, &[]);
        for known in &people {
            for key in ["parent", "child"] {
                let value = asked(&reading, key, &known.clone().into());
                let variations = document["flags"][key]["variations"].as_array().unwrap();
                prop_assert!(variations.contains(&value));
            }
        }
    }
}
