//! Accepting an invitation, with an account that is there or with a new one.

use domain::id::{ClientId, OrganizationId, UserId};
use domain::identity::{Client, Membership, MembershipSpec, Organization, Role, User, Workspace};
use domain::invitation::{Acceptance, Invitation, InvitationDetails};
use domain::{Code, Timestamp};
use store::entity::{self, Read};
use store::{Tx, session};

use super::account::check_name;
use super::{About, WebSignIn, password, token_hash};
use crate::access::Principal;
use crate::{Caller, Control, Error, FieldError};

/// What came of accepting an invitation.
#[derive(Clone, PartialEq)]
pub enum Accepted {
    /// Who was signed in has the role now.
    Joined(Membership),
    /// An account was made, and it is signed in on the web.
    SignedIn(WebSignIn),
}

impl Control {
    /// What somebody who has the link of an invitation is told.
    ///
    /// # Errors
    /// `link_invalid` if it is unknown, accepted, withdrawn or expired, or if who made it may not give that role
    /// any more; `sign_in_delayed` as for signing in.
    pub async fn read_invitation_link(&self, token: &str, about: &About) -> Result<InvitationDetails, Error> {
        let invitation = self.waiting_invitation(token, about).await?;
        let (mut store, spec) = (self.store(), &invitation.spec);
        let organization = entity::find_id::<Organization>(&mut store, invitation.organization_id).await?;
        let workspace = match spec.workspace_id {
            Some(id) => entity::find_id::<Workspace>(&mut store, id).await?,
            None => None,
        };
        let account = session::credentials(&mut store, &spec.email).await?;
        Ok(InvitationDetails {
            organization: organization.ok_or_else(invalid)?.spec.title,
            email: spec.email.clone(),
            role: spec.role,
            workspace: workspace.map(|workspace| workspace.spec.title),
            expires_at: invitation.expires_at,
            has_account: account.is_some(),
        })
    }

    /// Takes the role of an invitation: for the person who is signed in, or for a new account.
    ///
    /// # Errors
    /// As for [`read_invitation_link`](Self::read_invitation_link); `invitation_needs_sign_in` if there is an
    /// account with the invited address and nobody is signed in; `invitation_of_another` if somebody else is;
    /// `request_invalid` if a new account lacks a name or a good password; `conflict` if they have a role there.
    pub async fn accept_invitation(
        &self,
        caller: &Caller,
        body: &Acceptance,
        about: &About,
    ) -> Result<Accepted, Error> {
        let invitation = self.waiting_invitation(&body.token, about).await?;
        match caller.principal {
            Principal::User(id) => {
                let user = entity::find_id::<User>(&mut self.store(), id).await?;
                let user = user.ok_or_else(Error::anonymous)?;
                let joined = self.join(&invitation, user, about).await?;
                Ok(Accepted::Joined(joined))
            }
            Principal::Client(_) | Principal::System => Err(of_another()),
            Principal::Anonymous => {
                let user = self.join_anew(&invitation, body, about).await?;
                let signed_in = self.begin_web_session(user, about).await?;
                Ok(Accepted::SignedIn(signed_in))
            }
        }
    }

    /// The invitation of a token, if it can be accepted. Who tries tokens is slowed down like who tries passwords.
    async fn waiting_invitation(&self, token: &str, about: &About) -> Result<Invitation, Error> {
        let attempt = self.attempt_link(about).await?;
        let hash = token_hash(token);
        let found = match store::link::invitation(&mut self.store(), &hash).await? {
            Some(id) => entity::find_id::<Invitation>(&mut self.store(), id).await?,
            None => None,
        };
        let Some(invitation) = found.filter(|found| waits(found, self.now())) else {
            return Err(invalid());
        };
        if !still_given(&mut self.store(), &invitation).await? {
            return Err(invalid());
        }
        self.succeeded(attempt).await?;
        Ok(invitation)
    }

    async fn join(&self, invitation: &Invitation, user: User, about: &About) -> Result<Membership, Error> {
        if user.email != invitation.spec.email {
            return Err(of_another());
        }
        let caller = Caller::of_user(user.id, invitation.organization_id, about.request_id.clone());
        let mut tx = self.begin(&caller).await?;
        let joined = self.take(&mut tx, &caller, invitation, &user).await?;
        tx.commit().await?;
        Ok(joined)
    }

