//! Tracked events that the node takes itself.

use std::sync::Arc;

use domain::Snapshot;
use domain::consumer::KeyState;
use domain::id::{EventTypeId, OrganizationId};
use domain::snapshot::EventType;
use domain::tracking::{EventTypeState, SdkKeyKind};
use events::ingest::IngestSettings;
use events::intake::IntakeSettings;
use events::log::LogSettings;
use events::pump::PumpSettings;
use events::wire::EventId;
use events::{Ingest, Intake, Log, Pump};
use gateway::Settings;
use serde_json::{Value, json};

use crate::bench::{Answer, Bench, Client, id, sdk_key};
use crate::flags::json_of;

const PATH: &str = "/api/v1/tracking/events";
const JSON: &str = "Content-Type: application/json\r\n";
const PAGE: &str = "Origin: https://shop.example\r\n";
const OURS: u128 = 50;
const OTHERS: u128 = 60;

/// A node with a log, the key of an organization, and the types of two.
struct Tracking {
    bench: Bench,
    log: Arc<Log>,
    pump: Option<Pump>,
    _directory: tempfile::TempDir,
}

/// An event that the log has: organization, type, id and user.
type Found = (OrganizationId, String, String, String);

fn event_type(number: u128, organization: u128, name: &str) -> EventType {
    EventType {
        id: EventTypeId::new(id(number)),
        revision: 1,
        organization: OrganizationId::new(id(organization)),
        name: name.parse().unwrap(),
        state: EventTypeState::Active,
        schema: None,
    }
}

impl Tracking {
    fn start(kind: SdkKeyKind, change: impl FnOnce(&mut Settings, &mut Snapshot)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let log = Log::open(&directory.path().join("log.redb"), LogSettings::default()).unwrap();
        let log = Arc::new(log);
        let intake = Intake::open(log.clone(), IntakeSettings::default()).unwrap();
        let pump = Pump::start_with(log.clone(), PumpSettings::default(), Some(intake.clone())).unwrap();
        let ingest = Ingest::new(intake, IngestSettings::default());
        let bench = Bench::recording(
            &["http://127.0.0.1:9".to_owned()],
            ingest,
            |settings, snapshot| {
                let schema = json!({ "type": "object", "required": ["price"], "properties": { "price": { "type": "number" } } });
                snapshot.event_types = vec![
                    event_type(70, OURS, "visit"),
                    EventType {
                        schema: schema.as_object().cloned(),
                        ..event_type(71, OURS, "purchase")
                    },
                    EventType {
                        state: EventTypeState::Archived,
                        ..event_type(72, OURS, "old")
                    },
                    event_type(73, OTHERS, "theirs"),
                ];
                change(settings, snapshot);
            },
        );
        let ours = sdk_key(&bench.key, OURS, kind);
        bench.change(|snapshot| snapshot.sdk_keys = vec![ours]);
        Self {
            bench,
            log,
            pump: Some(pump),
            _directory: directory,
        }
    }

    fn send(&self, head: &str, body: &str) -> Answer {
        self.bench.call("POST", PATH, head, body)
    }

    fn track(&self, events: &Value) -> Answer {
        self.send(JSON, &events.to_string())
    }

    /// What is on the disk, at once: whoever was answered need not wait.
    fn found(&self) -> Vec<Found> {
        let batches = self.log.read_after(0, 1000).unwrap();
        let events = batches.iter().flat_map(|batch| batch.tracked().unwrap());
        let found = events.map(|event| {
            let id = match event.id {
                EventId::Text(text) => text.to_owned(),
                EventId::Uuid(uuid) => uuid.to_string(),
            };
            let user = event.user.or(event.anonymous).unwrap_or_default();
            assert_eq!(event.environment, "sandbox");
            (
                event.organization,
                event.type_name.to_owned(),
                id,
                user.to_owned(),
            )
        });
        found.collect()
    }

    fn ids(&self) -> Vec<String> {
        self.found().into_iter().map(|(_, _, id, _)| id).collect()
    }
}

fn visit(id: &str) -> Value {
    json!({ "type": "visit", "id": id, "user_id": "u" })
}

fn said(answer: &Answer) -> (u16, Value) {
    (answer.status, json_of(answer))
}

