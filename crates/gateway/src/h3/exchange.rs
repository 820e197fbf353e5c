//! A request over HTTP/3 and its answer.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::response::Parts;
use http::{HeaderMap, HeaderValue, Method, Response, Version};
use hyper::body::Body as _;
use quinn::{RecvStream, SendStream};

use super::coming::{Coming, Stream};
use super::frame::{self, Code, Fault, write_start};
use super::head::{self, Head};
use super::joined::Client;
use super::server::{Held, Link};
use crate::body::{AnswerBody, Arriving};
use crate::conn::Open;
use crate::framing::Violation;
use crate::handle::{self, Tail, handle};
use crate::interim::Interims;
use crate::refusal::{Asked, Cause};
use crate::ticket::Ticket;

/// What of an answer may wait in the connection once it is written, and how slowly a client may take it.
const WAITING_BYTES: u64 = super::endpoint::SEND_WINDOW;
const SLOWEST_BYTES_PER_S: u64 = 16 * 1024;

/// The answer's side of a stream; reset unless it comes to its end.
struct Going {
    send: SendStream,
    link: Rc<Link>,
    is_over: bool,
}

/// The client has gone, or does not take its answer.
#[derive(Debug)]
struct NotTaken;

/// Serves the request that a stream brings.
pub(super) async fn serve(held: Held, send: SendStream, recv: RecvStream) {
    let link = held.link();
    let core = link.conn.core();
    core.figures.http3_requests.add(1);
    let mut going = Going {
        send,
        link: Rc::clone(link),
        is_over: false,
    };
    let limits = &core.settings.limits;
    let mut stream = Stream::new(link.connection.clone(), recv, limits.head_limits());
    let deadline = core.deadlines.deadline();
    deadline.arm(limits.head());
    let head = match deadline.bound(stream.head(core.spare.headers())).await {
        Some(Ok(Some(head))) => head,
        Some(Ok(None)) => {
            let _ = going.refuse(Violation::HeadTooLarge).await;
            return stream.stop(Code::ExcessiveLoad);
        }
        Some(Err(fault)) => return end(&mut going, fault, |code| stream.stop(code)),
        None => {
            let fault = Fault::Stream(Code::RequestIncomplete);
            return end(&mut going, fault, |code| stream.stop(code));
        }
    };
    let interims = Rc::new(Interims::new(head.expects));
    let coming = Coming::new(stream, &interims);
    let is_head = head.method == Method::HEAD;
    let answered = answer(&mut going, head, &coming, &interims).await;
    let written = match answered {
        Ok((response, tail)) if coming.fault().is_none() => {
            if response.body().is_joined() {
                going.join(response, &tail, &coming).await
            } else {
                going.write(response, &tail, is_head).await
            }
        }
        Ok(_) => Ok(()),
        Err(NotTaken) => Err(NotTaken),
    };
    if let Some(fault) = coming.fault() {
        return end(&mut going, fault, |code| coming.stop(code));
    }
    match written {
        // What is left of the request is of no interest: RFC 9114 section 4.1.
        Ok(()) => coming.stop(Code::NoError),
        Err(NotTaken) => coming.stop(Code::RequestCancelled),
    }
}

/// Ends a stream, or the connection, for what the client did.
fn end(going: &mut Going, fault: Fault, stop: impl FnOnce(Code)) {
    match fault {
        Fault::Stream(code) => {
            going.reset(code);
            stop(code);
        }
        Fault::Connection(code) => {
            going.is_over = true;
            going.link.fail(code);
        }
        Fault::Gone => going.reset(Code::RequestCancelled),
    }
}

/// Waits for the answer; says on the way what comes before it.
async fn answer(
    going: &mut Going,
    head: Head,
    coming: &Coming,
    interims: &Rc<Interims>,
) -> Result<(Response<AnswerBody>, Tail), NotTaken> {
    let open = Open::new(&going.link.conn);
    let mut request = handle::Request {
        method: head.method,
        uri: head.uri,
        version: Version::HTTP_3,
        headers: head.headers,
        body: Arriving::Http3(coming.clone()),
        is_websocket: false,
        interims: Some(Rc::clone(interims)),
    };
    let mut stopped = pin!(going.send.stopped());
    let mut handling = pin!(handle(open, &mut request));
    loop {
        let answered = poll_fn(|context| {
            if let Poll::Ready(answered) = handling.as_mut().poll(context) {
                return Poll::Ready(Some(Ok(answered)));
            }
            if stopped.as_mut().poll(context).is_ready() {
                return Poll::Ready(Some(Err(NotTaken)));
            }
            interims.poll_some(context).map(|()| None)
        });
        let answered = answered.await;
        while let Some((status, fields)) = interims.next() {
            going.send_section(head::write(status, fields.iter())).await?;
        }
        if let Some(answered) = answered {
            return answered;
        }
    }
}

