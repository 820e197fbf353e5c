//! Contracts as consumers see them, kept for a while: making one of a document of 6 MB takes half a second.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use domain::id::ContractId;

/// The most documents that are kept.
const ENTRIES_MAX: usize = 256;
/// The most bytes that they have together.
const BYTES_MAX: usize = 64 * 1024 * 1024;

/// A contract as consumers see it.
#[derive(Debug, PartialEq, Eq)]
pub struct Rendered {
    /// The document as JSON.
    pub json: Arc<[u8]>,
    /// SHA-256 of it, in hexadecimal.
    pub sha256: String,
}

/// All that such a document is made of, but for what is the same for the whole life of the process. A contract
/// that was stored never changes, so there is nothing to be forgotten when a version gets another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source {
    /// The contract.
    pub(super) contract: ContractId,
    /// Where the gateway serves it.
    pub(super) server_url: String,
    /// The header that carries the key; absent if the API is open.
    pub(super) key_header: Option<String>,
}

/// The documents that were asked for last; bounded in number and bytes.
#[derive(Debug, Default)]
pub(crate) struct Cache(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    /// The one used last is in front.
    entries: VecDeque<(Source, Arc<Rendered>)>,
    bytes: usize,
}

impl Cache {
    /// The document of a source, if it is kept.
    pub(super) fn find(&self, source: &Source) -> Option<Arc<Rendered>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = kept.entries.iter().position(|(known, _)| known == source)?;
        let entry = kept.entries.remove(place)?;
        let found = Arc::clone(&entry.1);
        kept.entries.push_front(entry);
        Some(found)
    }

    /// Keeps a document, in place of those that were not asked for the longest.
    pub(super) fn keep(&self, source: Source, rendered: Arc<Rendered>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Two who asked at once have both made it.
        if kept.entries.iter().any(|(known, _)| *known == source) {
            return;
        }
        if rendered.json.len() > BYTES_MAX / 4 {
            // It would push out too many others.
            return;
        }
        kept.bytes += rendered.json.len();
        kept.entries.push_front((source, rendered));
        while kept.entries.len() > ENTRIES_MAX || kept.bytes > BYTES_MAX {
            let Some((_, oldest)) = kept.entries.pop_back() else {
                break;
            };
            kept.bytes -= oldest.json.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use domain::id::ContractId;
    use uuid::Uuid;

    use super::{BYTES_MAX, Cache, ENTRIES_MAX, Rendered, Source};

    fn source(key_header: Option<&str>) -> Source {
        Source {
            contract: ContractId::new(Uuid::nil()),
            server_url: "http://gateway".to_owned(),
            key_header: key_header.map(str::to_owned),
        }
    }

    fn of(bytes: usize) -> Arc<Rendered> {
        Arc::new(Rendered {
            json: vec![b' '; bytes].into(),
            sha256: bytes.to_string(),
        })
    }

    #[test]
    fn what_was_not_asked_for_goes_first() {
        let cache = Cache::default();
        let (one, other) = (source(None), source(Some("X-Key")));
        for source in [
            one.clone(),
            other.clone(),
            source(Some("third")),
            source(Some("fourth")),
        ] {
            cache.keep(source, of(BYTES_MAX / 4));
        }
        assert!(cache.find(&one).is_some());
        cache.keep(source(Some("fifth")), of(1));
        assert!(cache.find(&one).is_some() && cache.find(&other).is_none());
        cache.keep(source(Some("huge")), of(BYTES_MAX / 4 + 1));
        assert!(cache.find(&one).is_some() && cache.find(&source(Some("huge"))).is_none());
        assert_eq!(cache.0.lock().unwrap().bytes, BYTES_MAX / 4 * 3 + 1);
    }

    #[test]
    fn so_many_are_kept() {
        let cache = Cache::default();
        for number in 0..=ENTRIES_MAX {
            cache.keep(source(Some(&number.to_string())), of(1));
            cache.keep(source(Some(&number.to_string())), of(1));
        }
        assert!(cache.find(&source(Some("0"))).is_none());
        assert_eq!(cache.0.lock().unwrap().bytes, ENTRIES_MAX);
    }
}
