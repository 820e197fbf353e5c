//! HTTP/2 on either side.

use std::convert::Infallible;

use bytes::Bytes;
use domain::traffic::UpstreamProtocol;
use http::{Request, Response, Version};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};

use crate::bench::{Bench, Upstream};

async fn connect(bench: &Bench) -> http2::SendRequest<Full<Bytes>> {
    let stream = TcpStream::connect(bench.address()).await.unwrap();
    let (sender, driver) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(driver);
    sender
}

fn request(bench: &Bench, method: &str, path: &str, body: &'static str) -> Request<Full<Bytes>> {
    Request::builder()
        .method(method)
        .uri(format!("http://gateway.test{path}"))
        .header("x-api-key", &bench.key)
        .body(Full::from(body))
        .unwrap()
}

async fn text(response: Response<Incoming>) -> (u16, String) {
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn clients_may_speak_it_with_prior_knowledge() {
    let upstream = Upstream::start(|received, stream| {
        let body = String::from_utf8(received.body.clone()).unwrap();
        crate::bench::reply(stream, "200 OK", "Connection: close\r\n", &body);
        false
    });
    let bench = Bench::new(&upstream.urls());
    let mut sender = connect(&bench).await;
    let many: Vec<_> = (0..20)
        .map(|_| sender.send_request(request(&bench, "POST", "/shop/pets", "hello")))
        .collect();
    for answer in many {
        let answer = answer.await.unwrap();
        assert_eq!(answer.version(), Version::HTTP_2);
        assert_eq!(text(answer).await, (200, "hello".to_owned()));
    }
    let fields = upstream.last().fields;
    assert_eq!(fields.get("host"), Some(upstream.address.to_string().as_str()));
    assert_eq!(fields.get("x-forwarded-host"), Some("gateway.test"));
    assert_eq!(fields.get("via"), Some("2 gateline"));
    let refused = sender
        .send_request(request(&bench, "GET", "/nowhere", ""))
        .await
        .unwrap();
    assert_eq!(refused.status(), 404);
    let mut other = request(&bench, "GET", "/shop/pets", "");
    other.headers_mut().insert("host", "other.test".parse().unwrap());
    assert_eq!(sender.send_request(other).await.unwrap().status(), 400);
    let head = sender
        .send_request(request(&bench, "HEAD", "/shop/pets", ""))
        .await
        .unwrap();
    assert_eq!(text(head).await, (200, String::new()));
}

/// An upstream that speaks only HTTP/2 and answers with what it got, and a trailer.
pub(crate) async fn upstream() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = hyper::service::service_fn(|request: Request<Incoming>| async move {
                let (head, body) = request.into_parts();
                let authority = head.uri.authority().map(ToString::to_string);
                let text = format!(
                    "{} {:?} {}",
                    head.uri.path(),
                    authority,
                    body.collect().await?.to_bytes().len()
                );
                let trailers = [("grpc-status".parse().unwrap(), "0".parse().unwrap())]
                    .into_iter()
                    .collect();
                let frames =
                    [Frame::data(Bytes::from(text)), Frame::trailers(trailers)].map(Ok::<_, hyper::Error>);
                let body = http_body_util::StreamBody::new(Frames(frames.into_iter()));
                Ok::<_, hyper::Error>(Response::new(body))
            });
            let serving = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            tokio::spawn(serving.serve_connection(TokioIo::new(stream), service));
        }
    });
    url
}

struct Frames(std::array::IntoIter<Result<Frame<Bytes>, hyper::Error>, 2>);

