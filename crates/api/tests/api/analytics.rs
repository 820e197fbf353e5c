//! Questions about calls: what a node reports is in the answers, of those whom it concerns.

use domain::Timestamp;
use events::{Batch, Call, Callee, Event, Method};
use http::Method as Verb;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::app::TestApp;

const NODE: &str = "node_01jd9zk5v8e7rbxq3m6t4n2w0c";
const QUERY: &str = "/api/v1/analytics/query";

#[tokio::test]
async fn calls_that_a_node_reports_are_in_the_answers() {
    let app = TestApp::new().await;
    let (owner, stranger) = (app.owner().await, app.stranger().await);
    let made = owner.import("shop").await;
    let api = owner
        .get(&format!("/api/v1/apis/{}", made["api"].as_str().unwrap()))
        .await
        .json(200);
    let started_at: Timestamp = api["created_at"].as_str().unwrap().parse().unwrap();
    let call = |status, latency_us| {
        Event::Call(Call {
            callee: Some(Callee {
                organization: api["organization_id"].as_str().unwrap().parse().unwrap(),
                api: api["id"].as_str().unwrap().parse().unwrap(),
                version: made["version"].as_str().unwrap().parse().unwrap(),
                operation: None,
            }),
            method: Method::Get,
            status,
            bytes_out: 7,
            latency_us,
            counted: true,
            ..Call::begun(domain::id::RequestId::new(Uuid::nil()), started_at)
        })
    };
    let batch = Batch::of(1, &[call(200, 1000), call(200, 3000), call(500, 9000)]);
    let node = app.bearer(app.control.secrets().cluster_token());
    let path = format!("/internal/v1/nodes/{NODE}/events");
    let body = events::wire::encode_batches(&[batch]);
    let told = node.send(Verb::POST, &path, body.into(), None).await;
    assert!(told.status.is_success(), "{}", told.text());

    let query = json!({
        "measures": ["calls", "error_rate", "bytes_out", "latency_p50_us", "latency_p99_us"],
        "dimensions": ["api", "status"],
        "filters": [{ "dimension": "api", "values": ["shop"] }],
        "from": started_at,
        "to": started_at.after(std::time::Duration::from_secs(1)),
    });
    let answer = owner.post(QUERY, query.clone()).await.json(200);
    let rows = answer["rows"].as_array().unwrap();
    let of = |status: &str| {
        let found = rows.iter().find(|row| row["dimensions"]["status"] == status);
        found.unwrap()["values"].clone()
    };
    assert_eq!(rows.len(), 2, "{answer}");
    assert_eq!(
        (&of("200")["calls"], &of("200")["bytes_out"]),
        (&json!(2.0), &json!(14.0))
    );
    // The sketch tells quantiles to within two percent.
    let median = of("200")["latency_p50_us"].as_f64().unwrap();
    assert!((980.0..=1020.0).contains(&median), "{median}");
    assert_eq!(of("500")["error_rate"], 1.0);
    assert_eq!(answer["names"][api["id"].as_str().unwrap()], "shop");
    assert_eq!(stranger.post(QUERY, query).await.json(200)["rows"], json!([]));
}

#[tokio::test]
async fn what_cannot_be_asked_is_told_with_its_place() {
    let app = TestApp::new().await;
    let owner = app.owner().await;
    let plain = json!({ "measures": ["calls"], "from": "2025-11-20T00:00:00Z" });
    let pointer = async |name: &str, value: Value| {
        let mut query = plain.clone();
        query[name] = value;
        let refused = owner.post(QUERY, query).await;
        assert_eq!(refused.code(), "request_invalid", "{}", refused.text());
        let problem: Value = serde_json::from_str(&refused.text()).unwrap();
        problem["errors"][0]["pointer"].as_str().unwrap().to_owned()
    };
    assert_eq!(
        pointer("measures", json!(["calls", "likes"])).await,
        "/measures/1"
    );
    assert_eq!(pointer("limit", json!(7)).await, "/limit");
    assert_eq!(pointer("to", json!("2025-11-19T00:00:00Z")).await, "/to");
    assert_eq!(pointer("time_zone", json!("Nowhere/Land")).await, "/time_zone");
}
