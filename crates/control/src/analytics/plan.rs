//! What a question asks for exactly: checked, with its spans of time.

use domain::Timestamp;
use domain::analytics::{AnalyticsQuery, Dimension, Granularity, Measure, TimeRange};
use domain::rollup::{Grains, Resolution};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{RoundMode, Span, ToSpan as _, Unit, Zoned, ZonedRound};

use super::{HOURS_KEPT, MINUTES_KEPT, ROWS_MAX, too_much};
use crate::Error;

const DIMENSIONS_MAX: usize = 4;
const FILTERS_MAX: usize = 20;
pub(crate) const VALUES_MAX: usize = 100;
const VALUE_CHARS_MAX: usize = 200;
const TOP_MAX: u32 = 100;

/// How a question is answered.
#[derive(Debug)]
pub(super) struct Plan {
    /// What the time is rounded to, and the finest roll-ups that are read.
    pub(super) resolution: Resolution,
    /// At which roll-ups are read, or why they cannot tell; then the calls themselves have to.
    pub(super) grains: Result<Grains, Gap>,
    pub(super) period: TimeRange,
    pub(super) previous: Option<TimeRange>,
    granularity: Option<Granularity>,
    zone: TimeZone,
}

/// Why roll-ups cannot tell: the field, what is wrong with it, and what to do.
#[derive(Debug)]
pub(super) struct Gap {
    pointer: &'static str,
    detail: String,
    suggestion: &'static str,
}

impl Gap {
    /// The answer where nothing else can tell.
    pub(super) fn refusal(&self) -> Error {
        refused(self.pointer, &self.detail, self.suggestion)
    }
}

impl Plan {
    /// Checks a question that is asked at a moment.
    pub(super) fn of(query: &AnalyticsQuery, now: Timestamp) -> Result<Self, Error> {
        check_lists(query)?;
        let zone = zone(query.time_zone.as_deref())?;
        let to = query.to.unwrap_or(now);
        if to <= query.from {
            return Err(refused(
                "/to",
                "It is not after `from`.",
                "Let the time end after it begins.",
            ));
        }
        let (resolution, grains) = match resolution(query, (query.from, to), now, &zone) {
            Ok(resolution) => (resolution, grains(query)),
            Err(gap) => (Resolution::Minute, Err(gap)),
        };
        let period = TimeRange {
            from: resolution.begin(query.from),
            to: resolution.end(to),
        };
        let length = period.to.as_micros() - period.from.as_micros();
        let previous = query.compare.then(|| TimeRange {
            from: Timestamp::from_micros(period.from.as_micros() - length),
            to: period.from,
        });
        Ok(Self {
            resolution,
            grains,
            period,
            previous,
            granularity: query.granularity,
            zone,
        })
    }

    /// When the spans of a time begin, in their order; the first at or before its beginning. None without granularity.
    pub(super) fn spans(&self, period: TimeRange) -> Result<Option<Vec<Timestamp>>, Error> {
        let Some(granularity) = self.granularity else {
            return Ok(None);
        };
        let first = floor(granularity, &period.from.to_jiff().to_zoned(self.zone.clone()))?;
        let mut spans = Vec::new();
        for step in 0.. {
            let begin = Timestamp::from(nth(granularity, &first, step)?.timestamp());
            if begin >= period.to {
                break;
            }
            if spans.len() == ROWS_MAX {
                return Err(too_much(&format!("The time has more than {ROWS_MAX} spans.")));
            }
            spans.push(begin);
        }
        Ok(Some(spans))
    }

    /// What is read for a time: the coarsest sums that lie in one span each, so that long times take few of them.
    pub(super) fn pieces(
        &self,
        period: TimeRange,
        spans: Option<&[Timestamp]>,
    ) -> Vec<(Resolution, TimeRange)> {
        let mut pieces = Vec::new();
        let mut from = period.from;
        let inner = spans.unwrap_or_default().iter().copied();
        for to in inner.filter(|begin| *begin > period.from).chain([period.to]) {
            cover(&mut pieces, self.resolution, TimeRange { from, to });
            from = to;
        }
        pieces
    }
}

