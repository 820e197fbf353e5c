use std::time::Duration;

use domain::catalog::{Stage, Version};
use domain::id::{ApiId, OrganizationId};
use domain::identity::Role;
use domain::offer::Plan;
use domain::report::{CostBy, Report, ReportCell, ReportContent, ReportDefinition, ReportName, ReportUnit};
use domain::time::HOUR_MICROS;
use domain::{Code, Timestamp};
use events::{Batch, Call, Event, Sink as _};
use serde_json::json;
use store::on_both;
use uuid::Uuid;

use super::{ReportQuery, write_csv};
use crate::Caller;
use crate::fixture::{World, detail, member, refusal};
use crate::usage::tests::{START, Shop, node, shop};

const DAY: Duration = Duration::from_hours(24);
const HOUR: Duration = Duration::from_hours(1);

/// Counts calls that began so long ago.
async fn count(world: &World, shop: &Shop, ago: Duration, (status, calls): (u16, usize)) {
    let call = Call {
        started_at: world.control.now().before(ago),
        status,
        ..shop.call(0, 0)
    };
    count_all(world, &vec![call; calls]).await;
}

async fn count_all(world: &World, calls: &[Call]) {
    let counter = world.control.usage_counter();
    for calls in calls.chunks(4000) {
        let events: Vec<_> = calls.iter().copied().map(Event::Call).collect();
        counter.commit(node(), &[Batch::of(1, &events)]).await.unwrap();
    }
}

/// A call to another API of the same provider, which has no name.
fn other(shop: &Shop) -> Call {
    let mut call = shop.call(0, 0);
    if let Some(callee) = call.callee.as_mut() {
        callee.api = ApiId::new(Uuid::from_u128(7));
    }
    call
}

async fn report(world: &World, caller: &Caller, name: ReportName) -> Report {
    let query = ReportQuery::default();
    world.control.report(caller, name, &query).await.unwrap()
}

/// The value of a figure.
fn figure<'a>(report: &'a Report, name: &str) -> &'a ReportCell {
    let figures = report
        .sections
        .iter()
        .filter_map(|section| match &section.content {
            ReportContent::Figures { figures } => Some(figures),
            _ => None,
        });
    let found = figures.flatten().find(|figure| figure.name == name);
    &found.unwrap_or_else(|| panic!("{name}: {report:?}")).value
}

/// Cells of a table as text, of these columns.
fn rows(report: &Report, section: &str, wanted: &[&str]) -> Vec<Vec<String>> {
    let found = report.sections.iter().find(|each| each.name == section);
    let ReportContent::Table { columns, rows, .. } = &found.unwrap().content else {
        panic!("{section} is no table");
    };
    let places = wanted.iter().map(|name| {
        let place = columns.iter().position(|column| column.name == *name);
        place.unwrap_or_else(|| panic!("{name}: {columns:?}"))
    });
    let places: Vec<_> = places.collect();
    let cells = |cells: &[ReportCell]| places.iter().map(|place| text(&cells[*place])).collect();
    for row in rows {
        assert_eq!(row.cells.len(), columns.len());
    }
    rows.iter().map(|row| cells(&row.cells)).collect()
}

fn text(cell: &ReportCell) -> String {
    match (cell.number, &cell.text) {
        (Some(number), _) => number.to_string(),
        (None, text) => text.clone().unwrap_or_default(),
    }
}

/// Checks that every part has what its form promises.
fn is_whole(report: &Report) {
    let mut names: Vec<_> = report.sections.iter().map(|section| &section.name).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), report.sections.len(), "names are unique");
    for section in &report.sections {
        if let ReportContent::Table { columns, .. } = &section.content {
            let titles: std::collections::BTreeSet<_> = columns.iter().map(|column| &column.title).collect();
            assert_eq!(titles.len(), columns.len(), "titles are unique: {columns:?}");
        }
        if let ReportContent::Course { at, lines, .. } = &section.content {
            assert!(at.is_sorted(), "{section:?}");
            for line in lines {
                assert_eq!(line.values.len(), at.len(), "{section:?}");
            }
        }
    }
}

