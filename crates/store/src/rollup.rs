//! Calls summed up by minute, hour and day.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;

use data_encoding::HEXLOWER_PERMISSIVE;
use domain::Timestamp;
use domain::analytics::{Dimension, DimensionFilter};
use domain::id::OrganizationId;
use domain::rollup::{Grains, Resolution, Rollup, Series, Sums};
use domain::sketch::Sketch;
use domain::traffic::Upstream;

use crate::entity::Read;
use crate::{Arg, Error, Store, Tx};

/// Rows written or looked up with one statement.
const ROWS_MAX: usize = 200;
/// The columns that are added to, and what [`Found::sums`] are.
const SUMS: [&str; 8] = Sums::NAMES;
/// The names of the columns of an answer that hold dimensions.
const DIMENSION_NAMES: [&str; 12] = [
    "dim0", "dim1", "dim2", "dim3", "dim4", "dim5", "dim6", "dim7", "dim8", "dim9", "dim10", "dim11",
];

/// Which roll-ups to read.
#[derive(Debug, Clone)]
pub struct Wanted<'a> {
    /// The table.
    pub resolution: Resolution,
    /// The grains that know dimensions and filters.
    pub grains: Grains,
    /// Who provides or consumes.
    pub organization: OrganizationId,
    /// From the span on that begins here.
    pub from: Timestamp,
    /// Before the span that begins here.
    pub to: Timestamp,
    /// What rows are told apart by.
    pub dimensions: &'a [Dimension],
    /// What they must fit.
    pub filters: &'a [DimensionFilter],
    /// Whether applications are told apart, whatever the dimensions.
    pub by_application: bool,
    /// Which of [`Found::sums`]; the others are 0.
    pub sums: [bool; 8],
    /// Whether the spread of the latencies is wanted.
    pub has_latency: bool,
    /// The most roll-ups that are read; those after them are left out.
    pub rollups_max: usize,
    /// Whether it does not matter when in the time something was; then less is found.
    pub is_one_span: bool,
}

/// Sums of one span.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// When the span begins, or one of several that are summed up together.
    pub begin: Timestamp,
    /// How many roll-ups were added up.
    pub rollups: i64,
    /// A value for each of the wanted dimensions; empty where there is none.
    pub dimensions: Vec<String>,
    /// The application's id, if it was wanted.
    pub application: Option<String>,
    /// Calls, counted ones, refused ones, errors of clients and of servers, bytes in, bytes out, microseconds.
    pub sums: [i64; 8],
    /// The spread of the latencies, if it was wanted.
    pub latency: Option<Sketch>,
}

const fn table(resolution: Resolution) -> &'static str {
    match resolution {
        Resolution::Minute => "rollup_minute",
        Resolution::Hour => "rollup_hour",
        Resolution::Day => "rollup_day",
    }
}

fn series_id(series: &Series) -> Arg {
    Arg::Bytes(series.id().into_bytes().to_vec())
}

fn none_or(id: Option<impl std::fmt::Display>) -> Arg {
    Arg::text(id.map(|id| id.to_string()).unwrap_or_default())
}

