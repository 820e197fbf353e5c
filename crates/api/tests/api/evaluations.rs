//! What programs ask of flags beyond one at a time: all of them, their definitions, changes, who is in what; and what is
//! recorded of it.

use http::Method;
use serde_json::{Value, json};

use crate::app::{Answer, Someone, TestApp};
use crate::feature_flags::{FLAGS, faults, flag, key, make, patch, server_key};
use crate::live::Events;
use crate::tracking::Bench;

/// Half of all users get it.
fn half() -> Value {
    flag(
        "half",
        &json!({ "off": "off", "otherwise": { "split": { "on": 50.0, "off": 50.0 }, "by": "user_id" } }),
    )
}

/// A flag for the staff that pages may not ask for.
fn staff() -> Value {
    let when = json!({ "attribute": "email", "op": "ends_with", "values": ["@acme.example"] });
    let targeting = json!({ "off": "off", "otherwise": { "serve": "off" },
        "rules": [{ "name": "staff", "when": when, "serve": "on" }] });
    let mut flag = flag("staff", &targeting);
    flag["client_side"] = json!(false);
    flag
}

pub(crate) async fn client_key(owner: &Someone<'_>) -> String {
    key(owner, json!({ "kind": "client", "environment": "sandbox" })).await
}

fn keys(answer: &Answer, list: &str) -> Vec<String> {
    let all = answer.json(200)[list].as_array().unwrap().clone();
    let each = all.iter().map(|one| one["key"].as_str().unwrap().to_owned());
    each.collect()
}

#[tokio::test]
async fn all_flags_or_some_of_them_are_asked_at_once() {
    let bench = Bench::new().await;
    let owner = bench.app.owner().await;
    make(&owner, half()).await;
    let made = make(&owner, staff()).await;
    let server = bench.app.anybody().with("x-api-key", &server_key(&owner).await);
    let page = bench.app.anybody().with("x-api-key", &client_key(&owner).await);
    let path = format!("{FLAGS}/evaluate");
    let ann = json!({ "attributes": { "user_id": "1", "email": "ann@acme.example" } });
    let all = server.post(&path, ann.clone()).await;
    assert_eq!(keys(&all, "flags"), ["half", "staff"]);
    assert_eq!(all.json(200)["flags"][1]["variant"], "on");
    let some = json!({ "flags": ["staff", "none"] });
    assert_eq!(keys(&server.post(&path, some.clone()).await, "flags"), ["staff"]);
    // Pages are told of what is for them, whatever they name.
    assert_eq!(keys(&page.post(&path, ann.clone()).await, "flags"), ["half"]);
    assert_eq!(keys(&page.post(&path, some).await, "flags"), [""; 0]);
    let known = server.with("if-none-match", all.header("etag"));
    assert_eq!(known.post(&path, ann.clone()).await.status.as_u16(), 304);
    patch(
        &owner,
        &made,
        json!({ "environments": { "sandbox": { "enabled": false } } }),
    )
    .await
    .json(200);
    assert_eq!(
        known.post(&path, ann).await.json(200)["flags"][1]["reason"],
        "disabled"
    );
    let wrong = server.post(&path, json!({ "attributes": { "a/b": {} } })).await;
    assert_eq!(wrong.json(400)["errors"][0]["pointer"], "/attributes/a~1b");
    let wrong = server.post(&path, json!([])).await;
    assert_eq!(wrong.json(400)["detail"], "The body is not an object.");
}

/// As nodes answer them.
#[tokio::test]
async fn questions_are_read_whatever_their_type_is_said_to_be() {
    let bench = Bench::new().await;
    let owner = bench.app.owner().await;
    make(&owner, half()).await;
    let server = bench.app.anybody().with("x-api-key", &server_key(&owner).await);
    let ofrep = "/ofrep/v1/evaluate/flags";
    let paths = [
        ofrep.to_owned(),
        format!("{ofrep}/half"),
        format!("{FLAGS}/evaluate"),
        "/api/v1/assignments".to_owned(),
    ];
    let form = "application/x-www-form-urlencoded";
    for (path, kind) in paths
        .iter()
        .flat_map(|path| [None, Some("text/plain"), Some(form)].map(|kind| (path, kind)))
    {
        for (body, status) in [("{}", 200), ("a=b", 400)] {
            let answer = server.send(Method::POST, path, body.into(), kind).await;
            assert_eq!(answer.status.as_u16(), status, "{path} {kind:?} {body}");
        }
    }
}

