//! What passes through, and what it looks like on the other side.

use domain::Code;
use serde_json::json;

use crate::bench::{Bench, Upstream, policy, reply};

#[test]
fn a_call_with_a_key_reaches_the_upstream_and_is_recorded() {
    let upstream = Upstream::simple();
    let bench = Bench::new(&upstream.urls());
    let answer = bench.get("/shop/pets/7?a=1&b=%20");
    assert_eq!((answer.status, answer.text()), (200, "hello"));
    let received = upstream.last();
    assert_eq!(received.line, "GET /base/pets/7?a=1&b=%20 HTTP/1.1");
    assert_eq!(received.fields.get("x-api-key"), None);
    assert_eq!(
        received.fields.get("host"),
        Some(upstream.address.to_string().as_str())
    );
    let record = bench.record();
    assert_eq!(
        (record.status, record.refusal, record.bytes_out, record.counted),
        (200, None, 5, true)
    );
    assert!(record.caller.is_some() && record.callee.is_some_and(|callee| callee.operation.is_some()));
}

#[test]
fn a_call_without_a_valid_key_does_not() {
    let upstream = Upstream::simple();
    let bench = Bench::new(&upstream.urls());
    let mut client = bench.connect();
    client.send(b"GET /shop/pets HTTP/1.1\r\nHost: g\r\n\r\n");
    assert_eq!(client.answer().problem(), "401 key_missing");
    client.send(b"GET /shop/pets HTTP/1.1\r\nHost: g\r\nX-API-Key: nonsense\r\n\r\n");
    let answer = client.answer();
    assert_eq!(answer.problem(), "401 key_malformed");
    assert!(answer.field("www-authenticate").is_some());
    assert!(upstream.received().is_empty());
    let record = bench.record();
    assert_eq!((record.refusal, record.counted), (Some(Code::KeyMissing), false));
}

#[test]
fn connections_are_used_again_on_both_sides() {
    let upstream = Upstream::start(|_, stream| reply(stream, "200 OK", "", "ok"));
    let bench = Bench::with(&upstream.urls(), |settings, _| settings.cores = 1);
    let mut client = bench.connect();
    for _ in 0..5 {
        client.send(
            format!(
                "GET /shop/pets HTTP/1.1\r\nHost: g\r\nX-API-Key: {}\r\n\r\n",
                bench.key
            )
            .as_bytes(),
        );
        assert_eq!(client.answer().text(), "ok");
    }
    assert_eq!(upstream.connections(), 1);
}

#[test]
fn heads_are_changed_as_a_proxy_has_to() {
    let upstream = Upstream::start(|_, stream| {
        reply(
            stream,
            "200 OK",
            "Connection: X-Secret\r\nX-Secret: 1\r\nKeep-Alive: timeout=5\r\nVia: 1.1 inner\r\n",
            "ok",
        )
    });
    let bench = Bench::new(&upstream.urls());
    let head = "X-Forwarded-For: 10.0.0.1\r\nX-Forwarded-Proto: https\r\nX-Gateline-Plan: gold\r\nUpgrade: h2c\r\n\
                X-Request-ID: mine-1\r\ntraceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n";
    let answer = bench.call("GET", "/shop/pets", head, "");
    let fields = upstream.last().fields;
    assert_eq!(
        fields.get("x-forwarded-for"),
        Some("127.0.0.1"),
        "anybody can say anything"
    );
    assert_eq!(fields.get("x-forwarded-proto"), Some("http"));
    assert_eq!(fields.get("x-forwarded-host"), Some("gateway.test"));
    assert_eq!(
        fields.get("forwarded"),
        Some("for=127.0.0.1;host=\"gateway.test\";proto=http")
    );
    assert_eq!(fields.get("via"), Some("1.1 gateline"));
    assert_eq!(fields.get("x-gateline-plan"), Some("free"));
    assert!(
        fields
            .get("x-gateline-application")
            .is_some_and(|id| id.starts_with("app_"))
    );
    assert_eq!(fields.get("upgrade"), None);
    assert_eq!(fields.get("x-request-id"), Some("mine-1"));
    assert_eq!(
        fields.get("traceparent"),
        Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
    );
    assert_eq!(answer.field("x-request-id"), Some("mine-1"));
    assert_eq!(answer.field("via"), Some("1.1 inner, 1.1 gateline"));
    assert_eq!(
        (answer.field("x-secret"), answer.field("keep-alive")),
        (None, None)
    );
}

