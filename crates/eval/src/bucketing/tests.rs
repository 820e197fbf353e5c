use proptest::collection::vec;
use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

use super::{Bucketing, Murmur32, Shares};

fn murmur(bytes: &[u8], seed: u32) -> u32 {
    let mut hash = Murmur32::new(seed);
    hash.update(bytes);
    hash.finish()
}

/// Published vectors of MurmurHash3_x86_32.
#[test]
fn the_hash_is_the_published_one() {
    let table: [(&[u8], u32, u32); 11] = [
        (b"", 0, 0),
        (b"", 1, 0x514e_28b7),
        (b"", 0xffff_ffff, 0x81f1_6f39),
        (&[0xff, 0xff, 0xff, 0xff], 0, 0x7629_3b50),
        (&[0x21, 0x43, 0x65, 0x87], 0, 0xf55b_516b),
        (&[0x21, 0x43, 0x65], 0, 0x7e4a_8634),
        (&[0x21, 0x43], 0, 0xa0f7_b07a),
        (&[0x21], 0, 0x7266_1cf4),
        (b"test", 0, 0xba6b_d213),
        (b"Hello, world!", 0, 0xc036_3e43),
        (b"The quick brown fox jumps over the lazy dog", 0, 0x2e4f_f723),
    ];
    for (bytes, seed, expected) in table {
        assert_eq!(murmur(bytes, seed), expected, "{bytes:?} {seed}");
    }
}

/// Vectors of ours: an assignment that changes takes clients from one side to the other.
#[test]
fn assignments_stay_as_they_are() {
    let split = Bucketing::new("checkout");
    let shares = Shares::new(&[50, 30, 20]).unwrap();
    let places: Vec<_> = (0..12)
        .map(|user| shares.place(split.of_text(format_args!("user-{user}"))))
        .collect();
    assert_eq!(places, PLACES);
    assert_eq!(split.of(b"user-1"), murmur(b"checkoutuser-1", 0));
}

const PLACES: [usize; 12] = [0, 1, 0, 0, 0, 1, 2, 1, 0, 2, 2, 0];

#[test]
fn nothing_is_shared_out_without_weights() {
    assert_eq!(Shares::new(&[]), None);
    assert_eq!(Shares::new(&[0, 0]), None);
    let all = Shares::new(&[0, 1, 0]).unwrap();
    assert_eq!([0, 1, u32::MAX].map(|hash| all.place(hash)), [1; 3]);
}

#[test]
fn shares_are_as_large_as_weights_say() {
    let split = Bucketing::new("rte_1");
    let shares = Shares::new(&[70, 25, 5]).unwrap();
    let mut counts = [0_u32; 3];
    for user in 0..100_000 {
        counts[shares.place(split.of_text(user))] += 1;
    }
    // Five standard deviations.
    for (count, expected) in counts.iter().zip([70_000_u32, 25_000, 5_000]) {
        assert!(count.abs_diff(expected) < 730, "{counts:?}");
    }
}

fn moved(before: &[u32], after: &[u32], hash: u32) -> Option<(usize, usize)> {
    let place = |weights: &[u32]| Shares::new(weights).unwrap().place(hash);
    let (from, to) = (place(before), place(after));
    (from != to).then_some((from, to))
}

proptest! {
    #[test]
    fn pieces_make_the_same_hash(bytes in vec(any::<u8>(), 0..40), at in any::<usize>(), seed in any::<u32>()) {
        let at = if bytes.is_empty() { 0 } else { at % bytes.len() };
        let mut pieces = Murmur32::new(seed);
        pieces.update(&bytes[..at]);
        pieces.update(&bytes[at..]);
        prop_assert_eq!(pieces.finish(), murmur(&bytes, seed));
    }

    /// `(hash * total) >> 32`, then along the weights.
    #[test]
    fn ends_are_what_the_formula_says(weights in vec(0..10_000_u32, 1..8), hash in any::<u32>()) {
        let total: u64 = weights.iter().copied().map(u64::from).sum();
        let Some(shares) = Shares::new(&weights) else {
            prop_assert_eq!(total, 0);
            return Ok(());
        };
        let number = (u64::from(hash) * total) >> 32;
        let mut sum = 0;
        let place = weights.iter().position(|weight| {
            sum += u64::from(*weight);
            number < sum
        });
        prop_assert_eq!(Some(shares.place(hash)), place);
    }

    /// Of two variants, nobody leaves the one that grows: what moves is the difference and no more.
    #[test]
    fn of_two_only_the_difference_moves(before in 0..=100_u32, after in 0..=100_u32, hash in any::<u32>()) {
        let moved = moved(&[100 - before, before], &[100 - after, after], hash);
        let to = usize::from(after > before);
        prop_assert!(moved.is_none_or(|moved| moved == (1 - to, to)));
        let crossed = before != after && {
            let at = |weight: u32| (u64::from(100 - weight) << 32).div_ceil(100);
            let (low, high) = (at(before).min(at(after)), at(before).max(at(after)));
            (low..high).contains(&u64::from(hash))
        };
        prop_assert_eq!(moved.is_some(), crossed);
    }

    /// From 0 to 100 and through every step between, a unit changes its side once at most.
    #[test]
    fn nobody_flips_back_while_a_variant_grows(hash in any::<u32>(), mut steps in vec(0..=100_u32, 1..20)) {
        steps.extend([0, 100]);
        steps.sort_unstable();
        let sides = steps.iter().map(|weight| Shares::new(&[100 - weight, *weight]).unwrap().place(hash));
        let sides: Vec<_> = sides.collect();
        prop_assert!(sides.is_sorted());
        prop_assert_eq!((sides.first(), sides.last()), (Some(&0), Some(&1)));
    }

    /// With any number of variants: one that grows while no other does loses nobody.
    #[test]
    fn a_variant_that_alone_grows_loses_nobody(
        before in vec(1..1_000_u32, 2..8), less in vec(0..1_000_u32, 8), at in any::<usize>(), hash in any::<u32>(),
    ) {
        let grows = at % before.len();
        let mut after: Vec<_> = before.iter().zip(&less).map(|(weight, less)| weight - weight.min(less)).collect();
        let total: u32 = before.iter().sum();
        after[grows] = 0;
        after[grows] = total - after.iter().sum::<u32>();
        let left = moved(&before, &after, hash);
        prop_assert!(left.is_none_or(|(from, _)| from != grows));
        let back = moved(&after, &before, hash);
        prop_assert!(back.is_none_or(|(_, to)| to != grows));
    }

    /// Between neighbours exactly the difference moves, and nobody else.
    #[test]
    fn neighbours_trade_alone(weights in vec(1..1_000_u32, 2..8), at in any::<usize>(), hash in any::<u32>()) {
        let at = at % (weights.len() - 1);
        let mut after = weights.clone();
        let part = after[at] / 2;
        after[at] -= part;
        after[at + 1] += part;
        prop_assert!(moved(&weights, &after, hash).is_none_or(|moved| moved == (at, at + 1)));
    }
}
