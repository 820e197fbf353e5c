//! What the properties of a type must be like: JSON Schema, compiled when it is saved.

use std::collections::HashMap;
use std::fmt;

use serde_json::{Map, Value};

/// The most bytes of a schema as JSON.
const SCHEMA_BYTES_MAX: usize = 64 << 10;
/// The most levels of a schema.
const SCHEMA_DEPTH_MAX: usize = 32;
/// The most parts of a schema, with its references put in.
const WEIGHT_MAX: u64 = 10_000;
/// The most things that are told about one event.
const ERRORS_MAX: usize = 10;
/// The most bytes that a pattern may take once it is compiled.
const PATTERN_BYTES_MAX: usize = 256 << 10;

/// Why a schema cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct SchemaError {
    /// JSON Pointer to the place in the schema.
    pub pointer: String,
    /// What is wrong.
    pub detail: String,
}

/// A schema that is ready to judge.
pub struct Schema(jsonschema::Validator);

/// What is wrong with properties.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mismatch {
    /// JSON Pointer to the place in the properties.
    pub(super) pointer: String,
    /// What is wrong.
    pub(super) detail: String,
}

impl Schema {
    /// Compiles a schema. It may refer to its own parts and to nothing else; patterns match in linear time.
    ///
    /// # Errors
    /// With the place and the reason.
    pub fn new(schema: &Map<String, Value>) -> Result<Self, SchemaError> {
        let schema = Value::Object(schema.clone());
        let whole = |detail: String| SchemaError {
            pointer: String::new(),
            detail,
        };
        let bytes = schema.to_string().len();
        if bytes > SCHEMA_BYTES_MAX {
            return Err(whole(format!(
                "It has {bytes} bytes; {SCHEMA_BYTES_MAX} are allowed."
            )));
        }
        if depth(&schema) > SCHEMA_DEPTH_MAX {
            return Err(whole(format!(
                "It is nested deeper than {SCHEMA_DEPTH_MAX} levels."
            )));
        }
        let mut weigher = Weigher {
            root: &schema,
            known: HashMap::new(),
            open: Vec::new(),
        };
        let weight = weigher.weigh(&schema, &mut String::new())?;
        if weight > WEIGHT_MAX {
            return Err(whole(format!(
                "With its references put in it has {weight} parts; {WEIGHT_MAX} are allowed."
            )));
        }
        let patterns = jsonschema::PatternOptions::regex().size_limit(PATTERN_BYTES_MAX);
        jsonschema::options()
            .with_pattern_options(patterns)
            .should_validate_formats(true)
            .build(&schema)
            .map(Self)
            .map_err(|error| SchemaError {
                pointer: error.instance_path().to_string(),
                detail: format!("It is not a JSON Schema: {error}."),
            })
    }

    /// What is wrong with properties; nothing if they fit.
    pub(super) fn judge(&self, properties: &Value) -> Vec<Mismatch> {
        if self.0.is_valid(properties) {
            return Vec::new();
        }
        let errors = self.0.iter_errors(properties).take(ERRORS_MAX);
        let mismatch = |error: jsonschema::ValidationError<'_>| Mismatch {
            pointer: error.instance_path().to_string(),
            detail: shortened(&error.masked().to_string()),
        };
        errors.map(mismatch).collect()
    }
}

/// Counts the parts of a schema with every reference put in, and refuses references that lead out of it or in
/// circles: so judging takes time in proportion to the schema and the properties.
struct Weigher<'a> {
    root: &'a Value,
    known: HashMap<String, u64>,
    open: Vec<String>,
}

impl<'a> Weigher<'a> {
    fn weigh(&mut self, value: &'a Value, pointer: &mut String) -> Result<u64, SchemaError> {
        let length = pointer.len();
        let mut weight = 1_u64;
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    pointer.push('/');
                    pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
                    weight = weight.saturating_add(match (name.as_str(), value) {
                        ("$ref", Value::String(target)) => self.follow(target, pointer)?,
                        ("$id" | "$dynamicRef" | "$recursiveRef", Value::String(_))
                            if name != "$id" || length > 0 =>
                        {
                            return Err(wrong(pointer, "Parts with names of their own are not supported."));
                        }
                        _ => self.weigh(value, pointer)?,
                    });
                    pointer.truncate(length);
                }
            }
            Value::Array(entries) => {
                for (index, value) in entries.iter().enumerate() {
                    pointer.push_str(&format!("/{index}"));
                    weight = weight.saturating_add(self.weigh(value, pointer)?);
                    pointer.truncate(length);
                }
            }
            _ => {}
        }
        Ok(weight)
    }

    fn follow(&mut self, target: &str, pointer: &str) -> Result<u64, SchemaError> {
        if let Some(weight) = self.known.get(target) {
            return Ok(*weight);
        }
        let found = target.strip_prefix('#').filter(|place| place.starts_with('/'));
        let Some(found) = found.and_then(|place| self.root.pointer(place)) else {
            return Err(wrong(
                pointer,
                "It leads to nothing in this schema; references begin with `#/`.",
            ));
        };
        if self.open.iter().any(|open| open == target) {
            return Err(wrong(pointer, "It leads in a circle."));
        }
        self.open.push(target.to_owned());
        let mut place = target[1..].to_owned();
        let weight = self.weigh(found, &mut place)?;
        self.open.pop();
        self.known.insert(target.to_owned(), weight);
        Ok(weight)
    }
}

fn wrong(pointer: &str, detail: &str) -> SchemaError {
    SchemaError {
        pointer: pointer.to_owned(),
        detail: detail.to_owned(),
    }
}

fn depth(value: &Value) -> usize {
    let below = match value {
        Value::Object(fields) => fields.values().map(depth).max(),
        Value::Array(entries) => entries.iter().map(depth).max(),
        _ => return 0,
    };
    1 + below.unwrap_or(0)
}

/// What is said of an event does not repeat the event.
fn shortened(text: &str) -> String {
    const CHARS_MAX: usize = 300;
    if text.chars().count() <= CHARS_MAX {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(CHARS_MAX).collect();
    short.push('…');
    short
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Schema")
    }
}
