//! Feature flags of all organizations, as edges need them.

use domain::flag::FeatureFlag;
use domain::id::{FeatureFlagId, OrganizationId};

use crate::entity::Read;
use crate::{Arg, Error};

/// Which flags there are, of all organizations: those of an organization together.
pub async fn revisions(read: &mut impl Read) -> Result<Vec<(OrganizationId, FeatureFlagId, i64)>, Error> {
    let sql = "SELECT organization_id, id, revision FROM feature_flags ORDER BY organization_id, id";
    let rows = read.rows(sql, &[]).await?;
    rows.iter()
        .map(|row| {
            Ok((
                row.parse("organization_id")?,
                row.parse("id")?,
                row.int("revision")?,
            ))
        })
        .collect()
}

/// Reads the flags of an organization.
pub async fn all(read: &mut impl Read, organization: OrganizationId) -> Result<Vec<FeatureFlag>, Error> {
    let sql = "SELECT body FROM feature_flags WHERE organization_id = $1 ORDER BY id";
    let rows = read.rows(sql, &[Arg::text(organization)]).await?;
    rows.iter().map(|row| row.read("body", "feature_flags")).collect()
}
