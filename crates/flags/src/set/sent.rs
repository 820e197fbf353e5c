//! Definitions as JSON: what SDKs that evaluate by themselves are sent, and what is read of it again.

use std::collections::BTreeMap;

use bytes::Bytes;
use domain::Name;
use domain::snapshot::FlagSet;
use eval::definition::{Definitions, Flag, Segment};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use xxhash_rust::xxh3::xxh3_128;

/// What was written here is JSON of that form.
const READABLE: &str = "what was written is read";

#[derive(Serialize)]
struct Sent<'s> {
    environment: &'s Name,
    flags: BTreeMap<&'s str, SentFlag<'s>>,
    segments: &'s BTreeMap<String, Segment>,
}

#[derive(Serialize)]
struct SentFlag<'s> {
    r#type: &'s str,
    #[serde(flatten)]
    definition: &'s Flag,
}

#[derive(Deserialize)]
struct Found {
    flags: BTreeMap<String, Flag>,
    segments: BTreeMap<String, Segment>,
}

#[derive(Deserialize)]
struct Parts<'s> {
    #[serde(borrow)]
    flags: BTreeMap<String, &'s RawValue>,
    #[serde(borrow)]
    segments: &'s RawValue,
}

/// Writes the definitions of an environment: `{"environment", "flags", "segments"}`, of each flag its type too.
pub(super) fn write(environment: &Name, source: &FlagSet) -> Bytes {
    let flags = source.flags.iter().map(|flag| {
        let sent = SentFlag {
            r#type: flag.r#type.as_str(),
            definition: &flag.definition,
        };
        (flag.key.as_str(), sent)
    });
    let sent = Sent {
        environment,
        flags: flags.collect(),
        segments: &source.segments,
    };
    let mut text = serde_json::to_vec(&sent).expect("its keys are texts");
    text.shrink_to_fit();
    text.into()
}

/// Reads what was written.
pub(super) fn read(sent: &[u8]) -> Definitions {
    let Found { flags, segments } = serde_json::from_slice(sent).expect(READABLE);
    Definitions { flags, segments }
}

/// The flags of a set as they are told apart from those of another one.
#[derive(Debug)]
pub struct Seen {
    /// What all segments are.
    pub(crate) segments: u128,
    /// The flags in the order of their keys.
    pub(crate) flags: Box<[SeenFlag]>,
}

/// A flag as it is told apart from another one.
#[derive(Debug)]
pub(crate) struct SeenFlag {
    pub(crate) key: Box<str>,
    pub(crate) client_side: bool,
    /// What its definition is.
    pub(crate) definition: u128,
}

impl Seen {
    /// Reads what was written.
    pub(super) fn read(sent: &[u8], client_side: impl Fn(&str) -> bool) -> Self {
        let parts: Parts<'_> = serde_json::from_slice(sent).expect(READABLE);
        let flags = parts.flags.into_iter().map(|(key, definition)| SeenFlag {
            client_side: client_side(&key),
            key: key.into(),
            definition: xxh3_128(definition.get().as_bytes()),
        });
        Self {
            segments: xxh3_128(parts.segments.get().as_bytes()),
            flags: flags.collect(),
        }
    }
}
