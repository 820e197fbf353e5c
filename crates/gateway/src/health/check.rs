//! Asks targets how they are and where, on a thread of its own for all cores.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use domain::traffic::{HealthCheck, HealthCheckKind};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use hickory_resolver::TokioResolver;
use tokio::runtime::Builder;
use tokio::sync::watch;
use tokio::task::{JoinHandle as Task, LocalSet, spawn_local};
use tokio::time::{interval, sleep, timeout};

use super::Checked;
use crate::causes::chain;
use crate::compile::{Compiled, Upstream};
use crate::core::Ids;
use crate::deadline::steady_ms;
use crate::group::Member;
use crate::proxy_protocol;
use crate::resolve::{self, resolver};
use crate::serve::drained;
use crate::target::Endpoint;
use crate::tls::{LOOK, Outward};

mod probe;

use self::probe::Probe;

/// Checks of one upstream that are under way at a time.
const CHECKS_MAX: usize = 64;

/// Follows snapshots and checks the targets of the upstreams that want it; ends with the node.
pub(crate) fn spawn(
    compiled: watch::Receiver<Option<Arc<Compiled>>>,
    draining: watch::Receiver<bool>,
    outward: Outward,
    servers: Vec<SocketAddr>,
) -> io::Result<JoinHandle<()>> {
    let body = move || match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => LocalSet::new().block_on(&runtime, follow(compiled, draining, outward, servers)),
        Err(error) => tracing::error!(%error, "targets cannot be checked"),
    };
    thread::Builder::new()
        .name("gateway-health".to_owned())
        .spawn(body)
}

async fn follow(
    mut compiled: watch::Receiver<Option<Arc<Compiled>>>,
    draining: watch::Receiver<bool>,
    outward: Outward,
    servers: Vec<SocketAddr>,
) {
    let resolver = resolver(&servers)
        .inspect_err(|error| tracing::error!(error = %chain(error), "no name can be looked up"))
        .ok();
    let mut checkers = Checkers::new(outward, resolver);
    let mut look = interval(LOOK);
    loop {
        let now = compiled.borrow_and_update().clone();
        checkers.follow(now.as_deref());
        tokio::select! {
            changed = compiled.changed() => if changed.is_err() {
                return drained(draining).await;
            },
            _ = look.tick() => look_at_files(now.as_deref()),
            () = drained(draining.clone()) => return,
        }
    }
}

/// A task for each upstream that is checked.
struct Checkers {
    running: Vec<(Arc<Upstream>, Task<()>)>,
    outward: Rc<Outward>,
    resolver: Option<Rc<TokioResolver>>,
}

impl Checkers {
    fn new(outward: Outward, resolver: Option<TokioResolver>) -> Self {
        Self {
            running: Vec::new(),
            resolver: resolver.map(Rc::new),
            outward: Rc::new(outward),
        }
    }

    fn follow(&mut self, compiled: Option<&Compiled>) {
        let wanted = compiled.map_or(&[][..], |compiled| &compiled.upstreams);
        self.running.retain(|(upstream, task)| {
            let stays = wanted.iter().any(|wanted| Arc::ptr_eq(wanted, upstream));
            if !stays {
                task.abort();
            }
            stays
        });
        let is_watched = |upstream: &&Arc<Upstream>| upstream.health_check.is_some() || upstream.is_found;
        for upstream in wanted.iter().filter(is_watched) {
            if !self.running.iter().any(|(known, _)| Arc::ptr_eq(known, upstream)) {
                let task = spawn_local(watch(
                    Arc::clone(upstream),
                    Rc::clone(&self.outward),
                    self.resolver.clone(),
                ));
                self.running.push((Arc::clone(upstream), task));
            }
        }
    }
}

/// Checks the targets of an upstream and looks their names up.
async fn watch(upstream: Arc<Upstream>, outward: Rc<Outward>, resolver: Option<Rc<TokioResolver>>) {
    let follows = async {
        if let Some(resolver) = resolver {
            resolve::follow(Arc::clone(&upstream), resolver).await;
        }
    };
    tokio::join!(check(Arc::clone(&upstream), outward), follows);
}

/// Reads client certificates again that have changed.
fn look_at_files(compiled: Option<&Compiled>) {
    let upstreams = compiled.into_iter().flat_map(|compiled| &compiled.upstreams);
    for tls in upstreams.filter_map(|upstream| upstream.tls.as_ref()) {
        if let Some(identity) = tls.identity() {
            identity.look();
        }
    }
}

