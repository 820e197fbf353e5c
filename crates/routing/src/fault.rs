//! What is wrong with a part of a route, a stream route or an upstream.

use std::fmt::Display;

/// One thing wrong with a route, a stream route or an upstream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{pointer}: {detail}")]
pub struct Fault {
    /// JSON Pointer (RFC 6901) in it.
    pub pointer: String,
    /// Stable name of what is wrong, as `regex_invalid`.
    pub code: &'static str,
    /// What is wrong there.
    pub detail: String,
    /// What to do.
    pub suggestion: &'static str,
}

/// Collects what is wrong, so that a caller hears all of it at once.
#[derive(Debug, Default)]
pub struct Faults(pub Vec<Fault>);

impl Faults {
    /// Says what is wrong with a field and what to do.
    pub fn add(
        &mut self,
        pointer: impl Into<String>,
        code: &'static str,
        detail: impl Into<String>,
        suggestion: &'static str,
    ) {
        self.0.push(Fault {
            pointer: pointer.into(),
            code,
            detail: detail.into(),
            suggestion,
        });
    }

    /// Wants a number between two bounds, both included.
    pub fn range<T: Copy + PartialOrd + Display>(&mut self, pointer: &str, value: T, min: T, max: T) {
        if value < min || value > max {
            let detail = format!("{value} is not between {min} and {max}.");
            self.add(
                pointer,
                "field_out_of_range",
                detail,
                "Choose a number in that range.",
            );
        }
    }

    /// Wants a list of at least `min` and at most `max` entries.
    pub fn count(&mut self, pointer: &str, found: usize, min: usize, max: usize) {
        if found < min || found > max {
            let detail = format!("It has {found} entries; {min} to {max} are allowed.");
            self.add(
                pointer,
                "field_out_of_range",
                detail,
                "Change the number of entries.",
            );
        }
    }

    /// Wants a text of one line, which may be empty.
    pub fn line(&mut self, pointer: &str, text: &str, max: usize) {
        self.length(pointer, text, max);
        if text.chars().any(char::is_control) {
            self.add(
                pointer,
                "field_invalid",
                "It contains a line break or another control character.",
                "Write it in one line.",
            );
        }
    }

    /// Wants a text that is not too long.
    pub fn length(&mut self, pointer: &str, text: &str, max: usize) {
        let found = text.chars().count();
        if found > max {
            let detail = format!("It has {found} characters; at most {max} are allowed.");
            self.add(pointer, "field_too_long", detail, "Shorten it.");
        }
    }

    /// What was made, unless something was wrong.
    pub(crate) fn or<T>(self, made: T) -> Result<T, Vec<Fault>> {
        if self.0.is_empty() { Ok(made) } else { Err(self.0) }
    }
}
