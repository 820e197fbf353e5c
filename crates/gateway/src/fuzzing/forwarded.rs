//! What becomes of requests on their way to an upstream with HTTP/1, read again by others.

use std::net::{IpAddr, Ipv4Addr};

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::uri::{Authority, PathAndQuery};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, Version};

use crate::forward::{self, Added};
use crate::framing::HeadLimits;
use crate::h1::foreign::{self, Read};
use crate::h1::line::Head;
use crate::named::Named;
use crate::{place, websocket};

/// More than what is added to a head within the limits.
const LIMITS: HeadLimits = HeadLimits {
    bytes_max: 1 << 20,
    fields_max: 1000,
};
const FIELDS_MAX: usize = 1100;

/// A request that was read.
struct Asked<'a> {
    method: Method,
    uri: Uri,
    version: Version,
    headers: HeaderMap,
    body: &'a [u8],
    is_sized: bool,
    is_websocket: bool,
}

/// Checks what becomes of every request that came to its end.
pub(super) fn check_all(read: &Read) {
    let whole = read.heads.len() - usize::from(!read.is_between && !read.heads.is_empty());
    for ((line, headers), body) in read.heads.iter().zip(&read.bodies).take(whole) {
        let (method, uri) = line.split_once(' ').expect("written so");
        check(Asked {
            method: method.parse().expect("was one"),
            uri: uri.parse().expect("was one"),
            version: Version::HTTP_11,
            headers: headers.clone(),
            body,
            is_sized: !headers.contains_key(TRANSFER_ENCODING),
            is_websocket: false,
        });
    }
}

/// Makes a request of HTTP/2 of lines: method, path, authority, fields, an empty line, the body.
pub fn downgrade(bytes: &[u8]) {
    let Some((flags, bytes)) = bytes.split_first() else {
        return;
    };
    let mut lines = bytes.splitn(4, |byte| *byte == b'\n');
    let (Some(method), Some(path), Some(authority), Some(rest)) =
        (lines.next(), lines.next(), lines.next(), lines.next())
    else {
        return;
    };
    let Ok(method) = Method::from_bytes(method) else {
        return;
    };
    let mut uri = http::uri::Parts::default();
    uri.path_and_query = PathAndQuery::try_from(path).ok();
    if !authority.is_empty() {
        uri.scheme = Some(http::uri::Scheme::HTTP);
        uri.authority = Authority::try_from(authority).ok();
    }
    let Ok(uri) = Uri::from_parts(uri) else {
        return;
    };
    let (mut headers, mut body) = (HeaderMap::new(), &b""[..]);
    let mut rest = rest;
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let (line, after) = (&rest[..end], &rest[end + 1..]);
        rest = after;
        if line.is_empty() {
            body = rest;
            break;
        }
        // Values may hold CR, names a colon at their beginning, as far as the library lets them.
        let colon = line
            .iter()
            .skip(1)
            .position(|byte| *byte == b':')
            .map(|place| place + 1);
        let (name, value) = line.split_at(colon.unwrap_or(line.len()));
        if let Ok(name) = HeaderName::from_bytes(name)
            && let Ok(value) = HeaderValue::from_bytes(value.get(1..).unwrap_or_default())
        {
            headers.append(name, value);
        }
    }
    // What the library behind refuses or says by itself.
    headers.remove(CONTENT_LENGTH);
    check(Asked {
        is_websocket: flags & 1 == 1
            && method == Method::GET
            && websocket::is_asked(&headers)
            && body.is_empty(),
        is_sized: flags & 2 == 2,
        method,
        uri,
        version: Version::HTTP_2,
        headers,
        body,
    });
}

/// Panics if what is forwarded does not mean this one request to everybody.
fn check(mut asked: Asked<'_>) {
    let address: IpAddr = Ipv4Addr::LOCALHOST.into();
    let written = HeaderValue::from_static("127.0.0.1");
    // What asks for a tunnel is not forwarded.
    if asked.method == Method::CONNECT {
        return;
    }
    let said = (&asked.uri, &asked.headers);
    let Ok(named) = Named::read(said, (address, &written), "http") else {
        return;
    };
    let whole = asked.uri.path_and_query().map_or("", PathAndQuery::as_str);
    let (path, query) = whole.split_at(whole.find('?').unwrap_or(whole.len()));
    // Routes are below a slash.
    if !path.starts_with('/')
        || place::check_target(whole, asked.version).is_err()
        || place::check_path(path).is_err()
    {
        return;
    }
    forward::clean_request(&mut asked.headers);
    let id = HeaderValue::from_static("req_1");
    let added = Added::plain((&written, &named), asked.version, &id);
    for base in ["", "/base"] {
        let head = Head {
            method: &asked.method,
            target: [base, path, query],
            host: &named.header,
            is_websocket: asked.is_websocket,
            headers: &asked.headers,
            added: &added,
        };
        let bytes = foreign::written(&head, asked.body, asked.is_sized);
        judge(&bytes, &asked, &format!("{base}{path}{query}"));
    }
}

