//! Sums of calls, as roll-ups have them, from the calls themselves.
//!
//! They are the same to the last unit: the dimensions have the same values, and latencies are counted in the same bins.

use std::sync::Arc;

use deltalake::DeltaTable;
use deltalake::arrow::array::{AsArray, RecordBatch};
use deltalake::arrow::datatypes::{DataType, Int32Type, Int64Type};
use deltalake::datafusion::common::{ScalarValue, TableReference, exec_datafusion_err};
use deltalake::datafusion::datasource::provider_as_source;
use deltalake::datafusion::error::{DataFusionError, Result};
use deltalake::datafusion::execution::SendableRecordBatchStream;
use deltalake::datafusion::execution::session_state::SessionState;
use deltalake::datafusion::functions_aggregate::expr_fn::{count, sum};
use deltalake::datafusion::logical_expr::{
    Expr, LogicalPlan, LogicalPlanBuilder, Operator, binary_expr, cast, col, in_list, lit, when,
};
use deltalake::datafusion::prelude::DataFrame;
use domain::Timestamp;
use domain::analytics::{Dimension, DimensionFilter};
use domain::lake::{CallSums, SumsQuery};
use futures_util::StreamExt as _;

use super::fence::Side;
use super::files::Files;
use super::functions::{sketch, span_of, spread};
use super::{Answer, Error, Limits, Tenant, session};
use crate::cluster::Cluster;
use crate::{Lake, schema};

const SUMS: [&str; 8] = domain::rollup::Sums::NAMES;

impl Lake {
    /// Sums up the calls of an organization's APIs and those that its applications made, each once.
    ///
    /// # Errors
    /// [`Error::Busy`] while as many queries run as may, [`Error::Time`], [`Error::Memory`] and [`Error::Unavailable`].
    pub async fn sums(&self, query: SumsQuery, limits: Limits) -> Result<Vec<CallSums>, Error> {
        let limits = Limits {
            rows: query.sums_max,
            ..limits
        };
        let asked = query.clone();
        let cluster = self.cluster.clone().filter(|cluster| cluster.is_for(&query));
        let begin = move |(calls, events): (DeltaTable, DeltaTable)| async move {
            if let Some(cluster) = cluster {
                match afar(&cluster, &calls, &asked).await {
                    Ok(rows) => return Ok(rows),
                    Err(error) => tracing::warn!(%error, "the cluster gives no sums; they are computed here"),
                }
            }
            let tenant = Tenant::Organization(asked.organization);
            let state = session::state((&calls, &events), tenant, limits.memory_bytes)?;
            here(state, &asked).await.map_err(Error::of_plan)
        };
        let mut answer: Answer = self.run(limits, begin).await?;
        let mut found = Vec::new();
        while let Some(batch) = answer.next().await {
            let batch = batch?;
            let read = read(&batch, &query);
            found.extend(read.map_err(|error| Error::of_run(error, limits))?);
        }
        Ok(found)
    }
}

/// The name of a column that holds a dimension.
fn named(place: usize) -> String {
    format!("dimension_{place}")
}

/// Computes sums in this process, behind the asker's fence.
async fn here(state: SessionState, query: &SumsQuery) -> Result<SendableRecordBatchStream> {
    let schema = state.schema_for_ref(TableReference::bare("calls"))?;
    let mut sides = Vec::new();
    for table in ["calls", "calls_made"] {
        let provider = schema.table(table).await?;
        let provider = provider.ok_or_else(|| exec_datafusion_err!("there is no table {table}"))?;
        sides.push(LogicalPlanBuilder::scan(
            table,
            provider_as_source(provider),
            None,
        )?);
    }
    let [provided, consumed] = <[_; 2]>::try_from(sides).expect("there are two");
    let plan = plan(provided, consumed, query)?;
    DataFrame::new(state, plan).execute_stream().await
}

/// Has a cluster compute them. No fence is needed: all that is computed with the rows of others is whose they are.
async fn afar(cluster: &Cluster, calls: &DeltaTable, query: &SumsQuery) -> Result<SendableRecordBatchStream> {
    let files = Arc::new(Files::new(calls.clone(), &schema::CALLS)?);
    let side = |side: Side| {
        let calls = LogicalPlanBuilder::scan("calls", provider_as_source(files.clone()), None)?;
        calls.filter(col(side.organization()).eq(lit(query.organization.to_string())))
    };
    let plan = plan(side(Side::Provider)?, side(Side::Consumer)?, query)?;
    cluster.compute(&cluster.state(), &plan).await
}

/// Sums of the calls of both sides.
fn plan(
    provided: LogicalPlanBuilder,
    consumed: LogicalPlanBuilder,
    query: &SumsQuery,
) -> Result<LogicalPlan> {
    let provided = side(provided, query, Side::Provider)?;
    let consumed = side(consumed, query, Side::Consumer)?;
    let mut groups: Vec<_> = (0..query.dimensions.len())
        .map(|place| col(named(place)))
        .collect();
    groups.push(col("span"));
    if query.by_application {
        groups.push(col("application"));
    }
    let mut measures: Vec<_> = SUMS
        .iter()
        .map(|name| match *name {
            "calls" => count(lit(1_i64)).alias(*name),
            name => sum(col(name)).alias(name),
        })
        .collect();
    if query.has_latency {
        measures.push(spread(col("latency_us")).alias("latency"));
    }
    provided
        .union(consumed.build()?)?
        .aggregate(groups, measures)?
        .build()
}

