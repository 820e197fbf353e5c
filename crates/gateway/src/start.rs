//! Starts and stops a node.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use domain::id::SubscriptionId;
use domain::{Name, Snapshot, Timestamp};
use events::log::QuotaCount;
use events::{Ingest, Log, Recorder};
use policy::gate::Gate;
use serde::Serialize;
use tokio::runtime::Builder;
use tokio::sync::{mpsc, watch};
use tokio::task::{LocalSet, spawn_local};
use tokio::time::MissedTickBehavior;
use uuid::Uuid;

use crate::apart;
use crate::causes::chain;
use crate::compile::{Compiled, Rejected, compile_at};
use crate::core::Core;
use crate::desk::Desk;
use crate::feed::Feeder;
#[cfg(feature = "http3")]
use crate::h3::{Choosing, Ports};
use crate::handover::Inheritance;
use crate::health::check;
use crate::listen::{Changed, Door, Doors, Sockets};
use crate::metrics;
use crate::node::{Node, NodeLimits, Observed, Rejection, Status, Teller};
use crate::recent::{self, Memory, Question};
use crate::serve::{Signals, drained, run};
#[cfg(feature = "http3")]
use crate::settings::Protocols;
use crate::settings::{Listener, Settings, Unfit};
use crate::tls::{self, Files, Kit, LOOK, Outward, Shelf, Shown};
use crate::together::{self, Identity, Together};
use crate::traces::{self, Tracer};

