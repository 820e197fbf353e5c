//! Where a request goes, read so that everybody behind reads it the same way.

use std::borrow::Cow;

use http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Uri, Version};

use crate::framing::{bytes, is_visible};
use crate::refusal::Cause;

/// The host a request names.
#[derive(Debug)]
pub(crate) struct Host<'a> {
    /// In lower case, without port; empty if the client named none.
    pub(crate) name: Cow<'a, str>,
    /// As the client wrote it.
    pub(crate) header: HeaderValue,
}

/// Finds the host: that of an absolute target or of HTTP/2's `:authority`, or of the field.
///
/// Where both are there they have to be the same: a cache or a log in front may have looked at the other one.
pub(crate) fn host<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Result<Host<'a>, Cause> {
    let mut fields = headers.get_all(HOST).iter();
    let (field, more) = (fields.next(), fields.next());
    if more.is_some() {
        return Err(Cause::Target("The request has several `Host` fields."));
    }
    let authority = uri.authority().map(Authority::as_str);
    let field_text = match field {
        Some(field) => Some(
            field
                .to_str()
                .map_err(|_| Cause::Target("`Host` is not a host."))?,
        ),
        None => None,
    };
    if let (Some(authority), Some(field)) = (authority, field_text)
        && !authority.eq_ignore_ascii_case(field)
    {
        return Err(Cause::Target("The target and `Host` name different hosts."));
    }
    let text = authority.or(field_text).unwrap_or_default();
    if !text.bytes().all(|byte| HOST_BYTES[byte as usize]) {
        return Err(Cause::Target("`Host` is not a host."));
    }
    let header = match field {
        Some(field) => field.clone(),
        None => HeaderValue::from_str(text).map_err(|_| Cause::Target("`Host` is not a host."))?,
    };
    Ok(Host {
        name: without_port(text),
        header,
    })
}

/// What may stand in a host with its port: RFC 3986 section 3.2.
const HOST_BYTES: [bool; 256] =
    bytes(b"-._~%!$&'()*+,;=:[]0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");

/// The port that a request for a tunnel names: RFC 9110 section 9.3.6.
pub(crate) fn tunnel_port(uri: &Uri, headers: &HeaderMap) -> Result<u16, Cause> {
    if uri.path_and_query().is_some() {
        return Err(Cause::Target("A tunnel is asked for with a host and a port."));
    }
    if headers.contains_key(CONTENT_LENGTH) || headers.contains_key(TRANSFER_ENCODING) {
        // What is no body to one reader is a request to another.
        return Err(Cause::Target("A request for a tunnel has no body."));
    }
    let port = uri.authority().and_then(Authority::port_u16);
    port.filter(|port| *port > 0)
        .ok_or(Cause::Target("A tunnel is asked for with a host and a port."))
}

/// Whether a target has only what HTTP/1 can say; the libraries that read others let UTF-8 pass.
pub(crate) fn check_target(whole: &str, version: Version) -> Result<(), Cause> {
    if version <= Version::HTTP_11 || is_visible(whole.as_bytes()) {
        Ok(())
    } else {
        Err(Cause::Target(
            "The target has characters that have to be written as `%XX`.",
        ))
    }
}

/// Whether everybody reads the path the same way ([`routing::check_path`]).
pub(crate) fn check_path(path: &str) -> Result<(), Cause> {
    routing::check_path(path).map_err(Cause::Target)
}

fn without_port(host: &str) -> Cow<'_, str> {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !name.ends_with(':') => name,
        _ => host,
    };
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(name.to_ascii_lowercase())
    } else {
        Cow::Borrowed(name)
    }
}

#[cfg(test)]
mod tests;
