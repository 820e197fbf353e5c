//! Connections that proxies pass on, and connections that say whom they are for: the PROXY protocol.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};

use domain::limit::CallRate;
use domain::traffic::ProxyVersion;
use gateway::settings::{Others, ProxyProtocol};

use crate::bench::{Bench, Client, PATIENCE, Upstream, eventually, reply};
use crate::certificates::Secure;

const LINE: &[u8] = b"PROXY TCP4 192.0.2.1 198.51.100.2 12345 443\r\n";
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// The same as [`LINE`] in version 2, from another client.
fn bytes(client: [u8; 4]) -> Vec<u8> {
    [
        SIGNATURE,
        &[0x21, 0x11, 0, 12],
        &client,
        &[198, 51, 100, 2, 0x30, 0x39, 1, 0xbb],
    ]
    .concat()
}

/// A proxy that says nothing but that it is there.
fn local() -> Vec<u8> {
    [SIGNATURE, &[0x20, 0, 0, 0]].concat()
}

fn from(networks: &[&str]) -> ProxyProtocol {
    ProxyProtocol::new(networks.iter().map(|network| network.parse().unwrap()).collect())
}

fn request(bench: &Bench) -> Vec<u8> {
    let key = &bench.key;
    format!("GET /shop/pets HTTP/1.1\r\nHost: g\r\nX-API-Key: {key}\r\n\r\n").into_bytes()
}

/// What a client gets that begins with some bytes, and whom the service behind takes it for.
fn said(bench: &Bench, upstream: &Upstream, begin: &[u8]) -> Option<(u16, String)> {
    let before = upstream.received().len();
    let mut client = bench.connect();
    // In two pieces: what is cut must not matter.
    let whole = [begin, &request(bench)].concat();
    let (one, other) = whole.split_at(begin.len() / 2);
    client.send(one);
    client.send(other);
    let status = client.try_answer()?.status;
    let received = upstream.received();
    let client = received
        .get(before)
        .map(|last| last.fields.get("x-forwarded-for").unwrap().to_owned());
    Some((status, client.unwrap_or_default()))
}

#[test]
fn a_proxy_says_who_the_client_is() {
    let upstream = Upstream::simple();
    let bench = Bench::with(&upstream.urls(), |settings, _| {
        settings.proxy_protocol = Some(from(&["127.0.0.0/8"]));
    });
    let six = [
        SIGNATURE,
        &[
            0x21, 0x21, 0, 36, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9,
        ],
        &[0; 20],
    ];
    let table = [
        (LINE.to_vec(), "192.0.2.1"),
        (
            b"PROXY TCP6 2001:db8::7 2001:db8::8 1 2\r\n".to_vec(),
            "2001:db8::7",
        ),
        (b"PROXY UNKNOWN\r\n".to_vec(), "127.0.0.1"),
        (bytes([192, 0, 2, 9]), "192.0.2.9"),
        (six.concat(), "2001:db8::9"),
        (local(), "127.0.0.1"),
    ];
    for (begin, client) in table {
        let found = said(&bench, &upstream, &begin);
        assert_eq!(found, Some((200, client.to_owned())), "{}", begin.escape_ascii());
    }
    assert_eq!(bench.figure("proxy_headers_refused_total"), 0);
    for wrong in [
        &b""[..],
        b"PROXY TCP4 192.0.2.1 198.51.100.2 12345\r\n",
        b"\r\n\r\n",
        &SIGNATURE[..11],
    ] {
        assert_eq!(said(&bench, &upstream, wrong), None, "{}", wrong.escape_ascii());
    }
    eventually(|| bench.figure("proxy_headers_refused_total") == 4);
    assert_eq!(upstream.received().len(), 6);
}

#[test]
fn limits_are_those_of_the_client_behind_the_proxy() {
    let upstream = Upstream::simple();
    let bench = Bench::with(&upstream.urls(), |settings, _| {
        settings.proxy_protocol = Some(from(&["127.0.0.1"]));
        settings.limits.address_rate = Some(CallRate {
            requests: 1,
            window_seconds: 3600,
            burst: None,
        });
    });
    let status = |client| said(&bench, &upstream, &bytes(client)).map(|(status, _)| status);
    assert_eq!(status([192, 0, 2, 1]), Some(200));
    assert_eq!(status([192, 0, 2, 1]), Some(429));
    assert_eq!(status([192, 0, 2, 2]), Some(200));
}

