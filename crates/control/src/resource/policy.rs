//! Policies of APIs.

use std::sync::Arc;

use domain::Timestamp;
use domain::catalog::Api;
use domain::code::Code;
use domain::id::{ApiId, OperationId, PolicyId, WorkspaceId};
use domain::traffic::{Policy, PolicyKind, PolicySpec};
use store::entity::{self, Condition, Read};
use store::{Arg, Tx};

use super::fault::{Faults, nul};
use super::{New, Resource, audience, own};
use crate::{Caller, Control, Error};

/// The largest configuration, as compact JSON.
const CONFIG_BYTES_MAX: usize = 65_536;
/// The most policies of an API.
const POLICIES_MAX: i64 = 100;

impl Control {
    /// The kinds of policies, each with the schema of its configuration.
    pub fn policy_kinds(&self, caller: &Caller) -> Result<Vec<PolicyKind>, Error> {
        self.access()
            .check(caller, "list_policy_kinds", caller.organization()?, None)?;
        let kinds = policy::kinds().iter().map(|kind| PolicyKind {
            kind: kind.name.to_owned(),
            title: kind.title.to_owned(),
            description: kind.description.to_owned(),
            schema: kind.schema(),
            takes_audience: kind.takes_audience,
        });
        Ok(kinds.collect())
    }
}

impl Resource for Policy {
    type Spec = PolicySpec;
    type Parent = ();
    const IN_SNAPSHOT: bool = true;

    fn new(new: New, (): &(), spec: PolicySpec) -> Self {
        Self {
            id: PolicyId::new(new.uuid),
            organization_id: new.organization,
            spec,
            created_at: new.now,
            updated_at: new.now,
            revision: 1,
        }
    }

    fn spec(&self) -> &PolicySpec {
        &self.spec
    }

    fn with(&self, spec: PolicySpec, now: Timestamp) -> Self {
        Self {
            spec,
            updated_at: now,
            revision: self.revision + 1,
            ..self.clone()
        }
    }

    async fn workspace(&self, read: &mut (impl Read + Send)) -> Result<Option<WorkspaceId>, Error> {
        let api = entity::find_id::<Api>(read, self.spec.api_id).await?;
        let own = api.filter(|api| api.organization_id == self.organization_id);
        Ok(own.map(|api| api.workspace_id))
    }

    async fn check(&mut self, tx: &mut Tx, caller: &Caller, before: Option<&Self>) -> Result<(), Error> {
        let mut faults = Faults::default();
        let api = own::by_id::<Api>(tx, caller, self.spec.api_id).await?;
        let api = faults.reference("/api_id", "api", api);
        if let Some(before) = before {
            faults.fixed("/api_id", before.spec.api_id != self.spec.api_id);
            faults.fixed("/kind", before.spec.kind != self.spec.kind);
        }
        if let (Some(operation), Some(api)) = (self.spec.operation_id, &api) {
            let found = operation_of(tx, api.id, operation).await?;
            faults.reference("/operation_id", "operation", found.then_some(()));
        }
        faults.finish()?;
        let made = config(&self.spec)?;
        named(tx, self, &*made).await?;
        alone(tx, self).await?;
        if before.is_none() {
            room(tx, self.spec.api_id).await?;
        }
        Ok(())
    }
}

/// Checks a configuration as the gateway will, and that all of it has an effect.
fn config(spec: &PolicySpec) -> Result<Arc<dyn policy::Policy>, Error> {
    let mut faults = Faults::default();
    let Some(kind) = policy::kind(&spec.kind) else {
        let known: Vec<_> = policy::kinds().iter().map(|kind| kind.name).collect();
        let detail = format!("There is no policy of this kind; there are {}.", known.join(", "));
        let suggestion = "`GET /api/v1/policies/kinds` lists them with their schemas.";
        faults.add("/kind", "policy_kind_unknown", detail, suggestion);
        return Err(refused(faults));
    };
    let text = spec.config.to_string();
    if nul(&spec.config).is_some() {
        // PostgreSQL keeps none in JSON.
        faults.add(
            "/config",
            "field_invalid",
            "It contains a NUL character.",
            "Remove it.",
        );
    } else if text.len() > CONFIG_BYTES_MAX {
        let detail = format!("It has more than {CONFIG_BYTES_MAX} bytes.");
        faults.add("/config", "field_too_long", detail, "Shorten it.");
    } else {
        match kind.validate(&spec.config) {
            Ok(made) => return Ok(made),
            Err(found) => {
                for fault in found {
                    let pointer = format!("/config{}", fault.pointer);
                    let suggestion = "`GET /api/v1/policies/kinds` has the policy's schema.";
                    faults.add(&pointer, "config_invalid", fault.detail, suggestion);
                }
            }
        }
    }
    Err(refused(faults))
}

