//! Starts the node, feeds it, and stops it when told.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::Snapshot;
use events::pump::PumpSettings;
use events::{Ingest, Intake, Log, Pump, WhenFull};
use gateway::feed::{self, Control};
use gateway::{Gateway, Inheritance, Records};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::logs::Logs;
use crate::settings::{self, Settings};
use crate::sinks::Sinks;
use crate::source;

/// How often it is looked whether the node is told to stop once more while it drains.
const DRAIN_LOOK: Duration = Duration::from_millis(500);
/// How long what is in the log may take to reach the control plane then; the rest stays in the log.
const LAST_SHIPPING: Duration = Duration::from_secs(5);

/// Why the node could not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("the log of usage records")]
    Log(#[from] events::log::Error),
    #[error("starting a thread or the runtime")]
    Runtime(#[source] std::io::Error),
    #[error("the sockets that were passed to it (LISTEN_FDS)")]
    Activation(#[source] std::io::Error),
    #[error(transparent)]
    Gateway(#[from] gateway::Error),
    #[error(transparent)]
    Handover(#[from] gateway::HandoverError),
    #[error(transparent)]
    Control(#[from] feed::Error),
    #[error(transparent)]
    Snapshot(#[from] source::Error),
    #[error("{}", .path.display())]
    File {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
}

/// Serves until the process is told to stop.
///
/// `reload` reads the settings again; called at `SIGHUP`.
pub(crate) fn run(
    settings: &Settings,
    ready_file: Option<&Path>,
    reload: impl Fn() -> Result<Settings, settings::Error>,
) -> Result<(), Error> {
    // First of all: there must be no threads yet.
    let activated = gateway::activated().map_err(Error::Activation)?;
    let home = settings.data_dir.join("gateway");
    let file = |path: &Path| {
        let path = path.to_owned();
        move |source| Error::File { path, source }
    };
    std::fs::create_dir_all(&home).map_err(file(&home))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Error::Runtime)?;
    // Before anybody is told that it serves: whoever was told may end it at once, and it ends in order.
    let signals = {
        let _entered = runtime.enter();
        Signals::listen().map_err(Error::Runtime)?
    };
    let source = Source::new(settings, home.join("snapshot"))?;
    let first = source.first()?;
    let mut before = match &settings.gateway.handover {
        Some(path) => Inheritance::ask(path)?.or(activated),
        None => activated,
    };
    let logs = Arc::new(Logs::open(&home, settings.usage.log(), &before)?);
    let log = Arc::clone(&logs.own);
    let (pump, ingest) = record(&log, settings)?;
    let (sender, receiver) = watch::channel(first);
    let gateway = Arc::new({
        let recorder = &pump;
        let recorders: Vec<_> = (0..cores(settings)).map(|_| recorder.recorder()).collect();
        let mut recorders = recorders.into_iter();
        let records = Records {
            recorder: Box::new(move || recorders.next().expect("as many as there are cores")),
            log: Some(Arc::clone(&log)),
            counts: logs.counts(&before)?,
            // Of a snapshot from a file, nobody counts what was said to be kept.
            ingest: matches!(source, Source::Control { .. }).then_some(ingest),
        };
        let mut node = settings.gateway.clone();
        node.cores = cores(settings);
        gateway::start_after(&mut before, node, &settings.data_dir, records, receiver)?
    });
    tracing::info!(address = %gateway.addresses().plain, environment = %settings.gateway.environment, "serving");
    if let Some(path) = ready_file {
        let mut ready = serde_json::json!({ "gateway": format!("http://{}", gateway.addresses().plain) });
        if let Some(flagd) = gateway.addresses().flagd {
            ready["flagd"] = flagd.to_string().into();
        }
        std::fs::write(path, ready.to_string()).map_err(file(path))?;
    }
    let mut ends = Ends {
        reload,
        signals,
        in_force: settings.gateway.clone(),
        handed_over: None,
    };
    if let Some(path) = &settings.gateway.handover {
        if before.is_some() {
            tracing::info!("taking over from the process before");
        }
        let counted = Arc::clone(&logs);
        let counted = move || {
            counted
                .counted()
                .map_err(std::io::Error::other)?
                .map_err(std::io::Error::other)
        };
        // The process before goes once it is told that this one serves, so nothing may fail after that.
        ends.handed_over = Some(gateway::offer(path, &gateway, counted)?);
        before.serving().map_err(file(path))?;
    }
    runtime.block_on(source.serve((gateway, pump, logs), sender, ends))
}

fn cores(settings: &Settings) -> usize {
    match settings.gateway.cores {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        cores => cores,
    }
}

/// What brings calls, tracked events, and who was given which variant of a flag, into the log.
fn record(log: &Arc<Log>, settings: &Settings) -> Result<(Pump, Ingest), Error> {
    let intake = Intake::open(Arc::clone(log), settings.tracking.intake())?;
    let pump = pump_settings(&settings.usage);
    let pump = Pump::start_with(Arc::clone(log), pump, Some(intake.clone())).map_err(Error::Runtime)?;
    Ok((pump, Ingest::new(intake, settings.tracking.ingest())))
}

fn pump_settings(usage: &settings::Usage) -> PumpSettings {
    PumpSettings {
        commit_interval: Duration::from_millis(usage.commit_interval_ms),
        ring_capacity: usage.ring_capacity,
        when_full: match usage.when_full {
            settings::WhenFull::Serve => WhenFull::Serve,
            settings::WhenFull::Refuse => WhenFull::Refuse,
        },
    }
}

/// Where snapshots come from and records go to.
enum Source {
    Control {
        control: Arc<Control>,
        environment: domain::Name,
        copy: PathBuf,
        token: String,
    },
    File(PathBuf),
}

impl Source {
    fn new(settings: &Settings, copy: PathBuf) -> Result<Self, Error> {
        let cluster = &settings.cluster;
        let token = match (&cluster.token, &cluster.token_file) {
            (Some(token), _) => Some(token.clone()),
            (None, Some(path)) => {
                let text = std::fs::read_to_string(path).map_err(|source| Error::File {
                    path: path.clone(),
                    source,
                })?;
                Some(text.trim().to_owned())
            }
            (None, None) => None,
        };
        if let Some(token) = &token {
            settings.gateway.sealing.trust(token);
        }
        let Some(url) = &cluster.control_url else {
            return Ok(Self::File(
                settings.snapshot.clone().expect("checked when loaded"),
            ));
        };
        let token = token.expect("checked when loaded");
        let control = Arc::new(Control::new(url, token.clone(), cluster.roots.as_deref())?);
        Ok(Self::Control {
            control,
            environment: settings.gateway.environment.clone(),
            copy,
            token,
        })
    }

    /// What can be served before anybody was asked.
    fn first(&self) -> Result<Arc<Snapshot>, Error> {
        match self {
            Self::Control {
                environment,
                copy,
                token,
                ..
            } => Ok(feed::load(copy, token, environment)),
            Self::File(path) => Ok(Arc::new(source::read(path, 1)?)),
        }
    }

    async fn serve(
        self,
        (gateway, pump, logs): (Arc<Gateway>, Pump, Arc<Logs>),
        snapshots: watch::Sender<Arc<Snapshot>>,
        ends: Ends<impl Fn() -> Result<Settings, settings::Error>>,
    ) -> Result<(), Error> {
        let log = Arc::clone(&logs.own);
        let stop = watch::Sender::new(false);
        let told = {
            let stop = stop.clone();
            move || {
                let mut told = stop.subscribe();
                async move { drop(told.wait_for(|stop| *stop).await) }
            }
        };
        tokio::spawn(feed::let_go(snapshots.clone(), gateway.statuses()));
        let feeder = gateway.feeder(snapshots);
        let (following, sinks) = match self {
            Self::Control {
                control,
                environment,
                copy,
                ..
            } => {
                tokio::spawn(feed::report(
                    Arc::clone(&control),
                    log.node(),
                    gateway.teller(environment.clone()),
                ));
                tokio::spawn(feed::answer(Arc::clone(&control), log.node(), gateway.memory()));
                let sinks = Sinks::Control(Arc::clone(&control));
                (
                    tokio::spawn(feed::follow(control, environment, copy, feeder)),
                    sinks,
                )
            }
            Self::File(path) => (tokio::spawn(source::follow(path, feeder)), Sinks::Nobody),
        };
        tokio::spawn(logs.empty_beside(sinks.clone()));
        let shipping = tokio::spawn(async move { sinks.ship(&log, told).await });
        let ends = ends.wait(&gateway).await;
        tracing::info!("stopping");
        following.abort();
        if !ends.drain(&gateway).await {
            tracing::warn!("requests under way were cut off");
        }
        let ended = tokio::task::spawn_blocking(move || {
            drop(gateway);
            pump.stop()
        });
        match ended.await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::error!(%error, "usage records were lost at the end"),
            Err(error) => tracing::error!(%error, "stopping"),
        }
        stop.send_replace(true);
        if tokio::time::timeout(LAST_SHIPPING, shipping).await.is_err() {
            tracing::warn!("not all usage reached the control plane; the log keeps it for the next start");
        }
        Ok(())
    }
}

/// What service managers and people send.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }
}

/// What ends the node, and what changes it until then.
struct Ends<F> {
    reload: F,
    signals: Signals,
    /// The settings that were read last.
    in_force: gateway::Settings,
    /// True once another process has the sockets.
    handed_over: Option<watch::Receiver<bool>>,
}

impl<F: Fn() -> Result<Settings, settings::Error>> Ends<F> {
    /// Waits until the process is told to stop, or another one has taken over; gives itself back for the end.
    async fn wait(mut self, gateway: &Gateway) -> Self {
        let mut handed_over = self.handed_over.take();
        loop {
            let next = async {
                match &mut handed_over {
                    // A sender that is gone offers nothing more.
                    Some(handed_over) => match handed_over.wait_for(|is_so| *is_so).await {
                        Ok(_) => {}
                        Err(_) => std::future::pending().await,
                    },
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = self.signals.terminate.recv() => return self,
                _ = self.signals.interrupt.recv() => return self,
                () = next => {
                    tracing::info!("another process has taken over");
                    return self;
                }
                _ = self.signals.hangup.recv() => self.change(gateway),
            }
        }
    }

    /// Finishes what is under way within the time that the settings give it, or until the process is told to stop once
    /// more; whether all has ended.
    async fn drain(mut self, gateway: &Arc<Gateway>) -> bool {
        let until = Instant::now() + self.in_force.drain();
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let gateway = Arc::clone(gateway);
            let look = tokio::task::spawn_blocking(move || gateway.drain(left.min(DRAIN_LOOK)));
            tokio::select! {
                drained = look => if drained.unwrap_or(false) { return true; },
                _ = self.signals.terminate.recv() => return false,
                _ = self.signals.interrupt.recv() => return false,
            }
            if Instant::now() >= until {
                return false;
            }
        }
    }

    /// Reads the settings again; what cannot be changed while the node runs is said. Settings that no node could start
    /// with change nothing.
    fn change(&mut self, gateway: &Gateway) {
        let settings = match (self.reload)() {
            Ok(settings) => settings.gateway,
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                return tracing::error!(error, "the settings cannot be read again; nothing changes");
            }
        };
        if let Err(error) = settings.check() {
            return tracing::error!(%error, "the settings cannot be used; nothing changes");
        }
        gateway.change(&settings).log();
        for name in self.in_force.fixed_changes(&settings) {
            tracing::warn!(setting = %format!("gateway.{name}"), "it takes effect at the next start");
        }
        self.in_force = settings;
    }
}
