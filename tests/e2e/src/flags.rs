//! Feature flags: the lines that scripts rely on, exactly as they are promised.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};

use crate::away::beside;
use crate::harness::eventually;
use crate::harness::gateline::{Gateline, Home};
use crate::harness::http::Http;
use crate::harness::program::free_port;

const FILE: &str = r#"
flags:
  new-checkout:
    type: boolean                       # string, number, json
    variants: {on: true, off: false}
    environments:
      production:
        enabled: true
        off: off
        rules:
          - {name: staff, when: {attribute: email, op: ends_with, values: ["@acme.example"]}, serve: on}
          - {name: eu, when: {all: [{attribute: country, op: in, values: [DE, FR]}, {attribute: app_version, op: semver_gte, values: ["2.1.0"]}]}, split: {on: 30, off: 70}, by: user_id}
        otherwise: {split: {on: 10, off: 90}, by: user_id}
"#;

const NEEDING: &str = r#"
flags:
  above:
    environments:
      production: {off: off, prerequisites: [{flag: below, variants: [on]}], otherwise: {serve: on}}
  below:
    environments:
      production: {off: off, otherwise: {serve: on}}
"#;

#[tokio::test]
async fn the_lines_of_flags() {
    the_lines(&Home::new().with(&["--no-demo"])).await;
}

#[tokio::test]
async fn the_lines_of_flags_on_postgresql() {
    let database = store::testing::fresh_postgres().await;
    the_lines(&Home::new().with(&["--no-demo", "--database", &database])).await;
}

async fn the_lines(home: &Home) {
    let gateline = home.up().await;
    let made = gateline.json(&[
        "flags",
        "create",
        "new-checkout",
        "--type",
        "boolean",
        "--environment",
        "production",
        "--on",
        "10%",
    ]);
    let split = json!({ "split": { "on": 10.0, "off": 90.0 }, "by": "user_id" });
    assert_eq!(made["environments"]["production"]["otherwise"], split);
    rolled_out(&gateline).await;
    declared(home, &gateline);
    tried(&gateline);
    given_to_others(&gateline);
    gateline.stop();
}

/// What SDKs of others are not given is told, and what they get can be encrypted.
fn given_to_others(gateline: &Gateline) {
    let told = gateline.json(&["flags", "left-out", "new-checkout", "--environment", "production"]);
    let told: Vec<_> = told["left_out"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["protocol"].as_str().unwrap())
        .collect();
    assert!(told.starts_with(&["unleash", "growthbook"]), "{told:?}");
    let create = [
        "keys",
        "create",
        "--evaluation",
        "server",
        "--environment",
        "production",
    ];
    assert_eq!(gateline.json(&create).get("payload_key"), None);
    let made = gateline.json(&[create.as_slice(), &["--encrypt-payload"]].concat());
    assert_eq!(made["payload_key"].as_str().map(str::len), Some(24));
}

/// A share of nobody, of all, of half, and the switch: each change is in force with the next question.
async fn rolled_out(gateline: &Gateline) {
    let key = gateline.server_key("production");
    let http = Http::new();
    let control = gateline.control();
    let on = async |user: u32| {
        let path = format!("/api/v1/feature-flags/new-checkout/evaluate?user_id={user}&country=DE");
        let answer = http.get(&format!("{control}{path}"), &key).await.unwrap().json();
        let variant = if answer["enabled"] == true { "on" } else { "off" };
        assert_eq!(answer["variant"], variant, "{answer}");
        answer["enabled"] == true
    };
    let users = async || {
        let mut users = Vec::new();
        for user in 0..200 {
            if on(user).await {
                users.push(user);
            }
        }
        users
    };
    let set = |arguments: &[&str]| {
        let line = ["flags", "set", "new-checkout", "--environment", "production"];
        gateline.json(&[&line, arguments].concat())
    };
    let few = users().await;
    set(&["--on", "50%"]);
    let many = users().await;
    assert!(
        few.len() < many.len() && few.iter().all(|user| many.contains(user)),
        "{few:?} {many:?}"
    );
    set(&["--off"]);
    assert_eq!(users().await, [0; 0]);
    set(&["--on", "100%"]);
    assert_eq!(users().await.len(), 200);
    set(&["--on", "10%"]);
    assert_eq!(users().await, few);
}

