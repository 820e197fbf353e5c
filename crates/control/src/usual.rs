//! What is usual: an hour as the weeks before, or around it, let expect it.
//!
//! Hours are split into their level (the median of the week around), what belongs to the hour of the day (the median of
//! all days) and of the week (the median of what is left of all weeks, also an hour before and after), and what
//! remains. An hour is expected to have the level and what belongs to its place; how far off it may be says the spread
//! of what remains (median absolute deviation), and what chance alone makes of few calls.
//!
//! Nothing but medians, because weeks are few: an outage in one of three takes half of their mean with it, and robust STL
//! (Cleveland et al. 1990) gives no weight to any of the three then, so that it took the two whole weeks for unusual.

use domain::Timestamp;
use domain::alert::AnomalySide;
use domain::analytics::{AnalyticsRow, Measure};
use domain::time::HOUR_MICROS;

const DAY_HOURS: usize = 24;
const WEEK_HOURS: usize = 7 * DAY_HOURS;
/// How far back is looked to say what comes.
pub(crate) const HOURS_MAX: usize = 4 * WEEK_HOURS;
/// How many hours it takes to say what is usual.
const HOURS_MIN: usize = WEEK_HOURS;
/// Values are spread by this part of them at least.
const SPREAD_MIN: f64 = 0.03;
/// From the median absolute deviation to the standard deviation of a normal distribution.
const MAD_TO_SIGMA: f64 = 1.4826;

/// What is usual in the hour that has just ended and in the one that has begun.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Usual {
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

/// Values by the hour without gaps, the newest last.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Series {
    values: Vec<f64>,
    calls: Vec<f64>,
}

impl Series {
    /// Those of so many hours before a moment, from the first with calls on; an hour without any is nothing of what is
    /// counted, and else as the middle one.
    pub(crate) fn of(measure: Measure, rows: &[AnalyticsRow], (hours_max, end): (usize, Timestamp)) -> Self {
        let place = |time: Timestamp| {
            let hours = (end.as_micros() - time.as_micros()) / HOUR_MICROS;
            usize::try_from(hours)
                .ok()
                .filter(|hours| (1..=hours_max).contains(hours))
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
        let filler = match measure.is_counted() {
            true => 0.0,
            false => middle(values.iter().flatten().copied()),
        };
        let values = values.into_iter().map(|value| value.unwrap_or(filler)).collect();
        Self { values, calls }
    }

    /// How many hours they are.
    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    /// Each hour's value and calls.
    pub(crate) fn hours(&self) -> impl Iterator<Item = (f64, f64)> {
        self.values.iter().copied().zip(self.calls.iter().copied())
    }

    /// Splits them up and says what comes next; or why that cannot be told.
    pub(crate) fn usual(&self, measure: Measure) -> Result<Usual, String> {
        let length = self.len();
        let parts = self.split(measure)?;
        let level = parts.levels.last().copied().unwrap_or(0.0);
        // The calls of a day or a week before say how many there will be.
        let before = length - parts.season.len();
        let calls = |place: usize| self.calls.get(place).copied().unwrap_or(0.0);
        let hour = |place: usize, calls| Hour::of(measure, level + parts.season(place), parts.spread, calls);
        Ok(Usual {
            last: hour(length - 1, calls(before.saturating_sub(1))),
            next: hour(length, calls(before)),
        })
    }

    /// What was usual in each of them, with as much confidence, as the others let expect it; or why that cannot be told.
    pub(crate) fn ranges(&self, measure: Measure, confidence: f64) -> Result<Vec<Range>, String> {
        let parts = self.split(measure)?;
        let hours = parts.levels.iter().zip(&self.calls).enumerate();
        let ranges = hours.map(|(place, (level, calls))| {
            let hour = Hour::of(measure, level + parts.season(place), parts.spread, *calls);
            let usual = Usual {
                last: hour,
                next: hour,
            };
            usual.range(measure, 1.0, AnomalySide::Both, confidence)
        });
        Ok(ranges.collect())
    }

    fn split(&self, measure: Measure) -> Result<Parts, String> {
        let length = self.len();
        if length < HOURS_MIN {
            return Err(format!(
                "Calls are known of {} days; {} are needed to say what is usual.",
                length / DAY_HOURS,
                HOURS_MIN / DAY_HOURS
            ));
        }
        let scaled: Vec<f64> = self.values.iter().map(|value| scale(measure, *value)).collect();
        let levels: Vec<f64> = (0..length)
            .map(|place| {
                let first = place.saturating_sub(WEEK_HOURS / 2).min(length - WEEK_HOURS);
                middle(scaled[first..first + WEEK_HOURS].iter().copied())
            })
            .collect();
        let rests: Vec<f64> = scaled
            .iter()
            .zip(&levels)
            .map(|(value, level)| value - level)
            .collect();
        let days = medians(&rests, DAY_HOURS, 0);
        let season = match length >= 3 * WEEK_HOURS {
            // Of two weeks, nobody can say which was the usual one.
            false => days,
            true => {
                let rests = rests.iter().enumerate();
                let rests: Vec<f64> = rests
                    .map(|(place, rest)| rest - days[place % DAY_HOURS])
                    .collect();
                let weeks = medians(&rests, WEEK_HOURS, 1).into_iter().enumerate();
                weeks.map(|(hour, week)| week + days[hour % DAY_HOURS]).collect()
            }
        };
        let period = season.len();
        let sizes = rests.iter().enumerate();
        let spread = middle(sizes.map(|(place, rest)| (rest - season[place % period]).abs()));
        Ok(Parts {
            levels,
            season,
            spread: spread * MAD_TO_SIGMA,
        })
    }
}

/// Of what hours are made, in the measure's scale.
struct Parts {
    levels: Vec<f64>,
    /// What belongs to each hour of the day or the week, counted from the first hour that is known.
    season: Vec<f64>,
    /// The standard deviation of what remains, far values left aside.
    spread: f64,
}

impl Parts {
    fn season(&self, place: usize) -> f64 {
        self.season[place % self.season.len()]
    }
}

impl Hour {
    /// Of what is expected and how far it is spread, in the measure's scale.
    fn of(measure: Measure, scaled: f64, spread: f64, calls: f64) -> Self {
        Self {
            value: unscale(measure, scaled),
            sigma: sigma(measure, spread, calls),
            calls,
        }
    }
}

/// What is usual of sixty minutes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Range {
    pub(crate) value: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
    pub(crate) calls: f64,
}

impl Usual {
    /// Of the sixty minutes of which a part is in the hour that has begun.
    pub(crate) fn range(&self, measure: Measure, part: f64, side: AnomalySide, confidence: f64) -> Range {
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
    measure.is_counted() && !matches!(measure, Measure::BytesIn | Measure::BytesOut)
}

/// The medians of the hours at each place of a period, with so many neighbours on each side.
fn medians(values: &[f64], period: usize, neighbours: usize) -> Vec<f64> {
    let median = |hour: usize| {
        let near = (0..values.len()).filter(|place| {
            let apart = (place + period - hour) % period;
            apart.min(period - apart) <= neighbours
        });
        middle(near.map(|place| values[place]))
    };
    (0..period).map(median).collect()
}

/// The median; nothing of nothing is 0.
fn middle(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    let middle = values.len() / 2;
    if values.is_empty() {
        return 0.0;
    }
    *values.select_nth_unstable_by(middle, f64::total_cmp).1
}

#[cfg(test)]
mod tests;
