//! Flags of flagd: its flag definitions in JSON.
//!
//! ```text
//! Document ─read─► Definitions ─Flags::compile─► evaluate ─Answer::of─► what flagd says
//! ```
//!
//! **What a flag becomes.** Targeting that says in JSONLogic what our rules say becomes rules, if nobody could tell the
//! difference; any other stays JSONLogic, as the one rule of its flag. Variants keep their names and values. Where flagd
//! leaves the value to whoever asks (a flag that is disabled or has no default), a variant with the value `null` stands for it.
//!
//! **What is known.** Attributes are called as in flagd's context, nested ones by their path (`user.name`); [`put`] finds them.
//! `user_id` stands for `targetingKey` where that is not known.
//!
//! **Fractions.** flagd changed twice how `fractional` puts units in order ([`Fractional`]); the reader is told which it was.

use eval::{Flags, Subject, Value};
use serde_json::Map;

mod answer;
mod document;
mod read;
mod targeting;
mod write;

pub use answer::Answer;
pub use document::Document;
pub use read::read;
pub use write::write;

/// Which `fractional` a document was made for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Fractional {
    /// Shares of a hundred in floating numbers.
    V1,
    /// Whole weights, and the hash of a text: our own way as well.
    #[default]
    V2,
    /// Whole weights, and the hash of any value in CBOR.
    V3,
}

impl Fractional {
    /// What the operator is called in our logic, where all of them are known.
    pub(crate) const fn operator(self) -> &'static str {
        match self {
            Self::V1 => "fractional_v1",
            Self::V2 => "fractional",
            Self::V3 => "fractional_v3",
        }
    }
}

/// Notes what a context says of a subject: each attribute under its own name, or at the end of its path.
pub fn put<'a>(flags: &Flags, subject: &mut Subject<'a>, context: &'a Map<String, serde_json::Value>) {
    for name in flags.attributes() {
        let known = context.get(name).or_else(|| {
            let mut parts = name.split('.');
            let first = context.get(parts.next()?)?;
            parts.try_fold(first, |value, part| value.get(part))
        });
        if let Some(value) = known.and_then(Value::of) {
            flags.put(subject, name, value);
        }
    }
}

/// What flagd calls the unit, and what stands for it.
const TARGETING_KEY: &str = "targetingKey";
const USER: &str = "user_id";

#[cfg(test)]
mod tests;
