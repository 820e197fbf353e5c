//! What is noted of a call on its way, for whoever asks about it afterwards: numbers and ids, nothing that would
//! have to be made for it.
//!
//! Its memory goes from call to call ([`Recent`](crate::recent::Recent)). What cannot be told in numbers is noted
//! only of calls that carry a debug token ([`Full`]).

use std::rc::Rc;
use std::time::Instant;

use domain::debug::Claims;
use domain::id::{PolicyId, RouteId, TargetId, UpstreamId};
use domain::recent::{CallFallback, Candidate, TryOutcome, TryReason};
use domain::{Name, recent};
use policy::{Counted, Limits, Place};
use routing::Miss;

use crate::compile::Chain;
use crate::metrics::NO_ROUTE;
use crate::split::Took;
use crate::traces::span::Begun;

/// Routes without success that are noted of a call; of further ones, only how many.
const MISSES_MAX: usize = 4;
/// The same of a call with a debug token.
const MISSES_FULL_MAX: usize = 1000;
/// Tries that are noted of a call.
const TRIES_MAX: usize = 32;
/// Policies that are noted of a call.
const KINDS_MAX: usize = 15;
/// A time that did not come.
const NEVER: u32 = u32::MAX;

/// What is noted of a call.
#[derive(Debug)]
pub(crate) struct Course {
    /// The call as it is recorded; there once it has ended.
    pub(crate) call: Option<events::Call>,
    began: Instant,
    /// Whether times are worth a look at the clock.
    is_timed: bool,
    /// Of the request's id, as the client was told it.
    pub(crate) id_hash: u64,
    /// The snapshot's.
    pub(crate) revision: u64,
    pub(crate) route: Option<RouteId>,
    /// The route's place among those with figures of their own.
    pub(crate) series: u32,
    /// The variant that it got.
    pub(crate) took: Option<Took>,
    missed: u32,
    misses: [(u32, Miss); MISSES_MAX],
    pub(crate) kinds: Kinds,
    pub(crate) ended: Ended,
    limits: [Counted; Limits::MAX],
    limits_count: u8,
    pub(crate) delay_us: u32,
    pub(crate) upstream: Option<UpstreamId>,
    pub(crate) algorithm: &'static str,
    /// What was answered in the upstream's place, and how old it is.
    pub(crate) fallback: Option<(CallFallback, Option<u32>)>,
    decided_us: u32,
    first: Option<Try>,
    more: Vec<Try>,
    pub(crate) full: Option<Box<Full>>,
    /// What its span begins with, if the call is traced.
    pub(crate) span: Option<Box<Begun>>,
}

/// What is noted besides of a call that carries a debug token.
#[derive(Debug)]
pub(crate) struct Full {
    pub(crate) claims: Claims,
    pub(crate) path: String,
    pub(crate) misses: Vec<(u32, Miss)>,
    pub(crate) steps: Vec<recent::CallStep>,
    /// Of the split.
    pub(crate) shares: Vec<String>,
    pub(crate) candidates: Vec<Candidate>,
}

/// Where the policies of a call came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Ended {
    /// They were not asked.
    #[default]
    NotAsked,
    Passed,
    /// The policy at this place ended the call.
    Policy(u8),
    PlanRate,
    PlanQuota,
}

/// The kinds of a chain's policies, as places in [`policy::kinds`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Kinds {
    count: u8,
    decide_from: u8,
    places: [u8; KINDS_MAX],
}

impl Kinds {
    /// Of policies in the order they run; those from `decide_from` on know the caller.
    pub(crate) fn of(steps: &[Step], decide_from: usize) -> Self {
        let mut kinds = Self {
            count: u8::try_from(steps.len().min(KINDS_MAX)).unwrap_or(0),
            decide_from: u8::try_from(decide_from).unwrap_or(u8::MAX),
            places: [0; KINDS_MAX],
        };
        for (place, step) in kinds.places.iter_mut().zip(steps) {
            let kind = policy::kinds().iter().position(|kind| kind.name == step.kind);
            *place = kind.and_then(|kind| u8::try_from(kind).ok()).unwrap_or(u8::MAX);
        }
        kinds
    }

    /// Their names in the order they run.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        let places = self.places[..usize::from(self.count)].to_vec();
        places.into_iter().map(|place| {
            policy::kinds()
                .get(usize::from(place))
                .map_or("", |kind| kind.name)
        })
    }

    pub(crate) fn decide_from(&self) -> usize {
        usize::from(self.decide_from)
    }
}

