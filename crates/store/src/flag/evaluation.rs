//! How often which variants of flags were given, day by day.

use std::collections::{BTreeMap, HashMap};

use domain::flag::FlagCount;
use domain::id::OrganizationId;
use domain::{Name, Timestamp};

use crate::entity::Read;
use crate::{Arg, Error, Tx};

const DAY_MICROS: i64 = 86_400_000_000;
/// The most rows of one statement: each has seven values, and SQLite takes 32,766.
const ROWS_MAX: usize = 4000;

/// Evaluations of a flag in an environment that gave one variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluations {
    /// Whose flag it is.
    pub organization: OrganizationId,
    /// The environment's name.
    pub environment: Name,
    /// The flag's key.
    pub key: String,
    /// The variant's name.
    pub variant: String,
    /// How many.
    pub count: i64,
    /// When the last of them was; its day in UTC is the day of all.
    pub last_at: Timestamp,
}

/// What is known of a flag's evaluations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Evaluated {
    /// When the last one was.
    pub last_at: Option<Timestamp>,
    /// How many variants were given since the moment that was asked about.
    pub variants: i64,
}

type Place<'r> = (OrganizationId, &'r str, &'r str, &'r str, i64);

/// Adds evaluations to those that were counted before.
pub async fn count(tx: &mut Tx, rows: &[Evaluations]) -> Result<(), Error> {
    // A statement cannot change a row twice.
    let mut sums: BTreeMap<Place<'_>, (i64, i64)> = BTreeMap::new();
    for row in rows {
        let at = row.last_at.as_micros();
        let place = (
            row.organization,
            row.key.as_str(),
            row.environment.as_str(),
            row.variant.as_str(),
            at.div_euclid(DAY_MICROS) * DAY_MICROS,
        );
        let (count, last_at) = sums.entry(place).or_insert((0, at));
        *count = count.saturating_add(row.count);
        *last_at = at.max(*last_at);
    }
    let sums: Vec<_> = sums.into_iter().collect();
    for batch in sums.chunks(ROWS_MAX) {
        add(tx, batch).await?;
    }
    Ok(())
}

async fn add(tx: &mut Tx, batch: &[(Place<'_>, (i64, i64))]) -> Result<(), Error> {
    let mut args = Vec::with_capacity(batch.len() * 7);
    let mut values = Vec::with_capacity(batch.len());
    for ((organization, key, environment, variant, day), (count, last_at)) in batch {
        let first = args.len() + 1;
        let places: Vec<_> = (first..first + 7).map(|place| format!("${place}")).collect();
        values.push(format!("({})", places.join(", ")));
        args.extend([
            Arg::text(organization),
            Arg::text(key),
            Arg::text(environment),
            Arg::text(variant),
            Arg::int(*day),
            Arg::int(*count),
            Arg::int(*last_at),
        ]);
    }
    let sql = format!(
        "INSERT INTO flag_evaluations (organization_id, key, environment, variant, day, count, last_at)
         VALUES {}
         ON CONFLICT (organization_id, key, environment, day, variant) DO UPDATE
         SET count = flag_evaluations.count + excluded.count,
         last_at = CASE WHEN excluded.last_at > flag_evaluations.last_at THEN excluded.last_at
         ELSE flag_evaluations.last_at END",
        values.join(", ")
    );
    tx.execute(&sql, &args).await.map(drop)
}

/// Since when evaluations are counted, of any organization; `None` if none were.
pub async fn counted_since(read: &mut impl Read) -> Result<Option<Timestamp>, Error> {
    let row = read
        .row("SELECT MIN(day) AS day FROM flag_evaluations", &[])
        .await?;
    row.map_or(Ok(None), |row| row.time_or_null("day"))
}

/// What is known of the evaluations of an organization's flags, by their keys; of variants, those since a moment.
pub async fn evaluated(
    read: &mut impl Read,
    organization: OrganizationId,
    keys: Option<&[String]>,
    since: Timestamp,
) -> Result<HashMap<String, Evaluated>, Error> {
    let mut args = vec![Arg::text(organization), Arg::time(since)];
    let mut only = String::new();
    if let Some(keys) = keys {
        if keys.is_empty() {
            return Ok(HashMap::new());
        }
        let places: Vec<_> = (3..keys.len() + 3).map(|place| format!("${place}")).collect();
        only = format!("AND key IN ({})", places.join(", "));
        args.extend(keys.iter().map(Arg::text));
    }
    let sql = format!(
        "SELECT key, MAX(last_at) AS last_at, COUNT(DISTINCT CASE WHEN last_at >= $2 THEN variant END) AS variants
         FROM flag_evaluations WHERE organization_id = $1 {only} GROUP BY key"
    );
    let rows = read.rows(&sql, &args).await?;
    rows.iter()
        .map(|row| {
            let found = Evaluated {
                last_at: row.time_or_null("last_at")?,
                variants: row.int("variants")?,
            };
            Ok((row.text("key")?, found))
        })
        .collect()
}

/// The evaluations of a flag, by day, environment and variant, of the days from one moment until before another.
pub async fn of_flag(
    read: &mut impl Read,
    (organization, key): (OrganizationId, &str),
    (from, to): (Timestamp, Timestamp),
) -> Result<Vec<FlagCount>, Error> {
    let sql = "SELECT day, environment, variant, count, last_at FROM flag_evaluations
               WHERE organization_id = $1 AND key = $2 AND day >= $3 AND day < $4
               ORDER BY day, environment, variant";
    let args = [
        Arg::text(organization),
        Arg::text(key),
        Arg::time(from),
        Arg::time(to),
    ];
    let rows = read.rows(sql, &args).await?;
    rows.iter()
        .map(|row| {
            Ok(FlagCount {
                day: row.time("day")?,
                environment: row.parse("environment")?,
                variant: row.text("variant")?,
                count: row.int("count")?,
                last_at: row.time("last_at")?,
            })
        })
        .collect()
}

/// Forgets the evaluations of a flag.
pub async fn forget(tx: &mut Tx, organization: OrganizationId, key: &str) -> Result<(), Error> {
    let sql = "DELETE FROM flag_evaluations WHERE organization_id = $1 AND key = $2";
    let args = [Arg::text(organization), Arg::text(key)];
    tx.execute(sql, &args).await.map(drop)
}

/// Forgets the evaluations of days before a moment.
pub async fn forget_before(tx: &mut Tx, moment: Timestamp) -> Result<(), Error> {
    let sql = "DELETE FROM flag_evaluations WHERE day < $1";
    tx.execute(sql, &[Arg::time(moment)]).await.map(drop)
}
