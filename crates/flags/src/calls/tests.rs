use std::collections::BTreeMap;
use std::sync::Arc;

use domain::Timestamp;
use domain::flag::FlagType;
use domain::id::{ApplicationId, EventTypeId, KeyId, OrganizationId, SubscriptionId};
use domain::snapshot::{Flag, FlagSet};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Ask as _, Asking, Caller, Facts, Head};
use crate::{Audience, Counts, Sets};

fn ours() -> OrganizationId {
    OrganizationId::new(Uuid::from_u128(7))
}

/// A flag of which those get `on` for whom a condition holds.
fn rule(condition: &Value) -> Value {
    json!({ "version": 2, "variants": { "on": true, "off": false }, "off": "off", "otherwise": { "serve": "off" },
        "rules": [{ "when": condition, "serve": "on" }] })
}

fn sets(flags: &[(&str, Value)], segments: &[(&str, Value)], counts: &Arc<Counts>) -> Sets {
    let flags = flags.iter().map(|(key, definition)| Flag {
        key: key.parse().unwrap(),
        r#type: match definition["variants"]["on"] {
            Value::Bool(_) => FlagType::Boolean,
            _ => FlagType::String,
        },
        client_side: false,
        definition: serde_json::from_value(definition.clone()).unwrap(),
    });
    let segments = segments.iter().map(|(key, when)| {
        let segment = serde_json::from_value(json!({ "when": when })).unwrap();
        ((*key).to_owned(), segment)
    });
    let set = FlagSet {
        organization: ours(),
        tag: "a".to_owned(),
        flags: flags.collect(),
        segments: segments.collect::<BTreeMap<_, _>>(),
        exposures: Some(EventTypeId::new(Uuid::from_u128(1))),
    };
    Sets::compile(&"production".parse().unwrap(), [&set], (None, counts)).unwrap()
}

fn audience(source: &Value) -> Audience {
    Audience::compile(&serde_json::from_value(source.clone()).unwrap()).unwrap()
}

fn facts() -> Facts<'static> {
    Facts {
        method: "GET",
        host: "shop.example",
        path: "/pets/1",
        query: "a=1&land=N%4C&land=BE",
        address: Some("::ffff:192.0.2.7".parse().unwrap()),
        now: Timestamp::from_micros(1_790_000_000_000_000),
    }
}

fn headers(fields: &[(&'static str, &'static [u8])]) -> HeaderMap {
    let fields = fields.iter().map(|(name, value)| {
        (
            HeaderName::from_static(name),
            HeaderValue::from_bytes(value).unwrap(),
        )
    });
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers.append(name, value);
    }
    headers
}

