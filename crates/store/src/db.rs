//! The connection: one interface to SQLite and PostgreSQL.

use std::str::FromStr;
use std::time::Duration;

use domain::Timestamp;
use futures_util::TryStreamExt as _;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::migrate::MigrateError;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgRow, Postgres};
use sqlx::sqlite::{
    Sqlite, SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow,
    SqliteSynchronous,
};
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, Row as _, Transaction};

use crate::Error;

/// How long a statement waits for a free connection or SQLite's lock.
const WAIT: Duration = Duration::from_millis(if cfg!(test) { 300 } else { 5000 });
/// PostgreSQL connections and SQLite readers.
const CONNECTIONS_MAX: u32 = 8;

/// Rows that a thread of SQLite reads ahead of who asked: 100,000 of them take a sixth less time than with the usual 50.
const ROWS_AHEAD: usize = 1024;

/// The control plane's database.
///
/// SQLite runs in WAL mode with one connection that writes and several that read; a write transaction takes the
/// lock when it begins (`BEGIN IMMEDIATE`), because a transaction that reads first and then cannot upgrade fails
/// without waiting.
#[derive(Debug, Clone)]
pub struct Store {
    db: Db,
}

#[derive(Debug, Clone)]
enum Db {
    Sqlite { writer: SqlitePool, readers: SqlitePool },
    Postgres(PgPool),
}

/// A transaction; rolled back when dropped without [`commit`](Tx::commit).
#[derive(Debug)]
pub struct Tx {
    inner: Inner,
}

#[derive(Debug)]
enum Inner {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

/// A value for a placeholder `$1`, `$2`…; typed also when it is null, as PostgreSQL wants it.
#[derive(Debug, Clone)]
pub enum Arg {
    /// `TEXT`.
    Text(Option<String>),
    /// `BIGINT`; times are microseconds.
    Int(Option<i64>),
    /// `BOOLEAN`.
    Bool(bool),
    /// `JSONB`, on SQLite its text.
    Json(serde_json::Value),
    /// `BYTEA` or `BLOB`.
    Bytes(Vec<u8>),
}

impl Arg {
    /// The written form of an id, a name or any text.
    pub fn text(value: impl std::fmt::Display) -> Self {
        Self::Text(Some(storable(value.to_string())))
    }

    /// The written form, or null.
    pub fn text_or_null(value: Option<impl std::fmt::Display>) -> Self {
        Self::Text(value.map(|value| storable(value.to_string())))
    }

    /// Anything as JSON; `what` says in the error what it is.
    pub fn json(value: &impl Serialize, what: &'static str) -> Result<Self, Error> {
        let value = serde_json::to_value(value).map_err(|source| Error::Corrupt {
            what,
            source: source.into(),
        })?;
        Ok(Self::Json(value))
    }

    /// A whole number.
    pub const fn int(value: i64) -> Self {
        Self::Int(Some(value))
    }

    /// A moment.
    pub const fn time(value: Timestamp) -> Self {
        Self::Int(Some(value.as_micros()))
    }

    /// A moment, or null.
    pub fn time_or_null(value: Option<Timestamp>) -> Self {
        Self::Int(value.map(Timestamp::as_micros))
    }
}

/// One row of an answer.
#[derive(Debug)]
pub struct Row(Found);

#[derive(Debug)]
enum Found {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

macro_rules! bind {
    ($sql:expr, $args:expr) => {{
        let mut query = sqlx::query(AssertSqlSafe($sql));
        for arg in $args {
            query = match arg {
                Arg::Text(value) => query.bind(value.clone()),
                Arg::Int(value) => query.bind(*value),
                Arg::Bool(value) => query.bind(*value),
                Arg::Json(value) => query.bind(Json(value.clone())),
                Arg::Bytes(value) => query.bind(value.clone()),
            };
        }
        query
    }};
}

macro_rules! column {
    ($row:expr, $name:expr, $type:ty) => {
        match &$row.0 {
            Found::Sqlite(row) => row.try_get::<$type, _>($name),
            Found::Postgres(row) => row.try_get::<$type, _>($name),
        }
        .map_err(|source| Error::Corrupt {
            what: $name,
            source: source.into(),
        })
    };
}

impl Row {
    /// A text column.
    pub fn text(&self, name: &'static str) -> Result<String, Error> {
        column!(self, name, String)
    }

    /// A text column that may be null.
    pub fn text_or_null(&self, name: &'static str) -> Result<Option<String>, Error> {
        column!(self, name, Option<String>)
    }

