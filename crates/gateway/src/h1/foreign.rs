//! Reads what an upstream might send without a connection, for tests and fuzzers.

use bytes::BytesMut;
use http::{HeaderMap, Method};

use super::answer::{self, Invalid};
use super::coming::{Sender, chunk};
use crate::framing::{CHUNK, Chunks};

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

/// Reads a head, if there is the end of one.
pub(crate) fn head(bytes: &[u8]) -> Option<Result<(), Invalid>> {
    let mut input = BytesMut::from(bytes);
    let length = answer::head_end(&input, 0)?;
    Some(answer::take(&mut input, length, &Method::GET, &mut HeaderMap::new()).map(drop))
}
