//! Who goes away takes what was done for them along.

use std::io::{Read, Write};
use std::sync::mpsc;

use crate::bench::{Bench, Upstream, eventually};

#[test]
fn a_client_that_leaves_before_the_answer_frees_the_upstream() {
    let (gone, is_gone) = mpsc::channel();
    let upstream = Upstream::start(move |_, stream| {
        // Returns when the gateway closes the connection.
        gone.send(stream.read(&mut [0; 1]).is_ok_and(|length| length == 0))
            .unwrap();
        false
    });
    let bench = Bench::new(&upstream.urls());
    let mut client = bench.connect();
    client.send(
        format!(
            "GET /shop/pets HTTP/1.1\r\nHost: g\r\nX-API-Key: {}\r\n\r\n",
            bench.key
        )
        .as_bytes(),
    );
    eventually(|| !upstream.received().is_empty());
    client.close();
    assert!(is_gone.recv_timeout(crate::bench::PATIENCE).unwrap());
    let record = bench.record();
    assert_eq!((record.status, record.refusal, record.counted), (499, None, true));
    eventually(|| {
        bench.figure("upstream_connections_open") == 0 && bench.figure("client_connections_open") == 0
    });
    assert_eq!(bench.figure("requests_in_flight"), 0);
}

#[test]
fn a_client_that_leaves_within_the_answer_frees_the_upstream() {
    let upstream = Upstream::start(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n");
        while stream.write_all(&[b'x'; 10_000]).is_ok() {}
        false
    });
    let bench = Bench::new(&upstream.urls());
    let mut client = bench.connect();
    client.send(
        format!(
            "GET /shop/pets HTTP/1.1\r\nHost: g\r\nX-API-Key: {}\r\n\r\n",
            bench.key
        )
        .as_bytes(),
    );
    let mut piece = [0; 1000];
    client.stream.read_exact(&mut piece).unwrap();
    client.close();
    eventually(|| upstream.open() == 0);
    assert_eq!(bench.record().status, 200);
    eventually(|| {
        bench.figure("upstream_connections_open") == 0 && bench.figure("upstream_connections_idle") == 0
    });
}

#[test]
fn a_slow_reader_slows_the_upstream_down() {
    let (sent, bytes_sent) = mpsc::channel();
    let upstream = Upstream::start(move |_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 200000000\r\n\r\n");
        stream
            .set_write_timeout(Some(std::time::Duration::from_millis(500)))
            .unwrap();
        let mut bytes = 0;
        while let Ok(length) = stream.write(&[b'x'; 65_536]) {
            bytes += length;
        }
        sent.send(bytes).unwrap();
        false
    });
    let bench = Bench::new(&upstream.urls());
    let mut client = bench.connect();
    client.send(
        format!(
            "GET /shop/pets HTTP/1.1\r\nHost: g\r\nX-API-Key: {}\r\n\r\n",
            bench.key
        )
        .as_bytes(),
    );
    let bytes = bytes_sent.recv_timeout(crate::bench::PATIENCE).unwrap();
    assert!(
        bytes < 50_000_000,
        "{bytes} bytes were taken though nobody read them"
    );
}
