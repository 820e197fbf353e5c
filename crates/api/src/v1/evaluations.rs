//! What somebody gets of feature flags: asked by programs with an SDK key.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use control::Error;
use domain::Code;
use domain::flag::{
    FlagAssignments, FlagDefinitions, FlagEvaluation, FlagQuestion, FlagsEvaluation, FlagsQuestion,
};
use domain::snapshot::Snapshot;
use domain::tracking::SdkKeyKind;
use events::ingest::Key;
use events::{Exposure, Exposures};
use flags::{Attributes, Evaluated, Missing, Question, Set, Words};
use futures_util::stream::{self, Stream};
use http::{HeaderValue, StatusCode, header};
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::feature_flags::{COLLECTION, attributes};
use crate::app::App;
use crate::call::Call;
use crate::endpoint::{Access, Endpoint, Typed};
use crate::etag;
use crate::parameter::{Parameter, text};
use crate::sdk_key::{self, Holder};

/// Most bytes of what is known of somebody.
pub(crate) const QUESTION_BYTES_MAX: usize = 64 << 10;
/// Where it is told who is in what.
const ASSIGNMENTS: &str = "/api/v1/assignments";
/// The content type of server-sent events.
pub(crate) const EVENTS: &str = "text/event-stream";
/// How long nothing is told before a sign of life is.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Whether pages may ask at a path with a key of theirs.
pub(crate) fn evaluates(path: &str) -> bool {
    let rest = path
        .strip_prefix(COLLECTION)
        .and_then(|rest| rest.strip_prefix('/'));
    rest.is_some_and(|rest| rest == "changes" || rest == "evaluate" || rest.ends_with("/evaluate"))
}

/// `evaluate_feature_flag`, `evaluate_feature_flag_for`, `evaluate_feature_flags`, `read_flag_definitions`,
/// `watch_feature_flags`, `read_assignments`, `read_assignments_for`.
pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        evaluate(),
        evaluate_for(),
        evaluate_all(),
        definitions(),
        changes(),
        assignments(),
        assignments_for(),
    ]
}

const EVALUATES: &str = "The flag's state in the environment of the SDK key. What is not known of somebody is never an error: a split \
    by an attribute that is missing gives the variant `off` with the reason `unit_missing`. A key of kind `client` may ask \
    for flags with `client_side` only, and is told values, never rules. If a split decided, it is recorded who was given \
    which variant, as an event of the type `flag_exposure`.";

fn asked(endpoint: Endpoint) -> Endpoint {
    endpoint
        .tag("feature-flags")
        .access(Access::Open)
        .not_idempotent()
        .frequent()
        .takes_sdk_key()
}

/// Takes what is known of them in the query.
fn by_query(endpoint: Endpoint) -> Endpoint {
    let any = json!({ "type": "object", "additionalProperties": { "type": "string", "maxLength": 8000 } });
    endpoint.takes(Parameter::query(
        "attributes",
        "What is known of them, each as a parameter of its own: `?user_id=123&country=DE`.",
        any,
    ))
}

fn asked_of_one(endpoint: Endpoint) -> Endpoint {
    asked(endpoint)
        .takes(Parameter::path("key", "The flag's key.", text(100)))
        .answers::<FlagEvaluation>(200, "What they get.")
        .refuses(&[Code::FlagNotFound])
}

fn evaluate() -> Endpoint {
    let endpoint = Endpoint::get(format!("{COLLECTION}/{{key}}/evaluate"), "evaluate_feature_flag");
    by_query(asked_of_one(endpoint.says("Evaluate a feature flag", EVALUATES))).to(|call| async move {
        let holder = sdk_key::identify(&call).await?;
        let known = Attributes::from_pairs(&call.query);
        answer_one(&call, &holder, known.map_err(Error::from)).await
    })
}

fn evaluate_for() -> Endpoint {
    let example = FlagQuestion {
        attributes: attributes(),
    };
    let path = format!("{COLLECTION}/{{key}}/evaluate");
    asked_of_one(Endpoint::post(path, "evaluate_feature_flag_for").says(
        "Evaluate a feature flag for somebody of whom more is known",
        EVALUATES,
    ))
    .body(&example)
    .body_as(|body| {
        body.bytes_max = QUESTION_BYTES_MAX;
        body.typed = Typed::Never;
    })
    .to(|call| async move {
        let holder = sdk_key::identify(&call).await?;
        let known = Question::read(&call.body).and_then(Question::of_one);
        answer_one(&call, &holder, known.map_err(Error::from)).await
    })
}

