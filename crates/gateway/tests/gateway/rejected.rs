//! Snapshots that cannot be served: the node keeps the one it has, and says why.

use serde_json::{Value, json};

use crate::bench::{Bench, Upstream, eventually};

/// A place in the snapshot, what stands there, and what the reason has to say.
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn table() -> Vec<(&'static str, Value, &'static str)> {
    let nobody = "00000000000000000000000009";
    vec![
        ("/format", json!(99), "format 99"),
        ("/environment", json!("production"), "`production`"),
        (
            "/routes/0/upstream",
            json!(format!("ups_{nobody}")),
            "which is not in the snapshot",
        ),
        ("/routes/0/upstream", Value::Null, "/upstream_id"),
        ("/routes/0/redirect", json!({ "path": "/x" }), "/redirect"),
        ("/routes/0/answer", json!({ "status": 42 }), "/answer"),
        (
            "/routes/0/rewrite",
            json!({ "path": "/v2/{nothing}" }),
            "`nothing`",
        ),
        (
            "/routes/0/rewrite",
            json!({ "regex": { "pattern": "(", "replacement": "" } }),
            "/rewrite/regex/pattern",
        ),
        ("/routes/0/base_path", json!("shop"), "base path `shop`"),
        ("/routes/0/base_path", json!("/metrics"), "base path `/metrics`"),
        ("/routes/0/host", json!("a.*.test"), "host `a.*.test`"),
        ("/routes/0/match", json!({ "when": "method" }), "/match/when"),
        (
            "/routes/0/match",
            json!({ "when": "headers.map(a, a) == []" }),
            "makes a list",
        ),
        (
            "/routes/0/match",
            json!({ "methods": ["get"] }),
            "/match/methods/0",
        ),
        (
            "/routes/0/match",
            json!({ "headers": [{ "name": "a" }] }),
            "/match/headers/0/value",
        ),
        ("/routes/0/operations/0/method", json!("G T"), "`G T`"),
        ("/routes/0/policies/0/kind", json!("nothing"), "does not know"),
        (
            "/routes/0/policies/0/config",
            json!({ "nothing": 1 }),
            "not valid",
        ),
        (
            "/routes/0/policies/0",
            json!({ "kind": "call_cost", "config": { "expression": "path" } }),
            "/expression",
        ),
        (
            "/routes/0/policies/0",
            json!({ "kind": "call_cost", "config": { "units": 1, "tier": "cheap" } }),
            "exactly one",
        ),
        ("/upstreams/0/spec/targets", json!([]), "no target"),
        ("/upstreams/0/spec/targets/0/url", json!("ftp://a"), "`ftp://a`"),
        (
            "/upstreams/0/spec/targets/0/resolve",
            json!("dns"),
            "an address is not looked up",
        ),
        (
            "/upstreams/0/spec/balancing",
            json!({ "algorithm": "consistent_hash" }),
            "hash_on",
        ),
        ("/upstreams/0/spec/tls", json!({ "roots": "no PEM" }), "roots"),
        (
            "/upstreams/0/spec/tls",
            json!({ "server_name": "a b" }),
            "server_name",
        ),
        (
            "/upstreams/0/spec/tls",
            json!({ "client_certificate": { "chain_file": "/nowhere", "key_file": "/nowhere" } }),
            "/nowhere",
        ),
        (
            "/upstreams/0/spec/fallback",
            json!({ "status": 42 }),
            "fallback/status",
        ),
        (
            "/subscriptions/0/plan",
            json!(format!("pln_{nobody}")),
            "which is not in the snapshot",
        ),
        (
            "/subscriptions/0/product",
            json!(format!("prd_{nobody}")),
            "which is not in the snapshot",
        ),
        (
            "/subscriptions/0/application",
            json!(format!("app_{nobody}")),
            "which is not in the snapshot",
        ),
        (
            "/keys/0/application",
            json!(format!("app_{nobody}")),
            "which is not in the snapshot",
        ),
        (
            "/certificates",
            json!([{ "id": format!("crt_{nobody}"), "revision": 1, "hosts": ["a.test"], "chain": "no PEM",
                     "sealed_key": "nothing" }]),
            "certificate",
        ),
    ]
}

/// Puts a value at a place, whatever is there.
fn put(snapshot: &mut Value, place: &str, value: &Value) {
    let (parent, name) = place.rsplit_once('/').unwrap();
    let parent = snapshot.pointer_mut(parent).unwrap();
    match parent {
        Value::Array(all) => all[name.parse::<usize>().unwrap()] = value.clone(),
        Value::Object(all) if value.is_null() => drop(all.shift_remove(name)),
        other => other[name] = value.clone(),
    }
}

#[test]
fn a_node_keeps_what_it_has_and_says_why() {
    let upstream = Upstream::simple();
    let bench = Bench::new(&upstream.urls());
    let good = (**bench.snapshots.borrow()).clone();
    for (place, value, expected) in table() {
        let mut bad = serde_json::to_value(&good).unwrap();
        put(&mut bad, place, &value);
        let bad: domain::Snapshot =
            serde_json::from_value(bad).unwrap_or_else(|error| panic!("{place}: {error}"));
        bench.send(|snapshot| {
            let revision = snapshot.revision;
            *snapshot = domain::Snapshot { revision, ..bad };
        });
        let wanted = bench.snapshots.borrow().revision;
        let rejected = || bench.gateway.as_ref().unwrap().status().rejected;
        eventually(|| {
            assert_ne!(bench.revision(), wanted, "{place} {value} is served");
            rejected().is_some_and(|rejected| rejected.revision == wanted)
        });
        let reason = rejected().unwrap().reason;
        assert!(reason.contains(expected), "{place} {value}: {reason}");
        let ready = bench.get("/health/ready");
        assert_eq!(ready.status, 503);
        assert!(ready.text().contains("was rejected"), "{}", ready.text());
        assert_eq!(bench.figure("snapshot_rejected"), 1);
        assert_eq!(
            bench.get("/shop/pets").status,
            200,
            "{place}: the one before is served"
        );
    }
    bench.change(|snapshot| {
        let revision = snapshot.revision;
        *snapshot = domain::Snapshot { revision, ..good };
    });
    assert_eq!(bench.get("/health/ready").status, 200);
}
