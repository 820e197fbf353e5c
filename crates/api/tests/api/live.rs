//! Live streams: who hears of what, how they begin, go on and end, as server-sent events and over a WebSocket.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::body::Body;
use domain::Timestamp;
use domain::id::OrganizationId;
use events::{Batch, Call, Callee, Caller, Event, Method, Variant};
use futures_util::StreamExt as _;
use http::Method as Verb;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use uuid::Uuid;

use crate::app::{Someone, TestApp};

const NODE: &str = "node_01jd9zk5v8e7rbxq3m6t4n2w0c";
const CALLS: &str = "/api/v1/analytics/calls";
const SUMS: &str = "/api/v1/analytics/live";
/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// An app whose owner has an API, and which counts calls of it.
struct Shop {
    app: TestApp,
    callee: Callee,
    sequence: AtomicU64,
}

impl Shop {
    async fn new() -> Self {
        Self::with(|settings| settings).await
    }

    async fn with(change: impl FnOnce(api::Settings) -> api::Settings) -> Self {
        let app = TestApp::with(change).await;
        let owner = app.owner().await;
        let made = owner.import("shop").await;
        let path = format!("/api/v1/apis/{}", made["api"].as_str().unwrap());
        let api = owner.get(&path).await.json(200);
        let callee = Callee {
            organization: api["organization_id"].as_str().unwrap().parse().unwrap(),
            api: api["id"].as_str().unwrap().parse().unwrap(),
            version: made["version"].as_str().unwrap().parse().unwrap(),
            operation: None,
        };
        Self {
            app,
            callee,
            sequence: AtomicU64::new(0),
        }
    }

    fn call(&self, status: u16, consumer: Option<OrganizationId>) -> Call {
        Call {
            callee: Some(self.callee),
            caller: consumer.map(|organization| Caller {
                organization,
                application: domain::id::ApplicationId::new(Uuid::now_v7()),
                key: domain::id::KeyId::new(Uuid::now_v7()),
                subscribed: None,
            }),
            method: Method::Get,
            status,
            bytes_out: 7,
            latency_us: 1500,
            counted: true,
            variant: Some(Variant {
                route: domain::id::RouteId::new(Uuid::now_v7()),
                name: "new".parse().unwrap(),
            }),
            ..Call::begun(
                domain::id::RequestId::new(Uuid::now_v7()),
                Timestamp::from_micros(1_763_640_000_000_000),
            )
        }
    }

    /// Reports calls as a node does.
    async fn report(&self, calls: &[Call]) {
        let sequence = self.sequence.fetch_add(1, Ordering::Relaxed) + 1;
        let events: Vec<_> = calls.iter().copied().map(Event::Call).collect();
        let body = events::wire::encode_batches(&[Batch::of(sequence, &events)]);
        let node = self.app.bearer(self.app.control.secrets().cluster_token());
        let path = format!("/internal/v1/nodes/{NODE}/events");
        let told = node.send(Verb::POST, &path, body.into(), None).await;
        assert!(told.status.is_success(), "{}", told.text());
    }
}

/// Server-sent events as they come.
pub(crate) struct Events {
    body: Body,
    text: String,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Told {
    pub(crate) event: String,
    pub(crate) id: Option<String>,
    pub(crate) data: Value,
}

impl Events {
    pub(crate) async fn open(someone: &Someone<'_>, path: &str) -> Self {
        let response = someone.begin(Verb::GET, path, Body::empty(), None).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self {
            body: response.into_body(),
            text: String::new(),
        }
    }

    /// The next event; `None` when the stream has ended.
    pub(crate) async fn next(&mut self) -> Option<Told> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| {
                    let line = block.lines().find_map(|line| line.strip_prefix(name));
                    line.map(str::to_owned)
                };
                let told = field("data: ").map(|data| Told {
                    event: field("event: ").unwrap_or_else(|| "message".to_owned()),
                    id: field("id: "),
                    data: serde_json::from_str(&data).unwrap(),
                });
                self.text = rest.to_owned();
                match told {
                    Some(told) => return Some(told),
                    None => continue,
                }
            }
            let frame = tokio::time::timeout(PATIENCE, self.body.frame()).await.unwrap()?;
            self.text
                .push_str(std::str::from_utf8(&frame.unwrap().into_data().unwrap()).unwrap());
        }
    }

    async fn told(&mut self) -> Told {
        self.next().await.unwrap()
    }
}

