//! Who did what.

use crate::Timestamp;
use crate::id::{AuditId, OrganizationId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One change, chained to the one before it in the same organization.
///
/// `hash` is SHA-256 over the canonical JSON (RFC 8785) of all other fields, `previous` included, so a changed
/// or removed entry is found by reading the chain once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AuditEntry {
    /// Its id.
    pub id: AuditId,
    /// The tenant whose chain it is in.
    pub organization_id: OrganizationId,
    /// Its place in the chain, from 1 without gaps.
    pub sequence: i64,
    /// When.
    pub at: Timestamp,
    /// Who: the id of a user or client, or `system`.
    pub actor: String,
    /// What: the operation's name in the API, as `create_key`.
    pub action: String,
    /// On what: the id of the resource.
    pub resource: String,
    /// The resource before, without secrets; absent when it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub before: Option<serde_json::Value>,
    /// The resource after, without secrets; absent when it was removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub after: Option<serde_json::Value>,
    /// The request that did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// Hash of the entry before, 64 zeros for the first.
    pub previous: String,
    /// Hash of this entry, in hexadecimal.
    pub hash: String,
}

/// What people read of who made an entry; not a part of the chain.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditActor {
    /// The name of the person or machine as it is now; absent if they do not belong to the organization any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor_name: Option<String>,
}
