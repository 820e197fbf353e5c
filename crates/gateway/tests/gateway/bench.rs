//! A gateway, an upstream and a client, for a test.

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use domain::Snapshot;
use domain::catalog::Stage;
use domain::consumer::{KeyState, SubscriptionState};
use domain::id::{
    ApiId, ApplicationId, KeyId, OperationId, OrganizationId, PlanId, ProductId, RouteId, SdkKeyId,
    SubscriptionId, UpstreamId, VersionId,
};
use domain::release::Importance;
use domain::routing::Match;
use domain::snapshot::{
    Application, Key, Operation, Plan, Policy, Product, Route, SdkKey, Subscription,
    Upstream as UpstreamEntry,
};
use domain::tracking::SdkKeyKind;
use domain::traffic::{Target, UpstreamSpec};
use events::ring::{Drain, WhenFull, ring};
use events::{Event, Ingest};
use gateway::{Gateway, Inheritance, Records, Settings};
use serde_json::json;
use tokio::sync::watch;
use uuid::Uuid;

/// Longer than anything here takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A gateway in front of one upstream, with the API `shop`.
pub(crate) struct Bench {
    pub(crate) gateway: Option<Gateway>,
    pub(crate) snapshots: watch::Sender<Arc<Snapshot>>,
    pub(crate) key: String,
    drains: Vec<Drain>,
    data: tempfile::TempDir,
}

impl Bench {
    /// Starts a gateway for upstreams at these URLs.
    pub(crate) fn new(urls: &[String]) -> Self {
        Self::with(urls, |_, _| {})
    }

    /// Starts a gateway whose settings and snapshot were changed before.
    pub(crate) fn with(urls: &[String], change: impl FnOnce(&mut Settings, &mut Snapshot)) -> Self {
        Self::try_with(urls, change).unwrap_or_else(|error| panic!("{error}"))
    }

    pub(crate) fn try_with(
        urls: &[String],
        change: impl FnOnce(&mut Settings, &mut Snapshot),
    ) -> Result<Self, gateway::Error> {
        let (mut snapshot, key) = snapshot(urls);
        let mut settings = Settings {
            listen: "127.0.0.1:0".parse().unwrap(),
            cores: 2,
            ..Settings::default()
        };
        change(&mut settings, &mut snapshot);
        Self::start(&mut Inheritance::default(), settings, (snapshot, key), None)
    }

