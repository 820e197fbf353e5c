use std::io::Write as _;
use std::sync::Arc;

use domain::Timestamp;
use domain::consumer::KeyState;
use domain::id::{EventTypeId, OrganizationId, SdkKeyId};
use domain::key;
use domain::tracking::{EventReceipt, EventTypeState, SdkKeyKind};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    BODY_BYTES_MAX, Directory, EventKind, Events, Facts, Ingest, IngestSettings, Key, KeyFault, Refusal,
    Schema,
};
use crate::intake::{Intake, IntakeSettings};
use crate::log::{Log, LogSettings};
use crate::pump::{Pump, PumpSettings};
use crate::wire::Batch;

const TEXT: &str = "gl_production_0000000000000000000000000a_x";

fn now() -> Timestamp {
    "2026-11-20T12:00:00Z".parse().unwrap()
}

fn organization() -> OrganizationId {
    OrganizationId::new(Uuid::from_u128(1))
}

fn key(kind: SdkKeyKind, origins: &[&str]) -> Key {
    Key {
        id: SdkKeyId::new(Uuid::from_u128(2)),
        organization: organization(),
        environment: "production".parse().unwrap(),
        kind,
        origins: origins.iter().map(|origin| (*origin).to_owned()).collect(),
        encrypt_payload: false,
        rate_limit: None,
        state: KeyState::Active,
        expires_at: None,
    }
}

fn kind(number: u128, name: &str, state: EventTypeState, schema: Option<Value>) -> Arc<EventKind> {
    let schema = schema.map(|schema| Schema::new(schema.as_object().unwrap()).unwrap());
    Arc::new(EventKind {
        id: EventTypeId::new(Uuid::from_u128(number)),
        name: name.parse().unwrap(),
        state,
        schema,
    })
}

fn directory() -> Directory {
    let schema = json!({
        "type": "object",
        "properties": { "price": { "type": "number", "minimum": 0 }, "sku": { "$ref": "#/$defs/sku" } },
        "required": ["price"],
        "$defs": { "sku": { "type": "string", "pattern": "^[A-Z]{2}-[0-9]+$" } }
    });
    let kinds = [
        kind(1, "purchase", EventTypeState::Active, Some(schema)),
        kind(2, "page.viewed", EventTypeState::Active, None),
        kind(3, "old", EventTypeState::Archived, None),
    ];
    let keys = [(key::hash(TEXT.as_bytes()), key(SdkKeyKind::Server, &[]))];
    Directory::new(keys, kinds.map(|kind| (organization(), kind)))
}

struct Bench {
    _directory: tempfile::TempDir,
    log: Arc<Log>,
    ingest: Ingest,
    _pump: Pump,
}

fn bench() -> Bench {
    let directory = tempfile::tempdir().unwrap();
    let log = Arc::new(Log::open(&directory.path().join("log.redb"), LogSettings::default()).unwrap());
    let intake = Intake::open(log.clone(), IntakeSettings::default()).unwrap();
    let pump = Pump::start_with(log.clone(), PumpSettings::default(), Some(intake.clone())).unwrap();
    Bench {
        _directory: directory,
        log,
        ingest: Ingest::new(intake, IngestSettings::default()),
        _pump: pump,
    }
}

impl Bench {
    fn read(&self, media_type: &str, body: &[u8]) -> Result<Events, Refusal> {
        let facts = Facts {
            media_type: Some(media_type),
            ..Facts::default()
        };
        self.read_with(&facts, body)
    }

    fn read_with(&self, facts: &Facts<'_>, body: &[u8]) -> Result<Events, Refusal> {
        let directory = directory();
        let key = directory.key(TEXT, now()).unwrap();
        self.ingest.read((&directory, key), facts, body, now())
    }

