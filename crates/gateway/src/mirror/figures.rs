//! What is counted of mirrors, and the last differences that were found.

use std::collections::{HashMap, VecDeque};
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use domain::Timestamp;
use domain::id::RouteId;
use domain::node::{MIRRORS_MAX, MirrorFigures, NodeMirrors, RouteMirror};
use http::Method;
use serde::Serialize;

use super::compare::Difference;
use crate::compile::Compiled;

/// The last differences of a mirror that are kept.
const TOLD_MAX: usize = 50;
/// The most mirrors with series of their own.
const SERIES_MAX: usize = 200;
/// The longest request id that is told.
const REQUEST_ID_BYTES_MAX: usize = 128;

/// Figures by route.
pub(crate) type Known = HashMap<RouteId, Arc<Figures>>;

/// What is counted of a mirror, by all cores.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    sent: AtomicU64,
    failed: AtomicU64,
    no_room: AtomicU64,
    too_large: AtomicU64,
    latency_us: AtomicU64,
    compared: AtomicU64,
    different: AtomicU64,
    status: AtomicU64,
    headers: AtomicU64,
    body: AtomicU64,
    latency: AtomicU64,
    /// Until the heads of the answers that were compared, of callers and copies.
    own_us: AtomicU64,
    mirror_us: AtomicU64,
    /// Locked by whoever has found a difference or shows them, never on the way of a call.
    told: Mutex<VecDeque<Told>>,
}

/// A call whose answers differ.
#[derive(Debug, Clone, Serialize)]
struct Told {
    at: Timestamp,
    request_id: Box<str>,
    method: Box<str>,
    #[serde(flatten)]
    difference: Difference,
}

/// How a mirror is.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    route: RouteId,
    upstream: String,
    sent_total: u64,
    failed_total: u64,
    no_room_total: u64,
    too_large_total: u64,
    compared_total: u64,
    different_total: u64,
    /// The newest first.
    differences: Vec<Told>,
}

impl Figures {
    pub(crate) fn sent(&self, latency_us: u64) {
        self.sent.fetch_add(1, Relaxed);
        self.latency_us.fetch_add(latency_us, Relaxed);
    }

    pub(crate) fn failed(&self) {
        self.failed.fetch_add(1, Relaxed);
    }

    pub(crate) fn no_room(&self) {
        self.no_room.fetch_add(1, Relaxed);
    }

    pub(crate) fn too_large(&self) {
        self.too_large.fetch_add(1, Relaxed);
    }

    /// What was counted, as the control plane is told it.
    fn sums(&self) -> MirrorFigures {
        MirrorFigures {
            sent: self.sent.load(Relaxed),
            failed: self.failed.load(Relaxed),
            no_room: self.no_room.load(Relaxed),
            too_large: self.too_large.load(Relaxed),
            sent_us: self.latency_us.load(Relaxed),
            compared: self.compared.load(Relaxed),
            different: self.different.load(Relaxed),
            different_status: self.status.load(Relaxed),
            different_headers: self.headers.load(Relaxed),
            different_body: self.body.load(Relaxed),
            different_latency: self.latency.load(Relaxed),
            compared_own_us: self.own_us.load(Relaxed),
            compared_mirror_us: self.mirror_us.load(Relaxed),
        }
    }

    /// Notes what differs between two answers, and how long both took.
    pub(crate) fn compared(
        &self,
        difference: Difference,
        (own_us, mirror_us): (u64, u64),
        (at, request_id, method): (Timestamp, &str, &Method),
    ) {
        self.compared.fetch_add(1, Relaxed);
        self.own_us.fetch_add(own_us, Relaxed);
        self.mirror_us.fetch_add(mirror_us, Relaxed);
        if difference.is_none() {
            return;
        }
        self.different.fetch_add(1, Relaxed);
        for (figure, differs) in [
            (&self.status, difference.status.is_some()),
            (&self.headers, !difference.headers.is_empty()),
            (&self.body, !difference.body.is_empty()),
            (&self.latency, difference.latency_us.is_some()),
        ] {
            figure.fetch_add(u64::from(differs), Relaxed);
        }
        let mut told = self.told.lock().expect("nothing panics while holding it");
        told.truncate(TOLD_MAX - 1);
        told.push_front(Told {
            at,
            request_id: request_id.chars().take(REQUEST_ID_BYTES_MAX).collect(),
            method: method.as_str().into(),
            difference,
        });
    }
}

