//! Tenants as a whole.

use domain::Timestamp;
use domain::id::{OrganizationId, VersionId, WorkspaceId};

use crate::entity::Read;
use crate::{Arg, Error, Tx};

/// Removes what an organization has from its beginning, so that itself can be removed. Its audit chain stays; what it
/// has in the lake is removed later ([`gone`]).
///
/// # Errors
/// [`Error::Reference`] if something else refers to it.
pub async fn empty(tx: &mut Tx, organization: OrganizationId) -> Result<(), Error> {
    let organization = [Arg::text(organization)];
    for table in [
        "works",
        "acme_accounts",
        "notices",
        "report_schedules",
        "report_definitions",
        "alerts",
        "alert_silences",
        "alert_rules",
        "alert_channels",
        "clients",
        "sdk_keys",
        "event_types",
        "flag_revisions",
        "flag_evaluations",
        "flag_code_references",
        "flag_comments",
        "flag_change_requests",
        "feature_flags",
        "segments",
        "invitations",
        "memberships",
        "plans",
        "environments",
        "targets",
        "workspaces",
    ] {
        tx.execute(
            &format!("DELETE FROM {table} WHERE organization_id = $1"),
            &organization,
        )
        .await?;
    }
    let sql = "INSERT INTO gone_organizations (id) VALUES ($1) ON CONFLICT (id) DO NOTHING";
    tx.execute(sql, &organization).await?;
    Ok(())
}

/// Organizations that were removed and may have something in the lake, with when that was first removed.
pub async fn gone(read: &mut impl Read) -> Result<Vec<(OrganizationId, Option<Timestamp>)>, Error> {
    let rows = read
        .rows("SELECT id, erased_at FROM gone_organizations ORDER BY id", &[])
        .await?;
    rows.iter()
        .map(|row| Ok((row.parse("id")?, row.time_or_null("erased_at")?)))
        .collect()
}

/// Notes that what an organization had in the lake was removed for the first time.
pub async fn note_erased(tx: &mut Tx, organization: OrganizationId, now: Timestamp) -> Result<(), Error> {
    let sql = "UPDATE gone_organizations SET erased_at = $1 WHERE id = $2 AND erased_at IS NULL";
    let args = [Arg::time(now), Arg::text(organization)];
    tx.execute(sql, &args).await.map(drop)
}

/// Forgets an organization of which nothing comes any more.
pub async fn forget_gone(tx: &mut Tx, organization: OrganizationId) -> Result<(), Error> {
    let sql = "DELETE FROM gone_organizations WHERE id = $1";
    tx.execute(sql, &[Arg::text(organization)]).await.map(drop)
}

/// Removes the roles that people have in a workspace, and those that are waiting for somebody.
pub async fn remove_workspace_roles(tx: &mut Tx, workspace: WorkspaceId) -> Result<(), Error> {
    for table in ["memberships", "invitations"] {
        let sql = format!("DELETE FROM {table} WHERE workspace_id = $1");
        tx.execute(&sql, &[Arg::text(workspace)]).await?;
    }
    Ok(())
}

/// The workspaces of the APIs that versions of an organization belong to, each once.
pub async fn workspaces_of(
    read: &mut impl Read,
    organization: OrganizationId,
    versions: &[VersionId],
) -> Result<Vec<WorkspaceId>, Error> {
    if versions.is_empty() {
        return Ok(Vec::new());
    }
    let places: Vec<_> = (2..versions.len() + 2).map(|place| format!("${place}")).collect();
    let sql = format!(
        "SELECT DISTINCT a.workspace_id AS id FROM versions v JOIN apis a ON a.id = v.api_id
         WHERE v.organization_id = $1 AND v.id IN ({})",
        places.join(", ")
    );
    let mut args = vec![Arg::text(organization)];
    args.extend(versions.iter().map(Arg::text));
    read.rows(&sql, &args)
        .await?
        .iter()
        .map(|row| row.parse("id"))
        .collect()
}

/// How many people own an organization, beside one membership.
pub async fn other_owners(
    tx: &mut Tx,
    organization: OrganizationId,
    but: domain::id::MembershipId,
) -> Result<i64, Error> {
    let sql = "SELECT COUNT(*) AS n FROM memberships m JOIN users u ON u.id = m.user_id
               WHERE m.organization_id = $1 AND m.id <> $2 AND m.role = 'owner' AND m.workspace_id = ''
               AND NOT u.disabled";
    let args = [Arg::text(organization), Arg::text(but)];
    tx.fetch_optional(sql, &args)
        .await?
        .map_or(Ok(0), |row| row.int("n"))
}
