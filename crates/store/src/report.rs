//! What reports ask beside sums of calls: causes of errors, callers, what ends, and how applications came.

use std::collections::HashMap;

use domain::Timestamp;
use domain::analytics::{Dimension, DimensionFilter};
use domain::catalog::Version;
use domain::id::{ApiId, ApplicationId, OrganizationId, ReportScheduleId, VersionId};
use domain::report::{ReportSchedule, ReportScheduleUse};
use domain::rollup::{Grain, Grains};

use crate::entity::Read;
use crate::rollup::{about, value};
use crate::{Arg, Error, Row, Tx};

/// Rows written or looked up with one statement.
const ROWS_MAX: usize = 200;
/// Microseconds in a day.
const DAY_MICROS: i64 = 24 * domain::time::HOUR_MICROS;

/// Which calls are asked about: of an organization's APIs and of its applications, by whole hours.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    /// Who provides or consumes.
    pub organization: OrganizationId,
    /// From the hour on that begins here.
    pub from: Timestamp,
    /// Before the hour that begins here.
    pub to: Timestamp,
    /// What the calls must fit.
    pub filters: &'a [DimensionFilter],
}

impl About<'_> {
    /// The condition of sums at a grain that knows applications.
    fn at(&self, grain: Grain) -> (String, Vec<Arg>) {
        let grains = Grains {
            provided: grain,
            consumed: grain,
        };
        about(grains, self.organization, (self.from, self.to), self.filters)
    }
}

/// Calls that went wrong in the same way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// The status of the answer.
    pub status: i64,
    /// Who decided it: `gateway`, `upstream` or `client`.
    pub side: String,
    /// The error code of the gateway; empty if it did not decide.
    pub code: String,
    /// The API's id.
    pub api: String,
    /// The operation's id; empty if none matched.
    pub operation: String,
    /// How many.
    pub calls: i64,
    /// How many different applications made them.
    pub applications: i64,
    /// The hour of the first.
    pub first: Timestamp,
    /// The hour of the last.
    pub last: Timestamp,
}

/// Reads the calls that went wrong, by how they did, the most frequent first.
pub async fn causes(read: &mut impl Read, asked: About<'_>, limit: usize) -> Result<Vec<Cause>, Error> {
    let (conditions, args) = asked.at(Grain::Calls);
    let sql = format!(
        "SELECT s.status AS status, {} AS side, s.code AS code, s.api_id AS api, s.operation_id AS operation,
                CAST(SUM(r.calls) AS BIGINT) AS calls,
                COUNT(DISTINCT NULLIF(s.application_id, '')) AS applications,
                MIN(r.begun) AS first_at, MAX(r.begun) AS last_at
         FROM series s JOIN rollup_hour r ON r.series_id = s.id
         WHERE {conditions} AND (s.code <> '' OR s.status >= 400)
         GROUP BY s.status, s.code, s.api_id, s.operation_id
         ORDER BY calls DESC, s.api_id, s.operation_id, s.status, s.code LIMIT {limit}",
        value(Dimension::Side)
    );
    let rows = read.rows(&sql, &args).await?;
    rows.iter()
        .map(|row| {
            Ok(Cause {
                status: row.int("status")?,
                side: row.text("side")?,
                code: row.text("code")?,
                api: row.text("api")?,
                operation: row.text("operation")?,
                calls: row.int("calls")?,
                applications: row.int("applications")?,
                first: row.time("first_at")?,
                last: row.time("last_at")?,
            })
        })
        .collect()
}

/// An application that called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calling {
    /// Its id.
    pub application: ApplicationId,
    /// Whose it is.
    pub consumer: OrganizationId,
    /// How many calls it made.
    pub calls: i64,
    /// How many of them failed, or were refused.
    pub failed: i64,
    /// On how many days of UTC.
    pub days: i64,
    /// The hour of its last call.
    pub last: Timestamp,
}

/// Reads the applications that called, those with most calls first.
pub async fn calling(read: &mut impl Read, asked: About<'_>, limit: usize) -> Result<Vec<Calling>, Error> {
    let (conditions, args) = asked.at(Grain::Applications);
    let sql = format!(
        "SELECT s.application_id AS application, s.consumer_id AS consumer,
                CAST(SUM(r.calls) AS BIGINT) AS calls,
                CAST(SUM(r.refused + r.client_errors + r.server_errors) AS BIGINT) AS failed,
                COUNT(DISTINCT r.begun / {DAY_MICROS}) AS days, MAX(r.begun) AS last_at
         FROM series s JOIN rollup_hour r ON r.series_id = s.id
         WHERE {conditions} AND s.application_id <> ''
         GROUP BY s.application_id, s.consumer_id
         ORDER BY calls DESC, s.application_id LIMIT {limit}"
    );
    let rows = read.rows(&sql, &args).await?;
    rows.iter()
        .map(|row| {
            Ok(Calling {
                application: row.parse("application")?,
                consumer: row.parse("consumer")?,
                calls: row.int("calls")?,
                failed: row.int("failed")?,
                days: row.int("days")?,
                last: row.time("last_at")?,
            })
        })
        .collect()
}

