use serde_json::json;

use super::{ReportScheduleSpec, UnknownZone};
use crate::Timestamp;

fn spec(interval: &str, hour: u8, zone: Option<&str>) -> ReportScheduleSpec {
    serde_json::from_value(json!({
        "name": "weekly", "title": "Weekly", "report": "traffic", "interval": interval, "hour": hour,
        "time_zone": zone, "channels": ["team"],
    }))
    .unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[test]
fn it_is_due_on_the_calendar_of_its_zone() {
    let berlin = Some("Europe/Berlin");
    for (interval, hour, zone, now, due, from, to) in [
        // The moment itself is over.
        (
            "day",
            6,
            None,
            "2026-11-20T06:00:00Z",
            "2026-11-21T06:00:00Z",
            "2026-11-20T00:00:00Z",
            "2026-11-21T00:00:00Z",
        ),
        (
            "day",
            6,
            None,
            "2026-11-20T05:59:59Z",
            "2026-11-20T06:00:00Z",
            "2026-11-19T00:00:00Z",
            "2026-11-20T00:00:00Z",
        ),
        // A Friday; weeks begin on Monday.
        (
            "week",
            0,
            None,
            "2026-11-20T12:00:00Z",
            "2026-11-23T00:00:00Z",
            "2026-11-16T00:00:00Z",
            "2026-11-23T00:00:00Z",
        ),
        (
            "month",
            23,
            None,
            "2026-12-31T12:00:00Z",
            "2027-01-01T23:00:00Z",
            "2026-12-01T00:00:00Z",
            "2027-01-01T00:00:00Z",
        ),
        // The clock goes forward: at 2 it is 3, and the day has 23 hours.
        (
            "day",
            2,
            berlin,
            "2026-03-29T00:30:00Z",
            "2026-03-29T01:00:00Z",
            "2026-03-27T23:00:00Z",
            "2026-03-28T23:00:00Z",
        ),
        (
            "day",
            6,
            berlin,
            "2026-03-29T12:00:00Z",
            "2026-03-30T04:00:00Z",
            "2026-03-28T23:00:00Z",
            "2026-03-29T22:00:00Z",
        ),
    ] {
        let spec = spec(interval, hour, zone);
        let found = spec.next_after(at(now)).unwrap();
        assert_eq!(found, at(due), "{interval} {hour} {now}");
        let period = spec.period_before(found).unwrap();
        assert_eq!((period.from, period.to), (at(from), at(to)), "{interval} {due}");
    }
}

#[test]
fn what_is_due_comes_once_in_each_interval() {
    for interval in ["day", "week", "month"] {
        for hour in [0, 2, 3, 23] {
            let spec = spec(interval, hour, Some("Europe/Berlin"));
            let mut moment = at("2026-01-15T00:00:00Z");
            let mut before = None;
            for _ in 0..24 {
                moment = spec.next_after(moment).unwrap();
                let period = spec.period_before(moment).unwrap();
                assert!(
                    before.is_none_or(|end| end == period.from),
                    "{interval} {hour}: {period:?}"
                );
                before = Some(period.to);
            }
        }
    }
}

#[test]
fn zones_that_are_not_whole_hours_from_utc_are_refused() {
    let now = at("2026-11-20T06:00:00Z");
    for zone in ["Asia/Kolkata", "Mars/Olympus"] {
        assert_eq!(spec("day", 6, Some(zone)).zone(now).unwrap_err(), UnknownZone);
    }
}
