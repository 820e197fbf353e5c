use serde_json::{Value, json};

use super::{Context, Count, hydration, metrics};

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

#[test]
fn reports_tell_of_each_variant_how_often() {
    let body = br#"{"appName": "shop", "bucket": {"start": "x", "toggles": {
        "plain": {"yes": 3, "no": 2},
        "split": {"yes": 5, "no": 0, "variants": {"a": 2, "b": 2, "disabled": 1}}
    }}}"#;
    let count = |flag: &str, variant: &str, count| Count {
        flag: flag.to_owned(),
        variant: variant.to_owned(),
        count,
    };
    let expected = [
        count("plain", "on", 3),
        count("plain", "off", 2),
        count("split", "a", 2),
        count("split", "b", 2),
        count("split", "on", 1),
    ];
    assert_eq!(metrics(body).unwrap(), expected);
    assert!(metrics(b"{}").is_err());
}

#[test]
fn a_stream_begins_with_what_is_there() {
    let event = hydration(None, true);
    let data = event
        .lines()
        .find_map(|line| line.strip_prefix("data: "))
        .unwrap();
    let said: Value = serde_json::from_str(data).unwrap();
    let expected = json!({ "events": [
        { "type": "hydration", "eventId": 0, "version": 2, "features": [], "segments": [] }
    ] });
    assert_eq!(said, expected);
    assert!(event.contains("event: unleash-connected\n") && event.ends_with("\n\n"));
}