#[test]
fn trusted_proxies_are_believed_and_named() {
    let upstream = Upstream::simple();
    let bench = Bench::with(&upstream.urls(), |settings, snapshot| {
        settings.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
        let limit = json!({ "requests": 1, "window_seconds": 3600, "per": "address" });
        snapshot.routes[0].policies.push(policy("rate_limit", limit));
    });
    let call = |said: &str| bench.call("GET", "/shop/pets", said, "");
    let said = "X-Forwarded-For: 6.6.6.6, 1.2.3.4\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: shop.example\r\n\
                Forwarded: for=7.7.7.7\r\n";
    assert_eq!(call(said).status, 200);
    let fields = upstream.last().fields;
    for (name, value) in [
        ("x-forwarded-for", "6.6.6.6, 1.2.3.4, 127.0.0.1"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "shop.example"),
        ("forwarded", "for=127.0.0.1;host=\"gateway.test\";proto=http"),
    ] {
        assert_eq!(fields.get(name), Some(value));
    }
    // Who was counted is the client; what it wrote itself does not make it another one.
    let again = call("X-Forwarded-For: 8.8.8.8, 1.2.3.4\r\n");
    assert_eq!(again.problem(), "429 rate_limited");
    assert_eq!(call("X-Forwarded-For: 1.2.3.5\r\n").status, 200);
    assert_eq!(upstream.last().fields.get("x-forwarded-proto"), Some("http"));
}

#[test]
fn the_field_that_is_believed_can_be_chosen() {
    let upstream = Upstream::simple();
    let bench = Bench::with(&upstream.urls(), |settings, snapshot| {
        settings.trusted_proxies = vec!["127.0.0.1".parse().unwrap()];
        settings.trusted_header = gateway::Says::Forwarded;
        let limit = json!({ "requests": 1, "window_seconds": 3600, "per": "address" });
        snapshot.routes[0].policies.push(policy("rate_limit", limit));
    });
    let call = |said: &str| bench.call("GET", "/shop/pets", said, "").status;
    assert_eq!(
        call("Forwarded: for=1.2.3.4\r\nX-Forwarded-For: 5.5.5.5\r\n"),
        200
    );
    let fields = upstream.last().fields;
    assert_eq!(fields.get("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(
        fields.get("forwarded"),
        Some("for=1.2.3.4, for=127.0.0.1;host=\"gateway.test\";proto=http")
    );
    assert_eq!(
        call("Forwarded: for=1.2.3.4\r\nX-Forwarded-For: 5.5.5.6\r\n"),
        429
    );
    assert_eq!(call("Forwarded: for=1.2.3.5\r\n"), 200);
}

#[test]
fn request_ids_and_traces_are_minted_when_there_are_none() {
    let upstream = Upstream::simple();
    let bench = Bench::new(&upstream.urls());
    let answer = bench.call("GET", "/shop/pets", "X-Request-ID: two words\r\n", "");
    let id = answer.field("x-request-id").unwrap();
    assert!(
        id.starts_with("req_") && id.parse::<domain::id::RequestId>().is_ok(),
        "{id}"
    );
    assert_eq!(bench.record().request.to_string(), id);
    let fields = upstream.last().fields;
    assert_eq!(fields.get("x-request-id"), Some(id));
    assert_eq!(fields.get("traceparent").map(str::len), Some(55));
}

#[test]
fn paths_and_methods_find_their_operation_or_say_why_not() {
    let upstream = Upstream::simple();
    let bench = Bench::new(&upstream.urls());
    assert_eq!(bench.get("/shop").status, 200);
    assert_eq!(upstream.last().line, "GET /base HTTP/1.1");
    assert_eq!(bench.get("/shop/?q").status, 200);
    assert_eq!(upstream.last().line, "GET /base/?q HTTP/1.1");
    assert_eq!(bench.get("/elsewhere").problem(), "404 route_not_found");
    assert_eq!(bench.get("/shopping").problem(), "404 route_not_found");
    assert_eq!(bench.get("/shop/nothing").problem(), "404 operation_not_found");
    let answer = bench.call("PATCH", "/shop/pets/1", "", "");
    assert_eq!(answer.problem(), "405 method_not_allowed");
    assert_eq!(answer.field("allow"), Some("GET, HEAD, DELETE, PUT"));
    let head = bench.call("HEAD", "/shop/pets", "", "");
    assert_eq!(
        (head.status, head.field("content-length"), head.body.len()),
        (200, Some("5"), 0)
    );
    assert_eq!(upstream.last().line, "HEAD /base/pets HTTP/1.1");
}

#[test]
fn answers_without_a_body_have_none() {
    let upstream = Upstream::start(|received, stream| {
        use std::io::Write;
        let status = if received.line.contains("304") {
            "304 Not Modified\r\nETag: \"1\""
        } else {
            "204 No Content"
        };
        stream
            .write_all(format!("HTTP/1.1 {status}\r\n\r\n").as_bytes())
            .is_ok()
    });
    let bench = Bench::new(&upstream.urls());
    let mut client = bench.connect();
    for (path, status) in [
        ("/shop/pets/204", 204),
        ("/shop/pets/304", 304),
        ("/shop/pets/204", 204),
    ] {
        client.send(
            format!(
                "GET {path} HTTP/1.1\r\nHost: g\r\nX-API-Key: {}\r\n\r\n",
                bench.key
            )
            .as_bytes(),
        );
        let answer = client.answer();
        assert_eq!((answer.status, answer.field("transfer-encoding")), (status, None));
    }
    assert_eq!(upstream.connections(), 1, "the connection stays usable");
}

#[test]
fn bodies_of_any_kind_pass_both_ways() {
    use std::io::Write;
    let upstream = Upstream::start(|received, stream| {
        // Back as chunks, one per 10,000 bytes.
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        for piece in received.body.chunks(10_000) {
            let _ = stream.write_all(format!("{:x}\r\n", piece.len()).as_bytes());
            let _ = stream.write_all(piece);
            let _ = stream.write_all(b"\r\n");
        }
        stream.write_all(b"0\r\n\r\n").is_ok()
    });
    let bench = Bench::with(&upstream.urls(), |settings, _| settings.cores = 1);
    let body: String = (0..150_000)
        .map(|number| char::from(b'a' + (number % 26) as u8))
        .collect();
    assert_eq!(bench.call("POST", "/shop/pets", "", &body).text(), body);
    let mut client = bench.connect();
    let key = &bench.key;
    client.send(format!("POST /shop/pets HTTP/1.1\r\nHost: g\r\nX-API-Key: {key}\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n").as_bytes());
    assert_eq!(client.answer().status, 100);
    client.send(b"5;x=y\r\nhello\r\n6\r\n world\r\n0\r\n\r\n");
    assert_eq!(client.answer().text(), "hello world");
    assert_eq!(upstream.last().fields.get("transfer-encoding"), Some("chunked"));
    assert_eq!(upstream.last().fields.get("expect"), None);
    bench.record();
    let record = bench.record();
    assert_eq!((record.bytes_in, record.bytes_out), (11, 11));
}

#[test]
fn an_answer_until_the_end_of_its_connection_is_passed_on_whole() {
    use std::io::Write;
    let upstream = Upstream::start(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.0 200 OK\r\n\r\nold but whole");
        false
    });
    let bench = Bench::new(&upstream.urls());
    let answer = bench.get("/shop/pets");
    assert_eq!((answer.text(), answer.is_whole), ("old but whole", true));
}

