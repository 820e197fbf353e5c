//! Runs futures on the core they were made on.

use hyper::rt::Executor;
use tokio::task::spawn_local;

/// Spawns on the thread's `LocalSet`, so that nothing of a connection ever leaves its core.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LocalExecutor;

impl<F> Executor<F> for LocalExecutor
where
    F: Future + 'static,
{
    fn execute(&self, future: F) {
        spawn_local(async move {
            future.await;
        });
    }
}
