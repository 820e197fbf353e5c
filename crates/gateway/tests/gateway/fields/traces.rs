//! The settings of traces.

use std::time::Duration;

use serde_json::{Value, json};

use super::settings::settings;
use super::world::{World, soon, within};
use super::{Case, case, merge};
use crate::bench::{Received, eventually};

/// Longer than a try and what is waited for the next one.
const TRIES: Duration = Duration::from_secs(3);

/// Traces that go to somebody, nearly at once.
#[expect(clippy::needless_pass_by_value, reason = "what `json!` makes is given away")]
fn base(endpoint: &str, fields: Value) -> Value {
    let mut traces = json!({ "endpoint": endpoint, "schedule_delay_ms": 10 });
    merge(&mut traces, &fields);
    settings(json!({ "traces": traces }))
}

/// Whether spans of a call come soon.
fn comes(world: &World) -> String {
    world.get("/shop/pets?name=of-the-query");
    soon(|| !world.spans.received().is_empty()).to_owned()
}

/// What is sent of a call.
fn sent(world: &World) -> Received {
    world.get("/shop/pets?name=of-the-query");
    eventually(|| !world.spans.received().is_empty());
    world.spans.last()
}

/// Which of these texts the spans of a call have: they stand in protobuf as they are.
fn says(world: &World) -> String {
    let body = sent(world).body;
    let body = String::from_utf8_lossy(&body);
    let texts = ["of-the-query", "own-name", "own.attribute"];
    format!("{:?}", texts.map(|text| body.contains(text)))
}

/// Whether spans of a call come soon for which the caller has decided that they do.
fn chosen(world: &World) -> String {
    let parent = "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n";
    world.call("GET", "/shop/pets", parent, "");
    soon(|| !world.spans.received().is_empty()).to_owned()
}

#[expect(clippy::too_many_lines, reason = "a table of cases")]
pub(super) fn cases() -> Vec<Case> {
    let set = |fields: Value| json!({ "traces": fields });
    let plain = || base("$otlp", json!({}));
    let late = || base("$otlp", json!({ "schedule_delay_ms": 60_000 }));
    vec![
        case(
            "/traces/endpoint",
            base("$nobody", json!({})),
            set(json!({ "endpoint": "$otlp" })),
            comes,
        ),
        case(
            "/traces/headers_file",
            plain(),
            set(json!({ "headers_file": "$dir/fields" })),
            |world| format!("{:?}", sent(world).fields.get("x-token")),
        ),
        case(
            "/traces/certificate",
            base("$otlps", json!({})),
            set(json!({ "certificate": "$dir/closed.pem" })),
            |world| {
                world.get("/shop/pets");
                soon(|| world.closed.has_heard()).to_owned()
            },
        ),
        case(
            "/traces/timeout_ms",
            base("$silent", json!({ "timeout_ms": 60_000 })),
            set(json!({ "timeout_ms": 100 })),
            |world| {
                world.get("/shop/pets");
                let tries = || {
                    String::from_utf8_lossy(&world.store.lock().unwrap())
                        .matches("POST ")
                        .count()
                };
                within(TRIES, || tries() > 1).to_owned()
            },
        ),
        case(
            "/traces/sampler",
            base("$otlp", json!({ "sampler_ratio": 0.0 })),
            set(json!({ "sampler": "traceidratio" })),
            chosen,
        ),
        case(
            "/traces/sampler_ratio",
            plain(),
            set(json!({ "sampler_ratio": 0.0 })),
            comes,
        ),
        case("/traces/query", plain(), set(json!({ "query": true })), says),
        case(
            "/traces/service_name",
            plain(),
            set(json!({ "service_name": "own-name" })),
            says,
        ),
        case(
            "/traces/resource_attributes",
            plain(),
            set(json!({ "resource_attributes": { "own.attribute": "1" } })),
            says,
        ),
        case(
            "/traces/max_queue_size",
            base("$nobody", json!({ "max_export_batch_size": 1 })),
            set(json!({ "max_queue_size": 1 })),
            |world| {
                world.row(10, "/shop/pets");
                soon(|| world.bench.figure("spans_dropped_total") > 0).to_owned()
            },
        ),
        case(
            "/traces/max_export_batch_size",
            late(),
            set(json!({ "max_export_batch_size": 1 })),
            comes,
        ),
        case(
            "/traces/schedule_delay_ms",
            late(),
            set(json!({ "schedule_delay_ms": 10 })),
            comes,
        ),
    ]
}
