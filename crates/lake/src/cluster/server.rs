//! What scheduler and executors have in common: a listener that only answers those who know the secret.

use std::future::Future;
use std::net::SocketAddr;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::get;
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;
use tonic::Status;

use super::Secret;

/// Answers until it is told to stop; anybody may ask whether it lives and whether it is ready.
pub(super) async fn serve(
    listener: TcpListener,
    services: Router,
    secret: &Secret,
    is_ready: impl Fn() -> bool + Clone + Send + Sync + 'static,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let known: [u8; 32] = Sha256::digest(super::shown(secret)).into();
    let ready = async move || match is_ready() {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    let router = services
        .layer(middleware::from_fn_with_state(known, admit))
        .route("/health/live", get(async || StatusCode::OK))
        .route("/health/ready", get(ready));
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service).with_graceful_shutdown(stop).await
}

async fn admit(State(known): State<[u8; 32]>, request: Request, next: Next) -> Response {
    let agent = request.headers().get(header::USER_AGENT);
    let agent = agent.and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    // The library's own name comes after it.
    let shown = agent.split(' ').next().unwrap_or_default();
    // Digests are compared, so that the time it takes tells nothing of what is known.
    match <[u8; 32]>::from(Sha256::digest(shown)) == known {
        true => next.run(request).await,
        false => Status::unauthenticated("it does not know the cluster's token").into_http(),
    }
}
