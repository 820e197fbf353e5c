//! Try-it: pages of the portal call APIs through our own origin, and we pass the call to the gateway.
//!
//! `ANY /api/v1/try/{version_id}/{path}` becomes a call of the version's route at our gateway, and of nothing else.
//! The caller's API key is what counts there; our cookie and token stay here, and no answer can set a cookie or
//! any other header for our origin that the gateway's own pages would not.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use control::auth::About;
use control::{Caller, Error};
use domain::Code;
use domain::id::VersionId;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Uri, header};
use http_body_util::{BodyExt as _, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::app::App;
use crate::auth;
use crate::edge::Context;
use crate::endpoint::{Access, Endpoint};
use crate::problem::{self, Origin};

/// The most bytes of a tried call's body.
const BODY_BYTES_MAX: usize = 10 * 1024 * 1024;
/// The most bytes of a tried call's answer.
const ANSWER_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Tried calls at a time; more are answered 503.
const CALLS_MAX: usize = 32;
/// How long a tried call may take until its answer begins.
const WAIT: Duration = Duration::from_secs(35);

/// Headers of a request that are about this connection, or that are our secrets.
const NOT_FORWARDED: [HeaderName; 14] = [
    header::CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::HOST,
    header::COOKIE,
    header::ORIGIN,
    header::REFERER,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("x-csrf-token"),
    HeaderName::from_static("x-gateline-organization"),
];
/// Headers of an answer that are about the other connection, or that would act on our own origin.
const NOT_ANSWERED: [HeaderName; 13] = [
    header::CONNECTION,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::TRAILER,
    header::SET_COOKIE,
    header::STRICT_TRANSPORT_SECURITY,
    header::CONTENT_SECURITY_POLICY,
    header::ACCESS_CONTROL_ALLOW_ORIGIN,
    header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
    header::ALT_SVC,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("clear-site-data"),
    HeaderName::from_static("service-worker-allowed"),
];

/// The way to the gateway.
pub(crate) struct TryIt {
    client: Client<HttpConnector, Limited<Body>>,
    places: Arc<Semaphore>,
}

impl TryIt {
    /// Opens nothing yet.
    pub(crate) fn new() -> Self {
        Self {
            client: Client::builder(TokioExecutor::new())
                .pool_max_idle_per_host(4)
                .build(HttpConnector::new()),
            places: Arc::new(Semaphore::new(CALLS_MAX)),
        }
    }
}

/// Passes a call to the gateway.
pub(crate) async fn try_it(
    State(app): State<App>,
    Path((version, _)): Path<(String, String)>,
    request: Request,
) -> Response {
    let context = request.extensions().get::<Context>().cloned().unwrap_or_default();
    let uri = request.uri().clone();
    let answered = forward(&app, &context, &version, request).await;
    answered.unwrap_or_else(|error| {
        let origin = Origin {
            control_url: &app.settings.control_url,
            request_id: &context.request_id,
            path: uri.path(),
        };
        problem::answer(&origin, &error)
    })
}

async fn forward(app: &App, context: &Context, version: &str, request: Request) -> Result<Response, Error> {
    let version: VersionId = version.parse().map_err(|_| Error::not_found("version"))?;
    let caller = caller(app, context, request.headers()).await?;
    let (_, route) = app.control.published_version(&caller, version).await?;
    let route = route
        .ok_or_else(|| Error::refused(Code::NotFound, "The version has no route: it cannot be called."))?;
    let gateway = app.settings.gateway_url.as_deref();
    let gateway = gateway.ok_or_else(|| Error::refused(Code::UpstreamNone, "No gateway is known here."))?;
    let place = app.try_it.places.clone().try_acquire_owned();
    let place =
        place.map_err(|_| Error::refused(Code::Overloaded, "Too many calls are being tried at once."))?;

    let (mut head, body) = request.into_parts();
    let base = route.spec.base_path.trim_end_matches('/');
    head.uri = target(gateway, base, &head.uri)?;
    head.version = http::Version::HTTP_11;
    clean(&mut head.headers, &NOT_FORWARDED);
    head.headers.remove(header::AUTHORIZATION);
    head.extensions.clear();
    if let Some(host) = &route.spec.host {
        let host = HeaderValue::try_from(host).map_err(|error| Error::internal("writing a host", error))?;
        head.headers.insert(header::HOST, host);
    }
    if let Ok(id) = HeaderValue::from_str(&context.request_id) {
        head.headers.insert(crate::edge::REQUEST_ID, id);
    }
    let outgoing = Request::from_parts(head, ()).map(|()| Limited::new(body, BODY_BYTES_MAX));
    let answered = tokio::time::timeout(WAIT, app.try_it.client.request(outgoing)).await;
    let answer = answered
        .map_err(|_| Error::refused(Code::UpstreamTimeout, "The gateway did not answer in time."))?
        .map_err(|error| {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the gateway cannot be reached for try-it"
            );
            Error::refused(Code::UpstreamUnreachable, "The gateway could not be reached.")
        })?;
    let (mut head, body) = answer.into_parts();
    clean(&mut head.headers, &NOT_ANSWERED);
    let body = held(Body::new(Limited::new(body, ANSWER_BYTES_MAX)), place);
    Ok(Response::from_parts(head, body))
}

