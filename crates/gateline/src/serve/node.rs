//! The gateway node of this process: data plane, log, and what connects them to the control plane.

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use domain::snapshot::Packed;
use domain::{Name, Snapshot};
use events::pump::PumpSettings;
use events::{Ingest, Log, Pump, Sink, WhenFull, sink};
use gateway::feed::{self, HttpSink};
use gateway::{Gateway, Inheritance, Records, Sealing};
use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_blocking};

use super::{Error, Plane, Stop, tracking, url};
use crate::folder::Folder;
use crate::settings::{self, Settings};

/// How long what is in the log may take to reach its sink then; what does not stays in the log.
const LAST_SHIPPING: Duration = Duration::from_secs(10);

/// How long to wait before another try when the database is away.
const PAUSE: Duration = Duration::from_secs(1);

/// The running node.
pub(super) struct Node {
    gateway: Gateway,
    environment: Name,
    snapshots: watch::Sender<Arc<Snapshot>>,
    log: Arc<Log>,
    pump: Arc<Pump>,
    ingest: Ingest,
    copy: PathBuf,
    sealing: Sealing,
    /// The settings that were read last.
    in_force: gateway::Settings,
    stop: Stop,
    tasks: Vec<JoinHandle<()>>,
}

impl Node {
    /// Opens the log and starts to listen, with sockets that are there already; until there is a snapshot, calls are answered with `not_ready`.
    pub(super) fn start(
        settings: &Settings,
        folder: &Folder,
        mut sockets: Inheritance,
    ) -> Result<Self, Error> {
        let home = folder.sub("gateway")?;
        let log = Arc::new(Log::open(&home.join("log.redb"), settings.usage.log())?);
        let pump = PumpSettings {
            commit_interval: Duration::from_millis(settings.usage.commit_interval_ms),
            ring_capacity: settings.usage.ring_capacity,
            when_full: match settings.usage.when_full {
                settings::WhenFull::Serve => WhenFull::Serve,
                settings::WhenFull::Refuse => WhenFull::Refuse,
            },
        };
        let ingest = tracking::ingest(&log, settings)?;
        let pump = Pump::start_with(Arc::clone(&log), pump, Some(ingest.intake().clone()))
            .map_err(|source| Error::Runtime { source })?;
        let pump = Arc::new(pump);
        let counts = log.quota_counts()?;
        let recorders = Arc::clone(&pump);
        let records = Records {
            recorder: Box::new(move || recorders.recorder()),
            log: Some(Arc::clone(&log)),
            counts,
            ingest: Some(ingest.clone()),
        };
        let environment = settings.gateway.environment.clone();
        let (snapshots, receiver) = watch::channel(Arc::new(Snapshot::empty(environment.clone())));
        let own = settings.gateway.clone();
        let gateway = gateway::start_after(&mut sockets, own, folder.path(), records, receiver)
            .map_err(|error| named(error, &settings.gateway))?;
        tracing::info!(address = %gateway.addresses().plain, %environment, "gateway listens");
        let copy = home.join("snapshot");
        Ok(Self {
            gateway,
            environment,
            snapshots,
            log,
            pump,
            ingest,
            copy,
            sealing: settings.gateway.sealing.clone(),
            in_force: settings.gateway.clone(),
            stop: Stop::new(),
            tasks: Vec::new(),
        })
    }

    /// How others reach it.
    pub(super) fn url(&self) -> String {
        url(self.gateway.addresses().plain)
    }

    /// Waits until it is known whether the first snapshot can be served; whether it can, or nothing was heard in time.
    pub(super) async fn is_well(&self, within: Duration) -> bool {
        let mut statuses = self.gateway.statuses();
        let known = statuses.wait_for(|status| status.revision.is_some() || status.rejected.is_some());
        match tokio::time::timeout(within, known).await {
            Ok(Ok(status)) => status.rejected.is_none(),
            _ => true,
        }
    }

    /// Where providers of flagd are answered, if they have a place of their own.
    pub(super) fn flagd(&self) -> Option<SocketAddr> {
        self.gateway.addresses().flagd
    }

    /// What takes tracked events into its log.
    pub(super) fn ingest(&self) -> &Ingest {
        &self.ingest
    }

