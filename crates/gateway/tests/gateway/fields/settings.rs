//! The settings of a node.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use ::fields::Elsewhere;
use serde_json::{Value, json};

use super::world::{A_WHILE, World, shown, soon};
use super::{Case, case, merge};
use crate::bench::Client;
use crate::certificates::{self, Secure, protocol};

/// What the program does with them is shown where programs are started; some take more than a case to be seen.
pub(super) const ELSEWHERE: Elsewhere<'static> = &[
    (
        "crates/gateway/tests/gateway/flags_of_others.rs::flagd_has_a_place_of_its_own",
        &["/flagd/listen", "/flagd/tls", "/flagd/key_file"],
    ),
    (
        "tests/e2e/src/upgrade.rs::the_next_process_takes_over_and_nobody_notices",
        &["/handover"],
    ),
    (
        "tests/e2e/src/upgrade.rs::a_node_that_stops_waits_as_long_as_its_settings_say",
        &["/drain_seconds"],
    ),
    (
        "crates/gateway/tests/gateway/listed.rs::targets_follow_a_file_and_a_broken_one_leaves_them",
        &["/targets_directory"],
    ),
    (
        "crates/gateway/tests/gateway/explaining.rs::as_many_calls_as_the_setting_says_are_remembered",
        &["/recent_calls"],
    ),
    (
        "crates/gateway/tests/gateway/observing.rs::what_is_counted_of_a_route_never_falls",
        &["/route_series"],
    ),
    (
        "crates/gateway/tests/gateway/http3/serving.rs::listeners_come_and_go_while_a_node_runs",
        &["/http3/enabled"],
    ),
    (
        "crates/gateway/tests/gateway/http3/serving.rs::clients_of_the_other_protocols_are_told",
        &["/http3/alt_svc_max_age_s", "/http3/alt_svc_port"],
    ),
    (
        "crates/gateway/tests/gateway/http3/serving.rs::many_at_once_have_to_show_where_they_are_and_too_many_are_refused",
        &["/http3/handshakes_free"],
    ),
];

fn pets(world: &World) -> String {
    world.get("/shop/pets")
}

#[expect(clippy::needless_pass_by_value, reason = "what `json!` makes is given away")]
pub(super) fn settings(fields: Value) -> Value {
    json!({ "settings": fields })
}

/// A call over TLS, with the client certificate or without.
fn secure(world: &World, with: bool) -> String {
    let shown = with.then_some(&world.client);
    let mut client = Secure::open(world.secure(), "own.test", shown);
    match client.get(&world.bench, "own.test", "") {
        Ok(line) => line,
        Err(_) => "an error".to_owned(),
    }
}

/// Whether a client is shown the certificate `own`.
fn own_is_shown(world: &World) -> String {
    let shown = certificates::shown(world.secure(), "own.test");
    let text = String::from_utf8_lossy(&shown).into_owned();
    format!("own: {}", text.contains("own.test"))
}

/// The statuses of two calls with some time between them.
fn twice(world: &World) -> String {
    let first = world.bench.get("/shop/pets").status;
    thread::sleep(Duration::from_millis(1200));
    format!("{first} {}", world.bench.get("/shop/pets").status)
}

/// Whether a connection, on which something was said, ends within a while, and with which status.
fn ends(world: &World, said: &str) -> String {
    let mut client = world.bench.connect();
    client.send(said.as_bytes());
    client.stream.set_read_timeout(Some(A_WHILE)).unwrap();
    let mut bytes = [0; 12];
    match client.stream.read(&mut bytes) {
        Ok(length) => format!("ends: {}", String::from_utf8_lossy(&bytes[..length])),
        Err(_) => "goes on".to_owned(),
    }
}

/// What a listener says to a request of HTTP/1.
fn plain(world: &World) -> String {
    let mut client = Client::connect(world.last_listener());
    let key = &world.bench.key;
    client.send(
        format!("GET /shop/pets HTTP/1.1\r\nHost: g\r\nX-API-Key: {key}\r\nConnection: close\r\n\r\n")
            .as_bytes(),
    );
    client
        .try_answer()
        .map_or_else(|| "nothing".to_owned(), |answer| shown(&answer))
}

