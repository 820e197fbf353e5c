//! A request over HTTP/2 and its answer.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;

use bytes::Bytes;
use h2::ext::Protocol;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::header::{CONTENT_LENGTH, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY};
use http::response::Parts;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use hyper::body::Body as _;

use super::coming::Coming;
use super::joined::{Client, poll_room};
use crate::body::{AnswerBody, Arriving, Cut};
use crate::causes;
use crate::conn::{Conn, Open};
use crate::cookies;
use crate::deadline::Deadline;
use crate::forward;
use crate::framing;
use crate::handle::{self, Tail, handle};
use crate::interim::{Interims, expects};
use crate::websocket;

/// Serves the request of a stream.
///
/// A stream that is let go before its answer has ended is reset, and so is one whose request has not ended then. What can
/// be done at once is, since each stream has room for what its future is given.
pub(super) fn serve(
    open: Open,
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
) -> impl Future<Output = ()> {
    let conn = Rc::clone(open.conn());
    let interims = Rc::new(Interims::new(expects(request.headers())));
    let is_head = *request.method() == Method::HEAD;
    let (mut request, tunnel) = begin(&conn, request, &interims);
    async move {
        let answered = answer(open, &mut request, &interims, &mut respond).await;
        drop((request, interims));
        if let Some((mut response, tail)) = answered {
            let has_body = tail.complete(conn.core(), &mut response, is_head);
            drop(tail);
            write(conn, (response, has_body), respond, tunnel).await;
        }
    }
}

/// Takes a request as its stream brings it, and what comes behind the head if it asks for a tunnel.
fn begin(
    conn: &Conn,
    request: Request<RecvStream>,
    interims: &Rc<Interims>,
) -> (handle::Request, Option<RecvStream>) {
    let (head, recv) = request.into_parts();
    let mut request = handle::Request {
        method: head.method,
        uri: head.uri,
        version: head.version,
        headers: head.headers,
        body: Arriving::None,
        is_websocket: false,
        interims: Some(Rc::clone(interims)),
    };
    cookies::join(&mut request.headers);
    if request.method != Method::CONNECT {
        if !recv.is_end_stream() {
            let length = request.headers.get(CONTENT_LENGTH);
            let length = length.and_then(|said| framing::length(said.as_bytes()));
            request.body = Arriving::Http2(Coming::new(recv, length, Rc::clone(interims)));
        }
        return (request, None);
    }
    let protocol = head.extensions.get::<Protocol>();
    request.is_websocket = protocol.is_some_and(|protocol| protocol.as_str() == "websocket");
    if request.is_websocket {
        // What the same request is in HTTP/1.1: RFC 8441 section 5.
        request.method = Method::GET;
        let key = websocket::key(&conn.core().ids);
        request.headers.insert(SEC_WEBSOCKET_KEY, key);
    }
    (request, Some(recv))
}

/// Waits for the answer, and says on the way what comes before it; none if the client gives up.
async fn answer(
    open: Open,
    request: &mut handle::Request,
    interims: &Interims,
    respond: &mut SendResponse<Bytes>,
) -> Option<(Response<AnswerBody>, Tail)> {
    let mut handling = pin!(handle(open, request));
    poll_fn(|context| {
        let answered = handling.as_mut().poll(context);
        // First of all: a stream that was reset takes no frames any more.
        if respond.poll_reset(context).is_ready() {
            return Poll::Ready(None);
        }
        while interims.poll_some(context).is_ready() {
            if let Some((status, fields)) = interims.next() {
                let mut interim = Response::new(());
                (*interim.status_mut(), *interim.headers_mut()) = (status, fields);
                // Fails if it may not be said; the answer can do without.
                let _ = respond.send_informational(interim);
            }
        }
        answered.map(Some)
    })
    .await
}

/// Writes the answer to its end.
async fn write(
    conn: Rc<Conn>,
    (response, has_body): (Response<AnswerBody>, bool),
    mut respond: SendResponse<Bytes>,
    tunnel: Option<RecvStream>,
) {
    let (mut head, body) = response.into_parts();
    forward::remove_of_connection(&mut head.headers);
    if let Some(recv) = tunnel {
        if head.status == StatusCode::SWITCHING_PROTOCOLS || body.is_joined() {
            return join(&conn, (head, body), respond, recv).await;
        }
        if head.status.is_success() {
            // A service that does not switch; but this status says that it has.
            return respond.send_reset(Reason::INTERNAL_ERROR);
        }
    }
    let Ok(send) = respond.send_response(Response::from_parts(head, ()), !has_body) else {
        return respond.send_reset(Reason::INTERNAL_ERROR);
    };
    if has_body {
        let patience = None;
        Going { send, conn, patience }.write(body).await;
    }
}

