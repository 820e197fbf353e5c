//! Compiles an upstream: its targets, and how they are chosen and asked.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use domain::Name;
use domain::id::UpstreamId;
use domain::snapshot;
use domain::traffic::{
    Algorithm, Connections, HealthCheck, LastGood, OutlierDetection, ProxyVersion, Resolve, Retries, RetryOn,
    Timeouts, UpstreamProtocol, UpstreamSpec, UpstreamTls,
};
use http::{HeaderValue, StatusCode};

use super::{Compiled, Rejected};
use crate::balance::Rules;
use crate::group::{Found, Group, Source};
use crate::guard::{Breaker, Bulkhead};
use crate::listed::Watched;
use crate::target::{self, Target};
use crate::tls::Out;

/// An upstream, ready to be asked; the same one as long as nothing about it changes.
#[derive(Debug)]
pub(crate) struct Upstream {
    pub(crate) id: UpstreamId,
    spec: UpstreamSpec,
    /// Whether it is for streams and not for calls.
    pub(crate) is_stream: bool,
    /// The targets in its file, if they stand in one.
    listed: Option<Vec<domain::traffic::Target>>,
    pub(crate) rules: Rules,
    /// The targets as they are configured.
    pub(crate) sources: Vec<Source>,
    pub(crate) group: Group,
    /// Whether some of them are looked up by name.
    pub(crate) is_found: bool,
    /// Whether its targets stay as they are, whatever happens.
    pub(crate) is_fixed: bool,
    /// Whether it matters how long targets take.
    pub(crate) measures: bool,
    pub(crate) timeouts: Timeouts,
    pub(crate) connections: Connections,
    pub(crate) tls: Option<Arc<Out>>,
    pub(crate) health_check: Option<HealthCheck>,
    pub(crate) outlier_detection: Option<OutlierDetection>,
    pub(crate) breaker: Option<Breaker>,
    pub(crate) bulkhead: Option<Bulkhead>,
    /// The least and the greatest number of calls, if the right one is found out.
    pub(crate) adaptive: Option<(u32, u32)>,
    /// Whether the number of calls has a bound of either kind.
    pub(crate) is_bounded: bool,
    pub(crate) retries: Again,
    /// When a second target is asked.
    pub(crate) hedge_after: Option<Duration>,
    pub(crate) fallback: Option<Fallback>,
    /// Which answers are kept for when there is none.
    pub(crate) last_good: Option<LastGood>,
    pub(crate) preserve_host: bool,
    /// How targets are told whom connections come from.
    pub(crate) proxy_protocol: Option<ProxyVersion>,
}

/// What is answered in the place of the upstream.
#[derive(Debug)]
pub(crate) struct Fallback {
    pub(crate) status: StatusCode,
    pub(crate) content_type: HeaderValue,
    pub(crate) body: Bytes,
}

impl Fallback {
    /// None if no fixed answer is given.
    fn new(fallback: &domain::traffic::Fallback) -> Option<Self> {
        Some(Self {
            status: StatusCode::from_u16(fallback.status?).expect("the rules bound it"),
            content_type: HeaderValue::from_str(&fallback.content_type).expect("the rules want it in ASCII"),
            body: Bytes::from(fallback.body.clone()),
        })
    }
}

/// [`Retries`], with nothing left to work out.
#[derive(Debug)]
pub(crate) struct Again {
    pub(crate) attempts_max: u32,
    /// How many targets are tried until a connection is open.
    pub(crate) connects_max: usize,
    pub(crate) on: Vec<RetryOn>,
    pub(crate) statuses: Vec<u16>,
    pub(crate) has_statuses: bool,
    /// Whether anything but opening a connection is tried again.
    pub(crate) is_active: bool,
    pub(crate) idempotency_key: bool,
    pub(crate) body_bytes_max: usize,
    pub(crate) budget_percent: u8,
    pub(crate) budget_per_second_min: u32,
    pub(crate) backoff: Duration,
    pub(crate) backoff_max: Duration,
}

