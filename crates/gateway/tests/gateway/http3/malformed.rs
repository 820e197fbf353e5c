//! What is no message of HTTP/3 ends its stream or its connection, and never reaches an upstream: RFC 9114, RFC 9204.

use super::bench::{Ended, HOST, World, frame, frames, head};
use crate::bench::Upstream;

const GET: [(&str, &str); 4] = [
    (":method", "GET"),
    (":scheme", "https"),
    (":authority", HOST),
    (":path", "/shop/pets"),
];
const MESSAGE_ERROR: u64 = 0x10e;
const FRAME_UNEXPECTED: u64 = 0x105;

fn get(more: &[(&str, &str)]) -> Vec<u8> {
    head(&[&GET, more].concat())
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_messages_end_their_stream_only() {
    let upstream = Upstream::simple();
    let world = World::new(&upstream.urls());
    let raw = world.raw().await;
    let key = ("x-api-key", world.bench.key.as_str());
    let post = |length: &str, body: &[u8]| {
        let mut fields = GET;
        fields[0].1 = "POST";
        let head = head(&[&fields[..], &[key, ("content-length", length)]].concat());
        [head, frame(0, body)].concat()
    };
    for (what, bytes, expected) in [
        ("capitals", get(&[("X-A", "1")]), MESSAGE_ERROR),
        (
            "a field of the connection",
            get(&[("connection", "close")]),
            MESSAGE_ERROR,
        ),
        (
            "transfer-encoding",
            get(&[("transfer-encoding", "chunked")]),
            MESSAGE_ERROR,
        ),
        ("te", get(&[("te", "gzip")]), MESSAGE_ERROR),
        (
            "a line end in a value",
            get(&[("x-a", "1\r\nx-b: 2")]),
            MESSAGE_ERROR,
        ),
        ("a pseudo-field twice", get(&[(":path", "/")]), MESSAGE_ERROR),
        (
            "a pseudo-field late",
            head(&[GET[0], GET[1], GET[2], ("x-a", "1"), GET[3]]),
            MESSAGE_ERROR,
        ),
        ("an unknown pseudo-field", get(&[(":x", "1")]), MESSAGE_ERROR),
        ("no path", head(&GET[..3]), MESSAGE_ERROR),
        ("no host", head(&[GET[0], GET[1], GET[3]]), MESSAGE_ERROR),
        (
            "another scheme",
            head(&[GET[0], (":scheme", "http"), GET[2], GET[3]]),
            MESSAGE_ERROR,
        ),
        ("no length", get(&[("content-length", "x")]), MESSAGE_ERROR),
        ("a body that is missing", post("1", b""), MESSAGE_ERROR),
        ("a short body", post("10", b"12345"), MESSAGE_ERROR),
        ("a long body", post("3", b"12345"), MESSAGE_ERROR),
        (
            "a pseudo-field in trailers",
            [post("2", b"12"), head(&[(":path", "/")])].concat(),
            MESSAGE_ERROR,
        ),
        ("no head", Vec::new(), 0x10d),
    ] {
        assert_eq!(raw.say(&bytes).await, Ended::Stream(expected), "{what}");
    }
    assert!(
        upstream
            .received()
            .iter()
            .all(|received| received.body.len() < 10),
        "nothing whole passed"
    );
    let Ended::Answered(bytes) = raw.say(&get(&[key])).await else {
        panic!("the connection is unharmed");
    };
    assert_eq!(frames(&bytes)[0].0, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_the_connection_ends_it() {
    let upstream = Upstream::simple();
    let world = World::new(&upstream.urls());
    for (what, bytes, expected) in [
        ("data before the head", frame(0, b"x"), FRAME_UNEXPECTED),
        ("settings", [get(&[]), frame(4, b"")].concat(), FRAME_UNEXPECTED),
        ("a frame of HTTP/2", frame(6, b""), FRAME_UNEXPECTED),
        ("a frame that ends early", b"\x01\x0a\0\0".to_vec(), 0x106),
        ("too much that means nothing", frame(0x21, &[0; 70_000]), 0x107),
        ("a table that is not there", frame(1, b"\x01\0\x80"), 0x200),
        ("half a section", frame(1, b"\0\0\x51\x7f"), 0x200),
    ] {
        let raw = world.raw().await;
        // What is said of the stream may come first.
        let _ = raw.say(&bytes).await;
        let error = tokio::time::timeout(crate::bench::PATIENCE, raw.connection.closed()).await;
        let quinn::ConnectionError::ApplicationClosed(closed) = error.unwrap() else {
            panic!("{what}");
        };
        assert_eq!(closed.error_code.into_inner(), expected, "{what}");
    }
    for (what, bytes, is_whole, expected) in [
        ("a second control stream", &b"\0\x04\0"[..], false, 0x103),
        ("a push", b"\x01\0", false, 0x103),
        ("a table", b"\x02\x3f\xe1\x1f", false, 0x201),
        ("an acknowledgement", b"\x03\x80", false, 0x202),
        ("the end of a stream that stays", b"\x02", true, 0x104),
    ] {
        let raw = world.raw().await;
        assert_eq!(raw.say_beside(bytes, is_whole).await, expected, "{what}");
    }
    assert!(upstream.received().is_empty(), "nothing whole passed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_control_stream_begins_with_settings_and_stays() {
    let world = World::new(&Upstream::simple().urls());
    for (bytes, is_whole, expected) in [
        (&b"\0\x07\x01\0"[..], false, 0x10a),
        (b"\0\x04\x02\x02\0", false, 0x109),
        (b"\0\x04\0", true, 0x104),
    ] {
        let connection = world.dial(HOST, None).await.unwrap();
        let mut send = connection.open_uni().await.unwrap();
        send.write_all(bytes).await.unwrap();
        if is_whole {
            send.finish().unwrap();
        }
        let error = tokio::time::timeout(crate::bench::PATIENCE, connection.closed()).await;
        let quinn::ConnectionError::ApplicationClosed(closed) = error.unwrap() else {
            panic!("{bytes:?}");
        };
        assert_eq!(closed.error_code.into_inner(), expected, "{bytes:?}");
        drop(send);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_unknown_is_passed_over() {
    let upstream = Upstream::simple();
    let world = World::new(&upstream.urls());
    let raw = world.raw().await;
    let mut other = raw.connection.open_uni().await.unwrap();
    other.write_all(b"\x40\x54hello").await.unwrap();
    let mut post = GET;
    post[0].1 = "POST";
    let key = ("x-api-key", world.bench.key.as_str());
    let bytes = [
        frame(0x21, b"grease"),
        head(&[&post[..], &[key]].concat()),
        frame(0x21, b""),
        frame(0, b"12"),
        frame(0x40_21, b"more"),
        frame(0, b""),
        frame(0, b"345"),
        frame(0x21, b"end"),
    ];
    let Ended::Answered(answer) = raw.say(&bytes.concat()).await else {
        panic!("an answer");
    };
    let found = frames(&answer);
    assert_eq!(found.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), [1, 0]);
    assert_eq!(found[1].1, b"hello");
    assert_eq!(upstream.last().body, b"12345");
}

#[tokio::test(flavor = "multi_thread")]
async fn large_heads_are_answered() {
    let upstream = Upstream::simple();
    let world = World::with(&upstream.urls(), |settings| settings.limits.head_bytes_max = 4096);
    let raw = world.raw().await;
    let long = "a".repeat(5000);
    let many: Vec<(String, &str)> = (0..200).map(|number| (format!("x-{number}"), "")).collect();
    let many: Vec<_> = many.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    for bytes in [get(&[("x-a", &long)]), get(&many)] {
        let Ended::Answered(answer) = raw.say(&bytes).await else {
            panic!("an answer");
        };
        let found = frames(&answer);
        let problem: serde_json::Value = serde_json::from_slice(&found[1].1).unwrap();
        assert_eq!(
            (problem["status"].as_u64(), problem["code"].as_str()),
            (Some(431), Some("headers_too_large"))
        );
    }
    assert!(upstream.received().is_empty());
}
