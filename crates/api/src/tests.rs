//! What cannot be seen through HTTP: the checked-in document, and what a handler's panic becomes.

use http_body_util::BodyExt as _;

use crate::endpoint::{Access, Endpoint};

#[test]
fn the_document_is_checked_in() {
    let text = serde_json::to_string_pretty(&crate::openapi()).unwrap() + "\n";
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../spec/openapi.json");
    let known = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        known == text,
        "spec/openapi.json is not what the code says: run `make gen`"
    );
}

#[tokio::test]
async fn a_panic_and_a_long_wait_are_problems() {
    let store = store::Store::open("sqlite::memory:").await.unwrap();
    let control = control::Control::new(store, control::system_clock()).unwrap();
    let settings = crate::Settings {
        timeout: std::time::Duration::from_millis(10),
        ..crate::Settings::new("http://control.test")
    };
    let endpoints = vec![
        Endpoint::get("/panic", "panic")
            .access(Access::Open)
            .to(|_| async { panic!("nobody may read this") }),
        Endpoint::get("/wait", "wait")
            .access(Access::Open)
            .to(|_| std::future::pending()),
    ];
    let router = crate::router_of(control, settings, endpoints);
    for (path, expected) in [("/panic", (500, "internal")), ("/wait", (503, "overloaded"))] {
        let request = http::Request::get(path).body(axum::body::Body::empty()).unwrap();
        let response = tower::ServiceExt::oneshot(router.clone(), request).await.unwrap();
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let text = String::from_utf8(body.to_vec()).unwrap();
        assert!(!text.contains("nobody may read"), "{text}");
        let problem: crate::Problem = serde_json::from_str(&text).unwrap();
        assert_eq!((status, problem.code.as_str()), expected);
        assert!(problem.request_id.starts_with("req_"));
    }
}
