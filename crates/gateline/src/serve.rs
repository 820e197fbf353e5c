//! Starts the parts of a server in the order in which they need each other, and stops them in the other one.
//!
//! Start: data directory → listeners → gateway (without a snapshot: it answers `not_ready`) → control plane, which
//! must know the gateway's address → snapshots and usage flow → API → sample → "everything answers". Stop: the
//! gateway finishes its calls, its records go to the log, the log to the store, then the API and the store end.

mod cluster;
mod error;
mod lake;
mod node;
mod plane;
mod ready;
mod tracking;

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;

use cli::Exit;
use gateway::Inheritance;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::announce;
use crate::arguments::{Role, Serve, SettingsFlags, Up};
use crate::demo::Demo;
use crate::folder::Folder;
use crate::log::Quiet;
use crate::settings::{self, Settings};

use cluster::Cluster;
pub(crate) use error::Error;
use node::Node;
use plane::Plane;
pub(crate) use plane::{database, database_error};
pub(crate) use ready::{Admin, client as client_of};

/// Which parts run in this process.
#[derive(Debug)]
pub(crate) struct Plan {
    control: bool,
    gateway: bool,
    scheduler: bool,
    executor: bool,
    demo: bool,
    ready_file: Option<PathBuf>,
}

impl Plan {
    /// Everything.
    pub(crate) fn up(arguments: &Up) -> Self {
        let ready_file = arguments.ready.ready_file.clone();
        Self {
            control: true,
            gateway: true,
            scheduler: false,
            executor: false,
            demo: !arguments.no_demo,
            ready_file,
        }
    }

    /// The chosen roles.
    pub(crate) fn serve(arguments: &Serve) -> Self {
        let has = |role| arguments.roles.contains(&role);
        Self {
            control: has(Role::Control),
            gateway: has(Role::Gateway),
            scheduler: has(Role::Scheduler),
            executor: has(Role::Executor),
            demo: false,
            ready_file: arguments.ready.ready_file.clone(),
        }
    }
}

/// Tells tasks to stop; they hold a receiver.
#[derive(Debug, Clone)]
pub(crate) struct Stop(watch::Sender<bool>);

impl Stop {
    /// Nobody is told yet.
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(false))
    }

    /// Tells all of them.
    pub(crate) fn now(&self) {
        self.0.send_replace(true);
    }

    /// For parts that take a receiver.
    pub(crate) fn receiver(&self) -> watch::Receiver<bool> {
        self.0.subscribe()
    }

    /// Ready when told.
    pub(crate) fn told(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut receiver = self.0.subscribe();
        async move {
            // A sender that is gone tells nothing more: then it is over, too.
            let _ = receiver.wait_for(|told| *told).await;
        }
    }
}

