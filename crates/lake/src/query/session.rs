//! What a statement finds: two tables, and functions that read nothing and make nothing large.

use std::sync::Arc;

use deltalake::DeltaTable;
use deltalake::datafusion::catalog::{
    CatalogProvider, MemoryCatalogProvider, MemorySchemaProvider, SchemaProvider, TableProvider,
};
use deltalake::datafusion::error::DataFusionError;
use deltalake::datafusion::execution::SessionStateDefaults;
use deltalake::datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use deltalake::datafusion::execution::runtime_env::RuntimeEnvBuilder;
use deltalake::datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use deltalake::datafusion::logical_expr::AggregateUDF;
use deltalake::datafusion::prelude::{SessionConfig, SessionContext};

use super::fence::{Fence, Side};
use super::files::Files;
use super::functions::percentile;
use super::{Error, Tenant};
use crate::schema;

/// Functions of single values. None makes a text longer than those that it is given, so that no row grows.
pub(super) const SCALARS: &[&str] = &[
    "abs",
    "btrim",
    "ceil",
    "character_length",
    "coalesce",
    "contains",
    "current_date",
    "current_timestamp",
    "date_bin",
    "date_part",
    "date_trunc",
    "ends_with",
    "exp",
    "floor",
    "greatest",
    "least",
    "left",
    "ln",
    "log",
    "log10",
    "log2",
    "lower",
    "ltrim",
    "now",
    "nullif",
    "nvl",
    "octet_length",
    "power",
    "regexp_like",
    "right",
    "round",
    "rtrim",
    "signum",
    "split_part",
    "sqrt",
    "starts_with",
    "strpos",
    "substr",
    "to_date",
    "to_timestamp",
    "to_timestamp_micros",
    "to_timestamp_millis",
    "to_timestamp_seconds",
    "to_unixtime",
    "trunc",
    "upper",
];

/// Functions of many rows. None gathers the values themselves into one.
pub(super) const AGGREGATES: &[&str] = &[
    "approx_distinct",
    "approx_median",
    "approx_percentile_cont",
    "avg",
    "bool_and",
    "bool_or",
    "corr",
    "count",
    "covar_pop",
    "covar_samp",
    "first_value",
    "last_value",
    "max",
    "median",
    "min",
    "stddev",
    "stddev_pop",
    "sum",
    "var",
    "var_pop",
];

/// Functions of a row among others.
pub(super) const WINDOWS: &[&str] = &[
    "cume_dist",
    "dense_rank",
    "first_value",
    "lag",
    "last_value",
    "lead",
    "nth_value",
    "ntile",
    "percent_rank",
    "rank",
    "row_number",
];

/// Rows that are read together. In a join each of them may go with all of the other side before anybody can stop it, so
/// they are half as many as usual.
const BATCH_ROWS: usize = 4096;

const CATALOG: &str = "lake";
const SCHEMA: &str = "public";

/// A session for one query.
pub(super) fn state(
    (calls, events): (&DeltaTable, &DeltaTable),
    tenant: Tenant,
    memory_bytes: usize,
) -> Result<SessionState, Error> {
    let config = SessionConfig::new()
        .with_create_default_catalog_and_schema(false)
        .with_default_catalog_and_schema(CATALOG, SCHEMA)
        .with_information_schema(false)
        .with_batch_size(BATCH_ROWS)
        .set_bool("datafusion.execution.enable_recursive_ctes", false)
        .set_bool("datafusion.execution.parquet.schema_force_view_types", false)
        .set_bool("datafusion.execution.parquet.pushdown_filters", true)
        .set_bool("datafusion.explain.show_statistics", false);
    let disk = DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled);
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_limit(memory_bytes, 1.0)
        .with_disk_manager_builder(disk)
        .build_arc()
        .map_err(Error::of_plan)?;
    let builder = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime)
        .with_expr_planners(SessionStateDefaults::default_expr_planners())
        .with_scalar_functions(functions(
            SessionStateDefaults::default_scalar_functions(),
            SCALARS,
            |found| found.name(),
        ))
        .with_aggregate_functions(aggregates())
        .with_window_functions(functions(
            SessionStateDefaults::default_window_functions(),
            WINDOWS,
            |found| found.name(),
        ));
    let context = SessionContext::new_with_state(builder.build());
    let files = |table: &DeltaTable, layout| {
        let files = Files::new(table.clone(), layout).map_err(Error::of_plan)?;
        files.register(&context.runtime_env());
        Ok::<_, Error>(Arc::new(files) as Arc<dyn TableProvider>)
    };
    let tables = tables(
        &files(calls, &schema::CALLS)?,
        &files(events, &schema::EVENTS)?,
        tenant,
    )?;
    let catalog = Arc::new(MemoryCatalogProvider::new());
    catalog
        .register_schema(SCHEMA, Arc::new(tables))
        .map_err(Error::of_plan)?;
    context.register_catalog(CATALOG, catalog);
    Ok(context.state())
}

/// The tables that statements name, and whose rows they hold.
fn tables(
    calls: &Arc<dyn TableProvider>,
    events: &Arc<dyn TableProvider>,
    tenant: Tenant,
) -> Result<MemorySchemaProvider, Error> {
    let schema = MemorySchemaProvider::new();
    for (name, all, side) in [
        ("calls", calls, Side::Provider),
        ("calls_made", calls, Side::Consumer),
        ("events", events, Side::Provider),
    ] {
        let fence = Fence::new(all.clone(), tenant, side)?;
        let registered = schema.register_table(name.to_owned(), Arc::new(fence));
        registered.map_err(|error: DataFusionError| Error::of_plan(error))?;
    }
    Ok(schema)
}

fn aggregates() -> Vec<Arc<AggregateUDF>> {
    let all = SessionStateDefaults::default_aggregate_functions();
    let known = functions(all, AGGREGATES, |found| found.name()).into_iter();
    known.map(percentile::by_groups).collect()
}

fn functions<T>(all: Vec<Arc<T>>, known: &[&str], name: impl Fn(&T) -> &str) -> Vec<Arc<T>> {
    all.into_iter()
        .filter(|found| known.contains(&name(found)))
        .collect()
}
