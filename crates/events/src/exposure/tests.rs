use std::sync::Arc;

use domain::Timestamp;
use domain::consumer::KeyState;
use domain::flag::EXPOSURE;
use domain::id::{EventTypeId, OrganizationId, SdkKeyId};
use domain::tracking::SdkKeyKind;
use uuid::Uuid;

use super::{Exposure, Exposures};
use crate::ingest::Key;
use crate::intake::{Intake, IntakeSettings};
use crate::log::{Log, LogSettings};
use crate::pump::{Pump, PumpSettings};

fn key(number: u128) -> Key {
    Key {
        id: SdkKeyId::new(Uuid::from_u128(number)),
        organization: OrganizationId::new(Uuid::from_u128(7)),
        environment: "production".parse().unwrap(),
        kind: SdkKeyKind::Server,
        origins: Vec::new(),
        encrypt_payload: false,
        rate_limit: None,
        state: KeyState::Active,
        expires_at: None,
    }
}

#[test]
fn what_was_gathered_is_in_the_log_as_events() {
    let directory = tempfile::tempdir().unwrap();
    let log = Log::open(&directory.path().join("log.redb"), LogSettings::default()).unwrap();
    let log = Arc::new(log);
    let intake = Intake::open(log.clone(), IntakeSettings::default()).unwrap();
    let pump = Pump::start_with(log.clone(), PumpSettings::default(), Some(intake.clone())).unwrap();
    let mut exposures = Exposures::new(intake);
    let long = "x".repeat(300);
    let at = |micros| Timestamp::from_micros(1_790_000_000_000_000 + micros);
    for (number, unit) in ["a\"b", "", &long, "c\n", "d"].into_iter().enumerate() {
        let exposure = Exposure {
            event_type: EventTypeId::new(Uuid::from_u128(1)),
            flag: "new-checkout",
            version: 3,
            variant: "on",
            by: "user_id",
            unit,
        };
        let number = number as u128;
        exposures.note(&key(number % 2), &exposure, at(i64::try_from(number).unwrap()));
    }
    drop(exposures);
    pump.stop().unwrap();
    let batches = log.read_after(0, 1000).unwrap();
    let mut events: Vec<_> = batches
        .iter()
        .flat_map(|batch| batch.tracked().unwrap())
        .collect();
    events.sort_by_key(|event| event.at);
    let [first, last] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!((first.user, last.user), (Some("a\"b"), Some("d")));
    assert_eq!((first.at, last.at), (at(0), at(4)));
    assert_eq!(first.type_name, EXPOSURE);
    let properties = r#"{"flag":"new-checkout","variant":"on","flag_version":3,"by":"user_id"}"#;
    assert_eq!(last.properties, Some(properties));
}
