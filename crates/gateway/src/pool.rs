//! Connections to upstreams: one pool per core and endpoint, so that no request waits for another core.
//!
//! A connection is lent to one HTTP/1.1 exchange at a time and comes back only if both messages were read and
//! written to their ends; otherwise it is closed. HTTP/2 connections are shared by up to
//! [`STREAMS_MAX`] exchanges each, further ones are opened as needed.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::{Rc, Weak};
use std::time::Duration;

use domain::id::UpstreamId;
use hyper::client::conn::http2;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::spawn_local;
use tokio_rustls::TlsConnector;

use crate::balance::Load;
use crate::body::RequestBody;
use crate::compile::Upstream;
use crate::core::Ids;
use crate::deadline::Deadlines;
use crate::h1;
use crate::local::LocalExecutor;
use crate::metrics::CoreFigures;
use crate::socket::Socket;
use crate::target::Endpoint;

/// Exchanges that one HTTP/2 connection carries at a time.
const STREAMS_MAX: usize = 100;
/// How long an endpoint that could not be reached is passed over while there are others.
const DOWN_FOR: Duration = Duration::from_secs(2);
/// Idle connections older than this may have been closed by the other side without us knowing.
const IDLE_MAX: Duration = Duration::from_secs(60);

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
}

/// What every pool of a core shares.
pub(crate) struct Shared {
    pub(crate) ids: Ids,
    pub(crate) deadlines: Rc<Deadlines>,
    pub(crate) figures: std::sync::Arc<CoreFigures>,
    /// For upstreams with HTTP/1.1 and with HTTP/2.
    pub(crate) tls: [TlsConnector; 2],
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
    idle: RefCell<Vec<Idle>>,
    idle_max: Cell<usize>,
    multiplexed: RefCell<Vec<Multiplexed>>,
    down_until_ms: Cell<u64>,
}

struct Idle {
    line: Box<Counted>,
    since_ms: u64,
}

/// An HTTP/1.1 connection that is counted as open.
pub(crate) struct Counted {
    pub(crate) line: h1::Line,
    _open: OpenConnection,
}

#[derive(Clone)]
pub(crate) struct Multiplexed {
    pub(crate) sender: http2::SendRequest<RequestBody>,
    streams: Rc<Cell<usize>>,
}

/// A connection lent to one exchange.
pub(crate) struct Lease {
    pool: Rc<Pool>,
    line: Option<Line>,
    /// Whether the connection was used before, and may so have been closed unnoticed.
    pub(crate) is_reused: bool,
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
            pool.idle_max.set(upstream.idle_connections_max());
            return pool;
        }
        let pool = Pool::new(
            endpoint.clone(),
            upstream.idle_connections_max(),
            Rc::clone(&self.shared),
        );
        *known = Rc::downgrade(&pool);
        pool
    }

    /// Closes connections that were idle for too long, and forgets pools that nobody has any more.
    pub(crate) fn sweep(&self) {
        self.pools.borrow_mut().retain(|_, pool| {
            let pool = pool.upgrade();
            if let Some(pool) = &pool {
                pool.sweep();
            }
            pool.is_some()
        });
    }

    pub(crate) fn now_ms(&self) -> u64 {
        self.shared.deadlines.now_ms()
    }

    pub(crate) fn random(&self) -> u64 {
        self.shared.ids.random()
    }
}

impl Pool {
    fn new(endpoint: Endpoint, idle_max: usize, shared: Rc<Shared>) -> Rc<Self> {
        Rc::new(Self {
            endpoint,
            load: Load::default(),
            shared,
            idle: RefCell::default(),
            idle_max: Cell::new(idle_max),
            multiplexed: RefCell::default(),
            down_until_ms: Cell::new(0),
        })
    }

    /// Whether it could not be reached a moment ago.
    pub(crate) fn is_down(&self) -> bool {
        self.down_until_ms.get() > self.shared.deadlines.now_ms()
    }

    pub(crate) fn set_down(&self) {
        let for_ms = u64::try_from(DOWN_FOR.as_millis()).unwrap_or(u64::MAX);
        self.down_until_ms.set(self.shared.deadlines.now_ms() + for_ms);
    }

    /// A connection that is open already, if there is one.
    pub(crate) fn take(self: &Rc<Self>) -> Option<Lease> {
        let now_ms = self.shared.deadlines.now_ms();
        if self.endpoint.is_http2 {
            let mut multiplexed = self.multiplexed.borrow_mut();
            multiplexed.retain(|connection| !connection.sender.is_closed());
            let free = multiplexed
                .iter()
                .find(|connection| connection.streams.get() < STREAMS_MAX)?;
            free.streams.set(free.streams.get() + 1);
            return Some(self.lease(Line::Http2(free.clone()), true));
        }
        loop {
            let Idle { mut line, since_ms } = self.idle.borrow_mut().pop()?;
            self.shared.figures.upstream_idle.sub(1);
            if is_fresh(now_ms.saturating_sub(since_ms)) && line.line.is_open() {
                return Some(self.lease(Line::Http1(line), true));
            }
        }
    }

