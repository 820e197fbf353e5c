//! `gateline flags`: make flags, say who gets which variant, and see what somebody would get.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use client::Collection;
use client::types::{FeatureFlag, ListFeatureFlagsParams};
use serde_json::{Map, Value, json};

use crate::output::{Entries, Output, table};
use crate::session::Connection;
use crate::{Error, Exit, apply, segments};

mod change;
mod convert;
mod evaluate;
mod history;
mod left_out;
mod proposal;
mod rollout;
mod scan;
mod yaml;

pub(crate) use change::replacing;
pub(crate) use evaluate::Subject;

/// What to do with feature flags.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a flag.
    Create(CreateArguments),
    /// Change who gets which variant of a flag in an environment.
    Set {
        /// The flag's key.
        key: String,
        /// The environment's name.
        #[arg(long)]
        environment: String,
        #[command(flatten)]
        state: State,
    },
    /// List the flags of your organization.
    List(ListArguments),
    /// Show what somebody would get; nothing is recorded.
    Evaluate(evaluate::EvaluateArguments),
    /// Show what a flag was: who changed what, and when.
    History {
        /// The flag's key.
        key: String,
    },
    /// Make a flag as it was after an earlier change.
    Revert {
        /// The flag's key.
        key: String,
        /// That change's revision, as `history` shows it.
        #[arg(long, value_name = "REVISION")]
        to: i64,
    },
    /// Propose a change that waits for somebody's yes, as it is needed in a protected environment.
    Propose(proposal::Proposal),
    /// List the proposed changes of a flag, or those of all flags that wait for something.
    Proposed {
        /// The flag's key; all flags if absent.
        key: Option<String>,
    },
    /// Say yes to what somebody else has proposed.
    Approve(proposal::Decision),
    /// Say no to what was proposed.
    Reject(proposal::Decision),
    /// Take back what you have proposed.
    Withdraw(proposal::Proposed),
    /// Make a flag as it was proposed and approved.
    ApplyChange(proposal::Proposed),
    /// Find out where programs name flags, and which flags nobody names.
    Scan(scan::Arguments),
    /// List flags that SDKs of other products are not given, because they would give somebody another variant.
    LeftOut(left_out::Arguments),
    /// Print flags of another product as a file for `apply`: everybody keeps the variant that they have.
    Convert(convert::Arguments),
    /// Make flags and segments as a file says: `flags:` and `segments:` with their keys.
    Apply {
        /// The file.
        file: PathBuf,
    },
    /// Print all flags and segments as a file for `apply`.
    Export {
        /// Only these flags, by key, and the segments that they need; all if none is named.
        keys: Vec<String>,
    },
}

/// Which flags are listed.
#[derive(Debug, Args)]
pub struct ListArguments {
    /// Only those with this tag.
    #[arg(long)]
    tag: Option<String>,
    /// Only those of this owner.
    #[arg(long)]
    owner: Option<String>,
    /// Only those that are in this environment.
    #[arg(long)]
    environment: Option<String>,
    /// Only those that nobody may need any more, and why.
    #[arg(long)]
    stale: bool,
}

/// A flag that is to be made.
#[derive(Debug, Args)]
pub struct CreateArguments {
    /// What programs ask for.
    key: String,
    /// What values it has.
    #[arg(long, value_enum, default_value = "boolean")]
    r#type: Type,
    /// A variant and its value, as `blue="#00f"`; `on` and `off` of a boolean flag if absent. Can be repeated.
    #[arg(long = "variant", value_name = "NAME=VALUE")]
    variants: Vec<String>,
    /// What people read.
    #[arg(long)]
    title: Option<String>,
    /// What it switches.
    #[arg(long)]
    description: Option<String>,
    /// The environment in which it is to be asked for.
    #[arg(long)]
    environment: Option<String>,
    #[command(flatten)]
    state: State,
}

