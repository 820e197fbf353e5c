//! Where a node listens: opened and closed while it runs, and taken over from the process before.

use std::cell::Cell;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::{fmt, io};

use http::HeaderValue;
use socket2::{Domain, Type};
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};

use crate::causes::chain;
use crate::settings::{AltSvc, Flagd, Listener, Protocols, ProxyProtocol, Settings};
use crate::start::Error;

const BACKLOG: i32 = 4096;

/// What is spoken on a listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Way {
    pub(crate) tls: bool,
    pub(crate) protocols: Protocols,
    /// Who says whom connections come from.
    pub(crate) proxy_protocol: Option<ProxyProtocol>,
    /// What is told about HTTP/3 at the same address.
    pub(crate) alt_svc: Option<AltSvc>,
    /// Only questions about flags are answered.
    pub(crate) flagd: Option<AtFlagd>,
}

/// What is known at a place for providers of flagd.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct AtFlagd {
    /// The SDK key of those who come without one.
    key: Option<Arc<str>>,
}

impl fmt::Debug for AtFlagd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AtFlagd").finish_non_exhaustive()
    }
}

impl AtFlagd {
    fn of(flagd: &Flagd) -> Result<Self, Error> {
        let Some(path) = &flagd.key_file else {
            return Ok(Self { key: None });
        };
        let text = std::fs::read_to_string(path).map_err(|source| Error::FlagdKey {
            path: path.clone(),
            source,
        })?;
        Ok(Self {
            key: Some(text.trim().into()),
        })
    }

    pub(crate) fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }
}

impl Way {
    fn of(listener: &Listener, settings: &Settings) -> Result<Self, Error> {
        Ok(Self {
            tls: listener.tls,
            protocols: listener.protocols,
            proxy_protocol: listener.proxy_protocol.clone(),
            alt_svc: settings.alt_svc(listener),
            flagd: listener.flagd.as_ref().map(AtFlagd::of).transpose()?,
        })
    }
}

/// An address that is listened on, with a socket for each core or more.
#[derive(Debug)]
pub(crate) struct Door {
    /// Another one for each way: a door never changes.
    pub(crate) id: u64,
    pub(crate) address: SocketAddr,
    pub(crate) way: Way,
    sockets: Arc<Vec<TcpListener>>,
}

impl Door {
    /// The sockets of a core: together the cores have all of them, so that nobody waits at one in vain.
    pub(crate) fn sockets_of(&self, core: usize, cores: usize) -> impl Iterator<Item = &TcpListener> {
        self.sockets.iter().skip(core).step_by(cores.max(1))
    }

    pub(crate) fn sockets(&self) -> &[TcpListener] {
        &self.sockets
    }
}

/// What connections know of the door they came by; the door itself has its sockets, which close with it.
#[derive(Debug)]
pub(crate) struct Entrance {
    pub(crate) address: SocketAddr,
    pub(crate) way: Way,
}

impl Entrance {
    pub(crate) fn of(door: &Door) -> Self {
        Self {
            address: door.address,
            way: door.way.clone(),
        }
    }

    /// What a connection was opened to; asked of the system only where it is not the door's address.
    pub(crate) fn destination(&self, stream: &TcpStream) -> SocketAddr {
        if self.address.ip().is_unspecified() {
            stream.local_addr().unwrap_or(self.address)
        } else {
            self.address
        }
    }
}

/// Whether connections that came by a door have to go.
#[derive(Debug, Default)]
pub(crate) struct Leaving {
    is_left: Cell<bool>,
    told: Notify,
    /// Where the same is served over HTTP/3.
    pub(crate) alt_svc: Option<HeaderValue>,
    /// Only questions about flags are answered.
    pub(crate) flagd: Option<AtFlagd>,
}

impl Leaving {
    pub(crate) fn new(alt_svc: Option<HeaderValue>, flagd: Option<AtFlagd>) -> Self {
        Self {
            alt_svc,
            flagd,
            ..Self::default()
        }
    }

