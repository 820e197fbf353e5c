//! What a node remembers of its last calls, and what it notes of those that carry a debug token.

use std::net::TcpListener;
use std::time::Duration;

use domain::Timestamp;
use domain::debug::{Claims, DebugKey};
use domain::id::{DebugTokenId, OrganizationId, PolicyId, RouteId};
use domain::limit::{Mode, OverLimit, Period, Quota, RateAlgorithm, RateLimit};
use domain::recent::{CallFallback, CallStep, Noted, Remembered, StepVerdict, TryOutcome, TryReason};
use domain::routing::{FieldKind, FieldMatch};
use domain::traffic::{Algorithm, Fallback, Hedging};
use serde_json::json;

use crate::bench::{Answer, Bench, Upstream, id, policy, reply};

pub(crate) const TOKEN: &str = "a cluster token for tests";

fn remembered(bench: &Bench, request_id: &str) -> Vec<Remembered> {
    let memory = bench.gateway.as_ref().unwrap().memory();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(memory.calls(request_id))
}

/// The one call that was answered so.
pub(crate) fn explained(bench: &Bench, answer: &Answer) -> Remembered {
    let request_id = answer.field("x-request-id").unwrap();
    let mut calls = remembered(bench, request_id);
    assert_eq!(calls.len(), 1, "{request_id}");
    calls.remove(0)
}

fn kinds(steps: &[CallStep]) -> Vec<(&str, StepVerdict)> {
    steps.iter().map(|step| (&*step.kind, step.verdict)).collect()
}

fn now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.unwrap().as_secs()
}

/// A debug token of the organization whose API the bench has.
pub(crate) fn token(change: impl FnOnce(&mut Claims)) -> String {
    let mut claims = Claims {
        id: DebugTokenId::new(id(1)),
        organization: OrganizationId::new(id(7)),
        route: None,
        expires_at: now() + 60,
    };
    change(&mut claims);
    DebugKey::of(TOKEN).write(&"sandbox".parse().unwrap(), &claims)
}

fn bench(urls: &[String]) -> Bench {
    Bench::with(urls, |settings, snapshot| {
        settings.cores = 1;
        settings.sealing.trust(TOKEN);
        let plan = &mut snapshot.plans[0];
        plan.rate_limit = Some(RateLimit {
            requests: 5,
            window_seconds: 3600,
            burst: None,
            algorithm: RateAlgorithm::default(),
            over_limit: OverLimit::default(),
        });
        plan.quota = Some(Quota {
            requests: 100,
            period: Period::Day,
            over_limit: OverLimit::default(),
        });
        let mut cors = policy("cors", json!({ "origins": ["https://a.test"] }));
        cors.id = Some(PolicyId::new(id(70)));
        let headers = policy(
            "headers",
            json!({ "request": { "set": { "x-added": "secret value" } } }),
        );
        let body = policy("body_limit", json!({ "bytes": 1000 }));
        snapshot.routes[0].policies.extend([cors, headers, body]);
    })
}

#[test]
fn a_call_is_explained_by_the_id_that_its_client_was_told() {
    let upstream = Upstream::simple();
    let bench = bench(&upstream.urls());
    let answer = bench.call("POST", "/shop/pets", "", "12345");
    assert_eq!(answer.status, 200);
    let Remembered {
        provider,
        asked_by,
        call,
    } = explained(&bench, &answer);
    assert_eq!((provider, asked_by), (Some(OrganizationId::new(id(7))), None));
    assert_eq!((call.noted, call.path), (Noted::Summary, None));
    assert_eq!((&*call.method, call.status, call.code), ("POST", 200, None));
    assert_eq!(call.snapshot_revision, Some(1));
    assert_eq!(call.routing.route_id, Some(RouteId::new(id(6))));
    assert_eq!(call.routing.operation.unwrap().path, "/pets");
    assert_eq!((call.routing.missed, call.routing.tried.len()), (0, 0));
    let caller = call.caller.unwrap();
    assert_eq!(caller.organization_id, OrganizationId::new(id(9)));
    assert_eq!(
        kinds(&call.steps),
        [
            ("cors", StepVerdict::Passed),
            ("headers", StepVerdict::Passed),
            ("key_auth", StepVerdict::Passed),
            ("plan_rate", StepVerdict::Passed),
            ("body_limit", StepVerdict::Passed),
            ("plan_quota", StepVerdict::Passed),
        ]
    );
    assert_eq!(call.steps[0].policy_id, Some(PolicyId::new(id(70))));
    let limits: Vec<_> = call
        .limits
        .iter()
        .map(|limit| (&*limit.name, limit.limit, limit.window_seconds, limit.remaining))
        .collect();
    assert_eq!(
        limits,
        [
            ("plan_rate", 5, Some(3600), 4),
            ("plan_quota", 100, Some(86_400), 99)
        ]
    );
    assert_eq!((call.cost, call.bytes_in, call.bytes_out), (1, 5, 5));
    let went = call.upstream.unwrap();
    assert_eq!((&*went.algorithm, went.fallback), ("only", None));
    let [one] = went.tries.as_slice() else {
        panic!("{:?}", went.tries)
    };
    assert_eq!(one.target, upstream.url());
    assert_eq!((one.reason, one.is_reused), (TryReason::First, false));
    assert_eq!((one.outcome, one.status), (TryOutcome::Answered, Some(200)));
    let timing = call.timing;
    let times = [timing.decided_us, timing.sent_us, timing.first_byte_us].map(Option::unwrap);
    assert!(times.is_sorted(), "{timing:?}");
    assert!(timing.ended_us >= u64::from(times[2]), "{timing:?}");
}

