//! What goes on when the control plane is away, and how a node that runs alone starts and stops.

use std::process::Command;
use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use crate::harness::eventually;
use crate::harness::gateline::{Gateline, Home};
use crate::harness::http::Http;
use crate::harness::program::{Running, free_port, ours};
use crate::harness::service::Service;

/// A `gateline-edge` for the control plane of a running Gateline.
pub(crate) fn edge(gateline: &Gateline, home: &Home, port: u16) -> Command {
    let token = std::fs::read_to_string(home.data().join("secrets/cluster.token")).unwrap();
    let mut command = ours("gateline-edge");
    command
        .current_dir(home.path())
        .arg("--data-dir")
        .arg(home.path().join("edge"));
    command.args([
        "--listen",
        &format!("127.0.0.1:{port}"),
        "--control",
        &gateline.control(),
    ]);
    command.env("GATELINE_CLUSTER_TOKEN", token.trim());
    command
}

/// Starts one.
pub(crate) fn beside(gateline: &Gateline, home: &Home, port: u16) -> Running {
    let folder = home.path().join("edge-log");
    std::fs::create_dir_all(&folder).unwrap();
    Running::start(&mut edge(gateline, home, port), &folder)
}

/// Waits until a call is answered with 200; that one is counted as well.
pub(crate) async fn answers(http: &Http, url: &str, key: &str, within: Duration) {
    eventually(url, within, async || {
        http.get(url, key).await.filter(|answer| answer.status == 200)
    })
    .await;
}

#[tokio::test]
async fn a_node_serves_and_restarts_with_the_control_plane_away() {
    let home = Home::new().with(&["--no-demo"]);
    let (service, http) = (Service::start().await, Http::new());
    let gateline = home.up().await;
    gateline.import_shop(&service);
    let key = gateline.shop_key();
    let port = free_port();
    let url = format!("http://127.0.0.1:{port}/shop/stations");
    let folder = home.path().join("edge-log");
    std::fs::create_dir_all(&folder).unwrap();
    let mut command = edge(&gateline, &home, port);
    let node = Running::start(&mut command, &folder);
    answers(&http, &url, &key, Duration::from_secs(20)).await;
    let before = eventually("the edge's count", Duration::from_secs(5), async || {
        Some(gateline.calls("shop")).filter(|calls| *calls > 0)
    })
    .await;
    let control = gateline.control();
    gateline.stop();

    for _ in 0..5 {
        assert_eq!(http.get(&url, &key).await.unwrap().status, 200);
    }
    // The default mode promises what is in the log, and calls get there within 10 ms.
    tokio::time::sleep(Duration::from_millis(200)).await;
    node.kill();
    let mut node = Running::start(&mut command, &folder);
    answers(&http, &url, &key, Duration::from_secs(20)).await;

    // Back again, on the address that the node knows: what was counted meanwhile arrives.
    let address = control.trim_start_matches("http://").to_owned();
    let mut again = home.command();
    again.args(["--control", &address]);
    let gateline = home.start(&mut again).await;
    eventually("the late count", Duration::from_secs(20), async || {
        (gateline.calls("shop") >= before + 6).then_some(())
    })
    .await;
    node.signal("TERM");
    assert_eq!(node.wait(Duration::from_secs(20)), Some(0), "{}", node.said());
    gateline.stop();
}

