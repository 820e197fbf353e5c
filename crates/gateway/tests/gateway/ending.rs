//! How a node stops.

use std::sync::mpsc;
use std::time::Duration;

use crate::bench::{Bench, PATIENCE, Upstream, eventually, reply};

#[test]
fn draining_finishes_what_is_under_way_and_takes_nothing_new() {
    let (release, wait) = mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let upstream = Upstream::start(move |_, stream| {
        wait.lock().unwrap().recv().unwrap();
        reply(stream, "200 OK", "", "late")
    });
    let mut bench = Bench::new(&upstream.urls());
    let address = bench.address();
    let idle = bench.connect();
    let mut busy = bench.connect();
    busy.send(
        format!(
            "GET /shop/pets HTTP/1.1\r\nHost: g\r\nX-API-Key: {}\r\n\r\n",
            bench.key
        )
        .as_bytes(),
    );
    eventually(|| !upstream.received().is_empty());
    let gateway = bench.gateway.take().unwrap();
    let draining = std::thread::spawn(move || gateway.drain(PATIENCE));
    eventually(|| std::net::TcpStream::connect(address).is_err());
    drop(idle);
    release.send(()).unwrap();
    let answer = busy.answer();
    assert_eq!(
        (answer.text(), answer.field("connection")),
        ("late", Some("close"))
    );
    assert!(draining.join().unwrap(), "everything ended");
    assert_eq!(bench.record().status, 200);
}

#[test]
fn draining_ends_idle_connections_soon() {
    let upstream = Upstream::simple();
    let mut bench = Bench::new(&upstream.urls());
    let mut fresh = bench.connect();
    let mut used = bench.connect();
    used.send(
        format!(
            "GET /shop/pets HTTP/1.1\r\nHost: g\r\nX-API-Key: {}\r\n\r\n",
            bench.key
        )
        .as_bytes(),
    );
    assert_eq!(used.answer().status, 200);
    assert!(bench.gateway.take().unwrap().drain(PATIENCE));
    assert_eq!((fresh.rest(), used.rest()), (Vec::new(), Vec::new()));
}

#[test]
fn draining_gives_up_at_its_limit() {
    let upstream = Upstream::start(|_, stream| {
        use std::io::Read;
        let _ = stream.read(&mut [0; 1]);
        false
    });
    let mut bench = Bench::new(&upstream.urls());
    let mut client = bench.connect();
    client.send(
        format!(
            "GET /shop/pets HTTP/1.1\r\nHost: g\r\nX-API-Key: {}\r\n\r\n",
            bench.key
        )
        .as_bytes(),
    );
    eventually(|| !upstream.received().is_empty());
    assert!(!bench.gateway.take().unwrap().drain(Duration::from_millis(50)));
}

#[test]
fn two_nodes_do_not_share_an_address_by_accident() {
    let upstream = Upstream::simple();
    let bench = Bench::new(&upstream.urls());
    let second = Bench::try_with(&upstream.urls(), |settings, _| settings.listen = bench.address());
    assert!(matches!(second, Err(gateway::Error::Listen { address, .. }) if address == bench.address()));
}
