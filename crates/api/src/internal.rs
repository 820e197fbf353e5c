//! What gateway nodes ask and tell when they are not in this process.
//!
//! `Authorization: Bearer <cluster token>`; nothing else opens these paths, and nothing here is in the document.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use control::Error;
use domain::id::NodeId;
use domain::node::{NodeAnswer, NodeStatus};
use domain::snapshot::{Packed, Snapshot};
use domain::{Code, Name};
use events::Sink;
use events::sink::SinkError;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use serde::Deserialize;
use serde_json::json;

use crate::answer;
use crate::app::App;
use crate::edge::Context;
use crate::problem::{self, Origin};

/// How long a question for a newer snapshot waits.
const LONG_POLL: Duration = Duration::from_secs(25);
/// The most bytes of a request with events.
const EVENTS_BYTES_MAX: usize = 64 * 1024 * 1024;
/// The most bytes of a request that tells a node's state.
const STATUS_BYTES_MAX: usize = 1024 * 1024;
/// The most bytes of what a node remembers of some calls.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
const REVISION: HeaderName = HeaderName::from_static("gateline-revision");
const MAC: HeaderName = HeaderName::from_static("gateline-mac");

/// The paths of nodes.
pub(crate) fn router() -> Router<App> {
    Router::new()
        .route("/internal/v1/snapshots", get(snapshots))
        .route("/internal/v1/nodes/{node_id}/events", post(events))
        .route("/internal/v1/nodes/{node_id}/lake", post(lake))
        .route("/internal/v1/nodes/{node_id}/status", post(status))
        .route("/internal/v1/nodes/{node_id}/questions", get(questions))
        .route("/internal/v1/nodes/{node_id}/answers", post(answers))
}

/// Lets in who knows the cluster token; compared in constant time.
fn check(app: &App, headers: &HeaderMap) -> Result<(), Error> {
    let sent = headers
        .get(header::AUTHORIZATION)
        .map(HeaderValue::as_bytes)
        .unwrap_or_default();
    let sent = sent.strip_prefix(b"Bearer ").unwrap_or_default();
    match control::secret::same(sent, app.control.secrets().cluster_token().as_bytes()) {
        true => Ok(()),
        false => Err(Error::refused(
            Code::TokenInvalid,
            "This is not the cluster token.",
        )),
    }
}

fn explained(app: &App, request: (&Context, &str), answered: Result<Response, Error>) -> Response {
    let origin = Origin {
        control_url: &app.settings.control_url,
        request_id: &request.0.request_id,
        path: request.1,
    };
    answered.unwrap_or_else(|error| problem::answer(&origin, &error))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    environment: Name,
    #[serde(default)]
    after: u64,
}

async fn snapshots(State(app): State<App>, request: Request) -> Response {
    let (context, path) = place(&request);
    let (head, _) = request.into_parts();
    let answered = newer(&app, &head).await;
    explained(&app, (&context, &path), answered)
}

/// The snapshot after the one that the node has, once there is one.
async fn newer(app: &App, head: &Parts) -> Result<Response, Error> {
    check(app, &head.headers)?;
    let query = axum::extract::Query::<Wanted>::try_from_uri(&head.uri);
    let wanted = query
        .map_err(|error| Error::refused(Code::ParameterInvalid, error.body_text()))?
        .0;
    let mut snapshots = app.control.snapshots(&wanted.environment).await?;
    let newer = snapshots.wait_for(|snapshot| snapshot.revision > wanted.after);
    // The borrow of the watched value ends here: it is a lock.
    let found = async {
        tokio::time::timeout(LONG_POLL, newer)
            .await
            .map(|found| found.map(|found| found.clone()))
    };
    let found = tokio::select! {
        found = found => found,
        () = app.settings.stopped() => return Ok(answer::nothing()),
    };
    let snapshot = match found {
        Err(_) => return Ok(answer::nothing()),
        Ok(found) => found.map_err(|error| Error::internal("waiting for a snapshot", error))?,
    };
    packed(app, &snapshot).await
}

async fn packed(app: &App, snapshot: &std::sync::Arc<Snapshot>) -> Result<Response, Error> {
    let revision = snapshot.revision;
    let snapshot = std::sync::Arc::clone(snapshot);
    let token = app.control.secrets().cluster_token().to_owned();
    let packed = tokio::task::spawn_blocking(move || Packed::new(&snapshot, token.as_bytes()));
    let Packed { bytes, mac } = packed
        .await
        .map_err(|error| Error::internal("packing a snapshot", error))?
        .map_err(|error| Error::internal("packing a snapshot", error))?;
    let mut response = (StatusCode::OK, bytes).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/zstd"));
    headers.insert(REVISION, HeaderValue::from(revision));
    answer::set(&mut response, MAC, &mac.to_string());
    Ok(response)
}

