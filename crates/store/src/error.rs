//! Why the store could not do it, whichever database it is.

/// Why the store could not do it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A unique column has this value already.
    #[error("{constraint} is taken")]
    Taken {
        /// The constraint's name, or on SQLite its columns (`apis.organization_id, apis.name`).
        constraint: String,
    },
    /// A row that refers to this one is there, or the row that this one refers to is not.
    #[error("a reference does not hold")]
    Reference,
    /// Somebody else changed the row since it was read.
    #[error("the row was changed by somebody else")]
    Stale,
    /// The row is not there.
    #[error("no such row")]
    Missing,
    /// There is no room left.
    #[error("the database has no room left")]
    Full,
    /// The database does not answer, or another process holds its lock.
    #[error("the database does not answer")]
    Unavailable(#[source] sqlx::Error),
    /// The address of the database is not one.
    #[error("`{url}` is not the address of a database: use sqlite:PATH or postgres://…")]
    Address {
        /// What was given, without a password.
        url: String,
    },
    /// A newer Gateline made the database.
    #[error(
        "the database has schema version {found}, this program knows up to {known}: use a newer Gateline"
    )]
    Newer {
        /// The database's version.
        found: i64,
        /// The newest that this program knows.
        known: i64,
    },
    /// A migration failed; what it did was rolled back.
    #[error("migrating the database")]
    Migrate(#[source] sqlx::migrate::MigrateError),
    /// A row holds what this program cannot read.
    #[error("reading {what}")]
    Corrupt {
        /// The table or column.
        what: &'static str,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Anything else the database says.
    #[error("the database refused a statement")]
    Sql(#[source] sqlx::Error),
}

/// SQLite's extended codes end in the primary code's byte.
const SQLITE_BUSY: i32 = 5;
const SQLITE_LOCKED: i32 = 6;
const SQLITE_IOERR: i32 = 10;
const SQLITE_FULL: i32 = 13;
const SQLITE_CANTOPEN: i32 = 14;

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::error::ErrorKind;

        let database = match &error {
            sqlx::Error::Database(database) => database,
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => return Self::Unavailable(error),
            _ => return Self::Sql(error),
        };
        match database.kind() {
            ErrorKind::UniqueViolation => {
                let constraint = database.constraint().map_or_else(
                    || {
                        database
                            .message()
                            .trim_start_matches("UNIQUE constraint failed: ")
                            .to_owned()
                    },
                    ToOwned::to_owned,
                );
                return Self::Taken { constraint };
            }
            ErrorKind::ForeignKeyViolation => return Self::Reference,
            _ => {}
        }
        let code = database.code().unwrap_or_default();
        if database
            .try_downcast_ref::<sqlx::postgres::PgDatabaseError>()
            .is_some()
        {
            // Class 08: connection; 57P0x: shutting down; 53100: disk full; other 53: out of resources; class 40:
            // rolled back because of another transaction, a repetition will do.
            return match code.as_ref() {
                "53100" => Self::Full,
                // Two transactions waited for each other, or could not be put in an order; trying again helps.
                "40P01" | "40001" => Self::Unavailable(error),
                code if ["08", "57P", "53", "40"]
                    .iter()
                    .any(|class| code.starts_with(class)) =>
                {
                    Self::Unavailable(error)
                }
                _ => Self::Sql(error),
            };
        }
        match code.parse::<i32>().unwrap_or(0) & 0xff {
            SQLITE_FULL => Self::Full,
            SQLITE_BUSY | SQLITE_LOCKED | SQLITE_IOERR | SQLITE_CANTOPEN => Self::Unavailable(error),
            _ => Self::Sql(error),
        }
    }
}
