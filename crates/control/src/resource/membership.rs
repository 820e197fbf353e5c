//! Memberships: who has which role where.

use domain::id::{MembershipId, WorkspaceId};
use domain::identity::{Membership, MembershipSpec, Role, User, Workspace};
use domain::{Code, Timestamp};
use store::{Tx, entity};

use super::fault::Faults;
use super::{New, Resource, own};
use crate::{Caller, Error};

impl Resource for Membership {
    type Spec = MembershipSpec;
    type Parent = ();
    const IN_SNAPSHOT: bool = false;

    fn new(new: New, (): &(), spec: MembershipSpec) -> Self {
        Self {
            id: MembershipId::new(new.uuid),
            organization_id: new.organization,
            spec,
            // Filled in by `check`.
            email: String::new(),
            created_at: new.now,
            updated_at: new.now,
            revision: 1,
        }
    }

    fn spec(&self) -> &MembershipSpec {
        &self.spec
    }

    fn with(&self, spec: MembershipSpec, now: Timestamp) -> Self {
        Self {
            spec,
            updated_at: now,
            revision: self.revision + 1,
            ..self.clone()
        }
    }

    async fn check(&mut self, tx: &mut Tx, caller: &Caller, before: Option<&Self>) -> Result<(), Error> {
        let mut faults = Faults::default();
        if let Some(before) = before {
            faults.fixed("/user_id", before.spec.user_id != self.spec.user_id);
            faults.fixed(
                "/workspace_id",
                before.spec.workspace_id != self.spec.workspace_id,
            );
        }
        place(&mut faults, tx, caller, self.spec.workspace_id, self.spec.role).await?;
        let user = entity::find_id::<User>(tx, self.spec.user_id).await?;
        let user = faults.reference("/user_id", "user", user);
        faults.finish()?;
        self.email = user.map(|user| user.email).unwrap_or_default();
        let touches_owner =
            self.spec.role == Role::Owner || before.is_some_and(|it| it.spec.role == Role::Owner);
        if touches_owner {
            needs_owner(caller)?;
        }
        match before {
            Some(before) if before.spec.role == Role::Owner && self.spec.role != Role::Owner => {
                another_owner(tx, before).await
            }
            _ => Ok(()),
        }
    }

    async fn removable(&self, tx: &mut Tx, caller: &Caller) -> Result<(), Error> {
        if self.spec.role != Role::Owner {
            return Ok(());
        }
        needs_owner(caller)?;
        another_owner(tx, self).await
    }
}

/// Wants a workspace of the caller's organization, and a role that there is in one.
pub(super) async fn place(
    faults: &mut Faults,
    tx: &mut Tx,
    caller: &Caller,
    workspace: Option<WorkspaceId>,
    role: Role,
) -> Result<(), Error> {
    let Some(workspace) = workspace else { return Ok(()) };
    let found = own::by_id::<Workspace>(tx, caller, workspace).await?;
    faults.reference("/workspace_id", "workspace", found);
    if role == Role::Owner {
        let detail = "Only a whole organization has owners.";
        let suggestion = "Choose admin, or leave `workspace_id` out.";
        faults.add("/role", "role_invalid", detail, suggestion);
    }
    Ok(())
}

fn needs_owner(caller: &Caller) -> Result<(), Error> {
    if caller.roles.organization == Some(Role::Owner) {
        return Ok(());
    }
    Err(Error::refused(
        Code::PermissionDenied,
        "Only an owner makes, changes and removes owners.",
    ))
}

/// Holds because every change of the organization has locked its audit chain before it reads.
async fn another_owner(tx: &mut Tx, membership: &Membership) -> Result<(), Error> {
    let others = store::tenant::other_owners(tx, membership.organization_id, membership.id).await?;
    if others > 0 {
        return Ok(());
    }
    Err(Error::refused(
        Code::Conflict,
        "An organization always keeps one owner; make another one first.",
    ))
}