/// Why a node could not be started.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is taken or not ours.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A setting cannot hold, or nothing would heed it.
    #[error(transparent)]
    Settings(#[from] Unfit),
    /// The store of limits cannot be used.
    #[error(transparent)]
    LimitsStore(#[from] together::Error),
    /// Traces cannot be sent as they are set.
    #[error(transparent)]
    Traces(#[from] traces::Error),
    /// HTTP/3 is wanted of a program that does not have it.
    #[error("HTTP/3 is not part of this program: it was built without the feature `http3`")]
    NoHttp3,
    /// Datagrams have no PROXY header.
    #[error("a listener of HTTP/3 cannot have `proxy_protocol`: {address}")]
    ProxiedHttp3 {
        /// The listener's address.
        address: SocketAddr,
    },
    /// The key for providers of flagd cannot be read.
    #[error("the SDK key for flagd cannot be read from {}", path.display())]
    FlagdKey {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] tls::Error),
    /// It was to take over from a process that serves, but has no snapshot that it can serve.
    #[error("the process before goes on: there is no snapshot that this one can serve")]
    NotReady,
    /// The system gave no thread.
    #[error("starting a thread")]
    Thread(#[source] io::Error),
}

/// Where calls are recorded.
pub struct Records {
    /// Makes the recorder of a core; called once for each.
    pub recorder: Box<dyn FnMut() -> Recorder>,
    /// The log behind the recorders, for its figures.
    pub log: Option<Arc<Log>>,
    /// What was counted for quotas before the start.
    pub counts: Vec<QuotaCount>,
    /// Takes tracked events, and who was given which variant of a flag, into a log that somebody counts; without it
    /// events are refused, and of variants nothing is recorded.
    pub ingest: Option<Ingest>,
}

/// Where a node listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Addresses {
    /// HTTP.
    pub plain: SocketAddr,
    /// HTTP over TLS, if it is served.
    pub tls: Option<SocketAddr>,
    /// flagd's services, if they have a place of their own.
    pub flagd: Option<SocketAddr>,
}

/// A node that is running; dropped, it drains without anybody waiting for it.
#[derive(Debug)]
pub struct Gateway {
    addresses: Addresses,
    /// Changed by whoever changes settings, never by a core.
    places: Arc<Mutex<Places>>,
    changes: watch::Sender<Arc<Settings>>,
    node: Arc<Node>,
    draining: watch::Sender<bool>,
    threads: Vec<JoinHandle<()>>,
}

/// Starts a node; requests are answered when this returns.
///
/// `data` is the directory for the development certificate. A snapshot of revision 0 counts as none: until the
/// first other one, requests are answered with `not_ready`.
pub fn start(
    settings: Settings,
    data: &Path,
    records: Records,
    snapshots: watch::Receiver<Arc<Snapshot>>,
) -> Result<Gateway, Error> {
    start_after(&mut Inheritance::default(), settings, data, records, snapshots)
}

/// Starts a node with sockets that are there already.
///
/// If a process before has handed them over, tell it ([`Inheritance::serving`]) when requests can be answered as it has
/// answered them.
#[expect(clippy::too_many_lines, reason = "what a node is made of, in its order")]
pub fn start_after(
    inheritance: &mut Inheritance,
    settings: Settings,
    data: &Path,
    mut records: Records,
    snapshots: watch::Receiver<Arc<Snapshot>>,
) -> Result<Gateway, Error> {
    let cores = match settings.cores {
        0 => thread::available_parallelism().map_or(1, usize::from),
        cores => cores,
    };
    settings.check()?;
    let outward = Outward::new(settings.upstream_roots.as_deref())?;
    let kit = Kit::new(settings.sealing.clone());
    let (files, own) = own_certificate(&settings, data, &kit)?;
    let is_taking_over = inheritance.is_some();
    let places = Places::open(
        (cores, is_taking_over),
        std::mem::take(&mut inheritance.sockets),
        &settings,
    )?;
    let addresses = Addresses::of(&places.doors, &settings);
    let doors = places.doors.subscribe();
    #[cfg(feature = "http3")]
    let ports = places.ports.subscribe();
    let places = Arc::new(Mutex::new(places));
    let recorders = (0..cores).map(|_| (records.recorder)()).collect();
    let together = settings.limits_store.as_ref().map(|_| Together::new());
    let limits = NodeLimits {
        gate: Gate::new(&settings.limits.gate()),
        together: together.clone(),
    };
    let (asker, questions) = recent::questions(cores);
    let observed = Observed {
        asker,
        places: metrics::Places::new(settings.route_series),
    };
    let node = Arc::new(Node::new(
        (recorders, records.ingest),
        records.log,
        limits,
        observed,
    ));
    let settings = Arc::new(settings);
    let changes = watch::Sender::new(Arc::clone(&settings));
    let (draining, drained) = watch::channel(false);
    let mut keeper = Keeper {
        places: Arc::clone(&places),
        settings: Arc::clone(&settings),
        node: Arc::clone(&node),
        counts: by_subscription(records.counts),
        compiled: watch::Sender::new(None),
        kit,
        data: data.to_owned(),
        served: None,
        left: Vec::new(),
        files,
        own_certificate: watch::Sender::new(own.map(Arc::new)),
        changes: changes.subscribe(),
    };
    let signals = Signals {
        compiled: keeper.compiled.subscribe(),
        own_certificate: keeper.own_certificate.subscribe(),
        doors,
        #[cfg(feature = "http3")]
        ports,
        #[cfg(feature = "http3")]
        choosing: Choosing::new(Arc::clone(&node), keeper.own_certificate.subscribe()),
        draining: drained.clone(),
    };
    let mut snapshots = snapshots;
    keeper.take(&snapshots.borrow_and_update().clone());
    if is_taking_over && keeper.compiled.borrow().is_none() {
        return Err(Error::NotReady);
    }
    let sharing = share(together, &node, &settings, &signals)?;
    let checks = check::spawn(
        signals.compiled.clone(),
        drained.clone(),
        outward.clone(),
        settings.name_servers.clone(),
    );
    let (tracer, sending) = trace(&node, &settings)?.unzip();
    let mut threads = vec![keeper.spawn(snapshots, drained)?, checks.map_err(Error::Thread)?];
    threads.extend(sending);
    threads.extend(sharing);
    for (index, questions) in questions.into_iter().enumerate() {
        let seed = Seed {
            index,
            questions,
            settings: Arc::clone(&settings),
            node: Arc::clone(&node),
            outward: outward.clone(),
            tracer: tracer.clone(),
        };
        threads.push(seed.spawn(signals.clone())?);
    }
    Ok(Gateway {
        addresses,
        places,
        changes,
        node,
        draining,
        threads,
    })
}

fn by_subscription(counts: Vec<QuotaCount>) -> HashMap<SubscriptionId, QuotaCount> {
    let pairs = counts.into_iter().map(|count| (count.subscription, count));
    pairs.collect()
}

/// Everywhere a node listens.
#[derive(Debug)]
struct Places {
    doors: Doors,
    #[cfg(feature = "http3")]
    ports: Ports,
    /// Whether there is a process before, which has its connections of HTTP/3 until they have ended.
    #[cfg_attr(
        not(feature = "http3"),
        expect(dead_code, reason = "other listeners take over their sockets")
    )]
    is_taking_over: bool,
    /// Settings that are followed as soon as that is possible.
    waiting: Option<Settings>,
}