/// All mirrors, in the order of the snapshot's routes.
pub(crate) fn reports(compiled: &Compiled) -> Vec<Report> {
    let reports = compiled.mirrors().map(|mirror| {
        let figures = &*mirror.figures;
        let told = figures.told.lock().expect("nothing panics while holding it");
        Report {
            route: mirror.route,
            upstream: compiled.upstreams[mirror.upstream].name().to_string(),
            sent_total: figures.sent.load(Relaxed),
            failed_total: figures.failed.load(Relaxed),
            no_room_total: figures.no_room.load(Relaxed),
            too_large_total: figures.too_large.load(Relaxed),
            compared_total: figures.compared.load(Relaxed),
            different_total: figures.different.load(Relaxed),
            differences: told.iter().cloned().collect(),
        }
    });
    reports.collect()
}

/// What was counted of all mirrors since a moment, for the control plane.
pub(crate) fn told(compiled: &Compiled, since: Timestamp) -> NodeMirrors {
    let mut routes: Vec<_> = compiled
        .mirrors()
        .map(|mirror| RouteMirror {
            route_id: mirror.route,
            figures: mirror.figures.sums(),
        })
        .collect();
    let left_out = routes.len().saturating_sub(MIRRORS_MAX);
    if left_out > 0 {
        routes.sort_by_key(|route| std::cmp::Reverse(route.figures.different));
        routes.truncate(MIRRORS_MAX);
    }
    NodeMirrors {
        since,
        routes,
        left_out: u32::try_from(left_out).unwrap_or(u32::MAX),
    }
}

/// Name, help, label, and its values with their figures.
type Series = (
    &'static str,
    &'static str,
    &'static str,
    &'static [(&'static str, fn(&Figures) -> &AtomicU64)],
);

const SERIES: [Series; 5] = [
    (
        "mirror_calls_total",
        "Calls that were to be copied: sent, of those failed for want of an answer, left out.",
        "outcome",
        &[
            ("sent", |figures| &figures.sent),
            ("failed", |figures| &figures.failed),
            ("no_room", |figures| &figures.no_room),
            ("too_large", |figures| &figures.too_large),
        ],
    ),
    (
        "mirror_microseconds_total",
        "Time from sending copies to the head of their answers.",
        "outcome",
        &[("sent", |figures| &figures.latency_us)],
    ),
    (
        "mirror_compared_total",
        "Pairs of answers that were compared; of those different.",
        "outcome",
        &[
            ("compared", |figures| &figures.compared),
            ("different", |figures| &figures.different),
        ],
    ),
    (
        "mirror_compared_microseconds_total",
        "Time to the heads of the answers that were compared: those of callers, and those of copies.",
        "answer",
        &[
            ("own", |figures| &figures.own_us),
            ("mirror", |figures| &figures.mirror_us),
        ],
    ),
    (
        "mirror_differences_total",
        "Pairs of answers that differ, by what differs.",
        "kind",
        &[
            ("status", |figures| &figures.status),
            ("headers", |figures| &figures.headers),
            ("body", |figures| &figures.body),
            ("latency", |figures| &figures.latency),
        ],
    ),
];

/// Writes figures: series of the first [`SERIES_MAX`] mirrors.
pub(crate) fn write(text: &mut String, compiled: &Compiled) {
    let mirrors: Vec<_> = compiled.mirrors().take(SERIES_MAX).collect();
    if mirrors.is_empty() {
        return;
    }
    for (name, help, label, values) in SERIES {
        let _ = writeln!(
            text,
            "# HELP gateline_{name} {help}\n# TYPE gateline_{name} counter"
        );
        for mirror in &mirrors {
            for (word, figure) in values {
                let (route, value) = (mirror.route, figure(&mirror.figures).load(Relaxed));
                let _ = writeln!(
                    text,
                    "gateline_{name}{{route=\"{route}\",{label}=\"{word}\"}} {value}"
                );
            }
        }
    }
}
