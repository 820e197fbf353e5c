//! What was used, by hour; and how far each node's log is counted.

use std::collections::HashMap;
use std::fmt::{Display, Write as _};
use std::hash::Hash;
use std::str::FromStr;

use domain::Timestamp;
use domain::id::{
    ApiId, ApplicationId, NodeId, OperationId, OrganizationId, PlanId, SubscriptionId, VersionId,
};
use domain::usage::UsageRow;

use crate::entity::Read;
use crate::{Arg, Error, Row, Tx};

/// Rows written with one statement.
const ROWS_MAX: usize = 200;
/// Microseconds in a day.
const DAY_MICROS: i64 = 24 * domain::time::HOUR_MICROS;

/// What calls of one hour have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// The beginning of the hour in UTC.
    pub hour: Timestamp,
    /// The provider's organization.
    pub provider: OrganizationId,
    /// The API.
    pub api: ApiId,
    /// Its version.
    pub version: VersionId,
    /// The operation; absent when none matched.
    pub operation: Option<OperationId>,
    /// The consumer's organization; absent without a valid key.
    pub consumer: Option<OrganizationId>,
    /// The application; absent without a valid key.
    pub application: Option<ApplicationId>,
    /// The subscription; absent when there is none.
    pub subscription: Option<SubscriptionId>,
    /// The plan; absent without a subscription.
    pub plan: Option<PlanId>,
}

/// The sums in the order of [`SUMS`].
pub type Sums = [i64; SUMS.len()];

/// The columns that are summed up.
pub const SUMS: [&str; 8] = domain::rollup::Sums::NAMES;

/// What rows are told apart by, beside the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    /// The hour.
    Hour,
    /// The day in UTC.
    Day,
    /// The version.
    Version,
    /// The operation.
    Operation,
    /// The application.
    Application,
    /// The subscription.
    Subscription,
    /// The plan.
    Plan,
}

impl Group {
    /// The group of a name as queries have it: `hour`, `operation`, …
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "hour" => Self::Hour,
            "day" => Self::Day,
            "version" => Self::Version,
            "operation" => Self::Operation,
            "application" => Self::Application,
            "subscription" => Self::Subscription,
            "plan" => Self::Plan,
            _ => return None,
        })
    }
}

/// Which usage to sum up.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// From this hour on.
    pub from: Option<Timestamp>,
    /// Before this moment.
    pub to: Option<Timestamp>,
    /// The organization that provides or consumes.
    pub organization: Option<OrganizationId>,
    /// The API's id or name.
    pub api: Option<String>,
    /// The application's id or name.
    pub application: Option<String>,
    /// What rows are told apart by.
    pub group: Vec<Group>,
    /// The place of the last row of the page before.
    pub after: Option<String>,
    /// The most rows.
    pub limit: u32,
}

/// A row with its place in the order, which is what [`Filter::after`] takes.
#[derive(Debug, Clone, PartialEq)]
pub struct Placed {
    /// The row.
    pub row: UsageRow,
    /// Its place.
    pub place: String,
}

/// The sequence number of the last batch of a node that is counted; `None` for a node that is not known.
pub async fn watermark(read: &mut impl Read, node: NodeId) -> Result<Option<u64>, Error> {
    let sql = "SELECT sequence FROM usage_watermark WHERE node_id = $1";
    let row = read.row(sql, &[Arg::text(node)]).await?;
    let sequence = row.map(|row| row.int("sequence")).transpose()?;
    Ok(sequence.map(|sequence| u64::try_from(sequence).unwrap_or(0)))
}

impl Tx {
    /// Moves a node's watermark from what was read to another.
    ///
    /// # Errors
    /// [`Error::Stale`] if it is another by now.
    pub async fn move_watermark(&mut self, node: NodeId, from: Option<u64>, to: u64) -> Result<(), Error> {
        let number = |value: u64| Arg::int(i64::try_from(value).unwrap_or(i64::MAX));
        let moved = match from {
            Some(from) => {
                let sql = "UPDATE usage_watermark SET sequence = $1 WHERE node_id = $2 AND sequence = $3";
                self.execute(sql, &[number(to), Arg::text(node), number(from)])
                    .await?
            }
            None => {
                let sql = "INSERT INTO usage_watermark (node_id, sequence) VALUES ($1, $2)
                           ON CONFLICT (node_id) DO NOTHING";
                self.execute(sql, &[Arg::text(node), number(to)]).await?
            }
        };
        if moved == 1 { Ok(()) } else { Err(Error::Stale) }
    }

