//! How often which variants are given, until somebody takes the counts.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::Name;
use domain::id::OrganizationId;

/// What is counted: a variant of a flag.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Given {
    /// Whose flag it is.
    pub organization: OrganizationId,
    /// The environment's name.
    pub environment: Name,
    /// The flag's key.
    pub key: Box<str>,
    /// The variant's name.
    pub variant: Box<str>,
}

/// The counts of sets that are gone, and of those that were [settled](crate::Sets::settle).
#[derive(Debug, Default)]
pub struct Counts(Mutex<HashMap<Given, u64>>);

impl Counts {
    /// Adds to a count.
    pub fn add(&self, given: Given, count: u64) {
        *self.lock().entry(given).or_default() += count;
    }

    /// Takes what was counted; from then on it is counted from nothing.
    pub fn take(&self) -> Vec<(Given, u64)> {
        std::mem::take(&mut *self.lock()).into_iter().collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Given, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The counts of one set, a number for each variant of each flag.
#[derive(Debug)]
pub(crate) struct Counter {
    given: Box<[AtomicU64]>,
    counts: Arc<Counts>,
}

impl Counter {
    pub(crate) fn new(variants: usize, counts: &Arc<Counts>) -> Self {
        Self {
            given: (0..variants).map(|_| AtomicU64::new(0)).collect(),
            counts: Arc::clone(counts),
        }
    }

    /// Counts one more at a place.
    pub(crate) fn note(&self, place: usize) {
        if let Some(given) = self.given.get(place) {
            given.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Hands over what was counted; `names` has one for each place.
    pub(crate) fn settle<T>(&self, names: impl Iterator<Item = T>, given: impl Fn(T) -> Given) {
        for (counted, name) in self.given.iter().zip(names) {
            // Most flags were not asked for since the last time.
            if counted.load(Ordering::Relaxed) > 0 {
                self.counts.add(given(name), counted.swap(0, Ordering::Relaxed));
            }
        }
    }
}
