use super::{AHEAD, DAYS_MIN, expect};

/// Weeks with calm weekends that grow by a part each week, with a little that is not regular.
fn weeks(days: usize, growth: f64) -> Vec<f64> {
    let shape = [1.0, 1.1, 1.2, 1.1, 1.0, 0.4, 0.3];
    let noise = [1.02, 0.97, 1.01, 0.99, 1.03];
    (0..days)
        .map(|day| 1000.0 * shape[day % 7] * noise[day % 5] * growth.powf(day as f64 / 7.0))
        .collect()
}

#[test]
fn the_week_and_the_growth_go_on() {
    let all = weeks(84 + AHEAD, 1.05);
    let expected = expect(&all[..84]).unwrap();
    assert_eq!(expected.point.len(), AHEAD);
    for (day, (point, real)) in expected.point.iter().zip(&all[84..]).enumerate() {
        assert!((point / real - 1.0).abs() < 0.2, "day {day}: {point} for {real}");
    }
    let (known, ahead): (f64, f64) = (all[54..84].iter().sum(), expected.point.iter().sum());
    assert!(ahead > 1.1 * known, "{ahead} after {known}");
}

#[test]
fn bounds_hold_what_is_expected_and_widen() {
    let expected = expect(&weeks(60, 1.0)).unwrap();
    let bounds = expected.lower.iter().zip(&expected.upper);
    for ((lower, upper), point) in bounds.zip(&expected.point) {
        assert!(
            0.0 <= *lower && lower <= point && point <= upper,
            "{lower} {point} {upper}"
        );
    }
    let width = |place: usize| expected.upper[place] / expected.lower[place];
    assert!(width(28) >= width(0), "{} after {}", width(28), width(0));
}

#[test]
fn too_few_days_say_nothing() {
    let why = expect(&weeks(DAYS_MIN - 1, 1.0)).unwrap_err();
    assert!(why.contains("13 whole days; 14 are needed"), "{why}");
}

#[test]
fn days_without_calls_are_no_reason_to_fail() {
    let mut calls = weeks(30, 1.0);
    calls[10..13].fill(0.0);
    for days in [calls, vec![0.0; 30], vec![5.0; 30]] {
        let expected = expect(&days).unwrap();
        assert!(
            expected
                .upper
                .iter()
                .all(|calls| calls.is_finite() && *calls < 1e6),
            "{expected:?}"
        );
    }
}