    /// What is wrong with events, as `index code pointer`.
    fn faults(&self, media_type: &str, body: &[u8]) -> Vec<String> {
        let events = self.read(media_type, body).unwrap();
        assert_eq!(events.errors_total as usize, {
            let mut bad: Vec<_> = events.errors().iter().map(|error| error.index).collect();
            bad.dedup();
            bad.len()
        });
        let line = |error: &domain::tracking::EventError| {
            assert!(!error.detail.is_empty() && !error.suggestion.is_empty());
            format!("{} {} {}", error.index, error.code, error.pointer)
        };
        events.errors().iter().map(line).collect()
    }
}

/// The events that were read, as `type|id|source|time|user|anonymous|properties`.
fn shown(events: &Events) -> Vec<String> {
    let mut lines = Vec::new();
    for batch in Batch::of_tracked(1, events.sections()) {
        for event in batch.tracked().unwrap() {
            lines.push(format!(
                "{}|{}|{}|{}|{}|{}|{}",
                event.type_name,
                event.id,
                event.source.unwrap_or("-"),
                event.at,
                event.user.unwrap_or("-"),
                event.anonymous.unwrap_or("-"),
                event.properties.unwrap_or("-"),
            ));
        }
    }
    lines
}

#[tokio::test]
async fn every_form_says_the_same() {
    let bench = bench();
    let own = r#"{"id":"e1","type":"purchase","time":"2026-11-20T11:59:00Z","user_id":"u\u00e41","properties":{"price": 1.5}}"#;
    let line = "purchase|e1|-|2026-11-20T11:59:00Z|uä1|-|{\"price\": 1.5}";
    let other = r#"{"type":"page.viewed","id":"e2","anonymous_id":"a"}"#;
    let other_line = "page.viewed|e2|-|2026-11-20T12:00:00Z|-|a|-";
    for media_type in [
        "application/json",
        "text/plain;charset=UTF-8",
        "",
        "Application/JSON; charset=utf-8",
    ] {
        let one = bench.read(media_type, own.as_bytes()).unwrap();
        assert_eq!(shown(&one), [line], "{media_type}");
        for list in [
            format!("[{own}, {other}]"),
            format!("{{\"events\": [{own},{other}]}}"),
        ] {
            let two = bench.read(media_type, list.as_bytes()).unwrap();
            assert_eq!(shown(&two), [line, other_line], "{media_type}");
        }
    }
    let lines = format!("{own}\n\n  {other}\r\n");
    assert_eq!(
        shown(&bench.read("application/x-ndjson", lines.as_bytes()).unwrap()),
        [line, other_line]
    );

    let cloud = r#"{"specversion":"1.0","id":"e1","source":"/shop","type":"purchase","time":"2026-11-20T11:59:00Z",
        "subject":"uä1","datacontenttype":"application/json","region":"eu","data":{"price": 1.5}}"#;
    let cloud_line = "purchase|e1|/shop|2026-11-20T11:59:00Z|uä1|-|{\"price\": 1.5}";
    let structured = bench
        .read("application/cloudevents+json; charset=utf-8", cloud.as_bytes())
        .unwrap();
    assert_eq!(shown(&structured), [cloud_line]);
    let batch = format!("[{cloud}]");
    let batch = bench
        .read("application/cloudevents-batch+json", batch.as_bytes())
        .unwrap();
    assert_eq!(shown(&batch), [cloud_line]);
    let facts = Facts {
        media_type: Some("application/json"),
        attributes: vec![
            ("specversion", "1.0"),
            ("id", "e1"),
            ("source", "/shop"),
            ("type", "purchase"),
            ("time", "2026-11-20T11:59:00Z"),
            ("subject", "u%C3%A41"),
            ("region", "eu"),
        ],
        ..Facts::default()
    };
    let binary = bench.read_with(&facts, b" {\"price\": 1.5}\n").unwrap();
    assert_eq!(shown(&binary), [cloud_line]);
}

