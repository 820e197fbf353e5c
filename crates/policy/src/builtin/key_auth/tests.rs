use domain::Code;
use http::{HeaderMap, Method};
use serde_json::json;

use crate::directory::tests::{at, snapshot};
use crate::testing::place;
use crate::{Call, Cost, Directory, Effects, Limits, Standing, Verdict, kind};

/// What becomes of a call with these headers, and whether the caller is known.
fn decide(config: &serde_json::Value, headers: &[(&'static str, &str)]) -> (Option<Code>, bool, usize) {
    let directory = Directory::compile(&snapshot(), None).unwrap();
    let policy = kind("key_auth").unwrap().compile(config, None).unwrap();
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.insert(*name, value.parse().unwrap());
    }
    let place = place();
    let mut call = Call {
        method: &Method::GET,
        headers: &mut map,
        host: "",
        path: "/",
        query: "",
        template: "/",
        address: [127, 0, 0, 1].into(),
        moment: at("2026-11-21T12:00:00Z"),
        standing: Standing::Alone,
        place: &place,
        directory: &directory,
        consumer: None,
        flags: None,
        limits: Limits::default(),
        cost: Cost::default(),
        effects: Effects::default(),
    };
    let code = match policy.request(&mut call) {
        Verdict::Continue => None,
        Verdict::Refuse(refusal) => Some(refusal.code),
        Verdict::Answer(_) => unreachable!(),
    };
    (code, call.consumer.is_some(), map.len())
}

#[test]
fn the_configured_header_decides_and_is_removed() {
    let open = json!({ "required": false });
    let other = json!({ "header": "X-Other" });
    assert_eq!(decide(&json!({}), &[]), (Some(Code::KeyMissing), false, 0));
    assert_eq!(decide(&open, &[("accept", "*/*")]), (None, false, 1));
    assert_eq!(
        decide(&open, &[("x-api-key", "gl_x")]),
        (Some(Code::KeyMalformed), false, 0)
    );
    assert_eq!(
        decide(&other, &[("x-api-key", "gl_x")]),
        (Some(Code::KeyMissing), false, 1)
    );
    assert_eq!(
        decide(&other, &[("x-other", "gl_x")]),
        (Some(Code::KeyMalformed), false, 0)
    );
}
