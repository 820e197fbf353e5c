//! Try-it: calls from our pages reach the gateway, and nothing else does.

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use http::Method;
use serde_json::{Value, json};

use crate::app::TestApp;

/// A gateway that answers what it was asked.
async fn gateway() -> String {
    let answer = async |request: Request| {
        let headers = request.headers();
        let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        let seen = json!({
            "method": request.method().as_str(), "uri": request.uri().to_string(), "key": text("x-api-key"),
            "cookie": text("cookie"), "authorization": text("authorization"), "custom": text("x-custom"),
            "hop": text("x-hop"), "id": text("x-request-id"), "csrf": text("x-csrf-token"),
        });
        let headers = [
            ("set-cookie", "evil=1"),
            ("x-answer", "yes"),
            ("access-control-allow-origin", "*"),
        ];
        (http::StatusCode::IM_A_TEAPOT, headers, seen.to_string())
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
    format!("http://{address}")
}

async fn app(gateway_url: Option<String>) -> TestApp {
    TestApp::with(|settings| api::Settings {
        gateway_url,
        ..settings
    })
    .await
}

#[tokio::test]
async fn calls_reach_the_gateway_without_our_secrets() {
    let app = app(Some(gateway().await)).await;
    let imported = app.owner().await.import("shop").await;
    let version = imported["version"].as_str().unwrap();
    let caller = app
        .anybody()
        .with("x-api-key", "gl_sandbox_x")
        .with("cookie", "gateline_session=secret")
        .with("authorization", "Bearer ours")
        .with("x-csrf-token", "secret")
        .with("x-custom", "kept")
        .with("connection", "x-hop")
        .with("x-hop", "gone")
        .with("x-request-id", "try-1");
    let path = format!("/api/v1/try/{version}/pets/a%2Fb%20c?q=1&q=2");
    let answer = caller
        .send(Method::DELETE, &path, Body::from("body"), Some("text/plain"))
        .await;
    assert_eq!(answer.status, 418);
    assert_eq!(
        (answer.header("x-answer"), answer.header("set-cookie")),
        ("yes", "")
    );
    assert_eq!(answer.header("access-control-allow-origin"), "");
    let seen: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(seen["method"], "DELETE");
    assert_eq!(seen["uri"], "/shop/pets/a%2Fb%20c?q=1&q=2");
    assert_eq!(
        (&seen["key"], &seen["custom"], &seen["id"]),
        (&json!("gl_sandbox_x"), &json!("kept"), &json!("try-1"))
    );
    for name in ["cookie", "authorization", "hop", "csrf"] {
        assert_eq!(seen[name], Value::Null, "{name}");
    }
}

#[tokio::test]
async fn only_what_can_be_seen_can_be_tried() {
    let app = app(Some(gateway().await)).await;
    let owner = app.owner().await;
    let body = json!({ "document": crate::app::PETS, "name": "hidden" });
    let draft = owner.post("/api/v1/apis/import", body).await.json(201);
    let path = format!("/api/v1/try/{}/pets", draft["version"].as_str().unwrap());
    assert_eq!(app.anybody().get(&path).await.code(), "not_found");
    for path in [
        "/api/v1/try/ver_01jd9zk5v8e7rbxq3m6t4n2w0c/pets",
        "/api/v1/try/nonsense/pets",
    ] {
        assert_eq!(app.anybody().get(path).await.code(), "not_found");
    }
    let imported = owner.import("shop").await;
    for way in ["../other/pets", "%2e%2e/other/pets", "a/./b", ".."] {
        let path = format!("/api/v1/try/{}/{way}", imported["version"].as_str().unwrap());
        assert_eq!(
            app.anybody().get(&path).await.code(),
            "parameter_invalid",
            "{way}"
        );
    }
}

#[tokio::test]
async fn a_gateway_that_is_away_is_said() {
    let away = app(Some("http://127.0.0.1:1".to_owned())).await;
    let imported = away.owner().await.import("shop").await;
    let path = format!("/api/v1/try/{}/pets", imported["version"].as_str().unwrap());
    assert_eq!(away.anybody().get(&path).await.code(), "upstream_unreachable");
    let none = app(None).await;
    let imported = none.owner().await.import("shop").await;
    let path = format!("/api/v1/try/{}/pets", imported["version"].as_str().unwrap());
    assert_eq!(none.anybody().get(&path).await.code(), "upstream_none");
}