    /// Starts a gateway that records tracked events.
    pub(crate) fn recording(
        urls: &[String],
        ingest: Ingest,
        change: impl FnOnce(&mut Settings, &mut Snapshot),
    ) -> Self {
        let (mut snapshot, key) = snapshot(urls);
        let mut settings = Settings {
            listen: "127.0.0.1:0".parse().unwrap(),
            cores: 2,
            ..Settings::default()
        };
        change(&mut settings, &mut snapshot);
        let started = Self::start(
            &mut Inheritance::default(),
            settings,
            (snapshot, key),
            Some(ingest),
        );
        started.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Starts a gateway with the sockets of another one.
    pub(crate) fn after(
        before: &mut Inheritance,
        urls: &[String],
        change: impl FnOnce(&mut Settings, &mut Snapshot),
    ) -> Self {
        let (mut snapshot, key) = snapshot(urls);
        let mut settings = Settings {
            cores: 2,
            ..Settings::default()
        };
        change(&mut settings, &mut snapshot);
        Self::start(before, settings, (snapshot, key), None).unwrap_or_else(|error| panic!("{error}"))
    }

    fn start(
        before: &mut Inheritance,
        settings: Settings,
        (snapshot, key): (Snapshot, String),
        ingest: Option<Ingest>,
    ) -> Result<Self, gateway::Error> {
        let data = tempfile::tempdir().unwrap();
        let (recorders, drains): (Vec<_>, Vec<_>) =
            (0..settings.cores).map(|_| ring(10_000, WhenFull::Serve)).unzip();
        let mut recorders = recorders.into_iter();
        let records = Records {
            recorder: Box::new(move || recorders.next().expect("one per core")),
            log: None,
            counts: Vec::new(),
            ingest,
        };
        let (snapshots, receiver) = watch::channel(Arc::new(snapshot));
        let gateway = gateway::start_after(before, settings, data.path(), records, receiver)?;
        Ok(Self {
            gateway: Some(gateway),
            snapshots,
            key,
            drains,
            data,
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.gateway.as_ref().unwrap().addresses().plain
    }

    pub(crate) fn data(&self) -> &std::path::Path {
        self.data.path()
    }

    /// A connection to the gateway.
    pub(crate) fn connect(&self) -> Client {
        Client::connect(self.address())
    }

    /// One request on a connection of its own; `head` are further header lines.
    pub(crate) fn call(&self, method: &str, path: &str, head: &str, body: &str) -> Answer {
        let length = if body.is_empty() {
            String::new()
        } else {
            format!("Content-Length: {}\r\n", body.len())
        };
        let key = &self.key;
        let text = format!(
            "{method} {path} HTTP/1.1\r\nHost: gateway.test\r\nX-API-Key: {key}\r\nConnection: close\r\n{length}{head}\r\n{body}"
        );
        let mut client = self.connect();
        client.send(text.as_bytes());
        client.answer_to(method)
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.call("GET", path, "", "")
    }

    /// The next record; waits for it.
    pub(crate) fn record(&self) -> events::Call {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(Event::Call(call)) = self.drains.iter().find_map(Drain::pop) {
                return call;
            }
            assert!(Instant::now() < until, "no record came");
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// How many cores have recorded calls; takes the records.
    pub(crate) fn busy_cores(&self) -> usize {
        let is_busy = |drain: &&Drain| std::iter::from_fn(|| drain.pop()).count() > 0;
        self.drains.iter().filter(is_busy).count()
    }

    /// Serves another snapshot, and waits until every core does.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Snapshot)) {
        self.send(change);
        let wanted = self.snapshots.borrow().revision;
        eventually(|| self.revision() == wanted);
        // The cores follow the node within a wake-up.
        thread::sleep(Duration::from_millis(20));
    }

    /// The revision that is served; 0 for none.
    pub(crate) fn revision(&self) -> u64 {
        let gateway = self.gateway.as_ref().unwrap();
        gateway.status().revision.unwrap_or(0)
    }

    pub(crate) fn send(&self, change: impl FnOnce(&mut Snapshot)) {
        self.snapshots.send_modify(|snapshot| {
            let snapshot = Arc::make_mut(snapshot);
            snapshot.revision += 1;
            change(snapshot);
        });
    }

    /// The value of a figure without labels.
    pub(crate) fn figure(&self, name: &str) -> u64 {
        let text = self.gateway.as_ref().unwrap().metrics();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(&format!("gateline_{name} ")));
        line.unwrap_or_else(|| panic!("no figure {name}"))
            .parse()
            .unwrap()
    }
}

/// Waits until something is so.
pub(crate) fn eventually(mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < until, "it did not come to that");
        thread::sleep(Duration::from_millis(2));
    }
}

/// An id by its number.
pub(crate) fn id(number: u128) -> Uuid {
    Uuid::from_u128(0x0189_0a5d_ac96_774b_bcce_0000_0000_0000 + number)
}

