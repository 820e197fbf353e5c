//! The fields of an upstream.

#![expect(clippy::too_many_lines, reason = "tables of cases")]
#![expect(clippy::needless_pass_by_value, reason = "what `json!` makes is given away")]

use std::io::{Read as _, Write as _};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use ::fields::Elsewhere;
use domain::traffic::Target;
use serde_json::{Value, json};

use super::world::{A_WHILE, World, soon};
use super::{Case, case, merge};
use crate::bench::eventually;

/// Who may remove it is the control plane's business; some take more than a case to be seen.
pub(super) const ELSEWHERE: Elsewhere<'static> = &[
    (
        "tests/e2e/src/declared.rs::what_a_folder_no_longer_declares_goes_and_what_people_made_stays",
        &["/managed_by"],
    ),
    (
        "crates/gateway/tests/gateway/listed.rs::targets_follow_a_file_and_a_broken_one_leaves_them",
        &["/targets_file"],
    ),
    (
        "crates/gateway/tests/gateway/last_good.rs::a_5xx_is_passed_on_where_that_is_wanted_and_a_fixed_answer_comes_last",
        &["/fallback/last_good/on_5xx"],
    ),
    (
        "crates/gateway/tests/gateway/last_good.rs::an_answer_is_used_for_as_long_as_is_said",
        &["/fallback/last_good/max_stale_seconds"],
    ),
    (
        "crates/gateway/tests/gateway/last_good.rs::bounds_hold_and_the_oldest_goes_first",
        &[
            "/fallback/last_good/body_bytes_max",
            "/fallback/last_good/bytes_max",
            "/fallback/last_good/entries_max",
        ],
    ),
];

const HOUR: u32 = 3_600_000;

pub(super) fn pets(world: &World) -> String {
    world.get("/shop/pets")
}

/// Which services of three get how many of eight calls.
fn shares(world: &World) -> String {
    world.row(8, "/shop/pets");
    format!("{:?}", world.counts())
}

/// How many services get calls with different values of `X-K`.
fn spread(world: &World) -> String {
    for number in 0..24 {
        world.call(
            "GET",
            "/shop/pets",
            &format!("X-K: {number}\r\nX-L: same\r\n"),
            "",
        );
    }
    used(world)
}

fn used(world: &World) -> String {
    let used = world.counts().iter().filter(|count| **count > 0).count();
    format!("{used} used")
}

fn slow(world: &World) -> String {
    world.get("/shop/pets?slow=400")
}

pub(super) fn two_at_a_time(world: &World) -> String {
    world.many(2, "/shop/pets?slow=300")
}

/// What four calls get, and how many of them `f` got.
fn failing(world: &World) -> String {
    format!("{} {:?}", world.row(6, "/shop/pets"), world.counts()[2])
}

/// The same in two halves with more than a second between them.
fn failing_slowly(world: &World) -> String {
    world.row(6, "/shop/pets");
    thread::sleep(Duration::from_millis(1300));
    world.row(6, "/shop/pets");
    let before = world.counts()[2];
    world.row(4, "/shop/pets");
    format!("{} more", world.counts()[2] - before)
}

pub(super) fn upstream(fields: Value) -> Value {
    json!({ "upstream": fields })
}

/// Several targets, besides other fields.
pub(super) fn to(targets: &[&str], fields: Value) -> Value {
    let mut spec = json!({ "targets": targets.iter().map(|url| json!({ "url": url })).collect::<Vec<_>>() });
    merge(&mut spec, &fields);
    upstream(spec)
}

