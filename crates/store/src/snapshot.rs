//! What a snapshot is built from, read column by column: there may be 100,000 keys.

use domain::catalog::Version;
use domain::consumer::{KeyState, SubscriptionState};
use domain::id::{ProductId, VersionId};
use domain::offer::Plan;
use domain::traffic::{Policy, Route, Upstream};
use domain::{Name, Timestamp, snapshot};

use crate::entity::Read;
use crate::{Arg, Error, Tx};

/// A route with what it leads to.
#[derive(Debug, Clone)]
pub struct Place {
    /// The route.
    pub route: Route,
    /// Its version.
    pub version: Version,
    /// The API's name.
    pub api_name: Name,
}

/// Reads the number that rises with every change that gateways have to hear of.
pub async fn revision(read: &mut impl Read) -> Result<u64, Error> {
    let sql = "SELECT revision FROM snapshot_revision WHERE one = 1";
    let row = read.row(sql, &[]).await?.ok_or(Error::Missing)?;
    Ok(u64::try_from(row.int("revision")?).unwrap_or(0))
}

/// Reads all routes of an environment, of all organizations.
pub async fn places(read: &mut impl Read, environment: &Name) -> Result<Vec<Place>, Error> {
    let sql = "SELECT r.body AS route, v.body AS version, a.name AS api_name
               FROM routes r JOIN versions v ON v.id = r.version_id JOIN apis a ON a.id = r.api_id
               WHERE r.environment = $1 ORDER BY r.id";
    let rows = read.rows(sql, &[Arg::text(environment)]).await?;
    rows.iter()
        .map(|row| {
            Ok(Place {
                route: row.read("route", "route")?,
                version: row.read("version", "version")?,
                api_name: row.parse("api_name")?,
            })
        })
        .collect()
}

/// Reads the operations of all versions that have a route in the environment.
pub async fn operations(
    read: &mut impl Read,
    environment: &Name,
) -> Result<Vec<(VersionId, snapshot::Operation)>, Error> {
    let sql = "SELECT id, version_id, method, path FROM operations
               WHERE current AND version_id IN (SELECT version_id FROM routes WHERE environment = $1)
               ORDER BY version_id, path, method";
    let rows = read.rows(sql, &[Arg::text(environment)]).await?;
    rows.iter()
        .map(|row| {
            let operation = snapshot::Operation {
                id: row.parse("id")?,
                method: row.text("method")?,
                path: row.text("path")?,
            };
            Ok((row.parse("version_id")?, operation))
        })
        .collect()
}

/// Reads the upstreams of all organizations that have a route of either kind in the environment.
pub async fn upstreams(read: &mut impl Read, environment: &Name) -> Result<Vec<Upstream>, Error> {
    let sql = "SELECT body FROM upstreams
               WHERE organization_id IN (SELECT organization_id FROM routes WHERE environment = $1)
               OR organization_id IN (SELECT organization_id FROM stream_routes WHERE environment = $1) ORDER BY id";
    let rows = read.rows(sql, &[Arg::text(environment)]).await?;
    rows.iter().map(|row| row.read("body", "body")).collect()
}

/// Reads the policies of all APIs that have a route in the environment.
pub async fn policies(read: &mut impl Read, environment: &Name) -> Result<Vec<Policy>, Error> {
    let sql = "SELECT body FROM policies
               WHERE api_id IN (SELECT api_id FROM routes WHERE environment = $1) ORDER BY id";
    let rows = read.rows(sql, &[Arg::text(environment)]).await?;
    rows.iter().map(|row| row.read("body", "body")).collect()
}

/// The keys of an environment that are valid, or ended after a moment.
const KEYS: &str = "environment = $1 AND (ended_at IS NULL OR ended_at > $2)";

