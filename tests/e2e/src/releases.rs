//! Releases as `docs/gateway/releases.md` describes them, and the examples of routes and upstreams.

use std::fs;
use std::path::Path;
use std::time::Duration;

use http::Method;

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

    explained(&gateline, &http, (&url, &key)).await;

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

/// Which variant a call got is told, and why.
async fn explained(gateline: &Gateline, http: &Http, (url, key): (&str, &str)) {
    let token = gateline.json(&["debug-token"]);
    let token = token["token"].as_str().unwrap();
    let shares = ["`blue` has 100 of 100 buckets", "`green` has 0 of 100 buckets"];
    let unknown = ["the header `x-variant` names no variant", shares[0], shares[1]];
    let table: [(&str, &str, &str, &str, &[&str]); 3] = [
        ("", "", "blue", "kept", &[]),
        ("green", "", "green", "forced_by_header", &[]),
        ("red", token, "blue", "kept", &unknown),
    ];
    for (wish, token, name, reason, details) in table {
        let headers = [("x-api-key", key), ("x-variant", wish), ("gateline-debug", token)];
        let headers: Vec<_> = headers
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .collect();
        let answer = http.send(Method::GET, url, &headers, "").await.unwrap();
        assert_eq!(answer.headers["x-variant"], name);
        let id = answer.headers["x-request-id"].to_str().unwrap();
        let told = gateline.json(&["explain", id]);
        let variant = &told["calls"][0]["routing"]["variant"];
        assert_eq!(
            (&variant["name"], &variant["reason"]),
            (&name.into(), &reason.into()),
            "{told}"
        );
        assert_eq!(variant["details"], serde_json::json!(details), "{told}");
        let text = gateline.run(&["explain", id, "--output", "table"]).stdout;
        let line = format!("variant      {name} {}\n", variant["why"].as_str().unwrap());
        assert!(text.contains(&line), "{text}");
    }
}

/// What a mirror has found is told by the route.
#[tokio::test]
async fn what_a_mirror_finds_is_told_by_a_command() {
    let home = Home::new().with(&["--no-demo"]);
    let (real, mirror) = (Service::start().await, Service::start().await);
    let gateline = home.up().await;
    let folder = home.path().join("declared");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("openapi.yaml"), departures::CONTRACT).unwrap();
    let (real, copied) = (&real.url, &mirror.url);
    let text = format!(
        "
- {{ kind: api, spec: {{ name: shop, contract: openapi.yaml }} }}
- {{ kind: upstream, spec: {{ name: shop-now, targets: [{{ url: '{real}' }}] }} }}
- {{ kind: upstream, spec: {{ name: shop-next, targets: [{{ url: '{copied}' }}] }} }}
- kind: product
  spec: {{ name: trains, versions: [{{ api: shop, version: 1.0.0 }}], plans: [gold], visibility: public }}
- {{ kind: plan, spec: {{ name: gold }} }}
- kind: route
  spec:
    {{ api: shop, environment: sandbox, base_path: /shop, upstream: shop-now, mirror: {{ upstream: shop-next, compare: {{}} }} }}
"
    );
    fs::write(folder.join("shop.yaml"), text).unwrap();
    gateline.json(&["apply", folder.to_str().unwrap()]);
    let key = gateline.json(&["keys", "create", "--api", "shop", "--plan", "gold"]);
    let (http, key) = (Http::new(), key["key"].as_str().unwrap().to_owned());
    let url = format!("{}/shop/stations", gateline.gateway());
    let ask = async || http.get(&url, &key).await.filter(|answer| answer.status == 200);
    eventually("an answer", Duration::from_secs(5), ask).await;
    for _ in 0..9 {
        ask().await.unwrap();
    }
    let route = gateline.json(&["get", "routes", "--filter", "api=shop"])["data"][0]["id"].clone();
    let route = route.as_str().unwrap();
    let told = async || {
        let report = gateline.json(&["routes", "mirror", route]);
        (report["total"]["compared"] == 10).then_some(report)
    };
    let report = eventually("all are told", Duration::from_secs(20), told).await;
    assert_eq!(
        (&report["total"]["sent"], &report["total"]["failed"]),
        (&10.into(), &0.into())
    );
    assert_eq!(report["nodes"].as_array().unwrap().len(), 1);
    let text = gateline.run(&["routes", "mirror", route]).stdout;
    assert!(
        text.contains("together") && text.contains(report["nodes"][0]["node_id"].as_str().unwrap()),
        "{text}"
    );
    let none = gateline.run(&["routes", "mirror", "rte_00000000000000000000000000"]);
    assert_eq!(none.code, Some(3), "{}", none.stderr);
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
