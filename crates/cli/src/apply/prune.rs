//! What a folder once made and no longer declares.
//!
//! Ownership is kept on the server: what a folder with a name makes carries the name in `managed_by`, and only
//! that is ever removed. What others made stays, and so does what they build on.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::fmt;

use serde_json::{Map, Value, json};

use super::files::{Folder, Kind};
use super::flag;
use super::state::{Found, State};
use crate::Error;
use crate::session::Connection;

/// What is to be removed, and what would be but for somebody who needs it.
#[derive(Debug, Default)]
pub(super) struct Pruning {
    /// In working order: nothing is removed before what refers to it.
    pub(super) removed: Vec<Removal>,
    /// What stays, and why.
    pub(super) kept: Vec<Kept>,
}

/// One resource to be removed.
#[derive(Debug)]
pub(super) struct Removal {
    kind: Kind,
    name: String,
    id: String,
    revision: i64,
}

/// One resource that is no longer declared and stays.
#[derive(Debug)]
pub(super) struct Kept {
    kind: Kind,
    name: String,
    /// Who needs it, in words.
    by: String,
}

type Key = (Kind, String);

/// Finds what the folder made and no longer declares.
pub(super) fn plan(folder: &Folder, state: &State) -> Result<Pruning, Error> {
    let Some(owner) = &folder.name else {
        return Err(Error::Nameless {
            path: folder.path.clone(),
        });
    };
    let declared: BTreeSet<Key> = folder
        .declared
        .iter()
        .map(|one| (one.kind, one.identity()))
        .collect();
    let mut removed: BTreeSet<&Key> = state
        .all()
        .filter(|(key, found)| found.managed_by() == Some(owner) && !declared.contains(key))
        .map(|(key, _)| key)
        .collect();
    let references: Vec<(&Key, BTreeSet<Key>)> = state
        .all()
        .map(|(key, found)| (key, references(key, found, folder)))
        .collect();
    let mut pruning = Pruning::default();
    // What stays keeps what it refers to, so look again until nothing more stays.
    loop {
        let needed = removed.iter().copied().find_map(|key| {
            let needs = |(by, all): &&(&Key, BTreeSet<Key>)| !removed.contains(by) && all.contains(key);
            references.iter().find(needs).map(|(by, _)| (key, *by))
        });
        let Some((key, (kind, name))) = needed else { break };
        removed.remove(key);
        pruning.kept.push(Kept {
            kind: key.0,
            name: key.1.clone(),
            by: format!("{} `{name}`", kind.word()),
        });
    }
    let found = removed_first(
        state.all().filter(|(key, _)| removed.contains(key)).collect(),
        &references,
    );
    let removal = |((kind, name), found): (&Key, &Found)| Removal {
        kind: *kind,
        name: name.clone(),
        id: found.id.clone(),
        revision: found.revision,
    };
    pruning.removed = found.into_iter().map(removal).collect();
    Ok(pruning)
}

/// In an order in which they can be removed: what refers to others first.
fn removed_first<'s>(
    mut waiting: Vec<(&'s Key, &'s Found)>,
    references: &[(&Key, BTreeSet<Key>)],
) -> Vec<(&'s Key, &'s Found)> {
    waiting.reverse();
    let mut order = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let keys: BTreeSet<&Key> = waiting.iter().map(|(key, _)| *key).collect();
        let by_those = references.iter().filter(|(by, _)| keys.contains(by));
        let needed: BTreeSet<&Key> = by_those.flat_map(|(_, all)| all).collect();
        let (free, others): (Vec<_>, Vec<_>) =
            waiting.into_iter().partition(|(key, _)| !needed.contains(key));
        // None is free in a circle only, which the server has no way to make.
        waiting = if free.is_empty() {
            Vec::new()
        } else {
            others.clone()
        };
        order.extend(if free.is_empty() { others } else { free });
    }
    // There are references that are not looked at here, and none of them leads to a later kind.
    order.sort_by_key(|(key, _)| Reverse(key.0));
    order
}

