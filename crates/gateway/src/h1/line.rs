//! HTTP/1.1 with an upstream, driven by the call that it is for.
//!
//! hyper's client runs each connection in a task of its own and talks to it over channels; for a proxy that
//! costs more than all its policies. A [`Line`] has no task: the call polls it, writes the head it was given,
//! and reads the answer's from the buffer in place. Idle lines do nothing at all; whether the other side has
//! closed one is looked at when it is wanted.
//!
//! Both directions go on at the same time, so an upstream may answer while it still receives. Source: RFC 9112.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use http::header::UPGRADE;
use http::{HeaderMap, Method, StatusCode, Version};
use hyper::body::{Body as _, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::answer::{self, Answer, Invalid, Length};
use super::coming::{Coming, Sender};
use super::input::Input;
use super::outgoing::{Outgoing, Stop};
use crate::body::{Broken, RequestBody};
use crate::socket::Socket;

pub(crate) use super::head::Head;

/// The most interim answers (1xx) before the answer.
const INTERIM_MAX: u32 = 16;

/// Why an exchange failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error("the connection was closed before an answer")]
    Closed,
    #[error("the connection was closed within the answer")]
    Cut,
    #[error("reading failed")]
    Read(#[source] io::Error),
    #[error("writing failed")]
    Write(#[source] io::Error),
    #[error("what came is not a valid answer")]
    Invalid(#[from] Invalid),
    #[error("the request's body was not sent to its end")]
    Request(#[source] Broken),
}

/// A connection to an upstream, and the exchange that is on it.
#[derive(Debug)]
pub(crate) struct Line {
    socket: Socket,
    input: Input,
    upload: Outgoing<RequestBody>,
    /// Nobody reads the request any more; the answer may come all the same.
    failed: Option<io::Error>,
    download: Download,
    method: Method,
    /// Whether the request asks for a WebSocket.
    is_websocket: bool,
    is_persistent: bool,
    interim: u32,
    /// Whether a byte of the answer came.
    is_answer_begun: bool,
}

/// The answer on its way in.
#[derive(Debug)]
enum Download {
    Head { searched: usize },
    Body(Coming),
}

impl Line {
    pub(crate) fn new(socket: Socket) -> Self {
        Self {
            socket,
            input: Input::default(),
            upload: Outgoing::default(),
            failed: None,
            download: Download::Body(Coming::Done),
            method: Method::GET,
            is_websocket: false,
            is_persistent: true,
            interim: 0,
            is_answer_begun: false,
        }
    }

    /// Begins an exchange; [`poll_answer`](Self::poll_answer) sends the request.
    pub(crate) fn begin(&mut self, head: &Head<'_>, body: RequestBody) {
        debug_assert!(self.is_answered(), "the one before has ended");
        let is_empty = body.is_end_stream();
        let length = if is_empty {
            Some(0)
        } else {
            body.size_hint().exact()
        };
        self.upload
            .begin((!is_empty).then_some(body), |out| head.write(out, length));
        self.failed = None;
        self.download = Download::Head { searched: 0 };
        self.method.clone_from(head.method);
        self.is_websocket = head.is_websocket;
        // Whether the other side takes what follows a refusal for HTTP, nobody can be sure.
        self.is_persistent &= !head.is_websocket;
        self.interim = 0;
        self.is_answer_begun = false;
    }

    /// Whether not a byte of the request was written and none of its body read.
    pub(crate) const fn is_unsent(&self) -> bool {
        self.upload.is_unsent()
    }

    /// Whether not a byte of the answer came.
    pub(crate) const fn is_unanswered(&self) -> bool {
        !self.is_answer_begun
    }

    /// What of the request's body was not sent; for another try of what is [unsent](Self::is_unsent).
    pub(crate) fn take_body(&mut self) -> RequestBody {
        self.upload.take_body().unwrap_or_else(RequestBody::empty)
    }

    /// Whether the other side has neither closed an idle connection nor said something unasked.
    pub(crate) fn is_open(&mut self) -> bool {
        let mut byte = [0];
        let mut buffer = ReadBuf::new(&mut byte);
        // Nobody is to be woken: whoever takes the connection polls it again.
        let mut context = Context::from_waker(Waker::noop());
        Pin::new(&mut self.socket)
            .poll_read(&mut context, &mut buffer)
            .is_pending()
    }

    /// Whether both messages came to their ends and another exchange may follow.
    pub(crate) fn is_reusable(&self) -> bool {
        self.is_persistent
            && self.is_answered()
            && self.upload.is_done()
            && self.failed.is_none()
            && self.input.bytes.is_empty()
    }

    /// Gives back what a large exchange took: idle lines hold little.
    pub(crate) fn rest(&mut self) {
        self.upload.rest();
        self.input.rest();
    }

    /// Whether the answer was read to its end.
    pub(crate) const fn is_answered(&self) -> bool {
        matches!(self.download, Download::Body(Coming::Done))
    }

    /// What is left of the answer's body.
    pub(crate) fn size_hint(&self) -> SizeHint {
        match &self.download {
            Download::Body(coming) => coming.size_hint(),
            Download::Head { .. } => SizeHint::default(),
        }
    }

    /// Sends the request and waits for the head of its answer, whose fields replace those in `headers`.
    ///
    /// They are untouched as long as nothing of an answer came. Interim answers but for 100 go to `interim`.
    pub(crate) fn poll_answer(
        &mut self,
        context: &mut Context<'_>,
        headers: &mut HeaderMap,
        interim: &mut impl FnMut(StatusCode, &mut HeaderMap),
    ) -> Poll<Result<(StatusCode, Version), Fault>> {
        self.poll_upload(context)?;
        if self.is_unsent()
            && let Some(error) = self.failed.take()
        {
            // Whatever there is to read is no answer to what was never asked.
            return Poll::Ready(Err(Fault::Write(error)));
        }
        loop {
            if let Some(answer) = self.answer(headers, interim)? {
                return Poll::Ready(Ok((answer.status, answer.version)));
            }
            let read = match self.poll_read(context) {
                // A connection that is being closed may still hold an answer that says why.
                Poll::Pending => {
                    return self
                        .failed
                        .take()
                        .map_or(Poll::Pending, |error| Poll::Ready(Err(Fault::Write(error))));
                }
                Poll::Ready(read) => read,
            };
            match read {
                Ok(1..) => {}
                Ok(0) if self.is_unanswered() => return Poll::Ready(Err(Fault::Closed)),
                Ok(0) => return Poll::Ready(Err(Fault::Cut)),
                Err(error) => return Poll::Ready(Err(Fault::Read(error))),
            }
        }
    }

    /// The next part of the answer's body; none after its end.
    pub(crate) fn poll_frame(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        if let Err(fault) = self.poll_upload(context) {
            return Poll::Ready(Some(Err(fault)));
        }
        loop {
            let Download::Body(coming) = &mut self.download else {
                unreachable!("the body follows the head");
            };
            match coming.take(&mut self.input.bytes) {
                Ok(Some(frame)) => return Poll::Ready(Some(Ok(frame))),
                Ok(None) if coming.is_done() => return Poll::Ready(None),
                Ok(None) => {}
                Err(_) => return Poll::Ready(Some(Err(Invalid::Chunks.into()))),
            }
            let until_close = matches!(coming, Coming::UntilClose);
            match ready!(self.poll_read(context)) {
                Ok(1..) => {}
                Ok(0) if until_close => self.download = Download::Body(Coming::Done),
                Ok(0) => return Poll::Ready(Some(Err(Fault::Cut))),
                Err(error) => return Poll::Ready(Some(Err(Fault::Read(error)))),
            }
        }
    }

    /// Sends on; only a broken body is an error, since an answer may come when nobody reads the request any more.
    fn poll_upload(&mut self, context: &mut Context<'_>) -> Result<(), Fault> {
        if self.failed.is_some() {
            return Ok(());
        }
        match self.upload.poll(&mut self.socket, context) {
            Ok(_) => Ok(()),
            Err(Stop::Write(error)) => {
                self.is_persistent = false;
                self.failed = Some(error);
                Ok(())
            }
            Err(Stop::Body(broken)) => Err(Fault::Request(broken)),
        }
    }

    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let read = ready!(self.input.poll_read(&mut self.socket, context))?;
        self.is_answer_begun |= read > 0;
        Poll::Ready(Ok(read))
    }

    /// The answer's head, once it is whole.
    fn answer(
        &mut self,
        headers: &mut HeaderMap,
        interim: &mut impl FnMut(StatusCode, &mut HeaderMap),
    ) -> Result<Option<Answer>, Fault> {
        while let Download::Head { searched } = &mut self.download {
            let Some(length) = answer::head_end(&self.input.bytes, *searched) else {
                *searched = self.input.bytes.len();
                return if *searched > answer::HEAD_BYTES_MAX {
                    Err(Invalid::TooLarge.into())
                } else {
                    Ok(None)
                };
            };
            let answer = answer::take(&mut self.input.bytes, length, &self.method, headers)?;
            if answer.status == StatusCode::SWITCHING_PROTOCOLS {
                if !(self.is_websocket && is_websocket(headers)) {
                    return Err(Invalid::Switching.into());
                }
                self.is_persistent = false;
                self.download = Download::Body(Coming::Done);
                return Ok(Some(answer));
            }
            if self.interim == INTERIM_MAX {
                return Err(Invalid::Interim.into());
            }
            if answer.status.is_informational() {
                self.interim += 1;
                // Whether the client may go on is between it and us.
                if answer.status != StatusCode::CONTINUE {
                    interim(answer.status, headers);
                }
                self.download = Download::Head { searched: 0 };
                continue;
            }
            self.is_persistent &= answer.is_persistent;
            self.download = Download::Body(match answer.body {
                Length::Bytes(length) => Coming::bytes(length),
                Length::UntilClose => Coming::UntilClose,
                Length::Chunked => Coming::chunks(Sender::Upstream),
            });
            return Ok(Some(answer));
        }
        Ok(None)
    }
}

/// Whether an answer's head says that WebSocket is spoken from now on.
fn is_websocket(headers: &HeaderMap) -> bool {
    headers
        .get(UPGRADE)
        .is_some_and(|protocol| protocol.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// What is no HTTP any more: first what was read behind the head already.
impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.input.bytes.is_empty() {
            return Pin::new(&mut self.socket).poll_read(context, buffer);
        }
        let length = self.input.bytes.len().min(buffer.remaining());
        buffer.put_slice(&self.input.bytes.split_to(length));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Line {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests;
