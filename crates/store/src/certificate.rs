//! What belongs to certificates beside their rows: hosts, sealed keys, and orders at ACME servers.

use domain::certificate::Certificate;
use domain::id::{CertificateId, OrganizationId};
use domain::snapshot::Challenge;
use domain::{Name, Timestamp};
use serde_json::json;

use crate::entity::Read;
use crate::{Arg, Error, Tx};

/// Reads which certificate a host of an environment has, whoever it belongs to.
pub async fn of_host(
    read: &mut impl Read,
    environment: &Name,
    host: &str,
) -> Result<Option<CertificateId>, Error> {
    let sql = "SELECT certificate_id FROM certificate_hosts WHERE environment = $1 AND host = $2";
    let args = [Arg::text(environment), Arg::text(host)];
    let row = read.row(sql, &args).await?;
    row.map(|row| row.parse("certificate_id")).transpose()
}

/// Reads the hosts that certificates of other organizations are for in an environment.
pub async fn hosts_of_others(
    read: &mut impl Read,
    environment: &Name,
    organization: OrganizationId,
) -> Result<Vec<String>, Error> {
    let sql = "SELECT h.host AS host FROM certificate_hosts h JOIN certificates c ON c.id = h.certificate_id
               WHERE h.environment = $1 AND c.organization_id <> $2 ORDER BY h.host";
    hosts(read, sql, environment, organization).await
}

/// Reads the hosts that routes have in an environment, those that are off included: of the organization, and of others.
pub async fn hosts_routed(
    read: &mut impl Read,
    environment: &Name,
    organization: OrganizationId,
) -> Result<(Vec<String>, Vec<String>), Error> {
    let own = "SELECT DISTINCT host FROM routes
               WHERE environment = $1 AND organization_id = $2 AND host <> '' ORDER BY host";
    let others = "SELECT DISTINCT host FROM routes
                  WHERE environment = $1 AND organization_id <> $2 AND host <> '' ORDER BY host";
    Ok((
        hosts(read, own, environment, organization).await?,
        hosts(read, others, environment, organization).await?,
    ))
}

async fn hosts(
    read: &mut impl Read,
    sql: &str,
    environment: &Name,
    organization: OrganizationId,
) -> Result<Vec<String>, Error> {
    let args = [Arg::text(environment), Arg::text(organization)];
    let rows = read.rows(sql, &args).await?;
    rows.iter().map(|row| row.text("host")).collect()
}

/// Writes the hosts of a certificate anew.
///
/// # Errors
/// [`Error::Taken`] if one has another certificate.
pub async fn write_hosts(tx: &mut Tx, certificate: &Certificate) -> Result<(), Error> {
    let id = Arg::text(certificate.id);
    let sql = "DELETE FROM certificate_hosts WHERE certificate_id = $1";
    tx.execute(sql, std::slice::from_ref(&id)).await?;
    let sql = "INSERT INTO certificate_hosts (environment, host, certificate_id) VALUES ($1, $2, $3)";
    for host in &certificate.spec.hosts {
        let args = [
            Arg::text(&certificate.spec.environment),
            Arg::text(host),
            id.clone(),
        ];
        tx.execute(sql, &args).await?;
    }
    Ok(())
}

/// Writes the sealed chain and key of a certificate.
pub async fn write_key(tx: &mut Tx, id: CertificateId, sealed: Vec<u8>) -> Result<(), Error> {
    let sql = "INSERT INTO certificate_keys (certificate_id, sealed) VALUES ($1, $2)
               ON CONFLICT (certificate_id) DO UPDATE SET sealed = excluded.sealed";
    let args = [Arg::text(id), Arg::Bytes(sealed)];
    tx.execute(sql, &args).await.map(drop)
}

/// Reads the sealed chain and key of a certificate.
pub async fn key(read: &mut impl Read, id: CertificateId) -> Result<Option<Vec<u8>>, Error> {
    let sql = "SELECT sealed FROM certificate_keys WHERE certificate_id = $1";
    let row = read.row(sql, &[Arg::text(id)]).await?;
    row.map(|row| row.bytes("sealed")).transpose()
}

