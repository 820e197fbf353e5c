//! Upstreams that are down, odd or gone.

use std::io::Write;
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use domain::Code;

use crate::bench::{Bench, Upstream, eventually, reply};

#[test]
fn one_that_is_down_is_unreachable() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let bench = Bench::new(&[format!("http://{address}")]);
    assert_eq!(bench.get("/shop/pets").problem(), "502 upstream_unreachable");
    let record = bench.record();
    assert_eq!(
        (record.refusal, record.counted),
        (Some(Code::UpstreamUnreachable), true)
    );
    assert_eq!(bench.figure("upstream_errors_total"), 1);
}

#[test]
fn another_target_takes_over() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let upstream = Upstream::simple();
    let bench = Bench::new(&[format!("http://{address}"), upstream.url()]);
    for _ in 0..6 {
        assert_eq!(bench.call("POST", "/shop/pets", "", "abc").status, 200);
    }
}

#[test]
fn garbage_is_told_apart_from_silence() {
    let table = [
        "garbage\r\n\r\n",
        "HTTP/1.1 abc\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nBad Name: 1\r\n\r\n",
        "",
    ];
    for text in table {
        let upstream = Upstream::start(move |_, stream| {
            let _ = stream.write_all(text.as_bytes());
            false
        });
        let bench = Bench::new(&upstream.urls());
        assert_eq!(
            bench.get("/shop/pets").problem(),
            "502 upstream_invalid",
            "{text:?}"
        );
        eventually(|| bench.figure("upstream_connections_open") == 0);
    }
}

#[test]
fn a_cut_answer_is_not_passed_off_as_whole() {
    for head in ["Content-Length: 100\r\n", "Transfer-Encoding: chunked\r\n"] {
        let upstream = Upstream::start(move |_, stream| {
            let _ = stream.write_all(format!("HTTP/1.1 200 OK\r\n{head}\r\n5\r\nhello\r\n").as_bytes());
            false
        });
        let bench = Bench::new(&upstream.urls());
        let answer = bench.get("/shop/pets");
        assert_eq!((answer.status, answer.is_whole), (200, false), "{head}");
        eventually(|| bench.figure("upstream_connections_open") == 0);
        assert_eq!(bench.figure("upstream_errors_total"), 1);
    }
}

#[test]
fn a_connection_that_died_while_idle_costs_nobody_a_call() {
    // Each connection takes one request, then is closed a little later without a word.
    let upstream = Upstream::start(|_, stream| {
        let _ = reply(stream, "200 OK", "", "ok");
        false
    });
    let bench = Bench::with(&upstream.urls(), |settings, _| settings.cores = 1);
    for (method, body) in [("GET", ""), ("POST", "abc"), ("GET", ""), ("PUT", "abc")] {
        let path = if method == "PUT" {
            "/shop/pets/1"
        } else {
            "/shop/pets"
        };
        assert_eq!(bench.call(method, path, "", body).status, 200);
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_request_that_may_have_taken_effect_is_not_sent_twice() {
    // The second request of a connection is read and not answered.
    let upstream = Upstream::start(|received, stream| {
        let is_first = received.body.is_empty();
        is_first && reply(stream, "200 OK", "", "ok")
    });
    let bench = Bench::with(&upstream.urls(), |settings, _| settings.cores = 1);
    assert_eq!(bench.get("/shop/pets").status, 200);
    assert_eq!(
        bench.call("POST", "/shop/pets", "", "pay").problem(),
        "502 upstream_invalid"
    );
    assert_eq!(
        upstream
            .received()
            .iter()
            .filter(|received| received.body == b"pay")
            .count(),
        1
    );
}

#[test]
fn a_read_only_request_is_sent_again_when_the_idle_connection_dies_under_it() {
    let count = AtomicUsize::new(0);
    let upstream = Upstream::start(move |_, stream| {
        // Of the first connection the second request is read, and then it is closed.
        count.fetch_add(1, Ordering::SeqCst) != 1 && reply(stream, "200 OK", "", "ok")
    });
    let bench = Bench::with(&upstream.urls(), |settings, _| settings.cores = 1);
    assert_eq!(bench.get("/shop/pets").status, 200);
    // Long enough to count as idle.
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(bench.get("/shop/pets").status, 200);
    assert_eq!(
        (upstream.received().len(), bench.figure("upstream_retries_total")),
        (3, 1)
    );
}

#[test]
fn an_answer_that_is_refused_is_no_reason_to_ask_again() {
    let count = AtomicUsize::new(0);
    let upstream = Upstream::start(move |_, stream| {
        if count.fetch_add(1, Ordering::SeqCst) == 0 {
            return reply(stream, "200 OK", "", "ok");
        }
        let both =
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\nX-Secret: s\r\n\r\n";
        stream.write_all(both.as_bytes()).is_ok()
    });
    let bench = Bench::with(&upstream.urls(), |settings, _| settings.cores = 1);
    assert_eq!(bench.get("/shop/pets").status, 200);
    assert_eq!(bench.get("/shop/pets").problem(), "502 upstream_invalid");
    assert_eq!(
        (upstream.received().len(), bench.figure("upstream_retries_total")),
        (2, 0)
    );
}

#[test]
fn an_early_answer_is_passed_on_and_its_connection_not_used_again() {
    let upstream = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = upstream.local_addr().unwrap();
    let serving = std::thread::spawn(move || {
        for _ in 0..2 {
            use std::io::Read;
            let (mut stream, _) = upstream.accept().unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.1 422 No\r\nContent-Length: 2\r\n\r\nno");
            // Reads on until the gateway closes.
            while stream.read(&mut [0; 4096]).is_ok_and(|length| length > 0) {}
        }
    });
    let bench = Bench::with(&[format!("http://{address}")], |settings, _| settings.cores = 1);
    for _ in 0..2 {
        let mut client = bench.connect();
        let key = &bench.key;
        client.send(
            format!(
                "POST /shop/pets HTTP/1.1\r\nHost: g\r\nX-API-Key: {key}\r\nContent-Length: 1000\r\n\r\npart"
            )
            .as_bytes(),
        );
        let answer = client.answer();
        assert_eq!((answer.status, answer.text()), (422, "no"));
    }
    serving.join().unwrap();
}
