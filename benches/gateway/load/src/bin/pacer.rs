//! Open-loop load: requests are due on a fixed schedule, however slow the answers are.
//!
//! Latency counts from the moment a request was *due*, not from when a connection became free to
//! send it. A gateway that stalls is therefore charged for every request that had to wait, which
//! a closed-loop client would silently leave out.
//!
//! Prints one line of JSON.

use std::collections::VecDeque;
use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::num::NonZeroU64;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use gateway_bench_load::Options;
use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::Errno;
use rustix::thread::set_current_timer_slack;

const USAGE: &str = "pacer --port PORT --rate REQUESTS_PER_SECOND --seconds SECONDS \
                     [--connections COUNT] [--path PATH] [--header 'name: value'] [--body JSON] [--calls FILE]";
/// Load before the measured part, on the same connections.
const WARM_UP: Duration = Duration::from_millis(500);
/// How long to wait for late answers after the last request was due.
const DRAIN: Duration = Duration::from_secs(2);
const EVENTS_PER_WAIT: usize = 256;
const READ_BYTES: usize = 64 * 1024;

fn main() -> io::Result<()> {
    let mut options = Options::from_args(USAGE);
    let port: u16 = options.require("--port");
    let rate: NonZeroU64 = options.require("--rate");
    let seconds: NonZeroU64 = options.require("--seconds");
    let connections = options.optional("--connections").unwrap_or(50);
    let path: String = options.optional("--path").unwrap_or_else(|| "/".into());
    let header: Option<String> = options.optional("--header");
    let body: Option<String> = options.optional("--body");
    let calls: Option<String> = options.optional("--calls");
    options.finish();

    // Timers may fire late by the slack; the default of 50 us would bunch requests together.
    set_current_timer_slack(NonZeroU64::new(1))?;
    let schedule = Schedule {
        interval: Duration::from_secs(1) / u32::try_from(rate.get()).unwrap_or(u32::MAX),
        measured: Duration::from_secs(seconds.get()),
    };
    let requests = match calls {
        Some(file) => requests(&fs::read_to_string(file)?)?,
        None => {
            let host = format!("127.0.0.1:{port}");
            vec![match &body {
                Some(body) => post(&host, &path, header.as_deref(), body),
                None => request(&host, &path, header.as_deref()),
            }]
        }
    };
    let mut pacer = Pacer::connect(port, connections, requests)?;
    let tally = pacer.run(&schedule)?;
    writeln!(io::stdout(), "{}", tally.to_json(&schedule))?;
    Ok(())
}

fn request(host: &str, path: &str, header: Option<&str>) -> Vec<u8> {
    let header = header.map(|line| format!("{line}\r\n")).unwrap_or_default();
    format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{header}\r\n").into_bytes()
}