/// Reads the certificates of an environment, each with its sealed chain and key, if they are there yet.
pub async fn of_environment(
    read: &mut impl Read,
    environment: &Name,
) -> Result<Vec<(Certificate, Option<Vec<u8>>)>, Error> {
    let sql = "SELECT c.body AS body, k.sealed AS sealed
               FROM certificates c LEFT JOIN certificate_keys k ON k.certificate_id = c.id
               WHERE c.environment = $1 ORDER BY c.id";
    let rows = read.rows(sql, &[Arg::text(environment)]).await?;
    rows.iter()
        .map(|row| Ok((row.read("body", "body")?, row.bytes_or_null("sealed")?)))
        .collect()
}

/// Reads the sealed credentials at an ACME server.
pub async fn account(
    read: &mut impl Read,
    organization: OrganizationId,
    account: &str,
) -> Result<Option<Vec<u8>>, Error> {
    let sql = "SELECT sealed FROM acme_accounts WHERE organization_id = $1 AND account = $2";
    let row = read
        .row(sql, &[Arg::text(organization), Arg::text(account)])
        .await?;
    row.map(|row| row.bytes("sealed")).transpose()
}

/// Writes the sealed credentials at an ACME server; those of whoever was faster stay.
pub async fn write_account(
    tx: &mut Tx,
    organization: OrganizationId,
    account: &str,
    sealed: Vec<u8>,
) -> Result<(), Error> {
    let sql = "INSERT INTO acme_accounts (organization_id, account, sealed) VALUES ($1, $2, $3)
               ON CONFLICT (organization_id, account) DO NOTHING";
    let args = [Arg::text(organization), Arg::text(account), Arg::Bytes(sealed)];
    tx.execute(sql, &args).await.map(drop)
}

/// Says when an order is to be worked on, and forgets what the server looked for.
pub async fn schedule(tx: &mut Tx, certificate: &Certificate, at: Timestamp) -> Result<(), Error> {
    let sql = "INSERT INTO acme_orders (certificate_id, environment, next_at, challenges)
               VALUES ($1, $2, $3, $4)
               ON CONFLICT (certificate_id) DO UPDATE SET
               environment = excluded.environment, next_at = excluded.next_at, challenges = excluded.challenges";
    let args = [
        Arg::text(certificate.id),
        Arg::text(&certificate.spec.environment),
        Arg::time(at),
        Arg::Json(json!([])),
    ];
    tx.execute(sql, &args).await.map(drop)
}

/// Orders nothing any more.
pub async fn unschedule(tx: &mut Tx, id: CertificateId) -> Result<(), Error> {
    let sql = "DELETE FROM acme_orders WHERE certificate_id = $1";
    tx.execute(sql, &[Arg::text(id)]).await.map(drop)
}

/// Reads what is to be worked on.
pub async fn due(read: &mut impl Read, now: Timestamp) -> Result<Vec<CertificateId>, Error> {
    let sql = "SELECT certificate_id FROM acme_orders WHERE next_at <= $1 ORDER BY next_at";
    let rows = read.rows(sql, &[Arg::time(now)]).await?;
    rows.iter().map(|row| row.parse("certificate_id")).collect()
}

/// Takes an order that is due until a moment; whether nobody else has.
pub async fn take(tx: &mut Tx, id: CertificateId, now: Timestamp, until: Timestamp) -> Result<bool, Error> {
    let sql = "UPDATE acme_orders SET next_at = $1 WHERE certificate_id = $2 AND next_at <= $3";
    let args = [Arg::time(until), Arg::text(id), Arg::time(now)];
    Ok(tx.execute(sql, &args).await? == 1)
}

/// Writes what the server looks for.
pub async fn write_challenges(tx: &mut Tx, id: CertificateId, challenges: &[Challenge]) -> Result<(), Error> {
    let sql = "UPDATE acme_orders SET challenges = $1 WHERE certificate_id = $2";
    let args = [Arg::Json(json!(challenges)), Arg::text(id)];
    tx.execute(sql, &args).await.map(drop)
}

/// Reads what ACME servers look for in an environment.
pub async fn challenges(read: &mut impl Read, environment: &Name) -> Result<Vec<Challenge>, Error> {
    let sql = "SELECT challenges FROM acme_orders WHERE environment = $1 ORDER BY certificate_id";
    let rows = read.rows(sql, &[Arg::text(environment)]).await?;
    let mut all = Vec::new();
    for row in &rows {
        all.extend(row.read::<Vec<Challenge>>("challenges", "challenges")?);
    }
    Ok(all)
}
