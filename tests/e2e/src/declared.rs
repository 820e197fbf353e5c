//! `gateline apply` and `gateline diff`: a folder goes to the server and comes back unchanged.

use std::fs;
use std::path::Path;

use pki::testing::Pair;
use serde_json::Value;

use crate::harness::eventually;
use crate::harness::gateline::Home;
use crate::harness::http::Http;
use crate::harness::service::Service;

fn write(folder: &Path, upstream: &str) {
    fs::create_dir_all(folder.join("shop")).unwrap();
    fs::write(folder.join("shop/openapi.yaml"), departures::CONTRACT).unwrap();
    let shop = format!(
        "
- kind: upstream
  spec:
    name: shop
    targets: [{{ url: '{upstream}' }}]
    timeouts: {{ answer_ms: 5000 }}
- kind: api
  spec: {{ name: shop, title: The shop, tags: [trains], contract: openapi.yaml }}
- kind: route
  spec: {{ api: shop, version: 1.0.0, upstream: shop, environment: sandbox, base_path: /shop }}
- kind: policy
  spec:
    api: shop
    operation: list_stations
    kind: headers
    config: {{ response: {{ set: {{ x-shop: 'open' }} }} }}
- kind: product
  spec:
    name: trains
    title: Trains
    versions: [{{ api: shop, version: 1.0.0 }}]
    plans: [gold]
    visibility: public
"
    );
    fs::write(folder.join("shop/shop.yaml"), shop).unwrap();
    fs::write(folder.join("plans.yaml"), plan(100)).unwrap();
    fs::write(
        folder.join("app.yaml"),
        "kind: application\nspec: { name: board, title: Board }\n",
    )
    .unwrap();
}

fn plan(requests: u32) -> String {
    format!(
        "kind: plan\nspec:\n  name: gold\n  title: Gold\n  rate_limit: {{ requests: {requests}, window_seconds: 60 }}\n"
    )
}

