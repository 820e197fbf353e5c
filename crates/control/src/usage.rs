//! Usage: counting what nodes report, and telling it to both sides.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use domain::Timestamp;
use domain::id::{KeyId, NodeId, RouteId, UpstreamId};
use domain::identity::Role;
use domain::node::{
    MIRRORS_MAX, MirrorFigures, MirrorView, Node, NodeState, NodeStatus, NodeView, RouteMirrorReport,
    UpstreamHealthReport,
};
use domain::rollup::Resolution;
use domain::traffic::{Route, Upstream};
use domain::usage::UsageRow;
use events::sink::SinkError;
use events::usage::HourlyUsage;
use events::{Batch, Event, Sink};
use store::Store;
use store::usage::{Filter, Key, Sums};

pub use store::usage::Group;

use crate::resource::own;
use crate::{Caller, Control, Error};

/// The most rows of one answer.
pub const ROWS_MAX: u32 = 10_000;
/// The most characters of a node's reason that are kept.
const REASON_MAX: usize = 2000;
/// What is said instead of a reason that may name what is another tenant's.
const REJECTED: &str = "It cannot use the newest configuration and keeps the one before. Administrators of this installation are told why.";

/// What a node said that was not heard of for so long may be over.
const NODE_GONE: Duration = Duration::from_secs(120);

/// Which usage is asked for.
#[derive(Debug, Clone, Default)]
pub struct UsageQuery {
    /// From the hour of this moment on; from the beginning if absent.
    pub from: Option<Timestamp>,
    /// Before this moment; until now if absent.
    pub to: Option<Timestamp>,
    /// Only this API: id or name.
    pub api: Option<String>,
    /// Only this application: id or name.
    pub application: Option<String>,
    /// What rows are told apart by, beside the API.
    pub group: Vec<Group>,
    /// `next` of the page before.
    pub after: Option<String>,
    /// The most rows: up to [`ROWS_MAX`].
    pub limit: u32,
}

/// A page of usage.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct UsagePage {
    /// The rows, in the order of time, API, version, operation, application, subscription and plan.
    pub rows: Vec<UsageRow>,
    /// Where the next page begins, if there are more rows.
    pub next: Option<String>,
}

impl Control {
    /// Tells what was used: to a provider the calls of its APIs, to a consumer its own calls.
    pub async fn usage(&self, caller: &Caller, query: &UsageQuery) -> Result<UsagePage, Error> {
        let organization = caller.organization()?;
        self.inner
            .access
            .check(caller, "read_usage", organization, None)?;
        let limit = query.limit.clamp(1, ROWS_MAX);
        let filter = Filter {
            from: query.from,
            to: query.to,
            organization: Some(organization),
            api: query.api.clone(),
            application: query.application.clone(),
            group: query.group.clone(),
            after: query.after.clone(),
            limit: limit + 1,
        };
        let mut found = store::usage::sums(&mut self.store(), &filter).await?;
        let has_more = found.len() > limit as usize;
        found.truncate(limit as usize);
        let next = found.last().filter(|_| has_more).map(|last| last.place.clone());
        let rows = found.into_iter().map(|placed| placed.row).collect();
        Ok(UsagePage { rows, next })
    }

    /// The hours in which keys were last used, as far as calls are counted; callers pass keys that they may see.
    pub async fn key_uses(&self, keys: &[KeyId]) -> Result<HashMap<KeyId, Timestamp>, Error> {
        Ok(store::usage::key_uses(&mut self.store(), keys).await?)
    }

    /// Counts what nodes report.
    pub fn usage_counter(&self) -> Counter {
        Counter::new(self.store().clone())
    }

