//! Hosts, base paths and whole paths.

use std::borrow::Cow;

use domain::routing::{PathKind, PathMatch};
use regex::bytes::Regex;

use crate::RESERVED;
use crate::fault::Faults;
use crate::tree::{Piece, decode, decode_but, fits, pieces, segments};
use crate::value;

/// The most characters of a base path.
const BASE_PATH_MAX: usize = 500;
/// The most characters of a path that is compared with.
const PATH_MAX: usize = 1000;

/// A condition on the whole path.
#[derive(Debug)]
pub(crate) enum PathTest {
    Exact(Box<str>),
    /// Without a slash at the end.
    Prefix(Box<str>),
    Template(Template),
    Regex(Regex),
}

impl PathTest {
    pub(crate) fn compile(path: &PathMatch, base_path: &str, faults: &mut Faults) -> Option<Self> {
        const POINTER: &str = "/match/path/value";
        let value = &path.value;
        if value.chars().count() > PATH_MAX || value.chars().any(char::is_control) {
            let detail = format!("It has a control character or more than {PATH_MAX} characters.");
            faults.add(POINTER, "path_invalid", detail, "Shorten it.");
            return None;
        }
        if path.kind == PathKind::Regex {
            return value::regex(value, POINTER, faults).map(Self::Regex);
        }
        if !value.starts_with('/') || value.contains(['?', '#']) {
            faults.add(
                POINTER,
                "path_invalid",
                "It does not begin with `/`, or has a `?` or `#`.",
                "Write the whole path as `/shop/status`; query parameters have conditions of their own.",
            );
            return None;
        }
        let test = match path.kind {
            PathKind::Exact => Self::Exact(normal(value).into()),
            PathKind::Prefix => Self::Prefix(normal(value.trim_end_matches('/')).into()),
            PathKind::Template => Self::Template(Template::compile(value)?),
            PathKind::Regex => unreachable!("compiled above"),
        };
        if !test.may_be_below(base_path) {
            faults.add(
                POINTER,
                "path_outside",
                format!("No path that fits it is below the base path `{base_path}`."),
                "Write the whole path: with the base path at its beginning.",
            );
            return None;
        }
        Some(test)
    }

    /// Whether a path that fits can be at or below the base path.
    fn may_be_below(&self, base_path: &str) -> bool {
        let base_path = base_path.trim_end_matches('/');
        match self {
            Self::Exact(path) | Self::Prefix(path) => is_below(path, base_path),
            Self::Template(template) => {
                base_path.is_empty() || {
                    let bases: Vec<&str> = segments(base_path).collect();
                    template.segments.len() >= bases.len()
                        && bases
                            .iter()
                            .zip(&template.segments)
                            .all(|(base, pieces)| fits(pieces, base))
                }
            }
            Self::Regex(_) => true,
        }
    }

    pub(crate) fn holds(&self, path: &str) -> bool {
        match self {
            Self::Exact(wanted) => **wanted == *normal(path),
            Self::Prefix(wanted) => is_below(&normal(path), wanted),
            Self::Template(template) => template.fits(path),
            Self::Regex(regex) => regex.is_match(normal(path).as_bytes()),
        }
    }
}

/// A whole path with parameters.
#[derive(Debug)]
pub(crate) struct Template {
    segments: Vec<Box<[Piece]>>,
}

impl Template {
    pub(crate) fn compile(text: &str) -> Option<Self> {
        let segments = segments(text).map(|segment| pieces(segment).into());
        Some(Self {
            segments: segments.collect(),
        })
    }

    fn fits(&self, path: &str) -> bool {
        let mut rest = segments(path);
        self.segments
            .iter()
            .all(|pieces| rest.next().is_some_and(|segment| fits(pieces, &decode(segment))))
            && rest.next().is_none()
    }
}

/// Whether everybody reads the path the same way: without `.` and `..` segments, however they are written.
///
/// Behind a gateway that does not remove them, `/shop/../admin` is somebody else's path.
pub fn check_path(path: &str) -> Result<(), &'static str> {
    if !path.starts_with('/') {
        return Err("The target is not a path.");
    }
    let mut before = 0;
    let is_plain = path.bytes().all(|byte| {
        let is_dot_segment = byte == b'.' && before == b'/';
        before = byte;
        !is_dot_segment && byte != b'%' && byte != b'\\'
    });
    if is_plain {
        return Ok(());
    }
    let mut segment = Vec::new();
    let mut bytes = path.bytes();
    loop {
        let byte = bytes.next();
        let byte = match byte {
            Some(b'%') => match decoded(&mut bytes.clone()) {
                Some(decoded) => {
                    bytes.nth(1);
                    Some(decoded)
                }
                None => {
                    return Err("A percent sign in the path is not followed by two hexadecimal digits.");
                }
            },
            other => other,
        };
        match byte {
            None | Some(b'/' | b'\\') => {
                if segment == b"." || segment == b".." {
                    return Err("The path has a `.` or `..` segment.");
                }
                segment.clear();
            }
            Some(0) => return Err("The path has a NUL."),
            Some(byte) => segment.push(byte),
        }
        if byte.is_none() {
            return Ok(());
        }
    }
}