/// Calls of an application to what ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// The API's id.
    pub api: ApiId,
    /// The version's id.
    pub version: VersionId,
    /// The id of the operation that ends; empty if the whole version does.
    pub operation: String,
    /// The application's id; empty for calls without a valid key.
    pub application: String,
    /// The id of its organization; empty for calls without a valid key.
    pub consumer: String,
    /// How many.
    pub calls: i64,
    /// The hour of the last.
    pub last: Timestamp,
}

/// Reads calls to versions that are deprecated or retired, and to operations that are deprecated, the most first.
pub async fn ending(read: &mut impl Read, asked: About<'_>, limit: usize) -> Result<Vec<Ending>, Error> {
    const ENDS: &str = "v.body ->> 'stage' IN ('deprecated', 'retired')";
    let (conditions, args) = asked.at(Grain::Calls);
    let sql = format!(
        "SELECT api, version, operation, application, consumer,
                CAST(SUM(calls) AS BIGINT) AS calls, MAX(last_at) AS last_at
         FROM (
             SELECT s.api_id AS api, s.version_id AS version,
                    CASE WHEN {ENDS} THEN '' ELSE s.operation_id END AS operation,
                    s.application_id AS application, s.consumer_id AS consumer, r.calls AS calls, r.begun AS last_at
             FROM series s JOIN rollup_hour r ON r.series_id = s.id JOIN versions v ON v.id = s.version_id
                  LEFT JOIN operations o ON o.id = s.operation_id
             WHERE {conditions} AND ({ENDS} OR CAST(o.body ->> 'deprecated' AS TEXT) IN ('true', '1'))
         ) AS called
         GROUP BY api, version, operation, application, consumer
         ORDER BY calls DESC, version, operation, application LIMIT {limit}"
    );
    let rows = read.rows(&sql, &args).await?;
    rows.iter()
        .map(|row| {
            Ok(Ending {
                api: row.parse("api")?,
                version: row.parse("version")?,
                operation: row.text("operation")?,
                application: row.text("application")?,
                consumer: row.text("consumer")?,
                calls: row.int("calls")?,
                last: row.time("last_at")?,
            })
        })
        .collect()
}

/// Reads the versions that an organization has deprecated or retired, and others of these ids.
pub async fn ended_versions(
    read: &mut impl Read,
    organization: OrganizationId,
    others: &[VersionId],
    limit: usize,
) -> Result<Vec<Version>, Error> {
    let sql = format!(
        "SELECT v.body AS body FROM versions v
         WHERE v.organization_id = $1 AND v.body ->> 'stage' IN ('deprecated', 'retired') ORDER BY v.id LIMIT {limit}"
    );
    let body = |row: &Row| row.read("body", "versions");
    let rows = read.rows(&sql, &[Arg::text(organization)]).await?;
    let mut versions: Vec<Version> = rows.iter().map(body).collect::<Result<_, _>>()?;
    for ids in others.chunks(ROWS_MAX) {
        let places: Vec<_> = (1..=ids.len()).map(|place| format!("${place}")).collect();
        let sql = format!("SELECT body FROM versions WHERE id IN ({})", places.join(", "));
        let args: Vec<_> = ids.iter().map(Arg::text).collect();
        for row in &read.rows(&sql, &args).await? {
            let version = body(row)?;
            if !versions.iter().any(|known| known.id == version.id) {
                versions.push(version);
            }
        }
    }
    Ok(versions)
}

/// An application that subscribed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscriber {
    /// Its id.
    pub application: ApplicationId,
    /// What it is called.
    pub title: String,
    /// Whose it is.
    pub consumer: OrganizationId,
    /// What that is called.
    pub consumer_name: String,
    /// When its organization signed up.
    pub signed_up_at: Timestamp,
    /// When it first subscribed.
    pub subscribed_at: Timestamp,
}

/// Condition that a subscription `s` is to a product with an API that is called so.
const TO_API: &str = "s.product_id IN (
    SELECT pv.product_id FROM product_versions pv JOIN versions v ON v.id = pv.version_id
    JOIN apis a ON a.id = v.api_id WHERE a.id = $2 OR a.name = $2)";

