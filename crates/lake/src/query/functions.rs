//! Functions of our own, by their names: what computes with them may be another process.

pub(super) mod percentile;
mod spread;

use std::sync::{Arc, LazyLock};

use deltalake::arrow::array::{AsArray, Int32Array};
use deltalake::arrow::datatypes::{DataType, Field, Int64Type, TimeUnit, TimestampMicrosecondType};
use deltalake::datafusion::common::{ScalarValue, exec_datafusion_err};
use deltalake::datafusion::error::Result;
use deltalake::datafusion::execution::FunctionRegistry;
use deltalake::datafusion::logical_expr::{ColumnarValue, Expr, ScalarUDF, Volatility, create_udf, lit};
use domain::Timestamp;

pub(crate) use spread::SPREAD;
pub(super) use spread::{sketch, spread};

/// `span_of(moment, begins)`: the number of the span that a moment is in; begins are microseconds in their order.
pub(crate) static SPAN_OF: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
    let moments = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let begins = DataType::List(Arc::new(Field::new_list_field(DataType::Int64, true)));
    Arc::new(create_udf(
        "span_of",
        vec![moments, begins],
        DataType::Int32,
        Volatility::Immutable,
        Arc::new(spans),
    ))
});

/// Makes them known to a session that is to understand them by their names.
pub(crate) fn register(registry: &mut dyn FunctionRegistry) -> Result<()> {
    registry.register_udf(SPAN_OF.clone())?;
    registry.register_udaf(SPREAD.clone())?;
    Ok(())
}

/// The number of the span that a moment is in.
pub(super) fn span_of(begins: &[Timestamp], moment: Expr) -> Expr {
    let begins = begins
        .iter()
        .map(|begin| ScalarValue::Int64(Some(begin.as_micros())));
    let begins = ScalarValue::new_list(&begins.collect::<Vec<_>>(), &DataType::Int64, true);
    SPAN_OF.call(vec![moment, lit(ScalarValue::List(begins))])
}

fn spans(arguments: &[ColumnarValue]) -> Result<ColumnarValue> {
    let [moments, ColumnarValue::Scalar(ScalarValue::List(begins))] = arguments else {
        return Err(exec_datafusion_err!("the begins of spans are not values"));
    };
    let begins = begins.value(0);
    let begins = begins.as_primitive::<Int64Type>().values();
    let span = |at: i64| {
        let place = begins.partition_point(|begin| *begin <= at).saturating_sub(1);
        i32::try_from(place).unwrap_or(i32::MAX)
    };
    Ok(match moments {
        ColumnarValue::Array(moments) => {
            let spans: Int32Array = moments.as_primitive::<TimestampMicrosecondType>().unary(span);
            ColumnarValue::Array(Arc::new(spans))
        }
        ColumnarValue::Scalar(ScalarValue::TimestampMicrosecond(moment, _)) => {
            ColumnarValue::Scalar(ScalarValue::Int32(moment.map(span)))
        }
        ColumnarValue::Scalar(_) => return Err(exec_datafusion_err!("a moment is no moment")),
    })
}
