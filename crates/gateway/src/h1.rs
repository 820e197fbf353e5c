//! HTTP/1.1 with an upstream, driven by the call that it is for.
//!
//! hyper's client runs each connection in a task of its own and talks to it over channels; for a proxy that
//! costs more than all its policies. A [`Line`] has no task: the call polls it, writes the head it was given,
//! and reads the answer's from the buffer in place. Idle lines do nothing at all; whether the other side has
//! closed one is looked at when it is wanted.
//!
//! Both directions go on at the same time, so an upstream may answer while it still receives. Source: RFC 9112.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf as _, Bytes, BytesMut};
use http::{HeaderMap, Method, StatusCode, Version};
use hyper::body::{Body as _, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};

use self::answer::{Answer, Invalid, Length};
use crate::body::{Broken, RequestBody};
use crate::framing::{CHUNK, Chunks};
use crate::socket::Socket;

mod answer;
#[cfg(any(test, fuzzing))]
pub(crate) mod foreign;
mod head;

pub(crate) use head::Head;

/// How much room there is for a read at first; it doubles while reads fill it.
const READ_BYTES_MIN: usize = 8 * 1024;
const READ_BYTES_MAX: usize = 256 * 1024;
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
    /// Read and not used yet.
    input: BytesMut,
    read_bytes: usize,
    upload: Upload,
    download: Download,
    method: Method,
    is_persistent: bool,
    interim: u32,
    /// Whether a byte of the answer came.
    is_answer_begun: bool,
}

/// The request on its way out.
#[derive(Debug, Default)]
struct Upload {
    /// Written in this order: a head or a chunk's size, data, the end of a chunk.
    head: BytesMut,
    data: Bytes,
    end: &'static [u8],
    /// What is still to come; none after its end.
    body: Option<RequestBody>,
    is_chunked: bool,
    needs_flush: bool,
    /// Nobody reads it any more; the answer may come all the same.
    failed: Option<io::Error>,
    /// Whether a byte of the request was written.
    is_begun: bool,
}

/// The answer on its way in.
#[derive(Debug)]
enum Download {
    Head { searched: usize },
    Bytes(u64),
    Chunks { state: Chunks, trailer: BytesMut },
    UntilClose,
    Done,
}

impl Line {
    pub(crate) fn new(socket: Socket) -> Self {
        Self {
            socket,
            input: BytesMut::new(),
            read_bytes: READ_BYTES_MIN,
            upload: Upload::default(),
            download: Download::Done,
            method: Method::GET,
            is_persistent: true,
            interim: 0,
            is_answer_begun: false,
        }
    }

    /// Begins an exchange; [`poll_answer`](Self::poll_answer) sends the request.
    pub(crate) fn begin(&mut self, head: &Head<'_>, body: RequestBody) {
        debug_assert!(
            matches!(self.download, Download::Done),
            "the one before has ended"
        );
        self.upload.begin(head, body);
        self.download = Download::Head { searched: 0 };
        self.method.clone_from(head.method);
        self.interim = 0;
        self.is_answer_begun = false;
    }

    /// Whether not a byte of the request was written and none of its body read.
    pub(crate) const fn is_unsent(&self) -> bool {
        !self.upload.is_begun
    }

    /// Whether not a byte of the answer came.
    pub(crate) const fn is_unanswered(&self) -> bool {
        !self.is_answer_begun
    }

    /// What of the request's body was not sent; for another try of what is [unsent](Self::is_unsent).
    pub(crate) fn take_body(&mut self) -> RequestBody {
        self.upload.body.take().unwrap_or_else(RequestBody::empty)
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
            && matches!(self.download, Download::Done)
            && self.upload.is_done()
            && self.input.is_empty()
    }

    /// Gives back what a large exchange took: idle lines hold little.
    pub(crate) fn rest(&mut self) {
        self.read_bytes = READ_BYTES_MIN;
        for buffer in [&mut self.input, &mut self.upload.head] {
            if buffer.capacity() > READ_BYTES_MIN {
                *buffer = BytesMut::new();
            }
        }
    }

    /// Whether the answer was read to its end.
    pub(crate) const fn is_answered(&self) -> bool {
        matches!(self.download, Download::Done)
    }

    /// What is left of the answer's body.
    pub(crate) fn size_hint(&self) -> SizeHint {
        match self.download {
            Download::Bytes(left) => SizeHint::with_exact(left),
            Download::Done => SizeHint::with_exact(0),
            _ => SizeHint::default(),
        }
    }

