//! A backend that costs as little as possible: one thread and one fixed JSON answer.
//!
//! Every request, whatever its path, gets the same `200` of the chosen size, and the connection
//! stays open. A request ends at the blank line after its header, so it must not carry a body.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};

use gateway_bench_load::Options;
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};

const USAGE: &str = "upstream --port PORT [--size BODY_BYTES]";
const EVENTS_PER_WAIT: usize = 256;
const READ_BYTES: usize = 16 * 1024;

fn main() -> io::Result<()> {
    let mut options = Options::from_args(USAGE);
    let port = options.require("--port");
    let size = options.optional("--size").unwrap_or(1024);
    options.finish();
    Upstream::bind(port, answer(size))?.run()
}

/// Renders the whole answer, with a JSON body of `size` bytes (11 at least, the empty document).
fn answer(size: usize) -> Vec<u8> {
    let filler = "x".repeat(size.saturating_sub(r#"{"data":""}"#.len()));
    let body = format!(r#"{{"data":"{filler}"}}"#);
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

struct Upstream {
    epoll: OwnedFd,
    listener: TcpListener,
    /// Open connections, indexed by file descriptor: descriptors are small and reused.
    connections: Vec<Option<Connection>>,
    answer: Vec<u8>,
}

impl Upstream {
    fn bind(port: u16, answer: Vec<u8>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        listener.set_nonblocking(true)?;
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &listener, token(&listener), EventFlags::IN)?;
        Ok(Self {
            epoll,
            listener,
            connections: Vec::new(),
            answer,
        })
    }

    fn run(mut self) -> io::Result<()> {
        let mut events: Vec<Event> = Vec::with_capacity(EVENTS_PER_WAIT);
        let mut buffer = [0; READ_BYTES];
        loop {
            events.clear();
            epoll::wait(&self.epoll, spare_capacity(&mut events), None)?;
            for &Event { data, .. } in &events {
                if data == token(&self.listener) {
                    self.accept()?;
                } else {
                    self.serve(data.u64() as usize, &mut buffer);
                }
            }
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            let stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            stream.set_nonblocking(true)?;
            stream.set_nodelay(true)?;
            epoll::add(&self.epoll, &stream, token(&stream), EventFlags::IN)?;
            let index = stream.as_raw_fd() as usize;
            if self.connections.len() <= index {
                self.connections.resize_with(index + 1, || None);
            }
            self.connections[index] = Some(Connection::new(stream));
        }
    }

    /// Reads what arrived on a connection and answers it; closes the connection if it failed.
    fn serve(&mut self, index: usize, buffer: &mut [u8]) {
        let Some(connection) = &mut self.connections[index] else {
            return;
        };
        let was_blocked = connection.owed > 0;
        let served = connection.read(buffer, self.answer.len()).and_then(|()| {
            connection.write(&self.answer)?;
            let is_blocked = connection.owed > 0;
            if is_blocked != was_blocked {
                let interest = interest(is_blocked);
                epoll::modify(
                    &self.epoll,
                    &connection.stream,
                    token(&connection.stream),
                    interest,
                )?;
            }
            Ok(())
        });
        if served.is_err() {
            self.connections[index] = None;
        }
    }
}

/// Names a socket in epoll events by its file descriptor.
fn token(socket: &impl AsRawFd) -> EventData {
    EventData::new_u64(socket.as_raw_fd() as u64)
}

fn interest(is_blocked: bool) -> EventFlags {
    if is_blocked {
        EventFlags::IN | EventFlags::OUT
    } else {
        EventFlags::IN
    }
}

struct Connection {
    stream: TcpStream,
    header_end: HeaderEnd,
    /// Bytes of answers still to be written; more than zero only while the socket is full.
    owed: usize,
}

impl Connection {
    fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            header_end: HeaderEnd::default(),
            owed: 0,
        }
    }

    /// Reads once and adds an answer to what is owed for every request that ended.
    fn read(&mut self, buffer: &mut [u8], answer_bytes: usize) -> io::Result<()> {
        match self.stream.read(buffer) {
            Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => {
                self.owed += answer_bytes * self.header_end.count(&buffer[..count]);
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Writes what is owed, as far as the socket takes it.
    fn write(&mut self, answer: &[u8]) -> io::Result<()> {
        while self.owed > 0 {
            // All answers are alike, so the debt tells where the current one was interrupted.
            let rest_of_answer = match self.owed % answer.len() {
                0 => answer,
                rest => &answer[answer.len() - rest..],
            };
            match self.stream.write(rest_of_answer) {
                Ok(count) => self.owed -= count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Finds the blank lines that end request headers, also when reads split them.
#[derive(Default)]
struct HeaderEnd {
    /// How many bytes of `\r\n\r\n` have been seen.
    matched: u8,
}

impl HeaderEnd {
    fn count(&mut self, bytes: &[u8]) -> usize {
        let mut ends = 0;
        for byte in bytes {
            self.matched = match (self.matched, byte) {
                (0 | 2, b'\r') | (1, b'\n') => self.matched + 1,
                (3, b'\n') => {
                    ends += 1;
                    0
                }
                (_, b'\r') => 1,
                _ => 0,
            };
        }
        ends
    }
}

#[cfg(test)]
mod tests {
    use super::{HeaderEnd, answer};

    #[test]
    fn answer_has_the_size_asked_for() {
        for size in [11, 1024, 65_536] {
            let text = String::from_utf8(answer(size)).unwrap();
            let (header, body) = text.split_once("\r\n\r\n").unwrap();
            assert_eq!(body.len(), size);
            assert!(header.ends_with(&format!("content-length: {size}")));
        }
    }

    #[test]
    fn header_ends_are_found_across_reads() {
        let requests = b"GET / HTTP/1.1\r\nhost: a\r\n\r\nGET / HTTP/1.1\r\r\n\r\n";
        for split in 0..requests.len() {
            let mut header_end = HeaderEnd::default();
            let (first, second) = requests.split_at(split);
            let ends = header_end.count(first) + header_end.count(second);
            assert_eq!(ends, 2, "split at {split}");
        }
    }
}
