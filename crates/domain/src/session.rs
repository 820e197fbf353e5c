//! What is sent and answered when somebody signs in, up or out.

use crate::id::{ClientId, OrganizationId, UserId, WorkspaceId};
use crate::identity::{Organization, Role, User};
use crate::{Name, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Tokens as the token endpoint answers them (RFC 6749 §5.1).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Tokens {
    /// A JWT for `Authorization: Bearer`.
    pub access_token: String,
    /// Always `Bearer`.
    pub token_type: String,
    /// Seconds until the access token expires.
    pub expires_in: u64,
    /// For the next access token; each one can be used once. Absent for client credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
}

/// The body of a sign-in on the web.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    /// The address of the account.
    #[schema(max_length = 254)]
    pub email: String,
    /// The password.
    #[schema(max_length = 1024)]
    pub password: String,
}

/// The body of a sign-up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignUp {
    /// The address to sign in with.
    #[schema(max_length = 254)]
    pub email: String,
    /// At least ten characters.
    #[schema(min_length = 10, max_length = 1024)]
    pub password: String,
    /// What people read.
    #[schema(max_length = 200)]
    pub name: String,
    /// What the new organization is called; made of the name if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 200)]
    pub organization_title: Option<String>,
}

/// What people may change of their own account; a merge patch is applied to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserSpec {
    /// What people read.
    #[schema(max_length = 200)]
    pub name: String,
}

/// The body of a change of password; every other session of the account ends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordChange {
    /// The password until now.
    #[schema(max_length = 1024)]
    pub current: String,
    /// The password from now on.
    #[schema(min_length = 10, max_length = 1024)]
    pub new: String,
}

/// An organization that somebody belongs to, and as what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Belonging {
    /// Its id.
    pub id: OrganizationId,
    /// Its name.
    pub name: Name,
    /// What people read.
    pub title: String,
    /// The role in the whole of it; absent for members of single workspaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// Roles in single workspaces.
    pub workspaces: Vec<WorkspaceRole>,
}

/// A role in one workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WorkspaceRole {
    /// Where.
    pub workspace_id: WorkspaceId,
    /// What they may do there.
    pub role: Role,
}

/// Somebody signed in on the web.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WebSession {
    /// Who.
    pub user: User,
    /// To send as `X-CSRF-Token` with every call that changes something.
    pub csrf_token: String,
    /// The organizations to choose from; the first is the default.
    pub organizations: Vec<Belonging>,
    /// When it ends at the latest.
    pub expires_at: Timestamp,
}

/// What came of a sign-up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SignedUp {
    /// The account.
    pub user: User,
    /// The organization that was made for it.
    pub organization: Organization,
}

/// Who calls, as we see them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Identity {
    /// The person, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<User>,
    /// The machine, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<ClientId>,
    /// The organization that this call is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization_id: Option<OrganizationId>,
    /// All organizations to choose from.
    pub organizations: Vec<Belonging>,
}

/// A machine client with its secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MadeClient {
    /// The client.
    #[serde(flatten)]
    pub client: crate::identity::Client,
    /// Its secret, shown this once.
    pub client_secret: String,
}

/// What came of reading an audit chain from its first entry to its last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AuditReport {
    /// How many entries were read.
    pub entries: i64,
    /// Whether every one is as it was written, and none is missing.
    pub valid: bool,
    /// The first that is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_broken: Option<Broken>,
}

/// Where an audit chain is broken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Broken {
    /// The place in the chain, from 1.
    pub sequence: i64,
    /// What is wrong there: `changed`, `missing`, `moved` or `cut_off`.
    pub what: BrokenHow,
    /// In words.
    pub detail: String,
}

/// How an audit chain can be broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BrokenHow {
    /// An entry does not have the hash that it was written with.
    Changed,
    /// An entry is not there.
    Missing,
    /// An entry does not follow the one before it.
    Moved,
    /// Entries at the end are not there, or the record of the end was changed.
    CutOff,
}

/// Who the first administrator is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FirstAdmin {
    /// The account.
    pub user_id: UserId,
    /// The address to sign in with.
    pub email: String,
    /// The password that was made.
    pub password: String,
}