async fn events(State(app): State<App>, Path(node): Path<String>, request: Request) -> Response {
    let (context, path) = place(&request);
    let counter = app.control.usage_counter();
    let answered = commit(&app, counter, &node, request).await;
    explained(&app, (&context, &path), answered)
}

async fn lake(State(app): State<App>, Path(node): Path<String>, request: Request) -> Response {
    let (context, path) = place(&request);
    let lake = app.control.lake_sink();
    let answered = commit(&app, lake, &node, request).await;
    explained(&app, (&context, &path), answered)
}

/// Gives the events of a node's log to a sink.
async fn commit(app: &App, sink: impl Sink, node: &str, request: Request) -> Result<Response, Error> {
    check(app, request.headers())?;
    let node: NodeId = node.parse().map_err(|_| Error::not_found("node"))?;
    let body = limited(request.into_body(), EVENTS_BYTES_MAX).await?;
    let batches = events::wire::decode_batches(&body)
        .map_err(|error| Error::refused(Code::RequestInvalid, error.to_string()))?;
    let committed = sink.commit(node, &batches).await.map_err(|error| match error {
        SinkError::Unavailable(_) => {
            tracing::warn!(error = &error as &dyn std::error::Error, %node, "events were not committed");
            Error::refused(Code::StoreUnavailable, "What keeps the events does not answer.")
        }
        SinkError::Refused { reason } => Error::refused(Code::Conflict, reason),
        SinkError::Unwanted => Error::refused(Code::LakeOff, "No single calls are kept here."),
    })?;
    answer::json(StatusCode::OK, &json!({ "committed": committed }))
}

async fn status(State(app): State<App>, Path(node): Path<String>, request: Request) -> Response {
    let (context, path) = place(&request);
    let answered = note(&app, &node, request).await;
    explained(&app, (&context, &path), answered)
}

/// Notes what a node says of itself.
async fn note(app: &App, node: &str, request: Request) -> Result<Response, Error> {
    check(app, request.headers())?;
    let node: NodeId = node.parse().map_err(|_| Error::not_found("node"))?;
    let body = limited(request.into_body(), STATUS_BYTES_MAX).await?;
    let value = serde_json::from_slice(&body)
        .map_err(|error| Error::refused(Code::RequestInvalid, format!("The body is not JSON: {error}.")))?;
    let status: NodeStatus = control::resource::parse(value)?;
    app.control.note_node(node, status).await?;
    Ok(answer::nothing())
}

async fn questions(State(app): State<App>, Path(node): Path<String>, request: Request) -> Response {
    let (context, path) = place(&request);
    let answered = ask(&app, &node, request.headers()).await;
    explained(&app, (&context, &path), answered)
}

/// What a node is asked, once there is something.
async fn ask(app: &App, node: &str, headers: &HeaderMap) -> Result<Response, Error> {
    check(app, headers)?;
    let node: NodeId = node.parse().map_err(|_| Error::not_found("node"))?;
    let asked = tokio::select! {
        asked = app.control.questions(node) => asked?,
        () = app.settings.stopped() => Vec::new(),
    };
    if asked.is_empty() {
        return Ok(answer::nothing());
    }
    answer::json(StatusCode::OK, &asked)
}

async fn answers(State(app): State<App>, Path(node): Path<String>, request: Request) -> Response {
    let (context, path) = place(&request);
    let answered = hear(&app, &node, request).await;
    explained(&app, (&context, &path), answered)
}

/// Keeps what a node answers.
async fn hear(app: &App, node: &str, request: Request) -> Result<Response, Error> {
    check(app, request.headers())?;
    let node: NodeId = node.parse().map_err(|_| Error::not_found("node"))?;
    let body = limited(request.into_body(), ANSWER_BYTES_MAX).await?;
    let NodeAnswer { question, calls } = serde_json::from_slice(&body)
        .map_err(|error| Error::refused(Code::RequestInvalid, format!("The body is no answer: {error}.")))?;
    app.control.answer(node, &question, &calls).await?;
    Ok(answer::nothing())
}

fn place(request: &Request) -> (Context, String) {
    let context = request.extensions().get::<Context>().cloned().unwrap_or_default();
    (context, request.uri().path().to_owned())
}

async fn limited(body: Body, bytes_max: usize) -> Result<bytes::Bytes, Error> {
    let collected = Limited::new(body, bytes_max).collect().await;
    collected.map(http_body_util::Collected::to_bytes).map_err(|_| {
        let detail = format!("The body broke off, or is larger than {bytes_max} bytes.");
        Error::refused(Code::BodyTooLarge, detail)
    })
}
