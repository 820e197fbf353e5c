//! What SDKs of other products ask for.

use domain::snapshot::Packed;
use serde_json::{Value, json};

use crate::app::Someone;
use crate::evaluations::client_key;
use crate::feature_flags::{FLAGS, faults, flag, make, patch, server_key};
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
async fn clients_of_unleash_poll_for_changes_only() {
    let bench = bench().await;
    let owner = bench.app.owner().await;
    let server = unleash(&bench, &server_key(&owner).await);
    let all = server.get("/api/client/delta").await;
    let events = all.json(200);
    assert_eq!(events["events"][0]["type"], "hydration");
    assert_eq!(events["events"][0]["features"].as_array().unwrap().len(), 2);
    let tag = all.header("etag").to_owned();
    let known = server.with("if-none-match", &tag);
    assert_eq!(known.get("/api/client/delta").await.status.as_u16(), 304);
    let flags = owner.get(FLAGS).await.json(200);
    let flag = |key: &str| {
        let all = flags["data"].as_array().unwrap();
        all.iter().find(|one| one["key"] == key).unwrap().clone()
    };
    let off = json!({ "environments": { "sandbox": { "enabled": false } } });
    patch(&owner, &flag("staff"), off).await.json(200);
    let path = format!("{FLAGS}/{}", flag("inner")["id"].as_str().unwrap());
    let current = format!("\"{}\"", flag("inner")["revision"]);
    let removed = owner.with("if-match", &current).delete(&path).await;
    assert_eq!(removed.status.as_u16(), 204);
    let changed = known.get("/api/client/delta").await.json(200);
    let told: Vec<_> = changed["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| {
            (
                event["type"].as_str().unwrap(),
                event["feature"]["enabled"].clone(),
                event["featureName"].clone(),
            )
        })
        .collect();
    let expected = [
        ("feature-updated", json!(false), Value::Null),
        ("feature-removed", Value::Null, json!("inner")),
    ];
    assert_eq!(told, expected);
    let forgotten = server
        .with("if-none-match", "\"elsewhere\"")
        .get("/api/client/delta")
        .await
        .json(200);
    assert_eq!(forgotten["events"][0]["type"], "hydration");
}

