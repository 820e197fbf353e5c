//! Why a query has no answer.

use std::sync::Arc;
use std::time::Duration;

use deltalake::datafusion::common::SchemaError;
use deltalake::datafusion::error::DataFusionError;

use super::Limits;

/// Why a query has no answer, or no more rows.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The text is not SQL.
    #[error("the statement cannot be read: {message}")]
    Syntax {
        /// What is wrong, and where: `… at Line: 1, Column: 8`.
        message: String,
    },
    /// It is more than one statement, or none.
    #[error("one statement was expected, {found} were found")]
    Statements {
        /// How many there are.
        found: usize,
    },
    /// It is too long.
    #[error("the statement is longer than {limit} bytes")]
    Length {
        /// The limit in bytes.
        limit: usize,
    },
    /// It does something else than to read.
    #[error("{what} is not allowed: only SELECT and EXPLAIN SELECT are")]
    NotAllowed {
        /// What it does.
        what: String,
    },
    /// It joins every row of one side with every row of the other.
    #[error(
        "a join of every row with every row would not end: join on columns that are equal (`ON a.x = b.x`), or with a side that has a `LIMIT` of 1000 or less"
    )]
    Join,
    /// It calls a function that is not there.
    #[error("there is no function `{name}` here")]
    Function {
        /// The function.
        name: String,
    },
    /// It names a table, a column or a type that is not there, or that does not go with the rest.
    #[error("the statement does not fit the tables: {message}")]
    Meaning {
        /// What does not fit.
        message: String,
    },
    /// To work out how to answer it would take too long.
    #[error("the statement is too complex: write it with fewer parts that refer to each other")]
    Complexity,
    /// As many queries run as may.
    #[error("too many queries run at this time")]
    Busy,
    /// It took too long.
    #[error("the query was stopped after {} seconds", limit.as_secs_f64())]
    Time {
        /// The limit.
        limit: Duration,
    },
    /// It needs too much memory.
    #[error("the query was stopped: it needs more than {limit_bytes} bytes of memory")]
    Memory {
        /// The limit in bytes.
        limit_bytes: usize,
    },
    /// A value could not be computed: a division by zero, a text that is no number.
    #[error("a value could not be computed: {message}")]
    Value {
        /// Why.
        message: String,
    },
    /// The store of the tables does not answer.
    #[error("the tables cannot be read at present")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// A stable name of the situation, for programs.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Syntax { .. } => "syntax",
            Self::Statements { .. } => "statements",
            Self::Length { .. } => "length",
            Self::NotAllowed { .. } => "not_allowed",
            Self::Join => "join",
            Self::Function { .. } => "function",
            Self::Meaning { .. } => "meaning",
            Self::Complexity => "complexity",
            Self::Busy => "busy",
            Self::Time { .. } => "time",
            Self::Memory { .. } => "memory",
            Self::Value { .. } => "value",
            Self::Unavailable(_) => "unavailable",
        }
    }

    /// Line and column where a statement cannot be read, from 1.
    pub fn place(&self) -> Option<(u32, u32)> {
        let Self::Syntax { message } = self else {
            return None;
        };
        let (_, place) = message.rsplit_once("Line: ")?;
        let (line, column) = place.split_once(", Column: ")?;
        let digits = column.split(|sign: char| !sign.is_ascii_digit()).next()?;
        Some((line.parse().ok()?, digits.parse().ok()?))
    }

    /// What went wrong while the statement was understood.
    pub(super) fn of_plan(error: DataFusionError) -> Self {
        let error = root(error);
        match error {
            DataFusionError::SQL(error, _) => Self::Syntax {
                message: error.to_string(),
            },
            DataFusionError::SchemaError(error, _) => Self::Meaning {
                message: of_schema(&error),
            },
            DataFusionError::Plan(message)
            | DataFusionError::NotImplemented(message)
            | DataFusionError::Configuration(message) => Self::Meaning { message },
            other => Self::of_run(other, Limits::default()),
        }
    }

    /// What went wrong while rows were computed.
    pub(super) fn of_run(error: DataFusionError, limits: Limits) -> Self {
        match root(error) {
            DataFusionError::ResourcesExhausted(_) => Self::Memory {
                limit_bytes: limits.memory_bytes,
            },
            DataFusionError::ArrowError(error, _) => Self::Value {
                message: error.to_string(),
            },
            DataFusionError::Execution(message) | DataFusionError::Plan(message) => Self::Value { message },
            DataFusionError::External(error) => match error.downcast::<Self>() {
                Ok(own) => *own,
                Err(error) => Self::Unavailable(error),
            },
            other => Self::Unavailable(other.into()),
        }
    }
}

/// The error without what was said about it on its way.
fn root(error: DataFusionError) -> DataFusionError {
    match error {
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => root(*inner),
        DataFusionError::Shared(inner) => match Arc::try_unwrap(inner) {
            Ok(inner) => root(inner),
            // Several parts of the plan have it; only its kind matters.
            Err(inner) => match inner.find_root() {
                DataFusionError::ResourcesExhausted(text) => {
                    DataFusionError::ResourcesExhausted(text.clone())
                }
                other => DataFusionError::Execution(other.to_string()),
            },
        },
        DataFusionError::Collection(mut errors) if !errors.is_empty() => root(errors.swap_remove(0)),
        other => other,
    }
}

fn of_schema(error: &SchemaError) -> String {
    match error {
        SchemaError::FieldNotFound { field, .. } => format!("there is no column `{}`", field.flat_name()),
        other => other.to_string(),
    }
}