/// Appends what is read for a time whose ends are those of spans of a resolution.
fn cover(pieces: &mut Vec<(Resolution, TimeRange)>, resolution: Resolution, time: TimeRange) {
    if let Some(coarser) = resolution.coarser() {
        let (from, to) = (coarser.end(time.from), coarser.begin(time.to));
        if from < to {
            cover(pieces, resolution, TimeRange { to: from, ..time });
            cover(pieces, coarser, TimeRange { from, to });
            cover(pieces, resolution, TimeRange { from: to, ..time });
            return;
        }
    }
    match pieces.last_mut() {
        _ if time.from >= time.to => {}
        Some((last, before)) if *last == resolution && before.to == time.from => before.to = time.to,
        _ => pieces.push((resolution, time)),
    }
}

fn check_lists(query: &AnalyticsQuery) -> Result<(), Error> {
    if query.measures.is_empty() || has_twice(&query.measures) {
        let detail = "It has none, or one twice.";
        return Err(refused(
            "/measures",
            detail,
            "Name one or more measures, each once.",
        ));
    }
    if query.dimensions.len() > DIMENSIONS_MAX || has_twice(&query.dimensions) {
        let detail = format!("It has more than {DIMENSIONS_MAX}, or one twice.");
        return Err(refused(
            "/dimensions",
            &detail,
            "Name fewer dimensions, each once.",
        ));
    }
    if query.filters.len() > FILTERS_MAX {
        let detail = format!("There are more than {FILTERS_MAX} filters.");
        return Err(refused(
            "/filters",
            &detail,
            "Put values of one dimension into one filter.",
        ));
    }
    for (place, filter) in query.filters.iter().enumerate() {
        let pointer = format!("/filters/{place}/values");
        if !(1..=VALUES_MAX).contains(&filter.values.len()) {
            let detail = format!("A filter has 1 to {VALUES_MAX} values.");
            return Err(refused(
                &pointer,
                &detail,
                "Leave the filter out, or name fewer values.",
            ));
        }
        if filter
            .values
            .iter()
            .any(|value| value.chars().count() > VALUE_CHARS_MAX)
        {
            let detail = format!("A value has more than {VALUE_CHARS_MAX} characters.");
            return Err(refused(
                &pointer,
                &detail,
                "Use ids, statuses and codes as rows have them.",
            ));
        }
    }
    if let Some(top) = query.top {
        if !(1..=TOP_MAX).contains(&top.count) {
            let detail = format!("1 to {TOP_MAX} groups are told one by one.");
            return Err(refused("/top/count", &detail, "Ask for fewer groups."));
        }
        if !query.measures.contains(&top.by) {
            let suggestion = "Name one of `measures`.";
            return Err(refused("/top/by", "It is not among the measures.", suggestion));
        }
        if query.dimensions.is_empty() {
            let detail = "Without dimensions there is one group only.";
            return Err(refused("/top", detail, "Leave it out, or name `dimensions`."));
        }
    }
    Ok(())
}

fn zone(name: Option<&str>) -> Result<TimeZone, Error> {
    let Some(name) = name else {
        return Ok(TimeZone::UTC);
    };
    TimeZone::get(name).map_err(|_| {
        let suggestion = "Use a name of the IANA data base, as `Europe/Berlin`.";
        refused("/time_zone", "There is no such time zone.", suggestion)
    })
}

/// The grains that know what a question tells apart and filters by.
///
/// # Errors
/// Why roll-ups cannot tell.
fn grains(query: &AnalyticsQuery) -> Result<Grains, Gap> {
    let filtered = query.filters.iter().map(|filter| filter.dimension);
    let application = query.measures.contains(&Measure::Applications);
    let application = application.then_some(Dimension::Application);
    let grains = Grains::of(
        query
            .dimensions
            .iter()
            .copied()
            .chain(filtered)
            .chain(application),
    );
    grains.ok_or_else(|| Gap {
        pointer: "/dimensions",
        detail: "Sums know the target together with API, version, status and code only.".to_owned(),
        suggestion: "Leave out `target`, or what stands beside it.",
    })
}

