//! Where a request goes: the operation it is for and the upstream that serves it, or the route's own answer.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use domain::routing::Connect;
use flags::Asking;
use http::header::{ACCESS_CONTROL_REQUEST_METHOD, CONTENT_LENGTH, LOCATION};
use http::{HeaderMap, HeaderValue, Method, Response};
use policy::{Consumer, Moment};
use routing::{Miss, Rewriting, Unit};

use super::Context;
use super::pages::own_page;
use super::questions::Topic;
use crate::body::AnswerBody;
use crate::compile::{Action, Chain, Compiled, Matched, Operation, Route, To};
use crate::conn::Conn;
use crate::core::Core;
use crate::named::Named;
use crate::place;
use crate::refusal::Cause;
use crate::ticket::Ticket;

/// What of a request decides where it goes.
pub(super) fn asked<'a>(
    (conn, method): (&'a Conn, &'a Method),
    named: &'a Named,
    headers: &'a HeaderMap,
    flags: &'a Asking<'_>,
) -> routing::Request<'a> {
    let facts = flags.facts();
    routing::Request {
        method,
        host: &named.name,
        authority: named.header.as_bytes(),
        path: facts.path,
        query: facts.query,
        headers,
        certificate: conn.client_certificate().map(|shown| &shown.facts),
        flags: Some(flags),
    }
}

/// Where a request goes on.
pub(super) enum Way<'a> {
    /// To an upstream.
    On(On<'a>, &'a To),
    /// To the upstream in this place, as bytes.
    Tunnel(On<'a>, usize, &'a Connect),
    /// Nowhere: this is the answer.
    Answered(Box<Response<AnswerBody>>),
    /// Nowhere: it asks about feature flags, or records events.
    Asked,
}

/// The way to an upstream.
pub(super) struct On<'a> {
    pub(super) route: &'a Route,
    /// The policies that run.
    pub(super) chain: &'a Chain,
    /// The template of the operation's path; empty if there is no operation.
    pub(super) template: &'a str,
    pub(super) rewriting: Option<&'a Rewriting>,
    /// Where the path goes on after the base path.
    pub(super) rest: usize,
}

impl On<'_> {
    /// The place of the upstream, once it is known who calls.
    pub(super) fn upstream(
        to: &To,
        core: &Core,
        (headers, address, consumer): (&HeaderMap, IpAddr, Option<Consumer<'_>>),
        (context, ticket): (&mut Context<'_>, &mut Ticket),
    ) -> usize {
        match to {
            To::One(upstream) => *upstream,
            To::Split(split) => {
                let unit = Unit {
                    headers,
                    address,
                    application: consumer.map(|consumer| consumer.application.id),
                    subscription: consumer.map(|consumer| consumer.subscription.id),
                };
                let (took, sided) = split.choose(&unit, &core.ids);
                context.sided = sided;
                if let Some(full) = &mut ticket.course().full {
                    full.shares = split.splitting.details(headers);
                }
                let upstream = took.side.upstream;
                ticket.sided(took);
                upstream
            }
        }
    }

    /// The path for the upstream, if it is not what follows the base path.
    pub(super) fn path(&self, path: &str) -> Result<Option<String>, Cause> {
        let Some(rewriting) = self.rewriting else {
            return Ok(None);
        };
        let rewritten = rewriting.path(path, self.rest, self.template);
        // Parts that mean nothing each may make a dot segment together.
        rewritten.as_deref().map_or(Ok(()), place::check_path)?;
        Ok(rewritten)
    }
}

/// Finds the operation of a request, or why there is none; a node that takes no more calls says so instead.
pub(super) fn way<'a>(
    (conn, (address, moment)): (&Conn, (IpAddr, Moment)),
    compiled: &'a Compiled,
    (context, ticket): (&mut Context<'a>, &mut Ticket),
    asked: &routing::Request<'_>,
) -> Result<Way<'a>, Cause> {
    let matched = match conn.is_for_flags() {
        true => Matched::NoRoute,
        false => find(conn, compiled, ticket, asked),
    };
    if matches!(matched, Matched::NoRoute)
        && let Some(page) = own_page(conn, asked.path, ticket.course())
    {
        return Ok(Way::Answered(Box::new(page)));
    }
    if let Some(gate) = &conn.core().node.gate {
        let share = compiled.own_share(&matched);
        gate.admit((address, share), moment, &mut ticket.holds)
            .map_err(Cause::Policy)?;
    }
    match matched {
        Matched::Operation {
            route,
            operation,
            rest,
        } => {
            let route = &compiled.routes[route];
            context.route = Some(route);
            context.chain = Some(&operation.chain);
            ticket.matched(compiled.revision, route, Some(operation.id));
            if let Some(span) = &mut ticket.course().span {
                let base_path = routing::normal(&asked.path[..rest]);
                span.route = Some(format!("{base_path}{}", operation.template));
                span.client = Some(address);
            }
            Ok(on(route, operation, rest))
        }
        Matched::Tunnel { route } => {
            let route = &compiled.routes[route];
            context.route = Some(route);
            context.chain = Some(&route.chain);
            ticket.matched(compiled.revision, route, None);
            if let Some(span) = &mut ticket.course().span {
                span.client = Some(address);
            }
            Ok(tunnel(route))
        }
        Matched::Answered { route, rest } => {
            let route = &compiled.routes[route];
            ticket.matched(compiled.revision, route, None);
            let _ = ticket.reserve();
            let response = answered(conn, &route.action, (asked, rest))?;
            Ok(Way::Answered(Box::new(response)))
        }
        Matched::NoRoute if is_about_flags(conn, asked.path) => Ok(Way::Asked),
        Matched::NoRoute => Err(nowhere(ticket, asked)),
        Matched::NoOperation { route } => {
            let route = &compiled.routes[route];
            miss(context, ticket, (compiled.revision, route));
            Err(Cause::NoOperation {
                api: route.place.api_name.to_string(),
            })
        }
        Matched::OtherMethods { route, rest, allow } => {
            let route = &compiled.routes[route];
            miss(context, ticket, (compiled.revision, route));
            if *asked.method == Method::OPTIONS {
                preflight(context, asked.headers, &allow, |wanted| {
                    let operation = route.operations.find(wanted, &asked.path[rest..]);
                    operation.map(|operation| &operation.chain)
                })?;
            }
            Err(Cause::OtherMethods { allow })
        }
    }
}

