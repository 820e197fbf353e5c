//! What flagd would say.

use eval::{Evaluation, Reason};
use serde_json::Value;

/// What flagd says of a flag.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Answer<'s> {
    /// The value; the asker's own if there is none.
    pub value: Option<&'s Value>,
    /// The variant's name.
    pub variant: Option<&'s str>,
    /// `STATIC`, `TARGETING_MATCH`, `DEFAULT`, `DISABLED` or `ERROR`.
    pub reason: &'static str,
    /// The error's code.
    pub error: Option<&'static str>,
}

impl<'s> Answer<'s> {
    /// What somebody got of a flag, in flagd's words.
    pub fn of(found: &Evaluation<'s>) -> Self {
        let is_given = !found.value.is_null();
        let (reason, error) = match found.reason {
            Reason::Disabled | Reason::PrerequisiteFailed => ("DISABLED", None),
            Reason::Error => ("ERROR", Some("GENERAL")),
            Reason::Default | Reason::UnitMissing => ("DEFAULT", None),
            _ if !is_given => ("DEFAULT", None),
            Reason::Static => ("STATIC", None),
            Reason::TargetingMatch | Reason::Split => ("TARGETING_MATCH", None),
        };
        let is_given = is_given && error.is_none();
        Self {
            value: is_given.then_some(found.value),
            variant: is_given.then_some(found.variant),
            reason,
            error,
        }
    }

    /// What flagd says of a flag that is not there.
    pub const fn unknown() -> Self {
        Self::error("FLAG_NOT_FOUND")
    }

    /// What flagd says of a flag that could not be read.
    pub const fn unreadable() -> Self {
        Self::error("PARSE_ERROR")
    }

    const fn error(code: &'static str) -> Self {
        Self {
            value: None,
            variant: None,
            reason: "ERROR",
            error: Some(code),
        }
    }
}