    pub(crate) fn is_left(&self) -> bool {
        self.is_left.get()
    }

    pub(crate) fn leave(&self) {
        self.is_left.set(true);
        self.told.notify_waiters();
    }

    /// Waits until they have to.
    pub(crate) async fn left(&self) {
        while !self.is_left.get() {
            self.told.notified().await;
        }
    }
}

/// Sockets from before this process, by the address they listen on.
pub(crate) type Sockets = Vec<(SocketAddr, Vec<TcpListener>)>;

/// All doors of a node; changed by one thread, followed by every core.
#[derive(Debug)]
pub(crate) struct Doors {
    cores: usize,
    next_id: u64,
    /// Each with the address that was asked for, which may have had port 0.
    open: Vec<(SocketAddr, Arc<Door>)>,
    told: watch::Sender<Vec<Arc<Door>>>,
    inherited: Sockets,
}

/// What a change of the listeners came to.
#[derive(Debug, Default)]
pub struct Changed {
    /// Addresses that are listened on from now on.
    pub opened: Vec<SocketAddr>,
    /// Addresses that are not listened on any more.
    pub closed: Vec<SocketAddr>,
    /// Addresses at which HTTP/3 is listened for from now on.
    pub opened_http3: Vec<SocketAddr>,
    /// Addresses at which it is not any more.
    pub closed_http3: Vec<SocketAddr>,
    /// What could not be opened, or not be changed and so goes on as it was.
    pub failed: Vec<Error>,
}

impl Changed {
    /// Tells what it came to.
    pub fn log(&self) {
        for address in &self.opened {
            tracing::info!(%address, "listening");
        }
        for address in &self.closed {
            tracing::info!(%address, "not listening any more");
        }
        for address in &self.opened_http3 {
            tracing::info!(%address, "listening for HTTP/3");
        }
        for address in &self.closed_http3 {
            tracing::info!(%address, "not listening for HTTP/3 any more");
        }
        for error in &self.failed {
            let reason = chain(error);
            tracing::error!(%reason, "a listener could not be opened or changed");
        }
    }
}

