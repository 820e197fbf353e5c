//! Contract documents and the operations in them.

use domain::catalog::Operation;
use domain::id::{ContractId, VersionId};

use crate::entity::Read;
use crate::{Arg, Error, Tx};

/// Rows written with one statement.
const ROWS_MAX: usize = 500;

/// Reads a contract's document as it came.
pub async fn document(read: &mut impl Read, id: ContractId) -> Result<Option<Vec<u8>>, Error> {
    let sql = "SELECT document FROM contracts WHERE id = $1";
    let row = read.row(sql, &[Arg::text(id)]).await?;
    row.map(|row| row.bytes("document")).transpose()
}

/// Reads the operations of a version's contract in force, by path and method.
pub async fn operations(read: &mut impl Read, version: VersionId) -> Result<Vec<Operation>, Error> {
    let sql = "SELECT body FROM operations WHERE version_id = $1 AND current ORDER BY path, method";
    let rows = read.rows(sql, &[Arg::text(version)]).await?;
    rows.iter().map(|row| row.read("body", "operations")).collect()
}

/// Reads every operation that a version ever had, those that its contract has no more included.
pub async fn operations_ever(read: &mut impl Read, version: VersionId) -> Result<Vec<Operation>, Error> {
    let sql = "SELECT body FROM operations WHERE version_id = $1";
    let rows = read.rows(sql, &[Arg::text(version)]).await?;
    rows.iter().map(|row| row.read("body", "operations")).collect()
}

impl Tx {
    /// Makes these the operations of a version; others that it had stay for usage to refer to.
    ///
    /// Callers give an operation that was there before, by method and path, the id that it had.
    pub async fn replace_operations(
        &mut self,
        version: VersionId,
        operations: &[Operation],
    ) -> Result<(), Error> {
        let sql = "UPDATE operations SET current = FALSE WHERE version_id = $1";
        self.execute(sql, &[Arg::text(version)]).await?;
        for rows in operations.chunks(ROWS_MAX) {
            let mut args = Vec::with_capacity(rows.len() * 6);
            for row in rows {
                args.extend([
                    Arg::text(row.id),
                    Arg::text(row.version_id),
                    Arg::text(&row.name),
                    Arg::text(&row.method),
                    Arg::text(&row.path),
                    Arg::json(row, "operations")?,
                ]);
            }
            let sql = format!(
                "INSERT INTO operations (id, version_id, name, method, path, body, current) VALUES {}
                 ON CONFLICT (version_id, method, path)
                 DO UPDATE SET name = excluded.name, body = excluded.body, current = TRUE",
                crate::db::places(rows.len(), 6, ", TRUE")
            );
            self.execute(&sql, &args).await?;
        }
        Ok(())
    }
}
