//! The audit chain: each change is an entry that carries the hash of the one before it.

use domain::Timestamp;
use domain::audit::AuditEntry;
use domain::id::{AuditId, OrganizationId};
use serde_json::Value;
use sha2::{Digest, Sha256};
use store::{Arg, Tx};

use crate::{Caller, Error};

/// What stands in `previous` of the first entry of a chain.
pub const FIRST: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// What was done to what.
pub(crate) struct Change<'a> {
    /// The tenant in whose chain it is noted.
    pub(crate) organization: OrganizationId,
    /// The operation's name in the API, as `create_key`.
    pub(crate) action: &'a str,
    /// The id of the resource.
    pub(crate) resource: String,
    /// The resource before, without secrets.
    pub(crate) before: Option<Value>,
    /// The resource after, without secrets.
    pub(crate) after: Option<Value>,
}

/// Appends an entry in the transaction of the change, so that there is never one without the other.
pub(crate) async fn append(
    tx: &mut Tx,
    caller: &Caller,
    id: AuditId,
    at: Timestamp,
    change: Change<'_>,
) -> Result<(), Error> {
    tx.lock(&format!("audit:{}", change.organization)).await?;
    let sql = "SELECT sequence, hash FROM audit WHERE organization_id = $1 ORDER BY sequence DESC LIMIT 1";
    let last = tx.fetch_optional(sql, &[Arg::text(change.organization)]).await?;
    let (sequence, previous) = match last {
        Some(row) => (row.int("sequence")? + 1, row.text("hash")?),
        None => (1, FIRST.to_owned()),
    };
    let mut entry = AuditEntry {
        id,
        organization_id: change.organization,
        sequence,
        at,
        actor: caller.actor(),
        action: change.action.to_owned(),
        resource: change.resource,
        before: change.before,
        after: change.after,
        request_id: caller.request_id.clone(),
        previous,
        hash: String::new(),
    };
    entry.hash = hash(&entry)?;
    let body =
        serde_json::to_value(&entry).map_err(|error| Error::internal("writing an audit entry", error))?;
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
        Arg::Json(body),
    ];
    tx.execute(sql, &args).await?;
    Ok(())
}

/// SHA-256 over the canonical JSON of an entry without its `hash`.
///
/// Keys are sorted and there is no white space, as in RFC 8785; entries hold no fractions, where the rules of
/// the RFC for numbers would matter.
pub fn hash(entry: &AuditEntry) -> Result<String, Error> {
    let mut value =
        serde_json::to_value(entry).map_err(|error| Error::internal("writing an audit entry", error))?;
    if let Value::Object(fields) = &mut value {
        fields.remove("hash");
    }
    let mut text = String::new();
    canonical(&value, &mut text);
    Ok(hex(&Sha256::digest(text.as_bytes())))
}

fn canonical(value: &Value, text: &mut String) {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by(|(one, _), (other, _)| one.encode_utf16().cmp(other.encode_utf16()));
            text.push('{');
            for (index, (name, value)) in fields.into_iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                text.push_str(&Value::from(name.as_str()).to_string());
                text.push(':');
                canonical(value, text);
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                canonical(item, text);
            }
            text.push(']');
        }
        scalar => text.push_str(&scalar.to_string()),
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)]))
        .collect()
}
