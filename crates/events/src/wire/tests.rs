use bytes::Bytes;
use domain::id::{
    ApiId, ApplicationId, KeyId, OperationId, OrganizationId, PlanId, RequestId, RouteId, SubscriptionId,
    TargetId, VersionId,
};
use domain::limit::{COST_MAX, Mode};
use domain::{Code, Timestamp};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{Just, Strategy, any, prop_assert, prop_assert_eq, proptest};
use proptest::sample::{Index, select};
use uuid::Uuid;

use super::{
    BATCHES_BYTES_MAX, Batch, DecodeError, EVENTS_MAX, FORM_CALLS, FORM_SIDES, FORM_VARIANTS,
    FRAME_BYTES_MAX, HEAD_BYTES, decode_batches, encode_batches, seal,
};
use crate::call::{Call, Callee, Caller, Event, Method, Subscribed, Variant};

/// Ids out of few, so that they repeat as in real traffic, and out of all.
fn id<T: std::fmt::Debug + Clone>(make: fn(Uuid) -> T) -> impl Strategy<Value = T> {
    let bits = proptest::prop_oneof![4 => 0..4_u128, 1 => any::<u128>()];
    bits.prop_map(move |bits| make(Uuid::from_u128(bits)))
}

fn callee() -> impl Strategy<Value = Callee> {
    let ids = (
        id(OrganizationId::new),
        id(ApiId::new),
        id(VersionId::new),
        option::of(id(OperationId::new)),
    );
    ids.prop_map(|(organization, api, version, operation)| Callee {
        organization,
        api,
        version,
        operation,
    })
}

fn caller() -> impl Strategy<Value = Caller> {
    let subscribed = (id(SubscriptionId::new), id(PlanId::new));
    let subscribed = subscribed.prop_map(|(subscription, plan)| Subscribed { subscription, plan });
    let ids = (
        id(OrganizationId::new),
        id(ApplicationId::new),
        id(KeyId::new),
        option::of(subscribed),
    );
    ids.prop_map(|(organization, application, key, subscribed)| Caller {
        organization,
        application,
        key,
        subscribed,
    })
}

fn variant() -> impl Strategy<Value = Variant> {
    let name = "[a-z]([a-z0-9-]{0,30}[a-z0-9])?";
    (id(RouteId::new), name).prop_map(|(route, name)| Variant {
        route,
        name: name.parse().unwrap(),
    })
}

/// Any call, those included that no gateway would make.
pub(crate) fn call() -> impl Strategy<Value = Call> {
    let who = (id(RequestId::new), option::of(callee()), option::of(caller()));
    let how = (
        select(&Method::ALL[..]),
        any::<u16>(),
        option::of(select(Code::ALL)),
    );
    let sums = (any::<u64>(), any::<u64>(), any::<u64>());
    let period = proptest::prop_oneof![Just(0), Just(1_790_000_000), any::<i64>()];
    let started = (-4_000_000_000_000_000..4_000_000_000_000_000_i64).prop_map(Timestamp::from_micros);
    let modes = [None, Some(Mode::Warn), Some(Mode::SlowDown), Some(Mode::Degrade)];
    let units = proptest::prop_oneof![Just(1), Just(0), Just(COST_MAX), 0..=COST_MAX];
    let limits = (any::<bool>(), units, select(modes.to_vec()));
    let sides = (option::of(id(TargetId::new)), option::of(variant()));
    (who, how, sums, period, started, limits, sides).prop_map(
        |(
            (request, callee, caller),
            (method, status, refusal),
            sums,
            period,
            started_at,
            limits,
            (target, variant),
        )| Call {
            request,
            started_at,
            callee,
            caller,
            method,
            status,
            refusal,
            bytes_in: sums.0,
            bytes_out: sums.1,
            latency_us: sums.2,
            quota_period_start: period,
            counted: limits.0,
            units: limits.1,
            over_limit: limits.2,
            target,
            variant,
        },
    )
}

pub(crate) fn events(max: usize) -> impl Strategy<Value = Vec<Event>> {
    vec(call().prop_map(Event::Call), 1..=max)
}

