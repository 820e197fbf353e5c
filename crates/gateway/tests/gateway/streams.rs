//! Connections that pass without being read.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use domain::id::{StreamRouteId, UpstreamId};
use domain::snapshot::{Snapshot, StreamRoute, Upstream as UpstreamEntry};
use domain::traffic::{HealthCheck, HealthCheckKind, ProxyVersion, Target, UpstreamSpec};
use gateway::Settings;
use gateway::settings::{Listener, Protocols, ProxyProtocol};

use crate::bench::{Bench, PATIENCE, Upstream, eventually, id};
use crate::certificates::Secure;
use crate::listeners::free;

/// What is done to a snapshot.
type Change = fn(&mut Snapshot);

/// A service that says who it is and gives back what it gets, until the other side has ended.
pub(crate) struct Echo {
    pub(crate) address: SocketAddr,
    open: Arc<AtomicUsize>,
}

impl Echo {
    pub(crate) fn start(name: &'static [u8]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let echo = Self {
            address: listener.local_addr().unwrap(),
            open: Arc::default(),
        };
        let open = Arc::clone(&echo.open);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let open = Arc::clone(&open);
                thread::spawn(move || {
                    open.fetch_add(1, Ordering::SeqCst);
                    let _ = Self::serve(stream, name);
                    open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        echo
    }

    fn serve(mut stream: TcpStream, name: &[u8]) -> std::io::Result<()> {
        stream.set_nodelay(true)?;
        stream.write_all(name)?;
        let mut bytes = [0; 4096];
        loop {
            let length = stream.read(&mut bytes)?;
            if length == 0 {
                // The other direction may go on.
                return stream.write_all(b"bye");
            }
            stream.write_all(&bytes[..length])?;
        }
    }

    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    pub(crate) fn url(&self) -> String {
        format!("tcp://{}", self.address)
    }
}

/// Puts a stream route to targets into a snapshot.
fn route(snapshot: &mut Snapshot, number: u128, (port, hosts): (Option<u16>, &[&str]), urls: &[String]) {
    let upstream = UpstreamId::new(id(500 + number));
    let targets = urls.iter().map(Target::new).collect();
    snapshot.upstreams.push(UpstreamEntry {
        id: upstream,
        spec: UpstreamSpec::new(format!("stream-{number}").parse().unwrap(), targets),
    });
    snapshot.streams.push(StreamRoute {
        id: StreamRouteId::new(id(600 + number)),
        port,
        hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
        upstream,
        idle_ms: 60_000,
        connections_max: 0,
    });
}

fn spec(snapshot: &mut Snapshot) -> &mut UpstreamSpec {
    &mut snapshot.upstreams.last_mut().unwrap().spec
}

fn listener(address: SocketAddr, tls: bool, protocols: Protocols) -> Listener {
    Listener {
        address,
        tls,
        protocols,
        proxy_protocol: None,
        flagd: None,
    }
}

/// A gateway with a listener for streams at an address, and a route from there.
fn passing(address: SocketAddr, urls: &[String], change: impl FnOnce(&mut Settings, &mut Snapshot)) -> Bench {
    Bench::with(&Upstream::simple().urls(), |settings, snapshot| {
        settings.listeners = vec![listener(address, false, Protocols::Tcp)];
        route(snapshot, 1, (Some(address.port()), &[]), urls);
        change(settings, snapshot);
    })
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

fn expect(stream: &mut TcpStream, wanted: &[u8]) {
    let mut bytes = vec![0; wanted.len()];
    stream.read_exact(&mut bytes).unwrap();
    assert_eq!(
        bytes.escape_ascii().to_string(),
        wanted.escape_ascii().to_string()
    );
}

/// What comes until the connection ends or is reset.
fn rest(stream: &mut TcpStream) -> (Vec<u8>, bool) {
    let mut bytes = Vec::new();
    let is_reset = stream.read_to_end(&mut bytes).is_err();
    (bytes, is_reset)
}

#[test]
fn bytes_pass_both_ways_and_either_side_may_end_first() {
    let (echo, address) = (Echo::start(b"hello "), free());
    let bench = passing(address, &[echo.url()], |_, _| {});
    let mut client = connect(address);
    // The service speaks first: nothing of the client is waited for.
    expect(&mut client, b"hello ");
    client.write_all(b"\0\xff any bytes").unwrap();
    expect(&mut client, b"\0\xff any bytes");
    assert_eq!(bench.figure("streams_open"), 1);
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(
        rest(&mut client),
        (b"bye".to_vec(), false),
        "the other direction has its own end"
    );
    eventually(|| bench.figure("streams_open") == 0);
    assert_eq!(bench.figure("streams_total"), 1);
    assert_eq!(bench.figure("stream_received_bytes_total"), 12);
    assert_eq!(bench.figure("stream_sent_bytes_total"), 21);
    assert_eq!(bench.figure("upstream_connections_open"), 0);
    assert_eq!(bench.figure("requests_in_flight"), 0);
}

#[test]
fn much_passes_through_little() {
    let (echo, address) = (Echo::start(b""), free());
    let bench = passing(address, &[echo.url()], |_, _| {});
    let client = connect(address);
    let much: Vec<u8> = (0..4_000_000_u32)
        .map(|index| (index.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let mut writer = client.try_clone().unwrap();
    let sent = much.clone();
    let writing = thread::spawn(move || {
        writer.write_all(&sent).unwrap();
        writer.shutdown(Shutdown::Write).unwrap();
    });
    let (mut got, is_reset) = rest(&mut { client });
    writing.join().unwrap();
    assert!(!is_reset && got.ends_with(b"bye"));
    got.truncate(got.len() - 3);
    assert!(got == much, "what came back differs");
    eventually(|| bench.figure("stream_received_bytes_total") == 4_000_000);
}

#[test]
fn what_breaks_on_one_side_is_cut_on_the_other() {
    let address = free();
    let service = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("tcp://{}", service.local_addr().unwrap());
    let bench = passing(address, &[url], |_, _| {});
    let mut client = connect(address);
    let (mut served, _) = service.accept().unwrap();
    served.write_all(b"half").unwrap();
    expect(&mut client, b"half");
    socket2::SockRef::from(&served)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    drop(served);
    assert_eq!(rest(&mut client), (Vec::new(), true));
    eventually(|| bench.figure("streams_open") == 0);
}

#[test]
fn silence_ends_a_stream() {
    let (echo, address) = (Echo::start(b""), free());
    let bench = passing(address, &[echo.url()], |_, snapshot| {
        snapshot.streams[0].idle_ms = 1_000;
    });
    let mut client = connect(address);
    assert_eq!(rest(&mut client), (Vec::new(), false));
    eventually(|| echo.open() == 0 && bench.figure("streams_open") == 0);
}

#[test]
fn a_target_that_is_not_there_is_passed_over_before_the_first_byte() {
    let (echo, address) = (Echo::start(b"here"), free());
    let nobody = format!("tcp://{}", free());
    let bench = passing(address, &[nobody.clone(), echo.url()], |_, snapshot| {
        // The first comes first as long as nobody knows better.
        spec(snapshot).targets[1].priority = 1;
    });
    expect(&mut connect(address), b"here");
    bench.change(|snapshot| spec(snapshot).targets = vec![Target::new(nobody)]);
    assert_eq!(rest(&mut connect(address)).0, b"");
    eventually(|| bench.figure("streams_failed_total") == 1);
}

#[test]
fn checks_and_bounds_hold() {
    let (echo, address) = (Echo::start(b"here"), free());
    let nobody = format!("tcp://{}", free());
    let bench = passing(address, &[nobody, echo.url()], |_, snapshot| {
        spec(snapshot).health_check = Some(HealthCheck {
            kind: HealthCheckKind::Tcp,
            interval_ms: 100,
            ..HealthCheck::default()
        });
        snapshot.streams[0].connections_max = 2;
    });
    eventually(|| {
        bench
            .get("/health/upstreams")
            .text()
            .contains("\"checked\":\"unhealthy\"")
    });
    let (mut one, mut other) = (connect(address), connect(address));
    expect(&mut one, b"here");
    expect(&mut other, b"here");
    assert_eq!(rest(&mut connect(address)).0, b"", "one too many");
    eventually(|| bench.figure("streams_refused_total") == 1);
    drop(one);
    eventually(|| bench.figure("streams_open") == 1);
    expect(&mut connect(address), b"here");
}

#[test]
fn the_address_of_the_client_is_handed_on() {
    let (echo, address) = (Echo::start(b""), free());
    let bench = passing(address, &[echo.url()], |settings, snapshot| {
        settings.listeners[0].proxy_protocol = Some(ProxyProtocol::new(vec!["127.0.0.1".parse().unwrap()]));
        spec(snapshot).proxy_protocol = Some(ProxyVersion::V1);
    });
    let mut client = connect(address);
    let line = b"PROXY TCP4 192.0.2.1 198.51.100.2 12345 443\r\n";
    client.write_all(&[&line[..], b"early"].concat()).unwrap();
    expect(&mut client, &[&line[..], b"early"].concat());
    assert_eq!(
        bench.figure("stream_received_bytes_total"),
        5,
        "what we say is not the client's"
    );
}

#[test]
fn a_stream_ends_on_the_configuration_it_began_with() {
    let (before, after, address) = (Echo::start(b"before"), Echo::start(b"after"), free());
    let mut settings = None;
    let mut bench = passing(address, &[before.url()], |set, _| settings = Some(set.clone()));
    let mut kept = connect(address);
    expect(&mut kept, b"before");
    bench.change(|snapshot| spec(snapshot).targets = vec![Target::new(after.url())]);
    expect(&mut connect(address), b"after");
    // The route is gone, then the listener, then the node ends.
    bench.change(|snapshot| snapshot.streams.clear());
    assert_eq!(rest(&mut connect(address)).0, b"");
    let mut newer = settings.unwrap();
    newer.listeners.clear();
    bench.gateway.as_ref().unwrap().change(&newer);
    eventually(|| TcpStream::connect(address).is_err());
    kept.write_all(b"on").unwrap();
    expect(&mut kept, b"on");
    let gateway = bench.gateway.take().unwrap();
    assert!(
        !gateway.drain(Duration::from_millis(100)),
        "it waits as long as it may"
    );
    kept.write_all(b"and on").unwrap();
    expect(&mut kept, b"and on");
    kept.shutdown(Shutdown::Write).unwrap();
    assert_eq!(rest(&mut kept).0, b"bye");
    assert!(gateway.drain(PATIENCE));
}

#[test]
fn streams_go_on_while_the_next_process_takes_over() {
    let (echo, address, http) = (Echo::start(b"hello"), free(), free());
    let upstream = Upstream::simple();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("handover.sock");
    let setup = |settings: &mut Settings, snapshot: &mut Snapshot| {
        settings.listen = http;
        settings.proxy_protocol = Some(ProxyProtocol::new(vec!["127.0.0.1".parse().unwrap()]));
        settings.listeners = vec![listener(address, false, Protocols::Tcp)];
        route(snapshot, 1, (Some(address.port()), &[]), &[echo.url()]);
    };
    let mut first = Bench::with(&upstream.urls(), setup);
    let before = Arc::new(first.gateway.take().unwrap());
    let mut handed_over = gateway::offer(&path, &before, || Ok(Vec::new())).unwrap();
    let mut kept = connect(address);
    expect(&mut kept, b"hello");
    let mut inheritance = gateway::Inheritance::ask(&path).unwrap();
    let second = Bench::after(&mut inheritance, &upstream.urls(), setup);
    inheritance.serving().unwrap();
    eventually(|| *handed_over.borrow_and_update());
    assert!(
        !before.drain(Duration::from_millis(100)),
        "it waits as long as it may"
    );
    for number in 1..=5 {
        expect(&mut connect(address), b"hello");
        assert_eq!(
            second.figure("streams_total"),
            number,
            "the first one takes nobody any more"
        );
    }
    let mut client = crate::bench::Client::connect(http);
    let key = &second.key;
    let text = format!(
        "PROXY TCP4 192.0.2.1 198.51.100.2 12345 443\r\n\
         GET /shop/pets HTTP/1.1\r\nHost: g\r\nX-API-Key: {key}\r\n\r\n"
    );
    client.send(text.as_bytes());
    assert_eq!(client.answer().status, 200);
    kept.write_all(b"on").unwrap();
    expect(&mut kept, b"on");
    drop(kept);
    assert!(before.drain(PATIENCE));
}

/// A service that ends TLS itself, for hosts of a name, and says it.
fn service(name: &'static str) -> String {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("tcp://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let connection = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = rustls::StreamOwned::new(connection, stream);
            let _ = stream.write_all(name.as_bytes());
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest);
        }
    });
    url
}