on_both! {
    async fn every_report_can_be_made_of_nothing(url: String) {
        let world = World::new(&url).await;
        let told = world.control.reports(&world.acme).await.unwrap().data;
        assert_eq!(told.len(), ReportName::ALL.len());
        for name in ReportName::ALL {
            assert_eq!(name.as_str().parse(), Ok(*name));
            let report = report(&world, &world.acme, *name).await;
            is_whole(&report);
            assert!(!write_csv(&report, None).unwrap().is_empty());
        }
    }

    async fn hours_that_were_not_usual_are_told(url: String) {
        let world = World::new(&url).await;
        let shop = shop(&world).await;
        let now = world.control.now();
        count(&world, &shop, HOUR, (200, 1)).await;
        let early = report(&world, &world.acme, ReportName::Anomalies).await;
        let ReportContent::Table { nothing, .. } = &early.sections[1].content else {
            panic!("{early:?}");
        };
        assert_eq!(nothing, "Calls are known of 0 days; 7 are needed to say what is usual.");

        let mut calls = Vec::new();
        for ago in 2..21 * 24_u32 {
            // Of two APIs, which differ in nothing else.
            for (number, version) in [shop.call(0, 0), other(&shop)].into_iter().enumerate() {
                let many = match (ago, number) {
                    (100..=102, 1) => 3,
                    _ => 40 + ago * 7 % 5,
                };
                for call in 0..many {
                    calls.push(Call {
                        started_at: now.hour().before(HOUR * (ago - 1)),
                        status: if ago == 200 && call % 2 == 0 { 503 } else { 200 },
                        latency_us: if ago == 50 { 900_000 } else { 10_000 + u64::from(call) * 100 },
                        ..version
                    });
                }
            }
        }
        count_all(&world, &calls).await;
        let told = report(&world, &world.acme, ReportName::Anomalies).await;
        is_whole(&told);
        let hour = |ago: u32| now.hour().before(HOUR * (ago - 1)).to_string();
        let columns = ["direction", "since", "hours", "value"];
        let traffic = rows(&told, "traffic", &["api", "direction", "since", "hours", "value"]);
        let outage = ["Less", &hour(102), "3", "3"].map(str::to_owned);
        let of_other = traffic.iter().find(|row| row[1..] == outage);
        let of_other = of_other.unwrap_or_else(|| panic!("{traffic:?}"));
        let other_api = other(&shop).callee.unwrap().api.to_string();
        assert_eq!(of_other[0], other_api);
        // All calls were fewer as well, and those of the other API as always.
        assert_eq!(traffic.len(), 2, "{traffic:?}");
        assert!(traffic.iter().any(|row| row[0] == "All" && row[1] == "Less"), "{traffic:?}");
        let failed = rows(&told, "errors", &columns);
        assert_eq!(failed.len(), 3, "{failed:?}");
        assert!(failed.iter().all(|row| row[..3] == ["More", &hour(200), "1"]), "{failed:?}");
        let slow = rows(&told, "latency", &columns);
        assert_eq!(slow.len(), 3, "{slow:?}");
        assert!(slow.iter().all(|row| row[..3] == ["More", &hour(50), "1"]), "{slow:?}");
        assert_eq!(figure(&told, "errors").number, Some(3.0));
    }

    async fn traffic_is_told_by_what_made_it(url: String) {
        let world = World::new(&url).await;
        let shop = shop(&world).await;
        count(&world, &shop, DAY * 40, (200, 4)).await;
        count(&world, &shop, DAY * 2, (200, 6)).await;
        count(&world, &shop, HOUR, (503, 2)).await;
        for caller in [&world.acme, &world.globex] {
            let report = report(&world, caller, ReportName::Traffic).await;
            is_whole(&report);
            assert_eq!(figure(&report, "calls").number, Some(8.0));
            assert_eq!(figure(&report, "error_rate").number, Some(0.25));
            assert_eq!(rows(&report, "apis", &["name", "calls"]), [["shop", "8"]]);
            assert_eq!(rows(&report, "applications", &["name", "calls", "error_rate"]), [["app", "8", "0.25"]]);
            let ReportContent::Figures { figures } = &report.sections[0].content else { panic!("{report:?}") };
            assert_eq!(figures[0].previous, Some(4.0));
            let ReportContent::Course { at, lines, .. } = &report.sections[1].content else { panic!("{report:?}") };
            assert_eq!(at.len(), 31, "days");
            let sum: f64 = lines[0].values.iter().filter_map(|cell| cell.number).sum();
            assert!((sum - 8.0).abs() < 1e-9, "{lines:?}");
        }
        let stranger = member(OrganizationId::new(Uuid::now_v7()), Role::Owner);
        let other = world.control.report(&stranger, ReportName::Traffic, &ReportQuery::default()).await.unwrap();
        assert_eq!(figure(&other, "calls").number, Some(0.0));
    }

    async fn errors_are_told_with_their_causes(url: String) {
        let world = World::new(&url).await;
        let shop = shop(&world).await;
        count(&world, &shop, DAY * 31, (503, 1)).await;
        count(&world, &shop, DAY * 3, (503, 5)).await;
        count(&world, &shop, HOUR, (503, 5)).await;
        count(&world, &shop, HOUR, (200, 90)).await;
        let moment = world.control.now();
        world.pass(Duration::from_secs(60));
        let refused = Call {
            started_at: moment,
            status: 429,
            refusal: Some(Code::RateLimited),
            counted: false,
            ..shop.call(0, 0)
        };
        count_all(&world, &[refused; 3]).await;
        let gone = Call { status: 499, started_at: moment, ..shop.call(1, 0) };
        count_all(&world, &[gone]).await;
        let report = report(&world, &world.acme, ReportName::Errors).await;
        is_whole(&report);
        let columns = ["what", "side", "status", "operation", "calls", "before", "applications", "since"];
        let since = |ago: Duration| world.control.now().before(ago).hour().to_string();
        let (days, now) = (since(DAY * 3), since(Duration::ZERO));
        let gone = "The client went away before the answer";
        let expected = [
            ["The service answered 503", "Service", "503", "list_pets", "10", "1", "1", &days],
            [Code::RateLimited.title(), "Gateway", "429", "list_pets", "3", "0", "1", &now],
            [gone, "Client", "499", "read_pet", "1", "0", "1", &now],
        ];
        assert_eq!(rows(&report, "causes", &columns), expected);
        let affected = ["application", "organization", "failed", "calls"];
        assert_eq!(rows(&report, "affected", &affected), [["app", "globex", "14", "104"]]);
    }

    async fn adoption_goes_from_subscribing_to_calling_regularly(url: String) {
        let world = World::new(&url).await;
        let shop = shop(&world).await;
        let adoption = async || {
            let report = report(&world, &world.acme, ReportName::Adoption).await;
            is_whole(&report);
            report
        };
        let funnel = |report: &Report| -> Vec<String> {
            rows(report, "funnel", &["applications"]).concat()
        };
        world.pass(HOUR);
        let report = adoption().await;
        assert_eq!(funnel(&report), ["1", "0", "0", "0", "0"]);
        assert_eq!(rows(&report, "stuck", &["application", "organization", "stage"]), [["app", "globex", "Subscribed"]]);
        count(&world, &shop, Duration::ZERO, (401, 1)).await;
        let report = adoption().await;
        assert_eq!(funnel(&report), ["1", "1", "1", "0", "0"]);
        assert_eq!(rows(&report, "stuck", &["stage"]), [["First call"]]);
        world.pass(HOUR);
        count(&world, &shop, Duration::ZERO, (200, 1)).await;
        // What comes late and was earlier counts as the first.
        count(&world, &shop, Duration::from_secs(1800), (200, 1)).await;
        let report = adoption().await;
        assert_eq!(funnel(&report), ["1", "1", "1", "1", "0"]);
        assert_eq!(figure(&report, "time_to_first_call").number, Some(5400.0));
        for _ in 0..4 {
            world.pass(DAY);
            count(&world, &shop, Duration::ZERO, (200, 1)).await;
        }
        let report = adoption().await;
        assert_eq!(funnel(&report), ["1", "1", "1", "1", "1"]);
        assert_eq!(rows(&report, "stuck", &["stage"]), Vec::<Vec<String>>::new());
        // A consumer sees who subscribed to what it offers: nobody.
        let other = world.control.report(&world.globex, ReportName::Adoption, &ReportQuery::default()).await.unwrap();
        assert_eq!(funnel(&other), ["0", "0", "0", "0", "0"]);
        let of_api = ReportQuery { api: Some("nothing".to_owned()), ..ReportQuery::default() };
        let other = world.control.report(&world.acme, ReportName::Adoption, &of_api).await.unwrap();
        assert_eq!(funnel(&other), ["0", "0", "0", "0", "0"]);
    }

    async fn consumers_are_told_by_what_becomes_of_them(url: String) {
        let world = World::new(&url).await;
        let shop = shop(&world).await;
        let one = world.application(&world.globex, "silent").await;
        let two = world.application(&world.globex, "fresh").await;
        let of = |application: &domain::consumer::Application, ago: Duration| {
            let mut call = shop.call(0, 0);
            call.caller.as_mut().unwrap().application = application.id;
            call.started_at = world.control.now().before(ago);
            call
        };
        count(&world, &shop, DAY * 40, (200, 10)).await;
        count(&world, &shop, DAY * 2, (200, 4)).await;
        count_all(&world, &[of(&one, DAY * 35), of(&one, DAY * 36), of(&two, DAY), of(&two, HOUR)]).await;
        let report = report(&world, &world.acme, ReportName::Consumers).await;
        let columns = ["application", "segment", "calls", "before", "days"];
        let expected = [
            ["app", "Fades", "4", "10", "1"],
            ["fresh", "New", "2", "0", "2"],
            ["silent", "Silent", "0", "2", "0"],
        ];
        assert_eq!(rows(&report, "consumers", &columns), expected);
        assert_eq!(rows(&report, "at_risk", &["application"]), [["app"], ["silent"]]);
        assert_eq!(figure(&report, "churn").number, Some(0.5));
        assert_eq!(rows(&report, "segments", &["segment", "applications"])[5], ["Silent", "1"]);
    }

    async fn who_calls_what_ends_is_told(url: String) {
        let world = World::new(&url).await;
        let shop = shop(&world).await;
        count(&world, &shop, DAY, (200, 3)).await;
        let before = report(&world, &world.acme, ReportName::Versions).await;
        assert_eq!(rows(&before, "versions", &["version"]), Vec::<Vec<String>>::new());
        let ends = json!({ "stage": "deprecated", "sunset_at": "2026-01-31T00:00:00Z" });
        let version = shop.callee.version;
        let version = world.control.update::<Version>(&world.acme, version, &ends, None).await.unwrap();
        assert_eq!(version.spec.stage, Stage::Deprecated);
        for caller in [&world.acme, &world.globex] {
            let report = report(&world, caller, ReportName::Versions).await;
            let columns = ["api", "version", "stage", "sunset_at", "calls", "callers"];
            let expected = ["shop", &version.spec.name, "Deprecated", "2026-01-31T00:00:00Z", "3", "1"];
            assert_eq!(rows(&report, "versions", &columns), [expected]);
            let columns = ["application", "organization", "operation", "calls"];
            assert_eq!(rows(&report, "callers", &columns), [["app", "globex", "All of the version", "3"]]);
        }
    }

    async fn promises_of_plans_are_checked(url: String) {
        let world = World::new(&url).await;
        let shop = shop(&world).await;
        let plan = shop.caller.subscribed.unwrap().plan;
        let promise = |level: serde_json::Value| json!({ "service_level": level });
        for (level, field) in [
            (json!({}), "/service_level"),
            (json!({ "availability": 1.0 }), "/service_level/availability"),
            (json!({ "latency_p95_ms": 0 }), "/service_level/latency_p95_ms"),
        ] {
            let refused = world.control.update::<Plan>(&world.acme, plan, &promise(level), None).await;
            assert_eq!(refusal(refused), ("request_invalid", vec![field.to_owned()]));
        }
        let level = promise(json!({ "availability": 0.9, "latency_p95_ms": 300 }));
        let plan = world.control.update::<Plan>(&world.acme, plan, &level, None).await.unwrap();
        count(&world, &shop, DAY * 5, (503, 5)).await;
        count(&world, &shop, DAY * 2, (200, 95)).await;
        let found = report(&world, &world.acme, ReportName::ServiceLevels).await;
        let columns = ["plan", "kept", "calls", "availability", "promised", "promised_latency", "broken_days"];
        let title = plan.spec.title.as_str();
        assert_eq!(rows(&found, "plans", &columns), [[title, "Kept", "100", "0.95", "0.9", "300000", "1"]]);
        assert_eq!(rows(&found, "days", &["calls", "availability"]), [["5", "0"]]);
        assert_eq!(rows(&found, "consumers", &["application"]), Vec::<Vec<String>>::new());
        // Half of all calls are slow now.
        let slow = Call { latency_us: 900_000, started_at: world.control.now(), ..shop.call(0, 0) };
        count_all(&world, &[slow; 100]).await;
        world.pass(Duration::from_secs(60));
        let found = report(&world, &world.acme, ReportName::ServiceLevels).await;
        assert_eq!(rows(&found, "plans", &["kept", "broken_days"]), [["Broken", "2"]]);
        assert_eq!(rows(&found, "consumers", &["application"]), [["app"]]);
        assert_eq!(figure(&found, "broken").number, Some(1.0));
    }

    async fn quotas_are_told_with_what_will_be_of_them(url: String) {
        let world = World::new(&url).await;
        let shop = shop(&world).await;
        let plan = shop.caller.subscribed.unwrap().plan;
        let quota = json!({ "quota": { "requests": 100, "period": "day" } });
        world.control.update::<Plan>(&world.acme, plan, &quota, None).await.unwrap();
        // At noon, three quarters are used.
        count(&world, &shop, HOUR, (200, 75)).await;
        for caller in [&world.acme, &world.globex] {
            let report = report(&world, caller, ReportName::Quotas).await;
            let columns = ["application", "period", "used", "quota", "share", "expected", "used_up_at", "ends_at"];
            let (reached, ends) = ("2025-11-20T16:00:00Z", "2025-11-21T00:00:00Z");
            assert_eq!(rows(&report, "quotas", &columns), [["app", "Day", "75", "100", "0.75", "1.5", reached, ends]]);
            assert_eq!(figure(&report, "will_be").number, Some(1.0));
        }
        let query = ReportQuery { application: Some("another".to_owned()), ..ReportQuery::default() };
        let none = world.control.report(&world.acme, ReportName::Quotas, &query).await.unwrap();
        assert_eq!(figure(&none, "quotas").number, Some(0.0));
    }

    async fn what_comes_is_told_with_its_bounds(url: String) {
        let world = World::new(&url).await;
        let shop = shop(&world).await;
        let mut calls = Vec::new();
        for ago in 1..=30_u32 {
            let started_at = world.control.now().before(DAY * ago);
            let often = 60 - ago as usize + 5 * (ago as usize % 7);
            calls.extend(std::iter::repeat_n(Call { started_at, ..shop.call(0, 0) }, often));
        }
        count_all(&world, &calls).await;
        let query = ReportQuery { capacity: Some(70.0), ..ReportQuery::default() };
        let report = world.control.report(&world.acme, ReportName::Forecast, &query).await.unwrap();
        is_whole(&report);
        let of = |name| figure(&report, name).number.unwrap();
        assert!(of("lower") < of("next") && of("next") < of("upper"), "{report:?}");
        assert!((1300.0..4000.0).contains(&of("next")), "{report:?}");
        let moment = |name| figure(&report, name).text.clone().unwrap().parse::<Timestamp>().unwrap();
        assert!(moment("reached_earliest") <= moment("reached_at"), "{report:?}");
        assert!(moment("reached_earliest") >= world.control.now().before(DAY), "{report:?}");
        let ReportContent::Course { at, lines, .. } = &report.sections[1].content else { panic!("{report:?}") };
        // The first day is not known as a whole.
        assert_eq!((at.len(), lines.len()), (29 + 30, 5));
    }

    async fn costs_are_shared_out_by_what_causes_them(url: String) {
        let world = World::new(&url).await;
        let shop = shop(&world).await;
        // Three quarters of the time are those of one call, which fails.
        let mut slow = shop.call(1, 0);
        (slow.latency_us, slow.bytes_out, slow.status) = (9000, 0, 503);
        let mut stranger = shop.call(1, 0);
        (stranger.caller, stranger.counted) = (None, false);
        count_all(&world, &[shop.call(0, 0), shop.call(0, 0), stranger, slow]).await;
        let begin = Timestamp::from_micros(START);
        let hour = ReportQuery {
            from: Some(begin),
            to: Some(Timestamp::from_micros(START + HOUR_MICROS)),
            // The costs of this hour are 4.
            monthly_cost: Some(4.0 * 365.25 * 2.0),
            ..ReportQuery::default()
        };
        let costs = |query: ReportQuery| {
            let world = &world;
            async move {
                let report = world.control.report(&world.acme, ReportName::Costs, &query).await.unwrap();
                is_whole(&report);
                report
            }
        };
        let near = |cell: &ReportCell, expected: f64| (cell.number.unwrap() - expected).abs() < 1e-9;
        let report = costs(hour.clone()).await;
        let of = |name| figure(&report, name);
        assert!(near(of("cost"), 4.0) && near(of("per_call"), 1000.0), "{report:?}");
        assert!(near(of("per_counted"), 4000.0 / 3.0) && near(of("failed_cost"), 3.0), "{report:?}");
        assert!(near(of("failed"), 0.75) && near(of("caused"), 12_000.0), "{report:?}");
        let operations = rows(&report, "operations", &["name", "calls", "share", "cost"]);
        assert_eq!(operations[0][1..], ["2", "0.8333333333333334", "3.3333333333333335"]);
        assert_eq!(operations[1][1..], ["2", "0.16666666666666666", "0.6666666666666666"]);
        let consumers = rows(&report, "consumers", &["name", "calls", "cost"]);
        assert_eq!(consumers, [["globex", "3", "3.6666666666666665"], ["None", "1", "0.3333333333333333"]]);

        let by_calls = ReportQuery { cost_by: Some(CostBy::Calls), ..hour.clone() };
        let consumers = rows(&costs(by_calls).await, "consumers", &["name", "cost"]);
        assert_eq!(consumers, [["globex", "3"], ["None", "1"]]);
        let by_bytes = ReportQuery { cost_by: Some(CostBy::BytesOut), ..hour.clone() };
        let operations = rows(&costs(by_bytes).await, "operations", &["caused", "share"]);
        assert_eq!(operations, [["200", "0.6666666666666666"], ["100", "0.3333333333333333"]]);
        // Without costs, the shares; without calls, nothing to share.
        let report = costs(ReportQuery { monthly_cost: None, ..hour.clone() }).await;
        let ReportContent::Figures { figures } = &report.sections[0].content else { panic!("{report:?}") };
        assert!(figures.iter().all(|figure| figure.unit != ReportUnit::Amount), "{figures:?}");
        let nobody = ReportQuery { application: Some("nobody".to_owned()), ..hour };
        let report = costs(nobody).await;
        assert_eq!(figure(&report, "per_call").number, None);
    }

    async fn what_a_report_does_not_look_at_is_refused(url: String) {
        let world = World::new(&url).await;
        let moment = |text: &str| Some(text.parse().unwrap());
        let all = |name, query: ReportQuery| {
            let world = &world;
            async move { detail(world.control.report(&world.acme, name, &query).await) }
        };
        let api = ReportQuery { api: Some("shop".to_owned()), ..ReportQuery::default() };
        let why = all(ReportName::Quotas, api).await;
        assert_eq!(why, "parameter_invalid: `api`: The report `quotas` does not look at it. Leave it out.");
        let order = ReportQuery { from: moment("2025-11-20T00:00:00Z"), to: moment("2025-11-19T00:00:00Z"), ..ReportQuery::default() };
        assert!(all(ReportName::Traffic, order).await.contains("`to`: It is not after"), "order");
        let long = ReportQuery { from: moment("2025-01-01T00:00:00Z"), ..ReportQuery::default() };
        assert!(all(ReportName::Traffic, long).await.contains("`from`: A report is about 200 days at the most"), "long");
        let old = ReportQuery { from: moment("2020-01-01T00:00:00Z"), to: moment("2020-01-02T00:00:00Z"), ..ReportQuery::default() };
        assert!(all(ReportName::Traffic, old).await.contains("`from`: Sums of calls are kept for 400 days"), "old");
        let zone = ReportQuery { time_zone: Some("Mars/Olympus".to_owned()), ..ReportQuery::default() };
        assert!(all(ReportName::Errors, zone).await.contains("`time_zone`: There is no such time zone"), "zone");
        let nothing = ReportQuery { capacity: Some(0.0), ..ReportQuery::default() };
        assert!(all(ReportName::Forecast, nothing).await.contains("`capacity`: It is not more than 0"), "capacity");
        let nothing = ReportQuery { monthly_cost: Some(-1.0), ..ReportQuery::default() };
        assert!(all(ReportName::Costs, nothing).await.contains("`monthly_cost`: It is not more than 0"), "costs");
        let by = ReportQuery { cost_by: Some(CostBy::Calls), ..ReportQuery::default() };
        assert!(all(ReportName::Traffic, by).await.contains("`cost_by`: The report `traffic` does not"), "cause");
    }

    async fn reports_of_ones_own_ask_what_they_say(url: String) {
        let world = World::new(&url).await;
        let shop = shop(&world).await;
        count(&world, &shop, DAY * 40, (200, 4)).await;
        count(&world, &shop, DAY * 2, (200, 6)).await;
        count(&world, &shop, HOUR, (503, 2)).await;
        let only = json!([{ "dimension": "status_class", "values": ["5xx"] }]);
        let parts = json!([
            { "name": "sums", "title": "Sums", "measures": ["calls", "error_rate"] },
            { "name": "who", "title": "Who", "measures": ["calls"], "dimensions": ["application", "status"] },
            { "name": "failed", "title": "Failed", "measures": ["calls"], "dimensions": ["operation"], "filters": only },
            { "name": "course", "title": "Course", "measures": ["calls", "refused"], "over_time": true },
            { "name": "groups", "title": "Groups", "measures": ["calls"], "dimensions": ["status"], "over_time": true },
        ]);
        let spec = json!({ "name": "ours", "title": "Ours", "about": "What we ask.", "parts": parts });
        let definition = world.make::<ReportDefinition>(&world.acme, &(), spec).await.unwrap();
        let listed = world.control.reports(&world.acme).await.unwrap().data;
        let last = listed.last().unwrap();
        assert_eq!((last.name.as_str(), last.definition_id), ("ours", Some(definition.id)));
        let query = ReportQuery::default();
        let found = world.control.report(&world.acme, "ours", &query).await.unwrap();
        is_whole(&found);
        assert_eq!((found.name.as_str(), found.about.as_str()), ("ours", "What we ask."));
        assert_eq!(figure(&found, "calls").number, Some(8.0));
        let ReportContent::Figures { figures } = &found.sections[0].content else { panic!("{found:?}") };
        assert_eq!(figures[0].previous, Some(4.0));
        assert_eq!(rows(&found, "who", &["application", "status", "calls"]), [["app", "200", "6"], ["app", "503", "2"]]);
        assert_eq!(rows(&found, "failed", &["operation", "calls"]), [["list_pets", "2"]]);
        let ReportContent::Course { lines, .. } = &found.sections[3].content else { panic!("{found:?}") };
        assert_eq!(lines.iter().map(|line| line.title.as_str()).collect::<Vec<_>>(), ["Calls", "Refused"]);
        let ReportContent::Course { lines, .. } = &found.sections[4].content else { panic!("{found:?}") };
        let sums: Vec<f64> = lines.iter().map(|line| line.values.iter().filter_map(|cell| cell.number).sum()).collect();
        assert_eq!(lines.iter().map(|line| line.title.as_str()).collect::<Vec<_>>(), ["200", "503"]);
        assert!((sums[0] - 6.0).abs() < 1e-9 && (sums[1] - 2.0).abs() < 1e-9, "{sums:?}");
        // It is of those who made it, and what is asked about it goes on to its questions.
        let other = world.control.report(&world.globex, "ours", &query).await;
        assert_eq!(refusal(other).0, "not_found");
        let of_api = ReportQuery { api: Some("nothing".to_owned()), ..query };
        let none = world.control.report(&world.acme, "ours", &of_api).await.unwrap();
        assert_eq!(figure(&none, "calls").number, Some(0.0));
    }

    async fn reports_that_could_not_be_made_are_refused(url: String) {
        let world = World::new(&url).await;
        let part = |fields: serde_json::Value| {
            let mut part = json!({ "name": "one", "title": "One", "measures": ["calls"] });
            part.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            part
        };
        let made = async |name: &str, parts: serde_json::Value| {
            let spec = json!({ "name": name, "title": "Ours", "parts": parts });
            world.make::<ReportDefinition>(&world.acme, &(), spec).await
        };
        assert_eq!(refusal(made("traffic", json!([part(json!({}))])).await).1, ["/name"]);
        for (parts, pointer) in [
            (json!([]), "/parts"),
            (json!([part(json!({})), part(json!({}))]), "/parts/1/name"),
            (json!([part(json!({ "measures": [] }))]), "/parts/0/measures"),
            (json!([part(json!({ "measures": ["calls", "calls"] }))]), "/parts/0/measures"),
            (json!([part(json!({ "measures": ["calls", "error_rate"], "over_time": true }))]), "/parts/0/measures"),
            (json!([part(json!({ "dimensions": ["api", "plan"], "over_time": true }))]), "/parts/0/dimensions"),
            (json!([part(json!({ "dimensions": ["api"], "top": 9, "over_time": true }))]), "/parts/0/top"),
            (json!([part(json!({ "dimensions": ["target", "operation"] }))]), "/parts/0/dimensions"),
            (json!([part(json!({ "filters": [{ "dimension": "api", "values": [] }] }))]), "/parts/0/filters/0/values"),
        ] {
            let refused = made("ours", parts.clone()).await;
            assert_eq!(refusal(refused), ("request_invalid", vec![pointer.to_owned()]), "{parts}");
        }
    }
}
