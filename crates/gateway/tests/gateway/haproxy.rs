//! The PROXY protocol with HAProxy, where it comes from: as who says it, and as who is told.

use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use domain::traffic::{HealthCheck, ProxyVersion, UpstreamProtocol};
use gateway::settings::ProxyProtocol;

use crate::bench::{Bench, Client, Upstream, eventually};
use crate::listeners::free;

/// A HAProxy that ends with the test.
struct Haproxy {
    child: Child,
    _folder: tempfile::TempDir,
}

impl Haproxy {
    /// Starts the one that is installed, and waits until it listens everywhere.
    fn start(sections: &str, listening: &[SocketAddr]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("haproxy.cfg");
        let defaults = "timeout connect 20s\n timeout client 20s\n timeout server 20s\n";
        std::fs::write(
            &file,
            format!("global\n nbthread 1\ndefaults\n {defaults}{sections}"),
        )
        .unwrap();
        let known = ["/usr/sbin/haproxy", "/usr/local/sbin/haproxy"];
        let program = known
            .into_iter()
            .find(|path| Path::new(path).exists())
            .unwrap_or("haproxy");
        let child = Command::new(program)
            .args(["-q", "-db", "-f"])
            .arg(&file)
            .stdin(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("haproxy cannot be started ({error}): apt-get install haproxy"));
        let haproxy = Self {
            child,
            _folder: folder,
        };
        for address in listening {
            eventually(|| TcpStream::connect(address).is_ok());
        }
        haproxy
    }
}

impl Drop for Haproxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A client at another loopback address than everybody here.
fn client(to: SocketAddr) -> Client {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let own: SocketAddr = "127.0.0.77:0".parse().unwrap();
    socket.bind(&own.into()).unwrap();
    socket.connect(&to.into()).unwrap();
    Client::over(socket.into())
}

#[test]
fn it_says_who_the_client_is() {
    let upstream = Upstream::simple();
    let (gateway, line, bytes, summed) = (free(), free(), free(), free());
    let ways = [
        (line, "send-proxy"),
        (bytes, "send-proxy-v2"),
        (summed, "send-proxy-v2 proxy-v2-options crc32c,unique-id"),
    ];
    let mut sections = String::new();
    for (address, words) in ways {
        sections.push_str(&format!(
            "listen {port}\n mode tcp\n bind {address}\n unique-id-format %{{+X}}o%ci:%cp\n server gateway {gateway} {words}\n",
            port = address.port()
        ));
    }
    let bench = Bench::with(&upstream.urls(), |settings, _| {
        settings.listen = gateway;
        settings.proxy_protocol = Some(ProxyProtocol::new(vec!["127.0.0.1/32".parse().unwrap()]));
    });
    let _haproxy = Haproxy::start(&sections, &[line, bytes, summed]);
    for (address, words) in ways {
        let mut client = client(address);
        let key = &bench.key;
        client.send(format!("GET /shop/pets HTTP/1.1\r\nHost: g\r\nX-API-Key: {key}\r\n\r\n").as_bytes());
        assert_eq!(client.answer().status, 200, "{words}");
        let fields = upstream.last().fields;
        assert_eq!(fields.get("x-forwarded-for"), Some("127.0.0.77"), "{words}");
    }
}

#[test]
fn it_is_told_who_the_client_is() {
    let (http1, http2) = (free(), free());
    let answer =
        r#"http-request return status 200 content-type text/plain lf-string "%[src]:%[src_port] %[dst]""#;
    let sections = format!(
        "frontend one\n mode http\n bind {http1} accept-proxy\n {answer}\n\
         frontend two\n mode http\n bind {http2} accept-proxy proto h2\n {answer}\n"
    );
    let _haproxy = Haproxy::start(&sections, &[http1, http2]);
    for (address, version, protocol) in [
        (http1, ProxyVersion::V1, UpstreamProtocol::Http1),
        (http1, ProxyVersion::V2, UpstreamProtocol::Http1),
        (http2, ProxyVersion::V2, UpstreamProtocol::Http2),
    ] {
        let bench = Bench::with(&[format!("http://{address}")], |_, snapshot| {
            let spec = &mut snapshot.upstreams[0].spec;
            spec.proxy_protocol = Some(version);
            spec.protocol = protocol;
            spec.health_check = Some(HealthCheck {
                interval_ms: 100,
                ..HealthCheck::default()
            });
        });
        let (mut one, mut other) = (client(bench.address()), client(bench.address()));
        for client in [&mut one, &mut other] {
            for _ in 0..2 {
                let key = &bench.key;
                let text = format!("GET /shop/pets HTTP/1.1\r\nHost: g\r\nX-API-Key: {key}\r\n\r\n");
                client.send(text.as_bytes());
                let answer = client.answer();
                let own = client.stream.local_addr().unwrap();
                assert_eq!(
                    answer.text(),
                    format!("{own} 127.0.0.1"),
                    "{version:?} {protocol:?}"
                );
            }
        }
        // Checks speak for nobody, which is understood as well.
        eventually(|| {
            bench
                .get("/health/upstreams")
                .text()
                .contains("\"checked\":\"healthy\"")
        });
        let report = bench.get("/health/upstreams");
        assert!(report.text().contains("\"checks_failed_total\":0"), "{report:?}");
    }
}
