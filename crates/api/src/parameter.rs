//! What an endpoint takes beside its body.

use serde_json::{Value, json};

/// Where a parameter stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the path.
    Path,
    /// In the query.
    Query,
    /// A header.
    Header,
}

/// One parameter.
#[derive(Debug, Clone)]
pub(crate) struct Parameter {
    /// Its name.
    pub(crate) name: String,
    /// Where it stands.
    pub(crate) place: Place,
    /// What it does.
    pub(crate) description: String,
    /// Its form.
    pub(crate) schema: Value,
    /// Whether it must be there.
    pub(crate) required: bool,
}

impl Parameter {
    fn new(place: Place, name: &str, description: &str, schema: Value) -> Self {
        Self {
            name: name.to_owned(),
            place,
            description: description.to_owned(),
            schema,
            required: place == Place::Path,
        }
    }

    /// A part of the path.
    pub(crate) fn path(name: &str, description: &str, schema: Value) -> Self {
        Self::new(Place::Path, name, description, schema)
    }

    /// A query parameter that may be absent.
    pub(crate) fn query(name: &str, description: &str, schema: Value) -> Self {
        Self::new(Place::Query, name, description, schema)
    }

    /// A header that may be absent.
    pub(crate) fn header(name: &str, description: &str, schema: Value) -> Self {
        Self::new(Place::Header, name, description, schema)
    }

    /// Free text to search names and titles with.
    pub(crate) fn search() -> Self {
        Self::query(
            "q",
            "Only entries whose name or title contains this text, whatever its case.",
            text(200),
        )
    }

    /// The parameters of every list; `sorts` are what it can be sorted by.
    pub(crate) fn page(sorts: &[&str]) -> Vec<Self> {
        let limit = json!({ "type": "integer", "minimum": 1, "maximum": 200, "default": 50 });
        let mut all = vec![
            Self::query("limit", "The most entries of the page.", limit),
            Self::query(
                "cursor",
                "`next_cursor` of the page before, unchanged and with the same filters and order.",
                text(1000),
            ),
            Self::query(
                "fields",
                "Only these fields of the entries, separated by commas.",
                text(1000),
            ),
        ];
        if let Some(default) = sorts.first() {
            let schema = json!({ "type": "string", "enum": sorts, "default": default });
            all.push(Self::query("sort", "The order; `-` is falling.", schema));
        }
        all
    }
}

/// The schema of a text of at most so many characters.
pub(crate) fn text(length_max: u32) -> Value {
    json!({ "type": "string", "maxLength": length_max })
}

/// The schema of a moment.
pub(crate) fn moment() -> Value {
    json!({ "type": "string", "format": "date-time" })
}

/// The schema of one of several words.
pub(crate) fn one_of(words: &[&str]) -> Value {
    json!({ "type": "string", "enum": words })
}
