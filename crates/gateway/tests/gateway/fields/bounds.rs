//! The fields of an upstream that say what it gets at a time, and what there is in its place.

#![expect(clippy::too_many_lines, reason = "a table of cases")]

use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::upstream::{pets, to, two_at_a_time, upstream};
use super::world::{World, soon};
use super::{Case, case};

pub(super) fn cases() -> Vec<Case> {
    let concurrency = |fields: Value| upstream(json!({ "concurrency": fields }));
    let connections = |fields: Value| upstream(json!({ "connections": fields }));
    let dead = || {
        to(
            &["$nobody"],
            json!({ "fallback": { "status": 200, "body": "{}" } }),
        )
    };
    let opened = |world: &World| {
        world.row(3, "/shop/pets");
        format!("{} connections", world.a.connections())
    };
    vec![
        case(
            "/fallback/status",
            dead(),
            json!({ "fallback": { "status": 203 } }),
            pets,
        ),
        case(
            "/fallback/content_type",
            dead(),
            json!({ "fallback": { "content_type": "text/plain" } }),
            pets,
        ),
        case(
            "/fallback/body",
            dead(),
            json!({ "fallback": { "body": "nothing" } }),
            pets,
        ),
        case(
            "/concurrency/calls_max",
            json!({}),
            json!({ "concurrency": { "calls_max": 1 } }),
            two_at_a_time,
        ),
        case(
            "/concurrency/waiting_max",
            concurrency(json!({ "calls_max": 1, "wait_ms": 60_000 })),
            json!({ "concurrency": { "waiting_max": 5 } }),
            two_at_a_time,
        ),
        case(
            "/concurrency/wait_ms",
            concurrency(json!({ "calls_max": 1, "waiting_max": 5, "wait_ms": 60_000 })),
            json!({ "concurrency": { "wait_ms": 1 } }),
            two_at_a_time,
        ),
        case(
            "/concurrency/adaptive",
            concurrency(json!({ "adaptive_min": 1, "adaptive_max": 1 })),
            json!({ "concurrency": { "adaptive": true } }),
            two_at_a_time,
        ),
        case(
            "/concurrency/adaptive_min",
            concurrency(json!({ "adaptive": true, "adaptive_min": 1 })),
            json!({ "concurrency": { "adaptive_min": 10 } }),
            |world| world.many(4, "/shop/pets?slow=300"),
        ),
        case(
            "/concurrency/adaptive_max",
            concurrency(json!({ "adaptive": true, "adaptive_min": 1 })),
            json!({ "concurrency": { "adaptive_max": 1 } }),
            two_at_a_time,
        ),
        case(
            "/connections/max",
            json!({}),
            json!({ "connections": { "max": 1 } }),
            |world| {
                two_at_a_time(world);
                format!("{} connections", world.a.connections())
            },
        ),
        case(
            "/connections/waiting_max",
            connections(json!({ "max": 1 })),
            json!({ "connections": { "waiting_max": 0 } }),
            two_at_a_time,
        ),
        case(
            "/connections/calls_max",
            json!({}),
            json!({ "connections": { "calls_max": 1 } }),
            opened,
        ),
        case(
            "/connections/idle_ms",
            json!({}),
            json!({ "connections": { "idle_ms": 100 } }),
            |world| {
                pets(world);
                thread::sleep(Duration::from_millis(300));
                pets(world);
                format!("{} connections", world.a.connections())
            },
        ),
        case(
            "/connections/streams_max",
            upstream(json!({ "targets": [{ "url": "$grpc" }], "protocol": "http2" })),
            json!({ "connections": { "streams_max": 1 } }),
            |world| {
                // Else each of them may open one, because none is open.
                world.many(1, "/shop/pets");
                two_at_a_time(world);
                format!("{} connections", world.bench.figure("upstream_connections_total"))
            },
        ),
        case(
            "/idle_connections_max",
            json!({}),
            json!({ "idle_connections_max": 1 }),
            |world| {
                world.many(4, "/shop/pets?slow=300");
                let open = soon(|| world.a.open() == 1);
                format!("one left: {open}")
            },
        ),
    ]
}
