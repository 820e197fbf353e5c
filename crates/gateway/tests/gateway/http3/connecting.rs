//! Tunnels over HTTP/3: RFC 9114 section 4.4.

use std::io::Write as _;
use std::time::Duration;

use domain::routing::Connect;
use domain::snapshot::Snapshot;
use domain::traffic::Target;
use events::Method;
use h3_quinn::quinn::{RecvStream, SendStream};

use super::bench::{Ended, Raw, World, frame, frames, head};
use crate::bench::{PATIENCE, eventually};
use crate::connecting::open;
use crate::listeners::free;
use crate::streams::Echo;

const DATA: u64 = 0;
const HEADERS: u64 = 1;
const FRAME_UNEXPECTED: u64 = 0x105;
const CONNECT_ERROR: u64 = 0x10f;
const REQUEST_CANCELLED: u64 = 0x10c;

/// A gateway that opens tunnels to a service, also over HTTP/3.
fn world(echo: &Echo, change: impl FnOnce(&mut Snapshot)) -> World {
    let world = World::new(&["http://127.0.0.1:9".to_owned()]);
    world.bench.change(|snapshot| {
        open(snapshot, echo);
        change(snapshot);
    });
    world
}

/// A request for a tunnel.
fn asking(world: &World, target: &str) -> Vec<u8> {
    head(&[
        (":method", "CONNECT"),
        (":authority", target),
        ("x-api-key", &world.bench.key),
    ])
}

/// A tunnel of a client.
struct Tunnel {
    send: SendStream,
    recv: RecvStream,
    came: Vec<u8>,
}

impl Tunnel {
    async fn open(raw: &Raw, bytes: &[u8]) -> Self {
        let (mut send, recv) = raw.connection.open_bi().await.unwrap();
        send.write_all(bytes).await.unwrap();
        let came = Vec::new();
        Self { send, recv, came }
    }

    async fn say(&mut self, bytes: &[u8]) {
        self.send.write_all(&frame(DATA, bytes)).await.unwrap();
    }

    /// Waits until there is a head, and as much data as this behind it.
    async fn expect(&mut self, data: &[u8]) {
        let awaited = async {
            while !self.came.ends_with(data) {
                let chunk = self.recv.read_chunk(4096, true).await.unwrap().unwrap();
                self.came.extend_from_slice(&chunk.bytes);
            }
        };
        tokio::time::timeout(PATIENCE, awaited).await.unwrap();
    }

    /// All that came through until the end.
    async fn rest(mut self) -> Vec<u8> {
        let reading = self.recv.read_to_end(1 << 20);
        let rest = tokio::time::timeout(PATIENCE, reading).await.unwrap().unwrap();
        self.came.extend_from_slice(&rest);
        let frames = frames(&self.came);
        assert_eq!(frames[0].0, HEADERS);
        assert!(frames[1..].iter().all(|(kind, _)| *kind == DATA));
        frames[1..].iter().flat_map(|(_, data)| data.clone()).collect()
    }
}

