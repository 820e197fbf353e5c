//! A new password for who has forgotten theirs: without mail, by a link that somebody hands over.

use std::time::Duration;

use domain::Code;
use domain::id::UserId;
use domain::identity::{Role, User};
use domain::invitation::{PasswordReset, PasswordResetLink};
use store::entity::{self, Read};
use store::link::Reset;
use store::session::{self, Member};
use store::{failure, link};

use super::invitation::{invalid, role_of};
use super::{About, account, password, token_hash};
use crate::access::Principal;
use crate::audit::Change;
use crate::{Caller, Control, Error};

/// What the token begins with, for secret scanners.
const PREFIX: &str = "glp_";
/// The page of the console that reads the token.
const PAGE: &str = "/console/reset";
/// How long a link is good for.
const LIFE: Duration = Duration::from_secs(24 * 3600);

impl Control {
    /// Makes a link by which somebody chooses a new password; it is in the answer and nowhere else.
    ///
    /// Only for accounts that belong to no organization but those that the caller administers: who administers
    /// one of several must not take an account over in the others.
    ///
    /// # Errors
    /// `not_found` for who does not belong to the caller's organization, `conflict` for the caller's own account
    /// and for one that belongs to other organizations, `permission_denied` for who has a higher role.
    pub async fn create_password_reset(
        &self,
        caller: &Caller,
        id: UserId,
        about: &About,
    ) -> Result<PasswordResetLink, Error> {
        let organization = caller.organization()?;
        self.access()
            .check(caller, "create_password_reset", organization, None)?;
        let user = self.read_user(caller, id).await?;
        if caller.principal == Principal::User(id) {
            let detail = "This is your own account; change its password with the one you have.";
            return Err(Error::refused(Code::Conflict, detail));
        }
        let mut tx = self.begin(caller).await?;
        let actor = caller.actor();
        may_reset(&mut tx, &actor, id).await?;
        let made = self.write_reset(&mut tx, id, actor).await?;
        let change = Change {
            organization,
            action: "create_password_reset",
            resource: user.id.to_string(),
            before: None,
            after: None,
        };
        self.append(&mut tx, caller, change).await?;
        tx.commit().await?;
        tracing::info!(user = %user.id, request_id = ?about.request_id, "a link for a new password was made");
        Ok(made)
    }

    /// Makes such a link for whoever has the machine, for any account.
    ///
    /// # Errors
    /// `not_found` if there is no account with this address.
    pub async fn offer_password_reset(&self, email: &str) -> Result<PasswordResetLink, Error> {
        let found = session::credentials(&mut self.store(), &account::normal(email)).await?;
        let user = found.ok_or_else(|| Error::not_found("account"))?.user_id;
        let (mut tx, organization) = self.begin_of(user).await?;
        let caller = Caller::system(organization);
        let made = self.write_reset(&mut tx, user, caller.actor()).await?;
        if let Some(organization) = organization {
            let change = Change {
                organization,
                action: "create_password_reset",
                resource: user.to_string(),
                before: None,
                after: None,
            };
            self.append(&mut tx, &caller, change).await?;
        }
        tx.commit().await?;
        Ok(made)
    }

    /// Sets the password of a link's account and ends all its sessions; the link is used up.
    ///
    /// # Errors
    /// `link_invalid` if it is unknown, used or expired, or if who made it may not do so any more;
    /// `request_invalid` if the password is not good enough; `sign_in_delayed` as for signing in.
    pub async fn reset_password(&self, body: &PasswordReset, about: &About) -> Result<(), Error> {
        let attempt = self.attempt_link(about).await?;
        let hash = token_hash(&body.token);
        let reset = link::reset(&mut self.store(), &hash).await?;
        let reset = reset.filter(|reset| reset.expires_at > self.now());
        let reset = reset.ok_or_else(invalid)?;
        let user = entity::find_id::<User>(&mut self.store(), reset.user_id).await?;
        let user = user.ok_or_else(invalid)?;
        self.succeeded(attempt).await?;
        password::check("/password", &body.password, &user.email)?;
        let password = self.inner.passwords.hash(&body.password).await?;
        let (mut tx, organization) = self.begin_of(user.id).await?;
        // They may have joined another organization since, or whoever made the link may have lost their role.
        match may_reset(&mut tx, &reset.created_by, user.id).await {
            Err(Error::Refused { .. }) => return Err(invalid()),
            other => other?,
        }
        if !link::take_reset(&mut tx, &hash).await? {
            return Err(invalid());
        }
        session::set_password(&mut tx, user.id, &password).await?;
        session::remove_all(&mut tx, user.id, None).await?;
        failure::forget(&mut tx, &super::guard::account(&user.email)).await?;
        self.note_sign_in(&mut tx, organization, user.id, "reset_password", about)
            .await?;
        Ok(tx.commit().await?)
    }

    async fn write_reset(
        &self,
        tx: &mut store::Tx,
        user: UserId,
        created_by: String,
    ) -> Result<PasswordResetLink, Error> {
        let token = crate::secret::token(PREFIX)?;
        let reset = Reset {
            user_id: user,
            created_by,
            expires_at: self.now().after(LIFE),
        };
        link::set_reset(tx, &reset, &token_hash(&token)).await?;
        let control = self.settings().control_url.trim_end_matches('/');
        Ok(PasswordResetLink {
            url: format!("{control}{PAGE}#{token}"),
            expires_at: reset.expires_at,
        })
    }
}

/// Checks that somebody administers every organization that an account belongs to, with a role that is not lower.
async fn may_reset(read: &mut impl Read, actor: &str, user: UserId) -> Result<(), Error> {
    let members = session::memberships_of(read, user).await?;
    if members.is_empty() && actor != Caller::system(None).actor() {
        return Err(Error::not_found("user"));
    }
    for Member {
        organization_id,
        role,
        ..
    } in &members
    {
        let held = role_of(read, actor, *organization_id).await?;
        if held < Some(Role::Admin) {
            let detail = "The account belongs to an organization too that you do not administer. Whoever runs \
                this installation can make a link with `gateline reset-password`.";
            return Err(Error::refused(Code::Conflict, detail));
        }
        if held < Some(*role) {
            let detail = format!("They are {}, and your own role is lower.", role.as_str());
            return Err(Error::refused(Code::PermissionDenied, detail));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
