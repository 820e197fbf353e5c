//! `spread(values)`: how values are spread, as the bytes of a [`Sketch`].

use std::mem::size_of;
use std::sync::{Arc, LazyLock};

use deltalake::arrow::array::{Array, ArrayRef, AsArray, BinaryArray, BooleanArray};
use deltalake::arrow::datatypes::{DataType, Int64Type};
use deltalake::datafusion::common::ScalarValue;
use deltalake::datafusion::error::{DataFusionError, Result};
use deltalake::datafusion::logical_expr::function::AccumulatorArgs;
use deltalake::datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, Expr, GroupsAccumulator, Signature, Volatility,
};
use domain::sketch::Sketch;

/// The function.
pub(crate) static SPREAD: LazyLock<Arc<AggregateUDF>> = LazyLock::new(|| {
    let signature = Signature::exact(vec![DataType::Int64], Volatility::Immutable);
    Arc::new(AggregateUDF::new_from_impl(Spread { signature }))
});

/// How values are spread.
pub(in super::super) fn spread(values: Expr) -> Expr {
    SPREAD.call(vec![values])
}

/// The sketch of a [`spread`].
pub(in super::super) fn sketch(bytes: &[u8]) -> Result<Sketch> {
    Sketch::from_bytes(bytes).map_err(malformed)
}

fn malformed(error: domain::sketch::Malformed) -> DataFusionError {
    DataFusionError::External(error.into())
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Spread {
    signature: Signature,
}

impl AggregateUDFImpl for Spread {
    fn name(&self) -> &'static str {
        "spread"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Binary)
    }

    fn accumulator(&self, _: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        Ok(Box::<One>::default())
    }

    fn groups_accumulator_supported(&self, _: AccumulatorArgs<'_>) -> bool {
        true
    }

    fn create_groups_accumulator(&self, _: AccumulatorArgs<'_>) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::<Groups>::default())
    }
}

/// All values as one.
#[derive(Debug, Default)]
struct One(Sketch);

impl Accumulator for One {
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
            self.0.merge_bytes(state).map_err(malformed)?;
        }
        Ok(())
    }
}

/// Values by group.
#[derive(Debug, Default)]
struct Groups {
    sketches: Vec<Sketch>,
    /// What the sketches take, as far as it is known: it is asked after every batch.
    bytes: usize,
}

impl Groups {
    fn change(&mut self, group: usize, change: impl FnOnce(&mut Sketch) -> Result<()>) -> Result<()> {
        let sketch = &mut self.sketches[group];
        let before = sketch.memory_bytes();
        change(sketch)?;
        self.bytes = self.bytes + sketch.memory_bytes() - before;
        Ok(())
    }
}

impl GroupsAccumulator for Groups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        groups_count: usize,
    ) -> Result<()> {
        self.sketches.resize(groups_count, Sketch::default());
        let values = values[0].as_primitive::<Int64Type>().iter();
        for (row, (value, group)) in values.zip(groups).enumerate() {
            if let Some(value) = value.filter(|_| counts(filter, row)) {
                self.change(*group, |sketch| {
                    sketch.note(value.unsigned_abs());
                    Ok(())
                })?;
            }
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], groups_count: usize) -> Result<()> {
        self.sketches.resize(groups_count, Sketch::default());
        for (state, group) in states[0].as_binary::<i32>().iter().zip(groups) {
            if let Some(state) = state {
                self.change(*group, |sketch| sketch.merge_bytes(state).map_err(malformed))?;
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let taken = emit_to.take_needed(&mut self.sketches);
        self.bytes = self.sketches.iter().map(Sketch::memory_bytes).sum();
        Ok(Arc::new(BinaryArray::from_iter_values(
            taken.iter().map(Sketch::to_bytes),
        )))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.evaluate(emit_to)?])
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let values = values[0].as_primitive::<Int64Type>().iter();
        let states = values.enumerate().map(|(row, value)| {
            let mut sketch = Sketch::default();
            sketch.note(value.filter(|_| counts(filter, row))?.unsigned_abs());
            Some(sketch.to_bytes())
        });
        Ok(vec![Arc::new(states.collect::<BinaryArray>())])
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.sketches.capacity() * size_of::<Sketch>() + self.bytes
    }
}

/// Whether a filter lets a row pass.
pub(super) fn counts(filter: Option<&BooleanArray>, row: usize) -> bool {
    filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use deltalake::arrow::array::{ArrayRef, AsArray, BooleanArray, Int64Array};
    use deltalake::datafusion::logical_expr::{EmitTo, GroupsAccumulator};
    use domain::sketch::Sketch;

    use super::{Groups, sketch};

    #[test]
    fn groups_have_the_values_of_their_rows() {
        let values: Vec<_> = (0..1000).map(|row| (row % 7 != 0).then_some(row * 37)).collect();
        let of: Vec<usize> = (0..1000).map(|row| row % 3).collect();
        let passes: BooleanArray = (0..1000).map(|row| Some(row % 11 != 0)).collect();
        let mut expected = vec![Sketch::default(); 4];
        for (row, value) in values.iter().enumerate() {
            if let Some(value) = value.filter(|_| row % 11 != 0) {
                expected[row % 3].note(u64::try_from(value).unwrap());
            }
        }
        let values: ArrayRef = Arc::new(Int64Array::from(values));
        let mut part = Groups::default();
        let mut whole = Groups::default();
        let first = [values.slice(0, 500)];
        part.update_batch(&first, &of[..500], Some(&passes.slice(0, 500)), 4)
            .unwrap();
        let states = part.state(EmitTo::First(1)).unwrap();
        whole.merge_batch(&states, &[0], 4).unwrap();
        let states = part.state(EmitTo::All).unwrap();
        whole.merge_batch(&states, &[1, 2, 3], 4).unwrap();
        assert_eq!(part.bytes, 0);
        let last = [values.slice(500, 500)];
        let states = part
            .convert_to_state(&last, Some(&passes.slice(500, 500)))
            .unwrap();
        whole.merge_batch(&states, &of[500..], 4).unwrap();
        let found = whole.evaluate(EmitTo::All).unwrap();
        let found: Vec<_> = found
            .as_binary::<i32>()
            .iter()
            .map(|bytes| sketch(bytes.unwrap()).unwrap())
            .collect();
        assert_eq!(found, expected);
    }
}
