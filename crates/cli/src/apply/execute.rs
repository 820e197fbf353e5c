//! Makes one change on the server.

use client::etag;
use client::types::{
    ImportApiParams, ImportSpec, ReplaceContractParams, Stage, UpdateVersionParams, VersionPatch,
};
use serde_json::{Map, Value};

use super::change::{Action, Change};
use super::files::{Contract, Declared, Kind};
use super::flag;
use super::state::State;
use crate::Error;
use crate::flags::replacing;
use crate::session::Connection;

/// Makes one change, and keeps `state` true for those that follow.
pub(super) async fn execute(
    connection: &Connection,
    change: &Change<'_>,
    state: &mut State,
) -> Result<(), Error> {
    let declared = change.declared;
    let identity = declared.identity();
    match (&change.action, &declared.contract) {
        (Action::Create, contract) => {
            if let Some(contract) = contract {
                import(connection, &identity, contract).await?;
                read_api(connection, &identity, state).await?;
            }
            let mut body = body(declared, declared.spec.keys(), state)?;
            if let (Some(owner), false) = (change.owner, body.contains_key("managed_by")) {
                body.insert("managed_by".to_owned(), owner.into());
            }
            if contract.is_some() {
                update(connection, declared, body, state).await?;
            } else {
                let collection = declared.kind.collection();
                let body = Value::Object(body);
                let created = connection.client.create_entry(collection, &body).await?;
                state.insert(declared.kind, created)?;
            }
        }
        (Action::Change(fields), contract) => {
            let names = fields.iter().map(|(name, ..)| name);
            let patch = body(declared, names, state)?;
            update(connection, declared, patch, state).await?;
            if let Some(contract) = contract.as_ref().filter(|_| change.contract) {
                replace(connection, &identity, contract, state).await?;
            }
        }
    }
    if let Some(contract) = declared
        .contract
        .as_ref()
        .filter(|_| change.stage || change.contract)
    {
        state.refresh(connection, &identity).await?;
        set_stage(connection, &identity, contract, state).await?;
    }
    Ok(())
}

async fn import(connection: &Connection, api: &str, contract: &Contract) -> Result<(), Error> {
    let wanted = ImportSpec {
        name: Some(api.to_owned()),
        publish: Some(false),
        ..ImportSpec::new(&contract.text)
    };
    let params = ImportApiParams::default();
    connection.client.import_api(&params, &wanted).await?;
    Ok(())
}

/// A new version is imported; the document of one that exists is replaced.
async fn replace(
    connection: &Connection,
    api: &str,
    contract: &Contract,
    state: &State,
) -> Result<(), Error> {
    let Some(version) = state.version(api, Some(&contract.version)) else {
        return import(connection, api, contract).await;
    };
    let json = contract.text.trim_start().starts_with('{');
    let kind = if json {
        "application/json"
    } else {
        "application/yaml"
    };
    let params = ReplaceContractParams {
        if_match: Some(etag(version.revision)),
    };
    let document = contract.text.clone().into();
    let client = &connection.client;
    client
        .replace_contract(&version.id, &params, kind, document)
        .await?;
    Ok(())
}

async fn read_api(connection: &Connection, name: &str, state: &mut State) -> Result<(), Error> {
    let collection = Kind::Api.collection();
    let named = [("filter[name]", name)];
    for api in connection.client.entries(collection, None, &named).await? {
        state.insert(Kind::Api, api)?;
    }
    Ok(())
}

async fn set_stage(
    connection: &Connection,
    api: &str,
    contract: &Contract,
    state: &mut State,
) -> Result<(), Error> {
    let version = state
        .version(api, Some(&contract.version))
        .ok_or(Error::Answer { field: "version" })?;
    if version.stage == Stage::from(contract.stage.as_str()) {
        return Ok(());
    }
    let params = UpdateVersionParams {
        if_match: Some(etag(version.revision)),
        ..UpdateVersionParams::default()
    };
    let patch = VersionPatch {
        stage: Some(Stage::from(contract.stage.as_str())),
        ..VersionPatch::default()
    };
    connection
        .client
        .update_version(&version.id, &params, &patch)
        .await?;
    state.refresh(connection, api).await
}

/// Changes what a declaration is about by a merge patch.
async fn update(
    connection: &Connection,
    declared: &Declared,
    patch: Map<String, Value>,
    state: &mut State,
) -> Result<(), Error> {
    let found = state
        .find(declared.kind, &declared.identity())
        .ok_or(Error::Answer { field: "name" })?;
    if patch.is_empty() {
        return Ok(());
    }
    let (collection, patch) = (declared.kind.collection(), Value::Object(patch));
    let at = (found.id.as_str(), found.revision);
    let changed = connection.client.change_entry(collection, at, &patch).await?;
    state.insert(declared.kind, changed)
}

/// A value of another kind than the one that is there: a merge patch would mix the two, so the old parts are named to go.
fn of_one_kind(declared: &Declared, part: &str, value: Value, state: &State) -> Value {
    let found = state.find(declared.kind, &declared.identity());
    match found.and_then(|found| found.shown.get(part)) {
        Some(before) if before["kind"] != value["kind"] => replacing(before, &value),
        _ => value,
    }
}

