//! The audit chain: each change is an entry that carries the hash of the one before it.

use std::collections::HashMap;

use domain::audit::{AuditActor, AuditEntry};
use domain::id::{AuditId, OrganizationId};
use domain::session::{AuditReport, Broken, BrokenHow};
use serde_json::Value;
use sha2::{Digest, Sha256};
use store::audit::{Head, Kept};
use store::{Store, Tx};

use crate::resource::Listed;
use crate::secret::{self, Purpose};
use crate::{Caller, Control, Error};

pub use store::audit::Filter;

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
            request_id: caller.request_id.as_deref().map(str::to_owned),
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

impl Control {
    /// Lists the entries of the caller's organization, the newest first.
    pub async fn list_audit(&self, caller: &Caller, filter: &Filter) -> Result<Listed<AuditEntry>, Error> {
        let organization = caller.organization()?;
        self.access()
            .check(caller, "list_audit_entries", organization, None)?;
        let limit = filter.limit as usize;
        let wider = Filter {
            limit: filter.limit.saturating_add(1),
            ..filter.clone()
        };
        let mut data = store::audit::list(self.store(), organization, &wider).await?;
        let has_more = data.len() > limit;
        data.truncate(limit);
        Ok(Listed { data, has_more })
    }

    /// What people read of who made entries of the caller's organization, in their order.
    ///
    /// Looked up when it is read, because names change and people have a right to be forgotten, and the chain can
    /// neither change nor forget. Members of other organizations and former ones have no name here; the entry by
    /// which a membership ended has the address.
    pub async fn audit_actors(
        &self,
        caller: &Caller,
        entries: &[AuditEntry],
    ) -> Result<Vec<AuditActor>, Error> {
        let organization = caller.organization()?;
        let actors = entries.iter().map(|entry| entry.actor.clone()).collect();
        let names = self.actor_names(organization, actors).await?;
        let named = |entry: &AuditEntry| AuditActor {
            actor_name: names.get(&entry.actor).cloned(),
        };
        Ok(entries.iter().map(named).collect())
    }

    /// The names of people and machines that belong to an organization, by their ids, and that of Gateline itself.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn actor_names(
        &self,
        organization: OrganizationId,
        mut actors: Vec<String>,
    ) -> Result<HashMap<String, String>, Error> {
        actors.sort();
        actors.dedup();
        let mut names = store::audit::actor_names(&mut self.store(), organization, &actors).await?;
        names.insert(Caller::system(None).actor(), "Gateline".to_owned());
        Ok(names)
    }

    /// Reads one entry of the caller's organization.
    pub async fn read_audit_entry(&self, caller: &Caller, id: AuditId) -> Result<AuditEntry, Error> {
        let organization = caller.organization()?;
        self.access()
            .check(caller, "read_audit_entry", organization, None)?;
        let found = store::audit::find(self.store(), organization, id).await?;
        found.ok_or_else(|| Error::not_found("audit entry"))
    }

    /// Reads the chain of the caller's organization from its first entry to its last and checks each one.
    ///
    /// Found are changed, removed, moved and added entries, and a chain whose end was cut off or written anew:
    /// the record of the end has a MAC by a key that is not in the database. Not found is a database that was
    /// put back as a whole to an earlier state.
    pub async fn verify_audit(&self, caller: &Caller) -> Result<AuditReport, Error> {
        let organization = caller.organization()?;
        self.access().check(caller, "verify_audit", organization, None)?;
        let mut walk = Walk::new(organization);
        let broken = loop {
            if let Some(broken) = walk.read_on(self.store()).await? {
                break Some(broken);
            }
            // Read after the entries: it can only be ahead of them, by what was added meanwhile.
            let head = store::audit::head(&mut self.store(), organization).await?;
            match head {
                Some(head) if head.sequence > walk.sequence && walk.is_moving(head.sequence) => {}
                head => break self.end_of(&walk, head),
            }
        };
        Ok(AuditReport {
            entries: walk.sequence,
            valid: broken.is_none(),
            first_broken: broken,
        })
    }

    fn end_of(&self, walk: &Walk, head: Option<Head>) -> Option<Broken> {
        let Some(head) = head else {
            return broken(
                walk.sequence + 1,
                BrokenHow::CutOff,
                "the record of the chain's end is gone",
            );
        };
        if !secret::same(
            self.head_mac(walk.organization, head.sequence, &head.hash)
                .as_bytes(),
            head.mac.as_bytes(),
        ) {
            let detail = "the record of the chain's end was changed, or the secrets were replaced";
            return broken(walk.sequence, BrokenHow::CutOff, detail);
        }
        if head.sequence > walk.sequence {
            let detail = format!("the chain has had {} entries", head.sequence);
            return broken(walk.sequence + 1, BrokenHow::CutOff, &detail);
        }
        if head.sequence < walk.sequence {
            return broken(
                head.sequence + 1,
                BrokenHow::Moved,
                "it was added behind the end of the chain",
            );
        }
        if head.hash != walk.previous {
            return broken(walk.sequence, BrokenHow::Changed, "the chain was written anew");
        }
        None
    }
}

/// Rows that are read at a time.
const PAGE: u32 = 500;

/// How far the checking of a chain is.
struct Walk {
    organization: OrganizationId,
    sequence: i64,
    previous: String,
    /// The end that was waited for last; waiting twice for the same one would never end.
    awaited: i64,
}

impl Walk {
    fn new(organization: OrganizationId) -> Self {
        Self {
            organization,
            sequence: 0,
            previous: FIRST.to_owned(),
            awaited: 0,
        }
    }

    fn is_moving(&mut self, end: i64) -> bool {
        let before = std::mem::replace(&mut self.awaited, end);
        before < end
    }

    async fn read_on(&mut self, store: &Store) -> Result<Option<Broken>, Error> {
        loop {
            let rows = store::audit::after(store, self.organization, self.sequence, PAGE).await?;
            if rows.is_empty() {
                return Ok(None);
            }
            for row in rows {
                if let Some(broken) = self.step(row)? {
                    return Ok(Some(broken));
                }
            }
        }
    }

    fn step(&mut self, row: Kept) -> Result<Option<Broken>, Error> {
        let place = self.sequence + 1;
        if row.sequence != place {
            return Ok(broken(place, BrokenHow::Missing, "it is not there"));
        }
        let Some(entry) = row.entry else {
            return Ok(broken(place, BrokenHow::Changed, "it is not as it was written"));
        };
        if entry.sequence != place || entry.organization_id != self.organization {
            return Ok(broken(
                place,
                BrokenHow::Moved,
                "it was written for another place",
            ));
        }
        if hash(&entry)? != entry.hash {
            return Ok(broken(
                place,
                BrokenHow::Changed,
                "its hash is not the one of its content",
            ));
        }
        if entry.previous != self.previous {
            return Ok(broken(
                place,
                BrokenHow::Moved,
                "it does not follow the entry before it",
            ));
        }
        self.sequence = place;
        self.previous = entry.hash;
        Ok(None)
    }
}

fn broken(sequence: i64, what: BrokenHow, detail: &str) -> Option<Broken> {
    Some(Broken {
        sequence,
        what,
        detail: format!("entry {sequence}: {detail}"),
    })
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
        // PostgreSQL knows one zero only.
        Value::Number(number) if number.as_f64() == Some(0.0) => text.push('0'),
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

#[cfg(test)]
mod tests;
