//! A small HTTP/1.1 client for servers of ours: the control plane, a collector of traces.

use std::path::Path;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use domain::traffic::UpstreamProtocol;
use http::header::{CONTENT_LENGTH, HOST};
use http::uri::{PathAndQuery, Scheme};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::tls::{self, Outward};

const CONNECT_MAX: Duration = Duration::from_secs(10);

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is not `http://` or `https://` with a host.
    #[error("`{url}` is not an address, as `https://host:8081`")]
    Url {
        /// What was given.
        url: String,
    },
    /// TLS could not be set up.
    #[error(transparent)]
    Tls(#[from] tls::Error),
    /// It cannot be reached.
    #[error("it cannot be reached")]
    Connect(#[source] std::io::Error),
    /// It does not speak HTTP with us.
    #[error("talking HTTP")]
    Http(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It did not answer in time.
    #[error("no answer within {} s", .after.as_secs())]
    Timeout {
        /// How long it was waited for.
        after: Duration,
    },
}

/// A server.
pub(crate) struct Remote {
    host: String,
    port: u16,
    authority: HeaderValue,
    base_path: String,
    tls: Option<TlsConnector>,
    answer_bytes_max: usize,
}

/// What is asked of a server.
pub(crate) struct Asking<'a> {
    pub(crate) method: Method,
    /// Behind the address's own path.
    pub(crate) path: &'a str,
    /// Fields besides `Host` and `Content-Length`.
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Remote {
    /// Reads the address; `roots` are certificates (PEM) to trust instead of those of the web.
    pub(crate) fn new(url: &str, roots: Option<&Path>, answer_bytes_max: usize) -> Result<Self, Error> {
        let invalid = || Error::Url {
            url: url.chars().take(200).collect(),
        };
        let uri: Uri = url.parse().map_err(|_| invalid())?;
        let is_tls = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTP => false,
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            _ => return Err(invalid()),
        };
        let authority = uri.authority().ok_or_else(invalid)?.clone();
        let connector = Outward::new(roots)?.connector(None, UpstreamProtocol::Http1)?;
        Ok(Self {
            host: authority
                .host()
                .trim_start_matches('[')
                .trim_end_matches(']')
                .to_owned(),
            port: authority.port_u16().unwrap_or(if is_tls { 443 } else { 80 }),
            authority: HeaderValue::from_str(authority.as_str()).map_err(|_| invalid())?,
            base_path: uri.path().trim_end_matches('/').to_owned(),
            tls: is_tls.then_some(connector),
            answer_bytes_max,
        })
    }

    /// Makes one call on a connection of its own: calls are rare, and a fresh connection is never a dead one.
    pub(crate) async fn call(&self, asking: Asking<'_>, max: Duration) -> Result<Answer, Error> {
        let called = async {
            let tcp = TcpStream::connect((self.host.as_str(), self.port));
            let tcp = timeout(CONNECT_MAX, tcp)
                .await
                .map_err(|_| Error::Timeout { after: CONNECT_MAX })?;
            let tcp = tcp.map_err(Error::Connect)?;
            let Some(tls) = &self.tls else {
                return self.exchange(tcp, asking).await;
            };
            let name = rustls_pki_types::ServerName::try_from(self.host.clone())
                .map_err(|error| Error::Http(error.into()))?;
            let stream = tls.connect(name, tcp).await.map_err(Error::Connect)?;
            self.exchange(stream, asking).await
        };
        timeout(max, called)
            .await
            .map_err(|_| Error::Timeout { after: max })?
    }

    async fn exchange<S>(&self, stream: S, asking: Asking<'_>) -> Result<Answer, Error>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let http = |error: hyper::Error| Error::Http(error.into());
        let (mut sender, driver) = http1::handshake(TokioIo::new(stream)).await.map_err(http)?;
        let driver = tokio::spawn(driver);
        let target = format!("{}{}", self.base_path, asking.path);
        let target = if target.is_empty() { "/".to_owned() } else { target };
        let target = PathAndQuery::try_from(target).map_err(|error| Error::Http(error.into()))?;
        let length = asking.body.len();
        let mut request = Request::new(Full::new(asking.body));
        *request.method_mut() = asking.method;
        *request.uri_mut() = target.into();
        *request.headers_mut() = asking.headers;
        let headers = request.headers_mut();
        headers.insert(HOST, self.authority.clone());
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        let (head, body) = sender.send_request(request).await.map_err(http)?.into_parts();
        let mut body = Limited::new(body, self.answer_bytes_max);
        let mut bytes = BytesMut::new();
        while let Some(frame) = body.frame().await {
            if let Ok(data) = frame.map_err(Error::Http)?.into_data() {
                bytes.extend_from_slice(&data);
            }
        }
        driver.abort();
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body: bytes.freeze(),
        })
    }
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Remote")
            .field("authority", &self.authority)
            .finish_non_exhaustive()
    }
}
