//! What is shown to clients, what they have to show, and how both change while a node runs.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;

use domain::certificate::{ClientAuth, ClientAuthMode};
use domain::id::{CertificateId, RouteId};
use domain::snapshot;
use gateway::settings::{Certificate, ClientCertificates};
use pki::SealKey;
use pki::testing::{self, Authority, Pair, Subject};
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use serde_json::json;

use crate::bench::{Answer, Bench, Upstream, eventually, id};

pub(crate) const TOKEN: &str = "glc_the-token-of-this-cluster";

/// Writes a certificate to the files that settings name.
fn write(pair: &Pair, directory: &Path) -> Certificate {
    let certificate = Certificate {
        chain: directory.join("chain.pem"),
        key: directory.join("key.pem"),
    };
    pair.write(&certificate.chain, &certificate.key);
    certificate
}

/// A certificate as it stands in a snapshot.
pub(crate) fn entry(pair: &Pair, number: u128, hosts: &[&str]) -> snapshot::Certificate {
    let id = CertificateId::new(id(number));
    snapshot::Certificate {
        id,
        revision: 1,
        hosts: hosts.iter().map(ToString::to_string).collect(),
        chain: pair.chain.clone(),
        sealed_key: SealKey::of(TOKEN).seal(&id.to_string(), &pair.key).unwrap(),
        client_auth: None,
    }
}

/// An authority and a certificate that it has signed for a client.
pub(crate) fn authority() -> (String, Pair) {
    let authority = Authority::new("clients");
    let client = authority.sign(&Subject {
        names: &["client.example"],
        ..Subject::default()
    });
    (authority.root, client)
}

/// A client over TLS.
pub(crate) struct Secure(pub(crate) StreamOwned<ClientConnection, TcpStream>);

impl Secure {
    fn config(shown: Option<&Pair>) -> Arc<ClientConfig> {
        Arc::new(testing::client(shown, &["http/1.1"]))
    }

    pub(crate) fn open(address: SocketAddr, host: &str, shown: Option<&Pair>) -> Self {
        Self::open_with(address, host, Self::config(shown))
    }

    fn open_with(address: SocketAddr, host: &str, config: Arc<ClientConfig>) -> Self {
        Self::begin(TcpStream::connect(address).unwrap(), host, config)
    }

    /// TLS over a connection on which something may have been said already.
    pub(crate) fn over(stream: TcpStream, host: &str) -> Self {
        Self::begin(stream, host, Self::config(None))
    }

    fn begin(stream: TcpStream, host: &str, config: Arc<ClientConfig>) -> Self {
        let connection = ClientConnection::new(config, host.to_owned().try_into().unwrap()).unwrap();
        Self(StreamOwned::new(connection, stream))
    }

    /// The first line of the answer to a request; the TLS error if there is none.
    pub(crate) fn get(&mut self, bench: &Bench, host: &str, head: &str) -> Result<String, std::io::Error> {
        let key = &bench.key;
        let text = format!("GET /shop/pets HTTP/1.1\r\nHost: {host}\r\nX-API-Key: {key}\r\n{head}\r\n");
        self.0.write_all(text.as_bytes())?;
        let mut bytes = Vec::new();
        let mut buffer = [0; 1024];
        while !bytes.windows(4).any(|four| four == b"\r\n\r\n") {
            match self.0.read(&mut buffer)? {
                0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
                length => bytes.extend_from_slice(&buffer[..length]),
            }
        }
        let text = String::from_utf8_lossy(&bytes);
        Ok(text.lines().next().unwrap_or_default().to_owned())
    }

    pub(crate) fn shown(&self) -> CertificateDer<'static> {
        self.0.conn.peer_certificates().unwrap()[0].clone().into_owned()
    }
}

/// The protocol that is agreed on with a client that speaks these; none if the handshake fails.
pub(crate) fn protocol(address: SocketAddr, spoken: &[&str]) -> Option<String> {
    let config = testing::client(None, spoken);
    let mut client = Secure::open_with(address, "own.example", Arc::new(config));
    client.0.conn.complete_io(&mut client.0.sock).ok()?;
    let chosen = client.0.conn.alpn_protocol()?;
    Some(String::from_utf8_lossy(chosen).into_owned())
}

