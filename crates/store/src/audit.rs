//! The audit chains, and where each one ends.

use std::collections::HashMap;

use domain::Timestamp;
use domain::audit::AuditEntry;
use domain::id::OrganizationId;

use crate::entity::Read;
use crate::{Arg, Error, Row, Store, Tx};

/// The end of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Place of the last entry.
    pub sequence: i64,
    /// Its hash.
    pub hash: String,
    /// A MAC over both, by a key that is not in the database.
    pub mac: String,
}

/// Which entries of a chain to list, the newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// By whom.
    pub actor: Option<String>,
    /// Which operation.
    pub action: Option<String>,
    /// On what.
    pub resource: Option<String>,
    /// Not before.
    pub from: Option<Timestamp>,
    /// Before.
    pub to: Option<Timestamp>,
    /// Only entries before this place in the chain.
    pub below: Option<i64>,
    /// The most entries.
    pub limit: u32,
}

/// Where a chain ends; `None` for one without entries.
pub async fn head(read: &mut impl Read, organization: OrganizationId) -> Result<Option<Head>, Error> {
    let sql = "SELECT sequence, hash, mac FROM audit_heads WHERE organization_id = $1";
    let Some(row) = read.row(sql, &[Arg::text(organization)]).await? else {
        return Ok(None);
    };
    Ok(Some(Head {
        sequence: row.int("sequence")?,
        hash: row.text("hash")?,
        mac: row.text("mac")?,
    }))
}

/// Keeps where a chain ends.
pub async fn set_head(tx: &mut Tx, organization: OrganizationId, head: &Head) -> Result<(), Error> {
    let sql = "INSERT INTO audit_heads (organization_id, sequence, hash, mac) VALUES ($1, $2, $3, $4)
               ON CONFLICT (organization_id) DO UPDATE
               SET sequence = excluded.sequence, hash = excluded.hash, mac = excluded.mac";
    let args = [
        Arg::text(organization),
        Arg::int(head.sequence),
        Arg::text(&head.hash),
        Arg::text(&head.mac),
    ];
    tx.execute(sql, &args).await.map(drop)
}

/// Keeps an entry.
pub async fn insert(tx: &mut Tx, entry: &AuditEntry) -> Result<(), Error> {
    let body = Arg::json(entry, "audit")?;
    let sql = "INSERT INTO audit (organization_id, sequence, id, actor, action, resource, at, hash, body)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    let args = [
        Arg::text(entry.organization_id),
        Arg::int(entry.sequence),
        Arg::text(entry.id),
        Arg::text(&entry.actor),
        Arg::text(&entry.action),
        Arg::text(&entry.resource),
        Arg::time(entry.at),
        Arg::text(&entry.hash),
        body,
    ];
    tx.execute(sql, &args).await.map(drop)
}

/// A row of a chain, for checking it.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    /// Its place.
    pub sequence: i64,
    /// The entry; `None` if it cannot be read, or the columns that are searched do not say the same.
    pub entry: Option<AuditEntry>,
}

/// Reads a part of a chain in its order: at most `limit` rows after `sequence`.
pub async fn after(
    store: &Store,
    organization: OrganizationId,
    sequence: i64,
    limit: u32,
) -> Result<Vec<Kept>, Error> {
    let sql = format!(
        "SELECT sequence, id, actor, action, resource, at, hash, body FROM audit
         WHERE organization_id = $1 AND sequence > $2 ORDER BY sequence LIMIT {limit}"
    );
    let args = [Arg::text(organization), Arg::int(sequence)];
    store.fetch_all(&sql, &args).await?.iter().map(kept).collect()
}

fn kept(row: &Row) -> Result<Kept, Error> {
    let entry: Option<AuditEntry> = row
        .json("body")
        .ok()
        .and_then(|body| serde_json::from_value(body).ok());
    let columns = (
        row.text("id")?,
        row.text("actor")?,
        row.text("action")?,
        row.text("resource")?,
        row.time("at")?,
        row.text("hash")?,
    );
    let same = |entry: &AuditEntry| {
        let entry = entry.clone();
        columns
            == (
                entry.id.to_string(),
                entry.actor,
                entry.action,
                entry.resource,
                entry.at,
                entry.hash,
            )
    };
    Ok(Kept {
        sequence: row.int("sequence")?,
        entry: entry.filter(same),
    })
}

/// Lists entries, the newest first.
pub async fn list(
    store: &Store,
    organization: OrganizationId,
    filter: &Filter,
) -> Result<Vec<AuditEntry>, Error> {
    let mut sql = "SELECT body FROM audit WHERE organization_id = $1".to_owned();
    let mut args = vec![Arg::text(organization)];
    let conditions = [
        ("actor =", filter.actor.as_ref().map(Arg::text)),
        ("action =", filter.action.as_ref().map(Arg::text)),
        ("resource =", filter.resource.as_ref().map(Arg::text)),
        ("at >=", filter.from.map(Arg::time)),
        ("at <", filter.to.map(Arg::time)),
        ("sequence <", filter.below.map(Arg::int)),
    ];
    for (condition, value) in conditions {
        if let Some(value) = value {
            args.push(value);
            sql.push_str(&format!(" AND {condition} ${}", args.len()));
        }
    }
    sql.push_str(&format!(" ORDER BY sequence DESC LIMIT {}", filter.limit));
    store
        .fetch_all(&sql, &args)
        .await?
        .iter()
        .map(|row| row.read("body", "audit"))
        .collect()
}

/// Finds one entry.
pub async fn find(
    store: &Store,
    organization: OrganizationId,
    id: domain::id::AuditId,
) -> Result<Option<AuditEntry>, Error> {
    let sql = "SELECT body FROM audit WHERE organization_id = $1 AND id = $2";
    let row = store
        .fetch_optional(sql, &[Arg::text(organization), Arg::text(id)])
        .await?;
    row.as_ref().map(|row| row.read("body", "audit")).transpose()
}

/// The names of people who belong to an organization, and the titles of its machine clients, by their ids.
pub async fn actor_names(
    read: &mut impl Read,
    organization: OrganizationId,
    actors: &[String],
) -> Result<HashMap<String, String>, Error> {
    if actors.is_empty() {
        return Ok(HashMap::new());
    }
    let places: Vec<_> = (2..actors.len() + 2).map(|place| format!("${place}")).collect();
    let among = places.join(", ");
    let sql = format!(
        "SELECT u.id AS id, u.body ->> 'name' AS name FROM users u
         WHERE u.id IN ({among})
         AND EXISTS (SELECT 1 FROM memberships m WHERE m.user_id = u.id AND m.organization_id = $1)
         UNION ALL SELECT c.id AS id, c.body ->> 'title' AS name FROM clients c
         WHERE c.id IN ({among}) AND c.organization_id = $1"
    );
    let mut args = vec![Arg::text(organization)];
    args.extend(actors.iter().map(Arg::text));
    let rows = read.rows(&sql, &args).await?;
    rows.iter()
        .map(|row| Ok((row.text("id")?, row.text("name")?)))
        .collect()
}
