//! The catalogue of the portal: what consumers may subscribe to, with or without having signed in.

use std::collections::{BTreeSet, HashMap};

use domain::catalog::{Api, Stage, Version};
use domain::catalogue::{CatalogueApi, CatalogueDetail, CatalogueProduct, CatalogueRoute, CatalogueVersion};
use domain::consumer::{Application, Subscription, SubscriptionState, SubscriptionTitles};
use domain::id::{ApiId, OrganizationId, PlanId, ProductId};
use domain::identity::Organization;
use domain::offer::{Plan, Product};
use domain::traffic::Route;
use store::Arg;
use store::entity::{self, Condition, Entity, Window};

use crate::resource::Listed;
use crate::{Caller, Control, Error};

/// A page of the catalogue as a caller asks for it.
#[derive(Debug, Clone, Default)]
pub struct CatalogueQuery {
    /// Words in name or title.
    pub q: Option<String>,
    /// Order and place.
    pub window: Window,
}

impl Control {
    /// Lists the public products of all organizations, and the caller's own if they have signed in.
    pub async fn catalogue(
        &self,
        caller: &Caller,
        query: &CatalogueQuery,
    ) -> Result<Listed<CatalogueProduct>, Error> {
        let mut conditions = vec![visible(caller)];
        conditions.extend(query.q.clone().map(Condition::Contains));
        let limit = query.window.limit as usize;
        let window = Window {
            limit: query.window.limit + 1,
            ..query.window.clone()
        };
        let mut products = entity::list::<Product>(&mut self.store(), &conditions, &window).await?;
        let has_more = products.len() > limit;
        products.truncate(limit);
        let data = self.described(products).await?;
        let data = data.into_iter().map(|described| described.product).collect();
        Ok(Listed { data, has_more })
    }

    /// Reads a product of the catalogue with its versions and where they are reachable.
    ///
    /// # Errors
    /// `not_found` if there is none or it is a private one of somebody else.
    pub async fn catalogue_product(&self, caller: &Caller, id: ProductId) -> Result<CatalogueDetail, Error> {
        let conditions = [visible(caller), Condition::Is("id", Arg::text(id))];
        let product = match entity::find::<Product>(&mut self.store(), &conditions).await? {
            Some(product) => product,
            None => self.used_product(caller, id).await?,
        };
        let mut described = self.described(vec![product]).await?;
        let Described { product, versions } = described.pop().ok_or_else(|| Error::not_found("product"))?;
        let ids = versions.iter().map(|version| version.id.to_string()).collect();
        let routes = entity::all::<Route>(&mut self.store(), &[Condition::In("version_id", ids)]).await?;
        let versions = versions
            .into_iter()
            .map(|version| CatalogueVersion {
                routes: self.reachable(&version, &routes),
                version,
            })
            .collect();
        Ok(CatalogueDetail { product, versions })
    }

    /// A private product of somebody else to which the caller's organization has subscribed before it became so.
    async fn used_product(&self, caller: &Caller, id: ProductId) -> Result<Product, Error> {
        let missing = || Error::not_found("product");
        let organization = caller.organization.ok_or_else(missing)?;
        let conditions = [
            Condition::Is("organization_id", Arg::text(organization)),
            Condition::Is("product_id", Arg::text(id)),
        ];
        let subscriptions = entity::all::<Subscription>(&mut self.store(), &conditions).await?;
        let is_live = |it: &Subscription| it.spec.state != SubscriptionState::Cancelled;
        if !subscriptions.iter().any(is_live) {
            return Err(missing());
        }
        entity::find_id::<Product>(&mut self.store(), id)
            .await?
            .ok_or_else(missing)
    }

    /// What people read of both sides of subscriptions, in their order; callers pass what they may see.
    pub async fn subscription_titles(
        &self,
        subscriptions: &[Subscription],
    ) -> Result<Vec<SubscriptionTitles>, Error> {
        let each = || subscriptions.iter();
        let applications = each().map(|it| it.spec.application_id);
        let applications: HashMap<_, Application> = self.by_ids(applications).await?;
        let organizations = each().flat_map(|it| [it.organization_id, it.provider_id]);
        let organizations: HashMap<_, Organization> = self.by_ids(organizations).await?;
        let products: HashMap<_, Product> = self.by_ids(each().map(|it| it.spec.product_id)).await?;
        let plans: HashMap<_, Plan> = self.by_ids(each().map(|it| it.spec.plan_id)).await?;
        let organization = |id: OrganizationId| organizations.get(&id).map(|found| found.spec.title.clone());
        let titles = |it: &Subscription| SubscriptionTitles {
            application_title: applications
                .get(&it.spec.application_id)
                .map(|found| found.spec.title.clone())
                .unwrap_or_default(),
            organization_title: organization(it.organization_id).unwrap_or_default(),
            provider_title: organization(it.provider_id).unwrap_or_default(),
            product_title: products
                .get(&it.spec.product_id)
                .map(|found| found.spec.title.clone())
                .unwrap_or_default(),
            plan_title: plans
                .get(&it.spec.plan_id)
                .map(|found| found.spec.title.clone())
                .unwrap_or_default(),
        };
        Ok(each().map(titles).collect())
    }

