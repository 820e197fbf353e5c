//! Streams of HTTP/2 with clients, frame by frame: what is said before an answer, and how streams end.

use std::future::poll_fn;
use std::io::{Read as _, Write as _};
use std::sync::mpsc;
use std::time::Duration;

use bytes::Bytes;
use domain::traffic::UpstreamProtocol;
use h2::client::{ResponseFuture, SendRequest};
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, HeaderValue, Request, Response};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::bench::{Bench, PATIENCE, Upstream, eventually, reply};
use crate::connecting;
use crate::streams::Echo;

/// A client, and the task of its connection.
async fn connect(bench: &Bench) -> (SendRequest<Bytes>, JoinHandle<()>) {
    let stream = TcpStream::connect(bench.address()).await.unwrap();
    let (sender, connection) = h2::client::handshake(stream).await.unwrap();
    let connection = tokio::spawn(async move {
        let _ = connection.await;
    });
    (sender.ready().await.unwrap(), connection)
}

fn request(bench: &Bench, method: &str, path: &str) -> Request<()> {
    Request::builder()
        .method(method)
        .uri(format!("http://gateway.test{path}"))
        .header("x-api-key", &bench.key)
        .body(())
        .unwrap()
}

/// A client's side of a stream.
struct Stream {
    answer: ResponseFuture,
    send: SendStream<Bytes>,
}

impl Stream {
    fn open(sender: &mut SendRequest<Bytes>, request: Request<()>, is_end: bool) -> Self {
        let (answer, send) = sender.send_request(request, is_end).unwrap();
        Self { answer, send }
    }

    fn say(&mut self, text: &'static str, is_end: bool) {
        self.send
            .send_data(Bytes::from_static(text.as_bytes()), is_end)
            .unwrap();
    }

    /// What comes before the answer; nothing once that is there.
    async fn interim(&mut self) -> Option<Response<()>> {
        let next = poll_fn(|context| self.answer.poll_informational(context));
        timeout(PATIENCE, next).await.unwrap().transpose().unwrap()
    }

    async fn answer(&mut self) -> Response<RecvStream> {
        timeout(PATIENCE, &mut self.answer).await.unwrap().unwrap()
    }

    /// Why the other side has reset it.
    async fn reset(&mut self) -> Reason {
        let reset = poll_fn(|context| self.send.poll_reset(context));
        timeout(PATIENCE, reset).await.unwrap().unwrap()
    }
}

/// The body to its end, and its trailers; or why it was broken off.
async fn read(body: &mut RecvStream) -> Result<(String, Option<HeaderMap>), Reason> {
    let reading = async {
        let mut text = Vec::new();
        while let Some(data) = body.data().await {
            let data = data.map_err(|error| error.reason().unwrap())?;
            body.flow_control().release_capacity(data.len()).unwrap();
            text.extend_from_slice(&data);
        }
        let trailers = body.trailers().await.map_err(|error| error.reason().unwrap())?;
        Ok((String::from_utf8(text).unwrap(), trailers))
    };
    timeout(PATIENCE, reading).await.unwrap()
}

async fn text(answer: Response<RecvStream>) -> String {
    read(&mut answer.into_body()).await.unwrap().0
}

