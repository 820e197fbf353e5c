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
    /// Live streams that are open.
    pub streams: u64,
    /// Calls that live streams did not tell because they were read too slowly.
    pub stream_missed: u64,
    /// Times that an alert rule was judged, whatever it found.
    pub alert_rules_judged: u64,
    /// Times that an alert rule could not be judged.
    pub alert_rules_undecided: u64,
    /// Notifications of alerts that were received.
    pub alert_notices_delivered: u64,
    /// Tries to send a notification that failed.
    pub alert_notice_tries_failed: u64,
    /// Notifications that nobody tries to send any more.
    pub alert_notices_given_up: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) sign_ins: AtomicU64,
    pub(crate) sign_ins_failed: AtomicU64,
    pub(crate) sign_ins_delayed: AtomicU64,
    pub(crate) refresh_reused: AtomicU64,
    pub(crate) alert_rules_judged: AtomicU64,
    pub(crate) alert_rules_undecided: AtomicU64,
    pub(crate) alert_notices_delivered: AtomicU64,
    pub(crate) alert_notice_tries_failed: AtomicU64,
    pub(crate) alert_notices_given_up: AtomicU64,
}

impl Counters {
    pub(crate) fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> Counts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            sign_ins: read(&self.sign_ins),
            sign_ins_failed: read(&self.sign_ins_failed),
            sign_ins_delayed: read(&self.sign_ins_delayed),
            refresh_reused: read(&self.refresh_reused),
            alert_rules_judged: read(&self.alert_rules_judged),
            alert_rules_undecided: read(&self.alert_rules_undecided),
            alert_notices_delivered: read(&self.alert_notices_delivered),
            alert_notice_tries_failed: read(&self.alert_notice_tries_failed),
            alert_notices_given_up: read(&self.alert_notices_given_up),
            ..Counts::default()
        }
    }
}
