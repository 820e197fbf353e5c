use std::collections::HashMap;

use domain::id::{OperationId, RouteId, TargetId};
use domain::rollup::{Grain, Resolution, Rollup};
use domain::sketch::Sketch;
use domain::{Code, Timestamp};
use proptest::strategy::Strategy;
use proptest::{collection, prelude::any, prop_assert_eq, proptest, sample};
use uuid::Uuid;

use super::Fold;
use crate::call::{Call, Event, Variant};
use crate::usage::tests::call;

fn folded(calls: &[Call]) -> [Vec<Rollup>; 3] {
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
    (status, 0..4 * 60 * minute, 0..3_u128, 0..1_000_000_u64, 0..4_u128).prop_map(
        |((status, refusal), started, operation, latency, side)| {
            let Event::Call(mut call) = call(status, refusal, started);
            call.latency_us = latency;
            if let Some(callee) = call.callee.as_mut() {
                callee.operation = Some(OperationId::new(Uuid::from_u128(operation)));
            }
            call.target = (side > 1).then(|| TargetId::new(Uuid::from_u128(side)));
            call.variant = (side % 2 == 1).then(|| Variant {
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
    let [minutes, hours, days] = folded(&calls);
    let of_calls = |row: &&Rollup| row.series.grain == Grain::Calls;
    let mut counts: Vec<_> = minutes
        .iter()
        .filter(of_calls)
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
    for coarser in [hours, days] {
        assert_eq!(coarser.iter().filter(of_calls).count(), 3);
        // Applications are not told apart by how they were answered; that is in the sums.
        assert_eq!(coarser.len(), 3 * (Grain::ALL.len() - 1) + 1);
        let of_application = coarser.iter().find(|row| row.series.grain == Grain::Applications);
        let sums = of_application.unwrap().sums;
        assert_eq!(
            (sums.calls, sums.refused, sums.client_errors, sums.server_errors),
            (5, 1, 1, 0)
        );
        for answered in coarser.iter().filter(|row| row.series.status == 200) {
            assert_eq!(answered.sums.calls, 3);
            assert_eq!(answered.sums.latency_us, 300);
            assert_eq!(answered.latency.quantile(1.0), Some(100));
        }
    }
}

#[test]
fn calls_of_no_api_are_left_out() {
    let Event::Call(mut unrouted) = call(404, Some(Code::RouteNotFound), 0);
    unrouted.callee = None;
    assert_eq!(folded(&[unrouted]), [const { Vec::new() }; 3]);
}

proptest! {
    #[test]
    fn it_does_not_matter_what_comes_together(
        calls in collection::vec(a_call(), 0..60),
        at in any::<sample::Index>(),
    ) {
        let (one, other) = calls.split_at(at.index(calls.len() + 1));
        let (one, other, whole) = (folded(one), folded(other), folded(&calls));
        for ((one, other), whole) in one.into_iter().zip(other).zip(whole) {
            prop_assert_eq!(added(&[one, other]), added(std::slice::from_ref(&whole)));
            for grain in Grain::ALL {
                let rows = whole.iter().filter(|row| row.series.grain == grain);
                let (mut spread, mut calls_in) = (Sketch::default(), 0);
                for row in rows {
                    spread.merge(&row.latency);
                    calls_in += row.sums.calls;
                }
                prop_assert_eq!((calls_in as usize, spread.count()), (calls.len(), calls.len() as u64));
            }
        }
    }
}
