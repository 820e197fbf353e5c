//! What people and crawlers ask for: pages, error pages, health, metrics.

use domain::Code;

use crate::app::TestApp;

#[tokio::test]
async fn pages_are_served_with_what_browsers_need() {
    let app = TestApp::new().await;
    let home = app.anybody().get("/").await;
    assert_eq!((home.status.as_u16(), home.header("location")), (307, "/portal/"));
    for path in [
        "/portal/",
        "/portal/products/x",
        "/console/",
        "/console/apis/api_1",
        "/api/docs",
    ] {
        let page = app.anybody().get(path).await;
        assert_eq!(page.status, 200, "{path}");
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
        assert_eq!(page.header("cache-control"), "no-cache");
        assert_eq!(
            page.header("content-security-policy"),
            webui::CONTENT_SECURITY_POLICY
        );
        let known = app
            .anybody()
            .with("if-none-match", page.header("etag"))
            .get(path)
            .await;
        assert_eq!(known.status, 304);
    }
    assert_eq!(
        app.anybody().get("/assets/none.js").await.problem(),
        "404 not_found: Nothing answers under this path."
    );
}

#[tokio::test]
async fn every_code_has_a_page() {
    let app = TestApp::new().await;
    for code in Code::ALL {
        let page = app.anybody().get(&code.page()).await;
        assert_eq!(page.status, 200, "{}", code.as_str());
        assert!(page.text().contains(&format!("<code>{}</code>", code.as_str())));
        let markdown = app
            .anybody()
            .with("accept", "text/markdown")
            .get(&code.page())
            .await;
        assert!(markdown.text().starts_with(&format!("# `{}`", code.as_str())));
    }
    let index = app.anybody().get("/docs/errors").await.text();
    assert!(index.contains("href=\"/docs/errors/not_found\""));
    let listed = app.anybody().get("/api/v1/errors").await.json(200);
    assert_eq!(listed.as_array().unwrap().len(), Code::ALL.len());
    assert_eq!(
        app.anybody().get("/docs/errors/nonsense").await.code(),
        "not_found"
    );
}

#[tokio::test]
async fn programs_find_their_way() {
    let app = TestApp::new().await;
    let catalog = app.anybody().get("/.well-known/api-catalog").await;
    assert!(
        catalog
            .header("content-type")
            .starts_with("application/linkset+json")
    );
    let link = &catalog.json(200)["linkset"][0]["service-desc"][0]["href"];
    assert_eq!(link, "http://control.test/api/v1/openapi.json");
    assert!(
        app.anybody()
            .get("/llms.txt")
            .await
            .text()
            .starts_with("# Gateline")
    );
}

#[tokio::test]
async fn health_names_what_is_not_ready() {
    let probe = |name, found: Result<(), String>| api::Probe {
        name,
        check: std::sync::Arc::new(move || found.clone()),
    };
    let app = TestApp::with(|settings| api::Settings {
        probes: vec![
            probe("gateway", Ok(())),
            probe("log", Err("the disk is full".to_owned())),
        ],
        ..settings
    })
    .await;
    assert_eq!(app.anybody().get("/health/live").await.json(200)["status"], "ok");
    let ready = app.anybody().get("/health/ready").await.json(503);
    assert_eq!(ready["status"], "not_ready");
    assert_eq!(ready["checks"][2]["reason"], "the disk is full");
}

#[tokio::test]
async fn requests_are_counted_by_operation() {
    let app = TestApp::with(|settings| api::Settings {
        figures: vec![api::Figure {
            name: "gateline_log_lag_events",
            help: "Events in the log",
            read: std::sync::Arc::new(|| 3.0),
        }],
        ..settings
    })
    .await;
    app.owner().await.get("/api/v1/apis").await.json(200);
    app.anybody().get("/api/v1/apis").await;
    app.anybody().get("/no/such/path").await;
    let text = app.anybody().get("/metrics").await.text();
    for line in [
        "gateline_control_requests_total{operation=\"list_apis\",status=\"200\"} 1",
        "gateline_control_requests_total{operation=\"list_apis\",status=\"401\"} 1",
        "gateline_control_requests_total{operation=\"-\",status=\"404\"} 1",
        "gateline_control_latency_seconds_count{operation=\"list_apis\"} 2",
        "gateline_sign_in_failures_total 0",
        "gateline_log_lag_events 3.0",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}
