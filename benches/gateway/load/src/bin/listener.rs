//! Streams of server-sent events that are read together: when each of them hears of something.
//!
//! Prints `ready` once every stream has told its first event, and then, for each further event, a line of JSON when all
//! have heard of it: Unix time in microseconds of the first, the median, the 99th percentile and the last.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::time::{SystemTime, UNIX_EPOCH};

use gateway_bench_load::Options;
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::Errno;

const USAGE: &str =
    "listener --port PORT --path PATH --header 'name: value' --connections COUNT --events COUNT";
const EVENTS_PER_WAIT: usize = 1024;
const READ_BYTES: usize = 64 * 1024;
/// What every event ends with; a sign of life has no data.
const END: &[u8] = b"\n\n";
const DATA: &[u8] = b"data:";

fn main() -> io::Result<()> {
    let mut options = Options::from_args(USAGE);
    let port: u16 = options.require("--port");
    let path: String = options.require("--path");
    let header: String = options.require("--header");
    let connections: usize = options.require("--connections");
    let events: usize = options.require("--events");
    options.finish();

    let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{header}\r\n\r\n");
    let mut listener = Listener::connect(
        (Ipv4Addr::LOCALHOST, port).into(),
        connections,
        request.as_bytes(),
    )?;
    listener.hear_all()?;
    say("ready")?;
    for _ in 0..events {
        let heard = listener.hear_all()?;
        let at = |share: usize| heard[(heard.len() - 1) * share / 100];
        let (first, p50, p99, last) = (at(0), at(50), at(99), at(100));
        say(&format!(
            r#"{{"first_us":{first},"p50_us":{p50},"p99_us":{p99},"last_us":{last}}}"#
        ))?;
    }
    Ok(())
}

fn say(line: &str) -> io::Result<()> {
    let mut out = io::stdout();
    writeln!(out, "{line}")?;
    out.flush()
}

struct Listener {
    epoll: OwnedFd,
    streams: Vec<Stream>,
}

struct Stream {
    socket: TcpStream,
    /// What was read and is no whole event yet.
    unread: Vec<u8>,
    /// Events that nobody has asked for yet, by when they came.
    heard: Vec<u64>,
}

impl Listener {
    fn connect(address: SocketAddr, connections: usize, request: &[u8]) -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let mut streams = Vec::with_capacity(connections);
        for index in 0..connections {
            let mut socket = TcpStream::connect(address)?;
            socket.write_all(request)?;
            socket.set_nonblocking(true)?;
            epoll::add(&epoll, &socket, EventData::new_u64(index as u64), EventFlags::IN)?;
            streams.push(Stream {
                socket,
                unread: Vec::new(),
                heard: Vec::new(),
            });
        }
        Ok(Self { epoll, streams })
    }

    /// Waits until every stream has told one more event; when each did, in order.
    fn hear_all(&mut self) -> io::Result<Vec<u64>> {
        let mut missing = self
            .streams
            .iter()
            .filter(|stream| stream.heard.is_empty())
            .count();
        let mut buffer = vec![0; READ_BYTES];
        let mut ready = Vec::with_capacity(EVENTS_PER_WAIT);
        while missing > 0 {
            ready.clear();
            wait(&self.epoll, &mut ready)?;
            for event in &ready {
                let stream = &mut self.streams[event.data.u64() as usize];
                let had = !stream.heard.is_empty();
                stream.read(&mut buffer)?;
                if !had && !stream.heard.is_empty() {
                    missing -= 1;
                }
            }
        }
        let mut heard: Vec<_> = self
            .streams
            .iter_mut()
            .map(|stream| stream.heard.remove(0))
            .collect();
        heard.sort_unstable();
        Ok(heard)
    }
}

fn wait(epoll: &OwnedFd, ready: &mut Vec<Event>) -> io::Result<()> {
    match epoll::wait(epoll, spare_capacity(ready), None) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

impl Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        loop {
            match self.socket.read(buffer) {
                Ok(0) => return Err(io::Error::other("a stream ended")),
                Ok(read) => self.unread.extend_from_slice(&buffer[..read]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_err(io::Error::other)?;
        while let Some(end) = find(&self.unread, END) {
            if find(&self.unread[..end], DATA).is_some() {
                self.heard.push(now.as_micros() as u64);
            }
            self.unread.drain(..end + END.len());
        }
        Ok(())
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}
