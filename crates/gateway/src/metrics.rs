//! Figures of a node, in the text format of Prometheus.
//!
//! Each core counts in cells of its own, written by that core only; reading adds them up. Label sets are bounded:
//! status classes, error codes, a fixed number of routes ([`routes`]) and targets; never callers.

mod histogram;
mod routes;

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use domain::Code;
use events::intake::IntakeFigures;

use crate::together::StoreFigures;
use crate::traces;

use self::histogram::Histogram;
use self::routes::RouteFigures;

pub(crate) use self::routes::{NO_ROUTE, Places, Series};

/// Classes of answers, by the first digit of their status.
const CLASSES: [&str; 6] = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"];

/// A figure that one core writes and others read.
#[derive(Debug, Default)]
pub(crate) struct Cell(AtomicU64);

impl Cell {
    /// Adds without a locked instruction: there is one writer.
    pub(crate) fn add(&self, amount: u64) {
        self.0.store(self.get().wrapping_add(amount), Ordering::Relaxed);
    }

    pub(crate) fn sub(&self, amount: u64) {
        self.0.store(self.get().saturating_sub(amount), Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The figures of one core.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct CoreFigures {
    /// Answers by the first digit of their status; 0 for calls that got none.
    pub(crate) answers: [Cell; 6],
    /// The gateway's own answers, by the place of their code in [`Code::ALL`].
    pub(crate) refusals: Box<[Cell]>,
    /// By a route's place; those without one come last.
    pub(crate) routes: Box<[RouteFigures]>,
    pub(crate) latency: Histogram,
    pub(crate) in_flight: Cell,
    pub(crate) bytes_in: Cell,
    pub(crate) bytes_out: Cell,
    pub(crate) latency_us: Cell,
    pub(crate) connections_open: Cell,
    pub(crate) connections: Cell,
    pub(crate) connections_refused: Cell,
    pub(crate) proxy_headers_refused: Cell,
    pub(crate) streams_open: Cell,
    pub(crate) streams: Cell,
    pub(crate) streams_refused: Cell,
    pub(crate) streams_failed: Cell,
    pub(crate) stream_bytes_in: Cell,
    pub(crate) stream_bytes_out: Cell,
    pub(crate) http3_connections: Cell,
    pub(crate) http3_requests: Cell,
    pub(crate) http3_retries: Cell,
    pub(crate) upstream_open: Cell,
    pub(crate) upstream_idle: Cell,
    pub(crate) upstream_connects: Cell,
    pub(crate) upstream_retries: Cell,
    pub(crate) upstream_hedges: Cell,
    pub(crate) upstream_fallbacks: Cell,
    pub(crate) upstream_stale: Cell,
    pub(crate) upstream_errors: Cell,
    pub(crate) expression_errors: Cell,
    pub(crate) limits_warned: Cell,
    pub(crate) limits_delayed: Cell,
    pub(crate) limits_delay_us: Cell,
    pub(crate) limits_degraded: Cell,
}

impl CoreFigures {
    /// With figures of so many routes.
    pub(crate) fn new(routes: usize) -> Self {
        Self {
            answers: Default::default(),
            refusals: Code::ALL.iter().map(|_| Cell::default()).collect(),
            routes: (0..routes).map(|_| RouteFigures::default()).collect(),
            latency: Histogram::default(),
            in_flight: Cell::default(),
            bytes_in: Cell::default(),
            bytes_out: Cell::default(),
            latency_us: Cell::default(),
            connections_open: Cell::default(),
            connections: Cell::default(),
            connections_refused: Cell::default(),
            proxy_headers_refused: Cell::default(),
            streams_open: Cell::default(),
            streams: Cell::default(),
            streams_refused: Cell::default(),
            streams_failed: Cell::default(),
            stream_bytes_in: Cell::default(),
            stream_bytes_out: Cell::default(),
            http3_connections: Cell::default(),
            http3_requests: Cell::default(),
            http3_retries: Cell::default(),
            upstream_open: Cell::default(),
            upstream_idle: Cell::default(),
            upstream_connects: Cell::default(),
            upstream_retries: Cell::default(),
            upstream_hedges: Cell::default(),
            upstream_fallbacks: Cell::default(),
            upstream_stale: Cell::default(),
            upstream_errors: Cell::default(),
            expression_errors: Cell::default(),
            limits_warned: Cell::default(),
            limits_delayed: Cell::default(),
            limits_delay_us: Cell::default(),
            limits_degraded: Cell::default(),
        }
    }
}

/// Figures of the node that no core counts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NodeFigures {
    pub(crate) revision: u64,
    pub(crate) snapshot_age_seconds: f64,
    pub(crate) rejected: bool,
    pub(crate) warnings: u64,
    pub(crate) compiles: u64,
    pub(crate) compile_seconds: f64,
    pub(crate) records: events::ring::RingFigures,
    pub(crate) log: Option<events::log::LogFigures>,
    pub(crate) events: Option<IntakeFigures>,
    pub(crate) together: Option<StoreFigures>,
}

type Figure = (&'static str, &'static str, &'static str, fn(&CoreFigures) -> u64);

const FIGURES: [Figure; 30] = [
    (
        "requests_in_flight",
        "gauge",
        "Requests that are being served.",
        |core| core.in_flight.get(),
    ),
    (
        "request_bytes_total",
        "counter",
        "Bytes of request bodies.",
        |core| core.bytes_in.get(),
    ),
    (
        "response_bytes_total",
        "counter",
        "Bytes of answer bodies.",
        |core| core.bytes_out.get(),
    ),
    (
        "request_microseconds_total",
        "counter",
        "Time from the head of requests to the end of their answers.",
        |core| core.latency_us.get(),
    ),
    (
        "client_connections_open",
        "gauge",
        "Open client connections.",
        |core| core.connections_open.get(),
    ),
    (
        "client_connections_total",
        "counter",
        "Client connections accepted.",
        |core| core.connections.get(),
    ),
    (
        "client_connections_refused_total",
        "counter",
        "Client connections closed at once, because there were too many.",
        |core| core.connections_refused.get(),
    ),
    (
        "proxy_headers_refused_total",
        "counter",
        "Client connections closed because they had to begin with a PROXY header and did not, or may not come directly.",
        |core| core.proxy_headers_refused.get(),
    ),
    (
        "streams_open",
        "gauge",
        "Open connections that pass unread.",
        |core| core.streams_open.get(),
    ),
    (
        "streams_total",
        "counter",
        "Connections that were passed on unread.",
        |core| core.streams.get(),
    ),
    (
        "streams_refused_total",
        "counter",
        "Connections closed because no stream route takes them, or theirs has as many as it may have.",
        |core| core.streams_refused.get(),
    ),
    (
        "streams_failed_total",
        "counter",
        "Connections closed because their stream route reached no target.",
        |core| core.streams_failed.get(),
    ),
    (
        "stream_received_bytes_total",
        "counter",
        "Bytes passed on from clients, unread.",
        |core| core.stream_bytes_in.get(),
    ),
    (
        "stream_sent_bytes_total",
        "counter",
        "Bytes passed on to clients, unread.",
        |core| core.stream_bytes_out.get(),
    ),
    (
        "http3_connections_total",
        "counter",
        "Client connections over HTTP/3 whose handshake has ended.",
        |core| core.http3_connections.get(),
    ),
    (
        "http3_requests_total",
        "counter",
        "Requests over HTTP/3.",
        |core| core.http3_requests.get(),
    ),
    (
        "http3_retries_total",
        "counter",
        "Clients of HTTP/3 that had to show that they are where they say, because many came at once.",
        |core| core.http3_retries.get(),
    ),
    (
        "upstream_connections_open",
        "gauge",
        "Open upstream connections.",
        |core| core.upstream_open.get(),
    ),
    (
        "upstream_connections_idle",
        "gauge",
        "Those that wait for a request.",
        |core| core.upstream_idle.get(),
    ),
    (
        "upstream_connections_total",
        "counter",
        "Upstream connections opened.",
        |core| core.upstream_connects.get(),
    ),
    (
        "upstream_retries_total",
        "counter",
        "Requests sent again: over another connection, or to another target.",
        |core| core.upstream_retries.get(),
    ),
    (
        "upstream_hedges_total",
        "counter",
        "Requests sent to a second target because the first one took long.",
        |core| core.upstream_hedges.get(),
    ),
    (
        "upstream_fallbacks_total",
        "counter",
        "Requests answered with the upstream's fallback.",
        |core| core.upstream_fallbacks.get(),
    ),
    (
        "upstream_stale_total",
        "counter",
        "Those of them that were answered with the last good answer.",
        |core| core.upstream_stale.get(),
    ),
    (
        "route_expression_errors_total",
        "counter",
        "Expressions of routes that could not be computed for a request.",
        |core| core.expression_errors.get(),
    ),
    (
        "upstream_errors_total",
        "counter",
        "Requests that got no valid answer of their upstream.",
        |core| core.upstream_errors.get(),
    ),
    (
        "limits_warned_total",
        "counter",
        "Calls over a limit that only warns.",
        |core| core.limits_warned.get(),
    ),
    (
        "limits_delayed_total",
        "counter",
        "Calls that a limit held back.",
        |core| core.limits_delayed.get(),
    ),
    (
        "limits_delay_microseconds_total",
        "counter",
        "How long limits held calls back.",
        |core| core.limits_delay_us.get(),
    ),
    (
        "limits_degraded_total",
        "counter",
        "Calls over a limit that the service behind was told of.",
        |core| core.limits_degraded.get(),
    ),
];

/// Writes all figures.
pub(crate) fn write(cores: &[Arc<CoreFigures>], node: &NodeFigures) -> String {
    let mut text = String::with_capacity(4096);
    let sum = |figure: &dyn Fn(&CoreFigures) -> u64| cores.iter().map(|core| figure(core)).sum::<u64>();
    head(
        &mut text,
        "requests_total",
        "counter",
        "Requests by the class of their answer; `none` if it was cut off.",
    );
    for (class, name) in CLASSES.iter().enumerate() {
        let value = sum(&|core| core.answers[class].get());
        let _ = writeln!(text, "gateline_requests_total{{class=\"{name}\"}} {value}");
    }
    head(
        &mut text,
        "refusals_total",
        "counter",
        "The gateway's own answers by code.",
    );
    for (index, code) in Code::ALL.iter().enumerate() {
        let value = sum(&|core| core.refusals[index].get());
        if value > 0 {
            let _ = writeln!(
                text,
                "gateline_refusals_total{{code=\"{}\"}} {value}",
                code.as_str()
            );
        }
    }
    for (name, kind, help, figure) in FIGURES {
        head(&mut text, name, kind, help);
        let _ = writeln!(text, "gateline_{name} {}", sum(&figure));
    }
    histogram::write(&mut text, cores);
    write_node(&mut text, node);
    let age = node.snapshot_age_seconds;
    head(
        &mut text,
        "snapshot_age_seconds",
        "gauge",
        "Time since the served snapshot was built.",
    );
    let _ = writeln!(text, "gateline_snapshot_age_seconds {age}");
    head(
        &mut text,
        "snapshot_compile_seconds",
        "summary",
        "Time that snapshots took until they were served.",
    );
    let NodeFigures {
        compiles,
        compile_seconds,
        ..
    } = node;
    let _ = writeln!(
        text,
        "gateline_snapshot_compile_seconds_sum {compile_seconds}\ngateline_snapshot_compile_seconds_count {compiles}"
    );
    text
}

fn write_node(text: &mut String, node: &NodeFigures) {
    let NodeFigures {
        revision, records, ..
    } = node;
    let mut one = |name: &str, kind: &str, help: &str, value: u64| {
        head(text, name, kind, help);
        let _ = writeln!(text, "gateline_{name} {value}");
    };
    one(
        "snapshot_revision",
        "gauge",
        "Revision of the snapshot being served.",
        *revision,
    );
    one(
        "snapshot_rejected",
        "gauge",
        "1 if the newest snapshot was rejected.",
        node.rejected.into(),
    );
    one(
        "target_files_broken",
        "gauge",
        "Files of targets that cannot be used; the targets read before go on.",
        node.warnings,
    );
    one(
        "records_pending",
        "gauge",
        "Usage records on their way to the log.",
        records.pending,
    );
    one(
        "records_lost_total",
        "counter",
        "Usage records lost for want of room.",
        records.lost,
    );
    one(
        "records_refused_total",
        "counter",
        "Requests refused for want of room.",
        records.refused,
    );
    if let Some(together) = &node.together {
        write_store(together, &mut one);
    }
    if let Some(events) = &node.events {
        write_events(events, &mut one);
    }
    if let Some(log) = &node.log {
        write_log(log, one);
    }
}

fn write_store(store: &StoreFigures, one: &mut impl FnMut(&str, &str, &str, u64)) {
    for (name, kind, help, value) in [
        (
            "limits_store_up",
            "gauge",
            "Whether the store of limits answered lately.",
            u64::from(store.is_up),
        ),
        (
            "limits_store_nodes",
            "gauge",
            "Nodes that count limits together.",
            store.nodes,
        ),
        (
            "limits_store_rounds_total",
            "counter",
            "Rounds with the store of limits.",
            store.rounds,
        ),
        (
            "limits_store_failures_total",
            "counter",
            "Rounds that failed.",
            store.failures,
        ),
        (
            "limits_store_counters_total",
            "counter",
            "Counters brought together.",
            store.told,
        ),
        (
            "limits_store_microseconds_total",
            "counter",
            "How long rounds took.",
            store.round_us,
        ),
        (
            "limits_store_age_milliseconds",
            "gauge",
            "Since the last round that did not fail.",
            store.age_ms,
        ),
    ] {
        one(name, kind, help, value);
    }
}

fn write_events(events: &IntakeFigures, one: &mut impl FnMut(&str, &str, &str, u64)) {
    for (name, kind, help, value) in [
        (
            "events_accepted_total",
            "counter",
            "Tracked events that were written, exposures among them.",
            events.accepted,
        ),
        (
            "events_duplicates_total",
            "counter",
            "Tracked events that came again.",
            events.duplicates,
        ),
        (
            "events_delayed_total",
            "counter",
            "Tracked events refused because too many waited.",
            events.busy,
        ),
        (
            "events_unwritten_total",
            "counter",
            "Tracked events refused because the disk did not take them.",
            events.unwritten,
        ),
        (
            "events_waiting_bytes",
            "gauge",
            "Bytes of tracked events that wait for the disk.",
            events.waiting_bytes,
        ),
        (
            "events_known_ids",
            "gauge",
            "Ids of tracked events that are known, so that what comes again is told.",
            events.ids,
        ),
    ] {
        one(name, kind, help, value);
    }
}

fn write_log(log: &events::log::LogFigures, mut one: impl FnMut(&str, &str, &str, u64)) {
    one(
        "log_last_sequence",
        "gauge",
        "Number of the newest batch in the log.",
        log.last_sequence,
    );
    one(
        "log_batches",
        "gauge",
        "Batches in the log that wait for their sink.",
        log.batches,
    );
    one("log_bytes", "gauge", "Their bytes.", log.bytes);
    one(
        "log_events_total",
        "counter",
        "Records written to the log.",
        log.events,
    );
    one(
        "log_shed_total",
        "counter",
        "Records shed, the log being nearly full.",
        log.shed,
    );
    one(
        "log_corrupt_total",
        "counter",
        "Batches that could not be read any more.",
        log.corrupt,
    );
    one(
        "log_failures_total",
        "counter",
        "Failed writes of the log.",
        log.failures,
    );
}

/// Writes what became of spans.
pub(crate) fn write_traces(text: &mut String, traces: &traces::Figures) {
    for (name, help, value) in [
        (
            "spans_exported_total",
            "Spans that the receiver of traces has taken.",
            &traces.exported,
        ),
        (
            "spans_dropped_total",
            "Requests whose spans were lost for want of room in the queue.",
            &traces.dropped,
        ),
        (
            "spans_failed_total",
            "Spans that the receiver of traces did not take.",
            &traces.failed,
        ),
    ] {
        head(text, name, "counter", help);
        let _ = writeln!(text, "gateline_{name} {}", value.load(Ordering::Relaxed));
    }
}

/// A label's value with what would end it escaped.
pub(crate) fn escape(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(
        text,
        "# HELP gateline_{name} {help}\n# TYPE gateline_{name} {kind}"
    );
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::FIGURES;

    #[test]
    fn every_figure_is_a_family_of_its_own() {
        let mut families = HashSet::new();
        for (name, kind, ..) in FIGURES {
            // OpenMetrics names a counter without its ending.
            let family = name.strip_suffix("_total").unwrap_or(name);
            assert_eq!(kind == "counter", family != name, "{name}");
            assert!(families.insert(family), "{name}");
        }
    }
}
