//! Routes and policies that are for an audience, and services that are told of flags.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::Snapshot;
use domain::id::{EventTypeId, OrganizationId, RouteId, UpstreamId};
use domain::snapshot::{Flag, FlagSet, Policy, Upstream as UpstreamEntry};
use events::ingest::IngestSettings;
use events::intake::IntakeSettings;
use events::log::LogSettings;
use events::pump::{Pump, PumpSettings};
use events::{Ingest, Intake, Log};
use serde_json::{Value, json};

use crate::bench::{Bench, PATIENCE, Upstream, eventually, id, policy, reply};

/// Half of all users get `half`, those of an application `ours`; `beta` are users from the Netherlands.
fn flags() -> FlagSet {
    let flag = |key: &str, definition: &Value| Flag {
        key: key.parse().unwrap(),
        r#type: serde_json::from_value(json!("boolean")).unwrap(),
        client_side: false,
        definition: serde_json::from_value(definition.clone()).unwrap(),
    };
    let variants = json!({ "on": true, "off": false });
    let half = json!({ "version": 3, "variants": variants, "off": "off",
        "otherwise": { "split": { "on": 50, "off": 50 }, "by": "user_id" } });
    let ours = json!({ "version": 1, "variants": variants, "off": "off", "otherwise": { "serve": "off" },
        "rules": [{ "when": { "attribute": "plan", "op": "in", "values": ["free"] }, "serve": "on" }] });
    let beta = json!({ "when": { "attribute": "country", "op": "in", "values": ["NL"] } });
    FlagSet {
        organization: OrganizationId::new(id(7)),
        tag: "one".to_owned(),
        flags: vec![flag("half", &half), flag("ours", &ours)],
        segments: BTreeMap::from([("beta".to_owned(), serde_json::from_value(beta).unwrap())]),
        exposures: Some(EventTypeId::new(id(70))),
    }
}

fn named(name: &'static str) -> Upstream {
    Upstream::start(move |_, stream| reply(stream, "200 OK", "", name))
}

/// A second route at the same place, to another service, with conditions.
fn second_route(snapshot: &mut Snapshot, url: &str, conditions: &Value) {
    let mut route = snapshot.routes[0].clone();
    let mut upstream: UpstreamEntry = snapshot.upstreams[0].clone();
    upstream.id = UpstreamId::new(id(55));
    upstream.spec.targets = vec![domain::traffic::Target::new(url.to_owned())];
    route.id = RouteId::new(id(66));
    route.upstream = Some(upstream.id);
    route.matches = serde_json::from_value(conditions.clone()).unwrap();
    snapshot.upstreams.push(upstream);
    snapshot.routes.push(route);
}

fn user() -> Value {
    json!([{ "name": "user_id", "from": "header", "field": "X-User" }])
}

/// A policy for an audience.
fn only_for(kind: &str, config: Value, audience: &Value) -> Policy {
    Policy {
        audience: serde_json::from_value(audience.clone()).unwrap(),
        ..policy(kind, config)
    }
}

/// The users from 0 to 19 whom a flag of the set gives `on`, by the engine itself.
fn half() -> Vec<bool> {
    let set = flags::Set::compile(&"sandbox".parse().unwrap(), &flags(), &Arc::default()).unwrap();
    let on = |user: u32| {
        let query = format!("user_id={user}");
        let attributes = flags::Attributes::from_query(&query).unwrap();
        let now = domain::Timestamp::from_micros(0);
        let found = set.evaluate(flags::Asker::Anybody, "half", &attributes, now);
        found.unwrap().enabled
    };
    (0..20).map(on).collect()
}

#[test]
fn a_flag_decides_which_service_gets_a_call() {
    let (old, new) = (named("old"), named("new"));
    let condition =
        json!({ "audience": { "flags": [{ "key": "half", "variants": ["on"] }], "attributes": user() } });
    let bench = Bench::with(&old.urls(), |_, snapshot| {
        snapshot.flags = vec![flags()];
        second_route(snapshot, &new.url(), &condition);
    });
    let asked = |user: u32| {
        let answer = bench.call("GET", "/shop/pets", &format!("X-User: {user}\r\n"), "");
        answer.text() == "new"
    };
    let found: Vec<bool> = (0..20).map(asked).collect();
    assert_eq!(found, half());
    assert!(found.contains(&true) && found.contains(&false));
    // Whoever is not known is not of the audience, and nobody is once the flag is gone.
    assert_eq!(bench.get("/shop/pets").text(), "old");
    bench.change(|snapshot| snapshot.flags.clear());
    assert!((0..20).all(|user| !asked(user)));
}