    fn reachable(&self, version: &Version, routes: &[Route]) -> Vec<CatalogueRoute> {
        routes
            .iter()
            .filter(|route| {
                route.spec.version_id == version.id && route.spec.enabled && route.spec.forwards()
            })
            .map(|route| CatalogueRoute {
                environment: route.spec.environment.clone(),
                base_url: self.route_url(route),
            })
            .collect()
    }

    /// Looks up what a page of products consists of, with one query per kind.
    async fn described(&self, products: Vec<Product>) -> Result<Vec<Described>, Error> {
        let organizations = products.iter().map(|product| product.organization_id);
        let organizations: HashMap<OrganizationId, Organization> = self.by_ids(organizations).await?;
        let plans = products
            .iter()
            .flat_map(|product| product.spec.plan_ids.iter().copied());
        let plans: HashMap<PlanId, Plan> = self.by_ids(plans).await?;
        let versions = products
            .iter()
            .flat_map(|product| product.spec.version_ids.iter().copied());
        let versions: HashMap<_, Version> = self.by_ids(versions).await?;
        let apis = versions.values().map(|version| version.api_id);
        let apis: HashMap<ApiId, Api> = self.by_ids(apis).await?;
        let describe = |product: Product| {
            let versions: Vec<Version> = product
                .spec
                .version_ids
                .iter()
                .filter_map(|id| versions.get(id))
                .filter(|version| version.spec.stage != Stage::Draft)
                .cloned()
                .collect();
            let named: BTreeSet<ApiId> = versions.iter().map(|version| version.api_id).collect();
            let provider = organizations.get(&product.organization_id);
            let described = CatalogueProduct {
                id: product.id,
                organization_id: product.organization_id,
                provider: provider.map(|found| found.spec.title.clone()).unwrap_or_default(),
                apis: named.iter().filter_map(|id| apis.get(id)).map(api).collect(),
                plans: product
                    .spec
                    .plan_ids
                    .iter()
                    .filter_map(|id| plans.get(id))
                    .cloned()
                    .collect(),
                name: product.spec.name,
                title: product.spec.title,
                description: product.spec.description,
                visibility: product.spec.visibility,
                updated_at: product.updated_at,
            };
            Described {
                product: described,
                versions,
            }
        };
        Ok(products.into_iter().map(describe).collect())
    }

    async fn by_ids<T: Entity>(&self, ids: impl Iterator<Item = T::Id>) -> Result<HashMap<T::Id, T>, Error>
    where
        T::Id: Eq + std::hash::Hash,
    {
        /// Values of one statement; PostgreSQL and SQLite take at least 32,000.
        const IDS_MAX: usize = 1000;
        let mut wanted: Vec<_> = ids.map(|id| id.to_string()).collect();
        wanted.sort();
        wanted.dedup();
        let mut found = HashMap::with_capacity(wanted.len());
        for ids in wanted.chunks(IDS_MAX) {
            let among = [Condition::In("id", ids.to_vec())];
            for entity in entity::all::<T>(&mut self.store(), &among).await? {
                found.insert(entity.id(), entity);
            }
        }
        Ok(found)
    }
}

/// A product with its versions that are not drafts.
struct Described {
    product: CatalogueProduct,
    versions: Vec<Version>,
}

fn visible(caller: &Caller) -> Condition {
    let public = ("visibility", Arg::text("public"));
    match caller.organization {
        Some(own) => Condition::IsOr(public, ("organization_id", Arg::text(own))),
        None => Condition::Is(public.0, public.1),
    }
}

fn api(api: &Api) -> CatalogueApi {
    CatalogueApi {
        id: api.id,
        name: api.spec.name.clone(),
        title: api.spec.title.clone(),
        description: api.spec.description.clone(),
        tags: api.spec.tags.clone(),
    }
}

#[cfg(test)]
mod tests;
