//! Segments as flags: what is compiled is asked in one way.

use std::collections::BTreeMap;

use eval::definition::{Condition, Flag, Outcome, Rule, Targeting};
use serde_json::Value;

/// The variant of those who are in a segment.
pub(crate) const INSIDE: &str = "inside";
const OUTSIDE: &str = "outside";

/// What the flag that says who is in a segment is called: no flag of anybody has a blank in its key.
pub(crate) fn key(segment: &str) -> String {
    format!("segment {segment}")
}

/// A flag that says of everybody whether they are in a segment.
pub(crate) fn question(segment: &str) -> Flag {
    let serve = |variant: &str| Some(variant.to_owned());
    let rule = Rule {
        when: Some(Condition::Segment {
            segment: segment.to_owned(),
        }),
        serve: serve(INSIDE),
        ..Rule::default()
    };
    let variants = [(INSIDE, true), (OUTSIDE, false)].map(|(name, is)| (name.to_owned(), Value::Bool(is)));
    Flag {
        version: 0,
        variants: BTreeMap::from(variants),
        targeting: Targeting {
            enabled: true,
            off: OUTSIDE.to_owned(),
            prerequisites: Vec::new(),
            overrides: Vec::new(),
            rules: vec![rule],
            otherwise: Outcome {
                serve: serve(OUTSIDE),
                ..Outcome::default()
            },
        },
    }
}
