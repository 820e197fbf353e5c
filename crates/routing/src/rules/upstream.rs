//! Upstreams.

use std::path::{Component, Path};

use domain::traffic::{
    Algorithm, Balancing, CircuitBreaker, Concurrency, Connections, Fallback, HashOn, HealthCheck,
    HealthCheckKind, OutlierDetection, Retries, Target, Timeouts, UpstreamSpec, UpstreamTls,
};
use domain::upstream::STREAM_SCHEME;

use super::target;
use crate::fault::{Fault, Faults};

/// The most targets of an upstream, and the most that stand in a file.
const TARGETS_MAX: usize = 64;
const LISTED_MAX: usize = 1_000;
/// The most characters of the path of a file.
const FILE_MAX: usize = 500;
/// The longest wait for a connection: ten minutes.
const CONNECT_MS_MAX: u32 = 600_000;
/// The longest wait for an answer, or between two pieces of a body: an hour.
const WAIT_MS_MAX: u32 = 3_600_000;
/// The longest silence on a WebSocket: a day.
const TUNNEL_MS_MAX: u32 = 86_400_000;
/// The most idle connections per core.
const IDLE_CONNECTIONS_MAX: u32 = 1024;
/// The most statuses in a list.
const STATUSES_MAX: usize = 50;
/// The largest text of certificates: 64 KiB.
const ROOTS_BYTES_MAX: usize = 65_536;

/// Everything that is wrong with an upstream; URLs of targets get their normal form.
///
/// Whether `tls.roots` are certificates is for those to say who read them.
pub fn upstream(spec: &mut UpstreamSpec) -> Vec<Fault> {
    let mut faults = Faults::default();
    match &spec.targets_file {
        None => target::check(&mut faults, "/targets", (&mut spec.targets, TARGETS_MAX)),
        Some(file) => self::file(&mut faults, file, &spec.targets),
    }
    parts(&mut faults, spec);
    faults.0
}

/// Everything that is wrong with the targets in a file; pointers are into the list.
pub fn listed(targets: &mut [Target]) -> Vec<Fault> {
    let mut faults = Faults::default();
    target::check(&mut faults, "", (targets, LISTED_MAX));
    for (index, target) in targets.iter().enumerate() {
        if target.url.starts_with(STREAM_SCHEME) {
            faults.add(
                format!("/{index}/url"),
                "url_invalid",
                "Only targets of routes stand in files.",
                "Write it as `http://127.0.0.1:9000/base`, or give the upstream the target itself.",
            );
        }
    }
    faults.0
}

fn parts(faults: &mut Faults, spec: &UpstreamSpec) {
    balancing(faults, &spec.balancing);
    tls(faults, &spec.tls);
    timeouts(faults, &spec.timeouts);
    if let Some(check) = &spec.health_check {
        health_check(faults, check);
    }
    if let Some(detection) = &spec.outlier_detection {
        outlier_detection(faults, detection);
    }
    if let Some(breaker) = &spec.circuit_breaker {
        circuit_breaker(faults, breaker);
    }
    retries(faults, &spec.retries);
    if let Some(hedging) = &spec.hedging {
        faults.range("/hedging/after_ms", hedging.after_ms, 1, WAIT_MS_MAX);
    }
    if let Some(fallback) = &spec.fallback {
        self::fallback(faults, fallback);
    }
    concurrency(faults, &spec.concurrency);
    connections(faults, &spec.connections);
    let kept = spec.idle_connections_max;
    faults.range("/idle_connections_max", kept, 0, IDLE_CONNECTIONS_MAX);
    if spec.is_stream() {
        for pointer in spec.unfit_for_streams() {
            faults.add(
                pointer,
                "combination_invalid",
                "It means nothing for targets at `tcp://`, where bytes pass unread.",
                "Leave it out.",
            );
        }
    }
}

/// Wants a file below the nodes' directory, and no other targets beside it.
fn file(faults: &mut Faults, file: &str, targets: &[Target]) {
    let is_below = Path::new(file)
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    if file.is_empty() || file.len() > FILE_MAX || !is_below || file.chars().any(char::is_control) {
        faults.add(
            "/targets_file",
            "field_invalid",
            "It is no path below a directory.",
            "Write where the file is below the nodes' `gateway.targets_directory`, as `shop.yaml`.",
        );
    }
    if !targets.is_empty() {
        faults.add(
            "/targets",
            "combination_invalid",
            "The targets stand in a file.",
            "Leave them out, or leave `targets_file` out.",
        );
    }
}

