//! The schema, step by step, forth and back.
//!
//! A step is one text for both databases; `{json}` and `{bytes}` stand for the two column types whose names
//! differ, `{by_key}` behind a table says that its rows lie in the order of its key where the database can do that.
//! To add one: two files in `migrations/`, one line in [`STEPS`]. A step that has been released is never
//! changed: its checksum is in the database.

use std::borrow::Cow;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, SqlSafeStr as _};

use crate::{Error, Store};

struct Step {
    version: i64,
    name: &'static str,
    up: &'static str,
    down: &'static str,
}

macro_rules! steps {
    ($($version:literal $name:literal;)*) => {
        &[$(Step {
            version: $version,
            name: $name,
            up: include_str!(concat!("migrations/", $name, ".up.sql")),
            down: include_str!(concat!("migrations/", $name, ".down.sql")),
        },)*]
    };
}

/// All steps in order.
const STEPS: &[Step] = steps! {
    1 "0001_identity";
    2 "0002_catalog";
    3 "0003_links";
    4 "0004_key_uses";
    5 "0005_route_places";
    6 "0006_certificates";
    7 "0007_stream_routes";
    8 "0008_node_reports";
    9 "0009_node_mirrors";
    10 "0010_rollups";
    11 "0011_tracking";
    12 "0012_alerts";
    13 "0013_first_calls";
    14 "0014_report_schedules";
    15 "0015_report_definitions";
    16 "0016_gone_organizations";
    17 "0017_targets";
    18 "0018_feature_flags";
    19 "0019_segments";
    20 "0020_flag_history";
    21 "0021_flag_evaluations";
    22 "0022_flag_code_references";
    23 "0023_event_ids";
    24 "0024_flag_bytes";
};

/// The newest version that this program knows.
pub fn known() -> i64 {
    STEPS.last().map_or(0, |step| step.version)
}

impl Store {
    /// Opens the database and brings its schema up to date.
    ///
    /// # Errors
    /// Those of [`Store::connect`]; [`Error::Newer`] if a newer program has migrated it (nothing is changed);
    /// [`Error::Migrate`] if a step fails (it is rolled back).
    pub async fn open(url: &str) -> Result<Self, Error> {
        let store = Self::connect(url).await?;
        store.migrate_up().await?;
        Ok(store)
    }

    /// Brings the schema up to date.
    pub async fn migrate_up(&self) -> Result<(), Error> {
        let found = self.schema_version().await?;
        if found > known() {
            return Err(Error::Newer {
                found,
                known: known(),
            });
        }
        self.migrate_with(&migrator(self.is_postgres()), None).await
    }

    /// Takes the steps after `version` back; 0 leaves an empty database. Data in dropped tables is lost.
    pub async fn migrate_down(&self, version: i64) -> Result<(), Error> {
        self.migrate_with(&migrator(self.is_postgres()), Some(version))
            .await
    }

    /// The schema's version, 0 for an empty database.
    pub async fn schema_version(&self) -> Result<i64, Error> {
        let exists = if self.is_postgres() {
            "SELECT 1 AS one FROM information_schema.tables WHERE table_name = '_sqlx_migrations'
             AND table_schema = current_schema()"
        } else {
            "SELECT 1 AS one FROM sqlite_master WHERE type = 'table' AND name = '_sqlx_migrations'"
        };
        if self.fetch_optional(exists, &[]).await?.is_none() {
            return Ok(0);
        }
        let sql = "SELECT CAST(COALESCE(MAX(version), 0) AS BIGINT) AS version FROM _sqlx_migrations";
        match self.fetch_optional(sql, &[]).await? {
            Some(row) => row.int("version"),
            None => Ok(0),
        }
    }
}

fn migrator(postgres: bool) -> Migrator {
    let mut migrations = Vec::new();
    for step in STEPS {
        for (kind, sql) in [
            (MigrationType::ReversibleUp, step.up),
            (MigrationType::ReversibleDown, step.down),
        ] {
            let (json, bytes, by_key) = if postgres {
                ("JSONB", "BYTEA", "")
            } else {
                ("TEXT", "BLOB", "WITHOUT ROWID")
            };
            let sql = sql.replace("{json}", json).replace("{bytes}", bytes);
            let sql = sql.replace("{by_key}", by_key);
            let sql = AssertSqlSafe(sql).into_sql_str();
            migrations.push(Migration::new(
                step.version,
                Cow::Borrowed(step.name),
                kind,
                sql,
                false,
            ));
        }
    }
    Migrator::with_migrations(migrations)
}
