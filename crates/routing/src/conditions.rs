//! The conditions of a route, compiled.

use std::fmt;

use domain::code::sentence;
use domain::id::OrganizationId;
use domain::routing::{FieldMatch, Match};
use expression::{Error, Expression, Facts, Failed};
use flags::{Audience, Head, Outside};
use http::header::{ACCESS_CONTROL_REQUEST_METHOD, COOKIE, HOST, ORIGIN};
use http::{HeaderMap, HeaderName, Method};

use crate::certificate::Shown;
use crate::fault::{Fault, Faults};
use crate::path::PathTest;
use crate::table::Request;
use crate::value::{self, Test};

/// The most conditions of a kind.
const CONDITIONS_MAX: usize = 16;
/// The most characters of a name.
const NAME_MAX: usize = 200;

/// The conditions of a route, ready to be checked.
#[derive(Debug)]
pub struct Conditions {
    path: Option<PathTest>,
    methods: Vec<Method>,
    headers: Vec<Test<HeaderName>>,
    query: Vec<Test<Box<str>>>,
    cookies: Vec<Test<Box<str>>>,
    certificate: Option<Shown>,
    when: Option<Expression>,
    /// Whom it is for, and whose flags say so.
    audience: Option<Box<(OrganizationId, Audience)>>,
}

/// The condition of a route that a request does not fit; shows as its JSON Pointer in the route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Miss {
    /// The path.
    Path,
    /// The methods.
    Method,
    /// A header field, by its place in the list.
    Header(usize),
    /// A query parameter.
    Query(usize),
    /// A cookie.
    Cookie(usize),
    /// Whether the client has shown a certificate.
    Certificate,
    /// What its certificate says, by its place in the list.
    CertificateField(usize),
    /// The expression.
    When,
    /// The expression, which could not be computed for the request.
    WhenFailed,
    /// A flag or a segment.
    Audience(Outside),
}

impl fmt::Display for Miss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path => f.write_str("/match/path"),
            Self::Method => f.write_str("/match/methods"),
            Self::Header(index) => write!(f, "/match/headers/{index}"),
            Self::Query(index) => write!(f, "/match/query/{index}"),
            Self::Cookie(index) => write!(f, "/match/cookies/{index}"),
            Self::Certificate => f.write_str("/match/client_certificate"),
            Self::CertificateField(index) => write!(f, "/match/client_certificate/fields/{index}"),
            Self::When | Self::WhenFailed => f.write_str("/match/when"),
            Self::Audience(outside) => write!(f, "/match/audience{outside}"),
        }
    }
}

impl Conditions {
    /// Compiles the conditions of a route of an organization with this base path.
    ///
    /// # Errors
    /// Everything that is wrong with them; pointers begin with `/match`.
    pub fn compile(
        matches: &Match,
        (organization, base_path): (OrganizationId, &str),
    ) -> Result<Self, Vec<Fault>> {
        let mut faults = Faults::default();
        let path = matches
            .path
            .as_ref()
            .and_then(|path| PathTest::compile(path, base_path, &mut faults));
        let when = matches.when.as_deref();
        let when = when.and_then(|when| self::when(when, &mut faults));
        let compiled = Self {
            path,
            when,
            methods: methods("/match/methods", &matches.methods, &mut faults),
            headers: tests(&matches.headers, "/match/headers", header_name, &mut faults),
            query: tests(&matches.query, "/match/query", query_name, &mut faults),
            cookies: tests(&matches.cookies, "/match/cookies", cookie_name, &mut faults),
            certificate: matches
                .client_certificate
                .as_ref()
                .map(|certificate| Shown::compile(certificate, &mut faults)),
            audience: matches
                .audience
                .as_ref()
                .and_then(|source| audience(source, &mut faults))
                .map(|audience| Box::new((organization, audience))),
        };
        faults.or(compiled)
    }

    /// Checks a request; the first condition that it does not fit is told.
    pub fn check(&self, request: &Request<'_>) -> Result<(), Miss> {
        if let Some(path) = &self.path
            && !path.holds(request.path)
        {
            return Err(Miss::Path);
        }
        if !self.methods.is_empty() && !self.has_method(request) {
            return Err(Miss::Method);
        }
        for (index, test) in self.headers.iter().enumerate() {
            if !test.holds(request.headers.get_all(&test.name).iter()) {
                return Err(Miss::Header(index));
            }
        }
        for (index, test) in self.query.iter().enumerate() {
            let named =
                form_urlencoded::parse(request.query.as_bytes()).filter(|(name, _)| *name == *test.name);
            if !test.holds(named.map(|(_, value)| value.into_owned())) {
                return Err(Miss::Query(index));
            }
        }
        for (index, test) in self.cookies.iter().enumerate() {
            if !test.holds(cookies(request.headers, &test.name)) {
                return Err(Miss::Cookie(index));
            }
        }
        if let Some(certificate) = &self.certificate {
            certificate.check(request.certificate)?;
        }
        match self.when.as_ref().map(|when| when.holds(&facts(request))) {
            None | Some(Ok(true)) => {}
            Some(Ok(false)) => return Err(Miss::When),
            Some(Err(Failed)) => return Err(Miss::WhenFailed),
        }
        // Last: what a flag gives is recorded, so it has to be what decides.
        match &self.audience {
            None => Ok(()),
            Some(audience) => Self::is_for(audience, request),
        }
    }

    fn is_for(
        (organization, audience): &(OrganizationId, Audience),
        request: &Request<'_>,
    ) -> Result<(), Miss> {
        let head = Head {
            headers: request.headers,
            caller: None,
        };
        let asked = request
            .flags
            .map(|flags| flags.fits(*organization, audience, head));
        // Where there are no flags, nobody is in an audience.
        asked
            .unwrap_or_else(|| Err(audience.first()))
            .map_err(Miss::Audience)
    }