    async fn join_anew(
        &self,
        invitation: &Invitation,
        body: &Acceptance,
        about: &About,
    ) -> Result<UserId, Error> {
        let email = &invitation.spec.email;
        if session::credentials(&mut self.store(), email).await?.is_some() {
            return Err(needs_sign_in());
        }
        let name = check_name("/name", &wanted("/name", body.name.as_deref())?)?;
        let password = wanted("/password", body.password.as_deref())?;
        password::check("/password", &password, email)?;
        let hash = self.inner.passwords.hash(&password).await?;
        let mut tx = self.store().begin().await?;
        crate::audit::lock(&mut tx, invitation.organization_id).await?;
        let user = match self.insert_user(&mut tx, email, &name, hash).await {
            // Somebody has signed up with it since.
            Err(error) if error.code() == Code::NameTaken => return Err(needs_sign_in()),
            made => made?,
        };
        let caller = Caller::of_user(user.id, invitation.organization_id, about.request_id.clone());
        self.note(&mut tx, &caller, "create_user", None, Some(&user))
            .await?;
        self.take(&mut tx, &caller, invitation, &user).await?;
        tx.commit().await?;
        Ok(user.id)
    }

    /// Uses an invitation up and gives its role. The organization's chain is locked, so it is read again: of two
    /// who accept at once, the second one finds it accepted.
    async fn take(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        invitation: &Invitation,
        user: &User,
    ) -> Result<Membership, Error> {
        let before = entity::find_id::<Invitation>(tx, invitation.id).await?;
        let now = self.now();
        let before = before.filter(|found| waits(found, now)).ok_or_else(invalid)?;
        let after = Invitation {
            accepted_at: Some(now),
            revision: before.revision + 1,
            ..before.clone()
        };
        tx.update(&after, before.revision, &[]).await?;
        self.note(tx, caller, "accept_invitation", Some(&before), Some(&after))
            .await?;
        let spec = MembershipSpec {
            user_id: user.id,
            workspace_id: after.spec.workspace_id,
            role: after.spec.role,
        };
        self.insert_membership(tx, caller, (after.organization_id, spec), &user.email)
            .await
    }
}

fn waits(invitation: &Invitation, now: Timestamp) -> bool {
    invitation.accepted_at.is_none() && invitation.expires_at > now
}

/// Whether who made an invitation still has the role that it gives, or a higher one: what somebody gave away who
/// was let go since is worth nothing.
async fn still_given(read: &mut impl Read, invitation: &Invitation) -> Result<bool, Error> {
    let held = role_of(read, &invitation.created_by, invitation.organization_id).await?;
    Ok(held >= Some(invitation.spec.role.max(Role::Admin)))
}

/// The role that a person or machine, named as in audit entries, has in an organization as of now.
pub(super) async fn role_of(
    read: &mut impl Read,
    actor: &str,
    organization: OrganizationId,
) -> Result<Option<Role>, Error> {
    if let Ok(user) = actor.parse::<UserId>() {
        let members = session::members(read, user, None).await?.unwrap_or_default();
        let own = members
            .iter()
            .find(|member| member.organization_id == organization && member.workspace_id.is_none());
        return Ok(own.map(|member| member.role));
    }
    if let Ok(client) = actor.parse::<ClientId>() {
        let client = entity::find_id::<Client>(read, client).await?;
        let own = client.filter(|client| client.organization_id == organization);
        return Ok(own.map(|client| client.spec.role));
    }
    // Gateline itself has no role to lose.
    Ok((actor == Caller::system(None).actor()).then_some(Role::Owner))
}

fn wanted(pointer: &str, value: Option<&str>) -> Result<String, Error> {
    value.map(str::to_owned).ok_or_else(|| {
        let detail = "A new account needs it.";
        let error = FieldError::new(pointer, "field_missing", detail, "Add it to the body.");
        Error::fields(Code::RequestInvalid, detail, vec![error])
    })
}

/// The same for every link that cannot be used.
pub(super) fn invalid() -> Error {
    Error::refused(Code::LinkInvalid, "The link cannot be used, or not any more.")
}

fn of_another() -> Error {
    let detail = "The account that is signed in does not have the invited address.";
    Error::refused(Code::InvitationOfAnother, detail)
}

fn needs_sign_in() -> Error {
    let detail = "There is an account with the invited address, and nobody is signed in.";
    Error::refused(Code::InvitationNeedsSignIn, detail)
}

#[cfg(test)]
mod tests;
