//! What SDKs of other products ask for.

use serde_json::{Value, json};

use crate::app::Someone;
use crate::evaluations::client_key;
use crate::feature_flags::{FLAGS, flag, make, patch, server_key};
use crate::live::Events;
use crate::tracking::Bench;

/// On for the staff, as every product can say it.
fn staff(client_side: bool) -> Value {
    let when = json!({ "attribute": "plan", "op": "in", "values": ["staff"] });
    let targeting = json!({ "off": "off", "otherwise": { "serve": "off" },
        "rules": [{ "name": "staff", "when": when, "serve": "on" }] });
    let mut flag = flag(if client_side { "staff" } else { "inner" }, &targeting);
    flag["client_side"] = json!(client_side);
    flag
}

async fn bench() -> Bench {
    let bench = Bench::new().await;
    let owner = bench.app.owner().await;
    make(&owner, staff(true)).await;
    make(&owner, staff(false)).await;
    bench
}

/// Whoever sends a key as clients of Unleash do.
fn unleash<'b>(bench: &'b Bench, key: &str) -> Someone<'b> {
    bench.app.anybody().with("authorization", key)
}

#[tokio::test]
async fn clients_of_unleash_evaluate_by_themselves() {
    let bench = bench().await;
    let owner = bench.app.owner().await;
    let (server, client) = (server_key(&owner).await, client_key(&owner).await);
    let answer = unleash(&bench, &server).get("/api/client/features").await;
    let document = answer.json(200);
    let names: Vec<_> = document["features"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["name"].clone())
        .collect();
    assert_eq!(names, ["inner", "staff"]);
    let known = unleash(&bench, &server).with("if-none-match", answer.header("etag"));
    assert_eq!(known.get("/api/client/features").await.status.as_u16(), 304);
    let refused = unleash(&bench, &client).get("/api/client/features").await;
    assert_eq!(
        (refused.status.as_u16(), refused.code()),
        (403, "sdk_key_kind".to_owned())
    );
    let register = json!({ "appName": "shop", "strategies": ["default"] });
    let registered = unleash(&bench, &server)
        .post("/api/client/register", register)
        .await;
    assert_eq!(registered.status.as_u16(), 202);
    let mut events = Events::open(&unleash(&bench, &server), "/api/client/streaming").await;
    let first = events.next().await.unwrap();
    assert_eq!(
        (first.event.as_str(), &first.data["events"][0]["features"]),
        ("unleash-connected", &document["features"])
    );
}

#[tokio::test]
async fn reports_of_unleash_are_counted() {
    let bench = bench().await;
    let owner = bench.app.owner().await;
    let server = unleash(&bench, &server_key(&owner).await).with("content-type", "application/json");
    let toggles = json!({ "staff": { "yes": 3, "no": 2 }, "made-up": { "yes": 9, "no": 9 } });
    let report = json!({ "appName": "shop", "bucket": { "toggles": toggles } });
    assert_eq!(
        server.post("/api/client/metrics", report).await.status.as_u16(),
        202
    );
    let all = owner.get(FLAGS).await.json(200);
    let flags = all["data"].as_array().unwrap();
    let seen =
        |key: &str| flags.iter().find(|one| one["key"] == key).unwrap()["last_evaluated_at"].is_string();
    assert!(seen("staff") && !seen("inner"), "{all}");
    assert_eq!(
        server
            .post("/api/client/metrics", json!({}))
            .await
            .status
            .as_u16(),
        400
    );
}

#[tokio::test]
async fn pages_with_unleash_are_told_what_is_on() {
    let bench = bench().await;
    let owner = bench.app.owner().await;
    let page = unleash(&bench, &client_key(&owner).await);
    let on = |answer: &Value| -> Vec<Value> {
        answer["toggles"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["name"].clone())
            .collect()
    };
    let nobody = page.get("/api/frontend?userId=1").await.json(200);
    assert_eq!(on(&nobody), [json!(null); 0]);
    let staff = page
        .get("/api/frontend?userId=1&properties%5Bplan%5D=staff")
        .await
        .json(200);
    assert_eq!(on(&staff), ["staff"]);
    assert_eq!(staff["toggles"][0]["variant"]["name"], "disabled");
    let context = json!({ "context": { "userId": "1", "properties": { "plan": "staff" } } });
    assert_eq!(page.post("/api/frontend", context).await.json(200), staff);
}

#[tokio::test]
async fn sdks_of_growthbook_evaluate_here_and_there() {
    let bench = bench().await;
    let owner = bench.app.owner().await;
    let (server, client) = (server_key(&owner).await, client_key(&owner).await);
    let anybody = bench.app.anybody();
    let answer = anybody.get(&format!("/api/features/{server}")).await;
    let payload = answer.json(200);
    assert_eq!(payload["features"].as_object().unwrap().len(), 2);
    assert_eq!(answer.header("x-sse-support"), "enabled");
    let refused = anybody.get(&format!("/api/features/{client}")).await;
    assert_eq!(refused.code(), "sdk_key_kind");
    assert_eq!(
        anybody.get("/api/features/gl_none").await.code(),
        "sdk_key_invalid"
    );
    let attributes = json!({ "attributes": { "id": "1", "plan": "staff" }, "forcedFeatures": [], "url": "" });
    let values = anybody
        .post(&format!("/api/eval/{client}"), attributes)
        .await
        .json(200);
    assert_eq!(values["features"], json!({ "staff": { "defaultValue": true } }));
    let mut events = Events::open(&anybody, &format!("/sub/{client}")).await;
    let first = events.next().await.unwrap();
    assert_eq!(first.event, "features-updated");
    let all = owner.get(FLAGS).await.json(200);
    patch(&owner, &all["data"][0], json!({ "title": "x" }))
        .await
        .json(200);
    assert_ne!(events.next().await.unwrap().data, first.data);
}