/// A field of the answer that a host gives over TLS.
pub(crate) fn field(bench: &Bench, address: SocketAddr, host: &str, name: &str) -> Option<String> {
    let mut client = Secure::open(address, host, None);
    let key = &bench.key;
    let text =
        format!("GET /shop/pets HTTP/1.1\r\nHost: {host}\r\nX-API-Key: {key}\r\nConnection: close\r\n\r\n");
    client.0.write_all(text.as_bytes()).unwrap();
    let mut answer = Vec::new();
    // Without a closing alert that is an error; what was read is there.
    let _ = client.0.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let mut lines = answer.lines().filter_map(|line| line.split_once(": "));
    lines
        .find(|(found, _)| *found == name)
        .map(|(_, value)| value.to_owned())
}

/// What a host is shown.
pub(crate) fn shown(address: SocketAddr, host: &str) -> CertificateDer<'static> {
    let mut client = Secure::open(address, host, None);
    client.0.conn.complete_io(&mut client.0.sock).unwrap();
    client.shown()
}

fn bench(
    upstream: &Upstream,
    own: &Pair,
    client: Option<(&str, ClientAuthMode)>,
) -> (Bench, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let bench = Bench::with(&upstream.urls(), |settings, _| {
        settings.listen_tls = Some("127.0.0.1:0".parse().unwrap());
        settings.certificate = Some(write(own, directory.path()));
        settings.client_certificates = client.map(|(root, mode)| {
            let authorities = directory.path().join("clients.pem");
            std::fs::write(&authorities, root).unwrap();
            ClientCertificates {
                authorities,
                mode,
                forward: true,
            }
        });
        settings.sealing.trust(TOKEN);
    });
    (bench, directory)
}

fn tls(bench: &Bench) -> SocketAddr {
    bench.gateway.as_ref().unwrap().addresses().tls.unwrap()
}

#[test]
fn hosts_are_shown_their_certificates_and_changes_take_effect_at_once() {
    let upstream = Upstream::simple();
    let (own, exact, wild, newer) = (
        Pair::of(&["own.example"]),
        Pair::of(&["api.example"]),
        Pair::of(&["*.example"]),
        Pair::of(&["api.example"]),
    );
    let (bench, _directory) = bench(&upstream, &own, None);
    let address = tls(&bench);
    assert_eq!(shown(address, "api.example"), own.der());
    bench.change(|snapshot| {
        snapshot.certificates = vec![
            entry(&exact, 70, &["api.example"]),
            entry(&wild, 71, &["*.example"]),
        ];
    });
    let mut open = Secure::open(address, "api.example", None);
    assert_eq!(open.get(&bench, "api.example", "").unwrap(), "HTTP/1.1 200 OK");
    for (host, pair) in [
        ("API.example", &exact),
        ("b.example", &wild),
        ("a.b.example", &own),
        ("example", &own),
    ] {
        assert_eq!(shown(address, host), pair.der(), "{host}");
    }
    bench.change(|snapshot| {
        let mut changed = entry(&newer, 70, &["api.example"]);
        changed.revision = 2;
        snapshot.certificates = vec![changed];
    });
    assert_eq!(shown(address, "api.example"), newer.der());
    assert_eq!(shown(address, "b.example"), own.der());
    assert_eq!(
        open.get(&bench, "api.example", "").unwrap(),
        "HTTP/1.1 200 OK",
        "it goes on"
    );
    assert_eq!(open.shown(), exact.der());
}

#[test]
fn a_snapshot_with_a_certificate_that_cannot_be_shown_is_rejected() {
    let upstream = Upstream::simple();
    let (own, one, other) = (
        Pair::of(&["own.example"]),
        Pair::of(&["a.example"]),
        Pair::of(&["b.example"]),
    );
    let (bench, _directory) = bench(&upstream, &own, None);
    let mut strange = entry(&one, 70, &["a.example"]);
    strange.sealed_key = SealKey::of("another")
        .seal(&strange.id.to_string(), &one.key)
        .unwrap();
    let mut unpaired = entry(&one, 70, &["a.example"]);
    unpaired.chain = other.chain.clone();
    let twice = vec![entry(&one, 70, &["a.example"]), entry(&one, 71, &["a.example"])];
    for (certificates, reason) in [
        (vec![strange], "another cluster token"),
        (vec![unpaired], "does not belong to the first certificate"),
        (twice, "`a.example` has another certificate already"),
    ] {
        bench.send(|snapshot| snapshot.certificates = certificates);
        let said = || {
            let status = bench.gateway.as_ref().unwrap().status();
            status
                .rejected
                .map(|rejected| rejected.reason)
                .unwrap_or_default()
        };
        eventually(|| said().contains(reason));
        assert_eq!(bench.get("/shop/pets").status, 200, "the old one is served");
    }
}

