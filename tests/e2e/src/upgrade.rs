//! A gateway node that is upgraded and changed under load: nobody is refused, no answer is cut.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use http::Method;

use crate::harness::eventually;
use crate::harness::gateline::{Gateline, Home};
use crate::harness::http::Http;
use crate::harness::program::{Running, free_port, ours};
use crate::harness::service::Service;

/// Longer than a start or an end takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Calls on connections of their own, one after the other, until told to stop.
struct Load {
    is_over: Arc<AtomicBool>,
    calls: Arc<AtomicUsize>,
    threads: Vec<JoinHandle<()>>,
}

impl Load {
    fn start(address: SocketAddr, key: &str) -> Self {
        let (is_over, calls) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let text = format!(
            "GET /shop/stations HTTP/1.1\r\nHost: g\r\nX-API-Key: {key}\r\nConnection: close\r\n\r\n"
        );
        let caller = |_| {
            let (is_over, calls, text) = (Arc::clone(&is_over), Arc::clone(&calls), text.clone());
            std::thread::spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    let mut stream = TcpStream::connect(address).expect("no connection is refused");
                    stream.set_read_timeout(Some(PATIENCE)).unwrap();
                    stream.write_all(text.as_bytes()).expect("no connection is reset");
                    let mut answer = Vec::new();
                    stream.read_to_end(&mut answer).expect("no answer is cut");
                    let answer = String::from_utf8_lossy(&answer);
                    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer:?}");
                    calls.fetch_add(1, Ordering::Relaxed);
                }
            })
        };
        let threads = (0..4).map(caller).collect();
        Self {
            is_over,
            calls,
            threads,
        }
    }

    /// Waits for so many further calls.
    async fn goes_on(&self, calls: usize) {
        let wanted = self.calls.load(Ordering::Relaxed) + calls;
        eventually("further calls", PATIENCE, async || {
            (self.calls.load(Ordering::Relaxed) >= wanted).then_some(())
        })
        .await;
    }

    /// The calls, all of them answered.
    fn stop(self) -> usize {
        self.is_over.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().expect("every call was answered");
        }
        self.calls.load(Ordering::Relaxed)
    }
}

fn settings(path: &Path, listen: SocketAddr, further: &[SocketAddr]) {
    let mut text = format!("[gateway]\nlisten = \"{listen}\"\nhandover = \"handover.sock\"\ncores = 2\n");
    for address in further {
        text.push_str(&format!("[[gateway.listeners]]\naddress = \"{address}\"\n"));
    }
    std::fs::write(path, text).unwrap();
}

/// Lets the plan of the key have as many calls as there come.
async fn unlimited(gateline: &Gateline) {
    let (http, token) = (Http::new(), format!("Bearer {}", gateline.token()));
    let headers = [
        ("authorization", token.as_str()),
        ("content-type", "application/merge-patch+json"),
        ("if-match", "*"),
    ];
    let plans = format!("{}/api/v1/plans", gateline.control());
    let page = http.send(Method::GET, &plans, &headers, "").await.unwrap().json();
    let plan = format!("{plans}/{}", page["data"][0]["id"].as_str().unwrap());
    let patch = r#"{ "rate_limit": null, "quota": null }"#;
    let changed = http.send(Method::PATCH, &plan, &headers, patch).await.unwrap();
    assert_eq!(changed.status, 200, "{}", changed.json());
}

fn address() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], free_port()))
}

