//! Calls that fail, and calls that are too many.

use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use domain::id::RouteId;
use domain::release::Importance;
use domain::snapshot::Snapshot;
use domain::traffic::{
    Algorithm, CircuitBreaker, Concurrency, Connections, Fallback, Hedging, OutlierDetection, Retries,
    RetryOn, UpstreamSpec,
};

use crate::bench::{Bench, Client, Received, Upstream, eventually, id, reply};

fn bench(urls: &[String], change: impl FnOnce(&mut UpstreamSpec)) -> Bench {
    Bench::with(urls, |settings, snapshot| {
        settings.cores = 1;
        let spec = &mut snapshot.upstreams[0].spec;
        spec.balancing.algorithm = Algorithm::RoundRobin;
        spec.retries.backoff_ms = 1;
        change(spec);
    })
}

/// A service that answers 200 after it has failed a number of times.
fn mends_after(
    failures: usize,
    fail: impl Fn(&mut std::net::TcpStream) -> bool + Send + Sync + 'static,
) -> Upstream {
    let count = AtomicUsize::new(0);
    Upstream::start(move |received: &Received, stream| {
        if count.fetch_add(1, Ordering::SeqCst) < failures {
            return fail(stream);
        }
        reply(stream, "200 OK", "", &String::from_utf8_lossy(&received.body))
    })
}

/// A service that answers when it is released; whoever is released first, it is one of those that wait.
fn held() -> (Upstream, mpsc::Sender<()>) {
    let (release, wait) = mpsc::channel::<()>();
    let wait = Arc::new(Mutex::new(wait));
    let upstream = Upstream::start(move |_, stream| {
        let _ = wait.lock().unwrap().recv();
        reply(stream, "200 OK", "", "ok")
    });
    (upstream, release)
}

fn begin(bench: &Bench) -> Client {
    begin_at(bench, "/shop")
}

fn begin_at(bench: &Bench, base_path: &str) -> Client {
    let mut client = bench.connect();
    client.send(
        format!(
            "GET {base_path}/pets HTTP/1.1\r\nHost: g\r\nX-API-Key: {}\r\n\r\n",
            bench.key
        )
        .as_bytes(),
    );
    client
}

#[test]
fn a_status_makes_a_safe_call_be_sent_again() {
    let busy = |stream: &mut std::net::TcpStream| reply(stream, "503 Busy", "", "no");
    let table = [
        ("GET", "/shop/pets", "", "", 200),
        ("PUT", "/shop/pets/1", "", "abc", 200),
        ("POST", "/shop/pets", "", "abc", 503),
        ("POST", "/shop/pets", "Idempotency-Key: 7\r\n", "abc", 200),
        ("PUT", "/shop/pets/1", "", "longer than may be kept", 503),
    ];
    for (method, path, head, body, expected) in table {
        let upstream = mends_after(2, busy);
        let bench = bench(&upstream.urls(), |spec| {
            spec.retries.statuses = vec![503];
            spec.retries.idempotency_key = true;
            spec.retries.body_bytes_max = 10;
        });
        let answer = bench.call(method, path, head, body);
        assert_eq!(answer.status, expected, "{method} {head} {body}");
        if expected == 200 {
            assert_eq!(answer.text(), body);
            let received = upstream.received();
            assert_eq!(received.len(), 3);
            assert!(received.iter().all(|received| received.body == body.as_bytes()
                && received.fields.get("x-forwarded-host") == Some("gateway.test")));
            assert_eq!(bench.figure("upstream_retries_total"), 2);
        }
    }
}

#[test]
fn without_leave_an_idempotency_key_changes_nothing() {
    let upstream = mends_after(1, |stream| reply(stream, "503 Busy", "", "no"));
    let bench = bench(&upstream.urls(), |spec| spec.retries.statuses = vec![503]);
    let answer = bench.call("POST", "/shop/pets", "Idempotency-Key: 7\r\n", "abc");
    assert_eq!(answer.status, 503);
}

