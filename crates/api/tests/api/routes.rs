//! Routes: what may be saved, told with its place.

use serde_json::{Value, json};

use crate::app::{Someone, TestApp};

/// A route's body, to the version and upstream of an import, with these fields.
async fn spec(owner: &Someone<'_>, imported: &Value, change: Value) -> Value {
    let routes = format!(
        "/api/v1/routes?filter[version]={}",
        imported["version"].as_str().unwrap()
    );
    let routes = owner.get(&routes).await.json(200);
    let first = &routes["data"].as_array().unwrap().last().unwrap();
    let mut spec = json!({
        "version_id": first["version_id"], "upstream_id": first["upstream_id"],
        "environment": "sandbox", "base_path": "/shop",
    });
    for (name, value) in change.as_object().unwrap() {
        spec[name] = value.clone();
    }
    spec
}

fn header(name: &str) -> Value {
    json!({ "headers": [{ "name": name, "kind": "present" }] })
}

#[tokio::test]
async fn routes_of_one_place_differ_in_their_conditions() {
    let app = TestApp::new().await;
    let owner = app.owner().await;
    let imported = owner.import("shop").await;
    let make = async |change: Value| {
        owner
            .post("/api/v1/routes", spec(&owner, &imported, change).await)
            .await
    };
    let first = make(json!({ "match": header("X-A") })).await.json(201);
    assert_eq!(first["match"], header("X-A"));
    assert_eq!(first["priority"], 0);
    // In another case it is the same field.
    let again = make(json!({ "match": header("x-a"), "priority": 7 }))
        .await
        .problem();
    let expected = format!(
        "409 route_taken: In `sandbox`, {} of the API `shop` answers at `/shop` under the same conditions already.",
        first["id"].as_str().unwrap()
    );
    assert_eq!(again, expected);
    let taken = make(json!({})).await.problem();
    assert!(
        taken.starts_with("409 route_taken: In `sandbox`, rte_"),
        "{taken}"
    );
    // Another host, environment or base path is another place.
    make(json!({ "match": header("x-a"), "host": "*.shop.test" }))
        .await
        .json(201);
    make(json!({ "match": header("x-a"), "environment": "production" }))
        .await
        .json(201);
    make(json!({ "match": header("x-a"), "base_path": "/shop/2" }))
        .await
        .json(201);
    // Nobody else may take calls away by a condition.
    let stranger = app.stranger().await;
    let theirs = stranger.import("theirs").await;
    let theirs = spec(&stranger, &theirs, json!({ "match": header("x-b") })).await;
    assert_eq!(
        stranger.post("/api/v1/routes", theirs).await.problem(),
        "409 route_taken: In `sandbox`, a route of another organization answers at `/shop` already."
    );
}

#[tokio::test]
async fn a_route_that_would_get_no_call_is_refused() {
    let app = TestApp::new().await;
    let owner = app.owner().await;
    let imported = owner.import("shop").await;
    let make = async |change: Value| {
        owner
            .post("/api/v1/routes", spec(&owner, &imported, change).await)
            .await
    };
    let below = json!({ "match": header("x-a"), "priority": -1 });
    let refused = make(below.clone()).await.problem();
    assert!(
        refused.starts_with("409 route_unreachable: It would get no call: at `/shop`, rte_"),
        "{refused}"
    );
    let mut off = below.clone();
    off["enabled"] = json!(false);
    let off = make(off).await.json(201);
    let path = format!("/api/v1/routes/{}", off["id"].as_str().unwrap());
    assert_eq!(
        owner.patch(&path, json!({ "enabled": true })).await.code(),
        "precondition_required"
    );
    let any = owner.with("if-match", "*");
    assert_eq!(
        any.patch(&path, json!({ "enabled": true })).await.code(),
        "route_unreachable"
    );
    any.patch(&path, json!({ "enabled": true, "priority": 0 }))
        .await
        .json(200);
    // The one that takes everything cannot be moved before it either.
    let routes = format!(
        "/api/v1/routes?filter[api]={}&sort=created_at",
        imported["api"].as_str().unwrap()
    );
    let routes = owner.get(&routes).await.json(200);
    let usual = routes["data"]
        .as_array()
        .unwrap()
        .iter()
        .find(|route| route["match"] == json!({}));
    let usual = format!("/api/v1/routes/{}", usual.unwrap()["id"].as_str().unwrap());
    let refused = any.patch(&usual, json!({ "priority": 1 })).await.problem();
    assert!(
        refused.starts_with("409 route_unreachable: It takes every call at `/shop`, so rte_"),
        "{refused}"
    );
}

#[tokio::test]
async fn what_is_wrong_with_a_condition_is_told_with_its_place() {
    let app = TestApp::new().await;
    let owner = app.owner().await;
    let imported = owner.import("shop").await;
    let table = [
        (json!({ "host": "a.*.test" }), "/host host_invalid"),
        (
            json!({ "match": { "methods": ["PURGE"] } }),
            "/match/methods/0 method_unknown",
        ),
        (
            json!({ "match": { "methods": ["get"] } }),
            "/match/methods/0 method_invalid",
        ),
        (
            json!({ "match": { "path": { "kind": "exact", "value": "/x" } } }),
            "/match/path/value path_outside",
        ),
        (
            json!({ "match": { "path": { "kind": "regex", "value": "(" } } }),
            "/match/path/value regex_invalid",
        ),
        (
            json!({ "match": { "headers": [{ "name": "a b", "kind": "present" }] } }),
            "/match/headers/0/name name_invalid",
        ),
        (
            json!({ "match": { "headers": [{ "name": "a" }] } }),
            "/match/headers/0/value value_missing",
        ),
        (
            json!({ "match": { "query": [{ "name": "a", "kind": "regex", "value": "[" }] } }),
            "/match/query/0/value regex_invalid",
        ),
        (
            json!({ "match": { "cookies": [{ "name": ";", "kind": "present" }] } }),
            "/match/cookies/0/name name_invalid",
        ),
        (
            json!({ "match": { "colour": "red" } }),
            "/match/colour field_invalid",
        ),
        (
            json!({ "match": { "headers": [{ "name": "a", "kind": "like", "value": "b" }] } }),
            "/match/headers/0/kind field_invalid",
        ),
    ];
    for (change, expected) in table {
        let refused = owner
            .post("/api/v1/routes", spec(&owner, &imported, change.clone()).await)
            .await;
        let found = refused.problem();
        let line = found.lines().nth(1).unwrap_or_default();
        let (pointer, code) = expected.split_once(' ').unwrap();
        let expected = format!("\"{pointer}\" \"{code}\": ");
        assert!(line.starts_with(&expected), "{change}: {found}");
    }
}
