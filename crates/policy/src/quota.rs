//! Calendar quotas: calls per hour, day and month in UTC.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use domain::Timestamp;
use domain::offer::{Period, Quota, WhenStoreIsAway};

use crate::ask::{Ask, Decision, Share, Soft};

const COUNT_BITS: u32 = 40;
/// The largest count that is told apart: about 1.1 · 10¹² calls.
pub const COUNT_MAX: u64 = (1 << COUNT_BITS) - 1;
const DAY_SECONDS: i64 = 86_400;

/// A quota, compiled.
#[derive(Debug, Clone, Copy)]
pub struct Bound {
    /// The quota.
    pub quota: Quota,
    pub(crate) soft: Soft,
    soft_units: u64,
}

impl Bound {
    /// Reads a quota.
    pub fn new(quota: Quota) -> Self {
        let soft = Soft::new(quota.over_limit);
        Self {
            soft_units: soft.units(quota.requests.min(COUNT_MAX)),
            quota,
            soft,
        }
    }
}

/// Units counted in the running hour, day and month.
///
/// All three are counted whatever the quota is, so that a quota that changes its period, or comes later,
/// knows the calls that were made. Each is one atomic: which period, and how many.
#[derive(Debug, Default)]
pub struct Counter {
    cells: [AtomicU64; 3],
    /// What other nodes counted; made when they are heard of first.
    others: OnceLock<Box<Others>>,
}

/// For each period: what others counted, and what they know that we counted.
#[derive(Debug, Default)]
struct Others {
    counted: [AtomicU64; 3],
    sent: [AtomicU64; 3],
}

impl Counter {
    /// Counts a call, unless the quota is used up.
    pub fn admit(&self, bound: Option<&Bound>, ask: &Ask, when: WhenStoreIsAway) -> Decision {
        let places = places(ask.moment.calendar);
        let mut decision = Decision::Pass {
            remaining: u64::MAX,
            reset_seconds: 0,
            over_ns: None,
        };
        if let Some(bound) = bound {
            let index = bound.quota.period as usize;
            decision = self.admit_one(bound, (places[index].0, places[index].1), ask, when);
            if !matches!(decision, Decision::Pass { .. }) {
                return decision;
            }
        }
        for (index, (ordinal, _)) in places.into_iter().enumerate() {
            if bound.is_none_or(|bound| bound.quota.period as usize != index) {
                self.count(index, ordinal, u64::from(ask.units), COUNT_MAX);
            }
        }
        decision
    }

    fn admit_one(
        &self,
        bound: &Bound,
        (ordinal, reset_seconds): (u64, u64),
        ask: &Ask,
        when: WhenStoreIsAway,
    ) -> Decision {
        let index = bound.quota.period as usize;
        let most = bound.quota.requests.min(COUNT_MAX);
        let taken = match ask.share(when) {
            Share::Whole => self.taken(index, ordinal, 1),
            Share::Part(nodes) => self.taken(index, ordinal, u64::from(nodes)),
            Share::Open => 0,
            Share::Closed => return Decision::Unknown,
        };
        let is_open = ask.share(when) == Share::Open || bound.soft.passes_all();
        let units = u64::from(ask.units);
        let own_most = if is_open {
            COUNT_MAX
        } else {
            most.saturating_sub(taken)
        };
        let Some(own) = self.count(index, ordinal, units, own_most) else {
            return Decision::Refuse {
                retry_seconds: reset_seconds.max(1),
            };
        };
        let used = own.saturating_add(taken);
        Decision::Pass {
            remaining: most.saturating_sub(used),
            reset_seconds,
            over_ns: (used > bound.soft_units && ask.share(when) != Share::Open).then_some(0),
        }
    }

    /// What is not ours to give away: what others have counted, and what they may count while nobody hears of it.
    ///
    /// Of what is left each of `nodes` has the same part, so each call of ours stands for one of each of them.
    fn taken(&self, index: usize, ordinal: u64, nodes: u64) -> u64 {
        let Some(others) = self.others.get() else {
            let unheard = count_of(&self.cells[index], ordinal);
            return unheard.saturating_mul(nodes - 1);
        };
        let known = count_of(&others.sent[index], ordinal);
        let unheard = count_of(&self.cells[index], ordinal).saturating_sub(known);
        count_of(&others.counted[index], ordinal).saturating_add(unheard.saturating_mul(nodes - 1))
    }

    /// What others have to be told: the running number of the period and all our calls in it.
    pub(crate) fn untold(&self, period: Period) -> Option<(u64, u64)> {
        let index = period as usize;
        let cell = self.cells[index].load(Ordering::Relaxed);
        let sent = self
            .others
            .get()
            .map_or(0, |others| others.sent[index].load(Ordering::Relaxed));
        (cell != sent).then_some((cell >> COUNT_BITS, cell & COUNT_MAX))
    }

    /// Others know of our calls of a period; all of us together made `total`.
    pub(crate) fn hear(&self, period: Period, (ordinal, own): (u64, u64), total: u64) {
        let index = period as usize;
        let others = self.others.get_or_init(Box::default);
        let pack = |count: u64| (ordinal << COUNT_BITS) | count.min(COUNT_MAX);
        others.counted[index].store(pack(total.saturating_sub(own)), Ordering::Relaxed);
        others.sent[index].store(pack(own), Ordering::Relaxed);
    }

    /// The calls counted so far in a period.
    pub fn used(&self, period: Period, now: Timestamp) -> u64 {
        count_of(&self.cells[period as usize], places(now)[period as usize].0)
    }

    /// Goes on with calls counted in a period before a restart; they are ignored if the period is over.
    pub fn restore(&self, period: Period, period_start: i64, count: u64, now: Timestamp) {
        if period_start == period_start_of(period, now) {
            let (ordinal, _) = places(now)[period as usize];
            let saved = (ordinal << COUNT_BITS) | count.min(COUNT_MAX);
            self.cells[period as usize].fetch_max(saved, Ordering::Relaxed);
        }
    }

    /// Adds to a cell and returns the new count; `None` if that would be more than the most.
    fn count(&self, index: usize, ordinal: u64, units: u64, max: u64) -> Option<u64> {
        let next = |cell: u64| {
            // A clock that was set back must not empty the counter.
            let ordinal = ordinal.max(cell >> COUNT_BITS);
            let count = if cell >> COUNT_BITS == ordinal {
                cell & COUNT_MAX
            } else {
                0
            };
            (count + units <= max).then_some((ordinal << COUNT_BITS) | (count + units))
        };
        let before = self.cells[index]
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, next)
            .ok()?;
        next(before).map(|cell| cell & COUNT_MAX)
    }
}

/// The count of a cell if it is of that period.
fn count_of(cell: &AtomicU64, ordinal: u64) -> u64 {
    let cell = cell.load(Ordering::Relaxed);
    if cell >> COUNT_BITS == ordinal {
        cell & COUNT_MAX
    } else {
        0
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
