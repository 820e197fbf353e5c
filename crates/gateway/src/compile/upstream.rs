//! Compiles an upstream: its targets, and how they are chosen and asked.

use std::sync::Arc;

use domain::id::UpstreamId;
use domain::snapshot;
use domain::traffic::{Algorithm, Timeouts, UpstreamProtocol, UpstreamSpec};

use super::{Compiled, Rejected};
use crate::balance::Rules;
use crate::deadline::steady_ms;
use crate::group::{Group, Member};
use crate::health::Health;
use crate::target::{self, Target};

/// An upstream, ready to be asked; the same one as long as nothing about it changes.
#[derive(Debug)]
pub(crate) struct Upstream {
    pub(crate) id: UpstreamId,
    spec: UpstreamSpec,
    pub(crate) rules: Rules,
    pub(crate) group: Group,
    /// Whether its targets stay as they are, whatever happens.
    pub(crate) is_fixed: bool,
    /// Whether it matters how long targets take.
    pub(crate) measures: bool,
    pub(crate) timeouts: Timeouts,
    pub(crate) preserve_host: bool,
}

impl Upstream {
    /// The most idle connections per core and target.
    pub(crate) const fn idle_connections_max(&self) -> usize {
        self.spec.idle_connections_max as usize
    }
}

/// Compiles an upstream of a snapshot; one that has not changed stays, and targets keep their health.
pub(super) fn compile(
    upstream: &snapshot::Upstream,
    previous: Option<&Compiled>,
) -> Result<Arc<Upstream>, Rejected> {
    let before = previous.and_then(|previous| previous.upstream(upstream.id));
    if let Some(before) = before.filter(|before| before.spec == upstream.spec) {
        return Ok(Arc::clone(before));
    }
    new(upstream, before.map(|before| &**before))
        .map(Arc::new)
        .map_err(|source| Rejected::Target {
            upstream: upstream.id,
            source,
        })
}

fn new(upstream: &snapshot::Upstream, before: Option<&Upstream>) -> Result<Upstream, target::Invalid> {
    let spec = &upstream.spec;
    if spec.targets.is_empty() {
        return Err(target::Invalid::None);
    }
    let rules = Rules::parse(&spec.balancing)?;
    let is_http2 = spec.protocol == UpstreamProtocol::Http2;
    let mut healths = before.map(|before| before.group.healths());
    let members = spec.targets.iter().map(|target| {
        let parsed = Target::parse(&target.url, is_http2)?;
        let health = match &mut healths {
            None => Arc::default(),
            Some(healths) => {
                let joined = || Arc::new(Health::joined(steady_ms()));
                Arc::clone(healths.entry(parsed.endpoint.clone()).or_insert_with(joined))
            }
        };
        Ok(Member {
            target: Arc::new(parsed),
            weight: target.weight.clamp(1, 1000),
            priority: target.priority,
            zone: target.zone.clone(),
            health,
        })
    });
    Ok(Upstream {
        id: upstream.id,
        group: Group::new(members.collect::<Result<_, target::Invalid>>()?),
        is_fixed: true,
        measures: rules.algorithm == Algorithm::P2cEwma && spec.targets.len() > 1,
        rules,
        timeouts: spec.timeouts,
        preserve_host: spec.preserve_host,
        spec: spec.clone(),
    })
}
