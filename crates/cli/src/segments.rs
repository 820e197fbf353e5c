//! `gateline segments`: the audiences that flags name.

use std::collections::BTreeSet;

use clap::Subcommand;
use client::types::{ListSegmentsParams, Segment, SegmentTrial, SegmentUses};
use serde_json::{Value, json};

use crate::flags::Subject;
use crate::output::{Entries, Output, table};
use crate::session::Connection;
use crate::{Error, Exit};

/// What to do with segments; files make and change them (`gateline flags apply`).
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the segments of your organization.
    List,
    /// Show one with its condition.
    Show {
        /// The segment's key.
        key: String,
    },
    /// Show what names one: flags with their environments, other segments, routes and policies.
    Uses {
        /// The segment's key.
        key: String,
    },
    /// Say whether somebody is in a segment; exits with 1 if not.
    Try {
        /// The segment's key.
        key: String,
        #[command(flatten)]
        subject: Subject,
    },
}

pub(crate) async fn run(connection: &Connection, command: &Command, output: &Output) -> Result<Exit, Error> {
    match command {
        Command::List => output.answer(
            &Entries {
                data: all(connection).await?,
            },
            list,
        ),
        Command::Show { key } => output.answer(&find(connection, key).await?, shown),
        Command::Uses { key } => {
            let found = find(connection, key).await?;
            let uses = connection.client.read_segment_uses(&found.id).await?;
            output.answer(&uses, used);
        }
        Command::Try { key, subject } => {
            let found = find(connection, key).await?;
            let trial = SegmentTrial {
                attributes: Some(Value::Object(subject.attributes()?)),
            };
            let answer = connection.client.try_segment(&found.id, &trial).await?;
            output.answer(&answer, |answer| {
                let said = if answer.inside { "in" } else { "not in" };
                format!("they are {said} `{key}`\n")
            });
            if !answer.inside {
                return Ok(Exit::Negative);
            }
        }
    }
    Ok(Exit::Done)
}

/// All segments in the order of their keys.
pub(crate) async fn all(connection: &Connection) -> Result<Vec<Segment>, Error> {
    let params = ListSegmentsParams::default();
    let mut all = connection.client.list_segments_all(&params).await?;
    all.sort_by(|one, other| one.key.cmp(&other.key));
    Ok(all)
}

/// Those of the segments that flags name, and those that these name in turn.
pub(crate) fn needed<'f>(all: Vec<Segment>, flags: impl IntoIterator<Item = &'f Value>) -> Vec<Segment> {
    let mut keys = BTreeSet::new();
    let mut open: BTreeSet<String> = flags.into_iter().flat_map(named).collect();
    while let Some(key) = open.pop_first() {
        let found = all.iter().find(|segment| segment.key == key);
        if keys.insert(key)
            && let Some(found) = found
        {
            open.extend(named(&json!(found)));
        }
    }
    let needed = all.into_iter().filter(|segment| keys.contains(&segment.key));
    needed.collect()
}

/// The keys of the segments that a flag or a segment names.
pub(crate) fn named(spec: &Value) -> BTreeSet<String> {
    // A variant's value may look like a condition and is none.
    let parts = ["environments", "when"]
        .into_iter()
        .filter_map(|part| spec.get(part));
    parts.flat_map(named_below).collect()
}

fn named_below(value: &Value) -> BTreeSet<String> {
    match value {
        Value::Array(entries) => entries.iter().flat_map(named_below).collect(),
        Value::Object(fields) => {
            let here = fields.get("segment").and_then(Value::as_str);
            let inside = fields.values().flat_map(named_below);
            inside.chain(here.map(str::to_owned)).collect()
        }
        _ => BTreeSet::new(),
    }
}

async fn find(connection: &Connection, key: &str) -> Result<Segment, Error> {
    let params = ListSegmentsParams {
        filter_key: Some(key.to_owned()),
        ..ListSegmentsParams::default()
    };
    let found = connection.client.list_segments_all(&params).await?;
    found.into_iter().next().ok_or_else(|| Error::NotFound {
        kind: "segment",
        name: key.to_owned(),
    })
}

fn list(segments: &Entries<Segment>) -> String {
    let rows = segments.data.iter().map(|segment| {
        vec![
            segment.key.clone(),
            segment.title.clone(),
            json!(segment.when).to_string(),
        ]
    });
    table(&["key", "title", "when"], rows)
}

fn used(uses: &SegmentUses) -> String {
    let mut rows = Vec::new();
    for flag in &uses.flags {
        rows.extend(flag.environments.iter().map(|place| {
            vec![
                "flag".to_owned(),
                flag.key.clone(),
                place.environment.clone(),
                place.through.join(", "),
            ]
        }));
    }
    let row = |kind: &str, what: &str, environment: &str| {
        vec![
            kind.to_owned(),
            what.to_owned(),
            environment.to_owned(),
            String::new(),
        ]
    };
    rows.extend(uses.segments.iter().map(|it| row("segment", &it.key, "")));
    rows.extend(uses.routes.iter().map(|it| row("route", &it.id, &it.environment)));
    let policies = uses.policies.iter();
    rows.extend(policies.map(|it| row("policy", &format!("{} {}", it.kind, it.id), "")));
    table(&["kind", "what", "environment", "names"], rows.into_iter())
}

fn shown(segment: &Segment) -> String {
    let mut text = format!(
        "{} ({}), revision {}\n",
        segment.key, segment.id, segment.revision
    );
    for line in [&segment.title, &segment.description] {
        if !line.is_empty() {
            text.push_str(&format!("{line}\n"));
        }
    }
    text.push_str(&format!("{:#}\n", json!(segment.when)));
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::named;

    #[test]
    fn segments_are_found_in_conditions_only() {
        let flag = json!({
            "variants": { "a": { "segment": "value" } },
            "environments": { "production": { "rules": [
                { "when": { "all": [{ "segment": "a" }, { "not": { "any": [{ "segment": "b" }] } }] }, "serve": "a" },
                { "when": { "attribute": "segment", "op": "in", "values": ["c"] }, "serve": "a" },
            ] } },
        });
        assert_eq!(named(&flag).into_iter().collect::<Vec<_>>(), ["a", "b"]);
    }
}