/// What a policy of a chain is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) kind: &'static str,
    /// Absent for one that every route has.
    pub(crate) policy: Option<PolicyId>,
}

/// What a target is called, on this core.
#[derive(Debug)]
pub(crate) struct Label {
    /// Of the configured target that it is or stands for.
    pub(crate) id: TargetId,
    pub(crate) url: String,
    pub(crate) zone: Option<Name>,
}

/// One time that a call is sent.
#[derive(Debug, Clone)]
pub(crate) struct Try {
    pub(crate) target: Rc<Label>,
    pub(crate) reason: TryReason,
    pub(crate) is_reused: bool,
    pub(crate) outcome: TryOutcome,
    /// 0 without an answer.
    pub(crate) status: u16,
    began_us: u32,
    sent_us: u32,
    ended_us: u32,
    /// Its span; 0 if the call is not traced.
    pub(crate) span: u64,
}

impl Try {
    pub(crate) fn told(&self) -> recent::CallTry {
        recent::CallTry {
            target: self.target.url.clone(),
            zone: self.target.zone.clone(),
            reason: self.reason,
            is_reused: self.is_reused,
            outcome: self.outcome,
            status: (self.status != 0).then_some(self.status),
            began_us: self.began_us,
            sent_us: said(self.sent_us),
            ended_us: said(self.ended_us),
        }
    }
}

const fn said(micros: u32) -> Option<u32> {
    if micros == NEVER { None } else { Some(micros) }
}

impl Course {
    pub(crate) fn new() -> Self {
        Self {
            call: None,
            began: Instant::now(),
            is_timed: false,
            id_hash: 0,
            revision: 0,
            route: None,
            series: NO_ROUTE,
            took: None,
            missed: 0,
            misses: [(0, Miss::Path); MISSES_MAX],
            kinds: Kinds::default(),
            ended: Ended::NotAsked,
            limits: [Counted::default(); Limits::MAX],
            limits_count: 0,
            delay_us: 0,
            upstream: None,
            algorithm: "",
            fallback: None,
            decided_us: NEVER,
            first: None,
            more: Vec::new(),
            full: None,
            span: None,
        }
    }

    /// Forgets the call before; lists are overwritten as far as they are needed.
    pub(crate) fn begin(&mut self, began: Instant, is_timed: bool) {
        self.call = None;
        self.began = began;
        self.is_timed = is_timed;
        self.id_hash = 0;
        self.revision = 0;
        self.route = None;
        self.series = NO_ROUTE;
        self.took = None;
        self.span = None;
        self.missed = 0;
        self.ended = Ended::NotAsked;
        self.limits_count = 0;
        self.delay_us = 0;
        self.upstream = None;
        self.fallback = None;
        self.decided_us = NEVER;
        self.first = None;
        self.more.clear();
        self.full = None;
    }

    /// When the head of the request was there.
    pub(crate) const fn began(&self) -> Instant {
        self.began
    }

    pub(crate) const fn is_timed(&self) -> bool {
        self.is_timed
    }

    /// Begins the call's span; then times are wanted.
    pub(crate) fn traced(&mut self, begun: Begun) {
        self.span = Some(Box::new(begun));
        self.is_timed = true;
    }

    /// Gives the call's span up.
    pub(crate) fn untraced(&mut self) {
        self.span = None;
    }

    /// Notes a route that the request does not fit.
    pub(crate) fn missed(&mut self, route: usize, miss: Miss) {
        let route = u32::try_from(route).unwrap_or(u32::MAX);
        if let Some(place) = self.misses.get_mut(self.missed as usize) {
            *place = (route, miss);
        }
        if let Some(full) = &mut self.full
            && full.misses.len() < MISSES_FULL_MAX
        {
            full.misses.push((route, miss));
        }
        self.missed = self.missed.saturating_add(1);
    }

    /// Notes which route takes the call; a debug token for others is worth nothing here.
    pub(crate) fn routed(&mut self, revision: u64, place: &Place, series: u32) {
        (self.revision, self.route, self.series) = (revision, Some(place.route), series);
        let is_for = |claims: &Claims| {
            claims.organization == place.organization && claims.route.is_none_or(|only| only == place.route)
        };
        if self.full.as_ref().is_some_and(|full| !is_for(&full.claims)) {
            self.full = None;
        }
    }

    /// Notes which policies decide about the call.
    pub(crate) const fn judged_by(&mut self, chain: &Chain) {
        self.kinds = chain.kinds;
        self.ended = Ended::Passed;
    }

