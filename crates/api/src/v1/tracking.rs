//! Tracked events: recorded by SDK keys.

use axum::response::Response;
use control::{Error, FieldError};
use domain::Code;
use domain::tracking::{EventReceipt, EventUnit, TrackedEvent, TrackedEvents};
use domain::work::Work;
use events::Ingest;
use events::ingest::{BODY_BYTES_MAX, Events, Facts, MEDIA_TYPES, Refusal, RefusalError};
use http::{StatusCode, header};
use serde_json::json;

use crate::answer;
use crate::call::Call;
use crate::crud::Nothing;
use crate::endpoint::{Access, Endpoint, Typed};
use crate::sdk_key::{self, Holder};
use crate::v1::operations;

/// Where events are sent to.
pub(crate) const PATH: &str = "/api/v1/tracking/events";
/// Bodies up to this size are read where the call is answered; larger ones where nobody has to wait for it.
const SMALL_BYTES_MAX: usize = 64 << 10;
/// Seconds after which events that were refused may be sent again.
const RETRY_SECONDS: u64 = 1;
/// What headers with attributes of CloudEvents begin with.
const ATTRIBUTE: &str = "ce-";

/// `track_events`, `erase_events`.
pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![track(), erase()]
}

fn erase() -> Endpoint {
    let example = EventUnit {
        user_id: Some("123".to_owned()),
        anonymous_id: None,
    };
    Endpoint::post("/api/v1/tracking/erase-events", "erase_events")
        .tag("tracking")
        .says(
            "Erase somebody's events",
            "Removes every tracked event of the organization that has this `user_id` or this `anonymous_id`, in all \
             environments, in the background. Nobody is answered with them from then on; their bytes are gone a day \
             later. Counts stay. What comes later is taken again, and what came in the last seconds may not be among \
             them yet.",
        )
        .not_idempotent()
        .body(&example)
        .answers_shown::<Work, Nothing>(202, "The work, which goes on.")
        .with_headers(&["Location"])
        .refuses(&[Code::LakeOff])
        .to(|call| async move {
            let work = call.control().erase_events(&call.caller, call.json()?).await?;
            operations::answer_begun(&work)
        })
}

fn track() -> Endpoint {
    let example = TrackedEvents {
        events: vec![TrackedEvent {
            r#type: "purchase".to_owned(),
            id: Some("order-4711".to_owned()),
            time: None,
            user_id: Some("123".to_owned()),
            anonymous_id: None,
            properties: json!({ "price": 9.5, "currency": "EUR" }).as_object().cloned(),
        }],
    };
    let errors = "Some of the events; `errors` names the others.";
    Endpoint::post(PATH, "track_events")
        .tag("tracking")
        .access(Access::Open)
        .not_idempotent()
        .frequent()
        .says(
            "Record events",
            "Takes one event, a list of them or `{\"events\": […]}` as JSON (also as `text/plain`, for \
             `navigator.sendBeacon`), one per line (`application/x-ndjson`), or CloudEvents 1.0 in structured, batch or \
             binary mode; packed with `gzip` or `zstd` if `Content-Encoding` says so. At most 10,000 events and 5 MiB \
             when unpacked, 32 KiB each.\n\nThe answer comes when the events are on the disk. An event whose `id` came \
             within the last hour is not taken again. The SDK key is sent in `X-API-Key`, as a bearer token, or as \
             `key` by who can send no headers.",
        )
        .takes_sdk_key()
        .body(&example)
        .body_as(|body| {
            body.types = MEDIA_TYPES;
            body.bytes_max = BODY_BYTES_MAX;
            body.required = false;
            body.typed = Typed::IfSaid;
        })
        .answers::<EventReceipt>(202, "All events are on the disk.")
        .answers::<EventReceipt>(207, errors)
        .refuses(&[
            Code::EventsInvalid,
            Code::EventsDelayed,
            Code::EventsUnwritten,
            Code::Draining,
        ])
        .to(answer_events)
}

async fn answer_events(call: Call) -> Result<Response, Error> {
    let ingest = call.app.settings.ingest.clone();
    let ingest = ingest.ok_or_else(|| Error::refused(Code::Draining, "This process takes no events."))?;
    let Holder { directory, key } = sdk_key::identify(&call).await?;
    let events = if call.body.len() <= SMALL_BYTES_MAX && !call.headers.contains_key(header::CONTENT_ENCODING)
    {
        ingest.read(
            (&directory, &key),
            &facts(&call),
            &call.body,
            call.control().now(),
        )
    } else {
        let (reader, call) = (ingest.clone(), call.clone());
        let read = move || {
            reader.read(
                (&directory, &key),
                &facts(&call),
                &call.body,
                call.control().now(),
            )
        };
        let read = tokio::task::spawn_blocking(read).await;
        read.map_err(|error| Error::internal("reading events", error))?
    };
    answer_read(&ingest, events).await
}

async fn answer_read(ingest: &Ingest, events: Result<Events, Refusal>) -> Result<Response, Error> {
    let receipt = ingest.submit(events.map_err(refused)?).await.map_err(refused)?;
    let status = match receipt.errors_total {
        0 => StatusCode::ACCEPTED,
        _ => StatusCode::MULTI_STATUS,
    };
    answer::json(status, &receipt)
}

fn facts(call: &Call) -> Facts<'_> {
    let attributes = call.headers.iter().filter_map(|(name, value)| {
        let name = name.as_str().strip_prefix(ATTRIBUTE)?;
        Some((name, value.to_str().ok()?))
    });
    Facts {
        media_type: call.header(header::CONTENT_TYPE),
        encoding: call.header(header::CONTENT_ENCODING),
        attributes: attributes.collect(),
    }
}

fn refused(refusal: Refusal) -> Error {
    Error::Refused {
        code: refusal.code(),
        detail: refusal.detail(),
        retry_after: refusal.is_passing().then_some(RETRY_SECONDS),
        errors: refusal.into_errors().into_iter().map(field).collect(),
    }
}

fn field(error: RefusalError) -> FieldError {
    FieldError {
        index: error.index,
        pointer: error.pointer,
        code: error.code,
        detail: error.detail,
        suggestion: error.suggestion,
        line: error.line.unwrap_or(0),
        column: error.column.unwrap_or(0),
    }
}
