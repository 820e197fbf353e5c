//! The way of a connection that is not read: to a target of its stream route, and bytes both ways until both have
//! ended.

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::HeaderMap;
use socket2::SockRef;
use tokio::net::TcpStream;

use crate::balance::{Balancer, Choice};
use crate::causes::chain;
use crate::conn::Conn;
use crate::core::Core;
use crate::guard::Held;
use crate::pool::{ConnectError, Taken};
use crate::rewound::Rewound;
use crate::streams::Stream;
use crate::tunnel::{Counted, tunnel};

/// Where a connection goes that is not read.
#[derive(Debug)]
pub(crate) struct Passage {
    stream: Arc<Stream>,
    balancer: Rc<Balancer>,
}

impl Passage {
    /// Finds the stream route of what came to a port: by the host that a client names in TLS, if it names one; then,
    /// where nothing else is spoken, whatever nobody else takes.
    pub(crate) fn find(conn: &Conn, port: u16, host: Option<&str>, takes_rest: bool) -> Option<Self> {
        let installed = conn.core().installed()?;
        let streams = &installed.compiled.streams;
        if streams.is_empty() {
            return None;
        }
        let named = host.and_then(|host| streams.of_host(port, host));
        let stream = named.or_else(|| streams.of_port(port).filter(|_| takes_rest))?;
        Some(Self {
            balancer: Rc::clone(&installed.balancers[stream.upstream]),
            stream: Arc::clone(stream),
        })
    }

    /// Passes a connection on of which the first bytes may have been read, until it has ended.
    ///
    /// It keeps nothing of the snapshot but its upstream.
    pub(crate) async fn pass(self, conn: &Conn, mut client: TcpStream, first: Vec<u8>) {
        let (core, route) = (conn.core(), self.stream.id);
        // Heads have deadlines, streams do not.
        conn.deadline.disarm();
        let Some(_entered) = self.stream.enter() else {
            core.figures.streams_refused.add(1);
            return tracing::debug!(%route, client = %conn.address, "there are as many streams as may be");
        };
        let (mut target, _guards, url) = match self.connect(conn).await {
            Ok(connected) => connected,
            Err(error) => {
                core.figures.streams_failed.add(1);
                let error = chain(&error);
                return tracing::warn!(%route, error, "a stream reaches no target");
            }
        };
        let mut count = Count::new(core);
        let began = Instant::now();
        let ended = {
            let client = Rewound::new(&mut client, first);
            let deadline = core.deadlines.deadline();
            let both = (client, &mut target);
            tunnel(&core.spare, both, (&deadline, self.stream.idle), &mut count).await
        };
        let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let (bytes_in, bytes_out) = (count.received, count.sent);
        match &ended {
            Ok(()) => {
                tracing::debug!(%route, client = %conn.address, target = url, bytes_in, bytes_out, took_ms, "a stream has ended");
            }
            Err(error) => {
                tracing::debug!(%route, client = %conn.address, target = url, bytes_in, bytes_out, took_ms, %error, "a stream was cut");
                cut(error, [&client, &target]);
            }
        }
    }

    /// Opens a connection to a target, or to another one as long as that may be tried.
    async fn connect(&self, conn: &Conn) -> Result<(TcpStream, Guards, String), Unreachable> {
        let (balancer, core) = (&*self.balancer, conn.core());
        let upstream = &**balancer.upstream();
        let now_ms = || core.deadlines.now_ms();
        let passed = match &upstream.breaker {
            None => None,
            Some(breaker) => Some(breaker.pass(now_ms()).map_err(|_| Unreachable::CircuitOpen)?),
        };
        let held = if upstream.is_bounded {
            // Nobody is less important than another here.
            Some(balancer.enter(100).await.map_err(|_| Unreachable::Full)?)
        } else {
            None
        };
        let key = upstream.rules.key(&HeaderMap::new(), conn.address, None);
        let most = upstream.retries.connects_max;
        let mut tried: Vec<Rc<Choice>> = Vec::new();
        let failed = loop {
            let Some(choice) = balancer.next(key, &tried) else {
                break Unreachable::NoTarget;
            };
            let connected = self.open(conn, &choice).await;
            let is_failure = connected.is_err();
            let rules = upstream.outlier_detection.as_ref();
            choice.health.note(is_failure, rules, &upstream.group, now_ms());
            let why = match connected {
                Ok((target, taken)) => {
                    if let Some(passed) = passed {
                        passed.finish(false, now_ms());
                    }
                    let url = choice.target.url();
                    return Ok((
                        target,
                        Guards {
                            _taken: taken,
                            _held: held,
                        },
                        url,
                    ));
                }
                Err(why) => why,
            };
            if matches!(why, Unreachable::Full) {
                return Err(why);
            }
            choice.pool.set_down();
            choice.pool.load.failed(now_ms());
            tried.push(choice);
            if tried.len() >= balancer.len().min(most) {
                break why;
            }
        };
        if let Some(passed) = passed.filter(|_| !tried.is_empty()) {
            passed.finish(true, now_ms());
        }
        Err(failed)
    }

    async fn open(&self, conn: &Conn, choice: &Choice) -> Result<(TcpStream, Taken), Unreachable> {
        let timeouts = &self.balancer.upstream().timeouts;
        let deadline = conn.core().deadlines.deadline();
        deadline.arm(Duration::from_millis(u64::from(timeouts.connect_ms)));
        match deadline.bound(choice.pool.open_stream(conn.ends)).await {
            Some(Ok(opened)) => Ok(opened),
            Some(Err(ConnectError::Full)) => Err(Unreachable::Full),
            Some(Err(error)) => Err(Unreachable::Connect(error)),
            None if choice.pool.is_full() => Err(Unreachable::Full),
            None => Err(Unreachable::Late),
        }
    }
}

/// What counts as taken as long as a stream is open.
struct Guards {
    _taken: Taken,
    _held: Option<Box<Held>>,
}

/// Why a stream reaches no target.
#[derive(Debug, thiserror::Error)]
enum Unreachable {
    #[error("there is no target, or none is healthy")]
    NoTarget,
    #[error("too many connections have failed lately")]
    CircuitOpen,
    #[error("the upstream has as many connections as it may have")]
    Full,
    #[error("no connection was open in time")]
    Late,
    #[error(transparent)]
    Connect(ConnectError),
}

/// Lets both sides see that it was no end: what was sent last may be missing.
fn cut(error: &io::Error, sides: [&TcpStream; 2]) {
    if error.kind() != io::ErrorKind::TimedOut {
        for side in sides {
            // Without it, the end of the connection is all there is to see.
            let _ = SockRef::from(side).set_linger(Some(Duration::ZERO));
        }
    }
}

/// Counts a stream and its bytes.
struct Count<'a> {
    core: &'a Core,
    received: u64,
    sent: u64,
}

impl<'a> Count<'a> {
    fn new(core: &'a Core) -> Self {
        core.figures.streams.add(1);
        core.figures.streams_open.add(1);
        Self {
            core,
            received: 0,
            sent: 0,
        }
    }
}

impl Counted for Count<'_> {
    fn received(&mut self, bytes: u64) {
        self.received += bytes;
        self.core.figures.stream_bytes_in.add(bytes);
    }

    fn sent(&mut self, bytes: u64) {
        self.sent += bytes;
        self.core.figures.stream_bytes_out.add(bytes);
    }
}

impl Drop for Count<'_> {
    fn drop(&mut self) {
        self.core.figures.streams_open.sub(1);
    }
}