fn balancing(faults: &mut Faults, balancing: &Balancing) {
    let is_hashing = balancing.algorithm == Algorithm::ConsistentHash;
    if is_hashing != balancing.hash_on.is_some() {
        faults.add(
            "/balancing/hash_on",
            "combination_invalid",
            "`consistent_hash` needs a key, no other algorithm has one.",
            "Say what calls of one client have in common, or choose another algorithm.",
        );
    }
    let is_named = matches!(balancing.hash_on, Some(HashOn::Header | HashOn::Cookie));
    let name = balancing.hash_name.as_deref();
    if is_named != name.is_some() {
        faults.add(
            "/balancing/hash_name",
            "combination_invalid",
            "`header` and `cookie` need a name, nothing else has one.",
            "Name the header field or the cookie, or remove the name.",
        );
    } else if name.is_some_and(|name| !is_token(name)) {
        faults.add(
            "/balancing/hash_name",
            "field_invalid",
            "It is no name of a header field or a cookie.",
            "Use letters, digits and hyphens, at most 100.",
        );
    }
    let load = balancing.hash_load_max_percent;
    if load != 0 {
        faults.range("/balancing/hash_load_max_percent", load, 101, 1000);
        if !is_hashing {
            faults.add(
                "/balancing/hash_load_max_percent",
                "combination_invalid",
                "Only `consistent_hash` has such a bound.",
                "Remove it, or choose that algorithm.",
            );
        }
    }
    faults.range(
        "/balancing/slow_start_ms",
        balancing.slow_start_ms,
        0,
        WAIT_MS_MAX,
    );
    let zone = balancing.zone_healthy_min_percent;
    faults.range("/balancing/zone_healthy_min_percent", zone, 1, 100);
    faults.range("/balancing/panic_percent", balancing.panic_percent, 0, 100);
}

/// A token of RFC 9110, which names of header fields and cookies are.
fn is_token(name: &str) -> bool {
    let is_of_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    (1..=100).contains(&name.len()) && name.bytes().all(is_of_token)
}

fn tls(faults: &mut Faults, tls: &UpstreamTls) {
    if let Some(name) = &tls.server_name {
        let is_name = !name.is_empty()
            && name.len() <= 253
            && name
                .chars()
                .all(|character| character.is_ascii_alphanumeric() || "-._:".contains(character));
        if !is_name {
            faults.add(
                "/tls/server_name",
                "field_invalid",
                "It is no host name.",
                "Write the name that the service's certificate is for.",
            );
        }
    }
    if let Some(roots) = &tls.roots {
        faults.range("/tls/roots", roots.len(), 0, ROOTS_BYTES_MAX);
    }
    if let Some(files) = &tls.client_certificate {
        for (pointer, path) in [("chain_file", &files.chain_file), ("key_file", &files.key_file)] {
            if path.len() > 1000 || !Path::new(path).is_absolute() || path.chars().any(char::is_control) {
                faults.add(
                    format!("/tls/client_certificate/{pointer}"),
                    "field_invalid",
                    "It is no absolute path.",
                    "Write where the file is on the gateway nodes, beginning with a slash.",
                );
            }
        }
    }
}

fn timeouts(faults: &mut Faults, timeouts: &Timeouts) {
    faults.range("/timeouts/connect_ms", timeouts.connect_ms, 1, CONNECT_MS_MAX);
    faults.range("/timeouts/answer_ms", timeouts.answer_ms, 1, WAIT_MS_MAX);
    faults.range("/timeouts/idle_ms", timeouts.idle_ms, 1, WAIT_MS_MAX);
    let tunnel_idle_ms = timeouts.tunnel_idle_ms;
    faults.range("/timeouts/tunnel_idle_ms", tunnel_idle_ms, 1, TUNNEL_MS_MAX);
    faults.range("/timeouts/total_ms", timeouts.total_ms, 0, WAIT_MS_MAX);
}