fn evaluate_all() -> Endpoint {
    let example = FlagsQuestion {
        attributes: attributes(),
        flags: None,
    };
    asked(Endpoint::post(format!("{COLLECTION}/evaluate"), "evaluate_feature_flags").says(
        "Evaluate feature flags",
        "What somebody gets of all flags that the key may ask for, or of those that `flags` names; of one that is not there \
         nothing is told. Nothing is recorded: send an event of the type `flag_exposure` about the value of the attribute `by` \
         when a variant is used that a split gave. The `ETag` is that of the answer: it stays the same until a flag, or something that a flag reads of the attributes, gives \
         another one.",
    ))
    .body(&example)
    .body_as(|body| {
        body.bytes_max = QUESTION_BYTES_MAX;
        body.typed = Typed::Never;
    })
    .takes(if_none_match())
    .answers::<FlagsEvaluation>(200, "What they get, in the order of the flags' keys.")
    .with_headers(&["ETag"])
    .answers_with(304, "What is there already.", Vec::new())
    .to(|call| async move {
        let holder = sdk_key::identify(&call).await?;
        answer_all(&call, &holder).await
    })
}

fn definitions() -> Endpoint {
    asked(Endpoint::get(format!("{COLLECTION}/definitions"), "read_flag_definitions").says(
        "Read the definitions of feature flags",
        "For SDKs that evaluate by themselves: the flags of the key's environment with all their rules, and the segments that \
         they name. Only for keys of kind `server`. It is another answer, with another `ETag`, whenever one of them changes.",
    ))
    .takes(if_none_match())
    .answers::<FlagDefinitions>(200, "The definitions.")
    .with_headers(&["ETag"])
    .answers_with(304, "What is there already.", Vec::new())
    .refuses(&[Code::SdkKeyKind])
    .to(|call| async move {
        let holder = sdk_key::identify(&call).await?;
        wants_server(&holder)?;
        let set = set_of(&call, &holder).await?;
        let tag = set.as_ref().map_or("none", |set| set.tag());
        tagged_as(&call, tag, || {
            let none = || Set::no_definitions(&holder.key.environment);
            Ok(set.as_ref().map_or_else(none, |set| set.definitions().clone()))
        })
    })
}

fn changes() -> Endpoint {
    asked(Endpoint::get(format!("{COLLECTION}/changes"), "watch_feature_flags").says(
        "Watch for changes of feature flags",
        "Server-sent events: one when the stream begins, and one whenever a flag of the key's environment has changed, with \
         `{\"type\": \"refetchEvaluation\", \"etag\": …}` as its data, as OFREP has it. What has changed is asked for then. The \
         stream ends when the key does.",
    ))
    .answers_with(200, "The events.", vec![(EVENTS, json!({ "type": "string" }))])
    .refuses(&[Code::StreamsLimited])
    .to(|call| async move {
        let holder = sdk_key::identify(&call).await?;
        stream(&call, &holder, flags::changes::event).await
    })
}

const EXPLAINS: &str = "What somebody gets of each flag, with every step on the way there: which prerequisites, overrides, rules \
    and gates were looked at, and where in a split the unit is. Only for keys of kind `server`. Nothing is recorded.";

fn explained(endpoint: Endpoint) -> Endpoint {
    asked(endpoint)
        .answers::<FlagAssignments>(200, "What they get, in the order of the flags' keys.")
        .refuses(&[Code::SdkKeyKind])
}

fn assignments() -> Endpoint {
    let endpoint = Endpoint::get(ASSIGNMENTS, "read_assignments");
    by_query(explained(endpoint.says("Read who is in what, and why", EXPLAINS))).to(|call| async move {
        let holder = sdk_key::identify(&call).await?;
        let question = Question {
            attributes: Attributes::from_pairs(&call.query)?,
            flags: None,
        };
        explain(&call, &holder, &question).await
    })
}

fn assignments_for() -> Endpoint {
    let example = FlagsQuestion {
        attributes: attributes(),
        flags: None,
    };
    explained(Endpoint::post(ASSIGNMENTS, "read_assignments_for").says(
        "Read what somebody is in of whom more is known, and why",
        format!("{EXPLAINS} `flags` names some of them."),
    ))
    .body(&example)
    .body_as(|body| {
        body.bytes_max = QUESTION_BYTES_MAX;
        body.typed = Typed::Never;
    })
    .to(|call| async move {
        let holder = sdk_key::identify(&call).await?;
        explain(&call, &holder, &Question::read(&call.body)?).await
    })
}

