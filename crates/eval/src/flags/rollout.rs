//! Shares that grow by a schedule.

use super::{Units, WHOLE};

/// A share of all that is another one from some moments on.
#[derive(Debug)]
pub(super) struct Rollout {
    pub(super) by: Units,
    /// The places of the variant that the share gets, and of the one that all others get.
    pub(super) serve: usize,
    pub(super) others: usize,
    /// The share before the first step, in thousandths of a percent.
    pub(super) start: u32,
    /// From which moment on, in microseconds, it is which; one after the other.
    pub(super) steps: Box<[(i64, u32)]>,
    /// Whether it grows from each step to the next all the time.
    pub(super) is_smooth: bool,
}

impl Rollout {
    /// The share at a moment, in thousandths of a percent: what is less than one is cut off from the way that the share
    /// has gone since the last step.
    pub(super) fn share(&self, now_micros: i64) -> u32 {
        let passed = self.passed(now_micros);
        let Some((begun, from)) = passed.checked_sub(1).map(|last| self.steps[last]) else {
            return self.start;
        };
        let Some((ends, to)) = self.steps.get(passed).filter(|_| self.is_smooth) else {
            return from;
        };
        let way = u128::from(to.abs_diff(from));
        let gone = way * u128::from(now_micros.abs_diff(begun)) / u128::from(ends.abs_diff(begun));
        let gone = u32::try_from(gone).unwrap_or(0);
        match *to >= from {
            true => from + gone,
            false => from - gone,
        }
    }

    /// Whether the first step is behind a moment.
    pub(super) fn has_begun(&self, now_micros: i64) -> bool {
        self.passed(now_micros) > 0
    }

    /// When the next step is, and the share from then on.
    pub(super) fn next(&self, now_micros: i64) -> Option<(i64, u32)> {
        self.steps.get(self.passed(now_micros)).copied()
    }

    /// The variant that a hash falls on, as in a split of the share.
    pub(super) fn variant(&self, hash: u32, now_micros: i64) -> usize {
        let share = self.share(now_micros);
        let (first, second, weight) = match self.serve < self.others {
            true => (self.serve, self.others, share),
            false => (self.others, self.serve, WHOLE - share),
        };
        let end = (u64::from(weight) << 32).div_ceil(u64::from(WHOLE));
        if u64::from(hash) < end { first } else { second }
    }

    /// How many steps are behind a moment.
    fn passed(&self, now_micros: i64) -> usize {
        self.steps.partition_point(|(at, _)| *at <= now_micros)
    }
}
