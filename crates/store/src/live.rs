//! What the parameters of live streams name.

use domain::id::OrganizationId;

use crate::entity::Read;
use crate::{Arg, Error};

/// The most things that a name stands for.
const FOUND_MAX: u32 = 1000;

/// What is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// An API.
    Api,
    /// An application.
    Application,
    /// An operation of any version; those of one name are as many as there are versions.
    Operation,
}

/// The ids of what has this id or name, those of `organization` first; with `only_own` no others.
pub async fn named(
    read: &mut impl Read,
    (kind, value): (Named, &str),
    organization: OrganizationId,
    only_own: bool,
) -> Result<Vec<String>, Error> {
    let (from, owner) = match kind {
        Named::Api => ("apis t", "t.organization_id"),
        Named::Application => ("applications t", "t.organization_id"),
        Named::Operation => (
            "operations t JOIN versions v ON v.id = t.version_id",
            "v.organization_id",
        ),
    };
    let is_own = format!("CASE WHEN {owner} = $2 THEN 0 ELSE 1 END");
    let only = if only_own {
        format!(" AND {owner} = $2")
    } else {
        String::new()
    };
    let sql = format!(
        "SELECT t.id AS id FROM {from} WHERE (t.id = $1 OR t.name = $1){only} ORDER BY {is_own}, t.id DESC LIMIT {FOUND_MAX}"
    );
    let rows = read
        .rows(&sql, &[Arg::text(value), Arg::text(organization)])
        .await?;
    rows.iter().map(|row| row.text("id")).collect()
}
