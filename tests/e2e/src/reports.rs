//! Reports about real calls, from the command line.

use std::time::Duration;

use serde_json::Value;

use crate::away::answers;
use crate::harness::eventually;
use crate::harness::gateline::Home;
use crate::harness::http::Http;
use crate::harness::service::Service;

const SOON: Duration = Duration::from_secs(20);

/// A table of a report.
fn table<'a>(report: &'a Value, name: &str) -> &'a Value {
    let sections = report["sections"].as_array().unwrap();
    let found = sections.iter().find(|section| section["name"] == name);
    &found.unwrap_or_else(|| panic!("{name}: {report}"))["content"]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happened_is_told_and_saved() {
    let home = Home::new().with(&["--no-demo"]);
    let (service, http) = (Service::start().await, Http::new());
    let gateline = home.up().await;
    gateline.import_shop(&service);
    let key = gateline.shop_key();
    let url = format!("{}/shop/stations", gateline.gateway());
    answers(&http, &url, &key, SOON).await;
    assert_eq!(http.get(&url, "nobody's").await.unwrap().status, 401);

    let listed = gateline.json(&["reports", "list"]);
    assert_eq!(listed["data"].as_array().unwrap().len(), 10);
    let show = ["reports", "show", "errors", "--last", "7d", "--api", "shop"];
    eventually("the refused call is told", SOON, async || {
        let told = gateline.run(&show).stdout;
        told.contains("(key_malformed)").then_some(())
    })
    .await;
    let report = gateline.json(&["reports", "show", "adoption"]);
    let funnel = &table(&report, "funnel")["rows"];
    assert_eq!(funnel[3]["cells"][0]["text"], "First success", "{report}");
    assert_eq!(funnel[3]["cells"][1]["number"], 1.0, "{report}");
    let first = report["sections"][0]["content"]["figures"]
        .as_array()
        .unwrap()
        .iter()
        .find(|figure| figure["name"] == "time_to_first_call")
        .unwrap();
    assert!(first["value"]["number"].as_f64().unwrap() > 0.0, "{report}");

    let file = home.path().join("errors.csv");
    let path = file.to_str().unwrap();
    let export = [
        "reports",
        "export",
        "errors",
        "--section",
        "causes",
        "--file",
        path,
    ];
    assert_eq!(gateline.run(&export).code, Some(0));
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(
        text.lines().any(|line| line.contains(",Gateway,401,shop,")),
        "{text}"
    );
    let wrong = gateline.run(&["reports", "show", "quotas", "--api", "shop"]);
    assert!(
        wrong.stderr.contains("The report `quotas` does not look at it"),
        "{}",
        wrong.stderr
    );
    gateline.stop();
}
