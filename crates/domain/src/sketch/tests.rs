use proptest::prelude::any;
use proptest::{collection, prop_assert, prop_assert_eq, proptest, sample};

use super::{BINS, Malformed, Sketch, bin, middle};

fn sketch(values: &[u64]) -> Sketch {
    let mut sketch = Sketch::default();
    for value in values {
        sketch.note(*value);
    }
    sketch
}

/// The value of nearest rank.
fn exact(values: &[u64], share: f64) -> Option<u64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let rank = ((share * sorted.len() as f64).ceil() as usize).clamp(1, sorted.len().max(1));
    sorted.get(rank - 1).copied()
}

#[test]
fn bins_follow_each_other() {
    assert_eq!(bin(u64::MAX), BINS - 1);
    let mut values: Vec<u64> = (0..4096).collect();
    values.extend((0..64).flat_map(|power| {
        let power = 1_u64 << power;
        [power - 1, power, power + 1]
    }));
    values.sort_unstable();
    for pair in values.windows(2) {
        let (before, after) = (bin(pair[0]), bin(pair[1]));
        assert!(before <= after, "{pair:?} {before} {after}");
        assert!(
            pair[1] - pair[0] > 1 || after - before <= 1,
            "{pair:?} {before} {after}"
        );
    }
}

#[test]
fn of_few_values_every_quantile_is_known() {
    assert_eq!(Sketch::default().quantile(0.5), None);
    let sketch = sketch(&[1, 2, 3, 4]);
    let table = [
        (0.0, 1),
        (0.25, 1),
        (0.26, 2),
        (0.5, 2),
        (0.75, 3),
        (1.0, 4),
        (7.0, 4),
        (-1.0, 1),
    ];
    for (share, value) in table {
        assert_eq!(sketch.quantile(share), Some(value), "{share}");
    }
}

#[test]
fn what_is_no_sketch_is_refused() {
    let whole = sketch(&[5, 900, 70_000]).to_bytes();
    assert!(Sketch::from_bytes(&whole).is_ok());
    let table: [&[u8]; 8] = [
        &[],
        &[2],
        &[1, 5],
        &[1, 5, 0],
        &[1, 5, 1, 0, 1],
        &[1, 0xff, 0xff, 0x7f, 1],
        &[1, 5, 0x80],
        &[1, 5, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2],
    ];
    for bytes in table {
        assert_eq!(Sketch::from_bytes(bytes), Err(Malformed), "{bytes:?}");
    }
}

proptest! {
    #[test]
    fn a_value_is_near_the_middle_of_its_bin(value: u64) {
        let off = middle(bin(value)).abs_diff(value);
        prop_assert!(off <= value / 64, "{} for {value}", middle(bin(value)));
    }

    #[test]
    fn quantiles_are_at_most_a_64th_off(
        values in collection::vec(0..10_000_000_u64, 1..300),
        share in 0.0..=1.0_f64,
    ) {
        let exact = exact(&values, share).unwrap();
        let told = sketch(&values).quantile(share).unwrap();
        prop_assert!(told.abs_diff(exact) <= exact / 64, "{told} for {exact}");
    }

    #[test]
    fn parts_add_up_to_the_whole(values: Vec<u64>, at in any::<sample::Index>()) {
        let (one, other) = values.split_at(at.index(values.len() + 1));
        let whole = sketch(&values);
        let mut sum = sketch(one);
        sum.merge(&sketch(other));
        prop_assert_eq!(&sum, &whole);
        prop_assert_eq!(sum.count(), values.len() as u64);
        prop_assert_eq!(Sketch::from_bytes(&whole.to_bytes()), Ok(whole));
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
        if let Ok(sketch) = Sketch::from_bytes(&bytes) {
            let again = Sketch::from_bytes(&sketch.to_bytes());
            prop_assert_eq!(again, Ok(sketch));
        }
    }
}
