//! Connections to upstreams: one pool per core and target, so that no request waits for another core.
//!
//! A connection is lent to one HTTP/1.1 exchange at a time and comes back only if both messages were read and
//! written to their ends; otherwise it is closed. HTTP/2 connections are shared by a number of exchanges each,
//! further ones are opened as needed. Where connections are bounded, exchanges wait for each other.
//!
//! A connection that began with a PROXY header speaks for one connection of a client. So each of those has a pool of
//! its own beside the endpoint's ([`Pool::of_client`]), with its bounds, its load and an end with the client's.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

use domain::id::UpstreamId;
use domain::traffic::{Connections, ProxyVersion, UpstreamProtocol};
use rustls::ClientConfig;
use tokio::sync::Notify;
use tokio_rustls::TlsConnector;

use crate::balance::Load;
use crate::causes::chain;
use crate::compile::Upstream;
use crate::core::Ids;
use crate::deadline::Deadlines;
use crate::guard::Held;
use crate::h1;
use crate::metrics::CoreFigures;
use crate::proxy_protocol::{self, Ends};
use crate::socket::Socket;
use crate::target::Endpoint;
use crate::tls::Outward;

mod heard;
mod multiplexed;
mod open;

use self::multiplexed::Multiplexed;
use self::open::open_any;
pub(crate) use self::open::{open, open_tcp};

/// How long an endpoint that could not be reached is passed over while there are others.
const DOWN_FOR: Duration = Duration::from_secs(2);

/// What a connection has to be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Need {
    /// Not used before.
    pub(crate) is_fresh: bool,
    /// One of HTTP/1.1, whatever the target would rather speak.
    pub(crate) is_http1: bool,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    #[error("{host} could not be reached")]
    Tcp {
        host: Box<str>,
        #[source]
        source: std::io::Error,
    },
    #[error("TLS with {host} failed")]
    Tls {
        host: Box<str>,
        #[source]
        source: std::io::Error,
    },
    #[error("{host} does not speak HTTP/2")]
    NoHttp2 { host: Box<str> },
    #[error("HTTP with {host} failed")]
    Handshake {
        host: Box<str>,
        #[source]
        source: hyper::Error,
    },
    #[error("there are as many connections as may be, and enough exchanges wait for one")]
    Full,
}

/// What every pool of a core shares.
pub(crate) struct Shared {
    pub(crate) ids: Ids,
    pub(crate) deadlines: Rc<Deadlines>,
    pub(crate) figures: Arc<CoreFigures>,
    pub(crate) tls: Outward,
    /// The pools of single connections of clients.
    pub(crate) personal: RefCell<Vec<Weak<Pool>>>,
}

/// The pools of one core, by upstream and endpoint; they outlive snapshots.
pub(crate) struct Pools {
    shared: Rc<Shared>,
    pools: RefCell<HashMap<(UpstreamId, Endpoint), Weak<Pool>>>,
}

/// The connections of one core to one endpoint.
pub(crate) struct Pool {
    endpoint: Endpoint,
    pub(crate) load: Load,
    shared: Rc<Shared>,
    tls: Option<TlsConnector>,
    idle: RefCell<Vec<Idle>>,
    rules: Cell<Rules>,
    multiplexed: RefCell<Vec<Multiplexed>>,
    down_until_ms: Cell<u64>,
    slots: Rc<Slots>,
    /// The endpoint's pool and whom connections are for, in a pool of one connection of a client.
    of: Option<(Rc<Pool>, Ends)>,
}

/// What a pool is bounded by.
#[derive(Clone, Copy)]
struct Rules {
    idle_max: usize,
    connections: Connections,
    proxy_protocol: Option<ProxyVersion>,
}

impl Rules {
    fn of(upstream: &Upstream) -> Self {
        Self {
            idle_max: upstream.idle_connections_max(),
            connections: upstream.connections,
            proxy_protocol: upstream.proxy_protocol,
        }
    }

    fn is_fresh(&self, idle_ms: u64) -> bool {
        idle_ms < u64::from(self.connections.idle_ms)
    }

