//! Finds how many calls a service can have at a time, from how long it takes.
//!
//! While answers come as fast as at best, the limit rises; when they get slower, it falls in proportion. Per upstream
//! and core. Source: Netflix's concurrency-limits, `Gradient2Limit`, with the lowest latency of the last minute in
//! the place of a long average.

use std::cell::Cell;

/// Answers until the limit is looked at again.
const SAMPLES: u32 = 20;
/// How much slower than at best is no sign of trouble.
const TOLERANCE: f64 = 1.5;
/// How much of a new limit is believed at once.
const SMOOTHING: f64 = 0.2;
/// After this time what is best is found anew: services change.
const BEST_FOR_MS: u64 = 60_000;
/// Latencies below a millisecond differ by chance.
const LATENCY_MIN_US: f64 = 1_000.0;

/// A number of calls that adapts.
#[derive(Debug)]
pub(crate) struct Limit {
    min: f64,
    max: f64,
    limit: Cell<f64>,
    in_flight: Cell<u32>,
    most_in_flight: Cell<u32>,
    sum_us: Cell<f64>,
    samples: Cell<u32>,
    best_us: Cell<f64>,
    best_since_ms: Cell<u64>,
}

impl Limit {
    pub(crate) fn new(min: u32, max: u32) -> Self {
        let (min, max) = (f64::from(min), f64::from(max.max(min)));
        Self {
            min,
            max,
            limit: Cell::new((min * 2.0).min(max)),
            in_flight: Cell::new(0),
            most_in_flight: Cell::new(0),
            sum_us: Cell::new(0.0),
            samples: Cell::new(0),
            best_us: Cell::new(f64::INFINITY),
            best_since_ms: Cell::new(0),
        }
    }

    /// Calls that may be under way.
    #[cfg(test)]
    fn get(&self) -> f64 {
        self.limit.get()
    }

    /// Begins a call, unless there are as many as may be; `share` of the limit, in percent, is for calls like it.
    pub(crate) fn begin(&self, share: u32) -> bool {
        let next = self.in_flight.get() + 1;
        if f64::from(next) > (self.limit.get() * f64::from(share) / 100.0).max(1.0).floor() {
            return false;
        }
        self.in_flight.set(next);
        self.most_in_flight.set(self.most_in_flight.get().max(next));
        true
    }

    pub(crate) fn end(&self) {
        self.in_flight.set(self.in_flight.get() - 1);
    }

    /// Notes how long an answer took; one that did not come in time took as long as was waited.
    pub(crate) fn note(&self, latency_us: u64, now_ms: u64) {
        #[expect(clippy::cast_precision_loss, reason = "half a century of microseconds fits")]
        self.sum_us.set(self.sum_us.get() + latency_us as f64);
        self.samples.set(self.samples.get() + 1);
        if self.samples.get() < SAMPLES {
            return;
        }
        let mean = (self.sum_us.replace(0.0) / f64::from(self.samples.replace(0))).max(LATENCY_MIN_US);
        if now_ms.saturating_sub(self.best_since_ms.get()) > BEST_FOR_MS {
            self.best_us.set(f64::INFINITY);
        }
        if mean < self.best_us.get() {
            self.best_us.set(mean);
            self.best_since_ms.set(now_ms);
        }
        let most = f64::from(self.most_in_flight.replace(self.in_flight.get()));
        let limit = self.limit.get();
        let gradient = (self.best_us.get() * TOLERANCE / mean).clamp(0.5, 1.0);
        if gradient >= 1.0 && most < limit / 2.0 {
            // Nobody knows whether more would be well.
            return;
        }
        let next = limit * gradient + limit.sqrt();
        let next = limit * (1.0 - SMOOTHING) + next * SMOOTHING;
        self.limit.set(next.clamp(self.min, self.max));
    }
}

#[cfg(test)]
mod tests {
    use super::Limit;

    /// Runs rounds of as many calls as the limit lets through, which take `latency_us`.
    fn run(limit: &Limit, rounds: u64, latency_us: impl Fn(f64) -> u64) {
        for round in 0..rounds {
            let mut begun = 0;
            while limit.begin(100) {
                begun += 1;
            }
            let latency = latency_us(f64::from(begun));
            for _ in 0..begun {
                limit.end();
                limit.note(latency, round * 100);
            }
        }
    }

    #[test]
    fn it_rises_while_answers_stay_fast() {
        let limit = Limit::new(10, 500);
        run(&limit, 200, |_| 10_000);
        assert!((limit.get() - 500.0).abs() < 1.0, "{}", limit.get());
    }

    #[test]
    fn it_stays_near_what_a_service_can_do() {
        // Ten at a time take 10 ms, more wait for each other.
        let limit = Limit::new(2, 1_000);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small")]
        run(&limit, 500, |calls| (10_000.0 * (calls / 10.0).max(1.0)) as u64);
        assert!((10.0..40.0).contains(&limit.get()), "{}", limit.get());
    }

    #[test]
    fn it_does_not_rise_without_need_and_keeps_to_its_bounds() {
        let limit = Limit::new(10, 500);
        for now_ms in 0..1_000 {
            assert!(limit.begin(100));
            limit.end();
            limit.note(10_000, now_ms);
        }
        assert!((limit.get() - 20.0).abs() < 1e-6);
        for now_ms in 0..2_000 {
            limit.note(10_000_000, now_ms);
        }
        assert!(limit.get() >= 10.0 && limit.get() < 20.0, "{}", limit.get());
    }

    #[test]
    fn calls_that_matter_less_get_a_smaller_share() {
        let limit = Limit::new(10, 10);
        assert_eq!((0..20).take_while(|_| limit.begin(75)).count(), 7);
        assert_eq!((0..20).take_while(|_| limit.begin(100)).count(), 3);
    }
}
