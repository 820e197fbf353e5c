//! Messages that two parsers could read differently reach nobody.

use crate::bench::{Bench, Client, Upstream};

const HOST: &str = "Host: g\r\n";

/// Each with the code of its answer. `KEY` stands for the header with a valid key.
const SMUGGLED: &[(&str, &str)] = &[
    (
        "POST /shop/pets HTTP/1.1\r\nHost: g\r\nKEYContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /shop/pets HTTP/1.1\r\nHost: g\r\nKEY\r\n",
        "400 framing_ambiguous",
    ),
    (
        "POST /shop/pets HTTP/1.1\r\nHost: g\r\nKEYContent-Length: 3\r\nContent-Length: 5\r\n\r\nhello",
        "400 framing_ambiguous",
    ),
    (
        "POST /shop/pets HTTP/1.1\r\nHost: g\r\nKEYContent-Length: 5, 5\r\n\r\nhello",
        "400 framing_ambiguous",
    ),
    (
        "POST /shop/pets HTTP/1.1\r\nHost: g\r\nKEYTransfer-Encoding: xchunked\r\n\r\nhello",
        "400 framing_ambiguous",
    ),
    (
        "POST /shop/pets HTTP/1.1\r\nHost: g\r\nKEYTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "400 framing_ambiguous",
    ),
    (
        "POST /shop/pets HTTP/1.1\r\nHost: g\r\nKEYTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
        "400 framing_ambiguous",
    ),
    (
        "POST /shop/pets HTTP/1.0\r\nHost: g\r\nKEYTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "400 framing_ambiguous",
    ),
    (
        "POST /shop/pets HTTP/1.1\r\nHost: g\r\nKEYTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n",
        "400 framing_ambiguous",
    ),
    (
        "POST /shop/pets HTTP/1.1\r\nHost: g\r\nKEYTransfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n",
        "400 framing_ambiguous",
    ),
    (
        "POST /shop/pets HTTP/1.1\r\nHost: g\r\nKEYTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        "400 message_malformed",
    ),
    ("GET /shop/pets HTTP/1.1\nHost: g\nKEY\n", "400 message_malformed"),
    (
        "GET /shop/pets HTTP/1.1\r\nHost: g\r\nX: a\rContent-Length: 5\r\nKEY\r\n",
        "400 message_malformed",
    ),
    (
        "GET /shop/pets HTTP/1.1\r\nHost: g\r\nX: a\r\n Content-Length: 5\r\nKEY\r\n",
        "400 message_malformed",
    ),
    (
        "GET /shop/pets HTTP/1.1\r\nHost: g\r\nHost: h\r\nKEY\r\n",
        "400 message_malformed",
    ),
    ("GET /shop/pets HTTP/1.1\r\nKEY\r\n", "400 message_malformed"),
    (
        "GET http://other/shop/pets HTTP/1.1\r\nHost: g\r\nKEY\r\n",
        "400 message_malformed",
    ),
    (
        "GET /shop/pets/../../admin HTTP/1.1\r\nHost: g\r\nKEY\r\n",
        "400 message_malformed",
    ),
    (
        "GET /shop/pets/%2e%2e HTTP/1.1\r\nHost: g\r\nKEY\r\n",
        "400 message_malformed",
    ),
    (
        "GET  /shop/pets HTTP/1.1\r\nHost: g\r\nKEY\r\n",
        "400 message_malformed",
    ),
    (
        "CONNECT other:443 HTTP/1.1\r\nHost: other:443\r\nKEY\r\n",
        "405 connect_refused",
    ),
];

