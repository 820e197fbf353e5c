//! What the cores of a node share: its state, for health, figures and whoever started it.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwapOption;
use domain::node::{FLAGS_GIVEN_MAX, FlagGiven, NodeHealth, NodeMirrors, NodeState, NodeStatus};
use domain::{Name, Timestamp};
use events::ring::RingFigures;
use events::{Ingest, Log, Recorder};
use policy::Standing;
use policy::gate::Gate;
use serde::Serialize;
use tokio::sync::watch;

use crate::compile::Compiled;
use crate::intray::Intray;
use crate::metrics::{self, CoreFigures, NodeFigures, Places};
use crate::mirror;
use crate::recent::Asker;
use crate::split;
use crate::targets;
use crate::together::Together;
use crate::traces;

/// How a node is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Status {
    /// Revision of the snapshot that is served; absent before the first.
    pub revision: Option<u64>,
    /// The newest snapshot, if it could not be served.
    pub rejected: Option<Rejection>,
    /// What is wrong beside the snapshot; what was right before goes on, so the node is ready.
    pub warnings: Vec<String>,
    /// Whether the node is stopping.
    pub draining: bool,
}

/// A snapshot that could not be served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rejection {
    /// Its revision.
    pub revision: u64,
    /// Why.
    pub reason: String,
}

impl Status {
    /// What keeps the node from being ready; empty if it is.
    pub fn missing(&self) -> Vec<String> {
        let mut missing = Vec::new();
        if self.revision.is_none() {
            missing.push("no snapshot yet".to_owned());
        }
        if let Some(Rejection { revision, reason }) = &self.rejected {
            missing.push(format!("snapshot {revision} was rejected: {reason}"));
        }
        if self.draining {
            missing.push("stopping".to_owned());
        }
        missing
    }
}

/// How often it is looked whether the health of targets has changed.
const LOOK: Duration = Duration::from_secs(2);
/// How often it is told at most what mirrors have counted, which changes all the time.
const MIRRORS_PACE: Duration = Duration::from_secs(5);

/// How often it is told which variants of flags were given.
const FLAGS_PACE: Duration = Duration::from_secs(5);

/// Says what a node has to tell the control plane of itself, whenever there is news.
#[derive(Debug)]
pub struct Teller {
    node: Weak<Node>,
    environment: Name,
    statuses: watch::Receiver<Status>,
    /// What was told last, without the times, which are not exact.
    told: Option<NodeStatus>,
    /// What was told of mirrors last, and when.
    mirrors_told: Option<(NodeMirrors, Instant)>,
    /// Variants that were given and are not told yet, and when some were looked for last.
    given: (Vec<FlagGiven>, Instant),
}

impl Teller {
    pub(crate) fn new(node: &Arc<Node>, environment: Name) -> Self {
        Self {
            node: Arc::downgrade(node),
            environment,
            statuses: node.statuses(),
            told: None,
            mirrors_told: None,
            given: (Vec::new(), Instant::now()),
        }
    }

