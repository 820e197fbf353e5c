//! What a target has to do, and how long it takes.
//!
//! Peak EWMA: a slower answer counts at once, faster ones are believed little by little, and what was known is
//! forgotten with time, so that a target that was slow is tried again. Source: Finagle's `Ewma` load metric.

use std::cell::Cell;
use std::time::Duration;

/// After this time, a measured latency counts half.
const HALF_LIFE_MS: f64 = 10_000.0;
/// Differences below a millisecond are no reason to leave the weights.
const LATENCY_MIN_US: f64 = 1_000.0;
/// What a failed call counts as: a target that refuses quickly is not a fast one.
const FAILURE_US: f64 = 1_000_000.0;

/// The load of one target as one core knows it.
#[derive(Debug, Default)]
pub(crate) struct Load {
    in_flight: Cell<u32>,
    latency_us: Cell<f64>,
    measured_ms: Cell<u64>,
    /// Since when calls have been given up without an answer to any other; only where they are hedged.
    silent_since_ms: Cell<Option<u64>>,
}

impl Load {
    /// Calls under way, those that wait for a connection included.
    pub(crate) fn in_flight(&self) -> u32 {
        self.in_flight.get()
    }

    pub(crate) fn begun(&self) {
        self.in_flight.set(self.in_flight.get() + 1);
    }

    pub(crate) fn ended(&self) {
        self.in_flight.set(self.in_flight.get() - 1);
    }

    /// Counts a call as under way while the guard exists.
    pub(crate) fn busy(&self) -> Busy<'_> {
        self.begun();
        Busy(self)
    }

    pub(crate) fn answered(&self, latency_us: u64, now_ms: u64) {
        #[expect(clippy::cast_precision_loss, reason = "half a century of microseconds fits")]
        let sample = latency_us as f64;
        let known = self.latency_us.get();
        let next = if sample >= known {
            sample
        } else {
            let kept = self.kept(now_ms);
            known * kept + sample * (1.0 - kept)
        };
        self.latency_us.set(next);
        self.measured_ms.set(now_ms);
    }

    pub(crate) fn failed(&self, now_ms: u64) {
        self.latency_us.set(self.latency_us.get().max(FAILURE_US));
        self.measured_ms.set(now_ms);
    }

    /// Notes that an answer would have taken longer than this.
    pub(crate) fn outlasted(&self, waited_us: u64, now_ms: u64) {
        #[expect(clippy::cast_precision_loss, reason = "as above")]
        let waited = waited_us as f64;
        if waited > self.latency_us.get() * self.kept(now_ms) {
            self.latency_us.set(waited);
            self.measured_ms.set(now_ms);
        }
    }

    /// Notes that an answer has come.
    pub(crate) fn heard(&self) {
        self.silent_since_ms.set(None);
    }

    /// Notes that a call was given up that has waited for so long; for how long there has been no answer at all.
    pub(crate) fn silent(&self, waited: Duration, now_ms: u64) -> Duration {
        let waited_ms = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX);
        let began_ms = now_ms.saturating_sub(waited_ms);
        let since_ms = self.silent_since_ms.get().unwrap_or(began_ms).min(began_ms);
        self.silent_since_ms.set(Some(since_ms));
        Duration::from_millis(now_ms.saturating_sub(since_ms))
    }

    /// What one more call costs here; comparable between targets. `share` is the target's weight in relation to
    /// the mean.
    pub(crate) fn cost(&self, share: f64, now_ms: u64) -> f64 {
        let latency = (self.latency_us.get() * self.kept(now_ms)).max(LATENCY_MIN_US);
        latency * (f64::from(self.in_flight.get()) / share + 1.0)
    }

    /// How much of what was measured still counts: 1 at once, a half after the half-life.
    fn kept(&self, now_ms: u64) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "as above")]
        let passed = now_ms.saturating_sub(self.measured_ms.get()) as f64;
        HALF_LIFE_MS / (HALF_LIFE_MS + passed)
    }
}

/// A call under way.
pub(crate) struct Busy<'a>(&'a Load);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.ended();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Load;

    #[test]
    fn a_slow_answer_counts_at_once_and_is_forgotten_with_time() {
        let load = Load::default();
        assert!(
            (load.cost(1.0, 0) - 1_000.0).abs() < 1e-6,
            "less than a millisecond is nothing"
        );
        load.answered(80_000, 0);
        assert!((load.cost(1.0, 0) - 80_000.0).abs() < 1e-6);
        load.answered(10_000, 0);
        assert!((load.cost(1.0, 0) - 80_000.0).abs() < 1e-6, "at the same moment");
        load.answered(10_000, 10_000);
        assert!((load.cost(1.0, 10_000) - 45_000.0).abs() < 1e-6, "half of each");
        assert!(load.cost(1.0, 1_000_000) < 1_001.0, "and then it is tried again");
    }

    #[test]
    fn what_was_waited_for_in_vain_counts_as_slow_and_as_silence() {
        let load = Load::default();
        load.outlasted(50_000, 1_000);
        assert!((load.cost(1.0, 1_000) - 50_000.0).abs() < 1e-6);
        load.outlasted(20_000, 1_000);
        assert!((load.cost(1.0, 1_000) - 50_000.0).abs() < 1e-6, "it is slower");
        let silent = |now_ms| load.silent(Duration::from_millis(50), now_ms).as_millis();
        assert_eq!((silent(1_000), silent(1_020), silent(1_500)), (50, 70, 550));
        load.heard();
        assert_eq!(silent(2_000), 50);
    }

    #[test]
    fn calls_under_way_and_failures_cost() {
        let load = Load::default();
        load.begun();
        load.begun();
        assert!((load.cost(1.0, 0) - 3_000.0).abs() < 1e-6);
        assert!(
            (load.cost(2.0, 0) - 2_000.0).abs() < 1e-6,
            "twice the weight, half the load"
        );
        load.ended();
        load.failed(0);
        assert!((load.cost(1.0, 0) - 2_000_000.0).abs() < 1e-6);
        assert_eq!(load.in_flight(), 1);
    }
}
