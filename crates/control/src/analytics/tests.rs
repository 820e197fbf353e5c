use std::collections::BTreeMap;
use std::time::Duration;

use domain::analytics::{
    AnalyticsAnswer, AnalyticsQuery, Dimension, DimensionFilter, Granularity, Measure, TimeRange, Top,
};
use domain::id::{ApplicationId, OperationId, RouteId};
use domain::rollup::{Grain, Resolution};
use domain::traffic::Upstream;
use domain::{Code, Timestamp};
use events::{Batch, Call, Event, Sink as _, Variant};
use serde_json::json;
use store::on_both;
use uuid::Uuid;

use super::plan::Plan;
use super::{HOURS_KEPT, MINUTES_KEPT, READ_MAX, check};
use crate::fixture::{World, refusal};
use crate::usage::tests::{HOUR, START, node, shop};
use crate::{Caller, Error};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Asks for calls between two moments.
fn query(from: &str, to: &str) -> AnalyticsQuery {
    AnalyticsQuery {
        measures: vec![Measure::Calls],
        dimensions: Vec::new(),
        filters: Vec::new(),
        from: at(from),
        to: Some(at(to)),
        granularity: None,
        time_zone: None,
        compare: false,
        top: None,
    }
}

/// From the hour in which the world begins, for a while.
fn recent(hours: i64) -> AnalyticsQuery {
    let to = Timestamp::from_micros(START + hours * HOUR).to_string();
    query(&Timestamp::from_micros(START).to_string(), &to)
}

fn refused(result: Result<Plan, Error>) -> String {
    let error = match result {
        Ok(plan) => plan.grains.expect_err("a reason").refusal(),
        Err(error) => error,
    };
    match error {
        Error::Refused { code, errors, .. } => {
            assert_eq!(code, Code::RequestInvalid);
            errors[0].pointer.clone()
        }
        other => panic!("{other}"),
    }
}

async fn count(world: &World, calls: &[Call]) {
    let events: Vec<_> = calls.iter().copied().map(Event::Call).collect();
    let counter = world.control.usage_counter();
    counter.commit(node(), &[Batch::of(1, &events)]).await.unwrap();
}

async fn ask(world: &World, caller: &Caller, query: &AnalyticsQuery) -> AnalyticsAnswer {
    world.control.analytics(caller, query).await.unwrap()
}

/// The first measure of each row, with its dimensions.
fn told(answer: &AnalyticsAnswer) -> Vec<(Vec<&str>, f64)> {
    let row = |row: &'_ domain::analytics::AnalyticsRow| row.values.values().next().copied();
    answer
        .rows
        .iter()
        .map(|found| {
            let dimensions = found.dimensions.values().map(String::as_str).collect();
            (dimensions, row(found).unwrap())
        })
        .collect()
}