fn post(host: &str, path: &str, header: Option<&str>, body: &str) -> Vec<u8> {
    let header = header.map(|line| format!("{line}\r\n")).unwrap_or_default();
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: {host}\r\n{header}Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// A request for each line `host path key`; they are sent in turn.
fn requests(lines: &str) -> io::Result<Vec<Vec<u8>>> {
    let read = |line: &str| {
        let mut words = line.split(' ');
        let (host, path, key) = (words.next()?, words.next()?, words.next()?);
        Some(request(host, path, Some(&format!("x-api-key: {key}"))))
    };
    let requests: Option<Vec<_>> = lines.lines().map(read).collect();
    requests
        .filter(|requests| !requests.is_empty())
        .ok_or_else(|| io::Error::other("--calls: lines of `host path key`"))
}

/// When requests are due, as times since the start.
struct Schedule {
    interval: Duration,
    measured: Duration,
}

impl Schedule {
    fn end(&self) -> Duration {
        WARM_UP + self.measured
    }
}

struct Pacer {
    address: SocketAddr,
    requests: Vec<Vec<u8>>,
    next_request: usize,
    epoll: OwnedFd,
    connections: Vec<Connection>,
    /// Connections without a request, the longest idle first.
    idle: VecDeque<usize>,
    /// Times of requests that are due and wait for an idle connection.
    due: VecDeque<Duration>,
    tally: Tally,
}

impl Pacer {
    fn connect(port: u16, connections: usize, requests: Vec<Vec<u8>>) -> io::Result<Self> {
        let mut pacer = Self {
            address: (Ipv4Addr::LOCALHOST, port).into(),
            requests,
            next_request: 0,
            epoll: epoll::create(CreateFlags::CLOEXEC)?,
            connections: Vec::with_capacity(connections),
            idle: (0..connections).collect(),
            due: VecDeque::new(),
            tally: Tally::default(),
        };
        for index in 0..connections {
            let connection = pacer.open(index)?;
            pacer.connections.push(connection);
        }
        Ok(pacer)
    }

    fn open(&self, index: usize) -> io::Result<Connection> {
        let stream = TcpStream::connect(self.address)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let token = EventData::new_u64(index as u64);
        epoll::add(&self.epoll, &stream, token, EventFlags::IN)?;
        Ok(Connection {
            stream,
            due_at: None,
            received: Vec::new(),
        })
    }

    fn run(&mut self, schedule: &Schedule) -> io::Result<&Tally> {
        let mut events: Vec<Event> = Vec::with_capacity(EVENTS_PER_WAIT);
        let mut buffer = vec![0; READ_BYTES];
        let start = Instant::now();
        let mut next = Duration::ZERO;
        loop {
            while next <= start.elapsed() && next < schedule.end() {
                self.due.push_back(next);
                next += schedule.interval;
            }
            self.send_due()?;
            let now = start.elapsed();
            if next >= schedule.end() && (self.is_done() || now >= schedule.end() + DRAIN) {
                self.give_up(now);
                return Ok(&self.tally);
            }
            let wake_at = if next < schedule.end() {
                next
            } else {
                schedule.end() + DRAIN
            };
            wait(&self.epoll, &mut events, wake_at.saturating_sub(now))?;
            for event in &events {
                self.receive(event.data.u64() as usize, &mut buffer, start)?;
            }
        }
    }

    fn is_done(&self) -> bool {
        self.due.is_empty() && self.idle.len() == self.connections.len()
    }

    /// Sends requests that are due, as long as there are idle connections.
    fn send_due(&mut self) -> io::Result<()> {
        while !self.due.is_empty() {
            let Some(index) = self.idle.pop_front() else {
                return Ok(());
            };
            let connection = &mut self.connections[index];
            connection.due_at = self.due.pop_front();
            connection.received.clear();
            let request = &self.requests[self.next_request];
            self.next_request = (self.next_request + 1) % self.requests.len();
            if connection.stream.write_all(request).is_err() {
                self.fail(index)?;
            }
        }
        Ok(())
    }

    /// Reads from a connection and completes its request if the answer is all there.
    fn receive(&mut self, index: usize, buffer: &mut [u8], start: Instant) -> io::Result<()> {
        let connection = &mut self.connections[index];
        match connection.stream.read(buffer) {
            Ok(0) => return self.fail(index),
            Ok(count) => connection.received.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(_) => return self.fail(index),
        }
        let Some(answer) = Answer::parse(&connection.received)? else {
            return Ok(());
        };
        let Some(due_at) = connection.due_at.take() else {
            return self.fail(index);
        };
        self.tally.add(due_at, start.elapsed(), answer.is_success);
        if answer.closes {
            self.reopen(index)?;
        }
        self.idle.push_back(index);
        Ok(())
    }

    /// Replaces a broken connection; the request on it, if any, counts as failed.
    fn fail(&mut self, index: usize) -> io::Result<()> {
        if self.connections[index].due_at.is_some() {
            self.tally.failed += 1;
            self.idle.push_back(index);
        }
        self.reopen(index)
    }

    fn reopen(&mut self, index: usize) -> io::Result<()> {
        self.tally.reconnects += 1;
        self.connections[index] = self.open(index)?;
        Ok(())
    }

    /// Counts what was never answered, with the time it has waited so far.
    fn give_up(&mut self, now: Duration) {
        let in_flight = self.connections.iter().filter_map(|c| c.due_at);
        for due_at in in_flight.chain(self.due.iter().copied()) {
            self.tally.unanswered += 1;
            self.tally.add_latency(due_at, now);
        }
    }
}

/// Waits for events, at most `limit`.
fn wait(epoll: &OwnedFd, events: &mut Vec<Event>, limit: Duration) -> io::Result<()> {
    let limit = Timespec::try_from(limit).map_err(io::Error::other)?;
    events.clear();
    match epoll::wait(epoll, spare_capacity(events), Some(&limit)) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

struct Connection {
    stream: TcpStream,
    /// When the request in flight was due; none while the connection is idle.
    due_at: Option<Duration>,
    received: Vec<u8>,
}

/// A complete answer.
#[derive(Debug, PartialEq)]
struct Answer {
    is_success: bool,
    closes: bool,
}

impl Answer {
    /// Looks for a complete answer; none if more bytes are needed.
    fn parse(received: &[u8]) -> io::Result<Option<Self>> {
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut response = httparse::Response::new(&mut headers);
        let parsed = response.parse(received).map_err(io::Error::other)?;
        let httparse::Status::Complete(header_bytes) = parsed else {
            return Ok(None);
        };
        let header = |name: &str| {
            let mut all = response.headers.iter();
            let found = all.find(|header| header.name.eq_ignore_ascii_case(name))?;
            std::str::from_utf8(found.value).ok()
        };
        let is_complete = if header("transfer-encoding").is_some() {
            received.ends_with(b"\r\n0\r\n\r\n")
        } else {
            let length = header("content-length").and_then(|value| value.parse::<usize>().ok());
            let length = length.ok_or_else(|| io::Error::other("answer without a length"))?;
            received.len() >= header_bytes + length
        };
        Ok(is_complete.then(|| Self {
            is_success: matches!(response.code, Some(200..=299)),
            closes: header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close")),
        }))
    }
}

/// What came of the requests.
#[derive(Default)]
struct Tally {
    /// Answers received, those of the warm-up included.
    answered: u64,
    /// Answers to requests due after the warm-up.
    measured: u64,
    /// Requests without an answer of the 200 family.
    failed: u64,
    /// Requests still open when the time to drain was over.
    unanswered: u64,
    reconnects: u64,
    /// Latencies in microseconds of the requests due after the warm-up.
    latencies_us: Vec<u64>,
}

impl Tally {
    fn add(&mut self, due_at: Duration, now: Duration, is_success: bool) {
        self.answered += 1;
        self.measured += u64::from(due_at >= WARM_UP);
        self.failed += u64::from(!is_success);
        self.add_latency(due_at, now);
    }

    fn add_latency(&mut self, due_at: Duration, now: Duration) {
        if due_at >= WARM_UP {
            self.latencies_us.push((now - due_at).as_micros() as u64);
        }
    }

    fn to_json(&self, schedule: &Schedule) -> String {
        let mut sorted = self.latencies_us.clone();
        sorted.sort_unstable();
        let percentile = |per_mille: usize| -> u64 {
            let last = sorted.len().saturating_sub(1);
            sorted.get(last * per_mille / 1000).copied().unwrap_or(0)
        };
        format!(
            concat!(
                r#"{{"answered":{},"failed":{},"unanswered":{},"reconnects":{},"#,
                r#""per_second":{:.1},"p50_us":{},"p90_us":{},"p99_us":{},"p999_us":{},"#,
                r#""max_us":{}}}"#
            ),
            self.answered,
            self.failed,
            self.unanswered,
            self.reconnects,
            self.measured as f64 / schedule.measured.as_secs_f64(),
            percentile(500),
            percentile(900),
            percentile(990),
            percentile(999),
            percentile(1000),
        )
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Answer, Tally, WARM_UP, requests};

    const KEPT: Option<Answer> = Some(Answer {
        is_success: true,
        closes: false,
    });

    fn parse(text: &str) -> Option<Answer> {
        Answer::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn answer_with_a_length_ends_with_its_last_byte() {
        assert_eq!(parse("HTTP/1.1 200 OK\r\nContent-Le"), None);
        assert_eq!(parse("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na"), None);
        assert_eq!(parse("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab"), KEPT);
    }

    #[test]
    fn chunked_answer_ends_with_the_empty_chunk() {
        let start = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na";
        assert_eq!(parse(start), None);
        assert_eq!(parse(&format!("{start}\r\n0\r\n\r\n")), KEPT);
    }

    #[test]
    fn refusal_and_close_are_seen() {
        let refused = "HTTP/1.1 401 Unauthorized\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
        let expected = Answer {
            is_success: false,
            closes: true,
        };
        assert_eq!(parse(refused), Some(expected));
    }

    #[test]
    fn answer_of_unknown_length_is_an_error() {
        assert!(Answer::parse(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }

    #[test]
    fn each_line_is_a_request() {
        let sent = requests("a.example /x 1\nb.example /y?z 2\n").unwrap();
        assert_eq!(sent.len(), 2);
        assert_eq!(
            sent[1],
            b"GET /y?z HTTP/1.1\r\nHost: b.example\r\nx-api-key: 2\r\n\r\n"
        );
        assert!(requests("a.example /x\n").is_err());
        assert!(requests("").is_err());
    }

    #[test]
    fn only_requests_after_the_warm_up_are_measured() {
        let mut tally = Tally::default();
        tally.add(Duration::ZERO, Duration::from_secs(1), true);
        tally.add(WARM_UP, WARM_UP + Duration::from_micros(70), true);
        assert_eq!((tally.answered, tally.measured), (2, 1));
        assert_eq!(tally.latencies_us, [70]);
    }
}
