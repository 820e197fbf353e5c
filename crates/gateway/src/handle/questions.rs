//! What holders of SDK keys ask and tell: questions about feature flags, and tracked events; answered by the node itself
//! where no route answers.
//!
//! What is asked and told is as at the control plane (`api::v1::evaluations`, `api::ofrep`, `api::unleash`,
//! `api::growthbook`, `api::v1::tracking`), and flagd's services beside; definitions, keys and types of events come with
//! the snapshot.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use domain::code::sentence;
use domain::tracking::SdkKeyKind;
use domain::{Code, Timestamp, key};
use events::ingest::{Key, KeyFault};
use events::{Exposure, Exposures};
use flags::ofrep::{self, Failure};
use flags::{Asker, Attributes, Evaluated, Missing, Question, QuestionFault, Set};
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, AUTHORIZATION,
    CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, ORIGIN,
};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Body as _;
use policy::{Moment, Refusal};
use serde::Serialize;

use crate::body::{AnswerBody, Arriving, RequestBody, Upload};
use crate::compile::Compiled;
use crate::conn::Conn;
use crate::refusal::Cause;

mod assignments;
mod changes;
mod flagd;
mod growthbook;
mod tracking;
mod unleash;

const REST: &str = "/api/v1/feature-flags/";
const OFREP: &str = "/ofrep/v1/evaluate/flags";
/// The most bytes of what is known of somebody.
const QUESTION_BYTES_MAX: u64 = 64 << 10;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Topic<'p> {
    /// What somebody gets of the flag with this key.
    One(&'p str),
    /// What somebody gets of all flags.
    All,
    /// The same in the words of OFREP.
    OfrepOne(&'p str),
    OfrepAll,
    /// The flags themselves.
    Definitions,
    /// To be told when they change.
    Changes,
    /// What somebody gets of all flags, and why.
    Assignments,
    /// Something in the words of Unleash.
    Unleash(unleash::Topic),
    /// Something in the words of GrowthBook, with the key.
    GrowthBook(growthbook::Topic, &'p str),
    /// Something in the words of flagd.
    Flagd(::flags::flagd::Method),
    /// To record events.
    Track,
}

impl<'p> Topic<'p> {
    /// What a path asks for, if it is about flags or events.
    pub(super) fn of(path: &'p str) -> Option<Self> {
        if path == tracking::PATH {
            return Some(Self::Track);
        }
        if path == assignments::PATH {
            return Some(Self::Assignments);
        }
        if let Some(rest) = path.strip_prefix(REST) {
            return match rest {
                "evaluate" => Some(Self::All),
                "definitions" => Some(Self::Definitions),
                "changes" => Some(Self::Changes),
                rest => {
                    let key = rest.strip_suffix("/evaluate")?;
                    (!key.is_empty() && !key.contains('/')).then_some(Self::One(key))
                }
            };
        }
        if let Some(rest) = path.strip_prefix(OFREP) {
            if rest.is_empty() {
                return Some(Self::OfrepAll);
            }
            let key = rest.strip_prefix('/')?;
            return (!key.is_empty() && !key.contains('/')).then_some(Self::OfrepOne(key));
        }
        let flagd = || ::flags::flagd::Method::of(path).map(Self::Flagd);
        let unleash = || unleash::Topic::of(path).map(Self::Unleash);
        let growthbook = || growthbook::Topic::of(path).map(|(topic, key)| Self::GrowthBook(topic, key));
        flagd().or_else(unleash).or_else(growthbook)
    }

    const fn methods(self) -> &'static str {
        match self {
            Self::One(_) | Self::Assignments => "GET, POST",
            Self::All | Self::OfrepOne(_) | Self::OfrepAll | Self::Flagd(_) | Self::Track => "POST",
            Self::Definitions | Self::Changes => "GET",
            Self::Unleash(topic) => topic.methods(),
            Self::GrowthBook(topic, _) => topic.methods(),
        }
    }
}

/// A question as it came.
pub(super) struct Asked<'r> {
    pub(super) path: &'r str,
    pub(super) method: &'r Method,
    /// With its question mark.
    pub(super) query: &'r str,
    pub(super) headers: &'r HeaderMap,
    pub(super) moment: Moment,
}

