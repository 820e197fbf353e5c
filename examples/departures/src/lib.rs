//! The sample service: a small railway's departure board, with tickets that can be bought and returned.
//!
//! It stands for "somebody's service": it knows nothing of Gateline. Everything is in memory; the timetable is
//! the same every day, tickets are forgotten with the process. [`CONTRACT`] describes what [`router`] answers.

mod board;
mod problem;
mod routes;
mod tickets;
mod timetable;

use std::future::Future;
use std::io;

use tokio::net::TcpListener;

pub use routes::router;

/// The service's OpenAPI 3.1 document, as a provider would write it.
pub const CONTRACT: &str = include_str!("../openapi.yaml");

/// Serves a fresh board until `stop` is ready; then finishes the calls under way.
pub async fn serve(listener: TcpListener, stop: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
    axum::serve(listener, router()).with_graceful_shutdown(stop).await
}

#[cfg(test)]
mod tests;
