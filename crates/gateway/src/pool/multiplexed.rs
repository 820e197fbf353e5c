//! Connections of HTTP/2, which carry several exchanges at a time.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use hyper::client::conn::http2;
use hyper_util::rt::TokioIo;
use tokio::task::spawn_local;

use super::{OpenConnection, Rules};
use crate::body::RequestBody;
use crate::local::LocalExecutor;
use crate::socket::Socket;

/// Streams that a server is taken to allow until it has said how many: the least that RFC 9113 section 6.5.2
/// recommends.
const STREAMS_ASSUMED: usize = 100;

type Driver = http2::Connection<TokioIo<Socket>, RequestBody, LocalExecutor>;

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
        streams: Option<usize>,
    ) -> Result<Self, hyper::Error> {
        let (sender, driver) = http2::Builder::new(LocalExecutor)
            .initial_max_send_streams(streams.unwrap_or(STREAMS_ASSUMED))
            .handshake(TokioIo::new(socket))
            .await?;
        let state = Rc::new(State {
            driver: RefCell::new(Some(driver)),
            streams: Cell::new(0),
            calls: Cell::new(0),
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
    pub(super) fn is_usable(&self, rules: Rules) -> bool {
        !self.is_retired() && !self.sender.is_closed() && !rules.is_spent(self.state.calls.get())
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
        let State { streams, calls, .. } = &*self.state;
        streams.set(streams.get() + 1);
        calls.set(calls.get().saturating_add(1));
        self.clone()
    }

    /// Ends one.
    pub(super) fn leave(&self) {
        let streams = &self.state.streams;
        streams.set(streams.get() - 1);
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
