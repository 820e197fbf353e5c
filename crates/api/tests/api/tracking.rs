//! Tracked events from the call to the counts.

use std::sync::Arc;

use axum::body::Body;
use events::ingest::IngestSettings;
use events::intake::IntakeSettings;
use events::log::LogSettings;
use events::pump::PumpSettings;
use events::{Hold, Ingest, Intake, Log, Pump, Sink as _};
use http::Method;
use serde_json::{Value, json};

use crate::app::{Answer, Someone, TestApp};

const EVENTS: &str = "/api/v1/tracking/events";
const TYPES: &str = "/api/v1/event-types";
const KEYS: &str = "/api/v1/sdk-keys";
/// The hour of the tests' clock.
const HOUR: &str = "2025-11-20T12:00:00Z";

/// A control plane that takes events.
pub(crate) struct Bench {
    pub(crate) app: TestApp,
    pub(crate) log: Arc<Log>,
    pump: Option<Pump>,
    _directory: tempfile::TempDir,
}

impl Bench {
    pub(crate) async fn new() -> Self {
        Self::with(LogSettings::default()).await
    }

    async fn with(settings: LogSettings) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let log = Arc::new(Log::open(&directory.path().join("log.redb"), settings).unwrap());
        let intake = Intake::open(log.clone(), IntakeSettings::default()).unwrap();
        let pump = Pump::start_with(log.clone(), PumpSettings::default(), Some(intake.clone())).unwrap();
        let ingest = Ingest::new(intake, IngestSettings::default());
        let app = TestApp::with(|settings| api::Settings {
            ingest: Some(ingest),
            ..settings
        });
        Self {
            app: app.await,
            log,
            pump: Some(pump),
            _directory: directory,
        }
    }

    /// Counts what is in the log, as a node has it done.
    async fn count(&self) {
        let node = self.log.node();
        let counter = self.app.control.usage_counter();
        let after = counter.commit(node, &[]).await.unwrap();
        let batches = self.log.read_after(after, 1000).unwrap();
        counter.commit(node, &batches).await.unwrap();
        // A replay counts nothing.
        counter.commit(node, &batches).await.unwrap();
    }

    fn sender(&self, key: &str) -> Someone<'_> {
        self.app.anybody().with("x-api-key", key)
    }
}

async fn event_type(owner: &Someone<'_>, spec: Value) -> String {
    let made = owner.post(TYPES, spec).await.json(201);
    made["id"].as_str().unwrap().to_owned()
}

async fn sdk_key(owner: &Someone<'_>, spec: Value) -> (String, String) {
    let made = owner.post(KEYS, spec).await.json(201);
    let text = |name: &str| made[name].as_str().unwrap().to_owned();
    (text("id"), text("key"))
}

fn server() -> Value {
    json!({ "kind": "server", "environment": "sandbox" })
}

fn visit(id: &str) -> Value {
    json!({ "type": "visit", "id": id, "user_id": "u1" })
}

async fn raw(someone: &Someone<'_>, path: &str, kind: Option<&str>, body: impl Into<Body>) -> Answer {
    someone.send(Method::POST, path, body.into(), kind).await
}

