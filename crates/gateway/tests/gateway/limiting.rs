//! Costs, soft modes, open calls, failures and bandwidth.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use domain::limit::CallRate;
use domain::limit::{Mode, OverLimit, Period, Quota, RateLimit, TierCosts};
use serde_json::json;

use crate::bench::{Answer, Bench, Upstream, eventually, policy, reply};

/// A bench whose API has one more policy.
fn with_policy(upstream: &Upstream, kind: &str, config: serde_json::Value) -> Bench {
    Bench::with(&upstream.urls(), |_, snapshot| {
        snapshot.routes[0].policies.push(policy(kind, config));
    })
}

fn over(mode: Mode, from_percent: u8) -> OverLimit {
    OverLimit {
        mode,
        from_percent,
        ..OverLimit::default()
    }
}

fn left(answer: &Answer) -> &str {
    answer.field("ratelimit").expect("a limit is told")
}

#[test]
fn calls_cost_what_their_operation_says_on_every_limit() {
    let upstream = Upstream::simple();
    let bench = Bench::with(&upstream.urls(), |_, snapshot| {
        let plan = &mut snapshot.plans[0];
        plan.rate_limit = Some(RateLimit::new(100, 3600, None));
        plan.quota = Some(Quota::new(100, Period::Month));
        plan.tier_costs = Some(TierCosts {
            expensive: 40,
            ..TierCosts::default()
        });
        let route = &mut snapshot.routes[0];
        let mut own = policy("call_cost", json!({ "tier": "expensive" }));
        own.operation = Some(route.operations[1].id);
        route.policies.push(own);
        let body = json!({ "expression": "method == 'PUT' ? 1 + body_bytes : 1" });
        route.policies.push(policy("call_cost", body));
    });
    for (method, path, body, remaining) in [
        ("GET", "/shop/pets", "", 99),
        ("PUT", "/shop/pets/1", "123456789", 89),
        ("POST", "/shop/pets", "", 49),
        ("POST", "/shop/pets", "", 9),
    ] {
        let answer = bench.call(method, path, "", body);
        assert_eq!(answer.status, 200);
        assert!(
            left(&answer).starts_with(&format!("\"free\";r={remaining};")),
            "{answer:?}"
        );
        assert!(
            left(&answer).contains(&format!("\"free-month\";r={remaining};")),
            "{answer:?}"
        );
    }
    let refused = bench.call("POST", "/shop/pets", "", "");
    assert_eq!(refused.problem(), "429 rate_limited");
    assert!(
        refused.text().contains("this one counts for 40"),
        "{}",
        refused.text()
    );
    assert_eq!(bench.get("/shop/pets").status, 200, "a cheap one still passes");
    let units: Vec<_> = (0..6).map(|_| bench.record().units).collect();
    assert_eq!(units.iter().filter(|units| **units == 40).count(), 2, "{units:?}");
    assert!(units.contains(&10));
}

#[test]
fn what_is_over_a_soft_limit_passes_and_is_told() {
    let upstream = Upstream::simple();
    let bench = Bench::with(&upstream.urls(), |_, snapshot| {
        snapshot.plans[0].rate_limit = Some(RateLimit {
            over_limit: over(Mode::Warn, 50),
            ..RateLimit::new(2, 3600, None)
        });
    });
    let first = bench.get("/shop/pets");
    assert_eq!((first.status, first.field("gateline-over-limit")), (200, None));
    let warned = bench.get("/shop/pets");
    assert_eq!(
        (warned.status, warned.field("gateline-over-limit")),
        (200, Some("\"free\";mode=warn"))
    );
    let refused = bench.get("/shop/pets");
    assert_eq!(refused.problem(), "429 rate_limited");
    assert_eq!(bench.figure("limits_warned_total"), 1);
    let modes: Vec<_> = (0..3).map(|_| bench.record().over_limit).collect();
    assert_eq!(
        modes.iter().filter(|mode| **mode == Some(Mode::Warn)).count(),
        1,
        "{modes:?}"
    );
}

