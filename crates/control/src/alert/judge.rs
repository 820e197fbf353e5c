//! What is so now, by what was counted.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use domain::Timestamp;
use domain::alert::{AlertCondition, BurnWindow, Outlook, Preview};
use domain::analytics::{
    AnalyticsAnswer, AnalyticsQuery, AnalyticsRow, Dimension, DimensionFilter, Measure, Top,
};
use domain::id::OrganizationId;
use domain::limit::Period;
use domain::rollup::Resolution;

use super::{FOUND_MAX, anomaly};
use crate::resource::fault::Faults;
use crate::{Caller, Control, Error, quota};

const MINUTE: Duration = Duration::from_secs(60);
/// The most subscriptions whose quotas a rule looks at.
const QUOTAS_MAX: usize = 10_000;
/// The most dimensions that a threshold tells apart.
const DIMENSIONS_MAX: usize = 2;
/// Spans of minutes from here on are asked for by the hour.
const MINUTES_SPAN: u32 = 48 * 60;

/// What was found.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Judged {
    /// For each group; those that are so first.
    pub(crate) found: Vec<Outlook>,
    /// Why it cannot be judged.
    pub(crate) undecided: Option<String>,
}

impl Judged {
    fn of(mut found: Vec<Outlook>) -> Self {
        found.sort_by_key(|outlook| !outlook.breached);
        Self {
            found,
            undecided: None,
        }
    }

    pub(super) fn undecided(why: String) -> Self {
        Self {
            found: Vec::new(),
            undecided: Some(why),
        }
    }

    /// As it is told.
    pub(super) fn preview(mut self) -> Preview {
        self.found.truncate(FOUND_MAX);
        Preview {
            found: self.found,
            undecided: self.undecided,
        }
    }
}

/// Checks whether a condition can be judged; `at` is where it stands in the body.
///
/// # Errors
/// `request_invalid` with all that is wrong.
pub(crate) fn check(condition: &AlertCondition, at: &str, now: Timestamp) -> Result<(), Error> {
    let mut faults = Faults::default();
    match condition {
        AlertCondition::Threshold {
            by,
            window_minutes,
            over,
            under,
            ..
        } => {
            faults.range(&format!("{at}/window_minutes"), *window_minutes, 1, 1440);
            faults.count(&format!("{at}/by"), by.len(), 0, DIMENSIONS_MAX);
            if over.is_none() && under.is_none() {
                let detail = "It says neither `over` nor `under`.";
                faults.add(
                    at,
                    "field_missing",
                    detail,
                    "Say which number must not be passed.",
                );
            }
            for (name, number) in [("over", over), ("under", under)] {
                if number.is_some_and(|number| !number.is_finite() || number < 0.0) {
                    let detail = "It is less than nothing, or no number.";
                    faults.add(
                        &format!("{at}/{name}"),
                        "out_of_range",
                        detail,
                        "Use a number from 0 on.",
                    );
                }
            }
        }
        AlertCondition::BurnRate {
            objective, windows, ..
        } => {
            faults.range(&format!("{at}/objective"), *objective, 0.5, 0.99999);
            faults.count(&format!("{at}/windows"), windows.len(), 1, 6);
            for (place, window) in windows.iter().enumerate() {
                check_window(&mut faults, &format!("{at}/windows/{place}"), *window);
            }
        }
        AlertCondition::Anomaly {
            measure, confidence, ..
        } => {
            faults.range(&format!("{at}/confidence"), *confidence, 0.9, 0.9999);
            if *measure == Measure::Applications {
                let detail = "Different applications cannot be expected by the hour.";
                faults.add(
                    &format!("{at}/measure"),
                    "invalid_value",
                    detail,
                    "Use another measure.",
                );
            }
        }
        AlertCondition::Quota { percent, .. } => faults.range(&format!("{at}/percent"), *percent, 1, 1000),
    }
    faults.finish()?;
    if let Some(query) = first_query(condition, now) {
        crate::analytics::check(&query, now, false).map_err(|error| below(error, at))?;
    }
    Ok(())
}

