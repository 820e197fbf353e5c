//! A small HTTP client for the internal protocol.

use std::path::Path;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use domain::snapshot::PackedError;
use domain::traffic::UpstreamProtocol;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST};
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

/// The largest answer that is read.
const ANSWER_BYTES_MAX: usize = 256 << 20;
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// Why a call of the control plane failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is not `http://` or `https://` with a host.
    #[error("`{url}` is not the address of a control plane")]
    Url {
        /// What was given.
        url: String,
    },
    /// The token has characters that a header cannot carry.
    #[error("the cluster token is not one line of visible characters")]
    Token,
    /// TLS could not be set up.
    #[error(transparent)]
    Tls(#[from] tls::Error),
    /// It cannot be reached.
    #[error("the control plane cannot be reached")]
    Connect(#[source] std::io::Error),
    /// It does not speak HTTP with us.
    #[error("talking to the control plane")]
    Http(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It did not answer in time.
    #[error("the control plane did not answer within {} s", .after.as_secs())]
    Timeout {
        /// How long it was waited for.
        after: Duration,
    },
    /// It answered something else than the protocol says.
    #[error("the control plane answered {status}")]
    Status {
        /// What it answered.
        status: StatusCode,
    },
    /// Its snapshot cannot be used.
    #[error(transparent)]
    Snapshot(#[from] PackedError),
}

/// A control plane in another process.
pub struct Control {
    host: String,
    port: u16,
    authority: HeaderValue,
    base_path: String,
    tls: Option<TlsConnector>,
    token: String,
    authorization: HeaderValue,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Control {
    /// Reads the address; `roots` are certificates (PEM) to trust instead of those of the web.
    pub fn new(url: &str, token: String, roots: Option<&Path>) -> Result<Self, Error> {
        let invalid = || Error::Url {
            url: url.chars().take(200).collect(),
        };
        let uri: Uri = url.parse().map_err(|_| invalid())?;
        let is_tls = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTP => false,
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            _ => return Err(invalid()),
        };
        let authority = uri.authority().ok_or_else(invalid)?;
        let mut authorization =
            HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| Error::Token)?;
        authorization.set_sensitive(true);
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
            token,
            authorization,
        })
    }

    pub(super) const fn token(&self) -> &[u8] {
        self.token.as_bytes()
    }

    /// Makes one call on a connection of its own: calls are rare, and a fresh connection is never a dead one.
    pub(super) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        max: Duration,
    ) -> Result<Answer, Error> {
        let called = async {
            let tcp = TcpStream::connect((self.host.as_str(), self.port));
            let tcp = timeout(CONNECT_MAX, tcp)
                .await
                .map_err(|_| Error::Timeout { after: CONNECT_MAX })?;
            let tcp = tcp.map_err(Error::Connect)?;
            let Some(tls) = &self.tls else {
                return self.exchange(tcp, method, path, body).await;
            };
            let name = rustls_pki_types::ServerName::try_from(self.host.clone())
                .map_err(|error| Error::Http(error.into()))?;
            let stream = tls.connect(name, tcp).await.map_err(Error::Connect)?;
            self.exchange(stream, method, path, body).await
        };
        timeout(max, called)
            .await
            .map_err(|_| Error::Timeout { after: max })?
    }

    async fn exchange<S>(&self, stream: S, method: Method, path: &str, body: Bytes) -> Result<Answer, Error>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let http = |error: hyper::Error| Error::Http(error.into());
        let (mut sender, driver) = http1::handshake(TokioIo::new(stream)).await.map_err(http)?;
        let driver = tokio::spawn(driver);
        let target = format!("{}{path}", self.base_path);
        let target = PathAndQuery::try_from(target).map_err(|error| Error::Http(error.into()))?;
        let mut request = Request::new(Full::new(body.clone()));
        *request.method_mut() = method;
        *request.uri_mut() = target.into();
        let headers = request.headers_mut();
        headers.insert(HOST, self.authority.clone());
        headers.insert(AUTHORIZATION, self.authorization.clone());
        headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        let kind = if body.first() == Some(&b'{') {
            "application/json"
        } else {
            "application/octet-stream"
        };
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        let (head, body) = sender.send_request(request).await.map_err(http)?.into_parts();
        let mut body = Limited::new(body, ANSWER_BYTES_MAX);
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

impl std::fmt::Debug for Control {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Control")
            .field("authority", &self.authority)
            .finish_non_exhaustive()
    }
}
