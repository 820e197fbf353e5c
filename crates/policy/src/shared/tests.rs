use std::collections::HashMap;

use domain::limit::{Period, Quota, RateAlgorithm, RateLimit};
use proptest::prelude::{any, prop_assert, proptest};

use super::{Ledger, Said};
use crate::Moment;
use crate::ask::Standing;
use crate::directory::Directory;
use crate::directory::tests::{at, snapshot};
use crate::testing::{By, Scene};

/// A store as the real one behaves: time per caller, and counts per window and node.
#[derive(Default)]
struct Store {
    due_ns: HashMap<u128, u64>,
    counts: HashMap<(u128, char, u64), HashMap<usize, u64>>,
}

impl Store {
    fn meet(&mut self, node: usize, ledger: &dyn Ledger, now: Moment, since_ns: u64) {
        let mut all = Vec::new();
        ledger.untold(now, &mut |caller, said| all.push((caller, said)));
        for (caller, said) in all {
            let answer = match said {
                Said::Spent { untold_ns, ahead_ns } => {
                    let due = self.due_ns.entry(caller).or_default();
                    let since = now.steady_ns.saturating_sub(since_ns);
                    *due = ((*due).max(since) + untold_ns).max(now.steady_ns + ahead_ns);
                    *due - now.steady_ns
                }
                Said::Counted {
                    kind, window, own, ..
                } => {
                    let nodes = self.counts.entry((caller, kind, window)).or_default();
                    nodes.insert(node, own);
                    nodes.values().sum()
                }
            };
            ledger.hear(caller, said, answer, now);
        }
    }
}

fn directory(rate: Option<RateLimit>, quota: Option<Quota>) -> Directory {
    let mut snapshot = snapshot();
    snapshot.plans[0].rate_limit = rate;
    snapshot.plans[0].quota = quota;
    Directory::compile(&snapshot, None).unwrap()
}

fn call(directory: &Directory, after_ms: u64) -> bool {
    let scene = Scene {
        after_ms,
        standing: Standing::Together,
        ..Scene::default()
    };
    scene
        .play(directory, By::Plan, &mut Vec::new())
        .starts_with("pass")
}

fn moment(after_ms: u64) -> Moment {
    let noon = at("2026-11-21T12:00:00Z");
    Moment {
        calendar: domain::Timestamp::from_micros(noon.calendar.as_micros() + after_ms as i64 * 1000),
        steady_ns: (1_000 + after_ms) * 1_000_000,
    }
}

/// Calls that pass on four nodes that are asked as often as they can be, synchronised every so often.
fn passed(nodes: &[Directory], seconds: u64, every_ms: u64) -> usize {
    let (mut store, mut passed) = (Store::default(), 0);
    for tick in 0..seconds * 100 {
        let after_ms = tick * 10;
        for node in nodes {
            passed += (0..50).take_while(|_| call(node, after_ms)).count();
        }
        if after_ms % every_ms == 0 {
            for (index, node) in nodes.iter().enumerate() {
                store.meet(index, node, moment(after_ms), every_ms * 1_000_000);
            }
        }
    }
    passed
}

#[test]
fn four_nodes_keep_one_rate_within_the_bound() {
    let (rate, burst, every_ms, seconds, n) = (20, 10, 200, 30, 4);
    let limit = Some(RateLimit::new(rate, 1, Some(burst)));
    let nodes: Vec<_> = (0..n).map(|_| directory(limit, None)).collect();
    let passed = passed(&nodes, seconds, every_ms) as f64;
    let (rate, burst, sync) = (f64::from(rate), f64::from(burst), every_ms as f64 / 1000.0);
    let alone = burst + rate * seconds as f64;
    let bound = alone + f64::from(n - 1) * (burst + rate * sync) + rate * sync;
    assert!(passed <= bound, "{passed} > {bound}");
    assert!(passed >= alone * 0.9, "{passed}: the rate is there to be used");
}

