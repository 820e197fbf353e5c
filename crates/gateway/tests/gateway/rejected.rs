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
        (
            "/routes/0/base_path",
            json!("shop"),
            "/base_path: It does not begin",
        ),
        (
            "/routes/0/base_path",
            json!("/metrics"),
            "/base_path: `/metrics` is",
        ),
        ("/routes/0/base_path", json!("/a//b"), "/base_path: Two slashes"),
        ("/routes/0/host", json!("a.*.test"), "/host: `*` stands"),
        (
            "/routes/0/body_bytes_max",
            json!(10_737_418_241_u64),
            "/body_bytes_max: 10737418241",
        ),
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
        (
            "/upstreams/0/spec/targets",
            json!([]),
            "/targets: It has 0 entries",
        ),
        (
            "/upstreams/0/spec/targets/0/url",
            json!("ftp://a"),
            "/targets/0/url: `ftp`",
        ),
        (
            "/upstreams/0/spec/targets/0/url",
            json!("http://a:0"),
            "/targets/0/url: Port 0",
        ),
        (
            "/upstreams/0/spec/targets/0/weight",
            json!(0),
            "/targets/0/weight: 0 is not",
        ),
        (
            "/upstreams/0/spec/targets/0/priority",
            json!(10),
            "/targets/0/priority: 10",
        ),
        (
            "/upstreams/0/spec/targets/0/resolve",
            json!("dns"),
            "/targets/0/resolve: Its host is an address",
        ),
        (
            "/upstreams/0/spec/balancing",
            json!({ "algorithm": "consistent_hash" }),
            "/balancing/hash_on: ",
        ),
        (
            "/upstreams/0/spec/balancing",
            json!({ "algorithm": "consistent_hash", "hash_on": "header", "hash_name": "a b" }),
            "/balancing/hash_name: ",
        ),
        (
            "/upstreams/0/spec/health_check",
            json!({ "interval_ms": 0, "path": "up" }),
            "/health_check/path: It is no path.; /health_check/interval_ms: 0 is not between 100 and 3600000.",
        ),
        (
            "/upstreams/0/spec/outlier_detection",
            json!({ "window_ms": 1 }),
            "/outlier_detection/window_ms: 1",
        ),
        (
            "/upstreams/0/spec/circuit_breaker",
            json!({ "probes": 0 }),
            "/circuit_breaker/probes: 0",
        ),
        (
            "/upstreams/0/spec/timeouts",
            json!({ "connect_ms": 0 }),
            "/timeouts/connect_ms: 0",
        ),
        (
            "/upstreams/0/spec/retries",
            json!({ "attempts_max": 0 }),
            "/retries/attempts_max: 0",
        ),
        (
            "/upstreams/0/spec/hedging",
            json!({ "after_ms": 0 }),
            "/hedging/after_ms: 0",
        ),
        (
            "/upstreams/0/spec/concurrency",
            json!({ "waiting_max": 1 }),
            "/concurrency/waiting_max: ",
        ),
        (
            "/upstreams/0/spec/connections",
            json!({ "streams_max": 0 }),
            "/connections/streams_max: 0",
        ),
        ("/upstreams/0/spec/targets_file", json!("../x"), "/targets_file: "),
        (
            "/streams",
            json!([{ "id": format!("str_{nobody}"), "port": 5432, "upstream": format!("ups_{nobody}"), "idle_ms": 0 }]),
            "/idle_ms: 0 is not between 1000",
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
            "/fallback/status: 42",
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
