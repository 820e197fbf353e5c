//! TLS on either side.

use std::io::Write as _;
use std::sync::Arc;

use pki::testing::{Pair, provider};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use crate::bench::{Bench, Upstream};

/// A client that trusts one certificate.
fn client(certificate: CertificateDer<'static>, protocols: &[&str]) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols
        .iter()
        .map(|protocol| protocol.as_bytes().to_vec())
        .collect();
    config
}

#[test]
fn clients_are_served_with_a_development_certificate() {
    let upstream = Upstream::simple();
    let bench = Bench::with(&upstream.urls(), |settings, _| {
        settings.listen_tls = Some("127.0.0.1:0".parse().unwrap());
    });
    let address = bench.gateway.as_ref().unwrap().addresses().tls.unwrap();
    let certificate = CertificateDer::from_pem_file(bench.data().join("tls/development.pem")).unwrap();
    for (protocols, chosen) in [(&["http/1.1"][..], "http/1.1"), (&["h2", "http/1.1"], "h2")] {
        let config = Arc::new(client(certificate.clone(), protocols));
        let connection = ClientConnection::new(config, "localhost".try_into().unwrap()).unwrap();
        let mut stream = StreamOwned::new(connection, std::net::TcpStream::connect(address).unwrap());
        let text = format!(
            "GET /shop/pets HTTP/1.1\r\nHost: g\r\nX-API-Key: {}\r\nConnection: close\r\n\r\n",
            bench.key
        );
        let text = if chosen == "h2" {
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"
        } else {
            &text
        };
        stream.write_all(text.as_bytes()).unwrap();
        let mut answer = [0; 9];
        std::io::Read::read_exact(&mut stream, &mut answer).unwrap();
        assert_eq!(stream.conn.alpn_protocol(), Some(chosen.as_bytes()));
        if chosen == "h2" {
            assert_eq!(answer[3], 4, "settings come first: {answer:?}");
        } else {
            assert_eq!(&answer, b"HTTP/1.1 ");
            crate::bench::eventually(|| !upstream.received().is_empty());
            assert_eq!(upstream.last().fields.get("x-forwarded-proto"), Some("https"));
        }
    }
}

/// A service behind TLS, with a certificate of its own in `roots.pem`.
fn service(directory: &std::path::Path) -> String {
    let pair = Pair::of(&["localhost"]);
    std::fs::write(directory.join("roots.pem"), &pair.chain).unwrap();
    let config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![pair.der()], pair.key_der())
        .unwrap();
    let config = Arc::new(config);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(connection, stream);
            let mut bytes = [0; 4096];
            if std::io::Read::read(&mut stream, &mut bytes).is_ok() {
                let _ = stream
                    .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nsecret");
                stream.conn.send_close_notify();
                let _ = stream.flush();
            }
        }
    });
    format!("https://localhost:{port}")
}

#[test]
fn upstreams_are_checked_against_the_given_roots() {
    let directory = tempfile::tempdir().unwrap();
    let url = service(directory.path());
    let trusting = Bench::with(std::slice::from_ref(&url), |settings, _| {
        settings.upstream_roots = Some(directory.path().join("roots.pem"));
    });
    assert_eq!(trusting.get("/shop/pets").text(), "secret");
    let wary = Bench::new(&[url]);
    assert_eq!(wary.get("/shop/pets").problem(), "502 upstream_unreachable");
}
