use std::time::{Duration, Instant};

use http::{HeaderMap, Method, StatusCode};

use super::{
    Call, TIMEOUT, content_type, enveloped, http_status, message, only_message, status, timeout, timeout_of,
};

fn head(fields: &[(&'static str, &str)]) -> HeaderMap {
    let fields = fields
        .iter()
        .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
    fields.collect()
}

fn call(timeout: Option<&str>, arrived: Instant) -> Call {
    let mut headers = head(&[("content-type", "application/grpc")]);
    headers.extend(timeout.map(|timeout| (TIMEOUT, timeout.parse().unwrap())));
    Call::of(&Method::POST, &headers, arrived).unwrap()
}

#[test]
fn calls_are_known_by_their_content_type() {
    for (text, is_call) in [
        ("application/grpc", true),
        ("application/grpc+proto", true),
        ("application/grpc;charset=utf-8", true),
        ("application/grpc-web-text+proto", true),
        ("application/grpcx", false),
        ("application/json", false),
    ] {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", text.parse().unwrap());
        assert_eq!(content_type(&headers).is_some(), is_call, "{text}");
    }
    assert!(content_type(&HeaderMap::new()).is_none());
}

#[test]
fn every_status_has_one_of_grpc() {
    for (http, grpc) in [
        (400, 3),
        (401, 16),
        (403, 7),
        (404, 12),
        (429, 8),
        (500, 13),
        (503, 14),
        (504, 4),
    ] {
        assert_eq!(status(StatusCode::from_u16(http).unwrap()), grpc, "{http}");
    }
}

#[test]
fn what_we_say_means_what_we_meant() {
    for http in [400, 401, 403, 404, 429, 500, 503, 504] {
        let http = StatusCode::from_u16(http).unwrap();
        assert_eq!(http_status(status(http)), http);
    }
}

#[test]
fn a_call_that_ends_at_once_stands_for_a_status() {
    let now = Instant::now();
    let table = [
        ("0", Some(200)),
        ("1", Some(400)),
        ("2", Some(500)),
        ("3", Some(400)),
        ("4", Some(504)),
        ("5", Some(404)),
        ("8", Some(429)),
        ("12", Some(404)),
        ("13", Some(500)),
        ("14", Some(503)),
        ("15", Some(500)),
        ("99", Some(500)),
        ("x", Some(200)),
    ];
    let meaning = |call: Call, http: u16, ended| {
        let answer = head(&[("grpc-status", ended)]);
        call.meaning(StatusCode::from_u16(http).unwrap(), &answer)
            .map(|status| status.as_u16())
    };
    for (ended, expected) in table {
        assert_eq!(meaning(call(None, now), 200, ended), expected, "{ended}");
        assert_eq!(meaning(call(None, now), 502, ended), Some(502), "{ended}");
    }
    let bounded = call(Some("1S"), now);
    assert_eq!(meaning(bounded, 200, "4"), None, "the client could make it late");
    assert_eq!(meaning(bounded, 200, "14"), Some(503));
    let streams = bounded.meaning(StatusCode::OK, &HeaderMap::new());
    assert_eq!(streams, Some(StatusCode::OK));
}

#[test]
fn timeouts_are_read_and_written() {
    for (text, millis) in [
        ("1n", Some(0)),
        ("2000u", Some(2)),
        ("100m", Some(100)),
        ("7S", Some(7_000)),
        ("2M", Some(120_000)),
        ("99999999H", Some(99_999_999 * 3_600_000)),
        ("100000000m", None),
        ("m", None),
        ("", None),
        ("1", None),
        ("1x", None),
        ("+1S", None),
        ("1 S", None),
        ("\u{e9}S", None),
    ] {
        let found = timeout(text.as_bytes()).map(|found| found.as_millis());
        assert_eq!(found, millis, "{text}");
    }
    for (millis, expected) in [
        (0, "1m"),
        (7, "7m"),
        (99_999_999, "99999999m"),
        (100_000_000, "100000S"),
        (360_000_000_000, "100000H"),
        (u64::MAX, "99999999H"),
    ] {
        assert_eq!(timeout_of(millis), expected);
    }
}

#[test]
fn a_service_is_told_of_time_that_was_waited_away() {
    let now = Instant::now();
    let told = |call: Call| {
        let mut headers = head(&[("grpc-timeout", "as it came")]);
        call.tell_left(&mut headers);
        headers[TIMEOUT].to_str().unwrap().to_owned()
    };
    let hour = Duration::from_secs(3600);
    let waited = call(Some("2H"), now.checked_sub(hour).unwrap());
    let left = timeout(told(waited).as_bytes()).unwrap();
    assert!(left <= hour && left > hour / 2, "{left:?}");
    assert_eq!(
        told(call(Some("1m"), now + hour)),
        "as it came",
        "nothing was waited"
    );
    assert_eq!(told(call(None, now)), "as it came");
    assert_eq!(
        call(Some("1H"), now.checked_sub(hour).unwrap()).left(),
        Some(Duration::ZERO)
    );
    assert_eq!(call(Some("soon"), now).left(), None);
}

#[test]
fn only_calls_of_grpc_are_taken_for_such() {
    let headers = head(&[("content-type", "application/grpc")]);
    let now = Instant::now();
    assert!(Call::of(&Method::GET, &headers, now).is_none());
    assert!(Call::of(&Method::POST, &HeaderMap::new(), now).is_none());
}

#[test]
fn messages_are_percent_encoded() {
    assert_eq!(message("100 % of `\u{e9}`\n"), "100 %25 of `%C3%A9`%0A");
    assert_eq!(message("%%"), "%25%25");
}

#[test]
fn a_body_is_one_message_with_its_length() {
    for message in [&b""[..], b"a", &[7; 300]] {
        assert_eq!(only_message(&enveloped(0, message)), Ok(message));
    }
    let others: [(&[u8], &str); 5] = [
        (b"", "five bytes"),
        (&[0, 0, 0, 0], "five bytes"),
        (&[1, 0, 0, 0, 0], "compressed"),
        (&[0, 0, 0, 0, 2, 7], "length"),
        (&[0, 0, 0, 0, 0, 7], "length"),
    ];
    for (body, why) in others {
        let refused = only_message(body).unwrap_err();
        assert!(refused.contains(why), "{body:?}: {refused}");
    }
}
