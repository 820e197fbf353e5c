use domain::id::OrganizationId;
use domain::routing::Match;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::{Value, json};
use uuid::Uuid;

use super::Conditions;
use crate::Request;

fn ours() -> OrganizationId {
    OrganizationId::new(Uuid::from_u128(1))
}

fn matches(value: &Value) -> Match {
    serde_json::from_value(value.clone()).unwrap()
}

/// The pointer of the condition that a request does not fit, or `fits`.
fn check(conditions: &Value, method: &str, target: &str, fields: &[(&str, &str)]) -> String {
    let compiled = Conditions::compile(&matches(conditions), (ours(), "/shop")).unwrap();
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers.append(
            HeaderName::from_bytes(name.as_bytes()).unwrap(),
            HeaderValue::from_str(value).unwrap(),
        );
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let request = Request {
        method: &Method::from_bytes(method.as_bytes()).unwrap(),
        host: "",
        authority: b"",
        path,
        query,
        headers: &headers,
        certificate: None,
        flags: None,
    };
    match compiled.check(&request) {
        Ok(()) => "fits".to_owned(),
        Err(miss) => miss.to_string(),
    }
}

#[test]
fn methods_fit() {
    let get = json!({ "methods": ["GET", "PUT"] });
    let preflight = |wanted| {
        [
            ("origin", "https://a.example"),
            ("access-control-request-method", wanted),
        ]
    };
    assert_eq!(check(&get, "GET", "/shop", &[]), "fits");
    assert_eq!(check(&get, "HEAD", "/shop", &[]), "fits");
    assert_eq!(check(&get, "PUT", "/shop", &[]), "fits");
    assert_eq!(check(&get, "POST", "/shop", &[]), "/match/methods");
    assert_eq!(check(&get, "OPTIONS", "/shop", &[]), "/match/methods");
    assert_eq!(check(&get, "OPTIONS", "/shop", &preflight("PUT")), "fits");
    assert_eq!(
        check(&get, "OPTIONS", "/shop", &preflight("POST")),
        "/match/methods"
    );
    assert_eq!(
        check(&json!({ "methods": ["HEAD"] }), "GET", "/shop", &[]),
        "/match/methods"
    );
}

/// Whether it fits, the request's fields, the condition.
const FIELDS: &str = r#"
yes | x-version=2 | { "name": "X-Version", "value": "2" }
no | x-version=22 | { "name": "x-version", "value": "2" }
no | | { "name": "x-version", "value": "2" }
yes | x-version=1 x-version=2 | { "name": "x-version", "value": "2" }
no | x-version=2 | { "name": "x-version", "value": "2", "not": true }
no | x-version=2 x-version=3 | { "name": "x-version", "value": "2", "not": true }
yes | x-version=3 | { "name": "x-version", "value": "2", "not": true }
yes | | { "name": "x-version", "value": "2", "not": true }
yes | a=beta | { "name": "a", "kind": "prefix", "value": "be" }
no | a=abe | { "name": "a", "kind": "prefix", "value": "be" }
yes | a=bbb | { "name": "a", "kind": "regex", "value": "b+|c" }
no | a=cc | { "name": "a", "kind": "regex", "value": "b+|c" }
yes | a= | { "name": "a", "kind": "present" }
no | | { "name": "a", "kind": "present" }
yes | | { "name": "a", "kind": "absent" }
no | a=1 | { "name": "a", "kind": "absent" }
yes | a=1 | { "name": "a", "kind": "absent", "not": true }
yes | a= | { "name": "a", "value": "" }
"#;

/// The parts of a case, between bars.
fn parts<const N: usize>(case: &str) -> [&str; N] {
    let parts: Vec<&str> = case.splitn(N, '|').map(str::trim).collect();
    parts.try_into().unwrap_or_else(|_| panic!("{case}"))
}

#[test]
fn fields_fit() {
    for case in FIELDS.trim().lines() {
        let [fits, fields, condition] = parts(case);
        let fields: Vec<_> = fields
            .split_whitespace()
            .map(|field| field.split_once('=').unwrap())
            .collect();
        let conditions = json!({ "headers": [serde_json::from_str::<Value>(condition).unwrap()] });
        let expected = if fits == "yes" { "fits" } else { "/match/headers/0" };
        assert_eq!(check(&conditions, "GET", "/shop", &fields), expected, "{case}");
    }
}

