//! Pages of other sites: only those of configured origins may call the API (Fetch standard, CORS).

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};

use crate::Settings;

const ALLOWED_METHODS: HeaderValue = HeaderValue::from_static("GET, POST, PUT, PATCH, DELETE");
const ALLOWED_HEADERS: HeaderValue = HeaderValue::from_static(
    "authorization, content-type, idempotency-key, if-match, if-none-match, prefer, x-csrf-token, \
     x-gateline-organization, x-request-id, x-api-key, last-event-id, traceparent",
);
const EXPOSED_HEADERS: HeaderValue = HeaderValue::from_static(
    "etag, link, location, retry-after, x-request-id, idempotency-replayed, ratelimit, ratelimit-policy",
);
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");
const CREDENTIALS: HeaderName = header::ACCESS_CONTROL_ALLOW_CREDENTIALS;

/// The origin of the page that calls, if it is a configured one.
pub(crate) fn allowed(settings: &Settings, headers: &HeaderMap) -> Option<HeaderValue> {
    let origin = headers.get(header::ORIGIN)?;
    let known = settings
        .cors_origins
        .iter()
        .any(|known| known.as_bytes() == origin.as_bytes());
    known.then(|| origin.clone())
}

/// The answer to a browser that asks before it calls.
pub(crate) fn preflight(origin: Option<&HeaderValue>, request: &Request) -> Option<Response> {
    let asks = request.method() == Method::OPTIONS
        && request
            .headers()
            .contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    if !asks || origin.is_none() {
        return None;
    }
    let headers = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, ALLOWED_METHODS),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_HEADERS),
        (header::ACCESS_CONTROL_MAX_AGE, MAX_AGE),
    ];
    Some((StatusCode::NO_CONTENT, headers).into_response())
}

/// Lets the page of a configured origin read the answer.
pub(crate) fn mark(origin: Option<&HeaderValue>, response: &mut Response) {
    let headers = response.headers_mut();
    headers.append(header::VARY, HeaderValue::from_static("origin"));
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.insert(CREDENTIALS, HeaderValue::from_static("true"));
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED_HEADERS);
    }
}
