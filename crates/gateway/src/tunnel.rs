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

use crate::brake::Brake;
use crate::deadline::Deadline;
use crate::spare::{BUFFER_BYTES, Spare};

/// Whoever is told how many bytes passed.
pub(crate) trait Counted {
    /// Bytes of the client.
    fn received(&mut self, bytes: u64);
    /// Bytes to the client.
    fn sent(&mut self, bytes: u64);
}

/// What holds back the bytes of a client, and those to it.
pub(crate) type Brakes = (Option<Box<Brake>>, Option<Box<Brake>>);

/// Passes bytes between a client and an upstream until both have ended, one broke off, or nothing came for a while.
///
/// Who ends one direction may still receive the other. Buffers are held only while something is in them.
pub(crate) async fn tunnel<C, U>(
    spare: &Spare,
    (mut client, mut upstream): (C, U),
    (deadline, pause): (&Deadline, Duration),
    (up, down): Brakes,
    counted: &mut impl Counted,
) -> io::Result<()>
where
    C: AsyncRead + AsyncWrite + Unpin,
    U: AsyncRead + AsyncWrite + Unpin,
{
    let (mut there, mut back) = (Way::new(up), Way::new(down));
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
        ready!(deadline.poll_over(context));
        if !there.is_held() && !back.is_held() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        // Something came, and waits.
        deadline.arm(pause);
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
#[derive(Debug)]
struct Way {
    brake: Option<Box<Brake>>,
    bytes: BytesMut,
    passed: u64,
    has_ended: bool,
    is_shut: bool,
}

impl Way {
    fn new(brake: Option<Box<Brake>>) -> Self {
        Self {
            brake,
            bytes: BytesMut::new(),
            passed: 0,
            has_ended: false,
            is_shut: false,
        }
    }

    fn is_held(&self) -> bool {
        self.brake.as_ref().is_some_and(|brake| brake.is_held())
    }

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
                let mut part = &*self.bytes;
                if let Some(brake) = &mut self.brake {
                    if brake.is_held() {
                        // What went before is not to wait with it.
                        let _ = Pin::new(&mut *to).poll_flush(context)?;
                    }
                    ready!(brake.poll_open(context));
                    part = &part[..part.len().min(brake.part_bytes())];
                }
                let written = ready!(Pin::new(&mut *to).poll_write(context, part))?;
                if written == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                if let Some(brake) = &mut self.brake {
                    brake.flowed(written);
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
