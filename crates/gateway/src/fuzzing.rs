//! Doors for the fuzz targets of `fuzz/`; there only when they are built.

use bytes::Bytes;
use hyper::body::Frame;

use crate::framing::HeadLimits;
use crate::grpc_web::{Decoder, Encoder, Form};
use crate::h1::foreign;
use crate::place;

const LIMITS: HeadLimits = HeadLimits {
    bytes_max: 16 * 1024,
    fields_max: 100,
};

/// Reads the requests that a client sends, whole and in pieces of the size that the first byte says.
///
/// Panics if that makes a difference.
pub fn request(bytes: &[u8]) {
    let Some((size, bytes)) = bytes.split_first() else {
        return;
    };
    let pieces = bytes.chunks(usize::from(*size).max(1));
    assert_eq!(
        foreign::requests(LIMITS, pieces),
        foreign::requests(LIMITS, [bytes].into_iter()),
        "where bytes are cut decides what they mean"
    );
}

/// Reads and writes gRPC-Web as text, in pieces of the size that the first byte says.
///
/// Panics if what was written is not what is read.
pub fn grpc_web(bytes: &[u8]) {
    let Some((size, bytes)) = bytes.split_first() else {
        return;
    };
    let _ = Decoder::new(Form::Text).decode(Bytes::copy_from_slice(bytes));
    let (mut encoder, mut decoder) = (Encoder::new(Form::Text), Decoder::new(Form::Text));
    let mut read = Vec::new();
    for piece in bytes.chunks(usize::from(*size).max(1)) {
        let text = encoder.encode(Frame::data(Bytes::copy_from_slice(piece)));
        let text = text
            .into_data()
            .unwrap_or_else(|_| unreachable!("data stays data"));
        read.extend_from_slice(&decoder.decode(text).expect("what was written"));
    }
    assert!(bytes.starts_with(&read), "the beginning of what was written");
}

/// Reads what an upstream sends: a head and chunks, whole and in pieces.
///
/// Panics if the pieces say something else.
pub fn answer(bytes: &[u8]) {
    let _ = foreign::head(bytes);
    let Some((size, bytes)) = bytes.split_first() else {
        return;
    };
    let pieces: Vec<&[u8]> = bytes.chunks(usize::from(*size).max(1)).collect();
    assert_eq!(foreign::dechunk(&pieces), foreign::dechunk(&[bytes]));
}

/// Reads a path; panics if one with a dot segment passes.
pub fn path(bytes: &[u8]) {
    let Ok(path) = std::str::from_utf8(bytes) else {
        return;
    };
    if place::check_path(path).is_ok() {
        let decoded = path.replace("%2e", ".").replace("%2E", ".").replace("%2f", "/");
        let decoded = decoded
            .replace("%2F", "/")
            .replace("%5c", "/")
            .replace("%5C", "/")
            .replace('\\', "/");
        assert!(
            !decoded.split('/').any(|segment| matches!(segment, "." | "..")),
            "{path}"
        );
    }
}