#[tokio::test]
async fn events_are_taken_once_and_counted() {
    let bench = Bench::new().await;
    let owner = bench.app.owner().await;
    let id = event_type(&owner, json!({ "name": "visit", "title": "Visit" })).await;
    let (key_id, key) = sdk_key(&owner, server()).await;
    let sender = bench.sender(&key);
    let answer = sender
        .post(EVENTS, json!({ "events": [visit("a"), visit("b")] }))
        .await;
    assert_eq!(answer.json(202), json!({ "accepted": 2, "duplicates": 0 }));
    let answer = sender
        .post(EVENTS, json!([visit("b"), visit("c"), visit("c")]))
        .await;
    assert_eq!(answer.json(202), json!({ "accepted": 1, "duplicates": 2 }));
    // The same id in another environment is another event.
    let (_, other) = sdk_key(&owner, json!({ "kind": "server", "environment": "production" })).await;
    let answer = bench.app.bearer(&other).post(EVENTS, visit("a")).await;
    assert_eq!(answer.json(202), json!({ "accepted": 1, "duplicates": 0 }));
    bench.count().await;

    let usage = owner.get(&format!("{TYPES}/{id}/usage")).await.json(200);
    assert_eq!(
        (&usage["events"], &usage["interval"]),
        (&json!(4), &json!("hour"))
    );
    let counts: Vec<_> = usage["counts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|count| {
            (
                count["begin"].as_str().unwrap(),
                count["environment"].as_str().unwrap(),
                count["events"].clone(),
            )
        })
        .collect();
    assert_eq!(
        counts,
        [(HOUR, "production", json!(1)), (HOUR, "sandbox", json!(3))]
    );
    let days = owner
        .get(&format!("{TYPES}/{id}/usage?interval=day"))
        .await
        .json(200);
    assert_eq!(days["counts"][1]["begin"], "2025-11-20T00:00:00Z");
    assert_eq!(days["bytes"], usage["bytes"]);
    let shown = owner.get(&format!("{TYPES}/{id}")).await.json(200);
    assert_eq!(
        (&shown["events_last_day"], &shown["last_seen_at"]),
        (&json!(4), &json!(HOUR))
    );
    let shown = owner.get(&format!("{KEYS}/{key_id}")).await.json(200);
    assert_eq!(shown["last_used_at"], HOUR);
    for (query, code) in [
        ("interval=week", "parameter_invalid"),
        (
            "from=2025-11-21T00:00:00Z&to=2025-11-20T00:00:00Z",
            "parameter_invalid",
        ),
        ("from=2025-01-01T00:00:00Z", "parameter_invalid"),
        ("from=2025-01-01T00:00:00Z&interval=day", "ok"),
    ] {
        assert_eq!(
            owner.get(&format!("{TYPES}/{id}/usage?{query}")).await.code(),
            code,
            "{query}"
        );
    }
}

