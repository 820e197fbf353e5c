//! Heads and trailers of HTTP/3: what of a client's passes, and how ours are written.
//!
//! A message that two readers could take for different ones is malformed, and ends its stream: RFC 9114 sections 4.1.2,
//! 4.2 and 4.3.

use std::sync::LazyLock;

use bytes::{Bytes, BytesMut};
use http::header::CONTENT_LENGTH;
use http::uri::{Authority, Parts, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};

use super::qpack::{self, Name, STATIC, Unreadable};
use crate::cookies;
use crate::forward::is_of_connection;
use crate::framing::{HeadLimits, is_token, length};
use crate::interim::expects;

/// The head of a request.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
    /// How long the body is, if it is said.
    pub(super) length: Option<u64>,
    /// Whether the client waits to be asked for the body.
    pub(super) expects: bool,
}

/// Why a section is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// Nobody can say what it means.
    Malformed,
    /// It has more bytes or fields than are taken.
    TooLarge,
    /// It cannot be decoded, and what follows on the connection neither.
    Broken,
}

impl From<Unreadable> for Refused {
    fn from(unreadable: Unreadable) -> Self {
        match unreadable {
            Unreadable::Broken => Self::Broken,
            Unreadable::TooLarge => Self::TooLarge,
        }
    }
}

/// The names of the static table; none for pseudo-fields.
static NAMES: LazyLock<Vec<Option<HeaderName>>> = LazyLock::new(|| {
    let names = STATIC
        .iter()
        .map(|(name, _)| HeaderName::from_bytes(name.as_bytes()).ok());
    names.collect()
});

/// What pseudo-fields say.
#[derive(Debug, Default)]
struct Pseudo {
    method: Option<Bytes>,
    scheme: Option<Bytes>,
    authority: Option<Bytes>,
    path: Option<Bytes>,
}

/// Reads the head of a request into `headers`.
pub(super) fn request(section: &Bytes, limits: HeadLimits, mut headers: HeaderMap) -> Result<Head, Refused> {
    let mut pseudo = Pseudo::default();
    let mut fields = 0;
    let read = qpack::read(section, limits.bytes_max, |name, value| {
        fields += 1;
        if fields > limits.fields_max {
            return Err(Refused::TooLarge);
        }
        if name.as_bytes().first() == Some(&b':') {
            // They come before everything else.
            return if headers.is_empty() {
                pseudo.set(&name, value)
            } else {
                Err(Refused::Malformed)
            };
        }
        add(&mut headers, &name, value, true)
    });
    read??;
    let length = content_length(&headers)?;
    cookies::join(&mut headers);
    let expects = expects(&headers);
    let (method, uri) = pseudo.target(&headers)?;
    Ok(Head {
        method,
        uri,
        headers,
        length,
        expects,
    })
}

/// Reads trailers.
pub(super) fn trailers(section: &Bytes, limits: HeadLimits) -> Result<HeaderMap, Refused> {
    let mut headers = HeaderMap::new();
    let mut fields = 0;
    let read = qpack::read(section, limits.bytes_max, |name, value| {
        fields += 1;
        if fields > limits.fields_max {
            return Err(Refused::TooLarge);
        }
        add(&mut headers, &name, value, false)
    });
    read??;
    Ok(headers)
}

/// Adds a field, unless it may not be there.
fn add(headers: &mut HeaderMap, name: &Name, value: Bytes, is_head: bool) -> Result<(), Refused> {
    let name = match name {
        Name::Known(index) => NAMES[usize::from(*index)].clone(),
        Name::Written(written) => {
            // `HeaderName` would make capitals small.
            let is_name = written
                .iter()
                .all(|byte| is_token(*byte) && !byte.is_ascii_uppercase());
            is_name.then(|| HeaderName::from_bytes(written).ok()).flatten()
        }
    };
    let name = name.ok_or(Refused::Malformed)?;
    let is_forbidden = match name.as_str() {
        "te" => !value.eq_ignore_ascii_case(b"trailers"),
        "content-length" | "host" => !is_head,
        name => is_of_connection(name),
    };
    let is_padded = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    if is_forbidden || is_padded(value.first()) || is_padded(value.last()) {
        return Err(Refused::Malformed);
    }
    let value = HeaderValue::from_maybe_shared(value).map_err(|_| Refused::Malformed)?;
    headers.append(name, value);
    Ok(())
}

