//! `gateline reports`: what happened in a time and what it means.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use client::types::{
    ExportReportParams, ListReportSchedulesParams, Notices, ReadReportParams, Report, ReportCell,
    ReportColumn, ReportFigure, ReportLine, ReportRow, ReportSchedule, ReportSection, ReportUnit, Reports,
    SendReportParams,
};
use jiff::Span;
use serde::Deserialize;

use crate::analytics::began;
use crate::output::{Entries, Output, table};
use crate::session::Connection;
use crate::{Error, Exit};

/// What to do with reports.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Say which there are.
    List,
    /// Show one.
    Show {
        #[command(flatten)]
        about: About,
        /// Only these sections; several with commas.
        #[arg(long, value_name = "NAMES")]
        section: Option<String>,
    },
    /// Say which are sent from time to time; they are declared (`kind: report_schedule`).
    Schedules,
    /// Send one now, to the channels of its schedule.
    Send {
        /// The schedule's name.
        schedule: String,
    },
    /// Write one as a file: comma-separated values, or a PDF.
    Export {
        #[command(flatten)]
        about: About,
        /// Only this section.
        #[arg(long, value_name = "NAME", conflicts_with = "pdf")]
        section: Option<String>,
        /// As a PDF.
        #[arg(long, requires = "file")]
        pdf: bool,
        /// The file that it is written to, instead of the terminal.
        #[arg(long = "file", value_name = "FILE")]
        file: Option<PathBuf>,
    },
}

/// What a report is about.
#[derive(Debug, Args)]
pub struct About {
    /// The report's name, as `gateline reports list` has it.
    name: String,
    /// The time until now: `24h`, `30d`.
    #[arg(long, value_name = "SPAN", conflicts_with = "from")]
    last: Option<Span>,
    /// From this moment (RFC 3339).
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Up to this moment (RFC 3339).
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// The time zone of days and weeks, as `Europe/Berlin`; UTC if absent.
    #[arg(long, value_name = "NAME")]
    time_zone: Option<String>,
    /// Only calls to this API, by name or id.
    #[arg(long)]
    api: Option<String>,
    /// Only calls of this application, by name or id.
    #[arg(long)]
    application: Option<String>,
    /// The calls of a day that can be served; a forecast says when they are reached.
    #[arg(long, value_name = "NUMBER")]
    capacity: Option<f64>,
    /// What serving all calls costs in a month; `costs` shares it out.
    #[arg(long, value_name = "NUMBER")]
    monthly_cost: Option<f64>,
    /// What `costs` shares costs out by: `time` (if absent), `calls` or `bytes_out`.
    #[arg(long, value_name = "CAUSE")]
    cost_by: Option<String>,
}

/// What a section tells.
#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Content {
    Figures {
        figures: Vec<ReportFigure>,
    },
    Course {
        at: Vec<String>,
        unit: ReportUnit,
        lines: Vec<ReportLine>,
    },
    Table {
        columns: Vec<ReportColumn>,
        rows: Vec<ReportRow>,
        left_out: u64,
        nothing: String,
    },
}

pub(crate) async fn run(connection: &Connection, command: &Command, output: &Output) -> Result<Exit, Error> {
    let client = &connection.client;
    match command {
        Command::List => {
            let reports = client.list_reports().await?;
            output.answer(&reports, list);
        }
        Command::Show { about, section } => {
            let params = ReadReportParams {
                from: about.begin()?,
                to: about.to.clone(),
                time_zone: about.time_zone.clone(),
                api: about.api.clone(),
                application: about.application.clone(),
                capacity: about.capacity,
                monthly_cost: about.monthly_cost,
                cost_by: about.cost_by.as_deref().map(Into::into),
            };
            let mut report = client.read_report(&about.name, &params).await?;
            if let Some(wanted) = section {
                only(&mut report, wanted)?;
            }
            output.answer(&report, people);
        }
        Command::Schedules => {
            let params = ListReportSchedulesParams::default();
            let data = client.list_report_schedules_all(&params).await?;
            output.answer(&Entries { data }, schedules);
        }
        Command::Send { schedule } => {
            let id = find(connection, schedule).await?.id;
            let notices = client.send_report(&id, &SendReportParams::default()).await?;
            output.answer(&notices, sent);
        }
        Command::Export {
            about,
            section,
            pdf,
            file,
        } => {
            let params = ExportReportParams {
                from: about.begin()?,
                to: about.to.clone(),
                time_zone: about.time_zone.clone(),
                api: about.api.clone(),
                application: about.application.clone(),
                capacity: about.capacity,
                monthly_cost: about.monthly_cost,
                cost_by: about.cost_by.as_deref().map(Into::into),
                section: section.clone(),
                format: pdf.then(|| "pdf".into()),
            };
            let text = client.export_report(&about.name, &params).await?;
            match file {
                Some(path) => std::fs::write(path, &text).map_err(|source| Error::File {
                    path: path.clone(),
                    source,
                })?,
                None => output.text(&String::from_utf8_lossy(&text)),
            }
        }
    }
    Ok(Exit::Done)
}

