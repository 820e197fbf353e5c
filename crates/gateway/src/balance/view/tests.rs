use domain::traffic::Balancing;
use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

use super::{Standing, View};
use crate::balance::Rules;

fn rules(change: impl FnOnce(&mut Balancing)) -> Rules {
    let mut balancing = Balancing::default();
    change(&mut balancing);
    Rules::new(&balancing)
}

/// A target of weight 1, for short: priority, whether it is near, whether it is healthy.
fn standing((priority, is_near, is_healthy): (u8, bool, bool)) -> Standing {
    Standing {
        weight: 1,
        level: u16::from(priority),
        is_near,
        is_healthy,
        since_ms: 0,
    }
}

/// Levels as their places and the share of calls, in thousandths.
fn levels(targets: &[(u8, bool, bool)], rules: &Rules) -> Vec<(Vec<usize>, u64)> {
    let standings: Vec<_> = targets.iter().copied().map(standing).collect();
    let view = View::new(&standings, rules, 0, u64::MAX);
    let mut before = 0;
    let mut levels = Vec::new();
    for level in view.levels {
        levels.push((level.places, level.below.saturating_sub(before)));
        before = before.max(level.below);
    }
    levels
}

#[test]
fn levels_take_over_from_each_other() {
    let (up, down) = (true, false);
    let table = [
        ("one level", vec![(0, up), (0, up)], vec![(vec![0, 1], 1000)]),
        (
            "an ill target is left out",
            vec![(0, up), (0, up), (0, down), (0, up)],
            vec![(vec![0, 1, 3], 1000)],
        ),
        (
            "the next level waits",
            vec![(0, up), (1, up)],
            vec![(vec![0], 1000), (vec![1], 0)],
        ),
        ("and takes over", vec![(0, down), (1, up)], vec![(vec![1], 1000)]),
        (
            "a part goes over when more than a third is missing",
            vec![(0, up), (0, down), (1, up), (1, up)],
            vec![(vec![0], 700), (vec![2, 3], 300)],
        ),
        (
            "less is made up for",
            vec![(0, up), (0, up), (0, up), (0, down), (1, up)],
            vec![(vec![0, 1, 2], 1000), (vec![4], 0)],
        ),
        (
            "everybody in panic",
            vec![(0, down), (0, down), (0, down), (1, down)],
            vec![(vec![0, 1, 2], 750), (vec![3], 250)],
        ),
        (
            "what is left, above the threshold of panic",
            vec![(0, down), (0, down), (0, up), (0, down)]
                .into_iter()
                .take(3)
                .collect(),
            vec![(vec![2], 1000)],
        ),
    ];
    for (name, targets, expected) in table {
        let targets: Vec<_> = targets
            .into_iter()
            .map(|(priority, is_up)| (priority, false, is_up))
            .collect();
        assert_eq!(levels(&targets, &rules(|_| {})), expected, "{name}");
    }
}

#[test]
fn without_panic_nobody_is_asked_when_nobody_is_healthy() {
    let targets = [(0, false, false), (1, false, false)];
    assert!(levels(&targets, &rules(|balancing| balancing.panic_percent = 0)).is_empty());
    assert_eq!(levels(&targets, &rules(|_| {})).len(), 2);
}

#[test]
fn the_own_zone_is_used_alone_while_enough_of_it_is_healthy() {
    let (near, far) = (true, false);
    let table = [
        (vec![(0, near, true), (0, far, true)], vec![0]),
        (vec![(0, near, false), (0, far, true)], vec![1]),
        (
            vec![(0, near, true), (0, near, false), (0, far, true)],
            vec![0, 2],
        ),
        (
            vec![
                (0, near, true),
                (0, near, true),
                (0, near, true),
                (0, near, false),
                (0, far, true),
            ],
            vec![0, 1, 2],
        ),
        (vec![(0, far, true), (0, far, true)], vec![0, 1]),
    ];
    for (targets, expected) in table {
        assert_eq!(levels(&targets, &rules(|_| {}))[0].0, expected, "{targets:?}");
    }
    let half = rules(|balancing| balancing.zone_healthy_min_percent = 50);
    let targets = [(0, near, true), (0, near, false), (0, far, true)];
    assert_eq!(levels(&targets, &half)[0].0, vec![0]);
}

#[test]
fn a_slow_start_brings_a_target_up_to_its_weight() {
    let rules = rules(|balancing| balancing.slow_start_ms = 10_000);
    let at = |now_ms: u64| {
        let standings = [
            standing((0, false, true)),
            Standing {
                weight: 4,
                since_ms: 1_000,
                ..standing((0, false, true))
            },
        ];
        let view = View::new(&standings, &rules, now_ms, u64::MAX);
        (view.levels[0].weight(0), view.levels[0].weight(1), view.until_ms)
    };
    assert_eq!(at(1_000), (1000, 400, 1_500), "a tenth at first");
    assert_eq!(at(6_000), (1000, 2000, 6_500));
    assert_eq!(at(11_000), (1000, 4000, u64::MAX));
}

proptest! {
    #[test]
    fn every_call_finds_a_level_and_only_healthy_targets(
        targets in proptest::collection::vec((0_u8..4, any::<bool>(), any::<bool>(), 1_u32..1000), 1..40),
        panic_percent in 0_u8..=100,
    ) {
        let rules = rules(|balancing| balancing.panic_percent = panic_percent);
        let standings: Vec<_> = targets
            .iter()
            .map(|(priority, is_near, is_healthy, weight)| Standing {
                weight: *weight,
                ..standing((*priority, *is_near, *is_healthy))
            })
            .collect();
        let view = View::new(&standings, &rules, 0, u64::MAX);
        let healthy = standings.iter().filter(|standing| standing.is_healthy).count();
        prop_assert_eq!(view.levels.is_empty(), healthy == 0 && panic_percent == 0);
        if let Some(most) = view.levels.iter().map(|level| level.below).max() {
            prop_assert_eq!(most, 1000);
        }
        let places: Vec<_> = view.levels.iter().flat_map(|level| &level.places).collect();
        let ill = places.iter().filter(|place| !standings[***place].is_healthy).count();
        let all: u64 = targets.iter().map(|target| u64::from(target.3)).sum();
        let well: u64 = targets.iter().filter(|target| target.2).map(|target| u64::from(target.3)).sum();
        prop_assert!(ill == 0 || well * 100 < u64::from(panic_percent) * all);
        for level in &view.levels {
            prop_assert!(level.sums.is_sorted() && level.sums.len() == level.places.len());
        }
    }
}
