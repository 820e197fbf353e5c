//! Percentiles of many groups.
//!
//! DataFusion makes the digest of a group anew with each batch. With thousands of groups a batch has a row or two of
//! each, and that was most of a query. Here values wait until there are many, and go into the digests group by group.

use std::mem::{size_of, take};
use std::sync::Arc;

use datafusion_functions_aggregate_common::tdigest::{Centroid, DEFAULT_MAX_SIZE, TDigest};
use deltalake::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Float64Builder, ListBuilder, UInt64Array,
};
use deltalake::arrow::compute::cast;
use deltalake::arrow::datatypes::{DataType, FieldRef, Float64Type};
use deltalake::datafusion::common::{Result, ScalarValue};
use deltalake::datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use deltalake::datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature,
};
use deltalake::datafusion::physical_expr::expressions::Literal;

use super::spread::counts;

/// The functions that are made so, and of which share.
const NAMES: [&str; 2] = ["approx_median", "approx_percentile_cont"];
/// Values that wait for each other.
const WAITING_MAX: usize = 1 << 18;

/// The same function, if it is one of these; as it was if not.
pub(in super::super) fn by_groups(function: Arc<AggregateUDF>) -> Arc<AggregateUDF> {
    match NAMES.contains(&function.name()) {
        true => Arc::new(AggregateUDF::new_from_impl(Percentile(function))),
        false => function,
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Percentile(Arc<AggregateUDF>);

impl AggregateUDFImpl for Percentile {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn signature(&self) -> &Signature {
        self.0.signature()
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        self.0.return_type(arguments)
    }

    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        self.0.coerce_types(arguments)
    }

    fn state_fields(&self, arguments: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        self.0.state_fields(arguments)
    }

    fn accumulator(&self, arguments: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        self.0.accumulator(arguments)
    }

    fn groups_accumulator_supported(&self, arguments: AccumulatorArgs<'_>) -> bool {
        share(&arguments).is_some()
    }

    fn create_groups_accumulator(
        &self,
        arguments: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        let share = share(&arguments).unwrap_or_default();
        let kind = arguments.return_field.data_type().clone();
        // It knows what is wrong with the arguments.
        self.0.accumulator(arguments)?;
        Ok(Box::new(Groups {
            share,
            kind,
            waiting: Vec::new(),
            digests: Vec::new(),
            bytes: 0,
        }))
    }

    fn supports_within_group_clause(&self) -> bool {
        self.0.supports_within_group_clause()
    }
}

/// Which share of the values is below what is asked for, if it is simple to tell.
fn share(arguments: &AccumulatorArgs<'_>) -> Option<f64> {
    if arguments.is_distinct || !arguments.expr_fields[0].data_type().is_floating() {
        return None;
    }
    let share = match arguments.exprs {
        [_] => 0.5,
        [_, share] => {
            let share = share.downcast_ref::<Literal>()?.value();
            match share.cast_to(&DataType::Float64).ok()? {
                ScalarValue::Float64(share) => share?,
                _ => return None,
            }
        }
        _ => return None,
    };
    let order = arguments.order_bys.first();
    match order.is_some_and(|order| order.options.descending) {
        true => Some(1.0 - share),
        false => Some(share),
    }
}

/// Values by group.
#[derive(Debug)]
struct Groups {
    share: f64,
    kind: DataType,
    waiting: Vec<(usize, f64)>,
    digests: Vec<TDigest>,
    /// What the digests take on the heap: it is asked after every batch.
    bytes: usize,
}

impl Groups {
    /// Puts into the digests what waits.
    fn settle(&mut self) {
        let waiting = take(&mut self.waiting);
        // Where the values of each group begin, and in the end where they end.
        let mut places = vec![0; self.digests.len() + 1];
        for (group, _) in &waiting {
            places[group + 1] += 1;
        }
        for group in 1..places.len() {
            places[group] += places[group - 1];
        }
        let mut values = vec![0.0; waiting.len()];
        for (group, value) in &waiting {
            values[places[*group]] = *value;
            places[*group] += 1;
        }
        let mut begin = 0;
        for (digest, end) in self.digests.iter_mut().zip(&places) {
            let values = &mut values[begin..*end];
            begin = *end;
            if !values.is_empty() {
                values.sort_unstable_by(f64::total_cmp);
                replace(digest, &mut self.bytes, |digest| digest.merge_sorted_f64(values));
            }
        }
        self.waiting = waiting;
        self.waiting.clear();
    }

    fn grow(&mut self, groups_count: usize) {
        self.digests.resize_with(groups_count, TDigest::default);
    }

    fn take(&mut self, emit_to: EmitTo) -> Vec<TDigest> {
        self.settle();
        let taken = emit_to.take_needed(&mut self.digests);
        self.bytes = self.digests.iter().map(heap).sum();
        taken
    }
}

fn heap(digest: &TDigest) -> usize {
    digest.size() - size_of::<TDigest>()
}

fn replace(digest: &mut TDigest, bytes: &mut usize, by: impl FnOnce(&TDigest) -> TDigest) {
    let new = by(digest);
    *bytes = *bytes + heap(&new) - heap(digest);
    *digest = new;
}

impl GroupsAccumulator for Groups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        groups_count: usize,
    ) -> Result<()> {
        self.grow(groups_count);
        let values = floats(&values[0])?;
        let values = values.as_primitive::<Float64Type>();
        if values.null_count() == 0 && filter.is_none() {
            let pairs = groups.iter().copied().zip(values.values().iter().copied());
            self.waiting.extend(pairs);
        } else {
            let pairs = groups.iter().zip(values).enumerate();
            let pairs = pairs.filter(|(row, _)| counts(filter, *row));
            self.waiting
                .extend(pairs.filter_map(|(_, (group, value))| Some((*group, value?))));
        }
        if self.waiting.len() >= WAITING_MAX {
            self.settle();
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], groups_count: usize) -> Result<()> {
        self.grow(groups_count);
        let number = |place: usize| states[place].as_primitive::<Float64Type>();
        let (sums, numbers, greatest, least) = (number(1), number(2), number(3), number(4));
        let centroids = states[5].as_list::<i32>();
        for (row, group) in groups.iter().enumerate() {
            if numbers.value(row) <= 0.0 {
                continue;
            }
            let parts = centroids.value(row);
            let parts = parts.as_primitive::<Float64Type>().values();
            let other = TDigest::try_from_parts(
                DEFAULT_MAX_SIZE,
                sums.value(row),
                numbers.value(row),
                greatest.value(row),
                least.value(row),
                parts
                    .chunks_exact(2)
                    .map(|part| Centroid::new(part[0], part[1]))
                    .collect(),
            )?;
            replace(&mut self.digests[*group], &mut self.bytes, |digest| {
                match digest.count() > 0.0 {
                    true => TDigest::merge_digests([digest, &other]),
                    false => other,
                }
            });
        }
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let digests = self.take(emit_to);
        let found = digests
            .iter()
            .map(|digest| (digest.count() > 0.0).then(|| digest.estimate_quantile(self.share)));
        Ok(cast(&found.collect::<Float64Array>(), &self.kind)?)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(states(&self.take(emit_to)))
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let values = floats(&values[0])?;
        let values = values.as_primitive::<Float64Type>().iter().enumerate();
        let digests: Vec<_> = values
            .map(|(row, value)| match value.filter(|_| counts(filter, row)) {
                Some(value) => TDigest::new_with_centroid(DEFAULT_MAX_SIZE, Centroid::new(value, 1.0)),
                None => TDigest::default(),
            })
            .collect();
        Ok(states(&digests))
    }

    fn size(&self) -> usize {
        size_of::<Self>()
            + self.waiting.capacity() * size_of::<(usize, f64)>()
            + self.digests.capacity() * size_of::<TDigest>()
            + self.bytes
    }
}

