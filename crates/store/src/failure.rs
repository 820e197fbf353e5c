//! Failed sign-ins per account and per address.

use domain::Timestamp;

use crate::entity::Read;
use crate::{Arg, Error, Tx};

/// What failed before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failures {
    /// How many in a row.
    pub count: i64,
    /// The last one.
    pub last_at: Timestamp,
}

/// Reads the failures of a subject.
pub async fn read(read: &mut impl Read, subject: &str) -> Result<Option<Failures>, Error> {
    let sql = "SELECT failures, last_at FROM sign_in_failures WHERE subject = $1";
    let Some(row) = read.row(sql, &[Arg::text(subject)]).await? else {
        return Ok(None);
    };
    Ok(Some(Failures {
        count: row.int("failures")?,
        last_at: row.time("last_at")?,
    }))
}

/// Writes the failures of a subject.
pub async fn write(tx: &mut Tx, subject: &str, failures: Failures) -> Result<(), Error> {
    let sql = "INSERT INTO sign_in_failures (subject, failures, last_at) VALUES ($1, $2, $3)
               ON CONFLICT (subject) DO UPDATE SET failures = excluded.failures, last_at = excluded.last_at";
    let args = [
        Arg::text(subject),
        Arg::int(failures.count),
        Arg::time(failures.last_at),
    ];
    tx.execute(sql, &args).await.map(drop)
}

/// Forgets the failures of a subject.
pub async fn forget(tx: &mut Tx, subject: &str) -> Result<(), Error> {
    let sql = "DELETE FROM sign_in_failures WHERE subject = $1";
    tx.execute(sql, &[Arg::text(subject)]).await.map(drop)
}

/// Takes one failure back.
pub async fn take_back(tx: &mut Tx, subject: &str) -> Result<(), Error> {
    let sql = "UPDATE sign_in_failures SET failures = failures - 1 WHERE subject = $1 AND failures > 0";
    tx.execute(sql, &[Arg::text(subject)]).await.map(drop)
}

/// Forgets those whose last failure was before a moment.
pub async fn forget_before(tx: &mut Tx, moment: Timestamp) -> Result<u64, Error> {
    let sql = "DELETE FROM sign_in_failures WHERE last_at < $1";
    tx.execute(sql, &[Arg::time(moment)]).await
}
