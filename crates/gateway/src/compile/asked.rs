//! Compiles what questions about feature flags are answered with.

use std::sync::Arc;

use domain::Snapshot;
use events::ingest::{Directory as SdkKeys, Key};
use flags::{Counts, Sets};

use super::Rejected;
use crate::desk::Desk;

/// Feature flags of all organizations, and the SDK keys that open them.
#[derive(Debug, Default)]
pub(crate) struct Flags {
    pub(crate) sets: Sets,
    pub(crate) directory: SdkKeys,
    /// How often which variants were given.
    pub(crate) counts: Arc<Counts>,
    /// Where documents for clients of other products are written.
    pub(crate) desk: Desk,
}

impl Flags {
    pub(super) fn compile(snapshot: &Snapshot, previous: Option<&Self>) -> Result<Self, Rejected> {
        let before = previous.map(|previous| &previous.sets);
        let counts = previous
            .map(|previous| Arc::clone(&previous.counts))
            .unwrap_or_default();
        let keys = snapshot.sdk_keys.iter().map(|key| {
            let known = Key {
                id: key.id,
                organization: key.organization,
                environment: snapshot.environment.clone(),
                kind: key.kind,
                origins: key.origins.clone(),
                encrypt_payload: key.encrypt_payload,
                state: key.state,
                expires_at: key.expires_at,
            };
            (key.hash, known)
        });
        Ok(Self {
            sets: Sets::compile(&snapshot.environment, &snapshot.flags, (before, &counts))?,
            directory: SdkKeys::new(keys, []),
            counts,
            desk: previous.map(|previous| previous.desk.clone()).unwrap_or_default(),
        })
    }
}
