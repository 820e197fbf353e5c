//! What joins providers and consumers: which products hold an API, what plans allow.

use domain::id::{ApiId, ApplicationId, OrganizationId, VersionId};
use domain::offer::Product;
use domain::{Name, Timestamp};

use crate::entity::Read;
use crate::{Arg, Error};

/// Reads the products that hold a version of an API, the oldest first.
pub async fn products_of(read: &mut impl Read, api: ApiId) -> Result<Vec<Product>, Error> {
    let sql = "SELECT body FROM products WHERE id IN (
                   SELECT pv.product_id FROM product_versions pv JOIN versions v ON v.id = pv.version_id
                   WHERE v.api_id = $1
               ) ORDER BY id";
    let rows = read.rows(sql, &[Arg::text(api)]).await?;
    rows.iter().map(|row| row.read("body", "products")).collect()
}

/// Reads the ids of the APIs of a name that are in a public product, whoever offers it.
pub async fn public_apis(read: &mut impl Read, name: &str) -> Result<Vec<ApiId>, Error> {
    let sql = "SELECT DISTINCT a.id AS id FROM apis a JOIN versions v ON v.api_id = a.id
               JOIN product_versions pv ON pv.version_id = v.id JOIN products p ON p.id = pv.product_id
               WHERE a.name = $1 AND p.visibility = 'public' ORDER BY a.id";
    let rows = read.rows(sql, &[Arg::text(name)]).await?;
    rows.iter().map(|row| row.parse("id")).collect()
}

/// Whether an environment of that name is one of the organization, or of somebody whose product the application
/// uses.
pub async fn has_environment(
    read: &mut impl Read,
    name: &Name,
    organization: OrganizationId,
    application: ApplicationId,
) -> Result<bool, Error> {
    let sql =
        "SELECT 1 AS one FROM environments WHERE name = $1 AND (organization_id = $2 OR organization_id IN (
                   SELECT provider_id FROM subscriptions WHERE application_id = $3 AND state <> 'cancelled'
               ))";
    let args = [Arg::text(name), Arg::text(organization), Arg::text(application)];
    Ok(read.row(sql, &args).await?.is_some())
}

/// Whether an organization has a subscription, not cancelled, to a product that holds the version.
pub async fn uses(
    read: &mut impl Read,
    organization: OrganizationId,
    version: VersionId,
) -> Result<bool, Error> {
    let sql = "SELECT 1 AS one FROM subscriptions s JOIN product_versions pv ON pv.product_id = s.product_id
               WHERE s.organization_id = $1 AND pv.version_id = $2 AND s.state <> 'cancelled'";
    let args = [Arg::text(organization), Arg::text(version)];
    Ok(read.row(sql, &args).await?.is_some())
}

/// How many keys the strictest plan of an application allows; `None` if it has no subscription.
pub async fn keys_max(read: &mut impl Read, application: ApplicationId) -> Result<Option<i64>, Error> {
    let sql = "SELECT MIN(CAST(p.body ->> 'keys_max' AS BIGINT)) AS keys_max
               FROM subscriptions s JOIN plans p ON p.id = s.plan_id
               WHERE s.application_id = $1 AND s.state <> 'cancelled'";
    match read.row(sql, &[Arg::text(application)]).await? {
        Some(row) => row.int_or_null("keys_max"),
        None => Ok(None),
    }
}

/// How many keys an application has that are valid and not replaced by another.
pub async fn keys_valid(
    read: &mut impl Read,
    application: ApplicationId,
    now: Timestamp,
) -> Result<i64, Error> {
    let sql = "SELECT COUNT(*) AS n FROM keys
               WHERE application_id = $1 AND state = 'active' AND (ended_at IS NULL OR ended_at > $2)
               AND body ->> 'replaced_by' IS NULL";
    let row = read.row(sql, &[Arg::text(application), Arg::time(now)]).await?;
    row.map_or(Ok(0), |row| row.int("n"))
}
