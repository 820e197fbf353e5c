//! What is usual: an hour as the weeks before let expect it.
//!
//! Hours of up to four weeks are split into trend, what belongs to the hour of the day and the day of the week, and
//! what remains (MSTL: Bandara, Hyndman, Bergmeir 2021; each part by robust STL: Cleveland et al. 1990, so that the
//! outages of the past do not become usual). The next hour is expected to be the trend and the seasons as they were
//! last; how far off it may be says the spread of what remained (median absolute deviation), and what chance alone
//! makes of few calls.

use std::collections::HashMap;
use std::time::Duration;

use domain::Timestamp;
use domain::alert::{AlertCondition, AnomalySide, Outlook};
use domain::analytics::{AnalyticsQuery, AnalyticsRow, DimensionFilter, Granularity, Measure};
use domain::id::OrganizationId;
use domain::rollup::Resolution;
use domain::time::HOUR_MICROS;
use stlrs::{Mstl, Stl};

use super::judge::{Judged, is_counted, measures, shown, title};
use crate::{Caller, Control, Error};

const HOUR: Duration = Duration::from_hours(1);
const DAY_HOURS: usize = 24;
const WEEK_HOURS: usize = 7 * DAY_HOURS;
/// How far back is looked.
const HOURS_MAX: usize = 4 * WEEK_HOURS;
/// How many hours it takes to say what is usual.
const HOURS_MIN: usize = WEEK_HOURS;
/// Values are spread by this part of them at least.
const SPREAD_MIN: f64 = 0.03;
/// Models that are kept; more are made anew each time.
const MODELS_MAX: usize = 1000;
/// From the median absolute deviation to the standard deviation of a normal distribution.
const MAD_TO_SIGMA: f64 = 1.4826;

/// Models by whom and what they are about; they hold for an hour.
#[derive(Debug, Default)]
pub(super) struct Cache(HashMap<(OrganizationId, String), (Timestamp, Result<Usual, String>)>);

/// What is usual in the hour that has just ended and in the one that has begun.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Usual {
    last: Hour,
    next: Hour,
}

/// What is expected of an hour.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Hour {
    value: f64,
    /// How far values are spread, in their scale.
    sigma: f64,
    calls: f64,
}

/// The minute that has begun and the 59 before it, so that what has just happened is seen at once.
pub(super) fn last_hour(measure: Measure, filters: &[DimensionFilter], now: Timestamp) -> AnalyticsQuery {
    let from = Resolution::Minute.begin(now).before(Duration::from_secs(59 * 60));
    AnalyticsQuery {
        measures: measures(measure),
        dimensions: Vec::new(),
        filters: filters.to_vec(),
        from,
        to: Some(now.after(Duration::from_micros(1))),
        granularity: None,
        time_zone: None,
        compare: false,
        top: None,
    }
}

/// Says whether the last hour is usual.
pub(super) async fn judge(
    control: &Control,
    caller: &Caller,
    condition: &AlertCondition,
    cache: &mut Cache,
) -> Result<Judged, Error> {
    let AlertCondition::Anomaly {
        measure,
        filters,
        side,
        confidence,
        calls_min,
    } = condition
    else {
        unreachable!("the caller has looked")
    };
    let now = control.now();
    let usual = match cache
        .usual(control, caller, (*measure, filters), now.hour())
        .await?
    {
        Ok(usual) => usual,
        Err(why) => return Ok(Judged::undecided(why)),
    };
    let answer = control
        .analytics(caller, &last_hour(*measure, filters, now))
        .await?;
    let row = answer.rows.first();
    let value_of = |measure| {
        row.and_then(|row: &AnalyticsRow| row.values.get(&measure))
            .copied()
    };
    let calls = value_of(Measure::Calls).unwrap_or(0.0);
    let value = match value_of(*measure) {
        Some(value) => value,
        None if is_counted(*measure) => 0.0,
        None => return Ok(Judged::default()),
    };
    let minutes = Resolution::Minute.begin(now).as_micros() - now.hour().as_micros();
    #[expect(clippy::cast_precision_loss, reason = "less than an hour")]
    let part = minutes as f64 / HOUR_MICROS as f64;
    let range = usual.range(*measure, part, *side, *confidence);
    #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 calls")]
    let is_enough = calls.max(range.calls) >= *calls_min as f64;
    let (is_high, is_low) = (value > range.high, value < range.low);
    let limit = if value > range.value {
        range.high
    } else {
        range.low
    };
    let summary = format!(
        "{} of the last hour is {}; {} to {} is usual at this time, {} is expected.",
        title(*measure),
        shown(*measure, value),
        shown(*measure, range.low),
        shown(*measure, range.high.min(f64::MAX)),
        shown(*measure, range.value),
    );
    Ok(Judged {
        found: vec![Outlook {
            labels: [].into(),
            value,
            limit,
            breached: is_enough && (is_high || is_low),
            summary,
        }],
        undecided: None,
    })
}