async fn explain(call: &Call, holder: &Holder, question: &Question<'_>) -> Result<Response, Error> {
    wants_server(holder)?;
    let set = set_of(call, holder).await?;
    let assignments = set.map(|set| set.explain_each(question, call.control().now()));
    let assignments = FlagAssignments {
        assignments: assignments.unwrap_or_default(),
    };
    crate::answer::json(StatusCode::OK, &assignments)
}

pub(crate) fn if_none_match() -> Parameter {
    Parameter::header(
        "If-None-Match",
        "The `ETag` of the answer that is there already; 304 if it is still the same.",
        text(1000),
    )
}

/// Wants a key that is kept secret.
pub(crate) fn wants_server(holder: &Holder) -> Result<(), Error> {
    if holder.key.kind == SdkKeyKind::Server {
        return Ok(());
    }
    let detail = "The key is one for pages and apps, where everybody can read it.";
    Err(Error::refused(Code::SdkKeyKind, detail))
}

/// The flags that the holder of a key may ask for.
pub(crate) async fn set_of(call: &Call, holder: &Holder) -> Result<Option<Arc<Set>>, Error> {
    let sets = call.control().flag_sets().await?;
    Ok(sets.of(&holder.key).cloned())
}

async fn answer_one(
    call: &Call,
    holder: &Holder,
    attributes: Result<Attributes<'_>, Error>,
) -> Result<Response, Error> {
    let flag: String = call.path("key")?;
    let attributes = attributes?;
    let set = set_of(call, holder).await?;
    let set = set.ok_or_else(|| Missing::new(&flag, &holder.key.environment))?;
    let found = set.evaluate(holder.asker(), &flag, &attributes, call.control().now())?;
    expose(call, holder, (&set, &found), &attributes);
    crate::answer::json(StatusCode::OK, &FlagEvaluation::from(found))
}