#[test]
fn query_parameters_and_cookies_fit() {
    let query = json!({ "query": [{ "name": "page size", "value": "a+b" }] });
    for (target, expected) in [
        ("/shop?page+size=a%2Bb", "fits"),
        ("/shop?x=1&page%20size=a%2Bb&y", "fits"),
        ("/shop?page+size=a+b", "/match/query/0"),
        ("/shop", "/match/query/0"),
    ] {
        assert_eq!(check(&query, "GET", target, &[]), expected, "{target}");
    }
    let flag = json!({ "query": [{ "name": "debug", "kind": "present" }] });
    assert_eq!(check(&flag, "GET", "/shop?debug", &[]), "fits");
    let cookies = json!({ "cookies": [{ "name": "side", "value": "b" }] });
    for (cookie, expected) in [
        ("side=b", "fits"),
        ("a=1; side=b; c=2", "fits"),
        ("a=1;side=b", "fits"),
        ("side=bb", "/match/cookies/0"),
        ("outside=b", "/match/cookies/0"),
        ("side", "/match/cookies/0"),
    ] {
        assert_eq!(
            check(&cookies, "GET", "/shop", &[("cookie", cookie)]),
            expected,
            "{cookie}"
        );
    }
}

#[test]
fn the_first_condition_that_does_not_hold_is_told() {
    let all = json!({
        "path": { "kind": "prefix", "value": "/shop/a" }, "methods": ["GET"],
        "headers": [{ "name": "a", "kind": "present" }, { "name": "b", "kind": "present" }],
        "query": [{ "name": "q", "kind": "present" }], "cookies": [{ "name": "c", "kind": "present" }],
    });
    let (a, b) = (("a", "1"), ("b", "1"));
    assert_eq!(check(&all, "POST", "/shop", &[]), "/match/path");
    assert_eq!(check(&all, "POST", "/shop/a", &[]), "/match/methods");
    assert_eq!(check(&all, "GET", "/shop/a", &[a]), "/match/headers/1");
    assert_eq!(check(&all, "GET", "/shop/a", &[a, b]), "/match/query/0");
    assert_eq!(check(&all, "GET", "/shop/a?q", &[a, b]), "/match/cookies/0");
    assert_eq!(
        check(&all, "GET", "/shop/a?q", &[a, b, ("cookie", "c=1")]),
        "fits"
    );
}

/// Where and what is wrong, the conditions.
const FAULTS: &str = r#"
/match/path/value path_outside | { "path": { "kind": "exact", "value": "/other" } }
/match/path/value path_outside | { "path": { "kind": "prefix", "value": "/" } }
| { "path": { "kind": "template", "value": "/{a}" } }
/match/path/value path_outside | { "path": { "kind": "template", "value": "/x/{a}" } }
/match/path/value path_invalid | { "path": { "kind": "exact", "value": "shop" } }
/match/path/value path_invalid | { "path": { "kind": "exact", "value": "/shop?a" } }
/match/path/value regex_invalid | { "path": { "kind": "regex", "value": "(" } }
/match/path/value regex_invalid | { "path": { "kind": "regex", "value": "a)|(b" } }
/match/path/value regex_invalid | { "path": { "kind": "regex", "value": "(?x)a #" } }
/match/path/value regex_invalid | { "path": { "kind": "regex", "value": "(a)\\1" } }
/match/path/value regex_invalid | { "path": { "kind": "regex", "value": "(\\w{100}){100}" } }
/match/methods/0 method_invalid | { "methods": ["get"] }
/match/methods/1 method_invalid | { "methods": ["GET", ""] }
/match/methods/0 method_invalid | { "methods": ["CONNECT"] }
/match/headers/0/name name_invalid | { "headers": [{ "name": "a b", "kind": "present" }] }
/match/headers/0/name name_invalid | { "headers": [{ "name": "Host", "kind": "present" }] }
/match/headers/0/value value_missing | { "headers": [{ "name": "a" }] }
/match/headers/0/value value_unused | { "headers": [{ "name": "a", "kind": "absent", "value": "" }] }
/match/headers/0/value field_invalid | { "headers": [{ "name": "a", "value": "x\n" }] }
/match/audience field_required | { "audience": {} }
/match/audience/attributes/0/field name_invalid | { "audience": { "flags": [{ "key": "a" }], "attributes": [{ "name": "a", "from": "header", "field": "a b" }] } }
/match/query/0/name name_invalid | { "query": [{ "name": "", "kind": "present" }] }
/match/cookies/0/name name_invalid | { "cookies": [{ "name": "a=b", "kind": "present" }] }
"#;

fn faults(conditions: &Value) -> String {
    let found = Conditions::compile(&matches(conditions), (ours(), "/shop"))
        .err()
        .unwrap_or_default();
    let found: Vec<_> = found
        .iter()
        .map(|fault| format!("{} {}", fault.pointer, fault.code))
        .collect();
    found.join(", ")
}