/// The API `shop` with a few operations, and a key for it.
pub(crate) fn snapshot(urls: &[String]) -> (Snapshot, String) {
    let environment: domain::Name = "sandbox".parse().unwrap();
    let key_id = KeyId::new(id(1));
    let key = domain::key::write(&environment, key_id.uuid(), [9; 32]).unwrap();
    let hash = domain::key::hash(key.as_bytes());
    let (plan, application) = (PlanId::new(id(3)), ApplicationId::new(id(4)));
    let route = route();
    let snapshot = Snapshot {
        revision: 1,
        upstreams: vec![UpstreamEntry {
            id: route.upstream.expect("it is forwarded"),
            spec: UpstreamSpec {
                idle_connections_max: 8,
                ..UpstreamSpec::new("shop".parse().unwrap(), urls.iter().map(Target::new).collect())
            },
        }],
        plans: vec![Plan {
            id: plan,
            name: "free".parse().unwrap(),
            rate_limit: None,
            quota: None,
            concurrent_calls_max: None,
            tier_costs: None,
            when_store_is_away: Default::default(),
        }],
        applications: vec![Application {
            id: application,
            organization: OrganizationId::new(id(9)),
        }],
        products: vec![Product {
            id: ProductId::new(id(11)),
            versions: vec![route.version],
        }],
        subscriptions: vec![Subscription {
            id: SubscriptionId::new(id(10)),
            application,
            product: ProductId::new(id(11)),
            plan,
            state: SubscriptionState::Active,
        }],
        keys: vec![Key {
            id: key_id,
            hash,
            application,
            state: KeyState::Active,
            expires_at: None,
        }],
        routes: vec![route],
        ..Snapshot::empty(environment)
    };
    (snapshot, key)
}

fn route() -> Route {
    let operations = [
        ("GET", "/pets"),
        ("POST", "/pets"),
        ("GET", "/pets/{id}"),
        ("DELETE", "/pets/{id}"),
        ("PUT", "/pets/{id}"),
        ("GET", "/"),
    ];
    let operations = operations
        .iter()
        .enumerate()
        .map(|(index, (method, path))| Operation {
            id: OperationId::new(id(100 + index as u128)),
            method: (*method).to_owned(),
            path: (*path).to_owned(),
        });
    Route {
        id: RouteId::new(id(6)),
        organization: OrganizationId::new(id(7)),
        api: ApiId::new(id(8)),
        api_name: "shop".parse().unwrap(),
        version: VersionId::new(id(2)),
        stage: Stage::Stable,
        deprecated_at: None,
        sunset_at: None,
        host: None,
        base_path: "/shop".to_owned(),
        matches: Match::default(),
        priority: 0,
        upstream: Some(UpstreamId::new(id(5))),
        split: None,
        redirect: None,
        answer: None,
        rewrite: None,
        connect: None,
        mirror: None,
        importance: Importance::default(),
        body_bytes_max: 1 << 20,
        operations: operations.collect(),
        policies: vec![policy("key_auth", json!({}))],
    }
}

pub(crate) fn policy(kind: &str, config: serde_json::Value) -> Policy {
    Policy {
        id: None,
        operation: None,
        kind: kind.to_owned(),
        config,
        audience: None,
    }
}

/// What an upstream got.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) line: String,
    pub(crate) fields: Fields,
    pub(crate) body: Vec<u8>,
}

/// Header fields, names in lower case; several of one name are joined.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fields(pub(crate) HashMap<String, String>);

impl Fields {
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

/// A small service; every request is noted.
#[derive(Clone)]
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
    connections: Arc<AtomicUsize>,
    open: Arc<AtomicUsize>,
}

