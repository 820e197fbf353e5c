//! Create, read, list, change, remove: the same for every resource.
//!
//! A [`Resource`] says how it is made of its editable part and what must hold; the rest (authorization, ETags,
//! merge patch, audit, telling gateways, paging) is here once. To add a resource: an impl in a file of
//! `resource/`, its table in `store`, its handlers in `api`.

mod alert;
mod api;
mod application;
pub(crate) mod audience;
pub(crate) mod certificate;
mod client;
mod currency;
mod environment;
mod event_type;
pub(crate) mod fault;
mod feature_flag;
mod flag_parts;
mod flag_sticky;
pub(crate) mod invitation;
mod key;
mod membership;
mod organization;
pub(crate) mod own;
pub mod plan;
mod policy;
mod product;
mod report_definition;
mod report_schedule;
pub(crate) mod route;
mod sdk_key;
mod segment;
pub(crate) mod stream;
pub(crate) mod subscription;
pub(crate) mod upstream;
pub(crate) mod version;
mod workspace;

use std::future::Future;

use domain::code::Code;
use domain::id::{OrganizationId, WorkspaceId};
use domain::{Name, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use store::Tx;
use store::entity::{self, Entity, Read};
use uuid::Uuid;

use crate::audit::{self, Change};
use crate::secret::Secrets;
use crate::{Caller, Control, Error, FieldError, Settings};

pub(crate) use flag_parts::named_segments;
pub use store::Arg;
pub use store::entity::{Condition, Window};

/// What the server adds to a new resource.
#[derive(Debug, Clone, Copy)]
pub struct New {
    /// For its id.
    pub uuid: Uuid,
    /// The tenant it will belong to.
    pub organization: OrganizationId,
    /// The moment.
    pub now: Timestamp,
}

/// A resource with an editable part.
pub trait Resource: Entity {
    /// The editable part: body of a create call, target of a merge patch.
    type Spec: Serialize + DeserializeOwned + Clone + Send + Sync;
    /// What a create call names beside the body, as the workspace; `()` if nothing.
    type Parent: Clone + Send + Sync;
    /// Whether gateways have to hear of a change.
    const IN_SNAPSHOT: bool;

    /// Makes a new one.
    fn new(new: New, parent: &Self::Parent, spec: Self::Spec) -> Self;

    /// The editable part.
    fn spec(&self) -> &Self::Spec;

    /// The same with another editable part, changed at `now`: sets `updated_at` and counts `revision` up.
    fn with(&self, spec: Self::Spec, now: Timestamp) -> Self;

    /// The workspace it belongs to, for roles that hold in one workspace only; what is under an API belongs to
    /// that one's.
    fn workspace(
        &self,
        read: &mut (impl Read + Send),
    ) -> impl Future<Output = Result<Option<WorkspaceId>, Error>> + Send {
        let _ = read;
        async { Ok(None) }
    }

    /// The workspaces of what it refers to and did not `before`: the caller needs the same right there, so that
    /// nobody publishes what is another team's.
    fn reaches(
        &self,
        read: &mut (impl Read + Send),
        before: Option<&Self>,
    ) -> impl Future<Output = Result<Vec<WorkspaceId>, Error>> + Send {
        let _ = (read, before);
        async { Ok(Vec::new()) }
    }

    /// Checks one that is about to be written against what is there; `before` is the state it replaces.
    ///
    /// May complete it (the route's API follows from its version).
    fn check(
        &mut self,
        tx: &mut Tx,
        caller: &Caller,
        before: Option<&Self>,
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// Checks one against how this installation is set up.
    fn fits(&self, settings: &Settings) -> Result<(), Error> {
        let _ = settings;
        Ok(())
    }

    /// Takes out what nobody may read and seals it, after it was checked and before the row is written.
    fn keep_secrets(&mut self, secrets: &Secrets) -> Result<(), Error> {
        let _ = secrets;
        Ok(())
    }

    /// Writes what is kept beside the row (a product's versions), in the same transaction.
    fn written(
        &self,
        control: &Control,
        tx: &mut Tx,
        caller: &Caller,
    ) -> impl Future<Output = Result<(), Error>> + Send {
        let _ = (control, tx, caller);
        async { Ok(()) }
    }

    /// The protected environments in which it makes a difference that the first becomes the second: there it needs
    /// somebody's yes, or a right of its own.
    fn guarded(
        read: &mut (impl Read + Send),
        change: (Option<&Self>, Option<&Self>),
    ) -> impl Future<Output = Result<Vec<Name>, Error>> + Send {
        let _ = (read, change);
        async { Ok(Vec::new()) }
    }

    /// Checks that nothing needs it any more, before it is removed; removes what is nothing without it.
    ///
    /// # Errors
    /// `in_use` that names what uses it.
    fn removable(&self, tx: &mut Tx, caller: &Caller) -> impl Future<Output = Result<(), Error>> + Send {
        let _ = (tx, caller);
        async { Ok(()) }
    }

    /// The organization in which the caller needs a role to act on it: the one it belongs to, unless two sides
    /// share it.
    fn authority(&self, caller: &Caller) -> Option<OrganizationId> {
        let _ = caller;
        self.organization()
    }

    /// Which rows a caller sees: those of their organization unless a resource says otherwise.
    fn visible(caller: &Caller) -> Result<Vec<Condition>, Error> {
        Ok(vec![Condition::Is(
            "organization_id",
            Arg::text(caller.organization()?),
        )])
    }
}

/// How the editable part of something is replaced.
pub(crate) struct Replacing<'a, T: Resource> {
    /// The operation's name in the API, as `update_api`.
    pub(crate) action: &'a str,
    /// What it was.
    pub(crate) before: &'a T,
    /// What it is to be.
    pub(crate) spec: T::Spec,
    /// The revision that the caller has read.
    pub(crate) if_match: Option<i64>,
    /// Whether somebody has said yes to it.
    pub(crate) is_approved: bool,
}

/// A page as a caller asks for it.
#[derive(Debug, Clone, Default)]
pub struct ListQuery {
    /// Conditions beside the visibility.
    pub conditions: Vec<Condition>,
    /// Order and place.
    pub window: Window,
}

/// The rows of a page, one more than asked for if there are more.
#[derive(Debug, Clone)]
pub struct Listed<T> {
    /// At most `limit` entities.
    pub data: Vec<T>,
    /// Whether there are more.
    pub has_more: bool,
}

impl Control {
    /// Makes a resource in the caller's organization.
    pub async fn create<T: Resource>(
        &self,
        caller: &Caller,
        parent: &T::Parent,
        spec: T::Spec,
    ) -> Result<T, Error> {
        let mut tx = self.begin(caller).await?;
        let made = self.create_in::<T>(&mut tx, caller, parent, spec, &[]).await?;
        tx.commit().await?;
        self.announce_if::<T>();
        Ok(made)
    }

    /// Makes a resource as a part of a larger change; the caller commits and announces.
    pub(crate) async fn create_in<T: Resource>(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        parent: &T::Parent,
        spec: T::Spec,
        beside: &[(&'static str, Arg)],
    ) -> Result<T, Error> {
        let mut made = T::new(self.new_of(caller)?, parent, spec);
        let action = format!("create_{}", T::KIND);
        self.authorize(tx, caller, &action, &made).await?;
        self.authorize_reach(tx, caller, &action, (None, &made)).await?;
        made.check(tx, caller, None).await?;
        self.authorize_guarded(tx, caller, &action, (None, Some(&made)))
            .await?;
        made.fits(self.settings())?;
        made.keep_secrets(self.secrets())?;
        tx.insert(&made, beside).await?;
        made.written(self, tx, caller).await?;
        self.note(tx, caller, &action, None, Some(&made)).await?;
        self.mark_if::<T>(tx).await?;
        Ok(made)
    }

    /// What the server adds to something new of the caller's organization.
    pub(crate) fn new_of(&self, caller: &Caller) -> Result<New, Error> {
        Ok(New {
            uuid: self.uuid(),
            organization: caller.organization()?,
            now: self.now(),
        })
    }

    /// Reads a resource that the caller may see.
    pub async fn read<T: Resource>(&self, caller: &Caller, id: T::Id) -> Result<T, Error> {
        let mut conditions = T::visible(caller)?;
        conditions.push(Condition::Is("id", Arg::text(id)));
        let found = entity::find::<T>(&mut self.store(), &conditions).await?;
        let found = found.ok_or_else(|| Error::not_found(T::KIND))?;
        let action = format!("read_{}", T::KIND);
        self.authorize(&mut self.store(), caller, &action, &found).await?;
        Ok(found)
    }

    /// Lists the resources that the caller may see.
    pub async fn list<T: Resource>(&self, caller: &Caller, query: &ListQuery) -> Result<Listed<T>, Error> {
        let mut conditions = T::visible(caller)?;
        let organization = caller.organization()?;
        let action = format!("list_{}", plural(T::KIND));
        self.inner.access.check(caller, &action, organization, None)?;
        conditions.extend(query.conditions.iter().cloned());
        self.listed(&conditions, query).await
    }

    /// Lists one more than asked for, to know whether there are more.
    pub(crate) async fn listed<T: Entity>(
        &self,
        conditions: &[Condition],
        query: &ListQuery,
    ) -> Result<Listed<T>, Error> {
        let limit = query.window.limit as usize;
        let window = Window {
            limit: query.window.limit + 1,
            ..query.window.clone()
        };
        let mut data = entity::list::<T>(&mut self.store(), conditions, &window).await?;
        let has_more = data.len() > limit;
        data.truncate(limit);
        Ok(Listed { data, has_more })
    }

    /// Applies a JSON Merge Patch (RFC 7396) to the editable part.
    ///
    /// `if_match` is the revision the caller has read; the change is refused if there is another by now.
    pub async fn update<T: Resource>(
        &self,
        caller: &Caller,
        id: T::Id,
        patch: &Value,
        if_match: Option<i64>,
    ) -> Result<T, Error> {
        let before = self.read::<T>(caller, id).await?;
        let spec = parse_patch(before.spec(), patch)?;
        self.replace(caller, &before, spec, if_match).await
    }

    /// Replaces the editable part.
    pub async fn replace<T: Resource>(
        &self,
        caller: &Caller,
        before: &T,
        spec: T::Spec,
        if_match: Option<i64>,
    ) -> Result<T, Error> {
        let mut tx = self.begin(caller).await?;
        let after = self.replace_in(&mut tx, caller, before, spec, if_match).await?;
        tx.commit().await?;
        self.announce_if::<T>();
        Ok(after)
    }

    /// Replaces the editable part as a part of a larger change; the caller commits and announces.
    pub(crate) async fn replace_in<T: Resource>(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        before: &T,
        spec: T::Spec,
        if_match: Option<i64>,
    ) -> Result<T, Error> {
        let change = Replacing {
            action: &format!("update_{}", T::KIND),
            before,
            spec,
            if_match,
            is_approved: false,
        };
        self.replace_by(tx, caller, change).await
    }

    /// Replaces the editable part by an action that need not be the usual one; the caller commits and announces.
    pub(crate) async fn replace_by<T: Resource>(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        change: Replacing<'_, T>,
    ) -> Result<T, Error> {
        let Replacing { action, before, .. } = change;
        self.authorize(tx, caller, action, before).await?;
        expect_revision(before.revision(), change.if_match)?;
        let mut after = before.with(change.spec, self.now());
        self.authorize_reach(tx, caller, action, (Some(before), &after))
            .await?;
        after.check(tx, caller, Some(before)).await?;
        if !change.is_approved {
            self.authorize_guarded(tx, caller, action, (Some(before), Some(&after)))
                .await?;
        }
        after.fits(self.settings())?;
        after.keep_secrets(self.secrets())?;
        tx.update(&after, before.revision(), &[]).await?;
        after.written(self, tx, caller).await?;
        self.note(tx, caller, action, Some(before), Some(&after)).await?;
        self.mark_if::<T>(tx).await?;
        Ok(after)
    }

    /// Removes a resource that nothing refers to.
    pub async fn delete<T: Resource>(
        &self,
        caller: &Caller,
        id: T::Id,
        if_match: Option<i64>,
    ) -> Result<(), Error> {
        let before = self.read::<T>(caller, id).await?;
        let action = format!("delete_{}", T::KIND);
        let mut tx = self.begin(caller).await?;
        self.authorize(&mut tx, caller, &action, &before).await?;
        expect_revision(before.revision(), if_match)?;
        self.authorize_guarded(&mut tx, caller, &action, (Some(&before), None))
            .await?;
        before.removable(&mut tx, caller).await?;
        tx.remove(&before).await?;
        self.note(&mut tx, caller, &action, Some(&before), None).await?;
        self.mark_if::<T>(&mut tx).await?;
        tx.commit().await?;
        self.announce_if::<T>();
        Ok(())
    }

    /// Begins a change in the caller's organization.
    ///
    /// The audit chain is locked before anything else: it is taken by every change anyway, and two changes that
    /// took it late could each wait for a row of the other.
    pub(crate) async fn begin(&self, caller: &Caller) -> Result<Tx, Error> {
        let mut tx = self.store().begin().await?;
        if let Some(organization) = caller.organization {
            audit::lock(&mut tx, organization).await?;
        }
        Ok(tx)
    }

    /// Checks that the caller may do `action` to this resource.
    pub(crate) async fn authorize<T: Resource>(
        &self,
        read: &mut (impl Read + Send),
        caller: &Caller,
        action: &str,
        it: &T,
    ) -> Result<(), Error> {
        let organization = match it.authority(caller) {
            Some(organization) => organization,
            None => caller.organization()?,
        };
        let workspace = it.workspace(read).await?;
        self.inner.access.check(caller, action, organization, workspace)
    }

    /// Checks that the caller may do `action` where a change reaches to: where the resource is moved to, and what
    /// it refers to from now on.
    async fn authorize_reach<T: Resource>(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        action: &str,
        (before, after): (Option<&T>, &T),
    ) -> Result<(), Error> {
        let mut reached = after.reaches(tx, before).await?;
        if let Some(before) = before {
            let (from, to) = (before.workspace(tx).await?, after.workspace(tx).await?);
            reached.extend(to.filter(|_| to != from));
        }
        let organization = caller.organization()?;
        for workspace in reached {
            self.inner
                .access
                .check(caller, action, organization, Some(workspace))?;
        }
        Ok(())
    }

    /// Checks that the caller may make a difference where that needs somebody's yes.
    async fn authorize_guarded<T: Resource>(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        action: &str,
        change: (Option<&T>, Option<&T>),
    ) -> Result<(), Error> {
        let names = T::guarded(tx, change).await?;
        if names.is_empty() {
            return Ok(());
        }
        let bypass = "bypass_environment_protection";
        if self
            .access()
            .allows(caller, bypass, Some(caller.organization()?), None)?
        {
            return Ok(());
        }
        let names: Vec<_> = names.iter().map(Name::as_str).collect();
        let detail = format!(
            "`{action}` makes a difference in `{}`, which is protected.",
            names.join("` and `")
        );
        Err(Error::refused(Code::EnvironmentProtected, detail))
    }

    /// Notes a change in the audit chain of the resource's organization.
    pub(crate) async fn note<T: Entity>(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        action: &str,
        before: Option<&T>,
        after: Option<&T>,
    ) -> Result<(), Error> {
        let Some(it) = after.or(before) else { return Ok(()) };
        let value = |it: &T| {
            serde_json::to_value(it).map_err(|error| Error::internal("writing an audit entry", error))
        };
        let (before, after) = (before.map(value).transpose()?, after.map(value).transpose()?);
        // What another organization does to ours stands in both chains.
        let mut chains = vec![caller.organization, it.organization()];
        chains.dedup();
        for organization in chains.into_iter().flatten() {
            let change = Change {
                organization,
                action,
                resource: it.id().to_string(),
                before: before.clone(),
                after: after.clone(),
            };
            self.append(tx, caller, change).await?;
        }
        Ok(())
    }

    /// Raises the snapshot's revision in the transaction of the change.
    pub(crate) async fn mark(&self, tx: &mut Tx) -> Result<(), Error> {
        tx.execute(
            "UPDATE snapshot_revision SET revision = revision + 1 WHERE one = 1",
            &[],
        )
        .await?;
        Ok(())
    }

    async fn mark_if<T: Resource>(&self, tx: &mut Tx) -> Result<(), Error> {
        if T::IN_SNAPSHOT {
            self.mark(tx).await
        } else {
            Ok(())
        }
    }

    pub(crate) fn announce_if<T: Resource>(&self) {
        if T::IN_SNAPSHOT {
            self.announce();
        }
    }
}

/// Applies a JSON Merge Patch (RFC 7396) to an editable part.
pub(crate) fn parse_patch<T: Serialize + DeserializeOwned>(spec: &T, patch: &Value) -> Result<T, Error> {
    let mut spec =
        serde_json::to_value(spec).map_err(|error| Error::internal("writing an editable part", error))?;
    merge(&mut spec, patch);
    parse(spec)
}

/// The deepest that JSON may be nested. Nodes and SDKs read it with more around it, and their readers end at 128: what they
/// could not read would keep them from every later change of everybody.
const DEPTH_MAX: usize = 64;

/// Reads an editable part; what is wrong is told with its place.
pub fn parse<T: DeserializeOwned>(value: Value) -> Result<T, Error> {
    if let Some(place) = fault::deeper(&value, DEPTH_MAX) {
        let detail = format!("It is nested more than {DEPTH_MAX} deep.");
        let suggestion = "Flatten it, or keep it as a text.";
        let error = FieldError::new(&place, "field_out_of_range", detail.clone(), suggestion);
        return Err(Error::fields(Code::RequestInvalid, detail, vec![error]));
    }
    serde_path_to_error::deserialize(value).map_err(|error| {
        let pointer = pointer(error.path());
        let detail = error.into_inner().to_string();
        let suggestion = "See the operation's reference for the fields and their forms.";
        let error = FieldError::new(&pointer, "field_invalid", detail.clone(), suggestion);
        Error::fields(Code::RequestInvalid, detail, vec![error])
    })
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;

    path.iter().fold(String::new(), |mut pointer, segment| {
        pointer.push('/');
        match segment {
            Segment::Seq { index } => pointer.push_str(&index.to_string()),
            Segment::Map { key } => pointer.push_str(&fault::part(key)),
            Segment::Enum { variant } => pointer.push_str(variant),
            Segment::Unknown => pointer.push('?'),
        }
        pointer
    })
}

/// Applies a JSON Merge Patch (RFC 7396 §2).
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(serde_json::Map::new());
    }
    let Value::Object(fields) = target else { return };
    for (name, value) in patch {
        if value.is_null() {
            fields.remove(name);
        } else {
            merge(fields.entry(name.clone()).or_insert(Value::Null), value);
        }
    }
}

pub(crate) fn expect_revision(found: i64, if_match: Option<i64>) -> Result<(), Error> {
    match if_match {
        Some(wanted) if wanted != found => {
            let detail = format!("You have read revision {wanted}, by now it is {found}.");
            Err(Error::refused(Code::PreconditionFailed, detail))
        }
        _ => Ok(()),
    }
}

/// The plural that stands in operation names: `list_apis`, `list_policies`.
pub fn plural(kind: &str) -> String {
    match kind.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'i', 'o', 'u']) => format!("{stem}ies"),
        _ => format!("{kind}s"),
    }
}

#[cfg(test)]
mod tests;
