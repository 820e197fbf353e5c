//! The service behind: the departures sample in this process, counting what reaches it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// The running service; ends when dropped.
#[derive(Debug)]
pub(crate) struct Service {
    /// With a base path, as real services have one.
    pub(crate) url: String,
    reached: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Service {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/base", listener.local_addr().unwrap());
        let reached = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&reached);
        let count = from_fn(move |request: Request, next: Next| {
            counter.fetch_add(1, Ordering::SeqCst);
            next.run(request)
        });
        let router = axum::Router::new()
            .nest("/base", departures::router())
            .layer(count);
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, reached, task }
    }

    /// How many requests reached it.
    pub(crate) fn reached(&self) -> u64 {
        self.reached.load(Ordering::SeqCst)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Writes the service's contract into a folder.
pub(crate) fn contract(folder: &Path) -> PathBuf {
    let path = folder.join("contract.yaml");
    std::fs::write(&path, departures::CONTRACT).unwrap();
    path
}
