use domain::traffic::UpstreamSpec;
use serde_json::{Value, json};

use super::unheeded;

fn pointers(fields: &Value) -> Vec<String> {
    let mut spec = json!({ "name": "shop", "targets": [{ "url": "http://a:1" }] });
    let spec_fields = spec.as_object_mut().unwrap();
    for (name, value) in fields.as_object().unwrap() {
        spec_fields.insert(name.clone(), value.clone());
    }
    let spec: UpstreamSpec = serde_json::from_value(spec).unwrap();
    let faults = unheeded(&spec);
    assert!(faults.iter().all(|fault| fault.code == "combination_invalid"));
    faults.into_iter().map(|fault| fault.pointer).collect()
}

#[test]
fn what_has_no_effect_is_told() {
    let table = [
        (json!({ "tls": { "roots": "x" } }), vec!["/tls"]),
        (json!({ "tls": { "server_name": "a" } }), vec!["/tls"]),
        (
            json!({ "tls": { "client_certificate": { "chain_file": "/a", "key_file": "/b" } } }),
            vec!["/tls"],
        ),
        (
            json!({ "tls": { "danger": { "accept_any_certificate": true } } }),
            vec!["/tls"],
        ),
        (
            json!({ "targets": [{ "url": "http://_a._tcp.b", "resolve": "srv" }], "tls": { "roots": "x" } }),
            vec!["/tls"],
        ),
        (
            json!({ "health_check": { "kind": "tcp", "path": "/up" } }),
            vec!["/health_check/path"],
        ),
        (
            json!({ "health_check": { "kind": "grpc", "path": "/up" } }),
            vec!["/health_check/path"],
        ),
        (
            json!({ "concurrency": { "adaptive_min": 5, "adaptive_max": 50 } }),
            vec!["/concurrency/adaptive_min", "/concurrency/adaptive_max"],
        ),
        (
            json!({ "connections": { "waiting_max": 5 } }),
            vec!["/connections/waiting_max"],
        ),
        (
            json!({ "retries": { "attempts_max": 1, "on": ["reset"], "statuses": [503], "budget_percent": 5 } }),
            vec!["/retries/on", "/retries/statuses", "/retries/budget_percent"],
        ),
        (
            json!({ "retries": { "idempotency_key": true, "body_bytes_max": 1, "backoff_ms": 1, "backoff_max_ms": 2,
                                 "budget_per_second_min": 1 } }),
            vec![
                "/retries/idempotency_key",
                "/retries/body_bytes_max",
                "/retries/budget_per_second_min",
                "/retries/backoff_ms",
                "/retries/backoff_max_ms",
            ],
        ),
    ];
    for (fields, expected) in table {
        assert_eq!(pointers(&fields), expected, "{fields}");
    }
}

#[test]
fn defaults_and_what_has_an_effect_are_let_be() {
    let table = [
        json!({}),
        json!({ "tls": {}, "retries": {}, "concurrency": {}, "connections": {}, "health_check": {} }),
        json!({ "targets": [{ "url": "https://a" }], "tls": { "server_name": "b" } }),
        // TLS holds for those targets that speak it.
        json!({ "targets": [{ "url": "http://a" }, { "url": "https://b" }], "tls": { "roots": "x" } }),
        json!({ "targets": [{ "url": "https://_a._tcp.b", "resolve": "srv" }], "tls": { "roots": "x" } }),
        // The file says the schemes.
        json!({ "targets": [], "targets_file": "shop.yaml", "tls": { "roots": "x" } }),
        json!({ "health_check": { "kind": "tcp", "path": "/" } }),
        json!({ "health_check": { "path": "/up" } }),
        json!({ "concurrency": { "adaptive_min": 10, "adaptive_max": 1000 } }),
        json!({ "concurrency": { "adaptive": true, "adaptive_min": 5 } }),
        json!({ "connections": { "max": 1, "waiting_max": 5 } }),
        json!({ "connections": { "max": 0, "waiting_max": 1000 } }),
        json!({ "retries": { "attempts_max": 1 } }),
        json!({ "retries": { "attempts_max": 1, "on": [] } }),
        json!({ "retries": { "attempts_max": 1, "budget_percent": 5 }, "hedging": { "after_ms": 5 } }),
        json!({ "retries": { "on": ["timeout"], "idempotency_key": true, "backoff_ms": 1 } }),
        json!({ "retries": { "statuses": [503], "body_bytes_max": 1, "budget_percent": 1 } }),
        // A second request may be faster at the same target too.
        json!({ "hedging": { "after_ms": 5 } }),
    ];
    for fields in table {
        assert_eq!(pointers(&fields), Vec::<String>::new(), "{fields}");
    }
}
