//! Upstreams that speak HTTP/2 and refuse, leave, fall silent or take little at a time.

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use domain::traffic::{RetryOn, UpstreamProtocol, UpstreamSpec};

use crate::bench::{Bench, Client, PATIENCE, eventually};

// RFC 9113 sections 6 and 7.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const REFUSED_STREAM: u32 = 7;
const MAX_CONCURRENT_STREAMS: u16 = 3;

/// A request that came.
struct Asked {
    /// The number of its connection, from 1 on.
    connection: usize,
    stream: u32,
    /// How many requests came before it.
    before: usize,
}

/// A connection on which every frame is ours.
struct Wire(TcpStream);

impl Wire {
    fn say(&mut self, (kind, flags): (u8, u8), stream: u32, payload: &[u8]) {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat();
        let _ = self.0.write_all(&[&head, payload].concat());
    }

    fn answer(&mut self, stream: u32) {
        // `:status: 200` stands at place 8 of the static table: RFC 7541 appendix A.
        self.say((HEADERS, END_HEADERS | END_STREAM), stream, &[0x88]);
    }

    fn refuse(&mut self, stream: u32) {
        self.say((RST_STREAM, 0), stream, &REFUSED_STREAM.to_be_bytes());
    }

    /// Takes no streams above the last one.
    fn leave(&mut self, last: u32) {
        let reason = 0_u32;
        self.say(
            (GOAWAY, 0),
            0,
            &[last.to_be_bytes(), reason.to_be_bytes()].concat(),
        );
    }

    fn hear(&mut self) -> Option<((u8, u8), u32, Vec<u8>)> {
        let mut head = [0; 9];
        self.0.read_exact(&mut head).ok()?;
        let [a, b, c, kind, flags, id @ ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        self.0.read_exact(&mut payload).ok()?;
        Some(((kind, flags), u32::from_be_bytes(id), payload))
    }
}

/// A service of HTTP/2 that says exactly what it is told.
struct Service {
    url: String,
    connections: Arc<AtomicUsize>,
    /// The body of each request.
    bodies: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Service {
    /// Leaves every request to `answer` once all of it is there; the connection is closed when that says so.
    fn start(
        settings: &[(u16, u32)],
        answer: impl Fn(&Asked, &mut Wire) -> bool + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let service = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            connections: Arc::default(),
            bodies: Arc::default(),
        };
        let settings = settings.iter();
        let settings: Vec<u8> = settings
            .flat_map(|(name, value)| [&name.to_be_bytes()[..], &value.to_be_bytes()].concat())
            .collect();
        let (connections, bodies) = (Arc::clone(&service.connections), Arc::clone(&service.bodies));
        let (settings, answer) = (Arc::new(settings), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let connection = connections.fetch_add(1, Ordering::SeqCst) + 1;
                let (settings, answer) = (Arc::clone(&settings), Arc::clone(&answer));
                let bodies = Arc::clone(&bodies);
                thread::spawn(move || serve(stream, connection, (&settings, &bodies), &*answer));
            }
        });
        service
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    fn bodies(&self) -> Vec<String> {
        let bodies = self.bodies.lock().unwrap();
        bodies
            .iter()
            .map(|body| String::from_utf8(body.clone()).unwrap())
            .collect()
    }

    fn bench(&self, change: impl FnOnce(&mut UpstreamSpec)) -> Bench {
        bench(&self.url, change)
    }
}

fn serve(
    stream: TcpStream,
    connection: usize,
    (settings, bodies): (&[u8], &Mutex<Vec<Vec<u8>>>),
    answer: &dyn Fn(&Asked, &mut Wire) -> bool,
) {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut wire = Wire(stream);
    let mut preface = [0; 24];
    if wire.0.read_exact(&mut preface).is_err() {
        return;
    }
    wire.say((SETTINGS, 0), 0, settings);
    let mut coming: HashMap<u32, Vec<u8>> = HashMap::new();
    while let Some(((kind, flags), stream, payload)) = wire.hear() {
        match kind {
            SETTINGS if flags & ACK == 0 => wire.say((SETTINGS, ACK), 0, &[]),
            PING if flags & ACK == 0 => wire.say((PING, ACK), 0, &payload),
            DATA => coming.entry(stream).or_default().extend(payload),
            _ => {}
        }
        if !matches!(kind, DATA | HEADERS) || flags & END_STREAM == 0 {
            continue;
        }
        let before = {
            let mut bodies = bodies.lock().unwrap();
            bodies.push(coming.remove(&stream).unwrap_or_default());
            bodies.len() - 1
        };
        let asked = Asked {
            connection,
            stream,
            before,
        };
        if !answer(&asked, &mut wire) {
            return;
        }
    }
}

