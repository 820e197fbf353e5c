//! The way from an SDK to the server, on which the stream of changes can be cut.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use futures_util::{StreamExt as _, stream};
use http::StatusCode;
use http::header::HOST;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The way; ends when dropped.
pub(super) struct Way {
    pub(super) url: String,
    inner: Arc<Inner>,
    task: JoinHandle<()>,
}

struct Inner {
    target: String,
    client: Client<HttpConnector, Body>,
    is_cut: watch::Sender<bool>,
    /// Streams that were opened.
    streams: AtomicU64,
    /// Streams that were refused.
    refused: AtomicU64,
    /// Questions for definitions that were passed on.
    asked: AtomicU64,
}

impl Way {
    /// One to a server.
    pub(super) async fn to(target: String) -> Self {
        let inner = Arc::new(Inner {
            target,
            client: Client::builder(TokioExecutor::new()).build_http(),
            is_cut: watch::Sender::new(false),
            streams: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            asked: AtomicU64::new(0),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = axum::Router::new()
            .fallback(passed)
            .with_state(Arc::clone(&inner));
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, inner, task }
    }

    /// Breaks the streams off that there are, and refuses all others.
    pub(super) fn cut(&self) {
        self.inner.is_cut.send_replace(true);
    }

    pub(super) fn streams(&self) -> u64 {
        self.inner.streams.load(Ordering::SeqCst)
    }

    pub(super) fn refused(&self) -> u64 {
        self.inner.refused.load(Ordering::SeqCst)
    }

    pub(super) fn asked(&self) -> u64 {
        self.inner.asked.load(Ordering::SeqCst)
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn passed(State(way): State<Arc<Inner>>, mut request: Request) -> Response {
    let path = request.uri().path_and_query().unwrap().to_string();
    let is_stream = request.uri().path().ends_with("/feature-flags/changes");
    if is_stream && *way.is_cut.borrow() {
        way.refused.fetch_add(1, Ordering::SeqCst);
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    if request.uri().path().ends_with("/feature-flags/definitions") {
        way.asked.fetch_add(1, Ordering::SeqCst);
    }
    *request.uri_mut() = format!("{}{path}", way.target).parse().unwrap();
    request.headers_mut().remove(HOST);
    let Ok(answer) = way.client.request(request).await else {
        return StatusCode::BAD_GATEWAY.into_response();
    };
    let (head, body) = answer.into_parts();
    let body = Body::new(body);
    if !is_stream {
        return Response::from_parts(head, body);
    }
    way.streams.fetch_add(1, Ordering::SeqCst);
    let mut is_cut = way.is_cut.subscribe();
    let until = async move { is_cut.wait_for(|is_cut| *is_cut).await.is_ok() };
    let broken = stream::iter([Err(axum::Error::new("the stream is cut"))]);
    let body = body.into_data_stream().take_until(Box::pin(until)).chain(broken);
    Response::from_parts(head, Body::from_stream(body))
}