fn judge(bytes: &[u8], asked: &Asked<'_>, target: &str) {
    let shown = || bytes.escape_ascii().to_string();
    let mut fields = vec![httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut request = httparse::Request::new(&mut fields);
    let parsed = request.parse(bytes);
    let Ok(httparse::Status::Complete(length)) = parsed else {
        panic!("httparse: {parsed:?} {}", shown());
    };
    assert_eq!(request.method, Some(asked.method.as_str()), "{}", shown());
    assert_eq!(request.path, Some(target), "{}", shown());
    assert_eq!(request.version, Some(1), "{}", shown());
    let values = |name: &str| -> Vec<&[u8]> {
        let named = request
            .headers
            .iter()
            .filter(|field| field.name.eq_ignore_ascii_case(name));
        named.map(|field| field.value).collect()
    };
    for (name, most) in [
        ("host", 1),
        ("content-length", 1),
        ("transfer-encoding", 1),
        ("x-request-id", 1),
        ("x-forwarded-for", 1),
        ("forwarded", 1),
        ("x-forwarded-host", 1),
        ("x-forwarded-proto", 1),
        ("x-api-key", 0),
        ("x-gateline-application", 0),
        ("x-gateline-plan", 0),
        ("client-cert", 0),
        ("gateline-degraded", 0),
        ("keep-alive", 0),
        ("proxy-connection", 0),
        ("expect", 0),
        ("upgrade", usize::from(asked.is_websocket)),
        ("te", 1),
        ("connection", 1),
    ] {
        assert!(values(name).len() <= most, "{name} {}", shown());
    }
    assert_eq!(values("host").len(), 1, "{}", shown());
    assert_eq!(values("x-forwarded-for"), [b"127.0.0.1"], "{}", shown());
    assert!(values("te").iter().all(|te| *te == b"trailers"), "{}", shown());
    let rest = &bytes[length..];
    let body = match (&values("content-length")[..], &values("transfer-encoding")[..]) {
        ([], []) => rest.to_vec(),
        ([length], []) => {
            let length: usize = std::str::from_utf8(length)
                .expect("digits")
                .parse()
                .expect("a number");
            assert_eq!(rest.len(), length, "{}", shown());
            rest.to_vec()
        }
        ([], [b"chunked"]) => {
            let (body, after) = naive_chunks(rest).unwrap_or_else(|| panic!("chunks: {}", shown()));
            assert!(after.is_empty(), "{}", shown());
            body
        }
        _ => panic!("both or other codings: {}", shown()),
    };
    assert_eq!(body, asked.body, "{}", shown());
    let again = foreign::requests(LIMITS, [bytes].into_iter());
    assert_eq!(again.violation, None, "{}", shown());
    assert_eq!((again.heads.len(), again.is_between), (1, true), "{}", shown());
    assert_eq!(again.bodies, [body], "{}", shown());
}

/// Reads chunks as plainly as can be (RFC 9112 section 7.1): the body, and what follows; none if there is no end.
pub(super) fn naive_chunks(bytes: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut body = Vec::new();
    let mut rest = bytes;
    loop {
        let (line, after) = line_of(rest)?;
        let size = line.split(|byte| *byte == b';').next()?;
        let size = std::str::from_utf8(size)
            .ok()
            .filter(|size| !size.starts_with('+'))?;
        let size = usize::from_str_radix(size, 16).ok()?;
        rest = after;
        if size == 0 {
            loop {
                let (line, after) = line_of(rest)?;
                rest = after;
                if line.is_empty() {
                    return Some((body, rest));
                }
            }
        }
        body.extend_from_slice(rest.get(..size)?);
        rest = rest.get(size..)?.strip_prefix(b"\r\n")?;
    }
}

fn line_of(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.windows(2).position(|two| two == b"\r\n")?;
    Some((&bytes[..end], &bytes[end + 2..]))
}