pub(super) fn cases() -> Vec<Case> {
    [
        targets(),
        balancing(),
        tls(),
        timeouts(),
        checks(),
        outliers(),
        circuit(),
        retries(),
        super::bounds::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn targets() -> Vec<Case> {
    let two = |change: Value| {
        let mut targets = json!([{ "url": "$a" }, { "url": "$b" }]);
        merge(&mut targets[1], &change);
        json!({ "targets": targets })
    };
    vec![
        case("/name", json!({}), json!({ "name": "other" }), |world| {
            world.page()["name"].to_string()
        }),
        // A service that does not expect it finds no request.
        case(
            "/proxy_protocol",
            json!({}),
            json!({ "proxy_protocol": "v1" }),
            pets,
        ),
        case(
            "/targets/*/url",
            json!({}),
            json!({ "targets": [{ "url": "$b" }] }),
            pets,
        ),
        case(
            "/targets/*/weight",
            upstream(two(json!({}))),
            two(json!({ "weight": 3 })),
            shares,
        ),
        case(
            "/targets/*/priority",
            upstream(two(json!({}))),
            two(json!({ "priority": 1 })),
            shares,
        ),
        case(
            "/targets/*/resolve",
            json!({ "settings": { "name_servers": ["$names"] }, "upstream": { "targets": [{ "url": "$named" }] } }),
            json!({ "targets": [{ "url": "$named", "resolve": "dns" }] }),
            |world| soon(|| world.bench.get("/shop/pets").status == 200).to_owned(),
        ),
        case(
            "/targets/*/zone",
            json!({ "settings": { "zone": "east" }, "upstream": two(json!({})) }),
            two(json!({ "zone": "east" })),
            shares,
        ),
        case("/protocol", json!({}), json!({ "protocol": "http2" }), pets),
        case(
            "/preserve_host",
            json!({}),
            json!({ "preserve_host": true }),
            pets,
        ),
    ]
}

fn balancing() -> Vec<Case> {
    let hash = |fields: Value| {
        let mut balancing =
            json!({ "algorithm": "consistent_hash", "hash_on": "header", "hash_name": "x-k" });
        merge(&mut balancing, &fields);
        to(&["$a", "$b"], json!({ "balancing": balancing }))
    };
    let set = |fields: Value| json!({ "balancing": fields });
    let sick = json!({ "health_check": { "path": "/up", "interval_ms": 100, "unhealthy_threshold": 1 } });
    let mut zones = json!({ "targets": [
        { "url": "$sick", "zone": "east" }, { "url": "$a", "zone": "east" }, { "url": "$b", "zone": "west" } ] });
    merge(&mut zones, &sick);
    vec![
        case(
            "/balancing/algorithm",
            to(&["$a", "$b"], json!({ "balancing": { "hash_on": null } })),
            set(json!({ "algorithm": "consistent_hash", "hash_on": "client_address" })),
            |world| {
                shares(world);
                used(world)
            },
        ),
        case(
            "/balancing/hash_on",
            hash(json!({})),
            set(json!({ "hash_on": "client_address", "hash_name": null })),
            spread,
        ),
        case(
            "/balancing/hash_name",
            hash(json!({})),
            set(json!({ "hash_name": "x-l" })),
            spread,
        ),
        case(
            "/balancing/hash_load_max_percent",
            hash(json!({ "hash_on": "client_address", "hash_name": null })),
            set(json!({ "hash_load_max_percent": 101 })),
            |world| {
                world.many(6, "/shop/pets?slow=200");
                used(world)
            },
        ),
        case(
            "/balancing/slow_start_ms",
            json!({}),
            set(json!({ "slow_start_ms": HOUR })),
            |world| {
                pets(world);
                let url = world.b.url();
                world
                    .bench
                    .change(|snapshot| snapshot.upstreams[0].spec.targets.push(Target::new(url)));
                world.row(20, "/shop/pets");
                if world.counts()[1] > 5 {
                    "its share".to_owned()
                } else {
                    "few".to_owned()
                }
            },
        ),
        case(
            "/balancing/zone_healthy_min_percent",
            json!({ "settings": { "zone": "east" }, "upstream": zones }),
            set(json!({ "zone_healthy_min_percent": 40 })),
            |world| {
                eventually(|| world.bench.figure("targets_healthy") == 3);
                shares(world);
                used(world)
            },
        ),
        case(
            "/balancing/panic_percent",
            {
                let mut base = to(&["$sick"], json!({}));
                merge(&mut base["upstream"], &sick);
                base
            },
            set(json!({ "panic_percent": 0 })),
            |world| {
                world.checked();
                world.bench.get("/shop/pets").status.to_string()
            },
        ),
    ]
}

fn tls() -> Vec<Case> {
    let base = |fields: Value| {
        let mut tls = json!({ "roots": "$roots", "server_name": "service.test" });
        merge(&mut tls, &fields);
        to(&["$tls"], json!({ "tls": tls }))
    };
    let client =
        json!({ "client_certificate": { "chain_file": "$dir/client.pem", "key_file": "$dir/client.key" } });
    let set = |fields: Value| json!({ "tls": fields });
    vec![
        case(
            "/tls/server_name",
            base(json!({})),
            set(json!({ "server_name": null })),
            pets,
        ),
        case(
            "/tls/roots",
            base(json!({})),
            set(json!({ "roots": "$other_roots" })),
            pets,
        ),
        case(
            "/tls/danger/accept_any_certificate",
            base(json!({ "roots": null })),
            set(json!({ "danger": { "accept_any_certificate": true } })),
            pets,
        ),
        // Whoever names other files shows another certificate; one whose key does not fit is refused.
        case(
            "/tls/client_certificate/chain_file",
            base(client.clone()),
            set(json!({ "client_certificate": { "chain_file": "$dir/other.pem" } })),
            rejected,
        ),
        case(
            "/tls/client_certificate/key_file",
            base(client),
            set(json!({ "client_certificate": { "key_file": "$dir/other.key" } })),
            rejected,
        ),
    ]
}

/// Whether the node serves what it got.
fn rejected(world: &World) -> String {
    match world.bench.gateway.as_ref().unwrap().status().rejected {
        Some(_) => "rejected".to_owned(),
        None => pets(world),
    }
}

fn timeouts() -> Vec<Case> {
    let set = |fields: Value| json!({ "timeouts": fields });
    vec![
        // As long as a call waits for a connection that others have.
        case(
            "/timeouts/connect_ms",
            upstream(json!({ "connections": { "max": 1 }, "timeouts": { "connect_ms": 60_000 } })),
            set(json!({ "connect_ms": 50 })),
            two_at_a_time,
        ),
        case(
            "/timeouts/answer_ms",
            json!({}),
            set(json!({ "answer_ms": 100 })),
            slow,
        ),
        case(
            "/timeouts/total_ms",
            json!({}),
            set(json!({ "total_ms": 100 })),
            slow,
        ),
        case(
            "/timeouts/idle_ms",
            json!({}),
            set(json!({ "idle_ms": 100 })),
            |world| world.get("/shop/pets?drip=600"),
        ),
        case(
            "/timeouts/tunnel_idle_ms",
            json!({}),
            set(json!({ "tunnel_idle_ms": 100 })),
            |world| {
                let mut client = world.bench.connect();
                let key = &world.bench.key;
                client.send(
                format!(
                    "GET /shop/pets HTTP/1.1\r\nHost: g\r\nX-API-Key: {key}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
                )
                .as_bytes(),
            );
                assert_eq!(client.answer().status, 101);
                client.stream.set_read_timeout(Some(A_WHILE)).unwrap();
                let ended = client.stream.read(&mut [0; 1]).is_ok_and(|length| length == 0);
                let _ = client.stream.write_all(b"x");
                format!("ended: {ended}")
            },
        ),
    ]
}

fn checks() -> Vec<Case> {
    let base = |fields: Value| {
        let mut check = json!({ "path": "/up", "interval_ms": 100 });
        merge(&mut check, &fields);
        upstream(json!({ "health_check": check }))
    };
    let set = |fields: Value| json!({ "health_check": fields });
    // `b` fails its checks from a moment on; how many it takes.
    let turning = |world: &World| {
        world.checked();
        let checks = || world.b.received().len();
        world.is_well.store(false, Ordering::SeqCst);
        let before = checks();
        eventually(|| world.page()["targets"][0]["checked"] == "unhealthy");
        if checks() - before < 4 {
            "after few".to_owned()
        } else {
            "after many".to_owned()
        }
    };
    let returning = |world: &World| {
        world.is_well.store(false, Ordering::SeqCst);
        eventually(|| world.page()["targets"][0]["checked"] == "unhealthy");
        world.is_well.store(true, Ordering::SeqCst);
        let before = world.b.received().len();
        eventually(|| world.page()["targets"][0]["checked"] == "healthy");
        if world.b.received().len() - before < 4 {
            "after few".to_owned()
        } else {
            "after many".to_owned()
        }
    };
    let of_b = |fields: Value| {
        let mut base = base(fields);
        merge(&mut base["upstream"], &json!({ "targets": [{ "url": "$b" }] }));
        base
    };
    vec![
        case(
            "/health_check/kind",
            {
                let mut base = base(json!({}));
                merge(&mut base["upstream"], &json!({ "targets": [{ "url": "$sick" }] }));
                base
            },
            set(json!({ "kind": "tcp" })),
            World::checked,
        ),
        case(
            "/health_check/path",
            base(json!({ "path": "/down" })),
            set(json!({ "path": "/up" })),
            World::checked,
        ),
        case(
            "/health_check/statuses",
            base(json!({})),
            set(json!({ "statuses": [204] })),
            World::checked,
        ),
        case(
            "/health_check/body_contains",
            base(json!({})),
            set(json!({ "body_contains": "nothing" })),
            World::checked,
        ),
        case(
            "/health_check/port",
            base(json!({})),
            set(json!({ "port": "$sick_port" })),
            World::checked,
        ),
        case(
            "/health_check/timeout_ms",
            base(json!({ "path": "/up-late" })),
            set(json!({ "timeout_ms": 100 })),
            World::checked,
        ),
        case(
            "/health_check/interval_ms",
            base(json!({})),
            set(json!({ "interval_ms": HOUR })),
            |world| {
                world.checked();
                soon(|| world.a.received().len() > 1).to_owned()
            },
        ),
        case(
            "/health_check/unhealthy_threshold",
            of_b(json!({ "unhealthy_threshold": 1 })),
            set(json!({ "unhealthy_threshold": 7 })),
            turning,
        ),
        case(
            "/health_check/healthy_threshold",
            of_b(json!({ "healthy_threshold": 1, "unhealthy_threshold": 1 })),
            set(json!({ "healthy_threshold": 7 })),
            returning,
        ),
        case(
            "/health_check/grpc_service",
            upstream(json!({ "targets": [{ "url": "$grpc" }], "protocol": "http2",
                             "health_check": { "kind": "grpc", "grpc_service": "shop", "interval_ms": 100 } })),
            set(json!({ "grpc_service": "other" })),
            World::checked,
        ),
    ]
}

fn outliers() -> Vec<Case> {
    let base = |fields: Value| {
        let mut outlier = json!({ "consecutive_failures": 0, "calls_min": 2, "ejection_ms": HOUR, "ejection_max_ms": HOUR });
        merge(&mut outlier, &fields);
        to(&["$f", "$a"], json!({ "outlier_detection": outlier }))
    };
    let set = |fields: Value| json!({ "outlier_detection": fields });
    let back = |world: &World| {
        let ejected = || world.bench.figure("targets_ejected") == 1;
        for _ in 0..5 {
            while !ejected() {
                pets(world);
            }
            if soon(|| !ejected()) != "soon" {
                return "out".to_owned();
            }
        }
        "back".to_owned()
    };
    let share = json!({ "failure_percent": 50 });
    let mut slow = share.clone();
    merge(&mut slow, &json!({ "calls_min": 5, "window_ms": HOUR }));
    vec![
        case(
            "/outlier_detection/consecutive_failures",
            base(json!({})),
            set(json!({ "consecutive_failures": 1 })),
            failing,
        ),
        case(
            "/outlier_detection/failure_percent",
            base(json!({})),
            set(share.clone()),
            failing,
        ),
        case(
            "/outlier_detection/calls_min",
            base(share),
            set(json!({ "calls_min": 1000 })),
            failing,
        ),
        case(
            "/outlier_detection/window_ms",
            base(slow),
            set(json!({ "window_ms": 1000 })),
            failing_slowly,
        ),
        case(
            "/outlier_detection/ejection_ms",
            base(json!({ "consecutive_failures": 1, "ejection_max_ms": HOUR })),
            set(json!({ "ejection_ms": 100, "ejection_max_ms": 100 })),
            back,
        ),
        case(
            "/outlier_detection/ejection_max_ms",
            base(json!({ "consecutive_failures": 1, "ejection_ms": 100 })),
            set(json!({ "ejection_max_ms": 100 })),
            back,
        ),
        case(
            "/outlier_detection/ejected_max_percent",
            base(json!({ "consecutive_failures": 1 })),
            set(json!({ "ejected_max_percent": 10 })),
            failing,
        ),
    ]
}

fn circuit() -> Vec<Case> {
    let base = |fields: Value| {
        let mut circuit = json!({ "failure_percent": 0, "calls_min": 2, "open_ms": HOUR, "probes": 1 });
        merge(&mut circuit, &fields);
        to(&["$f"], json!({ "circuit_breaker": circuit }))
    };
    let set = |fields: Value| json!({ "circuit_breaker": fields });
    let slow = json!({ "failure_percent": 50, "calls_min": 8, "window_ms": HOUR });
    vec![
        case(
            "/circuit_breaker/failure_percent",
            base(json!({})),
            set(json!({ "failure_percent": 50 })),
            failing,
        ),
        case(
            "/circuit_breaker/calls_min",
            base(json!({ "failure_percent": 50 })),
            set(json!({ "calls_min": 1000 })),
            failing,
        ),
        case(
            "/circuit_breaker/window_ms",
            base(slow),
            set(json!({ "window_ms": 1000 })),
            failing_slowly,
        ),
        case(
            "/circuit_breaker/consecutive_failures",
            base(json!({})),
            set(json!({ "consecutive_failures": 1 })),
            failing,
        ),
        case(
            "/circuit_breaker/open_ms",
            base(json!({ "consecutive_failures": 1 })),
            set(json!({ "open_ms": 1 })),
            |world| {
                pets(world);
                let before = world.counts()[2];
                soon(|| {
                    pets(world);
                    world.counts()[2] > before
                })
                .to_owned()
            },
        ),
        case(
            "/circuit_breaker/probes",
            {
                let mut base = base(json!({ "consecutive_failures": 1, "open_ms": 100 }));
                merge(&mut base["upstream"], &json!({ "targets": [{ "url": "$a" }] }));
                base
            },
            set(json!({ "probes": 3 })),
            |world| {
                world.get("/shop/pets?fail&first=1");
                thread::sleep(Duration::from_millis(300));
                world.many(3, "/shop/pets?slow=300")
            },
        ),
    ]
}

fn retries() -> Vec<Case> {
    let base = |fields: Value| upstream(json!({ "retries": fields }));
    let set = |fields: Value| json!({ "retries": fields });
    let once = |world: &World| world.get("/shop/pets?fail&first=1");
    let busy = |fields: Value| {
        let mut retries = json!({ "statuses": [503], "budget_percent": 100, "budget_per_second_min": 0 });
        merge(&mut retries, &fields);
        to(&["$f"], json!({ "retries": retries }))
    };
    let long = json!({ "statuses": [503], "backoff_ms": 60_000, "backoff_max_ms": 60_000 });
    let tried = |world: &World| {
        pets(world);
        format!("{:?}", world.counts())
    };
    vec![
        case(
            "/retries/attempts_max",
            busy(json!({ "budget_per_second_min": 9 })),
            set(json!({ "attempts_max": 2 })),
            tried,
        ),
        case(
            "/retries/on",
            json!({}),
            set(json!({ "on": ["reset"] })),
            |world| world.get("/shop/pets?cut&first=1"),
        ),
        case(
            "/retries/statuses",
            json!({}),
            set(json!({ "statuses": [503] })),
            once,
        ),
        case(
            "/retries/idempotency_key",
            base(json!({ "statuses": [503] })),
            set(json!({ "idempotency_key": true })),
            |world| world.call("POST", "/shop/pets?fail&first=1", "Idempotency-Key: 1\r\n", "a"),
        ),
        case(
            "/retries/body_bytes_max",
            base(json!({ "statuses": [503] })),
            set(json!({ "body_bytes_max": 1 })),
            |world| world.call("PUT", "/shop/pets/1?fail&first=1", "", "0123456789"),
        ),
        case(
            "/retries/budget_percent",
            busy(json!({})),
            set(json!({ "budget_percent": 0 })),
            tried,
        ),
        case(
            "/retries/budget_per_second_min",
            busy(json!({ "budget_percent": 0 })),
            set(json!({ "budget_per_second_min": 100 })),
            tried,
        ),
        case(
            "/retries/backoff_ms",
            upstream(json!({ "timeouts": { "total_ms": 1_000 },
                             "retries": { "statuses": [503], "backoff_max_ms": 60_000 } })),
            set(json!({ "backoff_ms": 60_000 })),
            |world| world.bench.get("/shop/pets?fail&first=1").status.to_string(),
        ),
        case(
            "/retries/backoff_max_ms",
            upstream(json!({ "timeouts": { "total_ms": 1_000 }, "retries": long })),
            set(json!({ "backoff_max_ms": 1 })),
            |world| world.bench.get("/shop/pets?fail&first=1").status.to_string(),
        ),
        case(
            "/hedging/after_ms",
            to(&["$a", "$b"], json!({ "hedging": { "after_ms": HOUR } })),
            json!({ "hedging": { "after_ms": 20 } }),
            |world| world.get("/shop/pets?slow=600&only=a"),
        ),
    ]
}