/// Events of which most are bad, each in its own way.
fn mixed() -> String {
    let events = json!([
        { "type": "purchase", "user_id": "u", "properties": { "price": 1 } },
        { "type": "sale", "user_id": "u" },
        { "type": "old", "user_id": "u" },
        { "type": "purchase", "properties": { "price": 1 } },
        { "type": "page.viewed", "user_id": "u", "time": "2026-11-20T12:10:01Z" },
        { "type": "page.viewed", "user_id": "u", "time": "2026-11-13T11:59:59Z" },
        { "type": "page.viewed", "user_id": "u", "time": "2026-11-20T12:10:00Z" },
        { "type": "page.viewed", "user_id": "u", "time": "yesterday" },
        { "type": "page.viewed", "user_id": "u", "time": 12 },
        { "type": "purchase", "user_id": "u", "properties": { "price": "1", "sku": "x" } },
        { "type": "purchase", "user_id": "u" },
        { "type": "page.viewed", "user_id": 7 },
        { "type": "page.viewed", "user_id": "" },
        { "type": "page.viewed", "user_id": "a\nb" },
        { "type": "page.viewed", "user_id": "u", "id": "x".repeat(129) },
        { "type": "page.viewed", "user_id": "u", "properties": [1] },
        { "type": "page.viewed", "user_id": "u", "properties": { "a": "x".repeat(33_000) } },
        { "type": "page.viewed", "user_id": "u", "colour": "red" },
        { "user_id": "u" },
        "page.viewed",
        7,
        null,
        [[]],
        { "type": 7, "user_id": "u" },
        { "type": "page.viewed", "user_id": null, "anonymous_id": "a", "properties": null, "id": "é".repeat(128) },
    ]);
    events.to_string()
}

#[tokio::test]
async fn bad_events_are_named_and_the_good_ones_are_taken() {
    let bench = bench();
    let body = mixed();
    assert_eq!(
        bench.faults("application/json", body.as_bytes()),
        [
            "1 event_type_unknown /type",
            "2 event_type_archived /type",
            "3 unit_missing ",
            "4 time_in_future /time",
            "5 time_too_old /time",
            "7 field_invalid /time",
            "8 field_invalid /time",
            "9 schema_mismatch /properties/price",
            "9 schema_mismatch /properties/sku",
            "10 schema_mismatch /properties",
            "11 field_invalid /user_id",
            "12 field_empty /user_id",
            "13 field_invalid /user_id",
            "14 field_too_long /id",
            "15 field_invalid /properties",
            "16 event_too_large ",
            "17 field_unknown /colour",
            "18 field_missing /type",
            "19 event_invalid ",
            "20 event_invalid ",
            "21 event_invalid ",
            "22 event_invalid ",
            "23 field_invalid /type",
        ]
    );
    let events = bench.read("application/json", body.as_bytes()).unwrap();
    let EventReceipt {
        accepted,
        duplicates,
        errors_total,
        errors,
    } = bench.ingest.submit(events).await.unwrap();
    assert_eq!((accepted, duplicates, errors_total, errors.len()), (3, 0, 22, 23));
    assert_eq!(bench.log.figures().tracked, 3);
    let unknown = &errors[0];
    assert!(
        unknown.suggestion.contains("gateline event-types create sale"),
        "{unknown:?}"
    );
}

#[tokio::test]
async fn doubled_fields_bad_lines_and_other_versions_are_named() {
    let bench = bench();
    assert_eq!(
        bench.faults(
            "application/json",
            br#"{"type":"page.viewed","user_id":"u","type":"page.viewed"}"#
        ),
        ["0 field_twice "]
    );
    let lines = b"{\"type\":\"page.viewed\",\"user_id\":\"u\"}\n{\"type\":\n7\n";
    assert_eq!(
        bench.faults("application/x-ndjson", lines),
        ["1 json_malformed ", "2 event_invalid "]
    );
    let cloud = json!({ "specversion": "0.3", "id": "1", "source": "s", "type": "page.viewed", "data_base64": "eA==" });
    assert_eq!(
        bench.faults("application/cloudevents+json", cloud.to_string().as_bytes()),
        ["0 field_invalid /specversion", "0 unit_missing "]
    );
}

