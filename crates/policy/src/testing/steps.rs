//! Every field of every policy that is no limit changes what becomes of some calls.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use domain::id::OrganizationId;
use domain::snapshot::{Flag, FlagSet};
use flags::{Asking, Counts, Facts, Sets};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde_json::{Value, json};

use super::place;
use crate::call::{Answer, Call, Cost};
use crate::directory::tests::{at, id, snapshot};
use crate::{Directory, Effects, Limits, Policy, Standing, Verdict, kind};

/// The head of a call.
type Head = &'static [(&'static str, &'static str)];

/// A field, a configuration, what is changed in it, and the calls that show it.
type Row = (&'static str, Value, Value, Head);

const PAGE: Head = &[
    ("origin", "https://a.example"),
    ("access-control-request-method", "GET"),
    ("access-control-request-headers", "x-asked"),
];
const KEY: Head = &[("x-api-key", "gl_"), ("x-other", "no key either")];
const USER: Head = &[("x-user", "ada"), ("x-name", "bob"), ("cookie", "x-user=bob")];

fn head(fields: Head) -> HeaderMap {
    let fields = fields
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
    fields.collect()
}

/// The flags `half` and `other`: Ada, as `user_id`, gets another variant of both than anybody else.
fn sets() -> Sets {
    let flag = |key: &str| {
        let definition = json!({ "version": 1, "variants": { "on": true, "off": false }, "off": "off",
            "otherwise": { "serve": "off" },
            "rules": [{ "when": { "attribute": "user_id", "op": "in", "values": ["ada"] }, "serve": "on" }] });
        Flag {
            key: key.parse().unwrap(),
            r#type: serde_json::from_value(json!("boolean")).unwrap(),
            client_side: false,
            definition: serde_json::from_value(definition).unwrap(),
        }
    };
    let set = FlagSet {
        organization: OrganizationId::new(id(7)),
        tag: "a".to_owned(),
        flags: vec![flag("half"), flag("other")],
        segments: BTreeMap::new(),
        exposures: None,
    };
    let counts = Arc::new(Counts::default());
    Sets::compile(&"sandbox".parse().unwrap(), [&set], (None, &counts)).unwrap()
}

/// What becomes of a call and of its answer, in words.
fn seen(policy: &dyn Policy, fields: Head) -> Vec<String> {
    let (directory, place, sets) = (Directory::compile(&snapshot(), None).unwrap(), place(), sets());
    let moment = at("2026-11-21T12:00:00Z");
    let facts = Facts {
        method: "GET",
        host: "api.example.com",
        path: "/pets/7",
        query: "",
        address: None,
        now: moment.calendar,
    };
    let asking = Asking::new(&sets, facts);
    let mut request = head(fields);
    let mut call = Call {
        method: &Method::GET,
        headers: &mut request,
        host: "api.example.com",
        path: "/pets/7",
        query: "",
        template: "/pets/{pet_id}",
        address: [192, 0, 2, 1].into(),
        moment,
        standing: Standing::Alone,
        place: &place,
        directory: &directory,
        consumer: None,
        flags: Some(&asking),
        limits: Limits::default(),
        cost: Cost::default(),
        effects: Effects::default(),
    };
    let verdict = match policy.request(&mut call) {
        Verdict::Continue => "it goes on".to_owned(),
        Verdict::Refuse(refusal) => refusal.code.as_str().to_owned(),
        Verdict::Answer(reply) => reply.status.to_string(),
    };
    let mut response = head(&[("x-b", "1")]);
    let sent = head(fields);
    policy.response(&mut Answer {
        status: StatusCode::OK,
        headers: &mut response,
        origin: sent.get("origin"),
    });
    let preflight = policy.preflight(&sent, "GET").map(|reply| words(&reply.headers));
    vec![
        verdict,
        words(&request),
        words(&response),
        format!("{preflight:?}"),
        format!("{:?}", policy.body_bytes_max()),
        policy.translates_grpc_web().to_string(),
    ]
}

/// A head in the order of names, so that it can be compared.
fn words(headers: &HeaderMap) -> String {
    let lines: BTreeSet<_> = headers
        .iter()
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    format!("{lines:?}")
}

fn made(name: &str, config: &Value) -> Arc<dyn Policy> {
    let made = kind(name).unwrap().compile(config, None);
    made.unwrap_or_else(|faults| panic!("{name} {config}: {faults:?}"))
}

fn check(name: &str, rows: &[Row]) {
    let schema = kind(name).unwrap().schema();
    let known = ::fields::of(&schema, &schema["$defs"]);
    ::fields::complete(name, &known, rows.iter().map(|(field, ..)| *field), &[]);
    for (field, base, change, head) in rows {
        let mut changed = base.clone();
        changed
            .as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        let [before, after] = [base, &changed].map(|config| seen(&*made(name, config), head));
        assert_ne!(before, after, "{name}{field}: {change} changes nothing");
    }
}

#[test]
fn every_field_of_cors_holds() {
    let base = json!({ "origins": ["https://a.example"] });
    let row = |field: &'static str, change: Value| (field, base.clone(), change, PAGE);
    check(
        "cors",
        &[
            row("/origins", json!({ "origins": ["https://b.example"] })),
            row("/headers", json!({ "headers": ["X-Own"] })),
            row("/expose", json!({ "expose": ["X-Told"] })),
            row("/credentials", json!({ "credentials": true })),
            row("/max_age_seconds", json!({ "max_age_seconds": 5 })),
        ],
    );
}

#[test]
fn every_field_of_headers_holds() {
    let row = |field: &'static str, change: Value| (field, json!({}), change, USER);
    check(
        "headers",
        &[
            row("/request/remove", json!({ "request": { "remove": ["X-User"] } })),
            row("/request/set", json!({ "request": { "set": { "X-A": "2" } } })),
            row("/response/remove", json!({ "response": { "remove": ["X-B"] } })),
            row("/response/set", json!({ "response": { "set": { "X-A": "2" } } })),
        ],
    );
}

#[test]
fn every_field_of_key_auth_holds() {
    check(
        "key_auth",
        &[
            ("/header", json!({}), json!({ "header": "X-Other" }), KEY),
            ("/required", json!({}), json!({ "required": false }), &[]),
        ],
    );
}

#[test]
fn every_field_of_body_limit_holds() {
    check(
        "body_limit",
        &[("/bytes", json!({ "bytes": 10 }), json!({ "bytes": 20 }), &[])],
    );
}

#[test]
fn every_field_of_feature_flags_holds() {
    let source =
        |name: &str, from: &str, field: &str| json!([{ "name": name, "from": from, "field": field }]);
    let base = json!({ "flags": [{ "key": "half" }], "attributes": source("user_id", "header", "x-user") });
    let row = |field: &'static str, change: Value| (field, base.clone(), change, USER);
    check(
        "feature_flags",
        &[
            row("/flags/*/key", json!({ "flags": [{ "key": "other" }] })),
            row(
                "/flags/*/header",
                json!({ "flags": [{ "key": "half", "header": "X-Half" }] }),
            ),
            row(
                "/attributes/*/name",
                json!({ "attributes": source("country", "header", "x-user") }),
            ),
            row(
                "/attributes/*/from",
                json!({ "attributes": source("user_id", "cookie", "x-user") }),
            ),
            row(
                "/attributes/*/field",
                json!({ "attributes": source("user_id", "header", "x-name") }),
            ),
            row("/baggage", json!({ "baggage": false })),
        ],
    );
}

#[test]
fn grpc_web_holds_and_has_no_field() {
    let schema = kind("grpc_web").unwrap().schema();
    assert_eq!(::fields::of(&schema, &schema["$defs"]), BTreeSet::new());
    let (with, without) = (made("grpc_web", &json!({})), made("headers", &json!({})));
    assert_ne!(seen(&*with, &[]), seen(&*without, &[]));
}

/// A policy that is new gets its test here or beside those of limits, and its name then.
#[test]
fn every_policy_is_looked_at() {
    let limits = ["bandwidth_limit", "call_cost", "concurrency_limit", "rate_limit"];
    let steps = [
        "body_limit",
        "cors",
        "feature_flags",
        "grpc_web",
        "headers",
        "key_auth",
    ];
    let known: BTreeSet<_> = crate::kinds().iter().map(|kind| kind.name).collect();
    assert_eq!(known, limits.into_iter().chain(steps).collect());
}