#[test]
fn the_service_behind_is_told_of_degraded_calls_by_nobody_else() {
    let upstream = Upstream::simple();
    let bench = Bench::with(&upstream.urls(), |_, snapshot| {
        snapshot.plans[0].quota = Some(Quota {
            over_limit: over(Mode::Degrade, 100),
            ..Quota::new(1, Period::Month)
        });
    });
    let call = || bench.call("GET", "/shop/pets", "Gateline-Degraded: no\r\n", "");
    assert_eq!(call().status, 200);
    assert_eq!(upstream.last().fields.get("gateline-degraded"), None);
    let over = call();
    assert_eq!(
        (over.status, over.field("gateline-over-limit")),
        (200, Some("\"free-month\";mode=degrade"))
    );
    assert_eq!(upstream.last().fields.get("gateline-degraded"), Some("quota"));
    assert_eq!(bench.figure("limits_degraded_total"), 1);
}

#[test]
fn calls_that_come_too_fast_wait_for_their_turn() {
    let upstream = Upstream::simple();
    let limit = json!({
        "requests": 5, "window_seconds": 1, "burst": 1,
        "over_limit": { "mode": "slow_down", "delay_ms_max": 700 },
    });
    let bench = with_policy(&upstream, "rate_limit", limit);
    let began = Instant::now();
    let answers: Vec<_> = std::thread::scope(|scope| {
        let calls: Vec<_> = (0..24)
            .map(|_| scope.spawn(|| bench.get("/shop/pets").status))
            .collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    let passed = answers.iter().filter(|status| **status == 200).count();
    let refused = answers.iter().filter(|status| **status == 429).count();
    assert_eq!(passed + refused, 24, "{answers:?}");
    assert!(
        passed >= 4 && refused >= 1,
        "one at once, three within 700 ms, the others not: {answers:?}"
    );
    let least = Duration::from_millis(200 * (passed as u64 - 1));
    assert!(
        began.elapsed() >= least,
        "{passed} calls in {:?}",
        began.elapsed()
    );
    assert!(bench.figure("limits_delayed_total") >= 3);
    assert!(bench.figure("limits_delay_microseconds_total") >= 600_000);
}

/// An upstream that answers when it is let.
fn waiting() -> (Upstream, Arc<AtomicBool>) {
    let free = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&free);
    let upstream = Upstream::start(move |_, stream| {
        while !seen.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(1));
        }
        reply(stream, "200 OK", "", "done")
    });
    (upstream, free)
}