#[test]
fn attempts_and_the_budget_bound_retries() {
    let busy = || Upstream::start(|_, stream| reply(stream, "503 Busy", "", "no"));
    let upstream = busy();
    let attempts = bench(&upstream.urls(), |spec| {
        spec.retries.statuses = vec![503];
        spec.retries.attempts_max = 4;
    });
    assert_eq!(attempts.get("/shop/pets").status, 503);
    assert_eq!(upstream.received().len(), 4);
    let upstream = busy();
    let budget = bench(&upstream.urls(), |spec| {
        spec.retries = Retries {
            statuses: vec![503],
            budget_percent: 50,
            budget_per_second_min: 0,
            backoff_ms: 0,
            ..Retries::default()
        };
    });
    for _ in 0..8 {
        assert_eq!(budget.get("/shop/pets").status, 503);
    }
    assert_eq!(upstream.received().len(), 12);
}

#[test]
fn retry_after_is_heeded() {
    for (field, expected, received) in [("Retry-After: 60\r\n", 503, 1), ("Retry-After: 0\r\n", 200, 2)] {
        let upstream = mends_after(1, move |stream| reply(stream, "503 Busy", field, "no"));
        let bench = bench(&upstream.urls(), |spec| spec.retries.statuses = vec![503]);
        assert_eq!(bench.get("/shop/pets").status, expected, "{field}");
        assert_eq!(upstream.received().len(), received);
    }
}

#[test]
fn resets_and_timeouts_are_tried_again_where_that_is_said() {
    for (on, answer_ms) in [(RetryOn::Reset, 30_000), (RetryOn::Timeout, 100)] {
        let fail = move |_: &mut std::net::TcpStream| {
            if on == RetryOn::Timeout {
                thread::sleep(Duration::from_millis(400));
            }
            false
        };
        let upstream = mends_after(1, fail);
        let again = bench(&upstream.urls(), |spec| {
            spec.retries.on = vec![on];
            spec.timeouts.answer_ms = answer_ms;
        });
        assert_eq!(
            again.call("PUT", "/shop/pets/1", "", "abc").text(),
            "abc",
            "{on:?}"
        );
        let upstream = mends_after(1, fail);
        let never = bench(&upstream.urls(), |spec| {
            spec.retries.on = vec![on];
            spec.timeouts.answer_ms = answer_ms;
            spec.retries.attempts_max = 1;
        });
        assert!(never.get("/shop/pets").status >= 502);
    }
}

#[test]
fn all_attempts_together_have_a_time() {
    let upstream = Upstream::start(|_, stream| reply(stream, "503 Busy", "", "no"));
    let bench = bench(&upstream.urls(), |spec| {
        spec.retries.statuses = vec![503];
        spec.retries.attempts_max = 10;
        spec.retries.backoff_ms = 60_000;
        spec.retries.backoff_max_ms = 60_000;
        spec.timeouts.total_ms = 200;
    });
    // Unless chance makes the wait short, there is no time for it.
    let answer = bench.get("/shop/pets");
    assert_eq!(answer.problem(), "504 upstream_timeout");
    let (slow, release) = held();
    let bench = self::bench(&slow.urls(), |spec| spec.timeouts.total_ms = 100);
    assert_eq!(bench.get("/shop/pets").problem(), "504 upstream_timeout");
    drop(release);
}

#[test]
fn connecting_is_tried_as_often_as_is_said() {
    let gone = || {
        format!(
            "http://{}",
            std::net::TcpListener::bind("127.0.0.1:0")
                .unwrap()
                .local_addr()
                .unwrap()
        )
    };
    for (on, attempts_max, expected) in [
        (vec![RetryOn::ConnectFailure], 3, 200),
        (vec![RetryOn::ConnectFailure], 2, 502),
        (vec![], 3, 502),
    ] {
        let fine = Upstream::simple();
        let bench = bench(&[gone(), gone(), fine.url()], |spec| {
            spec.retries.on = on.clone();
            spec.retries.attempts_max = attempts_max;
        });
        assert_eq!(
            bench.call("POST", "/shop/pets", "", "abc").status,
            expected,
            "{on:?} {attempts_max}"
        );
    }
}