    /// Closes connections that were idle for too long, or that the other side has closed.
    fn sweep(&self) {
        let now_ms = self.shared.deadlines.now_ms();
        let mut idle = self.idle.borrow_mut();
        let before = idle.len();
        idle.retain_mut(|one| is_fresh(now_ms.saturating_sub(one.since_ms)) && one.line.line.is_open());
        self.shared
            .figures
            .upstream_idle
            .sub((before - idle.len()) as u64);
    }

    /// Opens a connection.
    pub(crate) async fn connect(self: &Rc<Self>) -> Result<Lease, ConnectError> {
        let _busy = self.load.busy();
        let Endpoint {
            host, port, is_tls, ..
        } = &self.endpoint;
        let tcp = |source| ConnectError::Tcp {
            host: host.clone(),
            source,
        };
        let stream = TcpStream::connect((&**host, *port)).await.map_err(tcp)?;
        stream.set_nodelay(true).map_err(tcp)?;
        self.shared.figures.upstream_connects.add(1);
        if !*is_tls {
            return self.handshake(Socket::Plain(stream)).await;
        }
        let tls = |source| ConnectError::Tls {
            host: host.clone(),
            source,
        };
        let name = rustls_pki_types::ServerName::try_from(host.to_string())
            .map_err(|_| tls(std::io::Error::from(std::io::ErrorKind::InvalidInput)))?;
        let connector = &self.shared.tls[usize::from(self.endpoint.is_http2)];
        let stream = connector.connect(name, stream).await.map_err(tls)?;
        if self.endpoint.is_http2 && stream.get_ref().1.alpn_protocol() != Some(b"h2") {
            return Err(ConnectError::NoHttp2 { host: host.clone() });
        }
        self.handshake(Socket::Tls(Box::new(stream))).await
    }

    async fn handshake(self: &Rc<Self>, socket: Socket) -> Result<Lease, ConnectError> {
        let open = OpenConnection::new(&self.shared);
        if !self.endpoint.is_http2 {
            let line = Counted {
                line: h1::Line::new(socket),
                _open: open,
            };
            return Ok(self.lease(Line::Http1(Box::new(line)), false));
        }
        let (sender, driver) = http2::Builder::new(LocalExecutor)
            .handshake(TokioIo::new(socket))
            .await
            .map_err(|source| ConnectError::Handshake {
                host: self.endpoint.host.clone(),
                source,
            })?;
        spawn_local(async move {
            let _open = open;
            // How it ends is told to the exchanges that are on it.
            let _ = driver.await;
        });
        let connection = Multiplexed {
            sender,
            streams: Rc::new(Cell::new(1)),
        };
        self.multiplexed.borrow_mut().push(connection.clone());
        Ok(self.lease(Line::Http2(connection), false))
    }

    fn lease(self: &Rc<Self>, line: Line, is_reused: bool) -> Lease {
        self.load.begun();
        Lease {
            pool: Rc::clone(self),
            line: Some(line),
            is_reused,
        }
    }
}

impl Lease {
    pub(crate) const fn peek(&self) -> &Line {
        self.line.as_ref().expect("taken only when dropped")
    }

    pub(crate) const fn line(&mut self) -> &mut Line {
        self.line.as_mut().expect("taken only when dropped")
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.pool.load.ended();
        match self.line.take() {
            Some(Line::Http2(connection)) => connection.streams.set(connection.streams.get() - 1),
            Some(Line::Http1(mut line)) => {
                let mut idle = self.pool.idle.borrow_mut();
                if line.line.is_reusable() && idle.len() < self.pool.idle_max.get() {
                    line.line.rest();
                    idle.push(Idle {
                        line,
                        since_ms: self.pool.shared.deadlines.now_ms(),
                    });
                    self.pool.shared.figures.upstream_idle.add(1);
                }
            }
            None => {}
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

fn is_fresh(idle_ms: u64) -> bool {
    u128::from(idle_ms) < IDLE_MAX.as_millis()
}

/// Counts a connection as open while it exists.
struct OpenConnection(std::sync::Arc<CoreFigures>);

impl OpenConnection {
    fn new(shared: &Shared) -> Self {
        shared.figures.upstream_open.add(1);
        Self(std::sync::Arc::clone(&shared.figures))
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.upstream_open.sub(1);
    }
}
