//! A gateway and the services behind it, for one look at a field.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use domain::id::{RouteId, UpstreamId};
use domain::snapshot::Route;
use domain::traffic::{Target, UpstreamSpec};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use pki::testing::Pair;
use serde_json::{Value, json};

use super::merge;
use crate::bench::{Answer, Bench, Received, Upstream, id, reply};
use crate::certificates::authority;
use crate::names::Names;
use crate::tls_out::Service;

/// How long it is waited for what is not to come.
pub(super) const A_WHILE: Duration = Duration::from_millis(700);

/// A gateway and what is around it.
///
/// In the configuration `$a`, `$b` and `$f` are the URLs of three services, the last of which fails always; `$sick`
/// one whose checks fail; `$tls` one with TLS, whose certificate is `$roots`; `$nobody` has no service; `$dir/…` is
/// a file of its own. Spans may go to `$otlp`, to `$otlps`, which has TLS as `$rediss` has, or to `$silent`.
pub(super) struct World {
    pub(super) bench: Bench,
    pub(super) a: Upstream,
    pub(super) b: Upstream,
    pub(super) f: Upstream,
    /// Whether `b` says at its checks that it is well.
    pub(super) is_well: Arc<AtomicBool>,
    /// A certificate that a client may show.
    pub(super) client: Pair,
    /// What somebody who may be taken for Redis was told, or for a receiver of spans.
    pub(super) store: Arc<Mutex<Vec<u8>>>,
    /// A receiver of spans.
    pub(super) spans: Upstream,
    /// Somebody behind TLS whose certificate is `$dir/closed.pem`.
    pub(super) closed: Service,
    _directory: tempfile::TempDir,
}

/// A service that does what the query of a call says, and tells what it got.
fn service(name: &'static str, is_well: Arc<AtomicBool>) -> Upstream {
    let (calls, fails) = (AtomicUsize::new(0), name == "f");
    Upstream::start(move |received, stream| {
        let number = calls.fetch_add(1, Ordering::SeqCst);
        let asked = asked(&received.line);
        let milliseconds = |word: &str| asked.get(word).and_then(|value| value.parse().ok());
        if asked.get("only").is_none_or(|only| only == name)
            && let Some(slow) = milliseconds("slow")
        {
            thread::sleep(Duration::from_millis(slow));
        }
        if received.line.contains("/down") {
            return reply(stream, "500 Sick", "", "bad");
        }
        if received.line.contains("/up") {
            if received.line.contains("-late") {
                thread::sleep(Duration::from_millis(400));
            }
            let status = if is_well.load(Ordering::SeqCst) {
                "200 OK"
            } else {
                "500 Sick"
            };
            return reply(stream, status, "", "fine");
        }
        if received.fields.get("upgrade") == Some("websocket") {
            return echo(stream);
        }
        let count = milliseconds("first").unwrap_or(u64::MAX);
        if asked.contains_key("cut") && (number as u64) < count {
            return false;
        }
        if fails || (asked.contains_key("fail") && (number as u64) < count) {
            return reply(stream, "503 Busy", "", name);
        }
        if let Some(drip) = milliseconds("drip") {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
            thread::sleep(Duration::from_millis(drip));
            return stream.write_all(b"hello").is_ok();
        }
        reply(stream, "200 OK", "X-Service: yes\r\n", &said(name, received))
    })
}