impl Cache {
    async fn usual(
        &mut self,
        control: &Control,
        caller: &Caller,
        (measure, filters): (Measure, &[DimensionFilter]),
        hour: Timestamp,
    ) -> Result<Result<Usual, String>, Error> {
        let about = serde_json::to_string(&(measure, filters))
            .map_err(|error| Error::internal("writing a question", error))?;
        let key = (caller.organization()?, about);
        if let Some((known, usual)) = self.0.get(&key)
            && *known == hour
        {
            return Ok(usual.clone());
        }
        let query = AnalyticsQuery {
            from: hour.before(HOUR * u32::try_from(HOURS_MAX).unwrap_or(u32::MAX)),
            to: Some(hour),
            granularity: Some(Granularity::Hour),
            ..last_hour(measure, filters, hour)
        };
        let answer = control.analytics(caller, &query).await?;
        let series = Series::of(measure, &answer.rows, hour);
        // It takes some milliseconds in which nobody else should wait.
        let model = tokio::task::spawn_blocking(move || series.usual(measure)).await;
        let usual = model.map_err(|error| Error::internal("computing what is usual", error))?;
        self.0.retain(|_, (known, _)| *known == hour);
        if self.0.len() < MODELS_MAX {
            self.0.insert(key, (hour, usual.clone()));
        }
        Ok(usual)
    }
}

/// Values by the hour without gaps, the newest last.
#[derive(Debug, Clone, PartialEq)]
struct Series {
    values: Vec<f64>,
    calls: Vec<f64>,
}

impl Series {
    /// From the first hour with calls on; an hour without any is nothing of what is counted, and else as the middle
    /// one.
    fn of(measure: Measure, rows: &[AnalyticsRow], end: Timestamp) -> Self {
        let place = |time: Timestamp| {
            let hours = (end.as_micros() - time.as_micros()) / HOUR_MICROS;
            usize::try_from(hours)
                .ok()
                .filter(|hours| (1..=HOURS_MAX).contains(hours))
        };
        let length = rows.iter().filter_map(|row| place(row.time?)).max().unwrap_or(0);
        let (mut values, mut calls) = (vec![None; length], vec![0.0; length]);
        for row in rows {
            let Some(place) = row.time.and_then(place) else {
                continue;
            };
            values[length - place] = row.values.get(&measure).copied();
            calls[length - place] = row.values.get(&Measure::Calls).copied().unwrap_or(0.0);
        }
        let filler = match is_counted(measure) {
            true => 0.0,
            false => median(values.iter().flatten().copied().collect()).unwrap_or(0.0),
        };
        let values = values.into_iter().map(|value| value.unwrap_or(filler)).collect();
        Self { values, calls }
    }

