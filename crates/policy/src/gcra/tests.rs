use domain::limit::{Mode, OverLimit, RateLimit, WhenStoreIsAway};

use super::{Ask, Decision, Gcra, Rate, SECOND_NS, Slot as _};
use crate::ask::Standing;
use crate::testing::ask;

fn rate(requests: u32, window_seconds: u32, burst: Option<u32>) -> Rate {
    Rate::new(RateLimit::new(requests, window_seconds, burst))
}

fn say(gcra: &Gcra, rate: &Rate, now_ns: u64) -> Decision {
    gcra.admit(rate, &ask(now_ns), WhenStoreIsAway::default())
}

fn passes(gcra: &Gcra, rate: &Rate, now_ns: u64) -> bool {
    matches!(say(gcra, rate, now_ns), Decision::Pass { .. })
}

#[test]
fn burst_passes_and_then_the_rate() {
    for (requests, window, burst, expected) in [(10, 60, None, 10), (10, 1, Some(3), 3), (1, 60, Some(5), 5)]
    {
        let (gcra, rate) = (Gcra::default(), rate(requests, window, burst));
        let start = 7 * SECOND_NS;
        let passed = (0..100).filter(|_| passes(&gcra, &rate, start)).count();
        assert_eq!(passed, expected, "{requests}/{window}s burst {burst:?}");
        assert!(!passes(&gcra, &rate, start + rate.interval_ns - 1));
        assert!(passes(&gcra, &rate, start + rate.interval_ns));
        assert!(!passes(&gcra, &rate, start + rate.interval_ns));
    }
}

#[test]
fn a_quicker_rate_holds_from_its_first_call_on() {
    let (gcra, slow, quick) = (Gcra::default(), rate(2, 86_400, None), rate(2, 2, None));
    assert!(passes(&gcra, &slow, 0) && passes(&gcra, &slow, 0));
    let now = 60 * SECOND_NS;
    assert_eq!(
        say(&gcra, &slow, now),
        Decision::Refuse {
            retry_seconds: 43_140
        }
    );
    assert_eq!(say(&gcra, &quick, now), Decision::Refuse { retry_seconds: 1 });
    assert!(passes(&gcra, &quick, now + SECOND_NS));
    // What several took together is not forgiven.
    let (gcra, mut shared) = (Gcra::default(), ask(now));
    shared.standing = Standing::Together;
    gcra.hear(0, 100 * SECOND_NS, now);
    let refused = gcra.admit(&quick, &shared, WhenStoreIsAway::default());
    assert_eq!(refused, Decision::Refuse { retry_seconds: 99 });
    assert_eq!(gcra.admit(&quick, &shared, WhenStoreIsAway::default()), refused);
}

#[test]
fn remaining_reset_and_retry_are_told() {
    let (gcra, rate) = (Gcra::default(), rate(2, 10, None));
    assert_eq!(
        say(&gcra, &rate, 0),
        Decision::Pass {
            remaining: 1,
            reset_seconds: 5,
            over_ns: None
        }
    );
    assert_eq!(
        say(&gcra, &rate, 0),
        Decision::Pass {
            remaining: 0,
            reset_seconds: 10,
            over_ns: None
        }
    );
    assert_eq!(say(&gcra, &rate, 0), Decision::Refuse { retry_seconds: 5 });
    assert_eq!(
        say(&gcra, &rate, 4_500_000_000),
        Decision::Refuse { retry_seconds: 1 }
    );
}

#[test]
fn a_changed_rate_goes_on_with_what_was_used() {
    let gcra = Gcra::default();
    let narrow = rate(5, 60, None);
    (0..5).for_each(|_| assert!(passes(&gcra, &narrow, 0)));
    let wide = rate(600, 60, None);
    assert!(!passes(&gcra, &wide, 0), "the whole minute ahead is used");
    assert!(
        passes(&gcra, &wide, wide.interval_ns),
        "but calls are due ten times a second now"
    );
}

#[test]
fn many_threads_share_one_limit() {
    let (gcra, rate) = (Gcra::default(), rate(1000, 3600, None));
    let passed: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| (0..1000).filter(|_| passes(&gcra, &rate, 1)).count()))
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(passed, 1000);
}

#[test]
fn a_call_may_cost_more_and_at_most_the_burst() {
    let (gcra, rate) = (Gcra::default(), rate(10, 10, Some(5)));
    let say = |units, now_ns| {
        let ask = Ask { units, ..ask(now_ns) };
        match gcra.admit(&rate, &ask, WhenStoreIsAway::default()) {
            Decision::Pass { remaining, .. } => Ok(remaining),
            Decision::Refuse { retry_seconds } => Err(retry_seconds),
            Decision::Unknown => unreachable!(),
        }
    };
    assert_eq!(say(2, 0), Ok(3));
    assert_eq!(say(0, 0), Ok(3), "what is free takes nothing");
    assert_eq!(say(4, 0), Err(1));
    assert_eq!(say(3, 0), Ok(0));
    assert_eq!(say(0, 0), Ok(0), "and passes when nothing is left");
    assert_eq!(say(100, SECOND_NS), Err(4));
    assert_eq!(say(100, 5 * SECOND_NS), Ok(0), "it takes the whole burst");
    assert_eq!(say(1, 5 * SECOND_NS), Err(1));
}