/// The setting of HTTP/2 that the gateway tells: RFC 9113 section 6.5.2.
fn streams_max(world: &World) -> String {
    let mut stream = TcpStream::connect(world.address()).unwrap();
    stream
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
        .unwrap();
    let mut head = [0; 9];
    stream.read_exact(&mut head).unwrap();
    assert_eq!(head[3], 4, "settings come first");
    let mut all = vec![0; usize::from(u16::from_be_bytes([head[1], head[2]]))];
    stream.read_exact(&mut all).unwrap();
    let told = all.chunks(6).find(|one| one[..2] == [0, 3]);
    format!("{told:?}")
}

/// What is answered to a proxy that says whom it speaks for, and whom the service behind is told.
fn proxied(address: SocketAddr, world: &World) -> String {
    let mut client = Client::connect(address);
    let key = &world.bench.key;
    let line = "PROXY TCP4 192.0.2.1 198.51.100.2 12345 443";
    client.send(
        format!(
            "{line}\r\nGET /shop/pets HTTP/1.1\r\nHost: g\r\nX-API-Key: {key}\r\nConnection: close\r\n\r\n"
        )
        .as_bytes(),
    );
    client
        .try_answer()
        .map_or_else(|| "nothing".to_owned(), |answer| shown(&answer))
}

/// Whether a connection ends within a while on which the beginning of a header was sent.
fn begun(address: SocketAddr) -> String {
    let mut client = Client::connect(address);
    client.send(b"PROXY ");
    client.stream.set_read_timeout(Some(A_WHILE)).unwrap();
    match client.stream.read(&mut [0]) {
        Ok(length) => format!("ends: {length}"),
        Err(_) => "goes on".to_owned(),
    }
}

