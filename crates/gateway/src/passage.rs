//! The way of a connection that is not read: to a target of its stream route, and bytes both ways until both have
//! ended.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use tokio::net::TcpStream;

use crate::balance::Balancer;
use crate::causes::chain;
use crate::conn::Conn;
use crate::core::Core;
use crate::reach::{self, Wanted};
use crate::rewound::Rewound;
use crate::streams::Stream;
use crate::tunnel::{Counted, cut, tunnel};

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
        let mut reached = match reach::open(conn, &self.balancer, Wanted::of(&self.balancer, conn)).await {
            Ok(reached) => reached,
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
            let both = (client, &mut reached.socket);
            tunnel(
                &core.spare,
                both,
                (&deadline, self.stream.idle),
                (None, None),
                &mut count,
            )
            .await
        };
        let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let (bytes_in, bytes_out) = (count.received, count.sent);
        match &ended {
            Ok(()) => {
                tracing::debug!(%route, client = %conn.address, target = reached.url, bytes_in, bytes_out, took_ms, "a stream has ended");
            }
            Err(error) => {
                tracing::debug!(%route, client = %conn.address, target = reached.url, bytes_in, bytes_out, took_ms, %error, "a stream was cut");
                cut(error, &client);
                cut(error, reached.socket.tcp());
            }
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
