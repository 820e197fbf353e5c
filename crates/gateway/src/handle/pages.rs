//! What the node says itself: answers to ACME servers, health and figures.

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode};

use crate::body::AnswerBody;
use crate::conn::Conn;
use crate::course::Course;
use crate::refusal::Cause;
use crate::tls::Shelf;

/// Sees that a host that asks for certificates of clients is not reached without, and answers ACME servers
/// (RFC 8555 section 8.3).
pub(super) fn before_routing(
    conn: &Conn,
    shelf: &Shelf,
    host: &str,
    path: &str,
) -> Result<Option<Response<AnswerBody>>, Cause> {
    let Some(answer) = shelf.answer(host, path) else {
        let asks = shelf.asks() || conn.core().asks_clients();
        return if asks {
            conn.check_asked(shelf, host).map(|()| None)
        } else {
            Ok(None)
        };
    };
    let mut response = Response::new(AnswerBody::own(answer.as_ref().to_owned().into()));
    let kind = HeaderValue::from_static("application/octet-stream");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    Ok(Some(response))
}

/// Health and figures, where no route answers; not traced, since most of all traces would be of probes.
pub(super) fn own_page(conn: &Conn, path: &str, course: &mut Course) -> Option<Response<AnswerBody>> {
    let node = &conn.core().node;
    if !conn.core().settings.observable {
        return None;
    }
    let (status, kind, text) = match path {
        "/health/live" => (
            StatusCode::OK,
            "application/json",
            r#"{"status":"live"}"#.to_owned(),
        ),
        "/health/ready" => {
            let missing = node.status().missing();
            let status = if missing.is_empty() {
                StatusCode::OK
            } else {
                StatusCode::SERVICE_UNAVAILABLE
            };
            let word = if missing.is_empty() { "ready" } else { "not_ready" };
            let warnings = node.status().warnings;
            let text =
                serde_json::json!({ "status": word, "missing": missing, "warnings": warnings }).to_string();
            (status, "application/json", text)
        }
        "/health/upstreams" => (
            StatusCode::OK,
            "application/json",
            serde_json::json!({ "data": node.targets() }).to_string(),
        ),
        "/health/mirrors" => (
            StatusCode::OK,
            "application/json",
            serde_json::json!({ "data": node.mirrors() }).to_string(),
        ),
        "/metrics" => (
            StatusCode::OK,
            "text/plain; version=0.0.4; charset=utf-8",
            node.metrics(),
        ),
        _ => return None,
    };
    course.untraced();
    let mut response = Response::new(AnswerBody::own(text.into()));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    Some(response)
}
