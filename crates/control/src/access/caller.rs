//! Who calls, and as what.

use std::sync::Arc;

use domain::Code;
use domain::id::{ClientId, OrganizationId, UserId, WorkspaceId};
use domain::identity::Role;

use crate::Error;

/// Who calls, on behalf of which organization, in which request.
#[derive(Debug, Clone, PartialEq)]
pub struct Caller {
    /// Who.
    pub principal: Principal,
    /// The organization that the call is about; chosen by the caller among theirs.
    pub organization: Option<OrganizationId>,
    /// Their roles in that organization: one for the whole of it, some for single workspaces.
    pub roles: Roles,
    /// The request, for audit entries.
    pub request_id: Option<Arc<str>>,
}

/// Who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Principal {
    /// Nobody has signed in.
    Anonymous,
    /// A person.
    User(UserId),
    /// A machine with client credentials.
    Client(ClientId),
    /// Gateline itself: the first start, jobs.
    System,
}

/// The roles of a caller in one organization.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roles {
    /// In the whole organization.
    pub organization: Option<Role>,
    /// In single workspaces.
    pub workspaces: Vec<(WorkspaceId, Role)>,
}

impl Caller {
    /// Gateline itself, acting in an organization.
    pub fn system(organization: Option<OrganizationId>) -> Self {
        let roles = Roles {
            organization: Some(Role::Owner),
            workspaces: Vec::new(),
        };
        Self {
            principal: Principal::System,
            organization,
            roles,
            request_id: None,
        }
    }

    /// Nobody in particular.
    pub fn anonymous(request_id: Option<Arc<str>>) -> Self {
        Self {
            principal: Principal::Anonymous,
            organization: None,
            roles: Roles::default(),
            request_id,
        }
    }

    /// A person who acts on their own account, for audit entries.
    pub(crate) fn of_user(user: UserId, organization: OrganizationId, request_id: Option<Arc<str>>) -> Self {
        Self {
            principal: Principal::User(user),
            organization: Some(organization),
            roles: Roles::default(),
            request_id,
        }
    }

    /// The name that stands in audit entries.
    pub fn actor(&self) -> String {
        match self.principal {
            Principal::Anonymous => "anonymous".to_owned(),
            Principal::User(id) => id.to_string(),
            Principal::Client(id) => id.to_string(),
            Principal::System => "system".to_owned(),
        }
    }

    /// The organization that the call is about.
    ///
    /// # Errors
    /// `authentication_required` if nobody has signed in, `not_found` if the caller belongs to none.
    pub fn organization(&self) -> Result<OrganizationId, Error> {
        if self.principal == Principal::Anonymous {
            return Err(Error::anonymous());
        }
        self.organization.ok_or_else(|| Error::not_found("organization"))
    }

    /// Checks that a role in the organization is not higher than the caller's own: nobody gives more than they
    /// have, to people or machines, or takes over what may do more.
    ///
    /// # Errors
    /// `permission_denied`.
    pub(crate) fn within(&self, role: Role) -> Result<(), Error> {
        if self.roles.organization >= Some(role) {
            return Ok(());
        }
        let detail = format!("Your own role is not {} or higher.", role.as_str());
        Err(Error::refused(Code::PermissionDenied, detail))
    }

    /// The person who calls.
    ///
    /// # Errors
    /// `authentication_required` if nobody has signed in, `not_found` if it is a machine.
    pub fn user(&self) -> Result<UserId, Error> {
        match self.principal {
            Principal::User(id) => Ok(id),
            Principal::Anonymous => Err(Error::anonymous()),
            Principal::Client(_) | Principal::System => Err(Error::refused(
                Code::NotFound,
                "Machines have no account of their own.",
            )),
        }
    }
}