#[test]
fn a_segment_decides_as_well_wherever_it_is_known_from() {
    let (old, new) = (named("old"), named("new"));
    let source = |from: &str| {
        json!({ "audience": { "segments": [{ "key": "beta" }],
            "attributes": [{ "name": "country", "from": from, "field": "Land" }] } })
    };
    let bench = Bench::with(&old.urls(), |_, snapshot| {
        snapshot.flags = vec![flags()];
        second_route(snapshot, &new.url(), &source("header"));
    });
    for (from, path, head) in [
        ("header", "/shop/pets", "land: NL\r\n"),
        ("query", "/shop/pets?a=1&Land=%4EL", ""),
        ("cookie", "/shop/pets", "Cookie: a=1; Land=NL\r\n"),
    ] {
        bench.change(|snapshot| {
            snapshot.routes[1].matches = serde_json::from_value(source(from)).unwrap();
        });
        assert_eq!(bench.call("GET", path, head, "").text(), "new", "{from}");
        let other = head.replace("NL", "BE");
        let answer = bench.call("GET", &path.replace("%4EL", "BE"), &other, "");
        assert_eq!(answer.text(), "old", "{from}");
    }
    bench.change(|snapshot| {
        let all = json!({ "audience": { "segments": [{ "key": "beta", "not": true }] } });
        snapshot.routes[1].matches = serde_json::from_value(all).unwrap();
    });
    assert_eq!(bench.get("/shop/pets").text(), "new");
}

#[test]
fn services_are_told_of_variants_and_clients_cannot_say_them() {
    let upstream = Upstream::simple();
    let config = json!({
        "flags": [{ "key": "half" }, { "key": "ours", "header": "X-Ours" }, { "key": "gone.one" }],
        "attributes": user(),
    });
    let bench = Bench::with(&upstream.urls(), |_, snapshot| {
        snapshot.flags = vec![flags()];
        snapshot.routes[0]
            .policies
            .push(policy("feature_flags", config.clone()));
    });
    let claims = "X-Feature-Half: maybe\r\nX-Ours: no\r\nX-Feature-Gone-One: on\r\n\
        Baggage: a=1;p=2, feature_flag.ours=no\r\nBaggage: feature_flag.gone.one=on,b=%20\r\n";
    for (user, is_on) in half().into_iter().enumerate() {
        let head = format!("X-User: {user}\r\n{claims}");
        assert_eq!(bench.call("GET", "/shop/pets", &head, "").status, 200);
        let fields = upstream.last().fields;
        let variant = if is_on { "on" } else { "off" };
        assert_eq!(fields.get("x-feature-half"), Some(variant));
        // The plan is known because the caller is.
        assert_eq!(fields.get("x-ours"), Some("on"));
        assert_eq!(fields.get("x-feature-gone-one"), None);
        let baggage = format!("a=1;p=2,b=%20,feature_flag.half={variant},feature_flag.ours=on");
        assert_eq!(fields.get("baggage"), Some(&*baggage));
    }
    // Without flags, what clients claim is still nobody's word.
    bench.change(|snapshot| snapshot.flags.clear());
    assert_eq!(bench.call("GET", "/shop/pets", claims, "").status, 200);
    let fields = upstream.last().fields;
    for name in ["x-feature-half", "x-ours", "x-feature-gone-one"] {
        assert_eq!(fields.get(name), None, "{name}");
    }
    assert_eq!(fields.get("baggage"), Some("a=1;p=2,b=%20"));
}

#[test]
fn policies_hold_for_their_audience_only() {
    let upstream = Upstream::simple();
    let on = json!({ "flags": [{ "key": "half" }], "attributes": user() });
    let off = json!({ "flags": [{ "key": "half", "variants": ["off"] }], "attributes": user() });
    let plan = json!({ "flags": [{ "key": "ours" }] });
    let bench = Bench::with(&upstream.urls(), |_, snapshot| {
        snapshot.flags = vec![flags()];
        let sets = |name: &str, value: &str| {
            let change = json!({ "set": { name: value } });
            json!({ "request": change, "response": change })
        };
        snapshot.routes[0].policies.extend([
            only_for("headers", sets("X-Page", "new"), &on),
            only_for("headers", sets("X-Page", "old"), &off),
            only_for("headers", sets("X-Plan", "known"), &plan),
            only_for("call_cost", json!({ "units": 4 }), &on),
            policy("call_cost", json!({ "units": 2 })),
            policy(
                "rate_limit",
                json!({ "requests": 1000, "window_seconds": 3600, "burst": 1000 }),
            ),
        ]);
    });
    let mut left = 1000;
    for (user, is_on) in half().into_iter().enumerate() {
        let answer = bench.call("GET", "/shop/pets", &format!("X-User: {user}\r\n"), "");
        let page = if is_on { "new" } else { "old" };
        let fields = upstream.last().fields;
        assert_eq!(
            (fields.get("x-page"), answer.field("x-page")),
            (Some(page), Some(page))
        );
        assert_eq!(
            (fields.get("x-plan"), answer.field("x-plan")),
            (Some("known"), Some("known"))
        );
        left -= if is_on { 4 } else { 2 };
        let told = answer.field("ratelimit").unwrap();
        assert!(told.contains(&format!("r={left};")), "{user} {left} {told}");
    }
    // Those of whom nothing is known get the variant `off`; once the flag is gone, nobody gets any.
    let page = || bench.get("/shop/pets").field("x-page").map(str::to_owned);
    assert_eq!(page().as_deref(), Some("old"));
    bench.change(|snapshot| snapshot.flags.clear());
    assert_eq!(page(), None);
}

