//! A rate limit over a sliding window, approximated by two counters.
//!
//! Calls of the running window count whole, those of the window before by the share of it that still lies within
//! the last window's length, as if they had come evenly. Windows begin at multiples of their length since 1970,
//! so that nodes agree on them.
//!
//! **The error.** For calls that come evenly there is none. If all calls of the window before came at its end, up
//! to twice the limit passes within one window's length, which is what two calendar windows would allow at once
//! and a sliding one only spread over a whole window; if all came at its beginning, as many calls too few pass.

use std::sync::atomic::{AtomicU64, Ordering};

use domain::limit::{RateLimit, WhenStoreIsAway};

use crate::ask::{Ask, Decision, Share, Soft};
use crate::call::Moment;
use crate::cells::Slot;

const MICROS: u64 = 1_000_000;
const COUNT_BITS: u32 = 32;
const COUNT_MAX: u64 = (1 << COUNT_BITS) - 1;

/// How many calls in what time.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    window_us: u64,
    soft_units: u64,
    pub(crate) soft: Soft,
    /// Units per window.
    pub requests: u64,
}

impl Window {
    /// Reads a limit; amounts out of range are brought into it.
    pub fn new(limit: RateLimit) -> Self {
        let requests = u64::from(limit.requests.max(1));
        let soft = Soft::new(limit.over_limit);
        Self {
            window_us: u64::from(limit.window_seconds.clamp(1, 86_400)) * MICROS,
            soft_units: soft.units(requests),
            soft,
            requests,
        }
    }

    /// The number of a moment's window since 1970, and the microseconds since its beginning.
    fn place(&self, moment: Moment) -> (u64, u64) {
        let now = u64::try_from(moment.calendar.as_micros()).unwrap_or(0);
        (now / self.window_us, now % self.window_us)
    }

    /// The length of a window in seconds.
    pub(crate) const fn seconds(&self) -> u64 {
        self.window_us / MICROS
    }
}

/// What a limit remembers: calls of the running window and of the one before, ours and those of others.
///
/// Each is one atomic: the number of the window, and how many.
#[derive(Debug, Default)]
pub struct Sliding {
    now: AtomicU64,
    before: AtomicU64,
    others_now: AtomicU64,
    others_before: AtomicU64,
    /// The value of `now` that others know.
    sent: AtomicU64,
    /// Units of calls of which it is not known yet whether they count.
    held: AtomicU64,
}

/// Calls in a window and in the one before.
#[derive(Clone, Copy)]
struct Counts {
    now: u64,
    before: u64,
    elapsed_us: u64,
}

impl Counts {
    /// Units that count at the moment.
    const fn units(&self, window: &Window) -> u64 {
        let left = window.window_us - self.elapsed_us;
        self.now + (self.before as u128 * left as u128).div_ceil(window.window_us as u128) as u64
    }

    /// Microseconds until `units` more are no more than `most`, if nothing else comes.
    fn wait_us(&self, window: &Window, units: u64, most: u64) -> u64 {
        let length = window.window_us;
        // When a window's share of `count` calls has fallen to `room`.
        let fallen = |count: u64, room: u64| match count {
            count if count <= room => 0,
            count => length - (u128::from(room) * u128::from(length) / u128::from(count)) as u64,
        };
        let room = most.saturating_sub(units);
        if self.now <= room {
            fallen(self.before, room - self.now).saturating_sub(self.elapsed_us)
        } else {
            (length - self.elapsed_us) + fallen(self.now, room)
        }
    }
}

const fn pack(ordinal: u64, count: u64) -> u64 {
    let count = if count > COUNT_MAX { COUNT_MAX } else { count };
    (ordinal << COUNT_BITS) | count
}

/// A cell with so many calls more.
const fn add(cell: u64, units: u64) -> u64 {
    pack(ordinal(cell), (cell & COUNT_MAX) + units)
}

/// Changes a number unless somebody else has.
fn change(number: &AtomicU64, from: u64, to: u64) -> bool {
    number
        .compare_exchange_weak(from, to, Ordering::AcqRel, Ordering::Relaxed)
        .is_ok()
}

const fn ordinal(cell: u64) -> u64 {
    cell >> COUNT_BITS
}

/// The count of a cell if it is of that window.
fn count_of(cell: &AtomicU64, wanted: u64) -> u64 {
    let cell = cell.load(Ordering::Relaxed);
    if ordinal(cell) == wanted {
        cell & COUNT_MAX
    } else {
        0
    }
}

impl Sliding {
    /// Counts a call if the window has room for it; one that costs more than the limit needs an empty window.
    pub fn admit(&self, window: &Window, ask: &Ask, when: WhenStoreIsAway) -> Decision {
        self.ask(window, ask, when).0
    }

    /// Says as well how many units the call took, or holds if that is what was asked.
    pub(crate) fn ask(&self, window: &Window, ask: &Ask, when: WhenStoreIsAway) -> (Decision, u64) {
        match ask.share(when) {
            Share::Whole => self.count(window, ask, 1),
            Share::Part(nodes) => self.count(window, ask, u64::from(nodes)),
            Share::Closed => (Decision::Unknown, 0),
            Share::Open => {
                let (decision, took) = self.count(window, ask, 1);
                (decision.opened(), took)
            }
        }
    }

