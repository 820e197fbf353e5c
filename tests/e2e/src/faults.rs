//! Networks that fail between client, gateway and service: no call is answered twice, none is lost silently, and each
//! is counted once.
//!
//! A relay on either side cuts, resets, holds up and slows connections down at random places, drawn from a seed.
//! (What only the kernel can do, as losing packets, looks to a program like one of these.)

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use domain::traffic::RetryOn;

use crate::harness::node::{Node, field, message, waited};

const SEEDS: [u64; 3] = [1, 2, 3];
const CLIENTS: u64 = 8;
const CALLS_EACH: u64 = 40;
/// How long a client waits for an answer: longer than any delay.
const CLIENT_PATIENCE: Duration = Duration::from_secs(15);

/// Numbers that follow from a seed: Marsaglia's xorshift.
#[derive(Clone)]
struct Chance(u64);

impl Chance {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

/// What happens to one direction of a connection.
#[derive(Debug, Clone, Copy)]
enum Fault {
    None,
    /// After so many bytes both directions end, in order or by a reset.
    Cut {
        after: u64,
        resets: bool,
    },
    /// After so many bytes nothing passes for a while.
    Stall {
        after: u64,
    },
    /// Every piece takes its time, and is one byte long at first.
    Slow,
}

impl Fault {
    fn draw(chance: &mut Chance) -> Self {
        let after = chance.below(600);
        match chance.below(8) {
            0 => Self::Cut { after, resets: false },
            1 => Self::Cut { after, resets: true },
            2 => Self::Stall { after },
            3 => Self::Slow,
            _ => Self::None,
        }
    }
}

/// Relays connections to an address, with faults.
fn relay(to: SocketAddr, seed: u64) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let mut chance = Chance::new(seed);
        for near in listener.incoming().map_while(Result::ok) {
            let faults = [Fault::draw(&mut chance), Fault::draw(&mut chance)];
            let Ok(far) = TcpStream::connect(to) else {
                continue;
            };
            for (from, to, fault) in [(&near, &far, faults[0]), (&far, &near, faults[1])] {
                let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                thread::spawn(move || pass(from, to, fault));
            }
        }
    });
    address
}

/// Passes bytes on until one side ends or the fault comes.
fn pass(mut from: TcpStream, mut to: TcpStream, fault: Fault) {
    let (mut passed, mut bytes) = (0, [0; 4096]);
    let mut is_held = false;
    loop {
        let most = match fault {
            Fault::Slow if passed < 40 => 1,
            _ => bytes.len(),
        };
        let Ok(length @ 1..) = from.read(&mut bytes[..most]) else {
            let _ = to.shutdown(Shutdown::Write);
            return;
        };
        let mut piece = &bytes[..length];
        match fault {
            Fault::Cut { after, resets } if passed + length as u64 > after => {
                piece = &piece[..usize::try_from(after.saturating_sub(passed)).unwrap()];
                let _ = to.write_all(piece);
                if resets {
                    // Both ends get a reset as soon as these are closed.
                    for stream in [&from, &to] {
                        let _ = rustix::net::sockopt::set_socket_linger(stream, Some(Duration::ZERO));
                    }
                }
                let _ = from.shutdown(Shutdown::Both);
                let _ = to.shutdown(Shutdown::Both);
                return;
            }
            Fault::Stall { after } if passed + length as u64 > after && !is_held => {
                is_held = true;
                thread::sleep(Duration::from_millis(400));
            }
            Fault::Slow => thread::sleep(Duration::from_millis(2)),
            _ => {}
        }
        if to.write_all(piece).is_err() {
            let _ = from.shutdown(Shutdown::Both);
            return;
        }
        passed += length as u64;
    }
}

/// How often each call reached the service, whole.
type Reached = Arc<Mutex<HashMap<String, u32>>>;

/// A service that answers each call with its own name.
fn service() -> (SocketAddr, Reached) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, reached) = (listener.local_addr().unwrap(), Reached::default());
    let noted = Arc::clone(&reached);
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
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

/// What became of calls, as their clients saw it.
#[derive(Default)]
struct Seen {
    sent: AtomicU64,
    answered: AtomicU64,
    refused: AtomicU64,
    broken: AtomicU64,
}

/// Calls through the relay, on connections that are kept as long as they work.
fn call(address: SocketAddr, client: u64, seed: u64, seen: &Seen) {
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
        let (mut stream, mut bytes) = connection.take().unwrap_or_else(|| {
            let stream = TcpStream::connect(address).unwrap();
            stream.set_read_timeout(Some(CLIENT_PATIENCE)).unwrap();
            (stream, Vec::new())
        });
        assert!(bytes.is_empty(), "more than one answer");
        seen.sent.fetch_add(1, Ordering::Relaxed);
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

#[test]
fn every_call_has_one_answer_or_an_error_and_is_counted_once() {
    for seed in SEEDS {
        let (service, reached) = service();
        let node = Node::start(
            relay(service, seed),
            "[gateway.limits]\nhead_ms = 3000\nbody_idle_ms = 3000",
            |spec| {
                spec.retries.on = vec![RetryOn::ConnectFailure, RetryOn::Reset];
                spec.timeouts.answer_ms = 5_000;
                spec.timeouts.idle_ms = 3_000;
            },
        );
        let (front, seen) = (relay(node.address, seed + 100), Seen::default());
        thread::scope(|scope| {
            for client in 0..CLIENTS {
                let seen = &seen;
                scope.spawn(move || call(front, client, seed, seen));
            }
        });
        let [sent, answered, refused, broken] = [&seen.sent, &seen.answered, &seen.refused, &seen.broken]
            .map(|count| count.load(Ordering::Relaxed));
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
}
