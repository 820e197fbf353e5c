//! What flags and segments were, revision by revision.

use domain::id::OrganizationId;

use crate::entity::{Entity, Read};
use crate::{Arg, Error, Tx};

/// How many revisions of a flag or segment are kept.
pub const KEPT: i64 = 1000;

/// What something was after one of its changes.
#[derive(Debug, Clone, PartialEq)]
pub struct Past<T> {
    /// Who changed it; empty if that was not kept.
    pub actor: String,
    /// What it was.
    pub it: T,
}

/// Keeps what something is now, and forgets what is too old.
pub async fn keep<T: Entity>(tx: &mut Tx, it: &T, actor: &str) -> Result<(), Error> {
    let sql = "INSERT INTO flag_revisions (subject_id, revision, organization_id, actor, body)
               VALUES ($1, $2, $3, $4, $5)";
    let args = [
        Arg::text(it.id()),
        Arg::int(it.revision()),
        Arg::text_or_null(it.organization()),
        Arg::text(actor),
        Arg::json(it, T::TABLE)?,
    ];
    tx.execute(sql, &args).await?;
    let sql = "DELETE FROM flag_revisions WHERE subject_id = $1 AND revision <= $2";
    let args = [Arg::text(it.id()), Arg::int(it.revision() - KEPT)];
    tx.execute(sql, &args).await.map(drop)
}

/// Forgets what something was.
pub async fn forget<T: Entity>(tx: &mut Tx, it: &T) -> Result<(), Error> {
    let sql = "DELETE FROM flag_revisions WHERE subject_id = $1";
    tx.execute(sql, &[Arg::text(it.id())]).await.map(drop)
}

/// Lists what something was, the newest first: at most `limit` before the revision `below`.
pub async fn list<T: Entity>(
    read: &mut impl Read,
    (organization, id): (OrganizationId, T::Id),
    below: Option<i64>,
    limit: u32,
) -> Result<Vec<Past<T>>, Error> {
    let sql = format!(
        "SELECT actor, body FROM flag_revisions WHERE organization_id = $1 AND subject_id = $2 AND revision < $3
         ORDER BY revision DESC LIMIT {limit}"
    );
    let args = [
        Arg::text(organization),
        Arg::text(id),
        Arg::int(below.unwrap_or(i64::MAX)),
    ];
    read.rows(&sql, &args).await?.iter().map(past).collect()
}

/// Finds what something was after one of its changes.
pub async fn find<T: Entity>(
    read: &mut impl Read,
    (organization, id): (OrganizationId, T::Id),
    revision: i64,
) -> Result<Option<Past<T>>, Error> {
    let sql = "SELECT actor, body FROM flag_revisions
               WHERE organization_id = $1 AND subject_id = $2 AND revision = $3";
    let args = [Arg::text(organization), Arg::text(id), Arg::int(revision)];
    read.row(sql, &args).await?.as_ref().map(past).transpose()
}

fn past<T: Entity>(row: &crate::Row) -> Result<Past<T>, Error> {
    Ok(Past {
        actor: row.text("actor")?,
        it: row.read("body", "flag_revisions")?,
    })
}
