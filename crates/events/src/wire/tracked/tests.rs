use bytes::Bytes;
use domain::Timestamp;
use domain::id::{EventTypeId, OrganizationId, SdkKeyId};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq, proptest};
use uuid::Uuid;

use super::{EVENT_BYTES_MAX, EventId, Marks, Origin, Section};
use crate::wire::{Batch, DecodeError, EVENTS_MAX, FRAME_BYTES_MAX, seal};

/// An event as it goes in.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub(crate) kind: u8,
    pub(crate) at: i64,
    pub(crate) id: Option<String>,
    pub(crate) source: Option<String>,
    pub(crate) user: Option<String>,
    pub(crate) anonymous: Option<String>,
    pub(crate) properties: Option<String>,
}

fn sample() -> impl Strategy<Value = Sample> {
    let id = proptest::prop_oneof![
        any::<u128>().prop_map(|bits| Uuid::from_u128(bits).to_string()),
        any::<u128>().prop_map(|bits| Uuid::from_u128(bits).to_string().to_uppercase()),
        any::<u128>().prop_map(|bits| Uuid::from_u128(bits).simple().to_string()),
        "\\PC{0,40}",
    ];
    let text = || option::of("\\PC{0,20}");
    let at = -4_000_000_000_000_000..4_000_000_000_000_000_i64;
    (
        0..5_u8,
        at,
        option::of(id),
        text(),
        text(),
        text(),
        option::of("\\{.{0,200}\\}"),
    )
        .prop_map(|(kind, at, id, source, user, anonymous, properties)| Sample {
            kind,
            at,
            id,
            source,
            user,
            anonymous,
            properties,
        })
}

fn origin(number: u8) -> Origin {
    Origin {
        organization: OrganizationId::new(Uuid::from_u128(u128::from(number % 2) + 1)),
        environment: format!("env-{number}").parse().unwrap(),
        key: SdkKeyId::new(Uuid::from_u128(u128::from(number) + 100)),
    }
}

fn kind_name(kind: u8) -> String {
    format!("type.{kind}")
}

/// A section of these events; each with an id has its place as its hash.
pub(crate) fn section(number: u8, received_at: i64, samples: &[Sample]) -> Section {
    let id = Uuid::from_u128(u128::from(number) << 64);
    let mut section = Section::new(origin(number), Timestamp::from_micros(received_at), id);
    for (place, sample) in samples.iter().enumerate() {
        let name = kind_name(sample.kind);
        let kind = section.find_type(&name).unwrap_or_else(|| {
            let id = EventTypeId::new(Uuid::from_u128(u128::from(sample.kind)));
            section.add_type(id, name.parse().unwrap())
        });
        let marks = Marks {
            id: sample.id.as_deref(),
            source: sample.source.as_deref(),
            user: sample.user.as_deref(),
            anonymous: sample.anonymous.as_deref(),
            properties: sample.properties.as_deref(),
        };
        let hash = sample.id.as_ref().map_or(0, |_| place as u64 + 1);
        section.push(kind, Timestamp::from_micros(sample.at), hash, &marks);
    }
    section
}

/// Plain events with ids `<number>-<place>`.
pub(crate) fn plain(number: u8, count: usize) -> Section {
    let sample = |place| Sample {
        kind: 0,
        at: 0,
        id: Some(format!("{number}-{place}")),
        source: None,
        user: Some("u".to_owned()),
        anonymous: None,
        properties: None,
    };
    section(number, 0, &(0..count).map(sample).collect::<Vec<_>>())
}