/// Who gets which variant when no rule fits.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub struct State {
    /// On, with the variant `on` for this share of all, as `10%`.
    #[arg(long, value_name = "PERCENT")]
    on: Option<String>,
    /// Off: everybody gets the variant `off`.
    #[arg(long)]
    off: bool,
    /// On, with this variant for everybody.
    #[arg(long, value_name = "VARIANT")]
    serve: Option<String>,
    /// On, with these shares in percent, as `a=20,b=80`.
    #[arg(long, value_name = "SHARES")]
    split: Option<String>,
    /// On, with the variant `on` for a share of all that grows, as `5%@2026-12-01T00:00:00Z,100%@2026-12-08T00:00:00Z`; until
    /// the first of these it is what it is now.
    #[arg(long, value_name = "STEPS")]
    rollout: Option<String>,
    /// The same, growing in a straight line from each step to the next.
    #[arg(long, value_name = "STEPS")]
    smooth_rollout: Option<String>,
}

/// What values a flag has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Type {
    /// `true` and `false`.
    Boolean,
    /// Texts.
    String,
    /// Numbers.
    Number,
    /// Any JSON.
    Json,
}

impl Type {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Boolean => "boolean",
            Self::String => "string",
            Self::Number => "number",
            Self::Json => "json",
        }
    }
}

pub(crate) async fn run(connection: &Connection, command: &Command, output: &Output) -> Result<Exit, Error> {
    match command {
        Command::Create(arguments) => create(connection, arguments, output).await?,
        Command::Set {
            key,
            environment,
            state,
        } => set(connection, (key, environment), state, output).await?,
        Command::List(wanted) => {
            let params = ListFeatureFlagsParams {
                filter_tag: wanted.tag.clone(),
                filter_owner: wanted.owner.clone(),
                filter_environment: wanted.environment.clone(),
                filter_stale: wanted.stale.then(|| "true".into()),
                ..ListFeatureFlagsParams::default()
            };
            let data = connection.client.list_feature_flags_all(&params).await?;
            output.answer(&Entries { data }, list);
        }
        Command::Evaluate(arguments) => evaluate::evaluate(connection, arguments, output).await?,
        Command::History { key } => history::history(connection, key, output).await?,
        Command::Revert { key, to } => history::revert(connection, key, *to, output).await?,
        Command::Propose(proposal) => proposal::propose(connection, proposal, output).await?,
        Command::Proposed { key } => proposal::list(connection, key.as_deref(), output).await?,
        Command::Approve(decision) => proposal::approve(connection, decision, output).await?,
        Command::Reject(decision) => proposal::reject(connection, decision, output).await?,
        Command::Withdraw(proposed) => proposal::withdraw(connection, proposed, output).await?,
        Command::ApplyChange(proposed) => proposal::apply(connection, proposed, output).await?,
        Command::Scan(arguments) => return scan::run(connection, arguments, output).await,
        Command::LeftOut(arguments) => left_out::run(connection, arguments, output).await?,
        Command::Convert(arguments) => return convert::run(arguments, output),
        Command::Apply { file } => return apply::apply_flags(connection, file, output).await,
        Command::Export { keys } => export(connection, keys, output).await?,
    }
    Ok(Exit::Done)
}

fn collection() -> &'static Collection {
    Collection::named("feature-flags").expect("the API has flags; a test says so")
}

/// Finds a flag by its key.
async fn find(connection: &Connection, key: &str) -> Result<FeatureFlag, Error> {
    let params = ListFeatureFlagsParams {
        filter_key: Some(key.to_owned()),
        ..ListFeatureFlagsParams::default()
    };
    let found = connection.client.list_feature_flags_all(&params).await?;
    found.into_iter().next().ok_or_else(|| Error::NotFound {
        kind: "feature-flag",
        name: key.to_owned(),
    })
}

