//! A message on its way out: its head, then its body, in as few writes as can be.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes, BytesMut};
use http::HeaderMap;
use hyper::body::Body;
use tokio::io::AsyncWrite;

use super::answer::is_trailer;
use super::write_field;
use crate::spare::BUFFER_BYTES;

/// Data up to this size is copied behind the head: cheaper than a write of several parts.
const COPIED_BYTES_MAX: usize = 4 * 1024;
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// How a message says where its body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    /// By a length, by the end of the connection, or because there is none.
    Plain,
    Chunked {
        /// Whether the receiver takes a trailer section.
        trailers: bool,
    },
}

/// Why a message was not written to its end.
#[derive(Debug)]
pub(super) enum Stop<E> {
    Write(io::Error),
    Body(E),
}

/// What a message waits for, if it has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    Done,
    Body,
    Socket,
}

/// A message and what of it is not written yet.
#[derive(Debug)]
pub(super) struct Outgoing<B> {
    /// Written in this order: a head or a chunk's size, data, the end of a chunk.
    head: BytesMut,
    data: Bytes,
    end: &'static [u8],
    /// What is still to come; none after its end.
    body: Option<B>,
    coding: Coding,
    needs_flush: bool,
    /// Whether a byte was written, or a part of the body was taken.
    is_begun: bool,
}

impl<B> Default for Outgoing<B> {
    fn default() -> Self {
        Self {
            head: BytesMut::new(),
            data: Bytes::new(),
            end: b"",
            body: None,
            coding: Coding::Plain,
            needs_flush: false,
            is_begun: false,
        }
    }
}

impl<B> Outgoing<B> {
    /// Whether everything was written.
    pub(super) const fn is_done(&self) -> bool {
        self.body.is_none() && !self.needs_flush
    }

    /// Whether nothing was written and nothing of the body taken.
    pub(super) const fn is_unsent(&self) -> bool {
        !self.is_begun
    }

    /// What of the body was not taken.
    pub(super) const fn take_body(&mut self) -> Option<B> {
        self.body.take()
    }

    /// Gives back what a large message took.
    pub(super) fn rest(&mut self) {
        if self.head.capacity() > BUFFER_BYTES {
            self.head = BytesMut::new();
        }
    }

    /// Whether another part of the body may be taken.
    fn has_room(&self) -> bool {
        self.data.is_empty() && self.end.is_empty() && self.head.len() < COPIED_BYTES_MAX
    }

    /// Writes into this buffer from now on.
    pub(super) fn set_buffer(&mut self, buffer: BytesMut) {
        self.head = buffer;
    }

    /// The buffer, after a message.
    pub(super) fn take_buffer(&mut self) -> BytesMut {
        std::mem::take(&mut self.head)
    }

    fn has_bytes(&self) -> bool {
        !(self.head.is_empty() && self.data.is_empty() && self.end.is_empty())
    }
}

impl<B: Body<Data = Bytes> + Unpin> Outgoing<B> {
    /// Begins a message: `write` writes its head and says the body's coding.
    pub(super) fn begin(&mut self, body: Option<B>, write: impl FnOnce(&mut BytesMut) -> Coding) {
        self.head.clear();
        self.coding = write(&mut self.head);
        self.data = Bytes::new();
        self.end = b"";
        self.body = body;
        self.needs_flush = true;
        self.is_begun = false;
    }

    /// Writes what can be written.
    pub(super) fn poll(
        &mut self,
        socket: &mut (impl AsyncWrite + Unpin),
        context: &mut Context<'_>,
    ) -> Result<Progress, Stop<B::Error>> {
        while !self.is_done() {
            let is_waiting = self.has_room() && !self.fill(context)?;
            if self.has_bytes() {
                match self.poll_write(socket, context) {
                    Poll::Pending => return Ok(Progress::Socket),
                    Poll::Ready(written) => written.map_err(Stop::Write)?,
                }
            } else if self.needs_flush && (is_waiting || self.body.is_none()) {
                match Pin::new(&mut *socket).poll_flush(context) {
                    Poll::Pending => return Ok(Progress::Socket),
                    Poll::Ready(flushed) => flushed.map_err(Stop::Write)?,
                }
                self.needs_flush = false;
            } else if is_waiting {
                return Ok(Progress::Body);
            }
        }
        Ok(Progress::Done)
    }

    /// Gets the next part of the body; whether there is one, or its end.
    fn fill(&mut self, context: &mut Context<'_>) -> Result<bool, Stop<B::Error>> {
        let Some(body) = &mut self.body else {
            return Ok(true);
        };
        let Poll::Ready(frame) = Pin::new(&mut *body).poll_frame(context) else {
            return Ok(false);
        };
        self.is_begun = true;
        self.needs_flush = true;
        let is_chunked = self.coding != Coding::Plain;
        match frame
            .transpose()
            .map_err(Stop::Body)?
            .map(hyper::body::Frame::into_data)
        {
            Some(Ok(data)) => {
                let is_last = body.is_end_stream();
                if is_chunked && !data.is_empty() {
                    write_chunk_size(&mut self.head, data.len());
                    self.end = if is_last { b"\r\n0\r\n\r\n" } else { b"\r\n" };
                } else if is_chunked && is_last {
                    self.end = LAST_CHUNK;
                }
                if is_last {
                    self.body = None;
                }
                self.put(data);
            }
            Some(Err(frame)) => {
                self.body = None;
                match (self.coding, frame.into_trailers()) {
                    (Coding::Chunked { trailers: true }, Ok(trailers)) => {
                        self.head.extend_from_slice(b"0\r\n");
                        write_trailers(&mut self.head, &trailers);
                        self.end = b"\r\n";
                    }
                    (Coding::Chunked { .. }, _) => self.end = LAST_CHUNK,
                    (Coding::Plain, _) => {}
                }
            }
            None => {
                self.body = None;
                if is_chunked {
                    self.end = LAST_CHUNK;
                }
            }
        }
        Ok(true)
    }

    /// Takes data that is to be written next.
    fn put(&mut self, data: Bytes) {
        if data.len() > COPIED_BYTES_MAX || self.head.is_empty() {
            self.data = data;
            return;
        }
        self.head.extend_from_slice(&data);
        self.head.extend_from_slice(self.end);
        self.end = b"";
    }

    fn poll_write(
        &mut self,
        socket: &mut (impl AsyncWrite + Unpin),
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
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

/// The size of a chunk that follows.
pub(super) fn write_chunk_size(out: &mut BytesMut, size: usize) {
    let digits = (usize::BITS - size.leading_zeros()).div_ceil(4);
    for digit in (0..digits).rev() {
        out.extend_from_slice(&[b"0123456789abcdef"[size >> (4 * digit) & 15]]);
    }
    out.extend_from_slice(b"\r\n");
}

/// The fields of a trailer section that may be there.
fn write_trailers(out: &mut BytesMut, trailers: &HeaderMap) {
    for (name, value) in trailers {
        if is_trailer(name) {
            write_field(out, name.as_str(), value);
        }
    }
}
