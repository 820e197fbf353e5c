//! A rate limit in one atomic: the generic cell rate algorithm.
//!
//! Calls are due at even intervals and may run ahead by a burst. All that is remembered is when the next call
//! would be due. Source: ITU-T I.371, "virtual scheduling".

use std::sync::atomic::{AtomicU64, Ordering};

use domain::limit::{RateLimit, WhenStoreIsAway};

use crate::ask::{Ask, Decision, SECOND_NS, Share, Soft};
use crate::call::Moment;
use crate::cells::Slot;

/// How fast calls may come.
#[derive(Debug, Clone, Copy)]
pub struct Rate {
    /// Between two units that come evenly, in nanoseconds; at least 1.
    interval_ns: u64,
    /// How far calls may run ahead, in nanoseconds.
    ahead_ns: u64,
    /// How far ahead a call is not over the limit yet by the soft measure.
    soft_ns: u64,
    pub(crate) soft: Soft,
    /// Units per window.
    pub requests: u64,
    /// The window in seconds.
    pub window_seconds: u64,
}

impl Rate {
    /// Reads a limit; amounts out of range are brought into it.
    pub fn new(limit: RateLimit) -> Self {
        let requests = u64::from(limit.requests.max(1));
        let window_seconds = u64::from(limit.window_seconds.clamp(1, 86_400));
        let burst = limit.burst.map_or(requests, |burst| u64::from(burst.max(1)));
        let interval_ns = (window_seconds * SECOND_NS / requests).max(1);
        let soft = Soft::new(limit.over_limit);
        Self {
            interval_ns,
            ahead_ns: interval_ns.saturating_mul(burst),
            soft_ns: interval_ns.saturating_mul(soft.units(burst)),
            soft,
            requests,
            window_seconds,
        }
    }

    /// The part of one of so many nodes: as much slower, and as much less ahead.
    fn part(&self, nodes: u32) -> Self {
        let interval_ns = self.interval_ns.saturating_mul(u64::from(nodes.max(1)));
        let at_least_one = |ahead: u64| ahead.max(interval_ns);
        Self {
            interval_ns,
            ahead_ns: at_least_one(self.ahead_ns),
            soft_ns: at_least_one(self.soft_ns),
            ..*self
        }
    }
}

/// What a limit remembers: when the next call is due, in steady nanoseconds.
#[derive(Debug, Default)]
pub struct Gcra {
    due_ns: AtomicU64,
    /// Nanoseconds that calls have taken since the cell began, for those who count with us.
    spent_ns: AtomicU64,
    /// How much of that they know.
    sent_ns: AtomicU64,
    /// Nanoseconds of calls of which it is not known yet whether they count.
    held_ns: AtomicU64,
}

impl Gcra {
    /// Counts a call if the rate allows it.
    ///
    /// A call that costs more than the whole burst passes when the burst is whole, and takes all of it.
    pub fn admit(&self, rate: &Rate, ask: &Ask, when: WhenStoreIsAway) -> Decision {
        self.ask(rate, ask, when).0
    }

    /// Says as well how many nanoseconds the call took, or holds if that is what was asked.
    pub(crate) fn ask(&self, rate: &Rate, ask: &Ask, when: WhenStoreIsAway) -> (Decision, u64) {
        match ask.share(when) {
            Share::Whole => self.count(rate, ask),
            Share::Part(nodes) => self.count(&rate.part(nodes), ask),
            Share::Closed => (Decision::Unknown, 0),
            Share::Open => {
                let (decision, took_ns) = self.count(rate, ask);
                (decision.opened(), took_ns)
            }
        }
    }

