//! Questions about feature flags in the words of Unleash, GrowthBook and flagd.

use bytes::{BufMut as _, Bytes, BytesMut};
use domain::consumer::KeyState;
use domain::id::SdkKeyId;
use domain::node::FlagGiven;
use domain::tracking::SdkKeyKind;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::bench::{Answer, Bench, Client, PATIENCE, eventually, id};
use crate::flags::{bench, flags, json_of, read_until};

const RESOLVE: &str = "/flagd.evaluation.v1.Service/ResolveBoolean";

#[test]
fn clients_of_unleash_are_answered() {
    let bench = bench(SdkKeyKind::Server, |_, _| {});
    // As they send it: without a scheme.
    let key = format!("Authorization: {}\r\n", bench.key);
    let call = |method: &str, path: &str, body: &str| {
        let mut client = bench.connect();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n{key}\r\n",
            body.len()
        );
        client.send(format!("{head}{body}").as_bytes());
        client.answer()
    };
    let answer = call("GET", "/api/client/features", "");
    let features = json_of(&answer);
    assert_eq!(features["features"][0]["name"], "staff");
    let tag = answer.field("etag").unwrap();
    let again = bench.call(
        "GET",
        "/api/client/features",
        &format!("If-None-Match: {tag}\r\n"),
        "",
    );
    assert_eq!(again.status, 304);
    assert_eq!(
        call("POST", "/api/client/register", r#"{"appName": "a"}"#).status,
        202
    );
    let toggles = json_of(&call(
        "GET",
        "/api/frontend?properties[email]=a%40acme.example&userId=1",
        "",
    ));
    let names = |toggles: &Value| {
        let all = toggles["toggles"].as_array().unwrap();
        all.iter().map(|one| one["name"].clone()).collect::<Vec<_>>()
    };
    assert!(names(&toggles).contains(&json!("staff")), "{toggles}");
    let posted = r#"{"context": {"userId": "1", "properties": {"email": "b@other.example"}}}"#;
    let toggles = json_of(&call("POST", "/api/frontend", posted));
    assert!(!names(&toggles).contains(&json!("staff")), "{toggles}");
    let counts = json!({ "appName": "a", "bucket": { "toggles": {
        "staff": { "yes": 3, "no": 2 }, "made-up": { "yes": 9 }
    } } });
    assert_eq!(
        call("POST", "/api/client/metrics", &counts.to_string()).status,
        202
    );
    assert_eq!(call("POST", "/api/client/metrics", "{").status, 400);
    let given = given(&bench);
    let on = given.iter().find(|one| one.key == "staff" && one.variant == "on");
    // Only what is reported: pages report what they use of what they are told.
    assert_eq!(on.map(|one| one.count), Some(3), "{given:?}");
    assert!(given.iter().all(|one| one.key != "made-up"), "{given:?}");
}

/// What the node tells the control plane of the variants that were given.
fn given(bench: &Bench) -> Vec<FlagGiven> {
    let mut teller = bench.gateway.as_ref().unwrap().teller("sandbox".parse().unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        loop {
            let status = tokio::time::timeout(PATIENCE, teller.next())
                .await
                .unwrap()
                .unwrap();
            if !status.flags.is_empty() {
                return status.flags;
            }
            teller.told(status);
        }
    })
}

#[test]
fn clients_of_unleash_hear_of_changes() {
    let bench = bench(SdkKeyKind::Server, |_, _| {});
    let mut client = bench.connect();
    client.send(
        format!(
            "GET /api/client/streaming HTTP/1.1\r\nHost: a\r\nAuthorization: {}\r\n\r\n",
            bench.key
        )
        .as_bytes(),
    );
    assert_eq!(client.head().field("content-type"), Some("text/event-stream"));
    let first = read_until(&mut client, "\n\n", 1);
    assert!(
        first.contains("event: unleash-connected") && first.contains("staff"),
        "{first}"
    );
    bench.change(|snapshot| snapshot.flags = vec![flags(60)]);
    let second = read_until(&mut client, "\n\n", 1);
    assert!(second.contains("event: unleash-updated"), "{second}");
}

