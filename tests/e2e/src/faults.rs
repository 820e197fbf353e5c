//! Networks that fail between client, gateway and service: no call is answered twice, none is lost silently, and each
//! is counted once.
//!
//! A relay on either side cuts, resets, holds up and slows connections down at random places, drawn from a seed; what only
//! the kernel can do is in [`packets`]. The calls and what is asked of them are the same ([`calls`]).

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use domain::traffic::UpstreamProtocol;

use self::calls::{Chance, Seen, check, service};
mod calls;
mod packets;

const SEEDS: [u64; 3] = [1, 2, 3];
/// How long a client waits for an answer: longer than any delay.
const CLIENT_PATIENCE: Duration = Duration::from_secs(15);

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

#[test]
fn every_call_has_one_answer_or_an_error_and_is_counted_once() {
    calls_are_safe(UpstreamProtocol::Http1);
}

/// There, a connection that fails takes many calls with it.
#[test]
fn so_it_is_with_a_service_that_speaks_http2() {
    calls_are_safe(UpstreamProtocol::Http2);
}

fn calls_are_safe(protocol: UpstreamProtocol) {
    for seed in SEEDS {
        let (service, reached) = service(protocol);
        let node = calls::node((relay(service, seed), protocol), 5_000);
        let front = relay(node.address, seed + 100);
        let seen = Seen::of((front, seed), CLIENT_PATIENCE);
        check(&node, &reached, &seen);
    }
}
