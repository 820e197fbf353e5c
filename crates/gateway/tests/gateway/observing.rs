//! What a node tells of itself: figures within a fixed bound, the health of targets, spans.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use domain::Snapshot;
use domain::consumer::{KeyState, SubscriptionState};
use domain::id::{ApplicationId, KeyId, RouteId, SubscriptionId, UpstreamId};
use domain::node::{NodeState, NodeStatus, TargetState};
use domain::snapshot::{Application, Key, Subscription};
use domain::traffic::{CircuitBreaker, OutlierDetection};
use gateway::{Teller, Traces};
use serde_json::json;

use crate::bench::{Bench, Client, PATIENCE, Upstream, eventually, id, reply};

const ROUTES: u128 = 10_000;
const CONSUMERS: u128 = 100_000;
/// What docs/gateway/telemetry.md promises for the default settings.
const LINES_MAX: usize = 12_000;
/// Routes that split their calls, and routes with a mirror: more than have series of their own.
const SPLIT: Range<u128> = 1_000..1_600;
const MIRRORED: Range<u128> = 5_000..5_300;

/// Gives a snapshot many routes with an upstream each, and many consumers; the keys of some of them.
fn grow(snapshot: &mut Snapshot) -> Vec<String> {
    let (route, upstream) = (snapshot.routes.remove(0), snapshot.upstreams.remove(0));
    for number in 0..ROUTES {
        let mut upstream = upstream.clone();
        upstream.id = UpstreamId::new(id(1_000_000 + number));
        upstream.spec.circuit_breaker = Some(CircuitBreaker::default());
        let mut route = route.clone();
        route.id = RouteId::new(id(2_000_000 + number));
        route.base_path = format!("/r{number}");
        route.upstream = Some(upstream.id);
        let side = |name: &str| json!({ "name": name, "upstream_id": upstream.id, "weight": 1 });
        if SPLIT.contains(&number) {
            route.upstream = None;
            let split = json!({ "variants": [side("blue"), side("green")] });
            route.split = Some(serde_json::from_value(split).unwrap());
        }
        if MIRRORED.contains(&number) {
            let mirror = json!({ "upstream_id": UpstreamId::new(id(1_000_000)) });
            route.mirror = Some(serde_json::from_value(mirror).unwrap());
        }
        snapshot.upstreams.push(upstream);
        snapshot.routes.push(route);
    }
    let (plan, organization) = (snapshot.plans[0].id, snapshot.applications[0].organization);
    let product = snapshot.products[0].id;
    let mut keys = Vec::new();
    for number in 0..CONSUMERS {
        let key_id = KeyId::new(id(3_000_000 + number));
        let application = ApplicationId::new(id(4_000_000 + number));
        let key = domain::key::write(&snapshot.environment, key_id.uuid(), [7; 32]).unwrap();
        let hash = domain::key::hash(key.as_bytes());
        snapshot.keys.push(Key {
            id: key_id,
            hash,
            application,
            state: KeyState::Active,
            expires_at: None,
        });
        snapshot.applications.push(Application {
            id: application,
            organization,
        });
        snapshot.subscriptions.push(Subscription {
            id: SubscriptionId::new(id(5_000_000 + number)),
            application,
            product,
            plan,
            state: SubscriptionState::Active,
        });
        if number % 1000 == 0 {
            keys.push(key);
        }
    }
    keys
}

#[test]
fn the_number_of_figures_does_not_grow_with_what_is_configured() {
    let upstream = Upstream::simple();
    let mut keys = Vec::new();
    let bench = Bench::with(&upstream.urls(), |settings, snapshot| {
        settings.cores = 1;
        keys = grow(snapshot);
    });
    let mut client = bench.connect();
    for number in 0..300 {
        let key = &keys[number % keys.len()];
        let request = format!("GET /r{number}/pets HTTP/1.1\r\nHost: g\r\nX-API-Key: {key}\r\n\r\n");
        client.send(request.as_bytes());
        assert_eq!(client.answer().status, 200);
    }
    let text = bench.gateway.as_ref().unwrap().metrics();
    let lines = text.lines().count();
    assert!(lines < LINES_MAX, "{lines} lines");
    // A hundred routes by name, the other two hundred together.
    let routes: Vec<_> = lines_of(&text, "route_requests_total");
    assert_eq!(routes.len(), 101);
    let other = routes
        .iter()
        .find(|line| line.contains("route=\"other\""))
        .unwrap();
    assert!(other.ends_with(" 200"), "{other}");
    assert!(!text.contains("app_") && !text.contains("key_"));
    for (name, most) in [
        ("target_healthy", 1000),
        ("circuit_opened_total", 1000),
        ("variant_calls_total", 1000),
        ("mirror_calls_total", 800),
        ("mirror_differences_total", 800),
    ] {
        assert_eq!(lines_of(&text, name).len(), most, "{name}");
    }
}

fn lines_of(text: &str, name: &str) -> Vec<String> {
    let start = format!("gateline_{name}{{");
    text.lines()
        .filter(|line| line.starts_with(&start))
        .map(str::to_owned)
        .collect()
}