#[test]
fn what_is_no_condition_is_told_with_its_place() {
    for case in FAULTS.trim_matches('\n').lines() {
        let [expected, conditions] = parts(case);
        assert_eq!(
            faults(&serde_json::from_str(conditions).unwrap()),
            expected,
            "{case}"
        );
    }
    let long = "a".repeat(1001);
    let path = json!({ "path": { "kind": "exact", "value": format!("/shop/{long}") } });
    assert_eq!(faults(&path), "/match/path/value path_invalid");
    let value = json!({ "headers": [{ "name": "a", "value": long }] });
    assert_eq!(faults(&value), "/match/headers/0/value field_invalid");
    let many: Vec<Value> = (0..17)
        .map(|n| json!({ "name": format!("a{n}"), "kind": "present" }))
        .collect();
    assert_eq!(
        faults(&json!({ "headers": many })),
        "/match/headers field_out_of_range"
    );
}

#[test]
fn orders_and_case_do_not_make_conditions_different() {
    let a = json!({ "methods": ["PUT", "GET"], "headers": [{ "name": "B", "kind": "present" }, { "name": "a", "value": "1" }] });
    let b = json!({ "methods": ["GET", "PUT", "GET"], "headers": [
        { "name": "A", "kind": "exact", "value": "1" }, { "name": "b", "kind": "absent", "not": true } ] });
    let c = json!({ "methods": ["GET", "PUT"], "headers": [{ "name": "b", "kind": "present" }, { "name": "a", "value": "2" }] });
    assert_eq!(matches(&a).normal(), matches(&b).normal());
    assert_ne!(matches(&a).normal(), matches(&c).normal());
}

/// Says that a call is of an audience if a header field says so.
#[derive(Debug)]
struct Said;

impl flags::Ask for Said {
    fn fits(
        &self,
        organization: OrganizationId,
        _: &flags::Audience,
        head: flags::Head<'_>,
    ) -> Result<(), flags::Outside> {
        assert_eq!(organization, ours());
        assert!(head.caller.is_none(), "it is not known yet who calls");
        match head.headers.contains_key("x-in") {
            true => Ok(()),
            false => Err(flags::Outside::Segment(1)),
        }
    }

    fn variants(
        &self,
        _: OrganizationId,
        _: (&[Box<str>], &flags::Sources),
        _: flags::Head<'_>,
    ) -> Vec<Option<&str>> {
        unreachable!("routes ask for audiences")
    }
}

#[test]
fn an_audience_is_looked_at_last() {
    let conditions = json!({
        "methods": ["GET"],
        "when": "'x-a' in headers",
        "audience": { "segments": [{ "key": "a" }, { "key": "b" }] },
    });
    let compiled = Conditions::compile(&matches(&conditions), (ours(), "/shop")).unwrap();
    let check = |fields: &[&'static str], flags: Option<&dyn flags::Ask>| {
        let headers: HeaderMap = fields
            .iter()
            .map(|name| (HeaderName::from_static(name), HeaderValue::from_static("1")))
            .collect();
        let request = Request {
            method: &Method::GET,
            host: "",
            authority: b"",
            path: "/shop",
            query: "",
            headers: &headers,
            certificate: None,
            flags,
        };
        compiled
            .check(&request)
            .map_or_else(|miss| miss.to_string(), |()| "fits".to_owned())
    };
    assert_eq!(check(&["x-a", "x-in"], Some(&Said)), "fits");
    assert_eq!(check(&["x-a"], Some(&Said)), "/match/audience/segments/1");
    assert_eq!(check(&["x-in"], Some(&Said)), "/match/when");
    assert_eq!(check(&["x-a", "x-in"], None), "/match/audience/segments/0");
}

#[test]
fn audiences_are_the_same_in_any_order() {
    let audience = |flags: &Value, attributes: &Value| {
        let audience = json!({ "flags": flags, "segments": [{ "key": "s" }, { "key": "r", "not": true }],
            "attributes": attributes });
        matches(&json!({ "audience": audience })).normal()
    };
    let sources =
        json!([{ "name": "b", "from": "query" }, { "name": "a", "from": "header", "field": "X-A" }]);
    let a = audience(
        &json!([{ "key": "f", "variants": ["x", "y"] }, { "key": "e" }]),
        &sources,
    );
    let others = json!([{ "name": "a", "from": "header", "field": "x-a" }, { "name": "b", "from": "query", "field": "b" }]);
    let b = audience(
        &json!([{ "key": "e" }, { "key": "f", "variants": ["y", "x", "y"] }]),
        &others,
    );
    assert_eq!(a, b);
    assert_eq!(a.conditions(), 4);
    let c = audience(
        &json!([{ "key": "e" }, { "key": "f", "variants": ["y"] }]),
        &others,
    );
    assert_ne!(a, c);
    let capitals = json!([{ "name": "a", "from": "header", "field": "x-a" }, { "name": "b", "from": "query", "field": "B" }]);
    let d = audience(
        &json!([{ "key": "e" }, { "key": "f", "variants": ["x", "y"] }]),
        &capitals,
    );
    assert_ne!(a, d);
}