#[tokio::test(flavor = "multi_thread")]
async fn interim_answers_come_before_the_answer_in_their_order() {
    let (heard, is_heard) = mpsc::channel();
    let is_heard = std::sync::Mutex::new(is_heard);
    let upstream = Upstream::start(move |_, stream| {
        let early = "HTTP/1.1 100 Continue\r\n\r\n\
             HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nLink: </b.js>\r\nConnection: x\r\nX: 1\r\n\
             Keep-Alive: 5\r\nTE: x\r\nUpgrade: h2c\r\nContent-Length: 5\r\n\r\n\
             HTTP/1.1 102 Processing\r\n\r\n\
             HTTP/1.1 103 Early Hints\r\nLink: </c.css>\r\n\r\n";
        stream.write_all(early.as_bytes()).unwrap();
        // The answer waits until they are there.
        is_heard.lock().unwrap().recv_timeout(PATIENCE).unwrap();
        reply(stream, "200 OK", "Link: </d.css>\r\n", "ok")
    });
    let bench = Bench::new(&upstream.urls());
    let (mut sender, _connection) = connect(&bench).await;
    let mut stream = Stream::open(&mut sender, request(&bench, "GET", "/shop/pets"), true);
    let hints = stream.interim().await.unwrap();
    assert_eq!(hints.status(), 103);
    let links: Vec<_> = hints.headers().get_all("link").iter().collect();
    assert_eq!(links, ["</a.css>", "</b.js>"]);
    assert_eq!(hints.headers().len(), 2, "{:?}", hints.headers());
    assert_eq!(stream.interim().await.unwrap().status(), 102);
    let more = stream.interim().await.unwrap();
    assert_eq!(
        (more.status(), &more.headers()["link"]),
        (103.try_into().unwrap(), &"</c.css>".parse().unwrap())
    );
    heard.send(()).unwrap();
    assert!(stream.interim().await.is_none());
    let answer = stream.answer().await;
    assert_eq!(
        (answer.status(), &answer.headers()["link"]),
        (200.try_into().unwrap(), &"</d.css>".parse().unwrap())
    );
    assert_eq!(text(answer).await, "ok");
}

#[tokio::test(flavor = "multi_thread")]
async fn interim_answers_are_bounded() {
    let upstream = Upstream::start(|_, stream| {
        let hint = format!("HTTP/1.1 103 Early Hints\r\nLink: {}\r\n\r\n", "x".repeat(15_000));
        stream.write_all(hint.repeat(10).as_bytes()).unwrap();
        reply(stream, "200 OK", "", "ok")
    });
    let bench = Bench::new(&upstream.urls());
    let (mut sender, _connection) = connect(&bench).await;
    let mut stream = Stream::open(&mut sender, request(&bench, "GET", "/shop/pets"), true);
    let mut count = 0;
    while stream.interim().await.is_some() {
        count += 1;
    }
    assert_eq!(count, 4, "64 KiB of them");
    assert_eq!(text(stream.answer().await).await, "ok");
}

