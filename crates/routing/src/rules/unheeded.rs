//! What an upstream says that nothing heeds.
//!
//! Apart from the other rules: nodes do not ask it. What a control plane took before these rules were here goes on as
//! it was, until somebody saves it.

use domain::traffic::{
    Concurrency, Connections, HealthCheck, HealthCheckKind, Retries, RetryOn, Target, UpstreamSpec,
    UpstreamTls,
};

use crate::fault::{Fault, Faults};

const CODE: &str = "combination_invalid";
const TLS_SCHEME: &str = "https://";

/// Every field of an upstream that differs from its default and has no effect beside the others.
///
/// Defaults that have no effect are nobody's words, so they are none. The rest has to keep the rules already: URLs of
/// targets have their normal form.
pub fn unheeded(spec: &UpstreamSpec) -> Vec<Fault> {
    let mut faults = Faults::default();
    tls(&mut faults, spec);
    if let Some(check) = &spec.health_check {
        health_check(&mut faults, check);
    }
    retries(&mut faults, spec);
    concurrency(&mut faults, &spec.concurrency);
    connections(&mut faults, &spec.connections);
    faults.0
}

/// Who sets up certificates and calls plaintext believes calls to be secret that are not.
fn tls(faults: &mut Faults, spec: &UpstreamSpec) {
    let is_tls = |target: &Target| target.url.starts_with(TLS_SCHEME);
    // Which schemes stand in a file is known to the nodes that have it.
    let is_known = spec.targets_file.is_none();
    if is_known && spec.tls != UpstreamTls::default() && !spec.targets.iter().any(is_tls) {
        faults.add(
            "/tls",
            CODE,
            "No target is at `https://`, so all calls would go out as plaintext.",
            "Write the targets as `https://…`, or leave `tls` out.",
        );
    }
}

fn health_check(faults: &mut Faults, check: &HealthCheck) {
    if check.kind != HealthCheckKind::Http && check.path != HealthCheck::default().path {
        faults.add(
            "/health_check/path",
            CODE,
            "Only `http` asks for a path.",
            "Remove it, or choose `http`.",
        );
    }
}

fn retries(faults: &mut Faults, spec: &UpstreamSpec) {
    let (retries, default) = (&spec.retries, Retries::default());
    let has_more = retries.attempts_max > 1;
    let is_other = |on: &RetryOn| *on != RetryOn::ConnectFailure;
    if has_more && (!retries.statuses.is_empty() || retries.on.iter().any(is_other)) {
        return;
    }
    let (detail, suggestion) = if has_more {
        (
            "Only opening a connection is tried again, which does not heed it.",
            "Remove it, or add `reset`, `timeout` or statuses.",
        )
    } else {
        (
            "Nothing is sent a second time.",
            "Remove it, or choose a greater `attempts_max`.",
        )
    };
    // Hedging takes from the same budget.
    let has_budget = spec.hedging.is_some();
    let percent = !has_budget && retries.budget_percent != default.budget_percent;
    let per_second = !has_budget && retries.budget_per_second_min != default.budget_per_second_min;
    let fields = [
        ("on", !has_more && retries.on.iter().any(is_other)),
        ("statuses", !retries.statuses.is_empty()),
        ("idempotency_key", retries.idempotency_key),
        ("body_bytes_max", retries.body_bytes_max != default.body_bytes_max),
        ("budget_percent", percent),
        ("budget_per_second_min", per_second),
        ("backoff_ms", retries.backoff_ms != default.backoff_ms),
        ("backoff_max_ms", retries.backoff_max_ms != default.backoff_max_ms),
    ];
    for (field, _) in fields.into_iter().filter(|(_, is_set)| *is_set) {
        faults.add(format!("/retries/{field}"), CODE, detail, suggestion);
    }
}

fn concurrency(faults: &mut Faults, concurrency: &Concurrency) {
    let default = Concurrency::default();
    if concurrency.adaptive {
        return;
    }
    let fields = [
        ("adaptive_min", concurrency.adaptive_min != default.adaptive_min),
        ("adaptive_max", concurrency.adaptive_max != default.adaptive_max),
    ];
    for (field, _) in fields.into_iter().filter(|(_, is_set)| *is_set) {
        faults.add(
            format!("/concurrency/{field}"),
            CODE,
            "No number is found out while `adaptive` is off.",
            "Remove it, or turn `adaptive` on.",
        );
    }
}

fn connections(faults: &mut Faults, connections: &Connections) {
    let is_set = connections.waiting_max != Connections::default().waiting_max;
    if connections.max == 0 && is_set {
        faults.add(
            "/connections/waiting_max",
            CODE,
            "Nobody waits where the number of connections has no bound.",
            "Set `max`, or remove it.",
        );
    }
}

#[cfg(test)]
mod tests;
