//! Proposed changes of flags: how many wait, and which are forgotten.

use domain::id::FeatureFlagId;

use crate::{Arg, Error, Tx};

/// How many proposed changes of a flag are kept, beside those that wait.
pub const KEPT: u32 = 1000;

/// How many wait for something.
pub async fn pending(tx: &mut Tx, flag: FeatureFlagId) -> Result<i64, Error> {
    let sql =
        "SELECT COUNT(*) AS n FROM flag_change_requests WHERE flag_id = $1 AND state IN ('open', 'approved')";
    tx.fetch_optional(sql, &[Arg::text(flag)])
        .await?
        .map_or(Ok(0), |row| row.int("n"))
}

/// Forgets the oldest that wait for nothing any more.
pub async fn forget_old(tx: &mut Tx, flag: FeatureFlagId) -> Result<(), Error> {
    let sql = format!(
        "DELETE FROM flag_change_requests WHERE flag_id = $1 AND state NOT IN ('open', 'approved')
         AND id NOT IN (SELECT id FROM flag_change_requests WHERE flag_id = $1 ORDER BY id DESC LIMIT {KEPT})"
    );
    tx.execute(&sql, &[Arg::text(flag)]).await.map(drop)
}
