//! A connection with a client over HTTP/3.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use bytes::BytesMut;
use quinn::{Connection, RecvStream, SendStream, VarInt};
use tokio::sync::Notify;
use tokio::task::spawn_local;

use super::control::{self, Opened};
use super::exchange;
use super::frame::{self, Code, Fault, write_number, write_start};
use crate::conn::Conn;

/// How long a client has to hear that the connection ends before it does.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// The type of our control stream: RFC 9114 section 6.2.1.
const CONTROL: u64 = 0x0;
/// The largest head that is taken: RFC 9114 section 7.2.4.1.
const MAX_FIELD_SECTION_SIZE: u64 = 0x6;
/// From one stream of a client to the next: RFC 9000 section 2.1.
const STREAM_STEP: u64 = 4;

/// A connection, as its streams see it.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) conn: Rc<Conn>,
    pub(super) connection: Connection,
    /// Streams of requests that are open.
    open: Cell<usize>,
    /// The first stream that was not taken.
    next: Cell<u64>,
    /// Told whenever a stream has ended.
    ended: Notify,
    opened: Opened,
}

impl Link {
    /// Whether no request is under way.
    fn is_idle(&self) -> bool {
        self.open.get() == 0 && self.conn.is_idle()
    }

    /// Whether the client is to be told that the connection ends; `is_over` says whether it was idle for too long.
    fn has_to_end(&self, is_over: bool) -> bool {
        self.conn.is_leaving() || self.has_moved() || (is_over && self.is_idle())
    }

    /// Whether the client is somewhere else now: what is known and counted by its address holds for whole connections.
    fn has_moved(&self) -> bool {
        self.connection.remote_address().ip().to_canonical() != self.conn.address
    }

    /// Waits for something no longer than for a client that does not take its answer.
    pub(super) async fn bound<F: Future>(&self, future: F) -> Option<F::Output> {
        let core = self.conn.core();
        let deadline = core.deadlines.deadline();
        deadline.arm(core.settings.limits.body_idle());
        deadline.bound(future).await
    }

    /// Ends the connection for what the client did.
    pub(super) fn fail(&self, code: Code) {
        tracing::debug!(?code, "a client broke the rules of HTTP/3");
        self.connection.close(code.number(), b"");
    }
}

/// A stream of a request, as long as it is open.
pub(super) struct Held(Rc<Link>);

impl Held {
    fn new(link: &Rc<Link>) -> Self {
        link.open.set(link.open.get() + 1);
        Self(Rc::clone(link))
    }

    pub(super) fn link(&self) -> &Rc<Link> {
        &self.0
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.open.set(self.0.open.get() - 1);
        self.0.ended.notify_one();
    }
}

/// How far a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Serving,
    /// The client knows that it ends; requests under way go on.
    Ending,
    /// Nothing is under way; the client gets a moment to read what was said.
    LastWords,
}

/// What happens on a connection.
enum Event {
    Request(SendStream, RecvStream),
    Other(RecvStream),
    /// Something has changed that may end it; whether its deadline is over.
    Look(bool),
    Over,
}

/// Serves a connection to its end.
pub(super) async fn serve(conn: Rc<Conn>, connection: Connection) {
    let link = Rc::new(Link {
        conn,
        connection,
        open: Cell::new(0),
        next: Cell::new(0),
        ended: Notify::new(),
        opened: Opened::default(),
    });
    let control = link.conn.deadline.bound(begin(&link)).await;
    let Some(Ok(mut control)) = control else {
        return link.fail(Code::GeneralProtocolError);
    };
    link.conn
        .deadline
        .arm(link.conn.core().settings.limits.keep_alive());
    let mut phase = Phase::Serving;
    loop {
        match next(&link, phase).await {
            Event::Request(send, recv) if phase == Phase::Serving && !link.has_moved() => {
                link.next.set(VarInt::from(recv.id()).into_inner() + STREAM_STEP);
                spawn_local(exchange::serve(Held::new(&link), send, recv));
            }
            // Nothing of it was looked at, so it may be sent again: RFC 9114 section 5.2.
            Event::Request(mut send, mut recv) => {
                let _ = send.reset(Code::RequestRejected.number());
                let _ = recv.stop(Code::RequestRejected.number());
            }
            Event::Other(recv) => read_other(&link, recv),
            Event::Look(is_over) => {
                phase = match phase {
                    Phase::Serving if link.has_to_end(is_over) => {
                        let mut said = BytesMut::new();
                        write_start(&mut said, frame::GOAWAY, frame::number_length(link.next.get()));
                        write_number(&mut said, link.next.get());
                        let _ = link.bound(control.write_all(&said)).await;
                        Phase::Ending
                    }
                    Phase::Ending if link.is_idle() => {
                        link.conn.deadline.arm(LAST_WORDS);
                        Phase::LastWords
                    }
                    phase => phase,
                };
            }
            Event::Over => break,
        }
    }
    link.connection.close(Code::NoError.number(), b"");
}

/// Opens our control stream, and says on it how much is taken.
async fn begin(link: &Link) -> Result<SendStream, quinn::WriteError> {
    let mut control = link.connection.open_uni().await?;
    let bytes_max = link.conn.core().settings.limits.head_bytes_max as u64;
    let mut settings = BytesMut::new();
    write_number(&mut settings, MAX_FIELD_SECTION_SIZE);
    write_number(&mut settings, bytes_max);
    let mut said = BytesMut::new();
    write_number(&mut said, CONTROL);
    write_start(&mut said, frame::SETTINGS, settings.len());
    said.extend_from_slice(&settings);
    control.write_all(&said).await?;
    Ok(control)
}

/// Reads a stream that belongs to the connection.
fn read_other(link: &Rc<Link>, recv: RecvStream) {
    let link = Rc::clone(link);
    spawn_local(async move {
        if let Err(Fault::Connection(code)) = control::read(recv, &link.opened).await {
            link.fail(code);
        }
    });
}

/// Waits for what happens next.
async fn next(link: &Link, phase: Phase) -> Event {
    let deadline = &link.conn.deadline;
    let mut request = pin!(link.connection.accept_bi());
    let mut other = pin!(link.connection.accept_uni());
    let mut ended = pin!(link.ended.notified());
    poll_fn(|context| {
        match request.as_mut().poll(context) {
            Poll::Ready(Ok((send, recv))) => return Poll::Ready(Event::Request(send, recv)),
            Poll::Ready(Err(_)) => return Poll::Ready(Event::Over),
            Poll::Pending => {}
        }
        match other.as_mut().poll(context) {
            Poll::Ready(Ok(recv)) => return Poll::Ready(Event::Other(recv)),
            Poll::Ready(Err(_)) => return Poll::Ready(Event::Over),
            Poll::Pending => {}
        }
        // Also woken when the listener is left.
        let is_over = deadline.poll_over(context).is_ready();
        let is_due = match phase {
            Phase::Serving => link.has_to_end(is_over),
            Phase::Ending => link.is_idle(),
            Phase::LastWords if is_over => return Poll::Ready(Event::Over),
            Phase::LastWords => false,
        };
        // A stream that ends may be what was waited for.
        if is_due || ended.as_mut().poll(context).is_ready() {
            return Poll::Ready(Event::Look(is_over));
        }
        Poll::Pending
    })
    .await
}
