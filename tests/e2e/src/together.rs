//! Four gateway nodes and one Redis: how many calls pass together, and what holds while it is away.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use domain::id::{
    ApiId, ApplicationId, KeyId, OperationId, OrganizationId, PlanId, ProductId, RouteId, SubscriptionId,
    UpstreamId, VersionId,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::program::{Running, ours};
use crate::harness::redis::Redis;

const NODES: usize = 4;
const SYNC_MS: u64 = 200;
/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn id<T>(make: fn(Uuid) -> T, number: u128) -> T {
    make(Uuid::from_u128(
        0x0189_0a5d_ac96_774b_bcce_0000_0000_0000 + number,
    ))
}

/// A service that answers everything with 200.
fn service() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || {
                let mut writer = stream.try_clone().unwrap();
                let mut lines = BufReader::new(stream).lines();
                while let Some(Ok(line)) = lines.next() {
                    let is_end = line.is_empty();
                    if is_end
                        && writer
                            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                            .is_err()
                    {
                        return;
                    }
                }
            });
        }
    });
    url
}

/// A snapshot with one application under a plan, and the operations of these paths with a policy each.
fn snapshot(plan: &Value, operations: &[(&str, Value)]) -> (Value, String) {
    let environment: domain::Name = "sandbox".parse().unwrap();
    let key_id = id(KeyId::new, 1);
    let key = domain::key::write(&environment, key_id.uuid(), [9; 32]).unwrap();
    let hash = domain::key::hash(key.as_bytes());
    let mut all = json!({ "id": id(PlanId::new, 3), "name": "free" });
    all.as_object_mut()
        .unwrap()
        .extend(plan.as_object().unwrap().clone());
    let (mut paths, mut policies) = (Vec::new(), Vec::new());
    for (index, (path, policy)) in operations.iter().enumerate() {
        let operation = id(OperationId::new, 100 + index as u128);
        paths.push(json!({ "id": operation, "method": "GET", "path": path }));
        if !policy.is_null() {
            policies.push(json!({ "operation": operation, "kind": "rate_limit", "config": policy }));
        }
    }
    let snapshot = json!({
        "format": 1, "revision": 1, "environment": "sandbox", "built_at": "2026-11-21T12:00:00Z", "control_url": "",
        "upstreams": [{ "id": id(UpstreamId::new, 5), "spec": { "name": "pets", "targets": [{ "url": service() }] } }],
        "routes": [{
            "id": id(RouteId::new, 6), "organization": id(OrganizationId::new, 7), "api": id(ApiId::new, 8),
            "api_name": "pets", "version": id(VersionId::new, 2), "stage": "stable", "base_path": "",
            "upstream": id(UpstreamId::new, 5), "body_bytes_max": 1000, "operations": paths, "policies": policies,
        }],
        "plans": [all],
        "products": [{ "id": id(ProductId::new, 11), "versions": [id(VersionId::new, 2)] }],
        "applications": [{ "id": id(ApplicationId::new, 4), "organization": id(OrganizationId::new, 9) }],
        "subscriptions": [{
            "id": id(SubscriptionId::new, 10), "application": id(ApplicationId::new, 4),
            "product": id(ProductId::new, 11), "plan": id(PlanId::new, 3), "state": "active",
        }],
        "keys": [{ "id": key_id, "hash": hash, "application": id(ApplicationId::new, 4), "state": "active" }],
    });
    (snapshot, key)
}

struct Node {
    program: Running,
    address: String,
    key: String,
}