#[test]
fn who_is_no_proxy_is_refused_or_served_as_anybody() {
    let upstream = Upstream::simple();
    for (others, plain, with) in [
        (Others::Refuse, None, None),
        (Others::Serve, Some(200), Some(400)),
    ] {
        let bench = Bench::with(&upstream.urls(), |settings, _| {
            let mut rules = from(&["192.0.2.0/24", "::1"]);
            rules.others = others;
            settings.proxy_protocol = Some(rules);
        });
        let status = |begin| said(&bench, &upstream, begin).map(|(status, _)| status);
        assert_eq!(status(b""), plain);
        assert_eq!(status(LINE), with, "nobody believes it: it is no request");
    }
}

#[test]
fn the_header_has_to_come_in_time() {
    let upstream = Upstream::simple();
    let bench = Bench::with(&upstream.urls(), |settings, _| {
        let mut rules = from(&["127.0.0.1"]);
        rules.header_ms = 50;
        settings.proxy_protocol = Some(rules);
    });
    let mut slow = bench.connect();
    slow.send(&LINE[..20]);
    assert_eq!(slow.rest(), b"");
    assert_eq!(bench.figure("proxy_headers_refused_total"), 1);
}

#[test]
fn it_comes_before_http2_and_before_tls() {
    let upstream = Upstream::simple();
    let bench = Bench::with(&upstream.urls(), |settings, _| {
        settings.listen_tls = Some("127.0.0.1:0".parse().unwrap());
        settings.proxy_protocol = Some(from(&["127.0.0.1"]));
    });
    let preface = [LINE, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"].concat();
    for cut in [preface.len(), LINE.len(), LINE.len() + 5] {
        let mut client = bench.connect();
        client.send(&preface[..cut]);
        client.send(&preface[cut..]);
        let mut frame = [0; 9];
        client.stream.read_exact(&mut frame).unwrap();
        assert_eq!(frame[3], 4, "settings come first");
    }
    let address = bench.gateway.as_ref().unwrap().addresses().tls.unwrap();
    for begin in [LINE.to_vec(), bytes([192, 0, 2, 1])] {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(&begin).unwrap();
        let mut secure = Secure::over(stream, "localhost");
        secure.0.write_all(&request(&bench)).unwrap();
        let mut answer = [0; 12];
        secure.0.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200");
        let fields = upstream.last().fields;
        assert_eq!(fields.get("x-forwarded-for"), Some("192.0.2.1"));
        assert_eq!(fields.get("x-forwarded-proto"), Some("https"));
    }
    // In one piece with the client's first message.
    let mut plain = TcpStream::connect(address).unwrap();
    plain.set_read_timeout(Some(PATIENCE)).unwrap();
    plain.write_all(b"\x16\x03\x01\0\x05hello").unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer);
    assert_eq!(answer, b"", "TLS without a header is closed without a word");
}

#[test]
fn a_listener_can_begin_to_expect_it() {
    let upstream = Upstream::simple();
    let mut settings = None;
    let bench = Bench::with(&upstream.urls(), |set, _| {
        set.listen = crate::listeners::free();
        settings = Some(set.clone());
    });
    let mut kept = bench.connect();
    kept.send(&request(&bench));
    assert_eq!(kept.answer().status, 200);
    let mut newer = settings.clone().unwrap();
    newer.proxy_protocol = Some(from(&["127.0.0.1"]));
    let gateway = bench.gateway.as_ref().unwrap();
    assert!(settings.unwrap().fixed_changes(&newer).is_empty());
    let changed = gateway.change(&newer);
    assert!(changed.opened.is_empty() && changed.closed.is_empty() && changed.failed.is_empty());
    eventually(|| said(&bench, &upstream, LINE) == Some((200, "192.0.2.1".to_owned())));
    assert_eq!(said(&bench, &upstream, b""), None);
    // It was opened when nobody had to say anything.
    kept.send(&request(&bench));
    let last = kept.answer();
    assert_eq!((last.status, last.field("connection")), (200, Some("close")));
}

/// A service that wants to be told by lines whom connections come from; it answers with what it was told.
struct Told {
    url: String,
    connections: Arc<Mutex<Vec<String>>>,
}

