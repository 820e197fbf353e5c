//! Starts the node, feeds it, and stops it when told.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use domain::Snapshot;
use domain::id::NodeId;
use events::pump::PumpSettings;
use events::sink::{ShipSettings, SinkError};
use events::{Batch, Log, Pump, Sink, WhenFull};
use gateway::feed::{self, Control, HttpSink};
use gateway::{Gateway, Records};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::settings::{self, Settings};
use crate::source;

/// How long requests under way may take once the node is told to stop.
const DRAIN: Duration = Duration::from_secs(15);
/// How long what is in the log may take to reach the control plane then; the rest stays in the log.
const LAST_SHIPPING: Duration = Duration::from_secs(5);

/// Why the node could not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("the log of usage records")]
    Log(#[from] events::log::Error),
    #[error("starting a thread or the runtime")]
    Runtime(#[source] std::io::Error),
    #[error(transparent)]
    Gateway(#[from] gateway::Error),
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
pub(crate) fn run(settings: &Settings, ready_file: Option<&Path>) -> Result<(), Error> {
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
    let source = Source::new(settings, home.join("snapshot"))?;
    let first = source.first()?;
    let log = Arc::new(Log::open(&home.join("log.redb"), settings.usage.log())?);
    let pump = Pump::start(Arc::clone(&log), pump_settings(&settings.usage)).map_err(Error::Runtime)?;
    let (sender, receiver) = watch::channel(first);
    let gateway = {
        let recorder = &pump;
        let recorders: Vec<_> = (0..cores(settings)).map(|_| recorder.recorder()).collect();
        let mut recorders = recorders.into_iter();
        let records = Records {
            recorder: Box::new(move || recorders.next().expect("as many as there are cores")),
            log: Some(Arc::clone(&log)),
            counts: log.quota_counts()?,
        };
        let mut node = settings.gateway.clone();
        node.cores = cores(settings);
        gateway::start(node, &settings.data_dir, records, receiver)?
    };
    tracing::info!(address = %gateway.addresses().plain, environment = %settings.gateway.environment, "serving");
    if let Some(path) = ready_file {
        let text =
            serde_json::json!({ "gateway": format!("http://{}", gateway.addresses().plain) }).to_string();
        std::fs::write(path, text).map_err(file(path))?;
    }
    runtime.block_on(source.serve(gateway, pump, log, sender))
}

fn cores(settings: &Settings) -> usize {
    match settings.gateway.cores {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        cores => cores,
    }
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
        gateway: Gateway,
        pump: Pump,
        log: Arc<Log>,
        snapshots: watch::Sender<Arc<Snapshot>>,
    ) -> Result<(), Error> {
        let stop = watch::Sender::new(false);
        let mut told = stop.subscribe();
        let told = async move { drop(told.wait_for(|stop| *stop).await) };
        let shipping = ShipSettings::default();
        let (following, shipping): (JoinHandle<()>, JoinHandle<()>) = match self {
            Self::Control {
                control,
                environment,
                copy,
                ..
            } => {
                tokio::spawn(feed::report(
                    Arc::clone(&control),
                    log.node(),
                    environment.clone(),
                    gateway.statuses(),
                ));
                let sink = HttpSink::new(Arc::clone(&control));
                (
                    tokio::spawn(feed::follow(control, environment, copy, snapshots)),
                    tokio::spawn(events::ship(log, sink, shipping, told)),
                )
            }
            Self::File(path) => (
                tokio::spawn(source::follow(path, snapshots)),
                tokio::spawn(events::ship(log, Nobody::default(), shipping, told)),
            ),
        };
        told_to_stop().await?;
        tracing::info!("stopping");
        following.abort();
        let ended = tokio::task::spawn_blocking(move || {
            let drained = gateway.drain(DRAIN);
            (drained, pump.stop())
        });
        match ended.await {
            Ok((drained, stopped)) => {
                if !drained {
                    tracing::warn!(seconds = DRAIN.as_secs(), "requests under way were cut off");
                }
                if let Err(error) = stopped {
                    tracing::error!(%error, "usage records were lost at the end");
                }
            }
            Err(error) => tracing::error!(%error, "stopping"),
        }
        stop.send_replace(true);
        if tokio::time::timeout(LAST_SHIPPING, shipping).await.is_err() {
            tracing::warn!("not all usage reached the control plane; the log keeps it for the next start");
        }
        Ok(())
    }
}

async fn told_to_stop() -> Result<(), Error> {
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::Runtime)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::Runtime)?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// Takes records where no control plane counts them; the log has counted them for quotas by then.
#[derive(Debug, Default)]
struct Nobody {
    watermark: std::sync::atomic::AtomicU64,
}

impl Sink for Nobody {
    async fn commit(&self, _: NodeId, batches: &[Batch]) -> Result<u64, SinkError> {
        use std::sync::atomic::Ordering::Relaxed;
        let last = batches.last().map_or(0, Batch::sequence);
        Ok(self.watermark.fetch_max(last, Relaxed).max(last))
    }
}
