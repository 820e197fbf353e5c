//! What is wrong with definitions.

/// Something that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The place, as a JSON Pointer into the definitions.
    pub pointer: String,
    /// A stable name of the reason.
    pub code: &'static str,
    /// What is wrong, for people.
    pub detail: String,
}

/// What was found so far.
#[derive(Debug, Default)]
pub(crate) struct Problems(pub(crate) Vec<Problem>);

impl Problems {
    pub(crate) fn add(&mut self, pointer: &str, code: &'static str, detail: String) {
        self.0.push(Problem {
            pointer: pointer.to_owned(),
            code,
            detail,
        });
    }
}

/// A key as a part of a JSON Pointer (RFC 6901, section 3).
pub(crate) fn part(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}