/// Reads the keys of an environment that are valid, or ended after `since`.
pub async fn keys(
    read: &mut impl Read,
    environment: &Name,
    since: Timestamp,
) -> Result<Vec<snapshot::Key>, Error> {
    let sql = format!(
        "SELECT id, hash, application_id, state, body ->> 'expires_at' AS expires_at
         FROM keys WHERE {KEYS} ORDER BY id"
    );
    let rows = read
        .rows(&sql, &[Arg::text(environment), Arg::time(since)])
        .await?;
    rows.iter()
        .map(|row| {
            Ok(snapshot::Key {
                id: row.parse("id")?,
                hash: row.parse("hash")?,
                application: row.parse("application_id")?,
                state: match row.text("state")?.as_str() {
                    "active" => KeyState::Active,
                    _ => KeyState::Revoked,
                },
                expires_at: row.parse_or_null("expires_at")?,
            })
        })
        .collect()
}

/// Reads the applications that have such keys, without their subscriptions.
pub async fn applications(
    read: &mut impl Read,
    environment: &Name,
    since: Timestamp,
) -> Result<Vec<snapshot::Application>, Error> {
    let sql = format!(
        "SELECT id, organization_id FROM applications
         WHERE id IN (SELECT application_id FROM keys WHERE {KEYS}) ORDER BY id"
    );
    let rows = read
        .rows(&sql, &[Arg::text(environment), Arg::time(since)])
        .await?;
    rows.iter()
        .map(|row| {
            Ok(snapshot::Application {
                id: row.parse("id")?,
                organization: row.parse("organization_id")?,
            })
        })
        .collect()
}

/// Reads the subscriptions of those applications that are not cancelled.
pub async fn subscriptions(
    read: &mut impl Read,
    environment: &Name,
    since: Timestamp,
) -> Result<Vec<snapshot::Subscription>, Error> {
    let sql = format!(
        "SELECT id, application_id, product_id, plan_id, state FROM subscriptions
         WHERE state <> 'cancelled' AND application_id IN (SELECT application_id FROM keys WHERE {KEYS})
         ORDER BY id"
    );
    let rows = read
        .rows(&sql, &[Arg::text(environment), Arg::time(since)])
        .await?;
    rows.iter()
        .map(|row| {
            Ok(snapshot::Subscription {
                id: row.parse("id")?,
                application: row.parse("application_id")?,
                product: row.parse("product_id")?,
                plan: row.parse("plan_id")?,
                state: match row.text("state")?.as_str() {
                    "active" => SubscriptionState::Active,
                    _ => SubscriptionState::Suspended,
                },
            })
        })
        .collect()
}

/// Reads which versions are in which product.
pub async fn product_versions(read: &mut impl Read) -> Result<Vec<(ProductId, VersionId)>, Error> {
    let sql = "SELECT product_id, version_id FROM product_versions ORDER BY product_id, version_id";
    let rows = read.rows(sql, &[]).await?;
    rows.iter()
        .map(|row| Ok((row.parse("product_id")?, row.parse("version_id")?)))
        .collect()
}

/// Reads the plans that somebody has subscribed to.
pub async fn plans(read: &mut impl Read) -> Result<Vec<Plan>, Error> {
    let sql = "SELECT body FROM plans
               WHERE id IN (SELECT plan_id FROM subscriptions WHERE state <> 'cancelled') ORDER BY id";
    let rows = read.rows(sql, &[]).await?;
    rows.iter().map(|row| row.read("body", "body")).collect()
}

impl Tx {
    /// Makes other changes that gateways have to hear of wait until this transaction has ended.
    pub async fn lock_snapshot(&mut self) -> Result<(), Error> {
        let sql = "UPDATE snapshot_revision SET revision = revision WHERE one = 1";
        self.execute(sql, &[]).await.map(drop)
    }

    /// Raises the revision in the transaction of a change.
    pub async fn raise_revision(&mut self) -> Result<(), Error> {
        let sql = "UPDATE snapshot_revision SET revision = revision + 1 WHERE one = 1";
        self.execute(sql, &[]).await.map(drop)
    }
}
