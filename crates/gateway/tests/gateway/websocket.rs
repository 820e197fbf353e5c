//! Connections that become WebSockets.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::bench::{Bench, Upstream, eventually, policy};

/// Switches protocols if that is asked for, sends back every byte in upper case, and says goodbye.
fn echo() -> Upstream {
    Upstream::start(|received, stream| {
        if received.fields.get("upgrade") != Some("websocket") {
            return crate::bench::reply(stream, "426 Upgrade Required", "Upgrade: websocket\r\n", "");
        }
        let head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\nhello";
        stream.write_all(head.as_bytes()).unwrap();
        let mut bytes = [0; 1000];
        while let Ok(length @ 1..) = stream.read(&mut bytes) {
            stream.write_all(&bytes[..length].to_ascii_uppercase()).unwrap();
        }
        let _ = stream.write_all(b"bye");
        false
    })
}

fn request(key: &str, more: &str) -> String {
    format!(
        "GET /shop/pets HTTP/1.1\r\nHost: g\r\nX-API-Key: {key}\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{more}\r\n"
    )
}

#[test]
fn a_websocket_passes_bytes_both_ways_and_is_recorded_at_its_end() {
    let upstream = echo();
    let bench = Bench::new(&upstream.urls());
    let mut client = bench.connect();
    // What follows the head at once belongs to the WebSocket already.
    client.send((request(&bench.key, "") + "early").as_bytes());
    let answer = client.answer();
    assert_eq!(answer.status, 101);
    assert_eq!(answer.field("upgrade"), Some("websocket"));
    assert_eq!(answer.field("connection"), Some("upgrade"));
    assert_eq!(
        answer.field("sec-websocket-accept"),
        Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    );
    assert_eq!(answer.field("content-length"), None);
    assert!(answer.field("x-request-id").is_some());
    client.expect(b"helloEARLY");
    client.send(b"and more");
    client.expect(b"AND MORE");
    let fields = upstream.last().fields;
    assert_eq!(fields.get("connection"), Some("upgrade"));
    assert_eq!(fields.get("sec-websocket-key"), Some("dGhlIHNhbXBsZSBub25jZQ=="));
    assert_eq!(bench.figure("requests_in_flight"), 1);
    client.stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(client.rest(), b"bye", "the other direction goes on");
    let record = bench.record();
    assert_eq!(
        (record.status, record.bytes_in, record.bytes_out),
        (101, 13, 5 + 13 + 3)
    );
    eventually(|| {
        bench.figure("upstream_connections_open") == 0 && bench.figure("client_connections_open") == 0
    });
}

#[test]
fn a_websocket_outlives_changes_of_the_configuration() {
    let upstream = echo();
    let bench = Bench::new(&upstream.urls());
    let mut client = bench.connect();
    client.send(request(&bench.key, "").as_bytes());
    assert_eq!(client.answer().status, 101);
    client.expect(b"hello");
    bench.change(|snapshot| {
        snapshot.routes.clear();
        snapshot.upstreams.clear();
    });
    assert_eq!(bench.get("/shop/pets").problem(), "404 route_not_found");
    client.send(b"still there");
    client.expect(b"STILL THERE");
}

#[test]
fn policies_decide_before_anything_is_switched() {
    let upstream = echo();
    let bench = Bench::new(&upstream.urls());
    let mut client = bench.connect();
    client.send(request("nonsense", "").as_bytes());
    assert_eq!(client.answer().problem(), "401 key_malformed");
    assert!(upstream.received().is_empty());
}

#[test]
fn a_refused_websocket_is_an_answer_like_any_other() {
    let upstream = Upstream::simple();
    let bench = Bench::new(&upstream.urls());
    let mut client = bench.connect();
    for _ in 0..2 {
        client.send(request(&bench.key, "").as_bytes());
        let answer = client.answer();
        assert_eq!((answer.status, answer.text()), (200, "hello"));
    }
}

#[test]
fn other_protocols_are_not_asked_for() {
    let upstream = echo();
    let bench = Bench::new(&upstream.urls());
    let (head, h2c) = (
        "Connection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n",
        "Upgrade: h2c\r\n",
    );
    for upgrade in [h2c, "Upgrade: websocket, h2c\r\n", "Upgrade: tcp\r\n"] {
        assert_eq!(
            bench
                .call("GET", "/shop/pets", &format!("{head}{upgrade}"), "")
                .status,
            426
        );
        let fields = upstream.last().fields;
        assert_eq!(
            (fields.get("upgrade"), fields.get("http2-settings")),
            (None, None)
        );
    }
    let websocket = "Connection: upgrade\r\nUpgrade: websocket\r\n";
    assert_eq!(
        bench.call("DELETE", "/shop/pets/1", websocket, "").status,
        426,
        "only by GET"
    );
    assert_eq!(upstream.last().fields.get("upgrade"), None);
}

#[test]
fn a_switch_that_nobody_asked_for_is_no_answer() {
    let upstream = Upstream::start(|received, stream| {
        let protocol = if received.line.contains("other") {
            "tcp"
        } else {
            "websocket"
        };
        let head =
            format!("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: {protocol}\r\n\r\n");
        let _ = stream.write_all(head.as_bytes());
        false
    });
    let bench = Bench::new(&upstream.urls());
    assert_eq!(bench.get("/shop/pets").problem(), "502 upstream_invalid");
    let mut client = bench.connect();
    client.send(
        request(&bench.key, "")
            .replace("/shop/pets", "/shop/pets/other")
            .as_bytes(),
    );
    assert_eq!(client.answer().problem(), "502 upstream_invalid");
}

#[test]
fn a_silent_websocket_ends_after_its_time() {
    let upstream = echo();
    let bench = Bench::with(&upstream.urls(), |_, snapshot| {
        snapshot.upstreams[0].spec.timeouts.idle_ms = 1;
        snapshot.upstreams[0].spec.timeouts.tunnel_idle_ms = 200;
    });
    let mut client = bench.connect();
    client.send(request(&bench.key, "").as_bytes());
    assert_eq!(client.answer().status, 101);
    client.expect(b"hello");
    assert_eq!(client.rest(), b"");
    eventually(|| upstream.open() == 0);
}

#[test]
fn websockets_flow_no_faster_than_their_bandwidth_either_way() {
    let upstream = echo();
    // What is held back is not silent, though nothing comes for longer than that.
    let bench = Bench::with(&upstream.urls(), |_, snapshot| {
        snapshot.upstreams[0].spec.timeouts.tunnel_idle_ms = 100;
    });
    for way in ["answer_bytes_per_second", "request_bytes_per_second"] {
        bench.change(|snapshot| {
            let limit = json!({ way: 4_000, "burst_bytes": 1_000 });
            snapshot.routes[0].policies.truncate(1);
            snapshot.routes[0].policies.push(policy("bandwidth_limit", limit));
        });
        let mut client = bench.connect();
        client.send(request(&bench.key, "").as_bytes());
        assert_eq!(client.answer().status, 101);
        client.expect(b"hello");
        let began = Instant::now();
        client.send(&[b'a'; 5_000]);
        client.stream.shutdown(std::net::Shutdown::Write).unwrap();
        let came = client.rest();
        // 1,000 at once, and the last part need not be waited for.
        let least = Duration::from_millis(700);
        assert!(began.elapsed() >= least, "{way}: {:?}", began.elapsed());
        assert_eq!((came.len(), came.ends_with(b"AAbye")), (5_003, true), "{way}");
        let record = bench.record();
        assert_eq!((record.bytes_in, record.bytes_out), (5_000, 5_008), "{way}");
    }
}
