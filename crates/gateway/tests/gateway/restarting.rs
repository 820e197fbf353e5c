//! A node whose control plane is elsewhere, and sometimes away.

use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use domain::Snapshot;
use domain::id::NodeId;
use domain::node::{NodeState, NodeStatus};
use domain::snapshot::Packed;
use events::{Batch, Sink};
use gateway::feed::{Control, HttpSink, follow, load, report};
use tokio::sync::watch;

use crate::bench::{Bench, Upstream, eventually, snapshot};

const TOKEN: &str = "cluster-token";

/// Path and body of a call.
type Note = (String, Vec<u8>);

/// A control plane that has one snapshot at a time, and notes the rest.
#[derive(Clone, Default)]
struct Plane {
    snapshot: Arc<Mutex<Option<Snapshot>>>,
    noted: Arc<Mutex<Vec<Note>>>,
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
            let Packed { bytes, mac } = Packed::new(&newer, TOKEN.as_bytes()).unwrap();
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\ngateline-revision: {}\r\ngateline-mac: {mac}\r\n\r\n",
                bytes.len(),
                newer.revision
            );
            stream.write_all(&[head.as_bytes(), &bytes].concat()).is_ok()
        })
    }
}

fn control(url: &str) -> Arc<Control> {
    Arc::new(Control::new(url, TOKEN.to_owned(), None).unwrap())
}

fn sandbox() -> domain::Name {
    "sandbox".parse().unwrap()
}

fn following(url: &str, copy: &Path) -> watch::Receiver<Arc<Snapshot>> {
    let (sender, receiver) = watch::channel(load(copy, TOKEN, &sandbox()));
    tokio::spawn(follow(control(url), sandbox(), copy.to_owned(), sender));
    receiver
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn snapshots_arrive_and_a_copy_serves_while_the_plane_is_away() {
    let directory = tempfile::tempdir().unwrap();
    let copy = directory.path().join("gateway/snapshot");
    let plane = Plane::default();
    let upstream = plane.start();
    let mut receiver = following(&upstream.url(), &copy);
    assert_eq!(receiver.borrow().revision, 0);
    let (mut first, _) = snapshot(&["http://127.0.0.1:1".to_owned()]);
    for revision in [3, 4] {
        first.revision = revision;
        *plane.snapshot.lock().unwrap() = Some(first.clone());
        receiver
            .wait_for(|snapshot| snapshot.revision == revision)
            .await
            .unwrap();
    }
    tokio::task::block_in_place(|| eventually(|| load(&copy, TOKEN, &sandbox()).revision == 4));
    drop(receiver);
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let away = following(&format!("http://{address}"), &copy);
    assert_eq!(**away.borrow(), first);
    assert_eq!(load(&copy, "other-token", &sandbox()).revision, 0);
    assert_eq!(load(&copy, TOKEN, &"production".parse().unwrap()).revision, 0);
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
