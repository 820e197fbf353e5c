//! How long nothing has come over a connection that carries several exchanges.
//!
//! Nobody is asked whether they are still there: servers of gRPC take pings without data for an attack, by default
//! more often than every five minutes, and end the connection. But whoever is asked for something and says nothing at
//! all, not even to others, may well be gone.

use std::cell::Cell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::deadline::Deadlines;
use crate::socket::Socket;

/// A silence that is no accident any more.
const SILENCE_MS: u64 = 1_000;

/// Since when somebody waits and nothing comes.
#[derive(Debug)]
pub(super) struct Quiet {
    deadlines: Rc<Deadlines>,
    since_ms: Cell<Option<u64>>,
}

impl Quiet {
    pub(super) fn new(deadlines: &Rc<Deadlines>) -> Rc<Self> {
        Rc::new(Self {
            deadlines: Rc::clone(deadlines),
            since_ms: Cell::new(None),
        })
    }

    /// Something is asked for; where nothing came for what was asked before, the silence goes on.
    pub(super) fn asked(&self) {
        let since_ms = self.since_ms.get().unwrap_or_else(|| self.now_ms());
        self.since_ms.set(Some(since_ms));
    }

    /// Nobody waits any more.
    pub(super) fn answered(&self) {
        self.since_ms.set(None);
    }

    /// Whether that has been so for long.
    pub(super) fn is_long(&self) -> bool {
        let since_ms = self.since_ms.get();
        since_ms.is_some_and(|since_ms| self.now_ms().saturating_sub(since_ms) >= SILENCE_MS)
    }

    pub(super) fn now_ms(&self) -> u64 {
        self.deadlines.now_ms()
    }

    fn heard(&self) {
        if self.since_ms.get().is_some() {
            self.since_ms.set(Some(self.now_ms()));
        }
    }
}

/// A connection that notes when something comes.
#[derive(Debug)]
pub(super) struct Heard {
    pub(super) socket: Socket,
    pub(super) quiet: Rc<Quiet>,
}

impl AsyncRead for Heard {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.socket).poll_read(context, buffer);
        if read.is_ready() {
            self.quiet.heard();
        }
        read
    }
}

impl AsyncWrite for Heard {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}
