use domain::alert::AnomalySide;
use domain::analytics::Measure;

use super::{DAY_HOURS, Series, WEEK_HOURS};

/// Hours by number, the newest last, with a day and a week in them and some noise that is the same each time.
fn series(hours: usize, value: impl Fn(usize) -> f64) -> Series {
    Series {
        values: (0..hours).map(&value).collect(),
        calls: vec![1000.0; hours],
    }
}

fn noise(hour: usize) -> f64 {
    let mixed = (hour as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
    mixed as f64 / f64::from(1 << 24) - 0.5
}

fn busy(hour: usize) -> f64 {
    let day = (hour % DAY_HOURS) as f64 / DAY_HOURS as f64 * std::f64::consts::TAU;
    let is_weekend = hour % WEEK_HOURS >= 5 * DAY_HOURS;
    (1000.0 + 600.0 * day.sin()) * if is_weekend { 0.3 } else { 1.0 }
}

#[test]
fn the_next_hour_is_expected_as_that_of_a_week_before() {
    for hours in [3 * WEEK_HOURS, 4 * WEEK_HOURS, 4 * WEEK_HOURS - 37] {
        // Two of the hours were far off; they are not usual.
        let value = |hour: usize| match hour {
            100 | 300 => 20_000.0,
            hour => busy(hour) * (1.0 + 0.1 * noise(hour)),
        };
        let usual = series(hours, value).usual(Measure::Calls).unwrap();
        for (part, hour) in [(0.0, hours - 1), (1.0, hours)] {
            let range = usual.range(Measure::Calls, part, AnomalySide::Both, 0.999);
            let wanted = busy(hour);
            assert!(
                (range.value / wanted - 1.0).abs() < 0.15,
                "{hours}: {range:?} for {wanted}"
            );
            assert!(
                range.low > wanted * 0.5 && range.high < wanted * 2.0,
                "{hours}: {range:?} for {wanted}"
            );
            assert!(range.low < wanted && wanted < range.high);
        }
    }
}

#[test]
fn a_side_has_all_of_the_doubt() {
    let usual = series(WEEK_HOURS, |hour| 100.0 + 20.0 * noise(hour))
        .usual(Measure::Calls)
        .unwrap();
    let range = |side| usual.range(Measure::Calls, 0.5, side, 0.99);
    let (both, high, low) = (
        range(AnomalySide::Both),
        range(AnomalySide::High),
        range(AnomalySide::Low),
    );
    assert!(high.high < both.high && both.low < low.low);
    assert_eq!((high.low, low.high), (0.0, f64::INFINITY));
}

#[test]
fn few_calls_are_spread_by_chance() {
    // Always one error in a hundred: of ten calls, one error is nothing to be told of.
    let few = Series {
        values: vec![0.01; WEEK_HOURS],
        calls: vec![10.0; WEEK_HOURS],
    };
    let many = Series {
        calls: vec![100_000.0; WEEK_HOURS],
        ..few.clone()
    };
    let high = |series: &Series| {
        let usual = series.usual(Measure::ErrorRate).unwrap();
        usual
            .range(Measure::ErrorRate, 0.0, AnomalySide::High, 0.999)
            .high
    };
    assert!(high(&few) > 0.1, "{}", high(&few));
    assert!(high(&many) < 0.02, "{}", high(&many));
}

#[test]
fn what_is_too_short_is_not_judged() {
    let why = series(WEEK_HOURS - 1, busy).usual(Measure::Calls).unwrap_err();
    assert_eq!(
        why,
        "Calls are known of 6 days; 7 are needed to say what is usual."
    );
}

#[test]
fn hours_without_calls_are_usual_as_well() {
    // A night of nothing each day, and latencies that are not there then.
    let usual = series(
        2 * WEEK_HOURS,
        |hour| if hour % DAY_HOURS < 8 { 0.0 } else { 50.0 },
    );
    let range = usual
        .usual(Measure::Calls)
        .unwrap()
        .range(Measure::Calls, 1.0, AnomalySide::Both, 0.999);
    assert!(range.value < 1.0 && range.high < 12.0, "{range:?}");
}

#[test]
fn hours_that_are_far_off_are_found_among_the_others() {
    let outage = 10 * DAY_HOURS + 3..10 * DAY_HOURS + 6;
    let value = |hour: usize| match hour {
        hour if outage.contains(&hour) => 3.0,
        hour => busy(hour) * (1.0 + 0.1 * noise(hour)),
    };
    let series = series(3 * WEEK_HOURS, value);
    let ranges = series.ranges(Measure::Calls, 0.9999).unwrap();
    assert_eq!(ranges.len(), series.len());
    let is_low = |hour: &usize| series.values[*hour] < ranges[*hour].low;
    assert_eq!(
        (0..series.len()).filter(is_low).collect::<Vec<_>>(),
        outage.collect::<Vec<_>>()
    );
    let is_high = |hour: &usize| series.values[*hour] > ranges[*hour].high;
    assert_eq!((0..series.len()).find(is_high), None);
}

#[test]
fn an_outage_a_week_ago_is_not_usual() {
    let hours = 3 * WEEK_HOURS;
    for ago in [0, 1] {
        let outage = hours - WEEK_HOURS - ago;
        let value = |hour: usize| match hour {
            hour if hour == outage => 0.0,
            hour => busy(hour) * (1.0 + 0.1 * noise(hour)),
        };
        let usual = series(hours, value).usual(Measure::Calls).unwrap();
        let range = usual.range(Measure::Calls, 1.0, AnomalySide::Both, 0.999);
        let wanted = busy(hours);
        assert!(
            range.low < wanted && wanted < range.high,
            "{range:?} for {wanted}"
        );
        assert!(range.low > wanted * 0.5, "{range:?} for {wanted}");
    }
}
