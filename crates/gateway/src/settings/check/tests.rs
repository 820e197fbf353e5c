use serde_json::{Value, json};

use super::super::Settings;

/// Which setting is wrong.
fn wrong(settings: &Value) -> Option<String> {
    let settings: Settings = serde_json::from_value(settings.clone()).unwrap();
    settings.check().err().map(|unfit| unfit.name)
}

#[test]
fn what_cannot_hold_or_has_no_effect_is_named() {
    let certificate = json!({ "chain": "/a.pem", "key": "/a.key" });
    let clients = json!({ "authorities": "/a.pem" });
    let proxies = json!({ "from": ["10.0.0.0/8"] });
    let passed_on = json!([{ "address": "127.0.0.1:1", "tls": true, "protocols": "tcp" }]);
    let table = [
        (json!({ "limits": { "fields_max": 0 } }), "limits.fields_max"),
        (json!({ "limits": { "fields_max": 1001 } }), "limits.fields_max"),
        (
            json!({ "limits": { "head_bytes_max": 1023 } }),
            "limits.head_bytes_max",
        ),
        (
            json!({ "limits": { "head_bytes_max": 262_145 } }),
            "limits.head_bytes_max",
        ),
        (
            json!({ "limits": { "connections_max": 0 } }),
            "limits.connections_max",
        ),
        (json!({ "limits": { "streams_max": 0 } }), "limits.streams_max"),
        (json!({ "limits": { "ipv6_prefix": 0 } }), "limits.ipv6_prefix"),
        (json!({ "route_series": 10_001 }), "route_series"),
        (json!({ "recent_calls": 100_001 }), "recent_calls"),
        (json!({ "drain_seconds": 86_401 }), "drain_seconds"),
        (json!({ "certificate": certificate }), "certificate"),
        (
            json!({ "certificate": certificate, "listeners": passed_on }),
            "certificate",
        ),
        (json!({ "client_certificates": clients }), "client_certificates"),
        (json!({ "http3": { "enabled": true } }), "http3.enabled"),
        (
            json!({ "http3": { "enabled": true }, "listeners": passed_on }),
            "http3.enabled",
        ),
        (
            json!({ "http3": { "enabled": true }, "listen_tls": "127.0.0.1:1", "proxy_protocol": proxies }),
            "http3.enabled",
        ),
        (json!({ "trusted_header": "forwarded" }), "trusted_header"),
        (
            json!({ "targets_directory": "/nowhere/at/all" }),
            "targets_directory",
        ),
    ];
    for (settings, expected) in table {
        assert_eq!(wrong(&settings).as_deref(), Some(expected), "{settings}");
    }
}

#[test]
fn what_fits_together_is_let_be() {
    let certificate = json!({ "chain": "/a.pem", "key": "/a.key" });
    let listener = |fields: Value| {
        let mut listener = json!({ "address": "127.0.0.1:1" });
        for (name, value) in fields.as_object().unwrap() {
            listener[name] = value.clone();
        }
        json!([listener])
    };
    let table = [
        json!({}),
        json!({ "limits": { "fields_max": 1, "head_bytes_max": 1024, "connections_max": 1, "streams_max": 1 } }),
        json!({ "limits": { "fields_max": 1000, "head_bytes_max": 262_144 }, "route_series": 10_000 }),
        json!({ "route_series": 0, "recent_calls": 0 }),
        json!({ "certificate": certificate, "listen_tls": "127.0.0.1:1" }),
        json!({ "certificate": certificate, "listeners": listener(json!({ "tls": true })) }),
        json!({ "certificate": certificate,
                "listeners": listener(json!({ "tls": true, "protocols": "http3" })) }),
        json!({ "certificate": certificate, "flagd": { "listen": "127.0.0.1:1", "tls": true } }),
        json!({ "http3": { "enabled": true }, "listen_tls": "127.0.0.1:1" }),
        json!({ "http3": { "enabled": true }, "listen_tls": "127.0.0.1:1",
                "proxy_protocol": { "from": ["10.0.0.0/8"] }, "listeners": listener(json!({ "tls": true })) }),
        json!({ "trusted_header": "forwarded", "trusted_proxies": ["10.0.0.0/8"] }),
        json!({ "trusted_header": "x-forwarded-for" }),
        json!({ "targets_directory": std::env::temp_dir() }),
    ];
    for settings in table {
        assert_eq!(wrong(&settings), None, "{settings}");
    }
}
