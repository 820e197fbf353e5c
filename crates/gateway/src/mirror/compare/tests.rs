use bytes::Bytes;
use domain::release::Compare;
use http::{HeaderName, HeaderValue, StatusCode};
use proptest::prelude::{Just, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};
use serde_json::{Map, Value, json};

use super::{Difference, Heard, PLACE_BYTES_MAX, Rules, TOLD_MAX};

fn heard(status: u16, fields: &[(&str, &str)], body: &str) -> Heard {
    let fields = fields.iter().map(|(name, value)| {
        let name: HeaderName = name.parse().unwrap();
        (name, HeaderValue::from_str(value).unwrap())
    });
    Heard {
        status: StatusCode::from_u16(status).unwrap(),
        headers: fields.collect(),
        body: Some(Bytes::from(body.to_owned())),
        latency_us: 1_000,
    }
}

fn rules(change: impl FnOnce(&mut Compare)) -> Rules {
    let mut compare = Compare::default();
    change(&mut compare);
    Rules::new(&compare)
}

fn bodies(rules: &Rules, one: &str, other: &str) -> Vec<String> {
    let difference = rules.compare(&heard(200, &[], one), &heard(200, &[], other));
    let told = difference.body.iter();
    told.map(|place| format!("{} {}", place.place, json!(place.kind).as_str().unwrap()))
        .collect()
}

#[test]
fn bodies_are_compared_as_json_and_told_by_place() {
    let table: [(&str, &str, &[&str]); 12] = [
        (r#"{"a":1,"b":[1,2]}"#, r#"{ "b": [1, 2], "a": 1.0 }"#, &[]),
        (r#"{"a":1}"#, r#"{"a":2}"#, &["/a value"]),
        (r#"{"a":1}"#, r#"{"a":"1"}"#, &["/a type"]),
        (r#"{"a":1}"#, r"{}", &["/a missing"]),
        (r"{}", r#"{"a/b~":1}"#, &["/a~1b~0 added"]),
        (r"[1,2,3]", r"[1,9]", &["/1 value", "/2 missing"]),
        (r#"{"at":1,"x":2}"#, r#"{"at":3,"x":2}"#, &[]),
        (
            r#"{"items":[{"id":1},{"id":2}]}"#,
            r#"{"items":[{"id":8},{"id":9}]}"#,
            &[],
        ),
        (r#"{"items":[{"id":1}]}"#, r#"{"items":[{}]}"#, &[]),
        (
            r#"{"items":[{"id":1,"n":1}]}"#,
            r#"{"items":[{"id":2,"n":2}]}"#,
            &["/items/0/n value"],
        ),
        ("<a>", "<b>", &[" value"]),
        ("1", "", &[" value"]),
    ];
    let rules =
        rules(|compare| compare.ignore_json_pointers = vec!["/at".to_owned(), "/items/*/id".to_owned()]);
    for (one, other, expected) in table {
        assert_eq!(bodies(&rules, one, other), expected, "{one} {other}");
    }
}

#[test]
fn fields_are_told_by_name_but_those_that_always_differ() {
    let rules = rules(|compare| compare.ignore_headers = vec!["X-Build".to_owned()]);
    let one = heard(
        200,
        &[
            ("date", "1"),
            ("x-build", "1"),
            ("x-a", "1"),
            ("x-b", "1"),
            ("etag", "1"),
        ],
        "",
    );
    let other = heard(
        200,
        &[("date", "2"), ("x-build", "2"), ("x-a", "2"), ("x-c", "1")],
        "",
    );
    let difference = rules.compare(&one, &other);
    let told = serde_json::to_value(&difference).unwrap();
    let expected = json!({ "headers": [
        { "place": "x-a", "kind": "value" }, { "place": "x-b", "kind": "missing" }, { "place": "x-c", "kind": "added" },
    ] });
    assert_eq!(told, expected);
}

#[test]
fn statuses_and_latencies_are_told_as_they_are() {
    let rules = rules(|compare| (compare.slower_percent, compare.slower_min_ms) = (50, 10));
    let real = heard(200, &[], "");
    let mut mirror = heard(404, &[], "");
    assert_eq!(rules.compare(&real, &mirror).status, Some((200, 404)));
    for (real_us, mirror_us, is_slower) in [
        (1_000, 9_000, false),
        (20_000, 29_000, false),
        (20_000, 31_000, true),
        (90_000, 20_000, false),
        (10, 11_000, true),
    ] {
        let real = Heard {
            latency_us: real_us,
            ..real.clone()
        };
        mirror.latency_us = mirror_us;
        let told = rules.compare(&real, &mirror).latency_us;
        assert_eq!(told, is_slower.then_some((real_us, mirror_us)));
    }
}

#[test]
fn what_was_too_large_or_is_coded_is_not_read() {
    let rules = rules(|_| {});
    let (one, mut other) = (heard(200, &[], "1"), heard(200, &[], "2"));
    other.body = None;
    assert!(rules.compare(&one, &other).is_none());
    let coded = |body| heard(200, &[("content-encoding", "gzip")], body);
    let told = rules.compare(&coded(r#"{"a":1}"#), &coded(r#"{"a":2}"#));
    assert_eq!((told.body.len(), &*told.body[0].place), (1, ""));
    assert!(rules.compare(&coded("x"), &coded("x")).is_none());
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-c]{0,3}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[a-c/~]{1,2}", inner), 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

proptest! {
    /// Equal values have no difference, others have one; every place that is told is one, and no value is told.
    #[test]
    fn places_are_where_values_differ(one in values(), other in values()) {
        let rules = rules(|_| {});
        let compare = |one: &Value, other: &Value| -> Difference {
            rules.compare(&heard(200, &[], &one.to_string()), &heard(200, &[], &other.to_string()))
        };
        prop_assert!(compare(&one, &one).is_none());
        let difference = compare(&one, &other);
        prop_assert_eq!(difference.body.is_empty(), one == other);
        prop_assert!(difference.body.len() <= TOLD_MAX);
        for place in &difference.body {
            prop_assert!(place.place.len() <= PLACE_BYTES_MAX);
            let there = (one.pointer(&place.place), other.pointer(&place.place));
            prop_assert!(there.0 != there.1, "{}", place.place);
        }
    }
}
