//! A rate limit in one atomic: the generic cell rate algorithm.
//!
//! Calls are due at even intervals and may run ahead by a burst. All that is remembered is when the next call
//! would be due. Source: ITU-T I.371, "virtual scheduling".

use std::sync::atomic::{AtomicU64, Ordering};

use domain::offer::RateLimit;

const SECOND_NS: u64 = 1_000_000_000;

/// How fast calls may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Between two calls that come evenly, in nanoseconds; at least 1.
    interval_ns: u64,
    /// How far calls may run ahead, in nanoseconds.
    ahead_ns: u64,
    /// Calls per window.
    pub requests: u64,
    /// The window in seconds.
    pub window_seconds: u64,
}

impl Rate {
    /// Reads a limit; amounts out of range are brought into it.
    pub fn new(limit: RateLimit) -> Self {
        let requests = u64::from(limit.requests.max(1));
        let window_seconds = u64::from(limit.window_seconds.clamp(1, 86_400));
        let interval_ns = (window_seconds * SECOND_NS / requests).max(1);
        let burst = limit.burst.map_or(requests, |burst| u64::from(burst.max(1)));
        Self {
            interval_ns,
            ahead_ns: interval_ns.saturating_mul(burst),
            requests,
            window_seconds,
        }
    }
}

/// What a limit says to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// The call was counted.
    Pass {
        /// Calls that may still come at once.
        remaining: u64,
        /// Seconds until the whole burst may come again.
        reset_seconds: u64,
    },
    /// The call was not counted.
    Refuse {
        /// Seconds after which one call may come: at least 1.
        retry_seconds: u64,
    },
}

/// What a limit remembers: when the next call is due, in steady nanoseconds.
#[derive(Debug, Default)]
pub struct Gcra {
    due_ns: AtomicU64,
}

impl Gcra {
    /// Counts a call if the rate allows it.
    pub fn admit(&self, rate: &Rate, now_ns: u64) -> Decision {
        admit(&self.due_ns, rate, now_ns)
    }
}

/// Counts a call on a bare cell.
pub(crate) fn admit(due_ns: &AtomicU64, rate: &Rate, now_ns: u64) -> Decision {
    let next = |due: u64| {
        let next = due.max(now_ns).saturating_add(rate.interval_ns);
        (next - now_ns <= rate.ahead_ns).then_some(next)
    };
    // The cell guards no other memory, so relaxed ordering is enough.
    match due_ns.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next) {
        Ok(before) => {
            let used = before.max(now_ns) + rate.interval_ns - now_ns;
            Decision::Pass {
                remaining: (rate.ahead_ns - used) / rate.interval_ns,
                reset_seconds: used.div_ceil(SECOND_NS),
            }
        }
        Err(due) => {
            let wait = due.saturating_add(rate.interval_ns) - now_ns - rate.ahead_ns;
            Decision::Refuse {
                retry_seconds: wait.div_ceil(SECOND_NS).max(1),
            }
        }
    }
}

#[cfg(test)]
mod tests;