/// Who ends the TLS of a client that names a host: a service says it, the gateway speaks HTTP.
fn who(bench: &Bench, address: SocketAddr, host: &str) -> Option<String> {
    let mut secure = Secure::over(connect(address), host);
    secure.0.conn.complete_io(&mut secure.0.sock).ok()?;
    let key = &bench.key;
    let text = format!("GET /shop/pets HTTP/1.1\r\nHost: g\r\nX-API-Key: {key}\r\nConnection: close\r\n\r\n");
    secure.0.write_all(text.as_bytes()).ok()?;
    let mut bytes = [0; 8];
    let length = secure.0.read(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes[..length]).into_owned())
}

#[test]
fn one_address_ends_tls_for_some_hosts_and_passes_others_on() {
    let (https, only) = (free(), free());
    let upstream = Upstream::simple();
    let (db, wild, rest_of_all) = (service("db"), service("wild"), service("all"));
    let bench = Bench::with(&upstream.urls(), |settings, snapshot| {
        settings.listeners = vec![
            listener(https, true, Protocols::Http),
            listener(only, true, Protocols::Tcp),
        ];
        route(snapshot, 1, (None, &["db.example.com"]), &[db]);
        route(snapshot, 2, (None, &["*.example.com"]), &[wild]);
        snapshot.routes[0].host = Some("www.example.com".to_owned());
    });
    let mut shop = bench.snapshots.borrow().routes[0].clone();
    shop.host = None;
    shop.id = domain::id::RouteId::new(id(77));
    bench.change(|snapshot| snapshot.routes.push(shop));
    let http = Some("HTTP/1.1".to_owned());
    let table = [
        (https, "db.example.com", Some("db".to_owned())),
        (https, "DB.example.com", Some("db".to_owned())),
        (https, "a.b.example.com", Some("wild".to_owned())),
        (https, "www.example.com", http.clone()),
        (https, "elsewhere.test", http),
        (only, "db.example.com", Some("db".to_owned())),
        (only, "elsewhere.test", None),
        (only, "www.example.com", None),
    ];
    for (address, host, wanted) in table {
        assert_eq!(who(&bench, address, host), wanted, "{host} at {address}");
    }
    // Counted when the connection has ended for its client already.
    eventually(|| bench.figure("streams_refused_total") == 2);
    // Who has no name there is told so.
    let mut secure = Secure::over(connect(only), "elsewhere.test");
    let error = secure
        .0
        .conn
        .complete_io(&mut secure.0.sock)
        .unwrap_err()
        .to_string();
    assert!(error.contains("UnrecognisedName"), "{error}");
    bench.change(|snapshot| route(snapshot, 3, (Some(only.port()), &[]), &[rest_of_all]));
    assert_eq!(who(&bench, only, "elsewhere.test").as_deref(), Some("all"));
    assert_eq!(who(&bench, only, "db.example.com").as_deref(), Some("db"));
    assert_eq!(who(&bench, https, "elsewhere.test").as_deref(), Some("HTTP/1.1"));
}