/// The finest roll-ups that are read: those by minute while they are all there, since the time is exact then.
///
/// # Errors
/// Why roll-ups cannot tell.
fn resolution(
    query: &AnalyticsQuery,
    (from, to): (Timestamp, Timestamp),
    now: Timestamp,
    zone: &TimeZone,
) -> Result<Resolution, Gap> {
    let length = to.as_micros() - from.as_micros();
    let earliest = if query.compare {
        Timestamp::from_micros(from.as_micros() - length)
    } else {
        from
    };
    let has_minutes = Resolution::Minute.begin(earliest) >= now.before(MINUTES_KEPT);
    if query.granularity == Some(Granularity::Minute) && !has_minutes {
        let days = MINUTES_KEPT.as_secs() / 86_400;
        let detail = format!("Minutes are told apart for {days} days.");
        return Err(Gap {
            pointer: "/granularity",
            detail,
            suggestion: "Ask for hours, or about a later time.",
        });
    }
    if earliest < now.before(HOURS_KEPT) {
        let days = HOURS_KEPT.as_secs() / 86_400;
        let detail = format!("Sums are kept for {days} days.");
        return Err(Gap {
            pointer: "/from",
            detail,
            suggestion: "Ask about a later time.",
        });
    }
    if has_minutes {
        return Ok(Resolution::Minute);
    }
    let splits_hours = query.granularity.is_some()
        && [earliest, to]
            .iter()
            .any(|moment| zone.to_offset(moment.to_jiff()).seconds() % 3600 != 0);
    if splits_hours {
        let detail = "Its days begin within an hour in UTC, and so long ago only whole hours are told apart.";
        return Err(Gap {
            pointer: "/time_zone",
            detail: detail.to_owned(),
            suggestion: "Use a time zone that is whole hours from UTC.",
        });
    }
    Ok(Resolution::Hour)
}

/// The beginning of the span that a moment is in.
fn floor(granularity: Granularity, moment: &Zoned) -> Result<Zoned, Error> {
    let day = |date: jiff::civil::Date| date.to_zoned(moment.time_zone().clone());
    let date = moment.date();
    let floored = match granularity {
        Granularity::Minute => moment.round(down_to(Unit::Minute)),
        Granularity::Hour => moment.round(down_to(Unit::Hour)),
        Granularity::Day => day(date),
        Granularity::Week => {
            let since_monday = i64::from(date.weekday().to_monday_zero_offset());
            date.checked_sub(since_monday.days()).and_then(day)
        }
        Granularity::Month => day(date.first_of_month()),
    };
    floored.map_err(out_of_calendar)
}

fn down_to(unit: Unit) -> ZonedRound {
    ZonedRound::new().smallest(unit).mode(RoundMode::Floor)
}

/// The beginning of the span so many after the first.
///
/// Days are counted from the first and not one from the other, so that one that begins late, because its midnight is
/// left out, does not make those after it begin late.
fn nth(granularity: Granularity, first: &Zoned, step: i64) -> Result<Zoned, Error> {
    let span: Span = match granularity {
        Granularity::Minute => step.minutes(),
        Granularity::Hour => step.hours(),
        Granularity::Day => step.days(),
        Granularity::Week => step.weeks(),
        Granularity::Month => step.months(),
    };
    let moved = match granularity {
        Granularity::Minute | Granularity::Hour => first.checked_add(span),
        _ => DateTime::from(first.date())
            .checked_add(span)
            .and_then(|midnight| midnight.to_zoned(first.time_zone().clone())),
    };
    moved.map_err(out_of_calendar)
}

fn out_of_calendar(_: jiff::Error) -> Error {
    refused(
        "/from",
        "The calendar does not go so far.",
        "Ask about a later time.",
    )
}

fn has_twice<T: PartialEq>(values: &[T]) -> bool {
    values
        .iter()
        .enumerate()
        .any(|(place, value)| values[..place].contains(value))
}

fn refused(pointer: &str, detail: &str, suggestion: &str) -> Error {
    Error::field(pointer, "invalid_value", detail, suggestion)
}
