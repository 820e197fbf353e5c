//! HTTP/1 with a client: one request after the other, each driven by the task of its connection.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf as _, Bytes, BytesMut};
use http::{Method, Response, StatusCode, Uri, Version};
use hyper::body::{Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::coming::{Coming, check_chunks};
use super::input::Input;
use super::outgoing::{Outgoing, Progress, Stop};
use super::request::{Head, Reader};
use super::said::{Asked, begin, write_switch};
use crate::body::{AnswerBody, Arriving};
use crate::conn::{Conn, Open};
use crate::framing::Violation;
use crate::handle::{Request, Tail, handle};
use crate::refusal::Cause;
use crate::socket::Socket;
use crate::spare::BUFFER_BYTES;

/// How a connection ended.
#[derive(Debug)]
pub(crate) enum End {
    /// Nothing is left to be said.
    Quiet,
    /// The client has to be told why, if it can be.
    Refused(Cause),
    /// The last answer was given, but the client may still be sending.
    Unread,
    /// An answer was cut off, and its client must not take it for whole.
    Cut,
}

/// A client's connection, as the loop that serves it and the body that is read from it share it.
#[derive(Debug)]
pub(crate) struct Wire {
    conn: Rc<Conn>,
    state: RefCell<State>,
}

#[derive(Debug)]
struct State {
    socket: Socket,
    input: Input,
    reader: Reader,
    /// What is still to come of the request's body.
    coming: Coming,
    /// Whether the client waits to be asked for the body.
    expects: bool,
    has_ended: bool,
    /// Who watches for the end of the connection, while a body is read by somebody else.
    watcher: Option<Waker>,
}

/// The client went away within a request's body, or sent something that is none.
#[derive(Debug)]
pub(crate) struct Gone;

/// Serves a connection of which `first` was read already; returns how it ended.
pub(crate) async fn serve(wire: &Rc<Wire>) -> End {
    let mut outgoing = Outgoing::default();
    let mut request = Request::default();
    loop {
        let mut asked = match next(wire, &mut request).await {
            Ok(Some(asked)) => asked,
            Ok(None) => return End::Quiet,
            Err(cause) => return End::Refused(cause),
        };
        let Some((response, tail)) = answer(wire, &mut request).await else {
            return End::Quiet;
        };
        // What is left of it would keep the buffer that it came in from being used again.
        request.uri = Uri::default();
        request.body = Arriving::None;
        let headers = std::mem::take(&mut request.headers);
        wire.conn.core().spare.keep_headers(headers);
        if response.status() == StatusCode::SWITCHING_PROTOCOLS || response.body().is_joined() {
            return switch(wire, response, &tail).await;
        }
        asked.is_persistent &= wire.skip_abandoned();
        begin(wire.conn.core(), (response, &tail), &mut asked, &mut outgoing);
        match write(wire, &mut outgoing).await {
            Ok(()) => {}
            // Where a length or chunks tell that something is missing, what was sent may still arrive.
            Err(Stop::Body(_)) if asked.is_until_close => return End::Cut,
            Err(Stop::Body(_)) => return End::Quiet,
            Err(Stop::Write(_)) => return End::Quiet,
        }
        wire.conn.core().spare.keep_buffer(outgoing.take_buffer());
        wire.skip_abandoned();
        // Whoever still holds the body, what is left of it is no request.
        if !wire.is_body_done() {
            return End::Unread;
        }
        if !asked.is_persistent {
            return if wire.is_drained() {
                End::Quiet
            } else {
                End::Unread
            };
        }
    }
}

/// Waits for the next request; none if there will be none.
async fn next(wire: &Rc<Wire>, request: &mut Request) -> Result<Option<Asked>, Cause> {
    let conn = &wire.conn;
    poll_fn(|context| {
        if let Poll::Ready(next) = wire.poll_next(context, request) {
            return Poll::Ready(next.map_err(Cause::Violation));
        }
        if conn.is_leaving() && !conn.is_in_head() {
            conn.give_last_chance();
        }
        // Polling it is also what lets the core wake us when it drains.
        ready!(conn.deadline.poll_over(context));
        Poll::Ready(if conn.is_in_head() {
            Err(Cause::ClientPaused)
        } else {
            Ok(None)
        })
    })
    .await
}

/// Handles a request; none if the client went away meanwhile.
async fn answer(wire: &Rc<Wire>, request: &mut Request) -> Option<(Response<AnswerBody>, Tail)> {
    let mut handling = pin!(handle(Open::new(&wire.conn), request));
    poll_fn(|context| {
        if let Poll::Ready(response) = handling.as_mut().poll(context) {
            return Poll::Ready(Some(response));
        }
        if let Poll::Ready(Err(_)) = wire.poll_interim(context) {
            return Poll::Ready(None);
        }
        wire.poll_gone(context).map(|()| None)
    })
    .await
}

/// Says that the protocol is switched, or that the client is joined with a target, and passes bytes both ways from there.
async fn switch(wire: &Rc<Wire>, response: Response<AnswerBody>, tail: &Tail) -> End {
    let (head, body) = response.into_parts();
    let mut outgoing = Outgoing::<AnswerBody>::default();
    outgoing.begin(None, |out| write_switch(out, (head.status, &head.headers), tail));
    if poll_fn(|context| match outgoing.poll(&mut wire.ends(), context) {
        Ok(Progress::Done) => Poll::Ready(true),
        Ok(_) => Poll::Pending,
        Err(_) => Poll::Ready(false),
    })
    .await
        && let Err(error) = body.tunnel(&wire.conn.core().spare, wire.ends()).await
        && error.kind() != io::ErrorKind::TimedOut
    {
        return End::Cut;
    }
    End::Quiet
}

/// Writes an answer to its end.
async fn write(wire: &Rc<Wire>, outgoing: &mut Outgoing<AnswerBody>) -> Result<(), Stop<crate::body::Cut>> {
    let conn = &wire.conn;
    poll_fn(|context| {
        ready!(wire.poll_interim(context)).map_err(Stop::Write)?;
        match outgoing.poll(&mut wire.ends(), context)? {
            Progress::Done => return Poll::Ready(Ok(())),
            Progress::Body => conn.taking.disarm(),
            Progress::Socket => {
                conn.taking.arm_once(conn.core().settings.limits.body_idle());
                if conn.taking.poll_over(context).is_ready() {
                    return Poll::Ready(Err(Stop::Write(io::ErrorKind::TimedOut.into())));
                }
            }
        }
        let gone = || Err(Stop::Write(io::ErrorKind::ConnectionReset.into()));
        wire.poll_gone(context).map(|()| gone())
    })
    .await?;
    conn.taking.disarm();
    Ok(())
}

impl Wire {
    /// Takes a connection of which `first` was read already.
    pub(crate) fn new(conn: &Rc<Conn>, socket: Socket, first: BytesMut) -> Rc<Self> {
        let reader = Reader::new(conn.core().settings.limits.head_limits());
        Rc::new(Self {
            conn: Rc::clone(conn),
            state: RefCell::new(State {
                socket,
                input: Input::new(first),
                reader,
                coming: Coming::Done,
                expects: false,
                has_ended: false,
                watcher: None,
            }),
        })
    }

    /// The next request; none at the end of the connection.
    fn poll_next(
        self: &Rc<Self>,
        context: &mut Context<'_>,
        request: &mut Request,
    ) -> Poll<Result<Option<Asked>, Violation>> {
        let core = self.conn.core();
        let state = &mut *self.state.borrow_mut();
        loop {
            if state.reader.read(&state.input.bytes)?.is_some() {
                self.conn.head_ended();
                request.headers = core.spare.headers();
                let head = state.reader.take(&mut state.input.bytes, &mut request.headers)?;
                if matches!(head.body, Coming::Chunks { .. }) {
                    // Nothing of a message that is known to be malformed is forwarded.
                    check_chunks(&state.input.bytes)?;
                }
                return Poll::Ready(Ok(Some(self.begin(state, head, request))));
            }
            if !state.input.bytes.is_empty() {
                self.conn.head_begun();
            } else if state.input.bytes.capacity() == 0 {
                state.input.bytes = core.spare.buffer();
            }
            let read = if state.has_ended {
                Poll::Ready(Ok(0))
            } else {
                state.input.poll_read(&mut state.socket, context)
            };
            match read {
                Poll::Ready(Ok(1..)) => {}
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Ok(None)),
                Poll::Pending => {
                    if state.input.bytes.is_empty() {
                        core.spare.keep_buffer(std::mem::take(&mut state.input.bytes));
                    }
                    return Poll::Pending;
                }
            }
        }
    }

    fn begin(self: &Rc<Self>, state: &mut State, head: Head, request: &mut Request) -> Asked {
        let asked = Asked {
            method: head.method.clone(),
            is_old: head.version == Version::HTTP_10,
            // What follows a tunnel that was refused may have been meant for it.
            is_persistent: head.is_persistent && head.method != Method::CONNECT,
            is_until_close: false,
            takes_trailers: head.takes_trailers,
        };
        state.coming = head.body;
        state.expects = head.expects;
        request.method = head.method;
        request.uri = head.uri;
        request.version = head.version;
        request.is_websocket = head.is_websocket;
        if !state.coming.is_done() {
            request.body = Arriving::Http1(Rc::clone(self));
        }
        asked
    }

    /// The next part of the request's body; none after its end.
    pub(crate) fn poll_frame(&self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Gone>>> {
        let state = &mut *self.state.borrow_mut();
        loop {
            let frame = match state.coming.take(&mut state.input.bytes) {
                Ok(frame) => frame,
                Err(violation) => {
                    self.conn.violate(violation);
                    return Poll::Ready(Some(Err(Gone)));
                }
            };
            if state.coming.is_done()
                && let Some(watcher) = state.watcher.take()
            {
                watcher.wake();
            }
            if frame.is_some() || state.coming.is_done() {
                return Poll::Ready(frame.map(Ok));
            }
            if std::mem::take(&mut state.expects) {
                let mut interim = self.conn.interim.borrow_mut();
                interim.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
            }
            if ready!(state.poll_interim(&self.conn, context)).is_err() {
                return Poll::Ready(Some(Err(Gone)));
            }
            match ready!(state.input.poll_read(&mut state.socket, context)) {
                Ok(1..) => {}
                Ok(0) | Err(_) => {
                    state.has_ended = true;
                    return Poll::Ready(Some(Err(Gone)));
                }
            }
        }
    }

    /// Whether the request's body was read to its end.
    pub(crate) fn is_body_done(&self) -> bool {
        self.state.borrow().coming.is_done()
    }

    /// What is left of the request's body.
    pub(crate) fn body_hint(&self) -> SizeHint {
        self.state.borrow().coming.size_hint()
    }

    /// Whether nothing lies unread in the buffer: closing then would reset the connection before the client has read
    /// its answer.
    fn is_drained(&self) -> bool {
        self.state.borrow().input.bytes.is_empty()
    }

    /// Reads over a body that nobody wants any more, as far as it is there; whether its end is reached, or somebody
    /// still reads it.
    fn skip_abandoned(self: &Rc<Self>) -> bool {
        let state = &mut *self.state.borrow_mut();
        if state.coming.is_done() || Rc::strong_count(self) > 1 {
            return true;
        }
        while let Ok(Some(_)) = state.coming.take(&mut state.input.bytes) {}
        state.coming.is_done()
    }

    /// Ready when the client has closed the connection; what it sends meanwhile is kept, up to a bound.
    fn poll_gone(&self, context: &mut Context<'_>) -> Poll<()> {
        let state = &mut *self.state.borrow_mut();
        if !state.coming.is_done() {
            // Whoever reads the body finds out, and wakes us at its end.
            let is_known = |watcher: &Waker| watcher.will_wake(context.waker());
            if !state.watcher.as_ref().is_some_and(is_known) {
                state.watcher = Some(context.waker().clone());
            }
            return Poll::Pending;
        }
        while !state.has_ended && state.input.bytes.len() < BUFFER_BYTES {
            match ready!(state.input.poll_read(&mut state.socket, context)) {
                Ok(1..) => {}
                Ok(0) | Err(_) => state.has_ended = true,
            }
        }
        if state.has_ended {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    /// Writes the interim answers that there are.
    fn poll_interim(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.conn.interim.borrow().is_empty() {
            return Poll::Ready(Ok(()));
        }
        self.state.borrow_mut().poll_interim(&self.conn, context)
    }

    /// Both directions, behind what was read already.
    pub(crate) const fn ends(&self) -> Ends<'_> {
        Ends(self)
    }

    /// Makes the system reset the connection when it is closed, so that nobody takes what was sent for whole.
    pub(crate) fn will_reset(&self) {
        let socket = &self.state.borrow().socket;
        // Without it, the end of the connection is all there is to see.
        let _ = socket2::SockRef::from(socket.tcp()).set_linger(Some(std::time::Duration::ZERO));
    }
}

impl State {
    fn poll_interim(&mut self, conn: &Conn, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut interim = conn.interim.borrow_mut();
        while !interim.is_empty() {
            let written = ready!(Pin::new(&mut self.socket).poll_write(context, &interim))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            interim.advance(written);
            if interim.is_empty() {
                ready!(Pin::new(&mut self.socket).poll_flush(context))?;
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// A client's connection as a stream of bytes; each operation borrows it by itself.
#[derive(Debug)]
pub(crate) struct Ends<'a>(&'a Wire);

impl AsyncRead for Ends<'_> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let state = &mut *self.0.state.borrow_mut();
        if state.input.bytes.is_empty() {
            return Pin::new(&mut state.socket).poll_read(context, buffer);
        }
        let length = state.input.bytes.len().min(buffer.remaining());
        buffer.put_slice(&state.input.bytes.split_to(length));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Ends<'_> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0.state.borrow_mut().socket).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0.state.borrow_mut().socket).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.state.borrow().socket.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0.state.borrow_mut().socket).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0.state.borrow_mut().socket).poll_shutdown(context)
    }
}