#[test]
fn the_client_s_own_id_finds_all_calls_that_had_it() {
    let upstream = Upstream::simple();
    let bench = bench(&upstream.urls());
    for _ in 0..3 {
        bench.call("GET", "/shop/pets", "X-Request-ID: mine-1\r\n", "");
    }
    bench.call("GET", "/shop/pets", "X-Request-ID: mine-2\r\n", "");
    let calls = remembered(&bench, "mine-1");
    assert_eq!(calls.len(), 3);
    let times: Vec<_> = calls.iter().map(|one| one.call.started_at).collect();
    assert!(times.is_sorted_by(|one, other| one >= other), "{times:?}");
    // The node's own id of a call finds it as well.
    let own = remembered(&bench, &calls[0].call.id.to_string());
    assert_eq!(own.len(), 1);
    assert_eq!(remembered(&bench, "mine-3").len(), 0);
}

#[test]
fn who_refused_a_call_is_told_and_what_did_not_run() {
    let upstream = Upstream::simple();
    let mut bench = bench(&upstream.urls());
    let key = std::mem::replace(&mut bench.key, "nonsense".to_owned());
    let answer = bench.get("/shop/pets");
    bench.key = key;
    assert_eq!(answer.status, 401);
    let call = explained(&bench, &answer).call;
    assert_eq!(call.code.as_deref(), Some("key_malformed"));
    assert_eq!(
        kinds(&call.steps),
        [
            ("cors", StepVerdict::Passed),
            ("headers", StepVerdict::Passed),
            ("key_auth", StepVerdict::Refused),
            ("body_limit", StepVerdict::NotRun),
        ]
    );
    assert!(call.upstream.is_none() && call.caller.is_none());
    for _ in 0..5 {
        bench.get("/shop/pets");
    }
    let call = explained(&bench, &bench.get("/shop/pets")).call;
    assert_eq!(call.code.as_deref(), Some("rate_limited"));
    assert_eq!(kinds(&call.steps)[3], ("plan_rate", StepVerdict::Refused));
    assert_eq!(kinds(&call.steps)[5], ("plan_quota", StepVerdict::NotRun));
    assert_eq!((call.limits.len(), call.limits[0].remaining), (1, 0));
}

#[test]
fn a_soft_limit_and_what_it_did_are_told() {
    let upstream = Upstream::simple();
    let bench = Bench::with(&upstream.urls(), |_, snapshot| {
        let over = json!({ "mode": "slow_down", "from_percent": 1, "delay_ms_max": 20 });
        let limit = json!({ "requests": 100, "window_seconds": 3600, "over_limit": over, "per": "route" });
        snapshot.routes[0].policies.push(policy("rate_limit", limit));
    });
    let answers: Vec<_> = (0..4).map(|_| bench.get("/shop/pets")).collect();
    let call = explained(&bench, answers.last().unwrap()).call;
    assert_eq!(
        (&*call.limits[0].name, call.limits[0].over),
        ("route", Some(Mode::SlowDown))
    );
    assert!(call.delay_us > 0, "{call:?}");
}

