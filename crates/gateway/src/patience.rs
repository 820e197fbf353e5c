//! How long the gateway waits for a client of HTTP/2 that reads nothing from its socket.
//!
//! A client that opens no window for a stream is the stream's affair (`http2/exchange.rs`); one that does not read at all
//! would hold every stream, and nothing would come of resetting them.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::conn::Conn;

/// A connection that notes how long its client reads nothing.
#[derive(Debug)]
pub(crate) struct Watched<S> {
    io: S,
    conn: Rc<Conn>,
    is_blocked: bool,
}

impl<S> Watched<S> {
    pub(crate) const fn new(io: S, conn: Rc<Conn>) -> Self {
        Self {
            io,
            conn,
            is_blocked: false,
        }
    }

    fn note(&mut self, is_blocked: bool) {
        if is_blocked {
            self.conn
                .taking
                .arm_once(self.conn.core().settings.limits.body_idle());
        } else if self.is_blocked {
            self.conn.taking.disarm();
        }
        self.is_blocked = is_blocked;
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(context, bytes);
        self.note(written.is_pending());
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write_vectored(context, parts);
        self.note(written.is_pending());
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}