    /// Splits them up and says what comes next; or why that cannot be told.
    fn usual(&self, measure: Measure) -> Result<Usual, String> {
        let length = self.values.len();
        if length < HOURS_MIN {
            return Err(format!(
                "Calls are known of {} days; {} are needed to say what is usual.",
                length / DAY_HOURS,
                HOURS_MIN / DAY_HOURS
            ));
        }
        // A season takes two rounds to be told from chance.
        let periods: &[usize] = match length >= 2 * WEEK_HOURS {
            true => &[DAY_HOURS, WEEK_HOURS],
            false => &[DAY_HOURS],
        };
        let scaled: Vec<f64> = self.values.iter().map(|value| scale(measure, *value)).collect();
        let mut robust = Stl::params();
        robust.robust(true);
        let parts = Mstl::params()
            .stl_params(robust)
            .fit(&scaled, periods)
            .map_err(|error| format!("What is usual cannot be computed: {error}."))?;
        let spread = median(parts.remainder().iter().map(|rest| rest.abs()).collect()).unwrap_or(0.0);
        let trend = parts.trend().last().copied().unwrap_or(0.0);
        let season = |from_end: usize| -> f64 {
            let seasons = parts.seasonal().iter().zip(periods);
            seasons
                .map(|(season, period)| season[length - period + from_end])
                .sum()
        };
        let last: f64 = parts.seasonal().iter().map(|season| season[length - 1]).sum();
        let calls = |place: Option<&f64>| place.copied().unwrap_or(0.0);
        let hour = |value: f64, calls: f64| Hour {
            value: unscale(measure, value),
            sigma: sigma(measure, spread * MAD_TO_SIGMA, calls),
            calls,
        };
        // The calls of a day or a week before say how many there will be.
        let before = length - periods.last().copied().unwrap_or(DAY_HOURS);
        Ok(Usual {
            last: hour(trend + last, calls(self.calls.get(before.saturating_sub(1)))),
            next: hour(trend + season(0), calls(self.calls.get(before))),
        })
    }
}

/// What is usual of sixty minutes.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Range {
    value: f64,
    low: f64,
    high: f64,
    calls: f64,
}

impl Usual {
    /// Of the sixty minutes of which a part is in the hour that has begun.
    fn range(&self, measure: Measure, part: f64, side: AnomalySide, confidence: f64) -> Range {
        let mixed = |last: f64, next: f64| last * (1.0 - part) + next * part;
        let value = mixed(self.last.value, self.next.value);
        let sigma = self.last.sigma.max(self.next.sigma);
        let tail = match side {
            AnomalySide::Both => (1.0 - confidence) / 2.0,
            AnomalySide::High | AnomalySide::Low => 1.0 - confidence,
        };
        let reach = -distrs::Normal::ppf(tail, 0.0, 1.0);
        let middle = scale(measure, value);
        let spread = |to: f64| (unscale(measure, middle + to * sigma) - value).abs();
        // Counts are Poisson at best.
        let chance = match is_of_calls(measure) {
            true => reach * (value + 1.0).sqrt(),
            false => 0.0,
        };
        Range {
            value,
            low: match side {
                AnomalySide::High => 0.0,
                _ => (value - spread(-reach).hypot(chance)).max(0.0),
            },
            high: match side {
                AnomalySide::Low => f64::INFINITY,
                _ => value + spread(reach).hypot(chance),
            },
            calls: mixed(self.last.calls, self.next.calls),
        }
    }
}

/// A scale in which values are spread alike, whether they are small or great.
fn scale(measure: Measure, value: f64) -> f64 {
    match measure {
        Measure::ErrorRate => value.clamp(0.0, 1.0).sqrt().asin(),
        _ => value.max(0.0).ln_1p(),
    }
}

fn unscale(measure: Measure, scaled: f64) -> f64 {
    match measure {
        Measure::ErrorRate => scaled.clamp(0.0, std::f64::consts::FRAC_PI_2).sin().powi(2),
        _ => scaled.max(0.0).exp_m1(),
    }
}

/// How far values are spread in their scale: as they were, and for shares as chance alone would have it (binomial).
fn sigma(measure: Measure, spread: f64, calls: f64) -> f64 {
    match measure {
        Measure::ErrorRate => spread.hypot(0.5 / calls.max(1.0).sqrt()),
        _ => spread.hypot(SPREAD_MIN),
    }
}

/// Whether it is a number of calls, of which few are spread by chance.
const fn is_of_calls(measure: Measure) -> bool {
    is_counted(measure) && !matches!(measure, Measure::BytesIn | Measure::BytesOut)
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    let middle = values.len() / 2;
    let (_, median, _) =
        (middle < values.len()).then(|| values.select_nth_unstable_by(middle, f64::total_cmp))?;
    Some(*median)
}

#[cfg(test)]
mod tests;