proptest! {
    #[test]
    fn what_goes_in_comes_out(
        groups in vec((0..4_u8, any::<u32>(), vec(sample(), 1..8)), 1..6),
        sequence in 1..u64::MAX / 2,
    ) {
        let sections: Vec<_> = groups
            .iter()
            .map(|(number, received, samples)| section(*number, i64::from(*received), samples))
            .collect();
        let batches = Batch::of_tracked(sequence, &sections);
        prop_assert_eq!(batches.len(), 1);
        let batch = Batch::from_frame(sequence, batches[0].frame().clone()).unwrap();
        prop_assert_eq!(batch.events(), Ok(Vec::new()));
        let mut found = batch.tracked().unwrap().into_iter();
        for (number, received, samples) in &groups {
            for (place, sample) in samples.iter().enumerate() {
                let event = found.next().unwrap();
                let origin = origin(*number);
                prop_assert_eq!(event.organization, origin.organization);
                prop_assert_eq!(event.environment, origin.environment.as_str());
                prop_assert_eq!(event.key, origin.key);
                prop_assert_eq!(event.type_name, kind_name(sample.kind));
                prop_assert_eq!(event.event_type.uuid().as_u128(), u128::from(sample.kind));
                prop_assert_eq!(event.at.as_micros(), sample.at);
                prop_assert_eq!(event.received_at.as_micros(), i64::from(*received));
                match &sample.id {
                    Some(id) => prop_assert_eq!(&event.id.to_string(), id),
                    None => {
                        let made = Uuid::from_u128((u128::from(*number) << 64) + place as u128);
                        prop_assert_eq!(event.id, EventId::Uuid(made));
                    }
                }
                prop_assert_eq!(event.source, sample.source.as_deref());
                prop_assert_eq!(event.user, sample.user.as_deref());
                prop_assert_eq!(event.anonymous, sample.anonymous.as_deref());
                prop_assert_eq!(event.properties, sample.properties.as_deref());
            }
        }
        prop_assert!(found.next().is_none());
    }

    #[test]
    fn what_is_left_out_is_gone_and_the_rest_is_as_it_was(
        samples in vec(sample(), 1..20),
        wanted in vec(any::<bool>(), 20),
    ) {
        let mut cut = section(1, 5, &samples);
        cut.retain(|place| wanted[place]);
        let kept: Vec<_> = samples.iter().zip(&wanted).filter(|(_, wanted)| **wanted).map(|(sample, _)| sample).collect();
        prop_assert_eq!(cut.len(), kept.len());
        let batches = Batch::of_tracked(1, &[cut]);
        for (event, sample) in batches[0].tracked().unwrap().iter().zip(kept) {
            prop_assert_eq!(event.at.as_micros(), sample.at);
            prop_assert_eq!(event.user, sample.user.as_deref());
            prop_assert_eq!(event.properties, sample.properties.as_deref());
            if let Some(id) = &sample.id {
                prop_assert_eq!(&event.id.to_string(), id);
            }
        }
    }

    #[test]
    fn no_bytes_make_the_reader_panic(mut bytes in vec(any::<u8>(), 0..200), place in 0..200_usize, byte in any::<u8>()) {
        let mut frame = vec![0, 0, 0, 0, super::FORM_TRACKED];
        frame.append(&mut bytes);
        seal(1, &mut frame);
        let _ = Batch::from_frame(1, Bytes::from(frame)).unwrap().tracked();
        let mut changed = Batch::of_tracked(1, &[plain(1, 3)])[0].frame().to_vec();
        let place = 5 + place % (changed.len() - 5);
        changed[place] = byte;
        seal(1, &mut changed);
        let _ = Batch::from_frame(1, Bytes::from(changed)).unwrap().tracked();
    }
}

#[test]
fn the_largest_sections_fit_frames() {
    let properties = format!("{{\"a\":\"{}\"}}", "x".repeat(EVENT_BYTES_MAX - 8));
    let long = Sample {
        kind: 0,
        at: 0,
        id: Some("i".repeat(128)),
        source: None,
        user: Some("u".to_owned()),
        anonymous: None,
        properties: Some(properties),
    };
    let mut sections = vec![section(1, 0, &[])];
    for _ in 0..150 {
        if sections.last().unwrap().is_full() {
            sections.push(section(1, 0, &[]));
        }
        let one = section(1, 0, std::slice::from_ref(&long));
        let last = sections.last_mut().unwrap();
        if last.find_type("type.0").is_none() {
            last.types = one.types.clone();
        }
        let marks = Marks {
            id: long.id.as_deref(),
            user: long.user.as_deref(),
            properties: long.properties.as_deref(),
            ..Marks::default()
        };
        last.push(0, Timestamp::from_micros(0), 0, &marks);
    }
    let batches = Batch::of_tracked(7, &sections);
    assert!(batches.len() > 1);
    let mut count = 0;
    for (batch, sequence) in batches.iter().zip(7..) {
        assert_eq!(batch.sequence(), sequence);
        assert!(batch.frame().len() <= FRAME_BYTES_MAX, "{}", batch.frame().len());
        count += batch.tracked().unwrap().len();
    }
    assert_eq!(count, 150);
}

#[test]
fn a_frame_has_no_more_events_than_a_batch_may_have() {
    let sections = [plain(1, 6000), plain(2, 6000), plain(3, 6000)];
    let batches = Batch::of_tracked(1, &sections);
    let counts: Vec<_> = batches
        .iter()
        .map(|batch| batch.tracked().unwrap().len())
        .collect();
    assert_eq!(counts, [6000, 6000, 6000]);
    let too_many = [plain(1, EVENTS_MAX / 2 + 1), plain(1, EVENTS_MAX / 2)];
    let mut frame = super::frame(&too_many);
    seal(1, &mut frame);
    let batch = Batch::from_frame(1, frame.into()).unwrap();
    assert_eq!(batch.tracked(), Err(DecodeError::TooLarge { limit: EVENTS_MAX }));
}

#[test]
fn what_many_events_share_stands_there_once() {
    let sections: Vec<_> = (0..100).map(|_| plain(1, 1)).collect();
    let batches = Batch::of_tracked(1, &sections);
    let bytes = batches[0].frame().len();
    assert!(bytes < 100 * 48, "{bytes} bytes for 100 calls with an event each");
    let text = String::from_utf8_lossy(batches[0].frame()).into_owned();
    assert_eq!(text.matches("type.0").count(), 1);
    assert_eq!(text.matches("env-1").count(), 1);
}
