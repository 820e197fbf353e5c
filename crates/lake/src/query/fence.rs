//! The tables as a tenant sees them: the rows that are not its own are gone before a statement computes anything.
//!
//! A view would not do. Its filter and those of a statement are one to the optimizer, which computes them in any
//! order; then a division by zero, or a text that is no number, tells of rows that the answer leaves out. So the
//! rows come out of a plan of its own, which the outer one can neither look into nor push anything down to, but for
//! comparisons of columns with values, which cannot fail.

use std::sync::Arc;

use async_trait::async_trait;
use deltalake::arrow::datatypes::{Schema, SchemaRef};
use deltalake::datafusion::catalog::{Session, TableProvider};
use deltalake::datafusion::datasource::{TableType, provider_as_source};
use deltalake::datafusion::error::{DataFusionError, Result};
use deltalake::datafusion::execution::{SendableRecordBatchStream, TaskContext};
use deltalake::datafusion::logical_expr::{
    Expr, LogicalPlan, LogicalPlanBuilder, Operator, TableProviderFilterPushDown, col, lit,
};
use deltalake::datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use deltalake::datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use deltalake::datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use futures_util::stream::{self, StreamExt};

use super::{Error, Tenant};

/// Columns of the provider's own, at the end: which side of an experiment a call was on is not told to callers.
const OF_PROVIDER: [&str; 3] = ["route_id", "variant", "target_id"];

/// On which side of a call the tenant stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// The API is the tenant's, or the event.
    Provider,
    /// The application is the tenant's.
    Consumer,
}

impl Side {
    /// The column with the organization that stands there.
    pub(super) const fn organization(self) -> &'static str {
        match self {
            Self::Provider => "organization_id",
            Self::Consumer => "consumer_organization_id",
        }
    }
}

/// A table behind its fence.
#[derive(Debug)]
pub(super) struct Fence {
    all: Arc<dyn TableProvider>,
    schema: SchemaRef,
    mine: Expr,
}

impl Fence {
    /// Puts the rows of a tenant's side before all rows.
    pub(super) fn new(all: Arc<dyn TableProvider>, tenant: Tenant, side: Side) -> Result<Self, Error> {
        let column = side.organization();
        let mine = match (tenant, side) {
            (Tenant::Organization(organization), _) => col(column).eq(lit(organization.to_string())),
            (Tenant::Installation, Side::Consumer) => col(column).is_not_null(),
            (Tenant::Installation, Side::Provider) => lit(true),
        };
        let fields = all.schema();
        let fields = fields
            .fields()
            .iter()
            .filter(|field| side == Side::Provider || !OF_PROVIDER.contains(&field.name().as_str()));
        let schema = Arc::new(Schema::new(fields.cloned().collect::<Vec<_>>()));
        Ok(Self { all, schema, mine })
    }

    fn plan(&self, columns: &Schema, filters: &[Expr]) -> Result<LogicalPlan> {
        let source = provider_as_source(self.all.clone());
        let mut plan = LogicalPlanBuilder::scan("all", source, None)?.filter(self.mine.clone())?;
        for filter in filters {
            plan = plan.filter(filter.clone())?;
        }
        plan.project(columns.fields().iter().map(|field| col(field.name())))?
            .build()
    }
}

#[async_trait]
impl TableProvider for Fence {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
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
        let columns = match projection {
            Some(projection) => Arc::new(self.schema.project(projection)?),
            None => self.schema.clone(),
        };
        let plan = state.create_physical_plan(&self.plan(&columns, filters)?).await?;
        let columns = plan.schema();
        let partitions = (0..plan.output_partitioning().partition_count()).map(|number| {
            let plan = plan.clone();
            let columns = columns.clone();
            Arc::new(Gate {
                plan,
                columns,
                number,
            }) as Arc<dyn PartitionStream>
        });
        let rows =
            StreamingTableExec::try_new(columns.clone(), partitions.collect(), None, [], false, limit)?;
        Ok(Arc::new(rows))
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        let supports = filters.iter().map(|filter| match is_plain(filter) {
            // It is computed above again: what is behind the fence only reads less.
            true => TableProviderFilterPushDown::Inexact,
            false => TableProviderFilterPushDown::Unsupported,
        });
        Ok(supports.collect())
    }
}

/// Whether a condition only compares columns with values, so that it can neither fail nor take long.
fn is_plain(expr: &Expr) -> bool {
    match expr {
        Expr::Column(_) | Expr::Literal(..) => true,
        Expr::BinaryExpr(binary) => {
            let is_comparison = matches!(
                binary.op,
                Operator::Eq
                    | Operator::NotEq
                    | Operator::Lt
                    | Operator::LtEq
                    | Operator::Gt
                    | Operator::GtEq
                    | Operator::And
                    | Operator::Or
            );
            is_comparison && is_plain(&binary.left) && is_plain(&binary.right)
        }
        Expr::Not(inner) | Expr::IsNull(inner) | Expr::IsNotNull(inner) => is_plain(inner),
        Expr::Between(between) => {
            is_plain(&between.expr) && is_plain(&between.low) && is_plain(&between.high)
        }
        Expr::InList(list) => is_plain(&list.expr) && list.list.iter().all(is_plain),
        _ => false,
    }
}

/// Where the rows of one partition come out.
#[derive(Debug)]
struct Gate {
    plan: Arc<dyn ExecutionPlan>,
    columns: SchemaRef,
    number: usize,
}

impl PartitionStream for Gate {
    fn schema(&self) -> &SchemaRef {
        &self.columns
    }

    fn execute(&self, context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let rows = match self.plan.execute(self.number, context) {
            // What computes with the rows may go on for long without a pause of its own, and is only stopped in one.
            Ok(rows) => rows
                .then(async |batch| {
                    tokio::task::yield_now().await;
                    batch
                })
                .boxed(),
            Err(error) => stream::iter([Err::<_, DataFusionError>(error)]).boxed(),
        };
        Box::pin(RecordBatchStreamAdapter::new(self.columns.clone(), rows))
    }
}