impl Node {
    fn start(folder: &Path, snapshot: &Path, redis: &Redis, key: &str) -> Self {
        std::fs::create_dir_all(folder).unwrap();
        let config = folder.join("edge.toml");
        let text = format!(
            "[gateway.limits_store]\nurl = \"{}\"\nsync_ms = {SYNC_MS}\n",
            redis.url
        );
        std::fs::write(&config, text).unwrap();
        let ready = folder.join("ready");
        let mut command = ours("gateline-edge");
        command
            .args(["--listen", "127.0.0.1:0", "--cores", "1", "--config"])
            .arg(&config)
            .arg("--snapshot")
            .arg(snapshot)
            .arg("--data-dir")
            .arg(folder)
            .arg("--ready-file")
            .arg(&ready);
        // One of an earlier start would be read in its place.
        let _ = std::fs::remove_file(&ready);
        let program = Running::start(&mut command, folder);
        let end = Instant::now() + PATIENCE;
        let address = loop {
            let text = std::fs::read_to_string(&ready).unwrap_or_default();
            if let Ok(said) = serde_json::from_str::<Value>(&text) {
                break said["gateway"].as_str().unwrap().replace("http://", "");
            }
            assert!(Instant::now() < end, "{}", program.said());
            std::thread::sleep(Duration::from_millis(10));
        };
        Self {
            program,
            address,
            key: key.to_owned(),
        }
    }

    /// The status and the text of an answer.
    fn get(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let key = &self.key;
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: g\r\nX-API-Key: {key}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let status = text.split(' ').nth(1).and_then(|status| status.parse().ok());
        (status.unwrap_or_else(|| panic!("no answer: {text}")), text)
    }

    fn passes(&self, path: &str) -> bool {
        self.get(path).0 == 200
    }