    /// Sends the request and waits for the head of its answer, whose fields replace those in `headers`.
    ///
    /// They are untouched as long as nothing of an answer came.
    pub(crate) fn poll_answer(
        &mut self,
        context: &mut Context<'_>,
        headers: &mut HeaderMap,
    ) -> Poll<Result<(StatusCode, Version), Fault>> {
        self.poll_upload(context)?;
        if self.is_unsent()
            && let Some(error) = self.upload.failed.take()
        {
            // Whatever there is to read is no answer to what was never asked.
            return Poll::Ready(Err(Fault::Write(error)));
        }
        loop {
            if let Some(answer) = self.answer(headers)? {
                return Poll::Ready(Ok((answer.status, answer.version)));
            }
            let read = match self.poll_read(context) {
                // A connection that is being closed may still hold an answer that says why.
                Poll::Pending => {
                    return self
                        .upload
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
            match self.frame() {
                Ok(Some(frame)) => return Poll::Ready(Some(Ok(frame))),
                Ok(None) => {}
                Err(fault) => return Poll::Ready(Some(Err(fault))),
            }
            if matches!(self.download, Download::Done) {
                return Poll::Ready(None);
            }
            match ready!(self.poll_read(context)) {
                Ok(1..) => {}
                Ok(0) if matches!(self.download, Download::UntilClose) => self.download = Download::Done,
                Ok(0) => return Poll::Ready(Some(Err(Fault::Cut))),
                Err(error) => return Poll::Ready(Some(Err(Fault::Read(error)))),
            }
        }
    }

    /// Sends on; only a broken body is an error, since an answer may come when nobody reads the request any more.
    fn poll_upload(&mut self, context: &mut Context<'_>) -> Result<(), Fault> {
        match self.upload.poll(&mut self.socket, context) {
            Ok(()) => Ok(()),
            Err(Fault::Write(error)) => {
                self.is_persistent = false;
                self.upload.failed = Some(error);
                Ok(())
            }
            Err(fault) => Err(fault),
        }
    }

    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.input.reserve(self.read_bytes);
        let room = self.input.capacity() - self.input.len();
        let read = ready!(pin!(self.socket.read_buf(&mut self.input)).poll(context))?;
        self.is_answer_begun |= read > 0;
        if read == room && self.read_bytes < READ_BYTES_MAX {
            self.read_bytes *= 2;
        }
        Poll::Ready(Ok(read))
    }

    /// The answer's head, once it is whole.
    fn answer(&mut self, headers: &mut HeaderMap) -> Result<Option<Answer>, Fault> {
        while let Download::Head { searched } = &mut self.download {
            let Some(length) = answer::head_end(&self.input, *searched) else {
                *searched = self.input.len();
                return if *searched > answer::HEAD_BYTES_MAX {
                    Err(Invalid::TooLarge.into())
                } else {
                    Ok(None)
                };
            };
            let answer = answer::take(&mut self.input, length, &self.method, headers)?;
            if answer.status == StatusCode::SWITCHING_PROTOCOLS {
                return Err(Invalid::Switching.into());
            }
            if self.interim == INTERIM_MAX {
                return Err(Invalid::Interim.into());
            }
            if answer.status.is_informational() {
                self.interim += 1;
                self.download = Download::Head { searched: 0 };
                continue;
            }
            self.is_persistent &= answer.is_persistent;
            self.download = match answer.body {
                Length::Bytes(0) => Download::Done,
                Length::Bytes(length) => Download::Bytes(length),
                Length::UntilClose => Download::UntilClose,
                Length::Chunked => Download::Chunks {
                    state: CHUNK,
                    trailer: BytesMut::new(),
                },
            };
            return Ok(Some(answer));
        }
        Ok(None)
    }

    /// A part of the body that was read already.
    fn frame(&mut self) -> Result<Option<Frame<Bytes>>, Fault> {
        match &mut self.download {
            Download::Bytes(left) => {
                let data = part(&mut self.input, left);
                if *left == 0 {
                    self.download = Download::Done;
                }
                Ok(data)
            }
            Download::UntilClose => {
                let mut left = u64::MAX;
                Ok(part(&mut self.input, &mut left))
            }
            Download::Chunks { state, trailer } => {
                let frame = chunk(&mut self.input, state, trailer)?;
                if *state == Chunks::End {
                    self.download = Download::Done;
                }
                Ok(frame)
            }
            Download::Head { .. } | Download::Done => Ok(None),
        }
    }
}

/// What there is of the next bytes of data; none if there is none.
fn part(input: &mut BytesMut, left: &mut u64) -> Option<Frame<Bytes>> {
    let length = usize::try_from(*left).map_or(input.len(), |left| left.min(input.len()));
    if length == 0 {
        return None;
    }
    *left -= length as u64;
    Some(Frame::data(input.split_to(length).freeze()))
}

/// Reads chunks up to the next data, or the trailer if there is one.
fn chunk(
    input: &mut BytesMut,
    state: &mut Chunks,
    trailer: &mut BytesMut,
) -> Result<Option<Frame<Bytes>>, Invalid> {
    while !input.is_empty() {
        if let Chunks::Data { left } = state {
            let data = part(input, left);
            if *left == 0 {
                *state = Chunks::DataCr;
            }
            return Ok(data);
        }
        let byte = match (*state, input.get_u8()) {
            // Some old services fill the size up with blanks.
            (Chunks::Size { digits: 1.., .. }, b' ' | b'\t') => b';',
            (_, byte) => byte,
        };
        *state = state.next(byte).map_err(|_| Invalid::Chunks)?;
        match state {
            Chunks::Trailer { bytes: 1.., .. } | Chunks::TrailerLf { bytes: 1.., .. } => {
                trailer.extend_from_slice(&[byte]);
            }
            Chunks::End if !trailer.is_empty() => {
                trailer.extend_from_slice(b"\n");
                return answer::trailers(&trailer.split().freeze())
                    .map(|fields| Some(Frame::trailers(fields)));
            }
            Chunks::End => return Ok(None),
            _ => {}
        }
    }
    Ok(None)
}

impl Upload {
    fn begin(&mut self, head: &Head<'_>, body: RequestBody) {
        self.head.clear();
        let is_empty = body.is_end_stream();
        self.is_chunked = head.write(
            &mut self.head,
            if is_empty {
                Some(0)
            } else {
                body.size_hint().exact()
            },
        );
        self.data = Bytes::new();
        self.end = b"";
        self.body = (!is_empty).then_some(body);
        self.needs_flush = true;
        self.failed = None;
        self.is_begun = false;
    }

