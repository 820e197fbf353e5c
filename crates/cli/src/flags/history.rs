//! `gateline flags history` and `revert`: what a flag was, and making it so again.

use client::etag;
use client::types::{FeatureFlagRevision, ListFeatureFlagRevisionsParams, Revert, RevertFeatureFlagParams};
use serde_json::{Value, json};

use super::find;
use crate::Error;
use crate::output::{Entries, Output, table};
use crate::session::Connection;

pub(super) async fn history(connection: &Connection, key: &str, output: &Output) -> Result<(), Error> {
    let flag = find(connection, key).await?;
    let params = ListFeatureFlagRevisionsParams::default();
    let data = connection
        .client
        .list_feature_flag_revisions_all(&flag.id, &params)
        .await?;
    output.answer(&Entries { data }, told);
    Ok(())
}

pub(super) async fn revert(
    connection: &Connection,
    key: &str,
    revision: i64,
    output: &Output,
) -> Result<(), Error> {
    let flag = find(connection, key).await?;
    let params = RevertFeatureFlagParams {
        if_match: Some(etag(flag.revision)),
        ..RevertFeatureFlagParams::default()
    };
    let wanted = Revert { revision };
    let changed = connection
        .client
        .revert_feature_flag(&flag.id, &params, &wanted)
        .await?;
    output.answer(&changed, |changed| {
        format!(
            "{key} is as it was in revision {revision}; this is revision {}\n",
            changed.revision
        )
    });
    Ok(())
}

fn told(revisions: &Entries<FeatureFlagRevision>) -> String {
    let rows = revisions.data.iter().enumerate().map(|(place, revision)| {
        let who = revision.actor_name.as_ref().unwrap_or(&revision.actor);
        let before = revisions.data.get(place + 1);
        let what = match before {
            Some(before) => changed(&json!(before.spec), &json!(revision.spec)).join(", "),
            None if revision.revision == 1 => "made".to_owned(),
            None => String::new(),
        };
        vec![
            revision.revision.to_string(),
            revision.at.clone(),
            who.clone(),
            what,
        ]
    });
    table(&["revision", "at", "who", "what"], rows)
}

/// The fields that differ, and of `environments` which of them.
fn changed(before: &Value, after: &Value) -> Vec<String> {
    let none = serde_json::Map::new();
    let fields = |value: &Value| value.as_object().unwrap_or(&none).clone();
    let (before, after) = (fields(before), fields(after));
    let mut names: Vec<_> = before.keys().chain(after.keys()).collect();
    names.sort();
    names.dedup();
    let differing = names
        .into_iter()
        .filter(|name| before.get(*name) != after.get(*name));
    differing
        .flat_map(|name| match name.as_str() {
            "environments" => changed(&before[name], &after[name]),
            _ => vec![name.clone()],
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::changed;

    #[test]
    fn what_differs_is_named() {
        let before = json!({ "title": "A", "owner": "B", "environments": { "one": 1, "two": 2 } });
        let after = json!({ "title": "B", "tags": ["x"], "owner": "B", "environments": { "two": 3, "three": 3, "one": 1 } });
        assert_eq!(changed(&before, &after), ["three", "two", "tags", "title"]);
        assert!(changed(&before, &before).is_empty());
    }
}
