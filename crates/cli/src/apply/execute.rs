//! Makes one change on the server.

use client::{Call, segment};
use http::Method;
use serde_json::{Map, Value, json};

use super::change::{Action, Change};
use super::files::{Contract, Declared, Kind};
use super::state::State;
use crate::Error;
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
        (Action::Create, Some(contract)) => {
            import(connection, &identity, contract).await?;
            read_api(connection, &identity, state).await?;
            update(connection, declared, declared.spec.keys(), state).await?;
        }
        (Action::Create, None) => {
            let body = body(declared, declared.spec.keys(), state)?;
            let call = Call::new(Method::POST, declared.kind.path()).json(&body)?;
            state.insert(declared.kind, connection.client.send_json(call).await?)?;
        }
        (Action::Change(fields), contract) => {
            let names = fields.iter().map(|(name, ..)| name);
            update(connection, declared, names, state).await?;
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
    let body = json!({ "name": api, "document": contract.text, "publish": false });
    connection
        .client
        .send_nothing(Call::new(Method::POST, "/api/v1/apis/import").json(&body)?)
        .await?;
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
    let path = format!("/api/v1/versions/{}/contract", segment(&version.id));
    let call = Call::new(Method::PUT, path)
        .header("if-match", Some(&etag(version.revision)))
        .raw(kind, contract.text.clone().into());
    connection.client.send_nothing(call).await?;
    Ok(())
}

async fn read_api(connection: &Connection, name: &str, state: &mut State) -> Result<(), Error> {
    for api in connection.all(Kind::Api.path()).await? {
        if api.get("name").is_some_and(|other| other == name) {
            state.insert(Kind::Api, api)?;
        }
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
    if version.stage == contract.stage {
        return Ok(());
    }
    let call = Call::new(
        Method::PATCH,
        format!("/api/v1/versions/{}", segment(&version.id)),
    )
    .header("if-match", Some(&etag(version.revision)))
    .merge_patch(&json!({ "stage": contract.stage }))?;
    connection.client.send_nothing(call).await?;
    state.refresh(connection, api).await
}

/// Sends the named fields of a declaration as a merge patch.
async fn update(
    connection: &Connection,
    declared: &Declared,
    names: impl Iterator<Item = &String>,
    state: &mut State,
) -> Result<(), Error> {
    let patch = body(declared, names, state)?;
    let found = state
        .find(declared.kind, &declared.identity())
        .ok_or(Error::Answer { field: "name" })?;
    if patch.is_empty() {
        return Ok(());
    }
    let call = Call::new(
        Method::PATCH,
        format!("{}/{}", declared.kind.path(), segment(&found.id)),
    )
    .header("if-match", Some(&etag(found.revision)))
    .merge_patch(&Value::Object(patch))?;
    let changed = connection.client.send_json(call).await?;
    state.insert(declared.kind, changed)
}

/// A resource's ETag: its revision as a strong validator (RFC 9110).
fn etag(revision: i64) -> String {
    format!("\"{revision}\"")
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
            (Kind::Route, "upstream") => ("upstream_id", id(declared, Kind::Upstream, &value, state)?),
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
            (_, name) => (name, value),
        };
        body.insert(field.to_owned(), value);
    }
    // What people read is the name unless they say otherwise.
    let titled = !matches!(declared.kind, Kind::Upstream | Kind::Route | Kind::Policy);
    if titled && state.find(declared.kind, &declared.identity()).is_none() && !body.contains_key("title") {
        body.insert("title".to_owned(), declared.identity().into());
    }
    Ok(body)
}

fn list<'a>(declared: &Declared, field: &str, value: &'a Value) -> Result<&'a Vec<Value>, Error> {
    value
        .as_array()
        .ok_or_else(|| wrong(declared, format!("`{field}` is a list")))
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
