//! `gateline analytics`: measures of calls.

use clap::Args;
use client::types::{
    AnalyticsAnswer, AnalyticsQuery, AnalyticsRow, Dimension, DimensionFilter, Granularity, Measure, Top,
};
use jiff::{Span, Timestamp};

use crate::output::{Output, table};
use crate::session::Connection;
use crate::{Error, Exit};

/// What is asked.
#[derive(Debug, Args)]
pub struct Arguments {
    /// What is measured; several with commas: `calls`, `refused`, `server_errors`, `error_rate`, `latency_p95_us`, …
    #[arg(
        long = "measure",
        default_value = "calls,refused,server_errors,latency_p50_us,latency_p95_us,latency_p99_us",
        value_name = "WORDS"
    )]
    measures: String,
    /// What gets a row of its own; several with commas: `api`, `operation`, `application`, `status`, `code`, `side`, …
    #[arg(long, default_value = "operation", value_name = "WORDS")]
    by: String,
    /// Only calls to this API, by name or id.
    #[arg(long)]
    api: Option<String>,
    /// Only calls of this application, by name or id.
    #[arg(long)]
    application: Option<String>,
    /// The time until now: `30m`, `24h`, `7d`.
    #[arg(long, default_value = "24h", value_name = "SPAN", conflicts_with = "from")]
    last: Span,
    /// From this moment (RFC 3339).
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Up to this moment (RFC 3339).
    #[arg(long, value_name = "TIME", requires = "from")]
    to: Option<String>,
    /// A row for each `minute`, `hour`, `day`, `week` or `month`.
    #[arg(long, value_name = "WORD")]
    per: Option<String>,
    /// The time zone of days, weeks and months, as `Europe/Berlin`; UTC if absent.
    #[arg(long, value_name = "NAME")]
    time_zone: Option<String>,
    /// Only so many groups, those with most of the first measure; the others together.
    #[arg(long, value_name = "NUMBER")]
    top: Option<u32>,
    /// Show the change since the time just before, as long as this one.
    #[arg(long)]
    compare: bool,
    /// Say what was read to answer: which sums, or the calls themselves.
    #[arg(long)]
    explain: bool,
}

pub(crate) async fn run(
    connection: &Connection,
    arguments: &Arguments,
    output: &Output,
) -> Result<Exit, Error> {
    let answer = connection.client.query_analytics(&query(arguments)?).await?;
    output.answer(&answer, |answer| people(answer, arguments));
    Ok(Exit::Done)
}

fn query(arguments: &Arguments) -> Result<AnalyticsQuery, Error> {
    let measures: Vec<_> = words(&arguments.measures).map(Measure::from).collect();
    let only = |dimension, value: &Option<String>| {
        value.as_ref().map(|value| DimensionFilter {
            dimension,
            values: vec![value.clone()],
            exclude: None,
        })
    };
    let filters = [
        only(Dimension::Api, &arguments.api),
        only(Dimension::Application, &arguments.application),
    ];
    let from = match &arguments.from {
        Some(from) => from.clone(),
        None => began(arguments.last)?,
    };
    let top = arguments.top.zip(measures.first().cloned());
    Ok(AnalyticsQuery {
        dimensions: Some(words(&arguments.by).map(Dimension::from).collect()),
        filters: Some(filters.into_iter().flatten().collect()),
        to: arguments.to.clone(),
        granularity: arguments.per.as_deref().map(Granularity::from),
        time_zone: arguments.time_zone.clone(),
        compare: Some(arguments.compare),
        top: top.map(|(count, by)| Top {
            count: u64::from(count),
            by,
        }),
        ..AnalyticsQuery::new(measures, from)
    })
}

/// When a time until now began; a day has 24 hours.
pub(crate) fn began(last: Span) -> Result<String, Error> {
    let refused = |_| Error::Argument {
        reason: "`--last` is not a time that can be gone back: use one as `30m`, `24h` or `7d`".to_owned(),
    };
    let length = last
        .to_duration(jiff::SpanRelativeTo::days_are_24_hours())
        .map_err(refused)?;
    let from = Timestamp::now().checked_sub(length).map_err(refused)?;
    Ok(from.to_string())
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|word| !word.is_empty())
}

