//! The calendar of quotas: periods of UTC.

use domain::Timestamp;
use domain::limit::Period;
use jiff::ToSpan as _;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// When the period began that a moment is in.
pub(crate) fn begin(period: Period, now: Timestamp) -> Timestamp {
    let hour = now.hour();
    let date = hour.to_jiff().to_zoned(TimeZone::UTC).date();
    match period {
        Period::Hour => hour,
        Period::Day => midnight(date).unwrap_or(hour),
        Period::Month => midnight(date.first_of_month()).unwrap_or(hour),
    }
}

/// When the next period begins.
pub(crate) fn end(period: Period, now: Timestamp) -> Timestamp {
    let begin = begin(period, now);
    let date = begin.to_jiff().to_zoned(TimeZone::UTC).date();
    let next = match period {
        Period::Hour => return Timestamp::from_micros(begin.as_micros() + domain::time::HOUR_MICROS),
        Period::Day => date.tomorrow(),
        Period::Month => date.checked_add(1.month()),
    };
    // The calendar ends in the year 9999.
    next.ok().and_then(midnight).unwrap_or(begin)
}

/// Midnights of UTC are all there.
fn midnight(date: Date) -> Option<Timestamp> {
    date.to_zoned(TimeZone::UTC)
        .ok()
        .map(|zoned| zoned.timestamp().into())
}

#[cfg(test)]
mod tests {
    use domain::limit::Period;

    use super::{begin, end};

    #[test]
    fn periods_are_those_of_the_calendar() {
        let now = "2028-02-29T13:47:01Z".parse().unwrap();
        for (period, from, to) in [
            (Period::Hour, "2028-02-29T13:00:00Z", "2028-02-29T14:00:00Z"),
            (Period::Day, "2028-02-29T00:00:00Z", "2028-03-01T00:00:00Z"),
            (Period::Month, "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z"),
        ] {
            let span = (begin(period, now), end(period, now));
            assert_eq!(span, (from.parse().unwrap(), to.parse().unwrap()), "{period:?}");
            assert_eq!(begin(period, span.1), span.1);
        }
    }
}