/// The calls of one side with all that sums need of them.
fn side(calls: LogicalPlanBuilder, query: &SumsQuery, side: Side) -> Result<LogicalPlanBuilder> {
    let moment = |at: Timestamp| {
        let at = ScalarValue::TimestampMicrosecond(Some(at.as_micros()), Some("UTC".into()));
        Expr::Literal(at, None)
    };
    let day = |at: Timestamp| Expr::Literal(ScalarValue::Date32(Some(day_of(at))), None);
    let last = Timestamp::from_micros(query.to.as_micros().saturating_sub(1));
    let mut calls = calls
        .filter(col(schema::DATE).between(day(query.from), day(last)))?
        .filter(
            col("started_at")
                .gt_eq(moment(query.from))
                .and(col("started_at").lt(moment(query.to))),
        )?
        .filter(col("api_id").is_not_null())?;
    if side == Side::Consumer {
        // Those of its own APIs are on the other side.
        calls = calls.filter(col("organization_id").not_eq(lit(query.organization.to_string())))?;
    }
    for filter in &query.filters {
        calls = calls.filter(fits(filter, side))?;
    }
    let is = |condition: Expr| when(condition, lit(1_i64)).otherwise(lit(0_i64));
    let (refused, status) = (col("refusal").is_not_null(), cast(col("status"), DataType::Int64));
    let mut columns = vec![
        span_of(&query.spans, col("started_at")).alias("span"),
        is(col("counted"))?.alias("counted"),
        is(refused.clone().and(status.clone().lt(lit(500_i64))))?.alias("refused"),
        is(col("refusal")
            .is_null()
            .and(status.clone().between(lit(400_i64), lit(499_i64))))?
        .alias("client_errors"),
        is(status.gt_eq(lit(500_i64)))?.alias("server_errors"),
        col("bytes_in"),
        col("bytes_out"),
        col("latency_us"),
    ];
    for (place, dimension) in query.dimensions.iter().enumerate() {
        columns.push(value(*dimension, side).alias(named(place)));
    }
    if query.by_application {
        columns.push(value(Dimension::Application, side).alias("application"));
    }
    calls.project(columns)
}

/// The days since 1970 before that of a moment.
fn day_of(moment: Timestamp) -> i32 {
    let days = moment.as_micros().div_euclid(24 * domain::time::HOUR_MICROS);
    i32::try_from(days).unwrap_or(if days < 0 { i32::MIN } else { i32::MAX })
}

/// The value of a dimension, as roll-ups have it.
fn value(dimension: Dimension, side: Side) -> Expr {
    let text = |expr| cast(expr, DataType::Utf8);
    let or_none = |name: &str| {
        let none = col(name).is_null();
        when(none, lit("")).otherwise(text(col(name)))
    };
    let case = match dimension {
        Dimension::Api => or_none("api_id"),
        Dimension::Version => or_none("version_id"),
        Dimension::Operation => or_none("operation_id"),
        Dimension::Consumer => or_none("consumer_organization_id"),
        Dimension::Application => or_none("application_id"),
        Dimension::Plan => or_none("plan_id"),
        Dimension::Code => or_none("refusal"),
        Dimension::Status => Ok(text(col("status"))),
        Dimension::StatusClass => {
            let class = cast(col("status"), DataType::Int64) / lit(100_i64);
            return joined(text(class), lit("xx"));
        }
        Dimension::Side => when(col("refusal").is_not_null(), lit("gateway"))
            .when(col("status").eq(lit(499_i16)), lit("client"))
            .otherwise(lit("upstream")),
        Dimension::Target if side == Side::Consumer => Ok(lit("")),
        Dimension::Target => or_none("target_id"),
        Dimension::Variant if side == Side::Consumer => Ok(lit("")),
        Dimension::Variant => {
            let place = joined(joined(text(col("route_id")), lit("/")), text(col("variant")));
            when(col("variant").is_null(), lit("")).otherwise(place)
        }
    };
    case.expect("a case with a text in each branch")
}

fn joined(left: Expr, right: Expr) -> Expr {
    binary_expr(left, Operator::StringConcat, right)
}

fn fits(filter: &DimensionFilter, side: Side) -> Expr {
    let values = filter.values.iter().map(|value| lit(value.as_str())).collect();
    in_list(value(filter.dimension, side), values, filter.exclude)
}

fn read(batch: &RecordBatch, query: &SumsQuery) -> Result<Vec<CallSums>> {
    let column = |name: &str| {
        let found = batch.column_by_name(name);
        found.ok_or_else(|| exec_datafusion_err!("there is no column {name}"))
    };
    let text = |name: &str| Ok::<_, DataFusionError>(column(name)?.as_string::<i32>());
    let spans = column("span")?.as_primitive::<Int32Type>();
    let dimensions = (0..query.dimensions.len()).map(|place| text(&named(place)));
    let dimensions = dimensions.collect::<Result<Vec<_>>>()?;
    let application = query.by_application.then(|| text("application")).transpose()?;
    let sums = SUMS.map(|name| column(name).map(AsArray::as_primitive::<Int64Type>));
    let latency = query.has_latency.then(|| column("latency")).transpose()?;
    let latency = latency.map(AsArray::as_binary::<i32>);
    (0..batch.num_rows())
        .map(|row| {
            let mut found = [0; 8];
            for (found, sum) in found.iter_mut().zip(&sums) {
                match sum {
                    Ok(sum) => *found = sum.value(row),
                    Err(error) => return Err(exec_datafusion_err!("{error}")),
                }
            }
            Ok(CallSums {
                span: usize::try_from(spans.value(row)).unwrap_or(0),
                dimensions: dimensions
                    .iter()
                    .map(|values| values.value(row).to_owned())
                    .collect(),
                application: application.map(|values| values.value(row).to_owned()),
                sums: found,
                latency: latency.map(|values| sketch(values.value(row))).transpose()?,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests;
