use std::time::Duration;

use domain::Timestamp;

use super::{LONGEST_PAUSE, pause, renewal};

#[test]
fn certificates_are_renewed_after_two_thirds_of_their_life_or_a_little_earlier() {
    let (from, to) = (
        Timestamp::from_micros(3_000_000),
        Timestamp::from_micros(93_000_000),
    );
    assert_eq!(renewal(from, to, 0.0).as_micros(), 63_000_000);
    assert_eq!(renewal(from, to, 1.0).as_micros(), 60_000_000);
    assert_eq!(renewal(to, from, 0.5), to, "one that never held");
}

#[test]
fn failures_make_the_next_attempt_later() {
    let seconds: Vec<_> = (1..=4).map(|failures| pause(failures, 0.0).as_secs()).collect();
    assert_eq!(seconds, [60, 120, 240, 480]);
    assert_eq!(pause(u32::MAX, 0.0), LONGEST_PAUSE);
    assert_eq!(pause(1, 1.0), Duration::from_secs(66));
}
