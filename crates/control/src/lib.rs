//! The use cases of the control plane: who may do what, and what happens then.
//!
//! Every change goes the same way: the caller is authorized ([`access`]), the new state is checked against what
//! is there, it is written together with its audit entry ([`audit`]) in one transaction, and gateways hear of it.
//! [`resource`] does that for everything that is created, read, listed, changed and removed; what is more than
//! that (sign-in, import, key rotation) has a module of its own. No HTTP here: `api` is the edge.
//!
//! Start with [`Control::open`], then [`auth`] for how a request becomes a [`Caller`].

pub mod access;
pub mod acme;
pub mod alert;
pub mod analytics;
pub mod audit;
pub mod auth;
mod bootstrap;
pub mod catalogue;
mod contract;
mod counter;
mod credential;
mod edge;
mod error;
mod explain;
#[cfg(test)]
mod fixture;
pub mod flag;
pub mod idempotency;
mod import;
pub mod jobs;
mod key;
pub mod lake;
pub mod live;
mod node;
mod notice;
mod place;
mod question;
mod quota;
mod recent;
mod remark;
pub mod report;
pub mod resource;
pub mod secret;
mod snapshot;
pub mod tracking;
pub mod usage;
mod usual;
pub mod work;

use std::cmp::Ordering;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use domain::session::FirstAdmin;
use domain::{Code, Timestamp};
use store::Store;
use uuid::Uuid;

pub use access::Caller;
pub use contract::Rendered;
pub use counter::Counts;
pub use error::{Error, FieldError};

/// What a control plane is opened with.
#[derive(Clone)]
pub struct Settings {
    /// `sqlite:PATH` or `postgres://…`.
    pub database: String,
    /// Where `secrets/` and `admin.json` are.
    pub data_dir: PathBuf,
    /// Where API traffic goes, as `http://127.0.0.1:8080`, without a slash at the end.
    pub gateway_url: String,
    /// Where the control plane answers; the issuer of tokens.
    pub control_url: String,
    /// Tells the time: [`system_clock`], or a test's own.
    pub clock: Clock,
    /// What keeps every single call; none if absent.
    pub lake: Option<lake::Kept>,
    /// How alerts are looked for and told.
    pub alerts: alert::AlertSettings,
    /// How tracked events are recognised that came by several logs.
    pub event_ids: tracking::IdSettings,
}

/// The control plane: everything its use cases need.
#[derive(Clone)]
pub struct Control {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    settings: Settings,
    access: access::Access,
    secrets: secret::Secrets,
    tokens: auth::Signer,
    passwords: auth::Passwords,
    rendered: contract::rendered::Cache,
    works: work::Watchers,
    counters: counter::Counters,
    snapshots: snapshot::Watched,
    questions: question::Questions,
    edge: edge::Kept,
    event_ids: tracking::known::Known,
    hub: Arc<live::Hub>,
    topics: live::Topics,
    /// Turns to read what answers about calls are made of.
    asking: tokio::sync::Semaphore,
    /// Told after every change that gateways have to hear of; the snapshot builder listens.
    changes: tokio::sync::watch::Sender<u64>,
}

impl std::fmt::Debug for Control {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Control")
    }
}

/// Tells the time; tests pass their own.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The clock of the machine.
pub fn system_clock() -> Clock {
    Arc::new(|| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    })
}

impl Control {
    /// Opens the database, brings its schema up to date, and reads the secrets or makes them.
    ///
    /// An empty database gets what a first start needs (see [`first_admin`](Self::first_admin)).
    ///
    /// # Errors
    /// [`Error::Store`] if the database is away, locked, newer than this program or cannot be migrated;
    /// [`Error::Internal`] if the data directory cannot be used.
    pub async fn open(settings: Settings) -> Result<Self, Error> {
        let secrets = secret::Secrets::open(&settings.data_dir.join("secrets"))?;
        let store = Store::open(&settings.database).await?;
        let control = Self::assemble(store, settings, secrets)?;
        control.bootstrap().await?;
        Ok(control)
    }