/// Runs the parts of a plan until a signal; prints where they are.
pub(crate) fn run(flags: &SettingsFlags, plan: &Plan) -> Exit {
    let settings = match settings::load(&flags.sources()) {
        Ok(loaded) => loaded.settings,
        Err(error) => {
            crate::complain(&error.to_string());
            return Exit::Settings;
        }
    };
    let quiet = match crate::log::start(&settings.log) {
        Ok(quiet) => quiet,
        Err(error) => {
            crate::complain(&format!("`log.level` is not valid: {error}"));
            return Exit::Settings;
        }
    };
    // There must be no threads yet.
    let sockets = match gateway::activated() {
        Ok(sockets) => sockets,
        Err(source) => {
            crate::complain(&format!(
                "the sockets that were passed to it (LISTEN_FDS): {source}"
            ));
            return Exit::Settings;
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let served = match runtime {
        Ok(runtime) => runtime.block_on(serve((&settings, flags), plan, sockets, quiet)),
        Err(source) => Err(Error::Runtime { source }),
    };
    match served {
        Ok(()) => Exit::Done,
        Err(error) => {
            crate::complain(&error.explain());
            error.exit()
        }
    }
}

async fn serve(
    (settings, flags): (&Settings, &SettingsFlags),
    plan: &Plan,
    sockets: Inheritance,
    quiet: Quiet,
) -> Result<(), Error> {
    if settings.gateway.handover.is_some() {
        return Err(Error::Handover);
    }
    let (mut signals, mut again) = (Signals::listen()?, Hangup::listen()?);
    let address = settings.control.listen;
    if plan.control && plan.gateway && address == settings.gateway.listen && address.port() != 0 {
        return Err(Error::SameAddress { address });
    }
    let folder = Folder::take(&settings.data_dir)?;
    let door = if plan.control {
        Some(plane::bind(settings.control.listen).await?)
    } else {
        None
    };
    let mut node = if plan.gateway {
        Some(Node::start(settings, &folder, sockets)?)
    } else {
        None
    };
    let gateway = node.as_ref().map(Node::url);
    let mut plane = match door {
        Some(door) => {
            let gateway = gateway.clone().unwrap_or_else(|| url(settings.gateway.listen));
            Some(Plane::open(settings, &folder, door, gateway).await?)
        }
        None => None,
    };
    let chosen = (plan.scheduler, plan.executor);
    let mut cluster = Cluster::start(settings, &folder, chosen, plane.as_ref()).await?;
    if let Some(node) = &mut node {
        match &plane {
            Some(plane) => node.follow(plane).await?,
            None => node.follow_from_afar(settings)?,
        }
    }
    if let Some(plane) = &mut plane {
        plane.serve(settings, &folder, node.as_ref())?;
    }
    let begun = begin(plan, &folder, plane.as_ref(), node.as_ref(), &cluster);
    let demo = tokio::select! {
        begun = begun => begun?,
        () = signals.any() => None,
    };
    quiet.end();
    let mut ended = Ok(());
    while !signals.came && ended.is_ok() {
        tokio::select! {
            () = signals.any() => {}
            () = again.changed() => reload(flags, node.as_mut()),
            error = cluster.failed() => ended = Err(error),
        }
    }
    tokio::select! {
        () = finish(node, plane, cluster, demo) => ended,
        // Whoever asks twice does not want to wait.
        () = signals.any() => Err(Error::Impatient),
    }
}

/// Reads the settings again, and changes of the gateway what can be changed while it runs.
fn reload(flags: &SettingsFlags, node: Option<&mut Node>) {
    match (settings::load(&flags.sources()), node) {
        (Ok(loaded), Some(node)) => node.change(&loaded.settings.gateway),
        (Ok(_), None) => tracing::info!("nothing of the control plane's settings changes while it runs"),
        (Err(error), _) => tracing::error!(%error, "the settings cannot be read again; nothing changes"),
    }
}

/// Waits until everything answers, loads the sample, and says where everything is.
async fn begin(
    plan: &Plan,
    folder: &Folder,
    plane: Option<&Plane>,
    node: Option<&Node>,
    cluster: &Cluster,
) -> Result<Option<Demo>, Error> {
    let (control, gateway) = (plane.map(Plane::url), node.map(Node::url));
    // A configuration that the node rejects can be mended only while the control plane runs.
    let is_well = match node.filter(|_| plane.is_some()) {
        Some(node) => node.is_well(ready::WITHIN).await,
        None => true,
    };
    let control_is = control.as_deref().map(|url| (url, is_well));
    let gateway_is = gateway.as_deref().map(|url| (url, is_well && plane.is_some()));
    ready::wait([control_is, gateway_is]).await?;
    let admin = match plane {
        Some(plane) => ready::sign_in(plane).await?,
        None => None,
    };
    let demo = match (plan.demo, &control, &gateway, &admin) {
        (true, Some(control), Some(gateway), Some(admin)) => {
            Some(Demo::start(folder.path(), control, gateway, admin).await?)
        }
        _ => None,
    };
    let mut report = ready::report(
        control.as_deref(),
        gateway.as_deref(),
        admin.as_ref(),
        demo.as_ref(),
    );
    let flagd = node.and_then(Node::flagd).map(|address| ("flagd", address));
    let parts: Vec<_> = flagd.into_iter().chain(cluster.addresses()).collect();
    for (name, address) in &parts {
        report[*name] = address.to_string().into();
    }
    if let Some(file) = &plan.ready_file {
        ready::write(file, &report)?;
    }
    announce::print(
        control.as_deref(),
        gateway.as_deref(),
        &parts,
        admin.as_ref(),
        demo.as_ref(),
    );
    Ok(demo)
}

async fn finish(node: Option<Node>, plane: Option<Plane>, cluster: Cluster, demo: Option<Demo>) {
    tracing::info!("stopping");
    cluster.stop().await;
    if let Some(node) = node {
        node.stop().await;
    }
    if let Some(demo) = demo {
        demo.stop().await;
    }
    if let Some(plane) = plane {
        plane.stop().await;
    }
}

/// How others reach an address of this machine.
pub(crate) fn url(address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        format!("http://127.0.0.1:{}", address.port())
    } else {
        format!("http://{address}")
    }
}

/// What asks to read the settings again.
struct Hangup(tokio::signal::unix::Signal);

impl Hangup {
    fn listen() -> Result<Self, Error> {
        signal(SignalKind::hangup())
            .map(Self)
            .map_err(|source| Error::Runtime { source })
    }

    async fn changed(&mut self) {
        self.0.recv().await;
    }
}

/// Ctrl-C and what service managers send.
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    came: bool,
}

impl Signals {
    fn listen() -> Result<Self, Error> {
        let listen = |kind| signal(kind).map_err(|source| Error::Runtime { source });
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            came: false,
        })
    }

    /// Ready with the next signal.
    async fn any(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
        self.came = true;
    }
}