/// A call in which every id and every number is as long as it can be, and none is the one of another seed.
pub(crate) fn long_call(seed: u32) -> Call {
    let bits = u128::MAX - u128::from(seed);
    let uuid = Uuid::from_u128(bits);
    Call {
        request: RequestId::new(uuid),
        started_at: Timestamp::from_micros(if seed.is_multiple_of(2) {
            i64::MIN
        } else {
            i64::MAX
        }),
        callee: Some(Callee {
            organization: OrganizationId::new(uuid),
            api: ApiId::new(uuid),
            version: VersionId::new(uuid),
            operation: Some(OperationId::new(uuid)),
        }),
        caller: Some(Caller {
            organization: OrganizationId::new(uuid),
            application: ApplicationId::new(uuid),
            key: KeyId::new(uuid),
            subscribed: Some(Subscribed {
                subscription: SubscriptionId::new(uuid),
                plan: PlanId::new(uuid),
            }),
        }),
        method: Method::Options,
        status: u16::MAX,
        refusal: Code::ALL.get(seed as usize % Code::ALL.len()).copied(),
        bytes_in: u64::MAX,
        bytes_out: u64::MAX,
        latency_us: u64::MAX,
        quota_period_start: i64::MAX - i64::from(seed),
        counted: true,
        units: COST_MAX,
        over_limit: Some(Mode::Degrade),
        target: Some(TargetId::new(uuid)),
        variant: Some(Variant {
            route: RouteId::new(uuid),
            name: format!("v{seed:031}").parse().unwrap(),
        }),
    }
}

proptest! {
    #[test]
    fn batches_are_read_as_they_were_written(events in events(40), sequence in any::<u64>()) {
        prop_assert_eq!(Batch::of(sequence, &events).events().unwrap(), events);
    }

    #[test]
    fn messages_are_read_as_they_were_written(sets in vec(events(5), 0..5), first in 1..u64::MAX - 5) {
        let batches: Vec<Batch> =
            sets.iter().zip(first..).map(|(events, sequence)| Batch::of(sequence, events)).collect();
        prop_assert_eq!(decode_batches(&encode_batches(&batches)).unwrap(), batches);
    }

    #[test]
    fn no_message_makes_the_reader_panic(mut bytes in vec(any::<u8>(), 0..200), known in any::<bool>()) {
        if known && let Some(form) = bytes.first_mut() {
            *form = super::FORM_BATCHES;
        }
        decode_batches(&bytes.into()).ok();
    }

    #[test]
    fn no_body_makes_the_reader_panic(body in vec(any::<u8>(), 0..300), form in 0..3_u8) {
        let mut frame = vec![0, 0, 0, 0, form];
        frame.extend(body);
        seal(7, &mut frame);
        if let Ok(batch) = Batch::from_frame(7, frame.into()) {
            batch.events().ok();
        }
    }

    /// Changed bodies with a right checksum, as a broken writer would make them.
    #[test]
    fn no_changed_body_makes_the_reader_panic(events in events(10), place in any::<Index>(), byte in any::<u8>()) {
        let mut frame = Batch::of(7, &events).frame().to_vec();
        let place = HEAD_BYTES + place.index(frame.len() - HEAD_BYTES);
        frame[place] = byte;
        seal(7, &mut frame);
        Batch::from_frame(7, frame.into()).unwrap().events().ok();
    }

    #[test]
    fn every_changed_byte_is_noticed(events in events(3), place in any::<Index>(), flip in 1..=255_u8) {
        let mut frame = Batch::of(7, &events).frame().to_vec();
        let place = place.index(frame.len());
        frame[place] ^= flip;
        prop_assert!(Batch::from_frame(7, frame.into()).is_err());
    }
}

#[test]
fn a_frame_in_another_place_is_noticed() {
    let frame = Batch::of(7, &[Event::Call(long_call(1))]).frame().clone();
    assert_eq!(
        Batch::from_frame(8, frame),
        Err(DecodeError::Checksum { sequence: 8 })
    );
}

#[test]
fn the_largest_batch_fits_its_limits() {
    let events: Vec<Event> = (0..EVENTS_MAX as u32)
        .map(|seed| Event::Call(long_call(seed)))
        .collect();
    let batch = Batch::of(u64::MAX, &events);
    assert!(
        batch.frame().len() <= FRAME_BYTES_MAX,
        "{} bytes",
        batch.frame().len()
    );
    assert_eq!(batch.events().unwrap(), events);
}