/// An upstream that speaks only HTTP/2, and answers with the body and the trailers that it got; or breaks off.
pub(crate) async fn mirror() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut connection = h2::server::handshake(stream).await.unwrap();
                while let Some(Ok((request, mut respond))) = connection.accept().await {
                    tokio::spawn(async move {
                        let is_calm = request.uri().path().ends_with("calm");
                        let mut body = request.into_body();
                        if is_calm {
                            let mut send = respond.send_response(Response::new(()), false).unwrap();
                            send.send_data("begun".into(), false).unwrap();
                            let _ = body.data().await;
                            return send.send_reset(Reason::ENHANCE_YOUR_CALM);
                        }
                        let (text, trailers) = read(&mut body).await.unwrap();
                        let mut send = respond.send_response(Response::new(()), false).unwrap();
                        send.send_data(text.into(), trailers.is_none()).unwrap();
                        if let Some(trailers) = trailers {
                            send.send_trailers(trailers).unwrap();
                        }
                    });
                }
            });
        }
    });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_is_asked_for_the_body_when_it_is_wanted() {
    let http1 = Upstream::start(|received, stream| {
        assert_eq!(received.fields.get("expect"), None);
        let body = String::from_utf8(received.body.clone()).unwrap();
        reply(stream, "200 OK", "", &body)
    });
    for (url, protocol) in [
        (http1.url(), UpstreamProtocol::Http1),
        // Another task than the call's reads the body there.
        (mirror().await, UpstreamProtocol::Http2),
    ] {
        let bench = Bench::with(&[url], |_, snapshot| {
            snapshot.upstreams[0].spec.protocol = protocol;
        });
        let (mut sender, _connection) = connect(&bench).await;
        let ask = |path: &str, length: &str| {
            let mut request = request(&bench, "POST", path);
            request
                .headers_mut()
                .insert("expect", "100-Continue".parse().unwrap());
            request
                .headers_mut()
                .insert("content-length", length.parse().unwrap());
            request
        };
        let mut stream = Stream::open(&mut sender, ask("/shop/pets", "2"), false);
        assert_eq!(stream.interim().await.unwrap().status(), 100);
        stream.say("hi", true);
        assert!(stream.interim().await.is_none(), "it is asked once");
        assert_eq!(text(stream.answer().await).await, "hi");

        let mut keyless = ask("/shop/pets", "2");
        keyless.headers_mut().remove("x-api-key");
        for (refused, status) in [
            (keyless, 401),
            (ask("/nowhere", "2"), 404),
            (ask("/shop/pets", "2000000"), 413),
        ] {
            let mut stream = Stream::open(&mut sender, refused, false);
            assert!(stream.interim().await.is_none(), "{status}");
            let answer = stream.answer().await;
            assert_eq!(answer.status(), status);
            assert!(text(answer).await.contains("request_id"));
            assert_eq!(stream.reset().await, Reason::NO_ERROR, "{status}");
        }
        // Who does not wait is not asked.
        let mut stream = Stream::open(&mut sender, request(&bench, "POST", "/shop/pets"), false);
        stream.say("hi", true);
        assert!(stream.interim().await.is_none());
        assert_eq!(text(stream.answer().await).await, "hi");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_gives_up_frees_the_upstream() {
    let upstream = Upstream::start(|received, stream| {
        if received.line.contains("begins") {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegun");
        }
        // Returns when the gateway closes the connection.
        let _ = stream.read(&mut [0; 1]);
        false
    });
    let bench = Bench::new(&upstream.urls());
    let (mut sender, connection) = connect(&bench).await;
    let mut silent = Stream::open(&mut sender, request(&bench, "GET", "/shop/pets"), true);
    eventually(|| upstream.open() == 1);
    silent.send.send_reset(Reason::CANCEL);
    eventually(|| upstream.open() == 0);
    assert_eq!(bench.record().status, 499);

    let mut begun = Stream::open(&mut sender, request(&bench, "GET", "/shop/pets/begins"), true);
    let mut body = begun.answer().await.into_body();
    assert_eq!(body.data().await.unwrap().unwrap(), "begun");
    begun.send.send_reset(Reason::CANCEL);
    eventually(|| upstream.open() == 0);
    assert_eq!(bench.record().status, 200);

    let _silent = Stream::open(&mut sender, request(&bench, "GET", "/shop/pets"), true);
    eventually(|| upstream.open() == 1);
    connection.abort();
    eventually(|| upstream.open() == 0);
    assert_eq!(bench.record().status, 499);
    eventually(|| bench.figure("client_connections_open") == 0);
    assert_eq!(bench.figure("requests_in_flight"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_its_client_breaks_off_is_not_whole() {
    let upstream = Upstream::simple();
    let bench = Bench::new(&upstream.urls());
    let (mut sender, _connection) = connect(&bench).await;
    for reason in [Reason::CANCEL, Reason::NO_ERROR] {
        let mut stream = Stream::open(&mut sender, request(&bench, "POST", "/shop/pets"), false);
        stream.say("half", false);
        eventually(|| upstream.open() == 1);
        stream.send.send_reset(reason);
        eventually(|| upstream.open() == 0);
    }
    assert!(upstream.received().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_may_come_while_its_client_still_sends() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut bytes = [0; 1000];
        assert!(stream.read(&mut bytes).unwrap() > 0);
        assert!(reply(&mut stream, "200 OK", "Connection: close\r\n", "early"));
        while stream.read(&mut bytes).is_ok_and(|length| length > 0) {}
    });
    let bench = Bench::new(&[url]);
    let (mut sender, _connection) = connect(&bench).await;
    let mut stream = Stream::open(&mut sender, request(&bench, "POST", "/shop/pets"), false);
    stream.say("the first of many", false);
    let answer = stream.answer().await;
    assert_eq!(answer.headers()["content-length"], "5");
    assert_eq!(text(answer).await, "early");
    assert_eq!(stream.reset().await, Reason::NO_ERROR);
    let mut other = Stream::open(&mut sender, request(&bench, "GET", "/nowhere"), true);
    assert_eq!(other.answer().await.status(), 404, "the connection goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn trailers_pass_both_ways() {
    let bench = Bench::with(&[mirror().await], |_, snapshot| {
        snapshot.upstreams[0].spec.protocol = UpstreamProtocol::Http2;
    });
    let (mut sender, _connection) = connect(&bench).await;
    for body in ["with data", ""] {
        let mut ask = request(&bench, "POST", "/shop/pets");
        ask.headers_mut().insert("te", "trailers".parse().unwrap());
        let mut stream = Stream::open(&mut sender, ask, false);
        stream.say(body, false);
        let trailers = HeaderMap::from_iter([("x-sum".parse().unwrap(), "7".parse().unwrap())]);
        stream.send.send_trailers(trailers).unwrap();
        let mut answered = stream.answer().await.into_body();
        let (text, trailers) = read(&mut answered).await.unwrap();
        assert_eq!(text, body);
        assert_eq!(trailers.unwrap()["x-sum"], "7");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn trailers_of_http1_are_those_of_http2_without_what_it_forbids() {
    let upstream = Upstream::start(|_, stream| {
        let text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\
                    X-Sum: 7\r\nKeep-Alive: 5\r\nTE: x\r\n\r\n";
        stream.write_all(text.as_bytes()).is_ok()
    });
    let bench = Bench::new(&upstream.urls());
    let (mut sender, _connection) = connect(&bench).await;
    let mut stream = Stream::open(&mut sender, request(&bench, "GET", "/shop/pets"), true);
    let answer = stream.answer().await;
    assert!(!answer.headers().contains_key("content-length"));
    let (text, trailers) = read(&mut answer.into_body()).await.unwrap();
    let trailers = trailers.unwrap();
    assert_eq!(
        (&*text, &trailers["x-sum"], trailers.len()),
        ("ok", &"7".parse().unwrap(), 1)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_breaks_off_resets_its_stream() {
    let upstream = Upstream::start(|_, stream| {
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegun")
            .unwrap();
        false
    });
    let bench = Bench::new(&upstream.urls());
    let (mut sender, _connection) = connect(&bench).await;
    let mut stream = Stream::open(&mut sender, request(&bench, "GET", "/shop/pets"), true);
    let mut body = stream.answer().await.into_body();
    assert_eq!(
        body.data().await.unwrap().unwrap(),
        "begun",
        "what came is passed on"
    );
    assert_eq!(read(&mut body).await, Err(Reason::INTERNAL_ERROR));

    let told = Bench::with(&[mirror().await], |_, snapshot| {
        snapshot.upstreams[0].spec.protocol = UpstreamProtocol::Http2;
    });
    let (mut sender, _connection) = connect(&told).await;
    let mut stream = Stream::open(&mut sender, request(&told, "PUT", "/shop/pets/calm"), false);
    let mut body = stream.answer().await.into_body();
    assert_eq!(body.data().await.unwrap().unwrap(), "begun");
    stream.say("go on", false);
    // What the upstream said.
    assert_eq!(read(&mut body).await, Err(Reason::ENHANCE_YOUR_CALM));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_whose_client_takes_nothing_is_reset() {
    let upstream = Upstream::start(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 20000000\r\n\r\n");
        while stream.write_all(&[b'x'; 65_536]).is_ok() {}
        false
    });
    let bench = Bench::with(&upstream.urls(), |settings, _| settings.limits.body_idle_ms = 200);
    let (mut sender, _connection) = connect(&bench).await;
    let mut stream = Stream::open(&mut sender, request(&bench, "GET", "/shop/pets"), true);
    let mut body = stream.answer().await.into_body();
    eventually(|| upstream.open() == 0);
    let mut bytes = 0;
    let end = loop {
        match timeout(PATIENCE, body.data()).await.unwrap().unwrap() {
            Ok(data) => bytes += data.len(),
            Err(error) => break error.reason(),
        }
    };
    assert_eq!(
        (bytes, end),
        (65_535, Some(Reason::CANCEL)),
        "a window, and no more"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_reads_nothing_slows_its_client_down() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let bench = Bench::with(&[url], |settings, snapshot| {
        settings.limits.body_idle_ms = 60_000;
        snapshot.routes[0].body_bytes_max = 1 << 26;
    });
    let (mut sender, _connection) = connect(&bench).await;
    let mut stream = Stream::open(&mut sender, request(&bench, "POST", "/shop/pets"), false);
    let _held = listener.accept().unwrap();
    let mut bytes = 0;
    loop {
        stream.send.reserve_capacity(16_384);
        let room = poll_fn(|context| stream.send.poll_capacity(context));
        let Ok(room) = timeout(Duration::from_secs(1), room).await else {
            break;
        };
        let room = room.unwrap().unwrap();
        if room == 0 {
            continue;
        }
        stream.send.send_data(vec![b'x'; room].into(), false).unwrap();
        bytes += room;
        assert!(
            bytes < 50_000_000,
            "{bytes} bytes were taken though nobody read them"
        );
    }
    // At least the window of the stream.
    assert!(bytes >= 1 << 20, "{bytes}");
    stream.send.send_reset(Reason::CANCEL);
    assert_eq!(bench.record().status, 499);
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_leave_nothing_behind_however_they_end() {
    let upstream = Upstream::start(|_, stream| {
        let body = "x".repeat(100_000);
        reply(stream, "200 OK", "", &body)
    });
    let bench = Bench::new(&upstream.urls());
    let (mut sender, connection) = connect(&bench).await;
    for round in 0..200 {
        sender = sender.ready().await.unwrap();
        let mut stream = Stream::open(&mut sender, request(&bench, "POST", "/shop/pets"), round % 2 == 0);
        match round % 5 {
            // Before the answer.
            0 => stream.send.send_reset(Reason::CANCEL),
            // Without another word.
            1 => drop(stream),
            // In the middle of the answer.
            2 | 3 => {
                if round % 2 == 1 {
                    stream.say("x", true);
                }
                let mut body = stream.answer().await.into_body();
                let _ = body.data().await.unwrap().unwrap();
                drop(body);
            }
            _ => {
                if round % 2 == 1 {
                    stream.say("x", true);
                }
                assert_eq!(text(stream.answer().await).await.len(), 100_000);
            }
        }
    }
    eventually(|| bench.figure("requests_in_flight") == 0);
    assert!(!connection.is_finished());
    connection.abort();
    eventually(|| bench.figure("client_connections_open") == 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_say_what_http2_wants_of_them() {
    let upstream = Upstream::start(|received, stream| match &received.line {
        line if line.contains("none") => stream
            .write_all(b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\nConnection: x\r\nX: 1\r\n\r\n")
            .is_ok(),
        line if line.starts_with("HEAD") => stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nDate: then\r\n\r\n")
            .is_ok(),
        _ => reply(stream, "200 OK", "Keep-Alive: 5\r\n", "body"),
    });
    let bench = Bench::new(&upstream.urls());
    let (mut sender, _connection) = connect(&bench).await;
    let mut own = None;
    for (method, path, status, length, has_body) in [
        ("GET", "/shop/pets", 200, Some("4"), true),
        ("GET", "/shop/pets/none", 204, None, false),
        ("HEAD", "/shop/pets", 200, Some("1000"), false),
        ("GET", "/nowhere", 404, None, true),
        ("HEAD", "/nowhere", 404, None, false),
    ] {
        let mut stream = Stream::open(&mut sender, request(&bench, method, path), true);
        let answer = stream.answer().await;
        let headers = answer.headers();
        assert_eq!(answer.status(), status, "{method} {path}");
        assert!(headers.contains_key("date") && headers.contains_key("x-request-id"));
        for name in ["connection", "keep-alive", "x"] {
            assert!(!headers.contains_key(name), "{method} {path}: {name}");
        }
        let said = headers.get("content-length").cloned();
        let text = text(answer).await;
        assert_eq!(!text.is_empty(), has_body, "{method} {path}");
        let said = said.as_ref().map(|said| said.to_str().unwrap());
        if path == "/nowhere" {
            let length = *own.get_or_insert(text.len());
            assert_eq!(said, Some(&*length.to_string()), "{method}: the same for both");
        } else {
            assert_eq!(said, length, "{method} {path}");
        }
    }
}

/// Opens a tunnel.
#[tokio::test(flavor = "multi_thread")]
async fn a_head_has_no_more_fields_than_settings_allow() {
    let upstream = Upstream::start(|_, stream| reply(stream, "200 OK", "", "body"));
    let bench = Bench::new(&upstream.urls());
    let (mut sender, _connection) = connect(&bench).await;
    // With the key, as many as there may be; then one more.
    for (fields, status) in [(99, 200), (100, 431)] {
        let mut request = request(&bench, "GET", "/shop/pets");
        for _ in 0..fields {
            let value = HeaderValue::from_static("1");
            request.headers_mut().append("x-many", value);
        }
        let mut stream = Stream::open(&mut sender, request, true);
        let answer = stream.answer().await;
        assert_eq!(answer.status(), status, "{fields}");
        let is_refused = text(answer).await.contains("headers_too_large");
        assert_eq!(is_refused, status == 431);
    }
}

async fn tunnel(bench: &Bench, sender: &mut SendRequest<Bytes>) -> (Stream, RecvStream) {
    let ask = Request::builder().method("CONNECT").uri("tunnel.test:443");
    let ask = ask.header("x-api-key", &bench.key).body(()).unwrap();
    let mut stream = Stream::open(sender, ask, false);
    let answer = stream.answer().await;
    assert_eq!(answer.status(), 200);
    assert!(!answer.headers().contains_key("content-length"));
    (stream, answer.into_body())
}

#[tokio::test(flavor = "multi_thread")]
async fn either_side_of_a_tunnel_may_end_first() {
    let echo = Echo::start(b"hello");
    let bench = Bench::with(&["http://127.0.0.1:9".to_owned()], |_, snapshot| {
        connecting::open(snapshot, &echo);
    });
    let (mut sender, _connection) = connect(&bench).await;
    let (mut stream, mut body) = tunnel(&bench, &mut sender).await;
    stream.say("and more", true);
    assert_eq!(read(&mut body).await.unwrap().0, "helloand morebye");
    eventually(|| echo.open() == 0);

    // A target that ends its direction, and then reads what the client still says.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let target = listener.local_addr().unwrap();
    let (heard, is_heard) = mpsc::channel();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"bye").unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        heard.send(text).unwrap();
    });
    bench.change(|snapshot| {
        snapshot.upstreams[0].spec.targets[0] = domain::traffic::Target::new(format!("tcp://{target}"));
    });
    let (mut stream, mut body) = tunnel(&bench, &mut sender).await;
    assert_eq!(read(&mut body).await.unwrap().0, "bye");
    stream.say("last words", true);
    assert_eq!(is_heard.recv_timeout(PATIENCE).unwrap(), "last words");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tunnel_that_breaks_is_told_as_such() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let target = listener.local_addr().unwrap();
    let (ended, how) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut stream = stream;
            let mut bytes = [0; 4];
            stream.read_exact(&mut bytes).unwrap();
            if &bytes == b"stop" {
                // Closed with unread bytes, which resets the connection.
                stream.set_nonblocking(true).unwrap();
                eventually(|| stream.peek(&mut [0; 4]).is_ok());
                continue;
            }
            ended.send(Ok(0)).unwrap();
            ended
                .send(stream.read(&mut bytes).map_err(|error| error.kind()))
                .unwrap();
        }
    });
    let echo = Echo::start(b"");
    let bench = Bench::with(&["http://127.0.0.1:9".to_owned()], |_, snapshot| {
        connecting::open(snapshot, &echo);
        snapshot.upstreams[0].spec.targets[0] = domain::traffic::Target::new(format!("tcp://{target}"));
    });
    let (mut sender, _connection) = connect(&bench).await;
    let (mut stream, mut body) = tunnel(&bench, &mut sender).await;
    stream.say("stop and more", false);
    assert_eq!(read(&mut body).await, Err(Reason::CONNECT_ERROR));

    let (mut stream, _body) = tunnel(&bench, &mut sender).await;
    stream.say("wait", false);
    assert_eq!(how.recv_timeout(PATIENCE).unwrap(), Ok(0), "it has begun");
    stream.send.send_reset(Reason::CANCEL);
    let found = how.recv_timeout(PATIENCE).unwrap();
    assert_eq!(
        found,
        Err(std::io::ErrorKind::ConnectionReset),
        "RFC 9113 section 8.5"
    );
    let records = [bench.record(), bench.record()];
    assert!(records.iter().all(|record| record.status == 200));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_for_a_tunnel_has_no_body() {
    let echo = Echo::start(b"");
    let bench = Bench::with(&["http://127.0.0.1:9".to_owned()], |_, snapshot| {
        connecting::open(snapshot, &echo);
    });
    let (mut sender, _connection) = connect(&bench).await;
    let ask = Request::builder().method("CONNECT").uri("tunnel.test:443");
    let ask = ask.header("x-api-key", &bench.key).header("content-length", "5");
    let mut stream = Stream::open(&mut sender, ask.body(()).unwrap(), false);
    assert_eq!(stream.answer().await.status(), 400);
    assert_eq!(stream.reset().await, Reason::NO_ERROR);
    assert_eq!(echo.open(), 0);
    // Only the stream has ended.
    let _opened = tunnel(&bench, &mut sender).await;
}

/// Asks for a WebSocket.
fn websocket(bench: &Bench, sender: &mut SendRequest<Bytes>, path: &str) -> Stream {
    let mut ask = request(bench, "CONNECT", path);
    ask.extensions_mut()
        .insert(h2::ext::Protocol::from_static("websocket"));
    Stream::open(sender, ask, false)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_ends_in_either_direction_by_itself() {
    let upstream = Upstream::start(|received, stream| {
        if received.line.contains("plain") {
            return reply(stream, "200 OK", "", "what is a WebSocket?");
        }
        let accept = crate::bench::accept(received.fields.get("sec-websocket-key").unwrap());
        let head = format!(
            "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Accept: {accept}\r\n\r\nhello"
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let _ = stream.write_all(text.to_ascii_uppercase().as_bytes());
        false
    });
    let bench = Bench::new(&upstream.urls());
    let (mut sender, _connection) = connect(&bench).await;
    eventually(|| sender.is_extended_connect_protocol_enabled());
    let mut stream = websocket(&bench, &mut sender, "/shop/pets");
    assert_eq!(stream.interim().await.unwrap().status(), 103);
    let answer = stream.answer().await;
    assert_eq!(answer.status(), 200);
    for name in ["sec-websocket-accept", "connection", "upgrade", "content-length"] {
        assert!(!answer.headers().contains_key(name), "{name}");
    }
    let mut body = answer.into_body();
    stream.say("said", true);
    assert_eq!(read(&mut body).await.unwrap().0, "helloSAID");
    let record = bench.record();
    assert_eq!((record.status, record.bytes_in, record.bytes_out), (101, 4, 9));

    let mut stream = websocket(&bench, &mut sender, "/shop/pets/plain");
    assert_eq!(
        stream.reset().await,
        Reason::INTERNAL_ERROR,
        "200 would say that it is one"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_under_way_is_finished_when_the_node_drains() {
    let (go_on, goes_on) = mpsc::channel::<()>();
    let goes_on = std::sync::Mutex::new(goes_on);
    let upstream = Upstream::start(move |_, stream| {
        goes_on.lock().unwrap().recv_timeout(PATIENCE).unwrap();
        reply(stream, "200 OK", "", "done")
    });
    let mut bench = Bench::new(&upstream.urls());
    let (mut sender, connection) = connect(&bench).await;
    let mut stream = Stream::open(&mut sender, request(&bench, "GET", "/shop/pets"), true);
    eventually(|| upstream.open() == 1);
    let gateway = bench.gateway.take().unwrap();
    let draining = std::thread::spawn(move || gateway.drain(PATIENCE));
    // The client hears of it before its answer.
    let told = async { while !is_refused(&mut sender).await {} };
    timeout(PATIENCE, told).await.unwrap();
    go_on.send(()).unwrap();
    let answer = stream.answer().await;
    assert!(!answer.headers().contains_key("connection"));
    assert_eq!(text(answer).await, "done");
    timeout(PATIENCE, connection).await.unwrap().unwrap();
    assert!(draining.join().unwrap());
}

/// Whether no more requests are taken.
async fn is_refused(sender: &mut SendRequest<Bytes>) -> bool {
    tokio::task::yield_now().await;
    let ask = Request::builder()
        .uri("http://gateway.test/nowhere")
        .body(())
        .unwrap();
    match sender.send_request(ask, true) {
        Ok((answer, _)) => answer.await.is_err(),
        Err(_) => true,
    }
}