#[test]
fn trailers_pass() {
    use std::io::Write;
    let upstream = Upstream::start(|_, stream| {
        let text = "HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 7\r\n\r\n";
        stream.write_all(text.as_bytes()).is_ok()
    });
    let bench = Bench::new(&upstream.urls());
    let mut client = bench.connect();
    let key = &bench.key;
    client.send(format!("GET /shop/pets HTTP/1.1\r\nHost: g\r\nX-API-Key: {key}\r\nTE: trailers\r\nConnection: close, TE\r\n\r\n").as_bytes());
    let text = String::from_utf8(client.rest()).unwrap().to_ascii_lowercase();
    assert!(
        text.contains("trailer: x-sum") && text.ends_with("0\r\nx-sum: 7\r\n\r\n"),
        "{text}"
    );
    assert_eq!(upstream.last().fields.get("te"), Some("trailers"));
}

#[test]
fn interim_answers_reach_clients_that_know_them() {
    use std::io::Write;
    let upstream = Upstream::start(|_, stream| {
        let early = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\nConnection: x\r\n\r\n";
        stream.write_all(early.as_bytes()).unwrap();
        reply(stream, "200 OK", "", "ok")
    });
    let bench = Bench::new(&upstream.urls());
    let mut client = bench.connect();
    let head = format!("Host: g\r\nX-API-Key: {}\r\n\r\n", bench.key);
    client.send(format!("GET /shop/pets HTTP/1.1\r\n{head}").as_bytes());
    let early = client.answer();
    assert_eq!((early.status, early.field("link")), (103, Some("</style.css>")));
    assert_eq!(early.field("connection"), None);
    assert_eq!(client.answer().text(), "ok");
    let mut old = bench.connect();
    old.send(format!("GET /shop/pets HTTP/1.0\r\n{head}").as_bytes());
    assert_eq!(old.answer().text(), "ok");
}