/// A gateway with one core before a service of HTTP/2.
fn bench(url: &str, change: impl FnOnce(&mut UpstreamSpec)) -> Bench {
    Bench::with(&[url.to_owned()], |settings, snapshot| {
        settings.cores = 1;
        let spec = &mut snapshot.upstreams[0].spec;
        spec.protocol = UpstreamProtocol::Http2;
        spec.retries.backoff_ms = 1;
        change(spec);
    })
}

/// A client that waits for an answer.
fn begin(bench: &Bench) -> Client {
    let mut client = bench.connect();
    let key = &bench.key;
    client.send(format!("GET /shop/pets HTTP/1.1\r\nHost: g\r\nX-API-Key: {key}\r\n\r\n").as_bytes());
    client
}

/// Calls without and with a body, which may and may not be repeated.
const CALLS: [(&str, &str); 3] = [("GET", ""), ("POST", ""), ("POST", "pay")];

#[test]
fn a_refused_stream_is_sent_again_over_the_same_connection() {
    for (method, body) in CALLS {
        // On a new connection, and on one that was used before.
        for refused in [0, 1] {
            let service = Service::start(&[], move |asked, wire| {
                if asked.before == refused {
                    wire.refuse(asked.stream);
                } else {
                    wire.answer(asked.stream);
                }
                true
            });
            let bench = service.bench(|_| {});
            for _ in 0..2 {
                let answer = bench.call(method, "/shop/pets", "", body);
                assert_eq!(answer.status, 200, "{method} {body:?} {refused}");
            }
            assert_eq!(service.bodies(), [body; 3]);
            assert_eq!(
                (service.connections(), bench.figure("upstream_retries_total")),
                (1, 1)
            );
        }
    }
}

#[test]
fn what_a_goaway_leaves_out_is_sent_over_another_connection() {
    for (method, body) in CALLS {
        let service = Service::start(&[], |asked, wire| {
            if asked.before == 1 {
                wire.leave(asked.stream - 2);
            } else {
                wire.answer(asked.stream);
            }
            true
        });
        let bench = service.bench(|_| {});
        for _ in 0..3 {
            let answer = bench.call(method, "/shop/pets", "", body);
            assert_eq!(answer.status, 200, "{method} {body:?}");
        }
        assert_eq!(service.bodies(), [body; 4]);
        assert_eq!(service.connections(), 2);
    }
}

#[test]
fn who_refuses_everything_is_asked_as_often_as_the_retries_say() {
    let service = Service::start(&[], |asked, wire| {
        wire.refuse(asked.stream);
        true
    });
    let bench = service.bench(|_| {});
    let refused = bench.call("POST", "/shop/pets", "", "pay");
    assert_eq!(refused.problem(), "502 upstream_invalid");
    assert_eq!(service.bodies().len(), 2);
    let service = Service::start(&[], |asked, wire| {
        match asked.before {
            0..3 => wire.refuse(asked.stream),
            _ => wire.answer(asked.stream),
        }
        true
    });
    let patient = service.bench(|spec| spec.retries.on = vec![RetryOn::Reset]);
    assert_eq!(patient.call("POST", "/shop/pets", "", "pay").status, 200);
    assert_eq!(service.bodies(), ["pay"; 4]);
}

#[test]
fn a_body_that_is_too_long_to_be_kept_is_not_sent_again() {
    let service = Service::start(&[], |asked, wire| {
        wire.refuse(asked.stream);
        true
    });
    let bench = service.bench(|spec| spec.retries.body_bytes_max = 2);
    assert_eq!(bench.call("POST", "/shop/pets", "", "pay").status, 502);
    assert_eq!(service.bodies(), ["pay"]);
}

#[test]
fn a_used_connection_that_breaks_costs_no_call_that_may_be_repeated() {
    for (method, body, status, sent) in [("GET", "", 200, 2), ("POST", "pay", 502, 1), ("POST", "", 502, 1)] {
        let service = Service::start(&[], |asked, wire| {
            let is_answered = asked.before != 1;
            if is_answered {
                wire.answer(asked.stream);
            }
            is_answered
        });
        // What follows may have taken effect, whatever the retries say of other methods.
        let bench = service.bench(|spec| {
            if method == "POST" {
                spec.retries.on = vec![RetryOn::Reset];
            }
        });
        assert_eq!(bench.get("/shop/pets").status, 200);
        let answer = bench.call(method, "/shop/pets", "", body);
        assert_eq!(answer.status, status, "{method} {body:?}");
        assert_eq!(service.bodies().len(), 1 + sent);
    }
}

