//! One page of a list.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The entries of one page, and where the next one begins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// The entries, in the order asked for.
    pub data: Vec<T>,
    /// Whether there are more.
    pub has_more: bool,
    /// What to pass as `cursor` to get them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}