    fn figure(&self, name: &str) -> u64 {
        let (_, text) = self.get("/metrics");
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(&format!("gateline_{name} ")));
        line.unwrap_or_else(|| panic!("no figure {name}"))
            .parse()
            .unwrap()
    }

    fn wait_for(&self, name: &str, is_so: impl Fn(u64) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !is_so(self.figure(name)) {
            assert!(Instant::now() < end, "{name}: {}", self.program.said());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Waits until each node has met the store twice: what was counted before is known to all then.
fn settle(nodes: &[Node]) {
    for _ in 0..2 {
        for node in nodes {
            let before = node.figure("limits_store_rounds_total");
            node.wait_for("limits_store_rounds_total", |rounds| rounds > before);
        }
    }
}

struct Cluster {
    nodes: Vec<Node>,
    redis: Redis,
    key: String,
    folder: tempfile::TempDir,
}

impl Cluster {
    fn start(plan: &Value, operations: &[(&str, Value)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let redis = Redis::start(&folder.path().join("redis"));
        let (snapshot, key) = snapshot(plan, operations);
        std::fs::write(folder.path().join("snapshot.json"), snapshot.to_string()).unwrap();
        let mut cluster = Self {
            nodes: Vec::new(),
            redis,
            key,
            folder,
        };
        cluster.nodes = (0..NODES).map(|index| cluster.node(index)).collect();
        for node in &cluster.nodes {
            node.wait_for("limits_store_nodes", |nodes| nodes == NODES as u64);
            node.wait_for("limits_store_up", |up| up == 1);
        }
        cluster
    }

    fn node(&self, index: usize) -> Node {
        let folder = self.folder.path().join(format!("node-{index}"));
        let snapshot = self.folder.path().join("snapshot.json");
        Node::start(&folder, &snapshot, &self.redis, &self.key)
    }
}

#[test]
fn four_nodes_and_one_redis_keep_a_rate_within_the_stated_bound() {
    let (rate, burst) = (5.0, 20.0);
    let plan = json!({ "rate_limit": { "requests": 5, "window_seconds": 1, "burst": 20 } });
    let cluster = Cluster::start(&plan, &[("/pets", Value::Null)]);
    let (began, passed) = (Instant::now(), AtomicU64::new(0));
    // A node that cannot meet the store in time counts on; the bound holds for the time that it took.
    let worst_ms = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for node in &cluster.nodes {
            let (passed, worst_ms) = (&passed, &worst_ms);
            scope.spawn(move || {
                while began.elapsed() < Duration::from_secs(8) {
                    passed.fetch_add(u64::from(node.passes("/pets")), Ordering::Relaxed);
                    worst_ms.fetch_max(node.figure("limits_store_age_milliseconds"), Ordering::Relaxed);
                }
            });
        }
    });
    let seconds = began.elapsed().as_secs_f64();
    let passed = passed.into_inner() as f64;
    let sync = worst_ms.into_inner() as f64 / 1000.0 + 0.1;
    let alone = burst + rate * seconds;
    let bound = alone + (NODES - 1) as f64 * (burst + rate * sync) + rate * sync;
    assert!(passed <= bound, "{passed} > {bound}, rounds up to {sync} s apart");
    assert!(bound < NODES as f64 * alone, "the bound says something: {bound}");
    assert!(
        passed >= alone * 0.8,
        "{passed} of {alone}: the rate is there to be used"
    );
    // What was spent too much at first is given back.
    settle(&cluster.nodes);
    for node in &cluster.nodes {
        let (status, text) = node.get("/pets");
        assert!(status == 200 || text.contains("rate_limited"), "{text}");
    }
}

#[test]
fn a_quota_is_one_for_all_nodes_and_outlives_restarts_and_the_store() {
    let plan = json!({ "quota": { "requests": 60, "period": "month" } });
    let mut cluster = Cluster::start(&plan, &[("/pets", Value::Null)]);
    let (each, mut passed) = (5, 0);
    for _ in 0..6 {
        for node in &cluster.nodes {
            passed += (0..each).filter(|_| node.passes("/pets")).count();
        }
        settle(&cluster.nodes);
    }
    let most = 60 + (NODES - 1) * each;
    assert!((60..=most).contains(&passed), "{passed}");
    let refused = |node: &Node| node.get("/pets").1.contains("quota_exceeded");
    assert!(cluster.nodes.iter().all(refused));

    // A node that is killed comes back with what it counted, and with what the others did.
    cluster.nodes.remove(0).program.kill();
    let back = cluster.node(0);
    back.wait_for("limits_store_up", |up| up == 1);
    let again = (0..30).take_while(|_| back.passes("/pets")).count();
    settle(std::slice::from_ref(&back));
    assert!(
        refused(&back),
        "{again} calls passed before it had heard of the others"
    );
    cluster.nodes.push(back);

    // A store that forgets everything learns it again from the nodes.
    settle(&cluster.nodes);
    cluster.redis.flush();
    settle(&cluster.nodes);
    assert!(cluster.nodes.iter().all(refused));
}

#[test]
fn while_the_store_is_lost_or_stalled_each_policy_does_what_it_says() {
    let limit = |when: &str| {
        json!({
            "requests": 8, "window_seconds": 3600, "per": "route", "when_store_is_away": when,
        })
    };
    let operations = [
        ("/share", limit("local_share")),
        ("/local", limit("local")),
        ("/open", limit("open")),
        ("/closed", limit("closed")),
        ("/share2", limit("local_share")),
        ("/closed2", limit("closed")),
    ];
    let cluster = Cluster::start(&json!({}), &operations);
    let node = &cluster.nodes[0];
    let passed = |path: &str| (0..12).take_while(|_| node.passes(path)).count();
    assert!(node.passes("/closed"), "the store is there");

    cluster.redis.program.signal("STOP");
    node.wait_for("limits_store_up", |up| up == 0);
    assert_eq!(passed("/share"), 2, "a fourth of eight");
    assert_eq!(passed("/local"), 8);
    assert_eq!(passed("/open"), 12);
    let (status, text) = node.get("/closed");
    assert!(status == 503 && text.contains("limits_unavailable"), "{text}");
    assert!(text.contains("\"detail\""), "{text}");

    cluster.redis.program.signal("CONT");
    node.wait_for("limits_store_up", |up| up == 1);
    assert!(node.passes("/closed"), "it is back");

    let Cluster {
        nodes, redis, folder, ..
    } = cluster;
    redis.program.kill();
    nodes[0].wait_for("limits_store_up", |up| up == 0);
    let passed = |path: &str| (0..12).take_while(|_| nodes[0].passes(path)).count();
    assert_eq!((passed("/share2"), passed("/closed2")), (2, 0));
    assert!(nodes[0].figure("limits_store_failures_total") > 0);
    drop(folder);
}
