//! What Unleash's clients get, and how its deltas change it.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{Error, FLAGS_MAX};

/// A document of features and segments.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Document {
    pub(super) features: Vec<Value>,
    pub(super) segments: Vec<Value>,
}

/// Features as they come, or as deltas.
#[derive(Debug, Deserialize)]
struct Source {
    #[serde(default)]
    features: Option<Vec<Value>>,
    #[serde(default)]
    segments: Option<Vec<Value>>,
    #[serde(default)]
    events: Option<Vec<Value>>,
}

/// A change.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase")]
enum Event {
    Hydration {
        features: Vec<Value>,
        #[serde(default)]
        segments: Vec<Value>,
    },
    FeatureUpdated {
        feature: Value,
    },
    FeatureRemoved {
        feature_name: String,
    },
    SegmentUpdated {
        segment: Value,
    },
    SegmentRemoved {
        segment_id: i64,
    },
}

impl Document {
    /// Reads a document: `{"version": 2, "features": […], "segments": […]}`, or `{"events": […]}` of a delta that begins
    /// with nothing.
    ///
    /// # Errors
    /// If it is not of that shape, or has too many features.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let source: Source = serde_json::from_str(text).map_err(|error| shape("", &error))?;
        let mut document = Self {
            features: source.features.unwrap_or_default(),
            segments: source.segments.unwrap_or_default(),
        };
        document.apply_all(source.events.unwrap_or_default())?;
        document.is_bounded()?;
        Ok(document)
    }

    /// Changes it as a delta says: `{"events": […]}` of `/api/client/delta`.
    ///
    /// # Errors
    /// If the delta is not of that shape; then nothing has changed.
    pub fn apply(&mut self, delta: &str) -> Result<(), Error> {
        let source: Source = serde_json::from_str(delta).map_err(|error| shape("", &error))?;
        let mut changed = self.clone();
        changed.apply_all(source.events.unwrap_or_default())?;
        changed.is_bounded()?;
        *self = changed;
        Ok(())
    }

    fn is_bounded(&self) -> Result<(), Error> {
        match self.features.len().max(self.segments.len()) {
            0..=FLAGS_MAX => Ok(()),
            flags => Err(Error::TooMany { flags }),
        }
    }

    fn apply_all(&mut self, events: Vec<Value>) -> Result<(), Error> {
        for (place, event) in events.into_iter().enumerate() {
            let event = Event::deserialize(event);
            self.change(event.map_err(|error| shape(&format!("/events/{place}"), &error))?);
        }
        Ok(())
    }

    fn change(&mut self, event: Event) {
        match event {
            Event::Hydration { features, segments } => *self = Self { features, segments },
            Event::FeatureUpdated { feature } => put(&mut self.features, "name", feature),
            Event::FeatureRemoved { feature_name } => {
                self.features.retain(|feature| feature["name"] != *feature_name);
            }
            Event::SegmentUpdated { segment } => put(&mut self.segments, "id", segment),
            Event::SegmentRemoved { segment_id } => {
                self.segments.retain(|segment| segment["id"] != segment_id);
            }
        }
    }
}

/// Puts something in the place of what has the same id, or behind everything.
fn put(all: &mut Vec<Value>, id: &str, new: Value) {
    match all.iter_mut().find(|one| one[id] == new[id]) {
        Some(old) => *old = new,
        None => all.push(new),
    }
}

fn shape(pointer: &str, error: &serde_json::Error) -> Error {
    Error::Shape {
        pointer: pointer.to_owned(),
        detail: error.to_string(),
    }
}

/// A feature.
#[derive(Debug, Deserialize)]
pub(super) struct Feature {
    pub(super) name: String,
    pub(super) enabled: bool,
    #[serde(default)]
    pub(super) strategies: Option<Vec<Strategy>>,
    #[serde(default)]
    pub(super) variants: Option<Vec<VariantSource>>,
    #[serde(default)]
    pub(super) dependencies: Option<Vec<Dependency>>,
}

/// When a feature is on.
#[derive(Debug, Deserialize)]
pub(super) struct Strategy {
    pub(super) name: String,
    #[serde(default)]
    pub(super) title: Option<String>,
    #[serde(default)]
    pub(super) disabled: Option<bool>,
    #[serde(default)]
    pub(super) parameters: Option<Map<String, Value>>,
    #[serde(default)]
    pub(super) constraints: Option<Vec<Constraint>>,
    #[serde(default)]
    pub(super) segments: Option<Vec<i64>>,
    #[serde(default)]
    pub(super) variants: Option<Vec<VariantSource>>,
}

/// What must hold of the context.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Constraint {
    pub(super) context_name: String,
    pub(super) operator: String,
    #[serde(default)]
    pub(super) values: Option<Vec<String>>,
    #[serde(default)]
    pub(super) value: Option<Value>,
    #[serde(default)]
    pub(super) inverted: Option<bool>,
    #[serde(default)]
    pub(super) case_insensitive: Option<bool>,
}

/// One of the values that a feature has while it is on.
#[derive(Debug, Deserialize)]
pub(super) struct VariantSource {
    pub(super) name: String,
    #[serde(default)]
    pub(super) weight: u32,
    #[serde(default)]
    pub(super) payload: Option<Payload>,
    #[serde(default)]
    pub(super) stickiness: Option<String>,
    #[serde(default)]
    pub(super) overrides: Option<Vec<OverrideSource>>,
}

/// What a variant carries.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, serde::Serialize)]
pub struct Payload {
    /// `string`, `number`, `json`, `csv`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its text.
    pub value: String,
}

/// Who gets a variant whatever their place.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OverrideSource {
    pub(super) context_name: String,
    #[serde(default)]
    pub(super) values: Vec<String>,
}

/// A parent.
#[derive(Debug, Deserialize)]
pub(super) struct Dependency {
    pub(super) feature: String,
    #[serde(default)]
    pub(super) enabled: Option<bool>,
    #[serde(default)]
    pub(super) variants: Option<Vec<String>>,
}

/// Constraints with a number.
#[derive(Debug, Deserialize)]
pub(super) struct SegmentSource {
    pub(super) id: i64,
    #[serde(default)]
    pub(super) name: Option<String>,
    #[serde(default)]
    pub(super) constraints: Option<Vec<Constraint>>,
}
