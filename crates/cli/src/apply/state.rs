//! What the server has, in the words of files.

use std::collections::{BTreeMap, BTreeSet};

use client::types::{ListContractsParams, ListVersionOperationsParams, ListVersionsParams, Stage};
use serde_json::{Map, Value, json};

use super::files::{Declared, Kind, identity};
use crate::Error;
use crate::session::Connection;

/// A resource of the server.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) id: String,
    pub(super) revision: i64,
    /// Its spec with names instead of ids.
    pub(super) shown: Map<String, Value>,
}

impl Found {
    /// The folder that made it.
    pub(super) fn managed_by(&self) -> Option<&String> {
        match self.shown.get("managed_by") {
            Some(Value::String(name)) => Some(name),
            _ => None,
        }
    }
}

/// A version of an API.
#[derive(Debug, Clone)]
pub(super) struct Version {
    pub(super) id: String,
    pub(super) api: String,
    pub(super) name: String,
    pub(super) stage: Stage,
    pub(super) revision: i64,
    /// SHA-256 of its contract; only read when a file declares one.
    pub(super) sha256: String,
}

/// The part of the server's resources that declarations may be about.
#[derive(Debug, Default)]
pub(super) struct State {
    found: BTreeMap<(Kind, String), Found>,
    /// The newest of an API first.
    pub(super) versions: Vec<Version>,
    /// Operations of APIs that policies name: version's id, operation's id and name.
    operations: Vec<(String, String, String)>,
}

/// A field that holds an id on the server and a name in files.
const REFERENCES: [(&str, &str, Kind); 3] = [
    ("api_id", "api", Kind::Api),
    ("upstream_id", "upstream", Kind::Upstream),
    ("plan_id", "plan", Kind::Plan),
];

impl State {
    /// Reads what the declarations need to be compared with, or `everything` that could be declared.
    pub(super) async fn read(
        connection: &Connection,
        declared: &[Declared],
        everything: bool,
    ) -> Result<Self, Error> {
        let mut state = Self::default();
        // Everything that others refer to, and whatever is declared.
        let referred = [Kind::Upstream, Kind::Api, Kind::Plan];
        for kind in Kind::ALL {
            let needed = everything || referred.contains(&kind);
            if !needed && !declared.iter().any(|one| one.kind == kind) {
                continue;
            }
            if kind == Kind::Plan {
                state.read_versions(connection, declared).await?;
            }
            let resources = connection.client.entries(kind.collection(), None, &[]).await?;
            if kind == Kind::Policy {
                let there = resources.iter().filter(|_| everything);
                state.read_operations(connection, declared, there).await?;
            }
            for resource in resources {
                state.insert(kind, resource)?;
            }
        }
        Ok(state)
    }

    /// Takes up a resource as the server gave it.
    pub(super) fn insert(&mut self, kind: Kind, resource: Value) -> Result<(), Error> {
        let id = resource
            .get("id")
            .and_then(Value::as_str)
            .ok_or(Error::Answer { field: "id" })?
            .to_owned();
        let revision = resource
            .get("revision")
            .and_then(Value::as_i64)
            .ok_or(Error::Answer { field: "revision" })?;
        let Value::Object(mut shown) = resource else {
            return Err(Error::Answer { field: "id" });
        };
        for (field, word, target) in REFERENCES {
            if let Some(Value::String(id)) = shown.remove(field) {
                shown.insert(word.to_owned(), self.name_of(target, &id).into());
            }
        }
        self.show_lists(&mut shown);
        if kind == Kind::Route {
            for part in shown.values_mut() {
                self.show_upstreams(part);
            }
        }
        // An id that a file cannot know makes way for the name; `api` follows from the version.
        if let Some(Value::String(version)) = shown.remove("version_id") {
            let version = self.versions.iter().find(|one| one.id == version);
            shown.insert("version".to_owned(), version.map(|one| one.name.clone()).into());
        }
        if let Some(Value::String(operation)) = shown.remove("operation_id") {
            let known = self.operations.iter().find(|(_, id, _)| *id == operation);
            shown.insert(
                "operation".to_owned(),
                known.map_or(operation, |(_, _, name)| name.clone()).into(),
            );
        }
        let identity = identity(kind, &shown);
        self.found.insert((kind, identity), Found { id, revision, shown });
        Ok(())
    }

    /// Products list versions and plans.
    fn show_lists(&self, shown: &mut Map<String, Value>) {
        if let Some(Value::Array(ids)) = shown.remove("plan_ids") {
            let names = ids
                .iter()
                .filter_map(Value::as_str)
                .map(|id| self.name_of(Kind::Plan, id))
                .collect::<Vec<_>>();
            shown.insert("plans".to_owned(), names.into());
        }
        if let Some(Value::Array(ids)) = shown.remove("version_ids") {
            let shown_as = |id: &str| {
                let version = self.versions.iter().find(|one| one.id == id);
                version.map_or_else(|| json!(id), |one| json!({ "api": one.api, "version": one.name }))
            };
            let versions: Vec<Value> = ids.iter().filter_map(Value::as_str).map(shown_as).collect();
            shown.insert("versions".to_owned(), versions.into());
        }
    }

