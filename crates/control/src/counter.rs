//! What is counted since the start, for metrics.

use std::sync::atomic::{AtomicU64, Ordering};

/// What was counted since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Sign-ins that succeeded, on the web and for tokens.
    pub sign_ins: u64,
    /// Sign-ins with a wrong name or password.
    pub sign_ins_failed: u64,
    /// Sign-ins refused because too many before them failed.
    pub sign_ins_delayed: u64,
    /// Refresh tokens that were used a second time.
    pub refresh_reused: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) sign_ins: AtomicU64,
    pub(crate) sign_ins_failed: AtomicU64,
    pub(crate) sign_ins_delayed: AtomicU64,
    pub(crate) refresh_reused: AtomicU64,
}

impl Counters {
    pub(crate) fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> Counts {
        Counts {
            sign_ins: self.sign_ins.load(Ordering::Relaxed),
            sign_ins_failed: self.sign_ins_failed.load(Ordering::Relaxed),
            sign_ins_delayed: self.sign_ins_delayed.load(Ordering::Relaxed),
            refresh_reused: self.refresh_reused.load(Ordering::Relaxed),
        }
    }
}
