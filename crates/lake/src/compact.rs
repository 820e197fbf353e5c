//! Joining the small files of each day, as the rows of one were sorted.
//!
//! Delta's own `optimize` would do, but that it neither keeps the order of rows nor takes the application transaction
//! by which two that join the same files notice each other: both may commit, and rows are there twice.

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::sync::Arc;

use bytes::Bytes;
use deltalake::arrow::array::{ArrayRef, RecordBatch, new_null_array};
use deltalake::arrow::compute::{SortColumn, cast, concat_batches, lexsort_to_indices, take_record_batch};
use deltalake::arrow::error::ArrowError;
use deltalake::kernel::{Action, Remove, Transaction};
use deltalake::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use deltalake::protocol::DeltaOperation;
use deltalake::{DeltaTable, DeltaTableError};
use events::fault;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use super::Lake;
use crate::commit::put;
use crate::maintain::{ATTEMPTS_MAX, Error, MAINTENANCE, unavailable};
use crate::rows::{self, DayFile};
use crate::schema::{DATE, Layout};
use crate::table::{Outcome, Table};

/// What a compaction did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Compacted {
    /// Small files that are not needed any more.
    pub files_removed: u64,
    /// Files that hold their rows.
    pub files_added: u64,
    /// Bytes of the former.
    pub bytes_removed: u64,
    /// Bytes of the latter.
    pub bytes_added: u64,
}

/// A file of the newest version.
#[derive(Debug, Clone)]
struct Piece {
    path: Path,
    size: u64,
    remove: Remove,
}

/// Files of one day that are to become one.
#[derive(Debug, Default)]
struct Group {
    date: String,
    pieces: Vec<Piece>,
    bytes: u64,
}

impl Lake {
    /// Joins small files of each day into files of about `target_bytes`.
    ///
    /// The rows of one such file are in memory at a time, uncompressed and several times over. Files that somebody else
    /// has replaced meanwhile are left to the next time.
    pub async fn compact(&self, target_bytes: NonZeroU64) -> Result<Compacted, Error> {
        let mut all = Compacted::default();
        for table in self.tables() {
            let newest = table.newest().await.map_err(unavailable)?;
            for group in groups(&newest, target_bytes.get()).map_err(unavailable)? {
                if let Some(done) = table.join(group, target_bytes).await? {
                    all.files_removed += done.files_removed;
                    all.files_added += done.files_added;
                    all.bytes_removed += done.bytes_removed;
                    all.bytes_added += done.bytes_added;
                }
            }
        }
        Ok(all)
    }
}

impl Table {
    /// Makes one file of a group; `None` if one of its files is not needed any more.
    async fn join(&self, group: Group, target_bytes: NonZeroU64) -> Result<Option<Compacted>, Error> {
        let store = self.store();
        let mut files = Vec::with_capacity(group.pieces.len());
        for piece in &group.pieces {
            match read(&*store, &piece.path).await {
                Ok(bytes) => files.push(bytes),
                Err(object_store::Error::NotFound { .. }) => return Ok(None),
                Err(error) => return Err(unavailable(error.into())),
            }
        }
        let (layout, date) = (self.layout(), group.date);
        let joined = tokio::task::spawn_blocking(move || joined(layout, date, &files)).await;
        let joined = joined.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
        let file = joined.map_err(|error| unavailable(DeltaTableError::generic(error.to_string())))?;
        let bytes_added = file.bytes.len() as u64;
        let is_change = false;
        let added = put(&*store, file, is_change).await;
        let added = added.map_err(|error| unavailable(DeltaTableError::generic(error.to_string())))?;
        fault::point("lake.joined");

        let mut turn = self.turn().await.map_err(unavailable)?;
        for _ in 0..ATTEMPTS_MAX {
            if !has_all(turn.newest(), &group.pieces).map_err(unavailable)? {
                turn.end();
                return Ok(None);
            }
            let mut actions: Vec<Action> = vec![added.clone()];
            actions.extend(
                group
                    .pieces
                    .iter()
                    .map(|piece| Action::Remove(piece.remove.clone())),
            );
            let operation = DeltaOperation::Optimize {
                predicate: None,
                target_size: i64::try_from(target_bytes.get()).unwrap_or(i64::MAX),
            };
            let next = turn.newest().version().unwrap_or(0).saturating_add(1);
            let maintenance = Transaction::new(MAINTENANCE, i64::try_from(next).unwrap_or(i64::MAX));
            let committed = turn.commit(maintenance, actions, operation).await;
            if committed.map_err(unavailable)? == Outcome::Done {
                turn.end();
                return Ok(Some(Compacted {
                    files_removed: group.pieces.len() as u64,
                    files_added: 1,
                    bytes_removed: group.bytes,
                    bytes_added,
                }));
            }
        }
        Err(Error::Overtaken)
    }
}

