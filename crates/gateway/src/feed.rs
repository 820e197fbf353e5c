//! A node whose control plane is another process: brings snapshots from it, and records and status to it.
//!
//! Calls of the internal protocol, all with the cluster's token as bearer: a long poll for the next snapshot, batches
//! of events, which snapshot is served and how targets are, and a long poll for questions about recent calls. With the control plane away, a node serves what it
//! has, the copy on disk after a restart, and its log keeps what is to be counted.

mod client;
mod feeder;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use domain::id::NodeId;
use domain::node::{NodeAnswer, NodeQuestion};
use domain::snapshot::{Packed, PackedError};
use domain::{Name, Snapshot};
use events::sink::SinkError;
use events::{Batch, Sink};
use http::{Method, StatusCode};
use serde::Deserialize;
use tokio::sync::watch;

use crate::apart;
use crate::causes::chain;
use crate::disk;
use crate::node::{Status, Teller};
use crate::recent::Memory;

pub use client::{Control, Error};
pub use feeder::Feeder;

/// How long the control plane may hold a poll back, and some more.
const POLL_MAX: Duration = Duration::from_secs(40);
/// How long an answer may take.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// How long any other call may take.
const CALL_MAX: Duration = Duration::from_secs(30);
const BACKOFF_MIN: Duration = Duration::from_millis(200);
const BACKOFF_MAX: Duration = Duration::from_secs(15);

/// Loads the copy on disk, so that a node can serve before it has heard from the control plane.
///
/// A copy that cannot be used is as good as none, and said so in the log.
pub fn load(copy: &Path, token: &str, environment: &Name) -> Arc<Snapshot> {
    match apart::run(|| disk::load(copy, token.as_bytes())) {
        Ok(Some(snapshot)) if snapshot.environment == *environment => return Arc::new(snapshot),
        Ok(Some(snapshot)) => {
            tracing::warn!(found = %snapshot.environment, "the copy of the snapshot is for another environment");
        }
        Ok(None) => {}
        Err(error) => tracing::warn!(error = %chain(&error), "the copy of the snapshot cannot be used"),
    }
    Arc::new(Snapshot::empty(environment.clone()))
}

/// Lets go of each snapshot as soon as the node has taken or rejected it; ends with the node.
///
/// What is served is compiled: the snapshot would only take memory, several times as much. Its revision stays.
pub async fn let_go(snapshots: watch::Sender<Arc<Snapshot>>, mut statuses: watch::Receiver<Status>) {
    loop {
        let done = {
            let status = statuses.borrow_and_update();
            status
                .rejected
                .as_ref()
                .map(|rejected| rejected.revision)
                .max(status.revision)
        };
        let mut left = None;
        snapshots.send_if_modified(|held| {
            if Some(held.revision) == done {
                let hollow = Snapshot {
                    revision: held.revision,
                    ..Snapshot::empty(held.environment.clone())
                };
                left = Some(std::mem::replace(held, Arc::new(hollow)));
            }
            // Nothing new for those who follow.
            false
        });
        let gone = tokio::task::spawn_blocking(|| {
            apart::run(|| drop(left));
            apart::settle();
        });
        if let Err(error) = gone.await {
            tracing::error!(%error, "a snapshot was not let go");
        }
        if statuses.changed().await.is_err() {
            return;
        }
    }
}

/// Brings every new snapshot to the node and, once it is served, to the copy on disk; ends with the node.
///
/// One that the node rejects leaves the copy as it is: by it the node starts again with what it served before.
pub async fn follow(control: Arc<Control>, environment: Name, copy: PathBuf, feeder: Feeder) {
    let mut backoff = Backoff::new();
    // What this build cannot read is not asked for again, or it would come with each poll.
    let mut unreadable = 0;
    while !feeder.is_closed() {
        match poll(&control, &environment, feeder.revision().max(unreadable)).await {
            Ok(news) => {
                backoff = Backoff::new();
                match news {
                    News::Nothing => {}
                    News::Snapshot(snapshot, packed) => take(&feeder, snapshot, packed, &copy).await,
                    News::Unreadable { revision, error } => {
                        feeder.unreadable(revision, &error);
                        unreadable = revision;
                    }
                }
            }
            Err(error) => {
                let wait = backoff.next();
                tracing::warn!(error = %chain(&error), ?wait, "no snapshot from the control plane");
                // Another build of the control plane may say the same so that it can be read.
                unreadable = 0;
                tokio::time::sleep(wait).await;
            }
        }
    }
}

