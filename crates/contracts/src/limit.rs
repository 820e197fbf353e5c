//! How much of a document is read, and why one is refused.

use std::fmt;

use crate::Finding;

/// How much is read before a document is refused; every number is inclusive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Size of the text in bytes.
    pub bytes_max: usize,
    /// Levels of lists and mappings.
    pub depth_max: usize,
    /// Values in the document, those that YAML aliases repeat counted each time.
    pub nodes_max: usize,
    /// Bytes of text that YAML aliases repeat, summed up.
    pub repeated_bytes_max: usize,
    /// Operations (method and path).
    pub operations_max: usize,
    /// Findings handed back; the gravest are kept and a last one says how many were left out.
    pub findings_max: usize,
}

impl Default for Limits {
    /// 10 MB (10,000,000 bytes), 100 levels, 500,000 values, 10 MB repeated, 20,000 operations, 200 findings.
    fn default() -> Self {
        Self {
            bytes_max: 10_000_000,
            depth_max: 100,
            nodes_max: 500_000,
            repeated_bytes_max: 10_000_000,
            operations_max: 20_000,
            findings_max: 200,
        }
    }
}

/// One number of [`Limits`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Limit {
    /// [`Limits::bytes_max`].
    Bytes,
    /// [`Limits::depth_max`].
    Depth,
    /// [`Limits::nodes_max`].
    Nodes,
    /// [`Limits::repeated_bytes_max`].
    RepeatedBytes,
    /// [`Limits::operations_max`].
    Operations,
}

impl Limit {
    /// The limit's stable name, as the field of [`Limits`].
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bytes => "bytes_max",
            Self::Depth => "depth_max",
            Self::Nodes => "nodes_max",
            Self::RepeatedBytes => "repeated_bytes_max",
            Self::Operations => "operations_max",
        }
    }

    pub(crate) const fn unit(self) -> &'static str {
        match self {
            Self::Bytes => "bytes of text",
            Self::Depth => "levels of nesting",
            Self::Nodes => "values, repeated ones included",
            Self::RepeatedBytes => "bytes repeated by YAML aliases",
            Self::Operations => "operations",
        }
    }
}

impl Limits {
    pub(crate) const fn maximum(&self, limit: Limit) -> usize {
        match limit {
            Limit::Bytes => self.bytes_max,
            Limit::Depth => self.depth_max,
            Limit::Nodes => self.nodes_max,
            Limit::RepeatedBytes => self.repeated_bytes_max,
            Limit::Operations => self.operations_max,
        }
    }
}

/// What kind of refusal it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Something in the document has to be mended.
    Invalid,
    /// The document is over a limit.
    TooLarge {
        /// Which one.
        limit: Limit,
        /// How much is allowed.
        maximum: usize,
    },
}

/// A document that cannot be imported.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub struct Refusal {
    /// What kind of refusal it is.
    pub reason: Reason,
    /// What is wrong and where, errors first; at least one is an error.
    pub findings: Vec<Finding>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.reason, self.findings.first()) {
            (Reason::TooLarge { limit, maximum }, _) => {
                write!(
                    out,
                    "the contract has more than {maximum} {} ({})",
                    limit.unit(),
                    limit.name()
                )
            }
            (Reason::Invalid, Some(first)) => {
                write!(
                    out,
                    "line {}, column {}: {}",
                    first.line, first.column, first.detail
                )
            }
            (Reason::Invalid, None) => out.write_str("the contract cannot be imported"),
        }
    }
}

#[cfg(test)]
mod tests;