fn refused(faults: Faults) -> Error {
    let without = || Error::refused(Code::PolicyInvalid, "The policy cannot be used.");
    faults
        .finish_as(Code::PolicyInvalid)
        .err()
        .unwrap_or_else(without)
}

/// Wants the flags and segments that a policy names to be there.
async fn named(tx: &mut Tx, policy: &Policy, made: &dyn policy::Policy) -> Result<(), Error> {
    let mut faults = Faults::default();
    let organization = policy.organization_id;
    for (place, key) in made.flags().into_iter().enumerate() {
        let pointer = format!("/config/flags/{place}/key");
        audience::flag(tx, organization, (&pointer, key), &mut faults).await?;
    }
    if let Some(audience) = &policy.spec.audience {
        let kinds = policy::kinds().iter().filter(|kind| kind.takes_audience);
        let kinds: Vec<_> = kinds.map(|kind| kind.name).collect();
        if !kinds.contains(&&*policy.spec.kind) {
            let detail = format!(
                "A policy of this kind is for everybody; for an audience are {}.",
                kinds.join(", ")
            );
            faults.add(
                "/audience",
                "combination_invalid",
                detail,
                "Leave `audience` out.",
            );
        }
        for fault in flags::Audience::compile(audience).err().unwrap_or_default() {
            let pointer = format!("/audience{}", fault.pointer);
            faults.add(&pointer, fault.code, fault.detail, fault.suggestion);
        }
        audience::exists(tx, organization, ("/audience", audience), None, &mut faults).await?;
    }
    faults.finish_as(Code::PolicyInvalid)
}

/// Refuses a policy that would be the second one for the same calls where only one holds: the other would be dead.
///
/// One of an operation beside one of the API is meant: it holds in its place. Changes of an organization wait for each
/// other ([`Control::begin`]), so of two that are saved at once the later one sees the other.
async fn alone(tx: &mut Tx, policy: &Policy) -> Result<(), Error> {
    let spec = &policy.spec;
    if !spec.enabled || !policy::is_single(&spec.kind) {
        return Ok(());
    }
    let of = [
        Condition::Is("api_id", Arg::text(spec.api_id)),
        Condition::Is("kind", Arg::text(&spec.kind)),
    ];
    let there = entity::all::<Policy>(tx, &of).await?;
    let is_in_the_way = |other: &&Policy| {
        let its = &other.spec;
        let is_for_the_same = (its.operation_id, &its.audience) == (spec.operation_id, &spec.audience);
        other.id != policy.id && its.enabled && is_for_the_same
    };
    let mut faults = Faults::default();
    if let Some(other) = there.iter().find(is_in_the_way) {
        let (kind, id) = (&spec.kind, other.id);
        faults.add(
            "/kind",
            "kind_twice",
            format!("`{id}` is a `{kind}` for the same calls already, and only one of them would hold."),
            "Change or disable that one, or make this one for an operation.",
        );
    }
    faults.finish_as(Code::Conflict)
}

async fn operation_of(tx: &mut Tx, api: ApiId, operation: OperationId) -> Result<bool, Error> {
    let sql = "SELECT o.id AS id FROM operations o JOIN versions v ON v.id = o.version_id
               WHERE o.id = $1 AND v.api_id = $2 AND o.current";
    let args = [Arg::text(operation), Arg::text(api)];
    Ok(tx.fetch_optional(sql, &args).await?.is_some())
}

async fn room(tx: &mut Tx, api: ApiId) -> Result<(), Error> {
    let of = [Condition::Is("api_id", Arg::text(api))];
    let there = entity::count::<Policy>(tx, &of).await?;
    if there < POLICIES_MAX {
        return Ok(());
    }
    let detail = format!("The API has {there} policies; at most {POLICIES_MAX} are allowed.");
    Err(Error::refused(Code::Conflict, detail))
}

#[cfg(test)]
mod tests;