impl Tx {
    /// Writes down what the ids of series stand for, before roll-ups of them are added.
    pub async fn add_series(&mut self, series: &[Series]) -> Result<(), Error> {
        const COLUMNS: usize = 14;
        let sorted: BTreeMap<_, _> = series.iter().map(|series| (series.id(), series)).collect();
        let sorted: Vec<_> = sorted.into_iter().collect();
        for rows in sorted.chunks(ROWS_MAX) {
            let mut args = Vec::with_capacity(rows.len() * COLUMNS);
            for (_, series) in rows {
                let variant = series.variant.as_ref();
                args.extend([
                    series_id(series),
                    Arg::text(series.grain.as_str()),
                    Arg::text(series.provider),
                    Arg::text(series.api),
                    Arg::text(series.version),
                    none_or(series.operation),
                    none_or(series.consumer),
                    none_or(series.application),
                    none_or(series.plan),
                    none_or(series.target),
                    none_or(variant.map(|(route, _)| route)),
                    none_or(variant.map(|(_, name)| name)),
                    Arg::int(i64::from(series.status)),
                    Arg::text(series.code.map_or("", |code| code.as_str())),
                ]);
            }
            let sql = format!(
                "INSERT INTO series (id, grain, provider_id, api_id, version_id, operation_id, consumer_id, application_id,
                                     plan_id, target_id, variant_route_id, variant, status, code)
                 VALUES {} ON CONFLICT (id) DO NOTHING",
                crate::db::places(rows.len(), COLUMNS, "")
            );
            self.execute(&sql, &args).await?;
        }
        Ok(())
    }

    /// Writes down what the ids of an upstream's targets stand for, so that their calls can be told by URL.
    pub async fn name_targets(&mut self, upstream: &Upstream) -> Result<(), Error> {
        const COLUMNS: usize = 4;
        for targets in upstream.spec.targets.chunks(ROWS_MAX) {
            let args: Vec<_> = targets
                .iter()
                .flat_map(|target| {
                    [
                        Arg::text(target.id(upstream.id)),
                        Arg::text(upstream.organization_id),
                        Arg::text(upstream.id),
                        Arg::text(&target.url),
                    ]
                })
                .collect();
            let sql = format!(
                "INSERT INTO targets (id, organization_id, upstream_id, url) VALUES {} ON CONFLICT (id) DO NOTHING",
                crate::db::places(targets.len(), COLUMNS, "")
            );
            self.execute(&sql, &args).await?;
        }
        Ok(())
    }

    /// Adds to the roll-ups; each series and span stands there once.
    ///
    /// Spreads are added here and not by the database, so whoever else adds to those of the same providers waits
    /// until this transaction ends.
    pub async fn add_rollups(&mut self, resolution: Resolution, rollups: &[Rollup]) -> Result<(), Error> {
        const COLUMNS: usize = 3 + SUMS.len();
        let providers: BTreeSet<_> = rollups.iter().map(|rollup| rollup.series.provider).collect();
        for provider in providers {
            self.lock(&format!("rollups:{provider}")).await?;
        }
        let mut sorted: Vec<_> = rollups
            .iter()
            .map(|rollup| (rollup.begin, rollup.series.id().into_bytes(), rollup))
            .collect();
        sorted.sort_unstable_by_key(|(begin, id, _)| (*begin, *id));
        let table = table(resolution);
        let sums = SUMS.map(|sum| format!("{sum} = {table}.{sum} + excluded.{sum}"));
        let spans = sorted.chunk_by(|a, b| a.0 == b.0);
        for rows in spans.flat_map(|span| span.chunks(ROWS_MAX)) {
            let mut known = self.spreads(table, rows).await?;
            let mut args = Vec::with_capacity(rows.len() * COLUMNS);
            for (begin, id, rollup) in rows {
                let mut latency = known.remove(id.as_slice()).unwrap_or_default();
                latency.merge(&rollup.latency);
                args.extend([Arg::Bytes(id.to_vec()), Arg::time(*begin)]);
                args.extend(rollup.sums.values().map(Arg::int));
                args.push(Arg::Bytes(latency.to_bytes()));
            }
            let sql = format!(
                "INSERT INTO {table} (series_id, begun, {}, latency) VALUES {}
                 ON CONFLICT (series_id, begun) DO UPDATE SET {}, latency = excluded.latency",
                SUMS.join(", "),
                crate::db::places(rows.len(), COLUMNS, ""),
                sums.join(", ")
            );
            self.execute(&sql, &args).await?;
        }
        Ok(())
    }

    /// The spreads that stand in a table for series of one span.
    async fn spreads(
        &mut self,
        table: &str,
        rows: &[(Timestamp, [u8; 16], &Rollup)],
    ) -> Result<HashMap<Vec<u8>, Sketch>, Error> {
        let places: Vec<_> = (2..rows.len() + 2).map(|place| format!("${place}")).collect();
        let sql = format!(
            "SELECT series_id, latency FROM {table} WHERE begun = $1 AND series_id IN ({})",
            places.join(", ")
        );
        let begin = Arg::time(rows[0].0);
        let ids = rows.iter().map(|(_, id, _)| Arg::Bytes(id.to_vec()));
        let args: Vec<_> = std::iter::once(begin).chain(ids).collect();
        let found = self.rows(&sql, &args).await?;
        found
            .iter()
            .map(|row| Ok((row.bytes("series_id")?, spread(&row.bytes("latency")?)?)))
            .collect()
    }

    /// Forgets roll-ups of spans that began before a moment; how many there were.
    pub async fn forget_rollups_before(
        &mut self,
        resolution: Resolution,
        moment: Timestamp,
    ) -> Result<u64, Error> {
        let sql = format!("DELETE FROM {} WHERE begun < $1", table(resolution));
        self.execute(&sql, &[Arg::time(moment)]).await
    }

    /// Forgets series that no roll-up is of.
    ///
    /// One that a roll-up is being added of stays, or the addition fails and is made again: roll-ups refer to them.
    pub async fn forget_series(&mut self) -> Result<u64, Error> {
        let unused = Resolution::ALL.map(|resolution| {
            let table = table(resolution);
            format!("NOT EXISTS (SELECT 1 FROM {table} r WHERE r.series_id = series.id)")
        });
        let sql = format!("DELETE FROM series WHERE {}", unused.join(" AND "));
        self.execute(&sql, &[]).await
    }
}

