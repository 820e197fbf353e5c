//! Who is too slow is told so, or cut off.

use std::io::Write;
use std::time::Duration;

use crate::bench::{Bench, Upstream, eventually};

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
