//! Feature flags of all organizations, as edges need them.

use domain::flag::FeatureFlag;
use domain::id::OrganizationId;

use crate::entity::Read;
use crate::{Arg, Error};

/// Reads the flags of all organizations, or of one, in the order of their keys.
pub async fn all(
    read: &mut impl Read,
    organization: Option<OrganizationId>,
) -> Result<Vec<FeatureFlag>, Error> {
    let rows = match organization {
        Some(organization) => {
            let sql = "SELECT body FROM feature_flags WHERE organization_id = $1 ORDER BY name";
            read.rows(sql, &[Arg::text(organization)]).await?
        }
        None => {
            let sql = "SELECT body FROM feature_flags ORDER BY organization_id, name";
            read.rows(sql, &[]).await?
        }
    };
    rows.iter().map(|row| row.read("body", "feature_flags")).collect()
}