impl Told {
    fn start() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let told = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            connections: Arc::default(),
        };
        let connections = Arc::clone(&told.connections);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let connections = Arc::clone(&connections);
                std::thread::spawn(move || Self::serve(stream, &connections));
            }
        });
        told
    }

    fn serve(mut stream: TcpStream, connections: &Mutex<Vec<String>>) {
        let mut line = Vec::new();
        let mut byte = [0];
        while !line.ends_with(b"\r\n") {
            if stream.read(&mut byte).unwrap_or(0) == 0 {
                return;
            }
            line.push(byte[0]);
        }
        let line = String::from_utf8(line).unwrap().trim_end().to_owned();
        connections.lock().unwrap().push(line.clone());
        let mut head = Vec::new();
        while stream.read(&mut byte).unwrap_or(0) == 1 {
            head.push(byte[0]);
            if head.ends_with(b"\r\n\r\n") && !reply(&mut stream, "200 OK", "", &line) {
                return;
            }
        }
        connections.lock().unwrap().push(format!("end of {line}"));
    }

    fn connections(&self) -> Vec<String> {
        self.connections.lock().unwrap().clone()
    }
}

fn telling(told: &Told, connections_max: u32) -> Bench {
    Bench::with(std::slice::from_ref(&told.url), |_, snapshot| {
        let spec = &mut snapshot.upstreams[0].spec;
        spec.proxy_protocol = Some(ProxyVersion::V1);
        spec.connections.max = connections_max;
        spec.connections.waiting_max = 1;
    })
}

/// How a client's connection is told of.
fn line(client: &Client) -> String {
    let (own, other): (SocketAddr, SocketAddr) = (
        client.stream.local_addr().unwrap(),
        client.stream.peer_addr().unwrap(),
    );
    format!(
        "PROXY TCP4 {} {} {} {}",
        own.ip(),
        other.ip(),
        own.port(),
        other.port()
    )
}

fn ask(bench: &Bench, client: &mut Client) -> String {
    client.send(&request(bench));
    let answer = client.answer();
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.text().to_owned()
}

#[test]
fn upstreams_are_told_and_no_connection_is_shared() {
    let told = Told::start();
    let bench = telling(&told, 0);
    let (mut one, mut other) = (bench.connect(), bench.connect());
    for _ in 0..3 {
        assert_eq!(ask(&bench, &mut one), line(&one));
        assert_eq!(ask(&bench, &mut other), line(&other));
    }
    let mut lines = vec![line(&one), line(&other)];
    assert_eq!(
        told.connections(),
        lines,
        "one connection for each of the client's"
    );
    assert_eq!(bench.figure("upstream_connections_idle"), 2);
    lines.push(format!("end of {}", line(&one)));
    one.close();
    eventually(|| told.connections() == lines);
    assert_eq!(ask(&bench, &mut other), line(&other));
    eventually(|| bench.figure("upstream_connections_open") == 1);
}

#[test]
fn connections_that_wait_for_their_client_make_room_for_others() {
    let told = Told::start();
    let bench = telling(&told, 1);
    let (mut one, mut other) = (bench.connect(), bench.connect());
    for _ in 0..3 {
        // On one core or on two, whose bounds are their own.
        assert_eq!(ask(&bench, &mut one), line(&one));
        assert_eq!(ask(&bench, &mut other), line(&other));
    }
    assert!(bench.figure("upstream_connections_open") <= 2);
}

#[test]
fn a_proxy_before_us_and_one_behind_us_say_the_same() {
    let told = Told::start();
    let bench = Bench::with(std::slice::from_ref(&told.url), |settings, snapshot| {
        settings.proxy_protocol = Some(from(&["127.0.0.1"]));
        snapshot.upstreams[0].spec.proxy_protocol = Some(ProxyVersion::V1);
    });
    let mut client = bench.connect();
    client.send(&bytes([192, 0, 2, 1]));
    assert_eq!(ask(&bench, &mut client).as_bytes(), LINE.trim_ascii_end());
}

#[test]
fn checks_speak_for_nobody() {
    let told = Told::start();
    let _bench = Bench::with(std::slice::from_ref(&told.url), |_, snapshot| {
        let spec = &mut snapshot.upstreams[0].spec;
        spec.proxy_protocol = Some(ProxyVersion::V1);
        spec.health_check = Some(domain::traffic::HealthCheck {
            interval_ms: 100,
            ..Default::default()
        });
    });
    eventually(|| !told.connections().is_empty());
    assert_eq!(told.connections()[0], "PROXY UNKNOWN");
}
