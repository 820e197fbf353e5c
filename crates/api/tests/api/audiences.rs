//! Audiences of routes and policies: what they name is there, stays there, and is asked as gateways ask it.

use serde_json::{Value, json};
use store::on_both;

use crate::app::{Answer, Someone, TestApp};
use crate::feature_flags::{FLAGS, faults as faults_of};

const SEGMENTS: &str = "/api/v1/segments";

fn path(collection: &str, it: &Value) -> String {
    format!("{collection}/{}", it["id"].as_str().unwrap())
}

fn flag(key: &str) -> Value {
    let by_country = json!({ "off": "off", "otherwise": { "serve": "off" }, "rules": [
        { "when": { "attribute": "country", "op": "in", "values": ["NL"] }, "serve": "on" }] });
    json!({ "key": key, "variants": { "on": true, "off": false, "maybe": false },
        "environments": { "sandbox": by_country, "production": by_country } })
}

fn audience(change: &Value) -> Value {
    let mut audience =
        json!({ "attributes": [{ "name": "country", "from": "header", "field": "X-Country" }] });
    audience
        .as_object_mut()
        .unwrap()
        .extend(change.as_object().unwrap().clone());
    audience
}

/// A route of an imported API with these fields.
async fn route(owner: &Someone<'_>, change: Value) -> Answer {
    let first = owner.get("/api/v1/routes").await.json(200)["data"][0].clone();
    let mut spec = json!({ "version_id": first["version_id"], "upstream_id": first["upstream_id"],
        "environment": "sandbox", "base_path": "/shop" });
    spec.as_object_mut()
        .unwrap()
        .extend(change.as_object().unwrap().clone());
    owner.post("/api/v1/routes", spec).await
}

fn for_flag(key: &str, variants: &[&str]) -> Value {
    json!({ "match": { "audience": audience(&json!({ "flags": [{ "key": key, "variants": variants }] })) } })
}

on_both! {
    async fn what_routes_name_is_there_and_stays(url: String) {
        let app = TestApp::on(&url, tempfile::tempdir().unwrap(), |settings| settings).await;
        let owner = app.owner().await.with("if-match", "*");
        owner.import("shop").await;
        // Nothing of others, nothing of another environment, no variant that is none.
        let refused = route(&owner, for_flag("beta", &[])).await;
        assert_eq!(faults_of(&refused), ["/match/audience/flags/0/key reference_unknown"]);
        let stranger = app.stranger().await;
        stranger.post(FLAGS, flag("beta")).await.json(201);
        assert_eq!(faults_of(&route(&owner, for_flag("beta", &[])).await).len(), 1);
        let beta = owner.post(FLAGS, flag("beta")).await.json(201);
        let refused = route(&owner, for_flag("beta", &["on", "off", "none"])).await;
        assert_eq!(faults_of(&refused), ["/match/audience/flags/0/variants/2 variant_unknown"]);
        let only = json!({ "environments": { "production": null } });
        owner.patch(&path(FLAGS, &beta), only).await.json(200);
        let mut elsewhere = for_flag("beta", &[]);
        elsewhere["environment"] = "production".into();
        let refused = route(&owner, elsewhere).await;
        assert_eq!(faults_of(&refused), ["/match/audience/flags/0/key reference_unknown"]);
        let none = json!({ "match": { "audience": { "segments": [{ "key": "nl" }], "attributes": [{ "name": "plan", "from": "query" }] } } });
        assert_eq!(
            faults_of(&route(&owner, none).await),
            ["/match/audience/attributes/0/name name_reserved", "/match/audience/segments/0/key reference_unknown"]
        );
        let made = route(&owner, for_flag("beta", &["on", "maybe"])).await.json(201);
        // What it names stays, and what it does not name may go.
        let used = format!("409 in_use: It is used by the route {} of the API `shop`.", made["id"].as_str().unwrap());
        let change = async |change: Value| owner.patch(&path(FLAGS, &beta), change).await;
        assert_eq!(change(json!({ "variants": { "maybe": null } })).await.problem(), used);
        assert_eq!(change(json!({ "environments": { "sandbox": null } })).await.problem(), used);
        assert_eq!(owner.delete(&path(FLAGS, &beta)).await.problem(), used);
        change(json!({ "variants": { "new": true } })).await.json(200);
        change(json!({ "variants": { "new": null } })).await.json(200);
        // A key that is part of another names nothing.
        let bet = owner.post(FLAGS, flag("bet")).await.json(201);
        assert_eq!(owner.delete(&path(FLAGS, &bet)).await.status, 204);
        assert_eq!(owner.delete(&path("/api/v1/routes", &made)).await.status, 204);
        assert_eq!(owner.delete(&path(FLAGS, &beta)).await.status, 204);
    }
}

