//! What differs between the files and the server.

use std::fmt;

use client::types::Stage;
use serde_json::{Map, Value, json};

use super::files::{Declared, Folder, Kind};
use super::flag;
use super::state::{Found, State};
use crate::Error;

/// One declaration that the server does not fulfil yet.
#[derive(Debug)]
pub(super) struct Change<'a> {
    pub(super) declared: &'a Declared,
    /// The name of the folder, for what it makes.
    pub(super) owner: Option<&'a str>,
    pub(super) action: Action,
    /// Whether the contract is to be imported or replaced.
    pub(super) contract: bool,
    /// Whether the version gets another stage.
    pub(super) stage: bool,
}

/// What is to be done.
#[derive(Debug, PartialEq)]
pub(super) enum Action {
    /// There is no such resource.
    Create,
    /// These fields differ: name, before, after.
    Change(Vec<(String, Value, Value)>),
}

/// Every declaration that the server does not fulfil yet, in the order to work on them.
///
/// # Errors
/// Two folders with names do not change the same resource, or each would undo what the other does.
pub(super) fn all<'a>(folder: &'a Folder, state: &State) -> Result<Vec<Change<'a>>, Error> {
    for declared in &folder.declared {
        let found = state.find(declared.kind, &declared.identity());
        let other = found
            .and_then(Found::managed_by)
            .filter(|other| folder.name.as_ref().is_some_and(|name| name != *other));
        if let Some(other) = other.filter(|_| !declared.spec.contains_key("managed_by")) {
            let (kind, name) = (declared.kind.word(), declared.identity());
            let reason = format!(
                "{kind} `{name}` is managed by the folder `{other}`; `managed_by` in its spec takes it over"
            );
            return Err(Error::Declared {
                path: declared.file.clone(),
                line: None,
                reason,
            });
        }
    }
    let owner = folder.name.as_deref();
    let changes = folder.declared.iter().filter_map(|one| change(one, owner, state));
    Ok(changes.collect())
}

fn change<'a>(declared: &'a Declared, owner: Option<&'a str>, state: &State) -> Option<Change<'a>> {
    let identity = declared.identity();
    let (contract, stage) = declared.contract.as_ref().map_or((false, false), |contract| {
        match state.version(&identity, Some(&contract.version)) {
            None => (true, true),
            Some(version) => (
                version.sha256 != contract.sha256,
                version.stage != Stage::from(contract.stage.as_str()),
            ),
        }
    });
    let action = match state.find(declared.kind, &identity) {
        None => Action::Create,
        Some(found) => Action::Change(differences(declared, &found.shown)),
    };
    let nothing = action == Action::Change(Vec::new()) && !contract && !stage;
    (!nothing).then_some(Change {
        declared,
        owner,
        action,
        contract,
        stage,
    })
}

fn differences(declared: &Declared, shown: &Map<String, Value>) -> Vec<(String, Value, Value)> {
    let differs = |(name, after): (&String, &Value)| {
        let before = shown.get(name).cloned().unwrap_or_default();
        let is_so = match declared.kind {
            Kind::Segment | Kind::FeatureFlag => flag::holds(name, &before, after),
            _ => holds(&before, after),
        };
        (!is_so).then(|| (name.clone(), before, after.clone()))
    };
    declared.spec.iter().filter_map(differs).collect()
}

/// Whether a value already has all that is declared; in objects, what is not declared does not matter.
fn holds(before: &Value, declared: &Value) -> bool {
    match (before, declared) {
        (Value::Object(before), Value::Object(declared)) => declared
            .iter()
            .all(|(name, declared)| holds(before.get(name).unwrap_or(&Value::Null), declared)),
        (Value::Array(before), Value::Array(declared)) => {
            before.len() == declared.len()
                && before
                    .iter()
                    .zip(declared)
                    .all(|(before, declared)| holds(before, declared))
        }
        // 2 is 2.0, whoever writes it.
        (Value::Number(before), Value::Number(declared)) => {
            before == declared || before.as_f64() == declared.as_f64() && before.is_f64() != declared.is_f64()
        }
        _ => before == declared,
    }
}

impl Change<'_> {
    pub(super) fn kind(&self) -> &'static str {
        self.declared.kind.word()
    }

    pub(super) fn name(&self) -> String {
        self.declared.identity()
    }

    /// The file that declares it.
    pub(super) fn place(&self) -> String {
        self.declared.file.display().to_string()
    }

    /// The change for scripts.
    pub(super) fn report(&self) -> Value {
        let mut fields = Map::new();
        if let Action::Change(changed) = &self.action {
            for (name, before, after) in changed {
                fields.insert(name.clone(), json!({ "before": before, "after": after }));
            }
        }
        json!({
            "action": if self.action == Action::Create { "create" } else { "change" },
            "kind": self.kind(),
            "name": self.name(),
            "fields": fields,
            "contract": self.contract,
            "stage": self.stage,
        })
    }
}

impl fmt::Display for Change<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.action == Action::Create { '+' } else { '~' };
        write!(f, "{sign} {} {}", self.kind(), self.name())?;
        if let Action::Change(changed) = &self.action {
            for (name, before, after) in changed {
                if self.declared.kind == Kind::Certificate && name == "pem" && !after.is_null() {
                    write!(f, "\n    pem: another certificate")?;
                } else {
                    write!(f, "\n    {name}: {before} → {after}")?;
                }
            }
        }
        if let Some(contract) = self
            .declared
            .contract
            .as_ref()
            .filter(|_| self.contract || self.stage)
        {
            write!(
                f,
                "\n    contract: version {} as {}",
                contract.version, contract.stage
            )?;
        }
        Ok(())
    }
}
