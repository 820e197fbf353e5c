//! What is kept of a sampled request, and the spans that are made of it when it has ended.
//!
//! Attributes are those of OpenTelemetry's stable conventions for HTTP spans; what is ours begins with `gateline.`.

use std::net::IpAddr;

use domain::recent::{TryOutcome, TryReason, VariantReason};
use http::{HeaderMap, Method, Version, header};

use super::context::Context;
use super::wire::{Attributes, Kind, Span};
use crate::course::Course;

/// The longest text that a client can put into an attribute.
const TEXT_BYTES_MAX: usize = 1024;

/// What is kept of a request while it is served.
#[derive(Debug, Clone)]
pub(crate) struct Begun {
    pub(crate) context: Context,
    method: Method,
    version: Version,
    scheme: &'static str,
    path: String,
    /// Empty unless it is wanted.
    query: String,
    host: String,
    user_agent: Option<String>,
    pub(crate) client: Option<IpAddr>,
    /// The template of the operation, below the route's base path.
    pub(crate) route: Option<String>,
    /// What upstreams are asked for.
    pub(crate) forwarded: String,
}

/// What of a request's head is copied.
pub(crate) struct Head<'a> {
    pub(crate) method: &'a Method,
    pub(crate) version: Version,
    pub(crate) scheme: &'static str,
    pub(crate) uri: &'a http::Uri,
    pub(crate) headers: &'a HeaderMap,
}

impl Begun {
    pub(crate) fn new(context: Context, head: &Head<'_>, has_query: bool) -> Self {
        let host = head.uri.host().or_else(|| {
            let host = head.headers.get(header::HOST)?.to_str().ok()?;
            Some(host.rsplit_once(':').map_or(host, |(name, _)| name))
        });
        let user_agent = head.headers.get(header::USER_AGENT);
        Self {
            context,
            method: head.method.clone(),
            version: head.version,
            scheme: head.scheme,
            path: cut(head.uri.path()),
            query: cut(head.uri.query().filter(|_| has_query).unwrap_or_default()),
            host: cut(host.unwrap_or_default()),
            user_agent: user_agent.and_then(|agent| agent.to_str().ok()).map(cut),
            client: None,
            route: None,
            forwarded: String::new(),
        }
    }
}

fn cut(text: &str) -> String {
    let end = text.floor_char_boundary(TEXT_BYTES_MAX);
    text[..end].to_owned()
}

/// A request that has ended, on its way to be sent.
#[derive(Debug)]
pub(crate) struct Finished {
    begun: Box<Begun>,
    call: events::Call,
    /// Why it got its variant.
    why: Option<VariantReason>,
    tries: Vec<Tried>,
}

/// A time that it was sent.
#[derive(Debug)]
struct Tried {
    span: u64,
    target: String,
    reason: TryReason,
    outcome: TryOutcome,
    status: u16,
    began_us: u32,
    ended_us: Option<u32>,
}

impl Finished {
    pub(crate) fn new(begun: Box<Begun>, course: &Course, call: events::Call) -> Self {
        let tries = course.sends().map(|one| {
            let told = one.told();
            Tried {
                span: one.span,
                target: told.target,
                reason: told.reason,
                outcome: told.outcome,
                status: one.status,
                began_us: told.began_us,
                ended_us: told.ended_us,
            }
        });
        Self {
            tries: tries.collect(),
            why: course.took.as_ref().map(|took| took.why.reason()),
            begun,
            call,
        }
    }

    /// How many spans it makes.
    pub(super) fn spans_count(&self) -> usize {
        1 + self.tries.len()
    }