/// What becomes of a policy of an API.
async fn policy(owner: &Someone<'_>, api: &Value, kind: &str, config: Value, audience: &Value) -> Answer {
    let spec = json!({ "api_id": api, "kind": kind, "config": config, "audience": audience });
    owner.post("/api/v1/policies", spec).await
}

/// A flag, a segment and an API.
async fn begun(owner: &Someone<'_>) -> (Value, Value, Value) {
    let imported = owner.import("shop").await;
    let beta = owner.post(FLAGS, flag("beta")).await.json(201);
    let nl = json!({ "key": "nl", "when": { "attribute": "country", "op": "in", "values": ["NL"] } });
    let nl = owner.post(SEGMENTS, nl).await.json(201);
    (beta, nl, imported["api"].clone())
}

#[tokio::test]
async fn what_policies_name_is_there() {
    let app = TestApp::new().await;
    let owner = app.owner().await;
    let (_, _, api) = begun(&owner).await;
    let told = json!({ "flags": [{ "key": "beta" }, { "key": "none" }] });
    let refused = policy(&owner, &api, "feature_flags", told, &Value::Null).await;
    assert_eq!(faults_of(&refused), ["/config/flags/1/key reference_unknown"]);
    let ours = audience(&json!({ "flags": [{ "key": "beta" }] }));
    for (kind, config) in [
        ("key_auth", json!({})),
        ("cors", json!({ "origins": ["https://a.example"] })),
        ("feature_flags", json!({ "flags": [{ "key": "beta" }] })),
    ] {
        let refused = policy(&owner, &api, kind, config, &ours).await;
        assert_eq!(faults_of(&refused), ["/audience combination_invalid"], "{kind}");
    }
    let wrong = json!({ "flags": [{ "key": "beta", "variants": ["x"] }], "segments": [{ "key": "fr" }] });
    assert_eq!(
        faults_of(&policy(&owner, &api, "headers", json!({}), &audience(&wrong)).await),
        [
            "/audience/flags/0/variants/0 variant_unknown",
            "/audience/segments/0/key reference_unknown"
        ]
    );
    let nobody = policy(&owner, &api, "headers", json!({}), &json!({})).await;
    assert_eq!(faults_of(&nobody), ["/audience field_required"]);
    let kinds = owner.get("/api/v1/policies/kinds").await.json(200);
    let kinds = kinds.as_array().unwrap().iter();
    assert_eq!(kinds.filter(|kind| kind["takes_audience"] == true).count(), 5);
}

