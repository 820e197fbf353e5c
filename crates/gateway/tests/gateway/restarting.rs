//! A node whose control plane is elsewhere, and sometimes away.

use std::net::TcpListener;
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use domain::Snapshot;
use domain::id::NodeId;
use domain::node::{NodeState, NodeStatus};
use domain::snapshot::Packed;
use events::{Batch, Sink};
use gateway::Status;
use gateway::feed::{Control, HttpSink, follow, load, report};

use crate::bench::{Bench, Upstream, eventually, snapshot};

const TOKEN: &str = "cluster-token";

/// Path and body of a call.
type Note = (String, Vec<u8>);

/// A control plane that has one snapshot at a time, and notes the rest.
#[derive(Clone, Default)]
struct Plane {
    snapshot: Arc<Mutex<Option<Snapshot>>>,
    noted: Arc<Mutex<Vec<Note>>>,
    /// Whether snapshots have something that only a newer build knows.
    unknown: Arc<AtomicBool>,
    /// How many snapshots were given.
    given: Arc<AtomicUsize>,
}

impl Plane {
    fn start(&self) -> Upstream {
        let plane = self.clone();
        Upstream::start(move |received, stream| {
            use std::io::Write;
            if received.fields.get("authorization") != Some("Bearer cluster-token") {
                return crate::bench::reply(stream, "401 Unauthorized", "", "");
            }
            let path = received.line.split(' ').nth(1).unwrap().to_owned();
            if !path.starts_with("/base/internal/v1/snapshots") {
                plane.noted.lock().unwrap().push((path, received.body.clone()));
                return crate::bench::reply(stream, "200 OK", "", r#"{"committed":7}"#);
            }
            let after: u64 = path.rsplit_once("after=").unwrap().1.parse().unwrap();
            let newer = plane
                .snapshot
                .lock()
                .unwrap()
                .clone()
                .filter(|snapshot| snapshot.revision > after);
            let Some(newer) = newer else {
                std::thread::sleep(Duration::from_millis(20));
                return stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").is_ok();
            };
            plane.given.fetch_add(1, Relaxed);
            let packed = Packed::new(&newer, TOKEN.as_bytes()).unwrap();
            let packed = match plane.unknown.load(Relaxed) {
                true => with_unknown(&packed.bytes),
                false => packed,
            };
            let Packed { bytes, mac } = packed;
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\ngateline-revision: {}\r\ngateline-mac: {mac}\r\n\r\n",
                bytes.len(),
                newer.revision
            );
            stream.write_all(&[head.as_bytes(), &bytes].concat()).is_ok()
        })
    }
}

/// The same snapshot with a field that this build does not know.
fn with_unknown(packed: &[u8]) -> Packed {
    let all = zstd::stream::decode_all(packed).unwrap();
    let changed = [br#"{"not-of-this-build":1,"#, &all[1..]].concat();
    let bytes = zstd::bulk::compress(&changed, 1).unwrap();
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, TOKEN.as_bytes());
    let mac: String = aws_lc_rs::hmac::sign(&key, &bytes)
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    Packed {
        bytes,
        mac: mac.parse().unwrap(),
    }
}

fn control(url: &str) -> Arc<Control> {
    Arc::new(Control::new(url, TOKEN.to_owned(), None).unwrap())
}

fn sandbox() -> domain::Name {
    "sandbox".parse().unwrap()
}

/// A node that starts with the copy and follows a control plane.
fn following(url: &str, copy: &Path) -> Bench {
    let bench = Bench::with(&[], |_, snapshot| {
        *snapshot = Arc::unwrap_or_clone(load(copy, TOKEN, &sandbox()));
    });
    let feeder = bench.gateway.as_ref().unwrap().feeder(bench.snapshots.clone());
    tokio::spawn(follow(control(url), sandbox(), copy.to_owned(), feeder));
    bench
}

fn status(bench: &Bench) -> Status {
    bench.gateway.as_ref().unwrap().status()
}

