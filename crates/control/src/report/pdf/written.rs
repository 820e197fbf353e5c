//! Numbers and moments as people read them.

use domain::Timestamp;
use domain::analytics::{Granularity, TimeRange};
use domain::report::{ReportCell, ReportFigure, ReportUnit};
use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{ToSpan as _, Zoned};

/// Beyond this, the digits of a number say nothing.
const DIGITS_MAX: f64 = 1e15;
const DAY: &str = "%-d %b %Y";

/// Writes moments in the time zone of a report.
#[derive(Debug, Clone)]
pub(super) struct Clock {
    zone: TimeZone,
    name: String,
}

impl Clock {
    /// Of a time zone as the IANA data base calls it; UTC if that does not know it.
    pub(super) fn of(name: &str) -> Self {
        let zone = TimeZone::get(name).unwrap_or(TimeZone::UTC);
        let name = zone.iana_name().unwrap_or("UTC").to_owned();
        Self { zone, name }
    }

    fn zoned(&self, moment: Timestamp) -> Zoned {
        moment.to_jiff().to_zoned(self.zone.clone())
    }

    /// `20 Nov 2026, 12:00`.
    pub(super) fn moment(&self, moment: Timestamp) -> String {
        self.zoned(moment).strftime("%-d %b %Y, %H:%M").to_string()
    }

    /// `1 Nov 2026 to 30 Nov 2026 (Europe/Berlin)`: with hours if it is not made of days.
    pub(super) fn period(&self, period: &TimeRange) -> String {
        let (from, to) = (self.zoned(period.from), self.zoned(period.to));
        let zone = &self.name;
        let midnight = Time::midnight();
        if from.time() != midnight || to.time() != midnight || from >= to {
            let (from, to) = (self.moment(period.from), self.moment(period.to));
            return format!("{from} to {to} ({zone})");
        }
        // The period ends before the last moment.
        let last = to.date().saturating_sub(1.day());
        let (from, last) = (from.strftime(DAY).to_string(), last.strftime(DAY).to_string());
        match from == last {
            true => format!("{from} ({zone})"),
            false => format!("{from} to {last} ({zone})"),
        }
    }

    /// What stands below a span of a course that begins then.
    pub(super) fn tick(&self, at: Timestamp, per: Granularity, is_long: bool) -> String {
        let form = match per {
            Granularity::Minute | Granularity::Hour if is_long => "%-d %b %H:%M",
            Granularity::Minute | Granularity::Hour => "%H:%M",
            Granularity::Day | Granularity::Week => "%-d %b",
            Granularity::Month => "%b %Y",
        };
        self.zoned(at).strftime(form).to_string()
    }

    /// A cell; empty if it has nothing.
    pub(super) fn cell(&self, unit: ReportUnit, cell: &ReportCell) -> String {
        if let Some(value) = cell.number {
            return number(unit, value);
        }
        let text = cell.text.as_deref().unwrap_or_default();
        match unit {
            ReportUnit::Moment => text
                .parse()
                .map_or_else(|_| text.to_owned(), |moment| self.moment(moment)),
            _ => explained(text, cell.id.as_deref()),
        }
    }
}

/// A text with the error code that it explains, so that it can be looked up.
fn explained(text: &str, id: Option<&str>) -> String {
    // The ids of everything else have digits.
    let is_code =
        |id: &&str| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    match id.filter(is_code).filter(|code| *code != text) {
        Some(code) => format!("{text} ({code})"),
        None => text.to_owned(),
    }
}

/// Whether cells are numbers, which stand on the right.
pub(super) fn is_number(unit: ReportUnit) -> bool {
    !matches!(unit, ReportUnit::Text | ReportUnit::Moment)
}

/// How long the spans of a course are.
pub(super) fn span(per: Granularity) -> &'static str {
    match per {
        Granularity::Minute => "minute",
        Granularity::Hour => "hour",
        Granularity::Day => "day",
        Granularity::Week => "week",
        Granularity::Month => "month",
    }
}

