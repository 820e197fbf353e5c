use http::header::{CONNECTION, COOKIE, HOST};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::{append, remove_hop_by_hop};

fn head(fields: &[(&'static str, &'static str)]) -> HeaderMap {
    let field = |(name, value): &(&'static str, &'static str)| {
        (HeaderName::from_static(name), HeaderValue::from_static(value))
    };
    fields.iter().map(field).collect()
}

#[test]
fn what_concerns_one_connection_is_removed() {
    let mut headers = head(&[
        ("connection", "keep-alive, X-Private, host, cookie,,  "),
        ("keep-alive", "timeout=5"),
        ("proxy-authorization", "Basic x"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "websocket"),
        ("x-private", "1"),
        ("cookie", "a=b"),
        ("host", "h"),
        ("trailer", "X-Sum"),
        ("accept", "*/*"),
    ]);
    remove_hop_by_hop(&mut headers);
    let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["accept", "host", "trailer"]);
    assert!(headers.contains_key(HOST) && !headers.contains_key(CONNECTION) && !headers.contains_key(COOKIE));
}

#[test]
fn elements_are_added_at_the_end() {
    let name = HeaderName::from_static("x-forwarded-for");
    let mut headers = HeaderMap::new();
    for (add, expected) in [("a", "a"), ("b", "a, b")] {
        append(&mut headers, name.clone(), HeaderValue::from_static(add));
        assert_eq!(headers[&name], expected);
    }
    headers.append(name.clone(), HeaderValue::from_static("c"));
    append(&mut headers, name.clone(), HeaderValue::from_static("d"));
    assert_eq!(headers.get_all(&name).iter().collect::<Vec<_>>(), ["a, b, c, d"]);
}
