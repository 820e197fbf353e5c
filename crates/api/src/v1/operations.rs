//! Long work: how far it is, watching it, stopping it.

use std::convert::Infallible;
use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use control::Error;
use control::resource::ListQuery;
use domain::Code;
use domain::id::WorkId;
use domain::work::{Work, WorkStatus};
use futures_util::stream::{self, Stream};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::answer;
use crate::call::Call;
use crate::crud::Nothing;
use crate::endpoint::Endpoint;
use crate::links::Links;
use crate::page;
use crate::parameter::{Parameter, text};

/// How long `Prefer: wait=` can make an answer wait.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// `list_operations`, `read_operation`, `watch_operation`, `cancel_operation`.
pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![list(), read(), watch(), cancel()]
}

/// Where a piece of work is.
pub(super) fn path(work: &Work) -> String {
    format!("/api/v1/operations/{}", work.id)
}

/// A piece of work as it is answered.
pub(super) fn shown(work: &Work) -> Result<Value, Error> {
    let own = path(work);
    let mut links = Links::to(own.as_str()).and("events", format!("{own}/events"));
    if work.status == WorkStatus::Running {
        links = links.and("cancel", format!("{own}/cancel"));
    }
    let mut value =
        serde_json::to_value(work).map_err(|error| Error::internal("writing an answer", error))?;
    value["links"] = json!(links);
    Ok(value)
}

/// Answers that a piece of work goes on, and where.
pub(super) fn answer_begun(work: &Work) -> Result<Response, Error> {
    let mut response = answer::json(StatusCode::ACCEPTED, &shown(work)?)?;
    answer::set(&mut response, header::LOCATION, &path(work));
    let wait = HeaderValue::from(1_u64);
    response.headers_mut().insert(header::RETRY_AFTER, wait);
    Ok(response)
}

fn list() -> Endpoint {
    Endpoint::get("/api/v1/operations", "list_operations")
        .tag("operations")
        .says(
            "List operations",
            "The long work of the organization in the last seven days, the newest first.",
        )
        .takes_all(Parameter::page(&["-created_at", "created_at"]))
        .answers_page_of_shown::<Work, Nothing>("A page.")
        .to(|call| async move {
            let query = ListQuery {
                conditions: Vec::new(),
                window: page::asked(&call)?.window(),
            };
            let listed = call.control().list_works(&call.caller, &query).await?;
            let last = listed.data.last().filter(|_| listed.has_more);
            let next = last.map(|work| (work.id.to_string(), work.id.to_string()));
            let rows = listed.data.iter().map(shown).collect::<Result<_, _>>()?;
            page::answer(&call, rows, next)
        })
}

fn read() -> Endpoint {
    let prefer = "`wait=10`: answer when the work ends, but after so many seconds at the latest, 30 at most (RFC 7240).";
    Endpoint::get("/api/v1/operations/{id}", "read_operation")
        .tag("operations")
        .says(
            "Read an operation",
            "How far a piece of long work is, and what came out of it.",
        )
        .takes_id::<WorkId>("The operation's id.")
        .takes(Parameter::header("Prefer", prefer, text(200)))
        .takes(crate::crud::if_none_match())
        .answers_shown::<Work, Nothing>(200, "The operation.")
        .with_headers(&["ETag"])
        .answers_with(304, "It is what `If-None-Match` names.", Vec::new())
        .to(|call| async move {
            let mut states = call.control().watch_work(&call.caller, call.id()?).await?;
            if let Some(wait) = wait(&call) {
                let ended = states.wait_for(|work| work.status != WorkStatus::Running);
                // Whether it ended in time or not: what is known now is the answer.
                let _ = tokio::time::timeout(wait, ended).await;
            }
            let work = states.borrow_and_update().clone();
            answer::revised(&call, &shown(&work)?, work.revision)
        })
}

fn wait(call: &Call) -> Option<Duration> {
    let prefer = call.header("prefer")?;
    let wait = prefer
        .split([',', ';'])
        .find_map(|token| token.trim().strip_prefix("wait="))?;
    let seconds = wait.trim_matches('"').parse().ok()?;
    Some(Duration::from_secs(seconds).min(WAIT_MAX))
}

fn cancel() -> Endpoint {
    Endpoint::post("/api/v1/operations/{id}/cancel", "cancel_operation")
        .tag("operations")
        .says(
            "Cancel an operation",
            "The work stops at its next step; what it has done until then is taken back or stays whole.",
        )
        .takes_id::<WorkId>("The operation's id.")
        .answers_shown::<Work, Nothing>(200, "The operation as it is now.")
        .with_headers(&["ETag"])
        .refuses(&[Code::Conflict])
        .to(|call| async move {
            let work = call.control().cancel_work(&call.caller, call.id()?).await?;
            answer::revised(&call, &shown(&work)?, work.revision)
        })
}

fn watch() -> Endpoint {
    let last = "The `id` of the last event you have (its revision); only later states are sent.";
    Endpoint::get("/api/v1/operations/{id}/events", "watch_operation")
        .tag("operations")
        .says(
            "Watch an operation",
            "Server-sent events: one `operation` event per state, with the operation as its data and the revision as its \
             id. The stream ends with the work.",
        )
        .takes_id::<WorkId>("The operation's id.")
        .takes(Parameter::header("Last-Event-ID", last, text(20)))
        .answers_with(200, "The states.", vec![("text/event-stream", json!({ "type": "string" }))])
        .to(|call| async move {
            let states = call.control().watch_work(&call.caller, call.id()?).await?;
            let seen = call.header("last-event-id").and_then(|id| id.parse().ok()).unwrap_or(0);
            let events = Sse::new(events(states, seen)).keep_alive(KeepAlive::default());
            let response: Response = events.into_response();
            Ok(response)
        })
}

/// Every state after revision `seen`, until the last one.
fn events(states: watch::Receiver<Work>, seen: i64) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold((states, seen, false), |(mut states, seen, ended)| async move {
        if ended {
            return None;
        }
        let work = loop {
            let work = states.borrow_and_update().clone();
            if work.revision > seen {
                break work;
            }
            if work.status != WorkStatus::Running {
                return None;
            }
            // An error means that the sender is gone: the state it left is the last.
            if states.changed().await.is_err() && states.borrow().revision <= seen {
                return None;
            }
        };
        let event = Event::default().event("operation").id(work.revision.to_string());
        let event = match shown(&work) {
            Ok(value) => event.data(value.to_string()),
            Err(_) => event.comment("this state cannot be written"),
        };
        let ended = work.status != WorkStatus::Running;
        Some((Ok(event), (states, work.revision, ended)))
    })
}
