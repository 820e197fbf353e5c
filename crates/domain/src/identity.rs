//! Who acts: organizations, workspaces, environments, users, memberships, machine clients.

use crate::id::{ClientId, EnvironmentId, MembershipId, OrganizationId, UserId, WorkspaceId};
use crate::{Name, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a member may do; each role may do all that the ones before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads.
    Viewer,
    /// Also changes flags and experiments, and makes own applications and keys.
    Experimenter,
    /// Also imports and publishes APIs, products and plans.
    Publisher,
    /// Also manages members, environments and clients, and reads the audit chain.
    Admin,
    /// Also manages the organization itself and its owners.
    Owner,
}

impl Role {
    /// All roles, the least first.
    pub const ALL: [Self; 5] = [
        Self::Viewer,
        Self::Experimenter,
        Self::Publisher,
        Self::Admin,
        Self::Owner,
    ];

    /// The name in JSON, in the store and in Cedar.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Experimenter => "experimenter",
            Self::Publisher => "publisher",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }

    /// The role of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }
}

/// The editable part of an [`Organization`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OrganizationSpec {
    /// Unique in the installation.
    pub name: Name,
    /// What people read.
    #[schema(max_length = 200)]
    pub title: String,
}

/// A tenant; owns everything below and is isolated from others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Organization {
    /// Its id.
    pub id: OrganizationId,
    /// The editable part.
    #[serde(flatten)]
    pub spec: OrganizationSpec,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Counts its changes; the ETag.
    pub revision: i64,
}

/// The editable part of a [`Workspace`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WorkspaceSpec {
    /// Unique in the organization.
    pub name: Name,
    /// What people read.
    #[schema(max_length = 200)]
    pub title: String,
}

/// A team's area in an organization, with its own members.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Workspace {
    /// Its id.
    pub id: WorkspaceId,
    /// The tenant it belongs to.
    pub organization_id: OrganizationId,
    /// The editable part.
    #[serde(flatten)]
    pub spec: WorkspaceSpec,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Counts its changes; the ETag.
    pub revision: i64,
}

/// The editable part of an [`Environment`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EnvironmentSpec {
    /// Unique in the organization; stands in every key (`gl_sandbox_…`). A gateway node serves one name.
    pub name: Name,
    /// What people read.
    #[schema(max_length = 200)]
    pub title: String,
    /// Whether changes of what flags give here need somebody's yes.
    #[serde(default)]
    pub protected: bool,
}

/// Sandbox, staging, production…: keys and routes differ per environment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Environment {
    /// Its id.
    pub id: EnvironmentId,
    /// The tenant it belongs to.
    pub organization_id: OrganizationId,
    /// The editable part.
    #[serde(flatten)]
    pub spec: EnvironmentSpec,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Counts its changes; the ETag.
    pub revision: i64,
}

/// A person who can sign in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct User {
    /// Its id.
    pub id: UserId,
    /// The address to sign in with; unique in the installation, compared in lower case.
    pub email: String,
    /// What people read.
    pub name: String,
    /// A user who may not sign in any more.
    pub disabled: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Counts its changes; the ETag.
    pub revision: i64,
}

/// The editable part of a [`Membership`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MembershipSpec {
    /// Who.
    pub user_id: UserId,
    /// Where; the whole organization if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace_id: Option<WorkspaceId>,
    /// What they may do there.
    pub role: Role,
}

/// A person's role in an organization or in one workspace of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Membership {
    /// Its id.
    pub id: MembershipId,
    /// The tenant it belongs to.
    pub organization_id: OrganizationId,
    /// The editable part.
    #[serde(flatten)]
    pub spec: MembershipSpec,
    /// The member's address.
    pub email: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Counts its changes; the ETag.
    pub revision: i64,
}

/// The editable part of a [`Client`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClientSpec {
    /// What it is for.
    #[schema(max_length = 200)]
    pub title: String,
    /// What it may do in the organization.
    pub role: Role,
}

/// A machine that signs in with OAuth2 client credentials (RFC 6749 §4.4); the secret is shown once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Client {
    /// Its id; also the `client_id`.
    pub id: ClientId,
    /// The tenant it belongs to.
    pub organization_id: OrganizationId,
    /// The editable part.
    #[serde(flatten)]
    pub spec: ClientSpec,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Counts its changes; the ETag.
    pub revision: i64,
}
