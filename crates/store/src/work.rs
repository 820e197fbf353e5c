//! Long work beside what every entity has.

use domain::id::WorkId;

use crate::{Arg, Error, Tx};

/// Forgets work that is older than an id and has ended.
pub async fn remove_before(tx: &mut Tx, id: WorkId) -> Result<u64, Error> {
    let sql = "DELETE FROM works WHERE id < $1 AND status <> 'running'";
    tx.execute(sql, &[Arg::text(id)]).await
}
