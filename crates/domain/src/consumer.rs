//! Who calls: applications, subscriptions, API keys.
//!
//! An application belongs to the consumer's organization, a subscription joins it to a product and a plan of
//! the provider's organization; the two may be the same. Both sides see the subscription.

use crate::id::{ApplicationId, KeyId, OrganizationId, PlanId, ProductId, SubscriptionId};
use crate::{Name, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The editable part of an [`Application`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApplicationSpec {
    /// Unique in the organization.
    pub name: Name,
    /// What people read.
    #[schema(max_length = 200)]
    pub title: String,
    /// What it does.
    #[serde(default)]
    #[schema(max_length = 20000)]
    pub description: String,
    /// The declarative folder that made it and may remove it (`gateline apply --prune`); by hand if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<Name>,
}

/// A consumer's program.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Application {
    /// Its id.
    pub id: ApplicationId,
    /// The consumer's organization.
    pub organization_id: OrganizationId,
    /// The editable part.
    #[serde(flatten)]
    pub spec: ApplicationSpec,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Counts its changes; the ETag.
    pub revision: i64,
}

/// Whether a subscription lets calls pass.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SubscriptionState {
    /// Calls pass.
    #[default]
    Active,
    /// Calls are refused until it is active again.
    Suspended,
    /// Calls are refused; it cannot become active again.
    Cancelled,
}

/// What a consumer asks for: the body of a create call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SubscriptionSpec {
    /// The consumer's program.
    pub application_id: ApplicationId,
    /// What it uses.
    pub product_id: ProductId,
    /// Under which plan; one that the product is offered under.
    pub plan_id: PlanId,
    /// Whether calls pass.
    #[serde(default)]
    pub state: SubscriptionState,
}

/// An application's use of a product under a plan; one per application and product that is not cancelled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Subscription {
    /// Its id.
    pub id: SubscriptionId,
    /// The consumer's organization.
    pub organization_id: OrganizationId,
    /// The organization that offers the product.
    pub provider_id: OrganizationId,
    /// The editable part; only plan and state can be changed.
    #[serde(flatten)]
    pub spec: SubscriptionSpec,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Counts its changes; the ETag.
    pub revision: i64,
}

/// What people read of the two sides of a subscription; empty for what was removed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SubscriptionTitles {
    /// The application's.
    pub application_title: String,
    /// The consumer's organization's.
    pub organization_title: String,
    /// The provider's organization's.
    pub provider_title: String,
    /// The product's.
    pub product_title: String,
    /// The plan's.
    pub plan_title: String,
}

/// The editable part of a [`Key`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KeySpec {
    /// The program that uses it.
    pub application_id: ApplicationId,
    /// Where it is valid: the environment's name.
    pub environment: Name,
    /// What people read.
    #[serde(default)]
    #[schema(max_length = 200)]
    pub title: String,
    /// When it stops to be valid; never if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// Whether a key is valid.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    /// Valid until it expires.
    #[default]
    Active,
    /// Never valid again.
    Revoked,
}

/// An API key as it is listed: without its secret, which is shown once when it is made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Key {
    /// Its id.
    pub id: KeyId,
    /// The consumer's organization.
    pub organization_id: OrganizationId,
    /// The editable part; only title and expiry can be changed.
    #[serde(flatten)]
    pub spec: KeySpec,
    /// Whether it is valid.
    pub state: KeyState,
    /// The beginning of the key, enough to recognise it: `gl_sandbox_01jd9zk5…`.
    pub hint: String,
    /// The key that replaced it, after a rotation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced_by: Option<KeyId>,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Counts its changes; the ETag.
    pub revision: i64,
}

/// What is shown beside a key.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct KeyUse {
    /// The hour in which it was last used, as far as calls are counted (two seconds); precise to the hour. Absent
    /// if it never was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<Timestamp>,
}

/// A key that was just made: the only time that its text is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct IssuedKey {
    /// What is kept.
    #[serde(flatten)]
    pub info: Key,
    /// The whole text, for `X-API-Key`.
    #[schema(examples("gl_sandbox_01jd9zk5v8e7rbxq3m6t4n2w0c_…"))]
    pub key: String,
}

/// How to follow a key by another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateSpec {
    /// How long the old key stays valid beside the new one: 0 to 2 592 000 seconds (30 days).
    #[serde(default = "overlap_seconds")]
    #[schema(maximum = 2_592_000)]
    pub overlap_seconds: u32,
}

/// How long a rotated key stays valid unless said otherwise: a day.
pub const OVERLAP_SECONDS_DEFAULT: u32 = 86_400;

impl Default for RotateSpec {
    fn default() -> Self {
        Self {
            overlap_seconds: OVERLAP_SECONDS_DEFAULT,
        }
    }
}

const fn overlap_seconds() -> u32 {
    OVERLAP_SECONDS_DEFAULT
}

/// A key for an API in one step: application and subscription are made when missing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QuickKeySpec {
    /// Name or id of an API: one of the organization, or one in a public product.
    pub api: String,
    /// The plan's name.
    pub plan: Name,
    /// Where the key is valid: the environment's name; `sandbox` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<Name>,
    /// The application's name; `default` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application: Option<Name>,
    /// What people read.
    #[serde(default)]
    #[schema(max_length = 200)]
    pub title: String,
}
