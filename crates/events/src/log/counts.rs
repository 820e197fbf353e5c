//! Calls that count for quotas and are not in the quota table yet.

use redb::Database;

use super::file::{self, QUOTA_SECONDS_KEPT, QuotaCounts};
use crate::call::Event;
use crate::wire::Batch;

/// Rows that may gather before they go to the table.
const ROWS_MAX: usize = 4096;
/// Batches that may gather, and so have to be read again after a crash: ten seconds of full load.
const BATCHES_MAX: u64 = 1000;

/// The calls of the batches after the newest one in the quota table.
#[derive(Debug)]
pub(super) struct Pending {
    counts: QuotaCounts,
    through: u64,
}

/// Reads them from the batches.
pub(super) fn read_pending(database: &Database) -> Result<Pending, redb::Error> {
    let through = file::head(database)?.quota_through;
    let mut pending = Pending {
        counts: QuotaCounts::new(),
        through,
    };
    file::each_after(database, through, |sequence, frame| {
        // A damaged batch counts nothing; it is reported when it is read for the sink.
        let batch = Batch::from_frame(sequence, bytes::Bytes::copy_from_slice(frame));
        if let Ok(events) = batch.and_then(|batch| batch.events()) {
            pending.add(&events);
        }
    })?;
    Ok(pending)
}

impl Pending {
    /// Counts the events of one more batch.
    pub(super) fn add(&mut self, events: &[Event]) {
        let mut run: Option<((i64, u128), u64)> = None;
        for Event::Call(call) in events {
            let Some((subscription, period)) = call.quota() else {
                continue;
            };
            let key = (period, subscription.uuid().as_u128());
            match &mut run {
                // Calls of one client come in runs, and a comparison is cheaper than a hash.
                Some((known, count)) if *known == key => *count += u64::from(call.units),
                _ => {
                    let before = run.replace((key, u64::from(call.units)));
                    self.add_run(before);
                }
            }
        }
        self.add_run(run);
    }

    fn add_run(&mut self, run: Option<((i64, u128), u64)>) {
        if let Some((key, count)) = run {
            *self.counts.entry(key).or_insert(0) += count;
        }
    }

    /// What has gathered.
    pub(super) fn counts(&self) -> &QuotaCounts {
        &self.counts
    }

    /// Whether it should go to the table together with a batch.
    pub(super) fn is_due(&self, sequence: u64) -> bool {
        self.counts.len() >= ROWS_MAX || sequence.saturating_sub(self.through) >= BATCHES_MAX
    }

    /// Forgets everything if the table has been brought up to date since.
    pub(super) fn forget_through(&mut self, through: u64) {
        if through != self.through {
            self.counts.clear();
            self.through = through;
        }
    }

    /// The counts of the table and these, without those of periods that are long past.
    pub(super) fn on_top_of(&self, mut stored: QuotaCounts) -> QuotaCounts {
        for (key, count) in &self.counts {
            let sum = stored.entry(*key).or_insert(0);
            *sum = sum.saturating_add(*count);
        }
        let newest = stored.keys().map(|(period, _)| *period).max().unwrap_or(0);
        stored.retain(|(period, _), _| *period >= newest.saturating_sub(QUOTA_SECONDS_KEPT));
        stored
    }
}
