//! What somebody gets, as it is told.

use std::borrow::Cow;

use domain::flag::FlagEvaluation;
use domain::id::AssignmentId;
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// Bytes of a tag that are told.
const TAG_BYTES: usize = 16;

/// What somebody gets of a flag; as JSON it is a [`FlagEvaluation`].
#[derive(Debug, Clone, PartialEq, Serialize)]
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
    /// The rule that was for them: its name, or its place from 1 as `#2`.
    pub rule: Option<Cow<'a, str>>,
    /// The flag's revision.
    pub flag_version: u64,
    /// The same for the same unit, flag, environment and variant.
    pub assignment_id: Option<AssignmentId>,
    /// The attribute that says which unit it is, if that decided.
    #[serde(skip)]
    pub by: Option<&'a str>,
}

/// Another one whenever what is told is.
pub fn tag(told: &[u8]) -> String {
    let digest = Sha256::digest(told);
    digest[..TAG_BYTES]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

impl From<Evaluated<'_>> for FlagEvaluation {
    fn from(found: Evaluated<'_>) -> Self {
        Self {
            key: found.key.to_owned(),
            enabled: found.enabled,
            variant: found.variant.to_owned(),
            value: found.value.clone(),
            reason: found.reason.to_owned(),
            rule: found.rule.map(Cow::into_owned),
            flag_version: found.flag_version,
            assignment_id: found.assignment_id,
        }
    }
}
