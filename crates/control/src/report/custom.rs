//! Reports of an organization's own: each section a question about calls.

use domain::Timestamp;
use domain::analytics::{AnalyticsQuery, AnalyticsRow, Dimension, Measure, Top};
use domain::report::{ReportCell, ReportDefinition, ReportPart, ReportSection, ReportUnit};

use super::form::{Head, course, group, line, lines, measured, table, value};
use super::{Asked, form};
use crate::Error;

pub(super) async fn sections(
    asked: &Asked<'_>,
    definition: &ReportDefinition,
) -> Result<Vec<ReportSection>, Error> {
    let mut sections = Vec::with_capacity(definition.spec.parts.len());
    for part in &definition.spec.parts {
        let head = (part.name.as_str(), part.title.as_str(), part.text.as_str());
        sections.push(match (part.over_time, part.dimensions.first()) {
            (true, Some(dimension)) => by_group(asked, part, head, *dimension).await?,
            (true, None) => over_time(asked, part, head).await?,
            (false, Some(_)) => rows(asked, part, head).await?,
            (false, None) => sums(asked, part, head).await?,
        });
    }
    Ok(sections)
}

/// What a part asks, about the last day; for checking it.
pub(crate) fn question_of(part: &ReportPart, now: Timestamp) -> AnalyticsQuery {
    AnalyticsQuery {
        measures: part.measures.clone(),
        dimensions: part.dimensions.clone(),
        filters: part.filters.clone(),
        from: now.before(std::time::Duration::from_hours(24)),
        to: Some(now),
        granularity: None,
        time_zone: None,
        compare: false,
        top: top(part),
    }
}

fn top(part: &ReportPart) -> Option<Top> {
    let by = *part.measures.first()?;
    (!part.dimensions.is_empty()).then_some(Top { count: part.top, by })
}

/// The question of a part about what the report is asked about.
fn question(asked: &Asked<'_>, part: &ReportPart) -> AnalyticsQuery {
    let mut query = AnalyticsQuery {
        dimensions: part.dimensions.clone(),
        top: top(part),
        ..asked.question(&part.measures)
    };
    query.filters.extend(part.filters.iter().cloned());
    query
}

async fn sums(asked: &Asked<'_>, part: &ReportPart, head: Head<'_>) -> Result<ReportSection, Error> {
    let answer = asked.compared(question(asked, part)).await?;
    let measures: Vec<_> = part.measures.iter().copied().map(titled).collect();
    Ok(form::figures(head, measured(answer.rows.first(), &measures)))
}

async fn rows(asked: &Asked<'_>, part: &ReportPart, head: Head<'_>) -> Result<ReportSection, Error> {
    let answer = asked.ask(question(asked, part)).await?;
    let words: Vec<_> = part.dimensions.iter().map(|each| form::word(*each)).collect();
    let titles: Vec<_> = part.dimensions.iter().copied().map(dimension_title).collect();
    let measures: Vec<_> = part.measures.iter().map(|each| form::word(*each)).collect();
    let mut columns: Vec<_> = words
        .iter()
        .zip(titles)
        .map(|(word, title)| (word.as_str(), title, ReportUnit::Text))
        .collect();
    columns.extend(part.measures.iter().zip(&measures).map(|(measure, word)| {
        let (_, title, unit) = titled(*measure);
        (word.as_str(), title, unit)
    }));
    let rows = answer.rows.iter().map(|row| {
        let names =
            part.dimensions
                .iter()
                .enumerate()
                .map(|(place, dimension)| match row.others && place > 0 {
                    true => ReportCell::default(),
                    false => group(&answer, row, *dimension),
                });
        let values = part
            .measures
            .iter()
            .map(|measure| value(Some(row), *measure).into());
        names.chain(values).collect()
    });
    Ok(table(head, &columns, rows, "No calls."))
}

async fn over_time(asked: &Asked<'_>, part: &ReportPart, head: Head<'_>) -> Result<ReportSection, Error> {
    let (at, answer) = asked.over_time(question(asked, part)).await?;
    let measures: Vec<_> = part
        .measures
        .iter()
        .map(|measure| (*measure, titled(*measure).1))
        .collect();
    let lines = lines(&at, &answer.rows, &measures);
    let unit = part
        .measures
        .first()
        .map_or(ReportUnit::Count, |first| unit(*first));
    Ok(course(head, unit, (asked.per(), at), lines))
}

async fn by_group(
    asked: &Asked<'_>,
    part: &ReportPart,
    head: Head<'_>,
    dimension: Dimension,
) -> Result<ReportSection, Error> {
    let measure = part.measures.first().copied().unwrap_or(Measure::Calls);
    let (at, answer) = asked.over_time(question(asked, part)).await?;
    let mut groups: Vec<(ReportCell, Vec<&AnalyticsRow>)> = Vec::new();
    for row in &answer.rows {
        let name = group(&answer, row, dimension);
        match groups.iter_mut().find(|(known, _)| *known == name) {
            Some((_, rows)) => rows.push(row),
            None => groups.push((name, vec![row])),
        }
    }
    let lines = groups.iter().enumerate().map(|(place, (name, rows))| {
        let values = at.iter().map(|at| {
            let row = rows.iter().find(|row| row.time == Some(*at));
            value(row.copied(), measure).into()
        });
        let title = name.text.as_deref().unwrap_or_default();
        line(&format!("group{}", place + 1), title, values.collect())
    });
    let lines = lines.collect();
    Ok(course(head, unit(measure), (asked.per(), at), lines))
}

/// What the values of a measure are.
pub(crate) const fn unit(measure: Measure) -> ReportUnit {
    titled(measure).2
}

const fn titled(measure: Measure) -> (Measure, &'static str, ReportUnit) {
    let (title, unit) = match measure {
        Measure::Calls => ("Calls", ReportUnit::Count),
        Measure::Counted => ("Counted calls", ReportUnit::Count),
        Measure::Refused => ("Refused", ReportUnit::Count),
        Measure::ClientErrors => ("Client errors", ReportUnit::Count),
        Measure::ServerErrors => ("Server errors", ReportUnit::Count),
        Measure::ErrorRate => ("Failed", ReportUnit::Share),
        Measure::BytesIn => ("Received", ReportUnit::Bytes),
        Measure::BytesOut => ("Sent", ReportUnit::Bytes),
        Measure::LatencyTotalUs => ("Time of all calls", ReportUnit::Microseconds),
        Measure::LatencyMeanUs => ("Mean latency", ReportUnit::Microseconds),
        Measure::LatencyP50Us => ("Half within", ReportUnit::Microseconds),
        Measure::LatencyP90Us => ("90 % within", ReportUnit::Microseconds),
        Measure::LatencyP95Us => ("95 % within", ReportUnit::Microseconds),
        Measure::LatencyP99Us => ("99 % within", ReportUnit::Microseconds),
        Measure::Applications => ("Applications", ReportUnit::Count),
    };
    (measure, title, unit)
}

const fn dimension_title(dimension: Dimension) -> &'static str {
    match dimension {
        Dimension::Api => "API",
        Dimension::Version => "Version",
        Dimension::Operation => "Operation",
        Dimension::Consumer => "Organization",
        Dimension::Application => "Application",
        Dimension::Plan => "Plan",
        Dimension::Target => "Target",
        Dimension::Variant => "Variant",
        Dimension::Status => "Status",
        Dimension::StatusClass => "Class of status",
        Dimension::Code => "Error code",
        Dimension::Side => "Decided by",
    }
}