#[tokio::test]
async fn definitions_are_for_those_who_keep_them() {
    let bench = Bench::new().await;
    let owner = bench.app.owner().await;
    let server = bench.app.anybody().with("x-api-key", &server_key(&owner).await);
    let path = format!("{FLAGS}/definitions");
    let nothing = json!({ "environment": "sandbox", "flags": {}, "segments": {} });
    assert_eq!(server.get(&path).await.json(200), nothing);
    make(&owner, staff()).await;
    let answer = server.get(&path).await;
    let known = answer.json(200);
    assert_eq!(known["flags"]["staff"]["rules"][0]["name"], "staff");
    assert_eq!(known["flags"]["staff"]["type"], "boolean");
    assert_eq!(
        known["flags"]["staff"]["variants"],
        json!({ "off": false, "on": true })
    );
    let same = server.with("if-none-match", answer.header("etag"));
    assert_eq!(same.get(&path).await.status.as_u16(), 304);
    let page = bench.app.anybody().with("x-api-key", &client_key(&owner).await);
    for answer in [
        page.get(&path).await,
        page.post("/api/v1/assignments", json!({})).await,
        page.get("/api/v1/assignments?user_id=1").await,
    ] {
        assert_eq!(
            (answer.status.as_u16(), answer.code()),
            (403, "sdk_key_kind".to_owned())
        );
    }
    // Another organization's key has other flags.
    let other = bench.app.stranger().await;
    let theirs = bench.app.anybody().with("x-api-key", &server_key(&other).await);
    assert_eq!(theirs.get(&path).await.json(200), nothing);
}

#[tokio::test]
async fn of_several_flags_the_attribute_that_decided_is_told() {
    let bench = Bench::new().await;
    let owner = bench.app.owner().await;
    make(&owner, half()).await;
    make(&owner, staff()).await;
    let server = bench.app.anybody().with("x-api-key", &server_key(&owner).await);
    let ann = json!({ "attributes": { "user_id": "1", "email": "ann@acme.example" } });
    let path = "/api/v1/feature-flags/evaluate";
    let told = server.post(path, ann.clone()).await.json(200);
    let by: Vec<_> = (0..2).map(|place| told["flags"][place].get("by")).collect();
    assert_eq!(by, [Some(&json!("user_id")), None]);
    let nobody = server.post(path, json!({})).await.json(200);
    assert_eq!(nobody["flags"][0].get("by"), None);
    // The answer about one flag is without it.
    let one = server
        .post("/api/v1/feature-flags/half/evaluate", ann)
        .await
        .json(200);
    assert_eq!(one.get("by"), None);
}

#[tokio::test]
async fn it_is_told_who_is_in_what_and_why() {
    let bench = Bench::new().await;
    let owner = bench.app.owner().await;
    make(&owner, half()).await;
    make(&owner, staff()).await;
    let server = bench.app.anybody().with("x-api-key", &server_key(&owner).await);
    let ann = json!({ "attributes": { "user_id": "1", "email": "ann@acme.example" } });
    let answer = server.post("/api/v1/assignments", ann).await;
    assert_eq!(keys(&answer, "assignments"), ["half", "staff"]);
    let told = answer.json(200)["assignments"].clone();
    assert!(told[0]["assignment_id"].as_str().unwrap().starts_with("asg_"));
    let steps = told[1]["steps"].as_array().unwrap();
    let step = steps
        .iter()
        .find(|step| step["pointer"] == "/rules/0/when")
        .unwrap();
    assert_eq!(step["holds"], true);
    let by_query = server
        .get("/api/v1/assignments?user_id=1&email=ann@acme.example")
        .await;
    assert_eq!(by_query.json(200)["assignments"], told);
}

#[tokio::test]
async fn a_key_may_be_used_as_often_as_it_says() {
    let bench = Bench::new().await;
    let owner = bench.app.owner().await;
    make(&owner, half()).await;
    let spec = |requests: u64| {
        let limit = json!({ "requests": requests, "window_seconds": 3600 });
        json!({ "kind": "server", "environment": "sandbox", "rate_limit": limit })
    };
    let refused = owner.post("/api/v1/sdk-keys", spec(0)).await;
    assert_eq!(faults(&refused), ["/rate_limit/requests field_out_of_range"]);
    let made = owner.post("/api/v1/sdk-keys", spec(2)).await.json(201);
    let server = bench
        .app
        .anybody()
        .with("x-api-key", made["key"].as_str().unwrap());
    let ofrep = "/ofrep/v1/evaluate/flags";
    let paths = [ofrep, "/api/v1/feature-flags/evaluate"];
    for path in paths {
        assert_eq!(server.post(path, json!({})).await.status.as_u16(), 200, "{path}");
    }
    let late = server.post(ofrep, json!({})).await;
    assert_eq!(
        (late.status.as_u16(), late.code()),
        (429, "rate_limited".to_owned())
    );
    let seconds: u64 = late.header("retry-after").parse().unwrap();
    assert!((1..=1800).contains(&seconds), "{seconds}");
    // A page can read why it gets nothing.
    let origin = "https://shop.example";
    let limit = json!({ "requests": 1, "window_seconds": 3600 });
    let spec =
        json!({ "kind": "client", "environment": "sandbox", "origins": [origin], "rate_limit": limit });
    let made_for_pages = owner.post("/api/v1/sdk-keys", spec).await.json(201);
    let page = bench.app.anybody().with("origin", origin);
    let page = page.with("x-api-key", made_for_pages["key"].as_str().unwrap());
    for status in [200, 429] {
        let answer = page.post(ofrep, json!({})).await;
        assert_eq!(answer.status.as_u16(), status);
        assert_eq!(answer.header("access-control-allow-origin"), origin, "{status}");
    }
    // Other keys are not meant.
    let other = bench.app.anybody().with("x-api-key", &server_key(&owner).await);
    assert_eq!(other.post(ofrep, json!({})).await.status.as_u16(), 200);
    let path = format!("/api/v1/sdk-keys/{}", made["id"].as_str().unwrap());
    let none = owner
        .with("if-match", "\"1\"")
        .patch(&path, json!({ "rate_limit": null }))
        .await;
    assert_eq!(none.json(200).get("rate_limit"), None);
    assert_eq!(server.post(ofrep, json!({})).await.status.as_u16(), 200);
}

