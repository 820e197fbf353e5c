//! Providers of flagd, as they speak, at the program: over gRPC with and without TLS, and over Connect.

use std::net::SocketAddr;
use std::time::Duration;

use http::Method;
use prost::Message;
use prost_types::Struct;
use prost_types::value::Kind;
use serde_json::{Value, json};

use crate::harness::eventually;
use crate::harness::gateline::{Gateline, Home};
use crate::harness::grpc::{Grpc, Messages};
use crate::harness::http::Http;
use crate::harness::program::{Running, ours};

const RESOLVE: &str = "/flagd.evaluation.v1.Service/ResolveBoolean";
const EVENTS: &str = "/flagd.evaluation.v1.Service/EventStream";
const FETCH: &str = "/flagd.sync.v1.FlagSyncService/FetchAllFlags";
const SYNC: &str = "/flagd.sync.v1.FlagSyncService/SyncFlags";
const SELECTOR: &str = "flagd-selector";
/// Statuses of gRPC.
const NOT_FOUND: &str = "5";
const UNAUTHENTICATED: &str = "16";
const WITHIN: Duration = Duration::from_secs(20);

#[derive(Clone, PartialEq, Message)]
struct Asked {
    #[prost(string, tag = "1")]
    flag_key: String,
    #[prost(message, optional, tag = "2")]
    context: Option<Struct>,
}

#[derive(Clone, PartialEq, Message)]
struct Resolved {
    #[prost(bool, optional, tag = "1")]
    value: Option<bool>,
    #[prost(string, tag = "2")]
    reason: String,
    #[prost(string, tag = "3")]
    variant: String,
}

#[derive(Clone, PartialEq, Message)]
struct Event {
    #[prost(string, tag = "1")]
    kind: String,
    #[prost(message, optional, tag = "2")]
    data: Option<Struct>,
}

#[derive(Clone, PartialEq, Message)]
struct Definitions {
    #[prost(string, tag = "1")]
    flag_configuration: String,
}

fn asked(flag: &str, user: u32) -> Asked {
    let user = Kind::StringValue(user.to_string());
    let field = ("targetingKey".to_owned(), prost_types::Value { kind: Some(user) });
    Asked {
        flag_key: flag.to_owned(),
        context: Some(Struct {
            fields: [field].into(),
        }),
    }
}

/// The object in a field.
fn field<'a>(object: &'a Struct, name: &str) -> &'a Struct {
    match object.fields.get(name).and_then(|value| value.kind.as_ref()) {
        Some(Kind::StructValue(inner)) => inner,
        other => panic!("{name} is {other:?} in {object:?}"),
    }
}

/// Makes a flag that half of all users get, and a key.
fn prepare(gateline: &Gateline) -> String {
    gateline.json(&[
        "flags",
        "create",
        "half",
        "--on",
        "50%",
        "--environment",
        "sandbox",
    ]);
    gateline.server_key("sandbox")
}

fn set(gateline: &Gateline, what: &[&str]) {
    let line = ["flags", "set", "half", "--environment", "sandbox"];
    gateline.json(&[&line, what].concat());
}

fn address(ready: &Value) -> SocketAddr {
    ready["flagd"].as_str().unwrap().parse().unwrap()
}

/// Waits until the node behind a place knows the key.
async fn knows(grpc: &mut Grpc) {
    eventually("a node that knows the key", WITHIN, async || {
        grpc.one::<Resolved>(RESOLVE, &asked("half", 1)).await.ok()
    })
    .await;
}

