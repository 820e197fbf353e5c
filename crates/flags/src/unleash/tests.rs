use std::sync::Arc;

use domain::id::OrganizationId;
use serde_json::{Value, json};

use super::{Context, delta, document_of, event, metrics};
use crate::flagd::Fractional;
use crate::{Asker, Set, Words};

#[test]
fn contexts_are_read_from_queries_and_bodies_alike() {
    let pairs = [
        ("userId", "1"),
        ("properties[plan]", "pro"),
        ("sessionId", "s"),
        ("tier", "2"),
    ];
    let pairs = pairs.map(|(name, value)| (name.into(), value.into()));
    let query = Context::from_pairs(pairs).unwrap();
    let body = br#"{"context": {"userId": 1, "properties": {"plan": "pro", "none": null}, "sessionId": "s", "tier": "2"}}"#;
    let body = Context::from_body(body).unwrap();
    for context in [&query, &body] {
        let known = &context.attributes;
        assert_eq!(known.text("user_id").unwrap(), "1");
        assert_eq!(known.text("plan").unwrap(), "pro");
        assert_eq!(known.text("session_id").unwrap(), "s");
        assert_eq!(known.text("tier").unwrap(), "2");
        assert_eq!((known.text("none"), context.at), (None, None));
    }
    let at = Context::from_body(br#"{"context": {"currentTime": "2026-11-22T00:00:00Z"}}"#).unwrap();
    assert!(at.at.is_some());
    assert!(Context::from_body(b"[]").is_err());
}

/// Flags of an environment; `tag` tells them from others.
fn set(tag: &str, flags: &Value) -> Set {
    let organization = OrganizationId::new(uuid(1));
    let flags = flags.as_object().unwrap().iter().map(|(key, flag)| {
        let mut definition = json!({ "version": 1, "enabled": true, "off": "off", "otherwise": { "serve": "off" },
            "variants": { "on": true, "off": false } });
        for (name, value) in flag.as_object().unwrap() {
            definition[name] = value.clone();
        }
        json!({ "key": key, "type": "json", "client_side": true, "definition": definition })
    });
    let source = json!({ "organization": organization, "tag": tag, "flags": flags.collect::<Vec<_>>() });
    let source = serde_json::from_value(source).unwrap();
    let environment = "production".parse().unwrap();
    Set::compile(&environment, &source, &Arc::default()).unwrap()
}

fn uuid(number: u128) -> uuid::Uuid {
    uuid::Uuid::from_u128(number)
}

#[test]
fn reports_tell_of_each_variant_how_often() {
    let exact = json!({ "unleash": { "name": "a", "payload": { "type": "csv", "value": "1,2" } } });
    let set = set(
        "1",
        &json!({
            "plain": {},
            "named": { "variants": { "yes": true, "no": false }, "off": "no", "otherwise": { "serve": "yes" } },
            "split": { "variants": { "on": true, "off": false, "a": "A", "b": "B" } },
            "exact": { "variants": { "off": false, "a-2": exact, "b": "B" } },
            "texts": { "variants": { "off": "0", "a": "A" } },
            "several": { "variants": { "off": "0", "a": "A", "b": "B" } },
        }),
    );
    let body = br#"{"appName": "shop", "bucket": {"start": "x", "toggles": {
        "plain": {"yes": 3, "no": 2},
        "named": {"yes": 3, "no": 2, "variants": {"disabled": 5}},
        "split": {"yes": 5, "no": 0, "variants": {"a": 2, "b": 2, "disabled": 1, "made-up": 0}},
        "exact": {"yes": 4, "no": 0, "variants": {"a": 2}},
        "texts": {"yes": 7, "no": 1, "variants": {}},
        "several": {"yes": 7},
        "made-up": {"yes": 9, "no": 9}
    }}}"#;
    let expected = [
        ("exact", "a-2", 2),
        ("named", "yes", 3),
        ("named", "no", 2),
        ("plain", "on", 3),
        ("plain", "off", 2),
        ("several", "a", 0),
        ("several", "b", 0),
        ("split", "a", 2),
        ("split", "b", 2),
        ("split", "on", 1),
        ("texts", "a", 7),
        ("texts", "off", 1),
    ];
    let found = metrics(body, (Some(&set), Asker::Anybody)).unwrap();
    let found: Vec<_> = found
        .iter()
        .map(|one| (&*one.flag, &*one.variant, one.count))
        .collect();
    assert_eq!(found, expected);
    assert!(metrics(b"{}", (Some(&set), Asker::Anybody)).is_err());
    assert_eq!(metrics(body, (None, Asker::Anybody)).unwrap(), []);
}

fn said(text: &str) -> Value {
    let data = text.lines().find_map(|line| line.strip_prefix("data: "));
    serde_json::from_str(data.unwrap_or(text)).unwrap()
}

#[test]
fn a_stream_begins_with_what_is_there() {
    let first = text(&event(None, None));
    let expected = json!({ "events": [
        { "type": "hydration", "eventId": 0, "version": 2, "features": [], "segments": [] }
    ] });
    assert_eq!(said(&first), expected);
    assert!(first.contains("event: unleash-connected\n") && first.ends_with("\n\n"));
}

