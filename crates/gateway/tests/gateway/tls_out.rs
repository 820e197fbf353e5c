//! TLS with upstreams that say how they want it.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;

use domain::traffic::{ClientCertificateFiles, UpstreamProtocol, UpstreamSpec};
use pki::testing::{self, Pair};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use crate::bench::{Bench, eventually};

/// What a connection showed: server name, protocol, number of certificates.
pub(crate) type Shown = (Option<String>, Option<Vec<u8>>, usize);

const SECRET: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nsecret";

/// For the key of RFC 6455 section 1.3.
const WEBSOCKET: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\nhello";

/// A service behind TLS for `service.test`.
pub(crate) struct Service {
    pub(crate) url: String,
    pub(crate) pem: String,
    shown: Arc<Mutex<Vec<Shown>>>,
}

impl Service {
    pub(crate) fn start(clients: Option<&RootCertStore>, protocols: &[&str]) -> Self {
        Self::of(&["service.test"], clients, protocols)
    }

    /// One whose certificate is for these names.
    pub(crate) fn of(names: &[&str], clients: Option<&RootCertStore>, protocols: &[&str]) -> Self {
        let provider = testing::provider();
        let pair = Pair::of(names);
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(roots) => {
                let roots = Arc::new(roots.clone());
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider).build();
                builder.with_client_cert_verifier(verifier.unwrap())
            }
        };
        let mut config = builder
            .with_single_cert(vec![pair.der()], pair.key_der())
            .unwrap();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        let (config, shown) = (Arc::new(config), Arc::default());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
        let service = Self {
            url,
            pem: pair.chain,
            shown: Arc::clone(&shown),
        };
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
                let mut stream = StreamOwned::new(connection, stream);
                let mut bytes = [0; 4096];
                if let Ok(length @ 1..) = stream.read(&mut bytes) {
                    let asked = String::from_utf8_lossy(&bytes[..length]).to_ascii_lowercase();
                    let conn = &stream.conn;
                    shown.lock().unwrap().push((
                        conn.server_name().map(str::to_owned),
                        conn.alpn_protocol().map(<[u8]>::to_vec),
                        conn.peer_certificates().map_or(0, <[_]>::len),
                    ));
                    let is_websocket = asked.contains("upgrade: websocket");
                    let _ = stream.write_all(if is_websocket { WEBSOCKET } else { SECRET });
                    stream.conn.send_close_notify();
                    let _ = stream.flush();
                }
            }
        });
        service
    }

    pub(crate) fn bench(&self, change: impl FnOnce(&mut UpstreamSpec)) -> Bench {
        Bench::with(std::slice::from_ref(&self.url), |settings, snapshot| {
            settings.cores = 1;
            let tls = &mut snapshot.upstreams[0].spec.tls;
            tls.roots = Some(self.pem.clone());
            tls.server_name = Some("service.test".to_owned());
            change(&mut snapshot.upstreams[0].spec);
        })
    }

    /// Whether somebody trusted it and said something.
    pub(crate) fn has_heard(&self) -> bool {
        !self.shown.lock().unwrap().is_empty()
    }

    pub(crate) fn last(&self) -> Shown {
        self.shown.lock().unwrap().last().unwrap().clone()
    }
}

#[test]
fn roots_and_names_are_the_upstreams_own() {
    let service = Service::start(None, &["http/1.1"]);
    let good = service.bench(|_| {});
    assert_eq!(good.get("/shop/pets").text(), "secret");
    let expected = (Some("service.test".to_owned()), Some(b"http/1.1".to_vec()), 0);
    assert_eq!(service.last(), expected);
    let other_name = service.bench(|spec| spec.tls.server_name = None);
    assert_eq!(other_name.get("/shop/pets").problem(), "502 upstream_unreachable");
    let other_roots = service.bench(|spec| spec.tls.roots = Some(Pair::of(&["service.test"]).chain));
    assert_eq!(
        other_roots.get("/shop/pets").problem(),
        "502 upstream_unreachable"
    );
    let careless = service.bench(|spec| {
        spec.tls.roots = None;
        spec.tls.danger.accept_any_certificate = true;
    });
    assert_eq!(careless.get("/shop/pets").text(), "secret");
}

