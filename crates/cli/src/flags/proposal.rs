//! `gateline flags propose`, `approve` and what comes after: changes that wait for somebody's yes.

use std::path::PathBuf;

use clap::Args;
use client::types::{
    ApplyFeatureFlagChangeRequestParams, ApproveFeatureFlagChangeRequestParams,
    CreateFeatureFlagChangeRequestParams, FlagChangeRequest, FlagChangeRequestSpec, FlagDecision,
    ListChangeRequestsParams, ListFeatureFlagChangeRequestsParams, RejectFeatureFlagChangeRequestParams,
    WithdrawFeatureFlagChangeRequestParams,
};
use contracts::Limits;
use serde_json::{Value, json};

use super::{State, change, find};
use crate::Error;
use crate::output::{Entries, Output, table};
use crate::session::Connection;

/// What is proposed.
#[derive(Debug, Args)]
pub struct Proposal {
    /// The flag's key.
    key: String,
    /// The environment's name, for `--on`, `--off`, `--serve`, `--split` and `--rollout`.
    #[arg(long, required_unless_present = "patch")]
    environment: Option<String>,
    #[command(flatten)]
    state: State,
    /// A file with the change as a JSON Merge Patch of the flag, in JSON or YAML.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["environment", "State"])]
    patch: Option<PathBuf>,
    /// What it is for.
    #[arg(long)]
    comment: Option<String>,
}

/// A proposed change.
#[derive(Debug, Args)]
pub struct Proposed {
    /// The flag's key.
    key: String,
    /// The change's id.
    change: String,
}

/// A proposed change, and what to say about it.
#[derive(Debug, Args)]
pub struct Decision {
    #[command(flatten)]
    proposed: Proposed,
    /// Why.
    #[arg(long)]
    comment: Option<String>,
}

pub(super) async fn propose(
    connection: &Connection,
    proposal: &Proposal,
    output: &Output,
) -> Result<(), Error> {
    let flag = find(connection, &proposal.key).await?;
    let patch = match (&proposal.patch, &proposal.environment) {
        (Some(file), _) => read(file)?,
        (None, Some(environment)) => change::patch(&flag, environment, &proposal.state)?,
        (None, None) => json!({}),
    };
    let spec = FlagChangeRequestSpec {
        comment: proposal.comment.clone(),
        ..FlagChangeRequestSpec::new(patch)
    };
    let params = CreateFeatureFlagChangeRequestParams::default();
    let made = connection
        .client
        .create_feature_flag_change_request(&flag.id, &params, &spec)
        .await?;
    output.answer(&made, |made| {
        format!(
            "{} waits for somebody's yes: gateline flags approve {} {}\n",
            made.id, proposal.key, made.id
        )
    });
    Ok(())
}

pub(super) async fn list(connection: &Connection, key: Option<&str>, output: &Output) -> Result<(), Error> {
    let client = &connection.client;
    let data = match key {
        Some(key) => {
            let flag = find(connection, key).await?;
            let params = ListFeatureFlagChangeRequestsParams::default();
            client
                .list_feature_flag_change_requests_all(&flag.id, &params)
                .await?
        }
        None => {
            let params = ListChangeRequestsParams {
                filter_pending: Some("true".into()),
                ..ListChangeRequestsParams::default()
            };
            client.list_change_requests_all(&params).await?
        }
    };
    output.answer(&Entries { data }, |all| {
        let rows = all.data.iter().map(|one| {
            let author = one.author_name.as_ref().unwrap_or(&one.author);
            vec![
                one.flag_key.clone().unwrap_or_default(),
                one.id.clone(),
                one.state.to_string(),
                author.clone(),
                one.created_at.clone(),
                json!(one.after).to_string(),
                one.comment.clone(),
            ]
        });
        table(
            &["flag", "id", "state", "author", "at", "as it is to be", "comment"],
            rows,
        )
    });
    Ok(())
}

pub(super) async fn approve(
    connection: &Connection,
    decision: &Decision,
    output: &Output,
) -> Result<(), Error> {
    let (flag, change) = place(connection, &decision.proposed).await?;
    let params = ApproveFeatureFlagChangeRequestParams::default();
    let client = &connection.client;
    let body = said(decision);
    let now = client
        .approve_feature_flag_change_request(&flag, change, &params, &body)
        .await?;
    output.answer(&now, state);
    Ok(())
}

pub(super) async fn reject(
    connection: &Connection,
    decision: &Decision,
    output: &Output,
) -> Result<(), Error> {
    let (flag, change) = place(connection, &decision.proposed).await?;
    let params = RejectFeatureFlagChangeRequestParams::default();
    let client = &connection.client;
    let body = said(decision);
    let now = client
        .reject_feature_flag_change_request(&flag, change, &params, &body)
        .await?;
    output.answer(&now, state);
    Ok(())
}

pub(super) async fn apply(
    connection: &Connection,
    proposed: &Proposed,
    output: &Output,
) -> Result<(), Error> {
    let (flag, change) = place(connection, proposed).await?;
    let params = ApplyFeatureFlagChangeRequestParams::default();
    let client = &connection.client;
    let now = client
        .apply_feature_flag_change_request(&flag, change, &params)
        .await?;
    output.answer(&now, state);
    Ok(())
}

pub(super) async fn withdraw(
    connection: &Connection,
    proposed: &Proposed,
    output: &Output,
) -> Result<(), Error> {
    let (flag, change) = place(connection, proposed).await?;
    let params = WithdrawFeatureFlagChangeRequestParams::default();
    let client = &connection.client;
    let now = client
        .withdraw_feature_flag_change_request(&flag, change, &params)
        .await?;
    output.answer(&now, state);
    Ok(())
}

/// The flag's id and the change's.
async fn place<'p>(connection: &Connection, proposed: &'p Proposed) -> Result<(String, &'p str), Error> {
    let flag = find(connection, &proposed.key).await?;
    Ok((flag.id, &proposed.change))
}

fn said(decision: &Decision) -> FlagDecision {
    FlagDecision {
        comment: decision.comment.clone(),
    }
}

fn state(change: &FlagChangeRequest) -> String {
    format!("{} is {}\n", change.id, change.state)
}

fn read(file: &PathBuf) -> Result<Value, Error> {
    let text = std::fs::read_to_string(file).map_err(|source| Error::File {
        path: file.clone(),
        source,
    })?;
    contracts::data(&text, &Limits::default()).map_err(|refusal| Error::Argument {
        reason: format!("`{}` cannot be read: {refusal}", file.display()),
    })
}

#[cfg(test)]
mod tests {
    use clap::{Parser, Subcommand as _};

    use super::Proposal;
    use crate::flags;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        proposal: Proposal,
    }

    #[test]
    fn a_change_is_said_in_one_way() {
        flags::Command::augment_subcommands(clap::Command::new("flags")).debug_assert();
        for (line, is_right) in [
            ("x a --environment production --on 50%", true),
            ("x a --patch change.yaml --comment why", true),
            ("x a", false),
            ("x a --on 50%", false),
            ("x a --environment production --on 50% --off", false),
            ("x a --environment production --patch change.yaml", false),
            ("x a --patch change.yaml --off", false),
        ] {
            let read = Line::try_parse_from(line.split(' '));
            assert_eq!(read.is_ok(), is_right, "{line}: {read:?}");
        }
    }
}
