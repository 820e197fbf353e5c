//! Functions of our own, by their names: what computes with them may be another process.

use std::mem::size_of;
use std::sync::{Arc, LazyLock};

use deltalake::arrow::array::{ArrayRef, AsArray, Int32Array};
use deltalake::arrow::datatypes::{DataType, Field, Int64Type, TimeUnit, TimestampMicrosecondType};
use deltalake::datafusion::common::{ScalarValue, exec_datafusion_err};
use deltalake::datafusion::error::{DataFusionError, Result};
use deltalake::datafusion::execution::FunctionRegistry;
use deltalake::datafusion::logical_expr::{
    Accumulator, AggregateUDF, ColumnarValue, Expr, ScalarUDF, Volatility, create_udaf, create_udf, lit,
};
use domain::Timestamp;
use domain::sketch::Sketch;

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

/// `spread(values)`: how values are spread, as the bytes of a [`Sketch`].
pub(crate) static SPREAD: LazyLock<Arc<AggregateUDF>> = LazyLock::new(|| {
    Arc::new(create_udaf(
        "spread",
        vec![DataType::Int64],
        Arc::new(DataType::Binary),
        Volatility::Immutable,
        Arc::new(|_| Ok(Box::<Spread>::default())),
        Arc::new(vec![DataType::Binary]),
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

/// How values are spread.
pub(super) fn spread(values: Expr) -> Expr {
    SPREAD.call(vec![values])
}

/// The sketch of a [`spread`].
pub(super) fn sketch(bytes: &[u8]) -> Result<Sketch> {
    Sketch::from_bytes(bytes).map_err(|error| DataFusionError::External(error.into()))
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

#[derive(Debug, Default)]
struct Spread(Sketch);

impl Accumulator for Spread {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for value in values[0].as_primitive::<Int64Type>().iter().flatten() {
            self.0.note(value.unsigned_abs());
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::Binary(Some(self.0.to_bytes())))
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.0.memory_bytes()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.evaluate()?])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for state in states[0].as_binary::<i32>().iter().flatten() {
            self.0.merge(&sketch(state)?);
        }
        Ok(())
    }
}
