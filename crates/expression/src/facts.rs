//! What an expression sees of a request.

use std::collections::HashMap;

use cel::Value;
use http::header::{CONTENT_LENGTH, COOKIE};
use http::{HeaderMap, Method};

use crate::ENTRIES_MAX;

/// What an expression sees of a request.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The method.
    pub method: &'a Method,
    /// The host without port, in lower case; empty if none is named.
    pub host: &'a str,
    /// The path.
    pub path: &'a str,
    /// The query, with its question mark or without.
    pub query: &'a str,
    /// The head.
    pub headers: &'a HeaderMap,
}

impl Facts<'_> {
    /// The value of one of [`VARIABLES`](crate::VARIABLES); `None` if the request has too many of it.
    pub(crate) fn value(&self, name: &str) -> Option<Value> {
        Some(match name {
            "method" => self.method.as_str().into(),
            "host" => self.host.into(),
            "path" => self.path.into(),
            "query" => query(self.query.strip_prefix('?').unwrap_or(self.query))?.into(),
            "headers" => headers(self.headers).into(),
            "cookies" => cookies(self.headers)?.into(),
            _ => Value::Int(body_bytes(self.headers)),
        })
    }
}

/// The first value of each parameter, percent-decoded.
fn query(text: &str) -> Option<HashMap<String, Value>> {
    let mut map = HashMap::new();
    for (name, value) in form_urlencoded::parse(text.as_bytes()) {
        map.entry(name.into_owned())
            .or_insert_with(|| value.into_owned().into());
        if map.len() > ENTRIES_MAX {
            return None;
        }
    }
    Some(map)
}

/// The values of each field, joined as RFC 9110 section 5.3 says.
fn headers(fields: &HeaderMap) -> HashMap<String, Value> {
    let joined = |name| {
        let values = fields.get_all(name).iter();
        let texts: Vec<_> = values
            .map(|value| String::from_utf8_lossy(value.as_bytes()))
            .collect();
        texts.join(", ")
    };
    fields
        .keys()
        .map(|name| (name.as_str().to_owned(), joined(name).into()))
        .collect()
}

/// The first value of each cookie.
fn cookies(fields: &HeaderMap) -> Option<HashMap<String, Value>> {
    let mut map = HashMap::new();
    for field in fields.get_all(COOKIE) {
        for pair in String::from_utf8_lossy(field.as_bytes()).split(';') {
            if let Some((name, value)) = pair.trim().split_once('=') {
                map.entry(name.to_owned())
                    .or_insert_with(|| value.to_owned().into());
            }
            if map.len() > ENTRIES_MAX {
                return None;
            }
        }
    }
    Some(map)
}

/// What `Content-Length` says; 0 if it says nothing.
fn body_bytes(fields: &HeaderMap) -> i64 {
    let length = fields.get(CONTENT_LENGTH);
    length
        .and_then(|length| length.to_str().ok()?.parse().ok())
        .unwrap_or(0)
}
