//! What happens to every request, whatever it asks for: from the outside in.

use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use control::Error;
use domain::Code;
use domain::id::RequestId;
use futures_util::FutureExt as _;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::app::App;
use crate::endpoint::Endpoint;
use crate::problem::{self, Origin};
use crate::{cors, security, serve};

/// The header with a request's id.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const REQUEST_ID_CHARS_MAX: usize = 128;

/// What is known of a request before it is looked at.
#[derive(Debug, Clone, Default)]
pub(crate) struct Context {
    /// Its id.
    pub(crate) request_id: Arc<str>,
    /// The address it comes from.
    pub(crate) client: Option<IpAddr>,
}

/// Which endpoint has answered; absent for pages and what was not found.
#[derive(Debug, Clone)]
pub(crate) struct OperationId(pub(crate) Arc<Endpoint>);

/// The way of every request.
pub(crate) async fn edge(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let begun = Instant::now();
    // 1. The id under which it stands in logs, problems and audit entries.
    let context = Context {
        request_id: request_id(&app, &request),
        client: serve::client(&app.settings, &request),
    };
    request.extensions_mut().insert(context.clone());
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let path = uri.path();
    let trace_id = trace_id(request.headers());
    // 2. Browsers that ask whether a page of another site may call us are answered here.
    let origin = cors::allowed(&app.settings, request.headers());
    let mut response = match cors::preflight(origin.as_ref(), &request) {
        Some(answer) => answer,
        None => within_limits(&app, &context, path, next.run(request)).await,
    };
    // 3. What every answer carries.
    cors::mark(origin.as_ref(), &mut response);
    security::mark(&app.settings, &mut response);
    if let Ok(id) = HeaderValue::from_str(&context.request_id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    // 4. What is noted of it. No query and no headers: they hold what is nobody's business.
    let endpoint = response.extensions().get::<OperationId>().map(|id| &*id.0);
    let operation = endpoint.map_or("-", |endpoint| endpoint.id.as_str());
    let (status, elapsed) = (response.status(), begun.elapsed());
    app.metrics.count(operation, status, elapsed);
    macro_rules! note {
        ($level:expr) => {
            tracing::event!(
                target: "gateline::access",
                $level,
                request_id = &*context.request_id,
                trace_id,
                method = method.as_str(),
                path,
                operation,
                status = status.as_u16(),
                duration_us = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX),
                client = context.client.map(tracing::field::display),
                "request"
            )
        };
    }
    match endpoint.is_some_and(|endpoint| endpoint.frequent) && status.is_success() {
        true => note!(tracing::Level::DEBUG),
        false => note!(tracing::Level::INFO),
    }
    response
}

/// The answer, unless it takes too long or its handler panics.
async fn within_limits(
    app: &App,
    context: &Context,
    path: &str,
    answering: impl Future<Output = Response>,
) -> Response {
    let answered = AssertUnwindSafe(answering).catch_unwind();
    let error = match tokio::time::timeout(app.settings.timeout, answered).await {
        Ok(Ok(response)) => return response,
        Ok(Err(panic)) => panicked(panic.as_ref()),
        Err(_) => {
            let seconds = app.settings.timeout.as_secs();
            Error::refused(
                Code::Overloaded,
                format!("The answer was not ready after {seconds} seconds."),
            )
        }
    };
    let origin = Origin {
        control_url: &app.settings.control_url,
        request_id: &context.request_id,
        path,
    };
    problem::answer(&origin, &error)
}

/// What a handler that panicked is answered with; its words are for the log.
pub(crate) fn panicked(panic: &(dyn std::any::Any + Send)) -> Error {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let text = text.unwrap_or("without a word");
    Error::Internal(format!("a handler panicked: {text}"), None)
}

/// The id that the client gave its request if it is a plain one, otherwise a new one.
fn request_id(app: &App, request: &Request) -> Arc<str> {
    let plain = |id: &&str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/+=".contains(&byte);
        (1..=REQUEST_ID_CHARS_MAX).contains(&id.len()) && id.bytes().all(allowed)
    };
    let given = request
        .headers()
        .get(REQUEST_ID)
        .and_then(|id| id.to_str().ok())
        .filter(plain);
    given.map_or_else(
        || RequestId::new(app.control.uuid()).to_string().into(),
        Arc::from,
    )
}

/// The trace that the request belongs to (W3C Trace Context), for the log.
fn trace_id(headers: &HeaderMap) -> Option<String> {
    let mut parts = headers.get("traceparent")?.to_str().ok()?.split('-');
    let (_, id) = (parts.next()?, parts.next()?);
    let is_id = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_id.then(|| id.to_owned())
}

/// Answers what no endpoint and no page has the path of.
pub(crate) async fn not_found(State(app): State<App>, request: Request) -> Response {
    refuse(&app, &request, Code::NotFound, "Nothing answers under this path.")
}

/// Answers a method that the path does not have; the router names those it has in `Allow`.
pub(crate) async fn method_not_allowed(State(app): State<App>, request: Request) -> Response {
    let detail = format!("`{}` is not one of the methods of this path.", request.method());
    refuse(&app, &request, Code::MethodNotAllowed, &detail)
}

fn refuse(app: &App, request: &Request, code: Code, detail: &str) -> Response {
    let context = request.extensions().get::<Context>().cloned().unwrap_or_default();
    let origin = Origin {
        control_url: &app.settings.control_url,
        request_id: &context.request_id,
        path: request.uri().path(),
    };
    problem::answer(&origin, &Error::refused(code, detail))
}