    fn count(&self, window: &Window, ask: &Ask, nodes: u64) -> (Decision, u64) {
        let limit = (window.requests / nodes).max(1);
        let soft = (window.soft_units / nodes).max(1);
        let units = u64::from(ask.units).min(limit);
        loop {
            // Read first: whoever settles counts before taking from it, so none is overlooked in between.
            let held = if ask.is_held {
                self.held.load(Ordering::Acquire)
            } else {
                0
            };
            let (cell, mut counts) = self.look(window, ask.moment, nodes == 1);
            counts.now += held;
            let needed = counts.units(window) + units;
            let over_us = || counts.wait_us(window, units, soft);
            if needed > limit {
                let wait_us = counts.wait_us(window, units, limit);
                if window.soft.passes_all() {
                    let decision = Decision::Pass {
                        remaining: 0,
                        reset_seconds: wait_us.div_ceil(MICROS),
                        over_ns: Some(over_us().saturating_mul(1000)),
                    };
                    return (decision, 0);
                }
                if wait_us.saturating_mul(1000) > window.soft.beyond_ns() {
                    let retry_seconds = wait_us.div_ceil(MICROS).max(1);
                    return (Decision::Refuse { retry_seconds }, 0);
                }
            }
            let is_taken = if ask.is_held {
                change(&self.held, held, held + units)
            } else {
                change(&self.now, cell, add(cell, units))
            };
            if is_taken {
                let whole = 2 * window.window_us - counts.elapsed_us;
                let decision = Decision::Pass {
                    remaining: limit.saturating_sub(needed),
                    reset_seconds: whole.div_ceil(MICROS),
                    over_ns: (needed > soft).then(|| over_us().saturating_mul(1000)),
                };
                return (decision, units);
            }
        }
    }

    /// Ends the holding of a call that counts, or of one that does not.
    pub(crate) fn settle(&self, window: &Window, held: u64, ask: &Ask, does_count: bool) {
        if does_count {
            let is_added = || {
                let (cell, _) = self.look(window, ask.moment, false);
                change(&self.now, cell, add(cell, held))
            };
            // Others change the cell as well.
            while !is_added() {}
        }
        // A cell that was given up meanwhile holds nothing.
        let less = |before: u64| Some(before.saturating_sub(held));
        let _ = self.held.fetch_update(Ordering::AcqRel, Ordering::Relaxed, less);
    }

    /// Goes on to the window of a moment; our cell of it, and what counts.
    fn look(&self, window: &Window, moment: Moment, with_others: bool) -> (u64, Counts) {
        let (wanted, elapsed_us) = window.place(moment);
        loop {
            let cell = self.now.load(Ordering::Relaxed);
            if ordinal(cell) >= wanted {
                let current = ordinal(cell);
                // A calendar that was set back must not empty the window.
                let elapsed_us = if current == wanted { elapsed_us } else { 0 };
                let mut now = cell & COUNT_MAX;
                let mut before = count_of(&self.before, current.wrapping_sub(1));
                if with_others {
                    now += count_of(&self.others_now, current);
                    before += count_of(&self.others_before, current.wrapping_sub(1));
                    before += count_of(&self.others_now, current.wrapping_sub(1));
                }
                return (
                    cell,
                    Counts {
                        now,
                        before,
                        elapsed_us,
                    },
                );
            }
            // First the old count, so that nobody finds the new window without it; numbers of windows rise.
            self.before.fetch_max(cell, Ordering::Relaxed);
            let _ = self
                .now
                .compare_exchange(cell, pack(wanted, 0), Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    /// What others have to be told: the windows' numbers and all our calls in them, the newest last.
    pub(crate) fn untold(&self) -> Option<[(u64, u64); 2]> {
        let cell = self.now.load(Ordering::Relaxed);
        if cell == self.sent.load(Ordering::Relaxed) {
            return None;
        }
        let before = self.before.load(Ordering::Relaxed);
        Some([before, cell].map(|cell| (ordinal(cell), cell & COUNT_MAX)))
    }

    /// Others know of our calls of a window; all of us together made `total`.
    pub(crate) fn hear(&self, (window, own): (u64, u64), total: u64) {
        let others = pack(window, total.saturating_sub(own));
        let now = ordinal(self.now.load(Ordering::Relaxed));
        if window >= now {
            // Those of the window before move on when a newer one comes.
            let old = self.others_now.load(Ordering::Relaxed);
            if ordinal(old) < window {
                self.others_before.store(old, Ordering::Relaxed);
            }
            self.others_now.store(others, Ordering::Relaxed);
            self.sent.store(pack(window, own), Ordering::Relaxed);
        } else if window + 1 == now && ordinal(self.others_now.load(Ordering::Relaxed)) != window {
            self.others_before.store(others, Ordering::Relaxed);
        } else if window + 1 == now {
            self.others_now.store(others, Ordering::Relaxed);
        }
    }
}

impl Slot for Sliding {
    fn rank(&self) -> u64 {
        self.now.load(Ordering::Relaxed)
    }

    fn begin(&self, _: Moment) {
        for cell in [
            &self.now,
            &self.before,
            &self.others_now,
            &self.others_before,
            &self.sent,
            &self.held,
        ] {
            cell.store(0, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests;