#[test]
fn what_is_counted_of_a_route_never_falls() {
    let upstream = Upstream::simple();
    let bench = Bench::with(&upstream.urls(), |settings, snapshot| {
        settings.route_series = 1;
        let mut second = snapshot.routes[0].clone();
        second.id = RouteId::new(id(60));
        second.base_path = "/second".to_owned();
        snapshot.routes.push(second);
    });
    let of = |route: &str| {
        let text = bench.gateway.as_ref().unwrap().metrics();
        let lines = lines_of(&text, "route_requests_total");
        let line = lines
            .iter()
            .find(|line| line.contains(&format!("route=\"{route}\"")))?;
        line.rsplit_once(' ').unwrap().1.parse::<u64>().ok()
    };
    let first = RouteId::new(id(6)).to_string();
    for path in ["/shop/pets", "/second/pets", "/second/pets", "/shop/pets"] {
        assert_eq!(bench.get(path).status, 200);
    }
    assert_eq!((of(&first), of("other")), (Some(2), Some(2)));
    // The first route goes: what was counted of it stands with the others.
    bench.change(|snapshot| drop(snapshot.routes.remove(0)));
    bench.get("/second/pets");
    assert_eq!((of(&first), of("other")), (None, Some(5)));
}

#[test]
fn labels_cannot_be_broken_out_of_and_times_are_counted_once() {
    let upstream = Upstream::simple();
    let bench = Bench::new(&upstream.urls());
    for _ in 0..3 {
        bench.get("/shop/pets");
    }
    let text = bench.gateway.as_ref().unwrap().metrics();
    let count = lines_of(&text, "request_duration_seconds_bucket");
    assert!(count.last().unwrap().ends_with("{le=\"+Inf\"} 3"), "{count:?}");
    let names: Vec<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .collect();
    assert_eq!(names.len(), names.iter().collect::<BTreeSet<_>>().len());
}

pub(crate) fn next(teller: &mut Teller) -> NodeStatus {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let status = runtime.block_on(async { tokio::time::timeout(PATIENCE, teller.next()).await });
    let status = status.unwrap().unwrap();
    teller.told(status.clone());
    status
}

#[test]
fn the_control_plane_is_told_how_targets_are_and_what_was_rejected() {
    let failing = Arc::new(AtomicUsize::new(1));
    let fails = Arc::clone(&failing);
    let sick = Upstream::start(move |_, stream| match fails.load(Ordering::SeqCst) {
        0 => reply(stream, "200 OK", "", "ok"),
        _ => reply(stream, "500 Oh", "", "no"),
    });
    let well = Upstream::simple();
    let urls = [sick.url(), well.url()];
    let bench = Bench::with(&urls, |settings, snapshot| {
        settings.cores = 1;
        snapshot.upstreams[0].spec.outlier_detection = Some(OutlierDetection {
            consecutive_failures: 1,
            ejection_ms: 60_000,
            ejected_max_percent: 50,
            ..OutlierDetection::default()
        });
    });
    let mut teller = bench.gateway.as_ref().unwrap().teller("sandbox".parse().unwrap());
    let status = next(&mut teller);
    assert_eq!((status.revision, status.state), (1, NodeState::Applied));
    let states = |status: &NodeStatus| {
        let health = status.health.clone().unwrap();
        assert_eq!((health.upstreams.len(), health.left_out), (1, 0));
        let targets = health.upstreams[0].targets.iter();
        targets
            .map(|target| (target.target.clone(), target.state))
            .collect::<Vec<_>>()
    };
    let healthy = [
        (sick.url(), TargetState::Healthy),
        (well.url(), TargetState::Healthy),
    ];
    assert_eq!(states(&status), healthy);
    while sick.received().is_empty() {
        bench.get("/shop/pets");
    }
    let status = next(&mut teller);
    let ejected = [
        (sick.url(), TargetState::Ejected),
        (well.url(), TargetState::Healthy),
    ];
    assert_eq!(states(&status), ejected);
    let target = &status.health.as_ref().unwrap().upstreams[0].targets[0];
    assert!(
        target.since.is_some() && target.reason.contains("failed too often"),
        "{target:?}"
    );

    // A snapshot that cannot be served is told with its reason, and the old one stays.
    bench.send(|snapshot| snapshot.routes[0].policies[0].kind = "no_such".to_owned());
    let status = next(&mut teller);
    assert_eq!((status.revision, status.state), (2, NodeState::Rejected));
    assert!(status.reason.contains("no_such"), "{}", status.reason);
    assert_eq!(bench.get("/shop/pets").status, 200);
    let ready = bench.get("/health/ready");
    assert_eq!(ready.status, 503);
    assert!(String::from_utf8_lossy(&ready.body).contains("snapshot 2 was rejected"));
    failing.store(0, Ordering::SeqCst);
}

fn traces(endpoint: &str) -> Traces {
    let text = json!({ "endpoint": endpoint, "schedule_delay_ms": 20, "timeout_ms": 1000 });
    serde_json::from_value(text).unwrap()
}

