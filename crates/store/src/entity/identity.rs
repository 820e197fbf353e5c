//! How identities are kept.

use domain::id::{
    ClientId, EnvironmentId, InvitationId, MembershipId, OrganizationId, UserId, WorkId, WorkspaceId,
};
use domain::identity::{Client, Environment, Membership, Organization, User, Workspace};
use domain::invitation::Invitation;
use domain::work::{Work, WorkStatus};

use super::{Entity, entity};
use crate::Arg;

impl Entity for Organization {
    type Id = OrganizationId;
    const TABLE: &'static str = "organizations";
    const KIND: &'static str = "organization";
    const HAS_NAME: bool = true;

    fn id(&self) -> OrganizationId {
        self.id
    }

    fn organization(&self) -> Option<OrganizationId> {
        Some(self.id)
    }

    fn revision(&self) -> i64 {
        self.revision
    }

    fn columns(&self) -> Vec<(&'static str, Arg)> {
        vec![("name", Arg::text(&self.spec.name))]
    }
}

impl Entity for User {
    type Id = UserId;
    const TABLE: &'static str = "users";
    const KIND: &'static str = "user";
    const HAS_NAME: bool = false;

    fn id(&self) -> UserId {
        self.id
    }

    fn organization(&self) -> Option<OrganizationId> {
        None
    }

    fn revision(&self) -> i64 {
        self.revision
    }

    fn columns(&self) -> Vec<(&'static str, Arg)> {
        vec![
            ("email", Arg::text(&self.email)),
            ("disabled", Arg::Bool(self.disabled)),
        ]
    }
}

entity!(Workspace, WorkspaceId, "workspaces", "workspace", name: true, |it| [
    "name" = Arg::text(&it.spec.name),
]);
entity!(Environment, EnvironmentId, "environments", "environment", name: true, |it| [
    "name" = Arg::text(&it.spec.name),
]);
entity!(Membership, MembershipId, "memberships", "membership", name: false, |it| [
    "user_id" = Arg::text(it.spec.user_id),
    "workspace_id" = Arg::text(it.spec.workspace_id.map(|id| id.to_string()).unwrap_or_default()),
    "role" = Arg::text(it.spec.role.as_str()),
]);
entity!(Invitation, InvitationId, "invitations", "invitation", name: false, |it| [
    "email" = Arg::text(&it.spec.email),
    "workspace_id" = Arg::text(it.spec.workspace_id.map(|id| id.to_string()).unwrap_or_default()),
    "accepted" = Arg::Bool(it.accepted_at.is_some()),
    "expires_at" = Arg::time(it.expires_at),
]);
entity!(Client, ClientId, "clients", "client", name: false, |it| []);
entity!(Work, WorkId, "works", "operation", name: false, |it| [
    "status" = Arg::text(match it.status {
        WorkStatus::Running => "running",
        WorkStatus::Succeeded => "succeeded",
        WorkStatus::Failed => "failed",
        WorkStatus::Cancelled => "cancelled",
    }),
]);
