//! `gateline apply` and `gateline diff`: a folder of YAML files says what there should be.
//!
//! A file holds one resource or a list of them, each `kind:` and `spec:`. The spec is the body of the API's
//! create call, with names where the API has ids (`api: shop`, `plans: [free]`); an API may name its `contract`
//! file, a certificate those of its chain and its private key. What is declared is made or changed, what is not declared is left alone: fields as well as resources,
//! unless `--prune` is given.
//!
//! The way: `files` (folder to declarations) → `state` (what the server has, in the same words) → `change`
//! (what differs) and `prune` (what the folder made and no longer declares) → `execute` (calls that make it so).

mod certificate;
mod change;
mod execute;
mod files;
mod flag;
mod prune;
mod state;

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use crate::confirm::confirmed;
use crate::output::Output;
use crate::session::Connection;
use crate::{Error, Exit};

use change::Change;
use files::{Folder, Kind};
use prune::{Kept, Pruning, Removal};
use state::State;

/// What `apply` is told.
#[derive(Debug, Args)]
pub struct ApplyArguments {
    #[command(flatten)]
    what: DiffArguments,
    /// Delete without asking.
    #[arg(long, short)]
    yes: bool,
}

/// What `diff` is told.
#[derive(Debug, Args)]
pub struct DiffArguments {
    /// The folder, or one file.
    path: PathBuf,
    /// Also delete what this folder made and no longer declares; needs a folder with a name.
    #[arg(long)]
    prune: bool,
}

/// What is to be done.
struct Plan<'a> {
    declared: usize,
    changes: Vec<Change<'a>>,
    pruning: Pruning,
}

pub(crate) async fn diff(
    connection: &Connection,
    arguments: &DiffArguments,
    output: &Output,
) -> Result<Exit, Error> {
    let folder = files::read(&arguments.path)?;
    let state = State::read(connection, &folder.declared, arguments.prune).await?;
    let plan = Plan::new(&folder, &state, arguments.prune)?;
    output.answer(&plan.report(), |_| plan.people(false));
    Ok(if plan.is_empty() {
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
    let (what, yes) = (&arguments.what, arguments.yes);
    let folder = files::read(&what.path)?;
    let mut state = State::read(connection, &folder.declared, what.prune).await?;
    let plan = Plan::new(&folder, &state, what.prune)?;
    let deletions = plan.pruning.removed.len();
    if deletions > 0 && !confirmed(yes, &plan.people(false), &format!("Delete {deletions} for ever?"))? {
        output.note("nothing was changed");
        return Ok(Exit::Negative);
    }
    // What was done before stays; the next run goes on from there.
    for change in &plan.changes {
        let done = execute::execute(connection, change, &mut state).await;
        let (kind, name, place) = (change.kind(), change.name(), change.place());
        done.inspect_err(|_| output.note(&format!("stopped at {kind} {name} ({place})")))?;
    }
    for removal in &plan.pruning.removed {
        let done = removal.execute(connection).await;
        done.inspect_err(|_| output.note(&format!("stopped at {removal}")))?;
    }
    output.answer(&plan.report(), |_| plan.people(true));
    Ok(Exit::Done)
}

/// As [`apply`] of one file that declares flags and segments only.
pub(crate) async fn apply_flags(
    connection: &Connection,
    file: &Path,
    output: &Output,
) -> Result<Exit, Error> {
    let folder = files::read(file)?;
    let is_other = |one: &&files::Declared| !matches!(one.kind, Kind::Segment | Kind::FeatureFlag);
    if let Some(other) = folder.declared.iter().find(is_other) {
        let reason = format!(
            "it declares more than flags: {} `{}`; `gateline apply` takes all",
            other.kind.word(),
            other.identity()
        );
        return Err(files::wrong(file, reason));
    }
    let what = DiffArguments {
        path: file.to_owned(),
        prune: false,
    };
    apply(connection, &ApplyArguments { what, yes: false }, output).await
}

impl<'a> Plan<'a> {
    fn new(folder: &'a Folder, state: &State, prune: bool) -> Result<Self, Error> {
        let pruning = if prune {
            prune::plan(folder, state)?
        } else {
            Pruning::default()
        };
        Ok(Self {
            declared: folder.declared.len(),
            changes: change::all(folder, state)?,
            pruning,
        })
    }

    fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.pruning.removed.is_empty()
    }

    fn report(&self) -> Value {
        let changes = self.changes.iter().map(Change::report);
        let removals = self.pruning.removed.iter().map(Removal::report);
        let kept: Vec<Value> = self.pruning.kept.iter().map(Kept::report).collect();
        let changes: Vec<Value> = changes.chain(removals).collect();
        json!({ "changes": changes, "declared": self.declared, "kept": kept })
    }

    fn people(&self, done: bool) -> String {
        let mut text: String = self.changes.iter().map(|one| format!("{one}\n")).collect();
        text.extend(self.pruning.removed.iter().map(|one| format!("{one}\n")));
        text.extend(self.pruning.kept.iter().map(|one| format!("{one}\n")));
        let (changed, deleted) = (self.changes.len(), self.pruning.removed.len());
        let to = if done { "" } else { "to " };
        text.push_str(&format!("{} declared, {changed} {to}change", self.declared));
        text.push_str(if done { "d" } else { "" });
        if deleted > 0 {
            text.push_str(&format!(", {deleted} {to}delete{}", if done { "d" } else { "" }));
        }
        text + "\n"
    }
}

#[cfg(test)]
mod tests;
