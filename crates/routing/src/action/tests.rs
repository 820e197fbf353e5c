use domain::snapshot::Route;
use http::{HeaderMap, Method};
use serde_json::{Value, json};

use super::Action;
use crate::Request;

/// A route at `/shop` of which these fields are said.
fn route(change: &Value) -> Route {
    let id = |prefix: &str| format!("{prefix}_00000000000000000000000001");
    let mut route = json!({
        "id": id("rte"), "organization": id("org"), "api": id("api"), "api_name": "shop", "version": id("ver"),
        "stage": "stable", "base_path": "/shop", "body_bytes_max": 1, "operations": [], "policies": [],
    });
    for (name, value) in change.as_object().unwrap() {
        route[name] = value.clone();
    }
    serde_json::from_value(route).unwrap()
}

/// Where a redirect sends a request for this URL.
fn location(redirect: &Value, scheme: &str, authority: &str, path: &str, query: &str) -> String {
    let route = route(redirect);
    let action = Action::compile(&route).unwrap();
    let Action::Redirect(redirection) = action else {
        panic!("{action:?}")
    };
    let headers = HeaderMap::new();
    let request = Request {
        method: &Method::GET,
        host: "",
        authority: authority.as_bytes(),
        path,
        query,
        headers: &headers,
        certificate: None,
        flags: None,
    };
    let location = redirection.location(&request, 5, scheme).unwrap();
    format!("{} {}", redirection.status.as_u16(), location.to_str().unwrap())
}

#[test]
fn redirects_change_what_they_say() {
    let to = |redirect: Value| json!({ "redirect": redirect });
    let at = |redirect: Value| location(&to(redirect), "http", "a.test:8080", "/shop/pets", "x=1");
    assert_eq!(at(json!({ "prefix": "/v2" })), "302 /v2/pets?x=1");
    assert_eq!(at(json!({ "prefix": "/", "status": 308 })), "308 /pets?x=1");
    assert_eq!(at(json!({ "path": "/gone", "keep_query": false })), "302 /gone");
    assert_eq!(
        at(json!({ "scheme": "https" })),
        "302 https://a.test/shop/pets?x=1"
    );
    assert_eq!(
        at(json!({ "scheme": "https", "port": 8443 })),
        "302 https://a.test:8443/shop/pets?x=1"
    );
    assert_eq!(at(json!({ "host": "b.test" })), "302 http://b.test/shop/pets?x=1");
    assert_eq!(at(json!({ "port": 80 })), "302 http://a.test/shop/pets?x=1");
    assert_eq!(
        at(json!({ "host": "b.test", "path": "/x" })),
        "302 http://b.test/x?x=1"
    );
    let named = json!({
        "match": { "path": { "kind": "template", "value": "/shop/{kind}/{id}" } },
        "redirect": { "path": "/{id}/{kind}" },
    });
    assert_eq!(
        location(&named, "https", "a.test", "/shop/pets/a%20b", ""),
        "302 /a%20b/pets"
    );
}

#[test]
fn a_redirect_never_leads_to_a_host_that_the_client_chose() {
    let prefix = json!({ "redirect": { "prefix": "/" } });
    for (path, expected) in [
        ("/shop//evil.test/x", "302 /evil.test/x"),
        ("/shop/\\evil.test", "302 /%5Cevil.test"),
        ("/shop///", "302 /"),
    ] {
        assert_eq!(location(&prefix, "http", "a.test", path, ""), expected);
    }
    let scheme = json!({ "redirect": { "scheme": "https" } });
    // Without a host there is nothing but the path to tell.
    assert_eq!(location(&scheme, "http", "", "/shop/x", ""), "302 /shop/x");
}

#[test]
fn answers_are_whole() {
    let route = route(&json!({ "answer": {
        "status": 503, "headers": { "Retry-After": "60" }, "content_type": "application/json", "body": "{}" } }));
    let Ok(Action::Answer(answer)) = Action::compile(&route) else {
        panic!("an answer")
    };
    let field = |name: &str| answer.headers[name].to_str().unwrap();
    assert_eq!((answer.status.as_u16(), &*answer.body), (503, &b"{}"[..]));
    assert_eq!(
        (
            field("retry-after"),
            field("content-type"),
            field("content-length")
        ),
        ("60", "application/json", "2")
    );
}

