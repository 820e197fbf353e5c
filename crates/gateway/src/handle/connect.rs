//! The way of a request that asks for a tunnel (`CONNECT`): RFC 9110 section 9.3.6, RFC 9113 section 8.5, RFC 9114
//! section 4.4.
//!
//! A route that opens tunnels joins its clients with a target of its upstream. What they name decides which route that
//! is, never where the tunnel leads.

use std::rc::Rc;
use std::time::Duration;

use domain::catalog::Stage;
use flags::Asking;
use http::{Response, StatusCode};
use policy::Moment;

use super::judge::{Said, judge};
use super::pages::before_routing;
use super::way::{Way, asked, way};
use super::{Context, Request, exposing};
use crate::balance::Balancer;
use crate::body::AnswerBody;
use crate::conn::Conn;
use crate::core::Installed;
use crate::ease::{brakes, ease};
use crate::forward;
use crate::place;
use crate::reach::{self, Reached, Wanted};
use crate::refusal::Cause;
use crate::ticket::Ticket;

/// Opens a tunnel; whoever writes the answer passes the bytes.
pub(super) async fn connect<'a>(
    conn: &Rc<Conn>,
    installed: Option<&'a Installed>,
    context: &mut Context<'a>,
    (ticket, moment): (&mut Ticket, Moment),
    request: &mut Request,
) -> Result<Response<AnswerBody>, Cause> {
    let core = conn.core();
    let arrived_ms = core.deadlines.now_ms();
    let Request {
        method, uri, headers, ..
    } = request;
    if uri.scheme().is_some() {
        // What `:protocol` names is not spoken here.
        return Err(refused("Tunnels are opened by plain `CONNECT`."));
    }

    // 1. Where it goes: a host and a port, and no body.
    let port = place::tunnel_port(uri, headers)?;
    let named = conn.named(uri, headers)?;
    let installed = installed.ok_or(Cause::NotReady)?;
    let compiled = &installed.compiled;
    before_routing(conn, &compiled.shelf, &named.name, "")?;
    let address = conn.client(headers);
    let facts = exposing::facts((&*method, &named), ("", ""), (address, moment));
    let flags = Asking::new(&compiled.flags.sets, facts);
    let (on, upstream, tunnel) = {
        let asked = asked((conn, &*method), &named, headers, &flags);
        let found = way((conn, (address, moment)), compiled, (context, ticket), &asked);
        exposing::tell(core, &flags, moment);
        match found {
            Ok(Way::Tunnel(on, upstream, tunnel)) => (on, upstream, tunnel),
            Ok(_) | Err(Cause::NoRoute { .. }) => {
                return Err(refused("No route opens tunnels to this host."));
            }
            Err(cause) => return Err(cause),
        }
    };
    if !tunnel.takes(port) {
        return Err(refused("The route opens tunnels to other ports."));
    }

    // 2. Whether its record will find a place, and whether the version is still served.
    ticket.reserve().map_err(|events::Overloaded| Cause::Overloaded)?;
    if on.route.stage == Stage::Retired {
        return Err(Cause::Retired {
            api: on.route.place.api_name.to_string(),
        });
    }

    // 3. Who calls, the plan's rate, the other policies, the quota.
    forward::clean_request(headers);
    let mut said = Said {
        method,
        headers,
        host: &named.name,
        path: "",
        query: "",
        from: (address, moment),
        flags: &flags,
    };
    let judged = judge(core, compiled, (context, ticket), &on, &mut said);
    exposing::tell(core, &flags, moment);
    let judged = judged.map_err(no_success)?;
    (ticket.up, ticket.down) = brakes(core, judged.flows);
    let balancer = &installed.balancers[upstream];
    let due_ms = balancer.upstream().due_ms(arrived_ms);
    if !judged.eased.is_nothing() {
        ease(core, judged.eased, core.deadlines.left(due_ms), (headers, ticket)).await;
    }
    ticket.counted(judged.units);

    // 4. To the upstream.
    let rules = &balancer.upstream().rules;
    let application = judged.consumer.map(|consumer| consumer.application.id);
    let share = compiled.share(upstream, on.route.importance);
    let wanted = Wanted::by_call(rules.key(headers, address, application), share);
    let reached = reach(conn, balancer, (wanted, due_ms), ticket).await?;
    let pause = Duration::from_millis(u64::from(tunnel.idle_ms));
    let mut response = Response::new(AnswerBody::joined(reached, core.deadlines.deadline(), pause));
    *response.status_mut() = StatusCode::OK;
    Ok(response)
}

const fn refused(detail: &'static str) -> Cause {
    Cause::Connect { detail }
}

/// An answer of a policy that says that all is well would be taken for a tunnel.
fn no_success(cause: Cause) -> Cause {
    match cause {
        Cause::Reply(reply) if reply.status.is_success() => {
            refused("A policy answers for the service behind.")
        }
        other => other,
    }
}

/// Reaches a target as long as all of it may take.
async fn reach(
    conn: &Conn,
    balancer: &Balancer,
    (wanted, due_ms): (Wanted, Option<u64>),
    ticket: &mut Ticket,
) -> Result<Reached, Cause> {
    let upstream = balancer.upstream();
    {
        let course = ticket.course();
        course.upstream = Some(upstream.id);
        course.algorithm = balancer.algorithm();
    }
    let opening = reach::open(conn, balancer, wanted);
    let deadlines = &conn.core().deadlines;
    let reached = match deadlines.left(due_ms) {
        None => opening.await,
        Some(Duration::ZERO) => Err(reach::Unreachable::Late),
        Some(left) => {
            let deadline = deadlines.deadline();
            deadline.arm(left);
            deadline
                .bound(opening)
                .await
                .unwrap_or(Err(reach::Unreachable::Late))
        }
    };
    reached.map_err(|why| {
        conn.core().figures.upstream_errors.add(1);
        why.into()
    })
}
