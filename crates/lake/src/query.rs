//! Read-only SQL over the tables, for one organization at a time.
//!
//! Three walls stand between a statement and what is not the asker's. The session knows two tables and no function
//! that reads anything else. The plan may only hold what reads ([`guard`]). And the tables themselves give out only
//! the rows that the asker may see, before anything that the statement says is computed ([`fence`]).

use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll};
use std::time::Duration;

use deltalake::arrow::array::RecordBatch;
use deltalake::arrow::datatypes::SchemaRef;
use deltalake::datafusion::execution::SendableRecordBatchStream;
use deltalake::datafusion::execution::session_state::SessionState;
use deltalake::datafusion::prelude::DataFrame;
use deltalake::datafusion::sql::parser::Statement;
use deltalake::{DeltaTable, DeltaTableError};
use domain::id::OrganizationId;
use futures_util::{Stream, StreamExt};
use tokio::runtime::Runtime;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::{JoinError, JoinHandle};
use tokio::time::Instant;

use crate::Lake;

pub use self::error::Error;
pub use self::output::encode;

mod error;
mod fence;
mod files;
pub(crate) mod functions;
mod guard;
mod output;
mod session;
mod sums;

/// The most characters of a statement.
pub const SQL_BYTES_MAX: usize = 32 << 10;
/// Queries of one process at a time; one more is refused.
const QUERIES_MAX: usize = 4;
/// Batches that wait for whoever reads them.
const BATCHES_WAITING: usize = 2;

/// Whose rows a query sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tenant {
    /// Everybody's: for those who run the installation.
    Installation,
    /// In `calls` those of its APIs, in `calls_made` those that its applications made, in `events` its own.
    Organization(OrganizationId),
}

/// What a query may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Memory for what is kept between rows: groups, sorted rows, one side of a join.
    pub memory_bytes: usize,
    /// Time until the last row is computed, with the wait for whoever reads.
    pub time: Duration,
    /// Rows of the answer; those after them are left out.
    pub rows: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes: 256 << 20,
            time: Duration::from_secs(30),
            rows: 1_000_000,
        }
    }
}

/// Places for queries.
#[derive(Debug)]
pub(crate) struct Places(Arc<Semaphore>);

impl Default for Places {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(QUERIES_MAX)))
    }
}

/// The rows of a query as they are computed; whoever drops it ends the query.
#[derive(Debug)]
pub struct Answer {
    schema: SchemaRef,
    batches: mpsc::Receiver<Result<RecordBatch, Error>>,
}

impl Answer {
    /// Names and types of the columns.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }
}

impl Stream for Answer {
    type Item = Result<RecordBatch, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.batches.poll_recv(context)
    }
}

/// Where queries are computed: a step of one may take long, and must not hold up whoever else is served.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let threads = std::thread::available_parallelism().map_or(1, |threads| threads.get().min(QUERIES_MAX));
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_name("lake-query")
        .enable_all()
        .build()
        .expect("the system has threads to give")
});

impl Lake {
    /// Answers one `SELECT`, or explains how it would be answered (`EXPLAIN SELECT …`).
    ///
    /// The tables are `calls`, `calls_made` and `events`. An error at the end of the rows means that those before it are not
    /// all.
    ///
    /// # Errors
    /// What is wrong with the statement, and [`Error::Busy`] while as many queries run as may.
    pub async fn query(&self, sql: &str, tenant: Tenant, limits: Limits) -> Result<Answer, Error> {
        let statement = guard::statement(sql)?;
        let begin = move |(calls, events): (DeltaTable, DeltaTable)| async move {
            let state = session::state((&calls, &events), tenant, limits.memory_bytes)?;
            begin(state, statement).await
        };
        self.run(limits, begin).await
    }

    /// Computes rows of the newest versions of `calls` and `events`, within limits.
    async fn run<F>(
        &self,
        limits: Limits,
        begin: impl FnOnce((DeltaTable, DeltaTable)) -> F + Send + 'static,
    ) -> Result<Answer, Error>
    where
        F: Future<Output = Result<SendableRecordBatchStream, Error>> + Send + 'static,
    {
        let place = self
            .places
            .0
            .clone()
            .try_acquire_owned()
            .map_err(|_| Error::Busy)?;
        let end = Instant::now() + limits.time;
        let late = |_| Error::Time { limit: limits.time };
        let newest = async { tokio::try_join!(self.calls.newest(), self.events.newest()) };
        let newest = tokio::time::timeout_at(end, newest).await;
        let tables = newest.map_err(late)?.map_err(unavailable)?;
        let (sender, batches) = mpsc::channel(BATCHES_WAITING);
        let (begun, schema) = oneshot::channel();
        let rows = sender.clone();
        let work = RUNTIME.spawn(async move {
            let _place = place;
            let answer = begin(tables).await?;
            // Who has gone away is noticed with the first row.
            let _ = begun.send(answer.schema());
            pass_on(answer, limits, &rows).await
        });
        match tokio::time::timeout_at(end, schema).await {
            Ok(Ok(schema)) => {
                tokio::spawn(watch(work, limits, end, sender));
                Ok(Answer { schema, batches })
            }
            Ok(Err(_)) => Err(failure(work.await).expect("what has not begun has failed")),
            Err(elapsed) => {
                work.abort();
                Err(late(elapsed))
            }
        }
    }
}

/// Understands a statement and begins to compute its rows.
async fn begin(state: SessionState, statement: Statement) -> Result<SendableRecordBatchStream, Error> {
    let plan = state.statement_to_plan(statement).await.map_err(Error::of_plan)?;
    guard::plan(&plan)?;
    guard::joins(&state.optimize(&plan).map_err(Error::of_plan)?)?;
    let rows = DataFrame::new(state, plan).execute_stream().await;
    rows.map_err(Error::of_plan)
}

/// Waits until there are no more rows, the time is over, or nobody waits for them.
async fn watch(
    mut work: JoinHandle<Result<(), Error>>,
    limits: Limits,
    end: Instant,
    sender: mpsc::Sender<Result<RecordBatch, Error>>,
) {
    let failed = tokio::select! {
        biased;
        () = sender.closed() => None,
        () = tokio::time::sleep_until(end) => Some(Error::Time { limit: limits.time }),
        ended = &mut work => failure(ended),
    };
    work.abort();
    if let Some(error) = failed {
        // Who has gone away needs no error.
        let _ = sender.send(Err(error)).await;
    }
}

fn failure(ended: Result<Result<(), Error>, JoinError>) -> Option<Error> {
    match ended {
        Ok(result) => result.err(),
        Err(error) => Some(Error::Unavailable(error.into())),
    }
}

async fn pass_on(
    mut rows: SendableRecordBatchStream,
    limits: Limits,
    sender: &mpsc::Sender<Result<RecordBatch, Error>>,
) -> Result<(), Error> {
    let mut left = limits.rows;
    while left > 0
        && let Some(batch) = rows.next().await
    {
        let batch = batch.map_err(|error| Error::of_run(error, limits))?;
        let batch = batch.slice(0, batch.num_rows().min(left));
        left -= batch.num_rows();
        if batch.num_rows() > 0 && sender.send(Ok(batch)).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
}

fn unavailable(error: DeltaTableError) -> Error {
    Error::Unavailable(error.into())
}

#[cfg(test)]
pub(crate) mod tests;
