use std::collections::HashMap;

use domain::id::{OperationId, RouteId};
use domain::rollup::{Resolution, Rollup};
use domain::sketch::Sketch;
use domain::{Code, Timestamp};
use proptest::strategy::Strategy;
use proptest::{bool, collection, prelude::any, prop_assert_eq, proptest, sample};
use uuid::Uuid;

use super::Fold;
use crate::call::{Call, Event, Variant};
use crate::usage::tests::call;

fn folded(calls: &[Call]) -> (Vec<Rollup>, Vec<Rollup>) {
    let mut fold = Fold::default();
    for call in calls {
        fold.add(call);
    }
    fold.finish()
}

/// What stands in a table after rows were added to it.
fn added(parts: &[Vec<Rollup>]) -> HashMap<(Timestamp, Uuid), Rollup> {
    let mut rows: HashMap<_, Rollup> = HashMap::new();
    for row in parts.iter().flatten() {
        rows.entry((row.begin, row.series.id()))
            .and_modify(|known| {
                known.sums.add(&row.sums);
                known.latency.merge(&row.latency);
            })
            .or_insert_with(|| row.clone());
    }
    rows
}

fn a_call() -> impl Strategy<Value = Call> {
    let status = sample::select(vec![
        (200, None),
        (404, None),
        (429, Some(Code::RateLimited)),
        (500, None),
    ]);
    let minute = Resolution::Minute.micros();
    (status, 0..4 * 60 * minute, 0..3_u128, 0..1_000_000_u64, bool::ANY).prop_map(
        |((status, refusal), started, operation, latency, has_variant)| {
            let Event::Call(mut call) = call(status, refusal, started);
            call.latency_us = latency;
            if let Some(callee) = call.callee.as_mut() {
                callee.operation = Some(OperationId::new(Uuid::from_u128(operation)));
            }
            call.variant = has_variant.then(|| Variant {
                route: RouteId::new(Uuid::nil()),
                name: "green".parse().unwrap(),
            });
            call
        },
    )
}

#[test]
fn calls_are_told_apart_by_what_they_have_in_common() {
    let minute = Resolution::Minute.micros();
    let calls = [
        call(200, None, 5),
        call(200, None, 59_999_999),
        call(404, None, 6),
        call(404, Some(Code::RouteNotFound), 7),
        call(200, None, minute),
    ];
    let calls = calls.map(|Event::Call(call)| call);
    let (minutes, hours) = folded(&calls);
    let mut counts: Vec<_> = minutes
        .iter()
        .map(|row| {
            (
                row.begin.as_micros(),
                row.series.status,
                row.series.code.map(Code::as_str),
                row.sums.calls,
            )
        })
        .collect();
    counts.sort_unstable();
    let told = [
        (0, 200, None, 2),
        (0, 404, None, 1),
        (0, 404, Some("route_not_found"), 1),
        (minute, 200, None, 1),
    ];
    assert_eq!(counts, told);
    assert_eq!(hours.len(), 3);
    let answered = hours.iter().find(|row| row.series.status == 200).unwrap();
    assert_eq!(answered.sums.calls, 3);
    assert_eq!(answered.sums.latency_us, 300);
    assert_eq!(answered.latency.quantile(1.0), Some(100));
}

#[test]
fn calls_of_no_api_are_left_out() {
    let Event::Call(mut unrouted) = call(404, Some(Code::RouteNotFound), 0);
    unrouted.callee = None;
    assert_eq!(folded(&[unrouted]), (vec![], vec![]));
}

proptest! {
    #[test]
    fn it_does_not_matter_what_comes_together(
        calls in collection::vec(a_call(), 0..60),
        at in any::<sample::Index>(),
    ) {
        let (one, other) = calls.split_at(at.index(calls.len() + 1));
        let (one, other, whole) = (folded(one), folded(other), folded(&calls));
        prop_assert_eq!(added(&[one.0, other.0]), added(std::slice::from_ref(&whole.0)));
        prop_assert_eq!(added(&[one.1, other.1]), added(std::slice::from_ref(&whole.1)));
        let mut spread = Sketch::default();
        for row in &whole.1 {
            spread.merge(&row.latency);
        }
        for resolution in [whole.0, whole.1] {
            let calls_in: i64 = resolution.iter().map(|row| row.sums.calls).sum();
            prop_assert_eq!(calls_in as usize, calls.len());
        }
        prop_assert_eq!(spread.count(), calls.len() as u64);
    }
}
