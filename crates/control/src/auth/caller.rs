//! From a bearer token or a cookie to a caller.

use domain::id::{ClientId, OrganizationId, SessionId, UserId};
use domain::identity::{Client, User};
use domain::session::{Belonging, Identity};
use store::entity;

use super::{About, belongings, jwt};
use crate::access::{Principal, Roles};
use crate::{Caller, Control, Error};

impl Control {
    /// Finds out who sends an access token, and what they may do.
    ///
    /// # Errors
    /// `token_invalid`, `token_expired`; `not_found` if the organization in `about` is none of theirs.
    pub async fn authenticate_bearer(&self, token: &str, about: &About) -> Result<Caller, Error> {
        let claims = self.inner.tokens.read(token, self.now())?;
        if let Ok(user) = claims.sub.parse::<UserId>() {
            let belongings = self
                .belongings(user, claims.sid)
                .await?
                .ok_or_else(jwt::invalid)?;
            return choose(user, &belongings, claims.org, about);
        }
        let client = claims.sub.parse::<ClientId>().map_err(|_| jwt::invalid())?;
        let client = entity::find_id::<Client>(&mut self.store(), client).await?;
        let client = client.ok_or_else(jwt::invalid)?;
        self.client_caller(&client, about).await
    }

    async fn client_caller(&self, client: &Client, about: &About) -> Result<Caller, Error> {
        if let Some(wanted) = &about.organization {
            let id = client.organization_id;
            let own = entity::find_id::<domain::identity::Organization>(&mut self.store(), id).await?;
            let same =
                own.is_some_and(|own| own.id.to_string() == *wanted || own.spec.name.as_str() == wanted);
            if !same {
                return Err(Error::not_found("organization"));
            }
        }
        Ok(Caller {
            principal: Principal::Client(client.id),
            organization: Some(client.organization_id),
            roles: Roles {
                organization: Some(client.spec.role),
                workspaces: Vec::new(),
            },
            request_id: about.request_id.clone(),
        })
    }

    /// Where a user belongs; `None` if they are gone, disabled, or signed out.
    pub(super) async fn belongings(
        &self,
        user: UserId,
        session: Option<SessionId>,
    ) -> Result<Option<Vec<Belonging>>, Error> {
        let members = store::session::members(&mut self.store(), user, session).await?;
        members.as_deref().map(belongings).transpose()
    }

    /// Who calls, as we see them.
    ///
    /// # Errors
    /// `authentication_required` if nobody has signed in.
    pub async fn whoami(&self, caller: &Caller) -> Result<Identity, Error> {
        let mut identity = Identity {
            user: None,
            client_id: None,
            organization_id: caller.organization,
            organizations: Vec::new(),
        };
        match caller.principal {
            Principal::User(id) => {
                identity.user = entity::find_id::<User>(&mut self.store(), id).await?;
                identity.organizations = self.belongings(id, None).await?.unwrap_or_default();
            }
            Principal::Client(id) => identity.client_id = Some(id),
            Principal::Anonymous | Principal::System => return Err(Error::anonymous()),
        }
        Ok(identity)
    }
}

/// Chooses the organization that a call is about.
pub(super) fn choose(
    user: UserId,
    belongings: &[Belonging],
    default: Option<OrganizationId>,
    about: &About,
) -> Result<Caller, Error> {
    let chosen = match &about.organization {
        Some(wanted) => {
            let mine = |one: &&Belonging| one.name.as_str() == wanted || one.id.to_string() == *wanted;
            let found = belongings.iter().find(mine);
            Some(found.ok_or_else(|| Error::not_found("organization"))?)
        }
        None => belongings
            .iter()
            .find(|one| Some(one.id) == default)
            .or_else(|| belongings.first()),
    };
    let roles = chosen.map_or_else(Roles::default, |one| Roles {
        organization: one.role,
        workspaces: one
            .workspaces
            .iter()
            .map(|it| (it.workspace_id, it.role))
            .collect(),
    });
    Ok(Caller {
        principal: Principal::User(user),
        organization: chosen.map(|one| one.id),
        roles,
        request_id: about.request_id.clone(),
    })
}