#[test]
fn sdks_of_growthbook_are_answered() {
    let bench = bench(SdkKeyKind::Server, |_, _| {});
    let key = &bench.key;
    let call = |method: &str, path: &str, body: &str| -> Answer {
        let mut client = bench.connect();
        let length = body.len();
        client.send(
            format!("{method} {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}")
                .as_bytes(),
        );
        client.answer()
    };
    let answer = call("GET", &format!("/api/features/{key}"), "");
    assert_eq!(answer.field("x-sse-support"), Some("enabled"));
    assert!(json_of(&answer)["features"]["staff"].is_object());
    let staff = r#"{"attributes": {"id": "1", "email": "a@acme.example"}}"#;
    let answer = call("POST", &format!("/api/eval/{key}"), staff);
    assert_eq!(json_of(&answer)["features"]["staff"]["defaultValue"], json!(true));
    let answer = call("GET", "/api/features/gl_none", "");
    assert_eq!(
        (answer.status, &json_of(&answer)["code"]),
        (401, &json!("sdk_key_invalid"))
    );
    let mut client = bench.connect();
    client.send(format!("GET /sub/{key} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes());
    client.head();
    let first = read_until(&mut client, "\n\n", 1);
    assert!(first.contains("event: features-updated"), "{first}");
}

#[test]
fn features_are_encrypted_where_the_key_says_so() {
    let token = "the token of a cluster";
    let bench = bench(SdkKeyKind::Server, |settings, _| settings.sealing.trust(token));
    bench.change(|snapshot| snapshot.sdk_keys[0].encrypt_payload = true);
    let answer = bench.get(&format!("/api/features/{}", bench.key));
    let payload = json_of(&answer);
    assert!(
        payload["features"] == json!({}) && !answer.text().contains("staff"),
        "{payload}"
    );
    let key = ::flags::growthbook::payload_key(token, SdkKeyId::new(id(51)));
    let plain = ::flags::growthbook::decrypted(&payload, &key).unwrap();
    assert!(plain["features"]["staff"].is_object(), "{plain}");
    // What is encrypted is another text each time; the tag is that of the flags.
    let tag = format!("If-None-Match: {}\r\n", answer.field("etag").unwrap());
    let again = bench.call("GET", &format!("/api/features/{}", bench.key), &tag, "");
    assert_eq!(again.status, 304);
}

#[test]
fn a_node_that_cannot_encrypt_sends_nothing() {
    let bench = bench(SdkKeyKind::Server, |_, _| {});
    bench.change(|snapshot| snapshot.sdk_keys[0].encrypt_payload = true);
    let answer = bench.get(&format!("/api/features/{}", bench.key));
    assert!(
        answer.status == 500 && !answer.text().contains("staff"),
        "{}",
        answer.text()
    );
}

#[test]
fn pages_ask_flagd_by_connect() {
    let bench = bench(SdkKeyKind::Client, |_, _| {});
    let head =
        "Origin: https://shop.example\r\nContent-Type: application/json\r\nConnect-Protocol-Version: 1\r\n";
    let ask = |path: &str, body: &str| bench.call("POST", path, head, body);
    let answer = ask(
        RESOLVE,
        r#"{"flagKey": "half", "context": {"targetingKey": "1"}}"#,
    );
    let found = json_of(&answer);
    assert_eq!((answer.status, &found["reason"]), (200, &json!("SPLIT")));
    assert!(
        found["value"].is_boolean() && found["metadata"]["flagVersion"] == json!(3),
        "{found}"
    );
    assert_eq!(
        answer.field("access-control-allow-origin"),
        Some("https://shop.example")
    );
    let answer = ask(RESOLVE, r#"{"flagKey": "staff"}"#);
    assert_eq!(
        (answer.status, &json_of(&answer)["code"]),
        (404, &json!("not_found"))
    );
    let answer = ask(
        "/flagd.evaluation.v1.Service/ResolveString",
        r#"{"flagKey": "half"}"#,
    );
    assert_eq!(
        (answer.status, &json_of(&answer)["code"]),
        (400, &json!("invalid_argument"))
    );
    let all = json_of(&ask("/flagd.evaluation.v1.Service/ResolveAll", "{}"));
    let keys: Vec<_> = all["flags"].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["half"]);
    let answer = ask("/flagd.sync.v1.FlagSyncService/FetchAllFlags", "{}");
    assert_eq!(
        (answer.status, &json_of(&answer)["code"]),
        (403, &json!("sdk_key_kind"))
    );
    let answer = bench.call("POST", RESOLVE, "Content-Type: text/plain\r\n", "{}");
    assert_eq!(answer.status, 415);
}

#[derive(Clone, PartialEq, Message)]
struct Asked {
    #[prost(string, tag = "1")]
    flag_key: String,
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

/// An event, or definitions: of both, the first field is a text.
#[derive(Clone, PartialEq, Message)]
struct Told {
    #[prost(string, tag = "1")]
    text: String,
}

/// A client of gRPC.
struct Caller {
    sender: http2::SendRequest<Full<Bytes>>,
    head: Vec<(&'static str, String)>,
}

impl Caller {
    async fn new(address: std::net::SocketAddr, head: Vec<(&'static str, String)>) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        let io = TokioIo::new(stream);
        let (sender, driver) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
        tokio::spawn(driver);
        Self { sender, head }
    }

    async fn call(&mut self, path: &str, message: &impl Message) -> http::Response<Incoming> {
        let message = message.encode_to_vec();
        let mut body = BytesMut::new();
        body.put_u8(0);
        body.put_u32(u32::try_from(message.len()).unwrap());
        body.put_slice(&message);
        let mut request = Request::post(format!("http://gateway.test{path}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        for (name, value) in &self.head {
            request = request.header(*name, value);
        }
        let request = request.body(Full::from(body.freeze())).unwrap();
        self.sender.send_request(request).await.unwrap()
    }

    /// The message and the status of a call that is answered by one.
    async fn one(&mut self, path: &str, message: &impl Message) -> (Option<Bytes>, String) {
        let (head, body) = self.call(path, message).await.into_parts();
        assert_eq!(head.status, 200);
        let whole = body.collect().await.unwrap();
        let trailers = whole.trailers().cloned();
        let status = head.headers.get("grpc-status").cloned();
        let status = status.or_else(|| trailers?.get("grpc-status").cloned());
        let bytes = whole.to_bytes();
        let message = (!bytes.is_empty()).then(|| bytes.slice(5..));
        (message, status.unwrap().to_str().unwrap().to_owned())
    }
}

/// The next message of a stream.
async fn next(body: &mut Incoming) -> Told {
    let frame = body.frame().await.unwrap().unwrap();
    Told::decode(frame.into_data().unwrap().slice(5..)).unwrap()
}

#[tokio::test]
async fn providers_of_flagd_ask_over_grpc() {
    let bench = bench(SdkKeyKind::Server, |_, _| {});
    let head = vec![("flagd-selector", bench.key.clone())];
    let mut caller = Caller::new(bench.address(), head).await;
    let asked = |key: &str| Asked {
        flag_key: key.to_owned(),
    };
    let (message, status) = caller.one(RESOLVE, &asked("staff")).await;
    let found = Resolved::decode(message.unwrap()).unwrap();
    let expected = Resolved {
        value: Some(false),
        reason: "DEFAULT".to_owned(),
        variant: "off".to_owned(),
    };
    assert_eq!((found, &*status), (expected, "0"));
    let (message, status) = caller.one(RESOLVE, &asked("none")).await;
    assert_eq!((message, &*status), (None, "5"));
    let string = "/flagd.evaluation.v2.Service/ResolveString";
    let (message, status) = caller.one(string, &asked("staff")).await;
    assert_eq!((message, &*status), (None, "3"));
    let fetch = "/flagd.sync.v1.FlagSyncService/FetchAllFlags";
    let (message, _) = caller.one(fetch, &asked("")).await;
    let fetched = Told::decode(message.unwrap()).unwrap().text;
    let fetched: Value = serde_json::from_str(&fetched).unwrap();
    assert_eq!(fetched["flags"]["staff"]["defaultVariant"], "off");
    let mut nobody = Caller::new(bench.address(), Vec::new()).await;
    let (message, status) = nobody.one(RESOLVE, &asked("staff")).await;
    assert_eq!((message, &*status), (None, "16"));
}

#[tokio::test(flavor = "multi_thread")]
async fn providers_of_flagd_hear_of_changes() {
    let bench = bench(SdkKeyKind::Server, |_, _| {});
    let head = vec![("flagd-selector", bench.key.clone())];
    let mut caller = Caller::new(bench.address(), head).await;
    let nothing = Told::default();
    let mut events = caller
        .call("/flagd.evaluation.v2.Service/EventStream", &nothing)
        .await
        .into_body();
    let mut definitions = caller
        .call("/flagd.sync.v1.FlagSyncService/SyncFlags", &nothing)
        .await
        .into_body();
    assert_eq!(next(&mut events).await.text, "provider_ready");
    assert!(next(&mut definitions).await.text.contains("\"half\""));
    tokio::task::block_in_place(|| bench.change(|snapshot| snapshot.flags = vec![flags(60)]));
    assert_eq!(next(&mut events).await.text, "configuration_change");
    assert!(next(&mut definitions).await.text.contains("60000"));
    // With the key, the streams end.
    bench.send(|snapshot| snapshot.sdk_keys[0].state = KeyState::Revoked);
    for mut stream in [events, definitions] {
        let end = stream.frame().await.unwrap().unwrap().into_trailers().unwrap();
        assert_eq!(end["grpc-status"], "16");
        assert!(stream.frame().await.is_none());
    }
}

#[test]
fn flagd_has_a_place_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    let mut settings = None;
    let bench = bench(SdkKeyKind::Server, |set, _| {
        set.flags = false;
        set.flagd = Some(gateway::settings::Flagd {
            listen: "127.0.0.1:0".parse().unwrap(),
            tls: false,
            key_file: Some(file.clone()),
        });
        std::fs::write(&file, "gl_not_yet\n").unwrap();
        settings = Some(set.clone());
    });
    let gateway = bench.gateway.as_ref().unwrap();
    let address = gateway.addresses().flagd.unwrap();
    let ask = |path: &str, head: &str| {
        let mut client = Client::connect(address);
        let body = r#"{"flagKey": "staff"}"#;
        let head = format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n{head}");
        client.send(format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes());
        client.answer()
    };
    assert_eq!(ask(RESOLVE, "").status, 401);
    let key = format!("X-API-Key: {}\r\n", bench.key);
    assert_eq!(ask(RESOLVE, &key).status, 200);
    // Routes are elsewhere, and flags are here alone.
    assert_eq!(ask("/shop/pets", &key).status, 404);
    assert_eq!(
        bench
            .call("POST", RESOLVE, "Content-Type: application/json\r\n", "{}")
            .status,
        404
    );
    std::fs::write(&file, &bench.key).unwrap();
    let mut settings = settings.unwrap();
    gateway.change(&settings);
    eventually(|| ask(RESOLVE, "").status == 200);
    settings.flagd.as_mut().unwrap().tls = true;
    gateway.change(&settings);
    eventually(|| crate::certificates::protocol(address, &["h2"]).as_deref() == Some("h2"));
}