#[test]
fn the_nodes_own_files_are_read_again_when_they_change() {
    let upstream = Upstream::simple();
    let (first, second) = (Pair::of(&["own.example"]), Pair::of(&["own.example"]));
    let (bench, directory) = bench(&upstream, &first, None);
    let address = tls(&bench);
    let mut open = Secure::open(address, "own.example", None);
    assert_eq!(open.get(&bench, "own.example", "").unwrap(), "HTTP/1.1 200 OK");
    assert_eq!(open.shown(), first.der());
    std::fs::write(directory.path().join("key.pem"), "not a key").unwrap();
    write(&second, directory.path());
    eventually(|| shown(address, "own.example") == second.der());
    assert_eq!(
        open.get(&bench, "own.example", "").unwrap(),
        "HTTP/1.1 200 OK",
        "it goes on"
    );
}

#[test]
fn clients_without_the_certificate_that_is_required_get_nothing() {
    let upstream = Upstream::simple();
    let ((root, good), (_, stranger)) = (authority(), authority());
    let own = Pair::of(&["own.example"]);
    let (bench, _directory) = bench(&upstream, &own, Some((&root, ClientAuthMode::Required)));
    let address = tls(&bench);
    for bad in [None, Some(&stranger)] {
        let mut client = Secure::open(address, "own.example", bad);
        assert!(client.get(&bench, "own.example", "").is_err());
    }
    assert!(upstream.received().is_empty());
    let mut client = Secure::open(address, "own.example", Some(&good));
    let head = "Client-Cert: :Zm9yZ2Vk:\r\nClient-Cert-Chain: :Zm9yZ2Vk:\r\n";
    assert_eq!(
        client.get(&bench, "own.example", head).unwrap(),
        "HTTP/1.1 200 OK"
    );
    let received = upstream.last();
    let told = received.fields.get("client-cert").unwrap();
    let expected = base64_of(&good.der());
    assert_eq!(told, format!(":{expected}:"));
    assert_eq!(received.fields.get("client-cert-chain"), None);
}

#[test]
fn what_a_certificate_asks_of_clients_holds() {
    let upstream = Upstream::simple();
    let (own, host) = (Pair::of(&["own.example"]), Pair::of(&["api.example"]));
    let ((root, client), (other_root, _)) = (authority(), authority());
    let (bench, _directory) = bench(&upstream, &own, None);
    let asks = |mode: &str, root: &str, forward: bool, shown: Option<&Pair>| {
        bench.change(|snapshot| {
            let mut changed = entry(&host, 70, &["api.example"]);
            changed.revision = i64::try_from(snapshot.revision).unwrap();
            let auth = json!({ "mode": mode, "authorities": root, "forward": forward });
            changed.client_auth = serde_json::from_value(auth).unwrap();
            snapshot.certificates = vec![changed];
        });
        let mut client = Secure::open(tls(&bench), "api.example", shown);
        let line = client.get(&bench, "api.example", "").ok()?;
        assert!(line.contains("200"), "{line}");
        Some(upstream.last().fields.get("client-cert").is_some())
    };
    assert_eq!(asks("required", &root, false, Some(&client)), Some(false));
    assert_eq!(asks("required", &root, false, None), None);
    assert_eq!(asks("optional", &root, false, None), Some(false));
    assert_eq!(asks("required", &other_root, false, Some(&client)), None);
    assert_eq!(asks("required", &root, true, Some(&client)), Some(true));
}

#[test]
fn nobody_but_the_gateway_says_what_a_client_has_shown() {
    let upstream = Upstream::simple();
    let bench = Bench::new(&upstream.urls());
    let head = "Client-Cert: :Zm9yZ2Vk:\r\nClient-Cert-Chain: :Zm9yZ2Vk:\r\n";
    assert_eq!(bench.call("GET", "/shop/pets", head, "").status, 200);
    let fields = upstream.last().fields;
    assert_eq!(
        (fields.get("client-cert"), fields.get("client-cert-chain")),
        (None, None)
    );
}

