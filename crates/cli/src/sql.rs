//! `gateline sql`: single calls.

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use client::types::{CallsQuery, RowFormat};
use serde_json::{Map, Value};

use crate::output::{Output, cell, table};
use crate::session::Connection;
use crate::{Error, Exit};

/// What is asked.
#[derive(Debug, Args)]
pub struct Arguments {
    /// One `SELECT` or `EXPLAIN SELECT`; `calls` has the calls of your APIs, `calls_made` those of your applications.
    #[arg(value_name = "SELECT")]
    sql: String,
    /// The most rows.
    #[arg(long, default_value_t = 1000, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    limit: u64,
    /// How the rows are written; a table for people if absent, or JSON with `--output json`.
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// The file that they are written to, instead of the terminal.
    #[arg(long, value_name = "FILE", requires = "format")]
    to: Option<PathBuf>,
}

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A JSON object per line.
    Ndjson,
    /// RFC 4180, with a line of names.
    Csv,
    /// A Parquet file.
    Parquet,
    /// Arrow's IPC stream.
    Arrow,
}

impl Format {
    fn name(self) -> &'static str {
        match self {
            Self::Ndjson => "ndjson",
            Self::Csv => "csv",
            Self::Parquet => "parquet",
            Self::Arrow => "arrow",
        }
    }

    fn is_text(self) -> bool {
        matches!(self, Self::Ndjson | Self::Csv)
    }
}

pub(crate) async fn run(
    connection: &Connection,
    arguments: &Arguments,
    output: &Output,
) -> Result<Exit, Error> {
    let format = arguments.format.unwrap_or(Format::Ndjson);
    if !format.is_text() && arguments.to.is_none() && std::io::stdout().is_terminal() {
        let reason = format!(
            "rows as {} are not for a terminal: name a file with `--to`",
            format.name()
        );
        return Err(Error::Argument { reason });
    }
    let query = CallsQuery {
        limit: Some(arguments.limit),
        format: Some(RowFormat::from(format.name())),
        ..CallsQuery::new(&arguments.sql)
    };
    let rows = connection.client.query_calls(&query).await?;
    match (&arguments.to, arguments.format) {
        (Some(path), _) => std::fs::write(path, &rows).map_err(|source| Error::File {
            path: path.clone(),
            source,
        })?,
        (None, None) if output.is_for_people() => output.text(&people(&rows)),
        // A reader that has seen enough is no reason to fail.
        (None, _) => drop(std::io::stdout().write_all(&rows)),
    }
    Ok(Exit::Done)
}

/// Rows of NDJSON as a table.
fn people(rows: &[u8]) -> String {
    let rows: Vec<Map<String, Value>> = rows
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice(line).ok())
        .collect();
    let Some(first) = rows.first() else {
        return "no rows\n".to_owned();
    };
    let names: Vec<&String> = first.keys().collect();
    let cells = |row: &Map<String, Value>| names.iter().map(|name| cell(row.get(*name))).collect();
    table(&names, rows.iter().map(cells))
}

#[cfg(test)]
mod tests {
    use super::people;

    #[test]
    fn rows_become_a_table_in_their_own_order() {
        let rows = "{\"status\":200,\"api_id\":\"api_1\",\"refusal\":null}\n{\"status\":404,\"api_id\":null,\"refusal\":null}\n";
        assert_eq!(people(rows.as_bytes()), " STATUS  API_ID\n 200     api_1\n 404\n");
        assert_eq!(people(b""), "no rows\n");
    }
}
