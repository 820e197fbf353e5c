//! What SDKs of GrowthBook ask for: features with their rules, a stream that tells of changes, values for pages.
//!
//! The key stands in the path, where these SDKs put it. Payloads are written by [`flags::growthbook`] and
//! `dialects::growthbook`. Source: GrowthBook's documentation of SDK endpoints.

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use control::Error;
use domain::Code;
use flags::{Words, growthbook};
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::call::Call;
use crate::endpoint::{Access, Endpoint, Typed};
use crate::parameter::{Parameter, text};
use crate::sdk_key::{self, Holder};
use crate::v1::evaluations::{self, EVENTS, QUESTION_BYTES_MAX, if_none_match, tagged_as, wants_server};

const FEATURES: &str = "/api/features";
const EVAL: &str = "/api/eval";
const CHANGES: &str = "/sub";
/// Tells SDKs that there is a stream.
const SSE_SUPPORT: HeaderName = HeaderName::from_static("x-sse-support");
const SUPPORTED: HeaderValue = HeaderValue::from_static("enabled");

/// Whom features are asked about.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
struct GrowthbookQuestion {
    /// What is known of them.
    #[schema(value_type = Object)]
    attributes: Value,
}

/// Whether a path is one under which pages may ask with a key of theirs.
pub(crate) fn evaluates(path: &str) -> bool {
    [FEATURES, EVAL, CHANGES].iter().any(|own| {
        let rest = path.strip_prefix(own).and_then(|rest| rest.strip_prefix('/'));
        rest.is_some_and(|key| !key.is_empty() && !key.contains('/'))
    })
}

/// `growthbook_features`, `growthbook_evaluate`, `growthbook_changes`.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![features(), evaluate(), changes()]
}

fn asked(endpoint: Endpoint) -> Endpoint {
    endpoint
        .tag("feature-flags")
        .access(Access::Open)
        .not_idempotent()
        .frequent()
        .takes(Parameter::path("key", "The SDK key.", text(200)))
        .refuses(&[
            Code::SdkKeyInvalid,
            Code::SdkKeyKind,
            Code::OriginRefused,
            Code::StoreUnavailable,
        ])
}

fn payload() -> Vec<(&'static str, Value)> {
    vec![("application/json", json!({ "type": "object" }))]
}

fn features() -> Endpoint {
    asked(Endpoint::get(format!("{FEATURES}/{{key}}"), "growthbook_features").says(
        "Read features (GrowthBook)",
        "For SDKs of GrowthBook that evaluate by themselves: `features` and `savedGroups` of the key's environment, with all \
         rules. Only for keys of kind `server`; pages use remote evaluation (`remoteEval: true`). A flag whose variants \
         these SDKs would hand out otherwise is left out.",
    ))
    .takes(if_none_match())
    .answers_with(200, "The features.", payload())
    .with_headers(&["ETag"])
    .answers_with(304, "What is there already.", Vec::new())
    .to(|call| async move {
        let holder = holder(&call).await?;
        wants_server(&holder)?;
        let set = evaluations::set_of(&call, &holder).await?;
        evaluations::written(set.as_ref(), Words::GrowthBook).await?;
        // What is encrypted is another text each time, so the tag is that of the flags.
        let tag = set.as_ref().map_or("none", |set| set.tag());
        let write = || call.control().growthbook_payload(&holder.key, set.as_deref());
        let mut response = tagged_as(&call, tag, write)?;
        response.headers_mut().insert(SSE_SUPPORT, SUPPORTED);
        Ok(response)
    })
}

fn evaluate() -> Endpoint {
    asked(Endpoint::post(format!("{EVAL}/{{key}}"), "growthbook_evaluate").says(
        "Evaluate features (GrowthBook)",
        "For SDKs of GrowthBook with `remoteEval: true`: what somebody with these `attributes` gets of all flags that the key \
         may ask for, as features whose rules say what to track and nothing else. What an SDK forces (`forcedFeatures`, `forcedVariations`), it forces itself.",
    ))
    .body(&GrowthbookQuestion {
        attributes: json!({ "id": "123", "country": "DE" }),
    })
    .body_as(|body| {
        body.bytes_max = QUESTION_BYTES_MAX;
        body.typed = Typed::Never;
    })
    .answers_with(200, "The values.", payload())
    .to(|call| async move {
        let holder = holder(&call).await?;
        answer_values(&call, &holder).await
    })
}

fn changes() -> Endpoint {
    asked(Endpoint::get(format!("{CHANGES}/{{key}}"), "growthbook_changes").says(
        "Watch for changes of features (GrowthBook)",
        "Server-sent events: `features-updated` when the stream begins, and whenever a flag of the key's environment has \
         changed.",
    ))
    .answers_with(
        200,
        "The events.",
        vec![(EVENTS, json!({ "type": "string" }))],
    )
    .refuses(&[Code::StreamsLimited])
    .to(|call| async move {
        let holder = holder(&call).await?;
        evaluations::stream(&call, &holder, growthbook::updated).await
    })
}

async fn holder(call: &Call) -> Result<Holder, Error> {
    let key: String = call.path("key")?;
    sdk_key::identify_by(call, &key).await
}

async fn answer_values(call: &Call, holder: &Holder) -> Result<Response, Error> {
    let attributes = growthbook::attributes(&call.body)?;
    let set = evaluations::set_of(call, holder).await?;
    let now = call.control().now();
    let body = growthbook::values(set.as_deref(), holder.asker(), &attributes, now);
    let body = body.map_err(|error| Error::internal("writing an answer", error))?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (SSE_SUPPORT, SUPPORTED),
    ];
    Ok((StatusCode::OK, headers, Body::from(body)).into_response())
}
