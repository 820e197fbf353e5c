//! Mirrors: what gets there, what callers notice of it, and what is found to differ.

use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use domain::id::UpstreamId;
use domain::node::MirrorFigures;
use domain::release::Mirror;
use domain::snapshot::Upstream as UpstreamEntry;
use domain::traffic::{Target, UpstreamSpec};
use serde_json::{Value, json};

use crate::bench::{Answer, Bench, Received, Upstream, eventually, id, reply};
use crate::observing::next;

const MIRROR: u128 = 77;

/// A gateway in front of a service, with a mirror of everything but for what is said.
struct Mirrored {
    bench: Bench,
    real: Upstream,
    mirror: Upstream,
}

impl Mirrored {
    fn new(real: Upstream, mirror: Upstream, change: &Value) -> Self {
        let bench = Bench::with(&real.urls(), |settings, snapshot| {
            settings.cores = 1;
            snapshot.upstreams.push(UpstreamEntry {
                id: UpstreamId::new(id(MIRROR)),
                spec: UpstreamSpec::new("shadow".parse().unwrap(), vec![Target::new(mirror.url())]),
            });
            snapshot.routes[0].mirror = Some(spec(change));
        });
        Self { bench, real, mirror }
    }

    fn simple(change: &Value) -> Self {
        Self::new(Upstream::simple(), Upstream::simple(), change)
    }

    fn call(&self, method: &str, head: &str, body: &str) -> Answer {
        let path = if method == "PUT" {
            "/shop/pets/1"
        } else {
            "/shop/pets"
        };
        self.bench.call(method, path, head, body)
    }

    fn figure(&self, name: &str, label: &str) -> u64 {
        let route = self.bench.snapshots.borrow().routes[0].id;
        self.bench
            .figure(&format!("mirror_{name}_total{{route=\"{route}\",{label}}}"))
    }

    fn calls(&self, outcome: &str) -> u64 {
        self.figure("calls", &format!("outcome=\"{outcome}\""))
    }

    /// What the node's page says of its mirror.
    fn page(&self) -> Value {
        let page: Value = serde_json::from_slice(&self.bench.get("/health/mirrors").body).unwrap();
        page["data"][0].clone()
    }

    fn copies(&self, count: usize) -> Vec<Received> {
        eventually(|| self.mirror.received().len() >= count);
        self.mirror.received()
    }
}

fn spec(change: &Value) -> Mirror {
    let mut mirror = json!({ "upstream_id": UpstreamId::new(id(MIRROR)) });
    for (name, value) in change.as_object().unwrap() {
        mirror[name] = value.clone();
    }
    serde_json::from_value(mirror).unwrap()
}

/// A service that answers when it is told to.
fn held() -> (Upstream, mpsc::Sender<()>) {
    let (release, wait) = mpsc::channel::<()>();
    let wait = Arc::new(Mutex::new(wait));
    let upstream = Upstream::start(move |_, stream| {
        let _ = wait.lock().unwrap().recv();
        reply(stream, "200 OK", "", "late")
    });
    (upstream, release)
}

#[test]
fn a_copy_is_the_call_without_credentials_and_marked() {
    let mirrored = Mirrored::simple(&json!({}));
    let head =
        "Authorization: Bearer x\r\nCookie: a=b\r\nX-Own: 1\r\nGateline-Mirror: ?0\r\nX-Request-ID: r-1\r\n";
    assert_eq!(
        mirrored.bench.call("GET", "/shop/pets?page=2", head, "").text(),
        "hello"
    );
    let copy = mirrored.copies(1).remove(0);
    let real = mirrored.real.last();
    assert_eq!(
        (copy.line.as_str(), copy.line.as_str()),
        ("GET /base/pets?page=2 HTTP/1.1", real.line.as_str())
    );
    assert_eq!(copy.fields.get("gateline-mirror"), Some("?1"));
    for name in ["authorization", "cookie", "x-api-key"] {
        assert_eq!(copy.fields.get(name), None, "{name}");
    }
    for name in [
        "x-own",
        "x-request-id",
        "x-gateline-application",
        "x-gateline-plan",
        "x-forwarded-for",
        "via",
    ] {
        assert_eq!(copy.fields.get(name), real.fields.get(name), "{name}");
    }
    assert_eq!(real.fields.get("authorization"), Some("Bearer x"));
    assert_eq!(real.fields.get("gateline-mirror"), None);

    mirrored
        .bench
        .change(|snapshot| snapshot.routes[0].mirror = Some(spec(&json!({ "send_credentials": true }))));
    mirrored.call("GET", head, "");
    let copy = mirrored.copies(2).remove(1);
    assert_eq!(
        (copy.fields.get("authorization"), copy.fields.get("cookie")),
        (Some("Bearer x"), Some("a=b"))
    );
    assert_eq!(copy.fields.get("x-api-key"), None);
}

