//! `gateline flags evaluate`: what somebody would get, and why.

use std::collections::BTreeMap;

use clap::Args;
use client::types::{FlagExplanation, FlagTrial, FlagTried, TryFeatureFlagsParams};
use serde_json::{Map, Value, json};

use super::{change, find};
use crate::Error;
use crate::output::{Entries, Output, table};
use crate::session::Connection;

/// How many flags are asked about at once, of all.
const PAGE: u64 = 200;

/// Whom a flag is asked about.
#[derive(Debug, Args)]
pub struct EvaluateArguments {
    /// The flag's key.
    #[arg(required_unless_present = "all")]
    key: Option<String>,
    /// Ask about all flags of the environment.
    #[arg(long, conflicts_with_all = ["key", "explain"])]
    all: bool,
    /// Of all flags, only those that give what they give for this reason, as `split`.
    #[arg(long, requires = "all")]
    reason: Option<String>,
    /// The environment's name.
    #[arg(long)]
    environment: String,
    #[command(flatten)]
    subject: Subject,
    /// When it is asked, as `2026-11-20T00:00:00Z`; now if absent.
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Also show every step on the way.
    #[arg(long)]
    explain: bool,
}

/// What is known of somebody.
#[derive(Debug, Args)]
pub struct Subject {
    /// The user: the attribute `user_id`.
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    /// What else is known, as `country=DE`; one that is given several times is a list.
    #[arg(long = "attribute", value_name = "NAME=VALUE")]
    attributes: Vec<String>,
}

impl Subject {
    /// As the API takes it.
    pub(crate) fn attributes(&self) -> Result<Map<String, Value>, Error> {
        let mut known: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let user = self.user.iter().map(|user| ("user_id".to_owned(), user.clone()));
        let others = self.attributes.iter().map(|one| change::pair(one, "country=DE"));
        for one in user.map(Ok).chain(others) {
            let (name, value) = one?;
            known.entry(name).or_default().push(value);
        }
        let each = known.into_iter().map(|(name, values)| match values.as_slice() {
            [one] => (name, json!(one)),
            several => (name, json!(several)),
        });
        Ok(each.collect())
    }
}

pub(super) async fn evaluate(
    connection: &Connection,
    asked: &EvaluateArguments,
    output: &Output,
) -> Result<(), Error> {
    let trial = FlagTrial {
        attributes: Some(Value::Object(asked.subject.attributes()?)),
        at: asked.at.clone(),
        ..FlagTrial::new(&asked.environment)
    };
    let Some(key) = &asked.key else {
        let params = TryFeatureFlagsParams {
            limit: Some(PAGE),
            filter_reason: asked.reason.as_deref().map(Into::into),
            ..TryFeatureFlagsParams::default()
        };
        let data = connection.client.try_feature_flags_all(&params, &trial).await?;
        let told = data
            .iter()
            .map(|one| with_nulls(json!(one), &["rule", "assignment_id", "by"]));
        let told = Entries {
            data: told.collect::<Vec<_>>(),
        };
        output.answer(&told, |_| list(&data));
        return Ok(());
    };
    let found = find(connection, key).await?;
    let got = connection.client.try_feature_flag(&found.id, &trial).await?;
    let mut told = with_nulls(json!(got), &["rule", "assignment_id"]);
    if let Some(fields) = told.as_object_mut().filter(|_| !asked.explain) {
        fields.remove("steps");
    }
    output.answer(&told, |_| explained(&got, asked.explain));
    Ok(())
}

/// What there is none of is `null`, as the server says it.
fn with_nulls(mut told: Value, fields: &[&str]) -> Value {
    for field in fields {
        if told.get(field).is_none() {
            told[field] = Value::Null;
        }
    }
    told
}

fn list(flags: &[FlagTried]) -> String {
    let rows = flags.iter().map(|got| {
        vec![
            got.key.clone(),
            got.variant.clone(),
            got.value.to_string(),
            got.reason.clone(),
            got.rule.clone().unwrap_or_default(),
            got.by.clone().unwrap_or_default(),
        ]
    });
    table(&["flag", "variant", "value", "reason", "rule", "split by"], rows)
}

fn explained(got: &FlagExplanation, with_steps: bool) -> String {
    let rule = got
        .rule
        .as_ref()
        .map_or(String::new(), |rule| format!(", rule {rule}"));
    let mut text = format!(
        "{}: {} = {} ({}{rule}, version {})\n",
        got.key, got.variant, got.value, got.reason, got.flag_version
    );
    if with_steps {
        let rows = got.steps.iter().map(|step| {
            let holds = if step.holds { "yes" } else { "no" };
            vec![step.pointer.clone(), holds.to_owned(), step.detail.clone()]
        });
        text.push('\n');
        text.push_str(&table(&["looked at", "holds", "why"], rows));
    }
    text
}
