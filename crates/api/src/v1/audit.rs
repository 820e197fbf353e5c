//! The audit chain: who changed what, and whether the record of it is whole.

use control::Error;
use control::audit::Filter;
use domain::audit::{AuditActor, AuditEntry};
use domain::id::AuditId;
use domain::session::AuditReport;
use http::StatusCode;
use serde_json::{Value, json};

use crate::answer;
use crate::call::Call;
use crate::endpoint::Endpoint;
use crate::links::Links;
use crate::page;
use crate::parameter::{Parameter, moment, text};

/// `list_audit_entries`, `read_audit_entry`, `verify_audit`.
pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![list(), read(), verify()]
}

fn list() -> Endpoint {
    Endpoint::get("/api/v1/audit", "list_audit_entries")
        .tag("audit")
        .says(
            "List audit entries",
            "Every change in the organization, the newest first: who, what, before and after, in which request.",
        )
        .takes_all(Parameter::page(&[]))
        .takes(Parameter::query("filter[action]", "Only this action, as `create_key`.", text(100)))
        .takes(Parameter::query("filter[actor]", "Only what this user or client did, by id.", text(100)))
        .takes(Parameter::query("filter[resource]", "Only what was done to this resource, by id.", text(100)))
        .takes(Parameter::query("from", "Only at or after this moment.", moment()))
        .takes(Parameter::query("to", "Only before this moment.", moment()))
        .answers_page_of_shown::<AuditEntry, AuditActor>("A page.")
        .to(|call| async move {
            let asked = page::asked(&call)?;
            let owned = |name: &str| call.query(name).map(str::to_owned);
            let filter = Filter {
                action: owned("filter[action]"),
                actor: owned("filter[actor]"),
                resource: owned("filter[resource]"),
                from: call.query_as("from")?,
                to: call.query_as("to")?,
                below: asked.after.and_then(|(sequence, _)| sequence.parse().ok()),
                limit: asked.limit,
            };
            let listed = call.control().list_audit(&call.caller, &filter).await?;
            let last = listed.data.last().filter(|_| listed.has_more);
            let next = last.map(|entry| (entry.sequence.to_string(), entry.id.to_string()));
            page::answer(&call, shown(&call, &listed.data).await?, next)
        })
}

fn read() -> Endpoint {
    Endpoint::get("/api/v1/audit/{id}", "read_audit_entry")
        .tag("audit")
        .says("Read an audit entry", "With what was changed, before and after.")
        .takes_id::<AuditId>("The entry's id.")
        .answers_shown::<AuditEntry, AuditActor>(200, "The entry.")
        .to(|call| async move {
            let entry = call.control().read_audit_entry(&call.caller, call.id()?).await?;
            answer::json(StatusCode::OK, &shown(&call, &[entry]).await?.pop())
        })
}

/// Entries with the names of who made them.
async fn shown(call: &Call, entries: &[AuditEntry]) -> Result<Vec<Value>, Error> {
    let actors = call.control().audit_actors(&call.caller, entries).await?;
    let mut rows = page::values(entries)?;
    for ((row, entry), actor) in rows.iter_mut().zip(entries).zip(actors) {
        if let Some(name) = actor.actor_name {
            row["actor_name"] = json!(name);
        }
        row["links"] = json!(Links::to(format!("/api/v1/audit/{}", entry.id)));
    }
    Ok(rows)
}

fn verify() -> Endpoint {
    Endpoint::get("/api/v1/audit/verify", "verify_audit")
        .tag("audit")
        .says(
            "Verify the audit chain",
            "Reads the organization's chain from the first entry to the last and says whether every one is as it was written \
             and none is missing.",
        )
        .answers::<AuditReport>(200, "What came of it.")
        .to(|call| async move { answer::json(StatusCode::OK, &call.control().verify_audit(&call.caller).await?) })
}
