//! The wire of GrowthBook's SDKs: features with their rules for those who evaluate by themselves, values for pages.
//!
//! What a feature means is in [`dialects::growthbook`]. Source: GrowthBook's documentation of SDK endpoints and remote
//! evaluation.

use domain::Timestamp;
use serde_json::{Map, Value, json};

use crate::attributes::{Attributes, QuestionFault};
use crate::set::{Asker, Set};

/// The payload where there are no flags.
pub const NOTHING: &[u8] = br#"{"features":{}}"#;

/// The event that tells SDKs to ask again.
pub fn updated(tag: &str) -> String {
    format!("id: {tag}\nevent: features-updated\ndata: {{\"etag\":\"{tag}\"}}\n\n")
}

/// Reads `{"attributes": {…}}`; what is nested is there under its path, and `id` is `user_id` as well unless that is there
/// too. What SDKs force is forced by them.
///
/// # Errors
/// It is no JSON, no object, or there are too many attributes.
pub fn attributes(body: &[u8]) -> Result<Attributes<'_>, QuestionFault> {
    Attributes::nested(body, "attributes", "id")
}

/// What somebody gets, as features without rules: `{"status": 200, "features": {key: {"defaultValue": value}}}`.
///
/// # Errors
/// Those of writing JSON.
pub fn values(
    set: Option<&Set>,
    asker: Asker,
    attributes: &Attributes<'_>,
    now: Timestamp,
) -> serde_json::Result<Vec<u8>> {
    let mut features = Map::new();
    if let Some(set) = set {
        set.each(asker, (None, attributes), now, |found| {
            features.insert(found.key.to_owned(), json!({ "defaultValue": found.value }));
        });
    }
    serde_json::to_vec(&json!({ "status": 200, "features": Value::Object(features), "experiments": [] }))
}

#[cfg(test)]
mod tests;
