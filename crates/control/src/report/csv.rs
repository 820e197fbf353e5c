//! Reports as comma-separated values (RFC 4180).

use domain::report::{Report, ReportCell, ReportContent, ReportSection};

/// Says that a report has no part of a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the report has no part of this name; it has {known}")]
pub struct UnknownSection {
    known: String,
}

/// Writes one part of a report, or all of them one after the other: each with a line that says its title, and an empty
/// line between them.
///
/// Texts that a spreadsheet would take for a formula begin with an apostrophe.
///
/// # Errors
/// If it has no part of this name.
pub fn write(report: &Report, section: Option<&str>) -> Result<String, UnknownSection> {
    let Some(name) = section else {
        let parts = report
            .sections
            .iter()
            .map(|section| format!("{}\r\n{}", quoted(&section.title), one(section)));
        return Ok(parts.collect::<Vec<_>>().join("\r\n"));
    };
    let found = report.sections.iter().find(|section| section.name == name);
    found.map(one).ok_or_else(|| {
        let known: Vec<_> = report
            .sections
            .iter()
            .map(|section| format!("`{}`", section.name))
            .collect();
        UnknownSection {
            known: known.join(", "),
        }
    })
}

fn one(section: &ReportSection) -> String {
    let mut text = String::new();
    let mut line = |cells: Vec<String>| {
        text.push_str(&cells.join(","));
        text.push_str("\r\n");
    };
    match &section.content {
        ReportContent::Figures { figures } => {
            line(["name", "value", "previous"].map(str::to_owned).to_vec());
            for figure in figures {
                let previous = ReportCell::from(figure.previous);
                line(vec![
                    quoted(&figure.name),
                    written(&figure.value),
                    written(&previous),
                ]);
            }
        }
        ReportContent::Course { at, lines, .. } => {
            let names = lines.iter().map(|each| quoted(&each.name));
            line(std::iter::once("at".to_owned()).chain(names).collect());
            for (place, at) in at.iter().enumerate() {
                let values = lines
                    .iter()
                    .map(|line| line.values.get(place).map_or_else(String::new, written));
                line(std::iter::once(at.to_string()).chain(values).collect());
            }
        }
        ReportContent::Table { columns, rows, .. } => {
            line(columns.iter().map(|column| quoted(&column.name)).collect());
            for row in rows {
                line(row.cells.iter().map(written).collect());
            }
        }
    }
    text
}

fn written(cell: &ReportCell) -> String {
    match (cell.number, &cell.text) {
        (Some(number), _) => number.to_string(),
        (None, Some(text)) => quoted(text),
        (None, None) => String::new(),
    }
}

/// A text as a field, and never a formula (CWE-1236).
fn quoted(text: &str) -> String {
    let guard = match text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        true => "'",
        false => "",
    };
    match !guard.is_empty() || text.contains(['"', ',', '\n', '\r']) {
        true => format!("\"{guard}{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
