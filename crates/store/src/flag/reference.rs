//! Where in programs flags are named.

use domain::flag::CodePlaces;
use domain::id::{FeatureFlagId, OrganizationId};

use crate::entity::Read;
use crate::{Arg, Error, Tx};

/// Replaces what is known of a repository.
pub async fn replace(
    tx: &mut Tx,
    (organization, repository): (OrganizationId, &str),
    found: &[(FeatureFlagId, CodePlaces)],
) -> Result<(), Error> {
    let sql = "DELETE FROM flag_code_references WHERE organization_id = $1 AND repository = $2";
    tx.execute(sql, &[Arg::text(organization), Arg::text(repository)])
        .await?;
    let sql = "INSERT INTO flag_code_references (flag_id, repository, organization_id, body)
               VALUES ($1, $2, $3, $4)";
    for (flag, places) in found {
        let args = [
            Arg::text(flag),
            Arg::text(repository),
            Arg::text(organization),
            Arg::json(places, "flag_code_references")?,
        ];
        tx.execute(sql, &args).await?;
    }
    Ok(())
}

/// How many repositories of an organization name flags, beside one.
pub async fn other_repositories(tx: &mut Tx, organization: OrganizationId, but: &str) -> Result<i64, Error> {
    let sql = "SELECT COUNT(DISTINCT repository) AS n FROM flag_code_references
               WHERE organization_id = $1 AND repository <> $2";
    tx.fetch_optional(sql, &[Arg::text(organization), Arg::text(but)])
        .await?
        .map_or(Ok(0), |row| row.int("n"))
}

/// Where a flag is named, by repository.
pub async fn of_flag(read: &mut impl Read, flag: FeatureFlagId) -> Result<Vec<CodePlaces>, Error> {
    let sql = "SELECT body FROM flag_code_references WHERE flag_id = $1 ORDER BY repository";
    let rows = read.rows(sql, &[Arg::text(flag)]).await?;
    rows.iter()
        .map(|row| row.read("body", "flag_code_references"))
        .collect()
}