    /// Keeps what a node says of itself; for nodes that have shown the cluster token.
    pub async fn note_node(&self, id: NodeId, mut status: NodeStatus) -> Result<(), Error> {
        if let Some(mirrors) = &mut status.mirrors {
            let most = mirrors.routes.len().min(MIRRORS_MAX);
            let over = u32::try_from(mirrors.routes.split_off(most).len()).unwrap_or(u32::MAX);
            mirrors.left_out = mirrors.left_out.saturating_add(over);
        }
        let node = Node {
            id,
            environment: status.environment,
            revision: status.revision,
            state: status.state,
            reason: status
                .reason
                .replace('\0', " ")
                .chars()
                .take(REASON_MAX)
                .collect(),
            seen_at: self.now(),
        };
        let mut tx = self.store().begin().await?;
        tx.note_node(&node, status.health.as_ref(), status.mirrors.as_ref())
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Tells how the nodes see the targets of an upstream of the caller's organization.
    ///
    /// # Errors
    /// `not_found` if it is not there, or another organization's.
    pub async fn upstream_health(
        &self,
        caller: &Caller,
        id: UpstreamId,
    ) -> Result<UpstreamHealthReport, Error> {
        let upstream = own::by_id::<Upstream>(&mut self.store(), caller, id).await?;
        let upstream = upstream.ok_or_else(|| Error::not_found("upstream"))?;
        self.authorize(&mut self.store(), caller, "read_upstream_health", &upstream)
            .await?;
        let since = self.now().before(NODE_GONE);
        let nodes = store::node::health(&mut self.store()).await?;
        let views = nodes.into_iter().filter_map(|(node, health)| {
            let seen = health.upstreams.into_iter().find(|seen| seen.upstream_id == id)?;
            Some(NodeView {
                node_id: node.id,
                environment: node.environment,
                seen_at: node.seen_at,
                is_current: node.seen_at >= since,
                circuit: seen.circuit,
                targets: seen.targets,
            })
        });
        Ok(UpstreamHealthReport {
            upstream_id: id,
            nodes: views.collect(),
        })
    }

    /// Tells what the nodes counted of the mirror of a route of the caller's organization.
    ///
    /// Only nodes of the route's environment are heard: others cannot serve it, whatever they say.
    ///
    /// # Errors
    /// `not_found` if the route is not there, is another organization's, or has no mirror.
    pub async fn route_mirror(&self, caller: &Caller, id: RouteId) -> Result<RouteMirrorReport, Error> {
        let route = own::by_id::<Route>(&mut self.store(), caller, id).await?;
        let route = route.ok_or_else(|| Error::not_found("route"))?;
        self.authorize(&mut self.store(), caller, "read_route_mirror", &route)
            .await?;
        let mirror = route.spec.mirror.as_ref();
        let upstream_id = mirror.ok_or_else(|| Error::not_found("mirror"))?.upstream_id;
        let since = self.now().before(NODE_GONE);
        let told = store::node::mirrors(&mut self.store()).await?;
        let views = told.into_iter().filter_map(|(node, mirrors, reported_at)| {
            let is_here = node.environment == route.spec.environment;
            let found = mirrors.routes.into_iter().find(|found| found.route_id == id);
            Some(MirrorView {
                figures: found.filter(|_| is_here)?.figures,
                node_id: node.id,
                environment: node.environment,
                seen_at: node.seen_at,
                is_current: node.seen_at >= since,
                since: mirrors.since,
                reported_at,
            })
        });
        let nodes: Vec<_> = views.collect();
        let current = nodes.iter().filter(|node| node.is_current);
        let total = current.fold(MirrorFigures::default(), |sum, node| sum.and(&node.figures));
        Ok(RouteMirrorReport {
            route_id: id,
            upstream_id,
            total,
            nodes,
        })
    }

    /// Lists the gateway nodes, the one heard of last first.
    ///
    /// Why a snapshot was rejected may name what is another tenant's, so only administrators of the installation are
    /// told.
    pub async fn nodes(&self, caller: &Caller) -> Result<Vec<Node>, Error> {
        let organization = caller.organization()?;
        self.inner
            .access
            .check(caller, "list_nodes", organization, None)?;
        let mut nodes = store::node::all(&mut self.store()).await?;
        let is_rejected = |node: &Node| node.state == NodeState::Rejected;
        if nodes.iter().any(is_rejected) && !self.is_of_installation(caller).await? {
            for node in nodes.iter_mut().filter(|node| is_rejected(node)) {
                REJECTED.clone_into(&mut node.reason);
            }
        }
        Ok(nodes)
    }

    /// Whether somebody administers the organization that the installation began with.
    async fn is_of_installation(&self, caller: &Caller) -> Result<bool, Error> {
        if caller.roles.organization < Some(Role::Admin) {
            return Ok(false);
        }
        // Others were founded by a person, and entries do not change.
        let founded = store::audit::Filter {
            actor: Some(Caller::system(None).actor()),
            action: Some("create_organization".to_owned()),
            limit: 1,
            ..store::audit::Filter::default()
        };
        let entries = store::audit::list(self.store(), caller.organization()?, &founded).await?;
        Ok(!entries.is_empty())
    }
}

/// Counts batches of nodes in the store, each exactly once.
///
/// The node's watermark and what is counted change in one transaction. What is at or below the watermark was
/// counted and is passed over; a gap after it is refused, because what is in between would be lost. A node that
/// is not known may begin anywhere: what it had before was counted elsewhere.
#[derive(Debug, Clone)]
pub struct Counter {
    store: Store,
}

impl Counter {
    /// Counts into this store.
    pub const fn new(store: Store) -> Self {
        Self { store }
    }