/// Adds up spreads that are written in hex.
fn spreads(hex: &str) -> Result<Sketch, Error> {
    let (mut sum, mut bytes) = (Sketch::default(), Vec::new());
    for hex in hex.split(',') {
        bytes.resize(hex.len() / 2, 0);
        let decoded = HEXLOWER_PERMISSIVE.decode_mut(hex.as_bytes(), &mut bytes);
        decoded.map_err(|wrong| corrupt(wrong.error))?;
        sum.merge_bytes(&bytes).map_err(corrupt)?;
    }
    Ok(sum)
}

fn corrupt(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Corrupt {
        what: "latency",
        source: error.into(),
    }
}

/// Reads a spread as it stands in a table.
///
/// # Errors
/// [`Error::Corrupt`] if it is none.
fn spread(bytes: &[u8]) -> Result<Sketch, Error> {
    Sketch::from_bytes(bytes).map_err(corrupt)
}

/// The value of a dimension of a series `s`, as `$1` may see it: targets and variants are the provider's own business.
pub(crate) const fn value(dimension: Dimension) -> &'static str {
    match dimension {
        Dimension::Api => "s.api_id",
        Dimension::Version => "s.version_id",
        Dimension::Operation => "s.operation_id",
        Dimension::Consumer => "s.consumer_id",
        Dimension::Application => "s.application_id",
        Dimension::Plan => "s.plan_id",
        Dimension::Target => "CASE WHEN s.provider_id = $1 THEN s.target_id ELSE '' END",
        Dimension::Variant => {
            "CASE WHEN s.provider_id = $1 AND s.variant <> '' THEN s.variant_route_id || '/' || s.variant ELSE '' END"
        }
        Dimension::Status => "CAST(s.status AS TEXT)",
        Dimension::StatusClass => "CAST(s.status / 100 AS TEXT) || 'xx'",
        Dimension::Code => "s.code",
        Dimension::Side => {
            "CASE WHEN s.code <> '' THEN 'gateway' WHEN s.status = 499 THEN 'client' ELSE 'upstream' END"
        }
    }
}

/// What a roll-up `r` and its series `s` must fit, as a condition and its values; `$1` is the organization.
///
/// Each call is met once, at the grain that is said; callers choose one that knows what they look at.
pub(crate) fn about(
    grains: Grains,
    organization: OrganizationId,
    span: (Timestamp, Timestamp),
    filters: &[DimensionFilter],
) -> (String, Vec<Arg>) {
    let (series, args) = about_series(grains, organization, span, filters);
    (format!("{series} AND {WITHIN}"), args)
}