#[tokio::test]
async fn what_policies_name_stays() {
    let app = TestApp::new().await;
    let owner = app.owner().await.with("if-match", "*");
    let (beta, nl, api) = begun(&owner).await;
    let told = json!({ "flags": [{ "key": "beta" }] });
    let ours = audience(&told);
    let not_nl = audience(&json!({ "segments": [{ "key": "nl", "not": true }] }));
    let limit = json!({ "requests": 1, "window_seconds": 1 });
    let tells = policy(&owner, &api, "feature_flags", told, &Value::Null)
        .await
        .json(201);
    let limits = policy(&owner, &api, "rate_limit", limit, &ours).await.json(201);
    let sets = policy(&owner, &api, "headers", json!({}), &not_nl)
        .await
        .json(201);
    let by = |policy: &Value| {
        let (kind, id) = (policy["kind"].as_str().unwrap(), policy["id"].as_str().unwrap());
        format!("the policy `{kind}` {id} of the API `shop`")
    };
    let refused = owner.delete(&path(FLAGS, &beta)).await.problem();
    assert!(refused.starts_with("409 in_use"), "{refused}");
    assert!(
        refused.contains(&by(&tells)) && refused.contains(&by(&limits)),
        "{refused}"
    );
    let refused = owner.delete(&path(SEGMENTS, &nl)).await.problem();
    assert!(
        refused.starts_with("409 in_use") && refused.contains(&by(&sets)),
        "{refused}"
    );
    let uses = owner
        .get(&format!("{}/uses", path(SEGMENTS, &nl)))
        .await
        .json(200);
    let policy = json!([{ "id": sets["id"], "api_id": sets["api_id"], "kind": sets["kind"] }]);
    assert_eq!((&uses["policies"], &uses["routes"]), (&policy, &json!([])));
    // Taken out of the policy, the segment may go.
    let everybody = json!({ "audience": null });
    let changed = owner
        .patch(&path("/api/v1/policies", &sets), everybody)
        .await
        .json(200);
    assert_eq!(changed["audience"], Value::Null);
    for policy in [&tells, &limits] {
        assert_eq!(owner.delete(&path("/api/v1/policies", policy)).await.status, 204);
    }
    for one in [path(FLAGS, &beta), path(SEGMENTS, &nl)] {
        assert_eq!(owner.delete(&one).await.status, 204);
    }
}

#[tokio::test]
async fn explaining_asks_flags_and_segments_too() {
    let app = TestApp::new().await;
    let owner = app.owner().await;
    let imported = owner.import("shop").await;
    // No flag speaks of the environment yet, and the segment is there nevertheless.
    let nl = json!({ "key": "nl", "when": { "attribute": "country", "op": "in", "values": ["NL"] } });
    owner.post(SEGMENTS, nl).await.json(201);
    let in_nl = audience(&json!({ "segments": [{ "key": "nl" }] }));
    let by_segment = route(&owner, json!({ "match": { "audience": in_nl }, "priority": 1 }))
        .await
        .json(201);
    let policy = json!({ "api_id": imported["api"], "kind": "headers", "config": {}, "audience": in_nl });
    let policy = owner.post("/api/v1/policies", policy).await.json(201);
    let explain = async |country: &str| {
        let asked = json!({ "url": "/shop/pets", "headers": [{ "name": "x-country", "value": country }] });
        owner.post("/api/v1/routes/explain", asked).await.json(200)
    };
    let found = explain("NL").await;
    assert_eq!(found["route_id"], by_segment["id"]);
    let segment = owner.get(&format!("{SEGMENTS}?filter[key]=nl")).await.json(200);
    let uses = owner
        .get(&format!("{}/uses", path(SEGMENTS, &segment["data"][0])))
        .await;
    let uses = uses.json(200);
    let named = json!({ "id": by_segment["id"], "api_id": imported["api"], "environment": by_segment["environment"] });
    assert_eq!(
        (&uses["routes"], &uses["policies"][0]["id"]),
        (&json!([named]), &policy["id"])
    );
    let policies = found["policies"].as_array().unwrap();
    let is_it = |one: &&Value| one["id"] == policy["id"];
    let for_audience: Vec<_> = policies.iter().map(|one| one["for_audience"] == true).collect();
    assert_eq!(for_audience.iter().filter(|is| **is).count(), 1);
    assert_eq!(policies.iter().find(is_it).unwrap()["for_audience"], true);
    let found = explain("BE").await;
    assert_eq!(found["tried"][0]["missed"], "/match/audience/segments/0");
    assert_ne!(found["route_id"], by_segment["id"]);
    owner.post(FLAGS, flag("beta")).await.json(201);
    let by_flag = route(&owner, {
        let mut spec = for_flag("beta", &["off"]);
        spec["priority"] = 2.into();
        spec
    });
    let by_flag = by_flag.await.json(201);
    assert_eq!(explain("BE").await["route_id"], by_flag["id"]);
    let found = explain("NL").await;
    assert_eq!(found["tried"][0]["missed"], "/match/audience/flags/0");
    assert_eq!(found["route_id"], by_segment["id"]);
}
