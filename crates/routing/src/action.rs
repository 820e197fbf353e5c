//! What becomes of a request that a route has taken: forwarded, sent elsewhere, or answered.

use bytes::Bytes;
use domain::release::{Mirror, Split};
use domain::routing::{Connect, FixedAnswer, Match, PathKind, Redirect, Rewrite, Scheme};
use domain::snapshot;
use domain::traffic::RouteSpec;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::uri::Authority;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::change::{Change, encode};
use crate::fault::{Fault, Faults};
use crate::mirror::Mirroring;
use crate::path::normal_host;
use crate::rules::{IDLE_MS_MAX, IDLE_MS_MIN};
use crate::split::Splitting;
use crate::table::Request;

/// The largest body that a route may let pass: 10 GiB.
const FORWARDED_BYTES_MAX: u64 = 10 * 1024 * 1024 * 1024;
/// The most ports that clients of tunnels may name.
const PORTS_MAX: usize = 16;
/// The largest body of an answer.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// The most header fields of an answer, and the most characters of a value.
const FIELDS_MAX: usize = 32;
const VALUE_MAX: usize = 2000;
/// Fields that frame a message, or that the gateway sets.
pub(crate) const OWN_FIELDS: [&str; 10] = [
    "connection",
    "content-length",
    "content-type",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-request-id",
];

/// What a route says about the requests that it takes.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    matches: &'a Match,
    base_path: &'a str,
    body_bytes_max: u64,
    has_upstream: bool,
    split: Option<&'a Split>,
    connect: Option<&'a Connect>,
    mirror: Option<&'a Mirror>,
    redirect: Option<&'a Redirect>,
    answer: Option<&'a FixedAnswer>,
    rewrite: Option<&'a Rewrite>,
}

impl<'a> From<&'a RouteSpec> for Wanted<'a> {
    fn from(route: &'a RouteSpec) -> Self {
        Self {
            matches: &route.matches,
            base_path: route.base_path.trim_end_matches('/'),
            body_bytes_max: route.body_bytes_max,
            has_upstream: route.upstream_id.is_some(),
            split: route.split.as_ref(),
            connect: route.connect.as_ref(),
            mirror: route.mirror.as_ref(),
            redirect: route.redirect.as_ref(),
            answer: route.answer.as_ref(),
            rewrite: route.rewrite.as_ref(),
        }
    }
}

impl<'a> From<&'a snapshot::Route> for Wanted<'a> {
    fn from(route: &'a snapshot::Route) -> Self {
        Self {
            matches: &route.matches,
            base_path: route.base_path.trim_end_matches('/'),
            body_bytes_max: route.body_bytes_max,
            has_upstream: route.upstream.is_some(),
            split: route.split.as_ref(),
            connect: route.connect.as_ref(),
            mirror: route.mirror.as_ref(),
            redirect: route.redirect.as_ref(),
            answer: route.answer.as_ref(),
            rewrite: route.rewrite.as_ref(),
        }
    }
}

/// What becomes of a request, compiled.
#[derive(Debug)]
pub enum Action {
    /// It goes to the upstream, or to one of several, changed if so.
    Forward(Option<Box<Rewriting>>),
    /// It opens a tunnel to the upstream.
    Tunnel(Box<Connect>),
    /// The client is sent elsewhere.
    Redirect(Box<Redirection>),
    /// It is answered.
    Answer(Box<Answer>),
}

/// What is changed before a request is forwarded.
#[derive(Debug)]
pub struct Rewriting {
    change: Option<Change>,
    /// The `Host` that the upstream gets.
    pub host: Option<HeaderValue>,
}

/// Where clients are sent.
#[derive(Debug)]
pub struct Redirection {
    /// The status of the answer.
    pub status: StatusCode,
    scheme: Option<Scheme>,
    host: Option<Box<str>>,
    port: Option<u16>,
    change: Option<Change>,
    keep_query: bool,
}

/// An answer of the gateway's own.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its fields, length and type of the body among them.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

