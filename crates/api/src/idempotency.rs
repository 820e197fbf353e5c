//! `Idempotency-Key`: a request that is sent again takes effect once and gets the first answer.
//!
//! Source: draft-ietf-httpapi-idempotency-key-header. The scope is organization and operation; answers are kept for
//! 24 hours. Answers that had no effect (5xx, and 429, which ask to try again) are not kept.

use std::panic::AssertUnwindSafe;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use control::Error;
use control::idempotency::{Answer, Begun};
use domain::Code;
use futures_util::FutureExt as _;
use http::{HeaderName, HeaderValue, StatusCode, header};
use http_body_util::BodyExt as _;

use crate::call::Call;
use crate::endpoint::Access;
use crate::problem;

const KEY: &str = "idempotency-key";
const REPLAYED: &str = "idempotency-replayed";
const KEY_CHARS_MAX: usize = 255;
/// The headers that are part of an answer's meaning.
const KEPT: [HeaderName; 5] = [
    header::CONTENT_TYPE,
    header::ETAG,
    header::LOCATION,
    header::RETRY_AFTER,
    header::CACHE_CONTROL,
];

/// Runs the use case, unless the same request was answered before.
pub(crate) async fn once(call: Call) -> Result<Response, Error> {
    let endpoint = call.endpoint.clone();
    let wanted = endpoint.idempotent && endpoint.access == Access::SignedIn;
    match call.headers.get(KEY) {
        // In a box: most calls are spared what these few need.
        Some(key) if wanted => Box::pin(kept(key.clone(), call)).await,
        _ => endpoint.handle(call).await,
    }
}

async fn kept(key: HeaderValue, call: Call) -> Result<Response, Error> {
    let endpoint = call.endpoint.clone();
    let key = key
        .to_str()
        .ok()
        .map(str::trim)
        .filter(|key| !key.is_empty() && key.len() <= KEY_CHARS_MAX);
    let key = key.ok_or_else(|| {
        let detail = format!("`Idempotency-Key` is not 1 to {KEY_CHARS_MAX} visible characters.");
        Error::refused(Code::RequestInvalid, detail)
    })?;
    let query = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(&call.query)
        .finish();
    let if_match = call.header(header::IF_MATCH).unwrap_or_default();
    let parts = [
        call.uri.path().as_bytes(),
        query.as_bytes(),
        if_match.as_bytes(),
        &call.body,
    ];
    let control = call.control().clone();
    let ticket = match control
        .begin_once(&call.caller, &endpoint.id, key, &parts)
        .await?
    {
        Begun::Fresh(ticket) => ticket,
        Begun::Replay(answer) => return replay(answer),
        Begun::InFlight => {
            let detail = "The first request with this key has not been answered yet.";
            return Err(Error::refused(Code::IdempotencyInFlight, detail));
        }
        Begun::Mismatch => {
            let detail = "Another request was sent with this key before.";
            return Err(Error::refused(Code::IdempotencyKeyReused, detail));
        }
    };
    let (request_id, uri, app) = (call.request_id.clone(), call.uri.clone(), call.app.clone());
    // The client may go away; the answer is kept for its repetition all the same.
    let done = tokio::spawn(async move {
        let origin = problem::Origin {
            control_url: &app.settings.control_url,
            request_id: &request_id,
            path: uri.path(),
        };
        let answered = AssertUnwindSafe(endpoint.handle(call)).catch_unwind().await;
        let answered = answered.unwrap_or_else(|panic| Err(crate::edge::panicked(panic.as_ref())));
        let response = answered.unwrap_or_else(|error| problem::answer(&origin, &error));
        let status = response.status();
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            control.give_up_once(ticket).await?;
            return Ok(response);
        }
        let (response, answer) = copy(response).await?;
        control.finish_once(ticket, &answer).await?;
        Ok(response)
    });
    done.await
        .map_err(|error| Error::internal("answering a request", error))?
}

/// The answer, and a copy of it to keep.
async fn copy(response: Response) -> Result<(Response, Answer), Error> {
    let (head, body) = response.into_parts();
    let bytes = body
        .collect()
        .await
        .map_err(|error| Error::internal("reading an answer", error))?;
    let bytes = bytes.to_bytes();
    let kept = KEPT.iter().filter_map(|name| {
        let value = head.headers.get(name)?.to_str().ok()?;
        Some((name.as_str().to_owned(), value.to_owned()))
    });
    let answer = Answer {
        status: head.status.as_u16(),
        headers: kept.collect(),
        body: bytes.to_vec(),
    };
    Ok((Response::from_parts(head, Body::from(bytes)), answer))
}

fn replay(answer: Answer) -> Result<Response, Error> {
    let status = StatusCode::from_u16(answer.status);
    let status = status.map_err(|error| Error::internal("repeating an answer", error))?;
    let mut response = (status, answer.body).into_response();
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_TYPE);
    for (name, value) in answer.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            headers.insert(name, value);
        }
    }
    headers.insert(REPLAYED, HeaderValue::from_static("true"));
    Ok(response)
}
