//! Counts calls and failures of the last moments, from all cores, without a lock.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

const BUCKETS: u64 = 10;
const COUNT_BITS: u32 = 20;
const COUNT_MAX: u64 = (1 << COUNT_BITS) - 1;
const EPOCH_MASK: u64 = (1 << (64 - 2 * COUNT_BITS)) - 1;

/// A window that slides in tenths of its length.
///
/// Each bucket is one number: its epoch, the calls, the failures. More than a million calls in a tenth of the window
/// count as a million.
#[derive(Debug, Default)]
pub(crate) struct Window {
    buckets: [AtomicU64; BUCKETS as usize],
}

/// What a window has counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) calls: u64,
    pub(crate) failures: u64,
}

impl Counts {
    /// Whether that many calls are known and this share of them has failed; never for 0 percent.
    pub(crate) fn is_over(self, calls_min: u32, percent: u8) -> bool {
        percent > 0
            && self.calls >= u64::from(calls_min)
            && self.failures * 100 >= self.calls * u64::from(percent)
    }
}

impl Window {
    pub(crate) fn note(&self, now_ms: u64, window_ms: u32, is_failure: bool) {
        let epoch = epoch(now_ms, window_ms);
        let bucket = &self.buckets[usize::try_from(epoch % BUCKETS).expect("below ten")];
        let _ = bucket.fetch_update(Relaxed, Relaxed, |packed| {
            let (known, mut counts) = unpack(packed);
            if known != epoch & EPOCH_MASK {
                counts = Counts::default();
            }
            if counts.calls < COUNT_MAX {
                counts.calls += 1;
                counts.failures += u64::from(is_failure);
            }
            Some(pack(epoch & EPOCH_MASK, counts))
        });
    }

    pub(crate) fn counts(&self, now_ms: u64, window_ms: u32) -> Counts {
        let epoch = epoch(now_ms, window_ms);
        let mut sum = Counts::default();
        for bucket in &self.buckets {
            let (known, counts) = unpack(bucket.load(Relaxed));
            if (epoch.wrapping_sub(known) & EPOCH_MASK) < BUCKETS {
                sum.calls += counts.calls;
                sum.failures += counts.failures;
            }
        }
        sum
    }

    pub(crate) fn clear(&self) {
        for bucket in &self.buckets {
            bucket.store(0, Relaxed);
        }
    }
}

/// The number of the tenth of a window that a moment is in; 1 at least, so that empty buckets are old.
fn epoch(now_ms: u64, window_ms: u32) -> u64 {
    BUCKETS + now_ms / (u64::from(window_ms) / BUCKETS).max(1)
}

const fn pack(epoch: u64, counts: Counts) -> u64 {
    (epoch << (2 * COUNT_BITS)) | (counts.calls << COUNT_BITS) | counts.failures
}

const fn unpack(packed: u64) -> (u64, Counts) {
    let counts = Counts {
        calls: (packed >> COUNT_BITS) & COUNT_MAX,
        failures: packed & COUNT_MAX,
    };
    (packed >> (2 * COUNT_BITS), counts)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert_eq, proptest};

    use super::{Counts, Window};

    proptest! {
        #[test]
        fn it_counts_what_happened_in_the_last_nine_to_ten_tenths(
            mut notes in proptest::collection::vec((1_u64..30_000, any::<bool>()), 0..200),
        ) {
            notes.sort_unstable();
            let window = Window::default();
            for (now_ms, is_failure) in &notes {
                window.note(*now_ms, 10_000, *is_failure);
            }
            let last = notes.last().map_or(1, |(now_ms, _)| *now_ms);
            let from = (last / 1000).saturating_sub(9) * 1000;
            let inside = notes.iter().filter(|(now_ms, _)| *now_ms >= from);
            let expected = inside.fold(Counts::default(), |sum, (_, is_failure)| Counts {
                calls: sum.calls + 1,
                failures: sum.failures + u64::from(*is_failure),
            });
            prop_assert_eq!(window.counts(last, 10_000), expected);
            prop_assert_eq!(window.counts(last + 10_000, 10_000), Counts::default());
            window.clear();
            prop_assert_eq!(window.counts(last, 10_000), Counts::default());
        }
    }

    #[test]
    fn a_share_is_known_from_some_calls_on() {
        let counts = Counts {
            calls: 10,
            failures: 5,
        };
        assert!(counts.is_over(10, 50) && !counts.is_over(11, 50));
        assert!(!counts.is_over(10, 51) && !counts.is_over(1, 0));
    }
}