#[test]
fn questions_that_cannot_be_answered_are_refused_with_their_field() {
    let now = at("2026-11-20T12:00:00Z");
    let filter = |values: &[String]| json!({ "filters": [{ "dimension": "api", "values": values }] });
    let many = vec![json!({ "dimension": "api", "values": [""] }); 21];
    let table = [
        ("/measures", json!({ "measures": [] })),
        ("/measures", json!({ "measures": ["calls", "calls"] })),
        ("/dimensions", json!({ "dimensions": ["api", "api"] })),
        (
            "/dimensions",
            json!({ "dimensions": ["api", "plan", "code", "side", "status"] }),
        ),
        ("/filters/0/values", filter(&[])),
        ("/filters/0/values", filter(&vec!["x".to_owned(); 101])),
        ("/filters/0/values", filter(&["x".repeat(201)])),
        ("/filters", json!({ "filters": many })),
        (
            "/top/count",
            json!({ "dimensions": ["api"], "top": { "count": 0, "by": "calls" } }),
        ),
        (
            "/top/count",
            json!({ "dimensions": ["api"], "top": { "count": 101, "by": "calls" } }),
        ),
        (
            "/top/by",
            json!({ "dimensions": ["api"], "top": { "count": 5, "by": "bytes_in" } }),
        ),
        ("/top", json!({ "top": { "count": 5, "by": "calls" } })),
        ("/to", json!({ "to": "2026-11-19T00:00:00Z" })),
        ("/time_zone", json!({ "time_zone": "Mars/Olympus" })),
        (
            "/granularity",
            json!({ "from": "2026-11-01T00:00:00Z", "granularity": "minute" }),
        ),
        ("/from", json!({ "from": "2025-01-01T00:00:00Z" })),
        (
            "/from",
            json!({ "from": "2026-01-01T00:00:00Z", "compare": true }),
        ),
        (
            "/time_zone",
            json!({ "from": "2026-10-01T00:00:00Z", "granularity": "day", "time_zone": "Asia/Kolkata" }),
        ),
    ];
    let plain =
        json!({ "measures": ["calls"], "from": "2026-11-19T00:00:00Z", "to": "2026-11-20T00:00:00Z" });
    let read = |changes: &serde_json::Value| {
        let mut query = plain.clone();
        for (name, value) in changes.as_object().unwrap() {
            query[name] = value.clone();
        }
        serde_json::from_value::<AnalyticsQuery>(query).unwrap()
    };
    for (pointer, changes) in table {
        assert_eq!(refused(Plan::of(&read(&changes), now)), pointer, "{changes}");
    }
    // What no sums can tell is refused only where no calls are kept.
    let by_target = read(&json!({ "dimensions": ["target", "operation"] }));
    assert_eq!(refused(Plan::of(&by_target, now)), "/dimensions");
    assert!(check(&by_target, now, false).is_err() && check(&by_target, now, true).is_ok());
    assert!(Plan::of(&read(&json!({})), now).unwrap().grains.is_ok());
}

#[test]
fn times_are_exact_while_there_are_minutes() {
    let now = at("2026-11-20T12:00:00Z");
    let table = [
        (
            "2026-11-20T11:03:20Z",
            "2026-11-20T12:00:00Z",
            Resolution::Minute,
            "2026-11-20T11:03:00Z",
        ),
        (
            "2026-11-17T11:03:20Z",
            "2026-11-20T12:00:00Z",
            Resolution::Minute,
            "2026-11-17T11:03:00Z",
        ),
        (
            "2026-11-03T11:03:20Z",
            "2026-11-03T12:00:00Z",
            Resolution::Hour,
            "2026-11-03T11:00:00Z",
        ),
    ];
    for (from, to, resolution, begin) in table {
        let plan = Plan::of(&query(from, to), now).unwrap();
        assert_eq!((plan.resolution, plan.period.from), (resolution, at(begin)));
    }
    let half = AnalyticsQuery {
        granularity: Some(Granularity::Day),
        time_zone: Some("Asia/Kolkata".to_owned()),
        ..query("2026-11-16T00:00:00Z", "2026-11-20T00:00:00Z")
    };
    assert_eq!(Plan::of(&half, now).unwrap().resolution, Resolution::Minute);
}