#[test]
fn a_connection_is_good_only_for_hosts_that_ask_for_the_same() {
    let upstream = Upstream::simple();
    let (root, good) = authority();
    let (own, strict) = (Pair::of(&["own.example"]), Pair::of(&["strict.example"]));
    let (bench, _directory) = bench(&upstream, &own, None);
    let address = tls(&bench);
    bench.change(|snapshot| {
        let mut changed = entry(&strict, 70, &["strict.example"]);
        changed.client_auth = Some(ClientAuth {
            mode: ClientAuthMode::Required,
            authorities: root.clone(),
            forward: false,
        });
        snapshot.certificates = vec![changed];
    });
    let mut anonymous = Secure::open(address, "own.example", None);
    assert_eq!(
        anonymous.get(&bench, "own.example", "").unwrap(),
        "HTTP/1.1 200 OK"
    );
    let misdirected = "HTTP/1.1 421 Misdirected Request";
    assert_eq!(anonymous.get(&bench, "strict.example", "").unwrap(), misdirected);
    let mut known = Secure::open(address, "strict.example", Some(&good));
    assert_eq!(
        known.get(&bench, "strict.example", "").unwrap(),
        "HTTP/1.1 200 OK"
    );
    assert_eq!(upstream.last().fields.get("client-cert"), None, "not configured");
    let mut known = Secure::open(address, "strict.example", Some(&good));
    assert_eq!(known.get(&bench, "own.example", "").unwrap(), misdirected);
    assert_eq!(
        plain(&bench, "strict.example").problem(),
        "421 misdirected_request"
    );
}

/// The answer of a host without TLS.
fn plain(bench: &Bench, host: &str) -> Answer {
    let mut client = bench.connect();
    let key = &bench.key;
    client.send(format!("GET /shop/pets HTTP/1.1\r\nHost: {host}\r\nX-API-Key: {key}\r\n\r\n").as_bytes());
    client.answer()
}

/// The first line of the answer that a host gives on a TLS connection of its own.
fn over_tls(bench: &Bench, host: &str, shown: Option<&Pair>) -> String {
    let mut client = Secure::open(tls(bench), host, shown);
    client.get(bench, host, "").unwrap()
}

/// What hosts ask for that have no certificate to show.
pub(crate) fn unshown(number: u128, host: &str, mode: ClientAuthMode, root: &str) -> snapshot::Unshown {
    snapshot::Unshown {
        id: CertificateId::new(id(number)),
        hosts: vec![host.to_owned()],
        client_auth: ClientAuth {
            mode,
            authorities: root.to_owned(),
            forward: true,
        },
    }
}

#[test]
fn a_host_is_closed_until_it_can_ask_for_what_it_requires() {
    let upstream = Upstream::simple();
    let (root, good) = authority();
    let (own, strict, check) = (
        Pair::of(&["own.example"]),
        Pair::of(&["strict.example"]),
        Pair::proof("strict.example"),
    );
    let (bench, _directory) = bench(&upstream, &own, None);
    bench.change(|snapshot| {
        snapshot.unshown = vec![
            unshown(70, "strict.example", ClientAuthMode::Required, &root),
            unshown(71, "optional.example", ClientAuthMode::Optional, &root),
        ];
        snapshot.challenges = vec![
            snapshot::Challenge::Http {
                host: "strict.example".to_owned(),
                token: "abc".to_owned(),
                key_authorization: "abc.def".to_owned(),
            },
            snapshot::Challenge::TlsAlpn {
                host: "strict.example".to_owned(),
                chain: check.chain.clone(),
                sealed_key: SealKey::of(TOKEN).seal("strict.example", &check.key).unwrap(),
            },
        ];
    });
    let (served, misdirected) = ("HTTP/1.1 200 OK", "HTTP/1.1 421 Misdirected Request");
    assert_eq!(
        plain(&bench, "strict.example").problem(),
        "421 misdirected_request"
    );
    for client in [None, Some(&good)] {
        assert_eq!(over_tls(&bench, "strict.example", client), misdirected);
    }
    let mut elsewhere = Secure::open(tls(&bench), "own.example", None);
    assert_eq!(elsewhere.get(&bench, "strict.example", "").unwrap(), misdirected);
    assert!(upstream.received().is_empty());
    for host in ["optional.example", "own.example", "a.strict.example"] {
        assert_eq!(plain(&bench, host).status, 200, "{host}");
        assert_eq!(over_tls(&bench, host, None), served, "{host}");
    }

    // Else it would stay so for ever.
    let mut server = bench.connect();
    server.send(b"GET /.well-known/acme-challenge/abc HTTP/1.1\r\nHost: strict.example\r\n\r\n");
    let answer = server.answer();
    assert_eq!((answer.status, answer.text()), (200, "abc.def"));
    let config = Arc::new(testing::client(None, &["acme-tls/1"]));
    let mut server = Secure::open_with(tls(&bench), "strict.example", config);
    server.0.conn.complete_io(&mut server.0.sock).unwrap();
    assert_eq!(server.shown(), check.der());

    bench.change(|snapshot| {
        let mut issued = entry(&strict, 70, &["strict.example"]);
        issued.client_auth = Some(snapshot.unshown.remove(0).client_auth);
        snapshot.certificates = vec![issued];
    });
    assert_eq!(over_tls(&bench, "strict.example", Some(&good)), served);
    let mut anonymous = Secure::open(tls(&bench), "strict.example", None);
    assert!(anonymous.get(&bench, "strict.example", "").is_err());
}

