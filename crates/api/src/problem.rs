//! Errors become answers here and nowhere else (`application/problem+json`, RFC 9457).

use std::error::Error as _;

use axum::response::{IntoResponse, Response};
use control::Error;
use domain::Code;
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The content type of problems.
pub(crate) const MEDIA_TYPE: &str = "application/problem+json";

/// Why a request was refused or failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// The page of the code; names the kind of problem.
    #[schema(format = "uri")]
    pub r#type: String,
    /// What happened, in a few words; the same for every problem of the code.
    pub title: String,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    pub status: u16,
    /// What exactly happened.
    pub detail: String,
    /// The path that was asked for.
    pub instance: String,
    /// The stable name of the situation; programs match this.
    #[schema(examples("not_found"))]
    pub code: String,
    /// The request, as it stands in the log.
    pub request_id: String,
    /// Where to read more: the page of the code.
    #[schema(format = "uri")]
    pub documentation_url: String,
    /// What to do about it.
    pub suggestion: String,
    /// Everything that is wrong in what was sent; absent if it is not about single places.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ProblemError>,
}

/// One thing that is wrong in what was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProblemError {
    /// The place in the list that was sent, from 0; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<u32>,
    /// JSON Pointer (RFC 6901) to the place.
    pub pointer: String,
    /// The stable name of what is wrong, as `field_invalid`.
    pub code: String,
    /// What is wrong.
    pub detail: String,
    /// What to do.
    pub suggestion: String,
    /// Line of the document that was sent, from 1; absent where it does not apply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// Column in that line, from 1; absent where it does not apply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
}

/// What of a request stands in its problem.
#[derive(Debug, Clone)]
pub(crate) struct Origin<'a> {
    /// Where the control plane is reached, without a slash at the end.
    pub(crate) control_url: &'a str,
    /// The request's id.
    pub(crate) request_id: &'a str,
    /// The path that was asked for.
    pub(crate) path: &'a str,
}

/// The problem that explains an error; what only the operator may know goes to the log.
pub(crate) fn explain(origin: &Origin<'_>, error: &Error) -> Problem {
    let code = error.code();
    let page = format!("{}{}", origin.control_url, code.page());
    let (detail, errors) = match error {
        Error::Refused { detail, errors, .. } => (detail.clone(), errors.iter().map(entry).collect()),
        Error::Store(_) | Error::Internal(..) => {
            tracing::error!(
                request_id = origin.request_id,
                code = code.as_str(),
                "{}",
                chain(error)
            );
            (code.suggestion().to_owned(), Vec::new())
        }
    };
    Problem {
        r#type: page.clone(),
        title: code.title().to_owned(),
        status: code.status(),
        detail,
        instance: origin.path.to_owned(),
        code: code.as_str().to_owned(),
        request_id: origin.request_id.to_owned(),
        documentation_url: page,
        suggestion: code.suggestion().to_owned(),
        errors,
    }
}

/// The answer to a request that was refused or failed.
pub(crate) fn answer(origin: &Origin<'_>, error: &Error) -> Response {
    let problem = explain(origin, error);
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = serde_json::to_vec(&problem).expect("a problem is plain data");
    let mut response = (status, [(header::CONTENT_TYPE, MEDIA_TYPE)], body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if status == StatusCode::UNAUTHORIZED {
        let challenge = match error.code() {
            Code::TokenInvalid | Code::TokenExpired => "Bearer realm=\"gateline\", error=\"invalid_token\"",
            _ => "Bearer realm=\"gateline\"",
        };
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    }
    if let Error::Refused {
        retry_after: Some(seconds),
        ..
    } = error
    {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(*seconds));
        if error.code() == Code::SignInDelayed {
            // The draft's list of limits: none is left, and when there will be some again.
            let limit = HeaderValue::try_from(format!("\"sign-in\";r=0;t={seconds}"));
            headers.extend(
                limit
                    .ok()
                    .map(|limit| (HeaderName::from_static("ratelimit"), limit)),
            );
        }
    } else if matches!(
        error.code(),
        Code::StoreUnavailable
            | Code::IdempotencyInFlight
            | Code::Overloaded
            | Code::EventsDelayed
            | Code::EventsUnwritten
            | Code::Draining
    ) {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(1_u64));
    }
    response
}

fn entry(error: &control::FieldError) -> ProblemError {
    ProblemError {
        index: error.index,
        pointer: error.pointer.clone(),
        code: error.code.clone(),
        detail: error.detail.clone(),
        suggestion: error.suggestion.clone(),
        line: Some(error.line).filter(|line| *line > 0),
        column: Some(error.column).filter(|column| *column > 0),
    }
}

/// The error with its causes, for the log.
fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        // Some errors print their cause as a part of themselves.
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}