impl futures_util::Stream for Frames {
    type Item = Result<Frame<Bytes>, hyper::Error>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        std::task::Poll::Ready(self.0.next())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn cookies_that_were_split_are_one_field_again() {
    let upstream = Upstream::simple();
    let bench = Bench::with(&upstream.urls(), |_, snapshot| {
        // Whoever looks for the second one finds it.
        let cookie = serde_json::json!({ "cookies": [{ "name": "b", "value": "2" }] });
        snapshot.routes[0].matches = serde_json::from_value(cookie).unwrap();
    });
    let mut sender = connect(&bench).await;
    for (parts, status) in [(&["a=1", "b=2; c=3", "d=4"][..], 200), (&["a=1", "c=2"], 404)] {
        let mut split = request(&bench, "GET", "/shop/pets", "");
        for part in parts {
            split.headers_mut().append("cookie", part.parse().unwrap());
        }
        assert_eq!(
            sender.send_request(split).await.unwrap().status(),
            status,
            "{parts:?}"
        );
    }
    assert_eq!(upstream.last().fields.get("cookie"), Some("a=1; b=2; c=3; d=4"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn upstreams_may_speak_it_and_trailers_pass() {
    let url = upstream().await;
    let authority = url.trim_start_matches("http://").to_owned();
    let bench = Bench::with(&[url], |settings, snapshot| {
        settings.cores = 1;
        snapshot.upstreams[0].spec.protocol = UpstreamProtocol::Http2;
    });
    let mut sender = connect(&bench).await;
    for _ in 0..3 {
        let answer = sender
            .send_request(request(&bench, "POST", "/shop/pets", "12345"))
            .await
            .unwrap();
        let collected = answer.into_body().collect().await.unwrap();
        assert_eq!(collected.trailers().unwrap()["grpc-status"], "0");
        assert_eq!(collected.to_bytes(), format!("/pets Some({authority:?}) 5"));
    }
    assert_eq!(bench.figure("upstream_connections_total"), 1);
    let old = tokio::task::block_in_place(|| bench.get("/shop/pets/1"));
    assert_eq!(old.text(), format!("/pets/1 Some({authority:?}) 0"));
}

/// An upstream that answers with what it was called.
async fn called() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = hyper::service::service_fn(|request: Request<Incoming>| async move {
                let authority = request.uri().authority().map(ToString::to_string);
                let text = format!("{authority:?} {:?}", request.headers().get("host"));
                Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(text)))
            });
            let serving = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            tokio::spawn(serving.serve_connection(TokioIo::new(stream), service));
        }
    });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn upstreams_hear_their_name_where_http2_says_it() {
    let url = called().await;
    let target = url.trim_start_matches("http://").to_owned();
    let bench = Bench::with(&[url], |_, snapshot| {
        snapshot.upstreams[0].spec.protocol = UpstreamProtocol::Http2;
    });
    let table = [
        (false, None, &*target),
        (true, None, "gateway.test"),
        (false, Some("inner.test:81"), "inner.test:81"),
        (true, Some("inner.test:81"), "inner.test:81"),
    ];
    for (preserve_host, host, expected) in table {
        let answer = tokio::task::block_in_place(|| {
            bench.change(|snapshot| {
                snapshot.upstreams[0].spec.preserve_host = preserve_host;
                let rewrite = host.map(|host| serde_json::json!({ "host": host }));
                snapshot.routes[0].rewrite = rewrite.map(|rewrite| serde_json::from_value(rewrite).unwrap());
            });
            bench.get("/shop/pets")
        });
        assert_eq!(answer.text(), format!("Some({expected:?}) None"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_connection_is_told_to_go_when_the_node_drains() {
    let upstream = Upstream::simple();
    let mut bench = Bench::new(&upstream.urls());
    let mut sender = connect(&bench).await;
    let answer = sender
        .send_request(request(&bench, "GET", "/shop/pets", ""))
        .await
        .unwrap();
    assert_eq!(text(answer).await.0, 200);
    let gateway = bench.gateway.take().unwrap();
    assert!(tokio::task::block_in_place(
        || gateway.drain(crate::bench::PATIENCE)
    ));
}

/// An upstream that never comes to an end, for as long as somebody reads it.
fn endless() -> Upstream {
    use std::io::Write;
    Upstream::start(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 20000000000\r\n\r\n");
        while stream.write_all(&[b'x'; 65_536]).is_ok() {}
        false
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_whose_client_opens_no_window_gives_its_upstream_back() {
    let upstream = endless();
    let bench = Bench::with(&upstream.urls(), |settings, _| settings.limits.body_idle_ms = 200);
    let mut sender = connect(&bench).await;
    let slow = sender
        .send_request(request(&bench, "GET", "/shop/pets", ""))
        .await
        .unwrap();
    assert_eq!(slow.status(), 200);
    crate::bench::eventually(|| upstream.open() == 1);
    crate::bench::eventually(|| upstream.open() == 0);
    assert_eq!(bench.record().status, 200);
    let quick = sender
        .send_request(request(&bench, "GET", "/nowhere", ""))
        .await
        .unwrap();
    assert_eq!(quick.status(), 404, "the others are unharmed");
    assert!(
        slow.into_body().collect().await.is_err(),
        "what was cut off is not whole"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_reads_nothing_at_all_is_cut_off() {
    use tokio::io::AsyncWriteExt as _;
    let upstream = endless();
    let bench = Bench::with(&upstream.urls(), |settings, _| settings.limits.body_idle_ms = 200);
    let stream = TcpStream::connect(bench.address()).await.unwrap();
    let (near, far) = tokio::io::duplex(1 << 16);
    let (mut from, mut to) = stream.into_split();
    let (mut read, mut write) = tokio::io::split(far);
    tokio::spawn(async move { tokio::io::copy(&mut read, &mut to).await });
    // Reads until the first part of the answer, and then nothing more.
    let reading = tokio::spawn(async move {
        let mut bytes = vec![0; 65_536];
        for _ in 0..2 {
            let length = tokio::io::AsyncReadExt::read(&mut from, &mut bytes)
                .await
                .unwrap();
            write.write_all(&bytes[..length]).await.unwrap();
        }
        from
    });
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .initial_stream_window_size(1 << 30)
        .initial_connection_window_size(1 << 30);
    let (mut sender, driver) = builder.handshake(TokioIo::new(near)).await.unwrap();
    tokio::spawn(driver);
    let asked = tokio::spawn(async move {
        let answer = sender
            .send_request(request(&bench, "GET", "/shop/pets", ""))
            .await;
        // Neither given back nor read: only the gateway can end this.
        std::future::pending::<()>().await;
        drop((answer, sender, bench));
    });
    let held = reading.await.unwrap();
    crate::bench::eventually(|| upstream.open() == 1);
    crate::bench::eventually(|| upstream.open() == 0);
    drop(held);
    asked.abort();
}

#[tokio::test]
async fn a_call_of_grpc_is_refused_in_its_own_words() {
    let upstream = Upstream::simple();
    let bench = Bench::new(&upstream.urls());
    let mut sender = connect(&bench).await;
    let mut ask = request(&bench, "POST", "/shop/pets", "");
    ask.headers_mut()
        .insert("content-type", "application/grpc+proto".parse().unwrap());
    ask.headers_mut().remove("x-api-key");
    let refused = sender.send_request(ask).await.unwrap();
    assert_eq!(refused.status(), 200);
    let headers = refused.headers();
    assert_eq!(headers["grpc-status"], "16");
    assert_eq!(headers["content-type"], "application/grpc+proto");
    assert!(
        headers["grpc-message"].to_str().unwrap().contains("key"),
        "{headers:?}"
    );
    assert!(headers.contains_key("x-request-id") && !headers.contains_key("content-length"));
    let record = bench.record();
    assert_eq!(
        (record.status, record.refusal),
        (401, Some(domain::Code::KeyMissing))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_of_a_body_behind_an_early_answer_is_no_request() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        // Answers before it has read the body, and keeps the request.
        let service = hyper::service::service_fn(|request: Request<Incoming>| async {
            std::mem::forget(request);
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::from("early")))
        });
        let served = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        let _ = served.serve_connection(TokioIo::new(stream), service).await;
    });
    let bench = Bench::with(&[url], |_, snapshot| {
        snapshot.upstreams[0].spec.protocol = UpstreamProtocol::Http2;
    });
    let mut client = bench.connect();
    let key = &bench.key;
    client.send(
        format!("POST /shop/pets HTTP/1.1\r\nHost: g\r\nX-API-Key: {key}\r\nContent-Length: 1000\r\n\r\n")
            .as_bytes(),
    );
    assert_eq!(client.answer().text(), "early");
    client.send(format!("GET /shop/pets HTTP/1.1\r\nHost: g\r\nX-API-Key: {key}\r\n\r\n").as_bytes());
    assert_eq!(client.rest(), b"");
}

/// A service of gRPC that sends back the message it gets, and how the call ended as trailers.
async fn grpc_service() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let service = hyper::service::service_fn(|request: Request<Incoming>| async {
                assert_eq!(request.headers()["content-type"], "application/grpc+proto");
                assert_eq!(request.headers()["te"], "trailers");
                let body = request.into_body().collect().await.unwrap().to_bytes();
                let mut trailers = http::HeaderMap::new();
                trailers.insert("grpc-status", "0".parse().unwrap());
                let frames = [
                    Ok::<_, Infallible>(Frame::data(body)),
                    Ok(Frame::trailers(trailers)),
                ];
                let body = http_body_util::StreamBody::new(futures_util::stream::iter(frames));
                let response = Response::builder().header("content-type", "application/grpc+proto");
                Ok::<_, Infallible>(response.body(body).unwrap())
            });
            let served = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            tokio::spawn(served.serve_connection(TokioIo::new(stream), service));
        }
    });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn browsers_call_a_service_of_grpc() {
    use base64::Engine as _;
    let url = grpc_service().await;
    let bench = Bench::with(&[url], |_, snapshot| {
        snapshot.upstreams[0].spec.protocol = UpstreamProtocol::Http2;
        let policy = crate::bench::policy("grpc_web", serde_json::json!({}));
        snapshot.routes[0].policies.push(policy);
    });
    let message = b"\0\0\0\0\x02hi";
    let end = b"\x80\0\0\0\x10grpc-status: 0\r\n";
    let base64 = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
    let text = base64(message) + &base64(end);
    for (kind, sent, expected) in [
        (
            "application/grpc-web+proto",
            message.to_vec(),
            [&message[..], end].concat(),
        ),
        (
            "application/grpc-web-text+proto",
            base64(message).into_bytes(),
            text.into_bytes(),
        ),
    ] {
        let mut client = bench.connect();
        let (key, length) = (&bench.key, sent.len());
        let head = format!(
            "POST /shop/pets HTTP/1.1\r\nHost: g\r\nX-API-Key: {key}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n"
        );
        client.send(&[head.as_bytes(), &sent].concat());
        let answer = client.answer();
        assert_eq!((answer.status, answer.field("content-type")), (200, Some(kind)));
        assert_eq!(answer.body, expected, "{kind}");
    }
    let broken = bench.call(
        "POST",
        "/shop/pets",
        "Content-Type: application/grpc-web-text+proto\r\n",
        "AA*A",
    );
    assert_eq!((broken.status, broken.field("grpc-status")), (200, Some("3")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_may_become_a_websocket() {
    use std::io::{Read, Write};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let upstream = Upstream::start(|received, stream| {
        if received.fields.get("upgrade").is_none() {
            return crate::bench::reply(stream, "200 OK", "", "");
        }
        let key = received.fields.get("sec-websocket-key").unwrap();
        let accept = if received.line.contains("liar") {
            "x".to_owned()
        } else {
            crate::bench::accept(key)
        };
        let head = format!(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
            Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: chat\r\n\r\nhello"
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut bytes = [0; 1000];
        while let Ok(length @ 1..) = stream.read(&mut bytes) {
            stream.write_all(&bytes[..length].to_ascii_uppercase()).unwrap();
        }
        false
    });
    let bench = Bench::new(&upstream.urls());
    let mut sender = connect(&bench).await;
    // By then, the gateway has said that it knows extended CONNECT.
    assert_eq!(
        sender
            .send_request(request(&bench, "GET", "/shop/pets", ""))
            .await
            .unwrap()
            .status(),
        200
    );
    bench.record();
    let ask = |path: &str| {
        let mut request = request(&bench, "CONNECT", path, "");
        request
            .extensions_mut()
            .insert(hyper::ext::Protocol::from_static("websocket"));
        request
            .headers_mut()
            .insert("sec-websocket-version", "13".parse().unwrap());
        request
    };
    let refused = sender.send_request(ask("/shop/pets/liar")).await.unwrap();
    assert_eq!(refused.status(), 502);
    bench.record();
    let mut response = sender.send_request(ask("/shop/pets")).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["sec-websocket-protocol"], "chat");
    assert!(!response.headers().contains_key("sec-websocket-accept"));
    let mut stream = TokioIo::new(hyper::upgrade::on(&mut response).await.unwrap());
    stream.write_all(b"and more").await.unwrap();
    let mut found = [0; 13];
    stream.read_exact(&mut found).await.unwrap();
    assert_eq!(&found, b"helloAND MORE");
    drop(stream);
    let record = bench.record();
    assert_eq!((record.status, record.bytes_in, record.bytes_out), (101, 8, 13));
}

#[tokio::test]
async fn targets_that_http1_cannot_say_are_refused() {
    let upstream = Upstream::simple();
    let bench = Bench::new(&upstream.urls());
    let mut sender = connect(&bench).await;
    for path in ["/shop/pets\u{29e}", "/shop/pets?name=\u{e9}"] {
        let answer = sender
            .send_request(request(&bench, "GET", path, ""))
            .await
            .unwrap();
        assert_eq!(answer.status(), 400, "{path}");
    }
    assert!(upstream.received().is_empty());
}
