//! Calls whose connections fail, and what is promised of them all the same.

use std::collections::HashMap;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use domain::traffic::{RetryOn, UpstreamProtocol};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};

use crate::harness::node::{Node, field, message, waited};

const CLIENTS: u64 = 8;
const CALLS_EACH: u64 = 40;

/// Numbers that follow from a seed: Marsaglia's xorshift.
pub(super) struct Chance(u64);

impl Chance {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

/// How often each call reached the service, whole.
pub(super) type Reached = Arc<Mutex<HashMap<String, u32>>>;

/// A service that answers each call with its own name.
pub(super) fn service(protocol: UpstreamProtocol) -> (SocketAddr, Reached) {
    match protocol {
        UpstreamProtocol::Http2 => over_http2(),
        _ => over_http1(),
    }
}

fn over_http1() -> (SocketAddr, Reached) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, reached) = (listener.local_addr().unwrap(), Reached::default());
    let noted = Arc::clone(&reached);
    thread::spawn(move || {
        for mut stream in listener.incoming().filter_map(Result::ok) {
            let noted = Arc::clone(&noted);
            thread::spawn(move || {
                let mut bytes = Vec::new();
                while let Some((head, body)) = message(&mut stream, &mut bytes) {
                    let name = field(&head, "x-call").unwrap();
                    assert!(body.iter().all(|byte| *byte == b'b'), "a body of another call");
                    *noted.lock().unwrap().entry(name.clone()).or_insert(0) += 1;
                    let answer = format!(
                        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nx-call: {name}\r\n\r\n{name}",
                        name.len()
                    );
                    if stream.write_all(answer.as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    (address, reached)
}

/// Many calls at a time on one connection.
fn over_http2() -> (SocketAddr, Reached) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let (address, reached) = (listener.local_addr().unwrap(), Reached::default());
    let noted = Arc::clone(&reached);
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                let noted = Arc::clone(&noted);
                let answers = service_fn(move |request| answer(request, Arc::clone(&noted)));
                let served = http2::Builder::new(TokioExecutor::new());
                tokio::spawn(served.serve_connection(TokioIo::new(stream), answers));
            }
        });
    });
    (address, reached)
}

async fn answer(request: Request<Incoming>, noted: Reached) -> hyper::Result<Response<Full<Bytes>>> {
    let name = request.headers()["x-call"].to_str().unwrap().to_owned();
    let body = request.into_body().collect().await?.to_bytes();
    assert!(body.iter().all(|byte| *byte == b'b'), "a body of another call");
    *noted.lock().unwrap().entry(name.clone()).or_insert(0) += 1;
    Ok(Response::new(Full::from(name)))
}

/// A node in front of a service; `answer_ms` is how long it waits for an answer.
pub(super) fn node((service, protocol): (SocketAddr, UpstreamProtocol), answer_ms: u32) -> Node {
    let limits = "[gateway.limits]\nhead_ms = 3000\nbody_idle_ms = 3000";
    Node::start(service, limits, |spec| {
        spec.retries.on = vec![RetryOn::ConnectFailure, RetryOn::Reset];
        spec.protocol = protocol;
        spec.timeouts.answer_ms = answer_ms;
        spec.timeouts.idle_ms = 3_000;
    })
}

/// What became of calls, as their clients saw it.
#[derive(Default)]
pub(super) struct Seen {
    sent: AtomicU64,
    answered: AtomicU64,
    refused: AtomicU64,
    broken: AtomicU64,
}

/// Calls one after the other, on connections that are kept as long as they work.
fn call((address, seed): (SocketAddr, u64), client: u64, patience: Duration, seen: &Seen) {
    let mut chance = Chance::new(seed * 1000 + client);
    let mut connection: Option<(TcpStream, Vec<u8>)> = None;
    for number in 0..CALLS_EACH {
        let method = ["GET", "POST", "PUT"][usize::try_from(chance.below(3)).unwrap()];
        let name = format!("{method}-{seed}-{client}-{number}");
        let body = match method {
            "GET" => String::new(),
            _ => "b".repeat(usize::try_from(chance.below(2000)).unwrap()),
        };
        let text = format!(
            "{method} /x HTTP/1.1\r\nHost: g\r\nX-Call: {name}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        seen.sent.fetch_add(1, Ordering::Relaxed);
        let kept = connection.take().or_else(|| {
            let stream = TcpStream::connect(address).ok()?;
            stream.set_read_timeout(Some(patience)).unwrap();
            Some((stream, Vec::new()))
        });
        let Some((mut stream, mut bytes)) = kept else {
            seen.broken.fetch_add(1, Ordering::Relaxed);
            continue;
        };
        assert!(bytes.is_empty(), "more than one answer");
        let answer = match stream.write_all(text.as_bytes()) {
            Ok(()) => message(&mut stream, &mut bytes),
            Err(_) => None,
        };
        let Some((head, body)) = answer else {
            seen.broken.fetch_add(1, Ordering::Relaxed);
            continue;
        };
        if head.starts_with("HTTP/1.1 200 ") {
            assert_eq!(String::from_utf8_lossy(&body), name, "the answer of another call");
            seen.answered.fetch_add(1, Ordering::Relaxed);
        } else {
            assert!(
                head.starts_with("HTTP/1.1 5") || head.starts_with("HTTP/1.1 408 "),
                "{head}"
            );
            seen.refused.fetch_add(1, Ordering::Relaxed);
        }
        let closes = field(&head, "connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        if !closes {
            connection = Some((stream, bytes));
        }
    }
}

impl Seen {
    /// What some clients see that call an address at the same time; what they say follows from the seed.
    pub(super) fn of((address, seed): (SocketAddr, u64), patience: Duration) -> Self {
        let seen = Self::default();
        thread::scope(|scope| {
            for client in 0..CLIENTS {
                let seen = &seen;
                scope.spawn(move || call((address, seed), client, patience, seen));
            }
        });
        seen
    }
}

/// Fails unless each call was answered or broken, reached the service no more often than it may, and was counted once.
pub(super) fn check(node: &Node, reached: &Reached, seen: &Seen) {
    let [sent, answered, refused, broken] =
        [&seen.sent, &seen.answered, &seen.refused, &seen.broken].map(|count| count.load(Ordering::Relaxed));
    assert_eq!(sent, CLIENTS * CALLS_EACH);
    assert_eq!(
        answered + refused + broken,
        sent,
        "each call has an answer or an error"
    );
    assert!(
        answered > sent / 4 && broken > 0,
        "{answered} of {sent}, {broken} broken: the faults are there"
    );
    waited("the end of all calls", || {
        (node.figure("requests_in_flight") <= 1).then_some(())
    });
    let reached = reached.lock().unwrap();
    for (name, count) in &*reached {
        let most = if name.starts_with("POST") { 1 } else { 3 };
        assert!(*count <= most, "{name} reached the service {count} times");
    }
    let served = u64::try_from(reached.len()).unwrap();
    assert!(served >= answered, "{answered} answers to {served} calls");
    drop(reached);
    // The pages of figures are no calls: they have no route and no record.
    waited("the records", || {
        let (records, lost) = (node.figure("log_events_total"), node.figure("records_lost_total"));
        assert_eq!(lost, 0);
        (records >= served).then_some(())
    });
    let records = node.figure("log_events_total");
    assert!(records <= sent, "{records} records of {sent} calls");
    assert!(records >= answered, "{records} records of {answered} answers");
}