/// The parameters of a request line.
fn asked(line: &str) -> BTreeMap<String, String> {
    let target = line.split(' ').nth(1).unwrap_or_default();
    let query = target.split_once('?').map_or("", |(_, query)| query);
    let pairs = query
        .split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// What a service got, without addresses, which differ from time to time.
fn said(name: &str, received: &Received) -> String {
    let host = received.fields.get("host").unwrap_or_default();
    let host = if host.starts_with("127.") { "its own" } else { host };
    let mut said = format!("{name}: {} at {host}", received.line);
    for field in ["x-forwarded-for", "forwarded", "client-cert"] {
        if let Some(value) = received.fields.get(field) {
            // A certificate is made for every time.
            let value = if field == "client-cert" { "yes" } else { value };
            said += &format!(" {field}={value}");
        }
    }
    said
}

fn echo(stream: &mut TcpStream) -> bool {
    let head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    let _ = stream.write_all(head.as_bytes());
    let mut bytes = [0; 100];
    while let Ok(length @ 1..) = stream.read(&mut bytes) {
        let _ = stream.write_all(&bytes[..length]);
    }
    false
}

impl World {
    /// Starts everything; none if the gateway does not start.
    #[expect(clippy::too_many_lines, reason = "what a world is made of")]
    pub(super) fn new(config: &Value) -> Option<Self> {
        let well = || Arc::new(AtomicBool::new(true));
        let is_well = well();
        let [a, b, f, sick] = [
            service("a", well()),
            service("b", Arc::clone(&is_well)),
            service("f", well()),
            service("sick", Arc::new(AtomicBool::new(false))),
        ];
        let (tls, directory) = (Service::start(None, &["http/1.1"]), tempfile::tempdir().unwrap());
        let closed = Service::of(&["localhost", "127.0.0.1"], None, &["http/1.1"]);
        let client = write_files(directory.path(), &tls, &closed);
        let spans = Upstream::start(|_, stream| reply(stream, "200 OK", "", ""));
        let (redis, store) = ears();
        let names = Names::start(vec![crate::names::a(1)]);
        let fill = |config: &Value| {
            let mut text = config.to_string();
            for (name, value) in [
                ("$tls", tls.url.clone()),
                ("$roots", tls.pem.replace('\n', "\\n")),
                (
                    "$other_roots",
                    Pair::of(&["other.test"]).chain.replace('\n', "\\n"),
                ),
                ("$nobody", format!("http://{}", free())),
                ("$no_redis", format!("redis://{}", free())),
                ("$grpc", format!("http://{}", http2())),
                ("$names", names.address.to_string()),
                ("$named", format!("http://shop.test:{}/base", a.address.port())),
                ("$redis", format!("redis://{redis}")),
                ("$silent", format!("http://{redis}")),
                (
                    "$rediss",
                    closed.url.replace("https://localhost", "rediss://127.0.0.1"),
                ),
                ("$otlps", closed.url.clone()),
                ("$otlp", spans.url()),
                ("$dir", directory.path().display().to_string()),
                ("$sick", sick.url()),
                ("$a", a.url()),
                ("$b", b.url()),
                ("$f", f.url()),
            ] {
                text = text.replace(&format!("\"{name}\""), &format!("\"{value}\""));
                text = text.replace(&format!("\"{name}/"), &format!("\"{value}/"));
            }
            let port = sick.address.port().to_string();
            serde_json::from_str::<Value>(&text.replace("\"$sick_port\"", &port)).unwrap()
        };
        let bench = Bench::try_with(&a.urls(), |settings, snapshot| {
            let config = fill(config);
            settings.cores = 1;
            let mut own = serde_json::to_value(&*settings).unwrap();
            merge(&mut own, config.get("settings").unwrap_or(&json!({})));
            let sealing = settings.sealing.clone();
            *settings = serde_json::from_value(own).unwrap();
            settings.sealing = sealing;
            let mut spec = serde_json::to_value(&snapshot.upstreams[0].spec).unwrap();
            merge(&mut spec, &json!({ "balancing": { "algorithm": "round_robin" } }));
            merge(&mut spec, &json!({ "retries": { "backoff_ms": 1 } }));
            merge(&mut spec, config.get("upstream").unwrap_or(&json!({})));
            snapshot.upstreams[0].spec = serde_json::from_value::<UpstreamSpec>(spec).unwrap();
            snapshot.upstreams.push(domain::snapshot::Upstream {
                id: UpstreamId::new(id(55)),
                spec: UpstreamSpec::new("second".parse().unwrap(), vec![Target::new(b.url())]),
            });
            let first = serde_json::to_value(&snapshot.routes[0]).unwrap();
            snapshot.routes[0] = route(first.clone(), &config["route"]);
            for (number, more) in (60..).zip(config["routes"].as_array().into_iter().flatten()) {
                let mut more = route(first.clone(), more);
                more.id = RouteId::new(id(number));
                snapshot.routes.push(more);
            }
        });
        Some(Self {
            bench: bench.ok()?,
            a,
            b,
            f,
            is_well,
            client,
            store,
            spans,
            closed,
            _directory: directory,
        })
    }

    /// Status, what matters of the head, and the body of an answer; the code of a problem.
    pub(super) fn call(&self, method: &str, path: &str, head: &str, body: &str) -> String {
        shown(&self.bench.call(method, path, head, body))
    }

    pub(super) fn get(&self, path: &str) -> String {
        self.call("GET", path, "", "")
    }

    /// The statuses of so many calls at a time, the smallest first.
    pub(super) fn many(&self, count: usize, path: &str) -> String {
        thread::scope(|scope| {
            let calls: Vec<_> = (0..count)
                .map(|_| scope.spawn(|| self.bench.get(path).status))
                .collect();
            let mut statuses: Vec<_> = calls.into_iter().map(|call| call.join().unwrap()).collect();
            statuses.sort_unstable();
            format!("{statuses:?}")
        })
    }

    /// The statuses of calls one after the other.
    pub(super) fn row(&self, count: usize, path: &str) -> String {
        let statuses: Vec<_> = (0..count).map(|_| self.bench.get(path).status).collect();
        format!("{statuses:?}")
    }

    /// How many calls `a`, `b` and `f` got, checks left out.
    pub(super) fn counts(&self) -> [usize; 3] {
        [&self.a, &self.b, &self.f].map(|service| {
            let received = service.received();
            received.iter().filter(|one| !one.line.contains("/up")).count()
        })
    }

    /// What is known of the first target after its first check.
    pub(super) fn checked(&self) -> String {
        let mut checked = String::new();
        crate::bench::eventually(|| {
            checked = self.page()["targets"][0]["checked"].to_string();
            checked.contains("healthy")
        });
        checked
    }

    /// What `/health/upstreams` says of the upstream.
    pub(super) fn page(&self) -> Value {
        let page = self.bench.get("/health/upstreams");
        let page: Value = serde_json::from_str(page.text()).unwrap();
        page["data"][0].clone()
    }

    pub(super) fn key(&self) -> &str {
        &self.bench.key
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.bench.address()
    }

    /// The TLS listener.
    pub(super) fn secure(&self) -> SocketAddr {
        self.bench.gateway.as_ref().unwrap().addresses().tls.unwrap()
    }

    /// The last of all listeners.
    pub(super) fn last_listener(&self) -> SocketAddr {
        *self.bench.gateway.as_ref().unwrap().listening().last().unwrap()
    }
}

/// Whether something comes to be so within a while.
pub(super) fn soon(is_so: impl FnMut() -> bool) -> &'static str {
    within(A_WHILE, is_so)
}