#[tokio::test]
async fn who_listens_hears_of_changes() {
    let bench = Bench::new().await;
    let owner = bench.app.owner().await;
    let made = make(&owner, half()).await;
    let spec = json!({ "kind": "client", "environment": "sandbox" });
    let sdk_key = owner.post("/api/v1/sdk-keys", spec).await.json(201);
    let path = format!("{FLAGS}/changes?key={}", sdk_key["key"].as_str().unwrap());
    let mut events = Events::open(&bench.app.anybody(), &path).await;
    let first = events.next().await.unwrap();
    assert_eq!(first.data["type"], "refetchEvaluation");
    patch(&owner, &made, json!({ "title": "Half" })).await.json(200);
    let second = events.next().await.unwrap();
    assert_ne!(first.data["etag"], second.data["etag"]);
    // Something else of the environment is no news, and the end of the key is the end.
    owner
        .post(
            "/api/v1/event-types",
            json!({ "name": "purchase", "title": "Purchase" }),
        )
        .await
        .json(201);
    let id = sdk_key["id"].as_str().unwrap();
    let ended = owner
        .post(&format!("/api/v1/sdk-keys/{id}/revoke"), json!({}))
        .await;
    assert!(ended.status.is_success(), "{}", ended.text());
    assert_eq!(events.next().await, None);
}

#[tokio::test]
async fn who_was_given_what_by_a_split_is_recorded() {
    let bench = Bench::new().await;
    let owner = bench.app.owner().await;
    make(&owner, half()).await;
    make(&owner, staff()).await;
    let server = bench.app.anybody().with("x-api-key", &server_key(&owner).await);
    let found = server
        .get(&format!("{FLAGS}/half/evaluate?user_id=7"))
        .await
        .json(200);
    let context = json!({ "context": { "targetingKey": "8" } });
    server
        .post("/ofrep/v1/evaluate/flags/half", context)
        .await
        .json(200);
    // Neither of these depends on who it is, and asking for all at once uses none yet.
    server.get(&format!("{FLAGS}/half/evaluate")).await.json(200);
    server
        .get(&format!("{FLAGS}/staff/evaluate?user_id=7"))
        .await
        .json(200);
    let all = json!({ "attributes": { "user_id": "9" } });
    server.post(&format!("{FLAGS}/evaluate"), all).await.json(200);
    let mut recorded = Vec::new();
    while recorded.len() < 2 {
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        let batches = bench.log.read_after(0, 1000).unwrap();
        let events = batches.iter().flat_map(|batch| batch.tracked().unwrap());
        let told = |event: &events::Tracked<'_>| {
            let properties: Value = serde_json::from_str(event.properties.unwrap()).unwrap();
            (
                event.type_name.to_owned(),
                event.user.unwrap().to_owned(),
                properties,
            )
        };
        recorded = events.map(|event| told(&event)).collect();
    }
    recorded.sort_by(|one, other| one.1.cmp(&other.1));
    let users: Vec<_> = recorded.iter().map(|(_, user, _)| user.as_str()).collect();
    assert_eq!(users, ["7", "8"]);
    let (name, _, properties) = &recorded[0];
    assert_eq!(name, "flag_exposure");
    let expected = json!({ "flag": "half", "variant": found["variant"], "flag_version": 1, "by": "user_id" });
    assert_eq!(*properties, expected);
    // SDKs record theirs as any other event, and what is none is refused.
    let own =
        json!({ "type": "flag_exposure", "user_id": "9", "properties": { "flag": "half", "variant": "on" } });
    assert_eq!(
        server.post("/api/v1/tracking/events", own).await.status.as_u16(),
        202
    );
    let none = json!({ "type": "flag_exposure", "user_id": "9", "properties": { "flag": "half" } });
    assert_eq!(
        server.post("/api/v1/tracking/events", none).await.status.as_u16(),
        400
    );
}

#[tokio::test]
async fn no_more_streams_are_open_than_may_be() {
    let app = TestApp::with(|settings| api::Settings {
        flag_streams_max: 1,
        ..settings
    })
    .await;
    let owner = app.owner().await;
    let someone = app.anybody().with("x-api-key", &client_key(&owner).await);
    let path = format!("{FLAGS}/changes");
    let mut first = Events::open(&someone, &path).await;
    assert!(first.next().await.is_some());
    let refused = someone.get(&path).await;
    assert_eq!(
        (refused.status.as_u16(), refused.code()),
        (429, "streams_limited".to_owned())
    );
    drop(first);
    Events::open(&someone, &path).await;
}
