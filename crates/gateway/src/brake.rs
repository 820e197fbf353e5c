//! Lets a body, or one direction of a tunnel, flow no faster than its bandwidth.

use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::body::Frame;
use policy::builtin::bandwidth_limit::Flow;

use crate::core::Core;
use crate::deadline::Deadline;

/// Holds a body back when it has flowed too fast, and lets large pieces through in parts.
///
/// A wait ends up to 100 ms late; what could have flowed meanwhile flows then, so that the average holds.
pub(crate) struct Brake {
    core: Rc<Core>,
    flows: Vec<Flow>,
    deadline: Deadline,
    is_held: bool,
    /// What has come and not flowed yet.
    rest: Bytes,
    part_bytes: usize,
}

impl std::fmt::Debug for Brake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Brake")
            .field("flows", &self.flows)
            .finish_non_exhaustive()
    }
}

impl Brake {
    pub(crate) fn new(core: &Rc<Core>, flows: Vec<Flow>) -> Self {
        let part_bytes = flows.iter().map(Flow::part_bytes).min().unwrap_or(usize::MAX);
        Self {
            core: Rc::clone(core),
            flows,
            deadline: core.deadlines.deadline(),
            is_held: false,
            rest: Bytes::new(),
            part_bytes,
        }
    }

    /// Ready when more may flow.
    pub(crate) fn poll_open(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.is_held {
            ready!(self.deadline.poll_over(context));
            self.deadline.disarm();
            self.is_held = false;
        }
        Poll::Ready(())
    }

    /// Ready when more may flow: with the next part of what has come, if there is any.
    pub(crate) fn poll_free(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        ready!(self.poll_open(context));
        Poll::Ready((!self.rest.is_empty()).then(|| self.part()))
    }

    /// How much of it may flow at a time.
    pub(crate) const fn part_bytes(&self) -> usize {
        self.part_bytes
    }

    /// Whether nothing may flow at the moment.
    pub(crate) const fn is_held(&self) -> bool {
        self.is_held
    }

    /// The part of a frame that may flow now.
    pub(crate) fn cut(&mut self, frame: Frame<Bytes>) -> Frame<Bytes> {
        match frame.into_data() {
            Ok(data) => {
                self.rest = data;
                Frame::data(self.part())
            }
            Err(trailers) => trailers,
        }
    }

    /// Whether nothing waits to flow.
    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    fn part(&mut self) -> Bytes {
        let part = self.rest.split_to(self.rest.len().min(self.part_bytes));
        self.flowed(part.len());
        part
    }

    /// Counts bytes that have flowed, and holds back what follows if that was too fast.
    pub(crate) fn flowed(&mut self, bytes: usize) {
        let now_ns = self.core.clock.at(Instant::now()).steady_ns;
        let flows = self.flows.iter();
        let waits = flows.map(|flow| flow.passed(bytes as u64, now_ns));
        let wait = waits.max().unwrap_or(0);
        if wait > 0 {
            self.deadline.arm(Duration::from_nanos(wait));
            self.is_held = true;
        }
    }
}
