//! OpenFeature Remote Evaluation Protocol (OFREP 0.3): how providers of OpenFeature's SDKs ask for flags.
//!
//! Who asks and what they get is as in `v1/feature_flags`; words, error codes and the form of errors are the protocol's.
//! Source: <https://github.com/open-feature/protocol>.

use axum::response::{IntoResponse, Response};
use control::Error;
use control::flag::Attributes;
use domain::Code;
use domain::flag::FlagEvaluation;
use http::{HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::call::Call;
use crate::endpoint::{Access, Endpoint};
use crate::parameter::{Parameter, text};
use crate::sdk_key::{self, Holder};
use crate::v1::feature_flags::QUESTION_BYTES_MAX;
use crate::{answer, cors, etag, problem};

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
    /// The value.
    value: Value,
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
struct OfrepEvaluations {
    /// In the order of their keys.
    flags: Vec<OfrepEvaluation>,
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
        let answered = answer_one(&call, &holder, &key).await;
        Ok(finish(&call, holder, answered))
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
        let answered = answer_all(&call, &holder).await;
        Ok(finish(&call, holder, answered))
    })
}

fn finish(call: &Call, holder: Holder, answered: Result<Response, Error>) -> Response {
    let mut response = answered.unwrap_or_else(|error| problem::answer(&call.origin(), &error));
    if let Some(page) = holder.page {
        cors::admit(page, &mut response);
    }
    response
}

async fn answer_one(call: &Call, holder: &Holder, key: &str) -> Result<Response, Error> {
    let attributes = match attributes(call, Some(key)) {
        Ok(attributes) => attributes,
        Err(failure) => return answer::json(StatusCode::BAD_REQUEST, &failure),
    };
    let sets = call.control().flag_sets().await?;
    match sets.evaluate(&holder.key, key, &attributes, call.control().now()) {
        Ok(found) => answer::json(StatusCode::OK, &OfrepEvaluation::from(found)),
        Err(Error::Refused {
            code: Code::FlagNotFound,
            detail,
            ..
        }) => {
            let failure = failure(Some(key), "FLAG_NOT_FOUND", detail);
            answer::json(StatusCode::NOT_FOUND, &failure)
        }
        Err(error) => Err(error),
    }
}

async fn answer_all(call: &Call, holder: &Holder) -> Result<Response, Error> {
    let attributes = match attributes(call, None) {
        Ok(attributes) => attributes,
        Err(failure) => return answer::json(StatusCode::BAD_REQUEST, &failure),
    };
    let sets = call.control().flag_sets().await?;
    let found = sets.evaluate_all(&holder.key, &attributes, call.control().now());
    let flags = found.into_iter().map(OfrepEvaluation::from);
    let answer = OfrepEvaluations {
        flags: flags.collect(),
    };
    let body = serde_json::to_vec(&answer).map_err(|error| Error::internal("writing an answer", error))?;
    let tag = etag::of_content(&body);
    let mut response = if etag::is_known(call, &tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        answer::json(StatusCode::OK, &answer)?
    };
    let headers = response.headers_mut();
    headers.insert(header::ETAG, tag);
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("private, no-cache"),
    );
    Ok(response)
}

/// What is known of whom it is about.
fn attributes(call: &Call, key: Option<&str>) -> Result<Attributes, OfrepFailure> {
    let request: OfrepRequest = match call.body.as_ref() {
        [] => OfrepRequest::default(),
        body => serde_json::from_slice(body)
            .map_err(|error| failure(key, "PARSE_ERROR", format!("The body is not JSON: {error}.")))?,
    };
    let context = match request.context {
        Value::Null => Map::new(),
        Value::Object(context) => context,
        _ => {
            let detail = "`context` is not an object.".to_owned();
            return Err(failure(key, "INVALID_CONTEXT", detail));
        }
    };
    Attributes::from_context(&context).map_err(|detail| failure(key, "INVALID_CONTEXT", detail))
}

fn failure(key: Option<&str>, code: &str, detail: String) -> OfrepFailure {
    OfrepFailure {
        key: key.map(str::to_owned),
        error_code: code.to_owned(),
        error_details: detail,
    }
}

/// OpenFeature's word for a reason. There are providers that know no others, though the specification allows them.
fn reason(ours: &str) -> String {
    match ours {
        "prerequisite_failed" => "DISABLED".to_owned(),
        "unit_missing" => "DEFAULT".to_owned(),
        other => other.to_ascii_uppercase(),
    }
}

impl From<FlagEvaluation> for OfrepEvaluation {
    fn from(found: FlagEvaluation) -> Self {
        let mut metadata = Map::new();
        metadata.insert("flagVersion".to_owned(), found.flag_version.into());
        if let Some(rule) = found.rule {
            metadata.insert("rule".to_owned(), rule.into());
        }
        if let Some(assignment) = found.assignment_id {
            metadata.insert("assignmentId".to_owned(), assignment.to_string().into());
        }
        let reason = reason(&found.reason);
        if !reason.eq_ignore_ascii_case(&found.reason) {
            metadata.insert("reason".to_owned(), found.reason.into());
        }
        Self {
            key: found.key,
            value: found.value,
            reason,
            variant: found.variant,
            metadata,
        }
    }
}
