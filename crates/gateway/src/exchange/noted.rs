//! What is noted of an exchange's tries, and the clock that is looked at for it.

use std::time::Instant;

use domain::recent::{TryOutcome, TryReason};

use super::{Answered, Exchange, Failed};
use crate::balance::{Balancer, Choice};
use crate::recent::Notes;

/// Where tries are noted, and as what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Noting<'a> {
    pub(super) notes: &'a Notes,
    /// Where the current try is noted.
    place: usize,
    /// Why the next one is sent.
    pub(super) reason: TryReason,
}

impl<'a> Noting<'a> {
    /// Notes where a call goes.
    pub(super) fn begin(notes: &'a Notes, balancer: &Balancer) -> Self {
        let mut course = notes.borrow_mut();
        course.upstream = Some(balancer.upstream().id);
        course.algorithm = balancer.algorithm();
        if let Some(full) = &mut course.full {
            full.candidates = balancer.candidates();
        }
        Self {
            notes,
            place: 0,
            reason: TryReason::First,
        }
    }

    /// Of a second exchange beside the first one.
    pub(super) const fn hedge(self) -> Self {
        Self {
            reason: TryReason::Hedge,
            ..self
        }
    }
}

impl Exchange<'_> {
    /// The moment, if somebody wants to know it.
    fn look(&self) -> Option<Instant> {
        (self.upstream.measures || self.noting.notes.borrow().is_timed()).then(Instant::now)
    }

    /// Notes that a target is tried, over an idle connection or one that has to be opened.
    pub(super) fn begin_try(&mut self, choice: &Choice, is_reused: bool) -> Option<Instant> {
        let at = self.look()?;
        let Noting { notes, reason, .. } = self.noting;
        let mut course = notes.borrow_mut();
        if course.is_timed() {
            let mut span = 0;
            if let Some(begun) = &course.span {
                span = self.conn.core().ids.random().max(1);
                self.going.added.trace_as(begun.context.header(span));
            }
            self.noting.place = course.tries(&choice.label, (reason, is_reused), (at, span));
        }
        Some(at)
    }

    /// Notes that there is a connection now.
    pub(super) fn connected(&self) -> Option<Instant> {
        let at = self.look()?;
        self.noting.notes.borrow_mut().sent(self.noting.place, at);
        Some(at)
    }

    /// Notes that there is none.
    pub(super) fn unconnected(&mut self, outcome: TryOutcome) {
        if let Some(at) = self.look() {
            let Noting { notes, place, .. } = self.noting;
            notes.borrow_mut().tried(place, outcome, (0, at));
        }
        self.noting.reason = TryReason::Unreachable;
    }

    /// Notes how a try ended; when that was, if somebody wants to know it.
    pub(super) fn ended(&mut self, sent: &Result<Answered, Failed>) -> Option<Instant> {
        let at = self.look();
        if let Some(at) = at {
            let (outcome, status) = match sent {
                Ok(answered) => (TryOutcome::Answered, answered.status.as_u16()),
                Err(failed) => (failed.cause.outcome(), 0),
            };
            let Noting { notes, place, .. } = self.noting;
            notes.borrow_mut().tried(place, outcome, (status, at));
        }
        self.noting.reason = TryReason::Retry;
        at
    }
}
