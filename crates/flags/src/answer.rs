//! What somebody gets, as it is told.

use std::fmt;

use domain::flag::{Assignments, FlagEvaluation};
use domain::id::AssignmentId;
use serde::{Serialize, Serializer};
use serde_json::Value;
use xxhash_rust::xxh3::xxh3_128;

/// What somebody gets of a flag; as JSON it is a [`FlagEvaluation`].
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluated<'a> {
    /// The flag's key.
    pub key: &'a str,
    /// The value of a boolean flag; of others, whether the variant is another than that of `off`.
    pub enabled: bool,
    /// The variant.
    pub variant: &'a str,
    /// Its value.
    pub value: &'a Value,
    /// Why.
    pub reason: &'static str,
    /// The rule that was for them.
    pub rule: Option<RuleName<'a>>,
    /// The flag's revision.
    pub flag_version: u64,
    /// The same for the same unit, flag, environment and variant.
    pub assignment_id: Option<AssignmentId>,
    /// The attribute that says which unit it is, if that decided.
    pub by: Option<&'a str>,
    /// How it begins as JSON, up to its value.
    pub(crate) head: &'a str,
}

/// What a rule is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleName<'a> {
    /// As people called it.
    Given(&'a str),
    /// By its place, from 1: `#2`.
    Place(usize),
}

impl fmt::Display for RuleName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Given(name) => f.write_str(name),
            Self::Place(place) => write!(f, "#{place}"),
        }
    }
}

impl Serialize for RuleName<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What is always the same of those who get a variant.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// How it is told as JSON, up to the value.
    pub(crate) head: Box<str>,
    pub(crate) enabled: bool,
    pub(crate) assignments: Assignments,
}

impl Prepared {
    pub(crate) fn new(assignments: Assignments, (key, variant): (&str, &str), enabled: bool) -> Self {
        let (key, variant) = (Value::from(key), Value::from(variant));
        let head = format!(r#"{{"key":{key},"enabled":{enabled},"variant":{variant},"value":"#);
        Self {
            head: head.into(),
            enabled,
            assignments,
        }
    }
}

impl Evaluated<'_> {
    /// Writes it as the JSON of a [`FlagEvaluation`].
    ///
    /// # Errors
    /// Those of writing JSON.
    pub fn write(&self, out: &mut Vec<u8>) -> serde_json::Result<()> {
        out.extend_from_slice(self.head.as_bytes());
        serde_json::to_writer(&mut *out, self.value)?;
        out.extend_from_slice(br#","reason":""#);
        out.extend_from_slice(self.reason.as_bytes());
        match self.rule {
            None => out.extend_from_slice(br#"","rule":null"#),
            Some(RuleName::Given(name)) => {
                out.extend_from_slice(br#"","rule":"#);
                serde_json::to_writer(&mut *out, name)?;
            }
            Some(RuleName::Place(place)) => {
                out.extend_from_slice(br##"","rule":"#"##);
                serde_json::to_writer(&mut *out, &place)?;
                out.push(b'"');
            }
        }
        out.extend_from_slice(br#","flag_version":"#);
        serde_json::to_writer(&mut *out, &self.flag_version)?;
        match self.assignment_id {
            None => out.extend_from_slice(br#","assignment_id":null}"#),
            Some(id) => {
                out.extend_from_slice(br#","assignment_id":""#);
                out.extend_from_slice(&id.encoded());
                out.extend_from_slice(br#""}"#);
            }
        }
        Ok(())
    }
}

/// Another one whenever what is told is. It does not keep anybody from making two answers with one tag.
pub fn tag(told: &[u8]) -> String {
    format!("{:032x}", xxh3_128(told))
}

impl From<Evaluated<'_>> for FlagEvaluation {
    fn from(found: Evaluated<'_>) -> Self {
        Self {
            key: found.key.to_owned(),
            enabled: found.enabled,
            variant: found.variant.to_owned(),
            value: found.value.clone(),
            reason: found.reason.to_owned(),
            rule: found.rule.map(|rule| rule.to_string()),
            flag_version: found.flag_version,
            assignment_id: found.assignment_id,
        }
    }
}

#[cfg(test)]
mod tests;