#[test]
fn a_circuit_opens_and_closes_again() {
    let upstream = mends_after(4, |stream| reply(stream, "500 Broken", "", "no"));
    let bench = bench(&upstream.urls(), |spec| {
        spec.circuit_breaker = Some(CircuitBreaker {
            calls_min: 4,
            open_ms: 300,
            probes: 1,
            ..CircuitBreaker::default()
        });
    });
    for _ in 0..4 {
        assert_eq!(bench.get("/shop/pets").status, 500);
    }
    let refused = bench.get("/shop/pets");
    assert_eq!(refused.problem(), "503 circuit_open");
    assert_eq!(refused.field("retry-after"), Some("1"));
    assert_eq!((upstream.received().len(), bench.figure("circuits_open")), (4, 1));
    eventually(|| bench.get("/shop/pets").status == 200);
    assert_eq!(bench.figure("circuits_open"), 0);
    assert!(
        bench
            .get("/health/upstreams")
            .text()
            .contains("\"circuit\":\"closed\"")
    );
}

#[test]
fn failures_in_a_row_open_a_circuit_too() {
    let upstream = Upstream::start(|_, stream| {
        let _ = stream.write_all(b"garbage\r\n\r\n");
        false
    });
    let bench = bench(&upstream.urls(), |spec| {
        spec.circuit_breaker = Some(CircuitBreaker {
            failure_percent: 0,
            consecutive_failures: 2,
            window_ms: 1_000,
            ..CircuitBreaker::default()
        });
    });
    let problems: Vec<_> = (0..3).map(|_| bench.get("/shop/pets").problem()).collect();
    assert_eq!(
        problems,
        ["502 upstream_invalid", "502 upstream_invalid", "503 circuit_open"]
    );
}

#[test]
fn an_upstream_has_no_more_calls_than_it_may_and_some_wait() {
    let (upstream, release) = held();
    let bench = bench(&upstream.urls(), |spec| {
        spec.concurrency = Concurrency {
            calls_max: 2,
            waiting_max: 1,
            wait_ms: 20_000,
            ..Concurrency::default()
        };
    });
    let mut first = [begin(&bench), begin(&bench)];
    eventually(|| upstream.received().len() == 2);
    let mut waits = begin(&bench);
    eventually(|| {
        bench
            .get("/health/upstreams")
            .text()
            .contains("\"calls_waiting\":1")
    });
    let refused = bench.get("/shop/pets");
    assert_eq!(refused.problem(), "503 upstream_overloaded");
    assert_eq!(refused.field("retry-after"), Some("1"));
    assert_eq!(upstream.received().len(), 2);
    (0..3).for_each(|_| release.send(()).unwrap());
    for client in first.iter_mut().chain([&mut waits]) {
        assert_eq!(client.answer().status, 200);
    }
    bench.change(|snapshot| snapshot.upstreams[0].spec.concurrency.wait_ms = 50);
    let mut last = [begin(&bench), begin(&bench)];
    eventually(|| upstream.received().len() == 5);
    assert_eq!(
        bench.get("/shop/pets").problem(),
        "503 upstream_overloaded",
        "it waited in vain"
    );
    (0..2).for_each(|_| release.send(()).unwrap());
    for client in &mut last {
        assert_eq!(client.answer().status, 200);
    }
}

#[test]
fn the_number_of_calls_may_be_found_out() {
    let (upstream, release) = held();
    let bench = bench(&upstream.urls(), |spec| {
        spec.concurrency = Concurrency {
            adaptive: true,
            adaptive_min: 1,
            adaptive_max: 2,
            ..Concurrency::default()
        };
    });
    let mut clients = [begin(&bench), begin(&bench)];
    eventually(|| upstream.received().len() == 2);
    assert_eq!(bench.get("/shop/pets").problem(), "503 upstream_overloaded");
    (0..3).for_each(|_| release.send(()).unwrap());
    for client in &mut clients {
        assert_eq!(client.answer().status, 200);
    }
    eventually(|| bench.get("/shop/pets").status == 200);
}

