//! Calendar quotas: calls per hour, day and month in UTC.

use std::sync::atomic::{AtomicU64, Ordering};

use domain::Timestamp;
use domain::offer::{Period, Quota};

const COUNT_BITS: u32 = 40;
/// The largest count that is told apart: about 1.1 · 10¹² calls.
pub const COUNT_MAX: u64 = (1 << COUNT_BITS) - 1;
const DAY_SECONDS: i64 = 86_400;

/// What a quota says to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// The call was counted.
    Pass {
        /// Calls left in the period.
        remaining: u64,
        /// Seconds to the next period.
        reset_seconds: u64,
    },
    /// The call was not counted.
    Refuse {
        /// Seconds to the next period: at least 1.
        retry_seconds: u64,
    },
}

/// Calls counted in the running hour, day and month.
///
/// All three are counted whatever the quota is, so that a quota that changes its period, or comes later,
/// knows the calls that were made. Each is one atomic: which period, and how many.
#[derive(Debug, Default)]
pub struct Counter {
    cells: [AtomicU64; 3],
}

impl Counter {
    /// Counts a call, unless the quota is used up.
    pub fn admit(&self, quota: Option<&Quota>, now: Timestamp) -> Decision {
        let places = places(now);
        let mut decision = Decision::Pass {
            remaining: u64::MAX,
            reset_seconds: 0,
        };
        if let Some(quota) = quota {
            let index = quota.period as usize;
            let reset_seconds = places[index].1;
            let max = quota.requests.min(COUNT_MAX);
            match self.count(index, places[index].0, max) {
                Some(count) => {
                    decision = Decision::Pass {
                        remaining: max - count,
                        reset_seconds,
                    }
                }
                None => {
                    return Decision::Refuse {
                        retry_seconds: reset_seconds.max(1),
                    };
                }
            }
        }
        for (index, (ordinal, _)) in places.into_iter().enumerate() {
            if quota.is_none_or(|quota| quota.period as usize != index) {
                self.count(index, ordinal, COUNT_MAX);
            }
        }
        decision
    }

    /// The calls counted so far in a period.
    pub fn used(&self, period: Period, now: Timestamp) -> u64 {
        let cell = self.cells[period as usize].load(Ordering::Relaxed);
        let current = cell >> COUNT_BITS == places(now)[period as usize].0;
        if current { cell & COUNT_MAX } else { 0 }
    }

    /// Goes on with calls counted in a period before a restart; they are ignored if the period is over.
    pub fn restore(&self, period: Period, period_start: i64, count: u64, now: Timestamp) {
        if period_start == period_start_of(period, now) {
            let (ordinal, _) = places(now)[period as usize];
            let saved = (ordinal << COUNT_BITS) | count.min(COUNT_MAX);
            self.cells[period as usize].fetch_max(saved, Ordering::Relaxed);
        }
    }

    /// Adds one to a cell and returns the new count; `None` if it is at the most already.
    fn count(&self, index: usize, ordinal: u64, max: u64) -> Option<u64> {
        let next = |cell: u64| {
            // A clock that was set back must not empty the counter.
            let ordinal = ordinal.max(cell >> COUNT_BITS);
            let count = if cell >> COUNT_BITS == ordinal {
                cell & COUNT_MAX
            } else {
                0
            };
            (count < max).then_some((ordinal << COUNT_BITS) | (count + 1))
        };
        let before = self.cells[index]
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, next)
            .ok()?;
        next(before).map(|cell| cell & COUNT_MAX)
    }
}

/// The beginning of the running period in seconds since 1970.
pub fn period_start_of(period: Period, now: Timestamp) -> i64 {
    let seconds = now.as_seconds().max(0);
    match period {
        Period::Hour => seconds - seconds % 3_600,
        Period::Day => seconds - seconds % DAY_SECONDS,
        Period::Month => first_day(month(seconds / DAY_SECONDS).0 + 1970 * 12 - 2) * DAY_SECONDS,
    }
}

/// How long a period is at most, in seconds: the `w` of the `RateLimit-Policy` field.
pub const fn window_seconds(period: Period) -> u64 {
    match period {
        Period::Hour => 3_600,
        Period::Day => 86_400,
        Period::Month => 31 * 86_400,
    }
}

/// The running number and the seconds left of hour, day and month, in the order of [`Period`].
fn places(now: Timestamp) -> [(u64, u64); 3] {
    let seconds = now.as_seconds().max(0);
    let days = seconds / DAY_SECONDS;
    let (months, next_month_days) = month(days);
    let left = |end: i64| u64::try_from(end - seconds).unwrap_or(0);
    let ordinal = |number: i64| u64::try_from(number).unwrap_or(0);
    [
        (ordinal(seconds / 3_600), left((seconds / 3_600 + 1) * 3_600)),
        (ordinal(days), left((days + 1) * DAY_SECONDS)),
        (ordinal(months), left(next_month_days * DAY_SECONDS)),
    ]
}

/// Months since 1970 of a day since 1970, and the day on which the next month begins.
///
/// Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
const fn month(days: i64) -> (i64, i64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    // Counted in months since March of the year 0.
    let count = (era * 400 + year_of_era) * 12 + from_march;
    (count - 1970 * 12 + 2, first_day(count + 1))
}

/// The day since 1970 on which a month since March of the year 0 begins.
const fn first_day(count: i64) -> i64 {
    let (year, from_march) = (count / 12, count % 12);
    let (era, year_of_era) = (year / 400, year % 400);
    let day_of_year = (153 * from_march + 2) / 5;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests;
