//! Reads what the other side might send without a connection, for tests and fuzzers.

#[cfg(fuzzing)]
use bytes::Bytes;
use bytes::BytesMut;
use http::{HeaderMap, Method};

use super::answer::{self, Invalid};
use super::coming::{Coming, Sender, chunk};
#[cfg(fuzzing)]
use super::line::Head;
#[cfg(fuzzing)]
use super::outgoing::{Outgoing, Progress};
use super::request::Reader;
use crate::framing::{CHUNK, Chunks, HeadLimits, Violation};

/// Reads a chunked body that comes in the given pieces: its data, its trailers, whether it ended.
pub(crate) fn dechunk(pieces: &[&[u8]]) -> Result<(Vec<u8>, Option<HeaderMap>, bool), Invalid> {
    let (mut input, mut state, mut trailer) = (BytesMut::new(), CHUNK, BytesMut::new());
    let (mut body, mut trailers) = (Vec::new(), None);
    for piece in pieces {
        input.extend_from_slice(piece);
        while state != Chunks::End {
            match chunk(&mut input, &mut state, &mut trailer, Sender::Upstream)
                .map_err(|_| Invalid::Chunks)?
            {
                None => break,
                Some(frame) => match frame.into_data() {
                    Ok(data) => body.extend_from_slice(&data),
                    Err(frame) => trailers = frame.into_trailers().ok(),
                },
            }
        }
    }
    Ok((body, trailers, state == Chunks::End))
}

/// Writes a request as an upstream gets it; without a length its body goes in chunks.
#[cfg(fuzzing)]
pub(crate) fn written(head: &Head<'_>, body: &[u8], is_sized: bool) -> Vec<u8> {
    use http_body_util::Full;
    use std::task::Waker;

    let length = (is_sized || body.is_empty()).then_some(body.len() as u64);
    let mut outgoing = Outgoing::default();
    let body = (!body.is_empty()).then(|| Full::new(Bytes::copy_from_slice(body)));
    outgoing.begin(body, |out| head.write(out, length));
    let mut bytes = Vec::new();
    let mut context = std::task::Context::from_waker(Waker::noop());
    let progress = outgoing.poll(&mut bytes, &mut context);
    assert!(matches!(progress, Ok(Progress::Done)), "memory takes everything");
    bytes
}

/// Reads a head, if there is the end of one.
pub(crate) fn head(bytes: &[u8]) -> Option<Result<(), Invalid>> {
    let mut input = BytesMut::from(bytes);
    let length = answer::head_end(&input, 0)?;
    Some(answer::take(&mut input, length, &Method::GET, &mut HeaderMap::new()).map(drop))
}

/// What was read of a connection: its requests, and why no more.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Read {
    pub(crate) heads: Vec<(String, HeaderMap)>,
    pub(crate) bodies: Vec<Vec<u8>>,
    pub(crate) violation: Option<Violation>,
    /// Whether the last request came to its end.
    pub(crate) is_between: bool,
}

/// Reads requests that come in the given pieces, as the connection does.
pub(crate) fn requests<'a>(limits: HeadLimits, pieces: impl Iterator<Item = &'a [u8]>) -> Read {
    let (mut reader, mut coming) = (Reader::new(limits), Coming::Done);
    let (mut input, mut found) = (BytesMut::new(), Read::default());
    for piece in pieces {
        input.extend_from_slice(piece);
        if let Err(violation) = read_on(&mut reader, &mut coming, &mut input, &mut found) {
            found.violation = Some(violation);
            break;
        }
    }
    found.is_between = coming.is_done();
    found
}

fn read_on(
    reader: &mut Reader,
    coming: &mut Coming,
    input: &mut BytesMut,
    found: &mut Read,
) -> Result<(), Violation> {
    loop {
        if coming.is_done() {
            if reader.read(input)?.is_none() {
                return Ok(());
            }
            let mut headers = HeaderMap::new();
            let head = reader.take(input, &mut headers)?;
            found
                .heads
                .push((format!("{} {}", head.method, head.uri), headers));
            found.bodies.push(Vec::new());
            *coming = head.body;
        }
        match coming.take(input)? {
            Some(frame) => {
                let body = found.bodies.last_mut().expect("a body has a head");
                body.extend_from_slice(&frame.into_data().unwrap_or_default());
            }
            None if coming.is_done() => {}
            None => return Ok(()),
        }
    }
}