async fn organization_of(someone: &Someone<'_>) -> OrganizationId {
    let identity = someone.get("/api/v1/auth/whoami").await.json(200);
    identity["organization_id"].as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn each_side_sees_its_calls_and_nobody_else_does() {
    let shop = Shop::new().await;
    let path_made = format!("{CALLS}?view=made");
    let (owner, consumer, other) = (
        shop.app.owner().await,
        shop.app.stranger().await,
        shop.app.stranger().await,
    );
    let ours = organization_of(&consumer).await;
    let theirs = organization_of(&shop.app.stranger().await).await;
    let mut provided = Events::open(&owner, CALLS).await;
    let mut made = Events::open(&consumer, &path_made).await;
    let mut stranger = Events::open(&other, &path_made).await;
    for events in [&mut provided, &mut made, &mut stranger] {
        let hello = events.told().await;
        assert_eq!((hello.event.as_str(), hello.id), ("hello", None));
    }
    let calls = [
        shop.call(200, Some(ours)),
        shop.call(404, Some(theirs)),
        shop.call(401, None),
    ];
    shop.report(&calls).await;
    for call in &calls {
        let told = provided.told().await;
        assert_eq!((told.event.as_str(), told.id.is_some()), ("call", true));
        assert_eq!(told.data["request_id"], call.request.to_string());
        assert_eq!(
            (&told.data["api"], &told.data["variant"]),
            (&json!("shop"), &json!("new"))
        );
        assert_eq!(told.data["latency_us"], 1500);
    }
    let told = made.told().await;
    assert_eq!(told.data["request_id"], calls[0].request.to_string());
    for hidden in ["route_id", "variant"] {
        assert_eq!(told.data.get(hidden), None);
    }
    // Nothing comes to who has nothing to do with it, and nothing more to the consumer.
    let later = shop.call(500, Some(ours));
    shop.report(&[later]).await;
    assert_eq!(made.told().await.data["request_id"], later.request.to_string());
    let nothing = tokio::time::timeout(Duration::from_millis(50), stranger.next()).await;
    assert!(nothing.is_err(), "{nothing:?}");
    // Who comes now is told which node reports here.
    let hello = Events::open(&owner, CALLS).await.told().await;
    assert_eq!(hello.data["nodes"][0]["node_id"], NODE);
}

#[tokio::test]
async fn filters_are_heeded_and_wrong_ones_refused() {
    let shop = Shop::new().await;
    let calls = [shop.call(200, None), shop.call(404, None), shop.call(503, None)];
    let queries = [
        "status=404",
        "status=4xx,503",
        "api=shop&status=5xx",
        "latency_min_us=1501",
        "method=POST",
    ];
    let expected = [vec![404], vec![404, 503], vec![503], vec![], vec![]];
    let owner = shop.app.owner().await;
    let mut streams = Vec::new();
    for query in queries {
        let mut events = Events::open(&owner, &format!("{CALLS}?{query}")).await;
        assert_eq!(events.told().await.event, "hello");
        streams.push(events);
    }
    shop.report(&calls).await;
    for ((events, expected), query) in streams.iter_mut().zip(expected).zip(queries) {
        for status in expected {
            assert_eq!(events.told().await.data["status"], status, "{query}");
        }
        let more = tokio::time::timeout(Duration::from_millis(20), events.next()).await;
        assert!(more.is_err(), "{query}: {more:?}");
    }
    let wrong = [
        (CALLS, "view=all", "parameter_invalid"),
        (CALLS, "status=4x", "parameter_invalid"),
        (CALLS, "status=600", "parameter_invalid"),
        (CALLS, "refusal=none", "parameter_invalid"),
        (CALLS, "method=get", "parameter_invalid"),
        (CALLS, "latency_min_us=-1", "parameter_invalid"),
        (CALLS, "sample=0", "parameter_invalid"),
        (CALLS, "sample=1.5", "parameter_invalid"),
        (CALLS, "sample=NaN", "parameter_invalid"),
        (CALLS, "api=shpo", "parameter_invalid"),
        (CALLS, "colour=red", "parameter_unknown"),
        (SUMS, "measures=likes", "parameter_invalid"),
        (SUMS, "dimensions=colour", "parameter_invalid"),
        (SUMS, "interval_seconds=0", "parameter_invalid"),
        (SUMS, "window_minutes=61", "parameter_invalid"),
        (SUMS, "status=404,5xx", "parameter_invalid"),
        (
            SUMS,
            "dimensions=api,version,operation,plan,status",
            "request_invalid",
        ),
        (SUMS, "view=made", "parameter_unknown"),
    ];
    for (path, query, code) in wrong {
        assert_eq!(
            owner.get(&format!("{path}?{query}")).await.code(),
            code,
            "{query}"
        );
    }
}

#[tokio::test]
async fn who_comes_back_misses_nothing() {
    let shop = Shop::new().await;
    let calls: Vec<_> = (0..3).map(|_| shop.call(200, None)).collect();
    let owner = shop.app.owner().await;
    let mut events = Events::open(&owner, CALLS).await;
    shop.report(&calls[..2]).await;
    assert_eq!(events.told().await.event, "hello");
    let first = events.told().await;
    drop(events);
    shop.report(&calls[2..]).await;
    let id = first.id.unwrap();
    let mut again = Events::open(&owner.with("last-event-id", &id), CALLS).await;
    let mut by_query = Events::open(&owner, &format!("{CALLS}?after={id}")).await;
    for events in [&mut again, &mut by_query] {
        assert_eq!(events.told().await.event, "hello");
        for call in &calls[1..] {
            assert_eq!(events.told().await.data["request_id"], call.request.to_string());
        }
    }
    let unknown = owner.with("last-event-id", "0000000000000000-7");
    let mut unknown = Events::open(&unknown, CALLS).await;
    assert_eq!(unknown.told().await.event, "hello");
    let missed = unknown.told().await;
    assert_eq!(
        (missed.event.as_str(), &missed.data),
        ("missed", &json!({ "missed": null }))
    );
}

#[tokio::test]
async fn streams_end_with_the_rights_to_them() {
    let (stop, stopping) = watch::channel(false);
    let shop = Shop::with(|settings| api::Settings {
        stream_check: Duration::from_millis(20),
        stopping: Some(stopping),
        ..settings
    })
    .await;
    let owner = shop.app.owner().await;
    let viewer = shop.app.member("viewer").await;
    let user = viewer.get("/api/v1/auth/whoami").await.json(200)["user"]["id"].clone();
    let mut of_viewer = [
        Events::open(&viewer, CALLS).await,
        Events::open(&viewer, SUMS).await,
    ];
    let mut of_owner = Events::open(&owner, CALLS).await;
    let mut of_others = Events::open(&shop.app.stranger().await, SUMS).await;
    for events in &mut of_viewer {
        events.told().await;
    }
    let metrics = shop.app.anybody().get("/metrics").await.text();
    assert!(metrics.contains("gateline_streams 4"), "{metrics}");
    let members = format!("/api/v1/memberships?filter[user]={}", user.as_str().unwrap());
    let membership = owner.get(&members).await.json(200)["data"][0]["id"].clone();
    let path = format!("/api/v1/memberships/{}", membership.as_str().unwrap());
    assert!(
        owner
            .with("if-match", "*")
            .delete(&path)
            .await
            .status
            .is_success()
    );
    for events in &mut of_viewer {
        let end = events.told().await;
        assert_eq!(
            (end.event.as_str(), &end.data["code"]),
            ("end", &json!("not_found"))
        );
        assert_eq!(events.next().await, None);
    }
    // A server that stops says so.
    stop.send_replace(true);
    assert_eq!(
        (of_owner.told().await.event, of_others.told().await.event),
        ("hello".to_owned(), "answer".to_owned())
    );
    for events in [&mut of_owner, &mut of_others] {
        assert_eq!(events.told().await.data["code"], "draining");
        assert_eq!(events.next().await, None);
    }
}

#[tokio::test]
async fn there_are_only_so_many_streams_of_an_organization() {
    let shop = Shop::new().await;
    let owner = shop.app.owner().await;
    let mut open = Vec::new();
    let refused = loop {
        let answer = owner.begin(Verb::GET, CALLS, Body::empty(), None).await;
        if answer.status() != 200 {
            break answer;
        }
        open.push(answer);
        assert!(open.len() <= 100, "{}", open.len());
    };
    assert_eq!((refused.status().as_u16(), open.len()), (429, 100));
    assert_eq!(refused.headers()["retry-after"], "10");
    assert_eq!(owner.get(SUMS).await.code(), "streams_limited");
    // Others have places of their own.
    let mut other = Events::open(&shop.app.stranger().await, CALLS).await;
    assert_eq!(other.told().await.event, "hello");
}

#[tokio::test]
async fn sums_come_again_when_they_have_changed() {
    let shop = Shop::new().await;
    let owner = shop.app.owner().await;
    let path = format!("{SUMS}?measures=calls&dimensions=status&interval_seconds=1&api=shop");
    let mut events = Events::open(&owner, &path).await;
    let first = events.told().await;
    assert_eq!(
        (first.event.as_str(), &first.data["rows"]),
        ("answer", &json!([]))
    );
    shop.app.pass(Duration::from_secs(1));
    let calls = [shop.call(200, None), shop.call(200, None), shop.call(404, None)];
    shop.report(&calls).await;
    let next = events.told().await;
    let rows = next.data["rows"].as_array().unwrap();
    let of = |status: &str| {
        let row = rows.iter().find(|row| row["dimensions"]["status"] == status);
        row.unwrap()["values"]["calls"].clone()
    };
    assert_eq!((of("200"), of("404")), (json!(2.0), json!(1.0)));
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Serves an app on a port of its own.
async fn served(app: &TestApp) -> SocketAddr {
    let door = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = door.local_addr().unwrap();
    let service = app
        .router
        .clone()
        .into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(door, service).await });
    address
}