    /// A whole number. `COUNT` and `SUM` must be cast (`CAST(SUM(x) AS BIGINT)`): PostgreSQL widens them.
    pub fn int(&self, name: &'static str) -> Result<i64, Error> {
        column!(self, name, i64)
    }

    /// A whole number that may be null.
    pub fn int_or_null(&self, name: &'static str) -> Result<Option<i64>, Error> {
        column!(self, name, Option<i64>)
    }

    /// A truth value.
    pub fn bool(&self, name: &'static str) -> Result<bool, Error> {
        column!(self, name, bool)
    }

    /// A moment.
    pub fn time(&self, name: &'static str) -> Result<Timestamp, Error> {
        self.int(name).map(Timestamp::from_micros)
    }

    /// A moment that may be null.
    pub fn time_or_null(&self, name: &'static str) -> Result<Option<Timestamp>, Error> {
        Ok(self.int_or_null(name)?.map(Timestamp::from_micros))
    }

    /// A column of bytes.
    pub fn bytes(&self, name: &'static str) -> Result<Vec<u8>, Error> {
        column!(self, name, Vec<u8>)
    }

    /// A column of bytes that may be null.
    pub fn bytes_or_null(&self, name: &'static str) -> Result<Option<Vec<u8>>, Error> {
        column!(self, name, Option<Vec<u8>>)
    }

    /// A JSON column.
    pub fn json(&self, name: &'static str) -> Result<serde_json::Value, Error> {
        column!(self, name, Json<serde_json::Value>).map(|json| json.0)
    }

    /// A JSON column, as what it was written from; `what` says in the error what that is.
    pub fn read<T: DeserializeOwned>(&self, name: &'static str, what: &'static str) -> Result<T, Error> {
        serde_json::from_value(self.json(name)?).map_err(|source| Error::Corrupt {
            what,
            source: source.into(),
        })
    }