#[test]
fn long_times_are_read_from_the_coarsest_sums() {
    let now = at("2026-11-20T12:00:00Z");
    // Zone and granularity, from, to, and what is read from when on: minutes, hours or days.
    let table = [
        (
            None,
            "2026-11-18T22:58:30Z 2026-11-20T11:02:00Z",
            "M 2026-11-18T22:58:00Z H 2026-11-18T23:00:00Z D 2026-11-19T00:00:00Z H 2026-11-20T00:00:00Z \
             M 2026-11-20T11:00:00Z",
        ),
        (
            Some(("UTC", Granularity::Day)),
            "2026-10-01T00:00:00Z 2026-11-20T11:02:00Z",
            "D 2026-10-01T00:00:00Z H 2026-11-20T00:00:00Z",
        ),
        (
            Some(("UTC", Granularity::Hour)),
            "2026-10-01T00:00:00Z 2026-10-03T00:00:00Z",
            "H 2026-10-01T00:00:00Z",
        ),
        (
            Some(("Europe/Berlin", Granularity::Day)),
            "2026-10-01T00:00:00Z 2026-10-09T00:00:00Z",
            "H 2026-10-01T00:00:00Z",
        ),
        (
            // A week has six whole days in UTC.
            Some(("Europe/Berlin", Granularity::Week)),
            "2026-10-04T22:00:00Z 2026-10-11T22:00:00Z",
            "H 2026-10-04T22:00:00Z D 2026-10-05T00:00:00Z H 2026-10-11T00:00:00Z",
        ),
        (
            // Midnight splits an hour; the others are whole.
            Some(("Asia/Kolkata", Granularity::Day)),
            "2026-11-18T06:00:00Z 2026-11-19T06:00:00Z",
            "H 2026-11-18T06:00:00Z M 2026-11-18T18:00:00Z H 2026-11-18T19:00:00Z",
        ),
    ];
    for (zone, time, expected) in table {
        let (from, to) = time.split_once(' ').unwrap();
        let asked = AnalyticsQuery {
            granularity: zone.map(|(_, granularity)| granularity),
            time_zone: zone.map(|(zone, _)| zone.to_owned()),
            ..query(from, to)
        };
        let plan = Plan::of(&asked, now).unwrap();
        let spans = plan.spans(plan.period).unwrap();
        let pieces = plan.pieces(plan.period, spans.as_deref());
        let begun = pieces.iter().map(|(resolution, time)| {
            let name = format!("{resolution:?}");
            format!("{} {}", &name[..1], time.from)
        });
        assert_eq!(begun.collect::<Vec<_>>().join(" "), expected, "{asked:?}");
        assert!(pieces.is_sorted_by(|(_, a), (_, b)| a.to == b.from));
        assert_eq!(pieces.last().unwrap().1.to, plan.period.to);
    }
}

#[test]
fn days_weeks_and_months_are_those_of_the_zone() {
    let now = at("2026-11-20T12:00:00Z");
    let table: [(&str, Granularity, &str, &str, &[&str]); 4] = [
        (
            // The clock goes back in the night to the 25th.
            "Europe/Berlin",
            Granularity::Day,
            "2026-10-24T12:00:00Z",
            "2026-10-26T12:00:00Z",
            &[
                "2026-10-23T22:00:00Z",
                "2026-10-24T22:00:00Z",
                "2026-10-25T23:00:00Z",
            ],
        ),
        (
            "America/New_York",
            Granularity::Week,
            "2026-10-25T12:00:00Z",
            "2026-11-03T00:00:00Z",
            &[
                "2026-10-19T04:00:00Z",
                "2026-10-26T04:00:00Z",
                "2026-11-02T05:00:00Z",
            ],
        ),
        (
            "UTC",
            Granularity::Month,
            "2026-08-31T00:00:00Z",
            "2026-11-01T00:00:00Z",
            &[
                "2026-08-01T00:00:00Z",
                "2026-09-01T00:00:00Z",
                "2026-10-01T00:00:00Z",
            ],
        ),
        (
            "UTC",
            Granularity::Hour,
            "2026-11-20T10:30:00Z",
            "2026-11-20T12:00:00Z",
            &["2026-11-20T10:00:00Z", "2026-11-20T11:00:00Z"],
        ),
    ];
    for (zone, granularity, from, to, begins) in table {
        let query = AnalyticsQuery {
            granularity: Some(granularity),
            time_zone: Some(zone.to_owned()),
            ..query(from, to)
        };
        let plan = Plan::of(&query, now).unwrap();
        let spans = plan.spans(plan.period).unwrap().unwrap();
        assert_eq!(
            spans,
            begins.iter().map(|begin| at(begin)).collect::<Vec<_>>(),
            "{zone}"
        );
    }
}

#[test]
fn a_time_with_too_many_spans_is_refused() {
    let now = at("2026-11-20T12:00:00Z");
    let query = AnalyticsQuery {
        granularity: Some(Granularity::Minute),
        ..query("2026-11-13T13:00:00Z", "2026-11-20T12:00:00Z")
    };
    let plan = Plan::of(&query, now).unwrap();
    assert!(plan.spans(plan.period).is_err());
}

