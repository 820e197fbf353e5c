//! Tracked events, taken as at the control plane (`api::v1::tracking`): 202 means that they are in the node's log, from
//! where they get to whoever counts them.

use std::rc::Rc;
use std::sync::Arc;

use domain::Code;
use events::Ingest;
use events::ingest::{self, BODY_BYTES_MAX, Events, Facts};
use events::intake::Refused;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, Response, StatusCode};
use http_body_util::BodyExt as _;

use super::{Asked, Holder, bounded, json, refused};
use crate::body::{AnswerBody, Arriving};
use crate::compile::Compiled;
use crate::conn::Conn;
use crate::intray::{Room, SMALL_BYTES_MAX};
use crate::refusal::Cause;

/// Where events are sent to.
pub(super) const PATH: &str = "/api/v1/tracking/events";
/// What headers with attributes of CloudEvents begin with.
const ATTRIBUTE: &str = "ce-";

/// Takes the events of a call and answers when they are on the disk.
pub(super) async fn answer(
    conn: &Rc<Conn>,
    compiled: &Compiled,
    asked: &Asked<'_>,
    (holder, body): (&Holder<'_>, Arriving),
) -> Result<Response<AnswerBody>, Cause> {
    let node = &conn.core().node;
    let off = || refused(Code::EventsOff, "nobody counts the events of this node");
    let ingest = node.ingest.as_ref().ok_or_else(off)?;
    let mut room = node.intray.room();
    let body = gathered(conn, body, &mut room).await?;
    let events = read(conn, compiled, (ingest, room), (asked, holder, body)).await?;
    let receipt = ingest.submit(events).await.map_err(untaken)?;
    let status = match receipt.errors_total {
        0 => StatusCode::ACCEPTED,
        _ => StatusCode::MULTI_STATUS,
    };
    Ok(json(status, &receipt))
}

/// Reads a body to its end, if there is room for it.
async fn gathered(conn: &Conn, body: Arriving, room: &mut Room) -> Result<Vec<u8>, Cause> {
    let mut body = bounded(conn, body, BODY_BYTES_MAX as u64)?;
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        if !room.grow(bytes.len() + data.len()) {
            return Err(untaken(Refused::Busy.into()));
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}

/// Reads the events of a body; where that takes a while, off the core.
async fn read(
    conn: &Conn,
    compiled: &Compiled,
    (ingest, room): (&Ingest, Room),
    (asked, holder, body): (&Asked<'_>, &Holder<'_>, Vec<u8>),
) -> Result<Events, Cause> {
    let (directory, now) = (&compiled.flags.directory, asked.now());
    if body.len() <= SMALL_BYTES_MAX && !asked.headers.contains_key(CONTENT_ENCODING) {
        let events = ingest.read((directory, holder.key), &facts(asked.headers), &body, now);
        return events.map_err(untaken);
    }
    let (ingest, directory, key) = (ingest.clone(), Arc::clone(directory), Arc::clone(holder.key));
    let headers = asked.headers.clone();
    let work = move || {
        // Given back when the body is.
        let (_room, body) = (room, body);
        ingest.read((&directory, &key), &facts(&headers), &body, now)
    };
    let done = conn.core().node.intray.desk.run(work).await;
    let events = done.map_err(|error| refused(Code::Internal, &format!("reading events: {error}")))?;
    events.map_err(untaken)
}

fn facts(headers: &HeaderMap) -> Facts<'_> {
    let text = |name| headers.get(name)?.to_str().ok();
    let attributes = headers.iter().filter_map(|(name, value)| {
        let name = name.as_str().strip_prefix(ATTRIBUTE)?;
        Some((name, value.to_str().ok()?))
    });
    Facts {
        media_type: text(CONTENT_TYPE),
        encoding: text(CONTENT_ENCODING),
        attributes: attributes.collect(),
    }
}

fn untaken(refusal: ingest::Refusal) -> Cause {
    Cause::Events(Box::new(refusal))
}
