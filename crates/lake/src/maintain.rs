//! Keeping the tables in order: vacuum, the log, retention and erasure.
//!
//! Each step is one version of the table or none, so a process that dies leaves a table that can be read; files
//! that belong to no version are removed by the next [`Lake::vacuum`].

use std::sync::Arc;

use deltalake::datafusion::common::ScalarValue;
use deltalake::datafusion::prelude::{Expr, col, lit};
use deltalake::kernel::Transaction;
use deltalake::kernel::transaction::CommitProperties;
use deltalake::operations::vacuum::{Clock, VacuumMode};
use deltalake::protocol::checkpoints;
use deltalake::{DeltaTable, DeltaTableError};
use domain::Timestamp;
use domain::id::OrganizationId;
use domain::lake::{Retention, Subject};

use crate::schema::{self, DATE};
use crate::table::{Table, is_overtaken};
use crate::{Lake, rows};

/// How often work is done again that a commit of somebody else has made void.
pub(crate) const ATTEMPTS_MAX: u32 = 10;
/// The application transaction of maintenance: of two that change the same files, Delta lets one pass.
///
/// Without it a deletion and a compaction at a time may both commit, and rows are there again: Delta's own check passes
/// over files that were removed without a change of data.
pub(crate) const MAINTENANCE: &str = "maintenance";

/// Why the tables could not be kept in order; the next try begins where this one ended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Others have committed each time before it could.
    #[error("others have overtaken {ATTEMPTS_MAX} attempts")]
    Overtaken,
    /// The store or the table is in trouble.
    #[error("the table cannot be changed at present")]
    Unavailable(#[source] Box<DeltaTableError>),
}

/// What a vacuum did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Vacuumed {
    /// Files removed.
    pub files_removed: usize,
}

/// What was done to the log of the table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Trimmed {
    /// Files of the log removed.
    pub files_removed: usize,
}

/// What a deletion did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Deleted {
    /// Rows that are gone; absent when files were removed whose rows nobody has counted.
    pub rows: Option<u64>,
    /// Files that held them.
    pub files_removed: u64,
    /// Files that hold what else was in those.
    pub files_added: u64,
}

impl Lake {
    /// The tables, each of which is kept in order on its own.
    pub(crate) fn tables(&self) -> [&Table; 2] {
        [&self.calls, &self.events]
    }

    /// Removes files that no version of the last day needs, and those that were uploaded but never committed.
    ///
    /// So whoever reads may go on with a version for a day.
    pub async fn vacuum(&self, now: Timestamp) -> Result<Vacuumed, Error> {
        let mut files_removed = 0;
        for table in self.tables() {
            let metrics = table.attempt(|table, properties| async move {
                let vacuum = table
                    .vacuum()
                    .with_mode(VacuumMode::Full)
                    .with_clock(Arc::new(Now(now)))
                    .with_commit_properties(properties);
                vacuum.await.map(|(_, metrics)| metrics)
            });
            files_removed += metrics.await?.files_deleted.len();
        }
        Ok(Vacuumed { files_removed })
    }

    /// Writes a checkpoint of the newest version, and removes files of the log that are older than a day.
    pub async fn trim_log(&self, now: Timestamp) -> Result<Trimmed, Error> {
        let before = now.before(schema::FILE_RETENTION).as_micros() / 1000;
        let mut files_removed = 0;
        for table in self.tables() {
            let table = table.newest().await.map_err(unavailable)?;
            let made = checkpoints::create_checkpoint(&table, None).await;
            made.map_err(unavailable)?;
            let version = table.version().unwrap_or(0);
            let log = table.log_store();
            let removed = checkpoints::cleanup_expired_logs_for(version, &*log, before, None).await;
            files_removed += removed.map_err(unavailable)?;
        }
        Ok(Trimmed { files_removed })
    }

    /// Deletes the calls and events that are older than they are kept: whole days where all of them are, else rows.
    pub async fn expire(&self, retention: &Retention, now: Timestamp) -> Result<Deleted, Error> {
        let today = rows::day(now);
        let which = [
            whole_days(retention, today).map(before),
            some_rows(retention, today),
        ];
        let mut all = None;
        for table in self.tables() {
            for which in which.iter().flatten() {
                let done = table.delete(which).await?;
                all = Some(all.map_or(done, |all: Deleted| all.and(done)));
            }
        }
        Ok(all.unwrap_or_default())
    }