async fn create(connection: &Connection, wanted: &CreateArguments, output: &Output) -> Result<(), Error> {
    let mut spec = json!({ "key": wanted.key, "type": wanted.r#type.as_str() });
    let texts = [("title", &wanted.title), ("description", &wanted.description)];
    for (name, text) in texts {
        if let Some(text) = text {
            spec[name] = json!(text);
        }
    }
    let mut variants = change::usual_variants();
    if !wanted.variants.is_empty() {
        variants = change::variants(&wanted.variants, wanted.r#type)?;
        spec["variants"] = json!(variants);
    }
    match &wanted.environment {
        Some(environment) => {
            let off = wanted.variants.first().and_then(|one| one.split('=').next());
            let off = if variants.contains_key("off") {
                "off"
            } else {
                off.unwrap_or("off")
            };
            let targeting = change::targeting(None, off, &wanted.state)?;
            spec["environments"] = json!({ environment: targeting });
        }
        None if wanted.state.is_given() => {
            let reason = "who gets which variant is said per environment: `--environment` is missing";
            return Err(Error::Argument {
                reason: reason.to_owned(),
            });
        }
        None => {}
    }
    let made = connection.client.create_entry(collection(), &spec).await?;
    output.answer(&made, |made| {
        format!("{} ({}) is made\n", text(made, "key"), text(made, "id"))
    });
    Ok(())
}

async fn set(
    connection: &Connection,
    (key, environment): (&str, &str),
    state: &State,
    output: &Output,
) -> Result<(), Error> {
    let found = find(connection, key).await?;
    let patch = change::patch(&found, environment, state)?;
    let at = (found.id.as_str(), found.revision);
    let changed = connection.client.change_entry(collection(), at, &patch).await?;
    output.answer(&changed, |changed| {
        let state = change::in_words(&changed["environments"][environment]);
        format!("{key} in {environment}: {state}\n")
    });
    Ok(())
}

async fn export(connection: &Connection, keys: &[String], output: &Output) -> Result<(), Error> {
    let mut all = connection
        .client
        .list_feature_flags_all(&ListFeatureFlagsParams::default())
        .await?;
    if let Some(missing) = keys.iter().find(|key| !all.iter().any(|flag| flag.key == **key)) {
        return Err(Error::NotFound {
            kind: "feature-flag",
            name: missing.clone(),
        });
    }
    all.retain(|flag| keys.is_empty() || keys.contains(&flag.key));
    all.sort_by(|one, other| one.key.cmp(&other.key));
    let flags: Map<String, Value> = all
        .iter()
        .map(|flag| (flag.key.clone(), yaml::declared(&json!(flag))))
        .collect();
    let segments = match keys {
        [] => segments::all(connection).await?,
        _ => segments::needed(segments::all(connection).await?, flags.values()),
    };
    let mut file = json!({ "flags": flags });
    if !segments.is_empty() {
        let declared = segments
            .iter()
            .map(|it| (it.key.clone(), yaml::declared_segment(&json!(it))));
        file["segments"] = Value::Object(declared.collect());
    }
    output.text(&match output.is_for_people() {
        true => yaml::write(&file)?,
        false => format!("{file:#}\n"),
    });
    Ok(())
}

fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value[field].as_str().unwrap_or_default()
}

fn list(flags: &Entries<FeatureFlag>) -> String {
    let rows = flags.data.iter().map(|flag| {
        let environments = json!(flag.environments);
        let states = environments.as_object().into_iter().flatten();
        let states: Vec<_> = states
            .map(|(name, targeting)| format!("{name}: {}", change::in_words(targeting)))
            .collect();
        vec![
            flag.key.clone(),
            flag.title.clone(),
            flag.r#type.to_string(),
            states.join("; "),
            flag.owner.clone(),
            flag.tags.join(", "),
            flag.stale.as_ref().map(ToString::to_string).unwrap_or_default(),
        ]
    });
    let header = ["key", "title", "type", "environments", "owner", "tags", "stale"];
    table(&header, rows)
}