async fn connect(
    address: SocketAddr,
    path: &str,
    headers: &[(String, String)],
) -> Result<Socket, tungstenite::Error> {
    let mut request = format!("ws://{address}{path}").into_client_request().unwrap();
    for (name, value) in headers {
        let name: http::HeaderName = name.parse().unwrap();
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    connect_async(request).await.map(|(socket, _)| socket)
}

/// The next message with an event, or the code and the reason of the close frame.
async fn message(socket: &mut Socket) -> Result<Value, (u16, String)> {
    loop {
        let next = tokio::time::timeout(PATIENCE, socket.next()).await.unwrap();
        match next.unwrap().unwrap() {
            Message::Text(text) => return Ok(serde_json::from_str(&text).unwrap()),
            Message::Close(frame) => {
                let frame = frame.unwrap();
                return Err((frame.code.into(), frame.reason.to_string()));
            }
            Message::Ping(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_websocket_tells_the_same() {
    let shop = Shop::with(|settings| api::Settings {
        stream_check: Duration::from_millis(20),
        ..settings
    })
    .await;
    let address = served(&shop.app).await;
    let headers = shop.app.owner().await.headers().to_vec();
    let mut calls = connect(address, &format!("{CALLS}?status=404"), &headers)
        .await
        .unwrap();
    let mut sums = connect(address, SUMS, &headers).await.unwrap();
    assert_eq!(message(&mut calls).await.unwrap()["event"], "hello");
    assert_eq!(message(&mut sums).await.unwrap()["event"], "answer");
    let wanted = shop.call(404, None);
    shop.report(&[shop.call(200, None), wanted]).await;
    let told = message(&mut calls).await.unwrap();
    assert_eq!(
        (&told["event"], &told["data"]["request_id"]),
        (&json!("call"), &json!(wanted.request))
    );
    // It goes on where another one ended.
    let after = format!("{CALLS}?after={}", told["id"].as_str().unwrap());
    let mut again = connect(address, &after, &headers).await.unwrap();
    assert_eq!(message(&mut again).await.unwrap()["event"], "hello");
    // The token's time is over.
    shop.app.pass(Duration::from_hours(24 * 400));
    for socket in [&mut calls, &mut sums, &mut again] {
        let (code, reason) = loop {
            if let Err(closed) = message(socket).await {
                break closed;
            }
        };
        assert_eq!((code, reason.split(':').next().unwrap()), (1008, "token_expired"));
    }
}

#[tokio::test]
async fn a_websocket_is_refused_or_ended_with_a_reason() {
    let (stop, stopping) = watch::channel(false);
    let shop = Shop::with(|settings| api::Settings {
        stopping: Some(stopping),
        ..settings
    })
    .await;
    let address = served(&shop.app).await;
    let status = |error: tungstenite::Error| match error {
        tungstenite::Error::Http(answer) => answer.status().as_u16(),
        other => panic!("{other}"),
    };
    let anonymous = connect(address, CALLS, &[]).await.map(drop);
    assert_eq!(status(anonymous.unwrap_err()), 401);
    let headers = shop.app.owner().await.headers().to_vec();
    let wrong = connect(address, &format!("{CALLS}?view=all"), &headers)
        .await
        .map(drop);
    assert_eq!(status(wrong.unwrap_err()), 400);
    // The page of another site cannot use the cookie of whoever reads it.
    let admin = json!({ "email": crate::app::ADMIN, "password": shop.app.password });
    let signed = shop.app.anybody().post("/api/v1/auth/sessions", admin).await;
    let cookie = signed.header("set-cookie").split(';').next().unwrap().to_owned();
    assert!(cookie.starts_with("gateline_session="), "{}", signed.text());
    let from = |origin: &str| {
        let pairs = [("cookie", cookie.as_str()), ("origin", origin)];
        pairs
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec()
    };
    let foreign = connect(address, CALLS, &from("https://evil.example"))
        .await
        .map(drop);
    assert_eq!(status(foreign.unwrap_err()), 403);
    let mut own = connect(address, CALLS, &from("http://control.test"))
        .await
        .unwrap();
    assert_eq!(message(&mut own).await.unwrap()["event"], "hello");
    stop.send_replace(true);
    let (code, reason) = message(&mut own).await.unwrap_err();
    assert_eq!(
        (code, reason.as_str()),
        (1013, "draining: The server is stopping; connect again.")
    );
}
