//! Reports over HTTP: which there are, one of them, and one as a file.

use serde_json::json;

use crate::app::TestApp;

#[tokio::test]
async fn reports_are_listed_read_and_saved() {
    let app = TestApp::new().await;
    let viewer = app.member("viewer").await;
    let listed = viewer.get("/api/v1/reports").await.json(200);
    let of = |name: &str| {
        let all = listed["data"].as_array().unwrap();
        all.iter().find(|report| report["name"] == name).unwrap().clone()
    };
    assert_eq!(
        of("forecast")["parameters"],
        json!(["api", "application", "capacity"])
    );

    let report = viewer
        .get("/api/v1/reports/errors?from=2026-11-01T00:00:00Z&to=2026-11-03T00:00:00Z&time_zone=Europe/Berlin")
        .await;
    let report = report.json(200);
    assert_eq!(report["time_zone"], "Europe/Berlin");
    assert_eq!(
        report["period"],
        json!({ "from": "2026-11-01T00:00:00Z", "to": "2026-11-03T00:00:00Z" })
    );
    let sections = report["sections"].as_array().unwrap();
    let causes = sections
        .iter()
        .find(|section| section["name"] == "causes")
        .unwrap();
    assert_eq!(
        (&causes["content"]["kind"], &causes["content"]["rows"]),
        (&json!("table"), &json!([]))
    );

    let file = viewer.get("/api/v1/reports/errors/export?section=causes").await;
    assert_eq!(file.header("content-type"), "text/csv");
    assert_eq!(
        file.header("content-disposition"),
        "attachment; filename=\"errors.csv\""
    );
    let text = file.text();
    let header = "what,side,status,api,operation,calls,";
    assert!(text.starts_with(header), "{text}");
    let file = viewer.get("/api/v1/reports/errors/export?format=pdf").await;
    assert_eq!(file.header("content-type"), "application/pdf");
    assert!(file.text().starts_with("%PDF-"));
}

#[tokio::test]
async fn what_cannot_be_told_is_refused() {
    let app = TestApp::new().await;
    let viewer = app.member("viewer").await;
    for (path, status, code) in [
        ("/api/v1/reports/nothing", 404, "not_found"),
        ("/api/v1/reports/quotas?api=shop", 400, "parameter_invalid"),
        ("/api/v1/reports/traffic?from=yesterday", 400, "parameter_invalid"),
        ("/api/v1/reports/forecast?capacity=-1", 400, "parameter_invalid"),
        ("/api/v1/reports/traffic?section=sums", 400, "parameter_unknown"),
        (
            "/api/v1/reports/traffic/export?section=sums&format=pdf",
            400,
            "parameter_invalid",
        ),
        (
            "/api/v1/reports/traffic/export?format=odt",
            400,
            "parameter_invalid",
        ),
        (
            "/api/v1/reports/traffic/export?section=nothing",
            400,
            "parameter_invalid",
        ),
    ] {
        let answer = viewer.get(path).await.json(status);
        assert_eq!(answer["code"], code, "{path}: {answer}");
    }
    app.anybody().get("/api/v1/reports").await.json(401);
}
