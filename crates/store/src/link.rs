//! Links that people hand over: invitations and new passwords, found by the hash of their token.

use domain::Timestamp;
use domain::id::{InvitationId, OrganizationId, UserId, WorkspaceId};

use crate::entity::Read;
use crate::{Arg, Error, Tx};

/// Finds the invitation whose token has this hash.
pub async fn invitation(read: &mut impl Read, hash: &str) -> Result<Option<InvitationId>, Error> {
    let sql = "SELECT id FROM invitations WHERE token_hash = $1";
    let row = read.row(sql, &[Arg::text(hash)]).await?;
    row.map(|row| row.parse("id")).transpose()
}

/// Whether the account with an address has a role in an organization, or in the workspace of it if given.
pub async fn has_role(
    read: &mut impl Read,
    organization: OrganizationId,
    workspace: Option<WorkspaceId>,
    email: &str,
) -> Result<bool, Error> {
    let sql = "SELECT m.id FROM memberships m JOIN users u ON u.id = m.user_id
               WHERE m.organization_id = $1 AND m.workspace_id = $2 AND u.email = $3";
    let workspace = workspace.map(|id| id.to_string()).unwrap_or_default();
    let args = [Arg::text(organization), Arg::text(workspace), Arg::text(email)];
    Ok(read.row(sql, &args).await?.is_some())
}

/// Counts the invitations of an organization that wait for somebody.
pub async fn waiting(
    read: &mut impl Read,
    organization: OrganizationId,
    now: Timestamp,
) -> Result<i64, Error> {
    let sql = "SELECT COUNT(*) AS n FROM invitations
               WHERE organization_id = $1 AND NOT accepted AND expires_at > $2";
    let args = [Arg::text(organization), Arg::time(now)];
    read.row(sql, &args).await?.map_or(Ok(0), |row| row.int("n"))
}

/// Removes the invitations that expired before a moment, accepted or not.
pub async fn forget_invitations_before(tx: &mut Tx, moment: Timestamp) -> Result<u64, Error> {
    let sql = "DELETE FROM invitations WHERE expires_at < $1";
    tx.execute(sql, &[Arg::time(moment)]).await
}

/// A link by which somebody chooses a new password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reset {
    /// Whose password.
    pub user_id: UserId,
    /// Who made the link.
    pub created_by: String,
    /// From when on it is of no use any more.
    pub expires_at: Timestamp,
}

/// Keeps a link, in place of an earlier one for the same person.
pub async fn set_reset(tx: &mut Tx, reset: &Reset, hash: &str) -> Result<(), Error> {
    let sql =
        "INSERT INTO password_resets (user_id, token_hash, created_by, expires_at) VALUES ($1, $2, $3, $4)
               ON CONFLICT (user_id) DO UPDATE SET token_hash = excluded.token_hash,
               created_by = excluded.created_by, expires_at = excluded.expires_at";
    let args = [
        Arg::text(reset.user_id),
        Arg::text(hash),
        Arg::text(&reset.created_by),
        Arg::time(reset.expires_at),
    ];
    tx.execute(sql, &args).await.map(drop)
}

/// Finds the link whose token has this hash.
pub async fn reset(read: &mut impl Read, hash: &str) -> Result<Option<Reset>, Error> {
    let sql = "SELECT user_id, created_by, expires_at FROM password_resets WHERE token_hash = $1";
    let Some(row) = read.row(sql, &[Arg::text(hash)]).await? else {
        return Ok(None);
    };
    Ok(Some(Reset {
        user_id: row.parse("user_id")?,
        created_by: row.text("created_by")?,
        expires_at: row.time("expires_at")?,
    }))
}

/// Uses a link up; false if it was used before.
pub async fn take_reset(tx: &mut Tx, hash: &str) -> Result<bool, Error> {
    let sql = "DELETE FROM password_resets WHERE token_hash = $1";
    Ok(tx.execute(sql, &[Arg::text(hash)]).await? == 1)
}

/// Removes the links for new passwords that have expired.
pub async fn forget_resets(tx: &mut Tx, now: Timestamp) -> Result<u64, Error> {
    let sql = "DELETE FROM password_resets WHERE expires_at <= $1";
    tx.execute(sql, &[Arg::time(now)]).await
}