    /// Notes what limits found.
    pub(crate) fn counted(&mut self, limits: &Limits<'_>) {
        for (place, counted) in self.limits.iter_mut().zip(limits.counted()) {
            *place = counted;
            self.limits_count += 1;
        }
    }

    /// Notes that a connection is looked for, or that there was an idle one; the place of this try.
    pub(crate) fn tries(
        &mut self,
        target: &Rc<Label>,
        (reason, is_reused): (TryReason, bool),
        (at, span): (Instant, u64),
    ) -> usize {
        let at_us = self.micros(at);
        if self.decided_us == NEVER {
            self.decided_us = at_us;
        }
        let new = Try {
            target: Rc::clone(target),
            reason,
            is_reused,
            outcome: TryOutcome::Abandoned,
            status: 0,
            began_us: at_us,
            sent_us: if is_reused { at_us } else { NEVER },
            ended_us: NEVER,
            span,
        };
        if self.first.is_none() {
            self.first = Some(new);
            return 0;
        }
        if self.more.len() < TRIES_MAX {
            self.more.push(new);
        }
        self.more.len()
    }

    /// Notes that all policies have decided, where there is something to wait for before a connection.
    pub(crate) fn decided(&mut self) {
        if self.is_timed && self.decided_us == NEVER {
            self.decided_us = self.micros(Instant::now());
        }
    }

    pub(crate) fn sent(&mut self, place: usize, at: Instant) {
        let at_us = self.micros(at);
        if let Some(one) = self.at(place) {
            one.sent_us = at_us;
        }
    }

    pub(crate) fn tried(&mut self, place: usize, outcome: TryOutcome, (status, at): (u16, Instant)) {
        let at_us = self.micros(at);
        if let Some(one) = self.at(place) {
            (one.outcome, one.status, one.ended_us) = (outcome, status, at_us);
        }
    }

    fn at(&mut self, place: usize) -> Option<&mut Try> {
        match place.checked_sub(1) {
            None => self.first.as_mut(),
            Some(place) => self.more.get_mut(place),
        }
    }

    fn micros(&self, at: Instant) -> u32 {
        let since = at.saturating_duration_since(self.began);
        u32::try_from(since.as_micros()).map_or(NEVER - 1, |micros| micros.min(NEVER - 1))
    }

    /// Routes that did not fit, by their places in the snapshot, as far as they were noted; and how many there were.
    pub(crate) fn misses(&self) -> (&[(u32, Miss)], u32) {
        let noted = self
            .full
            .as_ref()
            .map_or(&self.misses[..MISSES_MAX.min(self.missed as usize)], |full| {
                &full.misses
            });
        (noted, self.missed)
    }

    pub(crate) fn limits(&self) -> &[Counted] {
        &self.limits[..usize::from(self.limits_count)]
    }

    /// Every time it was sent, in order.
    pub(crate) fn sends(&self) -> impl Iterator<Item = &Try> {
        self.first.iter().chain(&self.more)
    }

    /// When what happened, as `Server-Timing` says it: in milliseconds since the head of the request.
    pub(crate) fn server_timing(&self) -> String {
        let timing = self.timing(0);
        let parts = [
            ("gateway-decided", timing.decided_us),
            ("gateway-sent", timing.sent_us),
            ("gateway-first-byte", timing.first_byte_us),
            ("gateway-answered", Some(self.micros(Instant::now()))),
        ];
        let parts = parts.into_iter().filter_map(|(name, micros)| {
            let micros = micros?;
            Some(format!("{name};dur={}.{:03}", micros / 1000, micros % 1000))
        });
        parts.collect::<Vec<_>>().join(", ")
    }

    /// The target whose answer it was, or else the one that was tried last.
    pub(crate) fn target(&self) -> Option<TargetId> {
        Some(self.answered().or_else(|| self.sends().last())?.target.id)
    }

    /// The try that brought the answer: a status that was worth another try is one, too, so the last one counts.
    fn answered(&self) -> Option<&Try> {
        self.sends()
            .filter(|one| one.outcome == TryOutcome::Answered)
            .last()
    }

    /// When what happened; the times of the answer are those of the try that brought it.
    pub(crate) fn timing(&self, ended_us: u64) -> recent::CallTiming {
        let answered = self.answered();
        recent::CallTiming {
            decided_us: said(self.decided_us),
            sent_us: answered.and_then(|one| said(one.sent_us)),
            first_byte_us: answered.and_then(|one| said(one.ended_us)),
            ended_us,
        }
    }
}