/// What has become of a figure since the time before; empty if that says nothing.
pub(super) fn since(figure: &ReportFigure) -> String {
    let (Some(now), Some(before)) = (figure.value.number, figure.previous) else {
        return String::new();
    };
    #[expect(clippy::float_cmp, reason = "only what is really the same is called so")]
    let is_same = now == before;
    if is_same {
        "as in the time before".to_owned()
    } else if before == 0.0 {
        "none in the time before".to_owned()
    } else {
        format!("{} since the time before", change((now - before) / before.abs()))
    }
}

/// A number with its unit.
pub(super) fn number(unit: ReportUnit, number: f64) -> String {
    match unit {
        ReportUnit::Share => share(number),
        ReportUnit::Change => change(number),
        ReportUnit::Microseconds => signed(number, microseconds),
        ReportUnit::Seconds => signed(number, seconds),
        ReportUnit::Bytes => signed(number, bytes),
        ReportUnit::Amount => signed(number, amount),
        ReportUnit::Count | ReportUnit::Text | ReportUnit::Moment => signed(number, |size| digits(size, 0)),
    }
}

/// With a minus if what stands behind it is not nothing.
fn signed(number: f64, write: impl Fn(f64) -> String) -> String {
    let size = write(number.abs());
    match number < 0.0 && size.contains(|digit: char| ('1'..='9').contains(&digit)) {
        true => format!("−{size}"),
        false => size,
    }
}

/// `12,345` or `0.50`.
fn digits(size: f64, decimals: usize) -> String {
    if size >= DIGITS_MAX {
        return format!("{size:.2e}");
    }
    let plain = format!("{size:.decimals$}");
    let (whole, rest) = plain.split_at(plain.find('.').unwrap_or(plain.len()));
    grouped(whole) + rest
}

/// `12,345`.
pub(super) fn count(number: u64) -> String {
    grouped(&number.to_string())
}

fn grouped(digits: &str) -> String {
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `0.35 %`: two decimals, because 99.95 and 99.99 are not the same to those who promise them. What is neither nothing
/// nor all is not called so.
fn share(part: f64) -> String {
    let percent = part * 100.0;
    if percent > 0.0 && percent < 0.005 {
        "<0.01 %".to_owned()
    } else if (99.995..100.0).contains(&percent) {
        ">99.99 %".to_owned()
    } else {
        signed(percent, |size| format!("{} %", digits(size, 2)))
    }
}

/// `+12 %`, `−3.5 %` or `±0 %`.
fn change(part: f64) -> String {
    let percent = part * 100.0;
    let decimals = if percent.abs() >= 10.0 { 0 } else { 1 };
    let size = digits(percent.abs(), decimals);
    if size == "0.0" {
        return "±0 %".to_owned();
    }
    let sign = if percent < 0.0 { "−" } else { "+" };
    format!("{sign}{size} %")
}

/// `320 µs`, `4.2 ms` or `1.30 s`.
fn microseconds(number: f64) -> String {
    if number < 999.5 {
        format!("{} µs", digits(number, 0))
    } else if number < 999_500.0 {
        format!("{} ms", digits(number / 1e3, usize::from(number < 9_950.0)))
    } else {
        format!("{} s", digits(number / 1e6, 2))
    }
}

/// `40 s`, `1.5 h` or `12 d`.
fn seconds(number: f64) -> String {
    let units = [(86_400.0, "d"), (3_600.0, "h"), (60.0, "min")];
    let fits = units.into_iter().find(|(length, _)| number >= *length);
    fits.map_or_else(
        || format!("{} s", digits(number, 0)),
        |(length, unit)| {
            let decimals = usize::from(number < 10.0 * length);
            format!("{} {unit}", digits(number / length, decimals))
        },
    )
}

/// `3.2 MB`, in powers of 1000.
/// An amount: hundredths from 1 on, below as many decimals as show three digits.
fn amount(number: f64) -> String {
    let decimals = (2..9).find(|decimals| number * 10_f64.powi(*decimals) >= 100.0);
    let decimals = decimals.and_then(|decimals| usize::try_from(decimals).ok());
    digits(number, decimals.unwrap_or(2))
}

fn bytes(number: f64) -> String {
    let units = [(1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")];
    let fits = units.into_iter().find(|(size, _)| number >= *size);
    fits.map_or_else(
        || format!("{} B", digits(number, 0)),
        |(size, unit)| {
            let decimals = usize::from(number < 100.0 * size);
            format!("{} {unit}", digits(number / size, decimals))
        },
    )
}