impl Asked<'_> {
    const fn now(&self) -> Timestamp {
        self.moment.calendar
    }
}

/// Who asks.
struct Holder<'r> {
    key: &'r Arc<Key>,
    text: String,
}

/// Answers a question about flags, or takes events, and notes the page that may read the answer.
pub(super) async fn answer(
    conn: &Rc<Conn>,
    compiled: &Compiled,
    (asked, body): (&Asked<'_>, Arriving),
    page: &mut Option<Box<HeaderValue>>,
) -> Result<Response<AnswerBody>, Cause> {
    let topic = Topic::of(asked.path).expect("whoever came here was led here by the path");
    let methods = topic.methods();
    if *asked.method == Method::OPTIONS && asked.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD) {
        return Ok(preflight(methods));
    }
    if !methods.split(", ").any(|method| method == asked.method.as_str()) {
        return Err(Cause::OtherMethods {
            allow: methods.to_owned(),
        });
    }
    if let Topic::Flagd(method) = topic {
        return flagd::answer(conn, compiled, (asked, method), body, page).await;
    }
    let text = match topic {
        Topic::GrowthBook(_, key) => Some(key.to_owned()),
        _ => text_of_key(asked).or_else(|| conn.flagd_key().map(str::to_owned)),
    };
    let holder = holder_of(conn, compiled, asked, text)?;
    admits(compiled, asked, &holder, page)?;
    answered(conn, compiled, (asked, topic), (&holder, body)).await
}

/// Notes the page that asks, if the key is one for pages, and counts the call, if there is a rate.
fn admits(
    compiled: &Compiled,
    asked: &Asked<'_>,
    holder: &Holder<'_>,
    page: &mut Option<Box<HeaderValue>>,
) -> Result<(), Cause> {
    if holder.key.kind == SdkKeyKind::Client {
        *page = asked.headers.get(ORIGIN).cloned().map(Box::new);
    }
    let Some(rate) = holder.key.rate_limit else {
        return Ok(());
    };
    let admitted = compiled.flags.rates.admit(holder.key.id, rate, asked.moment);
    admitted.map_err(Cause::Policy)
}