#[tokio::test]
async fn a_folder_is_applied_once_and_only_differences_after_that() {
    let home = Home::new().with(&["--no-demo"]);
    let service = Service::start().await;
    let gateline = home.up().await;
    let folder = home.path().join("declared");
    write(&folder, &service.url);
    let folder_text = folder.to_str().unwrap();

    let before = gateline.run(&["diff", folder_text]);
    assert_eq!(before.code, Some(1), "{}", before.stderr);
    assert!(
        before.stdout.contains("+ api shop") && before.stdout.contains("+ plan gold"),
        "{}",
        before.stdout
    );
    let applied = gateline.json(&["apply", folder_text]);
    assert_eq!(applied["changes"].as_array().unwrap().len(), 7, "{applied}");
    let after = gateline.run(&["diff", folder_text]);
    assert_eq!(after.code, Some(0), "{}{}", after.stdout, after.stderr);
    let again = gateline.json(&["apply", folder_text]);
    assert_eq!(again["changes"].as_array().unwrap().len(), 0, "{again}");

    let key = gateline.json(&["keys", "create", "--api", "shop", "--plan", "gold"]);
    let (http, url) = (Http::new(), format!("{}/shop/stations", gateline.gateway()));
    let key = key["key"].as_str().unwrap();
    let ask = async || http.get(&url, key).await.filter(|answer| answer.status == 200);
    let answer = eventually("the applied route", std::time::Duration::from_secs(1), ask).await;
    assert_eq!(answer.headers["x-shop"], "open");

    fs::write(folder.join("plans.yaml"), plan(200)).unwrap();
    let changed = gateline.run(&["diff", folder_text, "--output", "json"]);
    assert_eq!(changed.code, Some(1));
    let changed: Value = serde_json::from_str(&changed.stdout).unwrap();
    assert_eq!(
        changed["changes"][0]["fields"]["rate_limit"]["after"]["requests"], 200,
        "{changed}"
    );
    let contract = departures::CONTRACT.replace("title: Departures", "title: Departures and more");
    fs::write(folder.join("shop/openapi.yaml"), contract).unwrap();
    assert_eq!(
        gateline.json(&["apply", folder_text])["changes"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    assert_eq!(gateline.run(&["diff", folder_text]).code, Some(0));
    gateline.stop();
}

#[tokio::test]
async fn a_wrong_folder_is_refused_with_its_place() {
    let home = Home::new().with(&["--no-demo"]);
    let gateline = home.up().await;
    let file = home.path().join("wrong.yaml");
    fs::write(
        &file,
        "kind: route\nspec: { api: nothing, upstream: none, environment: sandbox, base_path: /x }\n",
    )
    .unwrap();
    let refused = gateline.run(&["apply", file.to_str().unwrap()]);
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    assert!(
        refused.stderr.contains("wrong.yaml") && refused.stderr.contains("nothing"),
        "{}",
        refused.stderr
    );
    fs::write(&file, "kind: plan\nspec: { name: a, title: A, keys_max: 1000 }\n").unwrap();
    let refused = gateline.run(&["apply", file.to_str().unwrap()]);
    assert_eq!(refused.code, Some(3), "{}", refused.stderr);
    assert!(refused.stderr.contains("/keys_max"), "{}", refused.stderr);
    gateline.stop();
}

#[tokio::test]
async fn what_a_folder_no_longer_declares_goes_and_what_people_made_stays() {
    let home = Home::new().with(&["--no-demo"]);
    let service = Service::start().await;
    let gateline = home.up().await;
    let folder = home.path().join("declared");
    write(&folder, &service.url);
    let text = folder.to_str().unwrap();

    let nameless = gateline.run(&["diff", "--prune", text]);
    assert_eq!(nameless.code, Some(2), "{}", nameless.stderr);
    assert!(nameless.stderr.contains("kind: folder"), "{}", nameless.stderr);
    fs::write(
        folder.join("folder.yaml"),
        "kind: folder\nspec: { name: trains }\n",
    )
    .unwrap();
    gateline.json(&["apply", text]);
    assert_eq!(gateline.run(&["diff", "--prune", text]).code, Some(0));

    // Somebody else makes a plan, and offers the folder's API in a product of their own.
    let by_hand = home.path().join("by_hand.yaml");
    let others = "
- { kind: plan, spec: { name: silver, title: Silver } }
- { kind: product, spec: { name: own, title: Own, versions: [{ api: shop, version: 1.0.0 }], plans: [silver] } }
";
    fs::write(&by_hand, others).unwrap();
    gateline.json(&["apply", by_hand.to_str().unwrap()]);

    fs::remove_dir_all(folder.join("shop")).unwrap();
    fs::remove_file(folder.join("plans.yaml")).unwrap();
    let without = gateline.run(&["diff", text]);
    assert_eq!(without.code, Some(0), "off by default: {}", without.stdout);
    let planned = gateline.run(&["diff", "--prune", text]);
    assert_eq!(planned.code, Some(1), "{}", planned.stderr);
    let lines: Vec<&str> = planned.stdout.lines().collect();
    assert_eq!(
        lines,
        [
            "- policy shop.list_stations:headers:0",
            "- route sandbox:/shop",
            "- product trains",
            "- plan gold",
            "- upstream shop",
            "! api shop stays: product `own` needs it",
            "1 declared, 0 to change, 5 to delete",
        ]
    );

    let unasked = gateline.run(&["apply", "--prune", text]);
    assert_eq!(unasked.code, Some(2), "{}", unasked.stderr);
    assert!(unasked.stderr.contains("--yes"), "{}", unasked.stderr);
    let applied = gateline.json(&["apply", "--prune", "--yes", text]);
    assert_eq!(applied["changes"].as_array().unwrap().len(), 5, "{applied}");
    assert_eq!(applied["kept"][0]["needed_by"], "product `own`", "{applied}");

    let stayed = gateline.json(&["diff", by_hand.to_str().unwrap()]);
    assert_eq!(stayed["changes"].as_array().unwrap().len(), 0, "{stayed}");
    assert_eq!(gateline.run(&["diff", "--prune", text]).code, Some(0));
    gateline.stop();
}

#[tokio::test]
async fn certificates_are_declared_with_files_and_their_keys_never_shown() {
    let home = Home::new().with(&["--no-demo"]);
    let gateline = home.up().await;
    let folder = home.path().join("declared");
    fs::create_dir_all(&folder).unwrap();
    let (first, second) = (Pair::of(&["shop.example"]), Pair::of(&["shop.example"]));
    first.write(&folder.join("shop.pem"), &folder.join("shop.key"));
    let declared = "
- { kind: folder, spec: { name: edge } }
- kind: certificate
  spec:
    name: shop
    environment: sandbox
    hosts: [shop.example]
    pem: { chain_file: shop.pem, private_key_file: shop.key }
    client_auth: { mode: optional, authorities_file: shop.pem }
";
    fs::write(folder.join("certificates.yaml"), declared).unwrap();
    let text = folder.to_str().unwrap();
    let secrets: Vec<_> = [&first, &second]
        .map(|pair| pair.key.lines().nth(1).unwrap())
        .to_vec();
    let said = |arguments: &[&str], code: i32| {
        let done = gateline.run(arguments);
        assert_eq!(
            done.code,
            Some(code),
            "{arguments:?}: {}{}",
            done.stdout,
            done.stderr
        );
        let all = done.stdout + &done.stderr;
        assert!(secrets.iter().all(|secret| !all.contains(secret)), "{all}");
        all
    };
    assert!(said(&["diff", text], 1).contains("+ certificate shop"));
    said(&["apply", text], 0);
    assert!(said(&["apply", text], 0).contains("0 changed"));
    let shown = gateline.json(&["get", "certificates", "shop"]);
    assert_eq!(shown["state"], "valid", "{shown}");
    assert_eq!(shown["managed_by"], "edge");
    let sha = shown["facts"]["fingerprint_sha256"].clone();
    second.write(&folder.join("shop.pem"), &folder.join("shop.key"));
    assert!(said(&["diff", text], 1).contains("pem: another certificate"));
    said(&["apply", text, "--output", "json"], 0);
    assert_ne!(
        gateline.json(&["get", "certificates", "shop"])["facts"]["fingerprint_sha256"],
        sha
    );
    assert!(said(&["diff", text], 0).contains("0 to change"));
    fs::write(
        folder.join("certificates.yaml"),
        "{ kind: folder, spec: { name: edge } }",
    )
    .unwrap();
    assert!(said(&["apply", "--prune", "--yes", text], 0).contains("- certificate shop"));
    let left = gateline.json(&["get", "certificates"]);
    assert_eq!(left["data"].as_array().map(Vec::len), Some(0), "{left}");
    gateline.stop();
}
