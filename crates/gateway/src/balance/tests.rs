//! Drives the choice among targets of one level with nothing but cells.

use std::collections::HashMap;

use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

use super::hash;

fn owner(key: u64, targets: &[(u64, u64)]) -> u64 {
    let drawn = targets
        .iter()
        .max_by(|one, other| hash::draw(key, one.0, one.1).total_cmp(&hash::draw(key, other.0, other.1)));
    drawn.unwrap().0
}

proptest! {
    #[test]
    fn a_target_that_leaves_takes_only_its_own_keys_along(
        names in proptest::collection::hash_set(any::<u64>(), 2..20),
        keys in proptest::collection::vec(any::<u64>(), 1..200),
        weights in proptest::collection::vec(1_u64..1000, 20),
    ) {
        let targets: Vec<_> = names.into_iter().zip(weights).collect();
        let (left, others) = (targets[0].0, &targets[1..]);
        for key in keys {
            let before = owner(key, &targets);
            if before != left {
                prop_assert_eq!(owner(key, others), before);
            } else {
                prop_assert!(others.iter().any(|(name, _)| *name == owner(key, others)));
            }
        }
    }
}

#[test]
fn keys_are_spread_by_weight() {
    let targets = [
        (hash::of(b"a:1"), 1),
        (hash::of(b"b:1"), 2),
        (hash::of(b"c:1"), 5),
    ];
    let mut counts: HashMap<u64, f64> = HashMap::new();
    for key in 0..40_000_u64 {
        *counts
            .entry(owner(hash::of(&key.to_le_bytes()), &targets))
            .or_default() += 1.0;
    }
    for (name, weight) in targets {
        #[expect(clippy::cast_precision_loss, reason = "small")]
        let expected = weight as f64 / 8.0 * 40_000.0;
        assert!((counts[&name] - expected).abs() < 500.0, "{counts:?}");
    }
}

#[test]
fn hashes_are_the_same_everywhere() {
    // Nodes of different versions have to send a client to the same target.
    assert_eq!(hash::of(b""), 0xc381_7c01_6ba4_ff30);
    assert_eq!(hash::of(b"client-7"), hash::of(b"client-7"));
}
