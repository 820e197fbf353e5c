//! What is offered: products and plans.

pub use crate::limit::{
    Mode, OverLimit, Period, Quota, RateAlgorithm, RateLimit, Tier, TierCosts, WhenStoreIsAway,
};

use crate::id::{OrganizationId, PlanId, ProductId, VersionId, WorkspaceId};
use crate::{Name, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An amount of money.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Minor units (cents) per month.
    #[schema(minimum = 0)]
    pub amount_minor: i64,
    /// ISO 4217, as `EUR`.
    #[schema(pattern = "^[A-Z]{3}$")]
    pub currency: String,
}

/// What is promised about the calls of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceLevel {
    /// The part of the calls that does not fail, with a status from 500 on: 0.5 to 0.99999; no promise if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0.5, maximum = 0.99999)]
    pub availability: Option<f64>,
    /// The milliseconds that 95 % of the calls do not exceed: 1 to 3 600 000; no promise if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 3_600_000)]
    pub latency_p95_ms: Option<u32>,
}

/// The editable part of a [`Plan`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanSpec {
    /// Unique in the organization.
    pub name: Name,
    /// What people read.
    #[schema(max_length = 200)]
    pub title: String,
    /// CommonMark.
    #[serde(default)]
    #[schema(max_length = 20000)]
    pub description: String,
    /// Calls per short window, per application; no limit if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<RateLimit>,
    /// Calls per calendar period, per subscription; no quota if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota: Option<Quota>,
    /// Calls that one subscription may have open at a time, on each gateway node: 1 to 1,000,000; no bound if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub concurrent_calls_max: Option<u32>,
    /// How many calls a call of each tier counts for; 1, 5 and 25 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier_costs: Option<TierCosts>,
    /// What holds while the store, over which several gateway nodes count together, is away.
    #[serde(default)]
    pub when_store_is_away: WhenStoreIsAway,
    /// What it promises; nothing if absent. Reports tell whether that was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_level: Option<ServiceLevel>,
    /// What it costs; nothing if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Price>,
    /// Keys that one application may have at a time: 1 to 100.
    #[serde(default = "keys_max")]
    #[schema(minimum = 1, maximum = 100)]
    pub keys_max: u32,
    /// The declarative folder that made it and may remove it (`gateline apply --prune`); by hand if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<Name>,
}

const fn keys_max() -> u32 {
    10
}

/// Limits, quotas and price of one offer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Plan {
    /// Its id.
    pub id: PlanId,
    /// The tenant it belongs to.
    pub organization_id: OrganizationId,
    /// The editable part.
    #[serde(flatten)]
    pub spec: PlanSpec,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Counts its changes; the ETag.
    pub revision: i64,
}

/// Who finds a product in the portal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    /// Members of the organization.
    #[default]
    Private,
    /// Everybody.
    Public,
}

/// The editable part of a [`Product`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProductSpec {
    /// Unique in the organization.
    pub name: Name,
    /// What people read.
    #[schema(max_length = 200)]
    pub title: String,
    /// CommonMark.
    #[serde(default)]
    #[schema(max_length = 20000)]
    pub description: String,
    /// What is in it.
    #[schema(max_items = 200)]
    pub version_ids: Vec<VersionId>,
    /// What it is offered under.
    #[schema(max_items = 50)]
    pub plan_ids: Vec<PlanId>,
    /// Who finds it.
    #[serde(default)]
    pub visibility: Visibility,
    /// The declarative folder that made it and may remove it (`gateline apply --prune`); by hand if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<Name>,
}

/// A bundle of API versions offered to consumers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Product {
    /// Its id.
    pub id: ProductId,
    /// The tenant it belongs to.
    pub organization_id: OrganizationId,
    /// The team it belongs to.
    pub workspace_id: WorkspaceId,
    /// The editable part.
    #[serde(flatten)]
    pub spec: ProductSpec,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Counts its changes; the ETag.
    pub revision: i64,
}