    /// Adds to the usage; each key stands there once.
    pub async fn add_usage(&mut self, usage: &[(Key, Sums)]) -> Result<(), Error> {
        const COLUMNS: usize = 9 + SUMS.len();
        let sums = SUMS.map(|sum| format!("{sum} = usage_hour.{sum} + excluded.{sum}"));
        for rows in usage.chunks(ROWS_MAX) {
            let mut args = Vec::with_capacity(rows.len() * COLUMNS);
            for (key, sums) in rows {
                let none = String::new;
                args.extend([
                    Arg::text(key.provider),
                    Arg::time(key.hour),
                    Arg::text(key.api),
                    Arg::text(key.version),
                    Arg::text(key.operation.map_or_else(none, |id| id.to_string())),
                    Arg::text(key.consumer.map_or_else(none, |id| id.to_string())),
                    Arg::text(key.application.map_or_else(none, |id| id.to_string())),
                    Arg::text(key.subscription.map_or_else(none, |id| id.to_string())),
                    Arg::text(key.plan.map_or_else(none, |id| id.to_string())),
                ]);
                args.extend(sums.map(Arg::int));
            }
            let key = "provider_id, hour, api_id, version_id, operation_id, consumer_id, application_id, \
                       subscription_id, plan_id";
            let sql = format!(
                "INSERT INTO usage_hour ({key}, {}) VALUES {} ON CONFLICT ({key}) DO UPDATE SET {}",
                SUMS.join(", "),
                crate::db::places(rows.len(), COLUMNS, ""),
                sums.join(", ")
            );
            self.execute(&sql, &args).await?;
        }
        Ok(())
    }
}

impl Tx {
    /// Notes in which hour keys of either kind were last used; callers pass them in the order of the keys, so that two who write
    /// the same ones cannot wait for each other.
    pub async fn note_key_uses<Id: Display + Sync>(&mut self, uses: &[(Id, Timestamp)]) -> Result<(), Error> {
        for rows in uses.chunks(ROWS_MAX) {
            let args: Vec<_> = rows
                .iter()
                .flat_map(|(key, hour)| [Arg::text(key), Arg::time(*hour)])
                .collect();
            // Most calls are of an hour that is noted already; then nothing is written.
            let sql = format!(
                "INSERT INTO key_uses (key_id, hour) VALUES {} ON CONFLICT (key_id) DO UPDATE
                 SET hour = excluded.hour WHERE key_uses.hour < excluded.hour",
                crate::db::places(rows.len(), 2, "")
            );
            self.execute(&sql, &args).await?;
        }
        Ok(())
    }

    /// Forgets the uses of keys that are gone.
    pub async fn forget_key_uses(&mut self) -> Result<u64, Error> {
        let sql = "DELETE FROM key_uses WHERE NOT EXISTS (SELECT 1 FROM keys k WHERE k.id = key_uses.key_id)
                   AND NOT EXISTS (SELECT 1 FROM sdk_keys k WHERE k.id = key_uses.key_id)";
        self.execute(sql, &[]).await
    }
}

/// The hours in which keys were last used; those that never were are not in it.
pub async fn key_uses<Id>(read: &mut impl Read, keys: &[Id]) -> Result<HashMap<Id, Timestamp>, Error>
where
    Id: Display + FromStr<Err: std::error::Error + Send + Sync + 'static> + Eq + Hash,
{
    let mut uses = HashMap::with_capacity(keys.len());
    for keys in keys.chunks(ROWS_MAX) {
        let places: Vec<_> = (1..=keys.len()).map(|place| format!("${place}")).collect();
        let sql = format!(
            "SELECT key_id, hour FROM key_uses WHERE key_id IN ({})",
            places.join(", ")
        );
        let args: Vec<_> = keys.iter().map(Arg::text).collect();
        for row in read.rows(&sql, &args).await? {
            uses.insert(row.parse("key_id")?, row.time("hour")?);
        }
    }
    Ok(uses)
}

