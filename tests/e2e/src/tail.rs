//! A call through the gateway shows in the live streams soon after it ended.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::process::Stdio;
use std::time::Duration;

use futures_util::StreamExt as _;
use http::Request;
use serde_json::Value;
use tokio::time::timeout;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use crate::away::answers;
use crate::harness::gateline::{Gateline, Home};
use crate::harness::http::Http;
use crate::harness::program::ours;
use crate::harness::service::Service;

const SOON: Duration = Duration::from_secs(20);

fn host(gateline: &Gateline) -> String {
    gateline.control().trim_start_matches("http://").to_owned()
}

/// Lines of server-sent events, as they come.
fn events(gateline: &Gateline, path: &str) -> impl Iterator<Item = String> + Send + 'static {
    let host = host(gateline);
    let mut stream = TcpStream::connect(&host).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    let token = gateline.token();
    let head = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    BufReader::new(stream).lines().map_while(Result::ok)
}

/// The data of the next event of a kind.
fn next(lines: &mut impl Iterator<Item = String>, name: &str) -> Value {
    let event = format!("event: {name}");
    lines.find(|line| *line == event).unwrap();
    let data = lines.find_map(|line| line.strip_prefix("data: ").map(str::to_owned));
    serde_json::from_str(&data.unwrap()).unwrap()
}

#[tokio::test]
async fn a_call_shows_in_the_live_streams() {
    let home = Home::new().with(&["--no-demo"]);
    let (service, http) = (Service::start().await, Http::new());
    let gateline = home.up().await;
    gateline.import_shop(&service);
    let key = gateline.shop_key();
    let url = format!("{}/shop/stations", gateline.gateway());
    answers(&http, &url, &key, SOON).await;

    // Calls before the key was known were refused as well, with another code.
    let path = "/api/v1/analytics/calls?api=shop&status=4xx&refusal=key_malformed";
    let mut lines = events(&gateline, path);
    let hello = next(&mut lines, "hello");
    assert_eq!(hello["nodes"].as_array().unwrap().len(), 1, "{hello}");
    let mut request: Request<()> = format!("ws://{}{path}", host(&gateline))
        .into_client_request()
        .unwrap();
    let token = format!("Bearer {}", gateline.token());
    request
        .headers_mut()
        .insert("authorization", token.parse().unwrap());
    let stream = tokio::net::TcpStream::connect(host(&gateline)).await.unwrap();
    let (mut socket, _) = client_async(request, stream).await.unwrap();
    let first = socket.next().await.unwrap().unwrap();
    assert!(first.to_text().unwrap().contains("\"hello\""), "{first}");
    let mut tail = ours("gateline");
    tail.args([
        "tail",
        "--api",
        "shop",
        "--output",
        "json",
        "--url",
        &gateline.control(),
    ]);
    tail.env("GATELINE_TOKEN", gateline.token());
    let mut tail = tail.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut told = BufReader::new(tail.stdout.take().unwrap()).lines();

    assert_eq!(http.get(&url, "gl_sandbox_nonsense").await.unwrap().status, 401);
    let shown = tokio::task::spawn_blocking(move || next(&mut lines, "call"));
    let by_events = timeout(SOON, shown).await.unwrap().unwrap();
    let by_socket = timeout(SOON, async {
        loop {
            if let Message::Text(text) = socket.next().await.unwrap().unwrap() {
                return serde_json::from_str::<Value>(&text).unwrap()["data"].clone();
            }
        }
    });
    assert_eq!(by_socket.await.unwrap(), by_events);
    assert_eq!(
        (&by_events["api"], &by_events["status"]),
        (&"shop".into(), &401.into())
    );
    assert_eq!(by_events["refusal"], "key_malformed");
    // The command may have begun to listen after that call; it hears of the next ones.
    let line = tokio::task::spawn_blocking(move || told.next().unwrap().unwrap());
    let mut line = std::pin::pin!(line);
    let line = loop {
        assert_eq!(http.get(&url, &key).await.unwrap().status, 200);
        if let Ok(line) = timeout(Duration::from_millis(500), &mut line).await {
            break line.unwrap();
        }
    };
    let call: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(call["api"], "shop", "{line}");
    // A server that stops ends what is open, so that it can.
    gateline.stop();
    tail.kill().unwrap();
    tail.wait().unwrap();
}