/// The part of [`about`] that is of the roll-up itself.
const WITHIN: &str = "r.begun >= $2 AND r.begun < $3";

/// The part of [`about`] that is of the series; all the values.
fn about_series(
    grains: Grains,
    organization: OrganizationId,
    (from, to): (Timestamp, Timestamp),
    filters: &[DimensionFilter],
) -> (String, Vec<Arg>) {
    let mut args = vec![Arg::text(organization), Arg::time(from), Arg::time(to)];
    let (provided, consumed) = (grains.provided.as_str(), grains.consumed.as_str());
    let mut conditions = format!(
        "((s.provider_id = $1 AND s.grain = '{provided}')
          OR (s.consumer_id = $1 AND s.grain = '{consumed}' AND s.provider_id <> $1))"
    );
    for filter in filters {
        let places: Vec<_> = filter
            .values
            .iter()
            .map(|value| {
                args.push(Arg::text(value));
                format!("${}", args.len())
            })
            .collect();
        let (value, places) = (value(filter.dimension), places.join(", "));
        let named = match by_name(filter.dimension) {
            Some((table, name)) => {
                format!(" OR {value} IN (SELECT id FROM {table} WHERE {name} IN ({places}))")
            }
            None => String::new(),
        };
        let not = if filter.exclude { "NOT " } else { "" };
        let _ = write!(conditions, " AND {not}({value} IN ({places}){named})");
    }
    (conditions, args)
}

/// Hands sums over in no order, while `each` wants more; of an organization's APIs and of its calls. Whether they were
/// all.
pub async fn rollups(
    store: &Store,
    wanted: &Wanted<'_>,
    mut each: impl FnMut(Found) -> Result<bool, Error>,
) -> Result<bool, Error> {
    let span = (wanted.from, wanted.to);
    let (series, args) = about_series(wanted.grains, wanted.organization, span, wanted.filters);
    let sql = match wanted.is_one_span && may_read_all(store, wanted, &series, &args).await? {
        true => by_series(store, wanted, &series),
        false => one_by_one(store, wanted, &series),
    };
    store
        .for_each(&sql, &args, |row| each(found(&row, wanted)?))
        .await
}

/// Whether there cannot be more roll-ups than are read.
async fn may_read_all(store: &Store, wanted: &Wanted<'_>, series: &str, args: &[Arg]) -> Result<bool, Error> {
    // Every value has to stand in the statement.
    let sql = format!("SELECT COUNT(*) AS series FROM series s WHERE {series} AND $2 < $3");
    let row = store.fetch_optional(&sql, args).await?;
    let series = row.map_or(Ok(0), |row| row.int("series"))?;
    let length = wanted.to.as_micros().saturating_sub(wanted.from.as_micros());
    let spans = length / wanted.resolution.micros() + 1;
    Ok(usize::try_from(series.saturating_mul(spans)).is_ok_and(|all| all <= wanted.rollups_max))
}

/// What stands in an answer besides: values of a series `s`, each with a name, and sums of its roll-ups.
struct Columns {
    values: Vec<(&'static str, &'static str)>,
    sums: Vec<&'static str>,
}

impl Columns {
    fn of(wanted: &Wanted<'_>) -> Self {
        let mut values: Vec<_> = wanted
            .dimensions
            .iter()
            .zip(DIMENSION_NAMES)
            .map(|(dimension, name)| (value(*dimension), name))
            .collect();
        if wanted.by_application {
            values.push(("s.application_id", "application"));
        }
        let sums = SUMS.into_iter().zip(wanted.sums);
        Self {
            values,
            sums: sums.filter(|(_, wanted)| *wanted).map(|(sum, _)| sum).collect(),
        }
    }
}

/// One of some parts that a group is added up in, so that its spreads do not come as one text.
const fn part(store: &Store) -> &'static str {
    match store.is_postgres() {
        true => "get_byte(s.id, 0) & 3",
        false => "unicode(hex(substr(s.id, 1, 1))) & 3",
    }
}