/// Records that a variant was given, if it depends on who it is.
pub(crate) fn expose(
    call: &Call,
    holder: &Holder,
    (set, found): (&Set, &Evaluated<'_>),
    attributes: &Attributes<'_>,
) {
    let (Some(ingest), Some(event_type), Some(by)) = (&call.app.settings.ingest, set.exposures(), found.by)
    else {
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
    Exposures::new(ingest.intake().clone()).note(&holder.key, &exposure, call.control().now());
}

async fn answer_all(call: &Call, holder: &Holder) -> Result<Response, Error> {
    let question = Question::read(&call.body)?;
    let set = set_of(call, holder).await?;
    let asked = (question.flags.as_deref(), &question.attributes);
    let body = set.map(|set| {
        set.list(holder.asker(), asked, call.control().now(), |found, out| {
            found.write_listed(out)
        })
    });
    let body = body.unwrap_or_else(|| Ok(Set::NOTHING.to_vec()));
    let body = body.map_err(|error| Error::internal("writing an answer", error))?;
    Ok(tagged(call, body))
}

/// An answer of JSON with its tag, or 304 if it is there already.
pub(crate) fn tagged(call: &Call, body: impl Into<Bytes>) -> Response {
    let body = body.into();
    let tag = etag::of_content(&body);
    marked(call, tag, || Ok(body)).expect("it is written already")
}

/// The same with a tag of letters and digits that is known before the answer is written.
pub(crate) fn tagged_as(
    call: &Call,
    tag: &str,
    write: impl FnOnce() -> Result<Bytes, Error>,
) -> Result<Response, Error> {
    let tag = HeaderValue::try_from(format!("\"{tag}\"")).expect("letters and digits in quotes");
    marked(call, tag, write)
}

fn marked(
    call: &Call,
    tag: HeaderValue,
    write: impl FnOnce() -> Result<Bytes, Error>,
) -> Result<Response, Error> {
    let mut response = if etag::is_known(call, &tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let kind = HeaderValue::from_static("application/json");
        ([(header::CONTENT_TYPE, kind)], write()?).into_response()
    };
    let headers = response.headers_mut();
    headers.insert(header::ETAG, tag);
    let cache = HeaderValue::from_static("private, no-cache");
    headers.insert(header::CACHE_CONTROL, cache);
    Ok(response)
}

/// A stream of events that say which tag the flags of a key's environment have.
pub(crate) async fn stream(
    call: &Call,
    holder: &Holder,
    event: fn(&str) -> String,
) -> Result<Response, Error> {
    answer_stream(call, holder, Tell::Tag(event)).await
}

/// The same of events that say what the flags are, or what has changed since the tag that was told before.
pub(crate) async fn stream_sets(
    call: &Call,
    holder: &Holder,
    event: fn(Option<&Set>, Option<&str>) -> Bytes,
) -> Result<Response, Error> {
    answer_stream(call, holder, Tell::Set(event)).await
}

async fn answer_stream(call: &Call, holder: &Holder, tell: Tell) -> Result<Response, Error> {
    let place = Arc::clone(&call.app.flag_streams).try_acquire_owned();
    let place = place.map_err(|_| {
        let most = call.app.settings.flag_streams_max;
        let detail = format!("{most} streams of changes are open at this process.");
        Error::refused(Code::StreamsLimited, detail)
    })?;
    let watch = Watch {
        snapshots: call.control().snapshots(&holder.key.environment).await?,
        app: call.app.clone(),
        key: Arc::clone(&holder.key),
        told: None,
        tell,
        _place: place,
    };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(EVENTS)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((headers, Body::from_stream(watch.events())).into_response())
}

/// Writes flags in the words of another product, once and not where calls are answered: thousands take a while.
pub(crate) async fn written(set: Option<&Arc<Set>>, words: Words) -> Result<(), Error> {
    let Some(set) = set.filter(|set| !set.is_written(words)) else {
        return Ok(());
    };
    let set = Arc::clone(set);
    let written = tokio::task::spawn_blocking(move || set.write(words));
    written
        .await
        .map_err(|error| Error::internal("writing flags", error))
}

/// A number from 0 up to 1 that nobody knows before.
pub(crate) fn by_chance() -> f64 {
    // Its keys are the system's randomness.
    let random = RandomState::new().hash_one(0_u8);
    (random >> 11) as f64 / (1_u64 << 53) as f64
}

/// Who wants to hear of changes.
struct Watch {
    snapshots: watch::Receiver<Arc<Snapshot>>,
    app: App,
    key: Arc<Key>,
    /// The tag that was told last.
    told: Option<String>,
    tell: Tell,
    _place: OwnedSemaphorePermit,
}

/// What is told.
#[derive(Clone, Copy)]
enum Tell {
    Tag(fn(&str) -> String),
    Set(fn(Option<&Set>, Option<&str>) -> Bytes),
}

impl Watch {
    fn events(self) -> impl Stream<Item = Result<Bytes, Error>> {
        stream::unfold(self, |mut watch| async move {
            let event = watch.next().await.transpose()?;
            Some((event, watch))
        })
    }

    /// The next event, or a sign of life; `None` when the key has ended.
    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            let Some(tag) = self.tag() else { return Ok(None) };
            if self.told.as_ref() != Some(&tag) {
                let event = self.event(&tag).await?;
                self.told = Some(tag);
                return Ok(Some(event));
            }
            tokio::select! {
                () = self.app.settings.stopped() => return Ok(None),
                changed = self.snapshots.changed() => if changed.is_err() {
                    return Ok(None);
                },
                () = tokio::time::sleep(HEARTBEAT) => {
                    return Ok(Some(Bytes::from_static(flags::changes::SIGN_OF_LIFE)));
                }
            }
        }
    }

    /// The tag of the flags now; `None` if the key has ended.
    fn tag(&mut self) -> Option<String> {
        let snapshot = self.snapshots.borrow_and_update();
        let now = self.app.control.now();
        let mut keys = snapshot.sdk_keys.iter();
        keys.find(|key| key.id == self.key.id && key.is_valid(now))?;
        let mut sets = snapshot.flags.iter();
        let set = sets.find(|set| set.organization == self.key.organization);
        Some(set.map_or_else(|| "none".to_owned(), |set| set.tag.clone()))
    }

    async fn event(&self, tag: &str) -> Result<Bytes, Error> {
        match self.tell {
            Tell::Tag(event) => Ok(event(tag).into()),
            Tell::Set(event) => {
                let sets = self.app.control.flag_sets().await?;
                let set = sets.of(&self.key).cloned();
                // Written once for all who listen, but not where calls are answered.
                let told = self.told.clone();
                let written = tokio::task::spawn_blocking(move || event(set.as_deref(), told.as_deref()));
                written
                    .await
                    .map_err(|error| Error::internal("writing flags", error))
            }
        }
    }
}