    /// Whether a connection has carried all the exchanges that it may.
    fn is_spent(&self, calls: u32) -> bool {
        self.connections.calls_max > 0 && calls >= self.connections.calls_max
    }
}

/// Connections of a pool that are open or being opened.
#[derive(Debug, Default)]
struct Slots {
    taken: Cell<u32>,
    waiting: Cell<u32>,
    /// Wakes one that waits when a connection was closed or is free.
    freed: Notify,
}

/// A connection's place among those that may be open.
#[derive(Debug)]
struct Slot(Rc<Slots>);

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.taken.set(self.0.taken.get() - 1);
        self.0.freed.notify_one();
    }
}

struct Idle {
    line: Box<Counted>,
    since_ms: u64,
}

/// An HTTP/1.1 connection that is counted as open.
pub(crate) struct Counted {
    pub(crate) line: h1::Line,
    calls: u32,
    _open: OpenConnection,
}

/// A connection lent to one exchange.
pub(crate) struct Lease {
    pool: Rc<Pool>,
    line: Option<Line>,
    /// Whether the connection was used before, and may so have been closed unnoticed.
    pub(crate) is_reused: bool,
    /// Whether an answer began; only HTTP/2 wants to know.
    pub(crate) is_answered: bool,
    /// The exchange's place among those that the upstream may have at a time.
    pub(crate) held: Option<Box<Held>>,
}

pub(crate) enum Line {
    Http1(Box<Counted>),
    Http2(Multiplexed),
}

impl Pools {
    pub(crate) fn new(shared: Shared) -> Rc<Self> {
        Rc::new(Self {
            shared: Rc::new(shared),
            pools: RefCell::default(),
        })
    }

    /// The pool of an upstream's endpoint, bounded as the upstream says now.
    pub(crate) fn of(&self, upstream: &Upstream, endpoint: &Endpoint) -> Rc<Pool> {
        let mut pools = self.pools.borrow_mut();
        let known = pools.entry((upstream.id, endpoint.clone())).or_default();
        if let Some(pool) = known.upgrade() {
            pool.rules.set(Rules::of(upstream));
            return pool;
        }
        let pool = Pool::new(endpoint.clone(), Rules::of(upstream), Rc::clone(&self.shared));
        *known = Rc::downgrade(&pool);
        pool
    }

    /// Closes connections that were idle for too long, and forgets pools that nobody has any more.
    pub(crate) fn sweep(&self) {
        let sweep = |pool: &Weak<Pool>| {
            let pool = pool.upgrade();
            if let Some(pool) = &pool {
                pool.sweep();
            }
            pool.is_some()
        };
        self.pools.borrow_mut().retain(|_, pool| sweep(pool));
        self.shared.personal.borrow_mut().retain(sweep);
    }

    pub(crate) fn now_ms(&self) -> u64 {
        self.shared.deadlines.now_ms()
    }

    pub(crate) fn random(&self) -> u64 {
        self.shared.ids.random()
    }
}

impl Pool {
    fn new(endpoint: Endpoint, rules: Rules, shared: Rc<Shared>) -> Rc<Self> {
        let tls = endpoint.is_tls.then(|| {
            let connector = shared.tls.connector(endpoint.tls.as_deref(), endpoint.protocol);
            connector
                .inspect_err(|error| tracing::error!(error = %chain(error), "no TLS with an upstream"))
                .ok()
        });
        Rc::new(Self {
            endpoint,
            load: Load::default(),
            shared,
            tls: tls.flatten(),
            idle: RefCell::default(),
            rules: Cell::new(rules),
            multiplexed: RefCell::default(),
            down_until_ms: Cell::new(0),
            slots: Rc::default(),
            of: None,
        })
    }

    /// Whether connections are opened for one connection of a client each.
    pub(crate) fn is_personal(&self) -> bool {
        self.rules.get().proxy_protocol.is_some()
    }