#[test]
fn every_try_is_told_with_its_reason() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap();
    let gone_url = format!("http://{}", gone.local_addr().unwrap());
    drop(gone);
    let busy = Upstream::start(|_, stream| reply(stream, "503 Busy", "", ""));
    let good = Upstream::simple();
    let urls = [gone_url.clone(), busy.url(), good.url()];
    let bench = Bench::with(&urls, |settings, snapshot| {
        settings.cores = 1;
        let spec = &mut snapshot.upstreams[0].spec;
        spec.balancing.algorithm = Algorithm::RoundRobin;
        spec.retries.statuses = vec![503];
        spec.retries.attempts_max = 3;
        spec.retries.backoff_ms = 1;
        spec.retries.budget_percent = 100;
    });
    let answer = bench.get("/shop/pets");
    assert_eq!(answer.status, 200);
    let went = explained(&bench, &answer).call.upstream.unwrap();
    assert_eq!(went.algorithm, "round_robin");
    let tries: Vec<_> = went
        .tries
        .iter()
        .map(|one| (&*one.target, one.reason, one.outcome, one.status))
        .collect();
    let (busy, good) = (busy.url(), good.url());
    assert_eq!(
        tries,
        [
            (&*gone_url, TryReason::First, TryOutcome::Unreachable, None),
            (&*busy, TryReason::Unreachable, TryOutcome::Answered, Some(503)),
            (&*good, TryReason::Retry, TryOutcome::Answered, Some(200)),
        ]
    );
}

#[test]
fn a_hedge_and_a_fallback_are_told() {
    let slow = Upstream::start(|_, stream| {
        std::thread::sleep(Duration::from_millis(300));
        reply(stream, "200 OK", "", "slow")
    });
    let quick = Upstream::simple();
    let bench = Bench::with(&[slow.url(), quick.url()], |settings, snapshot| {
        settings.cores = 1;
        let spec = &mut snapshot.upstreams[0].spec;
        spec.balancing.algorithm = Algorithm::RoundRobin;
        spec.hedging = Some(Hedging { after_ms: 20 });
        spec.retries.budget_percent = 100;
    });
    let answer = bench.get("/shop/pets");
    assert_eq!(answer.body, b"hello");
    let tries = explained(&bench, &answer).call.upstream.unwrap().tries;
    let told: Vec<_> = tries.iter().map(|one| (one.reason, one.outcome)).collect();
    assert_eq!(
        told,
        [
            (TryReason::First, TryOutcome::Abandoned),
            (TryReason::Hedge, TryOutcome::Answered)
        ]
    );

    let bench = Bench::with(&["http://127.0.0.1:1".to_owned()], |_, snapshot| {
        snapshot.upstreams[0].spec.fallback = Some(Fallback {
            status: Some(200),
            content_type: "text/plain".to_owned(),
            body: "later".to_owned(),
            last_good: None,
        });
    });
    let answer = bench.get("/shop/pets");
    assert_eq!((answer.status, &*answer.body), (200, &b"later"[..]));
    let upstream = explained(&bench, &answer).call.upstream.unwrap();
    assert_eq!(upstream.fallback, Some(CallFallback::Fixed));
    assert_eq!(upstream.fallback_age_seconds, None);
}

#[test]
fn routes_that_did_not_fit_are_told_with_the_condition() {
    let upstream = Upstream::simple();
    let bench = Bench::with(&upstream.urls(), |_, snapshot| {
        let mut preview = snapshot.routes[0].clone();
        preview.id = RouteId::new(id(60));
        preview.matches.headers = vec![FieldMatch {
            name: "x-preview".to_owned(),
            kind: FieldKind::Present,
            value: None,
            not: false,
        }];
        snapshot.routes.push(preview);
    });
    let call = explained(&bench, &bench.get("/shop/pets")).call;
    assert_eq!(call.routing.missed, 1);
    assert_eq!(call.routing.tried[0].route_id, Some(RouteId::new(id(60))));
    assert_eq!(call.routing.tried[0].missed.as_deref(), Some("/match/headers/0"));
    // With another snapshot, nobody knows the places of the old one; the call's own route is still known.
    let answer = bench.get("/shop/pets");
    bench.change(|snapshot| snapshot.routes.reverse());
    let call = explained(&bench, &answer).call;
    assert_eq!((call.routing.missed, call.routing.tried.len()), (1, 0));
    assert_eq!(call.routing.route_id, Some(RouteId::new(id(6))));
    assert_eq!(call.steps.len(), 3);
}

