//! The line from an imported contract to a key, on both databases; long work; usage and audit of it.

use serde_json::{Value, json};

use crate::app::{PETS, TestApp};

store::on_both! {
    async fn a_contract_becomes_a_product_with_a_key(url: String) {
        let app = TestApp::on(&url, tempfile::tempdir().unwrap(), |settings| settings).await;
        let owner = app.owner().await;
        let imported = owner.import("shop").await;
        assert_eq!(imported["base_url"], "http://gateway.test/shop");
        assert_eq!(imported["operations"], 2);
        let api = imported["api"].as_str().unwrap();
        let version = imported["version"].as_str().unwrap();

        let versions = owner.get(&format!("/api/v1/apis/{api}/versions")).await.json(200);
        assert_eq!(versions["data"][0]["id"], version);
        let operations = owner.get(&format!("/api/v1/versions/{version}/operations?limit=1")).await.json(200);
        assert_eq!(operations["has_more"], true);
        let cursor = operations["next_cursor"].as_str().unwrap();
        let rest = owner.get(&format!("/api/v1/versions/{version}/operations?limit=1&cursor={cursor}")).await.json(200);
        assert_eq!((&operations["data"][0]["name"], &rest["data"][0]["name"]), (&json!("list_pets"), &json!("read_pet")));
        for (q, found) in [("PET_id%7D%20get", &["read_pet"][..]), ("pets", &["list_pets", "read_pet"]), ("pets%20post", &[]), ("%20", &["list_pets", "read_pet"])] {
            let page = owner.get(&format!("/api/v1/versions/{version}/operations?q={q}")).await.json(200);
            let names: Vec<_> = page["data"].as_array().unwrap().iter().map(|operation| operation["name"].as_str().unwrap()).collect();
            assert_eq!(names, found, "{q}");
        }
        let routes = owner.get(&format!("/api/v1/routes?filter[api]={api}")).await.json(200);
        assert_eq!(routes["data"][0]["url"], "http://gateway.test/shop");

        // A consumer of another organization finds it and subscribes in one step.
        let consumer = app.stranger().await;
        let found = consumer.get("/api/v1/catalogue/products?q=pet").await.json(200);
        assert_eq!(found["data"][0]["apis"][0]["name"], "shop");
        let body = json!({ "api": "shop", "plan": "free", "title": "Laptop" });
        let issued = consumer.post("/api/v1/keys/quick", body).await;
        let key = issued.json(201);
        assert!(key["key"].as_str().unwrap().starts_with("gl_sandbox_"));
        assert_eq!(issued.header("location"), key["links"]["self"]);
        let listed = consumer.get("/api/v1/keys?filter[state]=active").await.json(200);
        assert_eq!(listed["data"][0]["id"], key["id"]);
        assert!(listed["data"][0].get("key").is_none());
        let subscriptions = owner.get("/api/v1/subscriptions?filter[state]=active").await.json(200);
        assert_eq!(subscriptions["data"][0]["organization_title"], "Stranger");

        let path = format!("/api/v1/keys/{}", key["id"].as_str().unwrap());
        let next = consumer.post(&format!("{path}/rotate"), json!({ "overlap_seconds": 60 })).await.json(201);
        assert_ne!(next["key"], key["key"]);
        let revoked = consumer.post(&format!("{path}/revoke"), Value::Null).await.json(200);
        assert_eq!(revoked["state"], "revoked");
        assert!(revoked["links"].get("rotate").is_none());

        let usage = consumer.get("/api/v1/usage?filter[api]=shop&group=operation,hour").await.json(200);
        assert_eq!(usage["data"], json!([]));
        let report = owner.get("/api/v1/audit/verify").await.json(200);
        assert_eq!(report["valid"], true);
        let entries = owner.get("/api/v1/audit?filter[action]=import_api").await.json(200);
        let entry = entries["data"][0]["id"].as_str().unwrap().to_owned();
        assert_eq!(owner.get(&format!("/api/v1/audit/{entry}")).await.json(200), entries["data"][0]);
    }
}

#[tokio::test]
async fn a_broken_contract_is_refused_with_places() {
    let app = TestApp::new().await;
    let owner = app.owner().await;
    let document = PETS.replace("operationId: read_pet", "operationId: list_pets\n      tags: [");
    let refused = owner
        .post(
            "/api/v1/apis/import",
            json!({ "document": document, "name": "shop" }),
        )
        .await;
    let problem = refused.json(400);
    assert_eq!(problem["code"], "contract_invalid");
    let error = &problem["errors"][0];
    assert!(
        error["line"].as_u64().unwrap() > 0 && !error["suggestion"].as_str().unwrap().is_empty(),
        "{error}"
    );
    assert_eq!(owner.get("/api/v1/apis").await.json(200)["data"], json!([]));
    let linted = owner
        .post("/api/v1/contracts/lint", json!({ "document": document }))
        .await
        .json(200);
    assert_eq!(linted["valid"], false);
    let large = json!({ "document": "a".repeat(11 * 1024 * 1024) });
    assert_eq!(
        owner.post("/api/v1/contracts/lint", large).await.code(),
        "body_too_large"
    );
}

