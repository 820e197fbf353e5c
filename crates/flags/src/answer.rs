//! What somebody gets, as it is told.

use std::fmt;

use domain::flag::{Assignments, FlagAnswer, FlagEvaluation};
use domain::id::AssignmentId;
use serde::{Serialize, Serializer};
use serde_json::Value;
use uuid::Uuid;
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
    /// How it begins as JSON.
    pub(crate) head: &'a Head,
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

impl RuleName<'_> {
    /// Writes it as JSON.
    pub(crate) fn write(self, out: &mut Vec<u8>) -> serde_json::Result<()> {
        match self {
            Self::Given(name) => write_text(name, out),
            Self::Place(place) => {
                out.extend_from_slice(b"\"#");
                serde_json::to_writer(&mut *out, &place)?;
                out.push(b'"');
                Ok(())
            }
        }
    }
}

/// The bytes that texts of JSON hold as they are: RFC 8259 section 7.
static PLAIN: [bool; 256] = {
    let mut plain = [true; 256];
    let mut byte = 0;
    while byte < b' ' {
        plain[byte as usize] = false;
        byte += 1;
    }
    plain[b'"' as usize] = false;
    plain[b'\\' as usize] = false;
    plain
};

/// Writes a text as JSON. Most names need no escapes, and to find that out is quicker than to look for where they are.
fn write_text(text: &str, out: &mut Vec<u8>) -> serde_json::Result<()> {
    if !text.bytes().all(|byte| PLAIN[usize::from(byte)]) {
        return serde_json::to_writer(out, text);
    }
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
    Ok(())
}

/// How answers with a variant begin as JSON, up to the value.
#[derive(Debug, PartialEq)]
pub(crate) struct Head {
    text: Box<str>,
    /// Where the key ends, and where the variant begins.
    parts: (usize, usize),
}

impl Head {
    fn new((key, variant): (&str, &str), enabled: bool) -> Self {
        let (key, variant) = (Value::from(key), Value::from(variant));
        let mut text = format!(r#"{{"key":{key}"#);
        let key_end = text.len();
        text.push_str(&format!(r#","enabled":{enabled}"#));
        let variant_at = text.len();
        text.push_str(&format!(r#","variant":{variant},"value":"#));
        Self {
            text: text.into(),
            parts: (key_end, variant_at),
        }
    }

    /// The same without `enabled`.
    pub(crate) fn short(&self) -> [&[u8]; 2] {
        let (key_end, variant_at) = self.parts;
        [
            &self.text.as_bytes()[..key_end],
            &self.text.as_bytes()[variant_at..],
        ]
    }
}

/// What is always the same of those who get a variant.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) head: Head,
    pub(crate) enabled: bool,
    pub(crate) assignments: Assignments,
}

impl Prepared {
    pub(crate) fn new(assignments: Assignments, names: (&str, &str), enabled: bool) -> Self {
        Self {
            head: Head::new(names, enabled),
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
        self.write_open(out)?;
        out.push(b'}');
        Ok(())
    }

    /// Writes it as the JSON of a [`FlagAnswer`], as one of several.
    ///
    /// # Errors
    /// Those of writing JSON.
    pub fn write_listed(&self, out: &mut Vec<u8>) -> serde_json::Result<()> {
        self.write_open(out)?;
        if let Some(by) = self.by {
            out.extend_from_slice(br#","by":"#);
            write_text(by, out)?;
        }
        out.push(b'}');
        Ok(())
    }

    /// Writes all that both forms have, without the end.
    fn write_open(&self, out: &mut Vec<u8>) -> serde_json::Result<()> {
        out.extend_from_slice(self.head.text.as_bytes());
        serde_json::to_writer(&mut *out, self.value)?;
        out.extend_from_slice(br#","reason":""#);
        out.extend_from_slice(self.reason.as_bytes());
        out.extend_from_slice(br#"","rule":"#);
        match self.rule {
            None => out.extend_from_slice(b"null"),
            Some(rule) => rule.write(out)?,
        }
        out.extend_from_slice(br#","flag_version":"#);
        serde_json::to_writer(&mut *out, &self.flag_version)?;
        match self.assignment_id {
            None => out.extend_from_slice(br#","assignment_id":null"#),
            Some(id) => {
                out.extend_from_slice(br#","assignment_id":""#);
                out.extend_from_slice(&id.encoded());
                out.push(b'"');
            }
        }
        Ok(())
    }
}

/// Another one whenever what is told is. It does not keep anybody from making two answers with one tag.
pub fn tag(told: &[u8]) -> String {
    Uuid::from_u128(xxh3_128(told)).simple().to_string()
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

impl From<Evaluated<'_>> for FlagAnswer {
    fn from(found: Evaluated<'_>) -> Self {
        Self {
            by: found.by.map(str::to_owned),
            evaluation: found.into(),
        }
    }
}

#[cfg(test)]
mod tests;