impl About {
    fn begin(&self) -> Result<Option<String>, Error> {
        match self.last {
            Some(last) => began(last).map(Some),
            None => Ok(self.from.clone()),
        }
    }
}

async fn find(connection: &Connection, name: &str) -> Result<ReportSchedule, Error> {
    let params = ListReportSchedulesParams {
        filter_name: Some(name.to_owned()),
        ..ListReportSchedulesParams::default()
    };
    let found = connection.client.list_report_schedules_all(&params).await?;
    found.into_iter().next().ok_or_else(|| Error::NotFound {
        kind: "report-schedule",
        name: name.to_owned(),
    })
}

fn schedules(entries: &Entries<ReportSchedule>) -> String {
    let rows = entries.data.iter().map(|schedule| {
        vec![
            schedule.name.clone(),
            schedule.report.to_string(),
            schedule.interval.to_string(),
            schedule.channels.join(", "),
            schedule.next_at.clone().unwrap_or_default(),
            schedule.error.clone().unwrap_or_default(),
        ]
    });
    table(&["name", "report", "each", "sent to", "next", "error"], rows)
}

fn sent(notices: &Notices) -> String {
    let rows = notices.data.iter().map(|notice| {
        vec![
            notice.created_at.clone(),
            notice.channel.clone(),
            notice.state.to_string(),
            notice.error.clone().unwrap_or_default(),
        ]
    });
    table(&["made", "channel", "state", "error"], rows)
}

fn list(reports: &Reports) -> String {
    let rows = reports
        .data
        .iter()
        .map(|report| vec![report.name.to_string(), report.about.clone()]);
    table(&["name", "what it tells"], rows)
}

/// Leaves only the sections of these names.
fn only(report: &mut Report, wanted: &str) -> Result<(), Error> {
    for name in wanted.split(',').map(str::trim) {
        if !report.sections.iter().any(|section| section.name == name) {
            let known: Vec<_> = report
                .sections
                .iter()
                .map(|section| section.name.as_str())
                .collect();
            let reason = format!("there is no section `{name}`; there are {}", known.join(", "));
            return Err(Error::Argument { reason });
        }
    }
    report
        .sections
        .retain(|section| wanted.split(',').any(|name| name.trim() == section.name));
    Ok(())
}

fn people(report: &Report) -> String {
    let mut text = format!(
        "{}, {} to {}\n{}\n",
        report.title, report.period.from, report.period.to, report.about
    );
    for section in &report.sections {
        text.push_str(&format!("\n{}\n", section.title));
        if !section.text.is_empty() {
            text.push_str(&format!("{}\n", section.text));
        }
        text.push_str(&told(section));
    }
    text
}

/// A section as a table; a newer server may tell what this program does not know.
fn told(section: &ReportSection) -> String {
    match Content::deserialize(&section.content) {
        Ok(Content::Figures { figures }) => {
            let rows = figures.iter().map(|figure| {
                let previous = ReportCell {
                    number: figure.previous,
                    ..ReportCell::default()
                };
                vec![
                    figure.title.clone(),
                    written(&figure.unit, &figure.value),
                    written(&figure.unit, &previous),
                ]
            });
            table(&["", "now", "before"], rows)
        }
        Ok(Content::Course { at, unit, lines }) => {
            let header: Vec<_> = std::iter::once("from")
                .chain(lines.iter().map(|line| line.title.as_str()))
                .collect();
            let rows = at.iter().enumerate().map(|(place, at)| {
                let value = |line: &ReportLine| {
                    line.values
                        .get(place)
                        .map_or_else(String::new, |cell| written(&unit, cell))
                };
                std::iter::once(at.clone())
                    .chain(lines.iter().map(value))
                    .collect()
            });
            table(&header, rows)
        }
        Ok(Content::Table { rows, nothing, .. }) if rows.is_empty() => format!("{nothing}\n"),
        Ok(Content::Table {
            columns,
            rows,
            left_out,
            ..
        }) => {
            let header: Vec<_> = columns.iter().map(|column| column.title.as_str()).collect();
            let cells = rows.iter().map(|row| {
                let cells = row.cells.iter().zip(&columns);
                cells.map(|(cell, column)| written(&column.unit, cell)).collect()
            });
            let mut text = table(&header, cells);
            if left_out > 0 {
                text.push_str(&format!("and {left_out} more\n"));
            }
            text
        }
        Err(_) => "this program is too old to show it; see `--output json`\n".to_owned(),
    }
}