    /// What is wrong with it, and how much waits to be counted; for the control plane's health and figures.
    pub(super) fn observe(&self, edge: &mut api::Settings) {
        let statuses = self.gateway.statuses();
        edge.probes.push(api::Probe {
            name: "gateway",
            check: Arc::new(move || match statuses.borrow().missing() {
                missing if missing.is_empty() => Ok(()),
                missing => Err(missing.join("; ")),
            }),
        });
        let log = Arc::clone(&self.log);
        edge.figures.push(api::Figure {
            name: "gateline_log_batches",
            help: "Batches of calls and events in the durable log that are not counted yet, or not in the lake.",
            #[expect(clippy::cast_precision_loss, reason = "a figure for people; exact up to 2^53")]
            read: Arc::new(move || log.figures().batches as f64),
        });
    }

    /// Serves what the control plane of this process says, and has its calls counted there.
    pub(super) async fn follow(&mut self, plane: &Plane) -> Result<(), Error> {
        let mut built = plane.snapshots(&self.environment).await?;
        let token = plane.cluster_token().to_owned();
        self.sealing.trust(&token);
        let (copy, environment) = (self.copy.clone(), self.environment.clone());
        let feeder = self.gateway.feeder(self.snapshots.clone());
        self.spawn(async move {
            loop {
                let snapshot = built.borrow_and_update().clone();
                let mut is_served = feeder.offer(Arc::clone(&snapshot)).await;
                if !is_served && !feeder.serves() {
                    // What was served last is better than nothing; then it is said again what was rejected.
                    feeder
                        .offer(last(copy.clone(), token.clone(), environment.clone()).await)
                        .await;
                    is_served = feeder.offer(Arc::clone(&snapshot)).await;
                }
                if is_served {
                    save(copy.clone(), token.clone(), snapshot).await;
                }
                if built.changed().await.is_err() {
                    return;
                }
            }
        });
        let (control, node) = (plane.control(), self.log.node());
        let mut teller = self.gateway.teller(self.environment.clone());
        self.spawn(async move {
            while let Some(status) = teller.next().await {
                match control.note_node(node, status.clone()).await {
                    Ok(()) => teller.told(status),
                    Err(error) => {
                        tracing::debug!(%error, "the node's state is not noted");
                        tokio::time::sleep(PAUSE).await;
                    }
                }
            }
        });
        let (control, node) = (plane.control(), self.log.node());
        let memory = self.gateway.memory();
        self.spawn(async move {
            loop {
                match control.questions(node).await {
                    Ok(asked) => {
                        for question in asked {
                            let calls = memory.calls(&question.request_id).await;
                            if let Err(error) = control.answer(node, &question.id, &calls).await {
                                tracing::debug!(%error, "an answer about a call was not kept");
                            }
                        }
                    }
                    Err(error) => {
                        tracing::debug!(%error, "no questions about calls");
                        tokio::time::sleep(PAUSE).await;
                    }
                }
            }
        });
        self.ship(
            plane.counter(),
            plane.control().lake_sink(),
            plane.lake_interval(),
        );
        Ok(())
    }

    /// Serves what a control plane elsewhere says, and has its calls counted there.
    pub(super) fn follow_from_afar(&mut self, settings: &Settings) -> Result<(), Error> {
        let who = "a gateway";
        let alone = |setting, how| Error::Alone { who, setting, how };
        let url = settings.cluster.control_url.as_ref();
        let url = url.ok_or_else(|| alone("cluster.control_url", "flag --control-url"))?;
        let token = settings.cluster.read_token().map_err(Error::ClusterToken)?;
        let token = token.ok_or_else(|| {
            alone(
                "cluster.token",
                "variable GATELINE_CLUSTER_TOKEN, or cluster.token_file",
            )
        })?;
        self.sealing.trust(&token);
        self.snapshots
            .send_replace(feed::load(&self.copy, &token, &self.environment));
        let control = feed::Control::new(url, token, settings.cluster.roots.as_deref())
            .map_err(|error| Error::ControlUrl(Box::new(error)))?;
        let control = Arc::new(control);
        let environment = self.environment.clone();
        let follow = feed::follow(
            Arc::clone(&control),
            environment,
            self.copy.clone(),
            self.gateway.feeder(self.snapshots.clone()),
        );
        self.spawn(follow);
        self.spawn(feed::report(
            Arc::clone(&control),
            self.log.node(),
            self.gateway.teller(self.environment.clone()),
        ));
        self.spawn(feed::answer(
            Arc::clone(&control),
            self.log.node(),
            self.gateway.memory(),
        ));
        let interval = settings.lake.commit_interval();
        self.ship(
            HttpSink::usage(Arc::clone(&control)),
            HttpSink::lake(control),
            interval,
        );
        Ok(())
    }

