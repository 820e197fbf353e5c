//! Where a client can go from a resource.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What can be done next: names of relations and actions with their paths; `self` is the resource.
///
/// An action is there only while it is allowed by the resource's state: a revoked key has no `rotate`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Links(BTreeMap<String, String>);

impl Links {
    /// The resource itself.
    pub(crate) fn to(itself: impl Into<String>) -> Self {
        Self(BTreeMap::from([("self".to_owned(), itself.into())]))
    }

    /// And one more.
    #[must_use]
    pub(crate) fn and(mut self, relation: &str, path: impl Into<String>) -> Self {
        self.0.insert(relation.to_owned(), path.into());
        self
    }
}