    fn count(&self, rate: &Rate, ask: &Ask) -> (Decision, u64) {
        let now_ns = ask.moment.steady_ns;
        let cost = rate
            .interval_ns
            .saturating_mul(u64::from(ask.units))
            .min(rate.ahead_ns);
        let most = rate.ahead_ns.saturating_add(rate.soft.beyond_ns());
        let next = |due: u64| {
            let next = due.max(now_ns).saturating_add(cost);
            (next - now_ns <= most).then_some(next)
        };
        // The cell guards no other memory, so relaxed ordering is enough.
        let counted = if ask.is_held {
            self.hold(cost, now_ns, |due| next(due).is_some())
        } else {
            self.due_ns
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, next)
        };
        match counted {
            Ok(before) => {
                if ask.is_shared() && !ask.is_held {
                    self.spent_ns.fetch_add(cost, Ordering::Relaxed);
                }
                let used = before.max(now_ns) + cost - now_ns;
                let decision = Decision::Pass {
                    remaining: rate.ahead_ns.saturating_sub(used) / rate.interval_ns,
                    reset_seconds: used.div_ceil(SECOND_NS),
                    over_ns: (used > rate.soft_ns).then(|| used - rate.soft_ns),
                };
                (decision, cost)
            }
            Err(due) => {
                // What several took together beyond the rate has to be paid back; alone, nobody gets beyond it.
                let due = match ask.is_shared() {
                    true => due,
                    false => self.within(due, now_ns.saturating_add(most)),
                };
                let wait = due.saturating_add(cost).saturating_sub(now_ns + rate.ahead_ns);
                let decision = if rate.soft.passes_all() {
                    Decision::Pass {
                        remaining: 0,
                        reset_seconds: (due - now_ns).div_ceil(SECOND_NS),
                        over_ns: Some(wait),
                    }
                } else {
                    Decision::Refuse {
                        retry_seconds: wait.div_ceil(SECOND_NS).max(1),
                    }
                };
                (decision, 0)
            }
        }
    }

    /// Holds time beside what is due, if both fit together; when a call would be due before, either way.
    fn hold(&self, cost_ns: u64, now_ns: u64, fits: impl Fn(u64) -> bool) -> Result<u64, u64> {
        // Whoever settles adds to what is due before taking from what is held, so none is overlooked in between.
        let mut held = self.held_ns.load(Ordering::Acquire);
        loop {
            let due = self.due_ns.load(Ordering::Relaxed).max(now_ns);
            let due = due.saturating_add(held);
            if !fits(due) {
                return Err(due);
            }
            let more = held.saturating_add(cost_ns);
            match self
                .held_ns
                .compare_exchange_weak(held, more, Ordering::AcqRel, Ordering::Acquire)
            {
                Ok(_) => return Ok(due),
                Err(other) => held = other,
            }
        }
    }

    /// Ends the holding of a call that counts, or of one that does not.
    pub(crate) fn settle(&self, held_ns: u64, ask: &Ask, does_count: bool) {
        if does_count {
            self.take(held_ns, 0, ask.moment.steady_ns);
            if ask.is_shared() {
                self.spent_ns.fetch_add(held_ns, Ordering::Relaxed);
            }
        }
        // A cell that was given up meanwhile holds nothing.
        let less = |held: u64| Some(held.saturating_sub(held_ns));
        let _ = self
            .held_ns
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, less);
    }

    /// Brings what is due back to where this rate could have taken it, after one that was slower.
    fn within(&self, due: u64, latest: u64) -> u64 {
        if due <= latest {
            return due;
        }
        // Whoever was quicker has brought it back as well.
        let _ = self
            .due_ns
            .compare_exchange(due, latest, Ordering::Relaxed, Ordering::Relaxed);
        latest
    }

    /// Takes time whether it is there or not; nanoseconds until what was taken beyond `ahead_ns` is due.
    pub(crate) fn take(&self, cost_ns: u64, ahead_ns: u64, now_ns: u64) -> u64 {
        let next = |due: u64| Some(due.max(now_ns).saturating_add(cost_ns));
        let before = self
            .due_ns
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, next)
            .unwrap_or_else(|due| due);
        (before.max(now_ns) - now_ns)
            .saturating_add(cost_ns)
            .saturating_sub(ahead_ns)
    }

    /// What others have to be told: nanoseconds spent that they do not know, and how far ahead we believe to be.
    pub(crate) fn untold(&self, now_ns: u64) -> Option<(u64, u64)> {
        let spent = self.spent_ns.load(Ordering::Relaxed);
        let untold = spent.wrapping_sub(self.sent_ns.load(Ordering::Relaxed));
        let ahead = self.due_ns.load(Ordering::Relaxed).saturating_sub(now_ns);
        (untold > 0).then_some((untold, ahead))
    }

    /// Others know of `told` more, and all of us together are ahead by `ahead_ns`.
    pub(crate) fn hear(&self, told: u64, ahead_ns: u64, now_ns: u64) {
        let sent = self.sent_ns.load(Ordering::Relaxed).wrapping_add(told);
        self.sent_ns.store(sent, Ordering::Relaxed);
        // What was spent meanwhile comes on top of what the others know.
        let untold = self.spent_ns.load(Ordering::Relaxed).wrapping_sub(sent);
        let due = now_ns.saturating_add(ahead_ns).saturating_add(untold);
        self.due_ns.fetch_max(due, Ordering::Relaxed);
    }
}

impl Slot for Gcra {
    fn rank(&self) -> u64 {
        let held_ns = self.held_ns.load(Ordering::Relaxed);
        self.due_ns.load(Ordering::Relaxed).saturating_add(held_ns)
    }

    fn begin(&self, moment: Moment) {
        self.due_ns.store(moment.steady_ns, Ordering::Relaxed);
        self.spent_ns.store(0, Ordering::Relaxed);
        self.sent_ns.store(0, Ordering::Relaxed);
        self.held_ns.store(0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
