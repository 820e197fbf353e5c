//! Tells how the targets of a node are: for figures, for people, and for the control plane.

use std::fmt::Write as _;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use domain::Timestamp;
use domain::id::UpstreamId;
use domain::node::{CircuitState, NodeHealth, TargetHealth, TargetState, UpstreamHealth};
use serde::Serialize;

use crate::compile::Compiled;
use crate::deadline::steady_ms;
use crate::group::Member;
use crate::guard::{Bulkhead, State};
use crate::health::Checked;
use crate::metrics::escape;

/// The most targets with series of their own; the sums are of all.
const SERIES_MAX: usize = 1_000;

/// The most targets that the control plane is told of.
const TOLD_MAX: usize = 1_000;

/// An upstream and its targets.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    upstream: UpstreamId,
    name: String,
    /// `closed`, `open` or `half_open`; absent without a circuit breaker.
    #[serde(skip_serializing_if = "Option::is_none")]
    circuit: Option<&'static str>,
    circuit_opened_total: u64,
    calls_waiting: usize,
    targets: Vec<TargetReport>,
}

/// How a target is.
#[derive(Debug, Serialize)]
struct TargetReport {
    url: String,
    priority: u8,
    weight: u32,
    healthy: bool,
    /// Whether its calls have failed too often.
    ejected: bool,
    /// `healthy` or `unhealthy`; absent before the first check.
    #[serde(skip_serializing_if = "Option::is_none")]
    checked: Option<&'static str>,
    failures_total: u64,
    ejections_total: u64,
    checks_failed_total: u64,
}

