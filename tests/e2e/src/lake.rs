//! Every single call is a row that its parties can ask for.

use std::time::Duration;

use serde_json::{Value, json};

use crate::away::{answers, beside};
use crate::harness::eventually;
use crate::harness::gateline::{Gateline, Home};
use crate::harness::http::Http;
use crate::harness::program::free_port;
use crate::harness::service::Service;

const SOON: Duration = Duration::from_secs(20);
const BY_STATUS: &str = "SELECT status, refusal, count(*) AS calls FROM calls GROUP BY 1, 2 ORDER BY 1";

/// A home whose lake is committed to five times a second.
fn home() -> Home {
    let mut home = Home::new().with(&["--no-demo"]);
    home.set("GATELINE_LAKE_COMMIT_INTERVAL_MS", "200");
    home
}

/// The rows of an answer.
pub(crate) fn rows(gateline: &Gateline, sql: &str) -> Vec<Value> {
    let ended = gateline.run(&["sql", sql, "--output", "json"]);
    assert_eq!(ended.code, Some(0), "{sql}: {}", ended.stderr);
    let lines = ended.stdout.lines();
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Waits until the rows are these.
async fn becomes(gateline: &Gateline, sql: &str, wanted: &[Value]) {
    let mut found = Vec::new();
    let same = eventually(sql, SOON, async || {
        found = rows(gateline, sql);
        (found == wanted).then_some(())
    });
    same.await;
}

#[tokio::test]
async fn calls_are_rows_in_every_format() {
    let home = home();
    let (service, http) = (Service::start().await, Http::new());
    let gateline = home.up().await;
    gateline.import_shop(&service);
    let key = gateline.shop_key();
    let url = format!("{}/shop/stations", gateline.gateway());
    answers(&http, &url, &key, SOON).await;
    for _ in 0..2 {
        assert_eq!(http.get(&url, &key).await.unwrap().status, 200);
    }
    assert_eq!(http.get(&url, "nobody's").await.unwrap().status, 401);
    // Before the key was known, calls may have been refused as well.
    let refused = "SELECT count(*) > 0 AS has_any FROM calls WHERE status = 401 AND refusal IS NOT NULL AND key_id IS NULL";
    let served =
        "SELECT count(*) AS calls, count(DISTINCT request_id) AS requests FROM calls WHERE status = 200";
    becomes(&gateline, served, &[json!({ "calls": 3, "requests": 3 })]).await;
    let made = "SELECT count(*) AS calls FROM calls_made WHERE application_id IS NOT NULL";
    becomes(&gateline, made, &[json!({ "calls": 3 })]).await;
    becomes(&gateline, refused, &[json!({ "has_any": true })]).await;

    let csv = gateline.run(&["sql", BY_STATUS, "--format", "csv"]);
    assert!(
        csv.stdout.starts_with("status,refusal,calls\n200,,3\n"),
        "{}",
        csv.stdout
    );
    let file = home.path().join("calls.parquet");
    let saved = [
        "sql",
        "SELECT * FROM calls",
        "--format",
        "parquet",
        "--to",
        file.to_str().unwrap(),
    ];
    assert_eq!(gateline.run(&saved).code, Some(0));
    assert!(std::fs::read(&file).unwrap().starts_with(b"PAR1"));
    let table = gateline.run(&["sql", BY_STATUS]);
    assert!(table.stdout.contains("STATUS"), "{}", table.stdout);

    let wrong = gateline.run(&["sql", "SELECT *\nFORM calls", "--output", "json"]);
    let problem: Value = serde_json::from_str(&wrong.stderr).unwrap();
    assert_eq!((wrong.code, &problem["code"]), (Some(3), &json!("query_invalid")));
    assert_eq!(problem["errors"][0]["line"], 2);
    let wrong = gateline.run(&["sql", "DELETE FROM calls", "--output", "json"]);
    let problem: Value = serde_json::from_str(&wrong.stderr).unwrap();
    assert_eq!(problem["errors"][0]["code"], "not_allowed");
    gateline.stop();
}

#[tokio::test]
async fn calls_of_a_node_elsewhere_are_rows_as_well() {
    let home = home();
    let (service, http) = (Service::start().await, Http::new());
    let gateline = home.up().await;
    gateline.import_shop(&service);
    let key = gateline.shop_key();
    let port = free_port();
    let mut node = beside(&gateline, &home, port);
    let url = format!("http://127.0.0.1:{port}/shop/stations");
    answers(&http, &url, &key, SOON).await;
    for _ in 0..4 {
        assert_eq!(http.get(&url, &key).await.unwrap().status, 200);
    }
    // It brings what it has before it ends, whatever its interval is.
    node.signal("TERM");
    assert_eq!(node.wait(Duration::from_secs(30)), Some(0), "{}", node.said());
    let sql = "SELECT count(*) AS calls FROM calls WHERE status = 200";
    assert_eq!(rows(&gateline, sql), [json!({ "calls": 5 })]);
    gateline.stop();
}

#[tokio::test]
async fn who_keeps_no_calls_says_so() {
    let mut home = home();
    home.set("GATELINE_LAKE_ENABLED", "false");
    let (service, http) = (Service::start().await, Http::new());
    let gateline = home.up().await;
    gateline.import_shop(&service);
    let key = gateline.shop_key();
    let url = format!("{}/shop/stations", gateline.gateway());
    answers(&http, &url, &key, SOON).await;
    let refused = gateline.run(&["sql", "SELECT 1", "--output", "json"]);
    let problem: Value = serde_json::from_str(&refused.stderr).unwrap();
    assert_eq!(problem["code"], "lake_off");
    eventually("the count", Duration::from_secs(5), async || {
        (gateline.calls("shop") > 0).then_some(())
    })
    .await;
    gateline.stop();
    let path = home.data().join("gateway/log.redb");
    let log = events::Log::open(&path, events::log::LogSettings::default()).unwrap();
    assert_eq!(
        log.figures().batches,
        0,
        "nothing waits for a lake that there is not"
    );
    drop(log);

    // From then on calls are kept, without those that are gone.
    home.unset("GATELINE_LAKE_ENABLED");
    let gateline = home.up().await;
    let url = format!("{}/shop/stations", gateline.gateway());
    answers(&http, &url, &key, SOON).await;
    let sql = "SELECT count(*) AS calls FROM calls WHERE status = 200";
    becomes(&gateline, sql, &[json!({ "calls": 1 })]).await;
    gateline.stop();
}
