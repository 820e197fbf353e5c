//! What passes through, and what it looks like on the other side.

use domain::Code;

use crate::bench::{Bench, Upstream, reply};

#[test]
fn a_call_with_a_key_reaches_the_upstream_and_is_recorded() {
    let upstream = Upstream::simple();
    let bench = Bench::new(&upstream.urls());
    let answer = bench.get("/shop/pets/7?a=1&b=%20");
    assert_eq!((answer.status, answer.text()), (200, "hello"));
    let received = upstream.last();
    assert_eq!(received.line, "GET /base/pets/7?a=1&b=%20 HTTP/1.1");
    assert_eq!(received.fields.get("x-api-key"), None);
    assert_eq!(
        received.fields.get("host"),
        Some(upstream.address.to_string().as_str())
    );
    let record = bench.record();
    assert_eq!(
        (record.status, record.refusal, record.bytes_out, record.counted),
        (200, None, 5, true)
    );
    assert!(record.caller.is_some() && record.callee.is_some_and(|callee| callee.operation.is_some()));
}

#[test]
fn a_call_without_a_valid_key_does_not() {
    let upstream = Upstream::simple();
    let bench = Bench::new(&upstream.urls());
    let mut client = bench.connect();
    client.send(b"GET /shop/pets HTTP/1.1\r\nHost: g\r\n\r\n");
    assert_eq!(client.answer().problem(), "401 key_missing");
    client.send(b"GET /shop/pets HTTP/1.1\r\nHost: g\r\nX-API-Key: nonsense\r\n\r\n");
    let answer = client.answer();
    assert_eq!(answer.problem(), "401 key_malformed");
    assert!(answer.field("www-authenticate").is_some());
    assert!(upstream.received().is_empty());
    let record = bench.record();
    assert_eq!((record.refusal, record.counted), (Some(Code::KeyMissing), false));
}

#[test]
fn connections_are_used_again_on_both_sides() {
    let upstream = Upstream::start(|_, stream| reply(stream, "200 OK", "", "ok"));
    let bench = Bench::with(&upstream.urls(), |settings, _| settings.cores = 1);
    let mut client = bench.connect();
    for _ in 0..5 {
        client.send(
            format!(
                "GET /shop/pets HTTP/1.1\r\nHost: g\r\nX-API-Key: {}\r\n\r\n",
                bench.key
            )
            .as_bytes(),
        );
        assert_eq!(client.answer().text(), "ok");
    }
    assert_eq!(upstream.connections(), 1);
}