impl Action {
    /// Compiles what a route does with the requests that it takes.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn compile<'a>(wanted: impl Into<Wanted<'a>>) -> Result<Self, Vec<Fault>> {
        let wanted = wanted.into();
        let mut faults = Faults::default();
        faults.range("/body_bytes_max", wanted.body_bytes_max, 0, FORWARDED_BYTES_MAX);
        let said = [
            ("/upstream_id", wanted.has_upstream),
            ("/split", wanted.split.is_some()),
            ("/redirect", wanted.redirect.is_some()),
            ("/answer", wanted.answer.is_some()),
        ];
        let mut said = said.iter().filter(|(_, is_said)| *is_said);
        if said.next().is_none() {
            faults.add(
                "/upstream_id",
                "action_missing",
                "Nothing is said of what becomes of calls.",
                "Name an upstream or several, or let the route redirect or answer.",
            );
        }
        if let Some((pointer, _)) = said.next() {
            faults.add(
                *pointer,
                "action_twice",
                "A call is either forwarded, redirected or answered.",
                "Leave all but one of `upstream_id`, `split`, `redirect` and `answer` out.",
            );
        }
        if let Some(split) = wanted.split
            && let Err(found) = Splitting::compile(split, "")
        {
            faults.0.extend(found);
        }
        if let Some(connect) = wanted.connect {
            tunnel(connect, wanted, &mut faults);
        }
        let is_forwarded = wanted.has_upstream || wanted.split.is_some();
        if let Some(mirror) = wanted.mirror {
            if !is_forwarded {
                faults.add(
                    "/mirror",
                    "mirror_unused",
                    "Nothing is forwarded that could be copied.",
                    "Leave it out.",
                );
            }
            faults
                .0
                .extend(Mirroring::compile(mirror, "").err().unwrap_or_default());
        }
        if wanted.rewrite.is_some() && !is_forwarded {
            faults.add(
                "/rewrite",
                "rewrite_unused",
                "Nothing is forwarded that could be changed.",
                "Leave it out; a redirect has a `path` and a `prefix` of its own.",
            );
        }
        let action = if let Some(redirect) = wanted.redirect {
            Self::redirect(redirect, wanted, &mut faults)
        } else if let Some(answer) = wanted.answer {
            Self::answer(answer, &mut faults)
        } else if let Some(connect) = wanted.connect {
            Self::Tunnel(Box::new(connect.clone()))
        } else {
            Self::Forward(
                wanted
                    .rewrite
                    .map(|rewrite| Box::new(rewriting(rewrite, wanted, &mut faults))),
            )
        };
        faults.or(action)
    }

    fn redirect(redirect: &Redirect, wanted: Wanted<'_>, faults: &mut Faults) -> Self {
        let status = StatusCode::from_u16(redirect.status).unwrap_or_default();
        if !matches!(redirect.status, 301 | 302 | 303 | 307 | 308) {
            faults.add(
                "/redirect/status",
                "status_invalid",
                format!("{} does not send clients elsewhere.", redirect.status),
                "Choose 301, 302, 303, 307 or 308.",
            );
        }
        let host = redirect.host.as_deref().and_then(|host| match normal_host(host) {
            Ok(host) if !host.starts_with('*') => Some(host.into()),
            _ => {
                faults.add(
                    "/redirect/host",
                    "host_invalid",
                    "It is not a host.",
                    "Write a DNS name without port, as `www.example.com`.",
                );
                None
            }
        });
        if redirect.port == Some(0) {
            faults.add(
                "/redirect/port",
                "field_out_of_range",
                "There is no port 0.",
                "Choose 1 to 65535.",
            );
        }
        let change = Change::compile(
            "/redirect",
            (redirect.prefix.as_deref(), redirect.path.as_deref(), None),
            template(wanted.matches),
            faults,
        );
        if let Some(Change::Template(template)) = &change
            && let Some(name) = template.unknown(None)
        {
            faults.add(
                "/redirect/path",
                "variable_unknown",
                format!("`{{{name}}}` does not stand in the path that is compared with."),
                "Give the route a `match.path` of kind `template` that has it.",
            );
        }
        let stays = match &redirect.prefix {
            Some(prefix) => prefix.trim_end_matches('/') == wanted.base_path,
            None => redirect.path.is_none(),
        };
        if stays && redirect.scheme.is_none() && redirect.host.is_none() && redirect.port.is_none() {
            faults.add(
                "/redirect",
                "redirect_circular",
                "It leads to where the client is.",
                "Say another scheme, host, port, path or prefix.",
            );
        }
        Self::Redirect(Box::new(Redirection {
            status,
            scheme: redirect.scheme,
            host,
            port: redirect.port,
            change,
            keep_query: redirect.keep_query,
        }))
    }

    fn answer(answer: &FixedAnswer, faults: &mut Faults) -> Self {
        let status = StatusCode::from_u16(answer.status).unwrap_or_default();
        if !(200..600).contains(&answer.status) {
            let detail = format!("{} is not the status of an answer.", answer.status);
            faults.add("/answer/status", "status_invalid", detail, "Choose 200 to 599.");
        }
        let is_bodiless = matches!(answer.status, 204 | 205 | 304);
        if answer.body.len() > BODY_BYTES_MAX {
            let detail = format!("It has more than {BODY_BYTES_MAX} bytes.");
            faults.add(
                "/answer/body",
                "field_too_long",
                detail,
                "Shorten it, or serve it by an upstream.",
            );
        }
        if is_bodiless && !answer.body.is_empty() {
            let detail = format!("An answer with status {} has no body.", answer.status);
            faults.add(
                "/answer/body",
                "body_unused",
                detail,
                "Leave it out, or choose another status.",
            );
        }
        let mut headers = fields(answer, faults);
        let kind = answer
            .content_type
            .as_deref()
            .unwrap_or("text/plain; charset=utf-8");
        match value(kind) {
            Some(kind) if !answer.body.is_empty() => {
                headers.insert(CONTENT_TYPE, kind);
            }
            Some(_) if answer.content_type.is_some() => faults.add(
                "/answer/content_type",
                "body_unused",
                "There is no body that could be of this type.",
                "Leave it out, or write a body.",
            ),
            Some(_) => {}
            None => faults.add(
                "/answer/content_type",
                "field_invalid",
                "It is not the value of a header field.",
                "Write it as `application/json`.",
            ),
        }
        if !is_bodiless {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(answer.body.len()));
        }
        Self::Answer(Box::new(Answer {
            status,
            headers,
            body: Bytes::from(answer.body.clone().into_bytes()),
        }))
    }
}

