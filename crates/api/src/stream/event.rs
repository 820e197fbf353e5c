//! Server-sent events (HTML Standard, 9.2).

use std::convert::Infallible;

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use http::{HeaderName, HeaderValue};
use serde_json::json;
use tokio::sync::mpsc;

use super::{Frame, HEARTBEAT};

/// Tells nginx and its like to pass on what comes when it comes.
const BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Answers with frames as they come.
pub(super) fn answer(frames: mpsc::Receiver<Frame>) -> Response {
    let events = stream::unfold(frames, async |mut frames| {
        let event = match frames.recv().await? {
            Frame::Event(sent) => {
                let event = Event::default().event(sent.name).data(sent.data);
                match sent.id {
                    Some(id) => event.id(id),
                    None => event,
                }
            }
            Frame::End(end) => Event::default().event("end").data(json!(end).to_string()),
        };
        Some((Ok::<_, Infallible>(event), frames))
    });
    let keep_alive = KeepAlive::new().interval(HEARTBEAT);
    let mut response = Sse::new(events).keep_alive(keep_alive).into_response();
    response
        .headers_mut()
        .insert(BUFFERING, HeaderValue::from_static("no"));
    response
}