/// Whether it is a question about flags, or events to record, and is answered here.
fn is_about_flags(conn: &Conn, path: &str) -> bool {
    (conn.core().settings.flags || conn.is_for_flags()) && Topic::of(path).is_some()
}

/// The way of a request that is for an operation; `rest` is where its path goes on.
fn on<'a>(route: &'a Route, operation: &'a Operation, rest: usize) -> Way<'a> {
    let Action::Forward(to, rewriting) = &route.action else {
        unreachable!("only what is forwarded has operations");
    };
    let on = On {
        route,
        chain: &operation.chain,
        template: &operation.template,
        rewriting: rewriting.as_deref(),
        rest,
    };
    Way::On(on, to)
}

/// The way of a request that a route of tunnels has taken.
fn tunnel(route: &Route) -> Way<'_> {
    let Action::Tunnel(upstream, connect) = &route.action else {
        unreachable!("it opens tunnels");
    };
    let on = On {
        route,
        chain: &route.chain,
        template: "",
        rewriting: None,
        rest: 0,
    };
    Way::Tunnel(on, *upstream, connect)
}

/// Notes that a request reached no route.
fn nowhere(ticket: &mut Ticket, asked: &routing::Request<'_>) -> Cause {
    let _ = ticket.reserve();
    Cause::NoRoute {
        host: asked.host.to_owned(),
    }
}

/// Finds the route and the operation, and notes the routes that do not fit.
fn find<'a>(
    conn: &Conn,
    compiled: &'a Compiled,
    ticket: &mut Ticket,
    asked: &routing::Request<'_>,
) -> Matched<'a> {
    compiled.find(asked, |route, miss| {
        if miss == Miss::WhenFailed {
            conn.core().figures.expression_errors.add(1);
        }
        ticket.course().missed(route, miss);
    })
}

/// The answer of a route that does not forward.
fn answered(
    conn: &Conn,
    action: &Action,
    (asked, rest): (&routing::Request<'_>, usize),
) -> Result<Response<AnswerBody>, Cause> {
    let (status, headers, body) = match action {
        Action::Redirect(redirection) => {
            let location = redirection.location(asked, rest, conn.scheme());
            let location = location.ok_or(Cause::Target("The path cannot be sent back."))?;
            let headers = [
                (LOCATION, location),
                (CONTENT_LENGTH, HeaderValue::from_static("0")),
            ];
            (redirection.status, headers.into_iter().collect(), Bytes::new())
        }
        Action::Answer(answer) => (answer.status, answer.headers.clone(), answer.body.clone()),
        Action::Forward(..) | Action::Tunnel(..) => unreachable!("forwarded"),
    };
    let is_head = *asked.method == Method::HEAD;
    let mut response = Response::new(AnswerBody::own(if is_head { Bytes::new() } else { body }));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}

/// Notes a request that reached an API but none of its operations.
fn miss<'a>(context: &mut Context<'a>, ticket: &mut Ticket, (revision, route): (u64, &'a Route)) {
    context.route = Some(route);
    context.chain = Some(&route.chain);
    ticket.matched(revision, route, None);
    // A record of it is worth having, but nothing that has to be kept.
    let _ = ticket.reserve();
}

/// Answers a CORS preflight by the policies of the operation that is asked for.
fn preflight<'a>(
    context: &mut Context<'a>,
    headers: &HeaderMap,
    allow: &str,
    find: impl FnOnce(&Method) -> Option<&'a Arc<Chain>>,
) -> Result<(), Cause> {
    let wanted = headers
        .get(ACCESS_CONTROL_REQUEST_METHOD)
        .and_then(|value| Method::from_bytes(value.as_bytes()).ok());
    let Some(chain) = wanted.as_ref().and_then(find) else {
        return Ok(());
    };
    match chain
        .policies
        .iter()
        .find_map(|policy| policy.preflight(headers, allow))
    {
        // The reply has everything; what policies add to other answers does not belong here.
        Some(reply) => {
            context.chain = None;
            Err(Cause::Reply(Box::new(reply)))
        }
        None => Ok(()),
    }
}