#[test]
fn what_is_answered_with_202_is_in_the_log_and_taken_once() {
    let tracking = Tracking::start(SdkKeyKind::Server, |_, _| {});
    let events = json!([visit("a"), visit("b")]);
    assert_eq!(
        said(&tracking.track(&events)),
        (202, json!({ "accepted": 2, "duplicates": 0 }))
    );
    let ours = OrganizationId::new(id(OURS));
    let expected = |name: &str| (ours, "visit".to_owned(), name.to_owned(), "u".to_owned());
    assert_eq!(tracking.found(), [expected("a"), expected("b")]);
    let events = json!({ "events": [visit("b"), visit("c"), visit("c")] });
    assert_eq!(
        said(&tracking.track(&events)),
        (202, json!({ "accepted": 1, "duplicates": 2 }))
    );
    assert_eq!(tracking.ids(), ["a", "b", "c"]);
    for (name, value) in [
        ("events_accepted_total", 3),
        ("events_duplicates_total", 2),
        ("events_known_ids", 3),
        ("events_waiting_bytes", 0),
    ] {
        assert_eq!(tracking.bench.figure(name), value, "{name}");
    }
}

#[test]
fn what_is_wrong_is_told_event_by_event() {
    let tracking = Tracking::start(SdkKeyKind::Server, |_, _| {});
    let wrong = json!([
        { "type": "nothing", "user_id": "u" },
        { "type": "theirs", "user_id": "u" },
        { "type": "old", "user_id": "u" },
        { "type": "purchase", "user_id": "u", "properties": { "price": "much" } },
        { "type": "visit" },
        { "type": "visit", "user_id": "u", "time": "1999-01-01T00:00:00Z" },
    ]);
    let expected = [
        (0, "event_type_unknown", "/type"),
        (1, "event_type_unknown", "/type"),
        (2, "event_type_archived", "/type"),
        (3, "schema_mismatch", "/properties/price"),
        (4, "unit_missing", ""),
        (5, "time_too_old", "/time"),
    ];
    let told = |errors: &Value| -> Vec<(u64, String, String)> {
        let text = |error: &Value, name: &str| error[name].as_str().unwrap().to_owned();
        let errors = errors.as_array().unwrap().iter();
        errors
            .inspect(|error| {
                assert!(!text(error, "suggestion").is_empty() && !text(error, "detail").is_empty());
            })
            .map(|error| {
                (
                    error["index"].as_u64().unwrap(),
                    text(error, "code"),
                    text(error, "pointer"),
                )
            })
            .collect()
    };
    let expected = expected.map(|(index, code, pointer)| (index, code.to_owned(), pointer.to_owned()));
    let answer = tracking.track(&wrong);
    assert_eq!(answer.problem(), "400 events_invalid");
    let problem = json_of(&answer);
    assert_eq!(problem["detail"], "None of the 6 events can be taken.");
    assert_eq!(told(&problem["errors"]), expected);
    assert!(tracking.found().is_empty());

    let mut some = wrong.as_array().unwrap().clone();
    some.push(json!({ "type": "purchase", "id": "p", "user_id": "u", "properties": { "price": 9.5 } }));
    let answer = tracking.track(&some.into());
    let receipt = json_of(&answer);
    assert_eq!(
        (answer.status, &receipt["accepted"], &receipt["errors_total"]),
        (207, &json!(1), &json!(6))
    );
    assert_eq!(told(&receipt["errors"]), expected);
    assert_eq!(tracking.ids(), ["p"]);

    // What changes is known with the next snapshot: a type is another one with its revision.
    tracking.bench.change(|snapshot| {
        snapshot.event_types[2].state = EventTypeState::Active;
        snapshot.event_types[2].revision += 1;
    });
    let answer = tracking.track(&json!({ "type": "old", "user_id": "u" }));
    assert_eq!(answer.status, 202, "{}", answer.text());
}

