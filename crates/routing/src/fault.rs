//! What is wrong with a part of a route.

/// One thing wrong with a route's conditions or actions.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{pointer}: {detail}")]
pub struct Fault {
    /// JSON Pointer (RFC 6901) in the route.
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
pub(crate) struct Faults(pub(crate) Vec<Fault>);

impl Faults {
    pub(crate) fn add(
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

    /// What was made, unless something was wrong.
    pub(crate) fn or<T>(self, made: T) -> Result<T, Vec<Fault>> {
        if self.0.is_empty() { Ok(made) } else { Err(self.0) }
    }
}

/// A clause as a sentence.
pub(crate) fn sentence(clause: &str) -> String {
    let mut characters = clause.chars();
    let first = characters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(characters).chain(['.']).collect()
}
