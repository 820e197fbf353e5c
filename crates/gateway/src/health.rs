//! How a target is: what its calls and its checks have shown.
//!
//! A target of an upstream has one [`Health`] on a node. All cores and routes share it, and it outlives snapshots
//! and changes of addresses. Everything in it is an atomic number; the time is passed in, in milliseconds of
//! [`steady_ms`](crate::deadline::steady_ms).

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};

/// How one target of an upstream is.
#[derive(Debug, Default)]
pub(crate) struct Health {
    /// When it joined the others or recovered; 0 if it was there from the beginning.
    since_ms: AtomicU64,
    checked: AtomicU8,
    ejected_until_ms: AtomicU64,
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
}
