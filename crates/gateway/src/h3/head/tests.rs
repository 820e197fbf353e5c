use bytes::BytesMut;
use http::{HeaderMap, Method, StatusCode};

use super::{Head, Refused, request, trailers, write};
use crate::framing::HeadLimits;
use crate::h3::qpack;

const LIMITS: HeadLimits = HeadLimits {
    bytes_max: 2000,
    fields_max: 10,
};
const GET: [(&str, &str); 4] = [
    (":method", "GET"),
    (":scheme", "https"),
    (":authority", "api.example"),
    (":path", "/a?b=c"),
];

fn read(fields: &[(&str, &str)]) -> Result<Head, Refused> {
    let mut section = BytesMut::new();
    qpack::begin(&mut section);
    for (name, value) in fields {
        qpack::write(&mut section, name, value.as_bytes());
    }
    request(&section.freeze(), LIMITS, HeaderMap::new())
}

fn with(more: &[(&str, &str)]) -> Result<Head, Refused> {
    read(&[&GET, more].concat())
}

#[test]
fn a_head_is_read() {
    let head = with(&[
        ("cookie", "a=1"),
        ("x-many", "1"),
        ("cookie", "b=2"),
        ("x-many", "2"),
        ("te", "trailers"),
        ("content-length", "7"),
    ]);
    let head = head.unwrap();
    assert_eq!(head.method, Method::GET);
    assert_eq!(head.uri, "https://api.example/a?b=c");
    assert_eq!(
        head.headers.get_all("cookie").iter().collect::<Vec<_>>(),
        ["a=1; b=2"]
    );
    assert_eq!(
        head.headers.get_all("x-many").iter().collect::<Vec<_>>(),
        ["1", "2"]
    );
    assert_eq!((head.length, head.expects), (Some(7), false));
    assert!(with(&[("expect", "100-Continue")]).unwrap().expects);
    let host = read(&[GET[0], GET[1], GET[3], ("host", "api.example")]).unwrap();
    assert_eq!(host.uri, "/a?b=c");
    let all = read(&[(":method", "OPTIONS"), GET[1], GET[2], (":path", "*")]).unwrap();
    assert_eq!(all.uri.path(), "*");
    let connect = read(&[(":method", "CONNECT"), GET[2]]).unwrap();
    assert_eq!(
        (connect.method, connect.uri.to_string()),
        (Method::CONNECT, "api.example".to_owned())
    );
}

#[test]
fn malformed_heads_are_refused() {
    for more in [
        ("connection", "close"),
        ("keep-alive", "1"),
        ("proxy-connection", "close"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "websocket"),
        ("te", "gzip"),
        ("X-Upper", "1"),
        ("x y", "1"),
        ("", "1"),
        ("x-a", "a\r\nb: c"),
        ("x-a", "a\0"),
        ("x-a", " a"),
        ("x-a", "a\t"),
        ("content-length", "+1"),
        ("content-length", "1, 1"),
        (":path", "/b"),
        (":unknown", "1"),
        (":status", "200"),
        (":protocol", "websocket"),
    ] {
        assert_eq!(with(&[more]).map(drop), Err(Refused::Malformed), "{more:?}");
    }
    let twice = [("content-length", "1"), ("content-length", "1")];
    assert_eq!(with(&twice).map(drop), Err(Refused::Malformed));
    for fields in [
        &GET[1..],
        &[GET[0], GET[2], GET[3]],
        &[GET[0], GET[1], GET[3]],
        &GET[..3],
        &[("x-a", "1"), GET[0], GET[1], GET[2], GET[3]],
        &[GET[0], GET[0], GET[1], GET[2], GET[3]],
        &[("", "GET"), GET[1], GET[2], GET[3]],
        &[(":method", "G T"), GET[1], GET[2], GET[3]],
        &[GET[0], (":scheme", "http"), GET[2], GET[3]],
        &[GET[0], GET[1], (":authority", ""), GET[3]],
        &[GET[0], GET[1], (":authority", "me@api.example"), GET[3]],
        &[GET[0], GET[1], GET[2], (":path", "")],
        &[GET[0], GET[1], GET[2], (":path", "a")],
        &[GET[0], GET[1], GET[2], (":path", "*")],
        &[GET[0], GET[1], GET[2], (":path", "/a#b")],
        &[GET[0], GET[1], GET[2], (":path", "/a b")],
        &[(":method", "CONNECT"), GET[1], GET[2], GET[3]],
        &[(":method", "CONNECT")],
    ] {
        assert_eq!(read(fields).map(drop), Err(Refused::Malformed), "{fields:?}");
    }
}

#[test]
fn large_heads_are_refused() {
    let long = "a".repeat(2000);
    assert_eq!(with(&[("x-a", &long)]).map(drop), Err(Refused::TooLarge));
    assert_eq!(with(&[("x-a", "1"); 7]).map(drop), Err(Refused::TooLarge));
    assert!(with(&[("x-a", "1"); 6]).is_ok());
    let nothing = bytes::Bytes::from_static(b"\x02\0");
    assert_eq!(
        request(&nothing, LIMITS, HeaderMap::new()).map(drop),
        Err(Refused::Broken)
    );
}

#[test]
fn trailers_have_no_pseudo_fields_and_no_lengths() {
    let section = |fields: &[(&str, &str)]| {
        let mut section = BytesMut::new();
        qpack::begin(&mut section);
        for (name, value) in fields {
            qpack::write(&mut section, name, value.as_bytes());
        }
        trailers(&section.freeze(), LIMITS)
    };
    assert_eq!(section(&[("grpc-status", "0")]).unwrap()["grpc-status"], "0");
    for bad in [
        (":path", "/"),
        ("content-length", "1"),
        ("host", "a"),
        ("connection", "close"),
        ("Grpc-Status", "0"),
    ] {
        assert_eq!(section(&[bad]), Err(Refused::Malformed), "{bad:?}");
    }
}

#[test]
fn answers_say_nothing_of_connections() {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("connection", "close"),
        ("content-type", "text/plain"),
        ("upgrade", "x"),
    ] {
        headers.insert(name, value.parse().unwrap());
    }
    let section = write(StatusCode::OK, headers.iter()).freeze();
    let mut found = Vec::new();
    let done = qpack::read(&section, 1000, |name, value| {
        found.push((name.as_bytes().to_vec(), value.to_vec()));
        Ok::<(), ()>(())
    });
    assert_eq!(done, Ok(Ok(())));
    let expected = [(":status", "200"), ("content-type", "text/plain")];
    assert_eq!(
        found,
        expected.map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec()))
    );
}
