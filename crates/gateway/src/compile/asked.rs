//! Compiles what the holders of SDK keys are answered with: feature flags, and types of events.

use std::collections::HashMap;
use std::sync::Arc;

use domain::Snapshot;
use domain::id::EventTypeId;
use domain::snapshot::{EventType, SdkKey};
use events::ingest::{Directory as SdkKeys, EventKind, Key};
use flags::{Counts, Sets};
use policy::gate::KeyRates;

use super::Rejected;
use crate::desk::Desk;

/// Feature flags of all organizations, and the SDK keys that open them.
#[derive(Debug, Default)]
pub(crate) struct Flags {
    pub(crate) sets: Sets,
    /// Keys, and the types of events that may be recorded with them; whole calls are read by it elsewhere.
    pub(crate) directory: Arc<SdkKeys>,
    /// The types by their revision, so that a change does not compile all of them.
    kinds: Kinds,
    /// How often which variants were given.
    pub(crate) counts: Arc<Counts>,
    /// Where documents for clients of other products are written.
    pub(crate) desk: Desk,
    /// What is remembered of keys that may be used so often only.
    pub(crate) rates: Arc<KeyRates>,
}

type Kinds = HashMap<EventTypeId, (i64, Arc<EventKind>)>;

impl Flags {
    pub(super) fn compile(snapshot: &Snapshot, previous: Option<&Self>) -> Result<Self, Rejected> {
        let before = previous.map(|previous| &previous.sets);
        let counts = previous
            .map(|previous| Arc::clone(&previous.counts))
            .unwrap_or_default();
        let keys = snapshot
            .sdk_keys
            .iter()
            .map(|key| (key.hash, known(snapshot, key)));
        let kinds = compile_kinds(&snapshot.event_types, previous.map(|previous| &previous.kinds));
        let by_organization = snapshot
            .event_types
            .iter()
            .map(|it| (it.organization, Arc::clone(&kinds[&it.id].1)));
        Ok(Self {
            sets: Sets::compile(&snapshot.environment, &snapshot.flags, (before, &counts))?,
            directory: Arc::new(SdkKeys::new(keys, by_organization)),
            kinds,
            counts,
            desk: previous.map(|previous| previous.desk.clone()).unwrap_or_default(),
            rates: previous
                .map(|previous| Arc::clone(&previous.rates))
                .unwrap_or_default(),
        })
    }
}

fn known(snapshot: &Snapshot, key: &SdkKey) -> Key {
    Key {
        id: key.id,
        organization: key.organization,
        environment: snapshot.environment.clone(),
        kind: key.kind,
        origins: key.origins.clone(),
        encrypt_payload: key.encrypt_payload,
        rate_limit: key.rate_limit,
        state: key.state,
        expires_at: key.expires_at,
    }
}

fn compile_kinds(types: &[EventType], previous: Option<&Kinds>) -> Kinds {
    let compiled = types.iter().map(|it| {
        let known = previous.and_then(|previous| previous.get(&it.id));
        let kind = match known.filter(|(revision, _)| *revision == it.revision) {
            Some((_, kind)) => Arc::clone(kind),
            None => Arc::new(EventKind::compile(
                (it.id, it.name.clone()),
                it.state,
                it.schema.as_ref(),
            )),
        };
        (it.id, (it.revision, kind))
    });
    compiled.collect()
}
