//! Which requests a route takes beside its host and base path, and what becomes of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::certificate::dn;
use crate::flag::Audience;
use crate::stream::IDLE_MS_DEFAULT;

/// Conditions on a request; it fits when all of them hold.
///
/// What is compared is what the client sent, before policies change anything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Match {
    /// What the whole path is like, base path included; the base path is what is removed before forwarding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<PathMatch>,
    /// One of these methods, in capitals; any if empty. `GET` includes `HEAD`; a CORS preflight fits where the call
    /// would that it asks about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 16)]
    pub methods: Vec<String>,
    /// Header fields, by name in any case. A field that came in several lines fits if one of them does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 16)]
    pub headers: Vec<FieldMatch>,
    /// Query parameters, percent-decoded. One that came several times fits if one of them does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 16)]
    pub query: Vec<FieldMatch>,
    /// Cookies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 16)]
    pub cookies: Vec<FieldMatch>,
    /// The certificate that the client has shown in TLS; whether it has to show one is said by the host's certificate
    /// (`client_auth`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_certificate: Option<CertificateMatch>,
    /// An expression (CEL) over `method`, `host`, `path`, the maps `query`, `headers` (names in lower case) and
    /// `cookies`, and `body_bytes`: `path.startsWith('/shop/') && 'x-a' in headers`. One that fails does not fit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 1000)]
    pub when: Option<String>,
    /// Whom it is for, by feature flags and segments; looked at last. It is not known yet who calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<Audience>,
}

/// How the whole path of a request is compared; percent-encoded characters are decoded before.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PathMatch {
    /// How it is compared.
    pub kind: PathKind,
    /// With what: `/shop/status`, `/shop/{id}/status`, `/shop/[0-9]+`.
    #[schema(max_length = 1000)]
    pub value: String,
}

/// How a path is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PathKind {
    /// It is the same.
    Exact,
    /// It is the same or below: `/shop` fits `/shop` and `/shop/1`, not `/shopping`.
    Prefix,
    /// It has the same segments; `{name}` stands for at least one character of a segment.
    Template,
    /// It fits a regular expression from its beginning to its end.
    Regex,
}

/// A condition on the certificate of a client, which was checked against the host's authorities before.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CertificateMatch {
    /// Whether there is one.
    #[serde(default)]
    pub kind: CertificateKind,
    /// What it says of itself. The names are `subject` and `issuer` (RFC 4514, as `CN=a,O=b`), `common_name`, the
    /// alternative names `dns` (in lower case), `email`, `uri` and `ip`, and in hexadecimal `serial`,
    /// `fingerprint_sha256` (of the certificate) and `public_key_sha256`. Of several alternative names, one has to fit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 16)]
    pub fields: Vec<FieldMatch>,
}

/// Whether a client has shown a certificate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CertificateKind {
    /// It has.
    #[default]
    Present,
    /// It has not.
    Absent,
}

/// What a certificate says of itself, as conditions name it.
pub const CERTIFICATE_FIELDS: [&str; 10] = [
    "subject",
    "common_name",
    "issuer",
    "dns",
    "email",
    "uri",
    "ip",
    "serial",
    "fingerprint_sha256",
    "public_key_sha256",
];

/// A condition on a header field, a query parameter, a cookie or what a certificate says.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FieldMatch {
    /// Its name.
    #[schema(max_length = 200)]
    pub name: String,
    /// How its value is compared.
    #[serde(default)]
    pub kind: FieldKind,
    /// With what; absent for `present` and `absent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 1000)]
    pub value: Option<String>,
    /// Turns the condition round; a field that is not there is not equal to anything.
    #[serde(default, skip_serializing_if = "is_false")]
    pub not: bool,
}

/// How a value is compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FieldKind {
    /// It is the same.
    #[default]
    Exact,
    /// It begins so.
    Prefix,
    /// It fits a regular expression from its beginning to its end.
    Regex,
    /// It is there, whatever its value.
    Present,
    /// It is not there.
    Absent,
}

const fn is_false(value: &bool) -> bool {
    !*value
}

impl Match {
    /// Whether every request fits.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// How many conditions there are: a route with more is tried before one with fewer.
    pub fn conditions(&self) -> usize {
        usize::from(self.path.is_some())
            + usize::from(!self.methods.is_empty())
            + self.headers.len()
            + self.query.len()
            + self.cookies.len()
            + self
                .client_certificate
                .as_ref()
                .map_or(0, |it| 1 + it.fields.len())
            + usize::from(self.when.is_some())
            + self.audience.as_ref().map_or(0, Audience::conditions)
    }

    /// Whether a request with this method may fit.
    pub fn takes_method(&self, method: &str) -> bool {
        let named = |named: &String| named == method || (method == "GET" && named == "HEAD");
        self.methods.is_empty() || self.methods.iter().any(named)
    }