    /// Whoever answers GET answers HEAD (RFC 9110 section 9.3.2); a preflight goes where its call would.
    fn has_method(&self, request: &Request<'_>) -> bool {
        let has = |method: &[u8]| {
            let is = |known: &Method| {
                known.as_str().as_bytes() == method || (method == b"HEAD" && *known == Method::GET)
            };
            self.methods.iter().any(is)
        };
        has(request.method.as_str().as_bytes())
            || (*request.method == Method::OPTIONS
                && request.headers.contains_key(ORIGIN)
                && request
                    .headers
                    .get(ACCESS_CONTROL_REQUEST_METHOD)
                    .is_some_and(|wanted| has(wanted.as_bytes())))
    }
}

/// Compiles an expression.
fn when(text: &str, faults: &mut Faults) -> Option<Expression> {
    let error = match Expression::condition(text) {
        Ok(expression) => return Some(expression),
        Err(error) => error,
    };
    let (code, suggestion) = match error {
        Error::TooLong | Error::TooDeep => ("field_too_long", "Shorten it, or make several routes of it."),
        Error::Pattern { .. } => ("regex_invalid", value::PATTERN_ADVICE),
        _ => (
            "expression_invalid",
            "Write a condition over `method`, `host`, `path`, `query`, `headers`, `cookies` and `body_bytes`, as \
             `'x-a' in headers`.",
        ),
    };
    faults.add("/match/when", code, sentence(&error.to_string()), suggestion);
    None
}

/// Compiles an audience.
fn audience(source: &domain::flag::Audience, faults: &mut Faults) -> Option<Audience> {
    let found = match Audience::compile(source) {
        Ok(audience) => return Some(audience),
        Err(found) => found,
    };
    for fault in found {
        let pointer = format!("/match/audience{}", fault.pointer);
        faults.add(pointer, fault.code, fault.detail, fault.suggestion);
    }
    None
}

/// What an expression sees of a request.
const fn facts<'a>(request: &Request<'a>) -> Facts<'a> {
    Facts {
        method: request.method,
        host: request.host,
        path: request.path,
        query: request.query,
        headers: request.headers,
    }
}

/// The values of a cookie: RFC 6265 section 5.4.
pub(crate) fn cookies<'a>(headers: &'a HeaderMap, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
    let pairs = headers
        .get_all(COOKIE)
        .into_iter()
        .flat_map(|field| field.as_bytes().split(|byte| *byte == b';'));
    pairs.filter_map(move |pair| {
        let (found, value) = pair.trim_ascii().split_at_checked(name.len())?;
        value.strip_prefix(b"=").filter(|_| found == name.as_bytes())
    })
}

pub(crate) fn methods(pointer: &str, texts: &[String], faults: &mut Faults) -> Vec<Method> {
    count(pointer, texts.len(), faults);
    let mut methods = Vec::with_capacity(texts.len());
    for (index, text) in texts.iter().enumerate() {
        let is_known = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-');
        match Method::from_bytes(text.as_bytes()) {
            Ok(method) if is_known && method != Method::CONNECT => methods.push(method),
            _ => faults.add(
                format!("{pointer}/{index}"),
                "method_invalid",
                format!("`{}` is not a method that is served.", text.escape_debug()),
                "Write it in capitals, as `GET`.",
            ),
        }
    }
    methods
}

pub(crate) fn tests<N>(
    fields: &[FieldMatch],
    pointer: &str,
    name: fn(&str) -> Result<N, &'static str>,
    faults: &mut Faults,
) -> Vec<Test<N>> {
    count(pointer, fields.len(), faults);
    let mut tests = Vec::with_capacity(fields.len());
    for (index, field) in fields.iter().enumerate() {
        let pointer = format!("{pointer}/{index}");
        match name(&field.name) {
            Ok(name) => tests.extend(Test::compile(name, field, &pointer, faults)),
            Err(detail) => faults.add(
                format!("{pointer}/name"),
                "name_invalid",
                detail,
                "Write the name as it stands in requests.",
            ),
        }
    }
    tests
}

fn count(pointer: &str, found: usize, faults: &mut Faults) {
    if found > CONDITIONS_MAX {
        let detail = format!("It has {found} entries; at most {CONDITIONS_MAX} are allowed.");
        faults.add(
            pointer,
            "field_out_of_range",
            detail,
            "Remove some, or make several routes.",
        );
    }
}

pub(crate) fn header_name(name: &str) -> Result<HeaderName, &'static str> {
    let name = HeaderName::from_bytes(name.as_bytes())
        .ok()
        .filter(|name| name.as_str().len() <= NAME_MAX)
        .ok_or("It is not the name of a header field.")?;
    if name == HOST {
        return Err("The host is not compared as a header field; a route has its own field for it.");
    }
    Ok(name)
}

fn query_name(name: &str) -> Result<Box<str>, &'static str> {
    if name.is_empty() || name.len() > NAME_MAX || name.chars().any(char::is_control) {
        return Err("It is empty, too long, or has a control character.");
    }
    Ok(name.into())
}

pub(crate) fn cookie_name(name: &str) -> Result<Box<str>, &'static str> {
    // A cookie's name is a token: RFC 6265 section 4.1.1.
    match Method::from_bytes(name.as_bytes()) {
        Ok(_) if name.len() <= NAME_MAX => Ok(name.into()),
        _ => Err("It is not the name of a cookie."),
    }
}

#[cfg(test)]
mod tests;