on_both! {
    async fn measures_are_those_of_the_calls(url: String) {
        let world = World::new(&url).await;
        let shop = shop(&world).await;
        let mut calls = Vec::new();
        for (number, latency_us) in (1..=100).map(|number| (number, number * 1000)) {
            let mut call = shop.call(0, 0);
            call.latency_us = latency_us;
            if number > 90 {
                call.status = 503;
            }
            calls.push(call);
        }
        calls[0].status = 404;
        calls[1].status = 429;
        calls[1].refusal = Some(Code::RateLimited);
        calls[1].counted = false;
        calls[2].caller.as_mut().unwrap().application = ApplicationId::new(Uuid::now_v7());
        count(&world, &calls).await;
        let measures = [
            (Measure::Calls, 100.0),
            (Measure::Counted, 99.0),
            (Measure::Refused, 1.0),
            (Measure::ClientErrors, 1.0),
            (Measure::ServerErrors, 10.0),
            (Measure::ErrorRate, 0.1),
            (Measure::BytesIn, 1000.0),
            (Measure::BytesOut, 10_000.0),
            (Measure::LatencyTotalUs, 5_050_000.0),
            (Measure::LatencyMeanUs, 50_500.0),
            (Measure::LatencyP50Us, 50_000.0),
            (Measure::LatencyP90Us, 90_000.0),
            (Measure::LatencyP95Us, 95_000.0),
            (Measure::LatencyP99Us, 99_000.0),
            (Measure::Applications, 2.0),
        ];
        let query = AnalyticsQuery { measures: measures.iter().map(|(measure, _)| *measure).collect(), ..recent(1) };
        let answer = ask(&world, &world.acme, &query).await;
        assert_eq!(answer.resolution, Resolution::Minute);
        assert_eq!(answer.rows.len(), 1);
        for (measure, expected) in measures {
            let value = answer.rows[0].values[&measure];
            assert!((value - expected).abs() <= expected / 64.0, "{measure:?}: {value} for {expected}");
        }
        // No calls, no percentiles; but there is no row of nothing at all.
        let earlier = query_before(&query);
        assert_eq!(ask(&world, &world.acme, &earlier).await.rows, []);
    }

    async fn too_many_sums_are_not_read(url: String) {
        let world = World::new(&url).await;
        let shop = shop(&world).await;
        let calls: Vec<_> = (0..READ_MAX as u128)
            .map(|number| {
                let mut call = shop.call(0, 0);
                call.callee.as_mut().unwrap().operation = Some(OperationId::new(Uuid::from_u128(number)));
                call
            })
            .collect();
        count(&world, &calls).await;
        let by = |dimensions: &[Dimension]| AnalyticsQuery { dimensions: dimensions.to_vec(), ..recent(1) };
        // Of the API, they are one sum.
        assert_eq!(ask(&world, &world.acme, &by(&[])).await.rows.len(), 1);
        let refused = refusal(world.control.analytics(&world.acme, &by(&[Dimension::Operation])).await);
        assert_eq!(refused, ("request_invalid", vec!["/granularity".to_owned()]));
    }

    async fn rows_are_told_apart_and_filtered_by_dimensions(url: String) {
        let world = World::new(&url).await;
        let shop = shop(&world).await;
        let mut limited = shop.call(0, 0);
        limited.status = 429;
        limited.refusal = Some(Code::RateLimited);
        let mut gone = shop.call(0, 0);
        gone.status = 499;
        let mut anonymous = shop.call(1, 0);
        anonymous.caller = None;
        let mut green = shop.call(1, 0);
        let route = RouteId::new(Uuid::nil());
        let url = "http://10.0.0.7:8080";
        let workspace = world.workspace(&world.acme).await;
        let upstream = json!({ "name": "green", "targets": [{ "url": url }] });
        let upstream = world.make::<Upstream>(&world.acme, &workspace, upstream).await.unwrap();
        green.target = Some(upstream.spec.targets[0].id(upstream.id));
        // It is called so also when it is not there any more.
        let changed = json!({ "targets": [{ "url": "http://10.0.0.8" }] });
        world.control.update::<Upstream>(&world.acme, upstream.id, &changed, None).await.unwrap();
        green.variant = Some(Variant { route, name: "green".parse().unwrap() });
        count(&world, &[shop.call(0, 0), shop.call(0, 0), limited, gone, anonymous, green]).await;
        let by = |dimension: Dimension| AnalyticsQuery { dimensions: vec![dimension], ..recent(1) };

        let (first, second) = (shop.operations[0].to_string(), shop.operations[1].to_string());
        let answer = ask(&world, &world.acme, &by(Dimension::Operation)).await;
        assert_eq!(told(&answer), [(vec![&*first], 4.0), (vec![&*second], 2.0)]);
        assert_eq!(answer.names[&first], "list_pets");
        let api = shop.callee.api.to_string();
        let answer = ask(&world, &world.acme, &by(Dimension::Api)).await;
        assert_eq!((told(&answer), answer.names[&api].as_str()), (vec![(vec![&*api], 6.0)], "shop"));
        let table = [
            (Dimension::Status, vec![("200", 4.0), ("429", 1.0), ("499", 1.0)]),
            (Dimension::StatusClass, vec![("2xx", 4.0), ("4xx", 2.0)]),
            (Dimension::Code, vec![("", 5.0), ("rate_limited", 1.0)]),
            (Dimension::Side, vec![("upstream", 4.0), ("client", 1.0), ("gateway", 1.0)]),
        ];
        for (dimension, expected) in table {
            let answer = ask(&world, &world.acme, &by(dimension)).await;
            let mut found: BTreeMap<_, _> = told(&answer).into_iter().map(|(values, calls)| (values[0].to_owned(), calls)).collect();
            for (value, calls) in expected {
                assert_eq!(found.remove(value), Some(calls), "{dimension:?} {value}");
            }
            assert!(found.is_empty(), "{dimension:?} {found:?}");
        }
        let variant = format!("{route}/green");
        let answer = ask(&world, &world.acme, &by(Dimension::Variant)).await;
        assert_eq!(told(&answer), [(vec![""], 5.0), (vec![&*variant], 1.0)]);
        assert_eq!(answer.names[&variant], "green");
        let target = green.target.unwrap().to_string();
        let answer = ask(&world, &world.acme, &by(Dimension::Target)).await;
        assert_eq!(told(&answer), [(vec![""], 5.0), (vec![&*target], 1.0)]);
        assert_eq!(answer.names[&target], url);
        assert_eq!(answer.sources[0].provided, Some(Grain::Targets));
        // Whoever calls sees its own calls, and not which variant they got, or where they were sent.
        for own in [Dimension::Variant, Dimension::Target] {
            let answer = ask(&world, &world.globex, &by(own)).await;
            assert_eq!(told(&answer), [(vec![""], 5.0)]);
        }

        let filtered = |dimension, values: &[&str], exclude| AnalyticsQuery {
            filters: vec![DimensionFilter {
                dimension,
                values: values.iter().map(|value| (*value).to_owned()).collect(),
                exclude,
            }],
            ..recent(1)
        };
        let table = [
            (filtered(Dimension::Operation, &[&first], false), 4.0),
            (filtered(Dimension::Operation, &[&first], true), 2.0),
            (filtered(Dimension::Status, &["429", "499"], false), 2.0),
            (filtered(Dimension::Application, &[""], false), 1.0),
            (filtered(Dimension::Application, &["app"], false), 5.0),
            (filtered(Dimension::Application, &["app"], true), 1.0),
            (filtered(Dimension::Api, &["shop"], false), 6.0),
            (filtered(Dimension::Variant, &[&variant], false), 1.0),
            (filtered(Dimension::Target, &[url], false), 1.0),
            (filtered(Dimension::Target, &[&target], true), 5.0),
        ];
        for (query, calls) in table {
            assert_eq!(told(&ask(&world, &world.acme, &query).await), [(vec![], calls)], "{query:?}");
        }
    }

    async fn a_tenant_sees_its_own_only(url: String) {
        let world = World::new(&url).await;
        let shop = shop(&world).await;
        let mut other = shop.call(0, 0);
        other.caller = None;
        other.callee.as_mut().unwrap().organization = world.globex.organization.unwrap();
        count(&world, &[other, shop.call(0, 0), shop.call(0, 0)]).await;
        let query = AnalyticsQuery { dimensions: vec![Dimension::Api], ..recent(1) };
        let calls = async |caller| told(&ask(&world, caller, &query).await).iter().map(|(_, calls)| *calls).sum::<f64>();
        assert_eq!(calls(&world.acme).await, 2.0);
        // Its own API's and its own application's.
        assert_eq!(calls(&world.globex).await, 3.0);
        let anonymous = world.control.analytics(&Caller::anonymous(None), &query).await;
        assert!(anonymous.is_err());
    }

    async fn the_greatest_stand_alone_and_are_compared(url: String) {
        let world = World::new(&url).await;
        let shop = shop(&world).await;
        // The hours 0 and 1 have statuses 201 (5, then 1), 202 (2, then 4), 203 (1, then none).
        let mut calls = Vec::new();
        for (hour, counts) in [(0, [5, 2, 1]), (1, [1, 4, 0])] {
            for (status, count) in (201..).zip(counts) {
                let mut call = shop.call(0, hour);
                call.status = status;
                calls.extend(std::iter::repeat_n(call, count));
            }
        }
        count(&world, &calls).await;
        world.pass(Duration::from_hours(2));
        let to = Timestamp::from_micros(START + 2 * HOUR);
        let query = AnalyticsQuery {
            from: Timestamp::from_micros(START + HOUR),
            to: Some(to),
            dimensions: vec![Dimension::Status],
            granularity: Some(Granularity::Hour),
            compare: true,
            top: Some(Top { count: 1, by: Measure::Calls }),
            ..recent(1)
        };
        let answer = ask(&world, &world.acme, &query).await;
        let before = TimeRange { from: Timestamp::from_micros(START), to: query.from };
        assert_eq!(answer.previous, Some(before));
        let rows: Vec<_> = answer
            .rows
            .iter()
            .map(|row| {
                let previous = row.previous.as_ref().unwrap()[&Measure::Calls];
                let status = row.dimensions.get(&Dimension::Status).map(String::as_str);
                (row.time, status, row.others, row.values[&Measure::Calls], previous)
            })
            .collect();
        let time = Some(query.from);
        assert_eq!(rows, [(time, Some("202"), false, 4.0, 2.0), (time, None, true, 1.0, 6.0)]);
        // By hour, since minutes so old are gone.
        world.pass(MINUTES_KEPT);
        crate::jobs::tidy(&world.control).await.unwrap();
        let answer = ask(&world, &world.acme, &query).await;
        assert_eq!((answer.resolution, answer.rows.len()), (Resolution::Hour, 2));
        world.pass(HOURS_KEPT);
        crate::jobs::tidy(&world.control).await.unwrap();
        let mut tx = world.control.store().begin().await.unwrap();
        assert_eq!(tx.forget_series().await.unwrap(), 0);
        assert_eq!(tx.forget_rollups_before(Resolution::Hour, Timestamp::from_micros(i64::MAX)).await.unwrap(), 0);
    }
}

/// The same question about the hour before.
fn query_before(query: &AnalyticsQuery) -> AnalyticsQuery {
    AnalyticsQuery {
        from: Timestamp::from_micros(START - HOUR),
        to: Some(Timestamp::from_micros(START)),
        ..query.clone()
    }
}

#[test]
fn questions_are_read_strictly() {
    let read = |value: serde_json::Value| serde_json::from_value::<AnalyticsQuery>(value);
    let plain = json!({ "measures": ["calls"], "from": "2026-11-20T00:00:00Z" });
    assert_eq!(read(plain.clone()).unwrap().measures, [Measure::Calls]);
    for (name, value) in [
        ("granularity", json!("fortnight")),
        ("dimensions", json!(["shoe_size"])),
        ("limit", json!(5)),
    ] {
        let mut other = plain.clone();
        other[name] = value;
        assert!(read(other).is_err(), "{name}");
    }
}