/// The revision of the copy; 0 if there is none.
fn kept(copy: &Path) -> u64 {
    load(copy, TOKEN, &sandbox()).revision
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn snapshots_arrive_and_a_copy_serves_while_the_plane_is_away() {
    let directory = tempfile::tempdir().unwrap();
    let copy = directory.path().join("gateway/snapshot");
    let plane = Plane::default();
    let upstream = plane.start();
    let bench = following(&upstream.url(), &copy);
    assert_eq!(status(&bench).revision, None);
    let (mut first, _) = snapshot(&["http://127.0.0.1:1".to_owned()]);
    for revision in [3, 4] {
        first.revision = revision;
        *plane.snapshot.lock().unwrap() = Some(first.clone());
        tokio::task::block_in_place(|| eventually(|| status(&bench).revision == Some(revision)));
    }
    tokio::task::block_in_place(|| eventually(|| kept(&copy) == 4));
    drop(bench);
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let away = following(&format!("http://{address}"), &copy);
    tokio::task::block_in_place(|| eventually(|| status(&away).revision == Some(4)));
    assert_eq!(*load(&copy, TOKEN, &sandbox()), first);
    assert_eq!(load(&copy, "other-token", &sandbox()).revision, 0);
    assert_eq!(load(&copy, TOKEN, &"production".parse().unwrap()).revision, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_is_rejected_leaves_the_copy_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let copy = directory.path().join("gateway/snapshot");
    let plane = Plane::default();
    let upstream = plane.start();
    let bench = following(&upstream.url(), &copy);
    let (mut served, _) = snapshot(&["http://127.0.0.1:1".to_owned()]);
    served.revision = 3;
    *plane.snapshot.lock().unwrap() = Some(served.clone());
    tokio::task::block_in_place(|| eventually(|| kept(&copy) == 3));
    let mut wrong = served.clone();
    wrong.revision = 4;
    wrong.upstreams[0].spec.targets[0].url = "http://".to_owned();
    *plane.snapshot.lock().unwrap() = Some(wrong);
    let rejects = |revision: u64| {
        let status = status(&bench);
        assert_eq!(status.revision, Some(3));
        status
            .rejected
            .is_some_and(|rejected| rejected.revision == revision)
    };
    tokio::task::block_in_place(|| eventually(|| rejects(4)));
    // What this build cannot read is rejected like what it cannot serve, and not fetched over and over.
    plane.unknown.store(true, Relaxed);
    served.revision = 5;
    *plane.snapshot.lock().unwrap() = Some(served.clone());
    tokio::task::block_in_place(|| eventually(|| rejects(5)));
    let reason = status(&bench).rejected.unwrap().reason;
    assert!(reason.contains("`not-of-this-build`"), "{reason}");
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(plane.given.load(Relaxed), 3);
    assert_eq!(kept(&copy), 3);
    drop(bench);
    // A node that starts again serves what it served before, and rejects the same once more.
    let again = following(&upstream.url(), &copy);
    tokio::task::block_in_place(|| {
        eventually(|| {
            status(&again)
                .rejected
                .is_some_and(|rejected| rejected.revision == 5)
        });
    });
    assert_eq!(status(&again).revision, Some(3));
    plane.unknown.store(false, Relaxed);
    served.revision = 6;
    *plane.snapshot.lock().unwrap() = Some(served);
    tokio::task::block_in_place(|| eventually(|| status(&again).revision == Some(6)));
    assert_eq!(status(&again).rejected, None);
    tokio::task::block_in_place(|| eventually(|| kept(&copy) == 6));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn status_and_events_reach_the_plane() {
    let plane = Plane::default();
    let upstream = plane.start();
    let node = NodeId::new(uuid::Uuid::from_u128(5));
    let bench = Bench::with(&["http://127.0.0.1:1".to_owned()], |_, snapshot| {
        snapshot.revision = 9;
    });
    let teller = bench.gateway.as_ref().unwrap().teller(sandbox());
    tokio::spawn(report(control(&upstream.url()), node, teller));
    tokio::task::block_in_place(|| eventually(|| !plane.noted.lock().unwrap().is_empty()));
    let (path, body) = plane.noted.lock().unwrap().pop().unwrap();
    assert_eq!(path, format!("/base/internal/v1/nodes/{node}/status"));
    let status: NodeStatus = serde_json::from_slice(&body).unwrap();
    assert_eq!(
        (&*status.environment.to_string(), status.revision),
        ("sandbox", 9)
    );
    assert_eq!((status.state, &*status.reason), (NodeState::Applied, ""));
    let health = status.health.unwrap();
    assert_eq!(health.upstreams[0].targets[0].target, "http://127.0.0.1:1");
    let sink = HttpSink::usage(control(&upstream.url()));
    let batches = [Batch::of(7, &[])];
    assert_eq!(sink.commit(node, &batches).await.unwrap(), 7);
    let (path, body) = plane.noted.lock().unwrap().pop().unwrap();
    assert_eq!(path, format!("/base/internal/v1/nodes/{node}/events"));
    assert_eq!(events::wire::decode_batches(&body.into()).unwrap(), batches);
    let other = Arc::new(Control::new(&upstream.url(), "wrong".to_owned(), None).unwrap());
    assert!(matches!(
        HttpSink::usage(other).commit(node, &batches).await,
        Err(events::sink::SinkError::Refused { .. })
    ));
}
