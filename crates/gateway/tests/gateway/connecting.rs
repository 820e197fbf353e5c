//! Tunnels that clients ask for with `CONNECT`.

use std::net::Shutdown;
use std::time::{Duration, Instant};

use bytes::Bytes;
use domain::id::RouteId;
use domain::routing::Connect;
use domain::snapshot::Snapshot;
use domain::traffic::{ProxyVersion, Target, UpstreamSpec};
use events::Method;
use http::{HeaderValue, Request};
use http_body_util::Empty;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::bench::{Bench, Client, PATIENCE, eventually, id, policy};
use crate::explaining::explained;
use crate::listeners::free;
use crate::streams::Echo;
use crate::tls_out::Service;

/// Adds a route that opens tunnels to the upstream for whoever names `tunnel.test`.
fn allow(snapshot: &mut Snapshot, connect: Connect) {
    let mut route = snapshot.routes[0].clone();
    route.id = RouteId::new(id(701));
    route.host = Some("tunnel.test".to_owned());
    route.base_path = String::new();
    route.connect = Some(connect);
    snapshot.routes.push(route);
}

/// A gateway that opens tunnels to a service.
fn bench(echo: &Echo, change: impl FnOnce(&mut Snapshot)) -> Bench {
    Bench::with(&["http://127.0.0.1:9".to_owned()], |_, snapshot| {
        open(snapshot, echo);
        change(snapshot);
    })
}

/// Makes the second route one that opens tunnels to a service.
pub(crate) fn open(snapshot: &mut Snapshot, echo: &Echo) {
    // Of the calls that the first route takes there are none.
    snapshot.routes[0].redirect = Some(serde_json::from_value(json!({ "path": "/away" })).unwrap());
    snapshot.routes[0].upstream = None;
    let targets = vec![Target::new(echo.url())];
    snapshot.upstreams[0].spec = UpstreamSpec::new("ledger".parse().unwrap(), targets);
    let upstream = snapshot.upstreams[0].id;
    allow(snapshot, Connect::default());
    let tunnel = &mut snapshot.routes[1];
    (tunnel.redirect, tunnel.upstream) = (None, Some(upstream));
}

fn head(bench: &Bench, target: &str, more: &str) -> String {
    let key = &bench.key;
    format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\nX-API-Key: {key}\r\n{more}\r\n")
}

/// A client that has sent a request for a tunnel.
fn asking(bench: &Bench, target: &str, more: &str) -> Client {
    let mut client = bench.connect();
    client.send(head(bench, target, more).as_bytes());
    client
}

#[test]
fn tunnels_are_refused_unless_a_route_opens_them() {
    let echo = Echo::start(b"");
    let closed = Bench::new(&["http://127.0.0.1:9".to_owned()]);
    let mut client = asking(&closed, "tunnel.test:443", "");
    let refused = client.answer();
    assert_eq!(refused.problem(), "405 connect_refused");
    assert_eq!(refused.field("allow"), Some(""), "RFC 9110 section 15.5.6");
    assert_eq!(closed.record().method, Method::Connect);
    assert_eq!(
        client.rest(),
        b"",
        "what follows may have been meant for the tunnel"
    );

    let bench = bench(&echo, |snapshot| {
        snapshot.routes[1].connect = Some(Connect {
            ports: vec![443, 8443],
            ..Connect::default()
        });
    });
    let table = [
        ("other.test:443", "", "405 connect_refused"),
        ("tunnel.test:22", "", "405 connect_refused"),
        ("tunnel.test", "", "400 message_malformed"),
        ("tunnel.test:0", "", "400 message_malformed"),
        ("me@tunnel.test:443", "", "400 message_malformed"),
        ("http://tunnel.test:443/", "", "405 connect_refused"),
        ("/shop/pets", "", "400 message_malformed"),
        (
            "tunnel.test:443",
            "Content-Length: 0\r\n",
            "400 message_malformed",
        ),
        (
            "tunnel.test:443",
            "Transfer-Encoding: chunked\r\n",
            // What follows is no chunk.
            "400 framing_ambiguous",
        ),
    ];
    for (target, more, expected) in table {
        let mut client = bench.connect();
        // In one piece: what is said of a body depends on whether any of it is there.
        let more_than_head = head(&bench, target, more) + "GET /shop/pets HTTP/1.1\r\nHost: g\r\n\r\n";
        client.send(more_than_head.as_bytes());
        assert_eq!(client.answer().problem(), expected, "{target} {more}");
        assert_eq!(client.rest(), b"", "{target} {more}");
    }
    assert_eq!(echo.open(), 0);
    // A route that opens tunnels takes nothing else.
    let call = bench.call("GET", "http://tunnel.test/", "", "");
    assert_eq!(call.status, 400);
    let mut client = bench.connect();
    client.send(b"GET / HTTP/1.1\r\nHost: tunnel.test\r\n\r\n");
    assert_eq!(client.answer().problem(), "404 route_not_found");
    assert_eq!(asking(&bench, "tunnel.test:8443", "").head().status, 200);
}

