//! Quotas of subscriptions, and what was used of them.

use std::collections::HashMap;

use domain::Timestamp;
use domain::id::{ApplicationId, OrganizationId, PlanId, SubscriptionId};
use domain::limit::Quota;

use crate::entity::Read;
use crate::{Arg, Error};

/// A subscription with a quota.
#[derive(Debug, Clone, PartialEq)]
pub struct QuotaOf {
    /// The subscription.
    pub subscription: SubscriptionId,
    /// Its plan.
    pub plan: PlanId,
    /// The plan's name.
    pub plan_name: String,
    /// Its application.
    pub application: ApplicationId,
    /// The application's name.
    pub application_name: String,
    /// The application's title.
    pub application_title: String,
    /// The plan's quota.
    pub quota: Quota,
}

/// Reads the active subscriptions with a quota: those to products of an organization, or those of its own
/// applications.
pub async fn quotas(
    read: &mut impl Read,
    organization: OrganizationId,
    own: bool,
    limit: usize,
) -> Result<Vec<QuotaOf>, Error> {
    let side = if own { "organization_id" } else { "provider_id" };
    let sql = format!(
        "SELECT s.id AS id, p.id AS plan_id, p.name AS plan_name, p.body AS plan, a.id AS application,
                a.name AS application_name, a.body ->> 'title' AS application_title
         FROM subscriptions s JOIN plans p ON p.id = s.plan_id JOIN applications a ON a.id = s.application_id
         WHERE s.{side} = $1 AND s.state = 'active' AND p.body ->> 'quota' IS NOT NULL
         ORDER BY s.id LIMIT {limit}"
    );
    let rows = read.rows(&sql, &[Arg::text(organization)]).await?;
    let mut found = Vec::with_capacity(rows.len());
    for row in &rows {
        let plan: domain::offer::Plan = row.read("plan", "plan")?;
        let Some(quota) = plan.spec.quota else { continue };
        found.push(QuotaOf {
            subscription: row.parse("id")?,
            plan: row.parse("plan_id")?,
            plan_name: row.text("plan_name")?,
            application: row.parse("application")?,
            application_name: row.text("application_name")?,
            application_title: row.text("application_title")?,
            quota,
        });
    }
    Ok(found)
}

/// Sums up the calls that count for quota, by subscription, from an hour on: of a provider or of a consumer.
pub async fn counted_since(
    read: &mut impl Read,
    organization: OrganizationId,
    own: bool,
    from: Timestamp,
) -> Result<HashMap<SubscriptionId, i64>, Error> {
    let side = if own { "consumer_id" } else { "provider_id" };
    let sql = format!(
        "SELECT subscription_id, CAST(SUM(counted) AS BIGINT) AS counted FROM usage_hour
         WHERE {side} = $1 AND hour >= $2 AND subscription_id <> '' GROUP BY subscription_id"
    );
    let rows = read
        .rows(&sql, &[Arg::text(organization), Arg::time(from)])
        .await?;
    rows.iter()
        .map(|row| Ok((row.parse("subscription_id")?, row.int("counted")?)))
        .collect()
}
