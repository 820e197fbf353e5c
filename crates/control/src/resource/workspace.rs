//! Workspaces: a team's area in an organization.

use domain::Timestamp;
use domain::catalog::Api;
use domain::certificate::Certificate;
use domain::id::WorkspaceId;
use domain::identity::{Workspace, WorkspaceSpec};
use domain::offer::Product;
use domain::stream::StreamRoute;
use domain::traffic::Upstream;
use store::entity::{self, Condition};
use store::{Arg, Tx};

use super::fault::{Faults, in_use};
use super::{New, Resource};
use crate::{Caller, Error};

impl Resource for Workspace {
    type Spec = WorkspaceSpec;
    type Parent = ();
    const IN_SNAPSHOT: bool = false;

    fn new(new: New, (): &(), spec: WorkspaceSpec) -> Self {
        Self {
            id: WorkspaceId::new(new.uuid),
            organization_id: new.organization,
            spec,
            created_at: new.now,
            updated_at: new.now,
            revision: 1,
        }
    }

    fn spec(&self) -> &WorkspaceSpec {
        &self.spec
    }

    fn with(&self, spec: WorkspaceSpec, now: Timestamp) -> Self {
        Self {
            spec,
            updated_at: now,
            revision: self.revision + 1,
            ..self.clone()
        }
    }

    async fn check(&mut self, _: &mut Tx, _: &Caller, _: Option<&Self>) -> Result<(), Error> {
        let mut faults = Faults::default();
        faults.title("/title", &self.spec.title);
        faults.finish()
    }

    async fn removable(&self, tx: &mut Tx, _: &Caller) -> Result<(), Error> {
        let here = [Condition::Is("workspace_id", Arg::text(self.id))];
        let mut users = Vec::new();
        let apis = entity::all::<Api>(tx, &here).await?;
        users.extend(apis.iter().map(|api| format!("API `{}`", api.spec.name)));
        let upstreams = entity::all::<Upstream>(tx, &here).await?;
        users.extend(
            upstreams
                .iter()
                .map(|upstream| format!("upstream `{}`", upstream.spec.name)),
        );
        let products = entity::all::<Product>(tx, &here).await?;
        users.extend(
            products
                .iter()
                .map(|product| format!("product `{}`", product.spec.name)),
        );
        let certificates = entity::all::<Certificate>(tx, &here).await?;
        users.extend(
            certificates
                .iter()
                .map(|certificate| format!("certificate `{}`", certificate.spec.name)),
        );
        let streams = entity::all::<StreamRoute>(tx, &here).await?;
        users.extend(
            streams
                .iter()
                .map(|stream| format!("stream route `{}`", stream.spec.name)),
        );
        in_use(&users)?;
        Ok(store::tenant::remove_workspace_roles(tx, self.id).await?)
    }
}