impl Rewriting {
    /// The path that is forwarded instead of the rest of `path` after `base` bytes; `None` for that rest.
    ///
    /// `operation` is the template of the operation, below the base path.
    pub fn path(&self, path: &str, base: usize, operation: &str) -> Option<String> {
        self.change
            .as_ref()
            .map(|change| change.apply(path, base, Some(operation)))
    }

    /// A variable that an operation with this path template does not have.
    pub fn missing(&self, operation: &str) -> Option<&str> {
        match &self.change {
            Some(Change::Template(template)) => template.unknown(Some(operation)),
            _ => None,
        }
    }
}

impl Redirection {
    /// `Location` for a request that came by this scheme.
    ///
    /// Where only the path changes it is a path: behind a proxy, scheme and port may be others for the client.
    pub fn location(&self, request: &Request<'_>, base: usize, scheme: &str) -> Option<HeaderValue> {
        let path = match &self.change {
            Some(change) => change.apply(request.path, base, None),
            None => request.path.to_owned(),
        };
        let path = encode(&path);
        let authority = Authority::try_from(request.authority).ok();
        let asked = authority.as_ref().map(Authority::host);
        let host = self.host.as_deref().or(asked);
        let mut location = String::new();
        if (self.scheme.is_some() || self.host.is_some() || self.port.is_some())
            && let Some(host) = host
        {
            let is_moved = self.scheme.is_some() || self.host.is_some();
            let kept = authority.as_ref().filter(|_| !is_moved);
            let port = self.port.or_else(|| kept.and_then(Authority::port_u16));
            let scheme = match self.scheme {
                Some(Scheme::Http) => "http",
                Some(Scheme::Https) => "https",
                None => scheme,
            };
            location = format!("{scheme}://{host}");
            let usual = if scheme == "https" { 443 } else { 80 };
            if let Some(port) = port.filter(|port| *port != usual) {
                location.push_str(&format!(":{port}"));
            }
            location.push_str(&path);
        } else {
            // Two slashes at the beginning would name another host: RFC 3986 section 4.2.
            location.push('/');
            location.push_str(path.trim_start_matches('/'));
        }
        if self.keep_query && !request.query.is_empty() {
            location.push('?');
            location.push_str(request.query);
        }
        HeaderValue::from_str(&location).ok()
    }
}

