//! What clients of Unleash ask for: features with their rules, toggles for pages, and what they report.
//!
//! Documents are written by [`flags::unleash`] and `dialects::unleash`. The key is sent in `Authorization`, without a scheme.
//! Source: Unleash's reference of the client and the frontend API.

use std::borrow::Cow;

use axum::response::{IntoResponse as _, Response};
use control::Error;
use control::flag::Evaluations;
use domain::Code;
use flags::Words;
use flags::unleash::{self, Context, Count};
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::call::Call;
use crate::endpoint::{Access, Endpoint, Typed};
use crate::parameter::{Parameter, text};
use crate::sdk_key::{self, Holder};
use crate::v1::evaluations::{self, EVENTS, QUESTION_BYTES_MAX, if_none_match, tagged, wants_server};

const CLIENT: &str = "/api/client";
const FRONTEND: &str = "/api/frontend";
/// The most bytes of a report.
const REPORT_BYTES_MAX: usize = 1 << 20;

/// Whom toggles are asked about.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
struct UnleashQuestion {
    /// What is known of them.
    #[schema(value_type = Object)]
    context: Value,
}

/// What a client says of itself.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct UnleashReport {
    /// The program.
    app_name: String,
    /// How often features were evaluated.
    #[serde(default)]
    #[schema(value_type = Object)]
    bucket: Value,
}

/// Whether a path is one under which pages may ask with a key of theirs.
pub(crate) fn evaluates(path: &str) -> bool {
    let rest = path.strip_prefix(FRONTEND);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// `unleash_features`, `unleash_delta`, `unleash_changes`, `unleash_register`, `unleash_metrics`, `unleash_toggles`,
/// `unleash_toggles_for`, `unleash_frontend_register`, `unleash_frontend_metrics`.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        features(),
        delta(),
        changes(),
        register(format!("{CLIENT}/register"), "unleash_register"),
        metrics(format!("{CLIENT}/metrics"), "unleash_metrics"),
        toggles(),
        toggles_for(),
        register(format!("{FRONTEND}/client/register"), "unleash_frontend_register"),
        metrics(format!("{FRONTEND}/client/metrics"), "unleash_frontend_metrics"),
    ]
}

fn asked(endpoint: Endpoint) -> Endpoint {
    endpoint
        .tag("feature-flags")
        .access(Access::Open)
        .not_idempotent()
        .frequent()
        .takes_sdk_key()
}

fn document() -> Vec<(&'static str, Value)> {
    vec![("application/json", json!({ "type": "object" }))]
}

/// What clients narrow down by; of one environment there is one project, so only the prefix does.
fn narrowed(endpoint: Endpoint) -> Endpoint {
    let tags = json!({ "type": "array", "items": { "type": "string", "maxLength": 200 }, "maxItems": 100 });
    endpoint
        .takes(Parameter::query(
            "project",
            "Taken, but it narrows nothing down: there is one project.",
            text(200),
        ))
        .takes(Parameter::query(
            "tag",
            "Taken, as `type:value`, but it narrows nothing down.",
            tags,
        ))
}

fn features() -> Endpoint {
    narrowed(asked(Endpoint::get(format!("{CLIENT}/features"), "unleash_features").says(
        "Read features (Unleash)",
        "For clients of Unleash that evaluate by themselves: the flags of the key's environment as features with strategies. \
         Only for keys of kind `server`. A flag whose variants these clients would hand out otherwise is left out.",
    )))
    .takes(Parameter::query(
        "namePrefix",
        "Only features whose names begin so.",
        text(100),
    ))
    .takes(if_none_match())
    .answers_with(200, "The features.", document())
    .with_headers(&["ETag"])
    .answers_with(304, "What is there already.", Vec::new())
    .refuses(&[Code::SdkKeyKind])
    .to(|call| async move {
        let holder = sdk_key::identify(&call).await?;
        wants_server(&holder)?;
        let set = evaluations::set_of(&call, &holder).await?;
        evaluations::written(set.as_ref(), Words::Unleash).await?;
        let Some(set) = set else {
            return Ok(tagged(&call, unleash::NOTHING));
        };
        if let Some(prefix) = call.query("namePrefix") {
            return Ok(tagged(&call, unleash::document_of(&set, prefix)));
        }
        let written = set.unleash();
        evaluations::tagged_as(&call, &written.tag, || Ok(written.document.clone()))
    })
}

fn delta() -> Endpoint {
    narrowed(asked(Endpoint::get(format!("{CLIENT}/delta"), "unleash_delta").says(
        "Read what has changed of features (Unleash)",
        "For clients of Unleash that poll for changes only: which features are others than when the answer with the `ETag` in \
         `If-None-Match` was given, and all of them if that is too long ago. Only for keys of kind `server`.",
    )))
    .takes(Parameter::query(
        "namePrefix",
        "Taken, but it narrows nothing down.",
        text(100),
    ))
    .takes(if_none_match())
    .answers_with(200, "The events.", document())
    .with_headers(&["ETag"])
    .answers_with(304, "What is there already.", Vec::new())
    .refuses(&[Code::SdkKeyKind])
    .to(|call| async move {
        let holder = sdk_key::identify(&call).await?;
        wants_server(&holder)?;
        let set = evaluations::set_of(&call, &holder).await?;
        let known = call.header(header::IF_NONE_MATCH);
        let known = known.map(|tag| tag.trim().trim_start_matches("W/").trim_matches('"'));
        let tag = set.as_ref().map_or("none", |set| set.tag());
        evaluations::written(set.as_ref(), Words::Unleash).await?;
        evaluations::tagged_as(&call, tag, || Ok(unleash::delta(set.as_deref(), known).into()))
    })
}

