//! Targets that are checked, and targets that are left out.

use std::convert::Infallible;
use std::io::Write as _;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};

use bytes::Bytes;
use domain::traffic::{Algorithm, HealthCheck, HealthCheckKind, OutlierDetection, UpstreamSpec};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};

use crate::bench::{Bench, Upstream, eventually, reply};

fn bench(urls: &[String], change: impl FnOnce(&mut UpstreamSpec)) -> Bench {
    Bench::with(urls, |settings, snapshot| {
        settings.cores = 1;
        let spec = &mut snapshot.upstreams[0].spec;
        spec.balancing.algorithm = Algorithm::RoundRobin;
        change(spec);
    })
}

/// A check every 100 ms that is believed at once.
fn check() -> HealthCheck {
    HealthCheck {
        interval_ms: 100,
        healthy_threshold: 1,
        unhealthy_threshold: 1,
        ..HealthCheck::default()
    }
}

/// A service whose answer to `/up` is the status that was stored last, with the body `body`.
fn service(body: &'static str) -> (Upstream, Arc<AtomicU16>) {
    let status = Arc::new(AtomicU16::new(200));
    let shown = Arc::clone(&status);
    let upstream = Upstream::start(move |received, stream| {
        if received.line.starts_with("GET /up ") {
            let status = shown.load(Ordering::SeqCst);
            return reply(stream, &format!("{status} X"), "", body);
        }
        reply(stream, "200 OK", "", "hello")
    });
    (upstream, status)
}

fn calls(upstream: &Upstream) -> usize {
    let received = upstream.received();
    received
        .iter()
        .filter(|received| received.line.contains("/base/pets"))
        .count()
}

#[test]
fn a_target_whose_check_fails_gets_no_calls_until_it_succeeds() {
    let ((one, status), (other, _)) = (service("fine"), service("fine"));
    let bench = bench(&[one.url(), other.url()], |spec| {
        spec.health_check = Some(HealthCheck {
            path: "/up".to_owned(),
            statuses: vec![200],
            body_contains: Some("fine".to_owned()),
            ..check()
        });
    });
    eventually(|| one.received().len() > 1);
    assert_eq!(bench.figure("targets_healthy"), 2);
    assert_eq!(one.last().fields.get("user-agent"), Some("gateline-health"));
    status.store(204, Ordering::SeqCst);
    eventually(|| bench.figure("targets_healthy") == 1);
    let before = calls(&one);
    for _ in 0..4 {
        assert_eq!(bench.get("/shop/pets").status, 200);
    }
    assert_eq!((calls(&one), calls(&other)), (before, 4));
    let page = bench.get("/health/upstreams");
    let page: serde_json::Value = serde_json::from_str(page.text()).unwrap();
    assert_eq!(page["data"][0]["targets"][0]["checked"], "unhealthy");
    assert_eq!(page["data"][0]["targets"][1]["healthy"], true);
    status.store(200, Ordering::SeqCst);
    eventually(|| bench.figure("targets_healthy") == 2);
    for _ in 0..4 {
        assert_eq!(bench.get("/shop/pets").status, 200);
    }
    assert_eq!(calls(&one), before + 2);
}

#[test]
fn when_no_target_is_healthy_calls_are_refused_if_that_is_wanted() {
    let (one, status) = service("other");
    let bench = bench(&one.urls(), |spec| {
        spec.balancing.panic_percent = 0;
        spec.health_check = Some(HealthCheck {
            path: "/up".to_owned(),
            body_contains: Some("fine".to_owned()),
            ..check()
        });
    });
    eventually(|| bench.figure("targets_healthy") == 0);
    let refused = bench.get("/shop/pets");
    assert_eq!(refused.problem(), "503 upstream_none");
    assert_eq!(refused.field("retry-after"), Some("1"));
    bench.change(|snapshot| snapshot.upstreams[0].spec.balancing.panic_percent = 30);
    assert_eq!(bench.get("/shop/pets").status, 200, "in panic all are used");
    drop(status);
}

#[test]
fn connecting_is_a_check_as_well_and_may_go_to_another_port() {
    let upstream = Upstream::simple();
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let tcp = HealthCheck {
        kind: HealthCheckKind::Tcp,
        ..check()
    };
    let bench = bench(&upstream.urls(), |spec| spec.health_check = Some(tcp.clone()));
    eventually(|| upstream.connections() > 1);
    assert_eq!(bench.figure("targets_healthy"), 1);
    bench.change(|snapshot| {
        snapshot.upstreams[0].spec.health_check = Some(HealthCheck {
            port: Some(port),
            ..tcp
        });
    });
    eventually(|| bench.figure("targets_healthy") == 0);
}

