//! What a reader of contracts remarks.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How grave a [`Finding`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Hint,
    /// Worth mending; the contract is usable.
    Warning,
    /// The contract is refused.
    Error,
}

/// Something that a reader of a contract remarked, with its place and advice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Finding {
    /// How grave it is.
    pub severity: Severity,
    /// Stable name of the remark, as `reference_unresolved`.
    pub code: String,
    /// JSON Pointer (RFC 6901) to the place.
    pub pointer: String,
    /// Line of the document as it came, from 1; 0 if unknown.
    pub line: u32,
    /// Column in that line, from 1; 0 if unknown.
    pub column: u32,
    /// What is wrong.
    pub detail: String,
    /// What to do.
    pub suggestion: String,
}