#[test]
fn clients_are_told_what_has_changed() {
    let on = json!({ "otherwise": { "serve": "on" } });
    let one = set("0000001a", &json!({ "same": {}, "other": {}, "gone": {} }));
    let all = delta(Some(&one), None);
    let two = set("0000002b", &json!({ "same": {}, "other": on, "new": {} })).following(Some(&one));
    let feature = |name: &str| {
        let document: Value = serde_json::from_slice(&two.unleash().document).unwrap();
        let all = document["features"].as_array().unwrap();
        all.iter().find(|one| one["name"] == name).unwrap().clone()
    };
    let changes = json!({ "events": [
        { "type": "feature-updated", "eventId": 2, "feature": feature("new") },
        { "type": "feature-updated", "eventId": 2, "feature": feature("other") },
        { "type": "feature-removed", "eventId": 2, "featureName": "gone", "project": "default" },
    ] });
    assert_eq!(said(&delta(Some(&two), Some("0000001a"))), changes);
    let streamed = text(&event(Some(&two), Some("0000001a")));
    assert!(streamed.contains("event: unleash-updated\n"));
    assert_eq!(said(&streamed), changes);
    // What was two states ago is known as well, and what nobody was told is not.
    let three = set("0000003c", &json!({ "same": {}, "other": on, "new": {} })).following(Some(&two));
    let since = |tag: &str| said(&delta(Some(&three), Some(tag)))["events"].clone();
    assert_eq!(since("0000002b"), json!([]));
    assert_eq!(since("0000001a").as_array().unwrap().len(), 3);
    assert_eq!(since("elsewhere")[0]["type"], "hydration");
    assert_eq!(said(&all)["events"][0]["features"].as_array().unwrap().len(), 3);
    // The same flags again: nothing is forgotten.
    let again = set("0000003c", &json!({ "same": {}, "other": on, "new": {} })).following(Some(&three));
    assert_eq!(said(&delta(Some(&again), Some("0000002b")))["events"], json!([]));
}

#[test]
fn documents_are_narrowed_by_names() {
    let set = set(
        "1",
        &json!({ "shop.a": {}, "shop.b": {}, "site": {}, "shop": {} }),
    );
    let names = |prefix: &str| {
        let document: Value = serde_json::from_slice(&document_of(&set, prefix)).unwrap();
        let features = document["features"].as_array().unwrap().clone();
        features
            .iter()
            .map(|one| one["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(names("shop."), ["shop.a", "shop.b"]);
    assert_eq!(names("none"), [""; 0]);
    let all: Value = serde_json::from_slice(&document_of(&set, "")).unwrap();
    assert_eq!(
        all,
        serde_json::from_slice::<Value>(&set.unleash().document).unwrap()
    );
}

#[test]
fn words_that_were_read_are_wanted_of_the_next_set() {
    let one = set("1", &json!({ "a": {} }));
    let wanted = |set: &Set| set.wanted().collect::<Vec<_>>();
    assert!(wanted(&one).is_empty());
    one.write(Words::GrowthBook);
    assert!(one.is_written(Words::GrowthBook) && !one.is_written(Words::Unleash));
    one.unleash();
    one.flagd(Fractional::V1);
    let two = set("2", &json!({ "a": {}, "b": {} })).following(Some(&one));
    // To write is not to read: what nobody reads any more is not written for ever.
    assert_eq!(wanted(&two), [Words::Unleash, Words::Flagd(Fractional::V2)]);
    wanted(&two).into_iter().for_each(|words| two.write(words));
    assert!(two.is_written(Words::Flagd(Fractional::V1)) && !two.is_written(Words::Flagd(Fractional::V3)));
    assert_ne!(two.unleash().tag, one.unleash().tag);
    assert_eq!(
        wanted(&set("3", &json!({})).following(Some(&two))),
        [Words::Unleash]
    );
}

#[test]
fn what_was_told_late_is_known_of_the_sets_after() {
    let number = |number: u32| {
        let key = format!("flag-{number}");
        set(&format!("{number:08x}"), &json!({ key: {} }))
    };
    let first = number(0);
    let second = number(1).following(Some(&first));
    let third = number(2).following(Some(&second));
    let kind = |set: &Set, known: &str| said(&delta(Some(set), Some(known)))["events"][0]["type"].clone();
    assert_eq!(kind(&third, "00000000"), "hydration");
    first.unleash();
    assert_eq!(kind(&third, "00000000"), "feature-updated");
    // Those that nobody was told take no place from those that somebody was.
    let mut last = third;
    for next in 3..50 {
        last = number(next).following(Some(&last));
    }
    assert_eq!(kind(&last, "00000000"), "feature-updated");
    assert_eq!(kind(&last, "00000001"), "hydration");
}

fn text(event: &[u8]) -> String {
    String::from_utf8(event.to_vec()).unwrap()
}