impl Places {
    /// Listens wherever the settings say.
    fn open(
        (cores, is_taking_over): (usize, bool),
        sockets: Sockets,
        settings: &Settings,
    ) -> Result<Self, Error> {
        let mut places = Self {
            is_taking_over,
            waiting: None,
            doors: Doors::new(cores, sockets),
            #[cfg(feature = "http3")]
            ports: Ports::new(cores),
        };
        if let Some(error) = places.change(settings).failed.into_iter().next() {
            return Err(error);
        }
        places.doors.forget_inherited();
        Ok(places)
    }

    /// Opens and closes what it takes to listen as the settings say.
    fn change(&mut self, settings: &Settings) -> Changed {
        let listeners = settings.all_listeners();
        let mut changed = self.doors.change(&listeners, settings);
        self.waiting = None;
        self.change_http3(settings, &listeners, &mut changed);
        changed
    }

    /// Tries again what had to wait.
    fn retry(&mut self) {
        if let Some(settings) = self.waiting.take() {
            self.change(&settings).log();
        }
    }

    #[cfg(feature = "http3")]
    fn change_http3(&mut self, settings: &Settings, listeners: &[Listener], changed: &mut Changed) {
        let proxied = |listener: &&Listener| {
            listener.protocols == Protocols::Http3 && listener.proxy_protocol.is_some()
        };
        let wanted: Vec<_> = listeners
            .iter()
            .filter(|listener| settings.has_http3(listener) && !proxied(listener))
            .map(|listener| {
                let beside = self.doors.opened_at(listener);
                (listener.address, beside.unwrap_or(listener.address))
            })
            .collect();
        let refused = listeners.iter().filter(proxied);
        changed.failed.extend(refused.map(|listener| Error::ProxiedHttp3 {
            address: listener.address,
        }));
        let others = changed.failed.len();
        self.ports.change(&wanted, changed);
        // An address whose connections end, here or in the process before, is free soon.
        for failed in changed.failed.split_off(others) {
            match &failed {
                Error::Listen { address, source }
                    if source.kind() == io::ErrorKind::AddrInUse
                        && (self.is_taking_over || self.ports.is_ending(*address)) =>
                {
                    self.waiting = Some(settings.clone());
                }
                _ => changed.failed.push(failed),
            }
        }
        let open: Vec<_> = self.ports.addresses().collect();
        self.doors.quiet(|address| open.contains(&address));
    }

    #[cfg(not(feature = "http3"))]
    fn change_http3(&mut self, settings: &Settings, listeners: &[Listener], changed: &mut Changed) {
        if listeners.iter().any(|listener| settings.has_http3(listener)) {
            changed.failed.push(Error::NoHttp3);
        }
    }

    /// Listens nowhere any more.
    fn close(&mut self) {
        self.waiting = None;
        self.doors.change(&[], &Settings::default());
        #[cfg(feature = "http3")]
        self.ports.change(&[], &mut Changed::default());
    }
}

/// Counts limits together with other nodes, if the settings say so.
fn share(
    together: Option<Arc<Together>>,
    node: &Node,
    settings: &Settings,
    signals: &Signals,
) -> Result<Option<JoinHandle<()>>, Error> {
    let Some((together, store)) = together.zip(settings.limits_store.clone()) else {
        return Ok(None);
    };
    let seed = together::Seed {
        settings: store,
        environment: settings.environment.clone(),
        identity: identity(node),
        began: node.began,
        together,
        compiled: signals.compiled.clone(),
        draining: signals.draining.clone(),
    };
    seed.spawn().map(Some)
}