/// The problem that a refused request was answered with.
fn problem(ended: Ended) -> String {
    let Ended::Answered(bytes) = ended else {
        panic!("{ended:?}")
    };
    let body: Vec<u8> = frames(&bytes)[1..]
        .iter()
        .flat_map(|(_, data)| data.clone())
        .collect();
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    format!("{} {}", body["status"], body["code"].as_str().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_is_joined_with_the_upstream_and_counted() {
    let echo = Echo::start(b"hello");
    let world = world(&echo, |_| {});
    let raw = world.raw().await;
    // What follows the head at once is for the other side already.
    let early = [asking(&world, "tunnel.test:5432"), frame(DATA, b"early")].concat();
    let mut tunnel = Tunnel::open(&raw, &early).await;
    tunnel.expect(b"early").await;
    tunnel.say(b"and more").await;
    tunnel.expect(b"and more").await;
    let bench = &world.bench;
    assert_eq!((bench.figure("requests_in_flight"), echo.open()), (1, 1));
    // Another stream of the connection is served meanwhile.
    let refused = raw.say(&asking(&world, "other.test:443")).await;
    assert_eq!(problem(refused), "405 connect_refused");
    let record = bench.record();
    assert_eq!((record.status, record.method), (405, Method::Connect));
    tunnel.send.finish().unwrap();
    assert_eq!(
        tunnel.rest().await,
        b"helloearlyand morebye",
        "the other direction goes on"
    );
    let record = bench.record();
    assert_eq!(
        (record.status, record.method, record.bytes_in, record.bytes_out),
        (200, Method::Connect, 13, 5 + 13 + 3)
    );
    assert!(record.callee.is_some() && record.caller.is_some());
    eventually(|| bench.figure("upstream_connections_open") == 0 && echo.open() == 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn much_data_passes_in_frames_of_any_size() {
    let echo = Echo::start(b"");
    let world = world(&echo, |_| {});
    let raw = world.raw().await;
    let Tunnel {
        mut send, mut recv, ..
    } = Tunnel::open(&raw, &asking(&world, "tunnel.test:443")).await;
    let data: Vec<u8> = (0..3_000_000_u32)
        .map(|number| (number % 251).to_le_bytes()[0])
        .collect();
    let sent = data.clone();
    let sending = tokio::spawn(async move {
        for (number, part) in sent.chunks(70_001).enumerate() {
            send.write_all(&frame(DATA, part)).await.unwrap();
            if number % 7 == 0 {
                // Frames that nobody knows mean nothing, and empty ones neither.
                send.write_all(&[frame(0x21, b"grease"), frame(DATA, b"")].concat())
                    .await
                    .unwrap();
            }
        }
        send.finish().unwrap();
        send
    });
    let came = tokio::time::timeout(PATIENCE, recv.read_to_end(8 << 20)).await;
    drop(sending.await.unwrap());
    let frames = frames(&came.unwrap().unwrap());
    let came: Vec<u8> = frames[1..].iter().flat_map(|(_, data)| data.clone()).collect();
    assert!(came == [&data[..], b"bye"].concat(), "{} bytes", came.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_tunnel_is_refused() {
    let echo = Echo::start(b"");
    let world = world(&echo, |snapshot| {
        snapshot.routes[1].connect.as_mut().unwrap().ports = vec![443];
        snapshot.upstreams[0].spec.targets = vec![Target::new(format!("tcp://{}", free()))];
    });
    let raw = world.raw().await;
    let key = world.bench.key.clone();
    let ask = |target: &str, more: &[(&str, &str)]| {
        let fields = [&[(":method", "CONNECT"), (":authority", target)], more].concat();
        head(&fields)
    };
    let with_key = [("x-api-key", &*key)];
    let table = [
        (ask("other.test:443", &with_key), "405 connect_refused"),
        (ask("tunnel.test:22", &with_key), "405 connect_refused"),
        (ask("tunnel.test", &with_key), "400 message_malformed"),
        (ask("tunnel.test:0", &with_key), "400 message_malformed"),
        (ask("tunnel.test:443", &[]), "401 key_missing"),
        (
            ask("tunnel.test:443", &[with_key[0], ("content-length", "0")]),
            "400 message_malformed",
        ),
        (ask("tunnel.test:443", &with_key), "502 upstream_unreachable"),
    ];
    for (request, expected) in table {
        assert_eq!(problem(raw.say(&request).await), expected, "{expected}");
    }
    // Behind what is refused nothing is read as a request of its own.
    let more = [ask("other.test:443", &with_key), frame(DATA, b"GET / HTTP/1.1")].concat();
    let Ended::Answered(bytes) = raw.say(&more).await else {
        panic!("an answer")
    };
    assert!(
        bytes.windows(5).any(|field| field == b"allow"),
        "RFC 9110 section 15.5.6"
    );
    assert_eq!(echo.open(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tunnel_ends_as_its_sides_do() {
    let echo = Echo::start(b"hello");
    let world = world(&echo, |snapshot| {
        snapshot.routes[1].connect.as_mut().unwrap().idle_ms = 1_000;
    });
    let raw = world.raw().await;
    let ask = asking(&world, "tunnel.test:443");
    // After a second of silence.
    let tunnel = Tunnel::open(&raw, &ask).await;
    assert_eq!(raw.ended(tunnel.recv).await, Ended::Stream(REQUEST_CANCELLED));
    eventually(|| echo.open() == 0);
    world
        .bench
        .change(|snapshot| snapshot.routes[1].connect = Some(Connect::default()));
    // The client breaks off.
    let mut tunnel = Tunnel::open(&raw, &ask).await;
    tunnel.expect(b"hello").await;
    tunnel.send.reset(super::bench::code(0x10c)).unwrap();
    eventually(|| echo.open() == 0);
    for _ in 0..2 {
        assert_eq!(world.bench.record().status, 200);
    }
    // The service breaks off.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("tcp://{}", listener.local_addr().unwrap());
    world
        .bench
        .change(|snapshot| snapshot.upstreams[0].spec.targets = vec![Target::new(url)]);
    let mut tunnel = Tunnel::open(&raw, &ask).await;
    let (mut stream, _) = listener.accept().unwrap();
    stream.write_all(b"open").unwrap();
    tunnel.expect(b"open").await;
    socket2::SockRef::from(&stream)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    drop(stream);
    assert_eq!(raw.ended(tunnel.recv).await, Ended::Stream(CONNECT_ERROR));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_data_follows_an_open_tunnel() {
    let echo = Echo::start(b"hello");
    let world = world(&echo, |_| {});
    for trailers in [head(&[("x-late", "1")]), frame(4, b"")] {
        let raw = world.raw().await;
        let mut tunnel = Tunnel::open(&raw, &asking(&world, "tunnel.test:443")).await;
        tunnel.expect(b"hello").await;
        tunnel.send.write_all(&trailers).await.unwrap();
        assert_eq!(raw.ended(tunnel.recv).await, Ended::Connection(FRAME_UNEXPECTED));
        eventually(|| echo.open() == 0);
        // Before it is open, too.
        let raw = world.raw().await;
        let early = [asking(&world, "tunnel.test:443"), trailers].concat();
        assert_eq!(raw.say(&early).await, Ended::Connection(FRAME_UNEXPECTED));
        eventually(|| echo.open() == 0);
    }
}