/// What a resource will refer to once the folder is applied.
fn references((kind, name): &Key, found: &Found, folder: &Folder) -> BTreeSet<Key> {
    let mut shown = found.shown.clone();
    let same = folder
        .declared
        .iter()
        .find(|one| one.kind == *kind && one.identity() == *name);
    shown.extend(same.map(|one| one.spec.clone()).unwrap_or_default());
    let mut references = BTreeSet::new();
    let mut refer = |kind: Kind, name: Option<&Value>| {
        let name = name.and_then(Value::as_str).map(str::to_owned);
        references.extend(name.map(|name| (kind, name)));
    };
    let list = |shown: &Map<String, Value>, field: &str| {
        let list = shown.get(field).and_then(Value::as_array);
        list.cloned().unwrap_or_default()
    };
    match kind {
        Kind::Route => {
            refer(Kind::Api, shown.get("api"));
            for part in ["upstream", "split", "mirror"] {
                shown
                    .get(part)
                    .into_iter()
                    .for_each(|part| upstreams(part, &mut refer));
            }
            audience(shown.get("match").and_then(|it| it.get("audience")), &mut refer);
        }
        Kind::Policy => {
            refer(Kind::Api, shown.get("api"));
            audience(shown.get("audience"), &mut refer);
            // Those of which `feature_flags` tells services.
            audience(shown.get("config"), &mut refer);
        }
        Kind::StreamRoute => refer(Kind::Upstream, shown.get("upstream")),
        Kind::Segment | Kind::FeatureFlag => references.extend(flag::needed(*kind, &shown)),
        Kind::Product => {
            for plan in list(&shown, "plans") {
                refer(Kind::Plan, Some(&plan));
            }
            for version in list(&shown, "versions") {
                refer(Kind::Api, version.get("api"));
            }
        }
        Kind::Certificate
        | Kind::Upstream
        | Kind::Api
        | Kind::Plan
        | Kind::Application
        | Kind::EventType
        | Kind::AlertChannel
        | Kind::AlertRule
        | Kind::ReportDefinition
        | Kind::ReportSchedule => {}
    }
    references
}

/// The flags and segments that an audience names.
fn audience(part: Option<&Value>, refer: &mut impl FnMut(Kind, Option<&Value>)) {
    for (field, kind) in [("flags", Kind::FeatureFlag), ("segments", Kind::Segment)] {
        let named = part.and_then(|part| part.get(field)).and_then(Value::as_array);
        for one in named.into_iter().flatten() {
            refer(kind, one.get("key"));
        }
    }
}

/// The upstreams that a part of a route names at any depth.
fn upstreams(part: &Value, refer: &mut impl FnMut(Kind, Option<&Value>)) {
    match part {
        Value::String(_) => refer(Kind::Upstream, Some(part)),
        Value::Array(entries) => entries.iter().for_each(|entry| upstreams(entry, refer)),
        Value::Object(fields) => {
            refer(Kind::Upstream, fields.get("upstream"));
            let parts = fields
                .values()
                .filter(|value| value.is_array() || value.is_object());
            parts.for_each(|value| upstreams(value, refer));
        }
        _ => {}
    }
}

impl Removal {
    /// Removes it, unless somebody has changed it since it was looked at.
    pub(super) async fn execute(&self, connection: &Connection) -> Result<(), Error> {
        let at = (self.id.as_str(), self.revision);
        let collection = self.kind.collection();
        Ok(connection.client.remove_entry(collection, at).await?)
    }

    /// The removal for scripts, in the shape of a change.
    pub(super) fn report(&self) -> Value {
        json!({ "action": "delete", "kind": self.kind.word(), "name": self.name, "id": self.id })
    }
}

impl Kept {
    /// For scripts.
    pub(super) fn report(&self) -> Value {
        json!({ "kind": self.kind.word(), "name": self.name, "needed_by": self.by })
    }
}

impl fmt::Display for Removal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "- {} {}", self.kind.word(), self.name)
    }
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, name, by) = (self.kind.word(), &self.name, &self.by);
        write!(f, "! {kind} {name} stays: {by} needs it")
    }
}
