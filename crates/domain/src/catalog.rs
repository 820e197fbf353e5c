//! What a producer publishes: APIs, their versions, contracts and operations.

pub use crate::finding::{Finding, Severity};
use crate::id::{ApiId, ContractId, OperationId, OrganizationId, VersionId, WorkspaceId};
use crate::{Name, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How far a version is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Being written; not reachable.
    Draft,
    /// Reachable; may change or go without notice.
    Alpha,
    /// Reachable; may change with notice.
    Beta,
    /// Reachable; changes are compatible.
    Stable,
    /// Reachable; answers carry `Deprecation` and, with a date, `Sunset`.
    Deprecated,
    /// Answers 410 `api_retired`.
    Retired,
}

/// The editable part of an [`Api`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApiSpec {
    /// Unique in the organization; the first path segment unless a route says otherwise.
    pub name: Name,
    /// What people read.
    #[schema(max_length = 200)]
    pub title: String,
    /// CommonMark.
    #[serde(default)]
    #[schema(max_length = 20000)]
    pub description: String,
    /// Words to find it by.
    #[serde(default)]
    #[schema(max_items = 20)]
    pub tags: Vec<String>,
    /// The declarative folder that made it and may remove it (`gateline apply --prune`); by hand if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<Name>,
}

/// A named interface.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Api {
    /// Its id.
    pub id: ApiId,
    /// The tenant it belongs to.
    pub organization_id: OrganizationId,
    /// The team it belongs to.
    pub workspace_id: WorkspaceId,
    /// The editable part.
    #[serde(flatten)]
    pub spec: ApiSpec,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Counts its changes; the ETag.
    pub revision: i64,
}

/// The editable part of a [`Version`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VersionSpec {
    /// As in the contract's `info.version`; unique in the API.
    #[schema(max_length = 100)]
    pub name: String,
    /// How far it is in its life.
    pub stage: Stage,
    /// When a deprecated version will be retired (RFC 8594).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sunset_at: Option<Timestamp>,
}

/// One contract of an API with a lifecycle stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Version {
    /// Its id.
    pub id: VersionId,
    /// The tenant it belongs to.
    pub organization_id: OrganizationId,
    /// The API.
    pub api_id: ApiId,
    /// The editable part.
    #[serde(flatten)]
    pub spec: VersionSpec,
    /// The contract in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract_id: Option<ContractId>,
    /// How many operations it has.
    pub operations: i64,
    /// When it was deprecated (RFC 9745).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deprecated_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Counts its changes; the ETag.
    pub revision: i64,
}

/// One stored contract document; never changed, only followed by another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Contract {
    /// Its id.
    pub id: ContractId,
    /// The tenant it belongs to.
    pub organization_id: OrganizationId,
    /// The version it describes.
    pub version_id: VersionId,
    /// `openapi-3.0` or `openapi-3.1`.
    pub format: String,
    /// SHA-256 of the document as it came, in hexadecimal.
    pub sha256: String,
    /// Its size as it came.
    pub bytes: i64,
    /// What the reader remarked without refusing it.
    pub findings: Vec<Finding>,
    /// When it was stored.
    pub created_at: Timestamp,
}

/// One method and path of a version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Operation {
    /// Its id; the same for the same method and path when a contract is replaced.
    pub id: OperationId,
    /// The version it belongs to.
    pub version_id: VersionId,
    /// The contract's `operationId`, or one made of method and path.
    pub name: String,
    /// HTTP method in upper case.
    pub method: String,
    /// Path template, as `/pets/{pet_id}`.
    pub path: String,
    /// One line about it.
    #[serde(default)]
    pub summary: String,
    /// Marked as deprecated in the contract.
    pub deprecated: bool,
}