    /// Parts of a route name upstreams at any depth.
    fn show_upstreams(&self, part: &mut Value) {
        match part {
            Value::Object(fields) => {
                fields.values_mut().for_each(|value| self.show_upstreams(value));
                if let Some(Value::String(id)) = fields.remove("upstream_id") {
                    fields.insert("upstream".to_owned(), self.name_of(Kind::Upstream, &id).into());
                }
            }
            Value::Array(entries) => entries.iter_mut().for_each(|entry| self.show_upstreams(entry)),
            _ => {}
        }
    }

    /// Every resource that was read, in working order.
    pub(super) fn all(&self) -> impl Iterator<Item = (&(Kind, String), &Found)> {
        self.found.iter()
    }

    /// The resource that a declaration is about.
    pub(super) fn find(&self, kind: Kind, identity: &str) -> Option<&Found> {
        self.found.get(&(kind, identity.to_owned()))
    }

    /// A version of an API by name, or its newest.
    pub(super) fn version(&self, api: &str, name: Option<&str>) -> Option<&Version> {
        self.versions
            .iter()
            .find(|one| one.api == api && name.is_none_or(|name| one.name == name))
    }

    /// The id of an operation by its name, in the newest version of an API that has it.
    pub(super) fn operation(&self, api: &str, name: &str) -> Option<&str> {
        let mut versions = self.versions.iter().filter(|one| one.api == api);
        versions.find_map(|version| {
            let same = |(of, _, known): &&(String, String, String)| *of == version.id && known == name;
            self.operations.iter().find(same).map(|(_, id, _)| id.as_str())
        })
    }

    /// Reads versions and operations of one API anew, after its contract was imported.
    pub(super) async fn refresh(&mut self, connection: &Connection, api: &str) -> Result<(), Error> {
        self.versions.retain(|one| one.api != api);
        self.read_versions_of(connection, api, true).await?;
        self.read_operations_of(connection, api).await
    }

    async fn read_versions(&mut self, connection: &Connection, declared: &[Declared]) -> Result<(), Error> {
        let names: Vec<String> = self
            .found
            .keys()
            .filter(|(kind, _)| *kind == Kind::Api)
            .map(|(_, name)| name.clone())
            .collect();
        for name in names {
            let contract =
                |one: &Declared| one.kind == Kind::Api && one.contract.is_some() && one.identity() == name;
            self.read_versions_of(connection, &name, declared.iter().any(contract))
                .await?;
        }
        Ok(())
    }

    async fn read_versions_of(
        &mut self,
        connection: &Connection,
        api: &str,
        sums: bool,
    ) -> Result<(), Error> {
        let Some(id) = self.find(Kind::Api, api).map(|found| found.id.clone()) else {
            return Ok(());
        };
        let params = ListVersionsParams::default();
        for version in connection.client.list_versions_all(&id, &params).await? {
            let sha256 = if sums {
                newest_sum(connection, &version.id).await?
            } else {
                String::new()
            };
            self.versions.push(Version {
                api: api.to_owned(),
                name: version.name,
                stage: version.stage,
                revision: version.revision,
                sha256,
                id: version.id,
            });
        }
        Ok(())
    }

    /// Reads the operations of APIs on which policies for one operation are declared, or are `there`.
    async fn read_operations(
        &mut self,
        connection: &Connection,
        declared: &[Declared],
        there: impl Iterator<Item = &Value>,
    ) -> Result<(), Error> {
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
        let policies = declared
            .iter()
            .filter(|one| one.kind == Kind::Policy && one.spec.contains_key("operation"));
        let mut apis: BTreeSet<String> = policies.filter_map(|one| text(one.spec.get("api"))).collect();
        let there = there.filter(|policy| policy.get("operation_id").is_some_and(Value::is_string));
        let ids: Vec<String> = there.filter_map(|policy| text(policy.get("api_id"))).collect();
        apis.extend(ids.iter().map(|id| self.name_of(Kind::Api, id)));
        for api in apis {
            self.read_operations_of(connection, &api).await?;
        }
        Ok(())
    }

    async fn read_operations_of(&mut self, connection: &Connection, api: &str) -> Result<(), Error> {
        let versions: Vec<String> = self
            .versions
            .iter()
            .filter(|one| one.api == api)
            .map(|one| one.id.clone())
            .collect();
        for version in versions {
            let params = ListVersionOperationsParams::default();
            let operations = connection
                .client
                .list_version_operations_all(&version, &params)
                .await?;
            let named = operations
                .into_iter()
                .map(|operation| (version.clone(), operation.id, operation.name));
            self.operations.extend(named);
        }
        Ok(())
    }

    /// The name of what has this id; the id itself if it is unknown here.
    fn name_of(&self, kind: Kind, id: &str) -> String {
        let known = self
            .found
            .iter()
            .find(|((of, _), found)| *of == kind && found.id == id);
        known.map_or_else(|| id.to_owned(), |((_, name), _)| name.clone())
    }
}

/// The checksum of the contract in force.
async fn newest_sum(connection: &Connection, version: &str) -> Result<String, Error> {
    let params = ListContractsParams {
        limit: Some(1),
        ..ListContractsParams::default()
    };
    let newest = connection.client.list_contracts(version, &params).await?;
    let newest = newest.data.into_iter().next();
    Ok(newest.map(|contract| contract.sha256).unwrap_or_default())
}
