//! Passes bytes both ways once a connection speaks another protocol than HTTP.

use std::future::{Future as _, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio::net::TcpStream;

use crate::deadline::Deadline;
use crate::spare::{BUFFER_BYTES, Spare};

/// Whoever is told how many bytes passed.
pub(crate) trait Counted {
    /// Bytes of the client.
    fn received(&mut self, bytes: u64);
    /// Bytes to the client.
    fn sent(&mut self, bytes: u64);
}

/// Passes bytes between a client and an upstream until both have ended, one broke off, or nothing came for a while.
///
/// Who ends one direction may still receive the other. Buffers are held only while something is in them.
pub(crate) async fn tunnel<C, U>(
    spare: &Spare,
    (mut client, mut upstream): (C, U),
    (deadline, pause): (&Deadline, Duration),
    counted: &mut impl Counted,
) -> io::Result<()>
where
    C: AsyncRead + AsyncWrite + Unpin,
    U: AsyncRead + AsyncWrite + Unpin,
{
    let (mut there, mut back) = (Way::default(), Way::default());
    deadline.arm(pause);
    poll_fn(|context| {
        let went = there.poll(spare, (&mut client, &mut upstream), context)?;
        let came = back.poll(spare, (&mut upstream, &mut client), context)?;
        let (received, sent) = (there.take_passed(), back.take_passed());
        if received + sent > 0 {
            counted.received(received);
            counted.sent(sent);
            deadline.arm(pause);
        }
        if went.is_ready() && came.is_ready() {
            return Poll::Ready(Ok(()));
        }
        deadline
            .poll_over(context)
            .map(|()| Err(io::ErrorKind::TimedOut.into()))
    })
    .await
}

/// Lets a side see that it was no end: what was sent last may be missing.
pub(crate) fn cut(error: &io::Error, side: &TcpStream) {
    if error.kind() != io::ErrorKind::TimedOut {
        // Without it, the end of the connection is all there is to see.
        let _ = SockRef::from(side).set_linger(Some(Duration::ZERO));
    }
}

/// One direction.
#[derive(Debug, Default)]
struct Way {
    bytes: BytesMut,
    passed: u64,
    has_ended: bool,
    is_shut: bool,
}

impl Way {
    fn poll<R, W>(
        &mut self,
        spare: &Spare,
        (from, to): (&mut R, &mut W),
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        loop {
            if !self.bytes.is_empty() {
                let written = ready!(Pin::new(&mut *to).poll_write(context, &self.bytes))?;
                if written == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                self.bytes.advance(written);
                self.passed += written as u64;
                continue;
            }
            if self.has_ended {
                if !self.is_shut {
                    ready!(Pin::new(&mut *to).poll_shutdown(context))?;
                    self.is_shut = true;
                }
                return Poll::Ready(Ok(()));
            }
            if self.bytes.capacity() < BUFFER_BYTES {
                spare.keep_buffer(std::mem::replace(&mut self.bytes, spare.buffer()));
            }
            match pin!(from.read_buf(&mut self.bytes)).poll(context)? {
                Poll::Ready(0) => self.has_ended = true,
                Poll::Ready(_) => {}
                Poll::Pending => {
                    spare.keep_buffer(std::mem::take(&mut self.bytes));
                    // If it has to wait, it goes on when we are polled again.
                    let _ = Pin::new(&mut *to).poll_flush(context)?;
                    return Poll::Pending;
                }
            }
        }
    }

    const fn take_passed(&mut self) -> u64 {
        std::mem::replace(&mut self.passed, 0)
    }
}