/// Adds routes that matter less and more than the first one.
fn add_less_and_more(snapshot: &mut Snapshot) {
    let route = &snapshot.routes[0];
    let (mut sheddable, mut critical) = (route.clone(), route.clone());
    (sheddable.id, critical.id) = (RouteId::new(id(601)), RouteId::new(id(602)));
    (sheddable.base_path, critical.base_path) = ("/extra".to_owned(), "/vital".to_owned());
    (sheddable.importance, critical.importance) = (Importance::Sheddable, Importance::Critical);
    snapshot.routes.extend([sheddable, critical]);
}

/// The same for all that a node has at a time, whatever the upstream may have.
#[test]
fn a_node_refuses_what_matters_less_first() {
    let (upstream, release) = held();
    let bench = Bench::with(&upstream.urls(), |settings, snapshot| {
        settings.limits.calls_max = 10;
        add_less_and_more(snapshot);
    });
    let mut clients = Vec::new();
    for (base_path, most) in [("/extra", 6), ("/shop", 8), ("/vital", 10)] {
        while clients.len() < most {
            clients.push(begin_at(&bench, base_path));
            eventually(|| upstream.received().len() == clients.len());
        }
        let refused = bench.get(&format!("{base_path}/pets"));
        assert_eq!(refused.problem(), "429 concurrency_limited");
        assert_eq!(
            refused.text().contains("matter more"),
            most < 10,
            "{}",
            refused.text()
        );
    }
    (0..10).for_each(|_| release.send(()).unwrap());
    for client in &mut clients {
        assert_eq!(client.answer().status, 200);
    }
    release.send(()).unwrap();
    eventually(|| bench.get("/extra/pets").status == 200);
}

/// Calls of routes of all three kinds to one upstream; the least important come first and take what they may.
#[test]
fn what_matters_less_is_refused_first() {
    let adaptive = Concurrency {
        adaptive: true,
        adaptive_min: 10,
        adaptive_max: 10,
        ..Concurrency::default()
    };
    let bounded = Concurrency {
        calls_max: 10,
        waiting_max: 10,
        wait_ms: 1,
        ..Concurrency::default()
    };
    for concurrency in [adaptive, bounded] {
        let (upstream, release) = held();
        let bench = Bench::with(&upstream.urls(), |settings, snapshot| {
            settings.cores = 1;
            snapshot.upstreams[0].spec.concurrency = concurrency;
            add_less_and_more(snapshot);
        });
        let mut clients = Vec::new();
        for (base_path, most) in [("/extra", 6), ("/shop", 8), ("/vital", 10)] {
            while clients.len() < most {
                clients.push(begin_at(&bench, base_path));
                eventually(|| upstream.received().len() == clients.len());
            }
            let refused = bench.get(&format!("{base_path}/pets"));
            let expected = if most < 10 {
                "503 call_shed"
            } else {
                "503 upstream_overloaded"
            };
            assert_eq!(
                (refused.problem().as_str(), refused.field("retry-after")),
                (expected, Some("1"))
            );
        }
        assert_eq!(bench.get("/extra/pets").problem(), "503 call_shed");
        (0..12).for_each(|_| release.send(()).unwrap());
        for client in &mut clients {
            assert_eq!(client.answer().status, 200);
        }
        eventually(|| bench.get("/extra/pets").status == 200);
    }
}

