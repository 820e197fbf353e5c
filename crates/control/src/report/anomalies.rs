//! Hours in which traffic, errors or latency were far from what is usual ([`crate::usual`]).
//!
//! Other than alerts, which know only what was before, a report looks at each hour among those around it: also at those
//! after it, as far as they are known.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::Timestamp;
use domain::analytics::{AnalyticsQuery, AnalyticsRow, Dimension, DimensionFilter, Granularity, Measure};
use domain::report::{ReportCell, ReportSection, ReportUnit};
use domain::rollup::Resolution;
use domain::time::HOUR_MICROS;

use super::Asked;
use super::form::{figure, figures, table};
use crate::Error;
use crate::analytics::HOURS_KEPT;
use crate::usual::{HOURS_MAX, Range, Series};

/// How sure it must be that an hour is not usual: of the hours of 14 months, one is so by chance.
const CONFIDENCE: f64 = 0.9999;
/// Below as many calls in an hour, nothing is said about it.
const CALLS_MIN: f64 = 20.0;
/// APIs that are looked at one by one, those with most calls.
const APIS_MAX: usize = 10;

const MEASURES: [(Measure, &str, &str, ReportUnit, &str); 3] = [
    (
        Measure::Calls,
        "traffic",
        "Traffic",
        ReportUnit::Count,
        "Calls of the hour that was farthest from what is usual.",
    ),
    (
        Measure::ErrorRate,
        "errors",
        "Errors",
        ReportUnit::Share,
        "The part of the calls of the worst hour that failed with a status from 500 on.",
    ),
    (
        Measure::LatencyP95Us,
        "latency",
        "Latency",
        ReportUnit::Microseconds,
        "What 95 % of the calls of the worst hour did not exceed.",
    ),
];

/// Hours on end that were not usual, all on the same side.
#[derive(Debug, Clone, PartialEq)]
struct Spell {
    /// When the first begins.
    since: Timestamp,
    hours: i64,
    is_high: bool,
    /// Of the hour that was farthest off.
    value: f64,
    usual: Range,
}

impl Spell {
    fn cells(&self, api: ReportCell) -> Vec<ReportCell> {
        vec![
            api,
            if self.is_high { "More" } else { "Less" }.into(),
            self.since.into(),
            self.hours.into(),
            self.value.into(),
            self.usual.value.into(),
            self.usual.low.into(),
            self.usual.high.into(),
        ]
    }
}

pub(super) async fn sections(asked: &Asked<'_>) -> Result<Vec<ReportSection>, Error> {
    let apis = asked.groups(Dimension::Api, &[Measure::Calls]).await?;
    let ids = apis
        .rows
        .iter()
        .filter_map(|row| row.dimensions.get(&Dimension::Api));
    // What concerns one API only is told of that one.
    let ids: Vec<_> = ids.take(APIS_MAX).cloned().collect();
    let all = (ids.len() != 1).then_some(None);
    let mut places: Vec<Option<&String>> = all.into_iter().collect();
    places.extend(ids.iter().map(Some));
    let mut found: BTreeMap<&str, Vec<(Option<&String>, Spell)>> = BTreeMap::new();
    let mut nothing = None;
    for place in places {
        match spells(asked, place).await? {
            Ok(spells) => {
                nothing = Some("All hours were usual.".to_owned());
                for (name, spell) in spells {
                    found.entry(name).or_default().push((place, spell));
                }
            }
            Err(why) => nothing = nothing.or(Some(why)),
        }
    }
    let nothing = nothing.unwrap_or_default();
    let counts = MEASURES.map(|(_, name, title, ..)| {
        let count = found.get(name).map_or(0, Vec::len);
        figure(
            name,
            title,
            ReportUnit::Count,
            i64::try_from(count).unwrap_or(i64::MAX),
        )
    });
    let mut sections = vec![figures(
        (
            "sums",
            "Times that were not usual",
            "An hour is compared with the same hour of other days and weeks, and with what was around it.",
        ),
        counts.into(),
    )];
    for (_, name, title, unit, text) in MEASURES {
        let mut rows = found.remove(name).unwrap_or_default();
        rows.sort_by_key(|(_, spell)| std::cmp::Reverse(spell.since));
        let rows = rows.into_iter().map(|(api, spell)| {
            let api = api.map(|id| ReportCell::named(id, apis.names.get(id).map(String::as_str)));
            spell.cells(api.unwrap_or_else(|| "All".into()))
        });
        sections.push(table(
            (name, title, text),
            &[
                ("api", "API", ReportUnit::Text),
                ("direction", "Than usual", ReportUnit::Text),
                ("since", "Since", ReportUnit::Moment),
                ("hours", "Hours", ReportUnit::Count),
                ("value", "Was", unit),
                ("usual", "Usual", unit),
                ("low", "At least", unit),
                ("high", "At most", unit),
            ],
            rows,
            &nothing,
        ));
    }
    Ok(sections)
}