fn statuses(faults: &mut Faults, pointer: &str, statuses: &[u16], (min, max): (u16, u16)) {
    faults.count(pointer, statuses.len(), 0, STATUSES_MAX);
    for (index, status) in statuses.iter().enumerate().take(STATUSES_MAX) {
        faults.range(&format!("{pointer}/{index}"), *status, min, max);
    }
}

fn health_check(faults: &mut Faults, check: &HealthCheck) {
    let is_http = check.kind == HealthCheckKind::Http;
    let is_path = check.path.starts_with('/')
        && check.path.len() <= 2000
        && check
            .path
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'#');
    if !is_path {
        faults.add(
            "/health_check/path",
            "field_invalid",
            "It is no path.",
            "Begin it with a slash; write other characters than ASCII as `%`.",
        );
    }
    statuses(faults, "/health_check/statuses", &check.statuses, (100, 599));
    let is_of_http = !check.statuses.is_empty() || check.body_contains.is_some();
    if is_of_http && !is_http {
        faults.add(
            "/health_check/kind",
            "combination_invalid",
            "Only `http` has statuses and a body.",
            "Remove them, or choose `http`.",
        );
    }
    if let Some(text) = &check.body_contains {
        faults.range("/health_check/body_contains", text.len(), 1, 1000);
    }
    if !check.grpc_service.is_empty() {
        faults.line("/health_check/grpc_service", &check.grpc_service, 200);
        if check.kind != HealthCheckKind::Grpc || !check.grpc_service.is_ascii() {
            faults.add(
                "/health_check/grpc_service",
                "combination_invalid",
                "Only `grpc` has a service, and its name is ASCII.",
                "Remove it, or choose `grpc`.",
            );
        }
    }
    if let Some(port) = check.port {
        faults.range("/health_check/port", port, 1, u16::MAX);
    }
    faults.range("/health_check/interval_ms", check.interval_ms, 100, WAIT_MS_MAX);
    faults.range("/health_check/timeout_ms", check.timeout_ms, 1, CONNECT_MS_MAX);
    faults.range("/health_check/healthy_threshold", check.healthy_threshold, 1, 100);
    faults.range(
        "/health_check/unhealthy_threshold",
        check.unhealthy_threshold,
        1,
        100,
    );
}

fn outlier_detection(faults: &mut Faults, detection: &OutlierDetection) {
    let at = |field: &str| format!("/outlier_detection/{field}");
    faults.range(
        &at("consecutive_failures"),
        detection.consecutive_failures,
        0,
        1000,
    );
    faults.range(&at("failure_percent"), detection.failure_percent, 0, 100);
    faults.range(&at("calls_min"), detection.calls_min, 1, 100_000);
    faults.range(&at("window_ms"), detection.window_ms, 1000, WAIT_MS_MAX);
    faults.range(&at("ejection_ms"), detection.ejection_ms, 100, WAIT_MS_MAX);
    faults.range(
        &at("ejection_max_ms"),
        detection.ejection_max_ms,
        100,
        WAIT_MS_MAX,
    );
    faults.range(&at("ejected_max_percent"), detection.ejected_max_percent, 0, 100);
    if detection.ejection_max_ms < detection.ejection_ms {
        faults.add(
            at("ejection_max_ms"),
            "combination_invalid",
            "It is shorter than `ejection_ms`.",
            "Choose a longer time.",
        );
    }
    if detection.consecutive_failures == 0 && detection.failure_percent == 0 {
        faults.add(
            at("consecutive_failures"),
            "combination_invalid",
            "Nothing would ever leave a target out.",
            "Set this or `failure_percent`, or remove the outlier detection.",
        );
    }
}

fn circuit_breaker(faults: &mut Faults, breaker: &CircuitBreaker) {
    let at = |field: &str| format!("/circuit_breaker/{field}");
    faults.range(&at("failure_percent"), breaker.failure_percent, 0, 100);
    faults.range(&at("calls_min"), breaker.calls_min, 1, 100_000);
    faults.range(&at("window_ms"), breaker.window_ms, 1000, WAIT_MS_MAX);
    faults.range(&at("consecutive_failures"), breaker.consecutive_failures, 0, 1000);
    faults.range(&at("open_ms"), breaker.open_ms, 1, WAIT_MS_MAX);
    faults.range(&at("probes"), breaker.probes, 1, 100);
    if breaker.consecutive_failures == 0 && breaker.failure_percent == 0 {
        faults.add(
            at("failure_percent"),
            "combination_invalid",
            "Nothing would ever open the circuit.",
            "Set this or `consecutive_failures`, or remove the circuit breaker.",
        );
    }
}