impl Doors {
    pub(crate) fn new(cores: usize, inherited: Sockets) -> Self {
        Self {
            cores,
            next_id: 0,
            open: Vec::new(),
            told: watch::Sender::default(),
            inherited,
        }
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<Vec<Arc<Door>>> {
        self.told.subscribe()
    }

    /// The doors in the order of the settings.
    pub(crate) fn open(&self) -> impl Iterator<Item = &Arc<Door>> {
        self.open.iter().map(|(_, door)| door)
    }

    /// Forgets the sockets from before this process that nobody has asked for.
    pub(crate) fn forget_inherited(&mut self) {
        for (address, _) in self.inherited.drain(..) {
            tracing::warn!(%address, "a socket that was there before belongs to no listener of the settings; it is closed");
        }
    }

    /// Opens and closes what it takes to listen as wanted; what is as before, or cannot be changed, is not touched.
    pub(crate) fn change(&mut self, wanted: &[Listener], settings: &Settings) -> Changed {
        let mut before = std::mem::take(&mut self.open);
        let mut changed = Changed::default();
        for listener in wanted
            .iter()
            .filter(|listener| listener.protocols != Protocols::Http3)
        {
            let place = before.iter().position(|(asked, _)| *asked == listener.address);
            let known = place.map(|place| before.remove(place).1);
            let kept = known.clone();
            let made = Way::of(listener, settings).and_then(|way| match known {
                Some(door) if door.way == way => Ok(door),
                // The same sockets: who waits at them is served the new way.
                Some(door) => Ok(self.door(door.address, way, Arc::clone(&door.sockets))),
                None => self.listen(listener.address).map(|(address, sockets)| {
                    changed.opened.push(address);
                    self.door(address, way, Arc::new(sockets))
                }),
            });
            let door = made.map_err(|error| changed.failed.push(error)).ok();
            // A door that cannot be made anew goes on as it was: nobody has asked for it to be closed.
            let door = door.or(kept);
            self.open.extend(door.map(|door| (listener.address, door)));
        }
        changed.closed.extend(before.iter().map(|(_, door)| door.address));
        self.told.send_replace(self.open().cloned().collect());
        changed
    }

    /// Says nothing about HTTP/3 at doors where there is none after all.
    #[cfg(feature = "http3")]
    pub(crate) fn quiet(&mut self, has_http3: impl Fn(SocketAddr) -> bool) {
        let mut is_changed = false;
        for place in 0..self.open.len() {
            let (asked, door) = self.open[place].clone();
            if door.way.alt_svc.is_some() && !has_http3(door.address) {
                let way = Way {
                    alt_svc: None,
                    ..door.way.clone()
                };
                self.open[place] = (asked, self.door(door.address, way, Arc::clone(&door.sockets)));
                is_changed = true;
            }
        }
        if is_changed {
            self.told.send_replace(self.open().cloned().collect());
        }
    }

    /// Where a listener is whose address may have had port 0.
    #[cfg(feature = "http3")]
    pub(crate) fn opened_at(&self, listener: &Listener) -> Option<SocketAddr> {
        let is_it = |(asked, door): &&(SocketAddr, Arc<Door>)| {
            *asked == listener.address
                && (door.way.tls, door.way.protocols) == (listener.tls, listener.protocols)
        };
        self.open.iter().find(is_it).map(|(_, door)| door.address)
    }

    fn door(&mut self, address: SocketAddr, way: Way, sockets: Arc<Vec<TcpListener>>) -> Arc<Door> {
        self.next_id += 1;
        Arc::new(Door {
            id: self.next_id,
            address,
            way,
            sockets,
        })
    }

    /// One socket per core on the same address; the kernel spreads connections over them.
    fn listen(&mut self, address: SocketAddr) -> Result<(SocketAddr, Vec<TcpListener>), Error> {
        let failed = |source| Error::Listen { address, source };
        let inherited = self.inherited.iter().position(|(known, _)| *known == address);
        let (address, mut sockets) = match inherited.map(|place| self.inherited.swap_remove(place)) {
            Some(inherited) => inherited,
            None => {
                check_free(address).map_err(failed)?;
                let first = bind(address).map_err(failed)?;
                (first.local_addr().map_err(failed)?, vec![first])
            }
        };
        for index in sockets.len()..self.cores {
            // Others may have opened theirs for themselves only: then cores take turns at it.
            let another = bind(address).or_else(|_| sockets[index % sockets.len()].try_clone());
            sockets.push(another.map_err(failed)?);
        }
        Ok((address, sockets))
    }
}

/// Opens a listener that shares its address with others of this process.
fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket(address)?;
    socket.set_reuse_port(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Fails if another process listens there: shared listeners would silently split the traffic between the two.
fn check_free(address: SocketAddr) -> io::Result<()> {
    socket(address)?.bind(&address.into())
}

fn socket(address: SocketAddr) -> io::Result<socket2::Socket> {
    let socket = open(address, Type::STREAM)?;
    socket.set_reuse_address(true)?;
    Ok(socket)
}

/// Opens a socket for datagrams.
#[cfg(feature = "http3")]
pub(crate) fn datagram_socket(address: SocketAddr) -> io::Result<socket2::Socket> {
    open(address, Type::DGRAM)
}

fn open(address: SocketAddr, kind: Type) -> io::Result<socket2::Socket> {
    let socket = socket2::Socket::new(Domain::for_address(address), kind, None)?;
    socket.set_nonblocking(true)?;
    if matches!(address.ip(), IpAddr::V6(_)) {
        socket.set_only_v6(false)?;
    }
    Ok(socket)
}
