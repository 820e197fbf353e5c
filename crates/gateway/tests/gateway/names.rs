//! Targets that are found by name.

use std::net::{TcpListener, UdpSocket};
use std::sync::{Arc, Mutex};
use std::thread;

use domain::traffic::{Algorithm, Resolve};

use crate::bench::{Bench, Upstream, eventually, reply};

/// A record of a small name server: the name, the type, its data.
pub(crate) type Record = (&'static str, u16, Vec<u8>);

const A: u16 = 1;
const SRV: u16 = 33;

/// A name server that answers with these records, which hold for a second; silent while it is away.
pub(crate) struct Names {
    pub(crate) address: std::net::SocketAddr,
    records: Arc<Mutex<Option<Vec<Record>>>>,
}

impl Names {
    pub(crate) fn start(records: Vec<Record>) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let names = Self {
            address: socket.local_addr().unwrap(),
            records: Arc::new(Mutex::new(Some(records))),
        };
        let records = Arc::clone(&names.records);
        thread::spawn(move || {
            let mut bytes = [0; 1500];
            while let Ok((length, from)) = socket.recv_from(&mut bytes) {
                let answer =
                    (records.lock().unwrap().as_ref()).and_then(|records| answer(&bytes[..length], records));
                if let Some(answer) = answer {
                    let _ = socket.send_to(&answer, from);
                }
            }
        });
        names
    }

    fn set(&self, records: Option<Vec<Record>>) {
        *self.records.lock().unwrap() = records;
    }
}

/// An answer as RFC 1035 section 4 writes it; none about names that begin with `silent`.
fn answer(question: &[u8], records: &[Record]) -> Option<Vec<u8>> {
    let mut end = 12;
    let mut name = String::new();
    while question[end] != 0 {
        let length = usize::from(question[end]);
        name += &String::from_utf8_lossy(&question[end + 1..end + 1 + length]).to_lowercase();
        name.push('.');
        end += 1 + length;
    }
    if name.starts_with("silent") {
        return None;
    }
    let kind = u16::from_be_bytes([question[end + 1], question[end + 2]]);
    let fitting: Vec<_> = records
        .iter()
        .filter(|(of, of_kind, _)| *of == name && *of_kind == kind)
        .collect();
    let mut answer = question[..2].to_vec();
    answer.extend([0x84, 0, 0, 1, 0, u8::try_from(fitting.len()).unwrap(), 0, 0, 0, 0]);
    answer.extend(&question[12..end + 5]);
    for (_, _, data) in fitting {
        answer.extend([0xc0, 12]);
        answer.extend(kind.to_be_bytes());
        answer.extend([0, 1, 0, 0, 0, 1]);
        answer.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
        answer.extend(data);
    }
    Some(answer)
}

pub(crate) fn a(last: u8) -> Record {
    ("shop.test.", A, vec![127, 0, 0, last])
}

fn srv(priority: u16, port: u16) -> Record {
    srv_at(b"\x04shop\x04test\0", (priority, port))
}

/// A record of the service that names this host.
fn srv_at(host: &[u8], (priority, port): (u16, u16)) -> Record {
    let mut data = priority.to_be_bytes().to_vec();
    data.extend([0, 5]);
    data.extend(port.to_be_bytes());
    data.extend(host);
    ("_http._tcp.shop.test.", SRV, data)
}

/// Services at several loopback addresses with one port.
fn services(count: u8) -> (u16, Vec<Arc<Mutex<usize>>>) {
    'ports: loop {
        let first = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = first.local_addr().unwrap().port();
        let mut listeners = vec![first];
        for last in 2..=count {
            let Ok(listener) = TcpListener::bind(("127.0.0.".to_owned() + &last.to_string(), port)) else {
                continue 'ports;
            };
            listeners.push(listener);
        }
        let counts = listeners.into_iter().map(|listener| {
            let count = Arc::new(Mutex::new(0));
            let counted = Arc::clone(&count);
            thread::spawn(move || {
                for mut stream in listener.incoming().map_while(Result::ok) {
                    use std::io::Read;
                    if stream.read(&mut [0; 4096]).is_ok_and(|length| length > 0) {
                        *counted.lock().unwrap() += 1;
                        reply(&mut stream, "200 OK", "Connection: close\r\n", "ok");
                    }
                }
            });
            count
        });
        return (port, counts.collect());
    }
}

fn bench(url: String, resolve: Resolve, names: &Names) -> Bench {
    Bench::with(&[url], |settings, snapshot| {
        settings.cores = 1;
        settings.name_servers = vec![names.address];
        let spec = &mut snapshot.upstreams[0].spec;
        spec.balancing.algorithm = Algorithm::RoundRobin;
        spec.targets[0].resolve = resolve;
    })
}

