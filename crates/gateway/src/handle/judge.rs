//! Whether a request may go on: who calls, the plan's rate, the other policies, the quota.

use std::net::IpAddr;

use http::{HeaderMap, Method};
use policy::builtin::bandwidth_limit::Flow;
use policy::{Call, Consumer, Cost, Effects, Limits, Moment, Verdict};

use super::Context;
use super::way::On;
use crate::compile::{Chain, Compiled};
use crate::core::Core;
use crate::ease::Eased;
use crate::refusal::Cause;
use crate::ticket::Ticket;

/// What a request says to the policies.
pub(super) struct Said<'h> {
    pub(super) method: &'h Method,
    pub(super) headers: &'h mut HeaderMap,
    pub(super) host: &'h str,
    /// Below the route.
    pub(super) path: &'h str,
    pub(super) query: &'h str,
    pub(super) from: (IpAddr, Moment),
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
        template: &on.operation.template,
        address,
        moment,
        standing: core.node.standing(),
        place: &on.route.place,
        directory: &compiled.directory,
        consumer: None,
        limits: Limits::default(),
        cost: Cost::default(),
        effects: Effects::default(),
    };
    let decided = decide(&on.operation.chain, &mut call, ticket);
    context.limits = call.limits.fields(&mut core.scratch.borrow_mut());
    context.over = call.limits.over();
    let (consumer, units, effects) = (call.consumer, call.units(), call.effects);
    context.later = effects.later;
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
    let (first, then) = chain.policies.split_at(chain.decide_from);
    for policy in first {
        proceed(policy.request(call))?;
    }
    let consumer = call.consumer;
    if let Some(consumer) = &consumer {
        ticket.called_by(consumer);
        proceed(consumer.subscription.admit_rate(call))?;
    }
    for policy in then {
        proceed(policy.request(call))?;
    }
    match consumer {
        Some(consumer) => proceed(consumer.subscription.admit_quota(call)),
        None => Ok(()),
    }
}

fn proceed(verdict: Verdict) -> Result<(), Cause> {
    match verdict {
        Verdict::Continue => Ok(()),
        Verdict::Refuse(refusal) => Err(Cause::Policy(refusal)),
        Verdict::Answer(reply) => Err(Cause::Reply(reply)),
    }
}
