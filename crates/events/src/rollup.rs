//! Summing calls up by minute, hour and day, and at every grain.

use std::collections::HashMap;

use domain::Timestamp;
use domain::rollup::{Grain, Resolution, Rollup, Series, Sums};
use domain::sketch::Sketch;

use crate::call::Call;

/// Sums calls up, one after the other.
#[derive(Debug, Default)]
pub struct Fold {
    minutes: Cells,
}

type Cells = HashMap<(Timestamp, Series), (Sums, Sketch)>;

impl Fold {
    /// Adds a call. Calls that matched no route belong to no API and are not in the roll-ups.
    pub fn add(&mut self, call: &Call) {
        let Some(series) = series(call) else { return };
        let minute = Resolution::Minute.begin(call.started_at);
        let (sums, latency) = self.minutes.entry((minute, series)).or_default();
        sums.add(&Sums {
            calls: 1,
            counted: i64::from(call.counted),
            refused: i64::from(call.refusal.is_some() && call.status < 500),
            client_errors: i64::from(call.refusal.is_none() && (400..500).contains(&call.status)),
            server_errors: i64::from(call.status >= 500),
            bytes_in: clamped(call.bytes_in),
            bytes_out: clamped(call.bytes_out),
            latency_us: clamped(call.latency_us),
        });
        latency.note(call.latency_us);
    }

    /// The sums by each of [`Resolution::ALL`], in no order; in each, the calls stand once at every grain.
    pub fn finish(self) -> [Vec<Rollup>; Resolution::ALL.len()] {
        let mut finer = self.minutes;
        // From the calls one by one: each other grain has fewer series.
        let all: Vec<_> = finer.drain().collect();
        for grain in Grain::ALL {
            for ((begin, series), cell) in &all {
                add(&mut finer, (*begin, series.at(grain)), cell);
            }
        }
        Resolution::ALL.map(|resolution| {
            let mut coarser = Cells::new();
            if let Some(resolution) = resolution.coarser() {
                for ((begin, series), cell) in &finer {
                    add(&mut coarser, (resolution.begin(*begin), *series), cell);
                }
            }
            let row = |((begin, series), (sums, latency))| Rollup {
                series,
                begin,
                sums,
                latency,
            };
            std::mem::replace(&mut finer, coarser)
                .into_iter()
                .map(row)
                .collect()
        })
    }
}

fn add(cells: &mut Cells, key: (Timestamp, Series), (sums, latency): &(Sums, Sketch)) {
    let (all_sums, all_latency) = cells.entry(key).or_default();
    all_sums.add(sums);
    all_latency.merge(latency);
}

fn series(call: &Call) -> Option<Series> {
    let callee = call.callee?;
    let subscribed = call.caller.and_then(|caller| caller.subscribed);
    Some(Series {
        grain: Grain::Calls,
        provider: callee.organization,
        api: callee.api,
        version: callee.version,
        operation: callee.operation,
        consumer: call.caller.map(|caller| caller.organization),
        application: call.caller.map(|caller| caller.application),
        plan: subscribed.map(|subscribed| subscribed.plan),
        target: call.target,
        variant: call.variant.map(|variant| (variant.route, variant.name)),
        status: call.status,
        code: call.refusal,
    })
}

fn clamped(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
