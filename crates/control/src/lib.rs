//! The use cases of the control plane: who may do what, and what happens then.
//!
//! Every change goes the same way: the caller is authorized ([`access`]), the new state is checked against what
//! is there, it is written together with its audit entry ([`audit`]) in one transaction, and gateways hear of it.
//! [`resource`] does that for everything that is created, read, listed, changed and removed; what is more than
//! that (sign-in, import, key rotation) has a module of its own. No HTTP here: `api` is the edge.

pub mod access;
pub mod audit;
mod error;
pub mod resource;

use std::sync::Arc;

use domain::Timestamp;
use store::Store;
use uuid::Uuid;

pub use access::Caller;
pub use error::{Error, FieldError};

/// The control plane: everything its use cases need.
#[derive(Clone)]
pub struct Control {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    clock: Clock,
    access: access::Access,
    /// Told after every change that gateways have to hear of; the snapshot builder listens.
    changes: tokio::sync::watch::Sender<u64>,
}

/// Tells the time; tests pass their own.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

impl Control {
    /// Puts a control plane on an opened store.
    pub fn new(store: Store, clock: Clock) -> Result<Self, Error> {
        let access = access::Access::new()?;
        let (changes, _) = tokio::sync::watch::channel(0);
        Ok(Self {
            inner: Arc::new(Inner {
                store,
                clock,
                access,
                changes,
            }),
        })
    }

    /// The store, for reading what needs no rules.
    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    /// What time it is.
    pub fn now(&self) -> Timestamp {
        (self.inner.clock)()
    }

    /// Makes the UUIDv7 of a new id.
    pub fn uuid(&self) -> Uuid {
        Uuid::now_v7()
    }

    /// Hears of every change that concerns gateways; the number only says that something happened.
    pub fn changes(&self) -> tokio::sync::watch::Receiver<u64> {
        self.inner.changes.subscribe()
    }

    /// Tells whoever listens to [`changes`](Self::changes).
    fn announce(&self) {
        self.inner.changes.send_modify(|count| *count += 1);
    }
}