fn changes() -> Endpoint {
    asked(Endpoint::get(format!("{CLIENT}/streaming"), "unleash_changes").says(
        "Stream features (Unleash)",
        "Server-sent events for clients of Unleash in streaming mode: all features when the stream begins, \
         `unleash-connected`, and again whenever one has changed, `unleash-updated`. Only for keys of kind `server`.",
    ))
    .answers_with(
        200,
        "The events.",
        vec![(EVENTS, json!({ "type": "string" }))],
    )
    .refuses(&[Code::SdkKeyKind, Code::StreamsLimited])
    .to(|call| async move {
        let holder = sdk_key::identify(&call).await?;
        wants_server(&holder)?;
        evaluations::stream_sets(&call, &holder, unleash::event).await
    })
}

fn toggles() -> Endpoint {
    asked(Endpoint::get(FRONTEND, "unleash_toggles").says("Evaluate toggles (Unleash)", TOGGLES))
        .takes(Parameter::query(
            "context",
            "What is known of somebody, each as a parameter of its own: `?userId=123&properties[plan]=pro`.",
            json!({ "type": "object", "additionalProperties": { "type": "string", "maxLength": 8000 } }),
        ))
        .takes(if_none_match())
        .answers_with(200, "The toggles that are on.", document())
        .with_headers(&["ETag"])
        .answers_with(304, "What is there already.", Vec::new())
        .to(|call| async move {
            let holder = sdk_key::identify(&call).await?;
            let pairs = call.query.iter();
            let pairs = pairs.map(|(name, value)| (Cow::from(name.as_str()), Cow::from(value.as_str())));
            let context = Context::from_pairs(pairs).map_err(Error::from);
            answer_toggles(&call, &holder, context).await
        })
}

fn toggles_for() -> Endpoint {
    asked(
        Endpoint::post(FRONTEND, "unleash_toggles_for")
            .says("Evaluate toggles for a context (Unleash)", TOGGLES),
    )
    .body(&UnleashQuestion {
        context: json!({ "userId": "123", "properties": { "plan": "pro" } }),
    })
    .body_as(|body| {
        body.bytes_max = QUESTION_BYTES_MAX;
        body.typed = Typed::Never;
    })
    .answers_with(200, "The toggles that are on.", document())
    .to(|call| async move {
        let holder = sdk_key::identify(&call).await?;
        let context = Context::from_body(&call.body).map_err(Error::from);
        answer_toggles(&call, &holder, context).await
    })
}

const TOGGLES: &str = "For pages and apps with a client of Unleash: which flags are on for somebody, each with its variant. \
    `userId`, `sessionId`, `remoteAddress` and `appName` are `user_id`, `session_id`, `remote_address` and `app_name` for \
    flags; properties are called as they are.";

fn register(path: String, id: &'static str) -> Endpoint {
    report(Endpoint::post(path, id).says(
        "Register a client (Unleash)",
        "Clients of Unleash say at their start who they are. The key says that already, so nothing is kept of it.",
    ))
    .to(|call| async move {
        sdk_key::identify(&call).await?;
        Ok(StatusCode::ACCEPTED.into_response())
    })
}

fn metrics(path: String, id: &'static str) -> Endpoint {
    report(Endpoint::post(path, id).says(
        "Report evaluations (Unleash)",
        "Clients of Unleash say now and then how often each feature was on, off, and with which variant: it is counted with \
         the flag's evaluations.",
    ))
    .to(|call| async move {
        let holder = sdk_key::identify(&call).await?;
        answer_metrics(&call, &holder).await
    })
}

fn report(endpoint: Endpoint) -> Endpoint {
    asked(endpoint)
        .body(&UnleashReport {
            app_name: "shop".to_owned(),
            bucket: json!({ "toggles": {} }),
        })
        .body_as(|body| {
            body.bytes_max = REPORT_BYTES_MAX;
            body.typed = Typed::Never;
        })
        .answers_with(202, "It is taken.", Vec::new())
}

async fn answer_toggles(
    call: &Call,
    holder: &Holder,
    context: Result<Context<'_>, Error>,
) -> Result<Response, Error> {
    let mut context = context?;
    context.put_random(evaluations::by_chance());
    let set = evaluations::set_of(call, holder).await?;
    let now = call.control().now();
    let body = set.map(|set| unleash::toggles(&set, holder.asker(), &context, now));
    let body = body.unwrap_or_else(|| Ok(br#"{"toggles":[]}"#.to_vec()));
    let body = body.map_err(|error| Error::internal("writing an answer", error))?;
    Ok(tagged(call, body))
}

async fn answer_metrics(call: &Call, holder: &Holder) -> Result<Response, Error> {
    let set = evaluations::set_of(call, holder).await?;
    let counts = unleash::metrics(&call.body, (set.as_deref(), holder.asker()))?;
    let rows: Vec<_> = counts
        .into_iter()
        .map(|Count { flag, variant, count }| Evaluations {
            organization: holder.key.organization,
            environment: holder.key.environment.clone(),
            key: flag,
            variant,
            count: i64::try_from(count).unwrap_or(i64::MAX),
            last_at: call.control().now(),
        })
        .collect();
    call.control().count_flag_evaluations(&rows).await?;
    Ok(StatusCode::ACCEPTED.into_response())
}
