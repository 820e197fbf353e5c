//! Pages of other sites: only those of configured origins may call the API (Fetch standard, CORS).

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};

use crate::v1::{evaluations, tracking};
use crate::{Settings, growthbook, ofrep, unleash};

const ALLOWED_METHODS: HeaderValue = HeaderValue::from_static("GET, POST, PUT, PATCH, DELETE");
const ALLOWED_HEADERS: HeaderValue = HeaderValue::from_static(
    "authorization, content-type, idempotency-key, if-match, if-none-match, prefer, x-csrf-token, \
     x-gateline-organization, x-request-id, x-api-key, last-event-id, traceparent",
);
const SDK_HEADERS: HeaderValue = HeaderValue::from_static(
    "authorization, content-encoding, content-type, if-none-match, x-api-key, x-request-id, traceparent, ce-specversion, ce-id, \
     ce-source, ce-type, ce-time, ce-subject, ce-anonymousid, ce-datacontenttype, ce-dataschema, unleash-appname, \
     unleash-connection-id, unleash-instanceid, unleash-interval, unleash-sdk, last-event-id",
);
const EXPOSED_HEADERS: HeaderValue = HeaderValue::from_static(
    "etag, link, location, retry-after, x-request-id, x-sse-support, idempotency-replayed, ratelimit, ratelimit-policy",
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
    // Whose pages may use an SDK key depends on the key, which browsers do not send when they ask.
    let path = request.uri().path();
    let methods = match path {
        tracking::PATH => Some("POST"),
        path if ofrep::evaluates(path) => Some("POST"),
        path if growthbook::evaluates(path) || unleash::evaluates(path) => Some("GET, POST"),
        path => evaluations::evaluates(path).then_some("GET, POST"),
    };
    if let Some(methods) = methods
        && asks
        && origin.is_none()
    {
        let any = HeaderValue::from_static("*");
        let headers = [
            (header::ACCESS_CONTROL_ALLOW_ORIGIN, any),
            (
                header::ACCESS_CONTROL_ALLOW_METHODS,
                HeaderValue::from_static(methods),
            ),
            (header::ACCESS_CONTROL_ALLOW_HEADERS, SDK_HEADERS),
            (header::ACCESS_CONTROL_MAX_AGE, MAX_AGE),
        ];
        return Some((StatusCode::NO_CONTENT, headers).into_response());
    }
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

/// Lets the page of an origin that a key is for read the answer.
pub(crate) fn admit(origin: HeaderValue, response: &mut Response) {
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED_HEADERS);
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