    /// What there is to tell, once there is something; `None` once the node has ended.
    pub async fn next(&mut self) -> Option<NodeStatus> {
        loop {
            let status = self.statuses.borrow_and_update().clone();
            let news = self.news(&status, &*self.node.upgrade()?);
            if news.is_some() {
                return news;
            }
            tokio::select! {
                changed = self.statuses.changed() => changed.ok()?,
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    /// Notes that something was told: it is no news any more.
    pub fn told(&mut self, mut status: NodeStatus) {
        if !std::mem::take(&mut status.flags).is_empty() {
            self.given.0.clear();
        }
        if let Some(mirrors) = status.mirrors.take() {
            self.mirrors_told = Some((mirrors, Instant::now()));
        }
        if status.health.is_some() {
            self.told = Some(timeless(status));
        }
    }

    /// Nothing before the node has heard of a snapshot.
    fn news(&mut self, status: &Status, node: &Node) -> Option<NodeStatus> {
        let (revision, state, reason) = match (&status.rejected, status.revision) {
            (Some(rejection), _) => (rejection.revision, NodeState::Rejected, rejection.reason.clone()),
            (None, Some(revision)) => (revision, NodeState::Applied, String::new()),
            (None, None) => return None,
        };
        let mut news = NodeStatus {
            environment: self.environment.clone(),
            revision: i64::try_from(revision).unwrap_or(i64::MAX),
            state,
            reason,
            health: Some(node.health()),
            mirrors: None,
            flags: Vec::new(),
        };
        let is_news = self.told.as_ref() != Some(&timeless(news.clone()));
        news.mirrors = self.news_of_mirrors(node);
        if !is_news {
            news.health = None;
        }
        news.flags = self.news_of_flags(node);
        (is_news || news.mirrors.is_some() || !news.flags.is_empty()).then_some(news)
    }

    /// Variants that were given; told again until they were heard.
    fn news_of_flags(&mut self, node: &Node) -> Vec<FlagGiven> {
        let (given, at) = &mut self.given;
        if given.is_empty() && at.elapsed() >= FLAGS_PACE {
            *at = Instant::now();
            *given = node.given();
        }
        given.clone()
    }

    /// What mirrors have counted, if that has changed since it was told a while ago.
    fn news_of_mirrors(&self, node: &Node) -> Option<NodeMirrors> {
        let Some((told, at)) = &self.mirrors_told else {
            return Some(node.mirrored());
        };
        if at.elapsed() < MIRRORS_PACE {
            return None;
        }
        let counted = node.mirrored();
        (counted.routes != told.routes || counted.left_out != told.left_out).then_some(counted)
    }
}

fn timeless(mut status: NodeStatus) -> NodeStatus {
    let upstreams = status.health.iter_mut().flat_map(|health| &mut health.upstreams);
    for target in upstreams.flat_map(|upstream| &mut upstream.targets) {
        target.since = None;
    }
    status
}

/// The calendar's time.
fn now() -> Timestamp {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(now.as_micros()).unwrap_or(i64::MAX))
}

/// The node as its cores see it.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) began: Instant,
    pub(crate) cores: Vec<Arc<CoreFigures>>,
    pub(crate) recorders: Vec<Recorder>,
    /// Takes tracked events, and who was given which variant of a flag.
    pub(crate) ingest: Option<Ingest>,
    /// Bounds what is read of tracked events at a time.
    pub(crate) intray: Intray,
    pub(crate) log: Option<Arc<Log>>,
    pub(crate) gate: Option<Gate>,
    /// What is known of the store over which limits are counted together.
    pub(crate) together: Option<Arc<Together>>,
    /// Asks the cores about their last calls.
    pub(crate) asker: Asker,
    /// Which routes have figures of their own.
    pub(crate) places: Places,
    /// What became of spans.
    pub(crate) traces: Arc<traces::Figures>,
    status: watch::Sender<Status>,
    serving: ArcSwapOption<Compiled>,
    /// When the served snapshot was built, in microseconds since 1970.
    built_at: AtomicI64,
    /// How many snapshots were compiled and swapped in, and how long that took together, in microseconds.
    compiles: AtomicU64,
    compile_us: AtomicU64,
    /// Whether the next process listens with the same sockets.
    handed_over: AtomicBool,
}

/// The limits of a node itself, and what is known of those that it shares.
#[derive(Debug, Default)]
pub(crate) struct NodeLimits {
    pub(crate) gate: Option<Gate>,
    pub(crate) together: Option<Arc<Together>>,
}

/// How a node is observed.
#[derive(Debug)]
pub(crate) struct Observed {
    pub(crate) asker: Asker,
    pub(crate) places: Places,
}

impl Node {
    pub(crate) fn new(
        (recorders, ingest): (Vec<Recorder>, Option<Ingest>),
        log: Option<Arc<Log>>,
        limits: NodeLimits,
        Observed { asker, places }: Observed,
    ) -> Self {
        let figures = || Arc::new(CoreFigures::new(places.count()));
        Self {
            began: Instant::now(),
            cores: recorders.iter().map(|_| figures()).collect(),
            recorders,
            ingest,
            intray: Intray::default(),
            log,
            gate: limits.gate,
            together: limits.together,
            asker,
            places,
            traces: Arc::default(),
            status: watch::Sender::default(),
            serving: ArcSwapOption::empty(),
            built_at: AtomicI64::new(0),
            compiles: AtomicU64::new(0),
            compile_us: AtomicU64::new(0),
            handed_over: AtomicBool::new(false),
        }
    }

    /// Whether limits are counted together with other nodes.
    pub(crate) fn standing(&self) -> Standing {
        let together = self.together.as_ref();
        together.map_or(Standing::Alone, |together| together.standing())
    }

    pub(crate) fn status(&self) -> Status {
        self.status.borrow().clone()
    }

    pub(crate) fn statuses(&self) -> watch::Receiver<Status> {
        self.status.subscribe()
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut Status)) {
        self.status.send_modify(change);
    }

