//! Doors for the fuzz targets of `fuzz/`; there only when they are built.

use crate::framing::{HeadLimits, Scanner};
use crate::h1::foreign;
use crate::place;

const LIMITS: HeadLimits = HeadLimits {
    bytes_max: 16 * 1024,
    fields_max: 100,
};

/// Scans what a client sends, whole and in pieces of the size that the first byte says.
///
/// Panics if that makes a difference to what may pass.
pub fn request(bytes: &[u8]) {
    let Some((size, bytes)) = bytes.split_first() else {
        return;
    };
    let whole = Scanner::new(LIMITS).scan(bytes);
    let mut scanner = Scanner::new(LIMITS);
    let (mut kept, mut passed, mut violation) = (Vec::new(), 0, None);
    for piece in bytes.chunks(usize::from(*size).max(1)) {
        kept.extend_from_slice(piece);
        let scanned = scanner.scan(&kept);
        kept.drain(..scanned.passed);
        passed += scanned.passed;
        violation = scanned.violation;
        if violation.is_some() {
            break;
        }
    }
    assert_eq!(
        violation, whole.violation,
        "where bytes are cut decides whether they pass"
    );
    // A body that goes bad takes back what of its message came with it, but not what was passed on before.
    assert!(passed >= whole.passed);
    assert!(violation.is_some() || passed == whole.passed);
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