fn content_length(headers: &HeaderMap) -> Result<Option<u64>, Refused> {
    let mut said = headers.get_all(CONTENT_LENGTH).iter();
    match (said.next(), said.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => length(value.as_bytes()).map(Some).ok_or(Refused::Malformed),
        (Some(_), Some(_)) => Err(Refused::Malformed),
    }
}

impl Pseudo {
    fn set(&mut self, name: &Name, value: Bytes) -> Result<(), Refused> {
        let place = match name.as_bytes() {
            b":method" => &mut self.method,
            b":scheme" => &mut self.scheme,
            b":authority" => &mut self.authority,
            b":path" => &mut self.path,
            // `:status` is an answer's, `:protocol` was not offered.
            _ => return Err(Refused::Malformed),
        };
        match place.replace(value) {
            None => Ok(()),
            Some(_) => Err(Refused::Malformed),
        }
    }

    /// What the request asks for.
    fn target(self, headers: &HeaderMap) -> Result<(Method, Uri), Refused> {
        let method = self.method.ok_or(Refused::Malformed)?;
        let method = Method::from_bytes(&method).map_err(|_| Refused::Malformed)?;
        let authority = self.authority.map(authority).transpose()?;
        let mut parts = Parts::default();
        if method == Method::CONNECT {
            if self.scheme.is_some() || self.path.is_some() || authority.is_none() {
                return Err(Refused::Malformed);
            }
        } else {
            let (scheme, path) = (self.scheme, self.path.ok_or(Refused::Malformed)?);
            if scheme.as_deref() != Some(b"https") {
                return Err(Refused::Malformed);
            }
            let is_path = path.first() == Some(&b'/') || (&path[..] == b"*" && method == Method::OPTIONS);
            // A fragment is no part of a target, and would be lost.
            if !is_path || path.contains(&b'#') || (authority.is_none() && !headers.contains_key("host")) {
                return Err(Refused::Malformed);
            }
            parts.path_and_query =
                Some(PathAndQuery::from_maybe_shared(path).map_err(|_| Refused::Malformed)?);
            parts.scheme = authority.is_some().then_some(Scheme::HTTPS);
        }
        parts.authority = authority;
        let uri = Uri::from_parts(parts).map_err(|_| Refused::Malformed)?;
        Ok((method, uri))
    }
}

/// An authority, which names nobody who asks.
fn authority(text: Bytes) -> Result<Authority, Refused> {
    if text.is_empty() || text.contains(&b'@') {
        return Err(Refused::Malformed);
    }
    Authority::from_maybe_shared(text).map_err(|_| Refused::Malformed)
}

/// Writes the head of an answer; what concerns one connection is left out.
pub(super) fn write<'a>(
    status: StatusCode,
    fields: impl Iterator<Item = (&'a HeaderName, &'a HeaderValue)>,
) -> BytesMut {
    let mut section = BytesMut::with_capacity(256);
    qpack::begin(&mut section);
    qpack::write_status(&mut section, status);
    write_fields(&mut section, fields);
    section
}

/// Writes trailers.
pub(super) fn write_trailers(trailers: &HeaderMap) -> BytesMut {
    let mut section = BytesMut::with_capacity(128);
    qpack::begin(&mut section);
    write_fields(&mut section, trailers.iter());
    section
}

fn write_fields<'a>(section: &mut BytesMut, fields: impl Iterator<Item = (&'a HeaderName, &'a HeaderValue)>) {
    for (name, value) in fields {
        let name = name.as_str();
        if !is_of_connection(name) {
            qpack::write(section, name, value.as_bytes());
        }
    }
}

#[cfg(test)]
mod tests;