#[tokio::test]
async fn contracts_are_answered_as_they_came_or_as_json() {
    let app = TestApp::new().await;
    let owner = app.owner().await;
    let imported = owner.import("shop").await;
    let path = format!(
        "/api/v1/versions/{}/contract",
        imported["version"].as_str().unwrap()
    );
    let raw = owner.get(&path).await;
    assert_eq!(
        (raw.text().as_str(), raw.header("content-type")),
        (PETS, "application/yaml")
    );
    let json = owner.with("accept", "application/json").get(&path).await;
    assert_eq!(json.json(200)["info"]["title"], "Pet shop");
    assert_ne!(raw.header("etag"), json.header("etag"));
    let known = owner.with("if-none-match", raw.header("etag")).get(&path).await;
    assert_eq!(known.status, 304);

    let other = PETS.replace("Sells pets.", "Sells all pets.");
    let put = async |someone: &crate::app::Someone<'_>| {
        someone
            .send(
                http::Method::PUT,
                &path,
                other.clone().into(),
                Some("application/yaml"),
            )
            .await
    };
    assert_eq!(put(&owner).await.code(), "precondition_required");
    assert_eq!(
        put(&owner.with("if-match", "\"99\"")).await.code(),
        "precondition_failed"
    );
    put(&owner.with("if-match", "*")).await.json(200);
    let history = owner.get(&format!("{path}s")).await.json(200);
    assert_eq!(history["data"].as_array().unwrap().len(), 2);
    let effective = format!(
        "/api/v1/catalogue/versions/{}/contract",
        imported["version"].as_str().unwrap()
    );
    let effective = app.anybody().get(&effective).await.json(200);
    assert_eq!(effective["servers"][0]["url"], "http://gateway.test/shop");
}

#[tokio::test]
async fn an_import_can_be_asked_about_later() {
    let app = TestApp::new().await;
    let owner = app.owner().await;
    let body = json!({ "document": PETS, "name": "shop", "publish": true });
    let begun = owner
        .with("prefer", "respond-async")
        .post("/api/v1/apis/import", body.clone())
        .await;
    assert_eq!((begun.status.as_u16(), begun.header("retry-after")), (202, "1"));
    let path = begun.header("location").to_owned();
    let ended = owner.with("prefer", "wait=30").get(&path).await.json(200);
    assert_eq!(
        (&ended["status"], &ended["result"]["api_name"]),
        (&json!("succeeded"), &json!("shop"))
    );
    assert!(ended["links"].get("cancel").is_none());
    let events = owner.get(&format!("{path}/events")).await;
    assert_eq!(events.header("content-type"), "text/event-stream");
    let revision = ended["revision"].as_i64().unwrap();
    assert!(
        events.text().contains(&format!("id: {revision}\n")),
        "{}",
        events.text()
    );
    let seen = owner
        .with("last-event-id", &revision.to_string())
        .get(&format!("{path}/events"))
        .await;
    assert_eq!(seen.text(), "");
    assert_eq!(
        owner.post(&format!("{path}/cancel"), Value::Null).await.code(),
        "conflict"
    );

    let broken = json!({ "document": "{}", "name": "other" });
    let begun = owner
        .with("prefer", "respond-async")
        .post("/api/v1/apis/import", broken)
        .await;
    let ended = owner
        .with("prefer", "wait=30")
        .get(begun.header("location"))
        .await
        .json(200);
    assert_eq!(
        (&ended["status"], &ended["error"]["code"]),
        (&json!("failed"), &json!("contract_invalid"))
    );
    let all = owner.get("/api/v1/operations").await.json(200);
    assert_eq!(all["data"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_dry_run_keeps_nothing() {
    let app = TestApp::new().await;
    let owner = app.owner().await;
    let body = json!({ "document": PETS, "name": "shop", "publish": true, "dry_run": true });
    assert_eq!(
        owner.post("/api/v1/apis/import", body).await.json(200)["dry_run"],
        true
    );
    assert_eq!(owner.get("/api/v1/apis").await.json(200)["data"], json!([]));
}
