//! Finds how many calls a service can have at a time, from how long it takes.
//!
//! While answers come as fast as at best, the limit rises; when they get slower, it falls in proportion. Per upstream
//! and core. Source: Netflix's concurrency-limits, `Gradient2Limit`, with the lowest latency in the place of a long
//! average.
//!
//! Services change, so that what was best may be out of reach for good. Where answers have been slow for long, the limit
//! is lowered for a moment, and calls that begin then tell what is best now: one that is measured while calls wait for
//! each other would be worse each time, and the limit would follow it for ever. Source: Envoy's gradient controller. All
//! cores and nodes do it at the same time, with the calendar's minute, or the one would measure the others' queue.

use std::cell::Cell;
use std::time::Duration;

/// Answers until the limit is looked at again.
const SAMPLES: u32 = 20;
/// How much slower than at best is no sign of trouble.
const TOLERANCE: f64 = 1.5;
/// How much of a new limit is believed at once.
const SMOOTHING: f64 = 0.2;
/// How often what is best may be found anew: it costs calls.
const PROBE_EVERY_MS: u64 = 60_000;
/// Rounds that have to be slow for that, less those that were not: a single one is chance. Twice as many are remembered.
const SLOW_ROUNDS: u32 = 10;
/// The part of the limit that is left meanwhile. With the limit at rest, a queue is shorter than three times what a
/// service can do.
const PROBE_PART: f64 = 0.25;
/// How long that takes besides, in answers as slow as they are: the first for what waits to be done, the others to
/// measure.
const PROBE_ANSWERS: f64 = 4.0;
/// Answers without which it changes nothing.
const PROBE_SAMPLES_MIN: u32 = 5;
/// How far clocks may be apart: each is up to a tick late.
const CLOCK_MS: u64 = 100;
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
    /// Of the last round.
    mean_us: Cell<f64>,
    slow_rounds: Cell<u32>,
    /// How far the calendar is ahead of the clock that is passed in.
    ahead_ms: u64,
    /// The last period of [`PROBE_EVERY_MS`] that was seen.
    period: Cell<u64>,
    probe: Cell<Option<Probe>>,
}

/// A time with fewer calls, to find out what is best now.
#[derive(Debug, Clone, Copy)]
struct Probe {
    /// Calls from here on meet no queue.
    from_ms: u64,
    until_ms: u64,
}