/// Reads the applications that ever subscribed to a provider's products, or to those with an API of this id or name,
/// in the order in which they did.
pub async fn subscribers(
    read: &mut impl Read,
    provider: OrganizationId,
    api: Option<&str>,
    limit: usize,
) -> Result<Vec<Subscriber>, Error> {
    let (to_api, args) = of_provider(provider, api, TO_API);
    let sql = format!(
        "SELECT s.application_id AS application, a.body ->> 'title' AS title, o.id AS consumer, o.name AS consumer_name,
                o.body ->> 'created_at' AS signed_up_at, s.body ->> 'created_at' AS subscribed_at
         FROM subscriptions s JOIN applications a ON a.id = s.application_id
              JOIN organizations o ON o.id = s.organization_id
         WHERE s.provider_id = $1 {to_api} ORDER BY s.id LIMIT {limit}"
    );
    let mut subscribers: Vec<Subscriber> = Vec::new();
    let mut known = std::collections::HashSet::new();
    for row in &read.rows(&sql, &args).await? {
        let application = row.parse("application")?;
        if known.insert(application) {
            subscribers.push(Subscriber {
                application,
                title: row.text("title")?,
                consumer: row.parse("consumer")?,
                consumer_name: row.text("consumer_name")?,
                signed_up_at: row.parse("signed_up_at")?,
                subscribed_at: row.parse("subscribed_at")?,
            });
        }
    }
    Ok(subscribers)
}

/// Reads when the applications that subscribed to a provider's products got their first key.
pub async fn first_keys(
    read: &mut impl Read,
    provider: OrganizationId,
) -> Result<HashMap<ApplicationId, Timestamp>, Error> {
    // Ids rise with time.
    let sql = "SELECT k.application_id AS application, k.body ->> 'created_at' AS at FROM keys k
               WHERE k.id IN (
                   SELECT MIN(k.id) FROM keys k
                   WHERE k.application_id IN (SELECT s.application_id FROM subscriptions s WHERE s.provider_id = $1)
                   GROUP BY k.application_id)";
    let rows = read.rows(sql, &[Arg::text(provider)]).await?;
    rows.iter()
        .map(|row| Ok((row.parse("application")?, row.parse("at")?)))
        .collect()
}

/// When an application first called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FirstCall {
    /// At all.
    pub called_at: Timestamp,
    /// With success: neither refused nor answered with an error.
    pub succeeded_at: Option<Timestamp>,
}

/// Reads when each application first called a provider's APIs, or the one of this id or name; with `own`, also when the
/// organization's own applications first called anybody's.
pub async fn first_calls(
    read: &mut impl Read,
    organization: OrganizationId,
    api: Option<&str>,
    own: bool,
) -> Result<HashMap<ApplicationId, FirstCall>, Error> {
    let (only, args) = of_provider(organization, api, "(a.id = $2 OR a.name = $2)");
    let or_own = match own {
        true => "OR f.application_id IN (SELECT id FROM applications WHERE organization_id = $1)",
        false => "",
    };
    let sql = format!(
        "SELECT f.application_id AS application, MIN(f.called_at) AS called_at, MIN(f.succeeded_at) AS succeeded_at
         FROM first_calls f JOIN apis a ON a.id = f.api_id
         WHERE (a.organization_id = $1 {or_own}) {only} GROUP BY f.application_id"
    );
    let rows = read.rows(&sql, &args).await?;
    rows.iter()
        .map(|row| {
            let first = FirstCall {
                called_at: row.time("called_at")?,
                succeeded_at: row.time_or_null("succeeded_at")?,
            };
            Ok((row.parse("application")?, first))
        })
        .collect()
}

fn of_provider(provider: OrganizationId, api: Option<&str>, condition: &str) -> (String, Vec<Arg>) {
    let mut args = vec![Arg::text(provider)];
    let Some(api) = api else {
        return (String::new(), args);
    };
    args.push(Arg::text(api));
    (format!("AND {condition}"), args)
}

/// A schedule whose time has come, or of which nobody has looked when it is due.
#[derive(Debug, Clone, PartialEq)]
pub struct DueSchedule {
    /// It.
    pub schedule: ReportSchedule,
    /// When it is due; absent if nobody has looked.
    pub next_at: Option<Timestamp>,
    /// For when it was made last.
    pub last_at: Option<Timestamp>,
}

