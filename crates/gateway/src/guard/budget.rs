//! Bounds retries in relation to calls, so that a service in trouble is not asked twice as often as a healthy one.
//!
//! Per upstream and core. Source: Finagle's `RetryBudget`.

use std::cell::Cell;

/// Seconds whose calls count.
const SECONDS: u64 = 10;

/// What a core may send again.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    /// Calls and retries by second; each with the second it is of.
    seconds: [Cell<(u64, u32, u32)>; SECONDS as usize],
}

impl Budget {
    fn second(&self, now_ms: u64) -> &Cell<(u64, u32, u32)> {
        let second = now_ms / 1000;
        let cell = &self.seconds[usize::try_from(second % SECONDS).expect("below ten")];
        if cell.get().0 != second {
            cell.set((second, 0, 0));
        }
        cell
    }

    /// Notes a call.
    pub(crate) fn called(&self, now_ms: u64) {
        let cell = self.second(now_ms);
        let (second, calls, retries) = cell.get();
        cell.set((second, calls.saturating_add(1), retries));
    }

    /// Takes a retry; false if there have been enough.
    pub(crate) fn take(&self, percent: u8, per_second_min: u32, now_ms: u64) -> bool {
        let cell = self.second(now_ms);
        let (second, calls, retries) = cell.get();
        let (mut all_calls, mut all_retries) = (0, 0);
        for other in &self.seconds {
            let (of, calls, retries) = other.get();
            if of + SECONDS > second {
                all_calls += u64::from(calls);
                all_retries += u64::from(retries);
            }
        }
        let is_in_share = (all_retries + 1) * 100 <= all_calls * u64::from(percent);
        if !is_in_share && retries >= per_second_min {
            return false;
        }
        cell.set((second, calls, retries.saturating_add(1)));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::Budget;

    #[test]
    fn a_share_of_the_last_calls_and_some_per_second() {
        let budget = Budget::default();
        let take = |percent, min, now_ms| {
            (0..1000)
                .take_while(|_| budget.take(percent, min, now_ms))
                .count()
        };
        assert_eq!(take(20, 0, 0), 0, "nothing was called");
        (0..100).for_each(|_| budget.called(500));
        assert_eq!(take(20, 0, 900), 20);
        assert_eq!(take(20, 3, 1_000), 3, "the share is used up, the least is not");
        assert_eq!(take(20, 3, 1_999), 0);
        (0..100).for_each(|_| budget.called(9_500));
        assert_eq!(take(20, 0, 9_999), 17);
        assert_eq!(
            take(20, 0, 10_500),
            0,
            "the first second counts no more: 20 of 100 were made"
        );
        (0..10).for_each(|_| budget.called(10_600));
        assert_eq!(take(20, 0, 10_700), 2);
        assert_eq!(take(100, 0, 60_000), 0);
    }
}
