//! `gateline apply` and `gateline diff`: a folder of YAML files says what there should be.
//!
//! A file holds one resource or a list of them, each `kind:` and `spec:`. The spec is the body of the API's
//! create call, with names where the API has ids (`api: shop`, `plans: [free]`); an API may name its `contract`
//! file. What is declared is made or changed, what is not declared is left alone: fields as well as resources.
//!
//! The way: `files` (folder to declarations) → `state` (what the server has, in the same words) → `change`
//! (what differs) → `execute` (calls that make it so).

mod change;
mod execute;
mod files;
mod state;

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use crate::output::Output;
use crate::session::Connection;
use crate::{Error, Exit};

use change::Change;
use state::State;

/// What `apply` is told.
#[derive(Debug, Args)]
pub struct ApplyArguments {
    /// The folder, or one file.
    path: PathBuf,
}

/// What `diff` is told.
#[derive(Debug, Args)]
pub struct DiffArguments {
    /// The folder, or one file.
    path: PathBuf,
}

pub(crate) async fn diff(
    connection: &Connection,
    arguments: &DiffArguments,
    output: &Output,
) -> Result<Exit, Error> {
    let declared = files::read(&arguments.path)?;
    let state = State::read(connection, &declared).await?;
    let changes = change::all(&declared, &state);
    output.answer(&report(&changes, declared.len()), |_| {
        people(&changes, declared.len(), false)
    });
    Ok(if changes.is_empty() {
        Exit::Done
    } else {
        Exit::Negative
    })
}

pub(crate) async fn apply(
    connection: &Connection,
    arguments: &ApplyArguments,
    output: &Output,
) -> Result<Exit, Error> {
    let declared = files::read(&arguments.path)?;
    let mut state = State::read(connection, &declared).await?;
    let changes = change::all(&declared, &state);
    for change in &changes {
        execute::execute(connection, change, &mut state)
            .await
            .inspect_err(|_| {
                // What was done before stays; the next run goes on from there.
                output.note(&format!(
                    "stopped at {} {} ({})",
                    change.kind(),
                    change.name(),
                    change.place()
                ));
            })?;
    }
    output.answer(&report(&changes, declared.len()), |_| {
        people(&changes, declared.len(), true)
    });
    Ok(Exit::Done)
}

fn report(changes: &[Change<'_>], declared: usize) -> Value {
    let entries: Vec<Value> = changes.iter().map(Change::report).collect();
    json!({ "changes": entries, "declared": declared })
}

fn people(changes: &[Change<'_>], declared: usize, done: bool) -> String {
    let mut text: String = changes.iter().map(|change| change.to_string() + "\n").collect();
    let tense = if done { "changed" } else { "to change" };
    text.push_str(&format!("{declared} declared, {} {tense}\n", changes.len()));
    text
}

#[cfg(test)]
mod tests;
