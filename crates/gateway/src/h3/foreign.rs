//! Reads what a client might send without a connection, for tests and fuzzers.

use bytes::{Bytes, BytesMut};
use http::HeaderMap;

use super::frame::{self, Frames, Next};
use super::head;
use crate::framing::HeadLimits;

/// What the heads in a stream say that comes in the given pieces, each as method, target and fields; what is no head
/// is left out.
pub(crate) fn read<'a>(
    limits: HeadLimits,
    pieces: impl Iterator<Item = &'a [u8]>,
) -> Vec<(String, HeaderMap)> {
    let (mut frames, mut section, mut length, mut found) =
        (Frames::default(), BytesMut::new(), 0, Vec::new());
    for piece in pieces {
        frames.push(Bytes::copy_from_slice(piece));
        loop {
            match frames.next() {
                Next::More => break,
                Next::Start(_, bytes) => {
                    section.clear();
                    length = bytes;
                }
                Next::Part(part)
                    if frames.kind() == Some(frame::HEADERS) && length <= limits.bytes_max as u64 =>
                {
                    section.extend_from_slice(&part);
                    if section.len() as u64 == length {
                        let section = section.split().freeze();
                        let _ = head::trailers(&section, limits);
                        let head = head::request(&section, limits, HeaderMap::new());
                        found
                            .extend(head.map(|head| (format!("{} {}", head.method, head.uri), head.headers)));
                    }
                }
                Next::Part(_) => {}
            }
        }
    }
    found
}
