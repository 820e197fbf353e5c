//! How many calls to expect, and when a capacity is reached.
//!
//! Days of calls are split into what belongs to the day of the week and the rest (MSTL; days far from it are outages, which
//! do not go on), and the rest is continued by
//! the exponential smoothing that fits best (`AutoETS`: Hyndman et al. 2002), on a scale on which growth is even. The
//! intervals are those of the smoothing.

use augurs_core::{Fit as _, Predict as _};
use augurs_ets::AutoETS;
use augurs_mstl::MSTLModel;
use domain::Timestamp;
use domain::analytics::{AnalyticsQuery, Granularity, Measure};
use domain::report::{ReportCell, ReportLine, ReportSection, ReportUnit};
use stlrs::{Mstl, MstlParams, Stl};

use super::form::{course, figure, figures, line, percentile, value};
use super::{Asked, spans};
use crate::Error;

/// How far back is looked.
const DAYS_MAX: u32 = 180;
/// How many days it takes to say what comes: two rounds of a week, to tell it from chance.
const DAYS_MIN: usize = 14;
/// How far ahead is looked.
const AHEAD: usize = 30;
/// How sure the bounds are.
const LEVEL: f64 = 0.8;
/// Days that are so many standard deviations from what was to be expected say nothing about what comes,
const FAR: f64 = 4.0;
/// unless they are less than half as much again as expected, or two thirds of it.
const FAR_MIN: f64 = 0.405;
/// From the median absolute deviation to the standard deviation of a normal distribution.
const MAD_TO_SIGMA: f64 = 1.4826;
const WEEK: usize = 7;
const DAY: std::time::Duration = std::time::Duration::from_hours(24);

/// What to expect of the days to come.
#[derive(Debug, Clone, PartialEq)]
struct Expected {
    point: Vec<f64>,
    lower: Vec<f64>,
    upper: Vec<f64>,
}

pub(super) async fn sections(asked: &Asked<'_>) -> Result<Vec<ReportSection>, Error> {
    let (mut at, calls) = days(asked).await?;
    let known = calls.clone();
    // It takes some milliseconds in which nobody else should wait.
    let expected = tokio::task::spawn_blocking(move || expect(&known)).await;
    let expected = expected.map_err(|error| Error::internal("computing a forecast", error))?;
    let expected = match expected {
        Ok(expected) => expected,
        Err(why) => {
            return Ok(vec![
                figures(
                    ("sums", "What to expect", NOT_YET),
                    vec![figure(
                        "days",
                        "Days that are known",
                        ReportUnit::Count,
                        i64::try_from(calls.len()).unwrap_or(i64::MAX),
                    )],
                ),
                super::form::table(("why", "Why there is no forecast", ""), &[], [], &why),
            ]);
        }
    };
    at.extend(days_after(asked, &at, AHEAD)?);
    Ok(vec![
        sums(asked, &calls, &expected, &at[calls.len()..]),
        course(
            (
                "course",
                "Calls",
                "Four of five days are expected to lie between the bounds.",
            ),
            ReportUnit::Count,
            (Granularity::Day, at),
            lines(&calls, &expected, asked.capacity),
        ),
    ])
}

const NOT_YET: &str = "There are too few days with calls to say what comes.";

/// The days after the first with calls up to yesterday, and their calls.
async fn days(asked: &Asked<'_>) -> Result<(Vec<Timestamp>, Vec<f64>), Error> {
    let query = AnalyticsQuery {
        from: asked.now.before(DAY * DAYS_MAX),
        to: Some(asked.now),
        granularity: Some(Granularity::Day),
        ..asked.question(&[Measure::Calls])
    };
    let mut at = spans(&query, asked.now).map_err(super::as_parameter)?;
    // The last day is not over.
    at.pop();
    let answer = asked.ask(query).await?;
    let mut calls = vec![0.0; at.len()];
    for row in &answer.rows {
        let place = row.time.and_then(|time| at.binary_search(&time).ok());
        if let Some(place) = place {
            calls[place] = value(Some(row), Measure::Calls).unwrap_or(0.0);
        }
    }
    let first = calls.iter().position(|calls| *calls > 0.0).unwrap_or(at.len());
    // Of the first, a part is missing.
    let first = (first + 1).min(at.len());
    Ok((at.split_off(first), calls.split_off(first)))
}

/// The days after the last that is known, today first.
fn days_after(asked: &Asked<'_>, at: &[Timestamp], count: usize) -> Result<Vec<Timestamp>, Error> {
    let Some(last) = at.last() else {
        return Ok(Vec::new());
    };
    let wrong = |error| Error::internal("counting days", error);
    let zone = jiff::tz::TimeZone::get(&asked.time_zone).map_err(wrong)?;
    let last = last.to_jiff().to_zoned(zone);
    let mut days = Vec::with_capacity(count);
    for step in 1..=i64::try_from(count).unwrap_or(i64::MAX) {
        let day = last
            .date()
            .checked_add(jiff::Span::new().days(step))
            .map_err(wrong)?;
        let day = day.to_zoned(last.time_zone().clone()).map_err(wrong)?;
        days.push(day.timestamp().into());
    }
    Ok(days)
}

