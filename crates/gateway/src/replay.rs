//! Keeps what was sent of a request's body, so that it can be sent again.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body as _, Frame, SizeHint};

use crate::body::{Broken, RequestBody};

/// A body that may be read several times from its beginning, as long as it is not too long.
#[derive(Debug)]
pub(crate) struct Replay(Rc<RefCell<Kept>>);

#[derive(Debug)]
struct Kept {
    rest: RequestBody,
    /// What was read of it; empty once it was too long.
    frames: Vec<Bytes>,
    bytes: usize,
    bytes_max: usize,
    is_lost: bool,
    /// The newest reader; others read no more.
    reader: u32,
    hint: SizeHint,
}

/// One reading of such a body.
#[derive(Debug)]
pub(crate) struct Reading {
    kept: Rc<RefCell<Kept>>,
    reader: u32,
    next: usize,
    bytes: u64,
}

impl Replay {
    pub(crate) fn new(body: RequestBody, bytes_max: usize) -> Self {
        let is_lost = body.size_hint().lower() > bytes_max as u64;
        Self(Rc::new(RefCell::new(Kept {
            hint: body.size_hint(),
            rest: body,
            frames: Vec::new(),
            bytes: 0,
            bytes_max,
            is_lost,
            reader: 0,
        })))
    }

    /// The body from its beginning; none if its beginning was not kept.
    pub(crate) fn again(&self) -> Option<RequestBody> {
        let mut kept = self.0.borrow_mut();
        if kept.is_lost && kept.reader > 0 {
            return None;
        }
        kept.reader += 1;
        Some(RequestBody::reading(Reading {
            kept: Rc::clone(&self.0),
            reader: kept.reader,
            next: 0,
            bytes: 0,
        }))
    }
}

impl Drop for Replay {
    /// Nobody will ask for it again: what is read from now on is not kept, which may be hours of a stream.
    fn drop(&mut self) {
        self.0.borrow_mut().is_lost = true;
    }
}

impl Reading {
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let kept = &mut *self.kept.borrow_mut();
        if kept.reader != self.reader {
            // Of a try that was given up.
            return Poll::Ready(Some(Err(Broken::Gone)));
        }
        if let Some(data) = kept.frames.get(self.next) {
            self.next += 1;
            self.bytes += data.len() as u64;
            return Poll::Ready(Some(Ok(Frame::data(data.clone()))));
        }
        let frame = ready!(Pin::new(&mut kept.rest).poll_frame(context));
        match frame.as_ref().and_then(|frame| frame.as_ref().ok()) {
            Some(frame) => {
                let length = frame.data_ref().map_or(0, Bytes::len);
                kept.bytes += length;
                self.bytes += length as u64;
                match frame
                    .data_ref()
                    .filter(|_| kept.bytes <= kept.bytes_max && !kept.is_lost)
                {
                    Some(data) => {
                        kept.frames.push(data.clone());
                        self.next += 1;
                    }
                    // Trailers are not kept either.
                    None => {
                        kept.is_lost = true;
                        kept.frames = Vec::new();
                        self.next = 0;
                    }
                }
            }
            None if frame.is_some() => kept.is_lost = true,
            None => {}
        }
        Poll::Ready(frame)
    }

    pub(crate) fn is_end_stream(&self) -> bool {
        let kept = self.kept.borrow();
        self.next >= kept.frames.len() && kept.rest.is_end_stream()
    }

    pub(crate) fn size_hint(&self) -> SizeHint {
        let hint = self.kept.borrow().hint;
        match hint.exact() {
            Some(all) => SizeHint::with_exact(all.saturating_sub(self.bytes)),
            None => SizeHint::default(),
        }
    }
}
