//! Requests over HTTP/3 go the way of all requests.

use std::io::Write as _;
use std::time::Duration;

use bytes::Bytes;
use domain::certificate::{ClientAuth, ClientAuthMode};
use domain::traffic::UpstreamProtocol;
use gateway::settings::{Listener, Protocols};
use pki::testing::{Authority, Pair, Subject};

use super::bench::{Client, Ended, HOST, World, code, dial, frame, frames, head};
use crate::bench::{PATIENCE, Upstream, eventually, reply};
use crate::certificates::{entry, unshown};

/// A service that sends back what it gets.
fn echo() -> Upstream {
    Upstream::start(|received, stream| {
        let body = String::from_utf8_lossy(&received.body).into_owned();
        reply(stream, "200 OK", "Content-Type: text/plain\r\n", &body)
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_pass_as_with_the_other_protocols() {
    let upstream = Upstream::simple();
    let world = World::new(&upstream.urls());
    let mut client = world.client().await;
    for _ in 0..3 {
        let request = world
            .request("GET", "/shop/pets?a=b")
            .header("cookie", "a=1")
            .header("cookie", "b=2");
        let answer = client.ask(request.body(()).unwrap(), b"").await;
        assert_eq!((answer.status, answer.text()), (200, "hello"));
        assert_eq!(answer.fields["content-length"], "5");
        assert!(answer.fields.contains_key("x-request-id") && answer.fields.contains_key("date"));
        assert!(!answer.fields.contains_key("alt-svc"), "it is here already");
    }
    let received = upstream.last();
    assert_eq!(received.line, "GET /base/pets?a=b HTTP/1.1");
    for (name, value) in [
        ("x-forwarded-proto", "https"),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-host", HOST),
        ("via", "3 gateline"),
        ("cookie", "a=1; b=2"),
    ] {
        assert_eq!(received.fields.get(name), Some(value), "{name}");
    }
    assert_eq!(received.fields.get("transfer-encoding"), None, "it has no body");
    assert_eq!(upstream.connections(), 1);
    assert_eq!(world.bench.record().status, 200);
    assert_eq!(world.bench.figure("http3_requests_total"), 3);
    assert_eq!(world.bench.figure("http3_connections_total"), 1);
    for (method, path, problem) in [
        ("GET", "/nowhere", "404 route_not_found"),
        ("GET", "/shop/nothing", "404 operation_not_found"),
        ("DELETE", "/shop/pets", "405 method_not_allowed"),
    ] {
        let request = world.request(method, path).body(()).unwrap();
        assert_eq!(client.ask(request, b"").await.problem(), problem);
    }
    let mut bare = world.request("GET", "/shop/pets").body(()).unwrap();
    bare.headers_mut().remove("x-api-key");
    assert_eq!(client.ask(bare, b"").await.problem(), "401 key_missing");
    let asked = client
        .ask(world.request("HEAD", "/shop/pets").body(()).unwrap(), b"")
        .await;
    assert_eq!((asked.status, asked.body.len()), (200, 0));
    assert_eq!(asked.fields["content-length"], "5");
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_pass_both_ways_and_are_bounded() {
    let upstream = echo();
    let world = World::new(&upstream.urls());
    let mut client = world.client().await;
    let body: Vec<u8> = (0..1_000_000_u32)
        .map(|number| b'a' + u8::try_from(number % 26).unwrap())
        .collect();
    let answer = client
        .ask(world.request("POST", "/shop/pets").body(()).unwrap(), &body)
        .await;
    assert_eq!(answer.status, 200);
    assert!(answer.body == body, "{} bytes", answer.body.len());
    let record = world.bench.record();
    assert_eq!((record.bytes_in, record.bytes_out), (1_000_000, 1_000_000));
    let said = world
        .request("POST", "/shop/pets")
        .header("content-length", "3000000");
    let refused = client.try_ask(said.body(()).unwrap(), b"x").await.unwrap();
    assert_eq!(refused.problem(), "413 body_too_large");
    let unsaid = world.request("POST", "/shop/pets").body(()).unwrap();
    let large = vec![b'a'; 2_000_000];
    // The answer comes while the client is still sending.
    if let Ok(refused) = client.try_ask(unsaid, &large).await {
        assert_eq!(refused.status, 413);
    }
    let after = client
        .ask(world.request("GET", "/shop/pets").body(()).unwrap(), b"")
        .await;
    assert_eq!(after.status, 200, "the connection goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn trailers_pass_and_calls_of_grpc_are_refused_in_its_words() {
    let world = World::with_protocol(&[crate::http2::upstream().await], UpstreamProtocol::Http2);
    let mut client = world.client().await;
    let answer = client
        .ask(world.request("POST", "/shop/pets").body(()).unwrap(), b"12345")
        .await;
    assert!(answer.text().ends_with(" 5"), "{}", answer.text());
    assert_eq!(answer.trailers.unwrap()["grpc-status"], "0");
    let mut bare = world
        .request("POST", "/shop/pets")
        .header("content-type", "application/grpc");
    bare.headers_mut().unwrap().remove("x-api-key");
    let refused = client.ask(bare.body(()).unwrap(), b"").await;
    assert_eq!(
        (refused.status, refused.fields["grpc-status"].as_bytes()),
        (200, &b"16"[..])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_are_shown_their_certificates_and_ask_for_those_of_clients() {
    let upstream = Upstream::simple();
    let world = World::new(&upstream.urls());
    let authority = Authority::new("clients");
    let good = authority.sign(&Subject {
        common_name: "billing",
        ..Subject::default()
    });
    let stranger = Authority::new("others").sign(&Subject::default());
    let (strict, newer) = (Pair::of(&["strict.example"]), Pair::of(&["strict.example"]));
    let shown = async |host: &str| {
        let connection = world.dial(host, Some(&good)).await.unwrap();
        let chain = connection.peer_identity().unwrap();
        chain
            .downcast::<Vec<rustls::pki_types::CertificateDer<'static>>>()
            .unwrap()[0]
            .clone()
    };
    for (pair, revision) in [(&strict, 1), (&newer, 2)] {
        world.bench.change(|snapshot| {
            let mut changed = entry(pair, 70, &["strict.example"]);
            changed.revision = revision;
            changed.client_auth = Some(ClientAuth {
                mode: ClientAuthMode::Required,
                authorities: authority.root.clone(),
                forward: true,
            });
            snapshot.certificates = vec![changed];
        });
        assert_eq!(shown("strict.example").await, pair.der());
        assert_eq!(shown("other.example").await, world.own.der());
    }
    for bad in [None, Some(&stranger)] {
        // The client learns of it when it has finished its part of the handshake.
        if let Ok(connection) = world.dial("strict.example", bad).await {
            let error = tokio::time::timeout(PATIENCE, connection.closed()).await.unwrap();
            assert!(
                matches!(error, quinn::ConnectionError::ConnectionClosed(_)),
                "{error}"
            );
        }
    }
    let ask = |host: &str| {
        let mut request = world.request("GET", "/shop/pets").body(()).unwrap();
        *request.uri_mut() = format!("https://{host}/shop/pets").parse().unwrap();
        request
    };
    let mut known = Client::of(world.dial("strict.example", Some(&good)).await.unwrap()).await;
    assert_eq!(known.ask(ask("strict.example"), b"").await.status, 200);
    assert!(upstream.last().fields.get("client-cert").is_some());
    assert_eq!(
        known.ask(ask(HOST), b"").await.problem(),
        "421 misdirected_request"
    );
    let mut anonymous = world.client().await;
    assert_eq!(
        anonymous.ask(ask("strict.example"), b"").await.problem(),
        "421 misdirected_request"
    );
    assert_eq!(anonymous.ask(ask(HOST), b"").await.status, 200);
    // As well while it has no certificate to ask with.
    world.bench.change(|snapshot| {
        snapshot.certificates.clear();
        let root = &authority.root;
        snapshot.unshown = vec![unshown(70, "strict.example", ClientAuthMode::Required, root)];
    });
    for shown in [None, Some(&good)] {
        let mut client = Client::of(world.dial("strict.example", shown).await.unwrap()).await;
        let answer = client.ask(ask("strict.example"), b"").await;
        assert_eq!(answer.problem(), "421 misdirected_request");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_of_the_other_protocols_are_told() {
    let upstream = Upstream::simple();
    let world = World::with(&upstream.urls(), |settings| settings.http3.alt_svc_max_age_s = 60);
    let port = world.address.port();
    let told = crate::certificates::field(&world.bench, world.address, HOST, "alt-svc");
    assert_eq!(told, Some(format!("h3=\":{port}\"; ma=60")));
    assert_eq!(
        world.bench.get("/shop/pets").field("alt-svc"),
        None,
        "not without TLS"
    );
    let elsewhere = World::with(&upstream.urls(), |settings| {
        settings.http3.alt_svc_port = Some(443);
    });
    let told = crate::certificates::field(&elsewhere.bench, elsewhere.address, HOST, "alt-svc");
    assert_eq!(told.as_deref(), Some("h3=\":443\"; ma=86400"));
    let silent = World::with(&upstream.urls(), |settings| settings.http3.alt_svc_max_age_s = 0);
    assert_eq!(
        crate::certificates::field(&silent.bench, silent.address, HOST, "alt-svc"),
        None
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn interim_answers_pass_and_who_waits_is_asked_for_the_body() {
    let upstream = Upstream::start(|_, stream| {
        stream
            .write_all(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n")
            .unwrap();
        reply(stream, "200 OK", "", "done")
    });
    let world = World::new(&upstream.urls());
    let raw = world.raw().await;
    let key = ("x-api-key", world.bench.key.as_str());
    let fields = [
        (":method", "GET"),
        (":scheme", "https"),
        (":authority", HOST),
        (":path", "/shop/pets"),
        key,
    ];
    let Ended::Answered(bytes) = raw.say(&head(&fields)).await else {
        panic!("an answer");
    };
    let found = frames(&bytes);
    // 103 and 200 stand in the static table: RFC 9204 appendix A.
    assert_eq!(found[0].1[..3], [0, 0, 0xd8]);
    assert_eq!(found[1].1[..3], [0, 0, 0xd9]);
    assert_eq!(asked_for_the_body(&world).await, b"done");
    assert_eq!(upstream.last().body, b"hi");
    // Another task than the call's reads the body there.
    let url = crate::http2_streams::mirror().await;
    let world = World::with_protocol(&[url], UpstreamProtocol::Http2);
    assert_eq!(asked_for_the_body(&world).await, b"hi");
}

/// The answer to a client that sends its body when it is asked for it.
async fn asked_for_the_body(world: &World) -> Vec<u8> {
    let raw = world.raw().await;
    let (mut send, mut recv) = raw.connection.open_bi().await.unwrap();
    let post = [
        (":method", "POST"),
        (":scheme", "https"),
        (":authority", HOST),
        (":path", "/shop/pets"),
        ("x-api-key", &world.bench.key),
        ("content-length", "2"),
        ("expect", "100-continue"),
    ];
    send.write_all(&head(&post)).await.unwrap();
    let mut first = [0; 2];
    let reading = recv.read_exact(&mut first);
    tokio::time::timeout(PATIENCE, reading).await.unwrap().unwrap();
    assert_eq!(first[0], 1);
    let mut section = vec![0; usize::from(first[1])];
    recv.read_exact(&mut section).await.unwrap();
    assert_eq!(section[2..], [0xff, 0x00], "100");
    send.write_all(&frame(0, b"hi")).await.unwrap();
    send.finish().unwrap();
    let rest = recv.read_to_end(10_000).await.unwrap();
    frames(&rest).last().unwrap().1.clone()
}

/// An upstream that never comes to an end, for as long as somebody reads it.
fn endless() -> Upstream {
    Upstream::start(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 20000000000\r\n\r\n");
        while stream.write_all(&[b'x'; 65_536]).is_ok() {}
        false
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn who_gives_up_or_reads_nothing_gives_the_upstream_back() {
    let upstream = endless();
    let world = World::with(&upstream.urls(), |settings| settings.limits.body_idle_ms = 300);
    let mut client = world.client().await;
    let request = || world.request("GET", "/shop/pets").body(()).unwrap();
    let mut slow = client.send.send_request(request()).await.unwrap();
    slow.finish().await.unwrap();
    assert_eq!(slow.recv_response().await.unwrap().status(), 200);
    eventually(|| upstream.open() == 1);
    eventually(|| upstream.open() == 0);
    assert_eq!(world.bench.record().status, 200);
    let mut bytes = 0;
    let end = loop {
        match slow.recv_data().await {
            Ok(Some(part)) => bytes += bytes::Buf::remaining(&part),
            Ok(None) => break None,
            Err(error) => break Some(error),
        }
    };
    assert!(end.is_some(), "what was cut off after {bytes} bytes is not whole");
    let other = client
        .ask(world.request("GET", "/nowhere").body(()).unwrap(), b"")
        .await;
    assert_eq!(other.status, 404, "the others are unharmed");
    world.bench.record();

    let mut hasty = client.send.send_request(request()).await.unwrap();
    hasty.finish().await.unwrap();
    assert_eq!(hasty.recv_response().await.unwrap().status(), 200);
    eventually(|| upstream.open() == 1);
    hasty.stop_sending(h3::error::Code::H3_REQUEST_CANCELLED);
    drop(hasty);
    eventually(|| upstream.open() == 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_given_up_before_its_answer_is_recorded_so() {
    let (told, asked) = std::sync::mpsc::channel();
    let upstream = Upstream::start(move |_, stream| {
        told.send(()).unwrap();
        let _ = std::io::Read::read(stream, &mut [0; 1]);
        false
    });
    let world = World::new(&upstream.urls());
    let raw = world.raw().await;
    let key = ("x-api-key", world.bench.key.as_str());
    let fields = [
        (":method", "GET"),
        (":scheme", "https"),
        (":authority", HOST),
        (":path", "/shop/pets"),
        key,
    ];
    let (mut send, mut recv) = raw.connection.open_bi().await.unwrap();
    send.write_all(&head(&fields)).await.unwrap();
    send.finish().unwrap();
    tokio::task::block_in_place(|| asked.recv_timeout(PATIENCE)).unwrap();
    recv.stop(code(0x10c)).unwrap();
    assert_eq!(world.bench.record().status, 499);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_breaks_off_is_not_taken_for_whole() {
    let upstream = Upstream::start(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
        false
    });
    let world = World::new(&upstream.urls());
    let mut client = world.client().await;
    let request = world.request("GET", "/shop/pets").body(()).unwrap();
    let error = client.try_ask(request, b"").await.unwrap_err();
    assert!(error.to_string().contains("H3_INTERNAL_ERROR"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_drains_finishes_what_it_has_begun() {
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let upstream = Upstream::start(move |_, stream| {
        wait.lock().unwrap().recv().unwrap();
        reply(stream, "200 OK", "", "late")
    });
    let mut world = World::new(&upstream.urls());
    let mut client = world.client().await;
    let request = world.request("GET", "/shop/pets").body(()).unwrap();
    let mut stream = client.send.send_request(request).await.unwrap();
    stream.finish().await.unwrap();
    eventually(|| upstream.received().len() == 1);
    let gateway = world.bench.gateway.take().unwrap();
    let drained = std::thread::spawn(move || gateway.drain(PATIENCE));
    let mut next = client.send.clone();
    let refused = async {
        loop {
            let request = world.request("GET", "/nowhere").body(()).unwrap();
            match next.send_request(request).await {
                Err(error) => break error,
                Ok(mut stream) => {
                    let _ = stream.finish().await;
                    if let Err(error) = stream.recv_response().await {
                        break error;
                    }
                }
            }
            tokio::task::yield_now().await;
        }
    };
    let refused = tokio::time::timeout(PATIENCE, refused).await.unwrap();
    assert!(!refused.to_string().is_empty());
    go.send(()).unwrap();
    assert_eq!(stream.recv_response().await.unwrap().status(), 200);
    let mut body = stream.recv_data().await.unwrap().unwrap();
    assert_eq!(
        bytes::Buf::copy_to_bytes(&mut body, 4),
        Bytes::from_static(b"late")
    );
    drop((stream, next));
    assert!(client.ended().await.is_h3_no_error());
    assert!(tokio::task::block_in_place(|| drained.join().unwrap()));
}

#[tokio::test(flavor = "multi_thread")]
async fn listeners_come_and_go_while_a_node_runs() {
    let upstream = Upstream::simple();
    let mut settings = None;
    let world = World::with(&upstream.urls(), |found| settings = Some(found.clone()));
    let mut settings = settings.unwrap();
    let gateway = world.bench.gateway.as_ref().unwrap();
    let mut client = world.client().await;
    settings.listeners = vec![Listener {
        address: "127.0.0.1:0".parse().unwrap(),
        tls: true,
        protocols: Protocols::Http3,
        proxy_protocol: None,
        flagd: None,
    }];
    let changed = gateway.change(&settings);
    assert_eq!(
        (changed.failed.len(), changed.opened.len()),
        (0, 0),
        "no TCP: {changed:?}"
    );
    let [added] = changed.opened_http3[..] else {
        panic!("{changed:?}")
    };
    let mut there = Client::of(dial(added, HOST, None).await.unwrap()).await;
    assert_eq!(
        there
            .ask(world.request("GET", "/shop/pets").body(()).unwrap(), b"")
            .await
            .status,
        200
    );
    settings.listeners.clear();
    assert_eq!(gateway.change(&settings).closed_http3, [added]);
    assert!(there.ended().await.is_h3_no_error());
    let still = client
        .ask(world.request("GET", "/shop/pets").body(()).unwrap(), b"")
        .await;
    assert_eq!(still.status, 200, "what is as before is not touched");
    settings.http3.enabled = false;
    assert_eq!(gateway.change(&settings).closed_http3, [world.address]);
    assert!(client.ended().await.is_h3_no_error());
    // Nobody is sent there any more.
    eventually(|| crate::certificates::field(&world.bench, world.address, HOST, "alt-svc").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_have_to_show_where_they_are_and_too_many_are_refused() {
    let upstream = Upstream::simple();
    let wary = World::with(&upstream.urls(), |settings| settings.http3.handshakes_free = 0);
    let mut client = wary.client().await;
    assert_eq!(
        client
            .ask(wary.request("GET", "/shop/pets").body(()).unwrap(), b"")
            .await
            .status,
        200
    );
    assert_eq!(wary.bench.figure("http3_retries_total"), 1);
    let full = World::with(&upstream.urls(), |settings| {
        settings.cores = 1;
        settings.limits.connections_max = 1;
    });
    let _held = full.client().await;
    let refused = full.dial(HOST, None).await.unwrap_err();
    assert!(refused.to_string().contains("refused"), "{refused}");
    eventually(|| full.bench.figure("client_connections_refused_total") == 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_without_requests_end() {
    let world = World::with(&Upstream::simple().urls(), |settings| {
        settings.limits.keep_alive_ms = 200;
    });
    let mut client = world.client().await;
    let answer = client
        .ask(world.request("GET", "/nowhere").body(()).unwrap(), b"")
        .await;
    assert_eq!(answer.status, 404);
    assert!(client.ended().await.is_h3_no_error());
    let slow = world.raw().await;
    tokio::time::sleep(Duration::from_millis(1)).await;
    let error = tokio::time::timeout(PATIENCE, slow.connection.closed())
        .await
        .unwrap();
    assert!(
        matches!(error, quinn::ConnectionError::ApplicationClosed(_)),
        "{error}"
    );
}