#[test]
fn the_protocol_may_be_left_to_the_handshake() {
    let old = Service::start(None, &["http/1.1"]);
    let bench = old.bench(|spec| spec.protocol = UpstreamProtocol::Auto);
    assert_eq!(bench.get("/shop/pets").text(), "secret");
    let new = Service::start(None, &["h2", "http/1.1"]);
    let bench = new.bench(|spec| spec.protocol = UpstreamProtocol::Auto);
    // It offers HTTP/2 without speaking it: what matters is that it was asked.
    assert_eq!(bench.get("/shop/pets").status, 502);
    assert_eq!(new.last().1, Some(b"h2".to_vec()));
}

#[test]
fn websockets_are_asked_for_where_they_are() {
    let service = Service::start(None, &["h2", "http/1.1"]);
    let bench = service.bench(|spec| spec.protocol = UpstreamProtocol::Auto);
    let mut client = bench.connect();
    let key = &bench.key;
    client.send(
        format!(
            "GET /shop/pets HTTP/1.1\r\nHost: g\r\nX-API-Key: {key}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        .as_bytes(),
    );
    assert_eq!(client.answer().status, 101);
    client.expect(b"hello");
    assert_eq!(service.last().1, Some(b"http/1.1".to_vec()));
    // It offers HTTP/2 without speaking it, which other calls still ask for.
    assert_eq!(bench.get("/shop/pets").status, 502);
    assert_eq!(service.last().1, Some(b"h2".to_vec()));
}

fn write(directory: &Path, pair: &Pair) -> ClientCertificateFiles {
    let (chain, key) = (directory.join("client.pem"), directory.join("client.key"));
    pair.write(&chain, &key);
    ClientCertificateFiles {
        chain_file: chain.to_str().unwrap().to_owned(),
        key_file: key.to_str().unwrap().to_owned(),
    }
}

#[test]
fn a_client_certificate_is_shown_and_follows_its_files() {
    let directory = tempfile::tempdir().unwrap();
    let (wrong, right) = (Pair::of(&["wrong"]), Pair::of(&["right"]));
    let mut roots = RootCertStore::empty();
    roots.add(right.der()).unwrap();
    let service = Service::start(Some(&roots), &["http/1.1"]);
    let files = write(directory.path(), &wrong);
    let bench = service.bench(|spec| spec.tls.client_certificate = Some(files));
    assert_eq!(bench.get("/shop/pets").status, 502);
    write(directory.path(), &right);
    eventually(|| bench.get("/shop/pets").status == 200);
    assert_eq!(service.last().2, 1);
}

#[test]
fn what_cannot_be_used_is_rejected() {
    let service = Service::start(None, &["http/1.1"]);
    let bench = service.bench(|_| {});
    let revision = bench.snapshots.borrow().revision;
    for change in [
        (|spec: &mut UpstreamSpec| spec.tls.roots = Some("no PEM".to_owned())) as fn(&mut UpstreamSpec),
        |spec| spec.tls.server_name = Some("a b".to_owned()),
        |spec| {
            spec.tls.client_certificate = Some(ClientCertificateFiles {
                chain_file: "/nowhere/chain.pem".to_owned(),
                key_file: "/nowhere/key.pem".to_owned(),
            });
        },
    ] {
        bench.send(|snapshot| {
            snapshot.upstreams[0].spec.tls.roots = Some(service.pem.clone());
            change(&mut snapshot.upstreams[0].spec);
        });
        let wanted = bench.snapshots.borrow().revision;
        let status = || bench.gateway.as_ref().unwrap().status();
        eventually(|| {
            status()
                .rejected
                .is_some_and(|rejected| rejected.revision == wanted)
        });
        assert_eq!(status().revision, Some(revision));
    }
    assert_eq!(bench.get("/shop/pets").text(), "secret");
}
