use http::header::HOST;
use http::{HeaderMap, HeaderValue};

use super::{check_path, host, tunnel_port};

#[test]
fn hosts_are_read_without_port_and_in_lower_case() {
    let table = [
        ("/", Some("API.example.com:8080"), "api.example.com"),
        ("/", Some("api.example.com."), "api.example.com"),
        ("/", Some("[::1]:80"), "[::1]"),
        ("/", Some("[::1]"), "[::1]"),
        ("/", Some(""), ""),
        ("/", None, ""),
        ("http://a.example/x", Some("A.example"), "a.example"),
        ("http://a.example:80/x", Some("a.example:80"), "a.example"),
    ];
    for (target, field, expected) in table {
        let headers: HeaderMap = field
            .map(|field| (HOST, HeaderValue::from_static(field)))
            .into_iter()
            .collect();
        let uri = target.parse().unwrap();
        assert_eq!(host(&uri, &headers).unwrap().name, expected, "{target} {field:?}");
    }
}

#[test]
fn hosts_that_differ_or_are_none_are_refused() {
    let table = [
        ("http://a.example/", vec!["b.example"]),
        ("http://a.example:80/", vec!["a.example"]),
        ("/", vec!["a", "a"]),
        ("/", vec!["a b"]),
        ("/", vec!["a/b"]),
        ("/", vec!["user@a"]),
    ];
    for (target, fields) in table {
        let mut all = HeaderMap::new();
        for field in &fields {
            all.append(HOST, HeaderValue::from_static(field));
        }
        let uri = target.parse().unwrap();
        assert!(host(&uri, &all).is_err(), "{target} {all:?}");
    }
}

#[test]
fn tunnels_name_a_host_and_a_port_and_have_no_body() {
    for (target, field, port) in [
        ("a.example:443", None, Some(443)),
        ("[::1]:1", None, Some(1)),
        ("a.example", None, None),
        ("a.example:0", None, None),
        ("/", None, None),
        ("http://a.example:443/", None, None),
        ("a.example:443", Some(("content-length", "0")), None),
        ("a.example:443", Some(("transfer-encoding", "chunked")), None),
    ] {
        let mut headers = HeaderMap::new();
        headers.extend(field.map(|(name, value)| {
            let name = http::HeaderName::from_static(name);
            (name, HeaderValue::from_static(value))
        }));
        let found = tunnel_port(&target.parse().unwrap(), &headers).ok();
        assert_eq!(found, port, "{target} {field:?}");
    }
}

#[test]
fn paths_that_lead_elsewhere_are_refused() {
    for good in [
        "/",
        "/a/b",
        "/a//b",
        "/a.b/..c/d..",
        "/a%2Fb",
        "/...",
        "/%20",
        "/a%25",
    ] {
        assert!(check_path(good).is_ok(), "{good}");
    }
    for bad in [
        "/.",
        "/..",
        "/a/../b",
        "/a/./b",
        "/a/..",
        "/%2e%2E/b",
        "/a/.%2e/b",
        "/a%2f..%2fb",
        "/a%2f%2e%2e",
        "/a\\..\\b",
        "/a%5c..",
        "/%",
        "/%2",
        "/%zz",
        "/%00",
        "*",
        "",
    ] {
        assert!(check_path(bad).is_err(), "{bad}");
    }
}
