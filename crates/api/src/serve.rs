//! The way of a request through an endpoint, step by step.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use axum::extract::{RawPathParams, Request};
use axum::response::Response;
use control::Error;
use control::auth::About;
use domain::Code;
use http::{HeaderValue, header};

use crate::app::App;
use crate::call::Call;
use crate::edge::{Context, OperationId};
use crate::endpoint::Endpoint;
use crate::problem::{self, Origin};
use crate::{auth, body, cors, idempotency, query};

/// Answers a request to an endpoint.
pub(crate) async fn serve(
    app: App,
    endpoint: Arc<Endpoint>,
    path: RawPathParams,
    request: Request,
) -> Response {
    let context = request.extensions().get::<Context>().cloned().unwrap_or_default();
    let uri = request.uri().clone();
    let origin = Origin {
        control_url: &app.settings.control_url,
        request_id: &context.request_id,
        path: uri.path(),
    };
    let page = Arc::default();
    let answered = run((app.clone(), endpoint.clone()), (&context, &page), path, request).await;
    let mut response = answered.unwrap_or_else(|error| problem::answer(&origin, &error));
    if let Some(page) = page.get() {
        cors::admit(page.clone(), &mut response);
    }
    response.extensions_mut().insert(OperationId(endpoint));
    response
}

async fn run(
    (app, endpoint): (App, Arc<Endpoint>),
    (context, page): (&Context, &Arc<OnceLock<HeaderValue>>),
    path: RawPathParams,
    request: Request,
) -> Result<Response, Error> {
    let (head, body) = request.into_parts();
    // 1. Who asks for what we do not know hears that first: it is a mistake in their program.
    let query = query::read(&endpoint, head.uri.query().unwrap_or_default())?;
    // 2. Who calls, and on behalf of which organization.
    let organization = head
        .headers
        .get(auth::ORGANIZATION)
        .and_then(|value| value.to_str().ok());
    let about = About {
        address: context.client,
        request_id: Some(context.request_id.clone()),
        organization: organization.map(str::to_owned),
    };
    let (caller, credential) = auth::identify(&app, &endpoint, &head.headers, &about).await?;
    // 3. Whether they say which state they want to change.
    if endpoint.precondition && !head.headers.contains_key(header::IF_MATCH) {
        let detail = "This changes something that others may change too.";
        return Err(Error::refused(Code::PreconditionRequired, detail));
    }
    // 4. What they sent.
    let body = body::read(&endpoint, &head.headers, body).await?;
    let call = Call {
        app,
        endpoint,
        caller,
        credential,
        request_id: context.request_id.clone(),
        peer: context.client,
        uri: head.uri,
        page: Arc::clone(page),
        path: path
            .iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        query,
        headers: head.headers,
        body,
        extensions: head.extensions,
    };
    // 5. Whether it was done already; then 6. the use case.
    idempotency::once(call).await
}

/// The address that is counted for a request: the peer's, or what our proxy says.
pub(crate) fn client(settings: &crate::Settings, request: &Request) -> Option<IpAddr> {
    let peer = request
        .extensions()
        .get::<axum::extract::ConnectInfo<std::net::SocketAddr>>();
    let peer = peer.map(|info| info.0.ip());
    if !settings.trusts_proxy {
        return peer;
    }
    let forwarded = request
        .headers()
        .get("x-forwarded-for")
        .and_then(|value| value.to_str().ok());
    // The last one is what our proxy has seen; the ones before it anybody can write.
    let last = forwarded.and_then(|all| all.rsplit(',').next()?.trim().parse().ok());
    last.or(peer)
}
