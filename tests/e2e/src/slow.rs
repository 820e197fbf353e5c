//! Clients that are slow, silent or greedy: what they hold is bounded and given back, and others are served meanwhile.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::thread;
use std::time::Duration;

use rustix::net::{AddressFamily, SocketType};

use crate::harness::node::{Node, PATIENCE, field, message, waited};
use crate::harness::program::free_port;

/// What a client that only waits may hold, in bytes of resident memory: half of them have had an answer before.
const IDLE_BYTES_MAX: u64 = 16 * 1024;
const IDLE_CONNECTIONS: usize = 10_000;
/// Connections to the service that a node may keep for the next call.
const KEPT_MAX: usize = 80;
/// A large answer.
const LARGE_BYTES: usize = 8 << 20;

/// A service that answers `hello` to whole requests, or as much as is large to those with `X-Large`.
fn service() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || {
                let mut bytes = Vec::new();
                while let Some((head, _)) = message(&mut stream, &mut bytes) {
                    let is_large = field(&head, "x-large").is_some();
                    let body = vec![b'x'; if is_large { LARGE_BYTES } else { 5 }];
                    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
                    let written = stream
                        .write_all(head.as_bytes())
                        .and_then(|()| stream.write_all(&body));
                    if written.is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// The first bytes that come, or what came in their place.
fn first(stream: &mut TcpStream) -> String {
    let mut bytes = [0; 12];
    match stream.read(&mut bytes) {
        Ok(length) => String::from_utf8_lossy(&bytes[..length]).into_owned(),
        Err(error) => error.to_string(),
    }
}

/// Waits until a node holds no more connections and descriptors than before.
fn gives_back(node: &Node, descriptors: usize) {
    // The one that asks counts, too.
    waited("the end of all connections", || {
        (node.figure("client_connections_open") <= 1).then_some(())
    });
    waited("all descriptors", || {
        (node.descriptors() <= descriptors + KEPT_MAX).then_some(())
    });
    node.serves_others();
}

#[test]
fn heads_that_come_byte_by_byte() {
    let node = Node::start(service(), "[gateway.limits]\nhead_ms = 2000", |_| {});
    node.serves_others();
    let (descriptors, memory) = (node.descriptors(), node.memory_kib());
    let mut slow: Vec<_> = (0..300).map(|_| connect(node.address)).collect();
    for byte in b"GET /x HTTP" {
        for stream in &mut slow {
            let _ = stream.write_all(&[*byte]);
        }
        node.serves_others();
        thread::sleep(Duration::from_millis(20));
    }
    assert!(
        node.memory_kib() < memory + 300 * 32,
        "{} KiB more",
        node.memory_kib() - memory
    );
    for stream in &mut slow {
        assert_eq!(first(stream), "HTTP/1.1 408");
    }
    drop(slow);
    gives_back(&node, descriptors);
}

#[test]
fn bodies_that_do_not_come() {
    let node = Node::start(service(), "[gateway.limits]\nbody_idle_ms = 1000", |_| {});
    node.serves_others();
    let descriptors = node.descriptors();
    let mut slow: Vec<_> = (0..100).map(|_| connect(node.address)).collect();
    for stream in &mut slow {
        stream
            .write_all(b"POST /x HTTP/1.1\r\nHost: g\r\nContent-Length: 1000\r\n\r\nbegun")
            .unwrap();
    }
    node.serves_others();
    for stream in &mut slow {
        assert_eq!(first(stream), "HTTP/1.1 408");
    }
    drop(slow);
    waited("the service's connections", || {
        (node.figure("upstream_connections_open") <= node.figure("upstream_connections_idle")).then_some(())
    });
    gives_back(&node, descriptors);
}

#[test]
fn answers_that_nobody_reads() {
    let node = Node::start(service(), "[gateway.limits]\nbody_idle_ms = 2000", |_| {});
    node.serves_others();
    let (descriptors, memory) = (node.descriptors(), node.memory_kib());
    let mut slow: Vec<_> = (0..30).map(|_| connect(node.address)).collect();
    for stream in &mut slow {
        stream
            .write_all(b"GET /x HTTP/1.1\r\nHost: g\r\nX-Large: 1\r\n\r\n")
            .unwrap();
    }
    // So over HTTP/2 with as many streams, none of which may send a byte (RFC 9113 section 6.9.2).
    let mut multiplexed = connect(node.address);
    let mut text = preface(&[0, 4, 0, 0, 0, 0]);
    for number in 0..30 {
        text.extend(headers(2 * number + 1, 5, &[(b"x-large", b"1")]));
    }
    multiplexed.write_all(&text).unwrap();
    waited("60 calls", || {
        (node.figure("requests_in_flight") >= 60).then_some(())
    });
    node.serves_others();
    // 60 answers of 8 MiB wait: at most a buffer of each is here.
    let held = node.memory_kib().saturating_sub(memory);
    assert!(held < 60 * 512, "{held} KiB");
    waited("the end of all calls", || {
        (node.figure("requests_in_flight") <= 1).then_some(())
    });
    drop((slow, multiplexed));
    gives_back(&node, descriptors);
}

#[test]
fn ten_thousand_connections_that_wait() {
    // Each takes a descriptor here and one in the node.
    let wanted = (IDLE_CONNECTIONS + 1000).to_string();
    let raised = Command::new("prlimit")
        .args([
            "--pid",
            &std::process::id().to_string(),
            &format!("--nofile={wanted}:"),
        ])
        .status();
    assert!(
        raised.is_ok_and(|status| status.success()),
        "{wanted} descriptors are needed (prlimit of util-linux)"
    );
    let patience = "[gateway.limits]\nhead_ms = 600000\nkeep_alive_ms = 600000";
    let node = Node::start(service(), patience, |_| {});
    node.serves_others();
    let (descriptors, memory) = (node.descriptors(), node.memory_kib());
    let mut idle = Vec::with_capacity(IDLE_CONNECTIONS);
    for number in 0..IDLE_CONNECTIONS {
        // From several addresses, so that their ports do not end.
        let from = Ipv4Addr::new(127, 0, 0, 2 + u8::try_from(number % 8).unwrap());
        let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        rustix::net::bind(&socket, &SocketAddr::from((from, 0))).unwrap();
        rustix::net::connect(&socket, &node.address).unwrap();
        let mut stream = TcpStream::from(socket);
        if number % 2 == 0 {
            // Half of them have had an answer before they wait.
            stream.write_all(b"GET /x HTTP/1.1\r\nHost: g\r\n\r\n").unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            let mut answer = [0; 2048];
            assert!(stream.read(&mut answer).unwrap() > 0);
        }
        idle.push(stream);
    }
    waited("all connections", || {
        (node.figure("client_connections_open") > IDLE_CONNECTIONS as u64).then_some(())
    });
    let each = (node.memory_kib().saturating_sub(memory)) * 1024 / IDLE_CONNECTIONS as u64;
    assert!(each <= IDLE_BYTES_MAX, "{each} bytes for a connection that waits");
    node.serves_others();
    drop(idle);
    gives_back(&node, descriptors);
}

#[test]
fn handshakes_that_do_not_end() {
    let port = free_port();
    let settings = format!("listen_tls = \"127.0.0.1:{port}\"\n[gateway.limits]\nhead_ms = 1500");
    let node = Node::start(service(), &settings, |_| {});
    node.serves_others();
    let descriptors = node.descriptors();
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let mut slow: Vec<_> = (0..300).map(|_| connect(address)).collect();
    for (number, stream) in slow.iter_mut().enumerate() {
        // The beginning of a first message, or nothing at all.
        let begins = [0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3];
        let _ = stream.write_all(&begins[..number % begins.len()]);
    }
    node.serves_others();
    for stream in &mut slow {
        // It ends, with a TLS alert or without.
        while stream.read(&mut [0; 64]).is_ok_and(|length| length > 0) {}
    }
    drop(slow);
    gives_back(&node, descriptors);
}

/// What a client of HTTP/2 begins with, and its settings.
fn preface(settings: &[u8]) -> Vec<u8> {
    let mut text = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    text.extend(frame(4, 0, 0, settings));
    text
}

/// A frame: RFC 9113 section 4.1.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// A request for `/x` without a body: RFC 7541 section 6.
fn headers(stream: u32, flags: u8, more: &[(&[u8], &[u8])]) -> Vec<u8> {
    let mut block = vec![0x82, 0x86, 0x04, 2, b'/', b'x', 0x01, 1, b'g'];
    for (name, value) in more {
        for (begins, text) in [(&[0_u8][..], name), (&[], value)] {
            block.extend(begins);
            block.push(u8::try_from(text.len()).unwrap());
            block.extend(*text);
        }
    }
    frame(1, flags, stream, &block)
}

/// What is sent the so-manieth time.
type Flood = fn(u32) -> Vec<u8>;

/// What may be sent without end over HTTP/2.
fn floods() -> [(&'static str, Flood); 5] {
    [
        // CVE-2023-44487.
        ("rapid reset", |number| {
            let stream = 2 * number + 1;
            [headers(stream, 5, &[]), frame(3, 0, stream, &[0, 0, 0, 8])].concat()
        }),
        // CVE-2024-27316.
        ("continuation", |number| match number {
            0 => headers(1, 1, &[]),
            _ => frame(9, 0, 1, &[&[0, 1, b'a', 100][..], &[b'a'; 100]].concat()),
        }),
        // CVE-2019-9512 and CVE-2019-9515.
        ("ping", |number| frame(6, 0, 0, &u64::from(number).to_be_bytes())),
        ("settings", |_| frame(4, 0, 0, &[0, 3, 0, 0, 0, 100])),
        // CVE-2019-9518.
        ("empty data", |number| match number {
            0 => headers(1, 4, &[]),
            _ => frame(0, 0, 1, &[]),
        }),
    ]
}

#[test]
fn floods_of_http2() {
    for (name, next) in floods() {
        let node = Node::start(service(), "", |_| {});
        node.serves_others();
        let (descriptors, memory) = (node.descriptors(), node.memory_kib());
        let mut streams: Vec<_> = (0..4).map(|_| connect(node.address)).collect();
        for stream in &mut streams {
            // Nobody reads the answers; whoever is not read must not keep them all.
            stream
                .set_write_timeout(Some(Duration::from_millis(500)))
                .unwrap();
            let mut text = preface(&[]);
            for number in 0..20_000 {
                text.extend(next(number));
                if text.len() > 16_384 && stream.write_all(&std::mem::take(&mut text)).is_err() {
                    break;
                }
            }
        }
        node.serves_others();
        let held = node.memory_kib().saturating_sub(memory);
        assert!(held < 16 * 1024, "{name}: {held} KiB more");
        drop(streams);
        gives_back(&node, descriptors);
    }
}