/// Whether a call is answered.
fn answers(listen: SocketAddr, key: &str) -> bool {
    let said = TcpStream::connect(listen).ok().and_then(|mut stream| {
        let text = format!(
            "GET /shop/stations HTTP/1.1\r\nHost: g\r\nX-API-Key: {key}\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(text.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    });
    said.is_some_and(|said| said.starts_with("HTTP/1.1 200 "))
}

/// Opens another listener and closes it again.
async fn another_listener(first: &Running, file: &Path, (listen, further): (SocketAddr, SocketAddr)) {
    settings(file, listen, &[further]);
    first.signal("HUP");
    eventually("the new listener", PATIENCE, async || {
        TcpStream::connect(further).ok()
    })
    .await;
    settings(file, listen, &[]);
    first.signal("HUP");
    eventually("its end", PATIENCE, async || TcpStream::connect(further).err()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_process_takes_over_and_nobody_notices() {
    let home = Home::new().with(&["--no-demo"]);
    let service = Service::start().await;
    let gateline = home.up().await;
    gateline.import_shop(&service);
    let key = gateline.shop_key();
    unlimited(&gateline).await;
    let (listen, further) = (address(), address());
    let file = home.path().join("edge.toml");
    settings(&file, listen, &[]);
    let token = std::fs::read_to_string(home.data().join("secrets/cluster.token")).unwrap();
    let start = |name: &str| {
        let mut command: Command = ours("gateline-edge");
        command
            .current_dir(home.path())
            .args(["--config", "edge.toml", "--data-dir", "edge"]);
        command.args(["--control", &gateline.control()]);
        command.env("GATELINE_CLUSTER_TOKEN", token.trim());
        let folder = home.path().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        Running::start(&mut command, &folder)
    };
    let first = start("first");
    eventually("the first node", PATIENCE, async || {
        answers(listen, &key).then_some(())
    })
    .await;
    let before = gateline.calls("shop");
    let load = Load::start(listen, &key);
    load.goes_on(50).await;

    another_listener(&first, &file, (listen, further)).await;
    load.goes_on(50).await;

    let mut now = first;
    for name in ["second", "third", "fourth"] {
        // One that comes while the one before the present one still drains is sent away, and may come again.
        let next = eventually("the next process", PATIENCE, async || {
            let mut next = start(name);
            eventually("what becomes of it", PATIENCE, async || {
                if next.ended().is_some() {
                    return Some(false);
                }
                next.said().contains("taking over").then_some(true)
            })
            .await
            .then_some(next)
        })
        .await;
        assert_eq!(now.wait(PATIENCE), Some(0), "{}", now.said());
        load.goes_on(50).await;
        now = next;
    }
    let calls = i64::try_from(load.stop()).unwrap();
    // What each of them has recorded is counted once, whoever brings it.
    let counted = eventually("the count", PATIENCE, async || {
        let counted = gateline.calls("shop") - before;
        (counted >= calls).then_some(counted)
    })
    .await;
    assert!(
        counted <= calls + 1,
        "{counted} of {calls}, and perhaps the first one"
    );
    now.signal("TERM");
    assert_eq!(now.wait(PATIENCE), Some(0), "{}", now.said());
    gateline.stop();
}

/// A call of which the service has the head, and not yet the body.
async fn under_way(listen: SocketAddr, key: &str, service: &Service) -> TcpStream {
    let reached = service.reached();
    let mut stream = TcpStream::connect(listen).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let head = format!(
        "POST /shop/tickets HTTP/1.1\r\nHost: g\r\nX-API-Key: {key}\r\nContent-Type: application/json\r\n\
         Content-Length: 2\r\nConnection: close\r\n\r\n{{"
    );
    stream.write_all(head.as_bytes()).unwrap();
    eventually("the call at the service", PATIENCE, async || {
        (service.reached() > reached).then_some(())
    })
    .await;
    stream
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_stops_waits_as_long_as_its_settings_say() {
    let home = Home::new().with(&["--no-demo"]);
    let service = Service::start().await;
    let gateline = home.up().await;
    gateline.import_shop(&service);
    let key = gateline.shop_key();
    let token = std::fs::read_to_string(home.data().join("secrets/cluster.token")).unwrap();
    // What it is set to, how often it is told to stop, and whether the call is answered.
    for (seconds, told, is_answered) in [(0, 1, false), (3600, 1, true), (3600, 2, false)] {
        let listen = address();
        let text = format!("[gateway]\nlisten = \"{listen}\"\ncores = 1\ndrain_seconds = {seconds}\n");
        std::fs::write(home.path().join("edge.toml"), text).unwrap();
        let mut command: Command = ours("gateline-edge");
        command
            .current_dir(home.path())
            .args(["--config", "edge.toml", "--data-dir", "edge"])
            .args(["--control", &gateline.control()])
            .env("GATELINE_CLUSTER_TOKEN", token.trim());
        let mut node = Running::start(&mut command, home.path());
        eventually("the node", PATIENCE, async || answers(listen, &key).then_some(())).await;
        let mut call = under_way(listen, &key, &service).await;
        for time in 1..=told {
            node.signal("TERM");
            if time < told {
                eventually("that it stops", PATIENCE, async || {
                    node.said().contains("stopping").then_some(())
                })
                .await;
            }
        }
        if is_answered {
            eventually("that it stops", PATIENCE, async || {
                TcpStream::connect(listen).err()
            })
            .await;
            call.write_all(b"}").unwrap();
        }
        let mut answer = String::new();
        // A connection that was cut ends as it likes.
        let _ = call.read_to_string(&mut answer);
        assert_eq!(
            answer.starts_with("HTTP/1.1 "),
            is_answered,
            "{seconds} s: {answer:?}"
        );
        assert_eq!(node.wait(PATIENCE), Some(0), "{}", node.said());
    }
    gateline.stop();
}