/// Brings a snapshot to the node, and keeps it if it is served.
async fn take(feeder: &Feeder, snapshot: Arc<Snapshot>, packed: Packed, copy: &Path) {
    tracing::info!(revision = snapshot.revision, "a new snapshot");
    if !feeder.offer(snapshot).await {
        return;
    }
    let copy = copy.to_owned();
    let saved = tokio::task::spawn_blocking(move || disk::save(&copy, &packed)).await;
    if let Ok(Err(error)) = saved {
        tracing::warn!(error = %chain(&error), "the copy of the snapshot could not be saved");
    }
}

/// What the control plane said when it was asked for a newer snapshot.
enum News {
    /// There is none.
    Nothing,
    /// This one, and how it came.
    Snapshot(Arc<Snapshot>, Packed),
    /// There is one that was made and signed by our control plane but says what this build does not understand.
    Unreadable { revision: u64, error: PackedError },
}

async fn poll(control: &Arc<Control>, environment: &Name, after: u64) -> Result<News, Error> {
    let path = format!("/internal/v1/snapshots?environment={environment}&after={after}");
    let answer = control.call(Method::GET, &path, Bytes::new(), POLL_MAX).await?;
    match answer.status {
        StatusCode::NO_CONTENT => Ok(News::Nothing),
        StatusCode::OK => {
            let revision = answer.headers.get("gateline-revision");
            let revision = revision.and_then(|revision| revision.to_str().ok()?.parse().ok());
            let mac = answer.headers.get("gateline-mac");
            let mac = mac
                .and_then(|mac| mac.to_str().ok())
                .unwrap_or_default()
                .parse()?;
            let packed = Packed {
                bytes: answer.body.into(),
                mac,
            };
            // Large ones take a while, and all other work of this thread would wait.
            let opening = tokio::task::spawn_blocking({
                let control = Arc::clone(control);
                move || apart::run(|| packed.open(control.token())).map(|snapshot| (snapshot, packed))
            });
            match opening.await {
                Ok(Ok((snapshot, packed))) => Ok(News::Snapshot(Arc::new(snapshot), packed)),
                Ok(Err(error)) => match revision {
                    Some(revision) if !matches!(error, PackedError::Mac) => {
                        Ok(News::Unreadable { revision, error })
                    }
                    _ => Err(error.into()),
                },
                Err(stopped) => std::panic::resume_unwind(stopped.into_panic()),
            }
        }
        status => Err(Error::Status { status }),
    }
}

/// Tells the control plane which snapshot is served or was rejected and how targets are, at every change; ends with the
/// node.
pub async fn report(control: Arc<Control>, node: NodeId, mut teller: Teller) {
    let path = format!("/internal/v1/nodes/{node}/status");
    let mut backoff = Backoff::new();
    while let Some(status) = teller.next().await {
        let body = serde_json::to_vec(&status).expect("plain data");
        match control.call(Method::POST, &path, body.into(), CALL_MAX).await {
            Ok(answer) if answer.status.is_success() => {
                backoff = Backoff::new();
                teller.told(status);
                continue;
            }
            Ok(answer) => {
                tracing::warn!(status = %answer.status, "the control plane did not take our status");
            }
            Err(error) => tracing::debug!(error = %chain(&error), "the control plane is away"),
        }
        tokio::time::sleep(backoff.next()).await;
    }
}

