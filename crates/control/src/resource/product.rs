//! Products: what is offered.

use std::collections::HashSet;

use domain::Timestamp;
use domain::catalog::Version;
use domain::id::{ProductId, WorkspaceId};
use domain::offer::{Plan, Product, ProductSpec};
use store::entity::{Condition, Read};
use store::{Arg, Tx};

use super::fault::{Faults, in_use};
use super::{New, Resource, api, own, subscription};
use crate::{Caller, Control, Error};

/// The most versions of a product.
pub(crate) const VERSIONS_MAX: usize = 200;
/// The most plans of a product.
const PLANS_MAX: usize = 50;

impl Resource for Product {
    type Spec = ProductSpec;
    type Parent = WorkspaceId;
    const IN_SNAPSHOT: bool = true;

    fn new(new: New, parent: &WorkspaceId, spec: ProductSpec) -> Self {
        Self {
            id: ProductId::new(new.uuid),
            organization_id: new.organization,
            workspace_id: *parent,
            spec,
            created_at: new.now,
            updated_at: new.now,
            revision: 1,
        }
    }

    fn spec(&self) -> &ProductSpec {
        &self.spec
    }

    fn with(&self, spec: ProductSpec, now: Timestamp) -> Self {
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

    async fn reaches(
        &self,
        read: &mut (impl Read + Send),
        before: Option<&Self>,
    ) -> Result<Vec<WorkspaceId>, Error> {
        let held = before.map_or(&[][..], |before| &before.spec.version_ids);
        let added = self.spec.version_ids.iter().filter(|id| !held.contains(id));
        // Too many are refused by `check`, which hears of them all.
        let added: Vec<_> = added.take(VERSIONS_MAX).copied().collect();
        Ok(store::tenant::workspaces_of(read, self.organization_id, &added).await?)
    }

    async fn check(&mut self, tx: &mut Tx, caller: &Caller, before: Option<&Self>) -> Result<(), Error> {
        let mut faults = Faults::default();
        let spec = &self.spec;
        faults.title("/title", &spec.title);
        faults.description("/description", &spec.description);
        faults.count("/version_ids", spec.version_ids.len(), 0, VERSIONS_MAX);
        faults.count("/plan_ids", spec.plan_ids.len(), 0, PLANS_MAX);
        let mut seen = HashSet::new();
        for (index, id) in spec.version_ids.iter().take(VERSIONS_MAX).enumerate() {
            let pointer = format!("/version_ids/{index}");
            faults.reference(&pointer, "version", own::by_id::<Version>(tx, caller, *id).await?);
            twice(&mut faults, &pointer, seen.insert(*id));
        }
        let mut seen = HashSet::new();
        for (index, id) in spec.plan_ids.iter().take(PLANS_MAX).enumerate() {
            let pointer = format!("/plan_ids/{index}");
            faults.reference(&pointer, "plan", own::by_id::<Plan>(tx, caller, *id).await?);
            twice(&mut faults, &pointer, seen.insert(*id));
        }
        faults.finish()?;
        match before {
            None => api::workspace(tx, caller, self.workspace_id).await,
            Some(before) => still_offered(tx, before, self).await,
        }
    }

    async fn written(&self, _: &Control, tx: &mut Tx, _: &Caller) -> Result<(), Error> {
        let id = Arg::text(self.id);
        for table in ["product_versions", "product_plans"] {
            let sql = format!("DELETE FROM {table} WHERE product_id = $1");
            tx.execute(&sql, std::slice::from_ref(&id)).await?;
        }
        for version in &self.spec.version_ids {
            let sql = "INSERT INTO product_versions (product_id, version_id) VALUES ($1, $2)";
            tx.execute(sql, &[id.clone(), Arg::text(version)]).await?;
        }
        for plan in &self.spec.plan_ids {
            let sql = "INSERT INTO product_plans (product_id, plan_id) VALUES ($1, $2)";
            tx.execute(sql, &[id.clone(), Arg::text(plan)]).await?;
        }
        Ok(())
    }

    async fn removable(&self, tx: &mut Tx, _: &Caller) -> Result<(), Error> {
        let to = Condition::Is("product_id", Arg::text(self.id));
        let live = subscription::live(tx, to.clone()).await?;
        let users: Vec<_> = live
            .iter()
            .map(|subscription| format!("subscription {}", subscription.id))
            .collect();
        in_use(&users)?;
        subscription::forget_cancelled(tx, to).await
    }
}

fn twice(faults: &mut Faults, pointer: &str, is_first: bool) {
    if !is_first {
        faults.add(pointer, "field_twice", "It stands there twice.", "Remove one.");
    }
}

/// A plan that somebody has subscribed to under this product cannot be taken out of it.
async fn still_offered(tx: &mut Tx, before: &Product, after: &Product) -> Result<(), Error> {
    let gone: Vec<_> = before
        .spec
        .plan_ids
        .iter()
        .filter(|plan| !after.spec.plan_ids.contains(plan))
        .collect();
    if gone.is_empty() {
        return Ok(());
    }
    let live = subscription::live(tx, Condition::Is("product_id", Arg::text(after.id))).await?;
    let users: Vec<_> = live
        .iter()
        .filter(|subscription| gone.contains(&&subscription.spec.plan_id))
        .map(|subscription| format!("subscription {}", subscription.id))
        .collect();
    in_use(&users)
}
