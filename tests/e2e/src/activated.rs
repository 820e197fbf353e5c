//! A gateway node whose listening socket is its parent's: it may end and come again, and nobody is refused.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::harness::program::{Running, ours};

/// Longer than a start takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// Does what systemd does: the socket is descriptor 3, and the variables say so to this process.
const PASS: &str = r#"exec 3<&0 0</dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" "$@""#;

/// Starts a program that is passed a socket.
fn start(program: &str, arguments: &[String], socket: &TcpListener, folder: &Path) -> Running {
    std::fs::create_dir_all(folder).unwrap();
    let program = ours(program);
    let mut command = Command::new("sh");
    for (name, value) in program.get_envs() {
        assert!(value.is_none(), "{name:?}");
        command.env_remove(name);
    }
    command
        .arg("-c")
        .arg(PASS)
        .arg(program.get_program())
        .args(arguments);
    let socket: OwnedFd = socket.try_clone().unwrap().into();
    Running::start_with(&mut command, folder, Stdio::from(socket))
}

/// Of a node on an empty snapshot, with more cores than it is passed sockets: they take turns.
fn arguments(folder: &Path, listen: &str) -> Vec<String> {
    let snapshot = folder.join("snapshot.json");
    let empty = domain::Snapshot::empty("sandbox".parse().unwrap());
    std::fs::write(&snapshot, serde_json::to_string(&empty).unwrap()).unwrap();
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let pairs = [
        ("--listen", listen.to_owned()),
        ("--cores", "3".to_owned()),
        ("--data-dir", path("data")),
        ("--snapshot", path("snapshot.json")),
        ("--ready-file", path("ready.json")),
    ];
    pairs
        .into_iter()
        .flat_map(|(flag, value)| [flag.to_owned(), value])
        .collect()
}

/// Begins a request.
fn ask(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("nobody is refused");
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let text = b"GET /health/live HTTP/1.1\r\nHost: g\r\nConnection: close\r\n\r\n";
    stream.write_all(text).unwrap();
    stream
}

fn answer(mut stream: TcpStream) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.lines().next().unwrap_or_default().to_owned()
}

#[test]
fn a_node_serves_at_the_socket_of_its_parent() {
    let folder = tempfile::tempdir().unwrap();
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let arguments = arguments(folder.path(), &address.to_string());
    for time in ["first", "second"] {
        // Nobody serves yet, or not any more: it waits.
        let waiting: Vec<_> = (0..5).map(|_| ask(address)).collect();
        let mut node = start("gateline-edge", &arguments, &socket, &folder.path().join(time));
        for stream in waiting {
            assert_eq!(answer(stream), "HTTP/1.1 200 OK", "{}", node.said());
        }
        for _ in 0..20 {
            assert_eq!(answer(ask(address)), "HTTP/1.1 200 OK");
        }
        node.signal("TERM");
        assert_eq!(node.wait(PATIENCE), Some(0), "{}", node.said());
    }
}

#[test]
fn a_socket_that_no_listener_has_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let arguments = arguments(folder.path(), "127.0.0.1:0");
    let mut node = start("gateline-edge", &arguments, &socket, &folder.path().join("log"));
    let ready = folder.path().join("ready.json");
    let end = Instant::now() + PATIENCE;
    while !ready.exists() {
        assert!(Instant::now() < end, "{}", node.said());
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(node.said().contains("belongs to no listener"), "{}", node.said());
    node.signal("TERM");
    assert_eq!(node.wait(PATIENCE), Some(0), "{}", node.said());
}
