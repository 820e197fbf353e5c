//! The product of an import.

use domain::Code;
use domain::catalog::{Api, Version};
use domain::id::ProductId;
use domain::identity::Role;
use domain::offer::{Plan, Product, ProductSpec, Visibility};

use super::step::Import;
use crate::access::Roles;
use crate::resource::{own, plan};
use crate::{Caller, Error};

impl Import<'_> {
    /// Offers the version: in the product named after the API, which is made when missing, and in every product
    /// that holds another version of the API.
    pub(super) async fn product(&mut self, api: &Api, version: &Version) -> Result<ProductId, Error> {
        for product in store::offer::products_of(&mut self.tx, api.id).await? {
            match self.hold(&product, version).await {
                // Another team offers the API too; whether the new version as well is theirs to say.
                Err(error) if error.code() == Code::PermissionDenied => {}
                held => held?,
            }
        }
        let name = api.spec.name.as_str();
        if let Some(product) = own::by_name::<Product>(&mut self.tx, self.caller, name).await? {
            self.hold(&product, version).await?;
            return Ok(product.id);
        }
        let spec = ProductSpec {
            name: api.spec.name.clone(),
            title: api.spec.title.clone(),
            description: api.spec.description.clone(),
            version_ids: vec![version.id],
            plan_ids: vec![self.free_plan().await?.id],
            visibility: self.spec.visibility.unwrap_or(Visibility::Public),
            managed_by: None,
        };
        let made = self
            .control
            .create_in::<Product>(&mut self.tx, self.caller, &api.workspace_id, spec, &[])
            .await?;
        Ok(made.id)
    }

    /// Puts the version into a product; one without any plan gets the plan `free`.
    async fn hold(&mut self, product: &Product, version: &Version) -> Result<(), Error> {
        let mut spec = product.spec.clone();
        if !spec.version_ids.contains(&version.id) {
            spec.version_ids.push(version.id);
        }
        if spec.plan_ids.is_empty() {
            spec.plan_ids.push(self.free_plan().await?.id);
        }
        if spec == product.spec {
            return Ok(());
        }
        self.control
            .replace_in(&mut self.tx, self.caller, product, spec, None)
            .await
            .map(drop)
    }

    async fn free_plan(&mut self) -> Result<Plan, Error> {
        if let Some(found) = own::by_name::<Plan>(&mut self.tx, self.caller, plan::FREE).await? {
            return Ok(found);
        }
        // Plans are the whole organization's; this one is there from the start, so who may import may put it back.
        let caller = Caller {
            roles: Roles {
                organization: self.caller.roles.organization.max(Some(Role::Publisher)),
                ..self.caller.roles.clone()
            },
            ..self.caller.clone()
        };
        self.control
            .create_in::<Plan>(&mut self.tx, &caller, &(), plan::free(), &[])
            .await
    }
}
