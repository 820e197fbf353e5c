//! Questions about feature flags that the node answers itself.

use std::io::Read as _;

use domain::Snapshot;
use domain::consumer::KeyState;
use domain::id::OrganizationId;
use domain::limit::CallRate;
use domain::snapshot::{Flag, FlagSet};
use domain::tracking::SdkKeyKind;
use gateway::Settings;
use serde_json::{Value, json};

use crate::bench::{Bench, Client, eventually, id, sdk_key};

/// Half of all users get `half`; staff gets `staff`, which pages may not ask for.
pub(crate) fn flags(half: u32) -> FlagSet {
    let flag = |key: &str, client_side: bool, definition: &Value| Flag {
        key: key.parse().unwrap(),
        r#type: serde_json::from_value(json!("boolean")).unwrap(),
        client_side,
        definition: serde_json::from_value(definition.clone()).unwrap(),
    };
    let variants = json!({ "on": true, "off": false });
    let split = json!({ "version": 3, "variants": variants, "off": "off",
        "otherwise": { "split": { "on": half, "off": 100 - half }, "by": "user_id" } });
    let staff = json!({ "version": 1, "variants": variants, "off": "off", "otherwise": { "serve": "off" },
        "rules": [{ "name": "staff", "when": { "attribute": "email", "op": "ends_with", "values": ["@acme.example"] },
            "serve": "on" }] });
    FlagSet {
        organization: OrganizationId::new(id(50)),
        tag: format!("t{half}"),
        flags: vec![flag("half", true, &split), flag("staff", false, &staff)],
        segments: std::collections::BTreeMap::new(),
        exposures: None,
    }
}

pub(crate) fn bench(kind: SdkKeyKind, change: impl FnOnce(&mut Settings, &mut Snapshot)) -> Bench {
    let bench = Bench::with(&["http://127.0.0.1:9".to_owned()], |settings, snapshot| {
        snapshot.flags = vec![flags(50)];
        change(settings, snapshot);
    });
    let key = sdk_key(&bench.key, 50, kind);
    bench.change(|snapshot| snapshot.sdk_keys = vec![key]);
    bench
}

pub(crate) fn json_of(answer: &crate::bench::Answer) -> Value {
    serde_json::from_slice(&answer.body).unwrap_or_else(|error| panic!("{error}: {}", answer.text()))
}

