use domain::Timestamp;
use domain::offer::{Period, Quota};

use super::{Counter, Decision, period_start_of, places};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn quota(requests: u64, period: Period) -> Quota {
    Quota { requests, period }
}

#[test]
fn periods_end_where_the_calendar_says() {
    let table = [
        ("1970-01-01T00:00:00Z", [3_600, 86_400, 31 * 86_400]),
        ("2024-02-29T23:59:59Z", [1, 1, 1]),
        ("2024-02-01T00:00:00Z", [3_600, 86_400, 29 * 86_400]),
        ("2100-02-28T12:30:00Z", [1_800, 41_400, 41_400]),
        ("2026-12-31T22:00:00Z", [3_600, 7_200, 7_200]),
        ("2026-11-21T00:00:00Z", [3_600, 86_400, 10 * 86_400]),
    ];
    for (now, expected) in table {
        assert_eq!(places(at(now)).map(|(_, left)| left), expected, "{now}");
    }
}

#[test]
fn months_are_numbered_without_gaps() {
    let mut expected = 0;
    for year in 1970..2110 {
        for month in 1..=12 {
            let first = at(&format!("{year}-{month:02}-01T00:00:00Z"));
            assert_eq!(places(first)[2].0, expected, "{first}");
            let before = Timestamp::from_micros(first.as_micros() - 1);
            assert_eq!(places(before)[2].0, u64::saturating_sub(expected, 1), "{before}");
            expected += 1;
        }
    }
}

#[test]
fn quota_is_used_up_and_comes_back() {
    let (counter, quota) = (Counter::default(), quota(2, Period::Day));
    let evening = at("2026-11-20T23:00:00Z");
    assert_eq!(
        counter.admit(Some(&quota), evening),
        Decision::Pass {
            remaining: 1,
            reset_seconds: 3_600
        }
    );
    assert_eq!(
        counter.admit(Some(&quota), evening),
        Decision::Pass {
            remaining: 0,
            reset_seconds: 3_600
        }
    );
    assert_eq!(
        counter.admit(Some(&quota), evening),
        Decision::Refuse { retry_seconds: 3_600 }
    );
    assert_eq!(
        counter.used(Period::Month, evening),
        2,
        "a refused call is not counted anywhere"
    );
    let morning = at("2026-11-21T00:00:00Z");
    assert!(matches!(
        counter.admit(Some(&quota), morning),
        Decision::Pass { remaining: 1, .. }
    ));
}

#[test]
fn a_quota_that_comes_later_knows_earlier_calls() {
    let (counter, now) = (Counter::default(), at("2026-11-20T23:00:00Z"));
    for _ in 0..3 {
        counter.admit(None, now);
    }
    assert!(matches!(
        counter.admit(Some(&quota(3, Period::Month)), now),
        Decision::Refuse { .. }
    ));
}

#[test]
fn counts_survive_a_restart_and_a_clock_set_back() {
    let (counter, now) = (Counter::default(), at("2026-11-20T23:30:00Z"));
    let hourly = quota(1, Period::Hour);
    counter.restore(Period::Hour, at("2026-11-20T22:00:00Z").as_seconds(), 1, now);
    assert_eq!(counter.used(Period::Hour, now), 0, "the period is over");
    counter.restore(Period::Hour, at("2026-11-20T23:00:00Z").as_seconds(), 1, now);
    assert_eq!(counter.used(Period::Hour, now), 1);
    assert!(matches!(
        counter.admit(Some(&hourly), at("2026-11-20T22:00:00Z")),
        Decision::Refuse { .. }
    ));
}

#[test]
fn periods_begin_where_the_calendar_says() {
    for (now, month) in [
        ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z"),
        ("2024-02-29T23:59:59Z", "2024-02-01T00:00:00Z"),
        ("2026-12-31T22:10:00Z", "2026-12-01T00:00:00Z"),
    ] {
        assert_eq!(
            period_start_of(Period::Month, at(now)),
            at(month).as_seconds(),
            "{now}"
        );
    }
    let now = at("2026-12-31T22:10:00Z");
    assert_eq!(
        period_start_of(Period::Hour, now),
        at("2026-12-31T22:00:00Z").as_seconds()
    );
    assert_eq!(
        period_start_of(Period::Day, now),
        at("2026-12-31T00:00:00Z").as_seconds()
    );
}