#[test]
fn as_many_calls_as_the_setting_says_are_remembered() {
    let upstream = Upstream::simple();
    for most in [0, 1, 3] {
        let bench = Bench::with(&upstream.urls(), |settings, _| {
            settings.cores = 1;
            settings.recent_calls = most;
        });
        let answers: Vec<_> = (0..7).map(|_| bench.get("/shop/pets")).collect();
        let known = answers.iter().map(|answer| {
            let id = answer.field("x-request-id").unwrap();
            remembered(&bench, id).len()
        });
        let expected = (0..7).map(|index| usize::from(index >= 7 - most));
        assert!(known.eq(expected), "{most}");
    }
}

#[test]
fn with_a_debug_token_everything_is_noted_and_the_token_is_not_passed_on() {
    let upstream = Upstream::simple();
    let bench = bench(&upstream.urls());
    for token in [
        token(|_| {}),
        token(|claims| claims.route = Some(RouteId::new(id(6)))),
    ] {
        let head = format!("Gateline-Debug: {token}\r\n");
        let answer = bench.call("GET", "/shop/pets/7?q=secret", &head, "");
        assert_eq!(answer.status, 200);
        let timing = answer.field("server-timing").unwrap();
        for name in [
            "gateway-decided;dur=",
            "gateway-first-byte;dur=",
            "gateway-answered;dur=",
        ] {
            assert!(timing.contains(name), "{timing}");
        }
        assert_eq!(upstream.last().fields.get("gateline-debug"), None);
        let Remembered { asked_by, call, .. } = explained(&bench, &answer);
        assert_eq!(asked_by, Some(OrganizationId::new(id(7))));
        assert_eq!(
            (call.noted, call.path.as_deref()),
            (Noted::Full, Some("/shop/pets/7"))
        );
        let details: Vec<_> = call.steps.iter().flat_map(|step| &step.details).collect();
        let has = |text: &str| details.iter().any(|detail| detail.contains(text));
        assert!(has("under plan `free`") && has("`plan_rate`: "), "{details:?}");
        assert!(has("adds `x-added`") && !has("secret"), "{details:?}");
        assert!(has("removes `x-api-key`"), "{details:?}");
        assert!(call.steps.iter().all(|step| step.took_ns.is_some()));
        let went = call.upstream.unwrap();
        assert_eq!(went.candidates.len(), 1);
        assert!(went.candidates[0].healthy);
    }
}

#[test]
fn a_debug_token_that_is_not_good_changes_nothing() {
    let upstream = Upstream::simple();
    let bench = bench(&upstream.urls());
    let production = DebugKey::of(TOKEN).write(
        &"production".parse().unwrap(),
        &Claims {
            id: DebugTokenId::new(id(1)),
            organization: OrganizationId::new(id(7)),
            route: None,
            expires_at: now() + 60,
        },
    );
    let tokens = [
        "nonsense".to_owned(),
        token(|claims| claims.expires_at = now() - 1),
        token(|claims| claims.organization = OrganizationId::new(id(9))),
        token(|claims| claims.route = Some(RouteId::new(id(99)))),
        production,
    ];
    for token in tokens {
        let head = format!("Gateline-Debug: {token}\r\n");
        let answer = bench.call("GET", "/shop/pets", &head, "");
        assert_eq!(answer.field("server-timing"), None, "{token}");
        if answer.status == 200 {
            assert_eq!(upstream.last().fields.get("gateline-debug"), None, "{token}");
        }
        let Remembered { asked_by, call, .. } = explained(&bench, &answer);
        assert_eq!((asked_by, call.noted), (None, Noted::Summary), "{token}");
    }
}

#[test]
fn a_call_that_no_route_takes_belongs_to_whoever_asked() {
    let upstream = Upstream::simple();
    let bench = bench(&upstream.urls());
    let head = format!("Gateline-Debug: {}\r\n", token(|_| {}));
    let answer = bench.call("GET", "/nowhere", &head, "");
    assert_eq!(answer.status, 404);
    let Remembered {
        provider,
        asked_by,
        call,
    } = explained(&bench, &answer);
    assert_eq!((provider, asked_by), (None, Some(OrganizationId::new(id(7)))));
    assert_eq!(call.routing.route_id, None);
    assert!(call.started_at > Timestamp::from_micros(0) && call.steps.is_empty());
    let answer = bench.get("/nowhere");
    assert_eq!(explained(&bench, &answer).asked_by, None);
}