fn people(answer: &AnalyticsAnswer, arguments: &Arguments) -> String {
    let mut text = rows(answer, arguments);
    if arguments.explain {
        text.push_str("\nread to answer:\n");
        let rows = answer.sources.iter().map(|source| {
            let grains = [&source.provided, &source.consumed];
            let grains: Vec<_> = grains.into_iter().flatten().map(ToString::to_string).collect();
            vec![
                source.kind.to_string(),
                source
                    .resolution
                    .as_ref()
                    .map_or_else(|| "-".to_owned(), ToString::to_string),
                if grains.is_empty() {
                    "-".to_owned()
                } else {
                    grains.join(", ")
                },
                source.period.from.clone(),
                source.period.to.clone(),
            ]
        });
        text.push_str(&table(&["source", "by", "grains", "from", "to"], rows));
    }
    text
}

fn rows(answer: &AnalyticsAnswer, arguments: &Arguments) -> String {
    if answer.rows.is_empty() {
        return "no calls in this time\n".to_owned();
    }
    let has_time = arguments.per.is_some();
    let mut titles: Vec<String> = Vec::new();
    titles.extend(has_time.then(|| "time".to_owned()));
    titles.extend(words(&arguments.by).map(str::to_owned));
    for measure in words(&arguments.measures) {
        titles.push(measure.strip_suffix("_us").unwrap_or(measure).replace('_', " "));
        titles.extend(arguments.compare.then(|| "change".to_owned()));
    }
    let rows = answer.rows.iter().map(|row| {
        let mut cells: Vec<String> = Vec::new();
        cells.extend(has_time.then(|| row.time.clone().unwrap_or_default()));
        cells.extend(words(&arguments.by).map(|dimension| named(answer, row, dimension)));
        for measure in words(&arguments.measures) {
            let now = row.values.get(measure).copied();
            cells.push(written(measure, now));
            if arguments.compare {
                let before = row.previous.as_ref().and_then(|previous| previous.get(measure));
                cells.push(changed(now, before.copied()));
            }
        }
        cells
    });
    let titles: Vec<_> = titles.iter().map(String::as_str).collect();
    table(&titles, rows)
}

fn named(answer: &AnalyticsAnswer, row: &AnalyticsRow, dimension: &str) -> String {
    if row.others.unwrap_or_default() {
        return "(others)".to_owned();
    }
    match row.dimensions.get(dimension).map(String::as_str) {
        None | Some("") => "-".to_owned(),
        Some(value) => answer.names.get(value).map_or(value, String::as_str).to_owned(),
    }
}

fn written(measure: &str, value: Option<f64>) -> String {
    match value {
        None => "-".to_owned(),
        Some(value) if measure.ends_with("_us") => format!("{:.1} ms", value / 1000.0),
        Some(value) if measure.ends_with("_rate") => format!("{:.2} %", value * 100.0),
        Some(value) => format!("{value:.0}"),
    }
}

fn changed(now: Option<f64>, before: Option<f64>) -> String {
    match (now, before) {
        (Some(now), Some(before)) if before > 0.0 => format!("{:+.1} %", (now - before) / before * 100.0),
        _ => "-".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{changed, written};

    #[test]
    fn values_are_written_with_their_units() {
        let table = [
            ("calls", Some(12_345.0), "12345"),
            ("latency_p95_us", Some(1250.0), "1.2 ms"),
            ("error_rate", Some(0.0125), "1.25 %"),
            ("latency_p95_us", None, "-"),
        ];
        for (measure, value, text) in table {
            assert_eq!(written(measure, value), text);
        }
        assert_eq!(changed(Some(3.0), Some(2.0)), "+50.0 %");
        assert_eq!(changed(Some(1.0), Some(2.0)), "-50.0 %");
        assert_eq!(
            (changed(Some(1.0), Some(0.0)), changed(None, Some(1.0))),
            ("-".into(), "-".into())
        );
    }
}
