//! What flagd reads.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{Error, FLAGS_MAX};

/// A document of flags.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub struct Document {
    #[serde(deserialize_with = "flags")]
    pub(super) flags: Map<String, Value>,
    #[serde(default, rename = "$evaluators")]
    pub(super) evaluators: Map<String, Value>,
    #[serde(default)]
    metadata: Map<String, Value>,
}

/// A flag.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Flag {
    pub(super) state: State,
    pub(super) variants: Map<String, Value>,
    #[serde(default)]
    pub(super) default_variant: Option<String>,
    #[serde(default)]
    pub(super) targeting: Option<Value>,
}

/// Whether a flag is on.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum State {
    Enabled,
    Disabled,
}

impl Document {
    /// Reads a document: `{"flags": {…}, "$evaluators": {…}, "metadata": {…}}`; flags may be a list with their keys in them.
    ///
    /// # Errors
    /// If it is not of that shape, or has too many flags.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let document: Self = serde_json::from_str(text).map_err(|error| Error::Shape {
            pointer: String::new(),
            detail: error.to_string(),
        })?;
        match document.flags.len().max(document.evaluators.len()) {
            0..=FLAGS_MAX => Ok(document),
            flags => Err(Error::TooMany { flags }),
        }
    }

    /// What is told with a flag's value: the document's metadata, and the flag's own before it.
    pub fn metadata(&self, flag: &str) -> Map<String, Value> {
        let mut all = self.metadata.clone();
        let own = self.flags.get(flag).and_then(|flag| flag.get("metadata"));
        if let Some(Value::Object(own)) = own {
            all.extend(own.clone());
        }
        all
    }
}

fn flags<'de, D: serde::Deserializer<'de>>(source: D) -> Result<Map<String, Value>, D::Error> {
    match Value::deserialize(source)? {
        Value::Object(flags) => Ok(flags),
        Value::Array(list) => {
            let keyed = list.into_iter().map(|flag| match &flag["key"] {
                Value::String(key) => Ok((key.clone(), flag)),
                _ => Err(serde::de::Error::custom("a flag in a list has a `key`")),
            });
            keyed.collect()
        }
        _ => Err(serde::de::Error::custom("`flags` are an object or a list")),
    }
}
