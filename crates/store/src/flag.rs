//! Feature flags of all organizations, as edges need them.

pub mod evaluation;
pub mod history;
pub mod proposal;
pub mod reference;

use std::collections::HashMap;
use std::fmt::Display;
use std::str::FromStr;

use domain::flag::{FeatureFlag, FlagKey, Segment};
use domain::id::{FeatureFlagId, OrganizationId, SegmentId};
use serde::Serialize;

use crate::entity::Read;
use crate::{Arg, Error, Tx};

/// Which flags and segments an organization has, and in which state.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Revisions {
    /// The flags, in the order of their ids.
    pub flags: Vec<(FeatureFlagId, i64)>,
    /// The segments, in the order of their ids.
    pub segments: Vec<(SegmentId, i64)>,
}

/// Which flags and segments there are, of all organizations.
pub async fn revisions(read: &mut impl Read) -> Result<HashMap<OrganizationId, Revisions>, Error> {
    let mut all: HashMap<OrganizationId, Revisions> = HashMap::new();
    for (organization, flag) in revisions_in(read, "feature_flags").await? {
        all.entry(organization).or_default().flags.push(flag);
    }
    for (organization, segment) in revisions_in(read, "segments").await? {
        all.entry(organization).or_default().segments.push(segment);
    }
    Ok(all)
}

async fn revisions_in<Id>(
    read: &mut impl Read,
    table: &'static str,
) -> Result<Vec<(OrganizationId, (Id, i64))>, Error>
where
    Id: FromStr + Display,
    Id::Err: std::error::Error + Send + Sync + 'static,
{
    let sql = format!("SELECT organization_id, id, revision FROM {table} ORDER BY id");
    let rows = read.rows(&sql, &[]).await?;
    rows.iter()
        .map(|row| {
            Ok((
                row.parse("organization_id")?,
                (row.parse("id")?, row.int("revision")?),
            ))
        })
        .collect()
}

/// How many bytes of JSON a flag or a segment is.
pub fn bytes(spec: &impl Serialize) -> i64 {
    let json = serde_json::to_vec(spec).map_or(0, |json| json.len());
    i64::try_from(json).unwrap_or(i64::MAX)
}

/// How many bytes of JSON the flags and segments of an organization are together.
pub async fn bytes_of_all(read: &mut impl Read, organization: OrganizationId) -> Result<i64, Error> {
    let sql = "SELECT CAST(COALESCE(SUM(bytes), 0) AS BIGINT) AS n FROM (\
               SELECT bytes FROM feature_flags WHERE organization_id = $1 \
               UNION ALL SELECT bytes FROM segments WHERE organization_id = $1) AS kept";
    let row = read.row(sql, &[Arg::text(organization)]).await?;
    row.map_or(Ok(0), |row| row.int("n"))
}

/// Reads the flags of an organization.
pub async fn all(read: &mut impl Read, organization: OrganizationId) -> Result<Vec<FeatureFlag>, Error> {
    let sql = "SELECT body FROM feature_flags WHERE organization_id = $1 ORDER BY id";
    let rows = read.rows(sql, &[Arg::text(organization)]).await?;
    rows.iter().map(|row| row.read("body", "feature_flags")).collect()
}

/// The keys of flags by their ids, of at most some hundreds at once.
pub async fn keys(
    read: &mut impl Read,
    flags: &[FeatureFlagId],
) -> Result<HashMap<FeatureFlagId, FlagKey>, Error> {
    if flags.is_empty() {
        return Ok(HashMap::new());
    }
    let places = (1..=flags.len()).map(|place| format!("${place}"));
    let places = places.collect::<Vec<_>>().join(", ");
    let sql = format!("SELECT id, name FROM feature_flags WHERE id IN ({places})");
    let ids: Vec<_> = flags.iter().map(Arg::text).collect();
    let rows = read.rows(&sql, &ids).await?;
    rows.iter()
        .map(|row| Ok((row.parse("id")?, row.parse("name")?)))
        .collect()
}

/// Reads the segments of an organization.
pub async fn segments(read: &mut impl Read, organization: OrganizationId) -> Result<Vec<Segment>, Error> {
    let sql = "SELECT body FROM segments WHERE organization_id = $1 ORDER BY id";
    let rows = read.rows(sql, &[Arg::text(organization)]).await?;
    rows.iter().map(|row| row.read("body", "segments")).collect()
}

/// Forgets what is kept beside a flag, before it is removed.
pub async fn forget(tx: &mut Tx, flag: &FeatureFlag) -> Result<(), Error> {
    history::forget(tx, flag).await?;
    evaluation::forget(tx, flag.organization_id, flag.spec.key.as_str()).await?;
    for table in ["flag_comments", "flag_change_requests", "flag_code_references"] {
        let sql = format!("DELETE FROM {table} WHERE flag_id = $1");
        tx.execute(&sql, &[Arg::text(flag.id)]).await?;
    }
    Ok(())
}