fn decoded(bytes: &mut std::str::Bytes<'_>) -> Option<u8> {
    let high = char::from(bytes.next()?).to_digit(16)?;
    let low = char::from(bytes.next()?).to_digit(16)?;
    u8::try_from(high << 4 | low).ok()
}

/// Whether a path is a base path or below it.
pub fn is_below(path: &str, base: &str) -> bool {
    path.strip_prefix(base)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A path in the one way in which it is compared: percent-decoded, but for `%2F` (no segment is split by it) and
/// `%25` (nothing is decoded twice). What would not be UTF-8 stays encoded.
pub fn normal(path: &str) -> Cow<'_, str> {
    decode_but(path, b"/%")
}

/// A base path without a slash at the end, `/` for none; or what is wrong with it.
///
/// The characters are those of a path segment that no client, proxy or upstream writes differently: unreserved
/// characters and sub-delimiters (RFC 3986 §3.3), nothing percent-encoded.
pub fn normal_base_path(text: &str, is_any_host: bool) -> Result<String, String> {
    if !text.starts_with('/') {
        return Err("It does not begin with `/`.".to_owned());
    }
    if text.len() > BASE_PATH_MAX {
        return Err(format!("It has more than {BASE_PATH_MAX} characters."));
    }
    let normal = text.trim_end_matches('/');
    if normal.is_empty() {
        return Ok("/".to_owned());
    }
    let segments: Vec<_> = normal.split('/').skip(1).collect();
    for segment in &segments {
        match *segment {
            "" => return Err("Two slashes follow each other.".to_owned()),
            "." | ".." => return Err("It has a segment `.` or `..`, which clients remove.".to_owned()),
            _ => {}
        }
        if segment.contains(['{', '}', '*']) {
            return Err("It has a template; only the contract's paths have parameters.".to_owned());
        }
        let allowed =
            |character: char| character.is_ascii_alphanumeric() || "-._~!$&'()+,;=:@".contains(character);
        if let Some(other) = segment.chars().find(|character| !allowed(*character)) {
            return Err(format!(
                "The character `{}` cannot stand in it.",
                other.escape_debug()
            ));
        }
    }
    if is_any_host && RESERVED.contains(&segments[0]) {
        return Err(format!(
            "`/{}` is answered by the gateway itself; a route with a host may have it.",
            segments[0]
        ));
    }
    Ok(normal.to_owned())
}

/// A host in lower case, or a wildcard for all names below one; or what is wrong with it.
pub fn normal_host(text: &str) -> Result<String, String> {
    let host = text.to_ascii_lowercase();
    let name = host.strip_prefix("*.").unwrap_or(&host);
    if name.is_empty() || host.len() > 253 {
        return Err("It does not have 1 to 253 characters.".to_owned());
    }
    if name.contains('*') {
        return Err("`*` stands at its beginning only, as `*.example.com`.".to_owned());
    }
    for label in name.split('.') {
        let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let is_label = (1..=63).contains(&label.len())
            && label.bytes().all(known)
            && !label.starts_with('-')
            && !label.ends_with('-');
        if !is_label {
            return Err(format!("`{}` is not a DNS label.", label.escape_debug()));
        }
    }
    Ok(host)
}

/// Whether some name is one of a certificate's host and one of a route's, both as [`normal_host`] writes them.
///
/// `*.` stands for one label in a certificate (RFC 9525 section 6.3), and for one or more in a route.
pub fn certificate_serves(certificate: &str, route: &str) -> bool {
    if certificate == route {
        return true;
    }
    match (route.strip_prefix('*'), certificate.strip_prefix("*.")) {
        // A wildcard of a certificate is no name, but ends as all of its names do.
        (Some(end), _) => certificate.ends_with(end),
        (None, Some(parent)) => route.split_once('.').is_some_and(|(_, rest)| rest == parent),
        (None, None) => false,
    }
}

#[cfg(test)]
mod tests;