/// Reads schedules that are due, or of which nobody has looked when they are.
pub async fn due_schedules(
    read: &mut impl Read,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<DueSchedule>, Error> {
    let sql = format!(
        "SELECT body, next_at, last_at FROM report_schedules
         WHERE NOT paused AND (next_at IS NULL OR next_at <= $1) AND (retry_at IS NULL OR retry_at <= $1)
         ORDER BY next_at, id LIMIT {limit}"
    );
    let rows = read.rows(&sql, &[Arg::time(now)]).await?;
    rows.iter()
        .map(|row| {
            Ok(DueSchedule {
                schedule: row.read("body", "report_schedules")?,
                next_at: row.time_or_null("next_at")?,
                last_at: row.time_or_null("last_at")?,
            })
        })
        .collect()
}

/// Says of schedules when they were and will be sent.
pub async fn schedule_uses(
    read: &mut impl Read,
    schedules: &[ReportScheduleId],
) -> Result<HashMap<ReportScheduleId, ReportScheduleUse>, Error> {
    let mut uses = HashMap::with_capacity(schedules.len());
    for ids in schedules.chunks(ROWS_MAX) {
        let places: Vec<_> = (1..=ids.len()).map(|place| format!("${place}")).collect();
        let sql = format!(
            "SELECT id, next_at, last_at, error FROM report_schedules WHERE id IN ({})",
            places.join(", ")
        );
        let args: Vec<_> = ids.iter().map(Arg::text).collect();
        for row in read.rows(&sql, &args).await? {
            let found = ReportScheduleUse {
                next_at: row.time_or_null("next_at")?,
                last_at: row.time_or_null("last_at")?,
                error: row.text_or_null("error")?,
            };
            uses.insert(row.parse("id")?, found);
        }
    }
    Ok(uses)
}

impl Tx {
    /// Says when a schedule is due that was due at `due.next_at`, and for when it was made last; whether nobody else has,
    /// and nobody has changed it.
    pub async fn plan_schedule(
        &mut self,
        due: &DueSchedule,
        next: Timestamp,
        last: Option<Timestamp>,
        error: Option<&str>,
    ) -> Result<bool, Error> {
        let mut args = vec![
            Arg::text(due.schedule.id),
            Arg::int(due.schedule.revision),
            Arg::time(next),
            Arg::time_or_null(last),
            Arg::text_or_null(error),
        ];
        let was = match due.next_at {
            None => "next_at IS NULL",
            Some(at) => {
                args.push(Arg::time(at));
                "next_at = $6"
            }
        };
        let sql = format!(
            "UPDATE report_schedules SET next_at = $3, last_at = $4, error = $5, retry_at = NULL
             WHERE id = $1 AND revision = $2 AND {was}"
        );
        Ok(self.execute(&sql, &args).await? > 0)
    }

    /// Says why a schedule that is due could not be made, and when to try again.
    pub async fn delay_schedule(
        &mut self,
        id: ReportScheduleId,
        retry: Timestamp,
        error: &str,
    ) -> Result<(), Error> {
        let sql = "UPDATE report_schedules SET retry_at = $1, error = $2 WHERE id = $3";
        let args = [Arg::time(retry), Arg::text(error), Arg::text(id)];
        self.execute(sql, &args).await.map(drop)
    }

    /// Notes first calls, if they are earlier than what is known; callers name each pair once, in the order of their ids.
    pub async fn note_first_calls(
        &mut self,
        calls: &[((ApiId, ApplicationId), FirstCall)],
    ) -> Result<(), Error> {
        for rows in calls.chunks(ROWS_MAX) {
            let args: Vec<_> = rows
                .iter()
                .flat_map(|((api, application), first)| {
                    [
                        Arg::text(api),
                        Arg::text(application),
                        Arg::time(first.called_at),
                        Arg::time_or_null(first.succeeded_at),
                    ]
                })
                .collect();
            // Next to all calls are not the first; then nothing is written.
            let sql = format!(
                "INSERT INTO first_calls (api_id, application_id, called_at, succeeded_at) VALUES {}
                 ON CONFLICT (api_id, application_id) DO UPDATE SET
                     called_at = CASE WHEN excluded.called_at < first_calls.called_at
                                      THEN excluded.called_at ELSE first_calls.called_at END,
                     succeeded_at = CASE WHEN first_calls.succeeded_at IS NULL
                                           OR excluded.succeeded_at < first_calls.succeeded_at
                                         THEN excluded.succeeded_at ELSE first_calls.succeeded_at END
                 WHERE excluded.called_at < first_calls.called_at
                    OR (excluded.succeeded_at IS NOT NULL
                        AND (first_calls.succeeded_at IS NULL OR excluded.succeeded_at < first_calls.succeeded_at))",
                crate::db::places(rows.len(), 4, "")
            );
            self.execute(&sql, &args).await?;
        }
        Ok(())
    }

    /// Forgets the first calls of applications and to APIs that are gone.
    pub async fn forget_first_calls(&mut self) -> Result<u64, Error> {
        let sql = "DELETE FROM first_calls
                   WHERE NOT EXISTS (SELECT 1 FROM applications a WHERE a.id = first_calls.application_id)
                      OR NOT EXISTS (SELECT 1 FROM apis a WHERE a.id = first_calls.api_id)";
        self.execute(sql, &[]).await
    }
}