#[test]
fn open_calls_are_bounded_and_end_with_their_answer_or_their_client() {
    let (upstream, free) = waiting();
    let bench = Bench::with(&upstream.urls(), |_, snapshot| {
        snapshot.plans[0].concurrent_calls_max = Some(2);
        let limit = json!({ "calls_max": 3, "per": "address" });
        snapshot.routes[0]
            .policies
            .push(policy("concurrency_limit", limit));
    });
    let head = format!(
        "GET /shop/pets HTTP/1.1\r\nHost: g\r\nX-API-Key: {}\r\n\r\n",
        bench.key
    );
    let [mut first, mut second] = [(); 2].map(|()| bench.connect());
    first.send(head.as_bytes());
    second.send(head.as_bytes());
    eventually(|| upstream.received().len() == 2);
    let refused = bench.get("/shop/pets");
    assert_eq!(refused.problem(), "429 concurrency_limited");
    assert_eq!(refused.field("retry-after"), Some("1"));
    assert_eq!(
        (refused.field("ratelimit-policy"), refused.field("ratelimit")),
        (
            Some("\"free-concurrent\";q=2;qu=\"concurrent-requests\""),
            Some("\"free-concurrent\";r=0")
        )
    );
    // A client that goes away leaves room for another one.
    drop(first);
    eventually(|| bench.figure("requests_in_flight") == 1);
    let mut third = bench.connect();
    third.send(head.as_bytes());
    eventually(|| upstream.received().len() == 3);
    assert_eq!(bench.get("/shop/pets").problem(), "429 concurrency_limited");
    free.store(true, Ordering::SeqCst);
    assert_eq!((second.answer().status, third.answer().status), (200, 200));
    eventually(|| bench.figure("requests_in_flight") == 0);
    let both = Arc::new(Barrier::new(2));
    let statuses: Vec<_> = std::thread::scope(|scope| {
        let calls: Vec<_> = (0..2)
            .map(|_| {
                let both = Arc::clone(&both);
                let bench = &bench;
                scope.spawn(move || {
                    both.wait();
                    bench.get("/shop/pets").status
                })
            })
            .collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    assert_eq!(statuses, [200, 200], "all have ended");
}

#[test]
fn a_policy_bounds_open_calls_of_all() {
    let (upstream, free) = waiting();
    let bench = with_policy(
        &upstream,
        "concurrency_limit",
        json!({ "calls_max": 1, "per": "route" }),
    );
    let mut first = bench.connect();
    first.send(
        format!(
            "GET /shop/pets HTTP/1.1\r\nHost: g\r\nX-API-Key: {}\r\n\r\n",
            bench.key
        )
        .as_bytes(),
    );
    eventually(|| upstream.received().len() == 1);
    assert_eq!(bench.get("/shop/pets").problem(), "429 concurrency_limited");
    bench.change(|snapshot| snapshot.routes[0].body_bytes_max += 1);
    assert_eq!(
        bench.get("/shop/pets").problem(),
        "429 concurrency_limited",
        "open calls count on in the next snapshot"
    );
    free.store(true, Ordering::SeqCst);
    assert_eq!(first.answer().status, 200);
    eventually(|| bench.get("/shop/pets").status == 200);
}

#[test]
fn only_failures_count_wherever_they_are_made() {
    let upstream = Upstream::start(|received, stream| {
        let status = match received.fields.get("x-password") {
            Some("right") => "200 OK",
            _ => "401 Unauthorized",
        };
        reply(stream, status, "", "")
    });
    let bench = Bench::with(&upstream.urls(), |_, snapshot| {
        let sign_in = json!({
            "requests": 2, "window_seconds": 3600, "per": "path", "attribute": "id", "only_statuses": ["401"],
        });
        let keys = json!({
            "requests": 2, "window_seconds": 3600, "per": "address", "only_statuses": ["401"],
        });
        let mut keys = policy("rate_limit", keys);
        keys.id = Some(domain::id::PolicyId::new(uuid::Uuid::from_u128(5)));
        snapshot.routes[0].policies.push(policy("rate_limit", sign_in));
        snapshot.routes[0].policies.push(keys);
    });
    let call = |id: &str, password: &str| {
        let head = format!("X-Password: {password}\r\n");
        bench.call("GET", &format!("/shop/pets/{id}"), &head, "").status
    };
    for _ in 0..3 {
        assert_eq!(call("joe", "right"), 200);
    }
    assert_eq!(call("joe", "wrong"), 401);
    assert_eq!(call("joe", "right"), 200);
    assert_eq!(call("%6aoe", "wrong"), 401);
    assert_eq!(call("joe", "right"), 429, "the account is closed for a while");
    assert_eq!(
        call("ann", "right"),
        429,
        "and the address, which failed as often"
    );
    let mut stranger = bench.connect();
    stranger.send(b"GET /shop/pets HTTP/1.1\r\nHost: g\r\n\r\n");
    assert_eq!(
        stranger.answer().problem(),
        "429 rate_limited",
        "its key is not even looked at"
    );
}

/// An upstream that answers with a status when it is let.
fn refusing(status: &'static str) -> (Upstream, Arc<AtomicBool>) {
    let free = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&free);
    let upstream = Upstream::start(move |_, stream| {
        while !seen.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(1));
        }
        reply(stream, status, "", "")
    });
    (upstream, free)
}

