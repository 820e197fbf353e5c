//! Which file answers which path.

use rust_embed::RustEmbed;
use std::borrow::Cow;

/// What `npm run build` wrote.
#[derive(RustEmbed)]
#[folder = "../../web/dist"]
#[exclude = ".*"]
#[allow_missing = true]
struct Dist;

const MISSING: &str = include_str!("missing.html");

/// How the bytes of a [`File`] are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// RFC 7932.
    Brotli,
    /// RFC 1952.
    Gzip,
}

impl Encoding {
    /// The token in `Accept-Encoding` and `Content-Encoding`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }

    const fn extension(self) -> &'static str {
        match self {
            Self::Brotli => ".br",
            Self::Gzip => ".gz",
        }
    }
}

/// A file of the web pages, and what its headers are made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// The body as it is sent.
    pub bytes: Cow<'static, [u8]>,
    /// `Content-Type`.
    pub content_type: &'static str,
    /// Its content never changes under this path: it may be kept for a year. Otherwise ask again with the ETag.
    pub immutable: bool,
    /// `ETag`, quotes included; weak, because it is the same for every encoding.
    pub etag: String,
    /// `Content-Encoding`; the bytes are as they are if absent.
    pub encoding: Option<Encoding>,
}

/// The file that answers a path, given without its leading slash; `None` is a 404.
///
/// `console`, `portal` and everything below them are single pages that route for themselves, `api/docs` is the
/// reference of Gateline's own API, `assets/…` and `favicon.svg` are what the pages load. Of the encodings in
/// `accept_encoding` (the request header, RFC 9110 §12.5.3; empty for none) the smallest that exists is chosen.
pub fn file(path: &str, accept_encoding: &str) -> Option<File> {
    let path = path.trim_end_matches('/');
    let page = match path.split('/').next()? {
        "console" => "console/index.html",
        "portal" => "portal/index.html",
        "api" if path == "api/docs" => "reference/index.html",
        "assets" => return embedded(path, accept_encoding, true),
        "favicon.svg" => return embedded(path, accept_encoding, false),
        _ => return None,
    };
    Some(embedded(page, accept_encoding, false).unwrap_or_else(missing))
}

fn embedded(path: &str, accept_encoding: &str, immutable: bool) -> Option<File> {
    let plain = Dist::get(path)?;
    let mut etag = String::from("W/\"");
    for byte in &plain.metadata.sha256_hash()[..12] {
        etag.push_str(&format!("{byte:02x}"));
    }
    etag.push('"');
    let compressed = [Encoding::Brotli, Encoding::Gzip]
        .into_iter()
        .filter(|encoding| accepts(accept_encoding, *encoding))
        .find_map(|encoding| {
            let file = Dist::get(&format!("{path}{}", encoding.extension()))?;
            Some((file.data, Some(encoding)))
        });
    let (bytes, encoding) = compressed.unwrap_or((plain.data, None));
    Some(File {
        bytes,
        content_type: content_type(path),
        immutable,
        etag,
        encoding,
    })
}

fn missing() -> File {
    File {
        bytes: Cow::Borrowed(MISSING.as_bytes()),
        content_type: "text/html; charset=utf-8",
        immutable: false,
        etag: String::from("W/\"missing\""),
        encoding: None,
    }
}

pub(crate) fn accepts(header: &str, encoding: Encoding) -> bool {
    header.split(',').any(|offer| {
        let mut parts = offer.split(';').map(str::trim);
        let named = parts
            .next()
            .is_some_and(|name| name.eq_ignore_ascii_case(encoding.as_str()));
        let refused = parts.any(|part| {
            part.strip_prefix("q=")
                .is_some_and(|q| q.parse::<f32>().is_ok_and(|q| q == 0.0))
        });
        named && !refused
    })
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("json" | "map") => "application/json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("woff2") => "font/woff2",
        Some("wasm") => "application/wasm",
        _ => "application/octet-stream",
    }
}