    /// Deletes the calls that an application made, or the events that are about somebody.
    ///
    /// They are in no answer from then on; their bytes leave the store with the vacuum and the trimmed log of the
    /// next day. What nodes have not delivered yet is not among them.
    pub async fn erase(&self, subject: Subject) -> Result<Deleted, Error> {
        match subject {
            Subject::Application(id) => {
                let which = col("application_id").eq(lit(id.to_string()));
                self.calls.delete(&which).await
            }
            Subject::User(organization, unit) => {
                let ids = [("user_id", unit.user_id), ("anonymous_id", unit.anonymous_id)];
                let ids = ids
                    .into_iter()
                    .filter_map(|(name, id)| Some(col(name).eq(lit(id?))));
                let Some(about) = ids.reduce(Expr::or) else {
                    return Ok(Deleted::default());
                };
                self.events.delete(&of(organization).and(about)).await
            }
            Subject::Organization(organization) => {
                let calls = self.calls.delete(&of(organization)).await?;
                let events = self.events.delete(&of(organization)).await?;
                Ok(calls.and(events))
            }
        }
    }
}

/// What is an organization's.
fn of(organization: OrganizationId) -> Expr {
    col("organization_id").eq(lit(organization.to_string()))
}

impl Deleted {
    fn and(self, other: Self) -> Self {
        Self {
            rows: self.rows.zip(other.rows).map(|(one, other)| one + other),
            files_removed: self.files_removed + other.files_removed,
            files_added: self.files_added + other.files_added,
        }
    }
}

impl Table {
    async fn delete(&self, which: &Expr) -> Result<Deleted, Error> {
        let metrics = self
            .attempt(|table, properties| {
                let deletion = table
                    .delete()
                    .with_predicate(which.clone())
                    .with_writer_properties(self.layout().writer_properties())
                    .with_commit_properties(properties);
                async move { deletion.await.map(|(_, metrics)| metrics) }
            })
            .await?;
        Ok(Deleted {
            rows: metrics.num_deleted_rows.map(|rows| rows as u64),
            files_removed: metrics.num_removed_files as u64,
            files_added: metrics.num_added_files as u64,
        })
    }

    /// Does work on the newest version until nobody is in between.
    async fn attempt<T, F>(&self, work: impl Fn(DeltaTable, CommitProperties) -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, DeltaTableError>>,
    {
        for _ in 0..ATTEMPTS_MAX {
            let table = self.newest().await.map_err(unavailable)?;
            let next = table.version().unwrap_or(0).saturating_add(1);
            let transaction = Transaction::new(MAINTENANCE, i64::try_from(next).unwrap_or(i64::MAX));
            let properties = CommitProperties::default()
                .with_application_transaction(transaction)
                .with_cleanup_expired_logs(Some(false));
            match work(table, properties).await {
                Ok(done) => return Ok(done),
                Err(error) if is_overtaken(&error) => {
                    tracing::debug!(%error, "somebody else has committed, the work begins anew");
                }
                Err(error) => return Err(unavailable(error)),
            }
        }
        Err(Error::Overtaken)
    }
}

/// The day before which nothing is kept, for anybody.
fn whole_days(retention: &Retention, today: i32) -> Option<i32> {
    let all = retention.days_of.iter().map(|(_, days)| *days);
    let all = all.chain([retention.days]).collect::<Option<Vec<u32>>>()?;
    Some(first_kept(today, all.into_iter().max()?))
}

/// The calls that are not kept while others of their day are.
fn some_rows(retention: &Retention, today: i32) -> Option<Expr> {
    let organization = || col("organization_id");
    let named = retention.days_of.iter().map(|(id, _)| lit(id.to_string()));
    let named: Vec<Expr> = named.collect();
    let mut which = Vec::new();
    let mut last = i32::MIN;
    if let Some(days) = retention.days {
        let first = first_kept(today, days);
        let others = match named.is_empty() {
            true => lit(true),
            false => organization().is_null().or(organization().in_list(named, true)),
        };
        which.push(before(first).and(others));
        last = last.max(first);
    }
    for (id, days) in &retention.days_of {
        let Some(days) = days else { continue };
        let first = first_kept(today, *days);
        which.push(before(first).and(organization().eq(lit(id.to_string()))));
        last = last.max(first);
    }
    let some = which.into_iter().reduce(Expr::or)?;
    Some(before(last).and(some))
}

fn first_kept(today: i32, days: u32) -> i32 {
    today.saturating_sub_unsigned(days)
}

fn before(day: i32) -> Expr {
    col(DATE).lt(lit(ScalarValue::Date32(Some(day))))
}

/// The moment that a vacuum takes for now.
#[derive(Debug)]
struct Now(Timestamp);

impl Clock for Now {
    fn current_timestamp_millis(&self) -> i64 {
        self.0.as_micros() / 1000
    }
}

pub(crate) fn unavailable(error: DeltaTableError) -> Error {
    Error::Unavailable(Box::new(error))
}

#[cfg(test)]
mod tests;
