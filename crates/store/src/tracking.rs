//! Tracked events: who may record them, which kinds there are, and how many came.

use std::collections::HashMap;

use domain::id::{EventTypeId, OrganizationId};
use domain::key::Hash;
use domain::tracking::{EventType, EventTypeCount, EventTypeInterval, EventTypeState, EventTypeUse, SdkKey};
use domain::{Name, Timestamp};

use crate::entity::Read;
use crate::{Arg, Error, Tx};

/// Rows written or looked up with one statement.
const ROWS_MAX: usize = 200;
/// Microseconds in a day.
const DAY_MICROS: i64 = 24 * domain::time::HOUR_MICROS;

/// What events of one hour have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct HourKey {
    /// Their type.
    pub event_type: EventTypeId,
    /// The beginning of the hour in UTC in which they came.
    pub hour: Timestamp,
    /// The environment's name.
    pub environment: Name,
    /// The organization.
    pub organization: OrganizationId,
}

/// Events and what they carried in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HourSums {
    /// The events.
    pub events: i64,
    /// The bytes.
    pub bytes: i64,
}

impl Tx {
    /// Adds to the counts of hours; each key stands there once, in their order.
    pub async fn add_event_hours(&mut self, hours: &[(HourKey, HourSums)]) -> Result<(), Error> {
        const COLUMNS: usize = 6;
        for rows in hours.chunks(ROWS_MAX) {
            let args = rows.iter().flat_map(|(key, sums)| {
                [
                    Arg::text(key.event_type),
                    Arg::time(key.hour),
                    Arg::text(&key.environment),
                    Arg::text(key.organization),
                    Arg::int(sums.events),
                    Arg::int(sums.bytes),
                ]
            });
            let args: Vec<_> = args.collect();
            let sql = format!(
                "INSERT INTO event_hours (event_type_id, hour, environment, organization_id, events, bytes)
                 VALUES {} ON CONFLICT (event_type_id, hour, environment) DO UPDATE
                 SET events = event_hours.events + excluded.events, bytes = event_hours.bytes + excluded.bytes",
                crate::db::places(rows.len(), COLUMNS, "")
            );
            self.execute(&sql, &args).await?;
        }
        Ok(())
    }
}

/// Reads the keys of all organizations that are valid, or ended after `since`, with their hashes.
pub async fn keys(read: &mut impl Read, since: Timestamp) -> Result<Vec<(Hash, SdkKey)>, Error> {
    let sql = "SELECT hash, body FROM sdk_keys WHERE ended_at IS NULL OR ended_at > $1 ORDER BY id";
    let rows = read.rows(sql, &[Arg::time(since)]).await?;
    rows.iter()
        .map(|row| Ok((row.parse("hash")?, row.read("body", "sdk_keys")?)))
        .collect()
}

/// Which event types of this name are active, of all organizations.
pub async fn active_types(
    read: &mut impl Read,
    name: &str,
) -> Result<Vec<(OrganizationId, EventTypeId)>, Error> {
    let sql = "SELECT body FROM event_types WHERE name = $1 ORDER BY id";
    let mut found = Vec::new();
    for row in read.rows(sql, &[Arg::text(name)]).await? {
        let it: EventType = row.read("body", "event_types")?;
        if it.spec.state == EventTypeState::Active {
            found.push((it.organization_id, it.id));
        }
    }
    Ok(found)
}

/// Reads the event types of all organizations.
pub async fn event_types(read: &mut impl Read) -> Result<Vec<EventType>, Error> {
    let rows = read.rows("SELECT body FROM event_types ORDER BY id", &[]).await?;
    rows.iter().map(|row| row.read("body", "event_types")).collect()
}

/// Says of event types when the newest event came, and how many came from the hour `since` on.
pub async fn uses(
    read: &mut impl Read,
    types: &[EventTypeId],
    since: Timestamp,
) -> Result<HashMap<EventTypeId, EventTypeUse>, Error> {
    let mut uses = HashMap::with_capacity(types.len());
    for types in types.chunks(ROWS_MAX) {
        let places: Vec<_> = (2..types.len() + 2).map(|place| format!("${place}")).collect();
        let sql = format!(
            "SELECT event_type_id, MAX(hour) AS last,
                    CAST(SUM(CASE WHEN hour >= $1 THEN events ELSE 0 END) AS BIGINT) AS events
             FROM event_hours WHERE event_type_id IN ({}) GROUP BY event_type_id",
            places.join(", ")
        );
        let ids = types.iter().map(Arg::text);
        let args: Vec<_> = std::iter::once(Arg::time(since)).chain(ids).collect();
        for row in read.rows(&sql, &args).await? {
            let found = EventTypeUse {
                last_seen_at: Some(row.time("last")?),
                events_last_day: row.int("events")?,
            };
            uses.insert(row.parse("event_type_id")?, found);
        }
    }
    Ok(uses)
}

/// Sums up the events of a type that came in a time, by span and environment, in this order.
pub async fn counts(
    read: &mut impl Read,
    event_type: EventTypeId,
    (from, to): (Timestamp, Timestamp),
    interval: EventTypeInterval,
) -> Result<Vec<EventTypeCount>, Error> {
    let begin = match interval {
        EventTypeInterval::Hour => "hour".to_owned(),
        // Numbers are divided without a rest in both databases.
        EventTypeInterval::Day => format!("(hour / {DAY_MICROS}) * {DAY_MICROS}"),
    };
    let sql = format!(
        "SELECT {begin} AS begun, environment, CAST(SUM(events) AS BIGINT) AS events,
                CAST(SUM(bytes) AS BIGINT) AS bytes
         FROM event_hours WHERE event_type_id = $1 AND hour >= $2 AND hour < $3
         GROUP BY begun, environment ORDER BY begun, environment"
    );
    let args = [Arg::text(event_type), Arg::time(from), Arg::time(to)];
    let rows = read.rows(&sql, &args).await?;
    rows.iter()
        .map(|row| {
            Ok(EventTypeCount {
                begin: row.time("begun")?,
                environment: row.parse("environment")?,
                events: row.int("events")?,
                bytes: row.int("bytes")?,
            })
        })
        .collect()
}

/// Whether events of a type were ever counted.
pub async fn has_events(read: &mut impl Read, event_type: EventTypeId) -> Result<bool, Error> {
    let sql = "SELECT 1 AS one FROM event_hours WHERE event_type_id = $1 LIMIT 1";
    Ok(read.row(sql, &[Arg::text(event_type)]).await?.is_some())
}
