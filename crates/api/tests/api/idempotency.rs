//! `Idempotency-Key`: the same request takes effect once.

use serde_json::json;

use crate::app::TestApp;

#[tokio::test]
async fn a_repetition_gets_the_first_answer() {
    let app = TestApp::new().await;
    let owner = app.owner().await.with("idempotency-key", "k1");
    let body = json!({ "name": "one", "title": "One" });
    let first = owner.post("/api/v1/plans", body.clone()).await;
    let again = owner.post("/api/v1/plans", body.clone()).await;
    assert_eq!(first.json(201), again.json(201));
    assert_eq!(
        (
            first.header("idempotency-replayed"),
            again.header("idempotency-replayed")
        ),
        ("", "true")
    );
    assert_eq!(
        (again.header("etag"), again.header("location")),
        ("\"1\"", first.header("location"))
    );
    assert_eq!(again.header("content-type"), "application/json");
    let other = owner
        .post("/api/v1/plans", json!({ "name": "two", "title": "Two" }))
        .await;
    assert_eq!(
        other.problem(),
        "422 idempotency_key_reused: Another request was sent with this key before."
    );
    // Another operation and another organization have keys of their own.
    owner.post("/api/v1/applications", body.clone()).await.json(201);
    let stranger = app.stranger().await.with("idempotency-key", "k1");
    stranger.post("/api/v1/plans", body).await.json(201);
}

#[tokio::test]
async fn refusals_are_kept_and_failures_are_not() {
    let app = TestApp::new().await;
    let owner = app.owner().await.with("idempotency-key", "k1");
    let body = json!({ "name": "free", "title": "Free" });
    let first = owner.post("/api/v1/plans", body.clone()).await;
    let again = owner.post("/api/v1/plans", body).await;
    assert_eq!(
        (first.code(), again.code()),
        ("name_taken".to_owned(), "name_taken".to_owned())
    );
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.header("content-type"), "application/problem+json");
}

#[tokio::test]
async fn a_secret_is_told_again_to_whoever_repeats() {
    let app = TestApp::new().await;
    let owner = app.owner().await;
    owner.import("shop").await;
    let owner = owner.with("idempotency-key", "k1");
    let body = json!({ "api": "shop", "plan": "free" });
    let first = owner.post("/api/v1/keys/quick", body.clone()).await.json(201);
    let again = owner.post("/api/v1/keys/quick", body).await.json(201);
    assert_eq!(first["key"], again["key"]);
    let keys = owner.get("/api/v1/keys").await.json(200);
    assert_eq!(keys["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn answers_are_forgotten_after_a_day() {
    let app = TestApp::new().await;
    let owner = app.owner().await.with("idempotency-key", "k1");
    let body = json!({ "name": "one", "title": "One" });
    owner.post("/api/v1/plans", body.clone()).await.json(201);
    app.pass(std::time::Duration::from_secs(24 * 3600 + 1));
    let owner = app.owner().await.with("idempotency-key", "k1");
    assert_eq!(owner.post("/api/v1/plans", body).await.code(), "name_taken");
}

#[tokio::test]
async fn a_key_is_short_and_visible() {
    let app = TestApp::new().await;
    for key in ["", &"k".repeat(256)] {
        let owner = app.owner().await.with("idempotency-key", key);
        let answer = owner
            .post("/api/v1/plans", json!({ "name": "one", "title": "One" }))
            .await;
        assert_eq!(answer.code(), "request_invalid", "{}", key.len());
    }
}
