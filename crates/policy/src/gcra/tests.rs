use domain::offer::RateLimit;

use super::{Decision, Gcra, Rate, SECOND_NS};

fn rate(requests: u32, window_seconds: u32, burst: Option<u32>) -> Rate {
    Rate::new(RateLimit {
        requests,
        window_seconds,
        burst,
    })
}

fn passes(gcra: &Gcra, rate: &Rate, now_ns: u64) -> bool {
    matches!(gcra.admit(rate, now_ns), Decision::Pass { .. })
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
fn remaining_reset_and_retry_are_told() {
    let (gcra, rate) = (Gcra::default(), rate(2, 10, None));
    assert_eq!(
        gcra.admit(&rate, 0),
        Decision::Pass {
            remaining: 1,
            reset_seconds: 5
        }
    );
    assert_eq!(
        gcra.admit(&rate, 0),
        Decision::Pass {
            remaining: 0,
            reset_seconds: 10
        }
    );
    assert_eq!(gcra.admit(&rate, 0), Decision::Refuse { retry_seconds: 5 });
    assert_eq!(
        gcra.admit(&rate, 4_500_000_000),
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