#[test]
fn the_first_message_passes_byte_for_byte() {
    let (echo, https) = (Echo::start(b""), free());
    let bench = Bench::with(&Upstream::simple().urls(), |settings, snapshot| {
        settings.listeners = vec![listener(https, true, Protocols::Http)];
        route(snapshot, 1, (None, &["echo.example.com"]), &[echo.url()]);
    });
    let config =
        rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
    let name = "echo.example.com".try_into().unwrap();
    let mut connection = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    let mut hello = Vec::new();
    connection.write_tls(&mut hello).unwrap();
    for cut in [hello.len(), 1, 5, 60] {
        let mut client = connect(https);
        client.write_all(&hello[..cut]).unwrap();
        thread::yield_now();
        client.write_all(&hello[cut..]).unwrap();
        client.write_all(b"and more").unwrap();
        expect(&mut client, &[&hello[..], b"and more"].concat());
    }
    assert_eq!(bench.figure("streams_total"), 4);
}

#[test]
fn what_cannot_be_served_is_rejected_and_nothing_changes() {
    let (echo, address) = (Echo::start(b"here"), free());
    let bench = passing(address, &[echo.url()], |_, _| {});
    let table: [(&str, Change); 4] = [
        ("which is not in the snapshot", |snapshot| {
            snapshot.streams[0].upstream = UpstreamId::new(id(999));
        }),
        ("are not at `tcp://`", |snapshot| {
            snapshot.streams[0].upstream = snapshot.upstreams[0].id;
        }),
        ("whose targets are at `tcp://`", |snapshot| {
            snapshot.routes[0].upstream = Some(snapshot.upstreams[1].id);
        }),
        ("/preserve_host: It means nothing", |snapshot| {
            snapshot.upstreams[1].spec.preserve_host = true;
        }),
    ];
    let good = bench.snapshots.borrow().clone();
    for (why, change) in table {
        bench.send(change);
        let gateway = bench.gateway.as_ref().unwrap();
        let rejected = || gateway.status().rejected.map(|rejected| rejected.reason);
        eventually(|| rejected().is_some_and(|reason| reason.contains(why)));
        expect(&mut connect(address), b"here");
        let revision = bench.snapshots.borrow().revision;
        bench.send(|snapshot| {
            snapshot.clone_from(&good);
            snapshot.revision = revision + 1;
        });
        eventually(|| gateway.status().rejected.is_none());
    }
}
