//! OpenFeature Remote Evaluation Protocol (OFREP 0.3): how providers of OpenFeature's SDKs ask for flags.
//!
//! Who asks and what they get is as in `v1/evaluations`; words, error codes and the form of errors are the protocol's, and
//! are written by [`flags::ofrep`]: the types here describe them.
//! Source: <https://github.com/open-feature/protocol>.

use axum::response::Response;
use control::Error;
use domain::tracking::SdkKeyKind;
use flags::ofrep::{self, Failure, Found};
use flags::{Attributes, Missing, Set};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::answer;
use crate::call::Call;
use crate::endpoint::{Access, Endpoint, Typed};
use crate::parameter::{Parameter, text};
use crate::sdk_key::{self, Holder};
use crate::v1::evaluations::{QUESTION_BYTES_MAX, expose, tagged};

/// Where flags are asked for; one by one with their keys behind it.
const PATH: &str = "/ofrep/v1/evaluate/flags";

/// Whom flags are asked about.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
struct OfrepRequest {
    /// The evaluation context. `targetingKey` is `user_id` as well, unless that is there too; what is nested is read with
    /// its path, as `company.name`.
    #[serde(default)]
    #[schema(value_type = Object)]
    context: Value,
}

/// What somebody gets of a flag.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
struct OfrepEvaluation {
    /// The flag's key.
    key: String,
    /// The value; absent where it is `null`, so that the caller's default holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Value, required = false)]
    value: Option<Value>,
    /// Why, in the words of OpenFeature: `STATIC`, `TARGETING_MATCH`, `SPLIT`, `DEFAULT`, `DISABLED`.
    reason: String,
    /// The variant.
    variant: String,
    /// `flagVersion`; `rule` and `assignmentId` if there is one; `reason` if ours says more than OpenFeature's.
    #[schema(value_type = Object)]
    metadata: Map<String, Value>,
}

/// What somebody gets of all flags.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct OfrepEvaluations {
    /// In the order of their keys.
    flags: Vec<OfrepEvaluation>,
    /// Where it is told that something has changed; for keys of kind `client`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    event_streams: Vec<OfrepEventStream>,
}

/// Where it is told that something has changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
struct OfrepEventStream {
    /// `sse`.
    r#type: String,
    /// Where it is.
    endpoint: OfrepEndpoint,
}

/// Where an event stream is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct OfrepEndpoint {
    /// Path and query, on the server that was asked.
    request_uri: String,
}

/// Why there is no evaluation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
struct OfrepFailure {
    /// The flag's key, if one was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    /// OpenFeature's code: `PARSE_ERROR`, `INVALID_CONTEXT`, `FLAG_NOT_FOUND`.
    #[serde(rename = "errorCode")]
    error_code: String,
    /// What is wrong.
    #[serde(rename = "errorDetails")]
    error_details: String,
}

/// Whether a path is one under which pages may ask with a key of theirs.
pub(crate) fn evaluates(path: &str) -> bool {
    path.strip_prefix(PATH)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// `ofrep_evaluate_flag`, `ofrep_evaluate_flags`.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![one(), all()]
}

fn asked(endpoint: Endpoint) -> Endpoint {
    let context = json!({ "targetingKey": "123", "country": "DE" });
    endpoint
        .tag("feature-flags")
        .access(Access::Open)
        .not_idempotent()
        .frequent()
        .takes_sdk_key()
        .body(&OfrepRequest { context })
        .body_as(|body| {
            body.bytes_max = QUESTION_BYTES_MAX;
            body.required = false;
            body.typed = Typed::Never;
        })
}

fn one() -> Endpoint {
    asked(
        Endpoint::post(format!("{PATH}/{{key}}"), "ofrep_evaluate_flag").says(
            "Evaluate a feature flag (OFREP)",
            "For providers of OpenFeature's SDKs for servers: their base URL is this server's, without a path.",
        ),
    )
    .takes(Parameter::path("key", "The flag's key.", text(100)))
    .answers::<OfrepEvaluation>(200, "What they get.")
    .answers::<OfrepFailure>(400, "The context cannot be read.")
    .answers::<OfrepFailure>(404, "There is no such flag; the SDK goes on with the caller's default.")
    .to(|call| async move {
        let holder = sdk_key::identify(&call).await?;
        let key: String = call.path("key")?;
        answer_one(&call, &holder, &key).await
    })
}

fn all() -> Endpoint {
    asked(
        Endpoint::post(PATH, "ofrep_evaluate_flags").says(
            "Evaluate all feature flags (OFREP)",
            "For providers of OpenFeature's SDKs for pages and apps. The `ETag` is that of the answer: it stays the same until \
             a flag or something that a flag reads of the context gives another one.",
        ),
    )
    .takes(Parameter::header(
        "If-None-Match",
        "The `ETag` of the answer that is there already; 304 if it is still the same.",
        text(1000),
    ))
    .answers::<OfrepEvaluations>(200, "What they get.")
    .with_headers(&["ETag"])
    .answers_with(304, "What is there already.", Vec::new())
    .answers::<OfrepFailure>(400, "The context cannot be read.")
    .to(|call| async move {
        let holder = sdk_key::identify(&call).await?;
        answer_all(&call, &holder).await
    })
}

async fn answer_one(call: &Call, holder: &Holder, key: &str) -> Result<Response, Error> {
    let attributes = match Attributes::from_context(&call.body) {
        Ok(attributes) => attributes,
        Err(fault) => return answer::json(StatusCode::BAD_REQUEST, &Failure::of(Some(key), &fault)),
    };
    let sets = call.control().flag_sets().await?;
    let set = sets.of(&holder.key);
    let found = set
        .ok_or_else(|| Missing::new(key, &holder.key.environment))
        .and_then(|set| {
            let found = set.evaluate(holder.asker(), key, &attributes, call.control().now())?;
            expose(call, holder, (set, &found), &attributes);
            Ok(found)
        });
    match found {
        Ok(found) => answer::json(StatusCode::OK, &Found::from(found)),
        Err(missing) => answer::json(StatusCode::NOT_FOUND, &Failure::missing(key, &missing)),
    }
}

async fn answer_all(call: &Call, holder: &Holder) -> Result<Response, Error> {
    let attributes = match Attributes::from_context(&call.body) {
        Ok(attributes) => attributes,
        Err(fault) => return answer::json(StatusCode::BAD_REQUEST, &Failure::of(None, &fault)),
    };
    let sets = call.control().flag_sets().await?;
    let asked = (None, &attributes);
    let body = sets.of(&holder.key).map_or_else(
        || Ok(Set::NOTHING.to_vec()),
        |set| set.list(holder.asker(), asked, call.control().now(), ofrep::write),
    );
    let mut body = body.map_err(|error| Error::internal("writing an answer", error))?;
    if holder.key.kind == SdkKeyKind::Client {
        // Everybody can read such a key, so it may stand in an address; browsers send no headers with this.
        ofrep::add_streams(&mut body, sdk_key::text_of(call)?);
    }
    Ok(tagged(call, body))
}
