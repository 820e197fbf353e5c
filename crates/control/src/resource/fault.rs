//! Collects what is wrong with an editable part, so that a caller hears all of it at once.

use std::fmt::Display;

use domain::code::Code;
use serde_json::Value;

use crate::{Error, FieldError};

/// The most characters of a title.
pub(crate) const TITLE_MAX: usize = 200;
/// The most characters of a description.
pub(crate) const DESCRIPTION_MAX: usize = 20_000;

/// What is wrong, field by field.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<FieldError>);

impl Faults {
    /// Says what is wrong with a field and what to do.
    pub(crate) fn add(&mut self, pointer: &str, code: &str, detail: impl Into<String>, suggestion: &str) {
        self.0.push(FieldError::new(pointer, code, detail, suggestion));
    }

    /// Wants a text of one line that is not empty.
    pub(crate) fn title(&mut self, pointer: &str, text: &str) {
        self.line(pointer, text, TITLE_MAX);
        if text.trim().is_empty() {
            self.add(
                pointer,
                "field_empty",
                "It is empty.",
                "Write a few words that people recognise it by.",
            );
        }
    }

    /// Wants a text of one line, which may be empty.
    pub(crate) fn line(&mut self, pointer: &str, text: &str, max: usize) {
        self.every(|faults| faults.line(pointer, text, max));
    }

    /// Wants a text that is not too long; line breaks are welcome.
    pub(crate) fn description(&mut self, pointer: &str, text: &str) {
        self.every(|faults| faults.length(pointer, text, DESCRIPTION_MAX));
        // PostgreSQL keeps no NUL in a text, SQLite does.
        if text.contains('\0') {
            self.add(
                pointer,
                "field_invalid",
                "It contains a NUL character.",
                "Remove it.",
            );
        }
    }

    /// Wants JSON without NUL in its texts: PostgreSQL keeps none, SQLite does.
    pub(crate) fn without_nul(&mut self, pointer: &str, value: &Value) {
        if let Some(place) = nul(value) {
            let pointer = format!("{pointer}{place}");
            self.add(
                &pointer,
                "field_invalid",
                "It contains a NUL character.",
                "Remove it.",
            );
        }
    }

    /// Wants a number between two bounds, both included.
    pub(crate) fn range<T: Copy + PartialOrd + Display>(&mut self, pointer: &str, value: T, min: T, max: T) {
        self.every(|faults| faults.range(pointer, value, min, max));
    }

    /// Wants a list of at least `min` and at most `max` entries.
    pub(crate) fn count(&mut self, pointer: &str, found: usize, min: usize, max: usize) {
        self.every(|faults| faults.count(pointer, found, min, max));
    }

    /// Says what the rules find that nodes check by as well.
    pub(crate) fn found(&mut self, faults: Vec<routing::Fault>) {
        for fault in faults {
            self.add(&fault.pointer, fault.code, fault.detail, fault.suggestion);
        }
    }

    fn every(&mut self, find: impl FnOnce(&mut routing::Faults)) {
        let mut faults = routing::Faults::default();
        find(&mut faults);
        self.found(faults.0);
    }

    /// Wants a reference to something that is there and that the caller may see.
    pub(crate) fn reference<T>(&mut self, pointer: &str, kind: &str, found: Option<T>) -> Option<T> {
        if found.is_none() {
            let detail = format!("There is no such {kind}, or you may not see it.");
            self.add(
                pointer,
                "reference_unknown",
                detail,
                "Check the id and the organization.",
            );
        }
        found
    }

    /// Says that a field cannot be changed after creation.
    pub(crate) fn fixed(&mut self, pointer: &str, is_changed: bool) {
        if is_changed {
            self.add(
                pointer,
                "field_fixed",
                "It cannot be changed after creation.",
                "Make a new one instead.",
            );
        }
    }

    /// Refuses if anything was wrong.
    pub(crate) fn finish(self) -> Result<(), Error> {
        self.finish_as(Code::RequestInvalid)
    }

    /// Refuses with a code of its own if anything was wrong.
    pub(crate) fn finish_as(self, code: Code) -> Result<(), Error> {
        match self.0.first() {
            None => Ok(()),
            Some(first) => {
                let detail = format!("{}: {}", first.pointer, first.detail);
                Err(Error::fields(code, detail, self.0))
            }
        }
    }
}

/// Says what uses a thing that was to be removed.
pub(crate) fn in_use(users: &[String]) -> Result<(), Error> {
    const NAMED_MAX: usize = 5;
    if users.is_empty() {
        return Ok(());
    }
    let mut named = users[..users.len().min(NAMED_MAX)].join(", ");
    if users.len() > NAMED_MAX {
        named.push_str(&format!(" and {} more", users.len() - NAMED_MAX));
    }
    Err(Error::refused(Code::InUse, format!("It is used by {named}.")))
}

/// The JSON Pointer to the first text or name with a NUL.
pub(crate) fn nul(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => text.contains('\0').then(String::new),
        Value::Array(entries) => (entries.iter().enumerate())
            .find_map(|(place, entry)| nul(entry).map(|rest| format!("/{place}{rest}"))),
        Value::Object(fields) => fields.iter().find_map(|(name, value)| {
            let rest = if name.contains('\0') {
                Some(String::new())
            } else {
                nul(value)
            };
            rest.map(|rest| format!("/{}{rest}", part(name)))
        }),
        _ => None,
    }
}

/// Where lists and objects are nested more than `levels` deep.
pub(crate) fn deeper(value: &Value, levels: usize) -> Option<String> {
    match value {
        Value::Array(_) | Value::Object(_) if levels == 0 => Some(String::new()),
        Value::Array(entries) => (entries.iter().enumerate())
            .find_map(|(place, entry)| deeper(entry, levels - 1).map(|rest| format!("/{place}{rest}"))),
        Value::Object(fields) => (fields.iter())
            .find_map(|(name, value)| deeper(value, levels - 1).map(|rest| format!("/{}{rest}", part(name)))),
        _ => None,
    }
}

/// A key as a part of a JSON Pointer (RFC 6901 §3).
pub(crate) fn part(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}