    /// The pool for one connection of a client; `known` are those that it has.
    pub(crate) fn of_client(self: &Rc<Self>, ends: Ends, known: &RefCell<Vec<Rc<Self>>>) -> Rc<Self> {
        let mut known = known.borrow_mut();
        let is_of = |pool: &&Rc<Self>| pool.of.as_ref().is_some_and(|(of, _)| Rc::ptr_eq(of, self));
        if let Some(pool) = known.iter().find(is_of) {
            return Rc::clone(pool);
        }
        let pool = Rc::new(Self {
            endpoint: self.endpoint.clone(),
            load: Load::default(),
            shared: Rc::clone(&self.shared),
            tls: self.tls.clone(),
            idle: RefCell::default(),
            rules: Cell::new(self.rules.get()),
            multiplexed: RefCell::default(),
            down_until_ms: Cell::new(0),
            slots: Rc::clone(&self.slots),
            of: Some((Rc::clone(self), ends)),
        });
        self.shared.personal.borrow_mut().push(Rc::downgrade(&pool));
        known.push(Rc::clone(&pool));
        pool
    }

    /// The endpoint's pool.
    fn base(&self) -> &Self {
        match &self.of {
            Some((base, _)) => base,
            None => self,
        }
    }

    fn rules(&self) -> Rules {
        self.base().rules.get()
    }

    /// What is said on a new connection before anything else.
    fn preface(&self) -> Option<Box<[u8]>> {
        let (_, ends) = self.of.as_ref()?;
        let version = self.rules().proxy_protocol?;
        Some(proxy_protocol::write(version, Some(ends)))
    }

    /// Closes a connection that waits for another call of its client, so that another client can have one.
    fn make_room(&self) {
        let personal = self.shared.personal.borrow();
        for pool in personal.iter().filter_map(Weak::upgrade) {
            if !std::ptr::eq(pool.base(), self.base()) {
                continue;
            }
            let idle = pool.idle.borrow_mut().pop();
            if idle.is_some() {
                self.shared.figures.upstream_idle.sub(1);
                return;
            }
            let mut multiplexed = pool.multiplexed.borrow_mut();
            if let Some(place) = multiplexed.iter().position(Multiplexed::is_idle) {
                multiplexed.remove(place);
                return;
            }
        }
    }

    /// Whether it could not be reached a moment ago.
    pub(crate) fn is_down(&self) -> bool {
        self.down_until_ms.get() > self.shared.deadlines.now_ms()
    }

    pub(crate) fn set_down(&self) {
        let for_ms = u64::try_from(DOWN_FOR.as_millis()).unwrap_or(u64::MAX);
        self.down_until_ms.set(self.shared.deadlines.now_ms() + for_ms);
    }

    /// Whether there are as many connections as may be.
    pub(crate) fn is_full(&self) -> bool {
        let max = self.rules().connections.max;
        max > 0 && self.slots.taken.get() >= max
    }

    /// A connection that is open already, if there is one.
    pub(crate) fn take(self: &Rc<Self>, need: Need) -> Option<Lease> {
        if need.is_fresh {
            return None;
        }
        if !need.is_http1
            && !self.multiplexed.borrow().is_empty()
            && let Some(lease) = self.take_multiplexed()
        {
            return Some(lease);
        }
        if self.endpoint.is_http2() {
            return None;
        }
        let now_ms = self.shared.deadlines.now_ms();
        loop {
            let Idle { mut line, since_ms } = self.idle.borrow_mut().pop()?;
            self.shared.figures.upstream_idle.sub(1);
            if self.rules().is_fresh(now_ms.saturating_sub(since_ms)) && line.line.is_open() {
                return Some(self.lease(Line::Http1(line), true));
            }
        }
    }

    fn take_multiplexed(self: &Rc<Self>) -> Option<Lease> {
        let (rules, now_ms) = (self.rules(), self.shared.deadlines.now_ms());
        let mut multiplexed = self.multiplexed.borrow_mut();
        multiplexed.retain(|connection| connection.is_usable(rules, now_ms));
        let free = multiplexed.iter().find(|connection| connection.has_room(rules))?;
        Some(self.lease(Line::Http2(free.enter()), true))
    }

