use http::{HeaderMap, StatusCode};

use super::{content_type, enveloped, message, only_message, status};

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