/// Where and what is wrong, the route.
const FAULTS: &str = r#"
/upstream_id action_missing | {}
/answer action_twice | { "redirect": { "path": "/x" }, "answer": { "status": 200 } }
/redirect action_twice | { "upstream": "ups_00000000000000000000000001", "redirect": { "path": "/x" } }
/rewrite rewrite_unused | { "answer": { "status": 200 }, "rewrite": { "prefix": "/x" } }
/rewrite rewrite_unused | { "upstream": "ups_00000000000000000000000001", "rewrite": {} }
/rewrite/host host_invalid | { "upstream": "ups_00000000000000000000000001", "rewrite": { "host": "a b" } }
/rewrite/host host_invalid | { "upstream": "ups_00000000000000000000000001", "rewrite": { "host": "a:0" } }
/redirect redirect_circular | { "redirect": {} }
/redirect redirect_circular | { "redirect": { "prefix": "/shop/" } }
/redirect/status status_invalid | { "redirect": { "path": "/x", "status": 304 } }
/redirect/host host_invalid | { "redirect": { "host": "*.a.test" } }
/redirect/port field_out_of_range | { "redirect": { "port": 0 } }
/redirect/path variable_unknown | { "redirect": { "path": "/{id}" } }
/redirect change_twice | { "redirect": { "path": "/x", "prefix": "/y" } }
/answer/status status_invalid | { "answer": { "status": 100 } }
/answer/body body_unused | { "answer": { "status": 204, "body": "x" } }
/answer/content_type body_unused | { "answer": { "status": 200, "content_type": "text/html" } }
/answer/content_type field_invalid | { "answer": { "status": 200, "content_type": "a\nb", "body": "x" } }
/answer/headers/Content-Length name_invalid | { "answer": { "status": 200, "headers": { "Content-Length": "1" } } }
/answer/headers/a~1b field_invalid | { "answer": { "status": 200, "headers": { "a/b": "1" } } }
/body_bytes_max field_out_of_range | { "answer": { "status": 200 }, "body_bytes_max": 10737418241 }
/upstream_id action_missing | { "base_path": "", "connect": {} }
/base_path combination_invalid | { "upstream": "ups_00000000000000000000000001", "connect": {} }
/match/path combination_invalid | { "base_path": "", "upstream": "ups_00000000000000000000000001", "connect": {}, "match": { "path": { "kind": "exact", "value": "/" } } }
/match/methods combination_invalid | { "base_path": "", "upstream": "ups_00000000000000000000000001", "connect": {}, "match": { "methods": ["GET"] } }
/match/query combination_invalid | { "base_path": "", "upstream": "ups_00000000000000000000000001", "connect": {}, "match": { "query": [{ "name": "a", "kind": "present" }] } }
/redirect combination_invalid | { "base_path": "", "connect": {}, "redirect": { "path": "/x" } }
/answer combination_invalid | { "base_path": "", "connect": {}, "answer": { "status": 200 } }
/rewrite combination_invalid | { "base_path": "", "upstream": "ups_00000000000000000000000001", "connect": {}, "rewrite": { "prefix": "/x" } }
/mirror combination_invalid | { "base_path": "", "upstream": "ups_00000000000000000000000001", "connect": {}, "mirror": { "upstream_id": "ups_00000000000000000000000001" } }
/connect/ports/1 field_out_of_range | { "base_path": "", "upstream": "ups_00000000000000000000000001", "connect": { "ports": [1, 0] } }
/connect/ports field_out_of_range | { "base_path": "", "upstream": "ups_00000000000000000000000001", "connect": { "ports": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17] } }
/connect/idle_ms field_out_of_range | { "base_path": "", "upstream": "ups_00000000000000000000000001", "connect": { "idle_ms": 999 } }
/answer/headers/a field_invalid | { "answer": { "status": 200, "headers": { "a": "x\r\ny" } } }
"#;

#[test]
fn what_cannot_be_done_is_told_with_its_place() {
    let faults = |change: &Value| {
        let found = Action::compile(&route(change)).err().unwrap_or_default();
        let found: Vec<_> = found
            .iter()
            .map(|fault| format!("{} {}", fault.pointer, fault.code))
            .collect();
        found.join(", ")
    };
    for case in FAULTS.trim().lines() {
        let (expected, change) = case.split_once(" | ").unwrap();
        assert_eq!(faults(&serde_json::from_str(change).unwrap()), expected, "{case}");
    }
    let long = json!({ "answer": { "status": 200, "body": "a".repeat(65_537) } });
    assert_eq!(faults(&long), "/answer/body field_too_long");
}