#[tokio::test]
async fn a_call_of_a_node_in_another_process_is_explained() {
    let home = Home::new().with(&["--no-demo"]);
    let (service, http) = (Service::start().await, Http::new());
    let gateline = home.up().await;
    gateline.import_shop(&service);
    let key = gateline.shop_key();
    let port = free_port();
    let _node = beside(&gateline, &home, port);
    let token = gateline.json(&["debug-token"]);
    let token = token["token"].as_str().unwrap();
    for gateway in [gateline.gateway(), format!("http://127.0.0.1:{port}")] {
        let url = format!("{gateway}/shop/stations");
        answers(&http, &url, &key, Duration::from_secs(20)).await;
        for (debug, noted) in [("", "summary"), (token, "full")] {
            let answer = http
                .send(
                    Method::GET,
                    &url,
                    &[("x-api-key", &key), ("gateline-debug", debug)],
                    "",
                )
                .await
                .unwrap();
            assert_eq!(answer.status, 200);
            assert_eq!(answer.headers.contains_key("server-timing"), !debug.is_empty());
            let id = answer.headers["x-request-id"].to_str().unwrap();
            let told = gateline.json(&["explain", id]);
            assert_eq!(told["calls"].as_array().unwrap().len(), 1, "{told}");
            let call = &told["calls"][0];
            assert_eq!(call["noted"], noted, "{told}");
            assert_eq!(call["upstream"]["tries"][0]["status"], 200, "{told}");
            assert_eq!(
                call["upstream"]["tries"][0]["target"],
                service.url.trim_end_matches('/'),
                "{told}"
            );
            assert!(
                call["routing"]["why"].as_str().unwrap().contains("/shop"),
                "{told}"
            );
        }
    }
    let unknown = gateline.run(&["explain", "never-seen"]);
    assert!(
        unknown.stderr.contains("2 of 2 nodes answered"),
        "{}",
        unknown.stderr
    );
    gateline.stop();
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one story from its beginning to its end")]
async fn a_node_that_cannot_enforce_a_change_keeps_what_it_has_and_says_why() {
    let home = Home::new().with(&["--no-demo"]);
    let (service, http) = (Service::start().await, Http::new());
    let gateline = home.up().await;
    gateline.import_shop(&service);
    let key = gateline.shop_key();
    let port = free_port();
    let mut node = beside(&gateline, &home, port);
    let edge_url = format!("http://127.0.0.1:{port}");
    answers(
        &http,
        &format!("{edge_url}/shop/stations"),
        &key,
        Duration::from_secs(20),
    )
    .await;

    let (control, token) = (gateline.control(), format!("Bearer {}", gateline.token()));
    let headers = [
        ("authorization", &*token),
        ("content-type", "application/json"),
        ("if-match", "*"),
    ];
    let shop = gateline.json(&["get", "upstreams"])["data"][0].clone();
    let upstream = shop["id"].as_str().unwrap();
    let health = format!("{control}/api/v1/upstreams/{upstream}/health");
    eventually(
        "the health of the target on both nodes",
        Duration::from_secs(20),
        async || {
            let report = http.send(Method::GET, &health, &headers, "").await?.json();
            let nodes = report["nodes"].as_array()?.clone();
            let are_well = nodes.iter().all(|node| node["targets"][0]["state"] == "healthy");
            (nodes.len() == 2 && are_well).then_some(())
        },
    )
    .await;

    // Files that no node has: whoever saves it cannot know that.
    let url = format!("{control}/api/v1/upstreams/{upstream}");
    let files = json!({ "chain_file": "/nowhere/chain.pem", "key_file": "/nowhere/key.pem" });
    let change =
        json!({ "targets": [{ "url": "https://127.0.0.1:9" }], "tls": { "client_certificate": files } });
    let changed = http
        .send(Method::PATCH, &url, &headers, &change.to_string())
        .await
        .unwrap();
    assert_eq!(changed.status, 200, "{}", changed.json());
    let nodes = async || {
        let page = http
            .send(Method::GET, &format!("{control}/api/v1/gateways"), &headers, "")
            .await?;
        page.json()["data"].as_array().cloned()
    };
    let refused = async || {
        let nodes = nodes().await?;
        let refused = |node: &&Value| {
            node["state"] == "rejected"
                && node["reason"]
                    .as_str()
                    .is_some_and(|why| why.contains("/nowhere/"))
        };
        (nodes.iter().filter(refused).count() == 2).then_some(())
    };
    eventually("both nodes' refusals", Duration::from_secs(20), &refused).await;
    for gateway in [gateline.gateway(), edge_url.clone()] {
        let answer = http.get(&format!("{gateway}/shop/stations"), &key).await.unwrap();
        assert_eq!(answer.status, 200);
        let ready = http.get(&format!("{gateway}/health/ready"), "").await.unwrap();
        assert_eq!(ready.status, 503);
        assert!(
            ready.json()["missing"][0]
                .as_str()
                .unwrap()
                .contains("was rejected"),
            "{}",
            ready.json()
        );
    }
    // A node that starts again goes on with what it served.
    node.signal("TERM");
    assert_eq!(node.wait(Duration::from_secs(30)), Some(0), "{}", node.said());
    let _node = beside(&gateline, &home, port);
    answers(
        &http,
        &format!("{edge_url}/shop/stations"),
        &key,
        Duration::from_secs(20),
    )
    .await;
    // What is mended is served.
    let mend = json!({ "targets": shop["targets"], "tls": null });
    let mended = http
        .send(Method::PATCH, &url, &headers, &mend.to_string())
        .await
        .unwrap();
    assert_eq!(mended.status, 200, "{}", mended.json());
    eventually(
        "both nodes' change of mind",
        Duration::from_secs(20),
        async || {
            nodes()
                .await?
                .iter()
                .all(|node| node["state"] == "applied")
                .then_some(())
        },
    )
    .await;
    // So does the node in the process of the control plane.
    let changed = http
        .send(Method::PATCH, &url, &headers, &change.to_string())
        .await
        .unwrap();
    assert_eq!(changed.status, 200, "{}", changed.json());
    eventually("both nodes' refusals", Duration::from_secs(20), &refused).await;
    gateline.stop();
    let gateline = home.up().await;
    let gateway = gateline.gateway();
    answers(
        &http,
        &format!("{gateway}/shop/stations"),
        &key,
        Duration::from_secs(20),
    )
    .await;
    let ready = format!("{gateway}/health/ready");
    eventually("what the node rejects", Duration::from_secs(20), async || {
        let ready = http.get(&ready, "").await?;
        (ready.status == 503).then_some(())
    })
    .await;
    gateline.stop();
}

#[tokio::test]
async fn roles_run_in_processes_of_their_own() {
    let (home, gateway_home) = (Home::new(), Home::new());
    let ready = home.path().join("ready.json");
    let mut control = ours("gateline");
    control.current_dir(home.path()).args([
        "serve",
        "--roles",
        "control",
        "--control",
        "127.0.0.1:0",
        "--data-dir",
        "data",
    ]);
    control.arg("--ready-file").arg(&ready);
    let gateline = home.start(&mut control).await;
    assert!(
        gateline.ready.get("gateway").is_none_or(Value::is_null),
        "{}",
        gateline.ready
    );
    let token = std::fs::read_to_string(home.data().join("secrets/cluster.token")).unwrap();

    let mut gateway = ours("gateline");
    gateway.current_dir(gateway_home.path()).args([
        "serve",
        "--roles",
        "gateway",
        "--gateway",
        "127.0.0.1:0",
        "--data-dir",
        "data",
    ]);
    gateway
        .args(["--control-url", &gateline.control()])
        .arg("--ready-file")
        .arg(gateway_home.path().join("ready.json"));
    gateway.env("GATELINE_CLUSTER_TOKEN", token.trim());
    let node = gateway_home.start(&mut gateway).await;
    let nothing = Http::new()
        .get(&format!("{}/nothing", node.gateway()), "")
        .await
        .unwrap();
    assert_eq!(
        (nothing.status.as_u16(), nothing.code().as_str()),
        (404, "route_not_found")
    );
    node.stop();
    gateline.stop();
}