fn failures(requests: u32, per: &str, attribute: Option<&str>) -> serde_json::Value {
    json!({
        "requests": requests, "window_seconds": 3600, "per": per, "attribute": attribute, "only_statuses": ["401"],
    })
}

#[test]
fn failures_at_once_are_no_more_than_failures_one_by_one() {
    let (upstream, free) = refusing("401 Unauthorized");
    let bench = with_policy(&upstream, "rate_limit", failures(3, "path", Some("id")));
    let refused = AtomicUsize::new(0);
    let call = || {
        let status = bench.get("/shop/pets/joe").status;
        refused.fetch_add(usize::from(status == 429), Ordering::SeqCst);
        status
    };
    let statuses: Vec<_> = std::thread::scope(|scope| {
        let calls: Vec<_> = (0..12).map(|_| scope.spawn(call)).collect();
        eventually(|| refused.load(Ordering::SeqCst) == 9);
        free.store(true, Ordering::SeqCst);
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    assert_eq!(
        statuses.iter().filter(|status| **status == 401).count(),
        3,
        "{statuses:?}"
    );
    assert_eq!(upstream.received().len(), 3);
    assert_eq!(bench.get("/shop/pets/joe").problem(), "429 rate_limited");
    assert_eq!(
        bench.get("/shop/pets/ann").status,
        401,
        "others are not held for it"
    );
}

#[test]
fn who_succeeds_or_goes_away_is_counted_as_it_is_said() {
    let (upstream, free) = refusing("200 OK");
    let bench = with_policy(&upstream, "rate_limit", failures(1, "path", Some("id")));
    let call = |id: &str| bench.get(&format!("/shop/pets/{id}")).status;
    let head = format!(
        "GET /shop/pets/joe HTTP/1.1\r\nHost: g\r\nX-API-Key: {}\r\n\r\n",
        bench.key
    );
    let mut gone = bench.connect();
    gone.send(head.as_bytes());
    eventually(|| upstream.received().len() == 1);
    assert_eq!(call("joe"), 429, "nobody knows yet how the first one ends");
    drop(gone);
    eventually(|| bench.figure("requests_in_flight") == 0);
    free.store(true, Ordering::SeqCst);
    assert_eq!(call("joe"), 429, "who does not wait for the answer has tried");
    for _ in 0..3 {
        assert_eq!(call("ann"), 200, "success costs nothing");
    }
}

#[test]
fn an_account_is_the_same_however_it_is_written() {
    let (upstream, free) = refusing("401 Unauthorized");
    free.store(true, Ordering::SeqCst);
    let bench = with_policy(&upstream, "rate_limit", failures(2, "query", Some("account")));
    let call = |query: &str| bench.get(&format!("/shop/pets?{query}"));
    assert_eq!(call("account=ann").status, 401);
    assert_eq!(call("%61ccount=ann").status, 401);
    for query in ["account=ann", "acc%6Funt=%61nn", "account=ann&account=ann"] {
        assert_eq!(call(query).problem(), "429 rate_limited", "{query}");
    }
    for query in ["account=zoe&account=ann", "account=ann&%61ccount=zoe"] {
        assert_eq!(call(query).problem(), "400 parameter_invalid", "{query}");
    }
    assert_eq!(call("account=zoe").status, 401);
}

#[test]
fn failed_keys_close_an_address() {
    let upstream = Upstream::simple();
    let limit = json!({ "requests": 2, "window_seconds": 3600, "per": "address", "only_statuses": ["401"] });
    let bench = with_policy(&upstream, "rate_limit", limit);
    let mut guesses = Vec::new();
    for _ in 0..3 {
        let mut client = bench.connect();
        client.send(b"GET /shop/pets HTTP/1.1\r\nHost: g\r\nX-API-Key: gl_guess\r\n\r\n");
        guesses.push(client.answer().problem());
    }
    assert_eq!(
        guesses,
        ["401 key_malformed", "401 key_malformed", "429 rate_limited"]
    );
}

#[test]
fn bodies_flow_no_faster_than_their_bandwidth() {
    let body = "x".repeat(60_000);
    let sent = body.clone();
    let upstream = Upstream::start(move |_, stream| reply(stream, "200 OK", "", &sent));
    let limit = json!({ "answer_bytes_per_second": 40_000, "burst_bytes": 20_000 });
    let bench = with_policy(&upstream, "bandwidth_limit", limit);
    let began = Instant::now();
    let answer = bench.get("/shop/pets");
    assert_eq!(
        (answer.status, answer.body.len(), answer.is_whole),
        (200, 60_000, true)
    );
    // 20,000 at once, and the last part need not be waited for.
    let least = Duration::from_millis(850);
    assert!(began.elapsed() >= least, "{:?}", began.elapsed());
    assert_eq!(bench.record().bytes_out, 60_000);

    bench.change(|snapshot| {
        let limit = json!({ "request_bytes_per_second": 40_000, "burst_bytes": 20_000 });
        *snapshot.routes[0].policies.last_mut().unwrap() = policy("bandwidth_limit", limit);
    });
    let began = Instant::now();
    assert_eq!(bench.call("POST", "/shop/pets", "", &body).status, 200);
    assert!(began.elapsed() >= least, "{:?}", began.elapsed());
    assert_eq!(upstream.last().body.len(), 60_000);
}

#[test]
fn a_node_takes_only_so_much_whatever_is_called() {
    let upstream = Upstream::simple();
    let rate = CallRate {
        requests: 2,
        window_seconds: 3600,
        burst: None,
    };
    let bench = Bench::with(&upstream.urls(), |settings, _| {
        settings.limits.address_rate = Some(rate);
    });
    assert_eq!(bench.get("/nowhere").problem(), "404 route_not_found");
    assert_eq!(bench.get("/shop/pets").status, 200);
    assert_eq!(bench.get("/nowhere").problem(), "429 rate_limited");
    assert_eq!(bench.get("/shop/pets").problem(), "429 rate_limited");
    assert_eq!(bench.get("/health/live").status, 200);
    let bench = Bench::with(&upstream.urls(), |settings, _| settings.limits.rate = Some(rate));
    let statuses = [(); 3].map(|()| bench.get("/shop/pets").status);
    assert_eq!(statuses, [200, 200, 429]);

    let (upstream, free) = waiting();
    let bench = Bench::with(&upstream.urls(), |settings, _| settings.limits.calls_max = 1);
    let mut first = bench.connect();
    first.send(
        format!(
            "GET /shop/pets HTTP/1.1\r\nHost: g\r\nX-API-Key: {}\r\n\r\n",
            bench.key
        )
        .as_bytes(),
    );
    eventually(|| upstream.received().len() == 1);
    assert_eq!(bench.get("/nowhere").problem(), "429 concurrency_limited");
    free.store(true, Ordering::SeqCst);
    assert_eq!(first.answer().status, 200);
    eventually(|| bench.get("/shop/pets").status == 200);
}

#[test]
fn limits_of_a_node_that_cannot_hold_are_refused() {
    let zero = CallRate {
        requests: 0,
        window_seconds: 1,
        burst: None,
    };
    let error = |change: fn(&mut gateway::settings::Limits, CallRate), rate| {
        let result = Bench::try_with(&["http://127.0.0.1:1".to_owned()], |settings, _| {
            change(&mut settings.limits, rate);
        });
        result.err().map(|error| error.to_string())
    };
    let wrong = error(|limits, rate| limits.rate = Some(rate), zero);
    assert_eq!(wrong.as_deref(), Some("gateway.limits.rate.requests: at least 1"));
    let wrong = error(|limits, _| limits.ipv6_prefix = 0, zero);
    assert_eq!(
        wrong.as_deref(),
        Some("gateway.limits.ipv6_prefix: from 1 to 128")
    );
    let wrong = error(|limits, _| limits.connections_max = 0, zero);
    assert_eq!(
        wrong.as_deref(),
        Some("gateway.limits.connections_max: 0 is less than 1")
    );
}
