//! A `gateline-edge` that speaks HTTP/3, with a client of another implementation.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use h3::client::SendRequest;
use h3_quinn::{Connection, OpenStreams};
use http::Request;
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{ClientConfig, Endpoint};

use crate::harness::eventually;
use crate::harness::gateline::Home;
use crate::harness::program::{Running, free_port, ours};
use crate::harness::service::Service;

/// Longer than a start or an end takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

type Driver = tokio::task::JoinHandle<h3::error::ConnectionError>;

/// A connection; nothing as long as nobody is there.
async fn dial(address: SocketAddr) -> Option<(SendRequest<OpenStreams, Bytes>, Driver)> {
    let config = Arc::new(pki::testing::client(None, &["h3"]));
    let config = ClientConfig::new(Arc::new(QuicClientConfig::try_from(config).unwrap()));
    let endpoint = Endpoint::client(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let connection = endpoint.connect_with(config, address, "localhost").unwrap();
    let connection = tokio::time::timeout(Duration::from_secs(1), connection)
        .await
        .ok()?
        .ok()?;
    let (mut driver, send) = h3::client::new(Connection::new(connection)).await.unwrap();
    let driver =
        tokio::spawn(async move { std::future::poll_fn(|context| driver.poll_close(context)).await });
    Some((send, driver))
}

/// The status and body of an answer.
async fn get(send: &mut SendRequest<OpenStreams, Bytes>, key: &str) -> (u16, String) {
    let request = Request::get("https://localhost/shop/stations").header("x-api-key", key);
    let mut stream = send.send_request(request.body(()).unwrap()).await.unwrap();
    stream.finish().await.unwrap();
    let response = stream.recv_response().await.unwrap();
    let mut body = Vec::new();
    while let Some(mut part) = stream.recv_data().await.unwrap() {
        body.extend_from_slice(&part.copy_to_bytes(part.remaining()));
    }
    (response.status().as_u16(), String::from_utf8(body).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_over_http3_are_answered_and_counted() {
    let home = Home::new().with(&["--no-demo"]);
    let service = Service::start().await;
    let gateline = home.up().await;
    gateline.import_shop(&service);
    let key = gateline.shop_key();
    let [plain, tls] = [free_port(), free_port()].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
    let text = format!(
        "[gateway]\nlisten = \"{plain}\"\nlisten_tls = \"{tls}\"\ncores = 2\n[gateway.http3]\nenabled = true\n"
    );
    std::fs::write(home.path().join("edge.toml"), text).unwrap();
    let mut command: Command = ours("gateline-edge");
    command.current_dir(home.path());
    command.args([
        "--config",
        "edge.toml",
        "--data-dir",
        "edge",
        "--control",
        &gateline.control(),
    ]);
    let token = std::fs::read_to_string(home.data().join("secrets/cluster.token")).unwrap();
    command.env("GATELINE_CLUSTER_TOKEN", token.trim());
    let mut edge = Running::start(&mut command, home.path());
    let (mut send, driver) = eventually("a connection", PATIENCE, async || dial(tls).await).await;
    eventually("its snapshot", PATIENCE, async || {
        (get(&mut send.clone(), &key).await.0 == 200).then_some(())
    })
    .await;
    let before = gateline.calls("shop");
    for _ in 0..10 {
        let (status, body) = get(&mut send, &key).await;
        assert_eq!(status, 200);
        assert!(!body.is_empty());
    }
    eventually("the count", PATIENCE, async || {
        (gateline.calls("shop") >= before + 10).then_some(())
    })
    .await;
    let (status, body) = get(&mut send, "gl_sandbox_wrong").await;
    assert_eq!(status, 401, "{body}");
    edge.signal("TERM");
    drop(send);
    let ended = tokio::time::timeout(PATIENCE, driver).await.unwrap().unwrap();
    assert!(ended.is_h3_no_error(), "{ended}");
    assert_eq!(edge.wait(PATIENCE), Some(0), "{}", edge.said());
    gateline.stop();
}
