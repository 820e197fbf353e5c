use domain::Timestamp;
use domain::limit::{Mode, OverLimit, RateAlgorithm, RateLimit, WhenStoreIsAway};

use super::{Ask, Decision, Sliding, Window};
use crate::ask::Standing;
use crate::testing::ask;

/// A question so many milliseconds after the beginning of a window of ten seconds.
fn at(after_ms: i64) -> Ask {
    let mut ask = ask(0);
    ask.moment.calendar = Timestamp::from_micros(1_000_000_000_000 + after_ms * 1000);
    ask
}

fn window(over_limit: OverLimit) -> Window {
    Window::new(RateLimit {
        algorithm: RateAlgorithm::SlidingWindow,
        over_limit,
        ..RateLimit::new(10, 10, None)
    })
}

fn say(sliding: &Sliding, window: &Window, ask: &Ask) -> Decision {
    sliding.admit(window, ask, WhenStoreIsAway::default())
}

fn passed(sliding: &Sliding, window: &Window, ask: &Ask) -> usize {
    (0..100)
        .take_while(|_| matches!(say(sliding, window, ask), Decision::Pass { .. }))
        .count()
}

#[test]
fn the_window_before_fades_evenly() {
    let (sliding, window) = (Sliding::default(), window(OverLimit::default()));
    assert_eq!(passed(&sliding, &window, &at(9_000)), 10);
    for (after_ms, expected) in [(10_000, 0), (11_000, 1), (15_000, 4), (20_000, 5), (40_000, 10)] {
        assert_eq!(passed(&sliding, &window, &at(after_ms)), expected, "{after_ms}");
    }
}

#[test]
fn what_is_left_when_it_is_whole_and_when_to_try_again_are_told() {
    let (sliding, window) = (Sliding::default(), window(OverLimit::default()));
    let two = Ask {
        units: 2,
        ..at(4_000)
    };
    assert_eq!(
        say(&sliding, &window, &two),
        Decision::Pass {
            remaining: 8,
            reset_seconds: 16,
            over_ns: None
        }
    );
    assert_eq!(passed(&sliding, &window, &at(4_000)), 8);
    // Within the window nothing fades; one of ten has faded a second into the next one.
    assert_eq!(
        say(&sliding, &window, &at(4_000)),
        Decision::Refuse { retry_seconds: 7 }
    );
    assert_eq!(passed(&sliding, &window, &at(10_999)), 0);
    assert_eq!(passed(&sliding, &window, &at(11_000)), 1);
    let huge = Ask {
        units: 99,
        ..at(60_000)
    };
    assert!(
        matches!(say(&sliding, &window, &huge), Decision::Pass { remaining: 0, .. }),
        "an empty window takes any call"
    );
}

#[test]
fn never_more_than_twice_the_limit_in_any_window() {
    // The worst case of the documentation: all at the end of one window, then whatever passes.
    let (sliding, window) = (Sliding::default(), window(OverLimit::default()));
    let mut times: Vec<i64> = Vec::new();
    for after_ms in (9_990..60_000).step_by(10) {
        for _ in 0..passed(&sliding, &window, &at(after_ms)) {
            times.push(after_ms);
        }
    }
    let most = times
        .iter()
        .map(|first| {
            times
                .iter()
                .filter(|time| (*first..first + 10_000).contains(time))
                .count()
        })
        .max();
    assert!(most > Some(10) && most <= Some(20), "{most:?}");
    let minute = times.iter().filter(|time| **time >= 20_000).count();
    assert!(
        (36..=40).contains(&minute),
        "the rate holds in the long run: {minute}"
    );
}

#[test]
fn a_clock_that_is_set_back_empties_nothing() {
    let (sliding, window) = (Sliding::default(), window(OverLimit::default()));
    assert_eq!(passed(&sliding, &window, &at(25_000)), 10);
    assert_eq!(passed(&sliding, &window, &at(3_000)), 0);
}

#[test]
fn soft_modes_warn_wait_and_pass() {
    let soft = |mode, from_percent| {
        window(OverLimit {
            mode,
            from_percent,
            delay_ms_max: 7_500,
        })
    };
    let sliding = Sliding::default();
    let warned = soft(Mode::Warn, 80);
    let mut said = Vec::new();
    for _ in 0..11 {
        said.push(match say(&sliding, &warned, &at(0)) {
            Decision::Pass { over_ns: None, .. } => 'p',
            Decision::Pass { .. } => 'o',
            _ => 'r',
        });
    }
    assert_eq!(said.into_iter().collect::<String>(), "ppppppppoor");
    let sliding = Sliding::default();
    assert_eq!(passed(&sliding, &soft(Mode::Degrade, 100), &at(0)), 100);
    let (sliding, slow) = (Sliding::default(), soft(Mode::SlowDown, 100));
    (0..10).for_each(|_| assert!(matches!(say(&sliding, &slow, &at(4_000)), Decision::Pass { .. })));
    let Decision::Pass {
        over_ns: Some(nanos), ..
    } = say(&sliding, &slow, &at(4_000))
    else {
        panic!("it may wait for seven seconds")
    };
    assert_eq!(nanos / 1_000_000, 7_000);
    assert!(matches!(
        say(&sliding, &slow, &at(4_000)),
        Decision::Refuse { .. }
    ));
}

#[test]
fn others_count_in_their_windows() {
    let (sliding, window) = (Sliding::default(), window(OverLimit::default()));
    let together = |after_ms| Ask {
        standing: Standing::Together,
        ..at(after_ms)
    };
    assert!(matches!(
        say(&sliding, &window, &together(0)),
        Decision::Pass { .. }
    ));
    let [_, now] = sliding.untold().unwrap();
    assert_eq!(now.1, 1);
    sliding.hear(now, 6);
    assert_eq!(sliding.untold(), None);
    assert_eq!(passed(&sliding, &window, &together(1_000)), 4);
    // In the next window all ten count by half after half of it.
    assert_eq!(passed(&sliding, &window, &together(15_000)), 5);
    let [before, next] = sliding.untold().unwrap();
    assert_eq!((before.1, next.1, next.0), (5, 5, before.0 + 1));
    sliding.hear(before, 25);
    sliding.hear(next, 5);
    let refused = say(&sliding, &window, &together(15_000));
    assert!(matches!(refused, Decision::Refuse { .. }), "{refused:?}");
    assert_eq!(
        passed(&sliding, &window, &together(19_000)),
        2,
        "25 before count for 3"
    );
    let away = Ask {
        standing: Standing::Away { nodes: 5 },
        ..together(60_000)
    };
    assert_eq!(passed(&sliding, &window, &away), 2, "a fifth of ten");
}

#[test]
fn many_threads_share_one_window() {
    let (sliding, window) = (Sliding::default(), Window::new(RateLimit::new(1000, 10, None)));
    let count = || {
        (0..1000)
            .filter(|_| matches!(say(&sliding, &window, &at(0)), Decision::Pass { .. }))
            .count()
    };
    let passed: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(count)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(passed, 1000);
}
