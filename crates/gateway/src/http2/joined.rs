//! A stream that became a tunnel, as a stream of bytes: RFC 9113 section 8.5, RFC 8441 section 5.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::{Reason, RecvStream, SendStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A client that is joined with a target or a service.
///
/// Who resets the stream has broken off, whatever the reason: a tunnel has another end for those who are done.
pub(super) struct Client {
    send: SendStream<Bytes>,
    recv: RecvStream,
    /// Data that came and was not taken yet.
    came: Bytes,
}

impl Client {
    pub(super) const fn new(send: SendStream<Bytes>, recv: RecvStream) -> Self {
        Self {
            send,
            recv,
            came: Bytes::new(),
        }
    }

    /// Ends the stream so that nobody takes what came for all.
    pub(super) fn reset(&mut self, reason: Reason) {
        self.send.send_reset(reason);
    }
}

/// The client has broken off.
fn gone() -> io::Error {
    io::ErrorKind::ConnectionReset.into()
}

/// Waits until a stream takes data; false if it takes no more.
///
/// No more of the connection's window is reserved than it takes to know: it is for those who have something to send.
pub(super) fn poll_room(send: &mut SendStream<Bytes>, context: &mut Context<'_>) -> Poll<bool> {
    send.reserve_capacity(1);
    while send.capacity() == 0 {
        match ready!(send.poll_capacity(context)) {
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return Poll::Ready(false),
        }
    }
    Poll::Ready(true)
}

impl AsyncRead for Client {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while this.came.is_empty() {
            match ready!(this.recv.poll_data(context)) {
                None => return Poll::Ready(Ok(())),
                Some(Ok(data)) => this.came = data,
                Some(Err(_)) => return Poll::Ready(Err(gone())),
            }
        }
        let part = this.came.split_to(this.came.len().min(into.remaining()));
        into.put_slice(&part);
        // The client may send as much again; fails if it has ended its direction.
        let _ = this.recv.flow_control().release_capacity(part.len());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Client {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let send = &mut self.get_mut().send;
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        if !ready!(poll_room(send, context)) {
            return Poll::Ready(Err(gone()));
        }
        // What of it the window does not let through yet waits in the connection: a buffer at most.
        let sent = send.send_data(Bytes::copy_from_slice(bytes), false);
        Poll::Ready(sent.map(|()| bytes.len()).map_err(|_| gone()))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The connection sends by itself what it has. Who waits for something to write hears here that the client has gone.
        match self.get_mut().send.poll_reset(context) {
            Poll::Ready(_) => Poll::Ready(Err(gone())),
            Poll::Pending => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let ended = self.get_mut().send.send_data(Bytes::new(), true);
        Poll::Ready(ended.map_err(|_| gone()))
    }
}
