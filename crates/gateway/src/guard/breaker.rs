//! Refuses calls while most of them fail: closed, open, half-open.
//!
//! Shared by all cores of a node; one atomic number is the state. The time is passed in, in milliseconds of
//! [`steady_ms`](crate::deadline::steady_ms). Source: Nygard, "Release It!", 2007.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use domain::traffic::CircuitBreaker;

use crate::window::Window;

/// The most probes, and bits of a count of them.
const PROBE_BITS: u32 = 8;
const PROBE_MASK: u64 = (1 << PROBE_BITS) - 1;

/// The circuit of one upstream.
#[derive(Debug)]
pub(crate) struct Breaker {
    rules: CircuitBreaker,
    state: AtomicU64,
    consecutive: AtomicU32,
    window: Window,
    pub(crate) opened: AtomicU64,
}

/// What the circuit does at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Closed,
    Open { until_ms: u64 },
    HalfOpen { begun: u64, succeeded: u64 },
}

impl State {
    const fn pack(self) -> u64 {
        match self {
            Self::Closed => 0,
            Self::Open { until_ms } => 1 | (until_ms << 2),
            Self::HalfOpen { begun, succeeded } => 2 | (begun << 2) | (succeeded << (2 + PROBE_BITS)),
        }
    }

    const fn unpack(packed: u64) -> Self {
        match packed & 3 {
            0 => Self::Closed,
            1 => Self::Open {
                until_ms: packed >> 2,
            },
            _ => Self::HalfOpen {
                begun: (packed >> 2) & PROBE_MASK,
                succeeded: (packed >> (2 + PROBE_BITS)) & PROBE_MASK,
            },
        }
    }
}

/// A call that the circuit let through; one that ends without having [finished](Self::finish) says nothing.
#[derive(Debug)]
pub(crate) struct Passed<'a> {
    breaker: &'a Breaker,
    is_probe: bool,
    is_finished: bool,
}

impl Breaker {
    pub(crate) fn new(rules: CircuitBreaker) -> Self {
        Self {
            rules,
            state: AtomicU64::new(State::Closed.pack()),
            consecutive: AtomicU32::new(0),
            window: Window::default(),
            opened: AtomicU64::new(0),
        }
    }

    pub(crate) fn state(&self) -> State {
        State::unpack(self.state.load(Relaxed))
    }

    /// Lets a call through, or says when to come again.
    pub(crate) fn pass(&self, now_ms: u64) -> Result<Passed<'_>, Duration> {
        loop {
            let state = self.state();
            let next = match state {
                State::Closed => return Ok(self.passed(false)),
                State::Open { until_ms } if now_ms < until_ms => {
                    return Err(Duration::from_millis(until_ms - now_ms));
                }
                State::Open { .. } => State::HalfOpen {
                    begun: 1,
                    succeeded: 0,
                },
                State::HalfOpen { begun, succeeded } if begun < u64::from(self.rules.probes) => {
                    State::HalfOpen {
                        begun: begun + 1,
                        succeeded,
                    }
                }
                State::HalfOpen { .. } => return Err(Duration::from_secs(1)),
            };
            if self.change(state, next) {
                return Ok(self.passed(true));
            }
        }
    }

    const fn passed(&self, is_probe: bool) -> Passed<'_> {
        Passed {
            breaker: self,
            is_probe,
            is_finished: false,
        }
    }

    fn change(&self, from: State, to: State) -> bool {
        self.state
            .compare_exchange(from.pack(), to.pack(), Relaxed, Relaxed)
            .is_ok()
    }

    fn open(&self, from: State, now_ms: u64) {
        let until_ms = now_ms + u64::from(self.rules.open_ms);
        if self.change(from, State::Open { until_ms }) {
            self.opened.fetch_add(1, Relaxed);
            self.consecutive.store(0, Relaxed);
            self.window.clear();
        }
    }

    fn note(&self, is_failure: bool, now_ms: u64) {
        self.window.note(now_ms, self.rules.window_ms, is_failure);
        if !is_failure {
            if self.consecutive.load(Relaxed) != 0 {
                self.consecutive.store(0, Relaxed);
            }
            return;
        }
        let consecutive = self.consecutive.fetch_add(1, Relaxed).saturating_add(1);
        let rules = &self.rules;
        let is_over = (rules.consecutive_failures > 0 && consecutive >= rules.consecutive_failures)
            || self
                .window
                .counts(now_ms, rules.window_ms)
                .is_over(rules.calls_min, rules.failure_percent);
        if is_over {
            self.open(State::Closed, now_ms);
        }
    }

    fn note_probe(&self, is_failure: bool, now_ms: u64) {
        loop {
            let state = self.state();
            let State::HalfOpen { begun, succeeded } = state else {
                return;
            };
            if is_failure {
                return self.open(state, now_ms);
            }
            let next = if succeeded + 1 >= u64::from(self.rules.probes) {
                State::Closed
            } else {
                State::HalfOpen {
                    begun,
                    succeeded: succeeded + 1,
                }
            };
            if self.change(state, next) {
                return;
            }
        }
    }
}

