//! What edges that take events and evaluate flags need to know: keys, event types and flags of all organizations.
//!
//! It is read when something has changed and kept until then, so that no event and no evaluation waits for the database.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use domain::id::EventTypeId;
use domain::tracking::{EventType, EventTypeSpec, SdkKey};
use events::ingest::{Directory, EventKind, Key};
use policy::Moment;
use policy::gate::KeyRates;

use crate::flag::FlagSets;
use crate::{Control, Error};

/// How long ended keys stay known, so that their holders hear that they have ended.
const ENDED_KEPT: Duration = Duration::from_secs(30 * 86_400);
/// How often the database is asked whether another process has changed something.
const POLL: Duration = Duration::from_millis(500);

/// What was read last.
#[derive(Default)]
pub(crate) struct Kept {
    found: Mutex<Option<Found>>,
    rates: KeyRates,
}

struct Found {
    revision: u64,
    /// How many changes this process had made before.
    changes: u64,
    checked_at: Instant,
    edge: Edge,
    /// Compiled types by their revision, so that a change does not compile all of them.
    kinds: HashMap<EventTypeId, (i64, Arc<EventKind>)>,
}

/// What edges need to know of all organizations.
#[derive(Clone)]
struct Edge {
    directory: Arc<Directory>,
    flags: Arc<FlagSets>,
}

impl Kept {
    fn lock(&self) -> MutexGuard<'_, Option<Found>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Control {
    /// The keys and event types of all organizations, as edges need them.
    ///
    /// What this process has changed is in it at once, what another one has, within a second. While the database is
    /// away it stays as it was.
    ///
    /// # Errors
    /// Those of the database, if nothing was read yet.
    pub async fn directory(&self) -> Result<Arc<Directory>, Error> {
        Ok(self.edge().await?.directory)
    }

    /// Counts a call with an SDK key.
    ///
    /// # Errors
    /// `rate_limited`: there were as many as the key may make at each process that answers.
    pub fn admit_call(&self, key: &Key) -> Result<(), Error> {
        static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
        let Some(rate) = key.rate_limit else {
            return Ok(());
        };
        let moment = Moment {
            calendar: self.now(),
            steady_ns: BEGAN.elapsed().as_nanos() as u64,
        };
        let admitted = self.inner.edge.rates.admit(key.id, rate, moment);
        admitted.map_err(|refusal| Error::Refused {
            code: refusal.code,
            detail: refusal.detail.into_owned(),
            errors: Vec::new(),
            retry_after: refusal.retry_after_seconds,
        })
    }

    /// The feature flags of all organizations, as [`directory`](Self::directory).
    ///
    /// # Errors
    /// Those of the database, if nothing was read yet.
    pub async fn flag_sets(&self) -> Result<Arc<FlagSets>, Error> {
        Ok(self.edge().await?.flags)
    }

    /// The flags that were read last, by whoever it was.
    pub(crate) fn known_flag_sets(&self) -> Option<Arc<FlagSets>> {
        let kept = self.inner.edge.lock();
        kept.as_ref().map(|found| Arc::clone(&found.edge.flags))
    }

    async fn edge(&self) -> Result<Edge, Error> {
        let changes = *self.inner.changes.borrow();
        let known = {
            let mut kept = self.inner.edge.lock();
            match kept.as_mut() {
                Some(found) if found.changes == changes && found.checked_at.elapsed() < POLL => {
                    return Ok(found.edge.clone());
                }
                Some(found) => {
                    // Others need not ask at the same time.
                    found.checked_at = Instant::now();
                    Some((found.revision, found.edge.clone()))
                }
                None => None,
            }
        };
        // In a box: what is seldom waited for need not be in every future that may.
        let revision = known.as_ref().map(|(revision, _)| *revision);
        let newer = Box::pin(self.newer_edge(changes, revision)).await;
        match (newer, known) {
            (Ok(edge), _) => Ok(edge),
            (Err(error), Some((_, edge))) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "keys, event types and flags stay as they were"
                );
                Ok(edge)
            }
            (Err(error), None) => Err(error),
        }
    }

    async fn newer_edge(&self, changes: u64, known: Option<u64>) -> Result<Edge, Error> {
        let mut tx = self.store().begin_read().await?;
        let revision = store::snapshot::revision(&mut tx).await?;
        if known == Some(revision)
            && let Some(found) = self.inner.edge.lock().as_mut()
        {
            found.changes = found.changes.max(changes);
            return Ok(found.edge.clone());
        }
        let keys = store::tracking::keys(&mut tx, self.now().before(ENDED_KEPT)).await?;
        let types = store::tracking::event_types(&mut tx).await?;
        // Compiled before anybody has to wait for it.
        let flags = FlagSets::read(&mut tx, self.known_flag_sets().as_deref()).await?;
        drop(tx);
        let mut kept = self.inner.edge.lock();
        let before = kept.as_ref().map(|found| &found.kinds);
        let mut kinds = HashMap::with_capacity(types.len());
        let mut all = Vec::with_capacity(types.len());
        for it in types {
            let known = before.and_then(|kinds| kinds.get(&it.id));
            let kind = match known.filter(|(revision, _)| *revision == it.revision) {
                Some((_, kind)) => Arc::clone(kind),
                None => Arc::new(kind_of(&it)),
            };
            all.push((it.organization_id, Arc::clone(&kind)));
            kinds.insert(it.id, (it.revision, kind));
        }
        let keys = keys.into_iter().map(|(hash, key)| (hash, key_of(key)));
        let edge = Edge {
            directory: Arc::new(Directory::new(keys, all)),
            flags: Arc::new(flags),
        };
        if kept.as_ref().is_none_or(|found| found.revision <= revision) {
            *kept = Some(Found {
                revision,
                changes,
                checked_at: Instant::now(),
                edge: edge.clone(),
                kinds,
            });
        }
        Ok(edge)
    }
}

fn key_of(key: SdkKey) -> Key {
    Key {
        id: key.id,
        organization: key.organization_id,
        environment: key.spec.environment,
        kind: key.spec.kind,
        origins: key.spec.origins,
        encrypt_payload: key.spec.encrypt_payload,
        rate_limit: key.spec.rate_limit,
        state: key.state,
        expires_at: key.spec.expires_at,
    }
}

fn kind_of(it: &EventType) -> EventKind {
    let EventTypeSpec {
        name, state, schema, ..
    } = &it.spec;
    EventKind::compile((it.id, name.clone()), *state, schema.as_ref())
}