/// Sends traces, if the settings say where.
fn trace(node: &Node, settings: &Settings) -> Result<Option<(Tracer, JoinHandle<()>)>, Error> {
    let Some(traces) = &settings.traces else {
        return Ok(None);
    };
    let started = traces::export::spawn(traces, &node.traces, &identity(node).node)?;
    Ok(Some(started))
}

/// The node's own certificate and its files; none where no TLS is served.
fn own_certificate(
    settings: &Settings,
    data: &Path,
    kit: &Kit,
) -> Result<(Option<Files>, Option<Shown>), tls::Error> {
    let listeners = settings.all_listeners();
    if !listeners.iter().any(|listener| settings.ends_tls(listener)) {
        return Ok((None, None));
    }
    let mut files = Files::of(settings, data)?;
    let own = files.read(kit)?;
    Ok((Some(files), Some(own)))
}

impl Addresses {
    fn of(doors: &Doors, settings: &Settings) -> Self {
        let mut open = doors.open().map(|door| door.address);
        Self {
            plain: open.next().expect("`listen` is the first of all listeners"),
            tls: settings.listen_tls.and_then(|_| open.next()),
            flagd: settings.flagd.as_ref().and_then(|_| open.last()),
        }
    }
}

/// Who counts, for the store of limits.
fn identity(node: &Node) -> Identity {
    let mut random = [0; 16];
    aws_lc_rs::rand::fill(&mut random).expect("the system has randomness");
    let process = Uuid::from_bytes(random).simple().to_string();
    Identity {
        node: node
            .log
            .as_ref()
            .map_or_else(|| process.clone(), |log| log.node().to_string()),
        process,
    }
}

/// What a core is made of, before it is on its thread.
struct Seed {
    index: usize,
    questions: mpsc::Receiver<Question>,
    settings: Arc<Settings>,
    node: Arc<Node>,
    outward: Outward,
    tracer: Option<Tracer>,
}

impl Seed {
    fn spawn(self, signals: Signals) -> Result<JoinHandle<()>, Error> {
        let name = format!("gateway-{}", self.index);
        let body = move || {
            let runtime = Builder::new_current_thread().enable_all().build();
            let runtime = match runtime {
                Ok(runtime) => runtime,
                Err(error) => return tracing::error!(%error, "a core cannot start"),
            };
            LocalSet::new().block_on(&runtime, async {
                let core = Core::new(self.index, (self.settings, self.node), self.outward, self.tracer);
                spawn_local(recent::answer(Rc::clone(&core), self.questions));
                run(core, signals).await;
            });
        };
        thread::Builder::new()
            .name(name)
            .spawn(body)
            .map_err(Error::Thread)
    }
}

/// Compiles snapshots as they come, off the way of requests.
struct Keeper {
    places: Arc<Mutex<Places>>,
    settings: Arc<Settings>,
    node: Arc<Node>,
    counts: HashMap<SubscriptionId, QuotaCount>,
    compiled: watch::Sender<Option<Arc<Compiled>>>,
    kit: Kit,
    data: PathBuf,
    /// The snapshot that is served, if it names files: it is compiled again when one changes.
    served: Option<Arc<Snapshot>>,
    /// Those before, until no core has them: to free one takes as long as many calls, and cores are not to do it.
    left: Vec<Arc<Compiled>>,
    files: Option<Files>,
    own_certificate: watch::Sender<Option<Arc<Shown>>>,
    /// Settings that have changed while the node runs.
    changes: watch::Receiver<Arc<Settings>>,
}

