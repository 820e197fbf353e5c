//! Summing calls up by minute and hour.

use std::collections::HashMap;

use domain::rollup::{Resolution, Rollup, Series, Sums};
use domain::sketch::Sketch;

use crate::call::Call;

/// Sums calls up, one after the other.
#[derive(Debug, Default)]
pub struct Fold {
    minutes: HashMap<(domain::Timestamp, Series), (Sums, Sketch)>,
}

impl Fold {
    /// Adds a call. Calls that matched no route belong to no API and are not in the roll-ups.
    pub fn add(&mut self, call: &Call) {
        let Some(series) = series(call) else { return };
        let minute = Resolution::Minute.begin(call.started_at);
        let (sums, latency) = self.minutes.entry((minute, series)).or_default();
        sums.add(&Sums {
            calls: 1,
            counted: i64::from(call.counted),
            bytes_in: clamped(call.bytes_in),
            bytes_out: clamped(call.bytes_out),
            latency_us: clamped(call.latency_us),
        });
        latency.note(call.latency_us);
    }

    /// The sums by minute, and by hour, each in no order.
    pub fn finish(self) -> (Vec<Rollup>, Vec<Rollup>) {
        let mut hours: HashMap<_, (Sums, Sketch)> = HashMap::new();
        for ((minute, series), (sums, latency)) in &self.minutes {
            let hour = Resolution::Hour.begin(*minute);
            let (hour_sums, hour_latency) = hours.entry((hour, *series)).or_default();
            hour_sums.add(sums);
            hour_latency.merge(latency);
        }
        let rows = |rows: HashMap<_, _>| {
            let row = |((begin, series), (sums, latency))| Rollup {
                series,
                begin,
                sums,
                latency,
            };
            rows.into_iter().map(row).collect()
        };
        (rows(self.minutes), rows(hours))
    }
}

fn series(call: &Call) -> Option<Series> {
    let callee = call.callee?;
    let subscribed = call.caller.and_then(|caller| caller.subscribed);
    Some(Series {
        provider: callee.organization,
        api: callee.api,
        version: callee.version,
        operation: callee.operation,
        consumer: call.caller.map(|caller| caller.organization),
        application: call.caller.map(|caller| caller.application),
        plan: subscribed.map(|subscribed| subscribed.plan),
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