impl Upstream {
    /// Answers every request with what `answer` writes; the connection is closed when it says so.
    pub(crate) fn start(answer: impl Fn(&Received, &mut TcpStream) -> bool + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let upstream = Self {
            address: listener.local_addr().unwrap(),
            received: Arc::default(),
            connections: Arc::default(),
            open: Arc::default(),
        };
        let (started, answer) = (upstream.clone(), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (upstream, answer) = (upstream.clone(), Arc::clone(&answer));
                upstream.connections.fetch_add(1, Ordering::SeqCst);
                thread::spawn(move || {
                    upstream.open.fetch_add(1, Ordering::SeqCst);
                    upstream.serve(stream, &*answer);
                    upstream.open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        started
    }

    /// Answers 200 with a short text.
    pub(crate) fn simple() -> Self {
        Self::start(|_, stream| reply(stream, "200 OK", "Content-Type: text/plain\r\n", "hello"))
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/base", self.address)
    }

    pub(crate) fn urls(&self) -> Vec<String> {
        vec![self.url()]
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    pub(crate) fn last(&self) -> Received {
        self.received().pop().expect("the upstream got something")
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    fn serve(&self, mut stream: TcpStream, answer: &dyn Fn(&Received, &mut TcpStream) -> bool) {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut bytes = Vec::new();
        while let Some((line, fields)) = read_head(&mut stream, &mut bytes) {
            let body = read_body(&mut stream, &mut bytes, &fields, false);
            let Some(body) = body else { return };
            let received = Received { line, fields, body };
            self.received.lock().unwrap().push(received.clone());
            if !answer(&received, &mut stream) {
                return;
            }
        }
    }
}

/// Writes an answer with a body of known length.
/// What a WebSocket's key is answered with: RFC 6455 section 4.2.2.
pub(crate) fn accept(key: &str) -> String {
    use base64::Engine as _;
    let text = format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes());
    base64::engine::general_purpose::STANDARD.encode(hash)
}

pub(crate) fn reply(stream: &mut TcpStream, status: &str, head: &str, body: &str) -> bool {
    let text = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\n{head}\r\n{body}",
        body.len()
    );
    stream.write_all(text.as_bytes()).is_ok()
}

/// A client that says exactly what it is told.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    pub(crate) bytes: Vec<u8>,
}

/// What a client got.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) fields: Fields,
    pub(crate) body: Vec<u8>,
    /// Whether the body came to its end.
    pub(crate) is_whole: bool,
}

impl Answer {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name)
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// Status and code of a problem: `401 key_missing`.
    pub(crate) fn problem(&self) -> String {
        let body: serde_json::Value = serde_json::from_slice(&self.body).unwrap_or_default();
        assert_eq!(
            self.field("content-type"),
            Some("application/problem+json"),
            "{self:?}"
        );
        assert_eq!(body["status"], self.status);
        assert_eq!(body["request_id"].as_str(), self.field("x-request-id"));
        format!("{} {}", self.status, body["code"].as_str().unwrap())
    }
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).unwrap())
    }

    pub(crate) fn over(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            bytes: Vec::new(),
        }
    }

    /// Sends bytes; those that come too late for a node that has refused before are lost, as any client's
    /// would be: what it then reads says so.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        let sent = self.stream.write_all(bytes);
        let gone =
            |error: &io::Error| matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset);
        assert!(sent.as_ref().err().is_none_or(gone), "{sent:?}");
    }

    pub(crate) fn answer(&mut self) -> Answer {
        self.answer_to("GET")
    }

    /// Reads an answer; `None` if the connection ends before its head.
    pub(crate) fn try_answer(&mut self) -> Option<Answer> {
        let (line, fields) = read_head(&mut self.stream, &mut self.bytes)?;
        let status: u16 = line.split(' ').nth(1).unwrap().parse().unwrap();
        if matches!(status, 100..200 | 204 | 304) {
            return Some(Answer {
                status,
                fields,
                body: Vec::new(),
                is_whole: true,
            });
        }
        let body = read_body(&mut self.stream, &mut self.bytes, &fields, true);
        let is_whole = body.is_some();
        Some(Answer {
            status,
            fields,
            body: body.unwrap_or_default(),
            is_whole,
        })
    }

    /// Reads the head of an answer; what follows is left.
    pub(crate) fn head(&mut self) -> Answer {
        let (line, fields) = read_head(&mut self.stream, &mut self.bytes).expect("an answer");
        Answer {
            status: line.split(' ').nth(1).unwrap().parse().unwrap(),
            fields,
            body: Vec::new(),
            is_whole: true,
        }
    }

    pub(crate) fn answer_to(&mut self, method: &str) -> Answer {
        if method == "HEAD" {
            let mut answer = self.head();
            answer.body = self.rest();
            return answer;
        }
        self.try_answer().expect("an answer")
    }

    /// Reads what has to come next.
    pub(crate) fn expect(&mut self, wanted: &[u8]) {
        while self.bytes.len() < wanted.len() {
            more(&mut self.stream, &mut self.bytes).expect("more bytes");
        }
        let rest = self.bytes.split_off(wanted.len());
        let found = std::mem::replace(&mut self.bytes, rest);
        assert_eq!(
            found.escape_ascii().to_string(),
            wanted.escape_ascii().to_string()
        );
    }

    /// What comes until the connection ends.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        let mut rest = std::mem::take(&mut self.bytes);
        let _ = self.stream.read_to_end(&mut rest);
        rest
    }

    pub(crate) fn close(self) {
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

fn more(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<()> {
    let mut piece = [0; 65_536];
    let length = stream.read(&mut piece).ok().filter(|length| *length > 0)?;
    bytes.extend_from_slice(&piece[..length]);
    Some(())
}

fn read_head(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<(String, Fields)> {
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        more(stream, bytes)?;
    };
    let head: Vec<u8> = bytes.drain(..end).collect();
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.trim_end().split("\r\n");
    let line = lines.next().unwrap().to_owned();
    let mut fields: HashMap<String, String> = HashMap::new();
    for (name, value) in lines.map(|line| line.split_once(':').unwrap()) {
        let value = value.trim();
        let known = fields.entry(name.to_ascii_lowercase());
        known
            .and_modify(|known| *known = format!("{known}, {value}"))
            .or_insert_with(|| value.to_owned());
    }
    Some((line, Fields(fields)))
}

/// Reads a body by its framing; `None` if it does not come to its end.
fn read_body(stream: &mut TcpStream, bytes: &mut Vec<u8>, fields: &Fields, to_end: bool) -> Option<Vec<u8>> {
    if fields.get("transfer-encoding").is_some() {
        let mut body = Vec::new();
        loop {
            let line = read_line(stream, bytes)?;
            let size = usize::from_str_radix(line.split(';').next().unwrap(), 16).unwrap();
            if size == 0 {
                while !read_line(stream, bytes)?.is_empty() {}
                return Some(body);
            }
            while bytes.len() < size + 2 {
                more(stream, bytes)?;
            }
            body.extend(bytes.drain(..size));
            bytes.drain(..2);
        }
    }
    let Some(length) = fields.get("content-length") else {
        if !to_end {
            return Some(Vec::new());
        }
        while more(stream, bytes).is_some() {}
        return Some(std::mem::take(bytes));
    };
    let length: usize = length.parse().unwrap();
    while bytes.len() < length {
        more(stream, bytes)?;
    }
    Some(bytes.drain(..length).collect())
}

fn read_line(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<String> {
    loop {
        if let Some(end) = bytes.windows(2).position(|two| two == b"\r\n") {
            let line: Vec<u8> = bytes.drain(..end + 2).collect();
            return Some(String::from_utf8(line[..end].to_vec()).unwrap());
        }
        more(stream, bytes)?;
    }
}

/// An SDK key of an organization; one of pages is for those of a shop.
pub(crate) fn sdk_key(text: &str, organization: u128, kind: SdkKeyKind) -> SdkKey {
    SdkKey {
        id: SdkKeyId::new(id(organization + 1)),
        hash: domain::key::hash(text.as_bytes()),
        organization: OrganizationId::new(id(organization)),
        kind,
        encrypt_payload: false,
        rate_limit: None,
        origins: match kind {
            SdkKeyKind::Client => vec!["https://shop.example".to_owned()],
            SdkKeyKind::Server => Vec::new(),
        },
        state: KeyState::Active,
        expires_at: None,
    }
}
