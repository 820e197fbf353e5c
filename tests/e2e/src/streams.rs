//! Connections that pass unread: declared in a folder, delivered to a running node, seen in its figures.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use crate::harness::eventually;
use crate::harness::gateline::Home;
use crate::harness::program::free_port;

const PATIENCE: Duration = Duration::from_secs(30);

/// A service that gives everything back in upper case; its address.
fn service() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || {
                let mut bytes = [0; 1024];
                while let Ok(length @ 1..) = stream.read(&mut bytes) {
                    if stream.write_all(&bytes[..length].to_ascii_uppercase()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

/// What comes back of a word; nothing if the connection is closed.
fn shout(address: SocketAddr, word: &[u8]) -> Option<Vec<u8>> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(word).ok()?;
    let mut bytes = vec![0; word.len()];
    stream.read_exact(&mut bytes).ok()?;
    Some(bytes)
}

#[tokio::test]
async fn a_stream_route_is_declared_served_and_removed() {
    let port = free_port();
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let home = Home::new().with(&["--no-demo", "--config", "gateline.toml"]);
    let settings = format!("[[gateway.listeners]]\naddress = \"{address}\"\nprotocols = \"tcp\"\n");
    fs::write(home.path().join("gateline.toml"), settings).unwrap();
    let gateline = home.up().await;
    let folder = home.path().join("declared");
    fs::create_dir_all(&folder).unwrap();
    let upstream = format!(
        "- kind: upstream\n  spec: {{ name: db, targets: [{{ url: \"tcp://{}\" }}] }}\n",
        service()
    );
    let route = format!(
        "- kind: stream_route\n  spec: {{ name: db, environment: sandbox, port: {port}, upstream: db }}\n"
    );
    fs::write(
        folder.join("all.yaml"),
        format!("- kind: folder\n  spec: {{ name: streams }}\n{upstream}{route}"),
    )
    .unwrap();
    let declared = folder.to_str().unwrap();
    gateline.json(&["apply", declared]);
    let passed = eventually("the stream", PATIENCE, async || shout(address, b"hello")).await;
    assert_eq!(passed, b"HELLO");
    // Applied again, nothing differs.
    assert_eq!(gateline.run(&["diff", declared]).code, Some(0));
    let shown = gateline.json(&["get", "stream-route", "db"]);
    assert_eq!(shown["port"], port, "{shown}");
    let listed = gateline.run(&["get", "stream-routes"]);
    assert!(listed.stdout.contains("db"), "{}", listed.stdout);
    let refused = gateline.run(&["delete", "upstream", "db", "--yes"]);
    assert!(refused.stderr.contains("stream route `db`"), "{}", refused.stderr);
    fs::write(
        folder.join("all.yaml"),
        format!("- kind: folder\n  spec: {{ name: streams }}\n{upstream}"),
    )
    .unwrap();
    gateline.json(&["apply", declared, "--prune", "--yes"]);
    eventually("its end", PATIENCE, async || {
        shout(address, b"hello").is_none().then_some(())
    })
    .await;
    gateline.stop();
}
