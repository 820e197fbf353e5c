//! What calls cost: the costs of a month, shared out among calls by what causes them.

use domain::analytics::{AnalyticsRow, Dimension, DimensionFilter, Measure};
use domain::report::{CostBy, ReportFigure, ReportSection, ReportUnit};

use super::Asked;
use super::form::{figure, figures, group, table, value};
use crate::Error;

/// An average month, in microseconds.
const MONTH_MICROS: f64 = 365.25 / 12.0 * 24.0 * 3600.0 * 1e6;

/// What is shared out, and by what.
struct Sharing {
    /// What costs are caused by.
    cause: Measure,
    /// All of it, in the time.
    whole: f64,
    /// The costs of the time; none if they are not known.
    cost: Option<f64>,
}

impl Sharing {
    /// The part of all that something has caused; none if there is nothing to share.
    fn share(&self, part: Option<f64>) -> Option<f64> {
        (self.whole > 0.0).then_some(part? / self.whole)
    }

    fn cost(&self, part: Option<f64>) -> Option<f64> {
        Some(self.cost? * self.share(part)?)
    }

    /// What is shared out by, as a column.
    const fn column(&self) -> (&'static str, &'static str, ReportUnit) {
        match self.cause {
            Measure::Calls => ("caused", "Calls", ReportUnit::Count),
            Measure::BytesOut => ("caused", "Sent", ReportUnit::Bytes),
            _ => ("caused", "Time of all calls", ReportUnit::Microseconds),
        }
    }
}

pub(super) async fn sections(asked: &Asked<'_>) -> Result<Vec<ReportSection>, Error> {
    let cause = match asked.cost_by {
        CostBy::Time => Measure::LatencyTotalUs,
        CostBy::Calls => Measure::Calls,
        CostBy::BytesOut => Measure::BytesOut,
    };
    let length = asked.period.to.as_micros() - asked.period.from.as_micros();
    let months = length as f64 / MONTH_MICROS;
    let all = asked.whole(&measures(cause, &[Measure::Counted])).await?;
    let sharing = Sharing {
        cause,
        whole: value(all.as_ref(), cause).unwrap_or(0.0),
        cost: asked.monthly_cost.map(|cost| cost * months),
    };
    let mut sections = vec![sums(asked, &sharing, all.as_ref()).await?];
    for (dimension, head) in [
        (Dimension::Consumer, ("consumers", "By consumer", "Organization")),
        (
            Dimension::Application,
            ("applications", "By application", "Application"),
        ),
        (Dimension::Api, ("apis", "By API", "API")),
        (Dimension::Operation, ("operations", "By operation", "Operation")),
    ] {
        sections.push(groups(asked, &sharing, dimension, head).await?);
    }
    Ok(sections)
}

/// What costs are caused by, the number of calls, and others, each once.
fn measures(cause: Measure, others: &[Measure]) -> Vec<Measure> {
    let mut measures = vec![cause];
    measures.extend((cause != Measure::Calls).then_some(Measure::Calls));
    measures.extend(others);
    measures
}

async fn sums(
    asked: &Asked<'_>,
    sharing: &Sharing,
    all: Option<&AnalyticsRow>,
) -> Result<ReportSection, Error> {
    let failed = asked
        .of(
            &[sharing.cause],
            DimensionFilter {
                dimension: Dimension::StatusClass,
                values: vec!["4xx".to_owned(), "5xx".to_owned()],
                exclude: false,
            },
        )
        .await?;
    let failed = value(failed.as_ref(), sharing.cause);
    let each = |measure| {
        let count = value(all, measure).filter(|count| *count > 0.0)?;
        Some(sharing.cost(Some(sharing.whole))? * 1000.0 / count)
    };
    let (name, title, unit) = sharing.column();
    let amount = |name, title, value: Option<f64>| figure(name, title, ReportUnit::Amount, value);
    let mut told: Vec<ReportFigure> = vec![
        figure("calls", "Calls", ReportUnit::Count, value(all, Measure::Calls)),
        amount("cost", "Costs of the time", sharing.cost),
        amount("per_call", "A thousand calls", each(Measure::Calls)),
        amount("per_counted", "A thousand counted calls", each(Measure::Counted)),
        figure("failed", "For nothing", ReportUnit::Share, sharing.share(failed)),
        amount("failed_cost", "Costs of these", sharing.cost(failed)),
    ];
    if sharing.cause != Measure::Calls {
        told.insert(1, figure(name, title, unit, sharing.whole));
    }
    // What nobody has said costs nothing that could be told.
    told.retain(|figure| sharing.cost.is_some() || figure.unit != ReportUnit::Amount);
    let text = match sharing.cost {
        Some(_) => {
            "The monthly costs, as far as they fall into the time. For nothing were calls that were refused or failed."
        }
        None => {
            "Say what a month costs (`monthly_cost`) to see amounts. For nothing were calls that were refused or failed."
        }
    };
    Ok(figures(("sums", "All together", text), told))
}

async fn groups(
    asked: &Asked<'_>,
    sharing: &Sharing,
    dimension: Dimension,
    (name, title, column): (&str, &str, &str),
) -> Result<ReportSection, Error> {
    let answer = asked.groups(dimension, &measures(sharing.cause, &[])).await?;
    let mut columns = vec![
        ("name", column, ReportUnit::Text),
        ("calls", "Calls", ReportUnit::Count),
        sharing.column(),
        ("share", "Of all", ReportUnit::Share),
        ("cost", "Costs", ReportUnit::Amount),
        ("per_call", "A thousand calls", ReportUnit::Amount),
    ];
    let is_told = |name: &str| match name {
        "caused" => sharing.cause != Measure::Calls,
        "cost" | "per_call" => sharing.cost.is_some(),
        _ => true,
    };
    let rows = answer.rows.iter().map(|row| {
        let (calls, caused) = (value(Some(row), Measure::Calls), value(Some(row), sharing.cause));
        let cost = sharing.cost(caused);
        let per_call = cost.zip(calls).map(|(cost, calls)| cost * 1000.0 / calls);
        let cells = [
            ("name", group(&answer, row, dimension)),
            ("calls", calls.into()),
            ("caused", caused.into()),
            ("share", sharing.share(caused).into()),
            ("cost", cost.into()),
            ("per_call", per_call.into()),
        ];
        cells
            .into_iter()
            .filter(|(name, _)| is_told(name))
            .map(|(_, cell)| cell)
            .collect::<Vec<_>>()
    });
    let rows: Vec<_> = rows.collect();
    columns.retain(|(name, ..)| is_told(name));
    Ok(table(
        (name, title, "Those that cause most first."),
        &columns,
        rows,
        "No calls.",
    ))
}