    /// A column that holds the written form of an id or name.
    pub fn parse<T>(&self, name: &'static str) -> Result<T, Error>
    where
        T: FromStr,
        T::Err: std::error::Error + Send + Sync + 'static,
    {
        self.text(name)?.parse().map_err(|source: T::Err| Error::Corrupt {
            what: name,
            source: source.into(),
        })
    }

    /// A column that holds the written form of an id or name, or null.
    pub fn parse_or_null<T>(&self, name: &'static str) -> Result<Option<T>, Error>
    where
        T: FromStr,
        T::Err: std::error::Error + Send + Sync + 'static,
    {
        let corrupt = |source: T::Err| Error::Corrupt {
            what: name,
            source: source.into(),
        };
        self.text_or_null(name)?
            .map(|text| text.parse().map_err(corrupt))
            .transpose()
    }
}

impl Store {
    /// Opens `sqlite:PATH`, `sqlite::memory:` or `postgres://…` without migrating it.
    ///
    /// # Errors
    /// [`Error::Address`] for another kind of address, [`Error::Unavailable`] if the database does not answer
    /// within five seconds.
    pub async fn connect(url: &str) -> Result<Self, Error> {
        let db = if let Some(path) = url.strip_prefix("sqlite:") {
            Self::connect_sqlite(path.trim_start_matches("//")).await?
        } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            let options = PgConnectOptions::from_str(url).map_err(|_| address(url))?;
            let pool = PgPoolOptions::new()
                .max_connections(CONNECTIONS_MAX)
                .acquire_timeout(WAIT);
            Db::Postgres(pool.connect_with(options).await.map_err(Error::Unavailable)?)
        } else {
            return Err(address(url));
        };
        Ok(Self { db })
    }

    async fn connect_sqlite(path: &str) -> Result<Db, Error> {
        let options = SqliteConnectOptions::new()
            .create_if_missing(true)
            .foreign_keys(true)
            .busy_timeout(WAIT)
            .synchronous(SqliteSynchronous::Full)
            .row_buffer_size(ROWS_AHEAD);
        if path == ":memory:" {
            // A second connection would see another, empty database.
            let options = options.in_memory(true);
            let writer = SqlitePoolOptions::new()
                .max_connections(1)
                .idle_timeout(None)
                .max_lifetime(None);
            let writer = writer.connect_with(options).await?;
            return Ok(Db::Sqlite {
                readers: writer.clone(),
                writer,
            });
        }
        let options = options.filename(path).journal_mode(SqliteJournalMode::Wal);
        let writer = SqlitePoolOptions::new().max_connections(1).acquire_timeout(WAIT);
        let writer = writer.connect_with(options.clone()).await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(CONNECTIONS_MAX)
            .acquire_timeout(WAIT);
        let readers = readers.connect_with(options.read_only(true)).await?;
        Ok(Db::Sqlite { writer, readers })
    }

    /// Begins a transaction that may write.
    pub async fn begin(&self) -> Result<Tx, Error> {
        let inner = match &self.db {
            Db::Sqlite { writer, .. } => Inner::Sqlite(writer.begin_with("BEGIN IMMEDIATE").await?),
            Db::Postgres(pool) => Inner::Postgres(pool.begin().await?),
        };
        Ok(Tx { inner })
    }

    /// Begins a transaction that only reads and sees one state of the database throughout.
    pub async fn begin_read(&self) -> Result<Tx, Error> {
        let inner = match &self.db {
            Db::Sqlite { readers, .. } => Inner::Sqlite(readers.begin().await?),
            Db::Postgres(pool) => {
                let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";
                Inner::Postgres(pool.begin_with(begin).await?)
            }
        };
        Ok(Tx { inner })
    }

    /// Reads all rows.
    pub async fn fetch_all(&self, sql: &str, args: &[Arg]) -> Result<Vec<Row>, Error> {
        Ok(match &self.db {
            Db::Sqlite { readers, .. } => {
                let rows = bind!(nameless(sql), args).fetch_all(readers).await?;
                rows.into_iter().map(|row| Row(Found::Sqlite(row))).collect()
            }
            Db::Postgres(pool) => {
                let rows = bind!(sql, args).fetch_all(pool).await?;
                rows.into_iter().map(|row| Row(Found::Postgres(row))).collect()
            }
        })
    }

    /// Hands rows over one after the other, while `each` wants more; for more than should be in memory at a time.
    ///
    /// Whether they were all.
    pub async fn for_each(
        &self,
        sql: &str,
        args: &[Arg],
        mut each: impl FnMut(Row) -> Result<bool, Error>,
    ) -> Result<bool, Error> {
        match &self.db {
            Db::Sqlite { readers, .. } => {
                let mut rows = bind!(nameless(sql), args).fetch(readers);
                while let Some(row) = rows.try_next().await? {
                    if !each(Row(Found::Sqlite(row)))? {
                        return Ok(false);
                    }
                }
            }
            Db::Postgres(pool) => {
                let mut rows = bind!(sql, args).fetch(pool);
                while let Some(row) = rows.try_next().await? {
                    if !each(Row(Found::Postgres(row)))? {
                        return Ok(false);
                    }
                }
            }
        }
        Ok(true)
    }

    /// Reads the first row, if there is one.
    pub async fn fetch_optional(&self, sql: &str, args: &[Arg]) -> Result<Option<Row>, Error> {
        Ok(match &self.db {
            Db::Sqlite { readers, .. } => bind!(nameless(sql), args)
                .fetch_optional(readers)
                .await?
                .map(|row| Row(Found::Sqlite(row))),
            Db::Postgres(pool) => bind!(sql, args)
                .fetch_optional(pool)
                .await?
                .map(|row| Row(Found::Postgres(row))),
        })
    }

    /// Whether the database answers; for `/health/ready`.
    pub async fn ping(&self) -> Result<(), Error> {
        self.fetch_optional("SELECT 1 AS one", &[]).await.map(drop)
    }

    /// Whether this is PostgreSQL, for the few statements that differ.
    pub const fn is_postgres(&self) -> bool {
        matches!(self.db, Db::Postgres(_))
    }

    /// Closes all connections; SQLite's write-ahead log is folded into its file.
    pub async fn close(&self) {
        match &self.db {
            Db::Sqlite { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
            Db::Postgres(pool) => pool.close().await,
        }
    }

    pub(crate) async fn migrate_with(
        &self,
        migrator: &sqlx::migrate::Migrator,
        target: Option<i64>,
    ) -> Result<(), Error> {
        let done = match (&self.db, target) {
            (Db::Sqlite { writer, .. }, None) => migrator.run(writer).await,
            (Db::Sqlite { writer, .. }, Some(target)) => migrator.undo(writer, target).await,
            (Db::Postgres(pool), None) => migrator.run(pool).await,
            (Db::Postgres(pool), Some(target)) => migrator.undo(pool, target).await,
        };
        done.map_err(migrating)
    }
}

impl Tx {
    /// Runs a statement; returns the number of rows it changed.
    pub async fn execute(&mut self, sql: &str, args: &[Arg]) -> Result<u64, Error> {
        Ok(match &mut self.inner {
            Inner::Sqlite(tx) => bind!(nameless(sql), args)
                .execute(&mut **tx)
                .await?
                .rows_affected(),
            Inner::Postgres(tx) => bind!(sql, args).execute(&mut **tx).await?.rows_affected(),
        })
    }

    /// Reads all rows.
    pub async fn fetch_all(&mut self, sql: &str, args: &[Arg]) -> Result<Vec<Row>, Error> {
        Ok(match &mut self.inner {
            Inner::Sqlite(tx) => {
                let rows = bind!(nameless(sql), args).fetch_all(&mut **tx).await?;
                rows.into_iter().map(|row| Row(Found::Sqlite(row))).collect()
            }
            Inner::Postgres(tx) => {
                let rows = bind!(sql, args).fetch_all(&mut **tx).await?;
                rows.into_iter().map(|row| Row(Found::Postgres(row))).collect()
            }
        })
    }

    /// Reads the first row, if there is one.
    pub async fn fetch_optional(&mut self, sql: &str, args: &[Arg]) -> Result<Option<Row>, Error> {
        Ok(match &mut self.inner {
            Inner::Sqlite(tx) => bind!(nameless(sql), args)
                .fetch_optional(&mut **tx)
                .await?
                .map(|row| Row(Found::Sqlite(row))),
            Inner::Postgres(tx) => bind!(sql, args)
                .fetch_optional(&mut **tx)
                .await?
                .map(|row| Row(Found::Postgres(row))),
        })
    }

    /// Makes everything done since [`Store::begin`] durable and visible.
    pub async fn commit(self) -> Result<(), Error> {
        match self.inner {
            Inner::Sqlite(tx) => tx.commit().await?,
            Inner::Postgres(tx) => tx.commit().await?,
        }
        Ok(())
    }

    /// Locks `name` until the transaction ends, so that two nodes do not append to one chain at once.
    ///
    /// SQLite's writers exclude each other anyway.
    pub async fn lock(&mut self, name: &str) -> Result<(), Error> {
        if matches!(self.inner, Inner::Postgres(_)) {
            let sql = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0)) IS NULL AS done";
            self.fetch_optional(sql, &[Arg::text(name)]).await?;
        }
        Ok(())
    }
}

/// A text without NUL: PostgreSQL holds none and refuses the statement, SQLite would find what is not there.
fn storable(text: String) -> String {
    if text.contains('\0') {
        text.replace('\0', "\u{fffd}")
    } else {
        text
    }
}

/// A statement for SQLite, with `?` in place of `$1`, `$2`… where these stand in their order.
///
/// SQLite takes `$1` for a name, and finds the name of a place by going through all before it: binding the 1,600
/// values of 200 rows took two thirds of the time that they were written in.
fn nameless(sql: &str) -> String {
    let mut text = String::with_capacity(sql.len());
    let mut rest = sql;
    for place in 1.. {
        let Some((before, after)) = rest.split_once('$') else {
            text.push_str(rest);
            return text;
        };
        let digits = after.bytes().take_while(u8::is_ascii_digit).count();
        let (number, behind) = after.split_at(digits);
        if number.parse() != Ok(place) {
            break;
        }
        text.push_str(before);
        text.push('?');
        rest = behind;
    }
    sql.to_owned()
}

/// The placeholders of several rows, as `($1, $2, TRUE), ($3, $4, TRUE)`.
pub(crate) fn places(rows: usize, columns: usize, constant: &str) -> String {
    let row = |row: usize| {
        let places: Vec<_> = (1..=columns)
            .map(|column| format!("${}", row * columns + column))
            .collect();
        format!("({}{constant})", places.join(", "))
    };
    let rows: Vec<_> = (0..rows).map(row).collect();
    rows.join(", ")
}

/// A database that is away, locked or full while it is migrated is so whoever asks; the rest is a step's fault.
fn migrating(error: MigrateError) -> Error {
    let (cause, version) = match error {
        MigrateError::Execute(cause) => (cause, None),
        MigrateError::ExecuteMigration(cause, version) => (cause, Some(version)),
        other => return Error::Migrate(other),
    };
    match (Error::from(cause), version) {
        (Error::Sql(cause), Some(version)) => Error::Migrate(MigrateError::ExecuteMigration(cause, version)),
        (Error::Sql(cause), None) => Error::Migrate(MigrateError::Execute(cause)),
        (known, _) => known,
    }
}

/// The address without what may be a password.
fn address(url: &str) -> Error {
    let url = match url.split_once('@') {
        Some((before, after)) => {
            let scheme = before.split_once("://").map_or("", |(scheme, _)| scheme);
            format!("{scheme}://…@{after}")
        }
        None => url.to_owned(),
    };
    Error::Address { url }
}

#[cfg(test)]
mod tests;
