//! Places where a test may let the process die, to prove what survives.
//!
//! Armed by `GATELINE_FAULT=<name>:<n>`: the n-th time the place is passed, the process aborts, without unwinding
//! and without running a destructor, as after `kill -9`. Compiled only with debug assertions; a release build
//! has no trace of it.

/// Passes a named place.
#[cfg(debug_assertions)]
pub fn point(name: &str) {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    static ARMED: OnceLock<Option<(String, u64)>> = OnceLock::new();
    static PASSED: AtomicU64 = AtomicU64::new(0);

    let armed = ARMED.get_or_init(|| {
        let setting = std::env::var("GATELINE_FAULT").ok()?;
        let (name, count) = setting.rsplit_once(':')?;
        Some((name.to_owned(), count.parse().ok()?))
    });
    if let Some((wanted, count)) = armed
        && wanted == name
        && PASSED.fetch_add(1, Ordering::Relaxed) + 1 == *count
    {
        std::process::abort();
    }
}

/// Passes a named place.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub fn point(_name: &str) {}
