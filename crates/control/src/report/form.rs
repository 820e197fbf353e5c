//! The parts of a report.

use domain::Timestamp;
use domain::analytics::{AnalyticsAnswer, AnalyticsRow, Dimension, Granularity, Measure};
use domain::report::{
    ReportCell, ReportColumn, ReportContent, ReportFigure, ReportLine, ReportRow, ReportSection, ReportUnit,
};

use super::ROWS_MAX;

/// The name, the title and how to read a part.
pub(super) type Head<'a> = (&'a str, &'a str, &'a str);

fn section((name, title, text): Head<'_>, content: ReportContent) -> ReportSection {
    ReportSection {
        name: name.to_owned(),
        title: title.to_owned(),
        text: text.to_owned(),
        content,
    }
}

pub(super) fn figures(head: Head<'_>, figures: Vec<ReportFigure>) -> ReportSection {
    section(head, ReportContent::Figures { figures })
}

pub(super) fn course(
    head: Head<'_>,
    unit: ReportUnit,
    (per, at): (Granularity, Vec<Timestamp>),
    lines: Vec<ReportLine>,
) -> ReportSection {
    let content = ReportContent::Course { per, at, unit, lines };
    section(head, content)
}

/// A table with the first rows of these; `nothing` is said when there is none.
pub(super) fn table(
    head: Head<'_>,
    columns: &[(&str, &str, ReportUnit)],
    rows: impl IntoIterator<Item = Vec<ReportCell>>,
    nothing: &str,
) -> ReportSection {
    let columns = columns.iter().map(|(name, title, unit)| ReportColumn {
        name: (*name).to_owned(),
        title: (*title).to_owned(),
        unit: *unit,
    });
    let mut rows = rows.into_iter();
    let shown = rows.by_ref().take(ROWS_MAX);
    let shown = shown.map(|cells| ReportRow { cells }).collect();
    let content = ReportContent::Table {
        columns: columns.collect(),
        rows: shown,
        left_out: rows.count() as u64,
        nothing: nothing.to_owned(),
    };
    section(head, content)
}

/// A figure that cannot be compared with one of the time before.
pub(super) fn figure(
    name: &str,
    title: &str,
    unit: ReportUnit,
    value: impl Into<ReportCell>,
) -> ReportFigure {
    ReportFigure {
        name: name.to_owned(),
        title: title.to_owned(),
        unit,
        value: value.into(),
        previous: None,
    }
}

/// Figures of measures, with those of the time before.
pub(super) fn measured(
    row: Option<&AnalyticsRow>,
    measures: &[(Measure, &str, ReportUnit)],
) -> Vec<ReportFigure> {
    let figures = measures.iter().map(|(measure, title, unit)| ReportFigure {
        previous: row
            .and_then(|row| row.previous.as_ref())
            .and_then(|values| values.get(measure))
            .copied(),
        ..figure(&word(measure), title, *unit, value(row, *measure))
    });
    figures.collect()
}

/// Lines of measures over spans of time; what is counted is 0 where nothing was called.
pub(super) fn lines(
    at: &[Timestamp],
    rows: &[AnalyticsRow],
    measures: &[(Measure, &str)],
) -> Vec<ReportLine> {
    let by_time: std::collections::HashMap<_, _> =
        rows.iter().filter_map(|row| Some((row.time?, row))).collect();
    let lines = measures.iter().map(|(measure, title)| {
        let values = at
            .iter()
            .map(|at| value(by_time.get(at).copied(), *measure).into());
        line(&word(measure), title, values.collect())
    });
    lines.collect()
}

pub(super) fn line(name: &str, title: &str, values: Vec<ReportCell>) -> ReportLine {
    ReportLine {
        name: name.to_owned(),
        title: title.to_owned(),
        expected: false,
        values,
    }
}

/// What the group of a row is called.
pub(super) fn group(answer: &AnalyticsAnswer, row: &AnalyticsRow, dimension: Dimension) -> ReportCell {
    if row.others {
        return ReportCell::from("All others");
    }
    match row.dimensions.get(&dimension).map_or("", String::as_str) {
        "" => ReportCell::from("None"),
        id => match answer.names.get(id) {
            Some(name) => ReportCell::named(id, Some(name)),
            None => ReportCell::from(id),
        },
    }
}

/// The value of a measure; 0 of what is counted if there are no calls.
pub(super) fn value(row: Option<&AnalyticsRow>, measure: Measure) -> Option<f64> {
    let known = row.and_then(|row| row.values.get(&measure)).copied();
    known.or_else(|| measure.is_counted().then_some(0.0))
}

/// A measure or dimension as queries have it.
pub(super) fn word(it: impl serde::Serialize) -> String {
    let word = serde_json::to_value(it).ok();
    word.and_then(|word| word.as_str().map(str::to_owned))
        .unwrap_or_default()
}

/// A part of a whole; none of nothing.
#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 calls")]
pub(super) fn share(part: i64, whole: i64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// How much a number has changed, as a part of what it was.
#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 calls")]
pub(super) fn change(now: i64, before: i64) -> Option<f64> {
    (before > 0).then(|| (now - before) as f64 / before as f64)
}

/// The value that this share of all does not exceed, by nearest rank.
pub(super) fn percentile(mut values: Vec<f64>, share: f64) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "between 0 and the number of values"
    )]
    let rank = (share * values.len() as f64).ceil() as usize;
    values.get(rank.saturating_sub(1)).copied()
}
