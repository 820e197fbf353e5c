//! The control plane of this process: use cases, their HTTP edge, and what is done from time to time.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use control::secret::Secrets;
use control::tracking::IdSettings;
use control::{Control, system_clock};
use domain::session::FirstAdmin;
use domain::{Name, Snapshot};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::tracking::{self, OwnLog};
use super::{Error, Node, Stop, lake, url};
use crate::folder::{self, Folder, write_private};
use crate::settings::Settings;

/// How long calls under way may take once the API is told to stop.
const DRAIN: Duration = Duration::from_secs(10);

/// Takes an address to listen on, before anything else is done that would have to be undone.
pub(super) async fn bind(address: SocketAddr) -> Result<TcpListener, Error> {
    TcpListener::bind(address).await.map_err(|source| Error::Listen {
        who: "control plane",
        setting: "control.listen",
        flag: "--control",
        address,
        source,
    })
}

/// The open control plane.
pub(super) struct Plane {
    control: Control,
    door: Option<TcpListener>,
    url: String,
    edge: api::Settings,
    lake_interval: Duration,
    stop: Stop,
    tasks: Vec<JoinHandle<()>>,
    /// For tracked events, if there is no node to take them.
    log: Option<OwnLog>,
}

impl Plane {
    /// Opens database and secrets; an empty database gets what a first start needs.
    pub(super) async fn open(
        settings: &Settings,
        folder: &Folder,
        door: TcpListener,
        gateway: String,
    ) -> Result<Self, Error> {
        let address = door.local_addr().map_err(|source| Error::Runtime { source })?;
        let url = url(address);
        let control_url = settings.control.public_url.clone().unwrap_or_else(|| url.clone());
        let database = database(settings, folder.path());
        if let Some(token) = settings.cluster.read_token().map_err(Error::ClusterToken)? {
            let path = folder.sub("secrets")?.join("cluster.token");
            write_private(&path, &token).map_err(|source| folder::Error::Unusable { path, source })?;
        }
        let secret = || {
            let secrets = Secrets::open(&folder.path().join("secrets"));
            let secrets = secrets.map_err(|error| Error::Control(Box::new(error)))?;
            Ok(secrets.cluster_token().to_owned())
        };
        let lake = lake::open(&settings.lake, folder, secret)?;
        let control = Control::open(control::Settings {
            database: database.clone(),
            data_dir: folder.path().to_owned(),
            gateway_url: settings
                .control
                .gateway_url
                .clone()
                .unwrap_or_else(|| gateway.clone()),
            control_url: control_url.clone(),
            clock: system_clock(),
            lake,
            alerts: settings.alerts.control(),
            event_ids: IdSettings {
                window: Duration::from_secs(settings.tracking.duplicates_seconds),
                ids_max: settings.tracking.duplicates_max,
            },
        });
        let control = control.await.map_err(|error| database_error(error, &database))?;
        let mut edge = api::Settings::new(control_url);
        edge.gateway_url = Some(gateway);
        edge.cors_origins.clone_from(&settings.control.cors_origins);
        edge.trusts_proxy = settings.control.trusts_proxy;
        tracing::info!(%address, "control plane listens");
        Ok(Self {
            control,
            door: Some(door),
            url,
            edge,
            lake_interval: settings.lake.commit_interval(),
            stop: Stop::new(),
            tasks: Vec::new(),
            log: None,
        })
    }

    /// How programs on this machine reach it.
    pub(super) fn url(&self) -> String {
        self.url.clone()
    }

    /// What gateway nodes of an environment are to serve, as it changes.
    pub(super) async fn snapshots(
        &self,
        environment: &Name,
    ) -> Result<watch::Receiver<Arc<Snapshot>>, Error> {
        self.control
            .snapshots(environment)
            .await
            .map_err(|error| Error::Control(Box::new(error)))
    }

    /// Counts batches of nodes, and tells whoever listens.
    pub(super) fn counter(&self) -> control::usage::Counter {
        self.control.usage_counter()
    }

