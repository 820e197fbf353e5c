//! Connections of HTTP/2, which carry several exchanges at a time.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::client::conn::http2;
use hyper_util::rt::TokioIo;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio::task::spawn_local;

use super::heard::{Heard, Quiet};
use super::{OpenConnection, Rules};
use crate::body::RequestBody;
use crate::deadline::Deadlines;
use crate::local::LocalExecutor;
use crate::socket::Socket;

/// Streams that a server is taken to allow until it has said how many: the least that RFC 9113 section 6.5.2
/// recommends.
const STREAMS_ASSUMED: usize = 100;

/// How long the other side may leave bytes unacknowledged. It reads whatever there is, since the bounds of HTTP/2 are
/// above TCP's.
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(30);

/// How often the kernel asks again whether the other side is there.
const PROBE_EVERY: Duration = Duration::from_secs(10);

type Driver = http2::Connection<TokioIo<Heard>, RequestBody, LocalExecutor>;

/// A connection of HTTP/2.
#[derive(Clone)]
pub(crate) struct Multiplexed {
    pub(crate) sender: http2::SendRequest<RequestBody>,
    state: Rc<State>,
}

struct State {
    /// Moves the bytes; none once the connection has ended.
    driver: RefCell<Option<Driver>>,
    streams: Cell<u32>,
    calls: Cell<u32>,
    /// When the last exchange ended.
    idle_since_ms: Cell<u64>,
    quiet: Rc<Quiet>,
    /// Whether it gets no more exchanges.
    is_retired: Cell<bool>,
}

impl Multiplexed {
    /// Speaks HTTP/2 over a new connection, which counts as open until it ends.
    ///
    /// Until the other side has said how many streams it takes, they are `streams`, or what is customary.
    pub(super) async fn begin(
        socket: Socket,
        open: OpenConnection,
        (deadlines, streams): (&Rc<Deadlines>, Option<usize>),
    ) -> Result<Self, hyper::Error> {
        watch(socket.tcp());
        let quiet = Quiet::new(deadlines);
        let heard = Heard {
            socket,
            quiet: Rc::clone(&quiet),
        };
        let (sender, driver) = http2::Builder::new(LocalExecutor)
            .initial_max_send_streams(streams.unwrap_or(STREAMS_ASSUMED))
            .handshake(TokioIo::new(heard))
            .await?;
        let state = Rc::new(State {
            driver: RefCell::new(Some(driver)),
            streams: Cell::new(0),
            calls: Cell::new(0),
            idle_since_ms: Cell::new(quiet.now_ms()),
            quiet,
            is_retired: Cell::new(false),
        });
        let driven = Rc::clone(&state);
        spawn_local(async move {
            let _open = open;
            poll_fn(|context| driven.poll(context)).await;
        });
        Ok(Self { sender, state })
    }

    /// Whether there may be further exchanges on it, now or when others have ended.
    pub(super) fn is_usable(&self, rules: Rules, now_ms: u64) -> bool {
        let idle_ms = now_ms.saturating_sub(self.state.idle_since_ms.get());
        (!self.is_idle() || rules.is_fresh(idle_ms))
            && !self.is_retired()
            && !self.sender.is_closed()
            && !rules.is_spent(self.state.calls.get())
    }

    /// Whether another exchange may begin: as many as we want at a time, and no more than the other side takes.
    pub(super) fn has_room(&self, rules: Rules) -> bool {
        let streams = self.state.streams.get();
        streams < rules.connections.streams_max && (streams as usize) < self.streams_max()
    }

    /// Whether nothing is under way.
    pub(super) fn is_idle(&self) -> bool {
        self.state.streams.get() == 0
    }

    /// How many streams the other side takes at a time; none once the connection has ended.
    pub(super) fn streams_max(&self) -> usize {
        let driver = self.state.driver.borrow();
        driver.as_ref().map_or(0, Driver::current_max_send_streams)
    }

    /// Begins an exchange.
    pub(super) fn enter(&self) -> Self {
        let State {
            streams,
            calls,
            quiet,
            ..
        } = &*self.state;
        streams.set(streams.get() + 1);
        calls.set(calls.get().saturating_add(1));
        quiet.asked();
        self.clone()
    }

    /// Ends one; if it got no answer because nothing comes over the connection, there are no more on it.
    pub(super) fn leave(&self, is_answered: bool) {
        let State { streams, quiet, .. } = &*self.state;
        streams.set(streams.get() - 1);
        if !is_answered && quiet.is_long() {
            self.retire();
        }
        if self.is_idle() {
            self.state.idle_since_ms.set(quiet.now_ms());
            if is_answered {
                quiet.answered();
            }
        }
    }

    /// Lets nobody begin another exchange; those that are under way go on.
    pub(crate) fn retire(&self) {
        self.state.is_retired.set(true);
    }

    pub(super) fn is_retired(&self) -> bool {
        self.state.is_retired.get()
    }
}

impl State {
    /// Ready when the connection has ended; how is told to the exchanges that are on it.
    fn poll(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut driver = self.driver.borrow_mut();
        if let Some(running) = &mut *driver {
            let _ = ready!(Pin::new(running).poll(context));
        }
        // Its sender says that it is closed only once this is gone.
        *driver = None;
        Poll::Ready(())
    }
}

/// Has the kernel end a connection whose other side is gone, so that its exchanges hear of it.
fn watch(tcp: &TcpStream) {
    let socket = SockRef::from(tcp);
    let probes = TcpKeepalive::new()
        .with_time(UNACKNOWLEDGED_MAX)
        .with_interval(PROBE_EVERY);
    // Without them it is noticed as well, only later.
    let _ = socket.set_tcp_keepalive(&probes);
    let _ = socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED_MAX));
}