/// Says that a tunnel is open, and passes bytes both ways from there.
async fn join(
    conn: &Conn,
    (mut head, body): (Parts, AnswerBody),
    mut respond: SendResponse<Bytes>,
    recv: RecvStream,
) {
    head.status = StatusCode::OK;
    head.headers.remove(SEC_WEBSOCKET_ACCEPT);
    head.headers.remove(CONTENT_LENGTH);
    let Ok(send) = respond.send_response(Response::from_parts(head, ()), false) else {
        return respond.send_reset(Reason::INTERNAL_ERROR);
    };
    let mut client = Client::new(send, recv);
    if let Err(error) = body.tunnel(&conn.core().spare, &mut client).await {
        client.reset(match error.kind() {
            io::ErrorKind::TimedOut => Reason::CANCEL,
            _ => Reason::CONNECT_ERROR,
        });
    }
}

/// An answer whose head was sent.
struct Going {
    send: SendStream<Bytes>,
    conn: Rc<Conn>,
    /// Fires when the client does not take what there is; most clients never let it come to that.
    patience: Option<Deadline>,
}

impl Going {
    /// Sends the body to its end; the call is recorded then.
    async fn write(mut self, mut body: AnswerBody) {
        loop {
            let next = poll_fn(|context| {
                if self.send.poll_reset(context).is_ready() {
                    return Poll::Ready(None);
                }
                Pin::new(&mut body).poll_frame(context).map(Some)
            });
            // The client has given up.
            let Some(frame) = next.await else { return };
            match frame {
                None => {
                    let _ = self.send.send_data(Bytes::new(), true);
                    return;
                }
                Some(Err(cut)) => {
                    tracing::debug!(%cut, "an answer ended early");
                    return self.send.send_reset(reason(&cut));
                }
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => {
                        let is_end = body.is_end_stream();
                        if !self.send(data, is_end).await || is_end {
                            return;
                        }
                    }
                    Err(frame) => {
                        let trailers = frame.into_trailers().unwrap_or_else(|_| HeaderMap::new());
                        return self.send_trailers(trailers);
                    }
                },
            }
        }
    }

    /// Sends a part of the body as soon as the client takes it; false if it does not in time.
    async fn send(&mut self, data: Bytes, is_end: bool) -> bool {
        if data.is_empty() {
            // It takes no window.
            return !is_end || self.send.send_data(data, true).is_ok();
        }
        let has_room = poll_fn(|context| {
            if let Poll::Ready(has_room) = poll_room(&mut self.send, context) {
                return Poll::Ready(has_room);
            }
            let core = self.conn.core();
            let patience = self.patience.get_or_insert_with(|| core.deadlines.deadline());
            patience.arm_once(core.settings.limits.body_idle());
            patience.poll_over(context).map(|()| false)
        });
        if !has_room.await {
            // Nothing happens if it was the client who did.
            self.send.send_reset(Reason::CANCEL);
            return false;
        }
        if let Some(patience) = &self.patience {
            patience.disarm();
        }
        self.send.send_data(data, is_end).is_ok()
    }

    fn send_trailers(mut self, mut trailers: HeaderMap) {
        forward::remove_of_connection(&mut trailers);
        // No more data: what is left of the window is for others.
        self.send.reserve_capacity(0);
        if self.send.send_trailers(trailers).is_err() {
            self.send.send_reset(Reason::INTERNAL_ERROR);
        }
    }
}

/// What a client is told of an answer that ended early: what the upstream has said, if it speaks HTTP/2.
fn reason(cut: &Cut) -> Reason {
    let said = causes::find::<h2::Error>(cut).and_then(h2::Error::reason);
    // That would say that all is there.
    let said = said.filter(|reason| *reason != Reason::NO_ERROR);
    said.unwrap_or(Reason::INTERNAL_ERROR)
}
