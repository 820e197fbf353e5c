//! Tracked events: who may record them, which kinds there are, how many came, and by what they are recognised.

use std::collections::HashMap;

use domain::id::{EventTypeId, NodeId, OrganizationId};
use domain::key::Hash;
use domain::tracking::{EventType, EventTypeCount, EventTypeInterval, EventTypeState, EventTypeUse, SdkKey};
use domain::{Name, Timestamp};

use crate::entity::Read;
use crate::{Arg, Error, Row, Tx};

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

/// By what the tracked events of one commit are recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventIds {
    /// Its place among the commits; the first one has 1.
    pub number: u64,
    /// When they were counted.
    pub counted_at: Timestamp,
    /// Of each a hash of its id, and the second since 1970 in which it came in.
    pub ids: Vec<(u64, u32)>,
}

/// Events that had come to another log before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventDuplicates {
    /// The batch that has them.
    pub sequence: u64,
    /// Their places in it, in rising order.
    pub places: Vec<u32>,
}

/// Bytes of an id in [`EventIds`].
const ID_BYTES: usize = 12;

impl Tx {
    /// Notes by what the events of a commit are recognised; callers hold the lock of all who do.
    pub async fn add_event_ids(&mut self, ids: &EventIds) -> Result<(), Error> {
        let sql = "INSERT INTO event_ids (number, counted_at, ids) VALUES ($1, $2, $3)";
        let mut bytes = Vec::with_capacity(ids.ids.len() * ID_BYTES);
        for (hash, second) in &ids.ids {
            bytes.extend_from_slice(&hash.to_le_bytes());
            bytes.extend_from_slice(&second.to_le_bytes());
        }
        let args = [number(ids.number), Arg::time(ids.counted_at), Arg::Bytes(bytes)];
        self.execute(sql, &args).await.map(drop)
    }

    /// Forgets what the events of commits before one are recognised by.
    pub async fn forget_event_ids(&mut self, before: u64) -> Result<(), Error> {
        let sql = "DELETE FROM event_ids WHERE number < $1";
        self.execute(sql, &[number(before)]).await.map(drop)
    }

    /// Notes which events of a node's batches had come before.
    pub async fn add_event_duplicates(
        &mut self,
        node: NodeId,
        duplicates: &[EventDuplicates],
    ) -> Result<(), Error> {
        for rows in duplicates.chunks(ROWS_MAX) {
            let args = rows.iter().flat_map(|row| {
                let places = row.places.iter().flat_map(|place| place.to_le_bytes());
                [
                    Arg::text(node),
                    number(row.sequence),
                    Arg::Bytes(places.collect()),
                ]
            });
            let args: Vec<_> = args.collect();
            let sql = format!(
                "INSERT INTO event_duplicates (node_id, sequence, places) VALUES {}",
                crate::db::places(rows.len(), 3, "")
            );
            self.execute(&sql, &args).await?;
        }
        Ok(())
    }

    /// Forgets which events of a node's batches had come before, up to a batch.
    pub async fn forget_event_duplicates(&mut self, node: NodeId, through: u64) -> Result<(), Error> {
        let sql = "DELETE FROM event_duplicates WHERE node_id = $1 AND sequence <= $2";
        self.execute(sql, &[Arg::text(node), number(through)])
            .await
            .map(drop)
    }
}

/// The number of the newest commit of which ids are known; 0 before the first.
pub async fn newest_event_ids(read: &mut impl Read) -> Result<u64, Error> {
    let sql = "SELECT CAST(COALESCE(MAX(number), 0) AS BIGINT) AS newest FROM event_ids";
    let row = read.row(sql, &[]).await?;
    row.map_or(Ok(0), |row| unsigned(&row, "newest"))
}

/// By what the events of the commit after one are recognised.
pub async fn event_ids_after(read: &mut impl Read, after: u64) -> Result<Option<EventIds>, Error> {
    let sql = "SELECT number, counted_at, ids FROM event_ids WHERE number > $1 ORDER BY number LIMIT 1";
    let Some(row) = read.row(sql, &[number(after)]).await? else {
        return Ok(None);
    };
    let bytes = row.bytes("ids")?;
    let (ids, _) = bytes.as_chunks::<ID_BYTES>();
    let ids = ids.iter().map(|[a, b, c, d, e, f, g, h, second @ ..]| {
        let hash = u64::from_le_bytes([*a, *b, *c, *d, *e, *f, *g, *h]);
        (hash, u32::from_le_bytes(*second))
    });
    Ok(Some(EventIds {
        number: unsigned(&row, "number")?,
        counted_at: row.time("counted_at")?,
        ids: ids.collect(),
    }))
}

/// Which events of a node's batches in a range had come before.
pub async fn event_duplicates(
    read: &mut impl Read,
    node: NodeId,
    (first, last): (u64, u64),
) -> Result<Vec<EventDuplicates>, Error> {
    let sql = "SELECT sequence, places FROM event_duplicates
               WHERE node_id = $1 AND sequence >= $2 AND sequence <= $3 ORDER BY sequence";
    let rows = read
        .rows(sql, &[Arg::text(node), number(first), number(last)])
        .await?;
    let read = |row: &Row| {
        let places = row.bytes("places")?;
        let (places, _) = places.as_chunks();
        Ok(EventDuplicates {
            sequence: unsigned(row, "sequence")?,
            places: places.iter().map(|place| u32::from_le_bytes(*place)).collect(),
        })
    };
    rows.iter().map(read).collect()
}

fn number(value: u64) -> Arg {
    Arg::int(i64::try_from(value).unwrap_or(i64::MAX))
}

fn unsigned(row: &Row, name: &'static str) -> Result<u64, Error> {
    Ok(u64::try_from(row.int(name)?).unwrap_or(0))
}
