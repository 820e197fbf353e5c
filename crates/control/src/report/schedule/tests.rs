use std::time::Duration;

use domain::Timestamp;
use domain::alert::AlertChannel;
use domain::notice::{NoticeKind, NoticeState};
use domain::report::{ReportSchedule, ReportScheduleUse};
use serde_json::{Value, json};
use store::on_both;

use super::round;
use crate::fixture::{World, refusal};

async fn channel(world: &World) -> AlertChannel {
    let target = json!({ "kind": "webhook", "url": "https://hooks.example.com/reports" });
    let spec = json!({ "name": "team", "title": "Team", "target": target });
    world.make::<AlertChannel>(&world.acme, &(), spec).await.unwrap()
}

fn spec(fields: Value) -> Value {
    let mut spec = json!({
        "name": "weekly", "title": "The week", "report": "errors", "interval": "week", "channels": ["team"],
    });
    let Value::Object(fields) = fields else {
        panic!("fields are an object");
    };
    spec.as_object_mut().unwrap().extend(fields);
    spec
}

async fn make(world: &World, fields: Value) -> ReportSchedule {
    let spec = spec(fields);
    world
        .make::<ReportSchedule>(&world.acme, &(), spec)
        .await
        .unwrap()
}

async fn uses(world: &World, schedule: &ReportSchedule) -> ReportScheduleUse {
    let uses = world.control.report_schedule_uses(&[schedule.id]).await.unwrap();
    uses.into_values().next().unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Lets the clock go on to a moment.
fn until(world: &World, moment: &str) {
    let micros = at(moment).as_micros() - world.control.now().as_micros();
    world.pass(Duration::from_micros(u64::try_from(micros).unwrap()));
}

/// What is on its way to channels.
async fn bodies(world: &World) -> Vec<Value> {
    let now = world.control.now();
    let mut tx = world.control.store().begin().await.unwrap();
    let due = tx
        .claim_notices(now, now.after(Duration::from_hours(1)), 100)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    due.into_iter().map(|notice| notice.body).collect()
}

on_both! {
    async fn a_report_is_made_when_it_is_due_and_once(url: String) {
        let world = World::new(&url).await;
        channel(&world).await;
        let schedule = make(&world, json!({})).await;
        // A Thursday.
        assert_eq!(world.control.now(), at("2025-11-20T12:00:00Z"));
        assert!(!round(&world.control).await.unwrap());
        assert_eq!(uses(&world, &schedule).await.next_at, Some(at("2025-11-24T06:00:00Z")));
        until(&world, "2025-11-24T05:59:59Z");
        assert!(!round(&world.control).await.unwrap());
        until(&world, "2025-11-24T06:00:03Z");
        assert!(round(&world.control).await.unwrap());
        let sent = bodies(&world).await;
        assert_eq!(sent.len(), 1);
        assert_eq!((&sent[0]["type"], &sent[0]["data"]["schedule"]), (&json!("report.made"), &json!("weekly")));
        let report = &sent[0]["data"]["report"];
        let week = json!({ "from": "2025-11-17T00:00:00Z", "to": "2025-11-24T00:00:00Z" });
        assert_eq!((&report["name"], &report["period"]), (&json!("errors"), &week));
        assert_eq!(sent[0]["data"]["url"], "http://127.0.0.1:8081/console/reports/errors");
        let used = uses(&world, &schedule).await;
        let expected = ReportScheduleUse {
            next_at: Some(at("2025-12-01T06:00:00Z")),
            last_at: Some(at("2025-11-24T06:00:00Z")),
            error: None,
        };
        assert_eq!(used, expected);
        assert!(!round(&world.control).await.unwrap());
        let notices = world.control.report_notices(&world.acme, schedule.id).await.unwrap();
        assert_eq!(notices.len(), 1);
        assert_eq!((notices[0].kind, notices[0].state), (NoticeKind::Report, NoticeState::Waiting));

        // Nobody looked for two weeks: the last week counts.
        until(&world, "2025-12-09T12:00:00Z");
        assert!(round(&world.control).await.unwrap());
        assert!(!round(&world.control).await.unwrap());
        assert_eq!(uses(&world, &schedule).await.next_at, Some(at("2025-12-15T06:00:00Z")));
    }

    async fn two_control_planes_send_one_report(url: String) {
        let world = World::new(&url).await;
        channel(&world).await;
        make(&world, json!({ "interval": "day" })).await;
        round(&world.control).await.unwrap();
        until(&world, "2025-11-21T06:00:00Z");
        let (one, other) = tokio::join!(round(&world.control), round(&world.control));
        assert!(one.unwrap() ^ other.unwrap());
        assert_eq!(bodies(&world).await.len(), 1);
    }

    async fn changes_are_planned_anew(url: String) {
        let world = World::new(&url).await;
        channel(&world).await;
        let schedule = make(&world, json!({ "interval": "day" })).await;
        round(&world.control).await.unwrap();
        let change = async |patch: Value| {
            world.control.update::<ReportSchedule>(&world.acme, schedule.id, &patch, None).await.unwrap();
            round(&world.control).await.unwrap()
        };
        change(json!({ "hour": 14 })).await;
        assert_eq!(uses(&world, &schedule).await.next_at, Some(at("2025-11-20T14:00:00Z")));
        // Who changes it just before it is looked has it sent all the same, and once.
        until(&world, "2025-11-20T14:00:01Z");
        change(json!({ "title": "Each day" })).await;
        until(&world, "2025-11-20T14:00:02Z");
        round(&world.control).await.unwrap();
        change(json!({ "title": "Daily" })).await;
        round(&world.control).await.unwrap();
        assert_eq!(bodies(&world).await.len(), 1);
        change(json!({ "paused": true })).await;
        until(&world, "2025-11-25T12:00:00Z");
        assert!(!round(&world.control).await.unwrap());
        change(json!({ "paused": false })).await;
        assert_eq!(uses(&world, &schedule).await.next_at, Some(at("2025-11-25T14:00:00Z")));
    }

    async fn one_that_cannot_be_planned_does_not_hold_up_others(url: String) {
        let world = World::new(&url).await;
        channel(&world).await;
        // Whole hours from UTC in summer, and half an hour more in winter.
        let zone = json!({ "name": "island", "interval": "day", "time_zone": "Australia/Lord_Howe" });
        let island = make(&world, zone).await;
        round(&world.control).await.unwrap();
        world.pass(Duration::from_secs(60));
        make(&world, json!({ "interval": "day" })).await;
        round(&world.control).await.unwrap();
        until(&world, "2026-04-10T12:00:00Z");
        assert!(round(&world.control).await.unwrap());
        let sent = bodies(&world).await;
        assert_eq!(sent.iter().map(|body| &body["data"]["schedule"]).collect::<Vec<_>>(), ["weekly"]);
        let why = uses(&world, &island).await.error.unwrap();
        assert_eq!(why, "`time_zone`: there is no such time zone, or it is not whole hours from UTC.");
    }

    async fn a_report_can_be_sent_now(url: String) {
        let world = World::new(&url).await;
        channel(&world).await;
        let schedule = make(&world, json!({ "report": "quotas", "format": "csv", "interval": "month" })).await;
        let sent = world.control.send_report(&world.acme, schedule.id).await.unwrap();
        assert_eq!((sent.len(), sent[0].channel.as_str()), (1, "team"));
        let body = &bodies(&world).await[0]["data"];
        assert_eq!((&body["report"]["name"], &body["format"]), (&json!("quotas"), &json!("csv")));
        let other = world.control.send_report(&world.globex, schedule.id).await;
        assert_eq!(refusal(other).0, "not_found");
    }

    async fn what_could_not_be_made_is_refused_when_it_is_saved(url: String) {
        let world = World::new(&url).await;
        let channel = channel(&world).await;
        for (fields, pointer) in [
            (json!({ "report": "quotas", "api": "shop" }), "/api"),
            (json!({ "report": "nothing" }), "/report"),
            (json!({ "capacity": 5.0 }), "/capacity"),
            (json!({ "report": "forecast", "capacity": 0.0 }), "/capacity"),
            (json!({ "monthly_cost": 5.0 }), "/monthly_cost"),
            (json!({ "report": "costs", "monthly_cost": 0.0 }), "/monthly_cost"),
            (json!({ "hour": 24 }), "/hour"),
            (json!({ "time_zone": "Asia/Kolkata" }), "/time_zone"),
            (json!({ "channels": [] }), "/channels"),
            (json!({ "channels": ["nobody"] }), "/channels/0"),
        ] {
            let refused = world.make::<ReportSchedule>(&world.acme, &(), spec(fields.clone())).await;
            assert_eq!(refusal(refused), ("request_invalid", vec![pointer.to_owned()]), "{fields}");
        }
        let schedule = make(&world, json!({})).await;
        let refused = world.control.delete::<AlertChannel>(&world.acme, channel.id, None).await;
        assert_eq!(refusal(refused).0, "in_use");
        world.control.delete::<ReportSchedule>(&world.acme, schedule.id, None).await.unwrap();
        world.control.delete::<AlertChannel>(&world.acme, channel.id, None).await.unwrap();
    }
}
