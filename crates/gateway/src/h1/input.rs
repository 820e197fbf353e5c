//! What was read from a connection and not used yet.

use std::future::Future as _;
use std::io;
use std::pin::pin;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use tokio::io::AsyncReadExt as _;

use crate::socket::Socket;
use crate::spare::BUFFER_BYTES;

/// How much one read takes at most.
const READ_BYTES_MAX: usize = 256 * 1024;

/// A buffer that reads grow into; how much room they get doubles while they fill it.
#[derive(Debug)]
pub(super) struct Input {
    pub(super) bytes: BytesMut,
    read_bytes: usize,
}

impl Default for Input {
    fn default() -> Self {
        Self::new(BytesMut::new())
    }
}

impl Input {
    pub(super) const fn new(bytes: BytesMut) -> Self {
        Self {
            bytes,
            read_bytes: BUFFER_BYTES,
        }
    }

    /// Reads once; how many bytes, 0 at the end of the connection.
    pub(super) fn poll_read(
        &mut self,
        socket: &mut Socket,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if self.bytes.capacity() - self.bytes.len() < self.read_bytes / 4 {
            self.bytes.reserve(self.read_bytes);
        }
        let room = self.bytes.capacity() - self.bytes.len();
        let read = ready!(pin!(socket.read_buf(&mut self.bytes)).poll(context))?;
        if read == room && self.read_bytes < READ_BYTES_MAX {
            self.read_bytes *= 2;
        }
        Poll::Ready(Ok(read))
    }

    /// Gives back what a large message took: who waits holds little.
    pub(super) fn rest(&mut self) {
        self.read_bytes = BUFFER_BYTES;
        if self.bytes.is_empty() && self.bytes.capacity() > BUFFER_BYTES {
            self.bytes = BytesMut::new();
        }
    }
}