#[tokio::test]
async fn providers_of_flagd_ask_with_the_key_as_selector() {
    let home = Home::new().with(&["--no-demo", "--flagd", "127.0.0.1:0"]);
    let gateline = home.up().await;
    let key = prepare(&gateline);
    let address = address(&gateline.ready);
    let mut grpc = Grpc::connect(address, &[(SELECTOR, &key)]).await;
    knows(&mut grpc).await;
    same_as_elsewhere(&gateline, &mut grpc, &key).await;
    let missing = grpc.one::<Resolved>(RESOLVE, &asked("none", 1)).await;
    assert_eq!(missing, Err(NOT_FOUND.to_owned()));
    for head in [
        &[][..],
        &[(SELECTOR, "gl_sandbox_wrong")],
        &[("x-api-key", "gl_sandbox_wrong")],
    ] {
        let mut other = Grpc::connect(address, head).await;
        for path in [RESOLVE, FETCH, EVENTS] {
            let refused = other.one::<Resolved>(path, &asked("half", 1)).await;
            assert_eq!(refused, Err(UNAUTHENTICATED.to_owned()), "{path} {head:?}");
        }
    }
    over_connect(address, &key).await;
    gateline.stop();
}

/// Each user gets what the API says, and flags are all that is here.
async fn same_as_elsewhere(gateline: &Gateline, grpc: &mut Grpc, key: &str) {
    let http = Http::new();
    let mut on = 0;
    for user in 0..50 {
        let url = format!(
            "{}/api/v1/feature-flags/half/evaluate?user_id={user}",
            gateline.control()
        );
        let expected = http.get(&url, key).await.unwrap().json();
        let found: Resolved = grpc.one(RESOLVE, &asked("half", user)).await.unwrap();
        assert_eq!(json!(found.value), expected["value"], "{user}");
        assert_eq!(json!(found.variant), expected["variant"], "{user}");
        assert_eq!(found.reason, "SPLIT");
        on += u32::from(found.value == Some(true));
    }
    assert!((1..50).contains(&on), "{on} of 50");
    let answer = http
        .get(
            &format!("http://{}/api/v1/feature-flags", address(&gateline.ready)),
            key,
        )
        .await;
    assert_eq!(answer.unwrap().status, 404);
}

/// As pages ask: JSON over HTTP/1.1.
async fn over_connect(address: SocketAddr, key: &str) {
    let http = Http::new();
    let url = format!("http://{address}{RESOLVE}");
    let body = json!({ "flagKey": "half", "context": { "targetingKey": "1" } }).to_string();
    let ask = async |head: &[(&str, &str)]| {
        let head = [&[("content-type", "application/json")], head].concat();
        http.send(Method::POST, &url, &head, &body).await.unwrap()
    };
    for name in [SELECTOR, "x-api-key"] {
        let found = ask(&[(name, key)]).await;
        assert_eq!(
            (found.status.as_u16(), &found.json()["reason"]),
            (200, &json!("SPLIT"))
        );
    }
    let refused = ask(&[(SELECTOR, "gl_sandbox_wrong")]).await;
    assert_eq!(
        (refused.status.as_u16(), &*refused.code()),
        (401, "sdk_key_invalid")
    );
}

#[tokio::test]
async fn providers_of_flagd_hear_of_changes() {
    let home = Home::new().with(&["--no-demo", "--flagd", "127.0.0.1:0"]);
    let gateline = home.up().await;
    let key = prepare(&gateline);
    let mut grpc = Grpc::connect(address(&gateline.ready), &[(SELECTOR, &key)]).await;
    knows(&mut grpc).await;
    let mut events = grpc.call(EVENTS, &()).await;
    assert_eq!(event(&mut events).await.kind, "provider_ready");
    let mut definitions = grpc.call(SYNC, &()).await;
    let first = definition(&mut definitions).await;
    assert_eq!(first["state"], "ENABLED", "{first}");
    set(&gateline, &["--off"]);
    let heard = event(&mut events).await;
    assert_eq!(heard.kind, "configuration_change");
    let flags = field(heard.data.as_ref().unwrap(), "flags").clone();
    assert_eq!(
        field(&flags, "half").fields["type"].kind,
        Some(Kind::StringValue("update".to_owned()))
    );
    let second = definition(&mut definitions).await;
    assert_ne!(first, second);
    // Who hears of it and asks, gets what is new.
    let found: Resolved = grpc.one(RESOLVE, &asked("half", 1)).await.unwrap();
    assert_eq!((found.value, &*found.reason), (Some(false), "DISABLED"));
    gateline.json(&["delete", "feature-flag", "half", "--yes"]);
    let heard = event(&mut events).await;
    let flags = field(heard.data.as_ref().unwrap(), "flags").clone();
    assert_eq!(
        field(&flags, "half").fields["type"].kind,
        Some(Kind::StringValue("delete".to_owned()))
    );
    gateline.stop();
    // Both streams end in order when the node leaves.
    assert!(events.next::<Event>().await.is_none());
    assert_eq!(events.status(), Some("14"));
}