#[test]
fn methods_and_a_share_decide_what_is_copied() {
    let safe = Mirrored::simple(&json!({}));
    assert_eq!(safe.call("POST", "", "abc").status, 200);
    assert_eq!(safe.call("GET", "", "").status, 200);
    assert_eq!(safe.copies(1)[0].line, "GET /base/pets HTTP/1.1");
    let half = Mirrored::simple(&json!({ "calls_per_10000": 5_000, "by": "header", "by_name": "x-user" }));
    for _ in 0..2 {
        for user in 0..40 {
            half.call("GET", &format!("X-User: u{user}\r\n"), "");
        }
    }
    // The same callers both times.
    let users = || {
        let copies = half.mirror.received();
        let users = copies
            .iter()
            .map(|copy| copy.fields.get("x-user").unwrap().to_owned());
        let mut users: Vec<_> = users.collect();
        users.sort();
        users
    };
    let is_paired = |users: &[String]| users.chunks(2).all(|pair| pair.len() == 2 && pair[0] == pair[1]);
    eventually(|| (10..70).contains(&users().len()) && is_paired(&users()));
}

#[test]
fn bodies_are_copied_while_they_pass_and_no_larger_than_allowed() {
    let mirrored = Mirrored::simple(&json!({ "methods": ["PUT"], "body_bytes_max": 10 }));
    for (count, body) in [(1, "abc"), (2, "0123456789")] {
        assert_eq!(mirrored.call("PUT", "", body).status, 200);
        // Copies of two calls may arrive in any order.
        assert_eq!(mirrored.copies(count)[count - 1].body, body.as_bytes());
    }
    // Known to be too large beforehand, and found out on the way.
    assert_eq!(mirrored.call("PUT", "", "0123456789a").status, 200);
    let mut client = mirrored.bench.connect();
    let key = &mirrored.bench.key;
    let head = format!(
        "PUT /shop/pets/1 HTTP/1.1\r\nHost: g\r\nX-API-Key: {key}\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    client.send(head.as_bytes());
    client.send(b"6\r\n012345\r\n6\r\n678901\r\n0\r\n\r\n");
    assert_eq!(client.answer().status, 200);
    assert_eq!(mirrored.real.last().body, b"012345678901");
    eventually(|| mirrored.calls("too_large") == 2);
    // Chunks that fit arrive as one.
    client.send(head.as_bytes());
    client.send(b"2\r\nab\r\n2\r\ncd\r\n0\r\n\r\n");
    assert_eq!(client.answer().status, 200);
    assert_eq!(mirrored.copies(3)[2].body, b"abcd");
}

#[test]
fn a_caller_who_breaks_off_leaves_no_copy() {
    let mirrored = Mirrored::simple(&json!({ "methods": ["PUT"], "in_flight_max": 1 }));
    let mut client = mirrored.bench.connect();
    let key = &mirrored.bench.key;
    let head =
        format!("PUT /shop/pets/1 HTTP/1.1\r\nHost: g\r\nX-API-Key: {key}\r\nContent-Length: 9\r\n\r\nabc");
    client.send(head.as_bytes());
    eventually(|| mirrored.bench.figure("requests_in_flight") == 1);
    client.close();
    eventually(|| mirrored.bench.figure("requests_in_flight") == 0);
    // Its place is free again.
    assert_eq!(mirrored.call("PUT", "", "xyz").status, 200);
    assert_eq!(mirrored.copies(1)[0].body, b"xyz");
    assert_eq!(mirrored.calls("no_room"), 0);
}

#[test]
fn a_slow_mirror_keeps_nobody_waiting_and_has_a_bound() {
    let (mirror, release) = held();
    let mirrored = Mirrored::new(Upstream::simple(), mirror, &json!({ "in_flight_max": 2 }));
    for _ in 0..20 {
        let answer = mirrored.call("GET", "", "");
        // The mirror has answered nothing so far.
        assert_eq!((answer.status, answer.text()), (200, "hello"));
    }
    eventually(|| mirrored.mirror.received().len() == 2);
    assert_eq!(mirrored.calls("no_room"), 18);
    assert_eq!(mirrored.bench.figure("requests_in_flight"), 0);
    (0..3).for_each(|_| release.send(()).unwrap());
    eventually(|| mirrored.calls("sent") == 2);
    eventually(|| {
        mirrored.call("GET", "", "");
        mirrored.mirror.received().len() >= 3
    });
}

#[test]
fn a_dead_mirror_harms_nobody() {
    let gone = Upstream::start(|_, _| false);
    let mirrored = Mirrored::new(Upstream::simple(), gone, &json!({ "compare": {} }));
    for _ in 0..10 {
        assert_eq!(mirrored.call("GET", "", "").status, 200);
    }
    eventually(|| mirrored.calls("failed") == 10);
    assert_eq!(mirrored.bench.figure("upstream_errors_total"), 0);
    assert_eq!(mirrored.figure("compared", "outcome=\"compared\""), 0);
}

#[test]
fn callers_who_get_nothing_are_compared_with_nothing() {
    let real = Upstream::start(|_, _| false);
    let mirrored = Mirrored::new(real, Upstream::simple(), &json!({ "compare": {} }));
    assert_eq!(mirrored.call("GET", "", "").status, 502);
    eventually(|| mirrored.calls("sent") == 1);
    mirrored.copies(1);
    assert_eq!(mirrored.figure("compared", "outcome=\"compared\""), 0);
}

#[test]
fn answers_that_differ_are_told_by_place_and_never_by_value() {
    let real = Upstream::start(|_, stream| {
        reply(
            stream,
            "200 OK",
            "Content-Type: application/json\r\nX-A: secret-1\r\n",
            r#"{"id":7,"name":"secret-2","at":1}"#,
        )
    });
    let mirror = Upstream::start(|received, stream| {
        let body = if received.line.contains("same") {
            r#"{ "at": 2, "id": 7, "name": "secret-2" }"#
        } else {
            r#"{"id":"7","at":2}"#
        };
        let status = if received.line.contains("status") {
            "201 Created"
        } else {
            "200 OK"
        };
        reply(
            stream,
            status,
            "Content-Type: application/json\r\nX-A: secret-1\r\n",
            body,
        )
    });
    let compare = json!({ "compare": { "ignore_json_pointers": ["/at"], "slower_percent": 100_000 } });
    let mirrored = Mirrored::new(real, mirror, &compare);
    for (path, compared) in [("/shop/pets?same", 1), ("/shop/pets?x=status", 2)] {
        let answer = mirrored.bench.call("GET", path, "X-Request-ID: the-call\r\n", "");
        assert_eq!((answer.status, answer.body.len()), (200, 33));
        eventually(|| mirrored.figure("compared", "outcome=\"compared\"") == compared);
    }
    assert_eq!(mirrored.figure("compared", "outcome=\"different\""), 1);
    for (kind, expected) in [("status", 1), ("headers", 0), ("body", 1), ("latency", 0)] {
        assert_eq!(
            mirrored.figure("differences", &format!("kind=\"{kind}\"")),
            expected,
            "{kind}"
        );
    }
    let page = mirrored.page();
    assert_eq!(
        (&page["compared_total"], &page["different_total"]),
        (&json!(2), &json!(1))
    );
    let told = &page["differences"][0];
    assert_eq!(
        (&told["request_id"], &told["method"]),
        (&json!("the-call"), &json!("GET"))
    );
    assert_eq!(told["status"], json!([200, 201]));
    let places = json!([{ "place": "/id", "kind": "type" }, { "place": "/name", "kind": "missing" }]);
    assert_eq!(told["body"], places);
    assert!(!page.to_string().contains("secret"), "{page}");
}

#[test]
fn as_many_copies_are_compared_as_is_said() {
    let mirrored = Mirrored::simple(&json!({ "compare": { "calls_per_10000": 1 } }));
    for _ in 0..40 {
        assert_eq!(mirrored.call("GET", "", "").status, 200);
    }
    eventually(|| mirrored.calls("sent") == 40);
    // That all of them were chosen does not happen.
    let compared = mirrored.figure("compared", "outcome=\"compared\"");
    assert!(compared < 10, "{compared}");
}

#[test]
fn a_mirror_that_is_much_slower_is_told() {
    let slow = Upstream::start(|_, stream| {
        thread::sleep(Duration::from_millis(60));
        reply(stream, "200 OK", "Content-Type: text/plain\r\n", "hello")
    });
    let compare = json!({ "compare": { "slower_percent": 1, "slower_min_ms": 20 } });
    let mirrored = Mirrored::new(Upstream::simple(), slow, &compare);
    let began = Instant::now();
    while mirrored.figure("differences", "kind=\"latency\"") == 0 {
        assert!(began.elapsed() < crate::bench::PATIENCE);
        mirrored.call("GET", "", "");
    }
    let (real, mirror) = (
        &mirrored.page()["differences"][0]["latency_us"][0],
        &mirrored.page()["differences"][0]["latency_us"][1],
    );
    assert!(real.as_u64().unwrap() + 20_000 <= mirror.as_u64().unwrap());
}

#[test]
fn an_answer_passes_unchanged_while_it_is_compared() {
    let large = "x".repeat(300_000);
    let body = large.clone();
    let real = Upstream::start(move |_, stream| reply(stream, "200 OK", "", &body));
    let mirrored = Mirrored::new(
        real,
        Upstream::simple(),
        &json!({ "compare": { "body_bytes_max": 1_000 } }),
    );
    let answer = mirrored.call("GET", "", "");
    assert_eq!(answer.body, large.as_bytes());
    // Of a body that is too large only the head is compared.
    eventually(|| mirrored.figure("compared", "outcome=\"compared\"") == 1);
    assert_eq!(mirrored.figure("differences", "kind=\"body\""), 0);
    assert_eq!(mirrored.figure("differences", "kind=\"headers\""), 1);
}

#[test]
fn the_control_plane_is_told_what_mirrors_have_counted() {
    let service = |body: &'static str| Upstream::start(move |_, stream| reply(stream, "200 OK", "", body));
    let change = json!({ "compare": {}, "methods": ["GET", "POST"], "body_bytes_max": 3 });
    let mirrored = Mirrored::new(service("blue"), service("green"), &change);
    let gateway = mirrored.bench.gateway.as_ref().unwrap();
    let mut teller = gateway.teller("sandbox".parse().unwrap());
    let first = next(&mut teller);
    assert!(first.health.is_some());
    let [route] = &*first.mirrors.unwrap().routes else {
        panic!("one mirror")
    };
    assert_eq!(route.route_id, mirrored.bench.snapshots.borrow().routes[0].id);
    assert_eq!(route.figures, MirrorFigures::default());
    for _ in 0..3 {
        mirrored.call("GET", "", "");
    }
    mirrored.call("POST", "", "too large");
    eventually(|| mirrored.figure("compared", "outcome=\"compared\"") == 3);
    let status = next(&mut teller);
    assert_eq!(status.health, None, "that has not changed");
    let told = status.mirrors.unwrap();
    let figures = told.routes[0].figures;
    assert_eq!(
        (figures.sent, figures.failed, figures.no_room, figures.too_large),
        (3, 0, 0, 1)
    );
    assert_eq!(
        (figures.compared, figures.different, figures.different_body),
        (3, 3, 3)
    );
    assert_eq!((figures.different_status, figures.different_latency), (0, 0));
    assert!(figures.sent_us > 0 && figures.compared_own_us > 0);
    assert_eq!(figures.compared_mirror_us, figures.sent_us);
    // A mirror that is gone is not told any more.
    mirrored.bench.change(|snapshot| snapshot.routes[0].mirror = None);
    let gone = loop {
        if let Some(mirrors) = next(&mut teller).mirrors {
            break mirrors;
        }
    };
    assert_eq!((gone.routes.len(), gone.left_out), (0, 0));
}
