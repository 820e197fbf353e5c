//! What consumers find in the portal: products with what is in them, as far as they may see it.

use crate::catalog::Version;
use crate::id::{ApiId, OrganizationId, ProductId};
use crate::offer::{Plan, Visibility};
use crate::{Name, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A product as the catalogue lists it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CatalogueProduct {
    /// Its id.
    pub id: ProductId,
    /// The tenant that offers it.
    pub organization_id: OrganizationId,
    /// The tenant's title.
    pub provider: String,
    /// Its name.
    pub name: Name,
    /// What people read.
    pub title: String,
    /// CommonMark.
    pub description: String,
    /// Who finds it.
    pub visibility: Visibility,
    /// The APIs in it.
    pub apis: Vec<CatalogueApi>,
    /// What it is offered under.
    pub plans: Vec<Plan>,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// An API in a product.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CatalogueApi {
    /// Its id.
    pub id: ApiId,
    /// Its name.
    pub name: Name,
    /// What people read.
    pub title: String,
    /// CommonMark.
    pub description: String,
    /// Words to find it by.
    pub tags: Vec<String>,
}

/// A product with the versions that can be called.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CatalogueDetail {
    /// The product.
    #[serde(flatten)]
    pub product: CatalogueProduct,
    /// The versions in it that are not drafts.
    pub versions: Vec<CatalogueVersion>,
}

/// A version in a product.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CatalogueVersion {
    /// The version.
    #[serde(flatten)]
    pub version: Version,
    /// Where it is reachable.
    pub routes: Vec<CatalogueRoute>,
}

/// Where a version is reachable.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CatalogueRoute {
    /// The environment's name.
    pub environment: Name,
    /// What stands before the contract's paths, the gateway's address included; the path alone if the gateway of
    /// the environment is not known.
    pub base_url: String,
}