#[test]
fn what_is_held_waits_as_what_is_counted() {
    let (gcra, rate) = (Gcra::default(), rate(2, 10, None));
    let holds = Ask {
        is_held: true,
        ..ask(0)
    };
    let hold = || gcra.ask(&rate, &holds, WhenStoreIsAway::default());
    let pass = |remaining, reset_seconds| Decision::Pass {
        remaining,
        reset_seconds,
        over_ns: None,
    };
    let refuse = |retry_seconds| Decision::Refuse { retry_seconds };
    let unit = 5 * SECOND_NS;
    assert_eq!(hold(), (pass(1, 5), unit));
    assert_eq!(hold(), (pass(0, 10), unit));
    assert_eq!(hold(), (refuse(5), 0));
    gcra.settle(unit, &holds, true);
    assert_eq!(hold(), (refuse(5), 0), "it counts now");
    gcra.settle(unit, &holds, false);
    assert_eq!(hold(), (pass(0, 10), unit));
    // A cell that another caller has taken over meanwhile owes nothing.
    gcra.begin(holds.moment);
    gcra.settle(unit, &holds, false);
    assert_eq!(hold(), (pass(1, 5), unit));
}

fn soft(mode: Mode, from_percent: u8, delay_ms_max: u32) -> Rate {
    Rate::new(RateLimit {
        over_limit: OverLimit {
            mode,
            from_percent,
            delay_ms_max,
        },
        ..RateLimit::new(10, 10, Some(5))
    })
}

/// What a limit says to so many calls at once: how far over, or refused.
fn over(rate: &Rate, calls: usize) -> Vec<Result<Option<u64>, ()>> {
    let gcra = Gcra::default();
    let calls = (0..calls).map(|_| match say(&gcra, rate, 0) {
        Decision::Pass { over_ns, .. } => Ok(over_ns.map(|nanos| nanos / SECOND_NS)),
        _ => Err(()),
    });
    calls.collect()
}

#[test]
fn soft_modes_begin_at_their_share_and_end_at_the_limit() {
    let free = Ok(None);
    assert_eq!(
        over(&soft(Mode::Warn, 60, 1000), 7),
        [free, free, free, Ok(Some(1)), Ok(Some(2)), Err(()), Err(())]
    );
    assert_eq!(
        over(&soft(Mode::Degrade, 100, 1000), 7),
        [free, free, free, free, free, Ok(Some(1)), Ok(Some(1))],
        "nothing is refused, and those over the limit do not use it up"
    );
    assert_eq!(
        over(&soft(Mode::SlowDown, 100, 2000), 9),
        [
            free,
            free,
            free,
            free,
            free,
            Ok(Some(1)),
            Ok(Some(2)),
            Err(()),
            Err(())
        ],
        "each waits for its turn, nobody longer than two seconds"
    );
    assert_eq!(
        over(&soft(Mode::SlowDown, 60, 2000), 7),
        [free, free, free, Ok(Some(1)), Ok(Some(2)), Err(()), Err(())]
    );
    let slow = soft(Mode::SlowDown, 60, 1500);
    assert_eq!(slow.soft.delay_ns(SECOND_NS), SECOND_NS);
    assert_eq!(slow.soft.delay_ns(9 * SECOND_NS), 1_500_000_000);
    assert_eq!(soft(Mode::Warn, 60, 1500).soft.delay_ns(SECOND_NS), 0);
}

#[test]
fn a_node_alone_keeps_to_what_is_wanted_then() {
    let rate = rate(8, 8, Some(4));
    let passed = |when, standing| {
        let gcra = Gcra::default();
        let ask = Ask { standing, ..ask(0) };
        (0..20)
            .filter(|_| matches!(gcra.admit(&rate, &ask, when), Decision::Pass { .. }))
            .count()
    };
    let away = Standing::Away { nodes: 2 };
    for (when, expected) in [
        (WhenStoreIsAway::LocalShare, 2),
        (WhenStoreIsAway::Local, 4),
        (WhenStoreIsAway::Open, 20),
        (WhenStoreIsAway::Closed, 0),
    ] {
        assert_eq!(passed(when, away), expected, "{when:?}");
        assert_eq!(passed(when, Standing::Together), 4, "{when:?}");
    }
    let many = Standing::Away { nodes: 100 };
    assert_eq!(
        passed(WhenStoreIsAway::LocalShare, many),
        1,
        "at least one at a time"
    );
}

#[test]
fn what_others_spent_counts_and_what_they_forgot_does_not_come_back() {
    let rate = rate(10, 10, Some(10));
    let gcra = Gcra::default();
    let ask = Ask {
        standing: Standing::Together,
        ..ask(0)
    };
    let admit = || gcra.admit(&rate, &ask, WhenStoreIsAway::default());
    (0..3).for_each(|_| assert!(matches!(admit(), Decision::Pass { .. })));
    assert_eq!(gcra.untold(0), Some((3 * SECOND_NS, 3 * SECOND_NS)));
    // One more came while the others were told of three, who had spent four.
    assert!(matches!(admit(), Decision::Pass { .. }));
    gcra.hear(3 * SECOND_NS, 7 * SECOND_NS, 0);
    assert_eq!(gcra.untold(0), Some((SECOND_NS, 8 * SECOND_NS)));
    assert!(matches!(admit(), Decision::Pass { remaining: 1, .. }));
    // The store forgot everything; we did not.
    gcra.hear(2 * SECOND_NS, 2 * SECOND_NS, 0);
    assert_eq!(gcra.untold(0), None);
    assert!(matches!(admit(), Decision::Pass { remaining: 0, .. }));
    assert!(matches!(admit(), Decision::Refuse { .. }));
}
