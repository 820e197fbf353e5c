//! What holds for every endpoint: ids of requests, problems, revisions, bodies, headers.

use axum::body::Body;
use http::Method;
use insta::assert_snapshot;
use serde_json::json;

use crate::app::TestApp;

const ID: &str = "api_01jd9zk5v8e7rbxq3m6t4n2w0c";

#[tokio::test]
async fn request_ids_are_taken_or_minted_and_echoed() {
    let app = TestApp::new().await;
    let minted = app.anybody().get("/health/live").await;
    assert!(minted.header("x-request-id").starts_with("req_"));
    let given = app
        .anybody()
        .with("x-request-id", "abc-123:4")
        .get("/health/live")
        .await;
    assert_eq!(given.header("x-request-id"), "abc-123:4");
    for bad in ["with space", "<script>", &"x".repeat(129)] {
        let answer = app.anybody().with("x-request-id", bad).get("/health/live").await;
        assert!(answer.header("x-request-id").starts_with("req_"), "{bad}");
    }
    let owner = app.owner().await.with("x-request-id", "from-a-test");
    owner
        .post("/api/v1/plans", json!({ "name": "one", "title": "One" }))
        .await
        .json(201);
    let entries = owner.get("/api/v1/audit?limit=1").await.json(200);
    assert_eq!(entries["data"][0]["request_id"], "from-a-test");
}

#[tokio::test]
async fn what_is_asked_wrongly_is_named() {
    let app = TestApp::new().await;
    let owner = app.owner().await;
    let ask = async |path: &str| owner.get(path).await.problem();
    assert_snapshot!(ask("/api/v1/apis?limt=1").await, @"400 parameter_unknown: `limt` is not known; there are `limit`, `cursor`, `fields`, `sort`, `q`, `filter[name]`, `filter[tag]`, `filter[workspace]`.");
    assert_snapshot!(ask("/api/v1/auth/whoami?x=1").await, @"400 parameter_unknown: `x` is not known; this operation takes no query parameters.");
    assert_snapshot!(ask("/api/v1/apis?limit=1&limit=2").await, @"400 parameter_invalid: `limit` stands there twice.");
    assert_snapshot!(ask("/api/v1/apis?limit=0").await, @"400 parameter_invalid: `limit`: 0 is not between 1 and 200.");
    assert_snapshot!(ask("/api/v1/apis?limit=many").await, @"400 parameter_invalid: `limit`: invalid digit found in string.");
    assert_snapshot!(ask("/api/v1/apis?sort=title").await, @"400 parameter_invalid: `sort`: `title` is not one of `-created_at`, `created_at`, `name`, `-name`.");
    assert_snapshot!(ask("/api/v1/keys?filter[state]=gone").await, @"400 parameter_invalid: `filter[state]`: it is `active` or `revoked`.");
    assert_snapshot!(ask("/api/v1/apis/prd_1").await, @"400 parameter_invalid: `id`: an id that begins with `api_` was expected.");
    assert_snapshot!(ask("/api/v1/nothing").await, @"404 not_found: Nothing answers under this path.");
    assert_snapshot!(ask(&format!("/api/v1/apis/{ID}")).await, @"404 not_found: There is no such api, or you may not see it.");
    let method = owner.send(Method::PUT, "/api/v1/apis", Body::empty(), None).await;
    assert_snapshot!(method.problem(), @"405 method_not_allowed: `PUT` is not one of the methods of this path.");
    let mut allowed: Vec<_> = method.header("allow").split(',').collect();
    allowed.sort_unstable();
    assert_eq!(allowed, ["GET", "HEAD", "POST"]);
}