/// Whether something comes to be so within a time.
pub(super) fn within(time: Duration, mut is_so: impl FnMut() -> bool) -> &'static str {
    let until = Instant::now() + time;
    while Instant::now() < until {
        if is_so() {
            return "soon";
        }
        thread::sleep(Duration::from_millis(5));
    }
    "not soon"
}

pub(super) fn shown(answer: &Answer) -> String {
    let mut text = answer.status.to_string();
    for field in ["location", "content-type", "x-a", "retry-after"] {
        if let Some(value) = answer.field(field) {
            text += &format!(" {field}={value}");
        }
    }
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    text += " ";
    text += body["code"].as_str().unwrap_or_else(|| answer.text());
    if !answer.is_whole {
        text += " (cut off)";
    }
    text
}

/// A route with what is changed in it, as the API names it.
fn route(mut first: Value, change: &Value) -> Route {
    let mut change = change.clone();
    for (field, own) in [("upstream_id", "upstream"), ("version_id", "version")] {
        if let Some(value) = change
            .as_object_mut()
            .and_then(|change| change.shift_remove(field))
        {
            change[own] = value;
        }
    }
    if !change.is_null() {
        merge(&mut first, &change);
    }
    serde_json::from_value(first).unwrap()
}

/// An address where nobody listens.
pub(super) fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Somebody who takes connections and says nothing, and what everybody says to them.
fn ears() -> (SocketAddr, Arc<Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, heard) = (listener.local_addr().unwrap(), Arc::<Mutex<Vec<u8>>>::default());
    let hearing = Arc::clone(&heard);
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let heard = Arc::clone(&hearing);
            thread::spawn(move || {
                let mut bytes = [0; 1000];
                while let Ok(length @ 1..) = stream.read(&mut bytes) {
                    heard.lock().unwrap().extend_from_slice(&bytes[..length]);
                }
            });
        }
    });
    (address, heard)
}

/// A service that speaks HTTP/2, takes its time, and says that `shop` is well and nobody else.
fn http2() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let serve = |request: Request<Incoming>| async move {
        if request.uri().path() != "/grpc.health.v1.Health/Check" {
            tokio::time::sleep(Duration::from_millis(300)).await;
            return Ok::<_, Infallible>(Response::new(Full::from("late")));
        }
        let asked = request.into_body().collect().await.unwrap().to_bytes();
        let status = if asked.ends_with(b"shop") { 1 } else { 2 };
        let body = Full::new(Bytes::from(vec![0, 0, 0, 0, 2, 8, status]));
        Ok(Response::builder().header("grpc-status", "0").body(body).unwrap())
    };
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                let serving = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                tokio::spawn(serving.serve_connection(TokioIo::new(stream), service_fn(serve)));
            }
        });
    });
    address
}

/// Certificates and other files that configurations name; the client certificate that `clients.pem` has signed.
fn write_files(directory: &std::path::Path, tls: &Service, closed: &Service) -> Pair {
    let write = |name: &str, text: &str| std::fs::write(directory.join(name), text).unwrap();
    let ((root, client), (other_root, _)) = (authority(), authority());
    let (own, other) = (Pair::of(&["own.test"]), Pair::of(&["other.test"]));
    for (name, pair) in [("own", &own), ("other", &other), ("client", &client)] {
        write(&format!("{name}.pem"), &pair.chain);
        write(&format!("{name}.key"), &pair.key);
    }
    write("double.pem", &format!("{}{}", client.chain, root));
    write("clients.pem", &root);
    write("other-clients.pem", &other_root);
    write("service.pem", &tls.pem);
    write("closed.pem", &closed.pem);
    write("fields", "X-Token: secret\n");
    write("password", "secret");
    client
}
