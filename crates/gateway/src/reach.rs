//! Opens a connection to an upstream whose bytes pass unread.

use std::rc::Rc;
use std::time::Duration;

use http::HeaderMap;

use crate::balance::{Balancer, Choice};
use crate::causes::chain;
use crate::conn::Conn;
use crate::guard::Held;
use crate::pool::{ConnectError, Taken};
use crate::refusal::Cause;
use crate::socket::Socket;

/// For whom a connection is opened.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    /// What connections of one client have in common, if they belong to one target.
    key: Option<u64>,
    /// The part of what the upstream may have at a time that connections like this one may take, in percent.
    share: u32,
}

/// A connection to a target, and what counts as taken as long as it is open.
#[derive(Debug)]
pub(crate) struct Reached {
    pub(crate) socket: Socket,
    /// The target, for people.
    pub(crate) url: String,
    _taken: Taken,
    _held: Option<Box<Held>>,
}

/// Why no target is reached.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreachable {
    #[error("there is no target, or none is healthy")]
    NoTarget,
    #[error("too many connections have failed lately")]
    CircuitOpen { after: Duration },
    #[error("the upstream has as many connections as it may have")]
    Full,
    #[error("what the upstream may have is kept for what matters more")]
    Shed,
    #[error("no connection was open in time")]
    Late,
    #[error(transparent)]
    Connect(ConnectError),
}

impl From<Unreachable> for Cause {
    fn from(why: Unreachable) -> Self {
        match why {
            Unreachable::NoTarget => Self::NoTarget,
            Unreachable::CircuitOpen { after } => Self::CircuitOpen { after },
            Unreachable::Full => Self::UpstreamOverloaded,
            Unreachable::Shed => Self::Shed,
            Unreachable::Late => Self::Timeout {
                detail: "No connection was open in time.",
            },
            Unreachable::Connect(error) => {
                tracing::warn!(error = %chain(&error), "no connection to the upstream");
                Self::Unreachable {
                    detail: "No connection could be opened.".into(),
                }
            }
        }
    }
}

impl Wanted {
    /// A connection of which nothing is known but whom it comes from.
    pub(crate) fn of(balancer: &Balancer, conn: &Conn) -> Self {
        Self {
            key: balancer
                .upstream()
                .rules
                .key(&HeaderMap::new(), conn.address, None),
            // Nobody is less important than another here.
            share: 100,
        }
    }

    /// What a call asks for.
    pub(crate) const fn by_call(key: Option<u64>, share: u32) -> Self {
        Self { key, share }
    }
}

/// Opens a connection to a target, or to another one as long as that may be tried.
pub(crate) async fn open(conn: &Conn, balancer: &Balancer, wanted: Wanted) -> Result<Reached, Unreachable> {
    let core = conn.core();
    let upstream = &**balancer.upstream();
    let now_ms = || core.deadlines.now_ms();
    let passed = match &upstream.breaker {
        None => None,
        Some(breaker) => {
            let passed = breaker.pass(now_ms());
            Some(passed.map_err(|after| Unreachable::CircuitOpen { after })?)
        }
    };
    let held = if upstream.is_bounded {
        // Who wants it bounds all of this.
        let held = balancer.enter(wanted.share, None).await;
        Some(held.map_err(|cause| match cause {
            Cause::Shed => Unreachable::Shed,
            _ => Unreachable::Full,
        })?)
    } else {
        None
    };
    let most = upstream.retries.connects_max;
    let mut tried: Vec<Rc<Choice>> = Vec::new();
    let failed = loop {
        let Some(choice) = balancer.next(wanted.key, &tried) else {
            break Unreachable::NoTarget;
        };
        let connected = try_one(conn, balancer, &choice).await;
        let is_failure = connected.is_err();
        let rules = upstream.outlier_detection.as_ref();
        choice.health.note(is_failure, rules, &upstream.group, now_ms());
        let why = match connected {
            Ok((socket, taken)) => {
                if let Some(passed) = passed {
                    passed.finish(false, now_ms());
                }
                return Ok(Reached {
                    socket,
                    url: choice.target.url(),
                    _taken: taken,
                    _held: held,
                });
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

async fn try_one(conn: &Conn, balancer: &Balancer, choice: &Choice) -> Result<(Socket, Taken), Unreachable> {
    let timeouts = &balancer.upstream().timeouts;
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
