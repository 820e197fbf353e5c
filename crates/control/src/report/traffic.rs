//! Calls, their latency, and what and who makes the difference.

use domain::analytics::{Dimension, Measure};
use domain::report::{ReportCell, ReportSection, ReportUnit};

use super::Asked;
use super::form::{course, figures, group, lines, measured, table, value};
use crate::Error;

pub(super) async fn sections(asked: &Asked<'_>) -> Result<Vec<ReportSection>, Error> {
    let (at, answer) = asked
        .course(&[
            Measure::Calls,
            Measure::Refused,
            Measure::ServerErrors,
            Measure::LatencyP50Us,
            Measure::LatencyP95Us,
            Measure::LatencyP99Us,
        ])
        .await?;
    let calls = [
        (Measure::Calls, "Calls"),
        (Measure::Refused, "Refused"),
        (Measure::ServerErrors, "Failed"),
    ];
    let latencies = [
        (Measure::LatencyP50Us, "p50"),
        (Measure::LatencyP95Us, "p95"),
        (Measure::LatencyP99Us, "p99"),
    ];
    Ok(vec![
        sums(asked).await?,
        course(
            (
                "calls",
                "Calls over time",
                "Refused are calls that the gateway did not let pass; failed are answers from 500 on.",
            ),
            ReportUnit::Count,
            (asked.per(), at.clone()),
            lines(&at, &answer.rows, &calls),
        ),
        course(
            (
                "latency",
                "Latency over time",
                "Good: the lines lie close together and do not rise with the traffic.",
            ),
            ReportUnit::Microseconds,
            (asked.per(), at.clone()),
            lines(&at, &answer.rows, &latencies),
        ),
        groups(asked, Dimension::Api, ("apis", "By API", "API")).await?,
        groups(
            asked,
            Dimension::Operation,
            ("operations", "By operation", "Operation"),
        )
        .await?,
        groups(
            asked,
            Dimension::Application,
            ("applications", "By application", "Application"),
        )
        .await?,
    ])
}

async fn sums(asked: &Asked<'_>) -> Result<ReportSection, Error> {
    let measures = [
        (Measure::Calls, "Calls", ReportUnit::Count),
        (Measure::Refused, "Refused", ReportUnit::Count),
        (Measure::ErrorRate, "Failed", ReportUnit::Share),
        (Measure::LatencyP50Us, "Half within", ReportUnit::Microseconds),
        (Measure::LatencyP95Us, "95 % within", ReportUnit::Microseconds),
        (Measure::LatencyP99Us, "99 % within", ReportUnit::Microseconds),
        (Measure::BytesIn, "Received", ReportUnit::Bytes),
        (Measure::BytesOut, "Sent", ReportUnit::Bytes),
        (Measure::Applications, "Applications", ReportUnit::Count),
    ];
    let answer = asked.sums(&measures.map(|(measure, ..)| measure)).await?;
    let head = ("sums", "All together", "Compared with the time just before.");
    Ok(figures(head, measured(answer.rows.first(), &measures)))
}

async fn groups(
    asked: &Asked<'_>,
    dimension: Dimension,
    (name, title, column): (&'static str, &'static str, &'static str),
) -> Result<ReportSection, Error> {
    let measures = [
        (Measure::Calls, "calls", "Calls", ReportUnit::Count),
        (Measure::Refused, "refused", "Refused", ReportUnit::Count),
        (Measure::ErrorRate, "error_rate", "Failed", ReportUnit::Share),
        (
            Measure::LatencyP95Us,
            "latency_p95_us",
            "95 % within",
            ReportUnit::Microseconds,
        ),
    ];
    let answer = asked
        .groups(dimension, &measures.map(|(measure, ..)| measure))
        .await?;
    let mut columns = vec![("name", column, ReportUnit::Text)];
    columns.extend(measures.map(|(_, name, title, unit)| (name, title, unit)));
    let rows = answer.rows.iter().map(|row| {
        let name = group(&answer, row, dimension);
        let values = measures.map(|(measure, ..)| ReportCell::from(value(Some(row), measure)));
        std::iter::once(name).chain(values).collect()
    });
    Ok(table(
        (name, title, "The greatest first."),
        &columns,
        rows,
        "No calls.",
    ))
}