impl Limit {
    pub(crate) fn new(min: u32, max: u32, ahead_ms: u64) -> Self {
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
            mean_us: Cell::new(0.0),
            slow_rounds: Cell::new(0),
            ahead_ms,
            period: Cell::new(0),
            probe: Cell::new(None),
        }
    }

    /// Calls that may be under way.
    #[cfg(test)]
    fn get(&self) -> f64 {
        self.limit.get()
    }

    /// Begins a call, unless there are as many as may be; `share` of the limit, in percent, is for calls like it.
    pub(crate) fn begin(&self, share: u32, now_ms: u64) -> bool {
        let next = self.in_flight.get() + 1;
        let limit = self.now(now_ms) * f64::from(share) / 100.0;
        if f64::from(next) > limit.max(1.0).floor() {
            return false;
        }
        self.in_flight.set(next);
        self.most_in_flight.set(self.most_in_flight.get().max(next));
        true
    }

    pub(crate) fn end(&self) {
        self.in_flight.set(self.in_flight.get() - 1);
    }

    /// Notes how long an answer took.
    pub(crate) fn answered(&self, latency_us: u64, now_ms: u64) {
        match self.probe.get() {
            Some(probe) => self.probed(probe, latency_us, now_ms),
            None => self.note(latency_us, now_ms),
        }
    }

    /// Notes how long it took to fail, or was waited for an answer that did not come.
    ///
    /// That is a sign of trouble where it took long. A service that fails at once is not a fast one.
    pub(crate) fn failed(&self, latency_us: u64, now_ms: u64) {
        if self.probe.get().is_none() && micros(latency_us) > self.best_us.get() * TOLERANCE {
            self.note(latency_us, now_ms);
        }
    }

    /// The limit at a time.
    fn now(&self, now_ms: u64) -> f64 {
        match self.probe.get() {
            Some(probe) if now_ms < probe.until_ms => (self.limit.get() * PROBE_PART).max(self.min),
            _ => self.limit.get(),
        }
    }

    fn note(&self, latency_us: u64, now_ms: u64) {
        let period = (now_ms + self.ahead_ms) / PROBE_EVERY_MS;
        if self.period.replace(period) != period && self.slow_rounds.get() >= SLOW_ROUNDS {
            return self.begin_probe(now_ms);
        }
        self.add(latency_us);
        if self.samples.get() < SAMPLES {
            return;
        }
        let mean = self.take_mean();
        self.mean_us.set(mean);
        self.best_us.set(self.best_us.get().min(mean));
        let most = f64::from(self.most_in_flight.replace(self.in_flight.get()));
        let limit = self.limit.get();
        let gradient = (self.best_us.get() * TOLERANCE / mean).clamp(0.5, 1.0);
        let slow_rounds = self.slow_rounds.get();
        if gradient < 1.0 {
            self.slow_rounds.set((slow_rounds + 1).min(2 * SLOW_ROUNDS));
        } else {
            self.slow_rounds.set(slow_rounds.saturating_sub(1));
            if most < limit / 2.0 {
                // Nobody knows whether more would be well.
                return;
            }
        }
        let next = limit * gradient + limit.sqrt();
        let next = limit * (1.0 - SMOOTHING) + next * SMOOTHING;
        self.limit.set(next.clamp(self.min, self.max));
    }

    fn begin_probe(&self, now_ms: u64) {
        let millis = |answers: f64| Duration::from_secs_f64(answers * self.mean_us.get() / 1e6).as_millis();
        let millis = |answers| u64::try_from(millis(answers)).unwrap_or(u64::MAX);
        self.take_mean();
        self.probe.set(Some(Probe {
            from_ms: now_ms + CLOCK_MS + millis(1.0),
            until_ms: now_ms + 2 * CLOCK_MS + millis(PROBE_ANSWERS),
        }));
    }

    /// Takes an answer for what is best now if its call began with few others.
    fn probed(&self, probe: Probe, latency_us: u64, now_ms: u64) {
        let began_ms = now_ms.saturating_sub(latency_us / 1_000);
        if (probe.from_ms..probe.until_ms).contains(&began_ms) {
            self.add(latency_us);
        }
        if now_ms < probe.until_ms {
            return;
        }
        let is_enough = self.samples.get() >= PROBE_SAMPLES_MIN;
        let mean = self.take_mean();
        if is_enough {
            self.best_us.set(mean);
        }
        self.slow_rounds.set(0);
        self.most_in_flight.set(self.in_flight.get());
        self.probe.set(None);
    }

    fn add(&self, latency_us: u64) {
        self.sum_us.set(self.sum_us.get() + micros(latency_us));
        self.samples.set(self.samples.get() + 1);
    }

    fn take_mean(&self) -> f64 {
        let samples = f64::from(self.samples.replace(0).max(1));
        (self.sum_us.replace(0.0) / samples).max(LATENCY_MIN_US)
    }
}