    /// Listens and shows certificates as changed settings say; what cannot be changed while it runs is said. Settings that
    /// no node could start with change nothing.
    pub(super) fn change(&mut self, settings: &gateway::Settings) {
        if let Err(error) = settings.check() {
            return tracing::error!(%error, "the settings cannot be used; nothing changes");
        }
        self.gateway.change(settings).log();
        for name in self.in_force.fixed_changes(settings) {
            tracing::warn!(setting = %format!("gateway.{name}"), "it takes effect at the next start");
        }
        self.in_force = settings.clone();
    }

    /// Runs something until the node stops.
    fn spawn(&mut self, work: impl Future<Output = ()> + Send + 'static) {
        let told = self.stop.told();
        self.tasks.push(tokio::spawn(async move {
            tokio::select! {
                () = work => {}
                () = told => {}
            }
        }));
    }

    fn ship(&mut self, usage: impl Sink + 'static, lake: impl Sink + 'static, lake_interval: Duration) {
        let (log, stop) = (Arc::clone(&self.log), self.stop.clone());
        self.tasks.push(tokio::spawn(async move {
            sink::ship_both(&log, usage, lake, lake_interval, || stop.told()).await;
        }));
    }

    /// Finishes calls under way, then brings what was recorded as far as it gets.
    pub(super) async fn stop(self) {
        let Self {
            gateway,
            pump,
            stop,
            tasks,
            in_force,
            ..
        } = self;
        let limit = in_force.drain();
        let drained = spawn_blocking(move || gateway.drain(limit)).await;
        if !drained.unwrap_or(false) {
            tracing::warn!(seconds = limit.as_secs(), "calls under way were cut off");
        }
        // Only this one is left: the gateway's cores have ended with their recorders.
        if let Some(pump) = Arc::into_inner(pump)
            && let Ok(Err(error)) = spawn_blocking(|| pump.stop()).await
        {
            tracing::error!(%error, "usage records are lost at the end");
        }
        stop.now();
        let all = async {
            for task in tasks {
                // A task that panicked has ended, too.
                let _ = task.await;
            }
        };
        if tokio::time::timeout(LAST_SHIPPING, all).await.is_err() {
            tracing::warn!("not all calls are counted yet; the log keeps them for the next start");
        }
    }
}

/// An address that is not to be had, with the setting it came from.
fn named(error: gateway::Error, settings: &gateway::Settings) -> Error {
    match error {
        gateway::Error::Listen { address, source } => {
            let tls = settings.listen_tls == Some(address);
            Error::Listen {
                who: "gateway",
                setting: if tls {
                    "gateway.listen_tls"
                } else {
                    "gateway.listen"
                },
                flag: if tls {
                    "GATELINE_GATEWAY_LISTEN_TLS"
                } else {
                    "--gateway"
                },
                address,
                source,
            }
        }
        other => other.into(),
    }
}

/// The snapshot that was served last, by its copy on disk; an empty one if there is none.
async fn last(path: PathBuf, token: String, environment: Name) -> Arc<Snapshot> {
    let loading = spawn_blocking({
        let environment = environment.clone();
        move || feed::load(&path, &token, &environment)
    });
    let nothing = || Arc::new(Snapshot::empty(environment));
    loading.await.unwrap_or_else(|_| nothing())
}

/// Keeps a copy on disk, by which a node can start while its control plane is away.
async fn save(path: PathBuf, token: String, snapshot: Arc<Snapshot>) {
    let saved = spawn_blocking(move || {
        let packed = Packed::new(&snapshot, token.as_bytes())?;
        gateway::disk::save(&path, &packed)
    });
    if let Ok(Err(error)) = saved.await {
        // Traffic does not need it; the next change tries again.
        tracing::warn!(%error, "the copy of the snapshot is old");
    }
}