/// Sums up usage in the order of time, API, version, operation, application, subscription and plan.
pub async fn sums(read: &mut impl Read, filter: &Filter) -> Result<Vec<Placed>, Error> {
    let mut args = Vec::new();
    let mut arg = |value: Arg| {
        args.push(value);
        args.len()
    };
    let mut conditions = String::from("1 = 1");
    let mut add = |text: String| {
        conditions.push_str(" AND ");
        conditions.push_str(&text);
    };
    if let Some(organization) = filter.organization {
        let place = arg(Arg::text(organization));
        add(format!("(provider_id = ${place} OR consumer_id = ${place})"));
    }
    if let Some(from) = filter.from {
        add(format!("hour >= ${}", arg(Arg::time(from.hour()))));
    }
    if let Some(to) = filter.to {
        add(format!("hour < ${}", arg(Arg::time(to))));
    }
    if let Some(api) = &filter.api {
        let place = arg(Arg::text(api));
        add(format!(
            "(api_id = ${place} OR api_id IN (SELECT id FROM apis WHERE name = ${place}))"
        ));
    }
    if let Some(application) = &filter.application {
        let place = arg(Arg::text(application));
        add(format!(
            "(application_id = ${place} OR application_id IN (SELECT id FROM applications WHERE name = ${place}))"
        ));
    }
    let after = match &filter.after {
        Some(after) => format!("g.place > ${}", arg(Arg::text(after))),
        None => "1 = 1".to_owned(),
    };
    let sql = statement(&filter.group, &conditions, &after, filter.limit);
    let rows = read.rows(&sql, &args).await?;
    rows.iter().map(placed).collect()
}

fn statement(group: &[Group], conditions: &str, after: &str, limit: u32) -> String {
    let time = if group.contains(&Group::Hour) {
        "hour".to_owned()
    } else if group.contains(&Group::Day) {
        format!("hour - hour % {DAY_MICROS}")
    } else {
        "CAST(NULL AS BIGINT)".to_owned()
    };
    let column = |wanted: Group, name: &'static str| if group.contains(&wanted) { name } else { "''" };
    let parts = [
        ("version_id", column(Group::Version, "version_id")),
        ("operation_id", column(Group::Operation, "operation_id")),
        ("application_id", column(Group::Application, "application_id")),
        ("subscription_id", column(Group::Subscription, "subscription_id")),
        ("plan_id", column(Group::Plan, "plan_id")),
    ];
    let mut select = format!("{time} AS moment, api_id");
    // Times of our centuries have 16 digits, so that their text is in their order.
    let mut place = format!("COALESCE(CAST({time} AS TEXT), '') || '/' || api_id");
    let mut by = String::from("api_id");
    if group
        .iter()
        .any(|group| matches!(group, Group::Hour | Group::Day))
    {
        let _ = write!(by, ", {time}");
    }
    for (name, expression) in parts {
        let _ = write!(select, ", {expression} AS {name}");
        if expression == name {
            let _ = write!(place, " || '/' || {name}");
            let _ = write!(by, ", {name}");
        }
    }
    for sum in SUMS {
        let _ = write!(select, ", CAST(SUM({sum}) AS BIGINT) AS {sum}");
    }
    format!(
        "SELECT g.*, COALESCE(a.name, '') AS api, COALESCE(o.name, '') AS operation,
                COALESCE(p.body ->> 'title', '') AS application
         FROM (SELECT {select}, {place} AS place FROM usage_hour WHERE {conditions} GROUP BY {by}) g
         LEFT JOIN apis a ON a.id = g.api_id
         LEFT JOIN operations o ON o.id = g.operation_id
         LEFT JOIN applications p ON p.id = g.application_id
         WHERE {after} ORDER BY g.place LIMIT {limit}"
    )
}

fn placed(row: &Row) -> Result<Placed, Error> {
    fn id<T>(row: &Row, name: &'static str) -> Result<Option<T>, Error>
    where
        T: FromStr,
        T::Err: std::error::Error + Send + Sync + 'static,
    {
        if row.text(name)?.is_empty() {
            Ok(None)
        } else {
            row.parse(name).map(Some)
        }
    }
    let usage = UsageRow {
        hour: row.time_or_null("moment")?,
        api_id: row.parse("api_id")?,
        api: row.text("api")?,
        version_id: id(row, "version_id")?,
        operation_id: id(row, "operation_id")?,
        operation: row.text("operation")?,
        application_id: id(row, "application_id")?,
        application: row.text("application")?,
        subscription_id: id(row, "subscription_id")?,
        plan_id: id(row, "plan_id")?,
        calls: row.int("calls")?,
        counted: row.int("counted")?,
        refused: row.int("refused")?,
        client_errors: row.int("client_errors")?,
        server_errors: row.int("server_errors")?,
        bytes_in: row.int("bytes_in")?,
        bytes_out: row.int("bytes_out")?,
        latency_us: row.int("latency_us")?,
    };
    Ok(Placed {
        row: usage,
        place: row.text("place")?,
    })
}
