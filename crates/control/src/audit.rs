//! The audit chain: each change is an entry that carries the hash of the one before it.

use domain::audit::AuditEntry;
use domain::id::{AuditId, OrganizationId};
use serde_json::Value;
use sha2::{Digest, Sha256};
use store::Tx;
use store::audit::Head;

use crate::secret::Purpose;
use crate::{Caller, Control, Error};

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

/// Locks an organization's chain until the transaction ends.
pub(crate) async fn lock(tx: &mut Tx, organization: OrganizationId) -> Result<(), Error> {
    Ok(tx.lock(&format!("audit:{organization}")).await?)
}

impl Control {
    /// Appends an entry in the transaction of the change, so that there is never one without the other.
    pub(crate) async fn append(&self, tx: &mut Tx, caller: &Caller, change: Change<'_>) -> Result<(), Error> {
        let organization = change.organization;
        lock(tx, organization).await?;
        let head = store::audit::head(tx, organization).await?;
        let (sequence, previous) = match head {
            Some(head) => (head.sequence + 1, head.hash),
            None => (1, FIRST.to_owned()),
        };
        let mut entry = AuditEntry {
            id: AuditId::new(self.uuid()),
            organization_id: organization,
            sequence,
            at: self.now(),
            actor: caller.actor(),
            action: change.action.to_owned(),
            resource: change.resource,
            before: change.before.map(without_secrets),
            after: change.after.map(without_secrets),
            request_id: caller.request_id.clone(),
            previous,
            hash: String::new(),
        };
        entry.hash = hash(&entry)?;
        store::audit::insert(tx, &entry).await?;
        let head = Head {
            sequence,
            mac: self.head_mac(organization, sequence, &entry.hash),
            hash: entry.hash,
        };
        Ok(store::audit::set_head(tx, organization, &head).await?)
    }

    fn head_mac(&self, organization: OrganizationId, sequence: i64, hash: &str) -> String {
        let text = format!("{organization}.{sequence}.{hash}");
        hex(&self.secrets().mac(Purpose::AuditHead, text.as_bytes()))
    }
}

/// Fields that must not stand in the chain, should a resource ever have one.
const SECRET_FIELDS: [&str; 8] = [
    "password",
    "password_hash",
    "secret",
    "client_secret",
    "secret_hash",
    "token",
    "private_key",
    "authorization",
];

fn without_secrets(mut value: Value) -> Value {
    hide(&mut value);
    value
}

fn hide(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                if SECRET_FIELDS.contains(&name.to_ascii_lowercase().as_str()) {
                    *value = Value::from("[hidden]");
                } else {
                    hide(value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(hide),
        _ => {}
    }
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
