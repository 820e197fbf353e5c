//! Releases as `docs/gateway/releases.md` describes them, and the examples of routes and upstreams.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::harness::eventually;
use crate::harness::gateline::{Gateline, Home};
use crate::harness::http::Http;
use crate::harness::service::Service;

/// Two upstreams and a route that splits its calls between them.
fn write(folder: &Path, services: [&Service; 2]) {
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("openapi.yaml"), departures::CONTRACT).unwrap();
    let [blue, green] = services.map(|service| &service.url);
    let text = format!(
        "
- {{ kind: api, spec: {{ name: shop, contract: openapi.yaml }} }}
- {{ kind: upstream, spec: {{ name: shop-blue, targets: [{{ url: '{blue}' }}] }} }}
- {{ kind: upstream, spec: {{ name: shop-green, targets: [{{ url: '{green}' }}] }} }}
- kind: product
  spec: {{ name: trains, versions: [{{ api: shop, version: 1.0.0 }}], plans: [gold], visibility: public }}
- {{ kind: plan, spec: {{ name: gold }} }}
- kind: route
  spec:
    api: shop
    environment: sandbox
    base_path: /shop
    split:
      variants:
        - {{ name: blue, upstream: shop-blue, weight: 100 }}
        - {{ name: green, upstream: shop-green, weight: 0 }}
      forced_by: {{ header: X-Variant }}
      answer_header: X-Variant
"
    );
    fs::write(folder.join("shop.yaml"), text).unwrap();
}

/// Waits until a call without a wish gets a variant.
async fn gets(http: &Http, url: &str, key: &str, variant: &str) {
    let ask = async || {
        let answer = http.get(url, key).await;
        answer.filter(|answer| answer.status == 200 && answer.headers["x-variant"] == variant)
    };
    eventually(variant, Duration::from_secs(1), ask).await;
}

/// The recipe of blue and green: switched by one command, and back.
#[tokio::test]
async fn blue_and_green_change_places_by_a_command() {
    let home = Home::new().with(&["--no-demo"]);
    let (blue, green) = (Service::start().await, Service::start().await);
    let gateline = home.up().await;
    let folder = home.path().join("declared");
    write(&folder, [&blue, &green]);
    let folder = folder.to_str().unwrap();
    gateline.json(&["apply", folder]);
    assert_eq!(gateline.run(&["diff", folder]).code, Some(0));
    let key = gateline.json(&["keys", "create", "--api", "shop", "--plan", "gold"]);
    let (http, key) = (Http::new(), key["key"].as_str().unwrap().to_owned());
    let url = format!("{}/shop/stations", gateline.gateway());
    gets(&http, &url, &key, "blue").await;

    let route = gateline.json(&["get", "routes", "--filter", "api=shop"])["data"][0].clone();
    let id = route["id"].as_str().unwrap();
    let weigh = |weights: &[&str]| gateline.run(&[&["routes", "weigh", id], weights].concat());
    for (weights, variant) in [
        (["blue=0", "green=100"], "green"),
        (["blue=100", "green=0"], "blue"),
    ] {
        let done = weigh(&weights);
        assert_eq!(done.code, Some(0), "{}", done.stderr);
        assert!(done.stdout.contains("100.00 %"), "{}", done.stdout);
        gets(&http, &url, &key, variant).await;
    }
    refused(&gateline, id);
    gateline.stop();
}

/// What cannot be weighed, and what is still in use.
fn refused(gateline: &Gateline, id: &str) {
    let table: [(&[&str], i32, &str); 5] = [
        (&["routes", "weigh", id, "red=1"], 2, "no variant `red`"),
        (&["routes", "weigh", id, "blue"], 2, "NAME=WEIGHT"),
        (&["routes", "weigh", id, "blue=0"], 3, "No variant has a weight"),
        (
            &["routes", "weigh", "rte_00000000000000000000000000"],
            3,
            "not_found",
        ),
        (&["delete", "upstream", "shop-green", "--yes"], 3, "in_use"),
    ];
    for (arguments, code, said) in table {
        let ended = gateline.run(arguments);
        assert_eq!(ended.code, Some(code), "{arguments:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(said), "{arguments:?}: {}", ended.stderr);
    }
}

/// Every example of a route and an upstream can be applied, and is on the server then what it says.
#[tokio::test]
async fn examples_of_routes_and_upstreams_are_valid() {
    let home = Home::new().with(&["--no-demo"]);
    let gateline = home.up().await;
    let contract = home.path().join("openapi.yaml");
    fs::write(&contract, departures::CONTRACT).unwrap();
    gateline.json(&["import", contract.to_str().unwrap(), "--name", "shop"]);
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    for folder in ["upstreams", "routes"] {
        let folder = examples.join(folder);
        for entry in fs::read_dir(&folder).unwrap() {
            let text = fs::read_to_string(entry.unwrap().path()).unwrap();
            assert!(text.starts_with("# "), "it begins with what it does: {text}");
        }
        let folder = folder.to_str().unwrap();
        let applied = gateline.json(&["apply", folder]);
        assert!(applied["changes"].as_array().unwrap().len() > 3, "{applied}");
        let after = gateline.run(&["diff", folder]);
        assert_eq!(after.code, Some(0), "{}{}", after.stdout, after.stderr);
    }
    gateline.stop();
}