#[test]
fn certificates_of_clients_count_only_where_the_same_is_asked_for() {
    let upstream = Upstream::simple();
    let ((root, good), (others_root, other)) = (authority(), authority());
    let (own, wild) = (Pair::of(&["own.example"]), Pair::of(&["*.wild.example"]));
    let (bench, _directory) = bench(&upstream, &own, Some((&root, ClientAuthMode::Optional)));
    bench.change(|snapshot| {
        let mut below = entry(&wild, 70, &["*.wild.example"]);
        below.client_auth = Some(ClientAuth {
            mode: ClientAuthMode::Required,
            authorities: others_root.clone(),
            forward: true,
        });
        snapshot.certificates = vec![below];
        snapshot.unshown = vec![
            unshown(71, "same.example", ClientAuthMode::Optional, &root),
            unshown(72, "other.example", ClientAuthMode::Optional, &others_root),
            unshown(73, "strict.example", ClientAuthMode::Required, &root),
            unshown(74, "same.wild.example", ClientAuthMode::Required, &others_root),
            unshown(75, "other.wild.example", ClientAuthMode::Required, &root),
        ];
    });
    for (host, shown, expected) in [
        ("same.example", None, "200"),
        ("same.example", Some(&good), "200"),
        ("other.example", None, "200"),
        // It was checked against other authorities than the host's.
        ("other.example", Some(&good), "421"),
        ("strict.example", None, "421"),
        ("strict.example", Some(&good), "421"),
        ("same.wild.example", Some(&other), "200"),
        ("other.wild.example", Some(&other), "421"),
    ] {
        let line = over_tls(&bench, host, shown);
        let is_shown = shown.is_some();
        assert_eq!(line.split(' ').nth(1), Some(expected), "{host} {is_shown}");
    }
    assert_eq!(plain(&bench, "other.wild.example").status, 421);
}

#[test]
fn a_session_does_not_go_on_where_another_certificate_is_asked_for() {
    let upstream = Upstream::simple();
    let (root, _) = authority();
    let own = Pair::of(&["own.example"]);
    let host = Pair::of(&["api.example"]);
    let (bench, _directory) = bench(&upstream, &own, None);
    let address = tls(&bench);
    bench.change(|snapshot| snapshot.certificates = vec![entry(&host, 70, &["api.example"])]);
    let config = Secure::config(None);
    for kind in [rustls::HandshakeKind::Full, rustls::HandshakeKind::Resumed] {
        let mut client = Secure::open_with(address, "api.example", Arc::clone(&config));
        assert_eq!(client.get(&bench, "api.example", "").unwrap(), "HTTP/1.1 200 OK");
        assert_eq!(client.0.conn.handshake_kind(), Some(kind));
    }
    bench.change(|snapshot| {
        let mut changed = entry(&host, 70, &["api.example"]);
        changed.revision = 2;
        changed.client_auth = Some(ClientAuth {
            mode: ClientAuthMode::Required,
            authorities: root.clone(),
            forward: false,
        });
        snapshot.certificates = vec![changed];
    });
    let mut client = Secure::open_with(address, "api.example", config);
    assert!(client.get(&bench, "api.example", "").is_err());
}

