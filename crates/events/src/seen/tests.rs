use std::collections::HashMap;

use proptest::collection::vec;
use proptest::prelude::{Strategy, prop_assert_eq, proptest};

use super::{SPANS, SeenIds};

const WINDOW_US: i64 = 32_000;

/// Spreads small numbers over all bits.
fn id(number: u64) -> u64 {
    number.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1
}

fn steps() -> impl Strategy<Value = Vec<(u64, i64)>> {
    vec((1..200_u64, 0..3000_i64), 1..2000)
}

proptest! {
    /// An id is known for the window at least, and for a span more at most.
    #[test]
    fn ids_are_known_for_the_window_and_little_longer(steps in steps()) {
        let mut seen = SeenIds::new(WINDOW_US, usize::MAX);
        let mut model: HashMap<u64, i64> = HashMap::new();
        let mut now = 1_000_000;
        for (number, pause) in steps {
            now += pause;
            seen.advance(now);
            let is_new = seen.insert(id(number));
            let span_us = WINDOW_US / i64::from(SPANS);
            match model.get(&number) {
                Some(came) if now - came < WINDOW_US => prop_assert_eq!(is_new, false),
                Some(came) if now - came >= WINDOW_US + span_us => prop_assert_eq!(is_new, true),
                Some(_) => {}
                None => prop_assert_eq!(is_new, true),
            }
            if is_new {
                model.insert(number, now);
            }
        }
    }
}

#[test]
fn no_more_are_kept_than_may_be_and_the_oldest_go_first() {
    let mut seen = SeenIds::new(i64::MAX, 3200);
    for number in 1..=100_000 {
        seen.advance(0);
        assert!(seen.insert(id(number)), "{number}");
        seen.committed(number);
        assert!(seen.len() <= 3301, "{}", seen.len());
    }
    seen.advance(0);
    for number in 97_000..=100_000 {
        assert!(!seen.insert(id(number)), "{number}");
    }
    assert!(
        (96_000..97_000).contains(&seen.forgotten_through()),
        "{}",
        seen.forgotten_through()
    );
    assert!(seen.insert(id(1)));
}

#[test]
fn an_id_takes_sixteen_bytes_at_most() {
    let mut seen = SeenIds::new(i64::MAX, 1 << 30);
    for number in 1..300_000_usize {
        seen.insert(id(number as u64));
        if number > 20_000 {
            let places: usize = seen.tables.iter().map(|table| table.ids.len()).sum();
            assert!(places * 9 <= number * 16, "{places} places for {number} ids");
        }
    }
}

#[test]
fn what_was_taken_back_is_new_again() {
    let mut seen = SeenIds::new(WINDOW_US, 1000);
    seen.remove(id(7));
    assert!(seen.insert(id(7)));
    seen.remove(id(7));
    assert_eq!(seen.len(), 0);
    assert!(seen.insert(id(7)));
    assert!(!seen.insert(id(7)));
    assert_eq!(seen.len(), 1);
}
