//! The wire of GrowthBook's SDKs: features with their rules for those who evaluate by themselves, values for pages.
//!
//! What a feature means is in [`dialects::growthbook`]. Source: GrowthBook's documentation of SDK endpoints and remote
//! evaluation.

use dialects::growthbook::{Payload, crypt};
use domain::Timestamp;
use domain::id::SdkKeyId;
use serde_json::{Map, Value, json};

use crate::answer::Evaluated;
use crate::attributes::{Attributes, QuestionFault};
use crate::set::{Asker, Set};

pub use crypt::Iv;
pub use dialects::growthbook::decrypted;

/// How many beginnings an encryption takes, each unforeseeable and used once.
pub const IVS: usize = 4;
/// The payload where there are no flags.
pub const NOTHING: &[u8] = br#"{"features":{},"experiments":[],"savedGroups":{}}"#;
const PURPOSE: &[u8] = b"gateline growthbook payload, 1";

/// What features are encrypted with for the holder of an SDK key, in base 64: it follows from the cluster's token, so control
/// plane and nodes know it, and whoever sees the SDK key does not.
pub fn payload_key(cluster_token: &str, key: SdkKeyId) -> String {
    crypt::derived(cluster_token.as_bytes(), &[PURPOSE, key.uuid().as_bytes()])
}

/// A payload as SDKs with a `decryptionKey` get it.
///
/// # Errors
/// The key is none.
pub fn encrypted(plain: &[u8], key: &str, ivs: [Iv; IVS]) -> Result<Vec<u8>, crypt::Error> {
    let plain = serde_json::from_slice(plain).unwrap_or_default();
    let payload = Payload::of(&plain).to_encrypted_json(key, ivs)?;
    Ok(Value::Object(payload).to_string().into_bytes())
}

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

/// What somebody gets, as features: `{"status": 200, "features": {key: {"defaultValue": value}}}`. Where a split decided, a rule
/// forces the value as well and says what a page is to track, as GrowthBook's own remote evaluation does.
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
            features.insert(found.key.to_owned(), feature(set, &found, attributes));
        });
    }
    serde_json::to_vec(&json!({ "status": 200, "features": Value::Object(features), "experiments": [] }))
}

fn feature(set: &Set, found: &Evaluated<'_>, attributes: &Attributes<'_>) -> Value {
    match track(set, found, attributes) {
        None => json!({ "defaultValue": found.value }),
        Some(track) => {
            let rule = json!({ "force": found.value, "tracks": [track] });
            json!({ "defaultValue": found.value, "rules": [rule] })
        }
    }
}

/// The experiment that decided, and its result; none if who it is made no difference. Of the other variations only that there
/// are some: pages are told what they get and nothing else.
fn track(set: &Set, found: &Evaluated<'_>, attributes: &Attributes<'_>) -> Option<Value> {
    let by = found.by?;
    let unit = attributes.text(by)?;
    let (variants, _) = set.variants(Asker::Anybody, found.key)?;
    let place = variants.clone().position(|(name, _)| name == found.variant)?;
    let count = variants.count();
    // What came from GrowthBook is called by its place there.
    let own = found.variant.parse().ok().filter(|own| *own < count);
    let place = own.unwrap_or(place);
    let mut variations = vec![Value::Null; count];
    variations[place] = found.value.clone();
    Some(json!({
        "experiment": { "key": set.experiment(found), "variations": variations, "hashAttribute": by },
        "result": {
            "key": found.variant, "variationId": place, "value": found.value, "featureId": found.key,
            "inExperiment": true, "hashUsed": true, "hashAttribute": by, "hashValue": unit,
            "stickyBucketUsed": false,
        },
    }))
}

#[cfg(test)]
mod tests;
