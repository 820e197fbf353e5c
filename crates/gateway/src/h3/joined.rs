//! A client that is joined with a target, as a stream of bytes: RFC 9114 section 4.4.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes, BytesMut};
use quinn::SendStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::coming::{Coming, Gone};
use super::frame::{self, write_start};

/// What of the client's data is a tunnel's, without the frames around it.
pub(super) struct Client<'a> {
    send: &'a mut SendStream,
    coming: &'a Coming,
    /// Data that came and was not taken yet.
    came: Bytes,
    /// The beginning of a frame that is not written yet.
    start: BytesMut,
    /// What is missing of the data of that frame.
    missing: usize,
}

impl<'a> Client<'a> {
    pub(super) fn new(send: &'a mut SendStream, coming: &'a Coming) -> Self {
        Self {
            send,
            coming,
            came: Bytes::new(),
            start: BytesMut::new(),
            missing: 0,
        }
    }
}

impl AsyncRead for Client<'_> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while this.came.is_empty() {
            match ready!(this.coming.poll_data(context)) {
                Ok(None) => return Poll::Ready(Ok(())),
                Ok(Some(data)) => this.came = data,
                Err(Gone) => return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            }
        }
        let part = this.came.split_to(this.came.len().min(into.remaining()));
        into.put_slice(&part);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Client<'_> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        if this.missing == 0 {
            // Whatever fits into the frame later, all of it was promised now.
            this.missing = bytes.len();
            write_start(&mut this.start, frame::DATA, this.missing);
        }
        while !this.start.is_empty() {
            let written = ready!(AsyncWrite::poll_write(
                Pin::new(&mut *this.send),
                context,
                &this.start
            ))?;
            this.start.advance(written);
        }
        let part = &bytes[..bytes.len().min(this.missing)];
        let written = ready!(AsyncWrite::poll_write(Pin::new(&mut *this.send), context, part))?;
        this.missing -= written;
        Poll::Ready(Ok(written))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The connection sends by itself what it has.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let finished = self.get_mut().send.finish();
        Poll::Ready(finished.map_err(|_| io::ErrorKind::BrokenPipe.into()))
    }
}