/// Says what to expect of the days after these; or why that cannot be said.
fn expect(calls: &[f64]) -> Result<Expected, String> {
    if calls.len() < DAYS_MIN {
        return Err(format!(
            "Calls are known of {} whole days; {DAYS_MIN} are needed.",
            calls.len()
        ));
    }
    let wrong = |error: &dyn std::fmt::Display| format!("It cannot be computed: {error}.");
    let mut scaled: Vec<f64> = calls.iter().map(|calls| calls.max(0.0).ln_1p()).collect();
    let mut robust = Stl::params();
    robust.robust(true);
    let mut seasons = Mstl::params();
    seasons.stl_params(robust);
    clean(&mut scaled, &seasons).map_err(|error| wrong(&error))?;
    let trend = AutoETS::non_seasonal().into_trend_model();
    let fitted = MSTLModel::new(vec![WEEK], trend)
        .mstl_params(seasons)
        .fit(&scaled)
        .map_err(|error| wrong(&error))?;
    let forecast = fitted.predict(AHEAD, LEVEL).map_err(|error| wrong(&error))?;
    let bounds = forecast
        .intervals
        .ok_or_else(|| wrong(&"there are no intervals"))?;
    let unscaled = |values: Vec<f64>| values.into_iter().map(|value| value.exp_m1().max(0.0)).collect();
    let expected = Expected {
        point: unscaled(forecast.point),
        lower: unscaled(bounds.lower),
        upper: unscaled(bounds.upper),
    };
    let all = [&expected.point, &expected.lower, &expected.upper];
    match all
        .iter()
        .all(|values| values.iter().all(|value| value.is_finite()))
    {
        true => Ok(expected),
        false => Err(wrong(&"the calls change too much from day to day")),
    }
}

/// Puts what was to be expected in the place of days that are far from it: an outage does not go on, and says nothing
/// about how much days differ otherwise.
fn clean(scaled: &mut [f64], seasons: &MstlParams) -> Result<(), stlrs::Error> {
    let parts = seasons.fit(scaled, &[WEEK])?;
    let sizes: Vec<f64> = parts.remainder().iter().map(|rest: &f64| rest.abs()).collect();
    let Some(spread) = percentile(sizes, 0.5) else {
        return Ok(());
    };
    let far = FAR * MAD_TO_SIGMA * spread;
    for (value, rest) in scaled.iter_mut().zip(parts.remainder()) {
        if rest.abs() > far.max(FAR_MIN) {
            *value -= rest;
        }
    }
    Ok(())
}

fn sums(asked: &Asked<'_>, calls: &[f64], expected: &Expected, at: &[Timestamp]) -> ReportSection {
    let last: f64 = calls.iter().rev().take(AHEAD).sum();
    let sum = |values: &[f64]| values.iter().sum::<f64>();
    let mut next = figure(
        "next",
        "Calls of the next 30 days",
        ReportUnit::Count,
        sum(&expected.point),
    );
    next.previous = (calls.len() >= AHEAD).then_some(last);
    let mut all = vec![
        next,
        figure("lower", "At least", ReportUnit::Count, sum(&expected.lower)),
        figure("upper", "At most", ReportUnit::Count, sum(&expected.upper)),
    ];
    if let Some(capacity) = asked.capacity {
        let reached = |values: &[f64]| {
            let place = values.iter().position(|calls| *calls >= capacity);
            ReportCell::from(place.and_then(|place| at.get(place)).copied())
        };
        all.push(figure(
            "reached_at",
            "Capacity reached",
            ReportUnit::Moment,
            reached(&expected.point),
        ));
        all.push(figure(
            "reached_earliest",
            "At the earliest",
            ReportUnit::Moment,
            reached(&expected.upper),
        ));
    }
    figures(
        (
            "sums",
            "What to expect",
            "At least and at most: four of five days are expected to lie between such bounds. Compared with the last 30 days. A \
             capacity without a day is not reached in this time.",
        ),
        all,
    )
}

fn lines(calls: &[f64], expected: &Expected, capacity: Option<f64>) -> Vec<ReportLine> {
    let known = calls.iter().map(|calls| ReportCell::from(*calls));
    let nothing = || std::iter::repeat_with(ReportCell::default);
    let to_come = |name, title, values: &[f64]| {
        let values = values.iter().map(|value| ReportCell::from(*value));
        ReportLine {
            expected: true,
            ..line(name, title, nothing().take(calls.len()).chain(values).collect())
        }
    };
    let mut lines = vec![
        line("calls", "Calls", known.chain(nothing().take(AHEAD)).collect()),
        to_come("expected", "Expected", &expected.point),
        to_come("lower", "At least", &expected.lower),
        to_come("upper", "At most", &expected.upper),
    ];
    if let Some(capacity) = capacity {
        let all = vec![ReportCell::from(capacity); calls.len() + AHEAD];
        lines.push(ReportLine {
            expected: true,
            ..line("capacity", "Capacity", all)
        });
    }
    lines
}

#[cfg(test)]
mod tests;