    async fn count(&self, node: NodeId, batches: &[Batch]) -> Result<u64, SinkError> {
        let mut tx = self.store.begin().await.map_err(unavailable)?;
        tx.lock(&format!("usage:{node}")).await.map_err(unavailable)?;
        let known = store::usage::watermark(&mut tx, node)
            .await
            .map_err(unavailable)?;
        let watermark = known.unwrap_or(0);
        let fresh = batches.iter().position(|batch| batch.sequence() > watermark);
        let Some(fresh) = fresh.map(|first| &batches[first..]) else {
            return Ok(watermark);
        };
        let first = fresh[0].sequence();
        if known.is_some() && first != watermark + 1 {
            let reason = format!("batch {first} follows batch {watermark}: what is in between is missing");
            return Err(SinkError::Refused { reason });
        }
        let last = consecutive(fresh)?;
        let Counts {
            usage,
            rollups,
            key_uses,
        } = Counts::of(fresh)?;
        let rows: Vec<_> = usage.finish().iter().map(row).collect();
        tx.add_usage(&rows).await.map_err(unavailable)?;
        let key_uses: Vec<_> = key_uses.into_iter().collect();
        tx.note_key_uses(&key_uses).await.map_err(unavailable)?;
        let (minutes, hours) = rollups.finish();
        let series: Vec<_> = hours.iter().map(|rollup| rollup.series).collect();
        tx.add_series(&series).await.map_err(unavailable)?;
        for (resolution, rollups) in [(Resolution::Minute, minutes), (Resolution::Hour, hours)] {
            let added = tx.add_rollups(resolution, &rollups).await;
            added.map_err(unavailable)?;
        }
        events::fault::point("usage.counted");
        tx.move_watermark(node, known, last).await.map_err(unavailable)?;
        events::fault::point("usage.before_commit");
        tx.commit().await.map_err(unavailable)?;
        events::fault::point("usage.after_commit");
        Ok(last)
    }
}

impl Sink for Counter {
    async fn commit(&self, node: NodeId, batches: &[Batch]) -> Result<u64, SinkError> {
        if batches.is_empty() {
            let watermark = store::usage::watermark(&mut &self.store, node).await;
            return Ok(watermark.map_err(unavailable)?.unwrap_or(0));
        }
        self.count(node, batches).await
    }
}

/// The last sequence number of batches that follow each other.
fn consecutive(batches: &[Batch]) -> Result<u64, SinkError> {
    let mut last = batches[0].sequence();
    for batch in &batches[1..] {
        let next = batch.sequence();
        if next != last + 1 {
            let reason = format!("batch {next} does not follow batch {last}");
            return Err(SinkError::Refused { reason });
        }
        last = next;
    }
    Ok(last)
}

/// What is counted of some batches.
#[derive(Debug, Default)]
struct Counts {
    usage: events::usage::Fold,
    rollups: events::rollup::Fold,
    /// The last hour of each key.
    key_uses: BTreeMap<KeyId, Timestamp>,
}

impl Counts {
    /// Fails only if a batch was written by a newer version; then nothing of them may be committed.
    fn of(batches: &[Batch]) -> Result<Self, SinkError> {
        let mut counts = Self::default();
        for batch in batches {
            let events = batch.events().map_err(|error| SinkError::Refused {
                reason: error.to_string(),
            })?;
            for event in events {
                let Event::Call(call) = event else { continue };
                counts.usage.add(&call);
                counts.rollups.add(&call);
                if let Some(caller) = call.caller {
                    let hour = call.started_at.hour();
                    let last = counts.key_uses.entry(caller.key).or_insert(hour);
                    *last = hour.max(*last);
                }
            }
        }
        Ok(counts)
    }
}

fn unavailable(error: store::Error) -> SinkError {
    SinkError::Unavailable(Box::new(error))
}

fn row(usage: &HourlyUsage) -> (Key, Sums) {
    let (key, sums) = (usage.key, usage.sums);
    let key = Key {
        hour: key.hour,
        provider: key.provider,
        api: key.api,
        version: key.version,
        operation: key.operation,
        consumer: key.consumer,
        application: key.application,
        subscription: key.subscription,
        plan: key.plan,
    };
    let sums = [
        sums.calls,
        sums.counted,
        sums.refused,
        sums.client_errors,
        sums.server_errors,
        sums.bytes_in,
        sums.bytes_out,
        sums.latency_us,
    ];
    (key, sums)
}

#[cfg(test)]
pub(crate) mod tests;
