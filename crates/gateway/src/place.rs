//! Where a request goes, read so that everybody behind reads it the same way.

use std::borrow::Cow;

use http::header::HOST;
use http::{HeaderMap, HeaderValue, Method, Uri};

use crate::framing::bytes;
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
pub(crate) fn host<'a>(method: &Method, uri: &'a Uri, headers: &'a HeaderMap) -> Result<Host<'a>, Cause> {
    if *method == Method::CONNECT {
        return Err(Cause::Connect);
    }
    let mut fields = headers.get_all(HOST).iter();
    let (field, more) = (fields.next(), fields.next());
    if more.is_some() {
        return Err(Cause::Target("The request has several `Host` fields."));
    }
    let authority = uri.authority().map(http::uri::Authority::as_str);
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