/// Nothing is kept back for what does not exist.
#[test]
fn routes_that_matter_alike_share_everything() {
    let (upstream, release) = held();
    let bench = Bench::with(&upstream.urls(), |settings, snapshot| {
        settings.cores = 1;
        snapshot.upstreams[0].spec.concurrency.calls_max = 2;
        snapshot.routes[0].importance = Importance::Sheddable;
    });
    let mut clients = [begin(&bench), begin(&bench)];
    eventually(|| upstream.received().len() == 2);
    assert_eq!(bench.get("/shop/pets").problem(), "503 upstream_overloaded");
    (0..2).for_each(|_| release.send(()).unwrap());
    for client in &mut clients {
        assert_eq!(client.answer().status, 200);
    }
}

#[test]
fn connections_are_bounded_and_calls_wait_for_them() {
    let (upstream, release) = held();
    let bench = bench(&upstream.urls(), |spec| {
        spec.connections = Connections {
            max: 1,
            waiting_max: 1,
            ..Connections::default()
        };
    });
    let mut first = begin(&bench);
    eventually(|| upstream.received().len() == 1);
    let mut second = begin(&bench);
    // Whoever comes third finds the second waiting.
    eventually(|| bench.figure("requests_in_flight") == 2);
    assert_eq!(bench.get("/shop/pets").problem(), "503 upstream_overloaded");
    (0..2).for_each(|_| release.send(()).unwrap());
    assert_eq!((first.answer().status, second.answer().status), (200, 200));
    assert_eq!(upstream.connections(), 1);
    bench.change(|snapshot| snapshot.upstreams[0].spec.timeouts.connect_ms = 50);
    let mut third = begin(&bench);
    eventually(|| upstream.received().len() == 3);
    assert_eq!(
        bench.get("/shop/pets").problem(),
        "503 upstream_overloaded",
        "it waited in vain"
    );
    release.send(()).unwrap();
    assert_eq!(third.answer().status, 200);
}

#[test]
fn a_connection_ends_after_its_calls_and_after_its_time() {
    let upstream = Upstream::simple();
    let calls = bench(&upstream.urls(), |spec| spec.connections.calls_max = 2);
    for _ in 0..4 {
        assert_eq!(calls.get("/shop/pets").status, 200);
    }
    assert_eq!(upstream.connections(), 2);
    let upstream = Upstream::simple();
    let idle = bench(&upstream.urls(), |spec| spec.connections.idle_ms = 100);
    assert_eq!(idle.get("/shop/pets").status, 200);
    thread::sleep(Duration::from_millis(300));
    assert_eq!(idle.get("/shop/pets").status, 200);
    assert_eq!(upstream.connections(), 2);
}

#[test]
fn a_second_target_is_asked_when_the_first_takes_long() {
    let (slow, release) = held();
    let fast = Upstream::simple();
    let bench = bench(&[slow.url(), fast.url()], |spec| {
        spec.hedging = Some(Hedging { after_ms: 50 });
    });
    assert_eq!(bench.get("/shop/pets").text(), "hello");
    assert_eq!(
        (slow.received().len(), bench.figure("upstream_hedges_total")),
        (1, 1)
    );
    // The loser's connection is closed, so that its service may stop.
    eventually(|| bench.figure("upstream_connections_open") - bench.figure("upstream_connections_idle") == 0);
    drop(release);
    let (slow, release) = held();
    let other = Upstream::simple();
    let bench = self::bench(&[slow.url(), other.url()], |spec| {
        spec.hedging = Some(Hedging { after_ms: 50 });
        spec.retries.budget_per_second_min = 0;
    });
    let mut client = begin(&bench);
    eventually(|| slow.received().len() == 1);
    thread::sleep(Duration::from_millis(200));
    release.send(()).unwrap();
    assert_eq!(client.answer().text(), "ok", "the budget is used up");
    let posted = self::bench(&other.urls(), |spec| spec.hedging = Some(Hedging { after_ms: 1 }));
    assert_eq!(posted.call("POST", "/shop/pets", "", "abc").status, 200);
    assert_eq!(posted.figure("upstream_hedges_total"), 0);
}