impl Keeper {
    fn spawn(
        mut self,
        mut snapshots: watch::Receiver<Arc<Snapshot>>,
        draining: watch::Receiver<bool>,
    ) -> Result<JoinHandle<()>, Error> {
        let follow = async move {
            let mut changes = self.changes.clone();
            let mut looks = tokio::time::interval(LOOK);
            looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    changed = snapshots.changed() => {
                        if changed.is_err() {
                            // Nobody sends any more; what is served stays.
                            drained(draining).await;
                            return;
                        }
                        let snapshot = snapshots.borrow_and_update().clone();
                        self.take(&snapshot);
                        self.write_ahead();
                        self.let_go();
                    }
                    Ok(()) = changes.changed() => {
                        let settings = changes.borrow_and_update().clone();
                        self.show_as_in(&settings);
                    }
                    _ = looks.tick() => {
                        self.places.lock().expect("nothing panics while holding it").retry();
                        self.look();
                        self.look_at_targets();
                        self.let_go();
                    }
                    () = drained(draining.clone()) => return,
                }
            }
        };
        let body = move || {
            apart::give_way();
            match Builder::new_current_thread().enable_time().build() {
                Ok(runtime) => runtime.block_on(follow),
                Err(error) => tracing::error!(%error, "new snapshots cannot be followed"),
            }
        };
        thread::Builder::new()
            .name("gateway-keeper".to_owned())
            .spawn(body)
            .map_err(Error::Thread)
    }

    /// Compiles a snapshot and hands it to the cores, or notes why not.
    fn take(&mut self, snapshot: &Arc<Snapshot>) {
        let before = self.compiled.borrow().clone();
        let is_old = before
            .as_ref()
            .is_some_and(|before| before.revision >= snapshot.revision);
        if snapshot.revision > 0 && !is_old {
            self.serve(snapshot, before.as_deref());
        }
    }

    /// Has documents for clients of other products written that will be asked for again; nobody waits for it here.
    fn write_ahead(&self) {
        let compiled = self.compiled.borrow();
        let Some(flags) = compiled.as_ref().map(|compiled| &compiled.flags) else {
            return;
        };
        let wanted = Desk::wanted(&flags.sets);
        if !wanted.is_empty() {
            tokio::spawn(flags.desk.clone().write_ahead(wanted));
        }
    }

    /// Frees what no core has any more.
    fn let_go(&mut self) {
        self.left.retain(|compiled| Arc::strong_count(compiled) > 1);
    }

    /// Compiles a snapshot, if it can be, and serves it.
    fn serve(&mut self, snapshot: &Arc<Snapshot>, before: Option<&Compiled>) {
        let began = Instant::now();
        match self.compile(snapshot, before) {
            Ok(compiled) => {
                self.served = compiled.has_files().then(|| Arc::clone(snapshot));
                let warnings = compiled.broken_files.clone();
                for warning in &warnings {
                    tracing::error!(%warning, "a file of targets cannot be used; those read before go on");
                }
                self.restore(before, &compiled);
                self.node.built_at(snapshot.built_at);
                let compiled = Arc::new(compiled);
                self.node.serves(&compiled);
                self.left.extend(self.compiled.send_replace(Some(compiled)));
                let took = began.elapsed();
                self.node.compiled_in(took);
                tracing::debug!(revision = snapshot.revision, ?took, "serving a new snapshot");
                self.node.change(|status| {
                    status.revision = Some(snapshot.revision);
                    status.rejected = None;
                    status.warnings = warnings;
                });
            }
            Err(reason) => {
                let reason = chain(&reason);
                tracing::error!(revision = snapshot.revision, %reason, "a snapshot was rejected");
                let rejection = Rejection {
                    revision: snapshot.revision,
                    reason,
                };
                self.node.change(|status| status.rejected = Some(rejection));
            }
        }
    }

    fn compile(&self, snapshot: &Snapshot, before: Option<&Compiled>) -> Result<Compiled, Rejected> {
        let directory = self.settings.targets_directory.as_deref();
        let mut compiled = compile_at(snapshot, (&self.settings.environment, directory), before)?;
        let shelf = Shelf::compile(snapshot, &self.kit, before.map(|before| &before.shelf));
        compiled.shelf =
            shelf.map_err(|(certificate, source)| Rejected::Certificate { certificate, source })?;
        Ok(compiled)
    }

    /// Shows the certificate that changed settings name; one that cannot be used leaves the old one.
    fn show_as_in(&mut self, settings: &Settings) {
        match own_certificate(settings, &self.data, &self.kit) {
            Ok((files, own)) => {
                self.files = files;
                self.own_certificate.send_replace(own.map(Arc::new));
            }
            Err(error) => {
                let reason = chain(&error);
                tracing::error!(%reason, "the certificate in the settings cannot be used");
            }
        }
    }

    /// Reads the node's own certificate again if its files have changed; one that cannot be used leaves the old one.
    fn look(&mut self) {
        let Some(files) = self.files.as_mut().filter(|files| files.have_changed()) else {
            return;
        };
        match files.read(&self.kit) {
            Ok(own) => {
                tracing::info!("the node's certificate was read again");
                self.own_certificate.send_replace(Some(Arc::new(own)));
            }
            Err(error) => {
                let reason = chain(&error);
                tracing::error!(%reason, "the files of the certificate have changed but cannot be used");
            }
        }
    }

    /// Compiles what is served again if a file of targets has changed.
    fn look_at_targets(&mut self) {
        let before = self.compiled.borrow().clone();
        let Some(before) = before.filter(|before| before.has_changed_files()) else {
            return;
        };
        if let Some(served) = self
            .served
            .clone()
            .filter(|served| served.revision == before.revision)
        {
            tracing::info!("a file of targets has changed");
            self.serve(&served, Some(&before));
        }
    }

    /// Goes on with quotas counted before the start, for subscriptions that are new to this process.
    fn restore(&mut self, before: Option<&Compiled>, compiled: &Compiled) {
        let now = now();
        self.counts.retain(|id, count| {
            let is_new = before.is_none_or(|before| !before.directory.contains(*id));
            let is_there = compiled.directory.contains(*id);
            if is_new && is_there {
                compiled
                    .directory
                    .restore_quota(*id, count.period_start, count.count, now);
            }
            !is_there
        });
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

impl Gateway {
    /// Where it listens.
    pub const fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// Listens, and shows certificates, as changed settings say; everything else in them is left for the next start.
    ///
    /// What is as before is not touched. A listener that is gone takes who waits at it, finishes requests under way
    /// and ends.
    pub fn change(&self, settings: &Settings) -> Changed {
        // The certificate first: a new listener may be the first with TLS.
        self.changes.send_replace(Arc::new(settings.clone()));
        self.with_places(|places| places.change(settings))
    }

    /// Every address that is listened on now.
    pub fn listening(&self) -> Vec<SocketAddr> {
        self.with_places(|places| places.doors.open().map(|door| door.address).collect())
    }

    /// Every address that HTTP/3 is listened for at now.
    #[cfg(feature = "http3")]
    pub fn listening_http3(&self) -> Vec<SocketAddr> {
        self.with_places(|places| places.ports.addresses().collect())
    }

    pub(crate) fn doors(&self) -> Vec<Arc<Door>> {
        self.with_places(|places| places.doors.open().cloned().collect())
    }

    /// Leaves who waits at the sockets to the next process; to be drained then.
    pub(crate) fn handed_over(&self) {
        self.node.hand_over();
    }

    fn with_places<T>(&self, use_: impl FnOnce(&mut Places) -> T) -> T {
        use_(&mut self.places.lock().expect("nothing panics while holding it"))
    }

    /// How it is.
    pub fn status(&self) -> Status {
        self.node.status()
    }

    /// How it is, and every change of that.
    pub fn statuses(&self) -> watch::Receiver<Status> {
        self.node.statuses()
    }

    /// What brings snapshots to it through `snapshots`, the channel that it was started with.
    pub fn feeder(&self, snapshots: watch::Sender<Arc<Snapshot>>) -> Feeder {
        Feeder::new(snapshots, &self.node)
    }

    /// What it has to tell the control plane of itself.
    pub fn teller(&self, environment: Name) -> Teller {
        Teller::new(&self.node, environment)
    }

    /// What it remembers of its last calls.
    pub fn memory(&self) -> Memory {
        Memory(self.node.asker.clone())
    }

    /// Its figures in the text format of Prometheus.
    pub fn metrics(&self) -> String {
        self.node.metrics()
    }

    /// Stops taking connections, finishes the requests under way, and returns when all have ended or `limit`
    /// is over; whether all have ended.
    ///
    /// Blocks its thread.
    pub fn drain(&self, limit: Duration) -> bool {
        self.node.change(|status| status.draining = true);
        self.draining.send_replace(true);
        // Each core still accepts who waits at its sockets; then they are closed.
        self.with_places(Places::close);
        let until = Instant::now() + limit;
        loop {
            if self.threads.iter().all(JoinHandle::is_finished) {
                return true;
            }
            if Instant::now() >= until {
                return false;
            }
            thread::sleep(Duration::from_millis(2));
        }
    }
}