/// A spread as text: they are added up here, but come in one piece, since handing a row over takes longer than adding
/// one.
const fn hex(store: &Store) -> &'static str {
    match store.is_postgres() {
        true => "encode(r.latency, 'hex')",
        false => "hex(r.latency)",
    }
}

/// Adds up each series first, whose roll-ups lie beside each other, and then those that belong together, of which there
/// are few: next to nothing has to be sorted. Spreads are handed over series by series, so that some are added up while
/// others are read.
fn by_series(store: &Store, wanted: &Wanted<'_>, series: &str) -> String {
    let Columns { values, sums } = Columns::of(wanted);
    let mut inner = vec![
        "r.series_id AS series_id".to_owned(),
        "MIN(r.begun) AS begun".to_owned(),
        "COUNT(*) AS rollups".to_owned(),
    ];
    inner.extend(
        sums.iter()
            .map(|sum| format!("CAST(SUM(r.{sum}) AS BIGINT) AS {sum}")),
    );
    let mut outer: Vec<_> = values
        .iter()
        .map(|(value, name)| format!("{value} AS {name}"))
        .collect();
    let by = if wanted.has_latency {
        inner.push(format!("string_agg({}, ',') AS latency", hex(store)));
        outer.extend(["begun", "rollups", "latency"].map(|column| format!("r.{column} AS {column}")));
        outer.extend(sums.iter().map(|sum| format!("r.{sum} AS {sum}")));
        String::new()
    } else {
        outer.push("MIN(r.begun) AS begun".to_owned());
        let sums = sums.iter().chain(&["rollups"]);
        outer.extend(sums.map(|sum| format!("CAST(SUM(r.{sum}) AS BIGINT) AS {sum}")));
        match &*values.iter().map(|(_, name)| *name).collect::<Vec<_>>() {
            // Of nothing there is no row.
            [] => "HAVING COUNT(*) > 0".to_owned(),
            names => format!("GROUP BY {}", names.join(", ")),
        }
    };
    format!(
        "SELECT {} FROM (
             SELECT {} FROM {} r
             WHERE r.series_id IN (SELECT s.id FROM series s WHERE {series}) AND {WITHIN} GROUP BY r.series_id
         ) AS r JOIN series s ON s.id = r.series_id {by}",
        outer.join(", "),
        inner.join(", "),
        table(wanted.resolution),
    )
}

/// Adds up roll-ups as they come, and stops when they are too many.
fn one_by_one(store: &Store, wanted: &Wanted<'_>, series: &str) -> String {
    let Columns { values, sums } = Columns::of(wanted);
    let mut inner = vec!["r.begun AS begun".to_owned()];
    let mut outer = vec!["MIN(begun) AS begun".to_owned(), "COUNT(*) AS rollups".to_owned()];
    let mut by = vec!["begun"];
    if wanted.is_one_span {
        inner.push(format!("{} AS part", part(store)));
        by = vec!["part"];
    }
    for (value, name) in values {
        inner.push(format!("{value} AS {name}"));
        outer.push(name.to_owned());
        by.push(name);
    }
    for sum in sums {
        inner.push(format!("r.{sum} AS {sum}"));
        outer.push(format!("CAST(SUM({sum}) AS BIGINT) AS {sum}"));
    }
    if wanted.has_latency {
        inner.push("r.latency AS latency".to_owned());
        outer.push(format!("string_agg({}, ',') AS latency", hex(store)));
    }
    format!(
        "SELECT {} FROM (
             SELECT {} FROM series s JOIN {} r ON r.series_id = s.id WHERE {series} AND {WITHIN} LIMIT {}
         ) AS r GROUP BY {}",
        outer.join(", "),
        inner.join(", "),
        table(wanted.resolution),
        wanted.rollups_max,
        by.join(", ")
    )
}