/// A service that takes calls and answers none, beside one that answers all that are asked a second time.
fn hung_and_fine(algorithm: Algorithm) -> (Upstream, mpsc::Sender<()>, Bench) {
    let (hung, release) = held();
    let bench = bench(&[hung.url(), Upstream::simple().url()], |spec| {
        spec.balancing.algorithm = algorithm;
        spec.hedging = Some(Hedging { after_ms: 50 });
        spec.retries.budget_per_second_min = 1_000;
        spec.outlier_detection = Some(OutlierDetection {
            consecutive_failures: 3,
            ..OutlierDetection::default()
        });
    });
    (hung, release, bench)
}

#[test]
fn a_target_that_loses_is_slow() {
    let (hung, _release, bench) = hung_and_fine(Algorithm::P2cEwma);
    for _ in 0..30 {
        assert_eq!(bench.get("/shop/pets").text(), "hello");
    }
    let asked = hung.received().len();
    assert!(asked <= 10, "{asked} of 30");
}

#[test]
fn a_target_that_only_loses_is_left_out() {
    let (hung, _release, bench) = hung_and_fine(Algorithm::RoundRobin);
    eventually(|| {
        assert_eq!(bench.get("/shop/pets").text(), "hello");
        bench.figure("targets_ejected") == 1
    });
    // Each takes 50 ms: what has been silent for 200 ms fails, and three failures are enough.
    let asked = hung.received().len();
    assert!((3..=10).contains(&asked), "{asked}");
    for _ in 0..4 {
        assert_eq!(bench.get("/shop/pets").text(), "hello");
    }
    assert_eq!(hung.received().len(), asked);
}

#[test]
fn a_target_that_answers_between_losses_is_kept() {
    let count = AtomicUsize::new(0);
    let slow_at_times = Upstream::start(move |_, stream| {
        if count.fetch_add(1, Ordering::SeqCst).is_multiple_of(2) {
            thread::sleep(Duration::from_millis(150));
        }
        reply(stream, "200 OK", "", "hello")
    });
    let bench = bench(&[slow_at_times.url(), Upstream::simple().url()], |spec| {
        spec.hedging = Some(Hedging { after_ms: 100 });
        spec.retries.budget_per_second_min = 1_000;
        spec.outlier_detection = Some(OutlierDetection {
            consecutive_failures: 1,
            ..OutlierDetection::default()
        });
    });
    for _ in 0..16 {
        assert_eq!(bench.get("/shop/pets").text(), "hello");
    }
    assert_eq!(bench.figure("targets_ejected"), 0);
    assert!(bench.figure("upstream_hedges_total") >= 4);
}

#[test]
fn an_answer_is_there_when_the_upstream_gives_none() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let broken = Upstream::start(|_, _| false);
    for url in [format!("http://{gone}"), broken.url()] {
        let bench = bench(&[url], |spec| {
            spec.fallback = Some(Fallback {
                last_good: None,
                status: Some(200),
                content_type: "text/plain".to_owned(),
                body: "come back later".to_owned(),
            });
        });
        let answer = bench.get("/shop/pets");
        assert_eq!((answer.status, answer.text()), (200, "come back later"));
        assert_eq!(answer.field("content-type"), Some("text/plain"));
        let head = bench.call("HEAD", "/shop/pets", "", "");
        assert_eq!(
            (head.status, head.body.len(), head.field("content-length")),
            (200, 0, Some("15"))
        );
        assert_eq!(bench.figure("upstream_fallbacks_total"), 2);
        assert_eq!(bench.record().status, 200);
    }
    let failing = Upstream::start(|_, stream| reply(stream, "500 Broken", "", "its own"));
    let bench = bench(&failing.urls(), |spec| {
        spec.fallback = Some(Fallback {
            last_good: None,
            status: Some(503),
            content_type: "text/plain".to_owned(),
            body: String::new(),
        });
    });
    assert_eq!(
        bench.get("/shop/pets").text(),
        "its own",
        "an answer is an answer"
    );
}
