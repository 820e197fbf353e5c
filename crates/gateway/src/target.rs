//! One address of an upstream, parsed.

use std::sync::Arc;

use domain::traffic::UpstreamProtocol;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Uri};

use crate::group::Found;
use crate::tls::Out;

/// Why a URL cannot be an upstream's address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// It is not `http://` or `https://` with a host and perhaps a port and a path, nor `tcp://` with host and port.
    #[error(
        "`{url}` is not a URL of a service: `http://` or `https://`, host, perhaps port and path; or `tcp://`, host, port"
    )]
    Url {
        /// What was given.
        url: String,
    },
    /// A field has a value that cannot be used.
    #[error("has an invalid `{field}`: {detail}")]
    Field {
        /// Where it is.
        field: &'static str,
        /// What is wrong.
        detail: String,
    },
}

impl Invalid {
    pub(crate) fn field(field: &'static str, detail: impl Into<String>) -> Self {
        Self::Field {
            field,
            detail: detail.into(),
        }
    }
}

/// One address of an upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) endpoint: Endpoint,
    /// What requests say in `Host`.
    pub(crate) host: HeaderValue,
    pub(crate) authority: Authority,
    /// Stands before every path; without a slash at the end.
    pub(crate) base_path: Box<str>,
    /// Whether it is for streams and not for calls.
    pub(crate) is_stream: bool,
}

/// Where to connect and how: connections are shared by whatever has the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Endpoint {
    pub(crate) host: Box<str>,
    pub(crate) port: u16,
    pub(crate) is_tls: bool,
    pub(crate) protocol: UpstreamProtocol,
    /// What a name server calls it, where `host` is an address that was found: for certificates.
    pub(crate) name: Option<Box<str>>,
    /// What the upstream says about TLS.
    pub(crate) tls: Option<Arc<Out>>,
}

impl Endpoint {
    /// Whether nothing but HTTP/2 is spoken.
    pub(crate) fn is_http2(&self) -> bool {
        self.protocol == UpstreamProtocol::Http2
    }
}

impl Target {
    pub(crate) fn parse(
        url: &str,
        protocol: UpstreamProtocol,
        tls: Option<&Arc<Out>>,
    ) -> Result<Self, Invalid> {
        let invalid = || Invalid::Url {
            url: url.chars().take(200).collect(),
        };
        let uri: Uri = url.parse().map_err(|_| invalid())?;
        let (is_tls, is_stream) = match uri.scheme_str() {
            Some("http") => (false, false),
            Some("https") => (true, false),
            Some("tcp") => (false, true),
            _ => return Err(invalid()),
        };
        let authority = uri.authority().ok_or_else(invalid)?.clone();
        let is_plain =
            uri.query().is_none() && !authority.as_str().contains('@') && !authority.host().is_empty();
        // A port out of range reads as none.
        let port_text = &authority.as_str()[authority.host().len()..];
        let is_port = port_text
            .strip_prefix(':')
            .is_none_or(|port| port.parse::<u16>().is_ok());
        let is_whole = !is_stream || (authority.port_u16().is_some() && matches!(uri.path(), "" | "/"));
        if !is_plain || !is_port || !is_whole {
            return Err(invalid());
        }
        let host = authority
            .host()
            .trim_start_matches('[')
            .trim_end_matches(']')
            .into();
        let port = authority.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        Ok(Self {
            endpoint: Endpoint {
                host,
                port,
                is_tls,
                protocol,
                name: None,
                tls: tls.filter(|_| is_tls).cloned(),
            },
            host: HeaderValue::from_str(authority.as_str()).map_err(|_| invalid())?,
            base_path: uri.path().trim_end_matches('/').into(),
            authority,
            is_stream,
        })
    }

    /// The same target at an address that its name stands for.
    pub(crate) fn at(&self, found: &Found) -> Self {
        let mut target = self.clone();
        let endpoint = &mut target.endpoint;
        let name = found.name.as_ref().unwrap_or(&endpoint.host).clone();
        if found.name.is_some() {
            // A service is called by the name of its record.
            let authority = format!("{name}:{}", found.port);
            if let (Ok(authority), Ok(host)) = (authority.parse(), HeaderValue::from_str(&authority)) {
                (target.authority, target.host) = (authority, host);
            }
        }
        endpoint.host = found.address.to_string().into();
        endpoint.port = found.port;
        endpoint.name = Some(name);
        target
    }