#[test]
fn smuggling_shapes_reach_no_upstream_and_close_the_connection() {
    let upstream = Upstream::simple();
    let bench = Bench::new(&upstream.urls());
    let key = format!("X-API-Key: {}\r\n", bench.key);
    for (shape, expected) in SMUGGLED {
        // At once, and in two pieces with the cut at an awkward place.
        for cut in [shape.len(), shape.find("\r\n").map_or(1, |place| place + 1)] {
            let text = shape.replace("KEY", &key);
            let mut client = bench.connect();
            let cut = cut.min(text.len());
            client.send(&text.as_bytes()[..cut]);
            if cut < text.len() {
                std::thread::sleep(std::time::Duration::from_millis(5));
                client.send(&text.as_bytes()[cut..]);
            }
            let answer = client.answer();
            assert_eq!(answer.problem(), *expected, "{shape:?} cut at {cut}");
            assert_eq!(answer.field("connection"), Some("close"), "{shape:?}");
            assert_eq!(
                client.rest(),
                b"",
                "{shape:?}: nothing follows, and the connection is closed"
            );
        }
    }
    assert!(upstream.received().is_empty(), "{:?}", upstream.received());
}

#[test]
fn what_came_before_is_still_answered() {
    let upstream = Upstream::simple();
    let bench = Bench::new(&upstream.urls());
    let mut client = bench.connect();
    let good = format!(
        "GET /shop/pets HTTP/1.1\r\n{HOST}X-API-Key: {}\r\n\r\n",
        bench.key
    );
    client.send((good.clone() + &good + "GET /shop/pets HTTP/1.1\r\nContent-Length: x\r\n\r\n").as_bytes());
    assert_eq!(client.answer().text(), "hello");
    assert_eq!(client.answer().text(), "hello");
    assert_eq!(client.answer().problem(), "400 framing_ambiguous");
    assert_eq!(upstream.received().len(), 2);
}

#[test]
fn a_chunk_that_goes_bad_later_breaks_the_upstreams_request() {
    let upstream = Upstream::simple();
    let bench = Bench::new(&upstream.urls());
    let mut client = bench.connect();
    let head = format!(
        "POST /shop/pets HTTP/1.1\r\n{HOST}X-API-Key: {}\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        bench.key
    );
    client.send(head.as_bytes());
    crate::bench::eventually(|| upstream.connections() == 1);
    client.send(b"5x\r\n");
    assert_eq!(client.answer().problem(), "400 framing_ambiguous");
    assert!(upstream.received().is_empty(), "it never got a whole request");
    crate::bench::eventually(|| upstream.open() == 0);
}

#[test]
fn a_head_may_come_byte_by_byte() {
    let upstream = Upstream::simple();
    let bench = Bench::new(&upstream.urls());
    let mut client = bench.connect();
    let text = format!(
        "GET /shop/pets HTTP/1.1\r\n{HOST}X-API-Key: {}\r\n\r\n",
        bench.key
    );
    for _ in 0..2 {
        for byte in text.as_bytes() {
            client.send(&[*byte]);
        }
        assert_eq!(client.answer().text(), "hello");
    }
}

#[test]
fn heads_over_the_limit_are_refused() {
    let upstream = Upstream::simple();
    let bench = Bench::with(&upstream.urls(), |settings, _| {
        settings.limits.head_bytes_max = 4096;
    });
    for head in ["X: y\r\n".repeat(200), format!("X: {}\r\n", "y".repeat(5000))] {
        let mut client = bench.connect();
        client.send(format!("GET /shop/pets HTTP/1.1\r\n{HOST}{head}\r\n").as_bytes());
        assert_eq!(client.answer().problem(), "431 headers_too_large");
    }
    assert!(upstream.received().is_empty());
}

#[test]
fn a_thousand_nonsensical_connections_do_no_harm() {
    let upstream = Upstream::simple();
    let bench = Bench::new(&upstream.urls());
    let mut state = 1_u64;
    for round in 0..300 {
        let mut bytes: Vec<u8> = (0..64)
            .map(|_| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                (state >> 33) as u8
            })
            .collect();
        if round % 3 == 0 {
            bytes.splice(0..0, b"GET / HTTP/1.1\r\nHost: ".iter().copied());
        }
        bytes.extend_from_slice(b"\r\n\r\n");
        let mut client = Client::connect(bench.address());
        client.send(&bytes);
        drop(client.rest());
    }
    assert_eq!(bench.get("/shop/pets").status, 200);
}