    /// Opens a control plane that is there, perhaps beside one that runs: nothing is migrated, filled or made.
    ///
    /// # Errors
    /// As for [`open`](Self::open); `conflict` if the database was written by an older program, `not_found` if
    /// there is none, or no secrets beside it.
    pub async fn attach(settings: Settings) -> Result<Self, Error> {
        let directory = settings.data_dir.join("secrets");
        let file = settings.database.strip_prefix("sqlite:").map(Path::new);
        if let Some(missing) = [Some(directory.as_path()), file]
            .into_iter()
            .flatten()
            .find(|path| !path.exists())
        {
            let detail = format!("{} is not there; is the data directory right?", missing.display());
            return Err(Error::refused(Code::NotFound, detail));
        }
        let store = Store::connect(&settings.database).await?;
        let (found, known) = (store.schema_version().await?, store::migrate::known());
        match found.cmp(&known) {
            Ordering::Greater => Err(store::Error::Newer { found, known }.into()),
            Ordering::Less => {
                let detail = "The database was written by an older Gateline; start this one first.";
                Err(Error::refused(Code::Conflict, detail))
            }
            Ordering::Equal => Self::assemble(store, settings, secret::Secrets::open(&directory)?),
        }
    }

    /// Puts a control plane on an opened and migrated store, with secrets that live as long as the process and
    /// nothing in the database; for tests.
    pub fn new(store: Store, clock: Clock) -> Result<Self, Error> {
        let settings = Settings {
            database: String::new(),
            data_dir: PathBuf::new(),
            gateway_url: "http://127.0.0.1:8080".to_owned(),
            control_url: "http://127.0.0.1:8081".to_owned(),
            clock,
            lake: None,
            alerts: alert::AlertSettings::default(),
            event_ids: tracking::IdSettings::default(),
        };
        Self::assemble(store, settings, secret::Secrets::ephemeral()?)
    }

    fn assemble(store: Store, settings: Settings, secrets: secret::Secrets) -> Result<Self, Error> {
        let (changes, _) = tokio::sync::watch::channel(0);
        Ok(Self {
            inner: Arc::new(Inner {
                store,
                access: access::Access::new()?,
                tokens: auth::Signer::new(secrets.signing_key(), &settings.control_url)?,
                passwords: auth::Passwords::new()?,
                rendered: contract::rendered::Cache::default(),
                works: work::Watchers::default(),
                counters: counter::Counters::default(),
                snapshots: snapshot::Watched::default(),
                questions: question::Questions::default(),
                edge: edge::Kept::default(),
                event_ids: tracking::known::Known::default(),
                hub: Arc::default(),
                topics: live::Topics::default(),
                asking: tokio::sync::Semaphore::new(analytics::AT_ONCE),
                secrets,
                settings,
                changes,
            }),
        })
    }

    /// The first administrator as `admin.json` has it, whether made just now or at an earlier start; `None` if
    /// the file is gone.
    ///
    /// # Errors
    /// [`Error::Internal`] if the file cannot be read.
    pub fn first_admin(&self) -> Result<Option<FirstAdmin>, Error> {
        bootstrap::read_admin(&self.inner.settings.data_dir)
    }

    /// What it was opened with.
    pub fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    /// The store, for reading what needs no rules.
    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    /// The secrets: the cluster token, MACs for cursors.
    pub fn secrets(&self) -> &secret::Secrets {
        &self.inner.secrets
    }

    /// Who may do what.
    pub fn access(&self) -> &access::Access {
        &self.inner.access
    }

    /// What was counted since the start, and how many live streams are open, for metrics.
    pub fn counts(&self) -> Counts {
        Counts {
            streams: self.inner.hub.streams(),
            stream_missed: self.inner.hub.missed(),
            ..self.inner.counters.read()
        }
    }

    /// Where a screen of the console is.
    pub(crate) fn console_url(&self, path: &str) -> String {
        let root = self.settings().control_url.trim_end_matches('/');
        format!("{root}/console/{path}")
    }

    /// What time it is.
    pub fn now(&self) -> Timestamp {
        (self.inner.settings.clock)()
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
