//! Compiles an upstream: its targets, and how they are asked.

use std::sync::Arc;

use domain::snapshot;
use domain::traffic::{Timeouts, UpstreamProtocol};

use super::Rejected;
use crate::target::{self, Target};

#[derive(Debug)]
pub(crate) struct Upstream {
    pub(crate) targets: Vec<(Arc<Target>, u32)>,
    pub(crate) timeouts: Timeouts,
    pub(crate) idle_connections_max: usize,
    pub(crate) preserve_host: bool,
}

/// Compiles an upstream of a snapshot.
pub(super) fn compile(upstream: &snapshot::Upstream) -> Result<Upstream, Rejected> {
    let invalid = |source| Rejected::Target {
        upstream: upstream.id,
        source,
    };
    if upstream.targets.is_empty() {
        return Err(invalid(target::Invalid::None));
    }
    let is_http2 = upstream.protocol == UpstreamProtocol::Http2;
    let targets = upstream.targets.iter().map(|target| {
        Ok((
            Arc::new(Target::parse(&target.url, is_http2).map_err(invalid)?),
            target.weight.clamp(1, 1000),
        ))
    });
    Ok(Upstream {
        targets: targets.collect::<Result<_, Rejected>>()?,
        timeouts: upstream.timeouts,
        idle_connections_max: upstream.idle_connections_max as usize,
        preserve_host: upstream.preserve_host,
    })
}