/// A file makes the flag as it says, and an export is such a file.
fn declared(home: &Home, gateline: &Gateline) {
    let file = home.path().join("flags.yaml");
    fs::write(&file, FILE).unwrap();
    let file = file.to_str().unwrap();
    let changes = |file: &str| {
        gateline.json(&["flags", "apply", file])["changes"]
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!((changes(file), changes(file)), (1, 0));
    let exported = gateline.run(&["flags", "export"]).stdout;
    let back = home.path().join("back.yaml");
    fs::write(&back, &exported).unwrap();
    assert_eq!(changes(back.to_str().unwrap()), 0, "{exported}");
    // Where there is nothing yet, it makes the same.
    gateline.json(&["delete", "feature-flag", "new-checkout", "--yes"]);
    assert_eq!((changes(back.to_str().unwrap()), changes(file)), (1, 0));
    assert_eq!(gateline.run(&["flags", "export"]).stdout, exported);
    // One that needs another comes after it, whatever they are called.
    let needing = home.path().join("needing.yaml");
    fs::write(&needing, NEEDING).unwrap();
    let needing = needing.to_str().unwrap();
    assert_eq!((changes(needing), changes(needing)), (2, 0));
    gateline.json(&["delete", "feature-flag", "above", "below", "--yes"]);
    let plan = home.path().join("plan.yaml");
    fs::write(&plan, "kind: plan\nspec: { name: gold }\n").unwrap();
    let refused = gateline.run(&["flags", "apply", plan.to_str().unwrap()]);
    assert!(
        refused.stderr.contains("it declares more than flags"),
        "{}",
        refused.stderr
    );
}

/// The question what user 123 would get.
fn line<'a>(attributes: &[&'a str]) -> Vec<&'a str> {
    let line = [
        "flags",
        "evaluate",
        "new-checkout",
        "--environment",
        "production",
        "--user",
        "123",
    ];
    let attributes = attributes.iter().flat_map(|one| ["--attribute", *one]);
    line.into_iter().chain(attributes).collect()
}

fn tried(gateline: &Gateline) {
    let german = line(&["country=DE", "app_version=2.1.0"]);
    let got = gateline.json(&german);
    assert_eq!((&got["rule"], &got["reason"]), (&json!("eu"), &json!("split")));
    assert_eq!(got.get("steps"), None);
    let nobody = gateline.json(&line(&["country=US"]));
    assert_eq!(nobody["rule"], Value::Null);
    let explained = gateline
        .run(&[&line(&["country=DE"])[..], &["--explain"]].concat())
        .stdout;
    assert!(explained.contains("/rules/1/when/all/1"), "{explained}");
    assert!(explained.contains("`app_version` is not known"), "{explained}");
    let list = gateline.run(&["flags", "list"]).stdout;
    assert!(
        list.contains("production: off 90%, on 10% after 2 rules"),
        "{list}"
    );
}

#[tokio::test]
async fn nodes_answer_for_flags_and_go_on_alone() {
    let home = Home::new().with(&["--no-demo"]);
    let gateline = home.up().await;
    let http = Http::new();
    gateline.json(&[
        "flags",
        "create",
        "half",
        "--environment",
        "sandbox",
        "--on",
        "50%",
    ]);
    let key = gateline.server_key("sandbox");
    let port = free_port();
    let _node = beside(&gateline, &home, port);
    let edge = format!("http://127.0.0.1:{port}");
    let variants = async |url: &str| {
        let mut found = Vec::new();
        for user in 0..20 {
            let url = format!("{url}/api/v1/feature-flags/half/evaluate?user_id={user}");
            let answer = http.get(&url, &key).await.filter(|answer| answer.status == 200)?;
            found.push(answer.json()["assignment_id"].clone());
        }
        Some(found)
    };
    let within = Duration::from_secs(20);
    let expected = variants(&gateline.control()).await.unwrap();
    let mut asked = 20;
    for url in [gateline.gateway(), edge.clone()] {
        let found = eventually("a node that knows the flag", within, async || {
            variants(&url).await
        })
        .await;
        assert_eq!(found, expected);
        asked += 20;
    }
    // Whoever was asked has recorded it, and nodes' records reach the control plane.
    eventually("the exposures", within, async || {
        let usage = gateline.json(&["event-types", "usage", "flag_exposure", "--days"]);
        (usage["events"].as_u64() == Some(asked)).then_some(())
    })
    .await;
    gateline.json(&["flags", "set", "half", "--environment", "sandbox", "--off"]);
    let reason = async |url: &str| {
        let url = format!("{url}/api/v1/feature-flags/half/evaluate?user_id=1");
        Some(http.get(&url, &key).await?.json()["reason"].clone())
    };
    for url in [gateline.gateway(), edge.clone()] {
        eventually("a node that knows the change", within, async || {
            reason(&url).await.filter(|reason| reason == "disabled")
        })
        .await;
    }
    gateline.stop();
    assert_eq!(reason(&edge).await.unwrap(), "disabled");
}
