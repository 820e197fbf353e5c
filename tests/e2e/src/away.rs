//! What goes on when the control plane is away, and how a node that runs alone starts and stops.

use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::harness::eventually;
use crate::harness::gateline::{Gateline, Home};
use crate::harness::http::Http;
use crate::harness::program::{Running, ours};
use crate::harness::service::{Service, contract};

/// A `gateline-edge` for the control plane of a running Gateline.
fn edge(gateline: &Gateline, home: &Home, port: u16) -> Command {
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

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

async fn answers(http: &Http, url: &str, key: &str, within: Duration) {
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
    let contract = contract(home.path());
    gateline.json(&[
        "import",
        contract.to_str().unwrap(),
        "--upstream",
        &service.url,
        "--name",
        "shop",
        "--publish",
    ]);
    let key = gateline.json(&["keys", "create", "--api", "shop"])["key"]
        .as_str()
        .unwrap()
        .to_owned();
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