/// Name, kind, help, and the figure of a target.
type Series = (&'static str, &'static str, &'static str, fn(&TargetReport) -> u64);

/// All upstreams in the order of the snapshot.
pub(crate) fn reports(compiled: &Compiled) -> Vec<Report> {
    let now_ms = steady_ms();
    let reports = compiled.upstreams.iter().map(|upstream| {
        let members = upstream.group.members();
        let targets = members.iter().map(|member| {
            let (health, figures) = (&member.health, &member.health.figures);
            TargetReport {
                url: member.target.url(),
                priority: member.priority,
                weight: member.weight,
                healthy: health.is_healthy(now_ms),
                ejected: health.ejected_until_ms() > now_ms,
                checked: match health.checked() {
                    Checked::Unknown => None,
                    Checked::Healthy => Some("healthy"),
                    Checked::Unhealthy => Some("unhealthy"),
                },
                failures_total: figures.failures.load(Relaxed),
                ejections_total: figures.ejections.load(Relaxed),
                checks_failed_total: figures.checks_failed.load(Relaxed),
            }
        });
        Report {
            upstream: upstream.id,
            name: upstream.name().to_string(),
            circuit: upstream.breaker.as_ref().map(|breaker| match breaker.state() {
                State::Closed => "closed",
                State::Open { .. } => "open",
                State::HalfOpen { .. } => "half_open",
            }),
            circuit_opened_total: upstream
                .breaker
                .as_ref()
                .map_or(0, |breaker| breaker.opened.load(Relaxed)),
            calls_waiting: upstream.bulkhead.as_ref().map_or(0, Bulkhead::waiting),
            targets: targets.collect(),
        }
    });
    reports.collect()
}

/// How the targets of all upstreams are, for the control plane; `now` is the calendar's time.
pub(crate) fn health(compiled: &Compiled, now: Timestamp) -> NodeHealth {
    let now_ms = steady_ms();
    let at = |ms: u64| now.before(Duration::from_millis(now_ms.saturating_sub(ms)));
    let mut upstreams: Vec<_> = compiled
        .upstreams
        .iter()
        .map(|upstream| UpstreamHealth {
            upstream_id: upstream.id,
            circuit: upstream.breaker.as_ref().map(|breaker| match breaker.state() {
                State::Closed => CircuitState::Closed,
                State::Open { .. } => CircuitState::Open,
                State::HalfOpen { .. } => CircuitState::HalfOpen,
            }),
            targets: upstream
                .group
                .members()
                .iter()
                .map(|member| told(member, now_ms, at))
                .collect(),
        })
        .collect();
    let is_well = |upstream: &UpstreamHealth| {
        let targets = upstream.targets.iter();
        upstream.circuit != Some(CircuitState::Open)
            && targets.clone().all(|target| target.state == TargetState::Healthy)
    };
    // Of too many, those with something wrong are told.
    upstreams.sort_by_key(is_well);
    let mut room = TOLD_MAX;
    let mut left_out = 0;
    upstreams.retain(|upstream| {
        let count = upstream.targets.len();
        let fits = count <= room;
        if fits {
            room -= count;
        } else {
            left_out += count;
        }
        fits
    });
    NodeHealth {
        upstreams,
        left_out: u32::try_from(left_out).unwrap_or(u32::MAX),
    }
}

fn told(member: &Member, now_ms: u64, at: impl Fn(u64) -> Timestamp) -> TargetHealth {
    let health = &member.health;
    let (state, reason, since_ms) = if health.checked() == Checked::Unhealthy {
        (
            TargetState::Unhealthy,
            "Its health checks fail.",
            health.changed_ms(),
        )
    } else if health.ejected_until_ms() > now_ms {
        let reason = "Its calls failed too often; it is left out for a while.";
        (TargetState::Ejected, reason, health.changed_ms())
    } else {
        (TargetState::Healthy, "", health.since_ms())
    };
    TargetHealth {
        target: member.target.url(),
        state,
        reason: reason.to_owned(),
        since: (since_ms > 0).then(|| at(since_ms)),
    }
}

/// Writes figures: sums of all, and series of the first [`SERIES_MAX`] targets and upstreams.
pub(crate) fn write(text: &mut String, reports: &[Report]) {
    let targets = || reports.iter().flat_map(|report| &report.targets);
    let count = |is_so: &dyn Fn(&TargetReport) -> bool| targets().filter(|target| is_so(target)).count();
    let sums = [
        (
            "targets",
            "gauge",
            "Targets of all upstreams.",
            count(&|_| true) as u64,
        ),
        (
            "targets_healthy",
            "gauge",
            "Those that calls may go to.",
            count(&|target| target.healthy) as u64,
        ),
        (
            "targets_ejected",
            "gauge",
            "Those that are left out because their calls failed.",
            count(&|target| target.ejected) as u64,
        ),
        (
            "circuits_open",
            "gauge",
            "Upstreams whose calls are refused because most of them failed.",
            reports
                .iter()
                .filter(|report| report.circuit == Some("open"))
                .count() as u64,
        ),
    ];
    for (name, kind, help, value) in sums {
        head(text, name, kind, help);
        let _ = writeln!(text, "gateline_{name} {value}");
    }
    write_series(text, reports);
}

fn write_series(text: &mut String, reports: &[Report]) {
    let series: [Series; 4] = [
        (
            "target_healthy",
            "gauge",
            "1 if calls may go to the target.",
            |target| u64::from(target.healthy),
        ),
        (
            "target_failures_total",
            "counter",
            "Calls without a valid answer, and answers of 5xx.",
            |target| target.failures_total,
        ),
        (
            "target_ejections_total",
            "counter",
            "How often it was left out.",
            |target| target.ejections_total,
        ),
        (
            "target_checks_failed_total",
            "counter",
            "Checks that failed.",
            |target| target.checks_failed_total,
        ),
    ];
    for (name, kind, help, figure) in series {
        head(text, name, kind, help);
        let named = reports
            .iter()
            .flat_map(|report| report.targets.iter().map(move |target| (report, target)));
        for (Report { upstream, .. }, target) in named.take(SERIES_MAX) {
            let (url, value) = (escape(&target.url), figure(target));
            let _ = writeln!(
                text,
                "gateline_{name}{{upstream=\"{upstream}\",target=\"{url}\"}} {value}"
            );
        }
    }
    head(
        text,
        "circuit_opened_total",
        "counter",
        "How often an upstream's circuit opened.",
    );
    let breakers = reports.iter().filter(|report| report.circuit.is_some());
    for report in breakers.take(SERIES_MAX) {
        let (upstream, value) = (&report.upstream, report.circuit_opened_total);
        let _ = writeln!(
            text,
            "gateline_circuit_opened_total{{upstream=\"{upstream}\"}} {value}"
        );
    }
}

fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(
        text,
        "# HELP gateline_{name} {help}\n# TYPE gateline_{name} {kind}"
    );
}