/// The files that are smaller than the target, by day, as many together as reach it.
fn groups(table: &DeltaTable, target_bytes: u64) -> Result<Vec<Group>, DeltaTableError> {
    let mut days: BTreeMap<String, Vec<Piece>> = BTreeMap::new();
    for file in table.snapshot()?.log_data().iter() {
        let size = u64::try_from(file.size()).unwrap_or(0);
        if size >= target_bytes {
            continue;
        }
        let date = file
            .partition_values_map()
            .remove(DATE)
            .flatten()
            .unwrap_or_default();
        let remove = file.remove_action(false);
        let path = file.object_store_path();
        days.entry(date).or_default().push(Piece { path, size, remove });
    }
    let mut groups = Vec::new();
    for (date, mut pieces) in days {
        // Names begin with the time at which they were made.
        pieces.sort_by(|one, other| one.path.cmp(&other.path));
        let mut open = Group::default();
        for piece in pieces {
            open.bytes += piece.size;
            open.pieces.push(piece);
            if open.bytes >= target_bytes {
                groups.push(Group {
                    date: date.clone(),
                    ..std::mem::take(&mut open)
                });
            }
        }
        groups.push(Group { date, ..open });
    }
    groups.retain(|group| group.pieces.len() > 1);
    Ok(groups)
}

/// Whether the version needs all of these files.
fn has_all(table: &DeltaTable, pieces: &[Piece]) -> Result<bool, DeltaTableError> {
    let data = table.snapshot()?.log_data();
    let needed: std::collections::HashSet<Path> = data.iter().map(|file| file.object_store_path()).collect();
    Ok(pieces.iter().all(|piece| needed.contains(&piece.path)))
}

async fn read(store: &dyn ObjectStore, path: &Path) -> object_store::Result<Bytes> {
    store.get(path).await?.bytes().await
}

/// The rows of some files as one file.
fn joined(layout: &Layout, date: String, files: &[Bytes]) -> Result<DayFile, rows::Error> {
    let mut batches = Vec::new();
    for file in files {
        for batch in ParquetRecordBatchReaderBuilder::try_new(file.clone())?.build()? {
            batches.push(as_written(layout, &batch?)?);
        }
    }
    let all = concat_batches(&layout.file_schema(), &batches)?;
    drop(batches);
    let sorted = layout.sorted_by.iter().map(|name| SortColumn {
        values: Arc::clone(all.column_by_name(name).expect("it is in the schema")),
        options: None,
    });
    let order = lexsort_to_indices(&sorted.collect::<Vec<_>>(), None)?;
    rows::written(layout, date, &take_record_batch(&all, &order)?)
}

/// The columns as we write them: files of others may have other types in memory, and older ones fewer columns.
pub(crate) fn as_written(layout: &Layout, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let schema = layout.file_schema();
    let columns = schema
        .fields()
        .iter()
        .map(|field| match batch.column_by_name(field.name()) {
            Some(column) => cast(column, field.data_type()),
            None => Ok(new_null_array(field.data_type(), batch.num_rows())),
        });
    let columns: Vec<ArrayRef> = columns.collect::<Result<_, _>>()?;
    RecordBatch::try_new(schema, columns)
}
