//! Gateway nodes: what they say of themselves, of targets and of mirrors, and who is told.

use std::time::Duration;

use domain::id::{NodeId, RouteId, UpstreamId};
use domain::identity::Role;
use domain::node::{
    MIRRORS_MAX, MirrorFigures, MirrorView, Node, NodeState, NodeStatus, NodeView, RouteMirrorReport,
    UpstreamHealthReport,
};
use domain::traffic::{Route, Upstream};

use crate::resource::own;
use crate::{Caller, Control, Error};

/// The most characters of a node's reason that are kept.
const REASON_MAX: usize = 2000;
/// What is said instead of a reason that may name what is another tenant's.
const REJECTED: &str = "It cannot use the newest configuration and keeps the one before. Administrators of this installation are told why.";
/// What a node said that was not heard of for so long may be over.
const NODE_GONE: Duration = Duration::from_secs(120);

impl Control {
    /// Keeps what a node says of itself; for nodes that have shown the cluster token.
    pub async fn note_node(&self, id: NodeId, mut status: NodeStatus) -> Result<(), Error> {
        if let Some(mirrors) = &mut status.mirrors {
            let most = mirrors.routes.len().min(MIRRORS_MAX);
            let over = u32::try_from(mirrors.routes.split_off(most).len()).unwrap_or(u32::MAX);
            mirrors.left_out = mirrors.left_out.saturating_add(over);
        }
        let given = std::mem::take(&mut status.flags);
        self.note_given(&status.environment, given).await?;
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

#[cfg(test)]
mod tests;
