//! The HTTP edge of the control plane.
//!
//! Here belongs everything that is HTTP: paths, headers, status codes, the OpenAPI document. Decisions are made in
//! `control`; a handler reads what was sent, calls one use case and writes the answer.
//!
//! An endpoint is declared once ([`endpoint`](self)): from the declaration come its route, what is checked before
//! its handler runs (sign-in, query, body, `If-Match`, `Idempotency-Key`) and its part of the document. Start with
//! `v1.rs` for the list of endpoints, `serve.rs` for the way of a request through one, `edge.rs` for what happens
//! to every request, `problem.rs` for how errors become answers. To add an endpoint: a declaration in a file of
//! `v1/`, and `make gen`.

mod answer;
mod app;
mod auth;
mod body;
mod call;
mod cors;
mod crud;
mod edge;
mod endpoint;
mod etag;
mod growthbook;
mod idempotency;
mod internal;
mod links;
mod meta;
mod metrics;
mod ofrep;
mod openapi;
mod page;
mod pages;
mod parameter;
mod problem;
mod query;
mod schema;
mod sdk_key;
mod security;
mod serve;
mod settings;
mod stream;
mod try_it;
mod unleash;
mod v1;

use std::sync::Arc;

use axum::Router;
use axum::extract::{RawPathParams, Request, State};
use axum::middleware;
use axum::routing::{MethodFilter, any, on};
use control::Control;
use serde_json::Value;
use tokio::sync::Semaphore;

use crate::app::App;
use crate::endpoint::Endpoint;

pub use crate::problem::{Problem, ProblemError};
pub use crate::settings::{Figure, Probe, Settings};

/// Everything that the control plane answers, as a service for a listener.
///
/// Serve it with [`Router::into_make_service_with_connect_info`] of a `SocketAddr`, so that sign-in can be slowed
/// down per address.
pub fn router(control: Control, settings: Settings) -> Router {
    router_of(control, settings, endpoints())
}

fn router_of(control: Control, settings: Settings, endpoints: Vec<Endpoint>) -> Router {
    let counts = control.clone();
    let app = App {
        metrics: Arc::new(metrics::Metrics::new(
            move || counts.counts(),
            settings.figures.clone(),
        )),
        document: Arc::new(openapi::document(&endpoints)),
        try_it: Arc::new(try_it::TryIt::new()),
        flag_streams: Arc::new(Semaphore::new(settings.flag_streams_max)),
        settings: Arc::new(settings),
        control,
    };
    let mut router = Router::new().merge(pages::router()).merge(internal::router());
    for endpoint in endpoints {
        router = route(router, endpoint);
    }
    router
        .route(try_it::PATH, any(try_it::try_it))
        .fallback(edge::not_found)
        .method_not_allowed_fallback(edge::method_not_allowed)
        .layer(middleware::from_fn_with_state(app.clone(), edge::edge))
        .with_state(app)
}

/// The OpenAPI 3.1 document of the control API; `spec/openapi.json` is this, written prettily.
pub fn openapi() -> Value {
    openapi::document(&endpoints())
}

fn endpoints() -> Vec<Endpoint> {
    let mut endpoints = v1::endpoints();
    endpoints.extend(ofrep::endpoints());
    endpoints.extend(growthbook::endpoints());
    endpoints.extend(unleash::endpoints());
    endpoints.extend(meta::endpoints());
    endpoints
}

fn route(router: Router<App>, endpoint: Endpoint) -> Router<App> {
    let filter =
        MethodFilter::try_from(endpoint.method.clone()).expect("endpoints have methods that axum knows");
    let path = endpoint.path.clone();
    let endpoint = Arc::new(endpoint);
    let handler = move |State(app): State<App>, path: RawPathParams, request: Request| {
        serve::serve(app, endpoint.clone(), path, request)
    };
    router.route(&path, on(filter, handler))
}

#[cfg(test)]
mod tests;
