//! Links that are handed over by people: invitations to an organization, and new passwords.

use crate::Timestamp;
use crate::id::{InvitationId, OrganizationId, WorkspaceId};
use crate::identity::Role;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Seconds that an invitation is good for unless said otherwise: seven days.
pub const EXPIRES_IN_DEFAULT: u64 = 7 * 24 * 3600;
/// The fewest seconds that an invitation can be good for.
pub const EXPIRES_IN_MIN: u64 = 60;
/// The most seconds that an invitation can be good for: thirty days.
pub const EXPIRES_IN_MAX: u64 = 30 * 24 * 3600;

/// What an invitation is made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InvitationSpec {
    /// Whom it is for; only an account with this address can accept it.
    #[schema(max_length = 254)]
    pub email: String,
    /// What they will be able to do; at most as much as who invites them.
    pub role: Role,
    /// Where; in the whole organization if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace_id: Option<WorkspaceId>,
    /// Seconds that it is good for: seven days unless said otherwise, thirty at most.
    #[serde(default = "expires_in")]
    #[schema(default = expires_in, minimum = 60, maximum = 2_592_000)]
    pub expires_in: u64,
}

fn expires_in() -> u64 {
    EXPIRES_IN_DEFAULT
}

/// A role that is waiting for somebody to take it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Invitation {
    /// Its id.
    pub id: InvitationId,
    /// The tenant it leads to.
    pub organization_id: OrganizationId,
    /// What it was made of.
    #[serde(flatten)]
    pub spec: InvitationSpec,
    /// The person or machine that made it.
    pub created_by: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it is of no use any more.
    pub expires_at: Timestamp,
    /// When it was accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted_at: Option<Timestamp>,
    /// Counts its changes; the ETag.
    pub revision: i64,
}

/// A new invitation with its link.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct IssuedInvitation {
    /// The invitation.
    #[serde(flatten)]
    pub invitation: Invitation,
    /// The page where it is accepted, shown this once; hand it to whom it is for.
    #[schema(format = "uri")]
    pub url: String,
}

/// The body of a call that reads an invitation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InvitationToken {
    /// What follows `#` in the link.
    #[schema(max_length = 200)]
    pub token: String,
}

/// What somebody who has the link is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct InvitationDetails {
    /// The title of the organization.
    pub organization: String,
    /// Whom it is for.
    pub email: String,
    /// What they will be able to do.
    pub role: Role,
    /// The title of the workspace, if it is for one only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<String>,
    /// From when on it is of no use any more.
    pub expires_at: Timestamp,
    /// Whether there is an account with the address: then sign in before accepting, else choose a name and a
    /// password.
    pub has_account: bool,
}

/// The body of a call that accepts an invitation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Acceptance {
    /// What follows `#` in the link.
    #[schema(max_length = 200)]
    pub token: String,
    /// What people read; needed for a new account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 200)]
    pub name: Option<String>,
    /// At least ten characters; needed for a new account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 10, max_length = 1024)]
    pub password: Option<String>,
}

/// A link by which somebody chooses a new password.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PasswordResetLink {
    /// The page where the password is chosen, shown this once; hand it to whom it is for.
    #[schema(format = "uri")]
    pub url: String,
    /// From when on it is of no use any more.
    pub expires_at: Timestamp,
}

/// The body of a call that chooses a new password by a link.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordReset {
    /// What follows `#` in the link.
    #[schema(max_length = 200)]
    pub token: String,
    /// At least ten characters.
    #[schema(min_length = 10, max_length = 1024)]
    pub password: String,
}