#[test]
fn a_client_is_joined_with_the_upstream_and_counted() {
    let echo = Echo::start(b"hello");
    let bench = bench(&echo, |_| {});
    let mut client = bench.connect();
    // What follows the head at once is for the other side already.
    client.send((head(&bench, "Tunnel.test:5432", "") + "early").as_bytes());
    let answer = client.head();
    assert_eq!(answer.status, 200);
    for name in ["content-length", "transfer-encoding", "connection"] {
        assert_eq!(answer.field(name), None);
    }
    assert!(answer.field("x-request-id").is_some());
    client.expect(b"helloearly");
    client.send(b"and more");
    client.expect(b"and more");
    assert_eq!((bench.figure("requests_in_flight"), echo.open()), (1, 1));
    client.stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(client.rest(), b"bye", "the other direction goes on");
    let record = bench.record();
    assert_eq!(
        (record.status, record.bytes_in, record.bytes_out),
        (200, 13, 5 + 13 + 3)
    );
    assert_eq!(record.method, Method::Connect);
    assert!(record.callee.is_some() && record.caller.is_some());
    let call = explained(&bench, &answer).call;
    assert_eq!((&*call.method, call.status), ("CONNECT", 200));
    eventually(|| {
        bench.figure("upstream_connections_open") == 0 && bench.figure("client_connections_open") == 0
    });
}

#[test]
fn policies_come_first() {
    let echo = Echo::start(b"");
    let bench = bench(&echo, |snapshot| {
        let one = json!({ "calls_max": 1 });
        snapshot.routes[1].policies.push(policy("concurrency_limit", one));
    });
    let mut client = bench.connect();
    client.send(b"CONNECT tunnel.test:443 HTTP/1.1\r\nHost: tunnel.test:443\r\n\r\n");
    assert_eq!(client.answer().problem(), "401 key_missing");
    assert_eq!(echo.open(), 0);
    let mut first = asking(&bench, "tunnel.test:443", "");
    assert_eq!(first.head().status, 200);
    let second = asking(&bench, "tunnel.test:443", "").answer();
    assert_eq!(second.problem(), "429 concurrency_limited");
    first.close();
    eventually(|| asking(&bench, "tunnel.test:443", "").head().status == 200);
}

#[test]
fn tunnels_flow_no_faster_than_their_bandwidth() {
    let echo = Echo::start(b"");
    let bench = bench(&echo, |snapshot| {
        let limit = json!({ "request_bytes_per_second": 4_000, "burst_bytes": 1_000 });
        let policies = &mut snapshot.routes[1].policies;
        policies.push(policy("bandwidth_limit", limit));
    });
    let mut client = asking(&bench, "tunnel.test:443", "");
    assert_eq!(client.head().status, 200);
    let began = Instant::now();
    client.send(&[b'a'; 5_000]);
    client.expect(&[b'a'; 5_000]);
    // 1,000 at once, and the last part need not be waited for.
    assert!(
        began.elapsed() >= Duration::from_millis(700),
        "{:?}",
        began.elapsed()
    );
}

#[test]
fn a_tunnel_outlives_changes_and_ends_when_nothing_comes() {
    let echo = Echo::start(b"");
    let bench = bench(&echo, |snapshot| {
        snapshot.routes[1].connect.as_mut().unwrap().idle_ms = 1_000;
    });
    let mut client = asking(&bench, "tunnel.test:443", "");
    assert_eq!(client.head().status, 200);
    bench.change(|snapshot| {
        snapshot.routes.clear();
        snapshot.upstreams.clear();
    });
    assert_eq!(
        asking(&bench, "tunnel.test:443", "").answer().problem(),
        "405 connect_refused"
    );
    client.send(b"still there");
    client.expect(b"still there");
    assert_eq!(client.rest(), b"", "after a second of silence");
    eventually(|| echo.open() == 0);
}