impl Again {
    fn new(retries: &Retries) -> Self {
        let has_more = retries.attempts_max > 1;
        let on = retries
            .on
            .iter()
            .copied()
            .filter(|on| has_more && *on != RetryOn::ConnectFailure)
            .collect::<Vec<_>>();
        let has_statuses = has_more && !retries.statuses.is_empty();
        let connects = retries.on.contains(&RetryOn::ConnectFailure);
        Self {
            attempts_max: retries.attempts_max,
            connects_max: if connects {
                retries.attempts_max as usize
            } else {
                1
            },
            is_active: has_statuses || !on.is_empty(),
            on,
            statuses: retries.statuses.clone(),
            has_statuses,
            idempotency_key: retries.idempotency_key,
            body_bytes_max: retries.body_bytes_max as usize,
            budget_percent: retries.budget_percent,
            budget_per_second_min: retries.budget_per_second_min,
            backoff: Duration::from_millis(u64::from(retries.backoff_ms)),
            backoff_max: Duration::from_millis(u64::from(retries.backoff_max_ms)),
        }
    }
}

impl Upstream {
    /// What people call it.
    pub(crate) const fn name(&self) -> &Name {
        &self.spec.name
    }

    /// When a call that came at this time has to have its answer, in [`steady_ms`](crate::deadline::steady_ms).
    pub(crate) fn due_ms(&self, arrived_ms: u64) -> Option<u64> {
        let total_ms = u64::from(self.timeouts.total_ms);
        (total_ms > 0).then(|| arrived_ms + total_ms)
    }

    /// What a name stood for when it was last looked up.
    fn found(&self, target: &Target, resolve: Resolve) -> Option<Arc<Vec<Found>>> {
        let wanted = (&target.endpoint.host, target.endpoint.port, resolve);
        let of = |source: &&Source| {
            let endpoint = &source.target.endpoint;
            (&endpoint.host, endpoint.port, source.resolve) == wanted
        };
        self.sources.iter().find(of)?.found.load_full()
    }

    /// Whether its targets may speak HTTP/2, where a server can refuse what it has begun to receive.
    pub(crate) fn may_refuse_streams(&self) -> bool {
        self.spec.protocol != UpstreamProtocol::Http1
    }

    /// Whether HTTP/1.1 may be spoken with its targets, which is where WebSockets are.
    pub(crate) fn may_have_websockets(&self) -> bool {
        self.spec.protocol != UpstreamProtocol::Http2
    }

    /// The most idle connections per core and target.
    pub(crate) const fn idle_connections_max(&self) -> usize {
        self.spec.idle_connections_max as usize
    }
}

/// Compiles an upstream of a snapshot; one that has not changed stays, and targets keep their health.
pub(super) fn compile(
    upstream: &snapshot::Upstream,
    previous: Option<&Compiled>,
    (directory, compiled): (Option<&Path>, &mut Compiled),
) -> Result<Arc<Upstream>, Rejected> {
    let invalid = |source| Rejected::Target {
        upstream: upstream.id,
        source,
    };
    let before = previous.and_then(|previous| previous.upstream(upstream.id));
    let same = before.filter(|before| before.spec == upstream.spec);
    let Some(file) = &upstream.spec.targets_file else {
        if let Some(same) = same {
            return Ok(Arc::clone(same));
        }
        let targets = checked(upstream)?;
        let made = new(upstream, (targets, None), before.map(|before| &**before));
        return made.map(Arc::new).map_err(invalid);
    };
    checked(upstream)?;
    let watched = Watched::of(directory, file).map_err(invalid)?;
    let listed = watched.read();
    compiled.files.push(watched);
    if let Ok(listed) = &listed {
        warn_of_plaintext(&upstream.spec, listed);
    }
    let made = listed.and_then(
        |listed| match same.filter(|same| same.listed.as_ref() == Some(&listed)) {
            Some(same) => Ok(Arc::clone(same)),
            None => {
                let targets = (listed.clone(), Some(listed));
                new(upstream, targets, before.map(|before| &**before)).map(Arc::new)
            }
        },
    );
    match (made, same) {
        (Ok(made), _) => Ok(made),
        (Err(source), Some(same)) => {
            let name = same.name();
            compiled.broken_files.push(format!("upstream `{name}`: {source}"));
            Ok(Arc::clone(same))
        }
        (Err(source), None) => Err(invalid(source)),
    }
}