impl Passed<'_> {
    /// Says how the call went.
    pub(crate) fn finish(mut self, is_failure: bool, now_ms: u64) {
        self.is_finished = true;
        if self.is_probe {
            self.breaker.note_probe(is_failure, now_ms);
        } else {
            self.breaker.note(is_failure, now_ms);
        }
    }
}

impl Drop for Passed<'_> {
    fn drop(&mut self) {
        if self.is_finished || !self.is_probe {
            return;
        }
        // Another call may try instead.
        let _ = self
            .breaker
            .state
            .fetch_update(Relaxed, Relaxed, |packed| match State::unpack(packed) {
                State::HalfOpen { begun, succeeded } if begun > succeeded => Some(
                    State::HalfOpen {
                        begun: begun - 1,
                        succeeded,
                    }
                    .pack(),
                ),
                _ => None,
            });
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use domain::traffic::CircuitBreaker;

    use super::{Breaker, State};

    fn breaker() -> Breaker {
        Breaker::new(CircuitBreaker {
            calls_min: 4,
            open_ms: 1_000,
            probes: 2,
            ..CircuitBreaker::default()
        })
    }

    fn call(breaker: &Breaker, is_failure: bool, now_ms: u64) {
        breaker.pass(now_ms).unwrap().finish(is_failure, now_ms);
    }

    fn opened() -> Breaker {
        let breaker = breaker();
        for is_failure in [false, true, false, true] {
            assert_eq!(breaker.state(), State::Closed);
            call(&breaker, is_failure, 1);
        }
        assert_eq!(breaker.state(), State::Open { until_ms: 1_001 });
        breaker
    }

    #[test]
    fn it_opens_when_half_of_the_calls_fail_and_closes_after_two_good_probes() {
        let breaker = opened();
        assert_eq!(breaker.pass(501).unwrap_err(), Duration::from_millis(500));
        let (one, two) = (breaker.pass(1_001).unwrap(), breaker.pass(1_001).unwrap());
        assert!(breaker.pass(1_001).is_err(), "two probes at a time");
        one.finish(false, 1_002);
        assert!(breaker.pass(1_002).is_err());
        two.finish(false, 1_003);
        assert_eq!(breaker.state(), State::Closed);
        call(&breaker, true, 1_004);
        assert_eq!(breaker.state(), State::Closed, "what was before is forgotten");
    }

    #[test]
    fn a_failed_probe_opens_it_again_and_one_that_is_given_up_makes_room() {
        let breaker = opened();
        drop(breaker.pass(2_000).unwrap());
        let (one, two) = (breaker.pass(2_000).unwrap(), breaker.pass(2_000).unwrap());
        one.finish(true, 2_000);
        assert_eq!(breaker.state(), State::Open { until_ms: 3_000 });
        two.finish(false, 2_001);
        assert_eq!(
            breaker.state(),
            State::Open { until_ms: 3_000 },
            "a late success changes nothing"
        );
    }

    #[test]
    fn failures_in_a_row_open_it_too() {
        let breaker = Breaker::new(CircuitBreaker {
            failure_percent: 0,
            consecutive_failures: 3,
            ..CircuitBreaker::default()
        });
        for is_failure in [true, true, false, true, true] {
            call(&breaker, is_failure, 1);
        }
        assert_eq!(breaker.state(), State::Closed);
        call(&breaker, true, 1);
        assert!(matches!(breaker.state(), State::Open { .. }));
    }
}
