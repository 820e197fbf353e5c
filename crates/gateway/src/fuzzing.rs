//! Doors for the fuzz targets of `fuzz/`; there only when they are built.

use crate::framing::HeadLimits;
use crate::h1::foreign;
use crate::h1::request::Reader;
use crate::place;

const LIMITS: HeadLimits = HeadLimits {
    bytes_max: 16 * 1024,
    fields_max: 100,
};

/// Reads the heads that a client sends, whole and in pieces of the size that the first byte says.
///
/// Panics if that makes a difference.
pub fn request(bytes: &[u8]) {
    let Some((size, bytes)) = bytes.split_first() else {
        return;
    };
    let whole = Reader::new(LIMITS).read(bytes);
    let mut reader = Reader::new(LIMITS);
    let size = usize::from(*size).max(1);
    let mut cut = reader.read(b"");
    for end in (size..bytes.len() + size).step_by(size) {
        cut = reader.read(&bytes[..end.min(bytes.len())]);
        if !matches!(cut, Ok(None)) {
            break;
        }
    }
    assert_eq!(cut, whole, "where bytes are cut decides whether they pass");
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