#[tokio::test]
async fn clients_of_unleash_narrow_down() {
    let bench = bench().await;
    let owner = bench.app.owner().await;
    let server = unleash(&bench, &server_key(&owner).await);
    let cases = [
        ("?namePrefix=st", 1),
        ("?namePrefix=none", 0),
        ("?project=shop", 2),
        ("?tag=simple:a&tag=simple:b", 2),
    ];
    for (query, count) in cases {
        let document = server
            .get(&format!("/api/client/features{query}"))
            .await
            .json(200);
        assert_eq!(document["features"].as_array().unwrap().len(), count, "{query}");
    }
    assert_eq!(
        server.get("/api/client/features?none=1").await.code(),
        "parameter_unknown"
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
    let again = page.with(
        "if-none-match",
        page.get("/api/frontend?userId=1").await.header("etag"),
    );
    assert_eq!(again.get("/api/frontend?userId=2").await.status.as_u16(), 304);
    let other = again.get("/api/frontend?properties%5Bplan%5D=staff").await;
    assert_eq!(other.status.as_u16(), 200);
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
    let answer = anybody.post(&format!("/api/eval/{client}"), attributes).await;
    assert_eq!(answer.header("x-sse-support"), "enabled");
    let values = answer.json(200);
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

#[tokio::test]
async fn features_are_encrypted_for_keys_that_say_so() {
    let bench = bench().await;
    let owner = bench.app.owner().await;
    let spec = |kind: &str| json!({ "kind": kind, "environment": "sandbox", "encrypt_payload": true });
    let refused = owner.post("/api/v1/sdk-keys", spec("client")).await;
    assert_eq!(refused.json(400)["errors"][0]["pointer"], "/encrypt_payload");
    let made = owner.post("/api/v1/sdk-keys", spec("server")).await.json(201);
    let (key, secret) = (
        made["key"].as_str().unwrap(),
        made["payload_key"].as_str().unwrap(),
    );
    let anybody = bench.app.anybody();
    let path = format!("/api/features/{key}");
    let answer = anybody.get(&path).await;
    let payload = answer.json(200);
    assert_eq!(payload["features"], json!({}));
    let plain = flags::growthbook::decrypted(&payload, secret).unwrap();
    assert_eq!(plain["features"].as_object().unwrap().len(), 2);
    // Another text each time, and the same features.
    assert_ne!(anybody.get(&path).await.json(200), payload);
    let known = anybody.with("if-none-match", answer.header("etag"));
    assert_eq!(known.get(&path).await.status.as_u16(), 304);
    // The key that follows has another payload key; the old one's stays.
    let rotate = format!("/api/v1/sdk-keys/{}/rotate", made["id"].as_str().unwrap());
    let next = owner
        .post(&rotate, json!({ "overlap_seconds": 60 }))
        .await
        .json(201);
    assert!(next["payload_key"].is_string() && next["payload_key"] != made["payload_key"]);
    let payload = anybody.get(&path).await.json(200);
    assert!(flags::growthbook::decrypted(&payload, secret).is_ok());
    assert!(flags::growthbook::decrypted(&payload, next["payload_key"].as_str().unwrap()).is_err());
}

#[tokio::test]
async fn it_is_told_what_is_left_out_and_why() {
    let bench = bench().await;
    let owner = bench.app.owner().await;
    let split = json!({ "off": "off", "otherwise": { "split": { "on": 50, "off": 50 }, "by": "user_id" } });
    let half = make(&owner, flag("half", &split)).await;
    let exports = format!("{FLAGS}/exports");
    let all = owner.get(&exports).await.json(200);
    let told: Vec<_> = all["left_out"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            let text = |name: &str| one[name].as_str().unwrap();
            (
                text("flag"),
                text("environment"),
                text("protocol"),
                text("pointer"),
            )
        })
        .collect();
    let at = "/environments/sandbox/otherwise/split";
    assert_eq!(
        told,
        [
            ("half", "sandbox", "unleash", at),
            ("half", "sandbox", "growthbook", at),
        ]
    );
    let left_out = |query: &str| {
        let path = format!("{exports}?{query}");
        let owner = &owner;
        async move {
            owner.get(&path).await.json(200)["left_out"]
                .as_array()
                .unwrap()
                .len()
        }
    };
    assert_eq!(left_out("flag=half&environment=sandbox").await, 2);
    assert_eq!(left_out("flag=staff").await, 0);
    assert_eq!(left_out("environment=production").await, 0);
    assert_eq!(left_out("protocol=growthbook").await, 1);
    assert_eq!(left_out("protocol=flagd").await, 0);
    // All are counted, however few are told.
    let count = |protocol: &str| json!({ "environment": "sandbox", "protocol": protocol, "flags": 1 });
    let counts = json!([count("unleash"), count("growthbook")]);
    assert_eq!(all["counts"], counts);
    let few = owner.get(&format!("{exports}?limit=1")).await.json(200);
    assert_eq!(
        (&few["counts"], few["left_out"].as_array().unwrap().len()),
        (&counts, 1)
    );
    assert_eq!(left_out("limit=0").await, 0);
    assert_eq!(all["left_out"][0]["flag_id"], half["id"]);
    for wrong in ["environment=none", "protocol=none", "limit=-1"] {
        let answer = owner.get(&format!("{exports}?{wrong}")).await;
        assert_eq!(answer.code(), "parameter_invalid", "{wrong}");
    }
    // Other organizations have theirs.
    let theirs = bench.app.stranger().await.get(&exports).await.json(200);
    assert_eq!(theirs, json!({ "counts": [], "left_out": [] }));
}

/// Readers of JSON end at some depth. What one tenant saves has to stay readable in the snapshot of all.
#[tokio::test]
async fn the_deepest_that_is_taken_can_be_read_by_all() {
    let bench = bench().await;
    let owner = bench.app.owner().await;
    let nested = |levels: usize| {
        let value = (1..levels).fold(json!([]), |inner, _| json!([inner]));
        json!({ "key": format!("deep-{levels}"), "type": "json", "variants": { "on": value, "off": [] }, "client_side": true,
            "environments": { "sandbox": { "enabled": true, "off": "off", "otherwise": { "serve": "on" } } } })
    };
    let refused = owner.post(FLAGS, nested(63)).await;
    let place = format!("/variants/on{}", "/0".repeat(62));
    assert_eq!(faults(&refused), [format!("{place} field_out_of_range")]);
    make(&owner, nested(62)).await;

    let (server, client) = (server_key(&owner).await, client_key(&owner).await);
    let of_gateline = bench.app.bearer(&server);
    for path in ["/api/v1/feature-flags/definitions", "/api/client/features"] {
        let document = of_gateline.get(path).await.json(200).to_string();
        assert!(document.contains("deep-62"), "{path}: {document}");
    }
    let everybody = json!({ "context": { "targetingKey": "u" } });
    let found = of_gateline
        .post("/ofrep/v1/evaluate/flags/deep-62", everybody)
        .await
        .json(200);
    assert_eq!(found["variant"], "on");
    let payload = bench
        .app
        .anybody()
        .get(&format!("/api/features/{server}"))
        .await
        .json(200);
    assert!(payload["features"]["deep-62"].is_object(), "{payload}");
    let answer = json!({ "attributes": {}, "forcedFeatures": [], "url": "" });
    let values = bench
        .app
        .anybody()
        .post(&format!("/api/eval/{client}"), answer)
        .await
        .json(200);
    assert!(values["features"]["deep-62"].is_object(), "{values}");

    let token = bench.app.control.secrets().cluster_token().to_owned();
    let answer = bench
        .app
        .bearer(&token)
        .get("/internal/v1/snapshots?environment=sandbox")
        .await;
    let packed = Packed {
        mac: answer.header("gateline-mac").parse().unwrap(),
        bytes: answer.body.to_vec(),
    };
    let snapshot = packed.open(token.as_bytes()).unwrap();
    assert!(
        snapshot.flags[0]
            .flags
            .iter()
            .any(|flag| flag.key.as_str() == "deep-62"),
        "{:?}",
        snapshot.flags
    );
}
