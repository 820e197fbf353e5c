//! Field sections as HTTP/3 writes them: QPACK (RFC 9204) without its dynamic table.
//!
//! We tell clients that we keep no table (the default of `SETTINGS_QPACK_MAX_TABLE_CAPACITY`), so that every section
//! can be read by itself: none waits for another stream, and no client fills memory.

use std::collections::HashMap;
use std::sync::LazyLock;

use bytes::{BufMut as _, Bytes, BytesMut};
use http::StatusCode;

use super::huffman;

/// The table that both sides know: RFC 9204 appendix A.
pub(super) const STATIC: [(&str, &str); 99] = [
    (":authority", ""),
    (":path", "/"),
    ("age", "0"),
    ("content-disposition", ""),
    ("content-length", "0"),
    ("cookie", ""),
    ("date", ""),
    ("etag", ""),
    ("if-modified-since", ""),
    ("if-none-match", ""),
    ("last-modified", ""),
    ("link", ""),
    ("location", ""),
    ("referer", ""),
    ("set-cookie", ""),
    (":method", "CONNECT"),
    (":method", "DELETE"),
    (":method", "GET"),
    (":method", "HEAD"),
    (":method", "OPTIONS"),
    (":method", "POST"),
    (":method", "PUT"),
    (":scheme", "http"),
    (":scheme", "https"),
    (":status", "103"),
    (":status", "200"),
    (":status", "304"),
    (":status", "404"),
    (":status", "503"),
    ("accept", "*/*"),
    ("accept", "application/dns-message"),
    ("accept-encoding", "gzip, deflate, br"),
    ("accept-ranges", "bytes"),
    ("access-control-allow-headers", "cache-control"),
    ("access-control-allow-headers", "content-type"),
    ("access-control-allow-origin", "*"),
    ("cache-control", "max-age=0"),
    ("cache-control", "max-age=2592000"),
    ("cache-control", "max-age=604800"),
    ("cache-control", "no-cache"),
    ("cache-control", "no-store"),
    ("cache-control", "public, max-age=31536000"),
    ("content-encoding", "br"),
    ("content-encoding", "gzip"),
    ("content-type", "application/dns-message"),
    ("content-type", "application/javascript"),
    ("content-type", "application/json"),
    ("content-type", "application/x-www-form-urlencoded"),
    ("content-type", "image/gif"),
    ("content-type", "image/jpeg"),
    ("content-type", "image/png"),
    ("content-type", "text/css"),
    ("content-type", "text/html; charset=utf-8"),
    ("content-type", "text/plain"),
    ("content-type", "text/plain;charset=utf-8"),
    ("range", "bytes=0-"),
    ("strict-transport-security", "max-age=31536000"),
    ("strict-transport-security", "max-age=31536000; includesubdomains"),
    (
        "strict-transport-security",
        "max-age=31536000; includesubdomains; preload",
    ),
    ("vary", "accept-encoding"),
    ("vary", "origin"),
    ("x-content-type-options", "nosniff"),
    ("x-xss-protection", "1; mode=block"),
    (":status", "100"),
    (":status", "204"),
    (":status", "206"),
    (":status", "302"),
    (":status", "400"),
    (":status", "403"),
    (":status", "421"),
    (":status", "425"),
    (":status", "500"),
    ("accept-language", ""),
    ("access-control-allow-credentials", "FALSE"),
    ("access-control-allow-credentials", "TRUE"),
    ("access-control-allow-headers", "*"),
    ("access-control-allow-methods", "get"),
    ("access-control-allow-methods", "get, post, options"),
    ("access-control-allow-methods", "options"),
    ("access-control-expose-headers", "content-length"),
    ("access-control-request-headers", "content-type"),
    ("access-control-request-method", "get"),
    ("access-control-request-method", "post"),
    ("alt-svc", "clear"),
    ("authorization", ""),
    (
        "content-security-policy",
        "script-src 'none'; object-src 'none'; base-uri 'none'",
    ),
    ("early-data", "1"),
    ("expect-ct", ""),
    ("forwarded", ""),
    ("if-range", ""),
    ("origin", ""),
    ("purpose", "prefetch"),
    ("server", ""),
    ("timing-allow-origin", "*"),
    ("upgrade-insecure-requests", "1"),
    ("user-agent", ""),
    ("x-forwarded-for", ""),
    ("x-frame-options", "deny"),
    ("x-frame-options", "sameorigin"),
];

/// The first entry of each name.
static BY_NAME: LazyLock<HashMap<&str, u8>> = LazyLock::new(|| {
    let mut names = HashMap::new();
    for (index, (name, _)) in (0_u8..).zip(&STATIC) {
        names.entry(*name).or_insert(index);
    }
    names
});

/// What a field costs beside its bytes: RFC 9114 section 4.2.2.
const FIELD_BYTES: usize = 32;
/// The most bits of a number: more cannot be meant.
const NUMBER_BITS_MAX: u32 = 28;

/// Why a section cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// It is malformed, or refers to a table that is not there; nobody knows what the connection's fields are.
    Broken,
    /// It is larger than it may be.
    TooLarge,
}

/// A name of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Name {
    /// An entry of the static table.
    Known(u8),
    Written(Bytes),
}

impl Name {
    pub(super) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Known(index) => STATIC[usize::from(*index)].0.as_bytes(),
            Self::Written(name) => name,
        }
    }
}

