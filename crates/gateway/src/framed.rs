//! Puts the strict [`Scanner`] between a socket and hyper.
//!
//! hyper sees whole heads only, and only those that were found right. Bytes go straight into hyper's buffer
//! and are looked at there; only the beginning of a head that is not whole yet is kept back and copied later.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::conn::Conn;
use crate::framing::{HeadLimits, Scanned, Scanner};

/// How much is read at a time while a head is kept back.
const PIECE_BYTES: usize = 4096;

/// A client's connection whose HTTP/1 messages are checked as they are read.
#[derive(Debug)]
pub(crate) struct Framed<S> {
    io: S,
    conn: Rc<Conn>,
    scanner: Scanner,
    /// Bytes read but not handed on: `checked` of them may be.
    kept: Vec<u8>,
    checked: usize,
    /// Whether the last write had to wait, so that an answer may be incomplete.
    is_blocked: bool,
    is_body_broken: bool,
}

impl<S> Framed<S> {
    /// Takes a connection of which `first` was read already.
    pub(crate) fn new(io: S, conn: Rc<Conn>, first: Vec<u8>) -> Self {
        let limits = &conn.core().settings.limits;
        let scanner = Scanner::new(HeadLimits {
            bytes_max: limits.head_bytes_max,
            fields_max: limits.fields_max,
        });
        let mut framed = Self {
            io,
            conn,
            scanner,
            kept: first,
            checked: 0,
            is_blocked: false,
            is_body_broken: false,
        };
        framed.check_kept();
        framed
    }

    /// The socket, and whether an answer may still be written to it.
    pub(crate) fn into_inner(self) -> (S, bool) {
        (self.io, !self.is_blocked)
    }

    fn check_kept(&mut self) {
        let scanned = self.scanner.scan(&self.kept);
        self.checked = scanned.passed;
        self.note(scanned, scanned.passed < self.kept.len());
    }

    /// Tells the serving side what was found.
    fn note(&mut self, scanned: Scanned, is_rest: bool) {
        if scanned.heads > 0 {
            self.conn.head_ended();
        }
        if let Some(violation) = scanned.violation {
            self.is_body_broken = scanned.in_body;
            self.conn.violate(violation);
        } else if is_rest {
            self.conn.head_begun();
        }
    }

    fn note_write(&mut self, is_blocked: bool) {
        if is_blocked {
            self.conn
                .taking
                .arm_once(self.conn.core().settings.limits.body_idle());
        } else if self.is_blocked {
            self.conn.taking.disarm();
        }
        self.is_blocked = is_blocked;
    }

    /// Hands on what was kept back and is whole by now.
    fn hand_on(&mut self, buffer: &mut ReadBuf<'_>) {
        let length = self.checked.min(buffer.remaining());
        buffer.put_slice(&self.kept[..length]);
        self.checked -= length;
        self.kept.drain(..length);
        if self.kept.is_empty() {
            self.kept = Vec::new();
        }
    }

    /// Ends the connection for hyper: in a body with an error, so that nobody takes it for whole, and
    /// between requests as if the client had closed it, so that answers under way are finished.
    fn refuse(&self, context: &Context<'_>) -> Poll<io::Result<()>> {
        if self.is_body_broken {
            Poll::Ready(Err(io::ErrorKind::InvalidData.into()))
        } else if self.conn.is_quiet() {
            Poll::Ready(Ok(()))
        } else {
            self.conn.wake_when_quiet(context.waker());
            Poll::Pending
        }
    }
}

impl<S: AsyncRead + Unpin> Framed<S> {
    /// Reads on behind a head that is not whole; `None` at the end of the connection.
    fn poll_kept(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Option<()>>> {
        let mut piece = [0; PIECE_BYTES];
        let mut buffer = ReadBuf::new(&mut piece);
        ready!(Pin::new(&mut self.io).poll_read(context, &mut buffer))?;
        if buffer.filled().is_empty() {
            return Poll::Ready(Ok(None));
        }
        self.kept.extend_from_slice(buffer.filled());
        self.check_kept();
        Poll::Ready(Ok(Some(())))
    }

    /// Reads into hyper's buffer; `None` at the end of the connection.
    fn poll_direct(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<Option<()>>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(context, buffer))?;
        let read = &buffer.filled()[before..];
        if read.is_empty() {
            return Poll::Ready(Ok(None));
        }
        let scanned = self.scanner.scan(read);
        let is_rest = scanned.passed < read.len();
        if is_rest && scanned.violation.is_none() {
            self.kept = read[scanned.passed..].to_vec();
        }
        buffer.set_filled(before + scanned.passed);
        self.note(scanned, is_rest);
        Poll::Ready(Ok(Some(())))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Framed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        loop {
            if self.checked > 0 {
                self.hand_on(buffer);
            }
            if buffer.filled().len() > before || buffer.remaining() == 0 {
                return Poll::Ready(Ok(()));
            }
            if self.conn.violation().is_some() {
                return self.refuse(context);
            }
            let read = if self.kept.is_empty() {
                ready!(self.poll_direct(context, buffer))?
            } else {
                ready!(self.poll_kept(context))?
            };
            if read.is_none() {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Framed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(context, bytes);
        self.note_write(written.is_pending());
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write_vectored(context, parts);
        self.note_write(written.is_pending());
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.io).poll_flush(context))?;
        // hyper flushes when its own buffer is empty.
        self.conn.flushed();
        Poll::Ready(Ok(()))
    }

    /// Only flushes: whether something is still to be said is known when hyper has ended.
    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }
}