/// The next event that says something.
async fn event(events: &mut Messages) -> Event {
    loop {
        let event: Event = events.next().await.unwrap();
        if event.kind != "keep_alive" {
            return event;
        }
    }
}

/// The flag in the next definitions.
async fn definition(definitions: &mut Messages) -> Value {
    let told: Definitions = definitions.next().await.unwrap();
    let told: Value = serde_json::from_str(&told.flag_configuration).unwrap();
    told["flags"]["half"].clone()
}

/// A node of its own with the key in a file: it answers whoever comes, over TLS, until the file says another key.
#[tokio::test]
async fn a_node_has_a_key_for_providers_that_send_none() {
    let home = Home::new().with(&["--no-demo"]);
    let gateline = home.up().await;
    let key = prepare(&gateline);
    let file = home.path().join("flagd-key");
    std::fs::write(&file, format!("{key}\n")).unwrap();
    let (edge, address) = edge(&gateline, &home, &file.display().to_string()).await;
    let mut nobody = Grpc::connect_tls(address, &[]).await;
    knows(&mut nobody).await;
    // A key that is sent counts, also if it is a wrong one.
    let mut wrong = Grpc::connect_tls(address, &[(SELECTOR, "gl_sandbox_wrong")]).await;
    let refused = wrong.one::<Resolved>(RESOLVE, &asked("half", 1)).await;
    assert_eq!(refused, Err(UNAUTHENTICATED.to_owned()));
    std::fs::write(&file, "gl_sandbox_wrong\n").unwrap();
    edge.signal("HUP");
    eventually("the other key", WITHIN, async || {
        let mut nobody = Grpc::connect_tls(address, &[]).await;
        let refused = nobody.one::<Resolved>(RESOLVE, &asked("half", 1)).await;
        (refused == Err(UNAUTHENTICATED.to_owned())).then_some(())
    })
    .await;
    let mut own = Grpc::connect_tls(address, &[(SELECTOR, &key)]).await;
    own.one::<Resolved>(RESOLVE, &asked("half", 1)).await.unwrap();
    gateline.stop();
}

/// Starts a `gateline-edge` with TLS at its place for flagd.
async fn edge(gateline: &Gateline, home: &Home, key_file: &str) -> (Running, SocketAddr) {
    let folder = home.path().join("edge");
    std::fs::create_dir_all(&folder).unwrap();
    let text = format!(
        "[gateway]\nlisten = \"127.0.0.1:0\"\ncores = 1\n\
         [gateway.flagd]\nlisten = \"127.0.0.1:0\"\ntls = true\nkey_file = \"{key_file}\"\n"
    );
    std::fs::write(folder.join("edge.toml"), text).unwrap();
    let token = std::fs::read_to_string(home.data().join("secrets/cluster.token")).unwrap();
    let mut command = ours("gateline-edge");
    command
        .current_dir(&folder)
        .env("GATELINE_CLUSTER_TOKEN", token.trim());
    command.args([
        "--config",
        "edge.toml",
        "--data-dir",
        "data",
        "--ready-file",
        "ready.json",
    ]);
    command.args(["--control", &gateline.control()]);
    let mut running = Running::start(&mut command, &folder);
    let ready = eventually("the start of the node", WITHIN, async || {
        assert_eq!(running.ended(), None, "{}", running.said());
        let ready = std::fs::read(folder.join("ready.json")).ok()?;
        serde_json::from_slice(&ready).ok()
    })
    .await;
    (running, address(&ready))
}
