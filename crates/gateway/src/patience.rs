//! How long the gateway waits for a client of HTTP/2 that does not take its answers.
//!
//! hyper asks for the next part of an answer only when its stream may send; a client that opens no window, or does
//! not read its socket at all, would so hold an upstream connection for as long as it likes.

use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::body::{AnswerBody, Cut};
use crate::conn::Conn;
use crate::deadline::Deadlines;

/// An answer that is taken away from a client that does not take it.
#[derive(Debug)]
pub(crate) struct Offered(Rc<Offer>);

#[derive(Debug)]
pub(crate) struct Offer {
    body: RefCell<Option<AnswerBody>>,
    deadlines: Rc<Deadlines>,
    /// When the client got the last part and has not asked for another since; none while it waits for us.
    since_ms: Cell<Option<u64>>,
}

/// The answers of a core that clients of HTTP/2 have not taken yet.
#[derive(Debug, Default)]
pub(crate) struct Offers(RefCell<Vec<Weak<Offer>>>);

impl Offered {
    /// Offers an answer to the client of a connection.
    pub(crate) fn new(body: AnswerBody, conn: &Conn) -> Self {
        let is_end = body.is_end_stream();
        let core = conn.core();
        let offer = Rc::new(Offer {
            body: RefCell::new(Some(body)),
            deadlines: Rc::clone(&core.deadlines),
            since_ms: Cell::new(Some(core.deadlines.now_ms())),
        });
        if !is_end {
            core.offers.0.borrow_mut().push(Rc::downgrade(&offer));
        }
        Self(offer)
    }
}

impl Offers {
    /// Takes away what was offered for longer than `max_ms`.
    pub(crate) fn sweep(&self, now_ms: u64, max_ms: u64) {
        let mut late = Vec::new();
        self.0.borrow_mut().retain(|offer| {
            let Some(offer) = offer.upgrade() else {
                return false;
            };
            let waits_ms = offer
                .since_ms
                .get()
                .map_or(0, |since| now_ms.saturating_sub(since));
            if waits_ms >= max_ms {
                late.push(offer.body.borrow_mut().take());
            }
            waits_ms < max_ms
        });
        // Outside of the borrow: the end of an answer may do anything.
        drop(late);
    }
}

impl Body for Offered {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let Self(offer) = &*self;
        let mut body = offer.body.borrow_mut();
        let Some(body) = &mut *body else {
            return Poll::Ready(Some(Err(Cut::NotTaken)));
        };
        offer.since_ms.set(None);
        let frame = ready!(Pin::new(&mut *body).poll_frame(context));
        offer.since_ms.set(Some(offer.deadlines.now_ms()));
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.0.body.borrow().as_ref().is_some_and(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let body = self.0.body.borrow();
        body.as_ref().map_or_else(SizeHint::default, Body::size_hint)
    }
}

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