async fn answered(
    conn: &Rc<Conn>,
    compiled: &Compiled,
    (asked, topic): (&Asked<'_>, Topic<'_>),
    (holder, body): (&Holder<'_>, Arriving),
) -> Result<Response<AnswerBody>, Cause> {
    let set = compiled.flags.sets.get(holder.key.organization);
    let set = set.map(|set| &**set);
    match topic {
        Topic::One(flag) if *asked.method == Method::GET => {
            let query = asked.query.strip_prefix('?').unwrap_or_default();
            let attributes = Attributes::from_query(query).map_err(unreadable)?;
            one(conn, (set, holder), (flag, &attributes), asked.now())
        }
        Topic::One(flag) => {
            let body = whole(conn, body, QUESTION_BYTES_MAX).await?;
            let attributes = Question::read(&body).and_then(Question::of_one);
            one(
                conn,
                (set, holder),
                (flag, &attributes.map_err(unreadable)?),
                asked.now(),
            )
        }
        Topic::All => {
            let body = whole(conn, body, QUESTION_BYTES_MAX).await?;
            let question = Question::read(&body).map_err(unreadable)?;
            let about = (question.flags.as_deref(), &question.attributes);
            let all = set.map(|set| {
                set.list(asker(holder), about, asked.now(), |found, out| {
                    found.write_listed(out)
                })
            });
            tagged(asked, all.unwrap_or_else(|| Ok(Set::NOTHING.to_vec())))
        }
        Topic::OfrepOne(flag) => {
            let body = whole(conn, body, QUESTION_BYTES_MAX).await?;
            ofrep_one(conn, (set, holder), (flag, &body), asked.now())
        }
        Topic::OfrepAll => {
            let body = whole(conn, body, QUESTION_BYTES_MAX).await?;
            ofrep_all((set, holder), (asked, &body))
        }
        Topic::Definitions => {
            wants_server(holder)?;
            let none = || Set::no_definitions(&holder.key.environment);
            let write = || Ok(set.map_or_else(none, |set| set.definitions().clone()));
            tagged_as(asked, set.map_or("none", Set::tag), write)
        }
        Topic::Changes => {
            let event = |set: Option<&Set>, _: Option<&str>| {
                ::flags::changes::event(set.map_or("none", Set::tag)).into()
            };
            Ok(changes::events(conn, holder, (None, event)))
        }
        Topic::Assignments => assignments::answer(conn, compiled, asked, (holder, body)).await,
        Topic::Unleash(topic) => unleash::answer(conn, compiled, (asked, topic), (holder, body)).await,
        Topic::GrowthBook(topic, _) => {
            growthbook::answer(conn, compiled, (asked, topic), (holder, body)).await
        }
        Topic::Track => tracking::answer(conn, compiled, asked, (holder, body)).await,
        Topic::Flagd(_) => unreachable!("flagd's services find the key by themselves"),
    }
}

fn one(
    conn: &Conn,
    (set, holder): (Option<&Set>, &Holder<'_>),
    (flag, attributes): (&str, &Attributes<'_>),
    now: Timestamp,
) -> Result<Response<AnswerBody>, Cause> {
    let missing = || Missing::new(flag, &holder.key.environment);
    let found = set
        .ok_or_else(missing)
        .and_then(|set| Ok((set, set.evaluate(asker(holder), flag, attributes, now)?)));
    let (set, found) = found.map_err(|missing| refused(Code::FlagNotFound, &missing.to_string()))?;
    expose(conn, holder, (set, &found), attributes, now);
    let mut text = Vec::with_capacity(256);
    found.write(&mut text).map_err(unwritten)?;
    Ok(said(
        StatusCode::OK,
        text.into(),
        HeaderValue::from_static("no-store"),
    ))
}

fn ofrep_one(
    conn: &Conn,
    (set, holder): (Option<&Set>, &Holder<'_>),
    (flag, body): (&str, &[u8]),
    now: Timestamp,
) -> Result<Response<AnswerBody>, Cause> {
    let attributes = match Attributes::from_context(body) {
        Ok(attributes) => attributes,
        Err(fault) => return Ok(json(StatusCode::BAD_REQUEST, &Failure::of(Some(flag), &fault))),
    };
    let missing = || Missing::new(flag, &holder.key.environment);
    let found = set
        .ok_or_else(missing)
        .and_then(|set| Ok((set, set.evaluate(asker(holder), flag, &attributes, now)?)));
    Ok(match found {
        Ok((set, found)) => {
            expose(conn, holder, (set, &found), &attributes, now);
            let mut text = Vec::with_capacity(256);
            ofrep::write(found, &mut text).map_err(unwritten)?;
            let cache = HeaderValue::from_static("no-store");
            said(StatusCode::OK, text.into(), cache)
        }
        Err(missing) => json(StatusCode::NOT_FOUND, &Failure::missing(flag, &missing)),
    })
}

fn ofrep_all(
    (set, holder): (Option<&Set>, &Holder<'_>),
    (asked, body): (&Asked<'_>, &[u8]),
) -> Result<Response<AnswerBody>, Cause> {
    let attributes = match Attributes::from_context(body) {
        Ok(attributes) => attributes,
        Err(fault) => return Ok(json(StatusCode::BAD_REQUEST, &Failure::of(None, &fault))),
    };
    let all = set.map(|set| set.list(asker(holder), (None, &attributes), asked.now(), ofrep::write));
    let mut all = all.unwrap_or_else(|| Ok(Set::NOTHING.to_vec()));
    if let (Ok(all), SdkKeyKind::Client) = (&mut all, holder.key.kind) {
        // Everybody can read such a key, so it may stand in an address; browsers send no headers with this.
        ofrep::add_streams(all, &holder.text);
    }
    tagged(asked, all)
}

/// Finds out whose key it is.
fn holder_of<'c>(
    conn: &Conn,
    compiled: &'c Compiled,
    asked: &Asked<'_>,
    text: Option<String>,
) -> Result<Holder<'c>, Cause> {
    let text = text.filter(|text| !text.is_empty());
    let missing = || refused(Code::SdkKeyMissing, "the request came without an SDK key");
    let text = text.ok_or_else(missing)?;
    let key = compiled.flags.directory.key(&text, asked.now());
    let key = key.map_err(|fault| match other_environment(&text, conn) {
        Some(detail) if fault == KeyFault::Unknown => refused(Code::SdkKeyInvalid, &detail),
        _ => refused(Code::SdkKeyInvalid, &fault.to_string()),
    })?;
    let origin = asked.headers.get(ORIGIN);
    let shown = origin.map(|origin| origin.to_str().unwrap_or("?"));
    if !key.admits(shown) {
        let detail = format!("the key is not for pages of `{}`", shown.unwrap_or("no origin"));
        return Err(refused(Code::OriginRefused, &detail));
    }
    Ok(Holder { key, text })
}

/// What is wrong with a key whose own text says that it is for another environment than the node's.
fn other_environment(text: &str, conn: &Conn) -> Option<String> {
    let (here, key) = (&conn.core().settings.environment, key::parse(text)?);
    let is_other = key.environment != here.as_str();
    is_other.then(|| {
        format!(
            "this node serves `{here}`, and the key is for `{}`",
            key.environment
        )
    })
}

/// The text of the key: in `X-API-Key`, in `Authorization`, or as `key` in the query.
fn text_of_key(asked: &Asked<'_>) -> Option<String> {
    let text = |value: &HeaderValue| value.to_str().ok().map(str::to_owned);
    if let Some(key) = asked.headers.get("x-api-key") {
        return text(key);
    }
    if let Some(value) = asked.headers.get(AUTHORIZATION) {
        let value = value.to_str().ok()?;
        // Clients of Unleash send it without a scheme.
        let Some((scheme, token)) = value.split_once(' ') else {
            return Some(value.to_owned());
        };
        return scheme
            .eq_ignore_ascii_case("bearer")
            .then(|| token.trim().to_owned());
    }
    let query = asked.query.strip_prefix('?')?;
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    let (_, key) = pairs.find(|(name, _)| name == "key")?;
    Some(key.into_owned())
}

fn asker(holder: &Holder<'_>) -> Asker {
    Asker::Key(holder.key.kind)
}

/// Wants a key that is kept secret.
fn wants_server(holder: &Holder<'_>) -> Result<(), Cause> {
    if holder.key.kind == SdkKeyKind::Server {
        return Ok(());
    }
    let detail = "the key is one for pages and apps, where everybody can read it";
    Err(refused(Code::SdkKeyKind, detail))
}

fn refused(code: Code, detail: &str) -> Cause {
    Cause::Policy(Box::new(Refusal::new(code, sentence(detail))))
}

fn unreadable(fault: QuestionFault) -> Cause {
    Cause::Question(Box::new(fault))
}

/// Reads a body to its end.
async fn whole(conn: &Conn, body: Arriving, bytes_max: u64) -> Result<Bytes, Cause> {
    let mut body = bounded(conn, body, bytes_max)?;
    let Some(first) = body.frame().await.transpose()? else {
        return Ok(Bytes::new());
    };
    let first = first.into_data().unwrap_or_default();
    // Most come with their head, in one piece.
    if body.is_end_stream() {
        return Ok(first);
    }
    let rest = body.collect().await?.to_bytes();
    Ok([first, rest].concat().into())
}

/// A body that ends with an error where it gets too large or does not go on.
fn bounded(conn: &Conn, body: Arriving, bytes_max: u64) -> Result<RequestBody, Cause> {
    if body.is_end() {
        return Ok(RequestBody::empty());
    }
    if body.size_hint().lower() > bytes_max {
        return Err(Cause::TooLarge { bytes_max });
    }
    let core = conn.core();
    let pause = (core.deadlines.deadline(), core.settings.limits.body_idle());
    Ok(RequestBody::new(
        body,
        bytes_max,
        pause,
        Rc::new(Upload::default()),
    ))
}

/// Records that a variant was given, if it depends on who it is.
fn expose(
    conn: &Conn,
    holder: &Holder<'_>,
    (set, found): (&Set, &Evaluated<'_>),
    attributes: &Attributes<'_>,
    now: Timestamp,
) {
    let exposures: &Option<RefCell<Exposures>> = &conn.core().exposures;
    let (Some(exposures), Some(event_type), Some(by)) = (exposures, set.exposures(), found.by) else {
        return;
    };
    let Some(unit) = attributes.text(by) else { return };
    let exposure = Exposure {
        event_type,
        flag: found.key,
        version: found.flag_version,
        variant: found.variant,
        by,
        unit: &unit,
    };
    exposures.borrow_mut().note(holder.key, &exposure, now);
}

fn json(status: StatusCode, told: &impl Serialize) -> Response<AnswerBody> {
    let mut text = Vec::with_capacity(256);
    serde_json::to_writer(&mut text, told).expect("texts, numbers and values that were JSON");
    said(status, text.into(), HeaderValue::from_static("no-store"))
}

/// An answer with the tag of what it says, or 304 if the client has it.
fn tagged(asked: &Asked<'_>, body: serde_json::Result<Vec<u8>>) -> Result<Response<AnswerBody>, Cause> {
    let body = body.map_err(unwritten)?;
    tagged_as(asked, &::flags::tag(&body), || Ok(body.into()))
}

#[expect(clippy::needless_pass_by_value, reason = "it is what an error becomes")]
fn unwritten(error: serde_json::Error) -> Cause {
    refused(Code::Internal, &format!("an answer cannot be written: {error}"))
}

/// The same with a tag that is known before the answer is written.
fn tagged_as(
    asked: &Asked<'_>,
    tag: &str,
    write: impl FnOnce() -> Result<Bytes, Cause>,
) -> Result<Response<AnswerBody>, Cause> {
    let body = (!has(asked, tag)).then(write).transpose()?;
    Ok(with_tag(tag, body))
}

/// The same with an answer that takes a while.
async fn tagged_when_there(
    asked: &Asked<'_>,
    tag: &str,
    write: impl Future<Output = Result<Bytes, Cause>>,
) -> Result<Response<AnswerBody>, Cause> {
    let body = match has(asked, tag) {
        true => None,
        false => Some(write.await?),
    };
    Ok(with_tag(tag, body))
}

/// Whether the client has what has this tag.
fn has(asked: &Asked<'_>, tag: &str) -> bool {
    let known = asked
        .headers
        .get(IF_NONE_MATCH)
        .and_then(|known| known.to_str().ok());
    let is_it = |one: &str| {
        let quoted = one.trim_start_matches("W/").strip_prefix('"');
        quoted.and_then(|quoted| quoted.strip_suffix('"')) == Some(tag)
    };
    known.is_some_and(|known| {
        let mut each = known.split(',').map(str::trim);
        each.any(|one| one == "*" || is_it(one))
    })
}

/// An answer with its tag; 304 without a body.
fn with_tag(tag: &str, body: Option<Bytes>) -> Response<AnswerBody> {
    let cache = HeaderValue::from_static("private, no-cache");
    let mut response = match body {
        None => said(StatusCode::NOT_MODIFIED, Bytes::new(), cache),
        Some(body) => said(StatusCode::OK, body, cache),
    };
    let quoted = ["\"", tag, "\""].concat();
    let quoted = HeaderValue::try_from(quoted).expect("digits in quotes are a header value");
    response.headers_mut().insert(ETAG, quoted);
    response
}

fn said(status: StatusCode, body: Bytes, cache: HeaderValue) -> Response<AnswerBody> {
    let mut response = Response::new(AnswerBody::own(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, cache);
    response
}

/// Whose pages may use a key depends on the key, which browsers do not send when they ask.
fn preflight(methods: &'static str) -> Response<AnswerBody> {
    let mut response = Response::new(AnswerBody::own(Bytes::new()));
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    let asked = "authorization, cache-control, ce-anonymousid, ce-datacontenttype, ce-dataschema, ce-id, ce-source, \
                 ce-specversion, ce-subject, ce-time, ce-type, connect-protocol-version, connect-timeout-ms, \
                 content-encoding, content-type, flagd-selector, if-none-match, last-event-id, traceparent, unleash-appname, unleash-connection-id, unleash-sdk, \
                 x-api-key, x-request-id, x-unleash-appname, x-unleash-connection-id, x-unleash-sdk, x-user-agent";
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(methods));
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(asked));
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    response
}

/// Lets the page of an origin that a key is for read the answer.
pub(super) fn admit(page: &HeaderValue, headers: &mut HeaderMap) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, page.clone());
    let exposed = HeaderValue::from_static("etag, retry-after, x-request-id, x-sse-support");
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
}

#[cfg(test)]
mod tests {
    use flags::flagd::Method;

    use super::{Topic, growthbook, unleash};

    #[test]
    fn paths_say_what_is_asked_for() {
        let cases = [
            ("/api/v1/feature-flags/a.b/evaluate", Some(Topic::One("a.b"))),
            ("/api/v1/feature-flags/evaluate", Some(Topic::All)),
            ("/api/v1/feature-flags/definitions", Some(Topic::Definitions)),
            ("/api/v1/feature-flags/changes", Some(Topic::Changes)),
            ("/api/v1/feature-flags/a/b/evaluate", None),
            ("/api/v1/feature-flags//evaluate", None),
            ("/api/v1/feature-flags/a", None),
            ("/api/v1/feature-flags", None),
            ("/ofrep/v1/evaluate/flags", Some(Topic::OfrepAll)),
            ("/ofrep/v1/evaluate/flags/a", Some(Topic::OfrepOne("a"))),
            ("/ofrep/v1/evaluate/flags/", None),
            ("/ofrep/v1/evaluate/flagsa", None),
            ("/api/v1/tracking/events", Some(Topic::Track)),
            ("/api/v1/tracking/events/", None),
            (
                "/api/client/features",
                Some(Topic::Unleash(unleash::Topic::Features)),
            ),
            ("/api/client/features/a", None),
            ("/api/frontend", Some(Topic::Unleash(unleash::Topic::Toggles))),
            (
                "/api/frontend/client/metrics",
                Some(Topic::Unleash(unleash::Topic::Metrics)),
            ),
            (
                "/api/features/k",
                Some(Topic::GrowthBook(growthbook::Topic::Features, "k")),
            ),
            ("/api/features/", None),
            ("/sub/k", Some(Topic::GrowthBook(growthbook::Topic::Changes, "k"))),
            ("/sub/k/l", None),
            (
                "/flagd.sync.v1.FlagSyncService/SyncFlags",
                Some(Topic::Flagd(Method::Sync)),
            ),
        ];
        for (path, topic) in cases {
            assert_eq!(Topic::of(path), topic, "{path}");
        }
    }
}
