//! What only the kernel can do to a network: losing packets, and resetting connections of which one side knows nothing.
//!
//! The test runs itself again in a network namespace of its own, where rules of nftables meet the packets between
//! clients and gateway and between gateway and service. Nothing of the machine's own network is touched, and no
//! privilege is needed. Which packets are met is chance; what clients say follows from a seed.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use domain::traffic::UpstreamProtocol;

use super::calls::{self, Seen, check, service};
use crate::harness::program::ours;

/// Set where the network is the test's own.
const INSIDE: &str = "GATELINE_TEST_NETWORK";
const SEED: u64 = 7;
/// Of a thousand packets, so many are lost; of those that neither open nor reset a connection, so many reset it.
const LOST: u64 = 30;
const RESET: u64 = 5;
/// How long a client waits: a reset that only the gateway hears of leaves it without an answer.
const CLIENT_PATIENCE: Duration = Duration::from_secs(5);
/// How long the gateway waits for the service, for the same reason.
const ANSWER_MS: u32 = 2_000;

#[test]
fn calls_are_safe_where_the_kernel_loses_packets_and_resets_connections() {
    if std::env::var_os(INSIDE).is_some() {
        return inside();
    }
    // Looked for before, so that what is missing is told by its name.
    for (name, package) in [("nft", "nftables"), ("ip", "iproute2")] {
        tool(name, package);
    }
    // Built where there may be a network to build with.
    let _ = ours("gateline-edge");
    let path = module_path!().split_once("::").expect("it is in a crate").1;
    let name = format!("{path}::calls_are_safe_where_the_kernel_loses_packets_and_resets_connections");
    let ended = Command::new(tool("unshare", "util-linux"))
        .args(["--user", "--map-root-user", "--net", "--"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", &name, "--nocapture"])
        .env(INSIDE, "yes")
        .output()
        .unwrap();
    let said = [ended.stdout, ended.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert!(
        ended.status.success() && said[0].contains("1 passed"),
        "in a network namespace (user namespaces have to be allowed): {}{}",
        said[0],
        said[1]
    );
}

/// A program that is installed, also where only administrators look.
fn tool(name: &str, package: &str) -> PathBuf {
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    let found = path.split(':').map(|folder| PathBuf::from(folder).join(name));
    let found = found.into_iter().find(|file| file.is_file());
    found.unwrap_or_else(|| panic!("`{name}` is not installed: apt-get install {package}"))
}

/// The test, where the network is its own.
fn inside() {
    run(
        Command::new(tool("ip", "iproute2")).args(["link", "set", "lo", "up"]),
        "",
    );
    for protocol in [UpstreamProtocol::Http1, UpstreamProtocol::Http2] {
        let (service, reached) = service(protocol);
        let node = calls::node((service, protocol), ANSWER_MS);
        nft(&rules(&[node.address, service]));
        let seen = Seen::of((node.address, SEED), CLIENT_PATIENCE);
        for counter in ["packets_lost", "packets_reset"] {
            assert!(counted(counter) > 0, "{counter}: {}", nft("list counters"));
        }
        // What is asked of the node now has to be answered.
        nft("flush ruleset");
        check(&node, &reached, &seen);
    }
}

/// Loses and resets what goes to these addresses, and comes from there.
fn rules(addresses: &[SocketAddr]) -> String {
    let ports: Vec<_> = addresses
        .iter()
        .map(|address| address.port().to_string())
        .collect();
    let ports = ports.join(", ");
    format!(
        "table inet faults {{
            counter packets_lost {{ }}
            counter packets_reset {{ }}
            chain lossy {{
                numgen random mod 1000 < {LOST} counter name packets_lost drop
                tcp flags & (syn | rst) == 0 numgen random mod 1000 < {RESET} counter name packets_reset reject with tcp reset
            }}
            chain input {{
                type filter hook input priority 0; policy accept;
                tcp dport {{ {ports} }} jump lossy
                tcp sport {{ {ports} }} jump lossy
            }}
        }}"
    )
}

/// How many packets a counter has met.
fn counted(name: &str) -> u64 {
    let said = nft(&format!("list counter inet faults {name}"));
    let mut words = said.split_whitespace().skip_while(|word| *word != "packets");
    words.nth(1).and_then(|number| number.parse().ok()).unwrap()
}

fn nft(commands: &str) -> String {
    run(Command::new(tool("nft", "nftables")).args(["-f", "-"]), commands)
}

/// Runs a program that has to succeed; what it said.
fn run(command: &mut Command, input: &str) -> String {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut running = command.spawn().unwrap();
    running.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let ended = running.wait_with_output().unwrap();
    let failed = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{command:?} with {input}: {failed}");
    String::from_utf8_lossy(&ended.stdout).into_owned()
}