fn retries(faults: &mut Faults, retries: &Retries) {
    faults.range("/retries/attempts_max", retries.attempts_max, 1, 10);
    faults.count("/retries/on", retries.on.len(), 0, 3);
    statuses(faults, "/retries/statuses", &retries.statuses, (400, 599));
    faults.range("/retries/body_bytes_max", retries.body_bytes_max, 0, 1 << 20);
    faults.range("/retries/budget_percent", retries.budget_percent, 0, 100);
    let per_second = retries.budget_per_second_min;
    faults.range("/retries/budget_per_second_min", per_second, 0, 10_000);
    faults.range("/retries/backoff_ms", retries.backoff_ms, 0, 60_000);
    faults.range("/retries/backoff_max_ms", retries.backoff_max_ms, 0, 60_000);
}

fn fallback(faults: &mut Faults, fallback: &Fallback) {
    if let Some(last_good) = &fallback.last_good {
        let at = |field: &str| format!("/fallback/last_good/{field}");
        faults.range(
            &at("max_stale_seconds"),
            last_good.max_stale_seconds,
            0,
            2_592_000,
        );
        faults.range(&at("body_bytes_max"), last_good.body_bytes_max, 0, 1 << 20);
        faults.range(&at("bytes_max"), last_good.bytes_max, 1 << 16, 1 << 30);
        faults.range(&at("entries_max"), last_good.entries_max, 1, 100_000);
    }
    match fallback.status {
        Some(status) => faults.range("/fallback/status", status, 200, 599),
        None if fallback.last_good.is_some() && fallback.body.is_empty() => {}
        None => faults.add(
            "/fallback/status",
            "combination_invalid",
            "Without a status there is no fixed answer.",
            "Set it, or keep the last good answers (`last_good`) and leave the body out.",
        ),
    }
    if matches!(fallback.status, Some(204 | 205 | 304)) && !fallback.body.is_empty() {
        faults.add(
            "/fallback/body",
            "combination_invalid",
            "Answers of this status have no body.",
            "Remove it, or choose another status.",
        );
    }
    let kind = &fallback.content_type;
    let is_type = (1..=200).contains(&kind.len())
        && kind.contains('/')
        && kind.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    if !is_type {
        faults.add(
            "/fallback/content_type",
            "field_invalid",
            "It is no media type.",
            "Write it as `application/json`.",
        );
    }
    faults.range("/fallback/body", fallback.body.len(), 0, 65_536);
}

fn concurrency(faults: &mut Faults, concurrency: &Concurrency) {
    faults.range("/concurrency/calls_max", concurrency.calls_max, 0, 1_000_000);
    faults.range("/concurrency/waiting_max", concurrency.waiting_max, 0, 100_000);
    faults.range("/concurrency/wait_ms", concurrency.wait_ms, 0, WAIT_MS_MAX);
    faults.range("/concurrency/adaptive_min", concurrency.adaptive_min, 1, 10_000);
    faults.range("/concurrency/adaptive_max", concurrency.adaptive_max, 1, 100_000);
    if concurrency.adaptive_max < concurrency.adaptive_min {
        faults.add(
            "/concurrency/adaptive_max",
            "combination_invalid",
            "It is less than `adaptive_min`.",
            "Choose a greater number.",
        );
    }
    if concurrency.waiting_max > 0 && concurrency.calls_max == 0 {
        faults.add(
            "/concurrency/waiting_max",
            "combination_invalid",
            "Nobody waits where the number of calls has no bound.",
            "Set `calls_max`, or remove it.",
        );
    }
}

fn connections(faults: &mut Faults, connections: &Connections) {
    faults.range("/connections/max", connections.max, 0, 100_000);
    faults.range("/connections/waiting_max", connections.waiting_max, 0, 100_000);
    faults.range("/connections/calls_max", connections.calls_max, 0, 1_000_000_000);
    faults.range("/connections/idle_ms", connections.idle_ms, 100, WAIT_MS_MAX);
    faults.range("/connections/streams_max", connections.streams_max, 1, 1000);
}
