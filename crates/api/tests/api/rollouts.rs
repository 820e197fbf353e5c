//! Shares that grow while time passes, and rules whose units keep what they have.

use std::time::Duration;

use serde_json::{Value, json};

use crate::app::TestApp;
use crate::feature_flags::{FLAGS, flag, make, patch, server_key};

/// A share of everybody by some steps; it is 2025-11-20T12:00:00Z.
fn growing(steps: &Value) -> Value {
    let rollout = json!({ "serve": "on", "others": "off", "steps": steps });
    json!({ "off": "off", "otherwise": { "rollout": rollout, "by": "user_id" } })
}

#[tokio::test]
async fn a_share_grows_while_nobody_changes_anything() {
    let app = TestApp::new().await;
    let owner = app.owner().await;
    let steps = json!([
        { "at": "2025-11-20T12:30:00Z", "percent": 50 },
        { "at": "2025-11-20T13:30:00Z", "percent": 100 },
    ]);
    let made = make(&owner, flag("grows", &growing(&steps))).await;
    let targeting = &made["environments"]["sandbox"];
    assert_eq!(
        targeting["otherwise"]["rollout"]["steps"][1]["at"],
        "2025-11-20T13:30:00Z"
    );
    let server = app.anybody().with("x-api-key", &server_key(&owner).await);
    let all = format!("{FLAGS}/evaluate");
    let definitions = server.get(&format!("{FLAGS}/definitions")).await;
    let mut before = server
        .post(&all, json!({ "attributes": { "user_id": "1" } }))
        .await;
    let mut counts = Vec::new();
    for wait in [0, 3600, 3600] {
        app.pass(Duration::from_secs(wait));
        let mut on = 0;
        for user in 0..60 {
            let found = server
                .get(&format!("{FLAGS}/grows/evaluate?user_id={user}"))
                .await
                .json(200);
            assert_eq!(found["reason"], "split");
            on += u32::from(found["value"] == true);
        }
        counts.push(on);
        let known = server.with("if-none-match", before.header("etag"));
        let after = known
            .post(&all, json!({ "attributes": { "user_id": "1" } }))
            .await;
        if after.status.as_u16() == 200 {
            before = after;
        }
    }
    assert!((15..45).contains(&counts[1]), "{counts:?}");
    assert_eq!((counts[0], counts[2]), (0, 60));
    // The answer's tag has changed by itself, that of the definitions has not.
    assert_eq!(before.json(200)["flags"][0]["value"], true);
    let same = server.with("if-none-match", definitions.header("etag"));
    assert_eq!(
        same.get(&format!("{FLAGS}/definitions")).await.status.as_u16(),
        304
    );
    let path = format!("{FLAGS}/{}/try", made["id"].as_str().unwrap());
    let at =
        json!({ "environment": "sandbox", "attributes": { "user_id": "1" }, "at": "2025-11-20T13:00:00Z" });
    let told = owner.post(&path, at).await.json(200);
    let detail = told["steps"][1]["detail"].as_str().unwrap();
    assert!(
        detail.contains("`on` has 50 % and will have 100 % at 2025-11-20T13:30:00Z"),
        "{detail}"
    );
}

#[tokio::test]
async fn what_is_wrong_with_a_roll_out_is_told_with_its_place() {
    let app = TestApp::new().await;
    let owner = app.owner().await;
    let at = |minute: u32, percent: f64| json!({ "at": format!("2025-11-20T12:{minute:02}:00Z"), "percent": percent });
    let table = [
        (json!([]), "/steps", "steps_count"),
        (json!([at(1, 5.0), at(0, 6.0)]), "/steps/1/at", "out_of_range"),
        (json!([at(1, 100.001)]), "/steps/0/percent", "out_of_range"),
        (json!([at(1, 0.0001)]), "/steps/0/percent", "out_of_range"),
        (json!([at(99, 1.0)]), "/steps/0/at", "value_invalid"),
    ];
    for (steps, place, code) in table {
        let answer = owner.post(FLAGS, flag("grows", &growing(&steps))).await;
        let wrong = answer.json(400)["errors"].clone();
        let pointer = format!("/environments/sandbox/otherwise/rollout{place}");
        assert_eq!(
            (&wrong[0]["pointer"], &wrong[0]["code"]),
            (&json!(pointer), &json!(code))
        );
        assert_eq!(wrong.as_array().unwrap().len(), 1, "{wrong}");
    }
}

#[tokio::test]
async fn a_sticky_rule_keeps_what_it_gave_over_a_change() {
    let app = TestApp::new().await;
    let owner = app.owner().await;
    let with = |to: u32, on: u32| {
        let rule = json!({
            "name": "exp", "sticky": true, "split": { "on": on, "off": 100 - on }, "by": "user_id",
            "gates": [{ "key": "exp", "by": "user_id", "parts": [[0, to]] }],
        });
        json!({ "off": "off", "rules": [rule], "otherwise": { "serve": "off" } })
    };
    let made = make(&owner, flag("exp", &with(50, 50))).await;
    let server = app.anybody().with("x-api-key", &server_key(&owner).await);
    let given = async || {
        let mut all = Vec::new();
        for user in 0..80 {
            let found = server
                .get(&format!("{FLAGS}/exp/evaluate?user_id={user}"))
                .await
                .json(200);
            all.push((found["rule"] == "exp").then(|| found["variant"].clone()));
        }
        all
    };
    let before = given().await;
    let more = json!({ "environments": { "sandbox": with(100, 10) } });
    let changed = patch(&owner, &made, more).await.json(200);
    let kept = &changed["environments"]["sandbox"]["rules"][0]["kept"];
    assert_eq!(
        *kept,
        json!([{ "parts": [[0.0, 50.0]], "split": { "on": 50.0, "off": 50.0 } }])
    );
    let after = given().await;
    assert!(after.iter().all(Option::is_some));
    let moved = before
        .iter()
        .zip(&after)
        .filter(|(before, after)| before.is_some() && before != after);
    assert_eq!(moved.count(), 0);
    let newcomers = before.iter().zip(&after).filter(|(before, _)| before.is_none());
    let on = newcomers
        .filter(|(_, after)| **after == Some(json!("on")))
        .count();
    assert!(on < 15, "{on}");
}