#[test]
fn calls_of_one_client_take_few_bytes() {
    let events: Vec<Event> = (0..750_i64)
        .map(|number| {
            let mut call = long_call(1);
            call.started_at = Timestamp::from_micros(1_790_000_000_000_000 + number * 13);
            (call.bytes_in, call.bytes_out, call.latency_us) = (0, 1024, 400);
            (call.units, call.over_limit, call.variant) = (1, None, None);
            Event::Call(call)
        })
        .collect();
    let bytes = Batch::of(1, &events).frame().len();
    assert!(bytes < 750 * 36, "{bytes} bytes");
}

/// Whoever knows nothing of targets and variants reads frames without any.
#[test]
fn only_frames_with_sides_have_another_form() {
    let with = Event::Call(long_call(1));
    let mut plain = long_call(1);
    (plain.target, plain.variant) = (None, None);
    let sent = Event::Call(Call {
        target: Some(TargetId::new(Uuid::from_u128(5))),
        ..plain
    });
    let plain = Event::Call(plain);
    for (events, form) in [
        (&[plain, plain][..], FORM_CALLS),
        (&[plain, sent], FORM_SIDES),
        (&[plain, with], FORM_SIDES),
    ] {
        let batch = Batch::of(1, events);
        assert_eq!(batch.frame()[HEAD_BYTES - 1], form);
        assert_eq!(batch.events().unwrap(), events);
    }
    // A list that does not fit the calls, or names that are none, are no variants.
    let batch = Batch::of(1, &[plain, with]);
    for (from, to) in [("v0", "V0"), ("v0", ",0")] {
        let mut frame = batch.frame().to_vec();
        let place = frame.windows(2).position(|two| two == from.as_bytes()).unwrap();
        frame[place..place + 2].copy_from_slice(to.as_bytes());
        seal(1, &mut frame);
        let batch = Batch::from_frame(1, frame.into()).unwrap();
        assert_eq!(batch.events(), Err(DecodeError::Malformed));
    }
}

/// Logs may have frames that were written before calls had targets.
#[test]
fn frames_with_nothing_but_variants_are_read() {
    let mut call = long_call(1);
    call.target = None;
    let events = [Event::Call(call)];
    let plain = Event::Call(Call {
        variant: None,
        ..call
    });
    let body = Batch::of(1, &[plain]).frame().len();
    let mut frame = Batch::of(1, &events).frame().to_vec();
    // Two empty lists stand where the targets would.
    assert_eq!(frame.drain(body..body + 2).collect::<Vec<_>>(), [0, 0]);
    frame[HEAD_BYTES - 1] = FORM_VARIANTS;
    seal(1, &mut frame);
    let batch = Batch::from_frame(1, frame.into()).unwrap();
    assert_eq!(batch.events().unwrap(), events);
    assert_eq!(batch.tracked(), Ok(Vec::new()));
}

#[test]
fn places_of_codes_fit_a_byte() {
    assert!(Code::ALL.len() < usize::from(u8::MAX));
}

#[test]
fn other_forms_are_told_from_malformed_ones() {
    let mut frame = vec![0, 0, 0, 0, 9, 1, 2, 3];
    seal(1, &mut frame);
    let batch = Batch::from_frame(1, frame.into()).unwrap();
    assert_eq!(batch.events(), Err(DecodeError::UnknownForm { form: 9 }));
    assert_eq!(
        decode_batches(&Bytes::from_static(&[9])),
        Err(DecodeError::UnknownForm { form: 9 })
    );
    assert_eq!(
        decode_batches(&Bytes::from_static(&[1, 0])),
        Err(DecodeError::Malformed)
    );
    let large = Bytes::from(vec![1; BATCHES_BYTES_MAX + 1]);
    assert_eq!(
        decode_batches(&large),
        Err(DecodeError::TooLarge {
            limit: BATCHES_BYTES_MAX
        })
    );
}

#[test]
fn lost_batches_keep_their_place() {
    let batches = [Batch::lost(3), Batch::of(4, &[Event::Call(long_call(1))])];
    let read = decode_batches(&encode_batches(&batches)).unwrap();
    assert_eq!(read, batches);
    assert!(read[0].is_lost() && !read[1].is_lost());
    assert_eq!(read[0].events(), Ok(Vec::new()));
}