/// Says that what is set up for TLS holds for no target of a file: whoever saved the upstream could not know that.
fn warn_of_plaintext(spec: &UpstreamSpec, listed: &[domain::traffic::Target]) {
    let is_plaintext = listed.iter().all(|target| !target.url.starts_with("https://"));
    if is_plaintext && spec.tls != UpstreamTls::default() {
        let upstream = &spec.name;
        tracing::warn!(%upstream, "no target in its file is at `https://`, so its `tls` has no effect");
    }
}

/// The targets of an upstream in their normal form, if all of it keeps the rules.
fn checked(upstream: &snapshot::Upstream) -> Result<Vec<domain::traffic::Target>, Rejected> {
    let mut spec = upstream.spec.clone();
    let faults = routing::rules::upstream(&mut spec);
    if !faults.is_empty() {
        let upstream = upstream.id;
        return Err(Rejected::Upstream { upstream, faults });
    }
    Ok(spec.targets)
}

/// The targets as they are configured; names keep what they stood for.
fn sources(
    (id, spec, targets): (UpstreamId, &UpstreamSpec, &[domain::traffic::Target]),
    tls: Option<&Arc<Out>>,
    before: Option<&Upstream>,
) -> Result<Vec<Source>, target::Invalid> {
    let sources = targets.iter().map(|target| {
        let parsed = Target::parse(&target.url, spec.protocol, tls)?;
        Ok(Source {
            id: target.id(id),
            found: ArcSwapOption::new(before.and_then(|before| before.found(&parsed, target.resolve))),
            target: Arc::new(parsed),
            resolve: target.resolve,
            weight: target.weight,
            priority: target.priority,
            zone: target.zone.clone(),
        })
    });
    sources.collect()
}

fn new(
    upstream: &snapshot::Upstream,
    (targets, listed): (Vec<domain::traffic::Target>, Option<Vec<domain::traffic::Target>>),
    before: Option<&Upstream>,
) -> Result<Upstream, target::Invalid> {
    let spec = &upstream.spec;
    let rules = Rules::new(&spec.balancing);
    let tls = Out::parse(&spec.tls)?;
    let sources = sources((upstream.id, spec, &targets), tls.as_ref(), before)?;
    let group = Group::of(&sources, before.map(|before| &before.group));
    let is_found = sources.iter().any(|source| source.resolve != Resolve::System);
    let concurrency = &spec.concurrency;
    let adaptive = (concurrency.adaptive).then_some((concurrency.adaptive_min, concurrency.adaptive_max));
    let is_choosing = rules.algorithm == Algorithm::P2cEwma && (sources.len() > 1 || is_found);
    let bulkhead = Bulkhead::new(concurrency);
    Ok(Upstream {
        id: upstream.id,
        is_stream: spec.is_stream(),
        is_fixed: sources.len() == 1
            && !is_found
            && spec.health_check.is_none()
            && spec.outlier_detection.is_none(),
        group,
        is_found,
        measures: is_choosing || adaptive.is_some(),
        sources,
        rules,
        timeouts: spec.timeouts,
        connections: spec.connections,
        tls,
        health_check: spec.health_check.clone(),
        outlier_detection: spec.outlier_detection,
        breaker: spec.circuit_breaker.map(Breaker::new),
        is_bounded: bulkhead.is_some() || adaptive.is_some(),
        bulkhead,
        adaptive,
        retries: Again::new(&spec.retries),
        hedge_after: (spec.hedging.as_ref())
            .map(|hedging| Duration::from_millis(u64::from(hedging.after_ms))),
        fallback: spec.fallback.as_ref().and_then(Fallback::new),
        last_good: spec.fallback.as_ref().and_then(|fallback| fallback.last_good),
        preserve_host: spec.preserve_host,
        proxy_protocol: spec.proxy_protocol,
        spec: spec.clone(),
        listed,
    })
}