/// Who tries: somebody who has signed in may try what only they see.
async fn caller(app: &App, context: &Context, headers: &HeaderMap) -> Result<Caller, Error> {
    // As for a GET: what a tried call does is decided by its API key, which no other page can know.
    let endpoint = Endpoint::get("/api/v1/try", "try_it").access(Access::Optional);
    let about = About {
        address: context.client,
        request_id: Some(context.request_id.clone()),
        organization: None,
    };
    let mut own = headers.clone();
    // An `Authorization` here may be meant for the API that is tried.
    own.remove(header::AUTHORIZATION);
    let (caller, _) = auth::identify(app, &endpoint, &own, &about).await?;
    Ok(caller)
}

/// The address at the gateway of what was asked for under [`PATH`]; encoded as it came.
fn target(gateway: &str, base: &str, asked: &Uri) -> Result<Uri, Error> {
    let malformed = || {
        Error::refused(
            Code::ParameterInvalid,
            "The path cannot be part of an address of the API.",
        )
    };
    // `/api/v1/try/{version_id}/` are five segments.
    let path = asked.path().splitn(6, '/').nth(5).ok_or_else(malformed)?;
    // Whoever resolved them would leave the API's base path.
    let is_dots = |segment: &str| {
        let segment = segment.to_ascii_lowercase().replace("%2e", ".");
        segment == "." || segment == ".."
    };
    if path.split('/').any(is_dots) {
        return Err(malformed());
    }
    let query = asked.query().map(|query| format!("?{query}")).unwrap_or_default();
    let text: PathAndQuery = format!("{base}/{path}{query}").parse().map_err(|_| malformed())?;
    let gateway: Uri = gateway
        .parse()
        .map_err(|error| Error::internal("reading the gateway's address", error))?;
    let mut parts = gateway.into_parts();
    parts.path_and_query = Some(text);
    Uri::from_parts(parts).map_err(|_| malformed())
}

/// Removes headers, and those that `Connection` names.
fn clean(headers: &mut HeaderMap, names: &[HeaderName]) {
    let listed: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| HeaderName::try_from(name.trim()).ok())
        .collect();
    for name in names.iter().chain(&listed) {
        headers.remove(name);
    }
}

/// A body that keeps the call's place until it ends.
fn held(body: Body, place: OwnedSemaphorePermit) -> Body {
    Body::new(body.map_frame(move |frame| {
        let _place = &place;
        frame
    }))
}

/// The path under which calls are tried.
pub(crate) const PATH: &str = "/api/v1/try/{version_id}/{*path}";