fn check_window(faults: &mut Faults, at: &str, window: BurnWindow) {
    faults.range(&format!("{at}/long_minutes"), window.long_minutes, 5, 43_200);
    faults.range(
        &format!("{at}/short_minutes"),
        window.short_minutes,
        1,
        window.long_minutes.clamp(1, MINUTES_SPAN),
    );
    if window.long_minutes > MINUTES_SPAN && !window.long_minutes.is_multiple_of(60) {
        let detail = "Beyond 48 hours only whole hours are told apart.";
        faults.add(
            &format!("{at}/long_minutes"),
            "invalid_value",
            detail,
            "Use a multiple of 60.",
        );
    }
    if !(window.rate.is_finite() && window.rate > 0.0 && window.rate <= 1000.0) {
        let detail = "It is not more than 0 and at most 1000.";
        faults.add(
            &format!("{at}/rate"),
            "out_of_range",
            detail,
            "Use 14.4 for an hour, as is usual.",
        );
    }
}

/// The same refusal with its fields below another place.
fn below(error: Error, at: &str) -> Error {
    match error {
        Error::Refused {
            code,
            detail,
            mut errors,
            retry_after,
        } => {
            for error in &mut errors {
                error.pointer = format!("{at}{}", error.pointer);
            }
            Error::Refused {
                code,
                detail,
                errors,
                retry_after,
            }
        }
        error => error,
    }
}

/// A question that a condition asks, by which its measures and filters are checked.
fn first_query(condition: &AlertCondition, now: Timestamp) -> Option<AnalyticsQuery> {
    match condition {
        AlertCondition::Threshold {
            measure,
            filters,
            by,
            window_minutes,
            ..
        } => Some(threshold_query(*measure, filters, by, *window_minutes, now)),
        AlertCondition::BurnRate { filters, .. } => Some(burn_query(filters, 5, now)),
        AlertCondition::Anomaly { measure, filters, .. } => Some(anomaly::last_hour(*measure, filters, now)),
        AlertCondition::Quota { .. } => None,
    }
}

/// Asks what is so now in an organization.
pub(super) async fn judge(
    control: &Control,
    organization: OrganizationId,
    condition: &AlertCondition,
    cache: &mut anomaly::Cache,
) -> Result<Judged, Error> {
    let caller = Caller::system(Some(organization));
    match condition {
        AlertCondition::Threshold { .. } => threshold(control, &caller, condition).await,
        AlertCondition::BurnRate {
            objective,
            filters,
            windows,
        } => burn_rate(control, &caller, (*objective, filters), windows).await,
        AlertCondition::Anomaly { .. } => anomaly::judge(control, &caller, condition, cache).await,
        AlertCondition::Quota { percent, own } => quota(control, organization, *percent, *own).await,
    }
}

/// The measures of a question: what is watched, and how many calls it is about.
pub(super) fn measures(measure: Measure) -> Vec<Measure> {
    let mut measures = vec![measure];
    if measure != Measure::Calls {
        measures.push(Measure::Calls);
    }
    measures
}

/// The whole minutes of a span and the one that has begun, so that what has just happened is seen at once.
pub(super) fn minutes_ago(now: Timestamp, minutes: u32) -> Timestamp {
    Resolution::Minute.begin(now).before(MINUTE * minutes)
}

fn threshold_query(
    measure: Measure,
    filters: &[DimensionFilter],
    by: &[Dimension],
    minutes: u32,
    now: Timestamp,
) -> AnalyticsQuery {
    AnalyticsQuery {
        measures: measures(measure),
        dimensions: by.to_vec(),
        filters: filters.to_vec(),
        from: minutes_ago(now, minutes),
        to: Some(now.after(Duration::from_micros(1))),
        granularity: None,
        time_zone: None,
        compare: false,
        top: (!by.is_empty()).then_some(Top {
            count: u32::try_from(FOUND_MAX).unwrap_or(u32::MAX),
            by: measure,
        }),
    }
}

