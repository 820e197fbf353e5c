//! The lake as a sink: batches of a node, each of which gets into the table once.

use deltalake::DeltaTableError;
use deltalake::kernel::{Action, Add, Transaction};
use deltalake::protocol::{DeltaOperation, SaveMode};
use domain::id::NodeId;
use events::sink::SinkError;
use events::{Batch, Sink, fault};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use uuid::Uuid;

use crate::rows::{self, DayFile};
use crate::table::{Outcome, Turn};
use crate::{Lake, schema};

/// How often a commit is tried that others overtake.
const ATTEMPTS_MAX: u32 = 20;

/// Makes files of the rows of batches.
pub(crate) type Write = fn(&[Batch]) -> Result<Vec<DayFile>, rows::Error>;

impl Sink for Lake {
    /// Commits batches in one version of each table, whose application transaction is the node's watermark.
    ///
    /// The lake's watermark is that of `calls`, which gets a version for each set of batches. Events come before it,
    /// and only if there are some: batches that come again because calls did not follow are known to `events`.
    /// Files are uploaded first; what was uploaded and not committed belongs to nothing and is removed by
    /// [`Lake::vacuum`].
    async fn commit(&self, node: NodeId, batches: &[Batch]) -> Result<u64, SinkError> {
        let mut turn = self.calls.turn().await.map_err(unavailable)?;
        let mut watermark = turn.watermark(node).await.map_err(unavailable)?;
        // What others have committed is not known here yet: nothing is told, and nobody refused, because of that.
        if batches.is_empty() || last_of_new(watermark, batches).is_err() {
            turn.refresh().await.map_err(unavailable)?;
            watermark = turn.watermark(node).await.map_err(unavailable)?;
        }
        if last_of_new(watermark, batches)?.is_some() && batches.iter().any(Batch::is_tracked) {
            let mut turn = self.events.turn().await.map_err(unavailable)?;
            let store = self.events.store();
            append(
                &mut turn,
                (&*store, rows::event_files),
                (node, watermark),
                batches,
            )
            .await?;
            turn.end();
            fault::point("lake.between_tables");
        }
        let store = self.calls.store();
        let watermark = append(&mut turn, (&*store, rows::files), (node, watermark), batches).await?;
        turn.end();
        Ok(watermark)
    }
}

/// Appends what is new to a table and to those who have it all up to a batch; answers the watermark after it.
pub(crate) async fn append(
    turn: &mut Turn<'_>,
    (store, write): (&dyn ObjectStore, Write),
    (node, through): (NodeId, u64),
    batches: &[Batch],
) -> Result<u64, SinkError> {
    let mut uploaded: Option<(u64, Vec<Action>)> = None;
    for _ in 0..ATTEMPTS_MAX {
        let watermark = turn.watermark(node).await.map_err(unavailable)?.max(through);
        let Some(last) = last_of_new(watermark, batches)? else {
            return Ok(watermark);
        };
        // What was uploaded is of use only as long as the same batches are new.
        let files = match uploaded.take() {
            Some((after, files)) if after == watermark => files,
            _ => upload((store, write), node, watermark, batches).await?,
        };
        fault::point("lake.before_commit");
        let outcome = turn
            .commit(transaction(node, last), files.clone(), operation())
            .await
            .map_err(unavailable)?;
        if outcome == Outcome::Done {
            fault::point("lake.after_commit");
            return Ok(last);
        }
        uploaded = Some((watermark, files));
    }
    let reason = format!("others have overtaken {ATTEMPTS_MAX} attempts to commit");
    Err(SinkError::Unavailable(reason.into()))
}

/// The sequence number of the last batch, if there are batches after the watermark.
///
/// They must follow it, unless the first one says that the node has no more what is in between.
fn last_of_new(watermark: u64, batches: &[Batch]) -> Result<Option<u64>, SinkError> {
    let mut last = watermark;
    for batch in batches.iter().filter(|batch| batch.sequence() > watermark) {
        let sequence = batch.sequence();
        if sequence != last + 1 && !(last == watermark && batch.is_lost()) {
            let reason = format!("batch {sequence} came after {last}");
            return Err(SinkError::Refused { reason });
        }
        last = sequence;
    }
    Ok((last > watermark).then_some(last))
}

/// Uploads what the batches after the watermark hold.
async fn upload(
    (store, write): (&dyn ObjectStore, Write),
    node: NodeId,
    watermark: u64,
    batches: &[Batch],
) -> Result<Vec<Action>, SinkError> {
    let new = batches.iter().filter(|batch| batch.sequence() > watermark);
    let new: Vec<Batch> = new.cloned().collect();
    let written = tokio::task::spawn_blocking(move || write(&new)).await;
    let written = written.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
    let files = written.map_err(|error| match error {
        rows::Error::Batch(error) => SinkError::Refused {
            reason: format!("a batch of {node} cannot be read: {error}"),
        },
        error => SinkError::Unavailable(error.into()),
    })?;
    fault::point("lake.before_upload");
    let mut actions = Vec::with_capacity(files.len());
    for file in files {
        actions.push(put(store, file, true).await?);
        fault::point("lake.between_uploads");
    }
    Ok(actions)
}

/// The watermark of a node, as Delta Lake keeps it.
fn transaction(node: NodeId, watermark: u64) -> Transaction {
    Transaction::new(node, i64::try_from(watermark).unwrap_or(i64::MAX))
}

fn operation() -> DeltaOperation {
    DeltaOperation::Write {
        mode: SaveMode::Append,
        partition_by: Some(vec![schema::DATE.to_owned()]),
        predicate: None,
    }
}

/// Uploads a file; `data_change` says whether its rows are new.
pub(crate) async fn put(
    store: &dyn ObjectStore,
    file: DayFile,
    data_change: bool,
) -> Result<Action, SinkError> {
    let DayFile {
        date,
        bytes,
        statistics,
    } = file;
    let path = format!("{}={date}/{}.parquet", schema::DATE, Uuid::now_v7());
    let size = i64::try_from(bytes.len()).expect("files are smaller than memory");
    let location = Path::from(path.as_str());
    store
        .put(&location, bytes.into())
        .await
        .map_err(|error| SinkError::Unavailable(error.into()))?;
    Ok(Action::Add(Add {
        path,
        partition_values: [(schema::DATE.to_owned(), Some(date))].into(),
        size,
        modification_time: now_millis(),
        data_change,
        stats: Some(statistics),
        ..Add::default()
    }))
}

fn now_millis() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

fn unavailable(error: DeltaTableError) -> SinkError {
    SinkError::Unavailable(error.into())
}

#[cfg(test)]
pub(crate) mod tests;
