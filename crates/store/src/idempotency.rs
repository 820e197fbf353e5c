//! Answers that are kept so that a repeated request gets the same one.

use domain::Timestamp;

use crate::{Arg, Error, Store, Tx};

/// Which request: tenant, operation, and the key the caller chose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The tenant, or empty for callers without one.
    pub organization: String,
    /// The operation's name in the API.
    pub operation: String,
    /// What the caller chose.
    pub key: String,
}

/// What is kept about a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Fingerprint of the request.
    pub fingerprint: String,
    /// The sealed answer; `None` while the first request is under way.
    pub answer: Option<Vec<u8>>,
    /// When the first request came.
    pub created_at: Timestamp,
}

impl Place {
    fn args(&self) -> Vec<Arg> {
        vec![
            Arg::text(&self.organization),
            Arg::text(&self.operation),
            Arg::text(&self.key),
        ]
    }
}

const HERE: &str = "organization_id = $1 AND operation = $2 AND key = $3";

/// Takes the place for a request; false if it is taken.
pub async fn take(tx: &mut Tx, place: &Place, fingerprint: &str, now: Timestamp) -> Result<bool, Error> {
    let sql = "INSERT INTO idempotency (organization_id, operation, key, fingerprint, created_at)
               VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";
    let mut args = place.args();
    args.extend([Arg::text(fingerprint), Arg::time(now)]);
    Ok(tx.execute(sql, &args).await? == 1)
}

/// Reads what is kept at a place.
pub async fn read(store: &Store, place: &Place) -> Result<Option<Kept>, Error> {
    let sql = format!(
        "SELECT fingerprint, answer IS NOT NULL AS answered, COALESCE(answer, $4) AS answer, created_at
         FROM idempotency WHERE {HERE}"
    );
    let mut args = place.args();
    args.push(Arg::Bytes(Vec::new()));
    let Some(row) = store.fetch_optional(&sql, &args).await? else {
        return Ok(None);
    };
    Ok(Some(Kept {
        fingerprint: row.text("fingerprint")?,
        answer: if row.bool("answered")? {
            Some(row.bytes("answer")?)
        } else {
            None
        },
        created_at: row.time("created_at")?,
    }))
}

/// Keeps the answer of the request that took the place at `taken_at`.
pub async fn answer(tx: &mut Tx, place: &Place, taken_at: Timestamp, sealed: Vec<u8>) -> Result<(), Error> {
    let sql = format!("UPDATE idempotency SET answer = $4 WHERE {HERE} AND created_at = $5");
    let mut args = place.args();
    args.extend([Arg::Bytes(sealed), Arg::time(taken_at)]);
    tx.execute(&sql, &args).await.map(drop)
}

/// Gives the place up that was taken at `taken_at`.
pub async fn remove(tx: &mut Tx, place: &Place, taken_at: Timestamp) -> Result<(), Error> {
    let sql = format!("DELETE FROM idempotency WHERE {HERE} AND created_at = $4");
    let mut args = place.args();
    args.push(Arg::time(taken_at));
    tx.execute(&sql, &args).await.map(drop)
}

/// Removes what was kept before a moment.
pub async fn remove_before(tx: &mut Tx, moment: Timestamp) -> Result<u64, Error> {
    let sql = "DELETE FROM idempotency WHERE created_at < $1";
    tx.execute(sql, &[Arg::time(moment)]).await
}