    /// Closes connections that were idle for too long, or that the other side has closed.
    fn sweep(&self) {
        let now_ms = self.shared.deadlines.now_ms();
        let rules = self.rules();
        let mut idle = self.idle.borrow_mut();
        let before = idle.len();
        idle.retain_mut(|one| rules.is_fresh(now_ms.saturating_sub(one.since_ms)) && one.line.line.is_open());
        self.shared
            .figures
            .upstream_idle
            .sub((before - idle.len()) as u64);
        let mut multiplexed = self.multiplexed.borrow_mut();
        multiplexed.retain(|connection| connection.is_usable(rules, now_ms));
    }

    /// Opens a connection, or waits for one if there are as many as may be.
    pub(crate) async fn connect(self: &Rc<Self>, need: Need) -> Result<Lease, ConnectError> {
        let _busy = self.base().load.busy();
        if self.of.is_some() && self.is_full() {
            self.make_room();
        }
        if self.is_full()
            && let Some(lease) = self.wait(need).await?
        {
            return Ok(lease);
        }
        self.slots.taken.set(self.slots.taken.get() + 1);
        let slot = Slot(Rc::clone(&self.slots));
        let preface = self.preface();
        let is_auto = self.endpoint.protocol == UpstreamProtocol::Auto;
        let http1 = (is_auto && need.is_http1).then(|| self.tls_for(&[b"http/1.1"]));
        let tls = http1.as_ref().unwrap_or(&self.tls);
        let socket = open(&self.endpoint, tls.as_ref(), preface.as_deref()).await?;
        self.shared.figures.upstream_connects.add(1);
        self.handshake(socket, slot).await
    }

    /// Waits until there is room for another connection, or one that is free.
    async fn wait(self: &Rc<Self>, need: Need) -> Result<Option<Lease>, ConnectError> {
        if self.slots.waiting.get() >= self.rules().connections.waiting_max {
            return Err(ConnectError::Full);
        }
        let _waiting = Waiting::new(&self.slots.waiting);
        while self.is_full() {
            self.slots.freed.notified().await;
            let lease = self.take(need);
            if lease.is_some() {
                return Ok(lease);
            }
        }
        Ok(None)
    }

    /// Opens a connection for bytes that pass as they come, with TLS if the target wants that; waits if there are as
    /// many as may be.
    pub(crate) async fn open_stream(self: &Rc<Self>, ends: Ends) -> Result<(Socket, Taken), ConnectError> {
        let _busy = self.load.busy();
        if self.is_full() {
            let need = Need {
                is_fresh: true,
                is_http1: false,
            };
            self.wait(need).await?;
        }
        self.slots.taken.set(self.slots.taken.get() + 1);
        let slot = Slot(Rc::clone(&self.slots));
        let version = self.rules().proxy_protocol;
        let preface = version.map(|version| proxy_protocol::write(version, Some(&ends)));
        // What is spoken inside is not known, so none is offered.
        let tls = self.tls_for(&[]);
        let stream = open_any(&self.endpoint, tls.as_ref(), preface.as_deref()).await?;
        self.shared.figures.upstream_connects.add(1);
        self.load.begun();
        let taken = Taken {
            pool: Rc::clone(self),
            _open: OpenConnection::new(&self.shared, slot),
        };
        Ok((stream, taken))
    }

    /// TLS as the endpoint wants it, but for the protocols that are offered.
    fn tls_for(&self, protocols: &[&[u8]]) -> Option<TlsConnector> {
        let mut config = ClientConfig::clone(self.tls.as_ref()?.config());
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        Some(TlsConnector::from(Arc::new(config)))
    }

