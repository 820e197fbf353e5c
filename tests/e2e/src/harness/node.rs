//! A `gateline-edge` without a control plane, in front of one service, open to everybody.

use std::io::{Read, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use domain::id::{ApiId, OperationId, OrganizationId, RouteId, UpstreamId, VersionId};
use domain::snapshot::{FORMAT, Snapshot, Upstream};
use domain::traffic::{Target, UpstreamSpec};
use serde_json::json;
use uuid::Uuid;

use super::program::{Running, ours};

/// Longer than anything takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A running node; killed when dropped.
pub(crate) struct Node {
    pub(crate) running: Running,
    pub(crate) address: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Node {
    /// Starts one for a service; `settings` are lines for its file, below `[gateway]`.
    pub(crate) fn start(service: SocketAddr, settings: &str, change: impl FnOnce(&mut UpstreamSpec)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        let snapshot = serde_json::to_string(&snapshot(service, change)).unwrap();
        std::fs::write(file("snapshot.json"), snapshot).unwrap();
        let text = format!("[gateway]\nlisten = \"127.0.0.1:0\"\ncores = 1\n{settings}\n");
        std::fs::write(file("gateline.toml"), text).unwrap();
        let mut command = ours("gateline-edge");
        for (option, name) in [
            ("--config", "gateline.toml"),
            ("--data-dir", "data"),
            ("--snapshot", "snapshot.json"),
            ("--ready-file", "ready"),
        ] {
            command.arg(option).arg(file(name));
        }
        let mut running = Running::start(&mut command, folder.path());
        let address = waited("the node", || {
            assert_eq!(running.ended(), None, "{}", running.said());
            let ready = std::fs::read(file("ready")).ok()?;
            let ready: serde_json::Value = serde_json::from_slice(&ready).ok()?;
            ready["gateway"].as_str()?.strip_prefix("http://")?.parse().ok()
        });
        Self {
            running,
            address,
            _folder: folder,
        }
    }

    /// The head and body of the answer to a request on a connection of its own; what there is of it.
    pub(crate) fn say(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Fails unless somebody else gets an answer through the node now.
    pub(crate) fn serves_others(&self) {
        for _ in 0..5 {
            let answer = self.say("GET /x HTTP/1.1\r\nHost: g\r\nConnection: close\r\n\r\n");
            assert!(answer.starts_with("HTTP/1.1 200 "), "{answer:?}");
        }
    }

    /// The sum of a figure over its labels.
    pub(crate) fn figure(&self, name: &str) -> u64 {
        let text = self.say("GET /metrics HTTP/1.1\r\nHost: g\r\nConnection: close\r\n\r\n");
        let values = text.lines().filter_map(|line| {
            let rest = line.strip_prefix(&format!("gateline_{name}"))?;
            let (labels, value) = rest.rsplit_once(' ')?;
            (labels.is_empty() || labels.starts_with('{')).then(|| value.parse::<u64>().unwrap())
        });
        values.sum()
    }

    /// Open file descriptors.
    pub(crate) fn descriptors(&self) -> usize {
        let folder = format!("/proc/{}/fd", self.running.id());
        std::fs::read_dir(folder).unwrap().count()
    }

    /// Resident memory in KiB.
    pub(crate) fn memory_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.running.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.unwrap().trim().trim_end_matches(" kB").parse().unwrap()
    }
}

/// Asks again until there is an answer.
pub(crate) fn waited<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < end, "{what} did not come");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The next message of a connection with a length; none if it does not come whole.
pub(crate) fn message(stream: &mut impl Read, bytes: &mut Vec<u8>) -> Option<(String, Vec<u8>)> {
    let mut more = |bytes: &mut Vec<u8>| {
        let mut piece = [0; 4096];
        let length = stream.read(&mut piece).ok().filter(|length| *length > 0)?;
        bytes.extend_from_slice(&piece[..length]);
        Some(())
    };
    let end = loop {
        match bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            Some(end) => break end + 4,
            None => more(bytes)?,
        }
    };
    let head = String::from_utf8(bytes.drain(..end).collect()).unwrap();
    let length = field(&head, "content-length").map_or(0, |length| length.parse().unwrap());
    while bytes.len() < length {
        more(bytes)?;
    }
    Some((head, bytes.drain(..length).collect()))
}

/// The value of a field in a head.
pub(crate) fn field(head: &str, name: &str) -> Option<String> {
    head.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    })
}

/// One route at `/x`; fields that it does not need have their defaults.
fn snapshot(service: SocketAddr, change: impl FnOnce(&mut UpstreamSpec)) -> Snapshot {
    let id = Uuid::from_u128;
    let mut spec = UpstreamSpec::new(
        "shop".parse().unwrap(),
        vec![Target::new(format!("http://{service}"))],
    );
    change(&mut spec);
    let upstream = UpstreamId::new(id(1));
    let operation =
        |(number, method)| json!({ "id": OperationId::new(id(number)), "method": method, "path": "/x" });
    let route = json!({
        "id": RouteId::new(id(2)),
        "organization": OrganizationId::new(id(3)),
        "api": ApiId::new(id(4)),
        "api_name": "shop",
        "version": VersionId::new(id(5)),
        "stage": "stable",
        "base_path": "",
        "upstream": upstream,
        "body_bytes_max": 1 << 20,
        "operations": (1..).zip(["GET", "POST", "PUT"]).map(operation).collect::<Vec<_>>(),
        "policies": [{ "kind": "key_auth", "config": { "required": false } }],
    });
    Snapshot {
        format: FORMAT,
        revision: 1,
        upstreams: vec![Upstream { id: upstream, spec }],
        routes: vec![serde_json::from_value(route).unwrap()],
        ..Snapshot::empty("sandbox".parse().unwrap())
    }
}
