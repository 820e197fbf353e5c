use std::time::Duration;

use domain::Timestamp;
use domain::alert::{Alert, AlertChannel, AlertRule, AlertSilence, AlertState};
use domain::notice::{NoticeKind, NoticeState};
use events::{Batch, Call, Event, Sink as _};
use serde_json::{Value, json};
use store::on_both;

use super::{anomaly, engine};
use crate::fixture::{World, from, refusal};
use crate::resource::ListQuery;
use crate::usage::tests::{Shop, node, shop};
use crate::{Caller, Control};

const MINUTE: Duration = Duration::from_secs(60);

fn now(world: &World) -> Timestamp {
    world.control.now()
}

/// Counts so many calls with this status that began just now.
async fn count(world: &World, shop: &Shop, status: u16, calls: usize) {
    count_at(world, shop, (now(world), status), calls).await;
}

async fn count_at(world: &World, shop: &Shop, (at, status): (Timestamp, u16), calls: usize) {
    let call = |_| {
        Event::Call(Call {
            started_at: at,
            status,
            ..shop.call(0, 0)
        })
    };
    let events: Vec<_> = (0..calls).map(call).collect();
    let counter = world.control.usage_counter();
    counter.commit(node(), &[Batch::of(1, &events)]).await.unwrap();
}

async fn round(control: &Control) {
    engine::round(control, &mut anomaly::Cache::default())
        .await
        .unwrap();
}

async fn alerts(world: &World, caller: &Caller) -> Vec<Alert> {
    world
        .control
        .list_alerts(caller, &ListQuery::default())
        .await
        .unwrap()
        .data
}

/// What alerts are, oldest first, with what their channels were told.
async fn told(world: &World) -> Vec<(AlertState, Vec<NoticeKind>)> {
    let mut told = Vec::new();
    for alert in alerts(world, &world.acme).await.into_iter().rev() {
        let notices = world.control.alert_notices(&world.acme, alert.id).await.unwrap();
        assert!(notices.iter().all(|notice| notice.state == NoticeState::Waiting));
        told.push((
            alert.state,
            notices.into_iter().rev().map(|notice| notice.kind).collect(),
        ));
    }
    told
}

async fn rule(world: &World, fields: Value) -> AlertRule {
    let mut spec = json!({ "name": "errors", "title": "Errors" });
    spec.as_object_mut()
        .unwrap()
        .extend(fields.as_object().unwrap().clone());
    world.make::<AlertRule>(&world.acme, &(), spec).await.unwrap()
}

async fn channel(world: &World) -> AlertChannel {
    let spec = json!({
        "name": "on-call", "title": "On call",
        "target": { "kind": "webhook", "url": "https://hooks.example.com/alerts" },
    });
    world.make::<AlertChannel>(&world.acme, &(), spec).await.unwrap()
}

fn error_rate(over: f64) -> Value {
    json!({ "kind": "threshold", "measure": "error_rate", "window_minutes": 5, "over": over, "calls_min": 10 })
}

