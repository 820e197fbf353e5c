//! Upstreams and their targets.

use domain::Timestamp;
use domain::id::{UpstreamId, WorkspaceId};
use domain::stream::StreamRoute;
use domain::traffic::{Upstream, UpstreamSpec};
use routing::rules;
use store::entity::{self, Condition, Read};
use store::{Arg, Tx};

use super::fault::{Faults, in_use};
use super::{New, Resource, api, route};
use crate::{Caller, Control, Error};

impl Resource for Upstream {
    type Spec = UpstreamSpec;
    type Parent = WorkspaceId;
    const IN_SNAPSHOT: bool = true;

    fn new(new: New, parent: &WorkspaceId, spec: UpstreamSpec) -> Self {
        Self {
            id: UpstreamId::new(new.uuid),
            organization_id: new.organization,
            workspace_id: *parent,
            spec,
            created_at: new.now,
            updated_at: new.now,
            revision: 1,
        }
    }

    fn spec(&self) -> &UpstreamSpec {
        &self.spec
    }

    fn with(&self, spec: UpstreamSpec, now: Timestamp) -> Self {
        Self {
            spec,
            updated_at: now,
            revision: self.revision + 1,
            ..self.clone()
        }
    }

    async fn workspace(&self, _: &mut (impl Read + Send)) -> Result<Option<WorkspaceId>, Error> {
        Ok(Some(self.workspace_id))
    }

    async fn check(&mut self, tx: &mut Tx, caller: &Caller, before: Option<&Self>) -> Result<(), Error> {
        let mut faults = Faults::default();
        faults.found(rules::upstream(&mut self.spec));
        authorities(&mut faults, self.spec.tls.roots.as_deref());
        faults.finish()?;
        // Apart: of a field that is wrong, nobody has to hear as well that it has no effect.
        let mut faults = Faults::default();
        faults.found(rules::unheeded(&self.spec));
        faults.finish()?;
        match before {
            None => api::workspace(tx, caller, self.workspace_id).await?,
            Some(before) if before.spec.is_stream() != self.spec.is_stream() => {
                // Whoever uses it could not go on.
                tx.lock_snapshot().await?;
                in_use(&users(tx, before).await?)?;
            }
            Some(_) => {}
        }
        Ok(())
    }

    async fn written(&self, _: &Control, tx: &mut Tx, _: &Caller) -> Result<(), Error> {
        Ok(tx.name_targets(self).await?)
    }

    async fn removable(&self, tx: &mut Tx, _: &Caller) -> Result<(), Error> {
        // A route that is saved at the same time is seen here, or does not see the upstream any more.
        tx.lock_snapshot().await?;
        in_use(&users(tx, self).await?)
    }
}

/// The routes of either kind that lead to an upstream.
async fn users(tx: &mut Tx, upstream: &Upstream) -> Result<Vec<String>, Error> {
    let routes = route::to(tx, upstream.organization_id, upstream.id).await?;
    let using = [Condition::Is("upstream_id", Arg::text(upstream.id))];
    let streams = entity::all::<StreamRoute>(tx, &using).await?;
    let routes = routes
        .iter()
        .map(|route| format!("route {} ({})", route.id, route.spec.base_path));
    let streams = streams
        .iter()
        .map(|stream| format!("stream route `{}`", stream.spec.name));
    Ok(routes.chain(streams).collect())
}

/// Wants roots to be certificates; nodes find out when they read them.
fn authorities(faults: &mut Faults, roots: Option<&str>) {
    if let Some(Err(error)) = roots.map(pki::authorities) {
        faults.add(
            "/tls/roots",
            "certificate_invalid",
            format!("It cannot be used: {error}."),
            "Paste the certificates of the authorities in PEM.",
        );
    }
}