fn floats(values: &ArrayRef) -> Result<ArrayRef> {
    Ok(cast(values, &DataType::Float64)?)
}

/// Digests as DataFusion's own function hands them on.
fn states(digests: &[TDigest]) -> Vec<ArrayRef> {
    let number = |of: fn(&TDigest) -> f64| -> ArrayRef {
        Arc::new(Float64Array::from_iter_values(digests.iter().map(of)))
    };
    let mut centroids = ListBuilder::new(Float64Builder::new());
    for digest in digests {
        for centroid in digest.centroids() {
            centroids.values().append_value(centroid.mean());
            centroids.values().append_value(centroid.weight());
        }
        centroids.append(true);
    }
    let sizes = UInt64Array::from_value(DEFAULT_MAX_SIZE as u64, digests.len());
    vec![
        Arc::new(sizes),
        number(TDigest::sum),
        number(TDigest::count),
        number(TDigest::max),
        number(TDigest::min),
        Arc::new(centroids.finish()),
    ]
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use deltalake::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array};
    use deltalake::arrow::datatypes::{DataType, Float64Type};
    use deltalake::datafusion::logical_expr::{EmitTo, GroupsAccumulator};

    use super::{Groups, WAITING_MAX};

    const GROUPS: usize = 5;

    fn groups(share: f64) -> Groups {
        Groups {
            share,
            kind: DataType::Float64,
            waiting: Vec::new(),
            digests: Vec::new(),
            bytes: 0,
        }
    }

    /// Values of five groups, one of which has none; every seventh is not there and every eleventh is filtered.
    fn rows() -> (ArrayRef, Vec<usize>, BooleanArray, Vec<Vec<f64>>) {
        let mut state = 1_u64;
        let mut expected = vec![Vec::new(); GROUPS];
        let (mut values, mut of, mut passes) = (Vec::new(), Vec::new(), Vec::new());
        for row in 0..WAITING_MAX + 1000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let group = row * row % 4;
            let value = (state >> 40) as f64 * if group == 1 { -1.0 } else { 0.5 };
            values.push((row % 7 != 0).then_some(value));
            of.push(group);
            passes.push(row % 11 != 0);
            if row % 7 != 0 && row % 11 != 0 {
                expected[group].push(value);
            }
        }
        for values in &mut expected {
            values.sort_by(f64::total_cmp);
        }
        let values: ArrayRef = Arc::new(Float64Array::from(values));
        (values, of, BooleanArray::from(passes), expected)
    }

    fn check(found: &ArrayRef, share: f64, expected: &[Vec<f64>]) {
        let found = found.as_primitive::<Float64Type>();
        assert_eq!(found.len(), expected.len());
        for (group, values) in expected.iter().enumerate() {
            if values.is_empty() {
                assert!(found.is_null(group));
                continue;
            }
            let place = |share: f64| values[((values.len() - 1) as f64 * share.clamp(0.0, 1.0)) as usize];
            let range = place(share - 0.01)..=place(share + 0.01);
            assert!(
                range.contains(&found.value(group)),
                "{group}: {} in {range:?}",
                found.value(group)
            );
        }
    }

    #[test]
    fn each_group_has_its_own() {
        let (values, of, passes, expected) = rows();
        for share in [0.0, 0.1, 0.5, 0.99, 1.0] {
            let mut all = groups(share);
            let values = [values.clone()];
            all.update_batch(&values, &of, Some(&passes), GROUPS).unwrap();
            // The first two, as it is done when the order of groups is known, and the rest.
            check(&all.evaluate(EmitTo::First(2)).unwrap(), share, &expected[..2]);
            check(&all.evaluate(EmitTo::All).unwrap(), share, &expected[2..]);
        }
    }

    #[test]
    fn parts_that_are_merged_are_the_whole() {
        let (values, of, passes, expected) = rows();
        let half = values.len() / 2;
        let mut whole = groups(0.9);
        let mut part = groups(0.9);
        let first = [values.slice(0, half)];
        part.update_batch(&first, &of[..half], Some(&passes.slice(0, half)), GROUPS)
            .unwrap();
        let states = part.state(EmitTo::All).unwrap();
        whole
            .merge_batch(&states, &(0..GROUPS).collect::<Vec<_>>(), GROUPS)
            .unwrap();
        // Where groups are too many to be worth it, each row is handed on by itself.
        let (last, few) = (values.slice(half, 2000), &of[half..half + 2000]);
        let states = part
            .convert_to_state(&[last], Some(&passes.slice(half, 2000)))
            .unwrap();
        whole.merge_batch(&states, few, GROUPS).unwrap();
        let rest = [values.slice(half + 2000, values.len() - half - 2000)];
        let rest_passes = passes.slice(half + 2000, rest[0].len());
        whole
            .update_batch(&rest, &of[half + 2000..], Some(&rest_passes), GROUPS)
            .unwrap();
        check(&whole.evaluate(EmitTo::All).unwrap(), 0.9, &expected);
        assert!(part.size() > 0);
    }
}
