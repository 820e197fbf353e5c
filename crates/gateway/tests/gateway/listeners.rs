//! Listeners that come and go while a node runs, and pass to the next process.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};

use gateway::Settings;
use gateway::settings::{Flagd, Listener, Protocols};

use crate::bench::{Bench, Client, PATIENCE, Upstream, eventually};

/// An address where nobody listens, of those that the system gives to nobody who does not ask for it: others of these
/// tests open connections meanwhile.
pub(crate) fn free() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let begin = 10_240 + u16::try_from(std::process::id() % 100).unwrap() * 200;
    loop {
        let port = begin + NEXT.fetch_add(1, Ordering::Relaxed) % 200;
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", port)) {
            return listener.local_addr().unwrap();
        }
    }
}

fn listener(address: SocketAddr, tls: bool) -> Listener {
    Listener {
        address,
        tls,
        protocols: Protocols::default(),
        proxy_protocol: None,
        flagd: None,
    }
}

fn text(bench: &Bench, end: &str) -> String {
    let key = &bench.key;
    format!("GET /shop/pets HTTP/1.1\r\nHost: g\r\nX-API-Key: {key}\r\n{end}\r\n")
}

fn status(bench: &Bench, address: SocketAddr) -> u16 {
    let mut client = Client::connect(address);
    client.send(text(bench, "Connection: close\r\n").as_bytes());
    client.answer().status
}

#[test]
fn listeners_open_and_close_and_the_others_are_not_touched() {
    let upstream = Upstream::simple();
    let (stays, goes, comes) = (free(), free(), free());
    let mut settings = None;
    let bench = Bench::with(&upstream.urls(), |set, _| {
        set.listen = stays;
        set.listeners = vec![listener(goes, false)];
        settings = Some(set.clone());
    });
    let settings: Settings = settings.unwrap();
    let gateway = bench.gateway.as_ref().unwrap();
    assert_eq!(gateway.listening(), [stays, goes]);
    let is_over = Arc::new(AtomicBool::new(false));
    let (over, line) = (Arc::clone(&is_over), text(&bench, "Connection: close\r\n"));
    let load = std::thread::spawn(move || {
        let mut calls = 0;
        while !over.load(Ordering::Relaxed) {
            let mut client = Client::connect(stays);
            client.send(line.as_bytes());
            assert_eq!(client.answer().status, 200);
            calls += 1;
        }
        calls
    });
    let mut kept = Client::connect(stays);
    kept.send(text(&bench, "").as_bytes());
    assert_eq!(kept.answer().status, 200);
    let mut lost = Client::connect(goes);
    lost.send(text(&bench, "").as_bytes());
    assert_eq!(lost.answer().status, 200);

    let mut newer = settings.clone();
    newer.listeners = vec![listener(comes, false), listener(stays, false)];
    newer.cores = 7;
    assert_eq!(settings.fixed_changes(&newer), ["cores"]);
    newer.listeners.truncate(1);
    let changed = gateway.change(&newer);
    assert_eq!(
        (changed.opened, changed.closed, changed.failed.len()),
        (vec![comes], vec![goes], 0)
    );
    eventually(|| TcpStream::connect(goes).is_err());
    assert_eq!(status(&bench, comes), 200);
    lost.send(text(&bench, "").as_bytes());
    let last = lost.answer();
    assert_eq!(
        (last.status, last.field("connection")),
        (200, Some("close")),
        "one last chance"
    );
    assert_eq!(lost.rest(), b"");
    kept.send(text(&bench, "").as_bytes());
    let answer = kept.answer();
    assert_eq!((answer.status, answer.field("connection")), (200, None));
    is_over.store(true, Ordering::Relaxed);
    assert!(load.join().unwrap() > 0);
}

#[test]
fn a_listener_that_cannot_be_opened_leaves_the_others() {
    let upstream = Upstream::simple();
    let stays = free();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut settings = None;
    let bench = Bench::with(&upstream.urls(), |set, _| {
        set.listen = stays;
        settings = Some(set.clone());
    });
    let mut newer: Settings = settings.unwrap();
    newer.listeners = vec![listener(taken.local_addr().unwrap(), false)];
    let changed = bench.gateway.as_ref().unwrap().change(&newer);
    assert!(matches!(
        changed.failed.as_slice(),
        [gateway::Error::Listen { .. }]
    ));
    assert_eq!(status(&bench, stays), 200);
}

