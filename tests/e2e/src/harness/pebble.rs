//! Pebble, the ACME server that Let's Encrypt tests clients with; a DNS server that knows one address.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use pki::testing::Pair;
use serde_json::json;

use super::eventually;
use super::program::{Running, folder, free_port};

const PACKAGE: &str = "github.com/letsencrypt/pebble/v2/cmd/pebble@v2.10.1";

/// A running Pebble; every name is at 127.0.0.1 for it.
#[derive(Debug)]
pub(crate) struct Pebble {
    _running: Running,
    /// Its directory.
    pub(crate) directory: String,
    /// What it is to be checked against, in PEM.
    pub(crate) authorities: String,
}

/// The program, built once into the folder of our programs.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let tools = std::path::absolute(folder()).unwrap().join("tools");
        let program = tools.join("pebble");
        if !program.exists() {
            let built = Command::new("go")
                .args(["install", PACKAGE])
                .env("GOBIN", &tools)
                .output();
            let built = built.unwrap_or_else(|error| {
                panic!("this test needs Go (apt-get install golang-go) to build {PACKAGE}: {error}")
            });
            let said = String::from_utf8_lossy(&built.stderr);
            assert!(
                built.status.success(),
                "go install {PACKAGE} needs the Go module proxy: {said}"
            );
        }
        program
    })
}

impl Pebble {
    /// Starts one that looks for HTTP and TLS at these ports and signs for so many seconds.
    pub(crate) async fn start(home: &Path, ports: (u16, u16), seconds: u32) -> Self {
        let home = home.join("pebble");
        std::fs::create_dir_all(&home).unwrap();
        let pair = Pair::of(&["127.0.0.1"]);
        let file = |name: &str, text: &str| {
            let path = home.join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let chain = file("cert.pem", &pair.chain);
        let key = file("key.pem", &pair.key);
        let (listen, manage) = (free_port(), free_port());
        let config = json!({ "pebble": {
            "listenAddress": format!("127.0.0.1:{listen}"),
            "managementListenAddress": format!("127.0.0.1:{manage}"),
            "certificate": chain, "privateKey": key,
            "httpPort": ports.0, "tlsPort": ports.1,
            "retryAfter": { "authz": 1, "order": 1 },
            "profiles": { "default": { "description": "of the test", "validityPeriod": seconds } },
        } });
        let config = file("config.json", &config.to_string());
        let mut command = Command::new(program());
        command.arg("-config").arg(config);
        command.args(["-dnsserver", &dns().to_string()]);
        command.env("PEBBLE_VA_NOSLEEP", "1");
        let running = Running::start(&mut command, &home);
        eventually("the start of Pebble", Duration::from_secs(20), async || {
            TcpStream::connect(("127.0.0.1", listen)).ok()
        })
        .await;
        Self {
            _running: running,
            directory: format!("https://127.0.0.1:{listen}/dir"),
            authorities: pair.chain,
        }
    }
}

/// Answers 127.0.0.1 to every question for an address, and nothing to all others (RFC 1035 section 4).
fn dns() -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || serve(stream));
        }
    });
    address
}

/// Answers the questions of a connection; each has its length before it.
fn serve(mut stream: TcpStream) -> Option<()> {
    loop {
        let mut length = [0; 2];
        stream.read_exact(&mut length).ok()?;
        let mut asked = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut asked).ok()?;
        let answer = answer(&asked)?;
        let length = u16::try_from(answer.len()).ok()?.to_be_bytes();
        stream.write_all(&[&length, answer.as_slice()].concat()).ok()?;
    }
}

fn answer(asked: &[u8]) -> Option<Vec<u8>> {
    let name = asked.get(12..)?.iter().position(|byte| *byte == 0)?;
    let question = asked.get(12..12 + name + 5)?;
    let kind = u16::from_be_bytes([question[name + 1], question[name + 2]]);
    let is_address = kind == 1;
    let mut answer = asked[..2].to_vec();
    answer.extend([0x81, 0x80, 0, 1, 0, u8::from(is_address), 0, 0, 0, 0]);
    answer.extend(question);
    if is_address {
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        answer.extend(Ipv4Addr::LOCALHOST.octets());
    }
    Some(answer)
}