#[test]
fn what_decided_is_counted_and_recorded_once_for_each_call() {
    let directory = tempfile::tempdir().unwrap();
    let log = Log::open(&directory.path().join("log.redb"), LogSettings::default()).unwrap();
    let log = Arc::new(log);
    let intake = Intake::open(log.clone(), IntakeSettings::default()).unwrap();
    let pump = Pump::start_with(log.clone(), PumpSettings::default(), Some(intake.clone())).unwrap();
    let upstream = Upstream::simple();
    let on = json!({ "flags": [{ "key": "half" }], "attributes": user() });
    let ingest = Ingest::new(intake, IngestSettings::default());
    let mut bench = Bench::recording(&upstream.urls(), ingest, |_, snapshot| {
        snapshot.flags = vec![flags()];
        // Two routes, a policy and what the service is told ask for the same.
        second_route(snapshot, &upstream.url(), &json!({ "audience": on }));
        let tells = json!({ "flags": [{ "key": "half" }], "attributes": user() });
        for route in &mut snapshot.routes {
            route.policies.push(policy("feature_flags", tells.clone()));
            route.policies.push(only_for("headers", json!({}), &on));
        }
        let never = json!({ "audience": on, "headers": [{ "name": "x-never", "kind": "present" }] });
        let mut third = snapshot.routes[1].clone();
        third.id = RouteId::new(id(67));
        third.matches = serde_json::from_value(never).unwrap();
        snapshot.routes.push(third);
    });
    for user in 0..20 {
        let answer = bench.call("GET", "/shop/pets", &format!("X-User: {user}\r\n"), "");
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    // Nobody in particular gets the variant `off`, which no split has decided.
    assert_eq!(bench.get("/shop/pets").status, 200);
    // Cores hand over what they have gathered when they end.
    assert!(bench.gateway.take().unwrap().drain(PATIENCE));
    pump.stop().unwrap();
    let batches = log.read_after(0, 1000).unwrap();
    let events = batches.iter().flat_map(|batch| batch.tracked().unwrap());
    let mut found: Vec<(u32, bool)> = events
        .map(|event| {
            let properties: Value = serde_json::from_str(event.properties.unwrap()).unwrap();
            assert_eq!(
                (
                    &properties["flag"],
                    &properties["flag_version"],
                    &properties["by"]
                ),
                (&json!("half"), &json!(3), &json!("user_id"))
            );
            assert_eq!((event.environment, event.type_name), ("sandbox", "flag_exposure"));
            (
                event.user.unwrap().parse().unwrap(),
                properties["variant"] == "on",
            )
        })
        .collect();
    found.sort_unstable();
    let expected: Vec<_> = (0..20).zip(half()).collect();
    assert_eq!(found, expected);
}

#[test]
fn policies_that_cannot_be_for_some_leave_the_old_snapshot() {
    let upstream = Upstream::simple();
    let bench = Bench::new(&upstream.urls());
    let before = bench.revision();
    let audience = json!({ "segments": [{ "key": "beta" }] });
    for (wrong, reason) in [
        (
            only_for("key_auth", json!({}), &audience),
            "which this kind cannot be",
        ),
        (
            only_for("headers", json!({}), &json!({})),
            "neither a flag nor a segment",
        ),
    ] {
        bench.send(|snapshot| snapshot.routes[0].policies = vec![wrong]);
        eventually(|| {
            let rejected = bench.gateway.as_ref().unwrap().status().rejected;
            rejected.is_some_and(|rejected| rejected.reason.contains(reason))
        });
        assert_eq!(bench.revision(), before);
    }
}