/// What was not usual of all calls, or those of an API, with the names of the measures; or why that cannot be told.
async fn spells(
    asked: &Asked<'_>,
    api: Option<&String>,
) -> Result<Result<Vec<(&'static str, Spell)>, String>, Error> {
    let measures = MEASURES.map(|(measure, ..)| measure);
    // The hour that has not ended is no whole one.
    let end = asked.period.to.min(Resolution::Hour.begin(asked.now));
    let first = asked.period.from;
    let earlier = first.before(Duration::from_hours(HOURS_MAX as u64));
    let kept = Resolution::Hour.end(asked.now.before(HOURS_KEPT));
    let begin = earlier.max(kept).min(first);
    if end <= begin {
        return Ok(Ok(Vec::new()));
    }
    let mut query = AnalyticsQuery {
        from: begin,
        to: Some(end),
        granularity: Some(Granularity::Hour),
        time_zone: None,
        ..asked.question(&measures)
    };
    query.filters.extend(api.map(|id| DimensionFilter {
        dimension: Dimension::Api,
        values: vec![id.clone()],
        exclude: false,
    }));
    let answer = asked.ask(query).await?;
    // It takes some milliseconds in which nobody else should wait.
    let work = tokio::task::spawn_blocking(move || {
        let mut found = Vec::new();
        for (measure, name, ..) in MEASURES {
            let spells = of_measure(measure, &answer.rows, (begin, first, end))?;
            found.extend(spells.into_iter().map(|spell| (name, spell)));
        }
        Ok(found)
    });
    work.await
        .map_err(|error| Error::internal("looking for what is not usual", error))
}

/// The hours from `first` on, of those between `begin` and `end`, that were not usual.
fn of_measure(
    measure: Measure,
    rows: &[AnalyticsRow],
    (begin, first, end): (Timestamp, Timestamp, Timestamp),
) -> Result<Vec<Spell>, String> {
    let hours = |from: Timestamp, to: Timestamp| {
        let hours = (to.as_micros() - from.as_micros()) / HOUR_MICROS;
        usize::try_from(hours).unwrap_or(0)
    };
    let series = Series::of(measure, rows, (hours(begin, end), end));
    let ranges = series.ranges(measure, CONFIDENCE)?;
    let left_out = series.len().saturating_sub(hours(first, end));
    let mut spells: Vec<(usize, Spell)> = Vec::new();
    for (place, (hour, range)) in series.hours().zip(ranges).enumerate().skip(left_out) {
        let (value, calls) = hour;
        let (is_high, is_low) = (value > range.high, value < range.low);
        // What no calls were expected to have was of nobody.
        let expected_calls = if measure == Measure::Calls {
            range.value
        } else {
            0.0
        };
        if !(is_high || is_low) || calls.max(expected_calls) < CALLS_MIN {
            continue;
        }
        match spells.last_mut() {
            Some((last, spell)) if *last + 1 == place && spell.is_high == is_high => {
                *last = place;
                spell.hours += 1;
                if (value - range.value).abs() > (spell.value - spell.usual.value).abs() {
                    (spell.value, spell.usual) = (value, range);
                }
            }
            _ => {
                let ago = i64::try_from(series.len() - place).unwrap_or(0);
                let since = Timestamp::from_micros(end.as_micros() - ago * HOUR_MICROS);
                let spell = Spell {
                    since,
                    hours: 1,
                    is_high,
                    value,
                    usual: range,
                };
                spells.push((place, spell));
            }
        }
    }
    Ok(spells.into_iter().map(|(_, spell)| spell).collect())
}