/// Answers what the control plane asks about recent calls; ends only with its task.
pub async fn answer(control: Arc<Control>, node: NodeId, memory: Memory) {
    let questions = format!("/internal/v1/nodes/{node}/questions");
    let answers = format!("/internal/v1/nodes/{node}/answers");
    let mut backoff = Backoff::new();
    loop {
        match ask(&control, &questions).await {
            Ok(asked) => {
                backoff = Backoff::new();
                for NodeQuestion { id, request_id } in asked {
                    let answer = NodeAnswer {
                        question: id,
                        calls: memory.calls(&request_id).await,
                    };
                    let body = serde_json::to_vec(&answer).expect("plain data");
                    // Whoever asks waits for a few seconds only, so nothing is said twice.
                    if let Err(error) = control
                        .call(Method::POST, &answers, body.into(), ANSWER_MAX)
                        .await
                    {
                        tracing::debug!(error = %chain(&error), "an answer did not reach the control plane");
                    }
                }
            }
            Err(error) => {
                tracing::debug!(error = %chain(&error), "no questions from the control plane");
                tokio::time::sleep(backoff.next()).await;
            }
        }
    }
}

async fn ask(control: &Control, path: &str) -> Result<Vec<NodeQuestion>, Error> {
    let answer = control.call(Method::GET, path, Bytes::new(), POLL_MAX).await?;
    match answer.status {
        StatusCode::NO_CONTENT => Ok(Vec::new()),
        StatusCode::OK => serde_json::from_slice(&answer.body).map_err(Error::Question),
        status => Err(Error::Status { status }),
    }
}

/// The last part of the path of the lake.
const LAKE: &str = "lake";

/// Brings batches to one of the control plane's sinks.
#[derive(Debug, Clone)]
pub struct HttpSink {
    control: Arc<Control>,
    /// The last part of its path.
    name: &'static str,
}

impl HttpSink {
    /// Where calls are counted.
    pub const fn usage(control: Arc<Control>) -> Self {
        let name = "events";
        Self { control, name }
    }

    /// Where every single call is kept.
    pub const fn lake(control: Arc<Control>) -> Self {
        let name = LAKE;
        Self { control, name }
    }
}

#[derive(Deserialize)]
struct Committed {
    committed: u64,
}

impl Sink for HttpSink {
    async fn commit(&self, node: NodeId, batches: &[Batch]) -> Result<u64, SinkError> {
        let path = format!("/internal/v1/nodes/{node}/{}", self.name);
        let body = events::wire::encode_batches(batches);
        let away = |error: Error| SinkError::Unavailable(error.into());
        let answer = self
            .control
            .call(Method::POST, &path, body, CALL_MAX)
            .await
            .map_err(away)?;
        match answer.status {
            StatusCode::OK => serde_json::from_slice::<Committed>(&answer.body)
                .map(|answer| answer.committed)
                .map_err(|error| SinkError::Unavailable(error.into())),
            // Nothing else may do so: what is unwanted leaves the log.
            StatusCode::NOT_IMPLEMENTED if self.name == LAKE => Err(SinkError::Unwanted),
            // What is wrong with the batches is wrong the next time, too.
            status if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS => {
                let text = String::from_utf8_lossy(&answer.body)
                    .chars()
                    .take(500)
                    .collect::<String>();
                Err(SinkError::Refused {
                    reason: format!("{status} {text}"),
                })
            }
            status => Err(away(Error::Status { status })),
        }
    }
}

/// Waits that double, with a random half, so that nodes do not come back all at once.
struct Backoff {
    next: Duration,
}

impl Backoff {
    const fn new() -> Self {
        Self { next: BACKOFF_MIN }
    }

    fn next(&mut self) -> Duration {
        let wait = self.next;
        self.next = (wait * 2).min(BACKOFF_MAX);
        let mut random = [0; 2];
        // Without randomness the wait is the longest one.
        if aws_lc_rs::rand::fill(&mut random).is_err() {
            return wait;
        }
        wait / 2 + wait / 2 * u32::from(u16::from_le_bytes(random)) / u32::from(u16::MAX)
    }
}