    /// The least time between two commits of the lake.
    pub(super) fn lake_interval(&self) -> Duration {
        self.lake_interval
    }

    /// What nodes and control plane both know.
    pub(super) fn cluster_token(&self) -> &str {
        self.control.secrets().cluster_token()
    }

    /// Who may sign in first; `None` once nobody knows the password any more.
    pub(super) fn first_admin(&self) -> Result<Option<FirstAdmin>, Error> {
        self.control
            .first_admin()
            .map_err(|error| Error::Control(Box::new(error)))
    }

    /// The use cases.
    pub(super) fn control(&self) -> Control {
        self.control.clone()
    }

    /// Begins to answer and to do what is done from time to time; tracked events go to the node's log, or to one of
    /// its own.
    pub(super) fn serve(
        &mut self,
        settings: &Settings,
        folder: &Folder,
        node: Option<&Node>,
    ) -> Result<(), Error> {
        let Some(door) = self.door.take() else {
            return Ok(());
        };
        if node.is_none() {
            self.log = Some(OwnLog::open(
                settings,
                folder,
                (self.counter(), self.control.lake_sink()),
            )?);
        }
        let ingest = node.map(Node::ingest).or(self.log.as_ref().map(OwnLog::ingest));
        self.edge
            .figures
            .extend(ingest.map(tracking::figures).unwrap_or_default());
        self.edge.ingest = ingest.cloned();
        let jobs = control::jobs::run(self.control.clone(), self.stop.receiver());
        self.tasks.push(tokio::spawn(jobs));
        let counting = control::jobs::count_flags(self.control.clone(), self.stop.receiver());
        self.tasks.push(tokio::spawn(counting));
        let orders = control::acme::run(self.control.clone(), self.stop.receiver());
        self.tasks.push(tokio::spawn(orders));
        let tidying = control::lake::run(self.control.clone(), self.stop.receiver());
        self.tasks.push(tokio::spawn(tidying));
        let alerts = control::alert::run(self.control.clone(), self.stop.receiver());
        self.tasks.push(tokio::spawn(alerts));
        self.edge.stopping = Some(self.stop.receiver());
        if let Some(node) = node {
            node.observe(&mut self.edge);
        }
        let router = api::router(self.control.clone(), self.edge.clone());
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        let served = axum::serve(door, service).with_graceful_shutdown(self.stop.told());
        self.tasks.push(tokio::spawn(async move {
            if let Err(error) = served.await {
                tracing::error!(%error, "the API stopped");
            }
        }));
        Ok(())
    }

    /// Finishes calls under way and closes the database.
    pub(super) async fn stop(self) {
        self.stop.now();
        let all = async {
            for task in self.tasks {
                // A task that panicked has ended, too.
                let _ = task.await;
            }
        };
        if tokio::time::timeout(DRAIN, all).await.is_err() {
            tracing::warn!(
                seconds = DRAIN.as_secs(),
                "calls of the API under way were cut off"
            );
        }
        if let Some(log) = self.log {
            log.stop().await;
        }
        self.control.store().close().await;
    }
}

/// The address of the database: that of the settings, or the file in the data directory.
pub(crate) fn database(settings: &Settings, folder: &Path) -> String {
    match &settings.database.url {
        Some(url) => url.0.clone(),
        None => format!("sqlite:{}", folder.join("gateline.db").display()),
    }
}

/// Tells what the database is to blame for from the rest.
pub(crate) fn database_error(error: control::Error, database: &str) -> Error {
    match error {
        control::Error::Store(source) => Error::Database {
            database: without_password(database),
            source: Box::new(source),
        },
        other => Error::Control(Box::new(other)),
    }
}

/// The database's address for messages.
fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    format!("{scheme}://{host}")
}

#[cfg(test)]
mod tests {
    use super::without_password;

    #[test]
    fn messages_name_the_database_without_its_password() {
        assert_eq!(
            without_password("postgres://u:p@ss@h:5432/d"),
            "postgres://h:5432/d"
        );
        assert_eq!(without_password("sqlite:/a/b.db"), "sqlite:/a/b.db");
    }
}