#[test]
fn four_nodes_keep_one_window_and_one_quota() {
    let window = Some(RateLimit {
        algorithm: RateAlgorithm::SlidingWindow,
        ..RateLimit::new(100, 10, None)
    });
    for (rate, quota) in [(window, None), (None, Some(Quota::new(100, Period::Day)))] {
        let nodes: Vec<_> = (0..4).map(|_| directory(rate, quota)).collect();
        // Ten calls of each node between two synchronisations.
        let (mut store, mut passed) = (Store::default(), 0);
        for round in 0..20 {
            for (index, node) in nodes.iter().enumerate() {
                passed += (0..10).filter(|_| call(node, round)).count();
                store.meet(index, node, moment(round), 0);
            }
            for (index, node) in nodes.iter().enumerate() {
                // Everybody has something to tell, and so hears.
                call(node, round);
                store.meet(index, node, moment(round), 0);
            }
        }
        assert!((100..=100 + 3 * 10 + 20).contains(&passed), "{passed}");
    }
}

#[test]
fn a_store_that_forgot_everything_learns_it_again() {
    let quota = Some(Quota::new(100, Period::Day));
    let nodes = [directory(None, quota), directory(None, quota)];
    let mut store = Store::default();
    for node in &nodes {
        (0..30).for_each(|_| assert!(call(node, 0)));
    }
    for (index, node) in nodes.iter().enumerate() {
        store.meet(index, node, moment(0), 0);
    }
    store = Store::default();
    for round in 0..2 {
        for (index, node) in nodes.iter().enumerate() {
            assert!(call(node, 1), "{round}");
            store.meet(index, node, moment(1), 0);
        }
    }
    let counts: Vec<_> = store.counts.values().collect();
    assert_eq!(counts.len(), 1);
    assert_eq!(counts[0].values().sum::<u64>(), 64);
}

#[test]
fn what_was_not_heard_is_told_again_and_what_was_is_not() {
    let node = directory(
        Some(RateLimit::new(10, 10, None)),
        Some(Quota::new(5, Period::Hour)),
    );
    let told = || {
        let mut all = Vec::new();
        node.untold(moment(0), &mut |caller, said| all.push((caller, said)));
        all
    };
    assert!(told().is_empty());
    assert!(call(&node, 0));
    let first = told();
    assert_eq!(first.len(), 2, "{first:?}");
    assert!(told().is_empty(), "it is on its way");
    node.unheard(first[0].0);
    assert_eq!(told(), first);
    for (caller, said) in first {
        node.hear(caller, said, 1, moment(0));
    }
    node.unheard(1);
    assert!(told().is_empty());
}

#[test]
fn counters_that_were_not_told_are_told_by_the_next_snapshot() {
    let mut snapshot = snapshot();
    snapshot.plans[0].quota = Some(Quota::new(5, Period::Hour));
    let first = Directory::compile(&snapshot, None).unwrap();
    assert!(call(&first, 0));
    let second = Directory::compile(&snapshot, Some(&first)).unwrap();
    let mut told = 0;
    second.untold(moment(0), &mut |_, _| told += 1);
    assert_eq!(told, 1);
}

proptest! {
    #[test]
    fn no_order_of_calls_and_meetings_goes_over_the_bound(steps in proptest::collection::vec((0..4_usize, any::<bool>(), 0..300_u64), 1..120)) {
        let limit = Some(RateLimit::new(10, 1, Some(5)));
        let nodes: Vec<_> = (0..4).map(|_| directory(limit, None)).collect();
        let (mut store, mut now, mut passed, mut met) = (Store::default(), 0, 0_u64, [0; 4]);
        for (node, meets, wait) in steps {
            if meets {
                // Everybody at least every 200 ms, as the settings promise.
                now += wait.min(200);
                for index in 0..4 {
                    store.meet(index, &nodes[index], moment(now), (now - met[index]) * 1_000_000);
                    met[index] = now;
                }
            }
            passed += (0..20).take_while(|_| call(&nodes[node], now)).count() as u64;
        }
        let seconds = now as f64 / 1000.0;
        let bound = 5.0 + 10.0 * seconds + 3.0 * (5.0 + 2.0) + 2.0 + 1.0;
        prop_assert!(passed as f64 <= bound, "{passed} > {bound} in {seconds} s");
    }
}
