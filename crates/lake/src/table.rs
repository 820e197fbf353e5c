//! A Delta table: how it is opened, made and committed to.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use deltalake::kernel::transaction::{CommitBuilder, CommitProperties, TransactionError};
use deltalake::kernel::{Action, Transaction};
use deltalake::logstore::{LogStoreRef, StorageConfig, default_logstore};
use deltalake::operations::create::CreateBuilder;
use deltalake::protocol::{DeltaOperation, SaveMode};
use deltalake::{DeltaTable, DeltaTableError};
use domain::id::NodeId;
use object_store::ObjectStore;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use tokio::sync::{Semaphore, SemaphorePermit};
use url::Url;

use crate::place::Place;
use crate::schema::{self, Layout};

/// Commits of the table between two checkpoints: readers read at most as many files of the log.
const CHECKPOINT_INTERVAL: u64 = 50;

/// A table, which is made when it is first needed.
pub(crate) struct Table {
    layout: &'static Layout,
    log: LogStoreRef,
    url: Url,
    /// Who commits; commits of one process would only overtake each other.
    turn: Semaphore,
    newest: Mutex<Option<DeltaTable>>,
}

/// The right to commit, with the newest version of the table.
pub(crate) struct Turn<'a> {
    table: &'a Table,
    newest: DeltaTable,
    _permit: SemaphorePermit<'a>,
}

/// How a commit ended that was not refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is in the table.
    Done,
    /// Somebody else has committed since; the turn has the newest version now.
    Overtaken,
}

impl Table {
    /// Takes a table of a place; nothing is read or written yet.
    pub(crate) fn new(place: &Place, layout: &'static Layout) -> Self {
        let url = place.inner(&format!("{}/", layout.name));
        let root = place.root().clone();
        let prefix = Path::from_url_path(url.path()).expect("URLs are made of UTF-8");
        let inner: Arc<dyn ObjectStore> = Arc::new(PrefixStore::new(root.clone(), prefix));
        Self {
            layout,
            log: default_logstore(inner, root, &url, &StorageConfig::default()),
            url,
            turn: Semaphore::new(1),
            newest: Mutex::default(),
        }
    }