#[tokio::test]
async fn bodies_are_read_strictly() {
    let app = TestApp::new().await;
    let owner = app.owner().await;
    let send = async |kind: Option<&str>, body: &str| {
        owner
            .send(Method::POST, "/api/v1/plans", Body::from(body.to_owned()), kind)
            .await
            .problem()
    };
    let json = Some("application/json");
    assert_snapshot!(send(json, "{\n  \"name\": x }").await, @r#"
    400 request_invalid: The body is not JSON.
    "" "json_malformed": "The body is not JSON: expected value at line 2 column 11."
    "#);
    assert_snapshot!(send(json, r#"{"name":"a","title":"A","colour":1}"#).await, @r#"
    400 request_invalid: unknown field `colour`, expected one of `name`, `title`, `description`, `rate_limit`, `quota`, `concurrent_calls_max`, `tier_costs`, `when_store_is_away`, `service_level`, `price`, `keys_max`, `managed_by`
    "/colour" "field_invalid": "unknown field `colour`, expected one of `name`, `title`, `description`, `rate_limit`, `quota`, `concurrent_calls_max`, `tier_costs`, `when_store_is_away`, `service_level`, `price`, `keys_max`, `managed_by`"
    "#);
    assert_snapshot!(send(json, r#"{"name":"a","title":"A","quota":{"requests":-1,"period":"day"}}"#).await, @r#"
    400 request_invalid: invalid value: integer `-1`, expected u64
    "/quota/requests" "field_invalid": "invalid value: integer `-1`, expected u64"
    "#);
    assert_snapshot!(send(Some("text/plain"), "{}").await, @"415 media_type_unsupported: `text/plain` is not taken here, but `application/json`.");
    assert_snapshot!(send(None, "{}").await, @"415 media_type_unsupported: `Content-Type` is missing; `application/json` is taken here.");
    let large = format!("{{\"name\":\"{}\"}}", "a".repeat(1024 * 1024));
    assert_snapshot!(send(json, &large).await, @"413 body_too_large: At most 1048576 bytes are taken here.");
}

#[tokio::test]
async fn changes_name_the_state_they_change() {
    let app = TestApp::new().await;
    let owner = app.owner().await;
    let made = owner
        .post(
            "/api/v1/plans",
            json!({ "name": "one", "title": "One", "description": "d" }),
        )
        .await;
    assert_eq!(made.header("etag"), "\"1\"");
    let path = made.header("location").to_owned();
    assert_eq!(made.json(201)["links"]["self"], path);

    let read = owner.get(&path).await;
    assert_eq!((read.status.as_u16(), read.header("etag")), (200, "\"1\""));
    let known = owner.with("if-none-match", "W/\"7\", \"1\"").get(&path).await;
    assert_eq!(
        (known.status.as_u16(), known.body.len(), known.header("etag")),
        (304, 0, "\"1\"")
    );

    let patch = json!({ "title": "Uno", "description": null });
    assert_snapshot!(owner.patch(&path, patch.clone()).await.problem(), @"428 precondition_required: This changes something that others may change too.");
    let changed = owner.with("if-match", "\"1\"").patch(&path, patch.clone()).await;
    assert_eq!(changed.header("etag"), "\"2\"");
    let body = changed.json(200);
    assert_eq!(
        (&body["title"], &body["description"]),
        (&json!("Uno"), &json!(""))
    );
    assert_snapshot!(owner.with("if-match", "\"1\"").patch(&path, patch.clone()).await.problem(), @"412 precondition_failed: You have read revision 1, by now it is 2.");
    assert_snapshot!(owner.with("if-match", "W/\"2\"").patch(&path, patch.clone()).await.problem(), @r#"412 precondition_failed: `If-Match` is not an `ETag` of this resource; one looks like `"3"`."#);
    assert_snapshot!(owner.with("if-match", "*").patch(&path, json!({ "name": "No Name" })).await.problem(), @r#"
    400 request_invalid: `No Name` is not a name: use 1 to 63 lower-case letters, digits and hyphens, no hyphen first or last
    "/name" "field_invalid": "`No Name` is not a name: use 1 to 63 lower-case letters, digits and hyphens, no hyphen first or last"
    "#);
    assert_eq!(
        owner
            .with("if-match", "*")
            .patch(&path, json!({ "title": "Due" }))
            .await
            .status,
        200
    );

    assert_eq!(owner.delete(&path).await.code(), "precondition_required");
    assert_eq!(
        owner.with("if-match", "\"2\"").delete(&path).await.code(),
        "precondition_failed"
    );
    assert_eq!(owner.with("if-match", "\"3\"").delete(&path).await.status, 204);
    assert_eq!(owner.get(&path).await.code(), "not_found");
}

#[tokio::test]
async fn names_that_are_taken_are_a_conflict() {
    let app = TestApp::new().await;
    let owner = app.owner().await;
    let again = owner
        .post("/api/v1/plans", json!({ "name": "free", "title": "Free" }))
        .await;
    assert_snapshot!(again.problem(), @"409 name_taken: Another one has this name already.");
}

#[tokio::test]
async fn answers_keep_browsers_safe() {
    let app = TestApp::new().await;
    let answer = app.anybody().get("/health/live").await;
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert!(
        answer
            .header("content-security-policy")
            .contains("frame-ancestors 'none'")
    );
    assert_eq!(answer.header("strict-transport-security"), "");
    assert_eq!(answer.header("cache-control"), "no-store");

    let app = TestApp::with(|settings| api::Settings {
        control_url: "https://control.test".to_owned(),
        ..settings
    })
    .await;
    let answer = app.anybody().get("/portal/").await;
    assert!(answer.header("strict-transport-security").starts_with("max-age="));
    assert_eq!(
        answer.header("content-security-policy"),
        webui::CONTENT_SECURITY_POLICY
    );
}

#[tokio::test]
async fn only_configured_origins_may_call() {
    let app = TestApp::with(|settings| api::Settings {
        cors_origins: vec!["https://console.example".to_owned()],
        ..settings
    })
    .await;
    let ask = async |origin: &str| {
        let asker = app
            .anybody()
            .with("origin", origin)
            .with("access-control-request-method", "PATCH");
        asker
            .send(Method::OPTIONS, "/api/v1/apis", Body::empty(), None)
            .await
    };
    let allowed = ask("https://console.example").await;
    assert_eq!(allowed.status, 204);
    assert_eq!(
        allowed.header("access-control-allow-origin"),
        "https://console.example"
    );
    assert!(allowed.header("access-control-allow-methods").contains("PATCH"));
    let refused = ask("https://evil.example").await;
    assert_eq!(
        (
            refused.status.as_u16(),
            refused.header("access-control-allow-origin")
        ),
        (405, "")
    );
}

#[tokio::test]
async fn the_database_away_is_said_and_not_explained() {
    let app = TestApp::new().await;
    let owner = app.owner().await;
    app.control.store().close().await;
    let answer = owner.get("/api/v1/plans").await;
    assert_eq!(answer.code(), "store_unavailable");
    assert_eq!(answer.header("retry-after"), "1");
    assert!(
        !answer.text().to_lowercase().contains("pool"),
        "{}",
        answer.text()
    );
    let health = app.anybody().get("/health/ready").await.json(503);
    assert_eq!(health["checks"][0]["name"], "store");
    assert_eq!(health["checks"][0]["ready"], false);
}
