//! Sums by span of time and group, and the rows that are made of them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use domain::Timestamp;
use domain::analytics::{AnalyticsRow, Dimension, Measure, Top};
use domain::lake::CallSums;
use domain::sketch::Sketch;
use store::rollup::Found;

/// The values of the dimensions; none for the groups that are not among the greatest.
type Group = Option<Vec<String>>;

/// What was found, by span and group.
#[derive(Debug)]
pub(super) struct Table {
    /// When the spans begin; none if the whole time is one.
    spans: Option<Vec<Timestamp>>,
    cells: HashMap<(usize, Group), Cell>,
}

/// Sums of one span and group.
#[derive(Debug, Clone, Default)]
struct Cell {
    sums: [i64; 8],
    latency: Sketch,
    applications: BTreeSet<String>,
}

impl Table {
    /// Without calls as yet.
    pub(super) fn new(spans: Option<Vec<Timestamp>>) -> Self {
        Self {
            spans,
            cells: HashMap::new(),
        }
    }

    /// Adds sums of calls that began in a span of the whole time.
    pub(super) fn add(&mut self, found: Found) {
        let span = self.spans.as_ref().map_or(0, |spans| {
            spans
                .partition_point(|begin| *begin <= found.begin)
                .saturating_sub(1)
        });
        self.add_sums(CallSums {
            span,
            dimensions: found.dimensions,
            application: found.application,
            sums: found.sums,
            latency: found.latency,
        });
    }

    /// Adds sums of calls of one of the spans.
    pub(super) fn add_sums(&mut self, found: CallSums) {
        let cell = self
            .cells
            .entry((found.span, Some(found.dimensions)))
            .or_default();
        for (sum, added) in cell.sums.iter_mut().zip(found.sums) {
            *sum = sum.saturating_add(added);
        }
        if let Some(latency) = &found.latency {
            cell.latency.merge(latency);
        }
        let application = found.application.filter(|application| !application.is_empty());
        cell.applications.extend(application);
    }

    /// How many groups of spans it has.
    pub(super) fn len(&self) -> usize {
        self.cells.len()
    }

    /// The groups that have most of a measure over the whole time; of equals, the first by name.
    pub(super) fn greatest(&self, top: Top) -> BTreeSet<Vec<String>> {
        let mut groups: BTreeMap<&Vec<String>, Cell> = BTreeMap::new();
        for ((_, group), cell) in &self.cells {
            if let Some(group) = group {
                groups.entry(group).or_default().merge(cell);
            }
        }
        let mut ranked: Vec<_> = groups
            .into_iter()
            .map(|(group, cell)| (cell.value(top.by).unwrap_or(f64::MIN), group))
            .collect();
        // Stable, so that equals stay in the order of their names.
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
        ranked.truncate(top.count as usize);
        ranked.into_iter().map(|(_, group)| group.clone()).collect()
    }

    /// Sums the other groups up as one.
    pub(super) fn keep_only(&mut self, groups: &BTreeSet<Vec<String>>) {
        for ((span, group), cell) in std::mem::take(&mut self.cells) {
            let group = group.filter(|group| groups.contains(group));
            self.cells.entry((span, group)).or_default().merge(&cell);
        }
    }

    /// The rows, in the order of time; those of one time with the greatest first and the others last.
    pub(super) fn rows(
        &self,
        measures: &[Measure],
        dimensions: &[Dimension],
        before: Option<&Self>,
    ) -> Vec<AnalyticsRow> {
        let empty = Cell::default();
        // What is there before and not now has a row as well.
        let mut keys: BTreeSet<_> = self.cells.keys().collect();
        let last = self.spans.as_ref().map_or(1, Vec::len);
        if let Some(before) = before {
            keys.extend(before.cells.keys().filter(|(span, _)| *span < last));
        }
        let mut rows: Vec<_> = keys
            .into_iter()
            .map(|key @ (span, group)| {
                let cell = self.cells.get(key).unwrap_or(&empty);
                let values = |cell: &Cell| {
                    let value = |measure: &Measure| Some((*measure, cell.value(*measure)?));
                    measures.iter().filter_map(value).collect()
                };
                let row = AnalyticsRow {
                    time: self.spans.as_ref().map(|spans| spans[*span]),
                    dimensions: match group {
                        Some(group) => dimensions.iter().copied().zip(group.iter().cloned()).collect(),
                        None => BTreeMap::new(),
                    },
                    others: group.is_none(),
                    values: values(cell),
                    previous: before.map(|before| values(before.cells.get(key).unwrap_or(&empty))),
                };
                (cell.value(measures[0]), row)
            })
            .collect();
        rows.sort_by(|(a, one), (b, other)| {
            let greatest = |value: &Option<f64>| value.unwrap_or(f64::MIN);
            (one.time, one.others)
                .cmp(&(other.time, other.others))
                .then(greatest(b).total_cmp(&greatest(a)))
        });
        rows.into_iter().map(|(_, row)| row).collect()
    }
}

/// Which sums measures are computed from.
pub(super) fn sums_of(measures: &[Measure]) -> [bool; 8] {
    let mut wanted = [false; 8];
    for measure in measures {
        let sums: &[usize] = match measure {
            Measure::Calls => &[0],
            Measure::Counted => &[1],
            Measure::Refused => &[2],
            Measure::ClientErrors => &[3],
            Measure::ServerErrors => &[4],
            Measure::ErrorRate => &[0, 4],
            Measure::BytesIn => &[5],
            Measure::BytesOut => &[6],
            Measure::LatencyTotalUs => &[7],
            Measure::LatencyMeanUs => &[0, 7],
            Measure::LatencyP50Us
            | Measure::LatencyP90Us
            | Measure::LatencyP95Us
            | Measure::LatencyP99Us
            | Measure::Applications => &[],
        };
        for sum in sums {
            wanted[*sum] = true;
        }
    }
    wanted
}

impl Cell {
    fn merge(&mut self, other: &Self) {
        for (sum, added) in self.sums.iter_mut().zip(other.sums) {
            *sum = sum.saturating_add(added);
        }
        self.latency.merge(&other.latency);
        self.applications.extend(other.applications.iter().cloned());
    }

    /// The value of a measure; none if it is about calls and there were none.
    fn value(&self, measure: Measure) -> Option<f64> {
        let [
            calls,
            counted,
            refused,
            client_errors,
            server_errors,
            bytes_in,
            bytes_out,
            latency_us,
        ] = self.sums.map(|sum| sum as f64);
        let per_call = |sum: f64| (calls > 0.0).then(|| sum / calls);
        Some(match measure {
            Measure::Calls => calls,
            Measure::Counted => counted,
            Measure::Refused => refused,
            Measure::ClientErrors => client_errors,
            Measure::ServerErrors => server_errors,
            Measure::ErrorRate => return per_call(server_errors),
            Measure::BytesIn => bytes_in,
            Measure::BytesOut => bytes_out,
            Measure::LatencyTotalUs => latency_us,
            Measure::LatencyMeanUs => return per_call(latency_us),
            Measure::Applications => self.applications.len() as f64,
            Measure::LatencyP50Us | Measure::LatencyP90Us | Measure::LatencyP95Us | Measure::LatencyP99Us => {
                let share = measure.percentile().expect("it is one");
                return self.latency.quantile(share).map(|value| value as f64);
            }
        })
    }
}
