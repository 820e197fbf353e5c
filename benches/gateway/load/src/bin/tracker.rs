//! Closed-loop load of tracked events: each connection sends its next call when the one before is answered.
//!
//! Each event has an id of its own, so that none is left out as sent before. Prints one line of JSON.

use std::io::{self, Write as _};
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use gateway_bench_load::Options;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

const USAGE: &str =
    "tracker --port PORT --key KEY --batch EVENTS --connections COUNT --seconds SECONDS --run NUMBER";
/// Digits of an event's number in its id.
const DIGITS: usize = 16;
const ANSWER_BYTES_MAX: usize = 64 * 1024;

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let mut options = Options::from_args(USAGE);
    let port: u16 = options.require("--port");
    let key: String = options.require("--key");
    let batch: usize = options.require("--batch");
    let connections: u64 = options.require("--connections");
    let seconds: u64 = options.require("--seconds");
    let run: u64 = options.require("--run");
    options.finish();

    let begin = Instant::now();
    let end = begin + Duration::from_secs(seconds);
    let mut all = JoinSet::new();
    for connection in 0..connections {
        // Ids of connections and of runs are far apart.
        let first = (run * 10_000 + connection) * 1_000_000_000;
        all.spawn(send(port, Calls::new(&key, batch, first), end));
    }
    let mut tally = Tally::default();
    while let Some(one) = all.join_next().await {
        tally.add(one??);
    }
    let seconds = begin.elapsed().as_secs_f64();
    let events = tally.calls() * batch as u64;
    tally.micros.sort_unstable();
    writeln!(
        io::stdout(),
        r#"{{"events":{events},"refused":{},"seconds":{seconds:.3},"events_per_second":{:.0},"p50_us":{},"p99_us":{}}}"#,
        tally.refused,
        events as f64 / seconds,
        tally.quantile(0.5),
        tally.quantile(0.99),
    )
}

/// Calls that were answered.
#[derive(Default)]
struct Tally {
    /// Microseconds of those that were accepted.
    micros: Vec<u64>,
    refused: u64,
}

impl Tally {
    fn calls(&self) -> u64 {
        self.micros.len() as u64
    }

    fn add(&mut self, other: Self) {
        self.micros.extend(other.micros);
        self.refused += other.refused;
    }

    fn quantile(&self, share: f64) -> u64 {
        let last = self.micros.len().saturating_sub(1);
        let place = (last as f64 * share) as usize;
        self.micros.get(place).copied().unwrap_or(0)
    }
}

async fn send(port: u16, mut calls: Calls, end: Instant) -> io::Result<Tally> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    stream.set_nodelay(true)?;
    let mut tally = Tally::default();
    let mut answer = vec![0; ANSWER_BYTES_MAX];
    while Instant::now() < end {
        let begin = Instant::now();
        stream.write_all(calls.next()).await?;
        match status(&mut stream, &mut answer).await? {
            202 => tally.micros.push(begin.elapsed().as_micros() as u64),
            _ => tally.refused += 1,
        }
    }
    Ok(tally)
}

/// Reads an answer; its status.
async fn status(stream: &mut TcpStream, buffer: &mut [u8]) -> io::Result<u16> {
    let mut filled = 0;
    loop {
        let read = stream.read(&mut buffer[filled..]).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        filled += read;
        let mut headers = [httparse::EMPTY_HEADER; 32];
        let mut head = httparse::Response::new(&mut headers);
        let parsed = head.parse(&buffer[..filled]).map_err(io::Error::other)?;
        let httparse::Status::Complete(bytes) = parsed else {
            continue;
        };
        let length = head
            .headers
            .iter()
            .find(|header| header.name.eq_ignore_ascii_case("content-length"));
        let length = length.and_then(|header| str::from_utf8(header.value).ok()?.parse::<usize>().ok());
        if filled >= bytes + length.unwrap_or(0) {
            return Ok(head.code.unwrap_or(0));
        }
    }
}

/// Calls that differ in the ids of their events only.
struct Calls {
    bytes: Vec<u8>,
    /// Where the ids have their digits.
    ids: Vec<usize>,
    next: u64,
}

impl Calls {
    fn new(key: &str, batch: usize, first: u64) -> Self {
        let event = |number: usize| {
            format!(
                r#"{{"type":"purchase","id":"order-{}","user_id":"user-{}","properties":{{"price":19.95,"currency":"EUR","items":3,"channel":"web","campaign":"autumn"}}}}"#,
                "0".repeat(DIGITS),
                number * 7 % 10_000,
            )
        };
        let events: Vec<_> = (0..batch).map(event).collect();
        let body = match batch {
            1 => events.concat(),
            _ => format!("[{}]", events.join(",")),
        };
        let head = format!(
            "POST /api/v1/tracking/events HTTP/1.1\r\nHost: 127.0.0.1\r\nX-API-Key: {key}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let text = head + &body;
        let ids = text
            .match_indices("order-")
            .map(|(place, found)| place + found.len());
        Self {
            ids: ids.collect(),
            bytes: text.into_bytes(),
            next: first,
        }
    }

    fn next(&mut self) -> &[u8] {
        for place in &self.ids {
            let mut number = self.next;
            for digit in self.bytes[*place..place + DIGITS].iter_mut().rev() {
                *digit = b'0' + (number % 10) as u8;
                number /= 10;
            }
            self.next += 1;
        }
        &self.bytes
    }
}
