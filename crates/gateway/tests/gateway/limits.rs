//! Sizes, rates and quotas.

use domain::offer::{Period, Quota, RateLimit};
use serde_json::json;

use crate::bench::{Bench, Upstream, eventually, policy};

#[test]
fn bodies_over_the_limit_are_refused_before_and_while_they_come() {
    let upstream = Upstream::simple();
    let bench = Bench::with(&upstream.urls(), |_, snapshot| {
        snapshot.routes[0].body_bytes_max = 10;
    });
    assert_eq!(bench.call("POST", "/shop/pets", "", "0123456789").status, 200);
    let told = bench.call("POST", "/shop/pets", "Expect: 100-continue\r\n", "0123456789a");
    assert_eq!(told.problem(), "413 body_too_large");
    let chunked = "Transfer-Encoding: chunked\r\n";
    let answer = {
        let mut client = bench.connect();
        let key = &bench.key;
        client.send(
            format!(
                "POST /shop/pets HTTP/1.1\r\nHost: g\r\nX-API-Key: {key}\r\n{chunked}\r\n8\r\n01234567\r\n"
            )
            .as_bytes(),
        );
        client.send(b"8\r\n01234567\r\n");
        client.answer()
    };
    assert_eq!(answer.problem(), "413 body_too_large");
    assert_eq!(upstream.received().len(), 1);
    eventually(|| upstream.open() == 1 || upstream.open() == 0);
}

#[test]
fn a_policy_lowers_the_limit_of_an_operation() {
    let upstream = Upstream::simple();
    let bench = Bench::with(&upstream.urls(), |_, snapshot| {
        let operation = snapshot.routes[0].operations[1].id;
        let mut limit = policy("body_limit", json!({ "bytes": 3 }));
        limit.operation = Some(operation);
        snapshot.routes[0].policies.push(limit);
    });
    assert_eq!(
        bench.call("POST", "/shop/pets", "", "1234").problem(),
        "413 body_too_large"
    );
    assert_eq!(bench.call("PUT", "/shop/pets/1", "", "1234").status, 200);
}

#[test]
fn the_plans_rate_is_kept_told_and_outlives_changes() {
    let upstream = Upstream::simple();
    let limit = RateLimit::new(3, 3600, None);
    let bench = Bench::with(&upstream.urls(), |_, snapshot| {
        snapshot.plans[0].rate_limit = Some(limit);
    });
    let first = bench.get("/shop/pets");
    assert_eq!(first.field("ratelimit-policy"), Some("\"free\";q=3;w=3600"));
    assert_eq!(first.field("ratelimit"), Some("\"free\";r=2;t=1200"));
    assert_eq!(bench.get("/shop/pets").status, 200);
    bench.change(|snapshot| snapshot.routes[0].body_bytes_max += 1);
    assert_eq!(bench.get("/shop/pets").status, 200);
    let refused = bench.get("/shop/pets");
    assert_eq!(refused.problem(), "429 rate_limited");
    assert_eq!(refused.field("retry-after"), Some("1200"));
    assert_eq!(upstream.received().len(), 3);
}

#[test]
fn the_quota_counts_what_passed_and_outlives_changes() {
    let upstream = Upstream::simple();
    let quota = Quota::new(2, Period::Month);
    let bench = Bench::with(&upstream.urls(), |_, snapshot| {
        snapshot.plans[0].quota = Some(quota);
    });
    assert_eq!(bench.get("/shop/nowhere").problem(), "404 operation_not_found");
    assert_eq!(
        bench
            .call("POST", "/shop/pets", "", &"x".repeat(2 << 20))
            .problem(),
        "413 body_too_large"
    );
    let first = bench.get("/shop/pets");
    assert!(
        first
            .field("ratelimit")
            .unwrap()
            .starts_with("\"free-month\";r=0;t=")
            || first.status == 200
    );
    bench.change(|snapshot| {
        snapshot.plans[0].quota = Some(Quota::new(3, Period::Month));
    });
    while bench.get("/shop/pets").status == 200 {}
    let refused = bench.get("/shop/pets");
    assert_eq!(refused.problem(), "429 quota_exceeded");
    assert!(refused.field("retry-after").is_some());
}

#[test]
fn policies_keep_their_own_rate_over_changes() {
    let upstream = Upstream::simple();
    let bench = Bench::with(&upstream.urls(), |_, snapshot| {
        snapshot.routes[0].policies.push(policy(
            "rate_limit",
            json!({ "requests": 2, "window_seconds": 3600, "per": "address" }),
        ));
    });
    assert_eq!(bench.get("/shop/pets").status, 200);
    bench.change(|snapshot| snapshot.routes[0].body_bytes_max += 1);
    assert_eq!(bench.get("/shop/pets").status, 200);
    assert_eq!(bench.get("/shop/pets").problem(), "429 rate_limited");
}
