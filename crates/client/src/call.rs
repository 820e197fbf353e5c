//! One call before it is sent.

use std::fmt::{Display, Write};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use serde::Serialize;
use serde_json::Value;

use crate::Error;

/// Method, path, query, headers and body of a call.
#[derive(Debug, Clone)]
pub struct Call {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    query: bool,
}

impl Call {
    /// A call without body; `path` begins with a slash and its segments are already encoded, see [`segment`].
    pub fn new(method: Method, path: impl Into<String>) -> Self {
        let path = path.into();
        let query = path.contains('?');
        Self {
            method,
            path,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            query,
        }
    }

    /// A `GET`; see [`new`](Self::new).
    pub fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }

    /// Adds a query parameter if it is given.
    #[must_use]
    pub fn query(mut self, name: &str, value: Option<&impl Display>) -> Self {
        if let Some(value) = value {
            self.path.push(if self.query { '&' } else { '?' });
            self.query = true;
            let pair = [(name, value.to_string())];
            self.path.push_str(
                &url::form_urlencoded::Serializer::new(String::new())
                    .extend_pairs(pair)
                    .finish(),
            );
        }
        self
    }

    /// Adds query parameters that have names of the caller's.
    #[must_use]
    pub fn query_each<'p>(self, values: Option<impl IntoIterator<Item = (&'p String, &'p String)>>) -> Self {
        let all = values.into_iter().flatten();
        all.fold(self, |call, (name, value)| call.query(name, Some(value)))
    }

    /// Adds a header if it is given; a value that no header may have is left out, so the server misses it and
    /// says so.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: Option<&impl Display>) -> Self {
        let value = value.and_then(|value| HeaderValue::try_from(value.to_string()).ok());
        if let (Ok(name), Some(value)) = (HeaderName::try_from(name), value) {
            self.headers.insert(name, value);
        }
        self
    }

    /// Sends `body` as JSON.
    pub fn json(self, body: &impl Serialize) -> Result<Self, Error> {
        let bytes = serde_json::to_vec(body).map_err(|source| self.unsendable(source))?;
        Ok(self.raw("application/json", bytes.into()))
    }

    /// Sends `patch` as a JSON Merge Patch (RFC 7396): what it names is changed, what it sets to null removed.
    pub fn merge_patch(self, patch: &impl Serialize) -> Result<Self, Error> {
        let bytes = serde_json::to_vec(patch).map_err(|source| self.unsendable(source))?;
        Ok(self.raw("application/merge-patch+json", bytes.into()))
    }

    /// Sends `body` as a form; what is absent is left out.
    pub fn form(self, body: &impl Serialize) -> Result<Self, Error> {
        let fields = serde_json::to_value(body).map_err(|source| self.unsendable(source))?;
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in fields.as_object().into_iter().flatten() {
            match value {
                Value::Null => {}
                Value::String(text) => {
                    form.append_pair(name, text);
                }
                other => {
                    form.append_pair(name, &other.to_string());
                }
            }
        }
        Ok(self.raw("application/x-www-form-urlencoded", form.finish().into()))
    }

    /// Sends bytes of a media type.
    #[must_use]
    pub fn raw(mut self, media_type: &'static str, body: Bytes) -> Self {
        self.headers
            .insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
        self.body = body;
        self
    }

    /// Method and path without the query, which may hold what people typed.
    pub(crate) fn title(&self) -> String {
        format!(
            "{} {}",
            self.method,
            self.path.split('?').next().unwrap_or_default()
        )
    }

    fn unsendable(&self, source: serde_json::Error) -> Error {
        Error::Request {
            call: self.title(),
            source: source.into(),
        }
    }
}

/// Encodes one segment of a path (RFC 3986: everything but unreserved characters as `%xx`).
pub fn segment(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}