#[test]
fn single_flags_are_answered_over_get_and_post() {
    let bench = bench(SdkKeyKind::Server, |_, _| {});
    let answer = bench.get("/api/v1/feature-flags/staff/evaluate?email=a%40acme.example");
    let found = json!({ "key": "staff", "enabled": true, "variant": "on", "value": true, "reason": "targeting_match",
        "rule": "staff", "flag_version": 1, "assignment_id": null });
    assert_eq!((answer.status, json_of(&answer)), (200, found));
    let variants: Vec<_> = (0..20)
        .map(|user| {
            let got = bench.get(&format!("/api/v1/feature-flags/half/evaluate?user_id={user}"));
            let body = format!(r#"{{"attributes": {{"user_id": {user}}}}}"#);
            let posted = bench.call("POST", "/api/v1/feature-flags/half/evaluate", "", &body);
            assert_eq!(got.body, posted.body);
            let found = json_of(&got);
            assert_eq!(found.get("by"), None);
            assert!(found["assignment_id"].as_str().unwrap().starts_with("asg_"));
            found["variant"].as_str().unwrap().to_owned()
        })
        .collect();
    assert!(variants.iter().any(|one| one == "on") && variants.iter().any(|one| one == "off"));
}

#[test]
fn what_cannot_be_answered_is_said() {
    let bench = bench(SdkKeyKind::Server, |_, _| {});
    let cases = [
        (
            "GET",
            "/api/v1/feature-flags/none/evaluate",
            "",
            "",
            404,
            "flag_not_found",
        ),
        (
            "PUT",
            "/api/v1/feature-flags/half/evaluate",
            "",
            "",
            405,
            "method_not_allowed",
        ),
        (
            "POST",
            "/api/v1/feature-flags/half/evaluate",
            "",
            "{",
            400,
            "request_invalid",
        ),
        (
            "POST",
            "/api/v1/feature-flags/half/evaluate",
            "",
            r#"{"flags": []}"#,
            400,
            "request_invalid",
        ),
        (
            "GET",
            "/api/v1/feature-flags/half/evaluate",
            "Origin: https://a.example\r\n",
            "",
            403,
            "origin_refused",
        ),
    ];
    for (method, path, head, body, status, code) in cases {
        let answer = bench.call(method, path, head, body);
        let problem = json_of(&answer);
        assert_eq!(
            (answer.status, &problem["code"]),
            (status, &json!(code)),
            "{method} {path} {problem}"
        );
    }
    let large = format!(r#"{{"attributes": {{"a": "{}"}}}}"#, "x".repeat(64 << 10));
    assert_eq!(
        bench
            .call("POST", "/api/v1/feature-flags/half/evaluate", "", &large)
            .status,
        413
    );
    bench.change(|snapshot| snapshot.sdk_keys[0].state = KeyState::Revoked);
    let answer = bench.get("/api/v1/feature-flags/half/evaluate");
    assert_eq!(
        (answer.status, &json_of(&answer)["code"]),
        (401, &json!("sdk_key_invalid"))
    );
}

#[test]
fn all_flags_are_answered_once_until_something_changes() {
    let bench = bench(SdkKeyKind::Server, |_, _| {});
    let body = r#"{"attributes": {"user_id": "1", "email": "x"}}"#;
    let ask = |head: &str| bench.call("POST", "/api/v1/feature-flags/evaluate", head, body);
    let answer = ask("");
    let keys: Vec<_> = json_of(&answer)["flags"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["key"].clone())
        .collect();
    assert_eq!(keys, ["half", "staff"]);
    let told = json_of(&answer);
    let by: Vec<_> = (0..2).map(|place| told["flags"][place].get("by")).collect();
    assert_eq!(by, [Some(&json!("user_id")), None]);
    let tag = answer.field("etag").unwrap().to_owned();
    assert_eq!(ask(&format!("If-None-Match: {tag}\r\n")).status, 304);
    // What no flag reads makes no other answer.
    let other = r#"{"attributes": {"user_id": "1", "email": "x", "shoe_size": 43}}"#;
    let head = format!("If-None-Match: {tag}\r\n");
    assert_eq!(
        bench
            .call("POST", "/api/v1/feature-flags/evaluate", &head, other)
            .status,
        304
    );
    bench.change(|snapshot| snapshot.flags = vec![flags(100)]);
    assert_eq!(ask(&format!("If-None-Match: {tag}\r\n")).status, 200);
    let some = r#"{"flags": ["staff", "none"]}"#;
    let answer = bench.call("POST", "/api/v1/feature-flags/evaluate", "", some);
    assert_eq!(json_of(&answer)["flags"].as_array().unwrap().len(), 1);
    let answer = bench.get("/api/v1/feature-flags/definitions");
    let definitions = json_of(&answer);
    assert_eq!(definitions["flags"]["half"]["type"], "boolean");
    assert_eq!(
        definitions["flags"]["half"]["otherwise"]["split"]["on"],
        json!(100.0)
    );
}

#[test]
fn it_is_told_who_is_in_what_and_why() {
    let bench = bench(SdkKeyKind::Server, |_, _| {});
    let path = "/api/v1/assignments";
    let got = json_of(&bench.get(&format!("{path}?user_id=1&email=ann@acme.example")));
    let known = r#"{"attributes": {"user_id": "1", "email": "ann@acme.example"}}"#;
    assert_eq!(json_of(&bench.call("POST", path, "", known)), got);
    let told = got["assignments"].as_array().unwrap();
    let keys: Vec<_> = told.iter().map(|one| &one["key"]).collect();
    assert_eq!(keys, ["half", "staff"]);
    assert!(told[0]["assignment_id"].as_str().unwrap().starts_with("asg_"));
    for one in told {
        assert_eq!(one["steps"][0]["pointer"], "/enabled", "{one}");
    }
    let one = bench.call("POST", path, "", r#"{"flags": ["staff", "none"]}"#);
    assert_eq!(json_of(&one)["assignments"].as_array().unwrap().len(), 1);
    for (method, body, status) in [("POST", "{", 400), ("PUT", "", 405)] {
        assert_eq!(
            bench.call(method, path, "", body).status,
            status,
            "{method} {body}"
        );
    }
}

#[test]
fn pages_are_told_values_of_what_is_for_them() {
    let bench = bench(SdkKeyKind::Client, |_, _| {});
    let page = "Origin: https://shop.example\r\n";
    let answer = bench.call(
        "POST",
        "/ofrep/v1/evaluate/flags",
        page,
        r#"{"context": {"targetingKey": "1"}}"#,
    );
    assert_eq!(
        answer.field("access-control-allow-origin"),
        Some("https://shop.example")
    );
    let found = json_of(&answer);
    assert_eq!(found["flags"].as_array().unwrap().len(), 1);
    assert_eq!(found["flags"][0]["reason"], "SPLIT");
    let stream = found["eventStreams"][0]["endpoint"]["requestUri"]
        .as_str()
        .unwrap();
    assert!(
        stream.starts_with("/api/v1/feature-flags/changes?key="),
        "{stream}"
    );
    let answer = bench.call("POST", "/ofrep/v1/evaluate/flags/staff", page, "");
    assert_eq!(
        (answer.status, &json_of(&answer)["errorCode"]),
        (404, &json!("FLAG_NOT_FOUND"))
    );
    // Why it was refused may be read by the page as well.
    let answer = bench.call("GET", "/api/v1/feature-flags/definitions", page, "");
    assert_eq!(
        (answer.status, &json_of(&answer)["code"]),
        (403, &json!("sdk_key_kind"))
    );
    assert_eq!(
        answer.field("access-control-allow-origin"),
        Some("https://shop.example")
    );
    let answer = bench.call("GET", "/api/v1/assignments?user_id=1", page, "");
    assert_eq!(
        (answer.status, &json_of(&answer)["code"]),
        (403, &json!("sdk_key_kind"))
    );
    let asks = "Origin: https://shop.example\r\nAccess-Control-Request-Method: POST\r\n";
    let answer = bench.call("OPTIONS", "/ofrep/v1/evaluate/flags", asks, "");
    assert_eq!(
        (answer.status, answer.field("access-control-allow-origin")),
        (204, Some("*"))
    );
}

/// As the control plane answers them.
#[test]
fn questions_are_read_whatever_their_type_is_said_to_be() {
    let bench = bench(SdkKeyKind::Server, |_, _| {});
    for path in [
        "/ofrep/v1/evaluate/flags",
        "/api/v1/feature-flags/evaluate",
        "/api/v1/assignments",
    ] {
        for head in ["", "Content-Type: text/plain\r\n"] {
            assert_eq!(bench.call("POST", path, head, "{}").status, 200, "{path} {head}");
            assert_eq!(bench.call("POST", path, head, "a=b").status, 400, "{path} {head}");
        }
    }
}

#[test]
fn keys_of_other_environments_are_told_from_those_that_nobody_has() {
    let bench = bench(SdkKeyKind::Server, |_, _| {});
    let ask = |environment: &str| {
        let key = domain::key::write(&environment.parse().unwrap(), id(71), [7; 32]).unwrap();
        let answer = bench.get(&format!("/api/features/{key}"));
        let problem = json_of(&answer);
        assert_eq!(
            (answer.status, &problem["code"]),
            (401, &json!("sdk_key_invalid"))
        );
        problem["detail"].as_str().unwrap().to_owned()
    };
    let other = "This node serves `sandbox`, and the key is for `production`.";
    assert_eq!(ask("production"), other);
    assert!(ask("sandbox").starts_with("There is no such SDK key"));
}

#[test]
fn what_is_wrong_in_a_question_is_listed() {
    let bench = bench(SdkKeyKind::Server, |_, _| {});
    let ask = |body: &str| {
        let answer = bench.call("POST", "/api/v1/feature-flags/evaluate", "", body);
        assert_eq!(answer.status, 400, "{body}");
        json_of(&answer)
    };
    let problem = ask(r#"{"attributes": {"a/b": {}, "c": [1]}}"#);
    let detail = "/attributes/a~1b: It is neither a text, a number, a boolean nor a list of texts.";
    assert_eq!(problem["detail"], detail);
    let error = json!({ "pointer": "/attributes/a~1b", "code": "field_invalid",
        "detail": "It is neither a text, a number, a boolean nor a list of texts.",
        "suggestion": "Send what is inside as attributes of their own." });
    assert_eq!(problem["errors"][0], error);
    assert_eq!(problem["errors"][1]["pointer"], "/attributes/c");
    let problem = ask("[]");
    assert_eq!(
        (&problem["detail"], &problem["errors"][0]["pointer"]),
        (&json!("The body is not an object."), &json!(""))
    );
    assert_eq!(ask("{")["errors"][0]["code"], "json_malformed");
}

#[test]
fn a_key_may_be_used_as_often_as_it_says() {
    let bench = bench(SdkKeyKind::Client, |_, _| {});
    bench.change(|snapshot| {
        snapshot.sdk_keys[0].rate_limit = Some(CallRate {
            requests: 2,
            window_seconds: 3600,
            burst: None,
        });
    });
    let page = "Origin: https://shop.example\r\n";
    let ask = |path: &str, head: &str| bench.call("POST", path, &format!("{page}{head}"), "");
    let ofrep = "/ofrep/v1/evaluate/flags";
    let statuses = [ofrep, "/api/v1/feature-flags/evaluate", ofrep].map(|path| ask(path, "").status);
    assert_eq!(statuses, [200, 200, 429]);
    // A change of something else counts on.
    bench.change(|snapshot| snapshot.flags = vec![flags(100)]);
    let answer = ask(ofrep, "");
    assert_eq!(
        (answer.status, &json_of(&answer)["code"]),
        (429, &json!("rate_limited"))
    );
    let seconds: u64 = answer.field("retry-after").unwrap().parse().unwrap();
    assert!((1..=1800).contains(&seconds), "{seconds}");
    assert_eq!(
        answer.field("access-control-allow-origin"),
        Some("https://shop.example")
    );
    bench.change(|snapshot| snapshot.sdk_keys[0].rate_limit = None);
    assert_eq!(ask(ofrep, "").status, 200);
}

/// Reads until a text has come so often.
pub(crate) fn read_until(client: &mut Client, text: &str, times: usize) -> String {
    let mut read = String::from_utf8(std::mem::take(&mut client.bytes)).unwrap();
    let mut part = [0; 1024];
    while read.matches(text).count() < times {
        let length = client.stream.read(&mut part).unwrap();
        assert!(length > 0, "it ended after {read}");
        read.push_str(std::str::from_utf8(&part[..length]).unwrap());
    }
    read
}

#[test]
fn who_listens_hears_of_changes_and_of_no_others() {
    let bench = bench(SdkKeyKind::Server, |_, _| {});
    let mut client = bench.connect();
    let key = &bench.key;
    client
        .send(format!("GET /api/v1/feature-flags/changes?key={key} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes());
    let head = client.head();
    assert_eq!(head.field("content-type"), Some("text/event-stream"));
    let first = read_until(&mut client, "\n\n", 1);
    assert!(first.contains(r#""etag":"\"t50\"""#), "{first}");
    // A snapshot that leaves the flags as they are is no news.
    bench.change(|_| {});
    bench.change(|snapshot| snapshot.flags = vec![flags(60)]);
    let second = read_until(&mut client, "\n\n", 1);
    assert!(second.contains("t60") && !second.contains("t50"), "{second}");
    // With the key, the stream ends.
    bench.change(|snapshot| snapshot.sdk_keys[0].state = KeyState::Revoked);
    let rest = read_until(&mut client, "0\r\n\r\n", 1);
    assert!(!rest.contains("refetch"), "{rest}");
}

#[test]
fn flags_that_cannot_be_used_leave_the_old_snapshot() {
    let bench = bench(SdkKeyKind::Server, |_, _| {});
    let before = bench.revision();
    bench.send(|snapshot| {
        snapshot.flags[0].tag = "other".to_owned();
        snapshot.flags[0].flags[0].definition.targeting.off = "none".to_owned();
    });
    eventually(|| bench.gateway.as_ref().unwrap().status().rejected.is_some());
    let reason = bench.gateway.as_ref().unwrap().status().rejected.unwrap().reason;
    assert!(reason.contains("/flags/half/off"), "{reason}");
    assert_eq!(bench.revision(), before);
}

#[test]
fn routes_come_first_and_a_node_may_leave_it() {
    let bench = bench(SdkKeyKind::Server, |settings, _| settings.flags = false);
    let answer = bench.get("/api/v1/feature-flags/half/evaluate?user_id=1");
    assert_eq!(
        (answer.status, &json_of(&answer)["code"]),
        (404, &json!("route_not_found"))
    );
}