async fn threshold(control: &Control, caller: &Caller, condition: &AlertCondition) -> Result<Judged, Error> {
    let AlertCondition::Threshold {
        measure,
        filters,
        by,
        window_minutes,
        over,
        under,
        calls_min,
    } = condition
    else {
        unreachable!("the caller has looked")
    };
    let query = threshold_query(*measure, filters, by, *window_minutes, control.now());
    let answer = control.analytics(caller, &query).await?;
    let nothing = AnalyticsRow {
        time: None,
        dimensions: BTreeMap::new(),
        others: false,
        values: BTreeMap::new(),
        previous: None,
    };
    let rows = match answer.rows.as_slice() {
        // Without calls there is no row, and that is nothing of what is counted.
        [] if by.is_empty() => std::slice::from_ref(&nothing),
        rows => rows,
    };
    let span = minutes_in_words(*window_minutes);
    let found = rows.iter().filter(|row| !row.others).filter_map(|row| {
        let value = match row.values.get(measure) {
            Some(value) => *value,
            None if measure.is_counted() => 0.0,
            None => return None,
        };
        let calls = row.values.get(&Measure::Calls).copied().unwrap_or(0.0);
        let (is_over, is_under) = (
            over.filter(|over| value > *over),
            under.filter(|under| value < *under),
        );
        let limit = is_over.or(is_under);
        #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 calls")]
        let breached = limit.is_some() && calls >= *calls_min as f64;
        let limit = limit.or(*over).or(*under).unwrap_or(0.0);
        let side = if value > limit { "over" } else { "under" };
        let side = match breached {
            true => format!("{side} {}", shown(*measure, limit)),
            false => format!("the limit is {}", shown(*measure, limit)),
        };
        let summary = format!(
            "{} of the last {span}{} is {}, {side}.",
            title(*measure),
            of_whom(row, &answer),
            shown(*measure, value),
        );
        Some(Outlook {
            labels: labels(row),
            value,
            limit,
            breached,
            summary,
        })
    });
    Ok(Judged::of(found.collect()))
}

fn burn_query(filters: &[DimensionFilter], minutes: u32, now: Timestamp) -> AnalyticsQuery {
    AnalyticsQuery {
        measures: vec![Measure::ErrorRate],
        dimensions: Vec::new(),
        filters: filters.to_vec(),
        from: minutes_ago(now, minutes),
        to: Some(now.after(Duration::from_micros(1))),
        granularity: None,
        time_zone: None,
        compare: false,
        top: None,
    }
}

async fn burn_rate(
    control: &Control,
    caller: &Caller,
    (objective, filters): (f64, &[DimensionFilter]),
    windows: &[BurnWindow],
) -> Result<Judged, Error> {
    let mut rates: HashMap<u32, f64> = HashMap::new();
    for minutes in windows
        .iter()
        .flat_map(|window| [window.long_minutes, window.short_minutes])
    {
        if let Entry::Vacant(place) = rates.entry(minutes) {
            let query = burn_query(filters, minutes, control.now());
            let answer = control.analytics(caller, &query).await?;
            let rate = answer
                .rows
                .first()
                .and_then(|row| row.values.get(&Measure::ErrorRate));
            place.insert(rate.copied().unwrap_or(0.0) / (1.0 - objective));
        }
    }
    // Of those that are too fast, the first; else the one that is nearest to it.
    let judged = windows.iter().map(|window| {
        let rate = rates[&window.long_minutes].min(rates[&window.short_minutes]);
        (window, rate)
    });
    let is_too_fast = |(window, rate): &(&BurnWindow, f64)| *rate > window.rate;
    let nearest = judged
        .clone()
        .find(is_too_fast)
        .or_else(|| judged.max_by(|(a, one), (b, other)| (one / a.rate).total_cmp(&(other / b.rate))));
    let Some((window, rate)) = nearest else {
        return Ok(Judged::default());
    };
    let breached = rate > window.rate;
    let summary = format!(
        "The error budget of {} is spent {rate:.1} times as fast as planned in the last {} and the last {}{}.",
        percent(objective),
        minutes_in_words(window.long_minutes),
        minutes_in_words(window.short_minutes),
        if breached {
            format!(", more than {:.1} times", window.rate)
        } else {
            format!("; {:.1} times are too fast", window.rate)
        },
    );
    Ok(Judged::of(vec![Outlook {
        labels: BTreeMap::new(),
        value: rate,
        limit: window.rate,
        breached,
        summary,
    }]))
}