#[test]
fn every_address_of_a_name_is_a_target_and_changes_are_followed() {
    let (port, counts) = services(3);
    let names = Names::start(vec![a(1), a(2)]);
    let bench = bench(format!("http://shop.test:{port}"), Resolve::Dns, &names);
    eventually(|| bench.figure("targets") == 2);
    for _ in 0..4 {
        assert_eq!(bench.get("/shop/pets").status, 200);
    }
    let taken = || {
        counts
            .iter()
            .map(|count| *count.lock().unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(taken(), [2, 2, 0]);
    names.set(Some(vec![a(3)]));
    eventually(|| bench.figure("targets") == 1);
    for _ in 0..2 {
        assert_eq!(bench.get("/shop/pets").status, 200);
    }
    assert_eq!(taken(), [2, 2, 2]);
    // A name server that is away, or that knows nothing any more, takes no target away.
    names.set(Some(Vec::new()));
    thread::sleep(std::time::Duration::from_millis(1_500));
    assert_eq!(bench.get("/shop/pets").status, 200);
    bench.change(|snapshot| snapshot.upstreams[0].spec.timeouts.answer_ms += 1);
    assert_eq!(
        bench.get("/shop/pets").status,
        200,
        "what was found outlives a snapshot"
    );
    assert_eq!(taken(), [2, 2, 4]);
}

#[test]
fn a_service_says_ports_and_priorities() {
    let upstreams = [Upstream::simple(), Upstream::simple()];
    let ports = [upstreams[0].address.port(), upstreams[1].address.port()];
    let names = Names::start(vec![srv(1, ports[0]), srv(2, ports[1]), a(1)]);
    let bench = bench(
        "http://_http._tcp.shop.test/base".to_owned(),
        Resolve::Srv,
        &names,
    );
    eventually(|| bench.figure("targets") == 2);
    for _ in 0..4 {
        assert_eq!(bench.get("/shop/pets").status, 200);
    }
    assert_eq!(
        upstreams[1].received().len(),
        0,
        "it waits for the other to be away"
    );
    let received = upstreams[0].last();
    assert_eq!(received.line, "GET /base/pets HTTP/1.1");
    let host = format!("shop.test:{}", ports[0]);
    assert_eq!(received.fields.get("host"), Some(host.as_str()));
    names.set(Some(vec![srv(1, ports[1]), a(1)]));
    eventually(|| bench.figure("targets") == 1);
    assert_eq!(bench.get("/shop/pets").status, 200);
    assert_eq!(upstreams[1].received().len(), 1);
}

#[test]
fn a_record_whose_name_is_not_known_takes_no_other_away() {
    let upstreams = [Upstream::simple(), Upstream::simple()];
    let ports = [upstreams[0].address.port(), upstreams[1].address.port()];
    let gone = || srv_at(b"\x04gone\x04test\0", (0, 9));
    let other = || srv_at(b"\x05other\x04test\0", (1, ports[1]));
    let names = Names::start(vec![gone(), srv(1, ports[0]), a(1)]);
    let bench = bench(
        "http://_http._tcp.shop.test/base".to_owned(),
        Resolve::Srv,
        &names,
    );
    eventually(|| bench.figure("targets") == 1);
    assert_eq!(bench.get("/shop/pets").status, 200);
    names.set(Some(vec![
        srv(1, ports[0]),
        other(),
        a(1),
        ("other.test.", A, vec![127, 0, 0, 1]),
    ]));
    eventually(|| bench.figure("targets") == 2);
    names.set(Some(vec![gone(), srv(1, ports[0]), other(), a(1)]));
    thread::sleep(std::time::Duration::from_millis(1_500));
    assert_eq!(bench.figure("targets"), 2, "what a name stood for stays");
}

#[test]
fn a_name_server_that_is_silent_about_a_name_does_not_delay_others() {
    let names = Names::start(vec![a(1)]);
    let silent = (0..5).map(|number| format!("http://silent{number}.test:9"));
    let urls: Vec<_> = silent.chain(["http://shop.test:9".to_owned()]).collect();
    let bench = Bench::with(&urls, |settings, snapshot| {
        settings.name_servers = vec![names.address];
        let targets = &mut snapshot.upstreams[0].spec.targets;
        targets
            .iter_mut()
            .for_each(|target| target.resolve = Resolve::Dns);
    });
    // Each of the others takes ten seconds and more.
    eventually(|| bench.get("/health/upstreams").text().contains("127.0.0.1:9"));
}

#[test]
fn before_a_service_is_found_there_is_no_target() {
    let names = Names::start(Vec::new());
    let bench = bench("http://_http._tcp.shop.test".to_owned(), Resolve::Srv, &names);
    assert_eq!(bench.get("/shop/pets").problem(), "503 upstream_none");
}
