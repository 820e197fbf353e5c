//! Who is too slow is told so, or cut off.

use std::io::Write;
use std::time::Duration;

use domain::traffic::Concurrency;
use serde_json::json;

use crate::bench::{Bench, Upstream, eventually, policy};

#[test]
fn an_upstream_that_does_not_answer_in_time() {
    let upstream = Upstream::start(|_, stream| {
        use std::io::Read;
        let _ = stream.read(&mut [0; 1]);
        false
    });
    let bench = Bench::with(&upstream.urls(), |_, snapshot| {
        snapshot.upstreams[0].spec.timeouts.answer_ms = 100;
    });
    assert_eq!(bench.get("/shop/pets").problem(), "504 upstream_timeout");
    eventually(|| upstream.open() == 0 && bench.figure("upstream_connections_open") == 0);
}

#[test]
fn an_upstream_that_stops_within_its_answer() {
    let upstream = Upstream::start(|_, stream| {
        use std::io::Read;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
        let _ = stream.read(&mut [0; 1]);
        false
    });
    let bench = Bench::with(&upstream.urls(), |_, snapshot| {
        snapshot.upstreams[0].spec.timeouts.idle_ms = 100;
    });
    let answer = bench.get("/shop/pets");
    assert_eq!((answer.status, answer.is_whole), (200, false));
    eventually(|| upstream.open() == 0);
}

#[test]
fn a_client_that_does_not_finish_its_head() {
    let upstream = Upstream::simple();
    let bench = Bench::with(&upstream.urls(), |settings, _| settings.limits.head_ms = 100);
    let mut client = bench.connect();
    client.send(b"GET /shop/pets HTTP/1.1\r\nHost: g\r\n");
    assert_eq!(client.answer().problem(), "408 request_timeout");
    assert_eq!(client.rest(), b"");
    let mut silent = bench.connect();
    assert_eq!(silent.rest(), b"", "who says nothing is cut off without a word");
}

#[test]
fn a_client_that_does_not_finish_its_body() {
    let upstream = Upstream::simple();
    let bench = Bench::with(&upstream.urls(), |settings, _| settings.limits.body_idle_ms = 100);
    let mut client = bench.connect();
    let key = &bench.key;
    client.send(
        format!("POST /shop/pets HTTP/1.1\r\nHost: g\r\nX-API-Key: {key}\r\nContent-Length: 10\r\n\r\nhello")
            .as_bytes(),
    );
    assert_eq!(client.answer().problem(), "408 request_timeout");
    eventually(|| upstream.open() == 0);
    assert!(upstream.received().is_empty());
}

#[test]
fn connections_without_requests_are_closed() {
    let upstream = Upstream::simple();
    let bench = Bench::with(&upstream.urls(), |settings, _| {
        settings.limits.keep_alive_ms = 100;
    });
    let mut client = bench.connect();
    client.send(
        format!(
            "GET /shop/pets HTTP/1.1\r\nHost: g\r\nX-API-Key: {}\r\n\r\n",
            bench.key
        )
        .as_bytes(),
    );
    assert_eq!(client.answer().status, 200);
    assert_eq!(client.rest(), b"");
}

#[test]
fn a_slow_upload_that_makes_progress_is_no_slow_answer() {
    let upstream = Upstream::simple();
    let bench = Bench::with(&upstream.urls(), |_, snapshot| {
        snapshot.upstreams[0].spec.timeouts.answer_ms = 200;
    });
    let mut client = bench.connect();
    let key = &bench.key;
    client.send(
        format!("POST /shop/pets HTTP/1.1\r\nHost: g\r\nX-API-Key: {key}\r\nContent-Length: 8\r\n\r\n")
            .as_bytes(),
    );
    for _ in 0..8 {
        std::thread::sleep(Duration::from_millis(60));
        client.send(b"x");
    }
    assert_eq!(client.answer().status, 200);
}

#[test]
fn a_client_that_does_not_take_its_answer() {
    let upstream = Upstream::start(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 200000000\r\n\r\n");
        while stream.write_all(&[b'x'; 65_536]).is_ok() {}
        false
    });
    let bench = Bench::with(&upstream.urls(), |settings, _| settings.limits.body_idle_ms = 200);
    let mut client = bench.connect();
    client.send(
        format!(
            "GET /shop/pets HTTP/1.1\r\nHost: g\r\nX-API-Key: {}\r\n\r\n",
            bench.key
        )
        .as_bytes(),
    );
    eventually(|| upstream.open() == 1);
    eventually(|| upstream.open() == 0 && bench.figure("client_connections_open") == 0);
    drop(client);
}

/// What is kept back for a limit is a part of the time for all of it.
#[test]
fn a_call_that_is_slowed_down_is_given_up_in_time() {
    let upstream = Upstream::simple();
    let bench = Bench::with(&upstream.urls(), |_, snapshot| {
        snapshot.upstreams[0].spec.timeouts.total_ms = 200;
        let limit = json!({
            "requests": 1, "window_seconds": 10, "burst": 1,
            "over_limit": { "mode": "slow_down", "delay_ms_max": 20_000 },
        });
        snapshot.routes[0].policies.push(policy("rate_limit", limit));
    });
    assert_eq!(bench.get("/shop/pets").status, 200);
    assert_eq!(bench.get("/shop/pets").problem(), "504 upstream_timeout");
    assert_eq!(upstream.received().len(), 1);
}

#[test]
fn a_call_that_waits_for_others_is_given_up_in_time() {
    let upstream = Upstream::start(|_, stream| {
        use std::io::Read;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
        let _ = stream.read(&mut [0; 1]);
        false
    });
    let bench = Bench::with(&upstream.urls(), |_, snapshot| {
        let spec = &mut snapshot.upstreams[0].spec;
        spec.timeouts.total_ms = 200;
        spec.concurrency = Concurrency {
            calls_max: 1,
            waiting_max: 1,
            wait_ms: 15_000,
            ..Concurrency::default()
        };
    });
    let mut first = bench.connect();
    let key = &bench.key;
    first.send(format!("GET /shop/pets HTTP/1.1\r\nHost: g\r\nX-API-Key: {key}\r\n\r\n").as_bytes());
    assert_eq!(first.head().status, 200, "its body is still to come");
    assert_eq!(bench.get("/shop/pets").problem(), "504 upstream_timeout");
    assert_eq!(upstream.received().len(), 1);
}
