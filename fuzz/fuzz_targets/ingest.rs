//! Whatever is sent as events, it is read or refused; what was read fits into batches, which are read as it was.

#![no_main]

use std::sync::{Arc, LazyLock};

use domain::Timestamp;
use domain::consumer::KeyState;
use domain::id::{EventTypeId, OrganizationId, SdkKeyId};
use domain::tracking::{EventTypeState, SdkKeyKind};
use events::ingest::{Directory, EventKind, Facts, IngestSettings, Key, MEDIA_TYPES, Schema};
use events::intake::IntakeSettings;
use events::log::LogSettings;
use events::{Batch, Ingest, Intake, Log};
use libfuzzer_sys::fuzz_target;
use serde_json::json;
use uuid::Uuid;

struct Bench {
    ingest: Ingest,
    directory: Directory,
    key: Key,
}

static BENCH: LazyLock<Bench> = LazyLock::new(|| {
    let path = std::env::temp_dir().join(format!("fuzz-ingest-{}.redb", std::process::id()));
    let log = Arc::new(Log::open(&path, LogSettings::default()).expect("there is a disk"));
    let intake = Intake::open(log, IntakeSettings::default()).expect("it is new");
    std::fs::remove_file(&path).expect("it was just made");
    let organization = OrganizationId::new(Uuid::from_u128(1));
    let schema = json!({ "properties": { "a": { "type": "number" }, "b": { "pattern": "^[a-z]+$" } } });
    let schema = Schema::new(schema.as_object().expect("it is an object")).expect("it is a schema");
    let kind = |number, name: &str, schema| {
        let kind = EventKind {
            id: EventTypeId::new(Uuid::from_u128(number)),
            name: name.parse().expect("it is a name"),
            state: EventTypeState::Active,
            schema,
        };
        (organization, Arc::new(kind))
    };
    Bench {
        ingest: Ingest::new(intake, IngestSettings::default()),
        directory: Directory::new([], [kind(2, "a", None), kind(3, "b", Some(schema))]),
        key: Key {
            id: SdkKeyId::new(Uuid::from_u128(4)),
            organization,
            environment: "sandbox".parse().expect("it is a name"),
            kind: SdkKeyKind::Server,
            origins: Vec::new(),
            encrypt_payload: false,
            rate_limit: None,
            state: KeyState::Active,
            expires_at: None,
        },
    }
});

fuzz_target!(|bytes: &[u8]| {
    let [form, encoding, body @ ..] = bytes else { return };
    let attribute = std::str::from_utf8(body).unwrap_or_default();
    let is_binary = form % 8 == 7;
    let facts = Facts {
        media_type: match is_binary {
            true => Some(MEDIA_TYPES[0]),
            false => MEDIA_TYPES.get(usize::from(form % 8)).copied(),
        },
        encoding: [None, Some("gzip"), Some("zstd"), Some("identity")][usize::from(encoding % 4)],
        attributes: if is_binary {
            vec![("type", "a"), ("subject", attribute), ("id", attribute), ("source", "s")]
        } else {
            Vec::new()
        },
    };
    let now = Timestamp::from_micros(1_790_000_000_000_000);
    let bench = &*BENCH;
    let Ok(events) = bench.ingest.read((&bench.directory, &bench.key), &facts, body, now) else {
        return;
    };
    let count: usize = events.sections().iter().map(events::wire::Section::len).sum();
    let mut found = 0;
    for batch in Batch::of_tracked(1, events.sections()) {
        let batch = Batch::from_frame(batch.sequence(), batch.frame().clone()).expect("it was just written");
        for event in batch.tracked().expect("it was just written") {
            assert!(event.user.is_some() || event.anonymous.is_some());
            if let Some(properties) = event.properties {
                assert!(properties.starts_with('{') && properties.ends_with('}'));
            }
            found += 1;
        }
    }
    assert_eq!(found, count);
});