#[test]
fn calls_that_cannot_be_read_are_refused_as_a_whole() {
    let tracking = Tracking::start(SdkKeyKind::Server, |_, _| {});
    let many = format!(
        "[{}]",
        vec![r#"{"type":"visit","user_id":"u"}"#; 10_001].join(",")
    );
    let xml = "Content-Type: application/xml\r\n";
    let packed = format!("{JSON}Content-Encoding: br\r\n");
    let gzip = format!("{JSON}Content-Encoding: gzip\r\n");
    for (head, body, expected) in [
        (JSON, "{\n  nonsense", "400 request_invalid"),
        (xml, "<event/>", "415 media_type_unsupported"),
        (&packed, "x", "415 media_type_unsupported"),
        (&gzip, "no gzip", "400 request_invalid"),
        (JSON, &many, "413 body_too_large"),
    ] {
        assert_eq!(tracking.send(head, body).problem(), expected, "{head}");
    }
    let problem = json_of(&tracking.send(JSON, "{\n  nonsense"));
    let error = &problem["errors"][0];
    assert_eq!(
        (&error["code"], &error["line"]),
        (&json!("json_malformed"), &json!(2))
    );
    assert_eq!(
        tracking.bench.call("GET", PATH, "", "").problem(),
        "405 method_not_allowed"
    );
    // More than a call may bring is refused before it has come, or when too much has.
    let mut client = tracking.bench.connect();
    let key = &tracking.bench.key;
    let head = format!("POST {PATH} HTTP/1.1\r\nHost: a\r\nX-API-Key: {key}\r\n{JSON}");
    client.send(format!("{head}Content-Length: 6000000\r\n\r\n").as_bytes());
    assert_eq!(client.answer().problem(), "413 body_too_large");
    let mut client = tracking.bench.connect();
    client.send(format!("{head}Transfer-Encoding: chunked\r\n\r\n").as_bytes());
    let piece = format!("100000\r\n{}\r\n", " ".repeat(1 << 20));
    for _ in 0..6 {
        client.send(piece.as_bytes());
    }
    assert_eq!(client.answer().problem(), "413 body_too_large");
    assert!(tracking.found().is_empty());
}

#[test]
fn every_form_is_read() {
    let tracking = Tracking::start(SdkKeyKind::Server, |_, _| {});
    let lines = format!("{}\n{}\n", visit("1"), visit("2"));
    let cloud =
        |id: &str| json!({ "specversion": "1.0", "type": "visit", "source": "s", "id": id, "subject": "u" });
    let binary = format!(
        "{JSON}ce-specversion: 1.0\r\nce-type: visit\r\nce-source: s\r\nce-id: 5\r\nce-subject: u\r\n"
    );
    for (head, body, accepted) in [
        ("Content-Type: application/x-ndjson\r\n", lines, 2),
        (
            "Content-Type: text/plain;charset=UTF-8\r\n",
            visit("3").to_string(),
            1,
        ),
        ("", visit("4").to_string(), 1),
        (&binary, "{}".to_owned(), 1),
        (
            "Content-Type: application/cloudevents+json\r\n",
            cloud("6").to_string(),
            1,
        ),
        (
            "Content-Type: application/cloudevents-batch+json\r\n",
            json!([cloud("7")]).to_string(),
            1,
        ),
    ] {
        let answer = tracking.send(head, &body);
        assert_eq!(
            said(&answer),
            (202, json!({ "accepted": accepted, "duplicates": 0 })),
            "{head}"
        );
    }
    assert_eq!(tracking.ids(), ["1", "2", "3", "4", "5", "6", "7"]);
}

#[test]
fn large_and_packed_calls_are_read_beside_the_others() {
    let tracking = Tracking::start(SdkKeyKind::Server, |_, _| {});
    let events: Vec<_> = (0..8000)
        .map(|number| visit(&format!("large-{number}")))
        .collect();
    assert_eq!(
        said(&tracking.track(&events.into())),
        (202, json!({ "accepted": 8000, "duplicates": 0 }))
    );
    let packed = zstd::bulk::compress(json!([visit("packed")]).to_string().as_bytes(), 3).unwrap();
    let mut client = tracking.bench.connect();
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nHost: a\r\nX-API-Key: {}\r\n{JSON}Content-Encoding: zstd\r\nContent-Length: {}\r\n\r\n",
        tracking.bench.key,
        packed.len()
    );
    client.send(&[head.as_bytes(), &packed].concat());
    assert_eq!(
        said(&client.answer()),
        (202, json!({ "accepted": 1, "duplicates": 0 }))
    );
    assert_eq!(tracking.ids().len(), 8001);
}

#[test]
fn a_key_records_for_its_organization_and_nobody_else() {
    let tracking = Tracking::start(SdkKeyKind::Server, |_, _| {});
    let theirs = domain::key::write(&"sandbox".parse().unwrap(), id(61), [8; 32]).unwrap();
    let elsewhere = domain::key::write(&"production".parse().unwrap(), id(62), [7; 32]).unwrap();
    let known = sdk_key(&theirs, OTHERS, SdkKeyKind::Server);
    tracking.bench.change(|snapshot| snapshot.sdk_keys.push(known));
    let send = |key: &str, event: &Value| {
        let mut client = tracking.bench.connect();
        post(&mut client, key, &event.to_string());
        client.answer()
    };
    let same = |name: &str| json!({ "type": name, "id": "same", "user_id": "u" });
    assert_eq!(send(&theirs, &same("visit")).problem(), "400 events_invalid");
    assert_eq!(send(&theirs, &same("theirs")).status, 202);
    // An id is one of an organization.
    let answer = send(&tracking.bench.key, &same("visit"));
    assert_eq!(said(&answer), (202, json!({ "accepted": 1, "duplicates": 0 })));
    let whose: Vec<_> = tracking
        .found()
        .into_iter()
        .map(|(whose, kind, ..)| (whose, kind))
        .collect();
    assert_eq!(
        whose,
        [
            (OrganizationId::new(id(OTHERS)), "theirs".to_owned()),
            (OrganizationId::new(id(OURS)), "visit".to_owned()),
        ]
    );
    // Keys of other environments are not in the snapshot of this one.
    assert_eq!(send(&elsewhere, &same("visit")).problem(), "401 sdk_key_invalid");
    assert_eq!(send("", &same("visit")).problem(), "401 sdk_key_missing");
    tracking
        .bench
        .change(|snapshot| snapshot.sdk_keys[1].state = KeyState::Revoked);
    assert_eq!(send(&theirs, &same("theirs")).problem(), "401 sdk_key_invalid");
    assert_eq!(tracking.found().len(), 2);
}