#[test]
fn spans_are_sent_and_what_does_not_fit_is_dropped_and_counted() {
    let receiver = Upstream::start(|_, stream| reply(stream, "200 OK", "", ""));
    let upstream = Upstream::simple();
    let url = format!("http://{}/v1/traces", receiver.address);
    let bench = Bench::with(&upstream.urls(), |settings, _| {
        settings.traces = Some(traces(&url));
    });
    assert_eq!(bench.get("/shop/pets").status, 200);
    eventually(|| bench.figure("spans_exported_total") == 2);
    let sent = receiver.last();
    assert_eq!(sent.line, "POST /v1/traces HTTP/1.1");
    assert_eq!(sent.fields.get("content-type"), Some("application/x-protobuf"));
    let told = upstream.last().fields.get("traceparent").unwrap().to_owned();
    assert!(told.ends_with("-01"), "{told}");

    // Nobody takes spans: calls go on, and the queue stays as long as it may be.
    let bench = Bench::with(&upstream.urls(), |settings, _| {
        let mut traces = traces("http://127.0.0.1:1");
        traces.max_queue_size = 3;
        traces.max_export_batch_size = 1;
        settings.traces = Some(traces);
    });
    for _ in 0..20 {
        assert_eq!(bench.get("/shop/pets").status, 200);
    }
    eventually(|| bench.figure("spans_dropped_total") >= 14);
    assert_eq!(bench.figure("spans_exported_total"), 0);
}

#[test]
fn spans_that_are_left_are_sent_when_the_node_ends() {
    let receiver = Upstream::start(|_, stream| reply(stream, "200 OK", "", ""));
    let upstream = Upstream::simple();
    let url = format!("http://{}", receiver.address);
    let mut bench = Bench::with(&upstream.urls(), |settings, _| {
        let mut traces = traces(&url);
        traces.schedule_delay_ms = 60_000;
        settings.traces = Some(traces);
    });
    let mut client: Client = bench.connect();
    client.send(b"GET /nowhere HTTP/1.1\r\nHost: g\r\nConnection: close\r\n\r\n");
    assert_eq!(client.answer().status, 404);
    drop(client);
    let gateway = bench.gateway.take().unwrap();
    assert!(gateway.drain(Duration::from_secs(10)));
    assert_eq!(receiver.received().len(), 1);
}

/// What a receiver got of a call, as text: names and values of attributes stand in protobuf as they are.
fn sent(change: impl FnOnce(&mut Traces)) -> String {
    let receiver = Upstream::start(|_, stream| reply(stream, "200 OK", "", ""));
    let upstream = Upstream::simple();
    let url = format!("http://{}", receiver.address);
    let bench = Bench::with(&upstream.urls(), |settings, _| {
        let mut traces = traces(&url);
        change(&mut traces);
        settings.traces = Some(traces);
    });
    bench.get("/shop/pets?name=value-of-a-query");
    eventually(|| !receiver.received().is_empty());
    String::from_utf8_lossy(&receiver.last().body).into_owned()
}

#[test]
fn spans_say_what_the_settings_say() {
    let plain = sent(|_| {});
    assert!(plain.contains("gateline") && plain.contains("/shop/pets") && plain.contains("http.route"));
    for text in ["value-of-a-query", "my-service", "deployment.environment.name"] {
        assert!(!plain.contains(text), "{text}");
    }
    assert!(sent(|traces| traces.query = true).contains("value-of-a-query"));
    assert!(sent(|traces| traces.service_name = "my-service".to_owned()).contains("my-service"));
    let attribute = ("deployment.environment.name".to_owned(), "test".to_owned());
    let said = sent(|traces| traces.resource_attributes.extend([attribute]));
    assert!(said.contains("deployment.environment.name"));
}

#[test]
fn a_receiver_that_says_nothing_is_asked_again_after_the_timeout() {
    let receiver = Upstream::start(|_, _| {
        std::thread::sleep(PATIENCE);
        false
    });
    let upstream = Upstream::simple();
    let url = format!("http://{}", receiver.address);
    let bench = Bench::with(&upstream.urls(), |settings, _| {
        let mut traces = traces(&url);
        traces.timeout_ms = 100;
        settings.traces = Some(traces);
    });
    bench.get("/shop/pets");
    eventually(|| receiver.received().len() > 1);
}

#[test]
fn traces_that_cannot_be_sent_as_they_are_set_are_refused() {
    type Change = fn(&mut Traces);
    let table: [(Change, &str); 4] = [
        (
            |traces| traces.endpoint = "collector:4318".to_owned(),
            "gateway.traces.endpoint",
        ),
        (
            |traces| traces.certificate = Some("/nowhere.pem".into()),
            "gateway.traces.endpoint",
        ),
        (
            |traces| traces.headers_file = Some("/nowhere".into()),
            "gateway.traces.headers_file: /nowhere",
        ),
        (
            |traces| traces.sampler_ratio = 2.0,
            "gateway.traces.sampler_ratio",
        ),
    ];
    for (change, expected) in table {
        let started = Bench::try_with(&["http://127.0.0.1:1".to_owned()], |settings, _| {
            let mut traces = traces("http://127.0.0.1:1");
            change(&mut traces);
            settings.traces = Some(traces);
        });
        let error = started.err().expect("it does not start").to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}
