//! Calls of gRPC: what their failures and deadlines mean to the gateway.

use std::io::Read as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use bytes::Bytes;
use domain::traffic::{
    Algorithm, CircuitBreaker, Concurrency, OutlierDetection, UpstreamProtocol, UpstreamSpec,
};
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};

use crate::bench::{Answer, Bench, Upstream, eventually, reply};

const KIND: &str = "Content-Type: application/grpc\r\n";

fn bench(urls: &[String], change: impl FnOnce(&mut UpstreamSpec)) -> Bench {
    Bench::with(urls, |settings, snapshot| {
        settings.cores = 1;
        let spec = &mut snapshot.upstreams[0].spec;
        spec.balancing.algorithm = Algorithm::RoundRobin;
        spec.retries.backoff_ms = 1;
        change(spec);
    })
}

/// A service whose calls end at once, with statuses in their turn and the last one ever after.
fn ending(statuses: Vec<u16>) -> Upstream {
    let count = AtomicUsize::new(0);
    Upstream::start(move |_, stream| {
        let place = count.fetch_add(1, Ordering::SeqCst).min(statuses.len() - 1);
        let head = format!("{KIND}Grpc-Status: {}\r\n", statuses[place]);
        reply(stream, "200 OK", &head, "")
    })
}

/// A service that never answers.
fn silent() -> Upstream {
    Upstream::start(|_, stream| {
        let _ = stream.read(&mut [0; 1]);
        false
    })
}

fn call(bench: &Bench, head: &str) -> Answer {
    bench.call("POST", "/shop/pets", &format!("{KIND}{head}"), "")
}

/// Status of HTTP, and of gRPC.
fn ended(answer: &Answer) -> (u16, Option<&str>) {
    (answer.status, answer.field("grpc-status"))
}

fn breaker() -> Option<CircuitBreaker> {
    Some(CircuitBreaker {
        failure_percent: 0,
        consecutive_failures: 2,
        ..CircuitBreaker::default()
    })
}

#[test]
fn calls_that_fail_open_a_circuit() {
    for (status, is_failure) in [(14, true), (13, true), (4, true), (8, false), (12, false)] {
        let upstream = ending(vec![status]);
        let bench = bench(&upstream.urls(), |spec| spec.circuit_breaker = breaker());
        let status = status.to_string();
        for _ in 0..2 {
            assert_eq!(ended(&call(&bench, "")), (200, Some(&*status)));
        }
        assert_eq!(bench.figure("circuits_open"), u64::from(is_failure), "{status}");
        let last = if is_failure { "14" } else { &*status };
        assert_eq!(ended(&call(&bench, "")), (200, Some(last)));
        assert_eq!(
            upstream.received().len(),
            if is_failure { 2 } else { 3 },
            "{status}"
        );
    }
}

#[test]
fn to_other_calls_the_field_says_nothing() {
    let upstream = ending(vec![14]);
    let bench = bench(&upstream.urls(), |spec| spec.circuit_breaker = breaker());
    for _ in 0..3 {
        assert_eq!(bench.call("POST", "/shop/pets", "", "").status, 200);
    }
    assert_eq!(bench.figure("circuits_open"), 0);
}

#[test]
fn a_target_whose_calls_fail_is_left_out() {
    let (failing, well) = (ending(vec![14]), ending(vec![0]));
    let bench = bench(&[failing.url(), well.url()], |spec| {
        spec.outlier_detection = Some(OutlierDetection {
            consecutive_failures: 2,
            ejection_ms: 60_000,
            ..OutlierDetection::default()
        });
    });
    for _ in 0..8 {
        call(&bench, "");
    }
    assert_eq!((failing.received().len(), well.received().len()), (2, 6));
    assert_eq!(bench.figure("targets_ejected"), 1);
}

#[test]
fn a_call_that_may_be_repeated_is_sent_again() {
    let upstream = ending(vec![14, 14, 0]);
    let bench = bench(&upstream.urls(), |spec| {
        spec.retries.statuses = vec![503];
        spec.retries.idempotency_key = true;
    });
    assert_eq!(ended(&call(&bench, "Idempotency-Key: 7\r\n")), (200, Some("0")));
    assert_eq!(upstream.received().len(), 3);
}

#[test]
fn a_deadline_ends_a_call_and_is_nobodys_fault() {
    let upstream = silent();
    let bench = bench(&upstream.urls(), |spec| {
        spec.circuit_breaker = Some(CircuitBreaker {
            consecutive_failures: 1,
            ..CircuitBreaker::default()
        });
        spec.outlier_detection = Some(OutlierDetection {
            consecutive_failures: 1,
            ejected_max_percent: 100,
            ..OutlierDetection::default()
        });
    });
    for _ in 0..2 {
        let answer = call(&bench, "Grpc-Timeout: 100m\r\n");
        assert_eq!(ended(&answer), (200, Some("4")));
        let record = bench.record();
        assert_eq!(
            (record.status, record.refusal),
            (504, Some(domain::Code::UpstreamTimeout))
        );
    }
    eventually(|| upstream.open() == 0);
    assert_eq!(upstream.received().len(), 2);
    // Over before it began.
    assert_eq!(ended(&call(&bench, "Grpc-Timeout: 1n\r\n")), (200, Some("4")));
    assert_eq!(upstream.received().len(), 2);
    assert_eq!(
        (bench.figure("circuits_open"), bench.figure("targets_ejected")),
        (0, 0)
    );
}