    /// Waits for the turn to commit.
    pub(crate) async fn turn(&self) -> Result<Turn<'_>, DeltaTableError> {
        let permit = self.turn.acquire().await.expect("the semaphore is never closed");
        // If it is not the newest, the commit is overtaken and tried again.
        let known = self.known().clone();
        let newest = match known {
            Some(table) => table,
            None => self.load().await?,
        };
        Ok(Turn {
            table: self,
            newest,
            _permit: permit,
        })
    }

    /// The newest version, for readers and for what takes long.
    pub(crate) async fn newest(&self) -> Result<DeltaTable, DeltaTableError> {
        let known = self.known().clone();
        let newest = match known {
            Some(mut table) => {
                table.update_state().await?;
                table
            }
            None => self.load().await?,
        };
        self.note(newest.clone());
        Ok(newest)
    }

    /// What it holds.
    pub(crate) fn layout(&self) -> &'static Layout {
        self.layout
    }

    /// Where it is.
    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    /// The store, whose root is the table's.
    pub(crate) fn store(&self) -> Arc<dyn ObjectStore> {
        self.log.object_store(None)
    }

    async fn load(&self) -> Result<DeltaTable, DeltaTableError> {
        let mut table = DeltaTable::new(self.log.clone());
        if !table.verify_deltatable_existence().await? {
            // If somebody else is quicker, there is a table all the same.
            if let Err(error) = self.create().await {
                tracing::debug!(%error, url = %self.url, "the table was not made");
            }
        }
        table.load().await?;
        self.grow(table).await
    }

    /// Adds the columns that the table does not have, because it was made before there were any.
    async fn grow(&self, mut table: DeltaTable) -> Result<DeltaTable, DeltaTableError> {
        let known = table.snapshot()?.schema();
        let mut columns = self.layout.delta_columns();
        columns.retain(|column| known.field(column.name()).is_none());
        if columns.is_empty() {
            return Ok(table);
        }
        match table.clone().add_columns().with_fields(columns).await {
            Ok(grown) => Ok(grown),
            // If somebody else was quicker, they are there all the same.
            Err(error) if is_overtaken(&error) => {
                table.update_state().await?;
                Ok(table)
            }
            Err(error) => Err(error),
        }
    }

    async fn create(&self) -> Result<DeltaTable, DeltaTableError> {
        let measured: Vec<&str> = self.layout.measured().collect();
        let retention = format!("interval {} seconds", schema::FILE_RETENTION.as_secs());
        CreateBuilder::new()
            .with_log_store(self.log.clone())
            .with_table_name(self.layout.name)
            .with_comment(self.layout.comment())
            .with_columns(self.layout.delta_columns())
            .with_partition_columns([schema::DATE])
            .with_save_mode(SaveMode::ErrorIfExists)
            .with_configuration([
                ("delta.checkpointInterval", Some(CHECKPOINT_INTERVAL.to_string())),
                ("delta.dataSkippingStatsColumns", Some(measured.join(","))),
                ("delta.deletedFileRetentionDuration", Some(retention.clone())),
                ("delta.logRetentionDuration", Some(retention)),
                // What is appended meanwhile does not make a deletion void, which would begin anew for ever where
                // much is appended: what it deletes is what was there when it began. The protocol writes it with a
                // capital, which the library does not understand (buoyant_kernel 0.28).
                ("delta.isolationLevel", Some("writeSerializable".to_owned())),
                // Maintenance does it, not whoever commits.
                ("delta.enableExpiredLogCleanup", Some("false".to_owned())),
            ])
            .await
    }

    /// Remembers a version, unless a newer one is known.
    fn note(&self, table: DeltaTable) {
        let mut known = self.known();
        if known.as_ref().and_then(DeltaTable::version) < table.version() {
            *known = Some(table);
        }
    }

    fn known(&self) -> MutexGuard<'_, Option<DeltaTable>> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn<'_> {
    /// Up to which sequence number the table has what a node sent; 0 for a node that it does not know.
    pub(crate) async fn watermark(&self, node: NodeId) -> Result<u64, DeltaTableError> {
        let snapshot = self.newest.snapshot()?;
        let version = snapshot
            .transaction_version(&self.table.log, &node.to_string())
            .await?;
        Ok(version
            .and_then(|version| u64::try_from(version).ok())
            .unwrap_or(0))
    }

    /// The newest version that is known.
    pub(crate) fn newest(&self) -> &DeltaTable {
        &self.newest
    }

    /// Looks for a newer version.
    pub(crate) async fn refresh(&mut self) -> Result<(), DeltaTableError> {
        self.newest.update_state().await
    }

    /// Commits files with an application transaction, if nobody has committed since.
    ///
    /// # Errors
    /// The store's; then it is not known whether the commit happened.
    pub(crate) async fn commit(
        &mut self,
        transaction: Transaction,
        files: Vec<Action>,
        operation: DeltaOperation,
    ) -> Result<Outcome, DeltaTableError> {
        let is_append = matches!(operation, DeltaOperation::Write { .. });
        let properties = CommitProperties::default()
            .with_metadata([("isBlindAppend".to_owned(), is_append.into())])
            .with_application_transaction(transaction)
            .with_max_retries(0)
            .with_cleanup_expired_logs(Some(false));
        let snapshot = self.newest.snapshot()?.clone();
        let committed = CommitBuilder::from(properties)
            .with_actions(files)
            .build(Some(&snapshot), self.table.log.clone(), operation)
            .await;
        match committed {
            Ok(commit) => {
                self.newest.update_incremental(Some(commit.version())).await?;
                Ok(Outcome::Done)
            }
            Err(error) if is_overtaken(&error) => {
                self.refresh().await?;
                Ok(Outcome::Overtaken)
            }
            Err(error) => Err(error),
        }
    }

    /// Ends the turn; the next one begins with the version that this one has.
    pub(crate) fn end(self) {
        self.table.note(self.newest);
    }
}

/// Whether somebody else has committed first.
pub(crate) fn is_overtaken(error: &DeltaTableError) -> bool {
    match error {
        DeltaTableError::VersionAlreadyExists(_) => true,
        DeltaTableError::Transaction { source } => matches!(
            source,
            TransactionError::MaxCommitAttempts(_)
                | TransactionError::CommitConflict(_)
                | TransactionError::VersionAlreadyExists(_)
        ),
        _ => false,
    }
}