async fn quota(
    control: &Control,
    organization: OrganizationId,
    percent_max: u32,
    own: bool,
) -> Result<Judged, Error> {
    let mut store = control.store();
    let quotas = store::quota::quotas(&mut store, organization, own, QUOTAS_MAX).await?;
    let mut counted: HashMap<Period, HashMap<_, _>> = HashMap::new();
    let mut found = Vec::with_capacity(quotas.len());
    for it in &quotas {
        let period = it.quota.period;
        if let Entry::Vacant(place) = counted.entry(period) {
            let from = quota::begin(period, control.now());
            place.insert(store::quota::counted_since(&mut store, organization, own, from).await?);
        }
        let used = counted[&period].get(&it.subscription).copied().unwrap_or(0);
        #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 calls")]
        let value = used as f64 / it.quota.requests as f64 * 100.0;
        let limit = f64::from(percent_max);
        let name = match period {
            Period::Hour => "hour",
            Period::Day => "day",
            Period::Month => "month",
        };
        found.push(Outlook {
            labels: [
                ("subscription".to_owned(), it.subscription.to_string()),
                ("plan".to_owned(), it.plan.to_string()),
            ]
            .into(),
            value,
            limit,
            breached: value >= limit,
            summary: format!(
                "{} has used {value:.0} % of its quota under the plan {}: {used} of {} calls in this {name}.",
                it.application_title, it.plan_name, it.quota.requests
            ),
        });
    }
    found.sort_by(|one, other| other.value.total_cmp(&one.value));
    Ok(Judged::of(found))
}

fn labels(row: &AnalyticsRow) -> BTreeMap<String, String> {
    let name = |dimension: Dimension| {
        let written = serde_json::to_value(dimension).ok();
        written
            .and_then(|name| name.as_str().map(str::to_owned))
            .unwrap_or_default()
    };
    row.dimensions
        .iter()
        .map(|(dimension, value)| (name(*dimension), value.clone()))
        .collect()
}

/// ` of Shop, 404`: the group in words.
fn of_whom(row: &AnalyticsRow, answer: &AnalyticsAnswer) -> String {
    if row.dimensions.is_empty() {
        return String::new();
    }
    let named = |value: &String| match answer.names.get(value) {
        _ if value.is_empty() => "(none)".to_owned(),
        Some(name) => name.clone(),
        None => value.clone(),
    };
    let names: Vec<_> = row.dimensions.values().map(named).collect();
    format!(" of {}", names.join(", "))
}

pub(super) const fn title(measure: Measure) -> &'static str {
    match measure {
        Measure::Calls => "The number of calls",
        Measure::Counted => "The number of counted calls",
        Measure::Refused => "The number of refused calls",
        Measure::ClientErrors => "The number of client errors",
        Measure::ServerErrors => "The number of server errors",
        Measure::ErrorRate => "The error rate",
        Measure::BytesIn => "The size of requests",
        Measure::BytesOut => "The size of answers",
        Measure::LatencyTotalUs => "The time of all calls together",
        Measure::LatencyMeanUs => "The mean latency",
        Measure::LatencyP50Us => "The median latency",
        Measure::LatencyP90Us => "The 90th percentile of the latency",
        Measure::LatencyP95Us => "The 95th percentile of the latency",
        Measure::LatencyP99Us => "The 99th percentile of the latency",
        Measure::Applications => "The number of applications",
    }
}

/// A value in words, with its unit.
pub(super) fn shown(measure: Measure, value: f64) -> String {
    match measure {
        Measure::ErrorRate => percent(value),
        Measure::BytesIn | Measure::BytesOut => format!("{:.1} MB", value / 1e6),
        Measure::LatencyTotalUs => format!("{:.1} s", value / 1e6),
        _ if measure.is_counted() => format!("{value:.0}"),
        _ => format!("{:.1} ms", value / 1000.0),
    }
}

/// With as many digits as it takes to tell it from the next.
fn percent(share: f64) -> String {
    let text = format!("{:.3}", share * 100.0);
    format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
}

fn minutes_in_words(minutes: u32) -> String {
    match minutes {
        1 => "minute".to_owned(),
        60 => "hour".to_owned(),
        1440 => "day".to_owned(),
        minutes if minutes % 1440 == 0 => format!("{} days", minutes / 1440),
        minutes if minutes % 60 == 0 => format!("{} hours", minutes / 60),
        minutes => format!("{minutes} minutes"),
    }
}