/// The template that paths are compared with, if it is one.
fn template(matches: &Match) -> Option<&str> {
    let path = matches.path.as_ref();
    path.filter(|path| path.kind == PathKind::Template)
        .map(|path| path.value.as_str())
}

/// Wants a route of tunnels to say nothing that only calls have.
fn tunnel(connect: &Connect, wanted: Wanted<'_>, faults: &mut Faults) {
    let matches = wanted.matches;
    let said = [
        ("/base_path", !wanted.base_path.is_empty()),
        ("/match/path", matches.path.is_some()),
        ("/match/methods", !matches.methods.is_empty()),
        ("/match/query", !matches.query.is_empty()),
        ("/split", wanted.split.is_some()),
        ("/redirect", wanted.redirect.is_some()),
        ("/answer", wanted.answer.is_some()),
        ("/rewrite", wanted.rewrite.is_some()),
        ("/mirror", wanted.mirror.is_some()),
    ];
    for (pointer, _) in said.into_iter().filter(|(_, is_said)| *is_said) {
        faults.add(
            pointer,
            "combination_invalid",
            "A request for a tunnel has a host and a port only, and bytes pass unread.",
            "Leave it out, or make another route for calls; the base path of a tunnel is `/`.",
        );
    }
    faults.count("/connect/ports", connect.ports.len(), 0, PORTS_MAX);
    for (index, port) in connect.ports.iter().enumerate().take(PORTS_MAX) {
        faults.range(&format!("/connect/ports/{index}"), *port, 1, u16::MAX);
    }
    faults.range("/connect/idle_ms", connect.idle_ms, IDLE_MS_MIN, IDLE_MS_MAX);
}

fn rewriting(rewrite: &Rewrite, wanted: Wanted<'_>, faults: &mut Faults) -> Rewriting {
    let change = Change::compile(
        "/rewrite",
        (
            rewrite.prefix.as_deref(),
            rewrite.path.as_deref(),
            rewrite.regex.as_ref(),
        ),
        template(wanted.matches),
        faults,
    );
    let host = rewrite.host.as_deref().and_then(|host| {
        let (name, port) = host
            .rsplit_once(':')
            .map_or((host, None), |(name, port)| (name, Some(port)));
        let is_port = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
        match normal_host(name) {
            Ok(name) if is_port && !name.starts_with('*') => HeaderValue::from_str(host).ok(),
            _ => {
                faults.add(
                    "/rewrite/host",
                    "host_invalid",
                    "It is not a host.",
                    "Write a DNS name, with a port if needed, as `shop.internal:8080`.",
                );
                None
            }
        }
    });
    if change.is_none() && rewrite.host.is_none() && faults.0.is_empty() {
        faults.add(
            "/rewrite",
            "rewrite_unused",
            "It changes nothing.",
            "Say a `prefix`, a `path`, a `regex` or a `host`, or leave it out.",
        );
    }
    Rewriting { change, host }
}

fn fields(answer: &FixedAnswer, faults: &mut Faults) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if answer.headers.len() > FIELDS_MAX {
        let detail = format!("It has more than {FIELDS_MAX} entries.");
        faults.add("/answer/headers", "field_out_of_range", detail, "Remove some.");
    }
    for (name, text) in &answer.headers {
        let pointer = format!("/answer/headers/{}", name.replace('~', "~0").replace('/', "~1"));
        let known = HeaderName::from_bytes(name.as_bytes());
        match (known, value(text)) {
            (Ok(name), _) if OWN_FIELDS.contains(&name.as_str()) => faults.add(
                pointer,
                "name_invalid",
                "The gateway sets it.",
                "Leave it out; the body's type is `content_type`.",
            ),
            (Ok(name), Some(value)) => {
                headers.append(name, value);
            }
            _ => faults.add(
                pointer,
                "field_invalid",
                "It is not a header field.",
                "Write a name of letters, digits and hyphens, and a value without control characters.",
            ),
        }
    }
    headers
}

fn value(text: &str) -> Option<HeaderValue> {
    HeaderValue::from_str(text)
        .ok()
        .filter(|_| text.is_ascii() && text.len() <= VALUE_MAX)
}

#[cfg(test)]
mod tests;
