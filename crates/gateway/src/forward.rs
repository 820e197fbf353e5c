//! What changes in a message's head on its way through: RFC 9110 section 7.6.

use domain::id::{self, ApplicationId, RequestId};
use http::header::{AUTHORIZATION, CONNECTION, COOKIE, Entry, FORWARDED, TE, VIA};
use http::{HeaderMap, HeaderName, HeaderValue, Version};
use policy::Consumer;

use crate::conn::Conn;
use crate::core::Core;
use crate::named::Named;
use crate::proxies::Says;
use crate::spare::Spare;
use crate::traces::context::{Parent, TRACEPARENT, TRACESTATE};

pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
pub(crate) const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
pub(crate) const APPLICATION: HeaderName = HeaderName::from_static("x-gateline-application");
const PLAN: HeaderName = HeaderName::from_static("x-gateline-plan");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const CLIENT_CERT: HeaderName = HeaderName::from_static("client-cert");
/// Marks copies of calls; a structured field (RFC 9651), true.
const MIRROR: HeaderName = HeaderName::from_static("gateline-mirror");
/// Carries a debug token; it is for us, so nobody behind sees it.
pub(crate) const DEBUG: HeaderName = HeaderName::from_static("gateline-debug");
const TRAILERS: HeaderValue = HeaderValue::from_static("trailers");

/// Fields that the gateway adds to a request.
const FIELDS_ADDED: usize = 11;
/// The longest request id that is taken from a client.
const REQUEST_ID_BYTES_MAX: usize = 128;
/// The most names in `Connection` that are heeded; a head with more is no honest one.
const CONNECTION_NAMES_MAX: usize = 16;

/// The client's request id if it is a short word, otherwise ours.
pub(crate) fn request_id(headers: &HeaderMap, ours: RequestId, spare: &Spare) -> HeaderValue {
    let is_good = |value: &&HeaderValue| {
        let word = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:/+=@".contains(byte);
        (1..=REQUEST_ID_BYTES_MAX).contains(&value.len()) && value.as_bytes().iter().all(word)
    };
    headers
        .get(REQUEST_ID)
        .filter(is_good)
        .cloned()
        .unwrap_or_else(|| written(ours, spare))
}

/// A request id as a header's value, written once.
fn written(id: RequestId, spare: &Spare) -> HeaderValue {
    let mut text = *b"req_00000000000000000000000000";
    text[4..].copy_from_slice(&id::encode_bytes(id.uuid().as_u128()));
    spare.text(&text)
}

/// Removes what concerns one connection only, and what `Connection` names.
///
/// `Trailer` stays: trailers are passed on.
pub(crate) fn remove_hop_by_hop(headers: &mut HeaderMap) {
    remove(headers, is_hop_by_hop);
}

/// Whether HTTP/2 and HTTP/3 have no such field: it is about a connection of HTTP/1.1 (RFC 9113 section 8.2.2).
pub(crate) fn is_of_connection(name: &str) -> bool {
    matches!(
        name,
        "connection" | "keep-alive" | "proxy-connection" | "transfer-encoding" | "upgrade"
    )
}

/// Removes what would make an answer malformed there, and what `Connection` names.
pub(crate) fn remove_of_connection(headers: &mut HeaderMap) {
    remove(headers, |name| name == "te" || is_of_connection(name));
}

/// Takes from a client's head what concerns its connection, and what only the gateway may say.
pub(crate) fn clean_request(headers: &mut HeaderMap) {
    let wants_trailers = headers.get(TE).is_some_and(|te| {
        let mut codings = te.to_str().unwrap_or_default().split(',');
        codings.any(|coding| coding.trim().eq_ignore_ascii_case("trailers"))
    });
    // The client is asked to go on (`Expect`) as soon as the upstream takes the body.
    let is_ours = |name: &str| {
        matches!(
            name,
            "te" | "expect"
                | "x-gateline-application"
                | "x-gateline-plan"
                | "client-cert"
                | "client-cert-chain"
                | "gateline-degraded"
                | "gateline-mirror"
                | "gateline-debug"
        )
    };
    remove(headers, |name| is_hop_by_hop(name) || is_ours(name));
    if wants_trailers {
        headers.insert(TE, TRAILERS);
    }
}

/// Takes out of a head by what its caller proves who it is.
pub(crate) fn remove_credentials(headers: &mut HeaderMap) {
    headers.remove(AUTHORIZATION);
    headers.remove(COOKIE);
}

/// Says that a call is a copy, and whose.
pub(crate) fn mark_copy(headers: &mut HeaderMap, consumer: Option<Consumer<'_>>) {
    headers.insert(MIRROR, HeaderValue::from_static("?1"));
    if let Some(consumer) = consumer {
        headers.insert(APPLICATION, application_value(consumer.application.id));
        headers.insert(PLAN, consumer.subscription.header().clone());
    }
}

/// What becomes of a field of the client where we say something ourselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    AsItIs,
    /// Our element follows its elements.
    Before,
    Not,
}