#[tokio::test]
async fn a_call_of_bad_events_only_is_refused_with_the_first_hundred() {
    let bench = bench();
    let body = Value::from(vec![json!({ "type": "sale", "user_id": "u" }); 250]).to_string();
    let events = bench.read("application/json", body.as_bytes()).unwrap();
    match bench.ingest.submit(events).await {
        Err(Refusal::Invalid { errors, total }) => assert_eq!((errors.len(), total), (100, 250)),
        other => panic!("{other:?}"),
    }
    let nothing = bench.read("application/json", b"[]").unwrap();
    assert_eq!(bench.ingest.submit(nothing).await, Ok(EventReceipt::default()));
}

#[tokio::test]
async fn calls_that_cannot_be_read_are_refused_as_a_whole() {
    let bench = bench();
    let malformed = |body: &[u8]| match bench.read("application/json", body) {
        Err(Refusal::Malformed { line, .. }) => line,
        other => panic!("{other:?}"),
    };
    assert_eq!(malformed(b"{"), 1);
    assert_eq!(
        malformed(b"[{\"type\":\"page.viewed\",\"user_id\":\"u\"},\n{]"),
        2
    );
    assert_eq!(malformed(b"\n\n\xFF"), 3);
    assert_eq!(malformed(b""), 1);
    assert_eq!(malformed(b"{\"events\": [], \"more\": 1}"), 1);
    assert_eq!(malformed(b"{\"events\": 7}"), 1);
    assert!(matches!(
        bench.read("text/html", b"{}"),
        Err(Refusal::MediaType { .. })
    ));
    let event = r#"{"type":"page.viewed","user_id":"u"}"#;
    let many = |count: usize| format!("[{}]", vec![event; count].join(","));
    assert!(bench.read("application/json", many(10_000).as_bytes()).is_ok());
    assert_eq!(
        bench.read("application/json", many(10_001).as_bytes()),
        Err(Refusal::TooMany)
    );
    let lines = many(10_001).replace("},{", "}\n{").replace(['[', ']'], "");
    assert_eq!(
        bench.read("application/x-ndjson", lines.as_bytes()),
        Err(Refusal::TooMany)
    );
}

#[tokio::test]
async fn packed_bodies_are_unpacked_as_far_as_may_be() {
    let bench = bench();
    let event = r#"{"type":"page.viewed","user_id":"u"}"#;
    let gzip = |text: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    };
    let read = |encoding: &str, body: &[u8]| {
        let facts = Facts {
            media_type: Some("application/json"),
            encoding: Some(encoding),
            ..Facts::default()
        };
        bench
            .read_with(&facts, body)
            .map(|events| events.sections().len())
    };
    let bomb = vec![b' '; BODY_BYTES_MAX + 1];
    assert_eq!(read("gzip", &gzip(event.as_bytes())), Ok(1));
    assert_eq!(
        read("zstd", &zstd::encode_all(event.as_bytes(), 3).unwrap()),
        Ok(1)
    );
    assert_eq!(read("Identity", event.as_bytes()), Ok(1));
    let too_large = Err(Refusal::TooLarge {
        bytes_max: BODY_BYTES_MAX,
    });
    assert_eq!(read("gzip", &gzip(&bomb)), too_large);
    assert_eq!(read("zstd", &zstd::encode_all(&bomb[..], 3).unwrap()), too_large);
    assert_eq!(read("identity", &bomb), too_large);
    for encoding in ["gzip", "zstd"] {
        assert_eq!(read(encoding, b"nonsense"), Err(Refusal::Packed { encoding }));
    }
    assert!(matches!(read("br", b""), Err(Refusal::Encoding { .. })));
    assert!(matches!(read("gzip, gzip", b""), Err(Refusal::Encoding { .. })));
}

