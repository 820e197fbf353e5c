//! What the tests share: programs, a service behind, HTTP, gRPC; `store::testing` has the database server.

pub(crate) mod gateline;
pub(crate) mod grpc;
pub(crate) mod http;
pub(crate) mod node;
pub(crate) mod pebble;
pub(crate) mod program;
pub(crate) mod redis;
pub(crate) mod service;
pub(crate) mod tls;

use std::time::{Duration, Instant};

/// Asks again until there is an answer; fails with what was waited for.
///
/// For what happens in another process: nothing there can be waited on but by asking.
pub(crate) async fn eventually<T>(
    what: &str,
    within: Duration,
    mut ask: impl AsyncFnMut() -> Option<T>,
) -> T {
    let end = Instant::now() + within;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < end, "{what} did not happen within {within:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