    async fn handshake(self: &Rc<Self>, socket: Socket, slot: Slot) -> Result<Lease, ConnectError> {
        let is_http2 = socket.is_http2(self.endpoint.is_http2());
        let open = OpenConnection::new(&self.shared, slot);
        if !is_http2 {
            let line = Counted {
                line: h1::Line::new(socket),
                calls: 0,
                _open: open,
            };
            return Ok(self.lease(Line::Http1(Box::new(line)), false));
        }
        // What the endpoint has said before is likely to hold for this connection as well.
        let known = self.multiplexed.borrow().last().map(Multiplexed::streams_max);
        let known = known.filter(|streams| *streams > 0);
        let begun = Multiplexed::begin(socket, open, (&self.shared.deadlines, known)).await;
        let connection = begun.map_err(|source| ConnectError::Handshake {
            host: self.endpoint.host.clone(),
            source,
        })?;
        self.multiplexed.borrow_mut().push(connection.clone());
        Ok(self.lease(Line::Http2(connection.enter()), false))
    }

    fn lease(self: &Rc<Self>, line: Line, is_reused: bool) -> Lease {
        self.base().load.begun();
        Lease {
            pool: Rc::clone(self),
            line: Some(line),
            is_reused,
            is_answered: false,
            held: None,
        }
    }

    /// Ends an exchange on a connection of several.
    fn leave(&self, connection: &Multiplexed, is_answered: bool) {
        connection.leave(is_answered);
        if connection.is_retired() {
            // At once: its place is free for another one as soon as its last exchange has ended.
            self.multiplexed.borrow_mut().retain(|one| !one.is_retired());
        }
    }

    /// Keeps a connection for the next exchange, if it may have one.
    fn keep(&self, mut line: Box<Counted>) {
        let rules = self.rules();
        line.calls = line.calls.saturating_add(1);
        // Nobody but its client could have it.
        if self.of.is_some() && (self.slots.waiting.get() > 0 || rules.proxy_protocol.is_none()) {
            return;
        }
        let mut idle = self.idle.borrow_mut();
        if line.line.is_reusable() && idle.len() < rules.idle_max && !rules.is_spent(line.calls) {
            line.line.rest();
            idle.push(Idle {
                line,
                since_ms: self.shared.deadlines.now_ms(),
            });
            self.shared.figures.upstream_idle.add(1);
        }
    }
}

/// A place among a target's connections and in its load, for a stream.
#[derive(Debug)]
pub(crate) struct Taken {
    pool: Rc<Pool>,
    _open: OpenConnection,
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.pool.load.ended();
    }
}

/// An exchange that waits for a connection, counted.
struct Waiting<'a>(&'a Cell<u32>);

impl<'a> Waiting<'a> {
    fn new(count: &'a Cell<u32>) -> Self {
        count.set(count.get() + 1);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

impl Lease {
    pub(crate) const fn peek(&self) -> &Line {
        self.line.as_ref().expect("taken only when dropped")
    }

    pub(crate) const fn line(&mut self) -> &mut Line {
        self.line.as_mut().expect("taken only when dropped")
    }

    pub(crate) const fn is_http2(&self) -> bool {
        matches!(self.line, Some(Line::Http2(_)))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.pool.base().load.ended();
        match self.line.take() {
            Some(Line::Http2(connection)) => self.pool.leave(&connection, self.is_answered),
            Some(Line::Http1(line)) => self.pool.keep(line),
            None => {}
        }
        if self.pool.slots.waiting.get() > 0 {
            self.pool.slots.freed.notify_one();
        }
    }
}

impl std::fmt::Debug for Pools {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pools").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool")
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Lease {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lease")
            .field("endpoint", &self.pool.endpoint)
            .finish_non_exhaustive()
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared
            .figures
            .upstream_idle
            .sub(self.idle.borrow().len() as u64);
    }
}

/// Counts a connection as open while it exists.
#[derive(Debug)]
struct OpenConnection {
    figures: Arc<CoreFigures>,
    _slot: Slot,
}

impl OpenConnection {
    fn new(shared: &Shared, slot: Slot) -> Self {
        shared.figures.upstream_open.add(1);
        Self {
            figures: Arc::clone(&shared.figures),
            _slot: slot,
        }
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.figures.upstream_open.sub(1);
    }
}
