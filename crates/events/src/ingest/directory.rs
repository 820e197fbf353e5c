//! Who may record events, and which kinds there are.

use std::collections::HashMap;
use std::sync::Arc;

use domain::consumer::KeyState;
use domain::id::{EventTypeId, OrganizationId, SdkKeyId};
use domain::key::{self, Hash};
use domain::limit::CallRate;
use domain::tracking::{EventTypeName, EventTypeState, SdkKeyKind};
use domain::{Name, Timestamp};
use rustc_hash::FxHashMap;
use serde_json::{Map, Value};

use super::Schema;

/// An SDK key, as an edge needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Its id.
    pub id: SdkKeyId,
    /// Whose events it records.
    pub organization: OrganizationId,
    /// Where they happen.
    pub environment: Name,
    /// Who holds it.
    pub kind: SdkKeyKind,
    /// Whose pages may use it; any if empty.
    pub origins: Vec<String>,
    /// Whether features are encrypted for SDKs of GrowthBook.
    pub encrypt_payload: bool,
    /// How many calls may come with it.
    pub rate_limit: Option<CallRate>,
    /// Whether it was revoked.
    pub state: KeyState,
    /// When it stops to be valid.
    pub expires_at: Option<Timestamp>,
}

impl Key {
    /// Whether a page of this origin may use the key; `None` is a program that is no browser.
    ///
    /// A key of a server is never to be seen by a browser, so no page may use it.
    pub fn admits(&self, origin: Option<&str>) -> bool {
        match (self.kind, origin) {
            (SdkKeyKind::Server, origin) => origin.is_none(),
            (SdkKeyKind::Client, _) if self.origins.is_empty() => true,
            (SdkKeyKind::Client, None) => false,
            (SdkKeyKind::Client, Some(origin)) => self.origins.iter().any(|known| is_of(origin, known)),
        }
    }
}

/// Whether an origin is the one that is meant, or below it: `https://*.shop.example`.
fn is_of(origin: &str, known: &str) -> bool {
    match known.split_once("*.") {
        None => origin.eq_ignore_ascii_case(known),
        Some((scheme, domain)) => {
            let rest = origin
                .split_at_checked(scheme.len())
                .filter(|(begin, _)| begin.eq_ignore_ascii_case(scheme));
            let Some((_, host)) = rest else { return false };
            let cut = host.len().saturating_sub(domain.len() + 1);
            host.split_at_checked(cut).is_some_and(|(below, end)| {
                !below.is_empty() && end.starts_with('.') && end[1..].eq_ignore_ascii_case(domain)
            })
        }
    }
}

/// A type of events, as an edge needs it.
#[derive(Debug)]
pub struct EventKind {
    /// Its id.
    pub id: EventTypeId,
    /// What events call it.
    pub name: EventTypeName,
    /// Whether events are taken.
    pub state: EventTypeState,
    /// What properties must satisfy.
    pub schema: Option<Schema>,
}

impl EventKind {
    /// Compiles a type. Schemas were compiled when they were saved; one that cannot be used any more is not checked, and
    /// the log says so.
    pub fn compile(
        (id, name): (EventTypeId, EventTypeName),
        state: EventTypeState,
        schema: Option<&Map<String, Value>>,
    ) -> Self {
        let schema = schema.map(Schema::new).transpose();
        let schema = schema.unwrap_or_else(|error| {
            tracing::error!(event_type = %id, %error, "the schema is not checked: it cannot be used any more");
            None
        });
        Self {
            id,
            name,
            state,
            schema,
        }
    }
}

/// Why a key does not open anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// It is not written as keys are.
    #[error("this is not a key: it was not copied whole, or something else was sent")]
    Malformed,
    /// Nobody has it.
    #[error("there is no such SDK key; keys of applications are others")]
    Unknown,
    /// It was revoked.
    #[error("the key was revoked")]
    Revoked,
    /// It has expired.
    #[error("the key has expired")]
    Expired,
}

/// The keys and types that hold at a moment.
#[derive(Debug, Default)]
pub struct Directory {
    keys: HashMap<Hash, Arc<Key>>,
    kinds: FxHashMap<OrganizationId, HashMap<EventTypeName, Arc<EventKind>>>,
}

impl Directory {
    /// Holds keys by the hash of their text, and types by their organization.
    pub fn new(
        keys: impl IntoIterator<Item = (Hash, Key)>,
        kinds: impl IntoIterator<Item = (OrganizationId, Arc<EventKind>)>,
    ) -> Self {
        let keys = keys
            .into_iter()
            .map(|(hash, key)| (hash, Arc::new(key)))
            .collect();
        let mut by_organization: FxHashMap<_, HashMap<_, _>> = FxHashMap::default();
        for (organization, kind) in kinds {
            by_organization
                .entry(organization)
                .or_default()
                .insert(kind.name.clone(), kind);
        }
        Self {
            keys,
            kinds: by_organization,
        }
    }

    /// Finds a key by its text.
    pub fn key(&self, text: &str, now: Timestamp) -> Result<&Arc<Key>, KeyFault> {
        let Some(found) = self.keys.get(&key::hash(text.as_bytes())) else {
            return Err(if key::parse(text).is_some() {
                KeyFault::Unknown
            } else {
                KeyFault::Malformed
            });
        };
        if found.state == KeyState::Revoked {
            return Err(KeyFault::Revoked);
        }
        match found.expires_at {
            Some(ends) if ends <= now => Err(KeyFault::Expired),
            _ => Ok(found),
        }
    }

    /// Finds a type of an organization by its name.
    pub fn kind(&self, organization: OrganizationId, name: &str) -> Option<&Arc<EventKind>> {
        self.kinds.get(&organization)?.get(name)
    }

    /// All types.
    pub fn kinds(&self) -> impl Iterator<Item = &Arc<EventKind>> {
        self.kinds.values().flat_map(HashMap::values)
    }
}