/// Checks the targets of an upstream again and again.
#[expect(
    clippy::mutable_key_type,
    reason = "endpoints are compared by what was said, which stays"
)]
async fn check(upstream: Arc<Upstream>, outward: Rc<Outward>) {
    let Some(rules) = &upstream.health_check else {
        return;
    };
    // Nobody's: the node itself wants to know.
    let preface = upstream
        .proxy_protocol
        .map(|version| proxy_protocol::write(version, None));
    let probe = &Probe {
        rules,
        outward,
        preface,
    };
    let mut streaks: HashMap<Endpoint, Streak> = HashMap::new();
    let ids = Ids::new();
    loop {
        let members = upstream.group.members();
        let mut waiting = members.iter();
        let mut running: FuturesUnordered<_> = waiting
            .by_ref()
            .take(CHECKS_MAX)
            .map(|member| run(probe, member))
            .collect();
        while let Some((member, is_good)) = running.next().await {
            running.extend(waiting.next().map(|member| run(probe, member)));
            let streak = streaks.entry(member.target.endpoint.clone()).or_default();
            let before = member.health.checked();
            if !is_good {
                member.health.figures.checks_failed.fetch_add(1, Relaxed);
            }
            if let Some(checked) = streak.note(is_good, before, rules)
                && member.health.set_checked(checked, steady_ms())
            {
                let target = member.target.url();
                tracing::info!(upstream = %upstream.id, %target, ?checked, "a target was checked");
                upstream.group.touch();
            }
        }
        let is_there = |endpoint: &Endpoint| members.iter().any(|member| member.target.endpoint == *endpoint);
        streaks.retain(|endpoint, _| is_there(endpoint));
        sleep(jitter(rules.interval_ms, ids.random())).await;
    }
}

async fn run<'a>(probe: &Probe<'_>, member: &'a Member) -> (&'a Member, bool) {
    let limit = Duration::from_millis(u64::from(probe.rules.timeout_ms));
    let is_good = timeout(limit, probe.run(&member.target)).await;
    (member, is_good.unwrap_or(false))
}

/// The interval, give or take a tenth, so that nodes do not ask all at once.
fn jitter(interval_ms: u32, random: u64) -> Duration {
    let interval = u64::from(interval_ms);
    Duration::from_millis(interval - interval / 10 + random % (interval / 5).max(1))
}

/// Checks in a row that went the same way.
#[derive(Debug, Default)]
struct Streak {
    good: u32,
    bad: u32,
}

impl Streak {
    /// What another check shows, if it shows anything: the first decides at once.
    fn note(&mut self, is_good: bool, before: Checked, rules: &HealthCheck) -> Option<Checked> {
        (self.good, self.bad) = if is_good {
            (self.good.saturating_add(1), 0)
        } else {
            (0, self.bad.saturating_add(1))
        };
        let is_first = before == Checked::Unknown;
        if is_good && (is_first || self.good >= rules.healthy_threshold) {
            return Some(Checked::Healthy);
        }
        (!is_good && (is_first || self.bad >= rules.unhealthy_threshold)).then_some(Checked::Unhealthy)
    }
}

/// Whether a kind of check speaks HTTP/2 whatever the upstream speaks.
pub(crate) const fn is_grpc(kind: HealthCheckKind) -> bool {
    matches!(kind, HealthCheckKind::Grpc)
}

#[cfg(test)]
mod tests {
    use domain::traffic::HealthCheck;

    use super::{Checked, Streak, jitter};

    #[test]
    fn thresholds_decide_after_the_first_check() {
        let rules = HealthCheck::default();
        let (up, down) = (Checked::Healthy, Checked::Unhealthy);
        let table = [
            (Checked::Unknown, &[true][..], Some(up)),
            (Checked::Unknown, &[false], Some(down)),
            (up, &[false, false], None),
            (up, &[false, false, false], Some(down)),
            (up, &[false, false, true, false], None),
            (down, &[true], None),
            (down, &[true, true], Some(up)),
        ];
        for (before, checks, expected) in table {
            let mut streak = Streak::default();
            let mut shown = None;
            for is_good in checks {
                shown = streak.note(*is_good, before, &rules);
            }
            let shown = shown.filter(|shown| *shown != before);
            assert_eq!(shown, expected, "{before:?} {checks:?}");
        }
    }

    #[test]
    fn intervals_differ_by_a_tenth() {
        assert_eq!(jitter(1000, 0).as_millis(), 900);
        assert_eq!(jitter(1000, 199).as_millis(), 1099);
    }
}
