//! How long requests take: a histogram with fixed bounds, counted by each core for itself.

use std::fmt::Write as _;
use std::sync::Arc;

use super::{Cell, CoreFigures, head};

/// Upper bounds in microseconds, with how Prometheus writes them in seconds.
const BOUNDS: [(u64, &str); 14] = [
    (500, "0.0005"),
    (1_000, "0.001"),
    (2_500, "0.0025"),
    (5_000, "0.005"),
    (10_000, "0.01"),
    (25_000, "0.025"),
    (50_000, "0.05"),
    (100_000, "0.1"),
    (250_000, "0.25"),
    (500_000, "0.5"),
    (1_000_000, "1"),
    (2_500_000, "2.5"),
    (5_000_000, "5"),
    (10_000_000, "10"),
];

/// Requests by how long they took; the last cell has those above every bound.
#[derive(Debug, Default)]
pub(crate) struct Histogram([Cell; BOUNDS.len() + 1]);

impl Histogram {
    pub(crate) fn note(&self, micros: u64) {
        self.0[BOUNDS.partition_point(|(bound, _)| *bound < micros)].add(1);
    }
}

/// Writes the histogram of all cores; the sum is that of the requests' times.
#[expect(
    clippy::cast_precision_loss,
    reason = "a figure for people; exact up to 2^53 microseconds"
)]
pub(super) fn write(text: &mut String, cores: &[Arc<CoreFigures>]) {
    head(
        text,
        "request_duration_seconds",
        "histogram",
        "Time from the head of requests to the end of their answers.",
    );
    let sums: [u64; BOUNDS.len() + 1] =
        std::array::from_fn(|place| cores.iter().map(|core| core.latency.0[place].get()).sum());
    let mut below = 0;
    for ((_, bound), count) in BOUNDS.iter().zip(sums) {
        below += count;
        let _ = writeln!(
            text,
            "gateline_request_duration_seconds_bucket{{le=\"{bound}\"}} {below}"
        );
    }
    let all = below + sums[BOUNDS.len()];
    let micros: u64 = cores.iter().map(|core| core.latency_us.get()).sum();
    let _ = writeln!(
        text,
        "gateline_request_duration_seconds_bucket{{le=\"+Inf\"}} {all}\n\
         gateline_request_duration_seconds_sum {}\n\
         gateline_request_duration_seconds_count {all}",
        micros as f64 / 1e6
    );
}

#[cfg(test)]
mod tests {
    use super::{BOUNDS, Histogram};

    #[test]
    fn a_time_is_counted_under_the_first_bound_that_it_does_not_exceed() {
        let histogram = Histogram::default();
        for micros in [0, 500, 501, 10_000_000, 10_000_001, u64::MAX] {
            histogram.note(micros);
        }
        let counts: Vec<_> = histogram.0.iter().map(super::Cell::get).collect();
        assert_eq!((counts[0], counts[1]), (2, 1));
        assert_eq!((counts[BOUNDS.len() - 1], counts[BOUNDS.len()]), (1, 2));
        assert!(BOUNDS.is_sorted());
    }

    #[test]
    fn bounds_are_written_as_they_are() {
        for (micros, text) in BOUNDS {
            let seconds: f64 = text.parse().unwrap();
            assert_eq!((seconds * 1e6).round(), micros as f64);
        }
    }
}