/// Reads a section, and offers each field until `take` breaks off; all of them have at most `bytes_max` together.
pub(super) fn read<B>(
    section: &Bytes,
    bytes_max: usize,
    mut take: impl FnMut(Name, Bytes) -> Result<(), B>,
) -> Result<Result<(), B>, Unreadable> {
    let mut rest = Section {
        bytes: section,
        at: 0,
    };
    // The required insert count: there are no insertions. Then the base, which has nothing to be one for.
    if rest.number(8)? != 0 {
        return Err(Unreadable::Broken);
    }
    let is_negative = rest.peek().is_some_and(|byte| byte & 0x80 != 0);
    rest.number(7)?;
    if is_negative {
        return Err(Unreadable::Broken);
    }
    let mut bytes = 0;
    while let Some(first) = rest.peek() {
        let (name, value) = match first {
            0b1100_0000.. => {
                let index = rest.index(6)?;
                let (_, value) = STATIC[usize::from(index)];
                (Name::Known(index), Bytes::from_static(value.as_bytes()))
            }
            0b0101_0000..=0b0101_1111 | 0b0111_0000..=0b0111_1111 => {
                let index = rest.index(4)?;
                (Name::Known(index), rest.text(7)?)
            }
            0b0010_0000..=0b0011_1111 => {
                let name = rest.text(3)?;
                (Name::Written(name), rest.text(7)?)
            }
            // The dynamic table.
            _ => return Err(Unreadable::Broken),
        };
        bytes += name.as_bytes().len() + value.len() + FIELD_BYTES;
        if bytes > bytes_max {
            return Err(Unreadable::TooLarge);
        }
        if let Err(broken_off) = take(name, value) {
            return Ok(Err(broken_off));
        }
    }
    Ok(Ok(()))
}

/// A section and how far it was read.
struct Section<'a> {
    bytes: &'a Bytes,
    at: usize,
}

impl Section<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn next(&mut self) -> Result<u8, Unreadable> {
        let byte = self.peek().ok_or(Unreadable::Broken)?;
        self.at += 1;
        Ok(byte)
    }

    /// A number in the last bits of a byte, and those that follow: RFC 7541 section 5.1.
    fn number(&mut self, bits: u32) -> Result<usize, Unreadable> {
        let most = (1_u32 << bits) - 1;
        let mut number = u32::from(self.next()?) & most;
        if number < most {
            return Ok(number as usize);
        }
        let mut shift = 0;
        loop {
            let byte = self.next()?;
            number += u32::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number as usize);
            }
            shift += 7;
            if shift >= NUMBER_BITS_MAX {
                return Err(Unreadable::Broken);
            }
        }
    }

    /// An entry of the static table.
    fn index(&mut self, bits: u32) -> Result<u8, Unreadable> {
        let index = self.number(bits)?;
        if index >= STATIC.len() {
            return Err(Unreadable::Broken);
        }
        u8::try_from(index).map_err(|_| Unreadable::Broken)
    }

    /// A string whose length is in the last bits of a byte, behind the bit that says how it is coded.
    fn text(&mut self, bits: u32) -> Result<Bytes, Unreadable> {
        let is_coded = self.peek().is_some_and(|byte| byte >> bits & 1 != 0);
        let length = self.number(bits)?;
        let end = self.at.checked_add(length).filter(|end| *end <= self.bytes.len());
        let end = end.ok_or(Unreadable::Broken)?;
        let text = self.bytes.slice(self.at..end);
        self.at = end;
        if !is_coded {
            return Ok(text);
        }
        // The shortest code has five bits.
        let mut plain = Vec::with_capacity(text.len() * 8 / 5);
        huffman::decode(&text, &mut plain).map_err(|huffman::NotHuffman| Unreadable::Broken)?;
        Ok(plain.into())
    }
}

/// Begins a section; the dynamic table is not used.
pub(super) fn begin(section: &mut BytesMut) {
    section.put_slice(&[0, 0]);
}

/// Writes the status of an answer.
pub(super) fn write_status(section: &mut BytesMut, status: StatusCode) {
    const STATUS: u8 = 24;
    let known = (0_u8..)
        .zip(&STATIC)
        .find(|(_, (name, value))| *name == ":status" && *value == status.as_str());
    match known {
        Some((index, _)) => write_number(section, 0b1100_0000, 6, usize::from(index)),
        None => {
            write_number(section, 0b0101_0000, 4, usize::from(STATUS));
            write_text(section, 0, 7, status.as_str().as_bytes());
        }
    }
}

/// Writes a field.
pub(super) fn write(section: &mut BytesMut, name: &str, value: &[u8]) {
    match BY_NAME.get(name) {
        Some(index) => write_number(section, 0b0101_0000, 4, usize::from(*index)),
        None => write_text(section, 0b0010_0000, 3, name.as_bytes()),
    }
    write_text(section, 0, 7, value);
}

fn write_text(section: &mut BytesMut, pattern: u8, bits: u32, text: &[u8]) {
    write_number(section, pattern, bits, text.len());
    section.put_slice(text);
}

fn write_number(section: &mut BytesMut, pattern: u8, bits: u32, number: usize) {
    let most = (1_usize << bits) - 1;
    if number < most {
        // Fits into the bits that the pattern leaves.
        section.put_u8(pattern | number as u8);
        return;
    }
    section.put_u8(pattern | most as u8);
    let mut rest = number - most;
    while rest >= 0x80 {
        section.put_u8(rest as u8 | 0x80);
        rest >>= 7;
    }
    section.put_u8(rest as u8);
}

#[cfg(test)]
mod tests;