#[test]
fn keys_open_what_is_theirs() {
    let directory = directory();
    assert_eq!(directory.key("nonsense", now()).unwrap_err(), KeyFault::Malformed);
    let id = domain::id::KeyId::new(Uuid::from_u128(9));
    let other = key::write(&"production".parse().unwrap(), id.uuid(), [7; 32]).unwrap();
    assert_eq!(directory.key(&other, now()).unwrap_err(), KeyFault::Unknown);
    let with = |state, expires_at| {
        let key = Key {
            state,
            expires_at,
            ..key(SdkKeyKind::Server, &[])
        };
        Directory::new([(key::hash(TEXT.as_bytes()), key)], [])
            .key(TEXT, now())
            .map(|_| ())
    };
    assert_eq!(with(KeyState::Active, None), Ok(()));
    assert_eq!(with(KeyState::Revoked, None), Err(KeyFault::Revoked));
    assert_eq!(with(KeyState::Active, Some(now())), Err(KeyFault::Expired));
}

#[test]
fn pages_of_named_origins_use_a_clients_key_and_none_a_servers() {
    let server = key(SdkKeyKind::Server, &[]);
    assert!(server.admits(None) && !server.admits(Some("https://a.example")));
    let any = key(SdkKeyKind::Client, &[]);
    assert!(any.admits(None) && any.admits(Some("https://a.example")));
    let named = key(
        SdkKeyKind::Client,
        &["https://shop.example", "https://*.shop.example:8443"],
    );
    let table = [
        (Some("https://shop.example"), true),
        (Some("HTTPS://SHOP.example"), true),
        (Some("http://shop.example"), false),
        (Some("https://shop.example.evil"), false),
        (Some("https://a.shop.example:8443"), true),
        (Some("https://a.b.shop.example:8443"), true),
        (Some("https://a.shop.example"), false),
        (Some("https://shop.example:8443"), false),
        (Some("https://evilshop.example:8443"), false),
        (Some("https://.shop.example:8443"), false),
        (Some("null"), false),
        (Some(""), false),
        (None, false),
    ];
    for (origin, admitted) in table {
        assert_eq!(named.admits(origin), admitted, "{origin:?}");
    }
}

#[test]
fn schemas_that_lead_out_or_in_circles_are_refused() {
    let refused = |schema: Value| {
        Schema::new(schema.as_object().unwrap())
            .map(|_| ())
            .unwrap_err()
            .pointer
    };
    assert_eq!(
        refused(json!({ "properties": { "a": { "$ref": "https://example.com/x" } } })),
        "/properties/a/$ref"
    );
    assert_eq!(refused(json!({ "$ref": "#" })), "/$ref");
    assert_eq!(refused(json!({ "$ref": "#/$defs/none" })), "/$ref");
    assert_eq!(
        refused(json!({ "$defs": { "a": { "items": { "$ref": "#/$defs/a" } } } })),
        "/$defs/a/items/$ref"
    );
    assert_eq!(
        refused(json!({ "properties": { "a": { "$id": "x" } } })),
        "/properties/a/$id"
    );
    assert_eq!(refused(json!({ "type": "objekt" })), "/type");
    assert_eq!(
        refused(json!({ "properties": { "a": { "pattern": "(" } } })),
        "/properties/a/pattern"
    );
    let doubled = |levels: usize| {
        let mut defs = serde_json::Map::new();
        defs.insert("d0".to_owned(), json!({ "type": "object" }));
        for level in 1..=levels {
            let below = json!({ "$ref": format!("#/$defs/d{}", level - 1) });
            defs.insert(format!("d{level}"), json!({ "allOf": [below, below] }));
        }
        json!({ "$defs": defs, "$ref": format!("#/$defs/d{levels}") })
    };
    assert!(Schema::new(doubled(5).as_object().unwrap()).is_ok());
    assert_eq!(refused(doubled(20)), "");
    let mut deep = json!({});
    for _ in 0..40 {
        deep = json!({ "items": deep });
    }
    assert_eq!(refused(deep), "");
}