#[test]
fn a_node_waits_for_tunnels_when_it_ends() {
    let echo = Echo::start(b"");
    let mut bench = bench(&echo, |_| {});
    let mut client = asking(&bench, "tunnel.test:443", "");
    assert_eq!(client.head().status, 200);
    let gateway = bench.gateway.take().unwrap();
    let draining = std::thread::spawn(move || gateway.drain(PATIENCE));
    client.send(b"going on");
    client.expect(b"going on");
    assert!(!draining.is_finished());
    client.close();
    assert!(draining.join().unwrap());
}

#[test]
fn targets_that_are_not_there_are_told() {
    let echo = Echo::start(b"");
    let bench = bench(&echo, |snapshot| {
        snapshot.upstreams[0].spec.targets = vec![Target::new(format!("tcp://{}", free()))];
    });
    let mut client = asking(&bench, "tunnel.test:443", "");
    assert_eq!(client.answer().problem(), "502 upstream_unreachable");
    assert_eq!(bench.record().status, 502);
    bench.change(|snapshot| {
        let good = Target::new(echo.url());
        snapshot.upstreams[0].spec.targets.push(good);
        snapshot.upstreams[0].spec.retries.attempts_max = 2;
    });
    // Whichever comes first, one of them is there.
    for _ in 0..5 {
        assert_eq!(asking(&bench, "tunnel.test:443", "").head().status, 200);
    }
}

#[test]
fn targets_hear_whom_a_tunnel_is_for() {
    let echo = Echo::start(b"");
    let bench = bench(&echo, |snapshot| {
        snapshot.upstreams[0].spec.proxy_protocol = Some(ProxyVersion::V1);
    });
    let mut client = asking(&bench, "tunnel.test:443", "");
    let own = client.stream.local_addr().unwrap();
    assert_eq!(client.head().status, 200);
    let gateway = bench.address();
    let line = format!(
        "PROXY TCP4 127.0.0.1 127.0.0.1 {} {}\r\n",
        own.port(),
        gateway.port()
    );
    client.expect(line.as_bytes());
}

#[test]
fn tls_is_spoken_with_targets_that_want_it() {
    let service = Service::start(None, &[]);
    let bench = service.bench(|_| {});
    bench.change(|snapshot| allow(snapshot, Connect::default()));
    let mut client = asking(&bench, "tunnel.test:443", "");
    assert_eq!(client.head().status, 200);
    client.send(b"GET / HTTP/1.1\r\nHost: s\r\n\r\n");
    assert_eq!(client.answer().text(), "secret");
    // What is spoken inside is the client's affair.
    assert_eq!(service.last(), (Some("service.test".to_owned()), None, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tunnels_are_streams_of_http2() {
    let echo = Echo::start(b"hello");
    let bench = bench(&echo, |_| {});
    let stream = tokio::net::TcpStream::connect(bench.address()).await.unwrap();
    let (mut sender, driver) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
    tokio::spawn(driver);
    let ask = |target: &str, key: &str| {
        let request = Request::builder().method("CONNECT").uri(target);
        let request = request.header("x-api-key", key);
        request.body(Empty::<Bytes>::new()).unwrap()
    };
    for (target, key, status) in [
        ("other.test:443", &*bench.key, 405),
        ("tunnel.test", &bench.key, 400),
        ("tunnel.test:443", "nothing", 401),
    ] {
        let answer = sender.send_request(ask(target, key)).await.unwrap();
        assert_eq!(answer.status(), status, "{target}");
        let allow = answer.headers().get("allow").map(HeaderValue::as_bytes);
        assert_eq!(allow, (status == 405).then_some(&b""[..]), "{target}");
    }
    // What is malformed has no record.
    for status in [405, 401] {
        let record = bench.record();
        assert_eq!((record.status, record.method), (status, Method::Connect));
    }
    let mut answer = sender
        .send_request(ask("tunnel.test:443", &bench.key))
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    let mut tunnel = TokioIo::new(hyper::upgrade::on(&mut answer).await.unwrap());
    let mut said = [0; 9];
    tunnel.write_all(b"ping").await.unwrap();
    tunnel.read_exact(&mut said).await.unwrap();
    assert_eq!(&said, b"helloping");
    // Another stream of the connection is served meanwhile.
    let other = sender.send_request(ask("other.test:443", &bench.key)).await;
    assert_eq!(other.unwrap().status(), 405);
    tunnel.shutdown().await.unwrap();
    let mut rest = Vec::new();
    tokio::time::timeout(Duration::from_secs(20), tunnel.read_to_end(&mut rest))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(rest, b"bye");
    let records = [bench.record(), bench.record()];
    let tunnel = records.iter().find(|record| record.status == 200).unwrap();
    assert_eq!((tunnel.bytes_in, tunnel.bytes_out), (4, 12));
}