on_both! {
    async fn an_alert_fires_is_told_and_is_over(url: String) {
        let world = World::new(&url).await;
        let shop = shop(&world).await;
        channel(&world).await;
        rule(&world, json!({ "condition": error_rate(0.1), "channels": ["on-call"], "for_minutes": 2 })).await;
        count(&world, &shop, 200, 80).await;
        round(&world.control).await;
        assert_eq!(told(&world).await, []);
        count(&world, &shop, 503, 20).await;
        world.pass(MINUTE);
        round(&world.control).await;
        assert_eq!(told(&world).await, [(AlertState::Pending, vec![])]);
        world.pass(MINUTE * 2);
        round(&world.control).await;
        assert_eq!(told(&world).await, [(AlertState::Firing, vec![NoticeKind::Firing])]);
        let alert = &alerts(&world, &world.acme).await[0];
        assert!((alert.value - 0.2).abs() < 1e-9, "{alert:?}");
        assert_eq!(alert.summary, "The error rate of the last 5 minutes is 20 %, over 10 %.");
        assert_eq!(alerts(&world, &world.globex).await, []);

        // It is not so any more, and that has to last as well.
        world.pass(MINUTE * 6);
        round(&world.control).await;
        assert_eq!(told(&world).await, [(AlertState::Firing, vec![NoticeKind::Firing])]);
        world.pass(MINUTE * 2);
        round(&world.control).await;
        let over = (AlertState::Resolved, vec![NoticeKind::Firing, NoticeKind::Resolved]);
        assert_eq!(told(&world).await, [over]);
        let uses = world.control.alert_rule_uses(&[alerts(&world, &world.acme).await[0].rule_id]).await.unwrap();
        let used = uses.into_values().next().unwrap();
        assert_eq!((used.evaluated_at, used.firing), (Some(now(&world)), 0));
        let counts = world.control.counts();
        assert_eq!((counts.alert_rules_judged, counts.alert_rules_undecided), (5, 0));
    }

    async fn two_control_planes_make_one_alert(url: String) {
        let world = World::new(&url).await;
        let shop = shop(&world).await;
        channel(&world).await;
        rule(&world, json!({ "condition": error_rate(0.1), "channels": ["on-call"] })).await;
        count(&world, &shop, 503, 20).await;
        tokio::join!(round(&world.control), round(&world.control), round(&world.control));
        assert_eq!(told(&world).await, [(AlertState::Firing, vec![NoticeKind::Firing])]);
    }

    async fn each_group_has_an_alert_of_its_own(url: String) {
        let world = World::new(&url).await;
        let shop = shop(&world).await;
        let condition = json!({
            "kind": "threshold", "measure": "calls", "window_minutes": 1, "over": 5, "by": ["status", "api"],
        });
        rule(&world, json!({ "condition": condition })).await;
        count(&world, &shop, 404, 6).await;
        count(&world, &shop, 500, 7).await;
        count(&world, &shop, 200, 5).await;
        round(&world.control).await;
        let found = alerts(&world, &world.acme).await;
        let mut statuses: Vec<_> = found.iter().map(|alert| alert.labels["status"].as_str()).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, ["404", "500"]);
        assert!(found.iter().all(|alert| alert.labels["api"] == shop.callee.api.to_string()));
        assert!(found.iter().any(|alert| alert.summary.contains(" of shop, 404 is 6, over 5.")), "{found:?}");
    }

    async fn no_calls_are_less_than_one(url: String) {
        let world = World::new(&url).await;
        let shop = shop(&world).await;
        let condition = json!({ "kind": "threshold", "measure": "calls", "window_minutes": 5, "under": 1 });
        rule(&world, json!({ "condition": condition })).await;
        count(&world, &shop, 200, 1).await;
        round(&world.control).await;
        assert_eq!(told(&world).await, []);
        world.pass(MINUTE * 7);
        round(&world.control).await;
        assert_eq!(told(&world).await, [(AlertState::Firing, vec![])]);
        let alert = &alerts(&world, &world.acme).await[0];
        assert_eq!(alert.notified_at, None, "there is nobody to tell");

        // From the moment on in which there is somebody, they are told.
        channel(&world).await;
        let told_now = json!({ "channels": ["on-call"] });
        world.control.update::<AlertRule>(&world.acme, alert.rule_id, &told_now, None).await.unwrap();
        world.pass(MINUTE);
        round(&world.control).await;
        assert_eq!(told(&world).await, [(AlertState::Firing, vec![NoticeKind::Firing])]);
    }

    async fn nobody_is_told_in_a_silence(url: String) {
        let world = World::new(&url).await;
        let shop = shop(&world).await;
        channel(&world).await;
        rule(&world, json!({ "condition": error_rate(0.1), "channels": ["on-call"] })).await;
        let silence = |minutes: u32, rules: Value| json!({
            "title": "Deployment", "rules": rules,
            "starts_at": now(&world), "ends_at": now(&world).after(MINUTE * minutes),
        });
        let other = json!({ "name": "other", "title": "Other", "condition": error_rate(0.9), "paused": true });
        world.make::<AlertRule>(&world.acme, &(), other).await.unwrap();
        for (minutes, rules) in [(60, json!(["other"])), (2, json!(["errors"]))] {
            world.make::<AlertSilence>(&world.acme, &(), silence(minutes, rules)).await.unwrap();
        }
        count(&world, &shop, 503, 20).await;
        round(&world.control).await;
        assert_eq!(told(&world).await, [(AlertState::Firing, vec![])]);
        assert!(alerts(&world, &world.acme).await[0].silenced);
        world.pass(MINUTE * 2);
        round(&world.control).await;
        assert_eq!(told(&world).await, [(AlertState::Firing, vec![NoticeKind::Firing])]);
    }

    async fn alerts_end_with_their_rule(url: String) {
        let world = World::new(&url).await;
        let shop = shop(&world).await;
        channel(&world).await;
        let rule = rule(&world, json!({ "condition": error_rate(0.1), "channels": ["on-call"] })).await;
        count(&world, &shop, 503, 20).await;
        round(&world.control).await;
        let paused = json!({ "paused": true });
        world.control.update::<AlertRule>(&world.acme, rule.id, &paused, None).await.unwrap();
        round(&world.control).await;
        let over = (AlertState::Resolved, vec![NoticeKind::Firing, NoticeKind::Resolved]);
        assert_eq!(told(&world).await, std::slice::from_ref(&over));

        let on = json!({ "paused": false });
        world.control.update::<AlertRule>(&world.acme, rule.id, &on, None).await.unwrap();
        world.pass(MINUTE);
        round(&world.control).await;
        world.control.delete::<AlertRule>(&world.acme, rule.id, None).await.unwrap();
        round(&world.control).await;
        // Whom to tell stood in the rule.
        let ended = (AlertState::Resolved, vec![NoticeKind::Firing]);
        assert_eq!(told(&world).await, [over, ended]);
    }

    async fn a_budget_that_is_spent_too_fast_is_told(url: String) {
        let world = World::new(&url).await;
        let shop = shop(&world).await;
        let windows = json!([
            { "long_minutes": 60, "short_minutes": 5, "rate": 14.4 },
            { "long_minutes": 360, "short_minutes": 30, "rate": 6 },
        ]);
        let condition = json!({ "kind": "burn_rate", "objective": 0.99, "windows": windows });
        rule(&world, json!({ "condition": condition })).await;
        // 10 % errors: ten times as fast as planned, over all windows. More than 6 times in six hours is too fast.
        for minutes in [2, 20, 50, 100, 200, 300] {
            let at = now(&world).before(MINUTE * minutes);
            count_at(&world, &shop, (at, 503), 10).await;
            count_at(&world, &shop, (at, 200), 90).await;
        }
        round(&world.control).await;
        let found = alerts(&world, &world.acme).await;
        assert_eq!(found.len(), 1);
        assert!((found[0].value - 10.0).abs() < 1e-9 && (found[0].limit - 6.0).abs() < 1e-9, "{found:?}");
        assert!(found[0].summary.contains("in the last 6 hours and the last 30 minutes"), "{found:?}");
        // The short window says that it is over.
        world.pass(MINUTE * 40);
        count(&world, &shop, 200, 10).await;
        round(&world.control).await;
        assert_eq!(alerts(&world, &world.acme).await[0].state, AlertState::Resolved);
    }

    async fn a_quota_that_is_nearly_used_up_is_told_to_both_sides(url: String) {
        let world = World::new(&url).await;
        let shop = shop(&world).await;
        let plan = shop.caller.subscribed.unwrap().plan;
        let quota = json!({ "quota": { "requests": 100, "period": "day" } });
        world.control.update::<domain::offer::Plan>(&world.acme, plan, &quota, None).await.unwrap();
        let condition = |own: bool| json!({ "kind": "quota", "percent": 80, "own": own });
        rule(&world, json!({ "condition": condition(false) })).await;
        let spec = json!({ "name": "mine", "title": "Mine", "condition": condition(true) });
        world.make::<AlertRule>(&world.globex, &(), spec).await.unwrap();
        count(&world, &shop, 200, 79).await;
        round(&world.control).await;
        assert_eq!(told(&world).await, []);
        world.pass(MINUTE);
        count(&world, &shop, 200, 1).await;
        round(&world.control).await;
        for caller in [&world.acme, &world.globex] {
            let found = alerts(&world, caller).await;
            assert_eq!(found.len(), 1);
            let subscription = shop.caller.subscribed.unwrap().subscription.to_string();
            assert_eq!(found[0].labels["subscription"], subscription);
            assert!(found[0].summary.contains("80 of 100 calls in this day"), "{found:?}");
        }
        // Another day, another quota.
        world.pass(Duration::from_hours(24));
        round(&world.control).await;
        assert_eq!(alerts(&world, &world.acme).await[0].state, AlertState::Resolved);
    }

    async fn an_hour_that_is_not_usual_is_told(url: String) {
        let world = World::new(&url).await;
        let shop = shop(&world).await;
        let condition = json!({ "kind": "anomaly", "measure": "calls", "confidence": 0.999 });
        let preview = world.control.preview_alert(&world.acme, &from(condition.clone())).await.unwrap();
        assert_eq!(preview.undecided.unwrap(), "Calls are known of 0 days; 7 are needed to say what is usual.");
        let hour = now(&world).hour();
        // Ten to fifty calls, by the hour of the day; in the last hour as many as then.
        let usual = |ago: u32| 30 + [20, 10, 0, -10, -20, -10, 0, 10][(ago % 24 / 3) as usize];
        let mut calls = Vec::new();
        for ago in 1..=240_u32 {
            let at = hour.before(Duration::from_hours(u64::from(ago))).after(MINUTE);
            let call = Call { started_at: at, ..shop.call(0, 0) };
            calls.extend(std::iter::repeat_n(Event::Call(call), usize::try_from(usual(ago)).unwrap()));
        }
        let counter = world.control.usage_counter();
        let batches: Vec<_> = calls.chunks(4000).zip(1..).map(|(calls, number)| Batch::of(number, calls)).collect();
        counter.commit(node(), &batches).await.unwrap();
        rule(&world, json!({ "condition": condition })).await;
        world.pass(Duration::from_micros(u64::try_from(hour.after(Duration::from_hours(1)).as_micros() - now(&world).as_micros()).unwrap()));
        let last = now(&world).before(MINUTE * 30);
        count_at(&world, &shop, (last, 200), usize::try_from(usual(24)).unwrap()).await;
        round(&world.control).await;
        assert_eq!(told(&world).await, [], "as usual");
        count_at(&world, &shop, (last, 200), 150).await;
        world.pass(MINUTE);
        round(&world.control).await;
        let found = alerts(&world, &world.acme).await;
        assert_eq!(found.len(), 1, "far too many");
        assert!(found[0].value > found[0].limit, "{found:?}");
        world.pass(Duration::from_hours(1));
        round(&world.control).await;
        let found = alerts(&world, &world.acme).await;
        assert!(found[0].value < found[0].limit && found[0].state == AlertState::Firing, "none at all: {found:?}");
    }

    async fn rules_channels_and_silences_are_checked(url: String) {
        let world = World::new(&url).await;
        let make = |fields: Value| {
            let mut spec = json!({ "name": "errors", "title": "Errors", "condition": error_rate(0.1) });
            spec.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            world.make::<AlertRule>(&world.acme, &(), spec)
        };
        let threshold = |fields: Value| {
            let mut condition = error_rate(0.1);
            condition.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            json!({ "condition": condition })
        };
        for (fields, pointer) in [
            (json!({ "title": "" }), "/title"),
            (json!({ "for_minutes": 1441 }), "/for_minutes"),
            (json!({ "repeat_minutes": 1 }), "/repeat_minutes"),
            (json!({ "channels": ["nobody"] }), "/channels/0"),
            (threshold(json!({ "window_minutes": 0 })), "/condition/window_minutes"),
            (threshold(json!({ "over": null })), "/condition"),
            (threshold(json!({ "over": -1 })), "/condition/over"),
            (threshold(json!({ "by": ["api", "status", "plan"] })), "/condition/by"),
            (threshold(json!({ "filters": [{ "dimension": "api", "values": [] }] })), "/condition/filters/0/values"),
            (json!({ "condition": { "kind": "burn_rate", "objective": 1 } }), "/condition/objective"),
            (
                json!({ "condition": { "kind": "burn_rate", "objective": 0.9, "windows": [
                    { "long_minutes": 60, "short_minutes": 61, "rate": 1 }] } }),
                "/condition/windows/0/short_minutes",
            ),
            (json!({ "condition": { "kind": "anomaly", "measure": "calls", "confidence": 1 } }), "/condition/confidence"),
            (json!({ "condition": { "kind": "anomaly", "measure": "applications" } }), "/condition/measure"),
            (json!({ "condition": { "kind": "quota", "percent": 0 } }), "/condition/percent"),
        ] {
            assert_eq!(refusal(make(fields.clone()).await), ("request_invalid", vec![pointer.to_owned()]), "{fields}");
        }
        let channel = |target: Value| {
            let spec = json!({ "name": "there", "title": "There", "target": target });
            world.make::<AlertChannel>(&world.acme, &(), spec)
        };
        for (target, pointer) in [
            (json!({ "kind": "webhook", "url": "http://hooks.example.com" }), "/target/url"),
            (json!({ "kind": "webhook", "url": "https://10.0.0.1/" }), "/target/url"),
            (json!({ "kind": "webhook", "url": "https://name:word@hooks.example.com/" }), "/target/url"),
            (json!({ "kind": "email", "to": ["team@example.com"] }), "/target/kind"),
        ] {
            assert_eq!(refusal(channel(target.clone()).await), ("request_invalid", vec![pointer.to_owned()]), "{target}");
        }
        let silence = |starts: Timestamp, ends: Timestamp| {
            let spec = json!({ "title": "Night", "starts_at": starts, "ends_at": ends });
            world.make::<AlertSilence>(&world.acme, &(), spec)
        };
        let now = now(&world);
        for (starts, ends) in [
            (now, now),
            (now.before(MINUTE * 2), now.before(MINUTE)),
            (now, now.after(Duration::from_hours(24 * 367))),
        ] {
            assert_eq!(refusal(silence(starts, ends).await).1, ["/ends_at"]);
        }
        // A channel stays while rules name it.
        let there = channel(json!({ "kind": "webhook", "url": "https://hooks.example.com/" })).await.unwrap();
        make(json!({ "channels": ["there"] })).await.unwrap();
        let removed = world.control.delete::<AlertChannel>(&world.acme, there.id, None).await;
        assert_eq!(refusal(removed).0, "in_use");
    }
}