pub(super) fn cases() -> Vec<Case> {
    [
        listening(),
        introductions(),
        serving(),
        certificates(),
        limits(),
        store(),
        super::traces::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn listening() -> Vec<Case> {
    let one = |fields: Value| {
        let mut listener = json!({ "address": "127.0.0.1:0" });
        merge(&mut listener, &fields);
        json!({ "listeners": [listener] })
    };
    vec![
        case(
            "/listen",
            json!({}),
            json!({ "listen": "127.0.0.2:0" }),
            |world| world.address().ip().to_string(),
        ),
        case(
            "/listen_tls",
            json!({}),
            json!({ "listen_tls": "127.0.0.1:0" }),
            |world| {
                let address = world.bench.gateway.as_ref().unwrap().addresses().tls;
                format!("{:?}", address.map(|address| protocol(address, &["http/1.1"])))
            },
        ),
        case(
            "/listeners/*/address",
            settings(one(json!({}))),
            one(json!({ "address": "127.0.0.2:0" })),
            |world| format!("{} {}", world.last_listener().ip(), plain(world)),
        ),
        case(
            "/listeners/*/tls",
            settings(one(json!({}))),
            one(json!({ "tls": true })),
            |world| format!("{:?}", protocol(world.last_listener(), &["http/1.1"])),
        ),
        case(
            "/listeners/*/protocols",
            settings(one(json!({}))),
            one(json!({ "protocols": "http2" })),
            plain,
        ),
    ]
}

fn introductions() -> Vec<Case> {
    let own = |from: &str, fields: Value| {
        let mut rules = json!({ "from": [from] });
        merge(&mut rules, &fields);
        json!({ "proxy_protocol": rules })
    };
    let one = |from: &str, fields: Value| {
        let mut listener = own(from, fields);
        merge(&mut listener, &json!({ "address": "127.0.0.1:0" }));
        json!({ "listeners": [listener] })
    };
    let (us, others) = ("127.0.0.1", "192.0.2.0/24");
    vec![
        case(
            "/proxy_protocol/from",
            settings(own(us, json!({}))),
            own(others, json!({})),
            |world| proxied(world.address(), world),
        ),
        case(
            "/proxy_protocol/others",
            settings(own(others, json!({}))),
            own(others, json!({ "others": "serve" })),
            |world| proxied(world.address(), world),
        ),
        case(
            "/proxy_protocol/header_ms",
            settings(own(us, json!({}))),
            own(us, json!({ "header_ms": 20 })),
            |world| begun(world.address()),
        ),
        case(
            "/listeners/*/proxy_protocol/from",
            settings(one(us, json!({}))),
            one(others, json!({})),
            |world| proxied(world.last_listener(), world),
        ),
        case(
            "/listeners/*/proxy_protocol/others",
            settings(one(others, json!({}))),
            one(others, json!({ "others": "serve" })),
            |world| proxied(world.last_listener(), world),
        ),
        case(
            "/listeners/*/proxy_protocol/header_ms",
            settings(one(us, json!({}))),
            one(us, json!({ "header_ms": 20 })),
            |world| begun(world.last_listener()),
        ),
    ]
}

fn serving() -> Vec<Case> {
    let zones = json!({ "targets": [{ "url": "$a", "zone": "east" }, { "url": "$b", "zone": "west" }] });
    let speaks = |world: &World| {
        world.call(
            "GET",
            "/shop/pets",
            "X-Forwarded-For: 192.0.2.7\r\nForwarded: for=192.0.2.8\r\n",
            "",
        )
    };
    vec![
        case(
            "/environment",
            json!({}),
            json!({ "environment": "production" }),
            pets,
        ),
        case(
            "/name_servers",
            json!({ "settings": { "name_servers": ["127.0.0.1:9"] },
                    "upstream": { "targets": [{ "url": "$named", "resolve": "dns" }] } }),
            json!({ "name_servers": ["$names"] }),
            |world| soon(|| world.bench.get("/shop/pets").status == 200).to_owned(),
        ),
        case(
            "/zone",
            json!({ "upstream": zones }),
            json!({ "zone": "west" }),
            |world| {
                world.row(4, "/shop/pets");
                format!("{:?}", world.counts())
            },
        ),
        case("/cores", json!({}), json!({ "cores": 2 }), |world| {
            world.row(30, "/shop/pets");
            format!("{} busy", world.bench.busy_cores())
        }),
        case(
            "/observable",
            json!({}),
            json!({ "observable": false }),
            |world| world.get("/health/live"),
        ),
        case("/flags", json!({}), json!({ "flags": false }), |world| {
            world.get("/api/v1/feature-flags/half/evaluate")
        }),
        case(
            "/upstream_roots",
            json!({ "upstream": { "targets": [{ "url": "$tls" }], "tls": { "server_name": "service.test" } } }),
            json!({ "upstream_roots": "$dir/service.pem" }),
            pets,
        ),
        case(
            "/trusted_proxies",
            json!({}),
            json!({ "trusted_proxies": ["127.0.0.0/8"] }),
            speaks,
        ),
        case(
            "/trusted_header",
            settings(json!({ "trusted_proxies": ["127.0.0.0/8"] })),
            json!({ "trusted_header": "forwarded" }),
            speaks,
        ),
    ]
}

fn certificates() -> Vec<Case> {
    let base = |fields: Value| {
        let mut base = json!({ "listen_tls": "127.0.0.1:0",
            "certificate": { "chain": "$dir/own.pem", "key": "$dir/own.key" } });
        merge(&mut base, &fields);
        settings(base)
    };
    let clients = |mode: &str| {
        base(json!({ "client_certificates": { "authorities": "$dir/clients.pem", "mode": mode } }))
    };
    let set = |fields: Value| json!({ "client_certificates": fields });
    vec![
        case(
            "/certificate/chain",
            base(json!({})),
            json!({ "certificate": { "chain": "$dir/other.pem", "key": "$dir/other.key" } }),
            own_is_shown,
        ),
        // With a key that does not fit the node does not start.
        case(
            "/certificate/key",
            base(json!({ "certificate": { "key": "$dir/other.key" } })),
            json!({ "certificate": { "key": "$dir/own.key" } }),
            own_is_shown,
        ),
        case(
            "/client_certificates/authorities",
            clients("required"),
            set(json!({ "authorities": "$dir/other-clients.pem" })),
            |world| secure(world, true),
        ),
        case(
            "/client_certificates/mode",
            clients("required"),
            set(json!({ "mode": "optional" })),
            |world| secure(world, false),
        ),
        case(
            "/client_certificates/forward",
            clients("required"),
            set(json!({ "forward": true })),
            |world| {
                secure(world, true);
                let told = world.a.last().fields.get("client-cert").is_some();
                format!("told: {told}")
            },
        ),
    ]
}

#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn limits() -> Vec<Case> {
    let set = |fields: Value| json!({ "limits": fields });
    let base = |fields: Value| json!({ "settings": { "limits": fields } });
    let mut cases = vec![
        case(
            "/limits/connections_max",
            json!({}),
            set(json!({ "connections_max": 1 })),
            |world| {
                let first = world.bench.connect();
                let second = ends(world, "GET /health/live HTTP/1.1\r\nHost: g\r\n\r\n");
                first.close();
                second
            },
        ),
        case(
            "/limits/head_bytes_max",
            json!({}),
            set(json!({ "head_bytes_max": 1024 })),
            |world| world.call("GET", "/shop/pets", &format!("X: {}\r\n", "x".repeat(2000)), ""),
        ),
        case(
            "/limits/fields_max",
            json!({}),
            set(json!({ "fields_max": 5 })),
            |world| world.call("GET", "/shop/pets", &"X: 1\r\n".repeat(10), ""),
        ),
        case(
            "/limits/head_ms",
            json!({}),
            set(json!({ "head_ms": 100 })),
            |world| ends(world, "GET / HTTP/1.1\r\n"),
        ),
        case(
            "/limits/keep_alive_ms",
            json!({}),
            set(json!({ "keep_alive_ms": 100 })),
            |world| {
                let mut client = world.bench.connect();
                client.send(b"GET /health/live HTTP/1.1\r\nHost: g\r\n\r\n");
                client.answer();
                client.stream.set_read_timeout(Some(A_WHILE)).unwrap();
                format!("ended: {}", client.stream.read(&mut [0; 1]).is_ok())
            },
        ),
        case(
            "/limits/body_idle_ms",
            json!({}),
            set(json!({ "body_idle_ms": 100 })),
            |world| {
                let key = &world.bench.key;
                ends(
                    world,
                    &format!(
                        "POST /shop/pets HTTP/1.1\r\nHost: g\r\nX-API-Key: {key}\r\nContent-Length: 9\r\n\r\nab"
                    ),
                )
            },
        ),
        case(
            "/limits/streams_max",
            json!({}),
            set(json!({ "streams_max": 7 })),
            streams_max,
        ),
        case(
            "/limits/calls_max",
            json!({}),
            set(json!({ "calls_max": 1 })),
            |world| world.many(2, "/shop/pets?slow=300"),
        ),
        case(
            "/limits/ipv6_prefix",
            json!({ "settings": { "trusted_proxies": ["127.0.0.0/8"],
                "limits": { "address_rate": { "requests": 1, "window_seconds": 3600, "burst": 1 } } } }),
            set(json!({ "ipv6_prefix": 32 })),
            |world| {
                let from = |address| {
                    world.call(
                        "GET",
                        "/shop/pets",
                        &format!("X-Forwarded-For: {address}\r\n"),
                        "",
                    )
                };
                format!("{} {}", from("2001:db8:0:1::1"), &from("2001:db8:0:2::1")[..3])
            },
        ),
    ];
    for (limit, fields) in [
        (
            "rate",
            [
                "/limits/rate/requests",
                "/limits/rate/window_seconds",
                "/limits/rate/burst",
            ],
        ),
        (
            "address_rate",
            [
                "/limits/address_rate/requests",
                "/limits/address_rate/window_seconds",
                "/limits/address_rate/burst",
            ],
        ),
    ] {
        let rate = || base(json!({ limit: { "requests": 1, "window_seconds": 3600, "burst": 1 } }));
        let change = |fields: Value| set(json!({ limit: fields }));
        cases.push(case(
            fields[0],
            rate(),
            change(json!({ "requests": 3600 })),
            twice,
        ));
        cases.push(case(
            fields[1],
            rate(),
            change(json!({ "window_seconds": 1 })),
            twice,
        ));
        cases.push(case(fields[2], rate(), change(json!({ "burst": 2 })), twice));
    }
    cases
}

fn store() -> Vec<Case> {
    let base = |url: &str, fields: Value| {
        let mut store = json!({ "url": url, "sync_ms": 100 });
        merge(&mut store, &fields);
        settings(json!({ "limits_store": store }))
    };
    let set = |fields: Value| json!({ "limits_store": fields });
    vec![
        case(
            "/limits_store/url",
            base("$no_redis", json!({})),
            set(json!({ "url": "$redis" })),
            |world| soon(|| !world.store.lock().unwrap().is_empty()).to_owned(),
        ),
        case(
            "/limits_store/password_file",
            base("$redis", json!({})),
            set(json!({ "password_file": "$dir/password" })),
            |world| {
                soon(|| String::from_utf8_lossy(&world.store.lock().unwrap()).contains("secret")).to_owned()
            },
        ),
        case(
            "/limits_store/roots",
            base("$rediss", json!({})),
            set(json!({ "roots": "$dir/closed.pem" })),
            |world| soon(|| world.closed.has_heard()).to_owned(),
        ),
        case(
            "/limits_store/sync_ms",
            base("$no_redis", json!({})),
            set(json!({ "sync_ms": 10_000 })),
            |world| soon(|| world.bench.figure("limits_store_failures_total") > 2).to_owned(),
        ),
    ]
}
