//! What the decisions about a call leave behind, besides whether it passes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use domain::limit::Mode;
use flags::Outside;
use http::StatusCode;

use crate::Policy;
use crate::ask::Ask;
use crate::builtin::bandwidth_limit::Flow;
use crate::builtin::rate_limit::RateLimit;
use crate::call::Moment;
use crate::cells::{Cells, Slot};
use crate::directory::Counted;

/// What has to be done for a call that passes, and what has to be counted when it is answered.
#[derive(Debug, Default)]
pub struct Effects<'a> {
    /// How long the call is held back, in nanoseconds.
    pub delay_ns: u64,
    /// The kind of the limit for whose sake the service behind should do less.
    pub degraded: Option<&'static str>,
    /// Whether the call was over a limit that only warns.
    pub is_warned: bool,
    /// Calls that are open while this is kept.
    pub holds: Holds,
    /// How fast the bodies may flow.
    pub flows: Vec<Flow>,
    /// What may have to be counted when the answer's status is known.
    pub later: Vec<Later<'a>>,
    /// Policies for an audience of which the call is, which change the answer as well.
    pub answers: Vec<&'a dyn Policy>,
    /// How many policies are for others than this call, and why the last of them is.
    pub passed_over: Option<(u32, Outside)>,
}

impl Effects<'_> {
    /// Notes that a policy is for others.
    pub(crate) fn passed_over(&mut self, outside: Outside) {
        let before = self.passed_over.map_or(0, |(count, _)| count);
        self.passed_over = Some((before + 1, outside));
    }

    /// Notes that a call is over a limit by the soft measure.
    pub(crate) fn over(&mut self, kind: &'static str, mode: Mode, delay_ns: u64) {
        match mode {
            Mode::Enforce => {}
            Mode::Warn => self.is_warned = true,
            Mode::SlowDown => self.delay_ns = self.delay_ns.max(delay_ns),
            Mode::Degrade => {
                self.degraded.get_or_insert(kind);
            }
        }
    }
}

/// A call that counts if its answer has certain statuses; until that is known, a limit holds its units.
///
/// One that is dropped without an answer counts: whoever goes away too early must not so get another try.
#[derive(Debug)]
pub struct Later<'a> {
    pub(crate) limit: &'a RateLimit,
    pub(crate) caller: u64,
    pub(crate) ask: Ask,
    /// What is held, in the limit's own measure.
    pub(crate) held: u64,
}

impl Later<'_> {
    /// Counts the call if the status of its answer is one of those that count.
    pub fn answered(mut self, status: StatusCode) {
        let does_count = self.limit.is_counted(status);
        self.settle(does_count);
    }

    fn settle(&mut self, does_count: bool) {
        let held = std::mem::take(&mut self.held);
        if held > 0 {
            self.limit.settle(self.caller, held, &self.ask, does_count);
        }
    }
}

impl Drop for Later<'_> {
    fn drop(&mut self) {
        self.settle(true);
    }
}

/// Calls that count as open; ends when it is dropped.
#[derive(Debug, Default)]
pub struct Holds {
    first: Option<Hold>,
    more: Vec<Hold>,
}

impl Holds {
    pub(crate) fn push(&mut self, hold: Hold) {
        match self.first {
            None => self.first = Some(hold),
            Some(_) => self.more.push(hold),
        }
    }

    /// Keeps what another one holds.
    pub fn append(&mut self, other: Self) {
        if let Some(first) = other.first {
            self.push(first);
        }
        other.more.into_iter().for_each(|hold| self.push(hold));
    }

    /// Whether nothing is held.
    pub const fn is_empty(&self) -> bool {
        self.first.is_none()
    }
}

/// One open call of a limit.
#[derive(Debug)]
pub(crate) enum Hold {
    Subscription(Counted),
    Caller(Arc<Cells<Open>>, usize),
    Node(Arc<Open>),
}

impl Drop for Hold {
    fn drop(&mut self) {
        match self {
            Self::Subscription(counters) => counters.open.end(),
            Self::Caller(cells, place) => cells.at(*place).end(),
            Self::Node(open) => open.end(),
        }
    }
}

/// How many calls are open.
#[derive(Debug, Default)]
pub(crate) struct Open(AtomicU32);

impl Open {
    /// Counts one more unless there are `most`; how many there are now.
    pub(crate) fn begin_one(&self, most: u32) -> Option<u32> {
        let next = |open: u32| (open < most).then_some(open + 1);
        let before = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        before.ok().map(|before| before + 1)
    }

    fn end(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Slot for Open {
    fn rank(&self) -> u64 {
        u64::from(self.0.load(Ordering::Relaxed))
    }

    // Whoever counted on this cell ends on it as well.
    fn begin(&self, _: Moment) {}

    fn is_held(&self) -> bool {
        self.rank() > 0
    }
}
