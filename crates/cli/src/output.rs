//! What people and scripts get to see.

use std::error::Error as _;
use std::fmt::Write as _;
use std::io;

use clap::ValueEnum;
use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;
use serde_json::{Value, json};

use crate::Error;

/// How answers are printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Table,
    /// For scripts: the server's answer.
    Json,
}

/// All entries of a list, in the shape of a page of the API.
#[derive(Debug, Serialize)]
pub(crate) struct Entries<T> {
    pub(crate) data: Vec<T>,
}

/// Prints in the wanted format. A reader that went away (`| head`) is no error.
#[derive(Debug)]
pub(crate) struct Output {
    format: Format,
}

impl Output {
    pub(crate) fn new(format: Format) -> Self {
        Self { format }
    }

    /// The answer as JSON, or what `people` makes of it.
    pub(crate) fn answer<T: Serialize>(&self, answer: &T, people: impl FnOnce(&T) -> String) {
        match self.format {
            Format::Json => write(&mut io::stdout(), &format!("{:#}\n", json!(answer))),
            Format::Table => write(&mut io::stdout(), &people(answer)),
        }
    }

    /// Whether answers are printed for people.
    pub(crate) fn is_for_people(&self) -> bool {
        self.format == Format::Table
    }

    /// An answer that is text already.
    pub(crate) fn text(&self, text: &str) {
        write(&mut io::stdout(), text);
    }

    /// Something for people that is not the answer: progress, advice.
    pub(crate) fn note(&self, text: &str) {
        write(&mut io::stderr(), &format!("{text}\n"));
    }

    /// What went wrong, on standard error: text for people, a problem for scripts.
    pub(crate) fn error(&self, error: &Error) {
        let text = match self.format {
            Format::Json => format!("{:#}\n", problem(error)),
            Format::Table => explain(error),
        };
        write(&mut io::stderr(), &text);
    }
}

/// Rows under a header, as wide as the terminal. A column that is empty in every row is left out.
pub(crate) fn table<H: AsRef<str>>(header: &[H], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic);
    let rows: Vec<_> = rows.collect();
    let has = |column: usize, row: &Vec<String>| row.get(column).is_some_and(|cell| !cell.is_empty());
    let is_told: Vec<bool> = (0..header.len())
        .map(|column| rows.iter().any(|row| has(column, row)))
        .collect();
    let told = |row: Vec<String>| {
        row.into_iter()
            .zip(&is_told)
            .filter_map(|(cell, told)| told.then_some(cell))
    };
    let header = header.iter().map(|title| title.as_ref().to_uppercase()).collect();
    table.set_header(told(header));
    for row in rows {
        table.add_row(told(row));
    }
    let text = table.to_string();
    text.lines()
        .map(|line| line.trim_end().to_owned() + "\n")
        .collect()
}

/// A value as it stands in a table; empty when there is none.
pub(crate) fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

fn write(stream: &mut impl io::Write, text: &str) {
    // A reader that has seen enough is no reason to fail.
    let _ = stream.write_all(text.as_bytes()).and_then(|()| stream.flush());
}

fn explain(error: &Error) -> String {
    let mut text = format!("error: {error}\n");
    let mut cause = error.source();
    while let Some(source) = cause {
        let source_text = source.to_string();
        if !text.contains(&source_text) {
            text.push_str(&format!("  because: {source_text}\n"));
        }
        cause = source.source();
    }
    let Error::Call(client::Error::Problem(problem)) = error else {
        return text;
    };
    for one in &problem.errors {
        let place = match (
            one.line.filter(|line| *line > 0),
            one.column.filter(|column| *column > 0),
        ) {
            (Some(line), Some(column)) => format!("line {line}, column {column}"),
            (Some(line), None) => format!("line {line}"),
            _ => String::new(),
        };
        let places: Vec<&str> = [place.as_str(), one.pointer.as_str()]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect();
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {}: {} [{}]", places.join(" "), one.detail, one.code);
        if !one.suggestion.is_empty() {
            let _ = writeln!(text, "    → {}", one.suggestion);
        }
    }
    if !problem.suggestion.is_empty() {
        let _ = writeln!(text, "  → {}", problem.suggestion);
    }
    if problem.status >= 500 && !problem.request_id.is_empty() {
        let _ = writeln!(text, "  request {}", problem.request_id);
    }
    text
}

fn problem(error: &Error) -> Value {
    match error {
        Error::Call(client::Error::Problem(problem)) => json!(problem),
        other => {
            json!({ "title": "The command failed", "detail": other.to_string(), "exit": other.exit() as u8 })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{explain, table};
    use crate::Error;

    #[test]
    fn a_refusal_shows_every_place() {
        let problem = client::Problem {
            status: 400,
            code: "contract_invalid".to_owned(),
            detail: "The contract has 1 error.".to_owned(),
            suggestion: "Mend what `errors` lists.".to_owned(),
            errors: vec![client::FieldError {
                pointer: "/paths".to_owned(),
                code: "paths_missing".to_owned(),
                detail: "There are no paths.".to_owned(),
                suggestion: "Add some.".to_owned(),
                line: Some(3),
                column: Some(1),
            }],
            ..client::Problem::default()
        };
        let error = Error::Call(client::Error::Problem(Box::new(problem)));
        assert_eq!(
            explain(&error),
            "error: contract_invalid: The contract has 1 error.\n  line 3, column 1 /paths: There are no paths. \
             [paths_missing]\n    → Add some.\n  → Mend what `errors` lists.\n"
        );
        assert_eq!(error.exit(), crate::Exit::Refused);
    }

    #[test]
    fn tables_have_a_header_and_no_borders() {
        let row = ["a", "", "1"].map(ToOwned::to_owned).to_vec();
        let text = table(&["name", "title", "calls"], std::iter::once(row));
        let words: Vec<&str> = text.split_whitespace().collect();
        assert_eq!(words, ["NAME", "CALLS", "a", "1"]);
    }
}