    /// Its spans: the request's, then one of each time that it was sent.
    pub(super) fn spans(&self) -> impl Iterator<Item = Span> + '_ {
        std::iter::once(self.server()).chain(
            self.tries
                .iter()
                .enumerate()
                .map(|(place, one)| self.client(u32::try_from(place).unwrap_or(u32::MAX), one)),
        )
    }

    /// Nanoseconds since 1970 of a moment so many microseconds after the request's head.
    fn at(&self, micros: u64) -> u64 {
        let began = u64::try_from(self.call.started_at.as_micros()).unwrap_or(0);
        began.saturating_add(micros).saturating_mul(1000)
    }

    fn server(&self) -> Span {
        let Self { begun, call, .. } = self;
        let mut attributes = self.method();
        attributes.text("url.scheme", begun.scheme);
        attributes.text("url.path", &begun.path);
        attributes.text("url.query", &begun.query);
        attributes.text("server.address", &begun.host);
        attributes.text(
            "user_agent.original",
            begun.user_agent.as_deref().unwrap_or_default(),
        );
        let client = begun.client.map(|client| client.to_string());
        attributes.text("client.address", client.as_deref().unwrap_or_default());
        let version = match begun.version {
            Version::HTTP_2 => "2",
            Version::HTTP_3 => "3",
            Version::HTTP_10 => "1.0",
            _ => "1.1",
        };
        attributes.text("network.protocol.version", version);
        attributes.text("http.route", begun.route.as_deref().unwrap_or_default());
        // Without an answer, there is no status.
        if call.status != 499 {
            attributes.number("http.response.status_code", i64::from(call.status));
        }
        self.own(&mut attributes);
        // Faults of clients are no errors of a server.
        let is_error = call.status >= 500;
        if is_error {
            let status = call.status.to_string();
            let refusal = call.refusal.map(domain::Code::as_str);
            attributes.text("error.type", refusal.unwrap_or(&status));
        }
        let name = match &begun.route {
            Some(route) => format!("{} {route}", self.method_name()),
            None => self.method_name().to_owned(),
        };
        Span::new(
            (begun.context.trace, begun.context.span, begun.context.parent),
            (name, Kind::Server),
            (self.at(0), self.at(call.latency_us)),
        )
        .with(attributes, is_error, &begun.context.state)
    }

    /// What no convention has a name for.
    fn own(&self, attributes: &mut Attributes) {
        let call = &self.call;
        attributes.text("gateline.request.id", &call.request.to_string());
        let refusal = call.refusal.map(domain::Code::as_str);
        attributes.text("gateline.refusal", refusal.unwrap_or_default());
        if let Some(callee) = call.callee {
            attributes.text("gateline.api.id", &callee.api.to_string());
            attributes.text("gateline.version.id", &callee.version.to_string());
        }
        if let Some(caller) = call.caller {
            attributes.text("gateline.application.id", &caller.application.to_string());
        }
        if let Some(variant) = call.variant {
            attributes.text("gateline.variant.name", variant.name.as_str());
        }
        let why = self.why.map(VariantReason::as_str);
        attributes.text("gateline.variant.reason", why.unwrap_or_default());
    }

    fn client(&self, place: u32, one: &Tried) -> Span {
        let context = &self.begun.context;
        let mut attributes = self.method();
        let (scheme, rest) = one.target.split_once("://").unwrap_or(("http", &one.target));
        let authority = rest.split('/').next().unwrap_or_default();
        let (host, port) = match authority
            .rsplit_once(':')
            .filter(|(host, _)| !host.ends_with(':'))
        {
            Some((host, port)) => (host, port.parse().ok()),
            None => (authority, None),
        };
        attributes.text(
            "server.address",
            host.trim_start_matches('[').trim_end_matches(']'),
        );
        attributes.number(
            "server.port",
            port.unwrap_or(if scheme == "https" { 443 } else { 80 }),
        );
        attributes.text("url.full", &format!("{}{}", one.target, self.begun.forwarded));
        if one.status != 0 {
            attributes.number("http.response.status_code", i64::from(one.status));
        }
        if place > 0 {
            attributes.number("http.request.resend_count", i64::from(place));
            attributes.text("gateline.try.reason", word(&one.reason));
        }
        let is_error =
            one.status >= 400 || !matches!(one.outcome, TryOutcome::Answered | TryOutcome::Abandoned);
        if is_error {
            let status = one.status.to_string();
            let kind = if one.status == 0 {
                outcome(one.outcome)
            } else {
                &status
            };
            attributes.text("error.type", kind);
        }
        let ended = one.ended_us.map_or(self.call.latency_us, u64::from);
        Span::new(
            (context.trace, one.span, context.span),
            (self.method_name().to_owned(), Kind::Client),
            (self.at(u64::from(one.began_us)), self.at(ended)),
        )
        .with(attributes, is_error, &context.state)
    }

    /// Methods that nobody knows are not told apart.
    fn method_name(&self) -> &str {
        match self.known_method() {
            "_OTHER" => "HTTP",
            known => known,
        }
    }

    fn known_method(&self) -> &str {
        let name = self.begun.method.as_str();
        let is_known = matches!(
            name,
            "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS" | "TRACE" | "CONNECT"
        );
        if is_known { name } else { "_OTHER" }
    }

    fn method(&self) -> Attributes {
        let mut attributes = Attributes::default();
        attributes.text("http.request.method", self.known_method());
        if self.known_method() == "_OTHER" {
            attributes.text("http.request.method_original", &cut(self.begun.method.as_str()));
        }
        attributes
    }
}

const fn word(reason: &TryReason) -> &'static str {
    match reason {
        TryReason::First => "first",
        TryReason::Unreachable => "unreachable",
        TryReason::StaleConnection => "stale_connection",
        TryReason::Retry => "retry",
        TryReason::Hedge => "hedge",
    }
}

const fn outcome(outcome: TryOutcome) -> &'static str {
    match outcome {
        TryOutcome::Abandoned => "abandoned",
        TryOutcome::Answered => "answered",
        TryOutcome::Unreachable => "unreachable",
        TryOutcome::ConnectTimeout => "connect_timeout",
        TryOutcome::Full => "full",
        TryOutcome::Timeout => "timeout",
        TryOutcome::Broken => "broken",
        TryOutcome::RequestBroken => "request_broken",
    }
}
