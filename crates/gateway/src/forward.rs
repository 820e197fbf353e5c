//! What changes in a message's head on its way through: RFC 9110 section 7.6.

use domain::id::RequestId;
use http::header::{
    CONNECTION, EXPECT, FORWARDED, HOST, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRANSFER_ENCODING,
    UPGRADE, VIA,
};
use http::{HeaderMap, HeaderName, HeaderValue, Version};
use policy::Consumer;

use crate::conn::Conn;
use crate::core::Ids;

pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
pub(crate) const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const APPLICATION: HeaderName = HeaderName::from_static("x-gateline-application");
const PLAN: HeaderName = HeaderName::from_static("x-gateline-plan");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
const TRAILERS: HeaderValue = HeaderValue::from_static("trailers");

/// The longest request id that is taken from a client.
const REQUEST_ID_BYTES_MAX: usize = 128;
/// The most names in `Connection` that are heeded; a head with more is no honest one.
const CONNECTION_NAMES_MAX: usize = 16;

/// The client's request id if it is a short word, otherwise ours.
pub(crate) fn request_id(headers: &HeaderMap, ours: RequestId) -> HeaderValue {
    let is_good = |value: &&HeaderValue| {
        let word = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:/+=@".contains(byte);
        (1..=REQUEST_ID_BYTES_MAX).contains(&value.len()) && value.as_bytes().iter().all(word)
    };
    headers
        .get(REQUEST_ID)
        .filter(is_good)
        .cloned()
        .unwrap_or_else(|| HeaderValue::from_str(&ours.to_string()).expect("an id is visible ASCII"))
}

/// Removes what concerns one connection only, and what `Connection` names.
///
/// `Trailer` stays: trailers are passed on.
pub(crate) fn remove_hop_by_hop(headers: &mut HeaderMap) {
    if let Some(value) = headers.remove(CONNECTION) {
        let names = value.to_str().unwrap_or_default().split(',').map(str::trim);
        for name in names.take(CONNECTION_NAMES_MAX) {
            // Whoever names these wants to hide from the upstream what others rely on.
            let is_end_to_end = [
                "host",
                "content-length",
                "x-request-id",
                "x-gateline-application",
                "x-gateline-plan",
            ]
            .iter()
            .any(|known| known.eq_ignore_ascii_case(name));
            if !name.is_empty() && !is_end_to_end {
                headers.remove(name);
            }
        }
    }
    for name in [
        KEEP_ALIVE,
        PROXY_CONNECTION,
        PROXY_AUTHENTICATE,
        PROXY_AUTHORIZATION,
        TRANSFER_ENCODING,
        UPGRADE,
    ] {
        headers.remove(name);
    }
}

/// Removes what only the gateway may say.
pub(crate) fn remove_spoofed(headers: &mut HeaderMap) {
    headers.remove(APPLICATION);
    headers.remove(PLAN);
}

/// Makes a client's head the one that the upstream gets, but for `Host` and what policies changed.
pub(crate) fn request_head(headers: &mut HeaderMap, version: Version, conn: &Conn, host: &HeaderValue) {
    let wants_trailers = headers.get(TE).is_some_and(|te| {
        te.to_str()
            .unwrap_or_default()
            .split(',')
            .any(|coding| coding.trim().eq_ignore_ascii_case("trailers"))
    });
    remove_hop_by_hop(headers);
    headers.remove(TE);
    if wants_trailers {
        headers.insert(TE, TRAILERS);
    }
    // hyper asks the client to go on as soon as the upstream takes the body.
    headers.remove(EXPECT);
    headers.remove(API_KEY);
    append(headers, FORWARDED_FOR, conn.address_header.clone());
    append(headers, FORWARDED, conn.forwarded(host));
    headers.insert(FORWARDED_HOST, host.clone());
    headers.insert(FORWARDED_PROTO, HeaderValue::from_static(conn.scheme()));
    append(headers, VIA, via(version));
}

/// Says who calls.
pub(crate) fn vouch(headers: &mut HeaderMap, consumer: Option<&Consumer<'_>>) {
    if let Some(consumer) = consumer {
        headers.insert(APPLICATION, consumer.application.header.clone());
        headers.insert(PLAN, consumer.subscription.header.clone());
    }
}

/// Leaves a valid trace context alone, since we add no span of our own; begins one otherwise.
///
/// Source: W3C Trace Context, level 1.
pub(crate) fn trace(headers: &mut HeaderMap, ids: &Ids) {
    if headers.get(TRACEPARENT).is_some_and(is_traceparent) {
        return;
    }
    headers.remove(TRACESTATE);
    let (trace, more, span) = (ids.random(), ids.random(), ids.random() | 1);
    let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
    for (place, number) in [(3, trace), (19, more), (36, span)] {
        for (index, digit) in text[place..place + 16].iter_mut().enumerate() {
            *digit = b"0123456789abcdef"[(number >> (60 - 4 * index) & 15) as usize];
        }
    }
    headers.insert(
        TRACEPARENT,
        HeaderValue::from_bytes(&text).expect("hexadecimal digits"),
    );
}

fn is_traceparent(value: &HeaderValue) -> bool {
    let text = value.as_bytes();
    let hex = |part: &[u8]| {
        part.iter()
            .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte))
    };
    let zero = |part: &[u8]| part.iter().all(|byte| *byte == b'0');
    text.len() == 55
        && [2, 35, 52].iter().all(|place| text[*place] == b'-')
        && &text[..2] == b"00"
        && [&text[3..35], &text[36..52], &text[53..]].into_iter().all(hex)
        && ![&text[3..35], &text[36..52]].into_iter().any(zero)
}

/// Makes an upstream's head the one that the client gets.
pub(crate) fn answer_head(headers: &mut HeaderMap, version: Version) {
    remove_hop_by_hop(headers);
    append(headers, VIA, via(version));
}

/// Removes `Host` or sets it to what the upstream is called.
pub(crate) fn set_host(headers: &mut HeaderMap, host: Option<HeaderValue>) {
    match host {
        Some(host) => headers.insert(HOST, host),
        None => headers.remove(HOST),
    };
}

const fn via(version: Version) -> HeaderValue {
    match version {
        Version::HTTP_2 => HeaderValue::from_static("2 gateline"),
        Version::HTTP_10 => HeaderValue::from_static("1.0 gateline"),
        _ => HeaderValue::from_static("1.1 gateline"),
    }
}

/// Adds an element at the end of a list field.
fn append(headers: &mut HeaderMap, name: HeaderName, value: HeaderValue) {
    if !headers.contains_key(&name) {
        headers.insert(name, value);
        return;
    }
    let mut joined = Vec::new();
    for part in headers.get_all(&name).iter().chain([&value]) {
        if !joined.is_empty() {
            joined.extend_from_slice(b", ");
        }
        joined.extend_from_slice(part.as_bytes());
    }
    headers.insert(
        name,
        HeaderValue::from_bytes(&joined).expect("made of valid values"),
    );
}

#[cfg(test)]
mod tests;