#[test]
fn a_listener_whose_key_cannot_be_read_any_more_goes_on() {
    let upstream = Upstream::simple();
    let directory = tempfile::tempdir().unwrap();
    let (place, key_file) = (free(), directory.path().join("sdk.key"));
    std::fs::write(&key_file, "a key").unwrap();
    let mut settings = None;
    let bench = Bench::with(&upstream.urls(), |set, _| {
        set.flagd = Some(Flagd {
            listen: place,
            tls: false,
            key_file: Some(key_file.clone()),
        });
        settings = Some(set.clone());
    });
    let settings: Settings = settings.unwrap();
    let gateway = bench.gateway.as_ref().unwrap();
    let (listening, answered) = (gateway.listening(), status(&bench, place));
    std::fs::remove_file(&key_file).unwrap();
    let changed = gateway.change(&settings);
    assert!(matches!(
        changed.failed.as_slice(),
        [gateway::Error::FlagdKey { .. }]
    ));
    assert!(changed.opened.is_empty() && changed.closed.is_empty());
    assert_eq!(gateway.listening(), listening);
    assert_eq!(status(&bench, place), answered);
    // Nor is anything lost when it is there again, or when the place is not wanted any more.
    std::fs::write(&key_file, "another key").unwrap();
    assert!(gateway.change(&settings).failed.is_empty());
    assert_eq!(status(&bench, place), answered);
    let without = Settings {
        flagd: None,
        ..settings
    };
    assert_eq!(gateway.change(&without).closed, [place]);
}

#[test]
fn a_listener_can_turn_to_tls_and_speak_only_what_it_is_for() {
    let upstream = Upstream::simple();
    let (plain, turns) = (free(), free());
    let mut settings = None;
    let bench = Bench::with(&upstream.urls(), |set, _| {
        set.listen = plain;
        set.listeners = vec![listener(turns, false)];
        settings = Some(set.clone());
    });
    assert_eq!(status(&bench, turns), 200);
    let mut newer: Settings = settings.unwrap();
    newer.listeners = vec![Listener {
        protocols: Protocols::Http2,
        ..listener(turns, true)
    }];
    let changed = bench.gateway.as_ref().unwrap().change(&newer);
    assert_eq!(
        (changed.opened, changed.closed),
        (Vec::new(), Vec::new()),
        "the same socket"
    );
    eventually(|| crate::certificates::protocol(turns, &["h2", "http/1.1"]).as_deref() == Some("h2"));
    assert_eq!(crate::certificates::protocol(turns, &["http/1.1"]), None);
}

#[test]
fn the_next_process_listens_with_the_same_sockets() {
    let upstream = Upstream::simple();
    let address = free();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("handover.sock");
    assert!(
        !gateway::Inheritance::ask(&path).unwrap().is_some(),
        "nobody is there"
    );
    let mut first = Bench::with(&upstream.urls(), |set, _| set.listen = address);
    let before = Arc::new(first.gateway.take().unwrap());
    let mut handed_over = gateway::offer(&path, &before, || Ok(Vec::new())).unwrap();
    let is_over = Arc::new(AtomicBool::new(false));
    let (over, line) = (Arc::clone(&is_over), text(&first, "Connection: close\r\n"));
    let load = std::thread::spawn(move || {
        while !over.load(Ordering::Relaxed) {
            let mut client = Client::connect(address);
            client.send(line.as_bytes());
            assert_eq!(client.answer().status, 200);
        }
    });
    // One that gives up changes nothing.
    drop(gateway::Inheritance::ask(&path).unwrap());
    let mut inheritance = gateway::Inheritance::ask(&path).unwrap();
    assert!(inheritance.is_some());
    let second = Bench::after(&mut inheritance, &upstream.urls(), |set, _| set.listen = address);
    assert!(!*handed_over.borrow_and_update());
    inheritance.serving().unwrap();
    eventually(|| *handed_over.borrow_and_update());
    assert!(before.drain(PATIENCE));
    drop(before);
    for _ in 0..50 {
        assert_eq!(status(&second, address), 200);
    }
    is_over.store(true, Ordering::Relaxed);
    load.join().unwrap();
    assert!(second.figure("client_connections_total") > 0);
}
