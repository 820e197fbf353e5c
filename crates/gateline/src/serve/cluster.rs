//! Scheduler and executor of this process: parts of a cluster that computes sums over many days.

use std::future::{Future, pending};
use std::net::SocketAddr;
use std::time::Duration;

use ::lake::cluster::{self, Executor, ExecutorOptions, Scheduler};
use tokio::task::JoinSet;

use super::plane::Plane;
use super::{Error, Stop, lake};
use crate::folder::Folder;
use crate::settings::Settings;

/// How long tasks under way may take once the process is told to stop.
const DRAIN: Duration = Duration::from_secs(15);

/// The parts that run in this process.
pub(super) struct Cluster {
    scheduler: Option<SocketAddr>,
    executor: Option<SocketAddr>,
    stop: Stop,
    parts: JoinSet<Result<(), Error>>,
}

impl Cluster {
    /// Starts the chosen parts.
    pub(super) async fn start(
        settings: &Settings,
        folder: &Folder,
        (schedules, executes): (bool, bool),
        plane: Option<&Plane>,
    ) -> Result<Self, Error> {
        let mut all = Self {
            scheduler: None,
            executor: None,
            stop: Stop::new(),
            parts: JoinSet::new(),
        };
        if schedules {
            let secret = secret(settings, plane, "a scheduler")?;
            let address = settings.lake.cluster.scheduler_listen;
            let scheduler = Scheduler::bind(address, secret.into()).await;
            let scheduler = scheduler.map_err(|source| Error::Listen {
                who: "scheduler",
                setting: "lake.cluster.scheduler_listen",
                flag: "GATELINE_LAKE_CLUSTER_SCHEDULER_LISTEN",
                address,
                source,
            })?;
            let address = scheduler.address().map_err(|source| Error::Runtime { source })?;
            tracing::info!(%address, "scheduler listens");
            all.scheduler = Some(address);
            all.spawn(scheduler.run(all.stop.told()));
        }
        if executes {
            let executor = executor(settings, folder, plane, all.scheduler).await?;
            let address = executor.address().map_err(|source| Error::Runtime { source })?;
            tracing::info!(%address, "executor listens");
            all.executor = Some(address);
            all.spawn(executor.run());
        }
        Ok(all)
    }

    fn spawn<E: std::error::Error + Send + Sync + 'static>(
        &mut self,
        part: impl Future<Output = Result<(), E>> + Send + 'static,
    ) {
        self.parts
            .spawn(async move { part.await.map_err(|error| Error::Cluster(error.into())) });
    }

    /// Where the parts listen, by name.
    pub(super) fn addresses(&self) -> impl Iterator<Item = (&'static str, SocketAddr)> {
        let all = [("scheduler", self.scheduler), ("executor", self.executor)];
        all.into_iter()
            .filter_map(|(name, address)| Some((name, address?)))
    }

    /// Ready when a part has failed; an executor that was told to stop has ended, and that is all right.
    pub(super) async fn failed(&mut self) -> Error {
        while let Some(ended) = self.parts.join_next().await {
            match ended {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return error,
                Err(error) => return Error::Cluster(error.into()),
            }
        }
        pending().await
    }

    /// Finishes tasks under way: executors know themselves that the process is to stop.
    pub(super) async fn stop(mut self) {
        self.stop.now();
        let all = async { while self.parts.join_next().await.is_some() {} };
        if tokio::time::timeout(DRAIN, all).await.is_err() {
            tracing::warn!(seconds = DRAIN.as_secs(), "tasks under way were cut off");
        }
    }
}

async fn executor(
    settings: &Settings,
    folder: &Folder,
    plane: Option<&Plane>,
    scheduler: Option<SocketAddr>,
) -> Result<Executor, Error> {
    let set = &settings.lake.cluster;
    let who = "an executor";
    let scheduler = match (set.scheduler(), scheduler) {
        (Ok(Some((host, port))), _) => (host.to_owned(), port),
        (_, Some(address)) => (cluster::host(address.ip()), address.port()),
        _ => {
            return Err(Error::Alone {
                who,
                setting: "lake.cluster.scheduler",
                how: "where its work comes from, as `scheduler.internal:50050`",
            });
        }
    };
    if plane.is_none() && settings.lake.url.is_none() {
        return Err(Error::Alone {
            who,
            setting: "lake.url",
            how: "the store that the control plane has",
        });
    }
    let place = lake::place(&settings.lake, folder).map_err(Error::Lake)?;
    let options = ExecutorOptions {
        scheduler_host: scheduler.0,
        scheduler_port: scheduler.1,
        secret: secret(settings, plane, who)?.into(),
        host: set.executor_host.clone(),
        cores: set.executor_cores,
        memory_bytes: set.executor_memory_bytes,
        folder: folder.sub("executor")?,
    };
    let address = set.executor_listen;
    let executor = Executor::bind(address, place, options).await;
    executor.map_err(|source| Error::Listen {
        who: "executor",
        setting: "lake.cluster.executor_listen",
        flag: "GATELINE_LAKE_CLUSTER_EXECUTOR_LISTEN",
        address,
        source,
    })
}

/// What the control planes and all parts know.
fn secret(settings: &Settings, plane: Option<&Plane>, who: &'static str) -> Result<String, Error> {
    if let Some(plane) = plane {
        return Ok(plane.cluster_token().to_owned());
    }
    let token = settings.cluster.read_token().map_err(Error::ClusterToken)?;
    token.ok_or(Error::Alone {
        who,
        setting: "cluster.token",
        how: "variable GATELINE_CLUSTER_TOKEN, or cluster.token_file",
    })
}
