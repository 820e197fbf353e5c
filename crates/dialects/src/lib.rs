//! Feature flags as other products write them: read into ours, and written from ours.
//!
//! A module for each product. Reading never guesses: what cannot be said in our words without giving somebody another
//! variant is refused, with the place and the reason. Pure: no I/O, no clock, no random source.

use std::collections::BTreeMap;

use eval::definition::{Condition, Flag, Outcome, Rule, Targeting};
use eval::{Definitions, Flags, Problem};

mod declarable;
pub mod flagd;
pub mod growthbook;
mod kind;
pub mod launchdarkly;
mod meta;
mod named;
pub mod unleash;

pub use meta::Meta;

/// Flags that a document may have.
pub const FLAGS_MAX: usize = 10_000;

/// What another product's document became. The definitions compile.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reading {
    /// The flags that could be said in our words.
    pub definitions: Definitions,
    /// What the document says of flags beside who gets what, by their keys.
    pub flags: BTreeMap<String, Meta>,
    /// The same of segments.
    pub segments: BTreeMap<String, Meta>,
    /// Those that could not, each with its first reason.
    pub refused: Vec<Finding>,
    /// What whoever takes the flags over should know of them.
    pub notes: Vec<Finding>,
}

/// What our definitions became in another product's words.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Writing {
    /// The other product's document.
    pub document: serde_json::Value,
    /// Flags that could not be said in its words, each with its first reason; pointers lead into our definitions.
    pub refused: Vec<Finding>,
}

/// Something about a flag, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The flag's key, or the name of a segment.
    pub flag: String,
    /// The place, as a JSON Pointer into the document.
    pub pointer: String,
    /// A stable name of the reason.
    pub code: &'static str,
    /// The reason, for people.
    pub detail: String,
}

/// Why a whole document cannot be read.
#[derive(Debug)]
pub enum Error {
    /// It is not JSON, or not of the document's shape.
    Shape {
        /// The place, as a JSON Pointer into the document.
        pointer: String,
        /// What is wrong there.
        detail: String,
    },
    /// It has more than [`FLAGS_MAX`] flags.
    TooMany {
        /// How many it has.
        flags: usize,
    },
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Shape { pointer, detail } => write!(f, "at `{pointer}`: {detail}"),
            Self::TooMany { flags } => write!(f, "{flags} flags, and {FLAGS_MAX} are allowed"),
        }
    }
}

impl std::error::Error for Error {}

/// What is wrong somewhere in a flag.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) pointer: String,
    pub(crate) code: &'static str,
    pub(crate) detail: String,
}

impl Fault {
    pub(crate) fn new(pointer: impl Into<String>, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            pointer: pointer.into(),
            code,
            detail: detail.into(),
        }
    }

    pub(crate) fn of(self, flag: &str) -> Finding {
        Finding {
            flag: flag.to_owned(),
            pointer: self.pointer,
            code: self.code,
            detail: self.detail,
        }
    }
}

/// A key as a part of a JSON Pointer (RFC 6901, section 3).
pub(crate) fn part(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// What our compiler has against a condition that names no segment.
pub(crate) fn problem_of(condition: &Condition) -> Option<Problem> {
    let rule = Rule {
        when: Some(condition.clone()),
        serve: Some("off".to_owned()),
        ..Rule::default()
    };
    let flag = Flag {
        version: 0,
        variants: [("off".to_owned(), false.into())].into(),
        targeting: Targeting {
            enabled: true,
            off: "off".to_owned(),
            prerequisites: Vec::new(),
            overrides: Vec::new(),
            rules: vec![rule],
            otherwise: serve("off"),
        },
    };
    let definitions = Definitions {
        flags: [("flag".to_owned(), flag)].into(),
        ..Definitions::default()
    };
    Flags::compile(&definitions).err()?.into_iter().next()
}

/// The outcome that gives everybody a variant.
pub(crate) fn serve(variant: &str) -> Outcome {
    Outcome {
        serve: Some(variant.to_owned()),
        ..Outcome::default()
    }
}

/// Takes out what does not compile, and what needs it, until everything does; tells what was taken out.
pub(crate) fn leave_out_what_does_not_compile(
    definitions: &mut Definitions,
    place: impl Fn(&str) -> String,
) -> Vec<Finding> {
    let mut refused = Vec::new();
    while let Err(problems) = Flags::compile(definitions) {
        let before = definitions.flags.len();
        for problem in problems {
            definitions.flags.retain(|key, _| {
                let at = format!("/flags/{}", part(key));
                let rest = problem.pointer.strip_prefix(&at);
                let is_wrong = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
                if is_wrong {
                    let fault = Fault::new(place(key), problem.code, problem.detail.clone());
                    refused.push(fault.of(key));
                }
                !is_wrong
            });
        }
        if definitions.flags.len() == before {
            // Only a segment is left that could be wrong; nothing that names one can be kept.
            for key in std::mem::take(&mut definitions.flags).into_keys() {
                let fault = Fault::new(place(&key), "segment_invalid", "A segment does not compile.");
                refused.push(fault.of(&key));
            }
            definitions.segments.clear();
        }
    }
    refused
}
