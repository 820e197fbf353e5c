//! How a target is: what its calls and its checks have shown.
//!
//! A target of an upstream has one [`Health`] on a node. All cores and routes share it, and it outlives snapshots
//! and changes of addresses. Everything in it is an atomic number; the time is passed in, in milliseconds of
//! [`steady_ms`](crate::deadline::steady_ms).

use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};

use domain::traffic::OutlierDetection;

use crate::group::Group;
use crate::window::Window;

pub(crate) mod check;

/// How one target of an upstream is.
#[derive(Debug, Default)]
pub(crate) struct Health {
    /// When it joined the others or recovered; 0 if it was there from the beginning.
    since_ms: AtomicU64,
    /// When checks last showed something else, or it was last left out; 0 if never.
    changed_ms: AtomicU64,
    checked: AtomicU8,
    ejected_until_ms: AtomicU64,
    /// Ejections in a row, without a time of peace between.
    ejections: AtomicU32,
    consecutive: AtomicU32,
    window: Window,
    pub(crate) figures: Figures,
}

/// What has happened to a target since the node began.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    /// Calls without a valid answer, and answers of 5xx.
    pub(crate) failures: AtomicU64,
    pub(crate) ejections: AtomicU64,
    pub(crate) checks_failed: AtomicU64,
}

/// What the last checks have shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Checked {
    /// Not checked, or not yet.
    Unknown = 0,
    Healthy = 1,
    Unhealthy = 2,
}

impl Health {
    /// Of a target that joins others at this time.
    pub(crate) fn joined(now_ms: u64) -> Self {
        Self {
            since_ms: AtomicU64::new(now_ms),
            ..Self::default()
        }
    }

    /// Whether calls may go to it.
    pub(crate) fn is_healthy(&self, now_ms: u64) -> bool {
        self.checked() != Checked::Unhealthy && self.ejected_until_ms() <= now_ms
    }

    /// When it joined or recovered, an ejection that has ended included.
    pub(crate) fn since_ms(&self) -> u64 {
        self.since_ms.load(Relaxed).max(self.ejected_until_ms())
    }

    /// When checks last showed something else, or it was last left out; 0 if never.
    pub(crate) fn changed_ms(&self) -> u64 {
        self.changed_ms.load(Relaxed)
    }

    pub(crate) fn ejected_until_ms(&self) -> u64 {
        self.ejected_until_ms.load(Relaxed)
    }

    pub(crate) fn checked(&self) -> Checked {
        match self.checked.load(Relaxed) {
            1 => Checked::Healthy,
            2 => Checked::Unhealthy,
            _ => Checked::Unknown,
        }
    }

    /// Notes what checks have shown; whether that is news.
    pub(crate) fn set_checked(&self, checked: Checked, now_ms: u64) -> bool {
        let before = self.checked.swap(checked as u8, Relaxed);
        if before != checked as u8 {
            self.changed_ms.store(now_ms, Relaxed);
        }
        if before == Checked::Unhealthy as u8 && checked == Checked::Healthy {
            self.since_ms.store(now_ms, Relaxed);
        }
        before != checked as u8
    }

    /// Notes how a call went, and leaves the target out if that was one failure too many.
    pub(crate) fn note(
        &self,
        is_failure: bool,
        rules: Option<&OutlierDetection>,
        group: &Group,
        now_ms: u64,
    ) {
        if is_failure {
            self.figures.failures.fetch_add(1, Relaxed);
        }
        let Some(rules) = rules else { return };
        if rules.failure_percent > 0 {
            self.window.note(now_ms, rules.window_ms, is_failure);
        }
        if !is_failure {
            // Read first: the line is shared by all cores.
            if self.consecutive.load(Relaxed) != 0 {
                self.consecutive.store(0, Relaxed);
            }
            return;
        }
        let consecutive = self.consecutive.fetch_add(1, Relaxed).saturating_add(1);
        let is_outlier = (rules.consecutive_failures > 0 && consecutive >= rules.consecutive_failures)
            || self
                .window
                .counts(now_ms, rules.window_ms)
                .is_over(rules.calls_min, rules.failure_percent);
        if is_outlier && group.may_eject(rules, now_ms) {
            self.eject(rules, now_ms);
            group.touch();
        }
    }

    fn eject(&self, rules: &OutlierDetection, now_ms: u64) {
        let before = self.ejected_until_ms();
        let longest = u64::from(rules.ejection_max_ms);
        if before > now_ms {
            return;
        }
        let times = if now_ms - before > longest {
            0
        } else {
            self.ejections.load(Relaxed)
        };
        let length = u64::from(rules.ejection_ms)
            .checked_shl(times)
            .filter(|length| length >> times == u64::from(rules.ejection_ms))
            .map_or(longest, |length| {
                length.min(longest.max(u64::from(rules.ejection_ms)))
            });
        let ejected = self
            .ejected_until_ms
            .compare_exchange(before, now_ms + length, Relaxed, Relaxed);
        if ejected.is_ok() {
            self.changed_ms.store(now_ms, Relaxed);
            self.ejections.store(times.saturating_add(1), Relaxed);
            self.figures.ejections.fetch_add(1, Relaxed);
            self.consecutive.store(0, Relaxed);
            self.window.clear();
        }
    }
}

#[cfg(test)]
mod tests;
