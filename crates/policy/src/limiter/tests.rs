use domain::limit::{Mode, OverLimit, RateAlgorithm, RateLimit, WhenStoreIsAway};
use proptest::prelude::{any, prop, prop_assert_eq, proptest};

use super::Limiter;
use crate::ask::{Ask, Decision, SECOND_NS, Standing};
use crate::shared::{Ledger as _, Said};
use crate::testing::ask;

const BOTH: [RateAlgorithm; 2] = [RateAlgorithm::Gcra, RateAlgorithm::SlidingWindow];
/// A caller's hash.
const ANN: u64 = 1;

fn limiter(algorithm: RateAlgorithm, requests: u32) -> Limiter {
    let limit = RateLimit {
        algorithm,
        ..RateLimit::new(requests, 60, None)
    };
    Limiter::new(limit, WhenStoreIsAway::default(), true, None)
}

/// What is held for those of many calls at once that pass.
fn hold_many(limiter: &Limiter, ask: &Ask) -> Vec<u64> {
    let answers = (0..60).map(|_| limiter.hold(ANN, ask));
    let passed = answers.filter(|(decision, _)| matches!(decision, Decision::Pass { .. }));
    passed.map(|(_, held)| held).collect()
}

#[test]
fn of_calls_at_once_no_more_pass_than_may_count() {
    for algorithm in BOTH {
        let (limiter, ask) = (limiter(algorithm, 5), ask(SECOND_NS));
        let first = hold_many(&limiter, &ask);
        assert_eq!(first.len(), 5, "{algorithm:?}");
        assert!(limiter.hold(3, &ask).1 > 0, "others have limits of their own");
        // Three do not count, one does, one is still under way.
        for (index, held) in first[..4].iter().enumerate() {
            limiter.settle(ANN, *held, &ask, index == 3);
        }
        let second = hold_many(&limiter, &ask);
        assert_eq!(second.len(), 3, "{algorithm:?}");
        for held in second.iter().chain(&first[4..]) {
            limiter.settle(ANN, *held, &ask, false);
        }
        assert_eq!(hold_many(&limiter, &ask).len(), 4, "{algorithm:?}");
    }
}

#[test]
fn what_is_held_does_not_fade() {
    for algorithm in BOTH {
        let limiter = limiter(algorithm, 2);
        let later = |minutes: u64| {
            let mut ask = ask(minutes * 60 * SECOND_NS);
            let micros = ask.moment.calendar.as_micros() + minutes as i64 * 60_000_000;
            ask.moment.calendar = domain::Timestamp::from_micros(micros);
            ask
        };
        let held = hold_many(&limiter, &later(1));
        assert_eq!(held.len(), 2);
        assert!(hold_many(&limiter, &later(10)).is_empty(), "{algorithm:?}");
        // What was asked long ago counts as it was asked, and has faded.
        for held in held {
            limiter.settle(ANN, held, &later(1), true);
        }
        assert_eq!(hold_many(&limiter, &later(13)).len(), 2, "{algorithm:?}");
    }
}

#[test]
fn others_are_told_only_of_what_counts() {
    for algorithm in BOTH {
        let limiter = limiter(algorithm, 5);
        let ask = Ask {
            standing: Standing::Together,
            ..ask(SECOND_NS)
        };
        let told = || {
            let mut told = Vec::new();
            limiter.untold(ask.moment, &mut |_, said| {
                told.push(match said {
                    Said::Spent { untold_ns, .. } => untold_ns,
                    Said::Counted { own, .. } => own,
                });
            });
            told
        };
        let [(_, first), (_, second)] = [(); 2].map(|()| limiter.hold(ANN, &ask));
        assert!(told().is_empty(), "{algorithm:?}");
        limiter.settle(ANN, first, &ask, false);
        assert!(told().is_empty(), "{algorithm:?}");
        limiter.settle(ANN, second, &ask, true);
        assert_eq!(told(), [second], "{algorithm:?}");
    }
}

#[test]
fn a_call_that_passes_beyond_the_limit_holds_nothing() {
    for algorithm in BOTH {
        let limit = RateLimit {
            algorithm,
            ..RateLimit::new(1, 60, None)
        };
        let warned = RateLimit {
            over_limit: OverLimit {
                mode: Mode::Warn,
                ..OverLimit::default()
            },
            ..limit
        };
        let away = Standing::Away { nodes: 1 };
        for (limit, standing) in [(warned, Standing::Alone), (limit, away)] {
            let limiter = Limiter::new(limit, WhenStoreIsAway::Open, true, None);
            let ask = Ask {
                standing,
                ..ask(SECOND_NS)
            };
            let held = hold_many(&limiter, &ask);
            assert_eq!(held.len(), 60, "{algorithm:?} {standing:?}");
            assert_eq!(held.iter().filter(|held| **held > 0).count(), 1);
        }
    }
}

proptest! {
    /// However calls come and end, those that count and those of which nobody knows yet are no more than the limit.
    #[test]
    fn what_counts_and_what_is_held_fill_the_limit(
        is_sliding in any::<bool>(),
        requests in 1..8_u32,
        steps in prop::collection::vec(prop::option::of((any::<prop::sample::Index>(), any::<bool>())), 0..60),
    ) {
        let (limiter, ask) = (limiter(BOTH[usize::from(is_sliding)], requests), ask(SECOND_NS));
        let (mut open, mut counted) = (Vec::new(), 0);
        for step in steps {
            match step {
                None => {
                    let (decision, held) = limiter.hold(ANN, &ask);
                    let has_room = open.len() + counted < requests as usize;
                    prop_assert_eq!(matches!(decision, Decision::Pass { .. }), has_room);
                    prop_assert_eq!(held > 0, has_room);
                    open.extend((held > 0).then_some(held));
                }
                Some((index, does_count)) if !open.is_empty() => {
                    let held = open.swap_remove(index.index(open.len()));
                    limiter.settle(ANN, held, &ask, does_count);
                    counted += usize::from(does_count);
                }
                Some(_) => {}
            }
        }
    }
}