/// A cell as people read it; empty if it has nothing.
fn written(unit: &ReportUnit, cell: &ReportCell) -> String {
    let Some(number) = cell.number else {
        let text = cell.text.clone().unwrap_or_default();
        // The id of an error is its code, which `docs/errors` explains.
        let code = cell
            .id
            .as_ref()
            .filter(|id| id.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'));
        return code.map_or_else(|| text.clone(), |code| format!("{text} ({code})"));
    };
    match unit {
        ReportUnit::Share => format!("{:.2} %", number * 100.0),
        ReportUnit::Change => format!("{:+.1} %", number * 100.0),
        ReportUnit::Microseconds => format!("{:.1} ms", number / 1000.0),
        ReportUnit::Seconds => duration(number),
        ReportUnit::Bytes => bytes(number),
        ReportUnit::Amount => amount(number),
        _ => format!("{number:.0}"),
    }
}

/// An amount: hundredths from 1 on, below as many decimals as show three digits.
fn amount(number: f64) -> String {
    let decimals = (2..9).find(|decimals| number * 10_f64.powi(*decimals) >= 100.0);
    let decimals = decimals.and_then(|decimals| usize::try_from(decimals).ok());
    format!("{number:.*}", decimals.unwrap_or(2))
}

/// Seconds in the greatest unit of which there is one.
fn duration(seconds: f64) -> String {
    let units = [(86_400.0, "d"), (3600.0, "h"), (60.0, "min")];
    let fits = units.into_iter().find(|(length, _)| seconds >= *length);
    fits.map_or_else(
        || format!("{seconds:.0} s"),
        |(length, unit)| format!("{:.1} {unit}", seconds / length),
    )
}

fn bytes(number: f64) -> String {
    let units = [(1e9, "GB"), (1e6, "MB"), (1e3, "kB")];
    let fits = units.into_iter().find(|(size, _)| number >= *size);
    fits.map_or_else(
        || format!("{number:.0} B"),
        |(size, unit)| format!("{:.1} {unit}", number / size),
    )
}

#[cfg(test)]
mod tests {
    use client::types::{ReportCell, ReportSection, ReportUnit};
    use serde_json::json;

    use super::{told, written};

    #[test]
    fn cells_are_written_with_their_units() {
        let table = [
            (ReportUnit::Count, 1234.0, "1234"),
            (ReportUnit::Share, 0.015, "1.50 %"),
            (ReportUnit::Change, -0.5, "-50.0 %"),
            (ReportUnit::Microseconds, 1250.0, "1.2 ms"),
            (ReportUnit::Seconds, 59.0, "59 s"),
            (ReportUnit::Seconds, 5400.0, "1.5 h"),
            (ReportUnit::Bytes, 2_500_000.0, "2.5 MB"),
            (ReportUnit::Amount, 1850.0, "1850.00"),
            (ReportUnit::Amount, 0.000_123_4, "0.000123"),
        ];
        for (unit, number, text) in table {
            let cell = ReportCell {
                number: Some(number),
                ..ReportCell::default()
            };
            assert_eq!(written(&unit, &cell), text);
        }
        assert_eq!(written(&ReportUnit::Count, &ReportCell::default()), "");
        let named = |id: &str| ReportCell {
            text: Some("It".to_owned()),
            id: Some(id.to_owned()),
            ..ReportCell::default()
        };
        assert_eq!(
            written(&ReportUnit::Text, &named("key_missing")),
            "It (key_missing)"
        );
        assert_eq!(written(&ReportUnit::Text, &named("api_01jd9zk5v8")), "It");
    }

    #[test]
    fn a_table_says_what_is_left_out_and_what_is_not_there() {
        let section = |rows| -> ReportSection {
            let columns = json!([{ "name": "calls", "title": "Calls", "unit": "count" }]);
            let content = json!({ "kind": "table", "columns": columns, "rows": rows, "left_out": 2, "nothing": "No calls." });
            serde_json::from_value(json!({ "name": "a", "title": "A", "text": "", "content": content }))
                .unwrap()
        };
        assert_eq!(
            told(&section(json!([{ "cells": [{ "number": 7 }] }]))),
            " CALLS\n 7\nand 2 more\n"
        );
        assert_eq!(told(&section(json!([]))), "No calls.\n");
    }
}