#[test]
fn no_more_streams_are_begun_than_the_other_side_takes() {
    const CALLS: usize = 6;
    const STREAMS: usize = 2;
    let held: Mutex<Vec<(usize, Wire, u32)>> = Mutex::default();
    let settings = [(MAX_CONCURRENT_STREAMS, u32::try_from(STREAMS).unwrap())];
    let service = Service::start(&settings, move |asked, wire| {
        let mut held = held.lock().unwrap();
        let beside = held
            .iter()
            .filter(|(connection, ..)| *connection == asked.connection);
        if beside.count() == STREAMS {
            // It came before our settings were there.
            wire.refuse(asked.stream);
            return true;
        }
        held.push((asked.connection, Wire(wire.0.try_clone().unwrap()), asked.stream));
        if held.len() == CALLS {
            for (_, mut wire, stream) in held.drain(..) {
                wire.answer(stream);
            }
        }
        true
    });
    let bench = service.bench(|_| {});
    let mut clients: Vec<_> = (0..CALLS).map(|_| begin(&bench)).collect();
    for client in &mut clients {
        assert_eq!(client.answer().status, 200);
    }
    assert!(service.connections() >= CALLS / STREAMS);
}

/// A service whose first connection falls silent after the first answer, and stays open.
fn falls_silent() -> Service {
    Service::start(&[], |asked, wire| {
        if asked.before == 0 || asked.connection > 1 {
            wire.answer(asked.stream);
        }
        true
    })
}

/// Longer than a silence that may be an accident.
const LONG: Duration = Duration::from_millis(1_500);

#[test]
fn a_connection_that_has_fallen_silent_gets_no_more_calls() {
    let service = falls_silent();
    let bench = service.bench(|spec| spec.timeouts.answer_ms = u32::try_from(LONG.as_millis()).unwrap());
    assert_eq!(bench.get("/shop/pets").status, 200);
    assert_eq!(bench.get("/shop/pets").problem(), "504 upstream_timeout");
    for _ in 0..2 {
        assert_eq!(bench.get("/shop/pets").status, 200);
    }
    assert_eq!(service.connections(), 2);
}

#[test]
fn nor_does_one_whose_clients_have_given_up() {
    let service = falls_silent();
    let bench = service.bench(|_| {});
    assert_eq!(bench.get("/shop/pets").status, 200);
    let client = begin(&bench);
    eventually(|| service.bodies().len() == 2);
    thread::sleep(LONG);
    client.close();
    eventually(|| bench.figure("requests_in_flight") == 0);
    assert_eq!(bench.get("/shop/pets").status, 200);
    assert_eq!(service.connections(), 2);
}

#[test]
fn a_connection_that_answers_others_stays() {
    let service = Service::start(&[], |asked, wire| {
        if asked.before > 0 {
            wire.answer(asked.stream);
        }
        true
    });
    let bench = service.bench(|spec| spec.timeouts.answer_ms = u32::try_from(LONG.as_millis()).unwrap());
    let mut slow = begin(&bench);
    eventually(|| service.bodies().len() == 1);
    let waiting = thread::spawn(move || slow.answer().problem());
    while !waiting.is_finished() {
        assert_eq!(bench.get("/shop/pets").status, 200);
        thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(waiting.join().unwrap(), "504 upstream_timeout");
    assert_eq!(bench.get("/shop/pets").status, 200);
    assert_eq!(service.connections(), 1);
}

#[test]
fn a_connection_without_a_call_ends_after_its_time() {
    let service = Service::start(&[], |asked, wire| {
        wire.answer(asked.stream);
        true
    });
    let bench = service.bench(|spec| spec.connections.idle_ms = 100);
    assert_eq!(bench.get("/shop/pets").status, 200);
    thread::sleep(Duration::from_millis(300));
    // It stays, so that the core has something to look after.
    let mut client = begin(&bench);
    assert_eq!(client.answer().status, 200);
    assert_eq!(service.connections(), 2, "who comes too late gets a new one");
    eventually(|| bench.figure("upstream_connections_open") == 0);
}

#[test]
fn a_websocket_is_refused_where_http2_alone_is_spoken() {
    let service = Service::start(&[], |asked, wire| {
        wire.answer(asked.stream);
        true
    });
    let bench = service.bench(|_| {});
    let upgrade = "Connection: upgrade\r\nUpgrade: websocket\r\n";
    let asked = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";
    let mut client = bench.connect();
    let key = &bench.key;
    client.send(
        format!("GET /shop/pets HTTP/1.1\r\nHost: g\r\nX-API-Key: {key}\r\n{upgrade}{asked}\r\n").as_bytes(),
    );
    assert_eq!(client.answer().problem(), "501 websocket_unsupported");
    assert_eq!(service.connections(), 0);
    // The connection goes on with other calls.
    client.send(format!("GET /shop/pets HTTP/1.1\r\nHost: g\r\nX-API-Key: {key}\r\n\r\n").as_bytes());
    assert_eq!(client.answer().status, 200);
}