fn caller() -> Caller<'static> {
    let id = Uuid::from_u128;
    Caller {
        application: ApplicationId::new(id(1)),
        organization: OrganizationId::new(id(2)),
        subscription: SubscriptionId::new(id(3)),
        plan: "gold",
        key: KeyId::new(id(4)),
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn attributes_are_found_where_they_stand() {
    let is = |attribute: &str, value: &str| json!({ "attribute": attribute, "op": "in", "values": [value] });
    let from = |from: &str, field: &str| json!([{ "name": "x", "from": from, "field": field }]);
    let known = caller();
    let (application, organization) = (known.application.to_string(), known.organization.to_string());
    let (subscription, key) = (known.subscription.to_string(), known.key.to_string());
    // A condition, where attributes come from, whether it holds of anybody, and of a caller.
    let cases = [
        (is("x", "1"), from("header", "X-A"), true, true),
        (is("x", "2"), from("header", "X-A"), false, false),
        (is("x", "NL"), from("query", "land"), true, true),
        (is("x", "BE"), from("query", "land"), false, false),
        (is("x", "c 1"), from("cookie", "c"), true, true),
        // Neither UTF-8 nor there.
        (
            json!({ "attribute": "x", "op": "is_present" }),
            from("header", "x-bytes"),
            false,
            false,
        ),
        (
            json!({ "attribute": "x", "op": "is_absent" }),
            from("query", "b"),
            true,
            true,
        ),
        (is("method", "GET"), json!([]), true, true),
        (is("host", "shop.example"), json!([]), true, true),
        (
            json!({ "attribute": "path", "op": "starts_with", "values": ["/pets/"] }),
            json!([]),
            true,
            true,
        ),
        (
            json!({ "attribute": "remote_address", "op": "in_network", "values": ["192.0.2.0/24"] }),
            json!([]),
            true,
            true,
        ),
        (is("plan", "gold"), json!([]), false, true),
        (is("application_id", &application), json!([]), false, true),
        (is("organization_id", &organization), json!([]), false, true),
        (is("subscription_id", &subscription), json!([]), false, true),
        (is("key_id", &key), json!([]), false, true),
    ];
    let headers = headers(&[
        ("x-a", b"1"),
        ("x-a", b"2"),
        ("x-bytes", b"\xff"),
        ("cookie", b"b=c; cc=2"),
        ("cookie", b"c=c 1"),
    ]);
    for (condition, attributes, of_anybody, of_caller) in cases {
        let sets = sets(
            &[("a", rule(&condition))],
            &[("s", condition.clone())],
            &Arc::default(),
        );
        for (named, pointer) in [("flags", "/flags/0"), ("segments", "/segments/0")] {
            let key = if named == "flags" { "a" } else { "s" };
            let audience = audience(&json!({ named: [{ "key": key }], "attributes": attributes }));
            for (caller, expected) in [(None, of_anybody), (Some(known), of_caller)] {
                let asking = Asking::new(&sets, facts());
                let head = Head {
                    headers: &headers,
                    caller,
                };
                let found = asking
                    .fits(ours(), &audience, head)
                    .map_err(|outside| outside.to_string());
                let expected = if expected { Ok(()) } else { Err(pointer.to_owned()) };
                assert_eq!(found, expected, "{condition} {attributes} {caller:?}");
            }
        }
    }
}

#[test]
fn what_is_named_has_to_be_there() {
    let everybody = json!({ "variants": { "a": "A", "b": "B" }, "off": "a", "otherwise": { "serve": "b" } });
    let sets = sets(
        &[("b", everybody)],
        &[("s", json!({ "any": [] }))],
        &Arc::default(),
    );
    let headers = HeaderMap::new();
    let head = Head {
        headers: &headers,
        caller: None,
    };
    let cases = [
        (json!({ "flags": [{ "key": "b", "variants": ["a", "b"] }] }), ""),
        (
            json!({ "flags": [{ "key": "b", "variants": ["a"] }] }),
            "/flags/0",
        ),
        (
            json!({ "flags": [{ "key": "b" }, { "key": "gone" }] }),
            "/flags/1",
        ),
        (json!({ "flags": [{ "key": "segment s" }] }), "refused"),
        (json!({ "segments": [{ "key": "s" }] }), "/segments/0"),
        (json!({ "segments": [{ "key": "s", "not": true }] }), ""),
        // Nobody is in one that is not there, and nobody is known not to be.
        (json!({ "segments": [{ "key": "gone" }] }), "/segments/0"),
        (
            json!({ "segments": [{ "key": "gone", "not": true }] }),
            "/segments/0",
        ),
    ];
    for (source, expected) in cases {
        let Ok(read) = serde_json::from_value(source.clone()) else {
            assert_eq!(expected, "refused", "{source}");
            continue;
        };
        let audience = Audience::compile(&read).unwrap();
        let asking = Asking::new(&sets, facts());
        let found = asking.fits(ours(), &audience, head).err();
        assert_eq!(
            found.map_or_else(String::new, |it| it.to_string()),
            expected,
            "{source}"
        );
        let others = OrganizationId::new(Uuid::from_u128(8));
        assert!(asking.fits(others, &audience, head).is_err(), "{source}");
    }
}

/// What is told: flag, variant, unit.
fn told(asking: &Asking<'_>) -> Vec<String> {
    let mut told = Vec::new();
    asking.tell(|one| {
        assert_eq!((one.organization, one.by, one.version), (ours(), "user_id", 3));
        told.push(format!("{} {} {}", one.flag, one.variant, one.unit));
    });
    told
}

#[test]
fn a_call_is_told_and_counted_once() {
    let split = json!({ "version": 3, "variants": { "on": true, "off": false }, "off": "off",
        "otherwise": { "split": { "on": 100, "off": 0 }, "by": "user_id" } });
    let everybody = json!({ "variants": { "on": true }, "off": "on", "otherwise": { "serve": "on" } });
    let counts = Arc::new(Counts::default());
    let sets = sets(&[("all", everybody), ("half", split)], &[], &counts);
    let header = |field: &str| json!([{ "name": "user_id", "from": "header", "field": field }]);
    let half =
        |attributes: Value| audience(&json!({ "flags": [{ "key": "half" }], "attributes": attributes }));
    let headers = headers(&[("x-a", b"1"), ("x-b", b"1"), ("x-c", b"2")]);
    let head = Head {
        headers: &headers,
        caller: None,
    };
    let asking = Asking::new(&sets, facts());
    assert_eq!(told(&asking), [""; 0]);
    for _ in 0..3 {
        assert_eq!(asking.fits(ours(), &half(header("x-a")), head), Ok(()));
    }
    assert_eq!(told(&asking), ["half on 1"]);
    // Somebody else found out the same, then it was about another unit, then about nobody.
    assert_eq!(asking.fits(ours(), &half(header("x-b")), head), Ok(()));
    assert_eq!(told(&asking), [""; 0]);
    assert_eq!(asking.fits(ours(), &half(header("x-c")), head), Ok(()));
    assert_eq!(told(&asking), ["half on 2"]);
    assert!(asking.fits(ours(), &half(header("x-d")), head).is_err());
    let keys: Vec<Box<str>> = ["half", "gone", "all"].map(Into::into).into();
    let sources = half(header("x-a")).sources;
    let variants = asking.variants(ours(), (&keys, &sources), head);
    assert_eq!(variants, [Some("on"), None, Some("on")]);
    assert_eq!(told(&asking), [""; 0]);
    sets.settle();
    let mut given: Vec<_> = counts
        .take()
        .into_iter()
        .map(|(given, count)| (given.key, given.variant, count))
        .collect();
    given.sort();
    let expected = [("all", "on", 1), ("half", "off", 1), ("half", "on", 2)];
    assert_eq!(
        given,
        expected.map(|(key, variant, count)| (key.into(), variant.into(), count))
    );
}