    /// Its address, for people.
    pub(crate) fn url(&self) -> String {
        let scheme = match (self.is_stream, self.endpoint.is_tls) {
            (true, _) => "tcp",
            (false, true) => "https",
            (false, false) => "http",
        };
        if self.endpoint.name.is_none() {
            return format!("{scheme}://{}{}", self.authority, self.base_path);
        }
        let Endpoint { host, port, .. } = &self.endpoint;
        let (open, close) = if host.contains(':') { ("[", "]") } else { ("", "") };
        format!("{scheme}://{open}{host}{close}:{port}{}", self.base_path)
    }

    /// What it is told apart from other targets by, on every node.
    pub(crate) fn name(&self) -> Vec<u8> {
        format!("{}:{}{}", self.endpoint.host, self.endpoint.port, self.base_path).into_bytes()
    }

    /// The URL of a call over HTTP/2; `rest` is its path below the route, `query` begins with `?` or is empty.
    ///
    /// `host` is what the target is called in the place of its own name, unless it cannot stand in a URL. `None` if
    /// it would be too long.
    pub(crate) fn uri(&self, host: Option<&HeaderValue>, rest: &str, query: &str) -> Option<Uri> {
        let called = host.and_then(|host| Authority::try_from(host.as_bytes()).ok());
        let mut path = String::with_capacity(self.base_path.len() + rest.len() + query.len() + 1);
        path.push_str(&self.base_path);
        path.push_str(rest);
        if path.is_empty() {
            path.push('/');
        }
        path.push_str(query);
        let path = PathAndQuery::from_maybe_shared(bytes::Bytes::from(path)).ok()?;
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(if self.endpoint.is_tls {
            Scheme::HTTPS
        } else {
            Scheme::HTTP
        });
        parts.authority = Some(called.unwrap_or_else(|| self.authority.clone()));
        parts.path_and_query = Some(path);
        Uri::from_parts(parts).ok()
    }
}

#[cfg(test)]
mod tests {
    use domain::traffic::UpstreamProtocol;

    use super::Target;

    fn parse(url: &str) -> Result<Target, super::Invalid> {
        Target::parse(url, UpstreamProtocol::Http1, None)
    }

    #[test]
    fn urls_are_read_and_put_before_paths() {
        let table = [
            (
                "http://127.0.0.1:9000/base/",
                "/pets/7",
                "?a=1",
                "http://127.0.0.1:9000/base/pets/7?a=1",
                ("127.0.0.1", 9000),
            ),
            ("http://[::1]:80", "", "", "http://[::1]:80/", ("::1", 80)),
            (
                "https://api.example.com",
                "/x",
                "",
                "https://api.example.com/x",
                ("api.example.com", 443),
            ),
        ];
        for (url, rest, query, expected, (host, port)) in table {
            let target = parse(url).unwrap();
            assert_eq!(target.uri(None, rest, query).unwrap(), expected, "{url}");
            assert_eq!((&*target.endpoint.host, target.endpoint.port), (host, port));
        }
    }

    #[test]
    fn urls_may_name_another_host() {
        let target = parse("http://127.0.0.1:9000/base").unwrap();
        for (host, authority) in [
            ("shop.example", "shop.example"),
            ("shop.example:8080", "shop.example:8080"),
            ("", "127.0.0.1:9000"),
            ("a:b:c", "127.0.0.1:9000"),
        ] {
            let host = http::HeaderValue::from_static(host);
            let uri = target.uri(Some(&host), "/pets", "").unwrap();
            assert_eq!(uri.authority().unwrap(), authority, "{host:?}");
        }
    }

    #[test]
    fn other_urls_are_refused() {
        for url in [
            "",
            "127.0.0.1:80",
            "ftp://a/",
            "http://",
            "http://u:p@a/",
            "http://a/?q",
            "http://a:99999/",
            "tcp://a",
            "tcp://a:1/path",
            "tcp://a:1?q",
            "tcp://u@a:1",
        ] {
            assert!(parse(url).is_err(), "{url}");
        }
    }
}