fn micros(latency_us: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "half a century of microseconds fits")]
    let micros = latency_us as f64;
    micros
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::Limit;

    /// Runs rounds of as many calls as the limit lets through, which take `latency_us`.
    fn run(limit: &Limit, rounds: u64, latency_us: impl Fn(f64) -> u64) {
        for round in 0..rounds {
            let mut begun = 0;
            while limit.begin(100, round * 100) {
                begun += 1;
            }
            let latency = latency_us(f64::from(begun));
            for _ in 0..begun {
                limit.end();
                limit.answered(latency, round * 100);
            }
        }
    }

    #[test]
    fn it_rises_while_answers_stay_fast() {
        let limit = Limit::new(10, 500, 0);
        run(&limit, 200, |_| 10_000);
        assert!((limit.get() - 500.0).abs() < 1.0, "{}", limit.get());
    }

    #[test]
    fn it_stays_near_what_a_service_can_do() {
        // Ten at a time take 10 ms, more wait for each other.
        let limit = Limit::new(2, 1_000, 0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small")]
        run(&limit, 500, |calls| (10_000.0 * (calls / 10.0).max(1.0)) as u64);
        assert!((10.0..40.0).contains(&limit.get()), "{}", limit.get());
    }

    #[test]
    fn it_does_not_rise_without_need_and_keeps_to_its_bounds() {
        let limit = Limit::new(10, 500, 0);
        for now_ms in 0..1_000 {
            assert!(limit.begin(100, now_ms));
            limit.end();
            limit.answered(10_000, now_ms);
        }
        assert!((limit.get() - 20.0).abs() < 1e-6);
        for now_ms in 0..2_000 {
            limit.answered(10_000_000, now_ms);
        }
        assert!(limit.get() >= 10.0 && limit.get() < 20.0, "{}", limit.get());
    }

    #[test]
    fn calls_that_matter_less_get_a_smaller_share() {
        let limit = Limit::new(10, 10, 0);
        assert_eq!((0..20).take_while(|_| limit.begin(75, 0)).count(), 7);
        assert_eq!((0..20).take_while(|_| limit.begin(100, 0)).count(), 3);
    }

    /// A service that works on some calls at a time, asked by several cores for more whenever their limit lets one
    /// through.
    struct Service {
        limits: Vec<Limit>,
        now_ms: u64,
        /// Which core's they are, when they began and when they end; in the order of their ends.
        calls: VecDeque<(usize, u64, u64)>,
        capacity: usize,
        work_ms: u64,
    }

    impl Service {
        fn new(cores: usize, capacity: usize, work_ms: u64) -> Self {
            Self {
                limits: (0..cores).map(|_| Limit::new(2, 1_000, 1_234_567)).collect(),
                now_ms: 1,
                calls: VecDeque::new(),
                capacity,
                work_ms,
            }
        }

        /// A core's clock is up to a tick late.
        fn clock(&self, core: usize) -> u64 {
            let late = (self.now_ms + 17 * core as u64) % 50;
            self.now_ms.saturating_sub(late)
        }

        /// Goes on for a minute; the sum of the limits at its end.
        fn minute(&mut self) -> f64 {
            for _ in 0..60_000 {
                self.now_ms += 1;
                while let Some(&(core, began, ends)) = self.calls.front()
                    && ends <= self.now_ms
                {
                    self.calls.pop_front();
                    let limit = &self.limits[core];
                    limit.end();
                    limit.answered((self.now_ms - began) * 1_000, self.clock(core));
                }
                let cores = 0..self.limits.len();
                while cores.clone().filter(|core| self.begin(*core)).count() > 0 {}
            }
            self.limits.iter().map(Limit::get).sum()
        }

        fn begin(&mut self, core: usize) -> bool {
            let begins = self.limits[core].begin(100, self.clock(core));
            if begins {
                let before = self.calls.len().checked_sub(self.capacity);
                let free = before.map_or(self.now_ms, |before| self.calls[before].2);
                self.calls.push_back((core, self.now_ms, free + self.work_ms));
            }
            begins
        }

        /// Answers nothing but failures for a while, and these at once.
        fn fail(&mut self, seconds: u64) {
            for _ in 0..seconds * 1_000 {
                self.now_ms += 1;
                for (core, limit) in self.limits.iter().enumerate() {
                    limit.failed(300, self.clock(core));
                }
            }
        }
    }

    #[test]
    fn lasting_overload_does_not_carry_it_away() {
        for (cores, capacity) in [(1, 10), (4, 40)] {
            let mut service = Service::new(cores, capacity, 10);
            #[expect(clippy::cast_precision_loss, reason = "small")]
            let capacity = capacity as f64;
            for minute in 1..=10 {
                let sum = service.minute();
                let expected = capacity..capacity * 3.0;
                assert!(expected.contains(&sum), "{cores}: {sum} after {minute} minutes");
            }
        }
    }

    #[test]
    fn what_is_best_is_found_anew_when_a_service_becomes_slower() {
        let mut service = Service::new(2, 100, 10);
        let expected = 100.0..250.0;
        let before = (0..5).map(|_| service.minute()).last();
        assert!(before.is_some_and(|sum| expected.contains(&sum)), "{before:?}");
        service.work_ms = 40;
        let after = (0..5).map(|_| service.minute()).last();
        assert!(after.is_some_and(|sum| expected.contains(&sum)), "{after:?}");
    }

    #[test]
    fn quick_failures_do_not_make_healthy_answers_slow_ones() {
        let mut service = Service::new(1, 100, 50);
        let before = service.minute();
        for _ in 1..10 {
            service.fail(1);
            let after = service.minute();
            assert!(after > before * 0.8, "{before} {after}");
        }
        for _ in 0..2_000 {
            service.limits[0].failed(30_000_000, service.now_ms);
        }
        assert!(
            service.limits[0].get() < before / 2.0,
            "what comes too late counts"
        );
    }
}
