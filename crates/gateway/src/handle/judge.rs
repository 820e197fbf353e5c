//! Whether a request may go on: who calls, the plan's rate, the other policies, the quota.

use std::net::IpAddr;

use flags::Ask;
use http::{HeaderMap, Method};
use policy::builtin::bandwidth_limit::Flow;
use policy::{Call, Consumer, Cost, Effects, Limits, Moment, Verdict};

use super::Context;
use super::way::On;
use crate::compile::{Chain, Compiled};
use crate::core::Core;
use crate::course::Ended;
use crate::ease::Eased;
use crate::refusal::Cause;
use crate::ticket::Ticket;
use crate::watch::Before;

/// Places of what is asked besides a chain's policies.
const PLAN_RATE: usize = usize::MAX;
const PLAN_QUOTA: usize = usize::MAX - 1;

/// What a request says to the policies.
pub(super) struct Said<'h> {
    pub(super) method: &'h Method,
    pub(super) headers: &'h mut HeaderMap,
    pub(super) host: &'h str,
    /// Below the route.
    pub(super) path: &'h str,
    pub(super) query: &'h str,
    pub(super) from: (IpAddr, Moment),
    pub(super) flags: &'h dyn Ask,
}

/// What the policies say to a request that may go on.
pub(super) struct Judged<'a> {
    pub(super) consumer: Option<Consumer<'a>>,
    pub(super) units: u32,
    pub(super) eased: Eased,
    pub(super) flows: Vec<Flow>,
}

/// Asks who calls, the plan's rate, the other policies, the quota.
pub(super) fn judge<'a>(
    core: &Core,
    compiled: &'a Compiled,
    (context, ticket): (&mut Context<'a>, &mut Ticket),
    on: &On<'a>,
    said: &mut Said<'_>,
) -> Result<Judged<'a>, Cause> {
    let (address, moment) = said.from;
    let mut call = Call {
        method: said.method,
        headers: &mut *said.headers,
        host: said.host,
        path: said.path,
        query: said.query,
        template: on.template,
        address,
        moment,
        standing: core.node.standing(),
        place: &on.route.place,
        directory: &compiled.directory,
        consumer: None,
        flags: Some(said.flags),
        limits: Limits::default(),
        cost: Cost::default(),
        effects: Effects::default(),
    };
    let decided = decide(on.chain, &mut call, ticket);
    let course = ticket.course();
    course.counted(&call.limits);
    course.delay_us = u32::try_from(call.effects.delay_ns / 1000).unwrap_or(u32::MAX);
    context.limits = call.limits.fields(&mut core.scratch.borrow_mut());
    context.over = call.limits.over();
    let (consumer, units, effects) = (call.consumer, call.units(), call.effects);
    context.later = effects.later;
    context.answers = effects.answers;
    ticket.holds.append(effects.holds);
    decided?;
    Ok(Judged {
        consumer,
        units,
        eased: Eased {
            delay_ns: effects.delay_ns,
            degraded: effects.degraded,
            is_warned: effects.is_warned,
        },
        flows: effects.flows,
    })
}

/// Runs the policies, with the plan's rate between those that find out who calls and the others.
///
/// The quota comes last, so that calls that are refused for another reason do not use it up.
fn decide<'a>(chain: &'a Chain, call: &mut Call<'a, '_>, ticket: &mut Ticket) -> Result<(), Cause> {
    ticket.course().judged_by(chain);
    let (first, then) = chain.policies.split_at(chain.decide_from);
    for (place, policy) in first.iter().enumerate() {
        let verdict = ask(call, ticket, (chain, place), |call| policy.request(call));
        proceed(verdict, ticket, place)?;
    }
    let consumer = call.consumer;
    if let Some(consumer) = &consumer {
        ticket.called_by(consumer);
        let verdict = ask(call, ticket, (chain, PLAN_RATE), |call| {
            consumer.subscription.admit_rate(call)
        });
        proceed(verdict, ticket, PLAN_RATE)?;
    }
    for (place, policy) in (chain.decide_from..).zip(then) {
        let verdict = ask(call, ticket, (chain, place), |call| policy.request(call));
        proceed(verdict, ticket, place)?;
    }
    let Some(consumer) = consumer else { return Ok(()) };
    let verdict = ask(call, ticket, (chain, PLAN_QUOTA), |call| {
        consumer.subscription.admit_quota(call)
    });
    proceed(verdict, ticket, PLAN_QUOTA)
}

/// Asks one of those who decide; what a call with a debug token is told is noted.
fn ask<'a, 'h>(
    call: &mut Call<'a, 'h>,
    ticket: &mut Ticket,
    (chain, place): (&Chain, usize),
    decide: impl FnOnce(&mut Call<'a, 'h>) -> Verdict,
) -> Verdict {
    if ticket.course().full.is_none() {
        return decide(call);
    }
    let before = Before::of(call);
    let verdict = decide(call);
    let step = match place {
        PLAN_RATE => before.step(("plan_rate", None), call, &verdict),
        PLAN_QUOTA => before.step(("plan_quota", None), call, &verdict),
        place => before.step(
            (chain.steps[place].kind, chain.steps[place].policy),
            call,
            &verdict,
        ),
    };
    if let Some(full) = &mut ticket.course().full {
        full.steps.push(step);
    }
    verdict
}

fn proceed(verdict: Verdict, ticket: &mut Ticket, place: usize) -> Result<(), Cause> {
    let cause = match verdict {
        Verdict::Continue => return Ok(()),
        Verdict::Refuse(refusal) => Cause::Policy(refusal),
        Verdict::Answer(reply) => Cause::Reply(reply),
    };
    ticket.course().ended = match place {
        PLAN_RATE => Ended::PlanRate,
        PLAN_QUOTA => Ended::PlanQuota,
        place => Ended::Policy(u8::try_from(place).unwrap_or(u8::MAX)),
    };
    Err(cause)
}