#[test]
fn old_clients_get_what_they_understand() {
    use std::io::Write;
    let upstream = Upstream::start(|received, stream| {
        if received.line.contains("chunks") {
            let text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
            return stream.write_all(text.as_bytes()).is_ok();
        }
        reply(stream, "200 OK", "", "ok")
    });
    let bench = Bench::new(&upstream.urls());
    let request = |path: &str, fields: &str| {
        let key = &bench.key;
        format!("GET /shop/pets/{path} HTTP/1.0\r\nHost: g\r\nX-API-Key: {key}\r\n{fields}\r\n")
    };
    let mut client = bench.connect();
    for _ in 0..2 {
        client.send(request("1", "Connection: keep-alive\r\n").as_bytes());
        let answer = client.answer();
        assert_eq!(
            (answer.text(), answer.field("connection")),
            ("ok", Some("keep-alive"))
        );
    }
    client.send(request("chunks", "Connection: keep-alive\r\n").as_bytes());
    let text = String::from_utf8(client.rest()).unwrap();
    assert!(
        text.ends_with("\r\n\r\nok") && !text.contains("chunked"),
        "{text}"
    );
    let mut client = bench.connect();
    client.send(request("1", "").as_bytes());
    assert_eq!(client.answer().field("connection"), Some("close"));
    assert_eq!(client.rest(), b"");
}

#[test]
fn what_is_left_of_a_refused_body_does_not_become_a_request() {
    let upstream = Upstream::simple();
    let bench = Bench::new(&upstream.urls());
    let mut client = bench.connect();
    let smuggled = "GET /shop/pets HTTP/1.1\r\nHost: g\r\n\r\n";
    // All of it is there: it is read over, and the connection goes on.
    let head = format!(
        "POST /shop/pets HTTP/1.1\r\nHost: g\r\nContent-Length: {}\r\n\r\n",
        smuggled.len()
    );
    for _ in 0..2 {
        client.send((head.clone() + smuggled).as_bytes());
        let answer = client.answer();
        assert_eq!(
            (answer.problem().as_str(), answer.field("connection")),
            ("401 key_missing", None)
        );
    }
    // The rest may take forever: the connection ends.
    client.send(
        format!("POST /shop/pets HTTP/1.1\r\nHost: g\r\nContent-Length: 1000\r\n\r\n{smuggled}").as_bytes(),
    );
    let answer = client.answer();
    assert_eq!(
        (answer.problem().as_str(), answer.field("connection")),
        ("401 key_missing", Some("close"))
    );
    assert_eq!(client.rest(), b"");
    assert!(upstream.received().is_empty());
}

#[test]
fn aging_versions_say_so() {
    let upstream = Upstream::simple();
    let bench = Bench::with(&upstream.urls(), |_, snapshot| {
        let route = &mut snapshot.routes[0];
        route.stage = domain::catalog::Stage::Deprecated;
        route.deprecated_at = Some("2026-01-01T00:00:00Z".parse().unwrap());
        route.sunset_at = Some("2027-01-01T00:00:00Z".parse().unwrap());
    });
    let answer = bench.get("/shop/pets");
    assert_eq!(answer.field("deprecation"), Some("@1767225600"));
    assert_eq!(answer.field("sunset"), Some("Fri, 01 Jan 2027 00:00:00 GMT"));
    bench.change(|snapshot| snapshot.routes[0].stage = domain::catalog::Stage::Retired);
    assert_eq!(bench.get("/shop/pets").problem(), "410 api_retired");
}

#[test]
fn the_node_tells_how_it_is() {
    let upstream = Upstream::simple();
    let bench = Bench::new(&upstream.urls());
    assert_eq!(bench.get("/health/live").status, 200);
    assert_eq!(
        bench.get("/health/ready").text(),
        r#"{"status":"ready","missing":[],"warnings":[]}"#
    );
    bench.get("/shop/pets");
    let text = bench.get("/metrics");
    assert!(
        text.text().contains("gateline_snapshot_revision 1\n"),
        "{}",
        text.text()
    );
    bench.send(|snapshot| {
        snapshot.routes[0].upstream = Some(domain::id::UpstreamId::new(uuid::Uuid::from_u128(1)));
    });
    crate::bench::eventually(|| bench.get("/health/ready").status == 503);
    assert!(
        bench
            .get("/health/ready")
            .text()
            .contains("snapshot 2 was rejected: route rte_")
    );
    assert_eq!(
        bench.get("/shop/pets").status,
        200,
        "the old snapshot is still served"
    );
}

#[test]
fn a_route_of_all_paths_leaves_the_node_its_own() {
    let upstream = Upstream::simple();
    let bench = Bench::with(&upstream.urls(), |_, snapshot| {
        snapshot.routes[0].base_path = "/".to_owned();
    });
    assert_eq!(bench.get("/pets").status, 200);
    assert_eq!(upstream.last().line, "GET /base/pets HTTP/1.1");
    assert_eq!(
        bench.get("/health/ready").text(),
        r#"{"status":"ready","missing":[],"warnings":[]}"#
    );
}
