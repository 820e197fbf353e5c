//! How somebody signs in, and how a request becomes a [`Caller`].
//!
//! Programs send an access token ([`Control::authenticate_bearer`]): a JWT of fifteen minutes, renewed with a
//! refresh token that can be used once. Browsers send a cookie ([`Control::authenticate_session`]) and, with what
//! changes something, the CSRF token that belongs to it. Both stop at once when the session ends, because the
//! session is looked up together with the roles.

mod account;
mod caller;
mod grant;
mod guard;
mod invitation;
mod jwt;
mod password;
mod reset;
mod web;

use std::net::IpAddr;
use std::sync::Arc;

use domain::id::{OrganizationId, SessionId, UserId};
use domain::session::{Belonging, WorkspaceRole};
use store::session::Member;

use crate::{Caller, Control, Error};

pub(crate) use account::check_email;
pub use grant::Grant;
pub(crate) use guard::MEMORY as FAILURE_MEMORY;
pub use invitation::Accepted;
pub(crate) use jwt::Signer;
pub(crate) use password::Passwords;
pub use password::{BYTES_MAX, LEN_MIN};
pub use web::{Csrf, WebSignIn};

/// What a request says besides who it comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct About {
    /// The peer's address, for slowing down who guesses passwords.
    pub address: Option<IpAddr>,
    /// The request, for audit entries.
    pub request_id: Option<Arc<str>>,
    /// The organization that the call is about, by id or name (`X-Gateline-Organization`); the caller's first
    /// one if absent.
    pub organization: Option<String>,
}

/// Hash under which random tokens of 256 bits are stored.
pub(crate) fn token_hash(token: &str) -> String {
    use sha2::{Digest as _, Sha256};

    crate::audit::hex(&Sha256::digest(token.as_bytes()))
}

/// Groups memberships by organization, in the order they began.
fn belongings(members: &[Member]) -> Result<Vec<Belonging>, Error> {
    let mut found: Vec<Belonging> = Vec::new();
    for member in members {
        let place = match found.iter().position(|one| one.id == member.organization_id) {
            Some(place) => place,
            None => {
                found.push(Belonging {
                    id: member.organization_id,
                    name: member
                        .name
                        .parse()
                        .map_err(|error| Error::internal("reading an organization's name", error))?,
                    title: member.title.clone(),
                    role: None,
                    workspaces: Vec::new(),
                });
                found.len() - 1
            }
        };
        match member.workspace_id {
            None => found[place].role = Some(member.role),
            Some(workspace_id) => found[place].workspaces.push(WorkspaceRole {
                workspace_id,
                role: member.role,
            }),
        }
    }
    Ok(found)
}

impl Control {
    /// Notes in the audit chain of an organization what somebody did to their own account or session.
    async fn note_sign_in(
        &self,
        tx: &mut store::Tx,
        organization: Option<OrganizationId>,
        user: UserId,
        action: &str,
        about: &About,
    ) -> Result<(), Error> {
        let Some(organization) = organization else {
            return Ok(());
        };
        let caller = Caller::of_user(user, organization, about.request_id.clone());
        let after = about
            .address
            .map(|address| serde_json::json!({ "address": address.to_string() }));
        let change = crate::audit::Change {
            organization,
            action,
            resource: user.to_string(),
            before: None,
            after,
        };
        self.append(tx, &caller, change).await
    }
}

/// The id inside of a refresh token.
fn session_id(text: &str) -> Option<SessionId> {
    let bits = domain::id::decode(text)?;
    Some(SessionId::new(uuid::Uuid::from_u128(bits)))
}

#[cfg(test)]
mod tests;