fn found(row: &crate::Row, wanted: &Wanted<'_>) -> Result<Found, Error> {
    let mut sums = [0; 8];
    for ((sum, name), is_wanted) in sums.iter_mut().zip(SUMS).zip(wanted.sums) {
        if is_wanted {
            *sum = row.int(name)?;
        }
    }
    let dimensions = DIMENSION_NAMES.iter().take(wanted.dimensions.len());
    Ok(Found {
        begin: row.time("begun")?,
        rollups: row.int("rollups")?,
        dimensions: dimensions.map(|name| row.text(name)).collect::<Result<_, _>>()?,
        application: wanted
            .by_application
            .then(|| row.text("application"))
            .transpose()?,
        sums,
        latency: wanted
            .has_latency
            .then(|| spreads(&row.text("latency")?))
            .transpose()?,
    })
}

/// The names of the organizations that provide what an organization offers or calls, as far as roll-ups know.
pub async fn providers(read: &mut impl Read, organization: OrganizationId) -> Result<Vec<String>, Error> {
    let sql = "SELECT DISTINCT o.name AS name FROM series s JOIN organizations o ON o.id = s.provider_id
               WHERE s.provider_id = $1 OR s.consumer_id = $1";
    let rows = read.rows(sql, &[Arg::text(organization)]).await?;
    rows.iter().map(|row| row.text("name")).collect()
}

/// The table and column of the names that filters may have in place of ids.
const fn by_name(dimension: Dimension) -> Option<(&'static str, &'static str)> {
    match dimension {
        Dimension::Api => Some(("apis", "name")),
        Dimension::Application => Some(("applications", "name")),
        Dimension::Target => Some(("targets", "url")),
        _ => None,
    }
}

/// The ids of the APIs, applications or targets with these names; other dimensions have none.
pub async fn named(
    read: &mut impl Read,
    dimension: Dimension,
    names: &[String],
) -> Result<Vec<String>, Error> {
    let Some((table, name)) = by_name(dimension) else {
        return Ok(Vec::new());
    };
    let places: Vec<_> = (1..=names.len()).map(|place| format!("${place}")).collect();
    let sql = format!("SELECT id FROM {table} WHERE {name} IN ({})", places.join(", "));
    let args: Vec<_> = names.iter().map(Arg::text).collect();
    let rows = read.rows(&sql, &args).await?;
    rows.iter().map(|row| row.text("id")).collect()
}

/// The upstreams of whose targets no name is known.
pub async fn nameless(read: &mut impl Read) -> Result<Vec<Upstream>, Error> {
    let sql =
        "SELECT body FROM upstreams u WHERE NOT EXISTS (SELECT 1 FROM targets t WHERE t.upstream_id = u.id)";
    let rows = read.rows(sql, &[]).await?;
    rows.iter().map(|row| row.read("body", "body")).collect()
}

/// What the ids of a dimension are called; those that are gone, and dimensions without names, are not in it.
pub async fn names(
    read: &mut impl Read,
    dimension: Dimension,
    ids: &[&str],
) -> Result<BTreeMap<String, String>, Error> {
    let (table, name) = match dimension {
        Dimension::Api => ("apis", "name"),
        Dimension::Version => ("versions", "name"),
        Dimension::Operation => ("operations", "name"),
        Dimension::Consumer => ("organizations", "name"),
        Dimension::Application => ("applications", "body ->> 'title'"),
        Dimension::Plan => ("plans", "name"),
        Dimension::Target => ("targets", "url"),
        Dimension::Variant
        | Dimension::Status
        | Dimension::StatusClass
        | Dimension::Code
        | Dimension::Side => {
            return Ok(BTreeMap::new());
        }
    };
    let mut names = BTreeMap::new();
    for ids in ids.chunks(ROWS_MAX) {
        let places: Vec<_> = (1..=ids.len()).map(|place| format!("${place}")).collect();
        let sql = format!(
            "SELECT id, {name} AS name FROM {table} WHERE id IN ({})",
            places.join(", ")
        );
        let args: Vec<_> = ids.iter().map(Arg::text).collect();
        for row in read.rows(&sql, &args).await? {
            names.insert(row.text("id")?, row.text_or_null("name")?.unwrap_or_default());
        }
    }
    Ok(names)
}