#[test]
fn what_a_service_says_of_its_clients_deadline_is_nobodys_fault_either() {
    let upstream = ending(vec![4]);
    let bench = bench(&upstream.urls(), |spec| spec.circuit_breaker = breaker());
    for _ in 0..3 {
        assert_eq!(ended(&call(&bench, "Grpc-Timeout: 1H\r\n")), (200, Some("4")));
    }
    assert_eq!(bench.figure("circuits_open"), 0);
}

#[test]
fn the_time_for_all_tries_holds_if_it_is_shorter() {
    let upstream = silent();
    let bench = bench(&upstream.urls(), |spec| {
        spec.timeouts.total_ms = 100;
        spec.circuit_breaker = breaker();
    });
    for _ in 0..2 {
        assert_eq!(ended(&call(&bench, "Grpc-Timeout: 1H\r\n")), (200, Some("4")));
    }
    assert_eq!(
        bench.figure("circuits_open"),
        1,
        "the upstream's own time is its own fault"
    );
}

#[test]
fn a_service_is_told_how_much_time_is_left() {
    let (release, wait) = mpsc::channel::<()>();
    let wait = Arc::new(Mutex::new(wait));
    let upstream = Upstream::start(move |_, stream| {
        let _ = wait.lock().unwrap().recv();
        reply(stream, "200 OK", &format!("{KIND}Grpc-Status: 0\r\n"), "")
    });
    let bench = bench(&upstream.urls(), |spec| {
        spec.concurrency = Concurrency {
            calls_max: 1,
            waiting_max: 1,
            wait_ms: 20_000,
            ..Concurrency::default()
        };
    });
    let begin = || {
        let mut client = bench.connect();
        let key = &bench.key;
        let head =
            format!("POST /shop/pets HTTP/1.1\r\nHost: g\r\nX-API-Key: {key}\r\nContent-Length: 0\r\n");
        client.send(format!("{head}{KIND}Grpc-Timeout: 1H\r\n\r\n").as_bytes());
        client
    };
    let mut first = begin();
    eventually(|| upstream.received().len() == 1);
    let mut second = begin();
    eventually(|| {
        bench
            .get("/health/upstreams")
            .text()
            .contains("\"calls_waiting\":1")
    });
    std::thread::sleep(Duration::from_millis(10));
    (0..2).for_each(|_| release.send(()).unwrap());
    for client in [&mut first, &mut second] {
        assert_eq!(client.answer().status, 200);
    }
    let fields = upstream.last().fields;
    let left = fields.get("grpc-timeout").unwrap().strip_suffix('m').unwrap();
    let left: u32 = left.parse().unwrap();
    assert!(left < 3_600_000, "{left}");
}

#[tokio::test(flavor = "multi_thread")]
async fn deadlines_hold_over_http2() {
    deadline_holds(Duration::MAX).await;
}

/// A service is told the time as well, and the gateway looks at its clock now and then.
#[tokio::test(flavor = "multi_thread")]
async fn a_service_may_break_off_when_the_time_is_over() {
    deadline_holds(Duration::from_millis(100)).await;
}

/// Calls a service that has no answer, and breaks off after a while.
async fn deadline_holds(breaks_off: Duration) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = hyper::service::service_fn(move |_: Request<Incoming>| async move {
                tokio::time::sleep(breaks_off).await;
                Err::<Response<Full<Bytes>>, _>("the stream is reset")
            });
            let served = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            tokio::spawn(served.serve_connection(TokioIo::new(stream), service));
        }
    });
    let bench = bench(&[url], |spec| {
        spec.protocol = UpstreamProtocol::Http2;
        spec.circuit_breaker = breaker();
        spec.retries.idempotency_key = true;
    });
    let stream = TcpStream::connect(bench.address()).await.unwrap();
    let (mut sender, driver) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(driver);
    for _ in 0..3 {
        let request = Request::builder()
            .method("POST")
            .uri("http://gateway.test/shop/pets")
            .header("x-api-key", &bench.key)
            .header("content-type", "application/grpc+proto")
            .header("te", "trailers")
            .header("idempotency-key", "7")
            .header("grpc-timeout", "100m")
            .body(Full::<Bytes>::from(&b"\0\0\0\0\0"[..]))
            .unwrap();
        let answer = sender.send_request(request).await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["grpc-status"], "4");
    }
    let figure = |name| tokio::task::block_in_place(|| bench.figure(name));
    assert_eq!(
        (figure("circuits_open"), figure("upstream_retries_total")),
        (0, 0)
    );
}