#[tokio::test]
async fn bad_events_are_named_and_good_ones_taken() {
    let bench = Bench::new().await;
    let owner = bench.app.owner().await;
    let schema =
        json!({ "type": "object", "properties": { "price": { "type": "number" } }, "required": ["price"] });
    event_type(
        &owner,
        json!({ "name": "purchase", "title": "Purchase", "schema": schema }),
    )
    .await;
    let (_, key) = sdk_key(&owner, server()).await;
    let sender = bench.sender(&key);
    let good = json!({ "type": "purchase", "user_id": "u", "properties": { "price": 1 } });
    let mixed = json!([good, { "type": "sale", "user_id": "u" }, { "type": "purchase", "user_id": "u", "properties": { "price": "1" } }]);
    let answer = sender.post(EVENTS, mixed).await.json(207);
    assert_eq!(
        (&answer["accepted"], &answer["errors_total"]),
        (&json!(1), &json!(2))
    );
    let errors: Vec<_> = answer["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| format!("{} {} {}", error["index"], error["code"], error["pointer"]))
        .collect();
    assert_eq!(
        errors,
        [
            r#"1 "event_type_unknown" "/type""#,
            r#"2 "schema_mismatch" "/properties/price""#
        ]
    );
    let refused = sender
        .post(EVENTS, json!({ "type": "sale", "user_id": "u" }))
        .await;
    assert_eq!(
        refused.problem(),
        "400 events_invalid: The event cannot be taken.\n\"/type\" \"event_type_unknown\": \"There is no event type `sale`.\""
    );
    assert_eq!(refused.json(400)["errors"][0]["index"], 0);
    let refused = sender.post(EVENTS, json!([{ "type": "purchase" }, 7])).await;
    assert!(
        refused
            .problem()
            .starts_with("400 events_invalid: None of the 2 events can be taken.")
    );
    let malformed = raw(&sender, EVENTS, Some("application/json"), "[\n{").await;
    assert_eq!(malformed.json(400)["errors"][0]["line"], 2);
    assert_eq!(malformed.code(), "request_invalid");
    // An archived type takes nothing more.
    let page = owner
        .get(&format!("{TYPES}?filter[name]=purchase"))
        .await
        .json(200);
    let path = format!("{TYPES}/{}", page["data"][0]["id"].as_str().unwrap());
    let change = owner.with("if-match", "*");
    change
        .patch(&path, json!({ "state": "archived" }))
        .await
        .json(200);
    let refused = sender.post(EVENTS, good.clone()).await.json(400);
    assert_eq!(refused["errors"][0]["code"], "event_type_archived");
    change
        .patch(&path, json!({ "state": "active", "schema": null }))
        .await
        .json(200);
    sender
        .post(EVENTS, json!({ "type": "purchase", "user_id": "u" }))
        .await
        .json(202);
    assert_eq!(change.delete(&path).await.code(), "ok");
}

#[tokio::test]
async fn events_come_in_every_form() {
    let bench = Bench::new().await;
    let owner = bench.app.owner().await;
    event_type(&owner, json!({ "name": "visit", "title": "Visit" })).await;
    let (_, key) = sdk_key(&owner, json!({ "kind": "client", "environment": "sandbox" })).await;
    let sender = bench.sender(&key);
    let event = visit("x").to_string();
    let cloud = json!({ "specversion": "1.0", "id": "y", "source": "/s", "type": "visit", "subject": "u" })
        .to_string();
    let mut expected = [1, 0, 0, 0, 1, 0];
    expected.reverse();
    let mut expected = expected.to_vec();
    for (kind, body) in [
        (Some("application/json"), event.clone()),
        (Some("text/plain;charset=UTF-8"), event.clone()),
        (None, event.clone()),
        (Some("application/x-ndjson"), format!("{event}\n{event}\n")),
        (Some("application/cloudevents+json"), cloud.clone()),
        (Some("application/cloudevents-batch+json"), format!("[{cloud}]")),
    ] {
        let answer = raw(&sender, EVENTS, kind, body).await.json(202);
        assert_eq!(answer["accepted"], expected.pop().unwrap(), "{kind:?}");
    }
    let binary = sender
        .with("ce-specversion", "1.0")
        .with("ce-id", "y")
        .with("ce-source", "/t")
        .with("ce-type", "visit")
        .with("ce-subject", "u");
    let answer = raw(&binary, EVENTS, Some("application/json"), "{\"a\":1}").await;
    assert_eq!(
        answer.json(202)["accepted"],
        1,
        "another source, so another event"
    );
    // A page that leaves can send no headers.
    let path = format!("{EVENTS}?key={key}");
    let answer = raw(
        &bench.app.anybody(),
        &path,
        Some("text/plain"),
        visit("z").to_string(),
    )
    .await;
    assert_eq!(answer.json(202)["accepted"], 1);
    assert_eq!(
        raw(&sender, EVENTS, Some("text/html"), event.clone())
            .await
            .code(),
        "media_type_unsupported"
    );
    let packed = sender.with("content-encoding", "br");
    assert_eq!(
        packed.post(EVENTS, visit("p")).await.code(),
        "media_type_unsupported"
    );
    let packed = sender.with("content-encoding", "gzip");
    assert_eq!(packed.post(EVENTS, visit("p")).await.code(), "request_invalid");
    let large = vec![b' '; 5 * 1024 * 1024 + 1];
    assert_eq!(
        raw(&sender, EVENTS, Some("application/json"), large).await.code(),
        "body_too_large"
    );
    let many = json!(vec![visit("m"); 10_001]);
    assert_eq!(sender.post(EVENTS, many).await.code(), "body_too_large");
}

#[tokio::test]
async fn keys_open_their_environment_until_they_end() {
    let bench = Bench::new().await;
    let owner = bench.app.owner().await;
    event_type(&owner, json!({ "name": "visit", "title": "Visit" })).await;
    let nobody = bench.app.anybody().post(EVENTS, visit("a")).await;
    assert_eq!(nobody.code(), "sdk_key_missing");
    for wrong in ["nonsense", "gl_sandbox_x", &domain_key()] {
        assert_eq!(
            bench.sender(wrong).post(EVENTS, visit("a")).await.code(),
            "sdk_key_invalid",
            "{wrong}"
        );
    }
    let (id, key) = sdk_key(&owner, server()).await;
    let rotated = owner
        .post(&format!("{KEYS}/{id}/rotate"), json!({ "overlap_seconds": 60 }))
        .await
        .json(201);
    let successor = rotated["key"].as_str().unwrap();
    for key in [key.as_str(), successor] {
        bench.sender(key).post(EVENTS, visit(key)).await.json(202);
    }
    bench.app.pass(std::time::Duration::from_secs(61));
    let expired = bench.sender(&key).post(EVENTS, visit("b")).await;
    assert_eq!(expired.problem(), "401 sdk_key_invalid: The key has expired.");
    let id = rotated["id"].as_str().unwrap();
    owner
        .post(&format!("{KEYS}/{id}/revoke"), Value::Null)
        .await
        .json(200);
    let revoked = bench.sender(successor).post(EVENTS, visit("b")).await;
    assert_eq!(revoked.problem(), "401 sdk_key_invalid: The key was revoked.");
    // Neither text nor hash is told again.
    for path in [KEYS.to_owned(), "/api/v1/audit".to_owned()] {
        let page = owner.get(&path).await.text();
        assert!(!page.contains(&key) && !page.contains(successor), "{path}");
    }
    assert_eq!(
        owner
            .with("if-match", "*")
            .delete(&format!("{KEYS}/{id}"))
            .await
            .code(),
        "method_not_allowed"
    );
}

/// A key as it is written, of nobody.
fn domain_key() -> String {
    domain::key::write(&"sandbox".parse().unwrap(), uuid::Uuid::now_v7(), [7; 32]).unwrap()
}

#[tokio::test]
async fn pages_use_the_keys_that_are_for_them() {
    let bench = Bench::new().await;
    let owner = bench.app.owner().await;
    event_type(&owner, json!({ "name": "visit", "title": "Visit" })).await;
    let spec = json!({ "kind": "client", "environment": "sandbox", "origins": ["https://*.shop.example"] });
    let (_, client) = sdk_key(&owner, spec).await;
    let (_, server) = sdk_key(&owner, server()).await;
    let asks = bench
        .app
        .anybody()
        .with("origin", "https://www.shop.example")
        .with("access-control-request-method", "POST")
        .with("access-control-request-headers", "x-api-key,content-type");
    let answer = asks.send(Method::OPTIONS, EVENTS, Body::empty(), None).await;
    assert_eq!(
        (
            answer.status.as_u16(),
            answer.header("access-control-allow-origin")
        ),
        (204, "*")
    );
    assert!(
        answer
            .header("access-control-allow-headers")
            .contains("x-api-key")
    );
    let elsewhere = asks.send(Method::OPTIONS, TYPES, Body::empty(), None).await;
    assert_eq!(elsewhere.header("access-control-allow-origin"), "");

    let page = |origin: &str, key: &str| bench.sender(key).with("origin", origin);
    let taken = page("https://www.shop.example", &client)
        .post(EVENTS, visit("a"))
        .await;
    assert_eq!(taken.json(202)["accepted"], 1);
    assert_eq!(
        taken.header("access-control-allow-origin"),
        "https://www.shop.example"
    );
    assert_eq!(taken.header("access-control-allow-credentials"), "");
    assert!(taken.header("vary").contains("origin"));
    let refused = page("https://www.shop.example", &client)
        .post(EVENTS, json!(7))
        .await;
    assert_eq!(refused.code(), "events_invalid");
    assert_eq!(
        refused.header("access-control-allow-origin"),
        "https://www.shop.example"
    );
    for (sender, why) in [
        (page("https://evil.example", &client), "another page"),
        (page("https://www.shop.example", &server), "a server's key"),
        (bench.sender(&client), "no page"),
    ] {
        let refused = sender.post(EVENTS, visit("b")).await;
        assert_eq!(refused.code(), "origin_refused", "{why}");
        assert_eq!(refused.header("access-control-allow-origin"), "", "{why}");
    }
}

#[tokio::test]
async fn what_cannot_be_written_is_not_answered_as_taken() {
    let settings = LogSettings {
        bytes_max: 600,
        ..LogSettings::default()
    };
    let mut bench = Bench::with(settings).await;
    let owner = bench.app.owner().await;
    event_type(&owner, json!({ "name": "visit", "title": "Visit" })).await;
    let (_, key) = sdk_key(&owner, server()).await;
    let sender = bench.sender(&key);
    let mut taken = 0;
    let refused = loop {
        let answer = sender.post(EVENTS, visit(&taken.to_string())).await;
        if answer.status != 202 {
            break answer;
        }
        taken += 1;
    };
    assert_eq!(
        (refused.code().as_str(), refused.header("retry-after")),
        ("events_delayed", "1")
    );
    assert_eq!(refused.status, 429);
    assert_eq!(refused.header("ratelimit"), "");
    bench.count().await;
    Hold::new(&bench.log)
        .release(bench.log.figures().last_sequence)
        .unwrap();
    let again = sender.post(EVENTS, visit(&taken.to_string())).await;
    assert_eq!(again.json(202)["accepted"], 1, "what was refused is not known");
    drop(sender);
    drop(owner);
    bench.pump.take().unwrap().stop().unwrap();
    let closed = bench.sender(&key).post(EVENTS, visit("late")).await;
    assert_eq!(
        (closed.code().as_str(), closed.header("retry-after")),
        ("draining", "1")
    );
}

#[tokio::test]
async fn types_and_keys_are_checked_when_they_are_saved() {
    let app = TestApp::new().await;
    let owner = app.owner().await;
    let faults = |answer: Answer| {
        let errors = answer.json(400)["errors"].clone();
        let pointers = errors
            .as_array()
            .unwrap()
            .iter()
            .map(|error| error["pointer"].as_str().unwrap().to_owned());
        pointers.collect::<Vec<_>>()
    };
    for (spec, pointer) in [
        (json!({ "name": "1st", "title": "T" }), "/name"),
        (json!({ "name": "a b", "title": "T" }), "/name"),
        (json!({ "name": "a", "title": "" }), "/title"),
        (
            json!({ "name": "a", "title": "T", "schema": { "type": "objekt" } }),
            "/schema/type",
        ),
        (
            json!({ "name": "a", "title": "T", "schema": { "properties": { "b": { "$ref": "https://a.example/s" } } } }),
            "/schema/properties/b/$ref",
        ),
        (json!({ "name": "a", "title": "T", "schema": [] }), "/schema"),
        (json!({ "name": "a", "title": "T", "colour": 1 }), "/colour"),
    ] {
        assert_eq!(faults(owner.post(TYPES, spec.clone()).await), [pointer], "{spec}");
    }
    for (spec, pointer) in [
        (
            json!({ "kind": "server", "environment": "nowhere" }),
            "/environment",
        ),
        (json!({ "kind": "robot", "environment": "sandbox" }), "/kind"),
        (
            json!({ "kind": "server", "environment": "sandbox", "origins": ["https://a.example"] }),
            "/origins",
        ),
        (
            json!({ "kind": "client", "environment": "sandbox", "origins": ["a.example"] }),
            "/origins/0",
        ),
        (
            json!({ "kind": "client", "environment": "sandbox", "expires_at": "2001-01-01T00:00:00Z" }),
            "/expires_at",
        ),
    ] {
        assert_eq!(faults(owner.post(KEYS, spec.clone()).await), [pointer], "{spec}");
    }
    let id = event_type(&owner, json!({ "name": "a", "title": "T" })).await;
    let taken = owner.post(TYPES, json!({ "name": "a", "title": "T" })).await;
    assert_eq!(taken.code(), "name_taken");
    let change = owner.with("if-match", "*");
    let renamed = change
        .patch(&format!("{TYPES}/{id}"), json!({ "name": "b" }))
        .await;
    assert_eq!(faults(renamed), ["/name"]);
    let (id, _) = sdk_key(&owner, server()).await;
    let moved = change
        .patch(
            &format!("{KEYS}/{id}"),
            json!({ "environment": "production", "kind": "client" }),
        )
        .await;
    assert_eq!(faults(moved), ["/kind", "/environment"]);
}

#[tokio::test]
async fn tenants_do_not_see_each_others_types_keys_or_counts() {
    let bench = Bench::new().await;
    let (owner, stranger) = (bench.app.owner().await, bench.app.stranger().await);
    let id = event_type(&owner, json!({ "name": "visit", "title": "Visit" })).await;
    let (key_id, _) = sdk_key(&owner, server()).await;
    for path in [
        format!("{TYPES}/{id}"),
        format!("{TYPES}/{id}/usage"),
        format!("{KEYS}/{key_id}"),
    ] {
        assert_eq!(stranger.get(&path).await.code(), "not_found", "{path}");
    }
    assert_eq!(stranger.get(TYPES).await.json(200)["data"], json!([]));
    assert_eq!(stranger.get(KEYS).await.json(200)["data"], json!([]));
    // A stranger's key knows only the stranger's types.
    let (_, theirs) = sdk_key(&stranger, server()).await;
    let refused = bench.sender(&theirs).post(EVENTS, visit("a")).await.json(400);
    assert_eq!(refused["errors"][0]["code"], "event_type_unknown");
    // The same name and the same id are two things.
    event_type(&stranger, json!({ "name": "visit", "title": "Visit" })).await;
    let (_, ours) = sdk_key(&owner, server()).await;
    for key in [theirs, ours] {
        let answer = bench.sender(&key).post(EVENTS, visit("a")).await;
        assert_eq!(answer.json(202), json!({ "accepted": 1, "duplicates": 0 }));
    }
    bench.count().await;
    assert_eq!(
        owner.get(&format!("{TYPES}/{id}/usage")).await.json(200)["events"],
        1
    );
}
