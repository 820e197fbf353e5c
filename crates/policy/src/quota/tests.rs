use domain::Timestamp;
use domain::limit::{Mode, OverLimit, Period, Quota, WhenStoreIsAway};

use super::{Ask, Bound, Counter, Decision, period_start_of, places};
use crate::ask::Standing;
use crate::testing::ask;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn quota(requests: u64, period: Period) -> Bound {
    Bound::new(Quota::new(requests, period))
}

fn at_time(now: Timestamp) -> Ask {
    let mut ask = ask(0);
    ask.moment.calendar = now;
    ask
}

fn say(counter: &Counter, bound: Option<&Bound>, now: Timestamp) -> Decision {
    counter.admit(bound, &at_time(now), WhenStoreIsAway::default())
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
        say(&counter, Some(&quota), evening),
        Decision::Pass {
            remaining: 1,
            reset_seconds: 3_600,
            over_ns: None
        }
    );
    assert_eq!(
        say(&counter, Some(&quota), evening),
        Decision::Pass {
            remaining: 0,
            reset_seconds: 3_600,
            over_ns: None
        }
    );
    assert_eq!(
        say(&counter, Some(&quota), evening),
        Decision::Refuse { retry_seconds: 3_600 }
    );
    assert_eq!(
        counter.used(Period::Month, evening),
        2,
        "a refused call is not counted anywhere"
    );
    let morning = at("2026-11-21T00:00:00Z");
    assert!(matches!(
        say(&counter, Some(&quota), morning),
        Decision::Pass { remaining: 1, .. }
    ));
}

#[test]
fn a_quota_that_comes_later_knows_earlier_calls() {
    let (counter, now) = (Counter::default(), at("2026-11-20T23:00:00Z"));
    for _ in 0..3 {
        say(&counter, None, now);
    }
    assert!(matches!(
        say(&counter, Some(&quota(3, Period::Month)), now),
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
        say(&counter, Some(&hourly), at("2026-11-20T22:00:00Z")),
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

#[test]
fn soft_quotas_warn_and_go_on_counting() {
    let soft = |from_percent| {
        let over_limit = OverLimit {
            mode: Mode::Warn,
            from_percent,
            ..OverLimit::default()
        };
        Bound::new(Quota {
            over_limit,
            ..Quota::new(4, Period::Day)
        })
    };
    let now = at("2026-11-20T23:00:00Z");
    for (from_percent, expected) in [
        (50, "pass pass over over refused refused"),
        (100, "pass pass pass pass over over"),
    ] {
        let (counter, bound) = (Counter::default(), soft(from_percent));
        let said: Vec<_> = (0..6)
            .map(|_| match say(&counter, Some(&bound), now) {
                Decision::Pass { over_ns: None, .. } => "pass",
                Decision::Pass { .. } => "over",
                _ => "refused",
            })
            .collect();
        assert_eq!(said.join(" "), expected, "{from_percent}");
        let used = if from_percent == 100 { 6 } else { 4 };
        assert_eq!(counter.used(Period::Month, now), used);
    }
}

#[test]
fn others_count_and_while_they_are_away_each_call_stands_for_one_of_each() {
    let now = at("2026-11-20T23:00:00Z");
    let bound = quota(20, Period::Day);
    let standing = |standing, when| {
        let counter = Counter::default();
        let together = Ask {
            standing: Standing::Together,
            ..at_time(now)
        };
        for _ in 0..4 {
            counter.admit(Some(&bound), &together, WhenStoreIsAway::default());
        }
        let told = counter.untold(Period::Day).unwrap();
        assert_eq!(told.1, 4);
        counter.hear(Period::Day, told, 10);
        assert_eq!(counter.untold(Period::Day), None);
        let ask = Ask { standing, ..together };
        (0..50)
            .take_while(|_| matches!(counter.admit(Some(&bound), &ask, when), Decision::Pass { .. }))
            .count()
    };
    let away = Standing::Away { nodes: 2 };
    for (when, expected) in [
        (WhenStoreIsAway::LocalShare, 5),
        (WhenStoreIsAway::Local, 10),
        (WhenStoreIsAway::Open, 50),
        (WhenStoreIsAway::Closed, 0),
    ] {
        assert_eq!(standing(away, when), expected, "{when:?}");
        assert_eq!(standing(Standing::Together, when), 10, "{when:?}");
    }
}