fn post(client: &mut Client, key: &str, body: &str) {
    let length = body.len();
    client.send(
        format!("POST {PATH} HTTP/1.1\r\nHost: a\r\nX-API-Key: {key}\r\n{JSON}Content-Length: {length}\r\n\r\n{body}")
            .as_bytes(),
    );
}

#[test]
fn pages_of_the_origins_of_a_key_record_and_read_the_answer() {
    let tracking = Tracking::start(SdkKeyKind::Client, |_, _| {});
    let asks = format!(
        "{PAGE}Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: content-encoding\r\n"
    );
    let answer = tracking.bench.call("OPTIONS", PATH, &asks, "");
    assert_eq!(
        (
            answer.status,
            answer.field("access-control-allow-origin"),
            answer.field("access-control-allow-methods")
        ),
        (204, Some("*"), Some("POST"))
    );
    let allowed = answer.field("access-control-allow-headers").unwrap();
    for name in ["content-encoding", "content-type", "x-api-key", "ce-id"] {
        assert!(
            allowed.split(", ").any(|allowed| allowed == name),
            "{name}: {allowed}"
        );
    }
    // As `navigator.sendBeacon` has it.
    let mut client = tracking.bench.connect();
    let body = visit("beacon").to_string();
    let (key, length) = (&tracking.bench.key, body.len());
    client.send(
        format!("POST {PATH}?key={key} HTTP/1.1\r\nHost: a\r\n{PAGE}Content-Type: text/plain\r\nContent-Length: {length}\r\n\r\n{body}")
            .as_bytes(),
    );
    let answer = client.answer();
    let page = Some("https://shop.example");
    assert_eq!(
        (answer.status, answer.field("access-control-allow-origin")),
        (202, page)
    );
    // Why it was refused may be read by the page as well.
    let answer = tracking.send(&format!("{PAGE}{JSON}"), "[1]");
    assert_eq!(answer.problem(), "400 events_invalid");
    assert_eq!(answer.field("access-control-allow-origin"), page);
    let other = format!("Origin: https://other.example\r\n{JSON}");
    assert_eq!(tracking.send(&other, &body).problem(), "403 origin_refused");
    assert_eq!(tracking.ids(), ["beacon"]);
}

#[test]
fn routes_come_first_and_a_node_may_leave_it() {
    let tracking = Tracking::start(SdkKeyKind::Server, |settings, _| settings.flags = false);
    assert_eq!(tracking.track(&visit("a")).problem(), "404 route_not_found");
    let tracking = Tracking::start(SdkKeyKind::Server, |_, snapshot| {
        let mut route = snapshot.routes[0].clone();
        route.id = domain::id::RouteId::new(id(66));
        route.base_path = "/api/v1/tracking".to_owned();
        route.upstream = None;
        route.operations.clear();
        route.answer = Some(serde_json::from_value(json!({ "status": 418 })).unwrap());
        snapshot.routes.push(route);
    });
    assert_eq!(tracking.track(&visit("a")).status, 418);
    assert!(tracking.found().is_empty());
}

#[test]
fn a_node_whose_events_nobody_counts_refuses_them() {
    let bench = crate::flags::bench(SdkKeyKind::Server, |_, snapshot| {
        snapshot.event_types = vec![event_type(70, OURS, "visit")];
    });
    let answer = bench.call("POST", PATH, JSON, &visit("a").to_string());
    assert_eq!(answer.problem(), "503 events_off");
}

#[test]
fn events_that_cannot_be_kept_are_refused_and_may_come_again() {
    let mut tracking = Tracking::start(SdkKeyKind::Server, |_, _| {});
    tracking.pump.take().unwrap().stop().unwrap();
    let answer = tracking.track(&visit("a"));
    assert_eq!(answer.problem(), "503 draining");
    assert_eq!(answer.field("retry-after"), Some("1"));
    assert!(tracking.found().is_empty());
}
