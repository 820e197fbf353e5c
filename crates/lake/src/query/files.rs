//! A version of a table as a list of files, which every process that has the store can read.
//!
//! Delta's own scan cannot be sent to another process, and takes a tenth longer. A list of files is all there is to a
//! version of a table that only we write: rows are never deleted but with their file.

use std::sync::Arc;

use async_trait::async_trait;
use deltalake::arrow::datatypes::{Schema, SchemaRef};
use deltalake::datafusion::catalog::{Session, TableProvider};
use deltalake::datafusion::common::{DFSchema, ScalarValue};
use deltalake::datafusion::config::TableParquetOptions;
use deltalake::datafusion::datasource::TableType;
use deltalake::datafusion::datasource::listing::PartitionedFile;
use deltalake::datafusion::datasource::object_store::ObjectStoreUrl;
use deltalake::datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use deltalake::datafusion::datasource::source::DataSourceExec;
use deltalake::datafusion::datasource::table_schema::TableSchema;
use deltalake::datafusion::error::{DataFusionError, Result};
use deltalake::datafusion::execution::runtime_env::RuntimeEnv;
use deltalake::datafusion::logical_expr::utils::conjunction;
use deltalake::datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use deltalake::datafusion::physical_optimizer::pruning::PruningPredicateBuilder;
use deltalake::datafusion::physical_plan::ExecutionPlan;
use deltalake::{DeltaTable, DeltaTableError};
use object_store::path::Path;
use url::Position;

use crate::schema::{DATE, Layout};

/// The files of a version.
#[derive(Debug)]
pub(super) struct Files {
    table: DeltaTable,
    /// The columns in the table's order: that of the partition is the first.
    columns: SchemaRef,
    /// As files are read: that of the partition is the last.
    schema: TableSchema,
    store: ObjectStoreUrl,
    folder: Path,
}

impl Files {
    /// Takes a version of a table.
    pub(super) fn new(table: DeltaTable, layout: &Layout) -> Result<Self> {
        let columns = layout.read_columns();
        let (date, others) = columns.fields().split_first().expect("there are columns");
        let schema = TableSchema::builder(Arc::new(Schema::new(others.to_vec())))
            .with_table_partition_cols(vec![date.clone()])
            .build();
        let url = table.log_store().config().location().clone();
        Ok(Self {
            store: ObjectStoreUrl::parse(&url[..Position::BeforePath])?,
            folder: Path::from_url_path(url.path())?,
            schema,
            columns: Arc::new(columns),
            table,
        })
    }

    /// Makes the store known to a session that is to read them.
    pub(super) fn register(&self, runtime: &RuntimeEnv) {
        let store = self.table.log_store().root_object_store(None);
        runtime.register_object_store(self.store.as_ref(), store);
    }

    /// Those that may have rows that fit.
    fn fitting(&self, state: &dyn Session, filters: &[Expr]) -> Result<Vec<PartitionedFile>> {
        let data = self.table.snapshot().map_err(failed)?.log_data();
        let may_fit = match conjunction(filters.iter().cloned()) {
            Some(all) => {
                let schema = DFSchema::try_from(self.schema().as_ref().clone())?;
                let fits = state.create_physical_expr(all, &schema)?;
                PruningPredicateBuilder::new()
                    .with_file_schema(self.schema())
                    .try_build(fits)?
                    .prune(&data)?
            }
            None => vec![true; data.num_files()],
        };
        let kept = data
            .iter()
            .zip(may_fit)
            .filter_map(|(file, may_fit)| may_fit.then_some(file));
        kept.map(|file| {
            let date = file.partition_values_map().remove(DATE).flatten();
            let date = ScalarValue::try_from_string(
                date.unwrap_or_default(),
                self.schema.table_partition_cols()[0].data_type(),
            )?;
            let path = Path::from_iter(self.folder.parts().chain(file.object_store_path().parts()));
            let size = u64::try_from(file.size()).unwrap_or(0);
            Ok(PartitionedFile::new(path.as_ref(), size).with_partition_values(vec![date]))
        })
        .collect()
    }
}

#[async_trait]
impl TableProvider for Files {
    fn schema(&self) -> SchemaRef {
        self.columns.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let options = TableParquetOptions {
            global: state.config_options().execution.parquet.clone(),
            ..TableParquetOptions::default()
        };
        let source = ParquetSource::new(self.schema.clone()).with_table_parquet_options(options);
        let count = self.columns.fields().len();
        let wanted = projection.cloned().unwrap_or_else(|| (0..count).collect());
        let as_read = wanted.iter().map(|column| (column + count - 1) % count);
        let files = FileGroup::new(self.fitting(state, filters)?);
        let scan = FileScanConfigBuilder::new(self.store.clone(), Arc::new(source))
            .with_file_group(files)
            .with_projection_indices(Some(as_read.collect()))?
            .with_limit(limit)
            .build();
        Ok(DataSourceExec::from_data_source(scan))
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        // Whatever does not fit is left out above again, or while the files are read.
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }
}

fn failed(error: DeltaTableError) -> DataFusionError {
    DataFusionError::External(error.into())
}
