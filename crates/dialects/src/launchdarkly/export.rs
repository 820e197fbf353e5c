//! What the REST API exports: flags with their names for people, and what they are in each environment.

use serde::Deserialize;
use serde_json::{Map, Value as Json};

use super::document::FlagSource;
use super::read::{Sources, read_sources};
use crate::{Error, Reading};

/// A flag as it is in all environments.
#[derive(Debug, Deserialize)]
struct Exported {
    variations: Vec<Variation>,
}

#[derive(Debug, Deserialize)]
struct Variation {
    #[serde(default)]
    value: Json,
    name: Option<String>,
}

/// Reads what `GET /api/v2/flags/{project}?summary=0` answers, for one of its environments; `segments` is what
/// `GET /api/v2/segments/{project}/{environment}` answers. A flag that names a segment that was not given is refused.
///
/// # Errors
/// It is not of that shape, does not have the environment, or is too large.
pub fn read_export(flags: &Json, segments: Option<&Json>, environment: &str) -> Result<Reading, Error> {
    let items = items(flags)?;
    let mut sources = Sources::new();
    let mut places = std::collections::HashMap::new();
    for (place, flag) in items.iter().enumerate() {
        let Some(key) = flag.get("key").and_then(Json::as_str) else {
            return Err(shape(format!("/items/{place}/key"), "A flag has a key."));
        };
        let Some(here) = flag.get("environments").and_then(|all| all.get(environment)) else {
            let detail = format!("There is no environment `{environment}`.");
            return Err(shape(format!("/items/{place}/environments"), &detail));
        };
        sources.insert(key, source(flag, here));
        places.insert(key, place);
    }
    let segments = segments.map(segments_of).transpose()?;
    let place = |key: &str| {
        let place = places.get(key).copied().unwrap_or_default();
        format!("/items/{place}/environments/{}", crate::part(environment))
    };
    read_sources(&sources, segments.as_ref(), place)
}

fn shape(pointer: String, detail: &str) -> Error {
    Error::Shape {
        pointer,
        detail: detail.to_owned(),
    }
}

fn items(document: &Json) -> Result<&Vec<Json>, Error> {
    let items = document.get("items").and_then(Json::as_array);
    items.ok_or_else(|| shape("/items".to_owned(), "There is no list of what was exported."))
}

/// The flag as SDKs of the environment are sent it.
fn source(flag: &Json, here: &Json) -> Result<FlagSource, String> {
    let exported = Exported::deserialize(flag).map_err(|error| error.to_string())?;
    let mut source = FlagSource::read(here, flag)?;
    let archived = flag.get("archived").and_then(Json::as_bool);
    source.deleted = archived.unwrap_or(false);
    for variation in exported.variations {
        source.variations.push(variation.value);
        source
            .names
            .push(variation.name.map(|name| name.to_lowercase().replace(' ', "-")));
    }
    Ok(source)
}

/// Segments by their keys.
fn segments_of(document: &Json) -> Result<Map<String, Json>, Error> {
    let each = items(document)?.iter().filter_map(|segment| {
        let key = segment.get("key").and_then(Json::as_str)?;
        Some((key.to_owned(), segment.clone()))
    });
    Ok(each.collect())
}