/// Fields in the words of the API: ids for names.
fn body<'a>(
    declared: &Declared,
    names: impl Iterator<Item = &'a String>,
    state: &State,
) -> Result<Map<String, Value>, Error> {
    let mut body = Map::new();
    for name in names {
        let value = declared.spec.get(name).cloned().unwrap_or_default();
        let (field, value) = match (declared.kind, name.as_str()) {
            (Kind::Route, "api" | "version") => ("version_id", version(declared, &declared.spec, state)?),
            (Kind::Route, "upstream") if value.is_null() => ("upstream_id", value),
            (Kind::Route | Kind::StreamRoute, "upstream") => {
                ("upstream_id", id(declared, Kind::Upstream, &value, state)?)
            }
            (Kind::Route, part @ ("split" | "mirror")) => (part, upstreams(declared, value, state)?),
            (Kind::Segment | Kind::FeatureFlag, part) => {
                let found = state.find(declared.kind, &declared.identity());
                let before = found.and_then(|found| found.shown.get(part));
                (part, flag::patch(part, before.unwrap_or(&Value::Null), &value))
            }
            (Kind::Policy, "api") => ("api_id", id(declared, Kind::Api, &value, state)?),
            (Kind::Policy, "operation") => ("operation_id", operation(declared, &value, state)?),
            (Kind::Product, "plans") => {
                let plans = list(declared, "plans", &value)?;
                (
                    "plan_ids",
                    plans
                        .iter()
                        .map(|plan| id(declared, Kind::Plan, plan, state))
                        .collect::<Result<_, _>>()?,
                )
            }
            (Kind::Product, "versions") => {
                let versions = list(declared, "versions", &value)?;
                let empty = Map::new();
                let one = |entry: &Value| version(declared, entry.as_object().unwrap_or(&empty), state);
                ("version_ids", versions.iter().map(one).collect::<Result<_, _>>()?)
            }
            (Kind::Certificate, "pem") => ("pem", with_key(declared, value)),
            (Kind::AlertRule | Kind::AlertChannel, part @ ("condition" | "target")) => {
                (part, of_one_kind(declared, part, value, state))
            }
            (_, name) => (name, value),
        };
        body.insert(field.to_owned(), value);
    }
    // What people read is the name unless they say otherwise.
    let titled = !matches!(
        declared.kind,
        Kind::Certificate
            | Kind::Upstream
            | Kind::Route
            | Kind::Policy
            | Kind::StreamRoute
            | Kind::Segment
            | Kind::FeatureFlag
    );
    if titled && state.find(declared.kind, &declared.identity()).is_none() && !body.contains_key("title") {
        body.insert("title".to_owned(), declared.identity().into());
    }
    Ok(body)
}

/// A certificate with its private key, which goes to the server whenever the certificate does.
fn with_key(declared: &Declared, mut pem: Value) -> Value {
    if let (Some(key), Value::Object(fields)) = (&declared.private_key, &mut pem) {
        fields.insert("private_key".to_owned(), key.text().into());
    }
    pem
}

fn list<'a>(declared: &Declared, field: &str, value: &'a Value) -> Result<&'a Vec<Value>, Error> {
    value
        .as_array()
        .ok_or_else(|| wrong(declared, format!("`{field}` is a list")))
}

/// A part of a route with the ids of the upstreams that it names at any depth.
fn upstreams(declared: &Declared, part: Value, state: &State) -> Result<Value, Error> {
    Ok(match part {
        Value::Object(fields) => {
            let fields = fields.into_iter().map(|(name, value)| match name.as_str() {
                "upstream" => Ok((
                    "upstream_id".to_owned(),
                    id(declared, Kind::Upstream, &value, state)?,
                )),
                _ => Ok((name, upstreams(declared, value, state)?)),
            });
            Value::Object(fields.collect::<Result<_, Error>>()?)
        }
        Value::Array(entries) => {
            let entries = entries.into_iter().map(|entry| upstreams(declared, entry, state));
            Value::Array(entries.collect::<Result<_, _>>()?)
        }
        other => other,
    })
}

fn id(declared: &Declared, kind: Kind, name: &Value, state: &State) -> Result<Value, Error> {
    let name = name.as_str().unwrap_or_default();
    let found = state.find(kind, name);
    found
        .map(|found| found.id.clone().into())
        .ok_or_else(|| wrong(declared, format!("there is no {} `{name}`", kind.word())))
}

fn version(declared: &Declared, spec: &Map<String, Value>, state: &State) -> Result<Value, Error> {
    let text = |field: &str| spec.get(field).and_then(Value::as_str);
    let (api, name) = (text("api").unwrap_or_default(), text("version"));
    let version = state.version(api, name).map(|version| version.id.clone().into());
    version.ok_or_else(|| {
        let which = name.map_or_else(|| "any version".to_owned(), |name| format!("version `{name}`"));
        wrong(declared, format!("the API `{api}` does not have {which}"))
    })
}

fn operation(declared: &Declared, name: &Value, state: &State) -> Result<Value, Error> {
    let api = declared
        .spec
        .get("api")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let name = name.as_str().unwrap_or_default();
    let id = state.operation(api, name).map(Value::from);
    id.ok_or_else(|| wrong(declared, format!("the API `{api}` has no operation `{name}`")))
}

fn wrong(declared: &Declared, reason: String) -> Error {
    Error::Declared {
        path: declared.file.clone(),
        line: None,
        reason,
    }
}