#[test]
fn a_check_that_takes_too_long_has_failed() {
    let (release, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let upstream = Upstream::start(move |_, stream| {
        let _ = wait.lock().unwrap().recv();
        reply(stream, "200 OK", "", "late")
    });
    let bench = bench(&upstream.urls(), |spec| {
        spec.health_check = Some(HealthCheck {
            timeout_ms: 50,
            ..check()
        });
    });
    eventually(|| bench.figure("targets_healthy") == 0);
    drop(release);
}

/// A gRPC server that serves what it is told to, and its URL.
async fn grpc(is_serving: Arc<AtomicBool>) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let is_serving = Arc::clone(&is_serving);
            let service = hyper::service::service_fn(move |request: Request<Incoming>| {
                let is_serving = is_serving.load(Ordering::SeqCst);
                async move {
                    assert_eq!(request.uri().path(), "/grpc.health.v1.Health/Check");
                    let asked = request.into_body().collect().await.unwrap().to_bytes();
                    assert_eq!(&asked[..], b"\0\0\0\0\x06\x0a\x04shop");
                    let status = if is_serving { 1 } else { 2 };
                    let body = Full::new(Bytes::from(vec![0, 0, 0, 0, 2, 8, status]));
                    Ok::<_, Infallible>(Response::builder().header("grpc-status", "0").body(body).unwrap())
                }
            });
            let serving = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            tokio::spawn(serving.serve_connection(TokioIo::new(stream), service));
        }
    });
    url
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_grpc_service_says_how_it_is() {
    let is_serving = Arc::new(AtomicBool::new(true));
    let url = grpc(Arc::clone(&is_serving)).await;
    tokio::task::block_in_place(|| {
        let bench = bench(&[url], |spec| {
            spec.health_check = Some(HealthCheck {
                kind: HealthCheckKind::Grpc,
                grpc_service: "shop".to_owned(),
                ..check()
            });
        });
        let checked = || {
            bench
                .get("/health/upstreams")
                .text()
                .contains("\"checked\":\"healthy\"")
        };
        eventually(checked);
        is_serving.store(false, Ordering::SeqCst);
        eventually(|| bench.figure("targets_healthy") == 0);
        is_serving.store(true, Ordering::SeqCst);
        eventually(|| bench.figure("targets_healthy") == 1);
    });
}

/// A service whose every answer is 503.
fn failing() -> Upstream {
    Upstream::start(|_, stream| reply(stream, "503 Busy", "", "no"))
}

#[test]
fn a_target_that_fails_in_a_row_is_left_out_for_a_while() {
    let upstreams = [failing(), Upstream::simple()];
    let urls: Vec<_> = upstreams.iter().map(Upstream::url).collect();
    let bench = bench(&urls, |spec| {
        spec.outlier_detection = Some(OutlierDetection {
            consecutive_failures: 2,
            ejection_ms: 300,
            ejection_max_ms: 600,
            ..OutlierDetection::default()
        });
    });
    let statuses: Vec<_> = (0..8).map(|_| bench.get("/shop/pets").status).collect();
    assert_eq!(statuses, [503, 200, 503, 200, 200, 200, 200, 200]);
    assert_eq!(bench.figure("targets_ejected"), 1);
    eventually(|| bench.figure("targets_ejected") == 0);
    eventually(|| bench.get("/shop/pets").status == 503);
    let figures = bench.gateway.as_ref().unwrap().metrics();
    assert!(
        figures.contains("gateline_target_ejections_total{upstream="),
        "{figures}"
    );
}

#[test]
fn targets_that_send_garbage_or_cannot_be_reached_are_left_out_too() {
    let garbage = Upstream::start(|_, stream| {
        let _ = stream.write_all(b"garbage\r\n\r\n");
        false
    });
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for url in [garbage.url(), format!("http://{gone}")] {
        let fine = Upstream::simple();
        let bench = bench(&[url.clone(), fine.url()], |spec| {
            spec.outlier_detection = Some(OutlierDetection {
                consecutive_failures: 0,
                failure_percent: 100,
                calls_min: 1,
                window_ms: 1_000,
                ..OutlierDetection::default()
            });
        });
        let _ = bench.get("/shop/pets");
        assert_eq!(bench.figure("targets_ejected"), 1, "{url}");
        for _ in 0..4 {
            assert_eq!(bench.get("/shop/pets").status, 200);
        }
    }
}

#[test]
fn health_outlives_snapshots_and_only_a_share_may_be_left_out() {
    let upstreams = [failing(), failing(), failing()];
    let urls: Vec<_> = upstreams.iter().map(Upstream::url).collect();
    let bench = bench(&urls, |spec| {
        spec.outlier_detection = Some(OutlierDetection {
            consecutive_failures: 1,
            ejected_max_percent: 40,
            ..OutlierDetection::default()
        });
    });
    for _ in 0..6 {
        assert_eq!(bench.get("/shop/pets").status, 503);
    }
    assert_eq!(bench.figure("targets_ejected"), 1);
    bench.change(|snapshot| snapshot.upstreams[0].spec.timeouts.answer_ms += 1);
    assert_eq!(bench.figure("targets_ejected"), 1);
}