/// What the gateway says to an upstream of a call, besides what the client said.
#[derive(Debug, Clone)]
pub(crate) struct Added<'a> {
    address: &'a HeaderValue,
    named: &'a Named,
    proto: &'static str,
    version: Version,
    request_id: &'a HeaderValue,
    consumer: Option<Consumer<'a>>,
    /// Whether a trusted proxy said for which address, host and scheme it speaks.
    said: Said,
    client_certificate: Option<&'a HeaderValue>,
    /// Ours, if the client has none that is valid, or if the call is traced.
    trace: Option<HeaderValue>,
    /// Whether what the client says besides of its trace goes on.
    keeps_state: bool,
}

/// What a trusted proxy said of the client; nothing of it if the other end is not trusted.
#[derive(Debug, Clone, Copy, Default)]
struct Said {
    address: Option<Says>,
    host: bool,
    proto: bool,
}

impl Said {
    fn of(conn: &Conn, headers: &HeaderMap) -> Self {
        if !conn.is_trusted {
            return Self::default();
        }
        Self {
            address: Some(conn.core().settings.trusted_header),
            host: headers.contains_key(FORWARDED_HOST),
            proto: headers.contains_key(FORWARDED_PROTO),
        }
    }
}

impl<'a> Added<'a> {
    pub(crate) fn new(
        conn: &'a Conn,
        (headers, version): (&HeaderMap, Version),
        named: &'a Named,
        request_id: &'a HeaderValue,
        consumer: Option<Consumer<'a>>,
    ) -> Self {
        Self {
            address: &conn.address_header,
            named,
            proto: conn.scheme(),
            version,
            request_id,
            consumer,
            said: Said::of(conn, headers),
            client_certificate: conn.client_certificate().and_then(|shown| shown.header.as_ref()),
            trace: trace(headers, conn.core()),
            keeps_state: false,
        }
    }

    /// What is said of a call over a connection that nobody speaks for.
    #[cfg(fuzzing)]
    pub(crate) fn plain(
        (address, named): (&'a HeaderValue, &'a Named),
        version: Version,
        request_id: &'a HeaderValue,
    ) -> Self {
        Self {
            address,
            named,
            proto: "http",
            version,
            request_id,
            consumer: None,
            said: Said::default(),
            client_certificate: None,
            trace: None,
            keeps_state: false,
        }
    }

    /// The same without the client's certificate.
    pub(crate) const fn without_certificate(mut self) -> Self {
        self.client_certificate = None;
        self
    }

    /// Says that the upstream's spans belong into one of ours; the trace may be the client's or a new one.
    pub(crate) fn trace_as(&mut self, parent: HeaderValue) {
        // There is one of ours already if the client's was none; then its state belongs to no trace.
        self.keeps_state |= self.trace.is_none();
        self.trace = Some(parent);
    }

    /// The application whose key the call carries.
    pub(crate) fn application(&self) -> Option<ApplicationId> {
        self.consumer.as_ref().map(|consumer| consumer.application.id)
    }

    /// What is said of the connection, written ahead; none if the client's own words matter.
    pub(crate) fn lines(&self) -> Option<&[u8]> {
        let Said { address, host, proto } = self.said;
        let is_plain = address.is_none() && !host && !proto && self.version == Version::HTTP_11;
        is_plain.then_some(&*self.named.lines)
    }

    /// Names each field about the connection with our value, and whether that is an element of a list.
    pub(crate) fn each_of_connection(&self, mut take: impl FnMut(&HeaderName, &HeaderValue, bool)) {
        let (said, named) = (&self.said, self.named);
        take(
            &FORWARDED_FOR,
            self.address,
            said.address == Some(Says::XForwardedFor),
        );
        take(
            &FORWARDED,
            &named.forwarded,
            said.address == Some(Says::Forwarded),
        );
        if !said.host {
            take(&FORWARDED_HOST, &named.header, false);
        }
        if !said.proto {
            take(&FORWARDED_PROTO, &HeaderValue::from_static(self.proto), false);
        }
        take(&VIA, &via(self.version), true);
    }

    /// Names each field about the call with our value, but for the application, whose text nobody has ready: there are many.
    pub(crate) fn each_of_call(&self, mut take: impl FnMut(&HeaderName, &HeaderValue)) {
        if let Some(consumer) = &self.consumer {
            take(&PLAN, consumer.subscription.header());
        }
        if let Some(certificate) = self.client_certificate {
            take(&CLIENT_CERT, certificate);
        }
        if let Some(trace) = &self.trace {
            take(&TRACEPARENT, trace);
        }
        take(&REQUEST_ID, self.request_id);
    }

    /// What becomes of a field that the client sent.
    pub(crate) fn kept(&self, name: &str) -> Kept {
        match name {
            "via" => Kept::Before,
            "x-forwarded-for" if self.said.address == Some(Says::XForwardedFor) => Kept::Before,
            "forwarded" if self.said.address == Some(Says::Forwarded) => Kept::Before,
            "x-forwarded-host" if self.said.host => Kept::AsItIs,
            "x-forwarded-proto" if self.said.proto => Kept::AsItIs,
            "x-forwarded-for" | "forwarded" | "x-forwarded-host" | "x-forwarded-proto" | "x-request-id"
            | "x-api-key" => Kept::Not,
            "traceparent" if self.trace.is_some() => Kept::Not,
            "tracestate" if self.trace.is_some() && !self.keeps_state => Kept::Not,
            _ => Kept::AsItIs,
        }
    }

