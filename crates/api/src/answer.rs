//! Successful answers.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use control::Error;
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;

use crate::call::Call;
use crate::etag;

/// About as many headers as answers have in the end, so that there is room for them from the beginning.
const HEADERS: usize = 12;

/// JSON with a status.
pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Result<Response, Error> {
    let body = serde_json::to_vec(value).map_err(|error| Error::internal("writing an answer", error))?;
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.reserve(HEADERS);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// JSON of something with a revision: `ETag`, and 304 if the client has it already.
pub(crate) fn revised(call: &Call, value: &impl Serialize, revision: i64) -> Result<Response, Error> {
    let tag = etag::tag(revision);
    let mut response = if etag::is_known(call, &tag) && !call.endpoint.changes() {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        json(StatusCode::OK, value)?
    };
    let headers = response.headers_mut();
    headers.insert(header::ETAG, tag);
    // `no-cache` lets the client keep it and ask whether it changed.
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("private, no-cache"),
    );
    Ok(response)
}

/// JSON of something new: 201, `Location`, and its `ETag` if it has one.
pub(crate) fn made(value: &impl Serialize, location: &str, revision: Option<i64>) -> Result<Response, Error> {
    let mut response = json(StatusCode::CREATED, value)?;
    set(&mut response, header::LOCATION, location);
    if let Some(revision) = revision {
        response.headers_mut().insert(header::ETAG, etag::tag(revision));
    }
    Ok(response)
}

/// Nothing to say.
pub(crate) fn nothing() -> Response {
    StatusCode::NO_CONTENT.into_response()
}

/// Sets a header; a value that no header may have is left out.
pub(crate) fn set(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::try_from(value) {
        response.headers_mut().insert(name, value);
    }
}