impl Going {
    /// Answers what never became a request.
    async fn refuse(&mut self, violation: Violation) -> Result<(), NotTaken> {
        let conn = Rc::clone(&self.link.conn);
        let core = conn.core();
        let (mut ticket, _) = Ticket::begin(Open::new(&conn), &Method::GET, Instant::now());
        let installed = core.installed();
        let request_id = ticket.request().to_string();
        let own = Cause::Violation(violation).answer(&Asked {
            method: None,
            request_id: &request_id,
            grpc: None,
            control_url: installed
                .as_ref()
                .map_or("", |installed| &installed.compiled.control_url),
        });
        ticket.answered(own.status, own.code);
        let mut response = own.response;
        let request_id = HeaderValue::from_str(&request_id).expect("visible ASCII");
        response.headers_mut().insert("x-request-id", request_id);
        response.body_mut().ends_with(ticket);
        let (head, body) = response.into_parts();
        self.send_section(head::write(head.status, head.headers.iter()))
            .await?;
        self.send_body(body).await
    }

    /// Writes an answer to its end.
    async fn write(
        &mut self,
        mut response: Response<AnswerBody>,
        tail: &Tail,
        is_head: bool,
    ) -> Result<(), NotTaken> {
        let has_body = tail.complete(self.link.conn.core(), &mut response, is_head);
        let (head, body) = response.into_parts();
        self.send_head(head).await?;
        if !has_body {
            // A body that is not wanted is dropped, and the call recorded.
            drop(body);
            return self.finish().await;
        }
        self.send_body(body).await
    }

    /// Says that the client is joined with a target, and passes bytes both ways from there: RFC 9114 section 4.4.
    async fn join(
        &mut self,
        mut response: Response<AnswerBody>,
        tail: &Tail,
        coming: &Coming,
    ) -> Result<(), NotTaken> {
        tail.complete(self.link.conn.core(), &mut response, false);
        let (head, body) = response.into_parts();
        self.send_head(head).await?;
        coming.join();
        let conn = Rc::clone(&self.link.conn);
        let client = Client::new(&mut self.send, coming);
        match body.tunnel(&conn.core().spare, client).await {
            Ok(()) => self.finish().await,
            Err(error) => {
                self.reset(match error.kind() {
                    io::ErrorKind::TimedOut => Code::RequestCancelled,
                    _ => Code::ConnectError,
                });
                Err(NotTaken)
            }
        }
    }

    async fn send_head(&mut self, head: Parts) -> Result<(), NotTaken> {
        let section = head::write(head.status, head.headers.iter());
        self.link.conn.core().spare.keep_headers(head.headers);
        self.send_section(section).await
    }

    async fn send_body(&mut self, mut body: AnswerBody) -> Result<(), NotTaken> {
        let mut stopped = pin!(self.send.stopped());
        loop {
            let next = poll_fn(|context| {
                if let Poll::Ready(frame) = Pin::new(&mut body).poll_frame(context) {
                    return Poll::Ready(Some(frame));
                }
                stopped.as_mut().poll(context).map(|_| None)
            });
            let frame = match next.await.ok_or(NotTaken)? {
                None => break,
                Some(Ok(frame)) => frame,
                Some(Err(cut)) => {
                    tracing::debug!(%cut, "an answer ended early");
                    self.reset(Code::InternalError);
                    return Ok(());
                }
            };
            match frame.into_data() {
                Ok(data) if data.is_empty() => {}
                Ok(data) => {
                    let mut start = BytesMut::with_capacity(16);
                    write_start(&mut start, frame::DATA, data.len());
                    self.send(&mut [start.freeze(), data]).await?;
                }
                Err(frame) => {
                    let trailers = frame.into_trailers().unwrap_or_else(|_| HeaderMap::new());
                    self.send_section(head::write_trailers(&trailers)).await?;
                }
            }
        }
        // The call is recorded when all was written, as with the other protocols.
        drop(body);
        self.finish().await
    }

    async fn send_section(&mut self, section: BytesMut) -> Result<(), NotTaken> {
        let mut start = BytesMut::with_capacity(16);
        write_start(&mut start, frame::HEADERS, section.len());
        self.send(&mut [start.freeze(), section.freeze()]).await
    }

    /// Writes, unless the client does not take it in time.
    async fn send(&mut self, parts: &mut [Bytes]) -> Result<(), NotTaken> {
        match self.link.bound(self.send.write_all_chunks(parts)).await {
            Some(Ok(())) => Ok(()),
            _ => Err(NotTaken),
        }
    }

    /// Ends the answer, and waits until the client has it: the connection may not be closed before.
    async fn finish(&mut self) -> Result<(), NotTaken> {
        self.is_over = true;
        // Fails if that was said, as of one direction of a tunnel.
        let _ = self.send.finish();
        let core = self.link.conn.core();
        let longest = Duration::from_secs(WAITING_BYTES / SLOWEST_BYTES_PER_S);
        let deadline = core.deadlines.deadline();
        deadline.arm(core.settings.limits.body_idle() + longest);
        if deadline.bound(self.send.stopped()).await.is_none() {
            let _ = self.send.reset(Code::RequestCancelled.number());
        }
        Ok(())
    }

    /// Ends the answer so that nobody takes it for whole.
    fn reset(&mut self, code: Code) {
        self.is_over = true;
        // Fails if the client has given it up.
        let _ = self.send.reset(code.number());
    }
}

impl Drop for Going {
    fn drop(&mut self) {
        if !self.is_over {
            self.reset(Code::RequestCancelled);
        }
    }
}