    /// Makes a client's head the one that the upstream gets, but for its host.
    pub(crate) fn apply(&self, headers: &mut HeaderMap) {
        headers.remove(API_KEY);
        if self.trace.is_some() && !self.keeps_state {
            headers.remove(TRACESTATE);
        }
        headers.reserve(FIELDS_ADDED);
        self.each_of_connection(|name, value, is_list| {
            if is_list {
                append(headers, name.clone(), value.clone());
            } else {
                headers.insert(name, value.clone());
            }
        });
        if let Some(id) = self.application() {
            headers.insert(APPLICATION, application_value(id));
        }
        self.each_of_call(|name, value| {
            headers.insert(name, value.clone());
        });
    }
}

fn application_value(id: ApplicationId) -> HeaderValue {
    HeaderValue::from_bytes(&id.encoded()).expect("an id is visible ASCII")
}

fn is_hop_by_hop(name: &str) -> bool {
    is_of_connection(name) || matches!(name, "proxy-authenticate" | "proxy-authorization")
}

/// Removes some fields and what `Connection` names; looks at each name once, since most heads have none.
fn remove(headers: &mut HeaderMap, is_removed: impl Fn(&str) -> bool) {
    let Some(mut name) = headers.keys().find(|name| is_removed(name.as_str())).cloned() else {
        return;
    };
    if let Entry::Occupied(connection) = headers.entry(CONNECTION) {
        let values: Vec<_> = connection.remove_entry_mult().1.collect();
        for value in &values {
            remove_named(headers, value);
        }
    }
    loop {
        headers.remove(name);
        match headers.keys().find(|name| is_removed(name.as_str())) {
            Some(next) => name = next.clone(),
            None => return,
        }
    }
}

fn remove_named(headers: &mut HeaderMap, connection: &HeaderValue) {
    let names = connection.to_str().unwrap_or_default().split(',').map(str::trim);
    for name in names.take(CONNECTION_NAMES_MAX) {
        // Whoever names these wants to hide from the upstream what others rely on.
        let is_end_to_end = ["host", "content-length", "x-request-id", "te"]
            .iter()
            .any(|known| known.eq_ignore_ascii_case(name));
        if !name.is_empty() && !is_end_to_end {
            headers.remove(name);
        }
    }
}

/// A new trace context, unless the client's is valid: then it is left alone as long as we add no span of our own.
fn trace(headers: &HeaderMap, core: &Core) -> Option<HeaderValue> {
    if headers.contains_key(TRACEPARENT) && Parent::read(headers).is_some() {
        return None;
    }
    let ids = &core.ids;
    let (trace, more, span) = (ids.random(), ids.random(), ids.random() | 1);
    let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
    for (place, number) in [(3, trace), (19, more), (36, span)] {
        for (digits, byte) in text[place..place + 16]
            .chunks_exact_mut(2)
            .zip(number.to_be_bytes())
        {
            digits.copy_from_slice(&HEX[usize::from(byte)]);
        }
    }
    Some(core.spare.text(&text))
}

/// Each byte in hexadecimal.
const HEX: [[u8; 2]; 256] = {
    let (mut table, mut byte) = ([[0; 2]; 256], 0);
    let digits = b"0123456789abcdef";
    while byte < 256 {
        table[byte] = [digits[byte >> 4], digits[byte & 15]];
        byte += 1;
    }
    table
};

/// Makes an upstream's head the one that the client gets.
pub(crate) fn answer_head(headers: &mut HeaderMap, version: Version) {
    remove_hop_by_hop(headers);
    append(headers, VIA, via(version));
}

const fn via(version: Version) -> HeaderValue {
    match version {
        Version::HTTP_2 => HeaderValue::from_static("2 gateline"),
        Version::HTTP_3 => HeaderValue::from_static("3 gateline"),
        Version::HTTP_10 => HeaderValue::from_static("1.0 gateline"),
        _ => HeaderValue::from_static("1.1 gateline"),
    }
}

/// Adds an element at the end of a list field.
fn append(headers: &mut HeaderMap, name: HeaderName, value: HeaderValue) {
    let mut known = match headers.entry(name) {
        Entry::Occupied(known) => known,
        Entry::Vacant(free) => {
            free.insert(value);
            return;
        }
    };
    let mut joined = Vec::new();
    for part in known.iter().chain([&value]) {
        if !joined.is_empty() {
            joined.extend_from_slice(b", ");
        }
        joined.extend_from_slice(part.as_bytes());
    }
    known.insert(HeaderValue::from_bytes(&joined).expect("made of valid values"));
}

#[cfg(test)]
mod tests;