    /// The same conditions in the one way in which they are written to be compared: orders, repetitions and the
    /// case of header names do not matter.
    pub fn normal(&self) -> Self {
        let mut normal = self.clone();
        normal.methods.sort_unstable();
        normal.methods.dedup();
        for field in &mut normal.headers {
            field.name.make_ascii_lowercase();
        }
        let certificate = normal.client_certificate.as_mut().map(|it| &mut it.fields);
        for field in certificate.into_iter().flatten() {
            field.value = field.value.as_ref().map(|value| certificate_value(field, value));
        }
        let certificate = normal.client_certificate.as_mut().map(|it| &mut it.fields);
        let lists = [&mut normal.headers, &mut normal.query, &mut normal.cookies];
        for fields in lists.into_iter().chain(certificate) {
            for field in fields.iter_mut() {
                if field.kind == FieldKind::Absent {
                    field.kind = FieldKind::Present;
                    field.not = !field.not;
                }
            }
            fields.sort_by(|a, b| key(a).cmp(&key(b)));
            fields.dedup();
        }
        normal.audience = normal.audience.map(Audience::normal);
        normal
    }
}

/// The value of a condition on a certificate as [`Facts`](crate::certificate::Facts) write it; as it is if it is none.
pub fn certificate_value(field: &FieldMatch, value: &str) -> String {
    let is_part = matches!(field.kind, FieldKind::Exact | FieldKind::Prefix);
    match field.name.as_str() {
        "subject" | "issuer" if field.kind == FieldKind::Exact => {
            dn::canonical(value).unwrap_or_else(|| value.to_owned())
        }
        "fingerprint_sha256" | "public_key_sha256" if is_part => value.replace(':', "").to_ascii_lowercase(),
        "dns" | "serial" if is_part => value.to_ascii_lowercase(),
        _ => value.to_owned(),
    }
}

fn key(field: &FieldMatch) -> (&str, u8, Option<&str>, bool) {
    (&field.name, field.kind as u8, field.value.as_deref(), field.not)
}

/// Sends clients elsewhere; what is not said stays as it was asked for.
///
/// At least one of `scheme`, `host`, `port`, `path` and `prefix` is there, not both of the last two.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Redirect {
    /// 301, 302, 303, 307 or 308; the last two keep method and body.
    #[serde(default = "found")]
    #[schema(minimum = 301, maximum = 308)]
    pub status: u16,
    /// The scheme.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheme: Option<Scheme>,
    /// The host, without port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 253)]
    pub host: Option<String>,
    /// The port; the usual one of the scheme if scheme or host are changed and none is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    pub port: Option<u16>,
    /// The whole path; `{name}` is what stands there in a path that was compared with a template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 1000)]
    pub path: Option<String>,
    /// What stands in place of the base path: `/shop/v2`, or `/` for nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 500)]
    pub prefix: Option<String>,
    /// Whether the query goes with it.
    #[serde(default = "yes")]
    pub keep_query: bool,
}

const fn found() -> u16 {
    302
}

const fn yes() -> bool {
    true
}

/// The scheme of a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scheme {
    /// Without TLS.
    Http,
    /// With TLS.
    Https,
}

/// An answer that the gateway gives itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FixedAnswer {
    /// 200 to 599.
    #[schema(minimum = 200, maximum = 599)]
    pub status: u16,
    /// Header fields; those that frame the message are the gateway's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = HashMap<String, String>)]
    pub headers: BTreeMap<String, String>,
    /// What the body is; `text/plain; charset=utf-8` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 200)]
    pub content_type: Option<String>,
    /// The body, at most 64 KiB; none if empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schema(max_length = 65_536)]
    pub body: String,
}

/// Takes the requests to open a tunnel (`CONNECT`: RFC 9110 section 9.3.6), and no others.
///
/// The client is joined with a target of the route's upstream, whatever it names: with TLS if that is at `https://`. It
/// names the route's host, and bytes pass unread both ways once it was answered 200.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Connect {
    /// The ports that clients may name beside the host; any if empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 16)]
    pub ports: Vec<u16>,
    /// How long nothing may come either way, in milliseconds: 1000 to a day.
    #[schema(minimum = 1000, maximum = 86_400_000)]
    pub idle_ms: u32,
}

impl Connect {
    /// Whether clients may name this port.
    pub fn takes(&self, port: u16) -> bool {
        self.ports.is_empty() || self.ports.contains(&port)
    }
}

impl Default for Connect {
    fn default() -> Self {
        Self {
            ports: Vec::new(),
            idle_ms: IDLE_MS_DEFAULT,
        }
    }
}

/// What is changed of a request before it is forwarded; at most one of `prefix`, `path` and `regex`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rewrite {
    /// What stands in place of the base path: `/internal/v2`; the base path itself keeps it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 500)]
    pub prefix: Option<String>,
    /// The whole path: `/v2/items/{id}`. `{name}` is what stands there in a path that was compared with a template
    /// (`match.path`), else the parameter of the operation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 1000)]
    pub path: Option<String>,
    /// Replaces the first place of the path below the base path where an expression fits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regex: Option<Substitution>,
    /// The `Host` that the upstream gets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 259)]
    pub host: Option<String>,
}

/// What is replaced by what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Substitution {
    /// A regular expression; `^` and `$` tie it to the beginning and the end. A path that it does not fit stays.
    #[schema(max_length = 1000)]
    pub pattern: String,
    /// What takes the place; `$1` and `${name}` are groups of the expression, `$$` is `$`.
    #[schema(max_length = 1000)]
    pub replacement: String,
}