    /// Notes what is served, for the figures of its targets.
    pub(crate) fn serves(&self, compiled: &Arc<Compiled>) {
        self.serving.store(Some(Arc::clone(compiled)));
    }

    /// What is served.
    #[cfg(feature = "http3")]
    pub(crate) fn serving(&self) -> Option<Arc<Compiled>> {
        self.serving.load_full()
    }

    /// How the targets of what is served are.
    pub(crate) fn targets(&self) -> Vec<targets::Report> {
        let serving = self.serving.load();
        serving.as_deref().map(targets::reports).unwrap_or_default()
    }

    /// How the mirrors of what is served are.
    pub(crate) fn mirrors(&self) -> Vec<mirror::Report> {
        let serving = self.serving.load();
        serving.as_deref().map(mirror::reports).unwrap_or_default()
    }

    /// Which variants of flags were given since it was asked last, at most so many.
    fn given(&self) -> Vec<FlagGiven> {
        let serving = self.serving.load();
        let Some(serving) = serving.as_deref() else {
            return Vec::new();
        };
        serving.flags.sets.settle();
        let counted = serving.flags.counts.take();
        let (told, left) = counted.split_at(counted.len().min(FLAGS_GIVEN_MAX));
        for (given, count) in left {
            serving.flags.counts.add(given.clone(), *count);
        }
        let told = told.iter().map(|(given, count)| FlagGiven {
            organization_id: given.organization,
            key: given.key.to_string(),
            variant: given.variant.to_string(),
            count: *count,
        });
        told.collect()
    }

    /// How the targets of what is served are, for the control plane.
    fn health(&self) -> NodeHealth {
        let serving = self.serving.load();
        let health = serving.as_deref().map(|serving| targets::health(serving, now()));
        health.unwrap_or_default()
    }

    /// What the mirrors of what is served have counted, for the control plane.
    fn mirrored(&self) -> NodeMirrors {
        let since = now().before(self.began.elapsed());
        let serving = self.serving.load();
        let told = serving.as_deref().map(|serving| mirror::told(serving, since));
        told.unwrap_or(NodeMirrors {
            since,
            routes: Vec::new(),
            left_out: 0,
        })
    }

    pub(crate) fn built_at(&self, moment: Timestamp) {
        self.built_at.store(moment.as_micros(), Ordering::Relaxed);
    }

    /// Notes how long a snapshot took until the cores could take it.
    pub(crate) fn compiled_in(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.compiles.fetch_add(1, Ordering::Relaxed);
        self.compile_us.fetch_add(micros, Ordering::Relaxed);
    }

    /// Leaves who waits at the sockets to the next process.
    pub(crate) fn hand_over(&self) {
        self.handed_over.store(true, Ordering::Release);
    }

    pub(crate) fn is_handed_over(&self) -> bool {
        self.handed_over.load(Ordering::Acquire)
    }

    pub(crate) fn metrics(&self) -> String {
        let (status, built_at) = (self.status(), self.built_at.load(Ordering::Relaxed));
        let mut records = RingFigures::default();
        for figures in self.recorders.iter().map(Recorder::figures) {
            records.pending += figures.pending;
            records.reserved += figures.reserved;
            records.lost += figures.lost;
            records.refused += figures.refused;
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let age = now.saturating_sub(Duration::from_micros(u64::try_from(built_at).unwrap_or(0)));
        let figures = NodeFigures {
            revision: status.revision.unwrap_or(0),
            snapshot_age_seconds: if status.revision.is_some() {
                age.as_secs_f64()
            } else {
                0.0
            },
            rejected: status.rejected.is_some(),
            warnings: status.warnings.len() as u64,
            compiles: self.compiles.load(Ordering::Relaxed),
            compile_seconds: Duration::from_micros(self.compile_us.load(Ordering::Relaxed)).as_secs_f64(),
            records,
            log: self.log.as_ref().map(|log| log.figures()),
            events: self.ingest.as_ref().map(|ingest| ingest.intake().figures()),
            together: self
                .together
                .as_ref()
                .map(|together| together.figures(self.began)),
        };
        let mut text = metrics::write(&self.cores, &figures);
        self.places
            .write(&mut text, &self.cores, self.serving.load().as_deref());
        metrics::write_traces(&mut text, &self.traces);
        targets::write(&mut text, &self.targets());
        if let Some(serving) = &*self.serving.load() {
            split::write(&mut text, serving);
            mirror::write(&mut text, serving);
        }
        text
    }
}