    const fn is_done(&self) -> bool {
        self.body.is_none() && !self.needs_flush && self.failed.is_none()
    }

    /// Writes what can be written.
    fn poll(&mut self, socket: &mut Socket, context: &mut Context<'_>) -> Result<(), Fault> {
        while !self.is_done() && self.failed.is_none() {
            let is_waiting = self.data.is_empty() && self.end.is_empty() && !self.fill(context)?;
            if self.has_bytes() {
                match self.poll_write(socket, context) {
                    Poll::Pending => return Ok(()),
                    Poll::Ready(written) => written.map_err(Fault::Write)?,
                }
            } else if self.needs_flush && (is_waiting || self.body.is_none()) {
                match Pin::new(&mut *socket).poll_flush(context) {
                    Poll::Pending => return Ok(()),
                    Poll::Ready(flushed) => flushed.map_err(Fault::Write)?,
                }
                self.needs_flush = false;
            } else if is_waiting {
                return Ok(());
            }
        }
        Ok(())
    }

    fn has_bytes(&self) -> bool {
        !(self.head.is_empty() && self.data.is_empty() && self.end.is_empty())
    }

    /// Gets the next part of the body; whether there is one, or its end.
    fn fill(&mut self, context: &mut Context<'_>) -> Result<bool, Fault> {
        let Some(body) = &mut self.body else {
            return Ok(true);
        };
        let Poll::Ready(frame) = Pin::new(&mut *body).poll_frame(context) else {
            return Ok(false);
        };
        // What was read of it cannot be sent over another connection.
        self.is_begun = true;
        match frame.transpose().map_err(Fault::Request)?.map(Frame::into_data) {
            Some(Ok(data)) => {
                let is_last = body.is_end_stream();
                if self.is_chunked && !data.is_empty() {
                    head::write_chunk_size(&mut self.head, data.len());
                    self.end = if is_last { b"\r\n0\r\n\r\n" } else { b"\r\n" };
                } else if self.is_chunked && is_last {
                    self.end = b"0\r\n\r\n";
                }
                self.data = data;
                if is_last {
                    self.body = None;
                }
            }
            Some(Err(frame)) => {
                if let (true, Ok(trailers)) = (self.is_chunked, frame.into_trailers()) {
                    self.head.extend_from_slice(b"0\r\n");
                    head::write_trailers(&mut self.head, &trailers);
                    self.end = b"\r\n";
                }
                self.body = None;
            }
            None => {
                if self.is_chunked {
                    self.end = b"0\r\n\r\n";
                }
                self.body = None;
            }
        }
        self.needs_flush = true;
        Ok(true)
    }

    fn poll_write(&mut self, socket: &mut Socket, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let parts = [
            IoSlice::new(&self.head),
            IoSlice::new(&self.data),
            IoSlice::new(self.end),
        ];
        let socket = Pin::new(socket);
        let written = if self.data.is_empty() && self.end.is_empty() {
            ready!(socket.poll_write(context, &self.head))?
        } else {
            ready!(socket.poll_write_vectored(context, &parts))?
        };
        if written == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        self.is_begun = true;
        let of_head = written.min(self.head.len());
        self.head.advance(of_head);
        let of_data = (written - of_head).min(self.data.len());
        self.data.advance(of_data);
        self.end = &self.end[written - of_head - of_data..];
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests;
