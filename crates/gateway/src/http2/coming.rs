//! The body of a request as its stream brings it.

use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::RecvStream;
use hyper::body::{Frame, SizeHint};

use crate::interim::Interims;

/// What is to come of a request behind its head.
#[derive(Debug)]
pub(crate) struct Coming {
    recv: RecvStream,
    /// How much of the body is missing, if its length was said; `h2` holds the client to it.
    missing: Option<u64>,
    is_data_over: bool,
    interims: Rc<Interims>,
}

/// The client has broken off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gone;

impl Coming {
    pub(super) const fn new(recv: RecvStream, length: Option<u64>, interims: Rc<Interims>) -> Self {
        Self {
            recv,
            missing: length,
            is_data_over: false,
            interims,
        }
    }

    /// Whether there is nothing more to come.
    pub(crate) fn is_end(&self) -> bool {
        self.recv.is_end_stream()
    }

    /// How much there is to come.
    pub(crate) fn size_hint(&self) -> SizeHint {
        self.missing.map_or_else(SizeHint::default, SizeHint::with_exact)
    }

    /// The next part of the body; an error if the client does not bring it to its end.
    pub(crate) fn poll_frame(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Gone>>> {
        while !self.is_data_over {
            let data = self.recv.poll_data(context);
            self.interims.ask(data.is_ready());
            match ready!(data) {
                Some(Ok(data)) => {
                    // The client may send as much again; fails if it has ended its stream.
                    let _ = self.recv.flow_control().release_capacity(data.len());
                    self.missing = self.missing.map(|bytes| bytes.saturating_sub(data.len() as u64));
                    if !data.is_empty() {
                        return Poll::Ready(Some(Ok(Frame::data(data))));
                    }
                }
                // Whatever the reason is: a body that was broken off is not whole.
                Some(Err(_)) => return Poll::Ready(Some(Err(Gone))),
                None => self.is_data_over = true,
            }
        }
        let trailers = ready!(self.recv.poll_trailers(context));
        Poll::Ready(match trailers {
            Ok(trailers) => trailers.map(|trailers| Ok(Frame::trailers(trailers))),
            Err(_) => Some(Err(Gone)),
        })
    }
}