#[test]
fn acme_servers_find_what_they_look_for() {
    let upstream = Upstream::simple();
    let (own, check) = (Pair::of(&["own.example"]), Pair::proof("api.example"));
    let (bench, _directory) = bench(&upstream, &own, None);
    let address = tls(&bench);
    bench.change(|snapshot| {
        snapshot.challenges = vec![
            snapshot::Challenge::Http {
                host: "api.example".to_owned(),
                token: "abc".to_owned(),
                key_authorization: "abc.def".to_owned(),
            },
            snapshot::Challenge::TlsAlpn {
                host: "api.example".to_owned(),
                chain: check.chain.clone(),
                sealed_key: SealKey::of(TOKEN).seal("api.example", &check.key).unwrap(),
            },
        ];
    });
    let ask = |host: &str| {
        let mut client = bench.connect();
        let text = format!("GET /.well-known/acme-challenge/abc HTTP/1.1\r\nHost: {host}\r\n\r\n");
        client.send(text.as_bytes());
        client.answer()
    };
    let answer = ask("api.example");
    assert_eq!((answer.status, answer.text()), (200, "abc.def"));
    assert_eq!(ask("other.example").status, 404);
    let config = testing::client(None, &["acme-tls/1"]);
    let mut client = Secure::open_with(address, "api.example", Arc::new(config));
    client.0.conn.complete_io(&mut client.0.sock).unwrap();
    assert_eq!(client.shown(), check.der());
    assert_eq!(client.0.conn.alpn_protocol(), Some(&b"acme-tls/1"[..]));
    assert_eq!(
        shown(address, "api.example"),
        own.der(),
        "HTTP is not served with it"
    );
}

#[test]
fn routes_ask_for_certificates_of_clients() {
    let upstream = Upstream::simple();
    let (own, host) = (Pair::of(&["own.example"]), Pair::of(&["api.example"]));
    let authority = Authority::new("clients");
    let sign = |common_name, uris| {
        authority.sign(&Subject {
            common_name,
            organization: "Acme",
            uris,
            ..Subject::default()
        })
    };
    let (billing, search) = (
        sign("billing", &["spiffe://acme.example/shop/billing"][..]),
        sign("search", &[]),
    );
    let routes = [
        json!({ "client_certificate": { "fields": [
            { "name": "uri", "kind": "prefix", "value": "spiffe://acme.example/shop/" },
            { "name": "subject", "value": "cn=billing, o=Acme" },
        ] } }),
        json!({ "client_certificate": {} }),
        json!({ "client_certificate": { "fields": [{ "name": "common_name", "value": "robot" }] } }),
        json!({ "client_certificate": { "kind": "absent" } }),
    ];
    let (bench, _directory) = bench(&upstream, &own, None);
    let address = tls(&bench);
    bench.change(|snapshot| {
        let mut changed = entry(&host, 70, &["api.example"]);
        changed.client_auth = Some(ClientAuth {
            mode: ClientAuthMode::Optional,
            authorities: authority.root.clone(),
            forward: false,
        });
        snapshot.certificates = vec![changed];
        let plain = snapshot.routes[0].clone();
        for (number, matches) in (0u16..).zip(&routes) {
            snapshot.routes.push(snapshot::Route {
                id: RouteId::new(id(900 + u128::from(number))),
                matches: serde_json::from_value(matches.clone()).unwrap(),
                upstream: None,
                answer: serde_json::from_value(json!({ "status": 210 + number })).unwrap(),
                operations: Vec::new(),
                policies: Vec::new(),
                ..plain.clone()
            });
        }
    });
    let robot = sign("robot", &[]);
    for (shown, status) in [
        (Some(&billing), "210"),
        (Some(&search), "211"),
        (Some(&robot), "212"),
        (None, "213"),
    ] {
        let mut client = Secure::open(address, "api.example", shown);
        for _ in 0..2 {
            let line = client.get(&bench, "api.example", "").unwrap();
            assert_eq!(line.split(' ').nth(1), Some(status), "{shown:?}");
        }
    }
    let plain = bench.get("/shop/pets");
    assert_eq!(plain.status, 213, "without TLS there is none");
}

fn base64_of(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
